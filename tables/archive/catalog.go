package archive

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// States of a segment.
const (
	StateAvailable = tables.SegmentAvailable
	StateMissing   = tables.SegmentMissing
	StateFailing   = tables.RootFailing // of a root
	StateLeaving   = tables.RootLeaving
	StateEvicted   = tables.SegmentEvicted
	// StateChanged marks an in-place capture that is no longer the file that
	// was indexed.
	StateChanged = tables.SegmentChanged
)

// SegmentInfo is a packet segment and whether its packets can be read.
type SegmentInfo struct {
	tables.Segment
	AbsPath string
	State   string
	// Open: it is of a log, and grows. Packets and Bytes are what is durable.
	Open bool
	// Evicted is when and why, of one that was; else nil.
	Evicted *tables.Eviction

	rows rows.File // its row is in
}

// Number is the segment's number as packet ids hold it.
func (s *SegmentInfo) Number() uint32 { return uint32(s.Segment.Segment) }

// Arrived is when its batch began.
func (s *SegmentInfo) Arrived() tables.Time { return s.rows.Origin.First }

// Catalog is an immutable snapshot of what the archive holds.
type Catalog struct {
	version   uint64
	files     map[Family][]File
	decisions map[string]File // by the range they are about
	segments  []SegmentInfo   // ascending
	sealed    []SegmentInfo   // those that have a row
	logged    map[uint32]bool // segments of logs that are not done with them
	missing   []uint32
	wrong     map[Family][]Damage
	evicted   map[Family][]Evicted
	damage    []Damage
	// again: a file that was listed was not there when it was opened, or could
	// not be read; see lookAgain.
	again bool
}

// Version changes when the content does.
func (c *Catalog) Version() uint64 { return c.version }

// Files lists the family's live files, ordered by MinTS.
func (c *Catalog) Files(f Family) []File { return c.files[f] }

// Rows counts the row files of all families that count, and their bytes.
func (c *Catalog) Rows() (files int, bytes int64) {
	for _, list := range c.files {
		files += len(list)
		for _, f := range list {
			bytes += f.Bytes
		}
	}
	return files, bytes
}

// Decisions returns the file of decisions about rows of a file; see NewDecisions.
func (c *Catalog) Decisions(about File) (File, bool) {
	if len(c.decisions) == 0 {
		return File{}, false
	}
	f, ok := c.decisions[about.Range()]
	return f, ok
}

// Segments lists all packet segments, ascending.
func (c *Catalog) Segments() []SegmentInfo { return c.segments }

// Segment finds a packet segment by its number.
func (c *Catalog) Segment(n uint32) (*SegmentInfo, bool) {
	i, ok := slices.BinarySearchFunc(c.segments, n, bySegmentNumber)
	if !ok {
		return nil, false
	}
	return &c.segments[i], true
}

// Missing lists the segments whose packets can't be read, ascending.
func (c *Catalog) Missing() []uint32 { return c.missing }

// Damage lists what of the archive is gone or can't be read, as far as the
// names and ends of files tell.
func (c *Catalog) Damage() []Damage { return c.damage }

// Evicted lists the row files of a family that were evicted, oldest rows first.
func (c *Catalog) Evicted(f Family) []Evicted { return c.evicted[f] }

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

const (
	// recheck is how long a catalogue is believed without looking at every
	// folder; the folder of batches is looked at every time.
	recheck = 250 * time.Millisecond
	// settled is how old a folder's time must be for an equal time to mean
	// that nothing changed: file systems stamp by the tick.
	settled = 50 * time.Millisecond
	// lookAgain is when what could not be read is tried once more, though
	// nothing changed: the process may have had too many files open.
	lookAgain = 10 * time.Second
)

// Catalog returns the current snapshot. Asking often is cheap: folders are
// listed again only when they changed.
func (a *Archive) Catalog() (*Catalog, error) {
	a.cat.Lock()
	defer a.cat.Unlock()
	if a.current != nil && !a.changed() {
		return a.current, nil
	}
	var l listing
	var c *Catalog
	for range 5 {
		var err error
		if l, err = a.list(); err != nil {
			return nil, fmt.Errorf("archive %s: %w", a.dir, err)
		}
		if c = a.load(l); !c.again {
			break
		}
	}
	if a.current != nil && c.equal(a.current) {
		c.version = a.current.version
	} else if a.current != nil {
		c.version = a.current.version + 1
	}
	a.current, a.listed, a.loaded = c, l, time.Now()
	a.checked = a.loaded
	return c, nil
}

// Refresh makes the next Catalog look at every folder: for whoever finds that a
// file it lists is gone.
func (a *Archive) Refresh() { a.forget() }

// forget makes the next Catalog look at everything again.
func (a *Archive) forget() {
	a.listMu.Lock()
	for _, f := range a.folders {
		f.read = time.Time{} // what is known of the files in it stays known
	}
	a.listMu.Unlock()
	a.cat.Lock()
	a.checked = time.Time{}
	a.listed = listing{racy: true}
	a.watched = segmentWatch{}
	a.cat.Unlock()
}

// changed tells whether the archive may hold something else than a.current.
func (a *Archive) changed() bool {
	l := &a.listed
	if l.racy {
		return true
	}
	same := func(dir string, was time.Time) bool {
		st, err := a.disk.Stat(dir)
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
	if a.current.again && a.checked.Sub(a.loaded) > lookAgain {
		return true
	}
	for dir, was := range l.dirs {
		if !same(dir, was) {
			return true
		}
	}
	return a.segmentsChanged()
}

// sameFiles compares what can differ in files of one path.
func sameFiles(x, y []File) bool {
	if len(x) > 0 && len(x) == len(y) && &x[0] == &y[0] {
		return true
	}
	return slices.EqualFunc(x, y, func(f, g File) bool { return f.Path == g.Path && f.Rows == g.Rows && f.Bytes == g.Bytes })
}

func (c *Catalog) equal(d *Catalog) bool {
	return maps.EqualFunc(c.files, d.files, sameFiles) && slices.Equal(c.missing, d.missing) &&
		slices.Equal(c.damage, d.damage) &&
		slices.EqualFunc(c.segments, d.segments, func(x, y SegmentInfo) bool {
			return x.Number() == y.Number() && x.State == y.State && x.AbsPath == y.AbsPath && x.Bytes == y.Bytes
		})
}

// segmentRows are the rows of one file of the family segments.
type segmentRows struct {
	rows []tables.Segment
	err  error
}

// load makes a snapshot of what was listed. What did not change since the last
// one is taken from there.
func (a *Archive) load(l listing) *Catalog {
	c := &Catalog{version: 1, files: map[Family][]File{}, wrong: map[Family][]Damage{}, evicted: map[Family][]Evicted{},
		damage: slices.Concat(l.odd, l.evicted.bad)}
	for _, family := range allFamilies {
		same := func(f Family) bool { return a.current != nil && !a.current.again && a.listed.stamps[f] == l.stamps[f] }
		files, known := l.family(family), l.entries[family]
		of := family.of()
		if of != "" {
			files, known = decided(files, known, c.files[of])
		}
		if same(family) && (of == "" || same(of)) {
			c.files[family], c.wrong[family], c.evicted[family] = a.current.files[family], a.current.wrong[family], a.current.evicted[family]
		} else {
			readFooters(files)
			a.leaveOut(files, l.found.of)
			c.files[family], c.wrong[family], c.evicted[family] = loadFamily(family, files, known, l.evicted)
			for _, d := range c.wrong[family] {
				c.again = c.again || d.again
			}
		}
		c.damage = append(c.damage, c.wrong[family]...)
	}
	c.damage = append(c.damage, a.foundElsewhere(l.found.list)...)
	c.decisions = map[string]File{}
	for family, files := range c.files {
		for _, f := range files {
			if family.of() != "" {
				c.decisions[f.Range()] = f
			}
		}
	}
	if a.current != nil && !a.current.again && a.listed.stamps[Segments] == l.stamps[Segments] && !a.segmentsChanged() {
		c.sealed = a.current.sealed
		c.damage = append(c.damage, a.watched.bad...)
	} else {
		a.loadSegments(c, l.evicted)
	}
	c.addLogs(a, l.logs)
	for _, d := range c.damage {
		if what := d.File + ": " + d.Reason; !a.warned[what] {
			a.warned[what] = true
			a.log.Warn("damage", "family", d.Family, "file", d.File, "reason", d.Reason)
		}
	}
	return c
}

// loadFamily returns the live files of a family, what is wrong with it, and what
// was evicted.
func loadFamily(family Family, files []*listed, known map[string]*written, e *evictions) (out []File, wrong []Damage, gone []Evicted) {
	live, wrong, evicted := sortOut(family, files, known, e)
	for _, g := range evicted {
		gone = append(gone, Evicted{*g.row, g.Level})
	}
	slices.SortFunc(gone, func(x, y Evicted) int { return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.File, y.File)) })
	out = make([]File, 0, len(live))
	for _, f := range live {
		file := f.File // a ledger may be begun at the same time, from what is listed
		file.File = f.foot.File
		file.Path, file.MinTS, file.MaxTS = f.Path, f.MinTS, f.MaxTS
		out = append(out, file)
	}
	slices.SortFunc(out, func(x, y File) int {
		if x.MinTS != y.MinTS {
			return cmp.Compare(x.MinTS, y.MinTS)
		}
		return cmp.Or(cmp.Compare(x.MaxTS, y.MaxTS), cmp.Compare(x.Path, y.Path))
	})
	return out, wrong, gone
}

// loadSegments reads the rows of segments, and looks at their files.
func (a *Archive) loadSegments(c *Catalog, e *evictions) {
	before := len(c.damage)
	w := segmentWatch{folders: map[string]*watchedFolder{}, roots: a.roots()}
	live := map[string]bool{}
	for _, f := range c.files[Segments] {
		live[f.Path] = true
		got, ok := a.segments[f.Path]
		if !ok {
			got.rows, got.err = readSegments(f.File, segmentColumns...)
			if c.again = c.again || failed(got.err); got.err == nil {
				a.segments[f.Path] = got
			}
		}
		if got.err != nil {
			d := damageOf(&f, f.Path, reasonOf(got.err, f.Path))
			d.Rows = f.Rows
			c.damage = append(c.damage, d)
			continue
		}
		for _, s := range got.rows {
			info := SegmentInfo{Segment: s, AbsPath: s.Path, Evicted: e.segments[uint32(s.Segment)], rows: f.File}
			if !s.InPlace {
				if !filepath.IsLocal(s.Path) {
					c.damage = append(c.damage, damageOf(&f, f.Path, fmt.Sprintf("segment %d lies outside of the archive: %q", s.Segment, s.Path)))
					continue
				}
				info.AbsPath = a.at(s.Path)
			}
			if s.InPlace {
				info.State = a.state(&info)
			} else {
				info.State = a.look(&info, &w)
			}
			c.sealed = append(c.sealed, info)
		}
	}
	maps.DeleteFunc(a.segments, func(path string, _ segmentRows) bool { return !live[path] })
	// A capture in place that was moved has a row for each place, as a segment has
	// that went to another root.
	elsewhere := func(s *SegmentInfo) (rank int) {
		if s.State != StateAvailable {
			rank = 2
		}
		if n := s.Root(); n > 0 && !slices.ContainsFunc(w.roots, func(r root) bool { return r.number == n && !r.leaving }) {
			rank++
		}
		return rank
	}
	slices.SortStableFunc(c.sealed, func(x, y SegmentInfo) int {
		return cmp.Or(cmp.Compare(x.Number(), y.Number()), cmp.Compare(elsewhere(&x), elsewhere(&y)), cmp.Compare(y.rows.Origin.Last, x.rows.Origin.Last))
	})
	c.sealed = slices.CompactFunc(c.sealed, func(x, y SegmentInfo) bool { return x.Number() == y.Number() })
	c.damage = append(c.damage, missingRoots(w.roots)...)
	w.bad = slices.Clone(c.damage[before:])
	w.watch(c)
	a.watched = w
}

// addLogs adds the segments that have no row yet.
func (c *Catalog) addLogs(a *Archive, logs []*logJournal) {
	c.segments, c.logged = slices.Clip(c.sealed), map[uint32]bool{}
	for _, j := range logs {
		c.logged[j.Segment] = true
		if _, sealed := slices.BinarySearchFunc(c.sealed, j.Segment, bySegmentNumber); !sealed && j.last.packets > 0 {
			s := j.info(a)
			s.State = a.state(&s)
			c.segments = append(c.segments, s)
		}
	}
	if len(c.segments) > len(c.sealed) { // else it is the same list
		slices.SortFunc(c.segments, func(x, y SegmentInfo) int { return cmp.Compare(x.Number(), y.Number()) })
	}
	for i := range c.segments {
		if c.segments[i].State != StateAvailable {
			c.missing = append(c.missing, c.segments[i].Number())
		}
	}
}

func bySegmentNumber(s SegmentInfo, n uint32) int { return cmp.Compare(s.Number(), n) }

// state looks at a segment's file without reading it.
func (a *Archive) state(s *SegmentInfo) string {
	if s.Evicted != nil {
		return StateEvicted
	}
	st, err := a.disk.Stat(s.AbsPath)
	if err != nil || !st.Mode().IsRegular() || !s.InPlace && a.away(s.Path) {
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
