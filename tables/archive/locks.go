package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
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
func (a *Archive) tryLock(name string) (*os.File, error) {
	path := filepath.Join(a.dir, lockFolder, name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	if errors.Is(err, os.ErrNotExist) {
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return nil, err
		}
		f, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640)
	}
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w (it holds the lock %s)", ErrLocked, path)
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
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
func (a *Archive) openIntent(path string) (*os.File, error) {
	f, err := a.create(path)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = unix.Fstat(int(f.Fd()), &st)
	}
	if err == nil && st.Nlink > 0 {
		return f, nil
	}
	f.Close()
	if err == nil || errors.Is(err, unix.EWOULDBLOCK) {
		return nil, errSwept
	}
	return nil, fmt.Errorf("lock %s: %w", path, err)
}

// errSwept: the batch's file was removed before it was locked.
var errSwept = errors.New("the batch's file was taken for a dead one's")

// lockDead opens the intent of a batch whose process is gone, locked, so that
// nobody else removes what the batch left. It returns nil when the batch is
// alive or has ended.
func lockDead(path string) *os.File {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		// The owner may have renamed it between the two calls.
		a, err1 := f.Stat()
		b, err2 := os.Stat(path)
		if err1 == nil && err2 == nil && os.SameFile(a, b) {
			return f
		}
	}
	f.Close()
	return nil
}

// keepReadersOut takes the lock of those who read; nil when somebody does. Who
// begins to read waits until it is closed, and then finds no name that goes
// away under him.
func (a *Archive) keepReadersOut() *os.File {
	f, err := os.OpenFile(filepath.Join(a.dir, readersFile), os.O_RDWR|os.O_CREATE, 0o640)
	if err != nil {
		return nil
	}
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		f.Close()
		return nil
	}
	return f
}
