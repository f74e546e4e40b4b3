package capture

import (
	"context"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// ending is a Device that ends when it is told to and nothing comes.
type ending struct {
	*Device
	over *atomic.Bool
}

func (s ending) Next(rec *pcap.Record) error {
	over := s.over.Load()
	err := s.Device.Next(rec)
	if over && errors.Is(err, ErrIdle) {
		return io.EOF
	}
	return err
}

// between are frames of two hosts, in both directions and behind all that may stand in
// front: one worker's.
func between(version byte, pair byte) (out [][]byte) {
	kind, ppp := []byte{8, 0}, []byte{0, 0x21}
	if version == 6 {
		kind, ppp = []byte{0x86, 0xdd}, []byte{0, 0x57}
	}
	fronts := [][]byte{kind, append([]byte{0x81, 0, 0, 5}, kind...), append([]byte{0x88, 0xa8, 0, 100, 0x81, 0, 0, 5}, kind...),
		append([]byte{0x89, 0x26, 0, 1, 0, 2}, kind...), append([]byte{0x89, 0x3f, 0, 0, 0, 0, 0, 0}, kind...),
		append([]byte{0x89, 0x09, 1, 1, 0, 1, 0, 99}, kind...), {0x88, 0x47, 0, 1, 0, 64, 0, 2, 1, 64},
		append([]byte{0x88, 0x64, 0x11, 0, 0, 1, 0, 50}, ppp...)}
	for turn := range 2 {
		ends := [2][]byte{{10, 1, 0, pair}, {10, 2, 0, pair}}
		for _, front := range fronts {
			b := append([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, front...)
			switch a, z := ends[turn], ends[1-turn]; version {
			case 4:
				b = append(append(append(b, 0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0, 0), a...), z...)
			default:
				b = append(b, 0x60, 0, 0, 0, 0, 8, 17, 64)
				for _, end := range [][]byte{a, z} {
					b = append(append(b, 0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0), end...)
				}
			}
			b = append(b, 0x30, byte(0x39+turn), 0x30, byte(0x3a-turn), 0, 8, 0, 0)
			if version == 4 { // behind labels it is asked for its checksum
				head := b[12+len(front):][:20]
				var sum uint32
				for i := 0; i < 20; i += 2 {
					sum += uint32(head[i])<<8 | uint32(head[i+1])
				}
				sum = ^(sum&0xffff + sum>>16)
				head[10], head[11] = byte(sum>>8), byte(sum)
			}
			out = append(out, b)
		}
	}
	return out
}

// Each packet comes to one worker, and all of two hosts to the same, whichever way
// they go, also when the interface went and came back.
func TestDeviceWorkers(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	const workers, pairs = 4, 40
	devices := openAll(t, "left workers=4")
	var frames [][]byte
	for pair := range byte(pairs) {
		frames = append(append(frames, between(4, pair)...), between(6, pair)...)
	}
	// shares says which worker took each pair, of the hosts of a version.
	shares := func(devices []*Device) map[[2]byte]int {
		of, n := map[[2]byte]int{}, 0
		lists := make([][]pcap.Record, len(devices))
		for began := time.Now(); n < len(frames) && time.Since(began) < 2*time.Minute; {
			for worker, d := range devices {
				list := drained(t, d, 0)
				lists[worker], n = append(lists[worker], list...), n+len(list)
			}
		}
		for worker, d := range devices {
			list := append(lists[worker], drained(t, d, 0)...) // and none twice
			n += len(list) - len(lists[worker])
			if len(list) == 0 {
				t.Errorf("worker %d has nothing", worker)
			}
			for i := range list {
				var h tables.Header
				tables.Decode(list[i].Link, list[i].Data, list[i].Length, &h)
				pair := [2]byte{4, byte(h.Src.Lo)}
				if !h.Src.Is4() {
					pair[0] = 6
				}
				if before, ok := of[pair]; !h.IP || ok && before != worker {
					t.Errorf("pair %d is of workers %d and %d: %x", pair, before, worker, list[i].Data)
				}
				of[pair] = worker
			}
		}
		if n != len(frames) || len(of) != 2*pairs {
			t.Errorf("%d packets of %d, pairs %d", n, len(frames), len(of))
		}
		return of
	}
	out := openAll(t, "right workers=4")
	send(t, "right", frames...)
	first := shares(devices)
	if sent := shares(out); !maps.Equal(first, sent) {
		t.Errorf("what is sent is divided in another way: %v, %v", first, sent)
	}
	sh(t, "ip link del left")
	state := func(want DeviceState) {
		for _, d := range devices {
			for d.State() != want {
				if err := d.Next(new(pcap.Record)); !errors.Is(err, ErrIdle) {
					t.Fatal(err)
				}
			}
		}
	}
	state(DeviceGone)
	sh(t, "ip link add left type veth peer name right; ip link set right up; ip link set left up")
	state(DeviceUp)
	send(t, "right", frames...)
	if again := shares(devices); !maps.Equal(first, again) {
		t.Errorf("it is divided in another way: %v, %v", first, again)
	}
}

// What workers record of an interface's packets is what an import of what tcpdump
// saw beside them gives: both directions, fragments in any order, tags and tunnels.
func TestLiveWorkers(t *testing.T) {
	if !inNetwork(t) {
		return
	}
	const workers = 3
	devices := openAll(t, "left workers=3")
	a := liveArchive(t)
	var over atomic.Bool
	var came [workers]atomic.Int64
	var errs [workers]error
	var all sync.WaitGroup
	for n, d := range devices {
		all.Go(func() {
			errs[n] = Live(context.Background(), a, ending{d, &over}, LiveOptions{Sensor: "dmz", Interface: "left", Worker: n,
				Interval: 100 * time.Millisecond, Progress: func(s LiveStats) { came[n].Store(s.Packets) }})
		})
	}
	beside := tcpdump(t, "left")
	cases, err := filepath.Glob("../testdata/cases/*.pcap")
	if err != nil {
		t.Fatal(err)
	}
	files := []string{morning}
	for _, file := range cases {
		if list := readCapture(t, file); list[0].Link == tables.LinkEthernet {
			files = append(files, file)
		}
	}
	sent := 0
	for _, file := range files {
		replay(t, "-p", "5000", "-i", "right", file)
		sent += len(readCapture(t, file))
	}
	for began := time.Now(); came[0].Load()+came[1].Load()+came[2].Load() < int64(sent); time.Sleep(50 * time.Millisecond) {
		if time.Since(began) > 2*time.Minute {
			break
		}
	}
	over.Store(true)
	all.Wait()
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	packets := beside()
	if len(packets) != sent {
		t.Fatalf("tcpdump has %d packets of %d", len(packets), sent)
	}
	for n, d := range devices {
		if received, dropped := d.Loss(); dropped > 0 || received == 0 || int64(received) != came[n].Load() {
			t.Errorf("worker %d: received %d, dropped %d, recorded %d", n, received, dropped, came[n].Load())
		}
	}
	file := filepath.Join(t.TempDir(), "beside.pcap")
	b := pcap.AppendHeader(nil, tables.LinkEthernet, true)
	for i := range packets {
		b = pcap.AppendRecord(b, &packets[i], true)
	}
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	imported := liveArchive(t)
	if _, err := Import(context.Background(), imported, ImportConfig{Paths: []string{file}}); err != nil {
		t.Fatal(err)
	}
	want, have := metered(t, imported), metered(t, a)
	for _, rows := range []map[archive.Family][]string{want, have} { // which of several meters knows what is quoted is not told
		for i, row := range rows[archive.ICMP] {
			rows[archive.ICMP][i] = strings.Replace(row, "InnerConnID:{V:0000000000000 Set:true}", "InnerConnID:{V:0000000000000 Set:false}", 1)
		}
	}
	t.Logf("%d packets of %d files, rows: %v", sent, len(files), len(slices.Concat(slices.Collect(maps.Values(want))...)))
	compareRows(t, 0, have, want)
}
