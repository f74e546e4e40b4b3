package compact

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// rowFiles lists the files of rows, by what they stand for: not what is carried,
// and no decisions.
func rowFiles(t *testing.T, a *archive.Archive) map[string]archive.File {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]archive.File{}
	for _, family := range []archive.Family{archive.Exports, archive.Flows, archive.Connections} {
		for _, f := range cat.Files(family) {
			out[fmt.Sprint(f.Range(), f.MinTS, f.MaxTS)] = f
		}
	}
	return out
}

// TestRowsAreWrittenOnce settles random worlds in small steps, with rows that come
// late and twins metered later, and holds every step to writing no file of rows
// in the place of another, but for the first settling of a file, which brings it
// up a level.
func TestRowsAreWrittenOnce(t *testing.T) {
	levels, raised, decided := "smethd", 0, 0
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 9))
		w := randomWorld(r, 12)
		a := open(t)
		before := rowFiles(t, a)
		step := func(do func()) {
			t.Helper()
			do()
			after := rowFiles(t, a)
			for name, f := range before {
				if _, still := after[name]; still {
					continue
				}
				up := 0
				for _, g := range after {
					if g.Family == f.Family && g.Writer == f.Writer && g.Lane == f.Lane && g.First <= f.First && g.Last >= f.Last &&
						strings.Index(levels, g.Level) > strings.Index(levels, f.Level) {
						up++
					}
				}
				if up == 0 || f.Level != pending || f.Family == archive.Connections {
					t.Fatalf("seed %d: settling replaced %s", seed, f.Path)
				}
				raised++
			}
			for name, f := range after {
				if old, ok := before[name]; ok && (old.Path != f.Path && !strings.HasPrefix(old.Path, f.Path) || old.Bytes != f.Bytes) {
					t.Fatalf("seed %d: settling wrote %s again", seed, f.Path)
				}
				if f.Revision != 0 {
					t.Fatalf("seed %d: a revision: %s", seed, f.Path)
				}
			}
			before = after
		}
		r.Shuffle(len(w.exports), func(i, j int) { w.exports[i], w.exports[j] = w.exports[j], w.exports[i] })
		for rows := range slices.Chunk(w.exports, 4) {
			putExports(t, a, []string{"collector", "import"}[r.IntN(2)], rows)
			before = rowFiles(t, a)
			step(func() { settleAt(t, a, settledLate, limits{int64(1 + r.IntN(10)), r.IntN(10)}) })
		}
		for rows := range slices.Chunk(w.flows, 2) {
			put(t, a, rows)
			before = rowFiles(t, a)
			step(func() { takeFlows(t, a) })
			step(func() { settleAt(t, a, settledLate, wide) })
		}
		cat, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range before {
			if d, ok := cat.Decisions(f); ok {
				decided += int(d.Rows)
			}
		}
		a.Close()
	}
	if raised == 0 || decided == 0 {
		t.Errorf("%d files settled, %d decisions: the worlds are too simple", raised, decided)
	}
}

// TestOlderRevisions settles on in an archive whose files were once replaced at
// their level: files that have a revision, beside those they stand for.
func TestOlderRevisions(t *testing.T) {
	dir := t.TempDir()
	a, err := archive.Open(dir, archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	putExports(t, a, "collector", []tables.Export{export("r1", 10, 20, 1), export("r1", 30, 40, 2), export("r2", 900, 5000, 3)})
	settleAt(t, a, 1000*second+settleWait, wide)
	settleAt(t, a, 5000*second+settleWait, wide)
	a.Close()
	// As they were after rows came late: the second revision counts, the first and
	// what was there before them are still to be removed.
	for _, family := range []string{"exports", "connections", "carried"} {
		files, err := filepath.Glob(filepath.Join(dir, family, "*/*/*", "*-t-*.parquet"))
		if err != nil || len(files) != 1 {
			t.Fatal(files, err)
		}
		b, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, revision := range []string{"t1", "t2"} {
			if err := os.WriteFile(strings.Replace(files[0], "-t-", "-"+revision+"-", 1), b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	if a, err = archive.Open(dir, archive.Options{NoSync: true}); err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	want := "10-40 10.0.0.1:40000 3>- r1 r1 service_port x2\n"
	if got := told(connections(t, a)); got != want {
		t.Fatalf("got\n%swant\n%s", got, want)
	}
	// One more of each conversation, and then of the first again.
	putExports(t, a, "collector", []tables.Export{export("r1", 15, 35, 4), export("r2", 5001, 5010, 5)})
	settleAt(t, a, settledLate, wide)
	putExports(t, a, "collector", []tables.Export{export("r1", 50, 60, 6)})
	settleAt(t, a, settledLate, wide)
	want = "10-60 10.0.0.1:40000 13>- r1 r1 service_port x4\n900-5010 10.0.0.1:40000 8>- r2 r2 service_port x2\n"
	if got := told(connections(t, a)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	ids := map[tables.ID]int{}
	for _, x := range settledExports(t, a) {
		ids[x.ConnID.V]++
	}
	if got := slices.Sorted(maps.Values(ids)); !slices.Equal(got, []int{2, 4}) {
		t.Errorf("rows of conversations: %v", got)
	}
	if got := rowsOf(t, a, archive.Carried, func(c *tables.Carried) tables.Time { return c.TS }); len(got) != 0 {
		t.Errorf("carried: %v", got)
	}
}
