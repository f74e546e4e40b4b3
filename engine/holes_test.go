package engine

import (
	"slices"
	"testing"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
)

// TestRecordings: between captures nothing was recorded where it was silent for longer
// than within those beside.
func TestRecordings(t *testing.T) {
	const minute = tables.Time(60_000_000)
	at := func(from, to, silence tables.Time) covering {
		return covering{period{from * minute, to * minute}, silence}
	}
	for _, c := range []struct {
		name string
		list []covering
		want []period
	}{
		{"a quiet minute", []covering{at(0, 10, 0), at(11, 20, 0)}, nil},
		{"ten minutes of a busy network", []covering{at(0, 10, minute/60), at(20, 30, minute)}, []period{{10 * minute, 20 * minute}}},
		{"of one that is as silent before", []covering{at(0, 10, 5*minute), at(20, 30, minute)}, nil},
		{"and behind", []covering{at(0, 10, minute), at(20, 30, 5*minute)}, nil},
		{"silence elsewhere says nothing", []covering{at(0, 10, 0), at(20, 30, 0), at(100, 110, 60*minute)}, []period{{10 * minute, 20 * minute}}},
		{"nobody looked for silence", []covering{at(0, 10, pushdown.MaxTime), at(200, 300, 0)}, nil},
		{"another sensor recorded", []covering{at(0, 10, 0), at(20, 30, 0), at(5, 25, 0)}, nil},
	} {
		if _, got := recordings(c.list); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", c.name, got)
		}
	}
}

// TestPauses: between two of its rows who says when it was at work was not, unless
// something else is of the time.
func TestPauses(t *testing.T) {
	for _, c := range []struct {
		list, also, want []period
	}{
		{[]period{{0, 9}}, nil, nil},
		{[]period{{0, 9}, {9, 20}}, nil, nil},
		{[]period{{30, 40}, {0, 9}}, nil, []period{{10, 29}}},
		{[]period{{0, 9}, {30, 40}}, []period{{5, 35}}, nil},
		{[]period{{0, 9}, {30, 40}}, []period{{15, 20}}, []period{{10, 14}, {21, 29}}},
		{[]period{{0, 9}, {30, 40}}, []period{{60, 70}, {-20, -10}}, []period{{10, 29}}},
	} {
		if got := pauses(c.list, c.also); !slices.Equal(got, c.want) {
			t.Errorf("%v beside %v: %v", c.list, c.also, got)
		}
	}
}
