package compact

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

const second = tables.Time(1e6)

// flow is a metered row: piece p of conversation id, last or not, at
// [from, to] seconds, with so many packets of 100 bytes from client and server.
func flow(id tables.ID, p int32, last bool, from, to tables.Time, client, server int64) tables.Flow {
	return tables.Flow{
		TS: from * second, TSEnd: to * second, SourceType: "packets", Sensor: "s1",
		Src: tables.AddrFrom4([]byte{10, 0, 0, 1}), Dst: tables.AddrFrom4([]byte{192, 0, 2, 1}),
		SrcPort: 40000, DstPort: 80, Protocol: tables.ProtocolTCP, Service: "http",
		Bytes: client * 100, Packets: client, ReverseBytes: tables.Some(server * 100), ReversePackets: tables.Some(server),
		WireBytes: tables.Some(client * 114), ReverseWireBytes: tables.Some(server * 114),
		Piece: tables.Some(p), LastPiece: tables.Some(last), ConnState: fmt.Sprint("C", p), OrientedBy: "syn",
		Encrypted: tables.Some(false), CutPackets: tables.Some(int64(0)), Segments: []int32{p},
		CID: 7, FlowID: id*100 + tables.ID(p), ConnID: id,
	}
}

// put commits rows the way an import does: one file a call for each family.
func put(t *testing.T, a *archive.Archive, flows []tables.Flow, dns ...tables.DNS) {
	t.Helper()
	slices.SortStableFunc(flows, func(x, y tables.Flow) int { return cmp.Compare(x.TS, y.TS) })
	tx, err := a.Begin("import")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := archive.WriteRows(tx, "e", flows); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.WriteRows(tx, "e", dns); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, a *archive.Archive) Stats {
	t.Helper()
	stats, err := Run(context.Background(), a, Config{})
	if err != nil {
		t.Fatal(err)
	}
	return stats
}

func open(t *testing.T) *archive.Archive {
	t.Helper()
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// rowsOf reads all live rows of a family, and holds each file to time order.
func rowsOf[T any](t *testing.T, a *archive.Archive, family archive.Family, ts func(*T) tables.Time) (out []T) {
	t.Helper()
	return decided(t, a, family, ts, func(*archive.Catalog, archive.File) func(*T) bool { return nil })
}

// decided is rowsOf with what was decided about those of each file: decide tells
// whether a row counts, which it may change.
func decided[T any](t *testing.T, a *archive.Archive, family archive.Family, ts func(*T) tables.Time, decide func(*archive.Catalog, archive.File) func(*T) bool) (out []T) {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range cat.Files(family) {
		counts := decide(cat, f)
		in, err := rows.Open[T](f.File)
		if err != nil {
			t.Fatal(err)
		}
		last := tables.Time(-1 << 62)
		for buf := make([]T, 100); ; {
			n, err := in.Read(buf)
			for i := range buf[:n] {
				if ts(&buf[i]) < last {
					t.Errorf("%s is not in time order", f.Path)
				}
				last = ts(&buf[i])
			}
			for i := range buf[:n] {
				if counts == nil || counts(&buf[i]) {
					out = append(out, buf[i])
				}
			}
			if err != nil || n == 0 {
				break
			}
		}
		if err := in.Close(); err != nil {
			t.Fatal(err)
		}
	}
	slices.SortStableFunc(out, func(x, y T) int { return cmp.Compare(ts(&x), ts(&y)) })
	return out
}

func connections(t *testing.T, a *archive.Archive) []tables.Connection {
	t.Helper()
	out := decided(t, a, archive.Connections, func(c *tables.Connection) tables.Time { return c.TS },
		func(cat *archive.Catalog, f archive.File) func(*tables.Connection) bool {
			gone, err := replacedIn(t.Context(), cat, f)
			if err != nil {
				t.Fatal(err)
			}
			return func(c *tables.Connection) bool { return !gone[settle.ID{ConnID: c.ConnID, Site: c.Site}] }
		})
	slices.SortStableFunc(out, func(x, y tables.Connection) int {
		return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.ConnID, y.ConnID), cmp.Compare(x.Site, y.Site))
	})
	return out
}

// exports reads all rows of exports by time, with the conversations they belong to.
func exports(t *testing.T, a *archive.Archive) []tables.Export {
	t.Helper()
	return decided(t, a, archive.Exports, func(x *tables.Export) tables.Time { return x.TS },
		func(cat *archive.Catalog, f archive.File) func(*tables.Export) bool {
			moved, err := assignedIn(t.Context(), cat, f)
			if err != nil {
				t.Fatal(err)
			}
			return func(x *tables.Export) bool {
				if a := moved[rowKey{x.FlowID, x.TS}]; a != nil {
					assign(x, a)
				}
				return true
			}
		})
}

// text shows connections: id site from-to client>server packets state pieces
// visibility segments name.
func text(list []tables.Connection) string {
	var b strings.Builder
	for _, c := range list {
		fmt.Fprintf(&b, "%d%s %d-%d %d>%d %s x%d %s %v %s\n", c.ConnID, c.Site, c.TS/second, c.TSEnd/second,
			c.ClientPackets.V, c.ServerPackets.V, c.ConnState, c.Pieces, c.Visibility, c.Segments, c.ServerName)
	}
	return strings.ReplaceAll(b.String(), " \n", "\n")
}

func TestConnections(t *testing.T) {
	with := func(f tables.Flow, change func(*tables.Flow)) tables.Flow { change(&f); return f }
	client, server := tables.AddrFrom4([]byte{10, 0, 0, 1}), tables.AddrFrom4([]byte{192, 0, 2, 1})
	answer := func(ts tables.Time, query, answers string, ttl int64, site string) tables.DNS {
		return tables.DNS{TS: ts * second, Client: client, Server: server, Site: site, Query: query, QType: "A",
			RCode: "NOERROR", Answers: answers, TTL: tables.Some(ttl), Protocol: tables.ProtocolUDP}
	}
	for _, c := range []struct {
		name string
		in   []tables.Flow
		dns  []tables.DNS
		want string
	}{
		{name: "singles", in: []tables.Flow{flow(1, 1, true, 10, 12, 3, 2), flow(2, 1, true, 11, 11, 1, 0)},
			want: "1 10-12 3>2 C1 x1 clear [1]\n2 11-11 1>0 C1 x1 one_sided [1]\n"},
		{name: "pieces, another conversation between",
			in: []tables.Flow{flow(1, 1, false, 10, 70, 3, 2), flow(1, 2, false, 71, 131, 5, 0),
				flow(1, 3, true, 132, 140, 1, 1), flow(2, 1, true, 80, 80, 1, 1)},
			want: "1 10-140 9>3 C3 x3 clear [1 2 3]\n2 80-80 1>1 C1 x1 clear [1]\n"},
		{name: "forced out, no last piece",
			in:   []tables.Flow{flow(1, 1, false, 10, 70, 3, 2), flow(1, 2, false, 71, 131, 5, 0)},
			want: "1 10-131 8>2 C2 x2 clear [1 2]\n"},
		{name: "one piece, not the last", in: []tables.Flow{flow(1, 1, false, 10, 70, 3, 2)},
			want: "1 10-70 3>2 C1 x1 clear [1]\n"},
		{name: "the beginning is not there", in: []tables.Flow{flow(1, 3, true, 10, 70, 3, 2)},
			want: "1 10-70 3>2 C3 x1 clear [3]\n"},
		{name: "pieces out of order",
			in:   []tables.Flow{flow(1, 2, true, 5, 70, 3, 2), flow(1, 1, false, 10, 11, 1, 1)},
			want: "1 5-70 4>3 C2 x2 clear [1 2]\n"},
		{name: "two sites with the same ids",
			in: []tables.Flow{flow(1, 1, false, 10, 20, 3, 2), flow(1, 2, true, 21, 30, 1, 1),
				with(flow(1, 1, false, 10, 20, 3, 2), func(f *tables.Flow) { f.Site = "b" }),
				with(flow(1, 2, true, 21, 30, 1, 1), func(f *tables.Flow) { f.Site = "b" })},
			want: "1 10-30 4>3 C2 x2 clear [1 2]\n1b 10-30 4>3 C2 x2 clear [1 2]\n"},
		{name: "visibility",
			in: []tables.Flow{
				with(flow(1, 1, true, 1, 1, 1, 0), func(f *tables.Flow) { f.CutPackets.V = 1; f.Encrypted.V = true }),
				with(flow(2, 1, true, 2, 2, 0, 1), func(f *tables.Flow) { f.Encrypted.V = true }),
				with(flow(3, 1, false, 3, 3, 1, 1), func(f *tables.Flow) { f.Encrypted.V = true }), flow(3, 2, true, 4, 4, 1, 1),
				with(flow(4, 1, true, 5, 5, 1, 1), func(f *tables.Flow) { f.Segments = nil })},
			want: "1 1-1 1>0 C1 x1 cut [1]\n2 2-2 0>1 C1 x1 one_sided [1]\n3 3-4 2>2 C2 x2 encrypted [1 2]\n4 5-5 1>1 C1 x1  []\n"},
		{name: "the name asked for stands before the name resolved",
			in: []tables.Flow{flow(1, 1, true, 10, 12, 1, 1),
				with(flow(2, 1, true, 10, 12, 1, 1), func(f *tables.Flow) { f.ServerName = "sni.test" }),
				flow(3, 1, false, 10, 12, 1, 1), with(flow(3, 2, true, 13, 14, 1, 1), func(f *tables.Flow) { f.ServerName = "late.test" })},
			dns: []tables.DNS{answer(9, "a.test", "alias.test,192.0.2.9,192.0.2.1", 5, "")},
			want: "1 10-12 1>1 C1 x1 clear [1] a.test\n2 10-12 1>1 C1 x1 clear [1] sni.test\n" +
				"3 10-14 2>2 C2 x2 clear [1 2] late.test\n"},
		{name: "the newest answer, for an hour or its TTL, of the same client and site",
			in: []tables.Flow{flow(1, 1, true, 5, 5, 1, 1), flow(2, 1, true, 15, 15, 1, 1), flow(3, 1, true, 25, 25, 1, 1),
				flow(4, 1, true, 3619, 3619, 1, 1), flow(5, 1, true, 3621, 3621, 1, 1),
				with(flow(6, 1, true, 25, 25, 1, 1), func(f *tables.Flow) { f.Src.Lo++ }),
				with(flow(7, 1, true, 25, 25, 1, 1), func(f *tables.Flow) { f.Site = "b" })},
			dns: []tables.DNS{answer(10, "a.test", "192.0.2.1", 5, ""), answer(20, "b.test", "192.0.2.1", 5, ""),
				answer(21, "mx.test", "10 mail.test", 5, "")},
			want: "1 5-5 1>1 C1 x1 clear [1]\n2 15-15 1>1 C1 x1 clear [1] a.test\n3 25-25 1>1 C1 x1 clear [1] b.test\n" +
				"6 25-25 1>1 C1 x1 clear [1]\n7b 25-25 1>1 C1 x1 clear [1]\n" +
				"4 3619-3619 1>1 C1 x1 clear [1] b.test\n5 3621-3621 1>1 C1 x1 clear [1]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := open(t)
			put(t, a, c.in, c.dns...)
			stats := run(t, a)
			if got := text(connections(t, a)); got != c.want {
				t.Errorf("got\n%swant\n%s", got, c.want)
			}
			if stats.Rows != int64(len(c.in)) || stats.Connections != int64(strings.Count(c.want, "\n")) || stats.Folded != 0 {
				t.Errorf("%+v", stats)
			}
		})
	}
}

func TestSecondRunDoesNothing(t *testing.T) {
	a := open(t)
	put(t, a, []tables.Flow{flow(1, 1, true, 10, 12, 3, 2)})
	put(t, a, []tables.Flow{flow(2, 1, true, 5, 6, 3, 2)})
	if s := run(t, a); s != (Stats{Files: 2, Rows: 2, Connections: 2}) {
		t.Errorf("%+v", s)
	}
	before, _ := a.Catalog()
	if n := len(before.Files(archive.Flows)); n != 1 {
		t.Errorf("%d files of flows", n)
	}
	if s := run(t, a); s != (Stats{}) {
		t.Errorf("%+v", s)
	}
	if after, _ := a.Catalog(); after.Version() != before.Version() {
		t.Error("the archive has changed")
	}
}

// TestResumedConversation goes on with a conversation whose beginning was
// merged, again and again: it must stay one row.
func TestResumedConversation(t *testing.T) {
	a := open(t)
	put(t, a, []tables.Flow{flow(1, 1, false, 10, 70, 1, 1), flow(9, 1, true, 11, 12, 1, 1)})
	run(t, a)
	for p := int32(2); p <= 7; p++ {
		from := tables.Time(60*p - 49)
		put(t, a, []tables.Flow{flow(1, p, p == 7, from, from+59, 1, 1)})
		if p == 4 { // an import between that rebuilds nothing
			put(t, a, []tables.Flow{flow(8, 1, true, 15, 16, 1, 1)})
		}
		if s := run(t, a); s.Folded != 1 {
			t.Errorf("piece %d: %+v", p, s)
		}
		if s := run(t, a); s != (Stats{}) {
			t.Errorf("piece %d, again: %+v", p, s)
		}
	}
	want := "1 10-430 7>7 C7 x7 clear [1 2 3 4 5 6 7]\n9 11-12 1>1 C1 x1 clear [1]\n8 15-16 1>1 C1 x1 clear [1]\n"
	if got := text(connections(t, a)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	put(t, a, []tables.Flow{flow(10, 1, true, 600, 601, 1, 1)})
	if s := run(t, a); s.Folded != 0 || s.Connections != 1 {
		t.Errorf("%+v", s)
	}
}

// TestRebuildWithEqualTimes: the files of a rebuild cover one range and, here,
// one span of time.
func TestRebuildWithEqualTimes(t *testing.T) {
	a := open(t)
	put(t, a, []tables.Flow{flow(1, 1, false, 10, 20, 1, 1), flow(2, 1, true, 10, 90, 1, 1)})
	run(t, a)
	put(t, a, []tables.Flow{flow(1, 2, true, 30, 90, 1, 1)})
	run(t, a)
	want := "1 10-90 2>2 C2 x2 clear [1 2]\n2 10-90 1>1 C1 x1 clear [1]\n"
	if got := text(connections(t, a)); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestSums: whatever the pieces and however the imports cut them, nothing is
// lost or counted twice.
func TestSums(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 15 {
		a := open(t)
		var flows []tables.Flow
		var want [2]int64
		n := 1 + r.IntN(60)
		for id := 1; id <= n; id++ {
			pieces := int32(1)
			if r.IntN(3) == 0 {
				pieces += int32(r.IntN(5))
			}
			ts := tables.Time(r.IntN(1000))
			ends := r.IntN(5) > 0
			for p := int32(1); p <= pieces; p++ {
				end := ts + tables.Time(r.IntN(60))
				f := flow(tables.ID(id), p, ends && p == pieces, ts, end, int64(1+r.IntN(9)), int64(r.IntN(9)))
				want[0] += f.Bytes
				want[1] += f.ReversePackets.V
				flows, ts = append(flows, f), end+1
			}
		}
		slices.SortStableFunc(flows, func(x, y tables.Flow) int { return cmp.Compare(x.TS, y.TS) })
		for rest := flows; len(rest) > 0; {
			k := 1 + r.IntN(len(rest))
			put(t, a, rest[:k])
			rest = rest[k:]
			if r.IntN(2) == 0 {
				run(t, a)
			}
		}
		run(t, a)
		var got [2]int64
		list := connections(t, a)
		ids := map[tables.ID]bool{}
		for _, c := range list {
			got[0] += c.ClientBytes.V
			got[1] += c.ServerPackets.V
			ids[c.ConnID] = true
		}
		if got != want || len(list) != n || len(ids) != n {
			t.Fatalf("%d connections, %d ids, sums %v; want %d, %v", len(list), len(ids), got, n, want)
		}
		if all := rowsOf(t, a, archive.Flows, flowTime); len(all) != len(flows) {
			t.Fatalf("%d flow rows of %d", len(all), len(flows))
		}
	}
}

func TestSmallFilesAreMerged(t *testing.T) {
	a := open(t)
	for i := range 4 {
		put(t, a, nil, tables.DNS{TS: tables.Time(10-i) * second, Query: fmt.Sprint("q", i), QType: "A"})
	}
	if s, err := Run(context.Background(), a, Config{MergeAt: 5}); err != nil || s.Files != 0 {
		t.Fatal(s, err)
	}
	if s, err := Run(context.Background(), a, Config{MergeAt: 4}); err != nil || s.Files != 4 {
		t.Fatal(s, err)
	}
	got := ""
	for _, d := range rowsOf(t, a, archive.DNS, func(d *tables.DNS) tables.Time { return d.TS }) {
		got += d.Query + " "
	}
	if got != "q3 q2 q1 q0 " {
		t.Error(got)
	}
}

// countdown is a context that is cancelled after so many looks at it.
type countdown struct {
	context.Context
	left int
}

func (c *countdown) Err() error {
	if c.left--; c.left < 0 {
		return context.Canceled
	}
	return nil
}

func TestCancelLeavesNothing(t *testing.T) {
	a := open(t)
	put(t, a, []tables.Flow{flow(1, 1, false, 10, 20, 1, 1)})
	run(t, a)
	put(t, a, []tables.Flow{flow(1, 2, true, 30, 40, 1, 1)}, tables.DNS{TS: second, Query: "a", QType: "A"})
	before := files(t, a)
	for left := 0; ; left++ {
		_, err := Run(&countdown{context.Background(), left}, a, Config{})
		if err == nil {
			if left < 3 {
				t.Errorf("the context was looked at %d times", left)
			}
			break
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if after := files(t, a); after != before {
			t.Fatalf("cancelled at %d: before\n%s\nafter\n%s", left, before, after)
		}
	}
	if got, want := text(connections(t, a)), "1 10-40 2>2 C2 x2 clear [1 2]\n"; got != want {
		t.Errorf("got %s want %s", got, want)
	}
}

// files lists the archive's row and batch files.
func files(t *testing.T, a *archive.Archive) string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(a.Dir(), func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out = append(out, strings.TrimPrefix(path, a.Dir()))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, "\n")
}
