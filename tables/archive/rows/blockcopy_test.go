package rows

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"reflect"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestMergeCopies holds a merge that copies what it does not set to writing the
// bytes that one writes which reads all and encodes it again.
func TestMergeCopies(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for kind, cheap := range []bool{false, true, false, true} {
		n := 3000 + r.IntN(3000)
		if !testing.Short() && kind == 0 {
			n = GroupRows + GroupRows/2
		}
		f := write(t, Options{Cheap: cheap}, oddExports(r, n, kind))
		merge := func(o Options, edits Edits[tables.Export]) File {
			to := newTarget(t)
			if _, err := Merge(context.Background(), to, []File{f}, o, edits); err != nil {
				t.Fatal(err)
			}
			return to.holds
		}
		set := Edits[tables.Export]{Sets: []string{"conn_id", "segments"}, Of: func(int) (*Edit[tables.Export], error) {
			return &Edit[tables.Export]{All: true, Set: func(k int, x *tables.Export) {
				if x.ConnID, x.Segments = tables.Some(tables.ID(k*k)), nil; k%3 == 0 {
					x.Segments = []int32{int32(k)}
				}
			}}, nil
		}}
		same := func(what string, x, y File) {
			a, err := os.ReadFile(x.Path)
			if err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(y.Path)
			if err != nil {
				t.Fatal(err)
			}
			if x.Path = y.Path; !bytes.Equal(a, b) || !reflect.DeepEqual(x, y) {
				t.Errorf("kind %d, %s: got %d bytes, want %d; %+v, want %+v", kind, what, len(a), len(b), x, y)
			}
		}
		same("set", merge(Options{Cheap: cheap, Alike: true}, set), merge(Options{Cheap: cheap}, set))
		same("as it is", merge(Options{Cheap: cheap, Alike: true}, Edits[tables.Export]{}), f)
	}
}
