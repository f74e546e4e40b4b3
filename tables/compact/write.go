package compact

import (
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// connections makes the rows of what is over, in time order, and tells whether
// each stands for one that was stored.
func (w *work) connections(over []settle.Closing, emit func(r *tables.Connection, stored bool) error) error {
	if len(over) == 0 {
		return nil
	}
	names := resolvedNames(w.ctx, w.cat, over[0].TS, over[len(over)-1].TS)
	defer names.stop()
	for i := range over {
		r, stored := w.book.Connection(over[i])
		if r.ServerName == "" && !stored {
			r.ServerName = names.lookup(r.Client, r.Server, r.Site, r.TS)
		}
		if err := emit(&r, stored); err != nil {
			return err
		}
	}
	return names.err
}

// write puts the outcome into the batch: connections of what is over and what they
// moved, what is carried, the new rows of exports with their conversations, and what was
// decided about settled rows.
func (w *work) write(tx *archive.Tx, cutoff tables.Time, limit int, stats *Stats, decided *outcome) error {
	over, open, forced := w.book.Divide(cutoff, limit)
	// Those that stand for others may be of any time: they have a lane of their
	// own, so that one does not widen the time of the file that nearly all are in.
	out, late := newRows[tables.Connection](tx, mainLane), newRows[tables.Connection](tx, lateLane)
	w.moved.tx = tx
	err := w.connections(over, func(r *tables.Connection, stored bool) error {
		w.moved.add(r, false)
		if stored {
			stats.Folded++
			return late.add(r)
		}
		stats.Connections++
		return out.add(r)
	})
	if err == nil {
		err = out.close()
	}
	if err == nil {
		err = late.close()
	}
	for _, o := range w.book.Done() {
		w.moved.add(o.Was, true)
	}
	if err == nil {
		err = w.moved.close()
	}
	if err == nil {
		err = w.carry(decided, open)
	}
	if err == nil {
		err = w.raise(tx)
	}
	if err != nil {
		return err
	}
	stats.Late += w.book.Late()
	stats.Forced += forced
	w.decide(decided)
	return nil
}

// raise writes the new rows of exports with their conversations: each file as it
// is, with the columns that settling sets.
func (w *work) raise(tx *archive.Tx) error {
	for _, n := range w.news {
		var a tables.Assigned
		err := archive.Merge(w.ctx, tx, []archive.File{n.file}, merged, archive.MergeOptions[tables.Export]{
			Of:   &n.file,
			Sets: assignedColumns,
			Edit: func(archive.File) (*rows.Edit[tables.Export], error) {
				return &rows.Edit[tables.Export]{All: true, Set: func(k int, x *tables.Export) {
					w.book.Assign(&n.rows[k], &a)
					assign(x, &a)
				}}, nil
			}})
		if err != nil {
			return err
		}
	}
	return nil
}

// carry adds what is carried on; it stands in no order, as a run reads all of it.
func (w *work) carry(decided *outcome, open []settle.Closing) error {
	for i := range open {
		if err := w.book.Carry(open[i], decided.carried.add); err != nil {
			return err
		}
	}
	return nil
}

// finish replaces what was carried by what is, and writes the decisions.
func (o *outcome) finish() error {
	before := o.cat.Files(archive.Carried)
	if len(before) > 0 || len(o.carried.rows) > 0 || o.carried.out != nil {
		o.tx.Supersede(before)
		if err := o.carried.flush(); err != nil { // a file without rows, too
			return err
		}
		if err := o.carried.close(); err != nil {
			return err
		}
	}
	return o.writeDecisions()
}

// rowBuffer collects rows for a file that there may be none for.
type rowBuffer[T any] struct {
	tx   *archive.Tx
	lane string
	out  *rows.Writer[T]
	rows []T
}

func newRows[T any](tx *archive.Tx, lane string) *rowBuffer[T] {
	return &rowBuffer[T]{tx: tx, lane: lane}
}

func (b *rowBuffer[T]) add(r *T) error {
	if b.rows = append(b.rows, *r); len(b.rows) < batchRows {
		return nil
	}
	return b.flush()
}

func (b *rowBuffer[T]) flush() (err error) {
	if b.out == nil {
		if b.out, err = archive.NewRowFileWith[T](b.tx, merged, archive.RowOptions{Lane: b.lane}); err != nil {
			return err
		}
	}
	err = b.out.Write(b.rows)
	b.rows = b.rows[:0]
	return err
}

func (b *rowBuffer[T]) close() error {
	if len(b.rows) > 0 {
		if err := b.flush(); err != nil {
			return err
		}
	}
	if b.out == nil {
		return nil
	}
	_, err := b.out.Close()
	return err
}
