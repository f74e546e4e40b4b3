package collector

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// NetFlow version 9 (RFC 3954): a header of 20 octets and flow sets. Number 0
// holds templates, 1 options templates, from 256 on data of that template.
// The header's count of records is not needed to find them.
const (
	v9Header          = 20
	v9Templates       = 0
	v9OptionTemplates = 1
	setHeader         = 4
)

func (w *work) netflow9() {
	b := w.data
	if len(b) < v9Header {
		w.unknown("NetFlow v9 datagram shorter than its header")
		return
	}
	seq := binary.BigEndian.Uint32(b[12:])
	s := w.open(streamKey{source: sourceNetFlow9, domain: binary.BigEndian.Uint32(b[16:])}, seq)
	if s == nil {
		return
	}
	h := header{
		received: w.received,
		export:   tables.Time(binary.BigEndian.Uint32(b[8:])) * 1e6,
		uptime:   binary.BigEndian.Uint32(b[4:]),
	}
	s.clock(h.export, w.received)
	s.sequence.take(seq, 1, w.received, &s.counts)
	w.sets(&h, b[v9Header:])
}

// sets decodes the sets of a datagram, of either version. It returns how many
// data records they held, and whether all of them could be counted.
func (w *work) sets(h *header, b []byte) (records int, counted bool) {
	ipfix := w.s.source == sourceIPFIX
	counted = true
	for len(b) >= setHeader {
		id, length := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if length < setHeader {
			if !zeros(b) {
				w.undecodable(len(b), "set shorter than its header")
				counted = false
			}
			return records, counted
		}
		cut := length > len(b)
		body := b[setHeader:min(length, len(b))]
		switch {
		case id >= firstTemplate:
			t := w.e.template(w.s, id)
			if t == nil && len(body) == 0 {
				break
			}
			if t == nil {
				w.wait(id, h, body)
				counted = false
				break
			}
			records += w.dataSet(t, h, body)
		case ipfix && id == ipfixTemplates:
			w.templateSet(body)
		case ipfix && id == ipfixOptionTemplates:
			w.ipfixOptionTemplates(body)
		case !ipfix && id == v9Templates:
			w.templateSet(body)
		case !ipfix && id == v9OptionTemplates:
			w.v9OptionTemplates(body)
		default:
			w.undecodable(len(body), "set of an unknown kind")
		}
		if cut {
			w.undecodable(0, "set longer than its datagram")
			return records, false
		}
		b = b[length:]
	}
	if !padding(b) {
		w.undecodable(len(b), "bytes after the last set")
	}
	return records, counted
}

// templateSet reads the templates of a set.
func (w *work) templateSet(b []byte) {
	for len(b) >= 4 {
		id, count := binary.BigEndian.Uint16(b), int(binary.BigEndian.Uint16(b[2:]))
		if count == 0 {
			if w.s.source == sourceIPFIX && id != 0 {
				w.withdraw(id, false)
			} else if !zeros(b) {
				w.undecodable(len(b), "template without fields")
				return
			}
			b = b[4:]
			continue
		}
		fields, rest := parseFields(w.s.source, b[4:], count)
		if fields == nil {
			w.undecodable(len(b), "template cut off")
			return
		}
		w.learn(id, false, 0, b[4:len(b)-len(rest)], fields)
		b = rest
	}
}

// v9OptionTemplates reads the options templates of a flow set. The lengths in
// them are of octets, not of fields.
func (w *work) v9OptionTemplates(b []byte) {
	for len(b) >= 6 {
		id := binary.BigEndian.Uint16(b)
		scopes, options := int(binary.BigEndian.Uint16(b[2:])), int(binary.BigEndian.Uint16(b[4:]))
		if scopes+options == 0 || scopes%4 != 0 || options%4 != 0 {
			if !zeros(b) {
				w.undecodable(len(b), "options template of broken length")
			}
			return
		}
		fields, rest := parseFields(sourceNetFlow9, b[6:], (scopes+options)/4)
		if fields == nil {
			w.undecodable(len(b), "options template cut off")
			return
		}
		w.learn(id, true, scopes/4, b[6:len(b)-len(rest)], fields)
		b = rest
	}
}
