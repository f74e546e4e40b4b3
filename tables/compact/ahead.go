package compact

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// Ahead makes the connections of an import while its rows of flows are written, from
// those in memory: Run has nothing to read again. They are Run's only if they are what
// it would have made itself. Else, where another observer may have a say, or rows or
// answers did not come by their time, Run makes them as if there were no Ahead.
type Ahead struct {
	builder *builder // nil at the end
	rows    int64
	last    tables.Time
	lost    bool // Run makes all of it

	mu      sync.Mutex // of what follows: answers come from another goroutine
	told    []resolution
	reached tables.Time // rows up to this time may have been asked about
	late    bool        // an answer was
}

// maxAhead bounds the answers that wait for rows of their time: 90 MB.
const maxAhead = 1 << 20

// NewAhead begins before packets from first on are imported, the only rows of flows
// that Run will not have seen. It returns nil where Run has to do all of it.
func NewAhead(ctx context.Context, a *archive.Archive, first tables.Time) *Ahead {
	if Lock(a) != nil {
		return nil
	}
	cat, err := a.Catalog()
	if err == nil && !SeveralSensors(cat) && len(cat.Files(archive.Exports)) == 0 && len(sequences(cat.Files(archive.Flows), pending)) == 0 {
		if tx, err := a.Begin(writer); err == nil {
			b := newBuilder(newWork(ctx, cat), tx, resolvedNames(ctx, cat, first, tables.OpenEnd), &twins{})
			b.moved.tx = tx
			return &Ahead{builder: b, last: first, reached: math.MinInt64}
		}
	}
	a.Unlock(writer)
	return nil
}

// Columns are those of flows that Flows reads.
func (h *Ahead) Columns() []string { return settle.FlowColumns }

// Flows takes rows that were written, some of those up to a time.
func (h *Ahead) Flows(rows []tables.Flow, until tables.Time) {
	if until+resolvedSkew > h.reached {
		h.listen(until + resolvedSkew)
	}
	h.rows += int64(len(rows))
	for i := 0; i < len(rows) && !h.lost; i++ {
		h.lost = rows[i].TS < h.last || h.builder.add(&rows[i]) != nil
		h.last = rows[i].TS
	}
}

// listen tells the builder which answers came until a time, and those that came since.
func (h *Ahead) listen(until tables.Time) {
	h.mu.Lock()
	h.reached = until
	told := append(h.builder.names.told, h.told...)
	h.told = h.told[:0]
	h.lost = h.lost || h.late || len(told) > maxAhead
	h.mu.Unlock()
	slices.SortStableFunc(told, func(x, y resolution) int { return cmp.Compare(x.ts, y.ts) })
	h.builder.names.told = told
}

// DNS takes a row that was observed.
func (h *Ahead) DNS(row *tables.DNS) {
	h.mu.Lock()
	defer h.mu.Unlock()
	resolved(row, func(r resolution) {
		if h.late = h.late || r.ts <= h.reached || len(h.told) >= maxAhead; !h.late {
			h.told = append(h.told, r)
		}
	})
}

// finish returns the batch that has the connections of files, all that the import
// left; nil if they are to be made of the files.
func (h *Ahead) finish(ctx context.Context, cat *archive.Catalog, files []archive.File, stats *Stats) *archive.Tx {
	if h == nil || h.builder == nil {
		return nil
	}
	b, rows := h.builder, int64(0)
	for _, f := range files {
		rows += f.Rows
	}
	first, last := spanOf(files)
	twins, err := findTwins(ctx, cat, files, first, last)
	b.cat = cat
	if err == nil && !h.lost && !h.late && rows == h.rows && twins.count() == 0 {
		if errors.Join(b.finish(), b.names.err) == nil && b.book.Empty() && b.moved.close() == nil {
			b.names.stop()
			h.builder = nil
			stats.Connections += b.written
			return b.tx
		}
	}
	h.Close()
	return nil
}

// Close gives up what Run did not take.
func (h *Ahead) Close() {
	if h == nil || h.builder == nil {
		return
	}
	b := h.builder
	h.builder = nil
	b.names.stop()
	// Nothing of it counts, whatever fails; what can't be removed is tidied up later.
	_ = b.singles.close()
	_ = b.tx.Abort()
}
