//go:build linux

package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

// load sends v5 flows whose byte counts number them, 30 a datagram, until it
// is stopped, and knows when it sent which.
type load struct {
	sentAt []time.Time  // of each datagram
	sent   atomic.Int64 // datagrams
	stop   atomic.Bool
	done   chan error
}

const (
	loadPort  = 42000 // source port of all its flows
	loadBatch = 30
	loadBytes = 1000 // of flow 0
)

func startLoad(t *testing.T, address string, datagramsPerSecond float64) *load {
	t.Helper()
	s, err := datagrams.Dial(netip.MustParseAddrPort("127.0.0.41:0"), netip.MustParseAddrPort(address))
	if err != nil {
		t.Fatal(err)
	}
	l := &load{done: make(chan error, 1)}
	start := time.Now().UnixMicro()
	e := datagrams.Exporter{Protocol: datagrams.NetFlow5, Domain: 1, Boot: start - 3_600_000_000}
	flows := make([]datagrams.Flow, loadBatch)
	next := uint64(loadBytes)
	go func() {
		defer s.Close()
		for !l.stop.Load() {
			// A slice of a tenth of a second, at an even pace.
			_, err := datagrams.Paced(int(datagramsPerSecond/10), datagramsPerSecond, func(from, to int) error {
				for range to - from {
					now := time.Now()
					at := now.UnixMicro()
					for i := range flows {
						flows[i] = datagrams.Flow{Src: netip.AddrFrom4([4]byte{10, 30, byte(next >> 8), byte(next)}), Dst: netip.MustParseAddr("198.51.100.7"),
							SrcPort: loadPort, DstPort: 443, Protocol: 6, TCPFlags: 0x1b, Start: at/1000*1000 - 1_000_000, End: at / 1000 * 1000,
							Packets: 1, Bytes: next, NextHop: netip.MustParseAddr("192.0.2.1")}
						next++
					}
					l.sentAt = append(l.sentAt, now)
					l.sent.Add(1)
					if err := s.Send(e.Datagram(nil, flows, at)); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				l.done <- err
				return
			}
		}
		l.done <- nil
	}()
	t.Cleanup(func() { l.stop.Store(true) })
	return l
}

// end stops sending and returns how many flows were sent.
func (l *load) end(t *testing.T) int {
	t.Helper()
	l.stop.Store(true)
	if err := <-l.done; err != nil {
		t.Fatal(err)
	}
	return len(l.sentAt) * loadBatch
}

// outage is a time without a recorder.
type outage struct {
	killed, back time.Time
	mark         time.Time // all that came before is durable, the recorder had said
}

// A recorder that is killed while flows come in has what it had said is
// durable, which is all that came two seconds before; it stores no flow twice,
// and is back in a moment.
func TestKilledRecorder(t *testing.T) {
	const (
		durable = 2 * time.Second
		slack   = 5 * time.Second // machines that run the tests are busy
		arrival = 300 * time.Millisecond
	)
	dir := t.TempDir()
	recorder, address := record(t, dir, "127.0.0.1:0")
	l := startLoad(t, address, 300)
	var outages []outage
	for _, after := range []time.Duration{2700 * time.Millisecond, 3300 * time.Millisecond} {
		time.Sleep(after) // flows that are to be kept
		killed := time.Now()
		recorder.stop(syscall.SIGKILL)
		mark := watermark(t, dir)
		if age := killed.Sub(mark); age > durable+slack {
			t.Errorf("at the kill all was durable that came %v before, want %v", age, durable)
		}
		recorder, _ = record(t, dir, address)
		back := time.Now()
		if took := back.Sub(killed); took > durable+2*slack {
			t.Errorf("back after %v", took)
		}
		outages = append(outages, outage{killed, back, mark})
	}
	more := l.sent.Load() + 5 // after the last outage, too
	await(t, 10*time.Second, "more flows", func() bool { return l.sent.Load() > more })
	sent := l.end(t)
	drained(t, int(netip.MustParseAddrPort(address).Port()))
	recorder.ends(t)

	stored := map[int]bool{}
	for _, r := range sqlOf(t, dir, fmt.Sprintf("SELECT bytes FROM flows WHERE src_port = %d", loadPort)) {
		n := int(number(t, r[0])) - loadBytes
		if stored[n] || n < 0 || n >= sent {
			t.Fatalf("flow %d of %d is there twice or was never sent", n, sent)
		}
		stored[n] = true
	}
	var lost [2]int
	for n := range sent {
		if stored[n] {
			continue
		}
		at := l.sentAt[n/loadBatch]
		excused := false
		for i, o := range outages {
			if at.After(o.mark.Add(-arrival)) && at.Before(o.back) {
				lost[i]++
				excused = true
			}
		}
		if !excused {
			t.Errorf("flow %d is lost, sent %v before the first kill", n, outages[0].killed.Sub(at))
			break
		}
	}
	t.Logf("%d of %d flows stored; lost by the kills and before the recorder was back: %v (%v and %v)", len(stored), sent, lost,
		outages[0].back.Sub(outages[0].killed).Round(time.Millisecond), outages[1].back.Sub(outages[1].killed).Round(time.Millisecond))
}

// watermark is what the recorder published last.
func watermark(t *testing.T, dir string) time.Time {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, stateFolder, "collector.watermark"))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Fields(string(text))
	if len(lines) != 2 || lines[0] != lines[1] {
		t.Fatalf("watermark %q", text)
	}
	return time.UnixMicro(number(t, strings.TrimLeft(lines[0], "0")))
}

// A server that holds more than its ceiling, and has no statement to end for it,
// ends itself and is started again; meanwhile no datagram is lost. Here sessions
// hold it, each no more than it may, in variables.
func TestCeilingLosesNothing(t *testing.T) {
	dir := t.TempDir()
	d, address, ask := up(t, dir, "--memory-limit", strconv.Itoa(engine.LeastMemory))
	recorder := children(t, d.cmd.Process.Pid)["record"]
	l := startLoad(t, address, 300)
	stored := fmt.Sprintf("SELECT COUNT(*) FROM flows WHERE src_port = %d", loadPort)
	await(t, 30*time.Second, "flows in an answer", func() bool {
		n, err := ask(stored)
		return err == nil && n != "0"
	})
	password, err := os.ReadFile(filepath.Join(dir, "serve", "password"))
	if err != nil {
		t.Fatal(err)
	}
	s := &served{daemon: d, address: "127.0.0.1:" + d.says(`serving .* -P (\d+) `), password: strings.TrimSpace(string(password))}
	db := s.open(t, nil)
	for range 40 {
		c, err := db.Conn(t.Context())
		if err != nil {
			break // the server has ended
		}
		defer c.Close()
		for i := range 15 { // a little at a time: that it is too much is no statement's fault
			_, _ = c.ExecContext(t.Context(), fmt.Sprintf("SET @v%d = REPEAT('x', 1000000)", i))
		}
	}
	d.says(`wiresql serve: [\d.]+ MB of memory are held, the ceiling is 268\.4 MB, and there is no statement left whose end would help; the process ends`)
	d.says(`serve died after \S+ \(exit status 4\); starting it again in 1s`)
	d.says(`serve started again, process (\d+)`)
	await(t, 30*time.Second, "a server again", func() bool { return strings.Count(d.out.String(), "\nserving ") == 2 })
	sent := l.end(t)
	await(t, 20*time.Second, fmt.Sprintf("all %d flows", sent), func() bool { return numbersOf(t, dir, stored)[0] == int64(sent) })
	if now := children(t, d.cmd.Process.Pid)["record"]; now != recorder {
		t.Errorf("the recorder was process %d and is %d", recorder, now)
	}
	d.ends(t)
	account := numbersOf(t, dir, "SELECT SUM(sent), SUM(decoded) FROM ops.sockets")
	if want := int64(sent / loadBatch); account[0] != want || account[1] != want {
		t.Errorf("sent and decoded: %v of %d datagrams", account, want)
	}
}

// Killing the server, again and again, loses no datagram: the recorder is
// another process, and up starts the server again.
func TestKilledServerLosesNothing(t *testing.T) {
	dir := t.TempDir()
	d, address, ask := up(t, dir)
	recorder := children(t, d.cmd.Process.Pid)["record"]
	l := startLoad(t, address, 300)
	stored := fmt.Sprintf("SELECT COUNT(*) FROM flows WHERE src_port = %d", loadPort)
	await(t, 20*time.Second, "flows in an answer", func() bool {
		n, err := ask(stored)
		return err == nil && n != "0"
	})
	for n := range 2 {
		if err := syscall.Kill(children(t, d.cmd.Process.Pid)["serve"], syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		await(t, 20*time.Second, "a server again", func() bool { return strings.Count(d.out.String(), "\nserving ") == n+2 })
	}
	sent := l.end(t)
	await(t, 10*time.Second, fmt.Sprintf("all %d flows", sent), func() bool { return numbersOf(t, dir, stored)[0] == int64(sent) })
	if now := children(t, d.cmd.Process.Pid)["record"]; now != recorder {
		t.Errorf("the recorder was process %d and is %d", recorder, now)
	}
	d.ends(t)
	account := numbersOf(t, dir, "SELECT SUM(sent), SUM(decoded) FROM ops.sockets")
	if want := int64(sent / loadBatch); account[0] != want || account[1] != want {
		t.Errorf("sent and decoded: %v of %d datagrams", account, want)
	}
}
