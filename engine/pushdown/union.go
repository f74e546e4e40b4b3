package pushdown

import (
	"slices"

	"vitess.io/vitess/go/vt/sqlparser"
)

// UNION, INTERSECT and EXCEPT: which operator binds first, and the types of
// their columns.

// operator joins two arms of a combination.
type setOperator struct {
	word string // UNION, INTERSECT, EXCEPT
	all  bool
	// drops tells that an operator behind it drops what is double.
	drops bool
	// level is the depth of parentheses it stands at.
	level int
}

// chain lists the arms of a combination that stand at one level of
// parentheses, and the operators between them.
func (c *compiler) chain(u *sqlparser.Union) ([]sqlparser.TableStatement, []setOperator) {
	op := c.operatorOf(u)
	var arms []sqlparser.TableStatement
	var ops []setOperator
	if l, ok := u.Left.(*sqlparser.Union); ok && l.With == nil && len(l.OrderBy) == 0 && l.Limit == nil && c.operatorOf(l).level == op.level {
		arms, ops = c.chain(l)
	} else {
		arms = []sqlparser.TableStatement{u.Left}
	}
	return append(arms, u.Right), append(ops, op)
}

// union binds UNION, INTERSECT and EXCEPT with the ORDER BY and LIMIT of the
// whole.
func (c *compiler) union(u *sqlparser.Union) (*block, error) {
	before := c.scope
	if u.With != nil {
		// Definitions are bound in the scope around the whole.
		_, err := within(c, &scope{outer: before, clause: inFields}, func() (*block, error) { return nil, c.with(u.With) })
		if err != nil {
			return nil, err
		}
	}
	arms, ops := c.chain(u)
	b, err := c.fold(arms, ops)
	if err != nil {
		return nil, err
	}
	if len(u.OrderBy) > 0 {
		s := &scope{outer: before, clause: inOrder}
		for i, col := range b.out {
			s.cols = append(s.cols, visible{name: col.Name, col: col, pos: i})
			s.items = append(s.items, item{name: col.Name, expr: &Col{col}})
		}
		keys, err := within(c, s, func() ([]SortKey, error) { return c.orderKeys(u.OrderBy, s) })
		if err != nil {
			return nil, err
		}
		if keys = constantsDropped(keys); len(keys) > 0 {
			b.rel = &Sort{b.rel, keys}
		}
	}
	count, offset, err := c.limits(u.Limit)
	if err != nil {
		return nil, err
	}
	return cut(b, count, offset), nil
}

// fold combines arms: INTERSECT binds closer than the others, which go from
// left to right.
func (c *compiler) fold(arms []sqlparser.TableStatement, ops []setOperator) (*block, error) {
	var blocks []*block
	for _, a := range arms {
		b, err := c.statement(a)
		if err != nil {
			return nil, err
		}
		blocks = append(blocks, b)
	}
	if err := c.carry(blocks); err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(ops, func(o setOperator) bool { return o.word != ops[0].word }) {
		if err := c.alike(blocks); err != nil {
			return nil, err
		}
	}
	ops = slices.Clone(ops)
	// Of a chain of UNIONs the last that is DISTINCT makes the rows before it
	// distinct, once.
	for i := len(ops) - 1; i > 0; i-- {
		if last, before := ops[i], &ops[i-1]; last.word == "UNION" && before.word == "UNION" && (!last.all || last.drops) {
			before.all, before.drops = true, true
		}
	}
	for pass := range 2 {
		for i := 0; i < len(ops); {
			if pass == 0 && ops[i].word != "INTERSECT" {
				i++
				continue
			}
			b, err := c.combined(ops[i], blocks[i], blocks[i+1])
			if err != nil {
				return nil, err
			}
			blocks[i] = b
			blocks = slices.Delete(blocks, i+1, i+2)
			ops = slices.Delete(ops, i, i+1)
		}
	}
	return blocks[0], nil
}

// carry lets the quotients of arms keep the digits they carry, as far as the
// column of the whole shows them.
func (c *compiler) carry(blocks []*block) error {
	width := len(blocks[0].out)
	if slices.ContainsFunc(blocks, func(b *block) bool { return len(b.out) != width }) {
		return nil // an error later
	}
	for i := range width {
		var cols []Expr
		var named []*Named
		for _, b := range blocks {
			cols = append(cols, &Col{b.out[i]})
			if p, ok := b.rel.(*Project); ok {
				at := slices.IndexFunc(p.Exprs, func(n Named) bool { return n.ID == b.out[i].ID })
				if at >= 0 && p.Exprs[at].Digits == 0 && inexact(p.Exprs[at].Expr) {
					named = append(named, &p.Exprs[at])
				}
			}
		}
		if named == nil {
			continue
		}
		t, err := c.mergedType(cols)
		if err != nil {
			return err
		}
		for _, n := range named {
			if t.Kind != Decimal || t.Scale <= n.Type.Scale {
				continue
			}
			if n.Expr, err = c.coerce(n.Expr, t); err != nil {
				return err
			}
			for _, b := range blocks {
				if b.out[i].ID == n.ID {
					n.Type = t
					b.out[i].Type = t
				}
			}
		}
	}
	return nil
}

// alike brings the columns of three arms and more to the types they have among
// them all: of two at a time they would be made text, say, of another number
// than they are.
func (c *compiler) alike(blocks []*block) error {
	width := len(blocks[0].out)
	if len(blocks) < 3 || slices.ContainsFunc(blocks, func(b *block) bool { return len(b.out) != width }) {
		return nil
	}
	projects, changed := make([]*Project, len(blocks)), make([]bool, len(blocks))
	for j, b := range blocks {
		projects[j] = &Project{Child: b.rel}
	}
	for i := range width {
		cols := make([]Expr, len(blocks))
		for j, b := range blocks {
			cols[j] = &Col{b.out[i]}
		}
		if slices.ContainsFunc(cols, func(e Expr) bool { return !isInstant(e) }) {
			for j := range cols {
				cols[j] = c.shown(cols[j])
			}
		}
		values, t, err := c.merged(cols)
		if err != nil {
			return err
		}
		for j, v := range values {
			if v.Kind() == Null && t.Kind != Null {
				v = noValue(t) // two of them alone would be text
			}
			col := blocks[j].out[i]
			if same, ok := v.(*Col); !ok || same.ID != col.ID {
				col = Column{ID: c.identity(), Name: col.Name, Type: TypeOf(v)}
				changed[j] = true
			}
			projects[j].Exprs = append(projects[j].Exprs, Named{col, v})
		}
	}
	for j := range blocks {
		if changed[j] {
			blocks[j] = &block{projects[j], projects[j].Columns()}
		}
	}
	return nil
}

// combined makes one set operation.
func (c *compiler) combined(op setOperator, l, r *block) (*block, error) {
	if len(l.out) != len(r.out) {
		return nil, mistake(1222, "The used SELECT statements have a different number of columns")
	}
	s := &SetOp{Op: op.word, All: op.all}
	left, right := &Project{Child: l.rel}, &Project{Child: r.rel}
	for i := range l.out {
		x, y := c.instants(&Col{l.out[i]}, &Col{r.out[i]})
		pair := []Expr{x, y}
		values, t, err := c.merged(pair)
		if err != nil {
			return nil, err
		}
		t = asColumn(t)
		col := Column{ID: c.identity(), Name: l.out[i].Name, Type: t, Meaning: commonMeaning(pair)}
		s.Out = append(s.Out, col)
		for j, p := range []*Project{left, right} {
			p.Exprs = append(p.Exprs, Named{Column{ID: c.identity(), Name: col.Name, Type: t}, values[j]})
		}
	}
	s.L, s.R = left, right
	b := &block{s, s.Out}
	if op.all {
		return b, nil
	}
	for _, col := range s.Out {
		if _, same := c.key(&Col{col}).(*Col); !same {
			if op.word != "UNION" {
				return c.foldedSet(op, s, b), nil
			}
			return c.firstOfEach(s, b), nil
		}
	}
	return b, nil
}

// firstOfEach is UNION where texts that differ in case are equal: those of the
// first arm that has them are shown.
func (c *compiler) firstOfEach(s *SetOp, b *block) *block {
	s.All = true
	arms := int64(0)
	arm := c.numbered(s, &arms)
	b = c.deduplicated(&block{s, b.out})
	if g, ok := b.rel.(*Group); ok {
		for i := range g.Aggs {
			a := g.Aggs[i].Expr.(*Aggregate)
			g.Aggs[i].Expr = &Aggregate{Name: "min", Args: []Expr{a.Args[0], &Col{arm}}, T: a.T}
		}
	}
	return b
}

// numbered gives a UNION ALL a column that tells from which arm a row is.
func (c *compiler) numbered(s *SetOp, next *int64) Column {
	arm := Column{ID: c.identity(), Name: "side", Type: bigint}
	for _, side := range []Rel{s.L, s.R} {
		p := side.(*Project)
		var number Expr
		if inner, ok := p.Child.(*SetOp); ok && inner.Op == "UNION" && inner.All {
			number = &Col{c.numbered(inner, next)}
		} else {
			number = lit(Integer, *next)
			*next++
		}
		p.Exprs = append(p.Exprs, Named{Column{ID: c.identity(), Name: arm.Name, Type: bigint}, number})
	}
	s.Out = append(slices.Clone(s.Out), arm)
	return arm
}

// foldedSet is INTERSECT or EXCEPT where texts that differ in case are equal:
// rows of the left side that have, or have not, an equal one on the right.
func (c *compiler) foldedSet(op setOperator, s *SetOp, b *block) *block {
	left, right := s.L.Columns(), s.R.Columns()
	l := c.deduplicated(&block{s.L, left})
	j := &Join{Kind: Semi, L: l.rel, R: s.R}
	if op.word == "EXCEPT" {
		j.Kind = Anti
	}
	for i := range left {
		j.On = append(j.On, call("<=>", Bool, c.key(&Col{left[i]}), c.key(&Col{right[i]})))
	}
	p := &Project{Child: j}
	for i, col := range b.out {
		p.Exprs = append(p.Exprs, Named{col, &Col{left[i]}})
	}
	return &block{p, b.out}
}
