package pushdown

import (
	"slices"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
)

// Calls of functions: typed by the function table, computed ahead where nothing
// changes from row to row, spelled in the dialect or called back.

// funcExpr binds a call of a named function.
func (c *compiler) funcExpr(e *sqlparser.FuncExpr) (Expr, error) {
	name := e.Name.Lowered()
	schema := e.Qualifier.String()
	if schema == "" && c.schema == "" {
		schema = c.session.Database()
	}
	if x, ok, err := c.ofSchema(schema, e); ok {
		return x, err
	}
	if !e.Qualifier.IsEmpty() {
		return nil, mistake(1305, "FUNCTION %s.%s does not exist", e.Qualifier.String(), e.Name.String())
	}
	if len(e.Exprs) == 0 || name == "current_user" {
		if v, ok := c.session.Info(name); ok {
			l, err := c.goLiteral(v)
			if length := map[string]int{"database": 64, "schema": 64, "user": 288, "session_user": 288, "system_user": 288, "current_user": 288}[name]; l != nil && length > 0 && l.T.Kind == Text {
				l.T.Length = length // as long as a name may be
			}
			return l, err
		}
	}
	switch name {
	case "grouping":
		return c.grouping(e)
	case "rand":
		if len(e.Exprs) == 0 {
			return typed("rand", Type{Kind: Double}), nil
		}
	case "uuid":
		return typed("uuid", Type{Kind: Text, Length: 36}), nil
	case "ps_thread_id":
		if len(e.Exprs) == 1 {
			return c.ofArguments(psThreadID, e)
		}
	case "load_file":
		return nil, mistake(1290, "wiresql answers questions only: LOAD_FILE is refused")
	case "benchmark":
		return nil, refuse(e, "nothing is computed for its time alone: EXPLAIN ANALYZE says what a statement takes")
	case "sleep", "get_lock", "release_lock", "is_free_lock", "is_used_lock", "release_all_locks", "master_pos_wait":
		return nil, refuse(e, "%s works in statements without tables only", strings.ToUpper(name))
	}
	if f := functions.Lookup(name); f != nil {
		return c.ownFunction(e, f)
	}
	args, err := c.exprs(functions.Arguments(e))
	if err != nil {
		return nil, err
	}
	if x, ok, err := c.ofDefinition(name, args); ok {
		return x, err
	}
	switch name {
	case "if":
		if len(args) == 3 {
			cond, err := c.truth(args[0])
			if err != nil {
				return nil, err
			}
			return c.choice([]Expr{cond}, args[1:])
		}
	case "nullif":
		if len(args) == 2 {
			eq, err := c.comparison("=", args[0], args[1])
			if err != nil {
				return nil, err
			}
			t := TypeOf(args[0])
			if l, ok := eq.(*Literal); ok {
				if v, _ := l.Value.(bool); v {
					return noValue(t), nil
				}
				return args[0], nil
			}
			t.Nullable = true
			return &Case{Whens: []When{{eq, null()}}, Else: args[0], T: t}, nil
		}
	case "isnull":
		if len(args) == 1 {
			if l, ok := args[0].(*Literal); ok {
				return lit(Bool, l.Value == nil), nil
			}
			return call("is null", Bool, args...), nil
		}
	case "coalesce", "ifnull":
		if len(args) == 2 || name == "coalesce" && len(args) > 0 {
			return c.coalesce(args)
		}
	case "greatest", "least":
		for i, a := range args {
			if a.Kind() == Community { // which is two columns
				args[i] = asShown(a)
			}
		}
		if len(args) > 1 {
			if x, ok, err := c.extreme(e, name, args); ok || err != nil {
				return x, err
			}
		}
	case "mod":
		if len(args) == 2 {
			return c.binaryOf(&sqlparser.BinaryExpr{Operator: sqlparser.ModOp, Left: placeholder(0), Right: placeholder(1)}, args)
		}
	case "unix_timestamp":
		if len(args) == 1 && !isLiteral(args[0]) && (args[0].Kind() == Time || args[0].Kind() == Date) && (c.utc() || isInstant(args[0])) {
			p, _, err := c.prepared(e, args)
			if err != nil {
				return nil, err
			}
			if args[0].Kind() == Date {
				return typed("unix_seconds", p.Type, toTime(args[0])), nil
			}
			t := p.Type
			t.Kind, t.Precision, t.Scale = Decimal, 18, 6
			return typed("unix_timestamp", t, instant(args[0])), nil
		}
	}
	return c.functionOf(e, args)
}

func (c *compiler) coalesce(args []Expr) (Expr, error) {
	var kept []Expr
	for _, a := range args {
		if isNull(a) {
			continue
		}
		kept = append(kept, a)
		if isLiteral(a) {
			break
		}
	}
	values, t, err := c.arms(args)
	if err != nil {
		return nil, err
	}
	if len(kept) == 0 {
		return noValue(t), nil
	}
	if isLiteral(kept[0]) {
		return asChosen(values[slices.Index(args, kept[0])], t), nil
	}
	nullable := !slices.ContainsFunc(kept, func(e Expr) bool { return !TypeOf(e).Nullable })
	t.Nullable = nullable
	return typed("coalesce", t, values...), nil
}

// extreme is GREATEST or LEAST of values that DuckDB orders alike.
func (c *compiler) extreme(e *sqlparser.FuncExpr, name string, args []Expr) (Expr, bool, error) {
	if !slices.ContainsFunc(args, func(a Expr) bool { return !isLiteral(a) }) {
		return nil, false, nil
	}
	values, t, err := c.arms(args)
	if err != nil {
		return nil, false, err
	}
	switch {
	case t.Kind == Text && slices.ContainsFunc(values, func(v Expr) bool { return !bytewise(TypeOf(v)) && !isLiteral(v) }),
		t.Kind == Community, t.Kind == Bytes, t.Kind == JSON, t.Kind == Null:
		return nil, false, nil
	case t.Kind == Text && slices.ContainsFunc(args, func(v Expr) bool { return v.Kind() != Text && v.Kind() != Null }):
		return nil, false, nil // numbers beside text are compared as numbers
	case t.Kind == Address && name != "":
		return typed(name, t, values...), true, nil
	}
	return typed(name, t, values...), true, nil
}

// function binds a call by its arguments as the function table lists them.
func (c *compiler) function(e sqlparser.Expr) (Expr, error) {
	args, err := c.exprs(functions.Arguments(e))
	if err != nil {
		return nil, err
	}
	return c.functionOf(e, args)
}

func (c *compiler) functionOf(e sqlparser.Expr, args []Expr) (Expr, error) {
	// Computed of a time itself the absolute value would have a double's digits.
	if f, ok := e.(*sqlparser.FuncExpr); ok && f.Name.Lowered() == "abs" && len(args) == 1 && args[0].Kind().Temporal() {
		n, err := c.timeNumber(args[0])
		if err != nil {
			return nil, err
		}
		args = []Expr{n}
	}
	p, folded, err := c.prepared(e, args)
	if err != nil || folded != nil {
		return folded, err
	}
	if f, ok := e.(*sqlparser.FuncExpr); ok && f.Name.Lowered() == "abs" && p.Type.Kind == Decimal && args[0].Kind() == Decimal {
		return typed("abs", p.Type, args[0]), nil
	}
	return c.called(e, args, p), nil
}

// prepared types a call, and computes it when nothing in it changes from row to
// row.
func (c *compiler) prepared(e sqlparser.Expr, args []Expr) (p *functions.Prepared, folded Expr, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = mistake(1105, "internal error in %s: %v", written(e), r)
		}
	}()
	if !functions.Exact(e) {
		args = slices.Clone(args)
		for i, a := range args {
			if l, ok := a.(*Literal); ok && l.T.Kind == Decimal {
				v, err := functions.Conform(l.SQLValue(), l.T)
				if err != nil {
					return nil, nil, err
				}
				args[i] = &Literal{T: l.T, Value: v.ToString()}
			}
		}
	}
	list := make([]functions.Argument, len(args))
	winner := Type{Kind: Null} // whose collation counts
	for _, a := range args {
		if t := TypeOf(a); t.Kind == Text && (winner.Kind == Null || t.Coercibility < winner.Coercibility || t.Coercibility == winner.Coercibility && bytewise(t)) {
			winner = t
		}
	}
	constant := !functions.Volatile(e)
	values := make([]sqltypes.Value, len(args))
	for i, a := range args {
		list[i] = argument(a)
		// An explicit one wins whatever the others are among themselves.
		if t := &list[i].Type; t.Kind == Text && (winner.Coercibility > 0 || t.Coercibility > 0) {
			t.Collation = orBin(winner)
		}
		constant = constant && list[i].Literal
		values[i] = list[i].Value
	}
	if p, err = functions.Prepare(e, list, c.fn); err != nil {
		return nil, nil, err
	}
	if !constant {
		return p, nil, nil
	}
	v, err := p.Eval(values)
	if err != nil {
		return nil, nil, err
	}
	l, err := valueLiteral(v, p.Type)
	if err != nil {
		return nil, nil, err
	}
	if l.Value == nil {
		return p, noValue(p.Type), nil
	}
	return p, l, nil
}

// called makes a call of the function table.
func (c *compiler) called(e sqlparser.Expr, args []Expr, p *functions.Prepared) Expr {
	f := &Func{Node: e, Args: args, T: p.Type, Made: p, Session: c.fn, Shape: shape(e)}
	if f.Native = c.dialect.Computes(f); !f.Native {
		f.Made = c.evaluation(e, args, p)
	}
	return f
}

// evaluation is what DuckDB calls back. Its optimiser asks how a condition
// answers NULL, also where no row can have one.
func (c *compiler) evaluation(e sqlparser.Expr, args []Expr, p *functions.Prepared) *functions.Prepared {
	list := make([]functions.Argument, len(args))
	for i, a := range args {
		if list[i] = argument(a); !list[i].Literal {
			list[i].Type.Nullable = true
		}
		if t := &list[i].Type; t.Kind == Text && p.Type.Collation != 0 {
			t.Collation = TypeOf(a).Collation
		}
	}
	q, err := functions.Prepare(e, list, c.fn)
	if err != nil {
		return p
	}
	q.Type = p.Type
	return q
}

// made binds a call that is made of placeholders for bound arguments.
func (c *compiler) made(e sqlparser.Expr, args []Expr) (Expr, error) { return c.functionOf(e, args) }

// placeholder stands for a bound argument where the function table wants a
// parsed one.
func placeholder(i int) sqlparser.Expr {
	return sqlparser.NewColName("a" + string(rune('0'+i)))
}

// shape is a call without its arguments: the same for calls that compute alike.
func shape(e sqlparser.Expr) string {
	args := functions.Arguments(e)
	isArg := func(n sqlparser.SQLNode) bool {
		return slices.ContainsFunc(args, func(a sqlparser.Expr) bool { return sameNode(a, n) })
	}
	clone := sqlparser.CopyOnRewrite(e, func(n, parent sqlparser.SQLNode) bool {
		return !isArg(n)
	}, func(cursor *sqlparser.CopyOnWriteCursor) {
		if isArg(cursor.Node()) {
			cursor.Replace(sqlparser.NewColName("?"))
		}
	}, nil)
	return strings.ReplaceAll(sqlparser.String(clone), "`?`", "?")
}

// ownFunction binds a function that wiresql adds to MySQL's.
func (c *compiler) ownFunction(e *sqlparser.FuncExpr, f *functions.Function) (Expr, error) {
	if each := f.Alternatives(len(e.Exprs)); each != nil {
		var any sqlparser.Expr
		for _, args := range each {
			one := &sqlparser.FuncExpr{Name: e.Name}
			for _, i := range args {
				one.Exprs = append(one.Exprs, e.Exprs[i])
			}
			if any == nil {
				any = one
			} else {
				any = &sqlparser.OrExpr{Left: any, Right: one}
			}
		}
		return c.expr(any)
	}
	args, err := c.exprs(e.Exprs)
	if err != nil {
		return nil, err
	}
	if err := f.CheckCount(len(args)); err != nil {
		return nil, err
	}
	for i, a := range args {
		if f.WantsTime(i) && a.Kind() == Text {
			s, ok := textLiteral(a)
			if !ok {
				return nil, syntaxError("%s: %s is no time", f.Signature(), f.Args[i].Name)
			}
			t, err := c.timeOf(s, 6)
			if err != nil {
				return nil, syntaxError("%s: %s: %v", f.Signature(), f.Args[i].Name, err)
			}
			args[i] = t
		}
	}
	if f.Name == "overlaps" && !c.utc() {
		return c.overlaps(args)
	}
	for i := range args {
		args[i] = c.shown(args[i])
	}
	p, folded, err := c.prepared(e, args)
	if err != nil || folded != nil {
		return folded, err
	}
	x := typed(f.Name, p.Type, args...)
	if c.dialect.Spells(x) {
		return x, nil
	}
	return c.called(e, args, p), nil
}

// sameNode tells whether two nodes are one; lists can't be compared.
func sameNode(a, b sqlparser.SQLNode) bool {
	if _, list := a.(sqlparser.ValTuple); list {
		return false
	}
	switch b.(type) {
	case *sqlparser.ColName, *sqlparser.Literal, sqlparser.Callable, *sqlparser.BinaryExpr, *sqlparser.UnaryExpr, *sqlparser.ComparisonExpr,
		*sqlparser.CaseExpr, *sqlparser.Argument, *sqlparser.Subquery, *sqlparser.NullVal, *sqlparser.AndExpr, *sqlparser.OrExpr,
		*sqlparser.NotExpr, *sqlparser.IsExpr, *sqlparser.BetweenExpr, *sqlparser.CollateExpr, *sqlparser.Variable, *sqlparser.IntroducerExpr,
		*sqlparser.XorExpr, *sqlparser.ExistsExpr, *sqlparser.CastExpr:
		return a == b
	}
	return false
}
