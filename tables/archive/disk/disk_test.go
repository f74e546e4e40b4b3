package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kindOf names what matters of an error.
func kindOf(err error) string {
	if err == nil {
		return "done"
	}
	if err == io.EOF {
		return "end of file"
	}
	for _, known := range []error{syscall.EISDIR, syscall.ENOTDIR, syscall.ENOTEMPTY, syscall.EBADF, syscall.EPERM,
		fs.ErrNotExist, fs.ErrExist, os.ErrClosed, ErrLocked} {
		if errors.Is(err, known) {
			return known.Error()
		}
	}
	return err.Error()
}

// player does random operations on a disk, the same for the same seed, and
// writes down what came of each.
type player struct {
	d    Disk
	root string
	open []File
	log  []string
}

func (p *player) say(format string, args ...any) {
	p.log = append(p.log, strings.ReplaceAll(fmt.Sprintf(format, args...), p.root, ""))
}

func (p *player) took(f File, err error) string {
	if err == nil {
		p.open = append(p.open, f)
	}
	return kindOf(err)
}

func (p *player) step(r *rand.Rand) {
	dirs := []string{"a", "b", "a/c", "a/x"} // a/x is a file at times
	dir := filepath.Join(p.root, dirs[r.IntN(len(dirs))])
	name := func() string { return filepath.Join(dir, string(rune('v'+r.IntN(5)))) }
	path, to, other := name(), name(), filepath.Join(p.root, dirs[r.IntN(len(dirs))], "w")
	var f File
	if len(p.open) > 0 {
		f = p.open[r.IntN(len(p.open))]
	}
	data := bytes.Repeat([]byte{byte('a' + r.IntN(26))}, 1+r.IntN(20))
	offset, pick := int64(r.IntN(40)), r.IntN(24)
	buf := make([]byte, 1+r.IntN(30))
	switch {
	case pick == 0:
		p.say("open %s: %s", path, p.took(p.d.Open(path)))
	case pick == 1:
		p.say("edit %s: %s", path, p.took(p.d.Edit(path)))
	case pick < 5:
		p.say("create %s: %s", path, p.took(p.d.Create(path, 0o640)))
	case pick == 5:
		p.say("mkdir %s: %s", dir, kindOf(p.d.Mkdir(dir, 0o750)))
	case pick == 6:
		p.say("remove %s: %s", dir, kindOf(p.d.Remove(dir)))
	case pick == 7:
		p.say("remove %s: %s", path, kindOf(p.d.Remove(path)))
	case pick == 8:
		p.say("rename %s %s: %s", path, to, kindOf(p.d.Rename(path, to)))
	case pick == 9:
		p.say("rename new %s %s: %s", path, to, kindOf(p.d.RenameNew(path, to)))
	case pick == 10:
		p.say("link %s %s: %s", path, other, kindOf(p.d.Link(path, other)))
	case pick == 11:
		if st, err := p.d.Stat(dir); err == nil && st.IsDir() { // a file would be synced
			p.say("sync folder %s: %s", dir, kindOf(p.d.SyncDir(dir)))
		}
	case pick == 12:
		entries, err := p.d.ReadDir(dir)
		p.say("list %s: %s", dir, kindOf(err))
		for _, e := range entries {
			p.say("  %s %v", e.Name(), e.IsDir())
		}
	case pick == 13:
		st, err := p.d.Stat(path)
		p.say("stat %s: %s %s", path, kindOf(err), describe(st))
	case f == nil:
	case pick < 16:
		n, err := f.Write(data)
		p.say("write %s %d: %d %s", f.Name(), len(data), n, kindOf(err))
	case pick == 16:
		n, err := f.WriteAt(data, offset)
		p.say("write %s %d at %d: %d %s", f.Name(), len(data), offset, n, kindOf(err))
	case pick == 17:
		n, err := f.Read(buf)
		p.say("read %s %d: %q %s", f.Name(), len(buf), buf[:n], kindOf(err))
	case pick == 18:
		n, err := f.ReadAt(buf, offset)
		p.say("read %s %d at %d: %q %s", f.Name(), len(buf), offset, buf[:n], kindOf(err))
	case pick == 19:
		st, err := f.Stat()
		p.say("stat open %s: %s %s", f.Name(), kindOf(err), describe(st))
	case pick == 20:
		if _, err := f.Stat(); err == nil {
			p.say("sync %s: %s", f.Name(), kindOf(f.Sync()))
		}
	case pick == 21:
		p.say("lock %s: %s", f.Name(), kindOf(f.TryLock()))
	case pick == 22:
		p.say("hold %s: %s", f.Name(), kindOf(Hold(p.d, f)))
	default:
		p.say("close %s: %s", f.Name(), kindOf(f.Close()))
	}
}

func describe(st fs.FileInfo) string {
	if st == nil {
		return ""
	}
	if st.IsDir() {
		return st.Name() + " folder"
	}
	return fmt.Sprintf("%s file %d %d", st.Name(), st.Size(), st.Sys().(*syscall.Stat_t).Nlink)
}

// The disk in memory does what the machine's does, whatever one does.
func TestMemoryIsLikeReal(t *testing.T) {
	dir := t.TempDir()
	for seed := range uint64(150) {
		var logs [2][]string
		root := filepath.Join(dir, fmt.Sprint(seed))
		for i, d := range []Disk{Real{NoSync: seed%75 > 0}, NewMemory()} {
			must(t, errors.Join(MakeDir(d, filepath.Join(root, "a/c"), 0o750), MakeDir(d, filepath.Join(root, "b"), 0o750)))
			p := &player{d: d, root: root}
			for r := rand.New(rand.NewPCG(seed, 1)); len(p.log) < 300; {
				p.step(r)
			}
			for _, f := range p.open {
				f.Close()
			}
			logs[i] = p.log
		}
		for i := range min(len(logs[0]), len(logs[1])) {
			if logs[0][i] != logs[1][i] {
				t.Fatalf("seed %d:\n%s\nreal:   %s\nmemory: %s", seed, strings.Join(logs[0][max(0, i-20):i], "\n"), logs[0][i], logs[1][i])
			}
		}
	}
}

// disks are all there are, each with an empty folder.
func disks(t *testing.T, test func(t *testing.T, d Disk, dir string)) {
	t.Run("real", func(t *testing.T) { test(t, Real{}, t.TempDir()) })
	t.Run("memory", func(t *testing.T) { test(t, inFolder(t, NewMemory()), "/d") })
	t.Run("watched", func(t *testing.T) {
		test(t, Watch(inFolder(t, NewMemory()), func(Op) error { return nil }), "/d")
	})
}

// inFolder gives a disk the durable folder /d.
func inFolder(t testing.TB, m *Memory) *Memory {
	t.Helper()
	must(t, errors.Join(m.Mkdir("/d", 0o750), m.SyncDir("/")))
	return m
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// put makes a file, without syncing anything.
func put(t testing.TB, d Disk, path, text string) File {
	t.Helper()
	f, err := d.Create(path, 0o640)
	must(t, err)
	_, err = f.Write([]byte(text))
	must(t, err)
	return f
}

// text is what a file holds; "none" when there is none.
func text(t testing.TB, d Disk, path string) string {
	t.Helper()
	b, err := ReadFile(d, path, 1<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return "none"
	}
	must(t, err)
	return string(b)
}

func TestLocks(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		path := filepath.Join(dir, "lock")
		var f [3]File
		for i := range f {
			var err error
			f[i], err = Obtain(d, path, 0o640)
			must(t, err)
			defer f[i].Close()
		}
		must(t, f[0].RLock())
		must(t, f[1].RLock())
		if err := f[2].TryLock(); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
		got := make(chan error)
		go func() { got <- f[2].Lock() }()
		must(t, f[0].Close())
		select {
		case err := <-got:
			t.Fatal("locked beside a reader:", err)
		case <-time.After(20 * time.Millisecond):
		}
		must(t, f[1].Close())
		must(t, <-got)
		must(t, f[2].TryLock()) // its own
		g, err := d.Edit(path)
		must(t, err)
		defer g.Close()
		if err := Hold(d, g); !errors.Is(err, ErrLocked) {
			t.Error(err)
		}
		must(t, f[2].RLock())
		must(t, g.RLock())
	})
}

// A lock on a file that lost its name is none.
func TestHold(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		path := filepath.Join(dir, "lock")
		f := put(t, d, path, "")
		defer f.Close()
		must(t, Hold(d, f))
		must(t, d.Remove(path))
		if err := Hold(d, f); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
		defer put(t, d, path, "").Close()
		if err := Hold(d, f); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
}

func TestReadFile(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		path := filepath.Join(dir, "file")
		must(t, put(t, d, path, "12345").Close())
		if b, err := ReadFile(d, path, 5); err != nil || string(b) != "12345" {
			t.Errorf("%q %v", b, err)
		}
		if _, err := ReadFile(d, path, 4); err == nil {
			t.Error("a file larger than allowed was read")
		}
		if _, err := ReadFile(d, dir, 4); !errors.Is(err, syscall.EISDIR) {
			t.Error(err)
		}
	})
}

func TestChanged(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		before := time.Now().Add(-time.Second)
		path := filepath.Join(dir, "file")
		must(t, put(t, d, path, "1").Close())
		st, err := d.Stat(path)
		must(t, err)
		if c := Changed(st); c.Before(before) || c.After(time.Now().Add(time.Second)) {
			t.Error(c)
		}
	})
}
