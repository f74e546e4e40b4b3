package collector

import "github.com/wiresql/wiresql/tables"

// Sequence accounting. Every protocol numbers something, modulo 2^32: v5 the
// flows before this datagram, v9 datagrams, IPFIX the data records before this
// message (RFC 7011 section 3.1), sFlow datagrams. What differs is only how
// many units a datagram stands for.

const (
	// A jump ahead by this much or more is a new start, not loss: at a million
	// flows a second it would be a quarter of an hour of them.
	resetAhead = 1 << 30
	// holeTime is how long a number may come late before it counts as missing.
	holeTime = tables.Time(1e6)
	maxHoles = 16
	// recentSize is among how many datagrams a repeated one is recognised.
	recentSize = 32
)

// hole is numbers passed over, which may yet come.
type hole struct {
	from, count uint32
	since       tables.Time
}

// sequence follows the numbers of one stream.
type sequence struct {
	next  uint32 // expected
	known bool   // next holds
	// loose says that the units of the last datagram could not all be counted
	// (a data set waits for its template): next is a lower bound.
	loose bool
	// stray says that the last datagram fitted nowhere. If the next one follows
	// on it, the exporter has begun to count anew (as RFC 3550 appendix A.1).
	stray      bool
	strayNext  uint32
	strayUnits uint32
	straySince tables.Time

	holes  [maxHoles]hole
	nholes int
	recent [recentSize]uint32 // first numbers of datagrams
	seen   int                // datagrams entered there, ever
}

// continues tells whether a datagram with this number comes next.
func (q *sequence) continues(seq uint32) bool { return q.known && q.next == seq }

// take accounts for a datagram numbered seq that stands for units.
func (q *sequence) take(seq, units uint32, now tables.Time, c *tables.Exporter) {
	if q.stray {
		q.stray = false
		if seq == q.strayNext {
			q.restart(c)
			q.next, q.known = seq, true
		} else {
			c.Reordered += int64(q.strayUnits)
		}
	}
	ahead := int32(seq - q.next)
	switch {
	case !q.known:
		q.known = true
	case ahead == 0:
	case ahead > 0 && ahead < resetAhead:
		if !q.loose {
			q.open(hole{q.next, uint32(ahead), now}, c)
		}
	default:
		q.late(seq, units, now, c)
		return
	}
	q.next, q.loose = seq+units, false
	q.remember(seq, units)
}

// uncounted says that the datagram just taken had more units than were given.
func (q *sequence) uncounted() { q.loose = true }

// late accounts for a number that is not ahead.
func (q *sequence) late(seq, units uint32, now tables.Time, c *tables.Exporter) {
	if units == 0 {
		return // an IPFIX message without data records takes no number
	}
	for i := 0; i < min(q.seen, recentSize); i++ {
		if q.recent[i] == seq {
			c.Duplicates += int64(units)
			return
		}
	}
	for i := 0; i < q.nholes; i++ {
		h := q.holes[i]
		before := seq - h.from
		if before >= h.count {
			continue
		}
		filled := min(units, h.count-before)
		c.Reordered += int64(filled)
		q.close(i)
		if before > 0 {
			q.open(hole{h.from, before, h.since}, c)
		}
		if after := h.count - before - filled; after > 0 {
			q.open(hole{seq + filled, after, h.since}, c)
		}
		q.remember(seq, units)
		return
	}
	q.stray, q.strayNext, q.strayUnits, q.straySince = true, seq+units, units, now
}

func (q *sequence) remember(seq, units uint32) {
	if units > 0 {
		q.recent[q.seen%recentSize] = seq
		q.seen++
	}
}

// restart counts a new start; what is still open will not come.
func (q *sequence) restart(c *tables.Exporter) {
	c.Resets++
	q.settle(1<<62, c)
	q.seen, q.loose = 0, false
}

// open adds a hole; with too many, the oldest is settled.
func (q *sequence) open(h hole, c *tables.Exporter) {
	if q.nholes == maxHoles {
		q.lose(0, c)
	}
	q.holes[q.nholes] = h
	q.nholes++
}

func (q *sequence) close(i int) {
	copy(q.holes[i:], q.holes[i+1:q.nholes])
	q.nholes--
}

func (q *sequence) lose(i int, c *tables.Exporter) {
	c.Gaps++
	c.Missing += int64(q.holes[i].count)
	q.close(i)
}

// settle counts as missing what was passed over more than holeTime before now,
// and takes a lone datagram that fitted nowhere for a new start.
func (q *sequence) settle(now tables.Time, c *tables.Exporter) {
	for i := 0; i < q.nholes; {
		if now-q.holes[i].since >= holeTime {
			q.lose(i, c)
		} else {
			i++
		}
	}
	if q.stray && now-q.straySince >= holeTime {
		q.stray = false
		q.next = q.strayNext
		q.restart(c)
	}
}
