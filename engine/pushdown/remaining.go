package pushdown

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// Groups that remain. A HAVING, and a LIMIT behind an ORDER BY, leave few groups of
// many, and what is shown of those costs more than what decides: names, which are looked up for each row, distinct
// values, for each of which DuckDB keeps a table, medians, which keep all values. So
// the groups that remain are found first, by what of the HAVING is cheap to know, or by
// the ORDER BY if all of it is, and rows of others are left out before the rest is computed.

// fewGroups finds the groups that remain in a relation and its subqueries.
func (c *compiler) fewGroups(rel Rel) Rel {
	mapRel(rel, c.fewGroups, func(e Expr) Expr {
		if !hasSubquery(e) {
			return e
		}
		return rewriteExpr(e, func(e Expr) Expr {
			if s, ok := e.(*Subquery); ok {
				n := *s
				n.Rel = c.fewGroups(s.Rel)
				return &n
			}
			return e
		})
	})
	switch n := rel.(type) {
	case *Filter:
		if g, ok := n.Child.(*Group); ok && c.costly(g) {
			c.having(n, g)
		}
	case *Limit:
		if s, ok := n.Child.(*Sort); ok && n.Count >= 0 && n.Count <= mostFirst && n.Offset <= mostFirst {
			if g, ok := s.Child.(*Group); ok && c.costly(g) {
				c.leading(n, s, g)
			}
		}
	}
	return rel
}

// mostFirst is up to how many groups are found first by their order, and how many are
// passed over.
const mostFirst = 1000

// mostAgain is up to how many relations are read once more: of very many DuckDB plans longer than is won.
const mostAgain = 16

// costly tells whether what is shown of a group costs more than to find it.
func (c *compiler) costly(g *Group) bool {
	if len(g.Keys) == 0 || g.Rollup || c.few[g] || refersOut(g) || !repeatable(g.Child) || len(scansOf(g.Child)) > mostAgain {
		return false
	}
	return !slices.ContainsFunc(g.Keys, func(n Named) bool { return !cheap(n.Expr) }) &&
		slices.ContainsFunc(g.Aggs, func(n Named) bool { return !cheap(n.Expr) })
}

// leading has the groups of a LIMIT behind an ORDER BY found first.
func (c *compiler) leading(l *Limit, s *Sort, g *Group) {
	first := &Group{Child: g.Child, Keys: slices.Clone(g.Keys)}
	keys, aggs := byID(g.Keys), byID(g.Aggs)
	for _, k := range s.Keys {
		used := map[ColumnID]bool{}
		references(k.Expr, used)
		if hasSubquery(k.Expr) || !cheap(k.Expr) {
			return
		}
		for id := range used {
			if _, ok := keys[id]; ok {
				continue
			}
			if a, ok := aggs[id]; !ok || !cheap(a) {
				return
			}
		}
		first.aggregates(g, used)
	}
	c.keep(g, first, &Limit{Child: &Sort{first, s.Keys}, Count: l.Count + l.Offset})
}

// aggregates adds those of a group that are used.
func (g *Group) aggregates(of *Group, used map[ColumnID]bool) {
	for _, a := range of.Aggs {
		if used[a.ID] && !slices.ContainsFunc(g.Aggs, func(n Named) bool { return n.ID == a.ID }) {
			g.Aggs = append(g.Aggs, a)
		}
	}
}

// having has the groups found first that a HAVING may leave.
func (c *compiler) having(f *Filter, g *Group) {
	first := &Group{Child: g.Child, Keys: slices.Clone(g.Keys)}
	var having []Expr
	for _, e := range f.Conjuncts {
		if x := c.implied(e, g, first); x != nil {
			having = append(having, x)
		}
	}
	if having != nil {
		c.keep(g, first, &Filter{first, having})
	}
}

// keep leaves out rows of other groups than those of some rows of first, in place.
func (c *compiler) keep(g, first *Group, some Rel) {
	target, keys := belowWindows(g, first)
	first.Child = *target
	keep := &Project{Child: some}
	for _, k := range first.Keys {
		keep.Exprs = append(keep.Exprs, Named{Column{ID: c.identity(), Name: k.Name, Type: k.Type}, &Col{k.Column}})
	}
	right := c.readAgain(keep)
	j := &Join{Kind: Semi, L: *target, R: right}
	for i, col := range right.Columns() {
		op := "<=>"
		if m := meaning(keys[i]); m != nil && m.NotNull && !col.Nullable {
			op = "="
		}
		j.On = append(j.On, call(op, Bool, keys[i], &Col{col}))
	}
	*target, c.few[g] = j, true
}

// implied is what a condition of a HAVING says that is cheap to know, with the
// aggregates it needs added to first; nil if it is nothing.
func (c *compiler) implied(e Expr, g, first *Group) Expr {
	aggs := byID(g.Aggs)
	used := map[ColumnID]bool{}
	references(e, used)
	if len(used) == 0 || hasSubquery(e) || volatile(e) {
		return nil
	}
	// So many different ones are in at least as many rows.
	if x, ok := e.(*Call); ok && (x.Op == ">=" || x.Op == ">") && len(x.Args) == 2 {
		col, isCol := x.Args[0].(*Col)
		l, isLit := x.Args[1].(*Literal)
		if isCol && isLit {
			a, isAgg := aggs[col.ID].(*Aggregate)
			n, isInt := l.Value.(int64)
			if isAgg && isInt && a.Name == "count" && a.Distinct && n > 1 {
				rows := Named{Column{ID: c.identity(), Name: "rows", Type: bigint}, &Aggregate{Name: "count", T: bigint}}
				first.Aggs = append(first.Aggs, rows)
				return call(x.Op, Bool, &Col{rows.Column}, l)
			}
		}
	}
	for id := range used {
		a, ok := aggs[id]
		if !ok || !cheap(a) {
			return nil
		}
	}
	if !cheap(e) {
		return nil
	}
	first.aggregates(g, used)
	return e
}

// cheap tells whether an expression is computed of a row's own values, and
// aggregates of one value each.
func cheap(e Expr) bool {
	ok := true
	walk(e, func(e Expr) {
		switch x := e.(type) {
		case *Subquery, *Over:
			ok = false
		case *Func:
			ok = ok && x.Native
		case *Col:
			// What a client asked for is stored; other names are looked up.
			ok = ok && (x.Meaning == nil || x.Meaning.Kind != tables.HostName || x.Meaning.Name == "server_name")
		case *Aggregate:
			ok = ok && !x.Distinct && len(x.Order) == 0 && x.Finish == nil && slices.Contains([]string{"count", "sum", "min", "max", "avg"}, x.Name)
		}
	})
	return ok && !volatile(e)
}

// repeatable tells whether a relation gives the same rows each time it is read, at the
// cost of reading it.
func repeatable(rel Rel) bool {
	if hasPackets(rel) || refersOut(rel) {
		return false
	}
	for _, e := range exprsOf(rel) {
		if hasSubquery(e) || volatile(e) {
			return false
		}
	}
	switch n := rel.(type) {
	case *Scan, *Filter, *Project, *Sort, *Window:
	case *SetOp:
		if n.Op != "UNION" || !n.All {
			return false
		}
	case *Join:
		if n.Kind != Semi && n.Kind != Anti {
			return false
		}
	default:
		return false
	}
	return !slices.ContainsFunc(children(rel), func(in Rel) bool { return !repeatable(in) })
}

// belowWindows is the deepest place below a group where its keys tell which rows
// matter: below windows that look at rows of one group only. The keys and aggregates
// of first are restated in columns of that place; keys are the group's there.
func belowWindows(g, first *Group) (*Rel, []Expr) {
	place := &g.Child
	keys := shownOf(g.Keys)
	at, exprs := place, [][]Named{slices.Clone(first.Keys), slices.Clone(first.Aggs)}
	for {
		switch n := (*at).(type) {
		case *Sort:
			at = &n.Child
			continue
		case *Project:
			by := byID(n.Exprs)
			for _, list := range exprs {
				for i := range list {
					x, ok := inlined(list[i].Expr, by)
					if !ok {
						return place, keys
					}
					list[i].Expr = x
				}
			}
			at = &n.Child
			continue
		case *Window:
			made := ids(namedColumns(n.Exprs))
			for _, list := range exprs {
				for i := range list {
					if refersTo(list[i].Expr, made) {
						return place, keys
					}
				}
			}
			for _, x := range n.Exprs {
				alone := true
				walk(x.Expr, func(e Expr) {
					if o, ok := e.(*Over); ok {
						alone = alone && !slices.ContainsFunc(exprs[0], func(k Named) bool { return !partitioned(o, k.Expr) })
					}
				})
				if !alone {
					return place, keys
				}
			}
			place = &n.Child
			first.Keys, first.Aggs = slices.Clone(exprs[0]), slices.Clone(exprs[1])
			keys = shownOf(first.Keys)
			at = place
			continue
		}
		return place, keys
	}
}

// shownOf are values as their columns hold them: quotients carry more digits.
func shownOf(list []Named) []Expr {
	by := byID(list)
	out := make([]Expr, len(list))
	for i, n := range list {
		out[i] = by[n.ID]
	}
	return out
}

// partitioned tells whether the rows a window function looks at have one value of a
// column.
func partitioned(o *Over, key Expr) bool {
	col, ok := key.(*Col)
	return ok && slices.ContainsFunc(o.Partition, func(e Expr) bool { p, ok := e.(*Col); return ok && p.ID == col.ID })
}

// readAgain is a relation once more, with scans and columns of its own.
func (c *compiler) readAgain(rel Rel) Rel {
	k := &cloner{c, map[*Scan]*Scan{}}
	rel = k.rel(rel)
	ids := map[ColumnID]ColumnID{}
	seen := map[*Scan]bool{}
	columns := func(list []Column) []Column {
		list = slices.Clone(list)
		for i := range list {
			id := c.identity()
			ids[list[i].ID], list[i].ID = id, id
		}
		return list
	}
	named := func(list []Named) {
		for i := range list {
			id := c.identity()
			ids[list[i].ID], list[i].ID = id, id
		}
	}
	var visit func(Rel)
	visit = func(rel Rel) {
		for _, in := range children(rel) {
			visit(in)
		}
		for _, p := range expressions(rel) {
			*p = rewriteExpr(*p, func(e Expr) Expr {
				if col, ok := e.(*Col); ok {
					if id, ok := ids[col.ID]; ok {
						n := *col
						n.ID = id
						return &n
					}
				}
				return e
			})
		}
		switch n := rel.(type) {
		case *Scan:
			if !seen[n] {
				seen[n] = true
				n.Out, n.Hidden = columns(n.Out), columns(n.Hidden)
				c.twice[n] = true
			}
		case *Project:
			named(n.Exprs)
		case *Group:
			named(n.Keys)
			named(n.Aggs)
		case *Window:
			named(n.Exprs)
		case *SetOp:
			n.Out = columns(n.Out)
		}
	}
	visit(rel)
	return rel
}
