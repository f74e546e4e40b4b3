package capture

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// emit writes the current piece as a flow row and makes way for the next.
func (m *Meter) emit(n uint32, c *conversation, reason endReason, last bool) {
	m.fill(n, c, reason, last)
	c.positions.release(m.blocks)
	for dir := range c.base {
		c.base[dir] = c.base[dir].plus(c.sum[dir])
	}
	c.sum, c.wire, c.flags = [2]total{}, [2]int64{}, [2]uint16{}
	c.cut, c.fragments = 0, 0
	m.stats.Rows++
	if m.err == nil {
		m.err = m.sink.Flow(&m.row)
	}
}

// Live hands out the rows of pieces that are not over, as they are now. They keep
// their ids until they end.
func (m *Meter) Live(to Sink) error {
	var err error
	m.table.all(m.second, func(n uint32) {
		if c := m.table.at(n); c.packets() > 0 && err == nil {
			m.fill(n, c, endNone, false)
			err = to.Flow(&m.row)
		}
	})
	for _, f := range m.folds.list {
		if f.Folded > 0 && err == nil {
			m.fillFold(f, endNone)
			err = to.Flow(&m.row)
		}
	}
	for _, r := range m.others.rows {
		if err == nil {
			row := m.otherRow(r)
			err = to.Other(&row)
		}
	}
	return err
}

// fill makes the row of the current piece.
func (m *Meter) fill(n uint32, c *conversation, reason endReason, last bool) {
	client, server, clientPort, serverPort := c.ends()
	if !c.cidIsKnown {
		a, b := clientPort, serverPort
		if c.hasICMP {
			a, b = uint16(c.icmpType), uint16(c.icmpCode)
		}
		c.cid, c.cidIsKnown = m.cids.CID(client, server, a, b, c.protocol), true
	}
	r := &m.row
	*r = tables.Flow{
		TS: tables.TimeOf(c.first), TSEnd: tables.TimeOf(c.last),
		SourceType: tables.SourcePackets, Sensor: m.cfg.Sensor, Site: m.cfg.Site,
		Src: client, Dst: server, SrcPort: int32(clientPort), DstPort: int32(serverPort),
		Protocol: int32(c.protocol),
		Bytes:    c.sum[0].bytes, Packets: c.sum[0].packets,
		ReverseBytes: tables.Some(c.sum[1].bytes), ReversePackets: tables.Some(c.sum[1].packets),
		WireBytes: tables.Some(c.wire[0]), ReverseWireBytes: tables.Some(c.wire[1]),
		TOS: tables.Some(int32(c.tos)), TTL: tables.Some(int32(c.ttl)),
		Fragments: tables.Some(int64(c.fragments)),
		Service:   c.serviceName(serverPort), ConnState: c.state(),
		OrientedBy: orientedBy[c.orientedBy], EndReason: reason.String(), Sampling: tables.Some(int64(1)),
		Piece: tables.Some(c.number), LastPiece: tables.Some(last), ConnTS: tables.Some(tables.TimeOf(c.begin)),
		Encrypted: tables.Some(c.encrypted),
		CID:       c.cid, FlowID: c.id, ConnID: c.conn, CutPackets: tables.Some(int64(c.cut)),
	}
	if c.named {
		r.ServerName = m.names[n]
	}
	if c.hasICMP {
		r.ICMPType, r.ICMPCode = tables.Some(int32(c.icmpType)), tables.Some(int32(c.icmpCode))
	}
	if c.protocol == tables.ProtocolTCP {
		r.TCPFlags, r.ReverseTCPFlags = tables.Some(int32(c.flags[0])), tables.Some(int32(c.flags[1]))
		if c.rttUs >= 0 {
			r.RTTUs = tables.Some(c.rttUs)
		}
	}
	if c.vlan >= 0 {
		r.VLAN = tables.Some(int32(c.vlan))
	}
	if c.outerVLAN >= 0 {
		r.OuterVLAN = tables.Some(int32(c.outerVLAN))
	}
	if c.hasMAC {
		r.SrcMAC, r.DstMAC = tables.Some(int64(c.clientMAC)), tables.Some(int64(c.serverMAC))
	}
	if c.tunnelled {
		outer := m.outer[n]
		r.TunnelType, r.TunnelID = c.tunnel.String(), c.tunnel.ID(c.tunnelID)
		r.OuterSrc, r.OuterDst = tables.Some(outer[0]), tables.Some(outer[1])
	}
	if c.number > 1 {
		there, back := c.base[0].plus(c.sum[0]), c.base[1].plus(c.sum[1])
		r.ConnPackets, r.ConnBytes = tables.Some(there.packets), tables.Some(there.bytes)
		r.ConnReversePackets, r.ConnReverseBytes = tables.Some(back.packets), tables.Some(back.bytes)
	}
	r.Postings, r.Segments = m.postings(&c.positions)
}

const arenaSize = 64 << 10

// postings encodes the positions of a row. What it returns is the
// row's own.
func (m *Meter) postings(p *positions) (postings []byte, segments []int32) {
	m.ids = p.appendTo(m.blocks, m.ids[:0])
	if len(m.ids) == 0 {
		return nil, nil
	}
	m.text = rows.AppendPostings(m.text[:0], m.ids)
	if len(m.text) > arenaSize/4 {
		postings = slices.Clone(m.text)
	} else {
		if len(m.text) > cap(m.arena)-len(m.arena) {
			m.arena = make([]byte, 0, arenaSize)
		}
		start := len(m.arena)
		m.arena = append(m.arena, m.text...)
		postings = m.arena[start:len(m.arena):len(m.arena)]
	}

	// Nearly all rows lie in one segment, the same as the row before.
	first, last := int32(m.ids[0].Segment()), int32(m.ids[len(m.ids)-1].Segment())
	if first == last {
		if len(m.segments) != 1 || m.segments[0] != first {
			m.segments = []int32{first}
		}
		return postings, m.segments
	}
	segments = []int32{first}
	for _, id := range m.ids {
		if s := int32(id.Segment()); s != segments[len(segments)-1] {
			segments = append(segments, s)
		}
	}
	return postings, segments
}
