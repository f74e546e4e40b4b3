package pushdown

import (
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
	l, of, err := c.side(e.Left)
	if err != nil {
		return nil, err
	}
	r, with, err := c.side(e.Right)
	if err != nil {
		return nil, err
	}
	if op == "<=>" && (of != nil || with != nil) {
		return nil, refuse(e, "a row compares with a subquery by =, <>, < and > only")
	}
	out, err := c.rowComparison(op, l, r)
	if err != nil {
		return nil, err
	}
	return asBool(c.comparedWith(c.comparedWith(out, of), with)), nil
}

// comparedWith is a comparison with the columns of a subquery, if there is one:
// of its row. Of none it is NULL, of several an error.
func (c *compiler) comparedWith(x Expr, rel Rel) Expr {
	if rel == nil {
		return x
	}
	return c.scalar(&Project{rel, []Named{{Column{ID: c.identity(), Name: "compared", Type: TypeOf(x)}, x}}})
}

// side is what is compared: values, or a subquery's columns, which are compared row by
// row, so that several rows are an error, and none is NULL.
func (c *compiler) side(e sqlparser.Expr) (row, Rel, error) {
	sub, ok := e.(*sqlparser.Subquery)
	if !ok {
		r, err := c.row(e)
		return r, nil, err
	}
	b, err := c.statement(sub.Select)
	if err != nil {
		return row{}, nil, err
	}
	if len(b.out) == 1 {
		return row{value: c.scalar(c.restricted(b).rel)}, nil, nil
	}
	b = c.distinctIDs(b)
	var r row
	for _, col := range b.out {
		r.parts = append(r.parts, row{value: &Col{col}})
	}
	return r, b.rel, nil
}

// row is a value, or several in parentheses, bound.
type row struct {
	value Expr
	parts []row // nil for one value
}

func (c *compiler) row(e sqlparser.Expr) (row, error) {
	list, ok := e.(sqlparser.ValTuple)
	if !ok {
		x, err := c.expr(e)
		return row{value: x}, err
	}
	if err := c.deeper(); err != nil {
		return row{}, err
	}
	defer c.shallower()
	out := row{parts: make([]row, len(list))}
	for i, e := range list {
		var err error
		if out.parts[i], err = c.row(e); err != nil {
			return row{}, err
		}
	}
	return out, nil
}

// rowComparison compares a with b, or (a, b) with (c, d).
func (c *compiler) rowComparison(op string, l, r row) (Expr, error) {
	if l.parts == nil && r.parts == nil {
		return c.comparison(op, l.value, r.value)
	}
	if len(l.parts) != len(r.parts) {
		return nil, mistake(1241, "Operand should contain %d column(s)", max(len(l.parts), 1))
	}
	part := func(op string, i int) (Expr, error) { return c.rowComparison(op, l.parts[i], r.parts[i]) }
	switch op {
	case "=", "<=>", "<>":
		each := op
		if op == "<>" {
			each = "="
		}
		var out Expr
		for i := range l.parts {
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
	for _, p := range l.parts {
		if p.parts != nil {
			return nil, refuse(nil, "rows of rows compare by = only")
		}
	}
	// (a, b) < (c, d) is a < c OR (a = c AND b < d).
	x, err := part(op, len(l.parts)-1)
	if err != nil {
		return nil, err
	}
	for i := len(l.parts) - 2; i >= 0; i-- {
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
	if times := slices.DeleteFunc(slices.Clone(args), isLiteral); slices.ContainsFunc(times, isInstant) && !allInstants(times) {
		for i, a := range args { // both bounds are of what clocks show
			if isInstant(a) {
				args[i] = typed("retime", TypeOf(a), a)
			}
		}
	}
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
			a, b = padded(temporal(a, b), temporal(b, a))
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
	if e := c.sinceLocal(op, x, y); e != nil {
		return e, nil
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
	if a.Kind() != b.Kind() {
		a, b = c.shown(a), c.shown(b)
	}
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == Null || kb == Null:
		// What is always NULL has no type that DuckDB could compare.
		if ka == Null {
			a = null()
		}
		if kb == Null {
			b = null()
		}
		return a, b, true, nil
	case ka == Text && kb == Text:
		return c.collated(a, b, false)
	case ka == kb:
		if ka == JSON {
			return a, b, false, nil
		}
		a, b = c.instants(a, b)
		return a, b, true, nil
	case ka.Numeric() && kb.Numeric():
		x, y = toNumber(a), toNumber(b)
		if s := max(scaleOf(x), scaleOf(y)); s > maxScale {
			return a, b, false, nil
		}
		return x, y, true, nil
	case (ka == Time || ka == Date) && (kb == Time || kb == Date):
		return toTime(c.shown(a)), toTime(c.shown(b)), true, nil
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

// folded is a constant in another spelling, of a column's collation.
func folded(l *Literal, s string) *Literal {
	t := l.T
	t.Collation, t.Coercibility = functions.NoCase, 4
	return &Literal{T: t, Value: s}
}

// folded is what a text compares by under a collation.
func (c *compiler) folded(e Expr, coll collationID, how string) Expr {
	if coll == functions.PaddedBin {
		if s, ok := textLiteral(e); ok {
			return &Literal{T: TypeOf(e), Value: functions.Padded(s, coll)}
		}
		return typed("padded", TypeOf(e), e)
	}
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

// in binds IN over a list or a subquery.
func (c *compiler) in(e *sqlparser.ComparisonExpr) (Expr, error) {
	if sub, ok := e.Right.(*sqlparser.Subquery); ok {
		return c.inSubquery(e.Left, sub)
	}
	list, ok := e.Right.(sqlparser.ValTuple)
	if !ok {
		return nil, refuse(e, "IN wants a list or a subquery")
	}
	left, of, err := c.side(e.Left)
	if err != nil {
		return nil, err
	}
	if left.parts != nil {
		var or []Expr
		for _, r := range list {
			right, with, err := c.side(r)
			if err != nil {
				return nil, err
			}
			eq, err := c.rowComparison("=", left, right)
			if err != nil {
				return nil, err
			}
			if with != nil {
				eq = asBool(c.comparedWith(eq, with))
			}
			or = append(or, eq)
		}
		return asBool(c.comparedWith(anyOf(or), of)), nil
	}
	v := left.value
	items, err := c.exprs(list)
	if err != nil {
		return nil, err
	}
	if isLiteral(v) {
		all := append([]Expr{v}, items...)
		c.oneCollation(all)
		v, items = all[0], all[1:]
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
	l, of, err := c.side(left)
	if err != nil {
		return nil, err
	}
	args := []Expr{l.value}
	if l.parts != nil {
		args = nil
		for _, part := range l.parts {
			if part.parts != nil {
				return nil, mistake(1241, "Operand should contain 1 column(s)")
			}
			args = append(args, part.value)
		}
	}
	p, args, err := c.compared(args, sub)
	if err != nil {
		return nil, err
	}
	for i, x := range args {
		if inexact(x) { // the subquery's are, too
			args[i] = &Cast{Arg: x, T: TypeOf(x)}
		}
	}
	return asBool(c.comparedWith(&Subquery{Op: "in", Rel: p, Args: args, T: Type{Kind: Bool}}, of)), nil
}

// rowIn is IN over a subquery of what is several values to DuckDB, whose IN
// takes a row that is NULL in part for one that differs: true where a row is
// equal, unknown where one may be.
func rowIn(s *Subquery) Expr {
	columns := s.Rel.Columns()
	var equal, unknown []Expr
	for i, x := range columns {
		a, b := s.Args[i], Expr(&Col{x})
		equal = append(equal, call("=", Bool, a, b))
		unknown = append(unknown, call("is null", Bool, a), call("is null", Bool, b))
	}
	exists := func(cond Expr) Expr {
		return &Subquery{Op: "exists", Rel: &Filter{s.Rel, []Expr{cond}}, T: Type{Kind: Bool}}
	}
	maybe := Expr(call("is null", Bool, andOf(equal)))
	if len(columns) == 1 {
		maybe = orOf(unknown)
	}
	yes, no := lit(Bool, !s.Not), lit(Bool, s.Not)
	return &Case{Whens: []When{{exists(andOf(equal)), yes}, {exists(maybe), null()}}, Else: no, T: Type{Kind: Bool, Nullable: true}}
}

// compared binds a subquery whose columns are compared with values, both
// brought to one kind.
func (c *compiler) compared(args []Expr, sub *sqlparser.Subquery) (*Project, []Expr, error) {
	b, err := c.statement(sub.Select)
	if err != nil {
		return nil, nil, err
	}
	if len(b.out) != len(args) {
		return nil, nil, mistake(1241, "Operand should contain %d column(s)", len(args))
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
			if r, err = c.coerce(c.shown(&Col{o}), t); err != nil {
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

// like binds LIKE.
func (c *compiler) like(e *sqlparser.ComparisonExpr) (Expr, error) {
	args, err := c.exprs([]sqlparser.Expr{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	v, p := args[0], args[1]
	escape := `\`
	if c.sqlMode("NO_BACKSLASH_ESCAPES") {
		escape = ""
	}
	if e.Escape != nil {
		x, err := c.expr(e.Escape)
		if err != nil {
			return nil, err
		}
		s, ok := textLiteral(x)
		if !ok || len([]rune(s)) > 1 {
			return nil, mistake(1210, "Incorrect arguments to ESCAPE")
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
		like := &sqlparser.ComparisonExpr{Operator: sqlparser.LikeOp, Left: placeholder(0), Right: placeholder(1)}
		args := []Expr{v, p}
		if escape != `\` {
			like.Escape = placeholder(2)
			args = append(args, lit(Text, escape))
		}
		x, err := c.made(like, args)
		if err != nil {
			return nil, err
		}
		return asBool(x), nil
	}
	if s, ok := textLiteral(a); ok {
		if pattern, ok := textLiteral(b); ok {
			matches, err := functions.Like([]rune(s), []rune(pattern), []rune(escape))
			return lit(Bool, matches), err
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
