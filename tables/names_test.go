package tables

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"testing"
)

func TestProtocolNames(t *testing.T) {
	seen := map[string]int{}
	for n := range 256 {
		name := ProtocolName(uint8(n))
		if other, ok := seen[name]; ok {
			t.Errorf("%d and %d are both %s", n, other, name)
		}
		seen[name] = n
		for _, s := range []string{name, strings.ToUpper(name), strconv.Itoa(n)} {
			if got, ok := ProtocolNumber(s); !ok || int(got) != n {
				t.Errorf("%s is %d, %v; want %d", s, got, ok, n)
			}
		}
	}
	for alias, want := range protocolAliases {
		if got, ok := ProtocolNumber(alias); !ok || got != want {
			t.Errorf("%s is %d, %v", alias, got, ok)
		}
	}
	for _, s := range []string{"", "256", "-1", "tcpp"} {
		if n, ok := ProtocolNumber(s); ok {
			t.Errorf("%q is %d", s, n)
		}
	}
	for n, want := range map[uint8]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "icmp6", 132: "sctp", 200: "200"} {
		if got := ProtocolName(n); got != want {
			t.Errorf("%d is %s", n, got)
		}
	}
}

func TestTCPFlagsText(t *testing.T) {
	for bits, want := range map[uint16]string{0: "", TCPSyn: "S", TCPSyn | TCPAck: "SA", TCPAck: "A", TCPPsh | TCPAck: "PA",
		TCPFin | TCPAck: "FA", TCPRst: "R", TCPRst | TCPAck: "RA", 0x1ff: "SFRPAUECN", 0xfe00: ""} {
		if got := TCPFlagsText(bits); got != want {
			t.Errorf("%#x is %q, want %q", bits, got, want)
		}
	}
}

func TestMAC(t *testing.T) {
	const want = 0x0200deadbeef
	for _, s := range []string{"02:00:de:ad:be:ef", "02-00-DE-AD-BE-EF", "0200.dead.beef", "0200DEADbeef"} {
		if got, err := ParseMAC(s); err != nil || got != want {
			t.Errorf("%s is %x, %v", s, got, err)
		}
	}
	if got := MACText(0xffff<<48 | want); got != "02:00:de:ad:be:ef" {
		t.Error(got)
	}
	for _, s := range []string{"", "02", "02:00:de:ad:be", "02:00:de:ad:be:ef:01", "02:00:de:ad:be:eg", "02:00-de:ad:be:ef",
		"020:0de:ad:be:ef", ":0200deadbeef", "0200deadbeef:", "02::00:de:ad:be:ef", "0200:dead:beef", "02.00.de.ad.be.ef", "02:00deadbeef"} {
		if mac, err := ParseMAC(s); err == nil {
			t.Errorf("%q is %x", s, mac)
		}
	}
}

func TestFoldName(t *testing.T) {
	for in, want := range map[string]string{"": "", ".": "", "A.Test.": "a.test", "a.test": "a.test", "ÄB": "Äb"} {
		if got := FoldName(in); got != want {
			t.Errorf("%q is %q", in, got)
		}
	}
}

// TestServiceTable holds the table to its form: port and name in turns, each
// port once in a list, names of small letters and digits.
func TestServiceTable(t *testing.T) {
	for transports, list := range serviceTable {
		for _, transport := range strings.Fields(transports) {
			if n, ok := ProtocolNumber(transport); !ok || ProtocolName(n) != transport {
				t.Errorf("transport %s", transport)
			}
		}
		words := strings.Fields(list)
		if len(words)%2 != 0 {
			t.Fatalf("%s: a port or a name is missing", transports)
		}
		last := uint64(0)
		for i := 0; i < len(words); i += 2 {
			port, err := strconv.ParseUint(words[i], 10, 16)
			if err != nil || port <= last {
				t.Errorf("%s: port %s after %d: %v", transports, words[i], last, err)
			}
			last = port
			name := words[i+1]
			if strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || strings.Trim(name, "0123456789") == "" {
				t.Errorf("%s: name %s", transports, name)
			}
		}
	}
	for _, c := range []struct {
		port  uint16
		proto uint8
		want  string
	}{{80, 6, "http"}, {443, 6, "https"}, {443, 17, "quic"}, {53, 17, "domain"}, {514, 6, "shell"}, {514, 17, "syslog"}, {80, 1, ""}, {50000, 6, ""}, {0, 6, ""}} {
		if got := ServiceName(c.port, c.proto); got != c.want {
			t.Errorf("%d/%d is %q, want %q", c.port, c.proto, got, c.want)
		}
	}
}

func TestIDs(t *testing.T) {
	for _, id := range []ID{0, 1, 31, 32, 1<<60 - 1, 1 << 60, 1<<64 - 1, PacketID(1<<28-1, 1<<36-1)} {
		text := id.String()
		for _, s := range []string{text, strings.ToLower(text)} {
			if got, err := ParseID(s); err != nil || got != id {
				t.Errorf("%s is %d, %v; want %d", s, got, err, id)
			}
		}
	}
	if id, err := ParseID("OOOOOOOOOOOil"); err != nil || id != 33 {
		t.Error(id, err)
	}
	for _, s := range []string{"", "000000000000", "00000000000000", "G000000000000", "000000000000U", "000000000000 "} {
		if id, err := ParseID(s); err == nil {
			t.Errorf("%q is %d", s, id)
		}
	}
	if id := PacketID(7, 1<<36-1); id.Segment() != 7 || id.Offset() != 1<<36-1 {
		t.Error(id.Segment(), id.Offset())
	}
}

func TestPrefixRange(t *testing.T) {
	for p, want := range map[string]string{
		"10.1.2.3/8": "10.0.0.0 10.255.255.255", "10.1.2.3/32": "10.1.2.3 10.1.2.3", "0.0.0.0/0": "0.0.0.0 255.255.255.255",
		"2001:db8::1/32": "2001:db8:: 2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "::/0": ":: ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"2001:db8::/64": "2001:db8:: 2001:db8::ffff:ffff:ffff:ffff", "2001:db8::1/128": "2001:db8::1 2001:db8::1", "2001:db8::8/127": "2001:db8::8 2001:db8::9",
	} {
		first, last := PrefixRange(netip.MustParsePrefix(p))
		if got := first.String() + " " + last.String(); got != want {
			t.Errorf("%s is %s, want %s", p, got, want)
		}
	}
}

func TestColumnTags(t *testing.T) {
	for _, f := range Families {
		r, seen := f.Row, map[string]bool{}
		for i := range r.NumField() {
			name := r.Field(i).Tag.Get("col")
			if name == "" || seen[name] {
				t.Errorf("%s.%s: column %q is none or there twice", r, r.Field(i).Name, name)
			}
			seen[name] = true
		}
	}
}

func TestRelations(t *testing.T) {
	for _, r := range Relations {
		if r.Doc == "" || Lookup(r.Schema, r.Name) != r {
			t.Errorf("%s.%s: no doc or not found", r.Schema, r.Name)
		}
		if n := len(r.Examples()); n < 3 {
			t.Errorf("%s.%s has %d examples", r.Schema, r.Name, n)
		}
		seen := map[string]bool{}
		for _, c := range r.Columns {
			if c.Doc == "" || seen[c.Name] {
				t.Errorf("%s.%s: column %s has no doc or is there twice", r.Schema, r.Name, c.Name)
			}
			seen[c.Name] = true
		}
	}
}

func TestAppendInfo(t *testing.T) {
	question := cat(be16(1), be16(0x0100), be16(1), be16(0), be16(0), be16(0), 1, "a", 4, "t\nst", 0, be16(1), be16(1))
	answer := cat(be16(1), be16(0x8183), question[4:])
	var got strings.Builder
	for _, frame := range [][]byte{
		eth(0x0800, ip4Packet(6, tcp(TCPSyn, ""))),
		eth(0x0800, ip4Packet(6, tcp(TCPPsh|TCPAck, "secret"))),
		eth(0x86dd, ip6Packet(6, tcp(TCPRst, ""))),
		eth(0x0800, ip4Packet(17, udp(5000, 53, question))),
		eth(0x0800, ip4Packet(17, udp(53, 5000, answer))),
		eth(0x0800, ip4Packet(17, udp(5000, 123, []byte("secret")))),
		eth(0x0800, ip4Packet(1, cat(8, 0, be16(0), be16(9), be16(3), "ping"))),
		eth(0x0800, ip4Packet(50, []byte("12345678"))),
		eth(0x0806, cat(be16(1), be16(0x0800), 6, 4, be16(1), testSrcMAC, "\x0a\x00\x00\x01", "\x00\x00\x00\x00\x00\x00", "\x0a\x00\x00\x02")),
		eth(0x88cc, []byte("lldp")),
		eth(0x1234, []byte("what")),
		eth(0x0800, ip4Packet(6, tcp(TCPSyn, "")))[:40],
		{1, 2, 3},
	} {
		var h Header
		Decode(LinkEthernet, frame, len(frame), &h)
		fmt.Fprintf(&got, "%s\n", AppendInfo(nil, &h, frame))
	}
	const want = `IP 10.0.0.1.5000 > 10.0.0.2.80: tcp 0 [S] seq 1000 win 4096
IP 10.0.0.1.5000 > 10.0.0.2.80: tcp 6 [PA] seq 1000 ack 2000 win 4096
IP6 2001:db8::1.5000 > 2001:db8::2.80: tcp 0 [R] seq 1000 win 4096
IP 10.0.0.1.5000 > 10.0.0.2.53: udp 24 dns 1 A? a.t?st
IP 10.0.0.1.53 > 10.0.0.2.5000: udp 24 dns 1 NXDOMAIN A? a.t?st 0 answers
IP 10.0.0.1.5000 > 10.0.0.2.123: udp 6
IP 10.0.0.1 > 10.0.0.2: icmp echo request id 9 seq 3 length 4
IP 10.0.0.1 > 10.0.0.2: esp 8
ARP who-has 10.0.0.2 tell 10.0.0.1
LLDP
ethertype 0x1234 [ethertype not decoded]
IP 10.0.0.1.5000 > 10.0.0.2.80: tcp 0 [] seq 0 win 0 [layer-4 header invalid]
not IP [link header cut]
`
	if got.String() != want {
		t.Errorf("got\n%swant\n%s", got.String(), want)
	}
}
