package pcap

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// AppendHeader appends the header of a file in the classic format,
// little-endian, whose times count microseconds, or with nano nanoseconds.
func AppendHeader(b []byte, link tables.LinkType, nano bool) []byte {
	magic := uint32(magicMicro)
	if nano {
		magic = magicNano
	}
	b = binary.LittleEndian.AppendUint32(b, magic)
	b = binary.LittleEndian.AppendUint16(b, 2)
	b = binary.LittleEndian.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, usualRecord)
	return binary.LittleEndian.AppendUint32(b, uint32(link))
}

// AppendRecord appends a packet to a file that AppendHeader began:
// RecordHeader bytes and those of its data. The Reader keeps times within what
// 32 bits of seconds hold.
func AppendRecord(b []byte, rec *Record, nano bool) []byte {
	sec, frac := rec.TS/1e9, rec.TS%1e9
	if !nano {
		frac /= 1000
	}
	var h [RecordHeader]byte
	binary.LittleEndian.PutUint32(h[:], uint32(sec))
	binary.LittleEndian.PutUint32(h[4:], uint32(frac))
	binary.LittleEndian.PutUint32(h[8:], uint32(len(rec.Data)))
	binary.LittleEndian.PutUint32(h[12:], uint32(rec.Length))
	return append(append(b, h[:]...), rec.Data...)
}

// LayoutOf is the layout of a file that AppendHeader began.
func LayoutOf(link tables.LinkType, nano bool) *Layout {
	i := Interface{Link: link, Snaplen: usualRecord, Resol: 6}
	if nano {
		i.Resol = 9
	}
	s := &section{header: RecordHeader, interfaces: []Interface{i}}
	s.prepare(0)
	return &Layout{sections: []*section{s}}
}
