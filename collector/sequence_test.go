package collector

import (
	"fmt"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// TestSequence feeds numbers and units of datagrams, a tenth of a second
// apart, and ticks each second.
func TestSequence(t *testing.T) {
	type d = [2]uint32 // number, units
	const wrap = 1<<32 - 10
	for _, c := range []struct {
		name string
		in   []d
		want string // gaps missing reordered duplicates resets
	}{
		{"in order", []d{{0, 30}, {30, 30}, {60, 5}, {65, 30}}, "0 0 0 0 0"},
		{"beginning anywhere", []d{{1000, 1}, {1001, 1}}, "0 0 0 0 0"},
		{"wraps", []d{{wrap, 30}, {20, 30}, {50, 1}}, "0 0 0 0 0"},
		{"a gap", []d{{0, 30}, {60, 30}, {90, 30}}, "1 30 0 0 0"},
		{"a gap over the wrap", []d{{wrap, 5}, {20, 30}}, "1 25 0 0 0"},
		{"two gaps", []d{{0, 1}, {2, 1}, {3, 1}, {10, 1}}, "2 7 0 0 0"},
		{"late", []d{{0, 30}, {60, 30}, {30, 30}, {90, 30}}, "0 0 30 0 0"},
		{"late over the wrap", []d{{wrap, 30}, {50, 30}, {20, 30}, {80, 30}}, "0 0 30 0 0"},
		{"two late, in their order", []d{{0, 1}, {3, 1}, {1, 1}, {2, 1}, {4, 1}}, "0 0 2 0 0"},
		{"two late, the wrong way round", []d{{0, 1}, {3, 1}, {2, 1}, {1, 1}, {4, 1}}, "0 0 2 0 0"},
		{"one of three late", []d{{0, 1}, {4, 1}, {2, 1}, {5, 1}}, "2 2 1 0 0"},
		{"twice", []d{{0, 30}, {30, 30}, {30, 30}, {60, 30}}, "0 0 0 30 0"},
		{"late and twice", []d{{0, 1}, {2, 1}, {1, 1}, {1, 1}, {3, 1}}, "0 0 1 1 0"},
		{"begun anew", []d{{1000, 30}, {1030, 30}, {0, 30}, {30, 30}, {60, 30}}, "0 0 0 0 1"},
		{"begun anew, nothing after", []d{{1000, 30}, {1030, 30}, {0, 30}}, "0 0 0 0 1"},
		{"begun anew far ahead", []d{{1000, 30}, {3_000_000_000, 30}, {3_000_000_030, 1}}, "0 0 0 0 1"},
		{"begun anew with a gap open", []d{{1000, 30}, {1060, 30}, {0, 30}, {30, 1}}, "1 30 0 0 1"},
		{"a stray from before the start", []d{{1000, 1}, {1001, 1}, {900, 1}, {1002, 1}}, "0 0 1 0 0"},
		{"numbers that stand still", []d{{0, 30}, {0, 30}, {0, 30}}, "0 0 0 60 0"},
		{"datagrams without units", []d{{5, 0}, {5, 0}, {5, 3}, {8, 0}, {8, 1}}, "0 0 0 0 0"},
		{"a late one without units", []d{{5, 3}, {8, 3}, {2, 0}, {11, 1}}, "0 0 0 0 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q sequence
			var e tables.Exporter
			now := testTime
			for _, in := range c.in {
				q.take(in[0], in[1], now, &e)
				now += 1e5
			}
			q.settle(now+2e6, &e)
			if got := fmt.Sprint(e.Gaps, e.Missing, e.Reordered, e.Duplicates, e.Resets); got != c.want {
				t.Errorf("%s, want %s", got, c.want)
			}
		})
	}
}

// TestSequenceManyHoles opens more holes than are kept.
func TestSequenceManyHoles(t *testing.T) {
	var q sequence
	var e tables.Exporter
	for i := range uint32(1000) {
		q.take(2*i, 1, testTime, &e)
	}
	q.take(1997, 1, testTime, &e)
	q.settle(testTime+2e6, &e)
	if e.Gaps != 998 || e.Missing != 998 || e.Reordered != 1 || e.Resets != 0 {
		t.Errorf("%+v", e)
	}
}

// TestSequenceUncounted goes on after a message whose records could not all
// be counted.
func TestSequenceUncounted(t *testing.T) {
	var q sequence
	var e tables.Exporter
	q.take(0, 10, testTime, &e)
	q.uncounted()
	q.take(37, 10, testTime, &e)
	q.take(50, 10, testTime, &e)
	q.settle(testTime+2e6, &e)
	if e.Gaps != 1 || e.Missing != 3 {
		t.Errorf("%+v", e)
	}
}

// TestSequenceUnits is what each protocol counts.
func TestSequenceUnits(t *testing.T) {
	template := set(2, templateOf(256, plainFields...))
	options := set(3, ipfixOptions(300, 1, ie{0, 10, 4}, ie{0, 34, 4}))
	for _, c := range []struct {
		name      string
		datagrams [][]byte
		missing   int64
		unit      string
	}{
		{"v5: flows", [][]byte{v5Datagram(0, 30), v5Datagram(30, 30), v5Datagram(70, 30)}, 10, "flows"},
		{"v9: datagrams", [][]byte{v9Datagram(0, 1), v9Datagram(1, 1), v9Datagram(5, 1)}, 3, "packets"},
		{"IPFIX: data records, of options too", [][]byte{
			ipfixMessage(0, 1, template, options, set(256, plainOf(0), plainOf(1))),
			ipfixMessage(2, 1, set(300, make([]byte, 16))),
			ipfixMessage(4, 1, template),
			ipfixMessage(5, 1, set(256, plainOf(0))),
		}, 1, "records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			send(d, c.datagrams...)
			d.Close(testTime + 1)
			if e := s.sum(); e.Missing != c.missing || e.Gaps != 1 || s.exporters[0].SequenceUnit != c.unit {
				t.Errorf("%+v", e)
			}
		})
	}
}
