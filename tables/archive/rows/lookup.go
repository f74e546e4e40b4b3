package rows

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/bloom/xxhash"
	"github.com/parquet-go/parquet-go/format"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
)

// LookupStats says what a lookup read.
type LookupStats struct {
	Files, Groups int   // files read, and row groups of them
	Bytes         int64 // of pages looked into
	Read          int64 // bytes that were read for it: pages may be in memory
	Rows          int64
	Paths         []string // of the files read
}

// Add adds what another lookup read.
func (s *LookupStats) Add(o LookupStats) {
	for _, path := range o.Paths {
		if !slices.Contains(s.Paths, path) {
			s.Paths, s.Files = append(s.Paths, path), s.Files+1
		}
	}
	s.Groups += o.Groups
	s.Bytes += o.Bytes
	s.Read += o.Read
	s.Rows += o.Rows
}

const (
	// metadataBudget bounds the footers and page indexes kept in memory.
	metadataBudget = 64 << 20
	// metadataFactor is about how many bytes a parsed footer takes for one of
	// the file.
	metadataFactor = 6
	// coalesce is the gap between two wanted pages that is read rather than
	// skipped.
	coalesce = 16 << 10
	// pageBuffer is what is read of a page to find its end; a larger page
	// takes a second read.
	pageBuffer = 16 << 10
)

// metadata are the parsed footers of files that were looked into. They hold no
// file open.
var metadata = cache[metadataKey, *parquet.File]{budget: metadataBudget}

type metadataKey struct {
	path string
	size int64
}

// Values are values of a column of numbers, as 64 bits.
type Values struct {
	Column string
	Any    []uint64
}

// Lookup reads the rows of T's files whose columns each hold one of the values
// asked for, and of those rows the named columns only: the others stay zero.
// It is made for few rows of large files: bloom filters choose row groups, the
// compared columns themselves the rows, the page index the pages that hold
// them.
//
// Compared are columns of numbers without NULLs, as the file names them; first
// the one that says most. fn gets the rows of a file in any order, one call at
// a time; the row is valid during the call. An error of fn, or of ctx, ends it.
func Lookup[T any](ctx context.Context, files []File, where []Values, columns []string, fn func(*T) error) (LookupStats, error) {
	var stats LookupStats
	c, err := codecOf[T]()
	if err != nil {
		return stats, err
	}
	if len(where) == 0 {
		return stats, errors.New("a lookup needs a column to compare")
	}
	l := &lookup[T]{codec: c, where: where, columns: columns, fn: fn}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	var read atomic.Int64
	var running sync.WaitGroup
	for _, f := range files {
		groups := candidates(f, where)
		if groups != nil && len(groups) == 0 {
			continue
		}
		o, err := l.open(f)
		if err != nil {
			cancel(err)
			break
		}
		if o == nil {
			continue
		}
		if groups == nil { // no filters: any of them
			groups = make(map[int][]uint64, len(o.meta.RowGroups))
			for i := range o.meta.RowGroups {
				groups[i] = where[0].Any
			}
		}
		stats.Files++
		stats.Paths = append(stats.Paths, f.Path)
		o.advise(groups)
		var left sync.WaitGroup
		for i, some := range groups {
			if i >= len(o.meta.RowGroups) {
				continue
			}
			stats.Groups++
			slots <- struct{}{}
			left.Add(1)
			running.Go(func() {
				defer func() { <-slots; left.Done() }()
				if err := l.group(ctx, o, i, some); err != nil {
					cancel(fmt.Errorf("%s: %w", f.Path, err))
				}
			})
		}
		running.Go(func() {
			left.Wait()
			read.Add(o.read.Load())
			o.Close()
		})
		if ctx.Err() != nil {
			break
		}
	}
	running.Wait()
	stats.Bytes, stats.Read, stats.Rows = l.bytes, read.Load(), l.rows
	return stats, context.Cause(ctx)
}

// lookup is one Lookup under way.
type lookup[T any] struct {
	codec   *codec
	where   []Values
	columns []string

	mu    sync.Mutex
	fn    func(*T) error
	bytes int64
	rows  int64
}

// candidates are the values of the first column each row group may hold, by
// its bloom filter; groups that can't hold one of each of the others' are left
// out. It is nil when no column has filters.
func candidates(f File, where []Values) map[int][]uint64 {
	var out map[int][]uint64
	for k := range slices.Backward(where) {
		filters := filtersOf(f, where[k].Column)
		if len(filters) == 0 {
			continue
		}
		may := map[int][]uint64{}
		for _, v := range where[k].Any {
			hash := xxhash.Sum64(binary.LittleEndian.AppendUint64(nil, v))
			for i := range filters {
				if _, open := out[i]; (open || out == nil) && filters[i].Check(hash) {
					may[i] = append(may[i], v)
				}
			}
		}
		out = may
		if k > 0 { // the first column's values are still to be told
			for i := range out {
				out[i] = where[0].Any
			}
		}
	}
	return out
}

// lookedUp is a file being looked into.
type lookedUp struct {
	*checked
	meta      *format.FileMetaData
	keys      []*column // that are compared
	keyLeaves []int     // where they lie in the file
	same      *column   // the first of them, when it is wanted too
	wanted    []*column // of the codec
	leaves    []int     // where they lie in the file
}

// ErrNotLookedUp is of columns whose values may be missing, or are no numbers: rows are
// not found by them without reading all.
var ErrNotLookedUp = errors.New("a column can't be looked up")

// open opens a file to look into; nil when it lacks a column that is compared.
func (l *lookup[T]) open(f File) (*lookedUp, error) {
	file, err := openChecked(f)
	if err != nil {
		return nil, err
	}
	pf, err := metadataOf(f.Path, file)
	if err != nil {
		file.Close()
		return nil, err
	}
	o := &lookedUp{checked: file, meta: pf.Metadata()}
	schema := pf.Schema()
	for _, w := range l.where {
		key, ok := schema.Lookup(w.Column)
		if !ok && l.codec.has(w.Column) { // a file of before it was added: NULL in every row
			file.Close()
			return nil, nil
		}
		if !ok || !isKind(key.Node.Type(), parquet.Int64) && !isKind(key.Node.Type(), parquet.Int32) || !key.Node.Required() {
			file.Close()
			return nil, fmt.Errorf("%s: %w: %s", f.Path, ErrNotLookedUp, w.Column)
		}
		col := &column{name: w.Column, shape: shape64}
		if isKind(key.Node.Type(), parquet.Int32) {
			col.shape = shape32
		}
		o.keys, o.keyLeaves = append(o.keys, col), append(o.keyLeaves, key.ColumnIndex)
	}
	for i := range l.codec.columns {
		col := &l.codec.columns[i]
		if !slices.Contains(l.columns, col.name) || col.shape == shapeList {
			continue
		}
		leaf, ok := schema.Lookup(col.name)
		if !ok {
			continue // NULL in every row
		}
		if !col.reads(leaf.Node.Type()) {
			file.Close()
			return nil, fmt.Errorf("%s: column %s has type %s", f.Path, col.name, leaf.Node.Type())
		}
		if col.name == l.where[0].Column && col.shape == shape64 {
			o.same = col
			continue
		}
		o.wanted, o.leaves = append(o.wanted, col), append(o.leaves, leaf.ColumnIndex)
	}
	return o, nil
}

// metadataOf returns a file's parsed footer, read from file if it is not in
// memory.
func metadataOf(path string, file *checked) (pf *parquet.File, err error) {
	st, err := file.Stat()
	if err != nil {
		return nil, err
	}
	key := metadataKey{path, st.Size()}
	pf, ok := metadata.get(key)
	if ok {
		return pf, nil
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %v", path, p)
		}
	}()
	pf, err = parquet.OpenFile(file, st.Size(),
		parquet.SkipPageIndex(true), parquet.SkipBloomFilters(true), parquet.SkipMagicBytes(true), parquet.ReadBufferSize(pageBuffer))
	if err == nil {
		err = sound(pf)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var tail [8]byte
	if _, err := file.ReadAt(tail[:], st.Size()-8); err != nil {
		return nil, err
	}
	metadata.put(key, pf, int64(binary.LittleEndian.Uint32(tail[:]))*metadataFactor)
	return pf, nil
}

// ColumnBytes says how many bytes some of a file's columns take in it, with its
// footer: what reading them for all rows reads, but for pages that are left out
// and what is in memory already.
func ColumnBytes(f File, columns []string) (int64, error) {
	file, err := openChecked(f)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	pf, err := metadataOf(f.Path, file)
	if err != nil {
		return 0, err
	}
	var tail [8]byte
	if _, err := file.ReadAt(tail[:], pf.Size()-8); err != nil {
		return 0, err
	}
	bytes := int64(binary.LittleEndian.Uint32(tail[:])) + 8
	for _, group := range pf.Metadata().RowGroups {
		for _, c := range group.Columns {
			if path := c.MetaData.PathInSchema; len(path) > 0 && slices.Contains(columns, path[0]) {
				bytes += c.MetaData.TotalCompressedSize
			}
		}
	}
	return bytes, nil
}

// Starts are the first and the last ts of a file's rows, as its footer has them; ok
// is false where it does not say.
func Starts(f File) (first, last tables.Time, ok bool) {
	file, err := openChecked(f)
	if err != nil {
		return 0, 0, false
	}
	defer file.Close()
	pf, err := metadataOf(f.Path, file)
	if err != nil {
		return 0, 0, false
	}
	for i, group := range pf.Metadata().RowGroups {
		at := slices.IndexFunc(group.Columns, func(c format.ColumnChunk) bool { return slices.Equal(c.MetaData.PathInSchema, []string{"ts"}) })
		if at < 0 {
			return 0, 0, false
		}
		s := &group.Columns[at].MetaData.Statistics
		if len(s.MinValue) != 8 || len(s.MaxValue) != 8 {
			return 0, 0, false
		}
		lo, hi := tables.Time(binary.LittleEndian.Uint64(s.MinValue)), tables.Time(binary.LittleEndian.Uint64(s.MaxValue))
		if i == 0 {
			first, last = lo, hi
		}
		first, last, ok = min(first, lo), max(last, hi), true
	}
	return first, last, ok
}

// advise tells the kernel of the compared column's bytes, so that those of all
// row groups are under way at once; but for those of which the pages are known.
func (o *lookedUp) advise(groups map[int][]uint64) {
	for i := range groups {
		if i >= len(o.meta.RowGroups) || o.keyLeaves[0] >= len(o.meta.RowGroups[i].Columns) {
			continue
		}
		m := &o.meta.RowGroups[i].Columns[o.keyLeaves[0]].MetaData
		from := m.DataPageOffset
		if m.DictionaryPageOffset > 0 {
			if from = m.DictionaryPageOffset; pool.has(o.poolKey(from, ofPlaces)) {
				continue
			}
		}
		if !pool.has(o.poolKey(m.DataPageOffset, ofPages)) {
			o.willNeed(from, from+m.TotalCompressedSize)
		}
	}
}

// willNeed makes the kernel read ahead what is not in memory, by its first
// byte.
func (o *checked) willNeed(from, to int64) {
	var b [1]byte
	if from >= to || o.ReadNow(b[:], from) == 1 {
		return
	}
	o.Advise(from, to-from, disk.WillNeed)
}

// group looks into one row group.
func (l *lookup[T]) group(ctx context.Context, o *lookedUp, group int, values []uint64) (err error) {
	// Pages that were damaged on disk can make the decoders panic.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	read := &endingReader{file: o.checked, ctx: ctx}
	var bytes int64
	defer func() {
		l.mu.Lock()
		l.bytes += bytes
		l.mu.Unlock()
	}()
	open := func(c *column, leaf int) (*chunkAt, error) {
		chunks := o.meta.RowGroups[group].Columns
		if leaf >= len(chunks) {
			return nil, errors.New("a row group lacks a column")
		}
		at := &chunkAt{column: c, checked: o.checked, from: read, rows: o.meta.RowGroups[group].NumRows, count: &bytes}
		return at, at.open(&chunks[leaf])
	}
	var rows []int64
	var found []uint64
	for i, key := range o.keys {
		c, err := open(key, o.keyLeaves[i])
		if err == nil && i == 0 {
			rows, found, err = c.find(newSet(values))
		} else if err == nil {
			rows, found, err = c.narrow(newSet(l.where[i].Any), rows, found)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", key.name, err)
		}
		if len(rows) == 0 {
			return nil
		}
	}
	chunks := make([]*chunkAt, len(o.leaves))
	for i, leaf := range o.leaves {
		if chunks[i], err = open(o.wanted[i], leaf); err != nil {
			return fmt.Errorf("column %s: %w", o.wanted[i].name, err)
		}
		chunks[i].advise(rows)
	}
	var row T
	names := make([]interned, len(chunks))
	for k, n := range rows {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		row = *new(T)
		if o.same != nil {
			o.same.store(unsafe.Pointer(&row), int64(found[k]), nil, nil)
		}
		for i, c := range chunks {
			number, text, ok, err := c.value(n)
			if err != nil {
				return fmt.Errorf("column %s: %w", c.name, err)
			}
			if ok {
				c.store(unsafe.Pointer(&row), number, text, &names[i])
			}
		}
		if err := l.give(&row); err != nil {
			return err
		}
	}
	return nil
}

func (l *lookup[T]) give(row *T) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rows++
	return l.fn(row)
}

// fewRows is up to how many rows a further column is compared one by one: more
// are compared by the page.
const fewRows = 256

// narrow keeps the rows that hold one of the values in a further column.
func (c *chunkAt) narrow(values *set, rows []int64, found []uint64) ([]int64, []uint64, error) {
	n := 0
	keep := func(i int) {
		rows[n], found[n] = rows[i], found[i]
		n++
	}
	if len(rows) > fewRows {
		others, _, err := c.find(values)
		if err != nil {
			return nil, nil, err
		}
		for i, k := 0, 0; i < len(rows) && k < len(others); {
			switch {
			case rows[i] < others[k]:
				i++
			case rows[i] > others[k]:
				k++
			default:
				keep(i)
				i, k = i+1, k+1
			}
		}
		return rows[:n], found[:n], nil
	}
	c.advise(rows)
	for i, row := range rows {
		v, _, ok, err := c.value(row)
		if err != nil {
			return nil, nil, err
		}
		if ok && values.has(uint64(v)) {
			keep(i)
		}
	}
	return rows[:n], found[:n], nil
}

// set is a set of numbers that answers most questions from one word: the
// values asked for are few among those they are compared with.
type set struct {
	few    []uint64 // the values, when they are few
	one    uint64
	single bool
	mask   uint64 // of bits
	bits   []uint64
	all    map[uint64]struct{}
}

func newSet(values []uint64) *set {
	s := &set{}
	if len(values) <= fewValues {
		s.few = values
	}
	if s.single = len(values) == 1; s.single {
		s.one = values[0]
		return s
	}
	s.all = make(map[uint64]struct{}, len(values))
	n := uint64(64)
	for n < uint64(len(values))*16 {
		n *= 2
	}
	s.mask, s.bits = n-1, make([]uint64, n/64)
	for _, v := range values {
		s.all[v] = struct{}{}
		b := s.bit(v)
		s.bits[b/64] |= 1 << (b % 64)
	}
	return s
}

// bit mixes addresses, whose bits are not random as those of ids are.
func (s *set) bit(v uint64) uint64 { return (v * 0x9e3779b97f4a7c15 >> 32) & s.mask }

func (s *set) has(v uint64) bool {
	if s.single {
		return v == s.one
	}
	if b := s.bit(v); s.bits[b/64]>>(b%64)&1 == 0 {
		return false
	}
	_, ok := s.all[v]
	return ok
}

// advise tells the kernel of the pages that hold the rows, but those in memory.
func (c *chunkAt) advise(rows []int64) {
	var from, to int64
	for k := 0; k < len(rows); {
		page := c.pages.page(rows[k])
		for _, end := c.rowsOf(page); k < len(rows) && rows[k] < end; {
			k++
		}
		start := c.pages[page].Offset
		if pool.has(c.poolKey(start, ofPages)) {
			continue
		}
		if start-to > coalesce || from == to {
			c.willNeed(from, to)
			from = start
		}
		to = start + int64(c.pages[page].CompressedPageSize)
	}
	c.willNeed(from, to)
}

// endingReader ends when nobody waits for it.
type endingReader struct {
	file io.ReaderAt
	ctx  context.Context
}

// ReadAt implements io.ReaderAt.
func (r *endingReader) ReadAt(p []byte, off int64) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.file.ReadAt(p, off)
}
