package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables/archive"
)

func explained(t *testing.T, s *engine.Session, statement string) string {
	t.Helper()
	got := askEngine(s, statement)
	if got.err != "" {
		t.Fatalf("%s: %s", statement, got.err)
	}
	return strings.Join(got.rows, "\n")
}

func TestExplain(t *testing.T) {
	e := demoEngine(t)
	s := e.NewSession()
	const join = `SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id)
		WHERE c.server_port = 80 AND overlaps(c.ts, c.ts_end, '2026-06-12 10:15', '2026-06-12 10:30') ORDER BY p.ts`
	for _, c := range []struct {
		statement string
		want      []string
	}{
		{"EXPLAIN " + join, []string{"reads    63 flow rows → 1,358 packets in 2 segments, ", "found by rows of flows looked up by a key", "limit 21.5 GB", "of 3 files", "{{packets 1}}",
			"join on connections.conn_id = packets.conn_id", "connections.server_port = 80"}},
		{"EXPLAIN FORMAT=JSON " + join, []string{"flow_rows", "nested_loop"}},
		{"EXPLAIN FORMAT=TRADITIONAL SELECT COUNT(*) FROM connections", []string{"1\tSIMPLE\tconnections\tNULL\tALL\tNULL\tNULL\tNULL\tNULL\t", "2 of 2 files; Using temporary"}},
		{"EXPLAIN FORMAT=TREE SELECT COUNT(*) FROM connections", []string{"one row: COUNT(*)\\n  table connections"}},
		{"EXPLAIN ANALYZE " + join, []string{"actual   ", " rows in ", "read packets: "}},
		{"EXPLAIN SELECT COUNT(*) FROM connections WHERE ts < '2019-01-01'", []string{"reads    0 of 2 files", "connections: 0 of 2 files", "missing  the archive holds 2026-"}},
		{"EXPLAIN SELECT COUNT(*) FROM connections WHERE ts > '2026-06-12'", []string{"nothing was recorded from 2026-06-12 10:30:37"}},
		{"EXPLAIN SELECT COUNT(*) FROM packets", []string{"none is read", "nothing was recorded from 2026-06-12 10:30:37"}},
		{"EXPLAIN SELECT COUNT(*) FROM connections WHERE client_host = 'gavin.ried-machine'", []string{"no host was ever named 'gavin.ried-machine'"}},
		{"DESCRIBE SELECT ts FROM flows LIMIT 3", []string{"what is read is the most there can be"}},
		{"EXPLAIN SELECT table_name FROM information_schema.tables", []string{"reads    nothing of the archive", "information_schema.tables: in memory"}},
		{"EXPLAIN SELECT SOUNDEX(server_name) FROM connections", []string{"soundex"}},
		{"EXPLAIN SELECT 1", []string{"reads    nothing of the archive"}},
	} {
		got := explained(t, s, c.statement)
		for _, w := range c.want {
			if !strings.Contains(strings.ToLower(got), strings.ToLower(w)) {
				t.Errorf("%s: no %q in\n%s", c.statement, w, got)
			}
		}
	}
	for statement, want := range map[string]string{
		"EXPLAIN FORMAT=none SELECT 1":                      "Unknown EXPLAIN format name: 'none'",
		"EXPLAIN ANALYZE FORMAT=TRADITIONAL SELECT 1":       "doesn't yet support 'EXPLAIN ANALYZE with TRADITIONAL format'",
		"EXPLAIN FOR CONNECTION 4711":                       "Unknown thread id: 4711",
		"EXPLAIN SELECT nosuch FROM flows":                  "Unknown column 'nosuch' in 'field list'",
		"EXPLAIN SELECT ts FROM nosuch":                     "Table 'wiresql.nosuch' doesn't exist",
		"EXPLAIN SELECT * FROM flows WHERE src_ip = '10/8'": "src_ip",
	} {
		if got := askEngine(s, statement); !strings.Contains(got.err, want) {
			t.Errorf("%s: %q, %q", statement, got.err, got.rows)
		}
	}
}

// The files of both families behind flows are listed, and those left out that
// a condition on the source says nothing is in.
func TestExplainObservers(t *testing.T) {
	s := observersEngine(t).NewSession()
	for statement, want := range map[string]string{
		"SELECT COUNT(*) FROM flows":                                                             "flows: 3 of 3 files (flows 1 of 1, exports 2 of 2), ",
		"SELECT COUNT(*) FROM flows WHERE dst_port = 80":                                         "(flows 1 of 1, exports 2 of 2)",
		"SELECT COUNT(*) FROM flows WHERE source_type = 'ipfix'":                                 "(flows 0 of 1, exports 2 of 2)",
		"SELECT COUNT(*) FROM flows WHERE source_type = 'packets'":                               "(flows 1 of 1, exports 0 of 2)",
		"SELECT COUNT(*) FROM flows WHERE ts >= '2026-06-12 14:09:30'":                           "(flows 0 of 1, exports 1 of 2)",
		"SELECT COUNT(*) FROM flows WHERE src_ip = '172.31.255.1'":                               "(flows 0 of 1, exports 1 of 2)",
		"SELECT COUNT(*) FROM flows WHERE conn_id = '14D2PF28AQKFF' AND ts < '2026-06-12 14:09'": "(flows 0 of 1, exports 1 of 2)",
		"SELECT missing, kernel_drops FROM ops.exporters":                                        "(exporters 1 of 1, sockets 1 of 1)",
		"SELECT p.ts FROM flows f JOIN packets p USING (conn_id) WHERE f.dst_port = 80":          "flows, rows whose packets they are: 1 of 1 file",
	} {
		if got := explained(t, s, "EXPLAIN "+statement); !strings.Contains(got, want) {
			t.Errorf("%s: no %q in\n%s", statement, want, got)
		}
	}
}

func TestScanLimit(t *testing.T) {
	e := demoEngine(t)
	s := e.NewSession()
	if got := askEngine(s, "SET wiresql_packet_scan_limit = 100000"); got.err != "" {
		t.Fatal(got.err)
	}
	const wide = "SELECT COUNT(DISTINCT info) FROM packets WHERE length > 60"
	got := askEngine(s, wide)
	for _, w := range []string{"would read about", "wiresql_packet_scan_limit (100.0 KB)", "add a range of ts"} {
		if !strings.Contains(got.err, w) {
			t.Errorf("%s: no %q in %q, %q", wide, w, got.err, got.rows)
		}
	}
	text := explained(t, s, "EXPLAIN "+wide)
	for _, w := range []string{"refused  this statement would read", "\nreads    no packets: refused before any were looked for\nmissing", "\n         add a range of ts"} {
		if !strings.Contains(text, w) {
			t.Errorf("EXPLAIN of a statement over the limit has no %q:\n%s", w, text)
		}
	}
	// Without what makes it fast a statement reads every packet.
	askEngine(s, "SET wiresql_pushdown = 'off'")
	if got := askEngine(s, "SELECT COUNT(*) FROM packets WHERE dst_port = 53"); !strings.Contains(got.err, "wiresql_pushdown is off, so every packet is read") {
		t.Errorf("pushdown off: %q, %q", got.rows, got.err)
	}
}

func TestGaps(t *testing.T) {
	e := demoEngine(t)
	s := e.NewSession()
	for statement, want := range map[string]string{
		"SELECT COUNT(*) FROM connections WHERE ts > NOW() - INTERVAL 1 HOUR":                           "nothing was recorded in the range asked for (since ",
		"SELECT COUNT(*) FROM packets WHERE ts < '2019-01-01'":                                          "nothing was recorded in the range asked for (before 2019-01-01 00:00:00)",
		"SELECT COUNT(*) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2030-01-01')":       "in the rest of the range asked for (2026-06-12 10:15:00 to 2030-01-01 00:00:00)",
		"SELECT COUNT(*) FROM flows WHERE overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:20')": "",
		"SELECT COUNT(*) FROM connections":                                                              "",
		// Conditions that DuckDB calls back, and hosts.
		"SELECT COUNT(*) FROM connections a JOIN connections b ON SOUNDEX(a.server_name) = SOUNDEX(b.server_name) WHERE a.ts < '2019-01-01'": "nothing was recorded in the range asked for (before 2019-01-01 00:00:00)",
		"SELECT COUNT(*) FROM connections a JOIN connections b ON SOUNDEX(a.server_name) = SOUNDEX(b.server_name)":                           "",
		"SELECT COUNT(*) FROM hosts WHERE ts < '2019-01-01'":                                                                                 "",
	} {
		got := askEngine(s, statement)
		if got.err != "" {
			t.Errorf("%s: %s", statement, got.err)
		} else if text := strings.Join(got.warnings, "\n"); want == "" && text != "" || !strings.Contains(text, want) {
			t.Errorf("%s: warnings %q, want %q", statement, text, want)
		}
	}
	if got := askEngine(s, "SELECT COUNT(*) FROM connections WHERE ts < '2019-01-01'"); len(got.warnings) != 1 {
		t.Errorf("%d warnings: %q", len(got.warnings), got.warnings)
	}
	if got := askEngine(s, "SHOW WARNINGS"); len(got.rows) != 1 || !strings.Contains(got.rows[0], "the archive holds 2026-") {
		t.Errorf("SHOW WARNINGS: %q %s", got.rows, got.err)
	}
	askEngine(s, "SET wiresql_pushdown = 'off'")
	if got := askEngine(s, "SELECT COUNT(*) FROM connections WHERE ts < '2019-01-01'"); len(got.warnings) != 1 {
		t.Errorf("pushdown off: %d warnings: %q", len(got.warnings), got.warnings)
	}
	askEngine(s, "SET wiresql_pushdown = 'on'")
	askEngine(s, "SET wiresql_gaps = 'error'")
	if got := askEngine(s, "SELECT COUNT(*) FROM connections WHERE ts < '2019-01-01'"); !strings.Contains(got.err, "nothing was recorded") {
		t.Errorf("wiresql_gaps = 'error': %q, %q", got.err, got.rows)
	}
}

// TestPacketsGone removes a segment, cuts another in half, and asks for their
// packets.
func TestPacketsGone(t *testing.T) {
	from, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(dir, archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	gone := c.Segments()[0]
	if err := os.Remove(gone.AbsPath); err != nil {
		t.Fatal(err)
	}
	await(t, 10*time.Second, "the catalogue to see it", func() bool {
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		return len(c.Missing()) == 1
	})
	e, err := engine.New(engine.DefaultConfig(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	damaged := c.Segments()[1]
	if err := os.Truncate(damaged.AbsPath, damaged.Bytes/2); err != nil {
		t.Fatal(err)
	}
	s := e.NewSession()
	got := askEngine(s, fmt.Sprintf("SELECT COUNT(*) FROM packets WHERE segment = %d AND ttl > 0", damaged.Number()))
	if text := strings.Join(got.warnings, "\n"); !strings.Contains(text, "or damaged") {
		t.Errorf("half of a segment: %q, %q", got.err, text)
	}
	want := fmt.Sprintf("%d packets of 2026-06-12 1", gone.Packets)
	reason := fmt.Sprintf("can't be read: segment %d (%s) is missing", gone.Number(), gone.Path)
	said := map[string]string{}
	for _, mode := range []string{"on", "off"} {
		s := e.NewSession()
		askEngine(s, "SET wiresql_pushdown = '"+mode+"'")
		got := askEngine(s, "SELECT COUNT(*), SUM(payload_length) FROM packets")
		text := strings.Join(got.warnings, "\n")
		said[mode] = text
		if got.err != "" || len(got.warnings) != 2 || !strings.Contains(text, want) || !strings.Contains(text, reason) {
			t.Errorf("pushdown %s: %q, %q, want %q and %q", mode, got.err, text, want, reason)
		}
		askEngine(s, "SET wiresql_gaps = 'error'")
		if got := askEngine(s, "SELECT info FROM packets"); !strings.Contains(got.err, reason) {
			t.Errorf("pushdown %s, gaps are errors: %q", mode, got.err)
		}
	}
	if said["on"] != said["off"] {
		t.Errorf("pushdown on says\n%s\noff\n%s", said["on"], said["off"])
	}
}

func TestSessionZone(t *testing.T) {
	s := demoEngine(t).NewSession()
	for _, zone := range []string{"UTC", "+00:00", "+02:00", "Europe/Berlin"} {
		if got := askEngine(s, "SET time_zone = '"+zone+"'"); got.err != "" {
			t.Errorf("%s: %s", zone, got.err)
		}
	}
	if got := askEngine(s, "SELECT SLEEP(0.01), SLEEP(NULL)"); got.err != "" || got.rows[0] != "0\tNULL" {
		t.Errorf("SLEEP: %q %s", got.rows, got.err)
	}
}

// TestCallbacks asks what DuckDB has no function for, with and without what
// makes statements fast.
func TestCallbacks(t *testing.T) {
	e := demoEngine(t)
	on, off := e.NewSession(), e.NewSession()
	if got := askEngine(off, "SET wiresql_pushdown = 'off'"); got.err != "" {
		t.Fatal(got.err)
	}
	for _, statement := range []string{
		"SELECT SOUNDEX(server_name), server_port FROM connections WHERE ts < '2026-06-12 10:30' ORDER BY conn_id LIMIT 7",
		"SELECT SOUNDEX(server_name) AS s, COUNT(*), MIN(client_ip) FROM connections WHERE server_port IN (80, 443) GROUP BY s HAVING COUNT(*) > 1 ORDER BY s",
		"SELECT COUNT(*) FROM connections WHERE SOUNDEX(server_name) = SOUNDEX('www.example.net') AND server_port = 80",
		"SELECT SOUNDEX(p.info), p.length FROM connections c JOIN packets p USING (conn_id) WHERE c.server_port = 53 ORDER BY p.packet_id LIMIT 20",
		"SELECT DISTINCT SOUNDEX(CONCAT(protocol, 'x')) AS x FROM flows WHERE dst_port < 1024 ORDER BY x",
		"SELECT SOUNDEX('wiresql') FROM connections LIMIT 2",
		"SELECT SOUNDEX(server_name) AS s FROM connections WHERE server_port = 80 UNION SELECT SOUNDEX(info) FROM packets WHERE dst_port = 53 ORDER BY s",
		"SELECT x.s, COUNT(*) FROM (SELECT SOUNDEX(server_name) AS s FROM connections WHERE server_port = 80) x GROUP BY x.s ORDER BY x.s",
		"SELECT x.s, p.length FROM (SELECT conn_id, SOUNDEX(server_name) AS s FROM connections WHERE server_port = 80) x JOIN packets p USING (conn_id) WHERE p.src_port = 80 AND p.length > 500 ORDER BY p.ts, p.length",
		"SELECT a.client_port, b.client_port FROM connections a JOIN connections b ON SOUNDEX(a.server_name) = SOUNDEX(b.server_name) WHERE a.server_port = 80 AND b.server_port = 443 AND a.client_port < 40000 ORDER BY 1, 2",
		"SELECT COUNT(*) FROM connections a JOIN dns d ON SOUNDEX(a.server_name) = SOUNDEX(d.query) CROSS JOIN hosts h WHERE a.server_port = 80 AND h.name = 'gavin.reid-machine'",
		"SELECT p.length, a.protocol FROM packets p JOIN connections a ON a.conn_id = p.conn_id AND SOUNDEX(a.protocol) = SOUNDEX(p.protocol) WHERE p.dst_port = 53 AND a.server_port = 53 ORDER BY p.packet_id",
		"SELECT a.client_port, b.server_name FROM connections a LEFT JOIN connections b ON SOUNDEX(a.server_name) = SOUNDEX(b.server_name) AND b.server_port = 443 WHERE a.server_port = 22 ORDER BY 1, 2",
	} {
		plan := explained(t, on, "EXPLAIN "+statement)
		if !strings.Contains(plan, "mysql_text('SOUNDEX") && !strings.Contains(plan, "columns ") {
			t.Errorf("%s:\n%s", statement, plan)
		}
		a, b := askEngine(on, statement), askEngine(off, statement)
		if a.err != "" || b.err != "" || len(a.rows) == 0 || compareRows(a.rows, b.rows) != "" {
			t.Errorf("%s: %s %s\n%s", statement, a.err, b.err, compareRows(a.rows, b.rows))
		}
	}
}
