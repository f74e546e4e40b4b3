package observe

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// A stream is a TCP conversation that is read as its ends read it: bytes in the
// order of their sequence numbers, each once. What comes early waits for what is
// missing, which is given up when more waits than maxAhead, or for longer than
// aheadLife, or when nothing more comes: then a reader is told how much it lacks.
//
// What is read is told from the bytes, not from ports (see recognise). There are
// at most maxStreams at a time, and what they hold is at most maxHeld bytes; for
// more, the one that was silent longest is given up.
type stream struct {
	of   Peers
	half [2]half // 0 is the client's direction
	// reader reads it; none yet while its beginning waits.
	reader reader
	held   int // bytes, as far as they count to Observer.held
}

// half is one direction of a stream.
type half struct {
	next    uint32 // number of the next byte to read
	began   bool   // next is known
	rest    []byte // read already, and not used yet
	ahead   []segment
	waiting int   // bytes of ahead
	since   int64 // when the first of them came

	tail    []byte // the last that were read, before next
	strayed bool   // the one before was out of any window, and
	stray   uint32 // one that follows it has this number
	sums    int32  // right checksums, less those that were not before there were more of these
}

// segment is bytes and the number of the first; lost ones follow.
type segment struct {
	Seq  uint32
	Data []byte
	Lost int
	From Origin
}

// Origin is the packet that bytes came in.
type Origin struct {
	TS       int64
	FlowID   tables.ID
	PacketID tables.ID
	Kept     bool // it has a PacketID
}

// Peers is whose conversation it is.
type Peers struct {
	Conn                   tables.ID
	Client, Server         tables.Addr
	ClientPort, ServerPort uint16
	Sensor, Site           string
}

// reader takes a stream apart. What of it is exported lasts over a restart (see State).
type reader interface {
	// read gets the bytes of a direction that are there and tells how many it
	// used; the others come again with those that follow.
	read(o *Observer, side int, b []byte, from *Origin) (used int)
	// lack tells that bytes did not come. What waits to be used is void.
	lack(o *Observer, side int, rest []byte, n int)
	// end tells that nothing more comes.
	end(o *Observer)
	// over tells that nothing more is needed.
	over() bool
	// opens tells that what follows is of another protocol.
	opens() bool
	// holds is how many bytes it remembers.
	holds() int
}

// Bounds of streams.
const (
	maxStreams = 32768
	// streamLife is the silence after which one is given up: longer than any of
	// the meter's.
	streamLife = 600e9
	maxHeld    = 64 << 20
	// maxRest is how much of a direction waits for the bytes that make it whole.
	maxRest = 64 << 10
	// maxAhead bytes or aheadSegments come at most before one that is missing,
	// which is waited for as long as aheadLife.
	maxAhead      = 256 << 10
	aheadSegments = 256
	aheadLife     = 3e9
	// farAhead is more than a window holds: see astray.
	farAhead = 16 << 20
)

// observeStream reads a segment.
func (o *Observer) observeStream(p *Packet) (f Finding) {
	o.streams.expire(p.TS, o.giveUp)
	s := o.streams.renew(p.ConnID, p.TS)
	side := p.side()
	seq := p.Header.TCPSeq
	if p.Header.TCPFlags&tables.TCPSyn != 0 {
		seq++
	}
	if s == nil {
		early := p.First && p.Begins && seq-p.Begin-1 < farAhead
		kind, of := undecided, p.peers()
		data := o.dataStream(&of, p.FlowID)
		if early || data != nil {
		} else if kind = of.recognise(p.Payload); kind < undecided {
			f := Finding{Service: kind.service(), Encrypted: kind == tlsAfter}
			// What a server says first in clear text decides nothing: the
			// client's STARTTLS is seen on the client's side.
			f.Done = kind != unknown || !p.FromClient
			return f
		}
		if kind == undecided && !early && data == nil && len(p.Payload) < p.Header.PayloadLength {
			return Finding{}
		}
		o.stats.Streams++
		var evicted bool
		s, evicted = o.streams.add(p.ConnID, stream{of: of, reader: data}, p.TS, o.giveUp)
		if evicted {
			o.stats.Evicted++
		}
		if early {
			s.half[side].next, s.half[side].began = p.Begin, true
		}
	}
	return o.advance(s, p, side, seq)
}

// advance reads what a segment adds to a stream.
func (o *Observer) advance(s *stream, p *Packet, side int, seq uint32) (f Finding) {
	h := &s.half[side]
	if !h.began {
		h.next, h.began = seq, true
		if p.First && p.Begins && seq-p.Begin < farAhead {
			h.next = p.Begin
		}
	}
	g := segment{seq, p.Payload, max(p.Header.PayloadLength-len(p.Payload), 0), p.origin()}
	o.finding = Finding{}
	switch d := int32(g.Seq - h.next); {
	case o.misread(s, side, p) || o.astray(s, side, &g):
	case d >= farAhead || d <= -farAhead: // what was between is not waited for
		o.skip(s, side)
		o.gap(s, side, &g)
		o.take(s, side, &g)
	case d <= 0:
		o.take(s, side, &g)
	default:
		h.wait(g, p.TS)
	}
	for len(h.ahead) > 0 {
		if first := &h.ahead[0]; int32(first.Seq-h.next) > 0 {
			if h.waiting <= maxAhead && len(h.ahead) <= aheadSegments && p.TS-h.since <= aheadLife && p.TS >= h.since {
				break
			}
			o.gap(s, side, first)
		}
		o.takeAhead(s, side)
		h.since = p.TS
	}
	f = o.finding
	r := s.reader
	switch {
	case r == nil && len(h.rest) == 0 && len(h.ahead) == 0 && len(s.half[side^1].ahead) == 0:
		f.Done = !p.FromClient && f.Service == ""
		o.forget(p.ConnID, s)
	case r != nil && r.over():
		f.Over = !r.opens()
		o.forget(p.ConnID, s)
	default:
		f.Follow = true
		o.account(s)
	}
	return f
}

// wait keeps a segment that comes early, in order of its number. Numbers wrap:
// order is by signed difference (RFC 9293 3.4).
func (h *half) wait(g segment, ns int64) {
	if len(h.ahead) == 0 {
		h.since = ns
	}
	g.Data = slices.Clone(g.Data)
	h.ahead = slices.Insert(h.ahead, h.early(g.Seq), g)
	h.waiting += len(g.Data)
}

// gap gives up what is missing before a segment.
func (o *Observer) gap(s *stream, side int, g *segment) {
	h := &s.half[side]
	n := int(int32(g.Seq - h.next))
	if n < 0 {
		n = farAhead // nobody knows
	}
	o.odd(tables.OddGap, &s.of, side, &g.From, n)
	o.lack(s, side, n)
	h.next = g.Seq
}

// takeAhead takes the first segment that waits.
func (o *Observer) takeAhead(s *stream, side int) {
	h := &s.half[side]
	g := h.ahead[0]
	h.ahead[0] = segment{}
	h.ahead = h.ahead[1:]
	h.waiting -= len(g.Data)
	o.take(s, side, &g)
}

// skip takes all that waits.
func (o *Observer) skip(s *stream, side int) {
	h := &s.half[side]
	for len(h.ahead) > 0 {
		if first := &h.ahead[0]; int32(first.Seq-h.next) > 0 {
			o.gap(s, side, first)
		}
		o.takeAhead(s, side)
	}
}

// take reads a segment that begins with the next byte, or before it.
func (o *Observer) take(s *stream, side int, g *segment) {
	h := &s.half[side]
	old := int(int32(h.next - g.Seq))
	if old > 0 {
		o.compare(s, side, g)
	}
	if old < 0 || old >= len(g.Data)+g.Lost {
		return // all of it was read before
	}
	b, lost := g.Data[min(old, len(g.Data)):], g.Lost-max(old-len(g.Data), 0)
	h.next += uint32(len(b) + lost)
	o.keep(h, b)
	o.feed(s, side, b, &g.From)
	if lost > 0 {
		o.lack(s, side, lost)
	}
}

// feed gives a reader the bytes that come next.
func (o *Observer) feed(s *stream, side int, b []byte, from *Origin) {
	h := &s.half[side]
	if len(b) == 0 {
		return
	}
	kept := len(h.rest) > 0
	if kept {
		h.rest = append(h.rest, b...)
		b = h.rest
	}
	r := s.reader
	if r == nil {
		r = o.begin(s, b)
	}
	used := 0
	switch {
	case r != nil && r.over():
		used = len(b)
	case r != nil:
		used = r.read(o, side, b, from)
	case s.of.recognise(b) != undecided:
		used = len(b)
	}
	if left := len(b) - used; left == 0 {
		h.rest = nil
	} else if kept {
		h.rest = append(h.rest[:0], b[used:]...)
	} else {
		h.rest = slices.Clone(b[used:])
	}
	if len(h.rest) > maxRest {
		n := len(h.rest)
		if r != nil {
			o.stats.Malformed++
			r.lack(o, side, h.rest, n)
		}
		h.rest = nil
	}
}

// lack tells a reader of bytes that did not come.
func (o *Observer) lack(s *stream, side int, n int) {
	h := &s.half[side]
	o.stats.Gaps++
	h.tail = h.tail[:0]
	if r := s.reader; r != nil {
		r.lack(o, side, h.rest, n)
	}
	h.rest = nil
}

// account counts what a stream holds, and gives others up if it is too much.
func (o *Observer) account(s *stream) {
	held := 0
	for i := range s.half {
		held += cap(s.half[i].rest) + s.half[i].waiting
	}
	if r := s.reader; r != nil {
		held += r.holds()
	}
	o.held += held - s.held
	s.held = held
	for o.held > maxHeld && o.streams.oldest != nil {
		o.stats.Evicted++
		o.streams.drop(o.streams.oldest, o.giveUp)
	}
}

// forget takes a stream out that needs no more.
func (o *Observer) forget(conn tables.ID, s *stream) {
	o.held -= s.held
	s.held = 0
	o.release(s)
	o.streams.remove(conn)
}

// giveUp writes what is known of a stream that is given up, or at its end.
func (o *Observer) giveUp(s *stream) {
	o.held -= s.held
	s.held = 0
	for side := range s.half {
		o.skip(s, side)
	}
	o.release(s)
	if r := s.reader; r != nil && !r.over() {
		for side := range s.half {
			if rest := s.half[side].rest; len(rest) > 0 {
				r.lack(o, side, rest, 0)
				s.half[side].rest = nil
			}
		}
		r.end(o)
	}
}

// End tells that a conversation that was followed is over.
func (o *Observer) End(conn tables.ID) (f Finding) {
	defer o.survive(&f)
	o.finding = Finding{}
	if e := o.streams.find(conn); e != nil {
		o.streams.drop(e, o.giveUp)
	} else if e := o.quic.find(conn); e != nil {
		o.quic.drop(e, o.handshaken)
		o.finding.Encrypted, o.finding.Service = true, serviceQUIC
	}
	return o.finding
}

// hashID is a conversation's id, which is a hash.
func hashID(id tables.ID) uint64 { return uint64(id) }

// side is 0 for packets of the client, 1 for those of the server.
func (p *Packet) side() int {
	if p.FromClient {
		return 0
	}
	return 1
}

func (p *Packet) peers() Peers {
	h := p.Header
	client, server := h.SrcPort, h.DstPort
	if !p.FromClient {
		client, server = server, client
	}
	return Peers{p.ConnID, p.Client, p.Server, client, server, p.Sensor, p.Site}
}

func (p *Packet) origin() Origin {
	return Origin{TS: p.TS, FlowID: p.FlowID, PacketID: p.ID, Kept: p.Kept}
}
