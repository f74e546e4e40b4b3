package compact

import (
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestCommunityIDOfICMP settles messages of every type, asked and answered, one
// way only, reported with and without their type: what a connection stores is
// enough to make its Community ID of.
func TestCommunityIDOfICMP(t *testing.T) {
	six := [2]tables.Addr{{Hi: 0x20010db800000000, Lo: 1}, {Hi: 0x20010db800000000, Lo: 2}}
	var list []tables.Export
	at := 0.0
	// message is a row of a message; ends tells the conversations apart.
	message := func(protocol uint16, messageType, code int, back bool, ends uint64) {
		x := export("r1", at, at+0.01, 1)
		x.SrcPort, x.DstPort, x.Protocol = 0, 0, int32(protocol)
		if protocol == tables.ProtocolICMPv6 {
			x.Src, x.Dst = six[0], six[1]
		}
		x.Src.Lo += ends << 8
		if back {
			x.Src, x.Dst = x.Dst, x.Src
		}
		if messageType >= 0 {
			x.ICMPType, x.ICMPCode = tables.Some(int32(messageType)), tables.Some(int32(code))
		}
		x.CID = tables.CID(x.Src, x.Dst, uint16(x.ICMPType.V), uint16(x.ICMPCode.V), uint8(protocol))
		list = append(list, x)
		at += 0.02
	}
	n := uint64(0)
	for _, protocol := range []uint16{tables.ProtocolICMP, tables.ProtocolICMPv6} {
		for messageType := -1; messageType < 256; messageType++ {
			code := messageType & 3
			for _, back := range []bool{false, true} {
				n++
				message(protocol, messageType, code, back, n) // alone
				answer, ok := tables.ICMPCounterpart(uint8(protocol), uint8(max(messageType, 0)))
				if !ok {
					continue
				}
				n++
				message(protocol, messageType, code, back, n)
				message(protocol, int(answer), 0, !back, n)
				n++ // the answer's type was not reported, which counts as type 0
				message(protocol, messageType, code, back, n)
				message(protocol, -1, 0, !back, n)
			}
		}
	}
	a := open(t)
	putExports(t, a, "collector", list)
	settleAt(t, a, settledLate, limits{chunkRows, carryLimit})
	seen := 0
	for _, c := range connections(t, a) {
		seen++
		if cid := tables.CID(c.Client, c.Server, uint16(c.ICMPType.V), uint16(c.ICMPCode.V), uint8(c.Protocol)); cid != c.CID {
			t.Errorf("%s > %s protocol %d type %v code %v: cid %016x is stored, the text has %016x",
				c.Client, c.Server, c.Protocol, c.ICMPType, c.ICMPCode, c.CID, cid)
		}
	}
	if uint64(seen) < n {
		t.Errorf("%d connections of %d", seen, n)
	}
}
