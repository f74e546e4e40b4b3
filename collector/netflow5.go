package collector

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// NetFlow version 5 (Cisco, NetFlow Export Datagram Formats): a header of 24
// octets and records of 48. The header's count is what the exporter claims;
// what is decoded is what is there.
const (
	v5Header = 24
	v5Record = 48
	// v5Plausible is the most records a datagram could hold; a count beyond
	// says nothing about the exporter's flows.
	v5Plausible = (65535 - v5Header) / v5Record
)

// v5Template stands for the only kind of record there is.
var v5Template template

func (w *work) netflow5() {
	b := w.data
	if len(b) < v5Header {
		w.unknown("NetFlow v5 datagram shorter than its header")
		return
	}
	count := int(binary.BigEndian.Uint16(b[2:]))
	seq := binary.BigEndian.Uint32(b[16:])
	s := w.open(streamKey{source: sourceNetFlow5, domain: uint32(binary.BigEndian.Uint16(b[20:]))}, seq)
	if s == nil {
		return
	}
	// Times count from when the device started, in whole milliseconds.
	export := int64(binary.BigEndian.Uint32(b[8:]))*1000 + int64(binary.BigEndian.Uint32(b[12:])/1e6)
	uptime := binary.BigEndian.Uint32(b[4:])
	s.clock(tables.Time(export)*1000, w.received)
	// Two bits of mode, 14 of interval; 0 says nothing.
	if !s.override {
		s.row.Sampling = tables.Opt[int64]{}
		if n := binary.BigEndian.Uint16(b[22:]) & 0x3fff; n > 0 {
			s.row.Sampling = tables.Some(int64(n))
		}
		s.options.header = s.row.Sampling
	}

	b = b[v5Header:]
	whole := min(count, len(b)/v5Record)
	units := whole
	if count > whole && count <= v5Plausible {
		units = count
	}
	s.sequence.take(seq, uint32(units), w.received, &s.counts)
	for range whole {
		w.v5Record(b[:v5Record:v5Record], export, uptime)
		b = b[v5Record:]
	}
	if whole < count {
		w.undecodable(len(b), "NetFlow v5 count is more than the datagram holds")
	} else if !padding(b) {
		w.undecodable(len(b), "NetFlow v5 datagram longer than its count")
	}
}

func (w *work) v5Record(b []byte, export int64, uptime uint32) {
	r, again := w.rowOf(&v5Template)
	if again {
		r.ICMPType, r.ICMPCode = tables.Opt[int32]{}, tables.Opt[int32]{}
	}
	r.Src, r.Dst = tables.AddrFrom4(b), tables.AddrFrom4(b[4:])
	r.NextHop = tables.Some(tables.AddrFrom4(b[8:]))
	r.InIf = tables.Some(int64(binary.BigEndian.Uint16(b[12:])))
	r.OutIf = tables.Some(int64(binary.BigEndian.Uint16(b[14:])))
	r.Packets = int64(binary.BigEndian.Uint32(b[16:]))
	r.Bytes = int64(binary.BigEndian.Uint32(b[20:]))
	first, last := binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:])
	r.SrcPort = int32(binary.BigEndian.Uint16(b[32:]))
	r.DstPort = int32(binary.BigEndian.Uint16(b[34:]))
	r.TCPFlags = tables.Some(int32(b[37]))
	r.Protocol = int32(b[38])
	r.TOS = tables.Some(int32(b[39]))
	r.SrcAS = tables.Some(int64(binary.BigEndian.Uint16(b[40:])))
	r.DstAS = tables.Some(int64(binary.BigEndian.Uint16(b[42:])))
	r.SrcMask = tables.Some(int32(b[44]))
	r.DstMask = tables.Some(int32(b[45]))
	w.times(r, sinceBoot(export, uptime, first), sinceBoot(export, uptime, last), 1000, w.received)
	if isICMP(r.Protocol) {
		icmpFromPort(r)
	}
	w.seal(r)
}

// padding tells whether what follows the records is only that: zeros, or less
// than a word.
func padding(b []byte) bool {
	if len(b) < 4 {
		return true
	}
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}
