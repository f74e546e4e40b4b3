package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// microNames is how long micro files keep the name that bears their batch's id:
// until then they are merged, and a lasting name would be work for nothing.
const microNames = 5 * time.Minute

// maxIntent bounds what is read of a batch's file: a line a segment.
const maxIntent = 256 << 20

// tidy removes what dead batches left, and brings the names of committed ones
// to their lasting form. Any process may do so; while one does, the others
// leave it to it.
//
// First each live file gets its name without the batch's id, beside the other
// one. The old names, and the files that are superseded, go when no statement
// runs that may read them (see Lease); then the batch's file goes too. A reader
// that lists in between sees each file under one name or two, and looks at the
// batches before and after. Failing here loses nothing: the next one tries
// again.
func (a *Archive) tidy() error {
	if err := a.mkdir(filepath.Join(a.dir, batchFolder)); err != nil {
		return err
	}
	lock, err := a.tryLock(tidyLock)
	if errors.Is(err, ErrLocked) {
		return nil
	} else if err != nil {
		return err
	}
	defer lock.Close()
	l, err := a.list()
	if err != nil {
		return err
	}
	if err := a.sweep(&l); err != nil {
		return err
	}
	return a.shelve(&l)
}

// tidied logs why tidying up failed; the work at hand is done all the same.
func (a *Archive) tidied(err error) {
	if err != nil {
		a.log.Warn("tidy", "error", err)
	}
}

// sweep removes what batches left that never committed and whose process is
// gone.
func (a *Archive) sweep(l *listing) error {
	entries, err := a.disk.ReadDir(filepath.Join(a.dir, batchFolder))
	if err != nil {
		return err
	}
	dead := map[string]string{}
	for _, e := range entries {
		id, ok := strings.CutSuffix(e.Name(), openMark)
		if !ok || !validID(id) {
			continue
		}
		path := filepath.Join(a.dir, batchFolder, e.Name())
		if f := a.lockDead(path); f != nil {
			defer f.Close()
			dead[id] = path
		}
	}
	removed := 0
	for id, paths := range l.strays {
		// A batch has one of its two files for as long as it has others. A
		// power failure may take the first and leave the others.
		if dead[id] == "" && (a.exists(a.batchFile(id)+openMark) || a.exists(a.batchFile(id))) {
			continue
		}
		for _, path := range paths {
			if err := a.remove(path); err != nil {
				return err
			}
			removed++
		}
	}
	for _, path := range dead {
		if err := a.removeSegments(path); errors.Is(err, ErrAway) {
			continue // the list stays until its disk is back
		} else if err != nil {
			return err
		}
		if err := a.remove(path); err != nil {
			return err
		}
	}
	if len(dead)+removed > 0 {
		a.log.Info("removed what interrupted batches left", "batches", len(dead), "row_files", removed)
	}
	return nil
}

func (a *Archive) batchFile(id string) string { return filepath.Join(a.dir, batchFolder, id) }

func (a *Archive) exists(path string) bool {
	_, err := a.disk.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// removeSegments removes the packet files an open batch lists, durably: without
// the list nobody would find them.
func (a *Archive) removeSegments(intent string) error {
	b, err := disk.ReadFile(a.disk, intent, maxIntent)
	if err != nil {
		return err
	}
	dirs := map[string]bool{}
	lines := strings.Split(string(b), "\n")
	for _, line := range lines[:len(lines)-1] { // behind the last newline is a torn line: its file was not made
		if _, below := rootOf(line); !filepath.IsLocal(line) || !strings.HasPrefix(below, packets+"/") {
			continue
		}
		if a.away(line) {
			return fmt.Errorf("%s: %w", line, ErrAway)
		}
		for _, name := range []string{line, line + disk.Part} {
			path := a.at(name)
			if err := a.disk.Remove(path); err == nil {
				dirs[filepath.Dir(path)] = true
			} else if !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return a.syncDirs(dirs)
}

// shelve gives the files of committed batches their lasting names and removes
// what is superseded.
func (a *Archive) shelve(l *listing) error {
	live, dead, _ := l.evicted.split(l.files, allFamilies...)
	live, dead = folded(live, dead)
	const (
		alive = iota
		superseded
		removed
	)
	state := map[string]int{} // by lasting name
	for _, f := range dead {
		state[f.base] = superseded
	}
	if len(l.batches) > 0 {
		// Their writers may not have got to it, and what they replace goes.
		if err := a.syncBatches(); err != nil {
			return err
		}
	}
	now := time.Now()
	stuck := map[string]bool{} // batches that keep their file
	dirs := map[string]bool{}
	for _, f := range l.files {
		if f.batch == "" || state[f.base] == superseded {
			continue
		}
		if f.Level == "s" {
			stuck[f.batch] = true
			continue
		}
		if f.Level == "m" {
			if st, err := a.disk.Stat(f.Path); err == nil && now.Sub(st.ModTime()) < microNames {
				stuck[f.batch] = true
				continue
			}
		}
		plain := strings.TrimSuffix(f.Path, ".i"+f.batch)
		if err := a.disk.Link(f.Path, plain); err == nil || errors.Is(err, fs.ErrExist) {
			dirs[filepath.Dir(plain)] = true // also one of a process that did not get to it
		} else {
			a.log.Debug("tidy", "error", err)
			stuck[f.batch] = true
		}
	}
	if err := a.syncDirs(dirs); err != nil {
		return err
	}

	oldest, alone := a.reading()
	if alone != nil {
		defer alone.Close()
	}
	heirs := map[string]heir{}
	for _, f := range dead {
		since, ok := a.deadSince(&f.File, live, heirs)
		if at, gone := l.evicted.since(&f.File, f.base); gone {
			since = max(since, at)
		}
		if !ok || !unread(since, oldest) {
			continue
		}
		state[f.base] = removed
		if f.batch == "" {
			a.discard(f.Path)
		} else { // the other name, in case a reader saw only this one
			a.discard(strings.TrimSuffix(f.Path, ".i"+f.batch))
		}
	}
	for _, f := range l.files {
		if f.batch == "" || stuck[f.batch] && state[f.base] != removed {
			continue
		}
		// The other name it has since it was changed last.
		if st, err := a.disk.Stat(f.Path); state[f.base] == superseded || state[f.base] == alive && (err != nil || !unread(changed(st), oldest)) {
			stuck[f.batch] = true
			continue
		}
		a.discard(f.Path)
	}
	a.removeEvicted(l.evicted, oldest)
	// A name with the id that comes back after a power failure, and finds no
	// batch's file any more, is swept.
	for id := range l.batches {
		if !stuck[id] {
			a.discard(a.batchFile(id))
		}
	}
	return nil
}

// heir is a file that supersedes others.
type heir struct {
	since tables.Time // it has its lasting name at the latest
	whole bool
}

// deadSince is when the last file came that supersedes f; false unless all that
// do can be read: else f may be all there is of some rows.
func (a *Archive) deadSince(f *File, live []*listed, heirs map[string]heir) (since tables.Time, ok bool) {
	about := *f // decisions go when the file does that they are about
	about.Family = cmp.Or(f.Family.of(), f.Family)
	since = minTime
	for _, g := range live {
		if !g.supersedes(f) && !g.supersedes(&about) {
			continue
		}
		h, known := heirs[g.Path]
		if !known {
			st, err := a.disk.Stat(g.Path)
			if err == nil {
				h.since = changed(st)
				_, err = rows.Stat(g.File.File, tables.FamilyNamed(string(g.Family)))
			}
			h.whole = err == nil
			heirs[g.Path] = h
		}
		if !h.whole {
			return 0, false
		}
		since = max(since, h.since)
	}
	return since, true
}

// changed is when anything of a file changed last.
func changed(st fs.FileInfo) tables.Time { return tables.Time(disk.Changed(st).UnixMicro()) }

// discard removes a name that is not needed any more.
func (a *Archive) discard(path string) {
	if err := a.remove(path); err != nil {
		a.tidied(err)
	}
}
