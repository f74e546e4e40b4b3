package main

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Nobody ends what is another account's, however KILL is sent.
func TestKillOfOthers(t *testing.T) {
	dbs := servedAs(t, map[string][]string{"anna": {"wiresql.*"}, "bert": {"wiresql.*"}})
	hers, err := dbs["anna"].Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer hers.Close()
	var id int
	if err := hers.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	for _, kill := range []struct {
		statement string
		args      []any
	}{{"KILL ?", []any{id}}, {"KILL QUERY ?", []any{id}}, {"KILL CONNECTION (SELECT ?)", []any{id}}, {"/* x */ KILL CONNECTION ? + 0", []any{id}}, {"KILL 2000000000", nil}, {"KILL NULL", nil}} {
		var e *mysql.MySQLError
		if _, err := dbs["bert"].ExecContext(t.Context(), kill.statement, kill.args...); !errors.As(err, &e) || e.Number != 1094 {
			t.Errorf("%s: %v, not 1094", kill.statement, err)
		}
	}
	if err := hers.PingContext(t.Context()); err != nil {
		t.Errorf("her connection: %v", err)
	}
	var same int
	if err := hers.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&same); err != nil || same != id {
		t.Errorf("her connection: %d, %v", same, err)
	}
	// Her own she may end: it is told, and closed.
	var e *mysql.MySQLError
	if _, err := hers.ExecContext(t.Context(), "KILL CONNECTION_ID()"); !errors.As(err, &e) || e.Number != 1317 {
		t.Errorf("KILL of oneself: %v", err)
	}
	if err := hers.QueryRowContext(t.Context(), "SELECT 1").Scan(&same); err == nil || errors.Is(err, sql.ErrNoRows) {
		t.Errorf("after KILL of oneself: %v", err)
	}
}
