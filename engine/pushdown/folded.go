package pushdown

import (
	"slices"
)

// A flood that nobody answered is folded: a row stands for its conversations, from
// the unspecified address. A statement that reads such rows without a word of it is
// answered, and told: for that it comes with the question whether there are some.

// foldedEnds are the columns by which the conversations of a fold would be told apart, and
// are not.
var foldedEnds = set("client_ip client_port client_host src_ip src_port src_host community_id")

// foldedQueries are, for each scan of rows that may be folds, a SELECT of how many
// conversations one of those stands for that may have some the scan asks for.
func (c *compiler) foldedQueries(rel Rel) ([]Query, error) {
	if !c.env.Folds {
		return nil, nil
	}
	above := map[*Scan][]Expr{}
	var visit func(Rel)
	visit = func(rel Rel) {
		if f, ok := rel.(*Filter); ok {
			if s, ok := f.Child.(*Scan); ok {
				above[s] = f.Conjuncts
			}
		}
		eachChild(rel, visit)
	}
	visit(rel)
	var queries []Query
	for _, s := range scansOf(rel) {
		folded := s.column("flows_folded")
		if folded == nil || c.twice[s] || s.Relation == FlowIndex || s.refersTo("flows_folded") {
			continue
		}
		own := slices.DeleteFunc(ownConditions(s, above[s]), func(e Expr) bool {
			refs := map[ColumnID]bool{}
			references(e, refs)
			return slices.ContainsFunc(s.Columns(), func(col Column) bool {
				return refs[col.ID] && (foldedEnds[col.Name] || !slices.ContainsFunc(s.Out, func(o Column) bool { return o.ID == col.ID }))
			})
		})
		own = append(own, not(call("is null", Bool, folded)))
		q, err := c.written(c.oneOf(s, own, metBy(rel, s, above)...), []Named{{Column{ID: c.identity(), Name: "folded", Type: longtext}, &Cast{Arg: folded, T: longtext}}})
		if err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, nil
}

// metBy are what rows of a scan must meet to be in the answer: rows of others that they are
// joined with by columns that folds have, such as conn_id. A fold that meets none is in no
// answer.
func metBy(rel Rel, s *Scan, above map[*Scan][]Expr) (met []*Join) {
	of := func(e Expr, scans []*Scan) (*Scan, string) {
		if ref, ok := e.(*Col); ok {
			for _, t := range scans {
				for i, col := range t.Out {
					if col.ID == ref.ID {
						return t, t.Relation.Columns[i].Name
					}
				}
			}
		}
		return nil, ""
	}
	var visit func(Rel)
	visit = func(rel Rel) {
		eachChild(rel, visit)
		j, ok := rel.(*Join)
		if !ok || j.Lateral || j.Kind != Inner && j.Kind != Semi && j.Kind != Left {
			return
		}
		others := scansOf(j.L)
		if slices.Contains(others, s) {
			if others = scansOf(j.R); j.Kind == Left {
				return
			}
		} else if !slices.Contains(scansOf(j.R), s) {
			return
		}
		on := map[*Scan][]Expr{}
		for _, e := range j.On {
			if !isEquality(e) {
				continue
			}
			args := e.(*Call).Args
			for i := range args {
				mine, name := of(args[i], []*Scan{s})
				other, _ := of(args[1-i], others)
				if mine != nil && other != nil && !foldedEnds[name] && !IsPackets(other.Relation) && other.Relation.Schema == s.Relation.Schema {
					on[other] = append(on[other], e)
				}
			}
		}
		for _, t := range others { // in their order
			if len(on[t]) > 0 {
				met = append(met, &Join{Kind: Semi, R: filter(t, ownConditions(t, above[t])), On: on[t]})
			}
		}
	}
	visit(rel)
	return met
}
