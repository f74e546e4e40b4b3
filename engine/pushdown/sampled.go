package pushdown

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// Rows of exporters that sample count what they saw, not what passed. A
// statement that adds them up without a word of the sampling rate is answered,
// and warned of: for that it comes with the question whether there are such
// rows among those it adds up.

// counters are the columns that a sampling rate applies to.
var counters = set("bytes packets reverse_bytes reverse_packets total_bytes total_packets")

// sampledQueries are, for each scan of flows whose counters are added up
// unscaled, a SELECT of observer and rate (as text) of one sampled row among
// those the scan lets through.
func (c *compiler) sampledQueries(rel Rel, out []Named) ([]Query, error) {
	made := map[ColumnID][]Expr{} // what a column is computed from
	above := map[*Scan][]Expr{}   // conditions right above a scan
	added := map[ColumnID]bool{}  // columns that are added up
	add := func(e Expr) {
		walk(e, func(e Expr) {
			if a, ok := e.(*Aggregate); ok && (a.Name == "sum" || a.Name == "avg") {
				for _, x := range a.Args {
					references(x, added)
				}
			}
		})
	}
	var visit func(Rel)
	visit = func(rel Rel) {
		if f, ok := rel.(*Filter); ok {
			if s, ok := f.Child.(*Scan); ok {
				above[s] = f.Conjuncts
			}
		}
		var named []Named
		switch n := rel.(type) {
		case *Project:
			named = n.Exprs
		case *Group:
			named = slices.Concat(n.Keys, n.Aggs)
		case *Window:
			named = n.Exprs
		case *SetOp:
			for _, side := range []Rel{n.L, n.R} {
				for i, col := range side.Columns() {
					made[n.Out[i].ID] = append(made[n.Out[i].ID], &Col{col})
				}
			}
		}
		for _, x := range named {
			made[x.ID] = append(made[x.ID], x.Expr)
		}
		for _, e := range exprsOf(rel) {
			add(e)
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
	for i := range out {
		add(out[i].Expr)
	}
	// Down to the columns of scans.
	for grown := true; grown; {
		grown = false
		for id := range added {
			before := len(added)
			for _, e := range made[id] {
				references(e, added)
			}
			grown = grown || len(added) > before
		}
	}
	var queries []Query
	bounds := boundsOf(rel, false)
	for _, s := range scansOf(rel) {
		if c.twice[s] || slices.Contains(bounds[s].Without, exportsView.family) || (s.Relation != tables.Flows && s.Relation != tables.FlowsWide) || s.refersTo("sampling_rate") ||
			!slices.ContainsFunc(s.Out, func(col Column) bool { return added[col.ID] && counters[(&Col{col}).name(s)] }) {
			continue
		}
		q, err := c.sampledQuery(s, above[s])
		if err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, nil
}

// refersTo tells whether the plan reads a column.
func (s *Scan) refersTo(name string) bool {
	for i, c := range s.Relation.Columns {
		if c.Name == name {
			return s.Needed[i]
		}
	}
	return false
}

// ownConditions are those that say something of a row of a scan alone.
func ownConditions(s *Scan, conds []Expr) (own []Expr) {
	inside := map[ColumnID]bool{}
	for _, col := range s.Columns() {
		inside[col.ID] = true
	}
	for _, e := range conds {
		refs := map[ColumnID]bool{}
		references(e, refs)
		outside := hasSubquery(e)
		for id := range refs {
			outside = outside || !inside[id]
		}
		if !outside {
			own = append(own, e)
		}
	}
	return own
}

func (c *compiler) sampledQuery(s *Scan, conds []Expr) (Query, error) {
	own := ownConditions(s, conds)
	rate, metered := s.column("sampling_rate"), lit(Text, "packets")
	own = append(own, call(">", Bool, rate, lit(Integer, int64(1))),
		call("<>", Bool, s.column("source_type"), metered))
	rel := c.oneOf(s, own)
	text := &Cast{Arg: rate, T: longtext}
	observer := s.column("observer")
	return c.written(rel, []Named{
		{Column{ID: observer.ID, Name: "observer", Type: observer.Type}, observer},
		{Column{ID: c.identity(), Name: "rate", Type: observer.Type}, text},
	})
}
