package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Functions over conversations: {rows} stands for the row files in DuckDB's
// text, which a person would write who wants the same values.
type functionQuery struct{ what, ours, duck string }

// sent and received are what both directions come to in the row files.
const (
	duckBytes   = "(client_bytes + coalesce(server_bytes, 0))"
	duckPackets = "(client_packets + coalesce(server_packets, 0))"
)

// perRow are the functions dashboards send for every row.
var perRow = []functionQuery{
	{"arithmetic", "SELECT SUM(client_bytes * 8 + server_bytes * 8 - packets * 40) FROM connections",
		"SELECT sum(client_bytes * 8 + server_bytes * 8 - " + duckPackets + " * 40) FROM {rows}"},
	{"division", "SELECT SUM(bytes / packets) FROM connections",
		"SELECT CAST(sum(" + duckBytes + " * 1000000000 // " + duckPackets + ") AS DECIMAL(38,0)) * 0.000000001 FROM {rows}"},
	{"division, by DuckDB in DOUBLE", "SELECT SUM(bytes / packets) FROM connections",
		"SELECT sum(" + duckBytes + " / " + duckPackets + ") FROM {rows}"},
	{"CASE", "SELECT SUM(CASE WHEN service = 'https' THEN client_bytes WHEN server_port < 1024 THEN server_bytes ELSE 0 END) FROM connections",
		"SELECT sum(CASE WHEN service = 'https' THEN client_bytes WHEN server_port < 1024 THEN server_bytes ELSE 0 END) FROM {rows}"},
	{"comparison", "SELECT SUM(client_bytes > server_bytes), SUM(server_port BETWEEN 1 AND 1023), SUM(service IN ('http', 'https')) FROM connections",
		"SELECT sum((client_bytes > server_bytes)::INTEGER), sum((server_port BETWEEN 1 AND 1023)::INTEGER), sum((service IN ('http', 'https'))::INTEGER) FROM {rows}"},
	{"LIKE", "SELECT COUNT(*) FROM connections WHERE server_name LIKE '%update%example1%'",
		"SELECT count(*) FROM {rows} WHERE server_name LIKE '%update%example1%'"},
	{"CONCAT", "SELECT CONCAT(service, ':', server_port) k, COUNT(*) n FROM connections GROUP BY k ORDER BY n DESC LIMIT 10",
		"SELECT service || ':' || server_port k, count(*) n FROM {rows} GROUP BY k ORDER BY n DESC LIMIT 10"},
	{"SUBSTRING", "SELECT SUBSTRING(server_name, 1, 4) s, COUNT(*) n FROM connections GROUP BY s ORDER BY n DESC",
		"SELECT substring(server_name, 1, 4) s, count(*) n FROM {rows} GROUP BY s ORDER BY n DESC"},
	{"LOWER", "SELECT LOWER(server_name) s, COUNT(*) n FROM connections GROUP BY s ORDER BY n DESC LIMIT 10",
		"SELECT lower(server_name) s, count(*) n FROM {rows} GROUP BY s ORDER BY n DESC LIMIT 10"},
	{"DATE", "SELECT DATE(ts) d, COUNT(*) FROM connections GROUP BY d ORDER BY d",
		"SELECT CAST(ts AS DATE) d, count(*) FROM {rows} GROUP BY d ORDER BY d"},
	{"HOUR", "SELECT HOUR(ts) h, COUNT(*) FROM connections GROUP BY h ORDER BY h",
		"SELECT hour(ts) h, count(*) FROM {rows} GROUP BY h ORDER BY h"},
	{"DATE_FORMAT", "SELECT DATE_FORMAT(ts, '%Y-%m-%d %H:00:00') h, COUNT(*) FROM connections GROUP BY h ORDER BY h",
		"SELECT strftime(ts, '%Y-%m-%d %H:00:00') h, count(*) FROM {rows} GROUP BY h ORDER BY h"},
	{"UNIX_TIMESTAMP", "SELECT MAX(UNIX_TIMESTAMP(ts) * 1000), SUM(FLOOR(UNIX_TIMESTAMP(ts))) FROM connections",
		"SELECT max(CAST(epoch_us(ts) AS DECIMAL(38,0)) * 0.001), sum(epoch_us(ts) // 1000000) FROM {rows}"},
	{"TIMESTAMPDIFF", "SELECT SUM(TIMESTAMPDIFF(SECOND, ts, ts_end)) FROM connections",
		"SELECT sum(datesub('second', ts, ts_end)) FROM {rows}"},
	{"FROM_UNIXTIME", "SELECT FROM_UNIXTIME(UNIX_TIMESTAMP(ts) DIV 300 * 300) t, COUNT(*) FROM connections GROUP BY t ORDER BY t",
		"SELECT make_timestamp(epoch_us(ts) // 300000000 * 300000000) t, count(*) FROM {rows} GROUP BY t ORDER BY t"},
	{"INET_ATON", "SELECT SUM(INET_ATON(client_ip)) FROM connections",
		"SELECT sum(CASE WHEN client_hi = 0 AND client_lo >> 32 = 65535 THEN client_lo & 4294967295 END) FROM {rows}"},
}

// calledBack are functions DuckDB has nothing for: it calls the function table.
// They are asked with arguments of few values, and with as many as rows.
var calledBack = []functionQuery{
	{what: "CRC32 of a name", ours: "SELECT SUM(CRC32(server_name)) FROM connections"},
	{what: "FORMAT of bytes", ours: "SELECT MAX(LENGTH(FORMAT(bytes, 0))) FROM connections"},
	{what: "CONV of bytes", ours: "SELECT MAX(LENGTH(CONV(bytes, 10, 16))) FROM connections"},
	{what: "CONVERT_TZ of time", ours: "SELECT MAX(CONVERT_TZ(ts, 'UTC', 'Europe/Berlin')) FROM connections"},
	{what: "ADDTIME of time", ours: "SELECT MAX(ADDTIME(ts, '01:30:00')) FROM connections"},
	{what: "STR_TO_DATE of text", ours: "SELECT MAX(STR_TO_DATE(LEFT(ts, 10), '%Y-%m-%d')) FROM connections"},
	{what: "TIME_FORMAT of time", ours: "SELECT MAX(TIME_FORMAT(TIME(ts), '%H.%i')) FROM connections"},
	{what: "REGEXP_REPLACE of a name", ours: "SELECT COUNT(DISTINCT REGEXP_REPLACE(server_name, '[0-9]+', '#')) FROM connections"},
	{what: "REGEXP_LIKE of a name", ours: "SELECT COUNT(*) FROM connections WHERE server_name REGEXP '^cdn[0-9]*[.]example1[0-9]+'"},
	{what: "SOUNDEX of a service", ours: "SELECT SOUNDEX(service) s, COUNT(*) FROM connections GROUP BY s"},
	{what: "FIELD of a service", ours: "SELECT SUM(FIELD(service, 'http', 'https', 'ssh')) FROM connections"},
	{what: "INSTR of a name", ours: "SELECT SUM(INSTR(server_name, '.ex')) FROM connections"},
	{what: "BIT_COUNT of bytes", ours: "SELECT SUM(BIT_COUNT(bytes)) FROM connections"},
	{what: "INET6_ATON of an address", ours: "SELECT COUNT(DISTINCT INET6_ATON(server_ip)) FROM connections"},
}

var callback = regexp.MustCompile(`mysql_(?:bool|bigint|ubigint|double|text|blob|timestamp|date)\(`)

// callbacksOf tells whether a statement's plan calls back, as EXPLAIN shows.
func callbacksOf(db *sql.DB, query string) (bool, error) {
	rows, err := db.Query("EXPLAIN " + query)
	if err != nil {
		return false, err
	}
	defer rows.Close()
	var line string
	found := false
	for rows.Next() {
		if err := rows.Scan(&line); err != nil {
			return false, err
		}
		found = found || callback.MatchString(line)
	}
	return found, rows.Err()
}

// functions compares what is computed for every row.
func (s *sqls) functions() error {
	dir, err := s.rowArchive(s.calls, true)
	if err != nil {
		return err
	}
	rows, err := files(dir, "connections")
	if err != nil {
		return err
	}
	duck, err := newPeer()
	if err != nil {
		return err
	}
	defer duck.close()
	var walls []float64
	err = s.withProcess(dir, func(db *sql.DB, _ int) error {
		for _, q := range perRow {
			called, err := callbacksOf(db, q.ours)
			if err != nil {
				log.Printf("%s: %v", q.what, err)
				continue
			}
			m, err := s.beside(wire(db, q.ours, s.serverCPU), inProcess(duck, strings.ReplaceAll(q.duck, "{rows}", list(rows))))
			if err != nil {
				log.Printf("%s: %v", q.what, err)
				continue
			}
			if m[0].rows != m[1].rows {
				return fmt.Errorf("%s: %d rows, DuckDB has %d", q.what, m[0].rows, m[1].rows)
			}
			what := fmt.Sprintf("%s over %.1f M rows", q.what, float64(s.calls)/1e6)
			if called {
				what += ", called back"
			}
			ours, peer := m[0].spent(), m[1].spent()
			walls = append(walls, ratio(ours.wall, peer.wall))
			s.add(what, ours.String(), "DuckDB in-process "+peer.String(), ratio(ours.wall, peer.wall), "≤ 1.5x")
		}
		return nil
	})
	if len(walls) > 0 {
		s.summary("functions for every row beside DuckDB", walls, "≤ 1.5x")
	}
	return err
}

// callbacks measures what DuckDB calls back for: rows a second of the server's
// CPU, and how the server grows.
func (s *sqls) callbacks() error {
	dir, err := s.rowArchive(s.calls, true)
	if err != nil {
		return err
	}
	return s.withProcess(dir, func(db *sql.DB, pid int) error {
		var rates []float64
		before := int64(0)
		for _, q := range calledBack {
			called, err := callbacksOf(db, q.ours)
			if err != nil {
				log.Printf("%s: %v", q.what, err)
				continue
			}
			if !called {
				log.Printf("%s: DuckDB computes it now", q.what)
				continue
			}
			m, err := s.beside(wire(db, q.ours, s.serverCPU))
			if err != nil {
				log.Printf("%s: %v", q.what, err)
				continue
			}
			if before == 0 {
				before = resident(pid)
			}
			t := m[0].spent()
			rate := float64(s.calls) / t.cpu.Seconds() / 1e6
			rates = append(rates, rate)
			s.rows = append(s.rows, row{fmt.Sprintf("%s by callback, %.1f M rows", q.what, float64(s.calls)/1e6), t.String(),
				fmt.Sprintf("%.2f M rows/s", float64(s.calls)/t.wall.Seconds()/1e6), fmt.Sprintf("%.2f M rows/CPU s", rate), "≥ 1"})
			log.Printf("%s: %s, %.2f M rows/CPU s", q.what, t, rate)
		}
		grown := resident(pid) - before
		s.rows = append(s.rows, row{"the server has grown over all of these", fmt.Sprintf("%d MB", grown>>20), fmt.Sprintf("from %d MB", before>>20), "", "flat"})
		log.Printf("resident %d MB, grown %d MB; slowest %.2f M rows/CPU s", before>>20, grown>>20, slices.Min(rates))
		return nil
	})
}

// resident is a process's memory, highWater the most it ever had.
func resident(pid int) int64 { return memory(pid, "VmRSS:") }

func memory(pid int, field string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for _, line := range strings.Split(string(text), "\n") {
		if rest, ok := strings.CutPrefix(line, field); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

// peak watches a process's memory until stop is called, which tells the most.
func peak(pid int) (stop func() int64) {
	end, most := make(chan struct{}), make(chan int64)
	go func() {
		top := resident(pid)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				top = max(top, resident(pid))
			case <-end:
				most <- top
				return
			}
		}
	}()
	return func() int64 { close(end); return <-most }
}
