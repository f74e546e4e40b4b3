package compact

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// What conversations moved, by the minute and by the hour, is written in the batch
// that writes their connections, and follows from those alone: a connection's
// counters are divided over the bins of its time in proportion to it, so that the
// bins add up to them. One that stands for another takes back what that one had
// brought. So rows are written once, and merges add them up.

// trafficCells bounds those that wait in memory to be written.
const trafficCells = 1 << 17

// traffic collects what connections moved.
type traffic struct {
	tx    *archive.Tx // nil: it is only collected
	by    map[place]*kinds
	last  *kinds // those of the connection before
	cells int
	rows  []tables.Traffic // that could not be added to a cell
	part  tables.Traffic
	err   error
}

// place and kind are what rows of a bin are told apart by. Hundreds of thousands of
// connections have one place, and a few hundred kinds.
type place struct{ observer, site string }

type kind struct {
	service, direction string
	protocol           int32
}

type kinds struct {
	place
	by map[kind]*cells
}

// cells are the minutes of a place and kind.
type cells struct {
	row  tables.Traffic // without time and counters
	by   map[tables.Time]*tables.Traffic
	last *tables.Traffic // the one used before
}

// of finds the cells of a connection.
func (t *traffic) of(c *tables.Connection) *cells {
	if t.last == nil || t.last.observer != c.Sensor || t.last.site != c.Site {
		at := place{c.Sensor, c.Site}
		if t.by == nil {
			t.by = map[place]*kinds{}
		}
		if t.last = t.by[at]; t.last == nil {
			t.last = &kinds{at, map[kind]*cells{}}
			t.by[at] = t.last
		}
	}
	k := kind{c.Service, tables.Direction(c.Client, c.Server), c.Protocol}
	s := t.last.by[k]
	if s == nil {
		s = &cells{by: map[tables.Time]*tables.Traffic{}, row: tables.Traffic{Observer: c.Sensor, Site: c.Site,
			Protocol: k.protocol, Service: k.service, Direction: k.direction}}
		t.last.by[k] = s
	}
	return s
}

// add counts a connection in, or with less out again.
func (t *traffic) add(c *tables.Connection, less bool) {
	s := t.of(c)
	if c.OneMinute() {
		t.part = tables.Traffic{ClientBytes: c.ClientBytes.V, ServerBytes: c.ServerBytes.V,
			ClientPackets: c.ClientPackets.V, ServerPackets: c.ServerPackets.V, Connections: c.Conversations()}
		t.count(s, c.TS.Bin(tables.Minute), &t.part, less)
	} else {
		c.Spread(func(minute tables.Time, part *tables.Traffic) { t.count(s, minute, part, less) })
	}
	if t.tx != nil && t.cells+len(t.rows) >= trafficCells {
		t.err = errors.Join(t.err, t.write())
	}
}

// count adds a part of a connection to its cell.
func (t *traffic) count(s *cells, minute tables.Time, part *tables.Traffic, less bool) {
	if less {
		part.Negate()
	}
	if s.last == nil || s.last.TS != minute {
		if s.last = s.by[minute]; s.last == nil {
			row := s.row
			row.TS, s.last = minute, &row
			s.by[minute] = s.last
			t.cells++
		}
	}
	if !part.AddTo(s.last) {
		row := s.row
		row.TS = minute
		part.AddTo(&row)
		t.rows = append(t.rows, row)
	}
}

// take returns what was collected, in the order of time, and begins anew.
func (t *traffic) take() []tables.Traffic {
	out := t.rows
	for _, of := range t.by {
		for _, s := range of.by {
			for _, r := range s.by {
				if !r.Zero() {
					out = append(out, *r)
				}
			}
		}
	}
	t.by, t.last, t.cells, t.rows = nil, nil, 0, nil
	slices.SortFunc(out, compareTraffic)
	return out
}

func compareTraffic(x, y tables.Traffic) int {
	return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.Observer, y.Observer), cmp.Compare(x.Site, y.Site),
		cmp.Compare(x.Protocol, y.Protocol), cmp.Compare(x.Service, y.Service), cmp.Compare(x.Direction, y.Direction))
}

// write puts what was collected into the batch.
func (t *traffic) write() error {
	minutes := t.take()
	if len(minutes) == 0 {
		return nil
	}
	if err := writeRows(t.tx, minutes); err != nil {
		return err
	}
	return writeRows(t.tx, hours(minutes))
}

// close writes the rest.
func (t *traffic) close() error { return errors.Join(t.err, t.write()) }

func writeRows[T any](tx *archive.Tx, list []T) error {
	out, err := archive.NewRowFile[T](tx, merged)
	if err != nil {
		return err
	}
	if err := out.Write(list); err != nil {
		return err
	}
	_, err = out.Close()
	return err
}

// hours adds up minutes.
func hours(minutes []tables.Traffic) []tables.HourlyTraffic {
	hourly := make([]tables.HourlyTraffic, len(minutes))
	for i := range minutes {
		hourly[i] = tables.HourlyTraffic(minutes[i])
		hourly[i].TS = minutes[i].TS.Bin(tables.Hour)
	}
	return sums(hourly, hourlyTraffic)
}

// summed says how rows that add up do so: which belong to one, in which order.
type summed[T any] struct {
	compare func(x, y T) int
	add     func(row, sum *T) bool // false: it would be too large
	zero    func(*T) bool          // says nothing
}

var (
	minutelyTraffic = summed[tables.Traffic]{compareTraffic, (*tables.Traffic).AddTo, (*tables.Traffic).Zero}
	hourlyTraffic   = summed[tables.HourlyTraffic]{
		func(x, y tables.HourlyTraffic) int { return compareTraffic(tables.Traffic(x), tables.Traffic(y)) },
		func(row, sum *tables.HourlyTraffic) bool { return (*tables.Traffic)(row).AddTo((*tables.Traffic)(sum)) },
		func(r *tables.HourlyTraffic) bool { return (*tables.Traffic)(r).Zero() },
	}
)

var countedRates = summed[tables.Rate]{
	func(x, y tables.Rate) int {
		return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.Observer, y.Observer), cmp.Compare(x.Site, y.Site),
			cmp.Compare(x.Protocol.V, y.Protocol.V), cmp.Compare(x.Direction, y.Direction))
	},
	func(row, sum *tables.Rate) bool {
		sum.Packets, sum.Bytes, sum.SYNs = sum.Packets+row.Packets, sum.Bytes+row.Bytes, sum.SYNs+row.SYNs
		sum.NewFlows, sum.Drops = sum.NewFlows+row.NewFlows, sum.Drops+row.Drops
		return true // packets of a second are not that many
	},
	func(*tables.Rate) bool { return false },
}

// sums adds up the rows of a list that belong together, in its place.
func sums[T any](list []T, by summed[T]) []T {
	slices.SortFunc(list, by.compare)
	out := list[:0]
	for i := range list {
		if n := len(out); n == 0 || by.compare(out[n-1], list[i]) != 0 || !by.add(&list[i], &out[n-1]) {
			out = append(out, list[i])
		}
	}
	return slices.DeleteFunc(out, func(r T) bool { return by.zero(&r) })
}

// rewriteSums merges files into one, in which rows that belong together are added
// up.
func rewriteSums[T any](by summed[T]) rewriter {
	ts := rows.TimeOf[T]()
	return func(ctx context.Context, tx *archive.Tx, _ *archive.Catalog, files []archive.File, level string, _ tables.Time) error {
		out, err := archive.NewRowFile[T](tx, level)
		if err != nil {
			return err
		}
		var bin []T // rows of one time
		flush := func() error {
			list := sums(bin, by)
			bin = bin[:0]
			return out.Write(list)
		}
		_, err = mergeRows(ctx, files, ts, func(rows []T) error {
			for i := range rows {
				if len(bin) > 0 && ts(&bin[0]) != ts(&rows[i]) {
					if err := flush(); err != nil {
						return err
					}
				}
				bin = append(bin, rows[i])
			}
			return nil
		})
		if err == nil {
			err = flush()
		}
		_, closed := out.Close()
		return errors.Join(err, closed)
	}
}

// fillTraffic computes the traffic of an archive that has connections and none of
// it: what wrote them was a program that knew nothing of it, or all of it went to
// make room.
func fillTraffic(ctx context.Context, a *archive.Archive) error {
	cat, err := a.Catalog()
	if err != nil || len(cat.Files(archive.Traffic)) > 0 || len(cat.Files(archive.Connections)) == 0 {
		return err
	}
	tx, err := a.Begin(writer)
	if err != nil {
		return err
	}
	t := &traffic{tx: tx}
	for _, f := range cat.Files(archive.Connections) {
		gone, err := replacedIn(ctx, cat, f)
		if err == nil {
			err = each(ctx, f, func(c *tables.Connection) {
				if !gone[settle.ID{ConnID: c.ConnID, Site: c.Site}] {
					t.add(c, false)
				}
			}, settle.ConnectionColumns...)
		}
		if err != nil {
			return errors.Join(err, tx.Abort())
		}
	}
	if err := t.close(); err != nil {
		return errors.Join(err, tx.Abort())
	}
	return tx.Commit()
}
