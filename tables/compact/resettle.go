package compact

import (
	"context"
	"errors"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// errReported: what others than one sensor saw of a conversation is divided by what
// came before and after, and is not decided a second time.
var errReported = errors.New("conversations of its time have rows of several observers")

// Resettle writes the connections again that lost files had: of the conversations in
// flow rows of their time that no connection stands for. Each range says what became
// of it. The caller has the lock of compaction. An error means that it could not go on.
func Resettle(ctx context.Context, a *archive.Archive, lost []archive.File) ([]*archive.LostRange, error) {
	if len(lost) == 0 {
		return nil, nil
	}
	cat, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	r := resettling{ctx: ctx, cat: cat, ranges: archive.LostRanges(lost), known: map[settle.ID]bool{},
		files: map[*archive.LostRange]*rows.Sorter[tables.Connection]{}}
	defer r.stop()
	if err := r.begin(a); err != nil {
		return nil, err
	}
	if err := r.settle(); err != nil {
		return nil, err
	}
	for _, l := range r.ranges {
		replaced, err := replacedIn(ctx, cat, l.Files[0])
		if err != nil {
			return nil, err
		}
		l.Finish(int64(len(replaced))) // others stand for these
	}
	return r.ranges, nil
}

type resettling struct {
	ctx    context.Context
	cat    *archive.Catalog
	ranges []*archive.LostRange
	known  map[settle.ID]bool // conversations that have connections
	flows  []archive.File     // with rows of what is lost
	files  map[*archive.LostRange]*rows.Sorter[tables.Connection]
}

func (r *resettling) stop() {
	for _, l := range r.ranges {
		if out := r.files[l]; out != nil {
			out.Stop()
		}
		l.Abort()
	}
}

// near are the live files of a family with rows of the times of what is lost.
func (r *resettling) near(family archive.Family) (list []archive.File) {
	for _, f := range r.cat.Files(family) {
		if slices.ContainsFunc(r.ranges, func(l *archive.LostRange) bool { return l.Meets(f.MinTS, f.MaxTS) }) &&
			!slices.ContainsFunc(r.ranges, func(l *archive.LostRange) bool { return l.Has(&f) }) {
			list = append(list, f)
		}
	}
	return list
}

func (r *resettling) begin(a *archive.Archive) error {
	for _, f := range r.near(archive.Connections) {
		if err := each(r.ctx, f, func(c *tables.Connection) { r.known[settle.ID{ConnID: c.ConnID, Site: c.Site}] = true }, "conn_id", "site"); err != nil {
			return err
		}
	}
	r.flows = slices.DeleteFunc(r.near(archive.Flows), unsettled)
	for _, l := range r.ranges {
		tx, o, err := l.Begin(a, r.cat, r.flows)
		if err != nil {
			return err
		}
		if r.files[l], err = rows.NewSorter[tables.Connection](rows.SorterOptions{Rows: sortedRows, FileRows: maxRows}); err != nil {
			return err
		}
		r.files[l].Begin(func() (*rows.Writer[tables.Connection], error) {
			return archive.NewRowFileWith[tables.Connection](tx, l.Files[0].Level, o)
		})
	}
	return nil
}

func (r *resettling) write(m *settle.Metered) error {
	row := m.Complete()
	l := archive.LostAt(r.ranges, row.TS)
	if l == nil {
		return nil // its connection is in another file
	}
	l.Rows++
	return r.files[l].Add(&row)
}

// settle reads the flow rows.
func (r *resettling) settle() error {
	if len(r.flows) == 0 {
		return nil
	}
	from, to := r.flows[0].MinTS, r.flows[0].MaxTS
	for _, f := range r.flows {
		from, to = min(from, f.MinTS), max(to, f.MaxTS)
	}
	twins, err := exportedCIDs(r.ctx, r.cat, from, to)
	if err != nil {
		return err
	}
	names := resolvedNames(r.ctx, r.cat, from, to)
	defer names.stop()
	open := map[settle.ID]*settle.Metered{}
	if _, err := mergeRows(r.ctx, r.flows, flowTime, func(list []tables.Flow) error {
		for i := range list {
			f := &list[i]
			if r.known[settle.ID{ConnID: f.Conversation(), Site: f.Site}] {
				continue
			}
			if _, found := slices.BinarySearch(twins, f.CID); found || f.JoinedID.Set || f.MeteredID.Set {
				if l := archive.LostAt(r.ranges, f.TS); l != nil {
					l.Err = errReported
				}
				continue
			}
			id := settle.ID{ConnID: f.ConnID, Site: f.Site}
			m := open[id]
			if m == nil {
				m = &settle.Metered{Resolved: names.lookup(f.Src, f.Dst, f.Site, f.TS)}
				open[id] = m
			}
			if m.Add(f); m.Whole() {
				delete(open, id)
				if err := r.write(m); err != nil {
					return err
				}
			}
		}
		return nil
	}, settle.SettledFlowColumns...); err != nil {
		return err
	}
	for _, m := range open {
		if err := r.write(m); err != nil {
			return err
		}
	}
	for _, out := range r.files {
		if _, err := out.Flush(); err != nil {
			return err
		}
	}
	return names.err
}
