package tables

// DecodeError says why a packet has no (complete) header. Its text stands in
// packets_wide.error.
type DecodeError uint8

// Header is what the hot path learns of one packet. Decode fills it without
// allocating; everything refers to the innermost IP packet unless it says
// otherwise. Lengths are bytes on the wire, also when the capture cut them.
type Header struct {
	// IP tells that Src, Dst and Protocol are valid.
	IP       bool
	Src, Dst Addr
	// SrcPort and DstPort are 0 for protocols without ports and for later
	// fragments (the meter attaches those to their datagram).
	SrcPort, DstPort   uint16
	Protocol           uint8 // IANA protocol number, after IPv6 extension headers
	ICMPType, ICMPCode uint8 // valid when Protocol is ICMP or ICMPv6
	TTL, TOS           uint8
	// Fragment is set on any fragment; FragmentOffset is in bytes, 0 for the
	// first one. IPID is the identification (32 bits in IPv6).
	Fragment, MoreFragments bool
	FragmentOffset          uint16
	IPID                    uint32

	TCPFlags       uint16 // nine bits, FIN is bit 0 (RFC 9293 section 3.1; NS is bit 8)
	TCPSeq, TCPAck uint32
	TCPWindow      uint16

	// L3Offset is where the innermost IP packet starts in the captured bytes;
	// without IP, where the link layer's payload starts as far as it is known.
	L3Offset int
	// L3Length is the length of the innermost IP packet as its header gives
	// it (header included), bounded by what the frame can hold: NetFlow's
	// octet count.
	L3Length int
	// L4Offset is where what the innermost IP packet carries starts in the captured
	// bytes, behind all its headers; 0 where that is not known.
	L4Offset int
	// PayloadOffset is where the layer-4 payload starts in the captured
	// bytes, PayloadLength its length on the wire; the captured part may be
	// shorter. Both 0 without a complete layer-4 header, so also for later
	// fragments. ICMP counts eight bytes of header; a protocol Decode does not
	// look into is payload as a whole.
	PayloadOffset, PayloadLength int

	HasMAC         bool
	SrcMAC, DstMAC uint64 // 48 bits, outermost Ethernet or 802.11; SLL and NFLOG know the source
	EtherType      uint16 // of the outermost frame, after tags, and after MPLS when that carries IP
	// VLAN is the innermost tag of the outermost frame, OuterVLAN the
	// outermost of two or more; -1 without.
	VLAN, OuterVLAN int16

	Tunnel             TunnelType
	TunnelID           uint32 // see TunnelType; 0 without
	OuterSrc, OuterDst Addr   // valid when Tunnel is not TunnelNone

	Err DecodeError
}

// IP protocol numbers the code names (IANA protocol-numbers registry).
const (
	ProtocolICMP   = 1
	ProtocolIPIP   = 4
	ProtocolTCP    = 6
	ProtocolUDP    = 17
	ProtocolIPv6   = 41
	ProtocolGRE    = 47
	ProtocolICMPv6 = 58
	protocolNone   = 59 // IPv6: no next header
	protocolEther  = 97 // EtherIP
	protocolL2TP   = 115
	ProtocolSCTP   = 132
)

// TCP flag bits (RFC 9293 section 3.1).
const (
	TCPFin = 1 << iota
	TCPSyn
	TCPRst
	TCPPsh
	TCPAck
	TCPUrg
	TCPEce
	TCPCwr
	TCPNs
)
