package settle

import (
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

const second = tables.Time(1e6)

// export is an exporter's TCP row of [from, to] seconds from the client
// 10.0.0.1:40000 to 192.0.2.1:80, with so many packets of 100 bytes; negative
// packets are the other direction's.
func export(observer string, from, to float64, packets int64) tables.Export {
	x := tables.Export{TS: tables.Time(from * 1e6), TSEnd: tables.Time(to * 1e6), SourceType: "ipfix", Observer: observer,
		Src: tables.AddrFrom4([]byte{10, 0, 0, 1}), Dst: tables.AddrFrom4([]byte{192, 0, 2, 1}), SrcPort: 40000, DstPort: 80,
		Protocol: tables.ProtocolTCP, Packets: packets, Bytes: packets * 100, CID: 7}
	if packets < 0 {
		x.Src, x.Dst, x.SrcPort, x.DstPort, x.Packets, x.Bytes = x.Dst, x.Src, x.DstPort, x.SrcPort, -packets, -packets*100
	}
	return x
}

// TestCarriedSaysAsMuch holds what is carried to giving the connection that the
// rows themselves give.
func TestCarriedSaysAsMuch(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	fewer := 0
	for range 2000 {
		kinds := [][]int32{{0x12, 0x1b, 0x10}, {0x02, 0x12, 0x10, 0x18}, {0x10, 0x11, 0x14}}[r.IntN(3)]
		b := NewBook()
		for i := range 2 + r.IntN(30) {
			from := float64(r.IntN(2000)) + float64(i)/1000
			x := export([]string{"r1", "r2"}[r.IntN(2)], from, from+float64(r.IntN(100)), int64(1+r.IntN(9))*int64(1-2*r.IntN(2)))
			x.InIf = tables.Some(int64(r.IntN(2)))
			x.Action = []string{"", "", "", "allow", "deny"}[r.IntN(5)]
			if r.IntN(4) > 0 {
				x.TCPFlags = tables.Some(kinds[r.IntN(len(kinds))])
			}
			if r.IntN(4) == 0 {
				x.ReversePackets, x.ReverseBytes = tables.Some(int64(r.IntN(5))), tables.Some(int64(100*r.IntN(5)))
				x.ReverseTCPFlags = tables.Some(kinds[r.IntN(len(kinds))])
			}
			if r.IntN(8) == 0 {
				x.Sampling = tables.Some(int64(1 + 99*r.IntN(2)))
			}
			b.Export(&x)
		}
		k := b.known.at(0)
		b.resolve(k)
		var room Conversation
		for n := range b.conversations(k) {
			c := b.conversation(k, n, &room)
			want := b.connection(k, c)
			pieces := follow(slices.Clone(c.pieces), k.idle())
			if len(pieces) < len(c.pieces) {
				fewer++
			}
			carried := *c
			carried.pieces = nil
			for i := range pieces {
				row := b.texts.carry(&pieces[i], &k.Key, c.id)
				key, p := b.texts.carriedPiece(&row)
				if key != k.Key {
					t.Fatalf("key %+v, want %+v", key, k.Key)
				}
				carried.pieces = append(carried.pieces, p)
			}
			b.texts.sort(carried.pieces)
			if got := b.connection(k, &carried); !reflect.DeepEqual(got, want) {
				t.Fatalf("got\n%+v\nwant\n%+v", got, want)
			}
			if carried.ended() != c.ended() || carried.mayGoOn(k.idle(), c.to+400*second) != c.mayGoOn(k.idle(), c.to+400*second) {
				t.Fatal("whether it may go on")
			}
		}
	}
	if fewer < 1000 {
		t.Errorf("%d conversations were put into fewer pieces", fewer)
	}
}
