package pcap

import (
	"bytes"
	"fmt"
	"math"

	"github.com/wiresql/wiresql/tables"
)

// The block format (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-02.html):
//
//	block: type u32, total length u32, body, padding to 4, total length u32
//
// A section header block sets the byte order and forgets all interfaces; each
// interface description block adds one, numbered from 0 in its section.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockPacket     = 2 // obsolete
	blockSimple     = 3
	blockStatistics = 5
	blockEnhanced   = 6

	blockFrame = 12 // type and both lengths
	// maxBody bounds the blocks the reader keeps whole: descriptions and
	// statistics. Packets may be longer (maxRecord).
	maxBody = 1 << 20
	// maxName bounds the interface names kept.
	maxName = 255
	// maxLength bounds what a packet may claim to have been on the wire.
	maxLength = math.MaxInt32
)

var pcapngMagic = []byte{0x0a, 0x0d, 0x0d, 0x0a}

// ngRecord decodes the block at the head of b; see section.record.
func (s *section) ngRecord(b []byte, rec *Record) (size, need int, bad string) {
	if len(b) < blockFrame {
		return 0, blockFrame, ""
	}
	kind, total := s.u32(b), s.u32(b[4:])
	var fixed uint32 // bytes before the packet's
	switch kind {
	case blockEnhanced, blockPacket:
		fixed = 28
	case blockSimple:
		fixed = 12
	default:
		return 0, 0, ""
	}
	if total < fixed+4 || total > maxRecord {
		return 0, 0, fmt.Sprintf("packet block of %d bytes", total)
	}
	size = int(total+3) &^ 3 // some writers forget to round up
	if len(b) < size {
		return 0, size, ""
	}
	if t := s.u32(b[size-4:]); t != total {
		return 0, 0, fmt.Sprintf("block lengths differ: %d at its start, %d at its end", total, t)
	}
	room := uint32(size) - fixed - 4
	var caplen, length, number uint32
	var ticks uint64
	switch kind {
	case blockSimple:
		length = s.u32(b[8:])
		caplen = min(length, room)
	case blockPacket:
		number = uint32(s.u16(b[8:]))
		ticks = uint64(s.u32(b[12:]))<<32 | uint64(s.u32(b[16:]))
		caplen, length = s.u32(b[20:]), s.u32(b[24:])
	default:
		number = s.u32(b[8:])
		ticks = uint64(s.u32(b[12:]))<<32 | uint64(s.u32(b[16:]))
		caplen, length = s.u32(b[20:]), s.u32(b[24:])
	}
	if int64(number) >= int64(len(s.interfaces)) {
		return 0, 0, fmt.Sprintf("packet of interface %d, %d are described", number, len(s.interfaces))
	}
	i := &s.interfaces[number]
	if kind == blockSimple && i.Snaplen != 0 {
		caplen = min(caplen, i.Snaplen)
	}
	if caplen > room {
		return 0, 0, fmt.Sprintf("captured length %d in a block with room for %d", caplen, room)
	}
	if length > maxLength {
		return 0, 0, fmt.Sprintf("packet length %d is absurd", length)
	}
	rec.TS, rec.Untimed = 0, kind == blockSimple // see untimed.go
	if !rec.Untimed {
		rec.TS = i.nanoseconds(ticks)
	}
	rec.Length = int(length)
	rec.Interface, rec.InterfaceName = s.first+int(number), i.Name
	rec.Link, rec.Nano = i.Link, i.nano()
	rec.Data = b[fixed : fixed+caplen : fixed+caplen]
	return size, 0, ""
}

// ngBlock consumes one block that is no packet.
func (r *Reader) ngBlock() error {
	off := r.Offset()
	b := r.in.need(blockFrame)
	if len(b) < blockFrame {
		return r.end(off, len(b), blockFrame)
	}
	if bytes.Equal(b[:4], pcapngMagic) {
		return r.ngSection()
	}
	s := r.sec
	kind, total := s.u32(b), s.u32(b[4:])
	if total < blockFrame {
		return r.damage(off, fmt.Sprintf("block of %d bytes", total))
	}
	size := (int64(total) + 3) &^ 3
	if kind == blockInterface || kind == blockStatistics {
		if size > maxBody {
			return r.damage(off, fmt.Sprintf("block type %d of %d bytes", kind, total))
		}
		if b = r.in.need(int(size)); int64(len(b)) < size {
			return r.end(off, len(b), int(size))
		}
		b = b[:size]
		if t := s.u32(b[size-4:]); t != total {
			return r.damage(off, fmt.Sprintf("block lengths differ: %d at its start, %d at its end", total, t))
		}
		body := b[8 : size-4]
		bad := ""
		if kind == blockInterface {
			if r.layout.count() >= maxDeclared {
				return r.damage(off, fmt.Sprintf("more than %d interfaces", maxDeclared))
			}
			bad = s.describe(body)
		} else {
			bad = s.statistics(body)
		}
		if bad != "" {
			return r.damage(off, bad)
		}
		r.in.skip(int(size))
		return nil
	}
	if got := r.in.discard(size - 4); got < size-4 {
		return r.end(off, int(got), int(size))
	}
	if b = r.in.need(4); len(b) < 4 {
		return r.end(off, int(size)-4+len(b), int(size))
	}
	if t := s.u32(b); t != total {
		return r.damage(off, fmt.Sprintf("block lengths differ: %d at its start, %d at its end", total, t))
	}
	r.in.skip(4)
	return nil
}

// ngSection consumes a section header block and starts its section.
func (r *Reader) ngSection() error {
	off := r.Offset()
	const fixed = 28
	b := r.in.need(fixed)
	if len(b) < fixed {
		return r.end(off, len(b), fixed)
	}
	s := &section{ng: true, start: off, first: r.layout.count()}
	const magic = 0x1a2b3c4d
	if s.u32(b[8:]) != magic {
		if s.big = true; s.u32(b[8:]) != magic {
			return r.damage(off, fmt.Sprintf("section header with byte-order magic 0x%x", b[8:12]))
		}
	}
	total := s.u32(b[4:])
	if total < fixed || total > maxBody || total%4 != 0 {
		return r.damage(off, fmt.Sprintf("section header of %d bytes", total))
	}
	if major := s.u16(b[12:]); major != 1 {
		return r.damage(off, fmt.Sprintf("pcapng version %d", major))
	}
	if b = r.in.need(int(total)); len(b) < int(total) {
		return r.end(off, len(b), int(total))
	}
	if t := s.u32(b[total-4:]); t != total {
		return r.damage(off, fmt.Sprintf("block lengths differ: %d at its start, %d at its end", total, t))
	}
	if len(r.layout.sections) >= maxDeclared {
		return r.damage(off, fmt.Sprintf("more than %d sections", maxDeclared))
	}
	r.in.skip(int(total))
	r.layout.sections = append(r.layout.sections, s)
	r.sec = s
	return nil
}

// describe adds the interface of an interface description block's body.
func (s *section) describe(b []byte) (bad string) {
	if len(b) < 8 {
		return "interface description truncated"
	}
	i := Interface{Link: tables.LinkType(s.u16(b)), Snaplen: s.u32(b[4:]), Resol: 6}
	s.options(b[8:], func(code uint16, v []byte) {
		switch {
		case code == 2 && len(v) > 0: // if_name
			v, _, _ = bytes.Cut(v, []byte{0})
			i.Name = string(v[:min(len(v), maxName)])
		case code == 9 && len(v) >= 1: // if_tsresol
			i.Resol = v[0]
		case code == 14 && len(v) >= 8: // if_tsoffset
			i.TSOffset = int64(s.u64(v))
		}
	})
	s.interfaces = append(s.interfaces, i)
	s.prepare(len(s.interfaces) - 1)
	return ""
}

// statistics takes the drop counters of an interface statistics block's
// body. They count from the start of the capture: the last block holds.
func (s *section) statistics(b []byte) (bad string) {
	if len(b) < 12 {
		return "interface statistics truncated"
	}
	n := s.u32(b)
	if int64(n) >= int64(len(s.interfaces)) {
		return fmt.Sprintf("statistics of interface %d, %d are described", n, len(s.interfaces))
	}
	var drops int64
	known := false
	s.options(b[12:], func(code uint16, v []byte) {
		if (code == 5 || code == 7) && len(v) >= 8 { // isb_ifdrop, isb_osdrop
			if d := s.u64(v); d < math.MaxInt64-uint64(drops) {
				drops += int64(d)
			}
			known = true
		}
	})
	if i := &s.interfaces[n]; known {
		i.Drops, i.ToldAt = tables.Some(drops), i.nanoseconds(uint64(s.u32(b[4:]))<<32|uint64(s.u32(b[8:])))
	}
	return ""
}

// options walks an option list; a torn end is ignored, as every reader does.
func (s *section) options(b []byte, fn func(code uint16, value []byte)) {
	for len(b) >= 4 {
		code, n := s.u16(b), int(s.u16(b[2:]))
		if code == 0 || 4+n > len(b) {
			return
		}
		fn(code, b[4:4+n])
		b = b[min(4+(n+3)&^3, len(b)):]
	}
}
