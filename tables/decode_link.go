package tables

import "encoding/binary"

// Values of the EtherType field (IEEE registry) that Decode tells apart.
const (
	etherLLC    = 0 // of ours: no EtherType, an LLC header follows
	etherIPv4   = 0x0800
	etherARP    = 0x0806
	etherTRILL  = 0x22f3 // RFC 6325
	etherTEB    = 0x6558 // transparent Ethernet bridging, in GRE
	etherVLAN   = 0x8100 // IEEE 802.1Q
	etherIPv6   = 0x86dd
	etherPPP    = 0x880b // in GRE
	etherMPLS   = 0x8847
	etherMPLSm  = 0x8848 // upstream-assigned label, formerly multicast
	etherPPPoE  = 0x8864 // session stage
	etherQinQ   = 0x88a8 // IEEE 802.1ad
	etherMACsec = 0x88e5 // IEEE 802.1AE
	etherITag   = 0x88e7 // IEEE 802.1ah
	etherFabric = 0x8903 // Cisco FabricPath
	etherCMD    = 0x8909 // Cisco metadata: the security group of TrustSec
	etherVNTag  = 0x8926
	etherHSR    = 0x892f // IEC 62439-3
	etherETag   = 0x893f // IEEE 802.1BR
	etherNSH    = 0x894f // RFC 8300
	etherQinQ1  = 0x9100 // 802.1ad before it had a number of its own
	etherQinQ2  = 0x9200
	etherEDSA   = 0xdada // Marvell switch tag, as Linux numbers it

	// Below this the field is the length of an IEEE 802.3 frame.
	etherMin = 0x0600
)

// Organisations of SNAP headers (IEEE).
const (
	ouiEther   = "\x00\x00\x00" // an EtherType follows, RFC 1042
	ouiTunnel  = "\x00\x00\xf8" // the same, IEEE 802.1H
	ouiCisco   = "\x00\x00\x0c"
	ouiBridged = "\x00\x80\xc2" // IEEE 802.1: a whole frame follows
)

// ethernet decodes an Ethernet frame. Inside another frame or a tunnel (depth >
// 0) the MAC addresses, tags and EtherType stay those of the outermost one.
func (h *Header) ethernet(data []byte, at, end, depth int) {
	if len(data)-at < 14 {
		h.Err = ErrLinkCut
		return
	}
	b := data[at : at+14]
	if depth == 0 {
		h.HasMAC = true
		h.DstMAC = uint64(binary.BigEndian.Uint32(b))<<16 | uint64(binary.BigEndian.Uint16(b[4:]))
		h.SrcMAC = uint64(binary.BigEndian.Uint16(b[6:]))<<32 | uint64(binary.BigEndian.Uint32(b[8:]))
	}
	h.network(data, at+14, end, binary.BigEndian.Uint16(b[12:]), depth)
}

// switchTag decodes an Ethernet frame with size bytes of a switch's tag between
// addresses and EtherType.
func (h *Header) switchTag(data []byte, at, size, end int) {
	if len(data)-at < 14+size {
		h.Err = ErrLinkCut
		return
	}
	h.HasMAC, h.DstMAC, h.SrcMAC = true, mac(data[at:]), mac(data[at+6:])
	h.network(data, at+14+size, end, binary.BigEndian.Uint16(data[at+12+size:]), 0)
}

// dsaVLAN reads the VLAN of a frame whose own tag a Marvell DSA tag replaced.
func (h *Header) dsaVLAN(data []byte, at int) {
	const tagged = 0x20
	if len(data)-at >= 4 && data[at]&tagged != 0 && h.VLAN < 0 {
		h.VLAN = int16(binary.BigEndian.Uint16(data[at+2:]) & 0xfff)
	}
}

// network decodes what an EtherType announces, after VLAN and other tags and
// MPLS labels.
func (h *Header) network(data []byte, at, end int, etherType uint16, depth int) {
	for tags := 0; ; tags++ {
		if depth == 0 {
			h.EtherType = etherType
			h.L3Offset = at
		}
		switch etherType {
		case etherIPv4:
			h.ip4(data, at, end, depth)
			return
		case etherIPv6:
			h.ip6(data, at, end, depth)
			return
		}
		if tags == maxTags {
			h.Err = ErrLinkDeep
			return
		}
		size := 0 // of a tag, the EtherType at its end included
		switch etherType {
		case etherVLAN, etherQinQ, etherQinQ1, etherQinQ2:
			size = 4
			if depth == 0 && len(data)-at >= size {
				if h.VLAN >= 0 && h.OuterVLAN < 0 {
					h.OuterVLAN = h.VLAN
				}
				h.VLAN = int16(binary.BigEndian.Uint16(data[at:]) & 0xfff)
			}
		case etherVNTag, etherHSR:
			size = 6
		case etherETag, etherEDSA:
			size = 8
		case etherCMD: // version, length in words, options
			if size = 8; len(data)-at >= 2 {
				size = 4 + 4*int(data[at+1])
			}
		case etherMACsec:
			size = h.macsec(data, at)
		case etherMPLS, etherMPLSm:
			h.mpls(data, at, end, depth)
			return
		case etherPPPoE:
			h.pppoe(data, at, end, depth)
			return
		case etherITag, etherTRILL, etherFabric, etherNSH, etherTEB, etherPPP:
			h.framed(data, at, end, etherType, depth)
			return
		default:
			if etherType >= etherMin {
				if etherNames[etherType] == "" {
					h.Err = ErrEtherType
				}
				return // ARP, LLDP, …: no IP
			}
			// IEEE 802.3: a length, then LLC. SNAP may lead back to an
			// EtherType; all else is not IP.
			if depth == 0 {
				h.EtherType = 0
			}
			if len(data)-at < 8 || string(data[at:at+3]) != "\xaa\xaa\x03" {
				return
			}
			if o := string(data[at+3 : at+6]); o != ouiEther && o != ouiTunnel {
				return
			}
			size = 8
		}
		if len(data)-at < size {
			if h.Err == ErrNone {
				h.Err = ErrLinkCut
			}
			return
		}
		at += size
		etherType = binary.BigEndian.Uint16(data[at-2:])
	}
}

// macsec returns the size of a MACsec header with the EtherType behind it, or
// more than there is when the packet is encrypted.
func (h *Header) macsec(data []byte, at int) int {
	const sci, encrypted, changed = 0x20, 0x08, 0x04
	if len(data)-at < 1 {
		return 8
	}
	switch control := data[at]; {
	case control&(encrypted|changed) != 0:
		h.Err = ErrEncrypted
		return len(data) + 1
	case control&sci != 0:
		return 16
	}
	return 8
}

// framed decodes frames behind headers that are no tags: mostly another
// Ethernet frame.
func (h *Header) framed(data []byte, at, end int, etherType uint16, depth int) {
	if depth >= maxTunnels {
		h.Err = ErrLinkDeep
		return
	}
	size := 0
	switch etherType {
	case etherITag:
		size = 4
	case etherFabric:
		size = 2
	case etherTRILL:
		if size = 6; len(data)-at >= 2 {
			size += 4 * int(binary.BigEndian.Uint16(data[at:])>>6&31)
		}
	case etherNSH:
		if size = 8; len(data)-at >= 4 {
			size = 4 * int(data[at+1]&63)
		}
	}
	if size > len(data)-at || etherType == etherNSH && size < 8 {
		h.Err = ErrLinkCut
		return
	}
	switch {
	case etherType == etherPPP:
		h.ppp(data, at, end, depth+1)
	case etherType == etherNSH && data[at+3] != nextEthernet:
		h.nextProtocol(data, at+size, end, data[at+3], depth+1)
	default:
		if depth == 0 {
			h.L3Offset = at + size
		}
		h.ethernet(data, at+size, end, depth+1)
	}
}

// Next protocols of NSH (RFC 8300) and VXLAN-GPE.
const (
	nextIPv4     = 1
	nextIPv6     = 2
	nextEthernet = 3
	nextNSH      = 4
	nextMPLS     = 5
)

func (h *Header) nextProtocol(data []byte, at, end int, next byte, depth int) {
	switch next {
	case nextIPv4:
		h.network(data, at, end, etherIPv4, depth)
	case nextIPv6:
		h.network(data, at, end, etherIPv6, depth)
	case nextEthernet:
		h.ethernet(data, at, end, depth)
	case nextNSH:
		h.network(data, at, end, etherNSH, depth)
	case nextMPLS:
		h.network(data, at, end, etherMPLS, depth)
	default:
		h.Err = ErrProtocol
	}
}

// mpls skips a label stack (RFC 3032).
func (h *Header) mpls(data []byte, at, end, depth int) {
	for n := 0; ; n++ {
		if len(data)-at < 4 {
			h.Err = ErrLinkCut
			return
		}
		if n == maxLabels {
			h.Err = ErrLinkDeep
			return
		}
		bottom := data[at+2]&1 != 0
		at += 4
		if bottom {
			break
		}
	}
	h.labelled(data, at, end, depth)
}

// labelled decodes what MPLS labels carry. Nothing in the stack says what that
// is, and a router's look at the first nibble takes the address of an Ethernet
// frame for an IP header when it begins with 4 or 6 (RFC 4928). So an IPv4
// header must have its checksum, or fill the frame exactly; anything else is IP
// only when it is not a frame with IP in it, with a control word (RFC 4385) in
// front or without.
func (h *Header) labelled(data []byte, at, end, depth int) {
	if depth == 0 {
		h.L3Offset = at
	}
	if at >= len(data) {
		h.Err = ErrIPCut
		return
	}
	b, room := data[at:], end-at
	nibble := b[0] >> 4
	if nibble == 4 && headerSum(b) && int(binary.BigEndian.Uint16(b[2:])) <= room {
		h.version(data, at, end, depth)
		return
	}
	if nibble == 0 && h.pseudowire(data, at+4, end, depth) || h.pseudowire(data, at, end, depth) {
		return
	}
	switch {
	case nibble == 4 && (len(b) < 4 || int(binary.BigEndian.Uint16(b[2:])) == room),
		nibble == 6 && (len(b) < 6 || 40+int(binary.BigEndian.Uint16(b[4:])) <= room):
		h.version(data, at, end, depth)
	case nibble == 1 || bridged(data, at, end) || nibble == 0 && bridged(data, at+4, end):
		// A pseudowire's own messages, or a frame without IP.
	default:
		h.Err = ErrProtocol
	}
}

// headerSum tells whether a captured IPv4 header has its checksum (RFC 1071).
func headerSum(b []byte) bool {
	size := int(b[0]&15) * 4
	if size < 20 || len(b) < size {
		return false
	}
	var sum uint32
	for i := 0; i < size; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(b[i:]))
	}
	sum = sum>>16 + sum&0xffff
	return sum+sum>>16 == 0xffff
}

// bridged tells whether an Ethernet frame may stand at at.
func bridged(data []byte, at, end int) bool {
	if len(data)-at < 14 {
		return false
	}
	etherType := binary.BigEndian.Uint16(data[at+12:])
	if etherType < etherMin { // a length, of LLC's three bytes at least
		return etherType >= 3 && at+14+int(etherType) <= end
	}
	return etherNames[etherType] != ""
}

// pseudowire decodes an Ethernet frame where one may stand. It reports whether
// that is one with IP in it; else h is as before.
func (h *Header) pseudowire(data []byte, at, end, depth int) bool {
	// Each guess may hold more of them: only the outer ones are made.
	if depth >= maxGuesses || !bridged(data, at, end) {
		return false
	}
	outer := *h
	h.ethernet(data, at, end, depth+1)
	if !h.IP || h.Err == ErrIPLength {
		*h = outer
		return false
	}
	return true
}

// version decodes IPv4 or IPv6 by the version nibble. It reports whether it
// is one of the two.
func (h *Header) version(data []byte, at, end, depth int) bool {
	if depth == 0 {
		h.L3Offset = at
	}
	if at >= len(data) {
		h.Err = ErrIPCut
		return false
	}
	switch data[at] >> 4 {
	case 4:
		if depth == 0 {
			h.EtherType = etherIPv4
		}
		h.ip4(data, at, end, depth)
	case 6:
		if depth == 0 {
			h.EtherType = etherIPv6
		}
		h.ip6(data, at, end, depth)
	default:
		return false
	}
	return true
}

// raw decodes a frame that starts with its IP header.
func (h *Header) raw(data []byte, at, end int) {
	if !h.version(data, at, end, 0) && h.Err == ErrNone {
		h.Err = ErrIPBad
	}
}

// loopback decodes LINKTYPE_NULL and LINKTYPE_LOOP: an address family of four
// bytes, in the byte order of the machine that captured or in network order.
// Families are small numbers, so the order shows by itself. IPv6 has a number
// of its own on each BSD.
func (h *Header) loopback(data []byte, at, end int) {
	if len(data)-at < 4 {
		h.Err = ErrLinkCut
		return
	}
	family := binary.LittleEndian.Uint32(data[at:])
	if family > 0xffff {
		family = binary.BigEndian.Uint32(data[at:])
	}
	h.L3Offset = at + 4
	switch family {
	case 2:
		h.EtherType = etherIPv4
		h.ip4(data, at+4, end, 0)
	case 10, 24, 28, 30:
		h.EtherType = etherIPv6
		h.ip6(data, at+4, end, 0)
	default:
		h.Err = ErrProtocol
	}
}

// atm decodes RFC 2684's LLC encapsulation.
func (h *Header) atm(data []byte, at, end int) {
	if len(data)-at < 8 {
		h.Err = ErrLinkCut
		return
	}
	switch protocol := binary.BigEndian.Uint16(data[at+6:]); {
	case string(data[at:at+3]) == "\xfe\xfe\x03":
		h.nlpid(data, at+3, end)
	case string(data[at:at+6]) == "\xaa\xaa\x03"+ouiBridged && (protocol == 1 || protocol == 7):
		h.behind(data, at, 10, end, func(h *Header, data []byte, at, end int) { h.ethernet(data, at, end, 0) })
	default:
		h.network(data, at, end, etherLLC, 0)
	}
}

// announced decodes frames whose link type stands in a header of their own:
// PPI, in little-endian order, and PKTAP, in the order of the machine that
// captured.
func (h *Header) announced(link LinkType, data []byte, at, end int) {
	b := data[at:]
	var size, inner uint32
	switch {
	case link == LinkPPI && len(b) >= 8:
		size, inner = uint32(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
	case link == LinkPKTAP && len(b) >= 12:
		order := binary.ByteOrder(binary.LittleEndian)
		if order.Uint32(b) > 0xffff {
			order = binary.BigEndian
		}
		size, inner = order.Uint32(b), order.Uint32(b[8:])
		if order.Uint32(b[4:]) != 1 { // no packet
			return
		}
	}
	if size < 8 || uint64(size) > uint64(len(b)) {
		h.Err = ErrLinkCut
		return
	}
	h.frame(LinkType(inner), data, at+int(size), end, true)
}

// nflog decodes LINKTYPE_NFLOG: attributes in the byte order of the machine
// that captured, one of them the packet from its IP header on.
func (h *Header) nflog(data []byte, at, end int) {
	const payload, address = 9, 8 // NFULA_PAYLOAD, NFULA_HWADDR
	if len(data)-at < 4 {
		h.Err = ErrLinkCut
		return
	}
	for at += 4; len(data)-at >= 4; {
		order := binary.ByteOrder(binary.LittleEndian)
		if order.Uint16(data[at+2:])&0x3fff > 0xff { // types are small numbers, flags aside
			order = binary.BigEndian
		}
		size, kind := int(order.Uint16(data[at:])), order.Uint16(data[at+2:])&0x3fff
		if size < 4 {
			break
		}
		switch value := at + 4; {
		case kind == payload:
			end = min(end, at+size)
			h.raw(data[:min(len(data), end)], value, end)
			return
		case kind == address && size >= 14 && len(data)-at >= 14 && binary.BigEndian.Uint16(data[value:]) == 6:
			h.HasMAC, h.SrcMAC = true, mac(data[value+4:])
		}
		if at += (size + 3) &^ 3; at > len(data) {
			break
		}
	}
	h.Err = ErrLinkCut
}

// Linux ARPHRD_ numbers whose cooked frames do not hold an EtherType.
const (
	arphrdFrameRelay = 770
	arphrdWifi       = 801
	arphrdPrism      = 802
	arphrdRadiotap   = 803
	arphrdNetlink    = 824
)

// cooked decodes LINKTYPE_LINUX_SLL.
func (h *Header) cooked(data []byte, at, end int) {
	if len(data)-at < 16 {
		h.Err = ErrLinkCut
		return
	}
	b := data[at:]
	h.cookedPayload(data, at+16, end, b[6:14], int(binary.BigEndian.Uint16(b[4:])),
		binary.BigEndian.Uint16(b[2:]), binary.BigEndian.Uint16(b[14:]))
}

// cooked2 decodes LINKTYPE_LINUX_SLL2.
func (h *Header) cooked2(data []byte, at, end int) {
	if len(data)-at < 20 {
		h.Err = ErrLinkCut
		return
	}
	b := data[at:]
	h.cookedPayload(data, at+20, end, b[12:20], int(b[11]),
		binary.BigEndian.Uint16(b[8:]), binary.BigEndian.Uint16(b))
}

func (h *Header) cookedPayload(data []byte, at, end int, address []byte, addressLength int, device, protocol uint16) {
	if addressLength == 6 {
		h.HasMAC, h.SrcMAC = true, mac(address)
	}
	h.L3Offset = at
	switch device {
	case arphrdNetlink:
	case arphrdFrameRelay:
		h.frameRelay(data, at, end)
	case arphrdWifi:
		h.wifi(data, at, end, false)
	case arphrdPrism:
		h.prism(data, at, end)
	case arphrdRadiotap:
		h.radiotap(data, at, end)
	default:
		h.network(data, at, end, protocol, 0)
	}
}
