package observe

import (
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
)

// window is a map that forgets: it holds at most max entries, each for life
// nanoseconds of packet time after it was put or renewed. Order of age is order of
// that, so that both bounds cost nothing to enforce.
//
// Packet time may jump. An entry that is too old or too far in the future is
// given up alike; else a single packet dated 2100 would stop the expiry.
type window[K comparable, V any] struct {
	max            int
	life           int64
	hash           func(K) uint64
	found          map[uint64]*entry[K, V] // by the hash of the key, through alike
	len            int
	oldest, newest *entry[K, V]
	free           *entry[K, V] // entries of before, by next
}

type entry[K comparable, V any] struct {
	key         K
	value       V
	ts          int64
	older, next *entry[K, V]
	hash        uint64
	alike       *entry[K, V] // another of the hash
}

// newWindow makes a window. Hash may be nil; of keys of many parts, what Go does for
// a map's costs more than all else.
func newWindow[K comparable, V any](max int, life int64, hash func(K) uint64) *window[K, V] {
	if hash == nil {
		seed := maphash.MakeSeed()
		hash = func(k K) uint64 { return maphash.Comparable(seed, k) }
	}
	return &window[K, V]{max: max, life: life, hash: hash, found: map[uint64]*entry[K, V]{}}
}

// secret keeps who sends packets from choosing keys of one hash.
var secret = rand.Uint64()

// mix takes a part of a key into a hash, which begins with secret.
func mix(hash, part uint64) uint64 {
	high, low := bits.Mul64(hash^part, secret|1)
	return high ^ low
}

// find returns the entry of a key, or nil.
func (w *window[K, V]) find(k K) *entry[K, V] {
	e := w.found[w.hash(k)]
	for e != nil && e.key != k {
		e = e.alike
	}
	return e
}

// get returns the entry's value for reading and writing, or nil.
func (w *window[K, V]) get(k K) *V {
	if e := w.find(k); e != nil {
		return &e.value
	}
	return nil
}

// renew is get of an entry that lives on from ts.
func (w *window[K, V]) renew(k K, ts int64) *V {
	e := w.find(k)
	if e == nil {
		return nil
	}
	if e.ts = ts; e != w.newest {
		w.unlink(e)
		w.link(e)
	}
	return &e.value
}

// put adds an entry; k must not be there. When the window is full the oldest
// entry goes to gone first, and put returns true.
func (w *window[K, V]) put(k K, v V, ts int64, gone func(*V)) (evicted bool) {
	_, evicted = w.add(k, v, ts, gone)
	return evicted
}

// add is put, and returns where the value is.
func (w *window[K, V]) add(k K, v V, ts int64, gone func(*V)) (value *V, evicted bool) {
	if w.len >= w.max {
		w.drop(w.oldest, gone)
		evicted = true
	}
	e := w.free
	if e == nil {
		e = new(entry[K, V])
	}
	w.free = e.next
	hash := w.hash(k)
	*e = entry[K, V]{key: k, value: v, ts: ts, hash: hash, alike: w.found[hash]}
	w.link(e)
	w.found[hash] = e
	w.len++
	return &e.value, evicted
}

// link makes an entry the newest.
func (w *window[K, V]) link(e *entry[K, V]) {
	e.older, e.next = w.newest, nil
	if w.newest != nil {
		w.newest.next = e
	} else {
		w.oldest = e
	}
	w.newest = e
}

// remove takes an entry out, if it is there.
func (w *window[K, V]) remove(k K) {
	if e := w.find(k); e != nil {
		w.drop(e, nil)
	}
}

// expire gives the entries whose life is over to gone.
func (w *window[K, V]) expire(now int64, gone func(*V)) {
	for e := w.oldest; e != nil && (now-e.ts > w.life || e.ts-now > w.life); e = w.oldest {
		w.drop(e, gone)
	}
}

// drain gives every entry to gone.
func (w *window[K, V]) drain(gone func(*V)) {
	for w.oldest != nil {
		w.drop(w.oldest, gone)
	}
}

func (w *window[K, V]) drop(e *entry[K, V], gone func(*V)) {
	w.unlink(e)
	w.len--
	switch first := w.found[e.hash]; {
	case first != e:
		for first.alike != e {
			first = first.alike
		}
		first.alike = e.alike
	case e.alike != nil:
		w.found[e.hash] = e.alike
	default:
		delete(w.found, e.hash)
	}
	if gone != nil {
		gone(&e.value)
	}
	*e = entry[K, V]{next: w.free}
	w.free = e
}

func (w *window[K, V]) unlink(e *entry[K, V]) {
	if e.older != nil {
		e.older.next = e.next
	} else {
		w.oldest = e.next
	}
	if e.next != nil {
		e.next.older = e.older
	} else {
		w.newest = e.older
	}
}
