package engine

import (
	"slices"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/tables"
)

// What is gone of the packets, and when sensors lost some, is asked of every row
// whose packet_status is. It is kept here, in an index that DuckDB calls for a
// row's few segments and its time, so that a statement costs the same however
// much is gone: written into its text it would be read again with each.

// gap is a time in which a sensor lost packets, both ends included.
type gap struct {
	sensor string
	period
}

// absence is the index of one snapshot. It is never changed.
type absence struct {
	gone    []uint64 // a bit for each segment number
	evicted map[uint32]tables.Time
	// lossy are, by sensor, the times of loss: disjoint and in order.
	lossy map[string][]period
}

func newAbsence(missing []uint32, evicted map[uint32]tables.Time, gaps []gap) *absence {
	a := &absence{evicted: evicted, lossy: map[string][]period{}}
	if n := len(missing); n > 0 {
		a.gone = make([]uint64, slices.Max(missing)/64+1)
		for _, s := range missing {
			a.gone[s/64] |= 1 << (s % 64)
		}
	}
	for _, g := range gaps {
		a.lossy[g.sensor] = append(a.lossy[g.sensor], g.period)
	}
	for sensor, list := range a.lossy {
		a.lossy[sensor] = merge(list, 0)
	}
	return a
}

// How many of a row's segments are gone, as wiresql_gone answers.
const (
	goneNone = iota
	goneSome
	goneAll     // some of them were evicted
	goneMissing // all, and none was evicted
)

func (a *absence) of(segments []int32) int32 {
	n, evicted := 0, false
	for _, s := range segments {
		if word := int(uint32(s) / 64); word < len(a.gone) && a.gone[word]>>(uint32(s)%64)&1 != 0 {
			n++
			_, gone := a.evicted[uint32(s)]
			evicted = evicted || gone
		}
	}
	switch {
	case n == 0:
		return goneNone
	case n < len(segments):
		return goneSome
	case evicted:
		return goneAll
	}
	return goneMissing
}

// evictedAt is when the last of a row's segments was evicted; false if none was.
func (a *absence) evictedAt(segments []int32) (at tables.Time, ok bool) {
	for _, s := range segments {
		if t, gone := a.evicted[uint32(s)]; gone {
			at, ok = max(at, t), true
		}
	}
	return at, ok
}

// lost tells whether a sensor lost packets between two times, both included.
func (a *absence) lost(sensor []byte, from, to tables.Time) bool {
	list := a.lossy[string(sensor)]
	after, _ := slices.BinarySearchFunc(list, to, func(p period, t tables.Time) int {
		if p.from <= t {
			return -1
		}
		return 1
	})
	return after > 0 && list[after-1].to >= from
}

// absenceFunctions are how packet_status asks, wiresql_gone(segments) and
// wiresql_lost(sensor, ts, ts_end), and evicted_at, wiresql_evicted_at(segments).
// They answer by the newest snapshot.
func (d *duck) absenceFunctions() []*scalar {
	return []*scalar{
		{name: "wiresql_gone", args: []duckdb.Type{duckdb.TypeList}, ret: duckdb.TypeInteger,
			call: func(args []vector, row int, out *vectorWriter) error {
				put(out, row, d.absent.Load().of(args[0].list(row)))
				return nil
			}},
		{name: "wiresql_evicted_at", args: []duckdb.Type{duckdb.TypeList}, ret: duckdb.TypeTimestamp,
			call: func(args []vector, row int, out *vectorWriter) error {
				at, ok := d.absent.Load().evictedAt(args[0].list(row))
				putOpt(out, row, tables.Opt[int64]{V: int64(at), Set: ok})
				return nil
			}},
		{name: "wiresql_lost", args: []duckdb.Type{duckdb.TypeVarchar, duckdb.TypeTimestamp, duckdb.TypeTimestamp}, ret: duckdb.TypeBoolean,
			call: func(args []vector, row int, out *vectorWriter) error {
				put(out, row, d.absent.Load().lost(args[0].bytes(row), tables.Time(args[1].int64(row)), tables.Time(args[2].int64(row))))
				return nil
			}},
	}
}
