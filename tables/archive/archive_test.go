package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

func testArchive(t testing.TB) *Archive {
	t.Helper()
	a, err := Open(t.TempDir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func begin(t testing.TB, a *Archive) *Tx {
	t.Helper()
	tx, err := a.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	return tx
}

func commit(t testing.TB, tx *Tx) {
	t.Helper()
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func catalog(t testing.TB, a *Archive) *Catalog {
	t.Helper()
	c, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write[T any](t testing.TB, tx *Tx, level string, rows []T) {
	t.Helper()
	if _, err := WriteRows(tx, level, rows); err != nil {
		t.Fatal(err)
	}
}

// packetRecord makes a record of n bytes that tell its number.
func packetRecord(i, n int) *pcap.Record {
	data := make([]byte, n)
	for k := range data {
		data[k] = byte(i + k)
	}
	return &pcap.Record{TS: 1_700_000_000_000_000_000 + int64(i)*1_000_000, Length: n + 4, Link: tables.LinkEthernet, Data: data}
}

// batch writes n packets, with a flow row for each ten of them, and one row of
// connections, in one batch that is left open.
func batch(t testing.TB, a *Archive, n int) (*Tx, []tables.ID, error) {
	t.Helper()
	tx, err := a.Begin("import")
	if err != nil {
		return nil, nil, err
	}
	ids, err := fillBatch(tx, n)
	return tx, ids, err
}

func fillBatch(tx *Tx, n int) ([]tables.ID, error) {
	w, err := tx.Packets("dmz", "", tables.LinkEthernet, false)
	if err != nil {
		return nil, err
	}
	var ids []tables.ID
	var flows []tables.Flow
	for i := range n {
		s, off, err := w.Append(packetRecord(i, 60+i%1400))
		if err != nil {
			return nil, err
		}
		ids = append(ids, tables.PacketID(s, off))
		if i%10 == 9 {
			flows = append(flows, tables.Flow{TS: tables.Time(i), TSEnd: tables.Time(i + 1), Packets: 10, FlowID: tables.ID(i),
				CID: uint64(i), Postings: rows.AppendPostings(nil, ids[i-9:])})
		}
	}
	if _, err := WriteRows(tx, "e", flows); err != nil {
		return nil, err
	}
	_, err = WriteRows(tx, "e", []tables.Connection{{TS: 0, TSEnd: 9}})
	return ids, err
}

func rowsIn(c *Catalog, f Family) (n int64) {
	for _, f := range c.Files(f) {
		n += f.Rows
	}
	return n
}

// filesBelow lists the files below a folder, relative.
func filesBelow(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			path, _ = filepath.Rel(dir, path)
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestBatchIsVisibleAfterCommit(t *testing.T) {
	a := testArchive(t)
	tx, ids, err := batch(t, a, 100)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := Open(a.Dir(), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if c := catalog(t, reader); len(c.Files(Flows)) != 0 || len(c.Segments()) != 0 {
		t.Fatal("an open batch is visible")
	}
	commit(t, tx)
	c := catalog(t, reader)
	if rowsIn(c, Flows) != 10 || rowsIn(c, Connections) != 1 || len(c.Segments()) != 1 || len(c.Damage()) != 0 {
		t.Fatalf("%+v", c)
	}
	s := c.Segments()[0]
	if s.State != StateAvailable || s.Packets != 100 || !strings.HasSuffix(s.AbsPath, fmt.Sprintf("packets/dmz/%s/0000000001.pcap", time.Now().UTC().Format("2006/01/02"))) {
		t.Fatalf("%+v", s)
	}
	first, last, ok := c.Bounds()
	if first != 9 || last != 100 || !ok {
		t.Fatal(first, last, ok)
	}
	checkFetch(t, reader, ids, ids)
	if again := catalog(t, reader); again.Version() != c.Version() {
		t.Error("the version changed without the content")
	}
	if _, err := reader.Begin("import"); err == nil || !strings.Contains(err.Error(), "reading only") {
		t.Error(err)
	}
}

// checkFetch fetches want from an archive that was filled by fillBatch and
// compares bytes.
func checkFetch(t testing.TB, a *Archive, all, want []tables.ID) FetchStats {
	t.Helper()
	var refs []Ref
	for i, id := range want {
		refs = append(refs, Ref{id, int32(i)})
	}
	n := 0
	stats, err := a.Fetch(context.Background(), catalog(t, a), refs, func(r Ref, rec *pcap.Record) error {
		i := slices.Index(all, r.ID)
		p := packetRecord(i, 60+i%1400)
		if r != refs[n] || rec.TS != p.TS || rec.Length != p.Length || string(rec.Data) != string(p.Data) || rec.Link != p.Link || rec.Offset != r.ID.Offset() {
			t.Fatalf("packet %d: %+v", i, rec)
		}
		n++
		return nil
	})
	if err != nil || n != len(want) || stats.Packets != int64(n) || len(stats.Missing) != 0 {
		t.Fatal(n, stats, err)
	}
	return stats
}

func TestAbortLeavesNothing(t *testing.T) {
	a := testArchive(t)
	before := filesBelow(t, a.Dir())
	tx, _, err := batch(t, a, 50)
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err == nil {
		t.Error("an aborted batch commits")
	}
	after := slices.DeleteFunc(filesBelow(t, a.Dir()), func(f string) bool { return f == counterFile || strings.HasPrefix(f, lockFolder) })
	before = slices.DeleteFunc(before, func(f string) bool { return strings.HasPrefix(f, lockFolder) })
	if !slices.Equal(before, after) {
		t.Errorf("before %v\nafter %v", before, after)
	}
	// The number is not given again.
	tx, ids, err := batch(t, a, 1)
	if err != nil || ids[0].Segment() != 2 {
		t.Error(ids, err)
	}
	tx.Abort()
}

func TestOneWriter(t *testing.T) {
	a := testArchive(t)
	tx := begin(t, a)
	b, err := Open(a.Dir(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	_, err = b.Begin("import")
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), filepath.Join(a.Dir(), "locks", "writer-import")) {
		t.Error(err)
	}
	// Under another name it may.
	other, err := b.Begin("collector")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, other)
	commit(t, tx)
	a.Close()
	tx, err = b.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
}

func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, want string
		o          Options
		prepare    func(dir string) error
	}{
		{"absent", "no such file", Options{ReadOnly: true}, nil},
		{"empty", "no archive", Options{ReadOnly: true}, func(d string) error { return os.Mkdir(d, 0o755) }},
		{"home", "neither empty nor an archive", Options{}, func(d string) error {
			os.Mkdir(d, 0o755)
			return os.WriteFile(filepath.Join(d, "thesis.txt"), nil, 0o644)
		}},
		{"future", "wiresql archive 3", Options{}, func(d string) error {
			os.Mkdir(d, 0o755)
			return os.WriteFile(filepath.Join(d, formatFile), []byte("wiresql archive 3\n"), 0o644)
		}},
		{"file", "not a directory", Options{}, func(d string) error { return os.WriteFile(d, nil, 0o644) }},
	} {
		d := filepath.Join(dir, c.name)
		if c.prepare != nil {
			if err := c.prepare(d); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := Open(d, c.o); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// An archive of the format before is read as it is, and becomes one of today's
// when somebody writes: programs of that time must not touch it any more.
func TestFormatBefore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	a, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	path := filepath.Join(dir, formatFile)
	if err := os.WriteFile(path, []byte("wiresql archive 1\n"), 0o640); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    Options
		want string
	}{{Options{ReadOnly: true}, "wiresql archive 1\n"}, {Options{}, "wiresql archive 2\n"}, {Options{ReadOnly: true}, "wiresql archive 2\n"}} {
		a, err := Open(dir, c.o)
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
			t.Errorf("%+v: %q, %v", c.o, got, err)
		}
	}
}

func TestMergeSupersedes(t *testing.T) {
	a := testArchive(t)
	for range 3 {
		tx, _, err := batch(t, a, 20)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
	}
	inputs := catalog(t, a).Files(Flows)
	if len(inputs) != 3 || inputs[0].First != 1 {
		t.Fatalf("%+v", inputs)
	}
	merge := func(level string, files []File, rows ...tables.Flow) error {
		tx, err := a.Begin("compact")
		if err != nil {
			t.Fatal(err)
		}
		tx.Supersede(files)
		for _, r := range rows {
			write(t, tx, level, []tables.Flow{r})
		}
		return tx.Commit()
	}
	for want, err := range map[string]error{
		"2 files of flows are superseded, the range has 3": merge("h", []File{inputs[0], inputs[2]}, tables.Flow{}),
		"does not supersede":     merge("m", inputs, tables.Flow{}),
		"are superseded by none": merge("h", inputs),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := merge("e", inputs, tables.Flow{TS: 1, TSEnd: 2}, tables.Flow{TS: 5, TSEnd: 6}); err != nil {
		t.Fatal(err)
	}
	got := catalog(t, a).Files(Flows)
	if len(got) != 2 || got[0].Writer != "import" || got[0].First != 1 || got[1].Last != 3 || got[0].MinTS != 1 || got[1].MinTS != 5 {
		t.Fatalf("%+v", got)
	}
	// Nobody else reads: the inputs are gone, and the lasting names stand.
	for _, f := range filesBelow(t, a.Dir()) {
		if strings.HasPrefix(f, "flows/") && f != strings.TrimPrefix(got[0].Path, a.Dir()+"/") && f != strings.TrimPrefix(got[1].Path, a.Dir()+"/") ||
			strings.HasPrefix(f, batchFolder) {
			t.Error("left:", f)
		}
	}
	// The next file of the sequence comes after those that are gone.
	tx, _, err := batch(t, a, 20)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	if got := catalog(t, a).Files(Flows); len(got) != 3 || !slices.ContainsFunc(got, func(f File) bool { return f.First == 4 && f.Last == 4 }) {
		t.Fatalf("%+v", got)
	}
}

// A reader never sees half a batch, however often it lists while batches are
// committed and merged.
func TestReadersSeeWholeBatches(t *testing.T) {
	a := testArchive(t)
	a.disk = disk.Real{NoSync: true}
	reader, err := Open(a.Dir(), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	done := make(chan error)
	go func() {
		done <- func() error {
			for i := range 25 {
				tx, err := a.Begin("import")
				if err != nil {
					return err
				}
				level := "e"
				if i%5 == 4 { // rewrite all as one
					level = "h"
					c, err := a.Catalog()
					if err != nil {
						return err
					}
					tx.Supersede(append(slices.Clone(c.Files(Flows)), c.Files(Connections)...))
				}
				n := 1
				if level == "h" {
					n = i
				}
				if _, err := WriteRows(tx, level, make([]tables.Flow, n)); err != nil {
					return err
				}
				if _, err := WriteRows(tx, level, make([]tables.Connection, n)); err != nil {
					return err
				}
				if err := tx.Commit(); err != nil {
					return err
				}
			}
			return nil
		}()
	}()
	for looks := 0; ; looks++ {
		reader.forget()
		c := catalog(t, reader)
		if f, n := rowsIn(c, Flows), rowsIn(c, Connections); f != n {
			t.Fatalf("%d flows, %d connections", f, n)
		}
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			t.Log(looks, "listings")
			return
		default:
		}
	}
}

func TestDamagedRowFilesAreSkipped(t *testing.T) {
	a := testArchive(t)
	for range 3 {
		tx, _, err := batch(t, a, 20)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
	}
	files := catalog(t, a).Files(Flows)
	if err := os.Truncate(files[0].Path, files[0].Bytes-3); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[1].Path, []byte("PAR1 not at all PAR1"), 0o640); err != nil {
		t.Fatal(err)
	}
	stray := filepath.Join(filepath.Dir(files[0].Path), "notes.parquet")
	if err := os.WriteFile(stray, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	b, err := Open(a.Dir(), Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := catalog(t, b)
	if len(c.Files(Flows)) != 1 || len(c.Damage()) != 3 {
		t.Fatalf("%+v\n%+v", c.Files(Flows), c.Damage())
	}
}

func TestFileNames(t *testing.T) {
	f := File{Family: Flows, Schema: 1, Writer: "meter_dmz", Lane: "late", Level: "h", First: 12, Last: 9999999999,
		File: rows.File{MinTS: -5, MaxTS: 1<<62 + 3}}
	got, batch, ok := parseName(Flows, f.name())
	if !ok || batch != "" || !reflect.DeepEqual(got, f) {
		t.Errorf("%v %q %+v", ok, batch, got)
	}
	if _, batch, ok := parseName(Flows, f.name()+".i0123456789abcdef"); !ok || batch != "0123456789abcdef" {
		t.Error(ok, batch)
	}
	for _, bad := range []string{"", "x", ".parquet", f.name() + ".i", f.name() + ".i012345678gabcdef", "dns" + f.name()[5:],
		strings.Replace(f.name(), "-h-", "-x-", 1), strings.Replace(f.name(), "-v1-", "-v0-", 1), strings.Replace(f.name(), "-v1-", "-vv-", 1),
		strings.Replace(f.name(), "0000000012", "9999999999", 1) + "x", strings.Replace(f.name(), "9999999999", "0000000011", 1),
		strings.Replace(f.name(), "late", "../x", 1)} {
		if _, _, ok := parseName(Flows, bad); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestSplit(t *testing.T) {
	file := func(level string, first, last uint64, ts tables.Time) *listed {
		f := File{Family: Flows, Schema: 1, Writer: "import", Lane: "main", Level: level, First: first, Last: last, File: rows.File{MinTS: ts}}
		return &listed{File: f, base: f.name()}
	}
	twice := file("e", 4, 4, 0)
	twice.batch = "0123456789abcdef"
	other := file("e", 1, 1, 0)
	other.Writer = "meter"
	other.base = other.name()
	live, dead := split([]*listed{
		file("e", 1, 1, 0), file("e", 2, 2, 0), file("e", 3, 3, 0), file("e", 4, 4, 0),
		file("h", 1, 2, 1), file("h", 1, 2, 2), // one merge, two files
		file("h", 3, 3, 0), file("h", 1, 3, 0), // a wider merge
		other, twice,
	})
	if len(live) != 3 || len(dead) != 6 {
		t.Errorf("live %+v\ndead %+v", live, dead)
	}
}
