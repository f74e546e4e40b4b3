package capture

import (
	"encoding/binary"
	"testing"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
)

// observed counts what the observer writes.
type observed struct{ discard }

func (*observed) Row(any) error { return nil }

// FuzzMeter feeds decoded bytes: link type, then records of time step, length
// on the wire and data.
func FuzzMeter(f *testing.F) {
	f.Add([]byte("\x01\x00\x00\x00\x01\x40\x20aaaaaaaaaaaa\x08\x00\x45\x00\x00\x28\x00\x00\x20\x00\x40\x06\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) == 0 {
			return
		}
		link := tables.LinkType(b[0])
		b = b[1:]
		sink := &observed{}
		m := NewMeter(Config{MaxConversations: 4, MaxPositions: 10 * blockSize}, sink, observe.New(sink))
		var h tables.Header
		var packets int64
		for ns := int64(0); len(b) >= 6; packets++ {
			ns += int64(int32(binary.BigEndian.Uint32(b))) * 100_000
			n := min(int(b[5]), len(b)-6)
			p := Packet{TS: ns, Header: &h, Data: b[6 : 6+n], Length: n + int(b[4]), ID: tables.ID(packets)}
			b = b[6+n:]
			tables.Decode(link, p.Data, p.Length, &h)
			if err := m.Packet(&p); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		if m.table.live != 0 || m.blocks.inUse != 0 || m.Stats().Packets != packets {
			t.Fatal("state left after Close")
		}
	})
}
