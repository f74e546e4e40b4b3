package capture

import "github.com/wiresql/wiresql/tables/archive/rows"

// table holds the live conversations: a hash index with linear probing over
// chunks of conversations that never move, and a timer wheel of when each may
// be over. Conversations are named by number; 0 is none. Neither part holds
// pointers, so a million live conversations cost the garbage collector
// nothing.
type table struct {
	index  []entry
	mask   uint32
	chunks [][]conversation
	free   uint32 // list through conversation.next
	fresh  uint32
	live   int

	// wheel[t%wheelSlots] lists, oldest first, the conversations to look at in
	// the packet-time second t. A conversation is not moved when a packet
	// comes: when its slot is reached and it turns out to be alive, it goes to
	// the slot of its new deadline. That is once per timeout instead of once
	// per packet.
	wheel [wheelSlots]list
}

type entry struct{ hash, number uint32 }

type list struct{ head, tail uint32 }

const (
	// wheelSlots seconds is more than the longest timeout, so that a slot
	// holds one second only.
	wheelSlots = 512
	noSlot     = wheelSlots
	chunkSize  = 1 << 14 // conversations allocated at a time: about 6 MB
	firstIndex = 1 << 12
)

func newTable() *table {
	return &table{index: make([]entry, firstIndex), mask: firstIndex - 1, fresh: 1}
}

func (t *table) at(i uint32) *conversation { return &t.chunks[i/chunkSize][i%chunkSize] }

// find returns the number of the live conversation with this key, or 0.
func (t *table) find(k *key, hash uint32) uint32 {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		e := t.index[i]
		if e.number == 0 {
			return 0
		}
		if e.hash == hash && t.at(e.number).key == *k {
			return e.number
		}
	}
}

// insert makes a zeroed conversation for a key that is not there.
func (t *table) insert(k *key, hash uint32) (uint32, *conversation) {
	if t.live >= len(t.index)/2 {
		t.grow()
	}
	n := t.free
	if n != 0 {
		t.free = t.at(n).next
	} else {
		if int(t.fresh/chunkSize) == len(t.chunks) {
			t.chunks = append(t.chunks, rows.LargePages(make([]conversation, chunkSize)))
		}
		n = t.fresh
		t.fresh++
	}
	c := t.at(n)
	*c = conversation{key: *k, hash: hash, slot: noSlot}
	t.put(entry{hash, n})
	t.live++
	return n, c
}

func (t *table) put(e entry) {
	i := e.hash & t.mask
	for t.index[i].number != 0 {
		i = (i + 1) & t.mask
	}
	t.index[i] = e
}

func (t *table) grow() {
	old := t.index
	t.index = rows.LargePages(make([]entry, 2*len(old)))
	t.mask = uint32(len(t.index) - 1)
	for _, e := range old {
		if e.number != 0 {
			t.put(e)
		}
	}
}

// remove takes a conversation out of index and wheel and reuses its number.
func (t *table) remove(n uint32) {
	c := t.at(n)
	t.unschedule(n)
	i := c.hash & t.mask
	for t.index[i].number != n {
		i = (i + 1) & t.mask
	}
	// Close the gap: entries further on that may stand here move up.
	for j := (i + 1) & t.mask; t.index[j].number != 0; j = (j + 1) & t.mask {
		home := t.index[j].hash & t.mask
		if (j-home)&t.mask >= (j-i)&t.mask {
			t.index[i] = t.index[j]
			i = j
		}
	}
	t.index[i] = entry{}
	c.next, t.free = t.free, n
	t.live--
}

// schedule puts a conversation into the slot of a second.
func (t *table) schedule(n uint32, second int64) {
	t.unschedule(n)
	c := t.at(n)
	c.slot = uint16(uint64(second) % wheelSlots)
	l := &t.wheel[c.slot]
	c.prev, c.next = l.tail, 0
	if l.tail != 0 {
		t.at(l.tail).next = n
	} else {
		l.head = n
	}
	l.tail = n
}

func (t *table) unschedule(n uint32) {
	c := t.at(n)
	if c.slot == noSlot {
		return
	}
	l := &t.wheel[c.slot]
	if c.prev != 0 {
		t.at(c.prev).next = c.next
	} else {
		l.head = c.next
	}
	if c.next != 0 {
		t.at(c.next).prev = c.prev
	} else {
		l.tail = c.prev
	}
	c.slot, c.prev, c.next = noSlot, 0, 0
}

// all calls fn for the live conversations in the order of their slots, from
// second on; fn may remove the one it gets.
func (t *table) all(second int64, fn func(n uint32)) {
	for s := range int64(wheelSlots) {
		l := &t.wheel[uint64(second+s)%wheelSlots]
		for n := l.head; n != 0; {
			next := t.at(n).next
			fn(n)
			n = next
		}
	}
}
