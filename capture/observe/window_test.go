package observe

import (
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestWindow: a window keeps what a map and a list of the same keys would, also when
// all keys have one of three hashes.
func TestWindow(t *testing.T) {
	const most, life = 20, 50
	for name, hash := range map[string]func(int) uint64{"hashed": nil, "alike": func(k int) uint64 { return uint64(k % 3) }} {
		r := rand.New(rand.NewPCG(8, 3))
		w := newWindow[int, int](most, life, hash)
		values, times := map[int]int{}, map[int]int64{}
		var order []int // of keys, the oldest first
		var given, want []int
		gone := func(v *int) { given = append(given, *v) }
		forget := func(k int, tell bool) {
			if tell {
				want = append(want, values[k])
			}
			delete(values, k)
			order = slices.DeleteFunc(order, func(o int) bool { return o == k })
		}
		for now := range int64(20_000) {
			k := r.IntN(40)
			value, there := values[k]
			switch got := w.get(k); {
			case (got != nil) != there || there && *got != value:
				t.Fatalf("%s: %d is %v, want %d %v", name, k, got, value, there)
			case there && r.IntN(2) == 0:
				w.renew(k, now)
				times[k] = now
				order = append(slices.DeleteFunc(order, func(o int) bool { return o == k }), k)
			case there:
				w.remove(k)
				forget(k, false)
			default:
				if len(order) == most {
					forget(order[0], true)
				}
				w.put(k, int(now), now, gone)
				values[k], times[k], order = int(now), now, append(order, k)
			}
			if r.IntN(4) == 0 {
				w.expire(now, gone)
				for len(order) > 0 && now-times[order[0]] > life {
					forget(order[0], true)
				}
			}
			if w.len != len(values) {
				t.Fatalf("%s: %d entries, want %d", name, w.len, len(values))
			}
		}
		w.drain(gone)
		for len(order) > 0 {
			forget(order[0], true)
		}
		if !slices.Equal(given, want) || w.len != 0 || len(w.found) != 0 || len(want) < 1000 {
			t.Errorf("%s: %d were given up, want %d; %d are left of %v", name, len(given), len(want), w.len, slices.Collect(maps.Keys(w.found)))
		}
	}
}
