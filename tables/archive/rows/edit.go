package rows

import (
	"slices"
	"unsafe"
)

// Edit is what a merge changes in the rows of a file, which are counted from 0.
type Edit[T any] struct {
	Drop []int32 // rows that are left out, ascending
	// Rows, ascending, are those with columns that are set: all when All. Set
	// does so for Rows[k]; the row it is given has nothing else in it.
	Rows []int32
	All  bool
	Set  func(k int, row *T)
}

// Edits are those of a merge. Of says what becomes of the rows of its n-th file;
// nil: they stay as they are. Sets are the columns it sets.
type Edits[T any] struct {
	Of   func(n int) (*Edit[T], error)
	Sets []string
}

// editRows that are set are turned on their side together.
const editRows = 64

// editing applies edits. The rows of a slab that are set stand in a block, behind
// those of the slab's sources, and in the columns that are set they are taken from
// there.
type editing struct {
	of      func(n int) (*edit, error)
	sets    []bool         // by column
	room    unsafe.Pointer // for editRows rows
	waiting int            // rows in it
	block   *block
	places  []int32 // where in the slab's order each row of the block stands
}

// begin makes what applies them; nil when there are none.
func (e *Edits[T]) begin(c *codec) *editing {
	if e.Of == nil {
		return nil
	}
	room := make([]T, editRows)
	to := &editing{room: unsafe.Pointer(&room[0]), block: newBlock(c, 0), sets: make([]bool, len(c.columns))}
	for i := range c.columns {
		to.sets[i] = slices.Contains(e.Sets, c.columns[i].name)
	}
	to.of = func(n int) (*edit, error) {
		one, err := e.Of(n)
		if one == nil || err != nil {
			return nil, err
		}
		return &edit{drop: one.Drop, rows: one.Rows, all: one.All, set: func(k int, row unsafe.Pointer) { one.Set(k, (*T)(row)) }}, nil
	}
	return to
}

// edit is one file's, as far as it is not applied.
type edit struct {
	drop, rows []int32
	all        bool
	k          int
	set        func(k int, row unsafe.Pointer)
}

// drop applies an edit to the next row of its file, which is left out or comes to
// stand at a place.
func (e *editing) drop(f *edit, row, place int) bool {
	if len(f.drop) > 0 && int(f.drop[0]) == row {
		f.drop = f.drop[1:]
		return true
	}
	if !f.all {
		if len(f.rows) == 0 || int(f.rows[0]) != row {
			return false
		}
		f.rows = f.rows[1:]
	}
	f.set(f.k, unsafe.Add(e.room, uintptr(e.waiting)*e.block.codec.size))
	f.k++
	e.places = append(e.places, int32(place))
	if e.waiting++; e.waiting == editRows {
		e.take()
	}
	return false
}

// take adds the rows that wait to the block.
func (e *editing) take() {
	if e.waiting > 0 {
		e.block.addSome(e.room, e.waiting, e.sets)
		e.waiting = 0
	}
}

// order is where the columns that are set are taken from, when the sources have so
// many rows; nil when none are.
func (e *editing) order(rows []int32, total int) []int32 {
	if e == nil || len(e.places) == 0 {
		return nil
	}
	e.take()
	out := slices.Clone(rows)
	for k, at := range e.places {
		out[at] = int32(total + k)
	}
	return out
}

// append adds the values that are set of a column to those of so many rows.
func (e *editing) append(v *vector, column, rows int) {
	v.gather(&e.block.codec.columns[column], rows, &e.block.vectors[column], nil, e.block.rows)
}

// reset makes ready for the next slab.
func (e *editing) reset() {
	if e != nil {
		e.block.reset()
		e.places = e.places[:0]
	}
}
