package archive

import (
	"path/filepath"
	"slices"
	"time"
)

// Whether packets can be read is no fact of the archive: anybody may take their
// files away. A file of ours that goes or comes changes its folder, so the
// folders are looked at, not each file; captures indexed in place can change
// where they lie, and are looked at some at a time.

// maxLooks bounds how many captures in place are looked at at once.
const maxLooks = 1000

// segmentWatch is what the files of a catalogue's segments looked like.
type segmentWatch struct {
	roots   []root
	folders map[string]*watchedFolder // of our own
	inPlace []int                     // segments that are not ours, by their place in the catalogue
	next    int                       // of inPlace
	bad     []Damage                  // rows of segments that are skipped
}

// watchedFolder is a folder with segments.
type watchedFolder struct {
	away    bool      // its root is not here
	changed time.Time // zero: there is none
	read    time.Time
	within  []int // its segments, by their place in the catalogue
}

// quiet tells whether an equal time of the folder means that nothing changed.
func (f *watchedFolder) quiet() bool { return f.read.Sub(f.changed) >= settled }

// watch begins to watch a catalogue's segments, with folders and roots as they were
// looked at before its files were.
func (w *segmentWatch) watch(c *Catalog) {
	for i := range c.sealed {
		s := &c.sealed[i]
		if s.InPlace {
			w.inPlace = append(w.inPlace, i)
			continue
		}
		f := w.folders[filepath.Dir(s.AbsPath)]
		f.within = append(f.within, i)
	}
}

// segmentsChanged tells whether the state of a segment may be another than it
// is in the current catalogue.
func (a *Archive) segmentsChanged() bool {
	segments, w := a.current.sealed, &a.watched
	if !slices.Equal(a.roots(), w.roots) {
		return true
	}
	same := func(i int) bool { return a.state(&segments[i]) == segments[i].State }
	for dir, f := range w.folders {
		if f.away {
			continue
		}
		now := time.Now()
		if !a.changedAt(dir).Equal(f.changed) {
			return true
		}
		if f.quiet() {
			continue
		}
		for _, i := range f.within {
			if !same(i) {
				return true
			}
		}
		f.read = now
	}
	for range min(len(w.inPlace), maxLooks) {
		w.next = (w.next + 1) % len(w.inPlace)
		if !same(w.inPlace[w.next]) {
			return true
		}
	}
	return false
}

// look is the state of a segment of ours, from the current catalogue if its
// folder did not change since. w has those that were looked at by now.
func (a *Archive) look(s *SegmentInfo, w *segmentWatch) string {
	dir := filepath.Dir(s.AbsPath)
	f := w.folders[dir]
	if f == nil {
		f = &watchedFolder{read: time.Now(), changed: a.changedAt(dir)}
		n, _ := rootOf(s.Path)
		f.away = n > 0 && !slices.ContainsFunc(w.roots, func(r root) bool { return r.number == n && r.here })
		w.folders[dir] = f
	}
	if s.Evicted != nil {
		return StateEvicted
	}
	if was := a.watched.folders[dir]; was != nil && was.away == f.away && was.changed.Equal(f.changed) && was.quiet() && a.current != nil {
		if known, ok := a.current.Segment(s.Number()); ok && known.AbsPath == s.AbsPath {
			return known.State
		}
	}
	if f.away || f.changed.IsZero() {
		return StateMissing
	}
	if st, err := a.disk.Stat(s.AbsPath); err != nil || !st.Mode().IsRegular() {
		return StateMissing
	}
	return StateAvailable
}
