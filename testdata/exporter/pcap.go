package main

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
)

// writePcap writes the datagrams as a capture of raw IP packets, each at the
// time it would have been sent. Exporters are 10.200.0.1 and up.
func (p *plan) writePcap(path, to string) (err error) {
	dst, err := netip.ParseAddrPort(to)
	if err != nil {
		return fmt.Errorf("-to: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	le, be := binary.LittleEndian, binary.BigEndian
	b := le.AppendUint32(nil, 0xa1b2c3d4)
	b = le.AppendUint16(b, 2)
	b = le.AppendUint16(b, 4)
	b = append(b, 0, 0, 0, 0, 0, 0, 0, 0)
	b = le.AppendUint32(b, 65535)
	b = le.AppendUint32(b, 101) // LINKTYPE_RAW
	for i := range p.ends {
		if _, err := w.Write(b); err != nil {
			return err
		}
		d := p.datagram(i)
		at := p.start
		if p.perSecond > 0 {
			at += int64(float64(i) / p.perSecond * 1e6)
		}
		length := uint32(28 + len(d))
		b = le.AppendUint32(b[:0], uint32(at/1e6))
		b = le.AppendUint32(b, uint32(at%1e6))
		b = le.AppendUint32(b, length)
		b = le.AppendUint32(b, length)
		ip := len(b)
		b = append(b, 0x45, 0)
		b = be.AppendUint16(b, uint16(length))
		n := p.from[i] + 1
		b = append(b, 0, 0, 0, 0, 64, 17, 0, 0, 10, byte(200+n>>16), byte(n>>8), byte(n))
		target := dst.Addr().As4()
		b = append(b, target[:]...)
		be.PutUint16(b[ip+10:], checksum(b[ip:]))
		b = be.AppendUint16(b, 50000)
		b = be.AppendUint16(b, dst.Port())
		b = be.AppendUint16(b, uint16(8+len(d)))
		b = append(b, 0, 0) // no checksum
		b = append(b, d...)
	}
	if _, err := w.Write(b); err != nil {
		return err
	}
	return w.Flush()
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
