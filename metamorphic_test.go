package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// ownRelations are what conditions of wiresql's own functions are asked of,
// with a condition that keeps the rows few where packets are read without
// compiling.
var ownRelations = []struct {
	from, alias, columns string // columns: a key of relations or packetColumns
	own                  []string
}{
	{"connections", "", "connections", connectionConditions},
	{"flows", "", "flows", flowConditions},
	{"host_flows", "", "host_flows", []string{"ip_in(ip, '10.20.0.0/24')", "is_private(peer_ip)", "overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:20')"}},
	{"dns", "", "dns", []string{"ip_in(client_ip, '10.20.0.0/16')", "is_private(server_ip)"}},
	{"hosts", "", "hosts", []string{"ip_in(ip, '198.51.100.0/24')", "is_private(ip)", "overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:20')"}},
	{"packets", "", "packets", packetConditions},
	{"connections c JOIN packets p USING (conn_id)", "p", "packets", packetConditions},
	{"flows f JOIN packets p USING (flow_id)", "p", "packets", packetConditions},
	{"packet_bytes", "", "packets", byteConditions},
	{"connections c JOIN packet_bytes p USING (conn_id)", "p", "packets", byteConditions},
}

var (
	connectionConditions = []string{"ip_in(client_ip, '10.0.0.0/8')", "ip_in(server_ip, '198.51.100.0/24')", "ip_in(server_ip, '2001:db8::/32')", "is_private(client_ip)", "NOT is_private(server_ip)",
		"overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:30')", "ip_network(client_ip, 24) = '10.20.0.0/24'", "time_bucket('5 minutes', ts) = '2026-06-12 10:15:00'",
		"service_name(server_port) = 'http'", "protocol_name(6) = protocol"}
	flowConditions = []string{"ip_in(dst_ip, '10.20.0.0/16')", "is_private(src_ip)", "overlaps(ts, ts_end, '2026-06-12 10:20:00', '2026-06-12 10:20:01')",
		"ip_network(src_ip, 16) LIKE '10.20.%'", "service_name(dst_port, 'udp') = 'domain'", "time_bucket('1 hour', ts) < '2026-06-12 14:00:00'"}
	packetConditions = []string{"ip_in(src_ip, '10.20.0.0/16')", "is_private(dst_ip)", "tcp_flags LIKE '%S%'", "info LIKE '%ARP%'", "length > 1000", "src_ip IS NULL", "tcp_flags IS NULL",
		"ts >= '2026-06-12 10:20:00'", "dst_port = 80", "payload_length = 0", "ttl < 64"}
	byteConditions = []string{"contains(payload, 'Host: ')", "contains(frame, X'0800')", "payload LIKE 'GET %'", "payload REGEXP '^(GET|POST) '", "LOCATE('HTTP', payload) > 0",
		"printable(payload) LIKE '%User-Agent%'", "hexdump(payload) LIKE '%47 45 54%'", "ASCII(payload) = 71", "LENGTH(payload) > 100", "HEX(LEFT(payload, 2)) = '4745'", "payload IS NULL",
		"CRC32(frame) % 2 = 0", "SUBSTRING(payload, 1, 4) = 'POST'", "INSTR(frame, 'test') > 0"}
)

func init() {
	relations["packets"] = map[kind][]string{ofMoment: {"@ts"}, ofNumber: {"@src_port", "@dst_port", "@length", "@payload_length", "@ttl"},
		ofText: {"CONCAT(@protocol, '')", "CONCAT(@tcp_flags, '')", "CONCAT(@conn_id, '')"}, ofNothing: {"@src_ip", "@dst_ip"}}
}

// ownCondition mixes an own condition with what the grammar makes.
func ownCondition(g *grammar, own []string, alias string) string {
	one := func() string {
		c := pick(g, own)
		if alias != "" {
			for _, name := range []string{"src_ip", "dst_ip", "payload_length", "length", "tcp_flags", "info", "ts", "dst_port", "ttl"} {
				c = qualify(c, name, alias)
			}
		}
		return c
	}
	switch g.IntN(5) {
	case 0:
		return one()
	case 1:
		return fmt.Sprintf("(%s) %s (%s)", one(), pick(g, []string{"AND", "OR", "XOR"}), one())
	case 2:
		return fmt.Sprintf("NOT (%s)", one())
	case 3:
		return fmt.Sprintf("IF(%s, %s, %s)", one(), one(), g.truth(1).text(false))
	}
	return fmt.Sprintf("(%s) %s (%s)", one(), pick(g, []string{"AND", "OR"}), g.truth(1).text(false))
}

// qualify puts an alias before a column's name.
func qualify(condition, column, alias string) string {
	var b strings.Builder
	for i := 0; i < len(condition); {
		if strings.HasPrefix(condition[i:], column) && (i == 0 || !isWord(condition[i-1])) && (i+len(column) == len(condition) || !isWord(condition[i+len(column)])) {
			b.WriteString(alias + "." + column)
			i += len(column)
			continue
		}
		b.WriteByte(condition[i])
		i++
	}
	return b.String()
}

func isWord(c byte) bool {
	return c == '_' || c == '.' || c == '\'' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// What MariaDB has no words for must agree with itself: rows where a
// condition is true, false and unknown are all rows, their sums are the sum of
// all; as many rows pass WHERE as it is true for; and packets are the same
// with the compiler off.
func TestConditionsPartitionRows(t *testing.T) {
	e := observersEngine(t)
	on, off := e.NewSession(), e.NewSession()
	if got := askEngine(off, "SET wiresql_pushdown = 'off'"); got.err != "" {
		t.Fatal(got.err)
	}
	single := func(statement string) string {
		got := askEngineCells(on, statement)
		if got.err != nil {
			t.Errorf("%s: %v", statement, got.err)
			return "?"
		}
		return strings.Join(got.lines(true), " ")
	}
	for seed := range uint64(200) {
		g := &grammar{Rand: rand.New(rand.NewPCG(seed, 6))}
		r := ownRelations[seed%uint64(len(ownRelations))]
		g.see(r.columns, r.alias)
		measure := "1"
		if columns := g.scope[ofNumber]; len(columns) > 0 {
			measure = columns[0]
		}
		p := ownCondition(g, r.own, r.alias)
		from := "FROM " + r.from

		whole := single(fmt.Sprintf("SELECT COUNT(*), COALESCE(SUM(%s), 0) %s", measure, from))
		parts := single(fmt.Sprintf("SELECT SUM(n), SUM(s) FROM (SELECT COUNT(*) n, COALESCE(SUM(%[1]s), 0) s %[2]s WHERE %[3]s UNION ALL SELECT COUNT(*), COALESCE(SUM(%[1]s), 0) %[2]s WHERE NOT (%[3]s) UNION ALL SELECT COUNT(*), COALESCE(SUM(%[1]s), 0) %[2]s WHERE (%[3]s) IS NULL) x", measure, from, p))
		if diff := compareRows([]string{whole}, []string{parts}); diff != "" && parts != "?" {
			t.Errorf("seed %d: true, false and unknown are not all rows of %s: %s\n%s", seed, r.from, p, diff)
		}
		passed := single(fmt.Sprintf("SELECT COUNT(*) %s WHERE %s", from, p))
		counted := single(fmt.Sprintf("SELECT COALESCE(SUM(CASE WHEN %s THEN 1 ELSE 0 END), 0) %s", p, from))
		if diff := compareRows([]string{passed}, []string{counted}); diff != "" && passed != "?" && counted != "?" {
			t.Errorf("seed %d: WHERE and SUM(CASE) differ over %s: %s\n%s", seed, r.from, p, diff)
		}
		if strings.Contains(r.from, "packet") && strings.Contains(r.from, "JOIN") && seed%3 == 0 {
			statement := fmt.Sprintf("SELECT p.packet_id %s WHERE server_port IN (22, 443) AND (%s)", strings.Replace(from, "flows f", "(SELECT flow_id, dst_port AS server_port FROM flows) f", 1), p)
			a, b := askEngine(on, statement), askEngine(off, statement)
			if diff := compareRows(sorted(a.rows), sorted(b.rows)); diff != "" || a.err != b.err {
				t.Errorf("seed %d: with the compiler off it differs: %s\n%s %s %s", seed, statement, a.err, b.err, diff)
			}
		}
	}
}
