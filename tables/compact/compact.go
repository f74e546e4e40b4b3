// Package compact merges the small row files an import leaves into larger ones
// and writes connections, one row per conversation, from the flow rows.
//
// A run is one transaction of the archive: it reads the flow files nobody has
// merged yet (level e), writes them again as one file in time order (level t)
// that supersedes them, and beside it the connections of their conversations.
// A crash before the commit leaves everything as it was; after it, a second
// run finds nothing to do.
//
// Almost every conversation is one piece that is its last: its connection is
// written as the row passes, in time order. The others are kept until their
// last piece has passed and written to a file of their own, sorted. So memory
// grows with the conversations that are open at one time, which the meter
// caps, and not with the archive.
package compact

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Config of a run.
type Config struct {
	Logger *slog.Logger
	// MergeAt is how many small files of a family without connections (dns,
	// names, other) are left lying before they are merged; 0 means 16.
	MergeAt int
}

// Stats says what a run did.
type Stats struct {
	Files       int   // files superseded
	Rows        int64 // flow rows merged
	Connections int64 // connections written
	Rebuilt     bool  // all connections were written anew
}

const (
	// pending is the level an import writes, merged the one a run writes,
	// rebuilt that of connections that replace all there were.
	pending = "e"
	merged  = "t"
	rebuilt = "h"

	defaultMergeAt = 16
	// batchRows is how many rows of each file are in memory during a merge.
	batchRows = 512
)

// Run merges what is pending. It is idempotent.
func Run(ctx context.Context, a *archive.Archive, cfg Config) (Stats, error) {
	var stats Stats
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.MergeAt <= 0 {
		cfg.MergeAt = defaultMergeAt
	}
	cat, err := a.Catalog()
	if err != nil {
		return stats, err
	}
	for _, files := range sequences(cat.Files(archive.Flows), pending) {
		if err := mergeFlows(ctx, a, cat, files, &stats); err != nil {
			return stats, fmt.Errorf("compact flows: %w", err)
		}
		// What the next sequence must know: these rows' connections, and
		// where the rows are now.
		if cat, err = a.Catalog(); err != nil {
			return stats, err
		}
	}
	if err := errors.Join(
		mergeSmall(ctx, a, cat, archive.Other, cfg.MergeAt, &stats, func(r *tables.Other) tables.Time { return r.TS }),
		mergeSmall(ctx, a, cat, archive.DNS, cfg.MergeAt, &stats, func(r *tables.DNS) tables.Time { return r.TS }),
		mergeSmall(ctx, a, cat, archive.Names, cfg.MergeAt, &stats, func(r *tables.Name) tables.Time { return r.TS }),
	); err != nil {
		return stats, fmt.Errorf("compact: %w", err)
	}
	cfg.Logger.Info("compacted", "files", stats.Files, "rows", stats.Rows, "connections", stats.Connections, "rebuilt", stats.Rebuilt)
	return stats, nil
}

// sequences groups the files of a level by the sequence they are numbered in:
// a merged file can only stand for files of one.
func sequences(files []archive.File, level string) map[[2]string][]archive.File {
	out := map[[2]string][]archive.File{}
	for _, f := range files {
		if f.Level == level {
			key := [2]string{f.Writer, f.Lane}
			out[key] = append(out[key], f)
		}
	}
	return out
}

// errTorn: pieces were seen of a conversation whose first piece was merged by
// an earlier run, which wrote its connection.
var errTorn = errors.New("conversation began in rows merged before")

// mergeFlows writes the files as one, and the connections of their rows.
func mergeFlows(ctx context.Context, a *archive.Archive, cat *archive.Catalog, files []archive.File, stats *Stats) error {
	names, err := resolvedNames(ctx, cat, files)
	if err != nil {
		return err
	}
	err = mergeFlowsOnce(ctx, a, cat, files, names, false, stats)
	if errors.Is(err, errTorn) {
		err = mergeFlowsOnce(ctx, a, cat, files, names, true, stats)
	}
	return err
}

// mergeFlowsOnce does it in one transaction. With rebuild, the connections of
// every flow row in the archive are built and replace those there are, so that
// a conversation an earlier run knew the beginning of does not stand twice.
func mergeFlowsOnce(ctx context.Context, a *archive.Archive, cat *archive.Catalog, files []archive.File, names *resolutions, rebuild bool, stats *Stats) (err error) {
	tx, err := a.Begin("compact")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Abort())
		}
	}()
	out, err := archive.NewRowFile[tables.Flow](tx, merged)
	if err != nil {
		return err
	}
	b := newBuilder(tx, names)
	add := func(rows []tables.Flow) error {
		for i := range rows {
			if err := b.add(&rows[i]); err != nil {
				return err
			}
		}
		return nil
	}
	n, err := mergeRows(ctx, files, flowTime, func(rows []tables.Flow) error {
		if !rebuild {
			if err := add(rows); err != nil {
				return err
			}
		}
		return out.Write(rows)
	})
	if err != nil {
		return err
	}
	if _, err := out.Close(); err != nil {
		return err
	}
	tx.Supersede(files)
	if rebuild {
		old := cat.Files(archive.Connections)
		b.level = rebuilt
		if _, err := mergeRows(ctx, cat.Files(archive.Flows), flowTime, add); err != nil {
			return err
		}
		tx.Supersede(old)
	} else if b.torn() && len(cat.Files(archive.Connections)) > 0 {
		return errTorn
	}
	if err := b.finish(); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	stats.Files += len(files)
	stats.Rows += n
	stats.Connections += b.written
	stats.Rebuilt = stats.Rebuilt || rebuild
	return nil
}

func flowTime(f *tables.Flow) tables.Time { return f.TS }

// mergeSmall merges a family's small files once there are many.
func mergeSmall[T any](ctx context.Context, a *archive.Archive, cat *archive.Catalog, family archive.Family, at int, stats *Stats, ts func(*T) tables.Time) (err error) {
	for _, files := range sequences(cat.Files(family), pending) {
		if len(files) < at {
			continue
		}
		tx, err := a.Begin("compact")
		if err != nil {
			return err
		}
		err = func() error {
			out, err := archive.NewRowFile[T](tx, merged)
			if err != nil {
				return err
			}
			if _, err := mergeRows(ctx, files, ts, out.Write); err != nil {
				return err
			}
			if _, err := out.Close(); err != nil {
				return err
			}
			tx.Supersede(files)
			return tx.Commit()
		}()
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", family, err), tx.Abort())
		}
		stats.Files += len(files)
	}
	return nil
}
