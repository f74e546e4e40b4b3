package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver"
)

// serverFor serves an engine to accounts that may read what is listed, all with
// one password.
func serverFor(t *testing.T, e *engine.Engine, rights map[string][]string) (server *sqlserver.Server, password string) {
	t.Helper()
	cfg := sqlserver.DefaultConfig()
	cfg.Dir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	// The first start makes an account, whose password the others get.
	first := sqlserver.New(cfg, e, nil)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	password, _ = first.Password()
	first.Close()
	path := filepath.Join(cfg.Dir, "accounts")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	var accounts []map[string]any
	for name, may := range rights {
		one := map[string]any{"name": name, "caching_sha2_password": list[0]["caching_sha2_password"]}
		for _, right := range may {
			if !strings.Contains(right, ".") { // pin, hunt
				one[right] = true
			}
		}
		one["select"] = slices.DeleteFunc(slices.Clone(may), func(right string) bool { return !strings.Contains(right, ".") })
		accounts = append(accounts, one)
	}
	if text, err = json.Marshal(accounts); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	server = sqlserver.New(cfg, e, nil)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server, password
}

// servedAs serves the demo's archive to accounts that may read what is listed,
// and connects each.
func servedAs(t *testing.T, rights map[string][]string) map[string]*sql.DB {
	t.Helper()
	return servedFrom(t, demoEngine(t), rights)
}

func servedFrom(t *testing.T, e *engine.Engine, rights map[string][]string) map[string]*sql.DB {
	t.Helper()
	server, password := serverFor(t, e, rights)
	out := map[string]*sql.DB{}
	for name := range rights {
		c := mysql.NewConfig()
		c.User, c.Passwd, c.Net, c.Addr, c.DBName = name, password, "tcp", server.Addr().String(), "wiresql"
		c.TLSConfig, c.Logger = "skip-verify", quietDriver{}
		connector, err := mysql.NewConnector(c)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = sql.OpenDB(connector)
		t.Cleanup(func() { out[name].Close() })
	}
	return out
}

// countedRows reads all rows of a query and says how many there are.
func countedRows(t *testing.T, db *sql.DB, query string, args ...any) int {
	t.Helper()
	rows, err := db.Query(query, args...)
	if err != nil {
		t.Fatal(query, err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if err := rows.Err(); err != nil {
		t.Fatal(query, err)
	}
	return n
}

// TestQueryLog asks over the wire, in all ways a statement ends, and compares
// the log with what the client saw.
func TestQueryLog(t *testing.T) {
	dbs := servedAs(t, map[string][]string{"hunter": {"wiresql.*", "ops.*"}, "auditor": {"ops.query_log"}, "other": {"ops.*"}})
	db := dbs["hunter"]
	const packets = "SELECT packet_id, info FROM packets WHERE protocol = 'tcp' AND (src_port = 80 OR dst_port = 80)"
	seen := countedRows(t, db, packets)
	prepared := countedRows(t, db, "SELECT conn_id FROM connections WHERE server_port = ? AND client_ip <> ?", 443, "198.51.100.77")
	for _, wrong := range []string{"SELECT nosuch FROM flows", "SELECT 1 +", "CREATE USER eve IDENTIFIED BY 'tr0ub4dor'", "SELECT ts FROM nosuch WHERE a = ?"} {
		if _, err := db.Query(wrong); err == nil {
			t.Errorf("%s: no error", wrong)
		}
	}
	countedRows(t, db, "EXPLAIN SELECT COUNT(*) FROM flows")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if rows, err := db.QueryContext(ctx, "SELECT SLEEP(20)"); err == nil {
		rows.Close()
	}
	if _, err := db.Query("SELECT CAST('a' AS SIGNED), " + strings.Repeat("'x', ", 400) + "1"); err != nil {
		t.Fatal(err)
	}

	type logged struct {
		statement, outcome, account, client string
		number                              sql.NullInt64
		rows, flows, packets, bytes, files  int64
		warnings                            int
		took                                float64
		at                                  string
	}
	read := func(db *sql.DB) map[string]logged {
		t.Helper()
		rows, err := db.Query(`SELECT statement, outcome, account, client, error, rows_sent, flow_rows, packets, packet_bytes, files, warnings, duration, ts
			FROM ops.query_log ORDER BY ts, connection`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		out := map[string]logged{}
		for rows.Next() {
			var l logged
			if err := rows.Scan(&l.statement, &l.outcome, &l.account, &l.client, &l.number, &l.rows, &l.flows, &l.packets, &l.bytes, &l.files, &l.warnings, &l.took, &l.at); err != nil {
				t.Fatal(err)
			}
			out[l.statement] = l
		}
		return out
	}
	var log map[string]logged
	for range 100 { // a client that is gone is noticed a moment later
		if log = read(db); log["SELECT SLEEP(20)"].outcome != "" {
			break
		}
		time.Sleep(20 * time.Millisecond) // until it is noticed
	}
	l := log[packets]
	if l.outcome != "answered" || l.account != "hunter" || l.client != "127.0.0.1" || l.number.Valid || l.rows != int64(seen) || l.packets != int64(seen) ||
		l.flows < 10 || l.bytes < 100_000 || l.files != 1 || l.took <= 0 || l.took > 60 {
		t.Errorf("%d packets: %+v", seen, l)
	}
	if at, err := time.Parse("2006-01-02 15:04:05.000000", l.at); err != nil || time.Since(at) < 0 || time.Since(at) > 10*time.Minute {
		t.Errorf("at %s: %v", l.at, err)
	}
	if l := log["SELECT conn_id FROM connections WHERE server_port = ? AND client_ip <> ?"]; l.rows != int64(prepared) || l.outcome != "answered" || l.packets != 0 || l.files != 2 {
		t.Errorf("prepared, %d rows: %+v", prepared, l)
	}
	for statement, number := range map[string]int64{"SELECT nosuch FROM flows": 1054, "SELECT 1 +": 1064, "CREATE USER eve IDENTIFIED …": 1290, "SELECT ts FROM nosuch WHERE a = ?": 1146} {
		if l := log[statement]; l.outcome != "failed" || l.number.Int64 != number || l.rows != 0 {
			t.Errorf("%s: %+v", statement, l)
		}
	}
	if l := log["EXPLAIN SELECT COUNT(*) FROM flows"]; l.files != 0 || l.rows < 3 {
		t.Errorf("EXPLAIN reads nothing: %+v", l)
	}
	if l := log["SELECT SLEEP(20)"]; l.outcome != "cancelled" || l.number.Int64 != 1317 {
		t.Errorf("client gone: %+v", l)
	}
	for text, l := range log {
		if strings.Contains(text, "tr0ub4dor") || strings.Contains(text, "198.51.100.77") || len(text) > 1010 {
			t.Errorf("kept: %s", text)
		}
		if strings.HasPrefix(text, "SELECT CAST('a'") && (l.warnings != 1 || !strings.HasSuffix(text, " …")) {
			t.Errorf("cut, with a warning: %+v", l)
		}
	}
	// An account sees its own, one that is to see all sees all.
	if got := read(dbs["other"]); len(got) != 0 {
		t.Errorf("another account sees %v", got)
	}
	if got := read(dbs["auditor"]); got[packets].account != "hunter" {
		t.Errorf("the auditor sees %v", got)
	}
	if _, err := dbs["auditor"].Query("SELECT * FROM ops.imports"); err == nil {
		t.Error("the auditor reads other tables")
	}
}

// TestQueryLogBytes: what the log says that statements read of row files is what the
// process read meanwhile.
func TestQueryLogBytes(t *testing.T) {
	e := demoEngine(t)
	db := servedFrom(t, e, map[string][]string{"hunter": {"wiresql.*", "ops.*"}})["hunter"]
	logged := func(statement string) (bytes int64, outcome string) {
		t.Helper()
		await(t, time.Minute, "the statement's end", func() bool {
			err := db.QueryRow("SELECT file_bytes, outcome FROM ops.query_log WHERE statement = '"+statement+"' ORDER BY ts DESC LIMIT 1").Scan(&bytes, &outcome)
			return err == nil
		})
		return bytes, outcome
	}
	for _, statement := range []string{
		"SELECT SUM(bytes), MIN(src_ip) FROM flows",
		"SELECT * FROM flows",
		"SELECT COUNT(DISTINCT c.server_name) FROM connections c JOIN dns d ON d.client_ip = c.client_ip",
		"SELECT p.packet_id FROM connections c JOIN packets p USING (conn_id) WHERE c.server_port = 443",
		"SELECT bytes FROM flows LIMIT 1",
	} {
		var read int64
		for range 2 { // footers are kept from the first time
			before := e.Stats().FileBytes
			if countedRows(t, db, statement) == 0 {
				t.Errorf("%s: no rows", statement)
			}
			read = e.Stats().FileBytes - before
		}
		if got, _ := logged(statement); got != read || got == 0 {
			t.Errorf("%s: %d bytes in the log, %d were read", statement, got, read)
		}
	}
	const endless = "SELECT SUM(a.bytes), SUM(b.total_bytes) FROM flows a, flows b, flows c, flows d, flows e WHERE a.src_port + b.src_port <> c.bytes + d.bytes - e.bytes"
	before := e.Stats().FileBytes
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if rows, err := db.QueryContext(ctx, endless); err == nil {
		rows.Close()
	}
	got, outcome := logged(endless)
	if read := e.Stats().FileBytes - before; got != read || got == 0 || outcome != "cancelled" {
		t.Errorf("%s: %s, %d bytes in the log, %d were read", endless, outcome, got, read)
	}
}

// reading is a state of a statement that reads flows.
var reading = regexp.MustCompile(`^(reading flows( \d+ %)?|computing from flows)$`)

// TestProgress watches a statement in the list of processes.
func TestProgress(t *testing.T) {
	db := wireDB(t, demoEngine(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	conn, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var id int64
	if err := conn.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		rows, err := conn.QueryContext(ctx, "SELECT COUNT(*) FROM flows a, flows b, flows c, flows d WHERE a.bytes + b.bytes < c.bytes + d.bytes AND a.src_port + b.dst_port <> c.src_port")
		if err == nil {
			rows.Close()
		}
	}()
	var states []string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var state sql.NullString
		err := db.QueryRow(fmt.Sprintf("SELECT STATE FROM information_schema.PROCESSLIST WHERE ID = %d", id)).Scan(&state)
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, state.String)
		if reading.MatchString(state.String) {
			break
		}
	}
	if last := states[len(states)-1]; !reading.MatchString(last) {
		t.Errorf("states %q", states)
	}
	// What it reads is told, too.
	var plan string
	if err := db.QueryRow(fmt.Sprintf("EXPLAIN FORMAT=TREE FOR CONNECTION %d", id)).Scan(&plan); err != nil || strings.Count(plan, "table flows") != 4 {
		t.Errorf("its plan: %v\n%s", err, plan)
	}
	if _, err := db.Exec(fmt.Sprintf("KILL QUERY %d", id)); err != nil {
		t.Error(err)
	}
	<-over
	if err := db.QueryRow(fmt.Sprintf("EXPLAIN FOR CONNECTION %d", id)).Scan(&plan); err != sql.ErrNoRows {
		t.Errorf("of an idle connection: %v", err)
	}
	var own *mysql.MySQLError
	if _, err := db.Query("EXPLAIN FOR CONNECTION 4294967000"); !asMySQL(err, &own) || own.Number != 1094 {
		t.Errorf("of an unknown connection: %v", err)
	}
}

func asMySQL(err error, to **mysql.MySQLError) bool {
	e, ok := err.(*mysql.MySQLError)
	*to = e
	return ok
}
