package filter

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/bpf"
)

// protocols of IP, and the versions libpcap looks for them in.
var protocols = map[string]struct {
	number uint32
	v4, v6 bool
}{
	"tcp": {6, true, true}, "udp": {17, true, true}, "sctp": {132, true, true},
	"icmp": {1, true, false}, "igmp": {2, true, false}, "igrp": {9, true, false}, "pim": {103, true, true},
	"vrrp": {112, true, false}, "carp": {112, true, false}, "ah": {51, true, true}, "esp": {50, true, true}, "icmp6": {58, false, true},
}

var etherTypes = map[string]uint32{
	"ip": 0x0800, "arp": 0x0806, "rarp": 0x8035, "ip6": 0x86dd, "aarp": 0x80f3, "atalk": 0x809b,
	"decnet": 0x6003, "lat": 0x6004, "moprc": 0x6002, "mopdl": 0x6001, "loopback": 0x9000,
}

// field tests bytes of the packet, of which only those in mask count.
func (p *parser) field(offset uint32, size int, mask, value uint32) test {
	tags := p.tags
	return func(g *code, yes, no label) {
		g.load(tags, offset+g.network(), size)
		if mask != 0xffffffff {
			g.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: mask})
		}
		g.when(bpf.JumpEqual, value, yes, no)
	}
}

// ether tests what the network layer is.
func (p *parser) ether(number uint32) test {
	tags := p.tags
	return func(g *code, yes, no label) {
		if !g.raw {
			g.load(tags, 12, 2)
			g.when(bpf.JumpEqual, number, yes, no)
			return
		}
		version := map[uint32]uint32{0x0800: 0x40, 0x86dd: 0x60}[number]
		if version == 0 {
			g.jump(no)
			return
		}
		g.add(bpf.LoadAbsolute{Off: 0, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xf0})
		g.when(bpf.JumpEqual, version, yes, no)
	}
}

// carries tests the protocol in the IP header; in IPv6 also behind a fragment
// header.
func (p *parser) carries(number uint32, v4, v6 bool) test {
	four := every(p.ether(0x0800), p.field(9, 1, ^uint32(0), number))
	six := every(p.ether(0x86dd), either(p.field(6, 1, ^uint32(0), number),
		every(p.field(6, 1, ^uint32(0), 44), p.field(40, 1, ^uint32(0), number))))
	switch {
	case !v6:
		return four
	case !v4:
		return six
	}
	return either(four, six)
}

// protocol is the test of a protocol's name alone.
func (p *parser) protocol(name token) (test, error) {
	if n := etherTypes[name.text]; n != 0 {
		return p.ether(n), nil
	}
	if o := protocols[name.text]; o.number != 0 {
		return p.carries(o.number, o.v4, o.v6), nil
	}
	return nil, &Error{p.text, name.at, fmt.Sprintf("%q says nothing alone", name.text)}
}

// value reads what the qualifiers are of.
func (p *parser) value(q qualifiers, text string) (test, error) {
	switch q.kind {
	case "port", "portrange":
		return p.ports(q, text)
	case "proto":
		return p.number(q, text)
	}
	if q.proto == "ether" && q.kind == "host" {
		mac, err := net.ParseMAC(text)
		if err != nil || len(mac) != 6 {
			return nil, fmt.Errorf("%q is no address of Ethernet", text)
		}
		at := func(offset uint32) test {
			return func(g *code, yes, no label) {
				if g.raw {
					g.jump(no)
					return
				}
				next := g.label()
				g.add(bpf.LoadAbsolute{Off: offset + 2, Size: 4})
				g.when(bpf.JumpEqual, binary.BigEndian.Uint32(mac[2:]), next, no)
				g.mark(next)
				g.add(bpf.LoadAbsolute{Off: offset, Size: 2})
				g.when(bpf.JumpEqual, uint32(binary.BigEndian.Uint16(mac)), yes, no)
			}
		}
		return directed(q.dir, at(6), at(0)), nil
	}
	if _, err := net.ParseMAC(text); err == nil && strings.Count(text, ":") == 5 {
		return nil, fmt.Errorf("%q is an address of Ethernet: ether host", text)
	}
	prefix, err := parsePrefix(text, q.kind == "net")
	if err != nil {
		return nil, err
	}
	bits := make([]byte, prefix.Addr().BitLen()/8)
	for i := range prefix.Bits() {
		bits[i/8] |= 0x80 >> (i % 8)
	}
	if _, ok := p.take("mask"); ok {
		mask, err := netip.ParseAddr(p.next().text)
		if q.kind != "net" || err != nil || !mask.Is4() || !prefix.Addr().Is4() {
			return nil, fmt.Errorf("a mask is an IPv4 address, behind that of a net")
		}
		bits = mask.AsSlice()
	}
	return p.hosts(q, prefix.Addr(), bits)
}

// directed joins what is asked of source and destination.
func directed(dir string, src, dst test) test {
	switch dir {
	case "src":
		return src
	case "dst":
		return dst
	case "and":
		return every(src, dst)
	}
	return either(src, dst)
}

// hosts tests addresses, in as far as bits says.
func (p *parser) hosts(q qualifiers, addr netip.Addr, bits []byte) (test, error) {
	value := addr.AsSlice()
	at := func(offset uint32) test {
		var words []test
		for i := 0; i < len(value); i += 4 {
			mask := binary.BigEndian.Uint32(bits[i:])
			if mask != 0 {
				words = append(words, p.field(offset+uint32(i), 4, mask, binary.BigEndian.Uint32(value[i:])&mask))
			}
		}
		if len(words) == 0 {
			return func(g *code, yes, _ label) { g.jump(yes) }
		}
		return every(words...)
	}
	in := func(number, src, dst uint32) test {
		return every(p.ether(number), directed(q.dir, at(src), at(dst)))
	}
	switch {
	case addr.Is6() && (q.proto == "" || q.proto == "ip6"):
		return in(0x86dd, 8, 24), nil
	case addr.Is6():
		return nil, fmt.Errorf("%s is an address of IPv6, not of %s", addr, q.proto)
	}
	switch q.proto {
	case "":
		return either(in(0x0800, 12, 16), in(0x0806, 14, 24), in(0x8035, 14, 24)), nil
	case "ip":
		return in(0x0800, 12, 16), nil
	case "arp", "rarp":
		return in(etherTypes[q.proto], 14, 24), nil
	}
	return nil, fmt.Errorf("%q has no addresses of IPv4 of its own: and host %s", q.proto, addr)
}

// parsePrefix reads an address, or a net: 10, 10.1, 10.0.0.0/8.
func parsePrefix(text string, net bool) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	if !net {
		return netip.Prefix{}, fmt.Errorf("%q is no address (names are not resolved)", text)
	}
	head, bits, given := strings.Cut(text, "/")
	n := -1
	for n = 32; !strings.Contains(head, ":") && strings.Count(head, ".") < 3; n -= 8 {
		head += ".0"
	}
	addr, err := netip.ParseAddr(head)
	if err != nil || addr.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is no net", text)
	}
	if given {
		if n, err = strconv.Atoi(bits); err != nil {
			return netip.Prefix{}, fmt.Errorf("%q is no net", text)
		}
	}
	prefix := netip.PrefixFrom(addr, n)
	if !prefix.IsValid() {
		return prefix, fmt.Errorf("%q is no net", text)
	}
	if prefix.Masked() != prefix {
		return prefix, fmt.Errorf("%s has bits that are not of its net, %s,", text, prefix.Masked())
	}
	return prefix, nil
}

// ports tests the ports of TCP, UDP and SCTP, in first fragments.
func (p *parser) ports(q qualifiers, text string) (test, error) {
	carriers := []string{"sctp", "tcp", "udp"}
	switch q.proto {
	case "":
	case "tcp", "udp", "sctp":
		carriers = []string{q.proto}
	default:
		return nil, fmt.Errorf("%q has no ports", q.proto)
	}
	first, second := text, text
	if q.kind == "portrange" {
		var ok bool
		if first, second, ok = strings.Cut(text, "-"); !ok {
			second = first
		}
	}
	low, carriers, err := portNumber(carriers, first)
	if err != nil {
		return nil, err
	}
	high, carriers, err := portNumber(carriers, second)
	if err != nil {
		return nil, err
	}
	if low > high {
		low, high = high, low
	}
	tags := p.tags
	within := func(load func(g *code)) test {
		return func(g *code, yes, no label) {
			load(g)
			if low == high {
				g.when(bpf.JumpEqual, low, yes, no)
				return
			}
			next := g.label()
			g.when(bpf.JumpGreaterOrEqual, low, next, no)
			g.mark(next)
			g.when(bpf.JumpLessOrEqual, high, yes, no)
		}
	}
	four := func(offset uint32) test {
		return within(func(g *code) {
			base := g.transport(tags)
			g.add(bpf.LoadIndirect{Off: base + offset, Size: 2})
		})
	}
	six := func(offset uint32) test {
		return within(func(g *code) { g.load(tags, g.network()+40+offset, 2) })
	}
	var is4, is6 []test
	for _, c := range carriers {
		is4 = append(is4, p.field(9, 1, ^uint32(0), protocols[c].number))
		is6 = append(is6, p.field(6, 1, ^uint32(0), protocols[c].number))
	}
	return either(
		every(p.ether(0x86dd), either(is6...), directed(q.dir, six(0), six(2))),
		every(p.ether(0x0800), either(is4...), p.first(), directed(q.dir, four(0), four(2)))), nil
}

// first tests that an IPv4 packet is no later fragment.
func (p *parser) first() test { return p.field(6, 2, 0x1fff, 0) }

// portNumber reads a number, or the name of a service: one that only TCP or UDP
// has leaves no other.
func portNumber(carriers []string, text string) (uint32, []string, error) {
	if n, err := strconv.ParseUint(text, 0, 16); err == nil {
		return uint32(n), carriers, nil
	}
	found := map[string]int{}
	for _, c := range carriers {
		if port, err := net.LookupPort(c, text); err == nil && c != "sctp" && text != "" && (text[0] < '0' || text[0] > '9') {
			found[c] = port
		}
	}
	switch tcp, udp := found["tcp"], found["udp"]; {
	case tcp == 0 && udp == 0:
		return 0, nil, fmt.Errorf("%q is no port", text)
	case udp == 0:
		return uint32(tcp), []string{"tcp"}, nil
	case tcp == 0:
		return uint32(udp), []string{"udp"}, nil
	case tcp != udp:
		return uint32(tcp), []string{"tcp"}, nil
	default:
		return uint32(tcp), carriers, nil
	}
}

// number tests a protocol by its number or name.
func (p *parser) number(q qualifiers, text string) (test, error) {
	n, err := strconv.ParseUint(text, 0, 16)
	named := protocols[text].number
	if q.proto == "ether" {
		named = etherTypes[text]
	}
	switch {
	case err == nil:
		named = uint32(n)
	case named == 0:
		return nil, fmt.Errorf("%q is no protocol", text)
	}
	if q.dir != "" {
		return nil, fmt.Errorf("a protocol has no direction")
	}
	switch q.proto {
	case "ether":
		if named < 1536 {
			return nil, fmt.Errorf("%q is no type of Ethernet", text)
		}
		return p.ether(named), nil
	case "", "ip", "ip6":
		if named > 255 {
			return nil, fmt.Errorf("%q is no protocol of IP", text)
		}
		return p.carries(named, q.proto != "ip6", q.proto != "ip"), nil
	}
	return nil, fmt.Errorf("proto is of ether, ip and ip6, not of %s", q.proto)
}

// group tests that a packet is for all, or for a group.
func (p *parser) group(proto, what string, at token) (test, error) {
	switch proto + " " + what {
	case "ether broadcast":
		return func(g *code, yes, no label) {
			if g.raw {
				g.jump(no)
				return
			}
			next := g.label()
			g.add(bpf.LoadAbsolute{Off: 2, Size: 4})
			g.when(bpf.JumpEqual, 0xffffffff, next, no)
			g.mark(next)
			g.add(bpf.LoadAbsolute{Off: 0, Size: 2})
			g.when(bpf.JumpEqual, 0xffff, yes, no)
		}, nil
	case "ether multicast":
		return func(g *code, yes, no label) {
			if g.raw {
				g.jump(no)
				return
			}
			g.add(bpf.LoadAbsolute{Off: 0, Size: 1})
			g.when(bpf.JumpBitsSet, 1, yes, no)
		}, nil
	case "ip multicast":
		tags := p.tags
		return every(p.ether(0x0800), func(g *code, yes, no label) {
			g.load(tags, g.network()+16, 1)
			g.when(bpf.JumpGreaterOrEqual, 224, yes, no)
		}), nil
	case "ip6 multicast":
		return every(p.ether(0x86dd), p.field(24, 1, ^uint32(0), 255)), nil
	}
	return nil, &Error{p.text, at.at, fmt.Sprintf("%s %s is not known here", proto, what)}
}

// length reads the bound of less and greater, which are inclusive.
func (p *parser) length(what string) (test, error) {
	t := p.next()
	n, err := strconv.ParseUint(t.text, 0, 32)
	if err != nil {
		return nil, &Error{p.text, t.at, fmt.Sprintf("%q is no length", t.text)}
	}
	cond := bpf.JumpLessOrEqual
	if what == "greater" {
		cond = bpf.JumpGreaterOrEqual
	}
	return func(g *code, yes, no label) {
		g.add(bpf.LoadExtension{Num: bpf.ExtLen})
		g.when(cond, uint32(n), yes, no)
	}, nil
}

// vlan tests that there is a tag, maybe of a number. What stands behind it in
// the expression is looked for behind the tag.
func (p *parser) vlan() (test, error) {
	number, err := strconv.ParseUint(p.peek().text, 0, 12)
	given := err == nil
	if given {
		p.at++
	} else if t := p.peek(); t.word && t.text[0] >= '0' && t.text[0] <= '9' {
		return nil, p.fail("%q is no VLAN", t.text)
	}
	tags := p.tags
	inside := either(p.ether(0x8100), p.ether(0x88a8), p.ether(0x9100))
	if given {
		inside = every(inside, func(g *code, yes, no label) {
			g.load(tags, 14, 2)
			g.add(bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfff})
			g.when(bpf.JumpEqual, uint32(number), yes, no)
		})
	}
	p.tags++
	return func(g *code, yes, no label) {
		if g.raw {
			g.jump(no)
			return
		}
		if g.live && tags == 0 {
			beside, within := g.label(), g.label()
			g.add(bpf.LoadExtension{Num: bpf.ExtVLANTagPresent})
			g.when(bpf.JumpEqual, 1, beside, within)
			g.mark(beside)
			if given {
				g.add(bpf.LoadExtension{Num: bpf.ExtVLANTag}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 0xfff})
				g.when(bpf.JumpEqual, uint32(number), yes, no)
			} else {
				g.jump(yes)
			}
			g.mark(within)
		}
		inside(g, yes, no)
	}, nil
}
