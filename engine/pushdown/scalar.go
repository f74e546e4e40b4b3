package pushdown

import (
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/tables"
)

// From the planner's expressions to ours. What is not listed is refused:
// DuckDB has a function of the same name for much of MySQL, and the semantics
// differ more often than not.

// condition builds an expression used as a truth value.
func (c *compiler) condition(e sql.Expression) (Expr, error) {
	x, err := c.expr(e)
	if err != nil {
		return nil, err
	}
	t, err := truth(x)
	if err != nil {
		return nil, refuse(e, "%v", err)
	}
	return t, nil
}

// truth turns a value into a BOOLEAN as MySQL's WHERE does.
func truth(e Expr) (Expr, error) {
	switch k := e.Kind(); {
	case k == Bool:
		return e, nil
	case k == Null:
		return &Literal{K: Null}, nil
	case k.Numeric():
		return call("<>", Bool, e, &Literal{Integer, int64(0)}), nil
	}
	return nil, fmt.Errorf("%s is no truth value", e.Kind())
}

func call(op string, k Kind, args ...Expr) *Call { return &Call{Op: op, Args: args, K: k} }

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

func (c *compiler) exprs(list []sql.Expression) ([]Expr, error) {
	out := make([]Expr, len(list))
	for i, e := range list {
		var err error
		if out[i], err = c.expr(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// expr builds an expression in the current scope.
func (c *compiler) expr(e sql.Expression) (Expr, error) {
	if col, ok := c.groupKey(e); ok {
		return &Col{col}, nil
	}
	if lit, ok := c.fold(e); ok {
		return lit, nil
	}
	x, err := c.operator(e)
	if err != nil {
		if _, ok := err.(*Refusal); !ok {
			err = refuse(e, "%v", err)
		}
		return nil, err
	}
	if c.size(x) >= maxSize {
		return nil, refuse(e, "the expression is too large")
	}
	return x, nil
}

// size is size with the counts of operands remembered, since it is asked for
// at every level.
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

// groupKey finds an expression among those the rows are grouped by.
func (c *compiler) groupKey(e sql.Expression) (Column, bool) {
	for s := c.scope; s != nil; s = s.outer {
		if len(s.block.keys) == 0 {
			continue
		}
		if _, ok := e.(*expression.Literal); ok {
			break
		}
		text := sql.DebugString(e)
		for _, k := range s.block.keys {
			if k.text == text {
				return k.Column, true
			}
		}
	}
	return Column{}, false
}

// column resolves one of the planner's ids.
func (c *compiler) column(e *expression.GetField) (Expr, error) {
	for s := c.scope; s != nil; s = s.outer {
		if col, ok := s.block.cols[e.Id()]; ok {
			return &Col{col}, nil
		}
	}
	if e.Table() == "dual" && e.Name() == "" {
		return &Literal{K: Null}, nil // what a statement without FROM passes on
	}
	return nil, refuse(e, "the column is not in scope")
}

func (c *compiler) operator(e sql.Expression) (Expr, error) {
	switch e := e.(type) {
	case *expression.Alias:
		return c.expr(e.Child)
	case *expression.GetField:
		return c.column(e)
	case *expression.Literal:
		return literal(e.Value(), e.Type())
	case *expression.CollatedExpression:
		return c.expr(e.Child())
	case *expression.And:
		return c.logic("and", e.LeftChild, e.RightChild)
	case *expression.Or:
		return c.logic("or", e.LeftChild, e.RightChild)
	case *expression.Xor:
		return c.logic("xor", e.LeftChild, e.RightChild)
	case *expression.Not:
		x, err := c.condition(e.Child)
		if err != nil {
			return nil, err
		}
		return not(x), nil
	case *expression.IsNull:
		x, err := c.expr(e.Child)
		if err != nil {
			return nil, err
		}
		return call("is null", Bool, x), nil
	case *expression.IsTrue:
		x, err := c.condition(e.Child)
		if err != nil {
			return nil, err
		}
		if strings.HasSuffix(e.String(), expression.IsFalseStr) {
			return call("is false", Bool, x), nil
		}
		return call("is true", Bool, x), nil
	case *expression.Equals:
		return c.compare("=", e.Left(), e.Right())
	case *expression.NullSafeEquals:
		return c.compare("<=>", e.Left(), e.Right())
	case *expression.LessThan:
		return c.compare("<", e.Left(), e.Right())
	case *expression.LessThanOrEqual:
		return c.compare("<=", e.Left(), e.Right())
	case *expression.GreaterThan:
		return c.compare(">", e.Left(), e.Right())
	case *expression.GreaterThanOrEqual:
		return c.compare(">=", e.Left(), e.Right())
	case *expression.Between:
		lower, err := c.compare(">=", e.Val, e.Lower)
		if err != nil {
			return nil, err
		}
		upper, err := c.compare("<=", e.Val, e.Upper)
		if err != nil {
			return nil, err
		}
		if a, ok := addressLiteral(lower); ok {
			if b, ok := addressLiteral(upper); ok {
				return between(lower.(*Call).Args[0], a, b), nil
			}
		}
		return call("and", Bool, lower, upper), nil
	case *expression.InTuple:
		return c.inList(e.Left(), e.Right())
	case *expression.Like:
		return c.like(e)
	case *expression.Arithmetic:
		return c.arithmetic(e.Op, e.LeftChild, e.RightChild)
	case *expression.Div:
		return c.arithmetic("/", e.LeftChild, e.RightChild)
	case *expression.IntDiv:
		return c.arithmetic("div", e.LeftChild, e.RightChild)
	case *expression.Mod:
		return c.arithmetic("%", e.LeftChild, e.RightChild)
	case *expression.BitOp:
		return c.bits(e)
	case *expression.UnaryMinus:
		x, err := c.expr(e.Child)
		if err != nil {
			return nil, err
		}
		if x, err = number(x); err != nil {
			return nil, err
		}
		return call("neg", x.Kind(), x), nil
	case *expression.Case:
		return c.caseWhen(e)
	case *expression.Convert:
		x, err := c.expr(e.Child)
		if err != nil {
			return nil, err
		}
		return convert(x, e.Type())
	case *plan.Subquery:
		return c.scalarSubquery(e)
	case *plan.InSubquery:
		return c.inSubquery(e)
	case *plan.ExistsSubquery:
		b, err := c.node(e.Query.Query)
		if err != nil {
			return nil, err
		}
		return &Subquery{Op: "exists", Rel: b.rel, K: Bool}, nil
	case sql.FunctionExpression:
		return c.function(e)
	}
	return nil, refuse(e, "%T is not translated", e)
}

// addressLiteral is the constant a comparison compares an address with.
func addressLiteral(e Expr) (tables.Addr, bool) {
	if c, ok := e.(*Call); ok && len(c.Args) == 2 {
		if l, ok := c.Args[1].(*Literal); ok && l.K == Address {
			return l.Value.(tables.Addr), true
		}
	}
	return tables.Addr{}, false
}

func (c *compiler) logic(op string, l, r sql.Expression) (Expr, error) {
	a, err := c.condition(l)
	if err != nil {
		return nil, err
	}
	b, err := c.condition(r)
	if err != nil {
		return nil, err
	}
	return call(op, Bool, a, b), nil
}

// negations are the comparisons that are each other's NOT, also for NULL.
var negations = map[string]string{"=": "<>", "<>": "=", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}

// not negates, moving inwards: comparisons prune row groups, NOT does not.
func not(e Expr) Expr {
	switch e := e.(type) {
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
		n := *e
		n.Not = !n.Not
		return &n
	}
	return call("not", Bool, e)
}

func (c *compiler) compare(op string, l, r sql.Expression) (Expr, error) {
	lt, lok := l.(expression.Tuple)
	rt, rok := r.(expression.Tuple)
	if lok && rok && len(lt) == len(rt) && (op == "=" || op == "<=>") {
		args := make([]Expr, len(lt))
		for i := range lt {
			x, err := c.compare(op, lt[i], rt[i])
			if err != nil {
				return nil, err
			}
			args[i] = x
		}
		return call("and", Bool, args...), nil
	}
	a, err := c.expr(l)
	if err != nil {
		return nil, err
	}
	b, err := c.expr(r)
	if err != nil {
		return nil, err
	}
	return comparison(op, a, b)
}

// comparison compares values of kinds that can be.
func comparison(op string, a, b Expr) (Expr, error) {
	a, b, kind, err := unify(a, b)
	if err != nil {
		return nil, err
	}
	if kind == Bytes && op != "=" && op != "<>" && op != "<=>" {
		return nil, fmt.Errorf("it orders bytes")
	}
	// A constant on the left makes no difference but to who looks for bounds.
	if _, ok := a.(*Literal); ok {
		if _, ok := b.(*Literal); !ok {
			if m, ok := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<="}[op]; ok {
				op = m
			}
			a, b = b, a
		}
	}
	return call(op, Bool, a, b), nil
}

// unify brings two values to one kind, as MySQL does for comparisons, CASE and
// UNION, where that needs no guess: text that is compared with anything else
// must be a constant that reads as such a value.
func unify(a, b Expr) (Expr, Expr, Kind, error) {
	ka, kb := a.Kind(), b.Kind()
	switch {
	case ka == kb:
		return a, b, ka, nil
	case ka == Null:
		return a, b, kb, nil
	case kb == Null:
		return a, b, ka, nil
	case ka.Numeric() && kb.Numeric():
		k := max(ka, kb)
		return toNumber(a, k), toNumber(b, k), k, nil
	case ka == Time && kb == Date, ka == Date && kb == Time:
		return toTime(a), toTime(b), Time, nil
	case ka == Text:
		x, y, k, err := withText(b, a)
		return y, x, k, err
	case kb == Text:
		return withText(a, b)
	}
	return nil, nil, 0, fmt.Errorf("it compares %s with %s", ka, kb)
}

// withText unifies a value of another kind with text.
func withText(v, text Expr) (Expr, Expr, Kind, error) {
	k := v.Kind()
	if s, ok := textLiteral(text); ok {
		lit, err := parseLiteral(s, k)
		if err == nil {
			if k.Numeric() {
				n, m, k, err := unify(v, lit)
				return n, m, k, err
			}
			return toTime(v), lit, lit.K, nil
		}
		if k.Numeric() || k == Time || k == Date {
			return nil, nil, 0, err
		}
	}
	if k == Address || k == ID || k == Community || k == MAC {
		t, err := asText(v)
		return t, text, Text, err
	}
	return nil, nil, 0, fmt.Errorf("it compares %s with text", k)
}

// toNumber makes truth values numbers when they meet numbers.
func toNumber(e Expr, k Kind) Expr {
	if e.Kind() != Bool || k == Bool {
		return e
	}
	if l, ok := e.(*Literal); ok {
		n := int64(0)
		if l.Value.(bool) {
			n = 1
		}
		return &Literal{Integer, n}
	}
	return &Cast{Arg: e, K: Integer, Type: types.Int64}
}

func toTime(e Expr) Expr {
	if e.Kind() != Date {
		return e
	}
	if l, ok := e.(*Literal); ok {
		return &Literal{Time, l.Value}
	}
	return &Cast{Arg: e, K: Time, Type: types.DatetimeMaxPrecision}
}

// number prepares an operand of arithmetic.
func number(e Expr) (Expr, error) {
	switch k := e.Kind(); {
	case k == Bool:
		return toNumber(e, Integer), nil
	case k.Numeric() || k == Null:
		return e, nil
	}
	if s, ok := textLiteral(e); ok {
		return parseNumber(s)
	}
	return nil, fmt.Errorf("%s takes no part in arithmetic", e.Kind())
}

// asText formats a value as clients see it.
func asText(e Expr) (Expr, error) {
	switch e.Kind() {
	case Text, Null:
		return e, nil
	case Bool:
		e = toNumber(e, Integer)
	case Double, Bytes:
		return nil, fmt.Errorf("%s as text", e.Kind())
	}
	return &Cast{Arg: e, K: Text, Type: types.LongText}, nil
}

func (c *compiler) inList(l, r sql.Expression) (Expr, error) {
	list, ok := r.(expression.Tuple)
	if !ok {
		return nil, refuse(r, "IN wants a list")
	}
	if _, ok := l.(expression.Tuple); ok {
		var or []Expr
		for _, row := range list {
			eq, err := c.compare("=", l, row)
			if err != nil {
				return nil, err
			}
			or = append(or, eq)
		}
		return orOf(or), nil
	}
	v, err := c.expr(l)
	if err != nil {
		return nil, err
	}
	var same []Expr // list elements that are constants of one kind
	var or []Expr
	for _, le := range list {
		x, err := c.expr(le)
		if err != nil {
			return nil, err
		}
		eq, err := comparison("=", v, x)
		if err != nil {
			return nil, refuse(le, "%v", err)
		}
		if ec := eq.(*Call); ec.Args[0] == v {
			if lit, ok := ec.Args[1].(*Literal); ok && (len(same) == 0 || lit.K == Null || lit.K == same[0].Kind()) {
				same = append(same, lit)
				continue
			}
		}
		or = append(or, eq)
	}
	if len(same) == 1 {
		or = append(or, call("=", Bool, v, same[0]))
	} else if len(same) > 1 {
		or = append(or, call("in", Bool, append([]Expr{v}, same...)...))
	}
	return orOf(or), nil
}

func orOf(list []Expr) Expr {
	switch len(list) {
	case 0:
		return &Literal{Bool, false}
	case 1:
		return list[0]
	}
	return call("or", Bool, list...)
}

func andOf(list []Expr) Expr {
	switch len(list) {
	case 0:
		return &Literal{Bool, true}
	case 1:
		return list[0]
	}
	return call("and", Bool, list...)
}

func (c *compiler) like(e *expression.Like) (Expr, error) {
	v, err := c.expr(e.LeftChild)
	if err != nil {
		return nil, err
	}
	p, err := c.expr(e.RightChild)
	if err != nil {
		return nil, err
	}
	escape := `\`
	if e.Escape != nil {
		x, err := c.expr(e.Escape)
		if err != nil {
			return nil, err
		}
		s, ok := textLiteral(x)
		if !ok || len(s) != 1 {
			return nil, refuse(e, "ESCAPE is no single character")
		}
		escape = s
	}
	if p.Kind() != Text && p.Kind() != Null {
		return nil, refuse(e, "the pattern is %s", p.Kind())
	}
	if pattern, ok := textLiteral(p); ok && v.Kind() == Address && escape == `\` {
		if x, ok := addressLike(v, pattern); ok {
			return x, nil
		}
	}
	if v, err = asText(v); err != nil {
		return nil, err
	}
	return call("like", Bool, v, p, &Literal{Text, escape}), nil
}

func (c *compiler) caseWhen(e *expression.Case) (Expr, error) {
	out := &Case{}
	var values []Expr
	for _, br := range e.Branches {
		var cond Expr
		var err error
		if e.Expr != nil {
			cond, err = c.compare("=", e.Expr, br.Cond)
		} else {
			cond, err = c.condition(br.Cond)
		}
		if err != nil {
			return nil, err
		}
		v, err := c.expr(br.Value)
		if err != nil {
			return nil, err
		}
		out.Whens = append(out.Whens, When{If: cond})
		values = append(values, v)
	}
	if e.Else != nil {
		v, err := c.expr(e.Else)
		if err != nil {
			return nil, err
		}
		values = append(values, v)
	}
	values, kind, err := unifyAll(values)
	if err != nil {
		return nil, err
	}
	for i := range out.Whens {
		out.Whens[i].Then = values[i]
	}
	if e.Else != nil {
		out.Else = values[len(values)-1]
	}
	out.K = kind
	return out, nil
}

// unifyAll brings values to one kind. Text beside anything else makes text of
// all, unless it is a constant that reads as such a value.
func unifyAll(values []Expr) ([]Expr, Kind, error) {
	acc := Expr(&Literal{K: Null})
	for _, v := range values {
		a, b, k, err := unify(acc, v)
		if err != nil || (k == Text && v.Kind() != Text && v.Kind() != Null) {
			return allText(values)
		}
		if acc = b; a.Kind() > b.Kind() || b.Kind() == Null {
			acc = a
		}
		if acc.Kind() != k {
			return nil, 0, fmt.Errorf("it mixes kinds of values")
		}
	}
	kind := acc.Kind()
	out := make([]Expr, len(values))
	for i, v := range values {
		_, x, _, err := unify(acc, v)
		if err != nil || x.Kind() != kind && x.Kind() != Null && !(kind.Numeric() && x.Kind().Numeric()) {
			return allText(values)
		}
		out[i] = x
	}
	return out, kind, nil
}

func allText(values []Expr) ([]Expr, Kind, error) {
	out := make([]Expr, len(values))
	for i, v := range values {
		t, err := asText(v)
		if err != nil {
			return nil, 0, err
		}
		out[i] = t
	}
	return out, Text, nil
}

func (c *compiler) scalarSubquery(e *plan.Subquery) (Expr, error) {
	b, err := c.node(e.Query)
	if err != nil {
		return nil, err
	}
	if len(b.out) != 1 {
		return nil, refuse(e, "it has %d columns", len(b.out))
	}
	b = c.restrict(b)
	return &Subquery{Op: "scalar", Rel: b.rel, K: b.out[0].Kind}, nil
}

func (c *compiler) inSubquery(e *plan.InSubquery) (Expr, error) {
	left := []sql.Expression{e.LeftChild}
	if t, ok := e.LeftChild.(expression.Tuple); ok {
		left = t
	}
	sq, ok := e.RightChild.(*plan.Subquery)
	if !ok {
		return nil, refuse(e, "IN wants a subquery")
	}
	args, err := c.exprs(left)
	if err != nil {
		return nil, err
	}
	b, err := c.node(sq.Query)
	if err != nil {
		return nil, err
	}
	if len(b.out) != len(args) {
		return nil, refuse(e, "%d values are compared with %d columns", len(args), len(b.out))
	}
	p := &Project{Child: b.rel}
	for i, o := range b.out {
		l, r, kind, err := unify(args[i], &Col{o.Column})
		if err != nil {
			return nil, err
		}
		args[i] = l
		p.Exprs = append(p.Exprs, Named{Column{ID: c.identity(0), Name: o.Name, Kind: kind, Type: declared(r, o.Type)}, r})
	}
	return &Subquery{Op: "in", Rel: p, Args: args, K: Bool}, nil
}
