package tables

import "encoding/binary"

// Values of the EtherType field (IEEE registry) that Decode tells apart.
const (
	etherIPv4  = 0x0800
	etherARP   = 0x0806
	etherTEB   = 0x6558 // transparent Ethernet bridging, in GRE
	etherVLAN  = 0x8100 // IEEE 802.1Q
	etherIPv6  = 0x86dd
	etherMPLS  = 0x8847
	etherMPLSm = 0x8848 // upstream-assigned label, formerly multicast
	etherPPPoE = 0x8864 // session stage
	etherQinQ  = 0x88a8 // IEEE 802.1ad
	etherQinQ1 = 0x9100 // the same before it had a number of its own

	// Below this the field is the length of an IEEE 802.3 frame.
	etherMin = 0x0600
)

// ethernet decodes an Ethernet frame. Inside a tunnel (depth > 0) the MAC
// addresses, tags and EtherType stay those of the outermost frame.
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

// network decodes what an EtherType announces, after VLAN tags and MPLS
// labels.
func (h *Header) network(data []byte, at, end int, etherType uint16, depth int) {
	for tags := 0; ; {
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
		case etherVLAN, etherQinQ, etherQinQ1:
			if tags++; tags > maxTags {
				h.Err = ErrLinkDeep
				return
			}
			if len(data)-at < 4 {
				h.Err = ErrLinkCut
				return
			}
			if depth == 0 {
				if h.VLAN >= 0 && h.OuterVLAN < 0 {
					h.OuterVLAN = h.VLAN
				}
				h.VLAN = int16(binary.BigEndian.Uint16(data[at:]) & 0xfff)
			}
			etherType = binary.BigEndian.Uint16(data[at+2:])
			at += 4
		case etherMPLS, etherMPLSm:
			h.mpls(data, at, end, depth)
			return
		case etherPPPoE:
			h.pppoe(data, at, end, depth)
			return
		default:
			if etherType >= etherMin {
				return // ARP, LLDP, …: no IP, no error
			}
			// IEEE 802.3: a length, then LLC. SNAP with OUI 0 (RFC 1042)
			// leads back to an EtherType; all else is not IP.
			if depth == 0 {
				h.EtherType = 0
			}
			if len(data)-at < 8 || string(data[at:at+6]) != "\xaa\xaa\x03\x00\x00\x00" {
				return
			}
			if tags++; tags > maxTags {
				h.Err = ErrLinkDeep
				return
			}
			etherType = binary.BigEndian.Uint16(data[at+6:])
			at += 8
		}
	}
}

// mpls skips a label stack (RFC 3032) and looks at the first nibble under it,
// as routers do: nothing in the stack says what it carries. Pseudowires are
// left alone.
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
	h.version(data, at, end, depth)
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

// pppoe decodes a PPPoE session frame (RFC 2516); its control protocols are
// not IP. EtherType stays that of PPPoE.
func (h *Header) pppoe(data []byte, at, end, depth int) {
	if len(data)-at < 8 {
		h.Err = ErrLinkCut
		return
	}
	if n := int(binary.BigEndian.Uint16(data[at+4:])); n >= 2 && at+6+n < end {
		end = at + 6 + n
		data = data[:min(len(data), end)]
	}
	switch binary.BigEndian.Uint16(data[at+6:]) {
	case 0x0021:
		h.ip4(data, at+8, end, depth)
	case 0x0057:
		h.ip6(data, at+8, end, depth)
	}
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
func (h *Header) loopback(data []byte, end int) {
	if len(data) < 4 {
		h.Err = ErrLinkCut
		return
	}
	family := binary.LittleEndian.Uint32(data)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(data)
	}
	h.L3Offset = 4
	switch family {
	case 2:
		h.EtherType = etherIPv4
		h.ip4(data, 4, end, 0)
	case 10, 24, 28, 30:
		h.EtherType = etherIPv6
		h.ip6(data, 4, end, 0)
	}
}

// Linux ARPHRD_ numbers whose cooked frames do not hold an EtherType.
const (
	arphrdFrameRelay = 770
	arphrdWifi       = 801 // and 802, 803: other headers in front
	arphrdRadiotap   = 803
	arphrdNetlink    = 824
)

// cooked decodes LINKTYPE_LINUX_SLL.
func (h *Header) cooked(data []byte, end int) {
	if len(data) < 16 {
		h.Err = ErrLinkCut
		return
	}
	h.cookedPayload(data, 16, end, data[6:14], int(binary.BigEndian.Uint16(data[4:])),
		binary.BigEndian.Uint16(data[2:]), binary.BigEndian.Uint16(data[14:]))
}

// cooked2 decodes LINKTYPE_LINUX_SLL2.
func (h *Header) cooked2(data []byte, end int) {
	if len(data) < 20 {
		h.Err = ErrLinkCut
		return
	}
	h.cookedPayload(data, 20, end, data[12:20], int(data[11]),
		binary.BigEndian.Uint16(data[8:]), binary.BigEndian.Uint16(data))
}

func (h *Header) cookedPayload(data []byte, at, end int, address []byte, addressLength int, device, protocol uint16) {
	if addressLength == 6 {
		h.HasMAC = true
		h.SrcMAC = binary.BigEndian.Uint64(address) >> 16
	}
	h.L3Offset = at
	if device == arphrdNetlink || device == arphrdFrameRelay || device >= arphrdWifi && device <= arphrdRadiotap {
		return
	}
	h.network(data, at, end, protocol, 0)
}
