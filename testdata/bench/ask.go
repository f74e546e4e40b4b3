package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"database/sql"
	"fmt"
	"log"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// withServer runs fn against `wiresql serve` over TLS, as any client would.
func (b *bench) withServer(c *corpus, fn func(*sql.DB) error) error {
	return b.withProcess(c.archive, func(db *sql.DB, _ int) error { return fn(db) })
}

// withProcess is withServer for those who watch the server: pid is its. flags
// are further ones of serve.
func (b *bench) withProcess(archive string, fn func(db *sql.DB, pid int) error, flags ...string) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	l.Close()
	cmd := exec.Command(b.wiresql, append([]string{"serve", "--data", archive, "--listen", address}, flags...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		cmd.Process.Signal(syscall.SIGTERM)
		cmd.Wait()
	}()
	go func() {
		for s := bufio.NewScanner(out); s.Scan(); {
		}
	}()
	before := b.server
	b.server = cmd.Process.Pid
	defer func() { b.server = before }()
	password, err := waitForPassword(archive, address)
	if err != nil {
		return err
	}
	if err := mysql.RegisterTLSConfig("bench", &tls.Config{InsecureSkipVerify: true}); err != nil {
		return err
	}
	b.access = fmt.Sprintf("%s@tcp(%s)/wiresql?tls=bench", password, address)
	db, err := sql.Open("mysql", "wiresql:"+b.access)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	return fn(db, cmd.Process.Pid)
}

func waitForPassword(archive, address string) (string, error) {
	file := filepath.Join(archive, "serve", "password")
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			continue
		}
		conn.Close()
		if text, err := os.ReadFile(file); err == nil {
			return strings.TrimSpace(string(text)), nil
		}
	}
	return "", fmt.Errorf("no server at %s within 20 s", address)
}

// ask runs a query to its last row and returns how many there were.
func ask(db *sql.DB, query string) (int, time.Duration, error) {
	start := time.Now()
	rows, err := db.Query(query)
	if err != nil {
		return 0, 0, fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return 0, 0, err
	}
	values := make([]sql.RawBytes, len(columns))
	into := make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	n := 0
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return 0, 0, err
		}
		n++
	}
	return n, time.Since(start), rows.Err()
}

// spent is the median of what something took: on a machine that others use, the
// CPU time tells more than the clock.
type spent struct{ wall, cpu time.Duration }

func (c spent) String() string { return fmt.Sprintf("%s (CPU %s)", ms(c.wall), ms(c.cpu)) }

// serverCPU is the CPU time the server has used so far; 0 without one.
func (b *bench) serverCPU() time.Duration {
	if b.server == 0 {
		return 0
	}
	return processCPU(b.server)
}

// warmRuns is how much oftener than the rest a query is run whose files are in
// memory: in milliseconds, each other process on the machine shows.
const warmRuns = 5

// repeated returns the median cost of a query, with the server's CPU time, and
// its row count; before, when set, runs ahead of each.
func (b *bench) repeated(db *sql.DB, query string, before func() error) (int, spent, error) {
	var walls, cpus []time.Duration
	rows := 0
	runs := b.runs
	if before == nil {
		runs *= warmRuns
	}
	for i := 0; i < runs+1; i++ {
		if before != nil {
			if err := before(); err != nil {
				return 0, spent{}, err
			}
		}
		used := b.serverCPU()
		n, d, err := ask(db, query)
		if err != nil {
			return 0, spent{}, err
		}
		rows = n
		if i > 0 { // the first run opens files and fills caches
			walls, cpus = append(walls, d), append(cpus, b.serverCPU()-used)
		}
	}
	return rows, spent{median(walls), median(cpus)}, nil
}

// scan measures one tcpdump pass that writes the packets of a filter.
func (b *bench) scan(c *corpus, filter string, cold bool) (spent, error) {
	var walls, cpus []time.Duration
	out := filepath.Join(b.dir, "filtered.pcap")
	defer os.Remove(out)
	for i := 0; i < b.runs; i++ {
		if cold {
			if err := forget(c.pcap); err != nil {
				return spent{}, err
			}
		} else if i == 0 {
			if _, err := timed("cat", c.pcap); err != nil {
				return spent{}, err
			}
		}
		u, err := timed("tcpdump", "-n", "-r", c.pcap, "-w", out, filter)
		if err != nil {
			return spent{}, err
		}
		walls, cpus = append(walls, u.wall), append(cpus, u.cpu)
	}
	return spent{median(walls), median(cpus)}, nil
}

const packetColumns = "p.ts, p.src_ip, p.src_port, p.dst_ip, p.dst_port, p.protocol, p.tcp_flags, p.length, p.payload_length"

// needle measures one connection's packets at two corpus sizes.
func (b *bench) needle(db *sql.DB, small, large *corpus) error {
	query := "SELECT " + packetColumns + " FROM connections c JOIN packets p USING (conn_id) WHERE " + large.needle.where()
	n, warm, err := b.repeated(db, query, nil)
	if err != nil {
		return err
	}
	if n != large.needle.Packets {
		return fmt.Errorf("needle: %d packets, the generator made %d", n, large.needle.Packets)
	}
	// The machine changes under a benchmark: what is compared comes next.
	var smallWarm spent
	err = b.withServer(small, func(db *sql.DB) error {
		query := "SELECT " + packetColumns + " FROM connections c JOIN packets p USING (conn_id) WHERE " + small.needle.where()
		_, smallWarm, err = b.repeated(db, query, nil)
		return err
	})
	if err != nil {
		return err
	}
	peerWarm, err := b.scan(large, large.needle.filter(), false)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("one connection, %d packets of %.1f GB, warm", n, float64(large.bytes)/1e9), warm.String(), "tcpdump "+peerWarm.String(), ratio(peerWarm.wall, warm.wall), "≥ 200x")

	_, cold, err := b.repeated(db, query, func() error { return forget(large.archive) })
	if err != nil {
		return err
	}
	peerCold, err := b.scan(large, large.needle.filter(), true)
	if err != nil {
		return err
	}
	b.add("the same, cold", cold.String(), "tcpdump "+peerCold.String(), ratio(peerCold.wall, cold.wall), "≥ 80x")

	b.add(fmt.Sprintf("one connection, time at %.0f GB", float64(large.bytes)/1e9), warm.String(),
		fmt.Sprintf("at %.0f GB %s", float64(small.bytes)/1e9, smallWarm), ratio(warm.wall, smallWarm.wall), "≤ 2x")
	return nil
}

// thousand measures the packets of about 1,000 connections, scattered over
// the capture, against one pass for one of them.
func (b *bench) thousand(db *sql.DB, c *corpus) error {
	low, high, err := portsOfThousand(db)
	if err != nil {
		return err
	}
	query := fmt.Sprintf("SELECT %s FROM connections c JOIN packets p USING (conn_id) WHERE c.client_port BETWEEN %d AND %d AND c.packets < 1000", packetColumns, low, high)
	n, warm, err := b.repeated(db, query, nil)
	if err != nil {
		return err
	}
	peerWarm, err := b.scan(c, c.needle.filter(), false)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("1,000 connections, %d packets, warm", n), warm.String(), "tcpdump, one of them, "+peerWarm.String(), ratio(peerWarm.wall, warm.wall), "≥ 15x")
	_, cold, err := b.repeated(db, query, func() error { return forget(c.archive) })
	if err != nil {
		return err
	}
	peerCold, err := b.scan(c, c.needle.filter(), true)
	if err != nil {
		return err
	}
	b.add("the same, cold", cold.String(), "tcpdump, one of them, "+peerCold.String(), ratio(peerCold.wall, cold.wall), "≥ 10x")
	return nil
}

// portsOfThousand finds client ports that about 1,000 connections of fewer
// than 1,000 packets share: they lie anywhere in the capture.
func portsOfThousand(db *sql.DB) (low, high int, err error) {
	rows, err := db.Query("SELECT client_port, COUNT(*) FROM connections WHERE client_port >= 20000 AND packets < 1000 GROUP BY client_port ORDER BY client_port")
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	for total := 0; total < 1000 && rows.Next(); {
		var n int
		if err := rows.Scan(&high, &n); err != nil {
			return 0, 0, err
		}
		if low == 0 {
			low = high
		}
		total += n
	}
	return low, high, rows.Err()
}

const topPorts = "SELECT dst_port, COUNT(*) AS n, SUM(length) AS bytes FROM packets GROUP BY dst_port ORDER BY n DESC, dst_port LIMIT 20"

// ports measures an aggregate over all packets that flow rows answer.
func (b *bench) ports(db *sql.DB, c *corpus) error {
	_, warm, err := b.repeated(db, topPorts, nil)
	if err != nil {
		return err
	}
	peer, err := b.scan(c, c.needle.filter(), false)
	if err != nil {
		return err
	}
	b.add("top 20 dst_port by count and bytes over all packets", warm.String(), "tcpdump pass "+peer.String(), ratio(peer.wall, warm.wall), "≥ 50x")
	return nil
}

// aggregates are questions over flow rows, in our SQL and in DuckDB's on the
// same files.
var aggregates = []struct{ what, ours, peer string }{
	{"top 20 dst_port",
		"SELECT dst_port, COUNT(*) AS n, SUM(total_bytes) AS b FROM flows GROUP BY dst_port ORDER BY b DESC LIMIT 20",
		"SELECT dst_port, COUNT(*) AS n, CAST(SUM(bytes + COALESCE(reverse_bytes, 0)) AS BIGINT) AS b FROM %s GROUP BY dst_port ORDER BY b DESC LIMIT 20"},
	{"top 20 sources",
		"SELECT src_ip, SUM(total_bytes) AS b FROM flows GROUP BY src_ip ORDER BY b DESC LIMIT 20",
		"SELECT src_hi, src_lo, CAST(SUM(bytes + COALESCE(reverse_bytes, 0)) AS BIGINT) AS b FROM %s GROUP BY src_hi, src_lo ORDER BY b DESC LIMIT 20"},
	{"count with two predicates",
		"SELECT COUNT(*) FROM flows WHERE dst_port = 443 AND bytes > 1000",
		"SELECT COUNT(*) FROM %s WHERE dst_port = 443 AND bytes > 1000"},
	{"bytes per minute",
		"SELECT DATE_FORMAT(ts, '%Y-%m-%d %H:%i') AS m, SUM(total_bytes) AS b FROM flows GROUP BY m ORDER BY m",
		"SELECT strftime(ts, '%%Y-%%m-%%d %%H:%%M') AS m, CAST(SUM(bytes + COALESCE(reverse_bytes, 0)) AS BIGINT) AS b FROM %s GROUP BY m ORDER BY m"},
}

func (b *bench) aggregates(c *corpus) error {
	flows, err := files(c.archive, "flows")
	if err != nil {
		return err
	}
	duck, err := newPeer()
	if err != nil {
		return err
	}
	defer duck.close()
	return b.withServer(c, func(db *sql.DB) error {
		var count int
		if err := db.QueryRow("SELECT COUNT(*) FROM flows").Scan(&count); err != nil {
			return err
		}
		log.Printf("aggregates over %d flow rows in %d files", count, len(flows))
		for _, a := range aggregates {
			m, err := b.beside(wire(db, a.ours, b.serverCPU), inProcess(duck, fmt.Sprintf(a.peer, list(flows))))
			if err != nil {
				return err
			}
			ours, theirs := m[0].spent(), m[1].spent()
			b.add(fmt.Sprintf("%s over %.1f M flow rows", a.what, float64(count)/1e6), ours.String(), "DuckDB in-process "+theirs.String(), ratio(ours.wall, theirs.wall), "≤ 1.3x")
		}
		return nil
	})
}

func ratio(a, b time.Duration) float64 { return a.Seconds() / b.Seconds() }

// queryer is a pool or a connection of it.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// rowsText is a result as lines of tab-separated cells.
func rowsText(db queryer, query string) (string, time.Duration, error) {
	start := time.Now()
	rows, err := db.QueryContext(context.Background(), query)
	if err != nil {
		return "", 0, fmt.Errorf("%s: %w", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return "", 0, err
	}
	cells, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
	for i := range cells {
		into[i] = &cells[i]
	}
	var out strings.Builder
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return "", 0, err
		}
		for i, c := range cells {
			if i > 0 {
				out.WriteByte('\t')
			}
			if c.Valid {
				out.WriteString(c.String)
			} else {
				out.WriteString(`\N`)
			}
		}
		out.WriteByte('\n')
	}
	return out.String(), time.Since(start), rows.Err()
}
