package pushdown

import (
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// The intermediate form between a bound MySQL plan and DuckDB SQL. It keeps
// the planner's column ids, so scoping disappears: column 7 is column 7 in
// every query block, and the text names it c7.

// Kind is how a value is held.
type Kind = functions.Kind

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

// Column is a value with its identity: what a node puts out.
type Column struct {
	ID   sql.ColumnId
	Name string
	Kind Kind
	// Type is what the MySQL plan declares; the result is cast to it.
	Type sql.Type
	// Digits is set on a decimal that carries more digits behind the point
	// than its type shows: an average is not rounded before it is shown or
	// leaves its query block.
	Digits int
}

// Rel is a relational node. Columns lists what it puts out, in order.
type Rel interface {
	Columns() []Column
	children() []Rel
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
	Keys  []Named
	Aggs  []Named // each Expr contains *Aggregate nodes, or any_value of a dependent column
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

// Expr is a scalar expression.
type Expr interface {
	Kind() Kind
	operands() []Expr
}

// Col refers to a column by id, of this query block or of an enclosing one.
type Col struct{ Column }

// Literal is a constant. Value is nil, bool, int64, float64, decimal text
// (string), string, []byte, time.Time, tables.Addr or tables.ID, by kind.
type Literal struct {
	K     Kind
	Value any
}

// Call applies an operator or function known to the renderer, by the
// renderer's own name. Operators: = <> < <= > >= <=> and or not xor, is null,
// is true, is false, in (value, then the list), like (value, pattern, escape),
// + - * / div % neg & | ^ << >>, date_add (time, amount, unit as text), between (of an
// address and two constants with one high half; any other BETWEEN has become
// two comparisons). NOT has moved inwards where it can. All other names are
// MySQL's functions in lower case, or those of package functions.
type Call struct {
	Op   string
	Args []Expr
	K    Kind
}

// When is one arm of a Case.
type When struct{ If, Then Expr }

// Case is CASE WHEN … ELSE … END.
type Case struct {
	Whens []When
	Else  Expr // nil for NULL
	K     Kind
}

// Cast converts to a kind; Type says the precise target.
type Cast struct {
	Arg  Expr
	K    Kind
	Type sql.Type
}

// Aggregate is COUNT, SUM, AVG, MIN, MAX, … over the rows of a group. No Args
// means COUNT(*).
type Aggregate struct {
	Name     string // lower case
	Distinct bool
	Args     []Expr
	K        Kind
	Order    []SortKey // of group_concat, whose further Args are separator and length
}

// Over is a window function: Call is an Aggregate, or a Call of row_number,
// rank, dense_rank, percent_rank, ntile, lag, lead, first_value, last_value.
type Over struct {
	Call      Expr
	Partition []Expr
	Order     []SortKey
	Frame     string // as SQL; empty for the default
}

// Subquery is a scalar subquery, EXISTS, or IN. Correlated references are Cols
// with the ids of the enclosing block. Normalisation turns those it can into
// semi- and anti-joins.
type Subquery struct {
	Op   string // scalar, exists, in
	Rel  Rel
	Args []Expr // left side of in
	Not  bool
	K    Kind
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
func (s *Sort) Columns() []Column     { return s.Child.Columns() }
func (l *Limit) Columns() []Column    { return l.Child.Columns() }
func (d *Distinct) Columns() []Column { return d.Child.Columns() }
func (s *SetOp) Columns() []Column    { return s.Out }
func (j *Join) Columns() []Column {
	if j.Kind == Semi || j.Kind == Anti {
		return j.L.Columns()
	}
	l, r := j.L.Columns(), j.R.Columns()
	return append(l[:len(l):len(l)], r...)
}

func (*Scan) children() []Rel       { return nil }
func (*Dual) children() []Rel       { return nil }
func (f *Filter) children() []Rel   { return []Rel{f.Child} }
func (p *Project) children() []Rel  { return []Rel{p.Child} }
func (g *Group) children() []Rel    { return []Rel{g.Child} }
func (w *Window) children() []Rel   { return []Rel{w.Child} }
func (j *Join) children() []Rel     { return []Rel{j.L, j.R} }
func (s *Sort) children() []Rel     { return []Rel{s.Child} }
func (l *Limit) children() []Rel    { return []Rel{l.Child} }
func (d *Distinct) children() []Rel { return []Rel{d.Child} }
func (s *SetOp) children() []Rel    { return []Rel{s.L, s.R} }

func (c *Col) Kind() Kind       { return c.Column.Kind }
func (l *Literal) Kind() Kind   { return l.K }
func (c *Call) Kind() Kind      { return c.K }
func (c *Case) Kind() Kind      { return c.K }
func (c *Cast) Kind() Kind      { return c.K }
func (a *Aggregate) Kind() Kind { return a.K }
func (o *Over) Kind() Kind      { return o.Call.Kind() }
func (s *Subquery) Kind() Kind  { return s.K }

func (*Col) operands() []Expr     { return nil }
func (*Literal) operands() []Expr { return nil }
func (c *Call) operands() []Expr  { return c.Args }
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
