package compact

import (
	"context"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// BenchmarkSettle settles five minutes of one exporter: epoch files of a minute,
// each conversation two rows, one in ten going on for some minutes. A run each
// minute, as the schedule does, so that it includes what is carried, and what
// looking for earlier connections costs.
func BenchmarkSettle(b *testing.B) {
	const minutes, each = 5, 100_000
	var spent time.Duration
	var peak uint64
	for b.Loop() {
		b.StopTimer()
		a, err := archive.Open(b.TempDir(), archive.Options{NoSync: true})
		if err != nil {
			b.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		begin := tables.Time(1_700_000_000_000_000)
		for m := range tables.Time(minutes) {
			rows := make([]tables.Export, 0, each)
			for i := range each / 2 {
				x := benchExport(r, begin+m*60*second+tables.Time(i)*60*second/(each/2))
				if r.IntN(10) == 0 && m > 0 {
					x.TS -= 60 * second
				}
				y := x
				y.Src, y.Dst, y.SrcPort, y.DstPort, y.InIf, y.OutIf = x.Dst, x.Src, x.DstPort, x.SrcPort, x.OutIf, x.InIf
				rows = append(rows, x, y)
			}

			tx, err := a.Begin("collector")
			if err != nil {
				b.Fatal(err)
			}
			sortExports(rows)
			if _, err := archive.WriteRows(tx, "e", rows); err != nil {
				b.Fatal(err)
			}
			if err := tx.Commit(); err != nil {
				b.Fatal(err)
			}
		}
		runtime.GC()
		before := cpu()
		b.StartTimer()
		var stats Stats
		for m := range tables.Time(minutes) {
			if err := settleDue(context.Background(), a, begin+m*60*second+80*second+settleWait, wide, &stats); err != nil {
				b.Fatal(err)
			}
			var mem runtime.MemStats
			runtime.ReadMemStats(&mem)
			peak = max(peak, mem.Sys)
		}
		b.StopTimer()
		if stats.Rows != minutes*each {
			b.Fatalf("%+v", stats)
		}
		spent += cpu() - before
		a.Close()
		b.StartTimer()
	}
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/(minutes*each), "cpu-ns/row")
	b.ReportMetric(float64(peak)/(1<<20), "MB")
}

func benchExport(r *rand.Rand, at tables.Time) tables.Export {
	ip := func(net byte) tables.Addr {
		return tables.AddrFrom4([]byte{net, 0, byte(r.IntN(8)), byte(r.IntN(250))})
	}
	packets := int64(1 + r.ExpFloat64()*13)
	return tables.Export{TS: at, TSEnd: at + tables.Time(r.IntN(15_000_000)), Resolution: 1000, SourceType: "netflow5", Observer: "r1",
		Src: ip(10), Dst: ip(198), SrcPort: int32(r.IntN(30000) + 30000), DstPort: 443, Protocol: 6 + int32(r.IntN(2))*11,
		Bytes: packets * 500, Packets: packets, TCPFlags: tables.Some(int32(27)), TOS: tables.Some(int32(0)),
		InIf: tables.Some[int64](1), OutIf: tables.Some[int64](2), Domain: tables.Some[int64](0),
		TimeReceived: tables.Some(at + 20*second), TimeQuality: "ok", CID: r.Uint64(), FlowID: tables.ID(r.Uint64() >> 40)}
}
