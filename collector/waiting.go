package collector

import (
	"sync/atomic"

	"github.com/wiresql/wiresql/tables"
)

// waitingKey is the template that sets wait for.
type waitingKey struct {
	stream *stream
	id     uint16
}

// waitingSet is a data set whose template is not known yet, with what its
// datagram's header said.
type waitingSet struct {
	number uint64 // of the sets of its exporter that waited
	header header
	data   []byte // the records
}

// waitingSets are those of one exporter. They are found by template and by
// age in a time that does not grow with their number: who sends them chooses
// how many there are.
type waitingSets struct {
	sets    map[waitingKey][]waitingSet // oldest first
	queue   []waitingTurn               // of all, oldest first; some are gone
	count   int
	bytes   int
	numbers uint64
}

// waitingTurn is a set's place in the queue.
type waitingTurn struct {
	waitingKey
	number uint64
}

// overhead is what a waiting set costs besides its bytes.
const overhead = 160

// wait keeps a data set until its template comes. When the exporter has too
// many, its oldest go; when all exporters together do, this one.
func (w *work) wait(id uint16, h *header, data []byte) {
	e, c := w.e, &w.s.counts
	size := len(data) + overhead
	if size > w.d.cfg.WaitBytes || !reserve(&w.d.waiting, w.d.maxWaiting, int64(size), e.trusted) {
		c.Expired++
		w.undecodable(len(data), "no room for data that waits for its template")
		return
	}
	for e.waiting.bytes+size > w.d.cfg.WaitBytes {
		w.d.expire(e)
	}
	e.waiting.add(waitingKey{w.s, id}, h, data)
	c.Waited++
	w.waited = true
}

func (q *waitingSets) add(key waitingKey, h *header, data []byte) {
	if q.sets == nil {
		q.sets = map[waitingKey][]waitingSet{}
	}
	q.numbers++
	q.sets[key] = append(q.sets[key], waitingSet{q.numbers, *h, append([]byte(nil), data...)})
	q.queue = append(q.queue, waitingTurn{key, q.numbers})
	q.count++
	q.bytes += len(data) + overhead
	key.stream.waiting++
	if len(q.queue) > 2*q.count+64 { // most are gone: those that are not, move up
		kept := q.queue[:0]
		for _, t := range q.queue {
			if q.has(t) {
				kept = append(kept, t)
			}
		}
		q.queue = kept
	}
}

// has tells whether a set still waits. Sets of a template go oldest first.
func (q *waitingSets) has(t waitingTurn) bool {
	sets := q.sets[t.waitingKey]
	return len(sets) > 0 && sets[0].number <= t.number
}

// removed accounts for a set that is gone.
func (d *Decoder) removed(e *exporter, key waitingKey, set *waitingSet) {
	size := len(set.data) + overhead
	e.waiting.count--
	e.waiting.bytes -= size
	key.stream.waiting--
	d.waiting.Add(int64(-size))
	if e.waiting.count == 0 {
		e.waiting.queue, e.waiting.sets = nil, nil
	}
}

// expire drops the oldest set.
func (d *Decoder) expire(e *exporter) {
	q := &e.waiting
	for !q.has(q.queue[0]) {
		q.queue = q.queue[1:]
	}
	key := q.queue[0].waitingKey
	q.queue = q.queue[1:]
	sets := q.sets[key]
	set := sets[0]
	sets[0] = waitingSet{}
	if q.sets[key] = sets[1:]; len(sets) == 1 {
		delete(q.sets, key)
	}
	key.stream.counts.Expired++
	d.removed(e, key, &set)
}

// expireWaiting drops the sets that waited too long.
func (d *Decoder) expireWaiting(e *exporter, now tables.Time) {
	q := &e.waiting
	for q.count > 0 {
		t := q.queue[0]
		if q.has(t) {
			if now-q.sets[t.waitingKey][0].header.received <= tables.Time(d.cfg.WaitTime.Microseconds()) {
				return
			}
			d.expire(e)
		} else {
			q.queue = q.queue[1:]
		}
	}
}

// dropWaiting drops all sets of a stream.
func (d *Decoder) dropWaiting(e *exporter, s *stream) {
	for key, sets := range e.waiting.sets {
		if key.stream == s {
			delete(e.waiting.sets, key)
			for i := range sets {
				d.removed(e, key, &sets[i])
			}
		}
	}
}

// ready decodes the sets that waited for a template of the stream, now known.
func (w *work) ready(id uint16, t *template) {
	key := waitingKey{w.s, id}
	sets := w.e.waiting.sets[key]
	delete(w.e.waiting.sets, key)
	for i := range sets {
		w.d.removed(w.e, key, &sets[i])
		w.s.counts.Late++
		w.dataSet(t, &sets[i].header, sets[i].data)
	}
}

// reserve takes n of a limit that all exporters share.
func reserve(used *atomic.Int64, limit, n int64, trusted bool) bool {
	if !trusted {
		limit /= 2
	}
	if used.Add(n) > limit {
		used.Add(-n)
		return false
	}
	return true
}
