package pushdown

import (
	"fmt"
	"slices"
)

// finish turns a relation in normal form, with the results wanted of it, into
// a plan.
func (c *compiler) finish(rel Rel, out []Named) (*Plan, error) {
	p := &Plan{Answered: c.answered, Notes: c.notes, Warnings: c.warnings}
	for i := range out {
		p.Columns = append(p.Columns, out[i].Column)
	}
	if hasPackets(rel) {
		used := map[ColumnID]bool{}
		relReferences(rel, used)
		for i := range out {
			references(out[i].Expr, used)
		}
		stabilise(rel, used)
	}
	var err error
	if !c.env.Plain {
		if p.Packets, err = c.packetPlans(rel); err != nil {
			return nil, err
		}
		p.Direct = directly(rel, out, p.Packets)
	}
	p.Bounds = planBounds(boundsOf(rel, true))
	if p.query, err = c.written(rel, out); err != nil {
		return nil, err
	}
	p.SQL, p.Scans = p.query.Shown(), p.query.Scans
	for _, k := range p.Packets {
		for _, s := range p.Scans {
			if s.ID == k.ID {
				k.Columns = s.Columns
			}
		}
	}
	p.Tree = tree(rel)
	p.Costs, p.Blocks = costs(&Project{rel, out}), blocksOf(&Project{rel, out})
	p.Ends = ends(rel)
	p.outline = func() string { return outline(rel) }
	if p.Sampled, err = c.sampledQueries(rel, out); err != nil {
		return nil, err
	}
	p.Folded, err = c.foldedQueries(rel)
	return p, err
}

// written makes a statement of a relation with the results out, which are
// columns of it. It drops what is not needed for them, and says what the scans
// in it read.
func (c *compiler) written(rel Rel, out []Named) (Query, error) {
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
			used := map[ColumnID]bool{}
			for i := range out {
				references(out[i].Expr, used)
			}
			inner.Exprs = slices.DeleteFunc(inner.Exprs, func(n Named) bool { return !used[n.ID] }) // a view has more
			out, rel = merged, inner.Child
		}
	}
	need := map[ColumnID]bool{}
	for i := range out {
		references(out[i].Expr, need)
		pruneSubqueries(out[i].Expr)
	}
	top := &Project{prune(rel, need), out}
	var scans []*ScanPlan
	bounds := boundsOf(top, false)
	for _, s := range scansOf(top) {
		scans = append(scans, &ScanPlan{s.ID, s.Relation, s.needed(), bounds[s], s.Ends})
	}
	q := Query{dialect: c.dialect, parts: []queryPart{{top: fewAtATime(top).(*Project)}}, Scans: scans}
	_, err := q.Text(symbolic{})
	return q, err
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
	have := TypeOf(n.Expr)
	switch n.Kind {
	case Bool:
		texts[0] = "CAST(" + r.boolean(n.Expr) + " AS TINYINT)"
	case Integer:
		if c, ok := n.Expr.(*Col); !ok || c.Bits != n.Bits {
			texts[0] = "CAST(" + texts[0] + " AS " + duckType(n.Type) + ")"
		}
	case Decimal:
		if c, ok := n.Expr.(*Col); ok && c.Digits == 0 {
			break
		}
		if c, ok := n.Expr.(*Cast); ok && c.T.Scale == n.Scale {
			break
		}
		texts[0] = "CAST(" + texts[0] + " AS " + duckType(n.Type) + ")"
	default:
		if have.Kind == Null && n.Kind != Null && n.Kind < Address {
			texts[0] = "CAST(NULL AS " + duckType(n.Type) + ")"
		}
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

// duckType is the DuckDB type a value has.
func duckType(t Type) string {
	switch t.Kind {
	case Bool:
		return "BOOLEAN"
	case Integer:
		switch t.Bits {
		case 8:
			return "TINYINT"
		case 16:
			return "SMALLINT"
		case 24, 32:
			return "INTEGER"
		}
		return "BIGINT"
	case Unsigned:
		return "UBIGINT"
	case Decimal:
		scale := min(t.Scale, maxScale)
		return fmt.Sprintf("DECIMAL(38,%d)", scale)
	case Double:
		return "DOUBLE"
	case Bytes:
		return "BLOB"
	case Time:
		return "TIMESTAMP"
	case Date:
		return "DATE"
	case Clock, MAC:
		return "BIGINT"
	case Address, ID, Community:
		return "UBIGINT"
	}
	return "VARCHAR"
}
