package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/wiresql/wiresql/tables/archive/disk"
)

// Files below the folder of locks. Nothing but their flock means anything, and
// the kernel gives that up when a process ends, however it ends.
const (
	lockFolder = "locks"
	tidyLock   = "tidy"    // held while names are tidied up
	writerLock = "writer-" // and the writer's name: held by the process that writes as this one
)

// ErrLocked is wrapped by the error of a Begin while another process writes
// under the same name.
var ErrLocked = errors.New("another process is writing to the archive")

// tryLock takes a lock and returns its file; ErrLocked when it is held.
func (a *Archive) tryLock(name string) (disk.File, error) {
	path := filepath.Join(a.dir, lockFolder, name)
	if err := a.mkdir(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := disk.Obtain(a.disk, path, 0o640)
	if err != nil {
		return nil, err
	}
	if err := f.TryLock(); err != nil {
		f.Close()
		if errors.Is(err, disk.ErrLocked) {
			return nil, fmt.Errorf("%w (it holds the lock %s)", ErrLocked, path)
		}
		return nil, err
	}
	return f, nil
}

// acquire takes a writer's lock unless this archive holds it, and learns the
// sequence numbers that are the writer's to give. The caller holds a.mu.
func (a *Archive) acquire(writer string) error {
	if a.closed {
		return fmt.Errorf("archive %s: closed", a.dir)
	}
	if a.locks[writer] != nil {
		return nil
	}
	f, err := a.tryLock(writerLock + writer)
	if err != nil {
		return fmt.Errorf("archive %s: write as %s: %w", a.dir, writer, err)
	}
	l, err := a.list()
	if err != nil {
		f.Close()
		return fmt.Errorf("archive %s: %w", a.dir, err)
	}
	a.locks[writer] = f
	for _, f := range l.files {
		if s := f.sequence(); s.writer == writer {
			a.next[s] = max(a.next[s], f.Last+1)
		}
	}
	for _, of := range l.evicted.files {
		for _, f := range of {
			if s := f.sequence(); s.writer == writer {
				a.next[s] = max(a.next[s], f.Last+1)
			}
		}
	}
	for _, of := range l.entries { // numbers of files that are gone are not given again
		for _, e := range of {
			if s := e.sequence(); s.writer == writer {
				a.next[s] = max(a.next[s], e.Last+1)
			}
		}
	}
	return nil
}

// release gives all writers' locks up.
func (a *Archive) release() {
	for writer, f := range a.locks {
		f.Close()
		a.closeLedger(writer)
	}
	clear(a.locks)
	clear(a.next)
}

// Lock takes the lock of a writer without beginning a batch, so that a process
// that plans before it writes plans for itself alone. Close gives it up.
func (a *Archive) Lock(writer string) error {
	if !validLabel(writer) {
		return fmt.Errorf("writer %q: only a-z, 0-9 and _ may stand in a name", writer)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.acquire(writer)
}

// Unlock gives a writer's lock up; its batches must have ended.
func (a *Archive) Unlock(writer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if f := a.locks[writer]; f != nil {
		f.Close()
		delete(a.locks, writer)
		a.closeLedger(writer)
	}
}

// openIntent makes the file of a batch and locks it: for as long as it is
// locked, the batch is alive. Between the two, another process may take it for
// one of a dead batch and remove it; then this id is given up.
func (a *Archive) openIntent(path string) (disk.File, error) {
	f, err := a.disk.Create(path, 0o640)
	if err != nil {
		return nil, err
	}
	if err = disk.Hold(a.disk, f); err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, disk.ErrLocked) {
		return nil, errSwept
	}
	return nil, err
}

// errSwept: the batch's file was removed before it was locked.
var errSwept = errors.New("the batch's file was taken for a dead one's")

// lockDead opens the intent of a batch whose process is gone, locked, so that
// nobody else removes what the batch left. It returns nil when the batch is
// alive or has ended.
func (a *Archive) lockDead(path string) disk.File {
	f, err := a.disk.Edit(path)
	if err != nil {
		return nil
	}
	// The owner may have renamed it since it was opened.
	if disk.Hold(a.disk, f) != nil {
		f.Close()
		return nil
	}
	return f
}

// keepReadersOut takes the lock of those who read without a lease; nil when
// somebody does. Who begins to waits until it is closed, and then finds no name
// that goes away under him.
func (a *Archive) keepReadersOut() disk.File {
	f, err := disk.Obtain(a.disk, filepath.Join(a.dir, readersFile), 0o640)
	if err != nil {
		return nil
	}
	if f.TryLock() != nil {
		f.Close()
		return nil
	}
	return f
}
