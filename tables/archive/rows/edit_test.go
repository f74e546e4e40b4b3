package rows

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestMergeEdits drops and sets rows while they are merged, and compares with
// doing so to the rows.
func TestMergeEdits(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 6 {
		var want []tables.Export
		var files []File
		var edits []*Edit[tables.Export]
		for kind := range 3 {
			n := 1 + r.IntN(2000)
			if round == 0 && kind == 0 && !testing.Short() {
				n = slabGroups*GroupRows + 100 // a slab of which nothing is left
			}
			rows := make([]tables.Export, n)
			if n <= 2000 {
				rows = oddExports(r, n, kind)
			}
			files = append(files, write(t, Options{}, rows))
			e := &Edit[tables.Export]{All: round == 1 && kind == 1}
			var to []tables.Export
			for i := range rows {
				x := rows[i]
				switch {
				case r.IntN(3) == 0 || n > 2000 || round == 2:
					e.Drop = append(e.Drop, int32(i))
					continue
				case e.All || r.IntN(3) == 0:
					x.ConnID, x.Segments = tables.Opt[tables.ID]{}, nil
					if r.IntN(2) == 0 && round != 3 {
						x.ConnID, x.Segments = tables.Some(tables.ID(r.Uint64())), []int32{int32(i), 7}
					}
					e.Rows, to = append(e.Rows, int32(i)), append(to, x)
				}
				want = append(want, x)
			}
			e.Set = func(k int, x *tables.Export) { x.ConnID, x.Segments = to[k].ConnID, to[k].Segments }
			if e.All {
				e.Rows = nil
			}
			edits = append(edits, e)
		}
		to := newTarget(t)
		if _, err := Merge(context.Background(), to, files, Options{}, Edits[tables.Export]{Sets: []string{"conn_id", "segments"},
			Of: func(n int) (*Edit[tables.Export], error) { return edits[n], nil }}); err != nil {
			t.Fatal(err)
		}
		got, err := ReadAll[tables.Export](to.holds)
		if err != nil {
			t.Fatal(err)
		}
		order := func(x, y tables.Export) int {
			return strings.Compare(fmt.Sprint(x.TS, x.CID), fmt.Sprint(y.TS, y.CID))
		}
		if !slices.IsSortedFunc(got, func(x, y tables.Export) int { return int(x.TS - y.TS) }) {
			t.Error("not in time order")
		}
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if len(got) != len(want) {
			t.Fatalf("round %d: %d rows, want %d", round, len(got), len(want))
		}
		for i := range got {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("round %d: got\n%+v\nwant\n%+v", round, got[i], want[i])
			}
		}
	}
}
