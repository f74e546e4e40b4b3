package observe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

const testTS = 1_000_000_000_000_000_000 // ns

// dhcpMessage builds a DHCPv4 message of kind for the Ethernet client
// 02:00:00:00:00:07, with options appended as code and value.
func dhcpMessage(kind byte, xid uint32, ciaddr, yiaddr string, options ...any) []byte {
	b := make([]byte, 240)
	b[0], b[1], b[2] = 1, 1, 6
	binary.BigEndian.PutUint32(b[4:], xid)
	copy(b[12:], ciaddr)
	copy(b[16:], yiaddr)
	copy(b[28:], "\x02\x00\x00\x00\x00\x07")
	binary.BigEndian.PutUint32(b[236:], 0x63825363)
	b = append(b, optionMessage, 1, kind)
	for i := 0; i+1 < len(options); i += 2 {
		v := options[i+1].(string)
		b = append(b, byte(options[i].(int)), byte(len(v)))
		b = append(b, v...)
	}
	return append(b, optionEnd)
}

// dnsMessage builds a message that asks for A of a name of one label, with the
// address in the answer.
func dnsMessage(id uint16, flags uint16, label string, answers ...string) []byte {
	b := binary.BigEndian.AppendUint16(nil, id)
	b = binary.BigEndian.AppendUint16(b, flags)
	b = append(b, 0, 1, 0, byte(len(answers)), 0, 0, 0, 0, byte(len(label)))
	b = append(append(b, label...), 0, 0, 1, 0, 1)
	for _, a := range answers {
		b = append(b, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4)
		b = append(b, a...)
	}
	return b
}

func clientHelloRecord(name string) []byte {
	entry := append([]byte{0, 0, byte(len(name))}, name...)
	list := append([]byte{0, byte(len(entry))}, entry...)
	extensions := append([]byte{0, 0, 0, byte(len(list))}, list...)
	body := append([]byte{3, 3}, make([]byte, 32)...)
	body = append(body, 0, 0, 2, 0x13, 1, 1, 0, 0, byte(len(extensions)))
	body = append(body, extensions...)
	hello := append([]byte{clientHello, 0, 0, byte(len(body))}, body...)
	return append([]byte{22, 3, 1, 0, byte(len(hello))}, hello...)
}

func udpPacket(second int64, src, dst byte, srcPort, dstPort uint16, payload []byte) *Packet {
	h := &tables.Header{IP: true, Src: tables.AddrFrom4([]byte{10, 0, 0, src}), Dst: tables.AddrFrom4([]byte{10, 0, 0, dst}),
		SrcPort: srcPort, DstPort: dstPort, Protocol: tables.ProtocolUDP, PayloadLength: len(payload)}
	return &Packet{TS: testTS + second*1e9, Header: h, Payload: payload, FromClient: srcPort > dstPort, Sensor: "s"}
}

// text shows what the sink got, times in seconds since testTS.
func (r *rows) text() string {
	var b strings.Builder
	at := func(t tables.Time) string {
		if t == tables.OpenEnd {
			return "inf"
		}
		return fmt.Sprint((int64(t) - testTS/1000) / 1e6)
	}
	for _, n := range r.names {
		fmt.Fprintf(&b, "%s %q %s %s %s-%s\n", n.Source, n.Name, n.Addr, tables.MACText(uint64(n.MAC.V)), at(n.TS), at(n.ValidUntil))
	}
	for _, d := range r.dns {
		fmt.Fprintf(&b, "%s %s>%s %s %s %q %q rtt %v\n", at(d.TS), d.Client, d.Server, d.Query, d.QType, d.RCode, d.Answers, d.RTTUs)
	}
	return b.String()
}

func check(t *testing.T, r *rows, want string) {
	t.Helper()
	if got := r.text(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestDHCP(t *testing.T) {
	const address, hour = "\x0a\x00\x00\x17", "\x00\x00\x0e\x10"
	const mac = "02:00:00:00:00:07"
	for _, c := range []struct {
		name     string
		messages [][]byte // one a second
		want     string
	}{
		{"the request's host name stands until the ACK", [][]byte{
			dhcpMessage(dhcpRequest, 5, "", "", optionHostName, "Gavin"),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour)},
			`dhcp "gavin" 10.0.0.23 ` + mac + " 1-3601\n"},
		{"the discover's does", [][]byte{
			dhcpMessage(dhcpDiscover, 5, "", "", optionHostName, "gavin"),
			dhcpMessage(dhcpRequest, 5, "", ""),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour)},
			`dhcp "gavin" 10.0.0.23 ` + mac + " 2-3602\n"},
		{"option 81 before option 12", [][]byte{
			dhcpMessage(dhcpRequest, 5, "", "", optionHostName, "gavin", optionFQDN, "\x04\x00\x00\x05gavin\x04test\x00"),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour)},
			`dhcp "gavin.test" 10.0.0.23 ` + mac + " 1-3601\n"},
		{"option 81 as text", [][]byte{
			dhcpMessage(dhcpRequest, 5, "", "", optionFQDN, "\x00\x00\x00gavin.test."),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour)},
			`dhcp "gavin.test" 10.0.0.23 ` + mac + " 1-3601\n"},
		{"the server's word first", [][]byte{
			dhcpMessage(dhcpRequest, 5, "", "", optionHostName, "gavin"),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour, optionHostName, "gavin-2")},
			`dhcp "gavin-2" 10.0.0.23 ` + mac + " 1-3601\n"},
		{"another transaction's name is not his", [][]byte{
			dhcpMessage(dhcpRequest, 6, "", "", optionHostName, "maria"),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour)},
			`dhcp "" 10.0.0.23 ` + mac + " 1-3601\n"},
		{"an infinite lease", [][]byte{
			dhcpMessage(dhcpACK, 5, "", address, optionLease, "\xff\xff\xff\xff", optionHostName, "gavin")},
			`dhcp "gavin" 10.0.0.23 ` + mac + " 0-inf\n"},
		{"a release", [][]byte{
			dhcpMessage(dhcpRelease, 5, address, "")},
			`dhcp "" 10.0.0.23 ` + mac + " 0-0\n"},
		{"the answer to an inform", [][]byte{
			dhcpMessage(dhcpACK, 5, address, "", optionHostName, "gavin")}, ""},
		{"no host name", [][]byte{
			dhcpMessage(dhcpRequest, 5, "", "", optionHostName, "ga\x01vin"),
			dhcpMessage(dhcpACK, 5, "", address, optionLease, hour)},
			`dhcp "" 10.0.0.23 ` + mac + " 1-3601\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rows{}
			o := New(r)
			for i, m := range c.messages {
				o.Observe(udpPacket(int64(i), 1, 2, 68, 67, m))
			}
			if err := o.Flush(); err != nil {
				t.Fatal(err)
			}
			check(t, r, c.want)
			for _, n := range r.names {
				if n.Name == "" && n.TS == n.ValidUntil && len(tables.Leases(r.names)) > 0 {
					t.Error("a release leaves a lease")
				}
			}
		})
	}
}

func TestReleaseEndsTheLease(t *testing.T) {
	r := &rows{}
	o := New(r)
	o.Observe(udpPacket(0, 1, 2, 67, 68, dhcpMessage(dhcpACK, 5, "", "\x0a\x00\x00\x17", optionLease, "\x00\x00\x0e\x10", optionHostName, "gavin")))
	o.Observe(udpPacket(60, 2, 1, 68, 67, dhcpMessage(dhcpRelease, 6, "\x0a\x00\x00\x17", "")))
	leases := tables.Leases(r.names)
	if len(leases) != 1 || leases[0].Name != "gavin" || leases[0].TSEnd-leases[0].TS != 60e6 {
		t.Errorf("%+v", leases)
	}
}

func TestDNS(t *testing.T) {
	r := &rows{}
	o := New(r)
	o.Observe(udpPacket(0, 1, 2, 4000, 53, dnsMessage(1, 0x0100, "Answered")))
	o.Observe(udpPacket(0, 1, 2, 4001, 53, dnsMessage(2, 0x0100, "refused")))
	o.Observe(udpPacket(1, 2, 1, 53, 4000, dnsMessage(1, 0x8180, "answered", "\xc0\x00\x02\x01")))
	o.Observe(udpPacket(1, 2, 1, 53, 4001, dnsMessage(2, 0x8185, "refused")))
	o.Observe(udpPacket(2, 1, 2, 4002, 53, dnsMessage(3, 0x0100, "late")))
	o.Observe(udpPacket(20, 1, 2, 4003, 53, dnsMessage(4, 0x0100, "open")))
	o.Observe(udpPacket(21, 2, 1, 53, 4004, dnsMessage(5, 0x8180, "unasked", "\xc0\x00\x02\x02")))
	if err := o.Flush(); err != nil {
		t.Fatal(err)
	}
	check(t, r, `dns "answered" 192.0.2.1 00:00:00:00:00:00 1-3601
dns "unasked" 192.0.2.2 00:00:00:00:00:00 21-3621
0 10.0.0.1>10.0.0.2 answered A "NOERROR" "192.0.2.1" rtt {1000000 true}
0 10.0.0.1>10.0.0.2 refused A "REFUSED" "" rtt {1000000 true}
2 10.0.0.1>10.0.0.2 late A "" "" rtt {0 false}
21 10.0.0.1>10.0.0.2 unasked A "NOERROR" "192.0.2.2" rtt {0 false}
20 10.0.0.1>10.0.0.2 open A "" "" rtt {0 false}
`)
	if s := o.Stats(); s.Unanswered != 2 {
		t.Errorf("%+v", s)
	}
}

type failing struct{}

var errSink = errors.New("full")

func (f *failing) Row(any) error { return errSink }

func TestSinkErrorIsKept(t *testing.T) {
	o := New(&failing{})
	o.Observe(udpPacket(0, 1, 2, 4000, 53, dnsMessage(1, 0x0100, "a")))
	if err := o.Flush(); !errors.Is(err, errSink) {
		t.Error(err)
	}
}

// TestStreams gives each head whole, and in two segments cut anywhere, in
// order, and the second first.
func TestStreams(t *testing.T) {
	for _, c := range []struct {
		name string
		head []byte
		want Finding
	}{
		{"tls", clientHelloRecord("WWW.Example.Test"), Finding{ServerName: "www.example.test", FromTLS: true, Encrypted: true, Service: "tls"}},
		{"http", []byte("GET / HTTP/1.1\r\nUser-Agent: x\r\nhOST: Example.test:8080\r\n\r\n"), Finding{ServerName: "example.test", Service: "http"}},
		{"proxy", []byte("GET http://example.test/x HTTP/1.0\r\n\r\n"), Finding{ServerName: "example.test", Service: "http"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for cut := range len(c.head) {
				for _, reversed := range []bool{false, true} {
					o := New(&rows{})
					var got Finding
					parts := []*Packet{}
					for i, part := range [][]byte{c.head[:cut], c.head[cut:]} {
						h := &tables.Header{IP: true, Protocol: tables.ProtocolTCP, SrcPort: 5000, DstPort: 443,
							TCPSeq: 0xfffffff0 + uint32(i*cut), PayloadLength: len(part)}
						parts = append(parts, &Packet{TS: testTS, Header: h, Payload: part, FromClient: true, ConnID: 1, Begin: 0xfffffff0, Begins: true})
					}
					if reversed {
						slices.Reverse(parts)
					}
					for i, p := range parts {
						p.First = i == 0
						if len(p.Payload) == 0 {
							continue
						}
						f := o.Observe(p)
						if f.ServerName != "" {
							got.ServerName, got.FromTLS = f.ServerName, f.FromTLS
						}
						if f.Service != "" {
							got.Service = f.Service
						}
						got.Encrypted = got.Encrypted || f.Encrypted
					}
					if got != c.want {
						t.Errorf("cut at %d, reversed %v: %+v, want %+v", cut, reversed, got, c.want)
					}
				}
			}
		})
	}
}

// fuzz feeds the bytes to an Observer as each of packets, twice in a row.
func fuzz(f *testing.F, protocol uint8, srcPort, dstPort uint16) {
	f.Fuzz(func(t *testing.T, b []byte, cut uint8) {
		r := &rows{}
		o := New(r)
		for i, part := range [][]byte{b, b[:min(int(cut), len(b))], b[min(int(cut), len(b)):]} {
			for _, fromClient := range []bool{true, false} {
				p := udpPacket(int64(i), 1, 2, srcPort, dstPort, part)
				if !fromClient {
					p = udpPacket(int64(i), 2, 1, dstPort, srcPort, part)
				}
				p.Header.Protocol, p.FromClient, p.ConnID = protocol, fromClient, 1
				p.Header.TCPSeq = uint32(i) * uint32(cut)
				if name := o.Observe(p).ServerName; len(name) > maxName {
					t.Errorf("server name of %d bytes", len(name))
				}
			}
		}
		if err := o.Flush(); err != nil {
			t.Fatal(err)
		}
		if s := o.Stats(); s.Panics > 0 {
			t.Errorf("%d panics", s.Panics)
		}
		for _, d := range r.dns {
			if len(d.Answers) > maxAnswers || len(d.Query) > 4*maxName {
				t.Errorf("row too long: %+v", d)
			}
		}
		tables.Leases(r.names)
	})
}

func FuzzDNS(f *testing.F) {
	f.Add(dnsMessage(1, 0x0100, "a"), uint8(20))
	f.Add(dnsMessage(1, 0x8180, "a", "\xc0\x00\x02\x01", "\xc0\x00\x02\x02"), uint8(20))
	fuzz(f, tables.ProtocolUDP, 4000, 53)
}

func FuzzDHCP(f *testing.F) {
	f.Add(dhcpMessage(dhcpACK, 5, "", "\x0a\x00\x00\x17", optionLease, "\x00\x00\x0e\x10", optionHostName, "gavin"), uint8(200))
	f.Add(dhcpMessage(dhcpRequest, 5, "", "", optionFQDN, "\x04\x00\x00\x05gavin\x04test\x00"), uint8(200))
	fuzz(f, tables.ProtocolUDP, 68, 67)
}

func FuzzNTLM(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\xffSMB@NTLMSSP\x00\x03\x00\x00\x00"), uint8(20))
	f.Add(slices.Concat([]byte("\x00\x00\x00\x60\xfeSMB"), ntlmAnswer("GAVIN")), uint8(20))
	f.Add(slices.Concat([]byte("\x00\x00\x00\x60\xfeSMB"), ntlmAsk("SRV", "srv.example.test")), uint8(60))
	fuzz(f, tables.ProtocolTCP, 5000, 445)
}

func FuzzNetBIOS(f *testing.F) {
	f.Add([]byte("\x00\x01\x28\x10\x00\x01\x00\x00\x00\x00\x00\x01 "+nbEncoded("GAVIN", 0)+"\x00\x00\x20\x00\x01\xc0\x0c\x00\x20\x00\x01\x00\x00\x0e\x10\x00\x06\x00\x00\x0a\x00\x00\x17"), uint8(50))
	f.Add([]byte("\x00\x01\x84\x00\x00\x00\x00\x01\x00\x00\x00\x00 "+nbEncoded("*", 0)+"\x00\x00\x21\x00\x01\x00\x00\x00\x00\x00\x13\x01GAVIN          \x00\x04\x00"), uint8(60))
	fuzz(f, tables.ProtocolUDP, 137, 137)
}

func FuzzTLS(f *testing.F) {
	f.Add(clientHelloRecord("www.example.test"), uint8(30))
	fuzz(f, tables.ProtocolTCP, 5000, 443)
}

func FuzzHTTP(f *testing.F) {
	f.Add([]byte("GET http://a.test/ HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"), uint8(9))
	fuzz(f, tables.ProtocolTCP, 5000, 80)
}
