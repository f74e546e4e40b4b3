package archive

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// BenchmarkRefresh is what a micro batch costs those who read an archive of
// 10,000 files in a year of folders.
func BenchmarkRefresh(b *testing.B) {
	a, r := recorder(b, RecorderOptions{})
	defer r.Close()
	if err := r.Exports(numbered(0, 10)); err != nil {
		b.Fatal(err)
	}
	if err := r.Flush(); err != nil {
		b.Fatal(err)
	}
	model := catalog(b, a).Files(Exports)[0]
	const days, files = 365, 10_000
	for i := range files {
		f := model
		f.Writer, f.Level, f.First, f.Last = "other", "t", uint64(i+1), uint64(i+1)
		f.Family = []Family{Exports, Exporters, Sockets, Connections}[i%4]
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, i%days)
		f.MinTS = tables.Time(at.UnixMicro())
		f.MaxTS = f.MinTS + 1e6
		dir := filepath.Join(a.Dir(), string(f.Family), at.Format("2006/01/02"))
		if err := os.MkdirAll(dir, 0o750); err != nil {
			b.Fatal(err)
		}
		if err := os.Link(model.Path, filepath.Join(dir, f.name())); err != nil {
			b.Fatal(err)
		}
	}
	reader, err := Open(a.Dir(), Options{ReadOnly: true})
	if err != nil {
		b.Fatal(err)
	}
	defer reader.Close()
	begin := time.Now()
	if n := len(catalog(b, reader).Files(Exports)); n != files/4+1 {
		b.Fatal(n)
	}
	b.Logf("first look: %v", time.Since(begin))
	time.Sleep(2 * settled) // what is believed is older than that
	b.ResetTimer()
	var spent time.Duration
	n := 0
	for b.Loop() {
		b.StopTimer()
		if err := r.Exports(numbered(n, 3)); err != nil {
			b.Fatal(err)
		}
		if err := r.Flush(); err != nil {
			b.Fatal(err)
		}
		time.Sleep(2 * settled)
		n++
		b.StartTimer()
		cpu := samples.CPUTime()
		if got := len(catalog(b, reader).Files(Exports)); got != files/4+1+n {
			b.Fatal(got, n)
		}
		spent += samples.CPUTime() - cpu
	}
	b.ReportMetric(float64(spent.Microseconds())/float64(n), "cpu-µs/refresh")
}

// A file that could not be read for a moment is no damage, and one that could
// not for longer is read once it can be.
func TestCatalogReadsAgain(t *testing.T) {
	for _, kind := range []disk.Kind{disk.OpOpen, disk.OpRead, disk.OpStat} {
		m := disk.NewMemory()
		failures := 0
		d := disk.Watch(m, func(o disk.Op) error {
			if failures > 0 && o.Kind == kind && strings.HasSuffix(o.Path, ".parquet") {
				failures--
				return syscall.EMFILE
			}
			return nil
		})
		a := onDisk(t, m)
		tx, _, err := batch(t, a, 20)
		if err != nil {
			t.Fatal(err)
		}
		commit(t, tx)
		a.Close()
		a = onDisk(t, d)
		for _, failures = range []int{0, 1, 1000} {
			a.forget()
			a.current = nil
			clear(a.segments)
			clear(a.folders)
			c := catalog(t, a)
			if (len(c.Damage()) > 0) != (failures > 100) || (rowsIn(c, Flows) == 2) != (failures < 100) {
				t.Errorf("%s: %d failures left: %+v", kind, failures, c.Damage())
			}
		}
		failures = 0
		a.checked, a.loaded = a.checked.Add(-time.Minute), a.loaded.Add(-time.Minute)
		if c := catalog(t, a); len(c.Damage())+len(c.Missing()) > 0 || rowsIn(c, Flows) != 2 || len(c.Segments()) != 1 {
			t.Errorf("%s: %+v", kind, c.Damage())
		}
	}
}
