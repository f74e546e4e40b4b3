package settle

import (
	"cmp"
	"slices"
	"sort"

	"github.com/wiresql/wiresql/tables"
)

// Sensors that see the same packets each meter them, and number them, for
// themselves. What they metered of a key at one time, give or take the skew of
// their clocks, is one lot; which of it are one conversation is decided by the
// sensor that leads:
//
//  1. A sensor that was there all the time leads, of several the one with the
//     most packets in the lot, of equals the one that divides least, as captures
//     that were cut do, then the first by name. While rows are still
//     to come the one that led before goes on to.
//  2. Each of its conversations is one. Another sensor's belongs to it if they
//     are as many and each overlaps the one of its number, else to that with the
//     nearest start of those it overlaps. What overlaps none is a lot of its own.
//  3. Two that saw one direction each are one though they do not overlap, if no
//     silence divides them: an answer may take its time.
//
// What a sensor metered is never divided, nor joined with more of the same
// sensor but by another that saw no division.

// sensors divides what was metered into conversations, in the order of time.
func (b *Book) sensors(metered []*Metered, idle tables.Time) []*Conversation {
	slices.SortFunc(metered, (*Metered).compare)
	var out []*Conversation
	for len(metered) > 0 {
		n, to := 1, metered[0].row.TSEnd
		for ; n < len(metered) && metered[n].row.TS-Skew <= to; n++ {
			to = max(to, metered[n].row.TSEnd)
		}
		out = b.lot(metered[:n:n], out)
		metered = metered[n:]
	}
	slices.SortFunc(out, (*Conversation).compare)
	if mixed(out) {
		out = complete(out, idle)
	}
	for _, c := range out {
		c.assignRoles()
	}
	return out
}

func (m *Metered) compare(n *Metered) int {
	return cmp.Or(cmp.Compare(m.row.TS, n.row.TS), cmp.Compare(m.row.ConnID, n.row.ConnID), cmp.Compare(m.row.Sensor, n.row.Sensor))
}

func (c *Conversation) compare(d *Conversation) int { return c.metered.compare(d.metered) }

// mixed tells whether more than one sensor leads.
func mixed(list []*Conversation) bool {
	return slices.ContainsFunc(list, func(c *Conversation) bool { return c.metered.row.Sensor != list[0].metered.row.Sensor })
}

// lot divides one lot, which is in the order of time.
func (b *Book) lot(lot []*Metered, out []*Conversation) []*Conversation {
	type sensor struct {
		name     string
		list     []*Metered
		from, to tables.Time
		rank     int
		packets  int64
		led      bool
	}
	var sensors []*sensor
	from, to, whole := tables.OpenEnd, noTime, true
	for _, m := range lot {
		i := slices.IndexFunc(sensors, func(s *sensor) bool { return s.name == m.row.Sensor })
		if i < 0 {
			i = len(sensors)
			sensors = append(sensors, &sensor{name: m.row.Sensor, from: m.row.TS, to: m.row.TSEnd})
		}
		s := sensors[i]
		s.list, s.packets = append(s.list, m), tables.AddCounts(s.packets, m.count())
		s.from, s.to = min(s.from, m.row.TS), max(s.to, m.row.TSEnd)
		if m.row.Sampling.V > 1 {
			s.rank = rankSampled
		}
		o := b.stored[ID{m.row.ConnID, m.row.Site}]
		s.led = s.led || o != nil && o.written
		from, to, whole = min(from, m.row.TS), max(to, m.row.TSEnd), whole && m.Whole()
	}
	for _, s := range sensors {
		if s.rank == rankWhole && (from < s.from-Slack || to > s.to+Slack) {
			s.rank = rankAll
		}
	}
	leader := slices.MinFunc(sensors, func(x, y *sensor) int {
		if !whole && x.led != y.led {
			if x.led {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(x.rank, y.rank), cmp.Compare(y.packets, x.packets), cmp.Compare(len(x.list), len(y.list)), cmp.Compare(x.name, y.name))
	})
	at := len(out)
	for _, m := range leader.list {
		out = append(out, &Conversation{id: m.row.ConnID, metered: m, first: m.row.TS, last: m.row.TSEnd, from: m.row.TS, to: m.row.TSEnd})
	}
	led := slices.Clone(out[at:])
	var rest []*Metered
	for _, s := range sensors {
		if s == leader {
			continue
		}
		alike := len(s.list) == len(led)
		for i, m := range s.list {
			alike = alike && led[i].gap(m) <= Skew
		}
		for i, m := range s.list {
			c := led[min(i, len(led)-1)]
			if !alike {
				c = nearest(led, m)
			}
			if c == nil {
				rest = append(rest, m)
				continue
			}
			c.others = append(c.others, m)
		}
	}
	if len(led) == 1 { // else one that saw no division would make all as long as it is
		led[0].extend()
	}
	if len(rest) > 0 {
		slices.SortFunc(rest, (*Metered).compare)
		return b.lot(rest, out)
	}
	return out
}

// gap is the silence between the leading sensor's rows and another's.
func (c *Conversation) gap(m *Metered) tables.Time {
	return max(m.row.TS-c.metered.row.TSEnd, c.metered.row.TS-m.row.TSEnd, 0)
}

// nearest is the conversation with the nearest start of those that overlap; nil
// when none does. A sensor's follow each other: only those that begin next to it
// can be.
func nearest(led []*Conversation, m *Metered) (best *Conversation) {
	start := func(c *Conversation) tables.Time {
		return max(c.metered.row.TS-m.row.TS, m.row.TS-c.metered.row.TS)
	}
	n := sort.Search(len(led), func(i int) bool { return led[i].metered.row.TS > m.row.TS })
	for _, c := range led[max(n-2, 0):min(n+2, len(led))] {
		if c.gap(m) <= Skew && (best == nil || start(c) < start(best)) {
			best = c
		}
	}
	return best
}

// extend makes the time that of all that was metered.
func (c *Conversation) extend() {
	c.first, c.last = c.metered.row.TS, c.metered.row.TSEnd
	for _, m := range c.others {
		c.first, c.last = min(c.first, m.row.TS), max(c.last, m.row.TSEnd)
	}
	c.from, c.to = c.first, c.last
}

// complete joins conversations of one direction each with what another sensor
// saw of the other.
func complete(list []*Conversation, idle tables.Time) []*Conversation {
	out := list[:1]
	for _, d := range list[1:] {
		c := out[len(out)-1]
		if c.metered.row.Sensor == d.metered.row.Sensor || d.first-c.last >= idle || c.oneSide() < 0 || d.oneSide() != 1-c.oneSide() {
			out = append(out, d)
			continue
		}
		if d.metered.count() > c.metered.count() {
			c, d = d, c
			out[len(out)-1] = c
		}
		c.others = append(append(c.others, d.metered), d.others...)
		c.extend()
	}
	return out
}

// oneSide is the only end that was seen to send, -1 if both were or none.
func (c *Conversation) oneSide() int {
	var sent [2]bool
	for _, m := range append([]*Metered{c.metered}, c.others...) {
		for side := range sent {
			sent[side] = sent[side] || m.packets(side) > 0
		}
	}
	switch sent {
	case [2]bool{true, false}:
		return 0
	case [2]bool{false, true}:
		return 1
	}
	return -1
}

// assignRoles says whose packets are the conversation's: the leading sensor's,
// and of a direction it saw nothing of, those of the one with the most.
func (c *Conversation) assignRoles() {
	c.metered.in, c.metered.role = c, leads
	for _, m := range c.others {
		m.in, m.role = c, follows
	}
	if len(c.others) == 0 {
		return
	}
	slices.SortFunc(c.others, (*Metered).compare)
	for side := range 2 {
		if c.metered.packets(side) > 0 {
			continue
		}
		accounts := c.sensorAccounts(c.others)
		slices.SortFunc(accounts, func(a, b account) int {
			return a.compare(&b, a.side[side].packets, b.side[side].packets)
		})
		for _, a := range accounts {
			if a.side[side].packets == 0 {
				continue
			}
			for _, m := range c.others {
				if m.row.Sensor == a.observer {
					m.role = beside
				}
			}
			break
		}
	}
}

// oriented is the sensor's rows that tell best who the client is, of equals the
// leading sensor's; where each saw one direction only and knows no more than that
// it came first, those that did.
func (c *Conversation) oriented() *Metered {
	order := func(m *Metered) int {
		i := slices.Index([]string{tables.BySyn, tables.BySynAck, tables.ByServicePort, tables.ByExporter}, m.row.OrientedBy)
		return (i + 5) % 5 // none of them: 4
	}
	best := c.metered
	for _, m := range c.others {
		if order(m) < order(best) || order(m) == order(best) && order(m) == 4 && m.role == beside && m.row.TS < best.row.TS {
			best = m
		}
	}
	return best
}

// whole is the connection of all that was metered, with the leading sensor's
// counters.
func (c *Conversation) whole() tables.Connection {
	m := c.metered
	if len(c.others) == 0 {
		return m.Complete()
	}
	r := m.row
	if o := c.oriented(); o.side() != m.side() {
		r.Client, r.ClientPort, r.Server, r.ServerPort = r.Server, r.ServerPort, r.Client, r.ClientPort
		r.ClientBytes, r.ServerBytes, r.ClientPackets, r.ServerPackets = r.ServerBytes, r.ClientBytes, r.ServerPackets, r.ClientPackets
		r.ClientWireBytes, r.ServerWireBytes = r.ServerWireBytes, r.ClientWireBytes
		r.OrientedBy, r.Service, r.ICMPType, r.ICMPCode = o.row.OrientedBy, o.row.Service, o.row.ICMPType, o.row.ICMPCode
	} else {
		r.OrientedBy = o.row.OrientedBy
	}
	names, resolved := []string{r.Sensor}, m.Resolved
	for _, o := range c.others {
		names = append(names, o.row.Sensor)
		r.ServerName, resolved = cmp.Or(r.ServerName, o.row.ServerName), cmp.Or(resolved, o.Resolved)
		if o.role == beside {
			r.TS, r.TSEnd = min(r.TS, o.row.TS), max(r.TSEnd, o.row.TSEnd)
			addSegments(&r, slices.Clone(o.row.Segments))
			count(&r.CutPackets, o.row.CutPackets)
		}
	}
	r.ServerName = cmp.Or(r.ServerName, resolved)
	r.SeenBy = seenBy(names)
	r.Visibility = visibility(&r, c.encrypted())
	return r
}

// segments hold the conversation's packets, of which so many are cut.
func (c *Conversation) segments() ([]int32, tables.Opt[int64]) {
	r := tables.Connection{Segments: c.metered.row.Segments, CutPackets: c.metered.row.CutPackets}
	for _, m := range c.others {
		if m.role == beside {
			r.Segments = slices.Clone(r.Segments)
			addSegments(&r, m.row.Segments)
			count(&r.CutPackets, m.row.CutPackets)
		}
	}
	return r.Segments, r.CutPackets
}

func (c *Conversation) encrypted() bool {
	return c.metered.encrypted || slices.ContainsFunc(c.others, func(m *Metered) bool { return m.encrypted })
}

// fresh tells whether some metered row is new in this run.
func (c *Conversation) fresh() bool {
	return c.metered.fresh || slices.ContainsFunc(c.others, func(m *Metered) bool { return m.fresh })
}
