package tables

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// TestMachineNames: an address that nobody named has the names of its machine only where it is
// certain whose they are.
func TestMachineNames(t *testing.T) {
	type saying struct {
		minute       int
		addr, source string
		mac          uint64
		name         string
	}
	const own, virtual = 0x020000000002, 0x00005e000107
	for what, c := range map[string]struct {
		said []saying
		want string // of 10.0.0.9, or of what is before "="
	}{
		"one machine":        {[]saying{{0, "10.0.0.9", "arp", own, ""}, {0, "2001:db8::1", "ndp", own, ""}, {0, "2001:db8::1", "dns", 0, "a.test"}}, "a.test 0-60"},
		"VRRP":               {[]saying{{0, "10.0.0.9", "arp", virtual, ""}, {0, "10.0.1.1", "arp", virtual, ""}, {0, "10.0.1.1", "dns", 0, "gw-vlan10.test"}}, ""},
		"HSRP":               {[]saying{{0, "10.0.0.9", "arp", 0x00000c07ac01, ""}, {0, "10.0.1.1", "arp", 0x00000c07ac01, ""}, {0, "10.0.1.1", "dns", 0, "gw.test"}}, ""},
		"HSRP 2":             {[]saying{{0, "10.0.0.9", "arp", 0x00000c9ff123, ""}, {0, "10.0.1.1", "arp", 0x00000c9ff123, ""}, {0, "10.0.1.1", "dns", 0, "gw.test"}}, ""},
		"GLBP":               {[]saying{{0, "10.0.0.9", "arp", 0x0007b4000102, ""}, {0, "10.0.1.1", "arp", 0x0007b4000102, ""}, {0, "10.0.1.1", "dns", 0, "gw.test"}}, ""},
		"Cisco's own":        {[]saying{{0, "10.0.0.9", "arp", 0x00000c9fe123, ""}, {0, "10.0.1.1", "arp", 0x00000c9fe123, ""}, {0, "10.0.1.1", "dns", 0, "sw.test"}}, "sw.test 0-60"},
		"a cluster":          {[]saying{{0, "10.0.0.9", "dhcp", 0x03bf0a000009, ""}, {0, "10.0.1.1", "dhcp", 0x03bf0a000009, "node"}}, ""},
		"DHCP without a MAC": {[]saying{{0, "10.0.0.9", "dhcp", 0, ""}, {0, "10.0.1.1", "dhcp", 0, "other"}}, ""},
		"a proxy of two": {[]saying{{0, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", own, ""}, {0, "10.0.0.8", "arp", own, ""},
			{0, "10.0.0.7", "dns", 0, "a.test"}, {0, "10.0.0.8", "dns", 0, "b.test"}}, ""},
		"a name and its short one": {[]saying{{0, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", own, ""}, {0, "10.0.0.8", "arp", own, ""},
			{0, "10.0.0.7", "dns", 0, "a.test"}, {0, "10.0.0.8", "dns", 0, "a"}}, "a.test 0-60"},
		"two for a while": {[]saying{{0, "10.0.0.9", "arp", own, ""}, {30, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", own, ""}, {30, "10.0.0.7", "arp", own, ""}, {30, "10.0.0.8", "arp", own, ""},
			{0, "10.0.0.7", "dns", 0, "a.test"}, {30, "10.0.0.7", "dns", 0, "a.test"}, {20, "10.0.0.8", "dns", 0, "b.test"}}, "a.test 0-30; a.test 80-90"},
		"the more believed": {[]saying{{0, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", own, ""}, {0, "10.0.0.8", "arp", own, ""},
			{0, "10.0.0.7", "ntlm", 0, "a-pc"}, {0, "10.0.0.8", "dns", 0, "b.test"}}, "a-pc 0-60"},
		// A liar claims the victim's address beside its own, and the victim again.
		"a liar": {[]saying{{0, "10.0.0.9", "arp", own, ""}, {20, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", 0x020000000004, ""}, {0, "10.0.0.7", "dns", 0, "victim.test"},
			{10, "10.0.0.7", "arp", own, ""}, {11, "10.0.0.7", "arp", 0x020000000004, ""}, {12, "10.0.0.7", "arp", own, ""}, {13, "10.0.0.7", "arp", 0x020000000004, ""}}, ""},
		"a victim": {[]saying{{0, "10.0.0.7", "arp", own, ""}, {0, "10.0.0.7", "dns", 0, "liar.test"}, {0, "10.0.0.9", "arp", 0x020000000004, ""},
			{10, "10.0.0.9", "arp", own, ""}, {11, "10.0.0.9", "arp", 0x020000000004, ""}, {12, "10.0.0.9", "arp", own, ""}, {13, "10.0.0.9", "arp", 0x020000000004, ""}}, ""},
		"used again": {[]saying{{0, "10.0.0.9", "arp", 0x020000000004, ""}, {10, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", own, ""}, {0, "10.0.0.7", "dns", 0, "a.test"}}, "a.test 10-60"},
		"lent and back": {[]saying{{0, "10.0.0.9", "arp", own, ""}, {10, "10.0.0.9", "arp", 0x020000000004, ""}, {200, "10.0.0.9", "arp", own, ""}, {0, "10.0.0.7", "arp", own, ""}, {0, "10.0.0.7", "dns", 0, "a.test"},
			{200, "10.0.0.7", "arp", own, ""}, {200, "10.0.0.7", "dns", 0, "a.test"}}, "a.test 0-10; a.test 200-260"},
	} {
		var names []Name
		for _, s := range c.said {
			ts := Time(s.minute) * 60e6
			n := Name{TS: ts, Name: s.name, Addr: AddrFromNetip(netip.MustParseAddr(s.addr)), Source: s.source, ValidUntil: ts}
			if s.name == "" || s.source == SourceDHCP {
				n.MAC = Some(int64(s.mac))
			}
			if s.source == SourceDHCP {
				n.ValidUntil = ts + 3600e6
			}
			names = append(names, n)
		}
		var got []string
		for _, l := range Leases(names) {
			if l.Addr.String() == "10.0.0.9" {
				got = append(got, fmt.Sprintf("%s %d-%d", l.Name, l.TS/60e6, l.TSEnd/60e6))
			}
		}
		if list := strings.Join(got, "; "); list != c.want {
			t.Errorf("%s: %q, want %q", what, list, c.want)
		}
	}
}

// TestMachineStorm: many machines that all claim an address, and one that claims as
// many, take no longer than their number.
func TestMachineStorm(t *testing.T) {
	const n = 30_000
	gateway := AddrFrom4([]byte{10, 0, 0, 1})
	var names []Name
	for i := range n {
		ts := Time(i) * 60e6
		names = append(names, Name{TS: ts, Addr: gateway, MAC: Some(int64(0x020000000000 + i*2)), Source: SourceARP, ValidUntil: ts},
			Name{TS: ts, Addr: Addr{Lo: 0xffff_0b000000 + uint64(i)}, MAC: Some(int64(0x060000000000)), Source: SourceARP, ValidUntil: ts})
	}
	names = append(names, Name{TS: 0, Name: "gw.test", Addr: gateway, Source: SourceDNS, ValidUntil: n * 60e6})
	begun := time.Now()
	if got := Leases(names); len(got) != 1 {
		t.Errorf("%d leases", len(got))
	}
	var x NameIndex
	for i := range names {
		x.Add(&names[i])
	}
	x.Settle()
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	} else {
		t.Log(took)
	}
}
