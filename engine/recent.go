package engine

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// Connections are written by compaction when the conversation is over and its
// observers had time to report. Those of younger rows are computed here when a
// statement asks about their time, by the same rules, and lie in tables of
// DuckDB for as long as statements read them.

// recent is what connections will be of rows that are not settled, as of one
// catalogue.
type recent struct {
	snap *snapshot
	// Tables of DuckDB: rows of connections, stored ones they stand for, the
	// conversations of rows of exports and of sensors' rows that another leads, and
	// what all that changes of traffic. Empty when there are none.
	connections, replaced, rows, joined, traffic, hours string
	// Stored connections that are replaced begin within from and to.
	from, to tables.Time

	skipped          int64 // rows that were too many to look at
	skipFrom, skipTo tables.Time

	made  time.Time
	cost  time.Duration
	lease *archive.Lease // on the files of snap, for maxLag

	uses atomic.Int64 // statements that read it, and one while it is the newest
}

// maxLag is how old it may get however long it takes to compute.
const maxLag = 20 * time.Second

// lag is how long it serves while rows keep coming: a statement must not
// compute it anew every time when that takes long. It lags behind by ten times
// what it costs, then.
func (r *recent) lag() time.Duration { return min(10*r.cost, maxLag) }

// unsettledIn tells whether some family has rows within bounds that are not
// settled.
func (s *snapshot) unsettledIn(b pushdown.Bounds, families ...archive.Family) bool {
	within := pushdown.Bounds{From: b.From, To: b.To}
	for _, family := range families {
		if slices.ContainsFunc(s.catalog.Files(family), func(f archive.File) bool {
			return (family == archive.Carried || compact.Unsettled(f)) && s.matters(f, within)
		}) {
			return true
		}
	}
	return false
}

// wantsRecent tells whether scans ask for what is not settled.
func (s *snapshot) wantsRecent(scans []*pushdown.ScanPlan) bool {
	return slices.ContainsFunc(scans, func(p *pushdown.ScanPlan) bool {
		families := pushdown.Families(p.Relation)
		switch {
		case ofTraffic(families): // of all the time that its connections last
			return s.unsettledIn(pushdown.Bounds{From: pushdown.MinTime, To: pushdown.MaxTime}, archive.Exports, archive.Flows, archive.Carried)
		case slices.Contains(families, string(archive.Connections)):
			return s.unsettledIn(p.Bounds, archive.Exports, archive.Flows, archive.Carried)
		case slices.Contains(families, string(archive.Flows)) && slices.Contains(p.Columns, "conn_id") && s.severalSensors &&
			s.unsettledIn(p.Bounds, archive.Flows):
			return true
		case slices.Contains(families, string(archive.Exports)) && !slices.Contains(p.Bounds.Without, string(archive.Exports)):
			return (slices.Contains(p.Columns, "conn_id") || pushdown.ReadsAbsence(p.Columns)) &&
				s.unsettledIn(p.Bounds, archive.Exports)
		}
		return false
	})
}

// ofTraffic tells whether rows of traffic are among what a relation is made of, and
// ofConnections whether those or connections are.
func ofTraffic(families []string) bool {
	return slices.Contains(families, string(archive.Traffic)) || slices.Contains(families, string(archive.TrafficHour))
}

func ofConnections(families []string) bool {
	return slices.Contains(families, string(archive.Connections)) || ofTraffic(families)
}

// rejoined tells whether some row of files of flows may be of another conversation
// than its file says.
func (s *snapshot) rejoined(files []archive.File) bool {
	return slices.ContainsFunc(files, func(f archive.File) bool {
		_, decided := s.catalog.Decisions(f)
		return decided || s.recent != nil && s.recent.joined != "" && compact.Unsettled(f)
	})
}

// withRecent is the snapshot scans are answered from: with what is not settled
// when they ask for it. That may be one a little older, see recent.lag. done
// must be called when they are.
func (e *Engine) withRecent(ctx context.Context, snap *snapshot, scans []*pushdown.ScanPlan) (_ *snapshot, done func(), err error) {
	if !snap.wantsRecent(scans) {
		return snap, func() {}, nil
	}
	select {
	case e.recentTurn <- struct{}{}:
		defer func() { <-e.recentTurn }()
	case <-ctx.Done():
		return nil, nil, context.Cause(ctx)
	}
	r := e.recent
	if r == nil || r.snap.catalog.Version() != snap.catalog.Version() && time.Since(r.made) > r.lag() {
		if r, err = e.computeRecent(ctx, snap); err != nil {
			return nil, nil, fmt.Errorf("connections that are not settled: %w", err)
		}
		before := e.recent
		e.recent = r
		if before != nil {
			e.releaseRecent(before)
		}
	}
	r.uses.Add(1)
	lease := r.lease.Share()
	return r.snap, func() {
		e.releaseRecent(r)
		lease.Release()
	}, nil
}

// again is the archive as it is now, for a statement that met a file that is
// not there any more.
func (e *Engine) again(ctx context.Context) (*snapshot, error) {
	e.archive.Refresh()
	select {
	case e.recentTurn <- struct{}{}:
		if e.recent != nil {
			e.recent.cost = 0 // it may list the file, too
		}
		<-e.recentTurn
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	return e.snapshot(ctx)
}

// releaseRecent drops the tables when nobody reads them any more.
func (e *Engine) releaseRecent(r *recent) {
	if r.uses.Add(-1) > 0 {
		return
	}
	for _, table := range []string{r.connections, r.replaced, r.rows, r.joined, r.traffic, r.hours} {
		if table == "" {
			continue
		}
		if err := e.duck.exec(context.Background(), "DROP TABLE IF EXISTS "+table); err != nil {
			e.log.Warn("table of recent rows stays", "table", table, "error", err)
		}
	}
}

func (e *Engine) computeRecent(ctx context.Context, snap *snapshot) (*recent, error) {
	start := time.Now()
	found, err := compact.Young(ctx, snap.catalog)
	if err != nil {
		return nil, err
	}
	r := &recent{skipped: found.Skipped, skipFrom: found.SkippedFrom, skipTo: found.SkippedTo,
		from: pushdown.MaxTime, to: pushdown.MinTime}
	for _, row := range found.Replaces {
		r.from, r.to = min(r.from, row.TS), max(r.to, row.TS)
	}
	r.uses.Store(1)
	with := *snap
	with.recent, r.snap = r, &with
	e.recentSerial++
	if r.connections, err = loadRows(ctx, e, "connections", found.Connections); err != nil {
		return nil, err
	}
	if r.replaced, err = loadRows(ctx, e, "replaced", found.Replaces); err != nil {
		return nil, err
	}
	if r.rows, err = loadRows(ctx, e, "rows", found.Rows); err != nil {
		return nil, err
	}
	if r.joined, err = loadRows(ctx, e, "joined", found.Joined); err != nil {
		return nil, err
	}
	if r.traffic, err = loadRows(ctx, e, "traffic_1m", found.Traffic); err != nil {
		return nil, err
	}
	if r.hours, err = loadRows(ctx, e, "traffic_1h", found.Hours); err != nil {
		return nil, err
	}
	r.made, r.cost = start, time.Since(start)
	r.lease = workOf(ctx).lease.Share()
	time.AfterFunc(maxLag, r.lease.Release)
	return r, nil
}

// loadRows makes a table of rows; no rows are no table.
func loadRows[T any](ctx context.Context, e *Engine, what string, rows []T) (table string, err error) {
	if len(rows) == 0 {
		return "", nil
	}
	table = fmt.Sprintf("wiresql_recent_%s_%d", what, e.recentSerial)
	f, lists := rowsFeed(rows)
	handle := e.duck.publish(f)
	defer e.duck.withdraw(handle)
	replace := ""
	for _, name := range lists {
		replace += fmt.Sprintf(" REPLACE (CAST(string_split(%[1]s, ',') AS INTEGER[]) AS %[1]s)", name)
	}
	return table, e.duck.exec(ctx, "CREATE OR REPLACE TABLE "+table+" AS SELECT *"+replace+" FROM "+feedFunction+"("+functions.Quote(handle)+")")
}

// unseen says what of the recent rows is missing from an answer.
func (s *snapshot) unseen(scans []*pushdown.ScanPlan) []string {
	if len(s.catalog.Files(archive.Traffic)) == 0 && len(s.catalog.Files(archive.Connections)) > 0 &&
		slices.ContainsFunc(scans, func(p *pushdown.ScanPlan) bool { return ofTraffic(pushdown.Families(p.Relation)) }) {
		return []string{"the traffic of the connections that are stored is not computed yet: `wiresql compact` does it"}
	}
	r := s.recent
	if r == nil || r.skipped == 0 || !slices.ContainsFunc(scans, func(p *pushdown.ScanPlan) bool {
		return ofConnections(pushdown.Families(p.Relation)) && p.Bounds.From <= r.skipTo && p.Bounds.To > r.skipFrom
	}) {
		return nil
	}
	return []string{fmt.Sprintf("connections of %d rows between %s and %s are not shown: so many wait for compaction (is `wiresql compact` running?)",
		r.skipped, timeText(r.skipFrom), timeText(r.skipTo))}
}
