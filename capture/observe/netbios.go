package observe

import (
	"encoding/binary"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// NetBIOS names over UDP 137 (RFC 1002 section 4.2): machines register theirs,
// and answer who asks for them.

const (
	portNetBIOS = 137
	portLLMNR   = 5355

	typeNB     = 0x20
	typeNBSTAT = 0x21
	// Of the flags of a message and of a name.
	nbRegistration = 5 // opcode
	nbRefresh      = 8
	nbRefreshAlt   = 9
	nbGroup        = 0x8000
	// The sixteenth character: what the name stands for ([MS-BRWS], Microsoft
	// KB 163409).
	nbWorkstation = 0x00
	nbFileServer  = 0x20
	// nbName is the length of a name, half of that of its encoding (RFC 1001
	// section 14.1).
	nbName = 16
)

// observeNetBIOS learns the names of machines, not those of groups and services.
func (o *Observer) observeNetBIOS(p *Packet) {
	b := p.Payload
	if len(b) < 12 {
		o.stats.Malformed++
		return
	}
	flags := binary.BigEndian.Uint16(b[2:])
	response, opcode := flags&0x8000 != 0, flags>>11&15
	counts := [4]uint16{}
	for i := range counts {
		counts[i] = binary.BigEndian.Uint16(b[4+2*i:])
	}
	records := int(counts[1]) // answers
	switch {
	case response && flags&15 == 0 && opcode == 0:
	case !response && (opcode == nbRegistration || opcode == nbRefresh || opcode == nbRefreshAlt):
		records = int(counts[3]) // what is registered stands in the additional section
	default:
		return
	}
	at := 12
	for range min(int(counts[0]), maxRecords) {
		_, _, next, ok := nbNameAt(b, at)
		if !ok || next+4 > len(b) {
			o.stats.Malformed++
			return
		}
		at = next + 4
	}
	for range min(records, maxRecords) {
		name, suffix, next, ok := nbNameAt(b, at)
		if !ok || next+10 > len(b) || next+10+int(binary.BigEndian.Uint16(b[next+8:])) > len(b) {
			o.stats.Malformed++
			return
		}
		kind, ttl := binary.BigEndian.Uint16(b[next:]), int64(binary.BigEndian.Uint32(b[next+4:]))
		data := b[next+10:][:binary.BigEndian.Uint16(b[next+8:])]
		at = next + 10 + len(data)
		switch kind {
		case typeNB:
			for ; len(data) >= 6; data = data[6:] {
				if binary.BigEndian.Uint16(data)&nbGroup == 0 && (suffix == nbWorkstation || suffix == nbFileServer) {
					o.writeNetBIOS(p, name, tables.AddrFrom4(data[2:6]), ttl)
				}
			}
		case typeNBSTAT:
			o.learnStatus(p, data)
		}
	}
}

// learnStatus reads the list of names a machine answers with: it is the first of
// its own (RFC 1002 section 4.2.18).
func (o *Observer) learnStatus(p *Packet, b []byte) {
	if len(b) == 0 {
		return
	}
	n := int(b[0])
	for b = b[1:]; n > 0 && len(b) >= nbName+2; n, b = n-1, b[nbName+2:] {
		if b[nbName-1] == nbWorkstation && binary.BigEndian.Uint16(b[nbName:])&nbGroup == 0 {
			o.writeNetBIOS(p, nbText(b[:nbName-1]), p.Header.Src, 0)
			return
		}
	}
}

func (o *Observer) writeNetBIOS(p *Packet, name string, addr tables.Addr, ttl int64) {
	if name == "" || !isHost(addr) {
		return
	}
	ts := tables.TimeOf(p.TS)
	o.writeName(&tables.Name{TS: ts, Name: name, Addr: addr, Source: tables.SourceNetBIOS,
		ValidUntil: until(ts, ttl), Sensor: p.Sensor, Site: p.Site})
}

// nbNameAt reads an encoded name, of one label of 32 letters and those of a
// scope, or a pointer to one (RFC 1002 section 4.1).
func nbNameAt(b []byte, at int) (name string, suffix byte, next int, ok bool) {
	if at+2 <= len(b) && b[at]&0xc0 == 0xc0 {
		to := int(binary.BigEndian.Uint16(b[at:]) & 0x3fff)
		if to+2 > len(b) || b[to]&0xc0 == 0xc0 { // to a pointer: none does that
			return "", 0, 0, false
		}
		name, suffix, _, ok = nbNameAt(b, to)
		return name, suffix, at + 2, ok
	}
	if at+1+2*nbName > len(b) || b[at] != 2*nbName {
		return "", 0, 0, false
	}
	var raw [nbName]byte
	for i := range raw {
		hi, lo := b[at+1+2*i]-'A', b[at+2+2*i]-'A'
		if hi > 15 || lo > 15 {
			return "", 0, 0, false
		}
		raw[i] = hi<<4 | lo
	}
	next = at + 1 + 2*nbName
	for next < len(b) && b[next] != 0 { // the scope
		if b[next]&0xc0 != 0 {
			return "", 0, 0, false
		}
		next += 1 + int(b[next])
	}
	if next >= len(b) {
		return "", 0, 0, false
	}
	return nbText(raw[:nbName-1]), raw[nbName-1], next + 1, true
}

// nbText is a name without what fills it up. Those of browsing and of all
// machines are no names of one.
func nbText(b []byte) string {
	s := strings.TrimRight(string(b), " \x00")
	if strings.HasPrefix(s, "\x01\x02__MSBROWSE__") || s == "*" || strings.HasPrefix(s, "*") {
		return ""
	}
	return hostName([]byte(s))
}

// observeLLMNR learns names from answers of RFC 4795, which are DNS messages.
func (o *Observer) observeLLMNR(p *Packet) {
	m := &o.message
	if !m.decode(p.Payload) {
		o.stats.Malformed++
	}
	if m.response && m.opcode == 0 && m.rcode == 0 && m.hasQuestion {
		o.learn(p, tables.SourceLLMNR, m.answers, chain(m.name, m.answers))
	}
}
