package archive

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// recorder on an archive of its own; nothing is written but when asked.
func recorder(t testing.TB, o RecorderOptions) (*Archive, *Recorder) {
	t.Helper()
	a := testArchive(t)
	a.disk = disk.Real{NoSync: true}
	if o.Interval == 0 {
		o.Interval = time.Hour
	}
	r, err := NewRecorder(a, o)
	if err != nil {
		t.Fatal(err)
	}
	return a, r
}

// exportIDs reads the flow ids of all live files, each in order of time.
func exportIDs(t testing.TB, c *Catalog) []tables.ID {
	t.Helper()
	var ids []tables.ID
	for _, f := range c.Files(Exports) {
		rows, err := rows.ReadAll[tables.Export](f.File)
		if err != nil && err != io.EOF {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(rows, func(x, y tables.Export) int { return int(x.TS - y.TS) }) {
			t.Errorf("%s is not in time order", f.Path)
		}
		for i := range rows {
			ids = append(ids, rows[i].FlowID)
			if rows[i].TS < f.MinTS || rows[i].TSEnd > f.MaxTS {
				t.Errorf("%s: a row of %d to %d", f.Path, rows[i].TS, rows[i].TSEnd)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// numbered are rows of now with the ids from first on.
func numbered(first, n int) []tables.Export {
	rows := make([]tables.Export, n)
	for i := range rows {
		at := now() - tables.Time((i*7919)%1000)*1000
		rows[i] = tables.Export{TS: at, TSEnd: at + 5, SourceType: "netflow5", FlowID: tables.ID(first + i), InIf: tables.Some(int64(i))}
	}
	return rows
}

func wantIDs(t testing.TB, got []tables.ID, n int) {
	t.Helper()
	if len(got) != n {
		t.Fatalf("%d rows, want %d", len(got), n)
	}
	for i, id := range got {
		if id != tables.ID(i) {
			t.Fatalf("row %d has id %d", i, id)
		}
	}
}

// readMark reads the file of a watermark: twice the same, and the smaller one if
// they differ.
func readMark(text []byte) (tables.Time, error) {
	var a, b int64
	_, err := fmt.Sscanf(string(text), "%d\n%d\n", &a, &b)
	return tables.Time(min(a, b)), err
}

func TestRecorder(t *testing.T) {
	a, r := recorder(t, RecorderOptions{Rows: 100})
	before := now()
	for i := range 10 {
		rows := numbered(i*33, 33)
		if err := r.Exports(rows); err != nil {
			t.Fatal(err)
		}
		clear(rows) // they are the caller's again
		if err := errors.Join(r.Exporter(&tables.Exporter{TS: now(), Records: 33}), r.Socket(&tables.Socket{TS: now(), Received: 1})); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Flush(); err != nil {
		t.Fatal(err)
	}
	c := catalog(t, a)
	wantIDs(t, exportIDs(t, c), 330)
	if rowsIn(c, Exporters) != 10 || rowsIn(c, Sockets) != 10 {
		t.Error(rowsIn(c, Exporters), rowsIn(c, Sockets))
	}
	for _, f := range c.Files(Exports) {
		if f.Writer != "collector" || f.Lane != "main" || f.Level != "m" || f.Rows > 100 {
			t.Errorf("%+v", f)
		}
		if !slices.Contains(f.Columns, "in_if") || slices.Contains(f.Columns, "out_if") || !slices.Contains(f.Columns, "src_lo") {
			t.Errorf("columns %v", f.Columns)
		}
	}
	if n := len(c.Files(Exports)); n != 4 {
		t.Errorf("%d files", n)
	}
	text, err := os.ReadFile(filepath.Join(a.Dir(), "state", "collector.watermark"))
	if err != nil {
		t.Fatal(err)
	}
	if n, err := readMark(text); err != nil || n != r.Watermark() || n < before || n > now() {
		t.Errorf("watermark %q, %d", text, r.Watermark())
	}
	if s := r.Stats(); s.Rows != 330 || s.Lost != 0 || s.Failed != 0 || s.Batches != 4 {
		t.Errorf("%+v", s)
	}
	if err := r.Exports(numbered(330, 1)); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, exportIDs(t, catalog(t, a)), 331)
	if err := r.Exports(numbered(0, 1)); err == nil || r.Stats().Lost != 1 {
		t.Error(err, r.Stats())
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
	// The name is free again.
	if r, err = NewRecorder(a, RecorderOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Error(err)
	}
}

func TestRecorderWritesInTime(t *testing.T) {
	a, r := recorder(t, RecorderOptions{Interval: 20 * time.Millisecond})
	defer r.Close()
	if err := r.Exports(numbered(0, 5)); err != nil {
		t.Fatal(err)
	}
	for range 500 {
		if rowsIn(catalog(t, a), Exports) == 5 {
			return
		}
		time.Sleep(10 * time.Millisecond) // until it is written
	}
	t.Error("nothing was written")
}

// Rows that began long ago are filed by the hour, apart from the others.
func TestRecorderLateLane(t *testing.T) {
	a, r := recorder(t, RecorderOptions{})
	defer r.Close()
	at := now()
	rows := numbered(0, 100)
	for i := range 30 { // three hours, ten rows each
		rows[i].TS = at/lateHour*lateHour - tables.Time(1+i/10)*lateHour + tables.Time(i)
	}
	for i := 30; i < 70; i++ { // forty days, an odd exporter
		rows[i].TS = at - tables.Time(i)*24*lateHour
	}
	rows[99].TS = 0
	if err := errors.Join(r.Exports(rows), r.Flush()); err != nil {
		t.Fatal(err)
	}
	c := catalog(t, a)
	wantIDs(t, exportIDs(t, c), 100)
	main, late := 0, 0
	for _, f := range c.Files(Exports) {
		if f.Lane == "main" {
			main++
			if f.MinTS < at-lateAfter {
				t.Errorf("main from %d", f.MinTS)
			}
			continue
		}
		late++
	}
	if main != 1 || late != lateFiles {
		t.Errorf("%d files in main, %d late", main, late)
	}
}

// While the disk is full, nothing is lost and memory does not grow: callers
// wait. It goes on by itself.
func TestRecorderDiskFull(t *testing.T) {
	a, r := recorder(t, RecorderOptions{Rows: 50})
	var mu sync.Mutex
	full := true
	setFull := func(f bool) {
		mu.Lock()
		full = f
		mu.Unlock()
	}
	a.disk = disk.Watch(a.disk, func(o disk.Op) error {
		mu.Lock()
		defer mu.Unlock()
		if full && o.Kind == disk.OpSync {
			return syscall.ENOSPC
		}
		return nil
	})
	done := make(chan error)
	go func() {
		for i := range 8 {
			if err := r.Exports(numbered(i*50, 50)); err != nil {
				done <- err
				return
			}
		}
		done <- r.Flush()
	}()
	select {
	case err := <-done:
		t.Fatal("nobody waited for the disk:", err)
	case <-time.After(time.Second):
	}
	if s := r.Stats(); s.Failed == 0 || s.Rows != 0 || s.Lost != 0 {
		t.Errorf("%+v", s)
	}
	if r.Watermark() != 0 {
		t.Error("a watermark with nothing durable")
	}
	setFull(false)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantIDs(t, exportIDs(t, catalog(t, a)), 400)

	// Closing does not wait for ever, and says what is lost.
	setFull(true)
	if err := errors.Join(r.Exports(numbered(0, 7)), r.Socket(&tables.Socket{})); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "7 flow records and 1 rows") || !strings.Contains(err.Error(), "no space") {
		t.Error(err)
	}
}

// Several goroutines hand over rows at once, and some flush.
func TestRecorderConcurrently(t *testing.T) {
	a, r := recorder(t, RecorderOptions{Rows: 500, Interval: 5 * time.Millisecond})
	var wg sync.WaitGroup
	const callers, calls, each = 4, 100, 30
	for c := range callers {
		wg.Go(func() {
			for i := range calls {
				if err := r.Exports(numbered((c*calls+i)*each, each)); err != nil {
					t.Error(err)
				}
				if err := r.Socket(&tables.Socket{TS: now()}); err != nil {
					t.Error(err)
				}
				if i%40 == 0 {
					if err := r.Flush(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	c := catalog(t, a)
	wantIDs(t, exportIDs(t, c), callers*calls*each)
	if rowsIn(c, Sockets) != callers*calls {
		t.Error(rowsIn(c, Sockets))
	}
}

// BenchmarkRecorder is the whole way of a v5 row from the decoder's hands to
// the disk, files synced.
func BenchmarkRecorder(b *testing.B) {
	rows := samples.Exports(30_000, 1)
	a := testArchive(b)
	r, err := NewRecorder(a, RecorderOptions{})
	if err != nil {
		b.Fatal(err)
	}
	datagram := slices.Clone(rows[:30])
	n := 0
	b.ResetTimer()
	cpu := samples.CPUTime()
	for b.Loop() {
		for range 100 {
			at := now()
			for k := range datagram {
				f, d := &rows[n%len(rows)], &datagram[k]
				d.TS, d.TSEnd, d.Src, d.Dst, d.SrcPort, d.DstPort = at-(rows[0].TS-f.TS)%1_000_000, at, f.Src, f.Dst, f.SrcPort, f.DstPort
				d.Bytes, d.Packets, d.CID, d.FlowID = f.Bytes, f.Packets, f.CID, tables.ID(n)
				n++
			}
			if err := r.Exports(datagram); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(n), "cpu-ns/row")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
	b.ReportMetric(float64(n)/float64(r.Stats().Batches), "rows/batch")
}

// BenchmarkSmallBatch is what a batch costs beside its rows.
func BenchmarkSmallBatch(b *testing.B) {
	a, r := recorder(b, RecorderOptions{})
	a.disk = disk.Real{}
	rows := numbered(0, 30)
	b.ResetTimer()
	cpu := samples.CPUTime()
	n := 0
	for b.Loop() {
		if err := errors.Join(r.Exports(rows), r.Exporter(&tables.Exporter{TS: now()}), r.Flush()); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(samples.CPUTime()-cpu)/float64(n)/1000, "cpu-µs/batch")
	if err := r.Close(); err != nil {
		b.Fatal(err)
	}
}
