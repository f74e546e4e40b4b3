package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/tables"
)

// mixed are statements of dashboards and hunters; of a hundred, share ask each.
// A look-up of one conversation is the rest.
var mixed = []struct {
	share int
	text  string
}{
	{6, "SELECT dst_port, COUNT(*) n, SUM(bytes) b FROM flows GROUP BY dst_port ORDER BY n DESC, dst_port LIMIT 20"},
	{4, "SELECT UNIX_TIMESTAMP(ts) DIV 300 * 300 AS t, SUM(total_bytes) b FROM flows GROUP BY t ORDER BY t"},
	{3, "SELECT COUNT(*), SUM(bytes) FROM flows WHERE IP_IN(src_ip, '10.1.0.0/16')"},
	{2, "SELECT src_ip, SUM(total_bytes) b FROM flows GROUP BY src_ip ORDER BY b DESC, src_ip LIMIT 10"},
	{2, "SELECT ts, src_ip, dst_ip, bytes FROM flows WHERE dst_port = 22 ORDER BY bytes DESC, flow_id LIMIT 1000"},
	{2, "SELECT service, COUNT(DISTINCT server_name) FROM connections GROUP BY service ORDER BY service"},
	{1, "SELECT SUM(CRC32(server_name)) FROM connections WHERE server_port = 443"},
}

// load lets many clients ask at once, under a ceiling of memory.
func (s *sqls) load() error {
	const clients, rows, ceiling, lasts = 200, 1_000_000, 2 << 30, 3 * time.Minute
	dir, err := s.rowArchive(rows, true)
	if err != nil {
		return err
	}
	traffic := newTraffic(rows)
	return s.withProcess(dir, func(db *sql.DB, pid int) error {
		db.SetMaxOpenConns(clients)
		db.SetMaxIdleConns(clients)
		want := map[string]string{}
		for _, m := range mixed {
			text, _, err := rowsText(db, m.text)
			if err != nil {
				return err
			}
			want[m.text] = text
		}
		var alone []time.Duration
		for i := range 200 {
			took, err := traffic.lookUp(db, i*4999)
			if err != nil {
				return err
			}
			alone = append(alone, took)
		}

		most := peak(pid)
		ctx, cancel := context.WithTimeout(context.Background(), lasts)
		defer cancel()
		var mu sync.Mutex
		var points []time.Duration
		var others atomic.Int64
		wrong := map[string]int{}
		var running, connected sync.WaitGroup
		connected.Add(clients)
		for client := range clients {
			running.Go(func() {
				c, err := db.Conn(context.Background())
				connected.Done()
				if err != nil {
					mu.Lock()
					wrong[err.Error()]++
					mu.Unlock()
					return
				}
				defer c.Close()
				connected.Wait()
				random := rand.New(rand.NewPCG(uint64(client), 99))
				for ctx.Err() == nil {
					// Between two statements one reads for a while.
					time.Sleep(time.Duration(random.ExpFloat64() * float64(5*time.Second)))
					text, k := "", random.IntN(100)
					for _, m := range mixed {
						if k < m.share && text == "" {
							text = m.text
						}
						k -= m.share
					}
					var err error
					if text == "" {
						var took time.Duration
						took, err = traffic.lookUp(c, random.IntN(rows))
						mu.Lock()
						points = append(points, took)
						mu.Unlock()
					} else {
						var got string
						if got, _, err = rowsText(c, text); err == nil && got != want[text] {
							err = errors.New("other rows: " + text)
						}
						others.Add(1)
					}
					if err != nil {
						mu.Lock()
						wrong[err.Error()]++
						mu.Unlock()
					}
				}
			})
		}
		connected.Wait()
		refused := tooMany(db)
		running.Wait()
		top := most()
		slices.Sort(points)
		slices.Sort(alone)
		p99, single := points[len(points)*99/100], alone[len(alone)*99/100]
		for text, n := range wrong {
			log.Printf("%d times: %s", n, text)
		}
		s.rows = append(s.rows,
			row{fmt.Sprintf("%d clients, %v: %d look-ups, %d other statements", clients, lasts, len(points), others.Load()), fmt.Sprintf("%d kinds of errors or wrong rows", len(wrong)), "", "", "0"},
			row{"p99 of a look-up", ms(p99), "alone " + ms(single), fmt.Sprintf("%.1fx", ratio(p99, single)), "< 10x"},
			row{"memory under a ceiling of 2 GB", fmt.Sprintf("%d MB", top>>20), "", fmt.Sprintf("%.2fx", float64(top)/ceiling), "≤ 1.15x"},
			row{"the client over the limit", refused, "", "", "1040 at once"})
		log.Printf("%+v", s.rows[len(s.rows)-4:])
		return nil
	}, fmt.Sprintf("--memory-limit=%d", ceiling), fmt.Sprintf("--max-connections=%d", clients), "--max-statements=1000")
}

// lookUp asks for one conversation and compares it with what was made.
func (t *traffic) lookUp(c queryer, n int) (time.Duration, error) {
	var f tables.Flow
	t.flow(n, &f)
	text := "SELECT client_bytes, server_port, COALESCE(server_name, '') FROM connections WHERE conn_id = '" + f.ConnID.String() + "'"
	got, took, err := rowsText(c, text)
	if want := fmt.Sprintf("%d\t%d\t%s\n", f.Bytes, f.DstPort, f.ServerName); err == nil && got != want {
		err = fmt.Errorf("%s: %q, want %q", text, got, want)
	}
	return took, err
}

// tooMany is what a client over the limit is told, and after how long.
func tooMany(db *sql.DB) string {
	db.SetMaxOpenConns(0)
	start := time.Now()
	c, err := db.Conn(context.Background())
	if err == nil {
		c.Close()
		return "was let in"
	}
	var e *mysql.MySQLError
	if !errors.As(err, &e) {
		return err.Error()
	}
	return fmt.Sprintf("error %d after %s", e.Number, ms(time.Since(start)))
}
