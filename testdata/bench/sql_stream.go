package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/testdata/mariadb"
)

// What a client reads in one go: eight columns of every row.
const (
	streamOurs   = "SELECT ts, src_ip, src_port, dst_ip, dst_port, protocol, bytes, packets FROM flows"
	streamTheirs = "SELECT * FROM stream"
	streamTable  = `CREATE TABLE stream (ts DATETIME(6) NOT NULL, src_ip VARCHAR(45) NOT NULL, src_port INT NOT NULL,
  dst_ip VARCHAR(45) NOT NULL, dst_port INT NOT NULL, protocol VARCHAR(32), bytes BIGINT NOT NULL, packets BIGINT NOT NULL) ENGINE = InnoDB`
)

// stream reads all rows from both, over TCP as plain text.
func (s *sqls) stream() error {
	dir, err := s.rowArchive(s.calls, true)
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	return s.maria(func(m *mariadb.Server) error {
		if _, err := m.DB.Exec(streamTable); err != nil {
			return err
		}
		// Its rows are ours, as we write them.
		err := load(m.DB, "stream", s.dir, func(f *os.File) error {
			return s.withProcess(dir, func(db *sql.DB, _ int) error { return copyText(f, db, streamOurs) })
		})
		if err != nil {
			return err
		}
		theirs, err := sql.Open("mysql", fmt.Sprintf("root@tcp(127.0.0.1:%d)/test", port))
		if err != nil {
			return err
		}
		defer theirs.Close()
		return s.withProcess(dir, func(db *sql.DB, pid int) error {
			plain, err := sql.Open("mysql", plainDSN(s.dsn))
			if err != nil {
				return err
			}
			defer plain.Close()
			// What a result of one row leaves is the start.
			if _, _, err := ask(plain, streamOurs+" LIMIT 1"); err != nil {
				return err
			}
			before := resident(pid)
			most := peak(pid)
			r, err := s.beside(wire(plain, streamOurs, s.serverCPU), wire(theirs, streamTheirs, func() time.Duration { return processCPU(m.PID) }), wire(db, streamOurs, s.serverCPU))
			grown := most() - before
			if err != nil {
				return err
			}
			for _, one := range r {
				if one.rows != s.calls {
					return fmt.Errorf("%d rows came of %d", one.rows, s.calls)
				}
			}
			ours, peer, secured := r[0].spent(), r[1].spent(), r[2].spent()
			rate := func(c spent) string {
				return fmt.Sprintf("%.0f k rows/s", float64(s.calls)/c.wall.Seconds()/1e3)
			}
			what := fmt.Sprintf("stream of %.1f M rows × 8 columns", float64(s.calls)/1e6)
			s.add(what, rate(ours), "MariaDB "+rate(peer), ratio(peer.wall, ours.wall), "≥ 1.0x")
			s.add(what+" with TLS", rate(secured), "MariaDB without "+rate(peer), ratio(peer.wall, secured.wall), "")
			s.add("the same, the server's CPU", seconds(ours.cpu), "MariaDB "+seconds(peer.cpu), ratio(ours.cpu, peer.cpu), "≤ 1.2x")
			s.add("the same with TLS, the server's CPU", seconds(secured.cpu), "MariaDB without "+seconds(peer.cpu), ratio(secured.cpu, peer.cpu), "")
			s.rows = append(s.rows, row{"the same, growth of the server", fmt.Sprintf("%d MB", grown>>20), fmt.Sprintf("from %d MB", before>>20), "", "< 150 MB"})
			log.Printf("the server grew %d MB from %d MB", grown>>20, before>>20)
			return nil
		})
	}, "--port="+strconv.Itoa(port), "--bind-address=127.0.0.1")
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.2f s", d.Seconds()) }

// plainDSN is a DSN without TLS.
func plainDSN(dsn string) string {
	c, err := mysql.ParseDSN(dsn)
	if err != nil {
		return dsn
	}
	c.TLSConfig = "false"
	return c.FormatDSN()
}

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
