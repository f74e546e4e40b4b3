package archive

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// readAllOf reads a capture to its end or damage, as an import does, and each
// of its packets again from the middle.
func readAllOf(t *testing.T, data []byte) {
	path := filepath.Join(t.TempDir(), "fuzz")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := OpenCapture(path)
	if err != nil {
		return
	}
	defer r.Close()
	var rec Record
	var last int64 = -1
	var records []Record
	for r.Next(&rec) == nil {
		if rec.Offset <= last || len(rec.Data) > maxRecord || rec.TS < 0 || rec.TS > maxTime || rec.Length < 0 ||
			rec.Interface >= len(r.Interfaces()) {
			t.Fatalf("%+v", rec)
		}
		last = rec.Offset
		if len(records) < 100 {
			rec.Data = append([]byte(nil), rec.Data...)
			records = append(records, rec)
		}
	}
	r.ContentID()
	r.Drops()
	// A record and its header (24 bytes at most) are buffered together.
	if cap(r.in.buf) > maxRecord+24 {
		t.Fatalf("the buffer grew to %d", cap(r.in.buf))
	}
	if r.Compressed() {
		return
	}
	l, err := DecodeLayout(r.Layout())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range records {
		s := l.at(want.Offset)
		size, need, bad := s.record(data[want.Offset:], &rec)
		if size == 0 || need != 0 || bad != "" {
			t.Fatal(size, need, bad)
		}
		rec.Offset = want.Offset
		sameRecord(t, &rec, &want)
	}
}

func addCaptures(f *testing.F, pattern string) {
	paths, _ := filepath.Glob(filepath.Join(captures, "*", pattern))
	for _, p := range paths {
		if b, err := os.ReadFile(p); err == nil && len(b) < 10_000 {
			f.Add(b)
		}
	}
}

func FuzzPcap(f *testing.F) {
	f.Add(pcapOf(3))
	f.Add([]byte("\xa1\xb2\xcd\x34"))
	addCaptures(f, "*.pcap")
	f.Fuzz(readAllOf)
}

func FuzzPcapng(f *testing.F) {
	addCaptures(f, "*.pcapng")
	f.Fuzz(readAllOf)
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

func FuzzLayout(f *testing.F) {
	f.Add((&Layout{sections: []*section{{header: 16, interfaces: []Interface{{Link: 1, Resol: 6}}}}}).Encode())
	f.Add((&Layout{ng: true, sections: []*section{{ng: true}, {ng: true, big: true, start: 100,
		interfaces: []Interface{{Link: 1, Name: "eth0", TSOffset: -5}}}}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := DecodeLayout(b)
		if err != nil {
			return
		}
		var rec Record
		for _, off := range []int64{0, 50, 1 << 40} {
			if s := l.at(off); s != nil {
				s.record(b, &rec)
			}
		}
		if m, err := DecodeLayout(l.Encode()); err != nil || m.count() != l.count() {
			t.Fatal(err)
		}
	})
}

// FuzzFetch reads a capture at positions no row ever named.
func FuzzFetch(f *testing.F) {
	f.Add(pcapOf(4), int64(24))
	f.Fuzz(func(t *testing.T, data []byte, at int64) {
		path := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		l := Layout{sections: []*section{{header: 16, interfaces: []Interface{{Link: 1, Resol: 6}}, limit: usualRecord}}}
		c := &Catalog{segments: []SegmentInfo{{Segment: tables.Segment{Segment: 1, Layout: l.Encode()}, AbsPath: path}}}
		a := &Archive{log: discardLog}
		stats, err := a.Fetch(context.Background(), c, []Ref{{ID: tables.PacketID(1, at&maxOffset)}}, func(Ref, *Record) error { return nil })
		if err != nil || stats.Packets+stats.Missing[1] != 1 {
			t.Fatal(stats, err)
		}
	})
}
