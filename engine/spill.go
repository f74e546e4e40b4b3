package engine

import (
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Where DuckDB puts what memory has no room for: a folder of each process, locked
// while it lives. A process that was killed leaves its folder; the next one that
// starts removes it.

const (
	spillPrefix  = "wiresql-spill-"
	spillNew     = "wiresql-new-" // until it is locked
	spillFolders = 1000           // of the dead, looked at by one start
)

// newSpill makes a process's folder below dir, the system's temporary one if that
// is empty. The lock is held until it is closed.
func newSpill(dir string) (path string, lock *os.File, err error) {
	fail := func(err error) (string, *os.File, error) {
		return "", nil, fmt.Errorf("create spill directory: %w", err)
	}
	made, err := os.MkdirTemp(dir, spillNew)
	if err != nil {
		return fail(err)
	}
	removeSpills(filepath.Dir(made))
	lock, err = lockedFolder(made)
	path = filepath.Join(filepath.Dir(made), spillPrefix+filepath.Base(made)[len(spillNew):])
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		if lock != nil {
			lock.Close()
		}
		os.RemoveAll(made)
		return fail(err)
	}
	return path, lock, nil
}

// lockedFolder opens a folder that nobody has locked, and locks it.
func lockedFolder(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// removeSpills removes the folders of processes that are dead. What can't be
// looked at is another user's.
func removeSpills(dir string) {
	found, _ := filepath.Glob(filepath.Join(dir, spillPrefix+"*"))
	for _, name := range found[:min(len(found), spillFolders)] {
		if f, err := lockedFolder(name); err == nil {
			os.RemoveAll(name)
			f.Close()
		}
	}
}
