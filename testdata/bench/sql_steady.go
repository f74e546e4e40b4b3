package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// steady asks a server the same statements again and again for so long, and says what
// of its memory grows: the process's, Go's heap in use, what Go holds. What grows
// levels off, or nobody could let it run.
func (s *sqls) steady() error {
	const clients = 6
	dir := filepath.Join(s.dir, "demo.archive")
	if out, err := exec.Command(s.wiresql, "demo", "--once", "--data", dir).CombinedOutput(); err != nil {
		return fmt.Errorf("demo: %w: %s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	metrics := l.Addr().String()
	l.Close()
	return s.withProcess(dir, func(db *sql.DB, _ int) error {
		db.SetMaxOpenConns(clients + 1)
		db.SetMaxIdleConns(2) // some connect anew
		statements, err := steadyStatements(db)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(context.Background(), s.lasts)
		defer cancel()
		var asked, failed atomic.Int64
		var running sync.WaitGroup
		for client := range clients {
			running.Go(func() {
				for n := client * 7; ctx.Err() == nil; n++ {
					if _, err := drain(db, statements[n%len(statements)]); err != nil {
						failed.Add(1)
						log.Printf("%s: %v", statements[n%len(statements)], err)
					}
					asked.Add(1)
				}
			})
		}
		var samples [][]float64
		tick := time.NewTicker(5 * time.Second)
		defer tick.Stop()
		for at := time.Now(); ctx.Err() == nil; {
			select {
			case <-ctx.Done():
			case <-tick.C:
				one, err := memoryAt(metrics)
				if err != nil {
					return err
				}
				if samples = append(samples, one); len(samples)%12 == 0 {
					log.Printf("after %v, %d statements: MB of %s: %.0f", time.Since(at).Round(time.Second), asked.Load(), strings.Join(memoryNames, ", "), one)
				}
			}
		}
		running.Wait()
		fifth := func(n, of int) float64 {
			var list []float64
			for _, one := range samples[len(samples)*n/5 : len(samples)*(n+1)/5] {
				list = append(list, one[of])
			}
			slices.Sort(list)
			return list[len(list)/2]
		}
		for i, name := range memoryNames {
			parts := make([]string, 5)
			for n := range parts {
				parts[n] = fmt.Sprintf("%.0f", fifth(n, i))
			}
			bar := ""
			if i == 0 {
				bar = "≤ 1.1x"
			}
			s.add(fmt.Sprintf("%v of %d statements, %d of them failed: MB of %s, by fifths %s", s.lasts, asked.Load(), failed.Load(), name, strings.Join(parts, ", ")),
				"last "+parts[4], "before "+parts[3], fifth(4, i)/max(fifth(3, i), 1), bar)
		}
		return nil
	}, "--server.metrics-listen", metrics, "--memory-limit=1073741824")
}

// steadyStatements are those of dashboards, hunters and programs that look round.
func steadyStatements(db *sql.DB) (list []string, err error) {
	for _, m := range mixed {
		list = append(list, m.text)
	}
	list = append(list, "SELECT c.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE c.server_port = 80 ORDER BY p.ts",
		"SELECT COUNT(*), SUM(length) FROM packets WHERE dst_port = 443", "SELECT * FROM connections", "SELECT frame FROM packet_bytes LIMIT 500",
		"SELECT COUNT(*) FROM packets WHERE info REGEXP '[a-z]+[0-9]{3}'", "SELECT SUM(LENGTH(REGEXP_REPLACE(info, '[0-9]+', 'x'))) FROM packets",
		"SELECT * FROM information_schema.columns", "SHOW GLOBAL STATUS", "SHOW VARIABLES", "SELECT * FROM ops.query_log", "EXPLAIN SELECT * FROM packets WHERE dst_port = 53",
		"SELECT * FROM timeline ORDER BY ts LIMIT 1000")
	given := map[string]string{"alert_context": ", 'community', '1:LQU9qZlK+B5F3KDmev6m5PMibrg='", "everything": ", 'host', '10.0.0.7'",
		"ioc_sweep": ", 'indicators', '10.0.0.7,example.com'", "who_resolved": ", 'name', 'example.com'"}
	rows, err := db.Query("SELECT name FROM hunt.hunts")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		list = append(list, "CALL hunt('"+name+"'"+given[name]+")")
	}
	return list, rows.Err()
}

// memoryNames are what is looked at, by memoryMetrics.
var (
	memoryNames   = []string{"the process", "Go's heap in use", "what Go holds"}
	memoryMetrics = []string{"process_resident_memory_bytes", "go_memstats_heap_inuse_bytes", "go_memstats_sys_bytes"}
)

// memoryAt is what a process says of its memory, in MB.
func memoryAt(address string) ([]float64, error) {
	response, err := http.Get("http://" + address + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(memoryMetrics))
	for i, name := range memoryMetrics {
		m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(text)
		if m == nil {
			continue // of some there is none
		}
		bytes, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			return nil, err
		}
		out[i] = bytes / 1e6
	}
	return out, nil
}
