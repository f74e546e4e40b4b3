package pushdown

import (
	"slices"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/proto/query"
)

// finish turns a relation in normal form, with the results wanted of it, into
// a plan.
func (c *compiler) finish(rel Rel, out []Named) (*Plan, error) {
	p := &Plan{Notes: c.notes}
	for i := range out {
		p.Columns = append(p.Columns, out[i].Column)
	}
	if hasPackets(rel) {
		used := map[sql.ColumnId]bool{}
		relReferences(rel, used)
		for i := range out {
			references(out[i].Expr, used)
		}
		stabilise(rel, used)
	}
	var err error
	if p.Packets, err = c.packetPlans(rel); err != nil {
		return nil, err
	}
	p.Direct = directly(rel, out, p.Packets)
	p.Bounds = planBounds(boundsOf(rel))
	if p.SQL, p.Scans, err = statement(rel, out); err != nil {
		return nil, &Refusal{"the statement", err.Error()}
	}
	for _, k := range p.Packets {
		for _, s := range p.Scans {
			if s.ID == k.ID {
				k.Columns = s.Columns
			}
		}
	}
	p.Tree = tree(rel)
	if p.Sampled, err = c.sampledQueries(rel, out); err != nil {
		return nil, &Refusal{"the statement", err.Error()}
	}
	return p, nil
}

// statement writes a relation as a statement with the results out, which are
// columns of it. It drops what is not needed for them, and says what the scans
// in it read.
func statement(rel Rel, out []Named) (string, []*ScanPlan, error) {
	if inner, ok := rel.(*Project); ok {
		// The last select list is the planner's: no need for a second one.
		exprs := byID(inner.Exprs)
		merged := slices.Clone(out)
		for i := range merged {
			if merged[i].Expr, ok = inlined(out[i].Expr, exprs); !ok {
				break
			}
		}
		if ok {
			out, rel = merged, inner.Child
		}
	}
	need := map[sql.ColumnId]bool{}
	for i := range out {
		references(out[i].Expr, need)
		pruneSubqueries(out[i].Expr)
	}
	top := &Project{prune(rel, need), out}
	r := &renderer{top: top}
	text := r.rel(top).text(0)
	var scans []*ScanPlan
	bounds := boundsOf(top)
	for _, s := range scansOf(top) {
		scans = append(scans, &ScanPlan{s.ID, s.Relation, s.needed(), bounds[s]})
	}
	return text, scans, r.err
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
		if c, ok := n.Expr.(*Col); ok && c.Digits == 0 && c.Type.Equals(n.Type) {
			break
		}
		if c, ok := n.Expr.(*Cast); ok && c.Type.Equals(n.Type) {
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
