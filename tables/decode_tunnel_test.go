package tables

// greOf is a GRE packet.
func greOf(flags, protocol int, more, payload []byte) []byte {
	return eth(0x800, ip4Packet(47, cat(be16(flags), be16(protocol), more, payload)))
}

func datagram(src, dst int, payload []byte) []byte {
	return eth(0x800, ip4Packet(17, udp(src, dst, payload)))
}

// six is another IPv6 packet than ip6Packet's, from 2001:db8::3 to …::4.
func six() []byte {
	p := ip6Packet(17, udp(5, 6, []byte("abc")))
	p[23], p[39] = 3, 4
	return p
}

const sixText = "2001:db8::3:5>2001:db8::4:6 udp l3=51"

var tunnelCases = []decodeCase{
	{"ip in ip", LinkEthernet, eth(0x800, ip4Packet(4, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=74+5 in ipip 0 10.0.0.1>10.0.0.2"},
	{"6in4", LinkEthernet, eth(0x800, ip4Packet(41, six())), 0, sixText + " pay=82+3 in ipip 0 10.0.0.1>10.0.0.2"},
	{"4in6", LinkEthernet, eth(0x86dd, ip6Packet(4, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=94+5 in ipip 0 [v6:1]>[v6:2]"},
	{"6in6", LinkEthernet, eth(0x86dd, ip6Packet(41, six())), 0, sixText + " pay=102+3 in ipip 0 [v6:1]>[v6:2]"},
	{"ip in ip, not", LinkEthernet, eth(0x800, ip4Packet(4, []byte("nonsense"))), 0, "10.0.0.1:0>10.0.0.2:0 ipip l3=28 pay=34+8"},
	{"etherip", LinkEthernet, eth(0x800, ip4Packet(97, cat(0x30, 0, eth(0x8100, tag(7, 0x800, inner()))))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=94+5 in etherip 0 10.0.0.1>10.0.0.2"},

	{"erspan I", LinkEthernet, greOf(0, 0x88be, nil, eth(0x800, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=92+5 in erspan 0 10.0.0.1>10.0.0.2"},
	{"erspan II", LinkEthernet, greOf(0x1000, 0x88be, be32(7), cat(be16(0x1001), be16(0x0405), be32(0), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5 in erspan 5 10.0.0.1>10.0.0.2"},
	{"erspan III", LinkEthernet, greOf(0x1000, 0x22eb, be32(7), cat(be16(0x2001), be16(5), be32(99), be16(0), be16(0), eth(0x8100, tag(7, 0x800, inner())))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=112+5 in erspan 5 10.0.0.1>10.0.0.2"},
	{"erspan III, subheader", LinkEthernet, greOf(0x1000, 0x22eb, be32(7), cat(be16(0x2001), be16(5), be32(99), be16(0), be16(1), make([]byte, 8), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=116+5 in erspan 5 10.0.0.1>10.0.0.2"},
	{"erspan III, a packet", LinkEthernet, greOf(0x1000, 0x22eb, be32(7), cat(be16(0x2001), be16(5), be32(99), be16(0), be16(2<<10), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=94+5 in erspan 5 10.0.0.1>10.0.0.2"},
	{"erspan, arp", LinkEthernet, greOf(0, 0x88be, nil, eth(0x806, make([]byte, 28))), 0, "10.0.0.1:0>10.0.0.2:0 gre l3=66 pay=34+46"},
	{"erspan II, cut", LinkEthernet, greOf(0x1000, 0x88be, be32(7), be32(0x10010005)), 0, "10.0.0.1:0>10.0.0.2:0 gre l3=32 pay=34+12"},

	{"pptp", LinkEthernet, greOf(0x3081, 0x880b, cat(be16(49), be16(6), be32(1), be32(2)), cat(0xff, 3, be16(0x21), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=94+5 in pptp 6 10.0.0.1>10.0.0.2"},
	{"gre, ppp", LinkEthernet, greOf(0, 0x880b, nil, cat(be16(0x21), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=80+5 in gre 0 10.0.0.1>10.0.0.2"},
	{"gre, nsh", LinkEthernet, greOf(0, 0x894f, nil, cat(0x0f, 0xc2, 2, 1, be32(0xff), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=86+5 in gre 0 10.0.0.1>10.0.0.2"},
	{"gre, pseudowire", LinkEthernet, greOf(0, 0x8847, nil, cat(stack, control, eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=100+5 in gre 0 10.0.0.1>10.0.0.2"},

	{"geneve", LinkEthernet, datagram(999, 6081, cat(0, 0, be16(0x6558), be32(42<<8), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5 in geneve 42 10.0.0.1>10.0.0.2"},
	{"geneve, options, ipv6", LinkEthernet, datagram(999, 6081, cat(3, 0, be16(0x86dd), be32(42<<8), be16(0x0103), 1, 2, make([]byte, 8), six())), 0, sixText + " pay=110+3 in geneve 42 10.0.0.1>10.0.0.2"},
	{"geneve, options beyond", LinkEthernet, datagram(999, 6081, cat(63, 0, be16(0x6558), be32(42<<8), eth(0x800, inner()))), 0, "10.0.0.1:999>10.0.0.2:6081 udp l3=95 pay=42+67"},
	{"vxlan-gpe, ipv4", LinkEthernet, datagram(999, 4790, cat(0x0c, 0, 0, 1, be32(42<<8), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=90+5 in vxlan 42 10.0.0.1>10.0.0.2"},
	{"vxlan-gpe, nsh", LinkEthernet, datagram(999, 4790, cat(0x0c, 0, 0, 4, be32(42<<8), 0x0f, 0xc2, 2, 3, be32(0xff), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=112+5 in vxlan 42 10.0.0.1>10.0.0.2"},
	{"vxlan-gpe, ethernet", LinkEthernet, datagram(999, 4790, cat(0x0c, 0, 0, 3, be32(42<<8), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5 in vxlan 42 10.0.0.1>10.0.0.2"},

	{"gtp", LinkEthernet, datagram(2152, 2152, cat(0x30, 255, be16(45), be32(77), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=90+5 in gtp 77 10.0.0.1>10.0.0.2"},
	{"gtp, sequence", LinkEthernet, datagram(2152, 999, cat(0x32, 255, be16(49), be32(77), be16(1), 0, 0, inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=94+5 in gtp 77 10.0.0.1>10.0.0.2"},
	{"gtp, extension headers", LinkEthernet, datagram(2152, 2152, cat(0x34, 255, be16(59), be32(77), be16(0), 0, 0x85, 1, 0x10, 9, 0x40, 1, 8, 104, 0, six())), 0, sixText + " pay=110+3 in gtp 77 10.0.0.1>10.0.0.2"},
	{"gtp, extension headers without end", LinkEthernet, datagram(2152, 2152, cat(0x34, 255, be16(59), be32(77), be16(0), 0, 0x85, 0, 0x10, 9, 0x85, inner())), 0, "10.0.0.1:2152>10.0.0.2:2152 udp l3=89 pay=42+61"},
	{"gtp, echo", LinkEthernet, datagram(2152, 2152, cat(0x32, 1, be16(4), be32(0), be32(0))), 0, "10.0.0.1:2152>10.0.0.2:2152 udp l3=40 pay=42+12"},

	{"teredo", LinkEthernet, datagram(999, 3544, six()), 0, sixText + " pay=90+3 in teredo 0 10.0.0.1>10.0.0.2"},
	{"teredo, origin", LinkEthernet, datagram(3544, 999, cat(be16(0), be16(1), be32(2), six())), 0, sixText + " pay=98+3 in teredo 0 10.0.0.1>10.0.0.2"},
	{"teredo, authentication, origin", LinkEthernet, datagram(999, 3544, cat(0, 1, 2, 3, "id", "key", make([]byte, 9), be16(0), be16(1), be32(2), six())), 0, sixText + " pay=116+3 in teredo 0 10.0.0.1>10.0.0.2"},
	{"teredo's port alone", LinkEthernet, datagram(999, 3544, cat(0x60, 0, 0, 0, be16(900), 17, 64, make([]byte, 60))), 0, "10.0.0.1:999>10.0.0.2:3544 udp l3=96 pay=42+68"},

	{"l2tp v2", LinkEthernet, datagram(1701, 1701, cat(be16(0x0002), be16(3), be16(4), 0xff, 3, be16(0x21), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=92+5 in l2tp 196612 10.0.0.1>10.0.0.2"},
	{"l2tp v2, length, sequence, offset", LinkEthernet, datagram(999, 1701, cat(be16(0x4a02), be16(63), be16(3), be16(4), be16(1), be16(2), be16(2), be16(0), be16(0x21), inner())), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=100+5 in l2tp 196612 10.0.0.1>10.0.0.2"},
	{"l2tp v2, control", LinkEthernet, datagram(1701, 1701, cat(be16(0xc802), be16(12), be16(3), be16(4), be16(1), be16(2))), 0, "10.0.0.1:1701>10.0.0.2:1701 udp l3=40 pay=42+12"},
	{"l2tp v2, offset beyond", LinkEthernet, datagram(1701, 1701, cat(be16(0x0202), be16(3), be16(4), be16(60000), inner())), 0, "10.0.0.1:1701>10.0.0.2:1701 udp l3=81 pay=42+53"},
	{"l2tp v3 in udp", LinkEthernet, datagram(1701, 1701, cat(be16(3), be16(0), be32(9), be32(0), eth(0x800, inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=108+5 in l2tp 9 10.0.0.1>10.0.0.2"},
	{"l2tp v3, cookie", LinkEthernet, eth(0x800, ip4Packet(115, cat(be32(9), be32(0x12345678), be32(0x9abcdef0), eth(0x8100, tag(7, 0x800, inner()))))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=104+5 in l2tp 9 10.0.0.1>10.0.0.2"},
	{"l2tp v3, ppp", LinkEthernet, eth(0x800, ip4Packet(115, cat(be32(9), 0xff, 3, be16(0x21), inner()))), 0, "192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=82+5 in l2tp 9 10.0.0.1>10.0.0.2"},
	{"l2tp v3, control", LinkEthernet, eth(0x800, ip4Packet(115, cat(be32(0), be16(0xc803), be16(12), be32(1), be16(1), be16(2)))), 0, "10.0.0.1:0>10.0.0.2:0 l2tp l3=36 pay=34+16"},
	{"l2tp v3 in l2tp v3 without end", LinkEthernet, func() []byte {
		p := eth(0x800, inner())
		for range 12 {
			p = eth(0x800, ip4Packet(115, cat(be32(9), p)))
		}
		return p
	}(), 0, "10.0.0.1:0>10.0.0.2:0 l2tp l3=425 pay=110+405 in l2tp 9 10.0.0.1>10.0.0.2"},
	{"everything in everything", LinkEthernet, eth(0x8926, tag(1, 2, cat(be16(0x800), ip4Packet(47, cat(be16(0), be16(0x88be), datagram(999, 4789, cat(8, 0, 0, 0, be32(42<<8), eth(0x800, ip4Packet(4, inner()))))))))), 0,
		"192.168.0.1:5000>192.168.0.2:80 tcp S l3=45 pay=168+5 in ipip 0 10.0.0.1>10.0.0.2"},
}
