package sqlserver

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"testing"

	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

// Rows of cursors come back as they went in, from memory or from files that
// nobody sees, and leave nothing behind.
func TestCursorsKeepRows(t *testing.T) {
	dir := t.TempDir()
	kept := &keptRows{store: &cursorStore{dir: dir}}
	row := func(cursor, n int) []byte { return bytes.Repeat(fmt.Appendf(nil, "%d/%d;", cursor, n), 1+n%500) }
	const rows = 5000 // about 8 MB
	cursors := make([]*cursor, 3)
	for i := range cursors {
		cursors[i] = &cursor{kept: kept}
		cursors[i].columns([]*querypb.Field{{}})
	}
	for n := range rows {
		for i, c := range cursors {
			if i > 0 || n < 3 { // the first stays small
				if err := c.row(&rowBuffer{buf: row(i, n)}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if kept.files != 2 || kept.memory > cursorMemory || kept.store.used.Load() < 8<<20 {
		t.Errorf("%d files, %d bytes of memory, %d on disk", kept.files, kept.memory, kept.store.used.Load())
	}
	if seen, _ := os.ReadDir(dir); len(seen) > 0 {
		t.Errorf("%v lies in the folder", seen)
	}
	for i, c := range cursors {
		if err := c.rewind(); err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; ; n++ {
			got, err := c.next()
			if err == io.EOF {
				break
			}
			if err != nil || !bytes.Equal(got, row(i, n)) {
				t.Fatalf("cursor %d, row %d: %.40q, %v", i, n, got, err)
			}
		}
		if want := []int{3, rows, rows}[i]; n != want {
			t.Errorf("cursor %d has %d rows, want %d", i, n, want)
		}
		c.close()
	}
	if kept.files != 0 || kept.memory != 0 || kept.store.used.Load() != 0 {
		t.Errorf("after the end: %d files, %d bytes of memory, %d on disk", kept.files, kept.memory, kept.store.used.Load())
	}

	kept.store.used.Store(cursorDisk - 100)
	full := &cursor{kept: kept}
	var err error
	for n := 0; err == nil && n < rows; n++ {
		err = full.row(&rowBuffer{buf: row(0, n)})
	}
	if sqlError(err) == nil || sqlError(err).Number != 1114 {
		t.Errorf("a full disk: %v", err)
	}
	full.close()
	if got := kept.store.used.Load(); got != cursorDisk-100 || kept.files != 0 {
		t.Errorf("a cursor that failed holds %d bytes and %d files", got-cursorDisk+100, kept.files)
	}
}
