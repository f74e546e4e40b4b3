package pushdown

import (
	"github.com/wiresql/wiresql/functions"
	"strconv"
	"strings"

	"vitess.io/vitess/go/mysql/datetime"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Window functions.

// over binds a window function and gives the column of its value.
func (c *compiler) over(e sqlparser.Expr, clause *sqlparser.OverClause) (Expr, error) {
	s := c.scope
	if s == nil || !s.mayWindow {
		return nil, mistake(3593, "You cannot use the window function '%s' in this context.", strings.ToLower(sqlparser.String(e)))
	}
	// Its own arguments may be aggregates, not window functions.
	s.mayWindow = false
	defer func() { s.mayWindow = true }()
	o := &Over{}
	spec, err := c.window(clause)
	if err != nil {
		return nil, err
	}
	for _, p := range spec.PartitionClause {
		x, err := c.expr(p)
		if err != nil {
			return nil, err
		}
		if !isLiteral(x) {
			o.Partition = append(o.Partition, c.key(instant(x)))
		}
	}
	for _, k := range spec.OrderClause {
		x, err := c.expr(k.Expr)
		if err != nil {
			return nil, err
		}
		if f := spec.FrameClause; f == nil || f.Unit != sqlparser.FrameRangeType {
			x = instant(x) // an interval is added to what clocks show
		}
		o.Order = append(o.Order, SortKey{c.key(x), k.Direction == sqlparser.DescOrder})
	}
	if o.Frame, err = c.frame(spec.FrameClause, o.Order); err != nil {
		return nil, err
	}
	if o.Call, err = c.windowCall(e); err != nil {
		return nil, err
	}
	if l, ok := o.Call.(*Literal); ok {
		return l, nil
	}
	if o.Frame.empty() {
		if x := overNothing(o.Call); x != nil {
			return x, nil
		}
	}
	if x, ok := o.Call.(*Call); ok && frameless(x) {
		o.Frame = nil
	}
	text := fingerprint(o)
	for _, n := range s.windows {
		if fingerprint(n.Expr) == text {
			return c.shown(&Col{n.Column}), nil
		}
	}
	col := Column{ID: c.identity(), Type: TypeOf(o), Meaning: meaning(o)}
	if inexact(o) {
		col.Digits = carried(o.Call)
	}
	s.windows = append(s.windows, Named{col, o})
	return c.shown(&Col{col}), nil
}

// empty tells whether a frame ends before it starts, whatever the row: DuckDB
// counts backwards then.
func (f *Frame) empty() bool {
	if f == nil || f.Start.Offset == nil || f.End.Offset == nil {
		return false
	}
	if f.Start.Word != f.End.Word {
		return f.Start.Word == "FOLLOWING"
	}
	from, to := amount(f.Start), amount(f.End)
	if f.Start.Word == "PRECEDING" {
		return from < to
	}
	return from > to
}

// amount is an offset, of an interval in µs.
func amount(b Bound) float64 {
	n, err := strconv.ParseFloat(b.Offset.(*Literal).SQLValue().ToString(), 64)
	if err != nil {
		return 0
	}
	micros := map[string]float64{"SECOND": 1e6, "MINUTE": 60e6, "HOUR": 3600e6, "DAY": 86400e6, "WEEK": 7 * 86400e6,
		"MONTH": 30 * 86400e6, "QUARTER": 91 * 86400e6, "YEAR": 365 * 86400e6}
	if u, ok := micros[b.Unit]; ok {
		return n * u
	}
	return n
}

// overNothing is a function of no rows; nil for one that looks at all.
func overNothing(e Expr) Expr {
	switch x := e.(type) {
	case *Aggregate:
		switch x.Name {
		case "count":
			return lit(Integer, int64(0))
		case "bit_or", "bit_xor":
			return lit(Unsigned, uint64(0))
		case "bit_and":
			return lit(Unsigned, ^uint64(0))
		}
		return null()
	case *Call:
		if !frameless(x) {
			return null()
		}
	}
	return nil
}

func frameless(x *Call) bool {
	f, _, _ := rowsFunctionNamed(x.Op)
	return f.kind == ofPartition
}

// namedWindows are the windows of a WINDOW clause, by their names in lower case.
func namedWindows(lists sqlparser.NamedWindows) (map[string]*sqlparser.WindowSpecification, error) {
	out := map[string]*sqlparser.WindowSpecification{}
	for _, list := range lists {
		for _, w := range list.Windows {
			name := w.Name.Lowered()
			if out[name] != nil {
				return nil, mistake(3591, "Window '%s' is defined twice.", w.Name.String())
			}
			out[name] = w.WindowSpec
		}
	}
	return out, nil
}

// window resolves names of windows: OVER w, OVER (w ORDER BY …).
func (c *compiler) window(clause *sqlparser.OverClause) (*sqlparser.WindowSpecification, error) {
	spec := &sqlparser.WindowSpecification{}
	if clause.WindowSpec != nil {
		*spec = *clause.WindowSpec
	}
	name := clause.WindowName
	whole := !name.IsEmpty() && clause.WindowSpec == nil
	if name.IsEmpty() {
		name = spec.Name
	}
	for seen := 0; !name.IsEmpty(); seen++ {
		base := c.scope.named[name.Lowered()]
		if base == nil {
			return nil, mistake(3579, "Window name '%s' is not defined.", name.String())
		}
		if seen > 50 {
			return nil, mistake(3580, "There is a circularity in the window dependency graph.")
		}
		if !whole && base.FrameClause != nil {
			return nil, mistake(3582, "Window '%s' has a frame definition, so cannot be referenced by another window.", name.String())
		}
		if len(spec.PartitionClause) > 0 && seen >= 0 && !whole {
			return nil, mistake(3581, "A window which depends on another cannot define partitioning.")
		}
		if len(base.OrderClause) > 0 && len(spec.OrderClause) > 0 {
			return nil, mistake(3583, "Window '<unnamed window>' cannot inherit '%s' since both contain an ORDER BY clause.", name.String())
		}
		spec.PartitionClause = base.PartitionClause
		if len(base.OrderClause) > 0 {
			spec.OrderClause = base.OrderClause
		}
		if base.FrameClause != nil {
			spec.FrameClause = base.FrameClause
		}
		name = base.Name
		whole = false
	}
	return spec, nil
}

// frame binds ROWS and RANGE. Offsets are constants.
func (c *compiler) frame(f *sqlparser.FrameClause, order []SortKey) (*Frame, error) {
	if f == nil {
		return nil, nil
	}
	out := &Frame{Unit: "ROWS"}
	if f.Unit == sqlparser.FrameRangeType {
		out.Unit = "RANGE"
	}
	var err error
	if out.Start, err = c.bound(f.Start, out.Unit, order); err != nil {
		return nil, err
	}
	out.End = Bound{Word: "CURRENT ROW"}
	if f.End != nil {
		if out.End, err = c.bound(f.End, out.Unit, order); err != nil {
			return nil, err
		}
	}
	if f.Start.Type == sqlparser.UnboundedFollowingType {
		return nil, mistake(3584, "Window '<unnamed window>': frame start cannot be UNBOUNDED FOLLOWING.")
	}
	if f.End == nil {
		if f.Start.Type == sqlparser.ExprFollowingType {
			return nil, mistake(3586, wrongFrame)
		}
		return out, nil
	}
	if f.End.Type == sqlparser.UnboundedPrecedingType {
		return nil, mistake(3585, "Window '<unnamed window>': frame end cannot be UNBOUNDED PRECEDING.")
	}
	if at := framePlace; at[f.Start.Type] > at[f.End.Type] {
		return nil, mistake(3586, wrongFrame)
	}
	return out, nil
}

const notOneNumber = "Window '<unnamed window>' with RANGE N PRECEDING/FOLLOWING frame requires exactly one ORDER BY expression, of numeric or temporal type"

const wrongFrame = "Window '<unnamed window>': frame start or end is negative, NULL or of non-integral type"

// framePlace orders the kinds of bounds: a frame doesn't start behind its end.
var framePlace = map[sqlparser.FramePointType]int{sqlparser.UnboundedPrecedingType: 0, sqlparser.ExprPrecedingType: 1,
	sqlparser.CurrentRowType: 2, sqlparser.ExprFollowingType: 3, sqlparser.UnboundedFollowingType: 4}

// onlyRespecting refuses what MySQL does not do either.
func onlyRespecting(nulls *sqlparser.NullTreatmentClause, from *sqlparser.FromFirstLastClause) error {
	if nulls != nil && nulls.Type == sqlparser.IgnoreNullsType {
		return refuse(nil, "IGNORE NULLS is not supported")
	}
	if from != nil && from.Type == sqlparser.FromLastType {
		return refuse(nil, "FROM LAST is not supported: order the window the other way")
	}
	return nil
}

func (c *compiler) bound(p *sqlparser.FramePoint, unit string, order []SortKey) (Bound, error) {
	switch p.Type {
	case sqlparser.CurrentRowType:
		return Bound{Word: "CURRENT ROW"}, nil
	case sqlparser.UnboundedPrecedingType:
		return Bound{Word: "UNBOUNDED PRECEDING"}, nil
	case sqlparser.UnboundedFollowingType:
		return Bound{Word: "UNBOUNDED FOLLOWING"}, nil
	}
	b := Bound{Word: "PRECEDING"}
	if p.Type == sqlparser.ExprFollowingType {
		b.Word = "FOLLOWING"
	}
	x, err := c.expr(p.Expr)
	if err != nil {
		return b, err
	}
	if unit == "RANGE" && p.Unit != 0 && !units[strings.ToUpper(p.Unit.ToString())] {
		if x, err = c.micros(p); err != nil {
			return b, err
		}
		p = &sqlparser.FramePoint{Type: p.Type, Expr: p.Expr, Unit: datetime.IntervalMicrosecond}
	}
	l, ok := x.(*Literal)
	if !ok || l.Value == nil || !l.T.Kind.Numeric() {
		return b, mistake(3586, wrongFrame)
	}
	if strings.HasPrefix(l.SQLValue().ToString(), "-") || unit == "ROWS" && l.T.Kind != Integer {
		return b, mistake(3586, wrongFrame)
	}
	b.Offset = l
	if unit == "ROWS" {
		return b, nil
	}
	if len(order) != 1 {
		return b, mistake(3587, notOneNumber)
	}
	k := order[0].Expr.Kind()
	if !k.Numeric() && !k.Temporal() {
		return b, mistake(3587, notOneNumber)
	}
	if interval := p.Unit; interval != 0 {
		b.Unit = strings.ToUpper(interval.ToString())
		if k != Time && k != Date {
			return b, mistake(3588, "Window '<unnamed window>' with RANGE frame has ORDER BY expression of numeric type, INTERVAL bound value not allowed.")
		}
		if !units[b.Unit] || l.T.Kind != Integer && b.Unit != "SECOND" {
			return b, refuse(p.Expr, "an INTERVAL of this kind in a frame")
		}
		return b, nil
	}
	if !k.Numeric() {
		return b, mistake(3589, "Window '<unnamed window>' with RANGE frame has ORDER BY expression of datetime type. Only INTERVAL bound value allowed.")
	}
	return b, nil
}

// micros is a composite interval, such as '1:30' MINUTE_SECOND, in µs.
func (c *compiler) micros(p *sqlparser.FramePoint) (Expr, error) {
	from := "2000-01-01 00:00:00"
	x, err := c.expr(&sqlparser.IntervalDateExpr{Syntax: sqlparser.IntervalDateExprBinaryAdd, Date: sqlparser.NewStrLiteral(from), Interval: p.Expr, Unit: p.Unit})
	if err != nil {
		return nil, err
	}
	s, ok := textLiteral(x)
	if l, isTime := x.(*Literal); isTime && !ok {
		s, ok = l.SQLValue().ToString(), l.Value != nil
	}
	at, err := functions.ParseTime(s)
	start, _ := functions.ParseTime(from)
	if !ok || err != nil || p.Unit == datetime.IntervalYearMonth {
		return nil, refuse(p.Expr, "an INTERVAL of this kind in a frame")
	}
	return lit(Integer, at.Sub(start).Microseconds()), nil
}

// windowCall binds what a window function computes.
func (c *compiler) windowCall(e sqlparser.Expr) (Expr, error) {
	f, name, ok := rowsFunctionOf(e)
	if !ok {
		return nil, refuse(e, "it is no window function")
	}
	if f.kind >= ofFrame {
		return f.bind(c, name, e)
	}
	// Arguments of a window's aggregate may be aggregates of the grouping.
	c.scope.mayWindow = false
	x, err := f.bind(c, name, e)
	if err != nil {
		return nil, err
	}
	if a, ok := x.(*Aggregate); ok {
		// What a window adds up are columns of a table of its own: rounded, but for
		// constants.
		for i, arg := range a.Args {
			if inexact(arg) && !isLiteral(arg) {
				a.Args[i] = &Cast{Arg: arg, T: TypeOf(arg)}
			}
		}
		if a.Distinct || f.kind == ofGroupsOnly {
			return nil, mistake(1235, "This version of wiresql doesn't yet support '%s over a window'", strings.ToUpper(name))
		}
	}
	return x, nil
}

// counted is a function that numbers rows.
func counted(_ *compiler, name string, _ sqlparser.Expr) (Expr, error) {
	return typed(name, Type{Kind: Unsigned, Bits: 64}), nil
}

func proportion(_ *compiler, name string, _ sqlparser.Expr) (Expr, error) {
	return typed(name, Type{Kind: Double}), nil
}

func (c *compiler) ntile(name string, e sqlparser.Expr) (Expr, error) {
	n, err := c.ordinal(name, e.(*sqlparser.NtileExpr).N)
	if err != nil {
		return nil, err
	}
	return typed(name, Type{Kind: Unsigned, Bits: 64}, n), nil
}

// ordinal is an argument that counts from 1.
func (c *compiler) ordinal(name string, e sqlparser.Expr) (Expr, error) {
	n, err := c.expr(e)
	if err != nil {
		return nil, err
	}
	if v, ok := intLiteral(n); !ok || v < 1 {
		return nil, mistake(1210, "Incorrect arguments to %s", name)
	}
	return n, nil
}

func (c *compiler) endOfFrame(name string, call sqlparser.Expr) (Expr, error) {
	e := call.(*sqlparser.FirstOrLastValueExpr)
	if err := onlyRespecting(e.NullTreatmentClause, nil); err != nil {
		return nil, err
	}
	x, err := c.expr(e.Expr)
	if err != nil {
		return nil, err
	}
	return shifted(name, x), nil
}

func (c *compiler) nthValue(name string, call sqlparser.Expr) (Expr, error) {
	e := call.(*sqlparser.NTHValueExpr)
	if err := onlyRespecting(e.NullTreatmentClause, e.FromFirstLastClause); err != nil {
		return nil, err
	}
	x, err := c.expr(e.Expr)
	if err != nil {
		return nil, err
	}
	n, err := c.ordinal(name, e.N)
	if err != nil {
		return nil, err
	}
	return shifted(name, x, n), nil
}

// shifted is a function that takes a value from another row.
func shifted(name string, x Expr, more ...Expr) Expr {
	if x.Kind() == Null {
		return null()
	}
	t := TypeOf(x)
	t.Nullable = true
	return typed(name, t, append([]Expr{x}, more...)...)
}

func (c *compiler) lagLead(name string, call sqlparser.Expr) (Expr, error) {
	e := call.(*sqlparser.LagLeadExpr)
	if err := onlyRespecting(e.NullTreatmentClause, nil); err != nil {
		return nil, err
	}
	x, err := c.expr(e.Expr)
	if err != nil {
		return nil, err
	}
	n := Expr(lit(Integer, int64(1)))
	if e.N != nil {
		if n, err = c.expr(e.N); err != nil {
			return nil, err
		}
		if v, ok := intLiteral(n); !ok || v < 0 {
			return nil, mistake(1210, "Incorrect arguments to %s", name)
		}
	}
	if e.Default == nil {
		return shifted(name, x, n), nil
	}
	d, err := c.expr(e.Default)
	if err != nil {
		return nil, err
	}
	values, t, err := c.merged([]Expr{x, d})
	if err != nil {
		return nil, err
	}
	t.Nullable = true
	return typed(name, t, values[0], n, values[1]), nil
}
