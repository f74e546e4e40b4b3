package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Two interfaces that see the same packets, recorded live, are one connection each
// conversation: while it is young, and when it is settled.
func TestTwoInterfacesOneConnection(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	dir := nobodys(t)
	d := start(t, "record", "--data", dir, "--netflow=", "--sflow=", "--capture", "left filter=ip", "--capture", "right filter=ip", "--user", "nobody")
	d.says(`recording packets of (left)`)
	sh(t, "tcpreplay -q -p 1000 -i right "+officeMorning)
	lines, err := exec.Command("tcpdump", "-n", "-r", officeMorning, "ip").Output()
	if err != nil {
		t.Fatal(err)
	}
	want := int64(bytes.Count(lines, []byte("\n")))
	await(t, 3*time.Minute, "the packets to be durable", func() bool {
		s := status(t, dir).Recorder
		return s != nil && len(s.Interfaces) == 2 && s.Interfaces[0].Packets+int64(s.Interfaces[0].Dropped) == want &&
			s.Interfaces[1].Packets+int64(s.Interfaces[1].Dropped) == want
	})
	for _, i := range status(t, dir).Recorder.Interfaces {
		if i.Dropped > 0 {
			t.Skipf("%d packets of %s were dropped", i.Dropped, i.Name)
		}
	}
	check := func(when string) {
		t.Helper()
		n := numbersOf(t, dir, "SELECT SUM(packets), COUNT(*), SUM(seen_by = 'left,right') FROM connections")
		if n[0] != want || n[1] != n[2] {
			t.Errorf("%s: %d packets, want %d; of %d conversations %d are seen by both", when, n[0], want, n[1], n[2])
		}
		for text, want := range map[string]int64{
			"SELECT COUNT(*) FROM connections JOIN packets USING (conn_id)":                                         want,
			"SELECT COUNT(*) FROM packets":                                                                          2 * want,
			"SELECT COUNT(*) FROM flows JOIN packets USING (flow_id)":                                               2 * want,
			"SELECT COUNT(*) FROM flows f LEFT JOIN connections c ON c.conn_id = f.conn_id WHERE c.conn_id IS NULL": 0,
			"SELECT COUNT(*) FROM connections c JOIN packets p ON p.conn_id = c.conn_id WHERE p.sensor <> c.sensor": 0,
			"SELECT COUNT(DISTINCT observer, conn_id) - 2 * COUNT(DISTINCT conn_id) FROM flows":                     0,
			"SELECT SUM(total_packets) FROM flows WHERE conn_id IN (SELECT conn_id FROM connections)":               2 * want,
		} {
			if n := numbersOf(t, dir, text)[0]; n != want {
				t.Errorf("%s: %s is %d, want %d", when, text, n, want)
			}
		}
		// The packets of one, however they are asked for.
		code, ids, complaint := runProgram(t, nil, "query", "--data", dir, "--format", "csv", "SELECT conn_id, packets FROM connections ORDER BY packets DESC, conn_id LIMIT 1")
		if code != 0 {
			t.Fatal(complaint)
		}
		id, packets, _ := strings.Cut(strings.Fields(ids)[1], ",")
		for _, text := range []string{
			"SELECT COUNT(*) FROM connections c JOIN packets p USING (conn_id) WHERE c.conn_id = '" + id + "'",
			"SELECT COUNT(*) FROM packets WHERE conn_id = '" + id + "'",
			"SELECT COUNT(info) FROM packets WHERE conn_id = '" + id + "'",
			"SELECT COUNT(info) FROM packets WHERE conn_id = '" + id + "' AND ts > '2000-01-01'",
			"SELECT COUNT(info) FROM packets_wide WHERE conn_id IN ('" + id + "', '" + id + "')",
			"SELECT COUNT(payload) FROM packet_bytes WHERE conn_id = '" + id + "'",
		} {
			if n := numbersOf(t, dir, text)[0]; fmt.Sprint(n) != packets {
				t.Errorf("%s: %s is %d, want %s", when, text, n, packets)
			}
		}
	}
	check("young")
	if code := d.stop(os.Interrupt); code != 0 {
		t.Errorf("code %d", code)
	}
	check("stopped")
	if code, _, complaint := runProgram(t, nil, "compact", "--data", dir, "--once"); code != 0 {
		t.Fatalf("compact: exit %d: %s", code, complaint)
	}
	check("settled")
}
