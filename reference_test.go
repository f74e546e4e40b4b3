package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// The pages of reference that are written from the code (make docs).

// configPage is docs/config.md.
func configPage() string {
	var b strings.Builder
	b.WriteString(`# Configuration

Every setting, written from the definitions in config.go and the packages it composes (` + "`make docs`" + ` writes it again).
A setting stands in a file, in the environment, or on the command line; the later wins. ` + "`wiresql config`" + ` prints what
holds, in the form a file takes; a name nobody knows is an error everywhere. A list has its elements parted by commas on the
command line, by blanks in the environment (` + "`capture.interfaces` and `capture.cutoff`" + `, which hold blanks, by commas). What a
session can set is in [settings.md](settings.md).

` + "```sh" + `
wiresql serve --config wiresql.yaml           # YAML, TOML or JSON
WIRESQL_SERVER_LISTEN=0.0.0.0:3306 wiresql serve
wiresql serve --server.listen 0.0.0.0:3306    # or --listen, since no other section has one
` + "```\n")
	names := slices.Sorted(maps.Keys(commands()))
	c := DefaultConfig()
	section := "none yet"
	for _, s := range settings(&c) {
		if s.section() != section {
			if section = s.section(); section == "" {
				b.WriteString("\n## Of every command\n")
			} else {
				var takes []string
				for _, name := range names {
					if slices.Contains(commands()[name].sections, section) {
						takes = append(takes, "`"+name+"`")
					}
				}
				fmt.Fprintf(&b, "\n## Section %s\n\nFlags of %s; the other commands read file and environment.\n", section, strings.Join(takes, ", "))
			}
			b.WriteString("\n| setting | flag | environment | value | default | meaning |\n|---|---|---|---|---|---|\n")
		}
		fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | %s | %s | %s |\n", s.key, s.flag, s.variable(), kindOf(s), shownDefault(s), s.doc)
	}
	b.WriteString("\n## Flags of single commands\n\nThese stand on the command line only.\n\n| command | flag | default | meaning |\n|---|---|---|---|\n")
	for _, name := range names {
		if own := commands()[name].flags; own != nil {
			flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
			own(flags)
			flags.VisitAll(func(f *pflag.Flag) {
				if !f.Hidden {
					fmt.Fprintf(&b, "| `%s` | `--%s` | `%s` | %s |\n", name, f.Name, f.DefValue, f.Usage)
				}
			})
		}
	}
	return strings.ReplaceAll(b.String(), "| `` |", "| |")
}

func kindOf(s setting) string {
	switch s.value.Interface().(type) {
	case bool:
		return "true or false"
	case int, int64:
		return "number"
	case time.Duration:
		return "duration"
	case []string:
		return "list"
	}
	return "text"
}

func shownDefault(s setting) string {
	text := strings.Trim(fmt.Sprint(s.value.Interface()), "[]")
	if text == "" {
		return ""
	}
	return "`" + text + "`"
}

// metricSources are all that is exported, by the command that does.
var metricSources = map[string][]metricSource{"record": {collector.NewTotals(nil), recorderMetrics{}, captureMetrics{}, scrubMetrics{}, archiveMetrics{}},
	"compact": {archiveMetrics{}, scrubMetrics{}}, "serve": {engineMetrics{}}}

// metricsPage is docs/metrics.md.
func metricsPage() string {
	var b strings.Builder
	b.WriteString(`# Metrics

Every metric, written from the lists in package collector and metrics.go (` + "`make docs`" + ` writes it again).

Each process serves its own to Prometheus at ` + "`/metrics`" + `, off by default, where the settings ` + "`metrics-listen`" + ` of the sections ` + "`collector`" + `,
` + "`compact`" + ` and ` + "`server`" + ` say: ` + "`wiresql up --metrics-listen 127.0.0.1:9205 --server.metrics-listen 127.0.0.1:9207`" + `. With them come those
of the process (` + "`process_resident_memory_bytes`" + `, ` + "`process_cpu_seconds_total`" + `, ` + "`process_open_fds`" + `, ` + "`go_goroutines`" + ` and more).
` + "`SHOW GLOBAL STATUS`" + ` has the collector's counters too, added up over the archive; what each statement did is in ` + "`ops.query_log`" + `. The
metrics of the archive are those of ` + "`record`" + ` and of ` + "`compact`" + `: one of them is enough.

Counters count from the start of the process, and are the sums of the rows in ` + "`ops.sockets` and `ops.exporters`" + `. Streams of
more than 4,096 exporters and domains are added up as observer ` + "`other`" + `.
`)
	for _, name := range slices.Sorted(maps.Keys(metricSources)) {
		fmt.Fprintf(&b, "\n## Of `wiresql %s`\n\n| metric | kind | labels | what it counts |\n|---|---|---|---|\n", name)
		for _, source := range metricSources[name] {
			for _, q := range source.Quantities() {
				kind := "counter"
				if q.Gauge {
					kind = "gauge"
				}
				fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", q.Name, kind, strings.Join(q.Labels, ", "), q.Help)
			}
		}
	}
	return b.String()
}

// TestEveryFamilyIsNamed: archive-format.md lists the families as the code does.
func TestEveryFamilyIsNamed(t *testing.T) {
	of := map[string][]string{}
	for _, f := range tables.Families {
		writer := f.Writer
		if writer != tables.Collector && writer != tables.Compactor {
			writer = ""
		}
		of[writer] = append(of[writer], "`"+f.Name+"`")
	}
	want := "- **Family**: " + strings.Join(of[""], ", ") + "; of the collector " + strings.Join(of[tables.Collector], ", ") +
		"; of compaction " + strings.Join(of[tables.Compactor], ", ") + "."
	if page := strings.Join(strings.Fields(fileText(t, "docs/archive-format.md")), " "); !strings.Contains(page, want) {
		t.Errorf("docs/archive-format.md does not say %s", want)
	}
}

// huntsPage is docs/hunts.md.
func huntsPage() string {
	var b strings.Builder
	fmt.Fprintf(&b, `# Hunts

Saved questions, %d of them in the program (this page is written from their files in engine/hunt/shipped: `+"`make docs`"+`).

`+"```sh"+`
wiresql hunt run --all --data DIR             # "I was handed a pcap": what every hunt finds in it, what matters most first
wiresql hunt run beaconing --data DIR --since "1 DAY" --param jitter=0.2
wiresql hunt show beaconing                   # its statement, how to read it, what an empty answer means
`+"```"+`

Any client runs them as well, with the rights and the warnings of the statement they stand for:

`+"```sql"+`
SELECT name, severity, question FROM hunt.hunts;
CALL hunt('beaconing', 'since', '1 DAY', 'jitter', '0.2');
`+"```"+`

Every hunt has three parameters: `+"`to`"+`, the end of what was recorded unless given, so that a capture of years ago is hunted
through at its own time; `+"`from`"+`; or `+"`since`"+`, how long before `+"`to`"+` it begins: `+"`12 HOUR`, `7 DAY` (the default, or as much of it as there is), `all`"+`. Times
are of the session's time zone, unless they name theirs: `+"`2026-06-12T10:00:00Z`, `2026-06-12 12:00+02:00`"+`. Hunts with a parameter `+"`history`"+` compare with the time before `+"`from`"+`: where nothing was recorded
then, nothing is new.

A hunt that is scheduled runs by itself, and what it finds is kept, told and pinned: [standing.md](standing.md).

A hunt of your own is a file NAME.sql of the directory that `+"`--hunts DIR`"+` names. It is read again when it changes; a file of a
shipped hunt's name takes its place, a mistake is told with its line (column error of hunt.hunts) and the others stay. The header
says what a reader must know, and with `+"`key`"+` which columns tell findings apart when it is scheduled; `+"`:from`, `:to`"+` and `+"`:NAME`"+` of a parameter stand for values:

`+"```"+`
%s
`+"```"+`
`, len(hunt.Shipped()), huntFile())
	for _, severity := range slices.Backward(tables.Severities) {
		fmt.Fprintf(&b, "\n## %s\n", strings.ToUpper(severity[:1])+severity[1:])
		for _, h := range hunt.Shipped() {
			if h.Severity != severity {
				continue
			}
			fmt.Fprintf(&b, "\n### %s\n\n%s\n\n", h.Name, h.Question)
			if len(h.Techniques) > 0 {
				fmt.Fprintf(&b, "- ATT&CK: %s\n", strings.Join(h.Techniques, ", "))
			}
			fmt.Fprintf(&b, "- reads: %s\n- result: %s\n- empty: %s\n", strings.Join(h.Reads, ", "), h.Result, h.Empty)
			if h.FalsePositives != "" {
				fmt.Fprintf(&b, "- false positives: %s\n", h.FalsePositives)
			}
			for _, x := range h.Parameters {
				value := "needed"
				if x.Default != hunt.Required {
					value = "default `" + x.Default + "`"
				}
				if x.Default == "" {
					value = "none by default"
				}
				if len(x.Default) > 60 {
					value = "a list by default: `wiresql hunt show " + h.Name + "`"
				}
				fmt.Fprintf(&b, "- `%s` (%s, %s): %s\n", x.Name, x.Type, value, x.Doc)
			}
		}
	}
	return b.String()
}

// huntFile is a shipped one as an example.
func huntFile() string {
	text, err := os.ReadFile("engine/hunt/shipped/long_connections.sql")
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(string(text))
}

func TestDocsOfHuntsAreCurrent(t *testing.T)   { currentPage(t, "docs/hunts.md", huntsPage()) }
func TestDocsOfConfigAreCurrent(t *testing.T)  { currentPage(t, "docs/config.md", configPage()) }
func TestDocsOfManAreCurrent(t *testing.T)     { currentPage(t, "docs/wiresql.1", manPage()) }
func TestDocsOfMetricsAreCurrent(t *testing.T) { currentPage(t, "docs/metrics.md", metricsPage()) }
func TestDocsOfFunctionsAreCurrent(t *testing.T) {
	currentPage(t, "docs/functions.md", engine.FunctionsPage())
}

func TestDocsOfErrorsAreCurrent(t *testing.T) {
	currentPage(t, "docs/errors.md", functions.ErrorPage())
}

// TestEveryLossIsCountedAndExplained: collector.md says what each name means
// that datagrams and rows are lost under.
func TestEveryLossIsCountedAndExplained(t *testing.T) {
	page := fileText(t, "docs/collector.md")
	metrics := metricsPage()
	for _, loss := range []string{"kernel_drops", "queue_drops", "undecodable", "waited", "expired", "refused", "missing", "lost_rows"} {
		if !strings.Contains(page, "\n| `"+loss+"` |") {
			t.Errorf("docs/collector.md does not explain %s", loss)
		}
		if !strings.Contains(metrics, "_"+loss+"_total` |") {
			t.Errorf("no metric counts %s", loss)
		}
	}
}

// TestErrorNumbers: the numbers the code gives are those of the list, and no
// others.
func TestErrorNumbers(t *testing.T) {
	listed, given := map[int]bool{}, map[int]bool{}
	last := 0
	for _, m := range functions.Mistakes {
		if m.Number <= last {
			t.Errorf("%d stands behind %d", m.Number, last)
		}
		last = m.Number
		listed[m.Number] = true
	}
	makes := regexp.MustCompile(`^(Errorf|Numbered|mistake|newError|[wW]arn)$`)
	for path, file := range parsed(t, "functions", "engine", "sqlserver") {
		if path == "functions/errorlist.go" {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.INT {
				number, _ := strconv.Atoi(lit.Value)
				given[number] = true
			}
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			name := ""
			switch f := call.Fun.(type) {
			case *ast.Ident:
				name = f.Name
			case *ast.SelectorExpr:
				name = f.Sel.Name
			}
			if lit, ok := call.Args[0].(*ast.BasicLit); ok && lit.Kind == token.INT && makes.MatchString(name) {
				if number, _ := strconv.Atoi(lit.Value); !listed[number] {
					t.Errorf("%s gives %d, which is not in functions/errorlist.go", path, number)
				}
			}
			return true
		})
	}
	for number := range listed {
		if !given[number] {
			t.Errorf("nothing gives %d", number)
		}
	}
}

// TestErrorNames: MariaDB, which has MySQL's numbers up to 1850, has their
// names.
func TestErrorNames(t *testing.T) {
	for _, m := range functions.Mistakes {
		if m.Number > 1850 {
			break // MySQL's own
		}
		out, err := exec.Command("perror", strconv.Itoa(m.Number)).Output()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(out), "(ER_"+m.Name+")") {
			t.Errorf("%d is %s, MariaDB says %s", m.Number, m.Name, out)
		}
	}
}

// parsed are the source files below folders, tests left out, by path.
func parsed(t *testing.T, folders ...string) map[string]*ast.File {
	t.Helper()
	files := map[string]*ast.File{}
	for _, folder := range folders {
		err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			files[path], err = parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return files
}
