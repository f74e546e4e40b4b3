package collector

import (
	"bytes"
	"encoding/binary"
	"strconv"

	"github.com/wiresql/wiresql/tables"
)

const (
	// variable is the length of a field whose records say it themselves (RFC 7011
	// section 7). NetFlow v9 has no such fields, but H3C sends them; a field of so
	// many octets fits no datagram.
	variable = 0xffff
	// maxFields bounds a template; real ones have up to about a hundred.
	maxFields = 1024
	// maxFieldsPerTemplate is the share of fields a template may have of an
	// exporter's, on average.
	maxFieldsPerTemplate = 16
	// firstTemplate is the lowest number of a template; below are the sets
	// that hold templates.
	firstTemplate = 256
)

// field is a field of a template.
type field struct {
	elementID
	length uint16
}

// span is where a field's octets are in a record.
type span struct{ at, length uint16 }

// op is what is done with a field of a record.
type op struct {
	code  opcode
	field uint16
}

// template is a template, compiled: what to do with each field is decided when
// it is learnt, not when a record comes.
type template struct {
	source   source
	id       uint16
	scopes   int    // fields in front that say what an options record is about
	options  bool   // its records describe the exporter
	raw      []byte // the field specifiers as sent
	fields   []field
	walk     []uint16 // the fields that have octets: as many as a record has, at most
	size     int      // of a record, when all fields have a fixed length; else 0
	minimum  int      // of a record
	spans    []span
	ops      []op
	extra    []extraField
	res      int32 // of its times, microseconds
	learnt   tables.Time
	used     bool
	scope9   bool // the scopes are NetFlow v9's, not elements
	sampling bool // its records say their sampling rate
}

// parseFields reads count field specifiers: an element and a length, and in
// IPFIX the enterprise when the first bit says so. It returns nil when there
// are fewer.
func parseFields(src source, b []byte, count int) (fields []field, rest []byte) {
	if count < 0 || count > len(b)/4 {
		return nil, nil
	}
	fields = make([]field, count)
	for i := range fields {
		if len(b) < 4 {
			return nil, nil
		}
		f := field{elementID{0, binary.BigEndian.Uint16(b)}, binary.BigEndian.Uint16(b[2:])}
		b = b[4:]
		if src == sourceIPFIX && f.id&0x8000 != 0 {
			if len(b) < 4 {
				return nil, nil
			}
			f.id &= 0x7fff
			f.pen = binary.BigEndian.Uint32(b)
			b = b[4:]
		}
		fields[i] = f
	}
	return fields, b
}

// newTemplate compiles a template, or says why it can't be one.
func newTemplate(src source, id uint16, options bool, scopes int, raw []byte, fields []field) (t *template, why string) {
	t = &template{source: src, id: id, options: options, scopes: scopes, fields: fields, res: 1}
	t.scope9 = src == sourceNetFlow9
	switch {
	case id < firstTemplate:
		return nil, "template number below 256"
	case len(fields) > maxFields:
		return nil, "template of more than 1024 fields"
	case scopes > len(fields):
		return nil, "options template of more scopes than fields"
	}
	fixed := true
	t.spans = make([]span, len(fields))
	for i, f := range fields {
		if f.length > 0 {
			t.walk = append(t.walk, uint16(i))
		}
		if f.length == variable {
			fixed = false
			t.minimum++ // its length takes one octet
			continue
		}
		t.spans[i] = span{uint16(t.minimum), f.length}
		if t.minimum += int(f.length); t.minimum > 0xffff {
			return nil, "template of records longer than a datagram"
		}
	}
	if t.minimum == 0 {
		return nil, "template of records without octets"
	}
	if fixed {
		t.size = t.minimum
	}
	t.raw = bytes.Clone(raw)
	if !options {
		t.compile()
	}
	return t, ""
}

// compile decides what each field does. A field fills the column it is best
// for; one that does not goes to extra.
func (t *template) compile() {
	var best [slots]int // the field that fills a slot, +1
	for i, f := range t.fields {
		c, known := columns[f.elementID]
		if !known || c.slot == slotNone || !t.fits(i, c) {
			continue
		}
		if b := best[c.slot]; b == 0 || c.rank < columns[t.fields[b-1].elementID].rank {
			best[c.slot] = i + 1
		}
	}
	customer := best[slotVLAN] > 0 && t.fields[best[slotVLAN]-1].id == 245
	names := map[string]int{}
	done := map[elementID]bool{}
	for i, f := range t.fields {
		c, known := columns[f.elementID]
		first := !done[f.elementID]
		done[f.elementID] = true
		switch {
		case f.length == 0:
			continue
		case !known || !t.fits(i, c) || !first && c.op != opIgnore:
		case c.slot == slotNone || best[c.slot] == i+1:
			t.add(c.op, i)
			if w, conditional := extraConditions[f.elementID]; !conditional || w == extraNonzero {
				continue
			}
		case c.slot.redundant():
			continue
		case customer && f.id == 243 && f.pen == 0:
			t.add(opOuterVLAN, i) // the provider's tag around the customer's
			continue
		}
		// YAF splits the flags of the first packet from those of the rest.
		if f.pen == penCERT && f.id&^certReverse == initialTCPFlags && integer.fit(f.length) {
			s, o := slotTCPFlags, opUnionTCPFlags
			if f.id&certReverse != 0 {
				s, o = slotReverseTCPFlags, opReverseUnionTCPFlags
			}
			if b := best[s]; b == 0 || t.fields[b-1].pen == penCERT {
				t.add(o, i)
			}
		}
		e := f.lookup()
		names[e.name]++
		if n := names[e.name]; n > 1 {
			e.name += "#" + strconv.Itoa(n)
		}
		if e.kind == kindOctets && f.length > 8 { // variable too; shorter ones may be numbers
			e.kind = kindText
		}
		when := extraConditions[f.elementID]
		if e.kind == kindString {
			when = extraNonzero
		}
		t.extra = append(t.extra, extraField{i, strconv.Quote(e.name) + ":", e.kind, when})
	}
}

// fits tells whether a field has a length its column takes.
func (t *template) fits(i int, c column) bool {
	f := t.fields[i]
	if f.length == variable {
		return c.lengths == anything
	}
	return c.lengths.fit(f.length)
}

// add appends an operation.
func (t *template) add(o opcode, i int) {
	if o == opIgnore {
		return
	}
	t.ops = append(t.ops, op{o, uint16(i)})
	switch o {
	case opInterval, opPacketInterval, opPacketSpace, opSamplingSize, opSamplingPopulation:
		t.sampling = true
	case opStartSeconds, opEndSeconds, opObservedSeconds:
		t.res = 1e6
	case opStartMillis, opEndMillis, opObservedMillis, opStartUptime, opEndUptime, opDurationMillis:
		t.res = max(t.res, 1000)
	}
}

// place finds the fields of a record of variable length at the start of b: it
// fills spans, and returns the record's length, 0 when b ends within it.
func (t *template) place(b []byte, spans []span) (size int) {
	at := 0
	for _, i := range t.walk {
		n := int(t.fields[i].length)
		if n == variable {
			if at >= len(b) {
				return 0
			}
			n = int(b[at])
			at++
			if n == 255 { // the length is in the next two octets
				if len(b)-at < 2 {
					return 0
				}
				n = int(binary.BigEndian.Uint16(b[at:]))
				at += 2
			}
		}
		if n > len(b)-at {
			return 0
		}
		spans[i] = span{uint16(at), uint16(n)}
		at += n
	}
	return at
}

// learn takes up a template of the stream at hand; one that says the same as
// the one known only makes it last.
func (w *work) learn(id uint16, options bool, scopes int, raw []byte, fields []field) {
	s, e, d := w.s, w.e, w.d
	old := s.templates[id]
	if old != nil && old.options == options && old.scopes == scopes && bytes.Equal(old.raw, raw) {
		old.learnt = w.received
		return
	}
	t, why := newTemplate(s.source, id, options, scopes, raw, fields)
	if t == nil {
		w.undecodable(len(raw), why)
		return
	}
	t.learnt = w.received
	if old != nil {
		d.dropTemplate(e, s, id)
	}
	if !d.keep(e, s, t) {
		w.undecodable(len(raw), "more templates than are kept")
		return
	}
	s.counts.Templates++
	w.ready(id, t)
}

// keep files a template with its stream, unless there are too many.
func (d *Decoder) keep(e *exporter, s *stream, t *template) bool {
	n := len(t.fields)
	if e.templates >= d.cfg.MaxTemplates || e.fields+n > d.cfg.MaxTemplates*maxFieldsPerTemplate {
		return false
	}
	if !reserve(&d.templates, d.maxTemplates, 1, e.trusted) {
		return false
	}
	if !reserve(&d.fields, d.maxFields, int64(n), e.trusted) {
		d.templates.Add(-1)
		return false
	}
	if s.templates == nil {
		s.templates = map[uint16]*template{}
	}
	s.templates[t.id] = t
	e.templates++
	e.fields += n
	d.changed.Store(true)
	return true
}

// dropTemplate forgets a template of a stream.
func (d *Decoder) dropTemplate(e *exporter, s *stream, id uint16) {
	t := s.templates[id]
	if t == nil {
		return
	}
	delete(s.templates, id)
	n := len(t.fields)
	e.templates--
	e.fields -= n
	d.templates.Add(-1)
	d.fields.Add(int64(-n))
	d.changed.Store(true)
}

// unusedTime is how long a template no record used is kept when there are
// nearly too many.
const unusedTime = tables.Time(60e6)

// expireTemplates forgets the templates of a stream that were not announced
// for too long.
func (d *Decoder) expireTemplates(e *exporter, s *stream, now tables.Time) {
	ttl := tables.Time(d.cfg.TemplateTTL.Microseconds())
	crowded := d.templates.Load() > d.maxTemplates*3/8 || d.fields.Load() > d.maxFields*3/8
	for id, t := range s.templates {
		if t.learnt == 0 { // of the last run
			t.learnt = now
		}
		age := now - t.learnt
		if age > ttl || crowded && age > unusedTime && !t.used {
			d.dropTemplate(e, s, id)
		}
	}
}
