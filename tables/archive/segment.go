package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

const (
	writeBuffer = 1 << 20
	// syncBytes and syncTime bound what a power failure takes of a segment
	// that is being written.
	syncBytes = 8 << 20
	syncTime  = time.Second
	// checkBytes at each end of an in-place capture are hashed to know it
	// again.
	checkBytes = 64 << 10
)

type segmentKey struct {
	sensor, site string
	link         tables.LinkType
	nano         bool
}

// SegmentWriter appends packets to a batch's open segment of one sensor, link
// type and resolution, starting another when it is full.
type SegmentWriter struct {
	tx  *Tx
	key segmentKey

	file   disk.File
	row    tables.Segment
	first  int64
	last   int64
	offset int64 // of the next record
	buf    []byte
	spare  []byte     // the buffer that is being written, or nil
	writes chan error // of that one's writing
	wrote  int64      // bytes of the file before that one
	synced int64
	sums   sums.Writer // of what was appended
	summed int         // of the buffer
	when   time.Time
	syncer *syncer
}

// Packets returns the batch's writer for this key; there is one.
func (tx *Tx) Packets(sensor, site string, link tables.LinkType, nano bool) (*SegmentWriter, error) {
	if tx.ended {
		return nil, errEnded
	}
	if link > 0xffff {
		return nil, fmt.Errorf("link type %d does not fit a capture file", link)
	}
	k := segmentKey{sensor, site, link, nano}
	w := tx.writers[k]
	if w == nil {
		w = &SegmentWriter{tx: tx, key: k}
		tx.writers[k] = w
	}
	return w, nil
}

// folderName makes a sensor's name one path element.
func folderName(sensor string) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || strings.ContainsRune(`/\:*?"<>|`, r) || r == 0x7f || r == utf8.RuneError {
			return '_'
		}
		return r
	}, sensor)
	for len(s) > 100 {
		_, n := utf8.DecodeLastRuneInString(s)
		s = s[:len(s)-n]
	}
	if s = strings.TrimLeft(s, "."); s == "" {
		return "_"
	}
	return s
}

// Append writes one packet and returns the position of its record.
func (w *SegmentWriter) Append(rec *pcap.Record) (segment uint32, offset int64, err error) {
	size := int64(pcap.RecordHeader + len(rec.Data))
	if w.file == nil || w.offset+size > w.tx.a.o.SegmentBytes && w.row.Packets > 0 {
		if err := w.rotate(); err != nil {
			return 0, 0, err
		}
	}
	if len(w.buf) >= writeBuffer {
		if err := w.flush(len(w.buf) % disk.Block); err != nil {
			return 0, 0, err
		}
	}
	w.buf = pcap.AppendRecord(w.buf, rec, w.key.nano)
	if len(w.buf)-w.summed >= sums.Block {
		w.sum()
	}
	if w.row.Packets == 0 {
		w.first, w.last = rec.TS, rec.TS
	}
	w.first, w.last = min(w.first, rec.TS), max(w.last, rec.TS)
	w.row.Packets++
	offset = w.offset
	w.offset += size
	return uint32(w.row.Segment), offset, nil
}

// rotate finishes the open segment and starts the next one. The batch's file
// names the segment before there is one, so that no crash leaves a file nobody
// knows.
func (w *SegmentWriter) rotate() error {
	if err := w.finish(); err != nil {
		return err
	}
	a := w.tx.a
	n, rel, err := a.newSegment(w.key.sensor, w.tx.began)
	if err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	f, err := w.create(rel)
	if a.givesUp(rel, err, 0) { // its root was left: there is another
		return w.rotate()
	}
	if err != nil {
		return fmt.Errorf("new segment: %w", err)
	}
	w.file, w.offset, w.synced, w.wrote, w.when = f, pcap.FileHeader, 0, 0, time.Now()
	w.sums, w.summed = sums.Writer{Block: packetBlock}, 0
	w.row = tables.Segment{Segment: int32(n), Kind: "pcap", Sensor: w.key.sensor, Site: w.key.site, Path: rel,
		Layout: pcap.LayoutOf(w.key.link, w.key.nano).Encode()}
	if w.buf == nil {
		w.buf = make([]byte, 0, writeBuffer+(64<<10))
	}
	w.buf = pcap.AppendHeader(w.buf[:0], w.key.link, w.key.nano)
	w.syncer = newSyncer(f)
	return nil
}

// create makes the file of a segment, which the batch's own names first.
func (w *SegmentWriter) create(rel string) (disk.File, error) {
	path := w.tx.a.at(rel)
	w.tx.mu.Lock()
	err := w.tx.folder(filepath.Dir(path))
	w.tx.mu.Unlock()
	if err != nil {
		return nil, err
	}
	if _, err := w.tx.intent.Write([]byte(rel + "\n")); err != nil {
		return nil, err
	}
	if err := w.tx.syncIntent(); err != nil {
		return nil, err
	}
	f, err := w.tx.a.disk.Create(path+disk.Part, 0o640)
	if err == nil {
		f.Advise(0, 0, disk.Written)
	}
	return f, err
}

// sum takes the sums of what was appended, while it is in the cache.
func (w *SegmentWriter) sum() {
	w.sums.Add(w.buf[w.summed:])
	w.summed = len(w.buf)
}

// flush has the buffer, but for some bytes at its end, handed to the kernel while
// another one fills, and now and then asks for it to reach the disk.
func (w *SegmentWriter) flush(but int) error {
	if err := w.wait(); err != nil {
		return err
	}
	w.sum()
	whole := len(w.buf) - but
	w.summed = but
	full, file, syncer := w.buf[:whole], w.file, w.syncer
	if w.spare == nil {
		w.spare = make([]byte, 0, cap(full))
	}
	w.buf, w.spare = append(w.spare[:0], w.buf[whole:]...), full
	if w.offset-w.synced < syncBytes && time.Since(w.when) < syncTime {
		syncer = nil
	} else {
		w.synced, w.when = w.offset, time.Now()
	}
	writes := make(chan error, 1)
	w.writes = writes
	go func() {
		_, err := file.Write(full)
		if err == nil && syncer != nil {
			syncer.ask()
		}
		writes <- err
	}()
	return nil
}

// wait waits for the buffer that is being written.
func (w *SegmentWriter) wait() error {
	if w.writes == nil {
		return nil
	}
	err := <-w.writes
	w.writes = nil
	if err != nil {
		err = w.elsewhere(err)
	}
	if err != nil {
		return fmt.Errorf("write packets: %w", err)
	}
	w.wrote += int64(len(w.spare))
	w.spare = w.spare[:0]
	return nil
}

// finish makes the open segment durable and gives it its name.
func (w *SegmentWriter) finish() error {
	if w.file == nil {
		return nil
	}
	err := w.flush(0)
	if err == nil {
		err = w.wait()
	}
	for err == nil {
		if err = w.keep(); err == nil {
			break
		}
		err = w.elsewhere(err)
	}
	_ = w.stop() // unless it is kept, which it waited for
	st, e := w.file.Stat()
	err = errors.Join(err, e, w.file.Close())
	w.file = nil
	if err != nil {
		return fmt.Errorf("finish segment %d: %w", w.row.Segment, err)
	}
	w.tx.a.written(w.row.Path)
	w.row.Bytes, w.row.Sums = st.Size(), w.sums.Table(nil)
	w.row.MTime = tables.Time(st.ModTime().UnixMicro())
	w.row.TS = tables.Some(tables.Time(w.first / 1000))
	w.row.TSEnd = tables.Some(tables.Time(w.last / 1000))
	w.tx.done = append(w.tx.done, w.row)
	return nil
}

// keep makes the open segment, all of which is written, durable and gives it its name.
func (w *SegmentWriter) keep() error {
	if err := errors.Join(w.stop(), w.file.Sync()); err != nil {
		return err
	}
	part := w.file.Name()
	return w.tx.a.disk.RenameNew(part, strings.TrimSuffix(part, disk.Part))
}

// stop waits for what was to reach the disk.
func (w *SegmentWriter) stop() (err error) {
	if w.syncer != nil {
		err = w.syncer.stop()
		w.syncer = nil
	}
	return err
}

// elsewhere goes on with the open segment on another root, as its own fails writes, or
// is full: what is there is copied, if it can be read as it was written, and what is
// being written after it. Its number stays, which rows refer to. It returns the error
// it was told if there is no other, or it fails as well.
func (w *SegmentWriter) elsewhere(because error) error {
	a, from := w.tx.a, w.row.Path
	failed, _ := rootOf(from)
	if !a.givesUp(from, because, 0) && !errors.Is(because, syscall.ENOSPC) {
		return because
	}
	to, err := a.roomiest(failed)
	if err != nil || to == failed {
		return because
	}
	_ = w.stop() // of a file that is left
	_, below := rootOf(from)
	rel := inRoot(to, below)
	f, err := w.create(rel)
	if err == nil {
		if err = w.copy(f); err != nil {
			err = errors.Join(err, f.Close(), a.remove(f.Name()))
		}
	}
	if err != nil {
		return errors.Join(because, fmt.Errorf("nor is another root written to: %w", err))
	}
	a.log.Warn("a segment goes on in another root", "segment", w.row.Segment, "was", a.at(from), "is", a.at(rel), "error", because)
	if err := errors.Join(w.file.Close(), a.remove(w.file.Name())); err != nil {
		a.log.Warn("what was written of it before stays", "file", w.file.Name(), "error", err)
	}
	if dir := filepath.Dir(a.at(from)); !slices.ContainsFunc(w.tx.done, func(s tables.Segment) bool { return filepath.Dir(a.at(s.Path)) == dir }) {
		w.tx.mu.Lock()
		delete(w.tx.dirs, dir) // nothing of the batch is there
		w.tx.mu.Unlock()
	}
	w.file, w.row.Path, w.syncer = f, rel, newSyncer(f)
	return nil
}

// copy writes what is written of the segment, and what was being written, to a file.
func (w *SegmentWriter) copy(to disk.File) error {
	all := sums.Writer{Block: packetBlock}
	b := make([]byte, writeBuffer)
	for at := int64(0); at < w.wrote; {
		b = b[:min(int64(cap(b)), w.wrote-at)]
		if _, err := w.file.ReadAt(b, at); err != nil {
			return err
		}
		if _, err := to.Write(b); err != nil {
			return err
		}
		all.Add(b)
		at += int64(len(b))
	}
	if _, err := to.Write(w.spare); err != nil {
		return err
	}
	all.Add(w.spare)
	all.Add(w.buf[:w.summed])
	if !bytes.Equal(all.Table(nil), w.sums.Table(nil)) {
		return fmt.Errorf("%s is not as it was written", w.file.Name())
	}
	return nil
}

// abandon closes the open segment of a batch that is aborted.
func (w *SegmentWriter) abandon() {
	if w.writes != nil {
		<-w.writes // the file goes anyway
		w.writes = nil
	}
	_ = w.stop()
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// syncer calls fsync beside the writer, which waits only when a second one is
// due while the first still runs.
type syncer struct {
	asked  chan struct{}
	done   chan error
	failed atomic.Bool // a sync, and nothing was written again since
}

func newSyncer(f disk.File) *syncer {
	s := &syncer{asked: make(chan struct{}), done: make(chan error, 1)}
	go func() {
		var err error
		for range s.asked {
			if err == nil {
				err = f.Sync()
				if err != nil {
					s.failed.Store(true)
				}
			}
		}
		s.done <- err
	}()
	return s
}

func (s *syncer) ask() { s.asked <- struct{}{} }

// stop waits for what was asked and returns the first error.
func (s *syncer) stop() error {
	close(s.asked)
	return <-s.done
}

// Adoption is a capture file that is indexed where it lies.
type Adoption struct {
	// Segment is the number its packets' ids hold.
	Segment uint32

	tx           *Tx
	path         string
	sensor, site string
	size         int64
	mtime        tables.Time
}

// Adopt gives a capture file a segment number. Compressed files are refused:
// a packet in their middle can't be read without all before it.
func (tx *Tx) Adopt(path, sensor, site string) (*Adoption, error) {
	if tx.ended {
		return nil, errEnded
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	f, err := tx.a.disk.Open(abs)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	r, err := pcap.Packets(f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	switch {
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s: only regular files can be read in place", path)
	case r.Compressed():
		return nil, fmt.Errorf("%s: compressed files can't be read in place; import it by copy (without --in-place)", path)
	case st.Size() > tables.MaxOffset:
		return nil, fmt.Errorf("%s: files above 64 GiB can't be read in place", path)
	}
	n, err := tx.a.claimSegment()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Adoption{Segment: n, tx: tx, path: abs, sensor: sensor, site: site,
		size: st.Size(), mtime: tables.Time(st.ModTime().UnixMicro())}, nil
}

// Finish records the capture in the batch, once r has read it to its end or to
// its damage; r is of OpenCapture.
func (ad *Adoption) Finish(r *pcap.Reader) error {
	f, err := ad.tx.a.disk.Open(ad.path)
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	if st.Size() != ad.size || tables.Time(st.ModTime().UnixMicro()) != ad.mtime {
		return fmt.Errorf("%s: changed while it was read", ad.path)
	}
	check, err := checkFile(f, ad.size)
	if err != nil {
		return err
	}
	table, summed := r.Sums()
	if table != nil && summed != ad.size {
		return fmt.Errorf("%s: changed while it was read", ad.path)
	}
	s := r.Stats()
	row := tables.Segment{Segment: int32(ad.Segment), Kind: r.Format(), Sensor: ad.sensor, Site: ad.site,
		Path: ad.path, InPlace: true, Packets: s.Packets, Bytes: ad.size, MTime: ad.mtime, Check: check, Layout: r.Layout(), Sums: table}
	if s.Packets > 0 {
		row.TS, row.TSEnd = tables.Some(tables.Time(s.First/1000)), tables.Some(tables.Time(s.Last/1000))
	}
	ad.tx.done = append(ad.tx.done, row)
	return nil
}

// Moved finds a capture in place again that is not where it was: path has its content.
// It tells whether there was one to be found; its packets keep their ids.
func (a *Archive) Moved(path string) (bool, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return false, err
	}
	c, err := a.Catalog()
	if err != nil {
		return false, err
	}
	for i := range c.segments {
		s := &c.segments[i]
		if !s.InPlace || s.State == StateAvailable || s.Evicted != nil {
			continue
		}
		row, err := a.movedTo(s, abs)
		if err != nil || row == nil {
			if err != nil {
				return false, err
			}
			continue
		}
		tx, err := a.Begin(tables.Importer)
		if err != nil {
			return false, err
		}
		if _, err := WriteRows(tx, "e", []tables.Segment{*row}); err != nil {
			return false, errors.Join(err, tx.Abort())
		}
		return true, tx.Commit()
	}
	return false, nil
}

// movedTo is a segment's row for a file it may be now; nil if it is not.
func (a *Archive) movedTo(s *SegmentInfo, path string) (*tables.Segment, error) {
	f, err := a.disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil || st.Size() != s.Bytes {
		return nil, err
	}
	if check, err := checkFile(f, st.Size()); err != nil || check != s.Check {
		return nil, err
	}
	list, err := readSegments(s.rows) // with its checksums
	if err != nil {
		return nil, err
	}
	for i := range list {
		if row := &list[i]; row.Segment == s.Segment.Segment {
			row.Path, row.MTime = path, tables.Time(st.ModTime().UnixMicro())
			return row, nil
		}
	}
	return nil, nil
}

// checkFile hashes the first and last 64 KiB of a file.
func checkFile(f io.ReaderAt, size int64) (string, error) {
	var h xxh3.Hasher128
	buf := make([]byte, checkBytes)
	for _, at := range []int64{0, max(0, size-checkBytes)} {
		n, err := f.ReadAt(buf, at)
		if err != nil && err != io.EOF {
			return "", err
		}
		h.Write(buf[:n])
	}
	sum := h.Sum128().Bytes()
	return fmt.Sprintf("%x", sum[:]), nil
}

// verification says whether an in-place file, as it was then, is the one that
// was indexed.
type verification struct {
	size  int64
	mtime time.Time
	good  bool
}

func (v verification) of(st fs.FileInfo) bool {
	return v.size == st.Size() && v.mtime.Equal(st.ModTime())
}

// openSegment opens a segment for reading. An in-place file must still be what
// was indexed; its ends are hashed the first time, and whenever it was touched.
func (a *Archive) openSegment(s *SegmentInfo) (disk.File, error) {
	if !s.InPlace && a.away(s.Path) {
		return nil, &fs.PathError{Op: "open", Path: s.AbsPath, Err: ErrAway}
	}
	f, err := a.disk.Open(s.AbsPath)
	if err != nil {
		return nil, err
	}
	if !s.InPlace {
		return f, nil
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	good := st.Size() == s.Bytes && st.ModTime().UnixMicro() == int64(s.MTime)
	if good {
		known, ok := a.verified.Load(s.Number())
		if ok && known.(verification).of(st) {
			good = known.(verification).good
		} else {
			check, err := checkFile(f, st.Size())
			good = err == nil && check == s.Check
			a.verified.Store(s.Number(), verification{st.Size(), st.ModTime(), good})
			if !good {
				a.forget()
			}
		}
	}
	if !good {
		f.Close()
		return nil, fmt.Errorf("%s: %s", s.AbsPath, StateChanged)
	}
	return f, nil
}
