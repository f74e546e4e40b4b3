package compact

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Settling decides the conversation of each row of exports, once its file is
// an epoch file and so old that what other observers saw at the same time must
// have come too. A row's conversation is a function of all rows between the same
// ends (see subject), so that neither the order in which they come nor the size
// of the steps changes what becomes of them; only the id of a conversation
// nobody metered stays what it was called first.
//
// Conversations that may go on are carried from one run to the next in a family
// of their own, superseded in the same batch. What comes later still, and what
// is metered afterwards, is folded in: the conversations it touches are put
// together again from all their rows, and the files they stand in are replaced.
//
// A run is a batch of at most limits.chunk rows, unless one file alone has more.

const (
	// settleWait is how long after its rows a file is settled: observers' clocks,
	// and how fast they report, differ.
	settleWait = 120 * tables.Time(1e6)
	// chunkRows bounds the rows of a batch, of which one is about 250 bytes
	// in memory.
	chunkRows = 1 << 18
)

// limits of settling; tests take small ones.
type limits struct {
	chunk int64 // rows of a batch
	carry int   // rows of the family carried
}

// now is the time runs go by.
func now() tables.Time { return tables.Time(time.Now().UnixMicro()) }

// settle brings the rows of exports that are due by now to level t.
func settle(ctx context.Context, a *archive.Archive, now tables.Time, l limits, stats *Stats) error {
	for {
		cat, err := a.Catalog()
		if err != nil {
			return err
		}
		news, cutoff := due(cat, now-settleWait, l.chunk)
		if err := settleOnce(ctx, a, cat, news, cutoff, l.carry, stats); err != nil {
			return err
		}
		if len(news) == 0 {
			return nil
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
		if f.Level == pending && (f.Writer == importWriter || f.MaxTS <= cutoff) {
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

const (
	importWriter = "import"
	mainLane     = "main"
)

// settleOnce is one batch. Without new files it closes what is over by now.
func settleOnce(ctx context.Context, a *archive.Archive, cat *archive.Catalog, news []archive.File, cutoff tables.Time, carry int, stats *Stats) (err error) {
	st := newStep(ctx, cat)
	if err := st.carried(); err != nil {
		return err
	}
	if len(news) == 0 && !st.anyOver(cutoff) {
		return nil
	}
	for _, f := range news {
		if err := st.exports(f); err != nil {
			return err
		}
	}
	if err := st.build(); err != nil {
		return err
	}
	tx, err := a.Begin("compact")
	if err != nil {
		return err
	}
	after := *stats
	if err := st.write(tx, news, cutoff, carry, &after); err != nil {
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

// anyOver tells whether a conversation that was carried is over.
func (st *step) anyOver(cutoff tables.Time) bool {
	for _, s := range st.subjects {
		s.resolve()
		for _, t := range s.talks {
			if !t.mayGoOn(s.idle(), cutoff) {
				return true
			}
		}
	}
	return false
}
