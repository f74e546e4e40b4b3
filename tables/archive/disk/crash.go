package disk

import (
	"maps"
	"math/rand/v2"
	"slices"
)

// Keep says what of the things that are not durable survives a crash.
type Keep int

// None survives, All does, or Some: of names what came first or any of them, of
// writes any, and of those parts.
const (
	None Keep = iota
	Some
	All
)

// Crash returns what a power failure now leaves of the disk: all that was made
// durable, and of the rest what names and data say, at random where it may be
// either. The disk itself goes on as if nothing had happened.
func (m *Memory) Crash(names, data Keep, r *rand.Rand) *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	views := map[*node]map[string]*node{}
	inOrder, first := r.IntN(2) == 0, r.IntN(len(m.pending)+1)
	for i, c := range m.pending {
		if names == None || names == Some && (inOrder && i >= first || !inOrder && r.IntN(2) == 0) {
			continue
		}
		if views[c.in] == nil {
			views[c.in] = maps.Clone(c.in.durable)
		}
		c.apply(views[c.in])
	}
	return m.copied(func(from, to *node, copied func(*node) *node) {
		if from.names == nil {
			to.data = from.survives(data, r)
			to.synced = slices.Clone(to.data)
			return
		}
		view := views[from]
		if view == nil {
			view = from.durable
		}
		// In one order, for what is random to be the same each time.
		for _, name := range slices.Sorted(maps.Keys(view)) {
			below := copied(view[name])
			below.links++
			to.names[name], to.durable[name] = below, below
		}
	})
}

// survives returns a file's bytes after a crash.
func (n *node) survives(keep Keep, r *rand.Rand) []byte {
	switch keep {
	case None:
		return slices.Clone(n.synced)
	case All:
		return slices.Clone(n.data)
	}
	data := slices.Clone(n.synced)
	for _, w := range n.writes {
		switch r.IntN(4) {
		case 0, 1:
			data = w.apply(data)
		case 2:
			if !w.cut {
				torn := write{offset: w.offset, data: w.data[:r.IntN(len(w.data))]}
				data = torn.apply(data)
			}
		}
	}
	return data
}

// Kill returns what the death of all processes leaves of the disk: everything,
// but for locks. What was not durable is not so yet.
func (m *Memory) Kill() *Memory {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all func(*node) *node
	k := m.copied(func(from, to *node, copied func(*node) *node) {
		all = copied
		to.links = from.links
		to.data, to.synced, to.writes = slices.Clone(from.data), slices.Clone(from.synced), slices.Clone(from.writes)
		for name, below := range from.names {
			to.names[name] = copied(below)
		}
		for name, below := range from.durable {
			to.durable[name] = copied(below)
		}
	})
	for _, c := range m.pending {
		c.in = all(c.in)
		if c.leads != nil {
			c.leads = all(c.leads)
		}
		k.pending = append(k.pending, c)
	}
	return k
}

// copied returns a disk with copies of the nodes that fill, called once for
// each, asks for, from the root on.
func (m *Memory) copied(fill func(from, to *node, copied func(*node) *node)) *Memory {
	k := NewMemory()
	of := map[*node]*node{}
	var copied func(*node) *node
	copied = func(from *node) *node {
		if to := of[from]; to != nil {
			return to
		}
		to := k.newNode(from.mode)
		to.modified, to.changed = from.modified, from.changed
		of[from] = to
		fill(from, to, copied)
		return to
	}
	k.root = copied(m.root)
	return k
}
