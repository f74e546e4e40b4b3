package archive

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables"
)

// openMark ends the name of a batch that is not committed.
const openMark = ".open"

// Tx is one batch: everything in it becomes visible with Commit, or nothing
// does. The batch's own file, batches/<id>.open, is made before anything else
// and lists the packet segments it makes; renaming it to batches/<id> is the
// commit. Row files bear the batch's id in their names until then.
type Tx struct {
	a      *Archive
	id     string
	writer string
	began  time.Time
	intent *os.File

	rows       []*stagedRows
	superseded []File
	writers    map[segmentKey]*SegmentWriter
	done       []tables.Segment // finished segments and adoptions
	dirs       map[string]bool  // whose names must be durable
	ended      bool
}

// stagedRows is a row file of an open batch.
type stagedRows struct {
	file  File
	path  string // .part
	whole bool
	timed bool
}

// Begin starts a batch; writer names the program's part that writes it:
// import, compact. The first Begin takes the archive's lock, which Close gives
// up; another process meanwhile gets ErrLocked.
func (a *Archive) Begin(writer string) (*Tx, error) {
	if a.o.ReadOnly {
		return nil, fmt.Errorf("archive %s: opened for reading only", a.dir)
	}
	if !validLabel(writer) {
		return nil, fmt.Errorf("writer %q: only a-z, 0-9 and _ may stand in a name", writer)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lock == nil {
		if err := a.acquire(); err != nil {
			return nil, err
		}
	}
	var b [8]byte
	if _, err := rand.Read(b[:]); err != nil {
		return nil, err
	}
	tx := &Tx{a: a, id: fmt.Sprintf("%x", b), writer: writer, began: time.Now().UTC(),
		writers: map[segmentKey]*SegmentWriter{}, dirs: map[string]bool{}}
	f, err := a.create(tx.batch() + openMark)
	if err != nil {
		return nil, fmt.Errorf("begin batch: %w", err)
	}
	tx.intent = f
	if err := a.syncDir(filepath.Dir(f.Name())); err != nil {
		f.Close()
		return nil, fmt.Errorf("begin batch: %w", err)
	}
	return tx, nil
}

// ID is the batch's id, 16 hex digits.
func (tx *Tx) ID() string { return tx.id }

func (tx *Tx) batch() string { return filepath.Join(tx.a.dir, batchFolder, tx.id) }

// day is the folder of the batch's arrival below a root.
func (tx *Tx) day(root ...string) string {
	return filepath.Join(append(append([]string{tx.a.dir}, root...), tx.began.Format("2006/01/02"))...)
}

// stage makes the file of a row file.
func (tx *Tx) stage(family Family, level string) (*stagedRows, *os.File, error) {
	if tx.ended {
		return nil, nil, errEnded
	}
	dir := tx.day(string(family))
	if err := tx.a.mkdir(dir); err != nil {
		return nil, nil, fmt.Errorf("write %s: %w", family, err)
	}
	tx.dirs[dir] = true
	s := &stagedRows{path: filepath.Join(dir, fmt.Sprintf("%s-%s-%d.part", family, tx.id, len(tx.rows)))}
	s.file = File{Family: family, Path: s.path, Schema: schemaVersion, Writer: tx.writer, Lane: "main", Level: level}
	f, err := tx.a.create(s.path)
	if err != nil {
		return nil, nil, fmt.Errorf("write %s: %w", family, err)
	}
	tx.rows = append(tx.rows, s)
	return s, f, nil
}

// Keep takes a live file into the batch under another level as it is: a second
// name for the same bytes. A merge does so with files that gain nothing from
// being written again, and supersedes the old name.
func (tx *Tx) Keep(f File, level string) error {
	if tx.ended {
		return errEnded
	}
	if levelRank(level) < 0 {
		return fmt.Errorf("level %q of %s: no such level", level, f.Family)
	}
	s, file, err := tx.stage(f.Family, level)
	if err != nil {
		return err
	}
	if err := errors.Join(file.Close(), tx.a.remove(s.path), tx.a.link(f.Path, s.path)); err != nil {
		return fmt.Errorf("keep %s: %w", f.Path, err)
	}
	s.file.MinTS, s.file.MaxTS, s.file.Rows, s.file.Bytes = f.MinTS, f.MaxTS, f.Rows, f.Bytes
	s.timed, s.whole = true, true
	return nil
}

// Supersede says that the batch's files of these files' families replace
// them: they take over the writer, lane and whole range of the files, which
// must be all live files of that range. Files of one family must come from one
// writer and lane.
func (tx *Tx) Supersede(files []File) { tx.superseded = append(tx.superseded, files...) }

var errEnded = errors.New("the batch has ended")

// Commit makes the batch visible. When it returns an error, nothing of the
// batch is, and it is aborted.
func (tx *Tx) Commit() error {
	if tx.ended {
		return errEnded
	}
	err := tx.prepare()
	if err == nil {
		err = tx.a.publish(tx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), tx.Abort())
	}
	return nil
}

// prepare finishes the packets and writes their rows.
func (tx *Tx) prepare() error {
	for _, w := range tx.writers {
		if err := w.finish(); err != nil {
			return err
		}
	}
	clear(tx.writers)
	if len(tx.done) > 0 {
		slices.SortFunc(tx.done, func(x, y tables.Segment) int { return int(x.Segment) - int(y.Segment) })
		if _, err := WriteRows(tx, "e", tx.done); err != nil {
			return err
		}
	}
	for _, s := range tx.rows {
		if !s.whole {
			return fmt.Errorf("%s was not closed", s.path)
		}
	}
	return nil
}

// publish gives the row files their names, makes them durable, and commits.
func (a *Archive) publish(tx *Tx) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lock == nil {
		return errors.New("the archive is closed")
	}
	if err := a.number(tx); err != nil {
		return err
	}
	for _, s := range tx.rows {
		path := filepath.Join(filepath.Dir(s.path), s.file.name()+".i"+tx.id)
		if err := a.rename(s.path, path); err != nil {
			return err
		}
		s.path, s.file.Path = path, path
	}
	for dir := range tx.dirs {
		if err := a.syncDir(dir); err != nil {
			return err
		}
	}
	if err := errors.Join(a.sync(tx.intent), tx.intent.Close()); err != nil {
		return err
	}
	if err := a.rename(tx.batch()+openMark, tx.batch()); err != nil {
		return err
	}
	// Committed. What follows only tidies up, and is done by the next writer
	// if this one does not get to it.
	tx.ended = true
	if err := a.syncDir(filepath.Join(a.dir, batchFolder)); err != nil {
		a.log.Error("commit may not survive a power failure", "batch", tx.id, "error", err)
	}
	for _, s := range tx.rows {
		seq := s.file.sequence()
		a.next[seq] = max(a.next[seq], s.file.Last+1)
	}
	a.tidy()
	return nil
}

// number gives each row file its place in its sequence: the next, or the
// range of the files it supersedes.
func (a *Archive) number(tx *Tx) error {
	covers := map[Family]*File{}
	for i := range tx.superseded {
		f := &tx.superseded[i]
		c := covers[f.Family]
		if c == nil {
			covers[f.Family] = &File{Family: f.Family, Writer: f.Writer, Lane: f.Lane, First: f.First, Last: f.Last}
			continue
		}
		if c.sequence() != f.sequence() {
			return fmt.Errorf("files of %s by %s-%s and %s-%s can't be superseded together", f.Family, c.Writer, c.Lane, f.Writer, f.Lane)
		}
		c.First, c.Last = min(c.First, f.First), max(c.Last, f.Last)
	}
	for i := range tx.superseded {
		// A second merge to the same level takes a number more, for of one
		// level only the wider range supersedes.
		f, c := &tx.superseded[i], covers[tx.superseded[i].Family]
		if f.First == c.First && f.Last == c.Last && slices.ContainsFunc(tx.rows, func(s *stagedRows) bool {
			return s.file.Family == f.Family && s.file.Level == f.Level
		}) {
			c.Last = max(a.next[c.sequence()], c.Last+1)
		}
	}
	next := map[sequence]uint64{}
	names := map[string]bool{}
	for _, s := range tx.rows {
		if c := covers[s.file.Family]; c != nil {
			s.file.Writer, s.file.Lane, s.file.First, s.file.Last = c.Writer, c.Lane, c.First, c.Last
			// Files of one range differ in their times; of the same times
			// too, one bound is put later, which a bound may be.
			for names[s.file.name()] {
				s.file.MaxTS++
			}
			names[s.file.name()] = true
			continue
		}
		seq := s.file.sequence()
		n := max(a.next[seq], next[seq], 1)
		next[seq] = n + 1
		s.file.First, s.file.Last = n, n
	}
	if len(covers) == 0 {
		return nil
	}
	return a.covered(tx, covers)
}

// covered checks that the new files supersede exactly the files named.
func (a *Archive) covered(tx *Tx, covers map[Family]*File) error {
	l, err := a.list()
	if err != nil {
		return err
	}
	live, _ := split(l.files)
	for family, c := range covers {
		named := 0
		for _, f := range tx.superseded {
			if f.Family == family {
				named++
			}
		}
		i := slices.IndexFunc(tx.rows, func(s *stagedRows) bool { return s.file.Family == family })
		if i < 0 {
			return fmt.Errorf("files of %s are superseded by none", family)
		}
		for _, s := range tx.rows {
			if s.file.Family == family && s.file.Level != tx.rows[i].file.Level {
				return fmt.Errorf("files of %s have levels %s and %s", family, s.file.Level, tx.rows[i].file.Level)
			}
		}
		found := 0
		for j := range live {
			f := &live[j]
			if f.sequence() != c.sequence() || f.Last < c.First || f.First > c.Last {
				continue
			}
			if !tx.rows[i].file.supersedes(&f.File) {
				return fmt.Errorf("a file of level %s does not supersede %s", tx.rows[i].file.Level, f.name())
			}
			found++
		}
		if found != named {
			return fmt.Errorf("%d files of %s are superseded, the range has %d", named, family, found)
		}
	}
	return nil
}

// Abort removes everything of the batch. Aborting a batch that has ended does
// nothing.
func (tx *Tx) Abort() error {
	if tx.ended {
		return nil
	}
	tx.ended = true
	for _, w := range tx.writers {
		w.abandon()
	}
	tx.intent.Close()
	for _, s := range tx.rows {
		if err := tx.a.remove(s.path); err != nil {
			return fmt.Errorf("abort: %w", err)
		}
	}
	if err := tx.a.removeSegments(tx.batch() + openMark); err != nil {
		return fmt.Errorf("abort: %w", err)
	}
	return tx.a.remove(tx.batch() + openMark)
}

// sweep removes what batches left that never committed. The caller holds the
// lock, so nobody is at work on them.
func (a *Archive) sweep() error {
	entries, err := os.ReadDir(filepath.Join(a.dir, batchFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return os.MkdirAll(filepath.Join(a.dir, batchFolder), 0o750)
	} else if err != nil {
		return err
	}
	dead := map[string]bool{}
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), openMark); ok && validID(id) {
			dead[id] = true
		}
	}
	if len(dead) > 0 {
		removed := 0
		for _, family := range allFamilies {
			err := walkFiles(filepath.Join(a.dir, string(family)), func(path, name string) error {
				_, id, _ := strings.Cut(name, batchMark)
				if part, ok := strings.CutSuffix(name, ".part"); ok {
					if p := strings.Split(part, "-"); len(p) == 3 {
						id = p[1]
					}
				}
				if !dead[id] {
					return nil
				}
				removed++
				return a.remove(path)
			})
			if err != nil {
				return err
			}
		}
		for id := range dead {
			path := filepath.Join(a.dir, batchFolder, id) + openMark
			if err := a.removeSegments(path); err != nil {
				return err
			}
			if err := a.remove(path); err != nil {
				return err
			}
		}
		a.log.Info("removed what interrupted batches left", "batches", len(dead), "row_files", removed)
	}
	a.tidy()
	return nil
}

// removeSegments removes the packet files an open batch lists.
func (a *Archive) removeSegments(intent string) error {
	b, err := os.ReadFile(intent)
	if err != nil {
		return err
	}
	lines := strings.Split(string(b), "\n")
	for _, line := range lines[:len(lines)-1] { // behind the last newline is a torn line: its file was not made
		if !filepath.IsLocal(line) || !strings.HasPrefix(line, packets+"/") {
			continue
		}
		for _, name := range []string{line, line + ".part"} {
			if err := a.remove(filepath.Join(a.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// tidy brings the names of committed batches to their lasting form. First each
// file gets its name without the batch's id, beside the other one. The old
// names, and the files that are superseded, go when nobody reads the archive,
// or 10 minutes later; then the batch's file goes too. A reader that lists in
// between sees each file under one name or two, and looks at the batches
// before and after. Failing here loses nothing: the next writer tries again.
func (a *Archive) tidy() {
	l, err := a.list()
	if err != nil {
		a.log.Warn("tidy", "error", err)
		return
	}
	defer a.forget()
	stuck := map[string]bool{} // batches that keep their file
	dirs := map[string]bool{}
	for _, f := range l.files {
		if f.batch == "" {
			continue
		}
		plain := strings.TrimSuffix(f.Path, ".i"+f.batch)
		err := a.link(f.Path, plain)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			a.log.Debug("tidy", "error", err)
			stuck[f.batch] = true
			continue
		}
		dirs[filepath.Dir(plain)] = true
	}
	for dir := range dirs {
		if err := a.syncDir(dir); err != nil {
			a.log.Warn("tidy", "error", err)
			return
		}
	}

	quiet := a.unread()
	old := func(path string) bool {
		st, err := os.Stat(path)
		if err != nil {
			return false
		}
		sys, ok := st.Sys().(*syscall.Stat_t)
		return quiet || ok && time.Since(time.Unix(sys.Ctim.Unix())) > grace
	}
	_, dead := split(l.files)
	for _, f := range dead {
		if !old(f.Path) || !a.intact(&f.File, l.files) {
			continue
		}
		a.discard(f.Path)
		if f.batch != "" {
			a.discard(strings.TrimSuffix(f.Path, ".i"+f.batch))
		}
	}
	clear(dirs)
	for _, f := range l.files {
		if f.batch == "" || stuck[f.batch] {
			continue
		}
		if !old(f.Path) {
			stuck[f.batch] = true
			continue
		}
		a.discard(f.Path)
		dirs[filepath.Dir(f.Path)] = true
	}
	for dir := range dirs {
		if err := a.syncDir(dir); err != nil {
			a.log.Warn("tidy", "error", err)
			return
		}
	}
	for id := range l.batches {
		if !stuck[id] {
			a.discard(filepath.Join(a.dir, batchFolder, id))
		}
	}
}

// intact tells whether all files that supersede f can be read: else f may be
// all there is of some rows.
func (a *Archive) intact(f *File, files []listed) bool {
	return !slices.ContainsFunc(files, func(g listed) bool {
		if !g.File.supersedes(f) {
			return false
		}
		file, _, err := openParquet(g.Path)
		if err != nil {
			return true
		}
		file.Close()
		return false
	})
}

// discard removes a name that is not needed any more.
func (a *Archive) discard(path string) {
	if err := a.remove(path); err != nil {
		a.log.Warn("tidy", "error", err)
	}
}

// unread tells whether no process has the archive open for reading.
func (a *Archive) unread() bool {
	f, err := os.OpenFile(filepath.Join(a.dir, readersFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
