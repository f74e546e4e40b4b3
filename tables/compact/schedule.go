package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// What a recorder writes is merged on its way up the levels, so that a query
// opens few files however long it was recorded, and each row is written few
// times:
//
//	m  2 s    as recorded         ─ every minute, or half a million rows ─┐
//	e  60 s   all observers wait two minutes for each other, then settle ─┤
//	t  60 s   conversations decided                      ─ eight files  ─┤
//	h  8 min                                             ─ eight files  ─┤
//	d  1 h and more: d files merge to larger ones, up to 50 million rows ─┘
//
// A day of one recorder is at most 30 + 4 + 7 + 7 + 7 files. Rows that came
// late have files of their own, and their numbers too: merging them touches no
// file of the others. Accounts (exporters, sockets) go from e to h; they have
// no conversations.

const (
	micro, hourly, daily = "m", "h", "d"

	// roundEvery is how often micro files are merged; epochRows is how many
	// rows make it happen sooner, and the most of an epoch file: settling holds
	// one in memory.
	roundEvery = time.Minute
	epochRows  = 500_000
	// looksEvery is how often the schedule looks whether there are as many.
	looksEvery = 2 * time.Second
	// evictsEvery is how often the budgets are held to.
	evictsEvery = 10 * time.Second
	// fanIn is how many files of a level become one of the next.
	fanIn = 8
	// longestFile is the time that a file made of d files may span: low traffic
	// would otherwise put years into one.
	longestFile = 31 * 24 * 3600 * tables.Time(1e6)
	lateLane    = "late"
	// lateFiles bounds the files a merge of the late lane writes, one for each
	// hour, or else day, that its rows began in.
	lateFiles = 24
)

// mergers merge the files of the families that have a ladder.
var mergers = map[archive.Family]rewriter{
	archive.Flows:       rewriteOf(foldFlows, joinedColumns...),
	archive.Connections: rewriteOf(foldConnections),
	archive.Traffic:     rewriteSums(minutelyTraffic),
	archive.TrafficHour: rewriteSums(hourlyTraffic),
	archive.Rates:       rewriteSums(countedRates),
	archive.Other:       rewriteOf[tables.Other](nil),
	archive.DNS:         rewriteOf[tables.DNS](nil),
	archive.Names:       rewriteOf[tables.Name](nil),
	archive.DNSAnswers:  rewriteOf[tables.DNSAnswer](nil),
	archive.TLS:         rewriteOf[tables.TLS](nil),
	archive.HTTP:        rewriteOf[tables.HTTP](nil),
	archive.Logins:      rewriteOf[tables.Login](nil),
	archive.FileAccess:  rewriteOf[tables.File](nil),
	archive.RPC:         rewriteOf[tables.RPC](nil),
	archive.Mail:        rewriteOf[tables.Mail](nil),
	archive.ARP:         rewriteOf[tables.ARP](nil),
	archive.ICMP:        rewriteOf[tables.ICMP](nil),
	archive.DHCP:        rewriteOf[tables.DHCP](nil),
	archive.Oddities:    rewriteOf[tables.Oddity](nil),
	archive.Coverage:    rewriteOf[tables.Coverage](nil),
	archive.Evictions:   rewriteOf[tables.Eviction](nil),
	archive.Exports:     rewriteOf(foldExports, assignedColumns...),
	archive.Exporters:   rewriteOf[tables.Exporter](nil),
	archive.Sockets:     rewriteOf[tables.Socket](nil),
}

// steps calls fn for each step of what is recorded, or of all that is imported, in
// the order of their ladders. Rows of packets are the same once they are epochs.
func steps(recorded bool, fn func(archive.Family, tables.Step)) {
	for _, f := range tables.Families {
		for _, step := range f.Ladder {
			if recorded == (f.Writer == tables.Collector || step.From == micro) {
				fn(archive.Family(f.Name), step)
			}
		}
	}
}

// Loop merges and settles what is recorded until ctx ends; there is one for an
// archive, and ErrLocked is what a second gets. A family that fails is logged
// and tried again with the next round: the others go on.
func Loop(ctx context.Context, a *archive.Archive, cfg Config) error {
	if err := Lock(a); err != nil {
		return err
	}
	defer a.Unlock(writer)
	log := cfg.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.ScrubEvery > 0 {
		var scrubbing sync.WaitGroup
		defer scrubbing.Wait() // it ends with ctx, as this does
		scrubbing.Go(func() {
			if err := a.Scrub(ctx, archive.ScrubOptions{Every: cfg.ScrubEvery, Rate: cfg.ScrubRate}); err != nil {
				log.Error("scrub", "error", err)
			}
		})
	}
	var last, evicted time.Time
	for {
		if time.Since(last) >= roundEvery || waiting(a) >= epochRows {
			last = time.Now()
			stats, err := Round(ctx, a, cfg)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				log.Error("compaction", "error", err)
			}
			log.Debug("compacted", "files", stats.Files, "rows", stats.Rows, "connections", stats.Connections, "took", time.Since(last))
		}
		if time.Since(evicted) >= evictsEvery {
			evicted = time.Now()
			if _, err := a.Evict(); err != nil {
				log.Error("retention", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(looksEvery):
		}
	}
}

// writer is the name that compaction writes under.
const writer = tables.Compactor

// Lock makes sure that nobody else merges in the archive until it is closed.
func Lock(a *archive.Archive) error { return a.Lock(writer) }

// waiting counts the rows of exports in micro files.
func waiting(a *archive.Archive) (rows int64) {
	cat, err := a.Catalog()
	if err != nil {
		return 0
	}
	for _, f := range cat.Files(archive.Exports) {
		if f.Level == micro {
			rows += f.Rows
		}
	}
	return rows
}

// Round merges and settles all that is due. Each step is a batch of its own;
// one that fails leaves its files as they were and does not stop the others.
func Round(ctx context.Context, a *archive.Archive, cfg Config) (Stats, error) {
	var failed []error
	stats, err := Stats{}, epochs(ctx, a, &Stats{})
	failed = append(failed, err)
	if ctx.Err() == nil {
		stats, err = Run(ctx, a, cfg)
		failed = append(failed, err)
	}
	steps(true, func(family archive.Family, step tables.Step) {
		if step.From == micro || ctx.Err() != nil {
			return
		}
		plan := func(units []unit) [][]unit { return pick(units, step.From, fanIn, maxRows) }
		failed = append(failed, climb(ctx, a, family, step.To, plan, &stats))
		// A large merge takes as long as many micro files need to come, and others
		// to be due.
		_, late := settleFiles(ctx, a, now(), usual, &stats)
		failed = append(failed, epochs(ctx, a, &stats), late)
	})
	err = errors.Join(failed...)
	a.LeaveOut(err) // the next round goes on without what is damaged
	return stats, cmp.Or(ctx.Err(), err)
}

// epochs merges the micro files there are.
func epochs(ctx context.Context, a *archive.Archive, stats *Stats) error {
	var failed []error
	steps(true, func(family archive.Family, step tables.Step) {
		if step.From == micro {
			plan := func(units []unit) [][]unit { return pick(units, micro, 1, epochRows) }
			failed = append(failed, climb(ctx, a, family, step.To, plan, stats))
		}
	})
	return errors.Join(failed...)
}

// climb merges the units of a family that plan picks of each sequence, each
// list in a batch.
func climb(ctx context.Context, a *archive.Archive, family archive.Family, to string, plan func([]unit) [][]unit, stats *Stats) error {
	cat, err := a.Catalog()
	if err != nil {
		return err
	}
	for _, units := range unitsOf(cat.Files(family)) {
		for _, run := range plan(units) {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := merge(ctx, a, cat, run, to); err != nil {
				return fmt.Errorf("merge %s to level %s: %w", family, to, err)
			}
			for _, u := range run {
				stats.Files += len(u.files)
			}
		}
	}
	return nil
}

// merge replaces units, which follow each other, by one of a higher level.
func merge(ctx context.Context, a *archive.Archive, cat *archive.Catalog, run []unit, to string) error {
	tx, err := a.Begin(writer)
	if err != nil {
		return err
	}
	var files []archive.File
	for _, u := range run {
		files = append(files, u.files...)
	}
	tx.Supersede(files)
	width := tables.Time(0)
	if files[0].Lane == lateLane && to != pending {
		width = bucket(files)
	}
	if err := mergers[files[0].Family](ctx, tx, cat, files, to, width); err != nil {
		return errors.Join(err, tx.Abort())
	}
	return tx.Commit()
}

// bucket is the time that each file of a merge in the late lane spans: an hour,
// or as much more as it takes for the files not to be too many.
func bucket(files []archive.File) tables.Time {
	const hour = 3600 * tables.Time(1e6)
	for _, width := range []tables.Time{hour, 24 * hour, 30 * 24 * hour} {
		n := tables.Time(0)
		seen := map[tables.Time]bool{}
		for _, f := range files {
			// A file of an earlier step may span several; its rows are where
			// they are, so all of them count.
			first, last := f.MinTS/width, f.MaxTS/width
			if n = last - first; n > lateFiles {
				break
			}
			for ; first <= last; first++ {
				seen[first] = true
			}
		}
		if n <= lateFiles && len(seen) <= lateFiles {
			return width
		}
	}
	return 0
}

// rewriter merges files into new ones of a level, in time order; with a width,
// rows of different multiples of it go to different files.
type rewriter func(ctx context.Context, tx *archive.Tx, cat *archive.Catalog, files []archive.File, level string, width tables.Time) error

// fold says what becomes of a file's rows by what was decided about them.
type fold[T any] func(ctx context.Context, cat *archive.Catalog, f archive.File) (*rows.Edit[T], error)

// rewriteOf merges by the column, but for the few rows that are late.
func rewriteOf[T any](fold fold[T], sets ...string) rewriter {
	ts := rows.TimeOf[T]()
	return func(ctx context.Context, tx *archive.Tx, cat *archive.Catalog, files []archive.File, level string, width tables.Time) error {
		o := archive.MergeOptions[T]{Sets: sets}
		if fold != nil {
			o.Edit = func(f archive.File) (*rows.Edit[T], error) { return fold(ctx, cat, f) }
		}
		if width == 0 {
			return archive.Merge(ctx, tx, files, level, o)
		}
		var out *rows.Writer[T]
		var until tables.Time
		end := func() error {
			if out == nil {
				return nil
			}
			_, err := out.Close()
			out = nil
			return err
		}
		written, err := mergeEdited(ctx, files, ts, o.Edit, func(rows []T) (err error) {
			for len(rows) > 0 {
				if out != nil && ts(&rows[0]) >= until {
					if err := end(); err != nil {
						return err
					}
				}
				if out == nil {
					until = (ts(&rows[0])/width + 1) * width
					if out, err = archive.NewRowFile[T](tx, level); err != nil {
						return err
					}
				}
				n := 1
				for n < len(rows) && ts(&rows[n]) < until {
					n++
				}
				if err := out.Write(rows[:n]); err != nil {
					return err
				}
				rows = rows[n:]
			}
			return nil
		})
		if err == nil && written == 0 { // no rows are left: that stands in a file too
			out, err = archive.NewRowFile[T](tx, level)
		}
		return errors.Join(err, end())
	}
}

// unit is what stands for one range of a sequence: a file, or several of one
// merge.
type unit struct {
	files []archive.File
	level string
	rows  int64
	from  tables.Time
	to    tables.Time
}

// unitsOf divides files by their sequence and orders them by their numbers.
// Where numbers are missing, because a file is gone or can't be read, a list
// ends: a file merged over them would stand for what it does not have.
func unitsOf(files []archive.File) (out [][]unit) {
	files = slices.Clone(files)
	slices.SortFunc(files, func(x, y archive.File) int {
		return cmp.Or(cmp.Compare(x.Writer, y.Writer), cmp.Compare(x.Lane, y.Lane), cmp.Compare(x.First, y.First), cmp.Compare(x.MinTS, y.MinTS))
	})
	for i := range files {
		f := &files[i]
		if i == 0 || files[i-1].Writer != f.Writer || files[i-1].Lane != f.Lane || files[i-1].Last+1 < f.First {
			out = append(out, nil)
		}
		list := &out[len(out)-1]
		if n := len(*list); n > 0 && (*list)[n-1].files[0].First == f.First {
			(*list)[n-1].add(f)
			continue
		}
		u := unit{level: f.Level}
		u.add(f)
		*list = append(*list, u)
	}
	return out
}

func (u *unit) add(f *archive.File) {
	u.files = append(u.files, *f)
	if f.Rows > 0 {
		if u.rows == 0 {
			u.from, u.to = f.MinTS, f.MaxTS
		}
		u.from, u.to = min(u.from, f.MinTS), max(u.to, f.MaxTS)
	}
	u.rows += f.Rows
}

// pick chooses lists of units of a level that follow each other: at least so
// many, or as many as there may be rows in a file. One that has more rows than
// those behind it waits until they are as many: so each row is written again
// only when its file at least doubles.
func pick(units []unit, level string, at int, most int64) (out [][]unit) {
	for i := 0; i < len(units); {
		if units[i].level != level {
			i++
			continue
		}
		n, rows, full := i, int64(0), false
		var from, to tables.Time
		for ; n < len(units) && units[n].level == level; n++ {
			if units[n].rows > 0 {
				if rows == 0 {
					from, to = units[n].from, units[n].to
				}
				from, to = min(from, units[n].from), max(to, units[n].to)
			}
			if n > i && (rows+units[n].rows > most || level == daily && to-from > longestFile) {
				full = true
				break
			}
			rows += units[n].rows
		}
		run := units[i:n]
		i = n
		for !full && len(run) > 1 && run[0].rows > rows-run[0].rows {
			rows -= run[0].rows
			run = run[1:]
		}
		if len(run) >= at || full && len(run) > 1 {
			out = append(out, run)
		}
	}
	return out
}
