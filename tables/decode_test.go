package tables

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// A packet in these tests is put together from the inside out: each builder
// puts its header in front of what it carries.

func be16(v int) []byte    { return binary.BigEndian.AppendUint16(nil, uint16(v)) }
func be32(v uint32) []byte { return binary.BigEndian.AppendUint32(nil, v) }

func cat(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case []byte:
			out = append(out, p...)
		case string:
			out = append(out, p...)
		case int:
			out = append(out, byte(p))
		}
	}
	return out
}

const (
	testDstMAC = "\x02\x00\x00\x00\x00\x02"
	testSrcMAC = "\x02\x00\x00\x00\x00\x01"
)

func eth(etherType int, payload []byte) []byte {
	return cat(testDstMAC, testSrcMAC, be16(etherType), payload)
}

func tag(id, etherType int, payload []byte) []byte { return cat(be16(id), be16(etherType), payload) }

// ip4Packet is from 10.0.0.1 to 10.0.0.2.
func ip4Packet(proto int, payload []byte) []byte {
	return cat(0x45, 0x10, be16(20+len(payload)), be16(77), be16(0x4000), 64, proto, be16(0),
		"\x0a\x00\x00\x01\x0a\x00\x00\x02", payload)
}

// ip6Packet is from 2001:db8::1 to 2001:db8::2.
func ip6Packet(next int, payload []byte) []byte {
	return cat(0x61, 0x20, be16(0), be16(len(payload)), next, 63,
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01",
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02", payload)
}

func tcp(flags int, payload string) []byte {
	return cat(be16(5000), be16(80), be32(1000), be32(2000), 0x50|flags>>8, flags&0xff, be16(4096), be32(0), payload)
}

func udp(src, dst int, payload []byte) []byte {
	return cat(be16(src), be16(dst), be16(8+len(payload)), be16(0), payload)
}

func vxlanPacket(vni uint32, frame []byte) []byte {
	return ip4Packet(17, udp(40000, 4789, cat(8, 0, 0, 0, be32(vni<<8), frame)))
}

// inner is a TCP packet with other addresses than ip4Packet's.
func inner() []byte {
	p := ip4Packet(6, tcp(TCPSyn, "hello"))
	copy(p[12:], "\xc0\xa8\x00\x01\xc0\xa8\x00\x02")
	return p
}

// decoded writes what matters of a header as one line, so that a case reads
// as one.
func decoded(h *Header) string {
	var b strings.Builder
	if h.IP {
		b.WriteString(h.Src.String() + ":" + itoa(int(h.SrcPort)) + ">" + h.Dst.String() + ":" + itoa(int(h.DstPort)) +
			" " + ProtocolName(h.Protocol))
		if h.Protocol == ProtocolTCP {
			b.WriteString(" " + TCPFlagsText(h.TCPFlags))
		}
		if h.Protocol == ProtocolICMP || h.Protocol == ProtocolICMPv6 {
			b.WriteString(" type=" + itoa(int(h.ICMPType)) + "/" + itoa(int(h.ICMPCode)))
		}
		b.WriteString(" l3=" + itoa(h.L3Length) + " pay=" + itoa(h.PayloadOffset) + "+" + itoa(h.PayloadLength))
	} else {
		b.WriteString("no ip")
	}
	if h.Fragment {
		b.WriteString(" frag=" + itoa(int(h.FragmentOffset)))
		if h.MoreFragments {
			b.WriteString("+")
		}
	}
	if h.VLAN >= 0 {
		b.WriteString(" vlan=" + itoa(int(h.VLAN)))
	}
	if h.OuterVLAN >= 0 {
		b.WriteString(" outer=" + itoa(int(h.OuterVLAN)))
	}
	if h.Tunnel != TunnelNone {
		b.WriteString(" in " + h.Tunnel.String() + " " + itoa(int(h.TunnelID)) + " " + h.OuterSrc.String() + ">" + h.OuterDst.String())
	}
	if h.Err != ErrNone {
		b.WriteString(" !" + h.Err.String())
	}
	return b.String()
}

func itoa(n int) string { return strings.TrimSpace(string(appendNumber(nil, " ", uint64(n)))) }

type decodeCase struct {
	name string
	link LinkType
	data []byte
	cut  int // bytes missing from the capture
	want string
}

var decodeCases = []decodeCase{
	{"tcp", LinkEthernet, eth(0x800, ip4Packet(6, tcp(TCPSyn|TCPAck, "abc"))), 0,
		"10.0.0.1:5000>10.0.0.2:80 tcp SA l3=43 pay=54+3"},
	{"tcp, padded frame", LinkEthernet, cat(eth(0x800, ip4Packet(6, tcp(TCPAck, ""))), make([]byte, 6)), 0,
		"10.0.0.1:5000>10.0.0.2:80 tcp A l3=40 pay=54+0"},
	{"tcp, payload not captured", LinkEthernet, eth(0x800, ip4Packet(6, tcp(TCPAck, strings.Repeat("x", 1000)))), 1000,
		"10.0.0.1:5000>10.0.0.2:80 tcp A l3=1040 pay=54+1000"},
	{"tcp header cut", LinkEthernet, eth(0x800, ip4Packet(6, tcp(TCPAck, "x"))), 9,
		"10.0.0.1:5000>10.0.0.2:80 tcp  l3=41 pay=0+0 !layer-4 header cut"},
	{"tcp header cut within the ports", LinkEthernet, eth(0x800, ip4Packet(6, tcp(TCPAck, "x"))), 18,
		"10.0.0.1:0>10.0.0.2:0 tcp  l3=41 pay=0+0 !layer-4 header cut"},
	{"tcp header longer than the packet", LinkEthernet, eth(0x800, ip4Packet(6, cat(be16(1), be16(2), make([]byte, 8), 0xf0, 2, make([]byte, 6)))), 0,
		"10.0.0.1:1>10.0.0.2:2 tcp S l3=40 pay=0+0 !layer-4 header invalid"},
	{"packet too short for tcp", LinkEthernet, eth(0x800, ip4Packet(6, []byte("\x00\x01\x00\x02\x00"))), 0,
		"10.0.0.1:1>10.0.0.2:2 tcp  l3=25 pay=0+0 !layer-4 header invalid"},
	{"ip options", LinkEthernet, eth(0x800, cat(0x46, 0, be16(24+8), be32(0), 64, 17, be16(0), "\x0a\x00\x00\x01\x0a\x00\x00\x02", be32(0), udp(7, 9, nil))), 0,
		"10.0.0.1:7>10.0.0.2:9 udp l3=32 pay=46+0"},
	{"ip options not captured", LinkEthernet, eth(0x800, cat(0x46, 0, be16(24+8), be32(0), 64, 17, be16(0), "\x0a\x00\x00\x01\x0a\x00\x00\x02", be32(0), udp(7, 9, nil))), 10,
		"10.0.0.1:0>10.0.0.2:0 udp l3=32 pay=0+0 !layer-4 header cut"},
	{"total length 0 is segmentation offload", LinkEthernet, eth(0x800, cat(0x45, 0, be16(0), be32(0), 64, 6, be16(0), "\x0a\x00\x00\x01\x0a\x00\x00\x02", tcp(TCPAck, "0123456789"))), 0,
		"10.0.0.1:5000>10.0.0.2:80 tcp A l3=50 pay=54+10"},
	{"total length over the frame", LinkEthernet, eth(0x800, cat(0x45, 0, be16(9000), be32(0), 64, 17, be16(0), "\x0a\x00\x00\x01\x0a\x00\x00\x02", udp(1, 2, []byte("ab")))), 0,
		"10.0.0.1:1>10.0.0.2:2 udp l3=30 pay=42+2 !ip length exceeds frame"},
	{"total length under the header", LinkEthernet, eth(0x800, cat(0x45, 0, be16(19), be32(0), 64, 17, be16(0), "\x0a\x00\x00\x01\x0a\x00\x00\x02", udp(1, 2, nil))), 0,
		"no ip !ip header invalid"},
	{"header length under 20", LinkEthernet, eth(0x800, cat(0x44, make([]byte, 30))), 0, "no ip !ip header invalid"},
	{"version 6 as IPv4", LinkEthernet, eth(0x800, ip6Packet(17, udp(1, 2, nil))), 0, "no ip !ip header invalid"},
	{"ip header cut", LinkEthernet, eth(0x800, ip4Packet(6, tcp(0, ""))), 21, "no ip !ip header cut"},
	{"udp padded inside ip", LinkEthernet, eth(0x800, ip4Packet(17, cat(be16(1), be16(2), be16(10), be16(0), "abPADDING"))), 0,
		"10.0.0.1:1>10.0.0.2:2 udp l3=37 pay=42+2"},
	{"sctp", LinkEthernet, eth(0x800, ip4Packet(132, cat(be16(2905), be16(2906), make([]byte, 12)))), 0,
		"10.0.0.1:2905>10.0.0.2:2906 sctp l3=36 pay=46+4"},
	{"icmp", LinkEthernet, eth(0x800, ip4Packet(1, cat(3, 1, make([]byte, 10)))), 0,
		"10.0.0.1:0>10.0.0.2:0 icmp type=3/1 l3=32 pay=42+4"},
	{"igmp has no header of ours", LinkEthernet, eth(0x800, ip4Packet(2, make([]byte, 8))), 0,
		"10.0.0.1:0>10.0.0.2:0 igmp l3=28 pay=34+8"},
	{"first fragment", LinkEthernet, eth(0x800, fragment(0x2000, udp(1, 2, []byte("ab")))), 0,
		"10.0.0.1:1>10.0.0.2:2 udp l3=30 pay=42+2 frag=0+"},
	{"later fragment", LinkEthernet, eth(0x800, fragment(0x2001, udp(1, 2, []byte("ab")))), 0,
		"10.0.0.1:0>10.0.0.2:0 udp l3=30 pay=0+0 frag=8+"},
	{"last fragment", LinkEthernet, eth(0x800, fragment(185, []byte("ab"))), 0,
		"10.0.0.1:0>10.0.0.2:0 udp l3=22 pay=0+0 frag=1480"},

	{"ipv6", LinkEthernet, eth(0x86dd, ip6Packet(6, tcp(TCPSyn, "a"))), 0,
		"[v6:1]:5000>[v6:2]:80 tcp S l3=61 pay=74+1"},
	{"icmp6", LinkEthernet, eth(0x86dd, ip6Packet(58, cat(128, 0, make([]byte, 6)))), 0,
		"[v6:1]:0>[v6:2]:0 icmp6 type=128/0 l3=48 pay=62+0"},
	{"ipv6 extension headers", LinkEthernet, eth(0x86dd, ip6Packet(0, cat(43, 0, make([]byte, 6), 60, 1, make([]byte, 14), 51, 0, make([]byte, 6), 17, 1, make([]byte, 10), udp(1, 2, nil)))), 0,
		"[v6:1]:1>[v6:2]:2 udp l3=92 pay=106+0"},
	{"ipv6 extension headers cut", LinkEthernet, eth(0x86dd, ip6Packet(0, cat(43, 0, make([]byte, 6), 17, 9))), 0,
		"[v6:1]:0>[v6:2]:0 ipv6-route l3=50 pay=0+0 !ipv6 extension header cut"},
	{"ipv6 extension header longer than the packet", LinkEthernet, eth(0x86dd, ip6Packet(0, cat(17, 9, make([]byte, 20)))), 0,
		"[v6:1]:0>[v6:2]:0 udp l3=62 pay=0+0 !ipv6 extension header cut"},
	{"ipv6 extension headers without end", LinkEthernet, eth(0x86dd, ip6Packet(60, []byte(strings.Repeat("\x3c\x00\x00\x00\x00\x00\x00\x00", 200)))), 0,
		"[v6:1]:0>[v6:2]:0 ipv6-opts l3=1640 pay=0+0 !too many ipv6 extension headers"},
	{"ipv6 first fragment", LinkEthernet, eth(0x86dd, ip6Packet(44, cat(17, 0, be16(1), be32(5), udp(1, 2, nil)))), 0,
		"[v6:1]:1>[v6:2]:2 udp l3=56 pay=70+0 frag=0+"},
	{"ipv6 later fragment", LinkEthernet, eth(0x86dd, ip6Packet(44, cat(17, 0, be16(1448), be32(5), "abcd"))), 0,
		"[v6:1]:0>[v6:2]:0 udp l3=52 pay=0+0 frag=1448"},
	{"ipv6 atomic fragment", LinkEthernet, eth(0x86dd, ip6Packet(44, cat(17, 0, be16(0), be32(5), udp(1, 2, nil)))), 0,
		"[v6:1]:1>[v6:2]:2 udp l3=56 pay=70+0"},
	{"ipv6 no next header", LinkEthernet, cat(eth(0x86dd, ip6Packet(59, nil)), make([]byte, 6)), 0,
		"[v6:1]:0>[v6:2]:0 ipv6-nonxt l3=40 pay=54+0"},
	{"ipv6 header cut", LinkEthernet, eth(0x86dd, ip6Packet(59, nil)), 1, "no ip !ip header cut"},

	{"vlan", LinkEthernet, eth(0x8100, tag(0xe007, 0x800, inner())), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=58+5 vlan=7"},
	{"qinq", LinkEthernet, eth(0x88a8, tag(100, 0x8100, tag(7, 0x800, inner()))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5 vlan=7 outer=100"},
	{"three tags", LinkEthernet, eth(0x9100, tag(100, 0x9100, tag(50, 0x8100, tag(7, 0x800, inner())))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=66+5 vlan=7 outer=100"},
	{"tags without end", LinkEthernet, eth(0x8100, []byte(strings.Repeat("\x00\x07\x81\x00", 100))), 0,
		"no ip vlan=7 outer=7 !too many link tags"},
	{"tag cut", LinkEthernet, eth(0x8100, []byte("\x00")), 0, "no ip !link header cut"},
	{"mpls", LinkEthernet, eth(0x8847, cat(0, 1, 0, 64, 0, 2, 1, 64, inner())), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"mpls, ipv6", LinkEthernet, eth(0x8847, cat(0, 2, 1, 64, ip6Packet(17, udp(1, 2, nil)))), 0,
		"[v6:1]:1>[v6:2]:2 udp l3=48 pay=66+0"},
	{"mpls pseudowire", LinkEthernet, eth(0x8847, cat(0, 2, 1, 64, 0, 0, 0, 0, eth(0x800, inner()))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=76+5"},
	{"mpls without bottom", LinkEthernet, eth(0x8847, make([]byte, 400)), 0, "no ip !too many link tags"},
	{"pppoe", LinkEthernet, eth(0x8864, cat(0x11, 0, be16(1), be16(47), be16(0x21), inner(), "pad")), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"pppoe control", LinkEthernet, eth(0x8864, cat(0x11, 0, be16(1), be16(4), be16(0xc021), be16(0))), 0, "no ip"},
	{"arp", LinkEthernet, eth(0x806, make([]byte, 28)), 0, "no ip"},
	{"802.3 length", LinkEthernet, eth(38, cat(0x42, 0x42, 3, make([]byte, 35))), 0, "no ip"},
	{"802.3 snap", LinkEthernet, eth(53, cat("\xaa\xaa\x03\x00\x00\x00\x08\x00", inner())), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"ethernet cut", LinkEthernet, eth(0x800, nil)[:13], 0, "no ip !link header cut"},
	{"empty", LinkEthernet, nil, 0, "no ip !link header cut"},
	{"unknown link type", LinkType(147), []byte("whatever"), 0, "no ip !link type not known"},

	{"raw ipv4", LinkRaw, inner(), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=40+5"},
	{"raw ipv6", LinkRaw, ip6Packet(17, udp(1, 2, nil)), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=48+0"},
	{"raw other", LinkRaw, make([]byte, 40), 0, "no ip !ip header invalid"},
	{"raw empty", LinkRaw, nil, 0, "no ip !ip header cut"},
	{"linktype ipv4", LinkIPv4, inner(), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=40+5"},
	{"linktype ipv6", LinkIPv6, ip6Packet(17, udp(1, 2, nil)), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=48+0"},
	{"null, little endian", LinkNull, cat(2, 0, 0, 0, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"null, big endian, ipv6 of macOS", LinkNull, cat(0, 0, 0, 30, ip6Packet(17, udp(1, 2, nil))), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=52+0"},
	{"loop", LinkLoop, cat(0, 0, 0, 2, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"null, another family", LinkNull, cat(7, 0, 0, 0, inner()), 0, "no ip !link protocol not decoded"},
	{"sll", LinkSLL, cat(be16(0), be16(1), be16(6), testSrcMAC, be16(0), be16(0x800), inner()), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=56+5"},
	{"sll, vlan", LinkSLL, cat(be16(0), be16(1), be16(6), testSrcMAC, be16(0), be16(0x8100), tag(7, 0x800, inner())), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=60+5 vlan=7"},
	{"sll, netlink", LinkSLL, cat(be16(4), be16(824), be16(0), make([]byte, 8), be16(0x800), inner()), 0, "no ip"},
	{"sll2", LinkSLL2, cat(be16(0x86dd), be16(0), be32(2), be16(1), 0, 6, testSrcMAC, be16(0), ip6Packet(17, udp(1, 2, nil))), 0,
		"[v6:1]:1>[v6:2]:2 udp l3=48 pay=68+0"},
	{"sll2 cut", LinkSLL2, make([]byte, 19), 0, "no ip !link header cut"},

	{"gre", LinkEthernet, eth(0x800, ip4Packet(47, cat(be16(0), be16(0x800), inner()))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=78+5 in gre 0 10.0.0.1>10.0.0.2"},
	{"gre, checksum, key, sequence", LinkEthernet, eth(0x800, ip4Packet(47, cat(be16(0xb000), be16(0x800), be32(0), be32(99), be32(1), inner()))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=90+5 in gre 99 10.0.0.1>10.0.0.2"},
	{"gre over ipv6, transparent bridging", LinkEthernet, eth(0x86dd, ip6Packet(47, cat(be16(0), be16(0x6558), eth(0x8100, tag(7, 0x800, inner()))))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=116+5 in gre 0 [v6:1]>[v6:2]"},
	{"gre, pptp", LinkEthernet, eth(0x800, ip4Packet(47, cat(be16(0x3001), be16(0x880b), inner()))), 0,
		"10.0.0.1:0>10.0.0.2:0 gre l3=69 pay=34+49"},
	{"gre, key cut", LinkEthernet, eth(0x800, ip4Packet(47, cat(be16(0x2000), be16(0x800), be16(0)))), 0,
		"10.0.0.1:0>10.0.0.2:0 gre l3=26 pay=34+6"},
	{"gre, inner does not decode", LinkEthernet, eth(0x800, ip4Packet(47, cat(be16(0), be16(0x800), "nonsense"))), 0,
		"10.0.0.1:0>10.0.0.2:0 gre l3=32 pay=34+12"},
	{"gre in a fragment is the outer packet", LinkEthernet, eth(0x800, func() []byte {
		p := fragment(0x2000, cat(be16(0), be16(0x800), inner()))
		p[9] = 47
		return p
	}()), 0, "10.0.0.1:0>10.0.0.2:0 gre l3=69 pay=34+49 frag=0+"},
	{"vxlan", LinkEthernet, eth(0x800, vxlanPacket(42, eth(0x800, inner()))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5 in vxlan 42 10.0.0.1>10.0.0.2"},
	{"vxlan, inner header cut", LinkEthernet, eth(0x800, vxlanPacket(42, eth(0x800, inner()))), 20,
		"192.168.0.1:5000>192.168.0.2:80 tcp  l3=45 pay=0+0 in vxlan 42 10.0.0.1>10.0.0.2 !layer-4 header cut"},
	{"vxlan, arp inside", LinkEthernet, eth(0x800, vxlanPacket(42, eth(0x806, make([]byte, 28)))), 0,
		"10.0.0.1:40000>10.0.0.2:4789 udp l3=78 pay=42+50"},
	{"vxlan port without its flag", LinkEthernet, eth(0x800, ip4Packet(17, udp(1, 4789, make([]byte, 60)))), 0,
		"10.0.0.1:1>10.0.0.2:4789 udp l3=88 pay=42+60"},
	{"gre in vxlan: innermost tuple, outermost addresses", LinkEthernet, eth(0x8100, tag(5, 0x800, vxlanPacket(42, eth(0x86dd, ip6Packet(47, cat(be16(0), be16(0x800), inner())))))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=152+5 vlan=5 in gre 0 10.0.0.1>10.0.0.2"},
	{"gre in vxlan, inner does not decode", LinkEthernet, eth(0x800, vxlanPacket(42, eth(0x86dd, ip6Packet(47, cat(be16(0), be16(0x800), "?"))))), 0,
		"[v6:1]:0>[v6:2]:0 gre l3=45 pay=104+5 in vxlan 42 10.0.0.1>10.0.0.2"},
	{"tunnels without end", LinkEthernet, eth(0x800, func() []byte {
		p := inner()
		for range 20 {
			p = ip4Packet(47, cat(be16(0), be16(0x800), p))
		}
		return p
	}()), 0, "10.0.0.1:0>10.0.0.2:0 gre l3=429 pay=130+409 in gre 0 10.0.0.1>10.0.0.2"},
}

func fragment(bits int, payload []byte) []byte {
	p := ip4Packet(17, payload)
	copy(p[6:], be16(bits))
	return p
}

func TestDecode(t *testing.T) {
	v6 := strings.NewReplacer("[v6:1]", "2001:db8::1", "[v6:2]", "2001:db8::2")
	for _, c := range slices.Concat(decodeCases, linkCases, tunnelCases) {
		var h Header
		Decode(c.link, c.data[:len(c.data)-c.cut], len(c.data), &h)
		if got, want := decoded(&h), v6.Replace(c.want); got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

// TestDecodeFields looks at the fields decoded does not print.
func TestDecodeFields(t *testing.T) {
	var h Header
	Decode(LinkEthernet, eth(0x8100, tag(7, 0x800, ip4Packet(6, tcp(TCPAck|TCPNs, "")))), 58, &h)
	want := Header{
		IP: true, Src: AddrFrom4([]byte{10, 0, 0, 1}), Dst: AddrFrom4([]byte{10, 0, 0, 2}),
		SrcPort: 5000, DstPort: 80, Protocol: 6, TTL: 64, TOS: 0x10, IPID: 77,
		TCPFlags: TCPAck | TCPNs, TCPSeq: 1000, TCPAck: 2000, TCPWindow: 4096,
		L3Offset: 18, L3Length: 40, L4Offset: 38, PayloadOffset: 58,
		HasMAC: true, SrcMAC: 0x020000000001, DstMAC: 0x020000000002, EtherType: 0x800, VLAN: 7, OuterVLAN: -1,
	}
	if h != want {
		t.Errorf("got  %+v\nwant %+v", h, want)
	}
	Decode(LinkEthernet, eth(0x86dd, ip6Packet(17, udp(1, 2, nil))), 62, &h)
	if h.TOS != 0x12 || h.TTL != 63 || h.EtherType != 0x86dd || h.L3Offset != 14 {
		t.Errorf("ipv6: %+v", h)
	}
	Decode(LinkSLL, cat(be16(0), be16(1), be16(6), testSrcMAC, be16(0), be16(0x806), make([]byte, 28)), 44, &h)
	if !h.HasMAC || h.SrcMAC != 0x020000000001 || h.DstMAC != 0 || h.EtherType != 0x806 || h.L3Offset != 16 {
		t.Errorf("sll: %+v", h)
	}
	Decode(LinkEthernet, eth(0x8847, cat(0, 2, 1, 64, inner())), 63, &h)
	if h.EtherType != 0x800 {
		t.Errorf("mpls: ether type %#x", h.EtherType)
	}
	Decode(LinkEthernet, eth(38, cat(0x42, 0x42, 3, make([]byte, 35))), 52, &h)
	if h.EtherType != 0 || h.L3Offset != 14 {
		t.Errorf("802.3: %+v", h)
	}
}

// TestDecodePrefixes decodes every prefix of every case: a capture may stop
// anywhere.
func TestDecodePrefixes(t *testing.T) {
	for _, c := range slices.Concat(decodeCases, linkCases, tunnelCases) {
		for n := range c.data {
			checkDecode(t, c.link, c.data[:n:n], len(c.data))
		}
	}
}

// checkDecode holds what is true of any packet.
func checkDecode(t *testing.T, link LinkType, data []byte, wireLength int) {
	var h Header
	Decode(link, data, wireLength, &h)
	end := max(wireLength, len(data))
	switch {
	case h.PayloadOffset < 0 || h.PayloadLength < 0 || h.PayloadOffset+h.PayloadLength > end || h.PayloadOffset > len(data):
		t.Fatalf("payload %d+%d outside the frame of %d: %x", h.PayloadOffset, h.PayloadLength, end, data)
	case h.L3Offset < 0 || h.L3Offset > len(data):
		t.Fatalf("layer 3 at %d of %d: %x", h.L3Offset, len(data), data)
	case h.IP && (h.L3Length < 20 || h.L3Offset+h.L3Length > end):
		t.Fatalf("layer 3 %d+%d outside the frame of %d: %x", h.L3Offset, h.L3Length, end, data)
	case !h.IP && (h.Tunnel != TunnelNone || h.Src != Addr{} || h.SrcPort != 0):
		t.Fatalf("no IP, but %+v: %x", h, data)
	case h.FragmentOffset != 0 && (h.SrcPort != 0 || h.PayloadLength != 0 || !h.Fragment):
		t.Fatalf("later fragment with ports or payload: %x", data)
	}
	info := AppendInfo(nil, &h, data)
	if len(info) == 0 || len(info) > maxInfo+64 {
		t.Fatalf("info of %d bytes: %x", len(info), data)
	}
	for _, c := range info {
		if c < ' ' || c > '~' {
			t.Fatalf("info %q: %x", info, data)
		}
	}
	CID(h.Src, h.Dst, h.SrcPort, h.DstPort, h.Protocol)
}

func FuzzDecode(f *testing.F) {
	for _, c := range slices.Concat(decodeCases, linkCases, tunnelCases) {
		f.Add(uint16(c.link), c.data[:len(c.data)-c.cut], c.cut)
	}
	f.Fuzz(func(t *testing.T, link uint16, data []byte, cut int) {
		checkDecode(t, LinkType(link), data, len(data)+cut%(1<<20))
	})
}

func TestDecodeAllocates(t *testing.T) {
	var h Header
	for _, c := range slices.Concat(decodeCases, linkCases, tunnelCases) {
		if n := testing.AllocsPerRun(10, func() { Decode(c.link, c.data, len(c.data), &h) }); n != 0 {
			t.Errorf("%s: %v allocations", c.name, n)
		}
	}
	if n := testing.AllocsPerRun(10, func() { CID(h.Src, h.Dst, 1, 2, ProtocolTCP) }); n != 0 {
		t.Errorf("CID: %v allocations", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	packets := map[string][]byte{
		"ipv4-tcp":      eth(0x800, ip4Packet(6, tcp(TCPAck, strings.Repeat("x", 1000)))),
		"vlan-ipv6-udp": eth(0x8100, tag(7, 0x86dd, ip6Packet(17, udp(1, 2, make([]byte, 500))))),
		"vxlan":         eth(0x800, vxlanPacket(42, eth(0x800, inner()))),
	}
	for name, p := range packets {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var h Header
			for range b.N {
				Decode(LinkEthernet, p, len(p), &h)
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds()/1e6, "Mpackets/s")
		})
	}
}

func BenchmarkCID(b *testing.B) {
	src, dst := AddrFrom4([]byte{10, 0, 0, 1}), AddrFrom4([]byte{10, 0, 0, 2})
	for range b.N {
		CID(src, dst, 5000, 80, ProtocolTCP)
	}
}
