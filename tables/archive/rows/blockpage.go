package rows

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"sync"
	"unsafe"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/bloom/xxhash"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// squeezing is whether a column's pages are compressed.
type squeezing uint8

const (
	undecided squeezing = iota
	squeezed
	unsqueezed
)

// better is what of a column's numbers takes less, once both were tried.
type better uint8

const (
	untried better = iota
	differences
	values
)

// writtenChunk is a column chunk whose pages are written, and their index.
type writtenChunk struct {
	meta  format.ColumnMetaData
	pages []format.PageLocation
	// index has the bounds of each page, unless one has none.
	index     format.ColumnIndex
	unbounded bool
}

func newWrittenChunk(c *column, rows, nulls int) *writtenChunk {
	w := &writtenChunk{meta: format.ColumnMetaData{PathInSchema: []string{c.name}, NumValues: int64(rows), Statistics: format.Statistics{NullCount: int64(nulls)}}}
	switch c.shape {
	case shape64:
		w.meta.Type = format.Int64
	case shape32:
		w.meta.Type = format.Int32
	case shapeBool:
		w.meta.Type = format.Boolean
	case shapeList:
		w.meta.Type = format.Int32
		w.meta.PathInSchema = append(w.meta.PathInSchema, "list", "element")
	default:
		w.meta.Type = format.ByteArray
	}
	return w
}

// between says within which bounds the chunk's values are.
func (w *writtenChunk) between(lo, hi []byte) {
	w.meta.Statistics.MinValue, w.meta.Statistics.MaxValue = lo, hi
}

// list says how many values and NULLs a chunk of lists has.
func (w *writtenChunk) list(values, nulls int) {
	w.meta.NumValues, w.meta.Statistics.NullCount = int64(values), int64(nulls)
}

// encoded notes an encoding.
func (w *writtenChunk) encoded(list ...format.Encoding) {
	for _, e := range list {
		if !slices.Contains(w.meta.Encoding, e) {
			w.meta.Encoding = append(w.meta.Encoding, e)
		}
	}
}

// move adds to all offsets: pages are placed when the row group is written.
func (w *writtenChunk) move(by int64) {
	m := &w.meta
	m.DataPageOffset += by
	if m.DictionaryPageOffset > 0 {
		m.DictionaryPageOffset += by
	}
	if m.BloomFilterOffset > 0 {
		m.BloomFilterOffset += by
	}
	for i := range w.pages {
		w.pages[i].Offset += by
	}
}

// boundsOf returns the least and the greatest of values; nil when they are too
// long to be told.
type boundsOf func(from, to int) (lo, hi []byte)

// cuts says how the rows of the chunk at work are cut into pages.
type cuts struct {
	rows     int
	pageRows int // of a page
	optional bool
	list     bool
	defs     []uint8 // definition levels; nil when no row is NULL
}

// cut prepares the pages of a chunk. Those of lists take their levels from
// f.levels, f.repeats and f.rowEnds.
func (f *blockFile) cut(c *column, v *vector, rows []int32, n, nulls int) {
	f.cuts = cuts{rows: n, pageRows: f.codec.pageRows, optional: c.optional, list: c.shape == shapeList}
	if c.shape == shapeBytes {
		f.pageRows = blobRows
	}
	if nulls == 0 || f.list {
		return
	}
	f.defs = v.set
	if rows != nil {
		f.levels = slices.Grow(f.levels[:0], n)[:n]
		f.defs = f.levels
		for i, r := range rows {
			f.levels[i] = v.set[r]
		}
	}
}

// writePages appends the data pages of a chunk. put appends the values from
// and to which a page goes to f.values; it is not called for a page without any.
func (f *blockFile) writePages(w *writtenChunk, e format.Encoding, put func(from, to int), bounds boundsOf) error {
	w.meta.DataPageOffset = int64(len(f.buf))
	w.encoded(format.RLE)
	w.unbounded = bounds == nil
	at := 0
	for row := 0; row < f.rows; row += f.pageRows {
		f.values = f.values[:0]
		entries, present := f.putLevels(row, min(row+f.pageRows, f.rows))
		encoding := format.Plain // of no values
		var lo, hi []byte
		if present > 0 {
			encoding = e
			put(at, at+present)
			if bounds != nil {
				lo, hi = bounds(at, at+present)
				w.unbounded = w.unbounded || lo == nil
			}
		}
		at += present
		w.encoded(encoding)
		from := int64(len(f.buf))
		if err := f.append(w, f.values, format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.Null[format.DataPageHeader]{
			Valid: true, V: format.DataPageHeader{NumValues: int32(entries), Encoding: encoding,
				DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}}}); err != nil {
			return err
		}
		w.pages = append(w.pages, format.PageLocation{Offset: from, CompressedPageSize: int32(int64(len(f.buf)) - from), FirstRowIndex: int64(row)})
		x := &w.index
		x.NullPages = append(x.NullPages, present == 0)
		x.NullCounts = append(x.NullCounts, int64(entries-present))
		x.MinValues, x.MaxValues = append(x.MinValues, lo), append(x.MaxValues, hi)
	}
	if w.meta.DictionaryPageOffset > 0 {
		w.encoded(format.Plain) // of the dictionary
	}
	return nil
}

// putLevels begins a page in f.values with the levels of its rows, and returns
// how many there are and how many of them have a value.
func (f *blockFile) putLevels(from, to int) (entries, present int) {
	switch {
	case f.list:
		first := 0
		if from > 0 {
			first = f.rowEnds[from-1]
		}
		last := f.rowEnds[to-1]
		f.putRuns(f.repeats[first:last], 1)
		f.putRuns(f.levels[first:last], 2)
		for _, l := range f.levels[first:last] {
			if l == 2 {
				present++
			}
		}
		return last - first, present
	case f.defs != nil:
		f.putRuns(f.defs[from:to], 1)
		for _, l := range f.defs[from:to] {
			present += int(l)
		}
		return to - from, present
	case f.optional:
		run := appendRun(f.runs[:0], to-from, 1)
		f.runs = run
		f.values = append(binary.LittleEndian.AppendUint32(f.values, uint32(len(run))), run...)
	}
	return to - from, to - from
}

// putRuns appends levels of so many bits.
func (f *blockFile) putRuns(levels []uint8, width int) {
	// The only error is of widths that are not 1 to 8.
	f.runs, _ = (&rle.Encoding{BitWidth: width}).EncodeLevels(f.runs[:0], levels)
	f.values = append(binary.LittleEndian.AppendUint32(f.values, uint32(len(f.runs))), f.runs...)
}

// appendRun appends a run of one value, of up to eight bits.
func appendRun(b []byte, n int, value byte) []byte {
	return append(binary.AppendUvarint(b, uint64(n)<<1), value)
}

// append appends a page.
func (f *blockFile) append(w *writtenChunk, page []byte, h format.PageHeader) error {
	m := &w.meta
	h.UncompressedPageSize = int32(len(page))
	if f.now == undecided {
		f.now = squeezed
		if h.Type == format.DataPage && m.DictionaryPageOffset == 0 {
			if h.DataPageHeader.V.Encoding == format.Plain {
				f.now = unsqueezed
			} else if f.squeezed = compressed(f.squeezed, page); len(f.squeezed) > len(page)-len(page)/worthIt {
				f.now = unsqueezed
			}
		}
	}
	if f.now == squeezed {
		m.Codec = format.Zstd
		f.squeezed = compressed(f.squeezed, page)
		page = f.squeezed
	}
	h.CompressedPageSize, h.CRC = int32(len(page)), int32(crc32.ChecksumIEEE(page))
	header, err := thrift.Marshal(new(thrift.CompactProtocol), &h)
	if err != nil {
		return err
	}
	f.put(header, page)
	m.TotalUncompressedSize += int64(len(header)) + int64(h.UncompressedPageSize)
	m.TotalCompressedSize += int64(len(header)) + int64(len(page))
	return nil
}

// put appends to what is written of the row group.
func (f *blockFile) put(parts ...[]byte) {
	for _, b := range parts {
		at := len(f.buf)
		f.buf = longer(f.buf, len(b), 0)
		copy(f.buf[at:], b)
	}
}

func compressed(dst, page []byte) []byte {
	e := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(e)
	return e.EncodeAll(page, dst[:0])
}

var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(1<<20)) // what is usual has 8 MB of memory each
	if err != nil {
		panic(err) // constant options are wrong
	}
	return e
}}

// blooms tells whether a column gets a filter.
func (f *blockFile) blooms(c *column) bool {
	return !f.o.Cheap && slices.Contains(f.codec.family.Blooms, c.name)
}

func hash64(x int64) uint64 { return xxhash.Sum64Uint64(uint64(x)) }
func hashText(text string) uint64 {
	return xxhash.Sum64(unsafe.Slice(unsafe.StringData(text), len(text)))
}

// writeBloom appends a chunk's bloom filter of n values.
func (f *blockFile) writeBloom(w *writtenChunk, n int, hash func(int) uint64) error {
	blocks := bloom.NumSplitBlocksOf(int64(n), f.codec.bloomBits)
	f.filter = slices.Grow(f.filter[:0], blocks)[:blocks]
	filter := f.filter
	clear(filter)
	f.hashes = f.hashes[:0]
	for i := range n {
		f.hashes = append(f.hashes, hash(i))
	}
	filter.InsertBulk(f.hashes)
	header, err := thrift.Marshal(new(thrift.CompactProtocol), &format.BloomFilterHeader{NumBytes: int32(len(filter.Bytes())),
		Algorithm:   format.BloomFilterAlgorithm{Value: new(format.SplitBlockAlgorithm)},
		Hash:        format.BloomFilterHash{Value: new(format.XxHash)},
		Compression: format.BloomFilterCompression{Value: new(format.BloomFilterUncompressed)}})
	if err != nil {
		return err
	}
	w.meta.BloomFilterOffset = int64(len(f.buf))
	w.meta.BloomFilterLength = int32(len(header) + len(filter.Bytes()))
	f.put(header, filter.Bytes())
	return nil
}
