package pushdown

import (
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/tables"
)

// maxLeases is how many leases a test of a host name is spelled out for. A
// name with more is found by the join that makes the column.
const maxLeases = 64

// hostTests turns tests of host columns of a scan into tests of address and
// time, which prune: client_host = 'x' asks for rows whose address had the name
// x at the time of the row.
func (c *compiler) hostTests(s *Scan, conds []Expr) []Expr {
	if c.env.Hosts == nil {
		return conds
	}
	var out []Expr
	for _, e := range conds {
		out = append(out, conjuncts(c.hostTest(s, e))...)
	}
	return out
}

// hostTest rewrites under AND and OR only: where NULL (the address has no
// name) and false must not be mixed up, the column stays.
func (c *compiler) hostTest(s *Scan, e Expr) Expr {
	x, ok := e.(*Call)
	if !ok {
		return e
	}
	switch x.Op {
	case "and", "or":
		args := make([]Expr, len(x.Args))
		for i, a := range x.Args {
			args[i] = c.hostTest(s, a)
		}
		return call(x.Op, Bool, args...)
	case "=", "in":
		col, ok := x.Args[0].(*Col)
		if !ok {
			return e
		}
		address := s.addressOf(col)
		if address == nil {
			return e
		}
		var leases []tables.Lease
		for _, a := range x.Args[1:] {
			name, ok := textLiteral(a)
			if !ok {
				return e
			}
			leases = append(leases, c.env.Hosts(tables.FoldName(name))...)
		}
		if len(leases) > maxLeases {
			return e
		}
		return c.leased(s, address, leases)
	}
	return e
}

// addressOf finds the address that a column of host names belongs to.
func (s *Scan) addressOf(col *Col) *Col {
	v := views[s.Relation]
	if v == nil || v.hosts[col.name(s)] == "" {
		return nil
	}
	name := strings.TrimSuffix(col.name(s), "host") + "ip"
	return s.column(name)
}

// name is a column's name in the relation.
func (c *Col) name(s *Scan) string {
	for i, o := range s.Out {
		if o.ID == c.ID {
			return s.Relation.Columns[i].Name
		}
	}
	return ""
}

// column refers to a column of the relation by name.
func (s *Scan) column(name string) *Col {
	for i := range s.Relation.Columns {
		if s.Relation.Columns[i].Name == name {
			return &Col{s.Out[i]}
		}
	}
	return nil
}

// hidden refers to a stored column that users do not see.
func (c *compiler) hidden(s *Scan, name string, kind Kind) *Col {
	if col := s.column(name); col != nil {
		return col
	}
	for _, h := range s.Hidden {
		if h.Name == name {
			return &Col{h}
		}
	}
	col := Column{ID: c.identity(0), Name: name, Kind: kind, Type: types.LongText}
	s.Hidden = append(s.Hidden, col)
	return &Col{col}
}

// leased is true for rows whose address held one of the leases at the time of
// the row. The list of addresses comes first: it is what blooms answer.
func (c *compiler) leased(s *Scan, address *Col, leases []tables.Lease) Expr {
	if len(leases) == 0 {
		return &Literal{Bool, false}
	}
	ts, site := s.column("ts"), c.hidden(s, "site", Text)
	addresses := []Expr{address}
	seen := map[tables.Addr]bool{}
	var any []Expr
	for _, l := range leases {
		if !seen[l.Addr] {
			seen[l.Addr] = true
			addresses = append(addresses, &Literal{Address, l.Addr})
		}
	}
	for _, l := range leases {
		var test []Expr
		if len(addresses) > 2 {
			test = append(test, call("=", Bool, address, &Literal{Address, l.Addr}))
		}
		test = append(test, call(">=", Bool, ts, timeOf(l.TS)))
		if l.TSEnd < tables.OpenEnd {
			test = append(test, call("<", Bool, ts, timeOf(l.TSEnd)))
		}
		test = append(test, call("=", Bool, call("coalesce", Text, site, &Literal{Text, ""}), &Literal{Text, l.Site}))
		any = append(any, andOf(test))
	}
	one := call("in", Bool, addresses...)
	if len(addresses) == 2 {
		one = call("=", Bool, addresses...)
	}
	return call("and", Bool, append([]Expr{one}, conjuncts(orOf(any))...)...)
}

func timeOf(t tables.Time) *Literal { return &Literal{Time, time.UnixMicro(int64(t)).UTC()} }
