package pushdown

// Which columns are needed where.

// prune drops columns that nothing above needs, and marks in the scans what
// is needed.
func prune(rel Rel, need map[ColumnID]bool) Rel {
	within := func(exprs []Expr) map[ColumnID]bool {
		m := map[ColumnID]bool{}
		for id := range need {
			m[id] = true
		}
		for _, e := range exprs {
			references(e, m)
		}
		return m
	}
	only := func(exprs []Expr) map[ColumnID]bool {
		need = nil
		return within(exprs)
	}
	kept := func(list []Named) []Named {
		var out []Named
		for _, n := range list {
			if need[n.ID] {
				out = append(out, n)
			}
		}
		return out
	}
	for _, e := range exprsOf(rel) {
		pruneSubqueries(e)
	}
	switch n := rel.(type) {
	case *Scan:
		for i, c := range n.Out {
			n.Needed[i] = n.Needed[i] || need[c.ID]
		}
	case *Filter:
		n.Child = prune(n.Child, within(n.Conjuncts))
	case *Project:
		n.Exprs = kept(n.Exprs)
		n.Child = prune(n.Child, only(exprsOf(n)))
		if plain(n) {
			return n.Child
		}
	case *Group:
		n.Aggs = kept(n.Aggs)
		n.Child = prune(unordered(n.Child), only(exprsOf(n)))
	case *Window:
		n.Exprs = kept(n.Exprs)
		n.Child = prune(n.Child, within(exprsOf(n)))
		if len(n.Exprs) == 0 {
			return n.Child
		}
	case *Join:
		m := within(n.On)
		if n.R = prune(unordered(n.R), m); n.Lateral {
			relReferences(n.R, m)
		}
		n.L = prune(unordered(n.L), m)
	case *Sort:
		n.Child = prune(n.Child, within(exprsOf(n)))
	case *Limit:
		n.Child = prune(n.Child, need)
	case *Distinct:
		n.Child = pruneInside(n.Child) // each of its columns tells rows apart
	case *SetOp:
		n.cut(need)
		n.L, n.R = pruneInside(n.L), pruneInside(n.R)
	case *Recursive:
		n.Base, n.Step = pruneInside(n.Base), pruneInside(n.Step)
	}
	return rel
}

// cut drops the columns that nothing needs. Without ALL each of them tells rows
// apart.
func (s *SetOp) cut(need map[ColumnID]bool) {
	l, ok := s.L.(*Project)
	r, also := s.R.(*Project)
	if !ok || !also || s.Op != "UNION" || !s.All {
		return
	}
	var out []Column
	var left, right []Named
	for i, col := range s.Out {
		if need[col.ID] {
			out, left, right = append(out, col), append(left, l.Exprs[i]), append(right, r.Exprs[i])
		}
	}
	if out == nil { // rows have a column
		out, left, right = s.Out[:1], l.Exprs[:1], r.Exprs[:1]
	}
	s.Out, l.Exprs, r.Exprs = out, left, right
}

// unordered drops an ORDER BY whose order nothing sees.
func unordered(rel Rel) Rel {
	switch n := rel.(type) {
	case *Sort:
		return unordered(n.Child)
	case *Project:
		n.Child = unordered(n.Child)
	}
	return rel
}

// pruneSubqueries prunes the relations inside an expression. What they refer
// to outside is needed there because references looks into them.
func pruneSubqueries(e Expr) {
	if e == nil {
		return
	}
	if s, ok := e.(*Subquery); ok {
		if s.Op == "exists" {
			s.Rel = prune(s.Rel, map[ColumnID]bool{})
		} else {
			s.Rel = pruneInside(s.Rel)
		}
	}
	for _, o := range e.operands() {
		pruneSubqueries(o)
	}
}

// pruneInside prunes below a relation whose columns count by position.
func pruneInside(rel Rel) Rel {
	if p, ok := rel.(*Project); ok {
		for _, e := range exprsOf(p) {
			pruneSubqueries(e)
		}
		need := map[ColumnID]bool{}
		for _, n := range p.Exprs {
			references(n.Expr, need)
		}
		p.Child = prune(p.Child, need)
		return p
	}
	return prune(rel, all(rel))
}

func all(rel Rel) map[ColumnID]bool {
	m := map[ColumnID]bool{}
	for _, c := range rel.Columns() {
		m[c.ID] = true
	}
	return m
}

// plain tells whether a select list passes on exactly what is below it.
func plain(p *Project) bool {
	for _, n := range p.Exprs {
		if c, ok := n.Expr.(*Col); !ok || c.ID != n.ID {
			return false
		}
	}
	if s, ok := p.Child.(*Scan); ok {
		n := len(s.Hidden)
		for _, needed := range s.Needed {
			if needed {
				n++
			}
		}
		return n == len(p.Exprs)
	}
	return len(p.Exprs) == len(p.Child.Columns())
}
