package tables

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// maxInfo bounds the text AppendInfo adds; the column info is wider.
const maxInfo = 512

// AppendInfo appends the one line that the column info shows of a packet, in
// tcpdump's manner: h is what Decode made of frame. Whatever comes from the
// packet as text (DNS names) has its unprintable bytes replaced, no payload is
// shown otherwise: the right to read that is the table packet_bytes'. The
// line is bounded, never empty, and says the decode error at its end.
func AppendInfo(dst []byte, h *Header, frame []byte) []byte {
	start := len(dst)
	switch {
	case h.IP:
		dst = appendIPInfo(dst, h, frame)
	case h.EtherType == etherARP:
		dst = appendARPInfo(dst, frame, h.L3Offset)
	case h.EtherType != 0:
		dst = appendEtherInfo(dst, h.EtherType)
	case h.HasMAC && h.Err == ErrNone:
		dst = appendLLCInfo(dst, frame, h.L3Offset)
	default:
		dst = append(dst, "not IP"...)
	}
	if len(dst)-start > maxInfo {
		dst = dst[:start+maxInfo]
	}
	if h.Err != ErrNone {
		dst = append(dst, " ["...)
		dst = append(dst, h.Err.String()...)
		dst = append(dst, ']')
	}
	return dst
}

func appendNumber(dst []byte, label string, n uint64) []byte {
	return strconv.AppendUint(append(dst, label...), n, 10)
}

func appendIPInfo(dst []byte, h *Header, frame []byte) []byte {
	if h.Src.Is4() && h.Dst.Is4() {
		dst = append(dst, "IP "...)
	} else {
		dst = append(dst, "IP6 "...)
	}
	ports := h.Protocol == ProtocolTCP || h.Protocol == ProtocolUDP || h.Protocol == ProtocolSCTP
	ports = ports && h.FragmentOffset == 0
	dst = h.Src.AppendTo(dst)
	if ports {
		dst = appendNumber(dst, ".", uint64(h.SrcPort))
	}
	dst = append(dst, " > "...)
	dst = h.Dst.AppendTo(dst)
	if ports {
		dst = appendNumber(dst, ".", uint64(h.DstPort))
	}
	dst = append(dst, ": "...)
	dst = append(dst, ProtocolName(h.Protocol)...)
	if h.FragmentOffset != 0 {
		dst = appendNumber(dst, " fragment ", uint64(h.IPID))
		dst = appendNumber(dst, " offset ", uint64(h.FragmentOffset))
		if h.MoreFragments {
			dst = append(dst, '+')
		}
		dst = appendNumber(dst, " ip ", uint64(h.L3Length))
		return appendTunnelInfo(dst, h)
	}
	switch h.Protocol {
	case ProtocolICMP, ProtocolICMPv6:
		dst = append(dst, ' ')
		dst = appendICMPInfo(dst, h, frame)
	case ProtocolTCP:
		dst = appendNumber(dst, " ", uint64(h.PayloadLength))
		dst = append(dst, " ["...)
		dst = append(dst, TCPFlagsText(h.TCPFlags)...)
		dst = appendNumber(dst, "] seq ", uint64(h.TCPSeq))
		if h.TCPFlags&TCPAck != 0 {
			dst = appendNumber(dst, " ack ", uint64(h.TCPAck))
		}
		dst = appendNumber(dst, " win ", uint64(h.TCPWindow))
	default:
		dst = appendNumber(dst, " ", uint64(h.PayloadLength))
		if h.Protocol == ProtocolUDP && (isDNSPort(h.SrcPort) || isDNSPort(h.DstPort)) {
			dst = appendDNSInfo(dst, payload(h, frame))
		}
	}
	if h.Fragment {
		dst = appendNumber(dst, " fragment ", uint64(h.IPID))
		dst = append(dst, " offset 0+"...)
	}
	return appendTunnelInfo(dst, h)
}

// payload is the captured part of the layer-4 payload.
func payload(h *Header, frame []byte) []byte {
	start := min(h.PayloadOffset, len(frame))
	return frame[start:min(h.PayloadOffset+h.PayloadLength, len(frame))]
}

func appendTunnelInfo(dst []byte, h *Header) []byte {
	if h.Tunnel == TunnelNone {
		return dst
	}
	dst = append(dst, " in "...)
	dst = append(dst, h.Tunnel.String()...)
	dst = appendNumber(dst, " ", uint64(h.TunnelID))
	dst = append(dst, ' ')
	dst = h.OuterSrc.AppendTo(dst)
	dst = append(dst, " > "...)
	return h.OuterDst.AppendTo(dst)
}

// ICMPTypes and ICMP6Types are types of messages in words.
var ICMPTypes = map[uint8]string{
	0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo request",
	9: "router advertisement", 10: "router solicitation", 11: "time exceeded",
	12: "parameter problem", 13: "timestamp request", 14: "timestamp reply",
	15: "information request", 16: "information reply", 17: "address mask request",
	18: "address mask reply", 42: "extended echo request", 43: "extended echo reply",
}

var ICMP6Types = map[uint8]string{
	1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem",
	128: "echo request", 129: "echo reply", 130: "multicast listener query",
	131: "multicast listener report", 132: "multicast listener done",
	133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation",
	136: "neighbour advertisement", 137: "redirect", 139: "node information query",
	140: "node information reply", 143: "multicast listener report v2",
	144: "home agent discovery request", 145: "home agent discovery reply",
	160: "extended echo request", 161: "extended echo reply",
}

// unreachableCodes are the codes of ICMP unreachable (RFC 792, RFC 1812).
var unreachableCodes = [...]string{
	"net", "host", "protocol", "port", "fragmentation needed", "source route failed",
	"net unknown", "host unknown", "source isolated", "net prohibited", "host prohibited",
	"net for this service", "host for this service", "administratively prohibited",
	"precedence violation", "precedence cutoff",
}

// unreachable6Codes are those of ICMPv6 (RFC 4443).
var unreachable6Codes = [...]string{
	"no route", "administratively prohibited", "beyond scope", "address", "port",
	"source address failed policy", "route rejected", "source routing error",
}

func appendICMPInfo(dst []byte, h *Header, frame []byte) []byte {
	names, codes, unreachable := ICMPTypes, unreachableCodes[:], uint8(3)
	echo := h.ICMPType == 0 || h.ICMPType == 8
	if h.Protocol == ProtocolICMPv6 {
		names, codes, unreachable = ICMP6Types, unreachable6Codes[:], 1
		echo = h.ICMPType == 128 || h.ICMPType == 129
	}
	name, known := names[h.ICMPType]
	switch {
	case !known:
		dst = appendNumber(dst, "type ", uint64(h.ICMPType))
		dst = appendNumber(dst, " code ", uint64(h.ICMPCode))
	case h.ICMPType == unreachable && int(h.ICMPCode) < len(codes):
		dst = append(dst, codes[h.ICMPCode]...)
		dst = append(dst, ' ')
		dst = append(dst, name...)
	default:
		dst = append(dst, name...)
		if h.ICMPCode != 0 {
			dst = appendNumber(dst, " code ", uint64(h.ICMPCode))
		}
	}
	if at := h.PayloadOffset - 8; at >= 0 && h.PayloadOffset <= len(frame) {
		if echo {
			dst = appendNumber(dst, " id ", uint64(binary.BigEndian.Uint16(frame[at+4:])))
			dst = appendNumber(dst, " seq ", uint64(binary.BigEndian.Uint16(frame[at+6:])))
		}
		if h.Protocol == ProtocolICMPv6 && (h.ICMPType == 135 || h.ICMPType == 136) && at+24 <= len(frame) {
			dst = append(dst, " target "...)
			dst = AddrFrom16(frame[at+8 : at+24]).AppendTo(dst)
		}
	}
	return appendNumber(dst, " length ", uint64(h.PayloadLength))
}

func isDNSPort(port uint16) bool { return port == 53 || port == 5353 || port == 5355 }

// appendDNSInfo appends the first question of a DNS message and how it was
// answered; nothing when the bytes are no DNS.
func appendDNSInfo(dst, b []byte) []byte {
	if len(b) < 12 {
		return dst
	}
	start := len(dst)
	id, flags := binary.BigEndian.Uint16(b), binary.BigEndian.Uint16(b[2:])
	questions, answers := binary.BigEndian.Uint16(b[4:]), binary.BigEndian.Uint16(b[6:])
	response := flags&0x8000 != 0
	dst = appendNumber(dst, " dns ", uint64(id))
	if response {
		dst = append(dst, ' ')
		dst = append(dst, DNSRCodeName(flags&15)...)
	}
	if questions > 0 {
		dst = append(dst, ' ')
		typeAt := len(dst)
		var ok bool
		var at int
		if dst, at, ok = appendDNSName(dst, b, 12); !ok || at+4 > len(b) {
			return dst[:start]
		}
		// The type stands before the name: A? example.test
		name := string(dst[typeAt:])
		dst = append(dst[:typeAt], DNSTypeName(binary.BigEndian.Uint16(b[at:]))...)
		dst = append(dst, "? "...)
		dst = append(dst, name...)
	}
	if response {
		dst = appendNumber(dst, " ", uint64(answers))
		if answers == 1 {
			dst = append(dst, " answer"...)
		} else {
			dst = append(dst, " answers"...)
		}
	}
	return dst
}

// appendDNSName appends the name at at in text form and returns where the
// message goes on. The first name of a message has nothing to point back to,
// so a compression pointer is refused.
func appendDNSName(dst, b []byte, at int) (out []byte, next int, ok bool) {
	start := len(dst)
	for {
		if at >= len(b) {
			return dst, at, false
		}
		n := int(b[at])
		at++
		if n == 0 {
			break
		}
		if n > 63 || at+n > len(b) || len(dst)-start+n > 255 {
			return dst, at, false
		}
		if len(dst) > start {
			dst = append(dst, '.')
		}
		for _, c := range b[at : at+n] {
			if c <= ' ' || c > '~' || c == '.' {
				c = '?'
			}
			dst = append(dst, c)
		}
		at += n
	}
	if len(dst) == start {
		dst = append(dst, '.')
	}
	return dst, at, true
}

// appendARPInfo describes ARP for IPv4 over Ethernet (RFC 826).
func appendARPInfo(dst, frame []byte, at int) []byte {
	if at < 0 || at+28 > len(frame) || binary.BigEndian.Uint16(frame[at+2:]) != etherIPv4 ||
		frame[at+4] != 6 || frame[at+5] != 4 {
		return append(dst, "ARP"...)
	}
	b := frame[at : at+28]
	sender, target := AddrFrom4(b[14:18]), AddrFrom4(b[24:28])
	switch op := binary.BigEndian.Uint16(b[6:]); {
	case op == 1 && sender == target:
		dst = append(dst, "ARP announcement "...)
		return sender.AppendTo(dst)
	case op == 1:
		dst = append(dst, "ARP who-has "...)
		dst = target.AppendTo(dst)
		dst = append(dst, " tell "...)
		return sender.AppendTo(dst)
	case op == 2:
		dst = append(dst, "ARP "...)
		dst = sender.AppendTo(dst)
		dst = append(dst, " is-at "...)
		return AppendMAC(dst, uint64(binary.BigEndian.Uint16(b[8:]))<<32|uint64(binary.BigEndian.Uint32(b[10:])))
	default:
		return appendNumber(dst, "ARP operation ", uint64(op))
	}
}

var etherNames = map[uint16]string{
	etherIPv4: "IP", etherIPv6: "IP6", etherARP: "ARP", etherVLAN: "VLAN", etherQinQ: "QinQ",
	etherQinQ1: "QinQ", etherMPLS: "MPLS", etherMPLSm: "MPLS", etherPPPoE: "PPPoE session",
	0x0842: "Wake-on-LAN", 0x2000: "CDP", 0x22f0: "AVTP", 0x22f3: "TRILL", 0x6558: "Ethernet bridging",
	0x8035: "RARP", 0x809b: "AppleTalk", 0x80f3: "AARP", 0x8137: "IPX", 0x8808: "Ethernet flow control",
	0x8809: "Slow protocols (LACP)", 0x8863: "PPPoE discovery", 0x888e: "EAPOL", 0x8892: "PROFINET",
	0x88a2: "ATA over Ethernet", 0x88a4: "EtherCAT", 0x88b5: "experimental", 0x88b8: "GOOSE",
	0x88cc: "LLDP", 0x88d9: "LLTD", 0x88e1: "HomePlug AV", 0x88e5: "MACsec", 0x88e7: "PBB", etherFabric: "FabricPath", etherCMD: "Cisco metadata", etherVNTag: "VN-tag",
	0x88f5: "MVRP", 0x88f7: "PTP", 0x8902: "CFM", 0x8906: "FCoE", 0x8914: "FCoE init",
	0x8915: "RoCE", 0x893a: "IEEE 1905", 0x9000: "loopback test",
}

// EtherTypeName is an EtherType in hexadecimal and, where it is known, by name:
// 0x88cc (LLDP).
func EtherTypeName(etherType uint16) string {
	text := fmt.Sprintf("0x%04x", etherType)
	if name := etherNames[etherType]; name != "" {
		text += " (" + name + ")"
	}
	return text
}

func appendEtherInfo(dst []byte, etherType uint16) []byte {
	if name := etherNames[etherType]; name != "" {
		return append(dst, name...)
	}
	const hex = "0123456789abcdef"
	return append(append(dst, "ethertype 0x"...),
		hex[etherType>>12], hex[etherType>>8&15], hex[etherType>>4&15], hex[etherType&15])
}

// appendLLCInfo names what an IEEE 802.3 frame carries by its LLC service
// access point.
func appendLLCInfo(dst, frame []byte, at int) []byte {
	if at < 0 || at+2 > len(frame) {
		return append(dst, "802.3"...)
	}
	switch frame[at] {
	case 0x42:
		return append(dst, "802.3 STP"...)
	case 0xe0, 0xff:
		return append(dst, "802.3 IPX"...)
	case 0xf0:
		return append(dst, "802.3 NetBIOS"...)
	case 0xfe:
		return append(dst, "802.3 OSI"...)
	case 0xaa:
		if at+8 <= len(frame) && string(frame[at+3:at+6]) == "\x00\x00\x0c" { // Cisco
			switch binary.BigEndian.Uint16(frame[at+6:]) {
			case 0x2000:
				return append(dst, "802.3 CDP"...)
			case 0x2003:
				return append(dst, "802.3 VTP"...)
			case 0x2004:
				return append(dst, "802.3 DTP"...)
			case 0x010b:
				return append(dst, "802.3 PVST"...)
			}
		}
		return append(dst, "802.3 SNAP"...)
	}
	return appendNumber(dst, "802.3 LLC sap ", uint64(frame[at]))
}
