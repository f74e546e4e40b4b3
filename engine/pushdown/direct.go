package pushdown

// Direct is a result that needs no statement: columns of the packets that the
// values of an id find, in any order. That is what people ask for first:
// SELECT p.… FROM connections c JOIN packets p USING (conn_id) WHERE c.….
type Direct struct {
	// Columns are the packets' columns, one for each of the plan's.
	Columns []string
	// Once tells that the packets of a value are wanted once however many rows
	// of the source have it. Without it each row wants them.
	Once bool
}

// directly recognises such a result. All that the statement says must be in
// the values: one equality of ids, and nothing else.
func directly(rel Rel, out []Named, plans []*PacketPlan) *Direct {
	if len(plans) != 1 || !plans[0].ByRow {
		return nil
	}
	exprs := make([]Expr, len(out))
	for i := range out {
		exprs[i] = out[i].Expr
	}
	for {
		p, ok := rel.(*Project)
		if !ok {
			break
		}
		by := byID(p.Exprs)
		for i := range exprs {
			if exprs[i], ok = inlined(exprs[i], by); !ok {
				return nil
			}
		}
		rel = p.Child
	}
	d := &Direct{}
	var packets *Scan
	var on []Expr
	switch n := rel.(type) {
	case *Join:
		if d.Once = n.Kind == Semi; n.Kind != Inner && n.Kind != Semi {
			return nil
		}
		var ok bool
		if packets, ok = n.L.(*Scan); !ok || !IsPackets(packets.Relation) {
			if packets, ok = n.R.(*Scan); !ok || d.Once {
				return nil
			}
		}
		if on = n.On; plans[0].Source == nil {
			return nil
		}
	case *Filter:
		var ok bool
		if packets, ok = n.Child.(*Scan); !ok || plans[0].Source != nil {
			return nil
		}
		on = n.Conjuncts
	}
	if packets == nil || packets.ID != plans[0].ID || len(on) != 1 || !packets.isKey(on[0], plans[0].KeyColumn) {
		return nil
	}
	for i, e := range exprs {
		col, ok := e.(*Col)
		if !ok || col.name(packets) == "" || col.Column.Kind != out[i].Kind || col.Column.Kind == Integer && col.Type != out[i].Type {
			return nil
		}
		d.Columns = append(d.Columns, col.name(packets))
	}
	return d
}

// isKey tells whether a condition is that the key equals something.
func (s *Scan) isKey(e Expr, key string) bool {
	x, ok := e.(*Call)
	if !ok || x.Op != "=" && x.Op != "in" {
		return false
	}
	for _, a := range x.Args {
		if col, ok := a.(*Col); ok && col.name(s) == key {
			return true
		}
	}
	return false
}
