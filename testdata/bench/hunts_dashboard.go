package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lookedEvery is how often the dashboard asks all its panels.
	lookedEvery = 5 * time.Second
	// left is how many of ten refreshes are left before they are answered.
	left = 3
)

// dashboard looks at the panels of a month as a browser does: all at once, again and
// again, and sometimes away before they are answered.
func (h *hunts) dashboard(dir string) error {
	within := fmt.Sprintf("ts BETWEEN '2026-06-01 00:17:42' AND '%s'", huntTo)
	return h.withProcess(dir, func(db *sql.DB, pid int) error {
		db.SetMaxOpenConns(len(panels))
		db.SetMaxIdleConns(len(panels))
		var ask []string
		for _, p := range panels {
			ask = append(ask, strings.NewReplacer("{from}", "traffic_1m", "{bytes}", "bytes", "{packets}", "packets", "{connections}", "SUM(connections)", "{range}", within).Replace(p))
		}
		want := make([]string, len(ask))
		for i, q := range ask { // the first time opens files
			var err error
			if want[i], err = textOf(context.Background(), db, q); err != nil {
				return err
			}
		}
		var mu sync.Mutex
		var took []time.Duration
		var rss []int64
		wrong, cancelled := map[string]int{}, 0
		random := rand.New(rand.NewPCG(5, 5))
		used := processCPU(pid)
		start := time.Now()
		for n := 0; time.Since(start) < h.watched; n++ {
			ctx, stop := context.WithCancel(context.Background())
			leaves := n%10 < left
			if leaves {
				time.AfterFunc(time.Duration(random.IntN(60))*time.Millisecond, stop)
			}
			var all sync.WaitGroup
			for i, q := range ask {
				all.Go(func() {
					began := time.Now()
					text, err := textOf(ctx, db, q)
					mu.Lock()
					defer mu.Unlock()
					switch {
					case ctx.Err() != nil:
						cancelled++
					case err != nil:
						wrong[err.Error()]++
					case text != want[i]:
						wrong["another answer: "+q]++
					default:
						took = append(took, time.Since(began))
					}
				})
			}
			all.Wait()
			stop()
			rss = append(rss, resident(pid))
			time.Sleep(time.Until(start.Add(time.Duration(n+1) * lookedEvery))) // as the dashboard does
		}
		used = processCPU(pid) - used
		for text, n := range wrong {
			return fmt.Errorf("%d times %s", n, text)
		}
		if len(took) == 0 {
			return errors.New("no panel was answered")
		}
		time.Sleep(time.Second) // what was left has ended by then
		var statements int
		if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE COMMAND = 'Query' AND INFO NOT LIKE '%processlist%'").Scan(&statements); err != nil {
			return err
		}
		before := processCPU(pid)
		time.Sleep(3 * time.Second) // nobody asks
		idle := processCPU(pid) - before
		slices.Sort(took)
		at := func(part float64) time.Duration { return took[int(part*float64(len(took)-1))] }
		early, late := slices.Max(rss[:max(1, len(rss)/4)]), slices.Max(rss[len(rss)-max(1, len(rss)/4):])
		log.Printf("panels: median %v, p95 %v, p99 %v, CPU %v; %d left behind; idle afterwards: %v of CPU in 3 s", at(0.5), at(0.95), at(0.99), used, cancelled, idle)
		h.add(fmt.Sprintf("12 panels of 30 days every 5 s for %v, %d answers, %d cancelled: p95 of a panel", h.watched, len(took), cancelled), ms(at(0.95)), "300 ms", ratio(at(0.95), 300*time.Millisecond), "≤ 1x")
		h.add("the same: memory in the last quarter", fmt.Sprintf("%d MB", late>>20), fmt.Sprintf("in the first %d MB", early>>20), float64(late)/float64(early), "≤ 1.1x")
		if statements > 0 || idle > time.Second {
			return fmt.Errorf("%d statements run on that nobody waits for, %v of CPU in 3 s", statements, idle)
		}
		return nil
	})
}

// textOf is rowsText that can be left.
func textOf(ctx context.Context, db *sql.DB, query string) (string, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	text, _, err := rowsText(leaving{ctx, conn}, query)
	return inOrder(text), err
}

// inOrder are the lines of an answer, which no panel orders wholly.
func inOrder(text string) string {
	lines := strings.Split(text, "\n")
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// leaving asks until its context ends.
type leaving struct {
	ctx  context.Context
	conn *sql.Conn
}

func (l leaving) QueryContext(_ context.Context, query string, args ...any) (*sql.Rows, error) {
	return l.conn.QueryContext(l.ctx, query, args...)
}
