package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// listing is what the folders showed at one time.
type listing struct {
	files   []*listed           // committed, superseded ones included; by family
	strays  map[string][]string // files of batches that are not committed, by batch
	batches map[string]bool
	odd     []Damage
	entries map[Family]map[string]*written // of the ledgers, as they were before
	found   findings
	dirs    map[string]time.Time // folders, and state/scrub, and when they changed
	racy    bool                 // one changed just now: look again
	stamps  map[Family]stamp
	logs    []*logJournal
	evicted *evictions
}

// stamp changes with what a listing shows of a family.
type stamp struct {
	reads   uint64 // of all its folders, summed
	batches uint64 // the committed ones its files are of, summed
	ledger  uint64 // changes of what the ledgers, and a scrubber, say of it
	evicted int    // how many of it were
}

// family returns the files of one.
func (l *listing) family(f Family) []*listed {
	i, _ := slices.BinarySearchFunc(l.files, f, func(x *listed, f Family) int { return cmp.Compare(familyOrder[x.Family], familyOrder[f]) })
	n := i
	for n < len(l.files) && l.files[n].Family == f {
		n++
	}
	return l.files[i:n]
}

var familyOrder = func() map[Family]int {
	m := map[Family]int{}
	for i, f := range allFamilies {
		m[f] = i
	}
	return m
}()

// folder is what a folder held when it was read. As long as its time stays, it
// holds the same.
type folder struct {
	changed, read time.Time
	serial        uint64 // of the reading
	dirs          []string
	files         []*listed         // row files, with or without a batch's id
	parts         map[string]string // files being written, path to batch
	odd           []Damage
}

// list reads the folders that changed, again while batches come and go: a
// listing must show all of a batch, and a merged file or what it was merged
// from.
func (a *Archive) list() (listing, error) {
	a.listMu.Lock()
	defer a.listMu.Unlock()
	batches := filepath.Join(a.dir, batchFolder)
	// Before the folders: what a ledger names was committed by then.
	a.ledgers.update(a.disk, filepath.Join(a.dir, stateFolder))
	scrubbed := a.changedAt(a.scrubPath())
	a.found.update(a.disk, a.scrubPath())
	for try := range 50 {
		l := listing{dirs: map[string]time.Time{}, strays: map[string][]string{}, stamps: map[Family]stamp{},
			entries: maps.Clone(a.ledgers.known), found: a.found}
		l.dirs[a.scrubPath()] = scrubbed
		before, changed, err := a.readBatches(batches)
		if err != nil {
			return l, err
		}
		l.batches, l.dirs[batches] = before, changed
		for _, family := range allFamilies {
			n := len(l.files)
			if err := a.listFolder(&l, family, filepath.Join(a.dir, string(family)), 0); err != nil {
				return l, err
			}
			s := l.stamps[family]
			for _, f := range l.files[n:] {
				if f.batch != "" {
					id, _ := strconv.ParseUint(f.batch, 16, 64)
					s.batches += id
				}
			}
			s.ledger = a.ledgers.serial[family] + a.found.serial
			l.stamps[family] = s
		}
		// Packets have no rows: only that something changed matters.
		if err := a.listFolder(&l, "", filepath.Join(a.dir, packets), 0); err != nil {
			return l, err
		}
		// What refers to a log was committed after its packets were; what seals
		// one changes the batches.
		logs := filepath.Join(a.dir, logFolder)
		l.dirs[logs] = a.changedAt(logs)
		if l.logs, err = readJournals(a.disk, logs, a.journals); err != nil {
			return l, err
		}
		a.journals = map[string]*logJournal{}
		for _, j := range l.logs {
			a.journals[j.path] = j
		}
		again, since, err := a.readBatches(batches)
		if err != nil {
			return l, err
		}
		if since.Equal(changed) && maps.Equal(before, again) {
			a.evicted = a.evicted.read(l.family(Evictions))
			l.evicted = a.evicted
			for family, s := range l.stamps {
				s.evicted = l.evicted.count(family)
				l.stamps[family] = s
			}
			now := time.Now()
			for _, t := range l.dirs {
				l.racy = l.racy || now.Sub(t) < settled
			}
			maps.DeleteFunc(a.folders, func(path string, _ *folder) bool { _, ok := l.dirs[path]; return !ok })
			return l, nil
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
	}
	return listing{}, errors.New("batches keep coming while the folders are listed")
}

// readBatches lists the committed batches, and when the folder changed before.
func (a *Archive) readBatches(dir string) (map[string]bool, time.Time, error) {
	changed := a.changedAt(dir)
	entries, err := a.disk.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, changed, err
	}
	out := map[string]bool{}
	for _, e := range entries {
		if validID(e.Name()) {
			out[e.Name()] = true
		}
	}
	return out, changed, nil
}

// changedAt is when a folder changed; zero when there is none.
func (a *Archive) changedAt(dir string) time.Time {
	st, err := a.disk.Stat(dir)
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}

// maxDepth bounds how deep folders are entered: sensor, year, month, day.
const maxDepth = 5

// listFolder adds what a folder and those below it hold, reading those that
// may have changed.
func (a *Archive) listFolder(l *listing, family Family, dir string, depth int) error {
	now := time.Now()
	// A folder that can't be looked at is not one that is not there: who tidies
	// would take a batch for done.
	changed := time.Time{}
	if st, err := a.disk.Stat(dir); err == nil {
		changed = st.ModTime()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	l.dirs[dir] = changed
	f := a.folders[dir]
	if f == nil || !f.changed.Equal(changed) || f.read.Sub(changed) < settled {
		a.readings++
		next := &folder{changed: changed, read: now, serial: a.readings}
		if err := next.fill(a.disk, family, dir, f); err != nil {
			return err
		}
		a.folders[dir], f = next, next
	}
	s := l.stamps[family]
	s.reads += f.serial * 0x9e3779b97f4a7c15 // sums of different readings differ
	l.stamps[family] = s
	l.odd = append(l.odd, f.odd...)
	for _, file := range f.files {
		if file.batch == "" || l.batches[file.batch] {
			l.files = append(l.files, file)
		} else {
			l.strays[file.batch] = append(l.strays[file.batch], file.Path)
		}
	}
	for path, batch := range f.parts {
		l.strays[batch] = append(l.strays[batch], path)
	}
	if depth == maxDepth {
		return nil
	}
	for _, sub := range f.dirs {
		if err := a.listFolder(l, family, sub, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// fill reads the folder. What was known of a file stays known.
func (f *folder) fill(d disk.Disk, family Family, dir string, was *folder) error {
	entries, err := d.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	known := map[string]*listed{}
	if was != nil {
		for _, file := range was.files {
			known[file.base] = file
		}
	}
	for _, e := range entries {
		name := e.Name()
		path := filepath.Join(dir, name)
		switch {
		case e.IsDir():
			f.dirs = append(f.dirs, path)
			continue
		case family == "" || strings.HasPrefix(name, "."):
			continue
		}
		if part, ok := strings.CutSuffix(name, ".part"); ok {
			if p := strings.Split(part, "-"); len(p) == 3 && validID(p[1]) {
				if f.parts == nil {
					f.parts = map[string]string{}
				}
				f.parts[path] = p[1]
			}
			continue
		}
		file, batch, ok := parseName(family, name)
		if !ok {
			f.odd = append(f.odd, Damage{File: path, Reason: "its name is none of this family's", From: minTime, To: tables.OpenEnd, Rows: -1, Stray: true})
			continue
		}
		base := name
		if batch != "" {
			base = strings.TrimSuffix(name, ".i"+batch)
		}
		old := known[base]
		if old != nil && old.Path == path {
			f.files = append(f.files, old)
			continue
		}
		file.Disk, file.Path = d, path
		next := &listed{File: file, batch: batch, base: base}
		if old != nil {
			next.foot = old.foot
		}
		f.files = append(f.files, next)
	}
	return nil
}

// footer is what a file's end told.
type footer struct {
	rows.File
	bad   string // why the file is skipped
	gone  bool   // it is not there
	again bool   // reading failed, and may not another time
	// found is the file of which it was found that it is damaged; another one in
	// its place may be whole.
	found fs.FileInfo
}

// failed tells whether an error is the system's and not about a file's content.
func failed(err error) bool {
	var e *fs.PathError
	return errors.As(err, &e)
}

// readFooters reads the footers that are not known, several at a time: of
// thousands of files they are most of what a start takes.
func readFooters(files []*listed) {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(files)) {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(files)); i = next.Add(1) - 1 {
				if f := files[i]; f.foot == nil || f.foot.gone || f.foot.again || f.replaced() {
					f.foot = readFooter(f)
				}
			}
		})
	}
	wait.Wait()
}

func readFooter(f *listed) *footer {
	if f.Schema > schemaVersion {
		return &footer{bad: fmt.Sprintf("schema version %d is newer than this program", f.Schema)}
	}
	foot, err := rows.Stat(f.File.File, tables.FamilyNamed(string(f.Family)))
	if errors.Is(err, fs.ErrNotExist) {
		return &footer{bad: "the file is gone", gone: true}
	}
	if err != nil {
		st, _ := f.at().Stat(f.Path)
		return &footer{bad: reasonOf(err, f.Path), again: failed(err), found: st}
	}
	if foot.Origin.Schema > schemaVersion {
		return &footer{bad: fmt.Sprintf("schema version %d is newer than this program", foot.Origin.Schema)}
	}
	arrival(f.Path, &foot.Origin)
	return &footer{File: foot}
}
