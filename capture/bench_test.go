package capture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
)

// BenchmarkMeter is the cost of a packet after Decode, with packets of 10,000
// live conversations coming at random.
func BenchmarkMeter(b *testing.B) { benchmarkMeter(b, 10_000) }

// BenchmarkMeterCold has so many conversations that hardly any is in the
// processor's cache when its packet comes: the price is four misses.
func BenchmarkMeterCold(b *testing.B) { benchmarkMeter(b, 200_000) }

func benchmarkMeter(b *testing.B, flows int) {
	rng := rand.New(rand.NewPCG(1, 1))
	headers := make([]tables.Header, flows)
	for i := range headers {
		headers[i] = tables.Header{
			IP: true, Protocol: tables.ProtocolTCP, VLAN: -1, OuterVLAN: -1, L3Length: 600, PayloadOffset: 54,
			Src: tables.Addr{Lo: rng.Uint64()}, Dst: tables.Addr{Lo: rng.Uint64()},
			SrcPort: uint16(rng.Uint32()), DstPort: 443, TCPFlags: tables.TCPAck,
		}
	}
	order := make([]int32, 1<<20)
	for i := range order {
		order[i] = rng.Int32N(int32(flows))
	}
	var sink discard
	m := NewMeter(Config{}, &sink, nil)
	p := &Packet{Length: 614, Data: make([]byte, 614)}
	b.ReportAllocs()
	b.ResetTimer()
	b.ReportMetric(float64(unsafe.Sizeof(conversation{})), "B/conversation")
	for i := range b.N {
		p.TS = int64(i) * 20_000
		p.ID = tables.PacketID(1, int64(i)*630)
		p.Header = &headers[order[i&(1<<20-1)]]
		if err := m.Packet(p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkImport copies and meters a generated capture of 1 GB and compares
// its user and system time with that of tcpdump -r X -w Y, both without fsync.
// The bar is 1.5.
func BenchmarkImport(b *testing.B) {
	dir := b.TempDir()
	file := filepath.Join(dir, "large.pcap")
	cmd := exec.Command("go", "run", "../testdata/generate", "-o", file, "-bytes", "1e9")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("generate: %v: %s", err, out)
	}
	st, err := os.Stat(file)
	if err != nil {
		b.Fatal(err)
	}
	var ours, packets float64
	b.SetBytes(st.Size())
	b.ResetTimer()
	for i := range b.N {
		a := openArchive(b, filepath.Join(dir, fmt.Sprint("data", i)))
		before := cpuTime(b)
		rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{file}})
		if err != nil || rep.Packets == 0 {
			b.Fatal(err, rep)
		}
		ours += (cpuTime(b) - before).Seconds()
		packets += float64(rep.Packets)
	}
	b.StopTimer()
	b.ReportMetric(ours/packets*1e9, "ns-cpu/packet")
	if _, err := exec.LookPath("tcpdump"); err != nil {
		return
	}
	var theirs time.Duration
	for i := range b.N {
		copied := filepath.Join(dir, fmt.Sprint("copy", i))
		cmd := exec.Command("tcpdump", "-r", file, "-w", copied)
		if out, err := cmd.CombinedOutput(); err != nil {
			b.Fatalf("tcpdump: %v: %s", err, out)
		}
		theirs += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(ours/theirs.Seconds(), "x-tcpdump-cpu")
}

// cpuTime is what the process has used, user and system.
func cpuTime(b *testing.B) time.Duration {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkObservers is the CPU of an import of real traffic, of many protocols,
// beside that of one that observes nothing. The bar is 1.6.
func BenchmarkObservers(b *testing.B) {
	file := filepath.Join(sharedCaptures, "realistic", "mix-30min.pcap")
	if _, err := os.Stat(file); err != nil {
		b.Skip("no shared captures: ", err)
	}
	var cpu [2]time.Duration
	for b.Loop() {
		for i := range cpu {
			a := openArchive(b, b.TempDir())
			before := cpuTime(b)
			if rep, err := Import(context.Background(), a, ImportConfig{Paths: []string{file}, Unobserved: i == 0}); err != nil || rep.Packets == 0 {
				b.Fatal(err, rep)
			}
			cpu[i] += cpuTime(b) - before
		}
	}
	b.ReportMetric(float64(cpu[1])/float64(cpu[0]), "x-unobserved-cpu")
}
