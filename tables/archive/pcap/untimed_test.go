package pcap

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// block is a block of a little-endian pcapng file.
func block(kind uint32, words ...uint32) []byte {
	size := uint32(12 + 4*len(words))
	b := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, kind), size)
	for _, w := range words {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return binary.LittleEndian.AppendUint32(b, size)
}

// Packets without a time have that of the one before them, at the start that of
// the first that has one; also for a reader that starts at any of them.
func TestUntimedPackets(t *testing.T) {
	header := slices.Concat(block(blockSection, 0x1a2b3c4d, 1, 0xffffffff, 0xffffffff), block(blockInterface, 1, 0))
	simple := block(blockSimple, 4, 0xabcdef01)
	at := func(second uint32) []byte {
		us := uint64(second) * 1e6
		return block(blockEnhanced, 0, uint32(us>>32), uint32(us), 4, 4, 0xabcdef01)
	}
	far := block(0x0bad, make([]uint32, lookAhead/4)...)
	for name, c := range map[string]struct {
		file []byte
		want []int64 // seconds
	}{
		"between":         {slices.Concat(header, at(7), simple, simple, at(9), simple), []int64{7, 7, 7, 9, 9}},
		"first":           {slices.Concat(header, simple, block(0x0bad, 1), simple, at(9), simple), []int64{9, 9, 9, 9}},
		"alone":           {slices.Concat(header, simple, simple), []int64{0, 0}},
		"far":             {slices.Concat(header, simple, far, at(9), simple), []int64{0, 9, 9}},
		"another section": {slices.Concat(header, at(7), header, simple, at(8)), []int64{7, 7, 8}},
	} {
		path := filepath.Join(t.TempDir(), "x.pcapng")
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		r, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var recs, got []int64
		var rec Record
		for err = r.Next(&rec); err == nil; err = r.Next(&rec) {
			recs, got = append(recs, rec.Offset), append(got, rec.TS/1e9)
		}
		if !errors.Is(err, io.EOF) || !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v, %v", name, got, c.want, err)
		}
		layout, err := DecodeLayout(r.layout.Encode())
		if err != nil {
			t.Fatal(name, err)
		}
		for i, offset := range recs {
			if _, bad := layout.Record(offset, c.file[offset:], &rec); bad != "" || rec.TS/1e9 != c.want[i] {
				t.Errorf("%s: the packet at %d has time %d, want %d (%s)", name, offset, rec.TS/1e9, c.want[i], bad)
			}
		}
		r.Close()
	}
}
