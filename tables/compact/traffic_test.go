package compact

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// checkTraffic compares the rows of traffic there are, stored and young, with what
// connections say.
func checkTraffic(t *testing.T, a *archive.Archive, y *Recent, list []tables.Connection) {
	t.Helper()
	key := func(r *tables.Traffic, width tables.Time) string {
		return fmt.Sprint(r.TS.Bin(width), r.Observer, r.Site, r.Protocol, r.Service, r.Direction)
	}
	var want, got [2]map[string]tables.Traffic
	add := func(sums *[2]map[string]tables.Traffic, of int, r tables.Traffic) {
		if sums[of] == nil {
			sums[of] = map[string]tables.Traffic{}
		}
		k := key(&r, []tables.Time{tables.Minute, tables.Hour}[of])
		sum := sums[of][k]
		if !r.AddTo(&sum) {
			t.Fatal("too large")
		}
		if sums[of][k] = sum; sum.Zero() {
			delete(sums[of], k)
		}
	}
	for i := range list {
		c := &list[i]
		c.Spread(func(minute tables.Time, part *tables.Traffic) {
			r := *part
			r.TS, r.Observer, r.Site, r.Protocol, r.Service, r.Direction = minute, c.Sensor, c.Site, c.Protocol, c.Service, tables.Direction(c.Client, c.Server)
			add(&want, 0, r)
			add(&want, 1, r)
		})
	}
	for _, r := range append(rowsOf(t, a, archive.Traffic, func(r *tables.Traffic) tables.Time { return r.TS }), y.Traffic...) {
		add(&got, 0, r)
	}
	for _, r := range append(rowsOf(t, a, archive.TrafficHour, func(r *tables.HourlyTraffic) tables.Time { return r.TS }), y.Hours...) {
		add(&got, 1, tables.Traffic(r))
	}
	for of := range want {
		if fmt.Sprint(got[of]) != fmt.Sprint(want[of]) {
			t.Errorf("traffic (%d):\n%v\nwant\n%v", of, got[of], want[of])
		}
	}
}

// TestSpread divides connections of all lengths as exact fractions say, the long
// way: what was moved before each minute's end, rounded down.
func TestSpread(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		lasts := tables.Time(r.Int64N(int64([]tables.Time{1, second, 90 * second, tables.Hour, 300 * tables.Hour, 40 * 365 * 24 * tables.Hour}[r.IntN(6)])))
		counts := []int64{1, 10, 1e6, tables.MaxCount}
		c := tables.Connection{TS: tables.Time(r.Int64N(1e15)), ClientBytes: tables.Some(r.Int64N(counts[r.IntN(4)])), ServerPackets: tables.Some(r.Int64N(counts[r.IntN(4)]))}
		c.TSEnd = c.TS + lasts
		before := func(n int64, end tables.Time) int64 { // by the end of a minute
			part := min(end, c.TSEnd+1) - c.TS
			v := new(big.Int).Mul(big.NewInt(n), big.NewInt(int64(part)))
			return v.Div(v, big.NewInt(int64(lasts)+1)).Int64()
		}
		var sum tables.Traffic
		bins, last := 0, tables.Time(-1)
		c.Spread(func(minute tables.Time, part *tables.Traffic) {
			if bins++; minute%tables.Minute != 0 || minute < c.TS.Bin(tables.Minute) || minute > c.TSEnd || minute < last {
				t.Fatalf("%+v: minute %d after %d", c, minute, last)
			}
			last = minute
			if !part.AddTo(&sum) {
				t.Fatal("too large")
			}
			// Of longer ones a minute stands for more than its own time.
			if end := minute + tables.Minute; lasts < 20*tables.Hour && part.Connections == 0 &&
				(sum.ClientBytes != before(c.ClientBytes.V, end) || sum.ServerPackets != before(c.ServerPackets.V, end)) {
				t.Fatalf("%+v: %+v until the end of %d", c, sum, minute)
			}
		})
		if sum.ClientBytes != c.ClientBytes.V || sum.ServerPackets != c.ServerPackets.V || sum.Connections != 1 || bins > 1500 {
			t.Fatalf("%+v: %+v in %d bins", c, sum, bins)
		}
	}
}

// TestProfile: what a profile says comes back, whatever came in which order, and
// bytes that are none do no harm.
func TestProfile(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for range 300 {
		var p, q tables.Profile
		type part struct {
			from, to tables.Time
			n        int64
		}
		var parts []part
		total, ts := int64(0), tables.Time(1<<62)
		for range 1 + r.IntN(50) {
			at := tables.Time(r.Int64N(int64(100 * tables.Hour)))
			one := part{at, at + tables.Time(r.Int64N(int64(2*tables.Minute))), r.Int64N(1e6)}
			parts, total, ts = append(parts, one), total+one.n, min(ts, at)
		}
		for i := range parts {
			p.Add(parts[i].from, parts[i].to, parts[i].n)
			j := len(parts) - 1 - i
			q.Add(parts[j].from, parts[j].to, parts[j].n)
		}
		text := p.Append(nil, ts)
		if back := tables.ParseProfile(text, ts); fmt.Sprint(back) != fmt.Sprint(p) || fmt.Sprint(p) != fmt.Sprint(q) {
			t.Fatalf("%v\n%v\n%v", p, q, back)
		}
		for _, m := range p {
			total -= m.Bytes
		}
		if total != 0 {
			t.Fatalf("%d bytes are missing", total)
		}
		for i := range text {
			text[i] ^= byte(r.IntN(256))
		}
		c := tables.Connection{TS: ts, TSEnd: ts + tables.Hour, ClientBytes: tables.Some(int64(1000)), Profile: text}
		sum := int64(0)
		c.Spread(func(_ tables.Time, part *tables.Traffic) { sum += part.ClientBytes })
		if sum != 1000 {
			t.Fatalf("%d bytes of 1000 by %x", sum, text)
		}
	}
	var long tables.Profile
	for i := range tables.Time(10000) {
		long.Add(i*tables.Minute, i*tables.Minute, 1)
	}
	total := int64(0)
	for _, m := range long {
		total += m.Bytes
	}
	if len(long) > 2*1440 || total != 10000 {
		t.Errorf("%d bytes in %d minutes", total, len(long))
	}
}

// TestTrafficOfBefore: an archive that had connections before there was traffic
// gets it with the next run.
func TestTrafficOfBefore(t *testing.T) {
	dir := t.TempDir()
	for _, without := range []bool{true, false} {
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		if without {
			put(t, a, []tables.Flow{flow(1, 1, true, 0, 200, 30, 40), flow(2, 1, false, 10, 20, 1, 2), flow(2, 2, true, 100, 130, 1000, 2)})
		}
		run(t, a)
		checkTraffic(t, a, &Recent{}, connections(t, a))
		if n := len(rowsOf(t, a, archive.Traffic, func(r *tables.Traffic) tables.Time { return r.TS })); n < 4 {
			t.Errorf("%d rows", n)
		}
		a.Close()
		if without {
			for _, family := range []archive.Family{archive.Traffic, archive.TrafficHour} {
				if err := os.RemoveAll(filepath.Join(dir, string(family))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
