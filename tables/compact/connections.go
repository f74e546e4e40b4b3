package compact

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

const (
	// sortedRows is how many finished conversations of several pieces are
	// sorted in memory before they go to a file.
	sortedRows = 200_000
	// openLimit is how many unfinished ones are kept. Past it, those whose
	// last piece lies openAge back are taken to be over: an import that was
	// cut off leaves conversations nobody closed.
	openLimit = 1 << 20
	openAge   = tables.Time(3600 * 1e6)
)

// builder turns flow rows, in time order, into connections. Those that rows
// of exports, or of an earlier run, may belong to it leaves to work.
type builder struct {
	*work
	tx      *archive.Tx
	names   *resolutions
	twins   *twins
	parts   uint64 // of the conversations of which others may have seen something
	part    uint64
	singles *rowBuffer[tables.Connection]
	open    map[settle.ID]*settle.Metered
	limit   int                 // of open: see openLimit
	sorted  []tables.Connection // finished conversations of several pieces
	written int64
}

func newBuilder(w *work, tx *archive.Tx, names *resolutions, twins *twins) *builder {
	return &builder{work: w, tx: tx, names: names, twins: twins, parts: 1, singles: newRows[tables.Connection](tx, mainLane),
		open: map[settle.ID]*settle.Metered{}, limit: openLimit}
}

// connect writes the connections of files of flow rows, and returns what to change
// of the rows that belong to conversations other sensors lead.
func connect(ctx context.Context, tx *archive.Tx, cat *archive.Catalog, files []archive.File, stats *Stats) (joined map[settle.ID]tables.Joined, err error) {
	first, last := files[0].MinTS, files[0].MaxTS
	for _, f := range files {
		first, last = min(first, f.MinTS), max(last, f.MaxTS)
	}
	twins, err := findTwins(ctx, cat, files, first, last)
	if err != nil {
		return nil, err
	}
	decided := newOutcome(ctx, cat, tx)
	joined = map[settle.ID]tables.Joined{}
	parts := uint64(twins.count()/partCIDs + 1)
	saw := map[settle.ID][]string{} // who reported what is in folds
	for part := range parts {
		names := resolvedNames(ctx, cat, first, last)
		b := newBuilder(newWork(ctx, cat), tx, names, twins)
		b.parts, b.part, b.moved.tx, b.only = parts, part, tx, b.mine
		_, err := mergeRows(ctx, files, flowTime, func(rows []tables.Flow) error {
			for i := range rows {
				if err := b.add(&rows[i]); err != nil {
					return err
				}
			}
			return nil
		}, settle.FlowColumns...)
		if err == nil {
			err = errors.Join(b.finish(), names.err)
		}
		if names.stop(); err != nil {
			return nil, err
		}
		stats.Connections += b.written
		if parts == 1 && b.book.Empty() {
			return nil, b.moved.close()
		}
		if err := b.carried(); err != nil {
			return nil, err
		}
		if err := b.build(); err != nil {
			return nil, err
		}
		if part < parts-1 {
			b.book.Saw(saw)
		} else {
			b.book.AlsoSaw(saw)
		}
		if err := b.write(tx, math.MinInt64, carryLimit/int(parts), stats, decided); err != nil {
			return nil, err
		}
		b.book.Sensors(func(id settle.ID, conn tables.ID, other, metered tables.Opt[tables.ID]) {
			joined[id] = tables.Joined{ConnID: conn, JoinedID: other, MeteredID: metered}
		})
	}
	return joined, decided.finish()
}

// partCIDs bounds the conversations that rows of others may be part of and that are
// put together at a time: one takes about 2 KB. Where there are more, the rows are
// read once for each part.
var partCIDs = 1 << 17

// mine tells whether rows of a cid are put together in this part.
func (b *builder) mine(cid uint64) bool { return cid%b.parts == b.part }

func (b *builder) add(f *tables.Flow) error {
	if f.FlowsFolded.Set && len(b.twins.exported) > 0 {
		// What exporters reported of any part may be in it: the last one writes it.
		if b.part < b.parts-1 {
			b.book.Fold(f)
		} else {
			b.book.Flow(f, "")
		}
		return nil
	}
	if b.twins.may(f.CID) {
		if b.mine(f.CID) {
			b.book.Flow(f, b.names.lookup(f.Src, f.Dst, f.Site, f.TS))
		}
		return nil
	}
	if b.part > 0 {
		return nil
	}
	id := settle.ID{ConnID: f.ConnID, Site: f.Site}
	m := b.open[id]
	single := f.Piece.V <= 1 && f.LastPiece.V
	if m == nil && single {
		s := settle.Metered{Resolved: b.names.lookup(f.Src, f.Dst, f.Site, f.TS)}
		s.Add(f)
		b.written++
		row := s.Complete()
		b.moved.add(&row, false)
		return b.singles.add(&row)
	}
	if m == nil {
		if len(b.open) >= b.limit {
			if err := b.expire(f.TS); err != nil {
				return err
			}
		}
		m = &settle.Metered{Resolved: b.names.lookup(f.Src, f.Dst, f.Site, f.TS)}
		b.open[id] = m
	}
	m.Add(f)
	if m.Whole() {
		delete(b.open, id)
		return b.keep(m)
	}
	return nil
}

// keep puts a finished conversation of several pieces aside for sorting.
func (b *builder) keep(m *settle.Metered) error {
	b.sorted = append(b.sorted, m.Complete())
	b.moved.add(&b.sorted[len(b.sorted)-1], false)
	if len(b.sorted) >= sortedRows {
		return b.writeSorted()
	}
	return nil
}

// expire finishes conversations without a piece for a long time.
func (b *builder) expire(now tables.Time) error {
	for id, m := range b.open {
		if m.Latest() < now-openAge {
			if err := b.leave(id, m); err != nil {
				return err
			}
		}
	}
	// Looking through all of them pays once in so many new ones.
	b.limit = max(openLimit, 2*len(b.open))
	return nil
}

// leave ends a conversation some piece of which is missing. An earlier run may
// have had it, and then wrote a connection.
func (b *builder) leave(id settle.ID, m *settle.Metered) error {
	delete(b.open, id)
	for _, f := range b.cat.Files(archive.Connections) {
		if rows.MayContain(f.File, "conn_id", uint64(id.ConnID)) {
			b.book.Resume(m)
			return nil
		}
	}
	return b.keep(m)
}

func (b *builder) writeSorted() error {
	slices.SortFunc(b.sorted, func(x, y tables.Connection) int {
		return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.ConnID, y.ConnID))
	})
	f, err := archive.NewRowFile[tables.Connection](b.tx, merged)
	if err != nil {
		return err
	}
	b.written += int64(len(b.sorted))
	if err := f.Write(b.sorted); err != nil {
		return err
	}
	b.sorted = b.sorted[:0]
	_, err = f.Close()
	return err
}

// finish writes what is left; every conversation ends with the data.
func (b *builder) finish() error {
	for id, m := range b.open {
		if err := b.leave(id, m); err != nil {
			return err
		}
	}
	if len(b.sorted) > 0 {
		if err := b.writeSorted(); err != nil {
			return err
		}
	}
	return b.singles.close()
}
