package pushdown

import (
	"slices"

	"github.com/wiresql/wiresql/functions"
)

// Counting packets without reading any. A flow row knows how many packets and
// bytes went each way, so groups by what all packets of a direction share are
// summed up from flow rows: exactly, as long as the packets are all there.

// rollUp replaces scans of packets below aggregates that flow rows can answer.
func (c *compiler) rollUp(rel Rel) {
	eachGroup(rel, func(g *Group) {
		if c.rollUpGroup(g) {
			c.notes = append(c.notes, "packets are counted from flow rows, none is read")
		}
	})
}

// base is the scan that a group is made of, its expressions in columns of that.
type base struct {
	scan       *Scan
	keys, aggs []Named
	conds      []Expr
}

// beneath is the base of a group; nil when it has more than one, or is longer than
// anybody would write: each select list may double what is above it.
func beneath(n *Group) *base {
	b := &base{keys: slices.Clone(n.Keys), aggs: slices.Clone(n.Aggs)}
	for rel := n.Child; ; {
		switch r := rel.(type) {
		case *Scan:
			b.scan = r
			return b
		case *Filter:
			b.conds = append(b.conds, r.Conjuncts...)
			rel = r.Child
		case *Project:
			by, ok := byID(r.Exprs), true
			for _, list := range [][]Named{b.keys, b.aggs} {
				for i := range list {
					if list[i].Expr, ok = inlined(list[i].Expr, by); !ok {
						return nil
					}
				}
			}
			for i := range b.conds {
				if b.conds[i], ok = inlined(b.conds[i], by); !ok {
					return nil
				}
			}
			rel = r.Child
		case *Sort:
			rel = r.Child
		default:
			return nil
		}
	}
}

// rollUpGroup changes a group in place; false when it needs packets.
func (c *compiler) rollUpGroup(n *Group) bool {
	b := beneath(n)
	if b == nil || !IsPackets(b.scan.Relation) {
		return false
	}
	packets, keys, aggs, conds := b.scan, b.keys, b.aggs, b.conds
	counts := Column{ID: c.identity(), Name: "packets", Type: bigint}
	lengths := Column{ID: c.identity(), Name: "wire_bytes", Type: bigint}
	u := &tally{folds: c.env.Folds, packets: packets, counts: counts, lengths: lengths, columns: map[ColumnID]Column{}}
	for i := range keys {
		u.use(keys[i].Expr)
	}
	for _, e := range conds {
		u.use(e)
	}
	for i := range aggs {
		aggs[i].Expr = u.aggregates(aggs[i].Expr)
	}
	if u.failed {
		return false
	}
	n.Keys, n.Aggs, n.Child = keys, aggs, u.rel(c, conds)
	return true
}

// tally stands for a scan of packets: the columns used of it, and per
// direction of a flow row the packets and their lengths.
type tally struct {
	packets         *Scan
	counts, lengths Column
	columns         map[ColumnID]Column
	failed          bool
	folds           bool // see Env
}

// use notes the columns an expression refers to, which all have to be shared.
func (u *tally) use(e Expr) {
	refs := map[ColumnID]bool{}
	references(e, refs)
	for id := range refs {
		found := false
		for i, col := range u.packets.Relation.Columns {
			if u.packets.Out[i].ID == id && shared[col.Name] != "" && !(u.folds && varied[col.Name]) {
				u.columns[id], found = u.packets.Out[i], true
			}
		}
		u.failed = u.failed || !found
	}
	u.failed = u.failed || hasSubquery(e) || volatile(e)
}

// volatile tells whether an expression is another for each row whatever is in
// it, as RAND().
func volatile(e Expr) (found bool) {
	walk(e, func(e Expr) {
		switch x := e.(type) {
		case *Call:
			found = found || x.Op == "rand" || x.Op == "uuid"
		case *Func:
			found = found || functions.Volatile(x.Node)
		}
	})
	return found
}

// aggregates restates aggregates over packets as aggregates over directions.
func (u *tally) aggregates(e Expr) Expr {
	outer := rewriteExpr(e, func(e Expr) Expr {
		a, ok := e.(*Aggregate)
		if !ok {
			return e
		}
		switch {
		case a.Name == "count" && !a.Distinct && (len(a.Args) == 0 || u.never(a.Args)):
			sum := &Aggregate{Name: "sum", Args: []Expr{&Col{u.counts}}, T: Type{Kind: Decimal, Precision: 38}}
			return &Cast{Arg: call("coalesce", Decimal, sum, lit(Integer, int64(0))), T: bigint}
		case a.Name == "sum" && !a.Distinct && u.isLength(a.Args[0]):
			return &Aggregate{Name: "sum", Args: []Expr{&Col{u.lengths}}, T: a.T}
		case a.Distinct && a.Name == "count", a.Name == "min", a.Name == "max", a.Name == "any_value":
			for _, x := range a.Args {
				u.use(x)
			}
			return a
		}
		u.failed = true
		return e
	})
	return outer
}

// never tells whether a row's values are never NULL.
func (u *tally) never(args []Expr) bool {
	return !slices.ContainsFunc(args, func(e Expr) bool { return !notNull(e, u.packets) })
}

func (u *tally) isLength(e Expr) bool {
	col, ok := e.(*Col)
	return ok && col.name(u.packets) == "length"
}

// rel puts out a row per direction of a flow row that has packets, and one per
// row of packets without a flow.
func (u *tally) rel(c *compiler, conds []Expr) Rel {
	out := []Column{}
	for _, col := range u.packets.Out {
		if _, ok := u.columns[col.ID]; ok {
			out = append(out, col)
		}
	}
	out = append(out, u.counts, u.lengths)
	fresh := func(col Column) Column {
		col.ID = c.identity()
		return col
	}
	direction := func(back bool, packets, bytes string) Rel {
		f := c.scan(FlowIndex)
		m := newMapping(u.packets, f, back)
		p := &Project{Child: f}
		var tests []Expr
		for _, col := range out[:len(out)-2] {
			p.Exprs = append(p.Exprs, Named{fresh(col), m.by[col.ID]})
		}
		p.Exprs = append(p.Exprs, Named{fresh(u.counts), f.column(packets)}, Named{fresh(u.lengths), f.column(bytes)})
		for _, e := range conds {
			tests = append(tests, substitute(e, m.by))
		}
		tests = append(tests, call(">", Bool, f.column(packets), lit(Integer, int64(0))))
		p.Child = filter(f, tests)
		return p
	}
	flows := &SetOp{Op: "UNION", All: true, L: direction(false, "packets", "wire_bytes"),
		R: direction(true, "reverse_packets", "reverse_wire_bytes"), Out: out}
	absent := map[ColumnID]bool{}
	for _, col := range u.packets.Out {
		if noFlow[col.Name] {
			absent[col.ID] = true
		}
	}
	if slices.ContainsFunc(conds, func(e Expr) bool { return rejectsNull(e, absent) }) {
		return flows
	}
	o := c.scan(OtherIndex)
	m := newMapping(u.packets, o, false)
	var known, left []Expr
	for _, e := range conds {
		if x, ok := m.exactly(e); ok {
			known = append(known, x)
		} else {
			left = append(left, e)
		}
	}
	p := &Project{Child: filter(o, known)}
	for _, col := range out[:len(out)-2] {
		x := m.by[col.ID]
		if x == nil {
			x = null()
		}
		p.Exprs = append(p.Exprs, Named{fresh(col), x})
	}
	p.Exprs = append(p.Exprs, Named{fresh(u.counts), o.column("packets")}, Named{fresh(u.lengths), o.column("wire_bytes")})
	inner := slices.Clone(out)
	for i := range inner {
		inner[i] = fresh(inner[i])
	}
	flows.Out = inner
	return filter(&SetOp{Op: "UNION", All: true, L: flows, R: p, Out: out}, left)
}
