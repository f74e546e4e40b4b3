package archive

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// logged is one who logs packets and writes a row for each: over when the next
// comes. It goes on from what the log says.
type logged struct {
	a *Archive
	l *Log
	// packet is the number of the next one, row of the next row; rows wait.
	packet, row int
	ids         map[int]tables.ID // of packets without a row
	rows        []tables.Flow
	began       tables.Time
	again       bool // what fails is tried once more
}

func openLogged(a *Archive) (*logged, error) {
	l, err := a.OpenLog(LogOptions{Sensor: "dmz", Interface: "eth1"})
	if err != nil {
		return nil, err
	}
	g := &logged{a: a, l: l, ids: map[int]tables.ID{}, began: now()}
	after := uint64(0)
	if c := l.Checkpoint(); c != nil {
		if _, err := fmt.Sscanf(string(c), "%d %d %d", &after, &g.packet, &g.row); err != nil {
			return nil, errors.Join(err, l.Close())
		}
		for i := g.row; i < g.packet; i++ {
			return nil, errors.Join(fmt.Errorf("a checkpoint with a packet that waits: %s", c), l.Close())
		}
	}
	err = l.Replay(context.Background(), after, func(id tables.ID, rec *pcap.Record) error {
		if want := packetRecord(g.packet, 100); string(rec.Data) != string(want.Data) || rec.TS != want.TS {
			return fmt.Errorf("packet %d is another one", g.packet)
		}
		g.ids[g.packet] = id
		g.packet++
		g.end(g.packet - 1)
		return nil
	}, func(number uint64, tick int64) error {
		if tick != 0 {
			g.end(g.packet)
		}
		if number <= l.Stored() {
			g.rows = nil
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return g, nil
}

// end makes rows of the packets before a number.
func (g *logged) end(before int) {
	for ; g.row < before; g.row++ {
		g.rows = append(g.rows, g.flow(g.row))
		delete(g.ids, g.row)
	}
}

func (g *logged) flow(i int) tables.Flow {
	return tables.Flow{TS: tables.Time(i), TSEnd: tables.Time(i), Packets: 1, FlowID: tables.ID(i + 1), Sensor: "dmz",
		Postings: rows.AppendPostings(nil, []tables.ID{g.ids[i]})}
}

func (g *logged) add(n int) error {
	for range n {
		segment, offset, err := g.l.Append(packetRecord(g.packet, 100))
		if err != nil && g.again {
			g.l.failed = time.Time{}
			segment, offset, err = g.l.Append(packetRecord(g.packet, 100))
		}
		if err != nil {
			return err
		}
		g.ids[g.packet] = tables.PacketID(segment, offset)
		g.packet++
		g.end(g.packet - 1)
	}
	return nil
}

// commit writes what there is; with a tick the last packet's row is over too.
func (g *logged) commit(tick, checkpoint bool) error {
	clock := int64(0)
	if tick {
		g.end(g.packet)
		clock = 1
	}
	m, err := g.l.Mark(clock)
	if err != nil && g.again {
		g.l.failed = time.Time{} // as after a wait
		m, err = g.l.Mark(clock)
	}
	if err != nil {
		return err
	}
	b := &LogBatch{Flows: g.rows, Arrived: g.began, Until: now(),
		Covered: tables.Coverage{Sensor: "dmz", Interface: "eth1", TS: 1, TSEnd: tables.Time(g.packet)}}
	for i := g.row; i < g.packet; i++ {
		b.LiveFlows = append(b.LiveFlows, g.flow(i))
	}
	if checkpoint && g.row == g.packet {
		b.Checkpoint = fmt.Appendf(nil, "%d %d %d", m.Number(), g.packet, g.row)
	}
	g.rows, g.began = nil, now()
	err = g.l.Commit(m, b)
	if err != nil && g.again {
		err = g.l.Commit(m, b)
	}
	return err
}

// loggedRows checks that an archive holds the first packets of a log, each in one
// row, and returns how many.
func loggedRows(a *Archive) (int, error) {
	c, err := a.Catalog()
	if err != nil {
		return 0, err
	}
	if len(c.Damage())+len(c.Missing()) > 0 {
		return 0, fmt.Errorf("damage %+v, segments missing %v", c.Damage(), c.Missing())
	}
	var refs []Ref
	seen := map[tables.ID]bool{}
	for _, f := range c.Files(Flows) {
		if f.Writer != LogWriter("dmz", "eth1", 0) {
			continue
		}
		list, err := rows.ReadAll[tables.Flow](f.File)
		if err != nil && f.passing() {
			continue // a power failure tore it
		}
		if err != nil {
			return 0, err
		}
		for i := range list {
			if id := list[i].FlowID; seen[id] {
				return 0, fmt.Errorf("row %d is there twice", id-1)
			}
			seen[list[i].FlowID] = true
			if err := rows.DecodePostings(list[i].Postings, func(id tables.ID) bool {
				refs = append(refs, Ref{id, int32(list[i].FlowID - 1)})
				return true
			}); err != nil {
				return 0, err
			}
		}
	}
	for i := range len(seen) {
		if !seen[tables.ID(i+1)] {
			return 0, fmt.Errorf("row %d of %d is not there", i, len(seen))
		}
	}
	byTime(refs, func(r *Ref) tables.Time { return tables.Time(r.ID) })
	read := 0
	_, err = a.Fetch(context.Background(), c, refs, func(r Ref, rec *pcap.Record) error {
		if want := packetRecord(int(r.Owner), 100); string(rec.Data) != string(want.Data) {
			return fmt.Errorf("packet %d is another one", r.Owner)
		}
		read++
		return nil
	})
	if err == nil && read != len(seen) {
		err = fmt.Errorf("%d packets of %d", read, len(seen))
	}
	return len(seen), err
}

// Packets of a log are found with each commit, also those whose rows are not over,
// and each is in one row; segments that are full are sealed.
func TestLog(t *testing.T) {
	m := disk.NewMemory()
	a := onDisk(t, m)
	reader := onDisk(t, m)
	g, err := openLogged(a)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		if err := g.add(20); err != nil {
			t.Fatal(err)
		}
		if err := g.commit(i%3 == 0, i%6 == 0); err != nil {
			t.Fatal(err)
		}
		if n, err := loggedRows(reader); err != nil || n != g.packet {
			t.Fatalf("after commit %d: %d rows of %d packets: %v", i, n, g.packet, err)
		}
	}
	open, packets := 0, int64(0)
	for _, s := range catalog(t, reader).Segments() {
		packets += s.Packets
		if s.Open {
			open++
		}
	}
	if n := len(catalog(t, reader).Segments()); n < 3 || open != 1 || packets != int64(g.packet) {
		t.Errorf("%d segments, %d of them open, with %d packets of %d", n, open, packets, g.packet)
	}
	if err := g.l.Close(); err != nil {
		t.Error(err)
	}
	// It goes on where it was.
	before := g.l.ID()
	if g, err = openLogged(a); err != nil || g.l.ID() != before || g.packet != 800 {
		t.Fatal(g, err)
	}
	if err := errors.Join(g.add(5), g.commit(true, true)); err != nil {
		t.Fatal(err)
	}
	if n, err := loggedRows(reader); err != nil || n != 805 {
		t.Errorf("%d rows: %v", n, err)
	}
	if err := g.l.Close(); err != nil {
		t.Error(err)
	}
}

// What a crash leaves of a log at any time is what some commit made of it, no
// earlier one than was done, and the log goes on from there.
func TestLogCrash(t *testing.T) {
	trials := 150
	if testing.Short() {
		trials = 30
	}
	for seed := range uint64(trials) {
		r := rand.New(rand.NewPCG(seed, 9))
		m := disk.NewMemory()
		kept := 0
		for round := range 4 {
			var left *disk.Memory
			stop, ops, least := 1+r.IntN(500), 0, 0
			var mu sync.Mutex // footers are read side by side
			a, err := Open("/data", Options{SegmentBytes: 3000, Retention: twoRoots(seed), Disk: disk.Watch(m, func(o disk.Op) error {
				mu.Lock()
				defer mu.Unlock()
				if ops++; ops == stop {
					if left, least = m.Crash(disk.Keep(r.IntN(3)), disk.Keep(r.IntN(3)), r), kept; r.IntN(2) == 0 {
						left = m.Kill()
					}
				}
				return nil
			})})
			if err != nil {
				t.Fatal(err)
			}
			g, err := openLogged(a)
			if err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			if g.packet < kept {
				t.Fatalf("seed %d, round %d: %d packets of %d", seed, round, g.packet, kept)
			}
			for left == nil {
				err := g.add(1 + r.IntN(12))
				if err == nil {
					err = g.commit(r.IntN(2) == 0, r.IntN(3) == 0)
				}
				if err != nil {
					t.Fatalf("seed %d, round %d: %v", seed, round, err)
				}
				kept = g.packet
			}
			g.l.Close()
			a.Close()
			m, kept = left, least
			if a, err = Open("/data", Options{Disk: m}); err != nil {
				t.Fatal(err)
			}
			// A power failure may take the row that is not over, until it is metered
			// again.
			if n, err := loggedRows(a); err != nil || n < kept-1 {
				t.Fatalf("seed %d, round %d: %d rows, %d were kept: %v", seed, round, n, kept, err)
			}
			if g, err = openLogged(a); err == nil {
				err = errors.Join(g.commit(false, false), g.l.Close())
			}
			if err != nil {
				t.Fatalf("seed %d, round %d: %v", seed, round, err)
			}
			if n, err := loggedRows(a); err != nil || n < kept || n != g.packet {
				t.Fatalf("seed %d, round %d: %d rows of %d packets, %d were kept: %v", seed, round, n, g.packet, kept, err)
			}
			a.Close()
		}
	}
}

// While the disk fails, packets are kept in memory as far as they may be; later
// ones are not kept, and no row is lost or doubled.
func TestLogDiskFull(t *testing.T) {
	m := disk.NewMemory()
	full := false
	a, err := Open("/data", Options{SegmentBytes: 20_000, Disk: disk.Watch(m, func(o disk.Op) error {
		if full && (o.Kind == disk.OpWrite || o.Kind == disk.OpCreate) {
			return disk.Short{Err: errors.New("no space left on device")}
		}
		return nil
	})})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	g, err := openLogged(a)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(g.add(10), g.commit(false, false)); err != nil {
		t.Fatal(err)
	}
	full = true
	if err := g.add(10); err != nil {
		t.Fatal(err)
	}
	if _, err := g.l.Mark(0); err == nil {
		t.Fatal("marked what could not be written")
	}
	for i := 0; err == nil; i++ {
		if i > 1000 {
			t.Fatal("packets are kept beyond the end of a segment")
		}
		err = g.add(1)
	}
	if !errors.Is(err, ErrNotKept) {
		t.Fatal(err)
	}
	full = false
	time.Sleep(writeAgain) // the disk is tried again only then
	if err := errors.Join(g.add(10), g.commit(true, true)); err != nil {
		t.Fatal(err)
	}
	if n, err := loggedRows(a); err != nil || n != g.packet {
		t.Errorf("%d rows of %d: %v", n, g.packet, err)
	}
	g.l.Close()
}

// Any operation of a log may fail once: what is tried again then loses nothing and
// doubles nothing, and neither does a crash that follows.
func TestLogFails(t *testing.T) {
	for _, kind := range []disk.Kind{disk.OpCreate, disk.OpEdit, disk.OpRename, disk.OpSyncDir, disk.OpWrite, disk.OpSync, disk.OpList, disk.OpStat, disk.OpLock, disk.OpMkdir, disk.OpRemove} {
		for n := 1; ; n += 1 + n/8 {
			m := disk.NewMemory()
			armed, failed := false, false
			fail := disk.Nth(kind, n, disk.Short{Err: errors.New("it failed")})
			var mu sync.Mutex // footers are read side by side
			a, err := Open("/data", Options{SegmentBytes: 3000, Disk: disk.Watch(m, func(o disk.Op) error {
				mu.Lock()
				defer mu.Unlock()
				if !armed {
					return nil
				}
				err := fail(o)
				failed = failed || err != nil
				return err
			})})
			if err != nil {
				t.Fatal(err)
			}
			g, err := openLogged(a)
			if err != nil {
				t.Fatal(err)
			}
			g.again, armed = true, true
			for i := range 6 {
				if err := errors.Join(g.add(10), g.commit(i%2 == 0, i%3 == 0)); err != nil {
					t.Fatalf("%s %d: %v", kind, n, err)
				}
			}
			armed = false
			if got, err := loggedRows(a); err != nil || got != g.packet {
				t.Fatalf("%s %d: %d rows of %d: %v", kind, n, got, g.packet, err)
			}
			kept := g.packet
			g.l.Close()
			a.Close()
			if a, err = Open("/data", Options{Disk: m.Crash(disk.None, disk.None, rand.New(rand.NewPCG(1, 1)))}); err != nil {
				t.Fatal(err)
			}
			if g, err = openLogged(a); err == nil {
				err = errors.Join(g.commit(true, true), g.l.Close())
			}
			if err != nil {
				t.Fatalf("%s %d: %v", kind, n, err)
			}
			if got, err := loggedRows(a); err != nil || got != kept {
				t.Fatalf("%s %d: after a crash %d rows of %d: %v", kind, n, got, kept, err)
			}
			a.Close()
			if !failed {
				break
			}
		}
	}
}
