// Package compact takes over the row files an import leaves and writes
// connections, one row per conversation, from the flow rows.
//
// A run is one transaction of the archive for each sequence of flow files: it
// reads those nobody has taken over yet (level e), writes the connections of
// their conversations, and brings the files to level t: small ones merged to
// one in time order, the others as they are, under a new name. A crash before
// the commit leaves everything as it was; after it, a second run finds nothing
// to do. Small files of all families are merged once there are many.
//
// Almost every conversation is one piece that is its last: its connection is
// written as the row passes, in time order. The others are kept until their
// last piece has passed and written to a file of their own, sorted. So memory
// grows with the conversations that are open at one time, which the meter
// caps, and not with the archive; and one session of three days does not widen
// the time range of the file that nearly all connections are in.
//
// What a recorder writes every two seconds is merged up the levels by Loop, in
// a process of its own (schedule.go), and settled on the way: the conversation
// of each exporter's row is decided (settle.go).
package compact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// Config of a run.
type Config struct {
	ScrubEvery time.Duration `key:"scrub-every" doc:"read all files again after so long, and compare them with their checksums; 0 for never"`
	ScrubRate  int64         `key:"scrub-rate" doc:"bytes of files read in a second for that; 0 for as many as the disk gives"`
	// MetricsListen is of the program.
	MetricsListen string `key:"metrics-listen" doc:"address to serve Prometheus metrics of compaction and retention on; none by default"`

	Logger *slog.Logger
	// MergeAt is how many small files of a family without connections (dns,
	// names, other) are left lying before they are merged; 0 means 16.
	MergeAt int
}

// DefaultConfig reads all files once a week: 12 TB at the most.
func DefaultConfig() Config { return Config{ScrubEvery: 7 * 24 * time.Hour, ScrubRate: 20_000_000} }

// Stats says what a run did.
type Stats struct {
	Files       int   // files superseded
	Rows        int64 // flow rows merged
	Connections int64 // connections written
	Folded      int64 // connections of earlier runs written anew
	Late        int64 // rows that came after their conversation was written
	Forced      int64 // conversations taken to be over for want of room
}

const (
	// pending is the level an import writes, merged the one a run writes.
	pending = "e"
	merged  = "t"

	defaultMergeAt = 16
	// smallRows: a file with fewer is worth merging with its neighbours, one
	// with more has full row groups. A merged file has at most maxRows.
	smallRows = 125_000
	maxRows   = 50_000_000
	// maxFiles is how many files of a family a query opens without noticing
	// (0.06 ms each).
	maxFiles = 60
	// batchRows is how many rows of each file are in memory during a merge.
	batchRows = 512
)

// Run merges what is pending. It is idempotent. When another process does so,
// there is nothing to do.
func Run(ctx context.Context, a *archive.Archive, cfg Config) (Stats, error) {
	var stats Stats
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MergeAt <= 0 {
		cfg.MergeAt = defaultMergeAt
	}
	if err := Lock(a); errors.Is(err, archive.ErrLocked) {
		cfg.Logger.Info("another process merges what was imported")
		return stats, nil
	} else if err != nil {
		return stats, err
	}
	// A family that fails does not keep the others from being merged.
	var failed []error
	fail := func(what string, err error) {
		if err != nil {
			failed = append(failed, fmt.Errorf("compact %s: %w", what, err))
			a.LeaveOut(err) // the next run goes on without what is damaged
		}
	}
	fail("traffic", fillTraffic(ctx, a))
	fail("flows", mergePending(ctx, a, &stats))
	fail("exports", settleDue(ctx, a, now(), usual, &stats))
	steps(false, func(family archive.Family, step tables.Step) {
		plan := func(units []unit) [][]unit { return few(units, step.From, cfg.MergeAt) }
		fail(string(family), climb(ctx, a, family, step.To, plan, &stats))
	})
	fail("connections", foldMany(ctx, a, archive.Connections, foldRows, &stats))
	fail("exports", foldMany(ctx, a, archive.Exports, foldRows, &stats))
	fail("flows", foldMany(ctx, a, archive.Flows, foldRows, &stats))
	cfg.Logger.Info("compacted", "files", stats.Files, "rows", stats.Rows, "connections", stats.Connections, "folded", stats.Folded, "late", stats.Late, "forced", stats.Forced)
	return stats, errors.Join(failed...)
}

// mergePending takes over the flow files that an import left.
func mergePending(ctx context.Context, a *archive.Archive, stats *Stats) error {
	cat, err := a.Catalog()
	if err != nil {
		return err
	}
	for _, files := range sequences(cat.Files(archive.Flows), pending) {
		if err := mergeFlows(ctx, a, cat, files, stats); err != nil {
			return err
		}
		// What the next sequence must know: these rows' connections, and
		// where the rows are now.
		if cat, err = a.Catalog(); err != nil {
			return err
		}
	}
	return nil
}

// sequences groups the files of a level by the sequence they are numbered in:
// a merged file can only stand for files of one, that follow each other.
func sequences(files []archive.File, level string) (out [][]archive.File) {
	for _, units := range unitsOf(files) {
		var run []archive.File
		for _, u := range units {
			if u.level != level && len(run) > 0 {
				out, run = append(out, run), nil
			}
			if u.level == level {
				run = append(run, u.files...)
			}
		}
		if len(run) > 0 {
			out = append(out, run)
		}
	}
	return out
}

// mergeFlows takes the files over and writes the connections of their rows, in
// one transaction.
func mergeFlows(ctx context.Context, a *archive.Archive, cat *archive.Catalog, files []archive.File, stats *Stats) error {
	tx, err := a.Begin(writer)
	if err != nil {
		return err
	}
	after := *stats
	joined, err := connect(ctx, tx, cat, files, &after)
	if err == nil {
		err = takeOver(ctx, tx, files, joined)
	}
	if err != nil {
		return errors.Join(err, tx.Abort())
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	after.Files += len(files)
	for _, f := range files {
		after.Rows += f.Rows
	}
	*stats = after
	return nil
}

// takeOver brings flow files to the level merged: the small ones as one file,
// the others as they are, unless rows of theirs are joined to another sensor's.
// Writing a row again costs more than all else here, and a file of many full row
// groups in time order gains nothing by it.
func takeOver(ctx context.Context, tx *archive.Tx, files []archive.File, joined map[settle.ID]tables.Joined) error {
	tx.Supersede(files)
	edits := map[string]*rows.Edit[tables.Flow]{}
	one := func(files ...archive.File) error {
		if len(files) == 1 && edits[files[0].Path] == nil {
			return tx.Keep(files[0], merged)
		}
		return archive.Merge(ctx, tx, files, merged, archive.MergeOptions[tables.Flow]{Sets: joinedColumns,
			Edit: func(f archive.File) (*rows.Edit[tables.Flow], error) { return edits[f.Path], nil }})
	}
	var small []archive.File
	for _, f := range files {
		if len(joined) > 0 {
			var err error
			if edits[f.Path], err = joining(ctx, f, func(f *tables.Flow) (tables.Joined, bool) {
				j, ok := joined[settle.ID{ConnID: f.ConnID, Site: f.Site}]
				return j, ok
			}, "conn_id", "site"); err != nil {
				return err
			}
		}
		if f.Rows < smallRows {
			small = append(small, f)
		} else if err := one(f); err != nil {
			return err
		}
	}
	if len(small) == 0 {
		return nil
	}
	return one(small...)
}

func flowTime(f *tables.Flow) tables.Time { return f.TS }

// few chooses the small units of a level that follow each other, once there
// are many. Past maxFiles it takes larger ones too.
func few(units []unit, level string, at int) (out [][]unit) {
	limit := int64(smallRows)
	if len(units) > maxFiles {
		limit, at = maxRows/4, min(at, 4)
	}
	for i := 0; i < len(units); {
		n, rows := i, int64(0)
		for ; n < len(units) && units[n].level == level && units[n].rows < limit && rows+units[n].rows <= maxRows; n++ {
			rows += units[n].rows
		}
		if n-i >= max(at, 2) {
			out = append(out, units[i:n])
		}
		i = max(n, i+1)
	}
	return out
}
