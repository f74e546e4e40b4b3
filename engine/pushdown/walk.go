package pushdown

import (
	"slices"
)

// Walking and rewriting the intermediate form.

// walk visits an expression and its operands; not the relations of subqueries.
func walk(e Expr, f func(Expr)) {
	if e == nil {
		return
	}
	f(e)
	for _, o := range e.operands() {
		walk(o, f)
	}
}

// rewriteExpr rebuilds an expression from below: f gets each node with its
// operands already rewritten. Nodes are copied, never changed, since plans
// share them.
func rewriteExpr(e Expr, f func(Expr) Expr) Expr {
	if e == nil {
		return nil
	}
	return f(mapOperands(e, func(o Expr) Expr { return rewriteExpr(o, f) }))
}

// mapOperands copies a node with other operands; the relations of subqueries
// stay.
func mapOperands(e Expr, f func(Expr) Expr) Expr {
	list := func(args []Expr) []Expr {
		out := make([]Expr, len(args))
		for i, a := range args {
			out[i] = f(a)
		}
		return out
	}
	keys := func(order []SortKey) []SortKey {
		out := make([]SortKey, len(order))
		for i, k := range order {
			out[i] = SortKey{f(k.Expr), k.Desc}
		}
		return out
	}
	switch x := e.(type) {
	case *Call:
		n := *x
		n.Args = list(x.Args)
		return &n
	case *Func:
		n := *x
		n.Args = list(x.Args)
		return &n
	case *Case:
		n := *x
		n.Whens = make([]When, len(x.Whens))
		for i, w := range x.Whens {
			n.Whens[i] = When{f(w.If), f(w.Then)}
		}
		if x.Else != nil {
			n.Else = f(x.Else)
		}
		return &n
	case *Cast:
		n := *x
		n.Arg = f(x.Arg)
		return &n
	case *Aggregate:
		n := *x
		n.Args = list(x.Args)
		n.Order = keys(x.Order)
		return &n
	case *Over:
		n := *x
		n.Call = f(x.Call)
		n.Partition = list(x.Partition)
		n.Order = keys(x.Order)
		return &n
	case *Subquery:
		n := *x
		n.Args = list(x.Args)
		return &n
	}
	return e
}

// maxSize bounds the nodes of one expression. Operands are shared (the value
// of a BETWEEN stands in two comparisons), and a few dozen of them nested
// would be read for longer than anyone waits.
const maxSize = 100_000

// size counts the nodes of an expression, shared ones each time, up to limit.
func size(e Expr, limit int) int {
	if e == nil {
		return 0
	}
	n := 1
	for _, o := range e.operands() {
		if n >= limit {
			break
		}
		n += size(o, limit-n)
	}
	return n
}

// inlined substitutes unless the result were so large that computing the
// columns once is better.
func inlined(e Expr, by map[ColumnID]Expr) (Expr, bool) {
	const limit = 2000
	x := substitute(e, by)
	if x != e && size(x, limit) >= limit {
		return e, false
	}
	return x, true
}

// substitute replaces columns by expressions, also where subqueries refer to
// them.
func substitute(e Expr, by map[ColumnID]Expr) Expr {
	changes := false
	m := map[ColumnID]bool{}
	references(e, m)
	for id := range m {
		if x, ok := by[id]; ok {
			if c, ok := x.(*Col); !ok || c.ID != id {
				changes = true
			}
		}
	}
	if !changes {
		return e
	}
	return rewriteExpr(e, func(e Expr) Expr {
		switch e := e.(type) {
		case *Col:
			if x, ok := by[e.ID]; ok {
				return x
			}
		case *Subquery:
			n := *e
			n.Rel = substituteRel(e.Rel, by)
			return &n
		}
		return e
	})
}

// substituteRel copies a relation with columns of enclosing blocks replaced.
func substituteRel(rel Rel, by map[ColumnID]Expr) Rel {
	return mapRel(shallow(rel), func(in Rel) Rel { return substituteRel(in, by) }, func(e Expr) Expr { return substitute(e, by) })
}

// children are what a node reads.
func children(rel Rel) []Rel {
	in := rel.inputs()
	out := make([]Rel, len(in))
	for i, p := range in {
		out[i] = *p
	}
	return out
}

// mapRel replaces what a node reads, and its own expressions; nil leaves them.
func mapRel(rel Rel, input func(Rel) Rel, expr func(Expr) Expr) Rel {
	for _, p := range rel.inputs() {
		*p = input(*p)
	}
	if expr != nil {
		for _, p := range expressions(rel) {
			*p = expr(*p)
		}
	}
	return rel
}

// shallow copies a node, so that another can take the place of what it reads
// and of its expressions. Nodes without either are shared.
func shallow(rel Rel) Rel {
	switch n := rel.(type) {
	case *Filter:
		return &Filter{n.Child, slices.Clone(n.Conjuncts)}
	case *Project:
		return &Project{n.Child, slices.Clone(n.Exprs)}
	case *Group:
		return &Group{n.Child, n.Rollup, slices.Clone(n.Keys), slices.Clone(n.Aggs)}
	case *Window:
		return &Window{n.Child, slices.Clone(n.Exprs)}
	case *Join:
		return &Join{n.Kind, n.L, n.R, slices.Clone(n.On), n.Lateral}
	case *Sort:
		return &Sort{n.Child, slices.Clone(n.Keys)}
	case *Limit:
		return &Limit{n.Child, n.Count, n.Offset}
	case *Distinct:
		return &Distinct{n.Child}
	case *SetOp:
		return &SetOp{n.Op, n.All, n.L, n.R, n.Out}
	case *Recursive:
		return &Recursive{n.Name, n.All, n.Base, n.Step, n.Out}
	}
	return rel
}

// references collects the ids an expression refers to, those inside its
// subqueries included.
func references(e Expr, ids map[ColumnID]bool) {
	switch e := e.(type) {
	case nil:
		return
	case *Col:
		ids[e.ID] = true
	case *Subquery:
		relReferences(e.Rel, ids)
	}
	for _, o := range e.operands() {
		references(o, ids)
	}
}

// relReferences collects the ids that the expressions of a relation refer to.
func relReferences(rel Rel, ids map[ColumnID]bool) {
	for _, e := range exprsOf(rel) {
		references(e, ids)
	}
	for _, ch := range children(rel) {
		relReferences(ch, ids)
	}
}

// exprsOf lists the expressions of one node.
func exprsOf(rel Rel) []Expr {
	places := expressions(rel)
	out := make([]Expr, len(places))
	for i, p := range places {
		out[i] = *p
	}
	return out
}

// expressions are where those of one node stand.
func expressions(rel Rel) []*Expr {
	var out []*Expr
	named := func(lists ...[]Named) []*Expr {
		for _, list := range lists {
			for i := range list {
				out = append(out, &list[i].Expr)
			}
		}
		return out
	}
	plain := func(list []Expr) []*Expr {
		for i := range list {
			out = append(out, &list[i])
		}
		return out
	}
	switch n := rel.(type) {
	case *Filter:
		return plain(n.Conjuncts)
	case *Project:
		return named(n.Exprs)
	case *Group:
		return named(n.Keys, n.Aggs)
	case *Window:
		return named(n.Exprs)
	case *Join:
		return plain(n.On)
	case *Sort:
		for i := range n.Keys {
			out = append(out, &n.Keys[i].Expr)
		}
	}
	return out
}

// scansOf lists the scans of a relation and of the subqueries in it, in the
// order of their ids.
func scansOf(rel Rel) []*Scan {
	var out []*Scan
	var visit func(Rel)
	visit = func(rel Rel) {
		if s, ok := rel.(*Scan); ok && !slices.Contains(out, s) {
			out = append(out, s)
		}
		for _, e := range exprsOf(rel) {
			walk(e, func(e Expr) {
				if s, ok := e.(*Subquery); ok {
					visit(s.Rel)
				}
			})
		}
		for _, ch := range children(rel) {
			visit(ch)
		}
	}
	visit(rel)
	slices.SortFunc(out, func(a, b *Scan) int { return a.ID - b.ID })
	return out
}
