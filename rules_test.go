package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/wiresql/wiresql"

// A rule says who may import what. Each has its reason: a rule nobody can
// explain is a rule nobody keeps.
type importRule struct {
	// imported is an import path or, ending in /..., a tree of them.
	imported string
	// only lists the packages that may import it, relative to the module
	// ("." is the program itself); a trailing /... covers what is below, and
	// " tests" behind a package lets only its tests.
	only   []string
	reason string
}

var importRules = []importRule{
	{"github.com/duckdb/...", []string{"engine", ". tests"},
		"one package owns the database handles, its settings and its traps; the compiler writes text"},
	{"github.com/dolthub/...", []string{"engine/...", "functions", "sqlserver", ". tests"},
		"the MySQL front end must be replaceable without touching storage or capture"},
	{"vitess.io/vitess/...", []string{"engine/...", "functions"},
		"statements are parsed and compiled in one place"},
	{"github.com/spf13/viper", []string{"."},
		"configuration is read once, in config.go; packages own plain structs"},
	{"github.com/gopacket/gopacket/pcap", nil,
		"it needs libpcap's headers to build"},
	{"github.com/gopacket/gopacket/...", []string{"capture/..."},
		"deep decoding of hostile bytes stays off every other path"},
	{"github.com/google/gopacket/...", nil,
		"it has no maintainer and panics on mutated packets; use github.com/gopacket/gopacket"},
	{"github.com/parquet-go/...", []string{"tables/archive/rows", "tables/archive/samples", "sqlserver/output"},
		"one package knows how rows rest, another how answers leave"},
	{"github.com/netsampler/goflow2/...", []string{"collector tests"},
		"it hangs on short inputs: what our decoder's tests compare with, where it survives"},
	{"github.com/go-sql-driver/mysql", []string{"sqlserver", ".", "sqlserver/shell", "web", "functions tests"},
		"a client: of the shell, the page, tests (also to ask a real MariaDB what is right) and the benchmark"},
	{"github.com/peterh/liner", []string{"sqlserver/shell"},
		"the terminal is the shell's"},
	{"github.com/modelcontextprotocol/...", []string{"."},
		"assistants ask what people ask: one file knows how"},
	{module + "/sqlserver/shell", []string{"."},
		"it asks whatever answers statements: it knows neither engine nor archive"},
	{"github.com/chromedp/...", []string{". tests"},
		"the page is tested in a real browser; nothing that runs needs one"},
	{module + "/web", []string{"."},
		"the page asks as any client does: nothing may depend on it"},
	{"github.com/grafana/...", []string{". tests"},
		"dashboards are held to its schema; nothing that runs needs it"},
	{module + "/sqlserver", []string{"."},
		"nothing below may know that a wire exists"},
	{module + "/engine", []string{".", "sqlserver"},
		"storage and capture answer no queries: no query can stop the recording"},
	{module + "/engine/standing", []string{"engine"},
		"what stands is kept in one place; it runs no statement and knows no archive"},
	{module + "/engine/hunt", []string{".", "engine", "engine/standing", "web"},
		"what a hunt is, is told in one place; it knows no archive"},
	{module + "/engine/pushdown", []string{"engine"},
		"the compiler is the engine's"},
	{module + "/functions", []string{"engine/...", "sqlserver", ". tests"},
		"SQL functions are for the SQL side"},
	{module + "/capture/...", []string{".", "capture/..."},
		"packets in and questions out meet only at files"},
	{module + "/collector", []string{"."},
		"it is handed an ExportSink and needs nothing else"},
	{module + "/tables/archive", []string{".", "engine", "tables/compact", "capture/..."},
		"the collector and the wire know nothing of files"},
	{module + "/tables/archive/disk", []string{"tables/archive/...", "tables/compact", "collector", "sqlserver", "capture tests", ". tests"},
		"who asks for rows or packets asks the archive, not for files"},
	{module + "/tables/archive/rows", []string{".", "engine", "tables/compact", "capture/...", "tables/archive"},
		"row files are the archive's, and of those who read and write rows in it"},
	{module + "/tables/archive/pcap", []string{".", "engine", "capture/...", "tables/archive"},
		"captures are the archive's, and of those who handle packets"},
	{module + "/tables/archive/sums", []string{"engine", "tables/archive", "tables/archive/rows", "tables/archive/pcap"},
		"who reads the archive's files checks what it reads"},
	{module + "/tables/archive/samples", []string{"tables/archive tests", "tables/archive/rows tests", "tables/archive/pcap tests", ". tests"},
		"rows for tests and benchmarks"},
	{module + "/tables/compact/settle", []string{"tables/compact"},
		"which rows are one conversation is decided in one place, and without files"},
	{module + "/tables/compact", []string{".", "engine"},
		"merging is a program of its own; the engine asks it for what is not settled yet, so that one rule decides both"},
}

// low are packages of which a rule says what of ours they import instead of who
// imports them: those of lowest at the most.
var lowest = []string{"tables", "tables/archive/disk", "tables/archive/sums", "tables/archive/samples", "testdata/leaks"}

var low = map[string]string{
	"tables":              "tables describes what a row is: no I/O, nothing of ours",
	"tables/archive/pcap": "a capture is bytes, offsets and records: it knows of no archive",
	"tables/archive/sums": "bytes and their checksums: it knows of no format",
	"tables/archive/rows": "a row file is a path and what it holds: it knows of no batches, listings or names",
}

type goPackage struct {
	ImportPath   string
	Name         string
	Doc          string
	Dir          string
	Imports      []string
	TestImports  []string
	XTestImports []string
	GoFiles      []string
}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Name,Doc,Dir,Imports,TestImports,XTestImports,GoFiles", "./...")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); dec.More(); {
		var p goPackage
		if err := dec.Decode(&p); err != nil {
			t.Fatal(err)
		}
		pkgs = append(pkgs, p)
	}
	return pkgs
}

func covers(pattern, path string) bool {
	if tree, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == tree || strings.HasPrefix(path, tree+"/")
	}
	return pattern == path
}

func relative(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

// TestImports keeps the packages' dependencies pointing one way, for tests
// too.
func TestImports(t *testing.T) {
	for _, p := range listPackages(t) {
		self := relative(p.ImportPath)
		if strings.HasPrefix(self, "testdata") {
			continue // programs that make test data; not part of the product
		}
		var imports []string
		imports = append(imports, p.Imports...)
		imports = append(imports, p.TestImports...)
		imports = append(imports, p.XTestImports...)
		for _, imp := range imports {
			if why, is := low[self]; is && strings.HasPrefix(imp, module+"/") && !slices.Contains(lowest, relative(imp)) {
				t.Errorf("%s imports %s: %s", self, imp, why)
			}
			for _, r := range importRules {
				if !covers(r.imported, imp) || imp == p.ImportPath {
					continue
				}
				allowed := false
				for _, o := range r.only {
					if of, tests := strings.CutSuffix(o, " tests"); tests {
						allowed = allowed || of == self && !slices.Contains(p.Imports, imp)
						continue
					}
					allowed = allowed || covers(o, self)
				}
				if !allowed {
					t.Errorf("%s imports %s, which only %v may: %s", self, imp, r.only, r.reason)
				}
			}
		}
	}
}

// TestViperInConfigOnly keeps viper in one file, not just in one package.
func TestViperInConfigOnly(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), `"github.com/spf13/`+`viper"`) && f != "config.go" && f != "rules_test.go" {
			t.Errorf("%s imports viper: configuration is read in config.go only", f)
		}
	}
}

// TestPackageDocs insists that every package says what it is for.
func TestPackageDocs(t *testing.T) {
	for _, p := range listPackages(t) {
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		if !strings.HasPrefix(p.Doc, "Package "+p.Name) && p.Name != "main" || p.Doc == "" {
			t.Errorf("%s has no package comment that starts with its name", p.ImportPath)
		}
	}
}

// TestTopLevel keeps the map of the tree true.
func TestTopLevel(t *testing.T) {
	dirs := map[string]string{
		"engine": "", "tables": "", "capture": "", "collector": "", "sqlserver": "",
		"functions": "", "docs": "", "testdata": "", "deploy": "", "web": "", ".ci": "", ".git": "",
	}
	entries, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if _, ok := dirs[e.Name()]; e.IsDir() && !ok {
			t.Errorf("directory %s is not part of the layout", e.Name())
		}
		if n := e.Name(); n == "utils" || n == "common" || n == "helpers" || n == "base" {
			t.Errorf("%s: find the noun instead", n)
		}
	}
}

// TestFileSizes: a file is one noun; past 800 lines it is several.
func TestFileSizes(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, f := range p.GoFiles {
			text, err := os.ReadFile(filepath.Join(p.Dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(text), "\n"); n > 800 {
				t.Errorf("%s/%s has %d lines", relative(p.ImportPath), f, n)
			}
		}
	}
}

// TestGoroutinesComeHome: a package that starts goroutines looks, after its
// tests, for those that stayed.
func TestGoroutinesComeHome(t *testing.T) {
	for _, p := range listPackages(t) {
		starts := false
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.GoStmt:
					starts = true
				case *ast.SelectorExpr: // sync.WaitGroup's
					starts = starts || n.Sel.Name == "Go"
				}
				return true
			})
		}
		looks := false
		tests, err := filepath.Glob(filepath.Join(p.Dir, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range tests {
			looks = looks || strings.Contains(fileText(t, name), "leaks.Main(m)")
		}
		if self := relative(p.ImportPath); starts && !looks && !strings.HasPrefix(self, "testdata") {
			t.Errorf("%s starts goroutines and its tests do not look for those that stay: see testdata/leaks", self)
		}
	}
}

// TestSleepsAreExplained: a test waits for an event, in a loop where nothing
// tells of it. A sleep of a fixed time says on its line why nothing else will do.
func TestSleepsAreExplained(t *testing.T) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text := fileText(t, path)
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		lines := strings.Split(text, "\n")
		ast.Inspect(file, func(n ast.Node) bool {
			if _, loop := n.(*ast.ForStmt); loop {
				return false
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			f, ok := call.Fun.(*ast.SelectorExpr)
			if at := files.Position(call.Pos()); ok && f.Sel.Name == "Sleep" && !strings.Contains(lines[at.Line-1], "//") {
				t.Errorf("%s: a sleep without a reason; wait for what is to happen", at)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
