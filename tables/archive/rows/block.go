package rows

import (
	"cmp"
	"math/bits"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"
)

// block is rows turned on their side: a vector for each column that has a
// value in some row. Rows are a kilobyte wide and have a third of their columns
// filled; on their side they take 200 bytes, and each step of writing them
// (sorting, encoding) goes through memory in order.
type block struct {
	codec   *codec
	rows    int
	blobs   int      // bytes of all []byte values
	vectors []vector // as codec.columns
	keys    []uint64 // scratch of order
	spare   []uint64
}

// vector is the values of a column, one a row; what stands at a NULL means
// nothing.
type vector struct {
	room   int     // how many rows are expected, if they are many
	seen   bool    // has a value: else nothing below is kept
	wide   []int64 // of shape64
	narrow []int32 // of shape32 and shapeBool, and of shapeText the text's index
	set    []uint8 // of columns that may be NULL: 1 where there is a value
	nulls  int
	items  []int32 // of shapeList, row after row
	bytes  []byte  // of shapeBytes, row after row
	ends   []int   // where each row's items or bytes end
	texts  []string
	kin    *kin             // who has the same texts under the same numbers, as far as each has them
	index  map[string]int32 // of texts; of kin one has it, and only that one adds to them
	last   int32
	recent []int32 // texts by where they lie: most are constants
}

// kin is what vectors have in common that got their texts from one.
type kin struct{ _ byte }

const (
	// fewTexts is how many places recent has at first, manyTexts once there are more
	// texts than that.
	fewTexts  = 1 << 11
	manyTexts = 1 << 16
	// kinTexts is how many texts are handed on.
	kinTexts = 1 << 17
)

// Block is rows that wait to be written: on their side they take a fifth of the
// memory.
type Block[T any] struct{ block *block }

// NewBlock makes a block without rows. T must be the rows of a family.
func NewBlock[T any]() *Block[T] {
	c, err := codecOf[T]()
	if err != nil {
		panic(err)
	}
	return &Block[T]{newBlock(c, GroupRows)}
}

// Rows is how many rows there are.
func (b *Block[T]) Rows() int { return b.block.rows }

// Add appends rows; it keeps nothing of them.
func (b *Block[T]) Add(rows []T) {
	if len(rows) > 0 {
		b.block.add(unsafe.Pointer(&rows[0]), len(rows))
	}
}

// Reset empties the block and keeps its memory.
func (b *Block[T]) Reset() { b.block.reset() }

// ByTime returns the numbers of the rows in the order of their time, and the
// time of each row by its number. T's family has times.
func (b *Block[T]) ByTime() (rows []int32, times []int64) {
	rows, times = make([]int32, b.block.rows), b.block.times()
	for i := range rows {
		rows[i] = int32(i)
	}
	b.block.order(rows, times)
	return rows, times
}

// WriteFile writes the rows named, at most GroupRows, in that order as a file.
func (b *Block[T]) WriteFile(to Target, rows []int32, o Options) (File, error) {
	f := newBlockFile(b.block.codec, to, o)
	return f.finish(f.group(b.block, rows))
}

// newBlock makes a block of which room rows are expected, if they are many.
func newBlock(c *codec, room int) *block {
	b := &block{codec: c, vectors: make([]vector, len(c.columns))}
	for i := range b.vectors {
		b.vectors[i].room = room
	}
	return b
}

// reset empties the block and keeps its memory.
func (b *block) reset() {
	b.rows, b.blobs = 0, 0
	for i := range b.vectors {
		b.vectors[i].reset()
	}
}

// reset empties the vector and keeps its memory.
func (v *vector) reset() {
	if len(v.index) > maxInterned {
		v.index = nil // texts that never come again
	}
	clear(v.index)
	v.texts, v.kin, v.last, v.seen = nil, nil, 0, false
	v.rewind()
}

// inherit takes over the texts of a block that gets no more rows of its own, and
// how they are found: so that the next rows' texts have the same numbers.
func (b *block) inherit(from *block) {
	for i := range b.vectors {
		v, w := &b.vectors[i], &from.vectors[i]
		if w.index != nil && len(w.texts) > 0 && len(w.texts) < kinTexts {
			v.texts, v.kin, v.index, v.recent, v.last = w.texts, w.kin, w.index, w.recent, w.last
			w.texts, w.index, w.recent = slices.Clip(w.texts), nil, nil
		}
	}
}

// adopt takes the texts of another vector as they are; false when it has others.
func (v *vector) adopt(w *vector) bool {
	if len(v.texts) == 0 {
		v.kin, v.index = w.kin, nil
	}
	if v.kin == nil || v.kin != w.kin || v.index != nil {
		return false
	}
	if len(w.texts) > len(v.texts) {
		v.texts = slices.Clip(w.texts)
	}
	return true
}

// rewind empties the vector but for the texts it knows.
func (v *vector) rewind() {
	v.wide, v.narrow, v.set, v.nulls = v.wide[:0], v.narrow[:0], v.set[:0], 0
	v.items, v.bytes, v.ends = v.items[:0], v.bytes[:0], v.ends[:0]
}

// add appends n rows, the first at base.
func (b *block) add(base unsafe.Pointer, n int) { b.addSome(base, n, nil) }

// addSome is add, but for some columns only; nil: for all.
func (b *block) addSome(base unsafe.Pointer, n int, some []bool) {
	stride := b.codec.size
	for i := range b.codec.columns {
		if some != nil && !some[i] {
			continue
		}
		c, v := &b.codec.columns[i], &b.vectors[i]
		if !v.seen {
			if !c.anySet(base, stride, n) {
				continue
			}
			v.begin(c, b.rows)
		}
		if c.optional {
			v.addSet(c, base, stride, n)
		}
		switch c.shape {
		case shape64:
			at := len(v.wide)
			v.wide = longer(v.wide, n, v.room)
			out := v.wide[at:]
			for k := range out {
				out[k] = *(*int64)(unsafe.Add(base, uintptr(k)*stride+c.at))
			}
		case shape32:
			at := len(v.narrow)
			v.narrow = longer(v.narrow, n, v.room)
			out := v.narrow[at:]
			for k := range out {
				out[k] = *(*int32)(unsafe.Add(base, uintptr(k)*stride+c.at))
			}
		case shapeBool:
			at := len(v.narrow)
			v.narrow = longer(v.narrow, n, v.room)
			out := v.narrow[at:]
			for k := range out { // a bool is a byte, 0 or 1
				out[k] = int32(*(*uint8)(unsafe.Add(base, uintptr(k)*stride+c.at)))
			}
		case shapeText:
			at := len(v.narrow)
			v.narrow = longer(v.narrow, n, v.room)
			out := v.narrow[at:]
			for k := range out {
				out[k] = v.text(*(*string)(unsafe.Add(base, uintptr(k)*stride+c.at)))
			}
		case shapeList:
			v.items = storeSpans(v, v.items, unsafe.Add(base, c.at), stride, n)
		case shapeBytes:
			b.blobs -= len(v.bytes)
			v.bytes = storeSpans(v, v.bytes, unsafe.Add(base, c.at), stride, n)
			b.blobs += len(v.bytes)
		}
	}
	b.rows += n
}

// storeSpans appends the slices of n rows, the first at base.
func storeSpans[T any](v *vector, items []T, base unsafe.Pointer, stride uintptr, n int) []T {
	at := len(v.ends)
	v.ends = longer(v.ends, n, v.room)
	for k := range n {
		more := *(*[]T)(unsafe.Add(base, uintptr(k)*stride))
		end := len(items)
		items = longer(items, len(more), 0)
		copy(items[end:], more)
		v.ends[at+k] = len(items)
	}
	return items
}

// longer makes a slice n longer, and where it must grow twice as large, or once it
// has a 16th of it the room that is expected: append does so by a quarter, and half
// a million rows would move five times.
func longer[T any](s []T, n, room int) []T {
	if n += len(s); n > cap(s) {
		larger := max(n, 2*cap(s))
		if larger > room/16 {
			larger = max(larger, room)
		}
		s = append(LargePages(make([]T, 0, larger)), s...)
	}
	return s[:n]
}

// LargePages asks the system to keep what a slice has room for in pages of 2 MB: of
// what is looked at here and there, every other look is for where its page lies.
func LargePages[T any](s []T) []T {
	var one T
	if size := uintptr(cap(s)) * unsafe.Sizeof(one); size >= 2<<20 {
		_ = unix.Madvise(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), size), unix.MADV_HUGEPAGE) // it may
	}
	return s
}

// anySet tells whether a column has a value in any of n rows.
func (c *column) anySet(base unsafe.Pointer, stride uintptr, n int) bool {
	switch {
	case !c.optional:
		return true
	case c.set != none:
		for k := range n {
			if *(*bool)(unsafe.Add(base, uintptr(k)*stride+c.set)) {
				return true
			}
		}
	default:
		for k := range n {
			if c.hasOwn(unsafe.Add(base, uintptr(k)*stride+c.at)) {
				return true
			}
		}
	}
	return false
}

// hasOwn tells whether a text, a list or bytes are there, by their own shape.
func (c *column) hasOwn(at unsafe.Pointer) bool {
	if c.shape == shapeText {
		return len(*(*string)(at)) > 0
	}
	return *(*unsafe.Pointer)(at) != nil // a slice begins with its pointer
}

// begin makes up for the rows before the column's first value.
func (v *vector) begin(c *column, rows int) {
	v.seen = true
	if rows == 0 {
		return
	}
	v.nulls = rows
	v.set = append(v.set[:0], make([]uint8, rows)...)
	switch c.shape {
	case shape64:
		v.wide = append(v.wide[:0], make([]int64, rows)...)
	case shapeList, shapeBytes:
		v.ends = append(v.ends[:0], make([]int, rows)...)
	default:
		v.narrow = append(v.narrow[:0], make([]int32, rows)...)
	}
}

func (v *vector) addSet(c *column, base unsafe.Pointer, stride uintptr, n int) {
	at := len(v.set)
	v.set = longer(v.set, n, v.room)
	out := v.set[at:]
	sum := 0
	if c.set != none {
		for k := range out { // a bool is a byte, 0 or 1
			out[k] = *(*uint8)(unsafe.Add(base, uintptr(k)*stride+c.set))
			sum += int(out[k])
		}
	} else {
		for k := range out {
			out[k] = 0
			if c.hasOwn(unsafe.Add(base, uintptr(k)*stride+c.at)) {
				out[k] = 1
				sum++
			}
		}
	}
	v.nulls += n - sum
}

// text returns a text's index. Most are those of the row before.
func (v *vector) text(s string) int32 {
	if int(v.last) < len(v.texts) && v.texts[v.last] == s {
		return v.last
	}
	if s == "" { // NULL: any index will do
		return 0
	}
	if v.recent == nil {
		v.recent = make([]int32, fewTexts)
	} else if len(v.texts) > fewTexts && len(v.recent) == fewTexts {
		v.recent = make([]int32, manyTexts)
	}
	at := &v.recent[(uintptr(unsafe.Pointer(unsafe.StringData(s)))>>3^uintptr(len(s)))&uintptr(len(v.recent)-1)]
	if i := *at; int(i) < len(v.texts) && v.texts[i] == s {
		v.last = i
		return i
	}
	if v.index == nil {
		v.index = make(map[string]int32, len(v.texts))
		for i, t := range v.texts {
			v.index[t] = int32(i)
		}
		v.kin = new(kin) // what follows is this one's own
	}
	i, ok := v.index[s]
	if !ok {
		if v.kin == nil {
			v.kin = new(kin)
		}
		i = int32(len(v.texts))
		v.texts = append(v.texts, s)
		v.index[s] = i
	}
	v.last, *at = i, i
	return i
}

// textOf is text for bytes, which are copied if they are new.
func (v *vector) textOf(b []byte) int32 {
	if int(v.last) < len(v.texts) && v.texts[v.last] == string(b) {
		return v.last
	}
	if i, ok := v.index[string(b)]; ok {
		v.last = i
		return i
	}
	return v.text(string(b))
}

// store puts n values, from a row of the vector on, into rows, the first at base.
// The rows own their memory. A NULL leaves the row's zero.
func (v *vector) store(c *column, from, n int, base unsafe.Pointer, stride uintptr) {
	var items []int32
	var bytes []byte
	switch c.shape {
	case shapeList:
		first, _ := v.span(from)
		_, last := v.span(from + n - 1)
		items = slices.Clone(v.items[first:last])
	case shapeBytes:
		first, _ := v.span(from)
		_, last := v.span(from + n - 1)
		bytes = append(make([]byte, 0, last-first), v.bytes[first:last]...)
	}
	for i := range n {
		// Each row is reached from the first: a pointer moved on by one row would
		// end behind the last, where Go allows none.
		row := unsafe.Add(base, uintptr(i)*stride)
		if c.optional {
			if v.set[from+i] == 0 {
				continue
			}
			if c.set != none {
				*(*bool)(unsafe.Add(row, c.set)) = true
			}
		}
		p := unsafe.Add(row, c.at)
		switch c.shape {
		case shape64:
			*(*int64)(p) = v.wide[from+i]
		case shape32:
			*(*int32)(p) = v.narrow[from+i]
		case shapeBool:
			*(*bool)(p) = v.narrow[from+i] == 1
		case shapeText:
			*(*string)(p) = v.texts[v.narrow[from+i]]
		case shapeList:
			first, last := v.span(from + i)
			n := last - first
			if *(*[]int32)(p) = items[:n:n]; n == 0 {
				*(*[]int32)(p) = []int32{}
			}
			items = items[n:]
		case shapeBytes:
			first, last := v.span(from + i)
			n := last - first
			if *(*[]byte)(p) = bytes[:n:n]; n == 0 {
				*(*[]byte)(p) = []byte{}
			}
			bytes = bytes[n:]
		}
	}
}

// gather appends rows of another block of the same codec, in the order named; nil:
// all of them in theirs.
func (b *block) gather(from *block, rows []int32) {
	n := len(rows)
	if rows == nil {
		n = from.rows
	}
	for i := range b.codec.columns {
		v := &b.vectors[i]
		before := len(v.bytes)
		v.gather(&b.codec.columns[i], b.rows, &from.vectors[i], rows, n)
		b.blobs += len(v.bytes) - before
	}
	b.rows += n
}

// gather appends what rows have in another vector of the same column, all n of them
// if they are nil, to those of so many rows.
func (v *vector) gather(c *column, before int, w *vector, rows []int32, n int) {
	if !w.seen {
		if v.seen {
			v.skip(c, n)
		}
		return
	}
	if !v.seen {
		v.begin(c, before)
	}
	if c.optional {
		nulls := v.nulls
		v.set = pick(v.set, w.set, rows, v.room)
		if w.nulls > 0 {
			for _, there := range v.set[before:] {
				nulls += 1 - int(there)
			}
		}
		v.nulls = nulls
	}
	switch c.shape {
	case shape64:
		v.wide = pick(v.wide, w.wide, rows, v.room)
	case shape32, shapeBool:
		v.narrow = pick(v.narrow, w.narrow, rows, v.room)
	case shapeText:
		if v.adopt(w) {
			v.narrow = pick(v.narrow, w.narrow, rows, v.room)
			break
		}
		if rows == nil {
			rows = ascending(n)
		}
		to := make([]int32, len(w.texts)) // a text's index here, from 1
		for _, r := range rows {
			x := int32(0)
			if w.set[r] == 1 {
				k := w.narrow[r]
				if to[k] == 0 {
					to[k] = 1 + v.text(w.texts[k])
				}
				x = to[k] - 1
			}
			v.narrow = append(v.narrow, x)
		}
	case shapeList:
		v.items = addSpans(v, v.items, w, w.items, rows)
	case shapeBytes:
		v.bytes = addSpans(v, v.bytes, w, w.bytes, rows)
	}
}

// addSpans appends what rows of another vector have of items, or bytes.
func addSpans[T any](v *vector, items []T, w *vector, from []T, rows []int32) []T {
	at, n := len(v.ends), 0
	if rows == nil {
		v.ends = longer(v.ends, len(w.ends), v.room)
		for i, end := range w.ends {
			v.ends[at+i] = len(items) + end
		}
		at = len(items)
		items = longer(items, len(from), 0)
		copy(items[at:], from)
		return items
	}
	v.ends = longer(v.ends, len(rows), v.room)
	ends := v.ends[at:]
	for i, r := range rows {
		first, last := w.span(int(r))
		n += last - first
		ends[i] = len(items) + n
	}
	at = len(items)
	items = longer(items, n, 0)
	for _, r := range rows {
		first, last := w.span(int(r))
		at += copy(items[at:], from[first:last])
	}
	return items
}

// pick appends values of rows, all of them if they are nil.
func pick[T any](dst, from []T, rows []int32, room int) []T {
	at := len(dst)
	if rows == nil {
		dst = longer(dst, len(from), room)
		copy(dst[at:], from)
		return dst
	}
	dst = longer(dst, len(rows), room)
	out := dst[at:]
	for i, r := range rows {
		out[i] = from[r]
	}
	return dst
}

// keep drops all rows but those named, which ascend.
func (b *block) keep(rows []int32) {
	b.blobs = 0
	for i := range b.codec.columns {
		c, v := &b.codec.columns[i], &b.vectors[i]
		if !v.seen {
			continue
		}
		if c.optional {
			v.set = pick(v.set[:0], v.set, rows, v.room)
			v.nulls = 0
			for _, there := range v.set {
				v.nulls += 1 - int(there)
			}
		}
		switch c.shape {
		case shape64:
			v.wide = pick(v.wide[:0], v.wide, rows, v.room)
		case shape32, shapeBool:
			v.narrow = pick(v.narrow[:0], v.narrow, rows, v.room)
		case shapeText:
			v.narrow = pick(v.narrow[:0], v.narrow, rows, v.room)
			v.forget()
		case shapeList:
			v.items = moveSpans(v, v.items, rows)
		case shapeBytes:
			v.bytes = moveSpans(v, v.bytes, rows)
			b.blobs += len(v.bytes)
		}
	}
	b.rows = len(rows)
}

// moveSpans moves what rows have of items, or bytes, to their front.
func moveSpans[T any](v *vector, items []T, rows []int32) []T {
	n := 0
	for i, r := range rows {
		first, last := v.span(int(r))
		n += copy(items[n:], items[first:last])
		v.ends[i] = n
	}
	v.ends = v.ends[:len(rows)]
	return items[:n]
}

// forget drops the texts that no row has.
func (v *vector) forget() {
	if v.index == nil {
		return // they are others' as well
	}
	to := make([]int32, len(v.texts)) // a text's new index, from 1
	n := int32(0)
	clear(v.index)
	for i, x := range v.narrow {
		if v.set[i] == 0 {
			v.narrow[i] = 0
			continue
		}
		if to[x] == 0 {
			n++
			to[x] = n
		}
		v.narrow[i] = to[x] - 1
	}
	kept := make([]string, n)
	for x, k := range to {
		if k > 0 {
			kept[k-1] = v.texts[x]
			v.index[v.texts[x]] = k - 1
		}
	}
	v.texts, v.last = kept, 0
}

// times are the rows' times, of families that have one.
func (b *block) times() []int64 {
	for i := range b.codec.columns {
		if b.codec.columns[i].at == b.codec.start.at {
			return b.vectors[i].wide
		}
	}
	return nil
}

// radixBits is how many bits of a time a pass of sorting looks at.
const radixBits = 11

// order sorts the rows named by their time. Nearly always they lie within
// minutes, and three passes over their differences do it.
func (b *block) order(rows []int32, times []int64) {
	if slices.IsSortedFunc(rows, func(x, y int32) int { return cmp.Compare(times[x], times[y]) }) {
		return
	}
	first, last := times[rows[0]], times[rows[0]]
	for _, r := range rows {
		first, last = min(first, times[r]), max(last, times[r])
	}
	low := bits.Len(uint(b.rows)) // bits of a row's number
	high := bits.Len64(uint64(last - first))
	if low+high > 64 {
		slices.SortStableFunc(rows, func(x, y int32) int { return cmp.Compare(times[x], times[y]) })
		return
	}
	keys := b.keys[:0]
	for _, r := range rows {
		keys = append(keys, uint64(times[r]-first)<<low|uint64(r))
	}
	spare := slices.Grow(b.spare[:0], len(keys))[:len(keys)]
	for shift := low; shift < low+high; shift += radixBits {
		var at [1 << radixBits]int32
		for _, k := range keys {
			at[k>>shift&(1<<radixBits-1)]++
		}
		sum := int32(0)
		for i, n := range at {
			at[i] = sum
			sum += n
		}
		for _, k := range keys {
			d := k >> shift & (1<<radixBits - 1)
			spare[at[d]] = k
			at[d]++
		}
		keys, spare = spare, keys
	}
	for i, k := range keys {
		rows[i] = int32(k & (1<<low - 1))
	}
	b.keys, b.spare = keys, spare
}
