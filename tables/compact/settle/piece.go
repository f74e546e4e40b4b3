package settle

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
)

type total struct{ packets, bytes int64 }

func (t total) plus(u total) total {
	return total{tables.AddCounts(t.packets, u.packets), tables.AddCounts(t.bytes, u.bytes)}
}

func (t total) times(rate int64) total {
	return total{tables.ScaleCount(t.packets, rate), tables.ScaleCount(t.bytes, rate)}
}

// What a single row shows of who is the client, in the order of its worth.
const (
	hintNone = iota
	hintSyn
	hintSynAck
)

const (
	actionNone = iota
	actionAllow
	actionDeny
)

// piece is what one observer reported of a conversation at one place: a row of
// exports, or several that follow each other. Index 0 of the pairs is what the
// lower end sent.
type piece struct {
	ts, end tables.Time
	// stream tells the places apart where one observer may count the same
	// packets: domain, interfaces, ingress or egress, sampling rate.
	stream uint64
	// was is the conversation an earlier run put the piece in; 0 for a new one.
	was      tables.ID
	count    [2]total
	syn      [2]tables.Time
	hintAt   tables.Time
	sampling int64    // 0: nothing said
	longest  uint32   // microseconds of its longest row; as many as there may be are more than is waited for
	rows     uint32   // as many as there may be are at least as many
	flags    [2]int32 // -1: not reported
	observer name
	icmpType int16   // of the first row; -1: not reported
	icmpCode int16   // so that the whole has 128 bytes
	has      [2]bool // what was reported
	source   uint8   // the side the rows named first
	hint     uint8
	client   uint8 // the side, when there is a hint
	action   uint8
}

// number32 is as much of a number as there is room for.
func number32(n int64) uint32 { return uint32(min(max(n, 0), math.MaxUint32)) }

// noTime stands for a SYN that was not seen.
const noTime = tables.Time(-1 << 63)

// pieceOf is the piece of one row.
func (t *texts) pieceOf(x *tables.Export, side uint8) piece {
	p := piece{ts: x.TS, end: max(x.TS, x.TSEnd), observer: t.name(x.Observer), stream: streamOf(x), was: x.ConnID.V,
		flags: [2]int32{-1, -1}, syn: [2]tables.Time{noTime, noTime}, sampling: x.Sampling.V, rows: 1, icmpType: -1, icmpCode: -1, source: side}
	p.longest = number32(int64(p.end - p.ts))
	p.count[side], p.has[side] = total{x.Packets, x.Bytes}, true
	if x.ReverseBytes.Set || x.ReversePackets.Set {
		p.count[1-side], p.has[1-side] = total{x.ReversePackets.V, x.ReverseBytes.V}, true
	}
	if x.TCPFlags.Set {
		p.flag(side, x.TCPFlags.V, x.Packets)
	}
	if x.ReverseTCPFlags.Set {
		p.flag(1-side, x.ReverseTCPFlags.V, x.ReversePackets.V)
	}
	if x.ICMPType.Set {
		p.icmpType, p.icmpCode = int16(x.ICMPType.V), int16(x.ICMPCode.V)
	}
	p.action = actionOf(x.Action)
	return p
}

// flag notes what a row reports of the flags of one direction. A flow's flags
// are those of all its packets, so SYN beside ACK shows the server's answer
// only in a row of one packet; SYN without ACK is always a client's.
func (p *piece) flag(side uint8, flags int32, packets int64) {
	p.flags[side] = flags
	if flags&tables.TCPSyn == 0 {
		return
	}
	p.syn[side] = p.ts
	switch {
	case flags&tables.TCPAck == 0 && p.hint != hintSyn:
		p.hint, p.client, p.hintAt = hintSyn, side, p.ts
	case flags&tables.TCPAck != 0 && packets == 1 && p.hint == hintNone:
		p.hint, p.client, p.hintAt = hintSynAck, 1-side, p.ts
	}
}

func actionOf(s string) uint8 {
	switch s {
	case tables.Deny:
		return actionDeny
	case tables.Allow:
		return actionAllow
	}
	return actionNone
}

var actionNames = [...]string{"", tables.Allow, tables.Deny}

// streamOf hashes the place and the way of counting.
func streamOf(x *tables.Export) uint64 {
	var b [8 * 4]byte
	binary.LittleEndian.PutUint64(b[0:], uint64(x.Domain.V))
	binary.LittleEndian.PutUint64(b[8:], uint64(x.InIf.V))
	binary.LittleEndian.PutUint64(b[16:], uint64(x.OutIf.V))
	binary.LittleEndian.PutUint64(b[24:], uint64(max(x.Sampling.V, 1)))
	h := xxh3.Hash(b[:])
	for _, s := range [...]string{x.Direction, x.SourceType} {
		h = h*0x9e3779b97f4a7c15 + xxh3.HashString(s)
	}
	return h
}

// sort brings pieces into the order of time, in which those of one time stand the
// same way in whatever order they came.
func (t *texts) sort(list []piece) {
	if len(list) < 2 || len(list) == 2 && t.compare(&list[0], &list[1]) <= 0 {
		return
	}
	slices.SortFunc(list, func(a, b piece) int { return t.compare(&a, &b) })
}

func (t *texts) compare(a, b *piece) int {
	if a.ts != b.ts {
		return cmp.Compare(a.ts, b.ts)
	}
	return cmp.Or(cmp.Compare(t.of[a.observer], t.of[b.observer]), cmp.Compare(a.end, b.end), cmp.Compare(a.stream, b.stream),
		cmp.Compare(a.source, b.source), cmp.Compare(a.count[0].packets, b.count[0].packets),
		cmp.Compare(a.count[1].packets, b.count[1].packets), cmp.Compare(a.count[0].bytes, b.count[0].bytes),
		cmp.Compare(a.count[1].bytes, b.count[1].bytes), cmp.Compare(a.flags[0], b.flags[0]), cmp.Compare(a.flags[1], b.flags[1]))
}

// exporterConnID names a conversation nobody metered, by its first row.
func (t *texts) exporterConnID(p *piece, cid uint64) tables.ID {
	b := make([]byte, 16, 16+64)
	binary.BigEndian.PutUint64(b[0:], cid)
	binary.BigEndian.PutUint64(b[8:], uint64(p.ts))
	if id := tables.ID(xxh3.Hash(append(b, t.of[p.observer]...))); id != 0 {
		return id
	}
	return 1
}

// follow joins pieces of one conversation that the same observer counted at
// the same place in the same direction without an idle time between, so that
// what is carried grows with the places and not with the rows. in is sorted, and
// becomes what is returned.
func follow(in []piece, idle tables.Time) []piece {
	// Few places: looking through them beats a map. Where they are many, only
	// the latest are looked at, and more is carried than need be.
	const most = 64
	out := in[:0]
	for i := range in {
		p := &in[i]
		k := len(out) - 1
		for ; k >= max(0, len(out)-most); k-- {
			q := &out[k]
			if q.observer == p.observer && q.stream == p.stream && q.was == p.was && q.has == p.has && q.source == p.source {
				break
			}
		}
		if k < max(0, len(out)-most) || p.ts-out[k].end >= idle {
			out = append(out, *p)
			continue
		}
		out[k].join(p)
	}
	return out
}

// clearer tells whether p shows better than q who is the client.
func (p *piece) clearer(q *piece) bool {
	if p.hint == hintNone || q.hint == hintNone || p.hint != q.hint {
		return p.hint != hintNone && (q.hint == hintNone || p.hint < q.hint)
	}
	return p.hintAt < q.hintAt
}

// join adds a later piece of the same place.
func (p *piece) join(q *piece) {
	p.end, p.longest, p.rows = max(p.end, q.end), max(p.longest, q.longest), number32(int64(p.rows)+int64(q.rows))
	for side := range p.count {
		p.count[side] = p.count[side].plus(q.count[side])
		if q.flags[side] >= 0 {
			p.flags[side] = max(p.flags[side], 0) | q.flags[side]
		}
		if p.syn[side] == noTime {
			p.syn[side] = q.syn[side]
		}
	}
	if q.clearer(p) {
		p.hint, p.client, p.hintAt = q.hint, q.client, q.hintAt
	}
	if p.icmpType < 0 {
		p.icmpType, p.icmpCode = q.icmpType, q.icmpCode
	}
	p.action, p.sampling = max(p.action, q.action), max(p.sampling, q.sampling) // 1 and none are one stream
}

// carry is the row that keeps the piece for the next run, and carriedPiece the
// way back.
func (t *texts) carry(p *piece, k *Key, id tables.ID) tables.Carried {
	side := p.source
	c := tables.Carried{TS: p.ts, TSEnd: p.end, Observer: t.of[p.observer], Site: t.of[k.site], Stream: p.stream,
		Src: k.low, Dst: k.high, SrcPort: k.lowPort, DstPort: k.highPort, Protocol: k.protocol,
		TunnelType: t.of[k.tunnelType], Bytes: p.count[side].bytes, Packets: p.count[side].packets,
		Action: actionNames[p.action], Rows: int64(p.rows), Longest: int64(p.longest), CID: k.cid, ConnID: id}
	if side == 1 {
		c.Src, c.Dst, c.SrcPort, c.DstPort = c.Dst, c.Src, c.DstPort, c.SrcPort
	}
	if k.tunnelID != 0 {
		c.TunnelID = tables.Some(k.tunnelID)
	}
	if p.icmpType >= 0 {
		c.ICMPType, c.ICMPCode = tables.Some(int32(p.icmpType)), tables.Some(int32(p.icmpCode))
	}
	if p.has[1-side] {
		c.ReverseBytes, c.ReversePackets = tables.Some(p.count[1-side].bytes), tables.Some(p.count[1-side].packets)
	}
	if p.sampling != 0 {
		c.Sampling = tables.Some(p.sampling)
	}
	if p.flags[side] >= 0 {
		c.TCPFlags = tables.Some(p.flags[side])
	}
	if p.flags[1-side] >= 0 {
		c.ReverseTCPFlags = tables.Some(p.flags[1-side])
	}
	if p.syn[side] != noTime {
		c.SynTS = tables.Some(p.syn[side])
	}
	if p.syn[1-side] != noTime {
		c.ReverseSynTS = tables.Some(p.syn[1-side])
	}
	if p.hint != hintNone {
		hint := int32(p.hint)*2 - 1
		if p.client != side {
			hint++
		}
		c.Hint, c.HintTS = tables.Some(hint), tables.Some(p.hintAt)
	}
	return c
}

func (t *texts) carriedPiece(c *tables.Carried) (Key, piece) {
	k, side := t.key(c.Site, c.CID, c.Src, c.Dst, c.SrcPort, c.DstPort, c.Protocol, c.TunnelType, c.TunnelID.V)
	p := piece{ts: c.TS, end: c.TSEnd, observer: t.name(c.Observer), stream: c.Stream, was: c.ConnID, flags: [2]int32{-1, -1},
		syn: [2]tables.Time{noTime, noTime}, sampling: c.Sampling.V, rows: number32(c.Rows), longest: number32(c.Longest),
		icmpType: -1, icmpCode: -1, source: side, action: actionOf(c.Action)}
	p.count[side], p.has[side] = total{c.Packets, c.Bytes}, true
	if c.ReverseBytes.Set {
		p.count[1-side], p.has[1-side] = total{c.ReversePackets.V, c.ReverseBytes.V}, true
	}
	if c.ICMPType.Set {
		p.icmpType, p.icmpCode = int16(c.ICMPType.V), int16(c.ICMPCode.V)
	}
	if c.TCPFlags.Set {
		p.flags[side] = c.TCPFlags.V
	}
	if c.ReverseTCPFlags.Set {
		p.flags[1-side] = c.ReverseTCPFlags.V
	}
	if c.SynTS.Set {
		p.syn[side] = c.SynTS.V
	}
	if c.ReverseSynTS.Set {
		p.syn[1-side] = c.ReverseSynTS.V
	}
	if c.Hint.Set && c.Hint.V >= 1 && c.Hint.V <= 4 {
		p.hint, p.client, p.hintAt = uint8(c.Hint.V+1)/2, side, c.HintTS.V
		if c.Hint.V%2 == 0 {
			p.client = 1 - side
		}
	}
	return k, p
}
