package sqlserver

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"sync/atomic"

	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

const (
	// cursorMemory is what the cursors of a connection keep in memory; more
	// goes to files.
	cursorMemory = 4 << 20
	// cursorDisk is what all cursors may keep in files.
	cursorDisk = 8 << 30
	// cursorFiles bounds the open files of a connection's cursors.
	cursorFiles = 32
)

// cursorStore is where rows lie that are not in memory.
type cursorStore struct {
	dir  string
	used atomic.Int64
}

// keptRows counts what a connection's cursors hold.
type keptRows struct {
	store         *cursorStore
	memory, files int
}

// cursor keeps the rows of a statement, in the binary form they are sent in,
// until they are fetched: as in MySQL, a statement has ended and its errors are
// known when its cursor is open, and any number may be.
type cursor struct {
	kept   *keptRows
	fields []*querypb.Field
	memory bytes.Buffer // rows with four bytes of length before them
	file   *os.File
	out    *bufio.Writer
	onDisk int64
	rows   io.Reader // once all are there
	body   []byte
	isOpen bool // there were columns
	// what a statement without columns tells
	changed, lastKey uint64
}

func (c *cursor) binary() bool { return true }

func (c *cursor) columns(fields []*querypb.Field) error {
	c.fields, c.isOpen = fields, true
	return nil
}

func (c *cursor) affected(rows, key uint64) { c.changed, c.lastKey = rows, key }

func (c *cursor) row(r *rowBuffer) error {
	var length [4]byte
	binary.LittleEndian.PutUint32(length[:], uint32(len(r.buf)))
	size := len(length) + len(r.buf)
	if c.file == nil && c.kept.memory+size > cursorMemory {
		if err := c.spill(); err != nil {
			return err
		}
	}
	if c.file == nil {
		c.kept.memory += size
		c.memory.Write(length[:])
		c.memory.Write(r.buf)
		return nil
	}
	if err := c.reserve(int64(size)); err != nil {
		return err
	}
	c.out.Write(length[:])
	_, err := c.out.Write(r.buf)
	return err
}

func (c *cursor) reserve(size int64) error {
	c.onDisk += size
	if c.kept.store.used.Add(size) > cursorDisk {
		return newError(1114, fmt.Sprintf("The table 'cursor' is full: open cursors keep %d GiB on disk. Fetch and close them, or ask without a cursor", cursorDisk>>30))
	}
	return nil
}

// spill moves the rows to a file without a name, which vanishes with us.
func (c *cursor) spill() error {
	if c.kept.files >= cursorFiles {
		return newError(1041, fmt.Sprintf("Out of memory: %d cursors of this connection keep more rows than %d MiB. Fetch and close them", cursorFiles, cursorMemory>>20))
	}
	f, err := os.CreateTemp(c.kept.store.dir, "cursor-*")
	if err != nil {
		return err
	}
	os.Remove(f.Name())
	c.file, c.out = f, bufio.NewWriterSize(f, 64<<10)
	c.kept.files++
	c.kept.memory -= c.memory.Len()
	if err := c.reserve(int64(c.memory.Len())); err != nil {
		return err
	}
	_, err = c.memory.WriteTo(c.out)
	c.memory = bytes.Buffer{}
	return err
}

// rewind makes the rows readable.
func (c *cursor) rewind() error {
	if c.file == nil {
		c.rows = bytes.NewReader(c.memory.Bytes())
		return nil
	}
	if err := c.out.Flush(); err != nil {
		return err
	}
	if _, err := c.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	c.out, c.rows = nil, bufio.NewReaderSize(c.file, 64<<10)
	return nil
}

// next gives the next row, or io.EOF.
func (c *cursor) next() ([]byte, error) {
	var length [4]byte
	if _, err := io.ReadFull(c.rows, length[:]); err != nil {
		return nil, err
	}
	n := int(binary.LittleEndian.Uint32(length[:]))
	if cap(c.body) < n {
		c.body = make([]byte, n)
	}
	_, err := io.ReadFull(c.rows, c.body[:n])
	return c.body[:n], err
}

// close gives back what the rows took.
func (c *cursor) close() {
	if c.file != nil {
		c.file.Close()
		c.kept.files--
		c.kept.store.used.Add(-c.onDisk)
	} else {
		c.kept.memory -= c.memory.Len()
	}
	*c = cursor{kept: c.kept}
}
