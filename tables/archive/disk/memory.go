package disk

import (
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Memory is a disk in memory, for tests: it knows what is durable, and can be
// left as a crash leaves a disk (see Crash). Names move within their folder only.
type Memory struct {
	mu   sync.Mutex
	free sync.Cond // a lock was given up

	// Total is how many bytes it says it has; 0 is a terabyte. What is above it
	// can be written all the same.
	Total int64

	root   *node
	inodes uint64
	// pending are the changes of names that are not durable, in their order.
	pending []change
}

// node is a file or a folder.
type node struct {
	inode             uint64
	mode              fs.FileMode
	links             int
	modified, changed time.Time

	data   []byte
	synced []byte
	writes []write // what was written since

	names   map[string]*node // of a folder; nil for a file
	durable map[string]*node

	holders map[*handle]bool // of the lock; true: shared
}

type write struct {
	offset int64
	data   []byte
	cut    bool // no bytes: the file ends at the offset
}

// change is one step in a folder: names that go or lead elsewhere, together.
type change struct {
	in    *node
	gone  string // "" if none
	name  string // likewise
	leads *node
}

func (c *change) apply(names map[string]*node) {
	if c.gone != "" {
		delete(names, c.gone)
	}
	if c.name != "" {
		names[c.name] = c.leads
	}
}

// NewMemory returns an empty disk.
func NewMemory() *Memory {
	m := &Memory{}
	m.free.L = &m.mu
	m.root = m.newNode(fs.ModeDir | 0o755)
	return m
}

func (m *Memory) newNode(mode fs.FileMode) *node {
	m.inodes++
	now := time.Now()
	n := &node{inode: m.inodes, mode: mode, modified: now, changed: now, holders: map[*handle]bool{}}
	if mode.IsDir() {
		n.names, n.durable = map[string]*node{}, map[string]*node{}
	}
	return n
}

// Age makes everything on the disk older.
func (m *Memory) Age(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	seen := map[*node]bool{}
	var age func(*node)
	age = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		n.modified, n.changed = n.modified.Add(-d), n.changed.Add(-d)
		for _, below := range n.names {
			age(below)
		}
	}
	age(m.root)
}

func pathError(op, path string, err error) error {
	return &fs.PathError{Op: op, Path: path, Err: err}
}

// find walks to a path. The caller holds m.mu, as with all that follows in
// small letters.
func (m *Memory) find(path string) (*node, error) {
	n := m.root
	for name := range strings.SplitSeq(filepath.Clean(path), "/") {
		if name == "" {
			continue
		}
		if n.names == nil {
			return nil, syscall.ENOTDIR
		}
		if n = n.names[name]; n == nil {
			return nil, fs.ErrNotExist
		}
	}
	return n, nil
}

// parent finds the folder of a path and the name in it.
func (m *Memory) parent(path string) (*node, string, error) {
	dir, name := filepath.Split(filepath.Clean(path))
	in, err := m.find(dir)
	if err == nil && in.names == nil {
		err = syscall.ENOTDIR
	}
	if err == nil && name == "" {
		err = fs.ErrExist
	}
	return in, name, err
}

// do makes a change of names.
func (m *Memory) do(c change) {
	now := time.Now()
	for _, name := range []string{c.gone, c.name} {
		if was := c.in.names[name]; was != nil {
			was.links--
			was.changed = now
		}
	}
	if c.leads != nil {
		c.leads.links++
		c.leads.changed = now
	}
	c.apply(c.in.names)
	c.in.modified, c.in.changed = now, now
	m.pending = append(m.pending, c)
}

func (m *Memory) open(path string, writable bool) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err == nil && n.names != nil && writable {
		err = syscall.EISDIR
	}
	if err != nil {
		return nil, pathError("open", path, err)
	}
	return &handle{m: m, n: n, path: path, writable: writable}, nil
}

func (m *Memory) Open(path string) (File, error) { return m.open(path, false) }
func (m *Memory) Edit(path string) (File, error) { return m.open(path, true) }

// add makes a new file or folder.
func (m *Memory) add(op, path string, mode fs.FileMode) (*node, error) {
	in, name, err := m.parent(path)
	if err == nil && in.names[name] != nil {
		err = fs.ErrExist
	}
	if err != nil {
		return nil, pathError(op, path, err)
	}
	n := m.newNode(mode)
	m.do(change{in: in, name: name, leads: n})
	return n, nil
}

func (m *Memory) Create(path string, mode fs.FileMode) (File, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.add("open", path, mode.Perm())
	if err != nil {
		return nil, err
	}
	return &handle{m: m, n: n, path: path, writable: true}, nil
}

func (m *Memory) Mkdir(path string, mode fs.FileMode) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, err := m.add("mkdir", path, fs.ModeDir|mode.Perm())
	return err
}

// Space implements Disk: free is what the files' bytes leave of Total.
func (m *Memory) Space(string) (total, free int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	total = m.Total
	if total == 0 {
		total = 1 << 40
	}
	seen := map[*node]bool{}
	var add func(n *node)
	add = func(n *node) {
		if !seen[n] {
			seen[n] = true
			free -= int64(len(n.data))
			for _, below := range n.names {
				add(below)
			}
		}
	}
	free = total
	add(m.root)
	return total, max(free, 0), nil
}

func (m *Memory) Stat(path string) (fs.FileInfo, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err != nil {
		return nil, pathError("stat", path, err)
	}
	return n.info(filepath.Base(path)), nil
}

func (m *Memory) ReadDir(path string) ([]fs.DirEntry, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return nil, pathError("open", path, err)
	}
	var out []fs.DirEntry
	for _, name := range slices.Sorted(maps.Keys(n.names)) {
		out = append(out, fs.FileInfoToDirEntry(n.names[name].info(name)))
	}
	return out, nil
}

func (m *Memory) Rename(from, to string) error    { return m.name("rename", from, to, true) }
func (m *Memory) RenameNew(from, to string) error { return m.name("rename", from, to, false) }
func (m *Memory) Link(from, to string) error      { return m.name("link", from, to, false) }

// name gives a file a name, instead of or beside the one it has.
func (m *Memory) name(op, from, to string, replaces bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	in, old, err := m.parent(from)
	if err == nil && op == "link" && in.names[old] == nil {
		err = fs.ErrNotExist
	}
	below, name, err2 := m.parent(to)
	if err == nil {
		err = err2
	}
	if err == nil {
		n, was := in.names[old], below.names[name]
		c := change{in: below, name: name, leads: n}
		if op == "rename" {
			c.gone = old
		}
		switch {
		case n == nil:
			err = fs.ErrNotExist
		case op == "rename" && in != below:
			err = syscall.EXDEV
		case was != nil && !replaces:
			err = fs.ErrExist
		case op == "link" && n.names != nil:
			err = syscall.EPERM
		case was != nil && was.names != nil:
			err = fs.ErrExist
		case n == was: // two names of one file: nothing happens
		case was != nil && n.names != nil:
			err = syscall.ENOTDIR
		default:
			m.do(c)
		}
	}
	if err != nil {
		return &os.LinkError{Op: op, Old: from, New: to, Err: err}
	}
	return nil
}

func (m *Memory) Remove(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	in, name, err := m.parent(path)
	if err == nil {
		switch n := in.names[name]; {
		case n == nil:
			err = fs.ErrNotExist
		case len(n.names) > 0:
			err = syscall.ENOTEMPTY
		default:
			m.do(change{in: in, gone: name})
		}
	}
	if err != nil {
		return pathError("remove", path, err)
	}
	return nil
}

func (m *Memory) SyncDir(path string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	n, err := m.find(path)
	if err == nil && n.names == nil {
		err = syscall.ENOTDIR
	}
	if err != nil {
		return pathError("sync", path, err)
	}
	n.durable = maps.Clone(n.names)
	m.pending = slices.DeleteFunc(m.pending, func(c change) bool { return c.in == n })
	return nil
}

// handle is an open file.
type handle struct {
	m        *Memory
	n        *node
	path     string
	writable bool
	at       int64
	closed   bool
}

func (h *handle) Name() string { return h.path }

// with does something with the open file.
func (h *handle) with(op string, do func() error) error {
	h.m.mu.Lock()
	defer h.m.mu.Unlock()
	err := os.ErrClosed
	if !h.closed {
		err = do()
	}
	if err != nil && err != io.EOF {
		return pathError(op, h.path, err)
	}
	return err
}

func (h *handle) Read(b []byte) (n int, err error) {
	err = h.with("read", func() error {
		n, err = h.n.read(b, h.at)
		h.at += int64(n)
		if n > 0 { // the end comes with the next one
			return nil
		}
		return err
	})
	return n, err
}

func (h *handle) ReadAt(b []byte, offset int64) (n int, err error) {
	err = h.with("read", func() error {
		n, err = h.n.read(b, offset)
		return err
	})
	return n, err
}

func (h *handle) ReadNow(b []byte, offset int64) int {
	n, _ := h.ReadAt(b, offset)
	return n
}

func (n *node) read(b []byte, offset int64) (int, error) {
	switch {
	case n.names != nil:
		return 0, syscall.EISDIR
	case offset < 0:
		return 0, syscall.EINVAL
	case len(b) == 0:
		return 0, nil
	case offset >= int64(len(n.data)):
		return 0, io.EOF
	}
	k := copy(b, n.data[offset:])
	if k < len(b) {
		return k, io.EOF
	}
	return k, nil
}

func (h *handle) Write(b []byte) (n int, err error) {
	err = h.with("write", func() error {
		n, err = h.write(b, h.at)
		h.at += int64(n)
		return err
	})
	return n, err
}

func (h *handle) WriteAt(b []byte, offset int64) (n int, err error) {
	err = h.with("write", func() error {
		n, err = h.write(b, offset)
		return err
	})
	return n, err
}

func (h *handle) write(b []byte, offset int64) (int, error) {
	switch {
	case !h.writable:
		return 0, syscall.EBADF
	case offset < 0:
		return 0, syscall.EINVAL
	case len(b) == 0:
		return 0, nil
	}
	h.change(write{offset: offset, data: slices.Clone(b)})
	return len(b), nil
}

func (h *handle) Truncate(size int64) error {
	return h.with("truncate", func() error {
		if !h.writable || size < 0 {
			return syscall.EINVAL
		}
		h.change(write{offset: size, cut: true})
		return nil
	})
}

func (h *handle) change(w write) {
	h.n.data = w.apply(h.n.data)
	h.n.writes = append(h.n.writes, w)
	h.n.modified = time.Now()
	h.n.changed = h.n.modified
}

// apply writes into data, which it may change; what is not written before is
// zero.
func (w *write) apply(data []byte) []byte {
	if missing := int(w.offset) - len(data); missing > 0 {
		data = append(data, make([]byte, missing)...)
	}
	if w.cut {
		return data[:w.offset]
	}
	k := copy(data[w.offset:], w.data)
	return append(data, w.data[k:]...)
}

func (h *handle) Sync() error {
	return h.with("sync", func() error {
		synced := slices.Clone(h.n.synced)
		for _, w := range h.n.writes {
			synced = w.apply(synced)
		}
		h.n.synced, h.n.writes = synced, nil
		return nil
	})
}

// forget is a sync that fails as Linux's do: what it could not write counts as written,
// so that none that follows tries again, and is gone after a crash.
func (h *handle) forget() {
	_ = h.with("sync", func() error {
		h.n.writes = nil
		return nil
	})
}

func (h *handle) Stat() (st fs.FileInfo, err error) {
	err = h.with("stat", func() error {
		st = h.n.info(filepath.Base(h.path))
		return nil
	})
	return st, err
}

func (h *handle) Close() error {
	return h.with("close", func() error {
		h.closed = true
		h.unlock()
		return nil
	})
}

func (h *handle) unlock() {
	delete(h.n.holders, h)
	h.m.free.Broadcast()
}

func (h *handle) Lock() error    { return h.lock(false, true) }
func (h *handle) RLock() error   { return h.lock(true, true) }
func (h *handle) TryLock() error { return h.lock(false, false) }

func (h *handle) lock(shared, wait bool) error {
	return h.with("lock", func() error {
		for !h.closed {
			taken := false
			for other, alsoShared := range h.n.holders {
				taken = taken || other != h && !(shared && alsoShared)
			}
			if !taken {
				h.n.holders[h] = shared
				h.m.free.Broadcast() // it may have been exclusive
				return nil
			}
			if !wait {
				return ErrLocked
			}
			h.m.free.Wait()
		}
		return os.ErrClosed
	})
}

func (h *handle) Advise(int64, int64, Use) {}

// info describes a node as it is now.
func (n *node) info(name string) fs.FileInfo {
	i := &memoryInfo{name: name, size: int64(len(n.data)), mode: n.mode, modified: n.modified}
	i.sys.Ino, i.sys.Nlink = n.inode, uint64(n.links)
	i.sys.Ctim = syscall.NsecToTimespec(n.changed.UnixNano())
	return i
}

type memoryInfo struct {
	name     string
	size     int64
	mode     fs.FileMode
	modified time.Time
	sys      syscall.Stat_t
}

func (i *memoryInfo) Name() string       { return i.name }
func (i *memoryInfo) Size() int64        { return i.size }
func (i *memoryInfo) Mode() fs.FileMode  { return i.mode }
func (i *memoryInfo) ModTime() time.Time { return i.modified }
func (i *memoryInfo) IsDir() bool        { return i.mode.IsDir() }
func (i *memoryInfo) Sys() any           { return &i.sys }
