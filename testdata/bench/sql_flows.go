package main

import (
	"database/sql"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/wiresql/wiresql/testdata/mariadb"
)

// flowQuery is a question about flows: to us, to DuckDB over the row files
// ({flows} stands for them), and to MariaDB where it is put another way.
type flowQuery struct{ what, ours, duck, maria string }

const duckTotal = "CAST(sum(bytes + coalesce(reverse_bytes, 0)) AS BIGINT)"

// flowQueries are asked by people and dashboards. {at} is a time within the
// rows, an hour before the end of the day.
var flowQueries = []flowQuery{
	{what: "count", ours: "SELECT COUNT(*) FROM flows",
		duck: "SELECT count(*) FROM {flows}"},
	{what: "top 10 sources by bytes",
		ours: "SELECT src_ip, SUM(total_bytes) b FROM flows GROUP BY src_ip ORDER BY b DESC LIMIT 10",
		duck: "SELECT src_hi, src_lo, " + duckTotal + " b FROM {flows} GROUP BY src_hi, src_lo ORDER BY b DESC LIMIT 10"},
	{what: "top 10 destinations by rows",
		ours: "SELECT dst_ip, COUNT(*) n FROM flows GROUP BY dst_ip ORDER BY n DESC, dst_ip LIMIT 10",
		duck: "SELECT dst_hi, dst_lo, count(*) n FROM {flows} GROUP BY dst_hi, dst_lo ORDER BY n DESC, dst_hi, dst_lo LIMIT 10"},
	{what: "top 20 ports by bytes",
		ours: "SELECT dst_port, COUNT(*) n, SUM(total_bytes) b FROM flows GROUP BY dst_port ORDER BY b DESC LIMIT 20",
		duck: "SELECT dst_port, count(*) n, " + duckTotal + " b FROM {flows} GROUP BY dst_port ORDER BY b DESC LIMIT 20"},
	{what: "by observer, protocol, service",
		ours: "SELECT observer, protocol, service, COUNT(*) n, SUM(bytes) b FROM flows GROUP BY observer, protocol, service ORDER BY b DESC",
		duck: "SELECT sensor, protocol_number, service, count(*) n, CAST(sum(bytes) AS BIGINT) b FROM {flows} GROUP BY ALL ORDER BY b DESC"},
	{what: "top 10 pairs of addresses and port",
		ours: "SELECT src_ip, dst_ip, dst_port, SUM(total_bytes) b FROM flows GROUP BY src_ip, dst_ip, dst_port ORDER BY b DESC LIMIT 10",
		duck: "SELECT src_hi, src_lo, dst_hi, dst_lo, dst_port, " + duckTotal + " b FROM {flows} GROUP BY ALL ORDER BY b DESC LIMIT 10"},
	{what: "distinct sources by port",
		ours: "SELECT dst_port, COUNT(DISTINCT src_ip) n FROM flows GROUP BY dst_port ORDER BY n DESC, dst_port LIMIT 10",
		duck: "SELECT dst_port, count(DISTINCT (src_hi, src_lo)) n FROM {flows} GROUP BY dst_port ORDER BY n DESC, dst_port LIMIT 10"},
	{what: "distinct services and reasons",
		ours: "SELECT DISTINCT service, end_reason FROM flows ORDER BY 1, 2",
		duck: "SELECT DISTINCT service, end_reason FROM {flows} ORDER BY 1 NULLS FIRST, 2 NULLS FIRST"},
	{what: "bytes per minute",
		ours: "SELECT DATE_FORMAT(ts, '%Y-%m-%d %H:%i') m, SUM(total_bytes) b FROM flows GROUP BY m ORDER BY m",
		duck: "SELECT strftime(ts, '%Y-%m-%d %H:%M') m, " + duckTotal + " b FROM {flows} GROUP BY m ORDER BY m"},
	{what: "bytes per 5 minutes, as dashboards bin",
		ours: "SELECT UNIX_TIMESTAMP(ts) DIV 300 * 300 AS t, SUM(total_bytes) b FROM flows GROUP BY t ORDER BY t",
		duck: "SELECT epoch_us(ts) // 300000000 * 300 AS t, " + duckTotal + " b FROM {flows} GROUP BY t ORDER BY t"},
	{what: "bytes per hour and protocol",
		ours: "SELECT DATE(ts) d, HOUR(ts) h, protocol, SUM(bytes) b, AVG(packets) p FROM flows GROUP BY d, h, protocol ORDER BY d, h, protocol",
		duck: "SELECT CAST(ts AS DATE) d, hour(ts) h, protocol_number, CAST(sum(bytes) AS BIGINT) b, avg(packets) p FROM {flows} GROUP BY ALL ORDER BY d, h, protocol_number"},
	{what: "one port over 1,000 bytes",
		ours: "SELECT COUNT(*), SUM(bytes), MAX(packets) FROM flows WHERE dst_port = 443 AND bytes > 1000",
		duck: "SELECT count(*), CAST(sum(bytes) AS BIGINT), max(packets) FROM {flows} WHERE dst_port = 443 AND bytes > 1000"},
	{what: "histogram by CASE",
		ours: "SELECT CASE WHEN bytes < 100 THEN 'tiny' WHEN bytes < 1000 THEN 'small' WHEN bytes < 10000 THEN 'medium' ELSE 'large' END size, COUNT(*) n FROM flows GROUP BY size ORDER BY n",
		duck: "SELECT CASE WHEN bytes < 100 THEN 'tiny' WHEN bytes < 1000 THEN 'small' WHEN bytes < 10000 THEN 'medium' ELSE 'large' END size, count(*) n FROM {flows} GROUP BY size ORDER BY n"},
	{what: "CIDR of sources",
		ours:  "SELECT COUNT(*), SUM(bytes) FROM flows WHERE IP_IN(src_ip, '10.1.0.0/16')",
		duck:  "SELECT count(*), CAST(sum(bytes) AS BIGINT) FROM {flows} WHERE src_hi = 0 AND src_lo BETWEEN 281470849581056 AND 281470849646591",
		maria: "SELECT COUNT(*), SUM(bytes) FROM flows WHERE src_ip BETWEEN '::ffff:10.1.0.0' AND '::ffff:10.1.255.255'"},
	{what: "needle: one address",
		ours:  "SELECT ts, dst_ip, dst_port, bytes FROM flows WHERE src_ip = '{rare}' ORDER BY ts LIMIT 100",
		duck:  "SELECT ts, dst_hi, dst_lo, dst_port, bytes FROM {flows} WHERE src_hi = 0 AND src_lo = {rarelow} ORDER BY ts LIMIT 100",
		maria: "SELECT ts, dst_ip, dst_port, bytes FROM flows WHERE src_ip = '::ffff:{rare}' ORDER BY ts LIMIT 100"},
	{what: "needle: one host's name",
		ours:  "SELECT COUNT(*), SUM(total_bytes) FROM flows WHERE src_host = '{rarehost}'",
		duck:  "SELECT count(*), " + duckTotal + " FROM {flows} f JOIN hosts h ON h.hi = f.src_hi AND h.lo = f.src_lo AND f.ts >= h.ts AND f.ts < h.ts_end WHERE h.name = '{rarehost}'",
		maria: "SELECT COUNT(*), SUM(total_bytes) FROM flows f JOIN hosts h ON h.ip = f.src_ip AND f.ts >= h.ts AND f.ts < h.ts_end WHERE h.name = '{rarehost}'"},
	{what: "top 10 hosts by name",
		ours:  "SELECT src_host, SUM(total_bytes) b FROM flows GROUP BY src_host ORDER BY b DESC LIMIT 10",
		duck:  "SELECT h.name, " + duckTotal + " b FROM {flows} f LEFT JOIN hosts h ON h.hi = f.src_hi AND h.lo = f.src_lo AND f.ts >= h.ts AND f.ts < h.ts_end GROUP BY h.name ORDER BY b DESC LIMIT 10",
		maria: "SELECT h.name, SUM(total_bytes) b FROM flows f LEFT JOIN hosts h ON h.ip = f.src_ip AND f.ts >= h.ts AND f.ts < h.ts_end GROUP BY h.name ORDER BY b DESC LIMIT 10"},
	{what: "one hour, by minute",
		ours: "SELECT DATE_FORMAT(ts, '%H:%i') m, COUNT(*) n FROM flows WHERE ts >= '2026-06-01 12:00:00' AND ts < '2026-06-01 13:00:00' GROUP BY m ORDER BY m",
		duck: "SELECT strftime(ts, '%H:%M') m, count(*) n FROM {flows} WHERE ts >= TIMESTAMP '2026-06-01 12:00:00' AND ts < TIMESTAMP '2026-06-01 13:00:00' GROUP BY m ORDER BY m"},
	{what: "share of each port: window over groups",
		ours: "SELECT dst_port, SUM(bytes) b, SUM(SUM(bytes)) OVER () total, RANK() OVER (ORDER BY SUM(bytes) DESC) r FROM flows GROUP BY dst_port ORDER BY r LIMIT 20",
		duck: "SELECT dst_port, CAST(sum(bytes) AS BIGINT) b, sum(sum(bytes)) OVER () total, rank() OVER (ORDER BY sum(bytes) DESC) r FROM {flows} GROUP BY dst_port ORDER BY r LIMIT 20"},
	{what: "largest flow of each source: window over rows",
		ours:  "SELECT src_ip, bytes FROM (SELECT src_ip, bytes, ROW_NUMBER() OVER (PARTITION BY src_ip ORDER BY bytes DESC, flow_id) k FROM flows WHERE dst_port = 22) t WHERE k = 1 ORDER BY bytes DESC LIMIT 10",
		duck:  "SELECT src_hi, src_lo, bytes FROM (SELECT src_hi, src_lo, bytes, row_number() OVER (PARTITION BY src_hi, src_lo ORDER BY bytes DESC, flow_id) k FROM {flows} WHERE dst_port = 22) t WHERE k = 1 ORDER BY bytes DESC LIMIT 10",
		maria: "SELECT src_ip, bytes FROM (SELECT src_ip, bytes, ROW_NUMBER() OVER (PARTITION BY src_ip ORDER BY bytes DESC, conn_id) k FROM flows WHERE dst_port = 22) t WHERE k = 1 ORDER BY bytes DESC LIMIT 10"},
}

// rareClient is a client with few flows.
const rareClient = clientHosts - 3

// about names what a query asks about.
func about(query, flows string) string {
	return strings.NewReplacer("{flows}", flows, "{rare}", clientAddr(rareClient).String(), "{rarelow}", fmt.Sprint(clientAddr(rareClient).Lo),
		"{rarehost}", clientName(rareClient)).Replace(query)
}

// hostsOf gives DuckDB the leases that names say: one for each client.
func hostsOf(p *peer, dir string) error {
	names, err := files(dir, "names")
	if err != nil {
		return err
	}
	_, _, err = p.ask("CREATE TABLE hosts AS SELECT name, ip_hi hi, ip_lo lo, ts, valid_until ts_end FROM " + list(names))
	return err
}

// questions are the flow queries that are asked.
func (s *sqls) questions() (some []flowQuery) {
	for _, q := range flowQueries {
		if strings.Contains(q.what, s.question) {
			some = append(some, q)
		}
	}
	return some
}

// besideDuckDB asks over the wire, and DuckDB in this process.
func (s *sqls) besideDuckDB() error {
	dir, err := s.rowArchive(s.flows, false)
	if err != nil {
		return err
	}
	flows, err := files(dir, "flows")
	if err != nil {
		return err
	}
	duck, err := newPeer()
	if err != nil {
		return err
	}
	defer duck.close()
	if err := hostsOf(duck, dir); err != nil {
		return err
	}
	var walls, cpus []float64
	err = s.withProcess(dir, func(db *sql.DB, _ int) error {
		for _, q := range s.questions() {
			m, err := s.beside(wire(db, about(q.ours, ""), s.serverCPU), inProcess(duck, about(q.duck, list(flows))))
			if err != nil {
				log.Printf("%s: %v", q.what, err)
				continue
			}
			if m[0].rows != m[1].rows {
				return fmt.Errorf("%s: %d rows, DuckDB has %d", q.what, m[0].rows, m[1].rows)
			}
			ours, peer := m[0].spent(), m[1].spent()
			walls, cpus = append(walls, ratio(ours.wall, peer.wall)), append(cpus, ratio(ours.cpu, peer.cpu))
			s.add(fmt.Sprintf("%s, %.1f M flows", q.what, float64(s.flows)/1e6), ours.String(), "DuckDB in-process "+peer.String(), ratio(ours.wall, peer.wall), "≤ 1.4x")
		}
		return nil
	})
	if len(walls) > 0 {
		s.summary("flow queries beside DuckDB", walls, "≤ 1.10x")
		s.summary("the same, CPU", cpus, "")
	}
	return err
}

// besideMariaDB asks both about the same rows.
func (s *sqls) besideMariaDB() error {
	dir, err := s.rowArchive(s.table, false)
	if err != nil {
		return err
	}
	fill := func(m *mariadb.Server) error {
		t := newTraffic(s.table)
		log.Printf("load %d rows into MariaDB", s.table)
		for _, make := range []string{mariaRows, mariaHosts} {
			if _, err := m.DB.Exec(make); err != nil {
				return err
			}
		}
		if err := load(m.DB, "flows", s.dir, func(f *os.File) error { return t.text(f) }); err != nil {
			return err
		}
		if err := load(m.DB, "hosts", s.dir, hostsText); err != nil {
			return err
		}
		for _, settle := range []string{mariaIndexes, "ANALYZE TABLE flows, hosts"} {
			if _, _, err := ask(m.DB, settle); err != nil {
				return err
			}
		}
		return nil
	}
	return s.maria(fmt.Sprintf("mariadb-%d", s.table), fill, func(m *mariadb.Server) error {
		var ratios []float64
		err := s.withProcess(dir, func(db *sql.DB, _ int) error {
			for _, q := range s.questions() {
				theirs := q.maria
				if theirs == "" {
					theirs = q.ours
				}
				r, err := s.beside(wire(db, about(q.ours, ""), s.serverCPU), wire(m.DB, about(theirs, ""), func() time.Duration { return processCPU(m.PID) }))
				if err != nil {
					log.Printf("%s: %v", q.what, err)
					continue
				}
				if r[0].rows != r[1].rows {
					return fmt.Errorf("%s: %d rows, MariaDB has %d", q.what, r[0].rows, r[1].rows)
				}
				ours, peer := r[0].spent(), r[1].spent()
				ratios = append(ratios, ratio(peer.wall, ours.wall))
				s.add(fmt.Sprintf("%s, %.1f M flows", q.what, float64(s.table)/1e6), ours.String(), "MariaDB "+peer.String(), ratio(peer.wall, ours.wall), "")
			}
			return nil
		})
		if len(ratios) > 0 {
			s.summary("times faster than MariaDB", ratios, "≥ 20x")
		}
		return err
	}, "--skip-networking")
}

// hostsText writes the leases as LOAD DATA reads them.
func hostsText(f *os.File) error {
	for i := range clientHosts {
		if _, err := fmt.Fprintf(f, "%s\t::ffff:%s\t2026-05-31 00:00:00\t2026-06-03 00:00:00\n", clientName(i), clientAddr(i)); err != nil {
			return err
		}
	}
	return nil
}
