package compact

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// busy are flows of conversations of one to three pieces, some without their last,
// in the order of their time, and answers that name their servers.
func busy(r *rand.Rand, n int) (flows []tables.Flow, dns []tables.DNS) {
	for id := range tables.ID(n) {
		at, pieces := tables.Time(r.IntN(n)), 1+r.Int32N(3)/2+r.Int32N(2)
		server := tables.AddrFrom4([]byte{192, 0, 2, byte(r.IntN(20))})
		for p := int32(1); p <= pieces; p++ {
			f := flow(id+1, p, p == pieces && r.IntN(20) > 0, at, at+tables.Time(r.IntN(90)), r.Int64N(50), r.Int64N(50))
			f.Dst, f.CID = server, uint64(id)*7919
			flows = append(flows, f)
			at += 61
		}
		if r.IntN(2) == 0 {
			dns = append(dns, tables.DNS{TS: tables.Time(r.IntN(n)) * second, Sensor: "s1", Client: tables.AddrFrom4([]byte{10, 0, 0, 1}),
				Query: fmt.Sprintf("h%d.example", id%9), QType: "A", Answers: server.String(), TTL: tables.Some(int64(r.IntN(100)))})
		}
	}
	slices.SortStableFunc(flows, func(x, y tables.Flow) int { return int(x.TS - y.TS) })
	return flows, dns
}

// feed shows rows as an import does: answers as they come, of rows some at a time.
func feed(h *Ahead, flows []tables.Flow, dns []tables.DNS) {
	for len(flows) > 0 {
		n := min(500, len(flows))
		until := flows[n-1].TS
		dns = slices.DeleteFunc(dns, func(d tables.DNS) bool {
			if come := d.TS <= until+10*second; come {
				h.DNS(&d)
				return true
			}
			return false
		})
		for some := range slices.Chunk(flows[:n], 64) {
			h.Flows(some, until)
		}
		flows = flows[n:]
	}
}

// What is made ahead of a run is what the run would have made.
func TestAhead(t *testing.T) {
	flows, dns := busy(rand.New(rand.NewPCG(3, 1)), 3000)
	before, beforeDNS := busy(rand.New(rand.NewPCG(4, 1)), 300)
	for i := range before {
		before[i].ConnID, before[i].FlowID = before[i].ConnID+1e6, before[i].FlowID+1e9
	}
	var want, got []any
	for _, out := range []*[]any{&want, &got} {
		a := open(t)
		put(t, a, slices.Clone(before), inOrder(beforeDNS)...)
		run(t, a)
		cfg := Config{}
		if out == &got {
			if cfg.Ahead = NewAhead(t.Context(), a, flows[0].TS); cfg.Ahead == nil {
				t.Fatal("no other observer is there, and nothing is made ahead")
			}
			feed(cfg.Ahead, slices.Clone(flows), slices.Clone(dns))
		}
		put(t, a, slices.Clone(flows), inOrder(dns)...)
		stats, err := Run(t.Context(), a, cfg)
		if err != nil {
			t.Fatal(err)
		}
		list := connections(t, a)
		if out == &got && (cfg.Ahead.builder != nil || cfg.Ahead.lost || cfg.Ahead.late) {
			t.Errorf("what was made ahead was not taken: late %v", cfg.Ahead.late)
		}
		checkTraffic(t, a, &Recent{}, list)
		*out = []any{stats, list, rowsOf(t, a, archive.Flows, flowTime)}
	}
	if !reflect.DeepEqual(want, got) {
		t.Errorf("made ahead %+v, from files %+v; connections differ: %v", got[0], want[0], !reflect.DeepEqual(got[1], want[1]))
	}
	if named := slices.IndexFunc(got[1].([]tables.Connection), func(c tables.Connection) bool { return c.ServerName != "" }); named < 0 {
		t.Error("no server has a name")
	}
}

func inOrder(dns []tables.DNS) []tables.DNS {
	return slices.SortedStableFunc(slices.Values(dns), func(x, y tables.DNS) int { return int(x.TS - y.TS) })
}

// What may not be what a run would have made is made by the run.
func TestAheadGivesUp(t *testing.T) {
	flows, dns := busy(rand.New(rand.NewPCG(5, 1)), 600)
	for name, is := range map[string]struct {
		before, after func(a *archive.Archive)
		feed          func(h *Ahead)
		none, kept    bool
	}{
		"nothing else": {kept: true},
		"exporters":    {before: func(a *archive.Archive) { putExports(t, a, "collector", []tables.Export{export("r1", 1, 2, 3)}) }, none: true},
		"exporters meanwhile": {after: func(a *archive.Archive) {
			x := export("r1", 1, 2, 3)
			x.CID = flows[0].CID
			putExports(t, a, "collector", []tables.Export{x})
			settleAt(t, a, 3600*second, usual)
		}},
		"rows that wait": {before: func(a *archive.Archive) { put(t, a, []tables.Flow{flow(9e6, 1, true, 1, 2, 3, 4)}) }, none: true},
		"rows not seen":  {after: func(a *archive.Archive) { put(t, a, []tables.Flow{flow(9e6, 1, true, 1, 2, 3, 4)}) }},
		"a late answer":  {feed: func(h *Ahead) { h.DNS(&dns[0]) }},
		"not in order":   {feed: func(h *Ahead) { h.Flows(flows[:1], flows[0].TS) }},
		"another process": {before: func(a *archive.Archive) {
			other, err := archive.Open(a.Dir(), archive.Options{NoSync: true})
			if err == nil {
				err = Lock(other)
			}
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { other.Close() })
		}, none: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := open(t)
			if is.before != nil {
				is.before(a)
			}
			h := NewAhead(t.Context(), a, flows[0].TS)
			if h == nil || is.none {
				if h != nil || !is.none {
					t.Errorf("made ahead: %v", h != nil)
				}
				return
			}
			feed(h, slices.Clone(flows), slices.Clone(dns))
			if is.feed != nil {
				is.feed(h)
			}
			put(t, a, slices.Clone(flows), inOrder(dns)...)
			if is.after != nil {
				is.after(a)
			}
			cat, err := a.Catalog()
			if err != nil {
				t.Fatal(err)
			}
			tx := h.finish(t.Context(), cat, sequences(cat.Files(archive.Flows), pending)[0], &Stats{})
			if (tx != nil) != is.kept {
				t.Errorf("taken: %v", tx != nil)
			}
			if tx != nil {
				if err := tx.Abort(); err != nil {
					t.Error(err)
				}
			}
			run(t, a)
			if n := len(connections(t, a)); n < 600 {
				t.Errorf("%d connections", n)
			}
		})
	}
}
