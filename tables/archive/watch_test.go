package archive

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// TestWatch takes files of segments away, brings them back and removes their
// folders; the catalogue follows, and looks at nothing that stayed.
func TestWatch(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	var rows []tables.Segment
	path := func(n int) string { return fmt.Sprintf("packets/dmz/2026/06/%02d/%010d.pcap", 10+n%3, n) }
	put := func(n int) {
		t.Helper()
		name := filepath.Join(dir, path(n))
		if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for n := 1; n <= 12; n++ {
		rows = append(rows, tables.Segment{Segment: int32(n), Kind: "pcap", Path: path(n)})
		put(n)
	}
	inPlace := filepath.Join(t.TempDir(), "capture.pcap")
	if err := os.WriteFile(inPlace, []byte("capture"), 0o666); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(inPlace)
	if err != nil {
		t.Fatal(err)
	}
	rows = append(rows, tables.Segment{Segment: 13, Kind: "pcap", Path: inPlace, InPlace: true, Bytes: st.Size(), MTime: tables.Time(st.ModTime().UnixMicro())})
	tx, err := a.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteRows(tx, "e", rows); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	missing := func(want ...uint32) {
		t.Helper()
		time.Sleep(recheck + settled) // it looks again, also when nothing changed
		c := catalog(t, a)
		if got := c.Missing(); !slices.Equal(got, want) {
			t.Errorf("missing: %v, want %v", got, want)
		}
		if len(c.Segments()) != 13 {
			t.Errorf("%d segments", len(c.Segments()))
		}
	}
	remove := func(name string) {
		t.Helper()
		if err := os.RemoveAll(name); err != nil {
			t.Fatal(err)
		}
	}
	missing()
	remove(filepath.Join(dir, path(4)))
	missing(4)
	remove(filepath.Join(dir, path(5)))
	missing(4, 5)
	put(4)
	missing(5)
	remove(filepath.Join(dir, "packets/dmz/2026/06/10")) // 3, 6, 9, 12
	missing(3, 5, 6, 9, 12)
	put(6)
	missing(3, 5, 9, 12)
	if err := os.WriteFile(inPlace, []byte("another"), 0o666); err != nil {
		t.Fatal(err)
	}
	missing(3, 5, 9, 12, 13)
	remove(inPlace)
	missing(3, 5, 9, 12, 13)
	// Nothing changed: the catalogue stays the same one.
	before := catalog(t, a)
	missing(3, 5, 9, 12, 13)
	if catalog(t, a) != before {
		t.Error("the catalogue was made anew")
	}
	// A file of another family leaves the segments alone.
	tx, err = a.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := WriteRows(tx, "e", []tables.Name{{TS: 1, Name: "n", Source: "dns"}}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	missing(3, 5, 9, 12, 13)
	if after := catalog(t, a); &after.Segments()[0] != &before.Segments()[0] {
		t.Error("the segments were read again")
	}
}
