package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// States of a segment.
const (
	StateAvailable = "available"
	StateMissing   = "missing"
	// StateChanged marks an in-place capture that is no longer the file that
	// was indexed.
	StateChanged = "source file changed"
)

// SegmentInfo is a packet segment and whether its packets can be read.
type SegmentInfo struct {
	tables.Segment
	AbsPath string
	State   string
}

// Number is the segment's number as packet ids hold it.
func (s *SegmentInfo) Number() uint32 { return uint32(s.Segment.Segment) }

// Quarantine names a file that is skipped, and why.
type Quarantine struct{ Path, Reason string }

// Catalog is an immutable snapshot of what the archive holds.
type Catalog struct {
	version     uint64
	files       map[Family][]File
	segments    []SegmentInfo // ascending
	missing     []uint32
	quarantined []Quarantine
}

// Version changes when the content does.
func (c *Catalog) Version() uint64 { return c.version }

// Files lists the family's live files, ordered by MinTS.
func (c *Catalog) Files(f Family) []File { return c.files[f] }

// Segments lists all packet segments, ascending.
func (c *Catalog) Segments() []SegmentInfo { return c.segments }

// Segment finds a packet segment by its number.
func (c *Catalog) Segment(n uint32) (*SegmentInfo, bool) {
	i, ok := slices.BinarySearchFunc(c.segments, n, func(s SegmentInfo, n uint32) int { return cmp.Compare(s.Number(), n) })
	if !ok {
		return nil, false
	}
	return &c.segments[i], true
}

// Missing lists the segments whose packets can't be read, ascending.
func (c *Catalog) Missing() []uint32 { return c.missing }

// Quarantined lists the files that are skipped: damaged, or not of this
// archive.
func (c *Catalog) Quarantined() []Quarantine { return c.quarantined }

// Bounds returns the time of the first and the last row of flows.
func (c *Catalog) Bounds() (first, last tables.Time, ok bool) {
	for _, f := range c.files[Flows] {
		if f.Rows == 0 {
			continue
		}
		if !ok {
			first, last, ok = f.MinTS, f.MaxTS, true
		}
		first, last = min(first, f.MinTS), max(last, f.MaxTS)
	}
	return first, last, ok
}

// listing is what the folders showed at one time.
type listing struct {
	files   []listed // committed, superseded ones included
	batches map[string]bool
	odd     []Quarantine
	dirs    map[string]time.Time // folders and when they changed
	racy    bool                 // one changed just now: look again
}

const (
	// recheck is how long a catalogue is believed without looking at every
	// folder; the folder of batches is looked at every time.
	recheck = 250 * time.Millisecond
	// settled is how old a folder's time must be for an equal time to mean
	// that nothing changed: file systems stamp by the tick.
	settled = 50 * time.Millisecond
)

// Catalog returns the current snapshot. Asking often is cheap: folders are
// listed again only when they changed.
func (a *Archive) Catalog() (*Catalog, error) {
	a.cat.Lock()
	defer a.cat.Unlock()
	if a.current != nil && !a.changed() {
		return a.current, nil
	}
	l, err := a.list()
	if err != nil {
		return nil, fmt.Errorf("archive %s: %w", a.dir, err)
	}
	c := a.load(l)
	if a.current != nil && c.equal(a.current) {
		c.version = a.current.version
	} else if a.current != nil {
		c.version = a.current.version + 1
	}
	a.current, a.listed, a.checked = c, l, time.Now()
	return c, nil
}

// forget makes the next Catalog look at everything.
func (a *Archive) forget() {
	a.cat.Lock()
	a.checked = time.Time{}
	a.listed.racy = true
	a.cat.Unlock()
}

// changed tells whether the archive may hold something else than a.current.
func (a *Archive) changed() bool {
	l := &a.listed
	if l.racy {
		return true
	}
	same := func(dir string, was time.Time) bool {
		st, err := os.Stat(dir)
		return err == nil && st.ModTime().Equal(was) || err != nil && was.IsZero()
	}
	batches := filepath.Join(a.dir, batchFolder)
	if !same(batches, l.dirs[batches]) {
		return true
	}
	if time.Since(a.checked) < recheck {
		return false
	}
	a.checked = time.Now()
	for dir, was := range l.dirs {
		if !same(dir, was) {
			return true
		}
	}
	for i := range a.current.segments {
		if s := &a.current.segments[i]; a.state(s) != s.State {
			return true
		}
	}
	return false
}

func (c *Catalog) equal(d *Catalog) bool {
	return maps.EqualFunc(c.files, d.files, slices.Equal[[]File]) && slices.Equal(c.missing, d.missing) &&
		slices.Equal(c.quarantined, d.quarantined) &&
		slices.EqualFunc(c.segments, d.segments, func(x, y SegmentInfo) bool {
			return x.Number() == y.Number() && x.State == y.State && x.AbsPath == y.AbsPath
		})
}

// list reads all folders, again while batches come and go: a listing must
// show all of a batch, and a merged file or what it was merged from.
func (a *Archive) list() (listing, error) {
	for try := range 50 {
		l := listing{dirs: map[string]time.Time{}}
		before, err := a.batches(&l)
		if err != nil {
			return l, err
		}
		l.batches = before
		for _, family := range allFamilies {
			if err := a.listFamily(&l, family); err != nil {
				return l, err
			}
		}
		if err := l.watch(filepath.Join(a.dir, packets)); err != nil {
			return l, err
		}
		after := listing{dirs: map[string]time.Time{}}
		again, err := a.batches(&after)
		if err != nil {
			return l, err
		}
		if maps.Equal(before, again) &&
			after.dirs[filepath.Join(a.dir, batchFolder)].Equal(l.dirs[filepath.Join(a.dir, batchFolder)]) {
			for _, t := range l.dirs {
				l.racy = l.racy || time.Since(t) < settled
			}
			return l, nil
		}
		time.Sleep(time.Duration(try) * time.Millisecond)
	}
	return listing{}, errors.New("batches keep coming while the folders are listed")
}

// batches lists the committed batches.
func (a *Archive) batches(l *listing) (map[string]bool, error) {
	dir := filepath.Join(a.dir, batchFolder)
	entries, err := l.read(dir)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, e := range entries {
		if validID(e.Name()) {
			out[e.Name()] = true
		}
	}
	return out, nil
}

// read lists a folder, noting its time before; a folder that does not exist
// is empty.
func (l *listing) read(dir string) ([]fs.DirEntry, error) {
	l.dirs[dir] = time.Time{}
	if st, err := os.Stat(dir); err == nil {
		l.dirs[dir] = st.ModTime()
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// maxDepth bounds how deep folders are entered: sensor, year, month, day.
const maxDepth = 5

// watch notes the folders below dir, not their files.
func (l *listing) watch(dir string) error {
	return l.walk(dir, 0, func(string, string) {})
}

func (l *listing) walk(dir string, depth int, fn func(path, name string)) error {
	entries, err := l.read(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		switch {
		case e.IsDir() && depth < maxDepth:
			if err := l.walk(path, depth+1, fn); err != nil {
				return err
			}
		case !e.IsDir():
			fn(path, e.Name())
		}
	}
	return nil
}

func (a *Archive) listFamily(l *listing, family Family) error {
	return l.walk(filepath.Join(a.dir, string(family)), 0, func(path, name string) {
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".part") {
			return
		}
		f, batch, ok := parseName(family, name)
		if !ok {
			l.odd = append(l.odd, Quarantine{path, "its name is none of this family's"})
			return
		}
		if batch == "" || l.batches[batch] {
			f.Path = path
			l.files = append(l.files, listed{f, batch})
		}
	})
}

// walkFiles calls fn for each file below dir.
func walkFiles(dir string, fn func(path, name string) error) error {
	l := listing{dirs: map[string]time.Time{}}
	var failed error
	err := l.walk(dir, 0, func(path, name string) {
		if failed == nil {
			failed = fn(path, name)
		}
	})
	return errors.Join(err, failed)
}

// footer is what a Parquet file's end told, kept as long as the file stays.
type footer struct {
	size  int64
	mtime time.Time
	rows  int64
	bad   string
	seen  bool
}

// segmentRows are the rows of one file of the family segments.
type segmentRows struct {
	rows []tables.Segment
	err  error
}

// load makes a snapshot of what was listed.
func (a *Archive) load(l listing) *Catalog {
	c := &Catalog{version: 1, files: map[Family][]File{}, quarantined: l.odd}
	good := make([]listed, 0, len(l.files))
	for path, f := range a.footers {
		f.seen = false
		a.footers[path] = f
	}
	for _, f := range l.files {
		foot := a.footer(f.Path)
		if foot.bad == "" && f.Schema > schemaVersion {
			foot.bad = fmt.Sprintf("schema version %d is newer than this program", f.Schema)
		}
		if foot.bad != "" {
			c.quarantined = append(c.quarantined, Quarantine{f.Path, foot.bad})
			continue
		}
		f.Rows, f.Bytes = foot.rows, foot.size
		good = append(good, f)
	}
	maps.DeleteFunc(a.footers, func(_ string, f footer) bool { return !f.seen })
	live, _ := split(good)
	for _, f := range live {
		c.files[f.Family] = append(c.files[f.Family], f.File)
	}
	for _, files := range c.files {
		slices.SortFunc(files, func(x, y File) int {
			return cmp.Or(cmp.Compare(x.MinTS, y.MinTS), cmp.Compare(x.MaxTS, y.MaxTS), cmp.Compare(x.Path, y.Path))
		})
	}
	a.loadSegments(c)
	for _, q := range c.quarantined {
		if !a.warned[q.Path] {
			a.warned[q.Path] = true
			a.log.Warn("file skipped", "file", q.Path, "reason", q.Reason)
		}
	}
	return c
}

// footer opens a row file unless it is known.
func (a *Archive) footer(path string) footer {
	st, err := os.Stat(path)
	if err != nil {
		return footer{bad: err.Error()}
	}
	f, ok := a.footers[path]
	if !ok || f.size != st.Size() || !f.mtime.Equal(st.ModTime()) {
		f = footer{size: st.Size(), mtime: st.ModTime()}
		file, pf, err := openParquet(path)
		if err != nil {
			f.bad = err.Error()
		} else {
			f.rows = pf.NumRows()
			file.Close()
		}
	}
	f.seen = true
	a.footers[path] = f
	return f
}

func (a *Archive) loadSegments(c *Catalog) {
	live := map[string]bool{}
	for _, f := range c.files[Segments] {
		live[f.Path] = true
		got, ok := a.segments[f.Path]
		if !ok {
			got.rows, got.err = readAll[tables.Segment](f.Path)
			a.segments[f.Path] = got
		}
		if got.err != nil {
			c.quarantined = append(c.quarantined, Quarantine{f.Path, got.err.Error()})
			continue
		}
		for _, s := range got.rows {
			info := SegmentInfo{Segment: s, AbsPath: s.Path}
			if !s.InPlace {
				if !filepath.IsLocal(s.Path) {
					c.quarantined = append(c.quarantined, Quarantine{f.Path, fmt.Sprintf("segment %d lies outside of the archive: %q", s.Segment, s.Path)})
					continue
				}
				info.AbsPath = filepath.Join(a.dir, s.Path)
			}
			info.State = a.state(&info)
			c.segments = append(c.segments, info)
		}
	}
	maps.DeleteFunc(a.segments, func(path string, _ segmentRows) bool { return !live[path] })
	slices.SortStableFunc(c.segments, func(x, y SegmentInfo) int { return cmp.Compare(x.Number(), y.Number()) })
	c.segments = slices.CompactFunc(c.segments, func(x, y SegmentInfo) bool { return x.Number() == y.Number() })
	for i := range c.segments {
		if c.segments[i].State != StateAvailable {
			c.missing = append(c.missing, c.segments[i].Number())
		}
	}
}

// readAll reads a whole row file; for small families.
func readAll[T any](path string) ([]T, error) {
	r, err := ReadRows[T](path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []T
	buf := make([]T, batchRows)
	for {
		n, err := r.Read(buf)
		out = append(out, buf[:n]...)
		if n == 0 || err != nil {
			if err == io.EOF {
				err = nil
			}
			return out, err
		}
	}
}

// state looks at a segment's file without reading it.
func (a *Archive) state(s *SegmentInfo) string {
	st, err := os.Stat(s.AbsPath)
	if err != nil || !st.Mode().IsRegular() {
		return StateMissing
	}
	if !s.InPlace {
		return StateAvailable
	}
	if st.Size() != s.Bytes || st.ModTime().UnixMicro() != int64(s.MTime) {
		return StateChanged
	}
	if v, ok := a.verified.Load(s.Number()); ok && !v.(verification).good && v.(verification).of(st) {
		return StateChanged
	}
	return StateAvailable
}
