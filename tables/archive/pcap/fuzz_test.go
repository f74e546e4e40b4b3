package pcap

import (
	"os"
	"path/filepath"
	"testing"
)

// readAllOf reads a capture to its end or damage, as an import does, and each
// of its packets again from the middle.
func readAllOf(t *testing.T, data []byte) {
	path := filepath.Join(t.TempDir(), "fuzz")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := Open(path)
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
		if need, bad := l.Record(want.Offset, data[want.Offset:], &rec); need != 0 || bad != "" {
			t.Fatal(need, bad)
		}
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
			l.Record(off, b, &rec)
		}
		if m, err := DecodeLayout(l.Encode()); err != nil || m.count() != l.count() {
			t.Fatal(err)
		}
	})
}
