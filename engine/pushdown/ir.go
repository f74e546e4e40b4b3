package pushdown

import (
	"strconv"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// The intermediate form between a parsed statement and DuckDB SQL. Every
// column has an id of its own, so scoping disappears: column 7 is column 7 in
// every query block, and the text names it c7.

// Kind is how a value is held; Type is that with what MySQL says of it.
type (
	Kind = functions.Kind
	Type = functions.Type
)

// The kinds of values, as package functions has them.
const (
	Null      = functions.Null
	Bool      = functions.Bool
	Integer   = functions.Integer
	Unsigned  = functions.Unsigned
	Decimal   = functions.Decimal
	Double    = functions.Double
	Text      = functions.Text
	Bytes     = functions.Bytes
	Time      = functions.Time
	Date      = functions.Date
	Clock     = functions.Clock
	JSON      = functions.JSON
	Address   = functions.Address
	ID        = functions.ID
	Community = functions.Community
	MAC       = functions.MAC
)

// Types that the compiler itself gives to columns.
var (
	bigint   = Type{Kind: Integer}
	longtext = Type{Kind: Text}
)

// ColumnID tells columns apart, throughout a statement.
type ColumnID uint32

// Column is a value with its identity: what a node puts out.
type Column struct {
	ID   ColumnID
	Name string
	// Type is MySQL's; the result is cast to it.
	Type
	// Digits is set on a decimal that carries more digits behind the point
	// than its type shows: an average is not rounded before it is shown or
	// leaves its query block.
	Digits int
	// Schema and Table are where the column comes from, for the wire.
	Schema, Table string
	// Meaning is the relation's column whose values these are, unchanged: it
	// says how a constant beside it is read. May be nil.
	Meaning *tables.Column
}

// Rel is a relational node. Columns lists what it puts out, in order.
type Rel interface {
	Columns() []Column
	inputs() []*Rel // what it reads
}

// Scan reads one relation. ID numbers the scans of a plan from 0.
type Scan struct {
	ID       int
	Relation *tables.Relation
	// Out gives the plan's column for each column of the relation, same order.
	Out []Column
	// Hidden are stored columns that users do not see but a rewritten
	// predicate needs, by stored name, such as site and cid.
	Hidden []Column
	// Needed tells which columns of Out the rest of the plan refers to. The
	// relation's text produces these and Hidden, no others.
	Needed []bool
	// Ends tells that only the first and the last ts of its rows are asked for,
	// under no other conditions than on ts.
	Ends bool
}

// Dual is one row without columns.
type Dual struct{}

// Filter keeps the rows for which all conjuncts are true.
type Filter struct {
	Child     Rel
	Conjuncts []Expr
}

// Named is an expression that gets a column id.
type Named struct {
	Column
	Expr Expr
}

// Project computes columns.
type Project struct {
	Child Rel
	Exprs []Named
}

// Group aggregates. Without Keys it puts out exactly one row.
type Group struct {
	Child Rel
	// Rollup adds a row for each prefix of the keys, the others NULL.
	Rollup bool
	Keys   []Named
	Aggs   []Named // each Expr contains *Aggregate nodes, or any_value of a dependent column
}

// Window adds window functions to the columns of its child. Each Expr is an
// Over, or contains some.
type Window struct {
	Child Rel
	Exprs []Named
}

// JoinKind is the kind of a join.
type JoinKind uint8

// The joins. Semi and Anti put out the left columns only.
const (
	Inner JoinKind = iota
	Left
	Cross
	Semi
	Anti
)

// Join combines two relations.
type Join struct {
	Kind JoinKind
	L, R Rel
	On   []Expr
	// Lateral lets R refer to the columns of L.
	Lateral bool
}

// SortKey orders by an expression. NULLs are first when ascending, last when
// descending, as in MySQL.
type SortKey struct {
	Expr Expr
	Desc bool
}

// Sort orders rows.
type Sort struct {
	Child Rel
	Keys  []SortKey
}

// Limit cuts; Count < 0 means all.
type Limit struct {
	Child         Rel
	Count, Offset int64
}

// Distinct removes equal rows.
type Distinct struct{ Child Rel }

// SetOp is UNION, INTERSECT or EXCEPT of relations with equally many columns.
type SetOp struct {
	Op   string // UNION, INTERSECT, EXCEPT
	All  bool
	L, R Rel
	Out  []Column
}

// Recursive is a recursive common table expression: Step refers to the rows of
// the round before by a Ref with the same Name.
type Recursive struct {
	Name       string
	All        bool
	Base, Step Rel
	Out        []Column
}

// Ref is the rows of the round before in the step of a Recursive.
type Ref struct {
	Name string
	// Stored are the names the columns have there, Out those here.
	Stored, Out []Column
}

// Expr is a scalar expression.
type Expr interface {
	Kind() Kind
	operands() []Expr
}

// Col refers to a column by id, of this query block or of an enclosing one.
type Col struct{ Column }

// Literal is a constant. Value is nil, bool, int64, uint64 (Unsigned), float64,
// decimal text (string), string, []byte, time.Time, tables.Addr, tables.ID, or
// int64 µs (Clock), by kind.
type Literal struct {
	T     Type
	Value any
	// Hex tells that bytes were written as x'…', 0x… or b'…': beside a number
	// they are one.
	Hex bool
}

func lit(k Kind, value any) *Literal { return &Literal{T: Type{Kind: k}, Value: value} }

func null() *Literal { return &Literal{T: Type{Nullable: true}} }

// noValue is the NULL that an expression of a type comes to: its type counts
// where it meets others.
func noValue(t Type) Expr {
	if t.Kind == Null || t.Kind == JSON { // JSON has nothing to add
		return null()
	}
	t.Nullable = true
	return &Cast{Arg: null(), T: t}
}

// isNull tells whether an expression is NULL in every row, whatever its type.
func isNull(e Expr) bool {
	if c, ok := e.(*Cast); ok {
		e = c.Arg
	}
	l, ok := e.(*Literal)
	return ok && l.Value == nil
}

// Call applies an operator or function known to the renderer, by the
// renderer's own name. Operators: = <> < <= > >= <=> and or not xor, is null,
// is true, is false, in (value, then the list), like (value, pattern, escape),
// + - * / div % neg & | ^ << >>, date_add (time, amount, unit as text), local (time in UTC, zone), between (of an
// address and two constants with one high half; any other BETWEEN has become
// two comparisons). NOT has moved inwards where it can. All other names are
// MySQL's functions in lower case, or those of package functions.
type Call struct {
	Op   string
	Args []Expr
	T    Type
	// Implied tells that the statement does not say this: it follows from a
	// name's leases, say. It chooses files as any condition does, but what lies
	// outside was not asked for.
	Implied bool
}

// Func is a function or operator of the function table (package functions): in
// DuckDB's SQL where that is exact, else called back.
type Func struct {
	// Node is the call as it was parsed; Args stand for its arguments.
	Node sqlparser.Expr
	Args []Expr
	T    Type
	Made *functions.Prepared
	// Native tells that DuckDB computes it.
	Native bool
	// Shape is the call without its arguments, for people.
	Shape   string
	Session *functions.Session
}

// Says tells all that a call computes, but for its arguments that differ from
// row to row: calls that say the same of the same arguments are one.
func (f *Func) Says() string {
	s := f.Shape
	for i, a := range f.Args {
		if l, ok := a.(*Literal); ok {
			v := l.SQLValue()
			text := v.ToString()
			switch {
			case v.IsNull():
				text = "NULL"
			case !l.T.Kind.Numeric():
				text = functions.Quote(strconv.Quote(text))
			}
			s += " " + strconv.Itoa(i+1) + ": " + text
		}
	}
	return s
}

// When is one arm of a Case.
type When struct{ If, Then Expr }

// Case is CASE WHEN … ELSE … END.
type Case struct {
	Whens []When
	Else  Expr // nil for NULL
	T     Type
}

// Cast converts to a type.
type Cast struct {
	Arg Expr
	T   Type
}

// Aggregate is COUNT, SUM, AVG, MIN, MAX, … over the rows of a group. No Args
// means COUNT(*).
type Aggregate struct {
	Name     string // lower case
	Distinct bool
	Args     []Expr
	T        Type
	Order    []SortKey // of group_concat, whose further Args are separator and length
	Finish   *Func     // of joined texts: what shortens one, or puts its members in order
}

// Over is a window function: Call is an Aggregate, or a Call of row_number,
// rank, dense_rank, percent_rank, cume_dist, ntile, lag, lead, first_value,
// last_value, nth_value.
type Over struct {
	Call      Expr
	Partition []Expr
	Order     []SortKey
	Frame     *Frame // nil for the default
}

// Frame is the frame of a window.
type Frame struct {
	Unit       string // ROWS, RANGE
	Start, End Bound
}

// Bound is one end of a frame. Offset is a literal, or for a RANGE of times a
// date_add's amount with its Unit.
type Bound struct {
	Word   string // UNBOUNDED PRECEDING, PRECEDING, CURRENT ROW, FOLLOWING, UNBOUNDED FOLLOWING
	Offset Expr
	Unit   string
}

// Subquery is a scalar subquery, EXISTS, or IN. Correlated references are Cols
// with the ids of the enclosing block. Normalisation turns those it can into
// semi- and anti-joins.
type Subquery struct {
	Op string // scalar, exists, in, any, all
	// Compare is the operator before ANY and ALL.
	Compare string
	Rel     Rel
	Args    []Expr // left side of in
	Not     bool
	T       Type
}

func (s *Scan) Columns() []Column    { return append(s.Out[:len(s.Out):len(s.Out)], s.Hidden...) }
func (*Dual) Columns() []Column      { return nil }
func (f *Filter) Columns() []Column  { return f.Child.Columns() }
func (p *Project) Columns() []Column { return namedColumns(p.Exprs) }
func (g *Group) Columns() []Column   { return append(namedColumns(g.Keys), namedColumns(g.Aggs)...) }
func (w *Window) Columns() []Column {
	c := w.Child.Columns()
	return append(c[:len(c):len(c)], namedColumns(w.Exprs)...)
}
func (s *Sort) Columns() []Column      { return s.Child.Columns() }
func (l *Limit) Columns() []Column     { return l.Child.Columns() }
func (d *Distinct) Columns() []Column  { return d.Child.Columns() }
func (s *SetOp) Columns() []Column     { return s.Out }
func (r *Recursive) Columns() []Column { return r.Out }
func (r *Ref) Columns() []Column       { return r.Out }
func (j *Join) Columns() []Column {
	if j.Kind == Semi || j.Kind == Anti {
		return j.L.Columns()
	}
	l, r := j.L.Columns(), j.R.Columns()
	return append(l[:len(l):len(l)], r...)
}

func (*Scan) inputs() []*Rel        { return nil }
func (*Dual) inputs() []*Rel        { return nil }
func (f *Filter) inputs() []*Rel    { return []*Rel{&f.Child} }
func (p *Project) inputs() []*Rel   { return []*Rel{&p.Child} }
func (g *Group) inputs() []*Rel     { return []*Rel{&g.Child} }
func (w *Window) inputs() []*Rel    { return []*Rel{&w.Child} }
func (j *Join) inputs() []*Rel      { return []*Rel{&j.L, &j.R} }
func (s *Sort) inputs() []*Rel      { return []*Rel{&s.Child} }
func (l *Limit) inputs() []*Rel     { return []*Rel{&l.Child} }
func (d *Distinct) inputs() []*Rel  { return []*Rel{&d.Child} }
func (s *SetOp) inputs() []*Rel     { return []*Rel{&s.L, &s.R} }
func (r *Recursive) inputs() []*Rel { return []*Rel{&r.Base, &r.Step} }
func (*Ref) inputs() []*Rel         { return nil }

func (c *Col) Kind() Kind       { return c.Column.Kind }
func (f *Func) Kind() Kind      { return f.T.Kind }
func (l *Literal) Kind() Kind   { return l.T.Kind }
func (c *Call) Kind() Kind      { return c.T.Kind }
func (c *Case) Kind() Kind      { return c.T.Kind }
func (c *Cast) Kind() Kind      { return c.T.Kind }
func (a *Aggregate) Kind() Kind { return a.T.Kind }
func (o *Over) Kind() Kind      { return o.Call.Kind() }
func (s *Subquery) Kind() Kind  { return s.T.Kind }

func (*Col) operands() []Expr     { return nil }
func (*Literal) operands() []Expr { return nil }
func (c *Call) operands() []Expr  { return c.Args }
func (f *Func) operands() []Expr  { return f.Args }
func (c *Cast) operands() []Expr  { return []Expr{c.Arg} }
func (a *Aggregate) operands() []Expr {
	out := a.Args[:len(a.Args):len(a.Args)]
	for _, k := range a.Order {
		out = append(out, k.Expr)
	}
	return out
}
func (s *Subquery) operands() []Expr { return s.Args }
func (o *Over) operands() []Expr {
	out := append([]Expr{o.Call}, o.Partition...)
	for _, k := range o.Order {
		out = append(out, k.Expr)
	}
	return out
}
func (c *Case) operands() []Expr {
	var out []Expr
	for _, w := range c.Whens {
		out = append(out, w.If, w.Then)
	}
	if c.Else != nil {
		out = append(out, c.Else)
	}
	return out
}

func namedColumns(exprs []Named) []Column {
	out := make([]Column, len(exprs))
	for i := range exprs {
		out[i] = exprs[i].Column
	}
	return out
}
