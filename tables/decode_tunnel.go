package tables

import "encoding/binary"

// TunnelType tells which encapsulation the innermost tuple was found in. The
// outermost IP addresses are kept beside that tuple.
type TunnelType uint8

// The tunnels Decode looks into, with what is their TunnelID.
const (
	TunnelNone    TunnelType = iota
	TunnelGRE                // the key; RFC 2784, RFC 2890, NVGRE
	TunnelVXLAN              // the VNI; RFC 7348, VXLAN-GPE
	TunnelERSPAN             // the session; in GRE, types I (without one), II and III
	TunnelGeneve             // the VNI; RFC 8926
	TunnelIPIP               // none; any version of IP in any, 6in4 too
	TunnelTeredo             // none; RFC 4380
	TunnelGTP                // the endpoint (TEID) the packet goes to; 3GPP TS 29.281
	TunnelL2TP               // v2: tunnel << 16 | session, v3: session; RFC 2661, RFC 3931
	TunnelPPTP               // the call the packet goes to; RFC 2637
	TunnelEtherIP            // none; RFC 3378
)

var tunnelNames = [...]string{"", "gre", "vxlan", "erspan", "geneve", "ipip", "teredo", "gtp", "l2tp", "pptp", "etherip"}

// String returns the stored text: gre, vxlan, …; empty without a tunnel.
func (t TunnelType) String() string { return tunnelNames[t] }

// HasID tells that a tunnel has an id that is that of both directions. GTP, L2TP
// and PPTP number who receives: such an id names no conversation.
func (t TunnelType) HasID() bool {
	return t == TunnelGRE || t == TunnelVXLAN || t == TunnelGeneve || t == TunnelERSPAN
}

// ID is a flow's tunnel_id: NULL unless it is of both directions.
func (t TunnelType) ID(id uint32) Opt[int64] {
	if !t.HasID() {
		return Opt[int64]{}
	}
	return Some(int64(id))
}

// Ports of tunnels in UDP (IANA unless said otherwise).
const (
	portL2TP       = 1701
	portGTP        = 2152
	portTeredo     = 3544
	portVXLAN      = 4789
	portVXLANGPE   = 4790
	portGeneve     = 6081
	portVXLANLinux = 8472 // the Linux kernel's default, older than IANA's
)

// etherByVersion is, for inside, IP of the version that its first bits say.
const etherByVersion = 1

// maxGuesses is the depth down to which is tried what nothing announces.
const maxGuesses = 2

// inside decodes a tunnel's packet: t and id as they will stand in h, carried
// its EtherType. It reports whether IP is in it; otherwise h is as before.
func (h *Header) inside(t TunnelType, id uint32, carried uint16, data []byte, at, end, depth int) bool {
	outer := *h
	if h.Tunnel == TunnelNone {
		h.OuterSrc, h.OuterDst = h.Src, h.Dst
	}
	h.Tunnel, h.TunnelID = t, id
	h.IP = false
	h.SrcPort, h.DstPort = 0, 0
	h.IPID = 0
	h.PayloadOffset, h.PayloadLength = 0, 0
	h.Err = ErrNone
	switch carried {
	case etherTEB:
		h.ethernet(data, at, end, depth+1)
	case etherByVersion:
		h.version(data, at, end, depth+1)
	case etherPPP:
		h.ppp(data, at, end, depth+1)
	default:
		if carried >= etherMin {
			h.network(data, at, end, carried, depth+1)
		}
	}
	if !h.IP {
		*h = outer
		return false
	}
	return true
}

// guess is inside for what no header announces: the IP packet found must fit
// its room.
func (h *Header) guess(t TunnelType, id uint32, carried uint16, data []byte, at, end, depth int) bool {
	outer := *h
	if depth >= maxGuesses || at > len(data) || !h.inside(t, id, carried, data, at, end, depth) {
		return false
	}
	if h.Err == ErrIPLength {
		*h = outer
		return false
	}
	return true
}

// tunnel decodes what an IP protocol carries that is a tunnel by its number. It
// reports whether IP is in it; otherwise h is as before.
func (h *Header) tunnel(data []byte, at, end, depth int) bool {
	switch h.Protocol {
	case ProtocolGRE:
		return h.gre(data, at, end, depth)
	case ProtocolIPIP:
		return h.inside(TunnelIPIP, 0, etherIPv4, data, at, end, depth)
	case ProtocolIPv6:
		return h.inside(TunnelIPIP, 0, etherIPv6, data, at, end, depth)
	case protocolEther: // version 3 in four bits, the rest 0
		return len(data)-at >= 2 && data[at]>>4 == 3 &&
			h.inside(TunnelEtherIP, 0, etherTEB, data, at+2, end, depth)
	case protocolL2TP:
		return len(data)-at >= 4 && h.l2tp3(data, at, end, depth)
	}
	return false
}

// gre decodes what a GRE packet carries. Source routing and whatever is not IP
// stay the outer packet.
func (h *Header) gre(data []byte, at, end, depth int) bool {
	b := data[at:]
	if len(b) < 4 {
		return false
	}
	const checksum, routing, key, sequence, acknowledged, version = 0x8000, 0x4000, 0x2000, 0x1000, 0x0080, 0x0007
	const erspan, erspan3 = 0x88be, 0x22eb
	flags, carried := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	t := TunnelGRE
	switch {
	case flags&routing != 0, flags&version > 1:
		return false
	case flags&version == 1: // PPTP's GRE: a key, and PPP
		if flags&(checksum|key) != key || carried != etherPPP {
			return false
		}
		t = TunnelPPTP
	}
	size := 4
	if flags&checksum != 0 {
		size += 4
	}
	var id uint32
	if flags&key != 0 {
		if len(b) < size+4 {
			return false
		}
		id = binary.BigEndian.Uint32(b[size:])
		if t == TunnelPPTP {
			id &= 0xffff // the payload's length is above
		}
		size += 4
	}
	if flags&sequence != 0 {
		size += 4
	}
	if t == TunnelPPTP && flags&acknowledged != 0 {
		size += 4
	}
	if len(b) < size {
		return false
	}
	if carried == erspan || carried == erspan3 {
		return h.erspan(data, at+size, end, depth, carried == erspan && flags&sequence == 0)
	}
	return h.inside(t, id, carried, data, at+size, end, depth)
}

// erspan decodes a mirrored frame (draft-foschiano-erspan-03): of type I behind
// GRE itself, of type II behind 8, of type III behind 12 or 20 bytes.
func (h *Header) erspan(data []byte, at, end, depth int, first bool) bool {
	if first {
		return h.inside(TunnelERSPAN, 0, etherTEB, data, at, end, depth)
	}
	b := data[at:]
	if len(b) < 8 {
		return false
	}
	size, carried := 8, uint16(etherTEB)
	session := uint32(binary.BigEndian.Uint16(b[2:]) & 0x3ff)
	switch b[0] >> 4 {
	case 1:
	case 2:
		if size = 12; len(b) < size {
			return false
		}
		const subheader, kind, packet = 1, 0x7c00, 2 << 10
		flags := binary.BigEndian.Uint16(b[10:])
		if flags&subheader != 0 {
			size += 8
		}
		switch flags & kind {
		case 0:
		case packet:
			carried = etherByVersion
		default:
			return false
		}
		if len(b) < size {
			return false
		}
	default:
		return false
	}
	return h.inside(TunnelERSPAN, session, carried, data, at+size, end, depth)
}

// datagramTunnel decodes what a UDP datagram's ports say to be a tunnel; at is
// its payload. h stays the outer packet when there is no IP in it.
func (h *Header) datagramTunnel(data []byte, at, end, depth int) {
	port := h.DstPort
	switch port {
	case portVXLAN, portVXLANLinux, portVXLANGPE, portGeneve, portGTP, portTeredo, portL2TP:
	default:
		// The source ports of the others say nothing.
		if port = h.SrcPort; port != portGTP && port != portTeredo && port != portL2TP {
			return
		}
	}
	b := data[at:]
	if len(b) < 8 {
		return
	}
	switch port {
	case portVXLAN, portVXLANLinux:
		if b[0]&0x08 != 0 { // the VNI is valid
			h.inside(TunnelVXLAN, binary.BigEndian.Uint32(b[4:])>>8, etherTEB, data, at+8, end, depth)
		}
	case portVXLANGPE:
		h.vxlanGPE(data, at, end, depth)
	case portGeneve:
		if size := 8 + 4*int(b[0]&63); b[0]>>6 == 0 && size <= len(b) {
			h.inside(TunnelGeneve, binary.BigEndian.Uint32(b[4:])>>8, binary.BigEndian.Uint16(b[2:]), data, at+size, end, depth)
		}
	case portGTP:
		h.gtp(data, at, end, depth)
	case portTeredo:
		h.teredo(data, at, end, depth)
	case portL2TP:
		h.l2tp(data, at, end, depth)
	}
}

// vxlanGPE decodes VXLAN with a next protocol (draft-ietf-nvo3-vxlan-gpe).
func (h *Header) vxlanGPE(data []byte, at, end, depth int) {
	const vni, next = 0x08, 0x04
	b := data[at:]
	if b[0]&vni == 0 {
		return
	}
	carried := uint16(etherTEB)
	if b[0]&next != 0 {
		switch b[3] {
		case nextIPv4:
			carried = etherIPv4
		case nextIPv6:
			carried = etherIPv6
		case nextEthernet:
		case nextNSH:
			carried = etherNSH
		case nextMPLS:
			carried = etherMPLS
		default:
			return
		}
	}
	h.inside(TunnelVXLAN, binary.BigEndian.Uint32(b[4:])>>8, carried, data, at+8, end, depth)
}

// gtp decodes a G-PDU of GTP-U version 1 with its extension headers (3GPP TS
// 29.281 section 5).
func (h *Header) gtp(data []byte, at, end, depth int) {
	const version, version1, extension, optional, packet = 0xf0, 0x30, 0x04, 0x07, 255
	b := data[at:]
	if b[0]&version != version1 || b[1] != packet {
		return
	}
	size := 8
	if b[0]&optional != 0 {
		if size = 12; len(b) < size {
			return
		}
		if b[0]&extension != 0 {
			for next, n := b[11], 0; next != 0; n++ {
				if n == maxExtensions || len(b) <= size {
					return
				}
				length := 4 * int(b[size])
				if length == 0 || len(b) < size+length {
					return
				}
				size += length
				next = b[size-1]
			}
		}
	}
	h.guess(TunnelGTP, binary.BigEndian.Uint32(b[4:]), etherByVersion, data, at+size, end, depth)
}

// teredo decodes IPv6 in UDP, behind an authentication header and an origin
// indication or without (RFC 4380 section 5.1.1).
func (h *Header) teredo(data []byte, at, end, depth int) {
	b := data[at:]
	size := 0
	if b[0] == 0 && b[1] == 1 {
		size = 13 + int(b[2]) + int(b[3])
	}
	if len(b) >= size+8 && b[size] == 0 && b[size+1] == 0 {
		size += 8
	}
	if len(b) > size && b[size]>>4 == 6 {
		h.guess(TunnelTeredo, 0, etherIPv6, data, at+size, end, depth)
	}
}

// l2tp decodes a data message of L2TP in UDP: PPP in version 2, in version 3
// see l2tp3.
func (h *Header) l2tp(data []byte, at, end, depth int) {
	const control, length, sequence, offset, version = 0x8000, 0x4000, 0x0800, 0x0200, 0x000f
	b := data[at:]
	flags := binary.BigEndian.Uint16(b)
	switch {
	case flags&control != 0:
		return
	case flags&version == 3:
		h.l2tp3(data, at+4, end, depth)
		return
	case flags&version != 2:
		return
	}
	size := 2
	if flags&length != 0 {
		size += 2
	}
	if len(b) < size+4 {
		return
	}
	id := binary.BigEndian.Uint32(b[size:])
	if size += 4; flags&sequence != 0 {
		size += 4
	}
	if flags&offset != 0 {
		if len(b) < size+2 {
			return
		}
		size += 2 + int(binary.BigEndian.Uint16(b[size:]))
	}
	h.guess(TunnelL2TP, id, etherPPP, data, at+size, end, depth)
}

// l2tp3 decodes a data message of version 3 from its session on. How long the
// cookie is, whether a sublayer of four bytes follows it and what is carried
// was negotiated elsewhere: the place where a frame with IP in it stands tells.
func (h *Header) l2tp3(data []byte, at, end, depth int) bool {
	session := binary.BigEndian.Uint32(data[at:])
	if session == 0 { // control
		return false
	}
	for skip := 4; skip <= 16; skip += 4 {
		if bridged(data, at+skip, end) && h.guess(TunnelL2TP, session, etherTEB, data, at+skip, end, depth) {
			return true
		}
	}
	for skip := 4; skip <= 16; skip += 4 {
		if p := at + skip; len(data)-p >= 4 && data[p] == 0xff && data[p+1] == 3 && h.guess(TunnelL2TP, session, etherPPP, data, p, end, depth) {
			return true
		}
	}
	return false
}
