package archive

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"github.com/wiresql/wiresql/tables"
)

const (
	// groupRows is how many rows a row group has. Smaller groups prune finer
	// and cost more footer; in tests between 20,000 and 500,000 it hardly
	// mattered.
	groupRows = 125_000
	// groupBlobs is how many bytes of blobs end a row group before.
	groupBlobs = 64 << 20
	// batchRows is how many rows go through one column at a time: their
	// values stay in the second-level cache.
	batchRows = 512
	// pageRows is how many rows a page has. A lookup reads and unpacks whole
	// pages for single rows, so they are small; below that their headers begin
	// to weigh.
	pageRows = 8192
	// blobRows is how many rows a page of blobs has: they are large.
	blobRows = 128
)

// RowFile is a Parquet file being written as part of a transaction. A row group
// is encoded and written while the next one fills.
type RowFile[T any] struct {
	tx      *Tx
	staged  *stagedRows
	file    *os.File
	out     *blockFile
	block   *block // fills
	other   *block // is written, or waits to be filled
	writing chan error
	rows    int64
	err     error
}

// NewRowFile starts a file of T's family; level is one letter, see Levels in
// the package comment. It becomes visible when the transaction commits.
func NewRowFile[T any](tx *Tx, level string) (*RowFile[T], error) {
	return NewRowFileWith[T](tx, level, RowOptions{})
}

// RowOptions say more of a row file than its level.
type RowOptions struct {
	// Writer and Lane name the sequence the file belongs to: for one that
	// replaces files, when files of several sequences are replaced in the
	// batch. By default that is the only one replaced, or else the batch's own
	// writer and the lane main.
	Writer, Lane string
}

// NewRowFileWith is NewRowFile with options.
func NewRowFileWith[T any](tx *Tx, level string, o RowOptions) (*RowFile[T], error) {
	c, err := codecOf[T]()
	if err != nil {
		return nil, err
	}
	if levelRank(level) < 0 {
		return nil, fmt.Errorf("level %q of %s: no such level", level, c.family)
	}
	for _, label := range []string{o.Writer, o.Lane} {
		if label != "" && !validLabel(label) {
			return nil, fmt.Errorf("%q: only a-z, 0-9 and _ may stand in a name", label)
		}
	}
	staged, file, err := tx.stage(c.family, level)
	if err != nil {
		return nil, err
	}
	staged.place(o)
	return &RowFile[T]{tx: tx, staged: staged, file: file, out: newBlockFile(c, file, level == "m"), block: c.newBlock()}, nil
}

// Write appends rows, which must come in the order of their time. It keeps
// nothing of them.
func (f *RowFile[T]) Write(rows []T) error {
	for len(rows) > 0 && f.err == nil {
		n := min(len(rows), batchRows, groupRows-f.block.rows)
		f.block.add(unsafe.Pointer(&rows[0]), n)
		f.rows += int64(n)
		rows = rows[n:]
		f.turnFull()
	}
	return f.err
}

// turnFull turns once the rows that wait are a row group.
func (f *RowFile[T]) turnFull() {
	if f.block.rows == groupRows || f.block.blobs >= groupBlobs {
		f.err = f.turn()
	}
}

// turn has the rows that wait written as a row group while others come.
func (f *RowFile[T]) turn() error {
	if err := f.wait(); err != nil {
		return err
	}
	full, writing := f.block, make(chan error, 1)
	if f.block = f.other; f.block == nil {
		f.block = f.out.codec.newBlock()
	}
	f.other, f.writing = full, writing
	go func() {
		err := f.staged.group(f.out, full, nil)
		full.reset()
		writing <- err
	}()
	return nil
}

// wait waits for the row group that is being written.
func (f *RowFile[T]) wait() error {
	if f.writing == nil {
		return nil
	}
	err := <-f.writing
	f.writing = nil
	if err != nil {
		err = f.fail(err)
	}
	return err
}

// group writes rows of a block.
func (s *stagedRows) group(f *blockFile, b *block, rows []int32) error {
	g, err := f.group(b, rows)
	if err == nil {
		s.note(g)
	}
	return err
}

// note takes note of a row group's rows and times.
func (s *stagedRows) note(g *blockGroup) {
	s.file.Rows += int64(g.rows)
	if g.start == nil {
		return
	}
	lo, hi := tables.Time(g.start.min), tables.Time(g.start.max)
	if g.end != nil {
		hi = max(hi, tables.Time(g.end.max))
	}
	if !s.timed {
		s.timed, s.file.MinTS, s.file.MaxTS = true, lo, hi
	}
	s.file.MinTS, s.file.MaxTS = min(s.file.MinTS, lo), max(s.file.MaxTS, hi)
}

func (f *RowFile[T]) fail(err error) error {
	return fmt.Errorf("write %s: %w", f.file.Name(), err)
}

// Close finishes the file. Its path and sequence numbers are final only
// after the commit.
func (f *RowFile[T]) Close() (File, error) {
	if f.file == nil {
		return f.staged.file, f.err
	}
	err := f.wait()
	if f.err != nil {
		err = f.err
	}
	if err == nil && f.block.rows > 0 {
		err = f.staged.group(f.out, f.block, nil)
	}
	if err == nil {
		err = f.out.close()
	}
	f.staged.file.Columns = f.out.names()
	if err = f.staged.finish(f.tx.a, f.file, err); err != nil {
		err = f.fail(err)
	}
	f.out.codec.freeBlock(f.block)
	f.out.codec.freeBlock(f.other)
	f.file, f.out, f.block, f.other, f.err = nil, nil, nil, nil, err
	return f.staged.file, err
}

// finish makes the file durable, unless writing it failed, and closes it.
func (s *stagedRows) finish(a *Archive, file *os.File, err error) error {
	if err == nil {
		err = a.sync(file)
	}
	if st, e := file.Stat(); e == nil {
		s.file.Bytes = st.Size()
	}
	err = errors.Join(err, file.Close())
	s.whole = err == nil
	return err
}

// WriteRows writes one file of T's family. No rows are no file.
func WriteRows[T any](tx *Tx, level string, rows []T) (File, error) {
	if len(rows) == 0 {
		return File{}, nil
	}
	f, err := NewRowFile[T](tx, level)
	if err != nil {
		return File{}, err
	}
	if err := f.Write(rows); err != nil {
		f.Close()
		return File{}, err
	}
	return f.Close()
}
