package pushdown

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Arithmetic as DuckDB text, with MySQL 8's results: BIGINT that overflows is
// an error, / gives a decimal with four more digits, rounded half away from
// zero, and division by zero gives NULL.

// bigint renders a number; an INT column becomes BIGINT, so that sums do not
// overflow at 2^31.
func (r *renderer) bigint(e Expr) string { return widened(e, r.value(e)) }

// widened makes BIGINT of an integer's text that DuckDB may hold in fewer bits.
func widened(e Expr, text string) string {
	switch e := e.(type) {
	case *Col:
		if e.Column.Kind == Integer && e.Column.Bits != 0 && e.Column.Bits != 64 {
			return "CAST(" + text + " AS BIGINT)"
		}
	case *Literal:
		if e.T.Kind == Integer {
			return "CAST(" + text + " AS BIGINT)"
		}
	case *Case:
		if e.T.Kind == Integer { // of literals
			return "CAST(" + text + " AS BIGINT)"
		}
	case *Call:
		if e.T.Kind == Integer && (e.Op == "coalesce" || e.Op == "greatest" || e.Op == "least") {
			return "CAST(" + text + " AS BIGINT)"
		}
	}
	return text
}

// operand renders one side of an operator: a literal beside a BIGINT needs no
// cast.
func (r *renderer) operand(e, other Expr) string {
	if isLiteral(e) && !isLiteral(other) {
		return r.value(e)
	}
	return r.bigint(e)
}

// maxDigits bounds the digits behind the point that a quotient carries. MySQL
// carries a multiple of nine, without a bound; HUGEINT ends at 38 in all.
const maxDigits = 18

// productDigits bounds those of a product: as many as MySQL's types have.
const productDigits = 30

// inexact tells whether a decimal carries more digits than its type shows:
// what a quotient went into. It is rounded where the value becomes a column.
func inexact(e Expr) bool {
	if e == nil || e.Kind() != Decimal {
		return false
	}
	switch e := e.(type) {
	case *Col:
		return e.Digits > 0
	case *Literal:
		_, fraction, _ := strings.Cut(e.Value.(string), ".")
		return len(fraction) > scaleOf(e)
	case *Call:
		switch e.Op {
		case "/":
			return true
		case "+", "-", "*", "%", "neg", "abs", "coalesce", "greatest", "least":
			return slices.ContainsFunc(e.Args, inexact)
		}
	case *Case:
		return inexact(e.Else) || slices.ContainsFunc(e.Whens, func(w When) bool { return inexact(w.Then) })
	case *Over:
		return inexact(e.Call)
	case *Aggregate:
		return e.Name == "avg" || slices.ContainsFunc(e.Args, inexact)
	}
	return false
}

// carried is how many digits an inexact aggregate carries.
func carried(e Expr) int {
	a, ok := e.(*Aggregate)
	if !ok {
		return scaleOf(e)
	}
	if a.Name == "avg" {
		return (scaleOf(a) + 8) / 9 * 9
	}
	_, frac := (&renderer{bind: symbolic{}}).digits(a.Args[0])
	return frac
}

// digits renders a number as a HUGEINT that counts 10^-frac.
func (r *renderer) digits(e Expr) (text string, frac int) {
	switch e := e.(type) {
	case *Col:
		if e.Digits > 0 {
			return fmt.Sprintf("CAST(%s * %s AS HUGEINT)", r.value(e), power10(e.Digits)), e.Digits
		}
	case *Literal:
		if e.T.Kind == Decimal {
			whole, fraction, _ := strings.Cut(e.Value.(string), ".")
			return "CAST('" + whole + fraction + "' AS HUGEINT)", len(fraction)
		}
	case *Aggregate:
		if e.Name == "sum" && e.T.Kind == Decimal && e.Args[0].Kind() != Decimal {
			return r.sum(e), 0 // already HUGEINT
		}
		if e.Name == "sum" && inexact(e.Args[0]) {
			text, frac := r.digits(e.Args[0])
			if c, ok := e.Args[0].(*Call); ok && c.Op == "/" && !e.Distinct {
				// Each of the two on its own: a sum of BIGINT takes half the
				// time of one of HUGEINT, which most have no rows for.
				if fits, small, ok := r.small(c, frac); ok {
					some := fmt.Sprintf("sum(CASE WHEN %s THEN %s END)", fits, small) + r.over
					large, _ := r.quotient(c)
					rest := fmt.Sprintf("sum(CASE WHEN (%s) IS FALSE THEN %s END)", fits, large) + r.over
					return fmt.Sprintf("coalesce(%[1]s + %[2]s, %[1]s, %[2]s)", some, rest), frac
				}
			}
			return "sum(" + distinct(e) + text + ")" + r.over, frac
		}
	case *Call:
		if e.T.Kind != Decimal {
			break
		}
		if e.Op == "unix_timestamp" {
			return "CAST(" + r.micros(e.Args[0]) + " AS HUGEINT)", 6
		}
		a, fa := "", 0
		b, fb := "", 0
		switch e.Op {
		case "+", "-", "*":
			a, fa = r.digits(e.Args[0])
			b, fb = r.digits(e.Args[1])
		case "neg":
			a, fa = r.digits(e.Args[0])
			return "(-" + a + ")", fa
		case "abs":
			a, fa = r.digits(e.Args[0])
			return "abs(" + a + ")", fa
		}
		switch e.Op {
		case "/":
			text, frac = r.quotient(e)
			if fits, small, ok := r.small(e, frac); ok {
				text = fmt.Sprintf("(CASE WHEN %s THEN CAST(%s AS HUGEINT) ELSE %s END)", fits, small, text)
			}
			return text, frac
		case "+", "-":
			frac = max(fa, fb)
			return "(" + times(a, frac-fa) + " " + e.Op + " " + times(b, frac-fb) + ")", frac
		case "*":
			// Past what a type shows the last digits go; what does not fit
			// HUGEINT then is out of range.
			for fa+fb > productDigits {
				cut := min(fa+fb-productDigits, max(fa, fb))
				if fa >= fb {
					a, fa = "("+a+" // "+power10(cut)+")", fa-cut
				} else {
					b, fb = "("+b+" // "+power10(cut)+")", fb-cut
				}
			}
			return "(" + a + " * " + b + ")", fa + fb
		}
	}
	s := scaleOf(e)
	if inexact(e) {
		s = max(s, min((s+8)/9*9, maxDigits)) // what it carries
	}
	if s == 0 {
		return "CAST(" + r.value(e) + " AS HUGEINT)", 0
	}
	return fmt.Sprintf("CAST(%s * %s AS HUGEINT)", r.value(e), power10(s)), s
}

// quotient renders that of two numbers as a HUGEINT that counts 10^-frac.
func (r *renderer) quotient(e *Call) (text string, frac int) {
	a, fa := r.digits(e.Args[0])
	b, fb := r.digits(e.Args[1])
	increment := max(0, scaleOf(e)-scaleOf(e.Args[0]))
	frac = max(fa, scaleOf(e), min((fa+fb+increment+8)/9*9, maxDigits))
	return fmt.Sprintf("(%s // %s)", times(a, frac-fa+fb), nonzero(e.Args[1], b)), frac
}

// small renders the quotient of two integers that counts 10^-frac in BIGINT,
// and the test that it fits there: a division of 128 bits takes DuckDB 50 times
// as long.
func (r *renderer) small(e *Call, frac int) (fits, quotient string, ok bool) {
	a, b := e.Args[0], e.Args[1]
	if a.Kind() != Integer || b.Kind() != Integer || frac < 1 || frac > 9 || isLiteral(a) {
		return "", "", false
	}
	text, by := r.bigint(a), r.bigint(b)
	if len(text)+len(by) > 400 { // it stands there several times
		return "", "", false
	}
	largest := math.MaxInt64 / int64(math.Pow10(frac))
	return fmt.Sprintf("%s BETWEEN %d AND %d", text, -largest, largest), fmt.Sprintf("(%s // %s)", times(text, frac), nonzero(b, by)), true
}

// shown rounds a decimal to the digits of its type, half away from zero.
func (r *renderer) shown(e Expr, text string) string {
	if !inexact(e) {
		return text
	}
	s := scaleOf(e)
	if c, ok := e.(*Call); ok && c.Op == "/" {
		_, frac := r.digits(e)
		fits, q, ok := r.small(c, frac)
		if ok && s > 0 && frac > 2*s {
			half := power10(frac - s - 1)[1:]
			return fmt.Sprintf("(CASE WHEN %[1]s THEN CAST((%[2]s + (CASE WHEN %[2]s < 0 THEN -5%[3]s ELSE 5%[3]s END)) // %[4]s AS DECIMAL(%[5]d,0))"+
				" * CAST(0.%[6]s1 AS DECIMAL(%[7]d,%[7]d)) ELSE CAST(%[8]s AS DECIMAL(38,%[7]d)) END)",
				fits, q, half, power10(frac-s), 18-s, strings.Repeat("0", s-1), s, text)
		}
	}
	return fmt.Sprintf("CAST(%s AS DECIMAL(38,%d))", text, s)
}

// groupKey is a key as GROUP BY has it, and GROUPING, which DuckDB tells apart by
// their texts.
func (r *renderer) groupKey(e Expr) []string {
	texts := r.lanes(e, e.Kind())
	texts[0] = r.shown(e, texts[0])
	if isLiteral(e) && e.Kind() == Integer {
		texts[0] = r.bigint(e) // a bare number would be a position
	}
	return texts
}

func power10(n int) string { return "1" + strings.Repeat("0", n) }

// scaled makes a decimal of a HUGEINT that counts 10^-s.
func scaled(text string, s int) string {
	if s == 0 {
		return "CAST(" + text + " AS DECIMAL(38,0))"
	}
	return fmt.Sprintf("(CAST(%s AS DECIMAL(38,0)) * CAST(0.%s1 AS DECIMAL(%d,%d)))", text, strings.Repeat("0", s-1), s+1, s)
}

// nonzero renders a divisor of which 0 gives NULL.
func nonzero(e Expr, text string) string {
	if n, ok := intLiteral(e); ok && n != 0 {
		return text
	}
	return "nullif(" + text + ", 0)"
}

func times(text string, power int) string {
	if power == 0 {
		return text
	}
	return text + " * " + power10(power)
}

func (r *renderer) arithmetic(e *Call) string {
	if e.Op != "%" && inexact(e) {
		return scaled(r.digits(e))
	}
	a := e.Args[0]
	if e.Op == "neg" {
		if a.Kind() == Unsigned {
			return "CAST(-CAST(" + r.value(a) + " AS HUGEINT) AS BIGINT)"
		}
		return "(-" + r.bigint(a) + ")"
	}
	b := e.Args[1]
	double := a.Kind() == Double || b.Kind() == Double
	if !double && (a.Kind() == Unsigned || b.Kind() == Unsigned) && a.Kind() != Decimal && b.Kind() != Decimal && e.Op != "/" {
		return r.unsignedArithmetic(e)
	}
	if e.T.Kind == Double && e.Op != "%" && e.Op != "div" {
		return finite(r.double(e))
	}
	switch e.Op {
	case "+", "-", "*":
		return "(" + r.operand(a, b) + " " + e.Op + " " + r.operand(b, a) + ")"
	case "%":
		if !double && (a.Kind() == Decimal || b.Kind() == Decimal) {
			// DuckDB's remainder of decimals goes through DOUBLE.
			n, fn := r.digits(a)
			d, fd := r.digits(b)
			frac := max(fn, fd)
			return scaled("("+times(n, frac-fn)+" % "+nonzero(b, "("+times(d, frac-fd)+")")+")", frac)
		}
		return "(" + r.operand(a, b) + " % " + nonzero(b, r.operand(b, a)) + ")"
	case "div":
		switch {
		case double:
			return "CAST(trunc(" + r.value(a) + " / " + nonzero(b, r.value(b)) + ") AS BIGINT)"
		case a.Kind() == Decimal || b.Kind() == Decimal:
			return r.decimalDiv(a, b)
		}
		return "(" + r.operand(a, b) + " // " + nonzero(b, r.operand(b, a)) + ")"
	}
	return "(" + r.value(a) + " / " + nonzero(b, r.value(b)) + ")" // of doubles
}

// double renders arithmetic of doubles. What overflows on the way is not finite
// at the end, so that one test does for all of it.
func (r *renderer) double(e *Call) string {
	side := func(x, other Expr) string {
		if c, ok := x.(*Call); ok && c.T.Kind == Double {
			switch c.Op {
			case "+", "-", "*", "/":
				return r.double(c)
			}
		}
		if e.Op == "/" {
			return r.value(x)
		}
		return r.operand(x, other)
	}
	a, b := side(e.Args[0], e.Args[1]), side(e.Args[1], e.Args[0])
	if e.Op == "/" {
		b = nonzero(e.Args[1], b)
	}
	return "(" + a + " " + e.Op + " " + b + ")"
}

// unsignedArithmetic computes in 128 bits what BIGINT UNSIGNED takes part in;
// what does not fit the result is an error, as in MySQL.
func (r *renderer) unsignedArithmetic(e *Call) string {
	a, b := "CAST("+r.value(e.Args[0])+" AS HUGEINT)", "CAST("+r.value(e.Args[1])+" AS HUGEINT)"
	op := e.Op
	switch op {
	case "div":
		op, b = "//", nonzero(e.Args[1], b)
	case "%":
		b = nonzero(e.Args[1], b)
	}
	return "CAST(" + a + " " + op + " " + b + " AS " + duckType(e.T) + ")"
}

// decimalDiv is DIV of decimals. UNIX_TIMESTAMP(ts) DIV 300, which dashboards
// group by, stays in BIGINT.
func (r *renderer) decimalDiv(a, b Expr) string {
	if c, ok := a.(*Call); ok && c.Op == "unix_timestamp" {
		if n, ok := intLiteral(b); ok && n > 0 && n < 1e12 {
			return fmt.Sprintf("(%s // %d)", r.micros(c.Args[0]), n*1_000_000)
		}
	}
	n, fn := r.digits(a)
	d, fd := r.digits(b)
	return fmt.Sprintf("CAST((%s) // %s AS BIGINT)", times(n, max(0, fd-fn)), nonzero(b, "("+times(d, max(0, fn-fd))+")"))
}

// micros renders the microseconds since 1970 of a time, by MySQL's rule that
// times outside what UNIX_TIMESTAMP knows are 0: that of an open interval's
// end. Times of capture need no test.
func (r *renderer) micros(e Expr) string {
	text := r.value(toTime(e))
	if c, ok := e.(*Col); ok && c.Name == "ts" {
		return "epoch_us(" + text + ")"
	}
	return "(CASE WHEN " + text + " < TIMESTAMP '3001-01-19 03:14:08' THEN greatest(epoch_us(" + text + "), 0)" +
		" WHEN " + text + " IS NOT NULL THEN 0 END)"
}

func (r *renderer) dateAdd(e *Call) string {
	unit, _ := textLiteral(e.Args[2])
	at := r.value(e.Args[0])
	if e.T.Kind == Time && e.Args[0].Kind() == Date {
		at = "CAST(" + at + " AS TIMESTAMP)"
	}
	text := "(" + at + " + " + r.interval(e.Args[1], unit) + ")"
	// DuckDB's years go on where MySQL's end.
	text = "(CASE WHEN " + text + " BETWEEN TIMESTAMP '0000-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999' THEN " + text + " END)"
	if e.T.Kind == Date {
		return "CAST(" + text + " AS DATE)"
	}
	return text
}

// longest is how many of a unit there are in all years.
var longest = map[string]int64{"MICROSECOND": 1e10 * 366 * 86400, "SECOND": 1e4 * 366 * 86400, "MINUTE": 1e4 * 366 * 1440, "HOUR": 1e4 * 366 * 24,
	"DAY": 1e4 * 366, "WEEK": 1e4 * 53, "MONTH": 1e4 * 12, "QUARTER": 1e4 * 4, "YEAR": 1e4}

// interval renders an INTERVAL.
func (r *renderer) interval(e Expr, unit string) string {
	n := r.bigint(e)
	add := ""
	if l := longest[unit]; unit != "SECOND" && !isLiteral(e) {
		n = fmt.Sprintf("CASE WHEN %[1]s BETWEEN -%[2]d AND %[2]d THEN %[1]s END", n, l)
	} else if v, ok := intLiteral(e); ok && (v > l || v < -l) {
		n = "NULL"
	}
	switch unit {
	case "MICROSECOND":
		add = "to_microseconds(" + n + ")"
	case "SECOND":
		add = "to_seconds(" + r.value(e) + ")"
	case "MINUTE":
		add = "to_minutes(" + n + ")"
	case "HOUR":
		add = "to_hours(" + n + ")"
	case "DAY":
		add = "to_days(CAST(" + n + " AS INTEGER))"
	case "WEEK":
		add = "to_days(CAST(7 * " + n + " AS INTEGER))"
	case "MONTH":
		add = "to_months(CAST(" + n + " AS INTEGER))"
	case "QUARTER":
		add = "to_months(CAST(3 * " + n + " AS INTEGER))"
	case "YEAR":
		add = "to_years(CAST(" + n + " AS INTEGER))"
	}
	return add
}

// unsigned renders an integer as the 64 bits MySQL's operators on bits take.
func (r *renderer) unsigned(e Expr) string {
	if n, ok := intLiteral(e); ok {
		return unsignedText(uint64(n))
	}
	text := r.bigint(e)
	if e.Kind() == Unsigned {
		return text
	}
	return "(CASE WHEN " + text + " < 0 THEN CAST(CAST(" + text + " AS HUGEINT) + 18446744073709551616 AS UBIGINT) ELSE CAST(" + text + " AS UBIGINT) END)"
}

// bits renders the operators on bits, which give BIGINT UNSIGNED.
func (r *renderer) bits(e *Call) string {
	a := r.unsigned(e.Args[0])
	switch e.Op {
	case "~":
		return "xor(" + a + ", 18446744073709551615::UBIGINT)"
	case "<<", ">>":
		n, _ := intLiteral(e.Args[1])
		if e.Op == "<<" {
			// What is shifted out is gone, where DuckDB reports an overflow.
			return fmt.Sprintf("((%s & %s) << %d::UBIGINT)", a, unsignedText(^uint64(0)>>n), n)
		}
		return fmt.Sprintf("(%s >> %d::UBIGINT)", a, n)
	case "^":
		return "xor(" + a + ", " + r.unsigned(e.Args[1]) + ")"
	}
	return "(" + a + " " + e.Op + " " + r.unsigned(e.Args[1]) + ")"
}

// finite makes an error of what is past DOUBLE.
func finite(text string) string {
	return "(CASE WHEN isfinite(" + text + ") IS NOT FALSE THEN " + text + " ELSE error('DOUBLE value is out of range') END)"
}

// aggregateText renders an aggregate of one column.
func (r *renderer) aggregateText(a *Aggregate) string {
	switch a.Name {
	case "count":
		return r.count(a)
	case "counted":
		return "CAST(coalesce(sum(" + r.value(a.Args[0]) + "), 0) AS BIGINT)"
	case "group_concat":
		return r.groupConcatText(a)
	case "json_arrayagg", "json_objectagg":
		return r.documentText(a)
	case "sum":
		if inexact(a.Args[0]) {
			return scaled(r.digits(a)) // once for a group, not for each row
		}
		if a.T.Kind == Decimal && scaleOf(a) == 0 {
			return "CAST(" + r.sum(a) + " AS DECIMAL(38,0))"
		}
		if a.T.Kind == Double {
			return finite(r.sum(a))
		}
		return r.sum(a)
	case "avg":
		arg := a.Args[0]
		if a.T.Kind == Double {
			return finite("avg(" + distinct(a) + r.value(arg) + ")" + r.over)
		}
		sum, frac := r.digits(&Aggregate{Name: "sum", Distinct: a.Distinct, Args: a.Args, T: Type{Kind: Decimal}})
		n := "nullif(count(" + distinct(a) + r.value(arg) + ")" + r.over + ", 0)"
		return scaled(fmt.Sprintf("(%s // %s)", times(sum, carried(a)-frac), n), carried(a))
	case "bit_and":
		return "coalesce(bit_and(" + r.unsigned(a.Args[0]) + ")" + r.over + ", 18446744073709551615::UBIGINT)"
	case "bit_or", "bit_xor":
		return "coalesce(" + a.Name + "(" + r.unsigned(a.Args[0]) + ")" + r.over + ", 0::UBIGINT)"
	case "grouping":
		var keys []string
		for _, k := range a.Args {
			keys = append(keys, r.groupKey(k)[0])
		}
		return "grouping(" + strings.Join(keys, ", ") + ")"
	case "min", "max":
		if len(a.Args) == 2 { // under a collation
			return "arg_" + a.Name + "(" + r.value(a.Args[0]) + ", " + r.value(a.Args[1]) + ")" + r.over
		}
	case "stddev_pop", "stddev_samp", "var_pop", "var_samp":
		return a.Name + "(" + distinct(a) + "CAST(" + r.value(a.Args[0]) + " AS DOUBLE))" + r.over
	case "median", "mad":
		return "CAST(" + a.Name + "(CAST(" + r.value(a.Args[0]) + " AS DOUBLE)) AS DOUBLE)"
	case "packets":
		return r.packetsText(a)
	case "quantile":
		return "quantile_cont(CAST(" + r.value(a.Args[0]) + " AS DOUBLE), " + r.value(a.Args[1]) + ")"
	}
	return a.Name + "(" + r.value(a.Args[0]) + ")" + r.over // min, max, any_value
}

func distinct(a *Aggregate) string {
	if a.Distinct {
		return "DISTINCT "
	}
	return ""
}

func (r *renderer) sum(a *Aggregate) string {
	return "sum(" + distinct(a) + r.bigint(a.Args[0]) + ")" + r.over
}

// count renders COUNT. Of several columns, or of one that takes two, a row
// counts when none is NULL.
func (r *renderer) count(a *Aggregate) string {
	if len(a.Args) == 0 {
		return "count(*)" + r.over
	}
	if len(a.Args) == 1 {
		k := a.Args[0].Kind()
		lanes := r.lanes(a.Args[0], k)
		if k != Address || !a.Distinct {
			return "count(" + distinct(a) + lanes[0] + ")" + r.over
		}
	}
	var all, null []string
	for _, arg := range a.Args {
		lanes := r.lanes(arg, arg.Kind())
		if arg.Kind() == Community {
			lanes = lanes[:1]
		}
		all = append(all, lanes...)
		null = append(null, lanes[0]+" IS NOT NULL")
	}
	return "count(" + distinct(a) + "(" + strings.Join(all, ", ") + ")) FILTER (WHERE " + strings.Join(null, " AND ") + ")" + r.over
}

// pairAggregate renders MIN, MAX or ANY_VALUE of a value of two columns: as
// one structure, so that both halves are of the same row.
func (r *renderer) pairAggregate(a *Aggregate) []string {
	v := r.lanes(a.Args[0], a.T.Kind)
	text := fmt.Sprintf("(%s({'a': %s, 'b': %s}) FILTER (WHERE %s IS NOT NULL)%s)", a.Name, v[0], v[1], v[0], r.over)
	return []string{text + ".a", text + ".b"}
}
