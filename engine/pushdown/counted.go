package pushdown

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// What is known of row files without reading them. How many rows a file has is, so
// a scan that is only counted puts out a number for each file in place of rows. When
// its first row began is, too, so for MIN(ts) and MAX(ts) what holds neither the
// first nor the last of all rows is not read.

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

// byEnds marks scans of which nothing but the first and the last ts is asked.
func (c *compiler) byEnds(rel Rel) {
	eachGroup(rel, func(g *Group) {
		b := beneath(g)
		if b == nil || len(b.keys) > 0 || len(b.aggs) == 0 || !storedAsIs(b.scan.Relation) || !timed(b.scan.Relation) {
			return
		}
		for _, n := range b.aggs {
			a, ok := n.Expr.(*Aggregate)
			if !ok || a.Name != "min" && a.Name != "max" || !b.scan.isStart(a.Args[0]) {
				return
			}
		}
		for _, e := range b.conds {
			x, ok := e.(*Call)
			if !ok || !slices.Contains([]string{"<", "<=", ">", ">=", "="}, x.Op) || !b.scan.isStart(x.Args[0]) {
				return
			}
			if _, ok := timeLiteral(x.Args[1]); !ok {
				return
			}
		}
		b.scan.Ends = true
		c.notes = append(c.notes, "the first and the last ts are looked for where they can be")
	})
}

// NotBetween is of the rows of a text those that do not lie between two times: row
// groups that do are not read.
func NotBetween(text string, first, last tables.Time) string {
	return "SELECT * FROM (" + text + ") r WHERE ts <= " + quoteTime(first) + " OR ts >= " + quoteTime(last)
}

// timed tells whether a relation's ts is that of its rows, wherever they come from.
func timed(rel *tables.Relation) bool {
	for v := views[rel]; v != nil; v = v.also {
		if v.exprs["ts"] != "" || v.grain > 0 || storedTypes(v.row)["ts"] == "" {
			return false
		}
	}
	return true
}

// isStart tells whether an expression is the scan's ts.
func (s *Scan) isStart(e Expr) bool {
	col, ok := e.(*Col)
	return ok && col.name(s) == "ts"
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
