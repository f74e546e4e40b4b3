package pushdown

import (
	"slices"
	"strconv"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// Recursive common table expressions.

// recursion is a recursive expression whose step is being bound.
type recursion struct {
	name  string
	out   []Column // the columns as the step sees them stored
	depth *Column  // the stored count of rounds; nil when rows must stay distinct
	// seen are the counts of the references in the arm being bound.
	seen []Column
}

// recursive binds a body whose later arms refer to itself.
func (c *compiler) recursive(d *definition) (*block, error) { return c.recursiveAs(d, nil) }

// recursiveAs holds some columns as text, by position: addresses and ids that a
// round makes other text of.
func (c *compiler) recursiveAs(d *definition, asText []int) (*block, error) {
	u, ok := d.body.(*sqlparser.Union)
	if !ok {
		return nil, mistake(3573, "Recursive Common Table Expression '%s' should contain a UNION", d.name)
	}
	if u.With != nil || len(u.OrderBy) > 0 {
		return nil, refuse(nil, "%s: WITH and ORDER BY inside a recursive common table expression", d.name)
	}
	// LIMIT ends the rounds where there are enough rows (MySQL manual 15.2.20).
	count, offset, err := c.limits(u.Limit)
	if err != nil {
		return nil, err
	}
	arms, ops := c.chain(u)
	first := 0
	for first < len(arms) && !mentions(arms[first], d.name) {
		first++
	}
	if first == 0 {
		return nil, mistake(3574, "Recursive Common Table Expression '%s' should have one or more non-recursive query blocks followed by one or more recursive ones", d.name)
	}
	all := true
	for _, op := range ops[first-1:] {
		if op.word != "UNION" {
			return nil, refuse(nil, "%s: %s in a recursive common table expression", d.name, op.word)
		}
		all = all && op.all
	}
	base, err := c.fold(arms[:first], ops[:first-1])
	if err != nil {
		return nil, err
	}
	c.rounds++
	r := &recursion{name: "r" + strconv.Itoa(c.rounds)}
	rec := &Recursive{Name: r.name, All: all}
	bp := &Project{Child: base.rel}
	for i, col := range base.out {
		x := c.shown(&Col{col})
		t := TypeOf(x)
		if slices.Contains(asText, i) {
			t = TypeOf(asShown(&Col{col}))
		}
		t.Nullable = true // what a round adds may be
		name := col.Name
		if len(d.columns) == len(base.out) {
			name = d.columns[i].String()
		}
		stored := Column{ID: c.identity(), Name: name, Type: t, Meaning: col.Meaning}
		r.out = append(r.out, stored)
		rec.Out = append(rec.Out, stored)
		e, err := c.coerce(x, t)
		if err != nil {
			return nil, err
		}
		bp.Exprs = append(bp.Exprs, Named{Column{ID: c.identity(), Name: name, Type: t}, e})
	}
	if all {
		r.depth = &Column{ID: c.identity(), Name: "depth", Type: bigint}
		rec.Out = append(rec.Out, *r.depth)
		bp.Exprs = append(bp.Exprs, Named{Column{ID: c.identity(), Name: "depth", Type: bigint}, lit(Integer, int64(0))})
	}
	rec.Base = bp

	inner := *d
	inner.ref = r
	before := c.ctes
	c.ctes = &inner
	defer func() { c.ctes = before }()
	for _, arm := range arms[first:] {
		r.seen = nil
		if err := mayRecur(arm, d.name); err != nil {
			return nil, err
		}
		b, err := c.statement(arm)
		if err != nil {
			return nil, err
		}
		if len(b.out) != len(r.out) {
			return nil, mistake(1222, "The used SELECT statements have a different number of columns")
		}
		p := &Project{Child: b.rel}
		for i, col := range b.out {
			if k := r.out[i].Kind; k >= Address && col.Kind != k && col.Kind != Null {
				return c.recursiveAs(d, append(asText, i))
			}
			e, err := c.coerce(c.shown(&Col{col}), r.out[i].Type)
			if err != nil {
				return nil, err
			}
			e = c.fitting(e, r.out[i])
			p.Exprs = append(p.Exprs, Named{Column{ID: c.identity(), Name: col.Name, Type: r.out[i].Type}, e})
		}
		if all {
			depth := Expr(lit(Integer, int64(0)))
			if len(r.seen) > 0 && carries(b.rel, r.seen[0]) {
				depth = call("next_round", Integer, &Col{r.seen[0]}, lit(Integer, c.variableNumber("cte_max_recursion_depth", 1000)))
			}
			p.Exprs = append(p.Exprs, Named{Column{ID: c.identity(), Name: "depth", Type: bigint}, depth})
		}
		if rec.Step == nil {
			rec.Step = p
			continue
		}
		u := &SetOp{Op: "UNION", All: true, L: rec.Step, R: p}
		for _, n := range p.Exprs {
			col := n.Column
			col.ID = c.identity()
			u.Out = append(u.Out, col)
		}
		rec.Step = u
	}
	return cut(&block{rel: rec, out: r.out}, count, offset), nil
}

// fitting holds what a round computes to the width of its column, which the
// first part has given: what does not fit is error 1406 or 1264, or cut where
// sql_mode is not strict.
func (c *compiler) fitting(e Expr, col Column) Expr {
	t := TypeOf(e)
	strict := c.sqlMode("STRICT_TRANS_TABLES") || c.sqlMode("STRICT_ALL_TABLES") || c.sqlMode("TRADITIONAL")
	switch {
	case isLiteral(e) && e.Kind() == Null:
		return e
	case (col.Kind == Text || col.Kind == Bytes) && col.Length > 0 && !(t.Length > 0 && t.Length <= col.Length):
		t.Length = col.Length
		if !strict {
			return typed("cut", t, e, lit(Integer, int64(col.Length)))
		}
		return typed("fit", t, e, lit(Integer, int64(col.Length)), lit(Text, "Data too long for column '"+col.Name+"' at row 1"))
	case col.Kind == Decimal && col.Precision > 0 && col.Precision < 38 && strict:
		return typed("fit", col.Type, e, lit(Integer, int64(col.Precision-col.Scale)), lit(Text, "Out of range value for column '"+col.Name+"' at row 1"))
	}
	return e
}

// mayRecur refuses what a recursive arm must not have (MySQL manual 15.2.20):
// rounds that do not come from the rows of the one before need not end.
func mayRecur(arm sqlparser.TableStatement, name string) error {
	references, inside, depth := 0, false, 0
	sums, ordered := false, false
	var visit func(n sqlparser.SQLNode) (bool, error)
	visit = func(n sqlparser.SQLNode) (bool, error) {
		switch n := n.(type) {
		case *sqlparser.Subquery, *sqlparser.DerivedTable:
			depth++
			_ = sqlparser.VisitSQLNode(n, func(child sqlparser.SQLNode) (bool, error) {
				if child == n {
					return true, nil
				}
				return visit(child)
			})
			depth--
			return false, nil
		case *sqlparser.AliasedTableExpr:
			if t, ok := n.Expr.(sqlparser.TableName); ok && t.Qualifier.IsEmpty() && strings.EqualFold(t.Name.String(), name) {
				references++
				inside = inside || depth > 0
			}
		case *sqlparser.Select:
			sums = sums || depth == 0 && (n.GroupBy != nil || n.Having != nil)
			ordered = ordered || depth == 0 && (n.Distinct || n.Limit != nil || len(n.OrderBy) > 0)
		case sqlparser.AggrFunc, sqlparser.WindowFunc:
			sums = sums || depth == 0
		case *sqlparser.FuncExpr:
			f, _, _ := rowsFunctionOf(n)
			sums = sums || depth == 0 && f.kind == ours
		}
		return true, nil
	}
	_ = sqlparser.VisitSQLNode(arm, visit)
	switch {
	case references == 0:
		return nil
	case sums:
		return mistake(3575, "Recursive Common Table Expression '%s' can contain neither aggregation nor window functions in recursive query block", name)
	case ordered:
		return refuse(nil, "%s: ORDER BY, LIMIT and DISTINCT in a recursive query block", name)
	case references > 1 || inside:
		return mistake(3577, "In recursive query block of Recursive Common Table Expression '%s', the recursive table must be referenced only once, and not in any subquery", name)
	}
	return nil
}

// carries makes a relation pass on a column from below through its select
// lists; false where it is lost.
func carries(rel Rel, col Column) bool {
	switch n := rel.(type) {
	case *Ref:
		for _, o := range n.Out {
			if o.ID == col.ID {
				return true
			}
		}
	case *Project:
		for _, x := range n.Exprs {
			if x.ID == col.ID {
				return true
			}
		}
		if carries(n.Child, col) {
			n.Exprs = append(n.Exprs, Named{col, &Col{col}})
			return true
		}
	case *Filter, *Sort, *Limit, *Window:
		return carries(children(n)[0], col)
	case *Join:
		return carries(n.L, col) || n.Kind != Semi && n.Kind != Anti && carries(n.R, col)
	}
	return false
}

// reference is the recursive expression inside its own step.
func (c *compiler) reference(d *definition, alias string) (*origin, error) {
	ref := &Ref{Name: d.ref.name}
	o := &origin{rel: ref}
	add := func(stored Column) Column {
		col := stored
		col.ID = c.identity()
		ref.Stored = append(ref.Stored, stored)
		ref.Out = append(ref.Out, col)
		return col
	}
	for i, stored := range d.ref.out {
		col := add(stored)
		o.cols = append(o.cols, visible{table: alias, name: stored.Name, col: col, pos: i})
	}
	if d.ref.depth != nil {
		d.ref.seen = append(d.ref.seen, add(*d.ref.depth))
	}
	return o, nil
}
