package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// duck runs a statement in a DuckDB that knows nothing of us and returns its
// rows, cells joined by tabs: what it writes as CSV.
func duck(t *testing.T, statement string) []string {
	t.Helper()
	var db duckdb.Database
	var conn duckdb.Connection
	if duckdb.Open("", &db) != duckdb.StateSuccess || duckdb.Connect(db, &conn) != duckdb.StateSuccess {
		t.Fatal("DuckDB does not open")
	}
	defer duckdb.Close(&db)
	defer duckdb.Disconnect(&conn)
	file := filepath.Join(t.TempDir(), "rows.csv")
	var result duckdb.Result
	defer duckdb.DestroyResult(&result)
	if duckdb.Query(conn, "COPY ("+statement+") TO '"+file+"' (HEADER false, DELIMITER '\t')", &result) != duckdb.StateSuccess {
		t.Fatalf("%s\n%s", duckdb.ResultError(&result), statement)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// filesOf is what wiresql files prints.
func filesOf(t *testing.T, data string, args ...string) string {
	t.Helper()
	code, stdout, stderr := runProgram(t, nil, append([]string{"files", "--data", data}, args...)...)
	if code != 0 {
		t.Fatalf("files %v: exit code %d: %s", args, code, stderr)
	}
	return strings.TrimSpace(stdout)
}

// The files that are named have each row once, also when a merge has left those
// it replaced; and another reader finds in their footers where they come from.
func TestFiles(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "it's data")
	importOf(t, 0, data, exportsOf("v5"), exportsOf("ipfix"))
	importOf(t, 0, data, exportsOf("v9"))
	want := archived(t, data, "SELECT COUNT(*), SUM(total_bytes) FROM flows")
	table := filesOf(t, data, "--sql", "flows", "exports")
	if got := duck(t, "SELECT count(*), sum(bytes + coalesce(reverse_bytes, 0)) FROM "+table); strings.ReplaceAll(got[0], "\t", ",") != want {
		t.Errorf("%s, SQL has %s", got, want)
	}
	paths := strings.Split(filesOf(t, data, "exports"), "\n")
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	list := "['" + strings.ReplaceAll(strings.Join(paths, "\x00"), "'", "''") + "']"
	list = strings.ReplaceAll(list, "\x00", "', '")
	got := duck(t, "SELECT DISTINCT decode(key) FROM parquet_kv_metadata("+list+") ORDER BY 1")
	for _, key := range []string{"wiresql.arrived_first", "wiresql.arrived_last", "wiresql.program", "wiresql.schema", "wiresql.writer"} {
		if !slices.Contains(got, key) {
			t.Errorf("no footer has %s: %s", key, got)
		}
	}
	if got := duck(t, "SELECT count(*) FROM parquet_kv_metadata("+list+") WHERE decode(key) LIKE 'wiresql.arrived%' AND decode(value)::TIMESTAMP NOT BETWEEN now()::TIMESTAMP - INTERVAL 1 DAY AND now()::TIMESTAMP + INTERVAL 1 DAY"); got[0] != "0" {
		t.Errorf("%s times of arrival are not of now", got)
	}
	for _, bad := range [][]string{{}, {"nothing"}, {"--sql", "sockets"}} {
		if code, _, stderr := runProgram(t, nil, append([]string{"files", "--data", data}, bad...)...); code != 1 || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit code %d, %q", bad, code, stderr)
		}
	}
}

// What was decided about rows since their files were written is in what DuckDB is
// given: connections that count no longer are not, and rows have the conversation
// they belong to now.
func TestFilesAsDecided(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	a, err := archive.Open(data, archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	begin := tables.Time(time.Now().Add(-3 * time.Hour).UnixMicro())
	for _, batch := range [][2]int{{0, 40}, {500, 40}, {250, 10}} { // ten of each are one, after all
		second, conversations := batch[0], batch[1]
		var list []tables.Export
		for n := range conversations {
			ts := begin + tables.Time(second)*1e6
			list = append(list, tables.Export{TS: ts, TSEnd: ts, SourceType: "ipfix", Observer: "core", Src: tables.Addr{Lo: 0xffff0a000000 + uint64(n)},
				Dst: tables.Addr{Lo: 0xffff0b000001}, SrcPort: 1024, DstPort: 443, Protocol: 6, Bytes: 100, Packets: 1, FlowID: tables.ID(1000*second + n), CID: uint64(n)})
		}
		tx, err := a.Begin("collector")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := archive.WriteRows(tx, "e", list); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	a.Close()
	connections, exports := filesOf(t, data, "--sql", "connections"), filesOf(t, data, "--sql", "exports")
	if !strings.Contains(connections, "/replaced/") || !strings.Contains(exports, "/assigned/") {
		t.Fatalf("nothing was decided: %s %s", connections, exports)
	}
	for statement, want := range map[string]string{
		"SELECT count(*), count(DISTINCT conn_id), sum(client_bytes), sum(pieces) FROM " + connections:                 "70\t70\t9000\t90",
		"SELECT count(*), count(conn_id), count(DISTINCT conn_id), sum(bytes) FROM " + exports:                         "90\t90\t70\t9000",
		"SELECT count(*) FROM " + connections + " c JOIN " + exports + " x ON x.conn_id = c.conn_id AND x.cid = c.cid": "90",
	} {
		if got := duck(t, statement); got[0] != want {
			t.Errorf("%s: %q, want %q", statement, got[0], want)
		}
	}
}

// TestDuckDBExamples runs the statements that the documentation gives DuckDB.
func TestDuckDBExamples(t *testing.T) {
	t.Parallel()
	data, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	files := regexp.MustCompile(`\$\(wiresql files ([^)]*)\)`)
	ran := 0
	for _, page := range append(pages, "README.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?s)duckdb -c "(.*?)"\n`).FindAllStringSubmatch(string(text), -1) {
			ran++
			statement := files.ReplaceAllStringFunc(m[1], func(call string) string {
				return filesOf(t, data, strings.Fields(files.FindStringSubmatch(call)[1])...)
			})
			if got := duck(t, statement); len(got) == 1 && got[0] == "" {
				t.Errorf("%s: no rows: %s", page, m[1])
			}
		}
	}
	if ran < 3 {
		t.Errorf("%d examples", ran)
	}
}
