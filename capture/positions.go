package capture

import (
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// positions is a growing list of packet ids: the postings of a live row. The
// first id stands in place, so that the many one-packet flows need no block;
// the others are varints of the zigzag distance from the one before, in a
// chain of blocks. It holds no pointers: the garbage collector never walks the
// live table.
type positions struct {
	first, last tables.ID
	head, tail  uint32 // blocks; 0 is none
	used        uint8  // bytes of the tail
	count       uint32
}

const (
	blockData  = 60
	blockSize  = 64
	blockChunk = 1 << 16 // blocks allocated at a time: 4 MiB
)

type block struct {
	next uint32
	data [blockData]byte
}

// blocks is the pool all live rows draw on.
type blocks struct {
	chunks [][]block
	free   uint32 // list through next
	fresh  uint32 // blocks handed out at least once, the unused block 0 included
	inUse  int
	limit  int // blocks
}

func newBlocks(limit int) *blocks { return &blocks{fresh: 1, limit: limit} }

func (p *blocks) at(i uint32) *block { return &p.chunks[i/blockChunk][i%blockChunk] }

// full tells that a list may find no block for its next position, which takes
// at most ten bytes and so at most one block.
func (p *blocks) full() bool { return p.inUse >= p.limit }

func (p *blocks) take() uint32 {
	p.inUse++
	if i := p.free; i != 0 {
		b := p.at(i)
		p.free, b.next = b.next, 0
		return i
	}
	if int(p.fresh/blockChunk) == len(p.chunks) {
		p.chunks = append(p.chunks, rows.LargePages(make([]block, blockChunk)))
	}
	p.fresh++
	return p.fresh - 1
}

// add appends an id. It may take a block even when the pool is full: the limit
// is the caller's to keep.
func (l *positions) add(p *blocks, id tables.ID) {
	l.count++
	if l.count == 1 {
		l.first, l.last = id, id
		return
	}
	d := int64(id - l.last)
	v := uint64(d<<1) ^ uint64(d>>63)
	l.last = id
	var b *block
	if l.tail != 0 {
		b = p.at(l.tail)
	}
	for {
		if b == nil || l.used == blockData {
			i := p.take()
			if b == nil {
				l.head = i
			} else {
				b.next = i
			}
			l.tail, l.used, b = i, 0, p.at(i)
		}
		if v < 0x80 {
			b.data[l.used] = byte(v)
			l.used++
			return
		}
		b.data[l.used] = byte(v) | 0x80
		l.used++
		v >>= 7
	}
}

// appendTo appends the ids in ascending order.
func (l *positions) appendTo(p *blocks, ids []tables.ID) []tables.ID {
	if l.count == 0 {
		return ids
	}
	start := len(ids)
	ids = append(ids, l.first)
	id, sorted := l.first, true
	i, at := l.head, 0
	for n := uint32(1); n < l.count; n++ {
		var v uint64
		for shift := 0; ; shift += 7 {
			if at == blockData {
				i, at = p.at(i).next, 0
			}
			c := p.at(i).data[at]
			at++
			v |= uint64(c&0x7f) << shift
			if c < 0x80 {
				break
			}
		}
		next := id + tables.ID(v>>1^-(v&1))
		sorted = sorted && next > id
		id = next
		ids = append(ids, id)
	}
	if !sorted { // packets of several open segments, taken in turns
		slices.Sort(ids[start:])
	}
	return ids
}

// release empties the list and gives its blocks back.
func (l *positions) release(p *blocks) {
	for i := l.head; i != 0; {
		b := p.at(i)
		next := b.next
		b.next, p.free = p.free, i
		p.inUse--
		i = next
	}
	*l = positions{}
}
