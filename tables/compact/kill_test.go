package compact

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/compact/settle"
)

// killed is set for the process TestKill starts and kills.
const killed = "WIRESQL_TEST_COMPACT"

// TestKill kills runs at all times and compares what the next one leaves with
// what an undisturbed one does.
func TestKill(t *testing.T) {
	if dir := os.Getenv(killed); dir != "" {
		a, err := archive.Open(dir, archive.Options{NoSync: true}) // the kernel outlives the process
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Run(context.Background(), a, Config{MergeAt: 4}); err != nil {
			t.Fatal(err)
		}
		a.Close()
		return
	}
	fill := func(dir string) {
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		for file := range 5 {
			var flows []tables.Flow
			for i := range 4000 {
				id := tables.ID(file*4000 + i + 1)
				at := tables.Time(i)
				flows = append(flows, flow(id, 1, i%5 > 0, at, at+1, 3, 4))
				if i%5 == 0 {
					flows = append(flows, flow(id, 2, true, at+60, at+61, 5, 6))
				}
			}
			put(t, a, flows, tables.DNS{TS: tables.Time(file), Query: "x.example", QType: "A"})
		}
	}
	child := func(dir string) *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestKill$")
		c.Env = append(os.Environ(), killed+"="+dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	leaves := func(dir string) (connectionRows, rest string) {
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		connectionRows = text(connections(t, a))
		flows := rowsOf(t, a, archive.Flows, flowTime)
		dns := rowsOf(t, a, archive.DNS, func(d *tables.DNS) tables.Time { return d.TS })
		return connectionRows, fmt.Sprint(len(flows), " ", len(dns))
	}

	clean := t.TempDir()
	fill(clean)
	begin := time.Now()
	if err := child(clean).Wait(); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(begin)
	wantConnections, wantRest := leaves(clean)
	if wantConnections == "" || wantRest != "24000 5" {
		t.Fatal(wantRest)
	}
	tries := 10
	if testing.Short() {
		tries = 3
	}
	for i := range tries {
		dir := t.TempDir()
		fill(dir)
		c := child(dir)
		time.Sleep(takes * time.Duration(i+1) / time.Duration(tries)) // killed at any moment
		c.Process.Kill()
		c.Wait()
		got, rest := leaves(dir)
		if rest != wantRest || got != "" && got != wantConnections {
			t.Fatalf("killed after %d/%d: %s rows, want %s; connections whole: %v", i+1, tries, rest, wantRest, got == wantConnections)
		}
		if err := child(dir).Wait(); err != nil {
			t.Fatal(err)
		}
		if got, rest = leaves(dir); got != wantConnections || rest != wantRest {
			t.Fatalf("run after a kill at %d/%d: %s rows, want %s; connections whole: %v", i+1, tries, rest, wantRest, got == wantConnections)
		}
	}
}

// TestKillSettling kills runs that settle in small steps, at all times. A step
// is whole or not there; and what the next run leaves is what an undisturbed
// one does.
func TestKillSettling(t *testing.T) {
	small := limits{300, 50}
	if dir := os.Getenv(killed); dir != "" {
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		takeFlows(t, a)
		settleAt(t, a, settledLate, small)
		a.Close()
		return
	}
	w := sites(20)
	r := rand.New(rand.NewPCG(5, 6))
	fill := func(dir string) {
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		w.put(t, a, r, small)
	}
	child := func(dir string) *exec.Cmd {
		c := exec.Command(os.Args[0], "-test.run=^TestKillSettling$")
		c.Env = append(os.Environ(), killed+"="+dir)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	leaves := func(dir string) string {
		a, err := archive.Open(dir, archive.Options{NoSync: true})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		return w.outcome(t, a)
	}
	clean := t.TempDir()
	fill(clean)
	begin := time.Now()
	if err := child(clean).Wait(); err != nil {
		t.Fatal(err)
	}
	takes := time.Since(begin)
	want := leaves(clean)
	const tries = 10
	for i := range tries {
		dir := t.TempDir()
		fill(dir)
		c := child(dir)
		time.Sleep(takes * time.Duration(i+1) / tries) // killed at any moment
		c.Process.Kill()
		c.Wait()
		leaves(dir)
		if err := child(dir).Wait(); err != nil {
			t.Fatal(err)
		}
		if got := leaves(dir); got != want {
			t.Fatalf("killed after %d/%d: got\n%swant\n%s", i+1, tries, got, want)
		}
	}
}

// sites is a world of so many random ones, each a site.
func sites(n uint64) (w world) {
	for seed := range n {
		site := fmt.Sprint("s", seed)
		more := randomWorld(rand.New(rand.NewPCG(seed, 2)), 12)
		for _, f := range more.flows {
			f.Site = site
			w.flows = append(w.flows, f)
		}
		for _, x := range more.exports {
			x.Site, x.FlowID = site, x.FlowID+tables.ID(seed<<32)
			w.exports = append(w.exports, x)
		}
	}
	return w
}

// put stores a world's rows, of which some are settled then, so that there is
// something to fold into.
func (w *world) put(t *testing.T, a *archive.Archive, r *rand.Rand, l limits) {
	t.Helper()
	exports := slices.Clone(w.exports)
	r.Shuffle(len(exports), func(i, j int) { exports[i], exports[j] = exports[j], exports[i] })
	for rows := range slices.Chunk(exports, 25) {
		putExports(t, a, "collector", rows)
	}
	settleAt(t, a, 2000*second, l)
	put(t, a, w.flows)
}

// outcome is what an archive holds of a world, without names, which the order of
// rows may decide. No row is missing, and none has a conversation that is nowhere.
func (w *world) outcome(t *testing.T, a *archive.Archive) string {
	t.Helper()
	list := exports(t, a)
	conns := connections(t, a)
	checkTraffic(t, a, &Recent{}, conns)
	ids := map[settle.ID]bool{}
	for _, c := range conns {
		if ids[settle.ID{ConnID: c.ConnID, Site: c.Site}] {
			t.Errorf("two connections %s", c.ConnID)
		}
		ids[settle.ID{ConnID: c.ConnID, Site: c.Site}] = true
	}
	for _, c := range rowsOf(t, a, archive.Carried, func(c *tables.Carried) tables.Time { return 0 }) {
		ids[settle.ID{ConnID: c.ConnID, Site: c.Site}] = true
	}
	for _, x := range list {
		if x.ConnID.Set && !ids[settle.ID{ConnID: x.ConnID.V, Site: x.Site}] {
			t.Errorf("row %d of %s: its conversation is nowhere", x.FlowID, x.Site)
		}
	}
	if flows := rowsOf(t, a, archive.Flows, flowTime); len(list) != len(w.exports) || len(flows) != len(w.flows) {
		t.Errorf("%d exports of %d, %d flows of %d", len(list), len(w.exports), len(flows), len(w.flows))
	}
	slices.SortFunc(conns, func(x, y tables.Connection) int {
		return cmp.Or(strings.Compare(x.Site, y.Site), cmp.Compare(x.TS, y.TS), cmp.Compare(x.CID, y.CID), cmp.Compare(x.TSEnd, y.TSEnd))
	})
	return told(conns)
}

// TestSettlingCrashes has the power fail at random operations while rows are
// settled. A step is whole or not there, no row is lost; and what the next run
// leaves is what an undisturbed one does.
func TestSettlingCrashes(t *testing.T) {
	small := limits{60, 10}
	w := sites(4)
	stored := disk.NewMemory()
	at := func(d disk.Disk) *archive.Archive {
		a, err := archive.Open("/data", archive.Options{Disk: d})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := at(stored)
	w.put(t, a, rand.New(rand.NewPCG(5, 6)), small)
	a.Close()
	settled := func(d disk.Disk) string {
		a := at(d)
		defer a.Close()
		w.outcome(t, a)
		takeFlows(t, a)
		settleAt(t, a, settledLate, small)
		return w.outcome(t, a)
	}
	want := settled(stored.Kill())
	if want == "" {
		t.Fatal("no connections")
	}
	modes := []disk.Keep{disk.None, disk.Some, disk.All}
	crashes := 60
	if testing.Short() {
		crashes = 15
	}
	m, r, ops, next, done := stored.Kill(), rand.New(rand.NewPCG(7, 8)), 0, 1, 0
	var mu sync.Mutex
	a = at(disk.Watch(m, func(o disk.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if ops++; ops < next || t.Failed() || done == crashes {
			return nil
		}
		next += 1 + r.IntN(60)
		done++
		if got := settled(m.Crash(modes[r.IntN(3)], modes[r.IntN(3)], r)); got != want || t.Failed() {
			t.Errorf("power fails before operation %d, %q: got\n%swant\n%s", ops, o, got, want)
		}
		return nil
	}))
	takeFlows(t, a)
	settleAt(t, a, settledLate, small)
	a.Close()
	t.Logf("%d crashes in %d operations", done, ops)
}

// TestLargeFilesAreKept holds a run to writing no row of a full file again.
func TestLargeFilesAreKept(t *testing.T) {
	a := open(t)
	var flows []tables.Flow
	for i := range smallRows {
		flows = append(flows, flow(tables.ID(i+1), 1, true, tables.Time(i), tables.Time(i)+1, 1, 1))
	}
	put(t, a, flows)
	put(t, a, flows[:1])
	put(t, a, flows[1:2])
	before := stat(t, a)
	if s := run(t, a); s.Rows != smallRows+2 || s.Files != 3 {
		t.Errorf("%+v", s)
	}
	after := stat(t, a)
	if len(before) != 3 || len(after) != 2 {
		t.Fatalf("%d files before, %d after", len(before), len(after))
	}
	kept := 0
	for _, x := range before {
		for _, y := range after {
			if os.SameFile(x, y) {
				kept++
			}
		}
	}
	if kept != 1 {
		t.Errorf("%d files kept", kept)
	}
}

func stat(t *testing.T, a *archive.Archive) (out []os.FileInfo) {
	t.Helper()
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range cat.Files(archive.Flows) {
		if f.Level != merged && f.Level != pending {
			t.Errorf("%s has level %s", f.Path, f.Level)
		}
		st, err := os.Stat(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, st)
	}
	return out
}

// TestManyImports holds the number of files down over many small imports, and
// every connection to one row.
func TestManyImports(t *testing.T) {
	a := open(t)
	const imports = 40
	for i := range imports {
		put(t, a, []tables.Flow{flow(tables.ID(i+1), 1, true, tables.Time(i), tables.Time(i), 1, 1)},
			tables.DNS{TS: tables.Time(i), Query: "x.example", QType: "A"})
		if _, err := Run(context.Background(), a, Config{MergeAt: 4}); err != nil {
			t.Fatal(err)
		}
	}
	cat, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range []archive.Family{archive.Flows, archive.Connections, archive.DNS} {
		var n int64
		for _, f := range cat.Files(family) {
			n += f.Rows
		}
		if files := len(cat.Files(family)); n != imports || files > 8 {
			t.Errorf("%s: %d rows in %d files", family, n, files)
		}
	}
	if got := len(connections(t, a)); got != imports {
		t.Errorf("%d connections", got)
	}
	if s := run(t, a); s.Connections != 0 || s.Folded != 0 {
		t.Errorf("a run with nothing to do: %+v", s)
	}
}
