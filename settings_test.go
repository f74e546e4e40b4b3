package main

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/wiresql/wiresql/sqlserver/output"
)

// What a session sets is obeyed, or refused with a reason; never ignored.
func TestSettings(t *testing.T) {
	db := wireDB(t, demoEngine(t))
	for _, c := range []struct{ set, ask, want string }{
		{"SET sql_select_limit = 3", "SELECT conn_id FROM connections", "3 rows"},
		{"SET sql_select_limit = 3", "SELECT conn_id FROM connections LIMIT 5", "5 rows"},
		{"SET sql_select_limit = 3", "SELECT COUNT(*) FROM (SELECT conn_id FROM connections) q", "199"},
		{"SET sql_select_limit = 2", "SELECT 1 UNION SELECT 2 UNION SELECT 3", "2 rows"},
		{"SET @n = (SELECT COUNT(*) FROM connections WHERE server_port = 22), @m = 3", "SELECT CONCAT(@n, ' ', @m)", "2 3"},
		{"SET @t = (SELECT MIN(ts) FROM connections)", "SELECT @t", "2026-06-12 10:14:06.833500"},
		{"SET @x = (SELECT client_ip FROM connections WHERE FALSE)", "SELECT COALESCE(@x, 'none')", "none"},
		{"SET sql_select_limit = DEFAULT", "SELECT conn_id FROM connections", "199 rows"},
		{"SET group_concat_max_len = 5", "SELECT GROUP_CONCAT('abc', 'def')", "abcde"},
		{"SET cte_max_recursion_depth = 3", "WITH RECURSIVE n AS (SELECT 1 v UNION ALL SELECT v + 1 FROM n WHERE v < 10) SELECT MAX(v) FROM n", "error 3636"},
		{"SET sql_mode = ''", "SELECT service, conn_id FROM connections GROUP BY service LIMIT 1", "1 rows"},
		{"SET sql_mode = 'ONLY_FULL_GROUP_BY'", "SELECT service, conn_id FROM connections GROUP BY service LIMIT 1", "error 1055"},
		{"SET sql_mode = CONCAT(@@sql_mode, ',STRICT_TRANS_TABLES')", "SELECT 1", "1"},
		{"SET sql_mode = 'IGNORE_SPACE'", "SELECT COUNT (*) FROM connections", "199"},
		{"SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'", "SELECT CAST(0 AS UNSIGNED) - 1", "-1"},
		{"SET sql_mode = ''", "SELECT CAST(0 AS UNSIGNED) - 1", "error 1690"},
		{"SET sql_mode = 'NO_UNSIGNED_SUBTRACTION'", "SELECT MIN(CAST(client_port * 0 AS UNSIGNED) - 1) FROM connections", "-1"},
		{"SET NAMES utf8mb4", "SELECT 'a' = 'A'", "1"},
		{"SET NAMES utf8mb4 COLLATE utf8mb4_0900_bin", "SELECT 'a' = 'A'", "0"},
		{"SET NAMES utf8mb4 COLLATE utf8mb4_0900_as_cs", "SELECT CONCAT('a = A: ', 'a' = 'A')", "a = A: 0"},
		{"SET NAMES utf8mb4 COLLATE utf8mb4_general_ci", "SELECT 'a' = 'A'", "1"},
		{"SET collation_connection = 'utf8mb4_bin'", "SELECT 'a' = 'A'", "0"},
		{"SET time_zone = '+00:00'", "SELECT @@time_zone", "+00:00"},
		{"SET time_zone = 'europe/berlin'", "SELECT @@time_zone", "Europe/Berlin"},
		{"SET time_zone = '+5:30'", "SELECT @@time_zone", "+05:30"},
		{"SET time_zone = 'SYSTEM'", "SELECT CONCAT(@@time_zone, @@system_time_zone, TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW()))", "SYSTEMUTC0"},
		{"SET time_zone = '-13:59'", "SELECT TIMESTAMPDIFF(MINUTE, UTC_TIMESTAMP(), NOW())", "-839"},
		{"SET time_zone = '+14:01'", "", "error 1298"},
		{"SET time_zone = 'Mars/Olympus'", "", "error 1298"},
		{"SET time_zone = NULL", "", "error 1231"},
		{"SET PASSWORD = 'x'", "", "refused"},
		{"SET time_zone = 'Asia/Kolkata'", "SELECT COUNT(*) FROM connections WHERE ts >= '2026-06-12T12:15+02:00'", "191"},
		{"SET time_zone = 'Asia/Kolkata'", "SELECT COUNT(*) FROM connections WHERE ts >= '2026-06-12 15:45'", "191"},
		{"SET time_zone = 'Asia/Kolkata'", "SELECT TIMESTAMP '2026-06-12T12:15:00+02:00'", "2026-06-12 15:45:00"},
		{"SET time_zone = 'Asia/Kolkata'", "SELECT MIN(time_bucket('1 day', ts)) FROM connections", "2026-06-12 00:00:00.000000"},
		{"SET SESSION sql_mode = 'NO_BACKSLASH_ESCAPES'", `SELECT CONCAT('a\b\', '\')`, `a\b\\`},
		{"SET sql_mode = 'PIPES_AS_CONCAT,STRICT_TRANS_TABLES'", "SELECT 'a' || 1 || 'c'", "a1c"},
		{"SET sql_mode = 'ANSI_QUOTES'", `SELECT MIN("server_port") FROM "connections" c WHERE c."server_port" > 0`, "21"},
		{"SET sql_mode = 'ANSI_QUOTES'", `SELECT "nothing" FROM connections`, "error 1054"},
		{"SET sql_mode = 'ansi'", "SELECT @@sql_mode", "REAL_AS_FLOAT,PIPES_AS_CONCAT,ANSI_QUOTES,IGNORE_SPACE,ONLY_FULL_GROUP_BY,ANSI"},
		{"SET sql_mode = 'ANSI'", "SELECT CAST(1 AS REAL)", "error 1235"},
		{"SET sql_mode = 'TRADITIONAL'", "SELECT @@sql_mode", "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,TRADITIONAL,NO_ENGINE_SUBSTITUTION"},
		{"SET sql_mode = 'HIGH_NOT_PRECEDENCE'", "SELECT NOT 1 BETWEEN -5 AND 5", "1"},
		{"SET sql_mode = ''", "SELECT NOT 1 BETWEEN -5 AND 5", "0"},
		{"SET sql_mode = 0", "SELECT CONCAT('<', @@sql_mode, '>')", "<>"},
		{"SET sql_mode = 'ANSI_QUOTES', @old = @@sql_mode, sql_mode = ''", "SELECT \"text\"", "text"},
		{"SET sql_mode = 'ALLOW_INVALID_DATES'", "", "error 1231"},
		{"SET sql_mode = 'TIME_TRUNCATE_FRACTIONAL'", "", "error 1231"},
		{"SET sql_mode = 'NO_SUCH_MODE'", "", "error 1231"},
		{"SET sql_mode = NULL", "", "error 1231"},
		{"SET @@session.div_precision_increment = 8", "SELECT 1 / 3", "0.33333333"},
		{"SET div_precision_increment = 0", "SELECT 1 / 3", "0"},
		{"SET div_precision_increment = 6", "SELECT AVG(n) FROM (SELECT 1 n UNION ALL SELECT 2 UNION ALL SELECT 2) q", "1.666667"},
		{"SET div_precision_increment = 4", "SELECT 1 / 3", "0.3333"},
		{"SET default_week_format = 3", "SELECT CONCAT(WEEK('2026-01-01'), ' ', EXTRACT(WEEK FROM '2026-01-01'), ' ', WEEK('2026-01-01', 0))", "1 1 0"},
		{"SET default_week_format = 3", "SELECT DISTINCT CONCAT(WEEK(ts), ' ', EXTRACT(WEEK FROM ts), ' ', WEEK(ts, 0)) FROM connections", "24 24 23"},
		{"SET lc_time_names = 'de_DE'", "", "error 1231"},
		{"SET lc_time_names = 'en_GB'", "SELECT DAYNAME('2026-06-12')", "Friday"},
		{"SET lc_time_names = 0", "SELECT @@lc_time_names", "en_US"},
		{"SET lc_time_names = 999", "", "error 1649"},
		{"SET updatable_views_with_limit = YES", "SELECT @@updatable_views_with_limit", "1"},
		{"SET updatable_views_with_limit = 'maybe'", "", "error 1231"},
		{"SET default_storage_engine = 'nonsense'", "", "error 1286"},
		{"SET default_storage_engine = MyISAM", "SELECT @@default_storage_engine", "MyISAM"},
		{"SET SESSION max_connections = 5", "", "error 1229"},
		{"SET timestamp = 86400.5", "SELECT CONCAT(NOW(6), ' ', UNIX_TIMESTAMP(), ' ', @@timestamp)", "1970-01-02 00:00:00.500000 86400 86400.5"},
		{"SET timestamp = 86400, timestamp = DEFAULT", "SELECT NOW() > '2026-01-01'", "1"},
		{"SET last_insert_id = 5", "SELECT LAST_INSERT_ID()", "5"},
		{"SET last_insert_id = 7", "SELECT CONCAT(@@last_insert_id, @@identity)", "77"},
		{"SET identity = 9", "SELECT CONCAT(@@last_insert_id, LAST_INSERT_ID())", "99"},
		{"SET insert_id = 9", "SELECT @@insert_id", "9"},
		{"SET @'q' = 6, @\"r\" = 7", "SELECT CONCAT(@q, @'Q', @`r`)", "667"},
		{"SET NAMES utf8", "SELECT @@character_set_client", "utf8mb3"},
		{"SET NAMES ucs2", "", "error 1231"},
		{"SET character_set_client = utf32", "", "error 1231"},
		{"SET character_set_client = 33", "SELECT @@character_set_client", "utf8mb3"},
		{"SET character_set_client = 45", "SELECT @@character_set_client", "utf8mb4"},
		{"SET character_set_client = 9999", "", "error 1115"},
		{"SET character_set_client = 0", "", "error 1115"},
		{"SET character_set_results = 63", "SELECT @@character_set_results", "binary"},
		{"SET character_set_results = NULL", "SELECT @@character_set_results IS NULL", "1"},
		{"SET collation_connection = 45", "SELECT @@collation_connection", "utf8mb4_general_ci"},
		{"SET collation_connection = 33", "SELECT @@collation_connection", "utf8mb3_general_ci"},
		{"SET collation_connection = 9999", "", "error 1273"},
		{"SET optimizer_switch = 'x'", "", "error 1231"},
		{"SET optimizer_switch = 'mrr=x'", "", "error 1231"},
		{"SET optimizer_switch = 'mrr=on,mrr=off'", "", "error 1231"},
		{"SET optimizer_switch = 'mrr=on,nosuch=off'", "", "error 1231"},
		{"SET optimizer_switch = NULL", "", "error 1231"},
		{"SET optimizer_switch = 5", "", "error 1232"},
		{"SET optimizer_switch = 'mrr=default,index_merge=off'", "SELECT @@optimizer_switch LIKE 'index_merge=off,%,mrr=on,%'", "1"},
		{"SET optimizer_switch = 'index_merge=off,default'", "SELECT @@optimizer_switch LIKE 'index_merge=off,%,mrr=on,%'", "1"},
		{"SET optimizer_switch = ''", "SELECT @@optimizer_switch LIKE 'index_merge=on,%'", "1"},
		{"SET NAMES utf8mb4 COLLATE utf8mb4_nonsense_ci", "", "error 1273"},
		{"SET NAMES utf8mb4 COLLATE latin1_swedish_ci", "", "error 1253"},
		{"SET NAMES utf8 COLLATE utf8_general_ci", "SELECT @@collation_connection", "utf8mb3_general_ci"},
		{"SET NAMES latin1 COLLATE 'latin1_swedish_ci'", "SELECT @@collation_connection", "latin1_swedish_ci"},
		{"SET @x = 1, character_set_results = binary", "SELECT CONCAT(@@character_set_results, @x)", "binary1"},
		{"SET max_execution_time = -1", "SELECT @@max_execution_time", "0"},
		{"SET max_execution_time = -1", "SHOW WARNINGS", "1 rows"},
		{"SET max_execution_time = 4294967296", "SELECT @@max_execution_time", "4294967295"},
		{"SET max_execution_time = DEFAULT", "SELECT @@max_execution_time", "0"},
		{"SET max_execution_time = NULL", "", "error 1232"},
		{"SET max_execution_time = 'x'", "", "error 1232"},
		{"SET max_execution_time = '5'", "", "error 1232"},
		{"SET max_execution_time = 1.5", "", "error 1232"},
		{"SET max_execution_time = CAST(5 AS DECIMAL)", "", "error 1232"},
		{"SET sql_mode = 'STRICT_ALL_TABLES'", "SELECT 1", "1"},
		{"SET sql_mode = 'STRICT_ALL_TABLES', @x = 1", "SELECT @x", "1"},
		{"SET autocommit = NULL", "", "error 1231"},
		{"SET autocommit = 2", "", "error 1231"},
		{"SET autocommit = 1.5", "", "error 1232"},
		{"SET character_set_client = ''", "", "error 1115"},
		{"SET character_set_client = nonsense", "", "error 1115"},
		{"SET collation_connection = NULL", "", "error 1231"},
		{"SET timestamp = NULL", "", "error 1232"},
		{"SET timestamp = -1", "", "error 1231"},
	} {
		conn, err := db.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		_, err = conn.ExecContext(context.Background(), c.set)
		got := ""
		switch e, isMySQL := err.(*mysql.MySQLError); {
		case err == nil && c.ask != "":
			got = said(ask(conn, c.ask))
		case isMySQL && c.want == "refused" && !strings.Contains(e.Message, "nternal"):
			got = "refused"
		case err != nil:
			got = said(answer{err: err})
		}
		if got != c.want {
			t.Errorf("%s; %s: %s, want %s", c.set, c.ask, got, c.want)
		}
		// The next one begins anew.
		conn.Raw(func(any) error { return driver.ErrBadConn })
		conn.Close()
	}
}

// said is an answer in a word: its value, how many rows, or its error.
func said(a answer) string {
	switch {
	case a.err != nil && a.number() != 0:
		return fmt.Sprintf("error %d", a.number())
	case a.err != nil:
		return a.err.Error()
	case len(a.rows) == 1 && len(a.names) == 1:
		return a.rows[0][0].String
	}
	return fmt.Sprintf("%d rows", len(a.rows))
}

// Without a database a name without one is error 1046, in both protocols.
func TestNoDatabase(t *testing.T) {
	wire, _ := serveOnly(t)
	c := mysql.NewConfig()
	c.User, c.Passwd, c.Net, c.Addr, c.TLSConfig, c.Logger = wire.user, wire.password, "tcp", wire.host+":"+wire.port, "skip-verify", quietDriver{}
	db := openConfig(t, c)
	for statement, want := range map[string]string{
		"SELECT COUNT(*) FROM connections":         "error 1046",
		"SELECT COUNT(*) FROM wiresql.connections": "199",
		"SELECT DATABASE()":                        "",
		"SHOW TABLES":                              "error 1046",
		"DESCRIBE connections":                     "error 1046",
		"SELECT 1":                                 "1",
	} {
		if got := said(ask(db, statement)); got != want {
			t.Errorf("%s: %s, want %s", statement, got, want)
		}
	}
	if _, err := db.Prepare("SELECT COUNT(*) FROM connections"); said(answer{err: err}) != "error 1046" {
		t.Errorf("PREPARE: %v", err)
	}
}

// What the command line prints has the digits that MySQL's clients show.
func TestQueryPrintsScales(t *testing.T) {
	e := demoEngine(t)
	for format, want := range map[string]string{
		"csv": "d,big,f,neg,at,at3,day,span,text,bytes,doc,none,truth\n" +
			"7098.0000,18446744073709551615,1e20,-0.50,2026-06-12 10:15:00,2026-06-12 10:15:00.500,2026-06-12,-01:00:00,12,00ff,\"{\"\"a\"\": 1}\",,1\n",
		"json": "[\n{\"d\":7098.0000,\"big\":18446744073709551615,\"f\":1e20,\"neg\":-0.50,\"at\":\"2026-06-12 10:15:00\",\"at3\":\"2026-06-12 10:15:00.500\"," +
			"\"day\":\"2026-06-12\",\"span\":\"-01:00:00\",\"text\":\"12\",\"bytes\":\"00ff\",\"doc\":\"{\\\"a\\\": 1}\",\"none\":null,\"truth\":1}\n]\n",
	} {
		rows, err := e.Query(t.Context(), "SELECT CAST(7098 AS DECIMAL(20,4)) d, CAST(-1 AS UNSIGNED) big, 1e20 f, -0.50 neg, TIMESTAMP '2026-06-12 10:15:00' at, "+
			"CAST('2026-06-12 10:15:00.5' AS DATETIME(3)) at3, DATE '2026-06-12' day, TIMEDIFF('10:00:00', '11:00:00') span, '12' text, x'00ff' bytes, "+
			"JSON_OBJECT('a', 1) doc, NULL none, 1 = 1 truth")
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := output.Write(&b, format, answerRows{rows}); err != nil || b.String() != want {
			t.Errorf("%s: %v\n got %s\nwant %s", format, err, b.String(), want)
		}
		rows.Close()
	}
}

// The end of a result tells as many warnings as SHOW WARNINGS lists then.
func TestWarningCounts(t *testing.T) {
	wire, _ := serveOnly(t)
	asks := map[string]int{
		"SELECT 1":                       0,
		"SELECT 1 / 0":                   1,
		"SELECT 'a' + 1, 1 < 'b'":        2,
		"SELECT CAST('12abc' AS SIGNED)": 1,
		"SELECT CAST('a' AS SIGNED), CAST('b' AS SIGNED)": 2,
		"SELECT GROUP_CONCAT(conn_id) FROM connections":   1,
		"SHOW TABLES": 0,
		"SET @a = 1":  0,
	}
	var statements []string
	for statement := range asks {
		statements = append(statements, statement, "SHOW WARNINGS")
	}
	got := outside(t, wire, statements, "/usr/bin/python3", "testdata/clients/pymysql/client.py")
	for i := 0; i < len(got); i += 2 {
		if got[i].Error != "" || got[i+1].Error != "" {
			t.Errorf("%s: %s %s", statements[i], got[i].Error, got[i+1].Error)
			continue
		}
		if n := asks[statements[i]]; got[i].Warnings != n || len(got[i+1].Rows) != n {
			t.Errorf("%s: %d warnings told, %d listed, want %d", statements[i], got[i].Warnings, len(got[i+1].Rows), n)
		}
	}
}
