// Package disk is the door between an archive and its files: every operation
// on them is one of Disk or File. Behind it is the machine's file system (Real),
// or one in memory that can be left as a power failure leaves it (Memory); Watch
// stands in between and sees each operation, or has it fail.
//
// What goes round it: DuckDB opens row files by their paths, and reads.
//
// # What is durable
//
// File.Sync makes a file's bytes durable, not its name; Disk.SyncDir makes the
// names in a folder durable, not the bytes they lead to. Of what was done since,
// a power failure keeps anything: the later of two writes without the earlier,
// a name without its bytes, part of a write. So whatever must be there whole is
// written under a name that counts for nothing, synced, renamed, and its folder
// synced: Replace does so with a small file, a batch of an archive with many.
package disk

import (
	"errors"
	"io"
	"io/fs"
	"syscall"
	"time"
)

// Disk holds files under absolute paths. Its errors are those of package os:
// they wrap fs.ErrNotExist, fs.ErrExist and the system's numbers. All methods may
// be called from several goroutines.
type Disk interface {
	// Open opens a file for reading.
	Open(path string) (File, error)
	// Edit opens a file that exists for reading and writing.
	Edit(path string) (File, error)
	// Create makes a file that does not exist, for reading and writing.
	Create(path string, mode fs.FileMode) (File, error)
	// Stat describes what is at a path.
	Stat(path string) (fs.FileInfo, error)
	// ReadDir lists a folder, in the order of the names.
	ReadDir(path string) ([]fs.DirEntry, error)
	// Mkdir makes a folder in one that exists.
	Mkdir(path string, mode fs.FileMode) error
	// Rename gives a file another name in its folder, instead of the file that
	// had it: who looks finds one or the other.
	Rename(from, to string) error
	// RenameNew is Rename that fails when the name is taken.
	RenameNew(from, to string) error
	// Link gives a file a second name, which must be free.
	Link(from, to string) error
	// Remove takes away a name, or an empty folder. A file without a name stays
	// for those who have it open.
	Remove(path string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(path string) error
	// Space is how many bytes the file system of a path has, and how many of
	// them may still be written.
	Space(path string) (total, free int64, err error)
}

// File is an open file. Its methods, but for Read and Write, may be called from
// several goroutines.
type File interface {
	io.Reader
	io.ReaderAt
	io.Writer
	io.WriterAt
	io.Closer
	// Name is the path the file was opened by.
	Name() string
	Stat() (fs.FileInfo, error)
	// Sync makes the file's bytes durable. Those of one that failed are not, whatever the
	// next says: they have to be written again.
	Sync() error
	// Truncate cuts the file off at a size.
	Truncate(size int64) error

	// Lock takes the file's lock and waits for it, RLock one that is shared
	// with others who take it so. TryLock is Lock that gives ErrLocked instead
	// of waiting. A lock holds among all processes, until Close or the end of
	// the process.
	Lock() error
	RLock() error
	TryLock() error

	// Advise says how a part of the file will be used; length 0 reaches to its
	// end. It may be ignored.
	Advise(offset, length int64, use Use)
	// ReadNow reads what would need no waiting for the disk, which may be
	// nothing, and returns how many bytes that was.
	ReadNow(b []byte, offset int64) int
}

// Use is how a part of a file will be used.
type Use int

// The uses: read through, read here and there, read soon, written whole.
const (
	Sequential Use = iota
	Random
	WillNeed
	// Written means that the file is written from its start to its end, mostly in
	// multiples of Block, by more than there is a use for in memory: Write then
	// goes past it, at a sixth of the processor's time and straight to the disk.
	// Such a file is not to be read through the same File.
	Written
)

// Block is the unit of disks, bytes.
const Block = 4096

// ErrLocked is wrapped by the error of a TryLock while somebody has the lock.
var ErrLocked = errors.New("the file is locked")

// Changed is when anything of a file changed last: bytes, names, rights.
func Changed(st fs.FileInfo) time.Time {
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		return time.Unix(sys.Ctim.Unix())
	}
	return st.ModTime()
}

// same tells whether two descriptions are of one file.
func same(a, b fs.FileInfo) bool {
	x, ok1 := a.Sys().(*syscall.Stat_t)
	y, ok2 := b.Sys().(*syscall.Stat_t)
	return ok1 && ok2 && x.Dev == y.Dev && x.Ino == y.Ino
}

// Hold takes the lock of a file that means something only as long as it has its
// name: an error that wraps fs.ErrNotExist says that its name was taken from it
// before it was locked.
func Hold(d Disk, f File) error {
	if err := f.TryLock(); err != nil {
		return err
	}
	mine, err := f.Stat()
	if err != nil {
		return err
	}
	named, err := d.Stat(f.Name())
	if err == nil && !same(mine, named) {
		err = &fs.PathError{Op: "lock", Path: f.Name(), Err: fs.ErrNotExist}
	}
	return err
}
