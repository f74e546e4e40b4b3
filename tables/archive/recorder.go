package archive

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

const (
	recorderName = tables.Collector
	stateFolder  = "state"

	defaultInterval = 2 * time.Second
	defaultRows     = 100_000
	// inFlight is how many batches are written at a time: encoding one takes
	// longer than collecting the next when a million rows come a second.
	inFlight = 2
	// lateAfter: rows that began so long before their batch go to the lane
	// late, so that one session of three days does not widen the time range of
	// the file that all others are in.
	lateAfter = tables.Time(10 * 60 * 1e6)
	lateHour  = tables.Time(3600 * 1e6)
	// lateFiles bounds the files of the late lane in a batch, whatever times
	// an exporter thinks of; rows of the hours before share the last one.
	lateFiles = 8
	// maxAccounts bounds the rows of accounts that wait while nothing can be
	// written.
	maxAccounts = 1 << 16
	// firstRetry and lastRetry bound the wait after a batch that could not be
	// written; a Recorder that closes gives up after closeTries.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 10 * time.Second
	closeTries = 3
	// tidyEvery is how often a Recorder tidies up the names of its batches, in
	// case no compaction does.
	tidyEvery = 5 * time.Minute
)

// RecorderOptions for NewRecorder.
type RecorderOptions struct {
	Logger *slog.Logger
	// Interval is the time after which rows are written, 0 is two seconds;
	// Rows the number at which they are written sooner, 0 is 100,000.
	Interval time.Duration
	Rows     int
}

// RecorderStats count what became of the rows.
type RecorderStats struct {
	Rows    int64 // flow records that are durable
	Batches int64 // that are durable
	Failed  int64 // attempts to write a batch that failed
	// Lost are flow records, LostAccounts rows of accounts, that were handed
	// over and could not be kept.
	Lost, LostAccounts int64
}

// Recorder keeps what a collector decodes: every two seconds, or 100,000 rows,
// what came is written as micro files, one batch for all families, and is
// durable then. It is a tables.ExportSink.
//
// A batch is built on one side while up to two others are written. When both
// are still at it, Exports waits; the caller's own queue then fills and counts
// what it drops. A batch that can't be written, because the disk is full, is
// tried again until it can be; so memory is bounded by three batches.
type Recorder struct {
	a   *Archive
	o   RecorderOptions
	log *slog.Logger
	// retry is firstRetry, unless a test can't wait so long.
	retry time.Duration

	mu      sync.Mutex
	filling *recording
	spare   []*rows.Block[tables.Export]
	closing bool
	waiting int         // callers with rows in no batch yet
	since   tables.Time // one of them waits at the longest

	slots  chan struct{} // one a batch that is written
	last   *recording    // handed over last
	mark   disk.File
	marked atomic.Int64
	stop   chan struct{}
	done   chan struct{}

	rows, batches, failed, lost, lostAccounts atomic.Int64
	troubled                                  atomic.Bool
	tidied                                    time.Time
}

// recording is a batch of a Recorder.
type recording struct {
	exports   *rows.Block[tables.Export]
	exporters []tables.Exporter
	sockets   []tables.Socket
	began     tables.Time   // no row came before
	until     tables.Time   // all that came before is in this batch or an earlier one
	ended     tables.Time   // no row came behind
	before    *recording    // until that is through
	through   chan struct{} // closed when it is durable, or given up
	err       error
}

// NewRecorder takes the lock of the writer collector: there is one Recorder for
// an archive.
func NewRecorder(a *Archive, o RecorderOptions) (*Recorder, error) {
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Rows <= 0 {
		o.Rows = defaultRows
	}
	o.Rows = min(o.Rows, rows.GroupRows)
	r := &Recorder{a: a, o: o, log: o.Logger, retry: firstRetry, slots: make(chan struct{}, inFlight),
		stop: make(chan struct{}), done: make(chan struct{}), tidied: time.Now()}
	if r.log == nil {
		r.log = discardLog
	}
	if err := a.Lock(recorderName); err != nil {
		return nil, err
	}
	var err error
	if r.mark, err = a.openWatermark(recorderName); err != nil {
		a.Unlock(recorderName)
		return nil, err
	}
	r.filling = r.next()
	go r.run()
	return r, nil
}

func (r *Recorder) next() *recording {
	n := &recording{began: now(), through: make(chan struct{})}
	if k := len(r.spare); k > 0 {
		n.exports, r.spare = r.spare[k-1], r.spare[:k-1]
	} else {
		n.exports = rows.NewBlock[tables.Export]()
	}
	return n
}

var errRecorderClosed = errors.New("the recorder is closed")

// Exports copies the rows. It waits while two batches are being written and a
// third is full.
func (r *Recorder) Exports(list []tables.Export) error {
	waits := false // noted: there are rows in no batch yet
	for len(list) > 0 {
		r.mu.Lock()
		if r.closing {
			r.mu.Unlock()
			r.lost.Add(int64(len(list)))
			return errRecorderClosed
		}
		b := r.filling.exports
		// When it is full already, another caller waits for a slot for it.
		n := min(len(list), r.o.Rows-b.Rows())
		if n > 0 {
			b.Add(list[:n])
			list = list[n:]
		}
		switch rest := len(list) > 0; {
		case rest && !waits:
			r.wait()
		case !rest && waits:
			r.waiting--
		}
		waits = len(list) > 0
		full := b.Rows() >= r.o.Rows
		r.mu.Unlock()
		if full {
			if err := r.hand(); err != nil {
				r.lost.Add(int64(len(list)))
				return err
			}
		}
	}
	return nil
}

// Exporter copies the row. It never waits.
func (r *Recorder) Exporter(row *tables.Exporter) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.filling
	if err := r.roomFor(len(f.exporters)); err != nil {
		return err
	}
	f.exporters = append(f.exporters, *row)
	return nil
}

// Socket copies the row. It never waits.
func (r *Recorder) Socket(row *tables.Socket) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.filling
	if err := r.roomFor(len(f.sockets)); err != nil {
		return err
	}
	f.sockets = append(f.sockets, *row)
	return nil
}

// roomFor tells whether another row of accounts may wait beside n.
func (r *Recorder) roomFor(n int) error {
	if !r.closing && n < maxAccounts {
		return nil
	}
	r.lostAccounts.Add(1)
	if r.closing {
		return errRecorderClosed
	}
	return fmt.Errorf("%d rows of accounts wait already", n)
}

// wait notes that a caller waits with rows that are in no batch yet: the
// watermark must not pass them. The caller holds the lock.
func (r *Recorder) wait() {
	if r.waiting == 0 {
		r.since = now()
	}
	r.waiting++
}

// until is what the watermark may say when all batches so far are durable. The
// caller holds the lock.
func (r *Recorder) until() tables.Time {
	if r.waiting > 0 {
		return r.since
	}
	return now()
}

// hand gives the batch that is being filled to be written, once there is room.
// It does nothing when the batch is not full any more by then.
func (r *Recorder) hand() error {
	select {
	case r.slots <- struct{}{}:
	case <-r.stop:
		return errRecorderClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.filling.exports.Rows() < r.o.Rows {
		<-r.slots
		return nil
	}
	r.swap()
	return nil
}

// swap starts to write the batch that is being filled, and another one. The
// caller holds the lock and a slot.
func (r *Recorder) swap() *recording {
	b := r.filling
	if b.exports.Rows() == 0 && len(b.exporters) == 0 && len(b.sockets) == 0 {
		<-r.slots
		return nil
	}
	b.until, b.ended = r.until(), now()
	b.before, r.last = r.last, b
	r.filling = r.next()
	go r.keep(b)
	return b
}

func now() tables.Time { return tables.Time(time.Now().UnixMicro()) }

// run writes what came every interval.
func (r *Recorder) run() {
	defer close(r.done)
	t := time.NewTicker(r.o.Interval)
	defer t.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-t.C:
		}
		if _, err := r.flush(); err != nil {
			return
		}
		if time.Since(r.tidied) > tidyEvery {
			r.tidied = time.Now()
			r.a.tidied(r.a.tidy())
		}
	}
}

// flush hands over what came and returns the last batch there is.
func (r *Recorder) flush() (*recording, error) {
	select {
	case r.slots <- struct{}{}:
	case <-r.stop:
		return nil, errRecorderClosed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	until := r.until()
	if b := r.swap(); b != nil {
		return b, nil
	}
	if r.last == nil { // nothing waits: all that came is durable
		r.publish(until)
	}
	return r.last, nil
}

// Flush returns when all that was handed over before is durable.
func (r *Recorder) Flush() error {
	b, err := r.flush()
	if err != nil || b == nil {
		return err
	}
	<-b.through
	return b.err
}

// Watermark is a time before which everything handed over is durable (or
// counted as lost). After a crash it stands in state/collector.watermark.
func (r *Recorder) Watermark() tables.Time { return tables.Time(r.marked.Load()) }

// Stats of the Recorder so far.
func (r *Recorder) Stats() RecorderStats {
	return RecorderStats{Rows: r.rows.Load(), Batches: r.batches.Load(), Failed: r.failed.Load(),
		Lost: r.lost.Load(), LostAccounts: r.lostAccounts.Load()}
}

// Close writes what is left. The error says what could not be.
func (r *Recorder) Close() error {
	r.mu.Lock()
	if r.closing {
		r.mu.Unlock()
		return nil
	}
	r.closing = true
	r.mu.Unlock()
	close(r.stop)
	<-r.done
	r.slots <- struct{}{}
	r.mu.Lock()
	r.swap()
	last := r.last
	r.mu.Unlock()
	var err error
	if last != nil {
		<-last.through
	}
	if s := r.Stats(); s.Lost+s.LostAccounts > 0 {
		err = fmt.Errorf("%d flow records and %d rows of accounts could not be kept", s.Lost, s.LostAccounts)
		if last != nil && last.err != nil {
			err = fmt.Errorf("%w: %w", err, last.err)
		}
	}
	err = errors.Join(err, r.mark.Close())
	r.a.Unlock(recorderName)
	return err
}

// keep writes a batch, again until it is durable.
func (r *Recorder) keep(b *recording) {
	wait := r.retry
	tries := 0
	write := r.write
	for {
		err := write(b)
		if err == nil {
			break
		}
		r.failed.Add(1)
		if errors.Is(err, errUncertain) { // written again, they would be there twice
			write = func(*recording) error { return r.a.syncBatches() }
		}
		if r.troubled.CompareAndSwap(false, true) {
			r.log.Error("flow records can't be written; trying again", "error", err)
		}
		select {
		case <-time.After(wait):
			wait = min(wait*2, lastRetry)
			continue
		case <-r.stop:
		}
		// Closing: a few more times, soon.
		if tries++; tries < closeTries {
			time.Sleep(r.retry)
			continue
		}
		b.err = err
		r.lost.Add(int64(b.exports.Rows()))
		r.lostAccounts.Add(int64(len(b.exporters) + len(b.sockets)))
		break
	}
	if b.err == nil {
		if r.troubled.CompareAndSwap(true, false) {
			r.log.Warn("flow records are written again", "failures", r.failed.Load())
		}
		r.rows.Add(int64(b.exports.Rows()))
		r.batches.Add(1)
	}
	// What came before this batch is in the one before it.
	if b.before != nil {
		<-b.before.through
		b.before = nil
	}
	r.mu.Lock()
	r.publish(b.until)
	if r.last == b {
		r.last = nil
	}
	b.exports.Reset()
	r.spare = append(r.spare, b.exports)
	b.exports = nil
	r.mu.Unlock()
	close(b.through)
	<-r.slots
}

// publish moves the watermark, ahead unless the clock was set back. Nothing waits for the disk: a power failure
// leaves an older one, which is true as well. It stands there twice: if the
// failure tears the digits apart, the smaller number is true.
func (r *Recorder) publish(t tables.Time) {
	if before := tables.Time(r.marked.Load()); t <= before && t > before-clockSlack {
		return
	}
	r.marked.Store(int64(t))
	if _, err := r.mark.WriteAt(fmt.Appendf(nil, "%020d\n%020[1]d\n", int64(t)), 0); err != nil {
		r.log.Debug("watermark", "error", err)
	}
}

// write writes a batch in one transaction.
func (r *Recorder) write(b *recording) (err error) {
	tx, err := r.a.Begin(recorderName)
	if err != nil {
		return err
	}
	tx.untidy, tx.first, tx.last = true, b.began, max(b.began, b.ended)
	if err := r.fill(tx, b); err != nil {
		return errors.Join(err, tx.Abort())
	}
	// Batches count in the order their rows came, so that a crash leaves all
	// up to some row; only the writing of them goes on side by side.
	if b.before != nil {
		<-b.before.through
	}
	return tx.Commit()
}

func (r *Recorder) fill(tx *Tx, b *recording) error {
	order, times := b.exports.ByTime()
	// Those that began long ago come first.
	late, _ := slices.BinarySearchFunc(order, int64(b.until-lateAfter), func(row int32, t int64) int {
		if times[row] < t {
			return -1
		}
		return 1
	})
	for _, hour := range lateGroups(order[:late], times) {
		if err := tx.writeBlock(b.exports, hour, RowOptions{Lane: "late"}); err != nil {
			return err
		}
	}
	if late < len(order) {
		if err := tx.writeBlock(b.exports, order[late:], RowOptions{}); err != nil {
			return err
		}
	}
	slices.SortStableFunc(b.exporters, func(x, y tables.Exporter) int { return cmp.Compare(x.TS, y.TS) })
	slices.SortStableFunc(b.sockets, func(x, y tables.Socket) int { return cmp.Compare(x.TS, y.TS) })
	if _, err := WriteRows(tx, "m", b.exporters); err != nil {
		return err
	}
	_, err := WriteRows(tx, "m", b.sockets)
	return err
}

// lateGroups divides rows in time order by the hour; those of the oldest hours
// stay together when there are too many.
func lateGroups(order []int32, times []int64) (groups [][]int32) {
	for len(order) > 0 {
		if len(groups) == lateFiles-1 {
			groups = append(groups, order)
			break
		}
		first := times[order[len(order)-1]]
		first -= first % int64(lateHour)
		i := len(order) - 1
		for i > 0 && times[order[i-1]] >= first {
			i--
		}
		groups = append(groups, order[i:])
		order = order[:i]
	}
	return groups
}

// writeBlock writes rows of a block as a micro file.
func (tx *Tx) writeBlock(b *rows.Block[tables.Export], order []int32, o RowOptions) error {
	s, err := tx.stage(Exports, "m", o)
	if err != nil {
		return err
	}
	_, err = b.WriteFile(s, order, s.options())
	return err
}

// openWatermark opens the file of a writer's durable watermark.
func (a *Archive) openWatermark(writer string) (disk.File, error) {
	dir := filepath.Join(a.dir, stateFolder)
	if err := a.mkdir(dir); err != nil {
		return nil, err
	}
	return disk.Obtain(a.disk, filepath.Join(dir, writer+".watermark"), 0o640)
}
