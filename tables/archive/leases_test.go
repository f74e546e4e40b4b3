package archive

import (
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// merging is an archive with a file, and a merge of it that is about to replace it.
type merging struct {
	*testing.T
	d   disk.Disk
	dir string
	a   *Archive
	old string
}

func newMerging(t *testing.T, d disk.Disk) *merging {
	t.Helper()
	m := &merging{T: t, d: d, dir: "/archive"}
	m.a = m.open(d, false)
	tx := begin(t, m.a)
	write(t, tx, "e", []tables.Flow{{TS: 1}, {TS: 2}, {TS: 3}})
	commit(t, tx)
	m.old = catalog(t, m.a).Files(Flows)[0].Path
	return m
}

func (m *merging) open(d disk.Disk, readOnly bool) *Archive {
	m.Helper()
	a, err := Open(m.dir, Options{Disk: d, ReadOnly: readOnly})
	if err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() { a.Close() })
	return a
}

// merge replaces the file.
func (m *merging) merge() {
	m.Helper()
	time.Sleep(2 * settled) // so that it is seen who began before
	tx, err := m.a.Begin("compact")
	if err != nil {
		m.Fatal(err)
	}
	tx.Supersede(catalog(m.T, m.a).Files(Flows))
	write(m.T, tx, "t", []tables.Flow{{TS: 1}, {TS: 2}, {TS: 3}})
	commit(m.T, tx)
	time.Sleep(2 * settled) // so that it is seen who began before
}

// stays tells whether the file is still there when tidied up.
func (m *merging) stays(a *Archive) bool {
	m.Helper()
	if err := a.tidy(); err != nil {
		m.Fatal(err)
	}
	if n := rowsIn(catalog(m.T, a), Flows); n != 3 {
		m.Errorf("%d rows", n)
	}
	_, err := a.disk.Stat(m.old)
	return err == nil
}

// What was replaced stays for the statements that began before, and for no other.
func TestLeases(t *testing.T) {
	m := newMerging(t, disk.NewMemory())
	one, other := m.open(m.d, true), m.open(m.d, true)
	before, alike := one.Lease(), other.Lease().Share()
	m.merge()
	after := one.Lease()
	if !m.stays(m.a) {
		t.Fatal("a file that two statements may read is gone")
	}
	before.Release()
	if !m.stays(m.a) {
		t.Fatal("a file that a statement of another process may read is gone")
	}
	if other.leases.held[0].Release(); !m.stays(m.a) {
		t.Fatal("a shared lease held nothing")
	}
	if alike.Release(); m.stays(m.a) {
		t.Error("a statement that began later keeps a file")
	}
	after.Release()
	after.Release()
}

// Without a statement, nothing stays for a process that could read.
func TestIdleReader(t *testing.T) {
	m := newMerging(t, disk.NewMemory())
	m.open(m.d, true).Lease().Release()
	if m.merge(); m.stays(m.a) {
		t.Error("an idle process keeps a file")
	}
}

// A lease is worth nothing once its process is dead, and not for ever before.
func TestLeaseEnds(t *testing.T) {
	d := disk.NewMemory()
	m := newMerging(t, d)
	m.open(d, true).Lease()
	m.merge()
	left := d.Kill()
	if m.stays(m.open(left, false)) {
		t.Error("a dead process keeps a file")
	}
	if list, err := left.ReadDir(filepath.Join(m.dir, serveFolder, leaseFolder)); err != nil || len(list) > 0 {
		t.Errorf("its lease is still there: %v %v", list, err)
	}
	if d.Age(maxLease + time.Minute); m.stays(m.a) {
		t.Error("a statement keeps a file for ever")
	}
}

// Who can't write a lease is waited for all the same.
func TestReaderWithoutLease(t *testing.T) {
	d := disk.NewMemory()
	m := newMerging(t, d)
	r := m.open(disk.Watch(d, func(o disk.Op) error {
		if o.Kind != disk.OpStat && strings.HasPrefix(o.Path, filepath.Join(m.dir, serveFolder)) {
			return syscall.EACCES
		}
		return nil
	}), true)
	r.Lease()
	m.merge()
	if !m.stays(m.a) {
		t.Fatal("a file that a statement may read is gone")
	}
	r.Close()
	if m.stays(m.a) {
		t.Error("a file stays with no reader left")
	}
}

// A lease that can't be read, or says nothing yet, keeps everything.
func TestUnreadableLease(t *testing.T) {
	m := newMerging(t, disk.NewMemory())
	r := m.open(m.d, true)
	r.Lease()
	if _, err := r.leases.file.WriteAt([]byte(strings.Repeat("x", 42)), 0); err != nil {
		t.Fatal(err)
	}
	if m.merge(); !m.stays(m.a) {
		t.Error("a file is gone that a statement may read")
	}
	m.a.disk = disk.Watch(m.d, func(o disk.Op) error {
		if o.Kind == disk.OpList && filepath.Base(o.Path) == leaseFolder {
			return errors.New("broken")
		}
		return nil
	})
	r.Close()
	if !m.stays(m.a) {
		t.Error("leases can't be listed, and a file is gone")
	}
}
