package main

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// What testdata/sql/direct.test asks is answered as that page says, and what
// looks alike is not.
func TestDirect(t *testing.T) {
	s := demoEngine(t).NewSession()
	const direct, byRow = "result as they are", "rows of flows whose conn_id is one of"
	const five = "c.client_ip = '10.20.0.23' AND c.client_port = 36357 AND c.server_ip = '10.20.0.1' AND c.server_port = 53 AND c.protocol = 'udp'"
	for _, c := range []struct {
		statement    string
		looked, such bool
	}{
		{"SELECT p.ts, p.info FROM connections c JOIN packets p USING (conn_id) WHERE " + five, true, true},
		{"SELECT p.ts, p.info FROM packets p JOIN connections c USING (conn_id) WHERE " + five, true, true},
		{"SELECT ts FROM packets WHERE conn_id = '12BA5X7AY5FS2'", true, true},
		{"SELECT ts FROM packets WHERE conn_id IN (SELECT conn_id FROM dns)", true, true},
		// Each row of dns wants the packets.
		{"SELECT p.ts FROM dns d JOIN packets p USING (conn_id)", true, false},
		{"SELECT p.ts, c.server_port FROM connections c JOIN packets p USING (conn_id) WHERE " + five, true, false},
		{"SELECT p.ts FROM connections c JOIN packets p USING (conn_id) WHERE " + five + " ORDER BY p.ts", true, false},
		{"SELECT ts FROM packets WHERE conn_id = '12BA5X7AY5FS2' AND ts < '2026-06-12 10:14:31'", true, false},
		{"SELECT ts FROM packets WHERE conn_id = '12BA5X7AY5FS2' AND src_port = 53", false, false},
		{"SELECT p.ts FROM connections c LEFT JOIN packets p USING (conn_id) WHERE " + five, true, false},
	} {
		got := explained(t, s, "EXPLAIN "+c.statement)
		if strings.Contains(got, byRow) != c.looked {
			t.Errorf("%s: looked up: %v, want %v\n%s", c.statement, !c.looked, c.looked, got)
		}
		if strings.Contains(got, direct) != c.such {
			t.Errorf("%s: direct: %v, want %v\n%s", c.statement, !c.such, c.such, got)
		}
	}
}

// Bytes come through as they are.
func TestDirectBytes(t *testing.T) {
	e := demoEngine(t)
	on, off := e.NewSession(), e.NewSession()
	askEngine(off, "SET wiresql_pushdown = 'off'")
	const statement = "SELECT payload, frame FROM packet_bytes WHERE conn_id = '12BA5X7AY5FS2'"
	if got := explained(t, on, "EXPLAIN "+statement); !strings.Contains(got, "result as they are") {
		t.Errorf("not direct:\n%s", got)
	}
	got, want := askEngine(on, statement), askEngine(off, statement)
	if got.err != "" || len(got.rows) != 4 || strings.Join(sorted(got.rows), "\n") != strings.Join(sorted(want.rows), "\n") {
		t.Errorf("got %q %s, want %q %s", got.rows, got.err, want.rows, want.err)
	}
}

// A packet that is named is found without reading the others.
func TestNamedPackets(t *testing.T) {
	s := demoEngine(t).NewSession()
	askEngine(s, "SET wiresql_packet_scan_limit = 10000")
	for _, statement := range []string{
		"SELECT conn_id FROM packets WHERE packet_id = '000002000033W'",
		"SELECT conn_id FROM packets WHERE segment = 1 AND offset = 3196 AND length > 0",
	} {
		if got := askEngine(s, statement); got.err != "" || strings.Join(got.rows, "") != "12BA5X7AY5FS2" {
			t.Errorf("%s: %q %s", statement, got.rows, got.err)
		}
		if got := explained(t, s, "EXPLAIN "+statement); !strings.Contains(got, "1 flow row → 1 packet in 1 segment") {
			t.Errorf("%s:\n%s", statement, got)
		}
	}
	if got := askEngine(s, "SELECT conn_id FROM packets WHERE segment = 1 AND length > 0"); !strings.Contains(got.err, "would read about") {
		t.Errorf("a whole segment: %q %s", got.rows, got.err)
	}
}

// fragmented is a capture of one UDP datagram in two fragments, the later of
// which has no ports.
func fragmented() []byte {
	p := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	p = append(p, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 1, 0, 0, 0)
	payload := make([]byte, 24)
	udp := binary.BigEndian.AppendUint16(nil, 4000)
	udp = binary.BigEndian.AppendUint16(udp, 5000)
	udp = append(binary.BigEndian.AppendUint16(udp, 8+24), 0, 0)
	for i, part := range [][]byte{append(udp, payload[:8]...), payload[8:]} {
		ip := []byte{0x45, 0, 0, byte(20 + len(part)), 0, 7, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}
		if i == 1 {
			ip[6], ip[7] = 0, 2 // last, at 16 bytes
		}
		frame := append([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0}, ip...)
		frame = append(frame, part...)
		p = binary.LittleEndian.AppendUint32(p, 1_780_000_000)
		p = binary.LittleEndian.AppendUint32(p, uint32(i))
		p = binary.LittleEndian.AppendUint32(p, uint32(len(frame)))
		p = binary.LittleEndian.AppendUint32(p, uint32(len(frame)))
		p = append(p, frame...)
	}
	return p
}

// A later fragment takes its ports from the flow row, also where the row was
// looked up for its postings only.
func TestDirectFragments(t *testing.T) {
	file := filepath.Join(t.TempDir(), "fragments.pcap")
	if err := os.WriteFile(file, fragmented(), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := capture.Import(context.Background(), a, capture.ImportConfig{Paths: []string{file}}); err != nil {
		t.Fatal(err)
	}
	if _, err := compact.Run(context.Background(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.DefaultConfig(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	s := e.NewSession()
	for _, key := range []string{"conn_id", "flow_id"} {
		statement := "SELECT p.src_port, p.dst_port, p.fragment FROM flows f JOIN packets_wide p USING (" + key + ")"
		if got := explained(t, s, "EXPLAIN "+statement); !strings.Contains(got, "result as they are") {
			t.Errorf("%s: not direct:\n%s", statement, got)
		}
		got := askEngine(s, statement)
		if got.err != "" || strings.Join(got.rows, "; ") != "4000\t5000\t1; 4000\t5000\t1" {
			t.Errorf("%s: %q %s", statement, got.rows, got.err)
		}
	}
}
