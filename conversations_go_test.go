package main

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/testdata/runaways"
)

// fifty, large and endless are rows without tables.
var (
	fifty   = "(" + runaways.Repeated(50, " UNION ALL ", "SELECT %d AS n") + ")"
	large   = "SELECT a.n * 2500 + b.n * 50 + c.n AS n, CONCAT('row ', c.n) AS t FROM " + fifty + " a CROSS JOIN " + fifty + " b CROSS JOIN " + fifty + " c"
	endless = "SELECT COUNT(*) FROM (" + large + ") q CROSS JOIN (" + large + ") r WHERE SQRT(q.n * r.n) = 0.5"
)

// goSession is a session as Go programs have one: what each step came to, the
// same for every server.
func goSession(t *testing.T, s *target) (out []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	say := func(name string, format string, args ...any) {
		out = append(out, name+": "+fmt.Sprintf(format, args...))
	}
	tried := func(name string, f func() (string, error)) {
		text, err := f()
		var e *mysql.MySQLError
		switch {
		case errors.As(err, &e):
			text = fmt.Sprintf("error %d %s", e.Number, e.SQLState)
		case err != nil:
			text = err.Error()
		}
		say(name, "%s", text)
	}
	connect := func(change func(*mysql.Config)) *sql.DB {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = s.user, s.password, "tcp", net.JoinHostPort(s.host, s.port), "wiresql"
		c.Logger, c.ParseTime = quietDriver{}, true
		if s.tls {
			c.TLS = &tls.Config{InsecureSkipVerify: true}
		}
		if change != nil {
			change(c)
		}
		return openConfig(t, c)
	}
	db := connect(nil)
	tried("ping", func() (string, error) { return "", db.PingContext(ctx) })
	values := []struct {
		statement string
		args      []any
	}{
		{"SELECT ?, ?, ?", []any{1, nil, "text"}},
		{"SELECT ? + 0, ? + 0", []any{int64(-1 << 63), int64(1<<63 - 1)}},
		{"SELECT ?", []any{uint64(1<<64 - 1)}},
		{"SELECT CAST(? AS CHAR), CAST(? AS CHAR)", []any{"häß 😀 '\"\\%", 1.5}},
		{"SELECT CAST(? AS DATETIME(6)), CAST(? AS DATE)", []any{time.Date(2026, 6, 12, 10, 15, 0, 48_000_000, time.UTC), "2024-02-29"}},
		{"SELECT HEX(?), LENGTH(?)", []any{[]byte{0, 255, '\'', '\\'}, []byte{}}},
		{"SELECT ? = 1, ? IS NULL", []any{true, nil}},
		{"SELECT n FROM (SELECT 1 AS n UNION ALL SELECT 2 UNION ALL SELECT 3) t WHERE n IN (?, ?) ORDER BY n LIMIT ?", []any{3, 2, 5}},
		{"SELECT LENGTH(?)", []any{strings.Repeat("x", 100_000)}},
	}
	interpolating := connect(func(c *mysql.Config) { c.InterpolateParams = true })
	for _, v := range values {
		tried("prepared "+v.statement, func() (string, error) { return shownRows(db.QueryContext(ctx, v.statement, v.args...)) })
		tried("text "+v.statement, func() (string, error) { return shownRows(interpolating.QueryContext(ctx, v.statement, v.args...)) })
	}
	prepared, err := db.PrepareContext(ctx, "SELECT ? + 1")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	sum := 0
	for i := range 40 { // of several connections, each of which prepares it
		all.Go(func() {
			var n int
			err := prepared.QueryRowContext(ctx, i).Scan(&n)
			mu.Lock()
			defer mu.Unlock()
			if sum += n; err != nil {
				say("at a time", "%v", err)
			}
		})
	}
	all.Wait()
	say("sum", "%d %v", sum, prepared.Close())
	tried("own columns", func() (string, error) {
		rows, err := db.QueryContext(ctx, "SELECT * FROM connections LIMIT 0")
		if err != nil {
			return "", err
		}
		defer rows.Close()
		names, err := rows.Columns()
		return fmt.Sprint(len(names)), err
	})
	for _, statement := range []string{"SELEC 1", "SELECT nothing", "SELECT * FROM nothing", "SELECT 1; SELECT 2", "USE nowhere"} {
		tried(statement, func() (string, error) { return shownRows(db.QueryContext(ctx, statement)) })
		tried("alive", func() (string, error) { return shownRows(db.QueryContext(ctx, "SELECT 1")) })
	}
	tried("sets", func() (string, error) {
		return shownRows(connect(func(c *mysql.Config) { c.MultiStatements = true }).QueryContext(ctx, "SELECT 1; SELECT 2, NULL; SET @x = 'set'; SELECT @x"))
	})
	tried("large", func() (string, error) {
		rows, err := db.QueryContext(ctx, large)
		if err != nil {
			return "", err
		}
		defer rows.Close()
		count, sum := 0, 0
		for rows.Next() {
			var n int
			var text string
			if err := rows.Scan(&n, &text); err != nil {
				return "", err
			}
			count, sum = count+1, sum+n
		}
		return fmt.Sprint(count, " ", sum), rows.Err()
	})
	for _, o := range []*sql.TxOptions{nil, {ReadOnly: true}, {Isolation: sql.LevelRepeatableRead}} {
		tried("transaction", func() (string, error) {
			tx, err := db.BeginTx(ctx, o)
			if err != nil {
				return "", err
			}
			text, err := shownRows(tx.QueryContext(ctx, "SELECT 1"))
			return text, errors.Join(err, tx.Commit())
		})
	}
	tried("variables", func() (string, error) {
		return shownRows(connect(func(c *mysql.Config) {
			c.Params = map[string]string{"time_zone": "'+02:00'", "sql_mode": "'ANSI_QUOTES'"}
		}).QueryContext(ctx, "SELECT @@time_zone, @@sql_mode"))
	})
	// A connection whose statement was given up is not used again.
	soon, stop := context.WithTimeout(ctx, 300*time.Millisecond)
	_, err = shownRows(db.QueryContext(soon, endless))
	stop()
	say("given up", "%v", errors.Is(err, context.DeadlineExceeded))
	tried("alive", func() (string, error) { return shownRows(db.QueryContext(ctx, "SELECT 1")) })
	one, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	var id int
	if err := one.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { interpolating.Exec("KILL QUERY ?", id) })
	tried("cancelled", func() (string, error) { return shownRows(one.QueryContext(ctx, endless)) })
	tried("alive", func() (string, error) { return shownRows(one.QueryContext(ctx, "SELECT 1")) })
	tried("KILL", func() (string, error) { _, err := interpolating.ExecContext(ctx, "KILL ?", id); return "", err })
	await(t, 10*time.Second, "the end of a killed connection", func() bool {
		_, err = shownRows(one.QueryContext(ctx, "SELECT 1"))
		return err != nil
	})
	say("killed", "%v", err != nil)
	tried("KILL of nobody", func() (string, error) { _, err := interpolating.ExecContext(ctx, "KILL 2000000000"); return "", err })
	// One that ends itself.
	tried("KILL QUERY of oneself", func() (string, error) { return shownRows(db.QueryContext(ctx, "KILL QUERY CONNECTION_ID()")) })
	tried("alive", func() (string, error) { return shownRows(db.QueryContext(ctx, "SELECT 1")) })
	tried("wrong password", func() (string, error) {
		return "", connect(func(c *mysql.Config) { c.Passwd = "wrong" }).PingContext(ctx)
	})
	tried("unknown database", func() (string, error) {
		return "", connect(func(c *mysql.Config) { c.DBName = "nowhere" }).PingContext(ctx)
	})
	return out
}

// shownRows are the rows of all results as text.
func shownRows(rows *sql.Rows, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var sets []string
	for {
		names, err := rows.Columns()
		if err != nil {
			return "", err
		}
		var lines []string
		for rows.Next() {
			cells, into := make([]any, len(names)), make([]any, len(names))
			for i := range cells {
				into[i] = &cells[i]
			}
			if err := rows.Scan(into...); err != nil {
				return "", err
			}
			texts := make([]string, len(cells))
			for i, v := range cells {
				texts[i] = "NULL"
				if text := cellText(v); text.Valid {
					texts[i] = text.String
				}
			}
			lines = append(lines, strings.Join(texts, "|"))
		}
		sets = append(sets, strings.Join(lines, "; "))
		if !rows.NextResultSet() {
			return strings.Join(sets, " / "), rows.Err()
		}
	}
}
