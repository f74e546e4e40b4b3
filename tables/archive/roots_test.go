package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// mounts is a disk that has others mounted. Where none is, there is an empty folder.
type mounts struct {
	*disk.Memory
	mu sync.Mutex
	at map[string]*disk.Memory
}

// newMounts returns a disk with disks of so many bytes mounted at /mnt/a, b, ….
func newMounts(t *testing.T, sizes ...int64) *mounts {
	t.Helper()
	m := &mounts{Memory: disk.NewMemory(), at: map[string]*disk.Memory{}}
	for i, size := range sizes {
		path := "/mnt/" + string(rune('a'+i))
		d := disk.NewMemory()
		d.Total = size
		for _, on := range []*disk.Memory{m.Memory, d} {
			if err := disk.MakeDir(on, path, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		m.at[path] = d
	}
	return m
}

// unmount takes a disk away.
func (m *mounts) unmount(path string) *disk.Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := m.at[path]
	delete(m.at, path)
	return d
}

func (m *mounts) mount(path string, d *disk.Memory) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at[path] = d
}

// crash is all disks as a power failure, or the death of all processes, leaves them.
func (m *mounts) crash(r *rand.Rand) (_ *mounts, killed bool) {
	left := func(d *disk.Memory) *disk.Memory { return d.Kill() }
	if killed = r.IntN(2) == 0; !killed {
		left = func(d *disk.Memory) *disk.Memory {
			total := d.Total
			d = d.Crash(disk.Keep(r.IntN(3)), disk.Keep(r.IntN(3)), r)
			d.Total = total
			return d
		}
	}
	out := &mounts{Memory: left(m.Memory), at: map[string]*disk.Memory{}}
	for path, d := range m.at {
		out.at[path] = left(d)
	}
	return out, killed
}

func (m *mounts) on(path string) (d disk.Disk, device uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for at, d := range m.at {
		if path == at || strings.HasPrefix(path, at+"/") {
			return d, uint64(at[len(at)-1])
		}
	}
	return m.Memory, 0
}

func (m *mounts) disk(path string) disk.Disk {
	d, _ := m.on(path)
	return d
}

func (m *mounts) Open(path string) (disk.File, error) { return m.disk(path).Open(path) }
func (m *mounts) Edit(path string) (disk.File, error) { return m.disk(path).Edit(path) }
func (m *mounts) Create(path string, mode fs.FileMode) (disk.File, error) {
	return m.disk(path).Create(path, mode)
}
func (m *mounts) ReadDir(path string) ([]fs.DirEntry, error)     { return m.disk(path).ReadDir(path) }
func (m *mounts) Mkdir(path string, mode fs.FileMode) error      { return m.disk(path).Mkdir(path, mode) }
func (m *mounts) Rename(from, to string) error                   { return m.disk(from).Rename(from, to) }
func (m *mounts) RenameNew(from, to string) error                { return m.disk(from).RenameNew(from, to) }
func (m *mounts) Link(from, to string) error                     { return m.disk(from).Link(from, to) }
func (m *mounts) Remove(path string) error                       { return m.disk(path).Remove(path) }
func (m *mounts) SyncDir(path string) error                      { return m.disk(path).SyncDir(path) }
func (m *mounts) Space(path string) (total, free int64, e error) { return m.disk(path).Space(path) }

func (m *mounts) Stat(path string) (fs.FileInfo, error) {
	d, device := m.on(path)
	st, err := d.Stat(path)
	if err != nil {
		return nil, err
	}
	sys := *st.Sys().(*syscall.Stat_t)
	sys.Dev = device
	return onDevice{st, &sys}, nil
}

type onDevice struct {
	fs.FileInfo
	sys *syscall.Stat_t
}

func (i onDevice) Sys() any { return i.sys }

// rooted opens an archive whose new packets go to these roots.
func rooted(t testing.TB, d disk.Disk, r Retention) *Archive {
	t.Helper()
	a, err := Open("/data", Options{Disk: d, SegmentBytes: 3000, Retention: &r})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// fetched counts the packets of all flow rows that can be read, and those that can't.
func fetched(t *testing.T, a *Archive) (read, missing int64) {
	t.Helper()
	a.Refresh()
	c := catalog(t, a)
	var refs []Ref
	for _, f := range c.Files(Flows) {
		list, err := rows.ReadAll[tables.Flow](f.File)
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			if err := rows.DecodePostings(list[i].Postings, func(id tables.ID) bool {
				refs = append(refs, Ref{ID: id})
				return true
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	byTime(refs, func(r *Ref) tables.Time { return tables.Time(r.ID) })
	stats, err := a.Fetch(context.Background(), c, refs, func(Ref, *pcap.Record) error { return nil })
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range stats.Missing {
		missing += n
	}
	return stats.Packets, missing
}

// wrong lists what Verify finds.
func wrong(t *testing.T, a *Archive) (out []string) {
	t.Helper()
	if _, err := a.Verify(context.Background(), func(d Damage) { out = append(out, d.File+": "+d.Reason) }); err != nil {
		t.Fatal(err)
	}
	return out
}

// states are those of segments, by root.
func states(t *testing.T, a *Archive) string {
	t.Helper()
	a.Refresh()
	count := map[string]int{}
	for _, s := range catalog(t, a).Segments() {
		count[fmt.Sprintf("%d %s", s.Root(), s.State)]++
	}
	var out []string
	for what, n := range count {
		out = append(out, fmt.Sprintf("%s: %d", what, n))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// Packets go to the roots alone. Of a disk that is not mounted nothing is read,
// evicted, cleared away or written anew where it was, also when another archive's is
// there; and all is as it was once it is back.
func TestRoots(t *testing.T) {
	m := newMounts(t, 0, 0)
	r := Retention{Roots: []string{"/mnt/a", "/mnt/b"}}
	a := rooted(t, m, r)
	tx, ids, err := batch(t, a, 200)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	whole := states(t, a)
	var both [3]int
	for _, s := range catalog(t, a).Segments() {
		both[s.Root()]++
	}
	if read, missing := fetched(t, a); read != int64(len(ids)) || missing > 0 || both[0] > 0 || both[1] < 5 || both[2] < 5 {
		t.Fatalf("%d packets read, %d missing; %s", read, missing, whole)
	}
	if found := wrong(t, a); len(found) > 0 {
		t.Fatal(found)
	}
	reader, err := Open("/data", Options{Disk: m, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	all, _ := fetched(t, reader)

	first := m.unmount("/mnt/a")
	want := fmt.Sprintf("1 missing: %d, 2 available: %d", both[1], both[2])
	for _, one := range []*Archive{a, reader, rooted(t, m, r)} {
		if got := states(t, one); got != want {
			t.Errorf("without a disk %s, want %s", got, want)
		}
	}
	read, missing := fetched(t, reader)
	if read+missing != all || read == 0 || missing == 0 {
		t.Errorf("%d read, %d missing of %d", read, missing, all)
	}
	if found := wrong(t, reader); len(found) != 1 || !strings.HasPrefix(found[0], "roots/1: the disk at /mnt/a is not there") {
		t.Error(found)
	}
	if d := catalog(t, reader).Damage(); len(d) != 1 || !d[0].OfRoot() {
		t.Errorf("%+v", d)
	}

	// Another archive's root, with files of the same names.
	other := newMounts(t, 0, 0)
	b := rooted(t, other, r)
	if tx, _, err = batch(t, b, 200); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	m.mount("/mnt/a", other.unmount("/mnt/a"))
	if got := states(t, reader); got != want {
		t.Errorf("with another's disk %s, want %s", got, want)
	}
	if again, _ := fetched(t, reader); again != read {
		t.Errorf("%d packets, %d before", again, read)
	}
	m.unmount("/mnt/a")

	// What is written goes to the other, what is too old goes from there.
	if tx, _, err = batch(t, a, 200); err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	a.o.Retention = &Retention{PacketsBytes: 1, Roots: r.Roots}
	if _, err := a.Evict(); err != nil {
		t.Fatal(err)
	}
	a.o.Retention = &r
	if got, want := states(t, reader), fmt.Sprintf("1 missing: %d, 2 evicted: ", both[1]); !strings.HasPrefix(got, want) {
		t.Errorf("%s, want %s", got, want)
	}
	if left, err := m.ReadDir("/mnt/a"); err != nil || len(left) > 0 {
		t.Errorf("where no disk is mounted: %v, %v", left, err)
	}

	m.mount("/mnt/a", first)
	if got, want := states(t, reader), fmt.Sprintf("1 available: %d, 2 evicted: ", both[1]); !strings.HasPrefix(got, want) {
		t.Errorf("back again %s, want %s", got, want)
	}
	if again, _ := fetched(t, reader); again != missing {
		t.Errorf("%d packets of the disk that came back, want %d", again, missing)
	}
	if found := wrong(t, reader); len(found) > 0 {
		t.Error(found)
	}

	// Evicted, and its disk taken away before the files went.
	a.o.Retention = &Retention{PacketsBytes: 1, Roots: r.Roots}
	lease := reader.Lease()
	if _, err := a.Evict(); err != nil {
		t.Fatal(err)
	}
	m.unmount("/mnt/a")
	lease.Release()
	if err := a.tidy(); err != nil {
		t.Fatal(err)
	}
	m.mount("/mnt/a", first)
	m.Age(11 * time.Minute)
	if err := a.tidy(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/mnt/a", "/mnt/b"} {
		if left := filesOn(t, m.disk(path), path); len(left) != 1 || left[0] != rootFile {
			t.Errorf("%s: %v", path, left)
		}
	}
}

// A disk that is mounted elsewhere is told by its file, a folder that has something
// else is refused.
func TestRootMoved(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	open := func(roots ...string) (*Archive, error) {
		return Open(at("data"), Options{SegmentBytes: 3000, Retention: &Retention{Roots: roots}})
	}
	a, err := open(at("a"), at("b"))
	if err != nil {
		t.Fatal(err)
	}
	tx, ids, err := batch(t, a, 200)
	if err != nil {
		t.Fatal(err)
	}
	commit(t, tx)
	a.Close()
	if err := os.Rename(at("a"), at("c")); err != nil {
		t.Fatal(err)
	}
	if a, err = open(at("c"), at("b"), at("data")); err != nil {
		t.Fatal(err)
	}
	if read, missing := fetched(t, a); read != int64(len(ids)) || missing > 0 {
		t.Errorf("%d packets, %d missing", read, missing)
	}
	// The archive's own folder is one of them as well.
	for range 2 {
		if tx, _, err = batch(t, a, 200); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
	}
	roots, err := a.Roots()
	if err != nil || len(roots) != 3 {
		t.Fatalf("%+v, %v", roots, err)
	}
	for _, r := range roots {
		if r.Segments == 0 || r.Bytes == 0 || r.State != StateAvailable || r.Size == 0 || r.Oldest == 0 {
			t.Errorf("%+v", r)
		}
	}
	if found := wrong(t, a); len(found) > 0 {
		t.Error(found)
	}
	a.Close()
	if err := os.WriteFile(filepath.Join(dir, "letter"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{dir: "neither empty nor a root", at("data/packets"): "within the archive", at("letter"): "letter"} {
		if _, err := open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Each disk keeps to its share and has its room, and packets last as long on all.
func TestRootBudgets(t *testing.T) {
	sizes := map[string]int64{"/mnt/a": 20_000, "/mnt/b": 40_000}
	m := newMounts(t, sizes["/mnt/a"], sizes["/mnt/b"])
	a := rooted(t, m, Retention{PacketsShare: 50, DiskFree: 5_000, Roots: []string{"/mnt/a", "/mnt/b"}})
	const segments = 90
	for i := range segments {
		arrives(t, a, "meter_dmz", ago(1)+tables.Time(i)*60e6, 0)
		for path, size := range sizes {
			if _, free, _ := m.Space(path); free < size/2-2000 {
				t.Fatalf("%d bytes of %d are free on %s", free, size, path)
			}
		}
	}
	oldest, taken := map[int]tables.Time{}, map[int]int{}
	for _, s := range catalog(t, a).Segments() {
		if s.State == StateAvailable {
			taken[s.Root()]++
			if oldest[s.Root()] == 0 {
				oldest[s.Root()] = s.TS.V
			}
		}
	}
	if d := oldest[1] - oldest[2]; d < -5*60e6 || d > 5*60e6 || taken[1] < 5 || taken[2] < 12 || taken[0] > 0 {
		t.Errorf("the oldest are %v apart; segments by root %v", time.Duration(d)*1000, taken)
	}
	kept, err := a.Kept(a.o.Retention)
	if limit := int64(20_000+40_000) / 2; err != nil || kept[0].Limit > limit || kept[0].Limit < limit-500 {
		t.Errorf("%+v, %v", kept[0], err)
	}
}

// The disk that a log's last segment is on is not there after a crash: the log goes
// on elsewhere, rows that were committed are all there, once, and when the disk is
// back, their packets. Packets that have no row are counted.
func TestLogWithoutItsDisk(t *testing.T) {
	roots := Retention{Roots: []string{"/mnt/a", "/mnt/b"}}
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 11))
		m := newMounts(t, 0, 0)
		open := func(packet int) (*Archive, *logged) {
			a := rooted(t, m, roots)
			l, err := a.OpenLog(LogOptions{Sensor: "dmz", Interface: "eth1"})
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			return a, &logged{a: a, l: l, ids: map[int]tables.ID{}, packet: packet, row: packet, began: now()}
		}
		logs := func(g *logged, packets int, tick bool) {
			if err := g.add(packets); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if err := g.commit(tick, tick && r.IntN(3) == 0); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
		}
		a, g := open(0)
		for range 1 + r.IntN(40) {
			logs(g, 1+r.IntN(12), r.IntN(2) == 0)
		}
		// It dies with packets that have no row, or with some that are not durable.
		kept, durable := g.packet, r.IntN(2) == 0
		if err := g.add(1 + r.IntN(30)); err != nil {
			t.Fatal(err)
		}
		mark, err := g.l.Mark(0)
		if err == nil && durable {
			err = g.l.sync(mark)
		}
		if err != nil {
			t.Fatal(err)
		}
		left, killed := m.crash(r)
		g.l.Abandon(mark)
		packet, id := g.packet, g.l.ID()
		n, _ := rootOf(g.l.current.Path)
		unused := g.l.current.last.packets == 0
		g.l.Close()
		a.Close()
		if unused { // nothing of its disk is missed
			continue
		}

		m = left
		path := roots.Roots[n-1]
		away := m.unmount(path)
		a, g = open(packet)
		err = g.l.Replay(context.Background(), 0, func(tables.ID, *pcap.Record) error { return errors.New("a packet is metered again") }, nil)
		if err != nil || g.l.ID() == id {
			t.Fatalf("seed %d: the log goes on: %v", seed, err)
		}
		lost := 0
		if durable {
			lost = packet - kept
		}
		if c := g.l.Lost(); killed && (lost > 0) != (c != nil) || c != nil && int(c.NotKept.V) != lost {
			t.Fatalf("seed %d: %d packets have no row: %+v", seed, lost, c)
		}
		for i := range 3 {
			logs(g, 5, i == 2)
		}
		if n, _ := rootOf(g.l.current.Path); roots.Roots[n-1] == path {
			t.Fatalf("seed %d: written to %s", seed, g.l.current.Path)
		}
		again := g.packet
		g.l.Close()
		a.Close()

		m.mount(path, away)
		a, g = open(again)
		logs(g, 1, true) // which seals what was left
		seen := rowsByPacket(t, a)
		for k := range g.packet {
			// A power failure may take the row that was not over.
			if has := k < kept || k >= packet; seen[k] > 1 || has && seen[k] != 1 && (killed || k != kept-1) {
				t.Fatalf("seed %d: packet %d of %d is in %d rows; %d were kept", seed, k, packet, seen[k], kept)
			}
		}
		if read, missing := fetched(t, a); missing > 0 || int(read) < g.packet-packet+kept-1 {
			t.Fatalf("seed %d: %d packets are read, %d can't be", seed, read, missing)
		}
		unsealed := 0
		for _, s := range catalog(t, a).Segments() {
			if s.Open {
				unsealed++
			}
		}
		if found := wrong(t, a); len(found) > 0 || unsealed != 1 {
			t.Fatalf("seed %d: %v; %d segments grow", seed, found, unsealed)
		}
		g.l.Close()
		a.Close()
	}
}

// A disk that fails writes, and is read all the same: packets go on to the other, those
// that were committed are all there, once, and it is asked again later.
func TestRootThatFails(t *testing.T) {
	roots := Retention{Roots: []string{"/mnt/a", "/mnt/b"}}
	for _, c := range []struct {
		name  string
		kinds []disk.Kind
		err   error
		ends  bool // the log, which is opened again
	}{
		{"writes", []disk.Kind{disk.OpWrite}, syscall.EIO, true},
		{"syncs", []disk.Kind{disk.OpSync}, syscall.EIO, true},
		{"files", []disk.Kind{disk.OpCreate}, syscall.EIO, false},
		{"all but reading", []disk.Kind{disk.OpWrite, disk.OpSync, disk.OpCreate, disk.OpMkdir, disk.OpRemove, disk.OpRename, disk.OpEdit}, syscall.EROFS, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMounts(t, 0, 0)
			var fails atomic.Value
			fails.Store("none")
			d := disk.Watch(m, func(o disk.Op) error {
				if strings.HasPrefix(o.Path, fails.Load().(string)) && slices.Contains(c.kinds, o.Kind) {
					return c.err
				}
				return nil
			})
			var a *Archive
			var g *logged
			log := func(packet int) {
				t.Helper()
				l, err := a.OpenLog(LogOptions{Sensor: "dmz", Interface: "eth1"})
				if err != nil {
					t.Fatal(err)
				}
				g = &logged{a: a, l: l, ids: map[int]tables.ID{}, packet: packet, row: packet, began: now()}
			}
			logs := func() error { return errors.Join(g.add(20), g.commit(true, false)) }
			// left waits until the log is given up.
			left := func() {
				t.Helper()
				var err error
				for began := time.Now(); !errors.Is(err, ErrAway); time.Sleep(50 * time.Millisecond) { // as it is tried again
					if time.Since(began) > 20*time.Second {
						t.Fatal(err)
					}
					_ = g.add(1) // ErrNotKept, of a packet that is lost
					var mark *Mark
					if mark, err = g.l.Mark(0); err == nil {
						err = g.l.sync(mark)
					}
				}
				g.l.Close()
			}
			a = rooted(t, d, roots)
			log(0)
			for range 3 {
				if err := logs(); err != nil {
					t.Fatal(err)
				}
			}
			kept := g.packet
			n, _ := rootOf(g.l.current.Path)
			bad := roots.Roots[n-1]
			fails.Store(bad)
			if c.ends {
				left()
				log(10_000)
				if err := logs(); err != nil { // it goes on in the same process
					t.Fatal(err)
				}
				g.l.Close()
				a.Close()
				a = rooted(t, d, roots) // another has to find out
				log(20_000)
				if logs() != nil {
					left()
					log(30_000)
				}
			}
			from := g.packet
			for i := range 8 {
				if err := logs(); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
				if r, _ := rootOf(g.l.current.Path); i > 2 && roots.Roots[r-1] == bad {
					t.Fatalf("written to %s", g.l.current.Path)
				}
			}
			others, err := Open("/data", Options{Disk: d, ReadOnly: true}) // a process that shows it
			if err != nil {
				t.Fatal(err)
			}
			if show, err := others.Roots(); err != nil || show[n].State != StateFailing || show[n].Failing.Since == 0 ||
				!strings.Contains(show[n].Failing.Error, c.err.Error()) || show[n].Size == 0 {
				t.Errorf("%+v, %v", show, err)
			}
			others.Close()
			seen := rowsByPacket(t, a)
			for k := range g.packet {
				if (k < kept || k >= from) && seen[k] != 1 {
					t.Errorf("packet %d is in %d rows", k, seen[k])
				}
			}
			if read, missing := fetched(t, a); missing > 0 || int(read) < kept+g.packet-from {
				t.Errorf("%d packets are read, %d can't be", read, missing)
			}
			g.l.Close()
			a.Close()
			fails.Store("none")
			a = rooted(t, d, roots)
			log(50_000)
			if err := logs(); err != nil {
				t.Fatal(err)
			}
			if found := wrong(t, a); len(found) > 0 {
				t.Error(found)
			}
			if r, _ := rootOf(g.l.current.Path); roots.Roots[r-1] == bad {
				if show, err := a.Roots(); err != nil || show[n].State != StateAvailable || show[n].Failing != nil {
					t.Errorf("it is written to again: %+v, %v", show, err)
				}
			}
			g.l.Close()
		})
	}
}

// An import whose root begins to fail writes, or is full, in the middle of a segment
// goes on in another: all packets are there, by the ids they were given before.
func TestImportWhoseRootFails(t *testing.T) {
	roots := Retention{Roots: []string{"/mnt/a", "/mnt/b"}}
	for _, c := range []struct {
		name  string
		kind  disk.Kind
		err   error
		after int // such operations in the root that succeed
		both  bool
	}{
		{"the first write", disk.OpWrite, syscall.EIO, 0, false},
		{"a later write", disk.OpWrite, syscall.EIO, 1, false},
		{"a write of its second segment", disk.OpWrite, syscall.EIO, 3, false},
		{"no room", disk.OpWrite, syscall.ENOSPC, 1, false},
		{"the first sync", disk.OpSync, syscall.EIO, 0, false},
		{"its name", disk.OpRename, syscall.EROFS, 0, false},
		{"nor does the other take it", disk.OpWrite, syscall.EIO, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newMounts(t, 0, 0)
			var mu sync.Mutex
			bad, done, failed := "", map[string]int{}, false
			d := disk.Watch(m, func(o disk.Op) error {
				if o.Kind != c.kind || !strings.HasPrefix(o.Path, "/mnt/") || !strings.Contains(o.Path, ".pcap") {
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				root := o.Path[:len("/mnt/a")]
				if done[root]++; done[root] > c.after && (bad == "" || bad == root || c.both) {
					bad, failed = root, true
					return c.err
				}
				return nil
			})
			a, err := Open("/data", Options{Disk: d, SegmentBytes: 2 << 20, Retention: &roots})
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			tx, ids, err := batch(t, a, 10_000)
			if err == nil {
				err = tx.Commit()
			} else {
				err = errors.Join(err, tx.Abort())
			}
			if !failed {
				t.Fatal("nothing failed")
			}
			if c.both {
				if !errors.Is(err, c.err) {
					t.Errorf("%v", err)
				}
				if list := catalog(t, a).Segments(); len(list) > 0 {
					t.Errorf("%+v", list)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if read, missing := fetched(t, a); int(read) != len(ids) || missing > 0 {
				t.Errorf("%d packets of %d are read, %d can't be", read, len(ids), missing)
			}
			if found := wrong(t, a); len(found) > 0 {
				t.Error(found)
			}
			show, err := a.Roots()
			if err != nil || (show[1].State == StateFailing || show[2].State == StateFailing) != (c.err != syscall.ENOSPC) {
				t.Errorf("%+v, %v", show, err)
			}
		})
	}
}

// rowsByPacket counts the rows of each packet.
func rowsByPacket(t *testing.T, a *Archive) map[int]int {
	t.Helper()
	count := map[int]int{}
	for _, f := range catalog(t, a).Files(Flows) {
		list, err := rows.ReadAll[tables.Flow](f.File)
		if err != nil && f.passing() {
			continue // a power failure tore it
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range list {
			count[int(list[i].FlowID)-1]++
		}
	}
	return count
}
