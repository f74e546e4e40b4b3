package settle

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Book is what one run knows: new rows and all that they touch.
type Book struct {
	known   []*known
	byCID   map[uint64]*known
	room    []known // for the next ones
	metered map[ID]*Metered
	// torn are metered conversations with pieces that this run does not see.
	torn   map[ID]bool
	stored map[ID]*Stored
	again  []again
	round  int // of asking for what is stored
}

// Stored is a conversation an earlier run wrote or carried, which rows of this
// run may change.
type Stored struct {
	ID
	CID     uint64
	Place   int // where its connection stands, as Found was told
	TS      tables.Time
	end     tables.Time
	name    string // server_name
	written bool   // else carried
	found   bool   // its rows were found
	done    bool   // some conversation stands for it
}

// Row is a row of exports and what it takes to tell its conversation.
type Row struct {
	known   *known
	ts, end tables.Time
}

// again is a settled row that was read again.
type again struct {
	Row
	flow  tables.ID
	was   tables.ID
	place int
}

// NewBook returns an empty one.
func NewBook() *Book {
	return &Book{byCID: map[uint64]*known{}, metered: map[ID]*Metered{}, torn: map[ID]bool{}, stored: map[ID]*Stored{}}
}

// Empty tells that there is nothing in it.
func (b *Book) Empty() bool { return len(b.known) == 0 }

// of returns what is known of a key.
func (b *Book) of(key *Key) *known {
	first := b.byCID[key.cid]
	for k := first; k != nil; k = k.next {
		if k.Key == *key {
			return k
		}
	}
	if len(b.room) == 0 {
		b.room = make([]known, 256)
	}
	k := &b.room[0]
	b.room = b.room[1:]
	k.Key, k.next = *key, first
	b.byCID[key.cid] = k
	b.known = append(b.known, k)
	return k
}

// ExportColumns are the columns of a row of exports that a book reads.
var ExportColumns = []string{"ts", "ts_end", "source_type", "observer", "site", "observation_domain_id",
	"src_hi", "src_lo", "dst_hi", "dst_lo", "src_port", "dst_port", "protocol_number", "icmp_type", "icmp_code",
	"bytes", "packets", "reverse_bytes", "reverse_packets", "sampling_rate", "tcp_flags_number", "reverse_tcp_flags_number",
	"action", "flow_direction", "in_if", "out_if", "tunnel_type", "tunnel_id", "cid", "flow_id", "conn_id"}

// Export takes in a row that no run has seen yet.
func (b *Book) Export(x *tables.Export) Row {
	key, side := exportKey(x)
	p := pieceOf(x, side)
	p.was = 0
	k := b.of(&key)
	k.add(&p)
	return Row{k, p.ts, p.end}
}

// Carried takes in a piece of a conversation that was not over.
func (b *Book) Carried(c *tables.Carried) {
	key, p := carriedPiece(c)
	b.of(&key).add(&p)
}

// Flow takes in a metered row that no run has seen yet; resolved is the name its
// client had resolved.
func (b *Book) Flow(f *tables.Flow, resolved string) { b.flow(f, resolved, true) }

func (b *Book) flow(f *tables.Flow, resolved string, fresh bool) {
	id := ID{f.ConnID, f.Site}
	m := b.metered[id]
	if m == nil {
		m = &Metered{}
		b.metered[id] = m
		key, _ := flowKey(f)
		k := b.of(&key)
		k.metered = append(k.metered, m)
	}
	if m.Resolved == "" {
		m.Resolved = resolved
	}
	m.fresh = m.fresh || fresh
	m.Add(f)
}

// Resume takes in what is metered of a conversation that an earlier run may know
// the rest of.
func (b *Book) Resume(m *Metered) {
	r := &m.row
	key, _ := makeKey(r.Site, r.CID, r.Client, r.Server, r.ClientPort, r.ServerPort, r.Protocol, m.tunnel, m.tunnelID)
	k := b.of(&key)
	k.metered = append(k.metered, m)
	b.metered[ID{r.ConnID, r.Site}], m.fresh = m, true
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
		for id, m := range b.metered {
			if !m.Whole() {
				b.torn[id] = true
			}
		}
	}
	if b.round++; b.round > askRounds {
		return nil
	}
	for _, k := range b.known {
		switch {
		case b.round > 1 && !k.grown:
			continue
		case b.round == 1:
			if len(k.metered) == 0 && !slices.ContainsFunc(k.pieces, func(p piece) bool { return p.was == 0 }) {
				continue
			}
			k.from, k.to = k.bounds()
		}
		k.round, k.grown = b.round, false
		reach := k.idle() + Slack
		asked = append(asked, Asked{k.cid, k.from - reach, k.to + reach})
	}
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
	"protocol_number", "server_name", "visibility", "seen_by", "cid", "conn_id"}

// Found takes in a connection that is stored at a place, if it is one that was
// asked for.
func (b *Book) Found(r *tables.Connection, place int) {
	id := ID{r.ConnID, r.Site}
	hit := b.torn[id]
	for k := b.byCID[r.CID]; k != nil; k = k.next {
		if k.round != b.round {
			continue
		}
		touches, grows := k.touches(r)
		hit, k.hit = hit || touches, k.hit || touches
		if touches && grows && (r.TS < k.from || r.TSEnd > k.to) {
			k.from, k.to, k.grown = min(k.from, r.TS), max(k.to, r.TSEnd), true
		}
	}
	if hit && b.stored[id] == nil {
		b.stored[id] = &Stored{ID: id, CID: r.CID, TS: r.TS, end: r.TSEnd, name: r.ServerName, Place: place, written: true}
	}
}

// touches tells whether a stored connection may be one with what is new of the
// key, and if so, whether others near to it may be too. A connection has no
// tunnel; if it is another one's, its rows will tell.
func (k *known) touches(r *tables.Connection) (touches, grows bool) {
	if r.Site != k.site || r.Protocol != k.protocol {
		return false, false
	}
	if !(r.Client == k.low && r.Server == k.high && r.ClientPort == k.lowPort && r.ServerPort == k.highPort) &&
		!(r.Client == k.high && r.Server == k.low && r.ClientPort == k.highPort && r.ServerPort == k.lowPort) {
		return false, false
	}
	reach := k.idle()
	switch metered, several := r.Visibility != "", strings.Contains(r.SeenBy, ","); {
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
	for _, k := range b.known {
		first, several := tables.ID(0), false
		for i := range k.pieces {
			if was := k.pieces[i].was; was != 0 && first == 0 {
				first = was
			} else if was != 0 && was != first {
				several = true
			}
		}
		switch {
		case first == 0:
		case k.hit || len(k.metered) > 0:
			b.giveUp(k, nil)
		case several:
			k.resolve()
			joined := map[tables.ID]bool{}
			for _, c := range k.conversations {
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
	}
}

// giveUp drops the carried pieces of some conversations, or all; their rows will
// say the same.
func (b *Book) giveUp(k *known, some map[tables.ID]bool) {
	k.pieces = slices.DeleteFunc(k.pieces, func(p piece) bool {
		if p.was == 0 || some != nil && !some[p.was] {
			return false
		}
		id := ID{p.was, k.site}
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
	key, side := exportKey(x)
	p := pieceOf(x, side)
	k := b.of(&key)
	k.add(&p)
	b.again = append(b.again, again{Row{k, p.ts, p.end}, x.FlowID, p.was, place})
}

// FlowAgain is ExportAgain of a metered row.
func (b *Book) FlowAgain(f *tables.Flow) {
	if o := b.stored[ID{f.ConnID, f.Site}]; o != nil {
		o.found = true
		b.flow(f, o.name, false)
	}
}

// Resolve divides everything into conversations.
func (b *Book) Resolve() {
	for _, k := range b.known {
		k.resolve()
		for _, c := range k.conversations {
			b.attach(k, c)
		}
	}
}

// attach finds what the conversation stands for of what was stored.
func (b *Book) attach(k *known, c *Conversation) {
	add := func(id tables.ID) {
		if o := b.stored[ID{id, k.site}]; o != nil && o.written && o.found && !slices.Contains(c.stored, o) {
			c.stored = append(c.stored, o)
			o.done = true
		}
	}
	if c.metered != nil {
		add(c.id)
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
func (b *Book) AnyOver(cutoff tables.Time) bool {
	for _, k := range b.known {
		k.resolve()
		for _, c := range k.conversations {
			if !c.mayGoOn(k.idle(), cutoff) {
				return true
			}
		}
	}
	return false
}

// Closing is a conversation whose connection is to be written.
type Closing struct {
	TS tables.Time // when the connection begins

	known *known
	c     *Conversation
	row   *tables.Connection // made early when it decides TS
}

// Divide tells what is over at a time, by TS, from what is carried on, of which
// there may be so many pieces: past it, the longest silent are taken to be over.
// A conversation that was metered, or written before, is written at once: its
// row stays true to what is known.
func (b *Book) Divide(cutoff tables.Time, limit int) (over, open []Closing, forced int64) {
	for _, k := range b.known {
		for _, c := range k.conversations {
			to := Closing{TS: c.from, known: k, c: c}
			if c.metered != nil {
				row := c.connection(k)
				to.row, to.TS = &row, row.TS
			}
			if c.metered != nil || len(c.stored) > 0 || !c.mayGoOn(k.idle(), cutoff) {
				over = append(over, to)
				continue
			}
			sortPieces(c.pieces)
			c.pieces = follow(c.pieces, k.idle())
			open = append(open, to)
		}
	}
	rows := 0
	for _, o := range open {
		rows += len(o.c.pieces)
	}
	if rows > limit {
		slices.SortFunc(open, func(a, b Closing) int {
			return cmp.Or(cmp.Compare(a.c.to, b.c.to), cmp.Compare(a.c.id, b.c.id))
		})
		for rows > limit {
			rows -= len(open[0].c.pieces)
			over, open = append(over, open[0]), open[1:]
			forced++
		}
	}
	order := func(a, b Closing) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.c.id, b.c.id), cmp.Compare(a.known.site, b.known.site))
	}
	slices.SortFunc(over, order)
	slices.SortFunc(open, order)
	return over, open, forced
}

// Stored tells whether the connection stands for one that was stored.
func (o *Closing) Stored() bool { return len(o.c.stored) > 0 }

// Connection is its row. What it stands for says how the client had resolved the
// server.
func (o *Closing) Connection() tables.Connection {
	var r tables.Connection
	if o.row != nil {
		r = *o.row
	} else {
		r = o.c.connection(o.known)
	}
	for _, before := range o.c.stored {
		if r.ServerName == "" {
			r.ServerName = before.name
		}
	}
	return r
}

// Carry hands over the pieces of a conversation that is not over.
func (o *Closing) Carry(fn func(*tables.Carried) error) error {
	for i := range o.c.pieces {
		row := o.c.pieces[i].carry(&o.known.Key, o.c.id)
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
	for _, k := range b.known {
		for _, c := range k.conversations {
			if len(c.stored) == 0 {
				continue
			}
			for i := range c.pieces {
				if c.pieces[i].was == 0 {
					rows += c.pieces[i].rows
				}
			}
		}
	}
	return rows
}

// Assign says which conversation a row is of, and what of it is metered.
func (r *Row) Assign(a *tables.Assigned) {
	c := r.known.assign(r.ts, r.end)
	a.TS, a.ConnID, a.Segments, a.CutPackets = r.ts, tables.Some(c.id), nil, tables.Opt[int64]{}
	if c.metered != nil {
		a.Segments, a.CutPackets = c.metered.row.Segments, c.metered.row.CutPackets
	}
}

// Moved hands over the settled rows that belong to another conversation now, or
// to one that was metered on, and the place where each stands.
func (b *Book) Moved(fn func(place int, a *tables.Assigned)) {
	for i := range b.again {
		r := &b.again[i]
		c := r.known.assign(r.ts, r.end)
		if c.id != r.was || c.metered != nil && c.metered.fresh {
			a := tables.Assigned{FlowID: r.flow}
			r.Assign(&a)
			fn(r.place, &a)
		}
	}
}
