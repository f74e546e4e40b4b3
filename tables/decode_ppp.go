package tables

import "encoding/binary"

// PPP protocol numbers (IANA ppp-numbers).
const (
	pppIPv4      = 0x0021
	pppIPv6      = 0x0057
	pppMultilink = 0x003d
	pppMPLS      = 0x0281
	pppMPLSm     = 0x0283
	pppControl   = 0x8000 // from here on protocols negotiate
)

// ppp decodes a PPP frame (RFC 1661), with address and control of HDLC framing
// (RFC 1662) or without.
func (h *Header) ppp(data []byte, at, end, depth int) {
	if len(data)-at >= 2 && data[at] == 0xff && data[at+1] == 3 {
		at += 2
	}
	for links := 0; ; links++ {
		if depth == 0 {
			h.L3Offset = min(at, len(data))
		}
		if len(data)-at < 1 {
			h.Err = ErrLinkCut
			return
		}
		protocol := uint16(data[at])
		if at++; protocol&1 == 0 { // else its first byte was compressed away
			if len(data)-at < 1 {
				h.Err = ErrLinkCut
				return
			}
			protocol = protocol<<8 | uint16(data[at])
			at++
		}
		switch {
		case protocol == pppIPv4:
			h.pppNetwork(data, at, end, etherIPv4, depth)
		case protocol == pppIPv6:
			h.pppNetwork(data, at, end, etherIPv6, depth)
		case protocol == pppMPLS || protocol == pppMPLSm:
			h.pppNetwork(data, at, end, etherMPLS, depth)
		case protocol == pppMultilink && links == 0 && len(data)-at >= 4 && data[at]&0xc0 == 0xc0:
			at += 4 // a whole packet of a multilink bundle, RFC 1990
			continue
		case protocol < pppControl:
			h.Err = ErrProtocol
		}
		return
	}
}

// pppNetwork decodes a packet of PPP; PPPoE keeps its own EtherType.
func (h *Header) pppNetwork(data []byte, at, end int, etherType uint16, depth int) {
	outer := h.EtherType
	h.network(data, at, end, etherType, depth)
	if outer == etherPPPoE {
		h.EtherType = outer
	}
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
	h.ppp(data, at+6, end, depth)
}

// pppHDLC decodes LINKTYPE_PPP_HDLC: PPP, or Cisco HDLC by its addresses.
func (h *Header) pppHDLC(data []byte, at, end int) {
	if len(data)-at >= 2 && (data[at] == 0x0f || data[at] == 0x8f) && data[at+1] == 0 {
		h.ciscoHDLC(data, at, end)
		return
	}
	h.ppp(data, at, end, 0)
}

// ciscoHDLC decodes address, control and EtherType.
func (h *Header) ciscoHDLC(data []byte, at, end int) {
	if len(data)-at < 4 {
		h.Err = ErrLinkCut
		return
	}
	h.etherTyped(data, at+4, end, binary.BigEndian.Uint16(data[at+2:]))
}

// etherTyped decodes what follows an EtherType that can't be a length.
func (h *Header) etherTyped(data []byte, at, end int, etherType uint16) {
	h.EtherType, h.L3Offset = etherType, at
	if etherType < etherMin {
		h.Err = ErrEtherType
		return
	}
	h.network(data, at, end, etherType, 0)
}

// frameRelay decodes a frame relay frame: an address of two to four bytes
// (Q.922), then RFC 2427, or an EtherType as Cisco's encapsulation has it.
func (h *Header) frameRelay(data []byte, at, end int) {
	n := 0
	for more := true; more; n++ {
		if len(data)-at-n < 3 { // with what follows
			h.Err = ErrLinkCut
			return
		}
		more = data[at+n]&1 == 0
		if n == 4 {
			h.Err = ErrProtocol
			return
		}
	}
	if at += n; data[at] != 3 {
		h.etherTyped(data, at+2, end, binary.BigEndian.Uint16(data[at:]))
		return
	}
	if at++; data[at] == 0 {
		at++ // padding
	}
	h.nlpid(data, at, end)
}

// nlpid decodes what a network layer protocol identifier (ISO/IEC TR 9577)
// announces.
func (h *Header) nlpid(data []byte, at, end int) {
	h.L3Offset = min(at, len(data))
	if len(data)-at < 1 {
		h.Err = ErrLinkCut
		return
	}
	const snap, clnp, esis, isis, q933, ip6, ip4, ppp = 0x80, 0x81, 0x82, 0x83, 0x08, 0x8e, 0xcc, 0xcf
	id := data[at]
	at++
	switch id {
	case ip4:
		h.etherTyped(data, at, end, etherIPv4)
	case ip6:
		h.etherTyped(data, at, end, etherIPv6)
	case ppp:
		h.ppp(data, at, end, 0)
	case clnp, esis, isis, q933:
	case snap:
		if len(data)-at < 5 {
			h.Err = ErrLinkCut
			return
		}
		organisation, protocol := string(data[at:at+3]), binary.BigEndian.Uint16(data[at+3:])
		switch at += 5; {
		case organisation == ouiEther:
			h.etherTyped(data, at, end, protocol)
		case organisation == ouiBridged && (protocol == 1 || protocol == 7): // Ethernet, with and without checksum
			h.ethernet(data, at, end, 0)
		case organisation == ouiCisco: // CDP and its kin
		default:
			h.Err = ErrProtocol
		}
	default:
		h.Err = ErrProtocol
	}
}
