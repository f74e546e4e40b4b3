package capture

import (
	"encoding/binary"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

func TestAssemblyIsBounded(t *testing.T) {
	var f assembly
	packet := append([]byte{0x45, 0, 0, 28, 0, 0, 0x20, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2}, make([]byte, 8)...)
	var h tables.Header
	yes := func(uint16, []byte) bool { return true }
	for id := range uint16(5 * maxAssembled) {
		binary.BigEndian.PutUint16(packet[4:], id)
		tables.Decode(tables.LinkIPv4, packet, len(packet), &h)
		if data, _ := f.add(&h, packet, yes); data != nil {
			t.Fatal("complete")
		}
	}
	if len(f.open) != maxAssembled || f.incomplete != 4*maxAssembled {
		t.Errorf("%d open, %d incomplete", len(f.open), f.incomplete)
	}
	// A datagram in more pieces than any network makes.
	binary.BigEndian.PutUint16(packet[4:], 9999)
	for at := range uint16(1000) {
		binary.BigEndian.PutUint16(packet[6:], 0x2000|at*2)
		tables.Decode(tables.LinkIPv4, packet, len(packet), &h)
		f.add(&h, packet, yes)
		if p := f.open[pieceKey{h.Src, h.Dst, 9999}]; p != nil && len(p.have) > maxPieces {
			t.Fatal("too many pieces")
		}
	}
	f.end()
	if len(f.open) != 0 || len(f.order) != 0 {
		t.Error(len(f.open))
	}
}
