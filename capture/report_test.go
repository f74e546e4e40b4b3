package capture

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// TestDropsWithoutPackets: what an interface lost is told though it brought no packet,
// of a file without any at the time its statistics were written.
func TestDropsWithoutPackets(t *testing.T) {
	le := binary.LittleEndian
	block := func(kind uint32, body []byte) []byte {
		n := uint32(len(body) + 12)
		return le.AppendUint32(append(le.AppendUint32(le.AppendUint32(nil, kind), n), body...), n)
	}
	words := func(w ...uint32) (b []byte) {
		for _, v := range w {
			b = le.AppendUint32(b, v)
		}
		return b
	}
	const at = 1_781_259_240_000_000 // µs
	b := block(0x0a0d0d0a, words(0x1a2b3c4d, 1, 0xffffffff, 0xffffffff))
	for _, name := range []string{"eth0", "eth1", "eth2"} {
		b = append(b, block(1, append(words(1, 0, 2|4<<16), name...))...)
	}
	for number, drops := range []uint32{0, 12, 30} {
		b = append(b, block(5, append(words(uint32(number), at>>32, at&0xffffffff), words(5|8<<16, drops, 0, 0)...))...)
	}
	path := filepath.Join(t.TempDir(), "nothing.pcapng")
	if err := os.WriteFile(path, b, 0o640); err != nil {
		t.Fatal(err)
	}
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := Import(context.Background(), a, ImportConfig{Paths: []string{path}}); err != nil {
		t.Fatal(err)
	}
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int64{}
	for _, f := range c.Files(archive.Coverage) {
		list, err := rows.ReadAll[tables.Coverage](f.File)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list {
			if row.TS != at || row.TSEnd != at || row.Packets != 0 {
				t.Errorf("%+v", row)
			}
			got[row.Interface] = row.Drops.V
		}
	}
	if len(got) != 2 || got["eth1"] != 12 || got["eth2"] != 30 {
		t.Errorf("lost %v", got)
	}
}

// TestManyInterfaces: what interfaces lost that have no row of their own counts for the
// last, as their packets do.
func TestManyInterfaces(t *testing.T) {
	c := coverage{sensor: "dmz"}
	rec := pcap.Record{TS: 1e18, Length: 100, Interface: maxCoverage + 5, InterfaceName: "one of many"}
	c.add(&rec)
	rec.TS += 3e9
	c.add(&rec)
	rec.TS -= 1e9 // late
	c.add(&rec)
	interfaces := make([]pcap.Interface, maxCoverage+10)
	for i := range interfaces {
		interfaces[i].Drops = tables.Some(int64(i % 2))
	}
	out := c.rows(interfaces)
	if len(out) != maxCoverage/2 {
		t.Fatalf("%d rows", len(out))
	}
	if last := out[len(out)-1]; last.Packets != 3 || last.Drops.V != 1+5 || last.Silence.V != 3e6 {
		t.Errorf("%+v", last)
	}
}
