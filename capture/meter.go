package capture

import (
	"math/rand/v2"
	"time"

	"github.com/wiresql/wiresql/capture/observe"
	"github.com/wiresql/wiresql/tables"
)

// Config of a Meter. Zero values mean the defaults.
type Config struct {
	// Sensor is the observer's name in the rows; Site its conversation space
	// ('' unless imported for a site).
	Sensor, Site string

	// Active is the age at which a row is cut (60 s). IdleTCP (300 s) and
	// IdleOther (60 s) are the silence that ends a conversation, Linger (5 s)
	// the silence after FINs or a RST. None may exceed 500 s.
	Active, IdleTCP, IdleOther, Linger time.Duration

	// MaxConversations is how many conversations are live at a time (524,288;
	// about 300 bytes each); for one more, the one nearest to its idle timeout
	// is ended.
	MaxConversations int
	// MaxPositions bounds the packet positions of live rows (128 MiB).
	MaxPositions int64
	// FoldAfter is how many conversations a minute of one unanswered SYN, from
	// outside to a port of an address, have rows of their own (1,000): those beyond
	// are folded into one. See fold.go.
	FoldAfter int64
	// Cutoffs say of which conversations not all payload is kept. The meter itself
	// cuts nothing: see Kept.
	Cutoffs []Cutoff
}

func (c *Config) setDefaults() {
	for _, d := range []struct {
		value   *time.Duration
		usually time.Duration
	}{{&c.Active, 60 * time.Second}, {&c.IdleTCP, 300 * time.Second}, {&c.IdleOther, 60 * time.Second}, {&c.Linger, 5 * time.Second}} {
		if *d.value <= 0 {
			*d.value = d.usually
		}
		*d.value = min(*d.value, 500*time.Second)
	}
	if c.MaxConversations <= 0 {
		c.MaxConversations = 1 << 19
	}
	if c.FoldAfter <= 0 {
		c.FoldAfter = 1000
	}
	if c.MaxPositions <= 0 {
		c.MaxPositions = 128 << 20
	}
}

const (
	// maxRowPackets cuts a row: its postings are one value in a Parquet file
	// and one allocation in every reader.
	maxRowPackets = 1 << 20
	// quiet is the longest silence of a whole capture that is believed at
	// once; see the package comment.
	quiet = int64(time.Hour)
)

// Packet is a packet for the Meter. Data and Header are not kept.
type Packet struct {
	TS     int64 // nanoseconds since 1970
	Header *tables.Header
	Data   []byte // captured bytes of the frame
	Length int    // bytes on the wire
	// ID is the packet's position in the archive. Lost tells that it has none:
	// the packet was seen and could not be kept.
	ID   tables.ID
	Lost bool

	// Of a packet that prepare has seen, and that is no fragment:
	keyed   bool
	swapped bool
	hash    uint32
	key     key
}

// Sink takes the rows of a Meter, in the order they end.
type Sink interface {
	tables.FlowSink
	Other(*tables.Other) error
}

// Stats counts what a Meter did.
type Stats struct {
	Packets       int64 // metered, flows and others
	OtherPackets  int64 // of these, without IP
	Conversations int64
	Rows          int64 // flow rows
	Evicted       int64 // conversations ended for lack of resources
}

// Meter turns packets into flow rows; the rules are in the package comment. It
// is not safe for concurrent use.
type Meter struct {
	cfg      Config
	sink     Sink
	observer *observe.Observer
	err      error // first error of the sink

	source  SourceID
	ordinal uint64

	secret uint64
	table  *table
	blocks *blocks
	frags  fragments
	others others
	folds  folds
	rates  rates
	names  map[uint32]string         // server names by conversation number
	outer  map[uint32][2]tables.Addr // of tunnels: client's side, server's side

	started bool
	astray  bool  // the packet before was far from the clock
	clock   int64 // packet time, ns
	second  int64 // the wheel's: slots up to this second have been looked at
	minute  int64 // rows of the family other before this one have been written

	row      tables.Flow
	handed   observe.Packet
	reread   tables.Header // see Kept
	quoted   tables.Header
	cids     *tables.CIDHash
	ahead    [Batch]uint32 // of the packets to come: the conversation each may belong to
	slot     []uint32      // the conversations of a slot of the wheel
	touched  uint64        // so that what is only looked at is looked at
	ids      []tables.ID
	text     []byte // postings being encoded
	arena    []byte // postings of rows handed out
	segments []int32
	stats    Stats
}

// NewMeter returns a meter that writes to sink and shows the observer, which
// may be nil, what it may want to see.
func NewMeter(cfg Config, sink Sink, observer *observe.Observer) *Meter {
	cfg.setDefaults()
	return &Meter{
		cfg:      cfg,
		sink:     sink,
		observer: observer,
		secret:   rand.Uint64(),
		cids:     tables.NewCIDHash(),
		table:    newTable(),
		blocks:   newBlocks(int(cfg.MaxPositions / blockSize)),
		names:    make(map[uint32]string),
		outer:    make(map[uint32][2]tables.Addr),
	}
}

// Source says where the packets that follow come from.
func (m *Meter) Source(id SourceID) {
	m.releaseAll() // their ids have the source that was
	m.source, m.ordinal = id, 0
}

// Stats returns the counters so far.
func (m *Meter) Stats() Stats { return m.stats }

// Observed counts what the observer did, and what it gave up.
func (m *Meter) Observed() observe.Stats {
	if m.observer == nil {
		return observe.Stats{}
	}
	return m.observer.Stats()
}

// Batch is how many packets Packets takes at most.
const Batch = 64

// Packets meters up to Batch prepared packets, as Packet does one after the other. What
// they need of the table is asked of memory for all of them first: conversations
// are more than the processor's cache holds, and so the waits overlap.
func (m *Meter) Packets(list []Packet) error {
	t := m.table
	for i := range list {
		m.ahead[i] = 0
		if p := &list[i]; p.keyed {
			m.ahead[i] = t.index[p.hash&t.mask].number
		}
	}
	for i := range list {
		if n := m.ahead[i]; n != 0 {
			m.touched += t.at(n).touch()
		}
	}
	for i := range list {
		if err := m.Packet(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

// prepare does for a packet what takes no knowledge of others; another goroutine may.
func (m *Meter) prepare(p *Packet) {
	h := p.Header
	if p.keyed = h.IP && !h.Fragment; p.keyed {
		srcPort, dstPort := h.SrcPort, h.DstPort
		if h.Protocol == tables.ProtocolICMP || h.Protocol == tables.ProtocolICMPv6 {
			srcPort, dstPort = icmpPorts(h.Protocol, h.ICMPType, h.ICMPCode)
		}
		p.swapped = p.key.set(h, srcPort, dstPort)
		p.hash = p.key.hash(m.secret)
	}
}

// Packet meters a packet. The error is the sink's; after one, nothing more is
// written.
func (m *Meter) Packet(p *Packet) error {
	ordinal := m.ordinal
	if !p.Lost { // else it is no packet of its source
		m.ordinal++
	}
	m.stats.Packets++
	m.advance(p.TS)
	if m.frags.oldest != m.frags.newest {
		m.expire(p.TS)
	}
	for m.blocks.full() && m.makeRoom() {
	}
	h := p.Header
	switch {
	case !h.IP:
		m.stats.OtherPackets++
		r := m.rate(p.TS, uint16(noIP))
		r.packets++
		r.bytes += int64(p.Length)
		m.other(p)
		if m.observer != nil && h.EtherType == observe.EtherARP && h.L3Offset < len(p.Data) {
			m.handed = observe.Packet{TS: p.TS, Header: h, Payload: p.Data[h.L3Offset:], Sensor: m.cfg.Sensor, Site: m.cfg.Site, ID: p.ID, Kept: !p.Lost && p.ID != 0}
			m.observer.Observe(&m.handed)
		}
	case !h.Fragment:
		m.flow(p, ordinal, len(p.Data) < p.Length)
	case m.frags.isEarly(h, p.TS):
		m.wait(p, ordinal)
	default:
		m.flow(p, ordinal, len(p.Data) < p.Length)
		if h.FragmentOffset == 0 {
			m.arrived(h, p.TS)
		}
	}
	return m.err
}

// flow meters an IP packet; cut tells that not all of it was captured.
func (m *Meter) flow(p *Packet, ordinal uint64, cut bool) {
	h := p.Header
	srcPort, dstPort, whole := m.ports(h, p.TS)
	if !p.keyed {
		p.swapped = p.key.set(h, srcPort, dstPort)
		p.hash = p.key.hash(m.secret)
	}
	tcp := h
	if !whole || h.Protocol != tables.ProtocolTCP {
		tcp = nil
	}
	side := uint8(0)
	if p.swapped {
		side = 1
	}

	n := m.table.find(&p.key, p.hash)
	var c *conversation
	if n != 0 {
		c = m.table.at(n)
		if reason := c.over(&m.cfg, tcp, int(side^c.client), p.TS); reason != endNone {
			m.end(n, reason)
			n = 0
		}
	}
	if n == 0 {
		for m.table.live >= m.cfg.MaxConversations && m.evict() {
		}
		n, c = m.table.insert(&p.key, p.hash)
		m.begin(n, c, p, srcPort, dstPort, side, whole)
	}
	dir := int(side ^ c.client)

	r := m.rate(p.TS, rateOf(h.Protocol, c.way))
	r.packets++
	r.bytes += int64(h.L3Length)
	if tcp != nil && h.TCPFlags&(tables.TCPSyn|tables.TCPAck) == tables.TCPSyn {
		r.syns++
	}
	if c.number == 0 {
		r.flows++
	}
	if c.packets() > 0 {
		switch {
		case p.TS-c.first >= m.cfg.Active.Nanoseconds():
			m.emit(n, c, endActive, false)
		case c.positions.count >= maxRowPackets:
			m.emit(n, c, endForced, false)
		}
	}
	if c.packets() == 0 {
		m.piece(c, p, dir, ordinal)
	}

	c.begin = min(c.begin, p.TS)
	c.seen = max(c.seen, p.TS)
	c.first = min(c.first, p.TS)
	c.last = max(c.last, p.TS)
	c.sum[dir].packets++
	c.sum[dir].bytes += int64(h.L3Length)
	c.wire[dir] += int64(p.Length)
	if m.cfg.Cutoffs != nil {
		_, n := payload(h)
		c.payload += int64(n)
	}
	if cut {
		c.cut++
	}
	if h.Fragment {
		if c.fragments++; h.Protocol == tables.ProtocolTCP && m.observer != nil {
			m.torn(c, p, dir)
		}
	}
	if !p.Lost {
		c.positions.add(m.blocks, p.ID)
	}

	if tcp != nil {
		closed := c.tcp.closed()
		c.handshake(h, dir, p.TS)
		c.flags[dir] |= h.TCPFlags
		if !closed && c.tcp.closed() {
			m.schedule(n, c)
		}
	}
	if m.observer != nil && (c.hasICMP || h.PayloadLength > 0 && (c.followed || c.observed[dir] != observedDone)) {
		m.observe(n, c, p, dir)
	}
}

// ports returns what stands in the key for ports, and whether the packet has a
// whole layer-4 header of its own.
func (m *Meter) ports(h *tables.Header, ns int64) (src, dst uint16, whole bool) {
	if h.Fragment && h.FragmentOffset > 0 {
		src, dst, _ = m.frags.later(h, ns)
		return src, dst, false
	}
	src, dst, whole = h.SrcPort, h.DstPort, h.PayloadOffset > 0
	if h.Protocol == tables.ProtocolICMP || h.Protocol == tables.ProtocolICMPv6 {
		src, dst = icmpPorts(h.Protocol, h.ICMPType, h.ICMPCode)
	}
	if h.Fragment && h.MoreFragments {
		m.frags.first(h, ns, src, dst)
	}
	return src, dst, whole
}

// begin fills in a new conversation.
func (m *Meter) begin(n uint32, c *conversation, p *Packet, srcPort, dstPort uint16, side uint8, whole bool) {
	h := p.Header
	m.stats.Conversations++
	sourceIsClient, by := orient(h, srcPort, dstPort, whole)
	c.client, c.orientedBy = side, by
	if !sourceIsClient {
		c.client = side ^ 1
	}
	c.begin, c.seen = p.TS, p.TS
	client, server, _, _ := c.ends()
	c.way = wayOf(client, server)
	if h.Protocol == tables.ProtocolICMP || h.Protocol == tables.ProtocolICMPv6 {
		c.hasICMP = !(h.Fragment && h.FragmentOffset > 0)
		c.icmpType, c.icmpCode = h.ICMPType, h.ICMPCode
		if !sourceIsClient {
			c.icmpType, _ = tables.ICMPCounterpart(h.Protocol, h.ICMPType)
		}
	}
	if h.Tunnel != tables.TunnelNone {
		c.tunnelled = true
		if sourceIsClient {
			m.outer[n] = [2]tables.Addr{h.OuterSrc, h.OuterDst}
		} else {
			m.outer[n] = [2]tables.Addr{h.OuterDst, h.OuterSrc}
		}
	}
	if h.Protocol == tables.ProtocolUDP && !observe.Reads(srcPort) && !observe.Reads(dstPort) &&
		(m.observer == nil || !m.observer.Awaits(m.cfg.Site, h) && !tells(p)) {
		c.observed = [2]uint8{observedDone, observedDone}
	}
	m.schedule(n, c)
}

// piece starts the next row of a conversation with this packet.
func (m *Meter) piece(c *conversation, p *Packet, dir int, ordinal uint64) {
	h := p.Header
	c.number++
	c.first, c.last = p.TS, p.TS
	c.rttUs = -1
	c.id = flowID(&m.source, &c.key, h.VLAN, h.OuterVLAN, p.TS, ordinal)
	if c.number == 1 {
		c.conn = c.id
	}
	c.facts = facts{
		clientMAC: h.SrcMAC, serverMAC: h.DstMAC, hasMAC: h.HasMAC,
		vlan: h.VLAN, outerVLAN: h.OuterVLAN, ttl: h.TTL, tos: h.TOS,
	}
	if dir == 1 {
		c.clientMAC, c.serverMAC = h.DstMAC, h.SrcMAC
	}
}

// observe hands a packet with payload to the observer.
func (m *Meter) observe(n uint32, c *conversation, p *Packet, dir int) {
	h := p.Header
	if h.Protocol != tables.ProtocolTCP && h.Protocol != tables.ProtocolUDP && !observe.IsICMP(h.Protocol) || h.PayloadOffset <= 0 {
		return
	}
	m.hand(c, p, dir)
	f := m.observer.Observe(&m.handed)
	m.found(n, c, &f)
	switch c.followed = f.Follow; {
	case f.Over:
		c.observed = [2]uint8{observedDone, observedDone}
	case f.Done:
		c.observed[dir] = observedDone
	case h.Protocol == tables.ProtocolTCP && c.observed[dir] != observedDone && !(f.Follow && c.observed[dir] > 0):
		if c.observed[dir]++; c.observed[dir] >= observe.MaxPackets {
			c.observed[dir] = observedDone
		}
	}
}

// torn tells the observer of a fragment; of those behind the first only the conversation
// knows the ports.
func (m *Meter) torn(c *conversation, p *Packet, dir int) {
	m.hand(c, p, dir)
	h := *p.Header
	_, _, h.SrcPort, h.DstPort = c.ends()
	if dir == 1 {
		h.SrcPort, h.DstPort = h.DstPort, h.SrcPort
	}
	m.handed.Header = &h
	m.observer.Fragment(&m.handed)
}

// hand fills in what the observer is told of a packet.
func (m *Meter) hand(c *conversation, p *Packet, dir int) {
	h := p.Header
	start, stop := captured(h, p.Data)
	var quoted *tables.Header
	var about tables.ID
	var segment []byte
	switch {
	case h.Protocol == tables.ProtocolTCP && !h.Fragment && h.L4Offset > 0 && h.L4Offset < start && stop-start == h.PayloadLength:
		segment = p.Data[h.L4Offset:stop]
	case observe.IsICMP(h.Protocol):
		if observe.QuotesPacket(h.Protocol, h.ICMPType) {
			quoted, about = m.quotes(p.Data[start:stop])
		}
		start = min(h.L4Offset, start)
	}
	client, server, _, _ := c.ends()
	m.handed = observe.Packet{
		TS: p.TS, Header: h, Payload: p.Data[start:stop], Segment: segment, FromClient: dir == 0,
		FlowID: c.id, ConnID: c.conn, Client: client, Server: server,
		Sensor: m.cfg.Sensor, Site: m.cfg.Site, ID: p.ID, Kept: !p.Lost && p.ID != 0,
		First: c.observed[dir] == 0, Begin: c.isn[dir] + 1,
		Begins: c.tcp.sent[dir]&(sentSyn|sentSynAck) != 0 || c.answered(dir),
		Quoted: quoted, QuotedConn: about,
	}
}

// tells tells of a datagram between ports of which nothing is known whether the observer knows what it begins.
func tells(p *Packet) bool {
	start, stop := captured(p.Header, p.Data)
	b := p.Data[start:stop]
	return observe.BeginsQUIC(b) || observe.BeginsONC(b)
}

// captured is where in a packet's data the layer-4 payload is.
func captured(h *tables.Header, data []byte) (start, stop int) {
	start = min(h.PayloadOffset, len(data))
	return start, min(len(data), start+h.PayloadLength)
}

// quotes decodes the packet that an ICMP error quotes, and finds its conversation.
func (m *Meter) quotes(b []byte) (*tables.Header, tables.ID) {
	h := &m.quoted
	tables.Decode(tables.LinkRaw, b, len(b), h)
	if !h.IP || h.FragmentOffset > 0 {
		return h, 0
	}
	src, dst := h.SrcPort, h.DstPort
	if observe.IsICMP(h.Protocol) {
		src, dst = icmpPorts(h.Protocol, h.ICMPType, h.ICMPCode)
	}
	var k key
	k.set(h, src, dst)
	if n := m.table.find(&k, k.hash(m.secret)); n != 0 {
		return h, m.table.at(n).conn
	}
	return h, 0
}

// found notes what the observer found out about a conversation.
func (m *Meter) found(n uint32, c *conversation, f *observe.Finding) {
	c.encrypted = c.encrypted || f.Encrypted
	if f.ServerName != "" && (!c.named || f.FromTLS && !c.namedByTLS) {
		c.named, c.namedByTLS = true, f.FromTLS
		m.names[n] = f.ServerName
	}
	if f.Service != "" {
		c.service = seenAs(f.Service)
	}
}

// advance moves the clock to the time of a packet and ends what is over.
func (m *Meter) advance(ns int64) {
	if !m.started {
		m.started, m.clock, m.second = true, ns, seconds(ns)
		m.minute = m.second / 60
		return
	}
	ahead := ns - m.clock
	if ahead <= 0 && ahead >= -m.cfg.Active.Nanoseconds() {
		m.astray = false
		return
	}
	if (ahead > quiet || ahead < 0) && !m.astray {
		m.astray = true
		return
	}
	m.astray = false
	m.clock = ns
	if s := seconds(ns); s != m.second {
		m.turn(s)
	}
}

// Tick moves the clock ahead when no packet does, and ends what is over by then.
// A packet of before may still come.
func (m *Meter) Tick(ns int64) error {
	if m.started && ns > m.clock {
		m.astray, m.clock = false, ns
		if s := seconds(ns); s != m.second {
			m.turn(s)
		}
		m.expire(ns)
		if m.observer != nil {
			m.observer.Tick(ns)
		}
	}
	return m.err
}

// Clock is the meter's time.
func (m *Meter) Clock() int64 { return m.clock }

// turn moves the wheel to a second and looks at the slots on the way. When time
// goes back there are none: what is far in the future then ends when its slot
// comes round, or when its next packet comes.
func (m *Meter) turn(second int64) {
	for s := max(m.second+1, second-wheelSlots+1); s <= second; s++ {
		l := &m.table.wheel[uint64(s)%wheelSlots]
		m.slot = m.slot[:0]
		for n := l.head; n != 0; n = m.table.at(n).next {
			m.slot = append(m.slot, n)
		}
		*l = list{}
		for _, n := range m.slot { // as in Packets
			c := m.table.at(n)
			m.touched += c.touch() + uint64(c.cid) + uint64(m.table.index[c.hash&m.table.mask].number)
			if c.positions.head != 0 {
				m.touched += uint64(m.blocks.at(c.positions.head).next)
			}
		}
		for _, n := range m.slot {
			c := m.table.at(n)
			c.slot, c.prev, c.next = noSlot, 0, 0
			if reason := c.overAt(&m.cfg, m.clock); reason != endNone {
				m.end(n, reason)
			} else {
				m.schedule(n, c)
			}
		}
	}
	if minute := second / 60; second < m.second {
		m.flushAllOthers()
		m.closeFolds()
		m.minute = minute
	} else if minute > m.minute {
		m.flushOthers(minute - 1)
		m.minute = minute
	}
	m.second = second
	m.foldsOver()
}

// schedule has the conversation looked at when it may be over.
func (m *Meter) schedule(n uint32, c *conversation) {
	m.table.schedule(n, seconds(c.seen+c.timeout(&m.cfg))+1)
}

// makeRoom frees blocks of positions; false when there are none to free.
func (m *Meter) makeRoom() bool {
	if len(m.others.rows) > 0 {
		m.flushAllOthers()
		return true
	}
	return m.emitFolds() || m.evict()
}

// evict ends the conversation nearest to its idle timeout; false when there is
// none.
func (m *Meter) evict() bool {
	for s := m.second + 1; s <= m.second+wheelSlots; s++ {
		for {
			n := m.table.wheel[uint64(s)%wheelSlots].head
			if n == 0 {
				break
			}
			c := m.table.at(n)
			slot := c.slot
			if m.schedule(n, c); c.slot != slot {
				continue // packets came since: it has moved to a later slot
			}
			m.stats.Evicted++
			m.end(n, endResources)
			return true
		}
	}
	return false
}

// end writes the conversation's last row and forgets it.
func (m *Meter) end(n uint32, reason endReason) {
	c := m.table.at(n)
	if c.followed {
		f := m.observer.End(c.conn)
		m.found(n, c, &f)
	}
	if c.packets() > 0 && !m.fold(c, reason) {
		m.emit(n, c, reason, true)
	}
	if c.named {
		delete(m.names, n)
	}
	if c.tunnelled {
		delete(m.outer, n)
	}
	m.table.remove(n)
}

// Cut writes a row for every live piece, so that all packets so far are in
// rows; next is the time of the packet that follows. Conversations that are
// over by then end. The others go on, their next packets start new pieces; one
// that gets no further packet has no row marked as its last.
func (m *Meter) Cut(next int64) error {
	m.releaseAll()
	if ahead := next - m.clock; m.started && ahead > 0 && ahead <= quiet {
		m.advance(next)
	}
	m.table.all(m.second, func(n uint32) {
		if c := m.table.at(n); c.packets() > 0 {
			m.emit(n, c, endForced, false)
		}
	})
	m.emitFolds()
	m.flushAllOthers()
	m.flushRates()
	return m.err
}

// Close ends all conversations and writes everything that is left.
func (m *Meter) Close() error {
	m.releaseAll()
	m.table.all(m.second, func(n uint32) {
		c := m.table.at(n)
		reason := c.overAt(&m.cfg, m.clock)
		switch {
		case reason != endNone:
		case c.tcp.closed():
			reason = endEnd
		default:
			reason = endCapture
		}
		m.end(n, reason)
	})
	m.closeFolds()
	m.flushAllOthers()
	m.flushRates()
	if m.observer != nil {
		if err := m.observer.Flush(); m.err == nil {
			m.err = err
		}
	}
	return m.err
}

// seconds rounds nanoseconds down, also before 1970.
func seconds(ns int64) int64 {
	s := ns / 1e9
	if ns%1e9 < 0 {
		s--
	}
	return s
}
