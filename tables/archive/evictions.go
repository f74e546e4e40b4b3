package archive

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// What is evicted is written down first, as rows of the family evictions: once
// their batch is durable, the files count no longer, whether they are still there
// or not. Whoever tidies up removes them when nobody reads them any more, as he
// does files that others stand for; so a crash leaves nothing to be mended. As
// the record names them, nobody misses them.

// evictions are all of an archive's, as of a listing. They are never changed, but
// replaced.
type evictions struct {
	// of are the files of the family evictions they were read from, by lasting
	// name.
	of       map[string][]tables.Eviction
	files    map[Family]map[string]*evicted // by lasting name
	segments map[uint32]*tables.Eviction
	bad      []Damage // of these files
}

// evicted is a row file that was.
type evicted struct {
	listed
	row *tables.Eviction
}

// Evicted is a row file whose rows answers lack since it was evicted.
type Evicted struct {
	tables.Eviction
	Level string
}

// read reads the files of the family that are not known yet.
func (e *evictions) read(files []*listed) *evictions {
	next := &evictions{of: map[string][]tables.Eviction{}, files: map[Family]map[string]*evicted{}, segments: map[uint32]*tables.Eviction{}}
	changed := len(e.bad) > 0
	for _, f := range files {
		list, known := e.of[f.base]
		if !known {
			var err error
			list, err = rows.ReadAll[tables.Eviction](f.File.File)
			if errors.Is(err, fs.ErrNotExist) {
				continue // another one has its rows
			}
			changed = true
			if err != nil {
				next.bad = append(next.bad, damageOf(&f.File, f.Path, reasonOf(err, f.Path)))
				continue
			}
		}
		next.of[f.base] = list
	}
	if !changed && len(next.of) == len(e.of) {
		return e
	}
	for _, name := range slices.Sorted(maps.Keys(next.of)) {
		list := next.of[name]
		for i := range list {
			next.add(&list[i])
		}
	}
	return next
}

func (e *evictions) add(row *tables.Eviction) {
	if row.Segment.Set {
		e.segments[uint32(row.Segment.V)] = row
		return
	}
	family := Family(row.Family)
	file, _, ok := parseName(family, row.File)
	if !ok {
		return
	}
	if e.files[family] == nil {
		e.files[family] = map[string]*evicted{}
	}
	e.files[family][row.File] = &evicted{listed{File: file, base: row.File}, row}
}

// count counts what of a family was evicted.
func (e *evictions) count(family Family) int {
	if family == Segments {
		return len(e.segments)
	}
	return len(e.files[family])
}

// split sorts the files of families into those that are live and those that are
// not: another one supersedes them, or they were evicted. Of those evicted it
// says which nothing else stands for.
func (e *evictions) split(files []*listed, families ...Family) (live, dead []*listed, gone []*evicted) {
	all := slices.Clone(files)
	for _, family := range families {
		for _, f := range e.files[family] {
			all = append(all, &f.listed)
		}
	}
	if len(all) == len(files) {
		live, dead = split(files)
		return live, dead, nil
	}
	standing, fallen := split(all)
	for _, f := range standing {
		if g := e.files[f.Family][f.base]; g != nil {
			gone = append(gone, g)
		} else {
			live = append(live, f)
		}
	}
	down := make(map[*listed]bool, len(fallen))
	for _, f := range fallen {
		down[f] = true
	}
	for _, f := range files {
		if down[f] || e.files[f.Family][f.base] != nil {
			dead = append(dead, f)
		}
	}
	return live, dead, gone
}

// since is when the file that f is, stood for, or is about was evicted; false if
// none was.
func (e *evictions) since(f *File, base string) (at tables.Time, ok bool) {
	if g := e.files[f.Family][base]; g != nil {
		return g.row.EvictedAt, true
	}
	about := *f
	about.Family = cmp.Or(f.Family.of(), f.Family)
	for _, g := range e.files[about.Family] {
		if g.supersedes(&about) || f.Family != about.Family && g.Range() == f.Range() {
			at, ok = max(at, g.row.EvictedAt), true
		}
	}
	return at, ok
}

// removeEvicted removes the files of segments that were evicted before the oldest
// statement began, and returns how many bytes are left to be.
func (a *Archive) removeEvicted(e *evictions, oldest tables.Time) (left int64) {
	for number, row := range e.segments {
		if _, done := a.cleared.Load(number); done {
			continue
		}
		if !filepath.IsLocal(row.File) {
			continue
		}
		if n, _ := rootOf(row.File); a.isRetired(n) {
			a.cleared.Store(number, true)
			continue
		}
		if a.away(row.File) {
			continue // it goes when its disk is back
		}
		path := a.at(row.File)
		if !a.exists(path) {
			a.cleared.Store(number, true)
			continue
		}
		if !unread(row.EvictedAt, oldest) {
			left += row.Bytes
			continue
		}
		if err := a.remove(path); err != nil {
			a.tidied(fmt.Errorf("evicted segment %d: %w", number, err))
			left += row.Bytes
		}
	}
	return left
}
