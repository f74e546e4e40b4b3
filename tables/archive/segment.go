package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/zeebo/xxh3"
	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
)

const (
	// packetsDir holds our own packet segments, counterFile the next number.
	packetsDir  = "packets"
	counterFile = "segments.next"

	defaultSegmentBytes = 1 << 30
	maxSegmentBytes     = 1 << 36 // a packet id has 36 bits of offset
	maxSegment          = 1<<28 - 1
	segmentBuffer       = 1 << 20
	partSuffix          = ".part"
	// checkBytes of each end tell an in-place capture from another of the
	// same size and time.
	checkBytes = 64 << 10
)

// nextSegment hands out a segment number. The counter is on disk before the
// number is used, so that a number is never given twice, whatever dies when.
func (a *Archive) nextSegment() (uint32, error) {
	path := filepath.Join(a.dir, counterFile)
	var n uint64 = 1
	text, err := os.ReadFile(path)
	switch {
	case err == nil:
		if n, err = strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err != nil || n == 0 || n > maxSegment {
			return 0, fmt.Errorf("%s: damaged segment counter %q", path, text)
		}
	case !errors.Is(err, os.ErrNotExist):
		return 0, err
	}
	err = a.publish(path, func(f *os.File) error {
		_, err := fmt.Fprintf(f, "%d\n", n+1)
		return err
	})
	return uint32(n), err
}

// publish writes a small file whole: under another name, synced, renamed into
// place, and the directory synced.
func (a *Archive) publish(path string, write func(*os.File) error) error {
	f, err := os.OpenFile(path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = a.sync(f)
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(path+partSuffix, path)
	}
	if err != nil {
		os.Remove(path + partSuffix)
		return err
	}
	return a.syncDir(filepath.Dir(path))
}

func (a *Archive) sync(f *os.File) error {
	if a.options.NoSync {
		return nil
	}
	return f.Sync()
}

func (a *Archive) syncDir(dir string) error {
	if a.options.NoSync {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// packetFiles are the packet files of a transaction.
type packetFiles struct {
	a       *Archive
	open    map[segmentKey]*SegmentWriter
	done    []tables.Segment // whole, named, synced
	written []string         // files of ours, for an abort
}

type segmentKey struct {
	sensor, site string
	link         tables.LinkType
	nano         bool
}

// Packets returns the transaction's open segment writer for this key.
func (p *packetFiles) Packets(sensor, site string, link tables.LinkType, nano bool) (*SegmentWriter, error) {
	key := segmentKey{sensor, site, link, nano}
	if w := p.open[key]; w != nil {
		return w, nil
	}
	w := &SegmentWriter{files: p, key: key, buf: make([]byte, 0, segmentBuffer)}
	if p.open == nil {
		p.open = map[segmentKey]*SegmentWriter{}
	}
	p.open[key] = w
	return w, nil
}

// finish closes all segments and returns their rows and the adopted ones'.
func (p *packetFiles) finish() ([]tables.Segment, error) {
	for _, w := range p.open {
		if err := w.close(); err != nil {
			return nil, err
		}
	}
	p.open = nil
	return p.done, nil
}

// discard removes what was written.
func (p *packetFiles) discard() error {
	var first error
	for _, w := range p.open {
		if w.file != nil {
			w.file.Close()
		}
	}
	for _, path := range p.written {
		for _, name := range []string{path, path + partSuffix} {
			if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) && first == nil {
				first = err
			}
		}
	}
	p.open, p.done, p.written = nil, nil, nil
	return first
}

// SegmentWriter appends packets to little-endian pcap segments of our own,
// beginning a new one when one is full.
type SegmentWriter struct {
	files *packetFiles
	key   segmentKey
	file  *os.File // nil between segments
	path  string   // final name
	buf   []byte
	at    int64 // offset of the next record
	row   tables.Segment
	first int64 // smallest and largest time, ns
	last  int64
}

// Append writes a packet and returns where it is.
func (w *SegmentWriter) Append(rec *Record) (segment uint32, offset int64, err error) {
	size := int64(pcapRecordHeader + len(rec.Data))
	if w.file != nil && w.at+size > w.files.a.segmentBytes() && w.row.Packets > 0 {
		if err := w.close(); err != nil {
			return 0, 0, err
		}
	}
	if w.file == nil {
		if err := w.begin(); err != nil {
			return 0, 0, err
		}
	}
	if len(w.buf)+int(size) > cap(w.buf) {
		if err := w.flush(); err != nil {
			return 0, 0, err
		}
	}
	sub := rec.TS % 1e9
	if !w.key.nano {
		sub /= 1000
	}
	b := w.buf
	b = binary.LittleEndian.AppendUint32(b, uint32(rec.TS/1e9))
	b = binary.LittleEndian.AppendUint32(b, uint32(sub))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(rec.Data)))
	b = binary.LittleEndian.AppendUint32(b, uint32(rec.Length))
	w.buf = append(b, rec.Data...)
	offset = w.at
	w.at += size
	if w.row.Packets == 0 {
		w.first, w.last = rec.TS, rec.TS
	}
	w.first, w.last = min(w.first, rec.TS), max(w.last, rec.TS)
	w.row.Packets++
	return uint32(w.row.Segment), offset, nil
}

func (w *SegmentWriter) begin() error {
	a := w.files.a
	number, err := a.nextSegment()
	if err != nil {
		return fmt.Errorf("segment number: %w", err)
	}
	now := time.Now().UTC()
	relative := filepath.Join(packetsDir, fileSafe(w.key.sensor), now.Format("2006/01/02"), fmt.Sprintf("%010d.pcap", number))
	w.path = filepath.Join(a.dir, relative)
	if err := os.MkdirAll(filepath.Dir(w.path), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(w.path+partSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	w.files.written = append(w.files.written, w.path)
	w.file, w.buf = f, appendPcapHeader(w.buf[:0], w.key.link, w.key.nano)
	w.at = pcapHeader
	w.row = tables.Segment{Segment: int32(number), Kind: "pcap", Sensor: w.key.sensor, Site: w.key.site,
		Path: relative, MTime: tables.Time(now.UnixMicro())}
	return nil
}

func (w *SegmentWriter) flush() error {
	if len(w.buf) == 0 {
		return nil
	}
	_, err := w.file.Write(w.buf)
	w.buf = w.buf[:0]
	return err
}

// close makes the open segment a finished file.
func (w *SegmentWriter) close() error {
	if w.file == nil {
		return nil
	}
	f := w.file
	w.file = nil
	err := func() error {
		if len(w.buf) > 0 {
			if _, err := f.Write(w.buf); err != nil {
				return err
			}
			w.buf = w.buf[:0]
		}
		return w.files.a.sync(f)
	}()
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(w.path+partSuffix, w.path)
	}
	if err == nil {
		err = w.files.a.syncDir(filepath.Dir(w.path))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	i := Interface{Link: w.key.link, Resol: 6, Snaplen: usualRecord}
	if w.key.nano {
		i.Resol = 9
	}
	s := &section{header: pcapRecordHeader, interfaces: []Interface{i}}
	layout := Layout{sections: []*section{s}}
	w.row.Bytes = w.at
	w.row.Layout = layout.Encode()
	w.row.TS, w.row.TSEnd = tables.Some(tables.Time(w.first/1000)), tables.Some(tables.Time(w.last/1000))
	w.files.done = append(w.files.done, w.row)
	return nil
}

func (a *Archive) segmentBytes() int64 {
	if n := a.options.SegmentBytes; n > 0 {
		return min(n, maxSegmentBytes)
	}
	return defaultSegmentBytes
}

// fileSafe turns a sensor's name into a directory's: letters, digits, dot,
// dash and underscore stay.
func fileSafe(name string) string {
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '-', r == '_', r == '.':
			return r
		}
		return '_'
	}, name)
	if strings.Trim(safe, ".") == "" {
		return "_" + safe
	}
	return safe
}

// Adoption is an in-place capture being indexed.
type Adoption struct {
	Segment uint32

	files *packetFiles
	row   tables.Segment
}

// Adopt gives a capture file a segment number and leaves it where it lies.
func (p *packetFiles) Adopt(path, sensor, site string) (*Adoption, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	number, err := p.a.nextSegment()
	if err != nil {
		return nil, fmt.Errorf("segment number: %w", err)
	}
	return &Adoption{Segment: number, files: p, row: tables.Segment{
		Segment: int32(number), Sensor: sensor, Site: site, Path: abs, InPlace: true}}, nil
}

// Finish records the capture once r has been read to its end or damage.
func (ad *Adoption) Finish(r *Reader) error {
	if r.Compressed() {
		return fmt.Errorf("%s: is compressed: packets can't be read from its middle; import it by copy (without --in-place)", ad.row.Path)
	}
	size, mtime, check, err := identity(ad.row.Path)
	if err != nil {
		return err
	}
	if size >= maxSegmentBytes {
		return fmt.Errorf("%s: %d bytes are more than a segment can hold (64 GiB)", ad.row.Path, size)
	}
	stats := r.Stats()
	ad.row.Kind, ad.row.Bytes, ad.row.MTime, ad.row.Check = r.Format(), size, mtime, check
	ad.row.Packets, ad.row.Layout = stats.Packets, r.Layout()
	if stats.Packets > 0 {
		ad.row.TS, ad.row.TSEnd = tables.Some(tables.Time(stats.First/1000)), tables.Some(tables.Time(stats.Last/1000))
	}
	ad.files.done = append(ad.files.done, ad.row)
	return nil
}

// identity is what must stay the same of a file indexed in place.
func identity(path string) (size int64, mtime tables.Time, check string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, 0, "", err
	}
	var h xxh3.Hasher128
	ends := io.MultiReader(io.NewSectionReader(f, 0, checkBytes),
		io.NewSectionReader(f, max(0, st.Size()-checkBytes), checkBytes))
	if _, err := io.Copy(&h, ends); err != nil {
		return 0, 0, "", fmt.Errorf("%s: %w", path, err)
	}
	sum := h.Sum128().Bytes()
	return st.Size(), tables.Time(st.ModTime().UnixMicro()), fmt.Sprintf("%x", sum[:]), nil
}

// segmentState tells whether a segment's packets can be read. Our own files
// must be there in full length; a capture in place must be the file it was.
func segmentState(row *tables.Segment, path string) string {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return StateMissing
	}
	if !row.InPlace {
		if st.Size < row.Bytes {
			return StateMissing
		}
		return StateAvailable
	}
	mtime := tables.Time(st.Mtim.Sec*1e6 + st.Mtim.Nsec/1000)
	if st.Size != row.Bytes || mtime != row.MTime {
		return StateChanged
	}
	if _, _, check, err := identity(path); err != nil {
		return StateMissing
	} else if check != row.Check {
		return StateChanged
	}
	return StateAvailable
}
