package main

import (
	"encoding/binary"
	"fmt"
	"math"
)

// TCP flag bits.
const (
	fin = 1
	syn = 2
	rst = 4
	psh = 8
	ack = 16
)

// send writes the flow's next packet and sets the time of the one after it.
func (g *generator) send(f *flow) error {
	n, r := f.sent, &f.rng
	f.sent++
	at := f.at
	switch f.kind {
	case kindTCP:
		return g.sendTCP(f, at, n)
	case kindSyn:
		f.at += 1_000_000 << n
		return g.segment(f, at, 0, syn, 0)
	case kindReject:
		f.at += 300
		if n == 0 {
			return g.segment(f, at, 0, syn, 0)
		}
		return g.segment(f, at, 1, rst|ack, 0)
	case kindDNS:
		f.at += 500 + int64(r.intn(20_000))
		return g.datagram(f, at, n, f.question(g.buf[200:200], n == 1))
	case kindPing:
		f.at += 800
		if n%2 == 1 {
			f.at += 1_000_000
		}
		return g.echo(f, at, n)
	}
	dir := 0
	if r.chance(50) {
		dir = 1
	}
	if g.udp {
		dir = n % 2
	}
	f.pause()
	return g.datagram(f, at, dir, g.payload(r, 40+r.intn(900)))
}

// pause moves the time on: trains of packets with pauses between them.
func (f *flow) pause() {
	gap := float64(f.gap)
	if f.rng.chance(10) {
		gap *= 20
	}
	f.at += 1 + int64(-math.Log(1-f.rng.float())*gap)
}

// sendTCP sends the n-th packet of a connection: handshake, data, FINs.
func (g *generator) sendTCP(f *flow, at int64, n int) error {
	r := &f.rng
	switch {
	case f.needle:
		f.at = int64(n+1)*f.gap + int64(r.intn(1000))
	case n < 2 || n >= f.packets-3:
		f.at += 200 + int64(r.intn(3000))
	default:
		f.pause()
	}
	switch n {
	case 0:
		return g.segment(f, at, 0, syn, 0)
	case 1:
		return g.segment(f, at, 1, syn|ack, 0)
	case 2:
		return g.segment(f, at, 0, ack, 0)
	case f.packets - 3:
		return g.segment(f, at, 1, fin|ack, 0)
	case f.packets - 2:
		return g.segment(f, at, 0, fin|ack, 0)
	case f.packets - 1:
		return g.segment(f, at, 1, ack, 0)
	case 3:
		return g.segment(f, at, 0, psh|ack, 120+r.intn(500))
	}
	if f.bulk {
		if n%3 == 0 {
			return g.segment(f, at, 0, ack, 0)
		}
		return g.segment(f, at, 1, ack, 1448)
	}
	if r.chance(50) {
		return g.segment(f, at, 0, psh|ack, 40+r.intn(500))
	}
	return g.segment(f, at, 1, psh|ack, 40+r.intn(700))
}

// payload is a random piece of the pool.
func (g *generator) payload(r *random, n int) []byte {
	at := r.intn(poolLen - 2048)
	return g.pool[at : at+n]
}

// segment writes a TCP segment (RFC 9293) with n bytes of payload.
func (g *generator) segment(f *flow, at int64, dir int, flags byte, n int) error {
	b := g.start(f, dir, 6, 20+n)
	src, dst := f.clientPort, f.serverPort
	if dir == 1 {
		src, dst = dst, src
	}
	b = binary.BigEndian.AppendUint16(b, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint32(b, f.seq[dir])
	acked := f.seq[1-dir]
	if flags&ack == 0 {
		acked = 0
	}
	b = binary.BigEndian.AppendUint32(b, acked)
	b = append(b, 5<<4, flags, 0xfa, 0xf0, 0, 0, 0, 0)
	f.seq[dir] += uint32(n)
	if flags&(syn|fin) != 0 {
		f.seq[dir]++
	}
	return g.write(f, at, b, g.payload(&f.rng, n))
}

// datagram writes a UDP datagram.
func (g *generator) datagram(f *flow, at int64, dir int, payload []byte) error {
	b := g.start(f, dir, 17, 8+len(payload))
	src, dst := f.clientPort, f.serverPort
	if dir == 1 {
		src, dst = dst, src
	}
	b = binary.BigEndian.AppendUint16(b, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	return g.write(f, at, b, payload)
}

// echo writes an ICMP or ICMPv6 echo request or reply.
func (g *generator) echo(f *flow, at int64, n int) error {
	protocol, message := byte(1), byte(8)
	if n%2 == 1 {
		message = 0
	}
	if f.six {
		protocol, message = 58, 128+byte(n%2)
	}
	b := g.start(f, n%2, protocol, 8+56)
	b = append(b, message, 0, 0, 0, byte(f.clientPort>>8), byte(f.clientPort), byte(n>>9), byte(n>>1))
	return g.write(f, at, b, g.payload(&f.rng, 56))
}

// question is a DNS query (RFC 1035) for an address of the flow's host, or the
// answer to it.
func (f *flow) question(b []byte, answer bool) []byte {
	id := f.clientPort ^ uint16(f.host)
	flags, answers := uint16(0x0100), uint16(0)
	if answer {
		flags, answers = 0x8180, 1
	}
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, 0, 1, byte(answers>>8), byte(answers), 0, 0, 0, 0)
	for _, label := range []string{fmt.Sprintf("host%d", f.host), "example", "test"} {
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	b = append(b, 0, 0, 1, 0, 1)
	if answer {
		b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4)
		b = binary.BigEndian.AppendUint32(b, 198<<24|18<<16|uint32(f.host/250%256)<<8|uint32(f.host%250+1))
	}
	return b
}

// start begins a packet in the buffer: room for the record header, then the
// link and IP headers for n bytes of layer 4.
func (g *generator) start(f *flow, dir int, protocol byte, n int) []byte {
	b := g.buf[:16]
	client, server := [6]byte{2, 0, 0, 0, f.client[14], f.client[15]}, [6]byte{2, 1, 0, 0, 0, 1}
	if !f.six {
		client[4], client[5] = f.client[2], f.client[3]
	}
	src, dst := &f.client, &f.server
	if dir == 1 {
		src, dst = dst, src
		client, server = server, client
	}
	b = append(b, server[:]...)
	b = append(b, client[:]...)
	if f.vlan >= 0 {
		b = append(b, 0x81, 0, byte(f.vlan>>8), byte(f.vlan))
	}
	ttl := byte(64 - 12*dir)
	if f.six {
		b = append(b, 0x86, 0xdd, 0x60, 0, 0, 0, byte(n>>8), byte(n), protocol, ttl)
		b = append(b, src[:]...)
		return append(b, dst[:]...)
	}
	b = append(b, 8, 0)
	ip := len(b)
	b = append(b, 0x45, 0, byte((20+n)>>8), byte(20+n), byte(f.sent>>8), byte(f.sent), 0x40, 0, ttl, protocol, 0, 0)
	b = append(b, src[:4]...)
	b = append(b, dst[:4]...)
	var sum uint32
	for i := ip; i < len(b); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum&0xffff + sum>>16
	sum += sum >> 16
	binary.BigEndian.PutUint16(b[ip+10:], ^uint16(sum))
	return b
}

// write puts the record header before the packet and writes both.
func (g *generator) write(f *flow, at int64, b, payload []byte) error {
	n := len(b) - 16 + len(payload)
	binary.LittleEndian.PutUint32(b[0:], uint32(begin+at/1_000_000))
	binary.LittleEndian.PutUint32(b[4:], uint32(at%1_000_000))
	binary.LittleEndian.PutUint32(b[8:], uint32(n))
	binary.LittleEndian.PutUint32(b[12:], uint32(n))
	g.sum.Packets++
	g.sum.Bytes += int64(16 + n)
	if f.needle {
		g.sum.Needle.Packets++
		g.sum.Needle.Bytes += int64(n)
	}
	if _, err := g.w.Write(b); err != nil {
		return err
	}
	_, err := g.w.Write(payload)
	return err
}
