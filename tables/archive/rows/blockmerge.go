package rows

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/parquet-go/parquet-go/format"
)

const (
	// slabGroups is how many row groups a merge has in the making at a time: of
	// these it holds one column, and what is encoded of the others.
	slabGroups = 4
	// slabBytes is how much the row groups that they come from may hold.
	slabBytes = 256 << 20
	// mergeWindow is how much of a column is read at a time.
	mergeWindow = 256 << 10
)

// Merge writes the rows of files of a family that has times, each of which is in
// the order of time, as one file in that order; among rows of one time those of
// an earlier file come first. It does not look at rows: the times decide the
// order, and each column is brought into it.
//
// Memory grows with the number of files that lie over each other in time, by
// two row groups' column each, not with their rows.
func Merge[T any](ctx context.Context, to Target, files []File, o Options, edits Edits[T]) (File, error) {
	c, err := codecOf[T]()
	if err == nil && (c.start.at == none || c.start.optional) {
		err = fmt.Errorf("%s have no time to merge by", c.family.Name)
	}
	if err != nil {
		return File{}, to.Finish(File{}, err)
	}
	m := &blockMerge{codec: c, out: newBlockFile(c, to, o), edits: edits.begin(c), copies: o.Alike && len(files) == 1}
	err = m.run(ctx, files)
	return m.out.finish(errors.Join(err, m.closeAll()))
}

// blockMerge is a merge at work.
type blockMerge struct {
	codec   *codec
	out     *blockFile
	waiting []numbered     // not opened yet, by their first time
	inputs  []*mergeInput  // a heap by the time of the next row
	opened  []*blockReader // to be closed
	slab    []mergeSource
	total   int      // rows of the sources
	bytes   int64    // of the sources
	order   []int32  // rows of the slab as they are to stand, in the sources' rows
	edits   *editing // nil when no file is edited
	copies  bool     // columns that are not set are copied from the one file
	scratch vector
	reading readScratch
}

// mergeInput is a file being merged and its open row group.
type mergeInput struct {
	in     *blockReader
	number int
	group  int
	times  []int64
	at     int // next row
	base   int // of the row group in the slab; -1 when it is not part of it
	first  int // row of the file that the group begins with
	edit   *edit
}

// numbered is a file and its place among those that are merged.
type numbered struct {
	File
	number int
}

// blockReader reads whole column chunks of a file that is merged.
type blockReader struct {
	path   string
	file   *checked
	groups []format.RowGroup
	ours   bool  // written by this package
	leaf   []int // of each column of the codec; -1 when the file lacks it
	pages  chunkReader
}

func openBlocks(c *codec, f File, scratch *readScratch) (*blockReader, error) {
	file, pf, err := openParquet(f)
	if err != nil {
		return nil, err
	}
	_, ours := pf.Lookup(sumsKey)
	r := &blockReader{path: f.Path, file: file, groups: pf.Metadata().RowGroups, ours: ours, leaf: make([]int, len(c.columns)),
		pages: chunkReader{file: file, window: mergeWindow, readScratch: scratch}}
	for i := range c.columns {
		leaf, ok, err := c.columns[i].leafOf(pf)
		if err != nil {
			file.Close()
			return nil, fmt.Errorf("%s: %w", f.Path, err)
		}
		if r.leaf[i] = leaf; !ok {
			r.leaf[i] = -1
		}
	}
	return r, nil
}

func (r *blockReader) close() error { return r.file.Close() }

// read appends the values of a column in a row group to a vector that has those
// of so many rows.
func (r *blockReader) read(group int, c *column, index int, v *vector, before int) (err error) {
	// Bytes that were damaged on disk can make the decoders panic.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
		if err != nil {
			err = Found(r.path, fmt.Errorf("%s: column %s: %w", r.path, c.name, err))
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
	if err := r.pages.open(&g.Columns[leaf].MetaData, g.NumRows); err != nil {
		return err
	}
	for r.pages.rows > 0 {
		if n, err := r.pages.next(c, v); err != nil {
			return err
		} else if n == 0 {
			return errPages
		}
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
	case shapeList, shapeBytes:
		end := max(len(v.items), len(v.bytes))
		for range rows {
			v.ends = append(v.ends, end)
		}
	default:
		v.narrow = append(v.narrow, make([]int32, rows)...)
	}
}

// mergeSource is a row group that has rows in the slab.
type mergeSource struct {
	in    *blockReader
	group int
	rows  int
}

func (m *blockMerge) closeAll() error {
	var err error
	for _, r := range m.opened {
		err = errors.Join(err, r.close())
	}
	return err
}

func (m *blockMerge) run(ctx context.Context, files []File) error {
	for i, f := range files {
		m.waiting = append(m.waiting, numbered{f, i})
	}
	slices.SortStableFunc(m.waiting, func(a, b numbered) int { return cmp.Compare(a.MinTS, b.MinTS) })
	for {
		if err := m.fill(); err != nil {
			return err
		}
		if len(m.order) == 0 && len(m.inputs)+len(m.waiting) == 0 {
			return nil
		}
		if err := m.write(ctx); err != nil {
			return err
		}
		m.slab, m.order, m.total, m.bytes = m.slab[:0], m.order[:0], 0, 0
		for _, in := range m.inputs {
			in.base = -1
		}
	}
}

// fill chooses the rows of the next slab.
func (m *blockMerge) fill() error {
	for len(m.order) < slabGroups*GroupRows && m.bytes < slabBytes {
		for len(m.waiting) > 0 && (len(m.inputs) == 0 || int64(m.waiting[0].MinTS) <= m.inputs[0].next()) {
			if err := m.open(m.waiting[0]); err != nil {
				return err
			}
			m.waiting = m.waiting[1:]
		}
		if len(m.inputs) == 0 {
			return nil
		}
		in := m.inputs[0]
		if in.base < 0 {
			in.base = m.total
			m.total += len(in.times)
			m.bytes += in.in.groups[in.group].TotalByteSize
			m.slab = append(m.slab, mergeSource{in.in, in.group, len(in.times)})
		}
		// Rows of this file for as long as it stays the first.
		end := min(len(in.times), in.at+slabGroups*GroupRows-len(m.order))
		stop := end
		if len(m.inputs) > 1 {
			stop = in.until(m.runnerUp(), stop)
		}
		if len(m.waiting) > 0 {
			stop = in.until(int64(m.waiting[0].MinTS), stop)
		}
		m.take(in, max(stop, in.at+1))
		if in.at == len(in.times) {
			in.group++
			more, err := m.load(in)
			if err != nil {
				return err
			}
			if !more {
				last := len(m.inputs) - 1
				m.inputs[0] = m.inputs[last]
				m.inputs = m.inputs[:last]
			}
		}
		m.sink()
	}
	return nil
}

// take puts the rows of a file up to stop into the slab.
func (m *blockMerge) take(in *mergeInput, stop int) {
	for ; in.at < stop; in.at++ {
		if in.edit != nil && m.edits.drop(in.edit, in.first+in.at, len(m.order)) {
			continue
		}
		m.order = append(m.order, int32(in.base+in.at))
	}
}

func (in *mergeInput) next() int64 { return in.times[in.at] }

// until returns the first row before end whose time is not before t.
func (in *mergeInput) until(t int64, end int) int {
	for i := in.at; i < end; i++ {
		if in.times[i] >= t {
			return i
		}
	}
	return end
}

// open adds a file to the heap.
func (m *blockMerge) open(f numbered) error {
	r, err := openBlocks(m.codec, f.File, &m.reading)
	if err != nil {
		return err
	}
	m.opened = append(m.opened, r)
	in := &mergeInput{in: r, number: f.number}
	if m.edits != nil {
		if in.edit, err = m.edits.of(f.number); err != nil {
			return err
		}
	}
	m.copies = m.copies && r.ours && (in.edit == nil || len(in.edit.drop) == 0) && r.full()
	more, err := m.load(in)
	if err != nil || !more {
		return err
	}
	m.inputs = append(m.inputs, in)
	for i := len(m.inputs) - 1; i > 0 && m.less(i, (i-1)/2); i = (i - 1) / 2 {
		m.inputs[i], m.inputs[(i-1)/2] = m.inputs[(i-1)/2], m.inputs[i]
	}
	return nil
}

// full tells whether the file's row groups are as those of a merge of it.
func (r *blockReader) full() bool {
	for i := range r.groups {
		if n := r.groups[i].NumRows; n > GroupRows || n < GroupRows && i < len(r.groups)-1 {
			return false
		}
	}
	return true
}

// load reads the times of the file's row group; false when there is none.
func (m *blockMerge) load(in *mergeInput) (bool, error) {
	in.first += len(in.times)
	in.base, in.at = -1, 0
	if in.group >= len(in.in.groups) {
		return false, nil
	}
	i := slices.IndexFunc(m.codec.columns, func(c column) bool { return c.at == m.codec.start.at })
	v := vector{wide: in.times[:0]}
	if err := in.in.read(in.group, &m.codec.columns[i], i, &v, 0); err != nil {
		return false, err
	}
	in.times = v.wide
	return true, nil
}

func (m *blockMerge) less(i, j int) bool {
	a, b := m.inputs[i], m.inputs[j]
	return a.next() < b.next() || a.next() == b.next() && a.number < b.number
}

// sink puts the first of the heap where it belongs.
func (m *blockMerge) sink() {
	for i := 0; ; {
		k := 2*i + 1
		if k >= len(m.inputs) {
			return
		}
		if k+1 < len(m.inputs) && m.less(k+1, k) {
			k++
		}
		if !m.less(k, i) {
			return
		}
		m.inputs[i], m.inputs[k] = m.inputs[k], m.inputs[i]
		i = k
	}
}

// runnerUp is the time of the next row of all files but the first.
func (m *blockMerge) runnerUp() int64 {
	t := m.inputs[1].next()
	if len(m.inputs) > 2 {
		t = min(t, m.inputs[2].next())
	}
	return t
}

// write writes the slab, column by column.
func (m *blockMerge) write(ctx context.Context) error {
	var groups []*blockGroup
	for at := 0; at < len(m.order); at += GroupRows {
		groups = append(groups, m.out.begin(min(GroupRows, len(m.order)-at)))
	}
	set := m.edits.order(m.order, m.total) // for the columns that are set
	for i := range m.codec.columns {
		if err := ctx.Err(); err != nil {
			return err
		}
		if m.copies && (m.edits == nil || !m.edits.sets[i]) {
			for k, g := range groups {
				if err := m.out.copy(g, i, m.slab[k].in, m.slab[k].group); err != nil {
					return err
				}
			}
			continue
		}
		v := &m.scratch
		v.reset()
		v.seen = !m.codec.columns[i].optional
		before := 0
		for _, s := range m.slab {
			if err := s.in.read(s.group, &m.codec.columns[i], i, v, before); err != nil {
				return err
			}
			before += s.rows
		}
		order := m.order
		if set != nil && m.edits.sets[i] {
			m.edits.append(v, i, before)
			order = set
		}
		for k, g := range groups {
			if err := m.out.column(g, i, v, order[k*GroupRows:][:g.rows]); err != nil {
				return err
			}
		}
	}
	m.edits.reset()
	for _, g := range groups {
		if err := m.out.end(g); err != nil {
			return err
		}
	}
	return nil
}
