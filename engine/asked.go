package engine

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// asked is what a refused statement asks about: the time that those of its
// conditions bound which could be pushed down alone, as a plan that is never
// run.
func (e *Engine) asked(ctx *sql.Context, n sql.Node, snap *snapshot) *pushdown.Plan {
	out := &pushdown.Plan{Bounds: pushdown.Bounds{From: pushdown.MinTime, To: pushdown.MaxTime}}
	bounded := false
	transform.Inspect(n, func(n sql.Node) bool {
		switch n := n.(type) {
		case *plan.ResolvedTable:
			if p, err := pushdown.Compile(ctx, n, snap.env()); err == nil {
				out.Scans = append(out.Scans, p.Scans...)
			}
		case *plan.Filter:
			one := e.boundsOf(ctx, n, snap)
			switch {
			case one.Timeless():
			case bounded: // several parts ask about the span of theirs
				out.Bounds = pushdown.Bounds{From: min(out.Bounds.From, one.From), To: max(out.Bounds.To, one.To)}
			default:
				out.Bounds, bounded = one, true
			}
		}
		return true
	})
	return out
}

// boundsOf is the time a filter's conditions leave, each on all that is below
// or on a relation of it.
func (e *Engine) boundsOf(ctx *sql.Context, f *plan.Filter, snap *snapshot) pushdown.Bounds {
	below := []sql.Node{f.Child}
	transform.Inspect(f.Child, func(n sql.Node) bool {
		switch n.(type) {
		case *plan.TableAlias, *plan.ResolvedTable:
			below = append(below, n)
			return false
		}
		return true
	})
	b := pushdown.Bounds{From: pushdown.MinTime, To: pushdown.MaxTime}
	for _, c := range expression.SplitConjunction(f.Expression) {
		for _, child := range below {
			if p, err := pushdown.Compile(ctx, plan.NewFilter(c, child), snap.env()); err == nil {
				b.From, b.To = max(b.From, p.Bounds.From), min(b.To, p.Bounds.To)
				break
			}
		}
	}
	return b
}
