package compact

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

var (
	hostA = tables.AddrFrom4([]byte{10, 0, 0, 1})
	hostB = tables.AddrFrom4([]byte{192, 0, 2, 1})
)

// export is an exporter's TCP row of [from, to] seconds from the client
// 10.0.0.1:40000 to 192.0.2.1:80, with so many packets of 100 bytes; negative
// packets are the other direction's.
func export(observer string, from, to float64, packets int64, change ...func(*tables.Export)) tables.Export {
	x := tables.Export{TS: tables.Time(from * 1e6), TSEnd: tables.Time(to * 1e6), SourceType: "ipfix", Observer: observer,
		Src: hostA, Dst: hostB, SrcPort: 40000, DstPort: 80, Protocol: tables.ProtocolTCP,
		Packets: packets, Bytes: packets * 100, CID: 7}
	if packets < 0 {
		x.Src, x.Dst, x.SrcPort, x.DstPort, x.Packets, x.Bytes = x.Dst, x.Src, x.DstPort, x.SrcPort, -packets, -packets*100
	}
	for _, c := range change {
		c(&x)
	}
	return x
}

func udp(x *tables.Export) { x.Protocol = tables.ProtocolUDP }

func flags(f int32) func(*tables.Export) {
	return func(x *tables.Export) { x.TCPFlags = tables.Some(f) }
}

func sampled(rate int64) func(*tables.Export) {
	return func(x *tables.Export) { x.Sampling = tables.Some(rate) }
}

func via(in, out int64, direction string) func(*tables.Export) {
	return func(x *tables.Export) { x.InIf, x.OutIf, x.Direction = tables.Some(in), tables.Some(out), direction }
}

// serial numbers rows of exports: each has an id of its own.
var serial = tables.ID(1 << 32)

// putExports commits rows as the collector does once its micro files are one.
func putExports(t *testing.T, a *archive.Archive, writer string, list []tables.Export) {
	t.Helper()
	list = slices.Clone(list)
	for i := range list {
		if list[i].FlowID == 0 {
			serial++
			list[i].FlowID = serial
		}
	}
	sortExports(list)
	tx, err := a.Begin(writer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.WriteRows(tx, "e", list); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func sortExports(list []tables.Export) {
	slices.SortStableFunc(list, func(x, y tables.Export) int { return cmp.Compare(x.TS, y.TS) })
}

const settledLate = tables.Time(1e6 * 1e6) // long after all rows

func settleAt(t *testing.T, a *archive.Archive, at tables.Time, l limits) Stats {
	t.Helper()
	var s Stats
	if err := settleDue(context.Background(), a, at, l, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// told shows connections: from-to client>server packets bytes by rank sensor
// seen_by oriented_by state sampling action pieces.
func told(list []tables.Connection) string {
	var b strings.Builder
	opt := func(o tables.Opt[int64]) string {
		if !o.Set {
			return "-"
		}
		return fmt.Sprint(o.V)
	}
	for _, c := range list {
		fmt.Fprintf(&b, "%g-%g %s:%d %s>%s %s %s", float64(c.TS)/1e6, float64(c.TSEnd)/1e6, c.Client, c.ClientPort,
			opt(c.ClientPackets), opt(c.ServerPackets), c.Sensor, c.SeenBy)
		for _, s := range []string{c.OrientedBy, c.ConnState, c.Action} {
			if s != "" {
				b.WriteString(" " + s)
			}
		}
		if c.Sampling.Set {
			fmt.Fprintf(&b, " 1/%d", c.Sampling.V)
		}
		if c.ClientPackets.V*100 != c.ClientBytes.V || c.ServerPackets.V*100 != c.ServerBytes.V {
			fmt.Fprintf(&b, " bytes %d>%d", c.ClientBytes.V, c.ServerBytes.V)
		}
		fmt.Fprintf(&b, " x%d\n", c.Pieces)
	}
	return b.String()
}

// settledExports holds the rows to the level and to having conversations that
// are there, and returns them by time.
func settledExports(t *testing.T, a *archive.Archive) []tables.Export {
	t.Helper()
	ids := map[settle.ID]bool{}
	for _, c := range connections(t, a) {
		if ids[settle.ID{ConnID: c.ConnID, Site: c.Site}] {
			t.Errorf("two connections %s", c.ConnID)
		}
		ids[settle.ID{ConnID: c.ConnID, Site: c.Site}] = true
	}
	for _, c := range rowsOf(t, a, archive.Carried, func(c *tables.Carried) tables.Time { return c.TS }) {
		ids[settle.ID{ConnID: c.ConnID, Site: c.Site}] = true
	}
	list := exports(t, a)
	for _, x := range list {
		if !x.ConnID.Set || !ids[settle.ID{ConnID: x.ConnID.V, Site: x.Site}] {
			t.Errorf("row %s of %s at %d: conversation %v is nowhere", x.Src, x.Observer, x.TS, x.ConnID)
		}
	}
	return list
}

func TestExportersConversations(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []tables.Export
		want string
	}{
		{"two directions", []tables.Export{export("r1", 10, 12, 5), export("r1", 10.1, 12, -4)},
			"10-12 10.0.0.1:40000 5>4 r1 r1 service_port x2\n"},
		{"pieces of the active timeout", []tables.Export{export("r1", 10, 70, 5), export("r1", 71, 131, 6), export("r1", 71, 131, -1)},
			"10-131 10.0.0.1:40000 11>1 r1 r1 service_port x3\n"},
		{"a silence below the idle time", []tables.Export{export("r1", 10, 20, 5), export("r1", 319.9, 330, 6)},
			"10-330 10.0.0.1:40000 11>- r1 r1 service_port x2\n"},
		{"an idle silence", []tables.Export{export("r1", 10, 20, 5), export("r1", 320, 330, 6)},
			"10-20 10.0.0.1:40000 5>- r1 r1 service_port x1\n320-330 10.0.0.1:40000 6>- r1 r1 service_port x1\n"},
		{"udp's is shorter", []tables.Export{export("r1", 10, 20, 5, udp), export("r1", 80, 81, 6, udp)},
			"10-20 10.0.0.1:40000 5>- r1 r1 service_port x1\n80-81 10.0.0.1:40000 6>- r1 r1 service_port x1\n"},
		{"the observer with the most packets", []tables.Export{export("r1", 10, 20, 5), export("r2", 10, 20, 6), export("r2", 11, 20, -3), export("r1", 11, 20, -3)},
			"10-20 10.0.0.1:40000 6>3 r2 r1,r2 service_port x4\n"},
		{"of equals the first by name", []tables.Export{export("r2", 10, 20, 5), export("r1", 9, 21, 5)},
			"9-21 10.0.0.1:40000 5>- r1 r1,r2 service_port x2\n"},
		{"unsampled before sampled", []tables.Export{export("r1", 10, 20, 50, sampled(100)), export("r2", 10, 20, 7, sampled(1))},
			"10-20 10.0.0.1:40000 7>- r2 r1,r2 service_port 1/1 x2\n"},
		{"sampled alone is scaled", []tables.Export{export("r1", 10, 20, 5, sampled(100)), export("r1", 30, 40, 2, sampled(1000)), export("r1", 10, 20, -1, sampled(100))},
			"10-40 10.0.0.1:40000 2500>100 r1 r1 service_port 1/1000 x3\n"},
		{"asymmetric routes", []tables.Export{export("r1", 10, 20, 5), export("r2", 11, 21, -4)},
			"10-21 10.0.0.1:40000 5>4 r1 r1,r2 service_port x2\n"},
		{"ingress and egress of one router", []tables.Export{export("r1", 10, 20, 5, via(1, 2, "ingress")), export("r1", 10, 20.001, 5, via(1, 2, "egress")),
			export("r1", 10, 20, -4, via(2, 1, "ingress"))},
			"10-20.001 10.0.0.1:40000 5>4 r1 r1 service_port x3\n"},
		{"two domains, one of which began later", []tables.Export{export("r1", 10, 20, 5), export("r1", 13, 20, 4, func(x *tables.Export) { x.Domain = tables.Some(int64(1)) })},
			"10-20 10.0.0.1:40000 5>- r1 r1 service_port x2\n"},
		{"single packets on the way in and out", []tables.Export{export("r1", 10, 10, 1, via(1, 2, "ingress")), export("r1", 10.001, 10.001, 1, via(1, 2, "egress"))},
			"10-10.001 10.0.0.1:40000 1>- r1 r1 service_port x2\n"},
		{"sampled and unsampled of one router", []tables.Export{export("r1", 10, 20, 900, sampled(100), via(1, 2, "ingress")), export("r1", 10, 20, 5, via(1, 2, "egress"))},
			"10-20 10.0.0.1:40000 5>- r1 r1 service_port x2\n"},
		{"a route that changed", []tables.Export{export("r1", 10, 20, 5, via(1, 2, "")), export("r1", 20.5, 30, 6, via(3, 2, ""))},
			"10-30 10.0.0.1:40000 11>- r1 r1 service_port x2\n"},
		{"parts at one place overlap", []tables.Export{export("r1", 10, 20, 5), export("r1", 12, 30, 6)},
			"10-30 10.0.0.1:40000 11>- r1 r1 service_port x2\n"},
		{"a biflow", []tables.Export{export("r1", 10, 20, 5, func(x *tables.Export) {
			x.ReversePackets, x.ReverseBytes, x.DstPort = tables.Some(int64(3)), tables.Some(int64(300)), 50000
		})},
			"10-20 10.0.0.1:40000 5>3 r1 r1 exporter x1\n"},
		{"first row's sender", []tables.Export{export("r1", 10, 20, 5, func(x *tables.Export) { x.DstPort = 50000 }), export("r1", 9, 20, -2, func(x *tables.Export) { x.SrcPort = 50000 })},
			"9-20 192.0.2.1:50000 2>5 r1 r1 first_packet x2\n"},
		{"SYN without ACK", []tables.Export{export("r1", 9, 20, 5, flags(0x12)), export("r2", 10, 20, -4, flags(0x02))},
			"9-20 192.0.2.1:80 4>5 r1 r1,r2 syn x2\n"},
		{"SYN first", []tables.Export{export("r1", 9, 20, 5, flags(0x1b)), export("r1", 8, 20, -4, flags(0x1b))},
			"8-20 192.0.2.1:80 4>5 r1 r1 syn SF x2\n"},
		{"a packet with SYN and ACK", []tables.Export{export("r1", 9, 9, 1, flags(0x12), sampled(10))},
			"9-9 192.0.2.1:80 ->10 r1 r1 synack 1/10 x1\n"},
		{"nobody answered", []tables.Export{export("r1", 9, 12, 3, flags(0x02))},
			"9-12 10.0.0.1:40000 3>- r1 r1 syn S0 x1\n"},
		{"refused", []tables.Export{export("r1", 9, 9, 1, flags(0x02)), export("r1", 9, 9, -1, flags(0x14))},
			"9-9 10.0.0.1:40000 1>1 r1 r1 syn REJ x2\n"},
		{"denied by one", []tables.Export{export("fw", 9, 9, 1, func(x *tables.Export) { x.Action = "deny" }), export("r1", 9, 9, 2, func(x *tables.Export) { x.Action = "allow" })},
			"9-9 10.0.0.1:40000 2>- r1 fw,r1 service_port deny x2\n"},
		{"udp both ways", []tables.Export{export("r1", 9, 9, 1, udp), export("r1", 9, 9, -1, udp)},
			"9-9 10.0.0.1:40000 1>1 r1 r1 service_port SF x2\n"},
		{"sites, tunnels and tuples apart", []tables.Export{export("r1", 9, 9, 1), export("r1", 10, 10, 2, func(x *tables.Export) { x.Site = "b" }),
			export("r1", 11, 11, 3, func(x *tables.Export) { x.TunnelType, x.TunnelID = "vxlan", tables.Some(int64(5)) }),
			export("r1", 12, 12, 4, func(x *tables.Export) { x.SrcPort = 40001 })}, // a collision of the hash
			"9-9 10.0.0.1:40000 1>- r1 r1 service_port x1\n10-10 10.0.0.1:40000 2>- r1 r1 service_port x1\n" +
				"11-11 10.0.0.1:40000 3>- r1 r1 service_port x1\n12-12 10.0.0.1:40001 4>- r1 r1 service_port x1\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := open(t)
			putExports(t, a, "collector", c.in)
			s := settleAt(t, a, settledLate, limits{chunkRows, carryLimit})
			if got := told(connections(t, a)); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			if n := len(settledExports(t, a)); n != len(c.in) || s.Rows != int64(n) || s.Connections != int64(strings.Count(c.want, "\n")) {
				t.Errorf("%d rows, %+v", n, s)
			}
			if s := settleAt(t, a, settledLate, limits{chunkRows, carryLimit}); s != (Stats{}) {
				t.Errorf("again: %+v", s)
			}
		})
	}
}

func TestYoungIsBounded(t *testing.T) {
	a := open(t)
	for i := range 4 {
		at := float64(1000 * i)
		putExports(t, a, "collector", []tables.Export{export("r1", at, at+1, 1), export("r1", at+0.5, at+1.5, -1)})
	}
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	y, err := young(context.Background(), cat, 5)
	if err != nil {
		t.Fatal(err)
	}
	want := "2000-2001.5 10.0.0.1:40000 1>1 r1 r1 service_port x2\n3000-3001.5 10.0.0.1:40000 1>1 r1 r1 service_port x2\n"
	if got := told(y.Connections); got != want || y.Skipped != 4 || y.SkippedFrom != 0 || y.SkippedTo != 1001500000 || len(y.Rows) != 4 {
		t.Errorf("%+v\n%s", y, got)
	}
}
