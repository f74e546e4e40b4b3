package compact

import (
	"context"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// BenchmarkRun compacts what an import of about 27 packets a conversation
// leaves: two files of flow rows, one conversation in twenty in three pieces.
// The time of a row counts in what an import costs.
func BenchmarkRun(b *testing.B) {
	const rows = 400_000
	var spent time.Duration
	for b.Loop() {
		b.StopTimer()
		dir := b.TempDir()
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		tx, err := a.Begin("import")
		if err != nil {
			b.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		at := tables.Time(1_700_000_000_000_000)
		pending := map[int][]tables.Flow{}
		var dns []tables.DNS
		n := 0
		for file := range 2 {
			var out []tables.Flow
			for len(out) < rows/2 {
				at += tables.Time(r.IntN(2000))
				n++
				f := benchFlow(r, n, at)
				if n%20 == 0 {
					f.LastPiece = tables.Some(false)
					second, third := f, f
					second.Piece, third.Piece, third.LastPiece = tables.Some(int32(2)), tables.Some(int32(3)), tables.Some(true)
					second.FlowID, third.FlowID = f.FlowID+1, f.FlowID+2
					pending[n+1000], pending[n+2000] = append(pending[n+1000], second), append(pending[n+2000], third)
				}
				if n%10 == 0 {
					dns = append(dns, tables.DNS{TS: at - 1000, Sensor: "s", Client: f.Src, Server: f.Dst, Query: fmt.Sprintf("h%d.example", n%500),
						QType: "A", RCode: "NOERROR", Answers: f.Dst.String(), TTL: tables.Some(int64(60)), Protocol: 17})
				}
				out = append(out, f)
				for _, p := range pending[n] {
					p.TS, p.TSEnd = at, at+1000
					out = append(out, p)
				}
				delete(pending, n)
			}
			if _, err := archive.WriteRows(tx, "e", out); err != nil {
				b.Fatal(err)
			}
			if file == 1 {
				if _, err := archive.WriteRows(tx, "e", dns); err != nil {
					b.Fatal(err)
				}
			}
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		begin := cpu()
		b.StartTimer()
		if _, err := Run(context.Background(), a, Config{}); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		spent += cpu() - begin
		a.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/rows, "cpu-ns/row")
}

// cpu is the time all threads have run, in the kernel too.
func cpu() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func benchFlow(r *rand.Rand, n int, at tables.Time) tables.Flow {
	packets := int64(r.ExpFloat64() * 13)
	postings := make([]byte, 4+2*2*packets)
	for i := range postings {
		postings[i] = byte(r.Uint32())
	}
	some := tables.Some[int64]
	ip := func(net byte) tables.Addr {
		return tables.AddrFrom4([]byte{net, 0, byte(r.IntN(8)), byte(r.IntN(250))})
	}
	return tables.Flow{TS: at, TSEnd: at + tables.Time(r.IntN(50_000_000)), SourceType: "packets", Sensor: "s",
		Src: ip(10), Dst: ip(198), SrcPort: int32(r.IntN(30000) + 30000), DstPort: 443, Protocol: 6,
		SrcMAC: some(int64(r.IntN(100))), DstMAC: some(1),
		Bytes: packets * 120, Packets: packets + 1, ReverseBytes: some(packets * 900), ReversePackets: some(packets + 1),
		WireBytes: some(packets * 134), ReverseWireBytes: some(packets * 914),
		TCPFlags: tables.Some(int32(27)), ReverseTCPFlags: tables.Some(int32(27)), TOS: tables.Some(int32(0)), TTL: tables.Some(int32(64)),
		Fragments: some(0), RTTUs: some(int64(r.IntN(30000))), Service: "https", ConnState: "SF", OrientedBy: "syn", EndReason: "end",
		Piece: tables.Some(int32(1)), LastPiece: tables.Some(true), ConnTS: tables.Some(at), Encrypted: tables.Some(true),
		CID: r.Uint64(), FlowID: tables.ID(r.Uint64()), ConnID: tables.ID(r.Uint64()),
		Segments: []int32{1}, CutPackets: some(0), Postings: postings}
}

// BenchmarkMergeExports merges micro files of v5 rows to an epoch file.
func BenchmarkMergeExports(b *testing.B) {
	const files, each = 5, 100_000
	a, err := archive.Open(b.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	at := now() - 3600*second
	r := rand.New(rand.NewPCG(1, 2))
	for f := range files {
		tx, err := a.Begin("collector")
		if err != nil {
			b.Fatal(err)
		}
		rows := make([]tables.Export, each)
		for i := range rows {
			x := &rows[i]
			// Flows of a minute end in the same two seconds: the files interleave.
			x.TS = at + tables.Time(f)*2*second + tables.Time(i)*600
			x.TSEnd = x.TS + tables.Time(r.IntN(15_000_000))
			x.Resolution, x.SourceType, x.Observer, x.Domain = 1000, "netflow5", "r1", tables.Some(int64(0))
			x.Src, x.Dst = tables.AddrFrom4([]byte{10, 0, byte(r.IntN(8)), byte(r.IntN(250))}), tables.Addr{Lo: 0xffff_0000_0000 | uint64(r.Uint32())}
			x.SrcPort, x.DstPort, x.Protocol = 32768+r.Int32N(28000), 443, 6
			x.Packets = 1 + int64(r.ExpFloat64()*10)
			x.Bytes = x.Packets * int64(40+r.IntN(1000))
			x.TCPFlags, x.TOS, x.InIf, x.OutIf = tables.Some(int32(27)), tables.Some(int32(0)), tables.Some(int64(r.IntN(4))), tables.Some(int64(r.IntN(4)))
			x.TimeReceived, x.TimeQuality = tables.Some(x.TSEnd), "ok"
			x.CID, x.FlowID = r.Uint64(), tables.ID(f*each+i)
		}
		if _, err := archive.WriteRows(tx, "m", rows); err != nil {
			b.Fatal(err)
		}
		if err := tx.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	cat, err := a.Catalog()
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	b.ResetTimer()
	begin, n := cpu(), 0
	for b.Loop() {
		tx, err := a.Begin(writer)
		if err != nil {
			b.Fatal(err)
		}
		tx.Supersede(cat.Files(archive.Exports))
		if err := mergers[archive.Exports](context.Background(), tx, cat, cat.Files(archive.Exports), pending, 0); err != nil {
			b.Fatal(err)
		}
		n += files * each
		if err := tx.Abort(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpu()-begin).Nanoseconds())/float64(n), "cpu-ns/row")
}
