package capture

import (
	"encoding/binary"
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// assembly puts UDP datagrams together whose IP packets came in pieces: an
// exporter with a small MTU on its way sends IPFIX and sFlow so.
type assembly struct {
	open  map[pieceKey]*pieces
	order []pieceKey // as begun
	// incomplete counts datagrams given up that began like one that is wanted,
	// as far as their first piece is known.
	incomplete int64
}

type pieceKey struct {
	src, dst tables.Addr
	id       uint32
}

// pieces is a datagram being put together: from its UDP header on.
type pieces struct {
	data   []byte
	have   [][2]int // ranges of data, sorted, disjoint
	length int      // 0 until the last piece came
	wanted bool     // the first piece looks like one of a datagram that is
	header tables.Header
}

// What is kept of datagrams in pieces.
const (
	maxAssembled = 256
	maxPieces    = 64
)

// add takes a fragment of a UDP datagram; packet is its IP packet as captured.
// When it is the last one missing, add returns the datagram's payload and the
// header of its first piece.
func (f *assembly) add(h *tables.Header, packet []byte, wanted func(port uint16, data []byte) bool) ([]byte, *tables.Header) {
	start := fragmentStart(packet)
	end := min(h.L3Length, len(packet))
	if start == 0 || start > end || end < h.L3Length {
		return nil, nil // not captured whole: the datagram stays incomplete
	}
	body := packet[start:end]
	at := int(h.FragmentOffset)
	if at+len(body) > 65535 {
		return nil, nil
	}
	key := pieceKey{h.Src, h.Dst, h.IPID}
	p := f.open[key]
	if p == nil {
		if f.open == nil {
			f.open = map[pieceKey]*pieces{}
		}
		if len(f.order) == maxAssembled {
			f.drop(f.order[0])
		}
		p = &pieces{}
		f.open[key] = p
		f.order = append(f.order, key)
	}
	if at == 0 && len(body) >= 8 {
		p.header = *h
		p.wanted = wanted(h.DstPort, body[8:])
	}
	if !h.MoreFragments {
		p.length = at + len(body)
	}
	if n := at + len(body); n > len(p.data) {
		p.data = append(p.data, make([]byte, n-len(p.data))...)
	}
	copy(p.data[at:], body)
	p.cover(at, at+len(body))
	if len(p.have) > maxPieces {
		f.drop(key)
		return nil, nil
	}
	if p.length < 8 || len(p.have) != 1 || p.have[0] != [2]int{0, p.length} {
		return nil, nil
	}
	p.wanted = false // complete: dropping it loses nothing
	f.drop(key)
	data := p.data[:p.length]
	return data[8 : 8+udpLength(data)], &p.header
}

// cover adds a range to those that came.
func (p *pieces) cover(from, to int) {
	p.have = append(p.have, [2]int{from, to})
	slices.SortFunc(p.have, func(a, b [2]int) int { return a[0] - b[0] })
	out := p.have[:1]
	for _, r := range p.have[1:] {
		if last := &out[len(out)-1]; r[0] <= last[1] {
			last[1] = max(last[1], r[1])
		} else {
			out = append(out, r)
		}
	}
	p.have = out
}

func (f *assembly) drop(key pieceKey) {
	if f.open[key].wanted {
		f.incomplete++
	}
	delete(f.open, key)
	f.order = slices.DeleteFunc(f.order, func(k pieceKey) bool { return k == key })
}

// end gives up what is still in pieces.
func (f *assembly) end() {
	for len(f.order) > 0 {
		f.drop(f.order[0])
	}
}

// fragmentStart is where the data of an IP fragment begins; 0 when the packet
// does not show it. Of IPv6, fragments whose fragment header is the first or
// follows others of the unfragmentable part.
func fragmentStart(packet []byte) int {
	if len(packet) < 20 {
		return 0
	}
	if packet[0]>>4 == 4 {
		return int(packet[0]&15) * 4
	}
	next, at := packet[6], 40
	for len(packet)-at >= 8 {
		switch next {
		case 44:
			return at + 8
		case 0, 43, 60:
			next, at = packet[at], at+8*(int(packet[at+1])+1)
		default:
			return 0
		}
	}
	return 0
}

// udpLength is how long a datagram's UDP header says its payload is; 0 and
// nonsense leave it to what there is.
func udpLength(datagram []byte) int {
	if n := int(binary.BigEndian.Uint16(datagram[4:])); n >= 8 && n <= len(datagram) {
		return n - 8
	}
	return len(datagram) - 8
}
