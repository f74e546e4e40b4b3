package collector

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// IPFIX (RFC 7011): a header of 16 octets and sets. Number 2 holds templates,
// 3 options templates, from 256 on data of that template.
const (
	ipfixHeader          = 16
	ipfixTemplates       = 2
	ipfixOptionTemplates = 3
)

func (w *work) ipfix() {
	b := w.data
	if len(b) < ipfixHeader || binary.BigEndian.Uint16(b) != 10 {
		w.unknown("IPFIX message shorter than its header")
		return
	}
	seq := binary.BigEndian.Uint32(b[8:])
	s := w.open(streamKey{source: sourceIPFIX, domain: binary.BigEndian.Uint32(b[12:])}, seq)
	if s == nil {
		return
	}
	h := header{received: w.received, export: tables.Time(binary.BigEndian.Uint32(b[4:])) * 1e6}
	s.clock(h.export, w.received)
	length := int(binary.BigEndian.Uint16(b[2:]))
	switch {
	case length < ipfixHeader:
		w.undecodable(len(b)-ipfixHeader, "IPFIX message length below its header's")
		b = b[:ipfixHeader]
	case length > len(b):
		w.undecodable(0, "IPFIX message cut off")
	case !zeros(b[length:]):
		w.undecodable(len(b)-length, "bytes after the IPFIX message")
		b = b[:length]
	default:
		b = b[:length]
	}
	options := s.counts.OptionsRecords
	records, counted := w.sets(&h, b[ipfixHeader:])
	flows := records - int(s.counts.OptionsRecords-options)
	s.count(seq, uint32(records), uint32(flows), counted && !w.bad, w.received)
}

// count accounts for an IPFIX message by the rule its exporter numbers them.
func (s *stream) count(seq, records, flows uint32, counted bool, now tables.Time) {
	q, n := &s.sequence, &s.numbering
	number, units, due, changed := n.next(seq, records, flows)
	switch {
	case changed && q.known && q.nholes == 0:
		q.next = due
	case !counted && n.rule >= allUpTo && q.known:
		number = q.next // the message's own number can't be told
	}
	q.take(number, units, now, &s.counts)
	if !counted {
		q.uncounted()
		n.forget()
	}
}

// ipfixOptionTemplates reads the options templates of a set.
func (w *work) ipfixOptionTemplates(b []byte) {
	for len(b) >= 4 {
		id, count := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if count == 0 {
			if id != 0 {
				w.withdraw(id, true)
			}
			b = b[4:]
			continue
		}
		if len(b) < 6 {
			break
		}
		scopes := int(binary.BigEndian.Uint16(b[4:]))
		fields, rest := parseFields(sourceIPFIX, b[6:], count)
		if fields == nil || scopes == 0 {
			w.undecodable(len(b), "options template cut off or without scope")
			return
		}
		w.learn(id, true, scopes, b[6:len(b)-len(rest)], fields)
		b = rest
	}
	if !padding(b) {
		w.undecodable(len(b), "options template cut off")
	}
}

// withdraw forgets a template, or all of a kind when it names the set they
// come in (RFC 7011 section 8.1).
func (w *work) withdraw(id uint16, options bool) {
	if id >= firstTemplate {
		w.d.dropTemplate(w.e, w.s, id)
		return
	}
	all := uint16(ipfixTemplates)
	if options {
		all = ipfixOptionTemplates
	}
	if id != all {
		w.undecodable(4, "withdrawal of no template")
		return
	}
	for id, t := range w.s.templates {
		if t.options == options {
			w.d.dropTemplate(w.e, w.s, id)
		}
	}
}
