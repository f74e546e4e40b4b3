package rows

import (
	"encoding/binary"
	"slices"
	"sync"
	"unsafe"

	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"
)

// place says where in a chunk an entry of its dictionary is. A rare address is
// in a row or two of a hundred thousand.
type place struct {
	first, last uint32 // rows
	more        bool   // there are rows between them
	pages       uint16 // a bit for each sixteenth of the pages
}

// places are those of all entries.
type places []place

// part is the bit of a page.
func (c *chunkAt) part(page int) uint16 { return 1 << (page * 16 / len(c.pages)) }

// fewValues is up to how many values are worth knowing the places of.
const fewValues = 64

var scratches = sync.Pool{New: func() any { return new(readScratch) }}

// find returns the rows of the chunk that hold one of the values, ascending, and
// which.
func (c *chunkAt) find(values *set) (rows []int64, found []uint64, err error) {
	var e *entries
	var which []int // of the entries
	pages := ^uint16(0)
	if c.meta.DictionaryPageOffset > 0 {
		if e, err = c.dictionary(); err != nil {
			return nil, nil, err
		}
		if which = e.among(values); values.few != nil {
			p, err := c.places(e)
			if err != nil {
				return nil, nil, err
			}
			if p != nil {
				pages = 0
				for _, k := range which {
					if p[k].more || len(which) > 1 {
						pages |= p[k].pages
						continue
					}
					rows, found = append(rows, int64(p[k].first)), append(found, uint64(e.numbers[k]))
					if p[k].last > p[k].first {
						rows, found = append(rows, int64(p[k].last)), append(found, uint64(e.numbers[k]))
					}
				}
			}
		}
	}
	if pages == 0 {
		return rows, found, nil
	}
	var matching []bool
	if e != nil {
		matching = make([]bool, len(e.numbers))
		for _, k := range which {
			matching[k] = true
		}
	}
	s := scratches.Get().(*readScratch)
	defer scratches.Put(s)
	for n := range c.pages {
		if pages&c.part(n) == 0 {
			continue
		}
		p, err := c.page(n)
		if err != nil {
			return nil, nil, err
		}
		if p.present < p.rows {
			return nil, nil, errPages // of a column without NULLs
		}
		first := c.pages[n].FirstRowIndex
		if p.encoding == format.RLEDictionary {
			indexes, err := s.indexes(p, e)
			if err != nil {
				return nil, nil, err
			}
			for i, k := range indexes {
				if matching[k] {
					rows, found = append(rows, first+int64(i)), append(found, uint64(e.numbers[k]))
				}
			}
			continue
		}
		numbers, err := c.numbers(p, s)
		if err != nil {
			return nil, nil, err
		}
		if values.single {
			for i, v := range numbers {
				if uint64(v) == values.one {
					rows, found = append(rows, first+int64(i)), append(found, values.one)
				}
			}
			continue
		}
		for i, v := range numbers {
			if values.has(uint64(v)) {
				rows, found = append(rows, first+int64(i)), append(found, uint64(v))
			}
		}
	}
	return rows, found, nil
}

// among returns which entries are among the values.
func (e *entries) among(values *set) (which []int) {
	if e.sorted && values.few != nil {
		for _, v := range values.few {
			if k, ok := slices.BinarySearch(e.numbers, int64(v)); ok {
				which = append(which, k)
			}
		}
		return which
	}
	for k, v := range e.numbers {
		if values.has(uint64(v)) {
			which = append(which, k)
		}
	}
	return which
}

// indexes are those of a page, checked.
func (s *readScratch) indexes(p *page, e *entries) (out []int32, err error) {
	if s.ints, err = new(rle.DictionaryEncoding).DecodeInt32(s.ints[:0], p.values); err != nil {
		return nil, err
	}
	if e == nil || len(s.ints) < p.present {
		return nil, errPages
	}
	for _, k := range s.ints[:p.present] {
		if uint32(k) >= uint32(len(e.numbers)) {
			return nil, errPages
		}
	}
	return s.ints[:p.present], nil
}

// numbers are those of a page without a dictionary.
func (c *chunkAt) numbers(p *page, s *readScratch) (out []int64, err error) {
	switch s.longs = s.longs[:0]; {
	case p.encoding == format.Plain && c.shape == shape64:
		s.longs = appendPlain64(s.longs, p.values)
	case p.encoding == format.Plain && c.shape == shape32:
		for b := p.values; len(b) >= 4; b = b[4:] {
			s.longs = append(s.longs, int64(int32(binary.LittleEndian.Uint32(b))))
		}
	case p.encoding == format.DeltaBinaryPacked && c.shape == shape64:
		s.longs, err = new(delta.BinaryPackedEncoding).DecodeInt64(s.longs, p.values)
	case p.encoding == format.DeltaBinaryPacked && c.shape == shape32:
		if s.ints, err = new(delta.BinaryPackedEncoding).DecodeInt32(s.ints[:0], p.values); err == nil {
			for _, v := range s.ints {
				s.longs = append(s.longs, int64(v))
			}
		}
	default:
		return nil, errPages
	}
	if err == nil && len(s.longs) != p.rows {
		err = errPages
	}
	return s.longs, err
}

// places returns the places of the chunk's entries; nil when a page has none of
// them. They are told once, from all pages, and kept.
func (c *chunkAt) places(e *entries) (places, error) {
	return keep(c.poolKey(c.meta.DictionaryPageOffset, ofPlaces), func() (places, int, error) {
		out := make(places, len(e.numbers))
		s := scratches.Get().(*readScratch)
		defer scratches.Put(s)
		for n := range c.pages {
			p, err := c.passing(n)
			if err != nil {
				return nil, 0, err
			}
			if p.encoding != format.RLEDictionary {
				return nil, 0, nil
			}
			indexes, err := s.indexes(p, e)
			if err != nil {
				return nil, 0, err
			}
			row := uint32(c.pages[n].FirstRowIndex)
			part := c.part(n)
			for _, k := range indexes {
				if at := &out[k]; at.pages == 0 {
					*at = place{first: row, last: row, pages: part}
				} else {
					at.more = at.more || at.last > at.first
					at.last, at.pages = row, at.pages|part
				}
				row++
			}
		}
		return out, len(out) * int(unsafe.Sizeof(place{})), nil
	})
}
