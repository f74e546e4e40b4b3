package settle

import (
	"cmp"
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
// Metered conversations are never divided nor joined: the meter saw the
// packets, and packets carry its ids.
type known struct {
	Key
	next          *known // of the same cid
	pieces        []piece
	metered       []*Metered
	spans         []span
	conversations []*Conversation
	// from and to bound what may touch it of what is stored; round is when
	// that was last asked for.
	from, to tables.Time
	round    int
	grown    bool // since it was asked
	hit      bool // something stored may touch it

	// Room for the usual: two rows, which are a conversation.
	two     [2]piece
	one     Conversation
	oneSpan [1]span
	oneList [1]*Conversation
}

// span is a time of exporters' rows without an idle silence.
type span struct {
	from, to      tables.Time
	first, last   int             // its pieces
	conversations []*Conversation // one without a metered twin, else its twins by start
}

// Conversation is one being put together.
type Conversation struct {
	id       tables.ID
	metered  *Metered
	pieces   []piece
	from, to tables.Time // of the pieces; of the metered rows when there is none
	stored   []*Stored   // what earlier runs wrote of it
}

func (k *known) add(p *piece) {
	if k.pieces == nil {
		k.pieces = k.two[:0]
	}
	k.pieces = append(k.pieces, *p)
}

// bounds returns the first and last instant of all that is known.
func (k *known) bounds() (from, to tables.Time) {
	from, to = tables.OpenEnd, noTime
	for i := range k.pieces {
		from, to = min(from, k.pieces[i].ts), max(to, k.pieces[i].end)
	}
	for _, m := range k.metered {
		from, to = min(from, m.row.TS), max(to, m.row.TSEnd)
	}
	return from, to
}

// resolve divides what is known into conversations.
func (k *known) resolve() {
	sortPieces(k.pieces)
	k.spans, k.conversations = k.oneSpan[:0], k.oneList[:0]
	idle := k.idle()
	for i := range k.pieces {
		p := &k.pieces[i]
		if n := len(k.spans); n == 0 || p.ts-k.spans[n-1].to >= idle {
			k.spans = append(k.spans, span{from: p.ts, to: p.end, first: i})
		}
		at := &k.spans[len(k.spans)-1]
		at.to, at.last = max(at.to, p.end), i+1
	}
	if len(k.metered) == 0 && len(k.spans) == 1 {
		at := &k.spans[0]
		k.one = Conversation{pieces: k.pieces, from: at.from, to: at.to}
		k.conversations = append(k.conversations, &k.one)
		at.conversations = k.conversations
		k.one.name(k.cid)
		return
	}
	twins := make([]*Conversation, 0, len(k.metered))
	for _, m := range k.metered {
		twins = append(twins, &Conversation{id: m.row.ConnID, metered: m, from: m.row.TS, to: m.row.TSEnd})
	}
	slices.SortFunc(twins, func(a, b *Conversation) int {
		return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.id, b.id))
	})
	k.conversations = slices.Clone(twins)
	for i := range k.spans {
		at := &k.spans[i]
		for _, c := range twins {
			if c.metered.row.TS-Skew <= at.to && at.from <= c.metered.row.TSEnd+Skew {
				at.conversations = append(at.conversations, c)
			}
		}
		if at.conversations == nil {
			alone := &Conversation{from: at.from, to: at.to, pieces: k.pieces[at.first:at.last:at.last]}
			at.conversations = []*Conversation{alone}
			k.conversations = append(k.conversations, alone)
			continue
		}
		for i := at.first; i < at.last; i++ {
			c := k.assign(k.pieces[i].ts, k.pieces[i].end)
			c.pieces = append(c.pieces, k.pieces[i])
		}
	}
	for _, c := range k.conversations {
		c.name(k.cid)
	}
}

// assign returns the conversation of a row that is known.
func (k *known) assign(ts, end tables.Time) *Conversation {
	n := sort.Search(len(k.spans), func(i int) bool { return k.spans[i].from > ts })
	twins := k.spans[max(n-1, 0)].conversations
	if len(twins) == 1 {
		return twins[0]
	}
	var best *Conversation
	var bestGap, bestStart tables.Time
	for _, c := range twins {
		m := &c.metered.row
		gap, start := max(m.TS-end, ts-m.TSEnd, 0), max(m.TS-ts, ts-m.TS)
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

// name gives the conversation its id: as it was metered, else as an earlier run
// called the part of it that began first, else by its first row.
func (c *Conversation) name(cid uint64) {
	for i := range c.pieces {
		c.from, c.to = min(c.from, c.pieces[i].ts), max(c.to, c.pieces[i].end)
	}
	if c.metered != nil {
		return
	}
	for i := range c.pieces {
		if c.pieces[i].was != 0 {
			c.id = c.pieces[i].was
			return
		}
	}
	c.id = exporterConnID(&c.pieces[0], cid)
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
			wait = max(wait, min(c.pieces[i].longest, longestWait))
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
