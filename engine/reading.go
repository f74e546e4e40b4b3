package engine

import (
	"slices"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// reading is a step of a run that reads row files: what EXPLAIN tells of.
type reading struct {
	relation *tables.Relation
	// why says what the rows are for, where they are not the statement's own;
	// scan is nil when rows are looked up.
	why      string
	scan     *pushdown.ScanPlan
	families []*familyReading
	// lookup says what looking rows up has read.
	lookup *rows.LookupStats
	// allLooked tells that rows are looked up in all of its files: by a step
	// of its own.
	allLooked bool
}

// familyReading is the files of a family that are read.
type familyReading struct {
	family  archive.Family
	read    []*archive.File
	files   int // of files there are
	columns []string
}

// of finds a family's share.
func (r *reading) of(family archive.Family) *familyReading {
	for _, f := range r.families {
		if f.family == family {
			return f
		}
	}
	f := &familyReading{family: family}
	r.families = append(r.families, f)
	return f
}

// count notes whether a file is read.
func (r *reading) count(f archive.File, read bool) bool {
	one := r.of(f.Family)
	one.files++
	if read {
		file := f
		one.read = append(one.read, &file)
	}
	return read
}

// leave takes back the files of which rows are looked up.
func (r *reading) leave(files []archive.File) {
	r.allLooked = true
	for _, f := range r.families {
		f.read = slices.DeleteFunc(f.read, func(one *archive.File) bool {
			return slices.ContainsFunc(files, func(f archive.File) bool { return f.Path == one.Path })
		})
		r.allLooked = r.allLooked && len(f.read) == 0
	}
}

// column notes which stored columns are read.
func (r *reading) column(family string, columns []string) {
	one := r.of(archive.Family(family))
	one.columns = append(one.columns, columns...)
}

// looked notes a lookup in some of a family's files, once it is over.
func (r *run) looked(rel *tables.Relation, why string, all, files []archive.File, stats *rows.LookupStats) *reading {
	step := &reading{relation: rel, why: why, lookup: stats}
	if len(all) == 0 {
		return step
	}
	one := &familyReading{family: all[0].Family, files: len(all)}
	for i := range files {
		if slices.Contains(stats.Paths, files[i].Path) {
			one.read = append(one.read, &files[i])
		}
	}
	step.families = []*familyReading{one}
	r.reads = append(r.reads, step)
	workOf(r.ctx).reads(step)
	return step
}

// rows is how many rows the files have.
func (r *reading) rows() (n int64) {
	for _, f := range r.families {
		for _, file := range f.read {
			n += file.Rows
		}
	}
	return n
}

// size is the bytes of the files, and of all there are.
func (r *reading) size(snap *snapshot) (read, all int64) {
	for _, f := range r.families {
		for _, file := range f.read {
			read += file.Bytes
		}
		for _, file := range snap.catalog.Files(f.family) {
			all += file.Bytes
		}
	}
	return read, all
}

// bytes is about what is read of the files: their columns that are asked for,
// or what was looked up.
func (r *reading) bytes() (n int64, err error) {
	if r.lookup != nil {
		return r.lookup.Bytes, nil
	}
	for _, f := range r.families {
		slices.Sort(f.columns)
		f.columns = slices.Compact(f.columns)
		for _, file := range f.read {
			one, err := rows.ColumnBytes(file.File, f.columns)
			if err != nil {
				return 0, err
			}
			n += one
		}
	}
	return n, nil
}

// files counts the files that several steps read, each once, and those there
// are of their families.
func files(snap *snapshot, reads []*reading) (read, all int) {
	paths, families := map[string]bool{}, map[archive.Family]bool{}
	for _, r := range reads {
		for _, f := range r.families {
			families[f.family] = true
			for _, file := range f.read {
				paths[file.Path] = true
			}
		}
	}
	for family := range families {
		all += len(snap.catalog.Files(family))
	}
	return len(paths), all
}
