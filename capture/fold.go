package capture

import (
	"time"

	"github.com/wiresql/wiresql/tables"
)

// A flood from forged addresses is a conversation of one packet for each of them: rows
// that cost as much as those of real ones, and say one thing. So of the conversations
// that were one SYN, or one UDP datagram, from outside and no answer, to one port of one
// address, the first Config.FoldAfter that began in a minute have rows of their own, and
// those beyond share one: a fold, from the unspecified address, with the positions of
// all their packets. What was answered, or sent anything more, has its own row
// however many they are (to whom the server answered matters, and it spent more on that
// than the row costs), and so has what comes from inside: who did it matters.

const (
	// maxFolds bounds the ports that are counted. Those beyond have rows of their own.
	maxFolds = 8192
)

// foldKey is what conversations of a fold have in common.
type foldKey struct {
	Minute          int64 // of their first packets
	Server          tables.Addr
	Port            uint16
	Protocol        uint8
	VLAN, OuterVLAN int16
}

// fold counts conversations, and is the row of those beyond the first.
type fold struct {
	Key                  foldKey
	Before               int64 // that have rows of their own, or are in rows that are written
	Folded               int64
	First, Last          int64
	Packets, Bytes, Wire int64
	Cut                  int64
	Flags                uint16
	Reason               endReason
	ID                   tables.ID // of the first
	OrientedBy           uint8     // of the first
	MAC                  uint64    // the server's
	HasMAC               bool
	positions            positions
}

// folds are those that are open, the oldest first.
type folds struct {
	list []*fold
	by   map[foldKey]*fold
}

// fold takes in a conversation that ends; false when it must have a row of its own.
func (m *Meter) fold(c *conversation, reason endReason) bool {
	if c.number != 1 || c.sum[0].packets != 1 || c.sum[1].packets != 0 || c.tunnelled || c.named || c.fragments != 0 ||
		ways[c.way] != tables.Inbound && ways[c.way] != tables.External {
		return false
	}
	syn := c.protocol == tables.ProtocolTCP && c.flags[0]&^(tables.TCPEce|tables.TCPCwr) == tables.TCPSyn
	if !syn && c.protocol != tables.ProtocolUDP {
		return false
	}
	_, server, _, port := c.ends()
	k := foldKey{seconds(c.first) / 60, server, port, c.protocol, c.vlan, c.outerVLAN}
	if seconds(c.first) < 0 {
		return false
	}
	f := m.folds.by[k]
	if f == nil {
		if len(m.folds.list) >= maxFolds {
			return false
		}
		f = &fold{Key: k}
		m.folds.add(f)
	}
	if f.Before < m.cfg.FoldAfter {
		f.Before++
		return false
	}
	if f.Folded == 0 {
		f.First, f.Last, f.ID, f.OrientedBy, f.MAC, f.HasMAC = c.first, c.last, c.id, c.orientedBy, c.serverMAC, c.hasMAC
	}
	f.First, f.Last = min(f.First, c.first), max(f.Last, c.last)
	f.Folded++
	f.Packets++
	f.Bytes += c.sum[0].bytes
	f.Wire += c.wire[0]
	f.Cut += int64(c.cut)
	f.Flags |= c.flags[0]
	f.Reason = reason
	if c.positions.count > 0 { // else the packet could not be kept
		f.positions.add(m.blocks, c.positions.first)
	}
	c.positions.release(m.blocks)
	if f.Folded >= maxRowPackets {
		m.emitFold(f)
	}
	return true
}

func (l *folds) add(f *fold) {
	if l.by == nil {
		l.by = map[foldKey]*fold{}
	}
	l.by[f.Key] = f
	l.list = append(l.list, f)
}

// foldsOver writes the folds to which nothing can come any more: of minutes whose
// last conversation has ended.
func (m *Meter) foldsOver() {
	until := func(idle time.Duration) int64 { return (m.second-int64(idle/time.Second)-2)/60 - 1 }
	tcp, udp := until(m.cfg.IdleTCP), until(m.cfg.IdleOther)
	if l := m.folds.list; len(l) == 0 || l[0].Key.Minute > max(tcp, udp) {
		return
	}
	kept := m.folds.list[:0]
	for _, f := range m.folds.list {
		over := tcp
		if f.Key.Protocol == tables.ProtocolUDP {
			over = udp
		}
		if f.Key.Minute > over {
			kept = append(kept, f)
			continue
		}
		m.emitFold(f)
		delete(m.folds.by, f.Key)
	}
	clear(m.folds.list[len(kept):])
	m.folds.list = kept
}

// emitFolds writes the rows of all folds as they are.
func (m *Meter) emitFolds() (some bool) {
	for _, f := range m.folds.list {
		if f.Folded > 0 {
			m.emitFold(f)
			some = true
		}
	}
	return some
}

// closeFolds writes them and forgets what was counted.
func (m *Meter) closeFolds() {
	m.emitFolds()
	m.folds = folds{}
}

// emitFold writes the row of a fold and makes way for the next.
func (m *Meter) emitFold(f *fold) {
	if f.Folded == 0 {
		return
	}
	m.fillFold(f, f.Reason)
	f.positions.release(m.blocks)
	*f = fold{Key: f.Key, Before: f.Before + f.Folded}
	m.stats.Rows++
	if m.err == nil {
		m.err = m.sink.Flow(&m.row)
	}
}

// fillFold makes the row of a fold.
func (m *Meter) fillFold(f *fold, reason endReason) {
	from := tables.Unspecified(f.Key.Server)
	r := &m.row
	*r = tables.Flow{
		TS: tables.TimeOf(f.First), TSEnd: tables.TimeOf(f.Last),
		SourceType: tables.SourcePackets, Sensor: m.cfg.Sensor, Site: m.cfg.Site,
		Src: from, Dst: f.Key.Server, DstPort: int32(f.Key.Port), Protocol: int32(f.Key.Protocol),
		Bytes: f.Bytes, Packets: f.Packets, ReverseBytes: tables.Some[int64](0), ReversePackets: tables.Some[int64](0),
		WireBytes: tables.Some(f.Wire), ReverseWireBytes: tables.Some[int64](0),
		Fragments: tables.Some[int64](0),
		Service:   tables.ServiceName(f.Key.Port, f.Key.Protocol), ConnState: "S0", OrientedBy: orientedBy[f.OrientedBy], EndReason: reason.String(), Sampling: tables.Some(int64(1)),
		Piece: tables.Some[int32](1), LastPiece: tables.Some(reason != endNone), ConnTS: tables.Some(tables.TimeOf(f.First)), Encrypted: tables.Some(false),
		CID: m.cids.CID(from, f.Key.Server, 0, f.Key.Port, f.Key.Protocol), FlowID: f.ID, ConnID: f.ID, CutPackets: tables.Some(f.Cut),
		FlowsFolded: tables.Some(f.Folded),
	}
	if f.Key.Protocol == tables.ProtocolTCP {
		r.TCPFlags, r.ReverseTCPFlags = tables.Some(int32(f.Flags)), tables.Some[int32](0)
	}
	if f.Key.VLAN >= 0 {
		r.VLAN = tables.Some(int32(f.Key.VLAN))
	}
	if f.Key.OuterVLAN >= 0 {
		r.OuterVLAN = tables.Some(int32(f.Key.OuterVLAN))
	}
	if f.HasMAC {
		r.DstMAC = tables.Some(int64(f.MAC))
	}
	r.Postings, r.Segments = m.postings(&f.positions)
}
