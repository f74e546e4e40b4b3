package rows

import (
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

func TestPostings(t *testing.T) {
	var ids []tables.ID
	for s := range uint32(5) {
		for i := range int64(50) {
			ids = append(ids, tables.PacketID(s*s, 24+i*i*i*(1+int64(s)*1000)))
		}
	}
	ids = append(ids, tables.PacketID(tables.MaxSegment, 0), tables.PacketID(tables.MaxSegment, tables.MaxOffset))
	b := AppendPostings(nil, ids)
	var got []tables.ID
	if err := DecodePostings(b, func(id tables.ID) bool { got = append(got, id); return true }); err != nil || !slices.Equal(got, ids) {
		t.Fatal(err, len(got))
	}
	n := 0
	if err := DecodePostings(b, func(tables.ID) bool { n++; return n < 7 }); err != nil || n != 7 {
		t.Fatal(err, n)
	}
	for i := range b {
		_ = DecodePostings(b[:i], func(tables.ID) bool { return true })
	}
	for _, bad := range [][]byte{{1}, {1, 0}, {1, 2, 5}, {1, 2, 5, 0}, {1, 1, 5, 1, 1, 5}, {2, 1, 5, 1, 1, 5}, {0x80}, {1, 255, 255, 255, 255, 15, 1},
		{1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}} {
		if err := DecodePostings(bad, func(tables.ID) bool { return true }); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func FuzzPostings(f *testing.F) {
	f.Add(AppendPostings(nil, []tables.ID{tables.PacketID(1, 24), tables.PacketID(1, 100), tables.PacketID(9, 24)}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var ids []tables.ID
		if err := DecodePostings(b, func(id tables.ID) bool {
			if n := len(ids); n > 0 && ids[n-1] >= id {
				t.Fatal("not ascending")
			}
			ids = append(ids, id)
			return true
		}); err != nil {
			return
		}
		var again []tables.ID
		if err := DecodePostings(AppendPostings(nil, ids), func(id tables.ID) bool { again = append(again, id); return true }); err != nil || len(again) != len(ids) {
			t.Fatal(err)
		}
	})
}
