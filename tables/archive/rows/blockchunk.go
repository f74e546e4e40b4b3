package rows

import (
	"encoding/binary"
	"math"
	"math/bits"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	// hashBits: values over a wider range are hashes; nothing compresses them.
	hashBits = 56
	// boundText is how long a text may be to stand among a chunk's statistics.
	boundText = 64
	// dictionaryBytes bounds a dictionary of texts: who looks for one row reads
	// all of it.
	dictionaryBytes = 1 << 20
	// worthIt: compression must take off so much of a page, as a fraction of
	// it, to pay for the reading.
	worthIt = 16
)

// chunk appends the pages of a column; nil when none of the rows has a value.
func (f *blockFile) chunk(c *column, v *vector, rows []int32, n int) (*writtenChunk, extent, error) {
	nulls := 0
	if c.optional {
		if nulls = v.countNulls(rows); nulls == n {
			return nil, extent{}, nil
		}
	}
	w := newWrittenChunk(c, n, nulls)
	f.cut(c, v, rows, n, nulls)
	var bounds extent
	var err error
	switch c.shape {
	case shape64:
		bounds, err = f.encode64(c, w, gather(&f.wide, v.wide, v.set, nulls, rows))
	case shape32, shapeBool:
		err = f.encode32(c, w, gather(&f.narrow, v.narrow, v.set, nulls, rows))
	case shapeList:
		err = f.encodeList(c, w, v, rows, n)
	case shapeBytes:
		err = f.encodeBytes(w, v, rows, n)
	default:
		err = f.encodeText(c, w, gather(&f.narrow, v.narrow, v.set, nulls, rows), v.texts)
	}
	return w, bounds, err
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
			if k == len(out) {
				break
			}
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

// encode64 writes the pages of 64-bit values. How is decided by all values or,
// where it takes trying, by the first page's.
func (f *blockFile) encode64(c *column, w *writtenChunk, values []int64) (extent, error) {
	s := bounds64(values, c.unsigned)
	bounds := func(from, to int) (lo, hi []byte) {
		e := s
		if to-from < len(values) {
			e = bounds64(values[from:to], c.unsigned)
		}
		return binary.LittleEndian.AppendUint64(nil, uint64(e.min)), binary.LittleEndian.AppendUint64(nil, uint64(e.max))
	}
	w.between(bounds(0, len(values)))
	few := 0
	if s.min == s.max {
		few = 1
	} else if !f.o.Cheap {
		few = f.dict.index(values)
	}
	hash := bits.Len64(uint64(s.max)-uint64(s.min)) > hashBits
	sample := values[:min(len(values), f.pageRows)]
	if few != 1 && !hash {
		f.pack64(sample)
	}
	plain := func(dst []byte, from, to int) []byte { return plain64(dst, values[from:to]) }
	var err error
	switch {
	case few == 1:
		err = f.writeDictionary(w, binary.LittleEndian.AppendUint64(nil, uint64(s.min)), 1, nil, bounds)
	case few > 0 && (hash || f.dict.size(8)*len(sample) < len(f.packed)*len(values)):
		f.bytes = plain64(f.bytes[:0], f.dict.values)
		err = f.writeDictionary(w, f.bytes, few, f.dict.indexes, bounds)
	case hash:
		err = f.writePlain(w, plain, bounds)
	default:
		err = f.writeDelta(w, len(sample), plain, func(from, to int) { f.pack64(values[from:to]) }, bounds)
	}
	if err == nil && f.blooms(c) {
		if few > 0 {
			values = f.dict.values
		}
		if few == 1 {
			values = []int64{s.min}
		}
		err = f.writeBloom(w, len(values), func(i int) uint64 { return hash64(values[i]) })
	}
	return s, err
}

// pack64 packs the differences of values into f.packed; the encoders can't fail.
func (f *blockFile) pack64(values []int64) {
	f.packed, _ = new(delta.BinaryPackedEncoding).EncodeInt64(f.packed[:0], values)
}

func (f *blockFile) pack32(values []int32) {
	f.packed, _ = new(delta.BinaryPackedEncoding).EncodeInt32(f.packed[:0], values)
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

func bounds32(values []int32) (lo, hi int32) {
	lo, hi = values[0], values[0]
	for _, x := range values {
		lo, hi = min(lo, x), max(hi, x)
	}
	return lo, hi
}

// encode32 writes the pages of 32-bit values and of booleans.
func (f *blockFile) encode32(c *column, w *writtenChunk, values []int32) error {
	if c.shape == shapeBool {
		if f.now == undecided {
			f.now = squeezed
		}
		bounds := func(from, to int) ([]byte, []byte) {
			lo, hi := bounds32(values[from:to])
			return []byte{byte(lo)}, []byte{byte(hi)}
		}
		w.between(bounds(0, len(values)))
		return f.writePlain(w, func(dst []byte, from, to int) []byte {
			var x byte
			for i, v := range values[from:to] {
				if x |= byte(v) << (i & 7); i&7 == 7 || i == to-from-1 {
					dst = append(dst, x)
					x = 0
				}
			}
			return dst
		}, bounds)
	}
	lo, hi := bounds32(values)
	bounds := func(from, to int) ([]byte, []byte) {
		lo, hi := lo, hi
		if to-from < len(values) {
			lo, hi = bounds32(values[from:to])
		}
		return binary.LittleEndian.AppendUint32(nil, uint32(lo)), binary.LittleEndian.AppendUint32(nil, uint32(hi))
	}
	w.between(bounds(0, len(values)))
	if lo == hi {
		return f.writeDictionary(w, binary.LittleEndian.AppendUint32(nil, uint32(lo)), 1, nil, bounds)
	}
	few := 0
	if !f.o.Cheap {
		f.wide = f.wide[:0]
		for _, x := range values {
			f.wide = append(f.wide, int64(x))
		}
		few = f.dict.index(f.wide)
	}
	sample := values[:min(len(values), f.pageRows)]
	f.pack32(sample)
	if few > 0 && f.dict.size(4)*len(sample) < len(f.packed)*len(values) {
		f.bytes = f.bytes[:0]
		for _, x := range f.dict.values {
			f.bytes = binary.LittleEndian.AppendUint32(f.bytes, uint32(x))
		}
		return f.writeDictionary(w, f.bytes, few, f.dict.indexes, bounds)
	}
	return f.writeDelta(w, len(sample), func(dst []byte, from, to int) []byte { return plain32(dst, values[from:to]) },
		func(from, to int) { f.pack32(values[from:to]) }, bounds)
}

// writeDelta appends pages of differences, those of the first n values being in
// f.packed, or where they take a byte and more each, of the values themselves,
// compressed: the better for columns in which some values come again and again
// beside those that are random, as addresses and ports.
func (f *blockFile) writeDelta(w *writtenChunk, n int, plain func(dst []byte, from, to int) []byte, pack func(from, to int), bounds boundsOf) error {
	if f.now != unsqueezed && len(f.packed) > n {
		if *f.better == untried {
			*f.better = f.compare(n, plain)
		}
		if *f.better == values {
			f.now = squeezed
			return f.writePlain(w, plain, bounds)
		}
	}
	ready := n // how many values are packed, from the first
	return f.writePages(w, format.DeltaBinaryPacked, func(from, to int) {
		if from > 0 || to != ready {
			pack(from, to)
		}
		f.values = append(f.values, f.packed...)
	}, bounds)
}

// compare tells whether the first n values take less when they are compressed than
// their differences, which are in f.packed.
func (f *blockFile) compare(n int, plain func(dst []byte, from, to int) []byte) better {
	f.bytes = plain(f.bytes[:0], 0, n)
	f.squeezed = compressed(f.squeezed, f.packed)
	size := len(f.squeezed)
	if f.now == undecided {
		size = min(size, len(f.packed))
	}
	if f.squeezed = compressed(f.squeezed, f.bytes); len(f.squeezed) < size-size/worthIt {
		return values
	}
	return differences
}

// writePlain appends pages of the values as they are.
func (f *blockFile) writePlain(w *writtenChunk, plain func(dst []byte, from, to int) []byte, bounds boundsOf) error {
	return f.writePages(w, format.Plain, func(from, to int) { f.values = plain(f.values, from, to) }, bounds)
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
func (f *blockFile) encodeList(c *column, w *writtenChunk, v *vector, rows []int32, n int) error {
	f.levels, f.repeats, f.narrow, f.rowEnds = f.levels[:0], f.repeats[:0], f.narrow[:0], f.rowEnds[:0]
	for i := range n {
		r := i
		if rows != nil {
			r = int(rows[i])
		}
		from, to := v.span(r)
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
		f.rowEnds = append(f.rowEnds, len(f.levels))
	}
	w.list(len(f.levels), len(f.levels)-len(f.narrow))
	if len(f.narrow) == 0 {
		return f.writePages(w, format.Plain, nil, nil)
	}
	return f.encode32(c, w, f.narrow)
}

// span is where a row's items or bytes lie.
func (v *vector) span(row int) (from, to int) {
	if row > 0 {
		from = v.ends[row-1]
	}
	return from, v.ends[row]
}

// encodeBytes writes blobs: their lengths and then all their bytes. They have no
// bounds.
func (f *blockFile) encodeBytes(w *writtenChunk, v *vector, rows []int32, n int) error {
	f.present = f.present[:0]
	for i := range n {
		r := int32(i)
		if rows != nil {
			r = rows[i]
		}
		if v.set[r] == 1 {
			f.present = append(f.present, r)
		}
	}
	return f.writePages(w, format.DeltaLengthByteArray, func(first, last int) {
		f.narrow = f.narrow[:0]
		for _, r := range f.present[first:last] {
			from, to := v.span(int(r))
			f.narrow = append(f.narrow, int32(to-from))
		}
		f.pack32(f.narrow)
		f.values = append(f.values, f.packed...)
		for _, r := range f.present[first:last] {
			from, to := v.span(int(r))
			f.values = append(f.values, v.bytes[from:to]...)
		}
	}, nil)
}

// encodeText writes a dictionary of the texts in use, and the pages; or the texts
// themselves where the dictionary would grow large.
func (f *blockFile) encodeText(c *column, w *writtenChunk, indexes []int32, texts []string) error {
	to := make([]int32, len(texts)) // where a text stands in the dictionary, from 1
	out := slices.Grow(f.renamed[:0], len(indexes))[:len(indexes)]
	f.renamed = out
	page, used := f.bytes[:0], f.used[:0]
	for i, x := range indexes {
		if to[x] == 0 {
			used = append(used, texts[x])
			to[x] = int32(len(used))
			page = appendText(page, texts[x])
		}
		out[i] = to[x] - 1
	}
	f.bytes, f.used = page, used
	defer func() { clear(f.used) }()
	seen := make([]int32, len(used)) // in which page a text was looked at last
	number := int32(0)
	bounds := func(from, to int) ([]byte, []byte) {
		number++
		lo, hi := used[out[from]], used[out[from]]
		for _, x := range out[from:to] {
			if seen[x] != number {
				seen[x] = number
				lo, hi = min(lo, used[x]), max(hi, used[x])
			}
		}
		if len(lo) > boundText || len(hi) > boundText {
			return nil, nil
		}
		return []byte(lo), []byte(hi)
	}
	w.between(bounds(0, len(out)))
	var err error
	if len(page) > dictionaryBytes && f.pageRows < len(out) {
		if f.now == undecided {
			f.now = squeezed
		}
		err = f.writePlain(w, func(dst []byte, from, to int) []byte {
			for _, x := range out[from:to] {
				dst = appendText(dst, used[x])
			}
			return dst
		}, bounds)
	} else {
		err = f.writeDictionary(w, page, len(used), out, bounds)
	}
	if err == nil && f.blooms(c) {
		err = f.writeBloom(w, len(used), func(i int) uint64 { return hashText(used[i]) })
	}
	return err
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// writeDictionary appends a dictionary page of so many entries and the pages of
// indexes into it; with one entry there are none.
func (f *blockFile) writeDictionary(w *writtenChunk, page []byte, entries int, indexes []int32, bounds boundsOf) error {
	w.meta.DictionaryPageOffset = int64(len(f.buf))
	if err := f.append(w, page, format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.Null[format.DictionaryPageHeader]{
		Valid: true, V: format.DictionaryPageHeader{NumValues: int32(entries), Encoding: format.Plain}}}); err != nil {
		return err
	}
	width := max(bits.Len(uint(entries-1)), 1)
	return f.writePages(w, format.RLEDictionary, func(from, to int) {
		f.values = append(f.values, byte(width))
		if entries == 1 {
			f.values = appendRun(f.values, to-from, 0)
			return
		}
		// The only error is of widths that are not 1 to 32.
		f.packed, _ = (&rle.Encoding{BitWidth: width}).EncodeInt32(f.packed[:0], indexes[from:to])
		f.values = append(f.values, f.packed...)
	}, bounds)
}
