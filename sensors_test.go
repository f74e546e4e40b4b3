package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// framesOf are the packets of a capture.
func framesOf(t *testing.T, path string) (frames []pcap.Record) {
	t.Helper()
	r, err := pcap.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		var rec pcap.Record
		if err := r.Next(&rec); err != nil {
			return frames
		}
		rec.Data = slices.Clone(rec.Data)
		frames = append(frames, rec)
	}
}

// writeFrames writes the frames that keep picks as a classic capture, each so much
// later.
func writeFrames(t *testing.T, path string, frames []pcap.Record, off time.Duration, keep func(i int) bool) {
	t.Helper()
	b := pcap.AppendHeader(nil, frames[0].Link, true)
	for i := range frames {
		if keep(i) {
			f := frames[i]
			f.TS += off.Nanoseconds()
			b = pcap.AppendRecord(b, &f, true)
		}
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Two sensors that see the same packets are one connection each conversation,
// with the counters and the packets that one sensor alone gives, in whatever
// order and pieces their captures come, whatever one of them missed.
func TestTwoSensorsOneConnection(t *testing.T) {
	frames := framesOf(t, "testdata/captures/office-morning.pcap")
	// capture writes those that keep picks, as a sensor sees them whose clock is off.
	capture := func(t *testing.T, name string, off time.Duration, keep func(i int) bool) string {
		path := filepath.Join(t.TempDir(), name)
		writeFrames(t, path, frames, off, keep)
		return path
	}
	all := func(int) bool { return true }
	low := func(i int) bool { // from the lower address, or not IP
		var h tables.Header
		tables.Decode(frames[i].Link, frames[i].Data, frames[i].Length, &h)
		return !h.IP || h.Src.Compare(h.Dst) < 0
	}
	type part struct {
		sensor string
		off    time.Duration
		keep   func(i int) bool
	}
	half := len(frames) / 2
	const counters = "SELECT client_ip, client_port, server_ip, server_port, protocol, client_packets, client_bytes, server_packets, server_bytes FROM connections ORDER BY 1, 2, 3, 4, 5, 6, 7, 8, 9"
	joined := strings.Replace(counters, "FROM connections", ", (SELECT COUNT(*) FROM packets p WHERE p.conn_id = c.conn_id) FROM connections c", 1)
	load := func(t *testing.T, dir string, p part, n int) {
		path := capture(t, fmt.Sprintf("%s-%d.pcap", p.sensor, n), p.off, p.keep)
		if code, _, complaint := runProgram(t, nil, "import", "--data", dir, "--sensor", p.sensor, "--site", "hq", path); code != 0 {
			t.Fatalf("import: exit %d: %s", code, complaint)
		}
	}
	one := t.TempDir()
	load(t, one, part{"a", 0, all}, 0)
	want := sqlOf(t, one, counters)
	total := numbersOf(t, one, "SELECT SUM(packets) FROM connections")[0]
	for _, c := range []struct {
		name   string
		parts  []part
		seenBy string // of all
	}{
		{"the same", []part{{"a", 0, all}, {"b", 3 * time.Millisecond, all}}, "a,b"},
		{"the other first", []part{{"b", 3 * time.Millisecond, all}, {"a", 0, all}}, "a,b"},
		{"one began late", []part{{"b", 0, func(i int) bool { return i >= half }}, {"a", time.Millisecond, all}}, ""},
		{"one stopped early", []part{{"b", 0, func(i int) bool { return i < half }}, {"a", 0, all}}, ""},
		{"one lost packets", []part{{"a", 0, all}, {"b", -time.Millisecond, func(i int) bool { return i%7 != 0 }}}, ""},
		{"each a direction", []part{{"a", 0, low}, {"b", 0, func(i int) bool { return !low(i) }}}, ""},
		{"each a direction, and a third with all", []part{{"a", 0, low}, {"b", 0, func(i int) bool { return !low(i) }}, {"c", time.Millisecond, all}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			for i, p := range c.parts {
				load(t, dir, p, i)
			}
			got := sqlOf(t, dir, counters)
			if !slices.EqualFunc(got, want, slices.Equal) {
				t.Errorf("%d connections, one sensor alone gives %d", len(got), len(want))
				for i := range min(len(got), len(want)) {
					if !slices.Equal(got[i], want[i]) {
						t.Fatalf("the first that differs is\n%v, one sensor gives\n%v", got[i], want[i])
					}
				}
			}
			for _, r := range sqlOf(t, dir, joined) {
				sent, _ := strconv.Atoi(r[5])
				answered, _ := strconv.Atoi(r[7])
				if strconv.Itoa(sent+answered) != r[9] {
					t.Errorf("%v: %s+%s packets, %s are joined", r[:5], r[5], r[7], r[9])
				}
			}
			if n := numbersOf(t, dir, "SELECT COUNT(*) FROM connections JOIN packets USING (conn_id)")[0]; n != total {
				t.Errorf("%d packets are joined to connections, want %d", n, total)
			}
			// Every row of every sensor is of some connection, and has its own packets.
			if n := numbersOf(t, dir, "SELECT COUNT(*) FROM flows f LEFT JOIN connections c ON c.conn_id = f.conn_id WHERE c.conn_id IS NULL")[0]; n != 0 {
				t.Errorf("%d rows are of no connection", n)
			}
			if n := numbersOf(t, dir, "SELECT COUNT(*) FROM (SELECT f.flow_id FROM flows f JOIN packets p ON p.flow_id = f.flow_id GROUP BY f.flow_id, f.total_packets HAVING COUNT(*) <> f.total_packets) x")[0]; n != 0 {
				t.Errorf("%d rows have other packets than they count", n)
			}
			if c.seenBy != "" {
				if n := numbersOf(t, dir, "SELECT COUNT(*) FROM connections WHERE seen_by <> '"+c.seenBy+"'")[0]; n != 0 {
					t.Errorf("%d are not seen by %s", n, c.seenBy)
				}
			}
		})
	}
}
