package observe

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// What does not fit in a TCP conversation is told of in rows of oddities: an end's of
// one kind, those of a minute in one.
const (
	oddLife  = 60e9
	oddOfOne = 64
	// maxTail is how many of the last bytes of a direction are remembered, to compare
	// with what is sent again. All streams together have maxTails; beyond that they
	// have none.
	maxTail  = 2 << 10
	maxTails = 16 << 20
	// spareTails are at hand for the streams to come.
	spareTails = 256
)

// odd counts what is odd about bytes of one end.
func (o *Observer) odd(kind string, of *Peers, side int, from *Origin, size int) {
	all := tables.Oddity{Sensor: of.Sensor, Site: of.Site, Kind: kind}
	sender := all
	if side == 0 {
		sender.SentBy, sender.Client = tables.RoleClient, tables.Some(of.Client)
	} else {
		sender.SentBy, sender.Server = tables.RoleServer, tables.Some(of.Server)
	}
	r := sender
	r.Client, r.ClientPort = tables.Some(of.Client), tables.Some(int32(of.ClientPort))
	r.Server, r.ServerPort = tables.Some(of.Server), tables.Some(int32(of.ServerPort))
	r.ConnID = tables.Some(of.Conn)
	o.odds.count(o, *from, of.Conn, size, r, sender, all)
}

func (o *Observer) writeOdd(r *Repeat[tables.Oddity]) {
	row := r.Says
	row.TS, row.TSEnd, row.Packets, row.Bytes = tables.TimeOf(r.From.TS), tables.TimeOf(r.Last), r.Packets, r.Bytes
	row.PacketID, row.FlowID = r.From.packetID(), tables.Some(r.From.FlowID)
	o.write(&row)
}

// Fragment tells of a fragment of IP that carries TCP, of which no payload is read.
func (o *Observer) Fragment(p *Packet) {
	defer o.survive(nil)
	o.clock = p.TS
	of, from := p.peers(), p.origin()
	o.odd(tables.OddFragments, &of, p.side(), &from, p.Header.L3Length)
}

// keep remembers the bytes that were read last.
func (o *Observer) keep(h *half, b []byte) {
	if len(b) == 0 {
		return
	}
	if h.tail == nil {
		if o.tails+maxTail > maxTails {
			return
		}
		if n := len(o.spare); n > 0 {
			h.tail, o.spare = o.spare[n-1], o.spare[:n-1]
		} else {
			h.tail = make([]byte, 0, maxTail)
		}
		o.tails += maxTail
	}
	if len(b) >= maxTail {
		h.tail = append(h.tail[:0], b[len(b)-maxTail:]...)
		return
	}
	if over := len(h.tail) + len(b) - maxTail; over > 0 {
		h.tail = h.tail[:copy(h.tail, h.tail[over:])]
	}
	h.tail = append(h.tail, b...)
}

// release forgets what both directions remember, when they are over.
func (o *Observer) release(s *stream) {
	for i := range s.half {
		h := &s.half[i]
		if h.tail == nil {
			continue
		}
		if o.tails -= maxTail; len(o.spare) < spareTails {
			o.spare = append(o.spare, h.tail[:0])
		}
		h.tail = nil
	}
}

// compare looks whether bytes that come again are those that were read.
func (o *Observer) compare(s *stream, side int, g *segment) {
	h := &s.half[side]
	tail := h.next - uint32(len(h.tail)) // number of its first byte
	from, again := max(int(int32(tail-g.Seq)), 0), g.Data[:min(int(h.next-g.Seq), len(g.Data))]
	if from >= len(again) || len(g.Data) == 1 { // one byte, again, asks whether somebody is there (RFC 9293 3.8.4)
		return
	}
	again = again[from:]
	at := int(g.Seq + uint32(from) - tail)
	before := h.tail[at : at+len(again)]
	if bytes.Equal(again, before) {
		return
	}
	n := 0
	for i := range again {
		if again[i] != before[i] {
			n++
		}
	}
	o.odd(tables.OddConflict, &s.of, side, &g.From, n)
}

// astray tells of a segment whose number is out of any window. It is not read, and
// neither are those that follow it, unless they follow it closely: then the numbers
// go on from there.
func (o *Observer) astray(s *stream, side int, g *segment) bool {
	h := &s.half[side]
	d := int32(g.Seq - h.next)
	if d < farAhead && d > -farAhead {
		h.strayed = false
		return false
	}
	if h.strayed && g.Seq == h.stray {
		h.strayed = false
		return false
	}
	h.strayed, h.stray = true, g.Seq+uint32(len(g.Data)+g.Lost)
	o.odd(tables.OddNumber, &s.of, side, &g.From, len(g.Data)+g.Lost)
	return true
}

// misread tells of a segment whose checksum is wrong, though its sender fills them in:
// who it is for drops it. Until more are right than are not, they come from a card behind the
// capture, or who made it has changed addresses: then one in 65,536 is right by chance.
func (o *Observer) misread(s *stream, side int, p *Packet) bool {
	h := &s.half[side]
	switch checked(p) {
	case sumRight:
		h.sums = min(h.sums+1, maxSums)
	case sumWrong:
		if h.sums <= 0 {
			h.sums = max(h.sums-1, -maxSums)
		} else {
			from := p.origin()
			o.odd(tables.OddChecksum, &s.of, side, &from, len(p.Payload))
			return true
		}
	}
	return false
}

// maxWhole is the longest segment of a network with Ethernet's usual packets of 1500 bytes. A card
// that joins longer ones may leave the checksum of their first.
const maxWhole = 1480

// maxSums are as many checksums as are counted.
const maxSums = 1 << 20

// What a checksum of TCP is.
const (
	sumUnknown = iota // not all of the segment is there, or it is not the one that was sent
	sumRight
	sumUnfilled // the sender's card, which comes behind its capture, fills it in
	sumWrong
)

// checked compares a segment with its checksum (RFC 9293 3.1). Behind headers that send a packet
// by way of others the address it was made for is another: those are not compared.
func checked(p *Packet) int {
	h, b := p.Header, p.Segment
	plain := 40
	if h.Src.Is4() {
		plain = 20
	}
	if len(b) < 20 || h.L4Offset-h.L3Offset != plain {
		return sumUnknown
	}
	src, dst := h.Src.As16(), h.Dst.As16()
	a, c := src[:], dst[:]
	if h.Src.Is4() {
		a, c = src[12:], dst[12:]
	}
	pseudo := sum(a) + sum(c) + tables.ProtocolTCP + uint64(len(b))
	switch said := binary.BigEndian.Uint16(b[16:]); {
	case folded(pseudo+sum(b)) == 0xffff:
		return sumRight
	case said == 0 || said == folded(pseudo) || said == folded(pseudo-uint64(len(b))): // Windows leaves out the length of what its card cuts
		return sumUnfilled
	case len(b) > maxWhole:
		return sumUnknown
	}
	return sumWrong
}

// sum adds up 16-bit words, as it may eight bytes at a time (RFC 1071 2).
func sum(b []byte) uint64 {
	var s, carry uint64
	for ; len(b) >= 8; b = b[8:] {
		s, carry = bits.Add64(s, binary.BigEndian.Uint64(b), carry)
	}
	s, carry = bits.Add64(s, 0, carry)
	s = s>>32 + s&0xffffffff + carry
	for ; len(b) >= 2; b = b[2:] {
		s += uint64(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		s += uint64(b[0]) << 8
	}
	return s
}

func folded(s uint64) uint16 {
	for s > 0xffff {
		s = s>>16 + s&0xffff
	}
	return uint16(s)
}

// early is where a segment that comes early belongs among those that wait: behind those of the same
// number, for what came first counts.
func (h *half) early(seq uint32) int {
	i, _ := slices.BinarySearchFunc(h.ahead, seq, func(have segment, seq uint32) int {
		if int32(have.Seq-seq) <= 0 {
			return -1
		}
		return 1
	})
	return i
}
