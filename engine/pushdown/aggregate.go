package pushdown

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Aggregates and GROUP BY. An aggregate belongs to the innermost query whose
// columns its arguments name (MySQL manual 14.19.1 on aggregates of outer
// queries), and is a column of that query's grouping.

// aggregateOrWindow binds the functions that look at several rows; ok is false
// for any other expression.
func (c *compiler) aggregateOrWindow(e sqlparser.Expr) (x Expr, ok bool, err error) {
	if w, is := e.(sqlparser.WindowFunc); is {
		if over := w.GetOverClause(); over != nil {
			x, err := c.over(e, over)
			return x, true, err
		}
	}
	f, _, ok := rowsFunctionOf(e)
	if _, is := e.(sqlparser.AggrFunc); !is && f.kind != ours {
		if ok {
			return nil, true, syntaxError("You have an error in your SQL syntax: %s wants OVER (…)", sqlparser.String(e))
		}
		return nil, false, nil
	}
	x, err = c.aggregate(e)
	return x, true, err
}

// aggregate binds an aggregate function and gives the column of its value.
func (c *compiler) aggregate(e sqlparser.Expr) (Expr, error) {
	here := c.scope
	if here == nil || !here.mayAggregate && !c.outerMayAggregate() {
		return nil, mistake(1111, "Invalid use of group function")
	}
	a, owner, err := c.boundAggregate(e)
	if err != nil {
		return nil, err
	}
	if owner == nil {
		owner = here
	}
	if !owner.mayAggregate {
		return nil, mistake(1111, "Invalid use of group function")
	}
	owner.aggregated = true
	if l, ok := a.(*Literal); ok {
		return l, nil
	}
	return owner.addAggregate(c, a), nil
}

func (c *compiler) outerMayAggregate() bool {
	for s := c.scope; s != nil; s = s.outer {
		if s.mayAggregate {
			return true
		}
	}
	return false
}

// addAggregate computes an aggregate in a block's grouping, once however often
// it is named.
func (s *scope) addAggregate(c *compiler, a Expr) Expr {
	text := fingerprint(a)
	for _, n := range s.aggregates {
		if fingerprint(n.Expr) == text {
			c.touch(s)
			return c.shown(&Col{n.Column})
		}
	}
	col := Column{ID: c.identity(), Type: TypeOf(a), Meaning: meaning(a)}
	if inexact(a) {
		col.Digits = carried(a)
	}
	s.aggregates = append(s.aggregates, Named{col, a})
	c.touch(s)
	return c.shown(&Col{col})
}

// boundAggregate binds the arguments and finds the query it belongs to.
func (c *compiler) boundAggregate(e sqlparser.Expr) (Expr, *scope, error) {
	var touched []*scope
	outerTouched := c.touched
	c.touched = &touched
	saved := map[*scope][2]bool{}
	for s := c.scope; s != nil; s = s.outer {
		saved[s] = [2]bool{s.mayAggregate, s.mayWindow}
	}
	// No aggregate of the same query inside another.
	c.scope.mayAggregate, c.scope.mayWindow = false, false
	x, err := c.aggregateOf(e)
	for s, may := range saved {
		s.mayAggregate, s.mayWindow = may[0], may[1]
	}
	c.touched = outerTouched
	if err != nil {
		return nil, nil, err
	}
	for s := c.scope; s != nil; s = s.outer {
		if slices.Contains(touched, s) {
			return x, s, nil
		}
	}
	return x, nil, nil
}

// aggregateOf builds an aggregate over bound arguments.
func (c *compiler) aggregateOf(e sqlparser.Expr) (Expr, error) {
	f, name, ok := rowsFunctionOf(e)
	if !ok {
		return nil, refuse(e, "this aggregate is not supported")
	}
	return f.bind(c, name, e)
}

func (c *compiler) count(name string, e sqlparser.Expr) (Expr, error) {
	a := &Aggregate{Name: name, T: Type{Kind: Integer}}
	of, ok := e.(*sqlparser.Count)
	if !ok {
		return a, nil // COUNT(*)
	}
	args, err := c.exprs(of.Args)
	if err != nil {
		return nil, err
	}
	if len(args) > 1 && !of.Distinct {
		return nil, syntaxError("You have an error in your SQL syntax: COUNT of several expressions wants DISTINCT")
	}
	for i, x := range args {
		if args[i] = instant(x); of.Distinct {
			args[i] = c.key(distinctly(args[i]))
		}
		if l, ok := x.(*Literal); ok && l.Value != nil && !of.Distinct {
			args = nil // every row
			break
		}
	}
	a.Distinct, a.Args = of.Distinct, args
	return a, nil
}

func (c *compiler) jsonArrayOf(name string, e sqlparser.Expr) (Expr, error) {
	return c.documentOf(name, &sqlparser.JSONArrayExpr{Params: []sqlparser.Expr{placeholder(0)}}, e.(*sqlparser.JSONArrayAgg).Expr)
}

func (c *compiler) jsonObjectOf(name string, e sqlparser.Expr) (Expr, error) {
	o := e.(*sqlparser.JSONObjectAgg)
	return c.documentOf(name, &sqlparser.JSONObjectExpr{Params: []*sqlparser.JSONObjectParam{{Key: placeholder(0), Value: placeholder(1)}}}, o.Key, o.Value)
}

// bits is BIT_AND, BIT_OR or BIT_XOR.
func (c *compiler) bits(name string, _ bool, x Expr) (_ Expr, err error) {
	switch k := x.Kind(); {
	case k == Integer, k == Unsigned, k == Bool, k == Null:
	case k.Numeric() || k.Temporal(): // what is past BIGINT is its end
		x, err = c.functionOf(&sqlparser.CastExpr{Expr: &sqlparser.NullVal{}, Type: &sqlparser.ConvertType{Type: "SIGNED"}}, []Expr{x})
	default:
		x, err = c.coerce(x, Type{Kind: Unsigned})
	}
	if err != nil {
		return nil, err
	}
	return &Aggregate{Name: name, Args: []Expr{toNumber(x)}, T: Type{Kind: Unsigned}}, nil
}

// deviation is STDDEV or VARIANCE, of the population or of a sample.
func (c *compiler) deviation(name string, _ bool, x Expr) (_ Expr, err error) {
	if x.Kind() == Null {
		x = nothing(Double)
	}
	if x.Kind() != Double {
		if x, err = c.coerce(x, Type{Kind: Double}); err != nil {
			return nil, err
		}
	}
	return &Aggregate{Name: name, Args: []Expr{x}, T: Type{Kind: Double, Nullable: true}}, nil
}

// quantile is MEDIAN, QUANTILE or MAD, of numbers.
func (c *compiler) quantile(name string, e sqlparser.Expr) (Expr, error) {
	args, err := c.exprs(e.(*sqlparser.FuncExpr).Exprs)
	if err != nil {
		return nil, err
	}
	if wants := map[string]int{"quantile": 2}[name]; len(args) != max(1, wants) {
		return nil, mistake(1582, "Incorrect parameter count in the call to native function '%s'", name)
	}
	x, err := c.deviation(name, false, args[0])
	if err != nil || len(args) == 1 {
		return x, err
	}
	share := -1.0
	if l, ok := args[1].(*Literal); ok && l.Kind().Numeric() {
		share, _ = strconv.ParseFloat(l.SQLValue().ToString(), 64)
	}
	if !(share >= 0 && share <= 1) {
		return nil, mistake(1210, "Incorrect arguments to quantile: the share is a number from 0 to 1")
	}
	a := x.(*Aggregate)
	a.Args = append(a.Args, lit(Double, share))
	return a, nil
}

// nothing is NULL with a type: an aggregate of it is one all the same, and
// makes one row of many.
func nothing(k Kind) Expr { return &Cast{Arg: null(), T: Type{Kind: k, Nullable: true}} }

// chosen is MIN, MAX or ANY_VALUE.
func (c *compiler) chosen(name string, _ bool, x Expr) (Expr, error) {
	x = instant(x)
	if x.Kind() == Null {
		x = nothing(Text)
	}
	if name != "any_value" {
		switch x.Kind() {
		case Bool:
			x = toNumber(x)
		case Community:
			x = asShown(x)
		case JSON:
			return nil, refuse(nil, "%s of JSON", strings.ToUpper(name))
		}
	}
	t := TypeOf(x)
	t.Nullable = true
	a := &Aggregate{Name: name, Args: []Expr{x}, T: t}
	if k := c.key(x); k != x && name != "any_value" {
		a.Args = append(a.Args, k)
	}
	return a, nil
}

// sum is SUM or AVG: of whole numbers and decimals a DECIMAL, of all else a
// DOUBLE.
func (c *compiler) sum(name string, distinct bool, x Expr) (Expr, error) {
	x = toNumber(x)
	switch k := x.Kind(); {
	case k == Null:
		x = nothing(Double)
	case k.Temporal():
		var err error
		if x, err = c.timeNumber(x); err != nil {
			return nil, err
		}
	case !k.Numeric():
		var err error
		if x, err = c.coerce(x, Type{Kind: Double}); err != nil {
			return nil, err
		}
	}
	if distinct {
		x = distinctly(x)
	}
	a := &Aggregate{Name: name, Distinct: distinct, Args: []Expr{x}}
	t := TypeOf(x)
	if x.Kind() == Double {
		a.T = Type{Kind: Double, Scale: t.Scale, Nullable: true}
		if name == "avg" && t.Scale > 0 {
			a.T.Scale = min(t.Scale+c.divScale(), maxScale)
		}
		return a, nil
	}
	digits := t.Precision
	if x.Kind() != Decimal {
		digits, t.Scale = map[int]int{8: 3, 16: 5, 24: 7, 32: 10}[t.Bits], 0
		if digits == 0 {
			digits = 19
		}
	}
	if t.Scale+c.divScale() > maxScale {
		return nil, refuse(nil, "%s of a decimal with %d digits behind the point", strings.ToUpper(name), t.Scale)
	}
	if name == "sum" {
		a.T = Type{Kind: Decimal, Precision: min(65, digits+22), Scale: t.Scale, Nullable: true}
	} else {
		a.T = Type{Kind: Decimal, Precision: min(65, digits+c.divScale()), Scale: min(30, t.Scale+c.divScale()), Nullable: true}
	}
	return a, nil
}

// distinctly is a value as DISTINCT tells it apart: a quotient with the digits
// it shows.
func distinctly(x Expr) Expr {
	if inexact(x) {
		return &Cast{Arg: x, T: TypeOf(x)}
	}
	return x
}

// timeNumber is a time as the number its digits make, 20260612101500.75.
func (c *compiler) timeNumber(x Expr) (Expr, error) {
	t := TypeOf(x)
	to := &sqlparser.ConvertType{Type: "SIGNED"}
	if t.Scale > 0 {
		digits := 14
		if t.Kind == Clock {
			digits = 7
		}
		precision, scale := digits+t.Scale, t.Scale
		to = &sqlparser.ConvertType{Type: "DECIMAL", Length: &precision, Scale: &scale}
	}
	return c.functionOf(&sqlparser.CastExpr{Expr: &sqlparser.NullVal{}, Type: to}, []Expr{x})
}

// groupConcat binds GROUP_CONCAT.
func (c *compiler) groupConcat(name string, call sqlparser.Expr) (Expr, error) {
	e := call.(*sqlparser.GroupConcatExpr)
	args, err := c.exprs(e.Exprs)
	if err != nil {
		return nil, err
	}
	if e.Limit != nil {
		return nil, refuse(e, "LIMIT in GROUP_CONCAT")
	}
	a := &Aggregate{Name: name, Distinct: e.Distinct, T: Type{Kind: Text, Collation: functions.Bin, Coercibility: 2, Nullable: true}}
	// Bytes are joined by their digits, since DuckDB joins texts only.
	bytes := slices.ContainsFunc(args, func(x Expr) bool { return x.Kind() == Bytes })
	var parts []Expr
	for _, x := range args {
		t := x
		if x.Kind() != Bytes {
			if t, err = c.text(x); err != nil {
				return nil, err
			}
		}
		if t.Kind() == Null {
			t = nothing(Text)
		}
		if bytes {
			if t, err = c.made(&sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI("hex"), Exprs: []sqlparser.Expr{placeholder(0)}}, []Expr{t}); err != nil {
				return nil, err
			}
		}
		parts = append(parts, t)
	}
	v := parts[0]
	if len(parts) > 1 {
		v = typed("concat", Type{Kind: Text}, parts...)
	}
	for _, o := range e.OrderBy {
		var key Expr
		if n, ok := position(o.Expr); ok && n >= 1 && n <= len(args) {
			key = args[n-1]
		} else if key, err = c.expr(o.Expr); err != nil {
			return nil, err
		}
		if key = instant(key); !isLiteral(key) {
			a.Order = append(a.Order, SortKey{c.key(key), o.Direction == sqlparser.DescOrder})
		}
	}
	separator := ","
	if e.Separator != "" {
		separator = unquoted(e.Separator)
	}
	limit := c.variableNumber("group_concat_max_len", 1024)
	if bytes {
		separator, limit = fmt.Sprintf("%X", separator), 2*limit
	}
	a.Args = []Expr{v, lit(Text, separator), lit(Integer, limit)}
	a.Finish = c.cut(limit)
	if c.key(v) != v && e.Distinct {
		a.Args = append(a.Args, c.key(v))
	}
	if bytes {
		return c.made(&sqlparser.FuncExpr{Name: sqlparser.NewIdentifierCI("unhex"), Exprs: []sqlparser.Expr{placeholder(0)}}, []Expr{a})
	}
	return a, nil
}

// documentOf is JSON_ARRAYAGG or JSON_OBJECTAGG: documents of one row each,
// joined within their brackets. What is longer than a packet is NULL.
func (c *compiler) documentOf(name string, one sqlparser.Expr, of ...sqlparser.Expr) (Expr, error) {
	args, err := c.exprs(of)
	if err != nil {
		return nil, err
	}
	x, err := c.functionOf(one, args)
	if err != nil {
		return nil, err
	}
	t := Type{Kind: JSON, Nullable: true}
	return &Aggregate{Name: name, T: t, Args: []Expr{x},
		Finish: &Func{T: t, Shape: name, Args: []Expr{&Col{}}, Session: c.fn, Made: functions.Joined(name, c.fn)}}, nil
}

// cut shortens a GROUP_CONCAT to so many bytes of whole characters, with
// warning 1260 for each. They are numbered in the order they are made: groups
// are built on several threads, so there is no row that MySQL would name.
func (c *compiler) cut(limit int64) *Func {
	session := c.fn
	return &Func{T: longtext, Shape: "cut", Args: []Expr{&Col{}}, Session: session, Made: &functions.Prepared{Type: longtext,
		Eval: func(row []sqltypes.Value) (sqltypes.Value, error) {
			if row[0].IsNull() {
				return sqltypes.NULL, nil
			}
			s := row[0].ToString()
			n := min(int(limit), len(s))
			for n > 0 && n < len(s) && !utf8.RuneStart(s[n]) {
				n--
			}
			if session.Warn != nil {
				session.Warn(1260, fmt.Sprintf("Row %d was cut by GROUP_CONCAT()", c.cuts.Add(1)))
			}
			return sqltypes.NewVarChar(s[:n]), nil
		}}}
}

// unquoted is the text of ` separator '…'` as the parser keeps it.
func unquoted(s string) string {
	s = strings.TrimSpace(s)
	if len(s) > 9 && strings.EqualFold(s[:9], "separator") {
		s = strings.TrimSpace(s[9:])
	}
	if len(s) >= 2 && s[0] == '\'' {
		tk := parser.NewStringTokenizer(s)
		if typ, word := tk.Scan(); typ == sqlparser.STRING {
			return word
		}
	}
	return s
}

// grouping binds GROUPING(key, …).
func (c *compiler) grouping(e *sqlparser.FuncExpr) (Expr, error) {
	args, err := c.exprs(e.Exprs)
	if err != nil {
		return nil, err
	}
	s := c.scope
	if s == nil || !s.mayAggregate || len(args) == 0 {
		return nil, mistake(1111, "Invalid use of group function")
	}
	for i, a := range args {
		args[i] = instant(a)
		if isLiteral(a) {
			return nil, mistake(3602, "Argument #%d of GROUPING function is not in GROUP BY", i)
		}
	}
	s.grouping = true
	return s.addAggregate(c, &Aggregate{Name: "grouping", Args: args, T: bigint}), nil
}

// grouped makes the grouping of a block, and what lifts an expression over its
// rows to one over its groups.
func (c *compiler) grouped(s *scope, rel Rel, group []Expr) (*Group, func(Expr, int, string) (Expr, error), error) {
	g := &Group{Child: rel, Rollup: s.rollup}
	below := map[ColumnID]bool{}
	for _, v := range s.cols {
		below[v.col.ID] = true
	}
	byText := map[string]Column{}
	keyed := map[ColumnID]Column{} // columns that are keys
	any := map[ColumnID]Column{}   // columns with one value in each group
	anyOf := func(col Column) Column {
		if out, ok := any[col.ID]; ok {
			return out
		}
		out := col
		out.ID = c.identity()
		any[col.ID] = out
		g.Aggs = append(g.Aggs, Named{out, &Aggregate{Name: "any_value", Args: []Expr{&Col{col}}, T: col.Type}})
		return out
	}
	for i, e := range group {
		text := s.keys[i].text
		if _, ok := byText[text]; ok {
			continue
		}
		if isLiteral(e) && (len(group) > 1 || len(g.Keys) > 0) && !s.rollup {
			// One more key that is the same in every row. Alone it has to
			// stay: no rows give no group then.
			continue
		}
		k := c.key(e)
		col := Column{ID: c.identity(), Type: TypeOf(e), Meaning: meaning(e)}
		if ref, ok := e.(*Col); ok {
			col.Name = ref.Name
			if below[ref.ID] && !s.rollup && k == e {
				col.ID = ref.ID
			}
		}
		col.Nullable = col.Nullable || s.rollup
		if k == e {
			g.Keys = append(g.Keys, Named{col, e})
		} else {
			// Told apart without regard to case, shown as one of them.
			g.Keys = append(g.Keys, Named{Column{ID: c.identity(), Type: TypeOf(k)}, k})
			shown := Expr(&Aggregate{Name: "any_value", Args: []Expr{e}, T: TypeOf(e)})
			if s.rollup {
				total := call("=", Bool, &Aggregate{Name: "grouping", Args: []Expr{k}, T: bigint}, lit(Integer, int64(1)))
				shown = &Case{Whens: []When{{total, null()}}, Else: shown, T: TypeOf(e)}
			}
			g.Aggs = append(g.Aggs, Named{col, shown})
		}
		byText[text] = col
		if ref, ok := e.(*Col); ok {
			keyed[ref.ID] = col
		}
	}
	for _, n := range s.aggregates {
		a, ok := n.Expr.(*Aggregate)
		if !ok || a.Name != "grouping" {
			continue
		}
		for i, x := range a.Args {
			at := slices.IndexFunc(group, func(e Expr) bool { return fingerprint(e) == fingerprint(x) })
			if at < 0 {
				return nil, nil, mistake(3602, "Argument #%d of GROUPING function is not in GROUP BY", i)
			}
			a.Args[i] = c.key(group[at])
		}
	}
	g.Aggs = append(g.Aggs, s.aggregates...)
	aggregates := ids(namedColumns(s.aggregates))
	windows := ids(namedColumns(s.windows))
	fixed := determined(rel, keyed, len(group) > 0)
	lax := !c.sqlMode("ONLY_FULL_GROUP_BY")
	lift := func(e Expr, number int, where string) (Expr, error) {
		var bad *Col
		column := func(col *Col) Expr {
			switch {
			case aggregates[col.ID] || windows[col.ID] || !below[col.ID]:
				return col
			case keyed[col.ID].ID != 0:
				return &Col{keyed[col.ID]}
			case fixed[col.ID] || lax:
				return &Col{anyOf(col.Column)}
			}
			if bad == nil {
				bad = col
			}
			return col
		}
		var restate func(e Expr) Expr
		restate = func(e Expr) Expr {
			if e == nil {
				return nil
			}
			if !isLiteral(e) || s.rollup {
				if col, ok := byText[fingerprint(e)]; ok {
					return &Col{col}
				}
			}
			switch x := e.(type) {
			case *Col:
				return column(x)
			case *Subquery:
				refs := map[ColumnID]bool{}
				relReferences(x.Rel, refs)
				by := map[ColumnID]Expr{}
				for _, v := range s.cols {
					if refs[v.col.ID] {
						by[v.col.ID] = column(&Col{v.col})
					}
				}
				n := *x
				n.Rel = substituteRel(x.Rel, by)
				n.Args = make([]Expr, len(x.Args))
				for i, a := range x.Args {
					n.Args[i] = restate(a)
				}
				return &n
			}
			return mapOperands(e, restate)
		}
		out := restate(e)
		if bad == nil {
			return out, nil
		}
		name := bad.Name
		for _, v := range s.cols {
			if v.col.ID == bad.ID && v.table != "" {
				name = v.table + "." + v.name
				if v.schema != "" {
					name = v.schema + "." + name
				}
			}
		}
		if len(group) == 0 {
			return nil, mistake(1140, "In aggregated query without GROUP BY, expression #%d of %s contains nonaggregated column '%s'; "+
				"this is incompatible with sql_mode=only_full_group_by", number, where, name)
		}
		return nil, mistake(1055, "Expression #%d of %s is not in GROUP BY clause and contains nonaggregated column '%s' "+
			"which is not functionally dependent on columns in GROUP BY clause; this is incompatible with sql_mode=only_full_group_by", number, where, name)
	}
	return g, lift, nil
}

// rollupOrder is the order in which WITH ROLLUP gives its rows: by the keys,
// each total behind what it sums up.
func rollupOrder(g *Group) []SortKey {
	var out []SortKey
	for i, k := range g.Keys {
		n := Named{Column{ID: k.ID + 1<<24, Type: bigint}, &Aggregate{Name: "grouping", Args: []Expr{k.Expr}, T: bigint}}
		g.Aggs = append(g.Aggs, n)
		_ = i
		out = append(out, SortKey{Expr: &Col{n.Column}}, SortKey{Expr: &Col{k.Column}})
	}
	return out
}

// determined are the columns that follow from the keys: those equal to a key
// or a constant by WHERE or an inner join, and all of a row whose own id is
// known.
func determined(rel Rel, keyed map[ColumnID]Column, grouped bool) map[ColumnID]bool {
	out := map[ColumnID]bool{}
	if !grouped {
		return out
	}
	for id := range keyed {
		out[id] = true
	}
	type row struct {
		id   ColumnID
		cols []Column
	}
	var rows []row
	var equal [][2]ColumnID // 0 for a constant
	conds := func(list []Expr) {
		for _, e := range list {
			x, ok := e.(*Call)
			if !ok || x.Op != "=" {
				continue
			}
			l, lok := x.Args[0].(*Col)
			r, rok := x.Args[1].(*Col)
			switch {
			case lok && rok:
				equal = append(equal, [2]ColumnID{l.ID, r.ID}, [2]ColumnID{r.ID, l.ID})
			case lok && isLiteral(x.Args[1]):
				equal = append(equal, [2]ColumnID{0, l.ID})
			}
		}
	}
	var visit func(rel Rel)
	visit = func(rel Rel) {
		switch n := rel.(type) {
		case *Filter:
			conds(n.Conjuncts)
			visit(n.Child)
		case *Project:
			visit(n.Child)
		case *Sort:
			visit(n.Child)
		case *Join:
			if n.Kind == Inner {
				conds(n.On)
			}
			visit(n.L)
			if n.Kind != Left {
				visit(n.R)
			}
		case *Scan:
			if key := rowKey(n); key >= 0 {
				rows = append(rows, row{n.Out[key].ID, n.Out})
			}
		}
	}
	visit(rel)
	for changed := true; changed; {
		changed = false
		for _, e := range equal {
			if (e[0] == 0 || out[e[0]]) && !out[e[1]] {
				out[e[1]], changed = true, true
			}
		}
		for _, r := range rows {
			if !out[r.id] {
				continue
			}
			for _, col := range r.cols {
				if !out[col.ID] {
					out[col.ID], changed = true, true
				}
			}
		}
	}
	return out
}

// rowKey is the position of the column that no two rows of a relation share,
// or -1.
func rowKey(s *Scan) int {
	name := map[*tables.Relation]string{
		tables.Connections: "conn_id", tables.Flows: "flow_id", tables.FlowsWide: "flow_id",
		tables.Packets: "packet_id", tables.PacketsWide: "packet_id", tables.PacketBytes: "packet_id",
		tables.OpsSegments: "segment",
	}[s.Relation]
	return slices.IndexFunc(s.Relation.Columns, func(c tables.Column) bool { return c.Name == name })
}
