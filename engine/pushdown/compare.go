package pushdown

import (
	"fmt"
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Comparisons: which values can be compared, as what, and under which
// collation.

// compare binds the comparison operators, IN, LIKE and REGEXP.
func (c *compiler) compare(e *sqlparser.ComparisonExpr) (Expr, error) {
	switch e.Operator {
	case sqlparser.InOp, sqlparser.NotInOp:
		x, err := c.in(e)
		if err == nil && e.Operator == sqlparser.NotInOp {
			x = foldBool(not(x))
		}
		return x, err
	case sqlparser.LikeOp, sqlparser.NotLikeOp:
		x, err := c.like(e)
		if err == nil && e.Operator == sqlparser.NotLikeOp {
			x = foldBool(not(x))
		}
		return x, err
	case sqlparser.RegexpOp, sqlparser.NotRegexpOp:
		args, err := c.exprs([]sqlparser.Expr{e.Left, e.Right})
		if err != nil {
			return nil, err
		}
		for i, a := range args {
			if a.Kind() != Bytes {
				if args[i], err = c.text(a); err != nil {
					return nil, err
				}
			}
		}
		x, err := c.made(&sqlparser.RegexpLikeExpr{Expr: placeholder(0), Pattern: placeholder(1)}, args)
		if err != nil {
			return nil, err
		}
		if x, err = c.truth(x); err == nil && e.Operator == sqlparser.NotRegexpOp {
			x = foldBool(not(x))
		}
		return x, err
	}
	op := e.Operator.ToString()
	if op == "!=" {
		op = "<>"
	}
	if e.Modifier != 0 {
		return c.quantified(op, e)
	}
	if sub, ok := e.Right.(*sqlparser.Subquery); ok {
		if l, isRow := e.Left.(sqlparser.ValTuple); isRow {
			return c.rowSubquery(op, l, sub)
		}
	}
	l, lok := e.Left.(sqlparser.ValTuple)
	r, rok := e.Right.(sqlparser.ValTuple)
	if lok || rok {
		if !lok || !rok || len(l) != len(r) {
			return nil, mistake(1241, "21000", "Operand should contain %d column(s)", max(len(l), 1))
		}
		return c.rowComparison(op, l, r)
	}
	a, err := c.expr(e.Left)
	if err != nil {
		return nil, err
	}
	b, err := c.expr(e.Right)
	if err != nil {
		return nil, err
	}
	return c.comparison(op, a, b)
}

// rowComparison compares (a, b) with (c, d).
func (c *compiler) rowComparison(op string, l, r sqlparser.ValTuple) (Expr, error) {
	part := func(op string, i int) (Expr, error) {
		return c.compare(&sqlparser.ComparisonExpr{Operator: operatorNamed(op), Left: l[i], Right: r[i]})
	}
	switch op {
	case "=", "<=>", "<>":
		each := op
		if op == "<>" {
			each = "="
		}
		var out Expr
		for i := range l {
			x, err := part(each, i)
			if err != nil {
				return nil, err
			}
			if out == nil {
				out = x
			} else {
				out = foldBool(call("and", Bool, out, x))
			}
		}
		if op == "<>" {
			out = foldBool(not(out))
		}
		return out, nil
	}
	// (a, b) < (c, d) is a < c OR (a = c AND b < d).
	x, err := part(op, len(l)-1)
	if err != nil {
		return nil, err
	}
	for i := len(l) - 2; i >= 0; i-- {
		strict, err := part(op[:1], i)
		if err != nil {
			return nil, err
		}
		equal, err := part("=", i)
		if err != nil {
			return nil, err
		}
		x = foldBool(call("or", Bool, strict, foldBool(call("and", Bool, equal, x))))
	}
	return x, nil
}

func operatorNamed(op string) sqlparser.ComparisonExprOperator {
	return map[string]sqlparser.ComparisonExprOperator{"=": sqlparser.EqualOp, "<>": sqlparser.NotEqualOp, "<": sqlparser.LessThanOp,
		"<=": sqlparser.LessEqualOp, ">": sqlparser.GreaterThanOp, ">=": sqlparser.GreaterEqualOp, "<=>": sqlparser.NullSafeEqualOp}[op]
}

// between binds BETWEEN.
func (c *compiler) between(e *sqlparser.BetweenExpr) (Expr, error) {
	args, err := c.exprs([]sqlparser.Expr{e.Left, e.From, e.To})
	if err != nil {
		return nil, err
	}
	c.oneCollation(args)
	lower, err := c.comparison(">=", args[0], args[1])
	if err != nil {
		return nil, err
	}
	upper, err := c.comparison("<=", args[0], args[2])
	if err != nil {
		return nil, err
	}
	out := foldBool(call("and", Bool, lower, upper))
	if a, ok := addressLiteral(lower); ok {
		if b, ok := addressLiteral(upper); ok {
			out = between(lower.(*Call).Args[0], a, b)
		}
	}
	if !e.IsBetween {
		out = foldBool(not(out))
	}
	return out, nil
}

// oneCollation gives texts that are compared together the collation that wins
// among all of them.
func (c *compiler) oneCollation(args []Expr) {
	var winner Type
	for _, a := range args {
		t := TypeOf(a)
		if t.Kind != Text {
			return
		}
		if winner.Kind != Text || t.Coercibility < winner.Coercibility || t.Coercibility == winner.Coercibility && orBin(t) == functions.Bin {
			winner = t
		}
	}
	for i, a := range args {
		if t := TypeOf(a); orBin(t) != orBin(winner) && !isLiteral(a) {
			t.Collation, t.Coercibility = orBin(winner), winner.Coercibility
			args[i] = typed("collate", t, a)
		}
	}
}

// addressLiteral is the constant a comparison compares an address with.
func addressLiteral(e Expr) (tables.Addr, bool) {
	if c, ok := e.(*Call); ok && len(c.Args) == 2 {
		if l, ok := c.Args[1].(*Literal); ok && l.T.Kind == Address {
			return l.Value.(tables.Addr), true
		}
	}
	return tables.Addr{}, false
}

// comparison compares two values.
func (c *compiler) comparison(op string, a, b Expr) (Expr, error) {
	before := c.equality
	c.equality = op == "=" || op == "<>" || op == "<=>"
	x, y, ok, err := c.comparable(a, b)
	c.equality = before
	if err != nil {
		return nil, err
	}
	if !ok || isLiteral(x) && isLiteral(y) {
		if isLiteral(a) && isLiteral(b) {
			a, b = temporal(a, b), temporal(b, a)
		}
		x, err := c.made(&sqlparser.ComparisonExpr{Operator: operatorNamed(op), Left: placeholder(0), Right: placeholder(1)}, []Expr{a, b})
		if err != nil {
			return nil, err
		}
		return asBool(x), nil
	}
	// A constant on the left makes no difference but to who looks for bounds.
	if isLiteral(x) {
		if m, ok := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]; ok {
			op = m
		}
		x, y = y, x
	}
	return call(op, Bool, x, y), nil
}

// temporal reads a text beside a time as one.
func temporal(e, beside Expr) Expr {
	s, ok := textLiteral(e)
	if !ok || !beside.Kind().Temporal() {
		return e
	}
	if v, err := parseLiteral(s, beside.Kind()); err == nil {
		return v
	}
	return e
}

// asBool makes a truth value of what a comparison of the function table gives.
func asBool(e Expr) Expr {
	if e.Kind() == Bool || e.Kind() == Null {
		return e
	}
	if n, ok := intLiteral(e); ok {
		return lit(Bool, n != 0)
	}
	return call("<>", Bool, e, lit(Integer, int64(0)))
}

// comparable brings two values to one kind, as MySQL does for comparisons,
// where that needs no guess; ok is false where the function table has to
// compare.
func (c *compiler) comparable(a, b Expr) (x, y Expr, ok bool, err error) {
	if a, b, err = c.meant(a, b); err != nil {
		return nil, nil, false, err
	}
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == Null || kb == Null:
		return a, b, true, nil
	case ka == Text && kb == Text:
		return c.collated(a, b, false)
	case ka == kb:
		if ka == JSON {
			return a, b, false, nil
		}
		return a, b, true, nil
	case ka.Numeric() && kb.Numeric():
		x, y = toNumber(a), toNumber(b)
		if s := max(scaleOf(x), scaleOf(y)); s > maxScale {
			return a, b, false, nil
		}
		return x, y, true, nil
	case (ka == Time || ka == Date) && (kb == Time || kb == Date):
		return toTime(a), toTime(b), true, nil
	case ka == Bytes && kb == Text, ka == Text && kb == Bytes:
		x, y = a, b
		if ka == Text {
			x = toBytes(a)
		} else {
			y = toBytes(b)
		}
		return x, y, true, nil
	case ka >= Address && kb >= Address, ka >= Address && kb == Text, ka == Text && kb >= Address:
		return c.collated(asShown(a), asShown(b), false)
	}
	return a, b, false, nil
}

// toBytes makes bytes of text.
func toBytes(e Expr) Expr {
	if s, ok := textLiteral(e); ok {
		return bytesLiteral([]byte(s))
	}
	return &Cast{Arg: e, T: Type{Kind: Bytes}}
}

// asShown is an address or id as the text clients see.
func asShown(e Expr) Expr {
	if e.Kind() < Address {
		return e
	}
	if l, ok := e.(*Literal); ok {
		return &Literal{T: Type{Kind: Text, Collation: functions.Bin, Coercibility: 2}, Value: l.SQLValue().ToString()}
	}
	t := TypeOf(e)
	return &Cast{Arg: e, T: Type{Kind: Text, Length: t.Length, Collation: functions.Bin, Coercibility: 2}}
}

// meant reads a constant beside a column as a value of that column. What the
// column can never hold is an error that says how to write what was meant.
func (c *compiler) meant(a, b Expr) (Expr, Expr, error) {
	la, aLit := a.(*Literal)
	lb, bLit := b.(*Literal)
	switch {
	case bLit && !aLit:
		v, err := c.readAs(lb, a)
		return a, v, err
	case aLit && !bLit:
		v, err := c.readAs(la, b)
		return v, b, err
	case !aLit && !bLit:
		return a, b, incomparable(meaning(a), meaning(b))
	}
	return a, b, nil
}

// incomparable refuses columns that can't have a value in common.
func incomparable(x, y *tables.Column) error {
	if x == nil || y == nil {
		return nil
	}
	number := func(k tables.Kind) bool {
		return k == tables.Int || k == tables.BigInt || k == tables.Double || k == tables.Bool
	}
	if number(x.Kind) != number(y.Kind) {
		return syntaxError("%s and %s can't be equal: one is a number, the other is not", x.Name, y.Name)
	}
	return nil
}

// readAs reads a constant as a value of the expression beside it.
func (c *compiler) readAs(l *Literal, beside Expr) (Expr, error) {
	if l.Value == nil || l.T.Kind == Text && l.T.Coercibility == 0 && l.T.Collation != 0 {
		return l, nil // COLLATE says how it is meant
	}
	if m := meaning(beside); m != nil {
		switch {
		case l.T.Kind == Text:
			return c.textAs(l, m)
		case l.T.Kind.Numeric() && l.T.Kind != Bool:
			return numberAs(l, m)
		}
		return l, nil
	}
	if l.T.Kind != Text {
		return l, nil
	}
	s := l.Value.(string)
	switch k := beside.Kind(); k {
	case Address, ID, Community, MAC:
		if v, err := parseLiteral(s, k); err == nil {
			return v, nil
		}
	case Time, Date:
		v, err := parseLiteral(s, k)
		if err != nil {
			return nil, mistake(1525, "HY000", "Incorrect DATETIME value: '%s'", s)
		}
		return v, nil
	case Clock:
		if v, err := parseLiteral(s, k); err == nil {
			return v, nil
		}
	case Integer, Unsigned, Double, Decimal:
		if v, err := parseNumber(s); err == nil {
			// MySQL compares a number with text as DOUBLE; a whole number that
			// is one exactly compares alike as it is.
			if n, ok := intLiteral(v); ok && n > -1<<53 && n < 1<<53 || v.T.Kind == Double || k == Double {
				return v, nil
			}
		}
	}
	return l, nil
}

// textAs reads text as a value of a column.
func (c *compiler) textAs(l *Literal, m *tables.Column) (Expr, error) {
	s := l.Value.(string)
	switch m.Kind {
	case tables.Address:
		a, err := tables.ParseAddr(s)
		if err != nil {
			return nil, addressError(m, s)
		}
		return lit(Address, a), nil
	case tables.Identifier, tables.CommunityID, tables.MAC:
		v, err := parseLiteral(s, columnType(m).Kind)
		if err != nil {
			return nil, syntaxError("%s: %v", m.Name, err)
		}
		return v, nil
	case tables.HostName:
		return folded(l, tables.FoldName(s)), nil
	case tables.Timestamp:
		t, err := ParseTime(s)
		if err != nil {
			return nil, syntaxError("%s: %v", m.Name, err)
		}
		return timeLiteralOf(t, 6), nil
	case tables.Int, tables.BigInt, tables.Double, tables.Bool:
		n, err := parseNumber(s)
		if err != nil {
			return nil, numberError(m, s)
		}
		return n, nil
	case tables.Text:
		return c.spelled(l, m)
	}
	return l, nil
}

// folded is a constant in another spelling, of a column's collation.
func folded(l *Literal, s string) *Literal {
	t := l.T
	t.Collation, t.Coercibility = functions.NoCase, 4
	return &Literal{T: t, Value: s}
}

// spelled is the spelling a column with few values has of one.
func (c *compiler) spelled(l *Literal, m *tables.Column) (Expr, error) {
	s := l.Value.(string)
	if m.Name == "protocol" {
		return folded(l, protocolName(s)), nil
	}
	if m.Values != nil {
		for _, v := range m.Values {
			if strings.EqualFold(v, s) {
				return folded(l, v), nil
			}
		}
		if !c.equality {
			return l, nil // it has a place in the order all the same
		}
		if near := tables.Nearest(strings.ToLower(s), m.Values); near != "" {
			return nil, syntaxError("%s is never '%s': did you mean '%s'?", m.Name, s, near)
		}
		return nil, syntaxError("%s is never '%s': it is one of %s", m.Name, s, strings.Join(m.Values, ", "))
	}
	switch m.Fold {
	case "lower":
		return folded(l, strings.ToLower(s)), nil
	case "upper":
		return folded(l, strings.ToUpper(s)), nil
	}
	return l, nil
}

// protocolName is the spelling the column has of a protocol's name or number.
func protocolName(s string) string {
	if n, ok := tables.ProtocolNumber(s); ok {
		return tables.ProtocolName(n)
	}
	return strings.ToLower(s)
}

// meaning is the column of a relation that an expression's values come from,
// unchanged; nil when they are computed.
func meaning(e Expr) *tables.Column {
	switch e := e.(type) {
	case *Col:
		return e.Column.Meaning
	case *Aggregate:
		if e.Name == "min" || e.Name == "max" || e.Name == "any_value" {
			return meaning(e.Args[0])
		}
	case *Over:
		return meaning(e.Call)
	case *Subquery:
		if e.Op == "scalar" {
			return e.Rel.Columns()[0].Meaning
		}
	case *Case:
		arms := []Expr{e.Else}
		for _, w := range e.Whens {
			arms = append(arms, w.Then)
		}
		return commonMeaning(arms)
	case *Call:
		switch e.Op {
		case "coalesce", "greatest", "least":
			return commonMeaning(e.Args)
		case "lag", "lead", "first_value", "last_value", "nth_value":
			return meaning(e.Args[0])
		}
	}
	return nil
}

// commonMeaning is that of values which all come from columns of one kind.
func commonMeaning(exprs []Expr) *tables.Column {
	var out *tables.Column
	for _, e := range exprs {
		if e == nil || isLiteral(e) {
			continue
		}
		m := meaning(e)
		if m == nil || out != nil && (out.Kind != m.Kind || m.Kind == tables.Text && m.Name != out.Name) {
			return nil
		}
		out = m
	}
	return out
}

// collated prepares two texts for a comparison under the collation that MySQL
// chooses. pattern tells that the second is a pattern, of no column's spelling.
func (c *compiler) collated(a, b Expr, pattern bool) (Expr, Expr, bool, error) {
	ta, tb := TypeOf(a), TypeOf(b)
	winner := ta
	if tb.Coercibility < ta.Coercibility || tb.Coercibility == ta.Coercibility && orBin(tb) == functions.Bin {
		winner = tb
	}
	if ta.Coercibility == 0 && tb.Coercibility == 0 && ta.Collation != 0 && tb.Collation != 0 && orBin(ta) != orBin(tb) {
		return nil, nil, false, mistake(1267, "HY000", "Illegal mix of collations for operation '='")
	}
	coll := orBin(winner)
	if coll == functions.Bin {
		return a, b, true, nil
	}
	if !pattern && coll == functions.NoCase && oneSpelling(a, b) {
		return a, b, true, nil
	}
	fa, fb := foldOf(a), foldOf(b)
	if coll == functions.Default && winner.Coercibility == 0 {
		return c.folded(a, coll, "weight"), c.folded(b, coll, "weight"), true, nil
	}
	how := fa
	if isLiteral(a) {
		how = fb
	}
	if how == "" || !isLiteral(a) && !isLiteral(b) && fa != fb {
		how = "lower"
	}
	return c.folded(a, coll, how), c.folded(b, coll, how), true, nil
}

// oneSpelling tells whether two texts are of columns that store one spelling of
// each value: the same column, or one and a constant that was read as its
// value.
func oneSpelling(a, b Expr) bool {
	ma, mb := meaning(a), meaning(b)
	if l, ok := b.(*Literal); ok && l.T.Collation != functions.NoCase {
		return false // it is no value of the column
	}
	spelled := func(m *tables.Column) bool {
		return m != nil && m.Kind == tables.Text && (m.Values != nil || m.Fold != "")
	}
	switch {
	case isLiteral(b):
		return spelled(ma)
	case isLiteral(a):
		return spelled(mb)
	}
	return spelled(ma) && spelled(mb) && ma.Name == mb.Name
}

// orBin is the collation of a text; all that compare bytes are one.
func orBin(t Type) collationID {
	if t.Collation == 0 || functions.ComparesBytes(t.Collation) {
		return functions.Bin
	}
	return t.Collation
}

// foldOf says which case an expression's text is known to be in.
func foldOf(e Expr) string {
	m := meaning(e)
	switch {
	case m == nil:
		if isLower(e) && !isLiteral(e) {
			return "lower"
		}
		return ""
	case m.Kind == tables.HostName:
		return "lower"
	}
	return m.Fold
}

// isLower tells whether a value's text is known to have no upper case.
func isLower(e Expr) bool {
	switch e.Kind() {
	case Integer, Unsigned, Decimal, Bool, Date, Time, Clock, Null, Address, MAC:
		return true // a date's and a time's text have none
	case Text:
	default:
		return false
	}
	if m := meaning(e); m != nil {
		return foldOf(e) == "lower"
	}
	all := func(args []Expr) bool { return !slices.ContainsFunc(args, func(a Expr) bool { return !isLower(a) }) }
	switch e := e.(type) {
	case *Literal:
		s, ok := textLiteral(e)
		return ok && s == strings.ToLower(s)
	case *Cast:
		return isLower(e.Arg)
	case *Call:
		switch e.Op {
		case "lower":
			return true
		case "concat", "coalesce":
			return all(e.Args)
		}
	case *Case:
		return (e.Else == nil || isLower(e.Else)) && !slices.ContainsFunc(e.Whens, func(w When) bool { return !isLower(w.Then) })
	case *Func:
		switch n := e.Node.(type) {
		case *sqlparser.SubstrExpr:
			return isLower(e.Args[0])
		case *sqlparser.FuncExpr:
			switch n.Name.Lowered() {
			case "lower", "lcase":
				return true
			case "concat", "concat_ws":
				return all(e.Args)
			case "left", "right":
				return isLower(e.Args[0])
			}
		}
	}
	return false
}

// folded is what a text compares by under a collation.
func (c *compiler) folded(e Expr, coll collationID, how string) Expr {
	if coll != functions.NoCase && coll != functions.Default {
		return call("weight", Bytes, e, lit(Integer, int64(coll)))
	}
	if coll == functions.Default && how == "weight" {
		return call("weight", Bytes, e, lit(Integer, int64(coll)))
	}
	if coll == functions.Default {
		return typed("bare", TypeOf(e), e)
	}
	if s, ok := textLiteral(e); ok {
		t := TypeOf(e)
		if how == "upper" {
			return &Literal{T: t, Value: strings.ToUpper(s)}
		}
		return &Literal{T: t, Value: strings.ToLower(s)}
	}
	if foldOf(e) == how {
		return e
	}
	return typed(how, TypeOf(e), e)
}

// key is what a value is grouped, ordered and told apart by: itself but for
// text whose collation is blind to case.
func (c *compiler) key(e Expr) Expr {
	if e.Kind() != Text {
		return e
	}
	t := TypeOf(e)
	coll := orBin(t)
	if coll == functions.Bin || isLiteral(e) || t.Coercibility >= 4 {
		return e
	}
	if fold := foldOf(e); fold != "" && coll == functions.NoCase {
		return e
	}
	if m := meaning(e); m != nil && m.NoCase {
		return e // one spelling of each value is stored
	}
	if t.Coercibility == 0 && coll == functions.Default {
		return c.folded(e, coll, "weight")
	}
	return c.folded(e, coll, "lower")
}

// collate binds COLLATE.
func (c *compiler) collate(e *sqlparser.CollateExpr) (Expr, error) {
	x, err := c.expr(e.Expr)
	if err != nil {
		return nil, err
	}
	if x.Kind() != Text {
		if x, err = c.text(x); err != nil {
			return nil, err
		}
	}
	id, ok := functions.CollationNamed(e.Collation)
	if !ok {
		return nil, mistake(1273, "HY000", "Unknown collation: '%s'", e.Collation)
	}
	t := TypeOf(x)
	t.Collation, t.Coercibility = id, 0
	if l, ok := x.(*Literal); ok {
		return &Literal{T: t, Value: l.Value}, nil
	}
	return typed("collate", t, x), nil
}

// in binds IN over a list or a subquery.
func (c *compiler) in(e *sqlparser.ComparisonExpr) (Expr, error) {
	if sub, ok := e.Right.(*sqlparser.Subquery); ok {
		return c.inSubquery(e.Left, sub)
	}
	list, ok := e.Right.(sqlparser.ValTuple)
	if !ok {
		return nil, refuse(e, "IN wants a list or a subquery")
	}
	if row, ok := e.Left.(sqlparser.ValTuple); ok {
		var or []Expr
		for _, r := range list {
			rt, ok := r.(sqlparser.ValTuple)
			if !ok || len(rt) != len(row) {
				return nil, mistake(1241, "21000", "Operand should contain %d column(s)", len(row))
			}
			eq, err := c.rowComparison("=", row, rt)
			if err != nil {
				return nil, err
			}
			or = append(or, eq)
		}
		return anyOf(or), nil
	}
	v, err := c.expr(e.Left)
	if err != nil {
		return nil, err
	}
	items, err := c.exprs(list)
	if err != nil {
		return nil, err
	}
	var same []Expr // elements that are constants of one kind
	var or []Expr
	var column Expr
	for _, x := range items {
		eq, err := c.comparison("=", v, x)
		if err != nil {
			return nil, err
		}
		if ec, ok := eq.(*Call); ok && ec.Op == "=" {
			if l, ok := ec.Args[1].(*Literal); ok && (column == nil || ec.Args[0] == column || fingerprint(ec.Args[0]) == fingerprint(column)) {
				if len(same) == 0 || l.T.Kind == Null || l.T.Kind == same[0].Kind() && (l.T.Kind != Decimal || scaleOf(l) == scaleOf(same[0])) {
					column = ec.Args[0]
					same = append(same, l)
					continue
				}
			}
		}
		or = append(or, eq)
	}
	switch {
	case len(same) == 1:
		or = append(or, call("=", Bool, column, same[0]))
	case len(same) > 1:
		or = append(or, call("in", Bool, append([]Expr{column}, same...)...))
	}
	return anyOf(or), nil
}

// anyOf is OR over conditions, constants computed.
func anyOf(list []Expr) Expr {
	var kept []Expr
	nulls := false
	for _, e := range list {
		if l, ok := e.(*Literal); ok {
			if l.Value == nil {
				nulls = true
				continue
			}
			if v, _ := l.Value.(bool); v {
				return l
			}
			continue
		}
		kept = append(kept, e)
	}
	if nulls {
		if len(kept) == 0 {
			return null()
		}
		kept = append(kept, null())
	}
	return orOf(kept)
}

func (c *compiler) inSubquery(left sqlparser.Expr, sub *sqlparser.Subquery) (Expr, error) {
	row := []sqlparser.Expr{left}
	if t, ok := left.(sqlparser.ValTuple); ok {
		row = t
	}
	args, err := c.exprs(row)
	if err != nil {
		return nil, err
	}
	p, args, err := c.compared(args, sub)
	if err != nil {
		return nil, err
	}
	if len(args) > 1 && refersOut(p) && c.scope != nil && c.scope.clause != inWhere {
		return c.rowIn(p, args), nil
	}
	return &Subquery{Op: "in", Rel: p, Args: args, T: Type{Kind: Bool}}, nil
}

// rowIn is (a, b) IN (a correlated subquery) as a value, which DuckDB lacks:
// true where a row is equal, unknown where one may be.
func (c *compiler) rowIn(p *Project, args []Expr) Expr {
	var equal []Expr
	for i, x := range p.Exprs {
		equal = append(equal, call("=", Bool, args[i], &Col{x.Column}))
	}
	exists := func(cond Expr) Expr {
		return &Subquery{Op: "exists", Rel: &Filter{p, []Expr{cond}}, T: Type{Kind: Bool}}
	}
	all := andOf(equal)
	return &Case{Whens: []When{{exists(all), lit(Bool, true)}, {exists(call("is null", Bool, all)), null()}}, Else: lit(Bool, false), T: Type{Kind: Bool}}
}

// compared binds a subquery whose columns are compared with values, both
// brought to one kind.
func (c *compiler) compared(args []Expr, sub *sqlparser.Subquery) (*Project, []Expr, error) {
	b, err := c.statement(sub.Select)
	if err != nil {
		return nil, nil, err
	}
	if len(b.out) != len(args) {
		return nil, nil, mistake(1241, "21000", "Operand should contain %d column(s)", len(args))
	}
	b = c.distinctIDs(b)
	p := &Project{Child: b.rel}
	args = slices.Clone(args)
	for i, o := range b.out {
		l, r, ok, err := c.comparable(args[i], &Col{o})
		if err != nil {
			return nil, nil, err
		}
		if !ok {
			// As text or double: what MySQL compares them as.
			t := Type{Kind: Double}
			if l, err = c.coerce(args[i], t); err != nil {
				return nil, nil, err
			}
			if r, err = c.coerce(&Col{o}, t); err != nil {
				return nil, nil, err
			}
		}
		args[i] = l
		p.Exprs = append(p.Exprs, Named{Column{ID: c.identity(), Name: o.Name, Type: TypeOf(r), Meaning: meaning(r)}, r})
	}
	return p, args, nil
}

// quantified binds = ANY (…), > ALL (…) and their like.
func (c *compiler) quantified(op string, e *sqlparser.ComparisonExpr) (Expr, error) {
	sub, ok := e.Right.(*sqlparser.Subquery)
	if !ok {
		return nil, refuse(e, "ANY and ALL want a subquery")
	}
	all := e.Modifier == sqlparser.All
	switch {
	case op == "=" && !all:
		return c.inSubquery(e.Left, sub)
	case op == "<>" && all:
		x, err := c.inSubquery(e.Left, sub)
		if err != nil {
			return nil, err
		}
		return not(x), nil
	}
	v, err := c.expr(e.Left)
	if err != nil {
		return nil, err
	}
	p, args, err := c.compared([]Expr{v}, sub)
	if err != nil {
		return nil, err
	}
	word := "any"
	if all {
		word = "all"
	}
	return &Subquery{Op: word, Compare: op, Rel: p, Args: args, T: Type{Kind: Bool}}, nil
}

// rowSubquery binds (a, b) = (SELECT x, y …).
func (c *compiler) rowSubquery(op string, l sqlparser.ValTuple, sub *sqlparser.Subquery) (Expr, error) {
	if op != "=" {
		return nil, refuse(sub, "a row compares with a subquery by = or IN only")
	}
	return c.inSubquery(l, sub)
}

// like binds LIKE.
func (c *compiler) like(e *sqlparser.ComparisonExpr) (Expr, error) {
	args, err := c.exprs([]sqlparser.Expr{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	v, p := args[0], args[1]
	escape := `\`
	if e.Escape != nil {
		x, err := c.expr(e.Escape)
		if err != nil {
			return nil, err
		}
		s, ok := textLiteral(x)
		if !ok || len([]rune(s)) > 1 {
			return nil, mistake(1210, "HY000", "Incorrect arguments to ESCAPE")
		}
		escape = s
	}
	if v.Kind() == Null || p.Kind() == Null {
		return null(), nil
	}
	m := meaning(v)
	if pattern, ok := textLiteral(p); ok && v.Kind() == Address && escape == `\` {
		if x, ok := addressLike(v, pattern); ok {
			return x, nil
		}
		if m != nil && strings.Contains(pattern, "/") {
			return nil, addressError(m, pattern)
		}
	}
	if v.Kind() == Bytes || p.Kind() == Bytes {
		return c.likeBytes(v, p, escape)
	}
	if v, err = c.text(v); err != nil {
		return nil, err
	}
	if p, err = c.text(p); err != nil {
		return nil, err
	}
	if m != nil && m.Name == "protocol" {
		if s, ok := textLiteral(p); ok {
			p = folded(p.(*Literal), strings.ToLower(s))
		}
	}
	a, b, _, err := c.collated(v, p, true)
	if err != nil {
		return nil, err
	}
	if a.Kind() != Text || b.Kind() != Text { // weights can't be matched
		a, b = typed("lower", TypeOf(v), v), typed("lower", TypeOf(p), p)
	}
	if s, ok := textLiteral(a); ok {
		if pattern, ok := textLiteral(b); ok {
			r := []rune(escape + "\x00")
			return lit(Bool, like(s, pattern, r[0], escape != "")), nil
		}
	}
	return call("like", Bool, a, b, lit(Text, escape)), nil
}

// likeBytes matches bytes as LIKE does with VARBINARY.
func (c *compiler) likeBytes(v, p Expr, escape string) (Expr, error) {
	pattern, ok := p.(*Literal)
	if !ok {
		return nil, refuse(nil, "LIKE over bytes wants a constant pattern")
	}
	if v.Kind() == Text {
		v = toBytes(v)
	}
	if v.Kind() != Bytes {
		return nil, refuse(nil, "LIKE over bytes wants bytes, not %s", v.Kind())
	}
	return call("like_bytes", Bool, v, bytesLiteral([]byte(pattern.SQLValue().ToString())), bytesLiteral([]byte(escape))), nil
}

// numberAs reads a number as a value of a column.
func numberAs(l *Literal, m *tables.Column) (Expr, error) {
	n := l.SQLValue().ToString()
	switch m.Kind {
	case tables.Address:
		return nil, syntaxError("%s is an address: write it as '10.1.2.3', not as the number %s", m.Name, n)
	case tables.Identifier, tables.CommunityID, tables.MAC, tables.HostName:
		return nil, syntaxError("%s is text, not the number %s", m.Name, n)
	case tables.Timestamp:
		if len(n) == 8 || len(n) == 14 {
			if t, err := ParseTime(n); err == nil {
				return timeLiteralOf(t, 6), nil
			}
		}
		return nil, syntaxError("%s is a time, not the number %s: use FROM_UNIXTIME(%s) or '2026-06-12 10:15:00'", m.Name, n, n)
	case tables.Text:
		if v, ok := l.Value.(int64); ok && m.Name == "protocol" && v >= 0 && v < 256 {
			return nil, syntaxError("protocol is a name: use protocol = '%s'", tables.ProtocolName(uint8(v)))
		}
		if v, ok := l.Value.(int64); ok && strings.HasSuffix(m.Name, "tcp_flags") && v >= 0 && v < 512 {
			return nil, syntaxError("%s is text: use %s = '%s'", m.Name, m.Name, tables.TCPFlagsText(uint16(v)))
		}
		return nil, syntaxError("%s is text: write '%s'", m.Name, n)
	}
	return l, nil
}

// addressError says what a text is that stands where an address belongs.
func addressError(m *tables.Column, s string) error {
	switch {
	case isNetwork(s):
		return syntaxError("%s is an address and '%s' a network: use ip_in(%s, '%s')", m.Name, s, m.Name, s)
	case strings.HasSuffix(m.Name, "ip") && strings.ContainsFunc(s, isNameLetter):
		return syntaxError("%s is an address and '%s' is none: use %shost = '%s'", m.Name, s, strings.TrimSuffix(m.Name, "ip"), s)
	}
	return syntaxError("%s is an address and '%s' is none", m.Name, s)
}

func isNameLetter(r rune) bool { return r >= 'g' && r <= 'z' || r >= 'G' && r <= 'Z' }

// numberError says which column holds the text that stands beside a number.
func numberError(m *tables.Column, s string) error {
	switch name := strings.TrimSuffix(m.Name, "_number"); {
	case name != m.Name:
		return syntaxError("%s is a number: use %s = '%s'", m.Name, name, s)
	case m.Name == "port" || strings.HasSuffix(m.Name, "_port"):
		return syntaxError("%s is a number: use service = '%s'", m.Name, s)
	}
	return syntaxError("%s is a number and '%s' is none", m.Name, s)
}

func errNoTime(k Kind) error { return fmt.Errorf("%s is no time", k) }
