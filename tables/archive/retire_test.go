package archive

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// retire retires a root, and ends when a statement, a recorder or an import has to be
// waited for.
func retire(t *testing.T, a *Archive, path string) (far Retired) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	far, err := a.Retire(ctx, path, func(r Retired) {
		if r.Waits != "" {
			stop()
		}
	})
	if err != nil && (ctx.Err() == nil || far.Done) {
		t.Fatal(err)
	}
	return far
}

// What a root has is read from others when it is retired, by statements that began
// before, too, and nothing is written to it again, also after its disk is gone.
func TestRetire(t *testing.T) {
	m := newMounts(t, 0, 0, 0)
	r := Retention{Roots: []string{"/mnt/a", "/mnt/b"}}
	a := rooted(t, m, r)
	tx, ids, err := batch(t, a, 200)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	reader, err := Open("/data", Options{Disk: m, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	lease := reader.Lease()
	before := catalog(t, reader)
	open := func(c *Catalog) (n int) {
		for _, s := range c.Segments() {
			f, err := reader.openSegment(&s)
			if err != nil {
				t.Error(err)
				continue
			}
			n++
			f.Close()
		}
		return n
	}
	segments := open(before)

	if far := retire(t, a, "/mnt/a"); far.Done || far.Moved == 0 || far.Left > 0 || !strings.Contains(far.Waits, "a statement") {
		t.Errorf("while a statement runs: %+v", far)
	}
	if open(before) != segments || open(catalog(t, reader)) != segments {
		t.Error("segments can't be opened")
	}
	roots, err := a.Roots()
	if err != nil || roots[1].State != StateLeaving || roots[1].Segments != 0 {
		t.Errorf("%+v, %v", roots, err)
	}
	lease.Release()
	if far := retire(t, a, "/mnt/a"); !far.Done || far.Moved > 0 {
		t.Errorf("when it ended: %+v", far)
	}
	if far := retire(t, a, "/mnt/a"); !far.Done {
		t.Errorf("again: %+v", far)
	}
	whole := fmt.Sprintf("2 available: %d", segments)
	check := func(a *Archive) {
		t.Helper()
		if got := states(t, a); got != whole {
			t.Errorf("%s, want %s", got, whole)
		}
		if read, missing := fetched(t, a); read != int64(len(ids)) || missing > 0 {
			t.Errorf("%d packets read, %d missing", read, missing)
		}
		if found := wrong(t, a); len(found) > 0 {
			t.Error(found)
		}
	}
	check(a)
	check(reader)
	if left := filesOn(t, m.disk("/mnt/a"), "/mnt/a"); len(left) > 0 {
		t.Errorf("left in the root: %v", left)
	}
	m.unmount("/mnt/a")
	// Who starts with the settings of before does not make it one again.
	again := rooted(t, m, r)
	check(again)
	if tx, _, err = batch(t, again, 200); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	if left, err := m.ReadDir("/mnt/a"); err != nil || len(left) > 0 {
		t.Errorf("where it was: %v, %v", left, err)
	}
	// Its number is not given again: rows name it.
	third := rooted(t, m, Retention{Roots: []string{"/mnt/c"}})
	if roots, err = third.Roots(); err != nil || len(roots) != 3 || roots[2].Number != 3 {
		t.Errorf("%+v, %v", roots, err)
	}
	for path, want := range map[string]string{"/mnt/z": "no root of this archive", "/data": "the archive's own", "/mnt/c": "name one with --root"} {
		if _, err := third.Retire(context.Background(), path, func(Retired) {}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	m.unmount("/mnt/b")
	if _, err := third.Retire(context.Background(), "/mnt/b", func(Retired) {}); err == nil || !strings.Contains(err.Error(), "mount it") {
		t.Error(err)
	}
}

// Where the others are full the oldest packets of all go, wherever they lie, and what
// was imported stays where it is.
func TestRetireWithoutRoom(t *testing.T) {
	for _, writer := range []string{"meter_dmz", tables.Importer} {
		m := newMounts(t, 40_000, 40_000)
		r := Retention{PacketsShare: 50, Roots: []string{"/mnt/a", "/mnt/b"}}
		a := rooted(t, m, r)
		first := now() - 30e6
		for i := range 24 {
			arrives(t, a, writer, first+tables.Time(i)*1e6, 0)
		}
		had := len(available(t, a))
		far := retire(t, a, "/mnt/a")
		kept := available(t, a)
		if writer == tables.Importer {
			if far.Done || far.Left == 0 || far.Stuck != far.Left || !strings.Contains(far.Why, "room") || len(kept) != had {
				t.Errorf("%+v, %d segments of %d", far, len(kept), had)
			}
			continue
		}
		if !far.Done || far.Left > 0 || len(kept) >= had || len(kept) < 12 {
			t.Fatalf("%+v, %d segments of %d", far, len(kept), had)
		}
		// All that is younger than the oldest that stayed did.
		if last := first + 23*1e6; kept[len(kept)-1] != last || kept[0] != last-tables.Time(len(kept)-1)*1e6 {
			t.Errorf("kept %v", kept)
		}
	}
}

// available lists when the segments came that can be read.
func available(t *testing.T, a *Archive) (came []tables.Time) {
	a.Refresh()
	for _, s := range catalog(t, a).Segments() {
		if s.State == StateAvailable {
			came = append(came, s.rows.Origin.Last)
		}
	}
	slices.Sort(came)
	return came
}

// However often it is cut short, by the death of the process or a power failure, all
// packets are there, once, and in the end the root is none any more.
func TestRetireCutShort(t *testing.T) {
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 23))
		m := newMounts(t, 0, 0, 0)
		roots := Retention{Roots: []string{"/mnt/a", "/mnt/b", "/mnt/c"}}
		a := rooted(t, m, roots)
		tx, ids, err := batch(t, a, 150)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		done := false
		for round := 0; !done; round++ {
			if round == 60 {
				t.Fatalf("seed %d: it has no end", seed)
			}
			ctx, stop := context.WithCancel(context.Background())
			after, steps := r.IntN(400), 0
			left := m
			cut := rooted(t, disk.Watch(m, func(disk.Op) error {
				if steps++; round < 25 && steps == after {
					left, _ = m.crash(r)
					stop()
				}
				return nil
			}), roots)
			far, err := cut.Retire(ctx, "/mnt/a", func(Retired) {})
			stop()
			if err != nil && left == m {
				t.Fatalf("seed %d: %v", seed, err)
			}
			done = far.Done && left == m
			m = left
			a = rooted(t, m, roots)
			if read, missing := fetched(t, a); read != int64(len(ids)) || missing > 0 {
				t.Fatalf("seed %d, round %d: %d packets of %d, %d missing", seed, round, read, len(ids), missing)
			}
			if found := wrong(t, a); len(found) > 0 {
				t.Fatalf("seed %d, round %d: %v", seed, round, found)
			}
		}
		m.Age(11 * time.Minute)
		if err := a.tidy(); err != nil {
			t.Fatal(err)
		}
		files := map[string]bool{}
		for _, path := range []string{"/mnt/b", "/mnt/c"} {
			for _, f := range filesOn(t, m.disk(path), path) {
				if f != rootFile && files[f] || strings.HasSuffix(f, ".part") {
					t.Errorf("seed %d: %s is there twice, or begun", seed, f)
				}
				files[f] = true
			}
		}
	}
}

// A recorder leaves a root that is retired with its next packets.
func TestRetireWhileRecording(t *testing.T) {
	m := newMounts(t, 0, 0)
	a := rooted(t, m, Retention{Roots: []string{"/mnt/a", "/mnt/b"}})
	g, err := openLogged(a)
	if err != nil {
		t.Fatal(err)
	}
	logs := func(n int) {
		t.Helper()
		for range n {
			if err := g.add(3); err != nil {
				t.Fatal(err)
			}
			if err := g.commit(true, true); err != nil {
				t.Fatal(err)
			}
		}
	}
	logs(3)
	c := catalog(t, a)
	on := fmt.Sprintf("/mnt/%c", 'a'+c.Segments()[len(c.Segments())-1].Root()-1)
	other := rooted(t, m, Retention{})
	if far := retire(t, other, on); far.Done || far.Left == 0 && far.Waits == "" {
		t.Errorf("while it is recorded there: %+v", far)
	}
	far := Retired{}
	for range 10 {
		logs(3)
		if far = retire(t, other, on); far.Done {
			break
		}
	}
	if !far.Done {
		t.Errorf("%+v", far)
	}
	if found := wrong(t, a); len(found) > 0 {
		t.Error(found)
	}
	if err := g.l.Close(); err != nil {
		t.Fatal(err)
	}
}
