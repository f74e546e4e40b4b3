package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
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
	scans   []scanRun
	packets []*packetsRun
	handles []string // of feeds to withdraw
	called  []string // of functions to withdraw
	done    func()   // gives the snapshot back
}

// scanRun says which files of a scan are read.
type scanRun struct {
	relation *tables.Relation
	families []familyRun
}

// familyRun says how many of a family's files are read.
type familyRun struct {
	family      archive.Family
	read, files int // of files there are
	bytes       int64
}

// packetsRun says how the packets of a scan were found.
type packetsRun struct {
	plan  *pushdown.PacketPlan
	shown string // what found them, with its placeholders
	scans []scanRun
	keys  *keySet
	// When the rows were looked up instead: what that read, in how many of
	// the files there are.
	lookup        *archive.LookupStats
	files, listed int
	// repeated tells that a value of the key came more than once.
	repeated bool

	bytes int64                              // of the packets, estimated
	stats atomic.Pointer[archive.FetchStats] // once all are read
}

// execute runs a plan: first what finds its packets, then the statement. A row
// file that was replaced and unlinked since the plan was made is met before the
// first row; then the plan is made and run once more.
func (e *Engine) execute(ctx *sql.Context, s *statement) (Columnar, *run, error) {
	out, r, err := e.attempt(ctx, s)
	if !fileGone(err) {
		return out, r, err
	}
	e.log.Debug("a row file is gone, the statement runs again", "error", err)
	snap, err := e.again(ctx)
	if err != nil {
		return nil, nil, err
	}
	again, err := e.compileOver(ctx, s.parsed, s.params, false, snap)
	if err != nil {
		return nil, nil, err
	}
	return e.attempt(ctx, again)
}

func (e *Engine) attempt(ctx *sql.Context, s *statement) (Columnar, *run, error) {
	if err := e.missing(ctx, s.snap, s.plan); err != nil {
		return nil, nil, err
	}
	r, err := e.newRun(ctx, s)
	if err != nil {
		return nil, nil, err
	}
	out, err := r.start(ctx)
	if err != nil {
		r.finish()
		return nil, nil, err
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
	if err := r.findAll(ctx); err != nil {
		return nil, err
	}
	if err := r.admit(ctx); err != nil {
		return nil, err
	}
	if err := r.engine.gaps(ctx, r.gone()); err != nil {
		return nil, err
	}
	texts, err := r.sampled(ctx)
	if err != nil {
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
	cur, err := r.engine.duck.query(ctx, r.text)
	if err != nil {
		return nil, err
	}
	out, err := newResult(cur, r.plan.Columns, r.finish)
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
	return d != nil && r.packets[0].lookup != nil && (d.Once || !r.packets[0].repeated)
}

// findAll finds the packets of a plan.
func (r *run) findAll(ctx *sql.Context) error {
	for _, p := range r.plan.Packets {
		k := &packetsRun{plan: p, keys: &keySet{}}
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
		from: p.From, to: p.To, done: func(s archive.FetchStats) { k.stats.Store(&s) }}, nil
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
		handle := r.engine.duck.publish(f)
		r.handles = append(r.handles, handle)
		b.packets[k.plan.ID] = feedFunction + "(" + quoteText(handle) + ")"
	}
	var err error
	if r.scans, err = r.bind(b, r.plan.Scans); err != nil {
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
	if r.done != nil {
		r.done()
		r.done = nil
	}
}

// fill writes a query over the files that matter.
func (r *run) fill(q pushdown.Query, keys string) (string, []scanRun, error) {
	b := r.newBinding()
	b.keys = keys
	out, err := r.bind(b, q.Scans)
	if err != nil {
		return "", nil, err
	}
	text, err := q.Text(b)
	return text, out, err
}

// bind says what the scans of a statement are read from.
func (r *run) bind(b *binding, scans []*pushdown.ScanPlan) ([]scanRun, error) {
	var out []scanRun
	for _, s := range scans {
		if pushdown.IsPackets(s.Relation) {
			if _, found := b.packets[s.ID]; !found {
				text, err := r.everyPacket(s)
				if err != nil {
					return nil, err
				}
				b.packets[s.ID] = text
			}
			continue
		}
		if isForeign(s.Relation.Schema) {
			text, err := r.foreignText(s)
			if err != nil {
				return nil, err
			}
			b.scans[s.ID] = text
			continue
		}
		one := scanRun{relation: s.Relation}
		from, err := r.engine.relationText(r.snap, s.Relation, s.Columns, func(f archive.File) bool {
			return one.count(f, r.snap.matters(f, s.Bounds))
		})
		if err != nil {
			return nil, err
		}
		out = append(out, one)
		b.scans[s.ID] = "(" + from + ")"
	}
	return out, nil
}

// everyPacket feeds all packets there are: how statements read them that are
// not made fast.
func (r *run) everyPacket(s *pushdown.ScanPlan) (string, error) {
	plan := &pushdown.PacketPlan{ID: s.ID, Relation: s.Relation, Columns: s.Columns, From: pushdown.MinTime, To: pushdown.MaxTime,
		Advice: "wiresql_pushdown is off, so every packet is read"}
	if err := r.engine.admitAll(r.ctx, r.snap, plan); err != nil {
		return "", err
	}
	keys, err := r.engine.allKeys(r.ctx, r.snap)
	if err != nil {
		return "", err
	}
	f, err := r.feed(&packetsRun{plan: plan, keys: keys}, vectorSize)
	if err != nil {
		return "", err
	}
	handle := r.engine.duck.publish(f)
	r.handles = append(r.handles, handle)
	return feedFunction + "(" + quoteText(handle) + ")", nil
}

// foreignText feeds a table of go-mysql-server's.
func (r *run) foreignText(s *pushdown.ScanPlan) (string, error) {
	rows, schema, err := r.engine.foreign(r.ctx, s.Relation)
	if err != nil {
		return "", err
	}
	handle := r.engine.duck.publish(foreignFeed(r.ctx, s.Relation, rows, schema))
	r.handles = append(r.handles, handle)
	return feedFunction + "(" + quoteText(handle) + ")", nil
}

// count notes whether a file is read.
func (s *scanRun) count(f archive.File, read bool) bool {
	n := len(s.families)
	if n == 0 || s.families[n-1].family != f.Family {
		s.families = append(s.families, familyRun{family: f.Family})
		n++
	}
	one := &s.families[n-1]
	one.files++
	if read {
		one.read++
		one.bytes += f.Bytes
	}
	return read
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

// mayContain tells whether a file can have a value. What a file lacks the
// column of is NULL in all of its rows.
func (s *snapshot) mayContain(f archive.File, v pushdown.Equality) bool {
	if s.recent != nil && f.Family == archive.Exports && v.Column == "conn_id" && compact.Unsettled(f) {
		return true // a conversation is known of rows that have none stored
	}
	if f.Columns != nil && !slices.Contains(f.Columns, v.Column) {
		return false
	}
	// Micro files have no filters, and there is always a new one to look into.
	return f.Level == "m" || archive.MayContain(f, v.Column, v.Value)
}

// maxKeys is up to how many values of a key are looked for one by one: more
// are joined.
const maxKeys = 2000

// find runs the key plan of a scan of packets.
func (r *run) find(ctx *sql.Context, k *packetsRun) error {
	if k.plan.IDs != nil {
		if found, err := r.ofNamed(ctx, k); found || err != nil {
			return err
		}
	}
	if !k.plan.Narrow {
		// All of them: what that costs is known without asking.
		if err := r.engine.admitAll(ctx, r.snap, k.plan); err != nil {
			return err
		}
	}
	keys, err := r.keysOf(ctx, k)
	if errors.Is(err, errTooManyPackets) {
		return userError("this statement asks for more than %d packets: %s", maxPackets, advice(k.plan))
	}
	if err != nil {
		return err
	}
	k.keys = keys
	k.bytes = r.snap.bytesOf(k.keys.refs)
	return nil
}

// keysOf chooses how to find the flow rows: by the values of a key when they
// are few, since blooms then leave out most files.
func (r *run) keysOf(ctx context.Context, k *packetsRun) (*keySet, error) {
	p := k.plan
	k.shown = p.Keys.Shown()
	values := p.KeyValues
	if p.Source != nil {
		text, scans, err := r.fill(*p.Source, "")
		if err != nil {
			return nil, err
		}
		if p.Stored != nil && r.snap.recent == nil {
			values, k.repeated, err = r.storedValues(ctx, p)
		} else {
			values, k.repeated, err = r.engine.keyValues(ctx, text, maxKeys)
		}
		if err != nil {
			return nil, err
		}
		if len(values) == 0 {
			k.scans, k.shown = scans, p.Source.Shown()
			return &keySet{}, nil
		}
	}
	query, list := p.Keys, ""
	switch {
	case len(values) == 0 || len(values) > maxKeys:
	case p.ByRow:
		k.shown = fmt.Sprintf("rows of flows whose %s is one of {{%d keys}}", p.KeyColumn, len(values))
		return r.lookUp(ctx, k, values)
	default:
		query, list = r.byKey(k, values)
	}
	text, scans, err := r.fill(query, list)
	if err != nil {
		return nil, err
	}
	k.scans = scans
	return collectKeys(ctx, r.engine.duck, text)
}

// byKey is a plan's statement about some values, and their list.
func (r *run) byKey(k *packetsRun, values []uint64) (query pushdown.Query, keys string) {
	p := k.plan
	list := make([]string, len(values))
	equal := make([]pushdown.Equality, len(values))
	for i, v := range values {
		list[i] = strconv.FormatUint(v, 10)
		equal[i] = pushdown.Equality{Column: p.KeyColumn, Value: v}
	}
	k.shown = strings.ReplaceAll(p.ByKey.Shown(), "{{keys}}", fmt.Sprintf("{{%d keys}}", len(values)))
	query = p.ByKey
	query.Scans = nil
	for _, s := range p.ByKey.Scans {
		one := *s
		if s.Relation == pushdown.FlowIndex {
			one.Bounds.Equal = append(slices.Clip(one.Bounds.Equal), equal)
		}
		query.Scans = append(query.Scans, &one)
	}
	return query, strings.Join(list, ", ")
}

// keyValues reads the values a source puts out, up to one more than limit, and
// whether one of them came from several rows.
func (e *Engine) keyValues(ctx context.Context, text string, limit int) (values []uint64, repeated bool, err error) {
	cur, err := e.duck.query(ctx, text)
	if err != nil {
		return nil, false, err
	}
	defer cur.close()
	for len(values) <= limit {
		view, err := cur.next()
		if err != nil {
			return nil, false, err
		}
		if view == nil {
			break
		}
		for row := range view.n {
			if !view.vectors[0].null(row) {
				values = append(values, view.vectors[0].uint64(row))
				repeated = repeated || view.vectors[1].int64(row) > 1
			}
		}
	}
	return values, repeated, nil
}

// bytesOf estimates the bytes of packets, as mean packets of their segments.
func (s *snapshot) bytesOf(refs []archive.Ref) int64 {
	var total int64
	s.bySegment(refs, func(_ uint32, info *archive.SegmentInfo, n int) {
		if info != nil && info.State == archive.StateAvailable {
			total += int64(float64(n) * float64(info.Bytes) / float64(max(info.Packets, 1)))
		}
	})
	return total
}

// bySegment counts refs, which are sorted, by segment; info is nil for one the
// catalogue does not know.
func (s *snapshot) bySegment(refs []archive.Ref, fn func(number uint32, info *archive.SegmentInfo, n int)) {
	for len(refs) > 0 {
		number := refs[0].ID.Segment()
		n, _ := slices.BinarySearchFunc(refs, uint64(number)+1, func(r archive.Ref, next uint64) int {
			if uint64(r.ID.Segment()) < next {
				return -1
			}
			return 1
		})
		info, ok := s.catalog.Segment(number)
		if !ok {
			info = nil
		}
		fn(number, info, n)
		refs = refs[n:]
	}
}

// The limit on packet bytes.

// admit refuses a run that would read more packets than the session allows.
func (r *run) admit(ctx *sql.Context) error {
	var bytes int64
	var packets int
	how := ""
	for _, k := range r.packets {
		bytes += k.bytes
		packets += len(k.keys.refs)
		how = advice(k.plan)
	}
	if limit := r.engine.scanLimit(ctx); bytes > limit {
		return overLimit(bytes, int64(packets), limit, how)
	}
	return nil
}

// admitAll refuses to read every packet of a time when they exceed the limit.
func (e *Engine) admitAll(ctx *sql.Context, snap *snapshot, p *pushdown.PacketPlan) error {
	var bytes, packets int64
	for _, s := range snap.catalog.Segments() {
		if s.State != archive.StateAvailable || s.TS.Set && s.TS.V >= p.To || s.TSEnd.Set && s.TSEnd.V < p.From {
			continue
		}
		bytes += s.Bytes
		packets += s.Packets
	}
	if limit := e.scanLimit(ctx); bytes > limit {
		return overLimit(bytes, packets, limit, advice(p))
	}
	return nil
}

func overLimit(bytes, packets, limit int64, how string) error {
	return userError("this statement would read about %s of packets (%d), more than wiresql_packet_scan_limit (%s) allows: %s",
		byteText(bytes), packets, byteText(limit), how)
}

func advice(p *pushdown.PacketPlan) string {
	if p.Advice != "" {
		return p.Advice
	}
	return "narrow the time range, or name an address or a port"
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
