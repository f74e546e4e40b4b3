package engine

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// strand is a direction of a TCP conversation as one text, with zeros for what is missing.
type strand struct {
	parts  []*heard
	data   []byte
	base   uint32    // number of its first byte
	have   []stretch // of data, in order
	differ []stretch // what came twice, and not the same: the first so many
	starts []started // where packets begin, in order of time
	pieces []piece   // which packet had a byte first, in order of place
	ended  bool      // the end is known
	held   int
}

// stretch is from a place up to another.
type stretch struct{ from, to int }

func (s stretch) holds(at int) bool { return s.from <= at && at < s.to }

// started is where in data a packet's bytes lie.
type started struct {
	id tables.ID
	stretch
}

// piece is what a packet was the first to bring; ack is how far it says the other direction came.
type piece struct {
	stretch
	ack    uint32
	hasAck bool
}

// maxStretches is how torn a text may be: what lacks is looked for among them.
const maxStretches = 1 << 14

var errTorn = errors.New("its conversation has too many gaps")

func (s *strand) add(p *heard, limit int) error {
	if s.held += len(p.payload); s.held/2 > limit {
		return errTooLong
	}
	s.parts = append(s.parts, p)
	return nil
}

// finish puts the segments where their numbers say. Of bytes that came twice the first count,
// as when they are followed.
func (s *strand) finish(ctx context.Context) error {
	if len(s.parts) == 0 {
		return nil
	}
	first := s.parts[0].seq
	low := int64(0) // numbers wrap: order is by signed difference (RFC 9293 3.4)
	for _, p := range s.parts {
		if p.flags&tables.TCPSyn != 0 {
			low = int64(int32(p.seq - first))
			break
		}
		low = min(low, int64(int32(p.seq-first)))
	}
	s.base = first + uint32(low)
	// Farther on is no segment of this text.
	most := int64(2*s.held) + 1<<20
	end, fin := int64(0), int64(-1)
	at := make([]int64, len(s.parts))
	for i, p := range s.parts {
		at[i] = int64(int32(p.seq-first)) - low
		if n := at[i] + int64(len(p.payload)+p.lost); n <= most {
			if end = max(end, n); p.flags&tables.TCPFin != 0 {
				fin = n
			}
		}
	}
	s.ended = fin == end
	s.data = make([]byte, end)
	for i, p := range s.parts {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		from, to := int(max(at[i], 0)), int(min(at[i]+int64(len(p.payload)), int64(len(s.data))))
		if from >= to {
			continue
		}
		s.starts = append(s.starts, started{p.id, stretch{from, to}})
		s.put(p.payload[from-int(at[i]):to-int(at[i])], from, p)
		if len(s.have) > maxStretches {
			return errTorn
		}
	}
	s.parts = nil
	slices.SortFunc(s.pieces, func(a, b piece) int { return cmp.Compare(a.from, b.from) })
	return nil
}

// put writes what is not there yet, and looks whether what is there is the same.
func (s *strand) put(b []byte, from int, p *heard) {
	to := from + len(b)
	i, _ := slices.BinarySearchFunc(s.have, from, func(h stretch, at int) int { return cmp.Compare(h.to, at) })
	j, whole := i, stretch{from, to}
	for at := from; at < to; j++ {
		next := to
		if j < len(s.have) && s.have[j].from < to {
			next = s.have[j].from
		}
		if at < next {
			copy(s.data[at:next], b[at-from:])
			if p != nil {
				s.pieces = append(s.pieces, piece{stretch{at, next}, p.ack, p.flags&tables.TCPAck != 0})
			}
		}
		if j >= len(s.have) || s.have[j].from > to || s.have[j].from == to && next == to {
			break
		}
		if p != nil {
			s.compare(b, from, stretch{max(from, s.have[j].from), min(to, s.have[j].to)})
		}
		at = s.have[j].to
		whole = stretch{min(whole.from, s.have[j].from), max(whole.to, s.have[j].to)}
	}
	s.have = slices.Replace(s.have, i, j, whole)
}

// compare notes bytes that are others than those which were there before.
func (s *strand) compare(b []byte, from int, both stretch) {
	if len(b) == 1 || len(s.differ) > maxLacks { // one byte, again, asks whether somebody is there (RFC 9293 3.8.4)
		return
	}
	d := stretch{-1, -1}
	for at := both.from; at < both.to; at++ {
		if s.data[at] != b[at-from] {
			if d.to = at + 1; d.from < 0 {
				d.from = at
			}
		}
	}
	if d.from >= 0 {
		s.differ = append(s.differ, d)
	}
}

// lacking tells what is missing of a part, in places from its beginning on, and what of it is
// in doubt.
func (s *strand) lacking(c *content, from, to int) {
	at := from
	i, _ := slices.BinarySearchFunc(s.have, from, func(h stretch, at int) int { return cmp.Compare(h.to, at) })
	for ; at < to; i++ {
		h := stretch{to, to}
		if i < len(s.have) {
			h = s.have[i]
		}
		if end := min(h.from, to, len(s.data)); at < end {
			c.lack("%s missing from byte %d on", quantity(int64(end-at), "byte"), at-from)
		}
		at = max(at, h.to)
	}
	for _, d := range s.differ {
		if d.from < to && from < d.to {
			c.lack("%s from byte %d on came twice, and not the same: those that came first are there", quantity(int64(min(d.to, to)-max(d.from, from)), "byte"), max(d.from, from)-from)
		}
	}
}

// whole tells of a part that all of it is there and in no doubt.
func (s *strand) whole(from, to int) bool {
	var c content
	s.lacking(&c, from, to)
	return len(c.lacks) == 0
}

// of is where a packet's bytes lie.
func (s *strand) of(id tables.ID) (list []stretch) {
	for _, p := range s.starts {
		if p.id == id {
			list = append(list, p.stretch)
		}
	}
	return list
}

func inPacket(list []stretch, at int) bool {
	return slices.ContainsFunc(list, func(s stretch) bool { return s.holds(at) })
}

// heardOf tells of the byte at a place that who sent it had heard the other direction up to
// behind another place; so it does when that is not known.
func (s *strand) heardOf(at int, other *strand, place int) bool {
	i, ok := slices.BinarySearchFunc(s.pieces, at, func(p piece, at int) int { return cmp.Compare(p.from, at) })
	if !ok {
		i--
	}
	if i < 0 || !s.pieces[i].holds(at) || !s.pieces[i].hasAck {
		return true
	}
	return int64(int32(s.pieces[i].ack-other.base)) > int64(place)
}
