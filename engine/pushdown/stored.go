package pushdown

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Conditions on columns that are not stored, turned into conditions on what is:
// those reach the row files, and prune.

// storedTests rewrites the conditions that stand on a scan.
func (c *compiler) storedTests(s *Scan, conds []Expr) []Expr {
	var out []Expr
	for _, e := range conds {
		out = append(out, conjuncts(c.storedTest(s, decided(e)))...)
	}
	return out
}

// storedTest rewrites under AND and OR only: where NULL (an address without a
// name) and false must not be mixed up, the column stays.
func (c *compiler) storedTest(s *Scan, e Expr) Expr {
	x, ok := e.(*Call)
	if !ok {
		return e
	}
	switch x.Op {
	case "and", "or":
		args := make([]Expr, len(x.Args))
		for i, a := range x.Args {
			args[i] = c.storedTest(s, a)
		}
		return call(x.Op, Bool, args...)
	case "=", "in", "like":
		col, ok := x.Args[0].(*Col)
		if !ok {
			return e
		}
		if t, ok := c.hostTest(s, col, x); ok {
			return t
		}
		if t, ok := c.protocolTest(s, col, x); ok {
			return t
		}
	}
	return e
}

// protocolTest compares numbers instead of names.
func (c *compiler) protocolTest(s *Scan, col *Col, x *Call) (Expr, bool) {
	v := views[s.Relation]
	if x.Op == "like" || v == nil || v.exprs["protocol"] != exprProtocol || col.name(s) != "protocol" {
		return nil, false
	}
	args := []Expr{nil}
	for _, a := range x.Args[1:] {
		name, ok := textLiteral(a)
		if !ok {
			return nil, false
		}
		n, ok := tables.ProtocolNumber(name)
		if !ok || tables.ProtocolName(n) != name {
			return nil, false
		}
		args = append(args, lit(Integer, int64(n)))
	}
	args[0] = c.hidden(s, "protocol_number", Integer)
	return call(x.Op, Bool, args...), true
}

// byNumbers is byNumber for all groups of a normal form.
func (c *compiler) byNumbers(rel Rel) Rel {
	mapRel(rel, c.byNumbers, nil)
	switch n := rel.(type) {
	case *Group:
		return c.byNumber(n)
	case *Filter: // names are written of the groups that remain
		if p, ok := n.Child.(*Project); ok && namesOnly(p) {
			by := byID(p.Exprs)
			for i := range n.Conjuncts {
				n.Conjuncts[i] = substitute(n.Conjuncts[i], by)
			}
			n.Child, p.Child = p.Child, n
			return p
		}
	}
	return rel
}

// namesOnly tells whether a select list does nothing but name the protocols of groups.
func namesOnly(p *Project) bool {
	_, ok := p.Child.(*Group)
	return ok && !slices.ContainsFunc(p.Exprs, func(n Named) bool {
		x, isCall := n.Expr.(*Call)
		_, isCol := n.Expr.(*Col)
		return !isCol && !(isCall && x.Op == "protocol_name")
	})
}

// byNumber groups rows by the number of their protocol instead of its name, which
// is written once for a group then.
func (c *compiler) byNumber(g *Group) Rel {
	s := scanBelow(g.Child)
	if s == nil || g.Rollup || views[s.Relation] == nil || views[s.Relation].exprs["protocol"] != exprProtocol {
		return g
	}
	out := make([]Named, 0, len(g.Keys)+len(g.Aggs))
	changed := false
	for i, k := range g.Keys {
		if col, ok := k.Expr.(*Col); ok && col.name(s) == "protocol" {
			number := c.hidden(s, "protocol_number", Integer)
			by := number.Column
			by.ID = c.identity()
			g.Keys[i] = Named{by, number}
			out = append(out, Named{k.Column, typed("protocol_name", k.Type, &Col{by})})
			changed = true
			continue
		}
		out = append(out, Named{k.Column, &Col{k.Column}})
	}
	if !changed {
		return g
	}
	for _, a := range g.Aggs {
		out = append(out, Named{a.Column, &Col{a.Column}})
	}
	return &Project{g, out}
}

// scanBelow is the scan whose rows a relation has, some of them left out.
func scanBelow(rel Rel) *Scan {
	for {
		switch n := rel.(type) {
		case *Filter:
			rel = n.Child
		case *Scan:
			return n
		default:
			return nil
		}
	}
}

// maxLeases is how many leases a test of a host name is spelled out for. A
// name with more is found by the join that makes the column.
const maxLeases = 64

// hostTest turns a test of a host name into tests of address and time:
// client_host = 'x' asks for rows whose address had the name x at the time of
// the row.
func (c *compiler) hostTest(s *Scan, col *Col, x *Call) (Expr, bool) {
	address := s.addressOf(col)
	if address == nil || c.env.Hosts == nil {
		return nil, false
	}
	var leases []tables.Lease
	if x.Op == "like" {
		pattern, ok := textLiteral(x.Args[1])
		escape, _ := textLiteral(x.Args[2])
		if !ok || c.env.HostsLike == nil {
			return nil, false
		}
		leases = c.env.HostsLike(func(name string) bool {
			matches, err := functions.Like([]rune(name), []rune(pattern), []rune(escape))
			return err == nil && matches // names are too short for an error
		})
	} else {
		for _, a := range x.Args[1:] {
			name, ok := textLiteral(a)
			if !ok {
				return nil, false
			}
			found := c.env.Hosts(tables.FoldName(name))
			if found == nil {
				c.unknownHost(name)
			} else {
				c.shortName(name)
			}
			leases = append(leases, found...)
		}
	}
	if len(leases) > maxLeases {
		return nil, false
	}
	note := fmt.Sprintf("%s is answered from the leases of its name (%d)", col.Name, len(leases))
	if !slices.Contains(c.notes, note) {
		c.notes = append(c.notes, note)
	}
	return c.leased(s, address, leases), true
}

// maxCandidates is how many names are offered for one that nobody had.
const maxCandidates = 5

// Of names that nobody had, so many are told of, and the first few compared with so many that begin as they do:
// an archive may know a million, and a statement list a thousand.
const (
	maxWarned   = 50
	maxUnknown  = 3
	maxCompared = 10_000
)

// unknownHost warns of a name that the archive has never seen: no rows is what
// a name that was mistyped gives, too.
func (c *compiler) unknownHost(name string) {
	text := fmt.Sprintf("no host was ever named '%s' in this archive", name)
	if c.unknown++; c.unknown > maxWarned {
		text = "more of the hosts asked for were never named in this archive"
	} else if c.unknown <= maxUnknown {
		if near := c.hostsNear(tables.FoldName(name)); len(near) > 0 {
			text += ": did you mean " + candidates(near) + "?"
		}
	}
	c.warn(text)
}

// hostsNear lists the first hosts whose name is like a word: of those that begin like it,
// else of those that have less of its beginning.
func (c *compiler) hostsNear(word string) (near []string) {
	if c.env.HostsBeginning == nil {
		return nil
	}
	for with := word; ; with = with[:len(with)/2] {
		for _, name := range c.env.HostsBeginning(with, maxCompared) {
			short, _, _ := strings.Cut(name, ".")
			if short == word || strings.HasPrefix(name, word) || tables.Nearest(word, []string{short, name}) != "" {
				near = append(near, name)
			}
		}
		if with == "" || len(near) > 0 {
			return near
		}
	}
}

// shortName warns of a host's name that is the short name of others, too: one of them
// may be meant.
func (c *compiler) shortName(name string) {
	if c.env.HostsBeginning == nil {
		return
	}
	if others := c.env.HostsBeginning(tables.FoldName(name)+".", maxCandidates+1); len(others) > 0 {
		c.warn(fmt.Sprintf("'%s' is a host, and the short name of %s: those are not searched", name, candidates(others)))
	}
}

// candidates shows the first of some names.
func candidates(list []string) string {
	if len(list) > maxCandidates {
		list = append(list[:maxCandidates:maxCandidates], "…")
	}
	return strings.Join(list, ", ")
}

// warn gives a warning once.
func (c *compiler) warn(text string) {
	if !slices.Contains(c.warnings, text) {
		c.warnings = append(c.warnings, text)
	}
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
	col := Column{ID: c.identity(), Name: name, Type: Type{Kind: kind, Nullable: true}}
	if kind == Integer {
		col.Bits = 32
	}
	s.Hidden = append(s.Hidden, col)
	return &Col{col}
}

// leased is true for rows whose address held one of the leases at the time of
// the row. The list of addresses comes first: it is what blooms answer.
func (c *compiler) leased(s *Scan, address *Col, leases []tables.Lease) Expr {
	if len(leases) == 0 {
		return lit(Bool, false)
	}
	ts, site := s.column("ts"), c.hidden(s, "site", Text)
	addresses := []Expr{address}
	seen := map[tables.Addr]bool{}
	var any []Expr
	for _, l := range leases {
		if !seen[l.Addr] {
			seen[l.Addr] = true
			addresses = append(addresses, lit(Address, l.Addr))
		}
	}
	for _, l := range leases {
		var test []Expr
		if len(addresses) > 2 {
			test = append(test, call("=", Bool, address, lit(Address, l.Addr)))
		}
		test = append(test, implied(call(">=", Bool, ts, timeOf(l.TS))))
		if l.TSEnd < tables.OpenEnd {
			test = append(test, implied(call("<", Bool, ts, timeOf(l.TSEnd))))
		}
		test = append(test, call("=", Bool, call("coalesce", Text, site, lit(Text, "")), lit(Text, l.Site)))
		any = append(any, andOf(test))
	}
	one := call("in", Bool, addresses...)
	if len(addresses) == 2 {
		one = call("=", Bool, addresses...)
	}
	return call("and", Bool, append([]Expr{one}, conjuncts(orOf(any))...)...)
}

func implied(c *Call) *Call {
	c.Implied = true
	return c
}

func timeOf(t tables.Time) *Literal { return lit(Time, time.UnixMicro(int64(t)).UTC()) }
