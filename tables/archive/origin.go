package archive

import (
	"cmp"
	"fmt"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// dayForm is the folder of a day.
const dayForm = "2006/01/02"

// program is what wrote a file.
var program = sync.OnceValue(func() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return "wiresql " + info.Main.Version
	}
	return "wiresql"
})

// origin says where the rows of a new file come from: of the files it stands
// for, or, when there are none, from outside.
func (tx *Tx) origin(family Family, o RowOptions) rows.Origin {
	out := rows.Origin{Program: program(), Writer: tx.writer, Schema: schemaVersion, First: tx.first, Last: tx.last}
	from := slices.Clone(o.from)
	if o.Of != nil && o.Of.Family == family && !o.instead {
		from = []File{*o.Of}
	}
	for _, f := range tx.superseded {
		if o.from == nil && o.Of == nil && f.Family == family && (o.Writer == "" || o.Writer == f.Writer) && (o.Lane == "" || o.Lane == f.Lane) {
			from = append(from, f)
		}
	}
	for i, f := range from {
		if i == 0 {
			out.First, out.Last = f.Origin.First, f.Origin.Last
		}
		out.First, out.Last = min(out.First, f.Origin.First), max(out.Last, f.Origin.Last)
	}
	out.Merged = ranges(from)
	return out
}

// ranges names files that are merged: level, first and last number of each run
// of a level, and how many files it has.
//
//	m 1-30 (30), m 33 (1)
func ranges(files []File) string {
	slices.SortFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(a.Writer, b.Writer), cmp.Compare(a.Lane, b.Lane), cmp.Compare(a.First, b.First))
	})
	var out []string
	for len(files) > 0 {
		f, n, last := &files[0], 1, files[0].Last
		for ; n < len(files); n++ {
			g := &files[n]
			if g.sequence() != f.sequence() || g.Level != f.Level || g.First > last+1 {
				break
			}
			last = max(last, g.Last)
		}
		numbers := fmt.Sprint(f.First)
		if last > f.First {
			numbers += fmt.Sprintf("-%d", last)
		}
		out = append(out, fmt.Sprintf("%s %s (%d)", f.Level, numbers, n))
		files = files[n:]
	}
	return strings.Join(out, ", ")
}

// arrival makes up for a footer that does not say when the rows arrived: a
// file's folder is a day, and all that is known.
func arrival(path string, o *rows.Origin) {
	if o.Last > 0 {
		return
	}
	dir := filepath.Dir(path)
	day, err := time.Parse(dayForm, filepath.ToSlash(dir[max(0, len(dir)-len(dayForm)):]))
	if err == nil {
		o.First = tables.Time(day.UnixMicro())
		o.Last = tables.Time(day.Add(24*time.Hour - time.Microsecond).UnixMicro())
	}
}
