package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
	"github.com/wiresql/wiresql/testdata/leaks"
)

var rewrite = flag.Bool("rewrite", false, "write what is seen into the files of expectations and generated documentation")

// The SQL tests are pages of text in testdata/sql: statements with their
// answers, over the archive of the demo or the one the page names.
//
//	# a comment
//	archive observers      first of all: the archive with exporters' rows
//	query                  a statement, up to a line ----, then its rows
//	query unordered        the same rows in any order; stored sorted
//	query only-on          not compared with pushdown off, with the reason on
//	                       the comment above
//	error [number]         then the error's text; the number is told on the
//	                       wire only
//	warning                rows are not compared, the warnings are
//	columns                a statement, then the names of its result's columns;
//	                       none for one that has no result. Only in
//	                       testdata/sql/clients
//	oracle                 a statement whose rows MariaDB has written, and no
//	                       one else may; only in testdata/sql/oracle. A line
//	                       "---- mariadb" introduces what MariaDB is asked
//	                       instead, where it lacks the words
//
// Every statement runs in-process, in-process with wiresql_pushdown=off, and
// over the wire by the mariadb client. Those of testdata/sql/oracle run
// in-process, over the wire by Go's driver, and in MariaDB.

// sqlCase is one statement of a page.
type sqlCase struct {
	line      int
	kind      string // query, error, warning, columns, oracle
	unordered bool
	onlyOn    bool
	number    int // of the error that is wanted; 0 for any
	comments  []string
	statement string
	maria     string // what MariaDB is asked instead, or empty
	want      []string
}

// page is a file of statements over one archive.
type page struct {
	archive string // of archives
	cases   []*sqlCase
}

// demoCaptures are the captures of the demo.
const demoCaptures = "testdata/captures"

func parsePage(t testing.TB, path string) page {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var name string
	var cases []*sqlCase
	var comments []string
	lines := strings.Split(string(text), "\n")
	for i := 0; i < len(lines); i++ {
		line := lines[i]
		switch words := strings.Fields(line); {
		case len(words) == 0:
		case strings.HasPrefix(line, "#"):
			comments = append(comments, line)
		case words[0] == "archive" && len(words) == 2 && cases == nil:
			if name = words[1]; archives[name] == nil {
				t.Fatalf("%s:%d: no archive %q", path, i+1, name)
			}
		case words[0] == "query" || words[0] == "error" || words[0] == "warning" || words[0] == "columns" || words[0] == "oracle" || words[0] == "session":
			c := &sqlCase{line: i + 1, kind: words[0], comments: comments}
			comments = nil
			for _, w := range words[1:] {
				switch w {
				case "unordered":
					c.unordered = true
				case "only-on":
					c.onlyOn = true
				default:
					if c.number, _ = strconv.Atoi(w); c.number == 0 || c.kind != "error" {
						t.Fatalf("%s:%d: unknown word %q", path, i+1, w)
					}
				}
			}
			var statement []string
			for i++; i < len(lines) && !strings.HasPrefix(lines[i], "----"); i++ {
				statement = append(statement, lines[i])
			}
			c.statement = strings.Join(statement, "\n")
			if i < len(lines) && lines[i] == "---- mariadb" {
				statement = nil
				for i++; i < len(lines) && lines[i] != "----"; i++ {
					statement = append(statement, lines[i])
				}
				c.maria = strings.Join(statement, "\n")
			}
			for i++; i < len(lines) && lines[i] != ""; i++ {
				c.want = append(c.want, lines[i])
			}
			cases = append(cases, c)
		default:
			t.Fatalf("%s:%d: %q is not understood", path, i+1, line)
		}
	}
	return page{name, cases}
}

func writePage(t *testing.T, path string, p page) {
	t.Helper()
	if err := os.WriteFile(path, []byte(p.text()), 0o644); err != nil {
		t.Fatal(err)
	}
}

// text is the page as its file has it.
func (p page) text() string {
	var b strings.Builder
	if p.archive != "" {
		b.WriteString("archive " + p.archive + "\n\n")
	}
	for i, c := range p.cases {
		if i > 0 {
			b.WriteString("\n")
		}
		for _, line := range c.comments {
			b.WriteString(line + "\n")
		}
		b.WriteString(c.kind)
		if c.number != 0 {
			b.WriteString(" " + strconv.Itoa(c.number))
		}
		if c.unordered {
			b.WriteString(" unordered")
		}
		if c.onlyOn {
			b.WriteString(" only-on")
		}
		b.WriteString("\n" + c.statement + "\n")
		if c.maria != "" {
			b.WriteString("---- mariadb\n" + c.maria + "\n")
		}
		b.WriteString("----\n")
		for _, line := range c.want {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// Pages stand as -rewrite writes them, so that it changes nothing but rows.
func TestPagesStandAsWritten(t *testing.T) {
	for _, dir := range []string{"testdata/sql", "testdata/sql/clients", oraclePages} {
		for _, path := range pages(t, dir) {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got := parsePage(t, path).text(); got != string(text) {
				t.Errorf("%s: -rewrite would write it otherwise: %s", path, compareRows(strings.Split(string(text), "\n"), strings.Split(got, "\n")))
			}
		}
	}
}

// demoArchive imports the captures the repository ships, once for all tests.
var demoArchive = sync.OnceValues(func() (string, error) {
	dir, err := lastingDir()
	if err != nil {
		return "", err
	}
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		return "", err
	}
	defer a.Close()
	report, err := capture.Import(context.Background(), a, capture.ImportConfig{Paths: []string{demoCaptures}})
	if err != nil {
		return "", err
	}
	if !report.Whole() || report.Packets == 0 {
		return "", fmt.Errorf("import of %s: %+v", demoCaptures, report)
	}
	_, err = compact.Run(context.Background(), a, compact.Config{})
	return dir, err
})

// lasting are directories that are used by several tests.
var lasting []string

func lastingDir() (string, error) {
	dir, err := os.MkdirTemp("", "wiresql-test-")
	lasting = append(lasting, dir)
	return dir, err
}

func TestMain(m *testing.M) {
	if os.Getenv(runAsProgram) != "" {
		main()
	}
	flag.Parse()
	code := leaks.Main(m)
	for _, dir := range lasting {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

func demoEngine(t testing.TB) *engine.Engine {
	t.Helper()
	dir, err := demoArchive()
	if err != nil {
		t.Fatal(err)
	}
	return engineOver(t, dir)
}

// engineOver opens an engine that lasts as long as the test.
func engineOver(t testing.TB, dir string) *engine.Engine {
	t.Helper()
	return engineWith(t, dir, engine.DefaultConfig())
}

func engineWith(t testing.TB, dir string, cfg engine.Config) *engine.Engine {
	t.Helper()
	a, err := archive.Open(dir, archive.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	e, err := engine.New(cfg, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	// A statement that can't be ended holds the engine open.
	t.Cleanup(func() {
		closed := make(chan struct{})
		go func() {
			e.Close()
			close(closed)
		}()
		select {
		case <-closed:
		case <-time.After(30 * time.Second):
			t.Error("the engine does not close: a statement runs on")
		}
	})
	return e
}

// asked is what a statement gave.
type asked struct {
	rows     []string
	err      string
	warnings []string
}

func askEngine(s *engine.Session, statement string) asked {
	rows, err := s.Query(context.Background(), statement)
	if err != nil {
		return asked{err: err.Error()}
	}
	defer rows.Close()
	var out asked
	for {
		row, err := rows.Text()
		if err == io.EOF {
			out.warnings = rows.Warnings()
			return out
		}
		if err != nil {
			return asked{err: err.Error()}
		}
		line := make([]string, len(row))
		for i, v := range row {
			line[i] = "NULL"
			if v != nil {
				line[i] = printableCell(v)
			}
		}
		out.rows = append(out.rows, strings.Join(line, "\t"))
	}
}

// printableCell is a value as the mariadb client prints it in batch mode.
func printableCell(v []byte) string {
	return strings.NewReplacer("\\", `\\`, "\n", `\n`, "\t", `\t`, "\x00", `\0`).Replace(string(v))
}

func pages(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.test")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no pages in %s (%v)", dir, err)
	}
	return paths
}

func TestSQL(t *testing.T) {
	total := 0
	for _, path := range pages(t, "testdata/sql") {
		p := parsePage(t, path)
		total += len(p.cases)
		t.Run(filepath.Base(path), func(t *testing.T) {
			e := archives[p.archive](t)
			on, off := e.NewSession(), e.NewSession()
			if got := askEngine(off, "SET wiresql_pushdown = 'off'"); got.err != "" {
				t.Fatal(got.err)
			}
			for _, c := range p.cases {
				got := askEngine(on, c.statement)
				if *rewrite {
					c.want = got.lines(c)
				} else if diff := compareRows(c.want, got.lines(c)); diff != "" {
					t.Errorf("%s:%d: %s\n%s", path, c.line, c.statement, diff)
				}
				if c.onlyOn || c.kind == "warning" {
					continue
				}
				start := time.Now()
				slow := askEngine(off, c.statement)
				if d := time.Since(start); d > 2*time.Second {
					t.Logf("%s:%d: %v with pushdown off: %s", path, c.line, d, c.statement)
				}
				if diff := compareRows(sorted(got.lines(c)), sorted(slow.lines(c))); diff != "" {
					t.Errorf("%s:%d: pushdown off differs: %s\n%s", path, c.line, c.statement, diff)
				}
			}
			if *rewrite {
				writePage(t, path, p)
			}
		})
	}
	if total < 100 {
		t.Errorf("%d statements, at least 100 wanted", total)
	}
}

// lines is the answer as a page holds it.
func (a asked) lines(c *sqlCase) []string {
	switch c.kind {
	case "error":
		// The number is told apart from the text on the wire only.
		text, _, _ := strings.Cut(strings.ReplaceAll(a.err, "\n", " "), " (errno ")
		return []string{text}
	case "warning":
		if a.err != "" {
			return []string{"error: " + a.err}
		}
		return a.warnings
	}
	if a.err != "" {
		return []string{"error: " + a.err}
	}
	if c.unordered {
		return sorted(a.rows)
	}
	return a.rows
}

func sorted(lines []string) []string {
	out := append([]string(nil), lines...)
	sort.Strings(out)
	return out
}

// compareRows compares rows as values: numbers to 1e-12.
func compareRows(want, got []string) string {
	if len(want) != len(got) {
		return fmt.Sprintf("%d rows, want %d\ngot:\n%s\nwant:\n%s", len(got), len(want), excerpt(got), excerpt(want))
	}
	for i := range want {
		if !sameRow(want[i], got[i]) {
			return fmt.Sprintf("row %d\n got %s\nwant %s", i+1, got[i], want[i])
		}
	}
	return ""
}

func excerpt(lines []string) string { return strings.Join(lines[:min(len(lines), 8)], "\n") }

func sameRow(a, b string) bool {
	x, y := strings.Split(a, "\t"), strings.Split(b, "\t")
	if len(x) != len(y) {
		return false
	}
	for i := range x {
		if x[i] == y[i] {
			continue
		}
		p, err1 := strconv.ParseFloat(x[i], 64)
		q, err2 := strconv.ParseFloat(y[i], 64)
		if err1 != nil || err2 != nil || math.Abs(p-q) > 1e-12*math.Max(math.Abs(p), math.Abs(q)) {
			return sameTime(x[i], y[i])
		}
	}
	return true
}

// sameTime compares times whose trailing zeros are printed or not.
func sameTime(a, b string) bool {
	trim := func(s string) string {
		if strings.Contains(s, ":") && strings.Contains(s, ".") {
			s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
		}
		return s
	}
	return trim(a) == trim(b) && strings.Contains(a, ":")
}

// TestSQLOverTheWire sends the same pages through a real server to the real
// mariadb client.
func TestSQLOverTheWire(t *testing.T) {
	client, err := exec.LookPath("mariadb")
	if err != nil {
		t.Fatal("the mariadb client is not installed: make deps")
	}
	options := map[string]string{}
	for name, open := range archives {
		options[name] = wireOptions(t, open(t))
	}
	for _, path := range pages(t, "testdata/sql") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			p := parsePage(t, path)
			for _, c := range p.cases {
				var out, errText bytes.Buffer
				cmd := exec.Command(client, "--defaults-file="+options[p.archive], "--batch", "--skip-column-names", "--binary-as-hex=0", "wiresql", "-e", c.statement)
				cmd.Stdout, cmd.Stderr = &out, &errText
				err := cmd.Run()
				if c.kind == "warning" {
					if err != nil {
						t.Errorf("%s:%d: %s: %v: %s", path, c.line, c.statement, err, errText.String())
					}
					continue
				}
				if c.kind == "error" {
					if err == nil {
						t.Errorf("%s:%d: no error: %s", path, c.line, c.statement)
					} else if number := fmt.Sprintf("ERROR %d (", c.number); !strings.Contains(errText.String(), c.want[0]) || c.number != 0 && !strings.Contains(errText.String(), number) {
						t.Errorf("%s:%d: %s\n got %s\nwant %d %s", path, c.line, c.statement, errText.String(), c.number, c.want[0])
					}
					continue
				}
				if err != nil {
					t.Errorf("%s:%d: %s: %v: %s", path, c.line, c.statement, err, errText.String())
					continue
				}
				var got []string
				if out.Len() > 0 {
					got = strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				}
				if c.unordered {
					got = sorted(got)
				}
				if diff := compareRows(c.want, got); diff != "" {
					t.Errorf("%s:%d: over the wire: %s\n%s", path, c.line, c.statement, diff)
				}
			}
		})
	}
}

// wireOptions starts a server and writes the client's option file for it.
func wireOptions(t *testing.T, e *engine.Engine) string {
	t.Helper()
	cfg := sqlserver.DefaultConfig()
	cfg.Dir, cfg.Listen = t.TempDir(), "127.0.0.1:0"
	server := sqlserver.New(cfg, e, nil)
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	password, _ := server.Password()
	_, port, _ := strings.Cut(server.Addr().String(), ":")
	options := filepath.Join(t.TempDir(), "client.cnf")
	if err := os.WriteFile(options, fmt.Appendf(nil, "[client]\nuser=wiresql\npassword=%s\nhost=127.0.0.1\nport=%s\nssl\n", password, port), 0o600); err != nil {
		t.Fatal(err)
	}
	return options
}
