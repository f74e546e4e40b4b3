package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/wiresql/wiresql/testdata/mariadb"
)

// What a client reads in one go: eight columns of every row.
const (
	streamOurs   = "SELECT ts, src_ip, src_port, dst_ip, dst_port, protocol, bytes, packets FROM flows"
	streamTheirs = "SELECT * FROM stream"
	streamTable  = `CREATE TABLE stream (ts DATETIME(6) NOT NULL, src_ip VARCHAR(45) NOT NULL, src_port INT NOT NULL,
  dst_ip VARCHAR(45) NOT NULL, dst_port INT NOT NULL, protocol VARCHAR(32), bytes BIGINT NOT NULL, packets BIGINT NOT NULL) ENGINE = InnoDB`
)

// stream reads all rows from both over TCP, with the same certificate in TLS.
func (s *sqls) stream() error {
	dir, err := s.rowArchive(s.calls, true)
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	// A server of ours makes its certificate when it starts.
	if err := s.withProcess(dir, func(*sql.DB, int) error { return nil }); err != nil {
		return err
	}
	fill := func(m *mariadb.Server) error {
		if _, err := m.DB.Exec(streamTable); err != nil {
			return err
		}
		// Its rows are ours, as we write them.
		return load(m.DB, "stream", s.dir, func(f *os.File) error {
			return s.withProcess(dir, func(db *sql.DB, _ int) error { return copyText(f, db, streamOurs) })
		})
	}
	return s.maria(fmt.Sprintf("mariadb-stream-%d", s.calls), fill, func(m *mariadb.Server) error {
		theirs, err := sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/test?tls=bench", port))
		if err != nil {
			return err
		}
		defer theirs.Close()
		clear, err := sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/test", port))
		if err != nil {
			return err
		}
		defer clear.Close()
		cpu := func() time.Duration { return processCPU(m.PID) }
		return s.withProcess(dir, func(db *sql.DB, pid int) error {
			// What a result of one row leaves is the start.
			if _, _, err := ask(db, streamOurs+" LIMIT 1"); err != nil {
				return err
			}
			before := resident(pid)
			most := peak(pid)
			r, err := s.beside(wire(db, streamOurs, s.serverCPU), wire(theirs, streamTheirs, cpu), wire(clear, streamTheirs, cpu))
			grown := most() - before
			if err != nil {
				return err
			}
			for _, one := range r {
				if one.rows != s.calls {
					return fmt.Errorf("%d rows came of %d", one.rows, s.calls)
				}
			}
			ours, peer, bare := r[0].spent(), r[1].spent(), r[2].spent()
			rate := func(c spent) string {
				return fmt.Sprintf("%.0f k rows/s", float64(s.calls)/c.wall.Seconds()/1e3)
			}
			what := fmt.Sprintf("stream of %.1f M rows × 8 columns, TLS", float64(s.calls)/1e6)
			s.add(what, rate(ours), "MariaDB "+rate(peer), ratio(peer.wall, ours.wall), "≥ 1.0x")
			s.add("the same, the server's CPU", seconds(ours.cpu), "MariaDB "+seconds(peer.cpu), ratio(ours.cpu, peer.cpu), "≤ 1.2x")
			s.add("the same, MariaDB without TLS", rate(ours), "MariaDB "+rate(bare), ratio(bare.wall, ours.wall), "")
			s.add("its CPU", seconds(ours.cpu), "MariaDB "+seconds(bare.cpu), ratio(ours.cpu, bare.cpu), "")
			s.rows = append(s.rows, row{"growth of the server while it streams", fmt.Sprintf("%d MB", grown>>20), fmt.Sprintf("from %d MB", before>>20), "", "< 150 MB"})
			log.Printf("the server grew %d MB from %d MB", grown>>20, before>>20)
			return nil
		})
	}, "--port="+strconv.Itoa(port), "--bind-address=127.0.0.1", "--ssl-cert="+filepath.Join(dir, "serve", "tls", "cert.pem"),
		"--ssl-key="+filepath.Join(dir, "serve", "tls", "key.pem"))
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// copyText writes a result as LOAD DATA reads it. No text of it holds a tab.
func copyText(f *os.File, db *sql.DB, query string) error {
	rows, err := db.Query(query)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	cells, into := make([]sql.RawBytes, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	var out []byte
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		for i, c := range cells {
			if i > 0 {
				out = append(out, '\t')
			}
			if c == nil {
				out = append(out, `\N`...)
			}
			out = append(out, c...)
		}
		if out = append(out, '\n'); len(out) > 1<<20 {
			if _, err := f.Write(out); err != nil {
				return err
			}
			out = out[:0]
		}
	}
	if _, err := f.Write(out); err != nil {
		return err
	}
	return rows.Err()
}
