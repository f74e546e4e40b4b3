package settle

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Book is what one run knows: new rows and all that they touch.
type Book struct {
	texts   texts
	known   slab[known]
	byCID   []int32 // the first known of each cid, where its hash says or behind; -1: none
	several []*several
	meters  map[ID]*Metered
	// torn are metered conversations with pieces that this run does not see.
	torn   map[ID]bool
	stored map[ID]*Stored
	again  []again
	joined []joined
	round  int16 // of asking for what is stored
	folding
	scratch
}

// slab is a list that grows without being copied.
type slab[T any] struct {
	chunks [][]T
	n      int32
}

const slabRows = 4096

func (s *slab[T]) at(i int32) *T { return &s.chunks[i/slabRows][i%slabRows] }

func (s *slab[T]) add() *T {
	if int(s.n) == len(s.chunks)*slabRows {
		s.chunks = append(s.chunks, make([]T, slabRows))
	}
	s.n++
	return s.at(s.n - 1)
}

// each calls fn with all of them.
func (s *slab[T]) each(fn func(i int32, one *T)) {
	for i := range s.n {
		fn(i, s.at(i))
	}
}

// Stored is a conversation an earlier run wrote or carried, which rows of this
// run may change.
type Stored struct {
	ID
	CID   uint64
	Place int // where its connection stands, as Found was told
	TS    tables.Time
	end   tables.Time
	// Was is the connection as it stands there, in the columns that Found reads.
	Was     *tables.Connection
	written bool // else carried
	found   bool // its rows were found
	done    bool // some conversation stands for it
}

// Row is a row of exports and what it takes to tell its conversation.
type Row struct {
	ts, end tables.Time
	known   int32
}

// again is a settled row that was read again.
type again struct {
	Row
	place int32
	flow  tables.ID
	was   tables.ID
}

// joined is a row of a sensor that is settled and was read again, or is young.
type joined struct {
	place int32
	row   tables.Joined // as it stands
	of    *Metered
}

// NewBook returns an empty one.
func NewBook() *Book {
	return &Book{texts: texts{of: []string{""}, numbers: map[string]name{}},
		meters: map[ID]*Metered{}, torn: map[ID]bool{}, stored: map[ID]*Stored{}}
}

// Empty tells that there is nothing in it.
func (b *Book) Empty() bool { return b.known.n == 0 }

// slot is where the first known of a cid stands in byCID, or is to stand.
func (b *Book) slot(cid uint64) *int32 {
	last := len(b.byCID) - 1
	for i := int(cid*0x9e3779b97f4a7c15>>32) & last; ; i = (i + 1) & last {
		if at := b.byCID[i]; at < 0 || b.known.at(at).cid == cid {
			return &b.byCID[i]
		}
	}
}

// first is the first known of a cid, -1 when there is none.
func (b *Book) first(cid uint64) int32 {
	if len(b.byCID) == 0 {
		return -1
	}
	return *b.slot(cid)
}

// of returns what is known of a key, and its number.
func (b *Book) of(key *Key) (*known, int32) {
	if int(b.known.n)*2 >= len(b.byCID) {
		b.byCID = slices.Repeat([]int32{-1}, max(1024, 2*len(b.byCID)))
		b.known.each(func(i int32, k *known) { *b.slot(k.cid) = i }) // the last of a cid is its first
	}
	slot := b.slot(key.cid)
	for i := *slot; i >= 0; {
		k := b.known.at(i)
		if k.Key == *key {
			return k, i
		}
		i = k.next
	}
	k := b.known.add()
	k.Key, k.next, *slot = *key, *slot, b.known.n-1
	return k, *slot
}

// ExportColumns are the columns of a row of exports that a book reads.
var ExportColumns = []string{"ts", "ts_end", "source_type", "observer", "site", "observation_domain_id",
	"src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "protocol_number", "icmp_type", "icmp_code",
	"bytes", "packets", "reverse_bytes", "reverse_packets", "sampling_rate", "tcp_flags_number", "reverse_tcp_flags_number",
	"action", "flow_direction", "in_if", "out_if", "tunnel_type", "tunnel_id", "cid", "flow_id", "conn_id"}

// Export takes in a row that no run has seen yet.
func (b *Book) Export(x *tables.Export) Row {
	key, side := b.texts.exportKey(x)
	p := b.texts.pieceOf(x, side)
	p.was = 0
	k, n := b.of(&key)
	b.add(k, &p)
	return Row{p.ts, p.end, n}
}

// Carried takes in a piece of a conversation that was not over.
func (b *Book) Carried(c *tables.Carried) {
	key, p := b.texts.carriedPiece(c)
	k, _ := b.of(&key)
	b.add(k, &p)
}

// Flow takes in a metered row that no run has seen yet; resolved is the name its
// client had resolved.
func (b *Book) Flow(f *tables.Flow, resolved string) { b.flow(f, resolved, true) }

func (b *Book) flow(f *tables.Flow, resolved string, fresh bool) *Metered {
	id := ID{f.Metered(), f.Site}
	m := b.meters[id]
	if m == nil {
		m = &Metered{}
		key, _ := b.texts.flowKey(f)
		b.meter(id, &key, m)
	}
	if m.Resolved == "" {
		m.Resolved = resolved
	}
	m.fresh = m.fresh || fresh
	m.Add(f)
	if f.FlowsFolded.Set {
		p := period{f.TS, f.TSEnd}
		b.noteFold(f.Site, f.Protocol, f.Dst, f.DstPort, p)
		if fresh {
			b.folding.fresh = append(b.folding.fresh, p)
		}
	}
	return m
}

// Resume takes in what is metered of a conversation that an earlier run may know
// the rest of.
func (b *Book) Resume(m *Metered) {
	r := &m.row
	key, _ := b.texts.key(r.Site, r.CID, r.Client, r.Server, r.ClientPort, r.ServerPort, r.Protocol, m.tunnel, m.tunnelID)
	b.meter(ID{r.ConnID, r.Site}, &key, m)
	m.fresh = true
}

// meter adds what is metered of a conversation.
func (b *Book) meter(id ID, key *Key, m *Metered) {
	k, _ := b.of(key)
	s := b.widen(k)
	s.metered = append(s.metered, m)
	b.meters[id] = m
}

// Asked is a time and a cid: connections of it, stored in that time, may be
// touched.
type Asked struct {
	CID      uint64
	From, To tables.Time
}

// askRounds bounds how often what was found may lead on to more.
const askRounds = 8

// Ask says which stored connections are to be looked for: those that new rows
// may belong to, or stand between. What is found may reach others in turn: it is
// asked again until it says nothing.
func (b *Book) Ask() (asked []Asked) {
	if b.round == 0 {
		for id, m := range b.meters {
			if !m.Whole() {
				b.torn[id] = true
			}
		}
		asked = b.askFolds(asked)
	}
	if b.round++; b.round > askRounds {
		return nil
	}
	b.known.each(func(_ int32, k *known) {
		switch {
		case b.round > 1 && !k.grown:
			return
		case b.round == 1:
			if len(b.metered(k)) == 0 && !slices.ContainsFunc(b.pieces(k), func(p piece) bool { return p.was == 0 }) {
				return
			}
			k.from, k.to = b.bounds(k)
		}
		k.round, k.grown = b.round, false
		reach := k.idle() + Slack
		asked = append(asked, Asked{k.cid, k.from - reach, k.to + reach})
	})
	return asked
}

// Torn lists the conversations whose connection is to be looked for by their id:
// a sensor metered them in several runs.
func (b *Book) Torn() []ID {
	var ids []ID
	for id := range b.torn {
		ids = append(ids, id)
	}
	return ids
}

// ConnectionColumns are the columns of a connection that Found reads: they tell
// whose it is, and when.
var ConnectionColumns = []string{"ts", "ts_end", "site", "client_hi", "client_lo", "server_hi", "server_lo", "client_port", "server_port",
	"protocol_number", "server_name", "visibility", "seen_by", "cid", "conn_id",
	// What of it is counted, and for whom.
	"sensor", "service", "client_bytes", "server_bytes", "client_packets", "server_packets", "profile", "flows_folded"}

// Found takes in a connection that is stored at a place, if it is one that was
// asked for.
func (b *Book) Found(r *tables.Connection, place int) {
	id := ID{r.ConnID, r.Site}
	hit := b.torn[id]
	for i, k := b.first(r.CID), (*known)(nil); i >= 0; i = k.next {
		if k = b.known.at(i); k.round != b.round {
			continue
		}
		touches, grows := b.touches(k, r)
		hit, k.hit = hit || touches, k.hit || touches
		if touches && grows && (r.TS < k.from || r.TSEnd > k.to) {
			k.from, k.to, k.grown = min(k.from, r.TS), max(k.to, r.TSEnd), true
		}
	}
	if b.foundFold(r) {
		hit = true
		b.noteFold(r.Site, r.Protocol, r.Server, r.ServerPort, period{r.TS, r.TSEnd})
	}
	if hit {
		b.store(r, place)
	}
}

// store notes a connection that is stored at a place.
func (b *Book) store(r *tables.Connection, place int) {
	if id := (ID{r.ConnID, r.Site}); b.stored[id] == nil {
		was := *r
		was.Profile = slices.Clone(r.Profile)
		b.stored[id] = &Stored{ID: id, CID: r.CID, TS: r.TS, end: r.TSEnd, Was: &was, Place: place, written: true}
	}
}

// touches tells whether a stored connection may be one with what is new of the
// key, and if so, whether others near to it may be too. A connection has no
// tunnel; if it is another one's, its rows will tell.
func (b *Book) touches(k *known, r *tables.Connection) (touches, grows bool) {
	if r.Site != b.texts.of[k.site] || r.Protocol != k.protocol {
		return false, false
	}
	if !(r.Client == k.low && r.Server == k.high && r.ClientPort == k.lowPort && r.ServerPort == k.highPort) &&
		!(r.Client == k.high && r.Server == k.low && r.ClientPort == k.highPort && r.ServerPort == k.lowPort) {
		return false, false
	}
	reach := k.idle()
	switch metered, several := r.Visibility != "", strings.Contains(r.SeenBy, ","); {
	case metered && len(b.pieces(k)) == 0 && !slices.ContainsFunc(b.metered(k), func(m *Metered) bool { return m.row.Sensor != r.SeenBy }):
		return false, false // the sensor's own; what is torn is found by its id
	case metered && !several && r.Visibility == tables.OneSided && len(b.metered(k)) > 0:
	case metered && several:
		reach += Slack
		grows = true
	case metered:
		reach = Skew + 1
	default:
		grows = true
	}
	return r.TS-k.to < reach && k.from-r.TSEnd < reach, grows
}

// Reread gives carried conversations up to reading their rows again, where what
// was made of several rows is not enough: a sensor may divide them, and a row
// between two makes them one, whose rows must change their id. Near then says
// whose rows are to be read again.
func (b *Book) Reread() {
	b.known.each(func(_ int32, k *known) {
		first, several := tables.ID(0), false
		for _, p := range b.pieces(k) {
			if p.was != 0 && first == 0 {
				first = p.was
			} else if p.was != 0 && p.was != first {
				several = true
			}
		}
		switch {
		case first == 0:
		case k.hit || len(b.metered(k)) > 0 || b.mayBeFolded(k):
			b.giveUp(k, nil)
		case several:
			b.resolve(k)
			joined := map[tables.ID]bool{}
			var room Conversation
			for n := range b.conversations(k) {
				c := b.conversation(k, n, &room)
				for i := range c.pieces {
					if was := c.pieces[i].was; was != 0 && was != c.id {
						joined[was], joined[c.id] = true, true
					}
				}
			}
			if len(joined) > 0 {
				b.giveUp(k, joined)
			}
		}
	})
}

// giveUp drops the carried pieces of some conversations, or all; their rows will
// say the same.
func (b *Book) giveUp(k *known, some map[tables.ID]bool) {
	site, s := b.texts.of[k.site], b.widen(k)
	s.pieces = slices.DeleteFunc(s.pieces, func(p piece) bool {
		if p.was == 0 || some != nil && !some[p.was] {
			return false
		}
		id := ID{p.was, site}
		o := b.stored[id]
		if o == nil {
			o = &Stored{ID: id, CID: k.cid, TS: p.ts, end: p.end}
			b.stored[id] = o
		}
		o.TS, o.end = min(o.TS, p.ts), max(o.end, p.end)
		return true
	})
}

// Near lists what was stored of which rows may lie in a time.
func (b *Book) Near(from, to tables.Time) (near []*Stored) {
	for _, o := range b.stored {
		if to >= o.TS-Slack && from <= o.end+Slack {
			near = append(near, o)
		}
	}
	return near
}

// ExportAgain takes in a settled row, if it is one of what was stored; place is
// where it stands.
func (b *Book) ExportAgain(x *tables.Export, place int) {
	o := b.stored[ID{x.ConnID.V, x.Site}]
	if o == nil || !x.ConnID.Set {
		return
	}
	o.found = true
	key, side := b.texts.exportKey(x)
	p := b.texts.pieceOf(x, side)
	k, n := b.of(&key)
	b.add(k, &p)
	b.again = append(b.again, again{Row{p.ts, p.end, n}, int32(place), x.FlowID, p.was})
}

// FlowAgain is ExportAgain of a metered row.
func (b *Book) FlowAgain(f *tables.Flow, place int) {
	o := b.stored[ID{f.Conversation(), f.Site}]
	if o == nil {
		return
	}
	o.found = true
	name := ""
	if o.Was != nil {
		name = o.Was.ServerName
	}
	m := b.flow(f, name, false)
	if !slices.Contains(m.was, o.ConnID) {
		m.was = append(m.was, o.ConnID)
	}
	b.stands(f, place, m)
}

// Young is the place of rows that are not settled.
const Young = -1

// FlowYoung is Flow of a row that Rejoined is to tell of.
func (b *Book) FlowYoung(f *tables.Flow) { b.stands(f, Young, b.flow(f, "", true)) }

func (b *Book) stands(f *tables.Flow, place int, m *Metered) {
	b.joined = append(b.joined, joined{int32(place), tables.Joined{TS: f.TS, FlowID: f.FlowID, ConnID: f.ConnID,
		JoinedID: f.JoinedID, MeteredID: f.MeteredID}, m})
}

// Resolve divides everything into conversations.
func (b *Book) Resolve() {
	b.known.each(func(_ int32, k *known) {
		if len(b.stored) > 0 && slices.ContainsFunc(b.pieces(k), func(p piece) bool { return p.was != 0 }) {
			b.widen(k)
		}
		b.resolve(k)
		if k.several > 0 {
			for _, c := range b.several[k.several-1].conversations {
				b.attach(k, c)
			}
		}
	})
	b.foldAttempts()
}

// attach finds what the conversation stands for of what was stored.
func (b *Book) attach(k *known, c *Conversation) {
	if c.elsewhere() {
		return
	}
	add := func(id tables.ID) {
		if o := b.stored[ID{id, b.texts.of[k.site]}]; o != nil && o.written && o.found && !slices.Contains(c.stored, o) {
			c.stored = append(c.stored, o)
			o.done = true
		}
	}
	if c.metered != nil {
		add(c.id)
		for _, m := range append([]*Metered{c.metered}, c.others...) {
			for _, id := range m.was {
				add(id)
			}
		}
	}
	for i := range c.pieces {
		if c.pieces[i].was != 0 {
			add(c.pieces[i].was)
		}
	}
	// The first to begin names the server.
	slices.SortFunc(c.stored, func(a, b *Stored) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.ConnID, b.ConnID))
	})
}

// AnyOver tells whether a conversation that was carried is over at a time.
func (b *Book) AnyOver(cutoff tables.Time) (any bool) {
	b.known.each(func(_ int32, k *known) {
		if any {
			return
		}
		b.resolve(k)
		var room Conversation
		for n := range b.conversations(k) {
			any = any || !b.conversation(k, n, &room).mayGoOn(k.idle(), cutoff)
		}
	})
	return any
}

// Closing is a conversation whose connection is to be written, or one to be
// carried on.
type Closing struct {
	TS    tables.Time // when the connection begins
	to    tables.Time // the conversation's
	id    tables.ID
	known int32
	n     int32 // conversation of the key
}

// Divide tells what is over at a time, by TS, from what is carried on, of which
// there may be so many pieces: past it, the longest silent are taken to be over.
// A conversation that was metered, or written before, is written at once: its
// row stays true to what is known.
func (b *Book) Divide(cutoff tables.Time, limit int) (over, open []Closing, forced int64) {
	rows := 0
	var room Conversation
	b.known.each(func(i int32, k *known) {
		for n := range b.conversations(k) {
			c := b.conversation(k, n, &room)
			if c.fold != nil || c.elsewhere() {
				continue
			}
			to := Closing{TS: c.from, to: c.to, id: c.id, known: i, n: int32(n)}
			if c.metered != nil {
				row := b.connection(k, c)
				c.row, to.TS = &row, row.TS
			}
			if c.metered != nil || len(c.stored) > 0 || !c.mayGoOn(k.idle(), cutoff) {
				over = append(over, to)
				continue
			}
			b.texts.sort(c.pieces)
			if c.pieces = follow(c.pieces, k.idle()); k.several == 0 {
				k.n = int8(len(c.pieces))
			}
			rows += len(c.pieces)
			open = append(open, to)
		}
	})
	if rows > limit {
		slices.SortFunc(open, func(x, y Closing) int { return cmp.Or(cmp.Compare(x.to, y.to), cmp.Compare(x.id, y.id)) })
		for rows > limit {
			rows -= len(b.conversation(b.known.at(open[0].known), int(open[0].n), &room).pieces)
			over, open = append(over, open[0]), open[1:]
			forced++
		}
	}
	slices.SortFunc(over, func(x, y Closing) int {
		if x.TS != y.TS || x.id != y.id {
			return cmp.Or(cmp.Compare(x.TS, y.TS), cmp.Compare(x.id, y.id))
		}
		return cmp.Compare(b.site(x), b.site(y))
	})
	return over, open, forced
}

func (b *Book) site(o Closing) string { return b.texts.of[b.known.at(o.known).site] }

// Connection is the row of a conversation that is over, and tells whether it
// stands for one that was stored. What it stands for says how the client had
// resolved the server.
func (b *Book) Connection(o Closing) (r tables.Connection, stored bool) {
	var room Conversation
	k := b.known.at(o.known)
	c := b.conversation(k, int(o.n), &room)
	if c.row != nil {
		r = *c.row
	} else {
		r = b.connection(k, c)
	}
	for _, before := range c.stored {
		if r.ServerName == "" {
			r.ServerName = before.Was.ServerName
		}
	}
	return r, len(c.stored) > 0
}

// Carry hands over the pieces of a conversation that is not over.
func (b *Book) Carry(o Closing, fn func(*tables.Carried) error) error {
	var room Conversation
	k := b.known.at(o.known)
	c := b.conversation(k, int(o.n), &room)
	for i := range c.pieces {
		row := b.texts.carry(&c.pieces[i], &k.Key, c.id)
		if err := fn(&row); err != nil {
			return err
		}
	}
	return nil
}

// Done lists the stored connections that others stand for now.
func (b *Book) Done() (done []*Stored) {
	for _, o := range b.stored {
		if o.done {
			done = append(done, o)
		}
	}
	return done
}

// Late counts the new rows of conversations that were stored.
func (b *Book) Late() (rows int64) {
	for _, s := range b.several {
		for _, c := range s.conversations {
			if len(c.stored) == 0 {
				continue
			}
			for i := range c.pieces {
				if c.pieces[i].was == 0 {
					rows += int64(c.pieces[i].rows)
				}
			}
		}
	}
	return rows
}

// Assign says which conversation a row is of, and what of it is metered.
func (b *Book) Assign(r *Row, a *tables.Assigned) {
	var room Conversation
	r.assign(b.assign(r, &room).is(), a)
}

func (r *Row) assign(c *Conversation, a *tables.Assigned) {
	a.TS, a.ConnID, a.Segments, a.CutPackets = r.ts, tables.Some(c.id), nil, tables.Opt[int64]{}
	if c.metered != nil {
		a.Segments, a.CutPackets = c.segments()
	}
}

// Moved hands over the settled rows that belong to another conversation now, or
// to one that was metered on, and the place where each stands.
func (b *Book) Moved(fn func(place int, a *tables.Assigned)) {
	var room Conversation
	for i := range b.again {
		r := &b.again[i]
		c := b.assign(&r.Row, &room).is()
		if c.id != r.was || c.metered != nil && c.fresh() {
			a := tables.Assigned{FlowID: r.flow}
			r.assign(c, &a)
			fn(int(r.place), &a)
		}
	}
}

// Rejoined hands over the rows of sensors that were settled, or are young, and
// stand otherwise in their conversation now than they say, or in another one, and
// the place where each stands.
func (b *Book) Rejoined(fn func(place int, j *tables.Joined)) {
	for i := range b.joined {
		r := &b.joined[i]
		now := tables.Joined{TS: r.row.TS, FlowID: r.row.FlowID}
		now.ConnID, now.JoinedID, now.MeteredID = r.of.ids()
		if now != r.row {
			fn(int(r.place), &now)
		}
	}
}

// Sensors hands over what else than the leading sensor's rows is metered of
// conversations: the id and the site that rows of it have, and those they are to
// have.
func (b *Book) Sensors(fn func(id ID, conn tables.ID, joined, metered tables.Opt[tables.ID])) {
	for id, m := range b.meters {
		if m.fresh && m.role != leads {
			conn, joined, metered := m.ids()
			fn(id, conn, joined, metered)
		}
	}
}

// ids are those of its rows; see tables.Flow.
func (m *Metered) ids() (conn tables.ID, joined, metered tables.Opt[tables.ID]) {
	switch own := m.row.ConnID; m.role {
	case follows:
		return own, tables.Some(m.in.id), metered
	case beside:
		return m.in.id, joined, tables.Some(own)
	default:
		return own, joined, metered
	}
}
