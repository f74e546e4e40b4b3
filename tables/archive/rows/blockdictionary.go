package rows

import (
	"cmp"
	"math/bits"
	"slices"
)

// dictionary finds the distinct values of a chunk, if they are few.
type dictionary struct {
	values  []int64
	indexes []int32
	slots   []int32 // into values, 1-based
	order   []entry
}

// entry is a value and where it stands.
type entry struct {
	value int64
	at    int32
}

// maxEntries bounds a dictionary; a quarter of the rows does so as well: with
// more, the dictionary is larger than what it saves.
const maxEntries = 1 << 15

// tryRows is after how many values it is given up when three in four were new.
const tryRows = 8192

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
		if i == tryRows && len(d.values) > tryRows/4*3 {
			return 0
		}
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
	d.order = d.order[:0]
	for i, x := range d.values {
		d.order = append(d.order, entry{x, int32(i)})
	}
	slices.SortFunc(d.order, func(x, y entry) int { return cmp.Compare(x.value, y.value) })
	to := slices.Grow(d.slots[:0], len(d.order))[:len(d.order)]
	for i, e := range d.order {
		to[e.at], d.values[i] = int32(i), e.value
	}
	for i, x := range d.indexes {
		d.indexes[i] = to[x]
	}
}
