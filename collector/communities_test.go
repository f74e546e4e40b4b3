package collector

import (
	"math/rand/v2"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// What is remembered is what would have been hashed: tuples that come back,
// turned around, that share a place, of protocols with and without ports.
func TestCommunities(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	c := communities{hash: tables.NewCIDHash()}
	addr := func() tables.Addr {
		if random.IntN(4) == 0 {
			return tables.Addr{Hi: random.Uint64N(3), Lo: random.Uint64N(8)}
		}
		return tables.AddrFrom4([]byte{10, 0, byte(random.IntN(8)), byte(random.IntN(250))})
	}
	for range 200_000 {
		src, dst := addr(), addr()
		srcPort, dstPort := uint16(random.IntN(4)), uint16(random.IntN(4))
		protocol := []uint8{0, 1, 6, 17, 47, 58, 132}[random.IntN(7)]
		for range 2 {
			if got, want := c.of(src, dst, srcPort, dstPort, protocol), tables.CID(src, dst, srcPort, dstPort, protocol); got != want {
				t.Fatalf("%v:%d to %v:%d, protocol %d: %x, want %x", src, srcPort, dst, dstPort, protocol, got, want)
			}
			src, dst, srcPort, dstPort = dst, src, dstPort, srcPort
		}
	}
}
