package pushdown

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync/atomic"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Env is what a compilation may ask for about the archive. It holds no
// handles: the same statement and Env give the same text.
type Env struct {
	Session Session
	// Dialect is what the statement is written in; nil means DuckDB.
	Dialect Dialect
	// Hosts lists the leases of a folded name. Nil: host columns are always
	// made by a join.
	Hosts func(name string) []tables.Lease
	// HostsBeginning lists the first names, folded and in order, that begin with
	// something. May be nil.
	HostsBeginning func(with string, wanted int) []string
	// HostsLike lists the leases of all names that match. May be nil.
	HostsLike func(match func(name string) bool) []tables.Lease
	// AllPackets tells that no packet is gone, so that packets may be counted
	// from flow rows.
	AllPackets bool
	// Folds tells that some flow rows are folds of floods, whose packets come from
	// other addresses than the row says.
	Folds bool
	// HoursFrom is since when traffic_1h has all that traffic_1m has; MaxTime
	// when that is not known.
	HoursFrom tables.Time
	// Plain leaves out what makes statements fast: conditions stay where they
	// stand, every packet is read. It is the second opinion of tests.
	Plain bool
}

// Plan is a statement for DuckDB.
type Plan struct {
	// SQL is the statement for people, with {{scan N}} and {{packets N}} where
	// rows of the archive come in.
	SQL string
	// Columns are the results in order. An Address takes two columns of the
	// text (high and low half), a Community two (cid and text).
	Columns []Column
	Scans   []*ScanPlan
	// Packets says how the packets of each scan of packets are found.
	Packets []*PacketPlan
	// Direct, when not nil, tells that the rows are the packets found, just as
	// they are.
	Direct *Direct
	// Sampled find a row of sampled packets among those that are added up
	// without regard to it: its observer and rate, as text.
	Sampled []Query
	// Folded find a fold among rows that the statement reads without a word of
	// flows_folded: how many conversations it stands for, as text.
	Folded []Query
	// Bounds is the time the statement asks about, for what to say of gaps.
	Bounds Bounds
	// Tree is the plan's normal form, a node per line.
	Tree string
	// Costs are the parts that are slow, Blocks where the scans stand among the
	// query blocks.
	Costs  []Cost
	Blocks []Block
	// Ends tells that the statement may be over before all rows are read.
	Ends bool
	// Answered says of what the answer is made, if not of what the statement names.
	Answered string
	// Notes are remarks for EXPLAIN.
	Notes []string
	// Warnings are for the answer.
	Warnings []string
	// Zone shows results that are Instants; nil means UTC.
	Zone *functions.Zone
	// Parameters tells that a value of a prepared statement was missing, so
	// that only the columns count.
	Parameters bool

	query   Query
	outline func() string
}

// Outline is the plan for people, a node per line.
func (p *Plan) Outline() string { return p.outline() }

// Text writes the statement for its execution.
func (p *Plan) Text(b Binding) (string, error) { return p.query.Text(b) }

// Binding says what stands in a statement's text where the archive, or Go,
// comes in. Each text is an expression of a FROM clause, or a name.
type Binding interface {
	// Scan is the rows of a relation that is read from row files, in
	// parentheses or a name.
	Scan(id int) string
	// Packets is the packets found for a scan of packets.
	Packets(id int) string
	// Keys is the list of the values that a key plan looks up.
	Keys() string
	// Function is the handle of a function that DuckDB calls back.
	Function(f *Func) string
}

// symbolic is the binding that people see.
type symbolic struct{}

func (symbolic) Scan(id int) string      { return "{{scan " + strconv.Itoa(id) + "}}" }
func (symbolic) Packets(id int) string   { return "{{packets " + strconv.Itoa(id) + "}}" }
func (symbolic) Keys() string            { return "{{keys}}" }
func (symbolic) Function(f *Func) string { return f.Says() }

// AllScans lists the scans of the plan and of what finds its packets.
func (p *Plan) AllScans() []*ScanPlan {
	all := slices.Clone(p.Scans)
	for _, k := range p.Packets {
		all = append(all, k.Keys.Scans...)
		all = append(all, k.ByKey.Scans...)
		if k.Source != nil {
			all = append(all, k.Source.Scans...)
		}
	}
	return all
}

// ScanPlan is what stands for a scan: a SELECT of Columns from Relation (see
// RelationSQL).
type ScanPlan struct {
	ID       int
	Relation *tables.Relation
	// Columns are the relation's columns, and stored ones, that the statement
	// refers to.
	Columns []string
	// Bounds say which of the relation's files matter.
	Bounds Bounds
	// Ends tells that of the rows whose ts is within Bounds only the first and the
	// last ts matter.
	Ends bool
}

// Compile translates a query. Errors of the statement are *functions.SQLError.
func Compile(ctx context.Context, st *Statement, env Env) (p *Plan, err error) {
	query, ok := st.AST.(sqlparser.TableStatement)
	if !ok {
		return nil, refuse(st.AST, "this is no query")
	}
	c := &compiler{ctx: ctx, env: env, dialect: env.Dialect, session: env.Session, fn: env.Session.Functions(), parsed: st, next: 1, sizes: map[Expr]int{}, few: map[*Group]bool{}, twice: map[*Scan]bool{}}
	if c.dialect == nil {
		c.dialect = DuckDB
	}
	if limit := c.variableNumber("sql_select_limit", math.MaxInt64); limit < 1<<62 && query.GetLimit() == nil {
		query.SetLimit(sqlparser.NewLimitWithoutOffset(int(limit)))
	}
	b, err := c.statement(query)
	if err != nil {
		return nil, err
	}
	rel := b.rel
	if !env.Plain {
		rel = c.normalise(rel)
	}
	out := make([]Named, len(b.out))
	for i, o := range b.out {
		o.Digits = 0
		out[i] = Named{o, &Col{b.out[i]}}
	}
	if env.AllPackets && !env.Plain && hasPackets(rel) {
		// What nothing refers to must not be in the way.
		need := map[ColumnID]bool{}
		for i := range out {
			references(out[i].Expr, need)
		}
		rel = prune(rel, need)
		c.rollUp(rel)
	}
	if !env.Plain {
		c.byHours(rel)
		c.byFiles(rel)
		c.byEnds(rel)
		rel = c.fewGroups(c.byNumbers(rel))
	}
	if p, err = c.finish(rel, out); err != nil {
		return nil, err
	}
	p.Parameters, p.Zone = c.preparing, c.fn.Zone
	return p, nil
}

// compiler is the state of one compilation.
type compiler struct {
	ctx     context.Context
	env     Env
	dialect Dialect
	session Session
	fn      *functions.Session
	parsed  *Statement
	scans   []*Scan
	scope   *scope
	ctes    *definition
	// schema is where names without one are looked for first: a view's.
	schema string
	// given are the arguments of the definition at hand.
	given []Expr
	// cuts counts the texts of GROUP_CONCAT that were too long.
	cuts atomic.Int64
	// touched, when not nil, collects the scopes that names resolve to.
	touched *[]*scope
	// next is the id of the next column.
	next     ColumnID
	notes    []string
	answered string
	// warnings are of names and values that can't be what was meant.
	warnings []string
	unknown  int // hosts that nobody was ever named
	// tables, those read for them, depth and operators are bounded; rounds numbers
	// recursive expressions.
	tables, read, depth, operators, rounds int
	// equality tells that a comparison at hand asks for equal values.
	equality bool
	// preparing tells that the value of a parameter was asked for in vain.
	preparing bool
	// sizes counts the nodes of expressions built so far.
	sizes map[Expr]int
	// few are the groups that are found before the rest is computed, twice the scans
	// that are read for that, beside those of the statement.
	few   map[*Group]bool
	twice map[*Scan]bool
}

// identity gives a new column its id.
func (c *compiler) identity() ColumnID {
	id := c.next
	c.next++
	return id
}

// Query is a statement with the scans in it.
type Query struct {
	dialect Dialect
	parts   []queryPart
	Scans   []*ScanPlan
}

// queryPart is a statement and what is written around it.
type queryPart struct {
	head, tail string
	top        *Project
}

// Empty tells that there is no query.
func (q Query) Empty() bool { return len(q.parts) == 0 }

// Text writes the query.
func (q Query) Text(b Binding) (string, error) {
	text := ""
	for i, p := range q.parts {
		one, err := q.dialect.Statement(p.top, b)
		if err != nil {
			return "", err
		}
		if p.head != "" {
			one = p.head + indent(one) + p.tail
		}
		if i > 0 {
			text += "\nUNION ALL\n"
		}
		text += one
	}
	return text, nil
}

// Shown is the query for people.
func (q Query) Shown() string {
	text, err := q.Text(symbolic{})
	if err != nil {
		return fmt.Sprint(err)
	}
	return text
}
