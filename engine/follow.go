package engine

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// What the ends of a conversation said to each other, as text: follow(packet_id)
// and stream(conn_id). TCP is put in the order of its sequence numbers, each
// byte once; what never came, or was not captured, is said where it lacks.

// heard is a packet with payload, or one that begins or ends a direction of TCP.
type heard struct {
	ts      int64
	id      tables.ID
	from    end
	to      end
	proto   uint8
	flags   uint16
	seq     uint32
	ack     uint32
	payload []byte
	lost    int // bytes behind it that were not captured
}

type end struct {
	addr tables.Addr
	port uint16
}

func (e end) compare(o end) int { return cmp.Or(e.addr.Compare(o.addr), cmp.Compare(e.port, o.port)) }

func (e end) String() string {
	host := e.addr.String()
	if !e.addr.Is4() {
		host = "[" + host + "]"
	}
	return fmt.Sprintf("%s:%d", host, e.port)
}

// heardBytes is what a packet takes beside its payload while it is held.
const heardBytes = 128

// Follow implements pushdown.Session.
func (s *querySession) Follow(packets []tables.ID) ([]byte, error) {
	snap, err := s.engine.snapshot(s.ctx)
	if err != nil {
		return nil, err
	}
	refs := make([]archive.Ref, len(packets))
	for i, id := range packets {
		refs[i].ID = id
	}
	limit := s.functions.TextLimit()
	var all []heard
	held := 0
	stats, err := s.engine.archive.Fetch(s.ctx, snap.catalog, refs, func(ref archive.Ref, rec *pcap.Record) error {
		p, ok := hear(ref.ID, rec)
		if !ok || len(p.payload)+p.lost == 0 && p.flags&tables.TCPSyn == 0 {
			return nil
		}
		if held += len(p.payload) + heardBytes; held/4 > limit {
			return functions.Errorf(1153, "Got a packet bigger than 'max_allowed_packet' bytes: the packets are too many to be followed; ask for fewer")
		}
		all = append(all, p)
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, m := range slices.Concat(snap.unreadable(refs), snap.unread(&stats)) {
		s.functions.Warn(1105, m)
	}
	text, cut := followed(all, limit)
	if cut {
		s.functions.Warn(1105, fmt.Sprintf("what was followed is longer than 'max_allowed_packet' (%d bytes) and was cut", limit))
	}
	return text, nil
}

// hear takes over what matters of a record.
func hear(id tables.ID, rec *pcap.Record) (heard, bool) {
	var h tables.Header
	tables.Decode(rec.Link, rec.Data, rec.Length, &h)
	if !h.IP || h.PayloadLength == 0 && h.TCPFlags&(tables.TCPSyn|tables.TCPFin) == 0 {
		return heard{}, false
	}
	p := heard{ts: rec.TS, id: id, from: end{h.Src, h.SrcPort}, to: end{h.Dst, h.DstPort}, proto: h.Protocol, flags: h.TCPFlags, seq: h.TCPSeq, ack: h.TCPAck}
	if n := min(h.PayloadLength, len(rec.Data)-h.PayloadOffset); h.PayloadLength > 0 && n > 0 {
		p.payload = slices.Clone(rec.Data[h.PayloadOffset : h.PayloadOffset+n])
	}
	p.lost = h.PayloadLength - len(p.payload)
	if at := h.PayloadOffset - 4; h.Fragment && p.proto == tables.ProtocolUDP && at >= 0 && at+2 <= len(rec.Data) {
		// What UDP says is longer than the first fragment, and the others are not put together.
		p.lost = max(p.lost, int(binary.BigEndian.Uint16(rec.Data[at:]))-8-len(p.payload))
	}
	if p.flags&tables.TCPSyn != 0 {
		p.seq++
	}
	return p, true
}

// followed is the text of some packets, conversation by conversation, of limit
// bytes at most.
func followed(all []heard, limit int) (text []byte, cut bool) {
	slices.SortFunc(all, func(a, b heard) int { return cmp.Or(cmp.Compare(a.ts, b.ts), cmp.Compare(a.id, b.id)) })
	type key struct {
		low, high end
		proto     uint8
	}
	of := map[key][]*heard{}
	var order []key
	for i := range all {
		p := &all[i]
		k := key{p.from, p.to, p.proto}
		if p.from.compare(p.to) > 0 {
			k.low, k.high = p.to, p.from
		}
		if of[k] == nil {
			order = append(order, k)
		}
		of[k] = append(of[k], p)
	}
	t := &talk{limit: limit}
	for _, k := range order {
		packets := of[k]
		client := asker(packets)
		t.begin(client, packets[0])
		var halves [2]direction
		for _, p := range packets {
			side := 0
			if p.from != client {
				side = 1
			}
			if p.proto != tables.ProtocolTCP {
				t.turn(-1) // each is one
				t.say(side, p.payload, p.lost)
				continue
			}
			halves[side].hear(t, side, p)
		}
		for side := range halves {
			halves[side].skip(t, side)
		}
		t.turn(-1)
	}
	return t.text, t.cut
}

// asker is the end that began: that of the SYN, else the one that is not at the
// port of a service, else that of the first packet.
func asker(packets []*heard) end {
	for _, p := range packets {
		switch p.flags & (tables.TCPSyn | tables.TCPAck) {
		case tables.TCPSyn:
			return p.from
		case tables.TCPSyn | tables.TCPAck:
			return p.to
		}
	}
	p := packets[0]
	if tables.ServiceName(p.from.port, p.proto) != "" && tables.ServiceName(p.to.port, p.proto) == "" {
		return p.to
	}
	return p.from
}

// direction is one side of a TCP conversation.
type direction struct {
	next  uint32 // number of the next byte
	began bool
	ahead []*heard // in order of their numbers
	since int64    // when the first of them came
}

// What comes early is waited for as long as when packets are recorded.
const (
	heardAhead = 256
	heardLife  = 3e9
)

func (d *direction) hear(t *talk, side int, p *heard) {
	switch {
	case !d.began:
		d.next, d.began = p.seq, true
	case p.flags&tables.TCPSyn != 0 && p.seq != d.next: // the ports were used again
		d.skip(t, side)
		d.next = p.seq
	}
	if len(p.payload)+p.lost == 0 {
		return
	}
	if len(d.ahead) == 0 {
		d.since = p.ts
	}
	// Numbers wrap: order is by signed difference (RFC 9293 3.4).
	at, _ := slices.BinarySearchFunc(d.ahead, p.seq, func(a *heard, seq uint32) int { return int(int32(a.seq - seq)) })
	d.ahead = slices.Insert(d.ahead, at, p)
	for len(d.ahead) > 0 {
		if early := int32(d.ahead[0].seq-d.next) > 0; early && len(d.ahead) <= heardAhead && p.ts-d.since <= heardLife {
			return
		}
		d.take(t, side)
		d.since = p.ts
	}
}

// skip takes all that waits.
func (d *direction) skip(t *talk, side int) {
	for len(d.ahead) > 0 {
		d.take(t, side)
	}
}

// take takes the first that waits, and what lacks before it.
func (d *direction) take(t *talk, side int) {
	p := d.ahead[0]
	d.ahead = d.ahead[1:]
	old := int(int32(d.next - p.seq))
	if old < 0 {
		t.lacks(side, -old, "never came")
		d.next, old = p.seq, 0
	}
	if old >= len(p.payload)+p.lost {
		return // all of it was heard before
	}
	d.next = p.seq + uint32(len(p.payload)+p.lost)
	t.say(side, p.payload[min(old, len(p.payload)):], p.lost-max(old-len(p.payload), 0))
}

// talk is the text so far.
type talk struct {
	text  []byte
	limit int
	cut   bool
	side  int    // whose turn it is, -1 for nobody's
	said  []byte // in this turn, as it was sent
}

func (t *talk) begin(client end, p *heard) {
	server := p.to
	if server == client {
		server = p.from
	}
	t.side = -1
	t.write(fmt.Appendf(nil, "%s → %s %s\n", client, server, tables.ProtocolName(p.proto)))
}

func (t *talk) say(side int, b []byte, lost int) {
	if len(b) > 0 {
		t.turn(side)
		if len(t.text)+len(t.said) <= t.limit {
			t.said = append(t.said, b...)
		} else {
			t.cut = true
		}
	}
	if lost > 0 {
		t.lacks(side, lost, "not captured")
	}
}

func (t *talk) lacks(side, n int, why string) {
	t.turn(side)
	t.flush()
	t.write(fmt.Appendf(nil, "✂ %s %s\n", quantity(int64(n), "byte"), why))
}

// turn gives the word to a side.
func (t *talk) turn(side int) {
	if t.side == side {
		return
	}
	t.flush()
	if t.side = side; side >= 0 {
		t.write([]byte([]string{"→ ", "← "}[side]))
	}
}

// flush writes what was said as people read it: text as it is, a dot for each
// byte or character that is none, and for our own marks, which nobody can forge.
func (t *talk) flush() {
	if len(t.said) == 0 {
		return
	}
	b := bytes.ReplaceAll(t.said, []byte("\r\n"), []byte("\n"))
	var out []byte
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || r != '\n' && r != '\t' && !unicode.IsGraphic(r) || strings.ContainsRune("→←✂", r) {
			r = '.'
		}
		out, b = utf8.AppendRune(out, r), b[n:]
	}
	if !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	t.said = t.said[:0]
	t.write(out)
}

// write adds to the text up to its limit.
func (t *talk) write(b []byte) {
	if left := t.limit - len(t.text); len(b) > left {
		t.cut = true
		for left > 0 && !utf8.RuneStart(b[left]) {
			left--
		}
		b = b[:left]
	}
	t.text = append(t.text, b...)
}
