package archive

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestReplace writes ranges anew, in several sequences of one batch, and reads
// what is live after each.
func TestReplace(t *testing.T) {
	a, err := Open(t.TempDir(), Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	export := func(ts int) tables.Export { return tables.Export{TS: tables.Time(ts), TSEnd: tables.Time(ts)} }
	batch := func(fill func(tx *Tx)) error {
		tx, err := a.Begin("compact")
		if err != nil {
			t.Fatal(err)
		}
		fill(tx)
		return tx.Commit()
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	live := func() (files []File, text string) {
		c, err := a.Catalog()
		must(err)
		files = slices.Clone(c.Files(Exports))
		slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.name(), y.name()) })
		for _, f := range files {
			text += fmt.Sprintf("%s-%s%d-%d-%d:%d ", f.Writer, f.Level, f.Revision, f.First, f.Last, f.Rows)
		}
		return files, text
	}
	write := func(tx *Tx, r *Replacement, rows ...tables.Export) {
		t.Helper()
		f, err := NewReplacingFile[tables.Export](tx, r)
		must(err)
		must(f.Write(rows))
		_, err = f.Close()
		must(err)
	}
	replace := func(tx *Tx, level string, files ...File) *Replacement {
		t.Helper()
		r, err := tx.Replace(files, level)
		must(err)
		return r
	}

	for _, writer := range []string{"compact", "import"} {
		for i := range 3 {
			tx, err := a.Begin(writer)
			must(err)
			_, err = WriteRows(tx, "e", []tables.Export{export(i)})
			must(err)
			must(tx.Commit())
		}
	}
	files, text := live()
	if want := "compact-e0-1-1:1 compact-e0-2-2:1 compact-e0-3-3:1 import-e0-1-1:1 import-e0-2-2:1 import-e0-3-3:1 "; text != want {
		t.Fatalf("got  %s\nwant %s", text, want)
	}
	// Two ranges of one sequence and one of another, beside a new file.
	must(batch(func(tx *Tx) {
		write(tx, replace(tx, "e", files[0]), export(5), export(6))
		r := replace(tx, "t", files[2])
		write(tx, r, export(7))
		write(tx, r, export(7))
		write(tx, replace(tx, "e", files[4])) // no rows are left
		_, err := WriteRows(tx, "e", []tables.Export{export(9)})
		must(err)
	}))
	files, text = live()
	if want := "compact-e0-2-2:1 compact-e0-4-4:1 compact-e1-1-1:2 compact-t0-3-3:1 compact-t0-3-3:1 import-e0-1-1:1 import-e0-3-3:1 import-e1-2-2:0 "; text != want {
		t.Fatalf("got  %s\nwant %s", text, want)
	}
	if f := files[7]; f.MinTS != 1 || f.MaxTS != 1 {
		t.Errorf("times of the empty file: %d %d", f.MinTS, f.MaxTS)
	}
	// The next revision, with a file taken over; a merge supersedes them all.
	must(batch(func(tx *Tx) {
		write(tx, replace(tx, "e", files[2]), export(5))
		r := replace(tx, "t", files[3], files[4])
		write(tx, r, export(8))
		must(tx.KeepIn(r, files[4]))
	}))
	files, text = live()
	if want := "compact-e0-2-2:1 compact-e0-4-4:1 compact-e2-1-1:1 compact-t1-3-3:1 compact-t1-3-3:1 import-e0-1-1:1 import-e0-3-3:1 import-e1-2-2:0 "; text != want {
		t.Fatalf("got  %s\nwant %s", text, want)
	}
	for name, fill := range map[string]func(tx *Tx){
		"a file of the range is not named": func(tx *Tx) { write(tx, replace(tx, "t", files[3])) },
		"nothing is written":               func(tx *Tx) { replace(tx, "t", files[0]) },
		"a lower level":                    func(tx *Tx) { write(tx, replace(tx, "e", files[3], files[4])) },
		"a file that is not live any more": func(tx *Tx) {
			gone := files[0]
			gone.First, gone.Last = 77, 77
			write(tx, replace(tx, "t", gone))
		},
	} {
		if err := batch(fill); err == nil {
			t.Errorf("%s: committed", name)
		}
		if _, after := live(); after != text {
			t.Fatalf("%s: %s", name, after)
		}
	}
	if _, err := (&Tx{}).Replace([]File{files[0], files[5]}, "t"); err == nil {
		t.Error("files of two sequences replaced together")
	}
	must(batch(func(tx *Tx) {
		_, err := WriteRows(tx, "h", []tables.Export{export(5)})
		must(err)
		tx.Supersede([]File{files[0], files[1], files[2], files[3], files[4]})
	}))
	if _, text = live(); text != "compact-h0-1-4:1 import-e0-1-1:1 import-e0-3-3:1 import-e1-2-2:0 " {
		t.Fatal(text)
	}
}

func TestRevisionsInNames(t *testing.T) {
	name := func(level string) string {
		return "flows-v1-import-main-" + level + "-0000000001-0000000002-0000000000000001-0000000000000002.parquet"
	}
	f, _, ok := parseName(Flows, name("t12"))
	if !ok || f.Level != "t" || f.Revision != 12 || f.name() != name("t12") {
		t.Errorf("%+v %v", f, ok)
	}
	for _, level := range []string{"", "t0", "t01", "t-1", "tt", "t1x", "1", "t99999999999"} {
		if _, _, ok := parseName(Flows, name(level)); ok {
			t.Errorf("level %q was accepted", level)
		}
	}
}
