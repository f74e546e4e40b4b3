package capture

import "github.com/wiresql/wiresql/tables"

const (
	// maxDatagrams is how many fragmented datagrams are remembered at a time;
	// the oldest is forgotten for a new one. 64 bytes each.
	maxDatagrams = 16384
	// datagramLife is how long (packet time, nanoseconds) later fragments may
	// follow the first: the reassembly timeout of RFC 8200 section 4.5.
	datagramLife = 60e9
)

// datagram names a fragmented IP packet (RFC 791, RFC 8200): what its
// fragments have in common.
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
	slot             int32  // in fragments.ring
}

// fragments remembers the ports of fragmented datagrams, so that later
// fragments find the conversation of the first.
type fragments struct {
	ports map[datagram]transport
	ring  []datagram
	next  int
}

func datagramOf(h *tables.Header) datagram {
	return datagram{h.Src, h.Dst, h.IPID, h.TunnelID, h.Protocol}
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
	f.ports[d] = transport{ns, srcPort, dstPort, old.slot}
}

// later returns the ports for a later fragment.
func (f *fragments) later(h *tables.Header, ns int64) (srcPort, dstPort uint16, ok bool) {
	t, ok := f.ports[datagramOf(h)]
	if !ok || ns-t.ns > datagramLife || t.ns-ns > datagramLife {
		return 0, 0, false
	}
	return t.srcPort, t.dstPort, true
}
