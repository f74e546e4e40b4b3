package compact

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// world is what sensors metered and exporters reported between a few ends.
type world struct {
	flows   []tables.Flow
	exports []tables.Export // the flow id is the place in this list, from 1
}

var rates = map[string]int64{"r1": 1, "r2": 10, "r3": 1}

// randomWorld has up to so many rows of exports for each of its ends.
func randomWorld(r *rand.Rand, most int) (w world) {
	tuple := func(n int) func(*tables.Export) {
		return func(x *tables.Export) {
			if n == 1 {
				x.Protocol = tables.ProtocolUDP
			}
			x.CID += uint64(n)
			if x.SrcPort == 40000 {
				x.SrcPort += int32(n)
			} else {
				x.DstPort += int32(n)
			}
		}
	}
	id := tables.ID(0)
	for n := range 3 {
		for range r.IntN(most) {
			from := float64(r.IntN(3000)) + float64(len(w.exports)+1)/1000 // no two rows begin at once
			observer := []string{"r1", "r2", "r3"}[r.IntN(3)]
			x := export(observer, from, from+float64(r.IntN(4)*r.IntN(60)), int64(1+r.IntN(20))*int64(1-2*r.IntN(2)), tuple(n))
			x.FlowID = tables.ID(len(w.exports) + 1)
			if rate := rates[observer]; rate > 1 {
				x.Sampling = tables.Some(rate)
			}
			w.exports = append(w.exports, x)
		}
		for at := tables.Time(r.IntN(2000)); r.IntN(3) > 0; {
			id++
			for p, pieces := int32(1), int32(1+r.IntN(3)); p <= pieces; p++ {
				end := at + tables.Time(r.IntN(60))
				f := flow(id, p, p == pieces, at, end, int64(1+r.IntN(20)), int64(r.IntN(20)))
				f.CID += uint64(n)
				f.SrcPort += int32(n)
				if n == 1 {
					f.Protocol = tables.ProtocolUDP
				}
				w.flows = append(w.flows, f)
				at = end + 1
			}
			at += tables.Time(r.IntN(400))
		}
	}
	return w
}

// expect computes the conversations the long way: each row with each.
func (w *world) expect() string {
	type conv struct {
		id       tables.ID
		from, to tables.Time // metered
		n        [2]int64    // client, server
		rows     []int
		pieces   int
	}
	var lines []string
	for n := range int32(3) {
		var metered []*conv
		by := map[tables.ID]*conv{}
		for i := range w.flows {
			f := &w.flows[i]
			if f.SrcPort != 40000+n {
				continue
			}
			c := by[f.ConnID]
			if c == nil {
				c = &conv{id: f.ConnID, from: f.TS, to: f.TSEnd}
				by[f.ConnID], metered = c, append(metered, c)
			}
			c.from, c.to = min(c.from, f.TS), max(c.to, f.TSEnd)
			c.n[0], c.n[1], c.pieces = c.n[0]+f.Packets, c.n[1]+f.ReversePackets.V, c.pieces+1
		}
		var rows []int
		for i := range w.exports {
			if x := &w.exports[i]; max(x.SrcPort, x.DstPort) == 40000+n {
				rows = append(rows, i)
			}
		}
		idle := 300 * second
		if n == 1 {
			idle = 60 * second
		}
		span := map[int]int{}
		for _, i := range rows {
			span[i] = i
		}
		for range rows {
			for _, i := range rows {
				for _, j := range rows {
					x, y := &w.exports[i], &w.exports[j]
					if max(x.TS-y.TSEnd, y.TS-x.TSEnd) < idle {
						span[i] = min(span[i], span[j])
						span[j] = span[i]
					}
				}
			}
		}
		all := slices.Clone(metered)
		alone := map[int]*conv{}
		for _, i := range rows {
			// The span is one stretch; a conversation in its middle touches it
			// though no row does.
			first, last := w.exports[i].TS, w.exports[i].TSEnd
			for _, j := range rows {
				if span[j] == span[i] {
					first, last = min(first, w.exports[j].TS), max(last, w.exports[j].TSEnd)
				}
			}
			var twins []*conv
			for _, c := range metered {
				if c.from-2*second <= last && c.to+2*second >= first {
					twins = append(twins, c)
				}
			}
			x := &w.exports[i]
			distance := func(c *conv) [3]tables.Time {
				if c.from-2*second <= x.TSEnd && c.to+2*second >= x.TS {
					return [3]tables.Time{0, max(c.from-x.TS, x.TS-c.from), c.from}
				}
				return [3]tables.Time{max(c.from-x.TSEnd, x.TS-c.to), 0, c.from}
			}
			switch {
			case len(twins) > 0:
				best := slices.MinFunc(twins, func(a, b *conv) int {
					p, q := distance(a), distance(b)
					return slices.Compare(p[:], q[:])
				})
				best.rows = append(best.rows, i)
			case alone[span[i]] == nil:
				alone[span[i]] = &conv{}
				all = append(all, alone[span[i]])
				fallthrough
			default:
				alone[span[i]].rows = append(alone[span[i]].rows, i)
			}
		}
		for _, c := range all {
			from, to := c.from, c.to
			if c.id == 0 {
				from, to = tables.OpenEnd, 0
			}
			type claim struct {
				name string
				rank int
				n    [2]int64
			}
			claims := map[string]*claim{}
			seen := []string{}
			pieces := c.pieces
			for _, i := range c.rows {
				x := &w.exports[i]
				from, to = min(from, x.TS), max(to, x.TSEnd)
				if claims[x.Observer] == nil {
					claims[x.Observer] = &claim{x.Observer, 1, [2]int64{}}
					seen = append(seen, x.Observer)
				}
				o := claims[x.Observer]
				if rates[x.Observer] > 1 {
					o.rank = 2
				}
				side := 0
				if x.DstPort != 80 {
					side = 1
				}
				o.n[side] += x.Packets * rates[x.Observer]
				if c.id == 0 {
					pieces++
				}
			}
			if c.id != 0 {
				o := &claim{"s1", 0, c.n}
				if c.from-10*second > from || c.to+10*second < to {
					o.rank = 1
				}
				claims["s1"] = o
				seen = append(seen, "s1")
			}
			list := []*claim{}
			for _, o := range claims {
				list = append(list, o)
			}
			worth := func(o *claim, packets int64) []int64 {
				sensor := int64(1)
				if o.name == "s1" {
					sensor = 0
				}
				return []int64{int64(o.rank), -packets, sensor, int64(o.name[1])}
			}
			best := slices.MinFunc(list, func(a, b *claim) int {
				return slices.Compare(worth(a, a.n[0]+a.n[1]), worth(b, b.n[0]+b.n[1]))
			})
			counts := best.n
			for side := range counts {
				if counts[side] > 0 {
					continue
				}
				other := slices.MinFunc(list, func(a, b *claim) int {
					p, q := worth(a, a.n[side]), worth(b, b.n[side])
					if (a.n[side] == 0) != (b.n[side] == 0) {
						return map[bool]int{true: 1, false: -1}[a.n[side] == 0]
					}
					return slices.Compare(p, q)
				})
				counts[side] = other.n[side]
			}
			if best.rank == 0 {
				from, to = c.from, c.to
			}
			slices.Sort(seen)
			ids := []tables.ID{}
			for _, i := range c.rows {
				ids = append(ids, w.exports[i].FlowID)
			}
			lines = append(lines, line(n, from, to, counts, best.name, strings.Join(seen, ","), int32(pieces), c.id, ids))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// line is a conversation as text; what exporters alone saw has no number.
func line(tuple int32, from, to tables.Time, n [2]int64, best, seen string, pieces int32, id tables.ID, rows []tables.ID) string {
	if id > 1000 {
		id = 0
	}
	slices.Sort(rows)
	return fmt.Sprintf("%d %g-%g %d>%d %s %s x%d #%d %v\n", tuple, float64(from)/1e6, float64(to)/1e6, n[0], n[1], best, seen, pieces, id, rows)
}

// describe is the same of connections and the rows that belong to them.
func describe(t *testing.T, list []tables.Connection, rows map[tables.ID][]tables.ID) string {
	t.Helper()
	var lines []string
	ids := map[tables.ID]bool{}
	for _, c := range list {
		if ids[c.ConnID] {
			t.Errorf("two connections %d", c.ConnID)
		}
		ids[c.ConnID] = true
		n := [2]int64{c.ClientPackets.V, c.ServerPackets.V}
		if c.Client != hostA || n[0]*100 != c.ClientBytes.V || n[1]*100 != c.ServerBytes.V {
			t.Errorf("%+v", c)
		}
		lines = append(lines, line(c.ClientPort-40000, c.TS, c.TSEnd, n, c.Sensor, c.SeenBy, c.Pieces, c.ConnID, rows[c.ConnID]))
	}
	for id := range rows {
		if !ids[id] {
			t.Errorf("rows %v are of no connection", rows[id])
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// TestAnyOrder settles random worlds in random steps and orders, and compares
// what is stored at the end, and what is stored and young meanwhile, with the
// long way.
func TestAnyOrder(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 15
	}
	var late, forced, folded int64
	var decisions int
	defer func(before int) { partCIDs = before }(partCIDs)
	for seed := range uint64(rounds) {
		partCIDs = int(1 + seed%3)
		r := rand.New(rand.NewPCG(seed, 1))
		w := randomWorld(r, 12)
		a := open(t)
		var known world
		check := func(when string, list []tables.Connection, rows map[tables.ID][]tables.ID) {
			t.Helper()
			got, want := describe(t, list, rows), known.expect()
			if rows == nil {
				got, want = withoutRows.ReplaceAllString(got, ""), withoutRows.ReplaceAllString(want, "")
			}
			if got != want {
				t.Errorf("seed %d, %s: got\n%swant\n%s", seed, when, got, want)
			}
		}
		exports, flows := slices.Clone(w.exports), slices.Clone(w.flows)
		if r.IntN(2) == 0 {
			r.Shuffle(len(exports), func(i, j int) { exports[i], exports[j] = exports[j], exports[i] })
			r.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		}
		for step := 0; len(exports)+len(flows) > 0; step++ {
			if k := r.IntN(len(exports) + 1); k > 0 && r.IntN(2) == 0 {
				putExports(t, a, []string{"collector", "import"}[r.IntN(2)], exports[:k])
				known.exports, exports = append(known.exports, exports[:k]...), exports[k:]
			}
			if k := r.IntN(len(flows) + 1); k > 0 && r.IntN(2) == 0 {
				put(t, a, flows[:k])
				known.flows, flows = append(known.flows, flows[:k]...), flows[k:]
			}
			if r.IntN(2) == 0 {
				takeFlows(t, a)
			}
			if r.IntN(2) == 0 {
				s := settleAt(t, a, tables.Time(r.IntN(5000))*second, limits{int64(1 + r.IntN(10)), r.IntN(10)})
				late, forced, folded = late+s.Late, forced+s.Forced, folded+s.Folded
			}
			decisions += mergeSome(t, a, r)
			list, rows := withYoung(t, a)
			check(fmt.Sprint("step ", step), list, rows)
			if t.Failed() {
				return
			}
		}
		takeFlows(t, a)
		settleAt(t, a, settledLate, limits{int64(1 + r.IntN(10)), 100})
		rows := map[tables.ID][]tables.ID{}
		for _, x := range settledExports(t, a) {
			rows[x.ConnID.V] = append(rows[x.ConnID.V], x.FlowID)
		}
		check("settled", connections(t, a), rows)
		if list, _ := withYoung(t, a); len(list) != len(connections(t, a)) {
			t.Errorf("seed %d: %d connections, %d with the young", seed, len(connections(t, a)), len(list))
		}
		if t.Failed() {
			return
		}
		a.Close()
	}
	if late == 0 || forced == 0 || folded == 0 || decisions == 0 {
		t.Errorf("%d late, %d forced, %d folded, %d decisions folded in: the worlds are too simple", late, forced, folded, decisions)
	}
}

// mergeSome merges some of what is settled, as Round does, and tells how many
// decisions there are less.
func mergeSome(t *testing.T, a *archive.Archive, r *rand.Rand) int {
	t.Helper()
	open := func() (n int) {
		cat, err := a.Catalog()
		if err != nil {
			t.Fatal(err)
		}
		for _, family := range []archive.Family{archive.Exports, archive.Connections} {
			for _, f := range cat.Files(family) {
				if d, ok := cat.Decisions(f); ok {
					n += int(d.Rows)
				}
			}
		}
		return n
	}
	before := open()
	for _, family := range []archive.Family{archive.Exports, archive.Connections} {
		var err error
		switch r.IntN(6) {
		case 0:
			err = foldMany(context.Background(), a, family, 1, &Stats{})
		case 1:
			level := []string{merged, hourly, daily}[r.IntN(3)]
			up := map[string]string{merged: hourly, hourly: daily, daily: daily}[level]
			plan := func(units []unit) [][]unit { return pick(units, level, 2, maxRows) }
			err = climb(context.Background(), a, family, up, plan, &Stats{})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if r.IntN(3) == 0 {
		plan := func(units []unit) [][]unit { return few(units, merged, 2) }
		for _, family := range []archive.Family{archive.Traffic, archive.TrafficHour} {
			if err := climb(context.Background(), a, family, merged, plan, &Stats{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return before - open()
}

// takeFlows takes metered rows over as Run does.
func takeFlows(t *testing.T, a *archive.Archive) {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, files := range sequences(cat.Files(archive.Flows), pending) {
		if err := mergeFlows(context.Background(), a, cat, files, &Stats{}); err != nil {
			t.Fatal(err)
		}
	}
}

// withYoung puts what is stored and what is young together.
func withYoung(t *testing.T, a *archive.Archive) ([]tables.Connection, map[tables.ID][]tables.ID) {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	y, err := Young(context.Background(), cat)
	if err != nil {
		t.Fatal(err)
	}
	if y.Skipped != 0 {
		t.Errorf("%d rows skipped", y.Skipped)
	}
	list := slices.DeleteFunc(connections(t, a), func(c tables.Connection) bool {
		return slices.Contains(y.Replaces, tables.Replaced{TS: c.TS, ConnID: c.ConnID, Site: c.Site})
	})
	list = append(list, y.Connections...)
	checkTraffic(t, a, y, list)
	of, settled := map[tables.ID]tables.ID{}, false
	for _, x := range exports(t, a) {
		if x.ConnID.Set {
			of[x.FlowID], settled = x.ConnID.V, true
		}
	}
	for _, x := range y.Rows {
		if _, known := of[x.FlowID]; known {
			t.Errorf("row %d has a conversation", x.FlowID)
		}
		of[x.FlowID] = x.ConnID.V
	}
	// The row of a conversation that is another one now has its old id until
	// it is settled again.
	if settled {
		return list, nil
	}
	out := map[tables.ID][]tables.ID{}
	for row, id := range of {
		out[id] = append(out[id], row)
	}
	return list, out
}

var withoutRows = regexp.MustCompile(` \[[^\n]*`)

// TestStepsAgree settles rows with all that decides a connection at once and in
// many small steps, in the order of time and in another, and compares what
// comes of it: to the last value, but for the names where rows came late.
func TestStepsAgree(t *testing.T) {
	rounds := 12
	if testing.Short() {
		rounds = 4
	}
	for seed := range uint64(rounds) {
		r := rand.New(rand.NewPCG(seed, 3))
		w := randomWorld(r, 40)
		places := 1 + r.IntN(3)
		for i := range w.exports {
			x := &w.exports[i]
			x.InIf = tables.Some(int64(r.IntN(places)))
			x.Action = []string{"", "", "", "allow", "deny"}[r.IntN(5)]
			switch {
			case x.Protocol == tables.ProtocolTCP && r.IntN(3) > 0:
				x.TCPFlags = tables.Some([]int32{0x02, 0x12, 0x10, 0x1b, 0x14, 0x18}[r.IntN(6)])
			case x.Protocol == tables.ProtocolUDP && r.IntN(4) == 0:
				x.ReversePackets, x.ReverseBytes = tables.Some(int64(r.IntN(5))), tables.Some(int64(100*r.IntN(5)))
			}
		}
		var want []tables.Connection
		for _, how := range []string{"at once", "in steps", "in another order"} {
			a := open(t)
			flows, exports := slices.Clone(w.flows), slices.Clone(w.exports)
			sortExports(exports)
			if how == "in another order" {
				r.Shuffle(len(exports), func(i, j int) { exports[i], exports[j] = exports[j], exports[i] })
			}
			if how == "at once" {
				putExports(t, a, "collector", exports)
				settleAt(t, a, settledLate, wide)
			} else {
				var at tables.Time
				for rows := range slices.Chunk(exports, 3) {
					putExports(t, a, "collector", rows)
					for i := range rows {
						at = max(at, rows[i].TSEnd)
					}
					// In another order some are left for a later step.
					if how == "in another order" && r.IntN(2) == 0 {
						at = rows[0].TSEnd
					}
					settleAt(t, a, at+settleWait, limits{chunkRows, 1000})
				}
			}
			put(t, a, flows)
			takeFlows(t, a)
			settleAt(t, a, settledLate, wide)
			got := connections(t, a)
			for i := range got {
				if how == "in another order" && len(got[i].Segments) == 0 {
					got[i].ConnID = 0
				}
			}
			if how == "in another order" {
				for i := range want {
					if len(want[i].Segments) == 0 {
						want[i].ConnID = 0
					}
				}
			}
			order := func(x, y tables.Connection) int {
				return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.CID, y.CID), cmp.Compare(x.TSEnd, y.TSEnd))
			}
			slices.SortFunc(got, order)
			slices.SortFunc(want, order)
			if how == "at once" {
				want = got
			} else if !reflect.DeepEqual(got, want) {
				for i := range min(len(got), len(want)) {
					if !reflect.DeepEqual(got[i], want[i]) {
						t.Logf("got  %+v\nwant %+v", got[i], want[i])
					}
				}
				t.Fatalf("seed %d, %s: %d connections, want %d\n%swant\n%s", seed, how, len(got), len(want), told(got), told(want))
			}
			a.Close()
		}
	}
}
