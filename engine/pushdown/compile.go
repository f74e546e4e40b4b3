package pushdown

import (
	"fmt"
	"slices"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/tables"
)

// Env is what a compilation may ask for about the archive. It holds no
// handles: the same plan and Env give the same text.
type Env struct {
	// Hosts lists the leases of a folded name. Nil: host columns are always
	// made by a join.
	Hosts func(name string) []tables.Lease
	// HostsLike lists the leases of all names that match. May be nil.
	HostsLike func(match func(name string) bool) []tables.Lease
	// AllPackets tells that no packet is gone, so that packets may be counted
	// from flow rows.
	AllPackets bool
}

// Refusal says which part of a statement can't be pushed down, and why. It is
// no error of the user: go-mysql-server executes that part.
type Refusal struct {
	Expr, Reason string
}

// Error implements error.
func (r *Refusal) Error() string { return fmt.Sprintf("%s: %s", r.Expr, r.Reason) }

func refuse(what fmt.Stringer, format string, args ...any) error {
	return &Refusal{shorten(what.String()), fmt.Sprintf(format, args...)}
}

// shorten keeps the first line of a node's tree, or the start of a long
// expression.
func shorten(s string) string {
	for i, r := range s {
		if r == '\n' || i >= 120 {
			return s[:i]
		}
	}
	return s
}

// Plan is a statement, or a part of one, for DuckDB.
type Plan struct {
	// SQL holds the placeholders {{scan N}} and {{packets N}}, each standing
	// where FROM wants a table. One may stand there more than once.
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
	// Bounds is the time the statement asks about, for what to say of gaps.
	Bounds Bounds
	// Tree is the plan's normal form, a node per line.
	Tree string
	// Notes are remarks for EXPLAIN.
	Notes []string
}

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

// ScanPlan is what stands for {{scan ID}} or {{packets ID}}: in parentheses, a
// SELECT of Columns from Relation (see RelationSQL).
type ScanPlan struct {
	ID       int
	Relation *tables.Relation
	// Columns are the relation's columns, and stored ones, that the statement
	// refers to.
	Columns []string
	// Bounds say which of the relation's files matter.
	Bounds Bounds
}

// Compile translates a bound plan, or a subtree of one. The error is a
// *Refusal when the plan is outside what this package is sure of. A subtree
// gives all of its columns: put a list of those its parents use on top, else a
// scan of packets decodes every one.
func Compile(ctx *sql.Context, n sql.Node, env Env) (*Plan, error) {
	c := &compiler{ctx: ctx, env: env, used: map[sql.ColumnId]bool{}, next: firstOwnID, sizes: map[Expr]int{}}
	b, err := c.node(n)
	if err != nil {
		return nil, err
	}
	if len(c.scans) == 0 {
		return nil, refuse(n, "it reads no relation of the archive")
	}
	rel := c.normalise(b.rel)
	out := make([]Named, len(b.out))
	for i, o := range b.out {
		e := Expr(&Col{o.Column})
		id := o.plan
		if id == 0 {
			id = o.ID
		}
		out[i] = Named{Column{ID: id, Name: o.Name, Kind: o.Kind, Type: declared(e, o.Type)}, e}
	}
	if c.env.AllPackets && hasPackets(rel) {
		// What nothing refers to must not be in the way.
		need := map[sql.ColumnId]bool{}
		for i := range out {
			references(out[i].Expr, need)
		}
		rel = c.rollUp(prune(rel, need))
	}
	return c.finish(rel, out)
}

// compiler is the state of one compilation.
type compiler struct {
	ctx   *sql.Context
	env   Env
	scans []*Scan
	scope *scope
	// used are the ids given to columns so far, next the next of our own.
	used  map[sql.ColumnId]bool
	next  sql.ColumnId
	notes []string
	// sizes counts the nodes of expressions built so far.
	sizes map[Expr]int
}

// firstOwnID is where ids of columns start that the planner has none for. It
// counts its own from 1.
const firstOwnID sql.ColumnId = 1 << 15

// identity gives a new column its id: the planner's where it has one that no
// other column has. A common table expression used twice is two copies of one
// plan with the same ids.
func (c *compiler) identity(planner sql.ColumnId) sql.ColumnId {
	id := planner
	if id == 0 || c.used[id] {
		id = c.next
		c.next++
	}
	c.used[id] = true
	return id
}
