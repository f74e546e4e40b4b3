package compact

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// What is decided about settled rows, when others come late, does not change
// their files: it is rows of its own, beside the file they are about
// (archive.NewDecisions). Who reads the file reads them with it, and the next
// merge of the file folds them in; then they are gone.
//
// A decision is rare, and a file's are few: those of a file are written anew with
// each that comes to them.

// rowKey names a row of exports within a file: flow ids of two imported files may
// be the same.
type rowKey struct {
	flow tables.ID
	ts   tables.Time
}

// assignedIn reads which rows of a file of exports belong to another conversation
// than it says; nil when none do.
func assignedIn(ctx context.Context, cat *archive.Catalog, f archive.File) (by map[rowKey]*tables.Assigned, err error) {
	d, ok := cat.Decisions(f)
	if !ok {
		return nil, nil
	}
	by = make(map[rowKey]*tables.Assigned, d.Rows)
	err = each(ctx, d, func(a *tables.Assigned) {
		own := *a
		by[rowKey{a.FlowID, a.TS}] = &own
	})
	return by, err
}

// replacedIn reads which rows of a file of connections count no longer; nil when
// all do.
func replacedIn(ctx context.Context, cat *archive.Catalog, f archive.File) (gone map[settle.ID]bool, err error) {
	d, ok := cat.Decisions(f)
	if !ok {
		return nil, nil
	}
	gone = make(map[settle.ID]bool, d.Rows)
	err = each(ctx, d, func(r *tables.Replaced) { gone[settle.ID{ConnID: r.ConnID, Site: r.Site}] = true })
	return gone, err
}

// joinedIn reads which rows of a file of flows stand otherwise than it says; nil
// when none do.
func joinedIn(ctx context.Context, cat *archive.Catalog, f archive.File) (by map[rowKey]tables.Joined, err error) {
	d, ok := cat.Decisions(f)
	if !ok {
		return nil, nil
	}
	by = make(map[rowKey]tables.Joined, d.Rows)
	err = each(ctx, d, func(j *tables.Joined) { by[rowKey{j.FlowID, j.TS}] = *j })
	return by, err
}

// joinedColumns are the columns of flows that settling sets.
var joinedColumns = []string{"conn_id", "joined_id", "metered_id"}

func join(f *tables.Flow, j *tables.Joined) {
	f.ConnID, f.JoinedID, f.MeteredID = j.ConnID, j.JoinedID, j.MeteredID
}

// foldFlows is what a merge does to a file of flows.
func foldFlows(ctx context.Context, cat *archive.Catalog, f archive.File) (*rows.Edit[tables.Flow], error) {
	by, err := joinedIn(ctx, cat, f)
	if len(by) == 0 || err != nil {
		return nil, err
	}
	return joining(ctx, f, func(f *tables.Flow) (tables.Joined, bool) {
		j, ok := by[rowKey{f.FlowID, f.TS}]
		return j, ok
	}, "flow_id", "ts")
}

// joining is the edit of the rows of a file that fn has something to say of, told
// by some columns; nil when there are none.
func joining(ctx context.Context, f archive.File, fn func(*tables.Flow) (tables.Joined, bool), columns ...string) (*rows.Edit[tables.Flow], error) {
	var to []tables.Joined
	e := &rows.Edit[tables.Flow]{}
	row := int32(0)
	err := each(ctx, f, func(f *tables.Flow) {
		if j, ok := fn(f); ok {
			e.Rows, to = append(e.Rows, row), append(to, j)
		}
		row++
	}, columns...)
	e.Set = func(k int, f *tables.Flow) { join(f, &to[k]) }
	if len(to) == 0 {
		return nil, err
	}
	return e, err
}

// assignedColumns are the columns of exports that settling sets.
var assignedColumns = []string{"conn_id", "segments", "cut_packets"}

func assign(x *tables.Export, a *tables.Assigned) {
	x.ConnID, x.Segments, x.CutPackets = a.ConnID, a.Segments, a.CutPackets
}

// foldExports is what a merge does to a file of exports.
func foldExports(ctx context.Context, cat *archive.Catalog, f archive.File) (*rows.Edit[tables.Export], error) {
	by, err := assignedIn(ctx, cat, f)
	if len(by) == 0 || err != nil {
		return nil, err
	}
	var to []*tables.Assigned
	e := &rows.Edit[tables.Export]{Set: func(k int, x *tables.Export) { assign(x, to[k]) }}
	row := int32(0)
	err = each(ctx, f, func(x *tables.Export) {
		if a := by[rowKey{x.FlowID, x.TS}]; a != nil {
			e.Rows, to = append(e.Rows, row), append(to, a)
		}
		row++
	}, "flow_id", "ts")
	return e, err
}

// foldConnections is what a merge does to a file of connections.
func foldConnections(ctx context.Context, cat *archive.Catalog, f archive.File) (*rows.Edit[tables.Connection], error) {
	gone, err := replacedIn(ctx, cat, f)
	if len(gone) == 0 || err != nil {
		return nil, err
	}
	e := &rows.Edit[tables.Connection]{}
	row := int32(0)
	err = each(ctx, f, func(r *tables.Connection) {
		if gone[settle.ID{ConnID: r.ConnID, Site: r.Site}] {
			e.Drop = append(e.Drop, row)
		}
		row++
	}, "conn_id", "site")
	return e, err
}

// outcome is what the runs of a batch decide about files that stay, and what they
// carry on: of each file it is written once.
type outcome struct {
	ctx      context.Context
	cat      *archive.Catalog
	tx       *archive.Tx
	carried  *rowBuffer[tables.Carried]
	about    map[string]archive.File // a file of each range that something is decided about
	replaced map[string][]tables.Replaced
	assigned map[string][]tables.Assigned
	joined   map[string][]tables.Joined
}

func newOutcome(ctx context.Context, cat *archive.Catalog, tx *archive.Tx) *outcome {
	return &outcome{ctx: ctx, cat: cat, tx: tx, carried: newRows[tables.Carried](tx, ""), about: map[string]archive.File{},
		replaced: map[string][]tables.Replaced{}, assigned: map[string][]tables.Assigned{}, joined: map[string][]tables.Joined{}}
}

// decide adds the decisions of a run.
func (w *work) decide(to *outcome) {
	at := func(place int) string {
		f := w.places[place]
		to.about[f.Range()] = f
		return f.Range()
	}
	for _, o := range w.book.Done() {
		to.replaced[at(o.Place)] = append(to.replaced[at(o.Place)], tables.Replaced{TS: o.TS, ConnID: o.ConnID, Site: o.Site})
	}
	w.book.Moved(func(place int, a *tables.Assigned) { to.assigned[at(place)] = append(to.assigned[at(place)], *a) })
	w.book.Rejoined(func(place int, j *tables.Joined) { to.joined[at(place)] = append(to.joined[at(place)], *j) })
}

// writeDecisions writes them, with those there were about the same files.
func (w *outcome) writeDecisions() error {
	for _, at := range slices.Sorted(maps.Keys(w.about)) {
		f := w.about[at]
		var err error
		switch f.Family {
		case archive.Flows:
			err = addDecisions(w, f, w.joined[at], func(j *tables.Joined) rowKey { return rowKey{j.FlowID, j.TS} }, func(j *tables.Joined) tables.Time { return j.TS })
		case archive.Exports:
			err = addDecisions(w, f, w.assigned[at], func(a *tables.Assigned) rowKey { return rowKey{a.FlowID, a.TS} }, func(a *tables.Assigned) tables.Time { return a.TS })
		default:
			err = addDecisions(w, f, w.replaced[at], func(r *tables.Replaced) settle.ID { return settle.ID{ConnID: r.ConnID, Site: r.Site} },
				func(r *tables.Replaced) tables.Time { return r.TS })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// addDecisions writes decisions about a file, after those there were about other
// rows of it.
func addDecisions[T any, K comparable](w *outcome, f archive.File, rows []T, key func(*T) K, ts func(*T) tables.Time) error {
	before, ok := w.cat.Decisions(f)
	if ok {
		decided := make(map[K]bool, len(rows))
		for i := range rows {
			decided[key(&rows[i])] = true
		}
		if err := each(w.ctx, before, func(r *T) {
			if !decided[key(r)] {
				rows = append(rows, *r)
			}
		}); err != nil {
			return err
		}
	}
	slices.SortFunc(rows, func(a, b T) int { return cmp.Compare(ts(&a), ts(&b)) })
	out, err := archive.NewDecisions[T](w.tx, f, before)
	if err != nil {
		return err
	}
	if err := out.Write(rows); err != nil {
		return err
	}
	_, err = out.Close()
	return err
}

// Decisions do not wait for the next merge of a range that they are so many of,
// and one in so many of its rows: it goes up a level alone. Where they are less,
// reading them costs nothing, and a level of its own would keep the range from
// being merged with its neighbours.
const (
	foldRows  = 1 << 14
	foldShare = 8
)

// foldMany folds in what was decided about many rows, at least so many.
func foldMany(ctx context.Context, a *archive.Archive, family archive.Family, least int64, stats *Stats) error {
	cat, err := a.Catalog()
	if err != nil {
		return err
	}
	many := func(f archive.File) bool {
		d, ok := cat.Decisions(f)
		return ok && d.Rows >= least
	}
	if !slices.ContainsFunc(cat.Files(family), many) {
		return nil
	}
	for from, to := range map[string]string{merged: hourly, hourly: daily} {
		plan := func(units []unit) (out [][]unit) {
			for i := range units {
				f := units[i].files[0]
				if d, _ := cat.Decisions(f); many(f) && units[i].level == from && d.Rows >= units[i].rows/foldShare {
					out = append(out, units[i:i+1])
				}
			}
			return out
		}
		if err := climb(ctx, a, family, to, plan, stats); err != nil {
			return err
		}
	}
	return nil
}
