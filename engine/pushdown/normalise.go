package pushdown

import (
	"slices"
)

// The normal form, which the packet plan and the pruning of files read:
//
//   - conditions stand as near to the scans as their columns allow;
//   - EXISTS and IN over a subquery, as conjuncts, are semi- and anti-joins
//     whose condition holds what was correlated;
//   - a left join whose right side is tested above it is an inner join;
//   - subqueries are in normal form themselves.

// normalise brings a relation into the normal form.
func (c *compiler) normalise(rel Rel) Rel {
	switch n := rel.(type) {
	case *Filter:
		child := c.normalise(n.Child)
		var rest []Expr
		for _, e := range n.Conjuncts {
			if j, ok := c.semijoin(child, e); ok {
				child = j
				continue
			}
			rest = append(rest, c.normaliseExpr(e))
		}
		return c.push(child, rest)
	case *Join:
		mapRel(n, c.normalise, c.normaliseExpr)
		on := n.On
		n.On = nil
		return c.pushOn(n, on)
	}
	return mapRel(rel, c.normalise, c.normaliseExpr)
}

// normaliseExpr brings the subqueries of an expression into the normal form.
func (c *compiler) normaliseExpr(e Expr) Expr {
	return rewriteExpr(e, func(e Expr) Expr {
		if s, ok := e.(*Subquery); ok {
			n := *s
			n.Rel = c.normalise(s.Rel)
			return &n
		}
		return e
	})
}

// push adds conditions to a relation as far down as they mean the same.
func (c *compiler) push(rel Rel, conds []Expr) Rel {
	if len(conds) == 0 {
		return rel
	}
	switch n := rel.(type) {
	case *Filter:
		return c.push(n.Child, append(n.Conjuncts[:len(n.Conjuncts):len(n.Conjuncts)], conds...))
	case *Project:
		exprs := byID(n.Exprs)
		var down, stay []Expr
		for _, e := range conds {
			x, ok := inlined(e, exprs)
			if ok {
				x = decided(x)
			}
			switch {
			case isTruth(x, true):
			case isTruth(x, false): // whatever else is asked
				n.Child = c.push(n.Child, []Expr{x})
				return n
			case ok:
				down = append(down, x)
			default:
				stay = append(stay, e)
			}
		}
		n.Child = c.push(n.Child, down)
		return filter(n, stay)
	case *Sort:
		n.Child = c.push(n.Child, conds)
		return n
	case *Distinct:
		n.Child = c.push(n.Child, conds)
		return n
	case *Group:
		// A condition on keys alone drops whole groups. Without keys there is
		// one group, also of no rows.
		if len(n.Keys) == 0 || n.Rollup {
			break
		}
		aggs := ids(namedColumns(n.Aggs))
		var down, stay []Expr
		for _, e := range conds {
			x, ok := inlined(e, byID(n.Keys))
			if !ok || refersTo(e, aggs) {
				stay = append(stay, e)
			} else {
				down = append(down, x)
			}
		}
		n.Child = c.push(n.Child, down)
		return filter(n, stay)
	case *SetOp:
		l, r := n.L.Columns(), n.R.Columns()
		left, right := map[ColumnID]Expr{}, map[ColumnID]Expr{}
		for i, col := range n.Out {
			left[col.ID], right[col.ID] = &Col{l[i]}, &Col{r[i]}
		}
		var lc, rc []Expr
		for _, e := range conds {
			lc = append(lc, substitute(e, left))
			rc = append(rc, substitute(e, right))
		}
		n.L, n.R = c.push(n.L, lc), c.push(n.R, rc)
		return n
	case *Join:
		return c.pushJoin(n, conds)
	case *Scan:
		return filter(n, c.storedTests(n, conds))
	}
	return filter(rel, conds)
}

// decided is a condition in which texts that are known are compared: an arm of
// a UNION may have one value of a column, and rows none of which are asked for.
// What compares with NULL is false: no row meets the condition.
func decided(e Expr) Expr {
	x, ok := e.(*Call)
	if !ok {
		return e
	}
	switch x.Op {
	case "and", "or":
		end := x.Op == "or" // what decides it
		var rest []Expr
		for _, a := range x.Args {
			switch a = decided(a); {
			case isTruth(a, end):
				return a
			case !isTruth(a, !end):
				rest = append(rest, a)
			}
		}
		switch len(rest) {
		case 0:
			return lit(Bool, !end)
		case 1:
			return rest[0]
		case len(x.Args):
			return e
		}
		return call(x.Op, Bool, rest...)
	case "=", "<>", "in":
		if isNull(x.Args[0]) || len(x.Args) == 2 && isNull(x.Args[1]) {
			return lit(Bool, false)
		}
		first, ok := textLiteral(x.Args[0])
		if !ok {
			return e
		}
		found := false
		for _, a := range x.Args[1:] {
			s, ok := textLiteral(a)
			if !ok {
				return e
			}
			found = found || s == first
		}
		return lit(Bool, found == (x.Op != "<>"))
	}
	return e
}

func isTruth(e Expr, which bool) bool {
	l, ok := e.(*Literal)
	return ok && l.T.Kind == Bool && l.Value == which
}

// filter adds conditions on top.
func filter(rel Rel, conds []Expr) Rel {
	if len(conds) == 0 {
		return rel
	}
	if f, ok := rel.(*Filter); ok {
		return &Filter{f.Child, append(f.Conjuncts[:len(f.Conjuncts):len(f.Conjuncts)], conds...)}
	}
	return &Filter{rel, conds}
}

// pushJoin distributes conditions that stand above a join.
func (c *compiler) pushJoin(n *Join, conds []Expr) Rel {
	l, r := ids(n.L.Columns()), ids(n.R.Columns())
	if n.Kind == Left {
		for _, e := range conds {
			if rejectsNull(e, r) {
				n.Kind = Inner
				// What was only a reason to match is a condition now.
				on := n.On
				n.On = nil
				return c.push(c.pushOn(n, on), conds)
			}
		}
	}
	var left, right, both []Expr
	for _, e := range conds {
		switch inL, inR := refersTo(e, l), refersTo(e, r); {
		case !inR:
			left = append(left, e)
		case n.Kind == Semi || n.Kind == Anti:
			left = append(left, e)
		case !inL && n.Kind != Left:
			right = append(right, e)
		default:
			both = append(both, e)
		}
	}
	n.L = c.push(n.L, left)
	n.R = c.push(n.R, right)
	if n.Kind == Left {
		return filter(n, both)
	}
	if n.Kind == Cross && len(both) > 0 {
		n.Kind = Inner
	}
	n.On = append(n.On, both...)
	return n
}

// pushOn distributes the conditions of a join itself.
func (c *compiler) pushOn(n *Join, on []Expr) Rel {
	l, r := ids(n.L.Columns()), ids(n.R.Columns())
	var left, right []Expr
	for _, e := range on {
		switch inL, inR := refersTo(e, l), refersTo(e, r); {
		case inL && inR:
			n.On = append(n.On, e)
		case inR:
			right = append(right, e)
		case n.Kind == Left || n.Kind == Anti:
			// A left row without this does not match, but stays.
			if hasSubquery(e) {
				e = c.compute(&n.L, e)
			}
			n.On = append(n.On, e)
		default:
			left = append(left, e)
		}
	}
	n.L, n.R = c.push(n.L, left), c.push(n.R, right)
	return n
}

// compute makes a column of an expression: DuckDB has no subqueries in the
// condition of an outer join.
func (c *compiler) compute(rel *Rel, e Expr) Expr {
	p := &Project{Child: *rel}
	for _, col := range (*rel).Columns() {
		p.Exprs = append(p.Exprs, Named{col, &Col{col}})
	}
	col := Column{ID: c.identity(), Type: TypeOf(e)}
	p.Exprs = append(p.Exprs, Named{col, e})
	*rel = p
	return &Col{col}
}

func hasSubquery(e Expr) bool {
	found := false
	walk(e, func(e Expr) {
		if _, ok := e.(*Subquery); ok {
			found = true
		}
	})
	return found
}

// rejectsNull tells whether a condition can't be true when all columns of the
// set are NULL.
func rejectsNull(e Expr, set map[ColumnID]bool) bool {
	call, ok := e.(*Call)
	if !ok {
		return false
	}
	column := func(e Expr) bool {
		for {
			if cast, ok := e.(*Cast); ok {
				e = cast.Arg
				continue
			}
			col, ok := e.(*Col)
			return ok && set[col.ID]
		}
	}
	switch call.Op {
	case "=", "<>", "<", "<=", ">", ">=":
		return column(call.Args[0]) || column(call.Args[1])
	case "like", "between", "ip_in", "is_private":
		return column(call.Args[0])
	case "in":
		return column(call.Args[0]) || !slices.ContainsFunc(call.Args[1:], func(e Expr) bool { return !column(e) })
	case "not":
		if in, ok := call.Args[0].(*Call); ok && in.Op == "is null" {
			return column(in.Args[0])
		}
	case "and":
		for _, a := range call.Args {
			if rejectsNull(a, set) {
				return true
			}
		}
	case "or":
		for _, a := range call.Args {
			if !rejectsNull(a, set) {
				return false
			}
		}
		return true
	}
	return false
}

// semijoin turns a conjunct over child that is EXISTS or IN into a join.
func (c *compiler) semijoin(child Rel, e Expr) (Rel, bool) {
	s, ok := e.(*Subquery)
	if !ok || s.Op != "exists" && s.Op != "in" {
		return nil, false
	}
	rest, outputs, correlated := open(s.Rel, s.Op == "exists")
	kind := Semi
	if s.Not {
		kind = Anti
	}
	if s.Op == "in" {
		for i, col := range s.Rel.Columns() {
			right := substitute(&Col{col}, outputs)
			if kind == Anti && !(notNull(s.Args[i], child) && notNull(right, rest)) {
				return nil, false
			}
			correlated = append(correlated, call("=", Bool, s.Args[i], right))
		}
	}
	// The join sees the columns of both sides, and nothing inside may look
	// out any more.
	if refersOut(rest) {
		return nil, false
	}
	for i, e := range correlated {
		if size(e, maxSize) >= maxSize {
			return nil, false
		}
		correlated[i] = c.normaliseExpr(correlated[i])
	}
	j := &Join{Kind: kind, L: child, R: c.normalise(rest)}
	return c.pushOn(j, correlated), true
}

// open takes the WHERE clause off a subquery: what remains, what its outputs
// are in terms of that, and the conditions that refer outside. Whether there
// is a row at all does not depend on a LIMIT.
func open(rel Rel, exists bool) (rest Rel, outputs map[ColumnID]Expr, correlated []Expr) {
	outputs = map[ColumnID]Expr{}
	for {
		switch n := rel.(type) {
		case *Project:
			exprs := byID(n.Exprs)
			for id, e := range outputs {
				outputs[id] = substitute(e, exprs)
			}
			for id, e := range exprs {
				if _, known := outputs[id]; !known {
					outputs[id] = e
				}
			}
			for i, e := range correlated {
				correlated[i] = substitute(e, exprs)
			}
			rel = n.Child
		case *Sort:
			rel = n.Child
		case *Distinct:
			rel = n.Child
		case *Limit:
			if !exists || n.Count == 0 || n.Offset > 0 {
				return rel, outputs, correlated
			}
			rel = n.Child
		case *Filter:
			inside := ids(n.Child.Columns())
			var own []Expr
			for _, e := range n.Conjuncts {
				if outside(e, inside) {
					correlated = append(correlated, e)
				} else {
					own = append(own, e)
				}
			}
			if len(own) < len(n.Conjuncts) && len(own) > 0 {
				return &Filter{n.Child, own}, outputs, correlated
			}
			if len(own) > 0 {
				return n, outputs, correlated
			}
			rel = n.Child
		default:
			return rel, outputs, correlated
		}
	}
}

// outside tells whether e refers to a column that is not in the set.
func outside(e Expr, inside map[ColumnID]bool) bool {
	m := map[ColumnID]bool{}
	references(e, m)
	subqueryColumns(e, inside, m)
	for id := range m {
		if !inside[id] {
			return true
		}
	}
	return false
}

// subqueryColumns removes from m what the subqueries of e produce themselves.
func subqueryColumns(e Expr, inside, m map[ColumnID]bool) {
	if e == nil {
		return
	}
	if s, ok := e.(*Subquery); ok {
		for id := range produced(s.Rel) {
			if !inside[id] {
				delete(m, id)
			}
		}
	}
	for _, o := range e.operands() {
		subqueryColumns(o, inside, m)
	}
}

// produced are the ids of all columns made anywhere in a relation.
func produced(rel Rel) map[ColumnID]bool {
	m := ids(rel.Columns())
	for _, ch := range children(rel) {
		for id := range produced(ch) {
			m[id] = true
		}
	}
	for _, e := range exprsOf(rel) {
		walk(e, func(e Expr) {
			if s, ok := e.(*Subquery); ok {
				for id := range produced(s.Rel) {
					m[id] = true
				}
			}
		})
	}
	return m
}

// refersOut tells whether a relation is correlated with what is around it.
func refersOut(rel Rel) bool {
	m := map[ColumnID]bool{}
	relReferences(rel, m)
	own := produced(rel)
	for id := range m {
		if !own[id] {
			return true
		}
	}
	return false
}

// notNull tells whether an expression over rel is a column that is never NULL.
func notNull(e Expr, rel Rel) bool {
	col, ok := e.(*Col)
	if !ok {
		lit, ok := e.(*Literal)
		return ok && lit.T.Kind != Null
	}
	switch n := rel.(type) {
	case *Scan:
		for i, o := range n.Out {
			if o.ID == col.ID {
				return n.Relation.Columns[i].NotNull
			}
		}
		return false
	case *Project:
		if x, ok := byID(n.Exprs)[col.ID]; ok {
			return notNull(x, n.Child)
		}
		return false
	case *Join:
		return notNull(e, n.L) || n.Kind != Left && n.Kind != Semi && n.Kind != Anti && notNull(e, n.R)
	case *Filter, *Sort, *Limit, *Distinct:
		return notNull(e, children(rel)[0])
	}
	return false
}

// byID gives what stands for a column where it is not computed: its
// expression, rounded as the column is, and of its type.
func byID(list []Named) map[ColumnID]Expr {
	m := make(map[ColumnID]Expr, len(list))
	for _, n := range list {
		m[n.ID] = n.Expr
		if n.Expr.Kind() == Null {
			m[n.ID] = noValue(n.Type)
		}
		if n.Digits == 0 && inexact(n.Expr) {
			m[n.ID] = &Cast{Arg: n.Expr, T: n.Type}
		}
	}
	return m
}

func ids(cols []Column) map[ColumnID]bool {
	m := make(map[ColumnID]bool, len(cols))
	for _, c := range cols {
		m[c.ID] = true
	}
	return m
}

func refersTo(e Expr, set map[ColumnID]bool) bool {
	m := map[ColumnID]bool{}
	references(e, m)
	for id := range m {
		if set[id] {
			return true
		}
	}
	return false
}
