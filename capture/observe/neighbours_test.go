package observe

import (
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// arpMessage is what a machine asks or says.
func arpMessage(operation byte, mac int64, sender, target uint32) []byte {
	b := []byte{0, 1, 8, 0, 6, 4, 0, operation}
	b = binary.BigEndian.AppendUint16(b, uint16(mac>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(mac))
	b = binary.BigEndian.AppendUint32(b, sender)
	return binary.BigEndian.AppendUint32(append(b, 0, 0, 0, 0, 0, 0), target)
}

func arpPacket(ns, mac int64, b []byte) *Packet {
	return &Packet{TS: ns, Header: &tables.Header{EtherType: EtherARP, HasMAC: true, SrcMAC: uint64(mac)}, Payload: b}
}

// TestARPFlood: a sweep and senders nobody ever saw are few rows, which count all.
func TestARPFlood(t *testing.T) {
	const packets = 100_000
	for name, message := range map[string]func(i int) (mac int64, b []byte){
		"sweep":  func(i int) (int64, []byte) { return 2, arpMessage(1, 2, 0x0a000001, 0x0a000100+uint32(i)) },
		"forged": func(i int) (int64, []byte) { m := int64(2*i + 2); return m, arpMessage(1, m, 0x0a000000+uint32(i), 1) },
		"same":   func(i int) (int64, []byte) { return 2, arpMessage(1, 2, 0x0a000001, 0x0a000002) },
		"in turn": func(i int) (int64, []byte) {
			m := int64(2 + i&1<<1)
			return m, arpMessage(2, m, 0x0a000001, 0x0a000002)
		},
	} {
		r := &rows{}
		o := New(r)
		for i := range packets { // 50 seconds
			mac, b := message(i)
			o.Observe(arpPacket(int64(i)*second/2000, mac, b))
		}
		held := o.arp.len
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		sum := int64(0)
		for _, row := range r.arp {
			sum += row.Packets
		}
		most := map[string]int{"sweep": arpOfOne + 1, "forged": maxRepeats + 1, "same": 1, "in turn": 3}[name]
		if sum != packets || len(r.arp) != most || held > maxRepeats+1 {
			t.Errorf("%s: %d rows of %d packets, %d held", name, len(r.arp), sum, held)
		}
		if len(r.names) > claimsAMinute || len(o.arp.by) > 0 {
			t.Errorf("%s: %d names, %d senders", name, len(r.names), len(o.arp.by))
		}
		if folded := o.Stats().Folded; folded > 0 != (name == "sweep" || name == "forged") {
			t.Errorf("%s: %d folded", name, folded)
		}
	}
}

// TestClaims: what changes hands names who had it; what is said again within half an hour
// is no news, and who speaks for another, or only answers, is not believed.
func TestClaims(t *testing.T) {
	r := &rows{}
	o := New(r)
	say := func(at, from, mac int64) {
		o.Observe(arpPacket(at*second, from, arpMessage(1, mac, 0x0a000005, 0x0a000009)))
	}
	reply := func(at, mac int64) {
		o.Observe(arpPacket(at*second, mac, arpMessage(2, mac, 0x0a000005, 0x0a000009)))
	}
	say(100, 2, 2)
	say(170, 2, 2)
	say(2000, 2, 2)
	say(2100, 4, 4)
	say(2200, 8, 6)
	say(2300, 4, 4)
	reply(2400, 10)
	reply(4200, 4)
	say(9000, 2, 2) // an hour later that is no change of hands
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	got := ""
	for _, n := range r.names {
		got += fmt.Sprint(n.TS/1e6, " ", n.Addr, " is ", n.MAC.V, " ", n.Source, n.Name, "\n")
	}
	for _, a := range r.arp {
		got += fmt.Sprint(a.TS/1e6, " ", a.Kind, " ", a.MAC.V, " after ", a.PreviousMAC.V, "\n")
	}
	const want = `100 10.0.0.5 is 2 arp
2000 10.0.0.5 is 2 arp
2100 10.0.0.5 is 4 arp
4200 10.0.0.5 is 4 arp
9000 10.0.0.5 is 2 arp
100 request 2 after 0
170 request 2 after 0
2000 request 2 after 0
2100 request 4 after 2
2200 request 6 after 4
2300 request 4 after 6
2400 reply 10 after 4
4200 reply 4 after 10
9000 request 2 after 0
`
	if got != want {
		t.Errorf("got\n%s", got)
	}
}

// TestProxiedNeighbours: who answers for an address of IPv6 without overriding what is known is a
// proxy (RFC 4861 7.2.8), and is not believed.
func TestProxiedNeighbours(t *testing.T) {
	for flags, want := range map[byte]int{0x60: 1, 0x40: 0, 0x20: 1, 0: 0} {
		r := &rows{}
		o := New(r)
		target := tables.AddrFrom16([]byte{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5})
		b := []byte{neighborAdvert, 0, 0, 0, flags, 0, 0, 0}
		bytes := target.Netip().As16()
		b = append(append(b, bytes[:]...), targetLinkLayer, 1, 2, 0, 0, 0, 0, 2)
		h := &tables.Header{IP: true, Src: target, Dst: target, Protocol: tables.ProtocolICMPv6, ICMPType: neighborAdvert, TTL: 255, HasMAC: true, SrcMAC: 0x020000000002}
		o.Observe(&Packet{TS: 1e18, Header: h, Payload: b})
		if err := o.Flush(); err != nil || len(r.arp) != 1 || len(r.names) != want {
			t.Errorf("flags %#x: %d names of %d rows, %v", flags, len(r.names), len(r.arp), err)
		}
	}
}

// TestRepeatsGoOn: what an Observer remembers of ARP, ICMP and DHCP is all that another
// needs to write the same rows.
func TestRepeatsGoOn(t *testing.T) {
	feed := func(o *Observer, from, to int) {
		for i := from; i < to; i++ {
			ns := int64(i) * 7 * second
			o.Observe(arpPacket(ns, 2, arpMessage(1, int64(2+i%3*2), 0x0a000001, 0x0a000002)))
			o.Observe(icmpPacket(ns, tables.ProtocolICMP, []byte{8, 0, 0, 0, 0, byte(i % 4), 0, byte(i), 1, 2, 3}))
			o.Observe(udpPacket(ns, 1, 2, 68, 67, dhcpMessage(dhcpRequest, uint32(i%5), "", "")))
		}
	}
	want := &rows{}
	o := New(want)
	feed(o, 0, 40)
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	for stop := range 40 {
		got := &rows{}
		o, after := New(got), New(got)
		feed(o, 0, stop)
		state := o.State()
		after.Resume(&state)
		feed(after, stop, 40)
		if err := after.Flush(); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got.arp, got.icmp, got.dhcp, got.names) != fmt.Sprint(want.arp, want.icmp, want.dhcp, want.names) {
			t.Fatalf("stopped at %d: %+v\nnot %+v", stop, got, want)
		}
	}
}

func icmpPacket(ns int64, protocol uint8, b []byte) *Packet {
	return &Packet{TS: ns, Payload: b, Header: &tables.Header{IP: true, Protocol: protocol, TTL: 255, HasMAC: true, SrcMAC: 2,
		Src: tables.AddrFrom16([]byte("\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")), Dst: tables.AddrFrom16([]byte("\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01")),
		PayloadLength: max(len(b)-8, 0)}}
}

func FuzzARP(f *testing.F) {
	f.Add(arpMessage(1, 2, 0x0a000001, 0x0a000002))
	f.Fuzz(func(t *testing.T, b []byte) {
		fuzzNeighbour(t, arpPacket(1, 2, b))
	})
}

func FuzzICMP(f *testing.F) {
	f.Add([]byte{8, 0, 0, 0, 0, 1, 0, 2, 3}, false)
	f.Add([]byte("\x88\x00\x00\x00\x60\x00\x00\x00\xfe\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x05\x02\x01\x02\x00\x00\x00\x00\x07"), true)
	f.Fuzz(func(t *testing.T, b []byte, six bool) {
		protocol := uint8(tables.ProtocolICMP)
		if six {
			protocol = tables.ProtocolICMPv6
		}
		fuzzNeighbour(t, icmpPacket(1, protocol, b))
	})
}

func fuzzNeighbour(t *testing.T, p *Packet) {
	r := &rows{}
	o := New(r)
	o.Observe(p)
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	if o.Stats().Panics > 0 || len(r.arp)+len(r.icmp) > 1 || len(r.names) > 1 {
		t.Errorf("%+v %+v", o.Stats(), r)
	}
}
