package archive

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

var rewrite = flag.Bool("rewrite", false, "accept testdata/order.txt as it comes out")

// onDisk opens an archive on a disk; its folder is /data.
func onDisk(t testing.TB, d disk.Disk) *Archive {
	t.Helper()
	a, err := Open("/data", Options{Disk: d, SegmentBytes: 20_000})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// filesOn lists the files below a folder of a disk, relative to it; not locks
// and state.
func filesOn(t testing.TB, d disk.Disk, dir string) (out []string) {
	t.Helper()
	entries, err := d.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !e.IsDir() {
			out = append(out, e.Name())
			continue
		}
		if e.Name() == lockFolder || e.Name() == stateFolder {
			continue
		}
		for _, name := range filesOn(t, d, filepath.Join(dir, e.Name())) {
			out = append(out, e.Name()+"/"+name)
		}
	}
	return out
}

// mergeFlows supersedes the files of flows and connections of one batch by those
// of another.
func mergeFlows(a *Archive, old *Catalog, packets int) error {
	tx, err := a.Begin("compact")
	if err != nil {
		return err
	}
	tx.Supersede(append(slices.Clone(old.Files(Flows)), old.Files(Connections)...))
	if _, err := fillBatch(tx, packets); err != nil {
		return err
	}
	for _, s := range tx.rows {
		s.file.Level = "h"
	}
	return tx.Commit()
}

// killed is a disk as the death of all processes left it before an operation.
type killed struct {
	*disk.Memory
	before disk.Op
}

// killMerge runs a merge with packets and returns what a kill before each of its
// operations leaves, and one behind them.
func killMerge(t *testing.T) (kills []killed) {
	m := disk.NewMemory()
	counting := false
	a := onDisk(t, disk.Watch(m, func(o disk.Op) error {
		if counting {
			kills = append(kills, killed{m.Kill(), o})
		}
		return nil
	}))
	tx, _, err := batch(t, a, 20) // a file to supersede
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	old := catalog(t, a)
	counting = true
	if err := mergeFlows(a, old, 200); err != nil {
		t.Fatal(err)
	}
	counting = false
	return append(kills, killed{m.Kill(), disk.Op{}})
}

// merged tells whether an archive shows all of the merge of killMerge, or
// nothing of it.
func merged(t *testing.T, a *Archive) (bool, error) {
	c := catalog(t, a)
	flows, segments := rowsIn(c, Flows), len(c.Segments())
	switch {
	case len(c.Missing())+len(c.Damage()) > 0 || rowsIn(c, Connections) != 1:
	case flows == 2 && segments == 1:
		return false, nil
	case flows == 20 && segments > 1:
		return true, nil
	}
	return false, fmt.Errorf("%d flows, %d segments, %+v, damage %+v", flows, segments, c.Files(Flows), c.Damage())
}

// When all processes die before any operation of a merge, the next one finds all
// of it or nothing, and no trace but that.
func TestKillAnywhere(t *testing.T) {
	committed := false
	for _, k := range killMerge(t) {
		b := onDisk(t, k)
		is, err := merged(t, b)
		if err != nil || committed && !is {
			t.Fatalf("before %q: %v", k.before, err)
		}
		committed = is
		c := catalog(t, b)
		want := 3 + len(c.Segments()) // FORMAT, readers, counter
		for _, f := range allFamilies {
			want += len(c.Files(f))
		}
		if got := filesOn(t, k, "/data"); len(got) != want {
			t.Fatalf("before %q: %d files, want %d: %v", k.before, len(got), want, got)
		}
		// And the archive can be written.
		tx, _, err := batch(t, b, 10)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		if rowsIn(catalog(t, b), Flows) != rowsIn(c, Flows)+1 {
			t.Fatal("a batch after the kill is lost")
		}
		b.Close()
	}
	if !committed {
		t.Error("never committed")
	}
}

// What a process that died did not make durable is not relied on: the power may
// fail while the next one tidies up.
func TestKillThenCrash(t *testing.T) {
	crashes := 0
	for n, k := range killMerge(t) {
		// What has no name yet is nobody's concern.
		if k.before.Kind != disk.OpLink && k.before.Kind != disk.OpSyncDir && k.before.Kind != disk.OpRemove {
			continue
		}
		before, err := merged(t, onDisk(t, k.Kill()))
		if err != nil {
			t.Fatal(err)
		}
		r := rand.New(rand.NewPCG(uint64(n), 5))
		b := onDisk(t, disk.Watch(k, func(o disk.Op) error {
			if o.Kind != disk.OpSyncDir && o.Kind != disk.OpRemove {
				return nil
			}
			for range 5 {
				crashes++
				after := onDisk(t, k.Crash(disk.Some, disk.Some, r))
				// A commit that was not durable may be gone.
				if is, err := merged(t, after); err != nil || is && !before {
					t.Fatalf("killed before %q, power fails before %q: %v", k.before, o, err)
				}
				after.Close()
			}
			return nil
		}))
		b.Close()
	}
	t.Logf("%d crashes", crashes)
}

// journal writes down what changes a disk.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) section(title string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, "", "# "+title)
}

func (j *journal) note(o disk.Op) error {
	switch o.Kind {
	case disk.OpOpen, disk.OpEdit, disk.OpStat, disk.OpList, disk.OpRead, disk.OpLock, disk.OpClose:
		return nil
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if line := o.String(); j.lines[len(j.lines)-1] != line {
		j.lines = append(j.lines, line)
	}
	return nil
}

// The order of what is done to the disk: what a name leads to is durable before
// the name is, all names before the commit, the commit before the end of Commit,
// a batch before the watermark, and what stays before anything goes.
func TestOrder(t *testing.T) {
	var j journal
	m := disk.NewMemory()
	j.section("a new archive")
	a := onDisk(t, disk.Watch(m, j.note))
	j.section("an import")
	tx, _, err := batch(t, a, 10)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	j.section("a merge of it")
	if err := mergeFlows(a, catalog(t, a), 10); err != nil {
		t.Fatal(err)
	}
	j.section("a batch that is given up")
	if tx, _, err = batch(t, a, 10); err != nil {
		t.Fatal(err)
	}
	if err := tx.Abort(); err != nil {
		t.Fatal(err)
	}
	j.section("a recorder starts")
	r, err := NewRecorder(a, RecorderOptions{Interval: 1 << 40})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	j.section("a recorded batch and its watermark")
	rows := []tables.Export{{TS: 0, TSEnd: 1, FlowID: 1}}
	if err := r.Exports(rows); err != nil {
		t.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	got := strings.TrimSpace(strings.Join(j.lines, "\n")) + "\n"
	for _, part := range []struct{ is, becomes string }{
		{`/data/`, ``},
		{`/\d{4}/\d\d/\d\d\b`, `/YYYY/MM/DD`}, {`/\d{4}/\d\d\b`, `/YYYY/MM`}, {`/\d{4}\b`, `/YYYY`},
		{`\b[0-9a-f]{16}(-\d\.part|\.open|\b[^-.]|$)`, `ID$1`}, {`\.i[0-9a-f]{16}`, `.iID`}, {`batches/[0-9a-f]{16}`, `batches/ID`},
	} {
		got = regexp.MustCompile("(?m)"+part.is).ReplaceAllString(got, part.becomes)
	}
	golden := filepath.Join("testdata", "order.txt")
	if *rewrite {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("another order than %s says:\n%s", golden, got)
	}
}

// The power fails at random, or all processes die, while an archive is opened,
// written, merged and tidied up. Each time what is left holds all that was said
// to be durable, each batch whole or not at all, and goes on.
func TestCrashes(t *testing.T) {
	crashes := 1200
	if testing.Short() {
		crashes = 200
	}
	modes := []disk.Keep{disk.None, disk.Some, disk.All}
	done, byStep := 0, map[string]int{} // what was at work
	for seed := uint64(0); done < crashes; seed++ {
		m, r := disk.NewMemory(), rand.New(rand.NewPCG(seed, 4))
		var mu sync.Mutex
		var w *workload
		ops, next := 0, 1+r.IntN(30)
		w = newWorkload(m, disk.Watch(m, func(o disk.Op) error {
			mu.Lock()
			defer mu.Unlock()
			if ops++; ops < next || t.Failed() {
				return nil
			}
			next += 1 + r.IntN(24)
			batches, step := w.known()
			names, data := modes[r.IntN(3)], modes[r.IntN(3)]
			what := fmt.Sprintf("power fails, names %d, data %d", names, data)
			var left *disk.Memory
			if r.IntN(5) == 0 {
				what, left = "all die", m.Kill()
			} else {
				left = m.Crash(names, data, r)
			}
			done++
			byStep[step]++
			if err := holds(t, left, batches, r.IntN(3) == 0); err != nil {
				t.Errorf("seed %d, operation %d, %s, before %q: %s: %v", seed, ops, step, o, what, err)
			}
			return nil
		}), seed)
		for range 12 {
			if err := w.do(); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		if err := w.close(); err != nil {
			t.Fatal(err)
		}
		batches, _ := w.known()
		if err := holds(t, m.Crash(disk.None, disk.None, r), batches, true); err != nil {
			t.Errorf("seed %d, at the end: %v", seed, err)
		}
		if t.Failed() {
			return
		}
	}
	t.Logf("%d crashes: %v", done, byStep)
}

// The first operation of a kind fails, then the second, and so on until none
// does, outright or half-way. An error stops the step it belongs to at most:
// what was said to be durable is there when the power fails in the end, each
// batch whole or not at all, and the archive goes on.
func TestFailures(t *testing.T) {
	for _, kind := range disk.Kinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			stride := 1
			if kind == disk.OpStat || kind == disk.OpOpen || kind == disk.OpRead || kind == disk.OpList || kind == disk.OpClose {
				stride = 7 // there are so many
			}
			if testing.Short() {
				stride *= 5
			}
			failures := 0
			for n := 1; failWorkload(t, kind, n); n += stride {
				failures++
			}
			t.Logf("%d failures", failures)
		})
	}
}

// failWorkload runs a workload in which the n-th operation of a kind fails, and
// looks at what a power failure leaves behind the step it was part of and in the
// end. It tells whether there were so many.
func failWorkload(t *testing.T, kind disk.Kind, n int) bool {
	why := error(syscall.EIO)
	if n%2 == 0 {
		why = disk.Short{Err: syscall.ENOSPC}
	}
	var mu sync.Mutex
	var failed *disk.Op
	m, failing := disk.NewMemory(), disk.Nth(kind, n, why)
	w := newWorkload(m, disk.Watch(m, func(o disk.Op) error {
		err := failing(o)
		if err != nil {
			mu.Lock()
			failed = &o
			mu.Unlock()
		}
		return err
	}), 5)
	check := func(left *disk.Memory) {
		t.Helper()
		batches, step := w.known()
		if err := holds(t, left, batches, n%5 == 0); err != nil {
			t.Fatalf("%d of %q failed with %q; after %s: %v", n, failed, why, step, err)
		}
	}
	crashed := false
	for range 14 {
		_ = w.do() // what it said of batches is what counts
		mu.Lock()
		if failed != nil && !crashed {
			crashed = true
			check(m.Crash(disk.None, disk.None, rand.New(rand.NewPCG(1, 1))))
		}
		mu.Unlock()
	}
	_ = w.close()
	if failed == nil {
		return false
	}
	check(m.Kill())
	check(m.Crash(disk.None, disk.None, rand.New(rand.NewPCG(1, 1))))
	return true
}
