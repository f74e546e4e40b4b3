package collector

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// sflowBytes builds XDR.
type sflowBytes []byte

func words(v ...uint32) (b sflowBytes) {
	for _, v := range v {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

func addressOf(text string) sflowBytes {
	a := netip.MustParseAddr(text)
	if a.Is4() {
		return append(words(1), a.AsSlice()...)
	}
	return append(words(2), a.AsSlice()...)
}

func pad(b []byte) sflowBytes {
	b = append([]byte{}, b...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

func opaque(b []byte) sflowBytes { return append(words(uint32(len(b))), pad(b)...) }

func join(parts ...sflowBytes) (b sflowBytes) {
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

// record is a record or a sample: its format, and its bytes behind a length.
func record(format uint32, parts ...sflowBytes) sflowBytes {
	return join(words(format), opaque(join(parts...)))
}

func datagramOf(sequence uint32, samples ...sflowBytes) sflowBytes {
	return join(words(5), addressOf("192.0.2.9"), words(3, sequence, 60_000, uint32(len(samples))), join(samples...))
}

// flowOf is a flow sample of interface 7 to 8, sampled where it came in.
func flowOf(sequence uint32, records ...sflowBytes) sflowBytes {
	return record(sflowFlow, words(sequence, 7, 512, 1000, 0, 7, 8, uint32(len(records))), join(records...))
}

// headerOf is a sampled Ethernet header of a frame with a checksum of 4 bytes
// at its end.
func headerOf(frame []byte, length int) sflowBytes {
	return record(recordHeader, words(headerEthernet, uint32(length+4), 4), opaque(frame))
}

var ethernet = []byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}

// ip4 is an IPv4 packet of length bytes, as far as its headers go.
func ip4(protocol byte, length int, layer4 ...byte) []byte {
	b := []byte{0x45, 0x10, byte(length >> 8), byte(length), 0, 1, 0, 0, 63, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
	return append(b, layer4...)
}

func tcp(src, dst uint16, flags byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, src)
	b = binary.BigEndian.AppendUint16(b, dst)
	return append(b, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 1, 0, 0, 0, 0, 0)
}

func frame(etherType uint16, packet []byte) []byte {
	return append(binary.BigEndian.AppendUint16(append([]byte{}, ethernet...), etherType), packet...)
}

var plain = headerOf(frame(0x0800, ip4(6, 1400, tcp(40000, 443, 0x18)...)), 1414)

// showSFlow tells what of a row is not at its default.
func showSFlow(r *tables.Export) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v:%d>%v:%d/%d %dB %dp", r.Src, r.SrcPort, r.Dst, r.DstPort, r.Protocol, r.Bytes, r.Packets)
	num := func(name string, v int64, set bool) {
		if set {
			fmt.Fprintf(&b, " %s=%d", name, v)
		}
	}
	text := func(name, v string) {
		if v != "" {
			fmt.Fprintf(&b, " %s=%s", name, v)
		}
	}
	addr := func(name string, a tables.Opt[tables.Addr]) {
		if a.Set {
			fmt.Fprintf(&b, " %s=%v", name, a.V)
		}
	}
	num("rate", r.Sampling.V, r.Sampling.Set)
	num("in", r.InIf.V, r.InIf.Set)
	num("out", r.OutIf.V, r.OutIf.Set)
	text("dir", r.Direction)
	num("flags", int64(r.TCPFlags.V), r.TCPFlags.Set)
	num("icmp", int64(r.ICMPType.V)<<8|int64(r.ICMPCode.V), r.ICMPType.Set)
	num("tos", int64(r.TOS.V), r.TOS.Set)
	num("ttl", int64(r.TTL.V), r.TTL.Set)
	num("fragments", r.Fragments.V, r.Fragments.V > 0)
	num("vlan", int64(r.VLAN.V), r.VLAN.Set)
	num("outer_vlan", int64(r.OuterVLAN.V), r.OuterVLAN.Set)
	if r.SrcMAC.Set {
		fmt.Fprintf(&b, " mac=%012x>%012x", r.SrcMAC.V, r.DstMAC.V)
	}
	addr("hop", r.NextHop)
	num("as", r.SrcAS.V<<32|r.DstAS.V, r.SrcAS.Set)
	num("mask", int64(r.SrcMask.V<<8|r.DstMask.V), r.SrcMask.Set)
	addr("src_nat", r.SrcNAT)
	addr("dst_nat", r.DstNAT)
	num("nat_ports", int64(r.SrcNATPort.V)<<16|int64(r.DstNATPort.V), r.SrcNATPort.Set)
	num("mpls", int64(r.MPLSLabel.V), r.MPLSLabel.Set)
	text("tunnel", r.TunnelType)
	num("vni", r.TunnelID.V, r.TunnelID.Set)
	addr("outer_src", r.OuterSrc)
	text("action", r.Action)
	text("reason", r.RejectReason)
	text("extra", r.Extra)
	return b.String()
}

// sflowRows is a sink.
type sflowRows struct {
	rows      []tables.Export
	exporters []tables.Exporter
}

func (s *sflowRows) Exports(rows []tables.Export) error {
	s.rows = append(s.rows, rows...)
	return nil
}

func (s *sflowRows) Exporter(r *tables.Exporter) error {
	s.exporters = append(s.exporters, *r)
	return nil
}

func (s *sflowRows) Socket(*tables.Socket) error { return nil }

var sflowSender = netip.MustParseAddrPort("192.0.2.1:50000")

// decodeSFlow decodes one datagram; the tally is what its exporter's row says.
func decodeSFlow(t testing.TB, data []byte) (*sflowRows, Outcome) {
	t.Helper()
	s := &sflowRows{}
	d, err := NewDecoder(Config{}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	o := d.Datagram(sflowSender, 1e15, data)
	if err := d.Close(1e15 + 5e6); err != nil {
		t.Fatal(err)
	}
	if len(s.exporters) != 1 {
		t.Fatalf("%d exporter rows", len(s.exporters))
	}
	return s, o
}

// sflowCounts are the counts of an exporter's row that sFlow has.
type sflowCounts struct {
	flows, counters, other, unknown, bad, undecoded int64
}

func countsOf(r *tables.Exporter) sflowCounts {
	return sflowCounts{r.Records, r.OptionsRecords, r.OtherPackets, r.UnknownFormats, r.Undecodable, r.UndecodedBytes}
}

func TestSFlowSamples(t *testing.T) {
	const base = "10.0.0.1:40000>10.0.0.2:443/6 1400B 1p rate=512 in=7 out=8 dir=ingress flags=24 tos=16 ttl=63"
	const macs = " mac=020000000002>020000000001"
	const tuple = "10.0.0.1:40000>10.0.0.2:443/6 1400B 1p"
	ip6 := append([]byte{0x60, 0, 0, 0, 0, 20, 6, 55}, append(netip.MustParseAddr("2001:db8::1").AsSlice(),
		append(netip.MustParseAddr("2001:db8::2").AsSlice(), tcp(1, 2, 2)...)...)...)
	vxlan := ip4(17, 200, append([]byte{0x30, 0x39, 0x12, 0xb5, 0, 180, 0, 0, 8, 0, 0, 0, 0, 0x30, 0x39, 0},
		frame(0x0800, append([]byte{0x45, 0, 0, 100, 0, 1, 0, 0, 9, 6, 0, 0, 10, 9, 9, 1, 10, 9, 9, 2}, tcp(5, 6, 16)...))...)...)
	ipv4Record := func(protocol uint32) sflowBytes {
		return record(recordIPv4, words(1000, protocol), []byte{10, 0, 0, 3}, []byte{10, 0, 0, 4}, words(50000, 53, 0x12, 8))
	}
	fields := words(7, 512, 1000, 0)
	for _, c := range []struct {
		name    string
		samples []sflowBytes
		want    string // rows, one a line
		counts  sflowCounts
	}{
		{"header", []sflowBytes{flowOf(1, plain)}, base + macs, sflowCounts{flows: 1}},
		{"two samples", []sflowBytes{flowOf(1, plain), flowOf(2, plain)}, base + macs + "\n" + base + macs, sflowCounts{flows: 2}},
		{"vlan", []sflowBytes{flowOf(1, headerOf(frame(0x88a8, join([]byte{0, 100, 0x81, 0, 0x20, 30, 8, 0}, ip4(6, 1400, tcp(40000, 443, 24)...))), 1422))},
			base + " vlan=30 outer_vlan=100" + macs, sflowCounts{flows: 1}},
		{"mpls in ethernet", []sflowBytes{flowOf(1, headerOf(frame(0x8847, join([]byte{0, 0x64, 0x10, 64, 0, 0x0c, 0x81, 64}, ip4(6, 1400, tcp(40000, 443, 24)...))), 1422))},
			base + macs + " mpls=1601", sflowCounts{flows: 1}},
		{"mpls", []sflowBytes{flowOf(1, record(recordHeader, words(headerMPLS, 1404, 0), opaque(join([]byte{0, 0x64, 0x11, 64}, ip4(6, 1400, tcp(40000, 443, 24)...)))))},
			base + " mpls=1601", sflowCounts{flows: 1}},
		{"ppp", []sflowBytes{flowOf(1, record(recordHeader, words(headerPPP, 1404, 0), opaque(join([]byte{0xff, 3, 0, 0x21}, ip4(6, 1400, tcp(40000, 443, 24)...)))))},
			base, sflowCounts{flows: 1}},
		{"hdlc", []sflowBytes{flowOf(1, record(recordHeader, words(headerPOS, 1404, 0), opaque(join([]byte{0x0f, 0, 8, 0}, ip4(6, 1400, tcp(40000, 443, 24)...)))))},
			base, sflowCounts{flows: 1}},
		{"ipv4 header", []sflowBytes{flowOf(1, record(recordHeader, words(headerIPv4, 1400, 0), opaque(ip4(6, 1400, tcp(40000, 443, 24)...))))},
			base, sflowCounts{flows: 1}},
		{"length bounded by the frame", []sflowBytes{flowOf(1, record(recordHeader, words(headerIPv4, 604, 4), opaque(ip4(6, 1400, tcp(40000, 443, 24)...))))},
			strings.Replace(base, "1400B", "600B", 1), sflowCounts{flows: 1}},
		{"ipv6 header", []sflowBytes{flowOf(1, record(recordHeader, words(headerIPv6, 60, 0), opaque(ip6)))},
			"2001:db8::1:1>2001:db8::2:2/6 60B 1p rate=512 in=7 out=8 dir=ingress flags=2 tos=0 ttl=55", sflowCounts{flows: 1}},
		{"tunnel", []sflowBytes{flowOf(1, headerOf(frame(0x0800, vxlan), 214))},
			"10.9.9.1:5>10.9.9.2:6/6 100B 1p rate=512 in=7 out=8 dir=ingress flags=16 tos=0 ttl=9" + macs + " tunnel=vxlan vni=12345 outer_src=10.0.0.1", sflowCounts{flows: 1}},
		{"icmp", []sflowBytes{flowOf(1, headerOf(frame(0x0800, ip4(1, 84, 8, 0, 0, 0, 0, 1, 0, 1)), 98))},
			"10.0.0.1:0>10.0.0.2:0/1 84B 1p rate=512 in=7 out=8 dir=ingress icmp=2048 tos=16 ttl=63" + macs, sflowCounts{flows: 1}},
		{"header cut before the ports", []sflowBytes{flowOf(1, headerOf(frame(0x0800, ip4(6, 1400)), 1414))},
			"10.0.0.1:0>10.0.0.2:0/6 1400B 1p rate=512 in=7 out=8 dir=ingress tos=16 ttl=63" + macs, sflowCounts{flows: 1}},
		{"arp", []sflowBytes{flowOf(1, headerOf(frame(0x0806, make([]byte, 28)), 42))}, "", sflowCounts{other: 1}},
		{"802.11", []sflowBytes{flowOf(1, record(recordHeader, words(15, 100, 0), opaque(make([]byte, 60))))}, "", sflowCounts{other: 1}},
		{"no records", []sflowBytes{flowOf(1)}, "", sflowCounts{other: 1}},
		{"ipv4 and ethernet records", []sflowBytes{flowOf(1, ipv4Record(17), record(recordEthernet, words(1018), pad([]byte{2, 0, 0, 0, 0, 2}), pad([]byte{2, 0, 0, 0, 0, 1}), words(0x800)))},
			"10.0.0.3:50000>10.0.0.4:53/17 1000B 1p rate=512 in=7 out=8 dir=ingress tos=8" + macs, sflowCounts{flows: 1}},
		{"ipv4 record of icmp", []sflowBytes{flowOf(1, ipv4Record(1))},
			"10.0.0.3:0>10.0.0.4:0/1 1000B 1p rate=512 in=7 out=8 dir=ingress tos=8", sflowCounts{flows: 1}},
		{"header before the ipv4 record", []sflowBytes{flowOf(1, plain, ipv4Record(17))}, base + macs, sflowCounts{flows: 1}},
		{"header after the ipv4 record", []sflowBytes{flowOf(1, ipv4Record(17), plain)}, base + macs, sflowCounts{flows: 1}},
		{"ipv6 record", []sflowBytes{flowOf(1, record(recordIPv6, words(900, 6), netip.MustParseAddr("2001:db8::1").AsSlice(), netip.MustParseAddr("2001:db8::2").AsSlice(), words(1, 2, 2, 0)))},
			"2001:db8::1:1>2001:db8::2:2/6 900B 1p rate=512 in=7 out=8 dir=ingress flags=2 tos=0", sflowCounts{flows: 1}},
		{"switch", []sflowBytes{flowOf(1, plain, record(recordSwitch, words(20, 5, 21, 6)))},
			base + " vlan=20" + macs + ` extra={"postVlanId":21,"dot1qPriority":5,"sflow/dst_priority":6}`, sflowCounts{flows: 1}},
		{"switch without vlans", []sflowBytes{flowOf(1, plain, record(recordSwitch, words(0, 0xffffffff, 4095, 0)))}, base + macs, sflowCounts{flows: 1}},
		{"router and gateway", []sflowBytes{flowOf(1, plain,
			record(recordGateway, addressOf("192.0.2.2"), words(65000, 65001, 65002, 2, 2, 2, 65003, 65004, 1, 1, 65005, 1, 65000<<16|7, 100)),
			record(recordRouter, addressOf("192.0.2.1"), words(24, 16)))},
			base + macs + fmt.Sprintf(" hop=192.0.2.1 as=%d mask=%d", int64(65001)<<32|65005, 24<<8|16) +
				` extra={"bgpPrevAdjacentAsNumber":65002,"sflow/dst_as_path":[65003,65004,65005],"sflow/communities":[4259840007],"sflow/localpref":100,"sflow/bgp_next_hop":"192.0.2.2"}`, sflowCounts{flows: 1}},
		{"gateway without a path", []sflowBytes{flowOf(1, plain, record(recordGateway, addressOf("2001:db8::5"), words(65000, 0, 0, 0, 0, 0)))},
			base + macs + " hop=2001:db8::5 as=65000", sflowCounts{flows: 1}},
		{"nat", []sflowBytes{flowOf(1, plain, record(recordNAT, addressOf("198.51.100.1"), addressOf("10.0.0.2")), record(recordNATPort, words(1024, 443)))},
			base + macs + fmt.Sprintf(" src_nat=198.51.100.1 dst_nat=10.0.0.2 nat_ports=%d", 1024<<16|443), sflowCounts{flows: 1}},
		{"mpls record", []sflowBytes{flowOf(1, plain, record(recordMPLS, addressOf("192.0.2.3"), words(2, 1601<<12|64, 200<<12|0x140, 1, 1700<<12|0x140)))},
			base + macs + ` hop=192.0.2.3 mpls=1601 extra={"sflow/mpls_out_label":1700}`, sflowCounts{flows: 1}},
		{"vlan tunnel", []sflowBytes{flowOf(1, plain, record(recordVLANTunnel, words(2, 0x88a80064, 0x81000020)))}, base + " outer_vlan=100" + macs, sflowCounts{flows: 1}},
		{"user and url", []sflowBytes{flowOf(1, plain, record(recordUser, words(106), opaque([]byte("ann")), words(106), opaque(nil)),
			record(recordURL, words(1), opaque([]byte(`/a"b\`+"\x01\xff")), opaque([]byte("h"))))},
			base + macs + ` extra={"userName":"ann","httpRequestTarget":"/a\"b\\\u0001` + "\ufffd" + `","httpRequestHost":"h"}`, sflowCounts{flows: 1}},
		{"the first of two", []sflowBytes{flowOf(1, plain, record(recordVNIIn, words(5)), record(recordVNIIn, words(6)), record(recordVNIOut, words(7)))},
			base + macs + ` extra={"sflow/vni_ingress":5,"sflow/vni_egress":7}`, sflowCounts{flows: 1}},
		{"expanded", []sflowBytes{record(sflowExpandedFlow, words(1, 0, 70000, 100, 0, 0, 0, 80000, 0, 70000, 1), plain)},
			tuple + " rate=100 in=80000 out=70000 dir=egress flags=24 tos=16 ttl=63" + macs, sflowCounts{flows: 1}},
		{"no rate, no interfaces", []sflowBytes{record(sflowFlow, words(1, 7, 0, 0, 0, 0, 0x3fffffff, 1), plain)},
			tuple + " flags=24 tos=16 ttl=63" + macs + ` extra={"sflow/output":"local"}`, sflowCounts{flows: 1}},
		{"discarded", []sflowBytes{record(sflowFlow, words(1), fields, words(7, 1<<30|258, 1), plain)},
			tuple + " rate=512 in=7 dir=ingress flags=24 tos=16 ttl=63" + macs + " action=deny reason=acl", sflowCounts{flows: 1}},
		{"several outputs", []sflowBytes{record(sflowFlow, words(1), fields, words(7, 2<<30|12, 1), plain)},
			tuple + " rate=512 in=7 dir=ingress flags=24 tos=16 ttl=63" + macs + ` extra={"sflow/output_interfaces":12}`, sflowCounts{flows: 1}},
		{"expanded, discarded without a name", []sflowBytes{record(sflowExpandedFlow, words(1, 0, 7, 1, 0, 0, 0, 7, 1, 400, 1), plain)},
			tuple + " rate=1 in=7 dir=ingress flags=24 tos=16 ttl=63" + macs + " action=deny reason=reason 400", sflowCounts{flows: 1}},
		{"drop", []sflowBytes{record(sflowDiscard, words(1, 0, 7, 3, 7, 0, 269, 2), plain, record(recordFunction, opaque([]byte("ip_rcv"))))},
			tuple + " in=7 flags=24 tos=16 ttl=63" + macs + ` action=deny reason=blackhole_route extra={"sflow/function":"ip_rcv"}`, sflowCounts{flows: 1}},
		{"acl and queue", []sflowBytes{record(sflowDiscard, words(1, 0, 7, 0, 7, 9, 70000, 3), plain, record(recordACL, words(4), opaque([]byte("in")), words(1)), record(recordQueue, words(2)))},
			tuple + " in=7 out=9 flags=24 tos=16 ttl=63" + macs + ` action=deny reason=unknown extra={"sflow/acl_number":4,"sflow/acl_name":"in","sflow/acl_direction":1,"sflow/egress_queue":2}`, sflowCounts{flows: 1}},
		{"counters", []sflowBytes{record(sflowCounter, words(1, 7, 1), record(1, make([]byte, 88))), record(sflowExpandedCounter, words(1, 0, 8, 0))}, "", sflowCounts{counters: 2}},
		{"unknown sample, unknown records", []sflowBytes{record(4300<<12|1, words(1, 2)), flowOf(1, record(4413<<12|1, words(1)), plain, record(4999, nil))},
			base + macs, sflowCounts{flows: 1, unknown: 3}},

		// What is damaged is left out, all before and beside it is kept.
		{"record cut", []sflowBytes{flowOf(1, plain, record(recordRouter, addressOf("192.0.2.1"), words(24)))}, base + macs, sflowCounts{flows: 1, bad: 1}},
		{"gateway cut in its path", []sflowBytes{flowOf(1, plain, record(recordGateway, addressOf("192.0.2.1"), words(1, 2, 3, 1, 2, 0x40000000, 5)))}, base + macs, sflowCounts{flows: 1, bad: 1}},
		{"address type", []sflowBytes{flowOf(1, plain, record(recordRouter, words(9, 1, 2, 3)))}, base + macs, sflowCounts{flows: 1, bad: 1}},
		{"header longer than its record", []sflowBytes{flowOf(1, record(recordHeader, words(1, 1418, 4, 0xfffffffe), make([]byte, 60)))}, "", sflowCounts{other: 1, bad: 1}},
		{"record longer than its sample", []sflowBytes{record(sflowFlow, words(1), fields, words(7, 8, 2), plain, words(1, 0xffffffff), make([]byte, 40))}, base + macs, sflowCounts{flows: 1, bad: 1}},
		{"more records than there are", []sflowBytes{record(sflowFlow, words(1), fields, words(7, 8, 0xffffffff), plain)}, base + macs, sflowCounts{flows: 1, bad: 1}},
		{"sample cut", []sflowBytes{record(sflowFlow, words(1, 2, 3)), flowOf(1, plain)}, base + macs, sflowCounts{flows: 1, bad: 1}},
		{"sample longer than the datagram", []sflowBytes{flowOf(1, plain), join(words(1, 0xffffffff), make([]byte, 8))}, base + macs, sflowCounts{flows: 1, bad: 1, undecoded: 16}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, outcome := decodeSFlow(t, datagramOf(1, c.samples...))
			var got []string
			for i := range s.rows {
				got = append(got, showSFlow(&s.rows[i]))
			}
			if g := strings.Join(got, "\n"); g != c.want {
				t.Errorf("got  %s\nwant %s", g, c.want)
			}
			if got := countsOf(&s.exporters[0]); got != c.counts || (outcome == Undecodable) != (c.counts.bad > 0) {
				t.Errorf("got %v %+v, want %+v", outcome, got, c.counts)
			}
			for i := range s.rows {
				if e := s.rows[i].Extra; e != "" && !json.Valid([]byte(e)) {
					t.Errorf("extra is no JSON: %s", e)
				}
			}
		})
	}
}

func TestSFlowHeader(t *testing.T) {
	whole := datagramOf(9, flowOf(1, plain))
	for n := 4; n < len(whole); n++ {
		s, o := decodeSFlow(t, whole[:n])
		lost := int64(n - 28)
		source := "sflow5"
		if n < 28 {
			lost, source = int64(n), ""
		}
		if e := s.exporters[0]; (o == Undecodable) != (n != 28) && n != 28 || len(s.rows) != 0 || e.UndecodedBytes != lost || e.SourceType != source {
			t.Fatalf("%d bytes: %v, %d rows, %+v", n, o, len(s.rows), e)
		}
	}
	// Samples promised but not there, and bytes nobody promised.
	more := append(sflowBytes{}, whole...)
	binary.BigEndian.PutUint32(more[24:], 0xffffffff)
	if s, o := decodeSFlow(t, more); o != Undecodable || countsOf(&s.exporters[0]) != (sflowCounts{flows: 1, bad: 1}) {
		t.Errorf("%v %+v", o, s.exporters)
	}
	if s, o := decodeSFlow(t, append(whole, 1, 2, 3)); o != Undecodable || countsOf(&s.exporters[0]) != (sflowCounts{flows: 1, bad: 1, undecoded: 3}) {
		t.Errorf("%v %+v", o, s.exporters)
	}
	s, o := decodeSFlow(t, join(words(5), addressOf("2001:db8::9"), words(3, 9, 1, 1), flowOf(1, plain)))
	if o != Decoded || len(s.rows) != 1 {
		t.Fatal(o, s.rows)
	}
	r := s.rows[0]
	if r.Exporter.String() != "2001:db8::9" || r.Observer != "2001:db8::9" || r.Domain != tables.Some(int64(3)) || r.SourceType != "sflow5" ||
		r.TS != 1e15 || r.TSEnd != 1e15 || r.Resolution != 1 || r.TimeQuality != "received" || r.TimeReceived != tables.Some(tables.Time(1e15)) ||
		r.CID != tables.CID(r.Src, r.Dst, 40000, 443, 6) {
		t.Errorf("%+v", r)
	}
}

// An agent is known by its address, whoever passes its datagrams on; but it is
// the sender who must be on the list.
func TestSFlowAgents(t *testing.T) {
	s := &sflowRows{}
	d, err := NewDecoder(Config{Exporters: []string{"192.0.2.1,name=relay", "192.0.2.9,name=core,sampling=100", "192.0.2.10"}}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	agent := func(address string, sequence uint32) sflowBytes {
		return join(words(5), addressOf(address), words(0, sequence, 1, 1), flowOf(1, plain))
	}
	for _, c := range []struct {
		from, agent string
		want        Outcome
		name        string
		rate        int64
	}{
		{"192.0.2.1:1", "192.0.2.9", Decoded, "core", 100},
		{"192.0.2.1:1", "192.0.2.77", Decoded, "relay", 512},
		{"198.51.100.1:1", "192.0.2.9", Refused, "", 0},
	} {
		s.rows = nil
		if o := d.Datagram(netip.MustParseAddrPort(c.from), 1e15, agent(c.agent, 1)); o != c.want {
			t.Errorf("%+v: %v", c, o)
		}
		if c.want != Decoded {
			continue
		}
		if r := s.rows[0]; r.Exporter.String() != c.agent || r.Observer != c.name || r.Sampling.V != c.rate {
			t.Errorf("%+v: %v %q %v", c, r.Exporter, r.Observer, r.Sampling)
		}
	}
}

// Datagrams are numbered for each sub-agent, samples for each of its sources.
func TestSFlowSequences(t *testing.T) {
	s := &sflowRows{}
	d, err := NewDecoder(Config{}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	now := tables.Time(1e15)
	for i, n := range []uint32{5, 6, 9, 10, 10, 8} { // 7 never comes, 10 twice, 8 late
		d.Datagram(sflowSender, now+tables.Time(i), datagramOf(n, flowOf(10*n, plain)))
	}
	if err := d.Close(now + 5e6); err != nil {
		t.Fatal(err)
	}
	e := s.exporters[0]
	if e.Gaps != 1 || e.Missing != 1 || e.Reordered != 1 || e.Duplicates != 1 || e.Resets != 0 || e.SequenceUnit != "datagrams" || e.SamplesLost != 9+29+9 {
		t.Errorf("%+v", e)
	}
}

func TestSFlowPortName(t *testing.T) {
	names := record(sflowCounter, words(1, 7, 2), record(1, make([]byte, 88)), record(sflowPortNameRecord, opaque([]byte("eth0/7"))))
	s := &sflowRows{}
	d, err := NewDecoder(Config{}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.Datagram(sflowSender, 1e15, datagramOf(1, flowOf(1, plain)))
	d.Datagram(sflowSender, 1e15, datagramOf(2, names))
	d.Datagram(sflowSender, 1e15, datagramOf(3, flowOf(2, plain)))
	if len(s.rows) != 2 || s.rows[0].InIfName != "" || s.rows[1].InIfName != "eth0/7" || s.rows[1].OutIfName != "" {
		t.Errorf("%+v", s.rows)
	}
}

// discard is a sink that keeps nothing.
type discard struct{ rows int }

func (d *discard) Exports(rows []tables.Export) error { d.rows += len(rows); return nil }
func (d *discard) Exporter(*tables.Exporter) error    { return nil }
func (d *discard) Socket(*tables.Socket) error        { return nil }

func TestSFlowAllocations(t *testing.T) {
	data := sflowAll()
	sink := &discard{}
	d, err := NewDecoder(Config{}, sink, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := uint32(0)
	decode := func() {
		n++
		binary.BigEndian.PutUint32(data[16:], n)
		if o := d.Datagram(sflowSender, 1e15, data); o != Decoded {
			t.Fatal(o)
		}
	}
	decode()
	if sink.rows != 3 {
		t.Fatal(sink.rows)
	}
	if testing.Short() {
		return // under the race detector pools forget
	}
	if n := testing.AllocsPerRun(1000, decode); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// sflowAll is a datagram with a sample of each kind and a record of each.
func sflowAll() sflowBytes {
	return datagramOf(1,
		flowOf(1, plain, record(recordSwitch, words(20, 5, 21, 6)), record(recordRouter, addressOf("192.0.2.1"), words(24, 16)),
			record(recordGateway, addressOf("192.0.2.2"), words(65000, 65001, 65002, 1, 2, 2, 65003, 65004, 1, 65000<<16|7, 100)),
			record(recordUser, words(106), opaque([]byte("ann")), words(106), opaque(nil)),
			record(recordURL, words(1), opaque([]byte("/")), opaque([]byte("h"))),
			record(recordMPLS, addressOf("192.0.2.3"), words(1, 1601<<12, 1, 1700<<12)),
			record(recordMPLSTunnel, opaque([]byte("t")), words(1, 2)), record(recordMPLSVC, opaque([]byte("v")), words(1, 2)),
			record(recordVNIIn, words(5)), record(recordVNIOut, words(7)),
			record(recordNAT, addressOf("198.51.100.1"), addressOf("10.0.0.2")), record(recordNATPort, words(1024, 443)),
			record(recordVLANTunnel, words(1, 0x88a80064))),
		record(sflowExpandedFlow, words(2, 0, 70000, 100, 0, 0, 0, 80000, 0, 70000, 1),
			record(recordIPv4, words(1000, 17), []byte{10, 0, 0, 3}, []byte{10, 0, 0, 4}, words(50000, 53, 0, 8))),
		record(sflowDiscard, words(1, 0, 7, 0, 7, 9, 258, 5),
			record(recordEthernet, words(60), pad(ethernet[:6]), pad(ethernet[6:]), words(0x86dd)),
			record(recordIPv6, words(900, 6), make([]byte, 16), make([]byte, 16), words(1, 2, 2, 0)),
			record(recordACL, words(4), opaque([]byte("in")), words(1)), record(recordQueue, words(2)), record(recordFunction, opaque([]byte("ip_rcv")))),
		record(sflowCounter, words(1, 12, 2), record(1, make([]byte, 88)), record(sflowPortNameRecord, opaque([]byte("eth0/12")))))
}

func TestSFlowSources(t *testing.T) {
	d, err := NewDecoder(Config{}, &discard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := &sflowSamples{}
	w := &work{d: d, e: &exporter{}, s: &stream{samples: a}}
	for _, c := range []struct {
		sequence, drops uint32
		lost, dropped   int64
	}{
		{0xfffffffe, 5, 0, 0}, // the first
		{0xffffffff, 5, 0, 0},
		{1, 7, 1, 2}, // 0 is lost
		{2, 7, 0, 0},
		{2, 7, 0, 0}, // twice
		{1, 7, 0, 0}, // late
		{13, 3, 10, 0},
		{0x80000000, 1, 0, 0}, // began anew
		{0x80000001, 2, 0, 1},
	} {
		got := &w.s.counts
		*got = tables.Exporter{}
		w.accountSamples([]sflowSource{{sflowFlow, 0, 7, c.sequence, c.drops}, {sflowCounter, 0, 7, 9, 0}})
		if got.SamplesLost != c.lost || got.SamplesDropped != c.dropped {
			t.Errorf("%+v: lost %d, dropped %d", c, got.SamplesLost, got.SamplesDropped)
		}
	}
	for i := range uint32(3 * maxSFlowSources) {
		w.accountSamples([]sflowSource{{sflowFlow, 0, i, 1, 0}})
		w.learnPorts([]sflowPortName{{i, "p"}})
	}
	if len(a.counts) != maxSFlowSources || len(a.names) != maxPortNames {
		t.Error(len(a.counts), len(a.names))
	}
}

// What is remembered of samples is bounded for all exporters together, and
// given back when they go.
func TestSFlowMemory(t *testing.T) {
	d, err := NewDecoder(Config{MaxExporters: 1000}, &discard{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var sources []sflowBytes
	for i := range uint32(2000) { // counter samples without a counter: no records, so nobody is trusted
		sources = append(sources, record(sflowCounter, words(1, i, 0)))
	}
	data := datagramOf(1, sources...)
	for i := range byte(250) {
		for j := range byte(4) {
			d.Datagram(netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, j, i}), 1), 1e15, data)
		}
	}
	if n := d.samples.Load(); n > maxAllSampleBytes/2 || n < maxAllSampleBytes/2-countBytes*2000 {
		t.Errorf("%d bytes", n)
	}
	good := netip.MustParseAddrPort("10.0.0.0:1")
	d.Datagram(good, 1e15, datagramOf(2, flowOf(1, plain)))
	d.Datagram(good, 1e15, datagramOf(3, record(sflowFlow, words(1, 5000, 1, 0, 0, 1, 2, 1), plain)))
	if n := d.samples.Load(); n != maxAllSampleBytes/2+countBytes {
		t.Errorf("%d bytes after an exporter that brings records came", n)
	}
	if err := d.Tick(1e15 + 10*24*3600e6); err != nil {
		t.Fatal(err)
	}
	if n := d.samples.Load(); n != 0 {
		t.Errorf("%d bytes of exporters that are gone", n)
	}
}

func FuzzSFlow(f *testing.F) {
	all := sflowAll()
	f.Add([]byte(all))
	for n := 28; n < len(all); n += 37 {
		f.Add([]byte(all[:n]))
	}
	for _, d := range sflowSeeds(f) {
		f.Add(d)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 4 || binary.BigEndian.Uint32(data) != 5 {
			return
		}
		s, o := decodeSFlow(t, data)
		c := countsOf(&s.exporters[0])
		if int64(len(s.rows)) != c.flows || len(s.rows) > len(data)/44 || c.undecoded > int64(len(data)) || (c.bad == 1) != (o == Undecodable) {
			t.Fatalf("%v, %d rows of %d bytes, %+v", o, len(s.rows), len(data), c)
		}
		text := 0
		for i := range s.rows {
			r := &s.rows[i]
			text += len(r.Extra)
			if r.Packets != 1 || r.Bytes < 0 || r.SrcPort < 0 || r.SrcPort > 65535 || r.DstPort < 0 || r.DstPort > 65535 || r.Protocol < 0 || r.Protocol > 255 {
				t.Fatalf("%s", showSFlow(r))
			}
			if r.Extra != "" && !json.Valid([]byte(r.Extra)) {
				t.Fatalf("extra is no JSON: %q", r.Extra)
			}
		}
		// A byte becomes six characters when it is a control character.
		if text > 6*len(data)+len(s.rows)*1024 {
			t.Fatalf("%d bytes make %d bytes of text", len(data), text)
		}
	})
}

// Flow samples with a header of 128 bytes, a switch and a router record, seven
// a datagram, as switches send.
func BenchmarkSFlow(b *testing.B) {
	header := headerOf(append(frame(0x0800, ip4(6, 1400, tcp(40000, 443, 0x18)...)), make([]byte, 74)...), 1414)
	var samples []sflowBytes
	for i := range uint32(7) {
		samples = append(samples, flowOf(i, header, record(recordSwitch, words(20, 0, 20, 0)), record(recordRouter, addressOf("192.0.2.1"), words(24, 16))))
	}
	data := datagramOf(1, samples...)
	d, err := NewDecoder(Config{}, &discard{}, nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for n := uint32(0); b.Loop(); n++ {
		binary.BigEndian.PutUint32(data[16:], n)
		if o := d.Datagram(sflowSender, 1e15, data); o != Decoded {
			b.Fatal(o)
		}
	}
	b.ReportMetric(float64(b.N)*7/b.Elapsed().Seconds(), "samples/s")
}
