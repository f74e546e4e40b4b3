package main

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/engine/hunt"
)

// hunts measures what people do every day: hunts over a month beside the same SQL in
// DuckDB, a dashboard that is looked at, a host's page in a browser.
type hunts struct {
	*bench
	connections int
	name        string // of hunts, those whose name has this in it
	watched     time.Duration
}

func (b *bench) hunts(only string, h *hunts) error {
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return err
	}
	h.bench = b
	var failed []error
	for _, p := range []struct {
		name string
		run  func(dir string) error
	}{
		{"find", h.find},
		{"all", h.all},
		{"dashboard", h.dashboard},
		{"page", h.page},
	} {
		if only != "" && !strings.Contains(","+only+",", ","+p.name+",") {
			continue
		}
		dir, err := h.huntArchive(h.connections)
		if err == nil {
			err = p.run(dir)
		}
		if err != nil {
			err = fmt.Errorf("%s: %w", p.name, err)
			log.Print(err)
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// command runs the program under test to its end.
func (b *bench) command(args ...string) (string, error) {
	out, err := exec.Command(b.wiresql, args...).CombinedOutput()
	return string(out), err
}

// call is the statement that runs a hunt over the week.
func (x *expected) call() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CALL hunt.hunt('%s', 'from', '%s', 'to', '%s'", x.hunt, huntFrom, huntTo)
	for _, p := range x.params {
		b.WriteString(", " + hunt.Quote(p))
	}
	return b.String() + ")"
}

// find has each hunt find what was planted, beside the same question in DuckDB.
func (h *hunts) find(dir string) error {
	duck, err := newPeer()
	if err != nil {
		return err
	}
	defer duck.close()
	hand, err := newByHand(duck, dir)
	if err != nil {
		return err
	}
	library := hunt.NewLibrary("")
	expect := expectations()
	for _, shipped := range hunt.Shipped() {
		if !slices.ContainsFunc(expect, func(x expected) bool { return x.hunt == shipped.Name }) {
			return fmt.Errorf("nothing is planted for %s", shipped.Name)
		}
	}
	var failed []error
	var walls, cpus []float64
	slower := 0
	err = h.withProcess(dir, func(db *sql.DB, pid int) error {
		used := func() time.Duration { return processCPU(pid) } // threads come and go
		community, err := columnOf(db, "SELECT community_id FROM connections WHERE server_ip = '"+outside(79).String()+"'", "community_id")
		if err != nil || len(community) != 1 {
			return errors.Join(err, fmt.Errorf("community ids of the theft: %v", community))
		}
		for _, x := range expect {
			if !strings.Contains(x.hunt, h.name) {
				continue
			}
			for i := range x.params {
				x.params[i] = strings.ReplaceAll(x.params[i], "{community}", community[0])
			}
			found, err := columnOf(db, x.call(), x.column)
			if err == nil && !slices.Equal(found, slices.Sorted(slices.Values(x.want))) {
				err = fmt.Errorf("found %v, planted was %v", found, x.want)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", x.hunt, err))
				log.Print(failed[len(failed)-1])
				continue
			}
			text, err := hand.text(library, &x)
			if err != nil {
				return err
			}
			// What the files hold was read a moment ago.
			m, err := h.inTurn(h.runs, wire(db, x.call(), used), inProcess(duck, text))
			if err == nil && m[0].rows != m[1].rows {
				err = fmt.Errorf("%d rows, DuckDB has %d", m[0].rows, m[1].rows)
			}
			if err != nil {
				failed = append(failed, fmt.Errorf("%s: %w", x.hunt, err))
				log.Print(failed[len(failed)-1])
				continue
			}
			ours, theirs := m[0].spent(), m[1].spent()
			walls, cpus = append(walls, ratio(ours.wall, theirs.wall)), append(cpus, ratio(ours.cpu, theirs.cpu))
			if ours.wall > 2*theirs.wall {
				slower++
			}
			h.add(fmt.Sprintf("%s, %d rows", x.hunt, m[0].rows), ours.String(), "DuckDB in-process "+theirs.String(), ratio(ours.wall, theirs.wall), "≤ 2x")
		}
		return nil
	})
	if len(walls) > 0 {
		h.summary(fmt.Sprintf("hunts over a week of %.1f M connections that found what was planted, beside DuckDB by hand", float64(h.connections)/1e6), walls, "≤ 2x")
		h.summary("the same, CPU", cpus, "")
		log.Printf("%d of %d took more than twice DuckDB's time", slower, len(walls))
	}
	return errors.Join(append(failed, err)...)
}

// columnOf is the values of a column, each once.
func columnOf(db *sql.DB, query, column string) ([]string, error) {
	rows, err := db.Query(query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	at := slices.Index(columns, column)
	if at < 0 {
		return nil, fmt.Errorf("no column %s among %v", column, columns)
	}
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		out = append(out, cells[at].String)
	}
	slices.Sort(out)
	return slices.Compact(out), rows.Err()
}

// all is what somebody does who was handed an archive.
func (h *hunts) all(dir string) error {
	var walls []time.Duration
	for range h.runs {
		start := time.Now()
		if out, err := h.command("hunt", "run", "--all", "--data", dir); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		walls = append(walls, time.Since(start))
		log.Printf("hunt run --all: %v", walls[len(walls)-1].Round(time.Millisecond))
	}
	took := median(walls)
	h.add(fmt.Sprintf("hunt run --all over %.1f M connections of %d days", float64(h.connections)/1e6, huntDays), took.Round(time.Second/10).String(), "60 s", ratio(took, time.Minute), "≤ 1x")
	return nil
}
