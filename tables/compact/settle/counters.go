package settle

import (
	"cmp"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// A conversation's counters come from one observer, so that nothing is counted
// twice: a sensor that was there all the time, else the exporter that counted
// every packet, else one that sampled, its counts multiplied by the rate. Of
// equals, the one with the most packets; a sensor that missed the beginning or
// the end is the equal of an exporter. Of several sensors it is the one that
// leads; see sensors. A direction that observer did not see
// comes from the best one that did: routes are often asymmetric.
//
// One observer may report the same packets several times: where they come in
// and where they go out, from two line cards, sampled and unsampled. Rows of one
// direction that differ in domain, interface, ingress or egress, or sampling
// are alternatives where they overlap in time for at least half of the shorter
// one, and the largest counts. Where they follow each other they are parts: a
// route that changed. Rows that differ in nothing but their time are parts.

// account is what one observer says of a conversation.
type account struct {
	observer string
	name     name // of an exporter
	metered  bool
	follows  bool // another sensor leads
	rank     int  // the less the better
	side     [2]struct {
		total
		seen bool
		wire tables.Opt[int64] // of a sensor
	}
	flags    [2]int32
	sampling int64 // the largest rate of what counts
	sampled  bool
}

const (
	rankWhole   = iota // a sensor that was there all the time
	rankAll            // counted every packet it saw
	rankSampled        // estimated
)

func (a *account) packets() int64 { return tables.AddCounts(a.side[0].packets, a.side[1].packets) }

// run is what an observer counted at one place without an idle silence.
type run struct {
	from, to tables.Time
	total
	sampling int64
	stream   uint64
	group    int
}

// instant: clocks within one observer agree this well.
const instant = tables.Time(100e3)

// maxRuns bounds the comparing of each run with each.
const maxRuns = 256

// scratch is memory that putting connections together takes.
type scratch struct {
	accounts []account
	runs     []run
	names    []string
}

// sum adds up what the observer counted in one direction.
func (m *scratch) sum(a *account, side int, pieces []piece, idle tables.Time) {
	runs := m.runs[:0]
	defer func() { m.runs = runs }()
	for i := range pieces {
		p := &pieces[i]
		if p.observer != a.name {
			continue
		}
		if p.flags[side] >= 0 {
			a.flags[side] = max(a.flags[side], 0) | p.flags[side]
		}
		if !p.has[side] {
			continue
		}
		a.side[side].seen = true
		rate := max(p.sampling, 1)
		k := len(runs) - 1
		for k >= max(0, len(runs)-maxRuns) && runs[k].stream != p.stream {
			k--
		}
		if k >= max(0, len(runs)-maxRuns) && p.ts-runs[k].to < idle {
			r := &runs[k]
			r.to, r.sampling = max(r.to, p.end), max(r.sampling, p.sampling)
			r.total = r.total.plus(p.count[side].times(rate))
			continue
		}
		runs = append(runs, run{from: p.ts, to: p.end, stream: p.stream, sampling: p.sampling, group: len(runs),
			total: p.count[side].times(rate)})
	}
	if len(runs) == 1 {
		a.take(side, &runs[0])
		return
	}
	// Runs of different places that tell of the same packets are one group;
	// where they are too many to compare, all of them.
	for i := range runs {
		if len(runs) > maxRuns {
			runs[i].group = 0
			continue
		}
		for k := range i {
			if from, to := runs[i].group, runs[k].group; from != to && runs[i].same(&runs[k]) {
				for m := range runs[:i+1] {
					if runs[m].group == from {
						runs[m].group = to
					}
				}
			}
		}
	}
	type place struct {
		group  int
		stream uint64
	}
	at := map[place]int{}
	var sums []run
	for _, r := range runs {
		key := place{r.group, r.stream}
		k, ok := at[key]
		if !ok {
			at[key] = len(sums)
			sums = append(sums, r)
			continue
		}
		sums[k].total, sums[k].sampling = sums[k].total.plus(r.total), max(sums[k].sampling, r.sampling)
	}
	// The best of each group counts: whole before sampled, then the most.
	slices.SortFunc(sums, func(x, y run) int {
		return cmp.Or(cmp.Compare(x.group, y.group), cmp.Compare(min(max(x.sampling, 1), 2), min(max(y.sampling, 1), 2)),
			cmp.Compare(y.packets, x.packets), cmp.Compare(y.bytes, x.bytes), cmp.Compare(x.sampling, y.sampling))
	})
	for i, r := range sums {
		if i > 0 && sums[i-1].group == r.group {
			continue
		}
		a.take(side, &r)
	}
}

func (a *account) take(side int, r *run) {
	a.side[side].total = a.side[side].total.plus(r.total)
	a.sampling, a.sampled = max(a.sampling, r.sampling), a.sampled || r.sampling > 1
}

// same tells whether two runs of different places are of the same packets.
func (r *run) same(q *run) bool {
	if r.stream == q.stream {
		return false
	}
	shorter := min(r.to-r.from, q.to-q.from)
	return min(r.to, q.to)-max(r.from, q.from) >= shorter/2-instant
}

// accounts lists what each observer says, the best first.
func (b *Book) accounts(c *Conversation, idle tables.Time) []account {
	list := b.scratch.accounts[:0]
	for i := range c.pieces {
		observer := c.pieces[i].observer
		if slices.ContainsFunc(list, func(a account) bool { return a.name == observer }) {
			continue
		}
		list = append(list, account{observer: b.texts.of[observer], name: observer, flags: [2]int32{-1, -1}, rank: rankAll})
		a := &list[len(list)-1]
		b.sum(a, 0, c.pieces, idle)
		b.sum(a, 1, c.pieces, idle)
		if a.sampled {
			a.rank = rankSampled
		}
	}
	if c.metered != nil {
		list = append(append(list, c.sensorAccounts([]*Metered{c.metered})...), c.sensorAccounts(c.others)...)
	}
	slices.SortFunc(list, func(a, b account) int {
		if a.follows != b.follows {
			if b.follows {
				return -1
			}
			return 1
		}
		return a.compare(&b, a.packets(), b.packets())
	})
	b.scratch.accounts = list
	return list
}

func (a *account) compare(b *account, packetsA, packetsB int64) int {
	metered := 0
	if a.metered != b.metered {
		metered = 1
		if a.metered {
			metered = -1
		}
	}
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(packetsB, packetsA), metered, cmp.Compare(a.observer, b.observer))
}

// sensorAccounts are those of each sensor; side 0 is the lower end here too.
func (c *Conversation) sensorAccounts(metered []*Metered) (list []account) {
	var bounds [][2]tables.Time
	for _, m := range metered {
		r := &m.row
		i := slices.IndexFunc(list, func(a account) bool { return a.observer == r.Sensor })
		if i < 0 {
			i = len(list)
			list = append(list, account{observer: r.Sensor, metered: true, follows: m != c.metered, rank: rankWhole})
			bounds = append(bounds, [2]tables.Time{r.TS, r.TSEnd})
		}
		a, client := &list[i], m.side()
		a.sampling, a.sampled = max(a.sampling, r.Sampling.V), a.sampled || r.Sampling.V > 1
		for side, sent := range [2]struct{ packets, bytes, wire tables.Opt[int64] }{
			{r.ClientPackets, r.ClientBytes, r.ClientWireBytes}, {r.ServerPackets, r.ServerBytes, r.ServerWireBytes}} {
			at := &a.side[client^side]
			at.total, at.seen = at.plus(total{sent.packets.V, sent.bytes.V}), at.seen || sent.packets.Set
			count(&at.wire, sent.wire)
			a.flags[client^side] |= m.flags[side]
		}
		bounds[i] = [2]tables.Time{min(bounds[i][0], r.TS), max(bounds[i][1], r.TSEnd)}
	}
	for i := range list {
		switch a := &list[i]; {
		case a.sampled:
			a.rank = rankSampled
		case c.from < bounds[i][0]-Slack || c.to > bounds[i][1]+Slack:
			a.rank = rankAll
		}
	}
	return list
}

// maxSeenBy bounds the names of observers in one row, bytes.
const maxSeenBy = 1000

// connection puts the row together. The name the client had resolved is the
// caller's to add.
func (b *Book) connection(k *known, c *Conversation) tables.Connection {
	r := b.counted(k, c)
	if c.metered != nil && c.metered.row.FlowsFolded.Set {
		r.SeenBy = b.seenFold(c, r.SeenBy)
	}
	return r
}

func (b *Book) counted(k *known, c *Conversation) tables.Connection {
	if c.metered != nil && len(c.pieces)+len(c.others) == 0 {
		return c.metered.Complete()
	}
	list := b.accounts(c, k.idle())
	best := &list[0]
	var r tables.Connection
	client := 0
	if c.metered != nil {
		client = c.oriented().side()
		r = c.whole()
	} else {
		var by string
		client, by = c.orient(k)
		r = tables.Connection{Site: b.texts.of[k.site], Client: k.low, ClientPort: k.lowPort, Server: k.high, ServerPort: k.highPort,
			Protocol: k.protocol, OrientedBy: by, CID: k.cid}
		if client == 1 {
			r.Client, r.ClientPort, r.Server, r.ServerPort = r.Server, r.ServerPort, r.Client, r.ClientPort
		}
		r.Service = tables.ServiceName(uint16(r.ServerPort), uint8(k.protocol))
		c.icmp(&r, client)
	}
	r.ConnID = c.id
	r.Sensor = best.observer
	if best.rank != rankWhole {
		r.TS, r.TSEnd = c.from, c.to
		r.Sampling = tables.Opt[int64]{}
	}
	r.Profile = nil // rows of exporters were added up while it was carried
	if best.metered && len(c.metered.profile) > 1 {
		r.Profile = c.metered.profile.Append(nil, r.TS)
	}
	sampling, sampled := best.sampling, best.sampled
	var seen [2]bool
	var flags [2]int32 // of what counts
	completed := false // a direction is another sensor's
	for side := range best.side {
		from := best
		if best.side[side].packets == 0 {
			// Nobody else's zero is better than this one's.
			others := slices.DeleteFunc(slices.Clone(list[1:]), func(a account) bool { return a.side[side].packets == 0 })
			slices.SortFunc(others, func(a, b account) int { return a.compare(&b, a.side[side].packets, b.side[side].packets) })
			if len(others) > 0 {
				from = &others[0]
				sampling, sampled = max(sampling, from.sampling), sampled || from.sampled
			}
		}
		seen[side], flags[side] = from.side[side].packets > 0, from.flags[side]
		completed = completed || best.metered && from.follows
		packets, bytes := tables.Opt[int64]{}, tables.Opt[int64]{}
		if from.side[side].seen {
			packets, bytes = tables.Some(from.side[side].packets), tables.Some(from.side[side].bytes)
		}
		if side == client {
			r.ClientPackets, r.ClientBytes, r.ClientWireBytes = packets, bytes, from.side[side].wire
		} else {
			r.ServerPackets, r.ServerBytes, r.ServerWireBytes = packets, bytes, from.side[side].wire
		}
	}
	if sampling > 0 {
		r.Sampling = tables.Some(sampling)
	}
	if completed {
		r.Visibility = visibility(&r, c.encrypted())
		if k.protocol != tables.ProtocolTCP || !sampled {
			r.ConnState = exportState(k.protocol, flags[client], flags[1-client], seen[client], seen[1-client])
		}
	}
	var action uint8
	names := b.names[:0]
	if r.SeenBy != "" {
		names = append(names, strings.Split(r.SeenBy, ",")...)
	}
	for i := range c.pieces {
		names = append(names, b.texts.of[c.pieces[i].observer])
		action = max(action, c.pieces[i].action)
		if c.metered == nil {
			r.Pieces = int32(min(int64(r.Pieces)+int64(c.pieces[i].rows), 1<<31-1))
		}
	}
	b.names = names
	r.SeenBy = seenBy(names)
	r.Action = actionNames[max(action, actionOf(r.Action))]
	if c.metered == nil && !sampled {
		r.ConnState = exportState(k.protocol, best.flags[client], best.flags[1-client], seen[client], seen[1-client])
	}
	return r
}

// seenBy lists names, each once.
func seenBy(names []string) string {
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
	text := strings.Join(names, ",")
	if len(text) > maxSeenBy {
		text = text[:strings.LastIndexByte(text[:maxSeenBy-1], ',')+1] + "…"
	}
	return text
}

// icmp gives the row the type of the client's first message. Where only the
// server's are known it is the type of what they answer, as the meter has it:
// seen from the client's end, the Community ID of an answer's own type would be
// another. Rows without a type count as type 0, as in their own Community ID.
func (c *Conversation) icmp(r *tables.Connection, client int) {
	if !isICMP(r.Protocol) {
		return
	}
	own := func(p *piece) bool { return int(p.source) == client }
	first := slices.IndexFunc(c.pieces, func(p piece) bool { return p.icmpType >= 0 && own(&p) })
	if first >= 0 {
		p := &c.pieces[first]
		r.ICMPType, r.ICMPCode = tables.Some(int32(p.icmpType)), tables.Some(int32(p.icmpCode))
		return
	}
	if slices.ContainsFunc(c.pieces, func(p piece) bool { return own(&p) }) {
		return
	}
	p := &c.pieces[max(0, slices.IndexFunc(c.pieces, func(p piece) bool { return p.icmpType >= 0 }))]
	if asked, ok := tables.ICMPCounterpart(uint8(r.Protocol), uint8(max(p.icmpType, 0))); ok {
		r.ICMPType, r.ICMPCode = tables.Some(int32(asked)), tables.Some(int32(0))
	}
}

func isICMP(protocol int32) bool {
	return protocol == tables.ProtocolICMP || protocol == tables.ProtocolICMPv6
}

// orient tells the client's side from exporters' rows alone: by a row with SYN
// and without ACK, or of one packet with both; by who sent SYN first, where one
// observer saw it of both; by the service's port; by the order of a biflow's
// ends; else the first row's sender.
func (c *Conversation) orient(k *known) (client int, by string) {
	if k.protocol == tables.ProtocolTCP {
		clearest := &c.pieces[0]
		for i := range c.pieces {
			if c.pieces[i].clearer(clearest) {
				clearest = &c.pieces[i]
			}
		}
		if clearest.hint != hintNone {
			return int(clearest.client), [...]string{hintSyn: tables.BySyn, hintSynAck: tables.BySynAck}[clearest.hint]
		}
		type syns struct {
			observer name
			at       [2]tables.Time // each side's first
		}
		var room [4]syns // observers are few
		seen := room[:0]
		for i := range c.pieces {
			p := &c.pieces[i]
			n := slices.IndexFunc(seen, func(s syns) bool { return s.observer == p.observer })
			if n < 0 {
				n = len(seen)
				seen = append(seen, syns{p.observer, p.syn})
			}
			for side, at := range p.syn {
				if first := &seen[n].at[side]; *first == noTime || at != noTime && at < *first {
					*first = at
				}
			}
		}
		for _, s := range seen {
			if s.at[0] != noTime && s.at[1] != noTime && s.at[0] != s.at[1] {
				if s.at[0] < s.at[1] {
					return 0, tables.BySyn
				}
				return 1, tables.BySyn
			}
		}
	}
	p := &c.pieces[0]
	switch k.protocol {
	case tables.ProtocolTCP, tables.ProtocolUDP, tables.ProtocolSCTP:
		low, high := serves(k.lowPort, k.protocol), serves(k.highPort, k.protocol)
		if low == high {
			low, high = wellKnown(k.lowPort), wellKnown(k.highPort)
		}
		if low != high {
			if low {
				return 1, tables.ByServicePort
			}
			return 0, tables.ByServicePort
		}
	case tables.ProtocolICMP, tables.ProtocolICMPv6:
		if icmpAnswer(k.protocol, p.icmpType) {
			return int(1 - p.source), tables.ByFirstPacket
		}
		return int(p.source), tables.ByFirstPacket
	}
	if p.has[0] && p.has[1] {
		return int(p.source), tables.ByExporter
	}
	return int(p.source), tables.ByFirstPacket
}

func serves(port, protocol int32) bool {
	return tables.ServiceName(uint16(port), uint8(protocol)) != ""
}

func wellKnown(port int32) bool { return port != 0 && port < 1024 }

// icmpAnswer tells the messages one host sends only because another asked it.
func icmpAnswer(protocol int32, messageType int16) bool {
	if protocol == tables.ProtocolICMPv6 {
		return messageType == 129 || messageType == 140
	}
	return messageType == 0 || messageType == 14 || messageType == 16 || messageType == 18
}

// exportState is conn_state as far as flags that are those of all packets of a
// direction tell it; -1 is flags nobody reported. Their order is lost, so that
// FIN from both counts as a regular end and, of RST from both, the client's.
// One direction alone proves nothing of the other, but for a client that sent
// SYN and never ACK: nobody answered it. Sampled rows say nothing of the packets
// that were not picked, and have no state.
func exportState(protocol, client, server int32, clientSent, serverSent bool) string {
	both := clientSent && serverSent
	if protocol != tables.ProtocolTCP {
		if both {
			return tables.ConnSF
		}
		return ""
	}
	const syn, ack, fin, rst = tables.TCPSyn, tables.TCPAck, tables.TCPFin, tables.TCPRst
	switch {
	case !both:
		if clientSent && client >= 0 && client&(syn|ack) == syn {
			if client&rst != 0 {
				return tables.ConnRSTOS0
			}
			return tables.ConnS0
		}
		return ""
	case client < 0 || server < 0:
		return ""
	case client&server&fin != 0:
		return tables.ConnSF
	case client&rst != 0:
		return tables.ConnRSTO
	case server&rst != 0 && server&syn == 0 && client&syn != 0:
		return tables.ConnREJ
	case server&rst != 0:
		return tables.ConnRSTR
	case client&fin != 0:
		return tables.ConnS2
	case server&fin != 0:
		return tables.ConnS3
	case client&server&syn != 0:
		return tables.ConnS1
	}
	return tables.ConnOTH
}
