package compact

import (
	"context"
	"errors"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// errUncounted: what moved traffic is not all there.
var errUncounted = errors.New("connections of its time are gone")

// Recount writes the rows again that lost files of traffic_1m and traffic_1h had: what
// connections of their time moved, less what the files say that are there. Each range
// says what became of it. The caller has the lock of compaction. An error means that it
// could not go on.
func Recount(ctx context.Context, a *archive.Archive, lost []archive.File) (done []*archive.LostRange, err error) {
	if len(lost) == 0 {
		return nil, nil
	}
	cat, err := a.Catalog()
	if err != nil {
		return nil, err
	}
	of := func(family archive.Family) []*archive.LostRange {
		return archive.LostRanges(slices.DeleteFunc(slices.Clone(lost), func(f archive.File) bool { return f.Family != family }))
	}
	minutely, err := recount(ctx, a, cat, of(archive.Traffic), minutelyTraffic, tables.Minute, func(list []tables.Traffic) []tables.Traffic { return list },
		func(r *tables.Traffic) *tables.Traffic { return r })
	if err != nil {
		return nil, err
	}
	hourly, err := recount(ctx, a, cat, of(archive.TrafficHour), hourlyTraffic, tables.Hour, hours,
		func(r *tables.HourlyTraffic) *tables.Traffic { return (*tables.Traffic)(r) })
	return append(minutely, hourly...), err
}

// recount does so with the files of one family, whose bins are so wide and made of
// minutes so.
func recount[T any](ctx context.Context, a *archive.Archive, cat *archive.Catalog, ranges []*archive.LostRange, by summed[T], width tables.Time,
	bins func([]tables.Traffic) []T, asTraffic func(*T) *tables.Traffic) ([]*archive.LostRange, error) {
	if len(ranges) == 0 {
		return nil, nil
	}
	meets := func(from, to tables.Time) bool {
		return slices.ContainsFunc(ranges, func(l *archive.LostRange) bool { return l.Meets(from-width+1, to) })
	}
	var t traffic
	var from []archive.File
	for _, f := range cat.Files(archive.Connections) {
		if !meets(f.MinTS, f.MaxTS) {
			continue
		}
		from = append(from, f)
		gone, err := replacedIn(ctx, cat, f)
		if err == nil {
			err = each(ctx, f, func(c *tables.Connection) {
				if meets(c.TS, c.TSEnd) && !gone[settle.ID{ConnID: c.ConnID, Site: c.Site}] {
					t.add(c, false)
				}
			}, settle.ConnectionColumns...)
		}
		if err != nil {
			return nil, err
		}
	}
	list := bins(t.take())
	for _, f := range cat.Files(ranges[0].Files[0].Family) {
		if !meets(f.MinTS, f.MaxTS) || slices.ContainsFunc(ranges, func(l *archive.LostRange) bool { return l.Has(&f) }) {
			continue
		}
		if err := each(ctx, f, func(r *T) {
			less := *r
			asTraffic(&less).Negate()
			list = append(list, less)
		}); err != nil {
			return nil, err
		}
	}
	rows := map[*archive.LostRange][]T{}
	list = sums(list, by)
	for i := range list {
		if l := archive.LostAt(ranges, asTraffic(&list[i]).TS); l != nil {
			rows[l] = append(rows[l], list[i])
			l.Rows++
		}
	}
	for _, l := range ranges {
		if l.Sums = true; uncounted(cat, l, width) {
			l.Err = errUncounted
		} else if err := writeLost(a, cat, l, rows[l], from); err != nil {
			return nil, err
		}
		l.Finish(0)
		l.Abort()
	}
	return ranges, nil
}

// uncounted tells whether connections of a range's time are evicted or damaged.
func uncounted(cat *archive.Catalog, l *archive.LostRange, width tables.Time) bool {
	return slices.ContainsFunc(cat.Evicted(archive.Connections), func(e archive.Evicted) bool { return l.Meets(e.TS-width+1, e.TSEnd) }) ||
		slices.ContainsFunc(cat.Damage(), func(d archive.Damage) bool {
			return (d.Family == archive.Connections || d.Family == archive.Replaced) && !d.Stray && l.Meets(d.From-width+1, d.To)
		})
}

// writeLost puts rows in place of a range.
func writeLost[T any](a *archive.Archive, cat *archive.Catalog, l *archive.LostRange, rows []T, from []archive.File) error {
	tx, o, err := l.Begin(a, cat, from)
	if err != nil {
		return err
	}
	out, err := archive.NewRowFileWith[T](tx, l.Files[0].Level, o)
	if err != nil {
		return errors.Join(err, tx.Abort())
	}
	err = out.Write(rows)
	_, closed := out.Close()
	if err = errors.Join(err, closed); err != nil {
		return errors.Join(err, tx.Abort())
	}
	return nil
}
