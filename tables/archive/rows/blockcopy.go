package rows

import (
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// copy adds a column to a row group as it stands in another file that was written
// with the same options: its pages, where they lie, their bounds, and its filter.
func (f *blockFile) copy(g *blockGroup, i int, from *blockReader, group int) error {
	leaf := from.leaf[i]
	if leaf < 0 {
		return nil
	}
	if leaf >= len(from.groups[group].Columns) {
		return errPages
	}
	c := &from.groups[group].Columns[leaf]
	w := &writtenChunk{meta: c.MetaData, unbounded: c.ColumnIndexOffset == 0}
	err := f.copyTo(g, w, c, from)
	if err != nil {
		return Found(from.path, fmt.Errorf("%s: column %s: %w", from.path, f.codec.columns[i].name, err))
	}
	bounds := func() *extent {
		lo, hi := w.meta.Statistics.MinValue, w.meta.Statistics.MaxValue
		if len(lo) != 8 || len(hi) != 8 {
			return nil
		}
		return &extent{int64(binary.LittleEndian.Uint64(lo)), int64(binary.LittleEndian.Uint64(hi))}
	}
	switch f.codec.columns[i].at {
	case f.codec.start.at:
		g.start = bounds()
	case f.codec.end.at:
		g.end = bounds()
	}
	f.seen[i] = true
	g.chunks[i] = w
	return nil
}

func (f *blockFile) copyTo(g *blockGroup, w *writtenChunk, c *format.ColumnChunk, from *blockReader) error {
	var pages format.OffsetIndex
	if err := from.index(c.OffsetIndexOffset, c.OffsetIndexLength, &pages); err != nil {
		return err
	}
	w.pages = pages.PageLocations
	if !w.unbounded {
		if err := from.index(c.ColumnIndexOffset, c.ColumnIndexLength, &w.index); err != nil {
			return err
		}
	}
	m := &w.meta
	start := m.DataPageOffset
	if m.DictionaryPageOffset > 0 {
		start = min(start, m.DictionaryPageOffset)
	}
	bloom := m.BloomFilterOffset
	w.move(int64(len(g.buf)) - start)
	if err := from.append(&g.buf, start, m.TotalCompressedSize); err != nil || bloom == 0 {
		return err
	}
	m.BloomFilterOffset = int64(len(g.buf))
	return from.append(&g.buf, bloom, int64(m.BloomFilterLength))
}

// append appends bytes of the file.
func (r *blockReader) append(b *[]byte, at, n int64) error {
	st, err := r.file.Stat()
	if err != nil {
		return err
	}
	if at < 0 || n < 0 || at > st.Size()-n {
		return errPages
	}
	*b = slices.Grow(*b, int(n))
	end := len(*b) + int(n)
	_, err = io.ReadFull(io.NewSectionReader(r.file, at, n), (*b)[len(*b):end])
	*b = (*b)[:end]
	return err
}

// index reads a part of the page index.
func (r *blockReader) index(at int64, n int32, into any) error {
	var b []byte
	if err := r.append(&b, at, int64(n)); err != nil {
		return err
	}
	return thrift.Unmarshal(new(thrift.CompactProtocol), b, into)
}
