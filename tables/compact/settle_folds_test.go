package compact

import (
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// An attempt is what an exporter reports of a SYN from an outside address to port 80
// of 10.0.0.80.
func attempt(client byte, at float64, change ...func(*tables.Export)) tables.Export {
	x := export("r1", at, at, 1, flags(tables.TCPSyn))
	x.Src, x.Dst, x.SrcPort, x.DstPort = tables.AddrFrom4([]byte{203, 0, 113, client}), tables.AddrFrom4([]byte{10, 0, 0, 80}), 1000+int32(client), 80
	for _, c := range change {
		c(&x)
	}
	x.CID = tables.CID(x.Src, x.Dst, uint16(x.SrcPort), uint16(x.DstPort), tables.ProtocolTCP)
	return x
}

// own is the row that a sensor has of an attempt, and folded the one it has of several.
func own(id tables.ID, client byte, at tables.Time) tables.Flow {
	x := attempt(client, 0)
	f := flow(id, 1, true, at, at, 1, 0)
	f.Src, f.Dst, f.SrcPort, f.DstPort, f.CID = x.Src, x.Dst, x.SrcPort, x.DstPort, x.CID
	f.TCPFlags, f.ReverseTCPFlags = tables.Some[int32](tables.TCPSyn), tables.Some[int32](0)
	return f
}

func folded(id tables.ID, from, to tables.Time, n int64) tables.Flow {
	f := own(id, 0, 0)
	f.TS, f.TSEnd, f.FlowsFolded = from*second, to*second, tables.Some(n)
	f.Packets, f.Bytes, f.WireBytes = n, n*100, tables.Some(n*114)
	f.Src, f.SrcPort = tables.Unspecified(f.Dst), 0
	f.CID = tables.CID(f.Src, f.Dst, 0, uint16(f.DstPort), tables.ProtocolTCP)
	return f
}

// TestFoldedAttempts counts the attempts of a flood once that a sensor folded and
// exporters reported, whatever comes first.
func TestFoldedAttempts(t *testing.T) {
	from := func(observer string) func(*tables.Export) {
		return func(x *tables.Export) { x.Observer = observer }
	}
	metered := []tables.Flow{own(1, 1, 10), own(2, 2, 11), folded(3, 12, 20, 3), folded(4, 61, 70, 2)}
	reported := []tables.Export{
		attempt(1, 10), attempt(2, 11), // have rows of their own
		attempt(3, 12), attempt(4, 13), attempt(5, 20), attempt(5, 20, from("r2")), attempt(6, 63), attempt(7, 71, sampled(10)),
		attempt(8, 15, func(x *tables.Export) { x.Packets, x.Bytes = 2, 200 }),                         // is not folded
		attempt(9, 15, func(x *tables.Export) { x.TCPFlags = tables.Some[int32](tables.TCPSyn | 16) }), // was answered
		attempt(10, 15, func(x *tables.Export) { x.Src = hostA }),                                      // is from inside
		attempt(11, 15, func(x *tables.Export) { x.DstPort = 81 }),
		attempt(12, 15, func(x *tables.Export) { x.Site = "b" }),
		attempt(13, 15, func(x *tables.Export) { x.TunnelType = "gre" }),
		attempt(14, 40), // when none was folded
	}
	ids := map[int32]tables.ID{1001: 1, 1002: 2, 1003: 3, 1004: 3, 1005: 3, 1006: 4, 1007: 4}
	want := `10-10 203.0.113.1:1001 1>0 s1 r1,s1 syn C1 x1
11-11 203.0.113.2:1002 1>0 s1 r1,s1 syn C1 x1
12-20 0.0.0.0:0 3>0 s1 r1,r2,s1 syn C1 x1
15-15 10.0.0.1:1010 1>- r1 r1 syn S0 x1
15-15 203.0.113.11:1011 1>- r1 r1 syn S0 x1
15-15 203.0.113.12:1012 1>- r1 r1 syn S0 x1
15-15 203.0.113.13:1013 1>- r1 r1 syn S0 x1
15-15 203.0.113.8:1008 2>- r1 r1 syn S0 x1
15-15 10.0.0.80:80 ->1 r1 r1 synack x1
40-40 203.0.113.14:1014 1>- r1 r1 syn S0 x1
61-70 0.0.0.0:0 2>0 s1 r1,s1 syn C1 x1
`
	for _, parts := range []int{partCIDs, 1} {
		for _, order := range []string{"metered first", "exports first", "at once", "exports carried", "exports by and by"} {
			t.Run(order, func(t *testing.T) {
				defer func(n int) { partCIDs = n }(partCIDs)
				partCIDs = parts
				a := open(t)
				meter := func() { put(t, a, metered); run(t, a) }
				switch order {
				case "metered first":
					meter()
					putExports(t, a, "import", reported)
					settleAt(t, a, settledLate, wide)
				case "exports first":
					putExports(t, a, "import", reported)
					settleAt(t, a, settledLate, wide)
					meter()
				case "at once":
					putExports(t, a, "collector", reported)
					meter()
				case "exports carried":
					putExports(t, a, "import", reported)
					settleAt(t, a, settleWait, wide)
					if n := len(connections(t, a)); n != 0 {
						t.Fatalf("%d connections are over", n)
					}
					meter()
					settleAt(t, a, settledLate, wide)
				default:
					meter()
					for _, x := range reported {
						putExports(t, a, "import", []tables.Export{x})
						settleAt(t, a, settleWait, wide)
					}
					settleAt(t, a, settledLate, wide)
				}
				if got := told(connections(t, a)); !slices.Equal(slices.Sorted(strings.SplitSeq(got, "\n")), slices.Sorted(strings.SplitSeq(want, "\n"))) {
					t.Errorf("got\n%swant\n%s", got, want)
				}
				for _, x := range settledExports(t, a) {
					port := max(x.SrcPort, x.DstPort)
					id, metered := ids[port]
					if x.Site == "" && metered && (x.ConnID.V != id || !slices.Equal(x.Segments, []int32{1})) || !metered && len(x.Segments) > 0 {
						t.Errorf("row from port %d: conversation %d, want %d; segments %v", port, x.ConnID.V, id, x.Segments)
					}
				}
				var moved int64
				for _, m := range rowsOf(t, a, archive.Traffic, func(r *tables.Traffic) tables.Time { return r.TS }) {
					moved += m.Connections
				}
				if moved != 2+5+7 {
					t.Errorf("traffic has %d connections", moved)
				}
				if s := run(t, a); s != (Stats{}) {
					t.Errorf("again: %+v", s)
				}
			})
		}
	}
}

// TestFoldedDatagrams is the same of a flood of datagrams.
func TestFoldedDatagrams(t *testing.T) {
	datagram := func(x tables.Export) tables.Export {
		x.Protocol, x.TCPFlags = tables.ProtocolUDP, tables.Opt[int32]{}
		x.CID = tables.CID(x.Src, x.Dst, uint16(x.SrcPort), uint16(x.DstPort), tables.ProtocolUDP)
		return x
	}
	metered := []tables.Flow{own(1, 1, 10), folded(3, 12, 20, 3)}
	for i := range metered {
		f := &metered[i]
		f.Protocol, f.TCPFlags, f.ReverseTCPFlags = tables.ProtocolUDP, tables.Opt[int32]{}, tables.Opt[int32]{}
		f.CID = tables.CID(f.Src, f.Dst, uint16(f.SrcPort), uint16(f.DstPort), tables.ProtocolUDP)
	}
	reported := []tables.Export{datagram(attempt(1, 10)), datagram(attempt(3, 12)), datagram(attempt(4, 19)), attempt(5, 15),
		datagram(attempt(6, 15, func(x *tables.Export) {
			x.ReversePackets, x.ReverseBytes = tables.Some[int64](1), tables.Some[int64](100)
		}))}
	want := `10-10 203.0.113.1:1001 1>0 s1 r1,s1 syn C1 x1
12-20 0.0.0.0:0 3>0 s1 r1,s1 syn C1 x1
15-15 203.0.113.5:1005 1>- r1 r1 syn S0 x1
15-15 203.0.113.6:1006 1>1 r1 r1 exporter SF x1
`
	for _, first := range []string{"metered", "reported"} {
		a := open(t)
		meter := func() { put(t, a, metered); run(t, a) }
		if first == "metered" {
			meter()
		}
		putExports(t, a, "import", reported)
		settleAt(t, a, settledLate, wide)
		if first == "reported" {
			meter()
		}
		if got := told(connections(t, a)); !slices.Equal(slices.Sorted(strings.SplitSeq(got, "\n")), slices.Sorted(strings.SplitSeq(want, "\n"))) {
			t.Errorf("%s first: got\n%swant\n%s", first, got, want)
		}
	}
}
