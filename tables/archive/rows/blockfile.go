package rows

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// blockFile writes blocks as the row groups of a Parquet file. How a column
// chunk is encoded is decided by its values:
//
//   - one value: a dictionary of one entry and one run
//   - few values, and texts: a dictionary
//   - a range of more than 56 bits: hashes; plain
//   - other numbers: the differences from row to row, bit-packed
//   - blobs: their lengths, and then their bytes
//
// A cheap file has no dictionaries but of texts and no compression, which
// writes a row in a tenth of the time.
type blockFile struct {
	codec *codec
	to    Target
	o     Options
	sum   File // what it holds so far
	timed bool // a row with a time was there
	sums  sums.Writer

	at     int64 // file's length
	groups []*blockGroup
	seen   []bool
	// squeeze tells of each column whether its pages are compressed. Readers
	// take what holds for the first row group to hold for all.
	squeeze []squeezing
	betters []better  // of each column, as its first row group was
	now     squeezing // of the column at work
	better  *better   // likewise
	cuts              // of the column at work
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
	present  []int32
	runs     []byte
	levels   []uint8
	repeats  []uint8
	rowEnds  []int // of lists: where each row's levels end
	hashes   []uint64
	filter   bloom.SplitBlockFilter
	used     []string
	dict     dictionary
}

var blockScratches = sync.Pool{New: func() any { return new(blockScratch) }}

// blockGroup is a row group that was written; a column without a value in it
// has no chunk yet.
type blockGroup struct {
	rows       int
	chunks     []*writtenChunk
	buf        []byte  // until it is written
	start, end *extent // of the times, where there are any
}

// magic begins and ends a Parquet file.
const magic = "PAR1"

func newBlockFile(c *codec, to Target, o Options) *blockFile {
	f := &blockFile{codec: c, to: to, o: o, seen: make([]bool, len(c.columns)), squeeze: make([]squeezing, len(c.columns)), betters: make([]better, len(c.columns)),
		blockScratch: blockScratches.Get().(*blockScratch)}
	for i := range f.seen {
		f.seen[i] = !c.columns[i].optional || !c.family.MayLack(c.columns[i].name)
	}
	return f
}

// extent is the least and the greatest time of rows.
type extent struct{ min, max int64 }

// group writes the rows named, in that order, as a row group; nil names all of
// them in theirs. At most GroupRows. Where they are many, goroutines encode a
// column each: nothing ties columns but their places in the file.
func (f *blockFile) group(b *block, rows []int32) error {
	n := b.rows
	if rows != nil {
		n = len(rows)
	}
	g := f.begin(n)
	workers := min(runtime.GOMAXPROCS(0), n/workerRows, maxWorkers)
	if workers < 2 {
		for i := range f.codec.columns {
			if err := f.column(g, i, &b.vectors[i], rows); err != nil {
				return err
			}
		}
		return f.end(g)
	}
	var next atomic.Int32
	var wait sync.WaitGroup
	parts, errs := make([]*blockGroup, workers), make([]error, workers)
	scratches := make([]*blockScratch, workers)
	type place struct{ part, from, to int }
	places := make([]place, len(f.codec.columns))
	for k := range parts {
		wait.Go(func() {
			w := *f // shares what is kept of each column
			w.blockScratch = blockScratches.Get().(*blockScratch)
			part := w.begin(n)
			part.chunks, parts[k], scratches[k] = g.chunks, part, w.blockScratch
			for i := int(next.Add(1)) - 1; i < len(places) && errs[k] == nil; i = int(next.Add(1)) - 1 {
				from := len(part.buf)
				errs[k] = w.column(part, i, &b.vectors[i], rows)
				places[i] = place{k, from, len(part.buf)}
			}
		})
	}
	wait.Wait()
	for k, part := range parts {
		if errs[k] != nil {
			return errs[k]
		}
		if part.start != nil {
			g.start = part.start
		}
		if part.end != nil {
			g.end = part.end
		}
	}
	at, all := len(g.buf), 0
	for i, c := range g.chunks {
		if p := places[i]; c != nil {
			c.move(int64(at + all - p.from))
			all += p.to - p.from
		}
	}
	g.buf = longer(g.buf, all, 0)
	for i, c := range g.chunks {
		if p := places[i]; c != nil {
			at += copy(g.buf[at:], parts[p.part].buf[p.from:p.to])
		}
	}
	for k, w := range scratches {
		w.spare = append(w.spare, parts[k].buf)
		blockScratches.Put(w)
	}
	return f.end(g)
}

const (
	// workerRows of a row group are worth a goroutine that encodes.
	workerRows = 10_000
	maxWorkers = 4
)

// begin starts a row group. Several may be open at a time and get their columns
// in turn; they end in the order they begin.
func (f *blockFile) begin(rows int) *blockGroup {
	g := &blockGroup{rows: rows, chunks: make([]*writtenChunk, len(f.codec.columns))}
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
	f.now, f.better = f.squeeze[i], &f.betters[i]
	if f.o.Cheap || c.shape == shapeBytes {
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
		g.start = &bounds
	case f.codec.end.at:
		g.end = &bounds
	}
	f.seen[i] = true
	g.chunks[i] = chunk
	return nil
}

// end writes a row group.
func (f *blockFile) end(g *blockGroup) error {
	for _, c := range g.chunks {
		if c != nil {
			c.move(f.shift())
		}
	}
	err := f.write(g.buf)
	f.spare = append(f.spare, g.buf)
	g.buf = nil
	f.groups = append(f.groups, g)
	f.note(g)
	return err
}

// note takes note of a row group's rows and times.
func (f *blockFile) note(g *blockGroup) {
	s := &f.sum
	s.Rows += int64(g.rows)
	if g.start == nil {
		return
	}
	lo, hi := tables.Time(g.start.min), tables.Time(g.start.max)
	if g.end != nil {
		hi = max(hi, tables.Time(g.end.max))
	}
	if !f.timed {
		f.timed, s.MinTS, s.MaxTS = true, lo, hi
	}
	s.MinTS, s.MaxTS = min(s.MinTS, lo), max(s.MaxTS, hi)
}

// finish ends the file, unless writing it failed, and tells its target.
func (f *blockFile) finish(err error) (File, error) {
	if err == nil {
		err = f.close()
	}
	f.sum.Bytes, f.sum.Columns = f.at, f.names()
	return f.sum, f.to.Finish(f.sum, err)
}

// shift is how far behind its place in a buffer something lies in the file.
func (f *blockFile) shift() int64 { return max(f.at-int64(len(magic)), 0) }

// write appends a buffer, which begins as a file does.
func (f *blockFile) write(buf []byte) error {
	if f.at > 0 {
		buf = buf[len(magic):]
	}
	n, err := f.to.Write(buf)
	f.at += int64(n)
	f.sums.Add(buf[:n])
	return err
}

// close writes the chunks of columns that are NULL in a whole row group, the
// page index, and the footer.
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
		if seen {
			columns = append(columns, i)
			meta.Schema = append(meta.Schema, elements[:n]...)
			meta.ColumnOrders = append(meta.ColumnOrders, t.ColumnOrders[i])
		}
		elements = elements[n:]
	}
	f.buf = append(f.buf[:0], magic...)
	meta.Schema[0].NumChildren = thrift.Null[int32]{V: int32(len(columns)), Valid: true}
	for n, g := range f.groups {
		group := format.RowGroup{NumRows: int64(g.rows), Ordinal: int16(n)}
		for _, i := range columns {
			if g.chunks[i] == nil {
				if g.chunks[i], err = f.nullChunk(&f.codec.columns[i], g.rows, f.squeeze[i]); err != nil {
					return err
				}
			}
			m := &g.chunks[i].meta
			f.o.Origin.Folds = f.o.Origin.Folds || f.codec.columns[i].name == foldedColumn && m.Statistics.NullCount < m.NumValues
			group.Columns = append(group.Columns, format.ColumnChunk{MetaData: *m})
			group.TotalByteSize += m.TotalUncompressedSize
			group.TotalCompressedSize += m.TotalCompressedSize
		}
		meta.NumRows += group.NumRows
		meta.RowGroups = append(meta.RowGroups, group)
	}
	if err := f.index(meta.RowGroups, columns); err != nil {
		return err
	}
	origin := &f.sum.Origin
	if *origin = f.o.Origin; origin.First > 0 && origin.Last == 0 {
		origin.Last = max(origin.First, tables.Time(time.Now().UnixMicro()))
	}
	meta.KeyValueMetadata = append(origin.keys(), format.KeyValue{Key: sumsKey, Value: sumsValue})
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return err
	}
	if err := f.write(f.buf); err != nil {
		return err
	}
	footer = binary.LittleEndian.AppendUint32(footer, uint32(len(footer)))
	footer = append(footer, magic...)
	f.sum.Footer = sums.Of(footer)
	n, err := f.to.Write(append(appendSums(f.buf[:0], &f.sums, footer), footer...))
	f.at += int64(n)
	blockScratches.Put(f.blockScratch)
	f.blockScratch = nil
	return err
}

// index appends the page index: the bounds of all pages, and then where they lie.
func (f *blockFile) index(groups []format.RowGroup, columns []int) error {
	put := func(what any) (at int64, size int32, err error) {
		b, err := thrift.Marshal(new(thrift.CompactProtocol), what)
		at = int64(len(f.buf)) + f.shift()
		f.buf = append(f.buf, b...)
		return at, int32(len(b)), err
	}
	for n := range groups {
		for k, i := range columns {
			w, c := f.groups[n].chunks[i], &groups[n].Columns[k]
			if w.unbounded {
				continue
			}
			var err error
			if c.ColumnIndexOffset, c.ColumnIndexLength, err = put(&w.index); err != nil {
				return err
			}
		}
	}
	for n := range groups {
		for k, i := range columns {
			c := &groups[n].Columns[k]
			var err error
			if c.OffsetIndexOffset, c.OffsetIndexLength, err = put(&format.OffsetIndex{PageLocations: f.groups[n].chunks[i].pages}); err != nil {
				return err
			}
		}
	}
	return nil
}

// nullChunk writes a column without a value.
func (f *blockFile) nullChunk(c *column, rows int, squeeze squeezing) (*writtenChunk, error) {
	w := newWrittenChunk(c, rows, rows)
	levels := 1
	if c.shape == shapeList {
		levels = 2
	}
	run := appendRun(nil, rows, 0)
	page := f.values[:0]
	for range levels {
		page = append(binary.LittleEndian.AppendUint32(page, uint32(len(run))), run...)
	}
	f.values = page
	f.now = squeeze
	w.meta.DataPageOffset = int64(len(f.buf))
	w.encoded(format.RLE, format.Plain)
	if err := f.append(w, page, format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.Null[format.DataPageHeader]{
		Valid: true, V: format.DataPageHeader{NumValues: int32(rows), Encoding: format.Plain,
			DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}}}); err != nil {
		return nil, err
	}
	w.pages = []format.PageLocation{{Offset: w.meta.DataPageOffset, CompressedPageSize: int32(int64(len(f.buf)) - w.meta.DataPageOffset)}}
	w.index = format.ColumnIndex{NullPages: []bool{true}, NullCounts: []int64{int64(rows)}, MinValues: [][]byte{nil}, MaxValues: [][]byte{nil}}
	w.move(f.shift())
	return w, nil
}

// names lists the columns the file has; nil when files of its family have all.
func (f *blockFile) names() []string {
	if !f.codec.family.Sparse && !slices.Contains(f.seen, false) {
		return nil
	}
	var names []string
	for i, seen := range f.seen {
		if seen {
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
