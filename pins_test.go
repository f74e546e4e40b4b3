package main

import (
	"errors"
	"path/filepath"
	"testing"
	"time"

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

// Of what several sensors saw the packets and rows of all of them are pinned.
func TestPinsOfSeveralSensors(t *testing.T) {
	dir := t.TempDir()
	frames := framesOf(t, morningCapture)
	for i, sensor := range []string{"a", "b"} {
		path := filepath.Join(t.TempDir(), "capture.pcap")
		writeFrames(t, path, frames, time.Duration(i)*time.Millisecond, func(int) bool { return true })
		if code, _, complaint := runProgram(t, nil, "import", "--data", dir, "--sensor", sensor, "--site", "hq", path); code != 0 {
			t.Fatalf("import: exit %d: %s", code, complaint)
		}
	}
	if n := numbersOf(t, dir, "SELECT COUNT(*) FROM connections WHERE seen_by <> 'a,b'")[0]; n != 0 {
		t.Fatalf("%d connections are of one sensor", n)
	}
	e := engineOver(t, dir)
	s := e.NewSession()
	if got := askEngine(s, "CALL pin('case', 'c.protocol = ''tcp''', '2026-06-12', '2026-06-13')"); got.err != "" {
		t.Fatal(got)
	}
	for _, text := range []string{
		"SELECT COUNT(*) FROM ops.segments WHERE segment NOT IN (SELECT segment FROM ops.pins WHERE segment IS NOT NULL)",
		"SELECT 2 - COUNT(DISTINCT s.sensor) FROM ops.pins p JOIN ops.segments s USING (segment)",
		"SELECT COUNT(DISTINCT sensor) - (SELECT COUNT(*) FROM ops.pins WHERE family = 'tls') FROM tls",
		"SELECT COUNT(DISTINCT sensor) - (SELECT COUNT(*) FROM ops.pins WHERE family = 'http') FROM http",
	} {
		if got := askEngine(s, text); len(got.rows) != 1 || got.rows[0] != "0" {
			t.Errorf("%s: %v", text, got)
		}
	}
}
