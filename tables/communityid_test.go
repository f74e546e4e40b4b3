package tables

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// capturesDir holds captures of other projects, beside the repository; they
// are not ours to ship.
const capturesDir = "../../shared/captures"

// specCases are the tables of the specification's baseline, seed 0. ICMP has
// type and code where the others have ports.
var specCases = []struct {
	proto            uint8
	src, dst         string
	srcPort, dstPort uint16
	want             string
}{
	{6, "1.2.3.4", "5.6.7.8", 1122, 3344, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
	{6, "5.6.7.8", "1.2.3.4", 3344, 1122, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
	{17, "1.2.3.4", "5.6.7.8", 1122, 3344, "1:0Mu9InQx6z4ZiCZM/7HXi2WMhOg="},
	{17, "5.6.7.8", "1.2.3.4", 3344, 1122, "1:0Mu9InQx6z4ZiCZM/7HXi2WMhOg="},
	{132, "1.2.3.4", "5.6.7.8", 1122, 3344, "1:EKt4MsxuyaE6mL+hmrEkQ9csDD8="},
	{132, "5.6.7.8", "1.2.3.4", 3344, 1122, "1:EKt4MsxuyaE6mL+hmrEkQ9csDD8="},
	{1, "1.2.3.4", "5.6.7.8", 8, 0, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0="},
	{1, "5.6.7.8", "1.2.3.4", 0, 0, "1:crodRHL2FEsHjbv3UkRrfbs4bZ0="},
	{1, "1.2.3.4", "5.6.7.8", 11, 0, "1:f/YiSyWqczrTgfUCZlBUnvHRcPk="},
	{58, "fe80:1:203:405:607:809:a0b:c0d", "fe80:1011:1213:1415:1617:1819:1a1b:1c1d", 128, 0, "1:0bf7hyMJUwt3fMED7z8LIfRpBeo="},
	{58, "fe80:1011:1213:1415:1617:1819:1a1b:1c1d", "fe80:1:203:405:607:809:a0b:c0d", 129, 0, "1:0bf7hyMJUwt3fMED7z8LIfRpBeo="},
	{58, "fe80:1:203:405:607:809:a0b:c0d", "fe80:1011:1213:1415:1617:1819:1a1b:1c1d", 146, 0, "1:fYC8+pz24E+EhANP1EZhpX0Dw10="},
	{46, "1.2.3.4", "5.6.7.8", 0, 0, "1:ikv3kmf89luf73WPz1jOs49S768="},
	{46, "5.6.7.8", "1.2.3.4", 0, 0, "1:ikv3kmf89luf73WPz1jOs49S768="},
	{46, "fe80:1:203:405:607:809:a0b:c0d", "fe80:1011:1213:1415:1617:1819:1a1b:1c1d", 0, 0, "1:wQ/2mwrnXP4lmJcHdGL5ePjR+e0="},
	{46, "fe80:1011:1213:1415:1617:1819:1a1b:1c1d", "fe80:1:203:405:607:809:a0b:c0d", 0, 0, "1:wQ/2mwrnXP4lmJcHdGL5ePjR+e0="},
	// An IPv4 address is the same written as IPv4-mapped IPv6.
	{6, "::ffff:1.2.3.4", "5.6.7.8", 1122, 3344, "1:wCb3OG7yAFWelaUydu0D+125CLM="},
	// Protocols without ports ignore what stands there.
	{46, "1.2.3.4", "5.6.7.8", 9, 9, "1:ikv3kmf89luf73WPz1jOs49S768="},
}

func checkCommunityID(t *testing.T, proto uint8, src, dst string, srcPort, dstPort uint16, want string) {
	t.Helper()
	s, err := ParseAddr(src)
	if err != nil {
		t.Fatal(err)
	}
	d, err := ParseAddr(dst)
	if err != nil {
		t.Fatal(err)
	}
	if got := CommunityIDText(s, d, srcPort, dstPort, proto); got != want {
		t.Errorf("%s %s.%d > %s.%d: got %s, want %s", ProtocolName(proto), src, srcPort, dst, dstPort, got, want)
	}
	cid, err := ParseCommunityID(want)
	if err != nil || cid != CID(s, d, srcPort, dstPort, proto) {
		t.Errorf("%s: cid %x, error %v", want, cid, err)
	}
}

func TestCommunityID(t *testing.T) {
	for _, c := range specCases {
		checkCommunityID(t, c.proto, c.src, c.dst, c.srcPort, c.dstPort, c.want)
	}
}

func TestCommunityIDBaseline(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(capturesDir, "communityid/baseline_deflt.json"))
	if err != nil {
		t.Skip("the specification's baseline is not beside the repository: ", err)
	}
	var cases []struct {
		Proto        uint8
		SAddr, DAddr string
		SPort, DPort *uint16
		CommunityID  string
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		var srcPort, dstPort uint16
		if c.SPort != nil {
			srcPort, dstPort = *c.SPort, *c.DPort
		}
		checkCommunityID(t, c.Proto, c.SAddr, c.DAddr, srcPort, dstPort, c.CommunityID)
	}
}

func TestParseCommunityID(t *testing.T) {
	for _, bad := range []string{"", "1:", "2:wCb3OG7yAFWelaUydu0D+125CLM=", "1:wCb3OG7yAFWelaUydu0D+125CLM",
		"1:wCb3OG7yAFWelaUydu0D+125CL==", "1:wCb3OG7yAFWelaUydu0D+125CLMM", "1:wCb3OG7yAFWelaUydu0D+125CLN=",
		"1:c026f7386ef200559e95a53276ed03fb5db908b3", " 1:Cb3OG7yAFWelaUydu0D+125CLM=", "1:wCb3OG7yAFWelaUydu0D\n125CLM="} {
		if _, err := ParseCommunityID(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// tunnelled are captures whose innermost tuple is, in tshark, inside a tunnel
// Decode does not enter, or where tshark reports another layer's.
var tunnelled = map[string]string{
	"arkime/gtp-iphone.pcap":           "GTP counts as its outer tuple",
	"arkime/80211http.pcap":            "802.11 is not decoded",
	"zeek/radiotap.pcap":               "802.11 is not decoded",
	"zeek/nflog-http.pcap":             "NFLOG is not decoded",
	"ndpi/dlt_ppp.pcap":                "PPP is not decoded",
	"ndpi/4in6tunnel.pcap":             "IPv4 in IPv6 counts as its outer tuple",
	"zeek/6in4.pcap":                   "6in4 counts as its outer tuple",
	"zeek/Teredo.pcap":                 "Teredo counts as its outer tuple",
	"zeek/geneve.pcap":                 "Geneve counts as its outer tuple",
	"zeek/gre-erspan3-dot1q.pcap":      "ERSPAN counts as its outer tuple",
	"realistic/syslog.pcap":            "6in4 counts as its outer tuple",
	"zeek/fragmented-3.pcap":           "tshark does not give later fragments the ports of the first",
	"zeek/ipv6-fragmented-dns.pcap":    "tshark does not give later fragments the ports of the first",
	"tcpdump/ipv6-srh-ext-header.pcap": "tshark hashes the last segment of a routing header",
}

// TestCommunityIDsOfCaptures compares what Decode and CID make of real
// captures with tshark: the same conversations with the same packets and bytes.
func TestCommunityIDsOfCaptures(t *testing.T) {
	f, err := os.Open(filepath.Join(capturesDir, "expected.jsonl"))
	if err != nil {
		t.Skip("tshark's facts are not beside the repository: ", err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	compared := 0
	for lines.Scan() {
		var facts struct {
			File    string
			Kind    string
			Packets int64
			Damaged string
			CIDs    map[string][2]int64 `json:"cids"`
			CIDsN   int                 `json:"cids_n"`
		}
		if err := json.Unmarshal(lines.Bytes(), &facts); err != nil {
			t.Fatal(err)
		}
		if facts.Kind != "capture" || facts.Damaged != "" || tunnelled[facts.File] != "" {
			continue
		}
		got, packets, ok := conversations(t, filepath.Join(capturesDir, facts.File))
		if !ok {
			continue
		}
		compared++
		if packets != facts.Packets {
			t.Errorf("%s: %d packets, tshark %d", facts.File, packets, facts.Packets)
		}
		if len(got) != facts.CIDsN {
			t.Errorf("%s: %d conversations, tshark %d", facts.File, len(got), facts.CIDsN)
		}
		for id, want := range facts.CIDs {
			if got[id] != want {
				t.Errorf("%s: %s has %v packets and bytes, tshark %v", facts.File, id, got[id], want)
			}
		}
	}
	if compared < 100 {
		t.Errorf("only %d captures compared", compared)
	}
}

// conversations reads a classic pcap file (not pcapng) and counts packets and
// bytes by Community ID. Later fragments count with their datagram.
func conversations(t *testing.T, path string) (counts map[string][2]int64, packets int64, ok bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(path, ".gz") {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	order := binary.ByteOrder(binary.LittleEndian)
	switch string(data[:4]) {
	case "\xd4\xc3\xb2\xa1", "\x4d\x3c\xb2\xa1":
	case "\xa1\xb2\xc3\xd4", "\xa1\xb2\x3c\x4d":
		order = binary.BigEndian
	default:
		return nil, 0, false
	}
	type datagram struct {
		src, dst Addr
		proto    uint8
		id       uint32
	}
	fragments := map[datagram]string{}
	waiting := map[datagram][2]int64{}
	counts = map[string][2]int64{}
	add := func(id string, n [2]int64) {
		counts[id] = [2]int64{counts[id][0] + n[0], counts[id][1] + n[1]}
	}
	link := LinkType(order.Uint32(data[20:]) & 0x0fffffff)
	for data = data[24:]; len(data) >= 16; packets++ {
		length, wire := int(order.Uint32(data[8:])), int(order.Uint32(data[12:]))
		if length > len(data)-16 {
			t.Fatalf("%s is cut", path)
		}
		var h Header
		Decode(link, data[16:16+length], wire, &h)
		data = data[16+length:]
		if !h.IP {
			continue
		}
		srcPort, dstPort := h.SrcPort, h.DstPort
		if h.Protocol == ProtocolICMP || h.Protocol == ProtocolICMPv6 {
			srcPort, dstPort = uint16(h.ICMPType), uint16(h.ICMPCode)
		}
		id := CommunityIDText(h.Src, h.Dst, srcPort, dstPort, h.Protocol)
		n := [2]int64{1, int64(wire)}
		key := datagram{h.Src, h.Dst, h.Protocol, h.IPID}
		switch {
		case h.Fragment && h.FragmentOffset == 0:
			fragments[key] = id
			add(id, waiting[key])
			delete(waiting, key)
		case h.Fragment && fragments[key] != "":
			id = fragments[key]
		case h.Fragment:
			w := waiting[key]
			waiting[key] = [2]int64{w[0] + 1, w[1] + n[1]}
			continue
		}
		add(id, n)
	}
	for key, n := range waiting {
		add(CommunityIDText(key.src, key.dst, 0, 0, key.proto), n)
	}
	return counts, packets, true
}

// TestCIDHash compares with CID on tuples of all kinds.
func TestCIDHash(t *testing.T) {
	h := NewCIDHash()
	if h.state == nil {
		t.Error("crypto/sha1 saves its state in another way: CIDHash is no faster than CID")
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 10000 {
		a, b := Addr{r.Uint64(), r.Uint64()}, Addr{r.Uint64(), r.Uint64()}
		if r.IntN(2) == 0 {
			a, b = AddrFrom4(be32(r.Uint32())), AddrFrom4(be32(r.Uint32()))
		}
		src, dst, proto := uint16(r.Uint32()), uint16(r.Uint32()), uint8(r.Uint32())
		if r.IntN(2) == 0 {
			proto = [...]uint8{ProtocolTCP, ProtocolUDP, ProtocolICMP, ProtocolICMPv6}[r.IntN(4)]
			src &= 0xff
		}
		if got, want := h.CID(a, b, src, dst, proto), CID(a, b, src, dst, proto); got != want {
			t.Fatalf("%v:%d %v:%d %d: %x, want %x", a, src, b, dst, proto, got, want)
		}
	}
	if n := testing.AllocsPerRun(100, func() { h.CID(Addr{1, 2}, Addr{3, 4}, 5, 6, ProtocolTCP) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkCIDHash(b *testing.B) {
	x, y := AddrFrom4(be32(1)), AddrFrom4(be32(2))
	b.Run("CID", func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			CID(x, y, uint16(i), 443, ProtocolTCP)
		}
	})
	b.Run("CIDHash", func(b *testing.B) {
		h := NewCIDHash()
		for i := 0; b.Loop(); i++ {
			h.CID(x, y, uint16(i), 443, ProtocolTCP)
		}
	})
}
