package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/testdata/runaways"
)

// hostile measures what another client waits while each of the statements runs
// that a server must be able to end.
func (s *sqls) hostile() error {
	dir := filepath.Join(s.dir, "demo.archive")
	if out, err := exec.Command(s.wiresql, "demo", "--once", "--data", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("demo: %w: %s", err, out)
	}
	return s.withProcess(dir, func(db *sql.DB, _ int) error {
		db.SetMaxOpenConns(4)
		var alone, beside []time.Duration
		worst, worstTail := pair{}, pair{}
		var failed []string // beside which a point query was not answered
		for _, r := range slices.Concat(runaways.Usual, runaways.More) {
			if !strings.Contains(r.Name, s.runaway) {
				continue
			}
			one := pair{name: r.Name}
			var err error
			// Alone before and after: what else the machine does changes.
			if one.alone, err = points(db, 50); err != nil {
				return err
			}
			ctx, cancel := context.WithCancel(context.Background())
			over := runHostile(ctx, db, r)
			time.Sleep(50 * time.Millisecond)
			one.beside, err = points(db, 100)
			cancel()
			<-over
			if err != nil {
				log.Printf("beside %s: %v", r.Name, err)
				failed = append(failed, r.Name)
			}
			time.Sleep(300 * time.Millisecond)
			again, err := points(db, 50)
			if err != nil {
				return err
			}
			one.alone = append(one.alone, again...)
			alone, beside = append(alone, one.alone...), append(beside, one.beside...)
			log.Printf("beside %s: median %s, alone %s, %.1fx; nine in ten %s, alone %s, %.1fx", r.Name, ms(share(one.beside, 50)), ms(share(one.alone, 50)),
				one.ratio(50), ms(share(one.beside, 90)), ms(share(one.alone, 90)), one.ratio(90))
			if worst.name == "" || one.ratio(50) > worst.ratio(50) {
				worst = one
			}
			if worstTail.name == "" || one.ratio(90) > worstTail.ratio(90) {
				worstTail = one
			}
		}
		all := pair{"", alone, beside}
		add := func(what string, p pair, percent int, bar string) {
			s.add(what, ms(share(p.beside, percent)), "alone "+ms(share(p.alone, percent)), p.ratio(percent), bar)
		}
		add(fmt.Sprintf("p99 of %d point queries beside hostile statements", len(beside)), all, 99, "< 2x")
		s.rows = append(s.rows, row{"statements beside which one was not answered: " + strings.Join(failed, ", "), fmt.Sprint(len(failed)), "", "", "0"})
		add("their median", all, 50, "")
		add("their median beside the one that costs most, "+worst.name, worst, 50, "")
		add("nine in ten beside the one that costs most, "+worstTail.name, worstTail, 90, "")
		return nil
	}, "--max-execution-time=0", "--memory-limit=1073741824")
}

// pair are the times of a client beside a statement, and without it.
type pair struct {
	name          string
	alone, beside []time.Duration
}

func (p pair) ratio(percent int) float64 {
	return ratio(share(p.beside, percent), share(p.alone, percent))
}

// share is the time in which so many of a hundred were answered.
func share(d []time.Duration, percent int) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(d))[len(d)*percent/100]
}

// points asks for little, often, and says how long each took.
func points(db *sql.DB, times int) (took []time.Duration, err error) {
	for range times {
		began := time.Now()
		var n int
		if err := db.QueryRow("SELECT COUNT(*) FROM flows WHERE src_port = 53").Scan(&n); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
		time.Sleep(5 * time.Millisecond)
	}
	return took, nil
}

// runHostile runs a statement, again as often as it ends, until ctx ends.
func runHostile(ctx context.Context, db *sql.DB, r runaways.Statement) (over chan struct{}) {
	over = make(chan struct{})
	go func() {
		defer close(over)
		for ctx.Err() == nil {
			c, err := db.Conn(ctx)
			if err != nil {
				continue
			}
			_, err = c.ExecContext(ctx, "SET SESSION cte_max_recursion_depth = 4000000000")
			if err == nil {
				var rows *sql.Rows
				if rows, err = c.QueryContext(ctx, r.Text); err == nil {
					for rows.Next() {
						if r.Kind == "streaming" {
							<-ctx.Done() // a client that stalls
						}
					}
					rows.Close()
				}
			}
			c.Close()
		}
	}()
	return over
}
