package collector

import "github.com/wiresql/wiresql/tables"

// sampledPacket fills a row from the start of a packet the exporter sampled
// (IE 313 and 315): the header is decoded as those of captured packets are.
// What the record says itself stands.
func (w *work) sampledPacket(r *tables.Export) {
	f := &w.flow
	h := &f.header
	tables.Decode(f.sectionLink, f.section, max(f.sectionLength, len(f.section)), h)
	if h.HasMAC && !r.SrcMAC.Set && !r.DstMAC.Set {
		r.SrcMAC, r.DstMAC = tables.Some(int64(h.SrcMAC)), tables.Some(int64(h.DstMAC))
	}
	if h.VLAN >= 0 && !r.VLAN.Set {
		r.VLAN = tables.Some(int32(h.VLAN))
	}
	if h.OuterVLAN >= 0 && !r.OuterVLAN.Set {
		r.OuterVLAN = tables.Some(int32(h.OuterVLAN))
	}
	if f.has&hasPackets == 0 {
		r.Packets = 1
	}
	if !h.IP {
		return
	}
	if f.has&hasBytes == 0 {
		r.Bytes = int64(h.L3Length)
	}
	if f.has&(hasAddress|hasTuple) != 0 {
		return
	}
	r.Src, r.Dst = h.Src, h.Dst
	r.SrcPort, r.DstPort = int32(h.SrcPort), int32(h.DstPort)
	r.Protocol = int32(h.Protocol)
	if isICMP(r.Protocol) {
		r.ICMPType, r.ICMPCode = tables.Some(int32(h.ICMPType)), tables.Some(int32(h.ICMPCode))
	}
	if h.Protocol == tables.ProtocolTCP && h.PayloadOffset > 0 {
		r.TCPFlags = tables.Some(int32(h.TCPFlags))
	}
	r.TOS, r.TTL = tables.Some(int32(h.TOS)), tables.Some(int32(h.TTL))
	if h.Fragment {
		r.Fragments = tables.Some(int64(1))
	}
	if h.Tunnel != tables.TunnelNone {
		r.TunnelType = h.Tunnel.String()
		r.TunnelID = h.Tunnel.ID(h.TunnelID)
		r.OuterSrc, r.OuterDst = tables.Some(h.OuterSrc), tables.Some(h.OuterDst)
	}
}
