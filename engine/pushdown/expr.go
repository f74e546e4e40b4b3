package pushdown

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// From parsed expressions to ours. The types are the function table's; what
// DuckDB computes exactly is spelled here or in the table, the rest is called
// back.

// condition binds an expression used as a truth value.
func (c *compiler) condition(e sqlparser.Expr) (Expr, error) {
	x, err := c.expr(e)
	if err != nil {
		return nil, err
	}
	return c.truth(x)
}

// truth turns a value into a BOOLEAN as MySQL's WHERE does.
func (c *compiler) truth(e Expr) (Expr, error) {
	switch k := e.Kind(); {
	case k == Bool:
		return e, nil
	case k == Null:
		return null(), nil
	case k.Numeric():
		if x, ok := c.listed(e); ok {
			return x, nil
		}
		return c.comparison("<>", e, lit(Integer, int64(0)))
	}
	return c.made(&sqlparser.ComparisonExpr{Operator: sqlparser.NotEqualOp, Left: placeholder(0), Right: sqlparser.NewIntLiteral("0")}, []Expr{e, lit(Integer, int64(0))})
}

func call(op string, k Kind, args ...Expr) *Call {
	return &Call{Op: op, Args: args, T: Type{Kind: k, Nullable: mayBeNull(op, args)}}
}

// mayBeNull tells whether an operator over values may give NULL.
func mayBeNull(op string, args []Expr) bool {
	switch op {
	case "<=>", "is null", "is true", "is false":
		return false
	case "coalesce":
		return !slices.ContainsFunc(args, func(e Expr) bool { return !nullable(e) })
	}
	return slices.ContainsFunc(args, nullable)
}

// nullable tells whether a value may be NULL.
func nullable(e Expr) bool {
	switch e := e.(type) {
	case *Col:
		return e.Nullable
	case *Literal:
		return e.Value == nil
	case *Call:
		return e.T.Nullable
	case *Subquery:
		return e.Op != "exists"
	}
	return TypeOf(e).Nullable
}

// typed is a call whose MySQL type is known.
func typed(op string, t Type, args ...Expr) *Call { return &Call{Op: op, Args: args, T: t} }

func conjuncts(e Expr) []Expr {
	if c, ok := e.(*Call); ok && c.Op == "and" {
		var out []Expr
		for _, a := range c.Args {
			out = append(out, conjuncts(a)...)
		}
		return out
	}
	return []Expr{e}
}

func orOf(list []Expr) Expr {
	switch len(list) {
	case 0:
		return lit(Bool, false)
	case 1:
		return list[0]
	}
	return call("or", Bool, list...)
}

func andOf(list []Expr) Expr {
	switch len(list) {
	case 0:
		return lit(Bool, true)
	case 1:
		return list[0]
	}
	return call("and", Bool, list...)
}

func (c *compiler) exprs(list []sqlparser.Expr) ([]Expr, error) {
	out := make([]Expr, len(list))
	for i, e := range list {
		var err error
		if out[i], err = c.expr(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// maxOperators bounds how deep operators and calls stand in each other.
const maxOperators = 2000

// expr binds an expression in the current scope.
func (c *compiler) expr(e sqlparser.Expr) (Expr, error) {
	// Operators are bounded before anything is parsed.
	if c.operators++; c.operators > maxOperators {
		return nil, mistake(1473, "expressions nest deeper than %d", maxOperators)
	}
	defer func() { c.operators-- }()
	if err := c.ctx.Err(); err != nil {
		return nil, err
	}
	x, err := c.operator(e)
	if err != nil {
		return nil, err
	}
	if c.size(x) >= maxSize {
		return nil, refuse(e, "the expression is too large")
	}
	return x, nil
}

// size counts the nodes of an expression; counts of operands are remembered,
// since it is asked for at every level.
func (c *compiler) size(e Expr) int {
	if e == nil {
		return 0
	}
	if n, ok := c.sizes[e]; ok {
		return n
	}
	n := 1
	for _, o := range e.operands() {
		if n += c.size(o); n >= maxSize {
			break
		}
	}
	c.sizes[e] = n
	return n
}

func (c *compiler) operator(e sqlparser.Expr) (Expr, error) {
	switch e := e.(type) {
	case *sqlparser.ColName:
		x, err := c.column(e)
		return c.shown(x), err
	case *sqlparser.Literal:
		return c.constant(e)
	case *sqlparser.NullVal:
		return null(), nil
	case sqlparser.BoolVal:
		return lit(Bool, bool(e)), nil
	case *sqlparser.Argument:
		return c.parameter(e)
	case *sqlparser.Variable:
		return c.variable(e)
	case *sqlparser.AssignmentExpr:
		return c.assign(e)
	case *sqlparser.Subquery:
		return c.scalarSubquery(e)
	case *sqlparser.ExistsExpr:
		b, err := c.statement(e.Subquery.Select)
		if err != nil {
			return nil, err
		}
		return &Subquery{Op: "exists", Rel: b.rel, T: Type{Kind: Bool}}, nil
	case *sqlparser.AndExpr:
		return c.logic("and", e.Left, e.Right)
	case *sqlparser.OrExpr:
		return c.logic("or", e.Left, e.Right)
	case *sqlparser.XorExpr:
		return c.logic("xor", e.Left, e.Right)
	case *sqlparser.NotExpr:
		x, err := c.condition(e.Expr)
		if err != nil {
			return nil, err
		}
		return foldBool(not(x)), nil
	case *sqlparser.IsExpr:
		return c.is(e)
	case *sqlparser.ComparisonExpr:
		return c.compare(e)
	case *sqlparser.BetweenExpr:
		return c.between(e)
	case *sqlparser.BinaryExpr:
		return c.binary(e)
	case *sqlparser.UnaryExpr:
		return c.unary(e)
	case *sqlparser.CaseExpr:
		return c.caseWhen(e)
	case *sqlparser.IntervalDateExpr:
		return c.shift(e)
	case *sqlparser.CastExpr:
		return c.cast(e, e.Expr, e.Type)
	case *sqlparser.ConvertExpr:
		return c.cast(&sqlparser.CastExpr{Expr: e.Expr, Type: e.Type}, e.Expr, e.Type)
	case *sqlparser.CollateExpr:
		return c.collate(e)
	case *sqlparser.CurTimeFuncExpr:
		return c.function(e)
	case sqlparser.ValTuple:
		return nil, mistake(1241, "Operand should contain 1 column(s)")
	}
	if x, ok, err := c.aggregateOrWindow(e); ok {
		return x, err
	}
	switch e := e.(type) {
	case *sqlparser.PerformanceSchemaFuncExpr:
		named := &sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI(e.Type.ToString())}
		if e.Argument != nil {
			named.Exprs = []sqlparser.Expr{e.Argument}
		}
		return c.funcExpr(named)
	case *sqlparser.LockingFunc, *sqlparser.MatchExpr, *sqlparser.ValuesFuncExpr, *sqlparser.GTIDFuncExpr,
		*sqlparser.ExtractValueExpr, *sqlparser.UpdateXMLExpr:
		return nil, refuse(e, "this function is not supported")
	}
	if f, ok := e.(*sqlparser.FuncExpr); ok {
		return c.funcExpr(f)
	}
	return c.function(e)
}

// parameter is a value bound to a prepared statement.
func (c *compiler) parameter(a *sqlparser.Argument) (Expr, error) {
	if c.given != nil {
		return c.given[a.Name[len(a.Name)-1]-'1'], nil
	}
	v, ok := c.session.Parameter(a.Name)
	if !ok {
		c.preparing = true
		return null(), nil
	}
	return c.goLiteral(v)
}

// variable is @x or @@x, which have one value throughout a statement.
// assign sets a variable where nothing depends on the order of rows.
func (c *compiler) assign(e *sqlparser.AssignmentExpr) (Expr, error) {
	x, err := c.expr(e.Right)
	if err != nil {
		return nil, err
	}
	v, named := e.Left.(*sqlparser.Variable)
	l, constant := x.(*Literal)
	if !named || !constant || c.scope != nil && len(c.scope.cols) > 0 {
		return nil, refuse(e, "assignment to a variable works in statements without tables only: use SET")
	}
	return l, c.session.SetUserVariable(UserVariable(v), l.SQLValue())
}

func (c *compiler) variable(v *sqlparser.Variable) (Expr, error) {
	name := v.Name.Lowered()
	var value any
	var err error
	switch v.Scope {
	case sqlparser.VariableScope:
		value, err = c.session.UserVariable(UserVariable(v))
	case sqlparser.GlobalScope, sqlparser.PersistSysScope, sqlparser.PersistOnlySysScope:
		value, err = c.session.Variable("global", name)
	case sqlparser.SessionScope:
		value, err = c.session.Variable("session", name)
	default:
		value, err = c.session.Variable("", name)
	}
	if err != nil {
		return nil, err
	}
	return c.goLiteral(value)
}

func (c *compiler) logic(op string, l, r sqlparser.Expr) (Expr, error) {
	a, err := c.condition(l)
	if err != nil {
		return nil, err
	}
	b, err := c.condition(r)
	if err != nil {
		return nil, err
	}
	x := foldBool(call(op, Bool, a, b))
	// A long chain is one operation: DuckDB counts how deep they are.
	if chain, ok := a.(*Call); ok && chain.Op == op && op != "xor" {
		if whole, ok := x.(*Call); ok && whole.Op == op && len(whole.Args) == 2 && whole.Args[0] == a {
			return call(op, Bool, append(slices.Clip(chain.Args), b)...), nil
		}
	}
	return x, nil
}

// foldBool computes logic over constants.
func foldBool(e Expr) Expr {
	x, ok := e.(*Call)
	if !ok {
		return e
	}
	value := func(e Expr) (v, known, isNull bool) {
		l, ok := e.(*Literal)
		if !ok {
			return false, false, false
		}
		if l.Value == nil {
			return false, true, true
		}
		b, ok := l.Value.(bool)
		return b, ok, false
	}
	switch x.Op {
	case "not":
		if v, known, isNull := value(x.Args[0]); known {
			if isNull {
				return null()
			}
			return lit(Bool, !v)
		}
	case "and", "or", "xor":
		if len(x.Args) != 2 {
			return e
		}
		a, aKnown, aNull := value(x.Args[0])
		b, bKnown, bNull := value(x.Args[1])
		short := x.Op == "or" // the value that decides alone
		if x.Op != "xor" {
			if aKnown && !aNull && a == short || bKnown && !bNull && b == short {
				return lit(Bool, short)
			}
			switch {
			case aKnown && !aNull:
				return x.Args[1]
			case bKnown && !bNull:
				return x.Args[0]
			}
		}
		if aKnown && bKnown {
			if aNull || bNull {
				return null()
			}
			return lit(Bool, a != b)
		}
	}
	return e
}

// negations are the comparisons that are each other's NOT, also for NULL.
var negations = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// not negates, moving inwards: comparisons prune row groups, NOT does not.
func not(e Expr) Expr {
	switch e := e.(type) {
	case *Literal:
		return foldBool(call("not", Bool, e))
	case *Call:
		if op, ok := negations[e.Op]; ok {
			return call(op, Bool, e.Args...)
		}
		switch e.Op {
		case "not":
			return e.Args[0]
		case "and", "or":
			args := make([]Expr, len(e.Args))
			for i, a := range e.Args {
				args[i] = not(a)
			}
			return call(map[string]string{"and": "or", "or": "and"}[e.Op], Bool, args...)
		}
	case *Subquery:
		if e.Op == "exists" || e.Op == "in" {
			n := *e
			n.Not = !n.Not
			return &n
		}
	}
	return call("not", Bool, e)
}

// is binds IS NULL, IS TRUE and their like.
func (c *compiler) is(e *sqlparser.IsExpr) (Expr, error) {
	if e.Right == sqlparser.IsNullOp || e.Right == sqlparser.IsNotNullOp {
		x, err := c.expr(e.Left)
		if err != nil {
			return nil, err
		}
		x = instant(x)
		var out Expr = call("is null", Bool, x)
		if l, ok := x.(*Literal); ok {
			out = lit(Bool, l.Value == nil)
		}
		if e.Right == sqlparser.IsNotNullOp {
			out = not(out)
		}
		return out, nil
	}
	x, err := c.condition(e.Left)
	if err != nil {
		return nil, err
	}
	op := "is true"
	if e.Right == sqlparser.IsFalseOp || e.Right == sqlparser.IsNotFalseOp {
		op = "is false"
	}
	var out Expr = call(op, Bool, x)
	if l, ok := x.(*Literal); ok {
		v, isBool := l.Value.(bool)
		out = lit(Bool, isBool && v == (op == "is true"))
	}
	if e.Right == sqlparser.IsNotTrueOp || e.Right == sqlparser.IsNotFalseOp {
		out = not(out)
	}
	return out, nil
}

// binary binds the operators on numbers and bits.
func (c *compiler) binary(e *sqlparser.BinaryExpr) (Expr, error) {
	if l, ok := e.Left.(*sqlparser.BinaryExpr); ok && isJoin(l.Right) {
		return c.expr(&sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI("concat"), Exprs: []sqlparser.Expr{l.Left, e.Right}})
	}
	args, err := c.exprs([]sqlparser.Expr{e.Left, e.Right})
	if err != nil {
		return nil, err
	}
	return c.binaryOf(e, args)
}

func (c *compiler) binaryOf(e *sqlparser.BinaryExpr, args []Expr) (Expr, error) {
	args[0], args[1] = hexNumber(args[0], args[1]), hexNumber(args[1], args[0])
	p, folded, err := c.prepared(e, args)
	if err != nil || folded != nil {
		return folded, err
	}
	if x, ok := c.arithmetic(e.Operator, p.Type, args); ok {
		return x, nil
	}
	return c.called(e, args, p), nil
}

// hexNumber makes a number of a hexadecimal literal beside a number (MySQL
// manual 11.1.4).
func hexNumber(e, beside Expr) Expr {
	l, ok := e.(*Literal)
	if !ok || !l.Hex || len(l.Value.([]byte)) > 8 || beside.Kind() == Bytes && !isLiteral(beside) {
		return e
	}
	n := uint64(0)
	for _, b := range l.Value.([]byte) {
		n = n<<8 | uint64(b)
	}
	return unsigned(n)
}

// arithmetic spells an operator in DuckDB where its operands allow.
func (c *compiler) arithmetic(op sqlparser.BinaryExprOperator, t Type, args []Expr) (Expr, bool) {
	numbers := make([]Expr, len(args))
	for i, a := range args {
		if k := a.Kind(); !k.Numeric() {
			return nil, false
		}
		numbers[i] = toNumber(a)
	}
	whole := func() bool {
		return !slices.ContainsFunc(numbers, func(e Expr) bool { return e.Kind() != Integer && e.Kind() != Unsigned })
	}
	if t.Kind == Decimal && t.Scale > maxScale {
		return nil, false
	}
	switch op {
	case sqlparser.PlusOp:
		return typed("+", t, numbers...), true
	case sqlparser.MinusOp:
		return typed("-", t, numbers...), true
	case sqlparser.MultOp:
		return typed("*", t, numbers...), true
	case sqlparser.DivOp:
		return typed("/", t, numbers...), true
	case sqlparser.IntDivOp:
		return typed("div", t, numbers...), true
	case sqlparser.ModOp:
		return typed("%", t, numbers...), true
	case sqlparser.BitAndOp, sqlparser.BitOrOp, sqlparser.BitXorOp:
		if !whole() {
			return nil, false
		}
		return typed(op.ToString(), t, numbers...), true
	case sqlparser.ShiftLeftOp, sqlparser.ShiftRightOp:
		if n, ok := intLiteral(numbers[1]); !ok || n < 0 || n > 63 || !whole() {
			return nil, false
		}
		return typed(op.ToString(), t, numbers...), true
	}
	return nil, false
}

func (c *compiler) unary(e *sqlparser.UnaryExpr) (Expr, error) {
	x, err := c.expr(e.Expr)
	if err != nil {
		return nil, err
	}
	if e.Operator == sqlparser.BangOp {
		t, err := c.truth(x)
		if err != nil {
			return nil, err
		}
		return foldBool(not(t)), nil
	}
	if e.Operator == sqlparser.UPlusOp {
		return x, nil
	}
	if x.Kind().Temporal() {
		if x, err = c.timeNumber(x); err != nil {
			return nil, err
		}
	}
	p, folded, err := c.prepared(e, []Expr{x})
	if err != nil || folded != nil {
		return folded, err
	}
	switch {
	case e.Operator == sqlparser.UMinusOp && x.Kind().Numeric() && p.Type.Scale <= maxScale:
		return typed("neg", p.Type, toNumber(x)), nil
	case e.Operator == sqlparser.TildaOp && (x.Kind() == Integer || x.Kind() == Unsigned):
		return typed("~", p.Type, x), nil
	}
	return c.called(e, []Expr{x}, p), nil
}

// units are the units of INTERVAL that DuckDB adds the same way.
var units = set("MICROSECOND SECOND MINUTE HOUR DAY WEEK MONTH QUARTER YEAR")

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// shift adds an interval to a time, or subtracts it.
func (c *compiler) shift(e *sqlparser.IntervalDateExpr) (Expr, error) {
	args, err := c.exprs([]sqlparser.Expr{e.Date, e.Interval})
	if err != nil {
		return nil, err
	}
	p, folded, err := c.prepared(e, args)
	if err != nil || folded != nil {
		return folded, err
	}
	if isNull(args[0]) || isNull(args[1]) {
		return noValue(p.Type), nil
	}
	unit := strings.ToUpper(e.Unit.ToString())
	k := args[0].Kind()
	n := args[1]
	exact := n.Kind() == Integer || n.Kind() == Decimal && unit == "SECOND" && scaleOf(n) <= 6
	if k != Time && k != Date || !units[unit] || !exact || p.Type.Kind != Time && p.Type.Kind != Date {
		return c.called(e, args, p), nil
	}
	if e.IsSubtraction() {
		n = typed("neg", TypeOf(n), n)
	}
	return typed("date_add", p.Type, args[0], n, lit(Text, unit)), nil
}

// caseWhen binds CASE.
func (c *compiler) caseWhen(e *sqlparser.CaseExpr) (Expr, error) {
	var operand Expr
	var err error
	if e.Expr != nil {
		if operand, err = c.expr(e.Expr); err != nil {
			return nil, err
		}
	}
	var conds, values []Expr
	for _, w := range e.Whens {
		var cond Expr
		if operand != nil {
			v, err := c.expr(w.Cond)
			if err != nil {
				return nil, err
			}
			cond, err = c.comparison("=", operand, v)
			if err != nil {
				return nil, err
			}
		} else if cond, err = c.condition(w.Cond); err != nil {
			return nil, err
		}
		v, err := c.expr(w.Val)
		if err != nil {
			return nil, err
		}
		conds, values = append(conds, cond), append(values, v)
	}
	if e.Else != nil {
		v, err := c.expr(e.Else)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	return c.choice(conds, values)
}

// choice is CASE WHEN cond THEN value … [ELSE value] END.
func (c *compiler) choice(conds, values []Expr) (Expr, error) {
	values, t, err := c.arms(values)
	if err != nil {
		return nil, err
	}
	out := &Case{T: t}
	if len(values) == len(conds) {
		out.T.Nullable = true
	}
	for i, cond := range conds {
		if l, ok := cond.(*Literal); ok {
			if v, _ := l.Value.(bool); !v {
				continue // never
			}
			if len(out.Whens) == 0 {
				if isNull(values[i]) {
					return noValue(t), nil
				}
				return asChosen(values[i], t), nil
			}
			out.Else = values[i]
			return out, nil
		}
		out.Whens = append(out.Whens, When{cond, values[i]})
	}
	if len(values) > len(conds) {
		out.Else = values[len(conds)]
	}
	if len(out.Whens) == 0 {
		if out.Else == nil || isNull(out.Else) {
			return noValue(t), nil
		}
		return asChosen(out.Else, t), nil
	}
	return out, nil
}

// asChosen gives a text the length of what it was chosen from, and the collation where
// that of another wins over its own.
func asChosen(e Expr, t Type) Expr {
	if t.Kind != Text || e.Kind() != Text {
		return e
	}
	own := TypeOf(e)
	l, constant := e.(*Literal)
	if constant {
		own.Length = max(own.Length, t.Length)
	}
	other := orBin(own) != orBin(t) && (bytewise(t) || t.Coercibility == 0)
	if other {
		own.Collation, own.Coercibility = t.Collation, t.Coercibility
	}
	switch {
	case constant:
		return &Literal{T: own, Value: l.Value}
	case other:
		return typed("collate", own, e)
	}
	return e
}

// scalarSubquery binds a subquery that gives one value.
func (c *compiler) scalarSubquery(e *sqlparser.Subquery) (Expr, error) {
	b, err := c.statement(e.Select)
	if err != nil {
		return nil, err
	}
	if len(b.out) != 1 {
		return nil, mistake(1241, "Operand should contain 1 column(s)")
	}
	return c.scalar(c.restricted(b).rel), nil
}

// scalar is the value of a relation of one column and a row.
func (c *compiler) scalar(rel Rel) Expr {
	t := rel.Columns()[0].Type
	t.Nullable = true
	return c.shown(&Subquery{Op: "scalar", Rel: rel, T: t})
}
