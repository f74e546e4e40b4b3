package main

import (
	"context"
	"database/sql"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// hostile are statements that once stopped a server of somebody's, or might.
var hostile = []string{
	"", ";", "'", "SELECT", "SELECT '", "SELECT `", "SELECT /*", "/*!50000 SELECT 1 */", "SELECT 1 -- ", "((((((((((", "SELECT \x00", "SELECT '\xff'", "\xef\xbb\xbfSELECT 1",
	"SELECT " + strings.Repeat("(", 500) + "1" + strings.Repeat(")", 500),
	"SELECT 1" + strings.Repeat("+1", 1500),
	"SELECT NOT " + strings.Repeat("NOT ", 800) + "1",
	"SELECT '{{scan 0}}', CONCAT('{{scan 0}}', server_name) FROM connections",
	"SELECT '%s %d $1 ? :a', \"{0}\" FROM connections LIMIT 1",
	"WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n+1 FROM t UNION ALL SELECT n+2 FROM t WHERE n<1000000) SELECT COUNT(*) FROM t",
	"WITH RECURSIVE t AS (SELECT 1 n UNION ALL SELECT n+1 FROM t) SELECT COUNT(*) FROM t",
	"SELECT LENGTH(LPAD(sensor,2000000000,'y')) FROM connections",
	"SELECT REPLACE(REPEAT('a',100000),'a',REPEAT('b',100000))",
	"SELECT LENGTH(REPEAT('x',1000000000)), SPACE(2000000000)",
	"SELECT COUNT(*) FROM packets a, packets b, packets c WHERE a.length + b.length > c.length",
	"SELECT SLEEP(1000)",
	"SELECT MIN(segment+0.25) OVER () FROM packets ORDER BY packet_id LIMIT 2",
	"SELECT ts, AVG(bytes) OVER (ORDER BY ts ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING) b FROM connections ORDER BY ts",
	"SELECT REGEXP_REPLACE(REPEAT('a', 40), '(a+)+$', 'x'), REPEAT('a', 40) REGEXP '^(a+)+b'",
	"SELECT GROUP_CONCAT(info SEPARATOR '') FROM packets",
	"SELECT INSERT('abc', -9223372036854775808, 9223372036854775807, 'x'), SUBSTRING('a', -9223372036854775808), LEFT('a', 18446744073709551615), REPEAT('a', -9223372036854775808)",
	"SELECT LOCATE('a', 'banana', -1), LOCATE('x', 'y', 9223372036854775807), CONV('z', 99, -99), TRUNCATE(1.5, 2147483648), ROUND(1e308, -400)",
	"SELECT CAST(-9223372036854775808 AS SIGNED) DIV -1, -9223372036854775808 % -1, ABS(-9223372036854775808)",
	"SELECT DATE '9999-12-31' + INTERVAL 9223372036854775807 DAY, ts + INTERVAL 1e300 YEAR FROM connections",
	"SELECT * FROM information_schema.columns, information_schema.tables",
	"SELECT payload LIKE '%x%', HEX(CONVERT(payload USING utf16le)) FROM packet_bytes",
	"SET @a = REPEAT('x', 100000000)",
	"PREPARE s FROM 'SELECT ?'", "EXECUTE s USING @a", "BEGIN", "LOCK TABLES connections WRITE", "CREATE TABLE x (a INT)", "DROP DATABASE wiresql", "LOAD DATA INFILE '/etc/passwd' INTO TABLE x",
	"SELECT * FROM connections INTO OUTFILE '/tmp/x'", "CALL x()", "DO 1", "XA START 'a'", "HANDLER x OPEN", "EXPLAIN FORMAT=JSON SELECT 1", "EXPLAIN ANALYZE SELECT * FROM packets",
}

// endsSession are statements that may end their own connection.
var endsSession = regexp.MustCompile(`(?i)\b(kill|shutdown)\b`)

// fuzzed is the server under test, one for each process of the fuzzer.
var fuzzed struct {
	sync.Once
	db *sql.DB
}

// FuzzSQL sends any text as a statement: no panic, an end within five seconds
// though it is stopped after two, and a session that still answers.
func FuzzSQL(f *testing.F) {
	for _, s := range hostile {
		f.Add(s)
	}
	for _, dir := range []string{"testdata/sql", oraclePages} {
		paths, _ := filepath.Glob(dir + "/*.test")
		for _, path := range paths {
			for i, c := range parsePage(f, path).cases {
				if i%12 == 0 {
					f.Add(c.statement)
				}
			}
		}
	}
	for seed := range uint64(60) {
		f.Add(randomStatement(seed).text(false))
	}
	fuzzed.Do(func() {
		fuzzed.db = wireDB(f, demoEngine(f))
		fuzzed.db.SetMaxIdleConns(0)
	})
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 8192 || endsSession.MatchString(text) {
			t.Skip()
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		c, err := fuzzed.db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		// The server stops it, so that the session lives on.
		if _, err := c.ExecContext(ctx, "SET max_execution_time = 2000"); err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		readAll(ctx, c, text)
		if d := time.Since(started); d > 5*time.Second {
			t.Errorf("%v: %q", d, text)
		}
		var one int
		if err := c.QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil || one != 1 {
			t.Errorf("the session is lost: %v after %q", err, text)
		}
	})
}

// readAll takes what a statement gives, whatever it is.
func readAll(ctx context.Context, c *sql.Conn, text string) {
	rows, err := c.QueryContext(ctx, text)
	if err != nil {
		return
	}
	defer rows.Close()
	for rows.Next() {
	}
}
