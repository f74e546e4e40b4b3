package pushdown

import (
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/wiresql/wiresql/tables"
)

// What the conditions on a scan say about the files it has to read. Only
// conditions that every row must meet count, and a bound may be too wide,
// never too narrow.

// Bounds say which files of a scan can hold rows that matter.
type Bounds struct {
	// Only rows that begin before To and end at From or later matter: a file
	// is left out when its first ts is not before To, or its last ts_end
	// before From. MinTime and MaxTime are no bound.
	From, To tables.Time
	// Equal holds, per entry, values of which a row must have one: a file
	// whose bloom filters have none of them is left out.
	Equal [][]Equality
	// Without are families none of whose rows matter, such as the metered
	// rows of flows when source_type is an exporter's.
	Without []string
	// Sensors, when not nil, are the names of which a row must have one as its
	// sensor or observer, but for case.
	Sensors []string
}

// The ends of time, as bounds that bound nothing.
const (
	MinTime tables.Time = math.MinInt64
	MaxTime tables.Time = math.MaxInt64
)

// Equality is a value of a stored column, such as conn_id, cid or src_lo.
type Equality struct {
	Column string
	Value  uint64
}

func unbounded() Bounds { return Bounds{From: MinTime, To: MaxTime} }

// Timeless tells whether the bounds leave out no time.
func (b Bounds) Timeless() bool { return b.From == MinTime && b.To == MaxTime }

// union is the span of two ranges of time.
func (b Bounds) union(o Bounds) Bounds {
	return Bounds{From: min(b.From, o.From), To: max(b.To, o.To)}
}

// maxEqualities bounds the values that blooms are asked for in one entry.
const maxEqualities = 256

// boundsOf finds the bounds of every scan in a relation in normal form; those
// that were asked for leave out what is only implied.
func boundsOf(rel Rel, asked bool) map[*Scan]Bounds {
	out := map[*Scan]Bounds{}
	var visit func(Rel)
	visit = func(rel Rel) {
		switch n := rel.(type) {
		case *Filter:
			if s, ok := n.Child.(*Scan); ok {
				out[s] = s.bounds(n.Conjuncts, asked)
			}
		case *Scan:
			if _, known := out[n]; !known {
				out[n] = unbounded()
			}
		}
		for _, e := range exprsOf(rel) {
			walk(e, func(e Expr) {
				if s, ok := e.(*Subquery); ok {
					visit(s.Rel)
				}
			})
		}
		for _, ch := range children(rel) {
			visit(ch)
		}
	}
	visit(rel)
	return out
}

// planBounds is the time a statement asks about: the span of what its scans of
// captured data are bounded to. Scans without bounds follow the others.
func planBounds(bounds map[*Scan]Bounds) Bounds {
	all, found := unbounded(), false
	for s, b := range bounds {
		if s.Relation.Schema != tables.Main || s.Relation == tables.Hosts || b.Timeless() {
			continue
		}
		if !found {
			all, found = Bounds{From: b.From, To: b.To}, true
			continue
		}
		all = all.union(b)
	}
	return all
}

func (s *Scan) bounds(conds []Expr, asked bool) Bounds {
	b := unbounded()
	for _, e := range conds {
		if asked {
			e = rewriteExpr(e, func(e Expr) Expr {
				if x, ok := e.(*Call); ok && x.Implied {
					return lit(Bool, true)
				}
				return e
			})
		}
		s.narrow(&b, e)
	}
	for v := views[s.Relation]; v != nil; v = v.also {
		if v.grain > 0 && b.From > MinTime+v.grain {
			b.From -= v.grain
		}
		if v.grain > 0 && b.To < MaxTime-v.grain {
			b.To += v.grain
		}
	}
	return b
}

// narrow takes a condition into account.
func (s *Scan) narrow(b *Bounds, e Expr) {
	if isTruth(e, false) { // no row matters
		b.From, b.To = MaxTime, MinTime
	}
	x, ok := e.(*Call)
	if !ok {
		return
	}
	switch x.Op {
	case "and":
		for _, a := range x.Args {
			s.narrow(b, a)
		}
	case "or":
		any := Bounds{From: MaxTime, To: MinTime}
		named, sensors := true, []string{}
		without := Families(s.Relation)
		var equal []Equality
		complete := true
		for _, a := range x.Args {
			one := unbounded()
			s.narrow(&one, a)
			any = any.union(one)
			sensors = append(sensors, one.Sensors...)
			named = named && one.Sensors != nil
			without = slices.DeleteFunc(without, func(f string) bool { return !slices.Contains(one.Without, f) })
			var best []Equality
			for _, list := range one.Equal {
				if best == nil || len(list) < len(best) {
					best = list
				}
			}
			complete = complete && best != nil
			equal = append(equal, best...)
		}
		b.From, b.To = max(b.From, any.From), min(b.To, any.To)
		b.Without = append(b.Without, without...)
		if named {
			b.sensor(sensors)
		}
		if complete && len(equal) <= maxEqualities {
			b.Equal = append(b.Equal, equal)
		}
	case "overlaps":
		s.narrow(b, call("<", Bool, x.Args[0], x.Args[3]))
		s.narrow(b, call(">=", Bool, x.Args[1], x.Args[2]))
	case "<>":
		if col, ok := x.Args[0].(*Col); ok {
			s.narrowFamilies(b, col, x.Args[1:], true)
		}
	case "<", "<=", ">", ">=", "=":
		col, ok := x.Args[0].(*Col)
		if !ok {
			return
		}
		if t, ok := timeLiteral(x.Args[1]); ok {
			s.narrowTime(b, col, x.Op, t)
		} else if x.Op == "=" {
			s.narrowEqual(b, col, x.Args[1:])
			s.narrowFamilies(b, col, x.Args[1:], false)
			s.narrowSensors(b, col, x.Args[1:])
		}
	case "in":
		if col, ok := x.Args[0].(*Col); ok {
			s.narrowEqual(b, col, x.Args[1:])
			s.narrowFamilies(b, col, x.Args[1:], false)
			s.narrowSensors(b, col, x.Args[1:])
		}
	}
}

// narrowFamilies reads a comparison with constants of a column that tells
// families of rows apart.
func (s *Scan) narrowFamilies(b *Bounds, col *Col, values []Expr, not bool) {
	name := col.name(s)
	var list []string
	for _, v := range values {
		text, ok := textLiteral(v)
		if !ok {
			return
		}
		list = append(list, text)
	}
	for v := views[s.Relation]; v != nil; v = v.also {
		possible := v.only[name] == nil || slices.ContainsFunc(v.only[name], func(value string) bool { return slices.Contains(list, value) != not })
		if !not && v.never[name] != nil {
			possible = possible && slices.ContainsFunc(list, func(value string) bool { return !slices.Contains(v.never[name], value) })
		}
		if !possible && !slices.Contains(b.Without, v.family) {
			b.Without = append(b.Without, v.family)
		}
	}
}

// narrowSensors reads a comparison with constants of who saw a row.
func (s *Scan) narrowSensors(b *Bounds, col *Col, values []Expr) {
	if name := col.name(s); name != "sensor" && name != "observer" {
		return
	}
	list := []string{}
	for _, v := range values {
		text, ok := textLiteral(v)
		if !ok || strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII }) { // which may equal another text
			return
		}
		list = append(list, text)
	}
	b.sensor(list)
}

// sensor leaves of the sensors those of a list.
func (b *Bounds) sensor(list []string) {
	if b.Sensors == nil {
		b.Sensors = list
		return
	}
	b.Sensors = slices.DeleteFunc(slices.Clone(b.Sensors), func(name string) bool {
		return !slices.ContainsFunc(list, func(other string) bool { return strings.EqualFold(name, other) })
	})
}

// narrowTime reads a comparison of ts or ts_end with a constant. An interval
// that begins after a time ends after it, and one that ends before it began
// before it.
func (s *Scan) narrowTime(b *Bounds, col *Col, op string, t tables.Time) {
	if name := col.name(s); name != "ts" && name != "ts_end" {
		return
	}
	switch op {
	case "<":
		b.To = min(b.To, t)
	case "<=":
		b.To = min(b.To, t+1)
	case ">":
		b.From = max(b.From, t+1)
	case ">=":
		b.From = max(b.From, t)
	case "=":
		b.From, b.To = max(b.From, t), min(b.To, t+1)
	}
}

// narrowEqual reads a comparison of an address or an id with constants.
func (s *Scan) narrowEqual(b *Bounds, col *Col, values []Expr) {
	var list []Equality
	for _, v := range values {
		lit, ok := v.(*Literal)
		if !ok {
			return
		}
		var e Equality
		switch v := lit.Value.(type) {
		case nil:
			continue // never equal
		case tables.Addr:
			e = Equality{s.storedName(col, "_lo"), v.Lo}
		case tables.ID:
			if e = (Equality{s.storedName(col, ""), uint64(v)}); s.mayLack(e.Column) {
				return
			}
			if v := views[s.Relation]; v != nil && col.name(s) == "conn_id" && v.exprs["conn_id"] == exprConversation {
				// Rows of a sensor that another one leads have it there.
				list = append(list, Equality{"conn_id", e.Value})
				e.Column = "joined_id"
			}
		case string:
			if lit.T.Kind != Community {
				return
			}
			cid, err := tables.ParseCommunityID(v)
			if err != nil {
				return
			}
			e = Equality{"cid", cid}
		default:
			return
		}
		if e.Column == "" {
			return
		}
		list = append(list, e)
	}
	if len(list) > 0 && len(values) <= maxEqualities {
		b.Equal = append(b.Equal, list)
	}
}

// storedName is the stored column behind a column of the relation; empty when
// there is none, or when the rows come from several views that differ in it.
func (s *Scan) storedName(col *Col, half string) string {
	name := col.name(s)
	for _, h := range s.Hidden {
		if h.ID == col.ID {
			name = h.Name
		}
	}
	if name == "" {
		return "" // of an enclosing query
	}
	name += half
	found := ""
	for v := views[s.Relation]; v != nil; v = v.also {
		one := name
		if x, ok := v.exprs[name]; ok {
			one = strings.Trim(x, "{}")
			if x != "{"+one+"}" || strings.ContainsAny(one, "{}") {
				return ""
			}
		}
		if found != "" && found != one {
			return ""
		}
		found = one
	}
	return found
}

// mayLack tells of a stored id whether rows may have none: those are not looked up by it.
func (s *Scan) mayLack(column string) bool {
	v := views[s.Relation]
	for i := 0; v != nil && i < v.row.NumField(); i++ {
		if f := v.row.Field(i); f.Tag.Get("col") == column {
			_, optional := tables.StoredOf(f.Type)
			return optional
		}
	}
	return false
}

func timeLiteral(e Expr) (tables.Time, bool) {
	l, ok := e.(*Literal)
	if !ok || l.T.Kind != Time {
		return 0, false
	}
	t, ok := l.Value.(time.Time)
	if !ok {
		return 0, false
	}
	return tables.Time(t.UnixMicro()), true
}
