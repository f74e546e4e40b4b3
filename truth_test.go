package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact"
)

// sharedCaptures holds captures of other projects and tshark's facts about
// them, beside the repository; they are not ours to ship.
const sharedCaptures = "../shared/captures"

// facts are what tshark says of a capture.
type facts struct {
	File        string
	Kind        string // capture, or datagram: a bare UDP payload
	Packets     int64
	Bytes       int64
	First, Last string              // seconds with nine decimals; empty when no packet has a time
	CIDs        map[string][2]int64 `json:"cids"` // the first 400: packets, bytes
	CIDsN       int                 `json:"cids_n"`
	Damaged     string
}

// customBlocks are captures where tshark counts pcapng Custom Blocks as
// packets, though they hold none: how many, and the bytes it gives them.
var customBlocks = map[string][2]int64{
	"gopacket/le-test102.pcapng": {3, 116},
	"gopacket/le-test202.pcapng": {3, 116},
	"made/truncated.pcapng":      {2, 84},
}

// otherIDs are captures whose Community IDs differ, and why.
var otherIDs = map[string]string{
	"zeek/Teredo.pcap":                 "tshark gives a bubble the ports of the datagram around it",
	"zeek/fragmented-3.pcap":           "later fragments have the ports of the first",
	"tcpdump/ipv6-srh-ext-header.pcap": "tshark hashes the last segment of a routing header",
}

func readFacts(t *testing.T) []facts {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(sharedCaptures, "expected.jsonl"))
	if err != nil {
		t.Skip("tshark's facts are not beside the repository: ", err)
	}
	var all []facts
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		var f facts
		if err := json.Unmarshal(line, &f); err != nil {
			t.Fatal(err)
		}
		if f.Kind == "capture" {
			all = append(all, f)
		}
	}
	return all
}

// archiveOf imports files into an archive of the test's own and opens an
// engine over it.
func archiveOf(t *testing.T, cfg capture.ImportConfig) (*engine.Engine, *archive.Archive, capture.Report) {
	t.Helper()
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	report, err := capture.Import(t.Context(), a, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := compact.Run(t.Context(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(engine.DefaultConfig(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, a, report
}

// rowsOf answers a statement as text, NULL as "".
func rowsOf(t *testing.T, e *engine.Engine, statement string) [][]string {
	t.Helper()
	rows, err := queryText(context.WithoutCancel(t.Context()), e, statement)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return rows
}

// rowOf answers a statement that gives one row.
func rowOf(t *testing.T, e *engine.Engine, statement string) []string {
	t.Helper()
	rows := rowsOf(t, e, statement)
	if len(rows) != 1 {
		t.Fatalf("%s: %d rows", statement, len(rows))
	}
	return rows[0]
}

// number is a count as SQL answers it; no rows have no sum. Sums may come as
// doubles, which are exact up to 2^53.
func number(t *testing.T, text string) int64 {
	t.Helper()
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return n
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		t.Fatalf("%q is no count", text)
	}
	return int64(f)
}

// nanoseconds of tshark's seconds with nine decimals.
func nanoseconds(t *testing.T, seconds string) int64 {
	t.Helper()
	return number(t, strings.TrimLeft(strings.Replace(seconds, ".", "", 1), "0"))
}

// What SQL answers about each capture is what tshark says of it: packets,
// bytes, first and last time, and the packets and bytes of each Community ID.
func TestTruthAgainstTshark(t *testing.T) {
	for _, f := range readFacts(t) {
		t.Run(f.File, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(sharedCaptures, f.File)
			e, _, report := archiveOf(t, capture.ImportConfig{Paths: []string{path}})
			if len(report.Files) != 1 || report.Refused > 0 {
				t.Fatalf("import: %+v", report)
			}
			extra := customBlocks[f.File]
			packets, size := f.Packets-extra[0], f.Bytes-extra[1]

			got := rowOf(t, e, "SELECT COUNT(*), SUM(length) FROM packets")
			if n, b := number(t, got[0]), number(t, got[1]); n != packets || b != size {
				t.Errorf("%d packets of %d bytes, tshark %d of %d", n, b, packets, size)
			}
			got = rowOf(t, e, "SELECT MIN(ts_ns), MAX(ts_ns) FROM packets_wide")
			if first, last := number(t, got[0]), number(t, got[1]); first != nanoseconds(t, f.First) || last != nanoseconds(t, f.Last) {
				t.Errorf("times from %d to %d, tshark %s to %s", first, last, f.First, f.Last)
			}
			imports := rowOf(t, e, "SELECT state, packets, bytes, damage_offset, damage FROM ops.imports")
			if n, b := number(t, imports[1]), number(t, imports[2]); n != packets || b != size {
				t.Errorf("ops.imports: %d packets of %d bytes, tshark %d of %d", n, b, packets, size)
			}
			checkDamage(t, path, f, imports[0], imports[3], imports[4])
			checkIDs(t, e, f)
		})
	}
}

// checkDamage compares a file's state, and takes the offset of the damage at
// its word: up to there the file is whole, and tshark finds as many packets.
func checkDamage(t *testing.T, path string, f facts, state, offset, reason string) {
	t.Helper()
	if f.Damaged == "" {
		if state != "complete" || offset != "" || reason != "" {
			t.Errorf("state %s, damage %q at %q", state, reason, offset)
		}
		return
	}
	if state != "damaged" || offset == "" || reason == "" {
		t.Fatalf("state %s, damage %q at %q, want both", state, reason, offset)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if err := os.WriteFile(whole, data[:number(t, offset)], 0o600); err != nil {
		t.Fatal(err)
	}
	var complaint bytes.Buffer
	cmd := exec.Command("tshark", "-n", "-r", whole, "-T", "fields", "-e", "frame.number")
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tshark of the %s bytes before the damage: %v: %s", offset, err, complaint.String())
	}
	if n := int64(bytes.Count(out, []byte("\n"))); n != f.Packets {
		t.Errorf("tshark finds %d packets before offset %s, %d in the whole file", n, offset, f.Packets)
	}
}

// checkIDs compares what the flows say of each Community ID with tshark, and
// what the packets say with the flows. IDs of fragments are left
// out: tshark's is of the reassembled datagram.
func checkIDs(t *testing.T, e *engine.Engine, f facts) {
	t.Helper()
	got := map[string][2]int64{}
	odd := map[string]bool{}
	odds := 0
	for _, r := range rowsOf(t, e, `SELECT community_id, SUM(total_packets), SUM(COALESCE(wire_bytes, 0) + COALESCE(reverse_wire_bytes, 0)),
		SUM(CASE WHEN fragments > 0 THEN 1 ELSE 0 END) FROM flows_wide GROUP BY community_id`) {
		got[r[0]] = [2]int64{number(t, r[1]), number(t, r[2])}
		if number(t, r[3]) > 0 {
			odd[r[0]] = true
			odds++
		}
	}
	if otherIDs[f.File] == "" {
		for id, want := range f.CIDs {
			if got[id] != want && !odd[id] {
				t.Errorf("%s has %v packets and bytes, tshark %v", id, got[id], want)
			}
		}
		if odds == 0 && len(got) != f.CIDsN {
			t.Errorf("%d community ids, tshark %d", len(got), f.CIDsN)
		}
	}
	seen := map[string][2]int64{}
	for _, r := range rowsOf(t, e, "SELECT community_id, COUNT(*), SUM(length) FROM packets WHERE flow_id IS NOT NULL GROUP BY community_id") {
		seen[r[0]] = [2]int64{number(t, r[1]), number(t, r[2])}
	}
	for id, want := range got {
		if seen[id] != want {
			t.Errorf("%s: the packets are %v, the flows say %v", id, seen[id], want)
		}
	}
	if len(seen) != len(got) {
		t.Errorf("packets have %d community ids, flows %d", len(seen), len(got))
	}
}

// realistic is a capture of half an hour, mixed from real ones.
const realistic = "realistic/mix-30min.pcap"

// Every packet of a capture belongs to one connection or is among those that
// are no conversation's, the counters of flows are those of their packets,
// and the frames of a connection are what tcpdump's filter finds.
func TestTruthOfJoins(t *testing.T) {
	var f *facts
	for _, g := range readFacts(t) {
		if g.File == realistic {
			f = &g
		}
	}
	if f == nil {
		t.Fatalf("no facts about %s", realistic)
	}
	for name, inPlace := range map[string]bool{"copied": false, "in place": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(sharedCaptures, realistic)
			e, a, _ := archiveOf(t, capture.ImportConfig{Paths: []string{path}, InPlace: inPlace})
			checkTotals(t, e, a, f)
			checkFrames(t, e, path)
		})
	}
}

func checkTotals(t *testing.T, e *engine.Engine, a *archive.Archive, f *facts) {
	t.Helper()
	joined := number(t, rowOf(t, e, "SELECT COUNT(*) FROM connections c JOIN packets p USING (conn_id)")[0])
	different := number(t, rowOf(t, e, "SELECT COUNT(DISTINCT p.packet_id) FROM connections c JOIN packets p USING (conn_id)")[0])
	rest := number(t, rowOf(t, e, "SELECT COUNT(*) FROM packets WHERE conn_id IS NULL")[0])
	if joined != different || joined+rest != f.Packets {
		t.Errorf("%d packets joined, %d different ones, %d of no connection; the file has %d", joined, different, rest, f.Packets)
	}
	// Those of no connection are counted in rows of their own.
	var other int64
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range c.Files("other") {
		other += otherPackets(t, file.File)
	}
	if other != rest {
		t.Errorf("%d packets of no connection, their rows count %d", rest, other)
	}

	said := number(t, rowOf(t, e, "SELECT SUM(COALESCE(wire_bytes, 0) + COALESCE(reverse_wire_bytes, 0)) FROM flows_wide")[0])
	read := number(t, rowOf(t, e, "SELECT SUM(p.length) FROM flows f JOIN packets p USING (flow_id)")[0])
	byConn := number(t, rowOf(t, e, "SELECT SUM(p.length) FROM connections c JOIN packets p USING (conn_id)")[0])
	if said != read || said != byConn || said == 0 {
		t.Errorf("flows say %d bytes; their packets have %d, those of connections %d", said, read, byConn)
	}
}

// checkFrames compares 50 connections' frames with tcpdump's.
func checkFrames(t *testing.T, e *engine.Engine, path string) {
	t.Helper()
	const compared = 50
	// The tuple must be that of one connection, or the filter finds more; the
	// filter finds ports in no fragment and in no tunnel.
	odd := map[string]bool{}
	for _, r := range rowsOf(t, e, "SELECT DISTINCT conn_id FROM flows_wide WHERE fragments > 0 OR tunnel_type IS NOT NULL") {
		odd[r[0]] = true
	}
	type connection struct{ id, filter string }
	byTuple := map[string][]connection{}
	var tuples []string
	for _, r := range rowsOf(t, e, "SELECT conn_id, community_id, protocol, client_ip, client_port, server_ip, server_port FROM connections ORDER BY ts, conn_id") {
		proto, clientIP, clientPort, serverIP, serverPort := r[2], r[3], r[4], r[5], r[6]
		if proto != "tcp" && proto != "udp" {
			continue
		}
		one := fmt.Sprintf("(%s and ((src host %[2]s and src port %[3]s and dst host %[4]s and dst port %[5]s) or (src host %[4]s and src port %[5]s and dst host %[2]s and dst port %[3]s)))",
			proto, clientIP, clientPort, serverIP, serverPort)
		// vlan moves where the rest of the filter looks.
		filter := fmt.Sprintf("%[1]s or (vlan and (%[1]s or (vlan and %[1]s)))", one)
		if len(byTuple[r[1]]) == 0 {
			tuples = append(tuples, r[1])
		}
		byTuple[r[1]] = append(byTuple[r[1]], connection{r[0], filter})
	}
	var candidates []connection
	for _, tuple := range tuples {
		if c := byTuple[tuple]; len(c) == 1 && !odd[c[0].id] {
			candidates = append(candidates, c[0])
		}
	}
	if len(candidates) < compared {
		t.Fatalf("only %d connections have a tuple of their own", len(candidates))
	}
	random := rand.New(rand.NewPCG(20250101, 1))
	random.Shuffle(len(candidates), func(i, j int) { candidates[i], candidates[j] = candidates[j], candidates[i] })
	total := 0
	for _, c := range candidates[:compared] {
		want := tcpdumpFrames(t, path, c.filter)
		rows := rowsOf(t, e, fmt.Sprintf("SELECT b.frame FROM connections c JOIN packet_bytes b USING (conn_id) WHERE c.conn_id = '%s' ORDER BY b.packet_id", c.id))
		if len(rows) != len(want) {
			t.Errorf("connection %s has %d frames, tcpdump finds %d with %s", c.id, len(rows), len(want), c.filter)
			continue
		}
		for i := range rows {
			if rows[i][0] != string(want[i]) {
				t.Errorf("connection %s: frame %d differs from tcpdump's", c.id, i)
				break
			}
		}
		total += len(want)
	}
	t.Logf("%d frames of %d connections compared", total, compared)
}

// tcpdumpFrames is what tcpdump -w writes with a filter, as frames.
func tcpdumpFrames(t *testing.T, path, filter string) [][]byte {
	t.Helper()
	var complaint bytes.Buffer
	cmd := exec.Command("tcpdump", "-r", path, "-w", "-", filter)
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tcpdump %s: %v: %s", filter, err, complaint.String())
	}
	if len(out) < 24 || !bytes.Equal(out[:4], binary.NativeEndian.AppendUint32(nil, 0xa1b2c3d4)) {
		t.Fatalf("tcpdump %s: no pcap of this machine's byte order", filter)
	}
	var frames [][]byte
	for out = out[24:]; len(out) > 0; {
		n := int(binary.NativeEndian.Uint32(out[8:]))
		frames = append(frames, out[16:16+n])
		out = out[16+n:]
	}
	return frames
}

// otherPackets sums up the packets of a file of rows about packets of no flow.
func otherPackets(t *testing.T, f rows.File) (n int64) {
	t.Helper()
	r, err := rows.Open[tables.Other](f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	rows := make([]tables.Other, 256)
	for {
		k, err := r.Read(rows)
		for i := range rows[:k] {
			n += rows[i].Packets
		}
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
