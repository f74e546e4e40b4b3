package engine

import (
	"slices"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// When a statement is refused as a whole, mostly for one function, the part
// below it still goes to DuckDB: the rows, or the packets, that are left to
// go-mysql-server are those that part lets through, not all there are.
//
// Below a join go-mysql-server accepts no leaf of ours: there the relations stay,
// and each reads what the conditions on it alone let through.

// pushPart replaces the largest part of a refused tree that can be pushed
// down, or returns nil.
func (e *Engine) pushPart(ctx *sql.Context, n sql.Node, snap *snapshot) sql.Node {
	return (&part{engine: e, ctx: ctx, snap: snap, used: map[sql.ColumnId]*expression.GetField{}}).below(n)
}

// part is the search for it.
type part struct {
	engine *Engine
	ctx    *sql.Context
	snap   *snapshot
	// used are the columns the nodes above refer to; projected tells that
	// they are all that is wanted.
	used      map[sql.ColumnId]*expression.GetField
	projected bool
}

// below replaces a part of n, which is refused itself.
func (p *part) below(n sql.Node) sql.Node {
	switch n := n.(type) {
	case *plan.SetOp:
		return p.sides(n)
	case *plan.JoinNode:
		return p.join(n, nil)
	case *plan.Project, *plan.GroupBy, *plan.Window:
		p.projected = true
	case *plan.Filter, *plan.Having, *plan.Sort, *plan.Limit, *plan.Offset, *plan.Distinct:
	default:
		return nil
	}
	if x, ok := n.(sql.Expressioner); ok && !p.note(x.Expressions()) {
		return nil
	}
	child := n.Children()[0]
	if f, ok := n.(*plan.Filter); ok {
		var kept sql.Expression
		if kept, child = p.split(f); kept != f.Expression {
			n = plan.NewFilter(kept, child)
		}
	}
	replaced := p.push(child)
	if replaced == nil {
		if j, ok := child.(*plan.JoinNode); ok {
			var conds []sql.Expression
			if f, ok := n.(*plan.Filter); ok {
				conds = expression.SplitConjunction(f.Expression)
			}
			replaced = p.join(j, conds)
		} else {
			replaced = p.below(child)
		}
		if replaced == nil {
			return nil
		}
	}
	out, err := n.WithChildren(replaced)
	if err != nil {
		return nil
	}
	return out
}

// sides replaces a part of each side of a UNION, or all of one.
func (p *part) sides(n *plan.SetOp) sql.Node {
	children := slices.Clone(n.Children())
	found := false
	for i, side := range children {
		one := &part{engine: p.engine, ctx: p.ctx, snap: p.snap, used: map[sql.ColumnId]*expression.GetField{}}
		replaced := one.push(side)
		if replaced == nil {
			replaced = one.below(side)
		}
		if replaced != nil {
			children[i], found = replaced, true
		}
	}
	if !found {
		return nil
	}
	out, err := n.WithChildren(children...)
	if err != nil {
		return nil
	}
	return out
}

// note remembers the columns of expressions; false when they hold a subquery,
// whose columns are not seen here.
func (p *part) note(exprs []sql.Expression) bool {
	fine := true
	for _, e := range exprs {
		sql.Inspect(e, func(e sql.Expression) bool {
			switch e := e.(type) {
			case *plan.Subquery:
				fine = false
			case *expression.GetField:
				p.used[e.Id()] = e
			}
			return fine
		})
	}
	return fine
}

// split moves the conditions that can be pushed down below the others.
func (p *part) split(f *plan.Filter) (kept sql.Expression, child sql.Node) {
	var up, down []sql.Expression
	for _, c := range expression.SplitConjunction(f.Expression) {
		if _, err := pushdown.Compile(p.ctx, plan.NewFilter(c, f.Child), p.snap.env()); err == nil {
			down = append(down, c)
		} else {
			up = append(up, c)
		}
	}
	if len(up) == 0 || len(down) == 0 {
		return f.Expression, f.Child
	}
	return expression.JoinAnd(up...), plan.NewFilter(expression.JoinAnd(down...), f.Child)
}

// push compiles a subtree with the columns that are used of it, or returns nil.
func (p *part) push(n sql.Node) sql.Node {
	all, err := pushdown.Compile(p.ctx, n, p.snap.env())
	if err != nil {
		return nil
	}
	seen := map[sql.ColumnId]bool{}
	var list []sql.Expression
	for i, c := range all.Columns {
		if seen[c.ID] {
			return nil // which of them is meant can't be said by id
		}
		seen[c.ID] = true
		if f := p.used[c.ID]; f != nil {
			list = append(list, f)
		} else if !p.projected {
			s := n.Schema()[i]
			list = append(list, expression.NewGetFieldWithTable(int(c.ID), 0, s.Type, s.DatabaseSource, s.Source, s.Name, s.Nullable))
		}
	}
	if len(list) == 0 { // rows are only counted
		s := n.Schema()[0]
		list = append(list, expression.NewGetFieldWithTable(int(all.Columns[0].ID), 0, s.Type, s.DatabaseSource, s.Source, s.Name, s.Nullable))
	}
	narrow := plan.NewProject(list, n)
	compiled, err := pushdown.Compile(p.ctx, narrow, p.snap.env())
	if err != nil {
		return nil
	}
	return &pushedNode{engine: p.engine, tree: narrow, plan: compiled, snap: p.snap, schema: narrow.Schema()}
}
