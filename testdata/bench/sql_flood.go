package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// floods are small statements, of milliseconds, that a client asks without end.
var floods = []struct{ name, text string }{
	{"count", "SELECT COUNT(*) FROM flows WHERE dst_port = 443"},
	{"groups", "SELECT service, COUNT(*), SUM(bytes), MAX(ts) FROM connections GROUP BY service ORDER BY 2 DESC"},
	{"join", "SELECT COUNT(*) FROM flows a JOIN flows b ON a.src_port + b.dst_port > 70000 WHERE a.bytes > b.bytes"},
	{"packets", "SELECT COUNT(*), SUM(length) FROM packets WHERE dst_port = 443"},
	{"calls", "SELECT COUNT(DISTINCT SOUNDEX(CONCAT(COALESCE(server_name, ''), client_ip))) FROM connections"},
	{"planning", "SELECT COUNT(*) FROM flows f0 JOIN flows f1 USING (conn_id) JOIN flows f2 USING (conn_id) JOIN flows f3 USING (conn_id) JOIN flows f4 USING (conn_id)"},
}

// flood measures what another client waits while one asks small statements without
// end: over one connection of the same account, and over many of another.
func (s *sqls) flood() error {
	dir := filepath.Join(s.dir, "demo.archive")
	if out, err := exec.Command(s.wiresql, "demo", "--once", "--data", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("demo: %w: %s", err, out)
	}
	// The first start makes an account, of which there are two from now on.
	if err := s.withProcess(dir, func(*sql.DB, int) error { return nil }); err != nil {
		return err
	}
	if err := secondAccount(filepath.Join(dir, "serve", "accounts")); err != nil {
		return err
	}
	return s.withProcess(dir, func(db *sql.DB, _ int) error {
		db.SetMaxOpenConns(4)
		other, err := sql.Open("mysql", "other:"+s.access)
		if err != nil {
			return err
		}
		defer other.Close()
		for _, connections := range []int{1, 16} {
			from := other
			if connections == 1 {
				from = db
			}
			worst, all := pair{}, pair{}
			for _, f := range floods {
				if !strings.Contains(f.name, s.runaway) {
					continue
				}
				one := pair{name: f.name}
				var err error
				if one.alone, err = points(db, 200); err != nil {
					return err
				}
				ctx, cancel := context.WithCancel(context.Background())
				var asked atomic.Int64
				var running sync.WaitGroup
				for range connections {
					running.Go(func() {
						c, err := from.Conn(ctx)
						if err != nil {
							log.Printf("%s: %v", f.name, err)
							return
						}
						defer c.Close()
						for ctx.Err() == nil {
							if _, _, err := rowsText(c, f.text); err != nil {
								log.Printf("%s: %v", f.name, err)
								return
							}
							asked.Add(1)
						}
					})
				}
				time.Sleep(500 * time.Millisecond) // by then it is known who asks a lot
				began, before := time.Now(), asked.Load()
				one.beside, err = points(db, 400)
				rate := float64(asked.Load()-before) / time.Since(began).Seconds()
				cancel()
				running.Wait()
				if err != nil {
					return err
				}
				again, err := points(db, 200)
				if err != nil {
					return err
				}
				one.alone = append(one.alone, again...)
				all.alone, all.beside = append(all.alone, one.alone...), append(all.beside, one.beside...)
				log.Printf("beside %d connections that ask %s, %.0f a second: median %s, alone %s, %.1fx; p99 %s, alone %s, %.1fx", connections, f.name, rate,
					ms(share(one.beside, 50)), ms(share(one.alone, 50)), one.ratio(50), ms(share(one.beside, 99)), ms(share(one.alone, 99)), one.ratio(99))
				if worst.name == "" || one.ratio(99) > worst.ratio(99) {
					worst = one
				}
			}
			what := fmt.Sprintf("of %d point queries beside small ones without end, over %d connections", len(all.beside), connections)
			s.add("p99 "+what, ms(share(all.beside, 99)), "alone "+ms(share(all.alone, 99)), all.ratio(99), "< 2x")
			s.add("median "+what, ms(share(all.beside, 50)), "alone "+ms(share(all.alone, 50)), all.ratio(50), "")
			s.add("p99 beside those that cost most, "+worst.name, ms(share(worst.beside, 99)), "alone "+ms(share(worst.alone, 99)), worst.ratio(99), "")
		}
		return nil
	})
}

// secondAccount adds an account to a file of one, with the same rights and password.
func secondAccount(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var list []map[string]any
	if err := json.Unmarshal(text, &list); err != nil || len(list) > 1 {
		return err
	}
	other := maps.Clone(list[0])
	other["name"] = "other"
	if text, err = json.Marshal(append(list, other)); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}
