package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// The statements that programs send as they start and as their users browse, a
// page for each program, after its public sources and logs as far as they are
// known: not each was checked with the version it names. They are sent over the
// wire, in order, in one session: none may fail where MySQL 8 gives an answer, and each
// must have the columns that MySQL 8's has; those that answer with rows, also
// when they are prepared.
func TestClientPages(t *testing.T) {
	wire := wireDB(t, demoEngine(t))
	total := 0
	for _, path := range pages(t, "testdata/sql/clients") {
		p := parsePage(t, path)
		total += len(p.cases)
		t.Run(filepath.Base(path), func(t *testing.T) {
			session, err := wire.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			for _, c := range p.cases {
				got := clientAnswer(session, c)
				if c.kind == "columns" && len(got) > 0 {
					if prepared := preparedColumns(session, c.statement); prepared != got[0] {
						t.Errorf("%s:%d: %s\nprepared: %s\nnot prepared: %s", path, c.line, c.statement, prepared, got[0])
					}
				}
				if *rewrite {
					c.want = got
				} else if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
					t.Errorf("%s:%d: %s\n got %s\nwant %s", path, c.line, c.statement, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
				}
			}
			if *rewrite {
				writePage(t, path, p)
			}
		})
	}
	if total < 800 {
		t.Errorf("%d statements, at least 800 wanted", total)
	}
}

// preparedColumns are the columns of a statement that is prepared.
func preparedColumns(session *sql.Conn, statement string) string {
	prepared, err := session.PrepareContext(context.Background(), statement)
	if err != nil {
		return "error: " + err.Error()
	}
	defer prepared.Close()
	rows, err := prepared.QueryContext(context.Background())
	if err != nil {
		return "error: " + err.Error()
	}
	defer rows.Close()
	names, err := rows.Columns()
	for err == nil && rows.Next() {
	}
	if err = errors.Join(err, rows.Err()); err != nil {
		return "error: " + err.Error()
	}
	return strings.Join(names, "\t")
}

// clientAnswer is what a page holds of an answer: its columns, or the error.
func clientAnswer(session *sql.Conn, c *sqlCase) []string {
	rows, err := session.QueryContext(context.Background(), c.statement)
	var names []string
	if err == nil {
		defer rows.Close()
		names, err = rows.Columns()
		for err == nil && rows.Next() {
			cells := make([]any, len(names))
			for i := range cells {
				cells[i] = new(sql.RawBytes)
			}
			err = rows.Scan(cells...)
		}
		err = errors.Join(err, rows.Err())
	}
	if err != nil {
		var known *mysql.MySQLError
		if c.kind == "error" && errors.As(err, &known) {
			return []string{fmt.Sprintf("%d %s", known.Number, known.Message)}
		}
		return []string{"error: " + err.Error()}
	}
	if len(names) == 0 {
		return nil
	}
	return []string{strings.Join(names, "\t")}
}
