package observe

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/wiresql/wiresql/tables"
)

func addr(s string) tables.Addr {
	a, err := tables.ParseAddr(s)
	if err != nil {
		panic(err)
	}
	return a
}

const second = 1_000_000_000

// udp makes a packet between two "address:port" ends at a second.
func udp(at float64, src, dst string, payload []byte) *Packet {
	return packet(at, tables.ProtocolUDP, src, dst, 0, payload)
}

func packet(at float64, protocol uint8, src, dst string, seq uint32, payload []byte) *Packet {
	h := &tables.Header{IP: true, Protocol: protocol, TCPSeq: seq, PayloadLength: len(payload)}
	var sp, dp int
	split := func(s string, port *int) tables.Addr {
		i := strings.LastIndexByte(s, ':')
		fmt.Sscan(s[i+1:], port)
		return addr(s[:i])
	}
	h.Src, h.Dst = split(src, &sp), split(dst, &dp)
	h.SrcPort, h.DstPort = uint16(sp), uint16(dp)
	return &Packet{TS: int64(at * second), Header: h, Payload: payload, FromClient: dp < sp, FlowID: 7, ConnID: 8, Sensor: "s"}
}

func serialize(t testing.TB, l gopacket.SerializableLayer) []byte {
	t.Helper()
	b := gopacket.NewSerializeBuffer()
	if err := l.SerializeTo(b, gopacket.SerializeOptions{FixLengths: true}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func query(t testing.TB, id uint16, name string, qtype layers.DNSType) []byte {
	return serialize(t, &layers.DNS{ID: id, RD: true,
		Questions: []layers.DNSQuestion{{Name: []byte(name), Type: qtype, Class: layers.DNSClassIN}}})
}

func answer(t testing.TB, id uint16, name string, qtype layers.DNSType, code layers.DNSResponseCode, records ...layers.DNSResourceRecord) []byte {
	for i := range records {
		if records[i].Name == nil {
			records[i].Name = []byte(name)
		}
		records[i].Class = layers.DNSClassIN
	}
	return serialize(t, &layers.DNS{ID: id, QR: true, ResponseCode: code,
		Questions: []layers.DNSQuestion{{Name: []byte(name), Type: qtype, Class: layers.DNSClassIN}}, Answers: records})
}

func a(ip string, ttl uint32) layers.DNSResourceRecord {
	typ := layers.DNSTypeA
	if strings.Contains(ip, ":") {
		typ = layers.DNSTypeAAAA
	}
	return layers.DNSResourceRecord{Type: typ, TTL: ttl, IP: addr(ip).Netip().AsSlice()}
}

func owned(name string, r layers.DNSResourceRecord) layers.DNSResourceRecord {
	r.Name = []byte(name)
	return r
}

// lines shows rows one a line, times in seconds.
func (r *rows) lines() string {
	var b strings.Builder
	for _, d := range r.dns {
		fmt.Fprintf(&b, "dns %g %s>%s %s %s rcode=%s answers=%s", float64(d.TS)/1e6, d.Client, d.Server, d.Query, d.QType, d.RCode, d.Answers)
		if d.TTL.Set {
			fmt.Fprintf(&b, " ttl=%d", d.TTL.V)
		}
		if d.RTTUs.Set {
			fmt.Fprintf(&b, " rtt=%d", d.RTTUs.V)
		}
		b.WriteByte('\n')
	}
	for _, n := range r.names {
		fmt.Fprintf(&b, "name %g %q %s %s", float64(n.TS)/1e6, n.Name, n.Addr, n.Source)
		if n.MAC.Set {
			fmt.Fprintf(&b, " mac=%x", n.MAC.V)
		}
		if n.ValidUntil == tables.OpenEnd {
			b.WriteString(" until=open\n")
		} else {
			fmt.Fprintf(&b, " until=%g\n", float64(n.ValidUntil)/1e6)
		}
	}
	return strings.TrimSpace(b.String())
}

func expect(t *testing.T, packets []*Packet, want string) {
	t.Helper()
	sink := &rows{}
	o := New(sink)
	for _, p := range packets {
		o.Observe(p)
	}
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, l := range strings.Split(strings.TrimSpace(want), "\n") {
		lines = append(lines, strings.TrimSpace(l))
	}
	if got, want := sink.lines(), strings.Join(lines, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if o.Stats().Panics != 0 {
		t.Errorf("%d panics", o.Stats().Panics)
	}
}

const (
	client = "10.0.0.5:5000"
	server = "10.0.0.1:53"
)

func TestTransactions(t *testing.T) {
	cname := layers.DNSResourceRecord{Type: layers.DNSTypeCNAME, TTL: 30, CNAME: []byte("edge.cdn.net")}
	cases := map[string]struct {
		packets []*Packet
		want    string
	}{
		"query and answer": {[]*Packet{
			udp(1, client, server, query(t, 1, "Www.Example.COM", layers.DNSTypeA)),
			udp(1.25, server, client, answer(t, 1, "wWW.example.com", layers.DNSTypeA, 0, a("192.0.2.1", 7200), a("192.0.2.2", 60))),
		}, `dns 1 10.0.0.5>10.0.0.1 www.example.com A rcode=NOERROR answers=192.0.2.1,192.0.2.2 ttl=60 rtt=250000
			name 1.25 "www.example.com" 192.0.2.1 dns until=7201.25
			name 1.25 "www.example.com" 192.0.2.2 dns until=3601.25`},
		"the name asked for, not the alias's target": {[]*Packet{
			udp(1, server, client, answer(t, 1, "shop.example", layers.DNSTypeAAAA, 0, cname, owned("edge.cdn.net", a("2001:db8::1", 5)), owned("evil.example", a("2001:db8::2", 5)))),
		}, `dns 1 10.0.0.5>10.0.0.1 shop.example AAAA rcode=NOERROR answers=edge.cdn.net,2001:db8::1,2001:db8::2 ttl=5
			name 1 "shop.example" 2001:db8::1 dns until=3601`},
		"same id, other name": {[]*Packet{
			udp(1, client, server, query(t, 9, "a.example", layers.DNSTypeA)),
			udp(2, server, client, answer(t, 9, "b.example", layers.DNSTypeA, 3)),
		}, `dns 2 10.0.0.5>10.0.0.1 b.example A rcode=NXDOMAIN answers=
			dns 1 10.0.0.5>10.0.0.1 a.example A rcode= answers=`},
		"asked twice, late answer": {[]*Packet{
			udp(1, client, server, query(t, 9, "a.example", layers.DNSTypeTXT)),
			udp(3, client, server, query(t, 9, "a.example", layers.DNSTypeTXT)),
			udp(14, server, client, answer(t, 9, "a.example", layers.DNSTypeTXT, 0,
				layers.DNSResourceRecord{Type: layers.DNSTypeTXT, TTL: 1, TXTs: [][]byte{[]byte(`say "hi"`), {1}}})),
		}, `dns 1 10.0.0.5>10.0.0.1 a.example TXT rcode= answers=
			dns 3 10.0.0.5>10.0.0.1 a.example TXT rcode= answers=
			dns 14 10.0.0.5>10.0.0.1 a.example TXT rcode=NOERROR answers="say \"hi\"" "\001" ttl=1`},
		"reverse": {[]*Packet{
			udp(1, server, client, answer(t, 1, "5.2.0.192.in-addr.arpa", layers.DNSTypePTR, 0,
				layers.DNSResourceRecord{Type: layers.DNSTypePTR, TTL: 9000, PTR: []byte("Host5.example")})),
		}, `dns 1 10.0.0.5>10.0.0.1 5.2.0.192.in-addr.arpa PTR rcode=NOERROR answers=host5.example ttl=9000
			name 1 "host5.example" 192.0.2.5 dns until=9001`},
		"blocked names are no hosts": {[]*Packet{
			udp(1, server, client, answer(t, 1, "ads.example", layers.DNSTypeA, 0, a("0.0.0.0", 9), a("127.0.0.1", 9))),
		}, `dns 1 10.0.0.5>10.0.0.1 ads.example A rcode=NOERROR answers=0.0.0.0,127.0.0.1 ttl=9`},
		"multicast": {[]*Packet{
			udp(1, "10.0.0.9:5353", "224.0.0.251:5353", answer(t, 0, "Printer.local", layers.DNSTypeA, 0, a("10.0.0.9", 120))),
			udp(2, "10.0.0.9:5353", "224.0.0.251:5353", answer(t, 0, "printer.local", layers.DNSTypeA, 0, a("10.0.0.9", 0))),
		}, `name 1 "printer.local" 10.0.0.9 dns until=3601`},
		"no dns at all": {[]*Packet{udp(1, client, server, []byte("hello")), udp(1, client, server, make([]byte, 12))}, ``},
		"other types": {[]*Packet{
			udp(1, server, client, answer(t, 1, "x.example", layers.DNSType(65280), 0,
				layers.DNSResourceRecord{Type: layers.DNSTypeMX, TTL: 1, MX: layers.DNSMX{Preference: 10, Name: []byte("MX.example")}},
				layers.DNSResourceRecord{Type: layers.DNSTypeSRV, TTL: 1, SRV: layers.DNSSRV{Priority: 1, Weight: 2, Port: 443, Name: []byte("s.example")}})),
		}, `dns 1 10.0.0.5>10.0.0.1 x.example TYPE65280 rcode=NOERROR answers=10 mx.example,1 2 443 s.example ttl=1`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { expect(t, c.packets, c.want) })
	}
}

// What is asked or answered again is marked, each row has the packets it is of, and
// each record of an answer is a row.
func TestRepetitions(t *testing.T) {
	sink := &rows{}
	o := New(sink)
	alias := layers.DNSResourceRecord{Type: layers.DNSTypeCNAME, TTL: 60, CNAME: []byte("B.example")}
	said := answer(t, 1, "a.example", layers.DNSTypeA, 0, alias, owned("b.example", a("192.0.2.1", 5)), owned("b.example", a("192.0.2.2", 7)))
	for i, p := range []*Packet{
		udp(1, client, server, query(t, 1, "a.example", layers.DNSTypeA)),
		udp(2, client, server, query(t, 1, "A.example", layers.DNSTypeA)), // again
		udp(3, server, client, said),
		udp(4, server, client, said),                                      // again
		udp(5, client, server, query(t, 1, "a.example", layers.DNSTypeA)), // and again
		udp(6, client, server, query(t, 2, "a.example", layers.DNSTypeA)), // another
	} {
		p.ID, p.Kept = tables.ID(10+i), true
		o.Observe(p)
	}
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range sink.dns {
		got = append(got, fmt.Sprintf("%d %s %v %d %d %s", d.TS/1e6, d.Opcode, d.Retransmitted.V, d.QueryPacketID.V, d.AnswerPacketID.V, d.RCode))
	}
	for _, r := range sink.answers[:3] {
		got = append(got, fmt.Sprintf("%d %s %s %s %s %v %d %d", r.TS/1e6, r.Query, r.Name, r.Type, r.Data, r.Address.Set, r.TTL, r.PacketID.V))
	}
	const want = `1 QUERY false 10 0 
2 QUERY true 11 12 NOERROR
4 QUERY true 0 13 NOERROR
5 QUERY true 14 0 
6 QUERY false 15 0 
3 a.example a.example CNAME b.example false 60 12
3 a.example b.example A 192.0.2.1 true 5 12
3 a.example b.example A 192.0.2.2 true 7 12`
	if text := strings.Join(got, "\n"); text != want || len(sink.answers) != 6 {
		t.Errorf("%d records\n%s\nwant\n%s", len(sink.answers), text, want)
	}
}

// DNS over TCP is read as over UDP, however its messages are cut.
func TestDNSOverTCP(t *testing.T) {
	framed := func(b []byte) []byte { return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...) }
	asked := append(framed(query(t, 1, "a.example", layers.DNSTypeA)), framed(query(t, 2, "b.example", layers.DNSTypeAAAA))...)
	said := append(framed(answer(t, 2, "b.example", layers.DNSTypeAAAA, 3)), framed(answer(t, 1, "a.example", layers.DNSTypeA, 0, a("192.0.2.1", 5)))...)
	for _, size := range []int{1000, 20, 1} {
		sink := &rows{}
		o := New(sink)
		for i, b := range [][]byte{asked, said} {
			seq := uint32(1)
			for first := true; len(b) > 0; first = false {
				n := min(size, len(b))
				from, to := "10.0.0.5:40000", "192.0.2.53:53"
				if i == 1 {
					from, to = to, from
				}
				p := packet(float64(1+i), tables.ProtocolTCP, from, to, seq, b[:n])
				p.Client, p.Server, p.First, p.Begin, p.Begins = addr("10.0.0.5"), addr("192.0.2.53"), first, 1, true
				o.Observe(p)
				b, seq = b[n:], seq+uint32(n)
			}
		}
		o.End(8)
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		const want = `dns 1 10.0.0.5>192.0.2.53 b.example AAAA rcode=NXDOMAIN answers= rtt=1000000
dns 1 10.0.0.5>192.0.2.53 a.example A rcode=NOERROR answers=192.0.2.1 ttl=5 rtt=1000000
name 2 "a.example" 192.0.2.1 dns until=3602`
		if got := sink.lines(); got != want || len(sink.answers) != 1 || sink.dns[0].Protocol != tables.ProtocolTCP {
			t.Errorf("in segments of %d\n%s\nwant\n%s", size, got, want)
		}
	}
}

func TestUnansweredLeaveByAge(t *testing.T) {
	sink := &rows{}
	o := New(sink)
	o.Observe(udp(1, client, server, query(t, 1, "a.example", layers.DNSTypeA)))
	o.Observe(udp(10, client, server, query(t, 2, "b.example", layers.DNSTypeA)))
	if len(sink.dns) != 0 {
		t.Fatal("given up too early")
	}
	o.Observe(udp(11.5, client, server, query(t, 3, "c.example", layers.DNSTypeA)))
	if len(sink.dns) != 1 || sink.dns[0].Query != "a.example" {
		t.Fatal(sink.lines())
	}
	// A clock that jumps back must not keep what came before it for ever.
	o.Observe(udp(-5000, client, server, query(t, 4, "d.example", layers.DNSTypeA)))
	if len(sink.dns) != 3 {
		t.Fatal(sink.lines())
	}
}

func TestQueriesAreBounded(t *testing.T) {
	sink := &rows{}
	o := New(sink)
	o.queries.max = 10
	for i := range 25 {
		o.Observe(udp(1, client, server, query(t, uint16(i), "a.example", layers.DNSTypeA)))
	}
	if len(sink.dns) != 15 || o.Stats().Evicted != 15 || o.queries.len != 10 {
		t.Errorf("%d rows, %d evicted, %d kept", len(sink.dns), o.Stats().Evicted, o.queries.len)
	}
}

// TestPointerLoops checks names that point at themselves and forwards.
func TestPointerLoops(t *testing.T) {
	for _, s := range []string{
		"000100000001000000000000c00c00010001",               // to itself
		"000100000001000000000000c00e00010001c00c",           // forwards
		"00010000000100000000000001" + "61c00c" + "00010001", // to its own start
	} {
		b, err := hex.DecodeString(s)
		if err != nil {
			t.Fatal(err)
		}
		var m message
		if m.decode(b) {
			t.Errorf("%s: read as %q", s, m.name)
		}
	}
}

func lease(t testing.TB, kind layers.DHCPMsgType, xid uint32, mac, ciaddr, yiaddr string, options ...layers.DHCPOption) []byte {
	hw, err := hex.DecodeString(mac)
	if err != nil {
		t.Fatal(err)
	}
	m := &layers.DHCPv4{Operation: layers.DHCPOpRequest, HardwareType: layers.LinkTypeEthernet, HardwareLen: 6, Xid: xid,
		ClientIP: addr(ciaddr).Netip().AsSlice(), YourClientIP: addr(yiaddr).Netip().AsSlice(),
		NextServerIP: make([]byte, 4), RelayAgentIP: make([]byte, 4), ClientHWAddr: hw}
	m.Options = append(layers.DHCPOptions{layers.NewDHCPOption(layers.DHCPOptMessageType, []byte{byte(kind)})}, options...)
	return serialize(t, m)
}

func option(code layers.DHCPOpt, v string) layers.DHCPOption {
	return layers.NewDHCPOption(code, []byte(v))
}

func seconds(n uint32) layers.DHCPOption {
	return layers.NewDHCPOption(layers.DHCPOptLeaseTime, binary.BigEndian.AppendUint32(nil, n))
}

func TestLeases(t *testing.T) {
	const (
		from, to = "0.0.0.0:68", "255.255.255.255:67"
		back     = "10.0.0.1:67"
		none     = "0.0.0.0"
		mac      = "020000000001"
	)
	name := option(layers.DHCPOptHostname, "Gavin.Reid-Machine")
	cases := map[string]struct {
		packets []*Packet
		want    string
	}{
		"name from the request": {[]*Packet{
			udp(1, from, to, lease(t, layers.DHCPMsgTypeRequest, 7, mac, none, none, name)),
			udp(2, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 7, mac, none, "10.0.0.5", seconds(600))),
		}, `name 2 "gavin.reid-machine" 10.0.0.5 dhcp mac=20000000001 until=602`},
		"another transaction": {[]*Packet{
			udp(1, from, to, lease(t, layers.DHCPMsgTypeRequest, 7, mac, none, none, name)),
			udp(2, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 8, mac, none, "10.0.0.5", seconds(600))),
			udp(2, back, "10.0.0.6:68", lease(t, layers.DHCPMsgTypeAck, 7, "020000000002", none, "10.0.0.6", seconds(600))),
		}, `name 2 "" 10.0.0.5 dhcp mac=20000000001 until=602
			name 2 "" 10.0.0.6 dhcp mac=20000000002 until=602`},
		"infinite, name from the server": {[]*Packet{
			udp(2, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 7, mac, none, "10.0.0.5", seconds(1<<32-1), name)),
		}, `name 2 "gavin.reid-machine" 10.0.0.5 dhcp mac=20000000001 until=open`},
		"fully qualified, as text and as on the wire": {[]*Packet{
			udp(1, from, to, lease(t, layers.DHCPMsgTypeRequest, 7, mac, none, none, name, option(81, "\x00\x00\x00pc.corp.example."))),
			udp(2, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 7, mac, none, "10.0.0.5", seconds(600))),
			udp(3, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 8, mac, none, "10.0.0.5", seconds(600), option(81, "\x05\xff\xff\x02PC\x03new\x07example\x00"))),
			udp(4, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 9, mac, none, "10.0.0.5", seconds(600), option(81, "\x04\x00\x00\x02PC"))),
		}, `name 2 "pc.corp.example" 10.0.0.5 dhcp mac=20000000001 until=602
			name 3 "pc.new.example" 10.0.0.5 dhcp mac=20000000001 until=603
			name 4 "pc" 10.0.0.5 dhcp mac=20000000001 until=604`},
		"release": {[]*Packet{
			udp(5, "10.0.0.5:68", "10.0.0.1:67", lease(t, layers.DHCPMsgTypeRelease, 7, mac, "10.0.0.5", none)),
		}, `name 5 "" 10.0.0.5 dhcp mac=20000000001 until=5`},
		"inform and nak give nothing": {[]*Packet{
			udp(5, "10.0.0.5:68", "10.0.0.1:67", lease(t, layers.DHCPMsgTypeInform, 7, mac, "10.0.0.5", none, name)),
			udp(5, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 7, mac, "10.0.0.5", none)),
			udp(5, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeNak, 7, mac, none, "10.0.0.5", seconds(9))),
		}, ``},
		"a name nobody can print": {[]*Packet{
			udp(5, back, "10.0.0.5:68", lease(t, layers.DHCPMsgTypeAck, 7, mac, none, "10.0.0.5", seconds(9), option(layers.DHCPOptHostname, "a\x1b[2J"))),
		}, `name 5 "" 10.0.0.5 dhcp mac=20000000001 until=14`},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) { expect(t, c.packets, c.want) })
	}
}

// hello makes a ClientHello in records of at most size bytes.
func hello(name string, padding, size int) []byte {
	extension := func(kind uint16, body []byte) []byte {
		b := binary.BigEndian.AppendUint16(nil, kind)
		b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
		return append(b, body...)
	}
	extensions := extension(21, make([]byte, padding))
	if name != "" {
		entry := binary.BigEndian.AppendUint16([]byte{0}, uint16(len(name)))
		entry = append(entry, name...)
		extensions = append(extensions, extension(0, append(binary.BigEndian.AppendUint16(nil, uint16(len(entry))), entry...))...)
	}
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 0x01, 1, 0)
	body = binary.BigEndian.AppendUint16(body, uint16(len(extensions)))
	body = append(body, extensions...)
	message := append([]byte{clientHello, byte(len(body) >> 16), byte(len(body) >> 8), byte(len(body))}, body...)
	var out []byte
	for len(message) > 0 {
		n := min(size, len(message))
		out = binary.BigEndian.AppendUint16(append(out, 22, 3, 1), uint16(n))
		out, message = append(out, message[:n]...), message[n:]
	}
	return out
}

func TestStreamHeads(t *testing.T) {
	type heard struct {
		name               string
		fromTLS, encrypted bool
	}
	type part struct {
		seq        uint32
		data       []byte
		fromServer bool
		cut        int // bytes on the wire that were not captured
	}
	long := hello("Long.Example", 3000, 16000)
	records := hello("records.example", 600, 100)
	get := []byte("GET / HTTP/1.1\r\nUser-Agent: x\r\nhOST: Www.Example.com:8080\r\n\r\n")
	cases := map[string]struct {
		parts []part
		want  heard
	}{
		"hello":               {[]part{{1, hello("Mail.Example.", 0, 16000), false, 0}}, heard{"mail.example", true, true}},
		"hello in two":        {[]part{{1, long[:1400], false, 0}, {1401, long[1400:], false, 0}}, heard{"long.example", true, true}},
		"in three, reordered": {[]part{{1, long[:1400], false, 0}, {2801, long[2800:], false, 0}, {1401, long[1400:2800], false, 0}}, heard{"long.example", true, true}},
		"sent again":          {[]part{{1, long[:1400], false, 0}, {1, long[:1400], false, 0}, {1001, long[1000:], false, 0}}, heard{"long.example", true, true}},
		"wrapping numbers":    {[]part{{1<<32 - 700, long[:1400], false, 0}, {700, long[1400:], false, 0}}, heard{"long.example", true, true}},
		"several records":     {[]part{{1, records, false, 0}}, heard{"records.example", true, true}},
		"no name":             {[]part{{1, hello("", 100, 16000), false, 0}}, heard{"", false, true}},
		"cut":                 {[]part{{1, long[:1400], false, 2000}}, heard{"", false, true}},
		"server's hello":      {[]part{{1, []byte{22, 3, 3, 0, 70, 2, 0, 0}, true, 0}}, heard{"", false, true}},
		"ssh":                 {[]part{{1, []byte("SSH-2.0-x\r\n"), true, 0}}, heard{"", false, true}},
		"after starttls":      {[]part{{1, []byte("EHLO x\r\n"), false, 0}, {9, []byte("STARTTLS\r\n"), false, 0}, {19, hello("mx.example", 0, 16000), false, 0}}, heard{"mx.example", true, true}},
		"request":             {[]part{{1, get, false, 0}}, heard{"www.example.com", false, false}},
		"request in pieces":   {[]part{{1, get[:20], false, 0}, {21, get[20:50], false, 0}, {51, get[50:], false, 0}}, heard{"www.example.com", false, false}},
		"to a proxy":          {[]part{{1, []byte("GET http://Up.example:81/x HTTP/1.0\r\n\r\n"), false, 0}}, heard{"up.example", false, false}},
		"address as host":     {[]part{{1, []byte("GET / HTTP/1.1\nHost: [2001:DB8::1]:80\n\n"), false, 0}}, heard{"2001:db8::1", false, false}},
		"no host":             {[]part{{1, []byte("GET / HTTP/1.0\r\nA: b\r\n\r\n"), false, 0}}, heard{"", false, false}},
		"host with escapes":   {[]part{{1, []byte("GET / HTTP/1.1\r\nHost: a\x1b[2J\r\n\r\n"), false, 0}}, heard{"", false, false}},
		"something else":      {[]part{{1, []byte("\x00\x01\x02"), false, 0}}, heard{}},
		"server speaks":       {[]part{{1, []byte("220 hi\r\n"), true, 0}}, heard{"", false, false}},
		"endless head":        {[]part{{1, append([]byte("GET / HTTP/1.1\r\nX: "), make([]byte, 10000)...), false, 0}, {10020, make([]byte, 10000), false, 0}}, heard{"", false, false}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := New(&rows{})
			var got heard
			hear := func(f Finding) {
				if f.ServerName != "" && got.name == "" {
					got.name, got.fromTLS = f.ServerName, f.FromTLS
				}
				got.encrypted = got.encrypted || f.Encrypted
			}
			for _, part := range c.parts {
				p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:443", part.seq, part.data)
				p.FromClient = !part.fromServer
				p.Header.PayloadLength += part.cut
				hear(o.Observe(p))
			}
			hear(o.End(8))
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if o.streams.len != 0 || o.held != 0 {
				t.Error("state kept after the end")
			}
			if o.Stats().Panics != 0 {
				t.Error("a parser broke")
			}
		})
	}
}

func TestQUIC(t *testing.T) {
	for s, want := range map[string]bool{
		"c300000001088394c8f0": true, "d36b3343cf088394c8": true, "c0ff00001d088394c8": true,
		"4300000001088394c8f0": false, "c300000002088394c8f0": false, "c3": false,
	} {
		b, _ := hex.DecodeString(s)
		o := New(&rows{})
		if f := o.Observe(udp(1, "10.0.0.5:40000", "192.0.2.1:443", b)); f.Encrypted != want || !f.Done {
			t.Errorf("%s: %+v", s, f)
		}
	}
}

// TestPanicIsCounted hands over a packet that breaks the contract: the
// recording must go on.
func TestPanicIsCounted(t *testing.T) {
	o := New(&rows{})
	o.Observe(&Packet{})
	o.Observe(udp(1, client, server, query(t, 1, "a.example", layers.DNSTypeA)))
	if s := o.Stats(); s.Panics != 1 || s.Packets != 2 {
		t.Errorf("%+v", s)
	}
}

// fuzzStream hands b over whole and in two, either of which must find the same.
func fuzzStream(t *testing.T, b []byte, split uint16) {
	at := min(int(split), len(b))
	found := func(parts ...[]byte) (name, text string) {
		sink := &rows{}
		o := New(sink)
		seq := uint32(1)
		for i, data := range parts {
			p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:443", seq, data)
			p.First, p.Begin, p.Begins = i == 0, 1, true
			seq += uint32(len(data))
			if f := o.Observe(p); name == "" {
				name = f.ServerName
			}
		}
		if f := o.End(8); name == "" {
			name = f.ServerName
		}
		if o.Stats().Panics != 0 || o.held != 0 || o.streams.len != 0 {
			t.Fatal("a parser broke, or kept something")
		}
		for i := range sink.tls {
			sink.tls[i].PacketID.V = 0
		}
		return name, fmt.Sprintf("%+v %+v", sink.tls, sink.http)
	}
	whole, rows := found(b)
	if at == 0 || at == len(b) {
		return
	}
	if name, again := found(b[:at], b[at:]); name != whole || rows != again {
		t.Fatalf("whole %q %s, in two %q %s", whole, rows, name, again)
	}
}

// FuzzSplit holds the buffering to the same answer however a head is cut.
func FuzzSplit(f *testing.F) {
	f.Add(hello("www.example.com", 10, 16000), uint16(20))
	f.Add(hello("www.example.com", 300, 90), uint16(150))
	f.Add([]byte("GET http://a.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n"), uint16(20))
	f.Add([]byte("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcGET /b HTTP/1.1\r\n\r\n"), uint16(45))
	f.Add([]byte("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\nabc\r\n0\r\n\r\nGET /b HTTP/1.1\r\n\r\n"), uint16(57))
	f.Fuzz(fuzzStream)
}

func BenchmarkDNSAnswer(b *testing.B) {
	o := New(&discard{})
	p := udp(1, server, client, answer(b, 1, "www.example.com", layers.DNSTypeA, 0, a("192.0.2.1", 5), a("192.0.2.2", 5)))
	for b.Loop() {
		o.Observe(p)
	}
}

func BenchmarkHello(b *testing.B) {
	o := New(&discard{})
	p := packet(1, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:443", 1, hello("www.example.com", 400, 16000))
	for b.Loop() {
		o.Observe(p)
	}
}

type discard struct{}

func (discard) Row(any) error { return nil }
