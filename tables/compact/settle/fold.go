package settle

import (
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// A fold (tables.Flow.FlowsFolded) is a sensor's row for conversations to a server's
// port that it does not tell apart: a SYN or a datagram each that nobody answered. It has none of
// their ends, so that what exporters report of them does not meet it by its key. But
// what a sensor saw of a conversation is a row of its own or in a fold: an attempt that
// exporters alone have a row of, while the fold went on, is in it. It has no connection
// of its own then, its rows are of the fold's, and that says that they saw it. The
// sensor counts, as it does of all it was there for.

// place is the port of a server.
type place struct {
	addr     tables.Addr
	port     int32
	protocol int32
}

// period is a time, both ends included.
type period struct{ from, to tables.Time }

func (p period) meets(from, to tables.Time) bool { return p.from-Skew <= to && from <= p.to+Skew }

// folding is what a book knows of folds.
type folding struct {
	// LookForFolds: stored ones are asked for, too.
	LookForFolds bool

	at    map[Key][]period // that are in the book, or stored
	fresh []period         // that are new rows
	asked map[Key]period   // when attempts were that they may have
	cids  map[place]uint64
	into  []*Conversation // that attempts are in; see known.fold
}

// attempt is who sent the one SYN, or datagram, without an answer that a piece is of.
func (p *piece) attempt(protocol int32) (client uint8, ok bool) {
	client = p.source
	return client, p.count[client].packets == 1 && p.count[1-client].packets == 0 &&
		(protocol == tables.ProtocolUDP || p.flags[client] >= 0 && p.flags[client]&^(tables.TCPEce|tables.TCPCwr) == tables.TCPSyn)
}

// mayFold tells the protocols that sensors fold.
func mayFold(protocol int32) bool {
	return protocol == tables.ProtocolTCP || protocol == tables.ProtocolUDP
}

// foldKey is that of the folds of a server's port.
func (b *Book) foldKey(site name, protocol int32, server tables.Addr, port int32) Key {
	from, at := tables.Unspecified(server), place{server, port, protocol}
	cid, ok := b.cids[at]
	if !ok {
		if b.cids == nil {
			b.cids = map[place]uint64{}
		}
		cid = tables.CID(from, server, 0, uint16(port), uint8(protocol))
		b.cids[at] = cid
	}
	return Key{site: site, protocol: protocol, low: from, high: server, highPort: port, cid: cid}
}

// foldOf is the key of the folds that may have what is known of a key; false if none
// can: a sensor has rows of its own, or it is no attempt that one folds.
func (b *Book) foldOf(k *known) (key Key, ok bool) {
	if !mayFold(k.protocol) || k.tunnelType != 0 || k.tunnelID != 0 || len(b.metered(k)) > 0 {
		return key, false
	}
	list := b.pieces(k)
	for i := range list {
		if client, ok := list[i].attempt(k.protocol); !ok || client != list[0].source {
			return key, false
		}
	}
	if len(list) == 0 {
		return key, false
	}
	client, server, port := k.low, k.high, k.highPort
	if list[0].source == 1 {
		client, server, port = k.high, k.low, k.lowPort
	}
	if d := tables.Direction(client, server); d != tables.Inbound && d != tables.External {
		return key, false
	}
	return b.foldKey(k.site, k.protocol, server, port), true
}

// noteFold notes when there was a fold.
func (b *Book) noteFold(site string, protocol int32, server tables.Addr, port int32, p period) {
	if b.folding.at == nil {
		b.folding.at = map[Key][]period{}
	}
	key := b.foldKey(b.texts.name(site), protocol, server, port)
	if list := b.folding.at[key]; !slices.Contains(list, p) {
		b.folding.at[key] = append(list, p)
	}
}

// Fold takes in a fold that another book writes: attempts that are in it have no
// connection, and Saw tells who saw them.
func (b *Book) Fold(f *tables.Flow) { b.flow(f, "", true).elsewhere = true }

// elsewhere tells whether another book writes the connection.
func (c *Conversation) elsewhere() bool {
	return c.metered != nil && (c.metered.elsewhere || slices.ContainsFunc(c.others, func(m *Metered) bool { return m.elsewhere }))
}

// FoldsMeet tells whether a time is one of which stored attempts may be in folds
// that are new.
func (b *Book) FoldsMeet(from, to tables.Time) bool {
	return slices.ContainsFunc(b.fresh, func(p period) bool { return p.meets(from, to) })
}

// AttemptColumns are the columns of a connection that Attempt reads.
var AttemptColumns = append(slices.Clone(ConnectionColumns), "sampling_rate")

// Attempt takes in a connection that is stored at a place, if it is of exporters alone
// and may be in a new fold.
func (b *Book) Attempt(r *tables.Connection, place int) {
	if !mayFold(r.Protocol) || r.Visibility != "" || r.FlowsFolded.Set || r.ServerPackets.V != 0 || r.ClientPackets.V > max(r.Sampling.V, 1) {
		return
	}
	key := b.foldKey(b.texts.name(r.Site), r.Protocol, r.Server, r.ServerPort)
	if slices.ContainsFunc(b.folding.at[key], func(p period) bool { return p.meets(r.TS, r.TSEnd) }) {
		b.store(r, place)
	}
}

// askFolds adds to what is asked the stored folds that attempts may be in.
func (b *Book) askFolds(list []Asked) []Asked {
	if !b.LookForFolds {
		return list
	}
	b.asked = map[Key]period{}
	b.known.each(func(_ int32, k *known) {
		key, ok := b.foldOf(k)
		if !ok {
			return
		}
		from, to := b.bounds(k)
		if p, ok := b.asked[key]; ok {
			from, to = min(from, p.from), max(to, p.to)
		}
		b.asked[key] = period{from, to}
	})
	for key, p := range b.asked {
		list = append(list, Asked{key.cid, p.from - Skew, p.to + Skew})
	}
	return list
}

// foundFold tells whether a stored connection is a fold that was asked for.
func (b *Book) foundFold(r *tables.Connection) bool {
	if !r.FlowsFolded.Set || len(b.asked) == 0 {
		return false
	}
	p, ok := b.asked[b.foldKey(b.texts.name(r.Site), r.Protocol, r.Server, r.ServerPort)]
	return ok && p.meets(r.TS, r.TSEnd)
}

// mayBeFolded tells whether some fold may have what is known of a key.
func (b *Book) mayBeFolded(k *known) bool {
	if len(b.folding.at) == 0 {
		return false
	}
	key, ok := b.foldOf(k)
	if !ok {
		return false
	}
	from, to := b.bounds(k)
	return slices.ContainsFunc(b.folding.at[key], func(p period) bool { return p.meets(from, to) })
}

// foldAttempts finds the folds that attempts are in, once all is divided.
func (b *Book) foldAttempts() {
	var room Conversation
	b.known.each(func(_ int32, k *known) {
		if !b.mayBeFolded(k) {
			return
		}
		key, _ := b.foldOf(k)
		at := b.first(key.cid)
		for at >= 0 && b.known.at(at).Key != key {
			at = b.known.at(at).next
		}
		if at < 0 || b.known.at(at).several == 0 {
			return // its rows are gone
		}
		folds := b.several[b.known.at(at).several-1].conversations
		for n := range b.conversations(k) {
			c := b.conversation(k, n, &room)
			c.fold = foldWith(folds, c.from, c.to)
			if c.fold == nil {
				continue
			}
			for i := range c.pieces {
				if saw := c.pieces[i].observer; !slices.Contains(c.fold.saw, saw) {
					c.fold.saw = append(c.fold.saw, saw)
				}
			}
			if k.several == 0 {
				if last := len(b.into) - 1; last < 0 || b.into[last] != c.fold {
					b.into = append(b.into, c.fold)
				}
				k.fold = int32(len(b.into))
			}
		}
	})
}

// foldWith is the fold that went on at a time, of several the nearest by its
// beginning; they are in the order of time.
func foldWith(list []*Conversation, from, to tables.Time) (best *Conversation) {
	for i := len(list) - 1; i >= 0; i-- {
		c := list[i]
		if c.metered == nil || !c.metered.row.FlowsFolded.Set || !(period{c.first, c.last}).meets(from, to) {
			continue
		}
		if best == nil || max(c.first-from, from-c.first) < max(best.first-from, from-best.first) {
			best = c
		}
	}
	return best
}

// is the conversation that rows of it are of.
func (c *Conversation) is() *Conversation {
	if c.fold != nil {
		return c.fold
	}
	return c
}

// Saw are the exporters that reported attempts of folds, by the folds' ids.
func (b *Book) Saw(saw map[ID][]string) {
	for id, m := range b.meters {
		if m.in == nil || m.in.metered != m {
			continue
		}
		for _, o := range m.in.saw {
			saw[id] = append(saw[id], b.texts.of[o])
		}
	}
}

// AlsoSaw adds what other books' Saw told.
func (b *Book) AlsoSaw(saw map[ID][]string) {
	for id, names := range saw {
		if m := b.meters[id]; m != nil && m.in != nil {
			for _, o := range names {
				m.in.saw = append(m.in.saw, b.texts.name(o))
			}
		}
	}
}

// seenFold adds to the observers of a fold those of its attempts, of now and before.
func (b *Book) seenFold(c *Conversation, by string) string {
	names := strings.Split(by, ",")
	for _, o := range c.saw {
		names = append(names, b.texts.of[o])
	}
	for _, before := range c.stored {
		names = append(names, strings.Split(before.Was.SeenBy, ",")...)
	}
	return seenBy(names)
}
