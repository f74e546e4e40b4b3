package archive

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// What a file had whose bytes are not what they were may be had again, from packets
// or other rows. The new file takes the old one's place in its sequence, at its
// level, as the next revision of the range: a commit like any other, and a crash
// leaves the one or the other.

// Lost is the file of rows that the damage is of; false where it is of no row file,
// or nothing is missing by it.
func (d *Damage) Lost() (f File, ok bool) {
	base := filepath.Base(d.File)
	if name, _, found := strings.Cut(base, batchMark); found {
		base = name + ".parquet"
	}
	if d.Stray || d.File == "" {
		return f, false
	}
	f, _, ok = parseName(d.Family, base)
	f.Rows = d.Rows
	return f, ok
}

// LostRange is a range of a sequence of which files are lost, and a batch that puts
// rows in their place.
type LostRange struct {
	Files []File
	Want  int64 // rows they had; -1: not known
	Rows  int64 // that were found
	Err   error // why they can't be put in place
	// Sums are rows that add up: as good as those that were may be fewer, or none.
	Sums bool

	tx *Tx
}

// LostRanges sorts lost files, those first that end first: a row that several may
// have had is the first one's that lacks one.
func LostRanges(lost []File) (list []*LostRange) {
	for _, f := range lost {
		i := slices.IndexFunc(list, func(l *LostRange) bool { return l.Files[0].Range() == f.Range() })
		if i < 0 {
			i, list = len(list), append(list, &LostRange{})
		}
		l := list[i]
		l.Files = append(l.Files, f)
		if l.Want += f.Rows; f.Rows < 0 || l.Want < f.Rows {
			l.Want = -1
		}
	}
	slices.SortStableFunc(list, func(x, y *LostRange) int { return cmp.Compare(x.end(), y.end()) })
	return list
}

func (l *LostRange) end() (last tables.Time) {
	for _, f := range l.Files {
		last = max(last, f.MaxTS)
	}
	return last
}

// Meets tells whether rows between two times may be of the range.
func (l *LostRange) Meets(from, to tables.Time) bool {
	return slices.ContainsFunc(l.Files, func(f File) bool { return f.MinTS <= to && f.MaxTS >= from })
}

// Has tells whether a file is one of those that are lost.
func (l *LostRange) Has(f *File) bool {
	return slices.ContainsFunc(l.Files, func(g File) bool { return g.name() == f.name() })
}

// LostAt is the range that a row of a time is of; nil when of none.
func LostAt(list []*LostRange, at tables.Time) (full *LostRange) {
	for _, l := range list {
		if l.Meets(at, at) {
			if full = l; l.Want < 0 || l.Rows < l.Want {
				return l
			}
		}
	}
	return full
}

// Begin begins the batch: what else the range has is kept. The files with the rows
// are made by the options it returns, at the files' level. Their rows arrived as those
// of the files from did.
func (l *LostRange) Begin(a *Archive, c *Catalog, from []File) (tx *Tx, o RowOptions, err error) {
	if l.tx, err = a.Begin(tables.Compactor); err != nil {
		return nil, o, err
	}
	of := l.Files[0]
	for _, f := range c.Files(of.Family) {
		if f.Range() == of.Range() && f.Revision == of.Revision && !l.Has(&f) {
			if err := l.tx.keep(f, f.Level, RowOptions{Of: &f, instead: true, from: []File{f}}); err != nil {
				return nil, o, err
			}
		}
	}
	l.tx.lost = l.Files
	return l.tx, RowOptions{Of: &of, instead: true, from: from}, nil
}

// Finish commits what was found, if it is as many rows as were lost, or as many less
// at most as given.
func (l *LostRange) Finish(less int64) {
	switch {
	case l.Err != nil:
	case l.tx == nil || l.Rows == 0 && !l.Sums:
		l.Err = errors.New("what its rows were made of is not there")
	case l.Want >= 0 && !l.Sums && (l.Rows > l.Want || l.Rows < l.Want-less):
		l.Err = fmt.Errorf("what is there of that gives %d rows, of %d", l.Rows, l.Want)
	default:
		l.Err = l.tx.Commit()
	}
}

// Abort gives up a batch that was not committed.
func (l *LostRange) Abort() {
	if l.tx != nil {
		_ = l.tx.Abort() // whoever tidies removes the rest
	}
}

// inPlaceOf holds a batch that puts rows in place of lost ones to that nothing else
// of their range goes.
func (tx *Tx) inPlaceOf(live []*listed) error {
	gone, kept := map[string]bool{}, map[string]bool{}
	for i := range tx.lost {
		gone[tx.lost[i].name()] = true
	}
	for _, s := range tx.rows {
		if s.instead {
			kept[s.of.name()] = true
		}
	}
	for i := range tx.lost {
		of := &tx.lost[i]
		for _, f := range live {
			if f.sequence() != of.sequence() || f.Last < of.First || f.First > of.Last {
				continue
			}
			if name := f.name(); f.Range() != of.Range() || f.Revision != of.Revision || !gone[name] && !kept[name] {
				return fmt.Errorf("%s is not live any more", of.name())
			}
		}
	}
	return nil
}
