package compact

import (
	"context"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// exportedCIDs lists the cids of settled exporters' conversations that some
// metered row of the files may belong to, ascending. Without exporters in the
// files' time, which is usual, it reads nothing, and all rows go their short
// way.
func exportedCIDs(ctx context.Context, cat *archive.Catalog, files []archive.File) (cids []uint64, err error) {
	if len(files) == 0 {
		return nil, nil
	}
	from, to := files[0].MinTS, files[0].MaxTS
	for _, f := range files {
		from, to = min(from, f.MinTS), max(to, f.MaxTS)
	}
	from, to = from-skew-slack, to+skew+slack
	add := func(cid uint64, first, last tables.Time) {
		if first <= to && last >= from {
			cids = append(cids, cid)
		}
	}
	for _, f := range cat.Files(archive.Carried) {
		if err := scan(ctx, f, func(rows []tables.Carried) error {
			for i := range rows {
				add(rows[i].CID, rows[i].TS, rows[i].TSEnd)
			}
			return nil
		}, "ts", "ts_end", "cid"); err != nil {
			return nil, err
		}
	}
	near := func(f archive.File) bool { return f.MinTS <= to && f.MaxTS >= from }
	if slices.ContainsFunc(cat.Files(archive.Exports), func(f archive.File) bool { return !unsettled(f) && near(f) }) {
		for _, f := range cat.Files(archive.Connections) {
			if !near(f) {
				continue
			}
			if err := scan(ctx, f, func(rows []tables.Connection) error {
				for i := range rows {
					if r := &rows[i]; r.Visibility == "" || strings.Contains(r.SeenBy, ",") {
						add(r.CID, r.TS, r.TSEnd)
					}
				}
				return nil
			}, "ts", "ts_end", "visibility", "seen_by", "cid"); err != nil {
				return nil, err
			}
		}
	}
	slices.Sort(cids)
	return slices.Compact(cids), nil
}
