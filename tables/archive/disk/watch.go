package disk

import (
	"fmt"
	"io"
	"io/fs"
	"sync"
)

// Kind is a kind of operation.
type Kind string

// The kinds. Obtaining locks is one, however it is done.
const (
	OpOpen    Kind = "open"
	OpEdit    Kind = "edit"
	OpCreate  Kind = "create"
	OpStat    Kind = "stat"
	OpList    Kind = "list"
	OpMkdir   Kind = "mkdir"
	OpRename  Kind = "rename"
	OpLink    Kind = "link"
	OpRemove  Kind = "remove"
	OpSyncDir Kind = "sync folder"
	OpRead    Kind = "read"
	OpWrite   Kind = "write"
	OpSync    Kind = "sync"
	OpLock    Kind = "lock"
	OpClose   Kind = "close"
)

// Kinds are all of them.
var Kinds = []Kind{OpOpen, OpEdit, OpCreate, OpStat, OpList, OpMkdir, OpRename, OpLink, OpRemove, OpSyncDir, OpRead, OpWrite, OpSync, OpLock, OpClose}

// Op is an operation that is about to be done.
type Op struct {
	Kind Kind
	Path string
	To   string // the new name of a Rename or Link
}

func (o Op) String() string {
	if o.To != "" {
		return fmt.Sprintf("%s %s to %s", o.Kind, o.Path, o.To)
	}
	return fmt.Sprintf("%s %s", o.Kind, o.Path)
}

// Watch returns a disk that asks before each operation on d: an error is the
// operation's, which is not done. If it is a Short, reads and writes are done by
// half. A file that fails to close is closed all the same.
func Watch(d Disk, before func(Op) error) Disk { return &watched{d, before} }

// Short is an error of an operation that gets half-way. With no error in it a
// read ends early, as reads may, or at the end of the file, and a write with
// io.ErrShortWrite.
type Short struct{ Err error }

func (s Short) Error() string {
	if s.Err == nil {
		return "half done"
	}
	return "half done: " + s.Err.Error()
}

func (s Short) Unwrap() error { return s.Err }

// Nth is for Watch: it has the n-th operation of a kind, counted from 1, fail.
func Nth(kind Kind, n int, err error) func(Op) error {
	var mu sync.Mutex
	return func(o Op) error {
		mu.Lock()
		defer mu.Unlock()
		if o.Kind != kind {
			return nil
		}
		if n--; n != 0 {
			return nil
		}
		return err
	}
}

type watched struct {
	d      Disk
	before func(Op) error
}

// ask asks for an operation on one path.
func (w *watched) ask(k Kind, path string) error { return w.fail(Op{Kind: k, Path: path}) }

func (w *watched) fail(o Op) error {
	if err := w.before(o); err != nil {
		return &fs.PathError{Op: string(o.Kind), Path: o.Path, Err: err}
	}
	return nil
}

func (w *watched) open(k Kind, path string, open func() (File, error)) (File, error) {
	if err := w.ask(k, path); err != nil {
		return nil, err
	}
	f, err := open()
	if err != nil {
		return nil, err
	}
	return &watchedFile{f, w}, nil
}

func (w *watched) Open(path string) (File, error) {
	return w.open(OpOpen, path, func() (File, error) { return w.d.Open(path) })
}

func (w *watched) Edit(path string) (File, error) {
	return w.open(OpEdit, path, func() (File, error) { return w.d.Edit(path) })
}

func (w *watched) Create(path string, mode fs.FileMode) (File, error) {
	return w.open(OpCreate, path, func() (File, error) { return w.d.Create(path, mode) })
}

func (w *watched) Stat(path string) (fs.FileInfo, error) {
	if err := w.ask(OpStat, path); err != nil {
		return nil, err
	}
	return w.d.Stat(path)
}

func (w *watched) ReadDir(path string) ([]fs.DirEntry, error) {
	if err := w.ask(OpList, path); err != nil {
		return nil, err
	}
	return w.d.ReadDir(path)
}

func (w *watched) Mkdir(path string, mode fs.FileMode) error {
	if err := w.ask(OpMkdir, path); err != nil {
		return err
	}
	return w.d.Mkdir(path, mode)
}

func (w *watched) Rename(from, to string) error {
	if err := w.fail(Op{OpRename, from, to}); err != nil {
		return err
	}
	return w.d.Rename(from, to)
}

func (w *watched) RenameNew(from, to string) error {
	if err := w.fail(Op{OpRename, from, to}); err != nil {
		return err
	}
	return w.d.RenameNew(from, to)
}

func (w *watched) Link(from, to string) error {
	if err := w.fail(Op{OpLink, from, to}); err != nil {
		return err
	}
	return w.d.Link(from, to)
}

func (w *watched) Remove(path string) error {
	if err := w.ask(OpRemove, path); err != nil {
		return err
	}
	return w.d.Remove(path)
}

func (w *watched) Space(path string) (total, free int64, err error) { return w.d.Space(path) }

func (w *watched) SyncDir(path string) error {
	if err := w.ask(OpSyncDir, path); err != nil {
		return err
	}
	return w.d.SyncDir(path)
}

type watchedFile struct {
	File
	w *watched
}

// part does a read or write, or half of it.
func (f *watchedFile) part(k Kind, b []byte, early error, do func([]byte) (int, error)) (int, error) {
	err := f.w.before(Op{Kind: k, Path: f.Name()})
	if err == nil {
		return do(b)
	}
	short, half := err.(Short)
	if half {
		n, e := do(b[:len(b)/2])
		if e != nil {
			return n, e
		}
		if short.Err == nil {
			return n, early
		}
		return n, &fs.PathError{Op: string(k), Path: f.Name(), Err: short.Err}
	}
	return 0, &fs.PathError{Op: string(k), Path: f.Name(), Err: err}
}

func (f *watchedFile) Read(b []byte) (int, error) {
	return f.part(OpRead, b, nil, f.File.Read)
}

func (f *watchedFile) ReadAt(b []byte, off int64) (int, error) {
	return f.part(OpRead, b, io.EOF, func(b []byte) (int, error) { return f.File.ReadAt(b, off) })
}

func (f *watchedFile) Write(b []byte) (int, error) {
	return f.part(OpWrite, b, io.ErrShortWrite, f.File.Write)
}

func (f *watchedFile) WriteAt(b []byte, off int64) (int, error) {
	return f.part(OpWrite, b, io.ErrShortWrite, func(b []byte) (int, error) { return f.File.WriteAt(b, off) })
}

func (f *watchedFile) Close() error {
	err := f.w.ask(OpClose, f.Name())
	if e := f.File.Close(); e != nil {
		return e
	}
	return err
}

func (f *watchedFile) Stat() (fs.FileInfo, error) {
	if err := f.w.ask(OpStat, f.Name()); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

func (f *watchedFile) Sync() error {
	if err := f.w.ask(OpSync, f.Name()); err != nil {
		if m, ok := f.File.(*handle); ok {
			m.forget()
		}
		return err
	}
	return f.File.Sync()
}

func (f *watchedFile) Truncate(size int64) error {
	if err := f.w.ask(OpWrite, f.Name()); err != nil {
		return err
	}
	return f.File.Truncate(size)
}

func (f *watchedFile) Lock() error {
	if err := f.w.ask(OpLock, f.Name()); err != nil {
		return err
	}
	return f.File.Lock()
}

func (f *watchedFile) RLock() error {
	if err := f.w.ask(OpLock, f.Name()); err != nil {
		return err
	}
	return f.File.RLock()
}

func (f *watchedFile) TryLock() error {
	if err := f.w.ask(OpLock, f.Name()); err != nil {
		return err
	}
	return f.File.TryLock()
}

// ReadNow is no operation that can fail: it may read nothing.
func (f *watchedFile) ReadNow(b []byte, off int64) int { return 0 }
