// Package datagrams makes what exporters send, the same bytes for the same
// seed on every machine: flows as a busy site has them (a Source), datagrams
// of NetFlow v5, v9, IPFIX and sFlow v5 that carry them (an Exporter), hostile
// ones (hostile.go), and a Sender that puts them on the wire at a steady pace
// and knows exactly what it sent.
//
// Benchmarks and tests use it; nothing of the product does, and it shares no
// code with the decoders: it is written from the protocols' documents, so that
// a misreading on our side shows.
package datagrams

import (
	"math"
	"net/netip"
)

// Flow is one record of an exporter: packets of one direction.
type Flow struct {
	Src, Dst         netip.Addr
	SrcPort, DstPort uint16 // ICMP: 0 and type·256 + code
	Protocol         uint8
	TOS, TCPFlags    uint8
	Start, End       int64 // microseconds since 1970, whole milliseconds
	Packets, Bytes   uint64
	In, Out          uint32
	SrcAS, DstAS     uint32
	SrcMask, DstMask uint8
	NextHop          netip.Addr
	VLAN             uint16
}

// random is SplitMix64 (Steele, Lea and Flood, 2014).
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func (r *random) intn(n int) int    { return int(r.next() >> 33 % uint64(n)) }
func (r *random) float() float64    { return float64(r.next()>>11) / (1 << 53) }
func (r *random) chance(p int) bool { return r.intn(100) < p }

const (
	clients = 20_000
	servers = 50_000
	// waiting is how many answers wait for their place in the stream: the two
	// directions of a conversation are exported near each other, not adjacent.
	waiting = 64
)

// Source draws flows. Few hosts and ports have most of the traffic, sizes are
// heavy-tailed, and most conversations are two flows, one each way.
type Source struct {
	rng     random
	six     int
	answers [waiting]Flow
	full    [waiting]bool
}

// NewSource returns the flows of a seed; sixPercent of the conversations are
// IPv6.
func NewSource(seed uint64, sixPercent int) *Source {
	return &Source{rng: random(seed * 0x2545f4914f6cdd1d), six: sixPercent}
}

// Next draws a flow that ended within the second before now, which is in
// microseconds since 1970.
func (s *Source) Next(f *Flow, now int64) {
	r := &s.rng
	slot := r.intn(waiting)
	if s.full[slot] {
		*f = s.answers[slot]
		s.full[slot] = false
		s.times(f, now)
		return
	}
	s.conversation(f)
	if answered(f) {
		s.answers[slot] = s.answer(f)
		s.full[slot] = true
	}
	s.times(f, now)
}

// times gives most flows less than a second and none more than a minute, the
// usual active timeout.
func (s *Source) times(f *Flow, now int64) {
	r := &s.rng
	f.End = (now - int64(r.intn(1_000_000))) / 1000 * 1000
	f.Start = f.End
	if f.Packets > 1 {
		f.Start -= int64(math.Exp(9*r.float())*7) * 1000 // 7 ms to 57 s
	}
}

// skewed draws a number below n; the small ones are many times likelier.
func (r *random) skewed(n int) int {
	u := r.float()
	return int(float64(n) * u * u * u)
}

func (s *Source) conversation(f *Flow) {
	r := &s.rng
	client, server := r.skewed(clients), r.skewed(servers)
	six := r.chance(s.six)
	*f = Flow{
		SrcPort: uint16(32768 + r.intn(28000)),
		In:      uint32(1 + client%8), Out: uint32(10 + server%4),
		SrcAS: 64500, DstAS: uint32(1000 + server%700),
		SrcMask: 16, DstMask: uint8(16 + server%9),
		NextHop: netip.AddrFrom4([4]byte{192, 0, 2, byte(1 + server%4)}),
		VLAN:    uint16(10 + client%20),
	}
	if six {
		f.Src, f.Dst = v6(0xfd, client), v6(0x20, server)
		f.SrcMask, f.DstMask = 64, 48
		f.NextHop = v6(0xfe, server%4)
	} else {
		f.Src = netip.AddrFrom4([4]byte{10, byte(client / 64000), byte(client / 250), byte(client%250 + 1)})
		f.Dst = netip.AddrFrom4([4]byte{198, byte(18 + server/62500), byte(server / 250), byte(server%250 + 1)})
	}
	switch n := r.intn(1000); {
	case n < 560: // web
		f.Protocol, f.DstPort = 6, [...]uint16{443, 443, 443, 443, 443, 80, 80, 8080}[r.intn(8)]
		s.session(f, 6)
	case n < 620: // other servers
		f.Protocol, f.DstPort = 6, [...]uint16{22, 25, 993, 445, 3306, 3389, 5432}[r.intn(7)]
		s.session(f, 6)
	case n < 660: // a scan: nobody answers
		f.Protocol, f.DstPort, f.TCPFlags = 6, uint16(1+r.intn(10_000)), 2
		f.Packets = uint64(1 + r.intn(3))
		f.Bytes = 44 * f.Packets
	case n < 700: // QUIC
		f.Protocol, f.DstPort = 17, 443
		s.session(f, 4)
	case n < 900: // DNS
		f.Protocol, f.DstPort, f.Packets = 17, 53, 1
		f.Bytes = uint64(56 + r.intn(40))
	case n < 970:
		f.Protocol, f.DstPort = 17, [...]uint16{123, 5060, 51820, 4500, 161, 514}[r.intn(6)]
		s.session(f, 1)
	case n < 996: // ping
		f.Protocol, f.SrcPort, f.DstPort = 1, 0, 8<<8
		if six {
			f.Protocol, f.DstPort = 58, 128<<8
		}
		f.Packets = uint64(1 + r.intn(5))
		f.Bytes = 84 * f.Packets
	default:
		f.Protocol, f.SrcPort, f.DstPort = 47, 0, 0
		s.session(f, 1)
	}
}

// session draws packets from a Pareto distribution and their sizes.
func (s *Source) session(f *Flow, least float64) {
	r := &s.rng
	f.Packets = uint64(min(500_000, least*math.Pow(1-r.float(), -1/1.2)))
	f.Bytes = f.Packets * uint64(60+r.intn(400))
	if f.Protocol == 6 {
		f.TCPFlags = 0x1b // FIN, SYN, PSH, ACK
		if r.chance(5) {
			f.TCPFlags |= 4
		}
	}
	if r.chance(3) {
		f.TOS = 46 << 2
	}
}

func answered(f *Flow) bool { return f.TCPFlags != 2 }

// answer is the other direction: servers send more than clients.
func (s *Source) answer(f *Flow) Flow {
	a := *f
	a.Src, a.Dst, a.SrcPort, a.DstPort = f.Dst, f.Src, f.DstPort, f.SrcPort
	a.In, a.Out, a.SrcAS, a.DstAS, a.SrcMask, a.DstMask = f.Out, f.In, f.DstAS, f.SrcAS, f.DstMask, f.SrcMask
	switch f.Protocol {
	case 1:
		a.SrcPort, a.DstPort = 0, 0
	case 58:
		a.SrcPort, a.DstPort = 0, 129<<8
	default:
		r := &s.rng
		if f.Packets > 3 {
			a.Packets += uint64(r.intn(int(f.Packets)))
		}
		a.Bytes = a.Packets * uint64(100+r.intn(1300))
	}
	return a
}

func v6(first byte, n int) netip.Addr {
	return netip.AddrFrom16([16]byte{first, 1, 0x0d, 0xb8, 12: 0, 13: byte(n >> 16), 14: byte(n >> 8), 15: byte(n)})
}
