package main

import (
	"errors"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// Who may read may not therefore keep packets from going; the numbers are MySQL's
// for procedures.
func TestPinWantsItsRight(t *testing.T) {
	db := servedAs(t, map[string][]string{"hunter": {"wiresql.*", "ops.*"}})["hunter"]
	for _, c := range []struct {
		statement string
		args      []any // it is prepared with
		number    uint16
	}{
		{"CALL pin('case', 'c.server_port = 80', '2026-06-12', '2026-06-13')", nil, 1370},
		{"CALL pin(?, 'c.server_port = 80', '2026-06-12', '2026-06-13')", []any{"case"}, 1370},
		{"CALL unpin('case')", nil, 1370},
		{"CALL unpin(?)", []any{"case"}, 1370},
		{"CALL wiresql.pin(1)", nil, 1370}, // the right comes before the arguments
		{"CALL nosuch('case')", nil, 1305},
		{"SELECT pin('case')", nil, 1305},
	} {
		var mistake *mysql.MySQLError
		if _, err := db.Exec(c.statement, c.args...); !errors.As(err, &mistake) || mistake.Number != c.number {
			t.Errorf("%s: %v, want error %d", c.statement, err, c.number)
		}
	}
	if n := countedRows(t, db, "SELECT * FROM ops.pins"); n != 0 {
		t.Errorf("%d pins were made", n)
	}
}
