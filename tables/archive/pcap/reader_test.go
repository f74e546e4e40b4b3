package pcap

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// captures is a collection of real and damaged capture files with facts about
// them computed by tshark; it is not part of the repository.
const captures = "../../../../shared/captures"

type expected struct {
	File     string
	Kind     string
	Packets  int64
	Bytes    int64
	Caplen   int64
	First    string `json:"first"`
	Last     string `json:"last"`
	Damaged  any
	Size     int64
	Protocol map[string]int64
}

func expectations(t testing.TB) []expected {
	f, err := os.Open(filepath.Join(captures, "expected.jsonl"))
	if err != nil {
		t.Skip("the shared captures are not here: ", err)
	}
	defer f.Close()
	var out []expected
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 16<<20)
	for sc.Scan() {
		var e expected
		if err := json.Unmarshal(sc.Bytes(), &e); err != nil {
			t.Fatal(err)
		}
		if e.Kind == "capture" {
			out = append(out, e)
		}
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// tshark shows each custom block (types 0xbad and 0x40000bad) as a frame of the
// block's data; they are no packets.
var notPackets = map[string]struct{ blocks, bytes int64 }{
	"gopacket/le-test102.pcapng": {3, 116},
	"gopacket/le-test202.pcapng": {3, 116},
	"made/truncated.pcapng":      {2, 84},
}

func TestReaderAgreesWithTshark(t *testing.T) {
	for _, e := range expectations(t) {
		t.Run(e.File, func(t *testing.T) {
			r, err := Open(filepath.Join(captures, e.File))
			if err != nil {
				var d *DamageError
				if e.Damaged != nil && e.Packets == 0 && errors.As(err, &d) {
					t.Log(err)
					return
				}
				t.Fatal(err, e.Damaged)
			}
			defer r.Close()
			var rec Record
			var caplen int64
			for {
				if err = r.Next(&rec); err != nil {
					break
				}
				caplen += int64(len(rec.Data))
			}
			s := r.Stats()
			if x, ok := notPackets[e.File]; ok {
				e.Packets, e.Bytes, e.Caplen = e.Packets-x.blocks, e.Bytes-x.bytes, e.Caplen-x.bytes
			}
			if e.First == "" { // only packets without a time
				e.First, e.Last = "0.000000000", "0.000000000"
			}
			if e.Damaged != nil {
				t.Log(e.Damaged, " / ", err)
				var d *DamageError
				if !errors.As(err, &d) {
					t.Error("no damage reported")
				}
			} else if err != io.EOF {
				t.Error(err)
			}
			if s.Packets != e.Packets || s.Bytes != e.Bytes || caplen != e.Caplen {
				t.Errorf("packets, bytes, captured: got %d %d %d, tshark has %d %d %d", s.Packets, s.Bytes, caplen, e.Packets, e.Bytes, e.Caplen)
			}
			first := fmt.Sprintf("%d.%09d", s.First/1e9, s.First%1e9)
			last := fmt.Sprintf("%d.%09d", s.Last/1e9, s.Last%1e9)
			if s.Packets > 0 && (first != e.First || last != e.Last) {
				t.Errorf("times %s %s, tshark has %s %s", first, last, e.First, e.Last)
			}
		})
	}
}

// pcapOf makes a capture of n packets of 60 bytes, one a second.
func pcapOf(n int) []byte {
	b := AppendHeader(nil, tables.LinkEthernet, false)
	for i := range n {
		b = binary.LittleEndian.AppendUint32(b, uint32(1_700_000_000+i))
		b = append(b, 0, 0, 0, 0, 60, 0, 0, 0, 60, 0, 0, 0)
		b = append(b, bytes.Repeat([]byte{byte(i)}, 60)...)
	}
	return b
}

func writeFile(t testing.TB, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writeCompressed(t testing.TB, name string, b []byte) string {
	t.Helper()
	var out bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&out)
	if strings.HasSuffix(name, ".zst") {
		var err error
		if w, err = zstd.NewWriter(&out); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return writeFile(t, name, out.Bytes())
}

// readCapture reads a file to whatever ends it.
func readCapture(path string) (stats Stats, id string, err error) {
	r, err := Open(path)
	if err != nil {
		return stats, "", err
	}
	defer r.Close()
	var rec Record
	for err == nil {
		err = r.Next(&rec)
	}
	return r.Stats(), r.ContentID(), err
}

func TestCompressedIsTheSame(t *testing.T) {
	data := pcapOf(30_000)
	want, id, err := readCapture(writeFile(t, "x.pcap", data))
	if err != io.EOF || want.Packets != 30_000 {
		t.Fatal(want, err)
	}
	for _, name := range []string{"x.pcap.gz", "x.pcap.zst", "misnamed.zst.gz"} {
		got, gotID, err := readCapture(writeCompressed(t, name, data))
		if err != io.EOF || got != want || gotID != id {
			t.Error(name, got, gotID, err)
		}
	}
	// Cut short, what came before is there and the offset is that of the
	// decompressed file.
	for _, name := range []string{"x.pcap.gz", "x.pcap.zst"} {
		path := writeCompressed(t, name, data)
		st, _ := os.Stat(path)
		if err := os.Truncate(path, st.Size()*2/3); err != nil {
			t.Fatal(err)
		}
		got, _, err := readCapture(path)
		var d *DamageError
		if !errors.As(err, &d) || d.File != path || d.Offset <= 0 || got.Packets > 30_000 {
			t.Error(name, got, err)
		}
	}
}

func TestBadCaptures(t *testing.T) {
	le := func(v ...uint32) (b []byte) {
		for _, x := range v {
			b = binary.LittleEndian.AppendUint32(b, x)
		}
		return b
	}
	shb := le(0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff, 28)
	idb := le(1, 20, 1, 0, 20)
	ng := func(blocks ...[]byte) []byte { return append(slices.Clone(shb), bytes.Join(blocks, nil)...) }
	for _, c := range []struct {
		name    string
		data    []byte
		packets int64
		offset  int64
		reason  string // "": whole
	}{
		{"empty", nil, 0, 0, "not a capture: 0 bytes"},
		{"text", []byte("hello, world"), 0, 0, "starts with 0x68656c6c"},
		{"cut header", pcapOf(0)[:20], 0, 0, "file header truncated: 20 of 24"},
		{"header only", pcapOf(0), 0, 0, ""},
		{"cut record header", pcapOf(2)[:24+76+7], 1, 100, "needs 16 bytes, 7 are left"},
		{"cut packet", pcapOf(2)[:24+76+40], 1, 100, "needs 76 bytes, 40 are left"},
		{"absurd caplen", append(pcapOf(1), le(1, 1, 0x7fffffff, 60)...), 1, 100, "over the limit"},
		{"absurd length", append(pcapOf(1), le(1, 1, 0, 0xffffffff)...), 1, 100, "absurd"},
		{"caplen over length", append(pcapOf(1), append(le(1, 1, 8, 4), 1, 2, 3, 4, 5, 6, 7, 8)...), 2, 0, ""},
		{"odd fraction", append(pcapOf(1), le(1, 0xffffffff, 0, 0)...), 2, 0, ""},
		{"pcapng", ng(idb, le(6, 36, 0, 0, 0, 4, 4, 0xaabbccdd, 36)), 1, 0, ""},
		{"pcapng header only", shb, 0, 0, ""},
		{"pcapng cut header", shb[:20], 0, 0, "needs 28 bytes, 20 are left"},
		{"pcapng byte order", append(le(0x0a0d0d0a, 28, 0x11111111), shb[12:]...), 0, 0, "byte-order magic"},
		{"pcapng version", append(le(0x0a0d0d0a, 28, 0x1a2b3c4d, 2), shb[16:]...), 0, 0, "version 2"},
		{"pcapng zero block", ng(idb, le(0x77, 0, 0, 0)), 0, 48, "block of 0 bytes"},
		{"pcapng zero packet block", ng(idb, le(6, 0, 0, 0)), 0, 48, "packet block of 0 bytes"},
		{"pcapng huge packet block", ng(idb, le(6, 0xfffffff0, 0, 0)), 0, 48, "packet block of 4294967280 bytes"},
		{"pcapng huge interface", ng(idb, le(1, 0x7ffffff0, 0, 0)), 0, 48, "block type 1 of"},
		{"pcapng huge unknown", ng(idb, le(0x77, 0x7ffffff0, 0, 0)), 0, 48, "truncated"},
		{"pcapng huge header", le(0x0a0d0d0a, 0x7fffffff, 0x1a2b3c4d, 1, 0, 0, 0), 0, 0, "section header of"},
		{"pcapng no interface", ng(le(6, 36, 0, 0, 0, 4, 4, 0, 36)), 0, 28, "packet of interface 0, 0 are described"},
		{"pcapng caplen", ng(idb, le(6, 36, 0, 0, 0, 5, 5, 0, 36)), 0, 48, "captured length 5 in a block with room for 4"},
		{"pcapng lengths differ", ng(idb, le(6, 36, 0, 0, 0, 4, 4, 0, 40)), 0, 48, "block lengths differ"},
		{"pcapng unknown block", ng(idb, le(0x77, 16, 5, 16), le(6, 36, 0, 0, 0, 4, 4, 0, 36)), 1, 0, ""},
		{"pcapng unknown differs", ng(idb, le(0x77, 16, 5, 20)), 0, 48, "block lengths differ"},
	} {
		stats, _, err := readCapture(writeFile(t, "bad", c.data))
		var d *DamageError
		switch {
		case stats.Packets != c.packets:
			t.Errorf("%s: %d packets, want %d (%v)", c.name, stats.Packets, c.packets, err)
		case c.reason == "" && err != io.EOF:
			t.Errorf("%s: %v", c.name, err)
		case c.reason != "" && (!errors.As(err, &d) || d.Offset != c.offset || !strings.Contains(d.Reason, c.reason) || strings.Contains(err.Error(), "\n")):
			t.Errorf("%s: %v, want offset %d, %s", c.name, err, c.offset, c.reason)
		}
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Error(err)
	}
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		resol  uint8
		offset int64
		ticks  uint64
		want   int64
	}{
		{6, 0, 1_500_000, 1_500_000_000},
		{9, 0, 1_500_000_001, 1_500_000_001},
		{3, 0, 1_500, 1_500_000_000},
		{0, 0, 7, 7_000_000_000},
		{12, 0, 1_500_000_000_999, 1_500_000_000},
		{19, 0, math.MaxUint64, 1_844_674_407},
		{20, 0, math.MaxUint64, 0},
		{127, 0, math.MaxUint64, 0},
		{128 | 1, 0, 3, 1_500_000_000},
		{128 | 10, 0, 1024 + 512, 1_500_000_000},
		{128 | 63, 0, 1<<63 + 1<<62, 1_500_000_000},
		{128 | 64, 0, math.MaxUint64, 0},
		{128, 0, 5, 5_000_000_000},
		{6, 10, 1_500_000, 11_500_000_000},
		{6, -10, 1_500_000, 0},
		{6, math.MinInt64, 1_500_000, 0},
		{6, math.MaxInt64, 1_500_000, maxTime},
		{0, 0, math.MaxUint64, maxTime},
		{6, 0, math.MaxUint64, maxTime},
	} {
		i := Interface{Resol: c.resol, TSOffset: c.offset}
		if got := i.nanoseconds(c.ticks); got != c.want {
			t.Errorf("resolution %d offset %d: %d is %d, want %d", c.resol, c.offset, c.ticks, got, c.want)
		}
	}
}

func TestDrops(t *testing.T) {
	r, err := Open(filepath.Join(captures, "gopacket/le-test102.pcapng"))
	if err != nil {
		t.Skip("the shared captures are not here: ", err)
	}
	defer r.Close()
	var rec Record
	for r.Next(&rec) == nil {
	}
	if n, known := r.Drops(); !known || n == 0 {
		t.Error(n, known)
	}
	if i := r.Interfaces(); len(i) != 3 || i[0].Name != "eth0" || i[1].Name != "null1" {
		t.Errorf("%+v", i)
	}
}

func sameRecord(t testing.TB, got, want *Record) {
	t.Helper()
	if got.Offset != want.Offset || got.TS != want.TS || got.Length != want.Length || got.Interface != want.Interface ||
		got.InterfaceName != want.InterfaceName || got.Link != want.Link || got.Nano != want.Nano || string(got.Data) != string(want.Data) {
		t.Fatalf("got %+v\nwant %+v", got, want)
	}
}

func BenchmarkReader(b *testing.B) {
	data := AppendHeader(nil, tables.LinkEthernet, false)
	const packets = 100_000
	for i := range packets {
		n := uint32(60 + (i*997)%1400)
		data = binary.LittleEndian.AppendUint32(data, uint32(1_700_000_000+i/1000))
		data = binary.LittleEndian.AppendUint32(data, uint32(i%1000))
		data = binary.LittleEndian.AppendUint32(data, n)
		data = binary.LittleEndian.AppendUint32(data, n)
		data = append(data, make([]byte, n)...)
	}
	path := writeFile(b, "x.pcap", data)
	b.SetBytes(int64(len(data)))
	b.ResetTimer()
	cpu := samples.CPUTime()
	for b.Loop() {
		if s, _, err := readCapture(path); err != io.EOF || s.Packets != packets {
			b.Fatal(s, err)
		}
	}
	b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(b.N)/packets, "cpu-ns/packet")
}
