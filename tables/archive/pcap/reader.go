package pcap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

const (
	// readBuffer is how much of a capture is read at once. libpcap reads
	// 4 KB; most of what an import saves over tcpdump, it saves here.
	readBuffer = 2 << 20
	// usualRecord bounds a record where the file's own snaplen says no more:
	// libpcap's MAXIMUM_SNAPLEN. No file, whatever it claims, makes the
	// reader allocate more than maxRecord for one record.
	usualRecord = 256 << 10
	// headBytes of a capture, decompressed, are its head; the buffer holds them.
	headBytes = readBuffer
	maxRecord = 16 << 20
	// maxDeclared bounds the sections, and the interfaces, of one file: the
	// reader keeps them all, and so does the archive (see Layout).
	maxDeclared = 1 << 16
	// maxWindow bounds what a zstd frame may ask for.
	maxWindow = 128 << 20
	// maxTime is the last instant a pcap record header can hold, 2106-02-07,
	// in nanoseconds. Times outside of [0, maxTime] are moved to its ends
	// when they are read, so that a flow and its packets always agree.
	maxTime    = maxSeconds*1_000_000_000 + 999_999_999
	maxSeconds = 1<<32 - 1
)

// Record is one packet of a capture file.
type Record struct {
	// Offset of the record header (pcap) or block (pcapng) in the
	// decompressed file.
	Offset int64
	// TS is the time of capture, nanoseconds since 1970. A pcapng Simple
	// Packet Block has none: it is Untimed and gets that of the packet before it
	// in the file, at the file's start that of the first that has one, or 0.
	TS      int64
	Untimed bool
	// Length is the packet's length on the wire as the file says; a damaged
	// or odd writer may say less than it captured.
	Length int
	// Interface indexes Reader.Interfaces; InterfaceName is its name or "".
	Interface     int
	InterfaceName string
	Link          tables.LinkType
	// Nano tells that the source's clock is finer than a microsecond.
	Nano bool
	// Data is what was captured of the packet, valid until the next call.
	Data []byte
}

// DamageError says where a capture file stops making sense. All records
// before Offset are good.
type DamageError struct {
	File   string
	Offset int64 // in the decompressed file
	Reason string
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("%s: at offset %d: %s", e.File, e.Offset, e.Reason)
}

// Stats sums up the records read so far.
type Stats struct {
	Packets  int64
	Bytes    int64 // sum of the lengths on the wire
	Cut      int64 // packets captured shorter than they were
	Overlong int64 // packets captured longer than they say they were
	Untimed  int64 // packets without a time of their own
	// First and Last are the smallest and largest time, nanoseconds.
	First, Last int64
}

// Reader reads a capture file from its start: pcap and pcapng in either byte
// order, plain or compressed by gzip or zstd. It is told by its first bytes,
// never by its name.
type Reader struct {
	path   string
	file   *countedFile
	in     stream
	closer func()
	size   int64
	head   string

	ng         bool
	compressed bool
	layout     Layout
	sec        *section // the one being read
	stats      Stats
	timed      bool  // time is known:
	time       int64 // of the last packet with one
	err        error // sticky
}

// Open opens a capture file and reads its header. A file that is no
// capture gives a *DamageError at offset 0.
func Open(path string) (*Reader, error) {
	f, err := disk.Real{}.Open(path)
	if err != nil {
		return nil, err
	}
	return begin(&Reader{path: path, file: &countedFile{File: f}})
}

// OpenSummed is Open of a file whose blocks' checksums are taken as it is read;
// see Sums.
func OpenSummed(path string, block int) (*Reader, error) {
	f, err := disk.Real{}.Open(path)
	if err != nil {
		return nil, err
	}
	return begin(&Reader{path: path, file: &countedFile{File: f}, in: stream{sums: &sums.Writer{Block: block}}})
}

// Packets is Open of a file that is open already, to be read for its packets
// alone: it gets no ContentID. The Reader closes the file, also when it fails.
func Packets(file disk.File) (*Reader, error) {
	return begin(&Reader{path: file.Name(), file: &countedFile{File: file}, in: stream{unhashed: true}})
}

// countedFile counts what is read of a file.
type countedFile struct {
	disk.File
	read atomic.Int64
}

// Read implements io.Reader.
func (f *countedFile) Read(b []byte) (int, error) {
	n, err := f.File.Read(b)
	f.read.Add(int64(n))
	return n, err
}

func begin(r *Reader) (*Reader, error) {
	if err := r.open(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *Reader) open() error {
	st, err := r.file.Stat()
	if err != nil {
		return err
	}
	if st.IsDir() {
		return fmt.Errorf("%s: is a directory", r.path)
	}
	r.size = st.Size()
	// A hint only: a pipe or an odd file system may refuse it.
	r.file.Advise(0, 0, disk.Sequential)

	head := make([]byte, 4)
	n, err := io.ReadFull(r.file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: %w", r.path, err)
	}
	plain := io.MultiReader(bytes.NewReader(head[:n]), r.file)
	switch {
	case n >= 2 && head[0] == 0x1f && head[1] == 0x8b:
		z, err := gzip.NewReader(plain)
		if err != nil {
			return &DamageError{r.path, 0, "gzip: " + err.Error()}
		}
		r.compressed, r.in.src, r.closer = true, z, func() { z.Close() }
	case n == 4 && bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(plain, zstd.WithDecoderConcurrency(1),
			zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(1<<40))
		if err != nil {
			return &DamageError{r.path, 0, "zstd: " + err.Error()}
		}
		r.compressed, r.in.src, r.closer = true, z, z.Close
	default:
		r.in.src = plain
	}
	r.in.buf = make([]byte, readBuffer)
	if !r.in.unhashed {
		r.head = idOf(xxh3.Hash128(r.in.need(headBytes)))
	}
	return r.header()
}

// Ahead has the file read in a goroutine of its own from here on, ahead of what is
// asked for: for who reads all of it.
func (r *Reader) Ahead() {
	passed := r.in.passed
	if r.in.unhashed {
		passed = nil
	}
	r.in.ahead, r.in.unhashed = newReadAhead(r.in.src, passed), true
}

// Keep makes the Data of records valid for longer, with Ahead: each buffer that only
// earlier records lie in is given to spent, from within Next or Batch, and used again
// after Reuse, which another goroutine may call. With nil it is used again at once.
func (r *Reader) Keep(spent func(buf []byte)) { r.in.spent = spent }

// Reuse gives back what spent was given.
func (r *Reader) Reuse(buf []byte) { r.in.ahead.free <- buf }

// header tells the format and reads what every record depends on.
func (r *Reader) header() error {
	b := r.in.need(4)
	if len(b) < 4 {
		if err := r.readError(); err != nil {
			return err
		}
		return &DamageError{r.path, 0, fmt.Sprintf("not a capture: %d bytes long", len(b))}
	}
	if bytes.Equal(b[:4], pcapngMagic) {
		r.ng, r.layout.ng = true, true
		return r.ngSection()
	}
	sec, known := pcapSection(b)
	if !known {
		return &DamageError{r.path, 0, fmt.Sprintf("not a pcap or pcapng capture: it starts with 0x%x", b[:4])}
	}
	if b = r.in.need(FileHeader); len(b) < FileHeader {
		if err := r.readError(); err != nil {
			return err
		}
		return &DamageError{r.path, 0, fmt.Sprintf("file header truncated: %d of %d bytes", len(b), FileHeader)}
	}
	sec.readHeader(b)
	r.in.skip(FileHeader)
	r.layout.sections = append(r.layout.sections, sec)
	r.sec = sec
	return nil
}

// Next reads the next packet. It returns io.EOF at the end of a whole file
// and a *DamageError where the file stops making sense; either stays.
func (r *Reader) Next(rec *Record) error {
	if r.err != nil {
		return r.err
	}
	for {
		if r.ng && !r.timed {
			r.lookAhead()
		}
		off := r.Offset()
		b := r.in.buf[r.in.r:r.in.w]
		size, need, bad := r.sec.record(b, rec)
		if need > len(b) {
			if b = r.in.need(need); len(b) < need {
				return r.end(off, len(b), need)
			}
			continue
		}
		if bad != "" {
			return r.damage(off, bad)
		}
		if size == 0 { // a block that is no packet
			if err := r.ngBlock(); err != nil {
				r.err = err
				return err
			}
			continue
		}
		r.count(rec, off, size)
		return nil
	}
}

// Batch reads the next packet as Next does, and of those that follow as many as
// are in memory already, up to len(recs). Their Data is valid until the next
// call of either.
func (r *Reader) Batch(recs []Record) (n int, err error) {
	if err := r.Next(&recs[0]); err != nil {
		return 0, err
	}
	return 1 + r.More(recs[1:]), nil
}

// More reads of the packets that follow as many as are in memory already, up to
// len(recs). Their Data is valid as long as that of the packets before.
func (r *Reader) More(recs []Record) (n int) {
	for ; n < len(recs); n++ {
		b := r.in.buf[r.in.r:r.in.w]
		size, need, bad := r.sec.record(b, &recs[n])
		if size == 0 || need > len(b) || bad != "" {
			break
		}
		r.count(&recs[n], r.in.base+int64(r.in.r), size)
	}
	return n
}

// count takes a packet that was decoded.
func (r *Reader) count(rec *Record, off int64, size int) {
	r.in.r += size
	rec.Offset = off
	s := &r.stats
	if rec.Untimed {
		s.Untimed++
		rec.TS = r.layout.untimedAt(off, r.time)
	} else {
		r.timed, r.time = true, rec.TS
	}
	if s.Packets == 0 {
		s.First, s.Last = rec.TS, rec.TS
	} else if rec.TS < s.First {
		s.First = rec.TS
	} else if rec.TS > s.Last {
		s.Last = rec.TS
	}
	s.Packets++
	s.Bytes += int64(rec.Length)
	if len(rec.Data) != rec.Length {
		if len(rec.Data) < rec.Length {
			s.Cut++
		} else {
			s.Overlong++
		}
	}
}

// end tells the end of the file from one in the middle of a record.
func (r *Reader) end(off int64, have, need int) error {
	if err := r.readError(); err != nil {
		r.err = err
		return err
	}
	if have == 0 {
		r.err = io.EOF
		return io.EOF
	}
	return r.damage(off, fmt.Sprintf("truncated: the record needs %d bytes, %d are left", need, have))
}

func (r *Reader) damage(off int64, reason string) error {
	r.err = &DamageError{r.path, off, reason}
	return r.err
}

// readError returns what stopped the stream, unless that was its end. What a
// decompressor complains about is damage of the file.
func (r *Reader) readError() error {
	err := r.in.err
	if err == nil || err == io.EOF {
		return nil
	}
	var pe *fs.PathError
	if !r.compressed || errors.As(err, &pe) {
		return fmt.Errorf("%s: at offset %d: %w", r.path, r.in.base+int64(r.in.w), err)
	}
	return &DamageError{r.path, r.in.base + int64(r.in.w), "decompress: " + err.Error()}
}

// Close releases the file.
func (r *Reader) Close() error {
	if r.in.ahead != nil {
		r.in.ahead.close()
		r.in.ahead = nil
	}
	if r.closer != nil {
		r.closer()
		r.closer = nil
	}
	return r.file.Close()
}

// Interfaces lists the interfaces declared so far, over all sections.
func (r *Reader) Interfaces() []Interface { return r.layout.Interfaces() }

// Format is "pcap" or "pcapng".
func (r *Reader) Format() string { return r.layout.Format() }

// Compressed tells that the file is decompressed while it is read: its
// offsets are no offsets of the file on disk.
func (r *Reader) Compressed() bool { return r.compressed }

// Size is the length of the file on disk, bytes.
func (r *Reader) Size() int64 { return r.size }

// Consumed is how much of the file on disk has been read, for progress.
func (r *Reader) Consumed() int64 { return r.file.read.Load() }

// Stats sums up the records read so far.
func (r *Reader) Stats() Stats { return r.stats }

// Offset is where what Next reads begins, in the decompressed file.
func (r *Reader) Offset() int64 { return r.in.base + int64(r.in.r) }

// ContentID is the XXH3-128 of all decompressed bytes in hex: X.pcap and
// X.pcap.gz have one id. Call it after Next has returned an error; what lies
// behind damage is read to the end for it.
func (r *Reader) ContentID() string {
	r.in.drain()
	return idOf(r.in.hash.Sum128())
}

// HeadID is the same of the first 2 MiB of them, and so the ContentID of what has no
// more.
func (r *Reader) HeadID() string { return r.head }

// Short tells that there is no more than the head.
func (r *Reader) Short() bool { return r.in.base+int64(r.in.w) <= headBytes && r.in.err == io.EOF }

func idOf(sum xxh3.Uint128) string {
	b := sum.Bytes()
	return fmt.Sprintf("%x", b[:])
}

// Sums are the checksums of the file's blocks, and how many bytes they are of, all
// of it read to the end: nil unless it was opened by OpenSummed.
func (r *Reader) Sums() (table []byte, size int64) {
	r.in.drain()
	if r.in.sums == nil {
		return nil, 0
	}
	return r.in.sums.Table(nil), r.in.sums.Size()
}

// Layout encodes what decoding a record in the middle of this file takes.
// Call it after Next has returned an error.
func (r *Reader) Layout() []byte { return r.layout.Encode() }

// Drops sums up the packets the file's interface statistics say were lost;
// known is false when the file has none.
func (r *Reader) Drops() (n int64, known bool) {
	for _, i := range r.Interfaces() {
		if i.Drops.Set {
			n, known = n+i.Drops.V, true
		}
	}
	return n, known
}

// stream is a buffered reader that hands out its buffer, knows its offset and
// hashes what passes.
type stream struct {
	src  io.Reader
	buf  []byte
	r, w int   // buf[r:w] is not consumed yet
	base int64 // offset of buf[0]
	err  error // sticky, io.EOF included
	hash xxh3.Hasher128
	sums *sums.Writer // nil: nobody wants them
	// unhashed streams are read for their packets only.
	unhashed bool

	ahead *readAhead   // nil: src is read as needed
	chunk []byte       // of ahead, if buf is one
	spent func([]byte) // see Keep
}

// need returns the unconsumed bytes, at least n of them unless the stream
// ends before. It grows the buffer no further than n asks.
func (s *stream) need(n int) []byte {
	if s.w-s.r >= n || s.err != nil {
		return s.buf[s.r:s.w]
	}
	if s.ahead != nil {
		s.next(n)
		return s.buf[s.r:s.w]
	}
	if n > len(s.buf) {
		grown := make([]byte, n)
		s.w = copy(grown, s.buf[s.r:s.w])
		s.buf = grown
	} else {
		s.w = copy(s.buf, s.buf[s.r:s.w])
	}
	s.base += int64(s.r)
	s.r = 0
	for idle := 0; s.w < n && s.err == nil; {
		got, err := s.src.Read(s.buf[s.w:])
		if !s.unhashed {
			s.passed(s.buf[s.w : s.w+got])
		}
		s.w += got
		s.err = err
		if got > 0 {
			idle = 0
		} else if idle++; idle == 100 && err == nil {
			s.err = io.ErrNoProgress
		}
	}
	return s.buf[s.r:s.w]
}

// passed takes in the stream's next bytes.
func (s *stream) passed(b []byte) {
	s.hash.Write(b)
	if s.sums != nil {
		s.sums.Add(b)
	}
}

func (s *stream) skip(n int) { s.r += n }

// discard skips n bytes of any number without keeping them; it returns how
// many there were.
func (s *stream) discard(n int64) int64 {
	var done int64
	for done < n {
		b := s.need(1)
		if len(b) == 0 {
			break
		}
		k := min(int64(len(b)), n-done)
		s.r += int(k)
		done += k
	}
	return done
}

func (s *stream) drain() {
	s.r = s.w
	for s.err == nil {
		s.need(1)
		s.r = s.w
	}
}
