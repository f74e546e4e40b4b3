package collector

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// payloads are the export datagrams of a capture.
func payloads(t *testing.T, path string) (list [][]byte) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := readPcap(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		list = append(list, r.data)
	}
	return list
}

// What Palo Alto's firewalls call App-ID and User-ID is text, its padding left
// off (PAN-OS NetFlow templates).
func TestPaloAltoCase(t *testing.T) {
	path := filepath.Join("..", "testdata", "cases", "paloalto.pcap")
	d, s := newTestDecoder(t, Config{}, nil)
	send(d, payloads(t, path)...)
	if len(s.rows) != 1 || s.rows[0].AppName != "ms-teams" || s.rows[0].Extra != `{"User-ID":"corp\\alice"}` {
		t.Fatalf("%+v", s.rows)
	}
}

// The wire_bytes of sampled packets are the frame lengths that tshark reads.
func TestSFlowFrameLengths(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip("no tshark")
	}
	path := filepath.Join("..", "testdata", "exports", "ovs-sflow.pcap")
	s := &sink{}
	d, err := NewDecoder(Config{}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	send(d, payloads(t, path)...)
	got := map[string]int{}
	for _, r := range s.rows {
		if r.SourceType != tables.SourceSFlow5 {
			continue // the capture has other exports too
		}
		got[strconv.FormatInt(r.WireBytes.V, 10)]++
	}
	out, err := exec.Command("tshark", "-r", path, "-T", "fields", "-E", "aggregator= ", "-e", "sflow_245.header.frame_length").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, length := range strings.Fields(string(out)) {
		got[length]--
	}
	for length, n := range got {
		if n != 0 {
			t.Errorf("%d rows too many of %s bytes on the wire", n, length)
		}
	}
	if len(got) < 2 {
		t.Errorf("lengths: %v", got)
	}
}
