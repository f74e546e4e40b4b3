package engine

import (
	"context"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables/archive"
)

// everything is the strategy of statements that are not made fast: all the
// packets there are.
type everything struct{}

func (everything) String() string { return "every packet" }

func (everything) find(ctx *sql.Context, r *run, k *packetsRun) (*found, error) {
	if err := r.engine.admitAll(ctx, r.snap, k.plan); err != nil {
		return nil, err
	}
	keys, err := r.engine.allKeys(ctx, r.snap)
	if err != nil {
		return nil, err
	}
	return &found{keys: keys, rows: len(keys.owners), shown: "all rows of flows, and packets without one"}, nil
}

// everyPacket plans to read all packets of a scan.
func everyPacket(s *pushdown.ScanPlan) *pushdown.PacketPlan {
	return &pushdown.PacketPlan{ID: s.ID, Relation: s.Relation, Columns: s.Columns, From: pushdown.MinTime, To: pushdown.MaxTime,
		Advice: "wiresql_pushdown is off, so every packet is read"}
}

// allKeys are the packets of all flow and other rows.
func (e *Engine) allKeys(ctx context.Context, snap *snapshot) (*keySet, error) {
	flows, err := e.relationText(snap, pushdown.FlowIndex, []string{"flow_id", "conn_id", "src_ip", "src_port", "dst_port", "postings"})
	if err != nil {
		return nil, err
	}
	set, err := collectKeys(ctx, e.duck, flows)
	if err != nil {
		return nil, err
	}
	other, err := e.relationText(snap, pushdown.OtherIndex, []string{"postings"})
	if err != nil {
		return nil, err
	}
	more, err := collectKeys(ctx, e.duck, other)
	if err != nil {
		return nil, err
	}
	for _, r := range more.refs {
		set.refs = append(set.refs, archive.Ref{ID: r.ID, Owner: r.Owner + int32(len(set.owners))})
	}
	set.owners = append(set.owners, more.owners...)
	set.sort()
	return set, nil
}
