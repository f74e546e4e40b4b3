package tables

import "encoding/binary"

// summed puts the checksum into an IPv4 packet.
func summed(packet []byte) []byte {
	var sum uint32
	for i := 0; i < 20; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(packet[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(packet[10:], ^uint16(sum+sum>>16))
	return packet
}

func le16(v int) []byte    { return binary.LittleEndian.AppendUint16(nil, uint16(v)) }
func le32(v uint32) []byte { return binary.LittleEndian.AppendUint32(nil, v) }

// from is a frame between these addresses.
func from(dst, src string, etherType int, payload []byte) []byte {
	return cat(dst, src, be16(etherType), payload)
}

const (
	snap    = "\xaa\xaa\x03\x00\x00\x00"
	stack   = "\x00\x06\x41\x40" // one label, the bottom
	control = "\x00\x00\x00\x00"
	peerMAC = "\x02\x00\x00\x00\x00\x09"
)

// wifiFrame is a data frame from the access point.
func wifiFrame(kind, flags byte, more, payload []byte) []byte {
	return cat([]byte{kind, flags}, be16(0), testDstMAC, peerMAC, testSrcMAC, be16(0), more, payload)
}

func radiotapped(more, frame []byte) []byte {
	return cat(0, 0, le16(4+len(more)), more, frame)
}

var nflogPacket = cat(2, 0, be16(100), 8, 0, 10, 0, "pfx\x00", 16, 0, 8, 0, be16(6), be16(0), testSrcMAC, be16(0),
	le16(4+len(inner())), 9, 0, inner())

// linkCases are frames of link layers and tags, each with the same packet in
// it; the layouts are those of https://www.tcpdump.org/linktypes.html and of
// the documents that decode_*.go name.
var linkCases = []decodeCase{
	{"raw, DLT 12", 12, inner(), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=40+5"},
	{"raw, DLT 14", 14, ip6Packet(17, udp(1, 2, nil)), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=48+0"},
	{"slip", LinkSLIP, cat(make([]byte, 16), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=56+5"},
	{"enc", LinkENC, cat(2, 0, 0, 0, be32(1), be32(2), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=52+5"},
	{"pflog", LinkPFLog, cat(61, 2, make([]byte, 62), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5"},
	{"nflog", LinkNFLog, nflogPacket, 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"nflog, big endian", LinkNFLog, cat(2, 0, 0, 1, be16(49), be16(9), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=48+5"},
	{"nflog without packet", LinkNFLog, nflogPacket[:28], 0, "no ip !link header cut"},
	{"nflog, attributes without end", LinkNFLog, make([]byte, 4000), 0, "no ip !link header cut"},

	{"ppp", LinkPPP, cat(be16(0x21), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=42+5"},
	{"ppp, hdlc framing", LinkPPP, cat(0xff, 3, be16(0x57), ip6Packet(17, udp(1, 2, nil))), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=52+0"},
	{"ppp, compressed protocol", LinkPPP, cat(0xff, 3, 0x21, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=43+5"},
	{"ppp, multilink", LinkPPP, cat(be16(0x3d), 0xc0, 0, 0, 1, be16(0x21), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=48+5"},
	{"ppp, mpls", LinkPPP, cat(be16(0x281), stack, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=46+5"},
	{"ppp, lcp", LinkPPP, cat(0xff, 3, be16(0xc021), 1, 1, be16(4)), 0, "no ip"},
	{"ppp, compressed", LinkPPP, cat(be16(0xfd), "secret"), 0, "no ip !link protocol not decoded"},
	{"ppp, cut", LinkPPP, []byte("\xff\x03\x00"), 0, "no ip !link header cut"},
	{"ppp with direction", LinkPPPDir, cat(1, 0xff, 3, be16(0x21), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=45+5"},
	{"pppd", LinkPPPPppd, cat(1, 3, be16(0x21), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"ppp over serial", LinkPPPHDLC, cat(0xff, 3, be16(0x21), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"cisco hdlc over serial", LinkPPPHDLC, cat(0x0f, 0, be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"ppp over ethernet alone", LinkPPPoE, cat(0x11, 0, be16(1), be16(47), be16(0x21), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=48+5"},
	{"cisco hdlc", LinkCiscoHDLC, cat(0x8f, 0, be16(0x86dd), ip6Packet(17, udp(1, 2, nil))), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=52+0"},
	{"cisco hdlc, slarp", LinkCiscoHDLC, cat(0x8f, 0, be16(0x8035), make([]byte, 18)), 0, "no ip"},
	{"cisco hdlc, length", LinkCiscoHDLC, cat(0x8f, 0, be16(4), snap, be16(0x800), inner()), 0, "no ip !ethertype not decoded"},
	{"cisco hdlc with direction", LinkHDLCDir, cat(0, 0x8f, 0, be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=45+5"},
	{"frame relay", LinkFrameRelay, cat(0x18, 0x41, 3, 0xcc, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"frame relay, snap", LinkFrameRelay, cat(0x18, 0x41, 3, 0, 0x80, 0, 0, 0, be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=50+5"},
	{"frame relay, bridged", LinkFrameRelay, cat(0x18, 0x41, 3, 0, 0x80, "\x00\x80\xc2", be16(7), eth(0x800, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=64+5"},
	{"frame relay, long address, ipv6", LinkFrameRelay, cat(0x18, 0x40, 0x41, 3, 0x8e, ip6Packet(17, udp(1, 2, nil))), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=53+0"},
	{"frame relay, cisco", LinkFrameRelay, cat(0x18, 0x41, be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=44+5"},
	{"frame relay, address without end", LinkFrameRelay, make([]byte, 100), 0, "no ip !link protocol not decoded"},
	{"frame relay with direction", LinkFRDir, cat(1, 0x18, 0x41, 3, 0xcc, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=45+5"},
	{"sll, frame relay", LinkSLL, cat(be16(0), be16(770), be16(0), make([]byte, 10), 0x18, 0x41, 3, 0xcc, inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=60+5"},
	{"atm", LinkATM, cat(snap, be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=48+5"},
	{"atm, bridged", LinkATM, cat("\xaa\xaa\x03\x00\x80\xc2", be16(7), be16(0), eth(0x800, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=64+5"},
	{"null, nothing", LinkNull, nil, 0, "no ip !link header cut"},

	{"802.11", LinkWifi, wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"802.11, qos", LinkWifi, wifiFrame(0x88, 1, be16(0), cat(snap, be16(0x800), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=74+5"},
	{"802.11, qos, ht control", LinkWifi, wifiFrame(0x88, 0x81, make([]byte, 6), cat(snap, be16(0x86dd), ip6Packet(17, udp(1, 2, nil)))), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=86+0"},
	{"802.11, between access points", LinkWifi, wifiFrame(0x08, 3, []byte(peerMAC), cat(snap, be16(0x800), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=78+5"},
	{"802.11, aggregate", LinkWifi, wifiFrame(0x88, 2, []byte{0x80, 0}, cat(testDstMAC, testSrcMAC, be16(53), snap, be16(0x800), inner(), "next")), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=88+5"},
	{"802.11, encrypted", LinkWifi, wifiFrame(0x08, 0x42, nil, cat(snap, be16(0x800), inner())), 0, "no ip !encrypted link layer"},
	{"802.11, later fragment", LinkWifi, func() []byte {
		p := wifiFrame(0x08, 2, nil, inner())
		p[22] = 1
		return p
	}(), 0, "no ip !later fragment of an 802.11 frame"},
	{"802.11, null", LinkWifi, wifiFrame(0x48, 1, nil, nil), 0, "no ip"},
	{"802.11, beacon", LinkWifi, wifiFrame(0x80, 0, nil, make([]byte, 50)), 0, "no ip"},
	{"802.11, cut", LinkWifi, wifiFrame(0x88, 1, nil, nil), 0, "no ip !link header cut"},
	{"radiotap", LinkRadiotap, radiotapped(le32(0), wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=80+5"},
	{"radiotap, padding, time, two words", LinkRadiotap, radiotapped(cat(le32(0x80000003), le32(0), make([]byte, 4), make([]byte, 8), 0x20, 0, 0, 0),
		wifiFrame(0x88, 1, make([]byte, 4), cat(snap, be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5"},
	{"radiotap longer than the frame", LinkRadiotap, cat(0, 0, le16(900), le32(0), make([]byte, 50)), 0, "no ip !link header cut"},
	{"ppi", LinkPPI, cat(0, 0, le16(8), le32(105), wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=80+5"},
	{"ppi in ppi", LinkPPI, cat(0, 0, le16(8), le32(192), 0, 0, le16(8), le32(1), eth(0x800, inner())), 0, "no ip !link type not known"},
	{"avs", LinkAVS, cat(be32(0x80211001), be32(64), make([]byte, 56), wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=136+5"},
	{"prism", LinkPrism, cat(le32(0x44), le32(144), make([]byte, 136), wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=216+5"},
	{"prism, avs in fact", LinkPrism, cat(be32(0x80211001), be32(64), make([]byte, 56), wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=136+5"},
	{"sll, radiotap", LinkSLL, cat(be16(0), be16(803), be16(6), testSrcMAC, be16(0), be16(4), radiotapped(le32(0), wifiFrame(0x08, 2, nil, cat(snap, be16(0x800), inner())))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=96+5"},
	{"pktap", LinkPKTAP, cat(le32(108), le32(1), le32(1), make([]byte, 96), eth(0x800, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=162+5"},
	{"pktap, raw", LinkPKTAP, cat(le32(108), le32(1), le32(12), make([]byte, 96), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=148+5"},
	{"pktap, cut", LinkPKTAP, cat(le32(108), le32(1), le32(1), make([]byte, 90)), 0, "no ip !link header cut"},

	{"broadcom tag", LinkBrcmTag, cat(testDstMAC, testSrcMAC, be32(0x20000001), be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=58+5"},
	{"broadcom tag in front", LinkBrcmPrepend, cat(be32(0x20000001), eth(0x800, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=58+5"},
	{"dsa", LinkDSA, cat(testDstMAC, testSrcMAC, be32(0xc0180000), be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=58+5"},
	{"dsa, tagged", LinkDSA, cat(testDstMAC, testSrcMAC, be32(0xe0180007), be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=58+5 vlan=7"},
	{"edsa", LinkEDSA, cat(testDstMAC, testSrcMAC, be16(0xdada), be16(0), be32(0xe0180007), be16(0x800), inner()), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5 vlan=7"},

	{"vn-tag", LinkEthernet, eth(0x8926, tag(1, 2, cat(be16(0x800), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=60+5"},
	{"vn-tag, vlan", LinkEthernet, eth(0x8926, tag(1, 2, cat(be16(0x8100), tag(7, 0x800, inner())))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=64+5 vlan=7"},
	{"e-tag", LinkEthernet, eth(0x893f, cat(make([]byte, 6), be16(0x800), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"i-tag", LinkEthernet, eth(0x88e7, cat(be32(5), from(peerMAC, testSrcMAC, 0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"i-tag in a backbone vlan", LinkEthernet, eth(0x88a8, tag(9, 0x88e7, cat(be32(5), from(peerMAC, testSrcMAC, 0x8100, tag(7, 0x800, inner()))))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=80+5 vlan=9"},
	{"cisco metadata", LinkEthernet, eth(0x8909, cat(1, 1, be16(1), be16(99), be16(0x800), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"cisco metadata behind a vlan", LinkEthernet, eth(0x8100, tag(7, 0x8909, cat(1, 1, be16(1), be16(99), be16(0x86dd), ip6Packet(17, udp(1, 2, nil))))), 0, "[v6:1]:1>[v6:2]:2 udp l3=48 pay=74+0 vlan=7"},
	{"cisco metadata, length beyond", LinkEthernet, eth(0x8909, cat(1, 200, be16(1), be16(99), be16(0x800), inner())), 0, "no ip !link header cut"},
	{"five tags", LinkEthernet, eth(0x88a8, tag(1, 0x9200, tag(2, 0x9100, tag(3, 0x8100, tag(4, 0x8100, tag(5, 0x800, inner())))))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=74+5 vlan=5 outer=1"},
	{"hsr", LinkEthernet, eth(0x892f, cat(be16(51), be16(1), be16(0x800), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=60+5"},
	{"macsec, not encrypted", LinkEthernet, eth(0x88e5, cat(0x20, 0, be32(1), make([]byte, 8), be16(0x800), inner(), make([]byte, 16))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=70+5"},
	{"macsec, encrypted", LinkEthernet, eth(0x88e5, cat(0x2c, 0, be32(1), make([]byte, 80))), 0, "no ip !encrypted link layer"},
	{"trill", LinkEthernet, eth(0x22f3, cat(be16(1), be16(1), be16(2), from(peerMAC, testSrcMAC, 0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=74+5"},
	{"fabricpath", LinkEthernet, eth(0x8903, cat(be16(0x0460), from(peerMAC, testSrcMAC, 0x8100, tag(7, 0x800, inner())))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=74+5"},
	{"nsh", LinkEthernet, eth(0x894f, cat(0x0f, 0xc2, 2, 1, be32(0xff), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"nsh, ethernet, metadata", LinkEthernet, eth(0x894f, cat(0x0f, 0xc6, 1, 3, be32(0xff), make([]byte, 16), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=92+5"},
	{"frames in frames without end", LinkEthernet, func() []byte {
		p := eth(0x800, inner())
		for range 20 {
			p = eth(0x88e7, cat(be32(1), p))
		}
		return p
	}(), 0, "no ip !too many link tags"},
	{"snap of 802.1H", LinkEthernet, eth(53, cat("\xaa\xaa\x03\x00\x00\xf8\x08\x00", inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=62+5"},
	{"an unknown ethertype", LinkEthernet, eth(0x1234, inner()), 0, "no ip !ethertype not decoded"},
	{"a protocol that is no ip", LinkEthernet, eth(0x88cc, make([]byte, 46)), 0, "no ip"},

	// Ethernet over MPLS: what begins with 4 or 6 is an address.
	{"pseudowire", LinkEthernet, eth(0x8847, cat(stack, eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"pseudowire, control word", LinkEthernet, eth(0x8847, cat(stack, control, eth(0x8100, tag(7, 0x800, inner())))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=80+5"},
	{"pseudowire to 00:…", LinkEthernet, eth(0x8847, cat(stack, from("\x00\x11\x22\x33\x44\x55", testSrcMAC, 0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"pseudowire to 45:…", LinkEthernet, eth(0x8847, cat(stack, from("\x45\x00\x00\x54\x00\x01", testSrcMAC, 0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"pseudowire to 45:…, the frame's length in it", LinkEthernet, eth(0x8847, cat(stack, from("\x45\x00\x00\x3b\x00\x01", testSrcMAC, 0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"pseudowire to 60:…", LinkEthernet, eth(0x8847, cat(stack, from("\x60\x00\x00\x00\x00\x10", testSrcMAC, 0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=72+5"},
	{"pseudowire to 45:…, arp", LinkEthernet, eth(0x8847, cat(stack, from("\x45\x00\x00\x54\x00\x01", testSrcMAC, 0x806, make([]byte, 46)))), 0, "no ip"},
	{"labels over no known thing", LinkEthernet, eth(0x8847, cat(stack, "\x45\x00\x00\x99\x00\x01\x00\x00\x40\x06\x00\x00", make([]byte, 40))), 0, "no ip !link protocol not decoded"},
	{"labels over ipv4 with padding", LinkEthernet, eth(0x8847, cat(stack, summed(ip4Packet(17, udp(1, 2, nil))), make([]byte, 14))), 0, "10.0.0.1:1>10.0.0.2:2 udp l3=28 pay=46+0"},
	{"associated channel", LinkEthernet, eth(0x8847, cat(stack, 0x10, 0, 0, 7, make([]byte, 30))), 0, "no ip"},
}
