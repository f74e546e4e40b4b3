package observe

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// IsICMP tells whether packets of a protocol are ICMP.
func IsICMP(protocol uint8) bool {
	return protocol == tables.ProtocolICMP || protocol == tables.ProtocolICMPv6
}

// QuotesPacket tells of an ICMP message that a packet stands behind its header: of
// errors (RFC 792, RFC 4443) and of redirects of version 4.
func QuotesPacket(protocol, kind uint8) bool {
	if protocol == tables.ProtocolICMPv6 {
		return kind >= 1 && kind <= 4
	}
	return kind >= 3 && kind <= 5 || kind == 11 || kind == 12
}

// observeICMP counts a message. What it quotes is decoded already.
func (o *Observer) observeICMP(p *Packet) {
	h, b := p.Header, p.Payload
	if len(b) < 8 {
		return
	}
	six := h.Protocol == tables.ProtocolICMPv6
	if six && b[0] >= routerSolicitation && b[0] <= neighborAdvert {
		o.observeNeighbour(p)
		return
	}
	all := tables.ICMP{Sensor: p.Sensor, Site: p.Site, Protocol: int32(h.Protocol)}
	sender := all
	sender.Src, sender.Type, sender.Code = tables.Some(h.Src), tables.Some(int32(b[0])), tables.Some(int32(b[1]))
	r := sender
	r.Dst = tables.Some(h.Dst)
	var sequence tables.Opt[int32]
	switch {
	case !six && (b[0] == 0 || b[0] == 8 || b[0] >= 13 && b[0] <= 18), six && (b[0] == 128 || b[0] == 129):
		r.Ident, sequence = tables.Some(int32(binary.BigEndian.Uint16(b[4:]))), tables.Some(int32(binary.BigEndian.Uint16(b[6:])))
	case six && b[0] == 2:
		r.MTU = tables.Some(int64(binary.BigEndian.Uint32(b[4:])))
	case !six && b[0] == 3 && b[1] == 4:
		r.MTU = tables.Some(int64(binary.BigEndian.Uint16(b[6:])))
	}
	if q := p.Quoted; q != nil && q.IP {
		r.InnerProtocol, r.InnerSrc, r.InnerDst = tables.Some(int32(q.Protocol)), tables.Some(q.Src), tables.Some(q.Dst)
		if q.SrcPort != 0 || q.DstPort != 0 {
			r.InnerSrcPort, r.InnerDstPort = tables.Some(int32(q.SrcPort)), tables.Some(int32(q.DstPort))
		}
		r.InnerConnID = tables.Opt[tables.ID]{V: p.QuotedConn, Set: p.QuotedConn != 0}
	}
	if first := o.icmp.count(o, p.origin(), p.ConnID, h.PayloadLength, r, sender, all); first != nil && first.Says == r {
		first.Sequence = sequence
	}
}

// hashICMP is over what a row of icmp says.
func hashICMP(r tables.ICMP) uint64 {
	h := mix(mix(mix(mix(secret, r.Src.V.Hi), r.Src.V.Lo), r.Dst.V.Hi), r.Dst.V.Lo)
	h = mix(mix(h, uint64(r.Type.V)|uint64(r.Code.V)<<8|uint64(r.Ident.V)<<16|uint64(r.Protocol)<<32), uint64(r.MTU.V))
	if !r.InnerSrc.Set {
		return h
	}
	h = mix(mix(mix(mix(h, r.InnerSrc.V.Hi), r.InnerSrc.V.Lo), r.InnerDst.V.Hi), r.InnerDst.V.Lo)
	return mix(mix(h, uint64(r.InnerProtocol.V)|uint64(r.InnerSrcPort.V)<<8|uint64(r.InnerDstPort.V)<<24), uint64(r.InnerConnID.V))
}

func (o *Observer) writeICMP(r *Repeat[tables.ICMP]) {
	row := r.Says
	row.TS, row.TSEnd, row.Packets, row.Bytes, row.MaxLength = tables.TimeOf(r.From.TS), tables.TimeOf(r.Last), r.Packets, r.Bytes, r.Most
	row.Sequence, row.PacketID, row.FlowID, row.ConnID = r.Sequence, r.From.packetID(), r.From.FlowID, r.Conn
	o.write(&row)
}
