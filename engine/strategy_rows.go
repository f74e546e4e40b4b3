package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// rowLookup is the strategy of few flow rows that a key says all of: they come
// from the archive page by page, since DuckDB unpacks all postings of a row
// group for those of one row.
type rowLookup struct{}

func (rowLookup) String() string { return "rows of flows looked up by a key" }

func (rowLookup) find(ctx *sql.Context, r *run, k *packetsRun) (*found, error) {
	p := k.plan
	if !p.ByRow {
		return nil, nil
	}
	values, err := r.fewValues(ctx, k)
	if len(values) == 0 || err != nil {
		return nil, err
	}
	bounds := pushdown.Bounds{From: p.From, To: p.To}
	var files []archive.File
	all := r.snap.catalog.Files(archive.Flows)
	for _, f := range all {
		if r.snap.matters(f, bounds) {
			files = append(files, f)
		}
	}
	if r.snap.rejoined(files) {
		return nil, nil // not all rows are of the conversation their file says
	}
	columns := []string{"postings"}
	for _, c := range []string{"flow_id", "conn_id"} {
		if c == p.KeyColumn || slices.Contains(p.Columns, c) {
			columns = append(columns, c)
		}
	}
	if !bounds.Timeless() {
		columns = append(columns, "ts", "ts_end")
	}
	var stats rows.LookupStats
	defer r.looked(pushdown.FlowIndex, "rows whose packets they are", all, files, &stats)
	set := &keySet{}
	stats, err = rows.Lookup(ctx, archive.RowFiles(files), []rows.Values{{Column: p.KeyColumn, Any: values}}, columns, func(f *tables.Flow) error {
		if f.Postings == nil || !bounds.Timeless() && (f.TS >= bounds.To || f.TSEnd < bounds.From) {
			return nil
		}
		return set.add(owner{flow: f.FlowID, conn: f.ConnID, ok: true}, f.Postings)
	})
	if err != nil {
		return nil, err
	}
	set.sort()
	set.find = func(o *owner) error {
		value := o.conn
		if p.KeyColumn == "flow_id" {
			value = o.flow
		}
		return findPorts(ctx, files, p.KeyColumn, value, o)
	}
	return &found{keys: set, rows: len(set.owners), looked: true,
		shown: fmt.Sprintf("rows of flows whose %s is one of {{%d keys}}", p.KeyColumn, len(values))}, nil
}

// findPorts completes an owner that was looked up: later fragments take their
// ports from the row, and they are too rare to read these columns of every row.
// All rows of a conversation have the same.
func findPorts(ctx context.Context, files []archive.File, key string, value tables.ID, o *owner) error {
	columns := []string{"src_hi", "src_lo", "src_port", "dst_port"}
	_, err := rows.Lookup(ctx, archive.RowFiles(files), []rows.Values{{Column: key, Any: []uint64{uint64(value)}}}, columns, func(f *tables.Flow) error {
		o.src, o.srcPort, o.dstPort, o.ports = f.Src, uint16(f.SrcPort), uint16(f.DstPort), true
		return nil
	})
	return err
}
