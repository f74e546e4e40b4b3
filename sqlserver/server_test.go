package sqlserver

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// running is a server under test.
type running struct {
	*Server
	t        testing.TB
	dir      string
	password string
}

func start(t testing.TB, backend Backend, change func(*Config)) *running {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Listen, cfg.Dir = "127.0.0.1:0", t.TempDir()
	if change != nil {
		change(&cfg)
	}
	s := New(cfg, backend, nil)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	password, _ := s.Password()
	return &running{s, t, cfg.Dir, password}
}

var tlsNames atomic.Int32

// open connects with the driver Grafana and most Go programs use. options are
// its parameters.
func (r *running) open(options string) *sql.DB {
	r.t.Helper()
	pem, err := os.ReadFile(filepath.Join(r.dir, "tls", "cert.pem"))
	if err != nil {
		r.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		r.t.Fatal("the certificate is no authority a client can be given")
	}
	name := fmt.Sprintf("wiresql-%d", tlsNames.Add(1))
	if err := mysql.RegisterTLSConfig(name, &tls.Config{RootCAs: pool, ServerName: "localhost"}); err != nil {
		r.t.Fatal(err)
	}
	db, err := sql.Open("mysql", fmt.Sprintf("wiresql:%s@tcp(%s)/wiresql?tls=%s&%s", r.password, r.Addr(), name, options))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { db.Close() })
	return db
}

// shell runs the mariadb client.
func (r *running) shell(password, input string, options ...string) (out string, err error) {
	r.t.Helper()
	host, port, _ := net.SplitHostPort(r.Addr().String())
	args := append([]string{"--no-defaults", "-h", host, "-P", port, "-uwiresql",
		"--ssl", "--ssl-ca=" + filepath.Join(r.dir, "tls", "cert.pem")}, options...)
	cmd := exec.Command("mariadb", args...)
	cmd.Env = append(os.Environ(), "MYSQL_PWD="+password)
	cmd.Stdin = strings.NewReader(input)
	b, err := cmd.CombinedOutput()
	return string(b), err
}

func number(err error) int {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return int(e.Number)
	}
	return 0
}

// settles waits until no statement runs.
func (f *fakeEngine) settles(t *testing.T, within time.Duration) {
	t.Helper()
	started := time.Now()
	for f.running.Load() != 0 {
		if time.Since(started) > within {
			t.Fatalf("%d statements still run after %v", f.running.Load(), within)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// starts waits until a statement runs.
func (f *fakeEngine) starts(t *testing.T) {
	t.Helper()
	for i := 0; f.running.Load() == 0; i++ {
		if i > 1000 {
			t.Fatal("the statement did not start")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestFirstStart(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	if len(r.password) < 20 {
		t.Errorf("password %q", r.password)
	}
	for _, f := range []string{"accounts", "password", "tls/key.pem"} {
		info, err := os.Stat(filepath.Join(r.dir, f))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want mode 600", f, info, err)
		}
	}
	stored, _ := os.ReadFile(filepath.Join(r.dir, "password"))
	if strings.TrimSpace(string(stored)) != r.password {
		t.Errorf("the file has %q, printed was %q", stored, r.password)
	}
	listed, _ := os.ReadFile(filepath.Join(r.dir, "accounts"))
	if strings.Contains(string(listed), r.password) {
		t.Error("the accounts file has the password in clear")
	}

	cfg := r.cfg
	again := New(cfg, newFakeEngine(), nil)
	if err := again.Start(); err != nil {
		t.Fatal(err)
	}
	if p, _ := again.Password(); p != "" {
		t.Error("the second start made a password")
	}
	again.Close()

	if err := os.Chmod(filepath.Join(r.dir, "accounts"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := New(cfg, newFakeEngine(), nil).Start(); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("accounts others can read: %v", err)
	}
}

func TestLogin(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	if out, err := r.shell(r.password, "SELECT 1+1;", "-N"); err != nil || out != "2\n" {
		t.Errorf("login: %q, %v", out, err)
	}
	if out, err := r.shell(r.password, "SELECT 1;", "-N", "--ssl-verify-server-cert"); err != nil || out != "1\n" {
		t.Errorf("login that checks the certificate: %q, %v", out, err)
	}
	for name, c := range map[string]struct {
		password string
		options  []string
		want     string
	}{
		"wrong password": {"wrong", nil, "ERROR 1045"},
		"no password":    {"", nil, "ERROR 1045"},
		"unknown user":   {r.password, []string{"-unobody"}, "ERROR 1045"},
		"empty user":     {r.password, []string{"-u", ""}, "ERROR 1045"},
		"without tls":    {r.password, []string{"--skip-ssl"}, "ERROR 3159"},
		"native":         {r.password, []string{"--skip-ssl", "--default-auth=mysql_native_password"}, "Connect with TLS"},
	} {
		out, err := r.shell(c.password, "SELECT 1;", c.options...)
		if err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %q, %v", name, out, err)
		}
	}
}

// Guessing is slowed down for the guesser.
func TestWrongPasswordsWait(t *testing.T) {
	a, password, err := openAccounts(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	there := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 5}
	for range freeFailures {
		if _, err := a.check("wiresql", "guess", there); err == nil || strings.Contains(err.Error(), "wait") {
			t.Fatal(err)
		}
	}
	if _, err := a.check("wiresql", password, there); err == nil || !strings.Contains(err.Error(), "wait 1 second") {
		t.Errorf("after %d wrong passwords: %v", freeFailures, err)
	}
	if _, err := a.check("wiresql", password, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2)}); err != nil {
		t.Errorf("from another address: %v", err)
	}
	for i := range maxFailed + 100 {
		a.fail(fmt.Sprint(i), "10.0.0.3")
	}
	if len(a.failed) > maxFailed {
		t.Errorf("%d failures are remembered", len(a.failed))
	}
}

func TestAccountsNeedPasswords(t *testing.T) {
	for _, text := range []string{
		`[{"name":"x","caching_sha2_password":"","select":[]}]`,
		`[{"name":"","caching_sha2_password":"00","select":[]}]`,
		`[{"name":"x","select":["wiresql.*"]}]`,
		`not json`,
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "accounts"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, _, err := openAccounts(dir); err == nil {
			t.Errorf("accounts %s were accepted", text)
		}
	}
}

func TestTooManyConnections(t *testing.T) {
	r := start(t, newFakeEngine(), func(c *Config) { c.MaxConnections = 2 })
	ctx := context.Background()
	db := r.open("")
	for range 2 {
		c, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if _, err := db.Conn(ctx); number(err) != 1040 {
		t.Errorf("third of two connections: %v", err)
	}
	if out, _ := r.shell(r.password, "SELECT 1"); !strings.Contains(out, "1040") {
		t.Errorf("third connection by the client: %s", out)
	}
}

func TestRequestCap(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	db := r.open("maxAllowedPacket=67108864")
	var got string
	text := strings.Repeat("x", 900<<10)
	if err := db.QueryRow("SELECT '" + text + "'").Scan(&got); err != nil || got != text {
		t.Errorf("a statement below the cap: %v", err)
	}
	for name, run := range map[string]func() error{
		"query":   func() error { return db.QueryRow("SELECT '" + strings.Repeat("x", 3<<20) + "'").Scan(&got) },
		"prepare": func() error { _, err := db.Prepare("SELECT " + strings.Repeat("NOT ", 3<<20) + "1"); return err },
		"long data": func() error {
			return db.QueryRow("SELECT ?", bytes.Repeat([]byte("x"), 40<<20)).Scan(&got)
		},
	} {
		if err, want := run(), map[bool]int{false: 1153, true: 1105}[name == "long data"]; number(err) != want {
			t.Errorf("%s: a request over the cap: %v, want %d", name, err, want)
		}
	}
	if err := db.QueryRow("SELECT 'alive'").Scan(&got); err != nil {
		t.Errorf("after the cap: %v", err)
	}

	// Before login, and without TLS.
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(10 * time.Second))
	sent := 0
	for sent < 8<<20 {
		n, err := c.Write(append([]byte{0xff, 0xff, 0xff, 1}, make([]byte, 64<<10)...))
		sent += n
		if err != nil {
			break
		}
	}
	if sent >= 8<<20 {
		t.Error("8 MB were taken before login")
	}
}

func TestClosedClientEndsStatement(t *testing.T) {
	f := newFakeEngine()
	r := start(t, f, nil)
	for _, statement := range []string{"SELECT * FROM stuck", "SELECT * FROM drip", "SELECT COUNT(*) FROM stuck"} {
		for _, prepared := range []bool{false, true} {
			db := r.open("")
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			go func() {
				query := statement
				var args []any
				if prepared {
					query, args = query+" WHERE n > ?", []any{1}
				}
				rows, err := db.QueryContext(ctx, query, args...)
				for err == nil && rows.Next() {
				}
				done <- err
			}()
			f.starts(t)
			cancel() // the driver closes the socket
			f.settles(t, time.Second)
			<-done
		}
	}
}

func TestKill(t *testing.T) {
	f := newFakeEngine()
	r := start(t, f, nil)
	ctx := context.Background()
	db := r.open("")
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var id int
	if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		var n int
		failed <- c.QueryRowContext(ctx, "SELECT * FROM stuck").Scan(&n)
	}()
	f.starts(t)
	var listed int
	if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE '%stuck%' AND id = ?", id).Scan(&listed); err != nil || listed != 1 {
		t.Errorf("the statement is listed %d times, %v", listed, err)
	}
	if _, err := db.Exec(fmt.Sprintf("KILL QUERY %d", id)); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; number(err) != 1317 {
		t.Errorf("killed statement: %v", err)
	}
	f.settles(t, time.Second)
	if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Errorf("after KILL QUERY: %v", err)
	}
	if _, err := db.Exec("KILL QUERY 99999"); number(err) != 1094 {
		t.Errorf("KILL of nobody: %v", err)
	}
	if _, err := db.Exec(fmt.Sprintf("KILL %d", id)); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); c.PingContext(ctx) == nil; {
		if time.Now().After(end) {
			t.Fatal("a killed connection still answers")
		}
	}
}

func TestProcessesOfOthersAreHidden(t *testing.T) {
	f := newFakeEngine()
	list := f.engine.ProcessList
	r := start(t, f, nil)
	db := r.open("")
	if err := db.Ping(); err != nil {
		t.Fatal(err)
	}
	mine := ownProcesses{list, "wiresql"}
	others := ownProcesses{list, "somebody"}
	if len(mine.Processes()) == 0 || len(others.Processes()) != 0 {
		t.Errorf("mine %v, others' %v", mine.Processes(), others.Processes())
	}
}

func TestTimeLimit(t *testing.T) {
	f := newFakeEngine()
	r := start(t, f, nil)
	ctx := context.Background()
	c, err := r.open("").Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var n int
	if err := c.QueryRowContext(ctx, "SELECT /*+ MAX_EXECUTION_TIME(100) */ * FROM stuck").Scan(&n); number(err) != 3024 {
		t.Errorf("with the hint: %v", err)
	}
	if _, err := c.ExecContext(ctx, "SET max_execution_time = 150"); err != nil {
		t.Fatal(err)
	}
	started := time.Now()
	if err := c.QueryRowContext(ctx, "SELECT * FROM stuck").Scan(&n); number(err) != 3024 {
		t.Errorf("with the variable: %v", err)
	}
	if took := time.Since(started); took > time.Second {
		t.Errorf("a limit of 150 ms took %v", took)
	}
	if err := c.QueryRowContext(ctx, "SELECT 1").Scan(&n); err != nil {
		t.Errorf("the connection after it: %v", err)
	}
	f.settles(t, time.Second)
}

func TestErrorNumbers(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	db := r.open("")
	for query, want := range map[string]int{
		"SELEC 1":                           1064,
		"SELECT nothing FROM kinds":         1054,
		"SELECT k.nothing FROM kinds k":     1054,
		"SELECT * FROM nothing":             1146,
		"SELECT * FROM nowhere.nothing":     1142,
		"SELECT nothing(1)":                 1305,
		"SELECT c0 FROM kinds a, kinds b":   1052,
		"SELECT @@nothing":                  1193,
		"SELECT (SELECT c0 FROM kinds)":     1242,
		"SELECT * FROM mysql.user":          1142,
		"INSERT INTO kinds (c0) VALUES (1)": 1290,
		"CREATE TABLE t (a INT)":            1290,
		"DROP TABLE kinds":                  1290,
		"CREATE USER x IDENTIFIED BY 'y'":   1290,
		"GRANT ALL ON *.* TO wiresql":       1290,
		"SELECT * FROM bug":                 1105,
		"SELECT 1 UNION SELECT 1, 2":        1222,
	} {
		rows, err := db.Query(query)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		if number(err) != want {
			t.Errorf("%s: %v, want number %d", query, err, want)
		}
	}
}

// Nothing a client can say reads a file, writes one, or changes the server.
func TestRefusedStatements(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	db := r.open("multiStatements=true")
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("top secret"), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, statement := range []string{
		"SELECT LOAD_FILE('SECRET')",
		"SELECT `load_file` ('SECRET')",
		"SELECT /*!50000 LOAD_FILE*/('SECRET')",
		"SELECT LOAD_FILE /* x */ ('SECRET')",
		"WITH a AS (SELECT LOAD_FILE('SECRET') AS x) SELECT x FROM a",
		"EXPLAIN SELECT LOAD_FILE('SECRET')",
		"SET @x = LOAD_FILE('SECRET')",
		"SELECT 1; SELECT LOAD_FILE('SECRET')",
		"-- nothing\n; SELECT LOAD_FILE('SECRET')",
		"PREPARE p FROM 'SELECT LOAD_FILE(\"SECRET\")'",
		"SELECT 'x' INTO OUTFILE 'OUT'",
		"SELECT 'x' INTO DUMPFILE 'OUT'",
		"SELECT * FROM kinds INTO OUTFILE 'OUT'",
		"SELECT 1 UNION SELECT 2 INTO OUTFILE 'OUT'",
		"(SELECT 'x') INTO OUTFILE 'OUT'",
		"SELECT 'x' /*! INTO OUTFILE 'OUT' */",
		"PREPARE p FROM 'SELECT 1 INTO OUTFILE \"OUT\"'",
		"SET @p = 'SELECT 1 INTO OUTFILE \"OUT\"'; PREPARE p FROM @p",
		"LOAD DATA INFILE 'SECRET' INTO TABLE kinds",
		"LOAD DATA LOCAL INFILE 'SECRET' INTO TABLE kinds",
		"SET GLOBAL max_connections = 1",
		"SET @@global.max_connections = 1",
		"SET @@GLOBAL.local_infile = 1, @y = 2",
		"SET @y = 1, GLOBAL local_infile = 1",
		"SET PERSIST max_connections = 1",
		"SET @@persist.max_connections = 1",
		"SET PERSIST_ONLY max_connections = 1",
		"INSERT INTO kinds (c0) VALUES (1)",
		"UPDATE kinds SET c0 = 1",
		"DELETE FROM kinds",
		"TRUNCATE TABLE kinds",
		"CREATE DATABASE d",
		"CREATE VIEW v AS SELECT 1",
		"CREATE PROCEDURE p() SELECT 1",
		"CREATE EVENT e ON SCHEDULE EVERY 1 SECOND DO SELECT 1",
		"ALTER USER wiresql IDENTIFIED BY 'x'",
		"FLUSH PRIVILEGES",
		"LOCK TABLES kinds WRITE",
		"CALL p()",
	} {
		statement = strings.NewReplacer("SECRET", secret, "OUT'", out+"'", "OUT\"", out+"\"").Replace(statement)
		var err error
		rows, err := db.Query(statement)
		if err == nil {
			for more := true; more; more = rows.NextResultSet() {
				for rows.Next() {
					var got sql.NullString
					if rows.Scan(&got); strings.Contains(got.String, "secret") {
						t.Errorf("%s: read the file", statement)
					}
				}
			}
			err = rows.Err()
			rows.Close()
		}
		if err == nil {
			t.Errorf("%s: was answered", statement)
		}
		if n := number(err); n != 1290 && n != 1064 {
			t.Errorf("%s: %v", statement, err)
		}
		// As a prepared statement, and by the shell.
		if st, err := db.Prepare(statement); err == nil {
			st.Close()
			t.Errorf("%s: was prepared", statement)
		}
		if text, err := r.shell(r.password, statement+";", "wiresql", "--local-infile"); err == nil || strings.Contains(text, "top secret") {
			t.Errorf("%s by the client: %v %s", statement, err, text)
		}
		if _, err := os.Stat(out); err == nil {
			t.Fatalf("%s: wrote a file", statement)
		}
	}
	var n string
	if err := db.QueryRow("SELECT CONCAT(@@global.max_connections, 'outfile load_file(')").Scan(&n); err != nil || n != "250outfile load_file(" {
		t.Errorf("afterwards: %q, %v", n, err)
	}
	for _, statement := range []string{
		"SET @x = 5, SESSION sql_mode = '', @@session.net_write_timeout = 7", "SET NAMES utf8mb4", "SET autocommit = 1", "BEGIN", "COMMIT", "ROLLBACK",
		"START TRANSACTION READ ONLY", "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", "USE wiresql", "VALUES ROW(1)", "TABLE kinds",
		"PREPARE p FROM 'SELECT 1'; EXECUTE p; DEALLOCATE PREPARE p", "EXPLAIN SELECT 1", "DESCRIBE kinds", "SELECT 1 UNION (SELECT 2)",
		"WITH a AS (SELECT 1) SELECT * FROM a", "/* only a comment */", "SHOW VARIABLES LIKE 'version'",
	} {
		if out, err := r.shell(r.password, statement+";", "wiresql"); err != nil {
			t.Errorf("%s: %s", statement, out)
		}
	}
}

// What goes wrong after the first row still arrives as an error.
func TestErrorAfterRows(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	conn, err := r.open("").Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	rows, err := conn.QueryContext(t.Context(), "SELECT * FROM broken")
	n := 0
	for err == nil && rows.Next() {
		n++
	}
	if err == nil {
		err = rows.Err()
	}
	if n == 0 || number(err) != 1105 || !strings.Contains(err.Error(), "packets were evicted meanwhile") {
		t.Errorf("after %d rows: %v", n, err)
	}
	var alive int
	if err := conn.QueryRowContext(t.Context(), "SELECT 7").Scan(&alive); err != nil || alive != 7 {
		t.Errorf("the connection after an error among rows: %d, %v", alive, err)
	}
	if out, err := r.shell(r.password, "SELECT * FROM wiresql.broken", "--quick", "-N"); err == nil || !strings.Contains(out, "packets were evicted meanwhile") {
		t.Errorf("by the client: %v, %q", err, out[max(0, len(out)-200):])
	}
}

func TestLargeResultsPassThrough(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	db := r.open("")
	for statement, want := range map[string]int{"SELECT * FROM large": 2_000_000, "SELECT * FROM wide": 40} {
		for _, prepared := range []bool{false, true} {
			runtime.GC()
			var before, now runtime.MemStats
			runtime.ReadMemStats(&before)
			var args []any
			query := statement
			if prepared {
				query, args = query+" WHERE n > ?", []any{0}
			}
			rows, err := db.Query(query, args...)
			if err != nil {
				t.Fatal(err)
			}
			n, peak := 0, uint64(0)
			var number int
			var text sql.RawBytes
			for rows.Next() {
				if err := rows.Scan(&number, &text); err != nil || number != n || (text == nil) != (n%3 == 2) {
					t.Fatalf("row %d is %d, %q, %v", n, number, text, err)
				}
				if n++; n%100_000 == 1 {
					runtime.ReadMemStats(&now)
					peak = max(peak, now.HeapInuse)
				}
			}
			if err := rows.Err(); err != nil || n != want {
				t.Errorf("%s: %d rows, %v", query, n, err)
			}
			// The client's buffers are in this process too.
			if grown := int64(peak) - int64(before.HeapInuse); grown > 64<<20 {
				t.Errorf("%s: the heap grew by %d MB", query, grown>>20)
			}
		}
	}
}

// A row has the same values by both protocols.
func TestTextEqualsBinary(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	read := func(options, query string, args ...any) (out []string) {
		rows, err := r.open(options).Query(query, args...)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		columns, _ := rows.Columns()
		for rows.Next() {
			values := make([]sql.NullString, len(columns))
			ptrs := make([]any, len(columns))
			for i := range values {
				ptrs[i] = &values[i]
			}
			if err := rows.Scan(ptrs...); err != nil {
				t.Fatal(err)
			}
			row := ""
			for _, v := range values {
				row += fmt.Sprintf("%q %v; ", v.String, v.Valid)
			}
			out = append(out, row)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		return out
	}
	text := read("parseTime=true", "SELECT * FROM kinds WHERE 1 = 1")
	binary := read("parseTime=true", "SELECT * FROM kinds WHERE 1 = ?", 1)
	if len(text) != 3 || fmt.Sprint(text) != fmt.Sprint(binary) {
		t.Errorf("text\n%s\nbinary\n%s", strings.Join(text, "\n"), strings.Join(binary, "\n"))
	}
	if !strings.Contains(text[0], `"4611686018427387905"`) || !strings.Contains(text[0], `"2026-06-12T10:15:00.12Z"`) {
		t.Errorf("values are not exact: %s", text[0])
	}
	if plain := read("", "SELECT c3 FROM kinds WHERE c0 > 0"); !strings.Contains(plain[0], "10:15:00.120000") {
		t.Errorf("a time lost its digits: %s", plain[0])
	}
}

// What the client sends by itself, and what people type into it.
func TestShell(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	for input, want := range map[string][]string{
		"\\s":                                               {"Server version:", "8.0.33-wiresql", "Cipher in use"},
		"SHOW DATABASES;":                                   {"wiresql", "ops", "information_schema"},
		"SHOW TABLES;":                                      {"kinds", "large"},
		"DESC kinds;":                                       {"c5", "varchar(45)"},
		"SHOW PROCESSLIST;":                                 {"SHOW PROCESSLIST"},
		"SELECT VERSION();":                                 {"8.0"},
		"SELECT @@max_allowed_packet;":                      {"1048576"},
		"SELECT CURRENT_USER();":                            {"wiresql@"},
		"SELECT 1; SELECT 2; SELECT 3;":                     {"1", "2", "3"},
		"-- only a comment\nSELECT 7;":                      {"7"},
		"DELIMITER //\nSELECT 8//":                          {"8"},
		"SHOW VARIABLES LIKE 'tls%';":                       {""},
		"SHOW TABLE STATUS;":                                {"kinds"},
		"SHOW FULL COLUMNS FROM kinds;":                     {"c9"},
		"SHOW CREATE TABLE kinds;":                          {"CREATE TABLE"},
		"USE ops; SELECT DATABASE();":                       {"ops"},
		"SELECT * FROM large LIMIT 1; SELECT FOUND_ROWS();": {"2000000"},
		"SET NAMES latin1; SELECT * FROM accents;":          {"caf\xe9 "},
	} {
		out, err := r.shell(r.password, input, "wiresql", "--table", "--show-warnings")
		if err != nil {
			t.Errorf("%s: %v\n%s", input, err, out)
		}
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("%s: no %q in\n%s", input, w, out)
			}
		}
	}
	// With auto-rehash, which lists every column of every table.
	if out, err := r.shell(r.password, "SELECT 5;", "wiresql", "--auto-rehash"); err != nil || !strings.Contains(out, "5") {
		t.Errorf("auto-rehash: %v\n%s", err, out)
	}
}

// What mariadb-admin sends are commands of their own.
func TestAdmin(t *testing.T) {
	r := start(t, newFakeEngine(), nil)
	host, port, _ := net.SplitHostPort(r.Addr().String())
	for command, want := range map[string]string{
		"ping": "mysqld is alive", "status": "Uptime: ", "processlist": "show processlist", "version": "8.0.33-wiresql",
		"kill 999999": "Unknown thread id", "refresh": "RELOAD privilege", "debug": "SUPER privilege", "shutdown": "Unknown command",
	} {
		cmd := exec.Command("mariadb-admin", append([]string{"--no-defaults", "-h", host, "-P", port, "-uwiresql", "--ssl"}, strings.Fields(command)...)...)
		cmd.Env = append(os.Environ(), "MYSQL_PWD="+r.password)
		if out, _ := cmd.CombinedOutput(); !strings.Contains(string(out), want) {
			t.Errorf("%s: %s, want %s", command, out, want)
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	f := newFakeEngine()
	r := start(t, f, nil)
	go r.open("").Query("SELECT * FROM stuck")
	f.starts(t)
	started := time.Now()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("Close took %v", took)
	}
	f.settles(t, 0)
}
