package main

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/tables"
)

// byHand puts a hunt to DuckDB as somebody would who knows the archive's files: its
// statement in DuckDB's words, over views of the row files, with addresses as the
// two numbers they are stored as, and names looked up only where they are shown.
type byHand struct{ dir string }

// ends of a row are named by these.
var ends = []string{"client", "server"}

// newByHand makes the views.
func newByHand(p *peer, dir string) (*byHand, error) {
	h := &byHand{dir}
	leases, err := files(dir, "names")
	if err != nil {
		return nil, err
	}
	statements := []string{
		"CREATE TABLE hosts AS SELECT name, ip_hi hi, ip_lo lo, ts, valid_until ts_end FROM " + list(leases),
		"CREATE MACRO find_in_set(x, list) AS list_contains(string_split(list, ','), x::VARCHAR)",
		"CREATE MACRO registered_domain(x) AS CASE WHEN x SIMILAR TO '.*[a-z]' THEN regexp_extract(x, '[^.]+\\.[^.]+$') END",
		"CREATE MACRO share_of(x) AS avg(x::INTEGER)",
		"CREATE MACRO chance_of(x) AS list_aggregate(string_split(x, ''), 'entropy')",
		// 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16; of the rest what the archive has.
		fmt.Sprintf("CREATE MACRO is_private(hi, lo) AS (hi = 0 AND (lo BETWEEN %d AND %d OR lo BETWEEN %d AND %d OR lo BETWEEN %d AND %d))",
			ip4(10, 0, 0, 0).Lo, ip4(10, 255, 255, 255).Lo, ip4(172, 16, 0, 0).Lo, ip4(172, 31, 255, 255).Lo, ip4(192, 168, 0, 0).Lo, ip4(192, 168, 255, 255).Lo),
		fmt.Sprintf("CREATE MACRO is_many(hi, lo) AS (hi = 0 AND lo BETWEEN %d AND %d)", ip4(224, 0, 0, 0).Lo, ip4(239, 255, 255, 255).Lo),
		"CREATE MACRO direction_of(a, b, c, d) AS CASE WHEN is_private(c, d) THEN CASE WHEN is_private(a, b) THEN 'internal' ELSE 'inbound' END" +
			" WHEN is_many(c, d) THEN 'multicast' WHEN is_private(a, b) THEN 'outbound' ELSE 'external' END",
		"CREATE MACRO protocol_of(n) AS CASE n WHEN 6 THEN 'tcp' WHEN 17 THEN 'udp' WHEN 1 THEN 'icmp' WHEN 58 THEN 'icmp6' END",
	}
	for _, family := range []string{"coverage", "connections", "dns", "tls", "http", "logins", "rpc", "files", "mail"} {
		found, err := files(dir, family)
		if err != nil {
			return nil, err
		}
		more := ""
		switch family {
		case "connections":
			more = ", protocol_of(protocol_number) AS protocol, direction_of(client_hi, client_lo, server_hi, server_lo) AS direction, coalesce(client_bytes, 0) + coalesce(server_bytes, 0) AS bytes," +
				" coalesce(client_packets, 0) + coalesce(server_packets, 0) AS packets, (epoch_us(r.ts_end) - epoch_us(r.ts)) / 1e6 AS duration," +
				" CASE WHEN segments IS NULL THEN 'not_captured' WHEN r.ts_end >= (SELECT min(ts) FROM coverage WHERE drops > 0) AND r.ts <= (SELECT max(ts_end) FROM coverage WHERE drops > 0)" +
				" THEN 'lossy' ELSE 'available' END AS packet_status"
		case "dns", "tls":
			more = ", protocol_of(protocol_number) AS protocol"
		}
		from := "CREATE VIEW %s AS SELECT r.*" + more + "%s FROM " + list(found) + " r%s"
		statements = append(statements, fmt.Sprintf(from, family, "", ""))
		if family == "coverage" {
			continue
		}
		names, joins := "", ""
		for i, end := range ends {
			names += fmt.Sprintf(", h%d.name AS %s_host", i, end)
			joins += fmt.Sprintf(" LEFT JOIN hosts h%[1]d ON h%[1]d.hi = r.%[2]s_hi AND h%[1]d.lo = r.%[2]s_lo AND r.ts >= h%[1]d.ts AND r.ts < h%[1]d.ts_end", i, end)
			statements = append(statements, fmt.Sprintf(from, family+"_"+end, fmt.Sprintf(", h%d.name AS %s_host", i, end),
				fmt.Sprintf(" LEFT JOIN hosts h%[1]d ON h%[1]d.hi = r.%[2]s_hi AND h%[1]d.lo = r.%[2]s_lo AND r.ts >= h%[1]d.ts AND r.ts < h%[1]d.ts_end", i, end)))
		}
		statements = append(statements, fmt.Sprintf(from, family+"_both", names, joins))
	}
	const end = "SELECT ts, ts_end, %[1]s_hi AS ip_hi, %[1]s_lo AS ip_lo, %[1]s_host AS host, '%[1]s' AS role, %[2]s_hi AS peer_hi, %[2]s_lo AS peer_lo, %[1]s_bytes AS bytes_out, %[2]s_bytes AS bytes_in, direction FROM connections_%[1]s"
	statements = append(statements, "CREATE VIEW host_flows AS "+fmt.Sprintf(end, "client", "server")+" UNION ALL "+fmt.Sprintf(end, "server", "client"))
	for _, s := range statements {
		if _, _, err := p.ask(s); err != nil {
			return nil, err
		}
	}
	return h, nil
}

var (
	equalEnds  = regexp.MustCompile(`(\w+)\.(client|server)_ip = (\w+)\.(client|server)_ip`)
	distinctOf = regexp.MustCompile(`GROUP_CONCAT\(DISTINCT (CASE .*? END|[\w.]+) ORDER BY [\w.]+\)`)
	binOf      = regexp.MustCompile(`FROM_UNIXTIME\(UNIX_TIMESTAMP\((\w+)\) DIV (\d+) \* \d+\)`)
	labelOf    = regexp.MustCompile(`SUBSTRING_INDEX\(registered_domain\((\w+)\), '\.', 1\)`)
	ignoredOf  = regexp.MustCompile(`NOT FIND_IN_SET\((\w+\.)?client_ip, REPLACE\('', ' ', ''\)\)`)
	singleOf   = regexp.MustCompile(`(DISTINCT |MIN\(|MAX\(|SELECT |> 0, )((?:\w\.)?)(client|server|peer)_ip( FROM|\)|, NULL\))`)
	notInOf    = regexp.MustCompile(`\b(client|server)_ip NOT IN`)
	listedOf   = regexp.MustCompile(`\b((?:\w\.)?)(client|server|peer)_ip\b`)
	relationOf = regexp.MustCompile(`\b(FROM|JOIN) (connections|dns|tls|http|logins|rpc|files|mail)\b`)
	machineOf  = regexp.MustCompile(`([ (,])ip\b`)
	privateOf  = regexp.MustCompile(`is_private\((?:(client|server)_)?ip\)`)
	wordsOf    = strings.NewReplacer("TIMESTAMPDIFF(MICROSECOND, ", "date_diff('microsecond', ", "AVG(", "share_of(", "quantile(", "quantile_cont(", "CHAR_LENGTH(", "length(",
		"DATE(ts)", "ts::DATE", "INET6_ATON(server_name) IS NOT NULL", "server_name SIMILAR TO '[0-9.]+|.*:.*'", "DAYOFWEEK(ts) IN (1, 7)", "dayofweek(ts) IN (0, 6)", " <=> ", " IS NOT DISTINCT FROM ", "LOWER(attachments) REGEXP CONCAT('[.](', ", "regexp_matches(lower(attachments), concat('[.](', ", "')(,|$)')\n", "')(,|$)'))\n", "entropy(", "chance_of(")
)

// text is the hunt in DuckDB's words.
func (h *byHand) text(library *hunt.Library, x *expected) (string, error) {
	stamp := func(s string) string { return "TIMESTAMP '" + s + "'" }
	between := "ts BETWEEN " + stamp(huntFrom) + " AND " + stamp(huntTo)
	name := func(end string) string {
		return fmt.Sprintf("(SELECT name FROM hosts h WHERE h.hi = c.%[1]s_hi AND h.lo = c.%[1]s_lo AND c.ts >= h.ts AND c.ts < h.ts_end)", end)
	}
	at := func(a tables.Addr, end string) string {
		return fmt.Sprintf("c.%[1]s_hi = %[2]d AND c.%[1]s_lo = %[3]d", end, a.Hi, a.Lo)
	}
	switch x.hunt {
	case "alert_context": // the alert's ends are known to who has its community id
		return "WITH alert AS (SELECT client_hi, client_lo, server_hi, server_lo, ts, ts_end FROM connections c WHERE " + between + " AND " + at(outside(79), "server") + ")" +
			" SELECT DISTINCT c.ts, c.client_hi, c.client_lo, c.client_host, c.server_hi, c.server_lo, c.server_name, c.server_port, c.service, c.client_bytes, c.server_bytes, c.conn_state, c.conn_id" +
			" FROM connections_client c JOIN alert a ON c.ts BETWEEN a.ts - INTERVAL 1 HOUR AND a.ts_end + INTERVAL 1 HOUR AND ((c.client_hi, c.client_lo) IN ((a.client_hi, a.client_lo), (a.server_hi, a.server_lo)) OR (c.server_hi, c.server_lo) = (a.server_hi, a.server_lo))" +
			" ORDER BY c.ts, c.conn_id", nil
	case "ioc_sweep":
		names := "('203.0.113.70', 'planted-c.com')"
		return "SELECT ts, 'connection' AS seen_in, client_hi, client_lo, " + name("client") + ", server_hi, server_lo, server_name AS name, server_port, bytes, conn_id FROM connections c WHERE " + between +
			" AND (" + at(outside(70), "server") + " OR " + at(outside(70), "client") + " OR server_name IN " + names + " OR registered_domain(server_name) IN " + names + ")" +
			" UNION ALL SELECT ts, 'dns', client_hi, client_lo, " + name("client") + ", server_hi, server_lo, query, 53, NULL, conn_id FROM dns c WHERE " + between +
			" AND (query IN " + names + " OR registered_domain(query) IN " + names + ") ORDER BY ts, conn_id", nil
	case "everything": // the only address that the name had
		var parts []string
		for _, from := range []string{"connections", "dns", "tls", "http", "logins", "rpc", "files"} {
			for i, end := range ends {
				parts = append(parts, fmt.Sprintf("SELECT ts, '%[1]s' AS kind, '%[2]s' AS role, %[3]s AS host, %[4]s_hi, %[4]s_lo, conn_id FROM %[1]s c WHERE %[5]s AND %[6]s",
					from, end, name(end), ends[1-i], between, at(officeBusy, end)))
			}
		}
		return strings.Join(parts, " UNION ALL ") + " ORDER BY ts, kind, conn_id LIMIT 1000", nil
	case "upload_cloud_storage":
		domains := "('" + strings.ReplaceAll(cloudDomains(library), ",", "','") + "')"
		return "SELECT client_hi, client_lo, string_agg(DISTINCT client_host, ',' ORDER BY client_host), server_name, COUNT(*), SUM(client_bytes), SUM(server_bytes), MIN(ts), MAX(ts_end) FROM connections_client WHERE " + between +
			" AND direction = 'outbound' AND (server_name IN " + domains + " OR registered_domain(server_name) IN " + domains + ") GROUP BY client_hi, client_lo, server_name HAVING SUM(client_bytes) >= 10000000", nil
	case "capture_health":
		return "SELECT ts, ts_end, sensor, 'kernel', 'packets', drops FROM coverage WHERE drops > 0 UNION ALL SELECT ts, ts_end, sensor, 'not decoded', 'packets', undecoded FROM coverage WHERE undecoded > 0", nil
	}
	found, err := library.Find(x.hunt)
	if err != nil {
		return "", err
	}
	values := map[string]string{}
	for i := 0; i < len(x.params); i += 2 {
		values[x.params[i]] = x.params[i+1]
	}
	s, err := found.Statement(hunt.Range{From: stamp(huntFrom), To: stamp(huntTo)}, values)
	if err != nil {
		return "", err
	}
	s = ignoredOf.ReplaceAllString(s, "TRUE")
	s = labelOf.ReplaceAllString(s, "split_part(registered_domain($1), '.', 1)")
	s = distinctOf.ReplaceAllString(s, "string_agg(DISTINCT ($1)::VARCHAR, ',' ORDER BY ($1)::VARCHAR)")
	s = binOf.ReplaceAllString(s, "time_bucket(INTERVAL '$2 seconds', $1)")
	s = wordsOf.Replace(s)
	// Names only where they are shown.
	client, server := strings.Contains(s, "client_host"), strings.Contains(s, "server_host")
	view := map[[2]bool]string{{true, false}: "_client", {false, true}: "_server", {true, true}: "_both"}[[2]bool{client, server}]
	s = relationOf.ReplaceAllString(s, "$1 ${2}"+view)
	s = strings.ReplaceAll(s, "(SELECT conn_id FROM connections"+view, "(SELECT conn_id FROM connections")
	s = strings.ReplaceAll(s, "(SELECT conn_id FROM logins"+view, "(SELECT conn_id FROM logins")
	s = strings.ReplaceAll(s, "(SELECT MIN(ts) FROM connections"+view, "(SELECT MIN(ts) FROM connections")
	// Addresses.
	s = privateOf.ReplaceAllStringFunc(s, func(m string) string {
		which := strings.TrimSuffix(strings.TrimPrefix(m, "is_private("), ")")
		half := strings.TrimSuffix(which, "_ip")
		return "is_private(" + half + "_hi, " + half + "_lo)"
	})
	s = equalEnds.ReplaceAllString(s, "$1.${2}_hi = $3.${4}_hi AND $1.${2}_lo = $3.${4}_lo")
	s = singleOf.ReplaceAllString(s, "$1($2${3}_hi, $2${3}_lo)$4")
	s = notInOf.ReplaceAllString(s, "(${1}_hi, ${1}_lo) NOT IN")
	s = listedOf.ReplaceAllStringFunc(s, func(m string) string {
		half := strings.TrimSuffix(m, "_ip")
		return half + "_hi, " + half + "_lo"
	})
	s = machineOf.ReplaceAllString(s, "${1}ip_hi, ip_lo")
	s = regexp.MustCompile(`(?i)(min\(\((\w+)_hi, \w+_lo\)\)) AS \w+_hi, \w+_lo`).ReplaceAllString(s, "$1 AS ${2}_ip")
	return s, nil
}

// cloudDomains are those that the hunt for uploads looks for.
func cloudDomains(library *hunt.Library) string {
	h, err := library.Find("upload_cloud_storage")
	if err == nil {
		for _, p := range h.Parameters {
			if p.Name == "domains" {
				return p.Default
			}
		}
	}
	return ""
}
