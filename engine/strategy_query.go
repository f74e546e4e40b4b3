package engine

import (
	"context"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// flowQuery is the strategy of any other plan: a query over the rows of flows
// that the statement's conditions and joins leave.
type flowQuery struct{}

func (flowQuery) String() string { return "rows of flows asked for by a query" }

func (flowQuery) find(ctx *sql.Context, r *run, k *packetsRun) (*found, error) {
	if k.plan.Keys.Empty() {
		return nil, nil
	}
	if !k.plan.Narrow {
		// All of them: what that costs is known without asking.
		if err := r.engine.admitAll(ctx, r.snap, k.plan); err != nil {
			return nil, err
		}
	}
	return r.asked(ctx, k.plan.Keys, "", k.plan.Keys.Shown())
}

// asked runs a query of the rows of flows.
func (r *run) asked(ctx context.Context, q pushdown.Query, list, shown string) (*found, error) {
	text, err := r.fill(q, list, "rows whose packets they are")
	if err != nil {
		return nil, err
	}
	keys, err := collectKeys(ctx, r.engine.duck, text)
	if err != nil {
		return nil, err
	}
	return &found{keys: keys, rows: len(keys.owners), shown: shown}, nil
}
