package pushdown

import (
	"math/big"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
)

// Arithmetic on numbers, bits and times: which kinds go in and come out.

// arithmetic builds + - * / DIV and %.
func (c *compiler) arithmetic(op string, l, r sql.Expression) (Expr, error) {
	if iv, ok := r.(*expression.Interval); ok {
		return c.shift(l, iv, op == "-")
	}
	if iv, ok := l.(*expression.Interval); ok {
		return c.shift(r, iv, false)
	}
	a, err := c.expr(l)
	if err != nil {
		return nil, err
	}
	b, err := c.expr(r)
	if err != nil {
		return nil, err
	}
	if a, err = number(a); err != nil {
		return nil, err
	}
	if b, err = number(b); err != nil {
		return nil, err
	}
	if x, ok := foldIntegers(op, a, b); ok {
		return x, nil
	}
	k := max(a.Kind(), b.Kind())
	switch {
	case a.Kind() == Null || b.Kind() == Null:
		return &Literal{K: Null}, nil
	case op == "/" && k == Integer:
		k = Decimal
	case op == "div":
		k = Integer
	}
	switch op {
	case "+", "-", "*", "/", "div", "%":
	default:
		return nil, refuse(l, "the operator %s is not translated", op)
	}
	x := call(op, k, a, b)
	if scaleOf(x) > maxScale {
		return nil, refuse(l, "the result has %d digits behind the point", scaleOf(x))
	}
	return x, nil
}

// bits builds the operators on bits. Flags and masks are what they are for:
// they take integers and give BIGINT, where MySQL has BIGINT UNSIGNED.
func (c *compiler) bits(e *expression.BitOp) (Expr, error) {
	args, err := c.exprs([]sql.Expression{e.LeftChild, e.RightChild})
	if err != nil {
		return nil, err
	}
	for i, a := range args {
		if args[i], err = number(a); err != nil {
			return nil, refuse(e, "%v", err)
		}
		if k := args[i].Kind(); k != Integer && k != Null {
			return nil, refuse(e, "%s has no bits", k)
		}
	}
	switch e.Op {
	case "&", "|", "^":
	case "<<", ">>":
		if n, ok := intLiteral(args[1]); !ok || n < 0 || n > 62 {
			return nil, refuse(e, "a shift by something else than a literal below 63")
		}
	default:
		return nil, refuse(e, "the operator %s is not translated", e.Op)
	}
	return call(e.Op, Integer, args...), nil
}

// foldIntegers computes what both engines agree on, for the sake of bounds.
func foldIntegers(op string, a, b Expr) (Expr, bool) {
	x, xok := intLiteral(a)
	y, yok := intLiteral(b)
	if !xok || !yok {
		return nil, false
	}
	var n big.Int
	switch p, q := big.NewInt(x), big.NewInt(y); op {
	case "+":
		n.Add(p, q)
	case "-":
		n.Sub(p, q)
	case "*":
		n.Mul(p, q)
	default:
		return nil, false
	}
	if !n.IsInt64() {
		return nil, false
	}
	return &Literal{Integer, n.Int64()}, true
}

// units are the units of INTERVAL that DuckDB adds the same way.
var units = set("MICROSECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR")

// shift adds an interval to a time, or subtracts it.
func (c *compiler) shift(when sql.Expression, iv *expression.Interval, minus bool) (Expr, error) {
	t, err := c.expr(when)
	if err != nil {
		return nil, err
	}
	n, err := c.expr(iv.Child)
	if err != nil {
		return nil, err
	}
	if t, err = timeArg(t); err != nil {
		return nil, refuse(when, "%v", err)
	}
	if n, err = number(n); err != nil {
		return nil, refuse(iv, "%v", err)
	}
	unit := strings.ToUpper(iv.Unit)
	if !units[unit] || n.Kind() != Integer && unit != "SECOND" {
		return nil, refuse(iv, "an interval of this kind is not translated")
	}
	if minus {
		n = call("neg", n.Kind(), n)
	}
	k := Time
	if t.Kind() == Date && (unit == "DAY" || unit == "WEEK" || unit == "MONTH" || unit == "QUARTER" || unit == "YEAR") {
		k = Date
	}
	return call("date_add", k, t, n, &Literal{Text, unit}), nil
}

// timeArg reads text as a time where a time is wanted.
func timeArg(e Expr) (Expr, error) {
	switch e.Kind() {
	case Time, Date, Null:
		return e, nil
	}
	if s, ok := textLiteral(e); ok {
		return parseLiteral(s, Time)
	}
	return nil, errNoTime(e.Kind())
}
