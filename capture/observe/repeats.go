package observe

import "github.com/wiresql/wiresql/tables"

// repeats are rows each of which stands for all messages of a while that say the same, so
// that a flood of them is few rows. What messages say is a row without times and counts.
//
// Of one sender there are at most ofOne rows at a time, and maxRepeats in all: what is
// beyond is counted in a row of the sender, and beyond that in one for all.
type repeats[R comparable] struct {
	*window[R, Repeat[R]]
	ofOne int
	by    map[uint64]int // rows of each sender, by its hash
	write func(*Repeat[R])
}

// Repeat is what messages say, and how many there were.
type Repeat[R comparable] struct {
	Says, Sender         R
	From                 Origin // the first
	Conn                 tables.ID
	Last                 int64 // ns
	Packets, Bytes, Most int64
	Sequence             tables.Opt[int32] // of the first
}

// maxRepeats rows of a kind wait at most.
const maxRepeats = 4096

func newRepeats[R comparable](ofOne int, life int64, hash func(R) uint64, write func(*Repeat[R])) *repeats[R] {
	return &repeats[R]{newWindow[R, Repeat[R]](maxRepeats+1, life, hash), ofOne, map[uint64]int{}, write}
}

// count adds a message of a conversation that carries size bytes. It says the first of three rows; the
// second is its sender, the third what all have in common. It returns the row that
// counts it if this is the first message of it.
func (w *repeats[R]) count(o *Observer, from Origin, conn tables.ID, size int, says, sender, all R) (first *Repeat[R]) {
	w.expire(o.clock, w.gone)
	r := w.get(says)
	if r == nil && (w.by[w.hash(sender)] >= w.ofOne || w.len >= maxRepeats) {
		o.stats.Folded++
		says = sender
		if r = w.get(says); r == nil && w.len >= maxRepeats {
			says = all
			r = w.get(says)
		}
	}
	if r == nil {
		w.by[w.hash(sender)]++
		r, _ = w.add(says, Repeat[R]{Says: says, Sender: sender, From: from, Conn: conn, Last: from.TS}, from.TS, w.gone)
		first = r
	}
	r.Last = max(r.Last, from.TS)
	r.Packets++
	r.Bytes += int64(size)
	r.Most = max(r.Most, int64(size))
	return first
}

// gone writes a row.
func (w *repeats[R]) gone(r *Repeat[R]) {
	if sender := w.hash(r.Sender); w.by[sender] > 1 {
		w.by[sender]--
	} else {
		delete(w.by, sender)
	}
	w.write(r)
}

func (w *repeats[R]) remember() (list []Repeat[R]) {
	for e := w.oldest; e != nil; e = e.next {
		list = append(list, e.value)
	}
	return list
}

func (w *repeats[R]) recall(list []Repeat[R]) {
	for _, r := range list {
		if w.get(r.Says) == nil {
			w.by[w.hash(r.Sender)]++
			w.put(r.Says, r, r.From.TS, w.gone)
		}
	}
}

// packetID is the packet a row begins in.
func (f *Origin) packetID() tables.Opt[tables.ID] {
	return tables.Opt[tables.ID]{V: f.PacketID, Set: f.Kept}
}
