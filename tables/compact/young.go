package compact

import (
	"context"
	"math"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// youngLimit bounds the rows Young reads that no run has settled, of which one
// is about 250 bytes in memory. A recorder at 2,500 flows a second has as many
// before they are settled.
const youngLimit = 1 << 19

// Recent is what connections will be of rows that are not settled yet.
type Recent struct {
	// Connections of conversations that are not written, or not as they are
	// known now, by time.
	Connections []tables.Connection
	// Replaces are the stored connections that Connections has anew: whoever
	// puts both together leaves these out of what is stored.
	Replaces []tables.Replaced
	// Traffic and Hours are what all that changes of traffic_1m and traffic_1h.
	Traffic []tables.Traffic
	Hours   []tables.HourlyTraffic
	// Rows are the conversations of rows of exports that have none stored.
	Rows []tables.Assigned
	// Joined are the sensors' rows of conversations that another sensor leads.
	Joined []tables.Joined
	// Skipped counts the rows that were too many to look at; the earliest are
	// left out. They lie between SkippedFrom and SkippedTo.
	Skipped                int64
	SkippedFrom, SkippedTo tables.Time
}

// Unsettled tells whether a file of exports or flows holds rows that no run has
// settled.
func Unsettled(f archive.File) bool { return unsettled(f) }

// Young computes the connections of the rows no run has settled, and of the
// conversations that are carried, as if all were over: by the same rules, so
// that with what is stored they are what a later run would write.
func Young(ctx context.Context, cat *archive.Catalog) (*Recent, error) {
	return young(ctx, cat, youngLimit)
}

func young(ctx context.Context, cat *archive.Catalog, limit int64) (*Recent, error) {
	out := &Recent{}
	var files []archive.File
	for _, family := range []archive.Family{archive.Exports, archive.Flows} {
		for _, f := range cat.Files(family) {
			if unsettled(f) {
				files = append(files, f)
			}
		}
	}
	slices.SortStableFunc(files, func(a, b archive.File) int { return int(min(max(b.MaxTS-a.MaxTS, -1), 1)) })
	for i, f := range files {
		if limit -= f.Rows; limit >= 0 {
			continue
		}
		out.SkippedFrom, out.SkippedTo = f.MinTS, f.MaxTS
		for _, f := range files[i:] {
			out.Skipped += f.Rows
			out.SkippedFrom, out.SkippedTo = min(out.SkippedFrom, f.MinTS), max(out.SkippedTo, f.MaxTS)
		}
		files = files[:i]
		break
	}
	w := newWork(ctx, cat)
	w.lookForFolds()
	if err := w.carried(); err != nil {
		return nil, err
	}
	for _, f := range files {
		var err error
		if f.Family == archive.Exports {
			err = w.exports(f)
		} else {
			err = each(ctx, f, w.book.FlowYoung, settle.SettledFlowColumns...)
		}
		if err != nil {
			return nil, err
		}
	}
	if w.book.Empty() {
		return out, nil
	}
	if err := w.build(); err != nil {
		return nil, err
	}
	over, _, _ := w.book.Divide(math.MaxInt64, 0)
	if err := w.connections(over, func(r *tables.Connection, _ bool) error {
		out.Connections = append(out.Connections, *r)
		w.moved.add(r, false)
		return nil
	}); err != nil {
		return nil, err
	}
	for _, o := range w.book.Done() {
		out.Replaces = append(out.Replaces, tables.Replaced{TS: o.TS, ConnID: o.ConnID, Site: o.Site})
		w.moved.add(o.Was, true)
	}
	out.Traffic = w.moved.take()
	out.Hours = hours(out.Traffic)
	w.book.Rejoined(func(place int, j *tables.Joined) {
		if place == settle.Young {
			out.Joined = append(out.Joined, *j)
		}
	})
	for _, n := range w.news {
		for i := range n.rows {
			a := tables.Assigned{FlowID: n.ids[i]}
			w.book.Assign(&n.rows[i], &a)
			out.Rows = append(out.Rows, a)
		}
	}
	return out, nil
}
