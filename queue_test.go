package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/engine"
)

// Fifty clients of an account wait behind one statement: some are killed, some
// leave, some have no time, and the others are answered as soon as the limit
// allows it.
func TestQueueOfAnAccount(t *testing.T) {
	wire, e := serveOnly(t)
	e.Limit(wire.user, engine.Limits{Statements: 1})
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.DBName = wire.user, wire.password, "tcp", net.JoinHostPort(wire.host, wire.port), "wiresql"
	c.TLSConfig, c.Logger = "skip-verify", quietDriver{}
	db := openConfig(t, c)
	connect := func() (*sql.Conn, int) {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		var id int
		if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			t.Fatal(err)
		}
		return conn, id
	}
	number := func(err error) int {
		var m *mysql.MySQLError
		if errors.As(err, &m) {
			return int(m.Number)
		}
		return 0
	}
	count := func(condition string) (n int) {
		if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE " + condition).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const waiting = "state = 'waiting for a turn'"
	first, firstID := connect()
	held := make(chan error, 1)
	go func() {
		_, err := first.ExecContext(t.Context(), "SELECT COUNT(*) FROM packets a, packets b, packets c WHERE a.length + b.length + c.length = 3")
		held <- err
	}()
	await(t, 20*time.Second, "a statement that holds the place", func() bool {
		return count(fmt.Sprintf("id = %d AND state NOT IN ('', 'planning', 'waiting for a turn')", firstID)) == 1
	})

	const each = 10
	var all sync.WaitGroup
	leaves, leave := context.WithCancel(t.Context())
	defer leave()
	var killed []int
	for i := range 5 * each {
		kind := i % 5
		conn, id := connect()
		ctx, want := t.Context(), 0
		switch kind {
		case 0:
			killed, want = append(killed, id), 1317
		case 1:
			ctx = leaves
		case 2:
			want = 3024
			if _, err := conn.ExecContext(ctx, "SET max_execution_time = 3000"); err != nil {
				t.Fatal(err)
			}
		}
		all.Go(func() {
			var n int
			err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM connections").Scan(&n)
			switch {
			case kind == 1 && errors.Is(err, context.Canceled):
			case number(err) != want || kind > 2 && (err != nil || n == 0):
				t.Errorf("client %d: %d, %v", i, n, err)
			}
		})
	}
	await(t, 20*time.Second, "those without time", func() bool { return count(waiting) == 4*each })
	for _, id := range killed {
		if _, err := db.Exec(fmt.Sprintf("KILL QUERY %d", id)); err != nil {
			t.Error(err)
		}
	}
	leave()
	await(t, 10*time.Second, "those who are killed and who leave", func() bool { return count(waiting) == 2*each })
	e.Limit(wire.user, engine.Limits{Statements: 4})
	all.Wait()
	if n := count(waiting); n != 0 {
		t.Errorf("%d wait", n)
	}
	if _, err := db.Exec(fmt.Sprintf("KILL QUERY %d", firstID)); err != nil {
		t.Fatal(err)
	}
	if err := <-held; number(err) != 1317 {
		t.Error(err)
	}
	e.Limit(wire.user, engine.Limits{Statements: 1})
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM connections").Scan(&n); err != nil || n == 0 {
		t.Errorf("afterwards: %d, %v", n, err)
	}
}
