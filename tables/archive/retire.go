package archive

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// A root is retired in steps, each of which may be the last before a power failure:
// roots/<n>.leaving has nobody write there any more; each segment is copied to another
// root, where a row of the same number names it, and of two rows the one counts whose
// root stays; the copy that is left goes when no statement reads it. When the folder
// has no packets, roots/<n>.root becomes roots/<n>.retired, which keeps the number and
// the path from being given again: rows that name them are still there.

const (
	leavingMark = ".leaving"
	retiredMark = ".retired"
	// retirePause is how long what others are about to do is waited for, settles how
	// long nobody may have known yet that a root is leaving.
	retirePause = time.Second
	settles     = 2 * time.Second
)

// Retired is how far the retirement of a root is.
type Retired struct {
	Moved      int   // segments that were copied to other roots
	MovedBytes int64 //
	Left       int   // segments that still lie there
	LeftBytes  int64
	// Stuck are those of Left that nothing is waited for: no other root has room, or
	// they can't be copied, as Why says of one.
	Stuck int
	Why   string
	// Waits says what is waited for.
	Waits string
	// Done: the root is none any more.
	Done bool
}

// Retire has a root's packets moved to others, and forgets it. It goes on where one
// before it was interrupted, waits for recorders and statements to be done with what
// is there, and returns what it came to when nothing else can be done. Progress is
// told now and then.
func (a *Archive) Retire(ctx context.Context, dir string, progress func(Retired)) (Retired, error) {
	path, err := filepath.Abs(dir)
	if err != nil {
		return Retired{}, err
	}
	if a.o.Retention == nil {
		a.o.Retention = &Retention{}
	}
	r, began, err := a.beginsToLeave(path)
	if err != nil || r.number == 0 {
		return Retired{Done: err == nil}, err
	}
	if err := a.tidy(); err != nil {
		return Retired{}, err
	}
	left := leaver{Archive: a, root: r, to: a.remaining(r.number), since: map[string]tables.Time{}, stuck: map[uint32]string{}}
	for {
		if err := left.round(ctx, func() { progress(left.far) }); err != nil {
			return left.far, err
		}
		if left.far.Left == 0 && left.far.Waits == "" && time.Since(began) > settles {
			if err := left.forget(); err != nil {
				return left.far, err
			}
			left.far.Done = true
		}
		progress(left.far)
		if left.far.Done || left.far.Left > 0 && left.far.Left == left.far.Stuck {
			return left.far, nil
		}
		select {
		case <-ctx.Done():
			return left.far, ctx.Err()
		case <-time.After(retirePause):
		}
	}
}

// beginsToLeave has nobody write to a root from now on; root 0 when it was retired
// before.
func (a *Archive) beginsToLeave(path string) (r root, began time.Time, err error) {
	lock, err := a.waitLock(rootsLock)
	if err != nil {
		return r, began, err
	}
	defer lock.Close()
	var paths []string
	for _, r = range a.roots() {
		if paths = append(paths, r.path); r.path == path {
			break
		}
	}
	switch {
	case path == a.dir:
		return r, began, errors.New("the archive's own folder is no root that can be retired")
	case a.wasRetired(path):
		return root{}, began, nil
	case r.path != path && len(paths) == 0:
		return r, began, errors.New("this archive has no roots: all its packets lie in its own folder")
	case r.path != path:
		return r, began, fmt.Errorf("%s is no root of this archive: those are %s", path, strings.Join(paths, ", "))
	case !r.here:
		return r, began, fmt.Errorf("the disk at %s is not there, or is another one: mount it, so that its packets can be moved", path)
	case len(a.remaining(r.number)) == 0:
		return r, began, fmt.Errorf("of %s none other is there to take its packets: name one with --root", strings.Join(a.o.Retention.Roots, ", "))
	}
	mark := filepath.Join(a.dir, rootFolder, strconv.Itoa(r.number)+leavingMark)
	if !a.exists(mark) {
		if err := disk.Replace(a.disk, mark, nil, 0o640); err != nil {
			return r, began, err
		}
	}
	st, err := a.disk.Stat(mark)
	if err != nil {
		return r, began, err
	}
	return r, st.ModTime(), nil
}

// isRetired tells whether a root is none any more.
func (a *Archive) isRetired(n int) bool {
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	_, retired := a.retired[n]
	return retired
}

func (a *Archive) wasRetired(path string) bool {
	a.rootMu.Lock()
	defer a.rootMu.Unlock()
	for _, p := range a.retired {
		if p == path {
			return true
		}
	}
	return false
}

// remaining are the roots that one root's packets can go to: those that new packets
// are to go to, or, where nothing says so, all others.
func (a *Archive) remaining(n int) (to []int) {
	roots := a.roots()
	if len(a.o.Retention.Roots) > 0 {
		to = a.targets(a.o.Retention.Roots)
	} else {
		for _, r := range roots {
			to = append(to, r.number)
		}
	}
	stays := func(m int) bool {
		return m == 0 || slices.ContainsFunc(roots, func(r root) bool { return r.number == m && r.here && !r.leaving })
	}
	to = slices.DeleteFunc(to, func(m int) bool { return m == n || !stays(m) || a.left(m) })
	if len(to) == 0 && len(a.o.Retention.Roots) == 0 {
		to = []int{0}
	}
	return to
}

// leaver retires a root.
type leaver struct {
	*Archive
	far   Retired
	root  root
	to    []int                  // roots that take its packets
	since map[string]tables.Time // by path, when a file was first seen that may go
	stuck map[uint32]string      // segments that were not moved, and why
}

// round moves what can be moved now, the youngest first, and takes away what nobody
// needs any more.
func (l *leaver) round(ctx context.Context, moved func()) error {
	clear(l.stuck)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		more, err := l.move(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		moved()
	}
	return l.clear()
}

// ours lists the segments that lie in the root, the youngest first.
func (l *leaver) ours(c *Catalog) (list []*SegmentInfo) {
	for i := range c.segments {
		if s := &c.segments[i]; s.Root() == l.root.number && !s.InPlace && s.Evicted == nil {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(x, y *SegmentInfo) int { return cmp.Compare(y.rows.Origin.Last, x.rows.Origin.Last) })
	return list
}

// move moves one segment; false when there is none to be moved now.
func (l *leaver) move(ctx context.Context) (more bool, err error) {
	c, err := l.Catalog()
	if err != nil {
		return false, err
	}
	l.far.Left, l.far.LeftBytes, l.far.Stuck, l.far.Why = 0, 0, 0, ""
	var next *SegmentInfo
	for _, s := range l.ours(c) {
		l.far.Left++
		l.far.LeftBytes += s.Bytes
		why, stuck := l.stuck[s.Number()]
		if !stuck && s.State != StateAvailable {
			why, stuck = fmt.Sprintf("%s is not there", s.AbsPath), true
		}
		if stuck {
			l.far.Stuck++
			l.far.Why = why
		} else if next == nil && !s.Open && !c.logged[s.Number()] {
			next = s
		}
	}
	if next == nil {
		return false, nil
	}
	to, fits, err := l.place(c, next)
	if err != nil {
		return false, err
	}
	if !fits {
		l.stuck[next.Number()] = "no other root has room for it"
		return true, nil
	}
	return true, l.moveTo(ctx, next.Number(), to)
}

// place is the root a segment goes to. Where all are full, what arrived before it
// makes room there.
func (l *leaver) place(c *Catalog, s *SegmentInfo) (to int, fits bool, err error) {
	room, oldest, err := l.rooms(c)
	if err != nil {
		return 0, false, err
	}
	to = slices.MaxFunc(l.to, func(x, y int) int { return cmp.Compare(room(x), room(y)) })
	if room(to) >= s.Bytes {
		return to, true, nil
	}
	to = slices.MinFunc(l.to, func(x, y int) int { return cmp.Compare(oldest(x), oldest(y)) })
	if oldest(to) >= s.rows.Origin.Last {
		return to, false, nil
	}
	if _, err := l.evict(s.Bytes, to); err != nil {
		return to, false, err
	}
	if c, err = l.Catalog(); err == nil {
		room, _, err = l.rooms(c)
	}
	return to, err == nil && room(to) >= s.Bytes, err
}

// moveTo copies a segment to a root, and has its row name it there. Nothing is evicted
// meanwhile.
func (l *leaver) moveTo(ctx context.Context, number uint32, to int) error {
	if err := l.waitFor(ctx, tables.Retainer); err != nil {
		return err
	}
	defer l.Unlock(tables.Retainer)
	c, err := l.Catalog()
	if err != nil {
		return err
	}
	s, ok := c.Segment(number)
	if !ok || s.Root() != l.root.number || s.State != StateAvailable {
		return nil // it was evicted
	}
	row, err := rowOf(s)
	if err != nil {
		l.stuck[number] = err.Error()
		return nil
	}
	// What was imported stays so: budgets have other rules for it.
	writer := tables.Retainer
	if s.rows.Origin.Writer == tables.Importer {
		writer = tables.Importer
		if err := l.waitFor(ctx, writer); err != nil {
			return err
		}
		defer l.Unlock(writer)
	}
	tx, err := l.Begin(writer)
	if err != nil {
		return err
	}
	tx.first, tx.last = s.rows.Origin.First, s.rows.Origin.Last // when it arrived
	_, below := rootOf(s.Path)
	row.Path = inRoot(to, below)
	w := &SegmentWriter{tx: tx, row: *row}
	if err := w.copyOf(ctx, s); err != nil {
		l.stuck[number] = err.Error()
		return errors.Join(tx.Abort(), ctx.Err())
	}
	tx.done = append(tx.done, w.row)
	if err := tx.Commit(); err != nil {
		return err
	}
	l.far.Moved++
	l.far.MovedBytes += s.Bytes
	l.far.Left--
	l.far.LeftBytes -= s.Bytes
	l.log.Info("moved", "segment", number, "was", s.AbsPath, "is", l.at(row.Path), "bytes", s.Bytes)
	return nil
}

// rowOf reads a segment's row with its checksums.
func rowOf(s *SegmentInfo) (*tables.Segment, error) {
	list, err := readSegments(s.rows)
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Segment == s.Segment.Segment && list[i].Path == s.Path {
			return &list[i], nil
		}
	}
	return nil, fmt.Errorf("segment %d has no row in %s", s.Number(), s.rows.Path)
}

// waitFor takes a writer's lock, and waits for who has it.
func (l *leaver) waitFor(ctx context.Context, writer string) error {
	for {
		err := l.Lock(writer)
		if !errors.Is(err, ErrLocked) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(retirePause / 10):
		}
	}
}

// copyOf makes the writer's file of a segment's as it is, damaged or not, and reads it
// again from its disk.
func (w *SegmentWriter) copyOf(ctx context.Context, s *SegmentInfo) error {
	from, err := w.tx.a.openSegment(s)
	if err != nil {
		return err
	}
	defer from.Close()
	from.Advise(0, 0, disk.Sequential)
	to, err := w.create(w.row.Path)
	if err != nil {
		return err
	}
	was := sums.Writer{Block: packetBlock}
	n, err := readAll(ctx, from, func(b []byte) error {
		was.Add(b)
		_, err := to.Write(b)
		return err
	})
	if err == nil && n < s.Bytes {
		err = fmt.Errorf("%s has %d bytes of %d", s.AbsPath, n, s.Bytes)
	}
	part := to.Name()
	if err = errors.Join(err, to.Sync(), to.Close()); err != nil {
		return err
	}
	again, err := w.tx.a.disk.Open(part)
	if err != nil {
		return err
	}
	defer again.Close()
	is := sums.Writer{Block: packetBlock}
	if _, err := readAll(ctx, again, func(b []byte) error { is.Add(b); return nil }); err != nil {
		return err
	}
	if !bytes.Equal(is.Table(nil), was.Table(nil)) {
		return fmt.Errorf("%s is not as it was written", part)
	}
	st, err := again.Stat()
	if err != nil {
		return err
	}
	w.row.MTime = tables.Time(st.ModTime().UnixMicro())
	return w.tx.a.disk.RenameNew(part, strings.TrimSuffix(part, disk.Part))
}

// readAll hands out a file from its start to its end.
func readAll(ctx context.Context, f disk.File, each func([]byte) error) (n int64, err error) {
	b := make([]byte, writeBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		k, err := f.ReadAt(b, n)
		if err != nil && !errors.Is(err, io.EOF) {
			return n, err
		}
		if k == 0 {
			return n, nil
		}
		if err := each(b[:k]); err != nil {
			return n, err
		}
		n += int64(k)
	}
}

// clear takes away the files of segments that lie elsewhere by now, or were evicted,
// when nobody reads them, and says what is waited for.
func (l *leaver) clear() error {
	l.far.Waits = ""
	c, err := l.Catalog()
	if err != nil {
		return err
	}
	oldest, alone := l.reading()
	if alone != nil {
		defer alone.Close()
	}
	at := now()
	err = l.walk(filepath.Join(l.root.path, packets), func(path string) error {
		number, err := strconv.ParseUint(strings.TrimSuffix(filepath.Base(path), ".pcap"), 10, 32)
		s, known := c.Segment(uint32(number))
		if err != nil || !known {
			l.far.Waits = "what is in " + path + ", which no commit names, is its writer's, or not of this archive"
			return nil
		}
		if s.Evicted == nil && (s.Root() == l.root.number || s.State != StateAvailable) {
			if s.Open || c.logged[s.Number()] {
				l.far.Waits = "a recorder is not done with " + path
			}
			return nil
		}
		if l.since[path] == 0 {
			l.since[path] = at
		}
		if !unread(l.since[path], oldest) {
			l.far.Waits = "a statement may read " + path
			return nil
		}
		return l.remove(path)
	})
	if err != nil || l.far.Waits != "" {
		return err
	}
	return l.writers()
}

// writers looks whether an open batch or a log names the root.
func (l *leaver) writers() error {
	dir := filepath.Join(l.dir, batchFolder)
	entries, err := l.disk.ReadDir(dir)
	if err != nil {
		return err
	}
	prefix := inRoot(l.root.number, packets) + "/"
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), openMark) {
			continue
		}
		b, err := disk.ReadFile(l.disk, filepath.Join(dir, e.Name()), maxIntent)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if bytes.HasPrefix(b, []byte(prefix)) || bytes.Contains(b, []byte("\n"+prefix)) {
			l.far.Waits = "an import that began before writes there"
			return nil
		}
	}
	logs, err := readJournals(l.disk, filepath.Join(l.dir, logFolder), nil)
	if err != nil {
		return err
	}
	for _, j := range logs {
		if strings.HasPrefix(j.Path, prefix) {
			l.far.Waits = "the recorder of " + j.Interface + " writes there until its next packet, and may read it again until its next checkpoint"
		}
	}
	return nil
}

// walk hands out the files in a folder of a root.
func (l *leaver) walk(dir string, each func(string) error) error {
	entries, err := l.disk.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !e.IsDir() {
			if err := each(path); err != nil {
				return err
			}
			continue
		}
		if err := l.walk(path, each); err != nil {
			return err
		}
	}
	return nil
}

// forget makes the root none.
func (l *leaver) forget() error {
	lock, err := l.waitLock(rootsLock)
	if err != nil {
		return err
	}
	defer lock.Close()
	name := filepath.Join(l.dir, rootFolder, strconv.Itoa(l.root.number))
	if err := l.disk.Rename(name+rootMark, name+retiredMark); err != nil {
		return err
	}
	if err := l.disk.SyncDir(filepath.Dir(name)); err != nil {
		return err
	}
	if err := errors.Join(l.remove(name+leavingMark), l.RemoveStatus(failsStatus(l.root.number))); err != nil {
		l.log.Warn("of the retired root something is left", "error", err)
	}
	l.removeFolders(filepath.Join(l.root.path, packets))
	if err := l.remove(filepath.Join(l.root.path, rootFile)); err != nil {
		l.log.Warn("of the retired root something is left", "error", err)
	}
	return nil
}

// removeFolders takes away a folder that has none but empty folders.
func (l *leaver) removeFolders(dir string) {
	entries, _ := l.disk.ReadDir(dir) // what can't be read stays
	for _, e := range entries {
		if e.IsDir() {
			l.removeFolders(filepath.Join(dir, e.Name()))
		}
	}
	if err := l.disk.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
		l.log.Debug("a folder of the retired root stays", "error", err)
	}
}
