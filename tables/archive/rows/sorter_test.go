package rows

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestSorter: rows that come out of order are all written, as they were, each
// file in the order of time, and few files while rows come nearly in order.
func TestSorter(t *testing.T) {
	for name, o := range map[string]SorterOptions{
		"rows":  {Rows: 1000, Blobs: 1 << 20, FileRows: 3000},
		"blobs": {Rows: 100_000, Blobs: 2000, FileRows: 1 << 20},
	} {
		var files []*target
		s, err := NewSorter[tables.Flow](o)
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(1, 2))
		s.Begin(func() (*Writer[tables.Flow], error) {
			files = append(files, newTarget(t))
			return NewWriter[tables.Flow](files[len(files)-1], Options{})
		})
		const n = 20_000
		var want []tables.Flow
		for i := range n {
			f := tables.Flow{TS: tables.Time(i*10 + r.IntN(200)), FlowID: tables.ID(i), Sensor: "s"}
			if i%3 == 0 {
				f.ServerName, f.Piece = fmt.Sprintf("host%d", i/50), tables.Some(int32(i%5))
			}
			if i > n/2 && i%4 == 0 {
				f.Segments, f.LastPiece = []int32{int32(i), 7}[:i/4%3], tables.Some(i%8 == 0)
			}
			if i%1000 > 400 {
				f.Postings = slices.Repeat([]byte{byte(i)}, r.IntN(5))
			}
			f.TSEnd = f.TS
			want = append(want, f)
			if err := s.Add(&f); err != nil {
				t.Fatal(err)
			}
		}
		if total, err := s.Flush(); err != nil || total != n {
			t.Fatal(total, err)
		}
		if most := 8; name == "rows" && len(files) > most || len(files) == 0 {
			t.Errorf("%s: %d files", name, len(files))
		}
		var got []tables.Flow
		for _, f := range files {
			rows, err := ReadAll[tables.Flow](f.holds)
			if err != nil {
				t.Fatal(err)
			}
			if int64(len(rows)) > o.FileRows || !slices.IsSortedFunc(rows, func(a, b tables.Flow) int { return cmp.Compare(a.TS, b.TS) }) {
				t.Fatalf("%s: a file of %d rows is not in order", name, len(rows))
			}
			got = append(got, rows...)
		}
		slices.SortFunc(got, byFlowID)
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("%s: row %d is %+v, not %+v", name, i, got[i], want[i])
			}
		}
	}
}
