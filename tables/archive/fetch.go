package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
)

const (
	// fetchGap: reading up to so many unwanted bytes costs less than another
	// read (25,000 scattered packets: 97 ms cold, 309 without the window).
	fetchGap = 16 << 10
	// denseGap replaces it where so many ranges lie in a segment that reading
	// it through is quicker: above 8,000 in 256 MB.
	denseGap       = 1 << 20
	denseBytes     = (256 << 20) / 8000
	fetchRead      = 4 << 20 // longest single read
	fetchWindow    = 2000    // ranges asked of the kernel ahead of reading
	lastRecordSize = 2 << 10 // what the last record of a range is taken to need
)

// Ref is a packet wanted; Owner is handed back with it.
type Ref struct {
	ID    tables.ID
	Owner int32
}

// FetchStats says what a fetch read.
type FetchStats struct {
	Segments, Ranges int
	Bytes, Packets   int64
	Missing          map[uint32]int64 // packets not read, by segment
}

func (s *FetchStats) miss(segment uint32, packets int) {
	if s.Missing == nil {
		s.Missing = map[uint32]int64{}
	}
	s.Missing[segment] += int64(packets)
}

// span is a stretch of a segment that holds refs[first:last].
type span struct {
	from, to    int64
	first, last int
}

// spans coalesces the refs of one segment, which are sorted.
func spans(refs []Ref, gap int64) []span {
	var out []span
	for i, r := range refs {
		off := r.ID.Offset()
		end := off + lastRecordSize
		if n := len(out); n > 0 {
			s := &out[n-1]
			if off <= s.to+gap && end-s.from <= fetchRead {
				s.to, s.last = max(s.to, end), i+1
				continue
			}
		}
		out = append(out, span{off, end, i, i + 1})
	}
	return out
}

// segmentSpans picks the gap by how densely a segment is wanted.
func segmentSpans(refs []Ref) []span {
	out := spans(refs, fetchGap)
	if n := len(out); n > 64 {
		if stretch := out[n-1].to - out[0].from; stretch/int64(n) < denseBytes {
			return spans(refs, denseGap)
		}
	}
	return out
}

// bySegment calls fn for each run of refs in one segment.
func bySegment(refs []Ref, fn func(segment uint32, refs []Ref) error) error {
	for i := 0; i < len(refs); {
		segment := refs[i].ID.Segment()
		j := i
		for j < len(refs) && refs[j].ID.Segment() == segment {
			j++
		}
		if err := fn(segment, refs[i:j]); err != nil {
			return err
		}
		i = j
	}
	return nil
}

// EstimateFetch says how many segments, ranges and bytes a Fetch of these
// refs, sorted by ID, would read. It reads nothing.
func EstimateFetch(refs []Ref) FetchStats {
	var s FetchStats
	bySegment(refs, func(_ uint32, refs []Ref) error {
		all := segmentSpans(refs)
		s.Segments++
		s.Ranges += len(all)
		s.Packets += int64(len(refs))
		for _, p := range all {
			s.Bytes += p.to - p.from
		}
		return nil
	})
	return s
}

// Fetch reads the packets of refs, which are sorted by ID, and calls fn with
// each; rec.Data is valid during the call. Ranges are asked of the kernel a
// window ahead, so that a cold disk works on many at once. Segments that are
// gone, and records that do not make sense, are counted as missing and not
// fatal. An error of fn ends the fetch.
func (a *Archive) Fetch(ctx context.Context, c *Catalog, refs []Ref, fn func(r Ref, rec *Record) error) (FetchStats, error) {
	var stats FetchStats
	err := bySegment(refs, func(segment uint32, refs []Ref) error {
		return a.fetchSegment(ctx, c, segment, refs, fn, &stats)
	})
	return stats, err
}

func (a *Archive) fetchSegment(ctx context.Context, c *Catalog, segment uint32, refs []Ref, fn func(Ref, *Record) error, stats *FetchStats) error {
	f, layout, err := a.openSegment(c, segment)
	if err != nil {
		a.log.Warn("segment can't be read", "segment", segment, "error", err)
		stats.miss(segment, len(refs))
		return nil
	}
	defer f.Close()
	stats.Segments++
	all := segmentSpans(refs)
	asked := 0
	var buf []byte
	var rec Record
	for n, p := range all {
		if err := ctx.Err(); err != nil {
			return err
		}
		if n >= asked-fetchWindow/2 && len(all) > 1 {
			for ; asked < len(all) && asked < n+fetchWindow; asked++ {
				// A hint: where it is refused, reading waits a little longer.
				_ = unix.Fadvise(int(f.Fd()), all[asked].from, all[asked].to-all[asked].from, unix.FADV_WILLNEED)
			}
		}
		if need := int(p.to - p.from); cap(buf) < need {
			buf = make([]byte, need)
		}
		b, err := readAt(f, buf[:p.to-p.from], p.from)
		if err != nil {
			a.log.Warn("packets can't be read", "segment", segment, "offset", p.from, "error", err)
			stats.miss(segment, p.last-p.first)
			continue
		}
		stats.Ranges++
		stats.Bytes += int64(len(b))
		for _, r := range refs[p.first:p.last] {
			off := r.ID.Offset()
			at := b[min(off-p.from, int64(len(b))):]
			ok := decodeAt(f, layout, at, off, &rec)
			if !ok {
				a.log.Warn("packet record is damaged", "segment", segment, "offset", off)
				stats.miss(segment, 1)
				continue
			}
			stats.Packets++
			if err := fn(r, &rec); err != nil {
				return err
			}
		}
	}
	return nil
}

// decodeAt decodes the record at off, whose bytes as far as read are b; it
// reads on its own when they are too few.
func decodeAt(f *os.File, layout *Layout, b []byte, off int64, rec *Record) bool {
	sec := layout.at(off)
	if sec == nil {
		return false
	}
	size, need, bad := sec.record(b, rec)
	for tries := 0; need > len(b) && bad == "" && tries < 3; tries++ {
		if need > maxRecord+blockFrame {
			return false
		}
		grown, err := readAt(f, make([]byte, need), off)
		if err != nil || len(grown) < need {
			return false
		}
		b = grown
		size, need, bad = sec.record(b, rec)
	}
	rec.Offset = off
	return bad == "" && size > 0
}

// readAt reads up to len(b) bytes; the end of the file is no error.
func readAt(f *os.File, b []byte, off int64) ([]byte, error) {
	n, err := f.ReadAt(b, off)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}

// openSegment opens a segment for reading records anywhere.
func (a *Archive) openSegment(c *Catalog, segment uint32) (*os.File, *Layout, error) {
	info, ok := c.Segment(segment)
	if !ok {
		return nil, nil, fmt.Errorf("segment %d is not in the archive", segment)
	}
	if info.State != StateAvailable {
		return nil, nil, fmt.Errorf("segment %d: %s: %s", segment, info.AbsPath, info.State)
	}
	layout, err := DecodeLayout(info.Layout)
	if err != nil {
		return nil, nil, fmt.Errorf("segment %d: %w", segment, err)
	}
	f, err := os.Open(info.AbsPath)
	return f, layout, err
}

// Walk reads a segment from its start, in file order; rec.Data is valid during
// the call. Damage ends the walk quietly: what is behind it is in no row.
func (a *Archive) Walk(ctx context.Context, c *Catalog, segment uint32, fn func(rec *Record) error) error {
	info, ok := c.Segment(segment)
	if !ok || info.State != StateAvailable {
		return nil
	}
	r, err := OpenCapture(info.AbsPath)
	if err != nil {
		return fmt.Errorf("segment %d: %w", segment, err)
	}
	defer r.Close()
	var rec Record
	for n := 0; ; n++ {
		if n&1023 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		if err := r.Next(&rec); err != nil {
			var damage *DamageError
			if errors.Is(err, io.EOF) || errors.As(err, &damage) {
				return nil
			}
			return fmt.Errorf("segment %d: %w", segment, err)
		}
		if err := fn(&rec); err != nil {
			return err
		}
	}
}
