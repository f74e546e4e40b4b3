package archive

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// A query opens its files as it comes to them, so what went out of use, because
// it was merged or evicted, must stay for those that read it still. They say so:
// each process that reads has a file in serve/leases, flocked as long as it
// lives, in which stands since when its oldest statement runs. What went out of
// use before any of them began goes at once, the rest after maxLease at the
// latest. A lease nobody has locked is a dead process's, and removed.
//
// Who may not write there holds readersFile, shared, instead: for its sake
// everything stays for maxLease.
const (
	serveFolder = "serve"
	leaseFolder = "leases"
	// maxLease bounds how long one statement keeps what went out of use.
	maxLease = 10 * time.Minute
	// nobodyReads is the time in a lease of a process without a statement.
	nobodyReads = tables.Time(math.MaxInt64)
)

// leases are those of a process's statements on an archive.
type leases struct {
	mu     sync.Mutex
	file   disk.File // the lease, or readersFile
	timed  bool      // it is a lease
	since  tables.Time
	held   []*Lease
	closed bool
}

// Lease is a statement's; see Archive.Lease. A nil one holds nothing.
type Lease struct {
	a     *Archive
	began tables.Time
}

// Lease keeps on disk whatever a Catalog asked for from now on lists, until it is
// released, for maxLease at the most.
func (a *Archive) Lease() *Lease { return a.lease(now()) }

// Share is another lease on the same.
func (l *Lease) Share() *Lease {
	if l == nil {
		return nil
	}
	return l.a.lease(l.began)
}

func (a *Archive) lease(began tables.Time) *Lease {
	l := &a.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	one := &Lease{a, began}
	if l.closed {
		return one
	}
	if l.held = append(l.held, one); l.file == nil {
		a.openLease()
	}
	a.writeLease()
	return one
}

// Release gives the lease up, once.
func (one *Lease) Release() {
	if one == nil {
		return
	}
	l := &one.a.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	if i := slices.Index(l.held, one); i >= 0 {
		l.held = slices.Delete(l.held, i, i+1)
		one.a.writeLease()
	}
}

// writeLease says since when the oldest statement runs, twice: who reads it
// while it is written believes the older one. The caller holds a.leases.mu.
func (a *Archive) writeLease() {
	l, since := &a.leases, nobodyReads
	for _, one := range l.held {
		since = min(since, one.began)
	}
	if !l.timed || l.closed || since == l.since {
		return
	}
	l.since = since
	if _, err := l.file.WriteAt(fmt.Appendf(nil, "%020d\n%020[1]d\n", int64(since)), 0); err != nil {
		a.log.Warn("lease", "file", l.file.Name(), "error", err)
	}
}

// openLease makes the process's lease. The caller holds a.leases.mu.
func (a *Archive) openLease() {
	err := a.makeLease()
	if err == nil {
		return
	}
	a.log.Debug("no lease: what goes out of use stays for ten minutes", "error", err)
	f, err := a.disk.Open(filepath.Join(a.dir, readersFile))
	if err != nil {
		a.log.Warn("nobody will wait for what this process reads", "error", err)
		return
	}
	// Who tidies up while nobody reads holds it for a moment.
	if err := f.RLock(); err != nil {
		a.log.Warn("readers lock", "error", err)
	}
	a.leases.file = f
}

func (a *Archive) makeLease() error {
	dir := filepath.Join(a.dir, serveFolder, leaseFolder)
	if err := a.mkdir(dir); err != nil {
		return err
	}
	for {
		f, err := a.disk.Create(filepath.Join(dir, strings.ToLower(rand.Text())), 0o640)
		if err != nil {
			return err
		}
		if err = disk.Hold(a.disk, f); err == nil {
			a.leases.file, a.leases.timed = f, true
			return nil
		}
		f.Close()
		// Taken for a dead one's before it was locked.
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, disk.ErrLocked) {
			return err
		}
	}
}

// closeLease gives the process's lease up.
func (a *Archive) closeLease() {
	l := &a.leases
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.file == nil {
		return
	}
	if l.timed {
		if err := a.remove(l.file.Name()); err != nil {
			a.log.Debug("lease", "error", err)
		}
	}
	l.file.Close()
}

// reading tells since when the oldest statement runs that any process runs;
// nobodyReads without one. While alone is open, none begins that has no lease.
func (a *Archive) reading() (oldest tables.Time, alone disk.File) {
	if alone = a.keepReadersOut(); alone == nil {
		return minTime, nil
	}
	oldest = nobodyReads
	dir := filepath.Join(a.dir, serveFolder, leaseFolder)
	entries, err := a.disk.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		a.log.Warn("leases", "error", err)
		return minTime, alone
	}
	for _, e := range entries {
		oldest = min(oldest, a.readLease(filepath.Join(dir, e.Name())))
	}
	return oldest, alone
}

// readLease is the time in a lease; that of a dead process is removed.
func (a *Archive) readLease(path string) tables.Time {
	f, err := a.disk.Edit(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nobodyReads
	}
	if err != nil { // another user's, perhaps: whether anybody has it locked can't be seen
		a.log.Debug("lease", "error", err)
		return minTime
	}
	defer f.Close()
	if f.TryLock() == nil {
		if err := a.remove(path); err != nil {
			a.log.Debug("lease", "error", err)
		}
		return nobodyReads
	}
	b := make([]byte, 42)
	n, _ := f.ReadAt(b, 0)
	var first, second tables.Time
	if _, err := fmt.Sscanf(string(b[:n]), "%d\n%d\n", &first, &second); err != nil {
		return minTime // not written yet
	}
	return min(first, second)
}

// unread tells whether what went out of use at a time may go, while the oldest
// statement runs since another one. The clock that stamps files is a little late.
func unread(dead, oldest tables.Time) bool {
	return dead+tables.Time(settled/time.Microsecond) < oldest || time.Since(time.UnixMicro(int64(dead))) > maxLease
}
