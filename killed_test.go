package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact"
)

var kills = flag.Int("kills", 5, "how often TestKilledAnywhere kills")

// killedEnv is set for the process TestKilledAnywhere kills: the archive's folder.
const killedEnv = "WIRESQL_TEST_KILLED"

// killedOptions are of the archive of that test: small, so that segments are begun and
// evicted all the time. Where there is a folder disks beside it, its packets lie there.
func killedOptions(dir string) archive.Options {
	o := archive.Options{NoSync: true, SegmentBytes: 64 << 10, // the kernel outlives the process
		Retention: &archive.Retention{PacketsBytes: 300 << 10}}
	disks := filepath.Join(dir, "..", "disks")
	if _, err := os.Stat(disks); err == nil {
		o.Retention.Roots = []string{filepath.Join(disks, "a"), filepath.Join(disks, "b"), filepath.Join(disks, "c")}
	}
	return o
}

// recordAndKeep captures what is behind the last packet that is durable, and merges,
// settles and evicts all the while.
func recordAndKeep(t *testing.T, dir string) {
	a, err := archive.Open(dir, killedOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	l, err := a.OpenLog(archive.LogOptions{Sensor: "dmz", Interface: "eth1"})
	if err != nil {
		t.Fatal(err)
	}
	src := openLacking(t, filepath.Join(dir, "..", "sent.pcap"))
	src.skip = l.Packets()
	src.at = func(n int64) {
		if n%8 == 0 {
			time.Sleep(time.Millisecond) // packets come over time
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("begins", src.skip)
	var beside sync.WaitGroup
	ctx, stop := context.WithCancel(context.Background())
	for _, step := range []func() error{
		func() error { _, err := a.Evict(); return err },
		func() error { _, err := compact.Round(ctx, a, compact.Config{}); return err },
	} {
		beside.Go(func() {
			for ctx.Err() == nil {
				if err := step(); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	told := false
	err = capture.Live(context.Background(), a, src, capture.LiveOptions{Sensor: "dmz", Interface: "eth1", Interval: 10 * time.Millisecond,
		Checkpoint: 30 * time.Millisecond, Progress: func(capture.LiveStats) {
			if !told {
				told = true
				fmt.Println("recording")
			}
		}})
	stop()
	beside.Wait()
	if err := errors.Join(err, a.Close()); err != nil {
		t.Fatal(err)
	}
}

// A process that captures, begins segments, merges, settles and evicts, and is killed
// at any moment, again and again, leaves what the next goes on from: nothing that was
// durable is lost, nothing is there twice, and in the end there is what an import of the
// packets gives. So it is with packets on several disks, and in a flood that is folded.
func TestKilledAnywhere(t *testing.T) {
	if dir := os.Getenv(killedEnv); dir != "" {
		recordAndKeep(t, dir)
		return
	}
	t.Run("one disk", func(t *testing.T) {
		folder := t.TempDir()
		killedAnywhere(t, folder, repeatCapture(t, morningCapture, filepath.Join(folder, "sent.pcap"), 1+*kills/3))
	})
	t.Run("several disks", func(t *testing.T) {
		folder := t.TempDir()
		if err := os.Mkdir(filepath.Join(folder, "disks"), 0o750); err != nil {
			t.Fatal(err)
		}
		a := killedAnywhere(t, folder, repeatCapture(t, morningCapture, filepath.Join(folder, "sent.pcap"), 1+*kills/3))
		roots, err := a.Roots()
		if err != nil || len(roots) != 4 || roots[0].Segments > 0 {
			t.Errorf("%+v %v", roots, err)
		}
		for _, r := range roots[1:] {
			// What was evicted and what of a segment nobody knows is cleared away.
			left := 0
			err := filepath.WalkDir(filepath.Join(r.Path, "packets"), func(path string, e fs.DirEntry, err error) error {
				if err == nil && !e.IsDir() {
					left++
				}
				return err
			})
			if err != nil && !errors.Is(err, fs.ErrNotExist) || left != r.Segments {
				t.Errorf("%s has %d files, %d are known: %v", r.Path, left, r.Segments, err)
			}
		}
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		used := map[int]bool{}
		for _, s := range c.Segments() {
			used[s.Root()] = true
		}
		if len(used) < 2 {
			t.Errorf("packets went to %v", used)
		}
	})
	t.Run("a flood", func(t *testing.T) {
		folder := t.TempDir()
		sent := filepath.Join(folder, "sent.pcap")
		total := repeatCapture(t, morningCapture, sent, 1)
		total += appendFlood(t, sent, 3000)
		killedAnywhere(t, folder, total)
		folds := askEngine(engineOver(t, filepath.Join(folder, "archive")).NewSession(),
			"SELECT SUM(COALESCE(flows_folded, 1)), SUM(packets), SUM(flows_folded) FROM flows WHERE dst_ip = '10.9.0.80'")
		if len(folds.rows) != 1 || folds.rows[0] != "3000\t3000\t2000" {
			t.Errorf("of 3000: %+v", folds)
		}
	})
}

// appendFlood adds to a capture as many SYNs to one port within a minute, each from an
// address of its own, a hundred a second.
func appendFlood(t *testing.T, path string, n int) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 6, 12, 10, 40, 0, 0, time.UTC).UnixNano()
	for i := range n {
		frame := []byte{2, 0, 0, 0, 0, 80, 2, 0, 0, 0, 0, 1, 8, 0,
			0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 203, 0, byte(i >> 8), byte(i), 10, 9, 0, 80,
			byte(4 + i>>8), byte(i), 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 2, 0, 0, 0, 0, 0, 0}
		b = pcap.AppendRecord(b, &pcap.Record{TS: at + int64(i)*int64(10*time.Millisecond), Data: frame, Length: len(frame)}, false)
	}
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	return n
}

// killedAnywhere has a process record what was sent into the archive, and kills it.
func killedAnywhere(t *testing.T, folder string, total int) *archive.Archive {
	t.Helper()
	dir, sent := filepath.Join(folder, "archive"), filepath.Join(folder, "sent.pcap")
	r := rand.New(rand.NewPCG(uint64(*kills), 1))
	durable := func() (n int64) {
		a, err := archive.Open(dir, archive.Options{ReadOnly: true})
		if err != nil {
			return 0 // it is not made yet
		}
		defer a.Close()
		c, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range c.Damage() {
			t.Errorf("damage: %+v", d)
		}
		for _, s := range c.Segments() {
			n += s.Packets
		}
		return n
	}
	killed, back := 0, []time.Duration{}
	for done := false; !done; {
		before := durable()
		child := exec.Command(os.Args[0], "-test.run=^TestKilledAnywhere$")
		child.Env = append(os.Environ(), killedEnv+"="+dir)
		var complaint bytes.Buffer
		child.Stderr = &complaint
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := ""
		for lines := bufio.NewScanner(out); lines.Scan(); {
			text := lines.Text()
			said += text + "\n"
			var begins int64
			if n, _ := fmt.Sscanf(text, "begins %d", &begins); n == 1 && begins < before {
				t.Errorf("after kill %d it goes on behind packet %d; %d were durable", killed, begins, before)
			}
			if text == "recording" {
				back = append(back, time.Since(began))
				if killed < *kills {
					time.AfterFunc(time.Duration(r.IntN(150))*time.Millisecond, func() { child.Process.Kill() })
				}
			}
		}
		child.Wait()
		switch {
		case child.ProcessState.Success():
			done = true
		case child.ProcessState.Exited():
			t.Fatalf("%s%s", said, complaint.Bytes())
		default:
			killed++
		}
	}
	t.Logf("%d kills; recording again after %v at most", killed, slices.Max(back).Round(time.Millisecond))
	if killed < min(3, *kills) {
		t.Errorf("killed %d times only", killed)
	}
	imports := filepath.Join(folder, "imported")
	i, err := archive.Open(imports, archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if _, err := capture.Import(context.Background(), i, capture.ImportConfig{Paths: []string{sent}}); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(dir, killedOptions(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	evicted := 0
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range c.Segments() {
		switch s.State {
		case archive.StateEvicted:
			evicted++
		case archive.StateAvailable:
		default:
			t.Errorf("segment %d is %s", s.Number(), s.State)
		}
	}
	if evicted == 0 {
		t.Error("nothing was evicted")
	}
	if n := positionsOnce(t, c); n != total {
		t.Errorf("%d packets have positions, of %d", n, total)
	}
	for _, one := range []*archive.Archive{a, i} {
		if _, err := compact.Run(context.Background(), one, compact.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	got, want := engineOver(t, dir), engineOver(t, imports)
	for _, statement := range []string{
		"SELECT ts, ts_end, src_ip, src_port, dst_ip, dst_port, protocol, packets, bytes, reverse_packets, reverse_bytes, tcp_flags, end_reason, flows_folded FROM flows_wide",
		"SELECT ts, ts_end, client_ip, client_port, server_ip, server_port, server_name, protocol, conn_state, client_bytes, server_bytes, packets FROM connections",
		"SELECT ts, client_ip, server_ip, query, qtype, rcode FROM dns",
	} {
		lists := [2][]string{}
		for k, e := range []*engine.Engine{got, want} {
			answer := askEngine(e.NewSession(), statement)
			if answer.err != "" {
				t.Fatal(statement, answer.err)
			}
			lists[k] = answer.rows
			slices.Sort(lists[k])
		}
		if len(lists[1]) < 10 {
			t.Fatal(statement, lists[1])
		}
		if !slices.Equal(lists[0], lists[1]) {
			t.Errorf("%s\n%d rows, imported %d\n%s", statement, len(lists[0]), len(lists[1]), firstDifference(lists[0], lists[1]))
		}
	}
	return a
}

// positionsOnce counts the packets that are in rows: each in one.
func positionsOnce(t *testing.T, c *archive.Catalog) int {
	t.Helper()
	seen := map[tables.ID]bool{}
	count := func(postings []byte) {
		if err := rows.DecodePostings(postings, func(id tables.ID) bool {
			if seen[id] {
				t.Errorf("packet %v is in two rows", id)
			}
			seen[id] = true
			return true
		}); err != nil {
			t.Error(err)
		}
	}
	for _, f := range c.Files(archive.Flows) {
		list, err := rows.ReadAll[tables.Flow](f.File)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			count(list[i].Postings)
		}
	}
	for _, f := range c.Files(archive.Other) {
		list, err := rows.ReadAll[tables.Other](f.File)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			count(list[i].Postings)
		}
	}
	return len(seen)
}

// repeatCapture writes the packets of a capture so many times, an hour apart.
func repeatCapture(t *testing.T, path, to string, times int) (packets int) {
	t.Helper()
	b := pcap.AppendHeader(nil, tables.LinkEthernet, false)
	for n := range times {
		r, err := pcap.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var rec pcap.Record
		for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
			rec.TS += int64(n) * int64(time.Hour)
			b = pcap.AppendRecord(b, &rec, false)
			packets++
		}
		if !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		r.Close()
	}
	if err := os.WriteFile(to, b, 0o640); err != nil {
		t.Fatal(err)
	}
	return packets
}

func firstDifference(got, want []string) string {
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			return fmt.Sprintf("at %d: %s\nimported: %s", i, strings.Join(got[min(i, len(got)):min(i+3, len(got))], "\n"), strings.Join(want[min(i, len(want)):min(i+3, len(want))], "\n"))
		}
	}
	return ""
}
