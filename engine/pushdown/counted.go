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
		s := countedScan(g.Child)
		if s == nil || len(g.Keys) > 0 || len(g.Aggs) == 0 || !storedAsIs(s.Relation) {
			return
		}
		for _, a := range g.Aggs {
			n, ok := a.Expr.(*Aggregate)
			if !ok || n.Name != "count" || n.Distinct || slices.ContainsFunc(n.Args, func(e Expr) bool { return !notNull(e, s) }) {
				return
			}
		}
		there := c.hidden(s, rowsThere, Integer)
		for i := range g.Aggs {
			g.Aggs[i].Expr = &Aggregate{Name: "counted", Args: []Expr{there}, T: bigint}
		}
		g.Child = s
	})
}

// countedScan is the scan below select lists and orders, which change no number of
// rows; nil when there is more.
func countedScan(rel Rel) *Scan {
	for {
		switch r := rel.(type) {
		case *Scan:
			return r
		case *Project:
			rel = r.Child
		case *Sort:
			rel = r.Child
		default:
			return nil
		}
	}
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
