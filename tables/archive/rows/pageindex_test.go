package rows

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/bloom/xxhash"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/samples"
)

// TestOtherReader: another reader of Parquet finds in our files the rows that
// were written, page by page where the page index says they are, and each value
// within its page's and chunk's bounds and in the bloom filter.
func TestOtherReader(t *testing.T) {
	flows := generateFlows(GroupRows + pageRows + 7)
	for i := range flows {
		for k := range i % 4 {
			flows[i].Segments = append(flows[i].Segments, int32(i+k))
		}
		if i/1000%3 == 0 { // whole pages of blobs without any
			flows[i].Postings, flows[i].Segments, flows[i].Service = nil, nil, ""
		}
		if i >= GroupRows { // a row group without any
			flows[i].ServerName, flows[i].VLAN = "", tables.Opt[int32]{}
		}
	}
	otherReader(t, flows)
	otherReader(t, manyNames())
	otherReader(t, rowsOf[tables.Connection]())
	otherReader(t, rowsOf[tables.Segment]())
	otherReader(t, samples.Exports(1000, 1))
}

func otherReader[T any](t *testing.T, rows []T) {
	t.Helper()
	b, err := os.ReadFile(write(t, Options{}, rows).Path)
	if err != nil {
		t.Fatal(err)
	}
	pf, err := parquet.OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	c, err := codecOf[T]()
	if err != nil {
		t.Fatal(err)
	}
	want := newVectors(c, rows)
	for i := range c.columns {
		col := &c.columns[i]
		leaf, ok, err := col.leafOf(pf)
		if err != nil {
			t.Fatal(err)
		}
		if !ok {
			if want[i].seen {
				t.Fatalf("%s lacks %s", c.family.Name, col.name)
			}
			continue
		}
		row, item := 0, 0
		for _, g := range pf.RowGroups() {
			chunk := g.ColumnChunks()[leaf]
			item = checkChunk(t, col, &want[i], chunk, &row, item)
		}
		if row != len(rows) {
			t.Fatalf("%s.%s has %d rows", c.family.Name, col.name, row)
		}
	}
}

// newVectors turns rows on their side.
func newVectors[T any](c *codec, rows []T) []vector {
	b := newBlock(c, 0)
	b.add(unsafe.Pointer(&rows[0]), len(rows))
	return b.vectors
}

// checkChunk compares a chunk's values from a row and a list's item on.
func checkChunk(t *testing.T, c *column, want *vector, chunk parquet.ColumnChunk, row *int, item int) int {
	t.Helper()
	offsets, err := chunk.OffsetIndex()
	if err != nil {
		t.Fatal(c.name, err)
	}
	bounds, err := chunk.ColumnIndex()
	if err != nil && !errors.Is(err, parquet.ErrMissingColumnIndex) {
		t.Fatal(c.name, err)
	}
	if err != nil && c.shape != shapeBytes && c.shape != shapeText {
		t.Fatalf("%s has no column index", c.name)
	}
	filter := chunk.BloomFilter()
	pages := chunk.Pages()
	defer pages.Close()
	first := *row
	for n := 0; ; n++ {
		page, err := pages.ReadPage()
		if err == io.EOF {
			if n != offsets.NumPages() {
				t.Fatalf("%s: %d pages, %d in the index", c.name, n, offsets.NumPages())
			}
			return item
		}
		if err != nil {
			t.Fatal(c.name, err)
		}
		if at := int64(*row - first); offsets.FirstRowIndex(n) != at {
			t.Fatalf("%s: page %d begins at %d, not %d", c.name, n, offsets.FirstRowIndex(n), at)
		}
		values := make([]parquet.Value, page.NumValues())
		if k, err := page.Values().ReadValues(values); k != len(values) || err != nil && err != io.EOF {
			t.Fatal(c.name, k, err)
		}
		for _, v := range values {
			if bounds != nil && !v.IsNull() {
				kind := chunk.Type()
				if kind.Compare(v, bounds.MinValue(n)) < 0 || kind.Compare(v, bounds.MaxValue(n)) > 0 {
					t.Fatalf("%s: %v is not between %v and %v", c.name, v, bounds.MinValue(n), bounds.MaxValue(n))
				}
			}
			if filter != nil && !v.IsNull() {
				if ok, err := filter.Check(v); err != nil || !ok {
					t.Fatalf("%s: %v is not in the filter (hash %x, %v)", c.name, v, xxhash.Sum64(v.Bytes()), err)
				}
			}
			if c.shape == shapeList {
				if v.RepetitionLevel() > 0 {
					*row-- // goes on
				}
				if v.IsNull() != (want.ends[*row] == item) || !v.IsNull() && v.Int32() != want.items[item] {
					t.Fatalf("%s: row %d has %v", c.name, *row, v)
				}
				if !v.IsNull() {
					item++
				}
				*row++
				continue
			}
			if null := !want.seen || c.optional && want.set[*row] == 0; null != v.IsNull() {
				t.Fatalf("%s: row %d is %v", c.name, *row, v)
			} else if !null {
				same := false
				switch c.shape {
				case shape64:
					same = v.Int64() == want.wide[*row]
				case shape32:
					same = v.Int32() == want.narrow[*row]
				case shapeBool:
					same = v.Boolean() == (want.narrow[*row] == 1)
				case shapeText:
					same = string(v.ByteArray()) == want.texts[want.narrow[*row]]
				case shapeBytes:
					from, to := want.span(*row)
					same = bytes.Equal(v.ByteArray(), want.bytes[from:to])
				}
				if !same {
					t.Fatalf("%s: row %d is %v", c.name, *row, v)
				}
			}
			*row++
		}
		parquet.Release(page)
	}
}
