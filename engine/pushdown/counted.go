package pushdown

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// Counting all rows of a relation. How many a row file has is known without it,
// so a scan that is only counted puts out a number for each file in place of rows.

// rowsThere is the hidden column of such a scan: how many rows one stands for. The
// aggregate "counted" adds them up.
const rowsThere = "*"

// byFiles counts what is counted whole by the file.
func (c *compiler) byFiles(rel Rel) {
	eachGroup(rel, func(g *Group) {
		b := beneath(g)
		if b == nil || len(b.keys) > 0 || len(b.aggs) == 0 || len(b.conds) > 0 || !storedAsIs(b.scan.Relation) {
			return
		}
		for _, a := range b.aggs {
			n, ok := a.Expr.(*Aggregate)
			if !ok || n.Name != "count" || n.Distinct || slices.ContainsFunc(n.Args, func(e Expr) bool { return !notNull(e, b.scan) }) {
				return
			}
		}
		there := c.hidden(b.scan, rowsThere, Integer)
		for i := range b.aggs {
			b.aggs[i].Expr = &Aggregate{Name: "counted", Args: []Expr{there}, T: bigint}
		}
		g.Aggs, g.Child = b.aggs, b.scan
	})
}

// storedAsIs tells whether a relation has a row for each row of its files.
func storedAsIs(rel *tables.Relation) bool {
	for v := views[rel]; v != nil; v = v.also {
		if v.make != nil || v.where != "" || v.group != nil {
			return false
		}
	}
	return views[rel] != nil
}
