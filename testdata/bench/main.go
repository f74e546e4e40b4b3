// Command bench measures wiresql beside the tools it must beat, in one run on
// one machine, and prints the ratios as a Markdown table. Ratios are what to
// trust: machines are noisy, so each figure is the median of several runs and
// CPU is user plus system time of the process itself.
//
// It makes its own captures with testdata/generate, so a run needs nothing but
// tcpdump and disk (about 15 GB in -dir).
package main

import (
	"database/sql"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// bench is one run.
type bench struct {
	dir     string // captures and archives
	wiresql string // binary under test
	small   int64  // bytes of the small corpus
	large   int64  // bytes of the large corpus
	flows   int    // flows of the corpus for aggregates
	runs    int

	keepRate float64 // flows a second into record and compact
	keepFor  time.Duration

	server int    // process of the one that is asked
	access string // its password and address
	rows   []row
}

// row is a line of the result.
type row struct{ what, ours, peer, ratio, bar string }

func main() {
	log.SetFlags(log.Ltime)
	b := &bench{}
	flag.StringVar(&b.dir, "dir", filepath.Join(os.TempDir(), "wiresql-bench"), "where captures and archives go")
	flag.StringVar(&b.wiresql, "wiresql", "./wiresql", "binary under test")
	flag.Int64Var(&b.small, "small", 1e9, "bytes of the small capture")
	flag.Int64Var(&b.large, "large", 5e9, "bytes of the large capture")
	flag.IntVar(&b.flows, "flows", 10_000_000, "flows of the capture for aggregates")
	flag.IntVar(&b.runs, "runs", 5, "runs of each measurement; the median counts")
	flag.Float64Var(&b.keepRate, "rate", 200_000, "with -collector: flows a second beside compaction")
	flag.DurationVar(&b.keepFor, "keep", 10*time.Minute, "with -collector: for so long")
	collector := flag.Bool("collector", false, "measure the collector instead: testdata/bench/collect.go")
	captured := flag.Bool("capture", false, "measure capturing from interfaces instead, as root: testdata/bench/capture_linux.go")
	soaked := flag.Duration("soak", 0, "capture, ask and evict for so long instead, as root: testdata/bench/soak_linux.go")
	sql := &sqls{}
	of := flag.Bool("sql", false, "measure SQL instead: testdata/bench/sql.go")
	flag.StringVar(&sql.before, "before", "", "with -sql: binary of the commit to compare with")
	flag.IntVar(&sql.flows, "rows", 20_000_000, "with -sql: flows beside DuckDB")
	flag.IntVar(&sql.table, "table", 20_000_000, "with -sql: flows beside MariaDB")
	flag.StringVar(&sql.question, "question", "", "with -sql: of the flow queries those whose name has this in it")
	flag.StringVar(&sql.runaway, "runaway", "", "with -sql: of the hostile statements, and of floods, those whose name has this in it")
	flag.IntVar(&sql.calls, "calls", 5_000_000, "with -sql: rows of functions and of the stream")
	flag.DurationVar(&sql.lasts, "steady", 15*time.Minute, "with -sql: how long the same statements are asked again and again")
	read := &metadata{}
	metadated := flag.Bool("metadata", false, "measure what is read of packets instead: testdata/bench/metadata.go")
	flag.Int64Var(&read.size, "mix", 1e9, "with -metadata: bytes of the capture of many protocols")
	looked := &hunts{}
	hunted := flag.Bool("hunts", false, "measure hunts, a dashboard and the page instead: testdata/bench/hunts.go")
	flag.IntVar(&looked.connections, "connections", 20_000_000, "with -hunts: connections of the month that is hunted through; with -metadata: of a month of which a host's last week is asked for")
	flag.StringVar(&looked.name, "hunt", "", "with -hunts: of hunts those whose name has this in it")
	flag.DurationVar(&looked.watched, "watch", 5*time.Minute, "with -hunts: how long the dashboard is looked at")
	only := flag.String("only", "", "comma-joined parts to run: import, many, size, needle, thousand, ports, aggregates, files (default all); with -capture soon or retrieve; with -metadata mix, host or export")
	out := flag.String("o", "", "write the table to this file too")
	flag.Parse()
	run := b.run
	if *collector {
		run = b.collector
	}
	if *of {
		run = func(only string) error { return b.sql(only, sql) }
	}
	if *hunted {
		run = func(only string) error { return b.hunts(only, looked) }
	}
	if *metadated {
		run = func(only string) error { return b.metadata(only, read, looked.connections) }
	}
	if *captured {
		run = func(only string) error { return b.network(func() error { return b.capture(only) }) }
	}
	if *soaked > 0 {
		run = func(string) error { return b.network(func() error { return b.soak(*soaked) }) }
	}
	err := run(*only)
	text := b.table()
	fmt.Print(text)
	if *out != "" {
		if err := os.WriteFile(*out, []byte(text), 0o644); err != nil {
			log.Fatal(err)
		}
	}
	if err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(only string) error {
	want := func(part string) bool {
		return only == "" || strings.Contains(","+only+",", ","+part+",")
	}
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	if want("files") {
		if err := b.manyFiles(); err != nil {
			return err
		}
	}
	if want("many") {
		many, err := b.corpus("many", 0, manyFlows)
		if err != nil {
			return err
		}
		if err := b.manyFlows(many); err != nil {
			return err
		}
	}
	if !slices.ContainsFunc([]string{"import", "size", "needle", "thousand", "ports", "aggregates"}, want) {
		return nil
	}
	large, err := b.corpus("large", b.large, 0)
	if err != nil {
		return err
	}
	if want("import") {
		if err := b.importing(large); err != nil {
			return err
		}
	}
	if err := b.ensureArchive(large); err != nil {
		return err
	}
	if want("size") {
		if err := b.size(large); err != nil {
			return err
		}
	}
	if want("needle") || want("thousand") || want("ports") {
		small, err := b.corpus("small", b.small, 0)
		if err != nil {
			return err
		}
		if err := b.ensureArchive(small); err != nil {
			return err
		}
		if err := b.queries(small, large, want); err != nil {
			return err
		}
	}
	if want("aggregates") {
		many, err := b.corpus("flows", 0, b.flows)
		if err != nil {
			return err
		}
		if err := b.ensureArchive(many); err != nil {
			return err
		}
		if err := b.aggregates(many); err != nil {
			return err
		}
	}
	return nil
}

// queries runs everything that asks a server about the large corpus.
func (b *bench) queries(small, large *corpus, want func(string) bool) error {
	return b.withServer(large, func(db *sql.DB) error {
		if want("needle") {
			if err := b.needle(db, small, large); err != nil {
				return err
			}
		}
		if want("thousand") {
			if err := b.thousand(db, large); err != nil {
				return err
			}
		}
		if want("ports") {
			return b.ports(db, large)
		}
		return nil
	})
}

func (b *bench) add(what, ours, peer string, ratio float64, bar string) {
	r := row{what, ours, peer, fmt.Sprintf("%.2fx", ratio), bar}
	if ratio >= 10 {
		r.ratio = fmt.Sprintf("%.0fx", ratio)
	}
	log.Printf("%s: %s against %s = %s (bar %s)", r.what, r.ours, r.peer, r.ratio, r.bar)
	b.rows = append(b.rows, r)
}

func (b *bench) table() string {
	var s strings.Builder
	if len(b.rows) == 0 { // its own are printed
		return ""
	}
	fmt.Fprintf(&s, "| what | wiresql | peer | ratio | bar |\n|---|---|---|---|---|\n")
	for _, r := range b.rows {
		fmt.Fprintf(&s, "| %s | %s | %s | %s | %s |\n", r.what, r.ours, r.peer, r.ratio, r.bar)
	}
	fmt.Fprintf(&s, "\n%s; medians of %d runs, of warm queries %d.\n", machine(), b.runs, b.runs*warmRuns)
	return s.String()
}

func ms(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
}
