package archive

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// A notebook is what standing hunts found and what people wrote down: lines that
// are appended to serve/hunts, each synced before anybody is told of it, and never
// changed. Who has a better way to say the same replaces the whole file, under
// another edition.
//
//	CRC-32C of the rest, 8 hex digits │ space │ text │ newline
//
// The first line names format and edition. Lines at the end that are not whole are
// of an append that was interrupted: they were never told, and the next append takes
// their place. A line in the middle that is not as it was written is damage, and so is a
// file without a whole line: who writes next begins it anew, and writes that there was
// something.
const (
	notebookFile   = "hunts"
	notebookFormat = 1
	// maxLine bounds a line, in bytes; maxNotebook a notebook.
	maxLine     = 1 << 20
	maxNotebook = 1 << 30
	// lostLine stands for lines that nobody can read any more, and counts as damage: its
	// checksum is wrong.
	lostLine = "00000000 what was here is lost\n"
)

// notebookHead is the first line.
type notebookHead struct {
	Notebook int    `json:"notebook"`
	Edition  uint64 `json:"edition"`
}

// Notebook is an archive's notebook, as far as it was read. Its methods may be
// called from several goroutines.
type Notebook struct {
	archive *Archive
	path    string

	mu      sync.Mutex
	head    []byte // its first line, as it lies there
	edition uint64
	read    int64 // bytes up to the end of the last line that is whole
	badAt   int64 // where the first line before that begins which is not
	cut     bool  // it became shorter than what was read, and nobody has written so

	// size is read, and bad how many such lines there are, for who asks meanwhile.
	size, bad atomic.Int64
}

// Notebook opens the archive's notebook, which need not be there yet.
func (a *Archive) Notebook() *Notebook {
	return &Notebook{archive: a, path: filepath.Join(a.dir, serveFolder, notebookFile)}
}

// Follow gives the lines that came since the last time, in their order; what it gives
// holds only during the call. anew, without a line, says that they begin with the
// first one, whatever was read before.
func (n *Notebook) Follow(take func(anew bool, line []byte)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.archive.exists(n.path) {
		return n.follow(take) // and leave no lock behind
	}
	lock, err := n.archive.obtainLock(notebookFile)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := lock.RLock(); err != nil {
		return err
	}
	return n.follow(take)
}

// KeepStanding makes this process the one that runs the archive's standing hunts,
// until release; ErrLocked is wrapped when another one is.
func (a *Archive) KeepStanding() (release func(), err error) {
	f, err := a.tryLock("standing")
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// Write reads what came, then writes the lines that next gives and reads these: all
// of them, or none if there is an error. whole says that they say all that the
// notebook says.
func (n *Notebook) Write(take func(anew bool, line []byte), next func() (lines [][]byte, whole bool, err error)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	lock, err := n.archive.obtainLock(notebookFile)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := lock.Lock(); err != nil {
		return err
	}
	if err := n.follow(take); err != nil {
		return err
	}
	lines, whole, err := next()
	if err != nil || len(lines) == 0 && !whole {
		return err
	}
	var b bytes.Buffer
	hollow := n.head != nil && n.read == 0
	if whole || n.head == nil || hollow {
		edition := n.edition + 1
		if hollow { // nobody knows which edition it was
			edition = max(edition, uint64(time.Now().UnixMicro()))
		}
		head, err := json.Marshal(notebookHead{notebookFormat, edition})
		if err != nil {
			return err
		}
		lines = append([][]byte{head}, lines...)
	}
	for i, line := range lines {
		if !whole && (i == 1 && hollow || i == 0 && n.cut && !hollow) {
			b.WriteString(lostLine)
		}
		if len(line) > maxLine || bytes.IndexByte(line, '\n') >= 0 {
			return fmt.Errorf("%s: a line of %d bytes", n.path, len(line))
		}
		fmt.Fprintf(&b, "%08x %s\n", sums.Of(line), line)
	}
	if whole || n.head == nil || hollow {
		if err := n.archive.mkdir(filepath.Dir(n.path)); err != nil {
			return err
		}
		if err := disk.Replace(n.archive.disk, n.path, b.Bytes(), 0o640); err != nil {
			return err
		}
		return n.follow(take)
	}
	if n.read+int64(b.Len()) > maxNotebook {
		return fmt.Errorf("%s has more than %d bytes", n.path, maxNotebook)
	}
	if err := n.append(b.Bytes()); err != nil {
		return err
	}
	if n.cut {
		n.cut = false
		n.bad.Add(-1) // its line is counted from now on
	}
	return n.follow(take)
}

// append writes behind the last line that is whole.
func (n *Notebook) append(b []byte) error {
	f, err := n.archive.disk.Edit(n.path)
	if err != nil {
		return err
	}
	if err = f.Truncate(n.read); err == nil {
		_, err = f.WriteAt(b, n.read)
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil { // what is there of it must not become whole later
		err = errors.Join(err, f.Truncate(n.read))
	}
	return errors.Join(err, f.Close())
}

// follow reads on, with the lock held.
func (n *Notebook) follow(take func(anew bool, line []byte)) error {
	f, err := n.archive.disk.Open(n.path)
	if errors.Is(err, fs.ErrNotExist) {
		if n.head != nil { // it was taken away
			n.forget(nil)
			take(true, nil)
		}
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := bufio.NewReader(io.NewSectionReader(f, 0, 128)).ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	cut := n.head != nil && bytes.Equal(head, n.head) && st.Size() < n.read
	anew := n.head == nil || !bytes.Equal(head, n.head) || cut
	if anew {
		if text, ok := wholeLine(head); ok {
			var h notebookHead
			if err := json.Unmarshal(text, &h); err != nil || h.Notebook != notebookFormat {
				return fmt.Errorf("%s: of another version of wiresql", n.path)
			}
			n.edition = h.Edition
		}
		n.forget(head)
		if n.cut = cut; cut {
			n.badAt = st.Size()
			n.bad.Store(1)
		}
		take(true, nil)
	}
	if st.Size() == n.read {
		n.mind()
		return nil
	}
	in := bufio.NewReaderSize(io.NewSectionReader(f, n.read, maxNotebook-n.read), maxLine+16)
	at, bad, badAt := n.read, int64(0), int64(0)
	for {
		line, err := in.ReadSlice('\n')
		length := int64(len(line))
		for errors.Is(err, bufio.ErrBufferFull) { // longer than any is
			line, err = in.ReadSlice('\n')
			length += int64(len(line))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		text, good := wholeLine(line)
		good = good && length == int64(len(line))
		if !good && length > 0 {
			if bad == 0 {
				badAt = at
			}
			bad++
		}
		// What is not good is over when a line is, or when it ends as one: a write
		// that was interrupted leaves no end, or bytes that are none.
		if good || err == nil && bytes.IndexByte(line, 0) < 0 {
			if bad > 0 {
				if n.bad.Load() == 0 {
					n.badAt = badAt
				}
				n.bad.Add(bad)
				bad = 0
			}
			n.read = at + length
			n.size.Store(n.read)
		}
		if good && at > 0 {
			take(false, text)
		}
		if at += length; err != nil {
			n.mind()
			return nil
		}
	}
}

// mind counts a file without a whole line as damage: the first line is there from the
// start, and others are appended to it.
func (n *Notebook) mind() {
	if n.read == 0 {
		n.badAt = 0
		n.bad.Store(1)
	}
}

// wholeLine is the text of a line whose checksum is right.
func wholeLine(line []byte) ([]byte, bool) {
	if len(line) < 10 || line[8] != ' ' || line[len(line)-1] != '\n' {
		return nil, false
	}
	text := line[9 : len(line)-1]
	return text, string(line[:8]) == fmt.Sprintf("%08x", sums.Of(text))
}

func (n *Notebook) forget(head []byte) {
	n.head, n.read, n.cut = head, 0, false
	n.size.Store(0)
	n.bad.Store(0)
}

// Size is how many bytes were read, for who decides to replace it.
func (n *Notebook) Size() int64 { return n.size.Load() }

// Bad is how many lines are not as they were written.
func (n *Notebook) Bad() int64 { return n.bad.Load() }

// Damage is what of it is not as it was written, as far as it was read.
func (n *Notebook) Damage() []Damage {
	n.mu.Lock()
	defer n.mu.Unlock()
	bad := n.bad.Load()
	if bad == 0 {
		return nil
	}
	return []Damage{{File: filepath.Join(serveFolder, notebookFile), From: minTime, To: tables.OpenEnd, Rows: bad,
		Reason: fmt.Sprintf("%d lines of what standing hunts found or people noted are not as they were written, the first at byte %d", bad, n.badAt)}}
}
