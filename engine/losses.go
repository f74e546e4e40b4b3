package engine

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// What exporters sent and the archive does not hold is said beside an answer,
// as gaps of packets are; and that sampled rows were added up as they are.

// missing says what an answer lacks and how it misleads, as far as that is
// known before it is computed.
func (e *Engine) missing(ctx *sql.Context, s *statement) error {
	found := append(s.snap.outside(s.plan), s.snap.between(s.plan)...)
	lost, err := e.lost(s.snap, s.plan.Scans)
	if err != nil {
		return err
	}
	scans := timed(s.plan, s.plan.Bounds)
	return e.gaps(ctx, slices.Concat(found, lost, s.snap.droppedIn(ctx, s.plan), s.snap.damaged(scans, s.named), s.snap.evicted(scans, s.named)))
}

// loss is what one source lost for one reason in a time.
type loss struct {
	who, why, unit string
	period
	n      int64
	sensor string // if it is one
}

// lossColumns are the columns read of the two families of accounts.
var (
	exporterLossColumns = []string{"ts", "ts_end", "observer", "sequence_unit", "missing", "expired"}
	socketLossColumns   = []string{"ts", "ts_end", "socket", "kernel_drops", "queue_drops"}
)

// accounts are what a row file tells of losses, and of when the collector
// listened.
type accounts struct {
	losses []loss
	// listened are the times of sockets, heard those of exporters: also of imported
	// datagrams.
	listened, heard []period
}

// lossCache keeps what row files tell of losses: a file never changes, and
// while exporters send there is a new one every two seconds.
type lossCache struct {
	mu sync.Mutex
	of map[string]*accounts // by path
}

// maxForgotten is how many files that are gone the cache keeps before it looks
// which those are.
const maxForgotten = 1000

// read reads the accounts of a file, if it is not known yet.
func (c *lossCache) read(f archive.File) (*accounts, error) {
	if known := c.of[f.Path]; known != nil {
		return known, nil
	}
	read, err := readAccounts(f)
	if err != nil {
		return nil, fmt.Errorf("accounts of the collector: %w", err)
	}
	if c.of == nil {
		c.of = map[string]*accounts{}
	}
	c.of[f.Path] = read
	return read, nil
}

// in lists the losses in the files of accounts that touch a time, and the pauses of
// the collector.
func (c *lossCache) in(snap *snapshot, from, to tables.Time) (lost []loss, paused []period, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	files := slices.Concat(snap.catalog.Files(archive.Exporters), snap.catalog.Files(archive.Sockets))
	if len(c.of) > len(files)+maxForgotten {
		kept := map[string]*accounts{}
		for _, f := range files {
			if l, ok := c.of[f.Path]; ok {
				kept[f.Path] = l
			}
		}
		c.of = kept
	}
	var listened, heard []period
	for _, f := range beside(files, from, to) {
		read, err := c.read(f)
		if err != nil {
			return nil, nil, err
		}
		for _, l := range read.losses {
			if l.from < to && l.to >= from {
				lost = append(lost, l)
			}
		}
		listened, heard = append(listened, read.listened...), append(heard, read.heard...)
	}
	for _, p := range pauses(listened, heard) {
		if p.from < to && p.to >= from && !snap.unaccounted(p) {
			paused = append(paused, p)
		}
	}
	return together(lost), paused, nil
}

// beside are the files that touch a time, and those of sockets next to it: a pause may
// reach out of it.
func beside(files []archive.File, from, to tables.Time) (out []archive.File) {
	var before, after *archive.File
	for i := range files {
		f := &files[i]
		switch {
		case f.MinTS < to && f.MaxTS >= from:
			out = append(out, *f)
		case f.Family != archive.Sockets:
		case f.MaxTS < from:
			if before == nil || f.MaxTS > before.MaxTS {
				before = f
			}
		case after == nil || f.MinTS < after.MinTS:
			after = f
		}
	}
	for _, f := range []*archive.File{before, after} {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out
}

// unaccounted tells that accounts of a time are gone, so that nothing says whether
// somebody listened.
func (s *snapshot) unaccounted(p period) bool {
	return slices.ContainsFunc(s.catalog.Evicted(archive.Sockets), func(e archive.Evicted) bool { return e.TS <= p.to && e.TSEnd >= p.from }) ||
		slices.ContainsFunc(s.catalog.Damage(), func(d archive.Damage) bool {
			return d.Family == archive.Sockets && !d.Stray && d.From <= p.to && d.To >= p.from
		})
}

// readAccounts reads what a file of accounts tells.
func readAccounts(f archive.File) (*accounts, error) {
	a := &accounts{}
	add := func(who, why, unit string, ts, end tables.Time, n int64) {
		if n > 0 {
			a.losses = append(a.losses, loss{who: who, why: why, unit: unit, period: period{ts, end}, n: n})
		}
	}
	var err error
	if f.Family == archive.Sockets {
		err = readFile(f.File, func(s *tables.Socket) {
			a.listened = extended(a.listened, period{s.TS, s.TSEnd})
			add("the socket "+s.Socket, "the kernel's buffer was full", "datagrams", s.TS, s.TSEnd, s.KernelDrops)
			add("the socket "+s.Socket, "the collector was too slow", "datagrams", s.TS, s.TSEnd, s.QueueDrops)
		}, socketLossColumns...)
	} else {
		err = readFile(f.File, func(x *tables.Exporter) {
			a.heard = extended(a.heard, period{x.TS, x.TSEnd})
			add("exporter "+x.Observer, "its sequence numbers have gaps", x.SequenceUnit, x.TS, x.TSEnd, x.Missing)
			add("exporter "+x.Observer, "their template did not come", "sets of records", x.TS, x.TSEnd, x.Expired)
		}, exporterLossColumns...)
	}
	a.losses = together(a.losses)
	return a, err
}

// extended adds a period to a list in the order of their beginnings.
func extended(list []period, p period) []period {
	if n := len(list); n > 0 && p.from >= list[n-1].from && p.from <= list[n-1].to {
		list[n-1].to = max(list[n-1].to, p.to)
		return list
	}
	return append(list, p)
}

// together adds up losses of one source and reason that lie within edge of
// each other.
func together(list []loss) []loss {
	slices.SortFunc(list, func(a, b loss) int {
		return cmp.Or(cmp.Compare(a.who, b.who), cmp.Compare(a.why, b.why), cmp.Compare(a.unit, b.unit), cmp.Compare(a.from, b.from))
	})
	var out []loss
	for _, l := range list {
		if n := len(out); n > 0 && out[n-1].who == l.who && out[n-1].why == l.why && out[n-1].unit == l.unit && l.from <= out[n-1].to+edge {
			out[n-1].to, out[n-1].n = max(out[n-1].to, l.to), out[n-1].n+l.n
			continue
		}
		out = append(out, l)
	}
	return out
}

// lost says what exporters' records are missing from the time scans ask about.
func (e *Engine) lost(snap *snapshot, scans []*pushdown.ScanPlan) ([]string, error) {
	from, to := pushdown.MaxTime, pushdown.MinTime
	for _, s := range scans {
		if reported(s) {
			from, to = min(from, s.Bounds.From), max(to, s.Bounds.To)
		}
	}
	if from >= to {
		return nil, nil
	}
	list, paused, err := e.losses.in(snap, from, to)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b loss) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.who, b.who)) })
	out := pausesText("the collector did not listen", paused, "ops.sockets")
	for i, l := range list {
		if i == maxNamed {
			return append(out, fmt.Sprintf("records of exporters were lost %d times more: see ops.capture_loss", len(list)-i)), nil
		}
		out = append(out, fmt.Sprintf("%s lost %d %s between %s and %s: %s", l.who, l.n, l.unit, timeText(l.from), timeText(l.to), l.why))
	}
	return out, nil
}

// Why sensors lose packets.
const (
	interfaceDropped = "its interface dropped them"
	notWritten       = "they could not be written to the disk"
	recordsNoLonger  = "it ended, and others went on"
)

// loses tells whether what a scan reads may lack something for a loss of a sensor.
func (l *loss) loses(p *pushdown.ScanPlan) bool {
	b := p.Bounds
	if l.from >= b.To || l.to < b.From || b.Sensors != nil && !slices.ContainsFunc(b.Sensors, func(name string) bool { return strings.EqualFold(name, l.sensor) }) {
		return false
	}
	counted := l.why == notWritten && l.unit == "packets"
	return ofPackets(p) || !counted && captured(p.Relation) && slices.ContainsFunc(pushdown.Families(p.Relation), func(f string) bool {
		return f != string(archive.Exports) && !slices.Contains(b.Without, f)
	})
}

// droppedIn says what sensors lost of what a plan reads.
func (s *snapshot) droppedIn(ctx context.Context, p *pushdown.Plan) []string {
	if len(s.dropped) == 0 {
		return nil
	}
	var scans []*pushdown.ScanPlan
	for _, sc := range timed(p, s.asked(ctx, p)) {
		if slices.ContainsFunc(p.Packets, func(k *pushdown.PacketPlan) bool { return k.ID == sc.ID && (k.IDs != nil || len(k.Keys.Scans) > 0) }) {
			continue // the rows that lead to them say which matter
		}
		one := *sc
		one.Bounds = s.known(ctx, sc)
		scans = append(scans, &one)
	}
	var lost []loss
	for _, l := range s.dropped {
		if slices.ContainsFunc(scans, l.loses) {
			lost = append(lost, l)
		}
	}
	var out []string
	for _, l := range together(lost) {
		if l.why == "" {
			out = append(out, fmt.Sprintf("%s did not record between %s and %s", l.who, timeText(l.from), timeText(l.to)))
			continue
		}
		if l.why == recordsNoLonger {
			out = append(out, fmt.Sprintf("%s recorded until %s, and others went on", l.who, timeText(l.from-1)))
			continue
		}
		out = append(out, fmt.Sprintf("%s lost %d %s between %s and %s: %s", l.who, l.n, l.unit, timeText(l.from), timeText(l.to), l.why))
	}
	return atMost(out, "losses of sensors: see ops.capture_loss and ops.coverage")
}

// asked is the time a plan asks about, also where only ids say which.
func (s *snapshot) asked(ctx context.Context, p *pushdown.Plan) pushdown.Bounds {
	if !p.Bounds.Timeless() {
		return p.Bounds
	}
	all := pushdown.Bounds{From: pushdown.MaxTime, To: pushdown.MinTime}
	for _, k := range p.Packets {
		if k.Source == nil {
			continue
		}
		for _, sc := range k.Source.Scans {
			if ofRecording(sc) {
				b := s.known(ctx, sc)
				all.From, all.To = min(all.From, b.From), max(all.To, b.To)
			}
		}
	}
	if all.From > all.To {
		return p.Bounds
	}
	return all
}

// known are the bounds of a scan, within the time of the conversations or flows that
// it names, if it does: what others lost does not matter then.
func (s *snapshot) known(ctx context.Context, p *pushdown.ScanPlan) pushdown.Bounds {
	b := p.Bounds
	i := slices.IndexFunc(b.Equal, func(list []pushdown.Equality) bool {
		return !slices.ContainsFunc(list, func(e pushdown.Equality) bool {
			return e.Column != "conn_id" && e.Column != "joined_id" && e.Column != "flow_id"
		})
	})
	if i < 0 {
		return b
	}
	from, to := b.To, b.From
	found := func(ts, end tables.Time) { from, to = min(from, ts), max(to, end+1) }
	for _, v := range byColumn(b.Equal[i]) {
		equal := []pushdown.Equality{}
		for _, n := range v.Any {
			equal = append(equal, pushdown.Equality{Column: v.Column, Value: n})
		}
		for _, family := range []archive.Family{archive.Connections, archive.Flows, archive.Exports} {
			var in []archive.File
			for _, f := range s.catalog.Files(family) {
				switch {
				case f.Rows == 0:
				case family == archive.Connections && v.Column != "conn_id" || !s.matters(f, pushdown.Bounds{From: b.From, To: b.To, Equal: [][]pushdown.Equality{equal}}):
				case family == archive.Exports:
					found(f.MinTS, f.MaxTS)
				default:
					in = append(in, f)
				}
			}
			var err error
			where := []rows.Values{v}
			switch {
			case len(in) == 0:
			case family == archive.Connections:
				_, err = rows.Lookup(ctx, archive.RowFiles(in), where, []string{"ts", "ts_end"}, func(r *tables.Connection) error { found(r.TS, r.TSEnd); return nil })
			case v.Column != "joined_id": // which may be NULL
				_, err = rows.Lookup(ctx, archive.RowFiles(in), where, []string{"ts", "ts_end"}, func(r *tables.Flow) error { found(r.TS, r.TSEnd); return nil })
			}
			if err != nil {
				return b
			}
		}
	}
	b.From, b.To = max(b.From, from), min(b.To, to)
	return b
}

// sampled warns when sampled rows are added up as they are.
func (r *run) sampled(ctx context.Context) ([]string, error) {
	if len(r.snap.catalog.Files(archive.Exports)) == 0 {
		return nil, nil
	}
	for _, q := range r.plan.Sampled {
		text, err := r.fill(q, "", "whether sampled rows are added up")
		if err != nil {
			return nil, err
		}
		found, err := r.engine.oneRow(ctx, text)
		if err != nil {
			return nil, err
		}
		if found != nil {
			return []string{fmt.Sprintf("rows of sampled packets (%s: 1 in %s) are added up as they are: "+
				"multiply by COALESCE(sampling_rate, 1) to estimate what passed", found[0], found[1])}, nil
		}
	}
	return nil, nil
}

// folded says that the conversations of a flood count as one in the answer.
func (r *run) folded(ctx context.Context) ([]string, error) {
	for _, q := range r.plan.Folded {
		text, err := r.fill(q, "", "whether floods are folded")
		if err != nil {
			return nil, err
		}
		found, err := r.engine.oneRow(ctx, text)
		if err != nil {
			return nil, err
		}
		if found != nil {
			return []string{fmt.Sprintf("conversations of floods that nobody answered are folded, %s of them in one row from the unspecified address: "+
				"SUM(COALESCE(flows_folded, 1)) counts them, packets have their addresses", found[0])}, nil
		}
	}
	return nil, nil
}

// oneRow reads the first row of a query as text; nil when there is none.
func (e *Engine) oneRow(ctx context.Context, text string) ([]string, error) {
	cur, err := e.duck.query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer cur.close()
	view, err := cur.next()
	if view == nil || err != nil {
		return nil, err
	}
	out := make([]string, len(view.vectors))
	for i := range out {
		if !view.vectors[i].null(0) {
			out[i] = string(view.vectors[i].bytes(0))
		}
	}
	return out, nil
}
