package pcap

import (
	"encoding/binary"
	"math"
	"sort"
)

// untimed is the time that packets without one (pcapng's Simple Packet Blocks)
// have from an offset on. A reader that starts in the middle can't see their
// neighbours, so the layout keeps them.
type untimed struct{ offset, ts int64 }

const (
	// maxUntimed bounds the times kept of a file; after that the last one holds.
	maxUntimed = 1 << 16
	// lookAhead is how far the first time of a file is looked for.
	lookAhead = 64 << 10
)

// untimedAt notes the time of an untimed packet, that of the one before it, and
// returns it.
func (l *Layout) untimedAt(offset, ts int64) int64 {
	n := len(l.untimed)
	if n > 0 && (l.untimed[n-1].ts == ts || n == maxUntimed) {
		return l.untimed[n-1].ts
	}
	l.untimed = append(l.untimed, untimed{offset, ts})
	return ts
}

// untimedTime is the time of an untimed packet at an offset.
func (l *Layout) untimedTime(offset int64) int64 {
	n := sort.Search(len(l.untimed), func(i int) bool { return l.untimed[i].offset > offset })
	if n == 0 {
		return 0
	}
	return l.untimed[n-1].ts
}

// lookAhead finds the first time of a file that begins with an untimed packet. It
// looks at a fixed number of bytes, so that a file is the same however it is read.
func (r *Reader) lookAhead() {
	b := r.in.need(lookAhead)
	if len(b) < 4 || r.sec.u32(b) != blockSimple {
		return
	}
	r.timed = true // or there is none nearby: 0
	b = b[:min(len(b), lookAhead)]
	for len(b) >= blockFrame {
		var rec Record
		size, need, bad := r.sec.ngRecord(b, &rec)
		switch {
		case need > 0 || bad != "":
			return
		case size == 0: // no packet
			total := r.sec.u32(b[4:])
			if total < blockFrame || r.sec.u32(b) == blockSection {
				return
			}
			size = (int(min(total, lookAhead)) + 3) &^ 3
		case !rec.Untimed:
			r.time = rec.TS
			return
		}
		b = b[min(size, len(b)):]
	}
}

func (l *Layout) appendUntimed(b []byte) []byte {
	if len(l.untimed) == 0 {
		return b
	}
	b = binary.AppendUvarint(b, uint64(len(l.untimed)))
	var last untimed
	for _, u := range l.untimed {
		b = binary.AppendUvarint(b, uint64(u.offset-last.offset))
		b = binary.AppendVarint(b, u.ts-last.ts)
		last = u
	}
	return b
}

func (d *varints) untimed() []untimed {
	var list []untimed
	var last untimed
	for range d.uvarint(maxUntimed) {
		delta := d.uvarint(math.MaxInt64)
		if int64(delta) > math.MaxInt64-last.offset {
			d.bad = true
		}
		last.offset += int64(delta)
		last.ts += d.varint()
		if last.ts < 0 || last.ts > maxTime {
			d.bad = true
		}
		if d.bad {
			return nil
		}
		list = append(list, last)
	}
	return list
}
