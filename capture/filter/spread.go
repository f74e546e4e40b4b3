package filter

import (
	"maps"
	"slices"

	"golang.org/x/net/bpf"

	"github.com/wiresql/wiresql/tables"
)

// maxTags is how many tags, and how many labels, are looked behind.
const maxTags = 6

// Spread returns a program that gives a packet a number, by which the kernel
// chooses who of several takes it (PACKET_FANOUT_CBPF). It is made of the two
// addresses of the outermost IP header, in any order, behind tags of VLANs and
// switches, MPLS labels and PPPoE: so both directions of a conversation have one
// number, and all fragments of a datagram, whose ports need not be found. What has
// no addresses is 0, and so are DHCP, where a lease's packets are between several,
// and IPv6's neighbour discovery, which has the place of ARP.
func Spread(link tables.LinkType) []bpf.RawInstruction {
	const outgoing = 4 // PACKET_OUTGOING: what is sent has its link layer in front
	g := &code{}
	v4, v6, none := g.label(), g.label(), g.label()
	// The index register is where the network layer begins, the accumulator has
	// its EtherType, the outermost tag stands beside the packet.
	sent, received, ready := g.label(), g.label(), g.label()
	g.add(bpf.LoadExtension{Num: bpf.ExtType})
	g.when(bpf.JumpEqual, outgoing, sent, received)
	g.mark(sent)
	g.add(bpf.LoadConstant{Dst: bpf.RegX, Val: map[bool]uint32{true: 14}[link == tables.LinkEthernet]})
	g.jump(ready)
	g.mark(received)
	g.add(bpf.LoadConstant{Dst: bpf.RegX})
	g.mark(ready)
	g.add(bpf.LoadExtension{Num: bpf.ExtProto})
	mpls := g.label()
	for range maxTags {
		next, vlan, six, eight, cisco, ppp := g.label(), g.label(), g.label(), g.label(), g.label(), g.label()
		g.among(map[uint32]label{0x0800: v4, 0x86dd: v6, 0x8100: vlan, 0x88a8: vlan, 0x9100: vlan, 0x9200: vlan, 0x8926: six, 0x892f: six,
			0x893f: eight, 0xdada: eight, 0x8909: cisco, 0x8864: ppp, 0x8847: mpls, 0x8848: mpls}, none)
		g.mark(cisco) // its length is in words
		g.add(bpf.LoadIndirect{Off: 1, Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 4},
			bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{}, bpf.ALUOpConstant{Op: bpf.ALUOpSub, Val: 2}, bpf.StoreScratch{Src: bpf.RegX}, bpf.TAX{},
			bpf.LoadIndirect{Size: 2}, bpf.LoadScratch{Dst: bpf.RegX})
		g.jump(next)
		for i, mark := range []label{vlan, six, eight} {
			g.mark(mark)
			g.tag(uint32(4 + 2*i))
			g.jump(next)
		}
		g.mark(ppp) // 6 bytes, and PPP's number of the protocol
		g.tag(8)
		g.among(map[uint32]label{0x21: v4, 0x57: v6}, none)
		g.mark(next)
	}
	g.among(map[uint32]label{0x0800: v4, 0x86dd: v6}, none)

	g.mark(mpls)
	bottom := g.label()
	for range maxTags {
		next, last := g.label(), g.label()
		g.add(bpf.LoadIndirect{Off: 2, Size: 1})
		g.when(bpf.JumpBitsSet, 1, last, next)
		g.mark(last)
		g.tag(4)
		g.jump(bottom)
		g.mark(next)
		g.tag(4)
	}
	g.jump(none)
	// A frame whose first address begins as IP does shows its EtherType where IP has
	// addresses: those are looked at alike, whichever comes first.
	g.mark(bottom)
	four, six := g.label(), g.label()
	g.add(bpf.LoadIndirect{Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 4})
	g.among(map[uint32]label{4: four, 6: six}, none)
	for _, version := range []struct {
		mark, is label
		second   uint32
	}{{four, v4, 16}, {six, v6, 28}} {
		g.mark(version.mark)
		for _, at := range []uint32{12, version.second} {
			other := g.label()
			g.add(bpf.LoadIndirect{Off: at, Size: 2})
			g.among(map[uint32]label{0x0800: none, 0x86dd: none, 0x8100: none, 0x88a8: none}, other)
			g.mark(other)
		}
		g.jump(version.is)
	}

	g.mark(v4)
	udp, first, hash := g.label(), g.label(), g.label()
	g.add(bpf.LoadIndirect{Off: 9, Size: 1})
	g.when(bpf.JumpEqual, tables.ProtocolUDP, udp, hash)
	g.mark(udp)
	g.add(bpf.LoadIndirect{Off: 6, Size: 2})
	g.when(bpf.JumpBitsSet, 0x1fff, hash, first) // a later fragment
	g.mark(first)
	g.add(bpf.StoreScratch{Src: bpf.RegX}, bpf.LoadIndirect{Size: 1}, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: 15},
		bpf.ALUOpConstant{Op: bpf.ALUOpShiftLeft, Val: 2}, bpf.ALUOpX{Op: bpf.ALUOpAdd}, bpf.TAX{})
	g.ports(0, 67, 68, none)
	g.add(bpf.LoadScratch{Dst: bpf.RegX})
	g.mark(hash)
	g.mix(12, 1)

	g.mark(v6)
	icmp := g.label()
	udp, hash = g.label(), g.label()
	g.add(bpf.LoadIndirect{Off: 6, Size: 1})
	g.among(map[uint32]label{tables.ProtocolUDP: udp, tables.ProtocolICMPv6: icmp}, hash)
	g.mark(icmp)
	g.add(bpf.LoadIndirect{Off: 40, Size: 1})
	g.among(map[uint32]label{133: none, 134: none, 135: none, 136: none, 137: none}, hash)
	g.mark(udp)
	g.ports(40, 546, 547, none)
	g.mark(hash)
	g.mix(8, 4)

	g.mark(none)
	g.add(bpf.RetConstant{})
	program, err := g.assemble()
	if err != nil {
		panic(err) // of constants
	}
	return program
}

// among jumps by the accumulator's value; to other if it is none of them.
func (g *code) among(values map[uint32]label, other label) {
	for _, v := range slices.Sorted(maps.Keys(values)) {
		next := g.label()
		g.when(bpf.JumpEqual, v, values[v], next)
		g.mark(next)
	}
	g.jump(other)
}

// tag goes behind a tag of some bytes, whose last two it leaves in the accumulator.
func (g *code) tag(size uint32) {
	g.add(bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: size - 2}, bpf.TAX{}, bpf.LoadIndirect{Size: 2}, bpf.StoreScratch{Src: bpf.RegA},
		bpf.TXA{}, bpf.ALUOpConstant{Op: bpf.ALUOpAdd, Val: 2}, bpf.TAX{}, bpf.LoadScratch{Dst: bpf.RegA})
}

// ports jumps if one of the two ports is one of two.
func (g *code) ports(at, one, other uint32, yes label) {
	for _, off := range []uint32{at, at + 2} {
		no := g.label()
		g.add(bpf.LoadIndirect{Off: off, Size: 2})
		g.among(map[uint32]label{one: yes, other: yes}, no)
		g.mark(no)
	}
}

// mix returns a number made of two addresses, whose order does not matter to it.
// Each is scattered before they are added, so that hosts that are numbered alike in
// two networks do not make one number.
func (g *code) mix(at uint32, words int) {
	const odd = 0x9e3779b1
	const base, word, sum = 0, 1, 2
	load := func(n int) bpf.Instruction { return bpf.LoadScratch{Dst: bpf.RegX, N: n} }
	store := func(n int) bpf.Instruction { return bpf.StoreScratch{Src: bpf.RegA, N: n} }
	g.add(bpf.StoreScratch{Src: bpf.RegX, N: base}, bpf.LoadConstant{Dst: bpf.RegA}, store(sum))
	for range 2 {
		g.add(bpf.LoadConstant{Dst: bpf.RegA}, store(word))
		for range words {
			g.add(load(base), bpf.LoadIndirect{Off: at, Size: 4}, load(word), bpf.ALUOpX{Op: bpf.ALUOpXor}, store(word))
			at += 4
		}
		g.add(bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: odd}, store(word), bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 15}, load(word),
			bpf.ALUOpX{Op: bpf.ALUOpXor}, load(sum), bpf.ALUOpX{Op: bpf.ALUOpAdd}, store(sum))
	}
	g.add(bpf.ALUOpConstant{Op: bpf.ALUOpMul, Val: odd}, bpf.ALUOpConstant{Op: bpf.ALUOpShiftRight, Val: 16}, bpf.RetA{})
}
