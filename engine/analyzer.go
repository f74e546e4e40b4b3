package engine

import (
	"errors"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// ruleID is outside go-mysql-server's own.
const ruleID analyzer.RuleId = 10_000

// analyze is the hook before go-mysql-server's analyzer: names are resolved,
// every column has an id, nothing is planned. It checks the statement, then
// replaces what DuckDB can answer by one leaf.
//
// The batch runs it until nothing changes, and again on subtrees, so it must
// leave alone what it has made.
func (e *Engine) analyze(ctx *sql.Context, a *analyzer.Analyzer, n sql.Node, scope *plan.Scope, sel analyzer.RuleSelector, flags *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	if !e.concerns(n) {
		return replaceRegexp(n)
	}
	// The swapped tree would pass the stock validation unseen.
	for _, r := range analyzer.DefaultValidationRules {
		if _, _, err := r.Apply(ctx, a, n, scope, sel, flags); err != nil {
			return n, transform.SameTree, err
		}
	}
	rewritten, err := pushdown.Rewrite(ctx, n)
	if err != nil {
		return n, transform.SameTree, err
	}
	if err := pushdown.Check(ctx, rewritten); err != nil {
		return n, transform.SameTree, err
	}
	if !scope.IsEmpty() {
		return left(n, rewritten)
	}
	snap, err := e.snapshot(ctx)
	if err != nil {
		return n, transform.SameTree, err
	}
	p, err := pushdown.Compile(ctx, rewritten, snap.env())
	if pushdownOff(ctx) {
		// What was not recorded is said all the same.
		if err == nil {
			err = e.caveats(ctx, &pushedNode{engine: e, plan: p, snap: snap})
		} else {
			err = e.missing(ctx, snap, e.asked(ctx, rewritten, snap))
		}
		if err != nil {
			return n, transform.SameTree, err
		}
		return left(n, rewritten)
	}
	if err == nil {
		return &pushedNode{engine: e, tree: rewritten, plan: p, snap: snap, schema: rewritten.Schema()}, transform.NewTree, nil
	}
	var refusal *pushdown.Refusal
	if !errors.As(err, &refusal) {
		return n, transform.SameTree, err
	}
	e.log.Debug("statement not pushed down", "part", refusal.Expr, "reason", refusal.Reason)
	if replaced := e.pushPart(ctx, rewritten, snap); replaced != nil {
		rewritten = replaced
	} else if err := e.missing(ctx, snap, e.asked(ctx, rewritten, snap)); err != nil {
		return n, transform.SameTree, err
	}
	return left(n, rewritten)
}

// left is what go-mysql-server gets to execute instead of n.
func left(n, rewritten sql.Node) (sql.Node, transform.TreeIdentity, error) {
	out, same, err := replaceRegexp(rewritten)
	return out, same && transform.TreeIdentity(rewritten == n), err
}

// concerns tells whether a tree reads relations of ours that are not pushed
// down yet.
func (e *Engine) concerns(n sql.Node) bool {
	found := false
	transform.Inspect(n, func(n sql.Node) bool { // opaque nodes, too: derived tables
		if rt, ok := n.(*plan.ResolvedTable); ok {
			if t, ok := rt.UnderlyingTable().(*table); ok && t.engine == e {
				found = true
			}
		}
		if ex, ok := n.(sql.Expressioner); ok {
			for _, x := range ex.Expressions() {
				sql.Inspect(x, func(x sql.Expression) bool {
					if s, ok := x.(*plan.Subquery); ok {
						found = found || e.concerns(s.Query)
					}
					return !found
				})
			}
		}
		return !found
	})
	return found
}

// pushedNode is a statement, or a part of one, that DuckDB answers.
type pushedNode struct {
	engine *Engine
	tree   sql.Node // what plan was made from
	plan   *pushdown.Plan
	snap   *snapshot
	schema sql.Schema
}

var (
	_ sql.ExecSourceRel = (*pushedNode)(nil)
	_ sql.Projector     = (*pushedNode)(nil)
)

// Resolved implements sql.Node.
func (n *pushedNode) Resolved() bool { return true }

// Schema implements sql.Node.
func (n *pushedNode) Schema() sql.Schema { return n.schema }

// Children implements sql.Node: none, so nothing is planned below.
func (n *pushedNode) Children() []sql.Node { return nil }

// WithChildren implements sql.Node.
func (n *pushedNode) WithChildren(children ...sql.Node) (sql.Node, error) {
	if len(children) != 0 {
		return nil, sql.ErrInvalidChildrenNumber.New(n, len(children), 0)
	}
	return n, nil
}

// IsReadOnly implements sql.Node.
func (n *pushedNode) IsReadOnly() bool { return true }

// String implements fmt.Stringer.
func (n *pushedNode) String() string { return "DuckDB\n" + indent(n.plan.SQL) }

func indent(s string) string { return "  " + strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n  ") }

// ProjectedExprs implements sql.Projector: parents of a partly pushed tree
// find the columns by their ids.
func (n *pushedNode) ProjectedExprs() []sql.Expression {
	out := make([]sql.Expression, len(n.plan.Columns))
	for i, c := range n.plan.Columns {
		s := n.schema[i]
		out[i] = expression.NewGetFieldWithTable(int(c.ID), 0, s.Type, s.DatabaseSource, s.Source, s.Name, s.Nullable)
	}
	return out
}

// RowIter implements sql.ExecSourceRel.
func (n *pushedNode) RowIter(ctx *sql.Context, _ sql.Row) (sql.RowIter, error) {
	rows, _, err := n.engine.execute(ctx, n)
	return rows, err
}
