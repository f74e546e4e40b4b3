package archive

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

const (
	// maxUnwritten bounds the packets in memory while they can't be written; then
	// they are not kept.
	maxUnwritten = 16 << 20
	// writeAgain is when writing is tried again that failed.
	writeAgain = 250 * time.Millisecond
	// segmentAge ends a segment of a log however small it is: what is retained, and
	// for how long, is decided by segments.
	segmentAge = time.Hour
	// tidyLogEvery is how often a log tidies up: there is a file of rows that are
	// not over with each commit, and only the last counts.
	tidyLogEvery = 30 * time.Second
	// liveLane has the rows that are not over.
	liveLane = "live"
)

// LogOptions say whose packets a log takes.
type LogOptions struct {
	// Sensor, Site and Interface are the observer's; there is one log for a
	// sensor and interface, or one for each of the workers that share it.
	Sensor, Site, Interface string
	Worker                  int
}

// Log takes the packets of one interface for as long as it is recorded. They
// belong to no batch: they are appended to segments that grow for an hour, and
// can be read up to where they are durable (see journal.go). A batch of rows that
// refers to them is written by Commit, which makes them durable first.
//
// Append and Mark are for one goroutine, Commit for one, too, that may be another.
type Log struct {
	a      *Archive
	o      LogOptions
	writer string
	id     [16]byte

	// Of Append.
	current *logSegment
	full    []*logSegment // followed by others, and in no batch yet
	packets int64         // in the log
	commits uint64        // marked
	aged    bool          // the current segment has grown for long enough
	failed  time.Time     // when writing failed last
	cause   error         // and why

	// Of Commit.
	old        []*logSegment // sealed ones whose journals may be needed again
	before     logLost       // the log before, as it was stored last
	adopted    LogBatch      // its rows that were not over
	mark       disk.File     // of the watermark
	lost       disk.File     // see Lose
	wasLost    *tables.Coverage
	begun      bool // by this OpenLog
	marked     tables.Time
	stored     uint64
	covered    *tables.Coverage
	checkpoint []byte
	tidied     time.Time
}

// logSegment is a segment of a log.
type logSegment struct {
	journalHead
	path    string // of the journal
	head    int64  // its bytes before the entries
	entries int64
	last    journalEntry // that is durable
	sealed  bool         // its row is

	file, journal disk.File
	offset        int64 // of the next record
	written       int64 // what the kernel has of the file
	buf           []byte
	packets       int64
	firstTS       int64
	lastTS        int64
	sums          sums.Writer // of what is written
	syncer        *syncer
	asked         int64
}

// ErrNotKept is wrapped by the error of an Append whose packet is not in the log.
var ErrNotKept = errors.New("the packet is not kept")

// LogWriter is the name that the log of a sensor's interface writes under, or of
// one of its workers, the first being 0.
func LogWriter(sensor, iface string, worker int) string {
	if worker > 0 {
		iface += fmt.Sprintf("/%d", worker)
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, sensor+"_"+iface)
	if len(name) > 40 {
		name = name[:40]
	}
	// Names that differ in other characters must not be the same.
	return fmt.Sprintf("meter_%s_%08x", name, uint32(xxh3.HashString(sensor+"\x00"+iface)))
}

// OpenLog opens a log, or begins one: what a crash left behind the last commit is
// cut off. Another process that has it open gets ErrLocked.
func (a *Archive) OpenLog(o LogOptions) (*Log, error) {
	l := &Log{a: a, o: o, writer: LogWriter(o.Sensor, o.Interface, o.Worker), tidied: time.Now()}
	if err := a.Lock(l.writer); err != nil {
		return nil, err
	}
	err := l.recover()
	if err == nil {
		l.mark, err = a.openWatermark(l.writer)
	}
	if err == nil {
		err = l.openLost()
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("log of %s: %w", l.writer, err)
	}
	return l, nil
}

// ID tells the log from all others; it begins anew only when its journals are gone.
func (l *Log) ID() [16]byte { return l.id }

func (l *Log) name() string { return hex.EncodeToString(l.id[:]) }

// Commits is the number of the last commit whose packets are durable.
func (l *Log) Commits() uint64 { return l.commits }

// Stored is the number of the last commit whose rows are stored.
func (l *Log) Stored() uint64 { return l.stored }

// Packets is how many packets it has.
func (l *Log) Packets() int64 { return l.packets }

// Before is how many packets the log has before the first that Replay knows of.
func (l *Log) Before() int64 {
	for _, s := range slices.Concat(l.old, l.full, []*logSegment{l.current}) {
		if s != nil && s.Log == l.name() {
			return s.Before
		}
	}
	return 0
}

// Covered is the time that was not over with the last commit whose rows are
// stored; nil if there was none.
func (l *Log) Covered() *tables.Coverage { return l.covered }

// Checkpoint is what the last one said that was written; nil if none was.
func (l *Log) Checkpoint() []byte { return l.checkpoint }

func (l *Log) checkpointFile() string {
	return filepath.Join(l.a.dir, stateFolder, l.writer+".checkpoint")
}

// maxCheckpoint bounds a checkpoint that is read.
const maxCheckpoint = 1 << 30

// recover finds what was logged before.
func (l *Log) recover() error {
	a := l.a
	if err := a.mkdir(filepath.Join(a.dir, logFolder)); err != nil {
		return err
	}
	list, err := readJournals(a.disk, filepath.Join(a.dir, logFolder), nil)
	if err != nil {
		return err
	}
	list = slices.DeleteFunc(list, func(j *logJournal) bool { return j.Writer != l.writer })
	slices.SortFunc(list, func(x, y *logJournal) int {
		if x.Before != y.Before {
			return int(min(max(x.Before-y.Before, -1), 1))
		}
		return int(x.Segment) - int(y.Segment)
	})
	c, err := a.Catalog()
	if err != nil {
		return err
	}
	anew := false
	for _, j := range list {
		n, _ := rootOf(j.Path)
		away := a.away(j.Path) || a.left(n)
		if j.last.packets > 0 { // else nothing refers to it, and Before may count what went
			l.packets = j.Before + j.last.packets
			l.commits = max(l.commits, j.last.commit)
			// Who opens the log when its disk is back seals it. What was to be metered
			// again can't be: another log begins.
			anew = anew || away
		}
		if away {
			continue
		}
		if j.last.packets == 0 {
			if err := a.remove(a.at(j.Path)); a.givesUp(j.Path, err, 0) {
				continue
			} else if err := errors.Join(err, a.remove(j.path)); err != nil {
				return err
			}
			continue
		}
		s, err := l.reopen(j, c)
		if a.givesUp(j.Path, err, 0) {
			anew = true
			continue
		}
		if err != nil {
			return fmt.Errorf("segment %d: %w", j.Segment, err)
		}
		if l.current != nil {
			l.full = append(l.full, l.current)
			l.current = nil
		}
		if s.sealed {
			l.old = append(l.old, s)
		} else {
			l.current = s
		}
		b, err := hex.DecodeString(j.Log)
		if err != nil || copy(l.id[:], b) != len(l.id) {
			return fmt.Errorf("%s: the log's id %q is not 32 hexadecimal digits", j.path, j.Log)
		}
	}
	if anew && l.current != nil {
		l.full = append(l.full, l.current)
		l.current = nil
	}
	if anew || l.id == [16]byte{} {
		l.begun = true
		if _, err := rand.Read(l.id[:]); err != nil {
			return err
		}
	}
	for _, f := range c.Files(Coverage) {
		if f.Writer != l.writer || f.Lane != liveLane {
			continue
		}
		covered, err := rows.ReadAll[tables.Coverage](f.File)
		if err != nil {
			a.log.Warn("which rows of the log are stored is not known", "file", f.Path, "error", err)
		}
		for _, r := range covered {
			if r.Log == l.name() {
				l.stored = max(l.stored, uint64(r.Commit.V))
			} else if err := l.adopt(c, &r, list); err != nil {
				return err
			}
			r.Log, r.Commit = "", tables.Opt[int64]{}
			l.covered = &r
		}
	}
	l.commits = max(l.commits, l.stored)
	l.checkpoint, err = disk.ReadFile(a.disk, l.checkpointFile(), maxCheckpoint)
	if err != nil {
		l.checkpoint = nil
	}
	return nil
}

// adopt takes over, as they are, the rows of another log of this writer that were not
// over with its last commit. Packets that came behind that have none.
func (l *Log) adopt(c *Catalog, was *tables.Coverage, journals []*logJournal) error {
	lost := tables.Coverage{Sensor: l.o.Sensor, Interface: l.o.Interface, TS: was.TSEnd, TSEnd: was.TSEnd}
	l.adopted.LiveFlows = liveRows[tables.Flow](l, c, Flows, &lost)
	l.adopted.LiveOthers = liveRows[tables.Other](l, c, Other, &lost)
	for _, j := range journals {
		if j.Log != was.Log || j.last.commit <= uint64(was.Commit.V) {
			continue
		}
		entries, err := j.entries(l.a.disk)
		if err != nil {
			return err
		}
		stored := int64(0)
		for _, e := range entries {
			if e.commit <= uint64(was.Commit.V) {
				stored = e.packets
			}
		}
		lost.NotKept.V += j.last.packets - stored
		lost.TSEnd = max(lost.TSEnd, tables.TimeOf(j.last.last))
	}
	if l.before = (logLost{Log: was.Log, Stored: uint64(was.Commit.V)}); lost.NotKept.V+lost.LostRows.V > 0 {
		lost.NotKept.Set, lost.LostRows.Set = true, true
		l.wasLost = &lost
	}
	return nil
}

// liveRows reads the rows of a family that are not over. Those that a power failure
// tore are lost.
func liveRows[T any](l *Log, c *Catalog, family Family, lost *tables.Coverage) (list []T) {
	for _, f := range c.Files(family) {
		if f.Writer != l.writer || f.Lane != liveLane {
			continue
		}
		some, err := rows.ReadAll[T](f.File)
		if err != nil {
			l.a.log.Warn("rows that were not over are lost", "file", f.Path, "error", err)
			lost.LostRows.V += f.Rows
			continue
		}
		list = append(list, some...)
	}
	return list
}

// reopen opens a segment to go on behind its last commit.
func (l *Log) reopen(j *logJournal, c *Catalog) (*logSegment, error) {
	d := l.a.disk
	entries, err := j.entries(d)
	if err != nil {
		return nil, err
	}
	s := &logSegment{journalHead: j.journalHead, path: j.path, head: j.size, sums: sums.Writer{Block: packetBlock}}
	if known, ok := c.Segment(j.Segment); ok && !known.Open {
		s.sealed = true
	}
	path := l.a.at(s.Path)
	st, err := d.Stat(path)
	if err != nil && !s.sealed {
		return nil, err
	}
	for s.sealed && len(entries) > 0 || len(entries) > 0 && entries[len(entries)-1].bytes <= st.Size() {
		s.last, s.entries = entries[len(entries)-1], int64(len(entries))
		break
	}
	if s.entries == 0 {
		return nil, fmt.Errorf("it has %d bytes, of %d that were durable", st.Size(), j.last.bytes)
	}
	s.offset, s.written, s.asked, s.packets = s.last.bytes, s.last.bytes, s.last.bytes, s.last.packets
	s.firstTS, s.lastTS = s.last.first, s.last.last
	if s.sealed {
		return s, nil
	}
	if s.file, err = d.Edit(path); err != nil {
		return nil, err
	}
	if s.journal, err = d.Edit(s.path); err != nil {
		return nil, err
	}
	if st.Size() > s.offset {
		if err := errors.Join(s.file.Truncate(s.offset), s.file.Sync()); err != nil {
			return nil, err
		}
	}
	s.syncer = newSyncer(s.file)
	n, err := io.Copy(sumsOnly{&s.sums}, io.NewSectionReader(s.file, 0, s.offset))
	if err == nil && n != s.offset {
		err = io.ErrUnexpectedEOF
	}
	return s, err
}

// sumsOnly adds what is written to it to sums.
type sumsOnly struct{ to *sums.Writer }

func (w sumsOnly) Write(b []byte) (int, error) {
	w.to.Add(b)
	return len(b), nil
}

// Append takes a packet and returns the position of its record. ErrNotKept says
// that it is not in the log, since the disk is full or fails; later ones may be.
func (l *Log) Append(rec *pcap.Record) (segment uint32, offset int64, err error) {
	s := l.current
	size := int64(pcap.RecordHeader + len(rec.Data))
	if s == nil || s.Link != rec.Link || s.Nano != rec.Nano || l.aged || s.packets > 0 && s.offset+size > l.a.o.SegmentBytes {
		if s, err = l.rotate(rec); err != nil {
			return 0, 0, fmt.Errorf("%w: %w", ErrNotKept, err)
		}
	}
	if len(s.buf) >= writeBuffer {
		if err := l.flush(s); err != nil && len(s.buf) >= maxUnwritten {
			return 0, 0, fmt.Errorf("%w: %w", ErrNotKept, err)
		}
	}
	s.buf = pcap.AppendRecord(s.buf, rec, s.Nano)
	if s.packets == 0 {
		s.firstTS, s.lastTS = rec.TS, rec.TS
	}
	s.firstTS, s.lastTS = min(s.firstTS, rec.TS), max(s.lastTS, rec.TS)
	offset = s.offset
	s.packets++
	l.packets++
	s.offset += size
	return s.Segment, offset, nil
}

// flush hands the kernel what is in memory of a segment. What failed half-way is
// written again over it.
func (l *Log) flush(s *logSegment) error {
	if len(s.buf) == 0 {
		return nil
	}
	if !l.failed.IsZero() && time.Since(l.failed) < writeAgain {
		return l.cause
	}
	if _, err := s.file.WriteAt(s.buf, s.written); err != nil {
		l.failed, l.cause = time.Now(), l.whether(s, err, failsFor)
		return l.cause
	}
	l.failed = time.Time{}
	s.sums.Add(s.buf)
	s.written += int64(len(s.buf))
	if s.buf = s.buf[:0]; cap(s.buf) > 2*writeBuffer {
		s.buf = nil
	}
	if s.written-s.asked >= syncBytes {
		s.asked = s.written
		s.syncer.ask()
	}
	return nil
}

// whether says of an error about a segment when it is that its disk is gone, or fails
// for so long.
func (l *Log) whether(s *logSegment, err error, after time.Duration) error {
	if l.a.away(s.Path) || l.a.givesUp(s.Path, err, after) {
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	return err
}

// rotate begins the next segment, of the packet's kind.
func (l *Log) rotate(rec *pcap.Record) (*logSegment, error) {
	if rec.Link > 0xffff {
		return nil, fmt.Errorf("link type %d does not fit a capture file", rec.Link)
	}
	if l.current != nil {
		if err := l.flush(l.current); err != nil {
			return nil, err
		}
	}
	if !l.failed.IsZero() && time.Since(l.failed) < writeAgain {
		return nil, l.cause
	}
	s, err := l.begin(rec.Link, rec.Nano)
	for errors.Is(err, ErrAway) { // its root was left: there is another
		s, err = l.begin(rec.Link, rec.Nano)
	}
	if err != nil {
		l.failed, l.cause = time.Now(), fmt.Errorf("new segment: %w", err)
		return nil, l.cause
	}
	l.failed, l.aged = time.Time{}, false
	if l.current != nil {
		l.full = append(l.full, l.current)
	}
	l.current = s
	return s, nil
}

// begin makes the files of a segment. Its journal comes first, so that there are
// no packets nobody knows of.
func (l *Log) begin(link tables.LinkType, nano bool) (_ *logSegment, err error) {
	a := l.a
	began := time.Now().UTC()
	n, rel, err := a.newSegment(l.o.Sensor, began)
	if err != nil {
		return nil, err
	}
	path := a.at(rel)
	dir := filepath.Dir(path)
	unless := func(err error) error {
		if err != nil && a.givesUp(rel, err, 0) {
			return fmt.Errorf("%w: %w", ErrAway, err)
		}
		return err
	}
	if err := a.mkdir(dir); err != nil {
		return nil, unless(err)
	}
	s := &logSegment{path: filepath.Join(a.dir, logFolder, fmt.Sprintf("%010d%s", n, journalMark)), offset: pcap.FileHeader,
		sums: sums.Writer{Block: packetBlock}, journalHead: journalHead{Log: l.name(), Writer: l.writer, Segment: n,
			Path: rel, Sensor: l.o.Sensor, Site: l.o.Site, Interface: l.o.Interface, Link: link, Nano: nano, Before: l.packets, Began: began}}
	head, err := s.encode()
	if err != nil {
		return nil, err
	}
	defer func() {
		if err == nil {
			return
		}
		for _, f := range []disk.File{s.journal, s.file} {
			if f != nil {
				f.Close()
				err = errors.Join(err, a.remove(f.Name()))
			}
		}
	}()
	if s.journal, err = a.disk.Create(s.path, 0o640); err != nil {
		return nil, err
	}
	if _, err = s.journal.Write(head); err != nil {
		return nil, err
	}
	s.head = int64(len(head))
	if err = s.journal.Sync(); err != nil {
		return nil, err
	}
	if err = a.disk.SyncDir(filepath.Dir(s.path)); err != nil {
		return nil, err
	}
	if s.file, err = a.disk.Create(path, 0o640); err != nil {
		return nil, unless(err)
	}
	if err = a.disk.SyncDir(dir); err != nil {
		return nil, unless(err)
	}
	s.buf = pcap.AppendHeader(make([]byte, 0, writeBuffer+(64<<10)), link, nano)
	s.syncer = newSyncer(s.file)
	return s, nil
}

// Mark is how far a log goes that is to be committed.
type Mark struct {
	number   uint64
	parts    []markPart
	logged   bool // its packets are durable
	rowsKept bool // and its rows, unless they count and may be gone after a power failure
}

// Durable tells that its packets are, whether its rows are or not.
func (m *Mark) Durable() bool { return m.logged }

// Number is the commit's, counted from 1 over all of the log.
func (m *Mark) Number() uint64 { return m.number }

// markPart is a segment's share.
type markPart struct {
	s     *logSegment
	entry journalEntry
	seal  bool
	table []byte // of a segment that is sealed: its checksums
}

// Mark hands the kernel all packets so far and says how far that is. The meter's
// clock was set to tick then, or was not (0). Marks are to be committed one after
// the other. An error says that not all could be written; they are kept for the
// next.
func (l *Log) Mark(tick int64) (*Mark, error) {
	m := &Mark{number: l.commits + 1}
	s := l.current
	if s != nil {
		if err := l.flush(s); err != nil {
			return nil, err
		}
		if s.packets == 0 {
			s = nil
		}
	}
	for _, f := range l.full {
		m.parts = append(m.parts, markPart{s: f, seal: true, entry: f.entry(m.number, 0), table: f.sums.Table(nil)})
	}
	l.full = nil
	if s != nil {
		m.parts = append(m.parts, markPart{s: s, entry: s.entry(m.number, tick)})
		age := time.Since(s.Began)
		l.aged = age >= segmentAge || l.a.leaves(s.Path) || age < -segmentAge // the clock was set back, and nobody knows how long it grows
	}
	l.commits++
	return m, nil
}

func (s *logSegment) entry(commit uint64, tick int64) journalEntry {
	return journalEntry{commit, s.written, s.packets, s.firstTS, s.lastTS, tick}
}

// Close closes the log, which goes on with the next OpenLog. What was not
// committed is lost.
func (l *Log) Close() error {
	var err error
	segments := l.full
	if l.current != nil {
		segments = append(segments, l.current)
	}
	for _, s := range segments {
		err = errors.Join(err, s.close())
	}
	for _, f := range []disk.File{l.mark, l.lost} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	l.a.Unlock(l.writer)
	return err
}

func (s *logSegment) close() error {
	var err error
	if s.syncer != nil {
		if err = s.syncer.stop(); !s.syncer.failed.Load() {
			err = nil // what it could not sync was, since
		}
		s.syncer = nil
	}
	for _, f := range []disk.File{s.file, s.journal} {
		if f != nil {
			err = errors.Join(err, f.Close())
		}
	}
	s.file, s.journal = nil, nil
	return err
}
