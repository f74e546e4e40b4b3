package main

import (
	"encoding/hex"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

// stream(conn_id) of every TCP conversation is what tshark follows.
func TestStreamsAgainstTshark(t *testing.T) {
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip(err)
	}
	got := map[string]int{}
	for _, row := range askEngineCells(demoEngine(t).NewSession(), "SELECT stream(conn_id) FROM connections WHERE protocol = 'tcp'").rows {
		got[row[0].String]++
	}
	streams := 0
	for _, file := range []string{"dmz.pcap.gz", "office-morning.pcap", "office-afternoon.pcapng"} {
		path := "testdata/captures/" + file
		out, err := exec.Command("tshark", "-n", "-r", path, "-Y", "tcp", "-T", "fields", "-e", "tcp.stream").Output()
		if err != nil {
			t.Fatal(err)
		}
		last := -1
		for _, f := range strings.Fields(string(out)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			last = max(last, n)
		}
		args := []string{"-n", "-r", path, "-q"}
		for i := range last + 1 {
			args = append(args, "-z", fmt.Sprintf("follow,tcp,raw,%d", i))
		}
		if out, err = exec.Command("tshark", args...).Output(); err != nil {
			t.Fatal(err)
		}
		for _, s := range strings.Split(string(out), "Follow: tcp,raw\n")[1:] {
			want := textOf(t, strings.Split(s, "\n"))
			if streams++; got[want] == 0 {
				t.Errorf("%s: no conversation is what tshark follows:\n%.300s", file, want)
			}
			got[want]--
		}
	}
	if streams < 80 {
		t.Errorf("only %d streams", streams)
	}
	t.Logf("%d streams", streams)
}

// textOf writes tshark's hex of a stream as text; what the second node said is
// indented there.
func textOf(t *testing.T, lines []string) string {
	nodes := []string{strings.TrimPrefix(lines[1], "Node 0: "), strings.TrimPrefix(lines[2], "Node 1: ")}
	out := nodes[0] + " → " + nodes[1] + " tcp\n"
	var turns [][]byte
	var sides []bool
	for _, line := range lines[3:] {
		if strings.HasPrefix(line, "=") || line == "" {
			continue
		}
		b, err := hex.DecodeString(strings.TrimPrefix(line, "\t"))
		if err != nil {
			t.Fatal(err)
		}
		if second := line[0] == '\t'; len(turns) == 0 || sides[len(sides)-1] != second {
			turns, sides = append(turns, b), append(sides, second)
		} else {
			turns[len(turns)-1] = append(turns[len(turns)-1], b...)
		}
	}
	for i, b := range turns {
		text := strings.Map(func(r rune) rune {
			if r == unicode.ReplacementChar || r != '\n' && r != '\t' && !unicode.IsGraphic(r) {
				return '.'
			}
			return r
		}, strings.ReplaceAll(string(b), "\r\n", "\n"))
		mark := "→ "
		if sides[i] {
			mark = "← "
		}
		if out += mark + text; !strings.HasSuffix(text, "\n") {
			out += "\n"
		}
	}
	return out
}
