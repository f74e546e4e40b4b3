package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/sqlserver/output"
)

func TestCut(t *testing.T) {
	for _, c := range []struct {
		text string
		want statement
	}{
		{"SELECT 1; SELECT 2", statement{text: "SELECT 1", rest: " SELECT 2", whole: true}},
		{"SELECT 1\\G\n", statement{text: "SELECT 1", rest: "\n", whole: true, vertical: true}},
		{`SELECT 1\g`, statement{text: "SELECT 1", whole: true}},
		{`SELECT ';''\';', ";\"", ` + "`;``\\`; x", statement{text: `SELECT ';''\';', ";\"", ` + "`;``\\`", rest: " x", whole: true}},
		{"SELECT 1 -- ;\n/* ; */ # ;\n;", statement{text: "SELECT 1 -- ;\n/* ; */ # ;\n", whole: true}},
		{"SELECT 5--1;", statement{text: "SELECT 5--1", whole: true}},
		{"SELECT 'a\n", statement{text: "SELECT 'a\n", open: '\''}},
		{"SELECT 1 /* a;", statement{text: "SELECT 1 /* a;", open: '*'}},
		{"SELECT `a;", statement{text: "SELECT `a;", open: '`'}},
		{"SELECT 1 --;\n", statement{text: "SELECT 1 --", rest: "\n", whole: true}},
		{"", statement{}},
	} {
		if got := cut(c.text); got != c.want {
			t.Errorf("%q: %+v, want %+v", c.text, got, c.want)
		}
	}
	for text, want := range map[string]string{
		"SELECT a, -- the first\n  b\nFROM t;":             "SELECT a,     b FROM t;",
		"SELECT /*+ MAX_EXECUTION_TIME(5) */ 'a\nb'; # no": `SELECT /*+ MAX_EXECUTION_TIME(5) */ 'a\nb';`,
		"SELECT '-- kept', /* not */ 1\\G":                 `SELECT '-- kept',   1\G`,
	} {
		if got := oneLine(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if !blank(" -- x\n/* y */\n") || blank("/*+ h */") || blank("'") {
		t.Error("what is blank")
	}
}

func TestAsks(t *testing.T) {
	for text, want := range map[string]bool{
		"SELECT 1": true, "  -- why\n(SELECT 1) UNION SELECT 2 ; ": true, "with a as (select 1) table a": true, "EXPLAIN SELECT 1": true,
		"show tables": true, "CALL hunt('beaconing')": true, "call hunt . hunt('x')": true,
		"": false, "SET a = 1": false, "SELECT 1; SET a = 1": false, "CALL pin('a', 'b', 'c', 'd')": false, "CALL hunt2('x')": false,
		"/*! SET a = 1 */": false, "/*!99999 x */ SET a = 1": false, "SELECT 'a": false, "`SELECT`": false, "KILL 5": false, "USE ops": false,
		"/* SELECT */ SET a = 1": false, "CALL `hunt`('x')": true,
	} {
		if got := Asks(text); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}

// The example of what TAB offers: columns of the relations that are named, and of
// those the values.
func TestOffers(t *testing.T) {
	c := &completer{catalogue: &catalogue{
		relations: []relation{
			{"information_schema", "columns", []string{"column_name"}},
			{"ops", "imports", []string{"file"}},
			{"wiresql", "connections", []string{"ts", "client_ip", "client_host", "conn_state", "conn_id", "direction", "protocol"}},
			{"wiresql", "hosts", []string{"name", "ip"}},
		},
		hunts: []savedHunt{{"beaconing", []string{"since", "jitter"}}, {"beacon_sni", nil}},
		hosts: []string{"gavin.reid-machine", "printer-7"},
	}, functions: []string{"COUNT", "CONCAT", "ip_in"}}
	for _, x := range []struct{ before, after, want string }{
		{"sel", "", "select "},
		{"SEL", "", "SELECT "},
		{"SELECT * FR", "", "FROM "},
		{"SELECT * FROM con", "", "connections "},
		{"SELECT * FROM ops.", "", "imports"},
		{"SELECT * FROM hosts h, ", "", "connections  hosts  ops.imports "},
		{"SELECT cli", "", "client_host client_ip"},
		{"SELECT con", "", "conn_id conn_state concat("},
		{"SELECT na", " FROM hosts", "name"},
		{"SELECT ts FROM connections WHERE na", "", ""},
		{"SELECT ", " FROM hosts", "ip name"},
		{"SELECT CO", " FROM hosts", "COLUMNS CONCAT( COUNT("},
		{"SELECT c.", " FROM connections AS c JOIN hosts h ON h.ip = c.client_ip", "client_host client_ip conn_id conn_state direction protocol ts"},
		{"SELECT h.n", " FROM connections c JOIN hosts h", "name"},
		{"SELECT * FROM connections c WHERE c.direction = 'in", "", "inbound' internal'"},
		{"SELECT * FROM connections WHERE direction IN ('inbound', 'ex", "')", "external"},
		{"SELECT * FROM connections WHERE direction NOT IN ('ex", "", "external'"},
		{"SELECT * FROM connections WHERE conn_state <> 'RSTO", "", "RSTO' RSTOS0'"},
		{"SELECT * FROM connections WHERE protocol LIKE 'icm", "", "icmp' icmp6'"},
		{"SELECT * FROM connections WHERE client_ip = '10", "", ""},
		{"SELECT * FROM connections WHERE client_host = 'ga", "", "gavin.reid-machine'"},
		{"SELECT * FROM hosts WHERE name IN ('x', 'p", "", "printer-7'"},
		{"SELECT 'con", "", ""},
		{"CALL hu", "", "hunt('"},
		{"CALL hunt('beacon", "", "beacon_sni' beaconing'"},
		{"CALL hunt('beaconing', 'ji", "", "jitter'"},
		{"CALL hunt('beaconing', 'since', '1", "", ""},
		{"CALL pin('bea", "", ""},
		{`\`, "", `\? \d \format \h \hunt \pcap \q \timing`},
		{`\d h`, "", "hosts"},
		{`\hunt beacon`, "", "beacon_sni beaconing"},
		{`\hunt beaconing s`, "", "since"},
		{`\hunt beaconing since 1`, "", ""},
		{`\format ma`, "", "markdown"},
		{"", "", ""},
	} {
		o := c.offers(x.before, x.after)
		if got := strings.Join(o.list, " "); got != x.want && !(x.before == "" && len(o.list) > 50) {
			t.Errorf("%s|%s offers %q, want %q", x.before, x.after, got, x.want)
		}
		for _, one := range o.list { // it replaces what it begins with
			if typed := x.before[o.from:]; !strings.HasPrefix(strings.ToLower(one), strings.ToLower(typed)) {
				t.Errorf("%s: %q stands for %q", x.before, one, typed)
			}
		}
	}
}

// Whatever was typed is completed without a fault.
func FuzzOffers(f *testing.F) {
	c := &completer{catalogue: &catalogue{relations: []relation{{"wiresql", "hosts", []string{"name"}}}}, functions: []string{"COUNT"}}
	for _, s := range []string{"SELECT a.", "CALL hunt('a", "x IN ('", `\hunt 'a`, "\xff'", "a = = '", "('", ", ,'", "é."} {
		f.Add(s, ")")
	}
	f.Fuzz(func(t *testing.T, before, after string) {
		if o := c.offers(before, after); len(o.list) > 0 && (o.from < 0 || o.from > len(before)) {
			t.Errorf("%q: from %d", before, o.from)
		}
		if st := cut(before); st.whole && len(st.text)+len(st.rest) >= len(before) {
			t.Errorf("%q is cut into %+v", before, st)
		}
		oneLine(before)
	})
}

func TestHistory(t *testing.T) {
	h := &history{path: filepath.Join(t.TempDir(), "new", "history")}
	if got := h.entries(); len(got) > 0 || h.err != nil {
		t.Fatalf("%q, %v", got, h.err)
	}
	h.add("SELECT 1;")
	(&history{path: h.path}).add("SELECT 'ü';") // another shell
	h.add("not\nkept")
	if got := h.entries(); !slices.Equal(got, []string{"SELECT 1;", "SELECT 'ü';"}) || h.err != nil {
		t.Errorf("%q, %v", got, h.err)
	}
	if info, err := os.Stat(h.path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	long := strings.Repeat("x", 1<<20) + "\n"
	if err := os.WriteFile(h.path, []byte(strings.Repeat(long, 6)+"\xff\nlast\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.entries()
	if n := len(got); n != 4 || got[n-1] != "last" {
		t.Errorf("%d entries", n)
	}
	if info, err := os.Stat(h.path); err != nil || info.Size() > maxHistory {
		t.Errorf("%d bytes, %v", info.Size(), err)
	}
	kept := &history{}
	kept.add("x")
	if kept.entries() != nil || kept.err != nil {
		t.Error("a history without a file")
	}
}

// fake answers what it is told to.
type fake struct {
	asked []string
	rows  map[string][][]any
}

func (f *fake) Query(_ context.Context, statement string) (Answer, error) {
	f.asked = append(f.asked, statement)
	if strings.Contains(statement, "wrong") {
		return nil, errors.New("it is wrong\x1b[2J")
	}
	return &fakeAnswer{rows: f.rows[statement]}, nil
}
func (f *fake) State(context.Context) string { return "reading" }
func (f *fake) Export(_ context.Context, statement, path string) (Exported, error) {
	f.asked = append(f.asked, "export to "+path+": "+statement)
	return Exported{Said: "two packets", Missing: []string{"a third"}}, nil
}
func (f *fake) Close() error { return nil }

type fakeAnswer struct{ rows [][]any }

func (a *fakeAnswer) Columns() []string {
	if a.rows == nil {
		return nil
	}
	return []string{"a", "b"}
}

func (a *fakeAnswer) Next() ([]any, error) {
	if len(a.rows) == 0 {
		return nil, io.EOF
	}
	row := a.rows[0]
	a.rows = a.rows[1:]
	return row, nil
}
func (a *fakeAnswer) Warnings() []string { return []string{"one\nwarning"} }
func (a *fakeAnswer) Close() error       { return nil }

// What comes from a file is answered in turn, up to the first error.
func TestScript(t *testing.T) {
	f := &fake{rows: map[string][][]any{"SELECT 2": {{output.Number("1"), "x"}}}}
	dir := t.TempDir()
	file := func(name, text string) *os.File {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	in := file("in", "SET a = 1; -- first\n\n\\pcap f\n\\format csv\nSELECT 2;SELECT\n3\\G\n\\pcap 'a b'\n\\hunt x since '1 DAY' top=3;\nwrong; SELECT 4;\nSELECT 5")
	out, complain := file("out", ""), file("err", "")
	text := func(f *os.File) string {
		data, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if err := Run(t.Context(), Config{Source: f, In: in, Out: out, Err: complain}); !errors.Is(err, ErrReported) {
		t.Errorf("%v", err)
	}
	if want := "error: there was no statement yet: ask for rows that have a conn_id, a flow_id or a packet_id\n"; text(complain) != "warning: one warning\n"+want {
		t.Errorf("complained %q", text(complain))
	}
	in = file("in", strings.Replace(text(in), "\\pcap f\n", "", 1))
	f.asked = nil
	if err := Run(t.Context(), Config{Source: f, In: in, Out: out, Err: complain}); !errors.Is(err, ErrReported) {
		t.Errorf("%v", err)
	}
	want := []string{"SET a = 1", "SELECT 2", "SELECT\n3", "export to a b: SELECT 2", "CALL hunt.hunt('x', 'since', '1 DAY', 'top', '3')",
		"SELECT empty_means FROM hunt.hunts WHERE name = 'x'", "wrong"}
	if !slices.Equal(f.asked, want) {
		t.Errorf("asked %q", f.asked)
	}
	if got, want := text(out), "Format: csv\na,b\n1,x\ntwo packets\nwarning: a third\n"; got != want {
		t.Errorf("printed %q, want %q", got, want)
	}
	if !strings.HasSuffix(text(complain), "error: it is wrong.[2J\n") {
		t.Errorf("complained %q", text(complain))
	}
	// Commands are taken between the lines of a statement, but not within a text.
	in, f.asked = file("in", "SELECT\n\\timing on\n6 ;\nSELECT '\n\\q\n', \n\\G\nSELECT 7\n\\q\n;"), nil
	if err := Run(t.Context(), Config{Source: f, In: in, Out: out, Err: complain}); err != nil || !slices.Equal(f.asked, []string{"SELECT\n6", "SELECT '\n\\q\n',"}) {
		t.Errorf("%v, asked %q", err, f.asked)
	}
	in = file("in", strings.Repeat("SELECT "+strings.Repeat("x", 1<<18)+"\n", 5))
	if err := Run(t.Context(), Config{Source: f, In: in, Out: out, Err: complain}); !errors.Is(err, ErrReported) || !strings.HasSuffix(text(complain), "has no end yet is given up\n") {
		t.Errorf("%v", err)
	}
	in = file("in", strings.Repeat("x", maxLine+1))
	if err := Run(t.Context(), Config{Source: f, In: in, Out: out, Err: complain}); err == nil || !strings.Contains(err.Error(), "a line is longer than") {
		t.Errorf("%v", err)
	}
	in = file("in", "SELECT 5")
	if err := Run(t.Context(), Config{Source: f, In: in, Out: out, Err: complain}); err != nil || f.asked[len(f.asked)-1] != "SELECT 5\n" {
		t.Errorf("%v, asked %q", err, f.asked)
	}
}
