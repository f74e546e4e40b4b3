package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// blockReader reads whole column chunks of a file a blockFile wrote. RowReader
// reads such files as well, row by row; merging them by the column takes a
// third of the time.
type blockReader struct {
	path   string
	file   *os.File
	groups []format.RowGroup
	leaf   []int // of each column of the codec; -1 when the file lacks it
	blockReadScratch
}

// blockReadScratch is the memory that reading a chunk takes.
type blockReadScratch struct {
	raw     []byte
	page    []byte
	wide    []int64 // values, or a dictionary's
	narrow  []int32
	indexes []int32
	texts   []int32 // a dictionary's texts, as indexes of the vector's
	levels  []uint8
	repeats []uint8
}

// maxPage bounds a page a file says it has.
const maxPage = 256 << 20

func openBlocks(c *codec, path string) (*blockReader, error) {
	file, pf, err := openParquet(path)
	if err != nil {
		return nil, err
	}
	r := &blockReader{path: path, file: file, groups: pf.Metadata().RowGroups, leaf: make([]int, len(c.columns))}
	for i := range c.columns {
		r.leaf[i] = -1
		where := []string{c.columns[i].name}
		if c.columns[i].shape == shapeList {
			where = append(where, "list", "element")
		}
		if leaf, ok := pf.Schema().Lookup(where...); ok {
			r.leaf[i] = leaf.ColumnIndex
		}
	}
	return r, nil
}

func (r *blockReader) close() error { return r.file.Close() }

var errPages = errors.New("the pages of a column are not what its metadata says")

// read appends the values of a column in a row group to a vector that has those
// of so many rows.
func (r *blockReader) read(group int, c *column, index int, v *vector, before int) (err error) {
	// Bytes that were damaged on disk can make the decoders panic.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
		if err != nil {
			err = fmt.Errorf("%s: column %s: %w", r.path, c.name, err)
		}
	}()
	g := &r.groups[group]
	rows := int(g.NumRows)
	if rows <= 0 || rows > 1<<24 {
		return fmt.Errorf("a row group of %d rows", g.NumRows)
	}
	leaf := r.leaf[index]
	if leaf >= len(g.Columns) {
		return errPages
	}
	if leaf < 0 || c.optional && c.shape != shapeList && g.Columns[leaf].MetaData.Statistics.NullCount == int64(rows) {
		if v.seen || !c.optional {
			v.seen = true
			v.skip(c, rows)
		}
		return nil
	}
	if !v.seen {
		v.begin(c, before)
	}
	m := &g.Columns[leaf].MetaData
	want := len(v.set) + rows
	if err := r.chunk(m, c, v, rows); err != nil {
		return err
	}
	if c.optional && len(v.set) != want {
		return errPages
	}
	return nil
}

// skip appends NULLs, or zeros to a column that has none.
func (v *vector) skip(c *column, rows int) {
	if c.optional {
		v.nulls += rows
		v.set = append(v.set, make([]uint8, rows)...)
	}
	switch c.shape {
	case shape64:
		v.wide = append(v.wide, make([]int64, rows)...)
	case shapeList:
		for range rows {
			v.ends = append(v.ends, int32(len(v.items)))
		}
	default:
		v.narrow = append(v.narrow, make([]int32, rows)...)
	}
}

// chunk decodes the pages of a chunk.
func (r *blockReader) chunk(m *format.ColumnMetaData, c *column, v *vector, rows int) error {
	start, size := m.DataPageOffset, m.TotalCompressedSize
	if m.DictionaryPageOffset > 0 {
		start = min(start, m.DictionaryPageOffset)
	}
	if start < 0 || size <= 0 || size > maxPage {
		return errPages
	}
	r.raw = slices.Grow(r.raw[:0], int(size))[:size]
	if _, err := r.file.ReadAt(r.raw, start); err != nil {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	for b := r.raw; rows > 0; {
		var h format.PageHeader
		header := new(thrift.CompactProtocol).NewReaderFromBytes(b)
		if err := thrift.NewDecoder(header).Decode(&h); err != nil {
			return err
		}
		b = b[header.BytesRead():]
		if h.CompressedPageSize < 0 || int(h.CompressedPageSize) > len(b) || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPage {
			return errPages
		}
		page := b[:h.CompressedPageSize]
		b = b[h.CompressedPageSize:]
		if m.Codec == format.Zstd {
			d := decoders.Get().(*zstd.Decoder)
			out, err := d.DecodeAll(page, slices.Grow(r.page[:0], int(h.UncompressedPageSize)))
			decoders.Put(d)
			if err != nil {
				return err
			}
			page, r.page = out, out
		} else if m.Codec != format.Uncompressed {
			return fmt.Errorf("compressed by %v", m.Codec)
		}
		if len(page) != int(h.UncompressedPageSize) {
			return errPages
		}
		switch {
		case h.Type == format.DictionaryPage && h.DictionaryPageHeader.Valid:
			if err := r.dictionary(page, int(h.DictionaryPageHeader.V.NumValues), c, v); err != nil {
				return err
			}
		case h.Type == format.DataPage && h.DataPageHeader.Valid:
			n, err := r.data(page, &h.DataPageHeader.V, c, v, rows)
			if err != nil {
				return err
			}
			rows -= n
		default:
			return fmt.Errorf("a page of type %v", h.Type)
		}
	}
	return nil
}

var decoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPage))
	if err != nil {
		panic(err) // constant options are wrong
	}
	return d
}}

// dictionary takes in a dictionary page.
func (r *blockReader) dictionary(page []byte, n int, c *column, v *vector) error {
	switch c.shape {
	case shape64:
		if n < 0 || len(page) != 8*n {
			return errPages
		}
		r.wide = appendPlain64(r.wide[:0], page)
	case shapeText:
		r.texts = r.texts[:0]
		for range n {
			if len(page) < 4 || uint64(binary.LittleEndian.Uint32(page)) > uint64(len(page)-4) {
				return errPages
			}
			size := binary.LittleEndian.Uint32(page)
			if size == 0 { // that is NULL
				return errPages
			}
			r.texts = append(r.texts, v.text(string(page[4:4+size])))
			page = page[4+size:]
		}
	default:
		if n < 0 || len(page) != 4*n {
			return errPages
		}
		r.narrow = appendPlain32(r.narrow[:0], page)
	}
	return nil
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

// data takes in a data page and returns its rows; more than most are an error.
func (r *blockReader) data(page []byte, h *format.DataPageHeader, c *column, v *vector, most int) (rows int, err error) {
	n := int(h.NumValues)
	if n < 0 || n > maxPage/8 {
		return 0, errPages
	}
	present := n
	switch {
	case c.shape == shapeList:
		if r.repeats, page, err = readLevels(r.repeats, page, n, 1); err != nil {
			return 0, err
		}
		if r.levels, page, err = readLevels(r.levels, page, n, 2); err != nil {
			return 0, err
		}
		present = 0
		for _, l := range r.levels {
			if l == 2 {
				present++
			}
		}
	case c.optional:
		if r.levels, page, err = readLevels(r.levels, page, n, 1); err != nil {
			return 0, err
		}
		present = 0
		for _, l := range r.levels {
			present += int(l)
		}
	}
	if c.shape == shape64 {
		return n, r.data64(page, h.Encoding, c, v, n, present, most)
	}
	values, err := r.values32(page, h.Encoding, c, present)
	if err != nil {
		return 0, err
	}
	if c.shape == shapeList {
		return r.lists(values, v, most)
	}
	if n > most {
		return 0, errPages
	}
	if !c.optional {
		v.narrow = append(v.narrow, values...)
		return n, nil
	}
	v.set = append(v.set, r.levels...)
	v.nulls += n - present
	v.narrow = spread(v.narrow, values, r.levels)
	return n, nil
}

// readLevels decodes n levels, which stand before a page's values.
func readLevels(dst []uint8, page []byte, n, width int) ([]uint8, []byte, error) {
	if len(page) < 4 || uint64(binary.LittleEndian.Uint32(page)) > uint64(len(page)-4) {
		return dst, nil, errPages
	}
	size := binary.LittleEndian.Uint32(page)
	dst, err := (&rle.Encoding{BitWidth: width}).DecodeLevels(dst[:0], page[4:4+size])
	if err != nil {
		return dst, nil, err
	}
	if len(dst) < n { // runs of eight may be more
		return dst, nil, errPages
	}
	return dst[:n], page[4+size:], nil
}

// data64 takes in the values of a page of 64-bit numbers.
func (r *blockReader) data64(page []byte, e format.Encoding, c *column, v *vector, n, present, most int) error {
	if n > most {
		return errPages
	}
	at := len(v.wide)
	var values []int64
	switch e {
	case format.Plain:
		if len(page) != 8*present {
			return errPages
		}
		if present == n {
			v.wide = appendPlain64(v.wide, page)
		} else {
			r.wide = appendPlain64(r.wide[:0], page)
			values = r.wide
		}
	case format.DeltaBinaryPacked:
		var err error
		if r.wide, err = new(delta.BinaryPackedEncoding).DecodeInt64(r.wide[:0], page); err != nil {
			return err
		}
		values = r.wide
	case format.RLEDictionary:
		if err := r.decodeIndexes(page, present, len(r.wide)); err != nil {
			return err
		}
		v.wide = slices.Grow(v.wide, n)
		k := 0
		for i := range n {
			x := int64(0)
			if !c.optional || r.levels[i] == 1 {
				x = r.wide[r.indexes[k]]
				k++
			}
			v.wide = append(v.wide, x)
		}
	default:
		return fmt.Errorf("encoded by %v", e)
	}
	if values != nil || len(v.wide) == at && present > 0 {
		if len(values) != present {
			return errPages
		}
		if present == n {
			v.wide = append(v.wide, values...)
		} else {
			v.wide = spread(v.wide, values, r.levels)
		}
	}
	if c.optional {
		v.set = append(v.set, r.levels...)
		v.nulls += n - present
	}
	if len(v.wide) != at+n {
		return errPages
	}
	return nil
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

// decodeIndexes decodes n indexes into a dictionary of so many entries.
func (r *blockReader) decodeIndexes(page []byte, n, entries int) error {
	var err error
	if r.indexes, err = new(rle.DictionaryEncoding).DecodeInt32(r.indexes[:0], page); err != nil {
		return err
	}
	if len(r.indexes) < n {
		return errPages
	}
	r.indexes = r.indexes[:n]
	for _, x := range r.indexes {
		if uint32(x) >= uint32(entries) {
			return errPages
		}
	}
	return nil
}

// values32 decodes 32-bit numbers, or the indexes of texts in the vector.
func (r *blockReader) values32(page []byte, e format.Encoding, c *column, n int) ([]int32, error) {
	dictionary := r.narrow
	if c.shape == shapeText {
		dictionary = r.texts
	}
	switch {
	case e == format.RLEDictionary:
		if err := r.decodeIndexes(page, n, len(dictionary)); err != nil {
			return nil, err
		}
		for i, x := range r.indexes {
			r.indexes[i] = dictionary[x]
		}
		return r.indexes, nil
	case c.shape == shapeText || c.shape == shapeBool:
	case e == format.Plain:
		if r.indexes = appendPlain32(r.indexes[:0], page); len(page) != 4*n {
			return nil, errPages
		}
		return r.indexes, nil
	case e == format.DeltaBinaryPacked:
		var err error
		if r.indexes, err = new(delta.BinaryPackedEncoding).DecodeInt32(r.indexes[:0], page); err == nil && len(r.indexes) != n {
			err = errPages
		}
		return r.indexes, err
	}
	return nil, fmt.Errorf("encoded by %v", e)
}

// lists puts the values of a page together, row by row.
func (r *blockReader) lists(values []int32, v *vector, most int) (rows int, err error) {
	for i, l := range r.levels {
		if r.repeats[i] == 0 {
			if rows++; rows > most {
				return 0, errPages
			}
			v.set = append(v.set, min(l, 1))
			if l == 0 {
				v.nulls++
			}
			v.ends = append(v.ends, int32(len(v.items)))
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
