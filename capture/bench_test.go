package capture

import (
	"math/rand/v2"
	"testing"
	"unsafe"

	"github.com/wiresql/wiresql/tables"
)

// BenchmarkMeter is the cost of a packet after Decode: a table of 100,000
// conversations of which packets come at random.
func BenchmarkMeter(b *testing.B) {
	const flows = 100_000
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
		order[i] = rng.Int32N(flows)
	}
	var sink discard
	m := NewMeter(Config{}, &sink, nil)
	p := &Packet{Length: 614, Data: make([]byte, 614)}
	b.ReportMetric(float64(unsafe.Sizeof(conversation{})), "B/conversation")
	b.ReportAllocs()
	b.ResetTimer()
	for i := range b.N {
		p.TS = int64(i) * 20_000
		p.ID = tables.PacketID(1, int64(i)*630)
		p.Header = &headers[order[i&(1<<20-1)]]
		if err := m.Packet(p); err != nil {
			b.Fatal(err)
		}
	}
}
