package pushdown

import (
	"slices"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// From the planner's nodes to relations. A node of the planner has a list of
// outputs by position; a Rel has a set of columns by id. A block is both.

// block is a translated node.
type block struct {
	rel Rel
	// out are the outputs by position. The same column may stand there twice.
	out []output
	// cols resolves the planner's ids to columns of rel. Derived tables have
	// no node of their own: their ids resolve to the columns inside.
	cols map[sql.ColumnId]Column
	// keys are the expressions the rows are grouped by; an equal expression
	// above refers to the key's column.
	keys []groupKey
}

type output struct {
	Column
	plan sql.ColumnId // the planner's id, 0 when it has none
}

type groupKey struct {
	text string // sql.DebugString, which spells column ids
	Column
}

// scope is what expressions may refer to: the block at hand, then those of the
// enclosing statements.
type scope struct {
	block *block
	outer *scope
}

// within builds with b as the innermost block.
func within[T any](c *compiler, b *block, f func() (T, error)) (T, error) {
	c.scope = &scope{b, c.scope}
	defer func() { c.scope = c.scope.outer }()
	return f()
}

func (c *compiler) node(n sql.Node) (*block, error) {
	switch n := n.(type) {
	case *plan.ResolvedTable:
		return c.table(n)
	case *plan.TableAlias:
		return c.node(n.Child)
	case *plan.SubqueryAlias:
		return c.derived(n)
	case *plan.Filter:
		return c.filter(n.Child, n.Expression)
	case *plan.Having:
		return c.filter(n.Child, n.Cond)
	case *plan.Project:
		return c.project(n)
	case *plan.GroupBy:
		return c.group(n)
	case *plan.Window:
		return c.window(n)
	case *plan.Distinct:
		return c.distinct(n)
	case *plan.Sort:
		b, err := c.node(n.Child)
		if err != nil {
			return nil, err
		}
		return c.sort(b, n.SortFields, nil)
	case *plan.Limit:
		if n.CalcFoundRows {
			return nil, refuse(n, "SQL_CALC_FOUND_ROWS counts rows that are not read")
		}
		child, offset := n.Child, sql.Expression(nil)
		if o, ok := child.(*plan.Offset); ok {
			child, offset = o.Child, o.Offset
		}
		return c.limit(child, n.Limit, offset)
	case *plan.Offset:
		return c.limit(n.Child, nil, n.Offset)
	case *plan.JoinNode:
		return c.join(n)
	case *plan.SetOp:
		return c.setOp(n)
	}
	return nil, refuse(n, "%T is not translated", n)
}

// table makes a scan of a relation of ours.
func (c *compiler) table(n *plan.ResolvedTable) (*block, error) {
	if plan.IsDualTable(n.UnderlyingTable()) {
		return &block{rel: &Dual{}}, nil
	}
	if n.AsOf != nil {
		return nil, refuse(n, "AS OF has no meaning here")
	}
	var rel *tables.Relation
	if db := n.Database(); db != nil {
		rel = tables.Lookup(db.Name(), n.Name())
	}
	if rel == nil {
		return nil, refuse(n, "it is no relation of the archive")
	}
	var ids []sql.ColumnId
	n.Columns().ForEach(func(id sql.ColumnId) { ids = append(ids, id) })
	if len(ids) != len(rel.Columns) || len(ids) != len(n.Schema()) {
		return nil, refuse(n, "the planner sees %d of its %d columns", len(ids), len(rel.Columns))
	}
	s := c.scan(rel, ids)
	b := &block{rel: s, cols: map[sql.ColumnId]Column{}}
	for i, col := range s.Out {
		b.cols[ids[i]] = col
		b.out = append(b.out, output{col, ids[i]})
	}
	return b, nil
}

// scan adds a scan of a relation to the plan. The planner has ids for the
// columns of those a statement names, and none (nil) for the others.
func (c *compiler) scan(rel *tables.Relation, planner []sql.ColumnId) *Scan {
	s := &Scan{ID: len(c.scans), Relation: rel, Needed: make([]bool, len(rel.Columns))}
	c.scans = append(c.scans, s)
	for i, rc := range rel.Columns {
		var id sql.ColumnId
		if planner != nil {
			id = planner[i]
		}
		s.Out = append(s.Out, Column{ID: c.identity(id), Name: rc.Name, Kind: columnKind(rc.Kind), Type: functions.TypeOf(rc)})
	}
	return s
}

func (c *compiler) derived(n *plan.SubqueryAlias) (*block, error) {
	if n.IsLateral {
		return nil, refuse(n, "LATERAL is not translated")
	}
	inner, err := c.node(n.Child)
	if err != nil {
		return nil, err
	}
	inner = c.settle(inner)
	var ids []sql.ColumnId
	n.Columns().ForEach(func(id sql.ColumnId) { ids = append(ids, id) })
	if len(ids) != len(inner.out) {
		return nil, refuse(n, "its columns can't be told apart")
	}
	b := &block{rel: inner.rel, cols: map[sql.ColumnId]Column{}}
	names := n.Schema()
	for i, o := range inner.out {
		col := o.Column
		col.Name = names[i].Name
		b.cols[ids[i]] = col
		b.out = append(b.out, output{col, ids[i]})
	}
	return b, nil
}

func (c *compiler) filter(child sql.Node, cond sql.Expression) (*block, error) {
	b, err := c.node(child)
	if err != nil {
		return nil, err
	}
	e, err := within(c, b, func() (Expr, error) { return c.condition(cond) })
	if err != nil {
		return nil, err
	}
	b.rel = &Filter{b.rel, conjuncts(e)}
	return b, nil
}

// project computes a select list. What an expression above may refer to stays
// visible: the planner's lists pass on all of that.
func (c *compiler) project(n *plan.Project) (*block, error) {
	child, err := c.node(n.Child)
	if err != nil {
		return nil, err
	}
	b := &block{cols: map[sql.ColumnId]Column{}, keys: slices.Clone(child.keys)}
	p := &Project{Child: child.rel}
	have := map[sql.ColumnId]bool{}
	keep := func(col Column) {
		if !have[col.ID] {
			have[col.ID] = true
			p.Exprs = append(p.Exprs, Named{col, &Col{col}})
		}
	}
	for id, col := range child.cols {
		b.cols[id] = col
	}
	for _, col := range child.rel.Columns() {
		keep(col)
	}
	schema := n.Schema()
	for i, pe := range n.Projections {
		var id sql.ColumnId
		switch e := pe.(type) {
		case *expression.Alias:
			id = e.Id()
		case *expression.GetField:
			id = e.Id()
		}
		col, ok := child.cols[id]
		if !ok || id == 0 {
			e, err := within(c, child, func() (Expr, error) { return c.expr(pe) })
			if err != nil {
				return nil, err
			}
			if ref, isCol := e.(*Col); isCol && !c.outer(child, ref) {
				col = ref.Column
			} else {
				col = Column{ID: c.identity(id), Name: schema[i].Name, Kind: e.Kind(), Type: declared(e, schema[i].Type)}
				have[col.ID] = true
				p.Exprs = append(p.Exprs, Named{col, e})
				// ORDER BY above DISTINCT repeats the expression.
				if a, ok := pe.(*expression.Alias); ok {
					pe = a.Child
				}
				b.keys = append(b.keys, groupKey{sql.DebugString(pe), col})
			}
			if id != 0 {
				b.cols[id] = col
			}
		}
		out := output{col, id}
		out.Name = schema[i].Name
		b.out = append(b.out, out)
	}
	b.rel = p
	if len(p.Exprs) == len(child.rel.Columns()) {
		b.rel = child.rel // nothing new is computed
	}
	return b, nil
}

// outer tells whether a reference leads out of the block.
func (c *compiler) outer(b *block, ref *Col) bool {
	for _, col := range b.rel.Columns() {
		if col.ID == ref.ID {
			return false
		}
	}
	return true
}

// distinct drops equal rows. The planner leaves an ORDER BY of an expression
// below DISTINCT, where its order would be lost; Check has made sure that it
// can stand above.
func (c *compiler) distinct(n *plan.Distinct) (*block, error) {
	child := n.Child
	var order sql.SortFields
	if p, ok := child.(*plan.Project); ok {
		if s, ok := p.Child.(*plan.Sort); ok {
			child, order = plan.NewProject(p.Projections, s.Child), s.SortFields
		}
	}
	b, err := c.node(child)
	if err != nil {
		return nil, err
	}
	b = c.restrict(b)
	b.rel = &Distinct{b.rel}
	if order == nil {
		return b, nil
	}
	return c.sort(b, order, nil)
}

// restrict leaves only the outputs in the relation.
func (c *compiler) restrict(b *block) *block {
	p := &Project{Child: b.rel}
	r := &block{rel: p, cols: map[sql.ColumnId]Column{}}
	settled := map[sql.ColumnId]Column{}
	for _, o := range b.out {
		col, done := settled[o.ID]
		if !done {
			if col = o.Column; col.Digits > 0 {
				col.ID, col.Digits = c.identity(0), 0 // rounded now
			}
			settled[o.ID] = col
			p.Exprs = append(p.Exprs, Named{col, &Col{o.Column}})
		}
		col.Name = o.Name
		r.out = append(r.out, output{col, o.plan})
	}
	for id, col := range b.cols {
		if col, ok := settled[col.ID]; ok {
			r.cols[id] = col
		}
	}
	for _, k := range b.keys {
		if col, ok := settled[k.ID]; ok {
			r.keys = append(r.keys, groupKey{k.text, col})
		}
	}
	return r
}

// settle rounds what leaves a query block with more digits than it shows.
func (c *compiler) settle(b *block) *block {
	for _, o := range b.out {
		if o.Digits > 0 {
			return c.restrict(b)
		}
	}
	return b
}

func (c *compiler) group(n *plan.GroupBy) (*block, error) {
	child, err := c.node(n.Child)
	if err != nil {
		return nil, err
	}
	b := &block{cols: map[sql.ColumnId]Column{}}
	g := &Group{Child: child.rel}
	for _, ge := range n.GroupByExprs {
		var id sql.ColumnId
		inner := ge
		switch e := ge.(type) {
		case *expression.Alias:
			id, inner = e.Id(), e.Child
		case *expression.GetField:
			id = e.Id()
		}
		e, err := within(c, child, func() (Expr, error) { return c.expr(inner) })
		if err != nil {
			return nil, err
		}
		if _, constant := e.(*Literal); constant && len(n.GroupByExprs) > 1 {
			// One more key that is the same in every row. Alone it has to
			// stay: no rows give no group then.
			continue
		}
		var col Column
		if ref, ok := e.(*Col); ok && !c.outer(child, ref) {
			col = ref.Column
		} else {
			col = Column{ID: c.identity(id), Name: inner.String(), Kind: e.Kind(), Type: declared(e, inner.Type())}
		}
		if id != 0 {
			b.cols[id] = col
		}
		b.keys = append(b.keys, groupKey{sql.DebugString(inner), col})
		g.Keys = append(g.Keys, Named{col, e})
	}
	schema := n.Schema()
	for i, se := range n.SelectedExprs {
		var id sql.ColumnId
		if e, ok := se.(sql.IdExpression); ok {
			id = e.Id()
		}
		col, ok := b.cols[id]
		if !ok || id == 0 {
			e, err := within(c, child, func() (Expr, error) { return c.selected(se) })
			if err != nil {
				return nil, err
			}
			col = Column{ID: c.identity(id), Name: schema[i].Name, Kind: e.Kind(), Type: declared(e, schema[i].Type)}
			if inexact(e) {
				col.Digits = carried(e)
			}
			g.Aggs = append(g.Aggs, Named{col, e})
			if id != 0 {
				b.cols[id] = col
			}
		}
		b.out = append(b.out, output{col, id})
	}
	b.rel = g
	return b, nil
}

// selected builds an output of a grouping: an aggregate, or a column that has
// one value in each group (Check has made sure of it).
func (c *compiler) selected(se sql.Expression) (Expr, error) {
	switch e := se.(type) {
	case sql.Aggregation:
		return c.aggregate(e)
	case *expression.Alias:
		return c.selected(e.Child)
	}
	e, err := c.expr(se)
	if err != nil {
		return nil, err
	}
	if e.Kind() == Null {
		return e, nil
	}
	return &Aggregate{Name: "any_value", Args: []Expr{e}, K: e.Kind()}, nil
}

// sort orders a block. more finds columns by id that the block does not know.
func (c *compiler) sort(b *block, fields sql.SortFields, more func(*expression.GetField) (Column, bool)) (*block, error) {
	s := &Sort{Child: b.rel}
	for _, f := range fields {
		var key Expr
		if gf, ok := f.Column.(*expression.GetField); ok && more != nil {
			if col, ok := more(gf); ok {
				key = &Col{col}
			}
		}
		if key == nil {
			e, err := within(c, b, func() (Expr, error) { return c.expr(f.Column) })
			if err != nil {
				return nil, err
			}
			key = e
		}
		if _, constant := key.(*Literal); constant {
			continue
		}
		if key.Kind() == Bytes {
			return nil, refuse(f.Column, "it orders by bytes")
		}
		s.Keys = append(s.Keys, SortKey{key, f.Order == sql.Descending})
	}
	r := *b
	if len(s.Keys) > 0 {
		r.rel = s
	}
	return &r, nil
}

func (c *compiler) limit(child sql.Node, count, offset sql.Expression) (*block, error) {
	b, err := c.node(child)
	if err != nil {
		return nil, err
	}
	l := &Limit{Child: b.rel, Count: -1}
	if count != nil {
		if l.Count, err = c.rows(count); err != nil {
			return nil, err
		}
	}
	if offset != nil {
		if l.Offset, err = c.rows(offset); err != nil {
			return nil, err
		}
	}
	b.rel = l
	return b, nil
}

func (c *compiler) rows(e sql.Expression) (int64, error) {
	lit, ok := e.(*expression.Literal)
	if !ok {
		return 0, refuse(e, "LIMIT is no literal")
	}
	v, _, err := types.Int64.Convert(c.ctx, lit.Value())
	if err != nil {
		return 0, refuse(e, "LIMIT is no number")
	}
	if n, ok := v.(int64); ok && n >= 0 {
		return n, nil
	}
	return 0, refuse(e, "LIMIT is no number of rows")
}

func (c *compiler) join(n *plan.JoinNode) (*block, error) {
	var kind JoinKind
	switch n.Op {
	case plan.JoinTypeInner:
		kind = Inner
	case plan.JoinTypeCross:
		kind = Cross
	case plan.JoinTypeLeftOuter:
		kind = Left
	default:
		return nil, refuse(n, "%s is not translated", n.Op)
	}
	l, err := c.node(n.Left())
	if err != nil {
		return nil, err
	}
	r, err := c.node(n.Right())
	if err != nil {
		return nil, err
	}
	b := &block{out: append(l.out[:len(l.out):len(l.out)], r.out...), cols: map[sql.ColumnId]Column{}}
	for _, side := range []*block{l, r} {
		for id, col := range side.cols {
			b.cols[id] = col
		}
	}
	j := &Join{Kind: kind, L: l.rel, R: r.rel}
	b.rel = j
	if n.Filter != nil && kind != Cross {
		on, err := within(c, b, func() (Expr, error) { return c.condition(n.Filter) })
		if err != nil {
			return nil, err
		}
		j.On = conjuncts(on)
	}
	return b, nil
}

func (c *compiler) setOp(n *plan.SetOp) (*block, error) {
	op := &SetOp{Op: "UNION", All: !n.Distinct}
	switch n.SetOpType {
	case plan.UnionType:
	case plan.IntersectType:
		op.Op = "INTERSECT"
	case plan.ExceptType:
		op.Op = "EXCEPT"
	default:
		return nil, refuse(n, "an unknown operation on sets")
	}
	l, err := c.node(arm(n.Left()))
	if err != nil {
		return nil, err
	}
	r, err := c.node(arm(n.Right()))
	if err != nil {
		return nil, err
	}
	if len(l.out) != len(r.out) {
		return nil, refuse(n, "its arms differ in columns")
	}
	b := &block{cols: map[sql.ColumnId]Column{}}
	left, right := make([]Named, len(l.out)), make([]Named, len(l.out))
	for i := range l.out {
		le, re, kind, err := unify(&Col{l.out[i].Column}, &Col{r.out[i].Column})
		if err != nil {
			return nil, refuse(n, "column %s: %v", l.out[i].Name, err)
		}
		typ := declared(le, l.out[i].Type)
		switch rt := declared(re, r.out[i].Type); {
		case kind == Decimal && scaleOf(re) > scaleOf(le), le.Kind() == Null:
			typ = rt
		case kind == Integer && re.Kind() != Null && !typ.Equals(rt):
			typ = types.Int64
		case kind == Text && re.Kind() != Null && !typ.Equals(rt):
			typ = types.LongText
		}
		col := Column{ID: c.identity(0), Name: l.out[i].Name, Kind: kind, Type: typ}
		left[i] = Named{Column{ID: c.identity(0), Name: col.Name, Kind: kind, Type: typ}, le}
		right[i] = Named{Column{ID: c.identity(0), Name: col.Name, Kind: kind, Type: typ}, re}
		op.Out = append(op.Out, col)
		b.out = append(b.out, output{col, l.out[i].plan})
		if id := l.out[i].plan; id != 0 {
			b.cols[id] = col
		}
	}
	op.L, op.R = &Project{l.rel, left}, &Project{r.rel, right}
	b.rel = op
	if len(n.SortFields) > 0 {
		// ORDER BY names an output; the planner may refer to it by an id of
		// the left arm or, when that has none, only by its name.
		b, err = c.sort(b, n.SortFields, func(gf *expression.GetField) (Column, bool) {
			if col, ok := b.cols[gf.Id()]; ok {
				return col, true
			}
			for _, o := range b.out {
				if o.Name == gf.Name() {
					return o.Column, true
				}
			}
			return Column{}, false
		})
		if err != nil {
			return nil, err
		}
	}
	if n.Limit != nil || n.Offset != nil {
		limit := &Limit{Child: b.rel, Count: -1}
		if n.Limit != nil {
			if limit.Count, err = c.rows(n.Limit); err != nil {
				return nil, err
			}
		}
		if n.Offset != nil {
			if limit.Offset, err = c.rows(n.Offset); err != nil {
				return nil, err
			}
		}
		b.rel = limit
	}
	return b, nil
}

// arm looks through the conversions the planner puts on an arm of a UNION to
// make types equal: they lose the ids that ORDER BY refers to, and our own
// kinds are made equal anyway.
func arm(n sql.Node) sql.Node {
	p, ok := n.(*plan.Project)
	if !ok {
		return n
	}
	converts := false
	for _, e := range p.Projections {
		switch e := e.(type) {
		case *expression.GetField:
		case *expression.Alias:
			inner := e.Child
			if conv, ok := inner.(*expression.Convert); ok {
				inner = conv.Child
			}
			gf, ok := inner.(*expression.GetField)
			if e.Id() != 0 {
				return n
			}
			if !ok || gf.Name() != e.Name() {
				return n
			}
			converts = true
		default:
			return n
		}
	}
	if !converts || len(p.Child.Schema()) != len(p.Projections) {
		return n
	}
	return p.Child
}
