package pushdown

import (
	"math"
	"slices"
	"time"

	"github.com/wiresql/wiresql/functions"
)

// Times of the archive are what MySQL's TIMESTAMP columns hold: points of time,
// stored in UTC. In a session whose zone is another one, an expression sees
// what the zone's clocks show then, a DATETIME ("local" in the intermediate
// form). Only what MySQL does with the stored value is done with an instant:
// grouping, sorting, DISTINCT, MIN and MAX, comparing two of them,
// UNIX_TIMESTAMP. Results are shown in the session's zone when they leave.
//
// A comparison with a constant is restated in UTC, so that it prunes files.
// MySQL compares what clocks show (manual 10.3.15: without an index), so that
// the hour that comes again when they are set back is meant twice.

// utc tells whether the session's clocks are those of UTC.
func (c *compiler) utc() bool { return c.fn.Zone == nil }

// shown is a value as expressions see it.
func (c *compiler) shown(e Expr) Expr {
	if e == nil || !TypeOf(e).Instant {
		return e
	}
	t := TypeOf(e)
	t.Instant = false
	if l, ok := e.(*Literal); ok {
		return &Literal{T: t, Value: time.UnixMicro(c.fn.Zone.Local(l.Value.(time.Time).UnixMicro())).UTC()}
	}
	return typed("local", t, e, lit(Text, c.fn.Zone.Name))
}

// instant is the point of time behind what is shown; any other value as it is.
func instant(e Expr) Expr {
	if x, ok := e.(*Call); ok && x.Op == "local" {
		return x.Args[0]
	}
	return e
}

func isInstant(e Expr) bool { return TypeOf(instant(e)).Instant }

func allInstants(list []Expr) bool {
	return !slices.ContainsFunc(list, func(e Expr) bool { return !isInstant(e) })
}

// instants compares points of time by themselves if all are some, else by what
// is shown.
func (c *compiler) instants(a, b Expr) (x, y Expr) {
	if isInstant(a) && isInstant(b) {
		return instant(a), instant(b)
	}
	return c.shown(a), c.shown(b)
}

// timeOf reads the text of a time: in the session's zone, or an instant if the
// text has an offset.
func (c *compiler) timeOf(s string, digits int) (*Literal, error) {
	t, offset, err := functions.ParseInstant(s)
	if err != nil {
		return nil, err
	}
	l := timeLiteralOf(t, digits)
	l.T.Instant = offset && !c.utc()
	return l, nil
}

// sinceLocal restates the comparison of a point of time with what clocks show;
// nil where it has to be made of that.
func (c *compiler) sinceLocal(op string, x, y Expr) Expr {
	l, ok := y.(*Literal)
	at := instant(x)
	if !ok || l.T.Kind != Time || l.T.Instant || l.Value == nil || !TypeOf(at).Instant || isInstant(y) {
		return nil
	}
	us := l.Value.(time.Time).UnixMicro()
	zone := c.fn.Zone
	constant := func(us int64) Expr {
		t := l.T
		t.Instant = true
		return &Literal{T: t, Value: time.UnixMicro(us).UTC()}
	}
	all, since := zone.Instants(us), zone.Since(us)
	if len(all) == 1 && len(since) == 1 && since[0] == (functions.Span{From: all[0], To: math.MaxInt64}) {
		return call(op, Bool, at, constant(all[0]))
	}
	switch op {
	case "=", "<>":
		if len(all) == 0 {
			return nil
		}
		var any []Expr
		for _, t := range all {
			any = append(any, call("=", Bool, at, constant(t)))
		}
		if op == "<>" {
			return not(orOf(any))
		}
		return orOf(any)
	case ">", "<=":
		since = zone.Since(us + 1)
	case "<=>":
		return nil
	}
	var any []Expr
	for _, s := range since {
		within := []Expr{call(">=", Bool, at, constant(s.From))}
		if s.To != math.MaxInt64 {
			within = append(within, call("<", Bool, at, constant(s.To)))
		}
		any = append(any, andOf(within))
	}
	if op[0] == '<' {
		return not(orOf(any))
	}
	return orOf(any)
}

// overlaps is the function of that name in a session with a zone: of two
// comparisons.
func (c *compiler) overlaps(args []Expr) (Expr, error) {
	starts, err := c.comparison("<", args[0], args[3])
	if err != nil {
		return nil, err
	}
	lasts, err := c.comparison(">=", args[1], args[2])
	if err != nil {
		return nil, err
	}
	return foldBool(call("and", Bool, starts, lasts)), nil
}
