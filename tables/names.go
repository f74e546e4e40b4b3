package tables

import (
	"fmt"
	"strconv"
	"strings"
)

// protocolNames are the protocols over IP by their usual short names (IANA
// protocol-numbers registry, lower case). icmp6 is IANA's IPv6-ICMP: the
// spelling tcpdump's filters and people use.
var protocolNames = [256]string{
	0: "hopopt", 1: "icmp", 2: "igmp", 3: "ggp", 4: "ipip", 5: "st", 6: "tcp", 7: "cbt",
	8: "egp", 9: "igp", 12: "pup", 17: "udp", 20: "hmp", 22: "idp", 27: "rdp", 28: "irtp",
	29: "tp4", 33: "dccp", 36: "xtp", 37: "ddp", 38: "idpr-cmtp", 41: "ipv6", 42: "sdrp",
	43: "ipv6-route", 44: "ipv6-frag", 45: "idrp", 46: "rsvp", 47: "gre", 48: "dsr",
	50: "esp", 51: "ah", 54: "narp", 55: "mobile", 57: "skip", 58: "icmp6", 59: "ipv6-nonxt",
	60: "ipv6-opts", 73: "cphb", 81: "vmtp", 88: "eigrp", 89: "ospf", 92: "mtp", 93: "ax25",
	94: "ipencap", 97: "etherip", 98: "encap", 103: "pim", 108: "ipcomp", 112: "vrrp",
	113: "pgm", 115: "l2tp", 118: "stp", 121: "smp", 124: "isis", 132: "sctp", 133: "fc",
	135: "mobility", 136: "udplite", 137: "mpls-in-ip", 138: "manet", 139: "hip",
	140: "shim6", 141: "wesp", 142: "rohc", 143: "ethernet",
}

// protocolAliases are other spellings in use.
var protocolAliases = map[string]uint8{
	"icmpv6": ProtocolICMPv6, "ipv6-icmp": ProtocolICMPv6, "icmp-v6": ProtocolICMPv6,
	"ip-in-ip": ProtocolIPIP, "ip": ProtocolIPIP, "ospfigp": 89, "ospf-igp": 89, "ipsec": 50,
}

// protocolTexts is protocolNames with the number where there is no name, and
// protocolNumbers its inverse.
var protocolTexts, protocolNumbers = func() (texts [256]string, numbers map[string]uint8) {
	numbers = make(map[string]uint8, 600)
	for alias, n := range protocolAliases {
		numbers[alias] = n
	}
	for i := range texts {
		number := strconv.Itoa(i)
		texts[i] = number
		if protocolNames[i] != "" {
			texts[i] = protocolNames[i]
		}
		numbers[number] = uint8(i)
		numbers[texts[i]] = uint8(i)
	}
	return texts, numbers
}()

// ProtocolName is the value of the column protocol: tcp, udp, icmp, icmp6, …,
// the decimal number for protocols without a usual name.
func ProtocolName(n uint8) string { return protocolTexts[n] }

// ProtocolNumber reads a protocol's name, another usual spelling of it, or its
// number, in any case.
func ProtocolNumber(name string) (uint8, bool) {
	n, ok := protocolNumbers[FoldName(name)]
	return n, ok
}

// tcpFlagLetters are the letters of the flag bits in the order they are
// written: SYN first, as in the texts people search for (S, SA, FA, RA).
const tcpFlagLetters = "SFRPAUECN"

var tcpFlagBits = [len(tcpFlagLetters)]uint16{
	TCPSyn, TCPFin, TCPRst, TCPPsh, TCPAck, TCPUrg, TCPEce, TCPCwr, TCPNs,
}

var tcpFlagTexts = func() (texts [512]string) {
	for bits := range texts {
		var b []byte
		for i, bit := range tcpFlagBits {
			if uint16(bits)&bit != 0 {
				b = append(b, tcpFlagLetters[i])
			}
		}
		texts[bits] = string(b)
	}
	return texts
}()

// TCPFlagsText writes TCP flags as letters of SFRPAUECN in that order: S, SA,
// A, PA, FA, R, RA; empty for none. Bits above the nine flags are ignored.
func TCPFlagsText(bits uint16) string { return tcpFlagTexts[bits&0x1ff] }

// MACText writes the low 48 bits as six lower-case pairs with colons.
func MACText(mac uint64) string {
	var b [17]byte
	return string(AppendMAC(b[:0], mac))
}

// AppendMAC is MACText, appended.
func AppendMAC(b []byte, mac uint64) []byte {
	const hex = "0123456789abcdef"
	for shift := 40; shift >= 0; shift -= 8 {
		b = append(b, hex[mac>>(shift+4)&15], hex[mac>>shift&15])
		if shift > 0 {
			b = append(b, ':')
		}
	}
	return b
}

// ParseMAC reads a 48-bit MAC address: pairs with colons or hyphens, Cisco's
// groups of four with dots, or twelve digits; in any case.
func ParseMAC(s string) (uint64, error) {
	var mac uint64
	digits := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			// A separator stands after each pair, or each four digits, and
			// all are the same.
			group := map[byte]int{':': 2, '-': 2, '.': 4}[c]
			if group == 0 || digits == 0 || digits == 12 || digits%group != 0 ||
				i != digits+digits/group-1 || c != s[group] {
				return 0, fmt.Errorf("%q is not a MAC address", s)
			}
			continue
		}
		if digits++; digits > 12 {
			return 0, fmt.Errorf("%q is not a MAC address", s)
		}
		mac = mac<<4 | uint64(c)
	}
	separators := len(s) - digits
	if digits != 12 || separators != 0 && separators != 5 && separators != 2 {
		return 0, fmt.Errorf("%q is not a MAC address", s)
	}
	return mac, nil
}

// FoldName is the stored form of host, DNS and server names: ASCII letters
// lower case, without the root's trailing dot. Other bytes stay as they are.
func FoldName(s string) string { return FoldCase(strings.TrimSuffix(s, ".")) }

// FoldCase makes ASCII letters lower case, as DNS compares names (RFC 4343).
func FoldCase(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i] >= 'A' && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}
