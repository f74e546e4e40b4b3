package archive

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// Damage is something that was recorded and is not there any more, or not as it
// was written: rows that answers lack.
type Damage struct {
	Family Family // "" where it has none
	// File is the file's path, relative to the archive; of files that are gone,
	// its name. "" where nothing tells it.
	File   string
	Reason string
	// Rows lie between From and To, both included; all of time where nothing
	// tells it.
	From, To tables.Time
	Rows     int64 // -1: not known
	// Level is the file's; "" where nothing tells it.
	Level string
	// Stray tells that no rows are known to be missing: a file that belongs to
	// nothing, or whose rows are in others as well.
	Stray bool

	// again: it was there when it was listed, or could not be read: looking once
	// more may help.
	again bool
}

// Times tells whether it is known when the rows are of.
func (d *Damage) Times() bool { return d.From != minTime }

// minTime stands for no bound.
const minTime = tables.Time(-1 << 63)

// reasonOf is what an error about a file says, without its path.
func reasonOf(err error, path string) string {
	var e *sums.Error
	if errors.As(err, &e) {
		return fmt.Sprintf("at byte %d: %s", e.Offset, e.Reason)
	}
	return strings.TrimPrefix(err.Error(), path+": ")
}

// damageOf is damage of a file whose name can be read.
func damageOf(f *File, where, reason string) Damage {
	if i := strings.LastIndex(where, "/"+string(f.Family)+"/"); i >= 0 {
		where = where[i+1:] // relative to the archive
	}
	d := Damage{Family: f.Family, File: where, Reason: reason, From: f.MinTS, To: f.MaxTS, Rows: -1, Level: f.Level}
	if f.MinTS == 0 && f.MaxTS == 0 {
		d.From, d.To = minTime, tables.OpenEnd // rows without times
	}
	return d
}

// sortOut divides the files of a family that were listed: those that are live,
// and what is wrong. known is what the ledgers say of it, e what was evicted.
func sortOut(family Family, files []*listed, known map[string]*written, e *evictions) (live []*listed, wrong []Damage, gone []*evicted) {
	all := slices.Clone(files)
	shown := make(map[string]bool, len(files))
	for _, f := range files {
		shown[f.base] = true
	}
	for base, e := range known {
		if !shown[base] {
			all = append(all, &e.listed)
		}
	}
	good := make([]*listed, 0, len(files))
	for _, f := range files {
		if f.foot.bad == "" && f.foot.unlike(known[f.base]) == "" || f.passing() {
			good = append(good, f)
		}
	}
	live, _, _ = e.split(good, family)
	// One that a power failure tore stands for those before it all the same: rows
	// of theirs are over, and in other files.
	live = slices.DeleteFunc(live, func(f *listed) bool { return f.passing() && f.foot.bad != "" })
	// What would be live if all were there and whole, and is not.
	should, _, gone := e.split(all, family)
	for _, f := range should {
		e, reason, where := known[f.base], "", f.Path
		switch {
		case !shown[f.base]:
			reason, where = "the file is gone", f.base
		case f.foot.bad != "":
			reason = f.foot.bad
		default:
			reason = f.foot.unlike(e)
		}
		if reason == "" || f.passing() {
			continue
		}
		d := damageOf(&f.File, where, reason)
		if e != nil {
			d.Rows = e.Rows
		}
		d.Stray = stoodFor(f, live)
		d.again = shown[f.base] && (f.foot.gone || f.foot.again)
		wrong = append(wrong, d)
	}
	slices.SortFunc(wrong, func(x, y Damage) int { return cmp.Or(cmp.Compare(x.From, y.From), cmp.Compare(x.File, y.File)) })
	for _, f := range gone {
		should = append(should, &f.listed)
	}
	should, _ = split(should)
	return live, append(wrong, gaps(should)...), gone
}

// unlike says how a file is not the one that was written; "" when it is.
func (f *footer) unlike(e *written) string {
	switch {
	case e == nil:
		return ""
	case f.Bytes != e.Bytes:
		return fmt.Sprintf("it has %d bytes, of %d that were written", f.Bytes, e.Bytes)
	case f.Footer != e.Footer:
		return "its footer is not the one that was written"
	}
	return ""
}

// stoodFor tells whether the rows of a file that can't be read are still in
// those that it was merged from.
func stoodFor(f *listed, live []*listed) bool {
	next := f.First
	for _, g := range live { // in the order of their numbers within a sequence
		if f.supersedes(&g.File) && g.First <= next {
			next = max(next, g.Last+1)
		}
	}
	return next > f.Last
}

// gaps finds the numbers that no file stands for, in files as split sorts them.
func gaps(files []*listed) (out []Damage) {
	for i := 0; i < len(files); {
		seq, next := files[i].sequence(), uint64(1)
		for ; i < len(files) && files[i].sequence() == seq; i++ {
			f := &files[i].File
			if f.First > next && f.Family.of() == "" { // decisions are numbered by what they are about
				out = append(out, Damage{Family: f.Family, Rows: -1, From: minTime, To: tables.OpenEnd,
					Reason: fmt.Sprintf("files %d to %d of %s-%s are gone", next, f.First-1, f.Writer, f.Lane)})
			}
			next = max(next, f.Last+1)
		}
	}
	return out
}

// LeaveOut takes row files out of the catalogue that an error says are damaged;
// false when it says so of none that is in it. They are told of as damage.
func (a *Archive) LeaveOut(err error) (some bool) {
	found := rows.DamageIn(err)
	if len(found) == 0 {
		return false
	}
	a.cat.Lock()
	defer a.cat.Unlock()
	a.listMu.Lock()
	defer a.listMu.Unlock()
	for _, e := range found {
		dir, name := filepath.Split(e.File)
		folder := a.folders[filepath.Clean(dir)]
		if folder == nil {
			continue
		}
		base, _, _ := strings.Cut(name, batchMark)
		for _, f := range folder.files {
			if strings.TrimSuffix(f.base, ".parquet") != strings.TrimSuffix(base, ".parquet") || f.foot == nil {
				continue
			}
			if f.foot.bad != "" {
				some = some || f.foot.found != nil // somebody else did so
				continue
			}
			st, _ := f.at().Stat(f.Path)
			foot := *f.foot
			foot.bad, foot.found = reasonOf(e, f.Path), st
			f.foot, some = &foot, true
		}
		a.readings++
		folder.serial = a.readings
	}
	a.listed.racy = true
	return some
}

// at is the disk a file lies on.
func (f *listed) at() disk.Disk {
	if f.Disk == nil {
		return disk.Real{}
	}
	return f.Disk
}

// replaced tells whether a file is another one than that which was found to be
// damaged.
func (f *listed) replaced() bool {
	if f.foot.found == nil {
		return false
	}
	st, err := f.at().Stat(f.Path)
	return err == nil && !(st.ModTime().Equal(f.foot.found.ModTime()) && st.Size() == f.foot.found.Size())
}
