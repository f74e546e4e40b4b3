package engine

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/dolthub/go-mysql-server/sql"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// BenchmarkCalled measures functions that DuckDB calls back, over a million
// rows of its own: ns/row is what a row costs.
func BenchmarkCalled(b *testing.B) {
	const rows = 1_000_000
	d, err := openDuck(Config{MemoryLimit: 1 << 30, SpillDirectory: b.TempDir(), Threads: 1}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer d.close()
	if err := d.exec(b.Context(), "CREATE TABLE t AS SELECT range AS n, TIMESTAMP '2026-06-01' + to_microseconds(range * 86400) AS ts, "+
		"'mail' || (range * 7919 % 60007) || '.example' || range % 97 || '.org' AS name, ['http', 'https', 'ssh', 'domain'][1 + range % 4] AS service, "+
		"range / 7 AS x FROM range(1000000)"); err != nil {
		b.Fatal(err)
	}
	parser, err := sqlparser.New(sqlparser.Options{MySQLServerVersion: functions.Version})
	if err != nil {
		b.Fatal(err)
	}
	bigint := functions.Type{Kind: functions.Integer, Bits: 64, Nullable: true}
	at := functions.Type{Kind: functions.Time, Scale: 6, Nullable: true}
	text := functions.Type{Kind: functions.Text, Length: 255, Nullable: true, Collation: functions.Bin}
	double := functions.Type{Kind: functions.Double, Nullable: true}
	for _, c := range []struct {
		expression, column string
		typ                functions.Type
	}{
		{"CRC32(a)", "name", text},
		{"FORMAT(a, 0)", "n", bigint},
		{"CONV(a, 10, 16)", "n", bigint},
		{"CONVERT_TZ(a, 'UTC', 'Europe/Berlin')", "ts", at},
		{"ADDTIME(a, '01:30:00')", "ts", at},
		{"STR_TO_DATE(a, '%Y')", "name", text},
		{"TIME_FORMAT(a, '%H.%i')", "ts", at},
		{"a REGEXP '^mail[0-9]*[.]example1[0-9]+'", "name", text},
		{"SOUNDEX(a)", "service", text},
		{"FIELD(a, 'http', 'https', 'ssh')", "service", text},
		{"INSTR(a, '.ex')", "name", text},
		{"BIT_COUNT(a)", "n", bigint},
		{"CAST(a AS SIGNED)", "x", double},
	} {
		b.Run(strings.ReplaceAll(c.expression, " ", ""), func(b *testing.B) {
			node, err := parser.ParseExpr(c.expression)
			if err != nil {
				b.Fatal(err)
			}
			session := &functions.Session{}
			args := []functions.Argument{}
			var exprs []pushdown.Expr
			for _, a := range functions.Arguments(node) {
				if _, ok := a.(*sqlparser.ColName); ok {
					args = append(args, functions.Argument{Type: c.typ})
					exprs = append(exprs, &pushdown.Col{Column: pushdown.Column{ID: 1, Type: c.typ}})
					continue
				}
				l := a.(*sqlparser.Literal)
				t, v := bigint, sqltypes.MakeTrusted(sqltypes.Int64, []byte(l.Val))
				if l.Type == sqlparser.StrVal {
					t, v = text, sqltypes.MakeTrusted(sqltypes.VarChar, []byte(l.Val))
				}
				args = append(args, functions.Argument{Type: t, Literal: true, Value: v})
				var value any = l.Val
				if t.Kind == functions.Integer {
					n, _ := strconv.ParseInt(l.Val, 10, 64)
					value = n
				}
				exprs = append(exprs, &pushdown.Literal{T: t, Value: value})
			}
			made, err := functions.Prepare(node, args, session)
			if err != nil {
				b.Fatal(err)
			}
			r := &run{ctx: sql.NewEmptyContext(), engine: &Engine{duck: d}}
			h := r.newBinding().Function(&pushdown.Func{Node: node, Args: exprs, T: made.Type, Made: made, Shape: "BENCH"})
			name := map[functions.Kind]string{functions.Integer: "mysql_bigint", functions.Unsigned: "mysql_ubigint", functions.Bool: "mysql_bool",
				functions.Time: "mysql_timestamp", functions.Date: "mysql_date", functions.Text: "mysql_text"}[made.Type.Kind]
			query := "SELECT max(" + name + "(" + functions.Quote(h) + ", " + c.column + ")) FROM t"
			b.ReportAllocs()
			for b.Loop() {
				if err := d.exec(context.Background(), query); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
		})
	}
}
