package engine

import (
	"testing"
	"time"
)

// Half of a processor is nobody's debt; more is, up to a bound.
func TestDebt(t *testing.T) {
	d, now := &debt{}, time.Unix(1_000_000, 0)
	ask := func(pause, takes time.Duration) time.Duration {
		now = now.Add(pause)
		left := d.left(now)
		now = now.Add(takes)
		d.used(takes)
		return left
	}
	for range 100 {
		if left := ask(10*time.Millisecond, 5*time.Millisecond); left != longCall {
			t.Fatalf("a third of a processor leaves %v", left)
		}
	}
	var left time.Duration
	for range 100 {
		left = ask(0, 20*time.Millisecond)
	}
	if left > 0 {
		t.Errorf("all of a processor leaves %v", left)
	}
	if left = ask(2*4*longCall, 0); left != longCall {
		t.Errorf("a pause leaves %v", left)
	}
}
