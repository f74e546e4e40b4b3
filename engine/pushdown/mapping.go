package pushdown

// mapping restates conditions on packets as conditions on index rows.
type mapping struct {
	packets, index *Scan
	by             map[ColumnID]Expr
}

// newMapping maps packets that went from src to dst of their row, or back.
func newMapping(packets, index *Scan, back bool) *mapping {
	m := &mapping{packets, index, map[ColumnID]Expr{}}
	for i, col := range packets.Relation.Columns {
		name, ok := shared[col.Name]
		if other := opposite[name]; back && other != "" {
			name = other
		}
		if to := index.column(name); ok && to != nil {
			m.by[packets.Out[i].ID] = to
		}
	}
	return m
}

// directional tells whether a condition reads differently for the two
// directions of a flow.
func (m *mapping) directional(e Expr) bool {
	refs := map[ColumnID]bool{}
	references(e, refs)
	for i, col := range m.packets.Relation.Columns {
		if refs[m.packets.Out[i].ID] && opposite[col.Name] != "" {
			return true
		}
	}
	return false
}

// implied is a condition that the row of every packet meets for which e holds.
func (m *mapping) implied(e Expr) (Expr, bool) {
	if x, ok := e.(*Call); ok {
		switch x.Op {
		case "and":
			var out []Expr
			for _, a := range x.Args {
				if t, ok := m.implied(a); ok {
					out = append(out, t)
				}
			}
			return andOf(out), len(out) > 0
		case "or":
			var out []Expr
			for _, a := range x.Args {
				t, ok := m.implied(a)
				if !ok {
					return nil, false
				}
				out = append(out, t)
			}
			return orOf(out), true
		case "overlaps":
			return m.implied(call("and", Bool, call("<", Bool, x.Args[0], x.Args[3]), call(">=", Bool, x.Args[1], x.Args[2])))
		case "<", "<=", ">", ">=", "=":
			if m.isTime(x.Args[0]) {
				return m.time(x.Op, x.Args[1])
			}
			if m.isTime(x.Args[1]) {
				mirror := map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "="}
				return m.time(mirror[x.Op], x.Args[0])
			}
		case "in":
			if m.isTime(x.Args[0]) {
				var any []Expr
				for _, a := range x.Args[1:] {
					any = append(any, call("=", Bool, x.Args[0], a))
				}
				return m.implied(orOf(any))
			}
		}
	}
	return m.exactly(e)
}

func (m *mapping) isTime(e Expr) bool {
	col, ok := e.(*Col)
	return ok && col.name(m.packets) == "ts"
}

// time restates a comparison of a packet's time, which lies within its row's.
func (m *mapping) time(op string, value Expr) (Expr, bool) {
	v, ok := m.exactly(value)
	if !ok {
		return nil, false
	}
	begin, end := m.index.column("ts"), m.index.column("ts_end")
	switch op {
	case "<", "<=":
		return call(op, Bool, begin, v), true
	case ">", ">=":
		return call(op, Bool, end, v), true
	}
	return call("and", Bool, call("<=", Bool, begin, v), call(">=", Bool, end, v)), true
}

// exactly restates what depends on shared columns only.
func (m *mapping) exactly(e Expr) (Expr, bool) {
	refs := map[ColumnID]bool{}
	references(e, refs)
	for id := range refs {
		if m.packets.owns(id) && m.by[id] == nil {
			return nil, false
		}
	}
	return substitute(e, m.by), true
}
