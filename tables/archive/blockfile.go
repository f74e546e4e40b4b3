package archive

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"sync"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// blockFile writes blocks as the row groups of a Parquet file. The file has
// the columns that have a value in one of its rows. Each column chunk is one
// page; how it is encoded is decided by its values:
//
//   - one value: a dictionary of one entry and one run
//   - few values: a dictionary
//   - a range of more than 56 bits: hashes; plain
//   - else the differences from row to row, bit-packed
//
// A cheap file has no dictionaries but of texts and no compression, which
// writes a row in a tenth of the time.
type blockFile struct {
	codec *codec
	file  *os.File
	cheap bool

	at     int64 // file's length
	groups []*blockGroup
	seen   []bool
	// squeeze tells of each column whether its pages are compressed. Readers
	// take what holds for the first row group to hold for all.
	squeeze []squeezing
	now     squeezing // of the column at work
	*blockScratch
}

// blockScratch is the memory that writing a file takes.
type blockScratch struct {
	buf      []byte // of the row group at work
	spare    [][]byte
	values   []byte // of a page, with the levels
	packed   []byte
	bytes    []byte
	squeezed []byte
	wide     []int64
	narrow   []int32
	renamed  []int32
	levels   []uint8
	repeats  []uint8
	hashes   []uint64
	dict     dictionary
}

var blockScratches = sync.Pool{New: func() any { return new(blockScratch) }}

// blockGroup is a row group that was written; a column without a value in it
// has no chunk yet.
type blockGroup struct {
	rows       int
	chunks     []*format.ColumnChunk
	buf        []byte // until it is written
	start, end extent // of the times
}

// magic begins and ends a Parquet file.
const magic = "PAR1"

func newBlockFile(c *codec, file *os.File, cheap bool) *blockFile {
	return &blockFile{codec: c, file: file, cheap: cheap, seen: make([]bool, len(c.columns)), squeeze: make([]squeezing, len(c.columns)),
		blockScratch: blockScratches.Get().(*blockScratch)}
}

// extent is the least and the greatest time of rows.
type extent struct{ min, max int64 }

// group writes the rows named, in that order, as a row group; nil names all of
// them in theirs. At most groupRows.
func (f *blockFile) group(b *block, rows []int32) (*blockGroup, error) {
	n := b.rows
	if rows != nil {
		n = len(rows)
	}
	g := f.begin(n)
	for i := range f.codec.columns {
		if err := f.column(g, i, &b.vectors[i], rows); err != nil {
			return nil, err
		}
	}
	return g, f.end(g)
}

// begin starts a row group. Several may be open at a time and get their columns
// in turn; they end in the order they begin.
func (f *blockFile) begin(rows int) *blockGroup {
	g := &blockGroup{rows: rows, chunks: make([]*format.ColumnChunk, len(f.codec.columns))}
	if k := len(f.spare); k > 0 {
		g.buf, f.spare = f.spare[k-1], f.spare[:k-1]
	}
	g.buf = append(g.buf[:0], magic...) // no chunk begins at 0
	return g
}

// column adds a column to a row group: the rows named of its values.
func (f *blockFile) column(g *blockGroup, i int, v *vector, rows []int32) error {
	if !v.seen {
		return nil
	}
	c := &f.codec.columns[i]
	f.buf = g.buf
	f.now = f.squeeze[i]
	if f.cheap {
		f.now = unsqueezed
	}
	chunk, bounds, err := f.chunk(c, v, rows, g.rows)
	g.buf = f.buf
	if err != nil {
		return fmt.Errorf("column %s: %w", c.name, err)
	}
	if chunk == nil {
		return nil // the values are all in other rows
	}
	f.squeeze[i] = f.now
	switch c.at {
	case f.codec.start.at:
		g.start = bounds
	case f.codec.end.at:
		g.end = bounds
	}
	f.seen[i] = true
	g.chunks[i] = chunk
	return nil
}

// end writes a row group.
func (f *blockFile) end(g *blockGroup) error {
	for _, c := range g.chunks {
		if c != nil {
			f.place(&c.MetaData)
		}
	}
	err := f.write(g.buf)
	f.spare = append(f.spare, g.buf)
	g.buf = nil
	f.groups = append(f.groups, g)
	return err
}

// place turns a chunk's offsets in a buffer into those in the file.
func (f *blockFile) place(m *format.ColumnMetaData) {
	if f.at == 0 {
		return
	}
	by := f.at - int64(len(magic))
	m.DataPageOffset += by
	if m.DictionaryPageOffset > 0 {
		m.DictionaryPageOffset += by
	}
	if m.BloomFilterOffset > 0 {
		m.BloomFilterOffset += by
	}
}

// write appends a buffer, which begins as a file does.
func (f *blockFile) write(buf []byte) error {
	if f.at > 0 {
		buf = buf[len(magic):]
	}
	n, err := f.file.Write(buf)
	f.at += int64(n)
	return err
}

// close writes the chunks of columns that are NULL in a whole row group while
// other groups have values, and the footer.
func (f *blockFile) close() error {
	t, err := f.codec.template()
	if err != nil {
		return err
	}
	meta := format.FileMetaData{Version: t.Version, CreatedBy: "wiresql", Schema: []format.SchemaElement{t.Schema[0]}}
	var columns []int
	elements := t.Schema[1:]
	for i, seen := range f.seen {
		n := 1
		if f.codec.columns[i].shape == shapeList {
			n = 3
		}
		if seen || !f.codec.columns[i].optional {
			columns = append(columns, i)
			meta.Schema = append(meta.Schema, elements[:n]...)
			meta.ColumnOrders = append(meta.ColumnOrders, t.ColumnOrders[i])
		}
		elements = elements[n:]
	}
	f.buf = append(f.buf[:0], magic...)
	meta.Schema[0].NumChildren = thrift.Null[int32]{V: int32(len(columns)), Valid: true}
	for n := range f.groups {
		g := f.groups[n]
		group := format.RowGroup{NumRows: int64(g.rows), Ordinal: int16(n)}
		for _, i := range columns {
			if g.chunks[i] == nil {
				if g.chunks[i], err = f.nullChunk(&f.codec.columns[i], g.rows, f.squeeze[i]); err != nil {
					return err
				}
			}
			group.Columns = append(group.Columns, *g.chunks[i])
			group.TotalByteSize += g.chunks[i].MetaData.TotalUncompressedSize
			group.TotalCompressedSize += g.chunks[i].MetaData.TotalCompressedSize
		}
		meta.NumRows += group.NumRows
		meta.RowGroups = append(meta.RowGroups, group)
	}
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return err
	}
	f.buf = append(f.buf, footer...)
	f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(len(footer)))
	f.buf = append(f.buf, magic...)
	err = f.write(f.buf)
	blockScratches.Put(f.blockScratch)
	f.blockScratch = nil
	return err
}

// nullChunk writes a column without a value.
func (f *blockFile) nullChunk(c *column, rows int, squeeze squeezing) (*format.ColumnChunk, error) {
	m := format.ColumnMetaData{Type: format.Int64, PathInSchema: []string{c.name}, NumValues: int64(rows), Statistics: format.Statistics{NullCount: int64(rows)}}
	levels := 1
	switch c.shape {
	case shape32:
		m.Type = format.Int32
	case shapeBool:
		m.Type = format.Boolean
	case shapeText:
		m.Type = format.ByteArray
	case shapeList:
		m.Type, levels = format.Int32, 2
		m.PathInSchema = append(m.PathInSchema, "list", "element")
	}
	run := appendRun(nil, rows, 0)
	f.values = f.values[:0]
	for range levels {
		f.values = append(binary.LittleEndian.AppendUint32(f.values, uint32(len(run))), run...)
	}
	f.now = squeeze
	if err := f.writePage(&m, format.Plain); err != nil {
		return nil, err
	}
	f.place(&m)
	return &format.ColumnChunk{MetaData: m}, nil
}

// names lists the columns the file has.
func (f *blockFile) names() []string {
	var names []string
	for i, seen := range f.seen {
		if seen || !f.codec.columns[i].optional {
			names = append(names, f.codec.columns[i].name)
		}
	}
	return sharedNames(names)
}

// template is the metadata of a file of all columns: what they are called in
// Parquet's terms.
func (c *codec) template() (*format.FileMetaData, error) {
	c.once.Do(func() {
		var b bytes.Buffer
		w := parquet.NewGenericWriter[any](&b, c.schema)
		if c.failed = w.Close(); c.failed != nil {
			return
		}
		f, err := parquet.OpenFile(bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			c.failed = err
			return
		}
		c.meta = f.Metadata()
	})
	return c.meta, c.failed
}
