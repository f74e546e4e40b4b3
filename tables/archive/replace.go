package archive

import (
	"fmt"
	"slices"

	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Replacement is a range of one sequence whose rows a batch writes anew: a
// connection that changed, an exporter's rows whose conversation is known now.
//
// Supersede replaces files by a merge of them, at a higher level or over a
// wider range. A replacement may keep both: then its files are the next
// revision of the range, a number behind the level's letter, of which the
// highest counts. A batch may replace many ranges of a sequence, beside files
// that get numbers of their own.
type Replacement struct {
	old []File
	at  File // what the new files have in common
}

// Replace says that the files written under the replacement stand, at this
// level, for these: all live files of the range they span.
func (tx *Tx) Replace(files []File, level string) (*Replacement, error) {
	if tx.ended {
		return nil, errEnded
	}
	if len(files) == 0 || levelRank(level) < 0 {
		return nil, fmt.Errorf("replace %d files at level %q", len(files), level)
	}
	r := &Replacement{old: slices.Clone(files), at: files[0]}
	r.at.Level, r.at.Revision = level, 0
	for i := range files {
		f := &files[i]
		if f.sequence() != r.at.sequence() {
			return nil, fmt.Errorf("files of %s-%s and %s-%s can't be replaced together", r.at.Writer, r.at.Lane, f.Writer, f.Lane)
		}
		r.at.First, r.at.Last = min(r.at.First, f.First), max(r.at.Last, f.Last)
	}
	for i := range files {
		if f := &files[i]; f.Level == level && f.First == r.at.First && f.Last == r.at.Last {
			r.at.Revision = max(r.at.Revision, f.Revision+1)
		}
	}
	tx.replaced = append(tx.replaced, r)
	return r, nil
}

// NewReplacingFile starts a file of the replacement.
func NewReplacingFile[T any](tx *Tx, r *Replacement) (*rows.Writer[T], error) {
	f, err := NewRowFileWith[T](tx, r.at.Level, RowOptions{from: r.old})
	if err != nil {
		return nil, err
	}
	r.take(tx.rows[len(tx.rows)-1])
	return f, nil
}

// KeepIn takes a live file into the replacement as it is.
func (tx *Tx) KeepIn(r *Replacement, f File) error {
	if err := tx.Keep(f, r.at.Level); err != nil {
		return err
	}
	r.take(tx.rows[len(tx.rows)-1])
	return nil
}

func (r *Replacement) take(s *stagedRows) {
	f := &s.file
	f.Writer, f.Lane, f.First, f.Last, f.Revision = r.at.Writer, r.at.Lane, r.at.First, r.at.Last, r.at.Revision
	s.replaces = r
}

// check holds a replacement to replacing exactly the files it names, and gives
// a file left without rows the times of those before.
func (r *Replacement) check(staged []*stagedRows, live []*listed) error {
	files := 0
	for _, s := range staged {
		if s.replaces != r {
			continue
		}
		files++
		if s.file.Rows == 0 {
			s.file.MinTS, s.file.MaxTS = r.at.MinTS, r.at.MaxTS
		}
	}
	if files == 0 {
		return fmt.Errorf("files of %s are replaced by none", r.at.Family)
	}
	found := 0
	for _, f := range live {
		if f.sequence() != r.at.sequence() || f.Last < r.at.First || f.First > r.at.Last {
			continue
		}
		if !r.at.supersedes(&f.File) {
			return fmt.Errorf("a file of level %s revision %d does not supersede %s", r.at.Level, r.at.Revision, f.name())
		}
		found++
	}
	if found != len(r.old) {
		return fmt.Errorf("%d files of %s are replaced, the range has %d", len(r.old), r.at.Family, found)
	}
	return nil
}
