package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// Source gives the packets of one interface in the order they came.
type Source interface {
	// Next fills rec with the next packet, whose Data is valid until the next
	// call. It returns ErrIdle when none came for a short while (at most 100 ms);
	// any other error ends the source, io.EOF as it should.
	Next(rec *pcap.Record) error
	// Loss returns what was received and lost since the source was opened: both
	// only rise.
	Loss() (received, dropped uint64)
	LinkType() tables.LinkType
	Close() error
}

// ErrIdle says that no packet came, and that more may; ErrDown, which is an
// ErrIdle, that none can come at present: the time is not covered.
var (
	ErrIdle = errors.New("no packet for a while")
	ErrDown = fmt.Errorf("the interface is not up: %w", ErrIdle)
)

// LiveOptions for Live.
type LiveOptions struct {
	// Sensor is the observer's name in all rows; empty means DefaultSensor. Site
	// is the conversation space, by default the common one. Interface is where
	// the packets come from, Worker which of those that share it has them.
	Sensor, Site, Interface string
	Worker                  int
	// Interval is how long packets and rows wait before they are durable and seen;
	// 0 is a second. It grows where writing what is live takes longer than a
	// twentieth of it.
	Interval time.Duration
	// Checkpoint is how long it may have to meter again after a crash; 0 is 30 s.
	Checkpoint time.Duration
	// Progress, if not nil, is called at each commit and when Live ends.
	Progress func(LiveStats)
	Logger   *slog.Logger
	// Meter has the meter's timeouts and bounds; its Sensor and Site are
	// those above.
	Meter Config
}

// LiveStats count what Live did so far.
type LiveStats struct {
	Packets, Bytes int64 // that came; bytes on the wire
	Rows           int64 // flow rows that are durable
	// NotKept are packets that were metered and could not be written, LostRows
	// rows that could not.
	NotKept, LostRows int64
	// Received and Dropped are the source's own counts.
	Received, Dropped uint64
	// Unread are packets that broke a reader of names and transactions, GivenUp queries,
	// requests and streams that were given up because too many were open.
	Unread, GivenUp int64
	// Conversations are live ones.
	Conversations int
	// Watermark: what came before is durable.
	Watermark tables.Time
}

const (
	liveInterval = time.Second
	// liveShare is how much of the time is spent on rows that are not over: one
	// part in so many.
	liveShare = 20
	// longestInterval bounds what that may make of the interval.
	longestInterval = 10 * time.Second
	// liveRows is how many rows are written before the interval is over,
	// waitingRows how many wait while none can be written; then they are lost.
	liveRows    = 100_000
	waitingRows = 500_000
	// behind is how far the meter's clock stays behind the real one while no
	// packet moves it: packets may still be on their way.
	behind = time.Second
	// coveredFor is the time that a row of coverage is about.
	coveredFor = tables.Time(60 * 1e6)
	// clockSet is by how much times of packets leap when the clock was set, and not
	// only corrected: what lies between was not recorded.
	clockSet = tables.Time(time.Hour / time.Microsecond)
	// checkpointEvery and checkpointBytes of packets, whatever comes first, bound
	// what is metered again after a crash; checkpointShare what checkpoints cost.
	checkpointEvery = 30 * time.Second
	checkpointBytes = 256 << 20
	checkpointShare = 50
	// firstRetry and lastRetry bound the wait after a commit that failed; one that
	// ends gives up after lastTries.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
	lastTries  = 3
	// tickEnd in place of a tick says that all conversations were ended.
	tickEnd = -1
)

// Live records packets of a Source until ctx ends, which is no error, or the
// source does. It closes the source.
//
// Each packet goes into the sensor's log (archive.Log) and through the meter. Once
// an interval the packets are made durable, and with them the rows that ended
// since, and those that are not over as they are. When ctx ends, or the process
// dies, the conversations go on with the next Live of this sensor and interface:
// it meters again what came after the last checkpoint. When the source ends with
// io.EOF, they end.
func Live(ctx context.Context, a *archive.Archive, src Source, o LiveOptions) (err error) {
	defer func() { err = errors.Join(err, src.Close()) }()
	if o.Sensor == "" {
		o.Sensor = DefaultSensor
	}
	if o.Interval <= 0 {
		o.Interval = liveInterval
	}
	if o.Checkpoint <= 0 {
		o.Checkpoint = checkpointEvery
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	l := &live{src: src, o: o, missed: undecoded{}, interval: o.Interval, done: make(chan struct{}, 1), stop: make(chan struct{})}
	if l.log, err = a.OpenLog(archive.LogOptions{Sensor: o.Sensor, Site: o.Site, Interface: o.Interface, Worker: o.Worker}); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.log.Close()) }()
	if err := l.resume(ctx); err != nil {
		return err
	}
	return l.run(ctx)
}

// live is the state of one Live.
type live struct {
	src   Source
	o     LiveOptions
	log   *archive.Log
	meter *Meter
	rows  liveBatch

	interval time.Duration
	cutAt    time.Time
	cutLast  int64       // the time of packets then
	arrived  tables.Time // when the first came that is in no commit
	came     int64       // packets since then
	due      bool        // there is something to commit, though none came

	header  tables.Header
	handed  Packet    // to the meter
	last    int64     // time of the last packet
	lastAt  time.Time // when it came
	cover   tables.Coverage
	missed  undecoded // of the time that is covered
	over    []tables.Coverage
	dropped uint64    // that stand in coverage
	lost    LiveStats // that stand there, too
	full    bool      // packets are not kept
	down    bool      // none can come

	checkpointAt    time.Time
	checkpointBytes int64 // of packets since
	checkpointCost  time.Duration

	// A commit at work: done is told when it is over.
	busy    bool
	done    chan struct{}
	stop    chan struct{}
	failing atomic.Bool
	failure error
	stats   LiveStats
	kept    LiveStats // as of the commit at work
	// stored is what was counted as of the last commit whose rows are stored, marked
	// as of the one at work; unwritten is that one, if it was given up.
	stored, marked counted
	unwritten      *archive.LogBatch
}

// counted is what was, and the time of the last packet.
type counted struct {
	LiveStats
	last int64
}

// liveBatch collects the rows of a commit.
type liveBatch struct {
	archive.LogBatch
	lost *LiveStats // what is too much is counted there
}

func (b *liveBatch) Flow(r *tables.Flow) error {
	if len(b.Flows) >= waitingRows {
		b.lost.LostRows++
		return nil
	}
	b.Flows = append(b.Flows, *r)
	return nil
}

func (b *liveBatch) Other(r *tables.Other) error {
	if len(b.Others) >= waitingRows {
		b.lost.LostRows++
		return nil
	}
	b.Others = append(b.Others, *r)
	return nil
}

// Row implements observe.Sink.
func (b *liveBatch) Row(row any) error {
	if b.Observed.Len() >= waitingRows {
		b.lost.LostRows++
		return nil
	}
	b.Observed.Row(row)
	return nil
}

// Rate implements RateSink.
func (b *liveBatch) Rate(r *tables.Rate) error {
	if len(b.Rates) >= waitingRows {
		b.lost.LostRows++
		return nil
	}
	b.Rates = append(b.Rates, *r)
	return nil
}

// snapshot takes the rows that are not over.
type snapshot struct{ *liveBatch }

func (s snapshot) Flow(r *tables.Flow) error {
	s.LiveFlows = append(s.LiveFlows, *r)
	return nil
}

func (s snapshot) Other(r *tables.Other) error {
	s.LiveOthers = append(s.LiveOthers, *r)
	return nil
}

func (b *liveBatch) len() int {
	return len(b.Flows) + len(b.Others) + b.Observed.Len()
}

// newMeter makes the meter.
func (l *live) newMeter() {
	mc := l.o.Meter
	mc.Sensor, mc.Site = l.o.Sensor, l.o.Site
	l.meter = NewMeter(mc, &l.rows, observe.New(&l.rows))
	l.meter.Source(l.log.ID())
	l.meter.ordinal = uint64(l.log.Before())
}

// resume brings the meter to where the log ends.
func (l *live) resume(ctx context.Context) error {
	l.rows.lost = &l.stats
	l.newMeter()
	after, late := uint64(0), int64(0)
	if b := l.log.Checkpoint(); b != nil {
		r, err := l.meter.resume(b)
		if err == nil && r.Source == l.log.ID() {
			after, l.last = r.Commit, r.LastTS
			if r.LastAt != 0 {
				late = r.LastAt - r.LastTS
			}
		} else {
			if err == nil {
				err = errors.New("it is of another log")
			}
			l.o.Logger.Warn("flows that were live begin anew: their checkpoint is not used", "sensor", l.o.Sensor, "interface", l.o.Interface, "error", err)
			l.newMeter()
		}
	}
	nothing := tables.Coverage{Sensor: l.o.Sensor, Interface: l.o.Interface}
	l.cover = nothing
	if was := l.log.Covered(); was != nil && (was.TSEnd > was.TS || was.Packets > 0) {
		l.over = append(l.over, *was)
	}
	if was := l.log.Lost(); was != nil {
		l.over = append(l.over, *was)
		l.o.Logger.Warn("what came last before recording ended is lost", "sensor", l.o.Sensor, "interface", l.o.Interface, "not_kept", was.NotKept.V, "lost_rows", was.LostRows.V)
	}
	packets, before := int64(0), len(l.over)
	err := l.log.Replay(ctx, after, func(id tables.ID, rec *pcap.Record) error {
		packets++
		l.seen(rec)
		l.decode(rec)
		return l.measure(rec, id, false)
	}, func(number uint64, tick int64) error {
		err := l.tick(tick)
		l.meter.flushRates()
		if number <= l.log.Stored() { // its rows are stored
			l.rows.LogBatch, l.cover, l.missed, l.over = archive.LogBatch{}, nothing, undecoded{}, l.over[:before]
		}
		return err
	})
	if l.cover.Packets > 0 {
		l.over = append(l.over, l.covered())
	}
	l.missed = undecoded{}
	l.cover, l.due = nothing, true // what is live may have gone with a power failure
	l.lastAt, l.cutAt, l.checkpointAt = time.Now(), time.Now(), time.Now()
	if at := time.Unix(0, l.last+late); late != 0 && at.Before(l.lastAt) {
		l.lastAt = at // the time since then passed without packets, or without a recorder
	}
	l.stats, l.stored = LiveStats{}, counted{last: l.last}
	if packets > 0 {
		l.o.Logger.Info("packets metered again", "sensor", l.o.Sensor, "interface", l.o.Interface, "packets", packets)
	}
	return err
}

// run takes the packets of the source.
func (l *live) run(ctx context.Context) error {
	var rec pcap.Record
	var end error
	for n := 1; ; n++ {
		err := l.src.Next(&rec)
		if err == nil {
			if err := l.packet(&rec); err != nil {
				return err
			}
			if n&63 != 0 && rec.TS-l.cutLast < int64(l.interval) && l.rows.len() < liveRows {
				continue // it is too early to look at the clock
			}
		} else if !errors.Is(err, ErrIdle) {
			end = err
			break
		}
		l.down = errors.Is(err, ErrDown)
		if ctx.Err() != nil {
			break
		}
		if now := time.Now(); now.Sub(l.cutAt) >= l.interval || l.rows.len() >= liveRows {
			if err := l.cut(now); errors.Is(err, archive.ErrAway) {
				end = err
				break
			} else if err != nil {
				return err
			}
		}
	}
	err := l.end(errors.Is(end, io.EOF))
	if end != nil && !errors.Is(end, io.EOF) {
		err = errors.Join(end, err)
	}
	return err
}

// packet takes a packet.
func (l *live) packet(rec *pcap.Record) error {
	if l.came == 0 {
		l.arrived = tables.Time(time.Now().UnixMicro())
	}
	l.came++
	l.stats.Packets++
	l.stats.Bytes += int64(rec.Length)
	l.decode(rec)
	if l.o.Meter.Cutoffs != nil {
		l.meter.Kept(rec, &l.handed)
	}
	l.checkpointBytes += int64(len(rec.Data))
	segment, offset, err := l.log.Append(rec)
	if (err != nil) != l.full {
		l.split()
	}
	if err != nil {
		l.stats.NotKept++
		if !l.full {
			l.full = true
			l.o.Logger.Error("packets can't be kept; they are metered all the same", "sensor", l.o.Sensor, "interface", l.o.Interface, "error", err)
		}
	} else if l.full {
		l.full = false
		l.o.Logger.Warn("packets are kept again", "sensor", l.o.Sensor, "interface", l.o.Interface, "not_kept", l.stats.NotKept)
	}
	l.seen(rec)
	return l.measure(rec, tables.PacketID(segment, offset), err != nil)
}

func (l *live) decode(rec *pcap.Record) {
	tables.Decode(rec.Link, rec.Data, rec.Length, &l.header)
	l.handed = Packet{TS: rec.TS, Header: &l.header, Data: rec.Data, Length: rec.Length}
}

// measure meters the packet that was decoded.
func (l *live) measure(rec *pcap.Record, id tables.ID, lost bool) error {
	if l.header.Err.Undecoded() {
		l.missed.add(rec.Link, &l.header)
	}
	l.handed.ID, l.handed.Lost = id, lost
	return l.meter.Packet(&l.handed)
}

// seen notes when a packet came.
func (l *live) seen(rec *pcap.Record) {
	l.last = rec.TS
	ts := tables.TimeOf(rec.TS)
	if l.cover.TS > 0 && (ts > l.cover.TSEnd+clockSet || ts < l.cover.TS-clockSet) {
		l.uncovered()
	}
	if l.cover.TS == 0 {
		l.cover.TS, l.cover.TSEnd = ts, ts
	}
	l.cover.TS, l.cover.TSEnd = min(l.cover.TS, ts), max(l.cover.TSEnd, ts)
	l.cover.Packets++
	l.cover.Bytes += int64(rec.Length)
}

// uncover begins the next time that is covered.
func (l *live) uncover() {
	l.cover = tables.Coverage{Sensor: l.o.Sensor, Interface: l.o.Interface, TS: l.cover.TSEnd, TSEnd: l.cover.TSEnd}
	l.missed = undecoded{}
}

// maxSplit bounds the rows of coverage that wait.
const maxSplit = 1000

// split ends the time that is covered with the last packet, where packets begin not
// to be kept, or are again: only what came between is lossy then.
func (l *live) split() {
	if l.cover.Packets == 0 || len(l.over) >= maxSplit {
		return
	}
	l.lose()
	l.cover.TSEnd = min(l.cover.TSEnd, tables.TimeOf(l.last)) // no later clock
	l.over, l.due = append(l.over, l.covered()), true
	l.uncover()
	l.cover.TS++
	l.cover.TSEnd++
}

// uncovered ends the time that is covered; the next does not follow on it.
func (l *live) uncovered() {
	l.lose()
	l.over, l.due = append(l.over, l.covered()), true
	l.uncover()
	l.cover.TS, l.cover.TSEnd = 0, 0
}

// covered is the row of the time that is covered, as it is now.
func (l *live) covered() tables.Coverage {
	row := l.cover
	row.Undecoded, row.NotDecoded = tables.Some(l.missed.total()), l.missed.text(row.Packets)
	return row
}

// now is the time of packets that come now, ns.
func (l *live) now(now time.Time) int64 {
	if l.last == 0 {
		return now.UnixNano()
	}
	return l.last + int64(now.Sub(l.lastAt))
}

// tick sets the meter's clock, or ends all conversations.
func (l *live) tick(ns int64) error {
	switch ns {
	case 0:
		return nil
	case tickEnd:
		return l.meter.Close()
	}
	return l.meter.Tick(ns)
}

// cut begins a commit of all that came, unless one is at work.
func (l *live) cut(now time.Time) error {
	if l.busy {
		select {
		case <-l.done:
			l.finished()
		default:
			if l.rows.len() < liveRows || l.failing.Load() {
				return nil
			}
			<-l.done
			l.finished()
		}
		if l.failure != nil {
			return l.failure
		}
	}
	if l.came > 0 {
		l.lastAt = now
	}
	tick := l.now(now) - int64(behind)
	if tick <= l.meter.Clock() {
		tick = 0
	}
	if err := l.tick(tick); err != nil {
		return err
	}
	l.cutAt, l.cutLast = now, l.last
	switch {
	case !l.down && l.cover.TS == 0:
		l.cover.TS = tables.TimeOf(l.now(now))
		fallthrough
	case !l.down:
		l.cover.TSEnd = max(l.cover.TSEnd, tables.TimeOf(l.now(now)))
	case l.cover.TS > 0: // since a moment ago
		l.uncovered()
	}
	if l.came == 0 && !l.due && l.rows.len() == 0 && l.cover.TSEnd-l.cover.TS < coveredFor {
		return nil
	}
	return l.commit(now, tick, false)
}

// finished notes what became of a commit.
func (l *live) finished() {
	l.busy = false
	if l.failure == nil {
		l.stored = l.marked
		l.stats.Rows += l.kept.Rows
		l.stats.Watermark = l.log.Watermark()
		if l.o.Progress != nil {
			o := l.meter.Observed()
			l.stats.Conversations, l.stats.Unread, l.stats.GivenUp = l.meter.table.live, o.Panics, o.Evicted
			l.o.Progress(l.stats)
		}
	}
}

// lose adds what was lost to the time that is covered.
func (l *live) lose() {
	received, dropped := l.src.Loss()
	l.cover.Drops = tables.Some(l.cover.Drops.V + int64(dropped-l.dropped))
	if dropped > l.dropped { // there is a sink that takes all there is room for
		l.rows.Rate(&tables.Rate{TS: tables.TimeOf(l.now(time.Now())).Bin(tables.Second), Observer: l.o.Sensor, Site: l.o.Site, Drops: int64(dropped - l.dropped)})
	}
	l.cover.NotKept = tables.Some(l.cover.NotKept.V + l.stats.NotKept - l.lost.NotKept)
	l.cover.LostRows = tables.Some(l.cover.LostRows.V + l.stats.LostRows - l.lost.LostRows)
	l.stats.Received, l.stats.Dropped = received, dropped
	l.dropped, l.lost = dropped, l.stats
}

// commit has all that came written. The tick was done.
func (l *live) commit(now time.Time, tick int64, last bool) error {
	full := l.cover.TSEnd-l.cover.TS >= coveredFor
	mark, err := l.log.Mark(tick)
	if err != nil {
		if !l.failing.Swap(true) {
			l.o.Logger.Error("packets can't be written; trying again", "sensor", l.o.Sensor, "interface", l.o.Interface, "error", err)
		}
		if last || errors.Is(err, archive.ErrAway) {
			return fmt.Errorf("packets that came last are not kept: %w", err)
		}
		return nil
	}
	l.meter.flushRates()
	l.lose()
	b := &liveBatch{LogBatch: l.rows.LogBatch, lost: &l.stats}
	l.rows.LogBatch = archive.LogBatch{}
	began := time.Now()
	if err := l.meter.Live(snapshot{b}); err != nil {
		return err
	}
	cost := time.Since(began)
	l.interval = min(max(l.o.Interval, liveShare*cost), max(longestInterval, l.o.Interval))

	b.Coverage, l.over = l.over, nil
	if full {
		b.Coverage = append(b.Coverage, l.covered())
		l.uncover()
	}
	b.Covered = l.covered()
	b.Until = tables.Time(now.UnixMicro())
	if b.Arrived = b.Until; l.came > 0 {
		b.Arrived = l.arrived
	}
	l.came, l.due = 0, false
	if since := now.Sub(l.checkpointAt); last || (since >= l.o.Checkpoint || l.checkpointBytes >= checkpointBytes) && since >= checkpointShare*l.checkpointCost {
		began := time.Now()
		if b.Checkpoint, err = l.meter.checkpoint(&remembered{Commit: mark.Number(), LastTS: l.last, LastAt: l.lastAt.UnixNano()}); err != nil {
			return err
		}
		l.checkpointAt, l.checkpointBytes, l.checkpointCost = now, 0, time.Since(began)
	}
	l.busy, l.kept.Rows = true, int64(len(b.Flows))
	l.marked = counted{l.stats, l.last}
	go func() {
		l.failure = l.keep(mark, &b.LogBatch)
		if l.failure != nil {
			l.log.Abandon(mark)
			if !mark.Durable() {
				l.unwritten = &b.LogBatch
			}
		}
		l.done <- struct{}{}
	}()
	return nil
}

// keep commits, again until it is done.
func (l *live) keep(m *archive.Mark, b *archive.LogBatch) error {
	wait, tries := firstRetry, 0
	for {
		err := l.log.Commit(m, b)
		if err == nil {
			if l.failing.Swap(false) {
				l.o.Logger.Warn("what is captured is written again", "sensor", l.o.Sensor, "interface", l.o.Interface)
			}
			return nil
		}
		if !l.failing.Swap(true) {
			l.o.Logger.Error("what is captured can't be written; trying again", "sensor", l.o.Sensor, "interface", l.o.Interface, "error", err)
		}
		if errors.Is(err, archive.ErrAway) {
			return err
		}
		select {
		case <-time.After(wait):
			wait = min(wait*2, lastRetry)
			continue
		case <-l.stop:
		}
		if tries++; tries >= lastTries {
			return err
		}
		time.Sleep(firstRetry)
	}
}

// end writes what is left; over says that no more packets will come. What can't be
// is counted.
func (l *live) end(over bool) error {
	err := l.finish(over)
	if err == nil {
		return nil
	}
	return errors.Join(err, l.leave())
}

// leave puts down how much of what came since the last commit is lost.
func (l *live) leave() error {
	from, rest := l.stored, liveBatch{lost: &LiveStats{}}
	if l.failure != nil && l.unwritten == nil { // its packets are durable, and metered again
		from = l.marked
	}
	if err := l.meter.Live(snapshot{&rest}); err != nil {
		return err
	}
	l.lose()
	rows := l.rows.len() + len(l.rows.Rates)
	if b := l.unwritten; b != nil {
		rows += len(b.Flows) + len(b.Others) + b.Observed.Len() + len(b.Rates)
	}
	since := tables.TimeOf(from.last)
	for i := range rest.LiveFlows {
		if rest.LiveFlows[i].TSEnd > since {
			rows++
		}
	}
	for i := range rest.LiveOthers {
		if rest.LiveOthers[i].TSEnd > since {
			rows++
		}
	}
	packets := l.stats.Packets - from.Packets
	row := tables.Coverage{Sensor: l.o.Sensor, Interface: l.o.Interface, TS: since + 1, TSEnd: max(since+1, l.cover.TSEnd), Packets: packets, Bytes: l.stats.Bytes - from.Bytes,
		Drops: tables.Some(int64(l.stats.Dropped - l.stored.Dropped)), NotKept: tables.Some(packets + from.NotKept - l.stored.NotKept),
		LostRows: tables.Some(l.stats.LostRows - l.stored.LostRows + int64(rows))}
	if from.last == 0 {
		row.TS = l.cover.TS
	}
	l.o.Logger.Error("what came last is lost", "sensor", l.o.Sensor, "interface", l.o.Interface, "packets", row.NotKept.V, "rows", row.LostRows.V)
	return l.log.Lose(row)
}

// finish writes what is left.
func (l *live) finish(over bool) error {
	close(l.stop)
	if l.busy {
		<-l.done
		l.finished()
		if l.failure != nil {
			return l.failure
		}
	}
	now, tick := time.Now(), int64(0)
	if l.cover.TS > 0 {
		l.cover.TSEnd = max(l.cover.TSEnd, tables.TimeOf(l.now(now)))
	}
	if over {
		tick = tickEnd
	}
	if err := l.tick(tick); err != nil {
		return err
	}
	if err := l.commit(now, tick, true); err != nil {
		return err
	}
	<-l.done
	l.finished()
	return l.failure
}
