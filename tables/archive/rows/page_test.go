package rows

import (
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"unsafe"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// TestPages: each value of a file that is found where it lies is the one that
// reading all of it finds, in files of today and of parquet-go.
func TestPages(t *testing.T) {
	flows := generateFlows(2*pageRows + 7)
	for i := range flows {
		if i/1000%3 == 0 { // whole pages of blobs without any
			flows[i].Postings, flows[i].Service = nil, ""
		}
	}
	eachValue[tables.Flow](t, write(t, Options{}, flows))
	eachValue[tables.Name](t, write(t, Options{}, manyNames()))
	eachValue[tables.Export](t, write(t, Options{}, samples.Exports(1000, 1)))
	eachValue[tables.Flow](t, File{Path: "testdata/older/flows.parquet"})
	eachValue[tables.Connection](t, File{Path: "testdata/older/connections.parquet"})
	eachValue[tables.DNS](t, File{Path: "testdata/older/dns.parquet"})
}

func eachValue[T any](t *testing.T, f File) {
	t.Helper()
	r, err := Open[T](f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := make([]T, r.Rows())
	for n := 0; n < len(want); {
		k, err := r.Read(want[n:])
		if n += k; err != nil && err != io.EOF {
			t.Fatal(err)
		}
	}
	c, err := codecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	file, err := openChecked(f)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	pf, err := metadataOf(f.Path, file)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]T, len(want))
	var count int64
	for i := range c.columns {
		col := &c.columns[i]
		leaf, ok, err := col.leafOf(pf)
		if err != nil {
			t.Fatal(err)
		}
		if !ok || col.shape == shapeList {
			continue
		}
		first := 0
		for g := range pf.Metadata().RowGroups {
			group := &pf.Metadata().RowGroups[g]
			at := &chunkAt{column: col, checked: file, from: file, rows: group.NumRows, count: &count}
			if err := at.open(&group.Columns[leaf]); err != nil {
				t.Fatal(col.name, err)
			}
			names := new(interned)
			for k := range int(group.NumRows) {
				number, text, ok, err := at.value(int64(k))
				if err != nil {
					t.Fatalf("%s, row %d: %v", col.name, k, err)
				}
				if ok {
					col.store(unsafe.Pointer(&got[first+k]), number, text, names)
				}
			}
			first += int(group.NumRows)
		}
	}
	for i := range want {
		for k := range c.columns { // lists are not looked up
			if c.columns[k].shape == shapeList {
				*(*[]int32)(unsafe.Add(unsafe.Pointer(&want[i]), c.columns[k].at)) = nil
			}
		}
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Fatalf("%s: row %d is %+v, not %+v", f.Path, i, got[i], want[i])
		}
	}
}

// A lookup finds the same again from what is in memory, for values on one row,
// on two, and on many.
func TestLookupAgain(t *testing.T) {
	rows := make([]tables.Flow, 2*GroupRows)
	rng := rand.New(rand.NewPCG(7, 1))
	for i := range rows {
		rows[i] = tables.Flow{TS: tables.Time(i), FlowID: tables.ID(i), Src: tables.Addr{Lo: rng.Uint64N(uint64(1 + i/100%2000*4))}}
	}
	files := []File{write(t, Options{}, rows)}
	for range 2 {
		for _, any := range [][]uint64{{0}, {1}, {3999}, {7990}, {7991}, {7993}, {7990, 7991, 1}, {1 << 60}} {
			var got, want []uint64
			if _, err := Lookup(t.Context(), files, []Values{{"src_lo", any}}, []string{"flow_id"}, func(f *tables.Flow) error {
				got = append(got, uint64(f.FlowID))
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			for i := range rows {
				if slices.Contains(any, rows[i].Src.Lo) {
					want = append(want, uint64(i))
				}
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Fatalf("%d: %d rows, want %d", any, len(got), len(want))
			}
		}
	}
}
