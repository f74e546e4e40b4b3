package pcap

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/wiresql/wiresql/tables"
)

// The classic capture format (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html):
//
//	file:   magic u32, version u16 u16, zone i32, sigfigs u32, snaplen u32, linktype u32
//	record: seconds u32, fraction u32, caplen u32, length u32, then caplen bytes
//
// in the byte order of the magic, which also says what the fraction counts.
const (
	// FileHeader and RecordHeader are the bytes of the headers, of all but
	// old, patched files.
	FileHeader   = 24
	RecordHeader = 16

	magicMicro = 0xa1b2c3d4
	magicNano  = 0xa1b23c4d
	// magicPatched files (old Red Hat and SUSE libpcap) have eight more
	// bytes in each record header: ifindex, protocol, packet type.
	magicPatched = 0xa1b2cd34
)

// pcapSection tells the byte order, resolution and header size from a magic.
func pcapSection(b []byte) (*section, bool) {
	s := &section{header: RecordHeader}
	m := binary.LittleEndian.Uint32(b)
	switch m {
	case magicMicro, magicNano, magicPatched:
	default:
		m, s.big = bits.ReverseBytes32(m), true
	}
	i := Interface{Resol: 6}
	switch m {
	case magicMicro:
	case magicNano:
		i.Resol = 9
	case magicPatched:
		s.header = 24
	default:
		return nil, false
	}
	s.interfaces = []Interface{i}
	return s, true
}

// readHeader takes the link type and the snaplen from a file header.
func (s *section) readHeader(b []byte) {
	i := &s.interfaces[0]
	i.Snaplen = s.u32(b[16:])
	// The upper half holds the length of a frame check sequence, if any.
	i.Link = tables.LinkType(s.u32(b[20:]) & 0xffff)
	s.prepare(0)
}

// pcapRecord decodes the record at the head of b; see section.record.
func (s *section) pcapRecord(b []byte, rec *Record) (size, need int, bad string) {
	if len(b) < s.header {
		return 0, s.header, ""
	}
	sec, frac, caplen, length := s.u32(b), s.u32(b[4:]), s.u32(b[8:]), s.u32(b[12:])
	if int64(caplen) > s.limit {
		return 0, 0, fmt.Sprintf("captured length %d is over the limit of %d", caplen, s.limit)
	}
	if length > maxLength {
		return 0, 0, fmt.Sprintf("packet length %d is absurd", length)
	}
	size = s.header + int(caplen)
	if len(b) < size {
		return 0, size, ""
	}
	i := &s.interfaces[0]
	ts := int64(sec) * 1e9
	if i.Resol == 9 {
		ts += int64(frac)
	} else {
		ts += int64(frac) * 1000
	}
	rec.TS, rec.Untimed = min(ts, maxTime), false
	rec.Length = int(length)
	rec.Interface, rec.InterfaceName = s.first, ""
	rec.Link, rec.Nano = i.Link, i.Resol == 9
	rec.Data = b[s.header:size:size]
	return size, 0, ""
}
