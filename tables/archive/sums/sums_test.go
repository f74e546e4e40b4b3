package sums

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"testing"
)

// Scan says where the first block is wrong and how many others are, of what is
// read now: also where it was right before.
func TestScan(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 2*scanned+5*Block+77)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	w := Writer{}
	w.Add(b)
	table, err := NewTable("f", w.Size(), w.Table(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(table.Check(bytes.NewReader(b), b, 0), table.Scan(context.Background(), bytes.NewReader(b))); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		c := bytes.Clone(b)
		wrong := map[int]bool{}
		first := len(c)
		for range 1 + rng.IntN(3) {
			at := rng.IntN(len(c))
			if !wrong[at/Block] {
				wrong[at/Block] = true
				c[at]++
				first = min(first, at/Block*Block)
			}
		}
		want := map[int]string{1: "", 2: ", nor are those of 1 of the blocks after it", 3: ", nor are those of 2 of the blocks after it"}[len(wrong)]
		var e *Error
		if err := table.Scan(context.Background(), bytes.NewReader(c)); !errors.As(err, &e) || e.Offset != int64(first) || e.Reason != "its checksum is not the one that was written"+want {
			t.Fatalf("%v: %v", wrong, err)
		}
	}
	cut := rng.IntN(len(b))
	var e *Error
	if err := table.Scan(context.Background(), bytes.NewReader(b[:cut])); !errors.As(err, &e) || e.Offset != int64(cut) {
		t.Fatalf("cut at %d: %v", cut, err)
	}
}
