package archive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// RowOptions say more of a row file than its level.
type RowOptions struct {
	// Writer and Lane name the sequence the file belongs to: for one that
	// replaces files, when files of several sequences are replaced in the
	// batch. By default that is the only one replaced, or else the batch's own
	// writer and the lane main.
	Writer, Lane string
	// Of is a live file that the new one stands for, at a higher level: all live
	// files of a range must be stood for at once.
	Of *File
	// instead: it stands for rows that files of Of's range had, at its level; see
	// LostRange.
	instead bool
	// from are the files it stands for, by default those superseded.
	from []File
}

// NewRowFile starts a file of T's family; level is one letter, see levels. It
// becomes visible when the transaction commits, its path and sequence numbers
// are final then.
func NewRowFile[T any](tx *Tx, level string) (*rows.Writer[T], error) {
	return NewRowFileWith[T](tx, level, RowOptions{})
}

// NewRowFiles makes the files of a rows.Sorter.
func NewRowFiles[T any](tx *Tx, level string) func() (*rows.Writer[T], error) {
	return func() (*rows.Writer[T], error) { return NewRowFile[T](tx, level) }
}

// NewRowFileWith is NewRowFile with options.
func NewRowFileWith[T any](tx *Tx, level string, o RowOptions) (*rows.Writer[T], error) {
	for _, label := range []string{o.Writer, o.Lane} {
		if label != "" && !validLabel(label) {
			return nil, fmt.Errorf("%q: only a-z, 0-9 and _ may stand in a name", label)
		}
	}
	s, err := stageOf[T](tx, level, o)
	if err != nil {
		return nil, err
	}
	return rows.NewWriter[T](s, s.options())
}

// stageOf makes the file of T's family.
func stageOf[T any](tx *Tx, level string, o RowOptions) (*stagedRows, error) {
	t := reflect.TypeFor[T]()
	f := tables.FamilyOf(t)
	if f == nil {
		return nil, fmt.Errorf("%s is no row of the archive", t)
	}
	return tx.stage(Family(f.Name), level, o)
}

// options say how the file is written.
func (s *stagedRows) options() rows.Options {
	// What is carried is read and replaced within a minute, as micro files are.
	return rows.Options{Cheap: cheap(&s.file), Origin: s.file.Origin}
}

// cheap tells how a file is written.
func cheap(f *File) bool { return f.Level == "m" || f.Level == "s" || f.Family == Carried }

// Write implements rows.Target.
func (s *stagedRows) Write(b []byte) (int, error) { return s.out.Write(b) }

// Finish implements rows.Target: it makes the file durable, unless writing it
// failed, and closes it.
func (s *stagedRows) Finish(f rows.File, err error) error {
	if err == nil && !s.file.passing() {
		err = s.out.Sync()
	}
	err = errors.Join(err, s.out.Close())
	s.holds(f)
	if s.whole = err == nil; !s.whole {
		return fmt.Errorf("write %s: %w", s.path, err)
	}
	return nil
}

// holds notes what is in the file.
func (s *stagedRows) holds(f rows.File) {
	f.Disk, f.Path = s.tx.a.disk, s.path
	s.file.File = f
}

// WriteRows writes one file of T's family. No rows are no file.
func WriteRows[T any](tx *Tx, level string, list []T) (rows.File, error) {
	if len(list) == 0 {
		return rows.File{}, nil
	}
	f, err := NewRowFile[T](tx, level)
	if err != nil {
		return rows.File{}, err
	}
	if err := f.Write(list); err != nil {
		f.Close()
		return rows.File{}, err
	}
	return f.Close()
}

// MergeOptions say more of a merge.
type MergeOptions[T any] struct {
	// Of is as in RowOptions.
	Of *File
	// Edit says what becomes of a file's rows; nil: they stay as they are. Sets
	// are the columns it sets.
	Edit func(f File) (*rows.Edit[T], error)
	Sets []string
}

// Merge writes the rows of files of a family that has times as one file of a
// level, in the order of time; see rows.Merge.
func Merge[T any](ctx context.Context, tx *Tx, files []File, level string, o MergeOptions[T]) error {
	s, err := stageOf[T](tx, level, RowOptions{Of: o.Of})
	if err != nil {
		return err
	}
	files = slices.Clone(files)
	slices.SortStableFunc(files, func(a, b File) int { return cmp.Compare(a.First, b.First) })
	edits := rows.Edits[T]{Sets: o.Sets}
	if o.Edit != nil {
		edits.Of = func(n int) (*rows.Edit[T], error) { return o.Edit(files[n]) }
	}
	how := s.options()
	how.Alike = len(files) == 1 && cheap(&files[0]) == how.Cheap
	_, err = rows.Merge(ctx, s, RowFiles(files), how, edits)
	return err
}
