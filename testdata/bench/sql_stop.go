package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-sql-driver/mysql"
)

// endless are statements that nobody waits for, each busy somewhere else.
var endless = []struct{ where, text string }{
	{"join", "SELECT COUNT(*) FROM flows a JOIN flows b ON a.dst_port = b.dst_port AND a.bytes <> b.bytes"},
	{"cross join", "SELECT SUM(a.bytes * b.bytes % 7) FROM flows a, flows b"},
	{"window frame", "SELECT MAX(x) FROM (SELECT MAX(bytes) OVER (ORDER BY ts ROWS BETWEEN 200000 PRECEDING AND 200000 FOLLOWING) x FROM flows) t"},
	{"recursion", "WITH RECURSIVE r (n, s) AS (SELECT 1, CAST('' AS CHAR(1000)) UNION ALL SELECT n + 1, CONCAT(n, LEFT(s, 500)) FROM r WHERE n < 1000000) SELECT SUM(LENGTH(s)) FROM r"},
	{"sort", "SELECT conn_id, client_ip, server_ip, server_name FROM connections ORDER BY CONCAT(server_name, conn_id), bytes"},
	{"groups", "SELECT src_ip, dst_ip, src_port, dst_port, flow_id, COUNT(*) FROM flows GROUP BY src_ip, dst_ip, src_port, dst_port, flow_id HAVING COUNT(*) > 1"},
	{"regular expression", "SELECT COUNT(*) FROM connections WHERE CONCAT(server_name, conn_id, server_name) REGEXP '(a|b|c|d)*e(x|y|z)*[0-9]+q'"},
	{"callback", "SELECT COUNT(DISTINCT SOUNDEX(CONCAT(server_name, conn_id, client_ip, server_ip))) FROM connections"},
	{"correlated subquery", "SELECT COUNT(*) FROM flows a WHERE bytes > (SELECT AVG(bytes) FROM flows b WHERE b.src_ip = a.src_ip AND b.bytes < a.bytes)"},
	{"stream", "SELECT * FROM flows"},
}

// stop measures how long statements go on that are cancelled at a moment of
// their own, and whether the server rests then.
func (s *sqls) stop() error {
	dir, err := s.rowArchive(s.calls, true)
	if err != nil {
		return err
	}
	const statements = 200
	traffic := newTraffic(s.calls)
	return s.withProcess(dir, func(db *sql.DB, pid int) error {
		db.SetMaxOpenConns(4)
		var ends, busy, alone, beside []time.Duration
		slowest, finished := "", 0
		random := rand.New(rand.NewPCG(7, 7))
		for i := range statements {
			one := endless[i%len(endless)]
			over := make(chan []time.Duration)
			end := make(chan struct{})
			go func() { over <- lookUps(db, traffic, end, 1<<30) }()
			took, done, err := stopped(db, one.text, time.Duration(random.IntN(1500))*time.Millisecond)
			close(end)
			beside = append(beside, <-over...)
			if err != nil {
				return fmt.Errorf("%s: %w", one.where, err)
			}
			if done {
				finished++
				continue
			}
			if len(ends) == 0 || took > slices.Max(ends) {
				slowest = one.where
			}
			ends = append(ends, took)
			time.Sleep(500 * time.Millisecond)
			before := processCPU(pid)
			time.Sleep(200 * time.Millisecond)
			busy = append(busy, processCPU(pid)-before)
			alone = append(alone, lookUps(db, traffic, make(chan struct{}), 30)...)
		}
		slices.Sort(ends)
		slices.Sort(busy)
		slices.Sort(alone)
		slices.Sort(beside)
		p99, single := beside[len(beside)*99/100], alone[len(alone)*99/100]
		s.rows = append(s.rows,
			row{fmt.Sprintf("%d statements cancelled at random moments (%d more ended by themselves), the slowest in: %s", len(ends), finished, slowest),
				fmt.Sprintf("median %s, p99 %s, most %s", ms(median(ends)), ms(ends[len(ends)*99/100]), ms(ends[len(ends)-1])), "", "", "p99 < 1 s"},
			row{"the server's CPU in 200 ms, half a second later", fmt.Sprintf("median %s, p99 %s", ms(median(busy)), ms(busy[len(busy)*99/100])), "", "", "idle"},
			row{fmt.Sprintf("p99 of %d look-ups of another client meanwhile", len(beside)), ms(p99), "alone " + ms(single), fmt.Sprintf("%.1fx", ratio(p99, single)), "< 2x"})
		log.Printf("%+v", s.rows[len(s.rows)-3:])
		return nil
	}, "--max-execution-time=0")
}

// lookUps looks conversations up until it is told to end, or has done so often
// enough; it says how long each took.
func lookUps(db *sql.DB, t *traffic, end <-chan struct{}, most int) (took []time.Duration) {
	for len(took) < most {
		select {
		case <-end:
			return took
		default:
		}
		one, err := t.lookUp(db, len(took)*4999%t.rows)
		if err != nil {
			log.Printf("look-up: %v", err)
			return took
		}
		took = append(took, one)
		time.Sleep(5 * time.Millisecond)
	}
	return took
}

// stopped runs a statement, cancels it after a while with KILL QUERY, and says
// how long it went on; done when it had ended by itself.
func stopped(db *sql.DB, text string, after time.Duration) (took time.Duration, done bool, err error) {
	ctx := context.Background()
	c, err := db.Conn(ctx)
	if err != nil {
		return 0, false, err
	}
	defer c.Close()
	var id uint64
	if err := c.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		return 0, false, err
	}
	if _, err := c.ExecContext(ctx, "SET SESSION cte_max_recursion_depth = 1000000"); err != nil {
		return 0, false, err
	}
	ended := make(chan error, 1)
	go func() {
		rows, err := c.QueryContext(ctx, text)
		if err == nil {
			for rows.Next() {
			}
			err = rows.Err()
			rows.Close()
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		return 0, true, err
	case <-time.After(after):
	}
	start := time.Now()
	if _, err := db.ExecContext(ctx, fmt.Sprintf("KILL QUERY %d", id)); err != nil {
		return 0, false, err
	}
	err = <-ended
	var e *mysql.MySQLError
	if errors.As(err, &e) && (e.Number == 1317 || e.Number == 3024) {
		return time.Since(start), false, nil
	}
	return 0, err == nil, err
}
