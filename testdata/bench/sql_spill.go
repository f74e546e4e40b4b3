package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"
)

// oversize are statements whose intermediate results are many times the memory
// they get. The flows of row files have ids of their own, so that what begins
// with their number is known; the rest is asked of a server that need not spill.
var oversize = []struct {
	what, text string
	counts     bool // its first cell is the number of flows
}{
	{"sort", "SELECT flow_id, service, bytes, src_ip, dst_ip, ts, end_reason FROM flows ORDER BY service, flow_id LIMIT 20 OFFSET {middle}", false},
	{"join", "SELECT COUNT(*), SUM(a.bytes), SUM(LENGTH(b.service)), MAX(b.ts) FROM flows a JOIN flows b ON a.flow_id = b.flow_id AND a.conn_id = b.conn_id", true},
	{"aggregate", "SELECT COUNT(*), SUM(n), MAX(b) FROM (SELECT flow_id, service, src_ip, dst_ip, COUNT(*) n, SUM(bytes) b FROM flows GROUP BY flow_id, service, src_ip, dst_ip) t", true},
}

// spill gives statements far less memory than they need.
func (s *sqls) spill() error {
	dir, err := s.rowArchive(s.flows, false)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp(s.dir, "spill")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	text := func(query string) string { return strings.ReplaceAll(query, "{middle}", fmt.Sprint(s.flows/2)) }
	want := map[string]string{}
	err = s.withProcess(dir, func(db *sql.DB, _ int) error {
		for _, q := range oversize {
			if want[q.what], _, err = rowsText(db, text(q.text)); err != nil {
				return err
			}
			if n, _, _ := strings.Cut(want[q.what], "\t"); q.counts && n != fmt.Sprint(s.flows) {
				return fmt.Errorf("%s: %s of %d flows", q.what, n, s.flows)
			}
		}
		return nil
	}, fmt.Sprintf("--memory-limit=%d", int64(12<<30)), "--max-execution-time=0")
	if err != nil {
		return err
	}
	const ceiling = 512 << 20
	return s.withProcess(dir, func(db *sql.DB, pid int) error {
		for _, q := range oversize {
			most := peak(pid)
			got, took, err := rowsText(db, text(q.text))
			top := most()
			what := fmt.Sprintf("%s of %.1f M rows under 512 MB", q.what, float64(s.flows)/1e6)
			switch {
			case err != nil:
				s.rows = append(s.rows, row{what, err.Error(), "", "", "right"})
				continue
			case got != want[q.what]:
				s.rows = append(s.rows, row{what, "other rows", "", "", "right"})
				continue
			}
			left, err := filepath.Glob(filepath.Join(temporary, "*", "*"))
			if err != nil {
				return err
			}
			s.rows = append(s.rows, row{what + ": the same rows", fmt.Sprintf("%s, at most %d MB resident, %d temporary files left", took.Round(1e7), top>>20, len(left)),
				"", fmt.Sprintf("%.2fx of the ceiling", float64(top)/ceiling), "right, 0 files"})
			log.Printf("%+v", s.rows[len(s.rows)-1])
		}
		return nil
	}, fmt.Sprintf("--memory-limit=%d", ceiling), "--spill-directory="+temporary, "--max-execution-time=0")
}
