package archive

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// A process TestKilledProcesses starts knows by these what it is.
const (
	childRole = "WIRESQL_TEST_ROLE"
	childDir  = "WIRESQL_TEST_ARCHIVE"
	childRun  = "WIRESQL_TEST_RUN"
)

// runIDs is how far the ids of two runs are apart.
const runIDs = 1_000_000

// testInterval is how often the recorders of the test write.
const testInterval = 50 * time.Millisecond

// TestKilledProcesses has processes record, import and merge in one archive at
// the same time, kills them at random and starts them again, while it reads:
// no row that is durable is missing at any time, none is there twice, and each
// batch is there whole.
func TestKilledProcesses(t *testing.T) {
	if role := os.Getenv(childRole); role != "" {
		run, _ := strconv.Atoi(os.Getenv(childRun))
		if err := child(role, os.Getenv(childDir), run); err != nil {
			fmt.Println("failed", err)
			os.Exit(3)
		}
		return
	}
	dir := t.TempDir()
	a, err := Open(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	length := 8 * time.Second
	if testing.Short() {
		length = 3 * time.Second
	}
	watch := &watcher{t: t, durable: map[int]int{}, handed: map[int][]tables.Time{}}
	// On a busy machine it takes longer to have something tested.
	begin := time.Now()
	over := func() bool {
		took := time.Since(begin)
		return took > length && watch.enough() || took > time.Minute
	}
	var wg sync.WaitGroup
	for i, role := range []string{"record", "import", "merge"} {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(7, uint64(i)))
			for run := i; !over(); run += 3 {
				watch.process(role, dir, run, time.Duration(50+r.IntN(900))*time.Millisecond)
			}
		})
	}
	looks := 0
	for !over() && !t.Failed() {
		watch.look(dir)
		looks++
	}
	wg.Wait()
	watch.look(dir)
	// What dead batches left is swept, and nobody waits for anything. What a writer keeps
	// of itself is replaced whole: what a kill left of that goes with the next time.
	a, err = Open(dir, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, f := range filesBelow(t, dir) {
		if strings.HasSuffix(f, disk.Part) && !strings.HasPrefix(f, "state/") || strings.HasSuffix(f, openMark) {
			t.Error("left:", f)
		}
	}
	t.Logf("%d looks, %d runs, %d durable rows, %d kills lost %d rows that were handed over at most %v before",
		looks, len(watch.durable), watch.rows(), watch.kills, watch.lost, watch.oldest)
	if !watch.enough() {
		t.Error("nothing much was tested")
	}
}

// enough tells whether enough was written and killed to mean something.
func (w *watcher) enough() bool {
	n := w.rows()
	w.mu.Lock()
	defer w.mu.Unlock()
	return n >= 400 && w.kills >= 9
}

// rows counts those that are durable.
func (w *watcher) rows() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, k := range w.durable {
		n += k
	}
	return n
}

// watcher knows what must be in the archive.
type watcher struct {
	t       *testing.T
	mu      sync.Mutex
	durable map[int]int           // by run: rows that are said to be
	handed  map[int][]tables.Time // by run of a recorder: when each row was
	kills   int
	lost    int
	oldest  time.Duration
}

// process runs one and kills it after a while.
func (w *watcher) process(role, dir string, run int, after time.Duration) {
	c := exec.Command(os.Args[0], "-test.run=^TestKilledProcesses$")
	c.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir, childRun+"="+strconv.Itoa(run))
	out, err := c.StdoutPipe()
	if err != nil {
		w.t.Error(err)
		return
	}
	if err := c.Start(); err != nil {
		w.t.Error(err)
		return
	}
	kill := time.AfterFunc(after, func() { c.Process.Kill() })
	defer kill.Stop()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		word, text, _ := strings.Cut(lines.Text(), " ")
		n, _ := strconv.ParseInt(text, 10, 64)
		w.mu.Lock()
		switch word {
		case "durable":
			w.durable[run] = int(n)
		case "handed":
			w.handed[run] = append(w.handed[run], tables.Time(n))
		case "failed":
			w.t.Errorf("%s: %s", role, text)
		}
		w.mu.Unlock()
	}
	killed := now()
	c.Wait()
	if role == "record" {
		w.afterKill(dir, run, killed)
	}
	w.mu.Lock()
	w.kills++
	w.mu.Unlock()
}

// afterKill compares what a recorder was given with what there is of it.
func (w *watcher) afterKill(dir string, run int, killed tables.Time) {
	text, err := os.ReadFile(filepath.Join(dir, stateFolder, recorderName+".watermark"))
	if errors.Is(err, os.ErrNotExist) || len(text) == 0 { // it died before
		return
	}
	mark, err := readMark(text)
	if err != nil {
		w.t.Errorf("watermark %q: %v", text, err)
		return
	}
	have := w.rowsOf(dir)[run]
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, at := range w.handed[run] {
		if _, ok := slices.BinarySearch(have, i); ok {
			continue
		}
		if at < mark {
			w.t.Errorf("run %d: row %d, handed over at %d, is missing; the watermark is %d", run, i, at, mark)
		}
		w.lost++
		w.oldest = max(w.oldest, time.Duration(killed-at)*time.Microsecond)
	}
}

// rowsOf reads the archive: the numbers of the rows by run, ascending.
func (w *watcher) rowsOf(dir string) map[int][]int {
	a, err := Open(dir, Options{ReadOnly: true})
	if err != nil {
		w.t.Error(err)
		return nil
	}
	defer a.Close()
	defer a.Lease().Release()
	c, err := a.Catalog()
	if err != nil {
		w.t.Error(err)
		return nil
	}
	if q := c.Damage(); len(q) > 0 {
		w.t.Errorf("quarantined: %+v", q)
	}
	byRun := map[int][]int{}
	for _, f := range c.Files(Exports) {
		list, err := rows.ReadAll[tables.Export](f.File)
		if err != nil {
			w.t.Error(err)
		}
		for i := range list {
			run := int(list[i].FlowID / runIDs)
			byRun[run] = append(byRun[run], int(list[i].FlowID%runIDs))
		}
	}
	for _, list := range byRun {
		slices.Sort(list)
	}
	return byRun
}

// look holds the archive to having all that was durable when it looked, and
// nothing twice. Rows are numbered in the order they were handed over, so
// those of a run are all up to some number.
func (w *watcher) look(dir string) {
	w.mu.Lock()
	durable := map[int]int{}
	for run, n := range w.durable {
		durable[run] = n
	}
	w.mu.Unlock()
	rows := w.rowsOf(dir)
	for run, list := range rows {
		for i, n := range list {
			if i != n {
				w.t.Errorf("run %d has %d rows; at %d stands row %d", run, len(list), i, n)
				return
			}
		}
		if run%3 == 1 && len(list)%10 != 0 {
			w.t.Errorf("run %d: half an import: %d rows", run, len(list))
		}
	}
	for run, n := range durable {
		if len(rows[run]) < n {
			w.t.Errorf("run %d has %d rows of %d that are durable", run, len(rows[run]), n)
		}
	}
}

// child is a process of the test.
func child(role, dir string, run int) error {
	a, err := Open(dir, Options{NoSync: true}) // the kernel outlives the process
	if err != nil {
		return err
	}
	defer a.Close()
	switch role {
	case "record":
		return childRecords(a, run)
	case "import":
		return childImports(a, run)
	}
	return childMerges(a, run)
}

func childRecords(a *Archive, run int) error {
	r, err := NewRecorder(a, RecorderOptions{Rows: 40, Interval: testInterval})
	if err != nil {
		return err
	}
	out := bufio.NewWriter(os.Stdout)
	for n := 0; ; n++ {
		at := now()
		if n%7 == 0 {
			at -= 3 * lateHour // the lane late as well
		}
		err := r.Exports([]tables.Export{{TS: at, TSEnd: at, FlowID: tables.ID(run*runIDs + n)}})
		if err != nil {
			return err
		}
		fmt.Fprintln(out, "handed", int64(now()))
		out.Flush()
		if n%25 == 24 {
			if err := r.Flush(); err != nil {
				return err
			}
			fmt.Fprintln(out, "durable", n+1)
			out.Flush()
		}
		time.Sleep(time.Millisecond)
	}
}

// childImports writes ten rows at a time, in two files of one batch, and gives
// up some batches half-way.
func childImports(a *Archive, run int) error {
	half := func(tx *Tx, first int) error {
		rows := make([]tables.Export, 5)
		for i := range rows {
			rows[i] = tables.Export{TS: tables.Time(first), TSEnd: tables.Time(first), FlowID: tables.ID(run*runIDs + first + i)}
		}
		_, err := WriteRows(tx, "e", rows)
		return err
	}
	for n, try := 0, 0; ; try++ {
		tx, err := a.Begin("import")
		if err != nil {
			return err
		}
		if err := half(tx, n); err != nil {
			return err
		}
		if try%5 == 4 {
			if err := tx.Abort(); err != nil {
				return err
			}
			continue
		}
		if err := errors.Join(half(tx, n+5), tx.Commit()); err != nil {
			return err
		}
		n += 10
		fmt.Println("durable", n)
		time.Sleep(3 * time.Millisecond)
	}
}

// childMerges merges neighbours of any sequence, at random.
func childMerges(a *Archive, run int) error {
	r := rand.New(rand.NewPCG(uint64(run), 1))
	for {
		c, err := a.Catalog()
		if err != nil {
			return err
		}
		files := slices.Clone(c.Files(Exports))
		if len(files) == 0 {
			time.Sleep(time.Millisecond)
			continue
		}
		of := files[r.IntN(len(files))].sequence()
		files = slices.DeleteFunc(files, func(f File) bool { return f.sequence() != of })
		slices.SortFunc(files, func(x, y File) int { return int(x.First) - int(y.First) })
		from := r.IntN(len(files))
		to := min(len(files), from+2+r.IntN(12))
		for from > 0 && files[from-1].First == files[from].First { // files of one merge go together
			from--
		}
		for to < len(files) && files[to-1].First == files[to].First {
			to++
		}
		if files = files[from:to]; files[0].First == files[len(files)-1].First {
			continue
		}
		rank := 0
		var merged []tables.Export
		for _, f := range files {
			rank = max(rank, levelRank(f.Level))
			list, err := rows.ReadAll[tables.Export](f.File)
			if err != nil {
				return err
			}
			merged = append(merged, list...)
		}
		slices.SortFunc(merged, func(x, y tables.Export) int { return int(x.TS - y.TS) })
		tx, err := a.Begin("compact")
		if err != nil {
			return err
		}
		tx.Supersede(files)
		half := len(merged) / (1 + r.IntN(2)) // one file or two
		level := levels[min(rank+1, len(levels)-1):][:1]
		for _, part := range [][]tables.Export{merged[:half], merged[half:]} {
			if _, err := WriteRows(tx, level, part); err != nil {
				return err
			}
		}
		if err := tx.Commit(); err != nil {
			return err
		}
	}
}
