package pushdown

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/proto/query"
)

// finish turns a relation in normal form, with the results wanted of it, into
// text.
func (c *compiler) finish(rel Rel, out []Named) (*Plan, error) {
	p := &Plan{}
	for i := range out {
		p.Columns = append(p.Columns, out[i].Column)
	}
	if inner, ok := rel.(*Project); ok {
		// The last select list is the planner's: no need for a second one.
		exprs := map[sql.ColumnId]Expr{}
		for _, n := range inner.Exprs {
			exprs[n.ID] = n.Expr
		}
		for i := range out {
			if e, ok := exprs[out[i].Expr.(*Col).ID]; ok {
				out[i].Expr = e
			}
		}
		rel = inner.Child
	}
	need := map[sql.ColumnId]bool{}
	for _, o := range out {
		references(o.Expr, need)
	}
	for i := range out {
		pruneSubqueries(out[i].Expr)
	}
	rel = prune(rel, need)
	for _, s := range scansOf(&Project{rel, out}) {
		p.Scans = append(p.Scans, &ScanPlan{s.ID, s.Relation, s.needed()})
	}
	r := &renderer{}
	top := &Project{Child: rel, Exprs: out}
	r.top = top
	p.SQL = r.rel(top).text(0)
	if r.err != nil {
		return nil, &Refusal{"the statement", r.err.Error()}
	}
	return p, nil
}

// needed names the columns the plan refers to.
func (s *Scan) needed() []string {
	var out []string
	for i, c := range s.Relation.Columns {
		if s.Needed[i] {
			out = append(out, c.Name)
		}
	}
	for _, c := range s.Hidden {
		out = append(out, c.Name)
	}
	return out
}

// result writes the select list entries of a result: in the type the client
// is told.
func (r *renderer) result(n Named) []string {
	names := columnLanes(n.Column)
	texts := r.lanes(n.Expr, n.Kind)
	switch n.Kind {
	case Bool:
		texts[0] = "CAST(" + r.boolean(n.Expr) + " AS TINYINT)"
	case Integer:
		if c, ok := n.Expr.(*Col); !ok || c.Type != n.Type {
			texts[0] = "CAST(" + texts[0] + " AS " + integerType(n.Type) + ")"
		}
	case Decimal:
		if c, ok := n.Expr.(*Col); ok && c.Type.Equals(n.Type) {
			break
		}
		texts[0] = "CAST(" + texts[0] + " AS " + n.Type.String() + ")"
	}
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = name
		if texts[i] != name {
			out[i] = texts[i] + " AS " + name
		}
	}
	return out
}

func integerType(t sql.Type) string {
	switch t.Type() {
	case query.Type_INT8:
		return "TINYINT"
	case query.Type_INT16:
		return "SMALLINT"
	case query.Type_INT24, query.Type_INT32:
		return "INTEGER"
	case query.Type_UINT8:
		return "UTINYINT"
	case query.Type_UINT16:
		return "USMALLINT"
	case query.Type_UINT24, query.Type_UINT32:
		return "UINTEGER"
	case query.Type_UINT64:
		return "UBIGINT"
	}
	return "BIGINT"
}
