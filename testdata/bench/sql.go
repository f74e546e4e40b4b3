package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/testdata/mariadb"
)

// sqls measures what SQL costs: beside DuckDB on the same files, MariaDB with
// the same rows, and the commit before. A part that fails leaves the others.
type sqls struct {
	*bench
	before string // binary of the commit before
	flows  int    // rows beside DuckDB
	table  int    // rows beside MariaDB
	calls  int    // rows of functions and of the stream
	// question, when set, is part of the names of the flow queries that are asked.
	question string
	// runaway, when set, is part of the names of the hostile statements, or of the
	// floods, that run.
	runaway string
	// lasts is for how long the same statements are asked again and again.
	lasts time.Duration
}

func (b *bench) sql(only string, s *sqls) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	s.bench = b
	var failed []error
	for _, p := range []struct {
		name string
		run  func() error
	}{
		{"compile", s.compile},
		{"duckdb", s.besideDuckDB},
		{"functions", s.functions},
		{"callbacks", s.callbacks},
		{"history", s.history},
		{"dashboard", s.dashboard},
		{"before", s.besideBefore},
		{"stream", s.stream},
		{"mariadb", s.besideMariaDB},
		{"stop", s.stop},
		{"hostile", s.hostile},
		{"flood", s.flood},
		{"steady", s.steady},
		{"load", s.load},
		{"spill", s.spill},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		if err := p.run(); err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			log.Print(err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// side is one of two that answer the same question.
type side struct {
	ask func() (rows int, took time.Duration, err error)
	cpu func() time.Duration // used so far by whoever answers
}

// wire is the side of a server that is asked over a connection.
func wire(db *sql.DB, query string, cpu func() time.Duration) side {
	return side{func() (int, time.Duration, error) { return ask(db, query) }, cpu}
}

// inProcess is DuckDB's side.
func inProcess(p *peer, query string) side {
	return side{func() (int, time.Duration, error) { return p.ask(query) }, ownCPU}
}

// measured is what the runs of a side took.
type measured struct {
	walls, cpus []time.Duration
	rows        int
}

func (m *measured) spent() spent { return spent{median(m.walls), median(m.cpus)} }

// beside asks several sides in turn, so that what else the machine does meets
// them alike. The first round opens files and fills caches.
func (b *bench) beside(sides ...side) ([]measured, error) { return b.besideTimes(b.runs, sides...) }

func (b *bench) besideTimes(runs int, sides ...side) ([]measured, error) {
	if _, err := b.inTurn(1, sides...); err != nil {
		return nil, err
	}
	return b.inTurn(runs, sides...)
}

func (b *bench) inTurn(runs int, sides ...side) ([]measured, error) {
	out := make([]measured, len(sides))
	for range runs {
		for i, s := range sides {
			used := s.cpu()
			n, d, err := s.ask()
			if err != nil {
				return nil, err
			}
			out[i].rows = n
			out[i].walls, out[i].cpus = append(out[i].walls, d), append(out[i].cpus, s.cpu()-used)
		}
	}
	return out, nil
}

// maria runs ask beside a MariaDB that keeps its data in memory and was filled
// by fill: once, its files stay with the archives.
func (s *sqls) maria(name string, fill, ask func(*mariadb.Server) error, flags ...string) error {
	dir := filepath.Join(s.dir, name)
	filled := filepath.Join(dir, "filled")
	_, missing := os.Stat(filled)
	if missing != nil {
		if err := errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755)); err != nil {
			return err
		}
	}
	server, err := mariadb.Run(dir, append([]string{"--innodb-buffer-pool-size=12G", "--innodb-log-file-size=1G", "--skip-innodb-doublewrite",
		"--skip-log-bin", "--tmp-table-size=1G", "--max-heap-table-size=1G", "--sort-buffer-size=64M", "--innodb-sort-buffer-size=64M"}, flags...)...)
	if err != nil {
		return err
	}
	defer server.Stop()
	server.DB.SetMaxOpenConns(1)
	if missing != nil {
		if err := fill(server); err != nil {
			return err
		}
		if err := os.WriteFile(filled, nil, 0o644); err != nil {
			return err
		}
	}
	return ask(server)
}

// load fills a table of MariaDB's with what write makes.
func load(db *sql.DB, table, dir string, write func(*os.File) error) error {
	f, err := os.CreateTemp(dir, "rows")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	_, err = db.Exec("LOAD DATA INFILE '" + f.Name() + "' INTO TABLE " + table)
	return err
}

// geometric is the geometric mean.
func geometric(ratios []float64) float64 {
	sum := 0.0
	for _, r := range ratios {
		sum += math.Log(r)
	}
	return math.Exp(sum / float64(len(ratios)))
}

// summary adds a line for many measurements, ratios of one kind.
func (b *bench) summary(what string, ratios []float64, bar string) {
	b.add(fmt.Sprintf("%s: %d, from %.2fx to %.2fx", what, len(ratios), slices.Min(ratios), slices.Max(ratios)), "", "geometric mean", geometric(ratios), bar)
}
