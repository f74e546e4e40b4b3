package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/engine"
)

// The rows of the file are known, and 10.20.0.23 has five connections as server
// in the demo (founding.test).
func TestGivenTables(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	iocs := filepath.Join(t.TempDir(), "iocs.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(iocs, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("\uFEFFIndicator,Seen At,score,addr,ratio,nothing,code\r\n" +
		"News.Example.test,2026-06-12 10:15,5,10.20.0.23,0.5,,007\n" +
		"\"a,\"\"b\"\"\",2026-06-12T12:15:00+02:00,-7,2001:db8::1,1e3,,8\n" +
		",,,,,,\n")
	ask := func(statement string) (string, string) {
		t.Helper()
		_, out, complaint := runProgram(t, nil, "query", "--data", dir, "--format", "csv", "--table", "iocs="+iocs, statement)
		return out, complaint
	}
	for statement, want := range map[string]string{
		"SELECT * FROM iocs": "indicator,seen_at,score,addr,ratio,nothing,code\n" +
			"News.Example.test,2026-06-12 10:15:00.000000,5,10.20.0.23,0.5,,007\n" +
			"\"a,\"\"b\"\"\",2026-06-12 10:15:00.000000,-7,2001:db8::1,1000,,8\n,,,,,,\n",
		"SELECT GROUP_CONCAT(CONCAT(column_name, ' ', column_type) ORDER BY ordinal_position) AS c FROM information_schema.columns WHERE table_name = 'iocs'": "c\n" +
			"\"indicator varchar(17),seen_at datetime(6),score bigint,addr varchar(45),ratio double,nothing varchar(1),code varchar(3)\"\n",
		"SELECT SUM(score) AS s, COUNT(addr) AS n FROM wiresql.IOCS":                                        "s,n\n-2,2\n",
		"SELECT COUNT(*) AS n FROM connections c JOIN iocs i ON c.server_ip = i.addr":                       "n\n5\n",
		"SELECT COUNT(*) AS n FROM connections WHERE server_ip IN (SELECT addr FROM iocs)":                  "n\n5\n",
		"SELECT COUNT(*) > 0 AS n FROM connections c JOIN iocs i ON c.server_name = i.indicator":            "n\n1\n",
		"SELECT COUNT(*) AS n FROM iocs WHERE seen_at = '2026-06-12 10:15' AND nothing IS NULL":             "n\n2\n",
		"SELECT (SELECT COUNT(*) FROM iocs) = (SELECT MAX(n) FROM (SELECT COUNT(*) AS n FROM iocs) t) AS n": "n\n1\n",
	} {
		if out, complaint := ask(statement); out != want || complaint != "" {
			t.Errorf("%s: %q, want %q; %s", statement, out, want, complaint)
		}
	}
	for text, want := range map[string]string{
		"":                                    "no line that names its columns",
		"a,A\n1,2\n":                          "column 2",
		"a,\n1,2\n":                           "column 2",
		"a,b\n1\n":                            "wrong number of fields",
		"a\n\"x\n":                            "quote",
		"a,b\n1,\xff\n":                       "line 2: it is not UTF-8",
		"a\x00b,c\n1,2\n":                     "", // a strange title is a name all the same
		"only,titles\n":                       "",
		strings.Repeat("a", 70) + ",b\n1,2\n": "",
	} {
		write(text)
		_, complaint := ask("SELECT COUNT(*) FROM iocs")
		if want == "" && complaint != "" || !strings.Contains(complaint, want) {
			t.Errorf("%.20q: %q, want %q", text, complaint, want)
		}
	}
	for _, bad := range []string{"iocs", "connections=" + iocs, "i-o=" + iocs, "iocs=" + iocs + "x", "=" + iocs} {
		if code, _, complaint := runProgram(t, nil, "query", "--data", dir, "--table", bad, "SELECT 1"); code != 1 || !strings.Contains(complaint, "table ") {
			t.Errorf("--table %s: exit %d, %q", bad, code, complaint)
		}
	}
}

// A file that changes is read again, under a running engine.
func TestGivenTableChanges(t *testing.T) {
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "list.csv")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write("n\n1\n2\n")
	cfg := engine.DefaultConfig()
	cfg.Table = []string{"list=" + path}
	e := engineWith(t, dir, cfg)
	if got := rowsOf(t, e, "SELECT SUM(n) FROM list"); got[0][0] != "3" {
		t.Errorf("before the change: %q", got)
	}
	write("n,m\nx,y\n")
	if got := rowsOf(t, e, "SELECT * FROM list"); len(got) != 1 || len(got[0]) != 2 || got[0][0] != "x" {
		t.Errorf("after the change: %q", got)
	}
}
