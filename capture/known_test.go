package capture

import (
	"bytes"
	"compress/gzip"
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// importedOf imports files and returns how many were new, and for how many the
// content was read before.
func importedOf(t *testing.T, a *archive.Archive, paths ...string) (files, identified int) {
	t.Helper()
	seen := map[string]bool{}
	rep, err := Import(context.Background(), a, ImportConfig{Paths: paths, Progress: func(p Progress) {
		if p.Identifying {
			seen[p.File] = true
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	return rep.Imported, len(seen)
}

// TestImportReadsOnce: the content of a file is read for its id alone only when a
// known file begins in the same way.
func TestImportReadsOnce(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const packets = 16_000 // 4 MB
	start := time.Unix(1_700_000_000, 0)
	whole := testCapture(rand.New(rand.NewPCG(1, 1)), start, packets)
	if len(whole) < 5<<19 {
		t.Fatal("the capture is too small to be longer than its head")
	}
	first := write("first.pcap", whole)
	other := write("other.pcap", testCapture(rand.New(rand.NewPCG(2, 2)), start, packets))
	small := write("small.pcap", testCapture(rand.New(rand.NewPCG(3, 3)), start, 10))
	a := openArchive(t, t.TempDir())
	if n, identified := importedOf(t, a, first); n != 1 || identified != 0 {
		t.Errorf("a first file: %d imported, %d read twice", n, identified)
	}
	if n, identified := importedOf(t, a, other, small); n != 2 || identified != 0 {
		t.Errorf("files of the same time that begin otherwise: %d imported, %d read twice", n, identified)
	}

	// The first one has grown.
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	more := testCapture(rand.New(rand.NewPCG(4, 4)), start.Add(time.Hour), 100)[24:]
	w.Write(append(slices.Clone(whole), more...))
	w.Close()
	grown := write("grown.pcap.gz", z.Bytes())
	before := flowIDs(t, a)
	if n, _ := importedOf(t, a, first, grown); n != 1 {
		t.Errorf("%d files imported of one that grew", n)
	}
	checkArchive(t, a)
	after := flowIDs(t, a)
	if len(after) <= len(before)*4/3 {
		t.Errorf("%d flow rows, %d before the file grew", len(after), len(before))
	}
	slices.Sort(after)
	if len(slices.Compact(slices.Clone(after))) != len(after) {
		t.Error("rows of a file that grew have the ids of those before")
	}
	if n, _ := importedOf(t, a, dir); n != 0 {
		t.Errorf("%d files imported again", n)
	}
}

// TestImportKnowsOlder: what was imported by a version that took no note of how
// files begin is known as well.
func TestImportKnowsOlder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.pcap")
	if err := os.WriteFile(path, testCapture(rand.New(rand.NewPCG(1, 1)), time.Unix(1_700_000_000, 0), 16_000), 0o644); err != nil {
		t.Fatal(err)
	}
	a, b := openArchive(t, t.TempDir()), openArchive(t, t.TempDir())
	if n, _ := importedOf(t, a, path); n != 1 {
		t.Fatal("not imported")
	}
	list, err := Imports(a)
	if err != nil || len(list) != 1 || list[0].HeadID == "" || list[0].HeadID == list[0].ContentID {
		t.Fatal(list, err)
	}
	list[0].HeadID = ""
	tx, err := b.Begin(tables.Importer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.WriteRows(tx, "e", list); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if n, identified := importedOf(t, b, path); n != 0 || identified != 1 {
		t.Errorf("%d imported, %d read for their id", n, identified)
	}
	later := filepath.Join(t.TempDir(), "b.pcap")
	if err := os.WriteFile(later, testCapture(rand.New(rand.NewPCG(1, 1)), time.Unix(1_800_000_000, 0), 16_000), 0o644); err != nil {
		t.Fatal(err)
	}
	if n, identified := importedOf(t, b, later); n != 1 || identified != 0 {
		t.Errorf("of another time: %d imported, %d read for their id", n, identified)
	}
}

func flowIDs(t *testing.T, a *archive.Archive) (ids []tables.ID) {
	for _, f := range readAll[tables.Flow](t, a, archive.Flows) {
		ids = append(ids, f.FlowID)
	}
	return ids
}
