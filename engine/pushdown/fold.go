package pushdown

import (
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"

	"github.com/wiresql/wiresql/functions"
)

// Constants are computed while the statement is planned, by go-mysql-server
// itself: FROM_UNIXTIME(1781259300) or NOW() - INTERVAL 1 HOUR become times
// that prune files. Arithmetic on numbers stays with DuckDB, which is exact
// where go-mysql-server is not.

// foldable are the functions that give one value throughout a statement.
var foldable = set(`now utc_timestamp curdate current_date current_time curtime
	from_unixtime unix_timestamp str_to_date date date_add date_sub datetime time_format date_format last_day convert_tz
	year quarter month day hour minute second microsecond weekday dayofweek dayofyear to_days from_days timestampdiff datediff
	lower upper concat concat_ws substring left right replace trim ltrim rtrim reverse repeat lpad rpad hex unhex
	database schema user current_user version connection_id if ifnull coalesce nullif greatest least inet_aton inet_ntoa`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// fold computes an expression that has the same value for all rows. ok is
// false when it has not, or is a plain literal.
func (c *compiler) fold(e sql.Expression) (*Literal, bool) {
	if !constant(e) {
		return nil, false
	}
	v, err := e.Eval(c.ctx, nil)
	if err == nil {
		v, err = sql.UnwrapAny(c.ctx, v)
	}
	if err != nil {
		return nil, false // DuckDB may know better
	}
	lit, err := literal(v, e.Type())
	return lit, err == nil
}

// constant tells whether go-mysql-server may compute e ahead.
func constant(e sql.Expression) bool {
	switch e := e.(type) {
	case *expression.UserVar, *expression.SystemVar:
		return true
	case *expression.Convert:
		return constantOrLiteral(e.Child)
	case *expression.UnaryMinus:
		_, ok := e.Child.(*expression.Literal)
		return ok
	case *expression.Arithmetic:
		l, lok := e.LeftChild.(*expression.Interval)
		r, rok := e.RightChild.(*expression.Interval)
		switch {
		case lok:
			return constantOrLiteral(l.Child) && constantOrLiteral(e.RightChild)
		case rok:
			return constantOrLiteral(r.Child) && constantOrLiteral(e.LeftChild)
		}
		return false
	case *functions.Call:
		return allConstant(e.Args)
	case sql.FunctionExpression:
		return foldable[strings.ToLower(e.FunctionName())] && allConstant(e.Children())
	}
	return false
}

func allConstant(list []sql.Expression) bool {
	for _, e := range list {
		if iv, ok := e.(*expression.Interval); ok {
			e = iv.Child
		}
		if !constantOrLiteral(e) {
			return false
		}
	}
	return true
}

func constantOrLiteral(e sql.Expression) bool {
	_, ok := e.(*expression.Literal)
	return ok || constant(e)
}
