package disk

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// leaves lists what a hundred crashes leave of a disk, as show describes it.
func leaves(m *Memory, names, data Keep, show func(*Memory) string) []string {
	var out []string
	for seed := range uint64(100) {
		out = append(out, show(m.Crash(names, data, rand.New(rand.NewPCG(seed, 0)))))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// What no sync reached may be gone, or there, or there by half.
func TestCrash(t *testing.T) {
	m := inFolder(t, NewMemory())
	f := put(t, m, "/d/f", "old")
	show := func(m *Memory) string { return text(t, m, "/d/f") }
	want(t, leaves(m, None, All, show), "none")
	want(t, leaves(m, All, None, show), "") // a name without bytes
	want(t, leaves(m, All, All, show), "old")
	want(t, leaves(m, All, Some, show), "", "o", "ol", "old")
	want(t, leaves(m, Some, All, show), "none", "old")

	must(t, f.Sync()) // the bytes, not the name
	want(t, leaves(m, None, All, show), "none")
	want(t, leaves(m, All, None, show), "old")
	must(t, m.SyncDir("/d"))
	want(t, leaves(m, None, None, show), "old")

	// Writes are kept in no order, and leave holes.
	_, err := f.WriteAt([]byte("N"), 0)
	must(t, err)
	_, err = f.WriteAt([]byte("x"), 4)
	must(t, err)
	want(t, leaves(m, None, None, show), "old")
	want(t, leaves(m, None, All, show), "Nld\x00x")
	got := leaves(m, None, Some, show)
	for _, text := range []string{"old", "Nld", "old\x00x", "Nld\x00x"} {
		if !slices.Contains(got, text) {
			t.Errorf("never %q: %q", text, got)
		}
	}
	want(t, []string{text(t, m, "/d/f")}, "Nld\x00x") // and the disk goes on
}

func TestCrashNames(t *testing.T) {
	m := inFolder(t, NewMemory())
	for _, path := range []string{"/d/a", "/d/b"} {
		f := put(t, m, path, path[3:])
		must(t, errors.Join(f.Sync(), f.Close()))
	}
	must(t, m.SyncDir("/d"))
	show := func(m *Memory) string {
		var out []string
		entries, err := m.ReadDir("/d")
		must(t, err)
		for _, e := range entries {
			out = append(out, e.Name()+"="+text(t, m, "/d/"+e.Name()))
		}
		return strings.Join(out, " ")
	}
	// A rename is one step.
	must(t, m.Rename("/d/a", "/d/b"))
	want(t, leaves(m, None, None, show), "a=a b=b")
	want(t, leaves(m, Some, None, show), "a=a b=b", "b=a")
	// The later of two changes may be kept without the earlier.
	must(t, m.Link("/d/b", "/d/c"))
	must(t, m.Remove("/d/b"))
	want(t, leaves(m, Some, None, show), "", "a=a", "a=a b=b", "a=a b=b c=a", "a=a c=a", "b=a", "b=a c=a", "c=a")
	must(t, m.SyncDir("/d"))
	want(t, leaves(m, Some, None, show), "c=a")
}

// What lies in a folder whose own name is not durable is not durable either.
func TestCrashFolders(t *testing.T) {
	m := NewMemory()
	must(t, m.Mkdir("/d", 0o750))
	f := put(t, m, "/d/f", "x")
	must(t, errors.Join(f.Sync(), m.SyncDir("/d")))
	show := func(m *Memory) string { return text(t, m, "/d/f") }
	want(t, leaves(m, None, All, show), "none")
	must(t, m.SyncDir("/"))
	want(t, leaves(m, None, All, show), "x")

	must(t, MakeDir(m, "/d/2026/11/28", 0o750))
	must(t, put(t, m, "/d/2026/11/28/f", "").Close())
	must(t, m.SyncDir("/d/2026/11/28"))
	want(t, leaves(m, None, All, func(m *Memory) string { return text(t, m, "/d/2026/11/28/f") }), "")
}

// Two names of a file stay names of one file; locks end.
func TestCrashKeepsLinks(t *testing.T) {
	m := inFolder(t, NewMemory())
	f := put(t, m, "/d/a", "x")
	must(t, m.Link("/d/a", "/d/b"))
	must(t, f.TryLock())
	for name, after := range map[string]*Memory{
		"crash": m.Crash(All, All, rand.New(rand.NewPCG(1, 1))), "kill": m.Kill(),
	} {
		g, err := after.Edit("/d/a")
		must(t, err)
		must(t, g.TryLock())
		_, err = g.WriteAt([]byte("y"), 0)
		must(t, err)
		if got := text(t, after, "/d/b") + text(t, m, "/d/b"); got != "yx" {
			t.Error(name, got)
		}
		for _, d := range []*Memory{m, after} {
			st, err := d.Stat("/d/b")
			must(t, err)
			if got := describe(st); got != "b file 1 2" {
				t.Error(name, got)
			}
		}
	}
}

// A process that dies leaves what is not durable as it is: a power failure may
// take it still.
func TestKill(t *testing.T) {
	m := inFolder(t, NewMemory())
	put(t, m, "/d/f", "x")
	m = m.Kill()
	show := func(m *Memory) string { return text(t, m, "/d/f") }
	want(t, []string{show(m)}, "x")
	want(t, leaves(m, None, All, show), "none")
	want(t, leaves(m, All, None, show), "")
	must(t, m.SyncDir("/d"))
	f, err := m.Edit("/d/f")
	must(t, err)
	must(t, f.Sync())
	want(t, leaves(m, None, None, show), "x")
}

func TestAge(t *testing.T) {
	m := inFolder(t, NewMemory())
	must(t, put(t, m, "/d/f", "x").Close())
	must(t, m.Link("/d/f", "/d/g"))
	m.Age(time.Hour)
	st, err := m.Stat("/d/g")
	must(t, err)
	for _, at := range []time.Time{st.ModTime(), Changed(st)} {
		if age := time.Since(at); age < time.Hour || age > time.Hour+time.Minute {
			t.Error(age)
		}
	}
}
