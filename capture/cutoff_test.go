package capture

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

func cutoffs(t testing.TB, texts ...string) []Cutoff {
	t.Helper()
	list, err := ParseCutoffs(texts)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// tsharkPacket is what tshark says of a packet.
type tsharkPacket struct {
	stream                      string // tcp 3
	port                        bool   // 443 is one of its ports
	length, kept, head, payload int
}

func tsharkPackets(t *testing.T, file string) (list []tsharkPacket) {
	t.Helper()
	out, err := exec.Command("tshark", "-r", file, "-o", "ip.defragment:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE", "-T", "fields",
		"-e", "tcp.stream", "-e", "udp.stream", "-e", "frame.len", "-e", "frame.cap_len", "-e", "ip.hdr_len", "-e", "tcp.hdr_len",
		"-e", "ip.len", "-e", "tcp.port", "-e", "ipv6.plen").Output()
	if err != nil {
		t.Skip("no tshark: ", err)
	}
	number := func(s string) int {
		n, _ := strconv.Atoi(strings.Split(s, ",")[0])
		return n
	}
	for line := range strings.Lines(string(out)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		p := tsharkPacket{length: number(f[2]), kept: number(f[3])}
		ip, end := 14+number(f[4]), 14+number(f[6])
		if f[4] == "" {
			ip, end = 14+40, 14+40+number(f[8])
		}
		switch {
		case strings.Contains(f[4], ","): // of ICMP, which quotes another
		case f[0] != "":
			p.stream, p.head = "tcp "+f[0], ip+number(f[5])
			p.port = strings.Contains(","+f[7]+",", ",443,")
		case f[1] != "":
			p.stream, p.head = "udp "+f[1], ip+8
		}
		if p.stream != "" {
			p.payload = end - p.head
		}
		list = append(list, p)
	}
	return list
}

// What is kept of packets is what tshark says their conversations may keep: of its
// streams so many bytes of payload, of the rest all.
func TestCutoffAgainstTshark(t *testing.T) {
	const file = "../testdata/captures/office-morning.pcap"
	limit := map[bool]int{true: 300, false: 1500} // of TCP: port 443, others
	a := liveArchive(t)
	_, err := Import(context.Background(), a, ImportConfig{Paths: []string{file}, Meter: Config{Cutoffs: cutoffs(t, "tcp port 443=300", "tcp=1500", "udp=headers")}})
	if err != nil {
		t.Fatal(err)
	}
	kept := tsharkSegments(t, a)
	whole := tsharkPackets(t, file)
	if len(kept) != len(whole) {
		t.Fatalf("%d packets of %d", len(kept), len(whole))
	}
	so, cut := map[string]int{}, 0
	for i, p := range whole {
		want := p.length
		if p.stream != "" {
			may := 0
			if p.stream[0] == 't' {
				may = max(0, limit[p.port]-so[p.stream])
			}
			if so[p.stream] += p.payload; may < p.payload {
				want = p.head + may
				cut++
			}
		}
		if kept[i].kept != want || kept[i].length != p.length {
			t.Fatalf("packet %d %+v: kept are %d bytes of %d, should be %d", i+1, p, kept[i].kept, kept[i].length, want)
		}
	}
	if cut < 100 {
		t.Errorf("only %d packets were cut", cut)
	}
}

func tsharkSegments(t *testing.T, a *archive.Archive) (list []tsharkPacket) {
	t.Helper()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Segments() {
		list = append(list, tsharkPackets(t, s.AbsPath)...)
	}
	return list
}

// Cutoffs change nothing of what is counted, and rows say which packets were cut.
func TestCutoffCounts(t *testing.T) {
	const file = "../testdata/captures/office-morning.pcap"
	count := func(cutoffs []Cutoff) (rows []string, cut int64) {
		a := liveArchive(t)
		if _, err := Import(context.Background(), a, ImportConfig{Paths: []string{file}, Meter: Config{Cutoffs: cutoffs}}); err != nil {
			t.Fatal(err)
		}
		checkArchive(t, a)
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		each(t, c, archive.Flows, func(r *tables.Flow) {
			rows = append(rows, fmt.Sprint(r.FlowID, r.Src, r.SrcPort, r.Dst, r.DstPort, r.Packets, r.Bytes, r.ReversePackets, r.ReverseBytes,
				r.WireBytes, r.ReverseWireBytes, r.TCPFlags, r.ConnState, r.TS, r.TSEnd))
			cut += r.CutPackets.V
		})
		return rows, cut
	}
	whole, none := count(nil)
	most, some := count(cutoffs(t, "=headers"))
	if strings.Join(whole, "\n") != strings.Join(most, "\n") {
		t.Error("headers alone give other counters")
	}
	all, huge := count(cutoffs(t, "=8589934591g"))
	if strings.Join(whole, "\n") != strings.Join(all, "\n") || none != 0 || huge != 0 || some == 0 {
		t.Errorf("%d packets cut without cutoffs, %d by headers, %d by one nobody reaches", none, some, huge)
	}
}

// Fragments are of the flow of their first, whatever their order.
func TestCutoffFragments(t *testing.T) {
	for _, c := range []struct {
		cutoff string
		want   string // bytes captured
	}{
		{"udp port 9=headers", "42 34 34"},
		{"udp port 9=1000", "1042 34 34"},
		{"udp port 9=1500", "1514 62 34"},
		{"udp port 9=2g", "1514 1514 1042"},
		{"udp port 10=headers", "1514 1514 1042"},
		{"src host 10.0.0.1 and dst port 9=headers", "42 34 34"},
		{"src host 10.0.0.2=headers", "1514 1514 1042"},
	} {
		a := liveArchive(t)
		file := filepath.Join(t.TempDir(), "f.pcap")
		if err := os.WriteFile(file, fragmented(t), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Import(context.Background(), a, ImportConfig{Paths: []string{file}, Meter: Config{Cutoffs: cutoffs(t, c.cutoff)}}); err != nil {
			t.Fatal(err)
		}
		cat, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range cat.Segments() {
			if err := a.Walk(context.Background(), cat, s.Number(), func(rec *pcap.Record) error {
				got = append(got, strconv.Itoa(len(rec.Data)))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if text := strings.Join(got, " "); text != c.want {
			t.Errorf("%s: kept %s, should be %s", c.cutoff, text, c.want)
		}
	}
}

// fragmented is a datagram of 3,980 bytes to port 9 in three fragments.
func fragmented(t *testing.T) []byte {
	t.Helper()
	datagram := make([]byte, 8+1472+1480+1008)
	copy(datagram, []byte{0x30, 0x39, 0, 9, byte(len(datagram) >> 8), byte(len(datagram))})
	b := pcap.AppendHeader(nil, tables.LinkEthernet, false)
	for at := 0; at < len(datagram); at += 1480 {
		part := datagram[at:min(at+1480, len(datagram))]
		more := byte(0x20)
		if at+len(part) == len(datagram) {
			more = 0
		}
		ip := []byte{0x45, 0, byte((20 + len(part)) >> 8), byte(20 + len(part)), 0, 7, more | byte(at>>11), byte(at >> 3), 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
		frame := bytes.Join([][]byte{make([]byte, 12), {8, 0}, ip, part}, nil)
		b = pcap.AppendRecord(b, &pcap.Record{TS: 1_700_000_000_000_000_000 + int64(at)*1000, Data: frame, Length: len(frame)}, false)
	}
	return b
}

func TestParseCutoffs(t *testing.T) {
	for text, want := range map[string]string{
		"64k":                            "FILTER=BYTES",
		"tcp=":                           "no number",
		"tcp=-1":                         "no number",
		"tcp=1t":                         "no number",
		"tcp=k":                          "no number",
		"tcp=9223372036854775":           "",
		"tcp=9007199254740992k":          "no number",
		"tcp=99999999999999999999":       "no number",
		"tcp port=1":                     "ends too early",
		"tcp port 70000=1":               "no port",
		"vlan 5=1":                       `"vlan" is not expected: flows`,
		"greater 100=1":                  `"greater" is not expected: flows`,
		"len > 100=1":                    `"len" is not expected: flows`,
		"tcp[13] & 2 != 0=1":             `"tcp" is not expected: flows`,
		"ether host 02:00:00:00:00:01=1": `"ether" is not expected: flows`,
		"multicast=1":                    `"multicast" is not expected: flows`,
		"(tcp or udp) and not net 10.0.0.0/8=HEADERS": "",
		"ip6 and portrange 1-1024 = 1M":               "",
		"=0":                                          "",
	} {
		_, err := ParseCutoffs([]string{text})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
}
