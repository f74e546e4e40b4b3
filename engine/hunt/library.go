package hunt

import (
	"cmp"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed shipped
var shipped embed.FS

// Shipped are the hunts of the program itself, by name. A mistake in one is a bug.
var Shipped = sync.OnceValue(func() []*Hunt {
	files, err := fs.ReadDir(shipped, "shipped")
	if err != nil {
		panic(err)
	}
	var out []*Hunt
	for _, f := range files {
		text, err := fs.ReadFile(shipped, path.Join("shipped", f.Name()))
		if err != nil {
			panic(err)
		}
		h, err := Parse(f.Name(), strings.TrimSuffix(f.Name(), ".sql"), string(text))
		if err != nil {
			panic(err)
		}
		out = append(out, h)
	}
	return out
})

// maxHunts bounds the files that are read of a directory.
const maxHunts = 1000

// Library is the hunts there are: those that are shipped, and those of a
// directory. One there takes the place of one that is shipped.
type Library struct {
	dir string // empty for none

	mu    sync.Mutex
	files map[string]*read
}

// read is a file as it was read.
type read struct {
	size     int64
	modified time.Time
	hunt     *Hunt
	err      error
}

// NewLibrary gives the hunts of a directory beside those that are shipped. It
// need not be there yet.
func NewLibrary(dir string) *Library { return &Library{dir: dir, files: map[string]*read{}} }

// Entry is a hunt, or a file that is none.
type Entry struct {
	*Hunt
	// File is where it was read; Err what is wrong there, if Hunt is nil.
	File string
	Err  error
}

// ID is the name of the hunt, or the one the file would have.
func (e *Entry) ID() string {
	if e.Hunt != nil {
		return e.Hunt.Name
	}
	return strings.TrimSuffix(filepath.Base(e.File), ".sql")
}

// List gives all hunts by name. Files of the directory that changed since the
// last time are read again; a bad one is an entry with an error.
func (l *Library) List() ([]Entry, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	byName := map[string]Entry{}
	for _, h := range Shipped() {
		byName[h.Name] = Entry{Hunt: h}
	}
	names, gone := l.follow()
	for _, name := range names {
		f := l.files[name]
		e := Entry{Hunt: f.hunt, File: filepath.Join(l.dir, name), Err: f.err}
		byName[e.ID()] = e
	}
	var out []Entry
	for _, e := range byName {
		out = append(out, e)
	}
	if gone != nil { // the shipped ones are there all the same
		out = append(out, Entry{File: l.dir, Err: gone})
	}
	// What has a hunt stands before what has its name only.
	slices.SortFunc(out, func(a, b Entry) int {
		return cmp.Or(cmp.Compare(a.ID(), b.ID()), cmp.Compare(min(len(a.File), 1), min(len(b.File), 1)))
	})
	return out, nil
}

// follow reads what changed in the directory, and gives the names of its files.
func (l *Library) follow() (names []string, err error) {
	if l.dir == "" {
		return nil, nil
	}
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, fmt.Errorf("hunts of %s: %w", l.dir, err)
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".sql") || e.IsDir() {
			continue
		}
		if len(names) == maxHunts {
			return nil, fmt.Errorf("%s has more than %d hunts", l.dir, maxHunts)
		}
		names = append(names, e.Name())
		st, err := os.Stat(filepath.Join(l.dir, e.Name()))
		if err != nil {
			l.files[e.Name()] = &read{err: err}
			continue
		}
		if f := l.files[e.Name()]; f == nil || f.size != st.Size() || !f.modified.Equal(st.ModTime()) {
			l.files[e.Name()] = l.load(e.Name(), st)
		}
	}
	return names, nil
}

func (l *Library) load(name string, st fs.FileInfo) *read {
	out := &read{size: st.Size(), modified: st.ModTime()}
	file := filepath.Join(l.dir, name)
	if !st.Mode().IsRegular() {
		out.err = fmt.Errorf("%s is no file", file)
		return out
	}
	f, err := os.Open(file)
	if err != nil {
		out.err = err
		return out
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		out.err = err
		return out
	}
	if out.hunt, out.err = Parse(file, strings.TrimSuffix(name, ".sql"), string(text)); out.hunt != nil {
		out.hunt.File = file
	}
	return out
}

// Unknown is the name of a hunt that is not there.
type Unknown string

func (u Unknown) Error() string { return fmt.Sprintf("there is no hunt %s: see hunt.hunts", string(u)) }

// Find gives a hunt by name.
func (l *Library) Find(name string) (*Hunt, error) {
	list, err := l.List()
	if err != nil {
		return nil, err
	}
	at, ok := slices.BinarySearchFunc(list, strings.ToLower(name), func(e Entry, name string) int { return cmp.Compare(e.ID(), name) })
	if ok {
		return list[at].Hunt, list[at].Err
	}
	return nil, Unknown(name)
}
