package compact

import (
	"context"
	"slices"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

var wide = limits{chunkRows, carryLimit}

// TestMeteredTwins brings what a sensor metered and what exporters reported
// together, in either order, and holds the rows to the sensor's conversation.
func TestMeteredTwins(t *testing.T) {
	for _, c := range []struct {
		name    string
		metered []tables.Flow
		in      []tables.Export
		want    string
		// ids of the rows by time, 0 for a conversation of exporters alone.
		ids []tables.ID
	}{
		{"three observers of one transfer", []tables.Flow{flow(1, 1, false, 10, 70, 500, 400), flow(1, 2, true, 71, 100, 300, 200)},
			[]tables.Export{export("r1", 10, 100, 800), export("r1", 10, 100, -600), export("r2", 12, 99, 7, sampled(100)), export("r2", 13, 99, -7, sampled(100))},
			"10-100 10.0.0.1:40000 800>600 s1 r1,r2,s1 syn C2 x2\n", []tables.ID{1, 1, 1, 1}},
		{"a clock within the skew", []tables.Flow{flow(1, 1, true, 10, 11, 5, 4)}, []tables.Export{export("r1", 12.9, 13.5, 5)},
			"10-11 10.0.0.1:40000 5>4 s1 r1,s1 syn C1 x1\n", []tables.ID{1}},
		{"a clock beyond it", []tables.Flow{flow(1, 1, true, 10, 11, 5, 4)}, []tables.Export{export("r1", 13.1, 13.5, 5)},
			"10-11 10.0.0.1:40000 5>4 s1 s1 syn C1 x1\n13.1-13.5 10.0.0.1:40000 5>- r1 r1 service_port x1\n", []tables.ID{0}},
		{"two after each other, the port used again", []tables.Flow{flow(1, 1, true, 10, 20, 5, 4), flow(2, 1, true, 21, 40, 6, 4)},
			[]tables.Export{export("r1", 10, 20, 5), export("r1", 20.5, 40, 6)},
			"10-20 10.0.0.1:40000 5>4 s1 r1,s1 syn C1 x1\n21-40 10.0.0.1:40000 6>4 s1 r1,s1 syn C1 x1\n", []tables.ID{1, 2}},
		{"all rows of a span that has one twin", []tables.Flow{flow(1, 1, true, 70, 80, 5, 4)},
			[]tables.Export{export("r1", 10, 69, 50), export("r1", 70, 129, 50), export("r1", 130, 150, 10)},
			"10-150 10.0.0.1:40000 110>4 r1 r1,s1 syn C1 x1\n", []tables.ID{1, 1, 1}},
		{"between two, the nearer", []tables.Flow{flow(1, 1, true, 10, 20, 5, 4), flow(2, 1, true, 90, 95, 6, 4)},
			[]tables.Export{export("r1", 10, 20, 5), export("r1", 30, 31, 1), export("r1", 80, 81, 1), export("r1", 90, 95, 6)},
			"10-31 10.0.0.1:40000 5>4 s1 r1,s1 syn C1 x1\n90-95 10.0.0.1:40000 6>4 s1 r1,s1 syn C1 x1\n", []tables.ID{1, 1, 2, 2}},
		{"a sensor on one side of an asymmetric route", []tables.Flow{flow(1, 1, true, 10, 20, 5, 0)}, []tables.Export{export("r1", 11, 20, -9)},
			"10-20 10.0.0.1:40000 5>9 s1 r1,s1 syn C1 x1\n", []tables.ID{1}},
		{"denied elsewhere", []tables.Flow{flow(1, 1, true, 10, 20, 5, 0)}, []tables.Export{export("fw", 10, 11, 1, func(x *tables.Export) { x.Action = "deny" })},
			"10-20 10.0.0.1:40000 5>0 s1 fw,s1 syn C1 deny x1\n", []tables.ID{1}},
		{"another site", []tables.Flow{flow(1, 1, true, 10, 20, 5, 0)}, []tables.Export{export("r1", 10, 11, 1, func(x *tables.Export) { x.Site = "b" })},
			"10-20 10.0.0.1:40000 5>0 s1 s1 syn C1 x1\n10-11 10.0.0.1:40000 1>- r1 r1 service_port x1\n", []tables.ID{0}},
	} {
		for _, order := range []string{"metered first", "exports first", "at once", "exports carried"} {
			t.Run(c.name+", "+order, func(t *testing.T) {
				a := open(t)
				meter := func() { put(t, a, c.metered); run(t, a) }
				reported := func(at tables.Time) {
					putExports(t, a, "import", c.in)
					settleAt(t, a, at, wide)
				}
				switch order {
				case "metered first":
					meter()
					reported(settledLate)
				case "exports first":
					reported(settledLate)
					meter()
				case "at once":
					putExports(t, a, "collector", c.in)
					meter()
				default:
					reported(settleWait)
					if n := len(connections(t, a)); n != 0 {
						t.Fatalf("%d connections are over", n)
					}
					meter()
					settleAt(t, a, settledLate, wide)
				}
				if got := told(connections(t, a)); got != c.want {
					t.Errorf("got\n%swant\n%s", got, c.want)
				}
				var ids []tables.ID
				for _, x := range settledExports(t, a) {
					id := x.ConnID.V
					if id > 9 {
						id = 0
					}
					ids = append(ids, id)
					if metered := id != 0; (len(x.Segments) > 0) != metered || x.CutPackets.Set != metered {
						t.Errorf("row at %d: segments %v, cut %v", x.TS, x.Segments, x.CutPackets)
					}
				}
				if !slices.Equal(ids, c.ids) {
					t.Errorf("conversations %d, want %d", ids, c.ids)
				}
				if s := run(t, a); s != (Stats{}) {
					t.Errorf("again: %+v", s)
				}
			})
		}
	}
}

// TestResumedTwin goes on metering a conversation exporters saw too.
func TestResumedTwin(t *testing.T) {
	a := open(t)
	putExports(t, a, "collector", []tables.Export{export("r1", 10, 70, 5), export("r1", 70.5, 131, 5)})
	put(t, a, []tables.Flow{flow(1, 1, false, 10, 70, 5, 1), flow(9, 1, true, 500, 501, 1, 1)})
	run(t, a)
	put(t, a, []tables.Flow{flow(1, 2, true, 71, 131, 5, 1)})
	if s := run(t, a); s.Folded != 1 || s.Connections != 0 {
		t.Errorf("%+v", s)
	}
	want := "10-131 10.0.0.1:40000 10>2 s1 r1,s1 syn C2 x2\n500-501 10.0.0.1:40000 1>1 s1 s1 syn C1 x1\n"
	if got := told(connections(t, a)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	for _, x := range settledExports(t, a) {
		if x.ConnID.V != 1 || !slices.Equal(x.Segments, []int32{1, 2}) {
			t.Errorf("row at %d: conversation %d, segments %v", x.TS, x.ConnID.V, x.Segments)
		}
	}
}

// TestRowsAfterTheirConversation folds rows into conversations that were written, however late.
func TestRowsAfterTheirConversation(t *testing.T) {
	a := open(t)
	at := func(from, to float64) []tables.Export { return []tables.Export{export("r1", from, to, 1)} }
	settleRows := func(list []tables.Export) Stats {
		t.Helper()
		putExports(t, a, "collector", list)
		s := settleAt(t, a, settledLate, wide)
		settledExports(t, a)
		return s
	}
	ids := func() (out []tables.ID) {
		for _, x := range settledExports(t, a) {
			if x.CID == 7 {
				out = append(out, x.ConnID.V)
			}
		}
		return out
	}
	// Among so many others that rows are looked up one by one.
	first := at(1000, 1010)
	for i := range 2000 {
		first = append(first, export("r1", 1000+float64(i)/10, 1001+float64(i)/10, 1, func(x *tables.Export) { x.CID, x.SrcPort = uint64(1000+i), 2000+int32(i) }))
	}
	settleRows(first)
	settleRows(at(1600, 1610))
	two := ids()
	if s := settleRows(at(2000, 2010)); s.Late != 0 || s.Folded != 0 {
		t.Errorf("a third: %+v", s)
	}
	if s := settleRows(at(680, 690)); s.Late != 0 || s.Folded != 0 {
		t.Errorf("one idle time before: %+v", s)
	}
	// Later rows leave the name alone, be they earlier in time.
	if s := settleRows(at(990, 1000)); s.Late != 1 || s.Folded == 0 {
		t.Errorf("late: %+v", s)
	}
	if got := ids(); got[1] != two[0] || got[2] != two[0] || got[3] != two[1] {
		t.Errorf("the name changed: %v, was %v", got, two)
	}
	// A row between makes two one, under the name of the first.
	if s := settleRows(at(1100, 1500)); s.Late != 1 || s.Folded == 0 {
		t.Errorf("between: %+v", s)
	}
	if got := ids(); got[1] != two[0] || got[3] != two[0] || got[4] != two[0] || got[5] == two[0] {
		t.Errorf("not one: %v", got)
	}
	want := "680-690 10.0.0.1:40000 1>- r1 r1 service_port x1\n990-1610 10.0.0.1:40000 4>- r1 r1 service_port x4\n2000-2010 10.0.0.1:40000 1>- r1 r1 service_port x1\n"
	all := connections(t, a)
	if got := told(slices.DeleteFunc(slices.Clone(all), func(c tables.Connection) bool { return c.CID != 7 })); got != want || len(all) != 2003 {
		t.Errorf("%d connections, got\n%swant\n%s", len(all), got, want)
	}
}

// TestCarry keeps conversations open while rows may come, and closes the
// longest silent when there are too many.
func TestCarry(t *testing.T) {
	a := open(t)
	other := func(x *tables.Export) { x.SrcPort, x.CID = 1024, 8 }
	putExports(t, a, "collector", []tables.Export{
		export("r1", 100, 160, 5), export("r1", 101, 160, 5, udp), export("r1", 90, 1000, 5, other)})
	state := func(at tables.Time, l limits) (over, carried int, s Stats) {
		t.Helper()
		s = settleAt(t, a, at*second, l)
		if at > 1119 {
			settledExports(t, a)
		}
		return len(connections(t, a)), len(rowsOf(t, a, archive.Carried, func(c *tables.Carried) tables.Time { return c.TS })), s
	}
	for _, c := range []struct {
		at            tables.Time
		over, carried int
	}{
		{1119, 0, 0}, // not due: not all that was seen at 1000 has come
		{1120, 2, 1}, // 300 and 60 seconds of silence have passed for two
		{2029, 2, 1}, // the third came in rows of 910 seconds
		{2030, 3, 0},
		{9999, 3, 0},
	} {
		if over, carried, _ := state(c.at, wide); over != c.over || carried != c.carried {
			t.Errorf("at %d: %d over, %d carried; want %d, %d", c.at, over, carried, c.over, c.carried)
		}
	}
	putExports(t, a, "collector", []tables.Export{export("r1", 3000, 3001, 1), export("r1", 3002, 3003, 1, udp),
		export("r1", 3000, 3002, 1, other)})
	over, carried, s := state(3124, limits{chunkRows, 2})
	if over != 4 || carried != 2 || s.Forced != 1 {
		t.Errorf("%d over, %d carried: %+v", over, carried, s)
	}
	if last := connections(t, a)[3]; last.TSEnd != 3001*second {
		t.Errorf("the one until %d was taken to be over", last.TSEnd/second)
	}
	putExports(t, a, "collector", []tables.Export{export("r1", 3004, 3005, 1)})
	if over, carried, s := state(3126, limits{chunkRows, 2}); over != 4 || carried != 2 || s.Late != 1 {
		t.Errorf("a row of the one forced: %d over, %d carried: %+v", over, carried, s)
	}
}

func TestSettleCancelled(t *testing.T) {
	a := open(t)
	putExports(t, a, "collector", []tables.Export{export("r1", 10, 20, 1)})
	settleAt(t, a, settledLate, wide)
	put(t, a, []tables.Flow{flow(1, 1, true, 10, 20, 1, 1)})
	putExports(t, a, "collector", []tables.Export{export("r2", 10, 20, 1)})
	before := files(t, a)
	for left := 0; ; left++ {
		ctx := &countdown{context.Background(), left}
		_, err := Run(ctx, a, Config{})
		if err == nil {
			if left < 5 {
				t.Errorf("the context was looked at %d times", left)
			}
			break
		}
		if now := files(t, a); now != before {
			// The flows' batch is whole and the exports' is not there.
			settleAt(t, a, settledLate, wide)
			break
		}
	}
	if got, want := told(connections(t, a)), "10-20 10.0.0.1:40000 1>1 s1 r1,r2,s1 syn C1 x1\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}
