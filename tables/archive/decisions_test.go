package archive

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestDecisions: what is decided about a range counts while the range is live,
// and goes with it.
func TestDecisions(t *testing.T) {
	a := testArchive(t)
	rows := func(n int) []tables.Export {
		return []tables.Export{{TS: tables.Time(n), TSEnd: tables.Time(n), FlowID: tables.ID(n)}}
	}
	for n := range 4 {
		tx := begin(t, a)
		write(t, tx, "e", rows(n))
		commit(t, tx)
	}
	exports := func() []File {
		files := slices.Clone(catalog(t, a).Files(Exports))
		slices.SortFunc(files, func(x, y File) int { return strings.Compare(x.name(), y.name()) })
		return files
	}
	state := func() (text string) {
		c := catalog(t, a)
		for _, f := range exports() {
			text += fmt.Sprintf("%s%d-%d:%d", f.Level, f.First, f.Last, f.Rows)
			if d, ok := c.Decisions(f); ok {
				text += fmt.Sprintf("+%d/%d", d.Rows, d.Revision)
			}
			text += " "
		}
		return text
	}
	decide := func(tx *Tx, about, before File, n int) {
		t.Helper()
		f, err := NewDecisions[tables.Assigned](tx, about, before)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.Write(make([]tables.Assigned, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	raise := func(tx *Tx, level string, files ...File) {
		t.Helper()
		for _, f := range files {
			if err := Merge(context.Background(), tx, []File{f}, level, MergeOptions[tables.Export]{Of: &f}); err != nil {
				t.Fatal(err)
			}
		}
	}
	is := func(want string) {
		t.Helper()
		if got := state(); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
	is("e1-1:1 e2-2:1 e3-3:1 e4-4:1 ")

	// Two ranges go up a level, each by itself, and something is decided about
	// another, in one batch.
	all := exports()
	tx := begin(t, a)
	raise(tx, "t", all[0], all[2])
	decide(tx, all[1], File{}, 1)
	commit(t, tx)
	is("e2-2:1+1/1 e4-4:1 t1-1:1 t3-3:1 ")

	// More is decided, with what was decided before; and of a second range.
	all = exports()
	before, _ := catalog(t, a).Decisions(all[0])
	tx = begin(t, a)
	decide(tx, all[0], before, 2)
	decide(tx, all[2], File{}, 1)
	commit(t, tx)
	is("e2-2:1+2/2 e4-4:1 t1-1:1+1/1 t3-3:1 ")

	for name, fill := range map[string]func(tx *Tx){
		"not all decisions of before": func(tx *Tx) { decide(tx, all[0], before, 3) },
		"a range that is not there": func(tx *Tx) {
			gone := all[0]
			gone.First, gone.Last = 77, 77
			decide(tx, gone, File{}, 1)
		},
		"another level than the range has": func(tx *Tx) {
			up := all[0]
			up.Level = "t"
			decide(tx, up, File{}, 1)
		},
		"up to the same level": func(tx *Tx) { raise(tx, "t", all[2]) },
		"up to a lower level":  func(tx *Tx) { raise(tx, "e", all[2]) },
		"twice":                func(tx *Tx) { raise(tx, "t", all[1], all[1]) },
	} {
		was, tx := state(), begin(t, a)
		fill(tx)
		if err := tx.Commit(); err == nil {
			t.Errorf("%s: committed", name)
		}
		if got := state(); got != was {
			t.Fatalf("%s: %s", name, got)
		}
	}

	// A merge of ranges folds in what was decided about them, and about no other.
	tx = begin(t, a)
	tx.Supersede([]File{all[2], all[0]})
	if err := Merge(context.Background(), tx, []File{all[2], all[0]}, "h", MergeOptions[tables.Export]{}); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	is("e4-4:1 h1-2:2 t3-3:1 ")
	if err := a.tidy(); err != nil {
		t.Fatal(err)
	}
	if files := catalog(t, a).Files(Assigned); len(files) != 0 {
		t.Errorf("decisions that were folded in are still there: %v", files)
	}
	// So do they when the names are not tidied.
	is("e4-4:1 h1-2:2 t3-3:1 ")
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
