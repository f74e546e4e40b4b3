package pushdown

import (
	"math"
	"slices"
)

// Joins of many tables. DuckDB infers from each two equalities a third, and does
// so again at each join on the way down: for n tables that is n⁴, seconds of
// planning for 60 of them that nothing can interrupt. So such a join is written
// as joins of few, each selected from with a LIMIT that nothing is pushed
// through, in an order in which each table is compared with one before it.

// fewTables is how many tables DuckDB is given to join at a time.
const fewTables = 16

// fewAtATime writes the joins of many tables in a relation as joins of few.
func fewAtATime(rel Rel) Rel {
	inner := func(e Expr) Expr {
		if !hasSubquery(e) {
			return e
		}
		return rewriteExpr(e, func(e Expr) Expr {
			if s, ok := e.(*Subquery); ok {
				n := *s
				n.Rel = fewAtATime(s.Rel)
				return &n
			}
			return e
		})
	}
	if j, ok := rel.(*Join); ok && reorders(j) {
		m := &manyJoin{}
		if m.take(j); m.tables > fewTables {
			for i := range m.parts {
				m.parts[i].rel = fewAtATime(m.parts[i].rel)
			}
			for i := range m.on {
				m.on[i].expr = inner(m.on[i].expr)
			}
			return m.join()
		}
	}
	return mapRel(shallow(rel), fewAtATime, inner)
}

func reorders(j *Join) bool { return (j.Kind == Inner || j.Kind == Cross) && !j.Lateral }

// manyJoin is an inner join, taken apart.
type manyJoin struct {
	parts  []joinedPart
	on     []condition
	tables int
	of     map[ColumnID]int // the part that a column is of
}

type joinedPart struct {
	rel    Rel
	tables int
	done   bool
}

// condition is one of the join, with the parts it is about.
type condition struct {
	expr  Expr
	parts []int
	equal bool // of columns, by which the parts are found
	done  bool
}

func (m *manyJoin) take(rel Rel) {
	if j, ok := rel.(*Join); ok && reorders(j) {
		m.take(j.L)
		m.take(j.R)
		for _, e := range j.On {
			m.on = append(m.on, condition{expr: e})
		}
		return
	}
	n := max(len(scansOf(rel)), 1)
	m.tables += n
	m.parts = append(m.parts, joinedPart{rel: rel, tables: min(n, fewTables)})
}

// join puts the parts together again.
func (m *manyJoin) join() Rel {
	m.of = map[ColumnID]int{}
	for i, p := range m.parts {
		for _, col := range p.rel.Columns() {
			m.of[col.ID] = i
		}
	}
	m.spanning()
	for i := range m.on {
		c := &m.on[i]
		used := map[ColumnID]bool{}
		references(c.expr, used)
		for id := range used {
			if part, ok := m.of[id]; ok && !slices.Contains(c.parts, part) {
				c.parts = append(c.parts, part)
			}
		}
		_, _, c.equal = columnsEqual(c.expr)
	}
	var out Rel
	tables := 0
	for range m.parts {
		i := m.next()
		p := &m.parts[i]
		p.done = true
		if out == nil {
			out, tables = p.rel, p.tables
			continue
		}
		if tables+p.tables > fewTables {
			out, tables = &Limit{Child: out, Count: math.MaxInt64}, 1
		}
		tables += p.tables
		j := &Join{Kind: Cross, L: out, R: p.rel}
		for k := range m.on {
			if c := &m.on[k]; !c.done && len(m.open(c)) == 0 {
				c.done, j.Kind = true, Inner
				j.On = append(j.On, c.expr)
			}
		}
		out = j
	}
	return out
}

// open lists the parts of a condition that are not joined yet.
func (m *manyJoin) open(c *condition) (parts []int) {
	for _, part := range c.parts {
		if !m.parts[part].done {
			parts = append(parts, part)
		}
	}
	return parts
}

// next is the part to join next: one that an equality finds, else one that any
// condition is about; of these one with conditions of its own, as few rows of it
// may be left.
func (m *manyJoin) next() int {
	ranks := make([]int, len(m.parts))
	for i := range m.on {
		c := &m.on[i]
		if c.done || len(c.parts) < 2 {
			continue
		}
		if open := m.open(c); len(open) == 1 {
			if ranks[open[0]] |= 2; c.equal {
				ranks[open[0]] |= 4
			}
		}
	}
	best := -1
	for i, p := range m.parts {
		if _, filtered := p.rel.(*Filter); filtered {
			ranks[i] |= 1
		}
		if !p.done && (best < 0 || ranks[i] > ranks[best]) {
			best = i
		}
	}
	return best
}

// spanning drops the equalities of columns that follow from others.
func (m *manyJoin) spanning() {
	root := map[ColumnID]ColumnID{}
	find := func(id ColumnID) ColumnID {
		for {
			up, ok := root[id]
			if !ok {
				return id
			}
			id = up
		}
	}
	m.on = slices.DeleteFunc(m.on, func(c condition) bool {
		a, b, ok := columnsEqual(c.expr)
		if !ok || !exactly(a.Kind) {
			return false
		}
		from, to := find(a.ID), find(b.ID)
		if from != to {
			root[from] = to
		}
		return from == to
	})
}

// exactly tells whether values of a kind are equal only when they are the same.
func exactly(k Kind) bool {
	switch k {
	case Integer, Unsigned, Time, Date, Address, ID, MAC:
		return true
	}
	return false
}
