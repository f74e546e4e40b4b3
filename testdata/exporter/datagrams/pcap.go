package datagrams

import (
	"encoding/binary"
	"io"
	"net/netip"
)

// Pcap writes a capture of raw IP packets, IPv4 and UDP or TCP, with
// microseconds: no more than what the product reads of real ones.
type Pcap struct {
	w   io.Writer
	buf []byte
}

// NewPcap writes the file's header.
func NewPcap(w io.Writer) (*Pcap, error) {
	le := binary.LittleEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint32(b, 65535)
	b = le.AppendUint32(b, 101) // LINKTYPE_RAW
	_, err := w.Write(b)
	return &Pcap{w: w, buf: b}, err
}

// UDP writes a datagram that was seen at, in microseconds since 1970.
func (p *Pcap) UDP(at int64, from, to netip.AddrPort, payload []byte) error {
	return p.packet(at, 17, from, to, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
		b = append(b, 0, 0) // no checksum
		return append(b, payload...)
	})
}

// TCP writes a segment with flags and so many bytes of zeros.
func (p *Pcap) TCP(at int64, from, to netip.AddrPort, sequence, acknowledged uint32, flags byte, payload int) error {
	return p.packet(at, 6, from, to, func(b []byte) []byte {
		b = binary.BigEndian.AppendUint32(b, sequence)
		b = binary.BigEndian.AppendUint32(b, acknowledged)
		b = append(b, 5<<4, flags, 0xff, 0xff, 0, 0, 0, 0)
		return append(b, make([]byte, payload)...)
	})
}

// packet writes an IPv4 packet whose transport begins with ports.
func (p *Pcap) packet(at int64, protocol byte, from, to netip.AddrPort, transport func([]byte) []byte) error {
	const record, ip = 16, 20
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(p.buf[:0], uint32(at/1e6))
	b = le.AppendUint32(b, uint32(at%1e6))
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = append(b, 0x45, 0, 0, 0, 0, 0, 0, 0, 64, protocol, 0, 0)
	src, dst := from.Addr().As4(), to.Addr().As4()
	b = append(b, src[:]...)
	b = append(b, dst[:]...)
	b = be.AppendUint16(b, from.Port())
	b = be.AppendUint16(b, to.Port())
	b = transport(b)
	length := len(b) - record
	le.PutUint32(b[8:], uint32(length))
	le.PutUint32(b[12:], uint32(length))
	be.PutUint16(b[record+2:], uint16(length))
	be.PutUint16(b[record+10:], checksum(b[record:record+ip]))
	p.buf = b
	_, err := p.w.Write(b)
	return err
}

// checksum is the Internet checksum (RFC 1071).
func checksum(b []byte) uint16 {
	var sum uint32
	for i := 0; i+1 < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
