package disk

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
)

// Part ends the name of a file that is being written.
const Part = ".part"

// Replace writes a small file durably, whole or not at all: who reads it, at any
// time and after any crash, finds what was there before or data. One process may
// do so at a time.
func Replace(d Disk, path string, data []byte, mode fs.FileMode) error {
	part := path + Part
	if err := Remove(d, part); err != nil { // of one that was interrupted
		return err
	}
	f, err := d.Create(part, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, Remove(d, part))
	}
	return d.SyncDir(filepath.Dir(path))
}

// ReadFile reads a file of at most so many bytes.
func ReadFile(d Disk, path string, most int64) ([]byte, error) {
	f, err := d.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s: more than %d bytes", path, most)
	}
	return b, err
}

// Remove removes a file that may be gone already.
func Remove(d Disk, path string) error {
	if err := d.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// MakeDir makes a folder, and those above it, durably; it may be there already.
func MakeDir(d Disk, dir string, mode fs.FileMode) error {
	if _, err := d.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(dir)
	if err := MakeDir(d, above, mode); err != nil {
		return err
	}
	if err := d.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return d.SyncDir(above)
}

// Obtain opens a file for reading and writing, and makes it, durably but for
// its bytes, when there is none.
func Obtain(d Disk, path string, mode fs.FileMode) (File, error) {
	f, err := d.Edit(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	f, err = d.Create(path, mode)
	if errors.Is(err, fs.ErrExist) { // somebody else did
		return d.Edit(path)
	}
	if err != nil {
		return nil, err
	}
	if err := d.SyncDir(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
