package pushdown

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// From a parsed statement to a relation: query blocks.

// block is a bound statement: a relation, and which of its columns are the
// outputs, by position. The same column may stand there twice.
type block struct {
	rel Rel
	out []Column
}

// maxNesting bounds how deep subqueries, joins and common table expressions
// stand in each other.
const maxNesting = 100

func (c *compiler) deeper() error {
	if c.depth++; c.depth > maxNesting {
		return mistake(1473, "Too high level of nesting for select")
	}
	return c.ctx.Err()
}

func (c *compiler) shallower() { c.depth-- }

// statement binds a query block or a combination of some. What is around it is
// c.scope.
func (c *compiler) statement(st sqlparser.TableStatement) (*block, error) {
	if err := c.deeper(); err != nil {
		return nil, err
	}
	defer c.shallower()
	before := c.ctes
	defer func() { c.ctes = before }()
	switch st := st.(type) {
	case *sqlparser.Select:
		return c.selection(st)
	case *sqlparser.Union:
		return c.union(st)
	case *sqlparser.ValuesStatement:
		return c.values(st)
	}
	return nil, refuse(st, "this kind of statement is not supported")
}

// selection binds a SELECT.
func (c *compiler) selection(sel *sqlparser.Select) (*block, error) {
	s := &scope{outer: c.scope, clause: inFields}
	if sel.SQLCalcFoundRows {
		return nil, refuse(nil, "SQL_CALC_FOUND_ROWS counts rows that are not read: ask for COUNT(*)")
	}
	if sel.Into != nil && sel.Into.Type == sqlparser.IntoVariables {
		return nil, mistake(3954, "Misplaced INTO clause, INTO is not allowed inside subqueries, and must be placed at end of UNION clauses.")
	}
	if sel.Into != nil {
		return nil, mistake(1290, "wiresql answers questions only: INTO is refused")
	}
	before := c.scope
	c.scope = s
	defer func() { c.scope = before }()
	if err := c.with(sel.With); err != nil {
		return nil, err
	}
	o, err := c.from(sel.From, s.outer)
	if err != nil {
		return nil, err
	}
	rel := o.rel
	s.cols = o.cols
	if s.named, err = namedWindows(sel.Windows); err != nil {
		return nil, err
	}
	if sel.Where != nil {
		s.clause = inWhere
		cond, err := c.condition(sel.Where.Expr)
		if err != nil {
			return nil, err
		}
		rel = &Filter{rel, conjuncts(cond)}
	}
	if err := c.fields(sel, s); err != nil {
		return nil, err
	}
	fields := len(s.items)
	var group []Expr
	if sel.GroupBy != nil {
		s.clause, s.rollup = inGroup, sel.GroupBy.WithRollup
		for _, e := range sel.GroupBy.Exprs {
			x, err := c.groupExpr(e, s)
			if err != nil {
				return nil, err
			}
			group = append(group, x)
			s.keys = append(s.keys, groupKey{text: fingerprint(x)})
		}
	}
	var having Expr
	if sel.Having != nil {
		s.clause, s.mayAggregate = inHaving, true
		if having, err = c.condition(sel.Having.Expr); err != nil {
			return nil, err
		}
	}
	s.clause, s.mayAggregate, s.mayWindow = inOrder, true, true
	order, err := c.orderKeys(sel.OrderBy, s)
	if err != nil {
		return nil, err
	}
	s.clause = inFields
	if s.grouping && !s.rollup {
		return nil, mistake(1111, "Invalid use of group function")
	}
	items := s.items[:fields]
	switch {
	case group != nil || s.aggregated:
		g, lift, err := c.grouped(s, rel, group)
		if err != nil {
			return nil, err
		}
		for i := range items {
			if items[i].expr, err = lift(items[i].expr, i+1, "SELECT list"); err != nil {
				return nil, err
			}
		}
		if having != nil {
			if having, err = lift(having, 1, "HAVING clause"); err != nil {
				return nil, err
			}
		}
		for i := range order {
			if order[i].Expr, err = lift(order[i].Expr, i+1, "ORDER BY clause"); err != nil {
				return nil, err
			}
		}
		for i := range s.windows {
			if s.windows[i].Expr, err = lift(s.windows[i].Expr, i+1, "SELECT list"); err != nil {
				return nil, err
			}
		}
		if s.rollup && len(order) == 0 {
			order = rollupOrder(g)
		}
		if rel = g; s.rollup {
			// No rows have no total, where DuckDB gives one.
			n := Named{Column{ID: c.identity(), Type: bigint}, &Aggregate{Name: "count", T: bigint}}
			g.Aggs = append(g.Aggs, n)
			rel = &Filter{rel, []Expr{call(">", Bool, &Col{n.Column}, lit(Integer, int64(0)))}}
		}
		if having != nil {
			rel = filter(rel, conjuncts(having))
		}
	case having != nil:
		rel = &Filter{rel, conjuncts(having)}
	}
	if len(s.windows) > 0 {
		rel = &Window{rel, s.windows}
	}
	count, offset, err := c.limits(sel.Limit)
	if err != nil {
		return nil, err
	}
	if sel.Distinct {
		b, err := c.distinct(c.project(rel, items), items, order)
		if err != nil {
			return nil, err
		}
		return cut(b, count, offset), nil
	}
	// The list is computed last, of the rows that are left.
	if keys := constantsDropped(order); len(keys) > 0 {
		rel = &Sort{rel, keys}
	}
	if count >= 0 || offset > 0 {
		rel = &Limit{rel, count, offset}
	}
	return c.project(rel, items), nil
}

func cut(b *block, count, offset int64) *block {
	if count >= 0 || offset > 0 {
		b.rel = &Limit{b.rel, count, offset}
	}
	return b
}

func constantsDropped(order []SortKey) []SortKey {
	return slices.DeleteFunc(slices.Clone(order), func(k SortKey) bool { return isLiteral(k.Expr) })
}

// fields binds the select list.
func (c *compiler) fields(sel *sqlparser.Select, s *scope) error {
	titles := c.titlesOf(sel)
	s.clause, s.mayAggregate, s.mayWindow = inFields, true, true
	defer func() { s.mayAggregate, s.mayWindow = false, false }()
	list, err := unassigned(sel)
	if err != nil {
		return err
	}
	for i, se := range list {
		switch se := se.(type) {
		case *sqlparser.StarExpr:
			cols, err := c.star(s, se.TableName)
			if err != nil {
				return err
			}
			for _, v := range cols {
				s.items = append(s.items, item{name: v.name, expr: &Col{v.col}})
			}
		case *sqlparser.AliasedExpr:
			e, err := c.expr(se.Expr)
			if err != nil {
				return err
			}
			e = instant(e)
			it := item{name: se.As.String(), alias: !se.As.IsEmpty(), expr: e}
			if !it.alias {
				typed := ""
				if i < len(titles) {
					typed = titles[i]
				}
				if name, ok := plainTitle(sel.SelectExprs.Exprs[i].(*sqlparser.AliasedExpr).Expr, typed); ok {
					it.name = name
					if col, ok := e.(*Col); ok && col.Column.Meaning != nil && col.Column.Meaning.Titled && strings.EqualFold(col.Column.Name, name) {
						it.name = col.Column.Name
					}
				} else if it.name = typed; typed == "" {
					it.name = sqlparser.String(se.Expr)
				}
			}
			it.name = columnName(it.name)
			s.items = append(s.items, it)
		default:
			return refuse(se, "this kind of field is not supported")
		}
	}
	if n := len(s.items); n > 4096 {
		return mistake(1117, "Too many columns")
	}
	return nil
}

// groupExpr binds an entry of GROUP BY: a position, a column, an alias or an
// expression.
func (c *compiler) groupExpr(e sqlparser.Expr, s *scope) (Expr, error) {
	if n, ok := position(e); ok {
		if n < 1 || n > len(s.items) {
			return nil, mistake(1054, "Unknown column '%d' in 'group statement'", n)
		}
		x := s.items[n-1].expr
		if refersTo(x, ids(namedColumns(s.aggregates))) || refersTo(x, ids(namedColumns(s.windows))) {
			return nil, mistake(1056, "Can't group on '%s'", s.items[n-1].name)
		}
		return x, nil
	}
	x, err := c.expr(e)
	if err != nil {
		return nil, err
	}
	x = instant(x)
	if refersTo(x, ids(namedColumns(s.aggregates))) {
		return nil, mistake(1056, "Can't group on '%s'", sqlparser.String(e))
	}
	return x, nil
}

// position reads a whole number that stands for a place in the select list.
func position(e sqlparser.Expr) (int, bool) {
	l, ok := e.(*sqlparser.Literal)
	if !ok || l.Type != sqlparser.IntVal {
		return 0, false
	}
	n, err := strconv.Atoi(l.Val)
	return n, err == nil
}

// orderKeys binds ORDER BY.
func (c *compiler) orderKeys(order sqlparser.OrderBy, s *scope) ([]SortKey, error) {
	var out []SortKey
	for _, o := range order {
		e, err := c.orderExpr(o.Expr, s)
		if err != nil {
			return nil, err
		}
		out = append(out, SortKey{c.sortKey(e), o.Direction == sqlparser.DescOrder})
	}
	return out, nil
}

func (c *compiler) orderExpr(e sqlparser.Expr, s *scope) (Expr, error) {
	if n, ok := position(e); ok {
		if n < 1 || n > len(s.items) {
			return nil, mistake(1054, "Unknown column '%d' in 'order clause'", n)
		}
		return s.items[n-1].expr, nil
	}
	// A name alone is an alias first.
	if name, ok := e.(*sqlparser.ColName); ok && name.Qualifier.IsEmpty() {
		if x, err := s.aliased(name.Name.String()); x != nil || err != nil {
			return x, err
		}
	}
	x, err := c.expr(e)
	return instant(x), err
}

// sortKey is what a value is ordered by.
func (c *compiler) sortKey(e Expr) Expr { return c.key(e) }

// project computes a select list.
func (c *compiler) project(rel Rel, items []item) *block {
	below := ids(rel.Columns())
	p := &Project{Child: rel}
	b := &block{}
	have := map[ColumnID]bool{}
	plain := true
	for _, it := range items {
		if ref, ok := it.expr.(*Col); ok && below[ref.ID] && ref.Digits == 0 {
			col := ref.Column
			if !have[col.ID] {
				have[col.ID] = true
				p.Exprs = append(p.Exprs, Named{col, ref})
			}
			col.Name = it.name
			b.out = append(b.out, col)
			continue
		}
		plain = false
		col := Column{ID: c.identity(), Name: it.name, Type: asColumn(TypeOf(it.expr)), Meaning: meaning(it.expr)}
		p.Exprs = append(p.Exprs, Named{col, it.expr})
		b.out = append(b.out, col)
	}
	if b.rel = p; plain {
		b.rel = rel
	}
	return b
}

// asColumn is the type of a value once it is a column: its collation counts as
// a column's.
func asColumn(t Type) Type {
	if t.Kind == Text && t.Collation != 0 {
		t.Coercibility = 2
	}
	return t
}

// distinctIDs gives each output a column of its own.
func (c *compiler) distinctIDs(b *block) *block {
	seen := map[ColumnID]bool{}
	var twice []int
	for i, col := range b.out {
		if seen[col.ID] {
			twice = append(twice, i)
		}
		seen[col.ID] = true
	}
	if twice == nil {
		return b
	}
	p := &Project{Child: b.rel}
	for _, col := range b.rel.Columns() {
		p.Exprs = append(p.Exprs, Named{col, &Col{col}})
	}
	out := slices.Clone(b.out)
	for _, i := range twice {
		copied := out[i]
		copied.ID = c.identity()
		p.Exprs = append(p.Exprs, Named{copied, &Col{out[i]}})
		out[i] = copied
	}
	return &block{p, out}
}

// restricted leaves only the outputs in the relation, each once.
func (c *compiler) restricted(b *block) *block {
	p := &Project{Child: b.rel}
	have := map[ColumnID]bool{}
	for _, col := range b.out {
		if !have[col.ID] {
			have[col.ID] = true
			p.Exprs = append(p.Exprs, Named{col, &Col{col}})
		}
	}
	return &block{p, b.out}
}

// distinct drops equal rows. What is ordered by must be in the list.
func (c *compiler) distinct(b *block, items []item, order []SortKey) (*block, error) {
	b = c.restricted(b)
	by := map[string]Column{}
	for i, it := range items {
		by[fingerprint(it.expr)] = b.out[i]
		by[fingerprint(c.sortKey(it.expr))] = b.out[i]
	}
	b = c.deduplicated(b)
	var keys []SortKey
	for i, k := range order {
		e, err := c.above(k.Expr, by, b)
		if err != nil {
			return nil, mistake(3065, "Expression #%d of ORDER BY clause is not in SELECT list, references column '%s' "+
				"which is not in SELECT list; this is incompatible with DISTINCT", i+1, err)
		}
		keys = append(keys, SortKey{e, k.Desc})
	}
	if keys = constantsDropped(keys); len(keys) > 0 {
		b.rel = &Sort{b.rel, keys}
	}
	return b, nil
}

// deduplicated drops rows that compare equal: text without regard to case where
// its collation says so.
func (c *compiler) deduplicated(b *block) *block {
	var folded []int
	for i, col := range b.out {
		if _, same := c.key(&Col{col}).(*Col); !same {
			folded = append(folded, i)
		}
	}
	if folded == nil {
		return &block{&Distinct{b.rel}, b.out}
	}
	g := &Group{Child: b.rel}
	done := map[ColumnID]bool{}
	for _, col := range b.out {
		if done[col.ID] {
			continue
		}
		done[col.ID] = true
		k := c.key(&Col{col})
		if _, same := k.(*Col); same {
			g.Keys = append(g.Keys, Named{col, k})
			continue
		}
		g.Keys = append(g.Keys, Named{Column{ID: c.identity(), Type: TypeOf(k)}, k})
		g.Aggs = append(g.Aggs, Named{col, &Aggregate{Name: "any_value", Args: []Expr{&Col{col}}, T: col.Type}})
	}
	return &block{g, b.out}
}

type missing string

func (m missing) Error() string { return string(m) }

// above restates an expression over the rows below in columns of a list.
func (c *compiler) above(e Expr, by map[string]Column, b *block) (Expr, error) {
	have := ids(b.rel.Columns())
	var bad string
	var restate func(e Expr) Expr
	restate = func(e Expr) Expr {
		if col, ok := by[fingerprint(e)]; ok {
			return &Col{col}
		}
		if col, ok := e.(*Col); ok {
			if !have[col.ID] && bad == "" {
				bad = col.Name
				if bad == "" {
					bad = "?"
				}
			}
			return e
		}
		return mapOperands(e, restate)
	}
	out := restate(e)
	if bad != "" {
		return nil, missing(bad)
	}
	return out, nil
}

// limits reads LIMIT and OFFSET; -1 means no limit.
func (c *compiler) limits(l *sqlparser.Limit) (count, offset int64, err error) {
	count = -1
	if l == nil {
		return count, 0, nil
	}
	if l.Rowcount != nil {
		if count, err = c.rows(l.Rowcount); err != nil {
			return 0, 0, err
		}
	}
	if l.Offset != nil {
		offset, err = c.rows(l.Offset)
	}
	return count, offset, err
}

// rows reads a whole number, or a parameter, which is all that LIMIT takes.
func (c *compiler) rows(e sqlparser.Expr) (int64, error) {
	switch e := e.(type) {
	case *sqlparser.Literal:
		if e.Type != sqlparser.IntVal {
			return 0, syntaxNear(e)
		}
	case *sqlparser.ColName:
		return 0, mistake(1327, "Undeclared variable: %s", e.Name.String())
	case *sqlparser.Argument:
	default:
		return 0, syntaxNear(e)
	}
	x, err := c.expr(e)
	if err != nil {
		return 0, err
	}
	if l, ok := x.(*Literal); ok {
		switch v := l.Value.(type) {
		case int64:
			if v >= 0 {
				return v, nil
			}
		case uint64:
			return int64(min(v, 1<<62)), nil
		case float64: // all numbers of JavaScript
			if v >= 0 && v == math.Trunc(v) && v < 1<<62 {
				return int64(v), nil
			}
		case string: // a parameter sent as text
			if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 64); err == nil && n >= 0 {
				return n, nil
			}
		case nil:
			if c.preparing {
				return 0, nil
			}
		}
	}
	return 0, mistake(1210, "Incorrect arguments to LIMIT")
}

// values binds VALUES ROW(…), …
func (c *compiler) values(v *sqlparser.ValuesStatement) (*block, error) {
	if v.ListArg != "" || len(v.Rows) == 0 {
		return nil, refuse(v, "VALUES without rows")
	}
	var out *block
	for n, row := range v.Rows {
		if len(row) == 0 {
			return nil, mistake(3942, "Each row of a VALUES clause must have at least one column, unless when used as source in an INSERT statement.")
		}
		if len(row) != len(v.Rows[0]) {
			return nil, mistake(1136, "Column count doesn't match value count at row %d", n+1)
		}
		var items []item
		for i, e := range row {
			x, err := c.expr(e)
			if err != nil {
				return nil, err
			}
			items = append(items, item{name: "column_" + strconv.Itoa(i), expr: x})
		}
		b := c.project(&Dual{}, items)
		if out == nil {
			out = b
			continue
		}
		var err error
		if out, err = c.combined(setOperator{word: "UNION", all: true}, out, b); err != nil {
			return nil, err
		}
	}
	return out, nil
}
