package rows

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
	var files []File
	r := rand.New(rand.NewPCG(3, 4))
	var want []tables.Export
	kinds := []int{0, 1, 2, 3, 4, 5}
	for i, kind := range kinds {
		n := 1 + r.IntN(3000)
		if i == 1 { // several row groups, and more than one slab with the next
			n = GroupRows + 17
		} else if i == 4 {
			n = 3 * GroupRows
		}
		if testing.Short() {
			n = n/100 + 1
		}
		rows := oddExports(r, n, kind)
		files = append(files, write(t, Options{Cheap: i%2 == 0}, rows))
		want = append(want, rows...)
	}
	files = append(files, write(t, Options{}, []tables.Export{}))

	slices.SortStableFunc(want, func(a, b tables.Export) int { return cmp.Compare(a.TS, b.TS) })
	to := newTarget(t)
	if _, err := Merge(context.Background(), to, files, Options{}, Edits[tables.Export]{}); err != nil {
		t.Fatal(err)
	}
	merged := to.holds
	if merged.Rows != int64(len(want)) || merged.MinTS != want[0].TS {
		t.Fatalf("%+v", merged)
	}
	got, err := ReadAll[tables.Export](merged)
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
	if merged.MaxTS != last {
		t.Errorf("until %d, want %d", merged.MaxTS, last)
	}
	for _, name := range []string{"extra", "vlan", "src_nat_hi", "segments", "conn_id"} {
		if !slices.Contains(merged.Columns, name) {
			t.Errorf("no column %s", name)
		}
	}
	for i := range got {
		if i%1000 == 0 && !MayContain(merged, "cid", got[i].CID) {
			t.Error("a value is denied")
		}
	}
}

// Damaged files are an error, whatever bit is wrong, and never a panic.
func TestMergeOfFlippedBits(t *testing.T) {
	f := write(t, Options{}, oddExports(rand.New(rand.NewPCG(3, 4)), 300, 3))
	good, err := readUnsummed(f.Path)
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
		damaged := f
		damaged.Path = bad
		if _, err := Merge(context.Background(), newTarget(t), []File{damaged}, Options{}, Edits[tables.Export]{}); err != nil {
			refused++
		}
	}
	if refused < files/6 {
		t.Errorf("only %d of %d damaged files were refused", refused, files)
	}
}
