package capture

import "github.com/wiresql/wiresql/tables"

const (
	// maxDatagrams is how many fragmented datagrams are remembered at a time;
	// the oldest is forgotten for a new one. 64 bytes each.
	maxDatagrams = 16384
	// datagramLife is how long (packet time, nanoseconds) later fragments may
	// follow the first: the reassembly timeout of RFC 8200 section 4.5.
	datagramLife = 60e9
	// maxEarly is how many fragments wait for the first of their datagram, and
	// earlyLife how long (packet time, nanoseconds): Linux sends the last fragment
	// first, and what overtakes on the way does so by milliseconds.
	maxEarly  = 4096
	earlyLife = 1e9
)

// datagram names a fragmented IP packet: what its fragments have in common (RFC
// 791 section 3.2; RFC 8200 section 4.5, where the protocol is not part of it).
type datagram struct {
	src, dst tables.Addr
	id       uint32
	tunnelID uint32
	protocol uint8
}

// transport is what only the first fragment carries.
type transport struct {
	ns               int64
	srcPort, dstPort uint16 // as in the conversation's key
	protocol         uint8  // behind all IPv6 extension headers
	slot             int32  // in fragments.ring
}

// fragments remembers the ports of fragmented datagrams, so that later
// fragments find the conversation of the first, and the fragments that came
// before it.
type fragments struct {
	ports map[datagram]transport
	ring  []datagram
	next  int

	// Early ones are in a ring, in the order they came, from oldest up to newest;
	// those of a datagram are a chain.
	early          []early
	oldest, newest uint64
	chains         map[datagram]chain
}

// early is a fragment without ports that came before the first of its datagram.
type early struct {
	datagram datagram
	packet   Packet // without Data
	header   tables.Header
	cut      bool
	waits    bool // until it has been metered
	ordinal  uint64
	next     uint64 // of the same datagram
}

type chain struct{ first, last uint64 }

func datagramOf(h *tables.Header) datagram {
	d := datagram{h.Src, h.Dst, h.IPID, h.TunnelID, h.Protocol}
	if !h.Src.Is4() {
		d.protocol = 0
	}
	return d
}

// first notes a first fragment.
func (f *fragments) first(h *tables.Header, ns int64, srcPort, dstPort uint16) {
	if f.ports == nil {
		f.ports = make(map[datagram]transport)
		f.ring = make([]datagram, maxDatagrams)
	}
	d := datagramOf(h)
	old, ok := f.ports[d]
	if !ok {
		if len(f.ports) == maxDatagrams {
			delete(f.ports, f.ring[f.next])
		}
		old.slot = int32(f.next)
		f.ring[f.next] = d
		f.next = (f.next + 1) % maxDatagrams
	}
	f.ports[d] = transport{ns, srcPort, dstPort, h.Protocol, old.slot}
}

// later returns the ports for a later fragment, and puts the protocol of the
// first into its header.
func (f *fragments) later(h *tables.Header, ns int64) (srcPort, dstPort uint16, ok bool) {
	t, ok := f.ports[datagramOf(h)]
	if !ok || ns-t.ns > datagramLife || t.ns-ns > datagramLife {
		return 0, 0, false
	}
	h.Protocol = t.protocol
	return t.srcPort, t.dstPort, true
}

// isEarly tells that a packet is a later fragment whose first has not come, of
// a protocol with ports.
func (f *fragments) isEarly(h *tables.Header, ns int64) bool {
	if h.FragmentOffset == 0 {
		return false
	}
	switch h.Protocol {
	case tables.ProtocolTCP, tables.ProtocolUDP, tables.ProtocolSCTP, tables.ProtocolICMP, tables.ProtocolICMPv6:
	default:
		if h.Src.Is4() {
			return false
		}
	}
	t, ok := f.ports[datagramOf(h)]
	return !ok || ns-t.ns > datagramLife || t.ns-ns > datagramLife
}

func (f *fragments) at(n uint64) *early { return &f.early[n%maxEarly] }

// wait keeps a fragment until the first of its datagram comes, or for earlyLife.
func (m *Meter) wait(p *Packet, ordinal uint64) {
	f := &m.frags
	if f.early == nil {
		f.early, f.chains = make([]early, maxEarly), make(map[datagram]chain)
	}
	if f.newest-f.oldest == maxEarly {
		m.release()
	}
	n := f.newest
	f.newest++
	d := datagramOf(p.Header)
	e := f.at(n)
	*e = early{datagram: d, packet: *p, header: *p.Header, cut: len(p.Data) < p.Length, waits: true, ordinal: ordinal}
	e.packet.Data, e.packet.Header = nil, &e.header
	c, ok := f.chains[d]
	if ok {
		f.at(c.last).next = n
	} else {
		c.first = n
	}
	c.last = n
	f.chains[d] = c
}

// arrived meters the fragments that waited for this one.
func (m *Meter) arrived(h *tables.Header, ns int64) {
	f := &m.frags
	d := datagramOf(h)
	c, ok := f.chains[d]
	if !ok {
		return
	}
	delete(f.chains, d)
	for n := c.first; ; n = f.at(n).next {
		m.meterEarly(f.at(n))
		if n == c.last {
			break
		}
	}
	m.expire(ns)
}

// expire meters the fragments that have waited long enough by now.
func (m *Meter) expire(ns int64) {
	for f := &m.frags; f.oldest != f.newest; {
		e := f.at(f.oldest)
		if age := ns - e.packet.TS; e.waits && age > -earlyLife && age < earlyLife {
			return
		}
		m.release()
	}
}

// release takes the oldest out of the ring, and meters it if it still waits.
func (m *Meter) release() {
	f := &m.frags
	e := f.at(f.oldest)
	f.oldest++
	if !e.waits {
		return
	}
	if c := f.chains[e.datagram]; c.first == c.last {
		delete(f.chains, e.datagram)
	} else {
		f.chains[e.datagram] = chain{e.next, c.last}
	}
	m.meterEarly(e)
}

// releaseAll meters all that wait.
func (m *Meter) releaseAll() {
	for m.frags.oldest != m.frags.newest {
		m.release()
	}
}

func (m *Meter) meterEarly(e *early) {
	e.waits = false
	for m.blocks.full() && m.makeRoom() {
	}
	m.flow(&e.packet, e.ordinal, e.cut)
}
