package tables

import "encoding/binary"

const (
	portVXLAN      = 4789 // IANA
	portVXLANLinux = 8472 // the Linux kernel's default, older than IANA's
)

// String returns the stored text: gre, vxlan; empty without a tunnel.
func (t TunnelType) String() string {
	switch t {
	case TunnelGRE:
		return "gre"
	case TunnelVXLAN:
		return "vxlan"
	}
	return ""
}

// enter starts an inner packet: the outermost addresses stay, everything the
// inner headers will say is forgotten.
func (h *Header) enter(t TunnelType, id uint32) {
	if h.Tunnel == TunnelNone {
		h.OuterSrc, h.OuterDst = h.Src, h.Dst
	}
	h.Tunnel, h.TunnelID = t, id
	h.IP = false
	h.SrcPort, h.DstPort = 0, 0
	h.IPID = 0
	h.PayloadOffset, h.PayloadLength = 0, 0
	h.Err = ErrNone
}

// gre decodes what a GRE packet (RFC 2784, RFC 2890) carries. It reports
// whether that is an IP packet; otherwise h is as before. PPTP (version 1),
// ERSPAN, source routing and whatever is not IP stay the outer packet.
func (h *Header) gre(data []byte, at, end, depth int) bool {
	b := data[at:]
	if len(b) < 4 {
		return false
	}
	const checksum, routing, key, sequence, version = 0x8000, 0x4000, 0x2000, 0x1000, 0x0007
	flags, carried := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	if flags&(routing|version) != 0 {
		return false
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
		size += 4
	}
	if flags&sequence != 0 {
		size += 4
	}
	if len(b) < size {
		return false
	}
	outer := *h
	h.enter(TunnelGRE, id)
	switch carried {
	case etherTEB:
		h.ethernet(data, at+size, end, depth+1)
	case etherIPv4, etherIPv6, etherMPLS, etherMPLSm, etherVLAN:
		h.network(data, at+size, end, carried, depth+1)
	}
	if !h.IP {
		*h = outer
		return false
	}
	return true
}

// vxlan decodes the Ethernet frame in a VXLAN datagram (RFC 7348) whose header
// is at at; h stays the outer packet when that is not IP.
func (h *Header) vxlan(data []byte, at, end, depth int) {
	if len(data)-at < 8 || data[at]&0x08 == 0 { // I: the VNI is valid
		return
	}
	outer := *h
	h.enter(TunnelVXLAN, binary.BigEndian.Uint32(data[at+4:])>>8)
	h.ethernet(data, at+8, end, depth+1)
	if !h.IP {
		*h = outer
	}
}
