package collector

import (
	"sync/atomic"

	"github.com/wiresql/wiresql/tables"
)

// waitingSet is a data set whose template is not known yet, with what its
// datagram's header said.
type waitingSet struct {
	stream *stream
	id     uint16 // of the template
	header header
	data   []byte // the records
}

// waitingSets are those of one exporter, oldest first.
type waitingSets struct {
	sets  []waitingSet
	bytes int
}

// overhead is what a waiting set costs besides its bytes.
const overhead = 128

// of counts the sets of a stream.
func (q *waitingSets) of(s *stream) (n int64) {
	for i := range q.sets {
		if q.sets[i].stream == s {
			n++
		}
	}
	return n
}

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
	e.waiting.sets = append(e.waiting.sets, waitingSet{w.s, id, *h, append([]byte(nil), data...)})
	e.waiting.bytes += size
	c.Waited++
	w.waited = true
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

// release gives back what the set at hand took.
func (d *Decoder) release(e *exporter, set *waitingSet) {
	size := len(set.data) + overhead
	e.waiting.bytes -= size
	d.waiting.Add(int64(-size))
}

// expire drops the oldest set.
func (d *Decoder) expire(e *exporter) {
	q := &e.waiting
	q.sets[0].stream.counts.Expired++
	d.release(e, &q.sets[0])
	q.sets[0] = waitingSet{}
	if q.sets = q.sets[1:]; len(q.sets) == 0 {
		q.sets = nil
	}
}

// expireWaiting drops the sets that waited too long.
func (d *Decoder) expireWaiting(e *exporter, now tables.Time) {
	for len(e.waiting.sets) > 0 && now-e.waiting.sets[0].header.received > tables.Time(d.cfg.WaitTime.Microseconds()) {
		d.expire(e)
	}
}

// takeWaiting takes out the sets that match, in their order.
func (d *Decoder) takeWaiting(e *exporter, match func(*waitingSet) bool) (taken []waitingSet) {
	q := &e.waiting
	kept := q.sets[:0]
	for i := range q.sets {
		if set := q.sets[i]; match(&set) {
			d.release(e, &set)
			taken = append(taken, set)
		} else {
			kept = append(kept, set)
		}
	}
	clear(q.sets[len(kept):])
	if q.sets = kept; len(kept) == 0 {
		q.sets = nil
	}
	return taken
}

// dropWaiting drops all sets of a stream.
func (d *Decoder) dropWaiting(e *exporter, s *stream) {
	d.takeWaiting(e, func(set *waitingSet) bool { return set.stream == s })
}

// ready decodes the sets that waited for a template of the stream, now known.
func (w *work) ready(id uint16, t *template) {
	if len(w.e.waiting.sets) == 0 {
		return
	}
	sets := w.d.takeWaiting(w.e, func(set *waitingSet) bool { return set.stream == w.s && set.id == id })
	for i := range sets {
		w.s.counts.Late++
		w.dataSet(t, &sets[i].header, sets[i].data)
	}
}
