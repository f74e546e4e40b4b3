package engine

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// narrowed is a relation below a join that is left to go-mysql-server: it gives
// the rows that meet some conditions, and of these the columns in use. The
// others are NULL, and nobody looks at them.
type narrowed struct {
	*table
	node *pushedNode
	at   []int // of each of node's columns, in the relation
}

// PartitionRows implements sql.Table.
func (t *narrowed) PartitionRows(ctx *sql.Context, _ sql.Partition) (sql.RowIter, error) {
	rows, err := t.node.RowIter(ctx, nil)
	if err != nil {
		return nil, err
	}
	return endWith(ctx, &widened{rows, t.at, len(t.schema)}), nil
}

// widened puts rows of some columns into rows of all.
type widened struct {
	sql.RowIter
	at    []int
	width int
}

// Next implements sql.RowIter.
func (w *widened) Next(ctx *sql.Context) (sql.Row, error) {
	row, err := w.RowIter.Next(ctx)
	if err != nil {
		return nil, err
	}
	wide := make(sql.Row, w.width)
	for i, at := range w.at {
		wide[at] = row[i]
	}
	return wide, nil
}

// join narrows the relations of a join by the conditions above it. What a LEFT
// JOIN fills up with NULLs is only narrowed in columns: a condition above
// means the result of the join there.
func (p *part) join(j *plan.JoinNode, conds []sql.Expression) sql.Node {
	fine := true
	transform.Inspect(j, func(n sql.Node) bool {
		if x, ok := n.(sql.Expressioner); ok {
			fine = fine && p.note(x.Expressions())
		}
		return fine
	})
	if !fine {
		return nil
	}
	out, found := p.sidesOf(j, conds)
	if !found {
		return nil
	}
	return out
}

func (p *part) sidesOf(j *plan.JoinNode, conds []sql.Expression) (sql.Node, bool) {
	if !j.Op.IsInner() && !j.Op.IsCross() && !j.Op.IsLeftOuter() {
		return j, false
	}
	l, foundL := p.leaf(j.Left(), conds)
	if j.Op.IsLeftOuter() {
		conds = nil
	}
	r, foundR := p.leaf(j.Right(), conds)
	if !foundL && !foundR {
		return j, false
	}
	out, err := j.WithChildren(l, r)
	if err != nil {
		return j, false
	}
	return out, true
}

// leaf narrows one side of a join.
func (p *part) leaf(n sql.Node, conds []sql.Expression) (sql.Node, bool) {
	switch n := n.(type) {
	case *plan.JoinNode:
		return p.sidesOf(n, conds)
	case *plan.TableAlias:
		rt, ok := n.Child.(*plan.ResolvedTable)
		if !ok {
			return n, false
		}
		narrow := p.narrow(rt, n, conds)
		if narrow == nil {
			return n, false
		}
		out, err := n.WithChildren(narrow)
		return out, err == nil
	case *plan.ResolvedTable:
		if narrow := p.narrow(n, n, conds); narrow != nil {
			return narrow, true
		}
	}
	return n, false
}

// narrow replaces a relation, known above as named.
func (p *part) narrow(rt *plan.ResolvedTable, named sql.Node, conds []sql.Expression) sql.Node {
	t, ok := rt.UnderlyingTable().(*table)
	if !ok || t.engine != p.engine {
		return nil
	}
	all, err := pushdown.Compile(p.ctx, named, p.snap.env())
	if err != nil {
		return nil
	}
	own := map[sql.ColumnId]bool{}
	for _, c := range all.Columns {
		own[c.ID] = true
	}
	n := named
	for _, c := range conds {
		if !refersOnlyTo(c, own) {
			continue
		}
		if f := plan.NewFilter(c, n); p.compiles(f) {
			n = f
		}
	}
	var list []sql.Expression
	out := &narrowed{table: t}
	for i, c := range all.Columns {
		f := p.used[c.ID]
		if f == nil && p.projected && (len(list) > 0 || i+1 < len(all.Columns)) {
			continue // but rows without any column can't be counted
		}
		s := t.schema[i]
		if f == nil {
			f = expression.NewGetFieldWithTable(int(c.ID), 0, s.Type, s.DatabaseSource, s.Source, s.Name, s.Nullable)
		}
		list, out.at = append(list, f), append(out.at, i)
	}
	narrow := plan.NewProject(list, n)
	compiled, err := pushdown.Compile(p.ctx, narrow, p.snap.env())
	if err != nil {
		return nil
	}
	out.node = &pushedNode{engine: p.engine, tree: narrow, plan: compiled, snap: p.snap, schema: narrow.Schema()}
	replaced, err := rt.ReplaceTable(out)
	if err != nil {
		return nil
	}
	return replaced
}

func (p *part) compiles(n sql.Node) bool {
	_, err := pushdown.Compile(p.ctx, n, p.snap.env())
	return err == nil
}

// refersOnlyTo tells whether an expression's columns are all of a set.
func refersOnlyTo(e sql.Expression, own map[sql.ColumnId]bool) bool {
	fine := true
	sql.Inspect(e, func(e sql.Expression) bool {
		switch e := e.(type) {
		case *plan.Subquery:
			fine = false
		case *expression.GetField:
			fine = fine && own[e.Id()]
		}
		return fine
	})
	return fine
}
