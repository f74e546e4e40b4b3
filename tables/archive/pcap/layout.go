package pcap

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"sort"

	"github.com/wiresql/wiresql/tables"
)

// Interface is a capture interface as its file describes it. A pcap file has
// one without a name.
type Interface struct {
	Link    tables.LinkType
	Name    string
	Snaplen uint32 // 0: no limit
	// Resol is pcapng's if_tsresol: times count units of 10^-Resol seconds,
	// or of 2^-(Resol&127) when bit 7 is set. 6 is µs, 9 ns.
	Resol    uint8
	TSOffset int64 // seconds to add to every time
	// Drops is how many packets the interface lost (isb_ifdrop +
	// isb_osdrop of its last statistics), and ToldAt when that was said, ns; not
	// part of a Layout.
	Drops  tables.Opt[int64]
	ToldAt int64
}

// section is a stretch of a capture file under one byte order and one list of
// interfaces. A pcap file is one section.
type section struct {
	ng         bool
	big        bool  // big-endian
	start      int64 // offset of its first byte
	header     int   // pcap: bytes of a record header
	first      int   // index of its first interface among the file's
	interfaces []Interface
	limit      int64 // pcap: longest caplen believed
}

// record decodes the packet record at the head of b into rec, all but its
// offset. It returns the record's size; or need > len(b), the bytes it takes
// to tell more; or what is wrong. All three zero: a block that is no packet.
func (s *section) record(b []byte, rec *Record) (size, need int, bad string) {
	if s.ng {
		return s.ngRecord(b, rec)
	}
	return s.pcapRecord(b, rec)
}

// prepare computes what decoding needs of interface n.
func (s *section) prepare(n int) {
	if !s.ng {
		s.limit = max(usualRecord, min(int64(s.interfaces[n].Snaplen), maxRecord))
	}
}

func (s *section) u16(b []byte) uint16 {
	if s.big {
		return binary.BigEndian.Uint16(b)
	}
	return binary.LittleEndian.Uint16(b)
}

func (s *section) u32(b []byte) uint32 {
	v := binary.LittleEndian.Uint32(b)
	if s.big {
		v = bits.ReverseBytes32(v)
	}
	return v
}

func (s *section) u64(b []byte) uint64 {
	if s.big {
		return binary.BigEndian.Uint64(b)
	}
	return binary.LittleEndian.Uint64(b)
}

// nano tells that the interface's clock is finer than a microsecond.
func (i *Interface) nano() bool { return i.Resol > 6 }

// nanoseconds converts a time of this interface, saturating at 0 and maxTime.
func (i *Interface) nanoseconds(ticks uint64) int64 {
	var sec, ns uint64
	switch e := i.Resol & 127; {
	case i.Resol == 6:
		sec, ns = ticks/1e6, ticks%1e6*1000
	case i.Resol == 9:
		sec, ns = ticks/1e9, ticks%1e9
	case i.Resol&128 != 0 && e < 64:
		sec = ticks >> e
		hi, lo := bits.Mul64(ticks-sec<<e, 1e9)
		ns = lo>>e | hi<<(64-e) // < 1e9: the high part fits the shift
	case i.Resol&128 == 0 && e <= 19:
		unit := uint64(1)
		for range e {
			unit *= 10
		}
		sec = ticks / unit
		hi, lo := bits.Mul64(ticks%unit, 1e9)
		ns, _ = bits.Div64(hi, lo, unit)
	default: // units so small that 64 bits of them are no nanosecond
	}
	t := int64(min(sec, maxSeconds+1)) + max(min(i.TSOffset, maxSeconds+1), -maxSeconds-1)
	if t < 0 {
		return 0
	}
	return min(min(t, maxSeconds+1)*1_000_000_000+int64(ns), maxTime)
}

// Layout is what decoding a record in the middle of a capture file takes:
// format, byte order, link types and time resolutions of each section. It
// rests in segments.layout as
//
//	version, format (0 pcap, 1 pcapng), sections
//	per section:   start (delta to the one before), flags (1: big-endian),
//	               size of a record header (pcap), interfaces
//	per interface: link type, snaplen, resolution, time offset (zigzag),
//	               length of its name, its name
//	version 2 only, once: how many times of packets without one, and of each
//	               from which offset on (delta) and when (zigzag delta, ns)
//
// all unsigned varints but the name.
type Layout struct {
	ng       bool
	sections []*section
	untimed  []untimed // by offset
}

// Format is "pcap" or "pcapng".
func (l *Layout) Format() string {
	if l.ng {
		return "pcapng"
	}
	return "pcap"
}

// Interfaces lists the interfaces of all sections; Record.Interface is an
// index into it.
func (l *Layout) Interfaces() []Interface {
	out := make([]Interface, 0, l.count())
	for _, s := range l.sections {
		out = append(out, s.interfaces...)
	}
	return out
}

// count is the number of interfaces of all sections.
func (l *Layout) count() int {
	if len(l.sections) == 0 {
		return 0
	}
	s := l.sections[len(l.sections)-1]
	return s.first + len(s.interfaces)
}

// at returns the section that holds offset, or nil.
func (l *Layout) at(offset int64) *section {
	n := sort.Search(len(l.sections), func(i int) bool { return l.sections[i].start > offset })
	if n == 0 {
		return nil
	}
	return l.sections[n-1]
}

// Record decodes the record whose header stands at offset in its file and at
// the head of b; rec.Data is within b. It returns need > len(b), the bytes it
// takes to tell more, or what is wrong: a position that no reader gave may be in
// the middle of anything.
func (l *Layout) Record(offset int64, b []byte, rec *Record) (need int, bad string) {
	s := l.at(offset)
	if s == nil {
		return 0, "no section of the file begins before it"
	}
	size, need, bad := s.record(b, rec)
	if size == 0 && need == 0 && bad == "" {
		bad = "a block that is no packet"
	}
	rec.Offset = offset
	if rec.Untimed {
		rec.TS = l.untimedTime(offset)
	}
	return need, bad
}

// Encode returns the stored form.
func (l *Layout) Encode() []byte {
	format := byte(0)
	if l.ng {
		format = 1
	}
	b := []byte{1, format}
	if len(l.untimed) > 0 {
		b[0] = 2
	}
	b = binary.AppendUvarint(b, uint64(len(l.sections)))
	var last int64
	for _, s := range l.sections {
		b = binary.AppendUvarint(b, uint64(s.start-last))
		last = s.start
		flags := byte(0)
		if s.big {
			flags = 1
		}
		b = append(b, flags, byte(s.header))
		b = binary.AppendUvarint(b, uint64(len(s.interfaces)))
		for _, i := range s.interfaces {
			b = binary.AppendUvarint(b, uint64(i.Link))
			b = binary.AppendUvarint(b, uint64(i.Snaplen))
			b = append(b, i.Resol)
			b = binary.AppendVarint(b, i.TSOffset)
			b = binary.AppendUvarint(b, uint64(len(i.Name)))
			b = append(b, i.Name...)
		}
	}
	return l.appendUntimed(b)
}

var errLayout = errors.New("capture layout is damaged")

// DecodeLayout reads the stored form.
func DecodeLayout(b []byte) (*Layout, error) {
	d := varints{b: b}
	version := d.byte()
	if d.bad || version != 1 && version != 2 {
		return nil, fmt.Errorf("capture layout version %d", version)
	}
	l := &Layout{}
	switch d.byte() {
	case 0:
	case 1:
		l.ng = true
	default:
		return nil, errLayout
	}
	sections := d.uvarint(maxDeclared)
	var start int64
	total := 0
	for range sections {
		delta := d.uvarint(math.MaxInt64)
		flags, header := d.byte(), int(d.byte())
		count := int(d.uvarint(maxDeclared))
		if d.bad || int64(delta) > math.MaxInt64-start || flags > 1 ||
			!l.ng && (header != 16 && header != 24 || count != 1 || sections != 1) {
			return nil, errLayout
		}
		start += int64(delta)
		s := &section{ng: l.ng, big: flags == 1, start: start, header: header, first: total}
		if total += count; total > maxDeclared {
			return nil, errLayout
		}
		for n := range count {
			var i Interface
			i.Link = tables.LinkType(d.uvarint(math.MaxUint32))
			i.Snaplen = uint32(d.uvarint(math.MaxUint32))
			i.Resol = d.byte()
			i.TSOffset = d.varint()
			i.Name = string(d.bytes(int(d.uvarint(maxName))))
			if d.bad {
				return nil, errLayout
			}
			s.interfaces = append(s.interfaces, i)
			s.prepare(n)
		}
		l.sections = append(l.sections, s)
	}
	if version == 2 {
		l.untimed = d.untimed()
	}
	if d.bad || len(d.b) > 0 {
		return nil, errLayout
	}
	return l, nil
}

// varints reads a sequence of numbers; bad is set, and stays, at the first
// that is missing, malformed or above its limit.
type varints struct {
	b   []byte
	bad bool
}

func (d *varints) byte() byte {
	if b := d.bytes(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

func (d *varints) bytes(n int) []byte {
	if d.bad || n > len(d.b) {
		d.bad = true
		return nil
	}
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *varints) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	if d.bad || n <= 0 || v > limit {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *varints) varint() int64 {
	v, n := binary.Varint(d.b)
	if d.bad || n <= 0 {
		d.bad = true
		return 0
	}
	d.b = d.b[n:]
	return v
}
