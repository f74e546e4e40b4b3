package collector

import (
	"math/rand/v2"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestNumbering: whatever an exporter's numbers count, what never came is
// missing and nothing else is.
func TestNumbering(t *testing.T) {
	for rule := range numberings {
		r := rand.New(rand.NewPCG(1, uint64(rule)))
		var s stream
		var counter, lost uint32
		for i := range 3000 {
			all := 1 + uint32(r.IntN(30))
			flows := all
			if i%20 == 0 {
				flows -= min(all, uint32(1+r.IntN(3)))
			}
			units := all
			if rule%2 == 1 {
				units = flows
			}
			seq := counter
			counter += units
			if rule >= allUpTo {
				seq = counter
			}
			if i%100 == 50 { // after a message and before one of other lengths
				lost += units
				continue
			}
			s.count(seq, all, flows, true, tables.Time(i)*1e6)
		}
		s.sequence.settle(1<<62, &s.counts)
		c := &s.counts
		if uint32(c.Missing) != lost || c.Gaps != 30 || c.Reordered+c.Duplicates+c.Resets != 0 {
			t.Errorf("rule %d: %d of %d missing in %d gaps, %d reordered, %d repeated, %d resets",
				rule, c.Missing, lost, c.Gaps, c.Reordered, c.Duplicates, c.Resets)
		}
	}
}
