package disk

import (
	"errors"
	"syscall"
	"testing"
)

// each does one operation of a kind, with the file /d/f, which holds abcdef.
var each = map[Kind]func(Disk) error{
	OpOpen:    func(d Disk) error { _, err := d.Open("/d/f"); return err },
	OpEdit:    func(d Disk) error { _, err := d.Edit("/d/f"); return err },
	OpCreate:  func(d Disk) error { _, err := d.Create("/d/g", 0o640); return err },
	OpStat:    func(d Disk) error { _, err := d.Stat("/d/f"); return err },
	OpList:    func(d Disk) error { _, err := d.ReadDir("/d"); return err },
	OpMkdir:   func(d Disk) error { return d.Mkdir("/d/g", 0o750) },
	OpRename:  func(d Disk) error { return errors.Join(d.Rename("/d/f", "/d/g"), d.RenameNew("/d/g", "/d/f")) },
	OpLink:    func(d Disk) error { return d.Link("/d/f", "/d/g") },
	OpRemove:  func(d Disk) error { return d.Remove("/d/f") },
	OpSyncDir: func(d Disk) error { return d.SyncDir("/d") },
	OpRead: with(func(f File) error {
		b := make([]byte, 2)
		_, err := f.Read(b)
		_, err2 := f.ReadAt(b, 1)
		return errors.Join(err, err2)
	}),
	OpWrite: with(func(f File) error {
		_, err := f.Write([]byte("xyz"))
		_, err2 := f.WriteAt([]byte("xyz"), 1)
		return errors.Join(err, err2)
	}),
	OpSync:  with(File.Sync),
	OpLock:  with(func(f File) error { return errors.Join(f.Lock(), f.RLock(), f.TryLock()) }),
	OpClose: with(func(File) error { return nil }),
}

func with(do func(File) error) func(Disk) error {
	return func(d Disk) error {
		f, err := d.Edit("/d/f")
		if err != nil {
			return err
		}
		return errors.Join(do(f), f.Close())
	}
}

// Every operation is asked for, and is not done if it must not be.
func TestWatch(t *testing.T) {
	if len(each) != len(Kinds) {
		t.Errorf("%d kinds, %d tried", len(Kinds), len(each))
	}
	for _, kind := range Kinds {
		for _, failing := range []error{nil, syscall.EIO, Short{syscall.EIO}} {
			m := inFolder(t, NewMemory())
			must(t, put(t, m, "/d/f", "abcdef").Close())
			asked := 0
			err := each[kind](Watch(m, func(o Op) error {
				if o.Kind != kind {
					return nil
				}
				asked++
				return failing
			}))
			if asked == 0 || failing == nil && err != nil || failing != nil && !errors.Is(err, syscall.EIO) {
				t.Errorf("%s: asked %d times, %v", kind, asked, err)
			}
			_, half := failing.(Short)
			_, err = m.Stat("/d/g")
			unchanged := text(t, m, "/d/f") == "abcdef" && err != nil
			if failing != nil && !unchanged && !(half && kind == OpWrite) {
				t.Errorf("%s was done all the same", kind)
			}
		}
	}
}

func TestShort(t *testing.T) {
	m := inFolder(t, NewMemory())
	short := func(kind Kind, err error) Disk { return Watch(m, Nth(kind, 1, Short{err})) }
	f, err := short(OpWrite, syscall.ENOSPC).Create("/d/f", 0o640)
	must(t, err)
	if n, err := f.Write([]byte("abcdef")); n != 3 || !errors.Is(err, syscall.ENOSPC) {
		t.Error(n, err)
	}
	if n, err := f.Write([]byte("def")); n != 3 || err != nil {
		t.Error(n, err)
	}
	b := make([]byte, 6)
	f, err = short(OpRead, nil).Open("/d/f")
	must(t, err)
	if n, err := f.Read(b); n != 3 || err != nil {
		t.Error(n, err)
	}
	if n, err := f.Read(b[3:]); n != 3 || err != nil || string(b) != "abcdef" {
		t.Errorf("%d %v %q", n, err, b)
	}
	f, err = short(OpRead, syscall.EIO).Open("/d/f")
	must(t, err)
	if n, err := f.ReadAt(b, 0); n != 3 || !errors.Is(err, syscall.EIO) {
		t.Error(n, err)
	}
}

func TestNth(t *testing.T) {
	m := inFolder(t, NewMemory())
	d := Watch(m, Nth(OpCreate, 2, syscall.ENOSPC))
	for i, path := range []string{"/d/a", "/d/b", "/d/c"} {
		if _, err := d.Create(path, 0o640); errors.Is(err, syscall.ENOSPC) != (i == 1) {
			t.Error(path, err)
		}
	}
}
