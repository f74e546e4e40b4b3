package rows

import (
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
)

// Reader reads the rows of a Parquet file back, in file order. Columns the
// file lacks stay zero, columns T lacks are skipped. It holds one page of each
// column.
type Reader[T any] struct {
	path   string
	codec  *codec
	file   *checked
	rows   int64
	groups []format.RowGroup
	left   int64 // rows left in the open group
	cols   []columnReader
}

// columnReader reads one column of the open row group.
type columnReader struct {
	*column
	leaf  int
	pages chunkReader
	page  vector
	next  int // row of the page
	rows  int // of the page
}

// readWindow is how much of a column is read at a time.
const readWindow = 16 << 10

// Open opens a file of T's family. With columns, only those (as the file
// names them) are read and the others stay zero: who needs no postings does
// not pay for them.
func Open[T any](f File, columns ...string) (*Reader[T], error) {
	c, err := codecOf[T]()
	if err != nil {
		return nil, err
	}
	file, pf, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	r := &Reader[T]{path: f.Path, codec: c, file: file, rows: pf.NumRows(), groups: pf.Metadata().RowGroups}
	scratch := new(readScratch)
	for i := range c.columns {
		col := &c.columns[i]
		if len(columns) > 0 && !slices.Contains(columns, col.name) {
			continue
		}
		leaf, ok, err := col.leafOf(pf)
		if err != nil {
			r.Close()
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		if !ok {
			continue
		}
		r.cols = append(r.cols, columnReader{column: col, leaf: leaf, pages: chunkReader{file: file, window: readWindow, readScratch: scratch}})
	}
	return r, nil
}

// leafOf finds a column in a file; an error says that it is another one there.
func (c *column) leafOf(pf *parquet.File) (leaf int, ok bool, err error) {
	where := []string{c.name}
	if c.shape == shapeList {
		where = append(where, "list", "element")
	}
	l, ok := pf.Schema().Lookup(where...)
	if !ok {
		return 0, false, nil
	}
	if !c.reads(l.Node.Type()) || l.Node.Required() == (c.optional && c.shape != shapeList) {
		return 0, false, fmt.Errorf("column %s has type %s", c.name, l.Node)
	}
	return l.ColumnIndex, true, nil
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

// ext ends the lasting name of a row file. What is younger has more behind it.
const ext = ".parquet"

// openParquet opens a file and reads its footer; a file that isn't Parquet is
// an error, never a panic.
func openParquet(f File) (file *checked, pf *parquet.File, err error) {
	path := f.Path
	open, err := openChecked(f)
	if err != nil {
		return nil, nil, err
	}
	file = open
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", path, p)
		}
		if err != nil {
			open.Close()
		}
	}()
	st, err := file.Stat()
	if err != nil {
		return nil, nil, err
	}
	pf, err = parquet.OpenFile(file, st.Size(),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(true), parquet.ReadBufferSize(64<<10))
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
func (r *Reader[T]) Rows() int64 { return r.rows }

// Read fills dst from its start and returns how many rows it got; io.EOF
// comes with none. The rows own their memory.
func (r *Reader[T]) Read(dst []T) (n int, err error) {
	// Pages that were damaged on disk can make the decoders panic; a bad
	// file must not take the process along.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", r.path, p)
		}
		if err != nil && err != io.EOF {
			err = Found(r.path, err)
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
func (r *Reader[T]) group() error {
	g := &r.groups[0]
	r.groups = r.groups[1:]
	r.left = g.NumRows
	if r.left == 0 {
		return nil
	}
	for i := range r.cols {
		c := &r.cols[i]
		if c.leaf >= len(g.Columns) {
			return fmt.Errorf("%s: row group without column %s", r.path, c.name)
		}
		if err := c.pages.open(&g.Columns[c.leaf].MetaData, r.left); err != nil {
			return fmt.Errorf("%s: column %s: %w", r.path, c.name, err)
		}
		c.page.reset()
		c.next, c.rows = 0, 0
	}
	return nil
}

// read stores n rows' values, the first row at base.
func (c *columnReader) read(base unsafe.Pointer, stride uintptr, n int) (err error) {
	for row := 0; row < n; {
		if c.next == c.rows {
			c.page.rewind()
			c.next = 0
			if c.rows, err = c.pages.next(c.column, &c.page); err != nil {
				return err
			}
			if c.rows == 0 {
				return io.ErrUnexpectedEOF
			}
		}
		k := min(n-row, c.rows-c.next)
		c.page.store(c.column, c.next, k, unsafe.Add(base, uintptr(row)*stride), stride)
		c.next += k
		row += k
	}
	return nil
}

// Close releases the file.
func (r *Reader[T]) Close() error { return r.file.Close() }
