package engine

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/metadata"
	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact"
)

// run is a plan made ready for one execution: its files are chosen, its
// packets found. EXPLAIN makes one too and reads no packet of it.
type run struct {
	ctx     *sql.Context
	engine  *Engine
	plan    *pushdown.Plan
	snap    *snapshot
	text    string // for DuckDB
	reads   []*reading
	packets []*packetsRun
	handles []string // of feeds to withdraw
	called  []string // of functions to withdraw
	done    func()   // gives the snapshot back
	place   admitted // among the statements that run
	after   func()   // the statement has ended
}

// packetsRun is a scan of packets of which they are found.
type packetsRun struct {
	plan *pushdown.PacketPlan
	by   strategy // that found them
	found
	values []uint64 // of the plan's source, once they are known
	known  bool
	// repeated tells that a value of the key came more than once.
	repeated bool

	stats atomic.Pointer[archive.FetchStats] // once all are read
	cut   atomic.Int64                       // of which bytes were asked for that were not captured
}

// maxEnded bounds how many others end for a statement that finds no memory.
const maxEnded = 8

// execute runs a plan: first what finds its packets, then the statement. A row
// file that was replaced and unlinked since the plan was made is met before the
// first row; then the plan is made and run once more. So it is, without them, as
// often as files turn out to be damaged, and when a statement that took more
// memory had to end for it.
func (e *Engine) execute(ctx *sql.Context, s *statement) (Columnar, *run, error) {
	gone, ended := false, 0
	for {
		out, r, err := e.attempt(ctx, s)
		if err == nil {
			return out, r, nil
		}
		switch {
		case e.archive.LeaveOut(err):
			e.log.Debug("a row file is damaged, the statement runs again", "error", err)
		case fileGone(err) && !gone:
			gone = true
			e.log.Debug("a row file is gone, the statement runs again", "error", err)
		case foundNoRoom(err) && ended < maxEnded && e.ceiling.makeRoom(ctx):
			ended++
			e.log.Debug("a statement found no memory and runs again, the one that took the most has ended")
			continue
		default:
			return nil, nil, err
		}
		snap, err := e.again(ctx)
		if err != nil {
			return nil, nil, err
		}
		if s, err = e.compileOver(ctx, s.parsed, s.params, false, snap); err != nil {
			return nil, nil, err
		}
	}
}

func (e *Engine) attempt(ctx *sql.Context, s *statement) (Columnar, *run, error) {
	warn(ctx, s.plan.Warnings)
	if err := e.missing(ctx, s); err != nil {
		return nil, nil, err
	}
	workOf(ctx).at(stageWaiting)
	place, err := e.admit(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	r, err := e.newRun(ctx, s)
	if err != nil {
		place.end()
		return nil, nil, err
	}
	r.place = place
	out, err := r.start(ctx)
	if err != nil {
		r.finish()
		return nil, nil, err
	}
	if place.turn != nil {
		place.turn()
	}
	account := ctx.Session.Client().User
	if most := e.admission.of(account).Rows; most > 0 {
		out = &counted{Columnar: out, account: account, most: most}
	}
	return out, r, nil
}

// fileGone tells whether an error is that a listed file is not there.
func fileGone(err error) bool {
	var d *duckError
	if errors.As(err, &d) {
		return strings.Contains(d.Message, "No files found that match") || strings.Contains(d.Message, "Cannot open file")
	}
	return errors.Is(err, fs.ErrNotExist)
}

// newRun makes a run, which must be finished.
func (e *Engine) newRun(ctx *sql.Context, s *statement) (*run, error) {
	snap, done, err := e.withRecent(ctx, s.snap, s.plan.AllScans())
	if err != nil {
		return nil, err
	}
	return &run{ctx: ctx, engine: e, plan: s.plan, snap: snap, done: done}, nil
}

// start begins to answer. What it returns finishes the run when it is closed.
func (r *run) start(ctx *sql.Context) (Columnar, error) {
	w := workOf(ctx)
	w.at(stageFinding)
	if err := r.findAll(ctx); err != nil {
		return nil, err
	}
	if err := r.admit(ctx); err != nil {
		return nil, err
	}
	for _, k := range r.packets {
		w.flowRows.Add(int64(k.rows))
		w.wanted.Add(k.fetch.Packets)
	}
	w.at(stageSending)
	uncaptured, err := r.uncaptured(ctx)
	if err != nil {
		return nil, err
	}
	if err := r.engine.gaps(ctx, append(r.gone(), uncaptured...)); err != nil {
		return nil, err
	}
	texts, err := r.sampled(ctx)
	if err != nil {
		return nil, err
	}
	warn(ctx, texts)
	if texts, err = r.folded(ctx); err != nil {
		return nil, err
	}
	warn(ctx, texts)
	if r.isDirect() {
		feed, err := r.feed(r.packets[0], directBatch)
		if err != nil {
			return nil, err
		}
		return r.direct(feed)
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	r.readAll()
	cur, err := r.engine.duck.query(ctx, r.text)
	if err != nil {
		return nil, err
	}
	out, err := newResult(cur, r.plan.Columns, r.plan.Zone, r.finish)
	if err != nil {
		return nil, err
	}
	out.run = r
	// DuckDB opens files as it comes to them: with the first rows it has
	// opened those it reads at once.
	if err := out.begin(); err != nil {
		out.close()
		return nil, err
	}
	return out, nil
}

// directBatch is small, so that packets are on their way to the client while
// others are read.
const directBatch = 256

// isDirect tells whether the packets found are the result, as they are.
func (r *run) isDirect() bool {
	d := r.plan.Direct
	return d != nil && r.packets[0].looked && (d.Once || !r.packets[0].repeated)
}

// findAll finds the packets of a plan.
func (r *run) findAll(ctx *sql.Context) error {
	plans := r.plan.Packets
	for _, s := range r.plan.Scans { // of statements that are not made fast
		if pushdown.IsPackets(s.Relation) && !slices.ContainsFunc(plans, func(p *pushdown.PacketPlan) bool { return p.ID == s.ID }) {
			plans = append(slices.Clip(plans), everyPacket(s))
		}
	}
	for _, p := range plans {
		k := &packetsRun{plan: p, found: found{keys: &keySet{}}}
		r.packets = append(r.packets, k)
		if err := r.find(ctx, k); err != nil {
			return err
		}
	}
	return nil
}

// feed makes the packets that were found readable.
func (r *run) feed(k *packetsRun, batch int) (*packetFeed, error) {
	p := k.plan
	fields, err := packetVectors(p.Relation, p.Columns)
	if err != nil {
		return nil, err
	}
	return &packetFeed{ctx: r.ctx, archive: r.engine.archive, catalog: r.snap.catalog, keys: k.keys, batch: batch, fields: fields,
		from: p.From, to: p.To, work: workOf(r.ctx), cut: &k.cut, done: func(s archive.FetchStats) { k.stats.Store(&s) }}, nil
}

// prepare writes the statement of a plan whose packets are found. The run must
// be finished, also after an error.
func (r *run) prepare() error {
	b := r.newBinding()
	for _, k := range r.packets {
		f, err := r.feed(k, vectorSize)
		if err != nil {
			return err
		}
		b.packets[k.plan.ID] = r.published(f)
	}
	err := r.bind(b, r.plan.Scans, "")
	if err != nil {
		return err
	}
	r.text, err = r.plan.Text(b)
	return err
}

func (r *run) finish() {
	for _, h := range r.handles {
		r.engine.duck.withdraw(h)
	}
	for _, h := range r.called {
		r.engine.duck.called.Delete(h)
	}
	r.handles, r.called = nil, nil
	r.place.end()
	if r.done != nil {
		r.done()
		r.done = nil
	}
	if r.after != nil {
		r.after()
	}
}

// fill writes a query over the files that matter; why says what it is for.
func (r *run) fill(q pushdown.Query, keys, why string) (string, error) {
	b := r.newBinding()
	b.keys = keys
	if err := r.bind(b, q.Scans, why); err != nil {
		return "", err
	}
	return q.Text(b)
}

// published makes a feed readable until the run is finished; the text reads it.
func (r *run) published(f feed) string {
	handle := r.engine.duck.publish(f)
	r.handles = append(r.handles, handle)
	return feedFunction + "(" + functions.Quote(handle) + ")"
}

// bind says what the scans of a statement are read from.
func (r *run) bind(b *binding, scans []*pushdown.ScanPlan, why string) error {
	for _, s := range scans {
		if pushdown.IsPackets(s.Relation) {
			continue // found already
		}
		if metadata.Describes(s.Relation.Schema) {
			text, err := r.metadataText(s.Relation)
			if err != nil {
				return err
			}
			b.scans[s.ID] = text
			r.reads = append(r.reads, &reading{relation: s.Relation, why: why, scan: s})
			continue
		}
		if s.Relation.Given {
			text, err := r.givenText(s.Relation)
			if err != nil {
				return err
			}
			b.scans[s.ID] = text
			r.reads = append(r.reads, &reading{relation: s.Relation, why: why, scan: s})
			continue
		}
		text, err := r.memoryText(s.Relation)
		if err != nil {
			return err
		}
		if text != "" {
			b.scans[s.ID] = text
			r.reads = append(r.reads, &reading{relation: s.Relation, why: why, scan: s})
			continue
		}
		one := &reading{relation: s.Relation, why: why, scan: s}
		from, err := r.scanText(s, one)
		if err != nil {
			return err
		}
		if !one.allLooked {
			r.reads = append(r.reads, one)
		}
		if why != "" { // else it is not read yet
			workOf(r.ctx).reads(one)
		}
		b.scans[s.ID] = "(" + from + ")"
	}
	return nil
}

// scanText is the SQL of a scan over what can hold rows of it.
func (r *run) scanText(s *pushdown.ScanPlan, one *reading) (string, error) {
	first, last := pushdown.MaxTime, pushdown.MinTime
	if s.Ends {
		first, last = r.snap.endsOf(s)
	}
	src, files, err := r.engine.sourceOf(r.snap, s.Relation, s.Columns, func(f archive.File) bool {
		between := (f.MinTS != 0 || f.MaxTS != 0) && f.MinTS > first && f.MaxTS < last
		return one.count(f, r.snap.matters(f, s.Bounds) && !between)
	})
	if err != nil {
		return "", err
	}
	columns := map[string][]string{}
	src.Reads = func(family string, names []string) { columns[family] = append(columns[family], names...) }
	text, err := pushdown.RelationSQL(s.Relation, s.Columns, src)
	for family, names := range columns {
		one.column(family, names)
	}
	if err == nil && first <= last {
		text = pushdown.NotBetween(text, first, last)
	}
	if err != nil || len(s.Bounds.Equal) == 0 {
		return text, err
	}
	if err := r.lookUp(s, &src, files, columns, one); err != nil {
		return "", err
	}
	src.Reads = nil
	return pushdown.RelationSQL(s.Relation, s.Columns, src)
}

// matters tells whether a file can hold rows within the bounds. DuckDB opens
// every file it is given, whatever the predicate.
func (s *snapshot) matters(f archive.File, b pushdown.Bounds) bool {
	if slices.Contains(b.Without, string(f.Family)) {
		return false
	}
	if timed := f.MinTS != 0 || f.MaxTS != 0; timed && (f.MinTS >= b.To || f.MaxTS < b.From) {
		return false
	}
	for _, values := range b.Equal {
		if !slices.ContainsFunc(values, func(v pushdown.Equality) bool { return s.mayContain(f, v) }) {
			return false
		}
	}
	return true
}

// endsOf says of rows with nothing but a ts that none is the first that began after
// first, and none the last that began before last: each is the ts of a row. What
// files hold is known by their names and footers; what is not read as its file has
// it says nothing about others.
func (s *snapshot) endsOf(p *pushdown.ScanPlan) (first, last tables.Time) {
	first, last = pushdown.MaxTime, pushdown.MinTime
	within := func(t tables.Time) bool { return t >= p.Bounds.From && t < p.Bounds.To }
	var files []archive.File
	for _, family := range pushdown.Families(p.Relation) {
		for _, f := range s.catalog.Files(archive.Family(family)) {
			if timed := f.MinTS != 0 || f.MaxTS != 0; timed && !s.replaced(f) {
				files = append(files, f)
				if within(f.MinTS) {
					first, last = min(first, f.MinTS), max(last, f.MinTS)
				}
			}
		}
	}
	for _, f := range files {
		if f.MaxTS <= last {
			continue
		}
		if _, t, ok := rows.Starts(f.File); ok && within(t) {
			first, last = min(first, t), max(last, t)
		}
	}
	return first, last
}

// replaced tells whether other rows may be read in place of some of a file.
func (s *snapshot) replaced(f archive.File) bool {
	if f.Family != archive.Connections {
		return false // where only other columns are
	}
	_, decided := s.catalog.Decisions(f)
	return decided || s.recent != nil && f.MinTS <= s.recent.to && f.MaxTS >= s.recent.from
}

// mayContain tells whether a file can have a value. What a file lacks the
// column of is NULL in all of its rows.
func (s *snapshot) mayContain(f archive.File, v pushdown.Equality) bool {
	if s.recent != nil && f.Family == archive.Exports && v.Column == "conn_id" && compact.Unsettled(f) {
		return true // a conversation is known of rows that have none stored
	}
	if s.recent != nil && s.recent.joined != "" && f.Family == archive.Flows && (v.Column == "conn_id" || v.Column == "joined_id") && compact.Unsettled(f) {
		return true
	}
	if d, ok := s.catalog.Decisions(f); ok && (d.Family == archive.Assigned || d.Family == archive.Joined) && (v.Column == "conn_id" || v.Column == "joined_id") && rows.MayContain(d.File, v.Column, v.Value) {
		return true // of rows that belong to another one than their file says
	}
	if f.Columns != nil && !slices.Contains(f.Columns, v.Column) {
		return false
	}
	// Micro files have no filters, and there is always a new one to look into.
	return f.Level == "m" || rows.MayContain(f.File, v.Column, v.Value)
}

// byteText writes a number of bytes for people.
func byteText(n int64) string {
	units := [...]string{"bytes", "KB", "MB", "GB", "TB", "PB"}
	f, i := float64(n), 0
	for f >= 1000 && i < len(units)-1 {
		f, i = f/1000, i+1
	}
	if i == 0 {
		return fmt.Sprintf("%d bytes", n)
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
