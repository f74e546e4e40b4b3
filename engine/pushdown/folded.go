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
		q, err := c.written(c.oneOf(s, own), []Named{{Column{ID: c.identity(), Name: "folded", Type: longtext}, &Cast{Arg: folded, T: longtext}}})
		if err != nil {
			return nil, err
		}
		queries = append(queries, q)
	}
	return queries, nil
}
