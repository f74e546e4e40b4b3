package pushdown

import (
	"slices"
)

// Which packets a statement needs. From the root of a plan down to a scan of
// packets, joins and conditions say what the rows that matter have in common;
// what is said about columns of other relations, which need no packets, finds
// the flow rows. Every step may ask for too many packets, never for too few:
// the statement itself tests them all again.

// demand is what holds of every packet that matters at a place in a plan:
// together with some row of each of the sources it meets the conditions.
type demand struct {
	sources []Rel // relations without packets
	conds   []Expr
	// around is the demand of the enclosing statement, which also holds below
	// what forgets the rest.
	around *demand
}

func (d demand) with(conds ...Expr) demand {
	d.conds = slices.Clip(d.conds)
	for _, e := range conds {
		if computable(e) {
			d.conds = append(d.conds, e)
		}
	}
	return d
}

// forget drops what was said outside a LIMIT, whose rows depend on all of
// those inside.
func (d demand) forget() demand {
	if d.around == nil {
		return demand{}
	}
	return demand{sources: d.around.sources, conds: d.around.conds, around: d.around}
}

// through restates the conditions in terms of what columns are computed from.
func (d demand) through(exprs map[ColumnID]Expr) demand {
	out := demand{sources: d.sources, around: d.around}
	for _, e := range d.conds {
		if x, ok := inlined(e, exprs); ok {
			out = out.with(x)
		}
	}
	return out
}

// without drops the conditions on columns of a set.
func (d demand) without(set map[ColumnID]bool) demand {
	out := demand{sources: d.sources, around: d.around}
	for _, e := range d.conds {
		if !refersTo(e, set) {
			out.conds = append(out.conds, e)
		}
	}
	return out
}

// join adds that a row of rel is there. Of a relation that has packets itself,
// or refers outside, its parts are added.
func (d demand) join(rel Rel) demand {
	if !hasPackets(rel) && !refersOut(rel) {
		d.sources = append(slices.Clip(d.sources), rel)
		return d
	}
	switch n := rel.(type) {
	case *Filter:
		return d.with(n.Conjuncts...).join(n.Child)
	case *Project:
		return d.through(byID(n.Exprs)).join(n.Child)
	case *Sort:
		return d.join(n.Child)
	case *Distinct:
		return d.join(n.Child)
	case *Limit:
		return d.join(n.Child)
	case *Join:
		switch n.Kind {
		case Inner, Cross, Semi:
			return d.with(n.On...).join(n.L).join(n.R)
		}
		return d.join(n.L)
	}
	return d
}

// packetScans calls f with each scan of packets in a relation and what is
// demanded of it.
func packetScans(rel Rel, d demand, f func(*Scan, demand)) {
	for _, e := range exprsOf(rel) {
		walk(e, func(e Expr) {
			if s, ok := e.(*Subquery); ok && hasPackets(s.Rel) {
				var outer demand
				for _, ch := range children(rel) {
					outer = outer.join(ch)
				}
				inside := outer
				inside.around = &outer
				packetScans(s.Rel, inside, f)
			}
		})
	}
	down := func(ch Rel, d demand) {
		if hasPackets(ch) {
			packetScans(ch, d, f)
		}
	}
	switch n := rel.(type) {
	case *Scan:
		if IsPackets(n.Relation) {
			f(n, d)
		}
	case *Filter:
		down(n.Child, d.with(n.Conjuncts...))
	case *Project:
		down(n.Child, d.through(byID(n.Exprs)))
	case *Sort:
		down(n.Child, d)
	case *Distinct:
		down(n.Child, d)
	case *Group:
		// Whole groups matter or not, by their keys.
		if len(n.Keys) == 0 || n.Rollup {
			d = d.forget()
		}
		down(n.Child, d.without(ids(namedColumns(n.Aggs))).through(byID(n.Keys)))
	case *Limit:
		down(n.Child, d.forget())
	case *Window:
		down(n.Child, d.forget())
	case *Recursive:
		down(n.Base, d.forget())
		down(n.Step, d.forget())
	case *SetOp:
		for _, side := range []Rel{n.L, n.R} {
			m := map[ColumnID]Expr{}
			for i, col := range side.Columns() {
				m[n.Out[i].ID] = &Col{col}
			}
			down(side, d.through(m))
		}
	case *Join:
		l, r := d, d
		switch n.Kind {
		case Inner, Cross:
			l, r = d.with(n.On...).join(n.R), d.with(n.On...).join(n.L)
		case Semi:
			l, r = d.with(n.On...).join(n.R), d.with(n.On...).join(n.L)
		case Left:
			// What is said above of the right side may hold where nothing
			// matched, so each match matters.
			r = d.without(ids(n.R.Columns())).with(n.On...).join(n.L)
		case Anti:
			r = d.with(n.On...).join(n.L)
		}
		down(n.L, l)
		down(n.R, r)
	}
}

// computable tells whether a condition can be tested in a statement of its
// own: its subqueries need no packets and refer to nothing outside.
func computable(e Expr) bool {
	ok := true
	walk(e, func(e Expr) {
		if s, is := e.(*Subquery); is {
			ok = ok && !hasPackets(s.Rel) && !refersOut(s.Rel)
		}
	})
	return ok
}

// stabilise makes relations that are cut, and that packets are found by, the
// same each time they are computed: the statement and its key plan both do.
// What ties in the order people gave is ordered by the columns in use.
func stabilise(rel Rel, used map[ColumnID]bool) {
	if !hasPackets(rel) {
		settleOrder(rel, used)
		return
	}
	eachChild(rel, func(ch Rel) { stabilise(ch, used) })
}

func settleOrder(rel Rel, used map[ColumnID]bool) {
	keys := func(rel Rel, given []SortKey) []SortKey {
		var out []SortKey
		for _, c := range rel.Columns() {
			same := func(k SortKey) bool { col, ok := k.Expr.(*Col); return ok && col.ID == c.ID }
			if used[c.ID] && c.Kind != Bytes && !slices.ContainsFunc(given, same) {
				out = append(out, SortKey{Expr: &Col{c}})
			}
		}
		return out
	}
	switch n := rel.(type) {
	case *Limit:
		at := &n.Child
		for {
			if p, ok := (*at).(*Project); ok {
				at = &p.Child
				continue
			}
			break
		}
		if s, ok := (*at).(*Sort); ok {
			s.Keys = append(slices.Clip(s.Keys), keys(s.Child, s.Keys)...)
		} else {
			n.Child = &Sort{n.Child, keys(n.Child, nil)}
		}
	case *Window:
		for i := range n.Exprs {
			n.Exprs[i].Expr = rewriteExpr(n.Exprs[i].Expr, func(e Expr) Expr {
				if o, ok := e.(*Over); ok {
					if x, ok := o.Call.(*Call); ok && (x.Op == "row_number" || x.Op == "ntile" || x.Op == "lag" || x.Op == "lead") {
						o.Order = append(slices.Clip(o.Order), keys(n.Child, o.Order)...)
					}
				}
				return e
			})
		}
	}
	eachChild(rel, func(ch Rel) { settleOrder(ch, used) })
}

// eachChild visits the relations below, those of subqueries included.
func eachChild(rel Rel, f func(Rel)) {
	for _, e := range exprsOf(rel) {
		walk(e, func(e Expr) {
			if s, ok := e.(*Subquery); ok {
				f(s.Rel)
			}
		})
	}
	for _, ch := range children(rel) {
		f(ch)
	}
}

func hasPackets(rel Rel) bool {
	return slices.ContainsFunc(scansOf(rel), func(s *Scan) bool { return IsPackets(s.Relation) })
}

// settleConditions restates conditions in columns that are known: what equals a column
// of another scan of packets equals what that equals. The result has no
// equality of two columns but those between known ones.
func settleConditions(conds []Expr, source, packet map[ColumnID]Column) []Expr {
	class := map[ColumnID]ColumnID{}
	find := func(id ColumnID) ColumnID {
		for class[id] != 0 && class[id] != id {
			id = class[id]
		}
		return id
	}
	var order []Column
	seen := map[ColumnID]bool{}
	var rest []Expr
	for _, e := range conds {
		a, b, ok := columnsEqual(e)
		if !ok {
			rest = append(rest, e)
			continue
		}
		for _, c := range []Column{a, b} {
			if !seen[c.ID] {
				seen[c.ID] = true
				order = append(order, c)
			}
		}
		if x, y := find(a.ID), find(b.ID); x != y {
			class[y] = x
		}
	}
	var out []Expr
	known := map[ColumnID]Expr{} // per class
	for _, set := range []map[ColumnID]Column{source, packet} {
		for _, c := range order {
			if _, ok := set[c.ID]; !ok {
				continue
			}
			if first, ok := known[find(c.ID)]; ok {
				out = append(out, call("=", Bool, &Col{c}, first))
			} else {
				known[find(c.ID)] = &Col{c}
			}
		}
	}
	by := map[ColumnID]Expr{}
	for _, c := range order {
		_, inSource := source[c.ID]
		_, inPacket := packet[c.ID]
		if x, ok := known[find(c.ID)]; ok && !inSource && !inPacket {
			by[c.ID] = x
		}
	}
	for _, e := range rest {
		out = append(out, substitute(e, by))
	}
	return out
}

// columnsEqual takes apart an equality of two columns of one kind.
func columnsEqual(e Expr) (a, b Column, ok bool) {
	x, isCall := e.(*Call)
	if !isCall || x.Op != "=" {
		return a, b, false
	}
	l, lok := x.Args[0].(*Col)
	r, rok := x.Args[1].(*Col)
	if !lok || !rok || l.Column.Kind != r.Column.Kind {
		return a, b, false
	}
	return l.Column, r.Column, true
}

// cloner copies relations with scans of their own, so that a plan can be
// pruned without changing another.
type cloner struct {
	c     *compiler
	scans map[*Scan]*Scan
}

func (k *cloner) rel(rel Rel) Rel {
	if n, ok := rel.(*Scan); ok {
		if s, ok := k.scans[n]; ok {
			return s
		}
		s := &Scan{ID: len(k.c.scans), Relation: n.Relation, Out: n.Out, Hidden: slices.Clone(n.Hidden), Needed: make([]bool, len(n.Needed))}
		k.c.scans = append(k.c.scans, s)
		k.scans[n] = s
		return s
	}
	return mapRel(shallow(rel), k.rel, k.expr)
}

// oneOf is a row, if there is one, that fulfils conditions: of a copy of a scan that
// reads no stored column but what they ask. It is met by a row of each of the joins'
// right sides.
func (c *compiler) oneOf(s *Scan, conds []Expr, met ...*Join) Rel {
	k := &cloner{c, map[*Scan]*Scan{}}
	of := filter(s, conds)
	for _, j := range met {
		of, j.L = j, of
	}
	rel := k.rel(&Limit{Child: of, Count: 1})
	asked := map[ColumnID]bool{}
	for _, e := range conds {
		references(e, asked)
	}
	own := k.scans[s]
	own.Hidden = slices.DeleteFunc(own.Hidden, func(h Column) bool { return !asked[h.ID] })
	return rel
}

func (k *cloner) expr(e Expr) Expr {
	return rewriteExpr(e, func(e Expr) Expr {
		if s, ok := e.(*Subquery); ok {
			n := *s
			n.Rel = k.rel(s.Rel)
			return &n
		}
		return e
	})
}
