package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// program runs the program in-process and returns what it printed.
func runProgram(t *testing.T, environ []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errText bytes.Buffer
	code = run(context.Background(), args, environ, &out, &errText)
	return code, out.String(), errText.String()
}

func TestDemo(t *testing.T) {
	code, out, errText := runProgram(t, nil, "demo", "--once")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, errText)
	}
	for _, want := range []string{"gavin.reid-machine", "intranet.example.test", "available", "flow rows →", "cdn-sync.example"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not show %q:\n%s", want, out)
		}
	}
}

// An import ends with statements to try, also where names are known of servers only, and those run.
func TestImportSuggests(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "archive")
	code, out, said := runProgram(t, nil, "import", "--data", dir, "testdata/captures/dmz.pcap.gz")
	_, tries, found := strings.Cut(out, "\ntry:\n")
	if code != 0 || !found {
		t.Fatalf("%d %s%s", code, out, said)
	}
	for line := range strings.Lines(tries) {
		_, statement, _ := strings.Cut(line, ` "`)
		if code, rows, said := runProgram(t, nil, "query", "--data", dir, "--format", "csv", strings.TrimSuffix(statement, "\"\n")); code != 0 || strings.Count(rows, "\n") < 2 {
			t.Errorf("%s%d %s%s", line, code, rows, said)
		}
	}
}

func TestConfiguration(t *testing.T) {
	file := filepath.Join(t.TempDir(), "wiresql.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, shipped, _ := runProgram(t, nil, "config")
	write(shipped)
	if code, again, errText := runProgram(t, nil, "config", "--config", file); code != 0 || again != shipped {
		t.Errorf("what config prints is not what it reads: exit %d %s", code, errText)
	}
	write("server:\n  listen: 127.0.0.1:1\n")
	for _, c := range []struct {
		environ, args []string
		want          string
	}{
		{nil, nil, `listen: "127.0.0.1:1"`},
		{[]string{"WIRESQL_SERVER_LISTEN=127.0.0.1:2"}, nil, `listen: "127.0.0.1:2"`},
		{[]string{"WIRESQL_SERVER_LISTEN=127.0.0.1:2"}, []string{"--listen", "127.0.0.1:3"}, `listen: "127.0.0.1:3"`},
		{nil, []string{"--server.listen", "127.0.0.1:4"}, `listen: "127.0.0.1:4"`},
	} {
		_, out, errText := runProgram(t, c.environ, append([]string{"config", "--config", file}, c.args...)...)
		if !strings.Contains(out, c.want) {
			t.Errorf("%v %v: no %s in %s%s", c.environ, c.args, c.want, out, errText)
		}
	}
	for _, bad := range []string{"server:\n  lisen: x\n", "nonsense: 1\n", "server:\n  max-connections: many\n"} {
		write(bad)
		if code, _, errText := runProgram(t, nil, "config", "--config", file); code != 2 || strings.Count(errText, "\n") != 1 {
			t.Errorf("%q: exit %d, %q", bad, code, errText)
		}
	}
	if code, _, errText := runProgram(t, []string{"WIRESQL_SERVER_LISEN=x"}, "config"); code != 2 {
		t.Errorf("an unknown variable: exit %d, %q", code, errText)
	}
}

func TestUsage(t *testing.T) {
	for name := range commands() {
		if _, help, _ := runProgram(t, nil, "help", name); !strings.Contains(help, "Usage: wiresql "+name) {
			t.Errorf("help %s: %q", name, help)
		}
		if !strings.Contains(usage, "\n  "+name) {
			t.Errorf("the usage text does not name %s", name)
		}
	}
	if code, _, errText := runProgram(t, nil, "nosuch"); code != 2 || !strings.Contains(errText, "wiresql help") {
		t.Errorf("unknown command: exit %d, %q", code, errText)
	}
	if code, _, errText := runProgram(t, nil, "query", "--data", filepath.Join(t.TempDir(), "none"), "SELECT 1"); code != 1 || !strings.Contains(errText, "wiresql import") {
		t.Errorf("no archive: exit %d, %q", code, errText)
	}
}

// TestQueryParquet: DuckDB reads the file an answer was written to as the answer says, types
// and all.
func TestQueryParquet(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "answer.parquet")
	const statement = "SELECT ts, client_ip, server_port, bytes, duration, bytes / 3 AS third, DATE(ts) AS day, conn_id, ts_end > ts AS lasted, evicted_at FROM connections"
	if code, out, said := runProgram(t, nil, "query", "--data", dir, "--format", "parquet", "-o", file, statement); code != 0 || out != "" {
		t.Fatalf("exit %d, %q, %q", code, out, said)
	}
	const types = "ts TIMESTAMP,client_ip VARCHAR,server_port INTEGER,bytes BIGINT,duration DOUBLE,third DECIMAL(23,4),day DATE,conn_id VARCHAR,lasted BIGINT,evicted_at TIMESTAMP"
	if got := duck(t, "SELECT string_agg(column_name || ' ' || column_type, ',') FROM (DESCRIBE SELECT * FROM '"+file+"')"); got[0] != types && got[0] != `"`+types+`"` {
		t.Errorf("%s", got[0])
	}
	code, want, said := runProgram(t, nil, "query", "--data", dir, "--format", "csv", "SELECT COUNT(*), SUM(bytes), MAX(third), COUNT(DISTINCT client_ip), MIN(ts), MAX(day), SUM(lasted), COUNT(evicted_at) FROM ("+statement+") a")
	if code != 0 {
		t.Fatal(said)
	}
	got := duck(t, "SELECT count(*), sum(bytes), max(third), count(DISTINCT client_ip), strftime(min(ts), '%Y-%m-%d %H:%M:%S.%f'), max(day), sum(lasted), count(evicted_at) FROM '"+file+"'")
	if _, want, _ = strings.Cut(strings.TrimSpace(want), "\n"); strings.ReplaceAll(got[0], "\t", ",") != want {
		t.Errorf("DuckDB has %s, the answer is %s", got[0], want)
	}
	for _, wrong := range [][]string{{"SELECT 1"}, {"-o", file, "SELECT 1"}, {"-o", file + "2", "SELECT 1; SELECT 2"}, {"-o", file + "3", "SELECT nosuch"}} {
		if code, _, said := runProgram(t, nil, append([]string{"query", "--data", dir, "--format", "parquet"}, wrong...)...); code != 1 || said == "" {
			t.Errorf("%q: exit %d, %q", wrong, code, said)
		}
	}
	if left, _ := filepath.Glob(file + "?*"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestQueryFormats(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	for format, want := range map[string]string{
		"table": " n |", "json": `{"n":`, "csv": "n\n",
	} {
		code, out, errText := runProgram(t, nil, "query", "--data", dir, "--format", format, "SELECT COUNT(*) AS n FROM connections")
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: exit %d, %q, %q", format, code, out, errText)
		}
	}
	file := filepath.Join(t.TempDir(), "hunt.sql")
	script := "-- of one session; all of it\nSET @n = ';';\n/* ; */ SELECT @n AS n;;\nSELECT 'a;b' AS `c;d`; SELECT nosuch; SELECT 1"
	if err := os.WriteFile(file, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errText := runProgram(t, nil, "query", "--data", dir, "--format", "csv", "--file", file)
	if code != 1 || out != "n\n;\nc;d\na;b\n" || !strings.Contains(errText, "statement 4: Unknown column 'nosuch'") {
		t.Errorf("a file of statements: exit %d, %q, %q", code, out, errText)
	}
	for _, wrong := range [][]string{{}, {"SELECT 1", "SELECT 2"}, {"--file", file, "SELECT 1"}, {"--file", file + "x"}} {
		if code, _, errText := runProgram(t, nil, append([]string{"query", "--data", dir}, wrong...)...); code != 1 || errText == "" {
			t.Errorf("%q: exit %d, %q", wrong, code, errText)
		}
	}
	if code, _, errText := runProgram(t, nil, "query", "--data", dir, "SELECT nosuch FROM connections"); code != 1 || errText == "" {
		t.Errorf("a wrong column: exit %d, %q", code, errText)
	}
}
