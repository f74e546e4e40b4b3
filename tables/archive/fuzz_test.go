package archive

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
)

// captureOf makes a capture of n packets of 60 bytes, one a second.
func captureOf(n int) []byte {
	b := pcap.AppendHeader(nil, tables.LinkEthernet, false)
	for i := range n {
		b = pcap.AppendRecord(b, &pcap.Record{TS: int64(1_700_000_000+i) * 1e9, Length: 60, Data: bytes.Repeat([]byte{byte(i)}, 60)}, false)
	}
	return b
}

// FuzzFetch reads a capture at positions no row ever named.
func FuzzFetch(f *testing.F) {
	f.Add(captureOf(4), int64(24))
	f.Fuzz(func(t *testing.T, data []byte, at int64) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		c := &Catalog{segments: []SegmentInfo{{Segment: tables.Segment{Segment: 1, Layout: pcap.LayoutOf(tables.LinkEthernet, false).Encode()}, AbsPath: path}}}
		a := &Archive{disk: disk.Real{}, log: discardLog}
		stats, err := a.Fetch(context.Background(), c, []Ref{{ID: tables.PacketID(1, at&tables.MaxOffset)}}, func(Ref, *pcap.Record) error { return nil })
		if err != nil || stats.Packets+stats.Missing[1] != 1 {
			t.Fatal(stats, err)
		}
	})
}
