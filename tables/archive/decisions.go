package archive

import (
	"fmt"
	"maps"
	"slices"

	"github.com/wiresql/wiresql/tables/archive/rows"
)

// Decisions are rows about rows of another family, whose files stay as they are
// until they are merged: which connections count no longer (Replaced), to which
// conversation an exporter's row belongs now (Assigned). They lie in files of
// their own, one for each range of files they are about, whose writer, lane,
// level and numbers it has. So it is seen from the names whether they still are
// about something: what merges the files folds the decisions in, and as the range
// is live no longer then, neither are they.
//
// New decisions about a range are written with those there were, as the next
// revision of the file.

// NewDecisions starts the file of decisions about the range of a live file. It
// must hold those of before, the file of decisions that the catalogue has, unless
// there is none.
func NewDecisions[T any](tx *Tx, about, before File) (*rows.Writer[T], error) {
	s, err := stageOf[T](tx, about.Level, RowOptions{Of: &about})
	if err != nil {
		return nil, err
	}
	s.file.Revision = before.Revision + 1
	return rows.NewWriter[T](s, s.options())
}

// standing holds the files that stand for others, or are about them, to that
// those are live.
func standing(staged []*stagedRows, live []*listed) error {
	stood := map[string]int{} // files of each range that others stand for
	for _, s := range staged {
		if s.of != nil && s.file.Family == s.of.Family && !s.instead {
			stood[s.of.Range()]++
		}
	}
	for _, s := range staged {
		if s.of == nil || s.instead {
			continue
		}
		about, at := 0, s.of.Range()
		for _, f := range live {
			switch {
			case f.sequence() == s.file.sequence() && f.Range() == s.file.Range() && f.Revision >= s.file.Revision && s.file.Family != s.of.Family:
				return fmt.Errorf("there are other decisions than those that %s has", s.file.name())
			case f.sequence() != s.of.sequence() || f.Last < s.of.First || f.First > s.of.Last:
			case f.Range() != at:
				return fmt.Errorf("%s is not live any more", s.of.name())
			case s.file.Family == s.of.Family && !s.file.supersedes(&f.File):
				return fmt.Errorf("a file of level %s does not supersede %s", s.file.Level, f.name())
			default:
				about++
			}
		}
		if about == 0 {
			return fmt.Errorf("%s is not live any more", s.of.name())
		}
		if n := stood[at]; n > 0 && n != about {
			return fmt.Errorf("%d files stand for the range of %s, which has %d", n, s.of.name(), about)
		}
	}
	return nil
}

// folded moves the decisions about ranges that are not live to the dead.
func folded(live, dead []*listed) (_, _ []*listed) {
	about := map[string]bool{}
	for _, f := range live {
		if f.Family.of() == "" {
			about[f.Range()] = true
		}
	}
	live = slices.DeleteFunc(live, func(f *listed) bool {
		gone := f.Family.of() != "" && !about[f.Range()]
		if gone {
			dead = append(dead, f)
		}
		return gone
	})
	return live, dead
}

// decided picks the decisions about files that are live, of those listed and of
// those that ledgers know.
func decided(files []*listed, known map[string]*written, about []File) ([]*listed, map[string]*written) {
	live := make(map[string]bool, len(about))
	for i := range about {
		live[about[i].Range()] = true
	}
	files = slices.DeleteFunc(slices.Clone(files), func(f *listed) bool { return !live[f.Range()] })
	known = maps.Clone(known)
	maps.DeleteFunc(known, func(_ string, e *written) bool { return !live[e.Range()] })
	return files, known
}
