package settle

import (
	"slices"
	"sort"

	"github.com/wiresql/wiresql/tables"
)

// known is all that is known in a run of one key: what exporters reported, and
// what was metered. resolve divides it into conversations, by these rules, in
// which the order the rows came in plays no part:
//
//  1. Exporters' rows, of whatever observer and direction, with a silence
//     shorter than the idle time between them are one span.
//  2. A span that overlaps no metered conversation, give or take the skew, is a
//     conversation of its own.
//  3. A span that overlaps one belongs to it, to its last row.
//  4. Of a span that overlaps several, each row goes to the one it overlaps; of
//     several, to that with the nearest start; of none, to the nearest one.
//
// Metered conversations are never divided: the meter saw the packets. What
// several sensors metered is put together first; see sensors.
//
// There are millions of them, so it has no pointers, and room for the usual: two
// rows at most, which are one conversation.
type known struct {
	Key
	two [2]piece
	id  tables.ID // of the one conversation
	// from and to bound what may touch it of what is stored; round is when
	// that was last asked for.
	from, to tables.Time
	next     int32 // of the same cid; -1: none
	several  int32 // Book.several, from 1 on; 0: the usual
	fold     int32 // Book.into, from 1 on: the fold that the one conversation is in
	round    int16
	n        int8 // pieces in two
	grown    bool // since it was asked
	hit      bool // something stored may touch it
}

// several is what is known of a key when that is not the usual.
type several struct {
	pieces        []piece
	metered       []*Metered
	spans         []span
	conversations []*Conversation
}

// span is a time of exporters' rows without an idle silence.
type span struct {
	from, to      tables.Time
	first, last   int             // its pieces
	conversations []*Conversation // one without a metered twin, else its twins by start
}

// Conversation is one being put together.
type Conversation struct {
	id          tables.ID
	metered     *Metered    // by the sensor that leads
	others      []*Metered  // by other sensors
	first, last tables.Time // of what was metered
	pieces      []piece
	from, to    tables.Time        // of all
	stored      []*Stored          // what earlier runs wrote of it
	row         *tables.Connection // made early when it decides when it begins
	fold        *Conversation      // that it is in; it has no connection then
	saw         []name             // of a fold: who reported attempts that are in it
}

// add adds a piece to what is known.
func (b *Book) add(k *known, p *piece) {
	if k.several == 0 && int(k.n) < len(k.two) {
		k.two[k.n] = *p
		k.n++
		return
	}
	s := b.widen(k)
	s.pieces = append(s.pieces, *p)
}

// widen makes room for what is not usual.
func (b *Book) widen(k *known) *several {
	if k.several == 0 {
		b.several = append(b.several, &several{pieces: slices.Clone(k.two[:k.n])})
		k.several = int32(len(b.several))
	}
	return b.several[k.several-1]
}

func (b *Book) pieces(k *known) []piece {
	if k.several == 0 {
		return k.two[:k.n]
	}
	return b.several[k.several-1].pieces
}

func (b *Book) metered(k *known) []*Metered {
	if k.several == 0 {
		return nil
	}
	return b.several[k.several-1].metered
}

// conversations tells how many a key has, and conversation is one of them, until
// the next is made in the same room.
func (b *Book) conversations(k *known) int {
	if k.several == 0 {
		return 1
	}
	return len(b.several[k.several-1].conversations)
}

func (b *Book) conversation(k *known, n int, room *Conversation) *Conversation {
	if k.several > 0 {
		return b.several[k.several-1].conversations[n]
	}
	*room = Conversation{id: k.id, pieces: k.two[:k.n], from: k.two[0].ts, to: k.two[0].end}
	if k.n > 1 { // in the order of time
		room.to = max(room.to, k.two[1].end)
	}
	if k.fold > 0 {
		room.fold = b.into[k.fold-1]
	}
	return room
}

// bounds returns the first and last instant of all that is known.
func (b *Book) bounds(k *known) (from, to tables.Time) {
	from, to = tables.OpenEnd, noTime
	for _, p := range b.pieces(k) {
		from, to = min(from, p.ts), max(to, p.end)
	}
	for _, m := range b.metered(k) {
		from, to = min(from, m.row.TS), max(to, m.row.TSEnd)
	}
	return from, to
}

// resolve divides what is known into conversations.
func (b *Book) resolve(k *known) {
	if k.several == 0 {
		list := k.two[:k.n]
		b.texts.sort(list)
		if k.n == 1 || list[1].ts-list[0].end < k.idle() {
			k.id = b.texts.idOf(list, k.cid)
			return
		}
	}
	s := b.widen(k)
	b.texts.sort(s.pieces)
	b.divide(s, k.idle())
	for _, c := range s.conversations {
		for i := range c.pieces {
			c.from, c.to = min(c.from, c.pieces[i].ts), max(c.to, c.pieces[i].end)
		}
		if c.metered == nil {
			c.id = b.texts.idOf(c.pieces, k.cid)
		}
	}
}

// divide divides pieces that are in the order of time.
func (b *Book) divide(s *several, idle tables.Time) {
	s.spans, s.conversations = s.spans[:0], nil
	for i := range s.pieces {
		p := &s.pieces[i]
		if n := len(s.spans); n == 0 || p.ts-s.spans[n-1].to >= idle {
			s.spans = append(s.spans, span{from: p.ts, to: p.end, first: i})
		}
		at := &s.spans[len(s.spans)-1]
		at.to, at.last = max(at.to, p.end), i+1
	}
	twins := b.sensors(s.metered, idle)
	s.conversations = slices.Clone(twins)
	for i := range s.spans {
		at := &s.spans[i]
		for _, c := range twins {
			if c.first-Skew <= at.to && at.from <= c.last+Skew {
				at.conversations = append(at.conversations, c)
			}
		}
		if at.conversations == nil {
			alone := &Conversation{from: at.from, to: at.to, pieces: s.pieces[at.first:at.last:at.last]}
			at.conversations = []*Conversation{alone}
			s.conversations = append(s.conversations, alone)
			continue
		}
		for i := at.first; i < at.last; i++ {
			c := s.assign(s.pieces[i].ts, s.pieces[i].end)
			c.pieces = append(c.pieces, s.pieces[i])
		}
	}
}

// assign returns the conversation of a row of a key, as conversation does.
func (b *Book) assign(r *Row, room *Conversation) *Conversation {
	k := b.known.at(r.known)
	if k.several == 0 {
		return b.conversation(k, 0, room)
	}
	return b.several[k.several-1].assign(r.ts, r.end)
}

// assign returns the conversation of a row that is known.
func (s *several) assign(ts, end tables.Time) *Conversation {
	n := sort.Search(len(s.spans), func(i int) bool { return s.spans[i].from > ts })
	twins := s.spans[max(n-1, 0)].conversations
	if len(twins) == 1 {
		return twins[0]
	}
	var best *Conversation
	var bestGap, bestStart tables.Time
	for _, c := range twins {
		gap, start := max(c.first-end, ts-c.last, 0), max(c.first-ts, ts-c.first)
		if gap <= Skew {
			gap = 0
		}
		// Nearness of the start counts among those it overlaps only.
		if best == nil || gap < bestGap || gap == 0 && bestGap == 0 && start < bestStart {
			best, bestGap, bestStart = c, gap, start
		}
	}
	return best
}

// idOf is the id of a conversation nobody metered: as an earlier run called the
// part of it that began first, else by its first row.
func (t *texts) idOf(pieces []piece, cid uint64) tables.ID {
	for i := range pieces {
		if pieces[i].was != 0 {
			return pieces[i].was
		}
	}
	return t.exporterConnID(&pieces[0], cid)
}

// mayGoOn tells whether rows of the conversation may still come. An exporter
// reports a long one in rows as long as its active timeout; after one such row,
// the next is due as long after it.
func (c *Conversation) mayGoOn(idle, cutoff tables.Time) bool {
	wait := idle
	if c.ended() {
		wait = Slack
	} else {
		for i := range c.pieces {
			wait = max(wait, min(tables.Time(c.pieces[i].longest), longestWait))
		}
	}
	return c.to+wait > cutoff
}

// longestWait is the longest active timeout that is waited for.
const longestWait = 3600 * tables.Time(1e6)

// ended tells a TCP conversation of which only stragglers are to be expected:
// somebody reported a reset, or the end of each direction that was seen. No
// other protocol's rows have flags.
func (c *Conversation) ended() bool {
	flags, seen := [2]int32{}, [2]bool{}
	for i := range c.pieces {
		for side, f := range c.pieces[i].flags {
			seen[side] = seen[side] || c.pieces[i].has[side]
			flags[side] |= max(f, 0)
		}
	}
	if (flags[0]|flags[1])&tables.TCPRst != 0 {
		return true
	}
	return (!seen[0] || flags[0]&tables.TCPFin != 0) && (!seen[1] || flags[1]&tables.TCPFin != 0)
}
