package tables

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// randomNames are observations whose instants coincide and whose validities
// overlap.
func randomNames(r *rand.Rand, most int) (names []Name) {
	for range 1 + r.IntN(most) {
		ts := Time(r.IntN(40)) * 600e6
		n := Name{TS: ts, Name: fmt.Sprint("n", r.IntN(3)) + []string{"", "", ".a", ".a.b", ".c"}[r.IntN(5)], Addr: Addr{Lo: uint64(r.IntN(3))},
			Source: spoken[r.IntN(len(spoken))], ValidUntil: ts + Time(r.IntN(5))*1800e6, Site: []string{"", "x"}[r.IntN(2)]}
		if r.IntN(8) == 0 {
			n.Source, n.MAC = SourceDHCP, Opt[int64]{int64(r.IntN(2) + 1), r.IntN(2) == 0}
			if r.IntN(3) == 0 {
				n.Name = ""
			}
		}
		if r.IntN(6) == 0 { // three machines have an address of their own each, and change some
			n.Source, n.Name, n.MAC = claims[1+r.IntN(2)], "", Some(int64(r.IntN(3)+1))
		}
		names = append(names, n)
	}
	return names
}

// TestNameIndex splits random observations into files that come in any order,
// some twice, and compares what is known after each with the leases of all that
// came by then.
func TestNameIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		names := randomNames(r, 60)
		if round%2 == 0 {
			r.Shuffle(len(names), func(i, k int) { names[i], names[k] = names[k], names[i] })
		} else {
			slices.SortStableFunc(names, func(a, b Name) int { return int(a.TS - b.TS) })
		}
		var x NameIndex
		table := map[NamedAddress][]Lease{} // as the engine keeps its own
		var all []Name
		for len(names) > 0 {
			n := 1 + r.IntN(len(names))
			file := names[:n]
			if names = names[n:]; r.IntN(5) == 0 {
				file = append(slices.Clone(all[:len(all)/2]), file...)
			}
			for i := range file {
				x.Add(&file[i])
			}
			all = append(all, file...)
			for _, key := range x.Settle() {
				table[key] = x.Leases([]NamedAddress{key})
			}
			want := Leases(all)
			if got := x.Leases(x.Addresses()); !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d: of %d observations\n got %v\nwant %v\n all %v", round, len(all), got, want, all)
			}
			var kept []Lease
			for _, key := range x.Addresses() {
				kept = append(kept, table[key]...)
			}
			if !reflect.DeepEqual(kept, want) {
				t.Fatalf("round %d: a change was not told", round)
			}
			byName := map[string][]Lease{}
			for _, l := range want {
				byName[l.Name] = append(byName[l.Name], l)
			}
			found := 0
			x.Names(func(name string) {
				found++
				if got := x.Named(name); !reflect.DeepEqual(got, byName[name]) {
					t.Fatalf("round %d: %s has %v, want %v", round, name, got, byName[name])
				}
			})
			if round%3 == 0 { // not each time, so that names come and go unasked
				for _, word := range []string{"n1.", "n2.", "n2.a.", "n.", "n", ""} {
					var these []string
					for name := range byName {
						if strings.HasPrefix(name, word) {
							these = append(these, name)
						}
					}
					slices.Sort(these)
					if got := x.Beginning(word, 2); !slices.Equal(got, these[:min(2, len(these))]) {
						t.Fatalf("round %d: those with %q are %v, want %v", round, word, got, these)
					}
				}
			}
			if found != len(byName) {
				t.Fatalf("round %d: %d names, want %d", round, found, len(byName))
			}
		}
	}
}

// BenchmarkNameIndex is how much an observation costs and takes, of a network in
// which 20,000 names are said again and again.
func BenchmarkNameIndex(b *testing.B) {
	b.ReportAllocs()
	var x NameIndex
	names := make([]string, 20_000)
	for i := range names {
		names[i] = fmt.Sprintf("host-%d.example", i)
	}
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b.N {
		host := r.IntN(len(names))
		ts := Time(i) * 20_000
		x.Add(&Name{TS: ts, Name: names[host], Addr: Addr{Lo: uint64(host)}, Source: SourceDNS, ValidUntil: ts + 300e6})
	}
	x.Settle()
}
