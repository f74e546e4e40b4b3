// Package samples makes rows like those of a busy network, and row files like
// those of earlier versions, for tests and benchmarks.
package samples

import (
	"math"
	"math/rand/v2"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// CPUTime is the process's user and system time: other programs on the machine
// do not count.
func CPUTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Exports makes rows like those of NetFlow v5, the widest of which is 22
// columns, from a router with 2000 clients inside. Each is a flow of its own.
func Exports(n int, seed uint64) []tables.Export {
	rng := rand.New(rand.NewPCG(seed, 2))
	rows := make([]tables.Export, n)
	at := int64(1_750_000_000_000_000) + int64(seed)*2_000_000
	for i := range rows {
		r := &rows[i]
		if i%30 == 0 {
			at += rng.Int64N(600) // 100,000 a second, 30 a datagram
		}
		received := at
		length := int64(rng.ExpFloat64()*8000) * 1000
		r.TSEnd = tables.Time(at/1000*1000 - rng.Int64N(15_000)*1000 + 999)
		r.TS = r.TSEnd - 999 - tables.Time(min(length, 60_000_000))
		r.Resolution, r.SourceType, r.Observer = 1000, "netflow5", "192.0.2.1"
		r.Exporter = tables.AddrFrom4([]byte{192, 0, 2, 1})
		r.Domain = tables.Some[int64](0)
		r.Src = tables.Addr{Lo: 0xffff_0a00_0000 | uint64(rng.IntN(2000))}
		r.Dst = tables.Addr{Lo: 0xffff_0000_0000 | uint64(rng.Uint32())}
		r.SrcPort, r.DstPort = 32768+rng.Int32N(28000), []int32{443, 443, 443, 80, 53, 22, 8080, 123}[rng.IntN(8)]
		r.Protocol = 6
		if r.DstPort == 53 || r.DstPort == 123 {
			r.Protocol = 17
		}
		if rng.IntN(2) == 0 {
			r.Src, r.Dst, r.SrcPort, r.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
		}
		r.Packets = 1 + int64(min(math.Pow(1-rng.Float64(), -1/1.3), 4000))
		r.Bytes = r.Packets*40 + rng.Int64N(1000*r.Packets)
		r.TCPFlags, r.TOS = tables.Some([]int32{0x1b, 0x1f, 0x02, 0x12}[rng.IntN(4)]), tables.Some[int32](0)
		r.InIf, r.OutIf = tables.Some(int64(1+rng.IntN(4))), tables.Some(int64(1+rng.IntN(4)))
		r.NextHop = tables.Some(tables.AddrFrom4([]byte{192, 0, 2, byte(rng.IntN(4))}))
		r.SrcAS, r.DstAS = tables.Some(int64(rng.IntN(3000))), tables.Some(int64(rng.IntN(3000)))
		r.SrcMask, r.DstMask = tables.Some(8+rng.Int32N(17)), tables.Some(8+rng.Int32N(17))
		r.TimeReceived, r.TimeQuality = tables.Some(tables.Time(received)), "ok"
		r.CID, r.FlowID = rng.Uint64(), tables.ID(7<<40+uint64(i))
	}
	return rows
}
