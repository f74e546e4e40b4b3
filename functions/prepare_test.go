package functions

import (
	"strings"
	"testing"
	"time"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// compute computes an expression of literals and columns as a compiler does:
// arguments first, each call prepared on its own.
func compute(t testing.TB, e sqlparser.Expr, columns map[string]Argument, s *Session) (Argument, error) {
	t.Helper()
	switch n := e.(type) {
	case *sqlparser.ColName:
		return columns[n.Name.Lowered()], nil
	case *sqlparser.NullVal, sqlparser.BoolVal, *sqlparser.Literal:
		return Literal(n, s)
	}
	var args []Argument
	var row []sqltypes.Value
	for _, a := range Arguments(e) {
		v, err := compute(t, a, columns, s)
		if err != nil {
			return v, err
		}
		args, row = append(args, v), append(row, v.Value)
	}
	p, err := Prepare(e, args, s)
	if err != nil {
		return Argument{}, err
	}
	v, err := p.Eval(row)
	if err != nil {
		return Argument{}, err
	}
	if !v.IsNull() {
		again, err := p.Eval(row)
		if err != nil || !Volatile(e) && again.ToString() != v.ToString() {
			t.Errorf("%s is %v and then %v, %v", sqlparser.String(e), v, again, err)
		}
	}
	constant := !Volatile(e)
	for _, a := range args {
		constant = constant && a.Literal
	}
	return Argument{Type: p.Type, Value: v, Literal: constant}, nil
}

// session is that of tests: strict, UTC, at a fixed time.
func session() *Session {
	return &Session{
		Now:       time.Date(2026, 6, 12, 10, 15, 42, 123456000, time.UTC),
		Collation: Bin,
		MaxText:   1 << 20,
	}
}

func parse(t testing.TB, text string) sqlparser.Expr {
	t.Helper()
	e, err := environment().Parser().ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// answer is the text of an expression's value, or its error.
func answer(t testing.TB, text string, s *Session) string {
	t.Helper()
	v, err := compute(t, parse(t, text), nil, s)
	if err != nil {
		return "error: " + err.Error()
	}
	if v.Value, err = Conform(v.Value, v.Type); err != nil {
		return "error: " + err.Error()
	}
	if v.Value.IsNull() {
		return "NULL"
	}
	return v.Value.ToString()
}

func TestEvaluate(t *testing.T) {
	for _, text := range strings.Split(strings.TrimSpace(`
1 + 2
1/3*3
'a' || 'b'
CONCAT('a', 1, 2.50)
WEEK('2008-12-31', 3)
CASE WHEN 1 > 2 THEN 1 ELSE 2.50 END
COALESCE(NULL, 1, 2.5)
SUBSTRING('häé', 2, 1)
9223372036854775807 + 1
GREATEST(1.5, 1)
INTERVAL(5, 1, 4, 6)
'2026-01-31' + INTERVAL 1 MONTH
'abc' LIKE 'a%'
x'41' + 1
nosuch(1)
concatt(1)
CONCAT()
NOW(3)
UNIX_TIMESTAMP('2026-01-01 00:00:00.5')
TIMESTAMP'2026-01-01 00:00:00.5' + INTERVAL '1:30' HOUR_MINUTE
(1, 2) = (1, 2)
3 IN (1, 2, NULL)
`), "\n") {
		s := session()
		s.Warn = func(code int, m string) { t.Log("  warning", code, m) }
		t.Log(text, "→", answer(t, text, s))
	}
}
