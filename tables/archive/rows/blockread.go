package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunkReader reads the pages of a column chunk, one after the other, those that
// parquet-go wrote once among them.
type chunkReader struct {
	file   io.ReaderAt
	window int // how much of the file is read at a time, at least
	codec  format.CompressionCodec
	at     int64 // of what is not read yet
	end    int64
	rows   int    // not read yet
	raw    []byte // what was read and not used yet, in buf
	buf    []byte
	// The dictionary of the chunk. Texts are indexes of the vector's.
	wide   []int64
	narrow []int32
	*readScratch
}

// readScratch is the memory that reading a page takes.
type readScratch struct {
	page    []byte
	longs   []int64
	ints    []int32
	offsets []uint32
	levels  []uint8
	repeats []uint8
}

const (
	// maxPage bounds a page a file says it has, and maxHeader its header.
	maxPage   = 256 << 20
	maxHeader = 64 << 10
)

var errPages = errors.New("the pages of a column are not what its metadata says")

// open begins a chunk of so many rows.
func (r *chunkReader) open(m *format.ColumnMetaData, rows int64) error {
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		start = min(start, m.DictionaryPageOffset)
	}
	if start < 0 || m.TotalCompressedSize <= 0 || start+m.TotalCompressedSize < start || rows <= 0 || rows > 1<<24 {
		return errPages
	}
	if m.Codec != format.Zstd && m.Codec != format.Uncompressed {
		return fmt.Errorf("compressed by %v", m.Codec)
	}
	r.codec, r.at, r.end, r.rows, r.raw = m.Codec, start, start+m.TotalCompressedSize, int(rows), nil
	r.wide, r.narrow = r.wide[:0], r.narrow[:0]
	return nil
}

// peek returns the next n bytes of the chunk and some more, or as many as there
// are.
func (r *chunkReader) peek(n int) ([]byte, error) {
	if len(r.raw) >= n || r.at >= r.end {
		return r.raw, nil
	}
	have := len(r.raw)
	size := have + int(min(int64(max(n, r.window)-have), r.end-r.at))
	if cap(r.buf) < size {
		r.buf = append(make([]byte, 0, size), r.raw...)
	} else {
		copy(r.buf[:have], r.raw)
	}
	r.raw = r.buf[:size]
	k, err := r.file.ReadAt(r.raw[have:], r.at)
	r.at += int64(k)
	if err == io.EOF && k < size-have {
		return nil, io.ErrUnexpectedEOF
	}
	if err == io.EOF {
		err = nil
	}
	return r.raw, err
}

// header takes the header of the next page off.
func (r *chunkReader) header(h *format.PageHeader) error {
	for n := 64; ; n *= 4 {
		b, err := r.peek(n)
		if err != nil {
			return err
		}
		in := new(thrift.CompactProtocol).NewReaderFromBytes(b)
		if err := thrift.NewDecoder(in).Decode(h); err == nil {
			r.raw = b[in.BytesRead():]
			return nil
		} else if len(b) < n || n > maxHeader {
			return err
		}
		*h = format.PageHeader{}
	}
}

// next appends the values of the next data page to a vector and returns how many
// rows it has; 0 at the chunk's end.
func (r *chunkReader) next(c *column, v *vector) (int, error) {
	for r.rows > 0 {
		var h format.PageHeader
		if err := r.header(&h); err != nil {
			return 0, err
		}
		size := int(h.CompressedPageSize)
		if size < 0 || size > maxPage || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPage {
			return 0, errPages
		}
		page, err := r.peek(size)
		if err != nil {
			return 0, err
		}
		if len(page) < size {
			return 0, io.ErrUnexpectedEOF
		}
		page, r.raw = page[:size], page[size:]
		n, err := r.take(&h, page, c, v)
		if err != nil {
			return 0, err
		}
		if n > r.rows {
			return 0, errPages
		}
		if r.rows -= n; n > 0 {
			return n, nil
		}
	}
	return 0, nil
}

// take takes in a page, which may be a dictionary, and returns its rows.
func (r *chunkReader) take(h *format.PageHeader, page []byte, c *column, v *vector) (rows int, err error) {
	size := int(h.UncompressedPageSize)
	switch {
	case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
		if page, err = r.plain(page, size); err != nil {
			return 0, err
		}
		return 0, r.dictionary(page, int(h.DictionaryPageHeader.V.NumValues), c, v)
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		d := &h.DataPageHeader.V
		if page, err = r.plain(page, size); err != nil {
			return 0, err
		}
		if c.shape == shapeList {
			if r.repeats, page, err = prefixedLevels(r.repeats, page, int(d.NumValues), 1); err != nil {
				return 0, err
			}
		}
		if c.optional {
			if r.levels, page, err = prefixedLevels(r.levels, page, int(d.NumValues), c.levelBits()); err != nil {
				return 0, err
			}
		}
		return r.data(page, d.Encoding, int(d.NumValues), c, v)
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		d := &h.DataPageHeaderV2.V
		repeats, levels := int(d.RepetitionLevelsByteLength), int(d.DefinitionLevelsByteLength)
		if repeats < 0 || levels < 0 || repeats > len(page) || levels > len(page)-repeats {
			return 0, errPages
		}
		if c.shape == shapeList {
			if r.repeats, err = decodeLevels(r.repeats, page[:repeats], int(d.NumValues), 1); err != nil {
				return 0, err
			}
		}
		if c.optional {
			if r.levels, err = decodeLevels(r.levels, page[repeats:repeats+levels], int(d.NumValues), c.levelBits()); err != nil {
				return 0, err
			}
		}
		if page = page[repeats+levels:]; !d.IsCompressed.Valid || d.IsCompressed.V {
			if page, err = r.plain(page, size-repeats-levels); err != nil {
				return 0, err
			}
		}
		return r.data(page, d.Encoding, int(d.NumValues), c, v)
	}
	return 0, fmt.Errorf("a page of type %v", h.Type)
}

// plain returns what of a page may be compressed, not compressed.
func (r *chunkReader) plain(page []byte, size int) ([]byte, error) {
	if size == 0 {
		return page[:0], nil
	}
	if r.codec == format.Zstd {
		d := decoders.Get().(*zstd.Decoder)
		out, err := d.DecodeAll(page, slices.Grow(r.page[:0], size))
		decoders.Put(d)
		if err != nil {
			return nil, err
		}
		page, r.page = out, out
	}
	if len(page) != size {
		return nil, errPages
	}
	return page, nil
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
	if err != nil {
		panic(err) // constant options are wrong
	}
	return d
}}

// levelBits is how wide the definition levels of a column that may be NULL are.
func (c *column) levelBits() int {
	if c.shape == shapeList {
		return 2
	}
	return 1
}

// prefixedLevels decodes n levels, which stand before a page's values with their
// length.
func prefixedLevels(dst []uint8, page []byte, n, bits int) ([]uint8, []byte, error) {
	if len(page) < 4 || uint64(binary.LittleEndian.Uint32(page)) > uint64(len(page)-4) {
		return dst, nil, errPages
	}
	size := binary.LittleEndian.Uint32(page)
	dst, err := decodeLevels(dst, page[4:4+size], n, bits)
	return dst, page[4+size:], err
}

func decodeLevels(dst []uint8, b []byte, n, bits int) ([]uint8, error) {
	if n < 0 || n > maxPage/8 {
		return dst, errPages
	}
	dst, err := (&rle.Encoding{BitWidth: bits}).DecodeLevels(dst[:0], b)
	if err != nil {
		return dst, err
	}
	if len(dst) < n { // runs of eight may be more
		return dst, errPages
	}
	return dst[:n], nil
}

// dictionary takes in a dictionary page.
func (r *chunkReader) dictionary(page []byte, n int, c *column, v *vector) error {
	switch c.shape {
	case shape64:
		if n < 0 || len(page) != 8*n {
			return errPages
		}
		r.wide = appendPlain64(r.wide[:0], page)
	case shapeText:
		r.narrow = r.narrow[:0]
		for range n {
			s, rest, err := plainText(page)
			if err != nil {
				return err
			}
			r.narrow, page = append(r.narrow, v.textOf(s)), rest
		}
	default:
		if n < 0 || len(page) != 4*n {
			return errPages
		}
		r.narrow = appendPlain32(r.narrow[:0], page)
	}
	return nil
}

// plainText takes a text off, which is not empty: that is NULL.
func plainText(b []byte) (text, rest []byte, err error) {
	if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
		return nil, nil, errPages
	}
	n := 4 + int(binary.LittleEndian.Uint32(b))
	if n == 4 {
		return nil, nil, errPages
	}
	return b[4:n], b[n:], nil
}

func appendPlain64(dst []int64, b []byte) []int64 {
	for ; len(b) >= 8; b = b[8:] {
		dst = append(dst, int64(binary.LittleEndian.Uint64(b)))
	}
	return dst
}

func appendPlain32(dst []int32, b []byte) []int32 {
	for ; len(b) >= 4; b = b[4:] {
		dst = append(dst, int32(binary.LittleEndian.Uint32(b)))
	}
	return dst
}

// data takes in the values of a data page of n entries, whose levels are read,
// and returns its rows.
func (r *chunkReader) data(page []byte, e format.Encoding, n int, c *column, v *vector) (rows int, err error) {
	if n < 0 || n > maxPage/8 {
		return 0, errPages
	}
	present := n
	if c.optional {
		there := uint8(1)
		if c.shape == shapeList {
			there = 2
		}
		present = 0
		for _, l := range r.levels {
			if l == there {
				present++
			}
		}
	}
	if n > r.rows && c.shape != shapeList {
		return 0, errPages
	}
	switch c.shape {
	case shape64:
		values, err := r.values64(page, e, present)
		if err != nil {
			return 0, err
		}
		if present == n {
			v.wide = append(v.wide, values...)
		} else {
			v.wide = spread(v.wide, values, r.levels)
		}
	case shapeBytes:
		if err := r.blobs(page, e, present, v); err != nil {
			return 0, err
		}
	default:
		values, err := r.values32(page, e, c, present, v)
		if err != nil {
			return 0, err
		}
		if c.shape == shapeList {
			return r.lists(values, v)
		}
		if present == n {
			v.narrow = append(v.narrow, values...)
		} else {
			v.narrow = spread(v.narrow, values, r.levels)
		}
	}
	if c.optional {
		v.set = append(v.set, r.levels...)
		v.nulls += n - present
	}
	return n, nil
}

// values64 decodes n 64-bit numbers.
func (r *chunkReader) values64(page []byte, e format.Encoding, n int) ([]int64, error) {
	if n == 0 {
		return nil, nil
	}
	var err error
	switch e {
	case format.Plain:
		r.longs = appendPlain64(r.longs[:0], page)
	case format.DeltaBinaryPacked:
		r.longs, err = new(delta.BinaryPackedEncoding).DecodeInt64(r.longs[:0], page)
	case format.RLEDictionary:
		if err := r.indexes(page, n, len(r.wide)); err != nil {
			return nil, err
		}
		r.longs = slices.Grow(r.longs[:0], n)[:n]
		for i, x := range r.ints {
			r.longs[i] = r.wide[x]
		}
	default:
		return nil, fmt.Errorf("encoded by %v", e)
	}
	if err == nil && len(r.longs) != n {
		err = errPages
	}
	return r.longs, err
}

// spread appends the values at their rows, and zeros where there are none.
func spread[T int32 | int64](dst, values []T, set []uint8) []T {
	dst = slices.Grow(dst, len(set))
	k := 0
	for _, s := range set {
		var x T
		if s == 1 {
			x = values[k]
			k++
		}
		dst = append(dst, x)
	}
	return dst
}

// indexes decodes n indexes into a dictionary of so many entries.
func (r *chunkReader) indexes(page []byte, n, entries int) error {
	var err error
	if r.ints, err = new(rle.DictionaryEncoding).DecodeInt32(r.ints[:0], page); err != nil {
		return err
	}
	if len(r.ints) < n {
		return errPages
	}
	r.ints = r.ints[:n]
	for _, x := range r.ints {
		if uint32(x) >= uint32(entries) {
			return errPages
		}
	}
	return nil
}

// values32 decodes n 32-bit numbers, booleans, or the indexes of texts in the
// vector.
func (r *chunkReader) values32(page []byte, e format.Encoding, c *column, n int, v *vector) ([]int32, error) {
	if n == 0 {
		return nil, nil
	}
	var err error
	switch {
	case e == format.RLEDictionary:
		if err := r.indexes(page, n, len(r.narrow)); err != nil {
			return nil, err
		}
		for i, x := range r.ints {
			r.ints[i] = r.narrow[x]
		}
	case e == format.Plain && c.shape == shapeBool:
		if len(page) != (n+7)/8 {
			return nil, errPages
		}
		r.ints = r.ints[:0]
		for i := range n {
			r.ints = append(r.ints, int32(page[i/8]>>(i&7)&1))
		}
	case e == format.Plain && c.shape == shapeText:
		r.ints = r.ints[:0]
		for range n {
			s, rest, err := plainText(page)
			if err != nil {
				return nil, err
			}
			r.ints, page = append(r.ints, v.textOf(s)), rest
		}
	case e == format.Plain:
		r.ints = appendPlain32(r.ints[:0], page)
	case e == format.DeltaBinaryPacked && c.shape != shapeText:
		r.ints, err = new(delta.BinaryPackedEncoding).DecodeInt32(r.ints[:0], page)
	default:
		return nil, fmt.Errorf("encoded by %v", e)
	}
	if err == nil && len(r.ints) != n {
		err = errPages
	}
	return r.ints, err
}

// blobs takes in the n blobs of a page, and where those of its rows end.
func (r *chunkReader) blobs(page []byte, e format.Encoding, n int, v *vector) error {
	base := len(v.bytes)
	r.offsets = append(r.offsets[:0], 0)
	if n > 0 {
		if e != format.DeltaLengthByteArray {
			return fmt.Errorf("encoded by %v", e)
		}
		v.bytes = slices.Grow(v.bytes, len(page)) // decoded in place
		out, offsets, err := new(delta.LengthByteArrayEncoding).DecodeByteArray(v.bytes[base:base], page, r.offsets)
		if err != nil {
			return err
		}
		if r.offsets = offsets; len(offsets) != n+1 || !slices.IsSorted(offsets) || int(offsets[n]) != len(out) {
			return errPages
		}
		v.bytes = v.bytes[:base+len(out)]
	}
	k := 0
	for _, l := range r.levels {
		k += int(l)
		v.ends = append(v.ends, base+int(r.offsets[k]))
	}
	return nil
}

// lists puts the values of a page together, row by row.
func (r *chunkReader) lists(values []int32, v *vector) (rows int, err error) {
	for i, l := range r.levels {
		if r.repeats[i] == 0 {
			if rows++; rows > r.rows {
				return 0, errPages
			}
			v.set = append(v.set, min(l, 1))
			if l == 0 {
				v.nulls++
			}
			v.ends = append(v.ends, len(v.items))
		} else if i == 0 || l != 2 {
			return 0, errPages
		}
		if l == 2 {
			v.items = append(v.items, values[0])
			values = values[1:]
			v.ends[len(v.ends)-1]++
		}
	}
	return rows, nil
}
