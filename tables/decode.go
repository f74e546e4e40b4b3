package tables

import "encoding/binary"

// The errors of Decode. A packet with an error and Header.IP set still
// belongs to a flow: its addresses and protocol are known.
const (
	ErrNone DecodeError = iota
	// ErrLinkType: the capture's link type is none of those Decode knows.
	ErrLinkType
	// ErrLinkCut: the capture ends within the link-layer header.
	ErrLinkCut
	// ErrLinkDeep: more VLAN tags or MPLS labels than any network stacks.
	ErrLinkDeep
	// ErrIPCut: the capture ends within the fixed IP header.
	ErrIPCut
	// ErrIPBad: version or header length contradict the bytes.
	ErrIPBad
	// ErrIPLength: the IP header claims more bytes than the frame has. The
	// packet is decoded, its length is bounded by the frame.
	ErrIPLength
	// ErrExtensionCut: the capture ends within the IPv6 extension headers.
	ErrExtensionCut
	// ErrExtensionDeep: more IPv6 extension headers than Decode follows.
	ErrExtensionDeep
	// ErrTransportCut: the capture ends within the layer-4 header.
	ErrTransportCut
	// ErrTransportBad: the layer-4 header contradicts the IP length.
	ErrTransportBad
	// ErrEtherType: the frame's EtherType is none that Decode follows, and none
	// of a protocol that is known to be no IP.
	ErrEtherType
	// ErrProtocol: the same for what other link layers have: a protocol of PPP
	// or frame relay, an address family, what an MPLS label stands for.
	ErrProtocol
	// ErrEncrypted: 802.11 or MACsec keeps the packet secret.
	ErrEncrypted
	// ErrWifiFragment: a later fragment of an 802.11 frame, which has no header
	// of layer 3.
	ErrWifiFragment
)

var decodeErrors = [...]string{
	ErrNone:          "",
	ErrLinkType:      "link type not known",
	ErrLinkCut:       "link header cut",
	ErrLinkDeep:      "too many link tags",
	ErrIPCut:         "ip header cut",
	ErrIPBad:         "ip header invalid",
	ErrIPLength:      "ip length exceeds frame",
	ErrExtensionCut:  "ipv6 extension header cut",
	ErrExtensionDeep: "too many ipv6 extension headers",
	ErrTransportCut:  "layer-4 header cut",
	ErrTransportBad:  "layer-4 header invalid",
	ErrEtherType:     "ethertype not decoded",
	ErrProtocol:      "link protocol not decoded",
	ErrEncrypted:     "encrypted link layer",
	ErrWifiFragment:  "later fragment of an 802.11 frame",
}

// String returns the text stored in Other.Error and shown in
// packets_wide.error; empty for ErrNone.
func (e DecodeError) String() string {
	if int(e) < len(decodeErrors) {
		return decodeErrors[e]
	}
	return "unknown decode error"
}

// Undecoded tells that IP may well be in the packet, but Decode can't say.
func (e DecodeError) Undecoded() bool {
	return e == ErrLinkType || e >= ErrEtherType && e <= ErrWifiFragment
}

// The bounds of Decode's loops. Real stacks stay far below them; a packet that
// does not is hostile or damaged.
const (
	maxTags       = 8   // VLAN tags of one frame, each also bounds
	maxLabels     = 16  // the MPLS labels of one stack
	maxExtensions = 128 // IPv6 extension headers of one packet
	maxTunnels    = 4   // encapsulations entered
)

// Decode fills h, from scratch, with what the hot path needs of one packet.
// data is what was captured of a frame of wireLength bytes. Decode allocates
// nothing, keeps nothing of data, and never panics, whatever the bytes.
//
// The innermost IP packet inside the tunnels of TunnelType gives the tuple; when
// what is inside does not decode to an IP packet, or the tunnel's packet is a
// fragment, the tuple is that of the tunnel itself.
func Decode(link LinkType, data []byte, wireLength int, h *Header) {
	*h = Header{VLAN: -1, OuterVLAN: -1}
	end := max(wireLength, len(data))
	if link == LinkEthernet {
		h.ethernet(data, 0, end, 0)
		return
	}
	h.frame(link, data, 0, end, false)
}

// The methods below share their arguments: data is the captured bytes from the
// start of the frame up to the end of the enclosing layer, at is where the
// layer starts in it, end is where the enclosing layer ends on the wire (at or
// after len(data)), and depth counts the tunnels entered.

// ip4 decodes an IPv4 packet (RFC 791).
func (h *Header) ip4(data []byte, at, end, depth int) {
	h.L3Offset = at
	b := data[at:]
	if len(b) < 20 {
		h.Err = ErrIPCut
		return
	}
	headerLength := int(b[0]&15) * 4
	if b[0]>>4 != 4 || headerLength < 20 {
		h.Err = ErrIPBad
		return
	}
	room := end - at
	total := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case total == 0:
		// The sender's own capture of a packet its NIC will cut up (TCP
		// segmentation offload) has no length yet: it fills the frame.
		total = room
	case total < headerLength:
		h.Err = ErrIPBad
		return
	case total > room:
		total = room
		h.Err = ErrIPLength
	}
	h.IP = true
	h.Src, h.Dst = AddrFrom4(b[12:16]), AddrFrom4(b[16:20])
	h.TOS, h.TTL, h.Protocol = b[1], b[8], b[9]
	h.IPID = uint32(binary.BigEndian.Uint16(b[4:]))
	fragment := binary.BigEndian.Uint16(b[6:])
	h.MoreFragments = fragment&0x2000 != 0
	h.FragmentOffset = fragment << 3
	h.Fragment = h.MoreFragments || h.FragmentOffset != 0
	h.L3Length = total
	end = at + total
	h.transport(data[:min(len(data), end)], at+headerLength, end, depth)
}

// IPv6 extension headers (IANA ipv6-parameters registry).
const (
	extHopByHop    = 0
	extRouting     = 43
	extFragment    = 44
	extAuth        = 51
	extDestination = 60
)

// ip6 decodes an IPv6 packet (RFC 8200) and walks its extension headers.
func (h *Header) ip6(data []byte, at, end, depth int) {
	h.L3Offset = at
	b := data[at:]
	if len(b) < 40 {
		h.Err = ErrIPCut
		return
	}
	if b[0]>>4 != 6 {
		h.Err = ErrIPBad
		return
	}
	room := end - at
	length := 40 + int(binary.BigEndian.Uint16(b[4:]))
	next := b[6]
	switch {
	case length == 40 && next != protocolNone:
		length = room // jumbogram or segmentation offload: it fills the frame
	case length > room:
		length = room
		h.Err = ErrIPLength
	}
	h.IP = true
	h.Src, h.Dst = AddrFrom16(b[8:24]), AddrFrom16(b[24:40])
	h.TOS = b[0]<<4 | b[1]>>4
	h.TTL = b[7]
	h.L3Length = length
	end = at + length
	data = data[:min(len(data), end)]
	at += 40
	for n := 0; ; n++ {
		h.Protocol = next
		size := 8
		switch next {
		case extHopByHop, extRouting, extFragment, extAuth, extDestination:
		default:
			h.transport(data, at, end, depth)
			return
		}
		if n == maxExtensions {
			h.Err = ErrExtensionDeep
			return
		}
		if len(data)-at < 8 {
			h.Err = ErrExtensionCut
			return
		}
		b := data[at:]
		switch next {
		case extFragment:
			fragment := binary.BigEndian.Uint16(b[2:])
			h.FragmentOffset = fragment &^ 7
			h.MoreFragments = fragment&1 != 0
			h.Fragment = h.MoreFragments || h.FragmentOffset != 0
			h.IPID = binary.BigEndian.Uint32(b[4:])
		case extAuth:
			size = 4 * (int(b[1]) + 2)
		default:
			size = 8 * (int(b[1]) + 1)
		}
		next = b[0]
		at += size
		if h.FragmentOffset != 0 {
			// What follows is data of a datagram whose headers are in its
			// first fragment; next is what that fragment's chain starts
			// with, nearly always the transport protocol.
			h.Protocol, h.L4Offset = next, at
			return
		}
		if at > len(data) {
			h.Protocol = next
			h.Err = ErrExtensionCut
			return
		}
	}
}

// transport decodes what the IP packet carries. A later fragment has no
// layer-4 header, and so no ports and no payload of its own.
func (h *Header) transport(data []byte, at, end, depth int) {
	h.L4Offset = at
	if h.FragmentOffset != 0 {
		return
	}
	if at > len(data) { // IPv4 options not captured, or longer than the packet
		h.cut(at, end, 0)
		return
	}
	b := data[at:]
	size := 0 // of the layer-4 header
	switch h.Protocol {
	case ProtocolTCP:
		size = 20
	case ProtocolUDP, ProtocolICMP, ProtocolICMPv6:
		size = 8
	case ProtocolSCTP:
		size = 12
	case ProtocolGRE, ProtocolIPIP, ProtocolIPv6, protocolEther, protocolL2TP:
		if depth < maxTunnels && !h.Fragment && h.tunnel(data, at, end, depth) {
			return
		}
	}
	switch h.Protocol {
	case ProtocolTCP, ProtocolUDP, ProtocolSCTP:
		if len(b) >= 4 {
			h.SrcPort = binary.BigEndian.Uint16(b)
			h.DstPort = binary.BigEndian.Uint16(b[2:])
		}
	case ProtocolICMP, ProtocolICMPv6:
		if len(b) >= 2 {
			h.ICMPType, h.ICMPCode = b[0], b[1]
		}
	}
	if len(b) < size {
		h.cut(at, end, size)
		return
	}
	switch h.Protocol {
	case ProtocolTCP:
		h.TCPSeq = binary.BigEndian.Uint32(b[4:])
		h.TCPAck = binary.BigEndian.Uint32(b[8:])
		h.TCPFlags = binary.BigEndian.Uint16(b[12:]) & 0x1ff
		h.TCPWindow = binary.BigEndian.Uint16(b[14:])
		size = int(b[12]>>4) * 4
		if size < 20 || at+size > end {
			h.Err = ErrTransportBad
			return
		}
		if size > len(b) { // options cut: the payload was not captured either
			h.Err = ErrTransportCut
			return
		}
	case ProtocolUDP:
		// The UDP length ends the payload before the IP packet does when the
		// sender padded; 0 and nonsense leave it to the IP length.
		if n := int(binary.BigEndian.Uint16(b[4:])); n >= 8 && at+n < end {
			end = at + n
			data = data[:min(len(data), end)]
		}
		h.PayloadOffset, h.PayloadLength = at+8, end-at-8
		if depth < maxTunnels && !h.Fragment {
			h.datagramTunnel(data, at+8, end, depth)
		}
		return
	}
	h.PayloadOffset, h.PayloadLength = at+size, end-at-size
}

// cut records why a layer-4 header of size bytes at at is not there: the
// capture stopped before it, or the packet itself is too short for it.
func (h *Header) cut(at, end, size int) {
	h.Err = ErrTransportCut
	if at+size > end {
		h.Err = ErrTransportBad
	}
}
