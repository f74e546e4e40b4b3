package disk

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReplace(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		path := filepath.Join(dir, "file")
		must(t, put(t, d, path+Part, "half, by somebody who died").Close())
		for _, s := range []string{"one", "", "another"} {
			must(t, Replace(d, path, []byte(s), 0o600))
			if got := text(t, d, path); got != s {
				t.Errorf("%q", got)
			}
		}
		st, err := d.Stat(path)
		must(t, err)
		if st.Mode() != 0o600 {
			t.Error(st.Mode())
		}
		if entries, err := d.ReadDir(dir); err != nil || len(entries) != 1 {
			t.Error(entries, err)
		}
	})
}

// The order in which a file is replaced.
func TestReplaceOrder(t *testing.T) {
	var ops []string
	d := Watch(inFolder(t, NewMemory()), func(o Op) error {
		ops = append(ops, o.String())
		return nil
	})
	must(t, Replace(d, "/d/f", []byte("x"), 0o640))
	if got := strings.Join(ops, "\n"); got != `remove /d/f.part
create /d/f.part
write /d/f.part
sync /d/f.part
close /d/f.part
rename /d/f.part to /d/f
sync folder /d` {
		t.Error(got)
	}
}

// A power failure anywhere leaves the old file or the new, and after Replace the
// new.
func TestReplaceCrashes(t *testing.T) {
	kept := []Keep{None, Some, All}
	seen := map[string]int{}
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 2))
		m := inFolder(t, NewMemory())
		must(t, Replace(m, "/d/f", []byte("the old one"), 0o640))
		left, crash := 1+r.IntN(8), (*Memory)(nil)
		d := Watch(m, func(Op) error {
			if left--; left == 0 {
				crash = m.Crash(kept[r.IntN(3)], kept[r.IntN(3)], r)
			}
			return nil
		})
		must(t, Replace(d, "/d/f", []byte("the new one"), 0o640))
		done := crash == nil
		if done {
			crash = m.Crash(None, None, r)
		}
		got := text(t, crash, "/d/f")
		if seen[got]++; got != "the new one" && (done || got != "the old one") {
			t.Fatalf("seed %d: %q", seed, got)
		}
		must(t, Replace(crash, "/d/f", []byte("the next one"), 0o640))
	}
	if len(seen) != 2 {
		t.Error(seen)
	}
}

// When any operation fails, Replace says so, and the old file or the new one is
// there, now and after a power failure.
func TestReplaceFails(t *testing.T) {
	for _, kind := range Kinds {
		for n := 1; ; n++ {
			m := inFolder(t, NewMemory())
			must(t, Replace(m, "/d/f", []byte("old"), 0o640))
			failed := false
			fail := Nth(kind, n, Short{syscall.ENOSPC})
			err := Replace(Watch(m, func(o Op) error {
				err := fail(o)
				failed = failed || err != nil
				return err
			}), "/d/f", []byte("new"), 0o640)
			if !failed {
				must(t, err)
				break
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Errorf("%s %d: %v", kind, n, err)
			}
			for _, d := range []*Memory{m, m.Crash(None, None, rand.New(rand.NewPCG(1, 1)))} {
				if got := text(t, d, "/d/f"); got != "old" && got != "new" {
					t.Errorf("%s %d: %q", kind, n, got)
				}
			}
			must(t, Replace(m, "/d/f", []byte("newer"), 0o640)) // nothing is in the way
		}
	}
}

func TestMakeDir(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		deep := filepath.Join(dir, "a/b/c")
		must(t, MakeDir(d, deep, 0o750))
		must(t, MakeDir(d, deep, 0o750))
		if st, err := d.Stat(deep); err != nil || !st.IsDir() {
			t.Error(err)
		}
		must(t, put(t, d, filepath.Join(dir, "f"), "").Close())
		if err := MakeDir(d, filepath.Join(dir, "f/a"), 0o750); !errors.Is(err, syscall.ENOTDIR) {
			t.Error(err)
		}
	})
}

func TestObtain(t *testing.T) {
	disks(t, func(t *testing.T, d Disk, dir string) {
		for i := range 2 {
			f, err := Obtain(d, filepath.Join(dir, "f"), 0o640)
			must(t, err)
			_, err = f.WriteAt([]byte{'0' + byte(i)}, int64(i))
			must(t, errors.Join(err, f.Close()))
		}
		if got := text(t, d, filepath.Join(dir, "f")); got != "01" {
			t.Errorf("%q", got)
		}
		if _, err := Obtain(d, filepath.Join(dir, "no/f"), 0o640); !errors.Is(err, fs.ErrNotExist) {
			t.Error(err)
		}
	})
	// Its name is durable.
	m := inFolder(t, NewMemory())
	_, err := Obtain(m, "/d/f", 0o640)
	must(t, err)
	want(t, leaves(m, None, None, func(m *Memory) string { return text(t, m, "/d/f") }), "")
}
