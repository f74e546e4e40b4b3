package disk

import (
	"errors"
	"io/fs"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Real is the machine's file system.
type Real struct {
	// NoSync skips every sync: for benchmarks and tests.
	NoSync bool
}

func (r Real) opened(f *os.File, err error) (File, error) {
	if err != nil {
		return nil, err // not a File that holds nil
	}
	return &realFile{File: f, noSync: r.NoSync}, nil
}

func (r Real) Open(path string) (File, error) { return r.opened(os.Open(path)) }

func (r Real) Edit(path string) (File, error) { return r.opened(os.OpenFile(path, os.O_RDWR, 0)) }

func (r Real) Create(path string, mode fs.FileMode) (File, error) {
	return r.opened(os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, mode))
}

func (Real) Stat(path string) (fs.FileInfo, error)      { return os.Stat(path) }
func (Real) ReadDir(path string) ([]fs.DirEntry, error) { return os.ReadDir(path) }
func (Real) Mkdir(path string, mode fs.FileMode) error  { return os.Mkdir(path, mode) }
func (Real) Rename(from, to string) error               { return os.Rename(from, to) }
func (Real) Link(from, to string) error                 { return os.Link(from, to) }
func (Real) Remove(path string) error                   { return os.Remove(path) }

func (Real) RenameNew(from, to string) error {
	err := unix.Renameat2(unix.AT_FDCWD, from, unix.AT_FDCWD, to, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) { // a file system that can't say so
		if _, err = os.Lstat(to); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(from, to)
		} else if err == nil {
			err = fs.ErrExist
		}
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}

// Space implements Disk.
func (Real) Space(path string) (total, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0, 0, &fs.PathError{Op: "statfs", Path: path, Err: err}
	}
	return int64(st.Blocks) * st.Bsize, int64(st.Bavail) * st.Bsize, nil
}

func (r Real) SyncDir(path string) error {
	if r.NoSync {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) { // a file system that syncs no folders
		err = nil
	}
	return errors.Join(err, f.Close())
}

type realFile struct {
	*os.File
	noSync bool
	direct bool // O_DIRECT is set
}

// setDirect has writes go past memory, or not; not every file system can.
func (f *realFile) setDirect(on bool) {
	flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
	if err != nil {
		return
	}
	set := flags &^ unix.O_DIRECT
	if on {
		set |= unix.O_DIRECT
	}
	_, err = unix.FcntlInt(f.Fd(), unix.F_SETFL, set)
	f.direct = on && err == nil
}

// Write implements io.Writer. What is no whole block, in memory or in length, goes
// the usual way, and all that follows.
func (f *realFile) Write(b []byte) (int, error) {
	if f.direct && (len(b)%Block != 0 || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%Block != 0) {
		f.setDirect(false)
	}
	n, err := f.File.Write(b)
	if f.direct && errors.Is(err, unix.EINVAL) { // larger blocks, or none at all
		f.setDirect(false)
		rest, err := f.File.Write(b[n:])
		return n + rest, err
	}
	return n, err
}

func (f *realFile) Sync() error {
	if f.noSync {
		return nil
	}
	return f.File.Sync()
}

func (f *realFile) flock(how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			err = ErrLocked
		case f.Fd() == ^uintptr(0):
			err = os.ErrClosed
		}
		return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
}

func (f *realFile) Lock() error    { return f.flock(unix.LOCK_EX) }
func (f *realFile) RLock() error   { return f.flock(unix.LOCK_SH) }
func (f *realFile) TryLock() error { return f.flock(unix.LOCK_EX | unix.LOCK_NB) }

func (f *realFile) Advise(offset, length int64, use Use) {
	if use == Written {
		f.setDirect(true)
		return
	}
	how := [...]int{Sequential: unix.FADV_SEQUENTIAL, Random: unix.FADV_RANDOM, WillNeed: unix.FADV_WILLNEED}[use]
	_ = unix.Fadvise(int(f.Fd()), offset, length, how)
}

func (f *realFile) ReadNow(b []byte, offset int64) int {
	n, err := unix.Preadv2(int(f.Fd()), [][]byte{b}, offset, unix.RWF_NOWAIT)
	if err != nil {
		return 0
	}
	return n
}
