package archive

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

const day = 24 * time.Hour

// ago is a time so many days before now, in the middle of its day.
func ago(days int) tables.Time {
	return tables.Time(time.Now().Truncate(day).Add(12*time.Hour - time.Duration(days)*day).UnixMicro())
}

// arrives writes a batch that came at a time: a segment with its flow row, and so
// many connections.
func arrives(t testing.TB, a *Archive, writer string, at tables.Time, connections int) {
	t.Helper()
	tx, err := a.Begin(writer)
	if err != nil {
		t.Fatal(err)
	}
	tx.began, tx.first, tx.last = time.UnixMicro(int64(at)).UTC(), at, at
	w, err := tx.Packets("dmz", "", tables.LinkEthernet, false)
	if err != nil {
		t.Fatal(err)
	}
	rec := packetRecord(1, 1000)
	rec.TS = int64(at) * 1000
	segment, offset, err := w.Append(rec)
	if err != nil {
		t.Fatal(err)
	}
	write(t, tx, "t", []tables.Flow{{TS: at, TSEnd: at + 1, Packets: 1, FlowID: tables.ID(at), Segments: []int32{int32(segment)},
		Postings: rows.AppendPostings(nil, []tables.ID{tables.PacketID(segment, offset)})}})
	if connections > 0 {
		write(t, tx, "t", slices.Repeat([]tables.Connection{{TS: at, TSEnd: at + 1, ConnID: tables.ID(at)}}, connections))
	}
	commit(t, tx)
}

// days lists how long ago what a catalogue holds of a family arrived, in days.
func days(c *Catalog, family Family) string {
	var out []string
	say := func(at tables.Time) { out = append(out, fmt.Sprint((ago(0)-at)/dayLength)) }
	if family == packetFiles {
		for _, s := range c.Segments() {
			if s.State == StateAvailable {
				say(s.rows.Origin.Last)
			}
		}
	} else {
		for _, f := range c.Files(family) {
			say(f.Origin.Last)
		}
	}
	return strings.Join(out, " ")
}

// evicts holds an archive to a retention, and to what is left of three families.
func evicts(t *testing.T, a *Archive, r Retention, packets, flows, connections string) {
	t.Helper()
	a.o.Retention = &r
	if _, err := a.Evict(); err != nil {
		t.Fatal(err)
	}
	a.o.Retention = nil
	for _, one := range []*Archive{a, reopened(t, a)} {
		c := catalog(t, one)
		for family, want := range map[Family]string{packetFiles: packets, Flows: flows, Connections: connections} {
			if got := days(c, family); got != want {
				t.Errorf("%s: days %q, want %q", family, got, want)
			}
		}
		if d := c.Damage(); len(d) > 0 {
			t.Errorf("damage: %+v", d)
		}
		var here []string
		for _, f := range filesOn(t, a.disk, "/data") {
			if strings.HasPrefix(f, "packets/") || strings.HasPrefix(f, "flows/") || strings.HasPrefix(f, "connections/") {
				here = append(here, f)
			}
		}
		if n := len(strings.Fields(packets + " " + flows + " " + connections)); len(here) != n {
			t.Errorf("%d files, want %d: %v", len(here), n, here)
		}
	}
}

func reopened(t *testing.T, a *Archive) *Archive {
	t.Helper()
	b, err := Open("/data", Options{Disk: a.disk, ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func recorded(t *testing.T, writer string, arrived ...int) *Archive {
	t.Helper()
	a := onDisk(t, disk.NewMemory())
	for _, d := range arrived {
		arrives(t, a, writer, ago(d), 1)
	}
	return a
}

func TestNothingIsEvictedWithoutBudgets(t *testing.T) {
	evicts(t, recorded(t, "meter", 1000, 2, 1), Retention{}, "1000 2 1", "1000 2 1", "1000 2 1")
	evicts(t, recorded(t, "meter", 20, 2, 1), DefaultRetention(), "20 2 1", "20 2 1", "20 2 1")
}

func TestEvictByAge(t *testing.T) {
	a := recorded(t, "meter", 9, 8, 7, 1)
	evicts(t, a, Retention{PacketsAge: 7*day + day/2, ConnectionsAge: 8*day + day/2}, "7 1", "9 8 7 1", "8 7 1")
	// Packets nothing leads to go with their rows.
	evicts(t, a, Retention{FlowsAge: 2 * day}, "1", "1", "8 7 1")
	for _, s := range catalog(t, a).Segments()[:3] {
		want := tables.EvictedAge
		if s.Number() == 3 {
			want = tables.EvictedRows
		}
		if s.State != StateEvicted || s.Evicted.Reason != want || s.Evicted.Packets != 1 || now()-s.Evicted.EvictedAt > 60e6 {
			t.Errorf("%+v", s)
		}
	}
	gone := catalog(t, a).Evicted(Flows)
	if len(gone) != 3 || gone[0].TS != ago(9) || gone[0].Rows != 1 || gone[0].Reason != tables.EvictedAge || gone[0].Bytes == 0 {
		t.Errorf("%+v", gone)
	}
	// Numbers are not given again.
	arrives(t, a, "meter", ago(0), 1)
	evicts(t, a, Retention{}, "1 0", "1 0", "8 7 1 0")
}

// What was imported has the age of an old capture the day it is asked about.
func TestImportedDoesNotAge(t *testing.T) {
	a := recorded(t, "import", 9, 8)
	arrives(t, a, "meter", ago(0), 0)
	ages := Retention{PacketsAge: day, FlowsAge: day, ConnectionsAge: day}
	evicts(t, a, ages, "9 8 0", "9 8 0", "9 8")
	ages.Imported = true
	evicts(t, a, ages, "0", "0", "")
}

// An archive nobody writes to does not age: the clock may be wrong.
func TestClockIsWrong(t *testing.T) {
	evicts(t, recorded(t, "meter", 4000, 3999), Retention{PacketsAge: day, FlowsAge: day, ConnectionsAge: day}, "4000 3999", "4000 3999", "4000 3999")
}

func TestEvictByBytes(t *testing.T) {
	a := recorded(t, "meter", 5, 4, 3, 2)
	size := catalog(t, a).Segments()[0].Bytes
	evicts(t, a, Retention{PacketsBytes: 2*size + size/2}, "3 2", "5 4 3 2", "5 4 3 2")
	rows := catalog(t, a).Files(Connections)[0].Bytes
	evicts(t, a, Retention{ConnectionsBytes: 3*rows + rows/2}, "3 2", "5 4 3 2", "4 3 2")
	// Imported or not.
	b := recorded(t, "import", 5, 4)
	evicts(t, b, Retention{PacketsBytes: size}, "4", "5 4", "5 4")
}

// A day's flood is paid for by the day: what is older stays, and the flood has its
// share of the budget.
func TestFloodPaysForItself(t *testing.T) {
	p := &planned{all: map[Family][]*holding{}, taken: map[Family]int64{}, now: ago(0)}
	days := func(sizes ...int64) (list []*holding) {
		for d, bytes := range sizes {
			for range bytes / 10 {
				at := ago(len(sizes) - d)
				list = append(list, &holding{family: Exports, bytes: 10, came: rows.Origin{First: at, Last: at}})
			}
		}
		return list
	}
	left := func(list []*holding) string {
		sums := map[tables.Time]int64{}
		for _, h := range list {
			if h.reason == "" {
				sums[h.day()] += h.bytes
			} else {
				sums[h.day()] += 0
			}
		}
		var out []string
		for _, d := range slices.Sorted(func(yield func(tables.Time) bool) {
			for d := range sums {
				if !yield(d) {
					return
				}
			}
		}) {
			out = append(out, fmt.Sprint(sums[d]))
		}
		return strings.Join(out, " ")
	}
	for _, c := range []struct {
		about  string
		sizes  []int64
		budget int64
		want   string
	}{
		{"all alike", []int64{100, 100, 100, 100, 100}, 300, "0 0 100 100 100"},
		{"a flood on the third day", []int64{100, 100, 1000, 100, 100}, 1000, "100 100 600 100 100"},
		{"one that leaves nothing even when it paid", []int64{100, 100, 1000, 100, 100}, 700, "0 100 400 100 100"},
		{"a week end is no flood", []int64{100, 10, 10, 100, 100, 100}, 400, "80 10 10 100 100 100"},
		{"with three days it is not known what is usual", []int64{10, 10, 1000}, 500, "0 0 500"},
	} {
		list := days(c.sizes...)
		total := int64(0)
		for _, n := range c.sizes {
			total += n
		}
		p.spare(list, total-c.budget, c.budget, tables.EvictedBytes)
		if got := left(list); got != c.want {
			t.Errorf("%s: %s left, want %s", c.about, got, c.want)
		}
	}
}

// The disk is kept from filling up: packets go first, then rows of all kinds.
func TestEvictByDisk(t *testing.T) {
	full := func(free int64) *Archive {
		a := recorded(t, "import", 3, 2, 1)
		m := a.disk.(*disk.Memory)
		_, left, err := m.Space("/")
		if err != nil {
			t.Fatal(err)
		}
		m.Total = 1<<40 - left + free
		return a
	}
	size := catalog(t, recorded(t, "import", 1)).Segments()[0].Bytes
	evicts(t, full(5000), Retention{Imported: true, DiskFree: 5000}, "3 2 1", "3 2 1", "3 2 1")
	evicts(t, full(5000), Retention{Imported: true, DiskFree: 5000 + 2*size - 10}, "1", "3 2 1", "3 2 1")
	evicts(t, full(0), Retention{Imported: true, DiskFree: 3*size + 100}, "", "3 2 1", "2 1")
	evicts(t, full(0), Retention{Imported: true, DiskFree: 1 << 30}, "", "", "")
	// A percent of what the disk has for the archive: of what is free, too.
	evicts(t, full(100), Retention{Imported: true, PacketsShare: 1}, "", "3 2 1", "3 2 1")
	evicts(t, full(1<<20), Retention{Imported: true, PacketsShare: 1}, "3 2 1", "3 2 1", "3 2 1")
	// What was imported stays, unless asked.
	evicts(t, full(0), Retention{DiskFree: 1 << 30, PacketsShare: 1}, "3 2 1", "3 2 1", "3 2 1")
}

// Room is made before it is written, and nothing when there is room.
func TestRoomBeforeWriting(t *testing.T) {
	m := disk.NewMemory()
	m.Total = 8 << 20
	a, err := Open("/data", Options{Disk: m, SegmentBytes: 1 << 20, Retention: &Retention{Imported: true, DiskFree: 2 << 20}})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	least := int64(1 << 40)
	for i := range 60 {
		tx := begin(t, a)
		if _, err := fillBatch(tx, 800); err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		_, free, _ := m.Space("/")
		least = min(least, free)
		if i == 10 && len(catalog(t, a).Missing()) > 0 {
			t.Fatal("packets went though there was room")
		}
	}
	if least < 2<<20 || least > 4<<20 {
		t.Errorf("%d bytes were free at the least, of 2 MiB that should be", least)
	}
	c := catalog(t, a)
	if d := c.Damage(); len(d) > 0 || len(c.Missing()) == 0 || len(c.Missing()) == len(c.Segments()) {
		t.Errorf("%d of %d segments are gone; damage %+v", len(c.Missing()), len(c.Segments()), d)
	}
}

// What a statement may read stays until it ends, but counts no longer for others.
func TestEvictionWaitsForReaders(t *testing.T) {
	a := recorded(t, "meter", 5, 4)
	reader := reopened(t, a)
	lease := reader.Lease()
	before := catalog(t, reader)
	time.Sleep(2 * settled) // so that the reader began before
	a.o.Retention = &Retention{PacketsBytes: 1, FlowsBytes: 1}
	if _, err := a.Evict(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * settled) // so that the lease is old enough
	there := func() (n int) {
		for _, f := range before.Files(Flows) {
			if a.exists(f.Path) {
				n++
			}
		}
		for _, s := range before.Segments() {
			if a.exists(s.AbsPath) {
				n++
			}
		}
		return n
	}
	if err := a.tidy(); err != nil {
		t.Fatal(err)
	}
	if n := there(); n != 4 {
		t.Errorf("%d of 4 files are left to a statement that reads them", n)
	}
	if c := catalog(t, reader); days(c, packetFiles) != "" || days(c, Flows) != "" || len(c.Damage()) > 0 {
		t.Errorf("evicted, and still counted: %q %q %+v", days(c, packetFiles), days(c, Flows), c.Damage())
	}
	// What is on its way out is not evicted for again.
	_, free, _ := a.disk.Space("/")
	a.o.Retention = &Retention{DiskFree: free + 1000}
	if s, err := a.Evict(); err != nil || s.Files > 0 {
		t.Errorf("%+v %v", s, err)
	}
	lease.Release()
	if err := a.tidy(); err != nil {
		t.Fatal(err)
	}
	if n := there(); n != 0 {
		t.Errorf("%d files are left", n)
	}
}

// A kill before any operation of an eviction leaves all it was to take or none of
// it, and whoever comes next removes the rest; so does a power failure.
func TestKilledEviction(t *testing.T) {
	m := disk.NewMemory()
	var kills []killed
	counting := false
	a := onDisk(t, disk.Watch(m, func(o disk.Op) error {
		if counting && o.Kind != disk.OpStat && o.Kind != disk.OpRead && o.Kind != disk.OpOpen {
			kills = append(kills, killed{m.Kill(), o})
		}
		return nil
	}))
	for _, d := range []int{5, 4, 3} {
		arrives(t, a, "meter", ago(d), 1)
	}
	size := catalog(t, a).Segments()[0].Bytes
	counting = true
	a.o.Retention = &Retention{PacketsBytes: size, FlowsAge: 3*day + day/2}
	if _, err := a.Evict(); err != nil {
		t.Fatal(err)
	}
	counting = false
	kills = append(kills, killed{m.Kill(), disk.Op{}})
	r := rand.New(rand.NewPCG(9, 9))
	taken := 0
	for i, k := range kills {
		for _, left := range []*disk.Memory{k.Memory, k.Crash(disk.None, disk.None, r), k.Crash(disk.All, disk.None, r), k.Crash(disk.Some, disk.Some, r)} {
			b, err := Open("/data", Options{Disk: left})
			if err != nil {
				t.Fatalf("kill %d, before %v: %v", i, k.before, err)
			}
			c := catalog(t, b)
			what := fmt.Sprintf("%s/%s/%s", days(c, packetFiles), days(c, Flows), days(c, Connections))
			captures := 0
			for _, f := range filesOn(t, left, "/data") {
				if strings.HasPrefix(f, "packets/") {
					captures++
				}
			}
			switch {
			case len(c.Damage()) > 0:
				t.Errorf("kill %d, before %v: damage %+v", i, k.before, c.Damage())
			case what == "3/3/5 4 3" && captures == 1 && len(c.Evicted(Flows)) == 2:
				taken++
			case what == "5 4 3/5 4 3/5 4 3" && captures == 3 && len(c.Evicted(Flows)) == 0:
			default:
				t.Errorf("kill %d, before %v: %s, %d files of packets", i, k.before, what, captures)
			}
			if err := b.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	if len(kills) < 30 || taken < 10 || taken == 4*len(kills) {
		t.Errorf("%d kills, %d with the eviction done", len(kills), taken)
	}
}

// Files that were merged, and are still there, do not come back when the one that
// stands for them is evicted; and what is evicted is merged no more.
func TestEvictedAndMerged(t *testing.T) {
	a := recorded(t, "meter", 5, 4, 3)
	held := reopened(t, a)
	held.Lease()
	time.Sleep(2 * settled) // so that the reader began before
	merge := func(files []File, level string) error {
		tx, err := a.Begin("compact")
		if err != nil {
			return err
		}
		tx.Supersede(files)
		write(t, tx, level, []tables.Flow{{TS: ago(5)}, {TS: ago(4)}})
		return tx.Commit()
	}
	files := catalog(t, a).Files(Flows)
	if err := merge(files[:2], "h"); err != nil {
		t.Fatal(err)
	}
	a.o.Retention = &Retention{FlowsAge: 3*day + day/2}
	if _, err := a.Evict(); err != nil {
		t.Fatal(err)
	}
	if !a.exists(files[0].Path) {
		t.Fatal("a statement reads it, and it is gone")
	}
	for range 2 {
		c := catalog(t, a)
		if got := days(c, Flows); got != "3" || len(c.Damage()) > 0 || len(c.Evicted(Flows)) != 1 || c.Evicted(Flows)[0].Rows != 2 {
			t.Errorf("days %s, damage %+v, evicted %+v", got, c.Damage(), c.Evicted(Flows))
		}
		held.Close()
		if err := a.tidy(); err != nil {
			t.Fatal(err)
		}
	}
	if a.exists(files[0].Path) {
		t.Error("it stays")
	}
	if err := merge(files, "d"); err == nil {
		t.Error("what is evicted was merged")
	}
}

// A record that can't be read makes no eviction undone where files are gone: that
// is damage, and nothing else breaks.
func TestDamagedEvictions(t *testing.T) {
	a := recorded(t, "meter", 5, 4)
	evicts(t, a, Retention{FlowsAge: 4*day + day/2}, "4", "4", "5 4")
	f := catalog(t, a).Files(Evictions)[0]
	file, err := a.disk.Edit(f.Path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteAt([]byte("damaged"), 20); err != nil {
		t.Fatal(err)
	}
	file.Close()
	var families []string
	for _, d := range catalog(t, reopened(t, a)).Damage() {
		families = append(families, string(d.Family))
	}
	if got := strings.Join(families, " "); !strings.Contains(got, "evictions") || !strings.Contains(got, "flows") {
		t.Errorf("damage of %s", got)
	}
}

// What is pinned stays, whatever becomes of its files' names.
func TestPinnedStays(t *testing.T) {
	a := recorded(t, "meter", 5, 4, 3)
	c := catalog(t, a)
	pin := Pin{Case: "case-17", Segments: []uint32{c.Segments()[1].Number()}, Ranges: []PinnedRow{RowsOf(&c.Files(Flows)[0])}}
	if err := reopened(t, a).ChangePins(func(p []Pin) ([]Pin, error) { return append(p, pin), nil }); err != nil {
		t.Fatal(err)
	}
	hard := Retention{PacketsBytes: 1, FlowsBytes: 1, ConnectionsBytes: 1}
	evicts(t, a, hard, "4", "5", "")
	if err := a.ChangePins(func(p []Pin) ([]Pin, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	evicts(t, a, hard, "", "", "")
}

// Whoever can't tell what is pinned evicts nothing.
func TestUnreadablePins(t *testing.T) {
	a := recorded(t, "meter", 5, 4)
	if err := a.ChangePins(func([]Pin) ([]Pin, error) { return nil, nil }); err != nil {
		t.Fatal(err)
	}
	a.disk = disk.Watch(a.disk, func(o disk.Op) error {
		if filepath.Base(o.Path) == pinsFile && o.Kind == disk.OpRead {
			return syscall.EIO
		}
		return nil
	})
	a.o.Retention = &Retention{PacketsBytes: 1}
	if _, err := a.Evict(); err == nil {
		t.Error("no error")
	}
	if got := days(catalog(t, a), packetFiles); got != "5 4" {
		t.Errorf("left are %s", got)
	}
}
