package tables

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// TestNameLog: what is left of the observations makes the same leases.
func TestNameLog(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	kept, all := 0, 0
	for range 300 {
		var names []Name
		for range 1 + r.IntN(60) {
			ts := Time(r.IntN(40)) * 600e6 // instants coincide, validities overlap
			n := Name{TS: ts, Name: fmt.Sprint("n", r.IntN(3)), Addr: Addr{Lo: uint64(r.IntN(3))},
				Source: SourceDNS, ValidUntil: ts + Time(r.IntN(5))*1800e6, Site: []string{"", "x"}[r.IntN(2)]}
			if r.IntN(8) == 0 {
				n.Source, n.MAC = SourceDHCP, Some(int64(r.IntN(2)))
			}
			names = append(names, n)
		}
		slices.SortStableFunc(names, func(a, b Name) int { return cmp.Compare(a.TS, b.TS) })
		var l NameLog
		for i := range names {
			l.Add(&names[i])
		}
		if want, got := Leases(names), l.Leases(); !reflect.DeepEqual(got, want) {
			t.Fatalf("%d observations give %d leases, not %d", len(names), len(got), len(want))
		}
		kept, all = kept+l.Len(), all+len(names)
	}
	if kept*10 > all*9 {
		t.Errorf("%d of %d are kept", kept, all)
	}
}
