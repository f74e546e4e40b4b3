package compact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// Settling decides the conversation of each row of exports, once its file is
// an epoch file and so old that what other observers saw at the same time must
// have come too: package settle says how. Here is from which files its book is
// filled, and what is written of it.
//
// Conversations that may go on are carried from one run to the next in a family
// of their own, superseded in the same batch. What comes later still, and what
// is metered afterwards, is folded in: the conversations it touches are put
// together again from all their rows. No file is written again for it: what is
// decided about settled rows are rows too (decisions.go).
//
// A run is a batch of at most limits.chunk rows, unless one file alone has more.

const (
	// settleWait is how long after its rows a file is settled: observers' clocks,
	// and how fast they report, differ.
	settleWait = 120 * tables.Time(1e6)
	// chunkRows bounds the rows of a batch, of which one is about 250 bytes
	// in memory. All that is carried is read and written again with each.
	chunkRows = 1 << 20
	// carryLimit bounds the rows of the family carried: pieces of conversations
	// that are not over. Past it, the longest silent are taken to be over; what
	// still comes of them is folded in.
	carryLimit = 1 << 19
)

// limits of settling; tests take small ones.
type limits struct {
	chunk int64 // rows of a batch
	carry int   // rows of the family carried
}

var usual = limits{chunkRows, carryLimit}

// now is the time runs go by.
func now() tables.Time { return tables.Time(time.Now().UnixMicro()) }

// settleDue brings the rows of exports that are due by now to level t, and closes
// what is over.
func settleDue(ctx context.Context, a *archive.Archive, now tables.Time, l limits, stats *Stats) error {
	any, err := settleFiles(ctx, a, now, l, stats)
	if any || err != nil { // the last batch closed what is over
		return err
	}
	cat, err := a.Catalog()
	if err != nil {
		return err
	}
	_, cutoff := due(cat, now-settleWait, l.chunk)
	return settleOnce(ctx, a, cat, nil, cutoff, l.carry, stats)
}

// settleFiles brings the rows of exports that are due by now to level t, and tells
// whether there were any.
func settleFiles(ctx context.Context, a *archive.Archive, now tables.Time, l limits, stats *Stats) (any bool, err error) {
	for ; ; any = true {
		cat, err := a.Catalog()
		if err != nil {
			return any, err
		}
		news, cutoff := due(cat, now-settleWait, l.chunk)
		if len(news) == 0 {
			return any, nil
		}
		if err := settleOnce(ctx, a, cat, news, cutoff, l.carry, stats); err != nil {
			return any, err
		}
	}
}

// due chooses the files of the next batch, the earliest first, and the time up
// to which rows are complete with them: conversations silent since long before
// are over. Rows of the lane late may be earlier; waiting for them would keep
// everything open.
func due(cat *archive.Catalog, cutoff tables.Time, chunk int64) ([]archive.File, tables.Time) {
	var files []archive.File
	for _, f := range cat.Files(archive.Exports) { // by MinTS
		if f.Level == pending && (f.Writer == importWriter || f.MaxTS <= cutoff || ahead(&f, cutoff)) {
			files = append(files, f)
		}
	}
	n := 0
	for rows := int64(0); n < len(files) && (n == 0 || rows+files[n].Rows <= chunk); n++ {
		rows += files[n].Rows
	}
	files = files[:n]
	for _, f := range cat.Files(archive.Exports) {
		if unsettled(f) && f.Lane == mainLane && !slices.ContainsFunc(files, func(g archive.File) bool { return g.Path == f.Path }) {
			cutoff = min(cutoff, f.MinTS)
		}
	}
	return files, cutoff
}

// ahead tells whether a file's rows are of a time to come, as a clock said that was
// ahead: the exporter's, or, if it came then, that of this machine.
func ahead(f *archive.File, cutoff tables.Time) bool {
	const far = 3600 * tables.Time(1e6)
	return f.MaxTS > cutoff+far && (f.Origin.Last <= cutoff || f.Origin.Last > cutoff+far)
}

const (
	importWriter = tables.Importer
	mainLane     = "main"
)

// unsettled tells whether a file's rows have no conversation yet.
func unsettled(f archive.File) bool { return f.Level == "s" || f.Level == "m" || f.Level == pending }

// settleOnce is one batch. Without new files it closes what is over by now.
func settleOnce(ctx context.Context, a *archive.Archive, cat *archive.Catalog, news []archive.File, cutoff tables.Time, carry int, stats *Stats) (err error) {
	w := newWork(ctx, cat)
	w.lookForFolds()
	if err := w.carried(); err != nil {
		return err
	}
	if len(news) == 0 && !w.book.AnyOver(cutoff) {
		return nil
	}
	for _, f := range news {
		if err := w.exports(f); err != nil {
			return err
		}
	}
	if err := w.build(); err != nil {
		return err
	}
	tx, err := a.Begin(writer)
	if err != nil {
		return err
	}
	after := *stats
	decided := newOutcome(ctx, cat, tx)
	err = w.write(tx, cutoff, carry, &after, decided)
	if err == nil {
		err = decided.finish()
	}
	if err != nil {
		return errors.Join(err, tx.Abort())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	for _, f := range news {
		after.Files++
		after.Rows += f.Rows
	}
	*stats = after
	return nil
}

// work is a run over some files: the book of it, and where what is in it stands.
type work struct {
	ctx    context.Context
	cat    *archive.Catalog
	book   *settle.Book
	news   []news
	moved  traffic
	places []archive.File        // of what was stored; the book knows the number
	only   func(cid uint64) bool // that are of this run; nil: all
}

// news are the rows of a file of exports no run has seen yet.
type news struct {
	file archive.File
	rows []settle.Row
	ids  []tables.ID // their flow_id
}

func newWork(ctx context.Context, cat *archive.Catalog) *work {
	return &work{ctx: ctx, cat: cat, book: settle.NewBook()}
}

// place numbers a file that holds something stored.
func (w *work) place(f archive.File) int {
	w.places = append(w.places, f)
	return len(w.places) - 1
}

// scan reads files of one family batch by batch.
func scan[T any](ctx context.Context, f archive.File, fn func([]T) error, columns ...string) error {
	in, err := rows.Open[T](f.File, columns...)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Path, err)
	}
	defer in.Close()
	rows := make([]T, batchRows)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := in.Read(rows)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read %s: %w", f.Path, err)
		}
		if err := fn(rows[:n]); err != nil {
			return err
		}
	}
}

// each is scan row by row.
func each[T any](ctx context.Context, f archive.File, fn func(*T), columns ...string) error {
	return scan(ctx, f, func(rows []T) error {
		for i := range rows {
			fn(&rows[i])
		}
		return nil
	}, columns...)
}

// exports takes in the rows of a file no run has seen yet.
func (w *work) exports(f archive.File) error {
	n := news{file: f, rows: make([]settle.Row, 0, f.Rows), ids: make([]tables.ID, 0, f.Rows)}
	err := each(w.ctx, f, func(x *tables.Export) {
		n.rows, n.ids = append(n.rows, w.book.Export(x)), append(n.ids, x.FlowID)
	}, settle.ExportColumns...)
	w.news = append(w.news, n)
	return err
}

// lookForFolds has the book ask for stored folds, if there are any.
func (w *work) lookForFolds() {
	w.book.LookForFolds = slices.ContainsFunc(w.cat.Files(archive.Connections), func(f archive.File) bool { return f.Origin.Folds })
}

// carried takes in the conversations that were not over, of the cids of this run.
func (w *work) carried() error {
	for _, f := range w.cat.Files(archive.Carried) {
		if err := each(w.ctx, f, func(c *tables.Carried) {
			if w.only == nil || w.only(c.CID) {
				w.book.Carried(c)
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// build finds everything the rows touch and divides it into conversations.
func (w *work) build() error {
	if err := w.lookup(); err != nil {
		return err
	}
	w.book.Reread()
	if err := w.reread(); err != nil {
		return err
	}
	w.book.Resolve()
	return nil
}

// lookup finds the stored connections that new rows may belong to.
func (w *work) lookup() error {
	if err := w.attempts(); err != nil {
		return err
	}
	for asked := w.book.Ask(); len(asked) > 0; asked = w.book.Ask() {
		for _, f := range w.cat.Files(archive.Connections) {
			var cids []uint64
			for _, a := range asked {
				if f.MaxTS >= a.From && f.MinTS <= a.To {
					cids = append(cids, a.CID)
				}
			}
			if err := w.find(f, "cid", cids); err != nil {
				return err
			}
		}
	}
	var ids []uint64
	for _, id := range w.book.Torn() {
		ids = append(ids, uint64(id.ConnID))
	}
	for _, f := range w.cat.Files(archive.Connections) {
		if err := w.find(f, "conn_id", ids); err != nil {
			return err
		}
	}
	return nil
}

// attempts finds the stored connections of exporters that new folds may have.
func (w *work) attempts() error {
	for _, f := range w.cat.Files(archive.Connections) {
		if !w.book.FoldsMeet(f.MinTS, f.MaxTS) {
			continue
		}
		gone, err := replacedIn(w.ctx, w.cat, f)
		if err != nil {
			return err
		}
		place := w.place(f)
		if err := each(w.ctx, f, func(r *tables.Connection) {
			if (w.only == nil || w.only(r.CID)) && !gone[settle.ID{ConnID: r.ConnID, Site: r.Site}] {
				w.book.Attempt(r, place)
			}
		}, settle.AttemptColumns...); err != nil {
			return err
		}
	}
	return nil
}

// find tells the book of a file's connections that have one of the values.
func (w *work) find(f archive.File, column string, values []uint64) error {
	if values = rows.Possible(f.File, column, values); len(values) == 0 {
		return nil
	}
	gone, err := replacedIn(w.ctx, w.cat, f)
	if err != nil {
		return err
	}
	place := w.place(f)
	return find(w.ctx, f, column, values, settle.ConnectionColumns, func(r *tables.Connection) {
		if !gone[settle.ID{ConnID: r.ConnID, Site: r.Site}] {
			w.book.Found(r, place)
		}
	})
}

// findRatio: of a file with fewer rows than so many for each value, reading all
// costs less than finding each.
const findRatio = 16

// find reads the rows of a file whose column has one of the values, and maybe
// others: where they would be many, it reads all.
func find[T any](ctx context.Context, f archive.File, column string, values []uint64, columns []string, fn func(*T)) error {
	if int64(len(values)) < f.Rows/findRatio {
		_, err := rows.Lookup(ctx, []rows.File{f.File}, []rows.Values{{Column: column, Any: values}}, columns, func(r *T) error {
			fn(r)
			return nil
		})
		return err
	}
	return each(ctx, f, fn, columns...)
}

// reread takes in all rows of what was stored and is put together again.
func (w *work) reread() error {
	for _, f := range w.cat.Files(archive.Exports) {
		cids := w.nearCIDs(f)
		if len(cids) == 0 {
			continue
		}
		moved, err := assignedIn(w.ctx, w.cat, f)
		if err != nil {
			return err
		}
		place := w.place(f)
		if err := find(w.ctx, f, "cid", cids, settle.ExportColumns, func(x *tables.Export) {
			if a := moved[rowKey{x.FlowID, x.TS}]; a != nil {
				x.ConnID = a.ConnID
			}
			w.book.ExportAgain(x, place)
		}); err != nil {
			return err
		}
	}
	for _, f := range w.cat.Files(archive.Flows) {
		cids := w.nearCIDs(f)
		if len(cids) == 0 {
			continue
		}
		joined, err := joinedIn(w.ctx, w.cat, f)
		if err != nil {
			return err
		}
		place := w.place(f)
		if err := find(w.ctx, f, "cid", cids, settle.SettledFlowColumns, func(r *tables.Flow) {
			if j, ok := joined[rowKey{r.FlowID, r.TS}]; ok {
				join(r, &j)
			}
			w.book.FlowAgain(r, place)
		}); err != nil {
			return err
		}
	}
	return nil
}

// nearCIDs are the cids of what was stored of which a settled file may have rows.
func (w *work) nearCIDs(f archive.File) (cids []uint64) {
	if unsettled(f) {
		return nil
	}
	for _, o := range w.book.Near(f.MinTS, f.MaxTS) {
		cids = append(cids, o.CID)
	}
	return rows.Possible(f.File, "cid", cids)
}
