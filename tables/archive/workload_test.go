package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/pcap"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// What became of a batch of a workload.
const (
	begun = iota // it may be there, whole
	kept         // it must be there: its Commit or Flush said so
	given        // it must not be there: it was given up
)

// stride is how far apart the numbers of two batches' rows are.
const stride = 1000

// writtenBatch is one of a workload. Its rows are exports numbered from its place
// times stride on, and, when it has packets, as many flows, each with one.
type writtenBatch struct {
	rows    int
	packets bool
	fate    int
	handed  tables.Time // when the recorder had all of it
}

// workload records, imports, merges and tidies up in an archive at random, and
// knows what must be there. Operations may fail.
type workload struct {
	d disk.Disk
	m *disk.Memory
	r *rand.Rand
	a *Archive
	c *Recorder

	mu      sync.Mutex
	batches []writtenBatch
	step    string
	seed    uint64
}

// twoRoots are where the packets of every second one lie.
func twoRoots(seed uint64) *Retention {
	if seed%2 == 0 {
		return nil
	}
	return &Retention{Roots: []string{"/disks/a", "/disks/b"}}
}

func newWorkload(m *disk.Memory, d disk.Disk, seed uint64) *workload {
	return &workload{m: m, d: d, seed: seed, r: rand.New(rand.NewPCG(seed, 3))}
}

// add takes note of a batch before it is begun.
func (w *workload) add(b writtenBatch) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches = append(w.batches, b)
	return len(w.batches) - 1
}

func (w *workload) became(i, fate int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.batches[i].fate = fate
}

// known is what was written, and done at the time.
func (w *workload) known() ([]writtenBatch, string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.batches), w.step
}

// do does a step, the first of which opens the archive. Its error is that of the
// operation that failed in it, if any.
func (w *workload) do() (err error) {
	pick := w.r.IntN(20)
	name := ""
	switch {
	case w.a == nil:
		name, err = "open", w.open()
	case pick < 6:
		name = "import"
		w.say(name)
		err = w.imports()
	case pick < 12:
		name = "record"
		w.say(name)
		err = w.records()
	case pick < 16:
		name = "merge"
		w.say(name)
		err = errors.Join(mergeSome[tables.Export](w, Exports), mergeSome[tables.Flow](w, Flows))
	case pick < 18:
		w.say("tidy up")
		w.m.Age(6 * time.Minute)
		err = w.a.tidy()
	default:
		w.say("close")
		err = w.close()
	}
	return err
}

func (w *workload) say(step string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step = step
}

func (w *workload) open() (err error) {
	w.say("open")
	w.a, err = Open("/data", Options{Disk: w.d, SegmentBytes: 2000, Retention: twoRoots(w.seed)})
	return err
}

func (w *workload) close() error {
	var err error
	if w.c != nil {
		err = w.c.Close()
		w.c = nil
	}
	if w.a != nil {
		err = errors.Join(err, w.a.Close())
		w.a = nil
	}
	return err
}

// exports are the rows of a batch, some of them late.
func (w *workload) exports(batch, n int) []tables.Export {
	list := make([]tables.Export, n)
	for i := range list {
		at := now() - tables.Time(i)
		if i%5 == 4 {
			at -= 3 * lateHour
		}
		list[i] = tables.Export{TS: at, TSEnd: at + 1, FlowID: tables.ID(batch*stride + i)}
	}
	return list
}

// imports writes a batch of exports in two files, sometimes packets, and gives
// it up at times.
func (w *workload) imports() error {
	b := writtenBatch{rows: 2 + w.r.IntN(6), packets: w.r.IntN(2) == 0}
	i := w.add(b)
	tx, err := w.a.Begin("import")
	if err != nil {
		return err
	}
	err = w.fill(tx, i, b)
	if err != nil || w.r.IntN(5) == 0 {
		err = errors.Join(err, tx.Abort())
		w.became(i, given)
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	w.became(i, kept)
	return nil
}

func (w *workload) fill(tx *Tx, i int, b writtenBatch) error {
	list := w.exports(i, b.rows)
	slices.SortFunc(list, func(x, y tables.Export) int { return int(x.TS - y.TS) })
	for _, part := range [][]tables.Export{list[:b.rows/2], list[b.rows/2:]} {
		if _, err := WriteRows(tx, "e", part); err != nil {
			return err
		}
	}
	if !b.packets {
		return nil
	}
	out, err := tx.Packets("dmz", "", tables.LinkEthernet, false)
	if err != nil {
		return err
	}
	var flows []tables.Flow
	for k := range b.rows {
		segment, offset, err := out.Append(packetRecord(i*stride+k, 400))
		if err != nil {
			return err
		}
		at := tables.Time(i*stride + k)
		flows = append(flows, tables.Flow{TS: at, TSEnd: at, Packets: 1, FlowID: tables.ID(i*stride + k),
			Postings: rows.AppendPostings(nil, []tables.ID{tables.PacketID(segment, offset)})})
	}
	_, err = WriteRows(tx, "e", flows)
	return err
}

// records hands a batch to the recorder and has it written.
func (w *workload) records() (err error) {
	if w.c == nil {
		if w.c, err = NewRecorder(w.a, RecorderOptions{Interval: time.Hour}); err != nil {
			return err
		}
		w.c.retry = time.Millisecond
	}
	b := writtenBatch{rows: 1 + w.r.IntN(8)}
	i := w.add(b)
	if err := w.c.Exports(w.exports(i, b.rows)); err != nil {
		return err
	}
	w.mu.Lock()
	w.batches[i].handed = now()
	w.mu.Unlock()
	if err := w.c.Flush(); err != nil {
		return err
	}
	w.became(i, kept)
	return nil
}

// mergeSome merges neighbours of a sequence into one file or two, or takes one
// file to a higher level as it is.
func mergeSome[T any](w *workload, family Family) error {
	c, err := w.a.Catalog()
	if err != nil {
		return err
	}
	files := slices.Clone(c.Files(family))
	if len(files) == 0 {
		return nil
	}
	of := files[w.r.IntN(len(files))].sequence()
	files = slices.DeleteFunc(files, func(f File) bool { return f.sequence() != of })
	slices.SortFunc(files, func(x, y File) int { return int(x.First) - int(y.First) })
	from := w.r.IntN(len(files))
	to := min(len(files), from+1+w.r.IntN(6))
	for from > 0 && files[from-1].First == files[from].First { // files of one merge go together
		from--
	}
	for to < len(files) && files[to-1].First == files[to].First {
		to++
	}
	files = files[from:to]
	rank := 0
	for _, f := range files {
		rank = max(rank, levelRank(f.Level))
	}
	if rank++; rank == len(levels) {
		return nil
	}
	tx, err := w.a.Begin("compact")
	if err != nil {
		return err
	}
	tx.Supersede(files)
	err = func() error {
		if len(files) == 1 && w.r.IntN(2) == 0 {
			return tx.Keep(files[0], levels[rank:rank+1])
		}
		var all []T
		for _, f := range files {
			list, err := rows.ReadAll[T](f.File)
			if err != nil {
				return err
			}
			if int64(len(list)) != f.Rows {
				return fmt.Errorf("%s has %d rows of %d", f.Path, len(list), f.Rows)
			}
			all = append(all, list...)
		}
		half := len(all) / (1 + w.r.IntN(2))
		for _, part := range [][]T{all[:half], all[half:]} {
			if _, err := WriteRows(tx, levels[rank:rank+1], part); err != nil {
				return err
			}
		}
		return nil
	}()
	if err != nil {
		return errors.Join(err, tx.Abort())
	}
	return tx.Commit()
}

// holds checks that a disk holds what a workload knew, nothing twice and no
// leavings, and that its archive goes on if that is asked for.
func holds(t *testing.T, m *disk.Memory, batches []writtenBatch, goesOn bool) error {
	t.Helper()
	mark, err := markOn(m)
	if err != nil {
		return err
	}
	a, err := Open("/data", Options{Disk: m})
	if err != nil {
		return err
	}
	if err := whole(a, batches, mark); err != nil {
		return errors.Join(err, a.Close())
	}
	captures := 0
	files := filesOn(t, m, "/data")
	for _, root := range twoRoots(1).Roots {
		if _, err := m.Stat(root); err == nil {
			files = append(files, filesOn(t, m, root)...)
		}
	}
	for _, f := range files {
		if strings.HasPrefix(f, rootFolder+"/") || strings.HasPrefix(f, rootFile) {
			continue // of one that is made anew when it is asked for
		}
		if strings.HasSuffix(f, disk.Part) || strings.HasSuffix(f, openMark) {
			return fmt.Errorf("left: %s", f)
		}
		if strings.HasPrefix(f, packets+"/") {
			captures++
		}
	}
	if n := len(catalog(t, a).Segments()); n != captures {
		return fmt.Errorf("%d segments, %d files of packets", n, captures)
	}
	if !goesOn {
		return a.Close()
	}
	w := &workload{m: m, d: m, r: rand.New(rand.NewPCG(1, 1)), a: a, batches: slices.Clone(batches)}
	more := writtenBatch{rows: 4, packets: true, fate: kept}
	tx, err := a.Begin("import")
	if err == nil {
		err = w.fill(tx, w.add(more), more)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	m = m.Crash(disk.None, disk.None, w.r)
	if a, err = Open("/data", Options{Disk: m}); err != nil {
		return err
	}
	return errors.Join(whole(a, w.batches, mark), a.Close())
}

// markOn reads the watermark that stands on a disk; 0 when there is none.
func markOn(d disk.Disk) (tables.Time, error) {
	text, err := disk.ReadFile(d, filepath.Join("/data", stateFolder, recorderName+".watermark"), 100)
	if errors.Is(err, fs.ErrNotExist) || err == nil && strings.Count(string(text), "\n") < 2 {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return readMark(text)
}

// whole checks what an archive shows.
func whole(a *Archive, batches []writtenBatch, mark tables.Time) error {
	c, err := a.Catalog()
	if err != nil {
		return err
	}
	if len(c.Damage())+len(c.Missing()) > 0 {
		return fmt.Errorf("damage %+v, segments missing %v", c.Damage(), c.Missing())
	}
	got, flows := map[int]int{}, map[int]int{}
	seen := map[tables.ID]bool{}
	for _, f := range c.Files(Exports) {
		list, err := rows.ReadAll[tables.Export](f.File)
		if err != nil {
			return err
		}
		for i := range list {
			id := list[i].FlowID
			if seen[id] {
				return fmt.Errorf("row %d is there twice", id)
			}
			seen[id] = true
			got[int(id/stride)]++
		}
	}
	var refs []Ref
	for _, f := range c.Files(Flows) {
		list, err := rows.ReadAll[tables.Flow](f.File)
		if err != nil {
			return err
		}
		for i := range list {
			flows[int(list[i].FlowID/stride)]++
			err := rows.DecodePostings(list[i].Postings, func(id tables.ID) bool {
				refs = append(refs, Ref{id, int32(list[i].FlowID)})
				return true
			})
			if err != nil {
				return err
			}
		}
	}
	for i, b := range batches {
		fate := b.fate
		if b.handed > 0 && b.handed < mark {
			fate = kept
		}
		n, want := got[i], 0
		if b.packets {
			want = n
		}
		if n != 0 && n != b.rows || n == 0 && fate == kept || n != 0 && fate == given || flows[i] != want {
			return fmt.Errorf("batch %d of %d, %+v: %d rows and %d flows; the watermark is %d", i, len(batches), b, n, flows[i], mark)
		}
		delete(got, i)
	}
	if len(got) > 0 {
		return fmt.Errorf("rows nobody wrote: %v", got)
	}
	slices.SortFunc(refs, func(x, y Ref) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	read := 0
	_, err = a.Fetch(context.Background(), c, refs, func(r Ref, rec *pcap.Record) error {
		if want := packetRecord(int(r.Owner), 400); string(rec.Data) != string(want.Data) {
			return fmt.Errorf("packet %d is another one", r.Owner)
		}
		read++
		return nil
	})
	if err == nil && read != len(refs) {
		err = fmt.Errorf("%d packets of %d", read, len(refs))
	}
	return err
}
