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
	list := func(exprs []Expr) []Expr {
		out := make([]Expr, len(exprs))
		for i, e := range exprs {
			out[i] = substitute(e, by)
		}
		return out
	}
	named := func(exprs []Named) []Named {
		out := make([]Named, len(exprs))
		for i, e := range exprs {
			out[i] = Named{e.Column, substitute(e.Expr, by)}
		}
		return out
	}
	switch n := rel.(type) {
	case *Filter:
		return &Filter{substituteRel(n.Child, by), list(n.Conjuncts)}
	case *Project:
		return &Project{substituteRel(n.Child, by), named(n.Exprs)}
	case *Group:
		return &Group{substituteRel(n.Child, by), n.Rollup, named(n.Keys), named(n.Aggs)}
	case *Window:
		return &Window{substituteRel(n.Child, by), named(n.Exprs)}
	case *Join:
		return &Join{n.Kind, substituteRel(n.L, by), substituteRel(n.R, by), list(n.On), n.Lateral}
	case *Sort:
		keys := make([]SortKey, len(n.Keys))
		for i, k := range n.Keys {
			keys[i] = SortKey{substitute(k.Expr, by), k.Desc}
		}
		return &Sort{substituteRel(n.Child, by), keys}
	case *Limit:
		return &Limit{substituteRel(n.Child, by), n.Count, n.Offset}
	case *Distinct:
		return &Distinct{substituteRel(n.Child, by)}
	case *SetOp:
		return &SetOp{n.Op, n.All, substituteRel(n.L, by), substituteRel(n.R, by), n.Out}
	case *Recursive:
		return &Recursive{n.Name, n.All, substituteRel(n.Base, by), substituteRel(n.Step, by), n.Out}
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
	for _, ch := range rel.children() {
		relReferences(ch, ids)
	}
}

// exprsOf lists the expressions of one node.
func exprsOf(rel Rel) []Expr {
	var out []Expr
	switch n := rel.(type) {
	case *Filter:
		return n.Conjuncts
	case *Project:
		for _, x := range n.Exprs {
			out = append(out, x.Expr)
		}
	case *Group:
		for _, x := range n.Keys {
			out = append(out, x.Expr)
		}
		for _, x := range n.Aggs {
			out = append(out, x.Expr)
		}
	case *Window:
		for _, x := range n.Exprs {
			out = append(out, x.Expr)
		}
	case *Join:
		return n.On
	case *Sort:
		for _, k := range n.Keys {
			out = append(out, k.Expr)
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
		for _, ch := range rel.children() {
			visit(ch)
		}
	}
	visit(rel)
	slices.SortFunc(out, func(a, b *Scan) int { return a.ID - b.ID })
	return out
}
