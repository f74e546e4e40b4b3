package engine

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/testdata/mariadb"
)

// column is a column of the table of edge values.
type edgeColumn struct {
	name, mysql, duck string
	typ               functions.Type
	values            []string // as SQL literals both servers read
}

// edges are the values at which functions go wrong. Rows combine the n-th of
// every column; the second column of a type is shifted.
func edges() []edgeColumn {
	null := func(t functions.Type) functions.Type { t.Nullable = true; return t }
	integers := []string{"0", "1", "-1", "2", "-2", "7", "10", "255", "-255", "256", "999999", "2147483647", "-2147483648", "4294967295",
		"4294967296", "9223372036854775807", "-9223372036854775807", "3020399", "3020400", "1447430881", "32536771199", "NULL", "5", "3", "12345"}
	unsigned := []string{"0", "1", "2", "255", "4294967295", "9223372036854775807", "9223372036854775808", "18446744073709551615", "NULL", "3"}
	decimals := []string{"0.00", "0.01", "-0.01", "0.50", "-0.50", "1.50", "2.50", "-2.50", "99999999.99", "-99999999.99", "1.25", "-1.25", "1.99", "NULL", "10.00", "149.99", "150.00"}
	fractions := []string{"0.000001", "-0.000001", "1.500000", "12345678901234.123456", "-1.999999", "NULL", "0.000000", "1447430881.500000", "2.000000"}
	doubles := []string{"0e0", "1e0", "-1e0", "0.5e0", "-0.5e0", "1.5e0", "2.5e0", "-2.5e0", "1e300", "-1e300", "1e-300", "0.1e0", "123.456e0", "NULL", "9007199254740993e0", "1e15", "0.15e0", "0.7e0", "12.3e0", "-3.7e0", "100e0", "0.3e0"}
	texts := []string{"''", "'a'", "'A'", "'abc'", "'häé'", "'😀x'", "' a '", "'  '", "'a,b,c'", "'b'", "'www.mysql.com'", "'10.0.5.9'", "'127.1'", "'255.255.255.255'",
		"'256.1.1.1'", "'1.2.3.'", "'12'", "'-5'", "NULL", "'xxabxx'", "'Hello'", "'ß'", "'a.b.c.d'", "'..'", "'é'"}
	bytes := []string{"x'41'", "x''", "x'00FF'", "x'C3A9'", "NULL", "x'616263'"}
	times := []string{"'2024-02-29 23:59:59.999999'", "'2023-12-31 00:00:00.000000'", "'2024-01-01 00:00:00.000001'", "'1969-12-31 23:59:59.500000'", "'1970-01-01 00:00:00.000000'",
		"'9999-12-31 23:59:59.999999'", "'1000-01-01 00:00:00.000000'", "NULL", "'2026-06-12 10:15:42.123456'", "'2021-01-03 12:00:00.000000'", "'2008-12-31 13:14:15.000016'",
		"'2005-01-01 01:00:00.000000'", "'2006-01-01 12:30:00.000000'", "'2000-01-01 00:00:00.000000'", "'2024-12-29 11:11:11.000000'", "'2024-12-30 21:22:23.000000'", "'2024-12-31 20:00:00.000000'",
		"'2022-01-01 02:00:00.000000'", "'2022-01-02 03:00:00.000000'", "'2020-12-27 04:00:00.000000'", "'2016-02-11 05:00:00.000000'", "'2017-03-12 06:00:00.000000'", "'2018-03-13 07:00:00.000000'",
		"'2037-05-21 08:09:10.000000'", "'2024-01-31 00:00:00.000000'", "'2024-03-31 00:00:00.000000'", "'2024-02-29 00:00:00.000000'", "'2023-02-28 00:00:00.000000'"}
	dates := []string{"'2024-02-29'", "'2023-12-31'", "'2024-01-01'", "'1969-12-31'", "'9999-12-31'", "'1000-01-01'", "NULL", "'2021-01-03'", "'2008-12-31'", "'2005-01-02'", "'2006-01-01'", "'2024-12-30'"}
	clocks := []string{"'00:00:00.000000'", "'23:59:59.999999'", "'-01:02:03.500000'", "'838:59:59.000000'", "'-838:59:59.000000'", "NULL", "'12:00:00.000000'", "'100:10:11.000012'"}
	text := functions.Type{Kind: functions.Text, Length: 50, Collation: functions.Bin, Coercibility: 2}
	noCase := text
	noCase.Collation = functions.NoCase
	return []edgeColumn{
		{"i", "BIGINT", "BIGINT", null(functions.Type{Kind: functions.Integer, Bits: 64}), integers},
		{"j", "BIGINT", "BIGINT", null(functions.Type{Kind: functions.Integer, Bits: 64}), shift(integers, 7)},
		{"m", "INT", "INTEGER", null(functions.Type{Kind: functions.Integer, Bits: 32}), []string{"0", "1", "-1", "2147483647", "-2147483648", "NULL", "366", "5"}},
		{"u", "BIGINT UNSIGNED", "UBIGINT", null(functions.Type{Kind: functions.Unsigned, Bits: 64}), unsigned},
		{"d", "DECIMAL(10,2)", "DECIMAL(10,2)", null(functions.Type{Kind: functions.Decimal, Precision: 10, Scale: 2}), decimals},
		{"e", "DECIMAL(20,6)", "DECIMAL(20,6)", null(functions.Type{Kind: functions.Decimal, Precision: 20, Scale: 6}), fractions},
		{"f", "DOUBLE", "DOUBLE", null(functions.Type{Kind: functions.Double}), doubles},
		{"g", "DOUBLE", "DOUBLE", null(functions.Type{Kind: functions.Double}), shift(doubles, 3)},
		{"s", "VARCHAR(50) COLLATE utf8mb4_nopad_bin", "VARCHAR", null(text), texts},
		{"r", "VARCHAR(50) COLLATE utf8mb4_nopad_bin", "VARCHAR", null(text), shift(texts, 9)},
		{"c", "VARCHAR(50) COLLATE utf8mb4_general_nopad_ci", "VARCHAR", null(noCase), shift(texts, 4)},
		{"b", "VARBINARY(50)", "BLOB", null(functions.Type{Kind: functions.Bytes, Length: 50}), bytes},
		{"t", "DATETIME(6)", "TIMESTAMP", null(functions.Type{Kind: functions.Time, Scale: 6}), times},
		{"w", "DATETIME(6)", "TIMESTAMP", null(functions.Type{Kind: functions.Time, Scale: 6}), shift(times, 11)},
		{"x", "DATE", "DATE", null(functions.Type{Kind: functions.Date}), dates},
		{"y", "DATE", "DATE", null(functions.Type{Kind: functions.Date}), shift(dates, 5)},
		{"k", "TIME(6)", "BIGINT", null(functions.Type{Kind: functions.Clock, Scale: 6}), clocks},
	}
}

func shift(s []string, n int) []string {
	return append(append([]string{}, s[n%len(s):]...), s[:n%len(s)]...)
}

const edgeRows = 120

// TestFunctions evaluates every expression of testdata/functions.txt over the
// edge values three ways: in MariaDB, in Go and, where there is a translation,
// in DuckDB. A line names the rows where MySQL 8 differs from MariaDB:
//
//	expression ! reason, for what is compared between Go and DuckDB only
//	expression = for what must have a translation
func TestFunctions(t *testing.T) {
	columns := edges()
	maria := mariadb.Start(t)
	d := testDuck(t)
	exec := func(q string) {
		t.Helper()
		if _, err := maria.Exec(q); err != nil {
			t.Fatalf("%.300s: %v", q, err)
		}
	}
	var define, duckDefine []string
	for _, c := range columns {
		define = append(define, c.name+" "+c.mysql)
		duckDefine = append(duckDefine, c.name+" "+c.duck)
	}
	exec("CREATE TABLE v (n INT PRIMARY KEY, " + strings.Join(define, ", ") + ")")
	var rows, duckRows []string
	for n := range edgeRows {
		row, duckRow := []string{strconv.Itoa(n)}, []string{strconv.Itoa(n)}
		for _, c := range columns {
			v := c.values[n%len(c.values)]
			row = append(row, v)
			duckRow = append(duckRow, duckLiteral(c, v))
		}
		rows = append(rows, "("+strings.Join(row, ", ")+")")
		duckRows = append(duckRows, "("+strings.Join(duckRow, ", ")+")")
	}
	exec("INSERT INTO v VALUES " + strings.Join(rows, ", "))
	if err := d.exec(t.Context(), "CREATE TABLE v (n INTEGER, "+strings.Join(duckDefine, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	if err := d.exec(t.Context(), "INSERT INTO v VALUES "+strings.Join(duckRows, ", ")); err != nil {
		t.Fatal(err)
	}
	values := readEdges(t, maria, columns)

	text, err := os.ReadFile("testdata/functions.txt")
	if err != nil {
		t.Fatal(err)
	}
	parser, err := sqlparser.New(sqlparser.Options{MySQLServerVersion: "8.0.40"})
	if err != nil {
		t.Fatal(err)
	}
	compared, native := 0, 0
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		line, reason, _ := strings.Cut(line, " ! ")
		expression, must := strings.CutSuffix(line, " =")
		node, err := parser.ParseExpr(expression)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		compared++
		e := &edgeExpression{t: t, columns: columns, session: &functions.Session{Now: time.Date(2026, 6, 12, 10, 15, 42, 0, time.UTC), Collation: functions.Bin}}
		typed, err := e.prepare(node)
		if err != nil {
			t.Errorf("%s: %v", expression, err)
			continue
		}
		got := make([]string, edgeRows)
		for n := range got {
			got[n] = e.eval(typed, values[n])
		}
		if reason == "" {
			want := askMaria(t, maria, expression)
			checkType(t, maria, expression, typed.arg.Type)
			report(t, expression+" in Go", typed.arg.Type, got, want, values, columns)
		}
		if typed.duck == nil {
			if must {
				t.Errorf("%s has no translation", expression)
			}
			continue
		}
		native++
		report(t, expression+" in DuckDB: "+typed.duck.SQL, typed.arg.Type, askDuck(t, d, typed), got, values, columns)
	}
	t.Logf("%d expressions over %d rows, %d of them native in DuckDB", compared, edgeRows, native)
}

func duckLiteral(c edgeColumn, v string) string {
	switch {
	case v == "NULL":
		return v
	case c.typ.Kind == functions.Bytes:
		return "from_hex('" + strings.Trim(v[1:], "'") + "')"
	case c.typ.Kind == functions.Clock:
		negative := strings.HasPrefix(v, "'-")
		var h, m, s, us int64
		if _, err := fmt.Sscanf(strings.Trim(v, "'-"), "%d:%d:%d.%d", &h, &m, &s, &us); err != nil {
			panic(err)
		}
		n := ((h*60+m)*60+s)*1000000 + us
		if negative {
			n = -n
		}
		return strconv.FormatInt(n, 10)
	}
	return v
}

// readEdges reads the values back as MariaDB shows them.
func readEdges(t *testing.T, db *sql.DB, columns []edgeColumn) [][]sqltypes.Value {
	t.Helper()
	rows, err := db.Query("SELECT * FROM v ORDER BY n")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var out [][]sqltypes.Value
	for rows.Next() {
		raw := make([]sql.NullString, len(columns)+1)
		into := make([]any, len(raw))
		for i := range raw {
			into[i] = &raw[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := make([]sqltypes.Value, len(columns))
		for i, c := range columns {
			if raw[i+1].Valid {
				row[i] = sqltypes.MakeTrusted(wireType(c.typ.Kind), []byte(raw[i+1].String))
			}
		}
		out = append(out, row)
	}
	return out
}

func wireType(k functions.Kind) sqltypes.Type {
	return map[functions.Kind]sqltypes.Type{
		functions.Integer: sqltypes.Int64, functions.Unsigned: sqltypes.Uint64, functions.Decimal: sqltypes.Decimal, functions.Double: sqltypes.Float64,
		functions.Text: sqltypes.VarChar, functions.Bytes: sqltypes.VarBinary, functions.Time: sqltypes.Datetime, functions.Date: sqltypes.Date,
		functions.Clock: sqltypes.Time, functions.Bool: sqltypes.Int64,
	}[k]
}

// edgeExpression prepares and evaluates an expression over the columns.
type edgeExpression struct {
	t       *testing.T
	columns []edgeColumn
	session *functions.Session
}

// prepared is a node of it.
type preparedEdge struct {
	arg      functions.Argument
	column   int // of a column, otherwise -1
	args     []*preparedEdge
	prepared *functions.Prepared
	duck     *functions.Operand
}

func (e *edgeExpression) prepare(node sqlparser.Expr) (*preparedEdge, error) {
	out := &preparedEdge{column: -1}
	switch n := node.(type) {
	case *sqlparser.ColName:
		for i, c := range e.columns {
			if c.name == n.Name.Lowered() {
				out.column, out.arg.Type = i, c.typ
				out.duck = &functions.Operand{Kind: c.typ.Kind, Type: c.typ, SQL: c.name}
				return out, nil
			}
		}
		return nil, fmt.Errorf("no column %s", n.Name)
	case *sqlparser.Literal, *sqlparser.NullVal, sqlparser.BoolVal:
		var err error
		if out.arg, err = functions.Literal(n, e.session); err == nil {
			out.duck = literalOperand(out.arg)
		}
		return out, err
	}
	native := true
	constant := true
	var args []functions.Argument
	var operands []functions.Operand
	for _, a := range functions.Arguments(node) {
		p, err := e.prepare(a)
		if err != nil {
			return nil, err
		}
		out.args, args = append(out.args, p), append(args, p.arg)
		if constant = constant && p.arg.Literal; p.duck == nil {
			native = false
			continue
		}
		operands = append(operands, *p.duck)
	}
	var err error
	if out.prepared, err = functions.Prepare(node, args, e.session); err != nil {
		return nil, err
	}
	out.arg.Type = out.prepared.Type
	if constant && len(args) > 0 {
		row := make([]sqltypes.Value, len(args))
		for i, a := range args {
			row[i] = a.Value
		}
		if out.arg.Value, err = out.prepared.Eval(row); err != nil {
			return nil, err
		}
		out.arg.Literal, out.duck = true, literalOperand(out.arg)
		return out, nil
	}
	if native {
		if op, ok := functions.InDuckDB(node, operands, out.prepared.Type, e.session); ok {
			out.duck = &op
		}
	}
	return out, nil
}

// literalOperand is a constant in DuckDB, as the compiler writes it.
func literalOperand(a functions.Argument) *functions.Operand {
	o := &functions.Operand{Kind: a.Type.Kind, Type: a.Type, IsLiteral: true, SQL: a.Value.ToString()}
	switch a.Type.Kind {
	case functions.Null:
		o.SQL = "NULL"
	case functions.Integer:
		o.Literal, _ = a.Value.ToInt64()
	case functions.Decimal:
		o.Literal = a.Value.ToString()
	case functions.Text:
		o.Literal, o.SQL = a.Value.ToString(), functions.Quote(a.Value.ToString())
	case functions.Double:
		o.SQL = "CAST('" + o.SQL + "' AS DOUBLE)"
	case functions.Time:
		o.SQL = "TIMESTAMP '" + o.SQL + "'"
	case functions.Date:
		o.SQL = "DATE '" + o.SQL + "'"
	case functions.Bytes:
		o.SQL = "from_hex('" + fmt.Sprintf("%x", a.Value.Raw()) + "')"
	default:
		return nil
	}
	return o
}

func (e *edgeExpression) value(p *preparedEdge, row []sqltypes.Value) (sqltypes.Value, error) {
	if p.column >= 0 {
		return row[p.column], nil
	}
	if p.prepared == nil || p.arg.Literal {
		return p.arg.Value, nil
	}
	args := make([]sqltypes.Value, len(p.args))
	for i, a := range p.args {
		var err error
		if args[i], err = e.value(a, row); err != nil {
			return sqltypes.NULL, err
		}
	}
	return p.prepared.Eval(args)
}

func (e *edgeExpression) eval(p *preparedEdge, row []sqltypes.Value) string {
	v, err := e.value(p, row)
	if err == nil {
		v, err = functions.Conform(v, p.arg.Type)
	}
	switch {
	case err != nil:
		return "error: " + err.Error()
	case v.IsNull():
		return "NULL"
	}
	return v.ToString()
}

// askMaria evaluates an expression row by row, so that an error is that of its
// row.
func askMaria(t *testing.T, db *sql.DB, expression string) []string {
	t.Helper()
	out := make([]string, edgeRows)
	rows, err := db.Query("SELECT " + expression + " FROM v ORDER BY n")
	if err == nil {
		defer rows.Close()
		n := 0
		for rows.Next() {
			var v sql.NullString
			if err := rows.Scan(&v); err != nil {
				t.Fatal(err)
			}
			if out[n] = "NULL"; v.Valid {
				out[n] = v.String
			}
			n++
		}
		if rows.Err() == nil {
			return out
		}
	}
	for n := range out {
		var v sql.NullString
		switch err := db.QueryRowContext(context.Background(), "SELECT "+expression+" FROM v WHERE n = ?", n).Scan(&v); {
		case err != nil:
			out[n] = "error: " + err.Error()
		case v.Valid:
			out[n] = v.String
		default:
			out[n] = "NULL"
		}
	}
	return out
}

// checkType compares the type of a result with the server's metadata.
func checkType(t *testing.T, db *sql.DB, expression string, typ functions.Type) {
	t.Helper()
	rows, err := db.Query("SELECT " + expression + " FROM v LIMIT 0")
	if err != nil {
		return
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		t.Fatal(err)
	}
	_, scale, _ := types[0].DecimalSize()
	is := types[0].DatabaseTypeName()
	switch is {
	case "TINYINT", "SMALLINT", "INT", "MEDIUMINT", "BIGINT":
		is = "integer"
	case "UNSIGNED TINYINT", "UNSIGNED SMALLINT", "UNSIGNED INT", "UNSIGNED BIGINT":
		is = "unsigned"
	case "TEXT", "CHAR", "LONGTEXT":
		is = "VARCHAR"
	case "BLOB", "BINARY", "LONGBLOB":
		is = "VARBINARY"
	case "DECIMAL", "DATETIME", "TIME":
		is = fmt.Sprintf("%s,%d", is, scale)
	}
	want := ""
	switch typ.Kind {
	case functions.Bool, functions.Integer:
		want = "integer"
	case functions.Unsigned:
		want = "unsigned"
	case functions.Decimal:
		want = fmt.Sprintf("DECIMAL,%d", typ.Scale)
	case functions.Double:
		want = "DOUBLE"
	case functions.Text:
		want = "VARCHAR"
	case functions.Bytes:
		want = "VARBINARY"
	case functions.Date:
		want = "DATE"
	case functions.Time:
		want = fmt.Sprintf("DATETIME,%d", typ.Scale)
	case functions.Clock:
		want = fmt.Sprintf("TIME,%d", typ.Scale)
	}
	if is != want {
		t.Errorf("%s is %s (%s), of MariaDB %s", expression, want, typ, is)
	}
}

// askDuck evaluates the translation.
func askDuck(t *testing.T, d *duck, p *preparedEdge) []string {
	t.Helper()
	typ := p.arg.Type
	shown := p.duck.SQL
	want := map[functions.Kind]string{functions.Integer: "BIGINT", functions.Unsigned: "UBIGINT", functions.Double: "DOUBLE", functions.Text: "VARCHAR",
		functions.Bytes: "BLOB", functions.Time: "TIMESTAMP", functions.Date: "DATE", functions.Clock: "BIGINT", functions.Bool: "BOOLEAN"}[typ.Kind]
	switch typ.Kind {
	case functions.Text, functions.Bytes:
	case functions.Bool:
		shown = "CAST(CAST(" + shown + " AS INTEGER) AS VARCHAR)"
	case functions.Time:
		shown = "strftime(" + shown + ", '%Y-%m-%d %H:%M:%S.%f')"
	default:
		shown = "CAST(" + shown + " AS VARCHAR)"
	}
	out := make([]string, edgeRows)
	read := func(where string, from int) error {
		c, err := d.query(t.Context(), "SELECT "+shown+", typeof("+p.duck.SQL+") FROM v"+where+" ORDER BY n")
		if err != nil {
			return err
		}
		defer c.close()
		n := from
		for {
			ch, err := c.next()
			if err != nil {
				return err
			}
			if ch == nil {
				return nil
			}
			for row := range ch.n {
				if out[n] = "NULL"; !ch.vectors[0].null(row) {
					out[n] = string(ch.vectors[0].bytes(row))
				}
				if is := string(ch.vectors[1].bytes(row)); want != "" && is != want && n == 0 {
					t.Errorf("%s is a %s, not a %s", p.duck.SQL, is, want)
				}
				n++
			}
		}
	}
	if read("", 0) != nil {
		for n := range out {
			if err := read(fmt.Sprintf(" WHERE n = %d", n), n); err != nil {
				out[n] = "error: " + err.Error()
			}
		}
	}
	for n := range out {
		switch {
		case out[n] == "NULL" || strings.HasPrefix(out[n], "error"):
		case typ.Kind == functions.Time && typ.Scale < 6:
			out[n] = strings.TrimSuffix(out[n][:len(out[n])-6+typ.Scale], ".")
		case typ.Kind == functions.Clock:
			us, _ := strconv.ParseInt(out[n], 10, 64)
			out[n] = shownClock(us, typ.Scale)
		}
	}
	return out
}

func shownClock(us int64, scale int) string {
	sign := ""
	if us < 0 {
		sign, us = "-", -us
	}
	s := fmt.Sprintf("%s%02d:%02d:%02d.%06d", sign, us/3600000000, us/60000000%60, us/1000000%60, us%1000000)
	return strings.TrimSuffix(s[:len(s)-6+scale], ".")
}

// report compares the rows and shows the first that differ.
func report(t *testing.T, what string, typ functions.Type, got, want []string, values [][]sqltypes.Value, columns []edgeColumn) {
	t.Helper()
	shown := 0
	for n := range got {
		if sameValue(typ, got[n], want[n]) {
			continue
		}
		if shown++; shown > 3 {
			break
		}
		var row []string
		for i, c := range columns {
			if strings.Contains(what, c.name) {
				row = append(row, c.name+"="+values[n][i].ToString())
			}
		}
		_ = row
		t.Errorf("%s (%s)\n\trow %d: %q, not %q", what, typ, n, got[n], want[n])
	}
}

func sameValue(typ functions.Type, got, want string) bool {
	if got == want || strings.HasPrefix(got, "error") && strings.HasPrefix(want, "error") {
		return true
	}
	if typ.Kind == functions.Decimal && strings.Trim(got, "-0.") == "" && strings.TrimPrefix(got, "-") == strings.TrimPrefix(want, "-") {
		return true // MariaDB's zeros have a sign
	}
	if typ.Kind != functions.Double {
		return false
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(want, 64)
	if errA != nil || errB != nil {
		return false
	}
	return a == b // 1e300 is written 1e+300
}
