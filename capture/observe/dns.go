package observe

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"github.com/wiresql/wiresql/tables"
)

// Bounds of one DNS message.
const (
	maxRecords = 512  // per section; 64 KiB could hold 5,900
	maxAnswers = 4096 // bytes of dns.answers
	maxName    = 255  // bytes of a name on the wire (RFC 1035 section 2.3.4)
)

// Types of DNS records that are more than a name in an enumeration here.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeSRV   = 33
	typeDNAME = 39
	typeOPT   = 41
)

// question tells which query an answer belongs to.
type question struct {
	site                   string
	client, server         tables.Addr
	clientPort, serverPort uint16
	id, qtype              uint16
	name                   string
}

func hashQuestion(q question) uint64 {
	h := mix(mix(mix(mix(secret, q.client.Hi), q.client.Lo), q.server.Hi), q.server.Lo)
	h = mix(h, uint64(q.clientPort)|uint64(q.serverPort)<<16|uint64(q.id)<<32|uint64(q.qtype)<<48)
	return xxh3.HashStringSeed(q.name, h)
}

// message is the part of a DNS message that is used.
type message struct {
	id          uint16
	response    bool
	opcode      uint8
	rcode       uint16
	hasQuestion bool
	name        string // asked for; folded
	raw         string // the same as it was asked
	length      int    // of it on the wire, see readRawName
	qtype       uint16
	answers     []record
	additional  []record
	texts       texts
}

// record is a resource record.
type record struct {
	owner string // folded
	rtype uint16
	class uint16 // without multicast DNS's cache-flush bit
	ttl   uint32
	text  string // data in presentation form, names folded
	addr  tables.Addr
}

// observeDNS pairs queries and answers and learns names from answers.
func (o *Observer) observeDNS(p *Packet) {
	o.queries.expire(p.TS, o.unanswered)
	o.answered.expire(p.TS, nil)
	m, h := &o.message, p.Header
	whole := m.decode(p.Payload)
	if !whole {
		o.stats.Malformed++
	}
	if !m.hasQuestion && !m.response || !whole && !m.hasQuestion {
		return
	}
	ts, packet := tables.TimeOf(p.TS), tables.Opt[tables.ID]{V: p.ID, Set: p.Kept}
	row := &o.dns
	*row = tables.DNS{TS: ts, Sensor: p.Sensor, Site: p.Site, Client: h.Src, Server: h.Dst, Protocol: int32(h.Protocol),
		FlowID: p.FlowID, ConnID: p.ConnID, Opcode: tables.DNSOpcodeName(m.opcode), Retransmitted: tables.Some(false)}
	key := question{p.Site, h.Src, h.Dst, h.SrcPort, h.DstPort, m.id, m.qtype, m.name}
	if m.response {
		row.Client, row.Server = h.Dst, h.Src
		key.client, key.server, key.clientPort, key.serverPort = h.Dst, h.Src, h.DstPort, h.SrcPort
	}
	again := false
	if m.hasQuestion {
		m.ask(row)
		again = o.answered.get(key) != nil
		row.Retransmitted.V = again
	}
	asked := o.queries.get(key)
	if !m.response {
		if asked != nil { // asked again before the answer
			o.unanswered(asked)
			o.queries.remove(key)
			row.Retransmitted.V = true
		}
		row.QueryPacketID = packet
		if o.queries.put(key, *row, p.TS, o.unanswered) {
			o.stats.Evicted++
		}
		return
	}

	if m.hasQuestion && asked != nil {
		*row = *asked
		o.queries.remove(key)
		if !again {
			o.answered.put(key, struct{}{}, p.TS, nil)
		}
		if ts >= row.TS {
			row.RTTUs = tables.Some(int64(ts - row.TS))
		}
	}
	row.RCode, row.AnswerPacketID = tables.DNSRCodeName(m.rcode), packet
	row.Answers = m.answersText()
	for i := range m.answers {
		if ttl := int64(m.answers[i].ttl); !row.TTL.Set || ttl < row.TTL.V {
			row.TTL = tables.Some(ttl)
		}
	}
	o.writeDNS(row)
	if m.opcode != 0 {
		return
	}
	for i := range m.answers {
		r := &m.answers[i]
		o.answer = tables.DNSAnswer{TS: ts, Sensor: row.Sensor, Site: row.Site, Client: row.Client, Server: row.Server, Query: row.Query,
			Name: r.owner, Type: tables.DNSTypeName(r.rtype), Data: cutText(r.text, maxAnswers),
			Address: tables.Opt[tables.Addr]{V: r.addr, Set: r.addr != tables.Addr{}}, TTL: int64(r.ttl), PacketID: packet, FlowID: p.FlowID, ConnID: p.ConnID}
		o.write(&o.answer)
	}
	if m.rcode == 0 && m.hasQuestion {
		o.learn(p, tables.SourceDNS, m.answers, chain(m.name, m.answers))
	}
}

// dnsReader reads DNS over TCP (RFC 7766): messages, each after its length.
type dnsReader struct {
	Of   Peers
	Done bool
}

func (r *dnsReader) over() bool                               { return r.Done }
func (r *dnsReader) opens() bool                              { return false }
func (r *dnsReader) holds() int                               { return 128 }
func (r *dnsReader) end(*Observer)                            { r.Done = true }
func (r *dnsReader) lack(_ *Observer, _ int, _ []byte, _ int) { r.Done = true }

func (r *dnsReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	for rest := b; len(rest) >= 2; rest = b[used:] {
		n := 2 + int(binary.BigEndian.Uint16(rest))
		if n > len(rest) {
			break
		}
		h := tables.Header{IP: true, Protocol: tables.ProtocolTCP, Src: r.Of.Client, Dst: r.Of.Server, SrcPort: r.Of.ClientPort, DstPort: r.Of.ServerPort}
		if side == 1 {
			h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
		}
		o.observeDNS(&Packet{TS: from.TS, Header: &h, Payload: rest[2:n], FlowID: from.FlowID, ConnID: r.Of.Conn,
			Sensor: r.Of.Sensor, Site: r.Of.Site, ID: from.PacketID, Kept: from.Kept})
		used += n
	}
	return used
}

// beginsDNS recognises a first message over TCP, of a port that is DNS's.
func beginsDNS(b []byte) kind {
	switch {
	case len(b) < 14:
		return undecided
	case binary.BigEndian.Uint16(b) >= 12 && b[4]>>3&15 <= 6 && b[5]&0x40 == 0 && binary.BigEndian.Uint16(b[6:]) == 1:
		return dnsOverTCP
	}
	return unknown
}

// ask puts the question into a row.
func (m *message) ask(row *tables.DNS) {
	row.Query, row.QType = m.name, tables.DNSTypeName(m.qtype)
	if m.raw != m.name {
		row.QueryRaw = m.raw
	}
	if m.name == "" || m.length != utf8.RuneCountInString(m.name) {
		row.QueryLength = tables.Some(int32(m.length))
	}
}

// unanswered writes a query whose answer is no longer awaited.
func (o *Observer) unanswered(d *tables.DNS) {
	o.stats.Unanswered++
	o.writeDNS(d)
}

// observeMulticastDNS learns names from the answers of RFC 6762.
func (o *Observer) observeMulticastDNS(p *Packet) {
	m := &o.message
	if !m.decode(p.Payload) {
		o.stats.Malformed++
	}
	if !m.response || m.opcode != 0 || m.rcode != 0 {
		return
	}
	for _, section := range [][]record{m.answers, m.additional} {
		kept := section[:0]
		for _, r := range section {
			if r.ttl > 0 { // 0 is a goodbye
				kept = append(kept, r)
			}
		}
		o.learn(p, tables.SourceDNS, kept, nil)
	}
}

// owners are the names whose addresses a message tells.
type owners struct {
	asked string
	more  map[string]bool // what its aliases lead to
}

func (o *owners) has(name string) bool { return name == o.asked || o.more[name] }

// chain returns the owners whose addresses are those of name: name itself and
// what its aliases in records lead to. A record outside it does not answer the
// question and is not believed.
func chain(name string, records []record) *owners {
	all := &owners{asked: name}
	for range 8 { // servers put aliases in order; the repetition is for those that do not
		n := len(all.more)
		for i := range records {
			if r := &records[i]; r.rtype == typeCNAME && all.has(r.owner) {
				if all.more == nil {
					all.more = map[string]bool{}
				}
				all.more[r.text] = true
			}
		}
		if len(all.more) == n {
			break
		}
	}
	return all
}

// learn writes a name for each address record: the name asked for, which is
// what people know, not the end of the chain of aliases. Without owners
// (multicast DNS asks nothing) it is each record's own.
func (o *Observer) learn(p *Packet, source string, records []record, of *owners) {
	ts := tables.TimeOf(p.TS)
	for i := range records {
		r := &records[i]
		if r.class != 1 || of != nil && !of.has(r.owner) {
			continue
		}
		name, addr := r.owner, r.addr
		switch r.rtype {
		case typeA, typeAAAA:
			if of != nil {
				name = of.asked
			}
		case typePTR:
			reverse := r.owner
			if of != nil {
				reverse = of.asked // RFC 2317 delegates by aliases
			}
			var ok bool
			if addr, ok = parseReverse(reverse); !ok {
				continue
			}
			name = r.text
		default:
			continue
		}
		if name == "" || len(name) > tables.MaxHost || !isHost(addr) {
			continue
		}
		o.name = tables.Name{TS: ts, Name: name, Addr: addr, Source: source,
			ValidUntil: until(ts, max(int64(r.ttl), 3600)), Sensor: p.Sensor, Site: p.Site}
		o.writeName(&o.name)
	}
}

// isHost tells whether an address can be one host's: blockers answer with ::
// or loopback for every name.
func isHost(a tables.Addr) bool {
	ip := a.Netip()
	return !ip.IsUnspecified() && !ip.IsLoopback() && !ip.IsMulticast()
}

// decode reads a message. It returns false when the message ends early or
// breaks the rules; what was read until then stands.
func (m *message) decode(b []byte) bool {
	*m = message{answers: m.answers[:0], additional: m.additional[:0], texts: m.texts}
	if len(b) < 12 {
		return false
	}
	m.id = binary.BigEndian.Uint16(b)
	m.response = b[2]&0x80 != 0
	m.opcode = b[2] >> 3 & 15
	m.rcode = uint16(b[3] & 15)
	at := 12
	for range binary.BigEndian.Uint16(b[4:]) {
		raw, length, next, ok := m.texts.readRawName(b, at)
		if !ok || next+4 > len(b) {
			return false
		}
		if !m.hasQuestion {
			m.hasQuestion, m.name, m.raw, m.length = true, tables.FoldCase(raw), raw, length
			m.qtype = binary.BigEndian.Uint16(b[next:])
		}
		at = next + 4
	}
	for section := range 3 {
		for n := range int(binary.BigEndian.Uint16(b[6+2*section:])) {
			var r record
			next, ok := m.record(&r, b, at, section != 1)
			if !ok || n == maxRecords {
				return false
			}
			at = next
			switch {
			case r.rtype == typeOPT:
				m.rcode |= uint16(r.ttl>>24) << 4
			case section == 0:
				m.answers = append(m.answers, r)
			case section == 2:
				m.additional = append(m.additional, r)
			}
		}
	}
	return true
}

// record reads one record at offset at and returns the offset behind it. The
// text is made only when wanted.
func (m *message) record(r *record, b []byte, at int, want bool) (next int, ok bool) {
	if want && at+1 < len(b) && b[at] == 0xc0 && b[at+1] == 12 && m.hasQuestion {
		r.owner, at, ok = m.name, at+2, true // most are of the name that was asked for
	} else if want {
		r.owner, at, ok = m.texts.readName(b, at)
	} else {
		at, ok = skipName(b, at)
	}
	if !ok || at+10 > len(b) {
		return 0, false
	}
	r.rtype = binary.BigEndian.Uint16(b[at:])
	r.class = binary.BigEndian.Uint16(b[at+2:]) & 0x7fff
	r.ttl = binary.BigEndian.Uint32(b[at+4:])
	if r.ttl > 1<<31-1 && r.rtype != typeOPT {
		r.ttl = 0 // RFC 2181 section 8
	}
	length := int(binary.BigEndian.Uint16(b[at+8:]))
	at += 10
	if at+length > len(b) {
		return 0, false
	}
	next = at + length
	if want && r.rtype != typeOPT {
		if r.text, ok = r.data(&m.texts, b, at, next); !ok {
			r.text = unknownData(b[at:next])
		}
	}
	return next, true
}

// data returns the presentation form of the data b[at:end], or false when it
// is not what the type says. Names in it may point before at.
func (r *record) data(t *texts, b []byte, at, end int) (string, bool) {
	var buffer [64]byte
	d := b[at:end]
	switch r.rtype {
	case typeA:
		if len(d) != 4 {
			return "", false
		}
		r.addr = tables.AddrFrom4(d)
		return t.of(r.addr.AppendTo(buffer[:0])), true
	case typeAAAA:
		if len(d) != 16 {
			return "", false
		}
		r.addr = tables.AddrFrom16(d)
		return t.of(r.addr.AppendTo(buffer[:0])), true
	case typeCNAME, typeNS, typePTR, typeDNAME:
		return t.fieldsAndName(b, at, end, 0)
	case typeMX:
		return t.fieldsAndName(b, at, end, 1)
	case typeSRV:
		return t.fieldsAndName(b, at, end, 3)
	case typeTXT:
		return quoted(d)
	case typeSOA:
		primary, next, ok := t.readName(b, at)
		if !ok {
			return "", false
		}
		mailbox, next, ok := t.readName(b, next)
		if !ok || next+20 != end {
			return "", false
		}
		text := []byte(primary + " " + mailbox)
		for ; next < end; next += 4 {
			text = append(text, ' ')
			text = strconv.AppendUint(text, uint64(binary.BigEndian.Uint32(b[next:])), 10)
		}
		return string(text), true
	}
	return "", false
}

// fieldsAndName reads n 16-bit numbers and a name.
func (t *texts) fieldsAndName(b []byte, at, end, n int) (string, bool) {
	if at+2*n > end {
		return "", false
	}
	var text []byte
	for range n {
		text = strconv.AppendUint(text, uint64(binary.BigEndian.Uint16(b[at:])), 10)
		text = append(text, ' ')
		at += 2
	}
	name, next, ok := t.readName(b, at)
	if !ok || next != end {
		return "", false
	}
	return string(text) + name, true
}

// quoted returns the strings of a TXT record, each in quotes.
func quoted(d []byte) (string, bool) {
	var text []byte
	for len(d) > 0 {
		n := int(d[0])
		if 1+n > len(d) {
			return "", false
		}
		if text != nil {
			text = append(text, ' ')
		}
		text = append(text, '"')
		text = appendEscaped(text, d[1:1+n], '"')
		text = append(text, '"')
		d = d[1+n:]
	}
	return string(text), true
}

// unknownData is the presentation form of RFC 3597 section 5.
func unknownData(d []byte) string {
	text := append([]byte(`\# `), strconv.Itoa(len(d))...)
	if len(d) > 0 {
		text = append(text, ' ')
		text = hex.AppendEncode(text, d[:min(len(d), maxAnswers/2)])
	}
	return string(text)
}

// answersText joins the answers; one that would pass the limit and those
// after it are left out.
func (m *message) answersText() string {
	if len(m.answers) == 1 {
		return cutText(m.answers[0].text, maxAnswers)
	}
	var text []byte
	for i := range m.answers {
		if i > 0 {
			if len(text)+1+len(m.answers[i].text) > maxAnswers {
				break
			}
			text = append(text, ',')
		}
		text = append(text, cutText(m.answers[i].text, maxAnswers)...)
	}
	return string(text)
}

// cutText cuts s to at most n bytes, not within a character.
func cutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.Clone(s[:n]) // who keeps it holds nothing of the rest
}
