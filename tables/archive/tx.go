package archive

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/rows"
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
	// first and last are when the rows arrived that come from outside: since
	// the batch began, and until their file is finished, unless it is known.
	first, last tables.Time
	intent      disk.File

	superseded []File
	lost       []File // see LostRange
	writers    map[segmentKey]*SegmentWriter
	done       []tables.Segment // finished segments and adoptions
	listed     bool             // the intent's own name is durable
	untidy     bool             // leave the names to whoever tidies next
	ended      bool

	mu   sync.Mutex // row files are made by several goroutines
	rows []*stagedRows
	dirs map[string]bool // whose names must be durable
}

// stagedRows is a row file of an open batch.
type stagedRows struct {
	file  File
	path  string // .part
	out   disk.File
	tx    *Tx
	whole bool
	// placed: it was said which sequence the file belongs to.
	placed bool
	// of is the file that this one stands for, or is about. instead: of's rows
	// are lost, or kept beside those that were.
	of      *File
	instead bool
}

// Begin starts a batch; writer names the program's part that writes it:
// import, compact, collector. The first Begin takes the writer's lock, which
// Close gives up; another process that would write under the same name
// meanwhile gets ErrLocked.
func (a *Archive) Begin(writer string) (*Tx, error) {
	if a.o.ReadOnly {
		return nil, fmt.Errorf("archive %s: opened for reading only", a.dir)
	}
	if !validLabel(writer) {
		return nil, fmt.Errorf("writer %q: only a-z, 0-9 and _ may stand in a name", writer)
	}
	if writer != tables.Retainer {
		a.makeRoom(0, 0)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.acquire(writer); err != nil {
		return nil, err
	}
	began := time.Now().UTC()
	tx := &Tx{a: a, writer: writer, began: began, first: tables.Time(began.UnixMicro()),
		writers: map[segmentKey]*SegmentWriter{}, dirs: map[string]bool{}}
	for {
		var b [8]byte
		if _, err := rand.Read(b[:]); err != nil {
			return nil, err
		}
		tx.id = fmt.Sprintf("%x", b)
		f, err := a.openIntent(tx.batch() + openMark)
		if errors.Is(err, errSwept) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("begin batch: %w", err)
		}
		tx.intent = f
		return tx, nil
	}
}

// ID is the batch's id, 16 hex digits.
func (tx *Tx) ID() string { return tx.id }

func (tx *Tx) batch() string { return tx.a.batchFile(tx.id) }

// syncIntent makes durable which packet files the batch makes. Row files need
// none of it: their names bear the batch's id.
func (tx *Tx) syncIntent() error {
	if err := tx.intent.Sync(); err != nil || tx.listed {
		return err
	}
	err := tx.a.disk.SyncDir(filepath.Dir(tx.intent.Name()))
	tx.listed = err == nil
	return err
}

// folder makes a folder whose names must be durable when the batch is.
func (tx *Tx) folder(dir string) error {
	err := tx.a.mkdir(dir)
	tx.dirs[dir] = true
	return err
}

// stage makes the file of a row file, in the folder of the day on which the last
// of its rows arrived.
func (tx *Tx) stage(family Family, level string, o RowOptions) (*stagedRows, error) {
	if tx.ended {
		return nil, errEnded
	}
	if levelRank(level) < 0 {
		return nil, fmt.Errorf("level %q of %s: no such level", level, family)
	}
	origin := tx.origin(family, o)
	arrived := tx.began
	if origin.Last > 0 {
		arrived = time.UnixMicro(int64(origin.Last)).UTC()
	}
	tx.mu.Lock()
	defer tx.mu.Unlock()
	dir := filepath.Join(tx.a.dir, string(family), arrived.Format(dayForm))
	if err := tx.folder(dir); err != nil {
		return nil, fmt.Errorf("write %s: %w", family, err)
	}
	s := &stagedRows{tx: tx, path: filepath.Join(dir, fmt.Sprintf("%s-%s-%d.part", family, tx.id, len(tx.rows)))}
	s.file = File{File: rows.File{Path: s.path, Origin: origin}, Family: family, Schema: schemaVersion, Writer: tx.writer, Lane: "main", Level: level}
	s.place(o)
	var err error
	if s.out, err = tx.a.disk.Create(s.path, 0o640); err != nil {
		return nil, fmt.Errorf("write %s: %w", family, err)
	}
	tx.rows = append(tx.rows, s)
	return s, nil
}

// place puts the file into the sequence that was asked for.
func (s *stagedRows) place(o RowOptions) {
	if s.of = o.Of; s.of != nil {
		s.file.Writer, s.file.Lane, s.file.First, s.file.Last = s.of.Writer, s.of.Lane, s.of.First, s.of.Last
		if s.instead = o.instead; s.instead {
			s.file.Revision = s.of.Revision + 1
		}
		return
	}
	s.placed = o.Writer != "" || o.Lane != ""
	if o.Writer != "" {
		s.file.Writer = o.Writer
	}
	if o.Lane != "" {
		s.file.Lane = o.Lane
	}
}

// Keep takes a live file into the batch under another level as it is: a second
// name for the same bytes. A merge does so with files that gain nothing from
// being written again, and supersedes the old name.
func (tx *Tx) Keep(f File, level string) error {
	return tx.keep(f, level, RowOptions{Writer: f.Writer, Lane: f.Lane, from: []File{f}})
}

func (tx *Tx) keep(f File, level string, o RowOptions) error {
	s, err := tx.stage(f.Family, level, o)
	if err != nil {
		return err
	}
	err = errors.Join(s.out.Close(), tx.a.remove(s.path))
	if err == nil {
		err = tx.a.disk.Link(f.Path, s.path)
		if base, id, ok := strings.Cut(f.Path, batchMark); ok && validID(id) && errors.Is(err, fs.ErrNotExist) {
			err = tx.a.disk.Link(base+".parquet", s.path) // it got its lasting name since
		}
	}
	if err != nil {
		return fmt.Errorf("keep %s: %w", f.Path, err)
	}
	s.holds(f.File)
	s.whole = true
	return nil
}

// Supersede says that the batch's files of these files' families replace
// them: they take over the writer, lane and whole range of the files, which
// must be all live files of that range. When files of one family come from
// several writers or lanes, each new one says which it is for (RowOptions).
func (tx *Tx) Supersede(files []File) { tx.superseded = append(tx.superseded, files...) }

var errEnded = errors.New("the batch has ended")

// errUncertain is wrapped by the error of a Commit that made the batch visible
// and could not make it durable, as syncBatches may later.
var errUncertain = errors.New("the batch counts, but may be gone after a power failure")

// Commit makes the batch visible and durable. When it returns an error, nothing
// of the batch is, and it is aborted; or the error says that it counts and may be
// gone after a power failure.
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
	if err := a.commit(tx); err != nil {
		return err
	}
	a.record(tx)
	if !tx.untidy {
		a.tidied(a.tidy())
	}
	return nil
}

// commit is one at a time, so that sequence numbers are used in the order they
// are given.
func (a *Archive) commit(tx *Tx) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.locks[tx.writer] == nil {
		return errors.New("the archive is closed")
	}
	if err := a.number(tx); err != nil {
		return err
	}
	for _, s := range tx.rows {
		path := filepath.Join(filepath.Dir(s.path), s.file.name()+".i"+tx.id)
		if err := a.disk.RenameNew(s.path, path); err != nil {
			return err
		}
		s.path, s.file.Path = path, path
	}
	if err := a.syncDirs(tx.dirs); err != nil {
		return err
	}
	// The file stays locked until its name says that the batch counts.
	if err := a.disk.RenameNew(tx.batch()+openMark, tx.batch()); err != nil {
		return err
	}
	// Committed: others may see it by now. What follows makes it last.
	tx.ended = true
	tx.intent.Close()
	for _, s := range tx.rows {
		if seq := s.file.sequence(); a.locks[seq.writer] != nil {
			a.next[seq] = max(a.next[seq], s.file.Last+1)
		}
	}
	if err := a.syncBatches(); err != nil {
		return fmt.Errorf("%w: %w", errUncertain, err)
	}
	return nil
}

// syncBatches makes durable what was committed.
func (a *Archive) syncBatches() error { return a.disk.SyncDir(filepath.Join(a.dir, batchFolder)) }

// number gives each row file its place in its sequence: the next, or the
// range of the files it supersedes.
func (a *Archive) number(tx *Tx) error {
	covers := map[sequence]*File{}
	replaced := map[Family][]sequence{}
	for i := range tx.superseded {
		f := &tx.superseded[i]
		c := covers[f.sequence()]
		if c == nil {
			replaced[f.Family] = append(replaced[f.Family], f.sequence())
			covers[f.sequence()] = &File{Family: f.Family, Writer: f.Writer, Lane: f.Lane, First: f.First, Last: f.Last}
			continue
		}
		c.First, c.Last = min(c.First, f.First), max(c.Last, f.Last)
	}
	for _, s := range tx.rows {
		from := replaced[s.file.Family]
		if s.of != nil {
			continue
		}
		switch {
		case s.placed || len(from) == 0:
		case len(from) > 1:
			return fmt.Errorf("files of %s by %s-%s and %s-%s are superseded, and a new one does not say which it replaces",
				s.file.Family, from[0].writer, from[0].lane, from[1].writer, from[1].lane)
		default:
			s.file.Writer, s.file.Lane = from[0].writer, from[0].lane
		}
		if seq := s.file.sequence(); covers[seq] == nil && seq.writer != tx.writer {
			return fmt.Errorf("a file of %s by %s-%s supersedes nothing, and the batch is %s's", seq.family, seq.writer, seq.lane, tx.writer)
		}
	}
	for i := range tx.superseded {
		// A second merge to the same level takes a number more, for of one
		// level only the wider range supersedes. Only the sequence's own writer
		// can: nobody else gives numbers.
		f := &tx.superseded[i]
		c := covers[f.sequence()]
		if f.First != c.First || f.Last != c.Last || !slices.ContainsFunc(tx.rows, func(s *stagedRows) bool {
			return s.file.sequence() == f.sequence() && s.file.Level == f.Level
		}) {
			continue
		}
		if a.locks[f.Writer] == nil {
			return fmt.Errorf("a file of level %s does not supersede %s", f.Level, f.name())
		}
		c.Last = max(a.next[c.sequence()], c.Last+1)
	}
	var live []*listed
	if len(covers) > 0 || len(tx.lost) > 0 || slices.ContainsFunc(tx.rows, func(s *stagedRows) bool { return s.of != nil }) {
		l, err := a.list()
		if err != nil {
			return err
		}
		live, _, _ = l.evicted.split(l.files, allFamilies...)
	}
	if err := errors.Join(standing(tx.rows, live), tx.inPlaceOf(live)); err != nil {
		return err
	}
	next := map[sequence]uint64{}
	names := map[string]bool{}
	for _, s := range tx.rows {
		seq := s.file.sequence()
		if c := covers[seq]; c != nil || s.of != nil {
			if s.of == nil {
				s.file.First, s.file.Last = c.First, c.Last
			}
			// Files of one range differ in their times; of the same times
			// too, one bound is put later, which a bound may be.
			for names[s.file.name()] {
				s.file.MaxTS++
			}
			names[s.file.name()] = true
			continue
		}
		n := max(a.next[seq], next[seq], 1)
		next[seq] = n + 1
		s.file.First, s.file.Last = n, n
		if s.file.Level == "s" { // it stands for all before it
			s.file.First = 1
		}
	}
	return tx.covered(covers, live)
}

// covered checks that the new files supersede exactly the files named.
func (tx *Tx) covered(covers map[sequence]*File, live []*listed) error {
	for seq, c := range covers {
		named := 0
		for i := range tx.superseded {
			if tx.superseded[i].sequence() == seq {
				named++
			}
		}
		var first *stagedRows
		for _, s := range tx.rows {
			switch {
			case s.file.sequence() != seq:
			case first == nil:
				first = s
			case s.file.Level != first.file.Level:
				return fmt.Errorf("files of %s have levels %s and %s", seq.family, s.file.Level, first.file.Level)
			}
		}
		if first == nil {
			return fmt.Errorf("files of %s are superseded by none", seq.family)
		}
		found := 0
		for _, f := range live {
			if f.sequence() != seq || f.Last < c.First || f.First > c.Last {
				continue
			}
			if !first.file.supersedes(&f.File) {
				return fmt.Errorf("a file of level %s does not supersede %s", first.file.Level, f.name())
			}
			found++
		}
		if found != named {
			return fmt.Errorf("%d files of %s are superseded, the range has %d", named, seq.family, found)
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
	// Closing it gives the batch up to whoever tidies, if this fails half-way.
	defer tx.intent.Close()
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
