package main

import (
	"context"
	"database/sql"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// parameterized are statements and values for them, as the programs of
// testdata/clients take them. @ stands for the table.
var parameterized = []string{
	"SELECT COUNT(*) FROM @ WHERE at >= ?|at:2026-06-12 10:15:00.048",
	"SELECT COUNT(*) FROM @ WHERE at BETWEEN ? AND ?|at:2026-06-12 10:00:00|at:2026-12-01 00:00:00.5",
	"SELECT CAST(? AS DATETIME(6)), CAST(? AS CHAR)|at:2026-10-02 10:05:00.048|at:2026-01-02 03:04:05.000006",
	"SELECT DATE_ADD(?, INTERVAL ? DAY), YEAR(?)|at:2026-12-31 23:59:59|int:1|day:2024-02-29",
	"SELECT COUNT(*) FROM @ WHERE DATE(at) = ?|day:2026-06-12",
	"SELECT CAST(? AS DATE), DAYNAME(?)|day:2026-06-12|day:2024-02-29",
	"SELECT num FROM @ ORDER BY num LIMIT ? OFFSET ?|int:2|int:1",
	"SELECT num FROM @ ORDER BY num LIMIT ?, ?|int:1|int:3",
	"SELECT num FROM @ WHERE num IN (?, ?, ?) ORDER BY num|int:1|int:57288|null:",
	"SELECT COUNT(*) FROM @ WHERE at > ? - INTERVAL ? DAY|at:2026-06-13 00:00:00|int:1",
	"SELECT ? + 1, ? * 2, ? / 4|int:41|double:1.25|int:1",
	"SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?|int:1|null:|int:3|null:|text:e|null:|null:|null:|text:i|null:",
	"SELECT ? IS NULL, COALESCE(?, ?), ? <=> NULL|null:|null:|text:x|null:",
	"SELECT CONCAT(?, '-', ?), LENGTH(?), HEX(?)|text:häß 😀|text:|text:é|bytes:aé",
	"SELECT LENGTH(?), HEX(?)|stream:" + strings.Repeat("x", 3000) + "|stream:",
	"SELECT COUNT(*) FROM @ WHERE word = ? AND num > ?|text:import|int:0",
	"SELECT COUNT(*) FROM @ WHERE word LIKE ?|text:imp%",
	"SELECT COUNT(*) FROM @ WHERE addr = ?|text:10.20.0.23",
	"SELECT COUNT(*) FROM @ WHERE host = ?|text:GAVIN.reid-machine",
	"SELECT word, SUM(num) FROM @ WHERE num > ? GROUP BY word HAVING SUM(num) > ? ORDER BY ?|int:1|int:2|int:1",
	"SELECT CASE WHEN num > ? THEN ? ELSE ? END FROM @ ORDER BY num|int:50000|text:high|text:low",
	"SELECT (SELECT COUNT(*) FROM @ i WHERE i.num > o.num AND i.num < ?) FROM @ o ORDER BY 1|int:60000",
	// What only the newer grammar knows.
	"SELECT word, COUNT(*) FROM @ WHERE num > ? GROUP BY word WITH ROLLUP|int:0",
	"SELECT num = ANY (SELECT num FROM @ WHERE num > ?) FROM @ ORDER BY 1|int:50000",
	"SELECT num > ALL (SELECT num FROM @ WHERE num < ?) FROM @ ORDER BY 1|int:50000",
	"SELECT at + INTERVAL '1:30' HOUR_MINUTE FROM @ WHERE num = ?|int:57288",
	"SELECT ~?, TRIM(LEADING ? FROM 'xxa'), INSERT('Quadratic', ?, 4, 'What'), TRUNCATE(1.999, 1)|int:1|text:x|int:3",
	"SELECT num, SUM(num) OVER w FROM @ WHERE num > ? WINDOW w AS (ORDER BY num) ORDER BY num|int:0",
	"SELECT NTH_VALUE(num, 2) OVER (ORDER BY num ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM @ WHERE num > ? LIMIT 1|int:0",
	"SELECT num FROM @ WHERE num > ? INTERSECT SELECT num FROM @ WHERE num < ? ORDER BY num|int:45000|int:60000",
	"WITH RECURSIVE n AS (SELECT 1 AS v UNION ALL SELECT v + 1 FROM n WHERE v < ?) SELECT SUM(v) FROM n|int:10",
	"/* a ? in a comment */ SELECT '?', \"?\", ? -- ?|int:7",
}

// parameterizedJava are of types that only Connector/J sends.
var parameterizedJava = []string{
	"SELECT TIME(at) >= ?, TIME_TO_SEC(?) FROM @ ORDER BY 1|span:10:15:00|span:01:02:03",
	"SELECT CAST(? AS CHAR), CAST(? AS CHAR)|span:00:00:00|span:10:15:00.048",
	"SELECT ? + ?, ? + ?, ? * 2|byte:-7|short:-300|int:-70000|long:9007199254740993|float:0.5",
	"SELECT CAST(? AS CHAR), ? = 1|decimal:12345678901234567890.1200|bool:1",
}

func targetStatements(s *target, list []string) []string {
	out := make([]string, len(list))
	for i, line := range list {
		words := strings.Split(line, "|")
		words[0] = strings.ReplaceAll(words[0], "@ ", "("+s.table+") q ")
		words[0] = strings.ReplaceAll(words[0], "q i ", "i ")
		words[0] = strings.ReplaceAll(words[0], "q o ", "o ")
		out[i] = strings.ReplaceAll(strings.Join(words, "\t"), "@", "("+s.table+") q")
	}
	return out
}

// Parameters of every type mean the same as in a real server, sent by drivers
// that encode them as they like.
func TestParameters(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three clients")
	}
	wire, maria := typeServers(t)
	for name, command := range typeClients(t) {
		if name == "PyMySQL" {
			continue // it has no prepared statements
		}
		list := parameterized
		if name == "Connector/J" {
			list = append(slices.Clone(list), parameterizedJava...)
		}
		got := outside(t, wire, targetStatements(wire, list), command...)
		want := outside(t, maria, targetStatements(maria, list), command...)
		if len(got) != len(list) || len(want) != len(list) {
			t.Fatalf("%s: %d and %d answers to %d statements", name, len(got), len(want), len(list))
		}
		for i := range list {
			g, w := &got[i], &want[i]
			if w.Error != "" {
				t.Errorf("%s: %s: MariaDB says %s", name, list[i], w.Error)
				continue
			}
			if g.Error != "" {
				t.Errorf("%s: %s: %s", name, list[i], g.Error)
				continue
			}
			for c := range w.Columns {
				if gv, wv := g.values(c), w.values(c); !slices.Equal(gv, wv) {
					t.Errorf("%s: %s: column %d is %s %v, want %s %v", name, list[i], c, g.column(c), gv, w.column(c), wv)
				}
			}
		}
	}
}

// What a statement is executed with may change from one execution to the
// next, and its columns are told when it is prepared.
func TestPreparedAgain(t *testing.T) {
	db := wireDB(t, demoEngine(t))
	ctx := context.Background()
	c, err := db.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	st, err := c.PrepareContext(ctx, "SELECT CONCAT(?, ''), ? IS NULL")
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, x := range []struct {
		v    any
		want string
	}{{int64(-5), "-5 0"}, {"text", "text 0"}, {1.5, "1.5 0"}, {nil, "NULL 1"}, {uint64(18446744073709551615), "18446744073709551615 0"}, {true, "1 0"}, {[]byte("b"), "b 0"}, {int64(7), "7 0"}} {
		var a, b sql.NullString
		if err := st.QueryRowContext(ctx, x.v, x.v).Scan(&a, &b); err != nil {
			t.Errorf("%v: %v", x.v, err)
			continue
		}
		if !a.Valid {
			a.String = "NULL"
		}
		if got := a.String + " " + b.String; got != x.want {
			t.Errorf("%v: %s, want %s", x.v, got, x.want)
		}
	}
	// An error at PREPARE has MySQL's number, and the connection lives on.
	for statement, number := range map[string]uint16{
		"SELECT ip_in('10.0.0.1', 'x')":   1064,
		"SELEC 1":                         1064,
		"SELECT 1; SELECT 2":              1064,
		"SELECT nothing FROM connections": 1054,
		"SELECT * FROM nothing":           1146,
		"SELECT nofunction(?)":            1305,
	} {
		_, err := c.PrepareContext(ctx, statement)
		if e, ok := err.(*mysql.MySQLError); !ok || e.Number != number {
			t.Errorf("%s: %v, want error %d", statement, err, number)
		}
	}
	for _, statement := range []string{"SELECT table_name FROM information_schema.tables WHERE table_name = ?"} {
		var name string
		if err := c.QueryRowContext(ctx, statement, "connections").Scan(&name); err != nil || name != "connections" {
			t.Errorf("%s: %q, %v", statement, name, err)
		}
	}
	// A ? in text that is not prepared is a mistake.
	if _, err := c.QueryContext(ctx, "SELECT ?"); err == nil || !strings.Contains(err.Error(), "1064") {
		t.Errorf("SELECT ? as text: %v", err)
	}
}
