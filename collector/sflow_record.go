package collector

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// Formats of flow records (sflow_version_5.txt section 5; 1020, 1029 and 1030
// of sflow_nat.txt and sflow_vxlan.txt; 1036 to 1038 of sflow_drops.txt).
const (
	recordHeader     = 1
	recordEthernet   = 2
	recordIPv4       = 3
	recordIPv6       = 4
	recordSwitch     = 1001
	recordRouter     = 1002
	recordGateway    = 1003
	recordUser       = 1004
	recordURL        = 1005
	recordMPLS       = 1006
	recordNAT        = 1007
	recordMPLSTunnel = 1008
	recordMPLSVC     = 1009
	recordVLANTunnel = 1012
	recordNATPort    = 1020
	recordVNIOut     = 1029
	recordVNIIn      = 1030
	recordQueue      = 1036
	recordACL        = 1037
	recordFunction   = 1038
)

// Values of sampled_header's protocol.
const (
	headerEthernet = 1
	headerPPP      = 7
	headerIPv4     = 11
	headerIPv6     = 12
	headerMPLS     = 13
	headerPOS      = 14 // RFC 1662, 2615: PPP
)

// flowRecords reads the records of a flow sample into its row. A packet
// without IP addresses is no flow, and its row is not used.
//
// What the sampled header says holds before what the agent says it parsed.
func (w *work) flowRecords(x *xdr, count uint32, row *tables.Export) {
	w.bgpHop = tables.Opt[tables.Addr]{}
	decoded := false // the row's tuple is the header's
	tuple := false
	for ; count > 0; count-- {
		format, body := x.u32(), xdr{b: x.opaque()}
		if x.short {
			break
		}
		switch format {
		case recordHeader:
			if !decoded {
				decoded = w.sampledHeader(&body, row)
			}
		case recordEthernet:
			w.ethernetRecord(&body, row)
		case recordIPv4, recordIPv6:
			if !decoded {
				tuple = w.ipRecord(&body, format == recordIPv6, row) || tuple
			}
		case recordSwitch:
			w.switchRecord(&body, row)
		case recordRouter:
			w.routerRecord(&body, row)
		case recordGateway:
			w.gatewayRecord(&body, row)
		case recordUser:
			body.u32()
			w.extra.text(extraUser, body.opaque())
			body.u32()
			w.extra.text(extraDestinationUser, body.opaque())
		case recordURL:
			body.u32()
			w.extra.text(extraTarget, body.opaque())
			w.extra.text(extraHost, body.opaque())
		case recordMPLS:
			w.mplsRecord(&body, row)
		case recordNAT:
			src, okSrc := body.address()
			dst, okDst := body.address()
			if !body.short && okSrc {
				row.SrcNAT = tables.Some(src)
			}
			if !body.short && okDst {
				row.DstNAT = tables.Some(dst)
			}
		case recordNATPort:
			src, dst := body.u32(), body.u32()
			if !body.short && src <= 65535 && dst <= 65535 {
				row.SrcNATPort, row.DstNATPort = tables.Some(int32(src)), tables.Some(int32(dst))
			}
		case recordVLANTunnel:
			// The tags the agent stripped, TPID and TCI, outermost first.
			if tags := body.words(); len(tags) >= 4 {
				row.OuterVLAN = tables.Some(int32(binary.BigEndian.Uint32(tags) & 0xfff))
			}
		case recordMPLSTunnel:
			w.extra.text(extraTunnelName, body.opaque())
			w.number(extraTunnelID, &body)
		case recordMPLSVC:
			w.extra.text(extraVCName, body.opaque())
			w.number(extraVCID, &body)
		case recordVNIOut:
			w.number(extraVNIOut, &body)
		case recordVNIIn:
			w.number(extraVNIIn, &body)
		case recordQueue:
			w.number(extraQueue, &body)
		case recordACL:
			w.number(extraACL, &body)
			w.extra.text(extraACLName, body.opaque())
			w.number(extraACLDirection, &body)
		case recordFunction:
			w.extra.text(extraFunction, body.opaque())
		default:
			w.unknownFormats++
		}
		if body.short {
			w.damaged++
		}
	}
	if !decoded && !tuple {
		w.other++
		return
	}
	if hop := w.bgpHop; hop.Set && !row.NextHop.Set {
		row.NextHop = hop
	} else if hop.Set && hop.V != row.NextHop.V {
		w.extra.address(extraBGPHop, hop.V)
	}
	row.Extra = w.extra.end()
	w.seal(row)
}

// number puts the next word into extra, if there is one.
func (w *work) number(name extraName, x *xdr) {
	if v := x.u32(); !x.short {
		w.extra.number(name, uint64(v))
	}
}

// sampledHeader decodes the first bytes of the packet; it tells whether they
// gave addresses. frameLength counts from the link header to the checksum at
// the end; stripped is what the agent took off at either end before it copied
// the header. It only bounds the IP packet: its length is in its own header.
func (w *work) sampledHeader(x *xdr, row *tables.Export) bool {
	protocol, frameLength, stripped := x.u32(), x.u32(), x.u32()
	data := x.opaque()
	if x.short {
		return false
	}
	if frameLength > 0 {
		row.WireBytes = tables.Some(int64(frameLength))
	}
	length := len(data)
	if n := int64(frameLength) - int64(stripped); n > int64(length) {
		length = int(min(n, 1<<24))
	}
	h := &w.header
	switch protocol {
	case headerEthernet:
		if label, ok := mplsLabel(data); ok {
			row.MPLSLabel = tables.Some(label)
		}
		tables.Decode(tables.LinkEthernet, data, length, h)
	case headerIPv4:
		tables.Decode(tables.LinkIPv4, data, length, h)
	case headerIPv6:
		tables.Decode(tables.LinkIPv6, data, length, h)
	case headerMPLS:
		label, n := labelStack(data)
		if n == 0 {
			return false
		}
		row.MPLSLabel = tables.Some(label)
		tables.Decode(tables.LinkRaw, data[n:], length-n, h)
	case headerPPP, headerPOS:
		link, n := pppPayload(data)
		if n == 0 {
			return false
		}
		tables.Decode(link, data[n:], length-n, h)
	default:
		return false
	}
	headerRow(h, row)
	return h.IP
}

// headerRow fills a row with what a packet's header says, the same columns as
// metered packets have. A row for a header without IP gets its MAC addresses
// and tags only.
func headerRow(h *tables.Header, row *tables.Export) {
	if h.HasMAC {
		row.SrcMAC, row.DstMAC = tables.Some(int64(h.SrcMAC)), tables.Some(int64(h.DstMAC))
	}
	if h.VLAN >= 0 {
		row.VLAN = tables.Some(int32(h.VLAN))
	}
	if h.OuterVLAN >= 0 {
		row.OuterVLAN = tables.Some(int32(h.OuterVLAN))
	}
	if !h.IP {
		return
	}
	row.Src, row.Dst, row.Protocol = h.Src, h.Dst, int32(h.Protocol)
	row.SrcPort, row.DstPort = int32(h.SrcPort), int32(h.DstPort)
	row.Bytes = int64(h.L3Length)
	row.TOS, row.TTL = tables.Some(int32(h.TOS)), tables.Some(int32(h.TTL))
	row.Fragments = tables.Some(int64(0))
	if h.Fragment {
		row.Fragments = tables.Some(int64(1))
	}
	if h.FragmentOffset == 0 {
		whole := h.PayloadOffset > 0
		switch h.Protocol {
		case tables.ProtocolTCP:
			// With its options cut a header has its flags, but no payload.
			if whole || h.TCPFlags != 0 {
				row.TCPFlags = tables.Some(int32(h.TCPFlags))
			}
		case tables.ProtocolICMP, tables.ProtocolICMPv6:
			if whole || h.ICMPType != 0 || h.ICMPCode != 0 {
				row.ICMPType, row.ICMPCode = tables.Some(int32(h.ICMPType)), tables.Some(int32(h.ICMPCode))
			}
		}
	}
	if h.Tunnel != tables.TunnelNone {
		row.TunnelType, row.TunnelID = h.Tunnel.String(), h.Tunnel.ID(h.TunnelID)
		row.OuterSrc, row.OuterDst = tables.Some(h.OuterSrc), tables.Some(h.OuterDst)
	}
}

// mplsLabel is the top label of an Ethernet frame; tables.Decode passes over
// it, for flows are keyed without.
func mplsLabel(data []byte) (int32, bool) {
	for at := 12; at+2 <= len(data) && at <= 12+4*8; at += 4 {
		switch binary.BigEndian.Uint16(data[at:]) {
		case 0x8100, 0x88a8, 0x9100:
		case 0x8847, 0x8848:
			label, n := labelStack(data[at+2:])
			return label, n > 0
		default:
			return 0, false
		}
	}
	return 0, false
}

// labelStack measures an MPLS label stack (RFC 3032) and returns its top
// label; n is 0 when it has no end.
func labelStack(data []byte) (top int32, n int) {
	for n+4 <= len(data) && n < 4*16 {
		if n == 0 {
			top = int32(binary.BigEndian.Uint32(data) >> 12)
		}
		n += 4
		if data[n-2]&1 != 0 {
			return top, n
		}
	}
	return 0, 0
}

// pppPayload finds the IP packet behind a PPP header (RFC 1661, 1662), whose
// first two bytes and whose protocol's first may be left out, or behind
// Cisco's HDLC; n is 0 when it carries none.
func pppPayload(data []byte) (link tables.LinkType, n int) {
	if len(data) >= 4 && (data[0] == 0x0f || data[0] == 0x8f) && data[1] == 0 {
		switch binary.BigEndian.Uint16(data[2:]) {
		case 0x0800:
			return tables.LinkIPv4, 4
		case 0x86dd:
			return tables.LinkIPv6, 4
		}
		return 0, 0
	}
	if len(data) >= 2 && data[0] == 0xff && data[1] == 0x03 {
		n = 2
	}
	if len(data) < n+2 {
		return 0, 0
	}
	if data[n] == 0 {
		n++
	}
	switch data[n] {
	case 0x21:
		return tables.LinkIPv4, n + 1
	case 0x57:
		return tables.LinkIPv6, n + 1
	}
	return 0, 0
}

// ethernetRecord reads sampled_ethernet; its length is of the frame, so it
// gives no bytes of layer 3.
func (w *work) ethernetRecord(x *xdr, row *tables.Export) {
	length := x.u32()
	src, dst := x.fixed(6), x.fixed(6)
	if x.short {
		return
	}
	if length > 0 && !row.WireBytes.Set {
		row.WireBytes = tables.Some(int64(length))
	}
	if row.SrcMAC.Set {
		return
	}
	row.SrcMAC, row.DstMAC = tables.Some(mac(src)), tables.Some(mac(dst))
}

func mac(b []byte) int64 {
	return int64(binary.BigEndian.Uint32(b))<<16 | int64(binary.BigEndian.Uint16(b[4:]))
}

// ipRecord reads sampled_ipv4 and sampled_ipv6.
func (w *work) ipRecord(x *xdr, six bool, row *tables.Export) bool {
	length, protocol := x.u32(), x.u32()
	var src, dst tables.Addr
	if six {
		if a, b := x.fixed(16), x.fixed(16); b != nil {
			src, dst = tables.AddrFrom16(a), tables.AddrFrom16(b)
		}
	} else if a, b := x.fixed(4), x.fixed(4); b != nil {
		src, dst = tables.AddrFrom4(a), tables.AddrFrom4(b)
	}
	srcPort, dstPort, flags, tos := x.u32(), x.u32(), x.u32(), x.u32()
	if x.short || protocol > 255 {
		return false
	}
	row.Src, row.Dst, row.Protocol, row.Bytes = src, dst, int32(protocol), int64(length)
	row.TOS = tables.Some(int32(tos & 0xff))
	switch protocol {
	case tables.ProtocolTCP, tables.ProtocolUDP, tables.ProtocolSCTP:
		row.SrcPort, row.DstPort = int32(srcPort&0xffff), int32(dstPort&0xffff)
		if protocol == tables.ProtocolTCP {
			row.TCPFlags = tables.Some(int32(flags & 0x1ff))
		}
	}
	return true
}

// switchRecord reads extended_switch: VLAN and priority before and after. 0
// and what is no VLAN's number mean that there was none.
func (w *work) switchRecord(x *xdr, row *tables.Export) {
	src, srcPriority, dst, dstPriority := x.u32(), x.u32(), x.u32(), x.u32()
	if x.short {
		return
	}
	isVLAN := func(v uint32) bool { return v > 0 && v < 4095 }
	if isVLAN(src) && !row.VLAN.Set {
		row.VLAN = tables.Some(int32(src))
	}
	if isVLAN(dst) && dst != src {
		w.extra.number(extraPostVLAN, uint64(dst))
	}
	if srcPriority > 0 && srcPriority < 8 {
		w.extra.number(extraPriority, uint64(srcPriority))
	}
	if dstPriority > 0 && dstPriority < 8 {
		w.extra.number(extraDestinationPriority, uint64(dstPriority))
	}
}

// routerRecord reads extended_router.
func (w *work) routerRecord(x *xdr, row *tables.Export) {
	hop, ok := x.address()
	srcMask, dstMask := x.u32(), x.u32()
	if x.short {
		return
	}
	if ok {
		row.NextHop = tables.Some(hop)
	}
	if srcMask <= 128 && dstMask <= 128 {
		row.SrcMask, row.DstMask = tables.Some(int32(srcMask)), tables.Some(int32(dstMask))
	}
}

// gatewayRecord reads extended_gateway. The destination's AS is the last of
// the path; without a path it is the router's own.
func (w *work) gatewayRecord(x *xdr, row *tables.Export) {
	hop, okHop := x.address()
	own, src, srcPeer, segments := x.u32(), x.u32(), x.u32(), x.u32()
	w.path = w.path[:0]
	for ; segments > 0 && !x.short; segments-- {
		x.u32() // a set or a sequence
		w.path = append(w.path, x.words()...)
	}
	communities, preference := x.words(), x.u32()
	if x.short {
		return
	}
	row.SrcAS, row.DstAS = tables.Some(int64(src)), tables.Some(int64(own))
	if n := len(w.path); n >= 4 {
		row.DstAS = tables.Some(int64(binary.BigEndian.Uint32(w.path[n-4:])))
	}
	if okHop {
		w.bgpHop = tables.Some(hop)
	}
	if srcPeer != 0 && srcPeer != src {
		w.extra.number(extraPeerAS, uint64(srcPeer))
	}
	w.extra.numbers(extraASPath, w.path)
	w.extra.numbers(extraCommunities, communities)
	if preference != 0 {
		w.extra.number(extraPreference, uint64(preference))
	}
}

// mplsRecord reads extended_mpls: next hop, and the stacks before and after.
// A word is a whole entry of the stack, its label in the upper 20 bits.
func (w *work) mplsRecord(x *xdr, row *tables.Export) {
	hop, ok := x.address()
	in, out := x.words(), x.words()
	if x.short {
		return
	}
	if ok && !row.NextHop.Set {
		row.NextHop = tables.Some(hop)
	}
	if len(in) >= 4 {
		row.MPLSLabel = tables.Some(int32(binary.BigEndian.Uint32(in) >> 12))
	}
	if len(out) >= 4 {
		w.extra.number(extraLabelOut, uint64(binary.BigEndian.Uint32(out)>>12))
	}
}
