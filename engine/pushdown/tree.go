package pushdown

import (
	"fmt"
	"strings"
)

// tree prints a relation of the intermediate form, a node per line: what the
// packet plan sees, and what EXPLAIN may show beside the SQL.
func tree(rel Rel) string {
	var b strings.Builder
	printTree(&b, rel, 0)
	return b.String()
}

func printTree(b *strings.Builder, rel Rel, depth int) {
	indent := strings.Repeat("  ", depth)
	r := &renderer{bind: symbolic{}}
	exprs := func(list []Expr, sep string) string {
		out := make([]string, len(list))
		for i, e := range list {
			out[i] = strings.Join(strings.Fields(strings.Join(r.lanes(e, e.Kind())[:1], "")), " ")
		}
		return strings.Join(out, sep)
	}
	named := func(list []Named) string {
		out := make([]string, len(list))
		for i, n := range list {
			out[i] = fmt.Sprintf("c%d=%s", n.ID, exprs([]Expr{n.Expr}, ""))
		}
		return strings.Join(out, ", ")
	}
	line := ""
	switch n := rel.(type) {
	case *Scan:
		var cols []string
		for i, c := range n.Out {
			if n.Needed[i] {
				cols = append(cols, fmt.Sprintf("c%d=%s", c.ID, c.Name))
			}
		}
		for _, c := range n.Hidden {
			cols = append(cols, fmt.Sprintf("c%d=%s", c.ID, c.Name))
		}
		line = fmt.Sprintf("scan %d %s.%s: %s", n.ID, n.Relation.Schema, n.Relation.Name, strings.Join(cols, ", "))
	case *Dual:
		line = "one row"
	case *Filter:
		line = "filter " + exprs(n.Conjuncts, " AND ")
	case *Project:
		line = "project " + named(n.Exprs)
	case *Group:
		if line = "group by "; n.Rollup {
			line = "roll up by "
		}
		line += named(n.Keys) + " compute " + named(n.Aggs)
	case *Window:
		line = "window " + named(n.Exprs)
	case *Join:
		kind := [...]string{"inner", "left", "cross", "semi", "anti"}[n.Kind]
		if line = kind + " join"; len(n.On) > 0 {
			line += " on " + exprs(n.On, " AND ")
		}
	case *Sort:
		var keys []string
		for _, k := range n.Keys {
			keys = append(keys, strings.Join(r.orderBy(k), ", "))
		}
		line = "sort by " + strings.Join(keys, ", ")
	case *Limit:
		line = fmt.Sprintf("limit %d offset %d", n.Count, n.Offset)
	case *Recursive:
		line = "recursive " + n.Name
	case *Ref:
		line = "round before of " + n.Name
	case *Distinct:
		line = "distinct"
	case *SetOp:
		if line = strings.ToLower(n.Op); n.All {
			line += " all"
		}
	}
	b.WriteString(indent + line + "\n")
	for _, ch := range children(rel) {
		printTree(b, ch, depth+1)
	}
}
