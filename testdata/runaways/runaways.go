// Package runaways has statements that a server must be able to end: left alone,
// they take minutes, days or all memory.
package runaways

import (
	"fmt"
	"strings"
)

// Statement is one of them.
type Statement struct {
	Kind string // what takes long: planning, scan, sort, window, recursion, callback, fetch, streaming
	Name string
	Text string
}

// Usual are of every kind.
var Usual = []Statement{
	{"planning", "sixty tables", "SELECT COUNT(*) FROM " + Repeated(60, ", ", "flows f%d") + " WHERE " + Repeated(59, " AND ", "f%d.conn_id = f%[2]d.conn_id")},
	{"planning", "deep CASE", "SELECT " + strings.Repeat("CASE WHEN src_port > 1 THEN ", 190) + "1" + strings.Repeat(" ELSE 2 END", 190) + " FROM flows"},
	{"planning", "doubling names", "SELECT SUM(x) FROM (" + doubling("flows", 40) + ") t"},
	{"planning", "doubling names of packets", "SELECT SUM(x), COUNT(*) FROM (" + doubling("packets", 40) + ") t WHERE x > 1"},
	{"planning", "doubling names, the first", "SELECT MIN(x) FROM (" + doubling("flows_wide", 40) + ") t"},
	{"planning", "doubling names of groups", "SELECT x, COUNT(*) FROM (" + doubling("flows", 40) + ") t GROUP BY x HAVING SUM(x) > 5"},
	{"planning", "sixty tables, any order", "SELECT COUNT(*) FROM " + Repeated(60, ", ", "connections f%d") + " WHERE " + Repeated(59, " AND ", "f%d.conn_id = f0.conn_id AND f%[1]d.client_port + f%[2]d.client_port > 5")},
	{"planning", "long list", "SELECT COUNT(*) FROM flows WHERE " + Repeated(9, " OR ", "src_port + %d IN ("+Repeated(1000, ",", "%d")+")")},
	{"planning", "many arms", "SELECT COUNT(*) FROM (" + Repeated(60, " UNION ALL ", "SELECT src_port + %d x, ts FROM flows") + ") t"},
	{"planning", "many windows", "SELECT " + Repeated(200, ", ", "SUM(src_port) OVER (ORDER BY src_port + %d)") + " FROM flows"},
	{"planning", "many aggregates", "SELECT " + Repeated(900, ", ", "SUM(src_port + %d)") + ", " + Repeated(100, ", ", "COUNT(DISTINCT src_port + %d)") + " FROM flows"},
	{"planning", "correlated in depth", nestedExists(30)},
	{"planning", "correlated in breadth", "SELECT " + Repeated(55, ", ", "(SELECT COUNT(*) FROM flows f WHERE f.conn_id = c.conn_id AND f.src_port > %d)") + " FROM connections c"},
	{"planning", "outer joins", "SELECT COUNT(*) FROM connections f0 " + Repeated(58, " ", "LEFT JOIN connections g%d ON g%[1]d.conn_id = f0.conn_id AND g%[1]d.client_port > %d")},
	{"planning", "rollup", "SELECT COUNT(*) FROM (SELECT " + Repeated(60, ", ", "src_port + %d y%[1]d") + ", COUNT(*) FROM flows GROUP BY " + Repeated(60, ", ", "y%d") + " WITH ROLLUP) t"},
	{"planning", "texts", "SELECT COUNT(*) FROM packets WHERE " + Repeated(300, " OR ", "CONCAT(info, src_ip, LOWER(info)) LIKE '%%%d%%x_'")},
	{"scan", "cross join", "SELECT COUNT(*) FROM flows a, flows b, flows c, flows d WHERE a.src_port + b.src_port + c.src_port + d.src_port = 1"},
	{"scan", "LIKE", "SELECT COUNT(*) FROM packets WHERE info LIKE '%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_\\_y'"},
	{"scan", "LIKE of columns", "SELECT COUNT(*) FROM packets a, packets b WHERE CONCAT(a.info, a.info) LIKE CONCAT('%', LEFT(b.info, 1), '%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%_%y')"},
	{"scan", "reverse", "SELECT SUM(LENGTH(REVERSE(CONCAT(a.info, 'ä', b.info)))) FROM packets a, packets b, packets c"},
	{"scan", "regexp", "SELECT COUNT(*) FROM packets a, packets b, packets c WHERE CONCAT(a.info, b.info) REGEXP '(a|b)*x[a-z]{1,100}y{3,90}'"},
	{"scan", "bytes LIKE", "SELECT COUNT(*) FROM packet_bytes WHERE frame LIKE '%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_%%_\\_y'"},
	{"scan", "one row", "SELECT LENGTH(REPEAT(REPEAT(REPEAT('ab', 1000), 500), 100000))"},
	{"scan", "one row of LIKE", "SELECT REPEAT('ab', 100000) LIKE '%a_%_%_%_%_%_%_%_%_%_%_%_%c'"},
	{"scan", "one row of regexp", "SELECT REPEAT('ab', 500000) REGEXP '(a|b|ab)*(a|b)*c{0,900}d'"},
	{"scan", "one row of replace", "SELECT LENGTH(REGEXP_REPLACE(REPEAT('ab', 500000), '(a|b|ab)+?b', 'x'))"},
	{"scan", "cross join that matches", "SELECT SUM(a.src_port * b.src_port) FROM flows a, flows b, flows c, flows d"},
	{"scan", "nested loops", "SELECT COUNT(*) FROM flows a JOIN flows b ON a.src_port < b.dst_port OR a.ts > b.ts JOIN flows c ON a.src_port < c.dst_port + b.src_port JOIN flows d ON d.src_port < c.dst_port + b.src_port"},
	{"scan", "hash join", "SELECT COUNT(*) FROM packets a JOIN packets b USING (protocol) JOIN packets c USING (protocol) JOIN packets d USING (protocol) WHERE a.length + b.length + c.length + d.length = 3"},
	{"scan", "correlated", "SELECT COUNT(*) FROM packets a WHERE (SELECT COUNT(*) FROM packets b, packets c, packets d WHERE b.length + c.length + d.length < a.length) > 5"},
	{"sort", "sort", "SELECT a.info, b.info FROM packets a, packets b, packets c ORDER BY CONCAT(a.length, b.length, c.length, a.info, b.info) LIMIT 1000000, 5"},
	{"sort", "group", "SELECT COUNT(*) FROM (SELECT a.packet_id x, b.packet_id y, c.packet_id z, COUNT(*) FROM packets a, packets b, packets c GROUP BY 1, 2, 3) t"},
	{"sort", "distinct", "SELECT COUNT(DISTINCT a.packet_id, b.packet_id, c.packet_id) FROM packets a, packets b, packets c"},
	{"sort", "GROUP_CONCAT", "SELECT LENGTH(GROUP_CONCAT(DISTINCT a.info, b.info ORDER BY a.length, b.length)) FROM packets a, packets b, packets c"},
	{"window", "rows frame", "SELECT MAX(x) FROM (SELECT MIN(a.length + b.length) OVER (ORDER BY a.length ROWS BETWEEN 100000000 PRECEDING AND 1 PRECEDING) x FROM packets a, packets b) t"},
	{"window", "range frame", "SELECT MAX(x) FROM (SELECT SUM(a.length) OVER (ORDER BY a.length RANGE BETWEEN 5 PRECEDING AND 1 PRECEDING) x FROM packets a, packets b) t"},
	{"window", "whole", "SELECT MIN(a.segment + 0.25) OVER () FROM packets a, packets b, packets c ORDER BY a.packet_id LIMIT 2"},
	{"window", "ranks", "SELECT MAX(x) FROM (SELECT NTILE(7) OVER (PARTITION BY a.protocol ORDER BY a.length, b.length) + ROW_NUMBER() OVER (ORDER BY b.info) x FROM packets a, packets b) t"},
	{"window", "nth value", "SELECT MAX(x) FROM (SELECT NTH_VALUE(a.info, 3) OVER (ORDER BY a.length, b.length ROWS BETWEEN 1000 PRECEDING AND 1000 FOLLOWING) x FROM packets a, packets b) t"},
	{"window", "rows frame of many", "SELECT MAX(x) FROM (SELECT MIN(a.length + b.length) OVER (ORDER BY a.length ROWS BETWEEN 100000000 PRECEDING AND 1 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "range frame of many", "SELECT MAX(x) FROM (SELECT SUM(a.length) OVER (ORDER BY a.length RANGE BETWEEN 5 PRECEDING AND 1 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "nth value of many", "SELECT MAX(x) FROM (SELECT NTH_VALUE(a.info, 3) OVER (ORDER BY a.length, b.length ROWS BETWEEN 1000 PRECEDING AND 1000 FOLLOWING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "bits of many", "SELECT MAX(x) FROM (SELECT BIT_XOR(a.length) OVER (ORDER BY a.length ROWS BETWEEN 100000 PRECEDING AND 5 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "deviation of many", "SELECT MAX(x) FROM (SELECT STDDEV(a.length) OVER (ORDER BY a.length ROWS BETWEEN 100000 PRECEDING AND 5 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "texts of many", "SELECT MAX(x) FROM (SELECT MAX(a.info) OVER (ORDER BY a.length ROWS BETWEEN 100000 PRECEDING AND 5 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "decimals of many", "SELECT MAX(x) FROM (SELECT AVG(a.length) OVER (PARTITION BY b.protocol ORDER BY a.length ROWS BETWEEN 100000 PRECEDING AND 5 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "last values of many", "SELECT MAX(x) FROM (SELECT LAST_VALUE(a.info) OVER (ORDER BY a.length ROWS BETWEEN 100000 PRECEDING AND 5 FOLLOWING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"recursion", "tree", "WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n+1 FROM t UNION ALL SELECT n+2 FROM t WHERE n < 1000000) SELECT COUNT(*) FROM t"},
	{"recursion", "doubling", "WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n+1 FROM t, (SELECT 1 UNION ALL SELECT 2) two) SELECT COUNT(*) FROM t"},
	{"recursion", "distinct", "WITH RECURSIVE t AS (SELECT 1 n UNION SELECT n+1 FROM t) SELECT COUNT(*) FROM t"},
	{"recursion", "cross", "WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n+1 FROM t, packets a, packets b WHERE n < 900) SELECT COUNT(*) FROM t"},
	{"callback", "regexp", "SELECT COUNT(*) FROM packets a, packets b, packets c WHERE REGEXP_REPLACE(CONCAT(a.info, b.info, c.info), '[a-z]+([0-9]*)', 'x') = 'y'"},
	{"callback", "long texts", "SELECT COUNT(*) FROM packets a, packets b WHERE REGEXP_REPLACE(REPEAT(CONCAT(a.info, b.info, '1'), 5000), '([a-z]+)(.?)', 'x') = 'y'"},
	{"callback", "weights", "SELECT COUNT(*) FROM packets a, packets b, packets c WHERE SHA2(CONCAT(a.info, b.info, c.info), 512) = STRCMP(a.info, c.info)"},
	{"callback", "repeat", "SELECT SUM(LENGTH(REPLACE(REPEAT(CONCAT('a', a.length), 100000), 'a', REPEAT(b.info, 3)))) FROM packets a, packets b"},
	{"callback", "lpad", "SELECT SUM(LENGTH(LPAD(a.info, 1000000, b.info))) FROM packets a, packets b"},
	{"callback", "like", "SELECT COUNT(*) FROM packets a, packets b WHERE REPEAT(a.info, 10000) LIKE CONCAT('%', LEFT(b.info, 3), '%a%b%c%d%e%f%')"},
	{"callback", "json", "SELECT SUM(LENGTH(JSON_EXTRACT(JSON_ARRAY(REPEAT(a.info, 1000), b.info), '$[1]'))) FROM packets a, packets b"},
	{"fetch", "payloads", "SELECT SUM(LENGTH(REGEXP_REPLACE(HEX(a.frame), '([0-9]+)', 'xx'))) FROM packet_bytes a, packets b"},
	{"streaming", "cross join", "SELECT a.*, b.* FROM packets a, packets b"},
	{"sort", "count distinct texts by group", "SELECT a.length, COUNT(DISTINCT CONCAT(b.info, c.info, a.info)) FROM packets a, packets b, packets c GROUP BY a.length"},
	{"sort", "union distinct of many", "SELECT COUNT(*) FROM (SELECT CONCAT(a.info, b.info) x FROM packets a, packets b UNION SELECT CONCAT(b.info, a.info, 'x') FROM packets a, packets b UNION SELECT CONCAT(a.info, b.length, b.packet_id) FROM packets a, packets b) t"},
	{"window", "lag of many", "SELECT COUNT(*) FROM (SELECT LAG(a.info, 5) OVER (ORDER BY b.info, a.length) l, LEAD(b.info, 500) OVER (PARTITION BY a.length ORDER BY b.ts DESC) r FROM packets a, packets b) t WHERE l > r"},
	{"recursion", "callbacks in it", "WITH RECURSIVE t AS (SELECT 1 n, CAST('a' AS CHAR(200)) s UNION ALL SELECT n + 1, LEFT(REGEXP_REPLACE(CONCAT(s, n), '[0-9]+', 'xy'), 100) FROM t WHERE n < 100000000) SELECT COUNT(*) FROM t"},
	{"scan", "columns crossed", "SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c, information_schema.columns d WHERE CONCAT(a.column_name, b.column_name) LIKE CONCAT('%', c.column_name, '%', d.column_name)"},
	{"scan", "a value of a variable", "SET @x = (SELECT COUNT(*) FROM packets a, packets b, packets c, packets d WHERE a.length + b.length + c.length + d.length = 3)"},
	{"callback", "one row of locate", "SELECT LOCATE(CONCAT(REPEAT('a', 100000), 'b'), REPEAT('a', 1000000))"},
	{"scan", "one row of json contains", "SELECT JSON_CONTAINS(CONCAT('[', REPEAT('1,', 300000), '1]'), CONCAT('[', REPEAT('1,', 300000), '2]'))"},
}

// More are further ones, for when there is time.
var More = []Statement{
	{"scan", "asof-like lateral", "SELECT COUNT(*) FROM packets a JOIN LATERAL (SELECT b.packet_id FROM packets b WHERE b.ts <= a.ts ORDER BY b.ts DESC, b.length LIMIT 3) c ON TRUE JOIN packets d ON d.length >= a.length"},
	{"scan", "huge offset", "SELECT a.info, b.info FROM packets a, packets b, packets c LIMIT 10 OFFSET 9000000000000"},
	{"scan", "huge offset sorted", "SELECT a.info, b.info FROM packets a, packets b ORDER BY a.info, b.info LIMIT 10 OFFSET 90000000"},
	{"scan", "json of many", "SELECT SUM(JSON_LENGTH(JSON_ARRAY(a.info, b.info, c.info))) FROM packets a, packets b, packets c"},
	{"sort", "json aggregate", "SELECT LENGTH(JSON_ARRAYAGG(CONCAT(a.info, b.info))) FROM packets a, packets b, packets c"},
	{"sort", "json object aggregate", "SELECT LENGTH(JSON_OBJECTAGG(CONCAT(a.packet_id, b.packet_id), b.info)) FROM packets a, packets b"},
	{"sort", "huge group_concat", "SELECT LENGTH(GROUP_CONCAT(a.info, b.info, c.info SEPARATOR '------')) FROM packets a, packets b, packets c"},
	{"sort", "many group_concats", "SELECT a.packet_id, LENGTH(GROUP_CONCAT(b.info, c.info ORDER BY c.length DESC, b.info)) FROM packets a, packets b, packets c GROUP BY a.packet_id"},
	{"sort", "except and intersect", "SELECT COUNT(*) FROM (SELECT a.packet_id, b.packet_id x FROM packets a, packets b EXCEPT SELECT b.packet_id, a.packet_id x FROM packets a, packets b WHERE a.length > 60 INTERSECT SELECT a.packet_id, b.packet_id FROM packets a, packets b) t"},
	{"window", "running distinct texts", "SELECT MAX(LENGTH(x)) FROM (SELECT MAX(CONCAT(a.info, b.info)) OVER (PARTITION BY a.protocol ORDER BY b.length, a.length ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) x FROM packets a, packets b) t"},
	{"window", "percent ranks", "SELECT SUM(p + c) FROM (SELECT PERCENT_RANK() OVER (ORDER BY a.info, b.length) p, CUME_DIST() OVER (PARTITION BY b.protocol ORDER BY a.info) c FROM packets a, packets b) t"},
	{"window", "json window", "SELECT MAX(LENGTH(x)) FROM (SELECT JSON_ARRAYAGG(a.info) OVER (ORDER BY a.length ROWS BETWEEN 100000 PRECEDING AND 5 PRECEDING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"window", "unbounded following of texts", "SELECT MAX(LENGTH(x)) FROM (SELECT MIN(CONCAT(a.info, 'x')) OVER (ORDER BY a.length ROWS BETWEEN 5 FOLLOWING AND UNBOUNDED FOLLOWING) x FROM packets a, (SELECT * FROM packets LIMIT 300) b) t"},
	{"recursion", "growing rows and texts", "WITH RECURSIVE t AS (SELECT 1 n, CAST('a' AS CHAR(60000)) s UNION ALL SELECT n + 1, CONCAT(s, 'abcdefghij') FROM t, (SELECT 1 UNION ALL SELECT 2) two WHERE n < 100) SELECT SUM(LENGTH(s)) FROM t"},
	{"recursion", "two in one", "WITH RECURSIVE a AS (SELECT 1 n UNION ALL SELECT n + 1 FROM a WHERE n < 3000), b AS (SELECT 1 m UNION ALL SELECT m + 1 FROM b WHERE m < 3000) SELECT COUNT(*) FROM a, b, a c WHERE a.n + b.m + c.n = 1"},
	{"planning", "in list", "SELECT COUNT(*) FROM flows a, flows b, flows c, flows d WHERE a.bytes + b.bytes + c.bytes IN (" + Repeated(9000, ",", "%d") + ")"},
	{"planning", "deep functions", "SELECT " + strings.Repeat("CONCAT(info,", 150) + "'a'" + strings.Repeat(")", 150) + " x FROM packets ORDER BY x"},
	{"planning", "correlated in a correlated", "SELECT COUNT(*) FROM flows a WHERE (SELECT SUM((SELECT COUNT(*) FROM flows c WHERE c.bytes + b.bytes > a.bytes AND (SELECT MAX(d.bytes + c.bytes) FROM flows d WHERE d.bytes < a.bytes + b.bytes) > 3)) FROM flows b WHERE b.bytes < a.bytes) > 5"},
	{"planning", "group by many expressions", "SELECT COUNT(*) FROM packets a, packets b GROUP BY " + Repeated(200, ", ", "CONCAT(a.info, b.info, %d)")},
	{"planning", "hundreds of unions of joins", "SELECT COUNT(*) FROM (" + Repeated(30, " UNION ALL ", "SELECT a.info x FROM packets a JOIN packets b ON a.length = b.length + %d") + ") t"},
	{"scan", "collations crossed", "SELECT SUM(LENGTH(CONCAT(a.collation_name, b.collation_name, c.collation_name))) FROM information_schema.collations a, information_schema.collations b, information_schema.collations c, information_schema.collations d"},
	{"scan", "variables crossed", "SELECT COUNT(*) FROM performance_schema.session_variables a, performance_schema.session_variables b, performance_schema.session_variables c WHERE a.variable_value > CONCAT(b.variable_value, c.variable_value)"},
	{"scan", "processlist crossed", "SELECT COUNT(*) FROM information_schema.processlist p, information_schema.columns a, information_schema.columns b, ops.query_log c WHERE c.statement LIKE CONCAT('%', a.column_name, '_%', b.column_name)"},
	{"scan", "show with a pattern", "SHOW VARIABLES WHERE variable_name REGEXP '(a|b|_|[a-z]+)*x{1,50}y{1,90}z' OR (SELECT COUNT(*) FROM information_schema.columns a, information_schema.columns b, information_schema.columns c, information_schema.columns d WHERE a.column_name > d.column_name) > 1"},
	{"scan", "explain analyze", "EXPLAIN ANALYZE SELECT COUNT(*) FROM packets a, packets b, packets c, packets d WHERE a.length + b.length + c.length + d.length = 3"},
	{"scan", "explain of the rest", "EXPLAIN SELECT COUNT(*) FROM " + Repeated(58, ", ", "connections f%d") + " WHERE " + Repeated(57, " AND ", "f%d.conn_id = f0.conn_id AND f%[1]d.client_port + f%[2]d.client_port > 5")},
	{"scan", "do", "DO (SELECT COUNT(*) FROM packets a, packets b, packets c, packets d WHERE a.length + b.length + c.length + d.length = 3)"},
	{"scan", "into", "SELECT COUNT(*) FROM packets a, packets b, packets c, packets d WHERE a.length + b.length + c.length + d.length = 3 INTO @x"},
	{"callback", "date formats", "SELECT COUNT(*) FROM packets a, packets b, packets c WHERE DATE_FORMAT(a.ts + INTERVAL b.length SECOND, '%W %M %Y %j %U') = STR_TO_DATE(c.info, '%Y')"},
	{"callback", "one row of json", "SELECT LENGTH(JSON_MERGE_PRESERVE(CONCAT('[', REPEAT('[', 90), REPEAT('1,', 400000), '1', REPEAT(']', 90), ']'), REPEAT('[1]', 1)))"},
	{"scan", "one row of json contains many", "SELECT JSON_CONTAINS(CONCAT('[', REPEAT('1,', 300000), '2]'), CONCAT('[', REPEAT('2,', 300000), '2]'))"},
	{"scan", "one row of json overlaps", "SELECT JSON_OVERLAPS(CONCAT('[', REPEAT('1,', 300000), '1]'), CONCAT('[', REPEAT('2,', 300000), '2]'))"},
	{"scan", "one row of json merge patch", "SELECT LENGTH(JSON_MERGE_PATCH(CONCAT('{\"a\":[', REPEAT('{\"a\":1},', 100000), '1]}'), CONCAT('{\"a\":[', REPEAT('{\"a\":1},', 100000), '1]}')))"},
	{"scan", "one row of json extract of deep paths", "SELECT LENGTH(JSON_EXTRACT(CONCAT('[', REPEAT('{\"a\":1},', 100000), '1]'), '$**.a', '$[*].a', '$**.a'))"},
	{"scan", "one row of instr of letters", "SELECT INSTR(REPEAT('ä', 400000), CONCAT(REPEAT('a', 200000), 'b'))"},
	{"scan", "one row of find in set", "SELECT FIND_IN_SET(REPEAT('a', 400000), REPEAT('a,', 500000))"},
	{"scan", "one row of regexp instr", "SELECT REGEXP_INSTR(REPEAT('ab', 500000), '(a?){100}b{200}c'), REGEXP_SUBSTR(REPEAT('a', 500000), '(a+)+$b')"},
	{"callback", "format of many", "SELECT COUNT(*) FROM packets a, packets b, packets c WHERE FORMAT(a.length * b.length / c.length, 30) = CONV(HEX(CONCAT(a.info, b.info)), 16, 36)"},
	{"fetch", "frames crossed", "SELECT SUM(CRC32(CONCAT(a.frame, b.frame))) FROM packet_bytes a, packet_bytes b, packet_bytes c"},
	{"fetch", "frames sorted", "SELECT a.frame FROM packet_bytes a, packet_bytes b, packet_bytes c ORDER BY CONCAT(b.frame, a.frame), a.packet_id LIMIT 1 OFFSET 1000000"},
	{"streaming", "frames", "SELECT a.frame, b.frame FROM packet_bytes a, packet_bytes b, packet_bytes c"},
	{"scan", "timelines crossed", "SELECT COUNT(*) FROM timeline a, timeline b, timeline c, timeline d WHERE a.ts < b.ts AND c.ts > d.ts AND CONCAT(a.summary, b.summary) <> CONCAT(c.summary, d.summary)"},
	{"scan", "notices crossed", "SELECT COUNT(*) FROM notices a, notices b, packets c, packets d, packets e WHERE a.ts + INTERVAL c.length + d.length + e.length SECOND < b.ts"},
	{"fetch", "pcap of many", "SELECT LENGTH(pcap(a.packet_id)) FROM packets a, packets b, packets c"},
	{"fetch", "streams of many", "SELECT SUM(LENGTH(stream(a.conn_id))) FROM connections a, connections b, packets c, packets d WHERE b.bytes + c.length + d.length > a.bytes"},
	{"fetch", "files of many", "SELECT SUM(LENGTH(file_bytes(a.file_id))) FROM files a, packets b, packets c, packets d WHERE b.length + c.length + d.length > 3"},
	{"streaming", "long texts", "SELECT REPEAT(a.info, 10000) FROM packets a, packets b"},
}

// Refused are statements that never begin, or end themselves with an error.
var Refused = []struct {
	Number     uint16
	Name, Text string
}{
	{1116, "chain of joins", chained(11, "SELECT a.* FROM %s a JOIN %[1]s b USING (conn_id)")},
	{1116, "chain of unions", chained(16, "SELECT * FROM %s UNION ALL SELECT * FROM %[1]s")},
	{1116, "chain of subqueries", chained(14, "SELECT * FROM %s WHERE conn_id IN (SELECT conn_id FROM %[1]s)")},
	{1116, "chain of lateral counts", chained(12, "SELECT a.*, (SELECT COUNT(*) FROM %s b WHERE b.conn_id = a.conn_id) x%d FROM %[1]s a")},
	{1064, "sums", "SELECT COUNT(*) FROM flows WHERE src_port = " + Repeated(900, " + ", "dst_port * %d")},
	{1041, "texts of a chunk", "SELECT SUM(LENGTH(a)) FROM (SELECT REPEAT(info, 1000000 / (1 + LENGTH(info))) a FROM packets) t"},
	{1406, "texts of a recursion", "WITH RECURSIVE t AS (SELECT CAST('ab' AS CHAR(1000000)) s UNION ALL SELECT CONCAT(s, s) FROM t) SELECT MAX(LENGTH(s)) FROM t"},
	{3636, "recursion", "WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n + 1 FROM t) SELECT COUNT(*) FROM t"},
	{1064, "parentheses", "SELECT " + strings.Repeat("(", 300) + "1" + strings.Repeat(")", 300)},
	{1064, "bytes", "SELECT '" + strings.Repeat("x", 300<<10) + "'"},
}

// chained is a chain of common table expressions, each over the one before.
func chained(n int, of string) string {
	var b strings.Builder
	b.WriteString("WITH c0 AS (SELECT * FROM connections)")
	for i := 1; i <= n; i++ {
		fmt.Fprintf(&b, ", c%d AS (%s)", i, strings.SplitN(fmt.Sprintf(of+"\x00", fmt.Sprintf("c%d", i-1), i), "\x00", 2)[0])
	}
	fmt.Fprintf(&b, " SELECT COUNT(*) FROM c%d", n)
	return b.String()
}

// doubling is a chain of tables whose column is twice the text of the one before.
func doubling(relation string, n int) string {
	q := "SELECT src_port + dst_port x FROM " + relation
	for i := range n {
		q = fmt.Sprintf("SELECT x + x x FROM (%s) t%d", q, i)
	}
	return q
}

// nestedExists is a query within a query, each about the one before.
func nestedExists(n int) string {
	q := fmt.Sprintf("SELECT 1 FROM flows f%d WHERE f%[1]d.conn_id = f%d.conn_id", n, n-1)
	for i := n - 1; i > 0; i-- {
		q = fmt.Sprintf("SELECT 1 FROM flows f%d WHERE f%[1]d.src_port = f%[2]d.src_port + 1 AND (SELECT COUNT(*) FROM flows g WHERE g.src_port < f%[1]d.src_port) > 3 AND EXISTS (%[3]s)", i, i-1, q)
	}
	return "SELECT COUNT(*) FROM flows f0 WHERE EXISTS (" + q + ")"
}

// Repeated writes a text n times, with the numbers i and i+1 in it.
func Repeated(n int, between, of string) string {
	parts := make([]string, n)
	for i := range parts {
		parts[i] = strings.SplitN(fmt.Sprintf(of+"\x00", i, i+1), "\x00", 2)[0]
	}
	return strings.Join(parts, between)
}
