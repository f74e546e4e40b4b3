package pushdown

import (
	"math"
	"slices"
	"strings"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Traffic of minutes added up by the hour. The rows of traffic_1h are those of
// traffic_1m added up, written and taken back with them, so groups that no hour is
// divided by are summed up from hours: exactly. What the statement asks about before
// its first whole hour and behind its last is read by the minute.

// fewestHours is how many have to lie between the ends for it to be worth it.
const fewestHours = 2

// byHours replaces scans of traffic_1m below aggregates that traffic_1h can answer.
func (c *compiler) byHours(rel Rel) {
	if !slices.ContainsFunc(scansOf(rel), func(s *Scan) bool { return s.Relation == tables.Traffic1m }) {
		return
	}
	eachGroup(rel, func(g *Group) {
		if c.hourGroup(g) {
			c.answered = "from traffic_1h where an hour is asked for whole, else from traffic_1m"
		}
	})
}

// eachGroup visits the groups of a relation and of the subqueries in it.
func eachGroup(rel Rel, visit func(*Group)) {
	if g, ok := rel.(*Group); ok {
		visit(g)
	}
	for _, e := range exprsOf(rel) {
		walk(e, func(e Expr) {
			if s, ok := e.(*Subquery); ok {
				eachGroup(s.Rel, visit)
			}
		})
	}
	for _, ch := range children(rel) {
		eachGroup(ch, visit)
	}
}

// hourGroup changes a group in place; false when it needs minutes.
func (c *compiler) hourGroup(n *Group) bool {
	b := beneath(n)
	if b == nil || b.scan.Relation != tables.Traffic1m {
		return false
	}
	within := unbounded()
	var others []Expr
	for _, e := range b.conds {
		if x, ok := e.(*Call); ok && len(x.Args) == 2 && strings.Contains("< <= > >=", x.Op) && isColumn(x.Args[0], b.scan, "ts") {
			if _, ok := timeLiteral(x.Args[1]); ok {
				b.scan.narrow(&within, e)
				continue
			}
		}
		others = append(others, e)
	}
	h := &hours{scan: b.scan, zoned: c.utc() || c.fn.Zone.WholeHours(int64(within.From), int64(within.To))}
	whole := func(e Expr) bool { return h.constant(e) }
	for _, k := range b.keys {
		if !whole(k.Expr) {
			return false
		}
	}
	for _, a := range b.aggs {
		if !h.sums(a.Expr) {
			return false
		}
	}
	if slices.ContainsFunc(others, func(e Expr) bool { return !whole(e) }) {
		return false
	}
	b.conds = others

	from, to := within.From, within.To
	if from != MinTime {
		from = (from + tables.Hour - 1).Bin(tables.Hour)
	}
	if to != MaxTime {
		to = to.Bin(tables.Hour)
	}
	from = max(from, c.env.HoursFrom)
	if from >= to || to != MaxTime && from != MinTime && to-from < fewestHours*tables.Hour {
		return false
	}
	need := map[ColumnID]bool{}
	for _, x := range slices.Concat(b.keys, b.aggs) {
		references(x.Expr, need)
	}
	used := slices.DeleteFunc(slices.Clone(b.scan.Out), func(col Column) bool { return !need[col.ID] })
	if len(used) < len(need) || len(used) == 0 {
		return false
	}
	n.Keys, n.Aggs = b.keys, b.aggs
	n.Child = c.part(b, used, tables.Traffic1h, from, to)
	for _, minutes := range []Bounds{{From: within.From, To: from}, {From: to, To: within.To}} {
		if minutes.From < minutes.To {
			part := c.part(b, used, tables.Traffic1m, minutes.From, minutes.To)
			n.Child = &SetOp{Op: "UNION", All: true, L: n.Child, R: part, Out: c.again(n.Child.Columns())}
		}
	}
	// What is above refers to the columns of the scan that was.
	by := map[ColumnID]Expr{}
	for i, col := range n.Child.Columns() {
		by[used[i].ID] = &Col{col}
	}
	for _, list := range [][]Named{n.Keys, n.Aggs} {
		for i := range list {
			list[i].Expr = substitute(list[i].Expr, by)
		}
	}
	return true
}

// again gives columns new ids.
func (c *compiler) again(list []Column) []Column {
	list = slices.Clone(list)
	for i := range list {
		list[i].ID = c.identity()
	}
	return list
}

// part is what a relation has within a time of some columns of a base, under its
// conditions.
func (c *compiler) part(b *base, used []Column, relation *tables.Relation, from, to tables.Time) Rel {
	s := c.scan(relation)
	by := map[ColumnID]Expr{}
	for i := range s.Out {
		by[b.scan.Out[i].ID] = &Col{s.Out[i]}
	}
	p := &Project{}
	for i, col := range c.again(used) {
		p.Exprs = append(p.Exprs, Named{col, by[used[i].ID]})
	}
	for _, hidden := range b.scan.Hidden {
		by[hidden.ID] = c.hidden(s, hidden.Name, hidden.Kind)
	}
	var tests []Expr
	for _, e := range b.conds {
		tests = append(tests, substitute(e, by))
	}
	limit := func(op string, t tables.Time) {
		if t != MinTime && t != MaxTime {
			l := timeLiteralOf(time.UnixMicro(int64(t)).UTC(), 6)
			l.T.Instant = s.Out[0].Instant
			tests = append(tests, call(op, Bool, s.column("ts"), l))
		}
	}
	limit(">=", from)
	limit("<", to)
	p.Child = filter(s, tests)
	return p
}

// isColumn tells whether an expression is a column of a scan.
func isColumn(e Expr, s *Scan, name string) bool {
	col, ok := e.(*Col)
	return ok && col.name(s) == name
}

// hours tells what is the same of an hour as of each of its minutes.
type hours struct {
	scan *Scan
	// zoned: the clocks of the session's zone show another hour when one of UTC begins.
	zoned bool
}

// time tells whether an expression is the time of a row, or what clocks show then.
func (h *hours) time(e Expr) bool {
	if x, ok := e.(*Call); ok && x.Op == "local" {
		if !h.zoned {
			return false
		}
		e = x.Args[0]
	}
	return isColumn(e, h.scan, "ts")
}

// hourParts are functions of a time that are the same for a whole hour.
var hourParts = set("hour date day dayofmonth dayofweek dayofyear weekday week weekofyear yearweek month monthname dayname quarter year last_day to_days")

// constant tells whether an expression has one value in all minutes of an hour that
// are of one kind of conversations.
func (h *hours) constant(e Expr) bool {
	switch x := e.(type) {
	case nil, *Literal:
		return true
	case *Col:
		switch x.name(h.scan) {
		case "observer", "site", "protocol", "service", "direction":
			return true
		}
		return slices.ContainsFunc(h.scan.Hidden, func(c Column) bool { return c.ID == x.ID && c.Name == "protocol_number" })
	case *Case:
	case *Cast:
		if x.T.Kind == Date && h.time(x.Arg) {
			return true
		}
	case *Func:
		if functions.Volatile(x.Node) {
			return false
		}
		if len(x.Args) > 0 && h.time(x.Args[0]) {
			switch node := x.Node.(type) {
			case *sqlparser.FuncExpr:
				name := node.Name.Lowered()
				if name == "date_format" {
					format, ok := textLiteral(x.Args[1])
					return ok && hourlyFormat(format)
				}
				return hourParts[name] && !slices.ContainsFunc(x.Args[1:], func(e Expr) bool { return !h.constant(e) })
			case *sqlparser.ExtractFuncExpr:
				return hourParts[strings.ToLower(node.IntervalType.ToString())]
			}
			return false
		}
		if node, ok := x.Node.(*sqlparser.FuncExpr); ok && node.Name.Lowered() == "floor" && h.quotient(x.Args[0], "/") {
			return true
		}
	case *Call:
		switch x.Op {
		case "rand", "uuid":
			return false
		case "time_bucket":
			if h.time(x.Args[1]) {
				width, ok := functions.BucketWidth(x.Args[0].(*Literal).Value)
				return ok && wholeHours(width.Seconds())
			}
		case "floor":
			if h.quotient(x.Args[0], "/") {
				return true
			}
		}
		if h.quotient(x, "div") {
			return true
		}
	default:
		return false
	}
	return !slices.ContainsFunc(e.operands(), func(e Expr) bool { return !h.constant(e) })
}

// quotient tells whether an expression is the seconds since 1970 divided by whole
// hours.
func (h *hours) quotient(e Expr, op string) bool {
	x, ok := e.(*Call)
	if !ok || x.Op != op {
		return false
	}
	seconds, ok := x.Args[0].(*Call)
	by, isLiteral := x.Args[1].(*Literal)
	if !ok || !isLiteral || seconds.Op != "unix_timestamp" || !isColumn(seconds.Args[0], h.scan, "ts") {
		return false
	}
	n, ok := by.Value.(int64)
	return ok && wholeHours(float64(n))
}

func wholeHours(seconds float64) bool { return seconds > 0 && math.Mod(seconds, 3600) == 0 }

// hourlyFormat tells whether a format of DATE_FORMAT shows nothing below the hour.
func hourlyFormat(format string) bool {
	for i := 0; i < len(format)-1; i++ {
		if format[i] == '%' {
			if i++; strings.IndexByte("isSfTr", format[i]) >= 0 {
				return false
			}
		}
	}
	return true
}

// sums tells whether the aggregates of an expression are the same of hours as of
// their minutes.
func (h *hours) sums(e Expr) bool {
	if a, ok := e.(*Aggregate); ok {
		switch {
		case a.Name == "sum" && !a.Distinct:
			return h.counts(a.Args[0])
		case a.Distinct && a.Name == "count", a.Name == "min", a.Name == "max", a.Name == "any_value":
			return !slices.ContainsFunc(a.operands(), func(e Expr) bool { return !h.constant(e) })
		}
		return false
	}
	if _, ok := e.(*Subquery); ok {
		return false
	}
	if len(e.operands()) == 0 {
		return h.constant(e)
	}
	return !slices.ContainsFunc(e.operands(), func(e Expr) bool { return !h.sums(e) })
}

// counts tells whether an expression is a counter, or one where something holds.
func (h *hours) counts(e Expr) bool {
	switch x := e.(type) {
	case *Literal:
		n, ok := x.Value.(int64)
		return x.Value == nil || ok && n == 0
	case *Col:
		name := x.name(h.scan)
		return name == "connections" || strings.HasSuffix(name, "bytes") || strings.HasSuffix(name, "packets")
	case *Case:
		for _, w := range x.Whens {
			if !h.constant(w.If) || !h.counts(w.Then) {
				return false
			}
		}
		return x.Else == nil || h.counts(x.Else)
	case *Cast:
		return x.T.Kind == Integer && isNull(x) // the NULL of a type
	}
	return false
}
