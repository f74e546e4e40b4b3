package compact

import (
	"cmp"
	"slices"
	"sort"

	"github.com/wiresql/wiresql/tables"
)

// subject is all that is known in a run between two ends: what exporters
// reported, and what was metered. resolve divides it into conversations, by
// these rules, in which the order the rows came in plays no part:
//
//  1. Exporters' rows, of whatever observer and direction, with a silence
//     shorter than the idle time between them are one span.
//  2. A span that overlaps no metered conversation, give or take the skew, is a
//     conversation of its own.
//  3. A span that overlaps one belongs to it, to its last row.
//  4. Of a span that overlaps several, each row goes to the one it overlaps; of
//     several, to that with the nearest start; of none, to the nearest one.
//
// Metered conversations are never divided nor joined: the meter saw the
// packets, and packets carry its ids.
type subject struct {
	ends
	next    *subject // of the same cid
	pieces  []piece
	metered []*conversation
	spans   []span
	talks   []*talk
	// from and to bound what may touch it of what is stored.
	from, to tables.Time
	hit      bool // something stored may

	// Room for the usual: two rows, which are a conversation.
	two      [2]piece
	one      talk
	oneSpan  [1]span
	oneTalks [1]*talk
}

// span is a stretch of exporters' rows without an idle silence.
type span struct {
	from, to    tables.Time
	first, last int     // its pieces
	talks       []*talk // one without a metered twin, else its twins by start
}

// talk is a conversation being put together.
type talk struct {
	id       tables.ID
	metered  *conversation
	pieces   []piece
	from, to tables.Time // of the pieces; of the metered rows when there is none
	stored   []*stored   // what earlier runs wrote of it
}

func (s *subject) add(p *piece) {
	if s.pieces == nil {
		s.pieces = s.two[:0]
	}
	s.pieces = append(s.pieces, *p)
}

// bounds returns the first and last instant of all that is known.
func (s *subject) bounds() (from, to tables.Time) {
	from, to = tables.OpenEnd, noTime
	for i := range s.pieces {
		from, to = min(from, s.pieces[i].ts), max(to, s.pieces[i].end)
	}
	for _, c := range s.metered {
		from, to = min(from, c.row.TS), max(to, c.row.TSEnd)
	}
	return from, to
}

// resolve divides the subject into talks.
func (s *subject) resolve() {
	sortPieces(s.pieces)
	s.spans, s.talks = s.oneSpan[:0], s.oneTalks[:0]
	idle := s.idle()
	for i := range s.pieces {
		p := &s.pieces[i]
		if n := len(s.spans); n == 0 || p.ts-s.spans[n-1].to >= idle {
			s.spans = append(s.spans, span{from: p.ts, to: p.end, first: i})
		}
		at := &s.spans[len(s.spans)-1]
		at.to, at.last = max(at.to, p.end), i+1
	}
	if len(s.metered) == 0 && len(s.spans) == 1 {
		at := &s.spans[0]
		s.one = talk{pieces: s.pieces, from: at.from, to: at.to}
		s.talks = append(s.talks, &s.one)
		at.talks = s.talks
		s.one.settleID(s.cid)
		return
	}
	twins := make([]*talk, 0, len(s.metered))
	for _, c := range s.metered {
		twins = append(twins, &talk{id: c.row.ConnID, metered: c, from: c.row.TS, to: c.row.TSEnd})
	}
	slices.SortFunc(twins, func(a, b *talk) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.id, b.id))
	})
	s.talks = slices.Clone(twins)
	for i := range s.spans {
		at := &s.spans[i]
		for _, t := range twins {
			if t.metered.row.TS-skew <= at.to && at.from <= t.metered.row.TSEnd+skew {
				at.talks = append(at.talks, t)
			}
		}
		if at.talks == nil {
			alone := &talk{from: at.from, to: at.to, pieces: s.pieces[at.first:at.last:at.last]}
			at.talks = []*talk{alone}
			s.talks = append(s.talks, alone)
			continue
		}
		for i := at.first; i < at.last; i++ {
			t := s.assign(s.pieces[i].ts, s.pieces[i].end)
			t.pieces = append(t.pieces, s.pieces[i])
		}
	}
	for _, t := range s.talks {
		t.settleID(s.cid)
	}
}

// assign returns the talk of a row that is part of the subject.
func (s *subject) assign(ts, end tables.Time) *talk {
	n := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].from > ts })
	twins := s.spans[max(n-1, 0)].talks
	if len(twins) == 1 {
		return twins[0]
	}
	var best *talk
	var bestGap, bestStart tables.Time
	for _, t := range twins {
		m := &t.metered.row
		gap, start := max(m.TS-end, ts-m.TSEnd, 0), max(m.TS-ts, ts-m.TS)
		if gap <= skew {
			gap = 0
		}
		// Nearness of the start counts among those it overlaps only.
		if best == nil || gap < bestGap || gap == 0 && bestGap == 0 && start < bestStart {
			best, bestGap, bestStart = t, gap, start
		}
	}
	return best
}

// settleID names the talk: as it was metered, else as an earlier run called
// the part of it that began first, else by its first row.
func (t *talk) settleID(cid uint64) {
	for i := range t.pieces {
		t.from, t.to = min(t.from, t.pieces[i].ts), max(t.to, t.pieces[i].end)
	}
	if t.metered != nil {
		return
	}
	for i := range t.pieces {
		if t.pieces[i].was != 0 {
			t.id = t.pieces[i].was
			return
		}
	}
	t.id = exporterConnID(&t.pieces[0], cid)
}
