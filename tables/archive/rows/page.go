package rows

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"slices"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// poolBudget bounds what is kept in memory of the pages lookups came to: who
// asks about a host asks again.
const poolBudget = 64 << 20

// pool has what lookups read of files: *page, *entries, *pageIndex and *places.
var pool = cache[poolKey, any]{budget: poolBudget}

// poolKey is where something begins in a version of a file.
type poolKey struct {
	path    string
	version Version
	at      int64
	kind    poolKind
}

type poolKind uint8

const (
	ofPages poolKind = iota
	ofEntries
	ofIndexes
	ofPlaces
)

// keep returns what is in the pool, or puts there what make made.
func keep[V any](key poolKey, make func() (v V, bytes int, err error)) (V, error) {
	if v, ok := pool.get(key); ok {
		return v.(V), nil
	}
	v, bytes, err := make()
	if err == nil {
		pool.put(key, v, int64(bytes)+200)
	}
	return v, err
}

// pageIndex says where the pages of a chunk lie, ascending.
type pageIndex thrift.Slice[format.PageLocation]

// page returns the page of a row.
func (x pageIndex) page(row int64) int {
	n, found := slices.BinarySearchFunc(x, row, func(p format.PageLocation, row int64) int { return int(p.FirstRowIndex - row) })
	if !found {
		n--
	}
	return n
}

// page is a data page that is not compressed any more and not yet decoded: of
// few rows each value is found where it lies.
type page struct {
	rows     int
	present  int      // rows that have a value
	set      []uint64 // a bit for each row that has one; nil when all have
	encoding format.Encoding
	values   []byte
	ends     []uint32 // of blobs in values: where each ends, behind a 0
	deltas   *deltas  // of numbers of which the differences are written
}

// entries is the dictionary of a chunk.
type entries struct {
	numbers []int64
	sorted  bool // the numbers are
	texts   [][]byte
}

// chunkAt is a column's part of a row group, to look up rows in.
type chunkAt struct {
	*column
	*checked
	meta  *format.ColumnMetaData
	from  io.ReaderAt // the file, while anybody waits
	rows  int64
	pages pageIndex
	count *int64 // of bytes of pages that were used
	entry *entries
	// The page at work.
	now *page
	at  int
}

func (f *checked) poolKey(at int64, kind poolKind) poolKey {
	return poolKey{f.path, f.version, at, kind}
}

// open finds the pages of the chunk.
func (c *chunkAt) open(chunk *format.ColumnChunk) (err error) {
	c.meta, c.at = &chunk.MetaData, -1
	c.pages, err = keep(c.poolKey(chunk.OffsetIndexOffset, ofIndexes), func() (pageIndex, int, error) {
		x, err := c.readIndex(chunk)
		return x, 32 * len(x), err
	})
	return err
}

func (c *chunkAt) readIndex(chunk *format.ColumnChunk) (pageIndex, error) {
	n := int64(chunk.OffsetIndexLength)
	if chunk.OffsetIndexOffset <= 0 || n <= 0 || chunk.OffsetIndexOffset+n > c.version.Size {
		return nil, errors.New("a column has no index of its pages")
	}
	b := make([]byte, n)
	if _, err := c.from.ReadAt(b, chunk.OffsetIndexOffset); err != nil {
		return nil, err
	}
	var x format.OffsetIndex
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b, &x); err != nil {
		return nil, err
	}
	for i, p := range x.PageLocations {
		first := i == 0 && p.FirstRowIndex == 0 || i > 0 && p.FirstRowIndex > x.PageLocations[i-1].FirstRowIndex
		if !first || p.FirstRowIndex >= c.rows || p.CompressedPageSize <= 0 || p.CompressedPageSize > maxPage ||
			p.Offset < 0 || p.Offset+int64(p.CompressedPageSize) > c.version.Size {
			return nil, errPages
		}
	}
	if len(x.PageLocations) == 0 {
		return nil, errPages
	}
	return pageIndex(x.PageLocations), nil
}

// rowsOf are the rows of a page: from the first to before the last.
func (c *chunkAt) rowsOf(page int) (from, to int64) {
	if page+1 < len(c.pages) {
		return c.pages[page].FirstRowIndex, c.pages[page+1].FirstRowIndex
	}
	return c.pages[page].FirstRowIndex, c.rows
}

// page returns a page.
func (c *chunkAt) page(n int) (*page, error) {
	where := c.pages[n]
	*c.count += int64(where.CompressedPageSize)
	return keep(c.poolKey(where.Offset, ofPages), func() (*page, int, error) {
		p, err := c.readPage(n)
		if err != nil {
			return nil, 0, err
		}
		bytes := len(p.values) + 8*len(p.set) + 4*len(p.ends)
		if p.deltas != nil {
			bytes += 16 * len(p.deltas.blocks)
		}
		return p, bytes, nil
	})
}

// passing returns a page that is read once: it makes nothing else leave memory.
func (c *chunkAt) passing(n int) (*page, error) {
	where := c.pages[n]
	*c.count += int64(where.CompressedPageSize)
	if p, ok := pool.get(c.poolKey(where.Offset, ofPages)); ok {
		return p.(*page), nil
	}
	return c.readPage(n)
}

func (c *chunkAt) readPage(n int) (*page, error) {
	where := c.pages[n]
	h, body, err := c.read(where.Offset, int64(where.CompressedPageSize))
	if err != nil {
		return nil, err
	}
	from, to := c.rowsOf(n)
	p := &page{rows: int(to - from)}
	if err := c.take(p, &h, body); err != nil {
		return nil, err
	}
	return p, nil
}

// read reads a page with its header. What it returns is nobody else's.
func (c *chunkAt) read(at, size int64) (h format.PageHeader, body []byte, err error) {
	if at < 0 || size <= 0 || size > maxPage || at+size > c.version.Size {
		return h, nil, errPages
	}
	b := make([]byte, size)
	if n, err := c.from.ReadAt(b, at); n < len(b) {
		if err == nil || errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return h, nil, err
	}
	in := new(thrift.CompactProtocol).NewReaderFromBytes(b)
	if err := thrift.NewDecoder(in).Decode(&h); err != nil {
		return h, nil, err
	}
	body = b[in.BytesRead():]
	if n := int(h.CompressedPageSize); n < 0 || n > len(body) || h.UncompressedPageSize < 0 || h.UncompressedPageSize > maxPage {
		return h, nil, errPages
	}
	return h, body[:h.CompressedPageSize], nil
}

// plain returns what of a page may be compressed, not compressed.
func (c *chunkAt) plain(body []byte, size int) ([]byte, error) {
	switch c.meta.Codec {
	case format.Uncompressed:
	case format.Zstd:
		d := decoders.Get().(*zstd.Decoder)
		defer decoders.Put(d)
		var err error
		if body, err = d.DecodeAll(body, make([]byte, 0, size)); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("compressed by %v", c.meta.Codec)
	}
	if len(body) != size {
		return nil, errPages
	}
	return body, nil
}

// take takes a data page in.
func (c *chunkAt) take(p *page, h *format.PageHeader, body []byte) error {
	var levels []byte
	var n int
	size := int(h.UncompressedPageSize)
	switch {
	case h.Type == format.DataPage && h.DataPageHeader.Valid:
		n, p.encoding = int(h.DataPageHeader.V.NumValues), h.DataPageHeader.V.Encoding
		var err error
		if body, err = c.plain(body, size); err != nil {
			return err
		}
		if c.optional {
			if len(body) < 4 || uint64(binary.LittleEndian.Uint32(body)) > uint64(len(body)-4) {
				return errPages
			}
			end := 4 + binary.LittleEndian.Uint32(body)
			levels, body = body[4:end], body[end:]
		}
	case h.Type == format.DataPageV2 && h.DataPageHeaderV2.Valid:
		d := &h.DataPageHeaderV2.V
		n, p.encoding = int(d.NumValues), d.Encoding
		k := int(d.DefinitionLevelsByteLength)
		if d.RepetitionLevelsByteLength != 0 || k < 0 || k > len(body) {
			return errPages
		}
		levels, body = body[:k], body[k:]
		if len(body) > 0 && (!d.IsCompressed.Valid || d.IsCompressed.V) {
			var err error
			if body, err = c.plain(body, size-k); err != nil {
				return err
			}
		}
	default:
		return fmt.Errorf("a page of type %v", h.Type)
	}
	if n != p.rows {
		return errPages
	}
	p.present, p.values = n, body
	if c.optional {
		if err := p.levels(levels); err != nil {
			return err
		}
	}
	if p.present == 0 {
		return nil
	}
	if p.encoding == format.DeltaBinaryPacked {
		var err error
		p.deltas, err = newDeltas(p.values, p.present)
		return err
	}
	if c.shape != shapeBytes {
		return nil
	}
	if p.encoding != format.DeltaLengthByteArray {
		return fmt.Errorf("encoded by %v", p.encoding)
	}
	out, ends, err := new(delta.LengthByteArrayEncoding).DecodeByteArray(make([]byte, 0, len(body)), body, nil)
	if err != nil {
		return err
	}
	if len(ends) != p.present+1 || !slices.IsSorted(ends) || int(ends[p.present]) != len(out) {
		return errPages
	}
	p.values, p.ends = out, ends
	return nil
}

// levels takes in which rows have a value.
func (p *page) levels(b []byte) error {
	all, err := decodeLevels(nil, b, p.rows, 1)
	if err != nil {
		return err
	}
	set := make([]uint64, (p.rows+63)/64)
	p.present = 0
	for i, l := range all {
		if l == 1 {
			set[i/64] |= 1 << (i % 64)
			p.present++
		}
	}
	if p.present < p.rows {
		p.set = set
	}
	return nil
}

// rank is where among a page's values that of a row lies; false when it has none.
func (p *page) rank(row int) (int, bool) {
	if p.set == nil {
		return row, true
	}
	if p.set[row/64]>>(row%64)&1 == 0 {
		return 0, false
	}
	n := bits.OnesCount64(p.set[row/64] & (1<<(row%64) - 1))
	for _, w := range p.set[:row/64] {
		n += bits.OnesCount64(w)
	}
	return n, true
}

// dictionary returns the entries of the chunk's dictionary.
func (c *chunkAt) dictionary() (*entries, error) {
	if c.entry != nil {
		return c.entry, nil
	}
	at := c.meta.DictionaryPageOffset
	size := c.pages[0].Offset - at
	if at <= 0 || size <= 0 {
		return nil, errPages
	}
	*c.count += size
	var err error
	c.entry, err = keep(c.poolKey(at, ofEntries), func() (*entries, int, error) {
		h, body, err := c.read(at, size)
		if err != nil {
			return nil, 0, err
		}
		if h.Type != format.DictionaryPage || !h.DictionaryPageHeader.Valid {
			return nil, 0, errPages
		}
		if body, err = c.plain(body, int(h.UncompressedPageSize)); err != nil {
			return nil, 0, err
		}
		e := &entries{}
		switch n := int(h.DictionaryPageHeader.V.NumValues); {
		case c.shape == shapeText:
			for range n {
				text, rest, err := plainText(body)
				if err != nil {
					return nil, 0, err
				}
				e.texts, body = append(e.texts, text), rest
			}
			return e, int(h.UncompressedPageSize) + 24*n, nil
		case c.shape == shape64 && len(body) == 8*n:
			e.numbers = appendPlain64(make([]int64, 0, n), body)
		case c.shape == shape32 && len(body) == 4*n:
			e.numbers = make([]int64, n)
			for i := range e.numbers {
				e.numbers[i] = int64(int32(binary.LittleEndian.Uint32(body[4*i:])))
			}
		default:
			return nil, 0, errPages
		}
		e.sorted = slices.IsSorted(e.numbers)
		return e, 8 * len(e.numbers), nil
	})
	return c.entry, err
}

// value is what a row holds: a number, a text or bytes, or nothing.
func (c *chunkAt) value(row int64) (number int64, text []byte, ok bool, err error) {
	if n := c.pages.page(row); n != c.at || c.now == nil {
		if c.now, err = c.page(n); err != nil {
			return 0, nil, false, err
		}
		c.at = n
	}
	p := c.now
	i := int(row - c.pages[c.at].FirstRowIndex)
	if i >= p.rows {
		return 0, nil, false, errPages
	}
	k, ok := p.rank(i)
	if !ok {
		return 0, nil, false, nil
	}
	if p.ends != nil {
		return 0, p.values[p.ends[k]:p.ends[k+1]], true, nil
	}
	switch {
	case p.encoding == format.RLEDictionary:
		e, err := c.dictionary()
		if err != nil {
			return 0, nil, false, err
		}
		x, err := indexIn(p.values, k)
		if err != nil {
			return 0, nil, false, err
		}
		switch {
		case c.shape == shapeText && int(x) < len(e.texts):
			return 0, e.texts[x], true, nil
		case c.shape != shapeText && int(x) < len(e.numbers):
			return e.numbers[x], nil, true, nil
		}
	case p.deltas != nil && (c.shape == shape64 || c.shape == shape32):
		number, err = p.deltas.value(p.values, k)
		if c.shape == shape32 {
			number = int64(int32(number))
		}
		return number, nil, err == nil, err
	case p.encoding != format.Plain:
		return 0, nil, false, fmt.Errorf("encoded by %v", p.encoding)
	case c.shape == shape64 && len(p.values) >= 8*(k+1):
		return int64(binary.LittleEndian.Uint64(p.values[8*k:])), nil, true, nil
	case c.shape == shape32 && len(p.values) >= 4*(k+1):
		return int64(int32(binary.LittleEndian.Uint32(p.values[4*k:]))), nil, true, nil
	case c.shape == shapeBool && len(p.values) > k/8:
		return int64(p.values[k/8] >> (k & 7) & 1), nil, true, nil
	case c.shape == shapeText:
		b := p.values
		for range k + 1 {
			if text, b, err = plainText(b); err != nil {
				return 0, nil, false, err
			}
		}
		return 0, text, true, nil
	}
	return 0, nil, false, errPages
}

// indexIn is the k-th of indexes into a dictionary.
func indexIn(b []byte, k int) (uint32, error) {
	if len(b) == 0 || b[0] > 32 {
		return 0, errPages
	}
	width := int(b[0])
	for b = b[1:]; len(b) > 0; {
		h, n := binary.Uvarint(b)
		if n <= 0 || h>>1 > maxPage {
			return 0, errPages
		}
		b = b[n:]
		if h&1 == 0 {
			size := (width + 7) / 8
			if len(b) < size {
				return 0, errPages
			}
			if k < int(h>>1) {
				return uint32(bitsAt(b[:size], 0, 8*size)), nil
			}
			k, b = k-int(h>>1), b[size:]
			continue
		}
		values := int(h>>1) * 8
		if k < values {
			if (k+1)*width > 8*len(b) {
				return 0, errPages
			}
			return uint32(bitsAt(b, k*width, width)), nil
		}
		size := int(h>>1) * width
		if size > len(b) {
			return 0, errPages
		}
		k, b = k-values, b[size:]
	}
	return 0, errPages
}

// bitsAt are so many bits from a place on, up to 64, of which b has all.
func bitsAt(b []byte, at, width int) uint64 {
	first, shift := at/8, at%8
	if first+8 <= len(b) {
		x := binary.LittleEndian.Uint64(b[first:]) >> shift
		if shift+width > 64 {
			x |= uint64(b[first+8]) << (64 - shift)
		}
		return x & (1<<width - 1)
	}
	var x uint64
	for i, c := range b[first:] {
		x |= uint64(c) << (8 * i)
	}
	return x >> shift & (1<<width - 1)
}

// deltas says how numbers are written of which the differences are: in blocks,
// of parts that have a width each.
type deltas struct {
	first  int64
	parts  int // of a block
	size   int // of a part
	blocks []deltaBlock
}

// deltaBlock is where a block begins, and the number before it.
type deltaBlock struct {
	at     int
	before int64
}

// newDeltas finds the blocks of n numbers.
func newDeltas(b []byte, n int) (*deltas, error) {
	var head [4]uint64
	at := 0
	for i := range head {
		x, k := binary.Uvarint(b[at:])
		if k <= 0 {
			return nil, errPages
		}
		head[i], at = x, at+k
	}
	block, parts := head[0], head[1]
	if parts == 0 || block == 0 || block > maxPage || block%parts != 0 || head[2] != uint64(n) {
		return nil, errPages
	}
	d := &deltas{first: zigzag(head[3]), parts: int(parts), size: int(block / parts)}
	value := d.first
	for left := n - 1; left > 0; left -= int(block) {
		d.blocks = append(d.blocks, deltaBlock{at, value})
		sum, size, err := d.sum(b[at:], min(left, int(block)))
		if err != nil {
			return nil, err
		}
		value, at = value+sum, at+size
	}
	return d, nil
}

func zigzag(x uint64) int64 { return int64(x>>1) ^ -int64(x&1) }

// value is the k-th.
func (d *deltas) value(b []byte, k int) (int64, error) {
	if k == 0 {
		return d.first, nil
	}
	block := (k - 1) / (d.parts * d.size)
	from := d.blocks[block]
	sum, _, err := d.sum(b[from.at:], k-block*d.parts*d.size)
	return from.before + sum, err
}

// sum adds up the first n differences of a block; size is how many bytes the
// block has, if all are added.
func (d *deltas) sum(b []byte, n int) (sum int64, size int, err error) {
	x, at := binary.Uvarint(b)
	if at <= 0 || len(b)-at < d.parts {
		return 0, 0, errPages
	}
	widths := b[at : at+d.parts]
	at += d.parts
	total := uint64(zigzag(x)) * uint64(n)
	for _, width := range widths {
		w, k := int(width), min(n, d.size)
		if w > 64 || (k*w+7)/8 > len(b)-at {
			return 0, 0, errPages
		}
		if w > 0 {
			for i := range k {
				total += bitsAt(b[at:], i*w, w)
			}
		}
		at += d.size * w / 8
		if n -= k; n == 0 {
			break
		}
	}
	return int64(total), at, nil
}
