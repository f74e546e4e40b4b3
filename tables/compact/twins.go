package compact

import (
	"context"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// exportedCIDs lists the cids of settled exporters' conversations that metered
// rows of a time may belong to, ascending. Without exporters in that time, which
// is usual, it reads nothing, and all rows go their short way.
func exportedCIDs(ctx context.Context, cat *archive.Catalog, from, to tables.Time) (cids []uint64, err error) {
	from, to = from-settle.Skew-settle.Slack, to+settle.Skew+settle.Slack
	add := func(cid uint64, first, last tables.Time) {
		if first <= to && last >= from {
			cids = append(cids, cid)
		}
	}
	for _, f := range cat.Files(archive.Carried) {
		if err := each(ctx, f, func(c *tables.Carried) { add(c.CID, c.TS, c.TSEnd) }, "ts", "ts_end", "cid"); err != nil {
			return nil, err
		}
	}
	near := func(f archive.File) bool { return f.MinTS <= to && f.MaxTS >= from }
	if slices.ContainsFunc(cat.Files(archive.Exports), func(f archive.File) bool { return !unsettled(f) && near(f) }) {
		for _, f := range cat.Files(archive.Connections) {
			if !near(f) {
				continue
			}
			if err := each(ctx, f, func(r *tables.Connection) {
				if r.Visibility == "" || strings.Contains(r.SeenBy, ",") {
					add(r.CID, r.TS, r.TSEnd)
				}
			}, "ts", "ts_end", "visibility", "seen_by", "cid"); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(cids)
	return slices.Compact(cids), nil
}
