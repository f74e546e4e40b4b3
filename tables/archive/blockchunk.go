package archive

import (
	"cmp"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
	"sync"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/bloom"
	"github.com/parquet-go/parquet-go/bloom/xxhash"
	"github.com/parquet-go/parquet-go/encoding/delta"
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

const (
	// hashBits: values over a wider range are hashes; nothing compresses them.
	hashBits = 56
	// boundText is how long a text may be to stand among a chunk's statistics.
	boundText = 64
	// blockBloomBits is the filters' cost a distinct value and row group, 3 %
	// false positives: these rows have four, and are many.
	blockBloomBits = 8
	// worthIt: compression must take off so much of a page, as a fraction of
	// it, to pay for the reading.
	worthIt = 16
)

// chunk appends the pages of a column.
func (f *blockFile) chunk(c *column, v *vector, rows []int32, n int) (*format.ColumnChunk, extent, error) {
	f.values = f.values[:0]
	nulls := 0
	if c.shape == shapeList {
		nulls = v.countNulls(rows)
	} else if c.optional {
		nulls = f.definition(v, rows, n)
	}
	if c.optional {
		if nulls == n {
			return nil, extent{}, nil
		}
	}
	m := &format.ColumnMetaData{PathInSchema: []string{c.name}, NumValues: int64(n), Statistics: format.Statistics{NullCount: int64(nulls)}}
	var bounds extent
	var err error
	switch c.shape {
	case shape64:
		m.Type = format.Int64
		bounds, err = f.encode64(c, m, gather(&f.wide, v.wide, v.set, nulls, rows))
	case shape32, shapeBool:
		m.Type = format.Int32
		if c.shape == shapeBool {
			m.Type = format.Boolean
		}
		err = f.encode32(c, m, gather(&f.narrow, v.narrow, v.set, nulls, rows))
	case shapeList:
		m.Type = format.Int32
		err = f.encodeList(c, m, v, rows, n)
	default:
		m.Type = format.ByteArray
		err = f.encodeText(m, gather(&f.narrow, v.narrow, v.set, nulls, rows), v.texts)
	}
	if err != nil {
		return nil, extent{}, err
	}
	return &format.ColumnChunk{MetaData: *m}, bounds, nil
}

// gather collects the values that are set, in the order of rows.
func gather[T int64 | int32](scratch *[]T, from []T, set []uint8, nulls int, rows []int32) []T {
	if rows == nil && nulls == 0 {
		return from
	}
	n := len(from)
	if rows != nil {
		n = len(rows)
	}
	out := slices.Grow((*scratch)[:0], n)[:n]
	*scratch = out
	switch {
	case nulls == 0:
		for i, r := range rows {
			out[i] = from[r]
		}
		return out
	case rows == nil:
		k := 0
		for i := range from {
			out[k] = from[i]
			k += int(set[i])
		}
		return out[:k]
	}
	k := 0
	for _, r := range rows {
		out[k] = from[r]
		k += int(set[r])
		if k == len(out) { // all that are set were found
			break
		}
	}
	return out[:k]
}

// definition appends the definition levels and returns how many rows are NULL.
func (f *blockFile) definition(v *vector, rows []int32, n int) (nulls int) {
	at := len(f.values)
	f.values = append(f.values, 0, 0, 0, 0)
	levels := v.set
	if v.nulls > 0 && rows != nil {
		f.levels = slices.Grow(f.levels[:0], n)[:n]
		levels = f.levels
		for i, r := range rows {
			levels[i] = v.set[r]
		}
	}
	if v.nulls > 0 {
		for _, l := range levels {
			nulls += 1 - int(l)
		}
	}
	if nulls == 0 {
		f.values = appendRun(f.values, n, 1)
	} else {
		// The only error is of widths that are not 1 to 8.
		f.packed, _ = (&rle.Encoding{BitWidth: 1}).EncodeLevels(f.packed[:0], levels)
		f.values = append(f.values, f.packed...)
	}
	binary.LittleEndian.PutUint32(f.values[at:], uint32(len(f.values)-at-4))
	return nulls
}

// countNulls counts the NULLs among rows.
func (v *vector) countNulls(rows []int32) (nulls int) {
	if rows == nil || v.nulls == 0 {
		return v.nulls
	}
	for _, r := range rows {
		nulls += 1 - int(v.set[r])
	}
	return nulls
}

// appendRun appends a run of one value, of up to eight bits.
func appendRun(b []byte, n int, value byte) []byte {
	return append(binary.AppendUvarint(b, uint64(n)<<1), value)
}

// encode64 writes the pages of 64-bit values.
func (f *blockFile) encode64(c *column, m *format.ColumnMetaData, values []int64) (extent, error) {
	s := bounds64(values, c.unsigned)
	m.Statistics.MinValue = binary.LittleEndian.AppendUint64(nil, uint64(s.min))
	m.Statistics.MaxValue = binary.LittleEndian.AppendUint64(nil, uint64(s.max))
	few := 0
	if s.min == s.max {
		few = 1
	} else if !f.cheap {
		few = f.dict.index(values)
	}
	hash := bits.Len64(uint64(s.max)-uint64(s.min)) > hashBits
	var err error
	if few != 1 && !hash {
		if f.packed, err = new(delta.BinaryPackedEncoding).EncodeInt64(f.packed[:0], values); err != nil {
			return s, err
		}
	}
	switch {
	case few == 1:
		err = f.writeDictionary(m, binary.LittleEndian.AppendUint64(nil, uint64(s.min)), 1, len(values), nil)
	case few > 0 && (hash || f.dict.size(8) < len(f.packed)):
		f.bytes = plain64(f.bytes[:0], f.dict.values)
		err = f.writeDictionary(m, f.bytes, few, len(values), f.dict.indexes)
	case hash:
		f.values = plain64(f.values, values)
		err = f.writePage(m, format.Plain)
	default:
		err = f.writeDelta(m, len(values), func(dst []byte) []byte { return plain64(dst, values) })
	}
	if err == nil && !f.cheap && slices.Contains(f.codec.bloomed, c.name) {
		err = f.writeBloom(m, values, few)
	}
	return s, err
}

func bounds64(values []int64, unsigned bool) extent {
	flip := int64(0)
	if unsigned {
		flip = math.MinInt64 // orders unsigned numbers as signed ones
	}
	lo, hi := values[0]^flip, values[0]^flip
	for _, x := range values {
		lo, hi = min(lo, x^flip), max(hi, x^flip)
	}
	return extent{lo ^ flip, hi ^ flip}
}

// encode32 writes the pages of 32-bit values and of booleans.
func (f *blockFile) encode32(c *column, m *format.ColumnMetaData, values []int32) error {
	lo, hi := values[0], values[0]
	for _, x := range values {
		lo, hi = min(lo, x), max(hi, x)
	}
	if c.shape == shapeBool {
		m.Statistics.MinValue, m.Statistics.MaxValue = []byte{byte(lo)}, []byte{byte(hi)}
		var x byte
		for i, v := range values {
			if x |= byte(v) << (i & 7); i&7 == 7 || i == len(values)-1 {
				f.values = append(f.values, x)
				x = 0
			}
		}
		return f.writePage(m, format.Plain)
	}
	m.Statistics.MinValue = binary.LittleEndian.AppendUint32(nil, uint32(lo))
	m.Statistics.MaxValue = binary.LittleEndian.AppendUint32(nil, uint32(hi))
	few := 0
	if lo == hi {
		few = 1
	} else if !f.cheap {
		f.wide = f.wide[:0]
		for _, x := range values {
			f.wide = append(f.wide, int64(x))
		}
		few = f.dict.index(f.wide)
	}
	if few == 1 {
		return f.writeDictionary(m, binary.LittleEndian.AppendUint32(nil, uint32(lo)), 1, len(values), nil)
	}
	var err error
	if f.packed, err = new(delta.BinaryPackedEncoding).EncodeInt32(f.packed[:0], values); err != nil {
		return err
	}
	if few > 0 && f.dict.size(4) < len(f.packed) {
		page := make([]byte, 0, few*4)
		for _, x := range f.dict.values {
			page = binary.LittleEndian.AppendUint32(page, uint32(x))
		}
		return f.writeDictionary(m, page, few, len(values), f.dict.indexes)
	}
	return f.writeDelta(m, len(values), func(dst []byte) []byte { return plain32(dst, values) })
}

// writeDelta appends the page of the differences in f.packed or, where those
// take a byte and more each, that of the values themselves, compressed: the
// better for columns in which some values come again and again beside those that
// are random, as addresses and ports.
func (f *blockFile) writeDelta(m *format.ColumnMetaData, n int, plain func(dst []byte) []byte) error {
	if f.now != unsqueezed && len(f.packed) > n {
		f.bytes = plain(f.bytes[:0])
		f.squeezed = compressed(f.squeezed, f.packed)
		size := len(f.squeezed)
		if f.now == undecided {
			size = min(size, len(f.packed))
		}
		if f.squeezed = compressed(f.squeezed, f.bytes); len(f.squeezed) < size-size/worthIt {
			f.now = squeezed
			f.values = append(f.values, f.bytes...)
			return f.writePage(m, format.Plain)
		}
	}
	f.values = append(f.values, f.packed...)
	return f.writePage(m, format.DeltaBinaryPacked)
}

func plain64(dst []byte, values []int64) []byte {
	for _, x := range values {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

func plain32(dst []byte, values []int32) []byte {
	for _, x := range values {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(x))
	}
	return dst
}

// encodeList writes lists of numbers: which value begins a row (repetition),
// what is there (definition: 0 NULL, 1 an empty list, 2 a value), the values.
func (f *blockFile) encodeList(c *column, m *format.ColumnMetaData, v *vector, rows []int32, n int) error {
	f.levels, f.repeats, f.narrow = f.levels[:0], f.repeats[:0], f.narrow[:0]
	for i := range n {
		r := int32(i)
		if rows != nil {
			r = rows[i]
		}
		from, to := int32(0), v.ends[r]
		if r > 0 {
			from = v.ends[r-1]
		}
		f.repeats = append(f.repeats, 0)
		switch {
		case v.set[r] == 0:
			f.levels = append(f.levels, 0)
		case from == to:
			f.levels = append(f.levels, 1)
		}
		for k := from; k < to; k++ {
			if k > from {
				f.repeats = append(f.repeats, 1)
			}
			f.levels = append(f.levels, 2)
			f.narrow = append(f.narrow, v.items[k])
		}
	}
	m.PathInSchema = append(m.PathInSchema, "list", "element")
	m.NumValues = int64(len(f.levels))
	m.Statistics.NullCount = m.NumValues - int64(len(f.narrow))
	for i, levels := range [][]uint8{f.repeats, f.levels} {
		var err error
		if f.packed, err = (&rle.Encoding{BitWidth: i + 1}).EncodeLevels(f.packed[:0], levels); err != nil {
			return err
		}
		f.values = binary.LittleEndian.AppendUint32(f.values, uint32(len(f.packed)))
		f.values = append(f.values, f.packed...)
	}
	if len(f.narrow) == 0 {
		return f.writePage(m, format.Plain)
	}
	return f.encode32(c, m, f.narrow)
}

// encodeText writes a dictionary of the texts in use, and the pages.
func (f *blockFile) encodeText(m *format.ColumnMetaData, indexes []int32, texts []string) error {
	to := make([]int32, len(texts))
	out := slices.Grow(f.renamed[:0], len(indexes))[:len(indexes)]
	f.renamed = out
	var page []byte
	used := int32(0)
	var lo, hi string
	for i, x := range indexes {
		if to[x] == 0 {
			used++
			to[x] = used
			s := texts[x]
			page = append(binary.LittleEndian.AppendUint32(page, uint32(len(s))), s...)
			if used == 1 {
				lo, hi = s, s
			}
			lo, hi = min(lo, s), max(hi, s)
		}
		out[i] = to[x] - 1
	}
	if len(lo) <= boundText && len(hi) <= boundText {
		m.Statistics.MinValue, m.Statistics.MaxValue = []byte(lo), []byte(hi)
	}
	return f.writeDictionary(m, page, int(used), len(indexes), out)
}

// writeDictionary appends a dictionary page of so many entries and the page of
// indexes into it; nil indexes are n times the first.
func (f *blockFile) writeDictionary(m *format.ColumnMetaData, page []byte, entries, n int, indexes []int32) error {
	m.DictionaryPageOffset = int64(len(f.buf))
	if err := f.append(m, page, format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.Null[format.DictionaryPageHeader]{
		Valid: true, V: format.DictionaryPageHeader{NumValues: int32(entries), Encoding: format.Plain}}}); err != nil {
		return err
	}
	m.Encoding = append(m.Encoding, format.Plain)
	width := max(bits.Len(uint(entries-1)), 1)
	f.values = append(f.values, byte(width))
	if entries == 1 {
		f.values = appendRun(f.values, n, 0)
	} else {
		var err error
		if f.packed, err = (&rle.Encoding{BitWidth: width}).EncodeInt32(f.packed[:0], indexes); err != nil {
			return err
		}
		f.values = append(f.values, f.packed...)
	}
	return f.writePage(m, format.RLEDictionary)
}

// writePage appends the data page whose levels and values are in f.values.
func (f *blockFile) writePage(m *format.ColumnMetaData, e format.Encoding) error {
	m.DataPageOffset = int64(len(f.buf))
	m.Encoding = append(m.Encoding, e, format.RLE)
	return f.append(m, f.values, format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.Null[format.DataPageHeader]{
		Valid: true, V: format.DataPageHeader{NumValues: int32(m.NumValues), Encoding: e,
			DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE}}})
}

// append appends a page.
func (f *blockFile) append(m *format.ColumnMetaData, page []byte, h format.PageHeader) error {
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
	h.CompressedPageSize = int32(len(page))
	header, err := thrift.Marshal(new(thrift.CompactProtocol), &h)
	if err != nil {
		return err
	}
	f.buf = append(append(f.buf, header...), page...)
	m.TotalUncompressedSize += int64(len(header)) + int64(h.UncompressedPageSize)
	m.TotalCompressedSize += int64(len(header)) + int64(len(page))
	return nil
}

func compressed(dst, page []byte) []byte {
	e := encoders.Get().(*zstd.Encoder)
	defer encoders.Put(e)
	return e.EncodeAll(page, dst[:0])
}

var encoders = sync.Pool{New: func() any {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(err) // constant options are wrong
	}
	return e
}}

// writeBloom appends a chunk's bloom filter; few is the number of distinct
// values where it is known.
func (f *blockFile) writeBloom(m *format.ColumnMetaData, values []int64, few int) error {
	if few > 0 {
		values = f.dict.values
		if few == 1 {
			values = []int64{int64(binary.LittleEndian.Uint64(m.Statistics.MinValue))}
		}
	}
	filter := make(bloom.SplitBlockFilter, bloom.NumSplitBlocksOf(int64(len(values)), blockBloomBits))
	f.hashes = f.hashes[:0]
	for _, x := range values {
		f.hashes = append(f.hashes, xxhash.Sum64Uint64(uint64(x)))
	}
	filter.InsertBulk(f.hashes)
	header, err := thrift.Marshal(new(thrift.CompactProtocol), &format.BloomFilterHeader{NumBytes: int32(len(filter.Bytes())),
		Algorithm:   format.BloomFilterAlgorithm{Value: new(format.SplitBlockAlgorithm)},
		Hash:        format.BloomFilterHash{Value: new(format.XxHash)},
		Compression: format.BloomFilterCompression{Value: new(format.BloomFilterUncompressed)}})
	if err != nil {
		return err
	}
	m.BloomFilterOffset = int64(len(f.buf))
	m.BloomFilterLength = int32(len(header) + len(filter.Bytes()))
	f.buf = append(append(f.buf, header...), filter.Bytes()...)
	return nil
}

// dictionary finds the distinct values of a chunk, if they are few.
type dictionary struct {
	values  []int64
	indexes []int32
	slots   []int32 // into values, 1-based
}

// maxEntries bounds a dictionary; a quarter of the rows does so as well: with
// more, the dictionary is larger than what it saves.
const maxEntries = 1 << 15

// index returns the number of distinct values, 0 when there are too many.
func (d *dictionary) index(values []int64) int {
	limit := min(len(values)/4+1, maxEntries)
	size := 1 << bits.Len(uint(limit*2))
	shift := 64 - bits.Len(uint(size-1))
	d.slots = slices.Grow(d.slots[:0], size)[:size]
	clear(d.slots)
	d.values = d.values[:0]
	d.indexes = slices.Grow(d.indexes[:0], len(values))[:len(values)]
	for i, x := range values {
		at := uint64(x) * 0x9e3779b97f4a7c15 >> shift
		for {
			s := d.slots[at]
			if s == 0 {
				if len(d.values) == limit {
					return 0
				}
				d.values = append(d.values, x)
				d.slots[at] = int32(len(d.values))
				d.indexes[i] = int32(len(d.values) - 1)
				break
			}
			if d.values[s-1] == x {
				d.indexes[i] = s - 1
				break
			}
			at = (at + 1) & uint64(size-1)
		}
	}
	d.sort()
	return len(d.values)
}

// size is about how many bytes the dictionary and the indexes take, entries
// being so wide.
func (d *dictionary) size(entry int) int {
	return len(d.values)*entry + len(d.indexes)*bits.Len(uint(len(d.values)-1))/8
}

// sort brings the entries into order: they compress better.
func (d *dictionary) sort() {
	order := make([]int32, len(d.values))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(x, y int32) int { return cmp.Compare(d.values[x], d.values[y]) })
	to := make([]int32, len(order))
	sorted := make([]int64, len(order))
	for i, o := range order {
		to[o], sorted[i] = int32(i), d.values[o]
	}
	d.values = sorted
	for i, x := range d.indexes {
		d.indexes[i] = to[x]
	}
}
