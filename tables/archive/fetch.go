package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

const (
	// coalesce is the gap between two wanted packets that is read rather
	// than skipped: cold, 16 KB beat 4 KB and 64 KB.
	coalesce = 16 << 10
	// guess is what is read for a record whose length is not known yet.
	guess = 1600
	// ahead is how many ranges the kernel is told of before they are read:
	// that many reads are in flight at once, which makes a cold fetch five
	// to ten times faster than reading packet by packet.
	ahead = 2000
	// dense is the mean distance of ranges below which the segment is read
	// through instead: 8,000 ranges in 256 MB.
	dense = 256 << 20 / 8000
	// readChunk is how much is read at once.
	readChunk = 1 << 20
)

// Ref is a packet wanted by owner, a number of the caller's.
type Ref struct {
	ID    tables.ID
	Owner int32
}

// FetchStats says what a fetch read.
type FetchStats struct {
	Segments, Ranges int
	Bytes, Packets   int64
	// Missing counts the packets that could not be read, by segment: gone,
	// changed or damaged.
	Missing map[uint32]int64
	// Damage is where a segment was found not to be as it was written.
	Damage map[uint32]error
}

// span is a stretch of a segment that is read at once: refs[from:to].
type span struct {
	start, end int64
	from, to   int
}

// stretches gives the stretches of a segment that hold refs, near ones joined.
func stretches(refs []Ref) iter.Seq[span] {
	return func(yield func(span) bool) {
		var s span
		for i, r := range refs {
			off := r.ID.Offset()
			if i > 0 && off-s.end <= coalesce {
				s.end, s.to = off+guess, i+1
				continue
			}
			if i > 0 && !yield(s) {
				return
			}
			s = span{off, off + guess, i, i + 1}
		}
		if len(refs) > 0 {
			yield(s)
		}
	}
}

// whole is a stretch with the rest of the blocks it begins and ends in, as it is
// read, since blocks have checksums. Stretches are farther apart than that adds.
func (s span) whole() span {
	s.start -= s.start % packetBlock
	s.end += (packetBlock - s.end%packetBlock) % packetBlock
	return s
}

// through tells whether a segment is read through from its first stretch to
// the end of its last, which has n of them.
func through(n int, start, end int64) bool { return n > 1 && int64(n)*dense > end-start }

// spans are what is read of one segment.
func spans(refs []Ref) []span {
	out := slices.Collect(stretches(refs))
	if n := len(out); n > 0 && through(n, out[0].start, out[n-1].end) {
		return []span{{out[0].start, out[n-1].end, 0, len(refs)}}
	}
	return out
}

// bySegment calls fn for each segment's share of refs.
func bySegment(refs []Ref, fn func(segment uint32, refs []Ref) error) error {
	for len(refs) > 0 {
		s := refs[0].ID.Segment()
		n := 1
		for n < len(refs) && refs[n].ID.Segment() == s {
			n++
		}
		if err := fn(s, refs[:n]); err != nil {
			return err
		}
		refs = refs[n:]
	}
	return nil
}

// EstimateFetch says what a Fetch of refs, sorted by ID, would read: all but
// the ends of packets longer than most. It does no I/O. What is gone is
// counted in Missing.
func EstimateFetch(c *Catalog, refs []Ref) FetchStats {
	stats := FetchStats{Missing: map[uint32]int64{}}
	_ = bySegment(refs, func(number uint32, refs []Ref) error {
		s, ok := c.Segment(number)
		if !ok || s.State != StateAvailable {
			stats.Missing[number] += int64(len(refs))
			return nil
		}
		stats.Segments++
		stats.Packets += int64(len(refs))
		n, bytes := 0, int64(0)
		var first, last span
		for one := range stretches(refs) {
			if n == 0 {
				first = one
			}
			last = one
			one = one.whole()
			bytes += max(0, min(one.end, s.Bytes)-one.start)
			n++
		}
		if through(n, first.start, last.end) {
			one := span{start: first.start, end: last.end}.whole()
			n, bytes = 1, min(one.end, s.Bytes)-one.start
		}
		stats.Ranges += n
		stats.Bytes += bytes
		return nil
	})
	return stats
}

// Fetch reads the packets of refs, which are sorted by ID, and calls fn for
// each in that order; rec is valid during the call. Packets that are gone or
// damaged are counted, not an error. An error of fn, or of ctx, ends it.
func (a *Archive) Fetch(ctx context.Context, c *Catalog, refs []Ref, fn func(r Ref, rec *pcap.Record) error) (FetchStats, error) {
	stats := FetchStats{Missing: map[uint32]int64{}, Damage: map[uint32]error{}}
	f := fetcher{ctx: ctx, fn: fn, stats: &stats}
	err := bySegment(refs, func(number uint32, refs []Ref) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		stats.Segments++
		s, ok := c.Segment(number)
		if !ok || s.Evicted != nil {
			stats.Missing[number] += int64(len(refs))
			return nil
		}
		layout, err := pcap.DecodeLayout(s.Layout)
		if err != nil {
			a.log.Warn("packets can't be read", "segment", number, "error", err)
			stats.Missing[number] += int64(len(refs))
			return nil
		}
		file, err := a.openSegment(s)
		if err != nil {
			a.log.Debug("packets can't be read", "segment", number, "error", err)
			stats.Missing[number] += int64(len(refs))
			return nil
		}
		defer file.Close()
		table, err := a.tableOf(s, file)
		if err != nil {
			stats.Missing[number] += int64(len(refs))
			stats.Damage[number] = err
			return nil
		}
		f.file, f.layout, f.segment, f.table, f.end = file, layout, number, table, s.Bytes
		return f.read(refs)
	})
	return stats, err
}

// fetcher reads one segment's packets after the other.
type fetcher struct {
	ctx     context.Context
	fn      func(Ref, *pcap.Record) error
	stats   *FetchStats
	file    disk.File
	layout  *pcap.Layout
	segment uint32
	table   *sums.Table // nil: it has no checksums
	end     int64       // what may be read of the file

	list []span
	at   int // of list, being read
	told int // of list, up to where the kernel was told

	buf   []byte
	start int64 // buf holds the file from here
	rec   pcap.Record
}

func (f *fetcher) read(refs []Ref) error {
	list := spans(refs)
	for i := range list {
		list[i] = list[i].whole()
	}
	f.list, f.told = list, 0
	f.stats.Ranges += len(list)
	if len(list) == 1 && list[0].end-list[0].start > readChunk {
		f.file.Advise(list[0].start, list[0].end-list[0].start, disk.Sequential)
	} else {
		f.file.Advise(0, 0, disk.Random) // no read-ahead beyond what is asked for
	}
	f.buf, f.start = f.buf[:0], 0
	for i := range list {
		if f.at = i; f.told > 0 && f.told < min(len(list), i+ahead/2) {
			f.tell()
		}
		if err := f.ctx.Err(); err != nil {
			return err
		}
		for k, ref := range refs[list[i].from:list[i].to] {
			if k&255 == 255 {
				if err := f.ctx.Err(); err != nil {
					return err
				}
			}
			if err := f.packet(ref, list[i].end); err != nil {
				return err
			}
		}
	}
	return nil
}

// packet reads one record, with what follows it up to end, and hands it over.
// Positions come from row files: a damaged one must find a record no worse
// than its bytes, within the file.
func (f *fetcher) packet(ref Ref, end int64) error {
	off := ref.ID.Offset()
	for need := pcap.RecordHeader; ; {
		b := f.window(off, need, end)
		more, bad := f.layout.Record(off, b, &f.rec)
		if off+int64(more) > f.end {
			bad = "it lies beyond the end"
		}
		if bad == "" && more <= len(b) {
			if f.table == nil {
				break
			}
			err := f.table.CheckPart(f.file, f.buf, f.start, off, off+pcap.RecordHeader+int64(len(f.rec.Data)))
			if err == nil {
				break
			}
			f.stats.Missing[f.segment]++
			if f.stats.Damage[f.segment] == nil {
				f.stats.Damage[f.segment] = err
			}
			return nil
		}
		if bad != "" || len(b) < need { // or the file ends here
			f.stats.Missing[f.segment]++
			return nil
		}
		need = more
	}
	f.stats.Packets++
	return f.fn(ref, &f.rec)
}

// window returns the file's bytes from off, at least n unless it ends before
// or can't be read. What is not buffered is read up to end, but no more than a
// chunk of it.
func (f *fetcher) window(off int64, n int, end int64) []byte {
	if off >= f.start && off+int64(n) <= f.start+int64(len(f.buf)) {
		return f.buf[off-f.start:]
	}
	part := span{start: off, end: off + max(int64(n), min(end-off, readChunk))}.whole()
	size := int(part.end - part.start)
	if cap(f.buf) < size {
		f.buf = make([]byte, size, max(2*size, 64<<10))
	}
	got := f.readAt(f.buf[:size], part.start)
	f.buf, f.start = f.buf[:got], part.start
	f.stats.Bytes += int64(got)
	return f.buf[min(off-part.start, int64(got)):]
}

// readAt reads what is there, up to the end of the file. The first read that
// would have to wait for the disk makes the kernel read ahead from there: as
// long as all is in memory, that would double the cost.
func (f *fetcher) readAt(b []byte, off int64) int {
	got := 0
	if f.told == 0 && len(f.list) > 1 {
		if got = f.file.ReadNow(b, off); got == len(b) {
			return got
		}
		f.tell()
	}
	n, _ := f.file.ReadAt(b[got:], off+int64(got))
	return got + n
}

// tell makes the kernel read the ranges ahead.
func (f *fetcher) tell() {
	for f.told = max(f.told, f.at); f.told < min(len(f.list), f.at+ahead); f.told++ {
		f.file.Advise(f.list[f.told].start, f.list[f.told].end-f.list[f.told].start, disk.WillNeed)
	}
}

// Walk reads a whole segment in file order. It is an error when its packets
// are gone, or damaged since they were recorded.
func (a *Archive) Walk(ctx context.Context, c *Catalog, segment uint32, fn func(rec *pcap.Record) error) error {
	s, ok := c.Segment(segment)
	if !ok {
		return fmt.Errorf("segment %d: %w", segment, fs.ErrNotExist)
	}
	file, err := a.openSegment(s)
	if err != nil {
		return fmt.Errorf("segment %d: %w", segment, err)
	}
	if s.Packets == 0 {
		return file.Close()
	}
	r, err := pcap.Packets(file)
	if err != nil {
		return fmt.Errorf("segment %d: %w", segment, err)
	}
	defer r.Close()
	var rec pcap.Record
	// Behind the last packet an in-place capture may be damaged; its import
	// said so.
	for n := range s.Packets {
		if n&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := r.Next(&rec); errors.Is(err, io.EOF) {
			return fmt.Errorf("segment %d: %w", segment, &pcap.DamageError{File: s.AbsPath, Offset: r.Offset(),
				Reason: fmt.Sprintf("the file ends after %d of %d packets", n, s.Packets)})
		} else if err != nil {
			return fmt.Errorf("segment %d: %w", segment, err)
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
	return nil
}
