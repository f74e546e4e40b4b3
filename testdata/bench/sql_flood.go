package main

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"os/exec"
	"path/filepath"
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
// end, over one connection and over many.
func (s *sqls) flood() error {
	dir := filepath.Join(s.dir, "demo.archive")
	if out, err := exec.Command(s.wiresql, "demo", "--once", "--data", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("demo: %w: %s", err, out)
	}
	return s.withProcess(dir, func(db *sql.DB, _ int) error {
		db.SetMaxOpenConns(40)
		db.SetMaxIdleConns(1)
		for _, connections := range []int{1, 16} {
			worst, all := pair{}, pair{}
			for _, f := range floods {
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
						c, err := db.Conn(ctx)
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
