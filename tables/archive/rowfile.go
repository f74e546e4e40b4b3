package archive

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"

	"github.com/wiresql/wiresql/tables"
)

const (
	// groupRows is how many rows a row group has. Smaller groups prune finer
	// and cost more footer; in tests between 20,000 and 500,000 it hardly
	// mattered.
	groupRows = 125_000
	// batchRows is how many rows go through one column at a time: their
	// values stay in the second-level cache.
	batchRows = 512
	// pageRows is how many rows a page has, or few more. A lookup reads and
	// unpacks whole pages for single rows, so they are small; below that their
	// headers begin to weigh.
	pageRows = 8192
	// blobRows is how many rows a page of blobs has: they are large.
	blobRows = 128
)

// RowFile is a Parquet file being written as part of a transaction.
type RowFile[T any] struct {
	tx     *Tx
	codec  *codec
	staged *stagedRows
	file   *os.File
	w      *parquet.GenericWriter[any]
	cols   []*parquet.ColumnWriter
	values []parquet.Value
	group  int   // rows in the open row group
	paged  []int // of them, in the open page of each column
	err    error

	// Of families whose files may lack columns, instead of w.
	blocks *blockFile
	block  *block
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
	f := &RowFile[T]{tx: tx, codec: c, staged: staged, file: file}
	if subsets(c.family) {
		f.blocks, f.block = newBlockFile(c, file, level == "m"), newBlock(c)
		return f, nil
	}
	f.w = parquet.NewGenericWriter[any](file, c.schema,
		parquet.CreatedBy("wiresql", "1", ""),
		parquet.WriteBufferSize(1<<20),
		parquet.PageBufferSize(128<<10),
		parquet.DictionaryMaxBytes(1<<20),
		parquet.DataPageStatistics(false),
		parquet.SkipPageBounds("postings"),
		parquet.SkipPageBounds("layout"),
		parquet.BloomFilters(c.blooms...))
	f.cols = f.w.ColumnWriters()
	f.paged = make([]int, len(f.cols))
	return f, nil
}

// Write appends rows, which must come in the order of their time. It keeps
// nothing of them.
func (f *RowFile[T]) Write(rows []T) error {
	for f.block != nil && len(rows) > 0 && f.err == nil {
		n := min(len(rows), batchRows, groupRows-f.block.rows)
		f.block.add(unsafe.Pointer(&rows[0]), n)
		if rows = rows[n:]; f.block.rows == groupRows {
			f.err = f.writeBlock()
		}
	}
	for f.block == nil && len(rows) > 0 && f.err == nil {
		n := min(len(rows), batchRows, groupRows-f.group)
		f.err = f.batch(rows[:n])
		rows = rows[n:]
	}
	return f.err
}

func (f *RowFile[T]) batch(rows []T) error {
	base, size := unsafe.Pointer(&rows[0]), f.codec.size
	for i := range f.codec.columns {
		f.values = f.codec.columns[i].values(f.values[:0], base, size, len(rows), i)
		if err := f.column(i, len(rows)); err != nil {
			return f.fail(err)
		}
	}
	s := f.staged
	for i := range rows {
		row := unsafe.Add(base, uintptr(i)*size)
		start, ok := f.codec.start.time(row)
		if !ok {
			continue
		}
		end := start
		if e, ok := f.codec.end.time(row); ok {
			end = e
		}
		if !s.timed {
			s.timed, s.file.MinTS, s.file.MaxTS = true, start, max(start, end)
		}
		s.file.MinTS, s.file.MaxTS = min(s.file.MinTS, start), max(s.file.MaxTS, start, end)
	}
	s.file.Rows += int64(len(rows))
	if f.group += len(rows); f.group == groupRows {
		f.group = 0
		if err := f.w.Flush(); err != nil {
			return f.fail(err)
		}
		f.cols = f.w.ColumnWriters()
		clear(f.paged)
	}
	return nil
}

// column writes the values of some rows to a column, and ends its pages.
func (f *RowFile[T]) column(i, rows int) error {
	c, w, values := &f.codec.columns[i], f.cols[i], f.values
	for rows > 0 {
		n, part := rows, values
		if c.shape == shapeBytes {
			n = min(n, blobRows-f.paged[i])
			part = values[:n]
		}
		if _, err := w.WriteRowValues(part); err != nil {
			return err
		}
		rows, values = rows-n, values[len(part):]
		f.paged[i] += n
		if f.paged[i] >= pageRows || c.shape == shapeBytes && f.paged[i] >= blobRows {
			f.paged[i] = 0
			if err := w.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeBlock writes the rows that wait as a row group.
func (f *RowFile[T]) writeBlock() error {
	if f.block.rows == 0 {
		return nil
	}
	if err := f.staged.group(f.blocks, f.block, nil); err != nil {
		return f.fail(err)
	}
	f.block.reset()
	return nil
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
	lo, hi := tables.Time(g.start.min), tables.Time(max(g.start.max, g.end.max))
	if !s.timed {
		s.timed, s.file.MinTS, s.file.MaxTS = true, lo, hi
	}
	s.file.MinTS, s.file.MaxTS = min(s.file.MinTS, lo), max(s.file.MaxTS, hi)
	s.file.Rows += int64(g.rows)
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
	err := f.err
	if err == nil && f.blocks != nil {
		if err = f.writeBlock(); err == nil {
			err = f.blocks.close()
		}
		f.staged.file.Columns = f.blocks.names()
		f.blocks, f.block = nil, nil
	} else if err == nil {
		if err = f.w.Close(); err != nil {
			err = f.fail(err)
		}
	}
	err = f.staged.finish(f.tx.a, f.file, err)
	f.file, f.err, f.values = nil, err, nil
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

// RowReader reads the rows of a Parquet file back, in file order. Columns the
// file lacks stay zero, columns T lacks are skipped.
type RowReader[T any] struct {
	path   string
	codec  *codec
	file   *os.File
	rows   int64
	groups []parquet.RowGroup
	left   int64 // rows left in the open group
	cols   []columnReader
}

// columnReader reads one column of the open row group.
type columnReader struct {
	*column
	leaf   int
	values parquet.ColumnChunkValueReader
	buf    []parquet.Value
	next   int // buf[next:] is not stored yet
	names  interned
}

// ReadRows opens a file of T's family. With columns, only those (as the file
// names them) are read and the others stay zero: who needs no postings does
// not pay for them.
func ReadRows[T any](path string, columns ...string) (*RowReader[T], error) {
	c, err := codecOf[T]()
	if err != nil {
		return nil, err
	}
	file, pf, err := openParquet(path)
	if err != nil {
		return nil, err
	}
	r := &RowReader[T]{path: path, codec: c, file: file, rows: pf.NumRows(), groups: pf.RowGroups()}
	schema := pf.Schema()
	for i := range c.columns {
		col := &c.columns[i]
		if len(columns) > 0 && !slices.Contains(columns, col.name) {
			continue
		}
		where := []string{col.name}
		if col.shape == shapeList {
			where = append(where, "list", "element")
		}
		leaf, ok := schema.Lookup(where...)
		if !ok {
			continue
		}
		if !col.reads(leaf.Node.Type()) {
			r.Close()
			return nil, fmt.Errorf("%s: column %s has type %s", path, col.name, leaf.Node.Type())
		}
		r.cols = append(r.cols, columnReader{column: col, leaf: leaf.ColumnIndex})
	}
	return r, nil
}

// reads tells whether a stored type is what the column's shape expects.
func (c *column) reads(t parquet.Type) bool {
	switch c.shape {
	case shape64:
		return isKind(t, parquet.Int64)
	case shape32, shapeList:
		return isKind(t, parquet.Int32)
	case shapeBool:
		return isKind(t, parquet.Boolean)
	}
	return isKind(t, parquet.ByteArray)
}

// isKind tells whether values of a type are stored as k. Types that a damaged
// footer makes of columns may have no kind and panic when asked.
func isKind(t parquet.Type, k parquet.Kind) (is bool) {
	defer func() { _ = recover() }()
	return t.Kind() == k
}

// openParquet opens a file and reads its footer; a file that isn't Parquet is
// an error, never a panic.
func openParquet(path string) (file *os.File, pf *parquet.File, err error) {
	file, err = os.Open(path)
	if base, id, ok := strings.Cut(path, batchMark); ok && validID(id) && errors.Is(err, fs.ErrNotExist) {
		// It got its lasting name since it was listed.
		file, err = os.Open(base + ".parquet")
	}
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", path, p)
		}
		if err != nil {
			file.Close()
		}
	}()
	st, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	pf, err = parquet.OpenFile(file, st.Size(),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.ReadBufferSize(64<<10))
	if err == nil {
		err = sound(pf)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, pf, nil
}

// sound checks what a damaged footer would make the library believe: sizes
// that it allocates, and compression we don't write, such as LZ4, whose decoder
// there doubles its buffer for ever.
func sound(pf *parquet.File) error {
	for _, g := range pf.Metadata().RowGroups {
		for _, c := range g.Columns {
			if m := c.MetaData.Codec; m != format.Uncompressed && m != format.Snappy && m != format.Zstd {
				return fmt.Errorf("the footer is damaged: a column is compressed with %s", m)
			}
			if n := int64(c.OffsetIndexLength); n < 0 || n > pf.Size() {
				return fmt.Errorf("the footer is damaged: an index has %d bytes", n)
			}
		}
	}
	return nil
}

// Rows is the number of rows in the file.
func (r *RowReader[T]) Rows() int64 { return r.rows }

// Read fills dst from its start and returns how many rows it got; io.EOF
// comes with none. The rows own their memory.
func (r *RowReader[T]) Read(dst []T) (n int, err error) {
	// Pages that were damaged on disk can make the decoders panic; a bad
	// file must not take the process along.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", r.path, p)
		}
	}()
	for n < len(dst) {
		if r.left == 0 {
			if len(r.groups) == 0 {
				break
			}
			if err := r.group(); err != nil {
				return n, err
			}
			continue
		}
		k := int(min(int64(len(dst)-n), r.left, batchRows))
		rows := dst[n : n+k]
		clear(rows)
		for i := range r.cols {
			if err := r.cols[i].read(unsafe.Pointer(&rows[0]), r.codec.size, k); err != nil {
				return n, fmt.Errorf("%s: column %s: %w", r.path, r.cols[i].name, err)
			}
		}
		n += k
		r.left -= int64(k)
	}
	if n == 0 && len(dst) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// group opens the next row group.
func (r *RowReader[T]) group() error {
	g := r.groups[0]
	r.groups = r.groups[1:]
	chunks := g.ColumnChunks()
	for i := range r.cols {
		c := &r.cols[i]
		if c.values != nil {
			c.values.Close()
		}
		if c.leaf >= len(chunks) {
			return fmt.Errorf("%s: row group without column %s", r.path, c.name)
		}
		c.values = parquet.NewColumnChunkValueReader(chunks[c.leaf])
		c.buf, c.next = c.buf[:0], 0
	}
	r.left = g.NumRows()
	return nil
}

// read stores n rows' values, the first row at base.
func (c *columnReader) read(base unsafe.Pointer, stride uintptr, n int) error {
	if c.shape == shapeList {
		return c.readList(base, stride, n)
	}
	for row := 0; row < n; {
		if err := c.fill(); err != nil {
			return err
		}
		k := min(n-row, len(c.buf)-c.next)
		for i := range k {
			c.store(unsafe.Add(base, uintptr(row+i)*stride), &c.buf[c.next+i], &c.names)
		}
		c.next += k
		row += k
	}
	return nil
}

// readList collects the values of n rows; a row ends where the next begins.
func (c *columnReader) readList(base unsafe.Pointer, stride uintptr, n int) error {
	for row := range n {
		p := (*[]int32)(unsafe.Add(base, uintptr(row)*stride+c.at))
		for first := true; ; first = false {
			if err := c.fill(); err == io.ErrUnexpectedEOF && !first {
				break // the last row of the group
			} else if err != nil {
				return err
			}
			v := &c.buf[c.next]
			if !first && v.RepetitionLevel() == 0 {
				break
			}
			c.next++
			switch {
			case v.DefinitionLevel() == 1:
				*p = []int32{}
			case !v.IsNull():
				*p = append(*p, v.Int32())
			}
		}
	}
	return nil
}

// fill makes sure a value is buffered.
func (c *columnReader) fill() error {
	if c.next < len(c.buf) {
		return nil
	}
	if cap(c.buf) == 0 {
		c.buf = make([]parquet.Value, batchRows)
	}
	n, err := c.values.ReadValues(c.buf[:cap(c.buf)])
	c.buf, c.next = c.buf[:n], 0
	if n > 0 {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Close releases the file.
func (r *RowReader[T]) Close() error {
	for i := range r.cols {
		if r.cols[i].values != nil {
			r.cols[i].values.Close()
			r.cols[i].values = nil
		}
	}
	return r.file.Close()
}
