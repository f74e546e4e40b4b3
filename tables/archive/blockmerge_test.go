package archive

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// oddExports are rows in which columns come and go, with lists, texts and
// values that are there and zero.
func oddExports(r *rand.Rand, n, kind int) []tables.Export {
	rows := make([]tables.Export, n)
	for i := range rows {
		x := &rows[i]
		x.TS = tables.Time(r.IntN(3 * n))
		x.TSEnd = x.TS + tables.Time(r.IntN(1000))
		x.SourceType, x.Observer = "ipfix", fmt.Sprint("router", kind)
		x.Src = tables.Addr{Hi: r.Uint64() >> r.IntN(64), Lo: r.Uint64()}
		x.SrcPort, x.Bytes, x.CID, x.FlowID = r.Int32N(65536), r.Int64N(1<<40)-5, r.Uint64(), tables.ID(i)
		if kind%2 == 0 && r.IntN(3) == 0 {
			x.Extra = fmt.Sprintf(`{"n":%d}`, r.IntN(2000))
		}
		if kind%3 == 0 {
			x.VLAN = tables.Opt[int32]{V: r.Int32N(3), Set: r.IntN(2) == 0}
			if !x.VLAN.Set {
				x.VLAN.V = 0
			}
			x.SrcNAT = tables.Some(tables.Addr{Lo: uint64(r.IntN(300))})
		}
		if i > n/2 && kind%2 == 1 {
			x.ConnID = tables.Some(tables.ID(r.Uint64()))
			switch r.IntN(3) {
			case 0:
				x.Segments = []int32{}
			case 1:
				for range 1 + r.IntN(3) {
					x.Segments = append(x.Segments, r.Int32())
				}
			}
		}
	}
	slices.SortStableFunc(rows, func(a, b tables.Export) int { return cmp.Compare(a.TS, b.TS) })
	return rows
}

// TestMerge compares with sorting.
func TestMerge(t *testing.T) {
	a := testArchive(t)
	a.o.NoSync = true
	r := rand.New(rand.NewPCG(3, 4))
	var want []tables.Export
	kinds := []int{0, 1, 2, 3, 4, 5}
	for i, kind := range kinds {
		n := 1 + r.IntN(3000)
		if i == 1 { // several row groups, and more than one slab with the next
			n = groupRows + 17
		} else if i == 4 {
			n = 3 * groupRows
		}
		if testing.Short() {
			n = n/100 + 1
		}
		rows := oddExports(r, n, kind)
		level := "e"
		if i%2 == 0 {
			level = "m"
		}
		tx := begin(t, a)
		write(t, tx, level, rows)
		commit(t, tx)
		want = append(want, rows...)
	}
	tx := begin(t, a) // a file without rows
	f, err := NewRowFile[tables.Export](tx, "e")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Close(); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)

	slices.SortStableFunc(want, func(a, b tables.Export) int { return cmp.Compare(a.TS, b.TS) })
	tx = begin(t, a)
	files := catalog(t, a).Files(Exports)
	if len(files) != len(kinds)+1 {
		t.Fatal(len(files))
	}
	tx.Supersede(files)
	if _, err := Merge[tables.Export](context.Background(), tx, files, "t"); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	files = catalog(t, a).Files(Exports)
	if len(files) != 1 || files[0].Rows != int64(len(want)) || files[0].MinTS != want[0].TS {
		t.Fatalf("%+v", files)
	}
	got, err := readAll[tables.Export](files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	last := tables.Time(0)
	for i := range want {
		g, w := &got[i], &want[i]
		if g.TS != w.TS || g.CID != w.CID || g.Extra != w.Extra || g.VLAN != w.VLAN || !slices.Equal(g.Segments, w.Segments) ||
			i%20 == 0 && !reflect.DeepEqual(g, w) {
			t.Fatalf("row %d\ngot  %+v\nwant %+v", i, got[i], want[i])
		}
		last = max(last, got[i].TSEnd)
	}
	if files[0].MaxTS != last {
		t.Errorf("until %d, want %d", files[0].MaxTS, last)
	}
	for _, name := range []string{"extra", "vlan", "src_nat_hi", "segments", "conn_id"} {
		if !slices.Contains(files[0].Columns, name) {
			t.Errorf("no column %s", name)
		}
	}
	for i := range got {
		if i%1000 == 0 && !MayContain(files[0], "cid", got[i].CID) {
			t.Error("a value is denied")
		}
	}
}

// Damaged files are an error, whatever bit is wrong, and never a panic.
func TestMergeOfFlippedBits(t *testing.T) {
	a := testArchive(t)
	a.o.NoSync = true
	tx := begin(t, a)
	write(t, tx, "e", oddExports(rand.New(rand.NewPCG(3, 4)), 300, 3))
	commit(t, tx)
	f := catalog(t, a).Files(Exports)[0]
	good, err := os.ReadFile(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(t.TempDir(), "bad.parquet")
	refused, files := 0, 600
	if testing.Short() {
		files = 150
	}
	for i := range files {
		b := slices.Clone(good)
		at := (i * 7919) % len(b)
		if i%4 == 0 {
			at = len(b) - 1 - at/8
		}
		b[at] ^= 1 << (i % 8)
		if err := os.WriteFile(bad, b, 0o640); err != nil {
			t.Fatal(err)
		}
		tx := begin(t, a)
		damaged := f
		damaged.Path = bad
		if _, err := Merge[tables.Export](context.Background(), tx, []File{damaged}, "t"); err != nil {
			refused++
		}
		if err := tx.Abort(); err != nil {
			t.Fatal(err)
		}
	}
	if refused < files/6 {
		t.Errorf("only %d of %d damaged files were refused", refused, files)
	}
}
