package tables

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestCounters adds and multiplies as big numbers do, up to the largest.
func TestCounters(t *testing.T) {
	cut := func(n *big.Int) int64 {
		if most := big.NewInt(MaxCount); n.Cmp(most) > 0 {
			return MaxCount
		}
		return n.Int64()
	}
	edge := []int64{0, 1, 2, 999, 1 << 31, 1<<32 - 1, 1 << 32, 1 << 62, 1<<62 + 1, MaxCount - 1, MaxCount}
	for range 200 {
		edge = append(edge, rand.Int64()>>rand.IntN(63))
	}
	for _, a := range edge {
		for _, b := range edge {
			x, y := big.NewInt(a), big.NewInt(b)
			if got, want := AddCounts(a, b), cut(new(big.Int).Add(x, y)); got != want {
				t.Errorf("%d + %d = %d, want %d", a, b, got, want)
			}
			if got, want := ScaleCount(a, b), cut(new(big.Int).Mul(x, y)); got != want {
				t.Errorf("%d * %d = %d, want %d", a, b, got, want)
			}
		}
	}
	if Count(1<<63-1) != MaxCount || Count(1<<63) != MaxCount || Count(1<<64-1) != MaxCount || Count(62) != 62 {
		t.Error("a counter is not cut to the largest")
	}
	if AddCounts(-5, 7) != 7 || ScaleCount(-5, 7) != 0 {
		t.Error("a counter below zero counts")
	}
}
