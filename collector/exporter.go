package collector

import (
	"sync"

	"github.com/wiresql/wiresql/tables"
)

// source is the protocol of a stream.
type source uint8

const (
	sourceUnknown source = iota // of datagrams whose header says nothing we know
	sourceNetFlow5
	sourceNetFlow9
	sourceIPFIX
	sourceSFlow5
)

// The texts of source_type and sequence_unit.
var (
	sourceNames   = [...]string{"", tables.SourceNetFlow5, tables.SourceNetFlow9, tables.SourceIPFIX, tables.SourceSFlow5}
	sequenceUnits = [...]string{"", "flows", "packets", "records", "datagrams"}
)

// siblingTime is for how long a stream that has a twin on another port must be
// silent to be forgotten.
const siblingTime = tables.Time(60e6)

// exporter is what is known of one sender of datagrams. mu guards all of it.
type exporter struct {
	addr tables.Addr

	mu      sync.Mutex
	gone    bool // dropped from the decoder's map: look it up again
	streams map[streamKey]*stream
	count   int     // streams, siblings included
	last    *stream // of the previous datagram
	heard   tables.Time
	trusted bool // has brought flow records

	templates int // kept, of all streams
	fields    int // in them
	options   int // bytes, of all streams
	waiting   waitingSets
}

// streamKey names a stream among those of an exporter. agent is the zero
// address except for sFlow, where one sender may pass on what others measured.
type streamKey struct {
	source source
	agent  tables.Addr
	domain uint32
}

// stream is one sequence of datagrams: of one observation domain (v9's source
// id, v5's engine, sFlow's sub-agent) of one exporter. Two exporters behind
// one address that use the same domain are siblings, told apart by UDP port
// because their numbers do not follow on each other; templates are a stream's.
type stream struct {
	streamKey
	port uint16  // it sends from; 0: not known yet
	next *stream // sibling

	// row is what every row of the stream begins as.
	row      tables.Export
	override bool // of the sampling rate, by configuration
	sequence sequence
	// numbering is of IPFIX alone: what its sequence counts.
	numbering numbering
	counts    tables.Exporter // since reported
	reported  tables.Time     // 0: never
	created   tables.Time
	heard     tables.Time

	templates map[uint16]*template
	waiting   int // data sets
	options   options
	// whole is the stream of domain 0, if there is one: what its options say
	// holds for all domains (RFC 7011 section 3.1) that say nothing themselves.
	whole   *stream
	samples *sflowSamples // of sFlow
}

// open finds or makes the stream of a datagram numbered seq that came from
// port. It returns nil when the exporter has too many.
func (w *work) open(key streamKey, seq uint32) *stream {
	e, port := w.e, w.from.Port()
	s := e.last
	if s == nil || s.streamKey != key || s.port != port {
		if s = e.find(key, port, seq); s == nil {
			if s = w.d.newStream(e, key, w.received); s == nil {
				return nil
			}
		}
		s.port = port
		e.last = s
	}
	s.heard = w.received
	s.counts.Datagrams++
	s.counts.Bytes += int64(len(w.data))
	s.row.TimeReceived = tables.Some(w.received)
	w.s = s
	return s
}

// find looks a stream up: the one heard from that port before, else one whose
// port changed, which its number shows.
func (e *exporter) find(key streamKey, port uint16, seq uint32) *stream {
	first := e.streams[key]
	for s := first; s != nil; s = s.next {
		if s.port == port {
			return s
		}
	}
	for s := first; s != nil; s = s.next {
		if s.port == 0 || !s.sequence.known || s.sequence.continues(seq) {
			return s
		}
	}
	return nil
}

// newStream adds a stream, unless there are too many.
func (d *Decoder) newStream(e *exporter, key streamKey, now tables.Time) *stream {
	if e.count >= d.cfg.MaxStreams || d.streams.Load() >= d.maxStreams {
		return nil
	}
	s := &stream{streamKey: key, created: now, heard: now}
	s.row.SourceType = sourceNames[key.source]
	s.row.TimeQuality = tables.TimesOK
	s.row.Exporter = e.addr
	entry, _ := d.allowed.find(e.addr)
	if key.source == sourceSFlow5 {
		s.row.Exporter = key.agent
		if own, ok := d.allowed.find(key.agent); ok && own != (listed{}) {
			entry = own
		}
	}
	s.row.Observer, s.row.Site = entry.name, entry.site
	if s.row.Observer == "" {
		s.row.Observer = s.row.Exporter.String()
	}
	if s.override = entry.sampling > 0; s.override {
		s.row.Sampling = tables.Some(entry.sampling)
	}
	if key.source != sourceUnknown {
		s.row.Domain = tables.Some(int64(key.domain))
	}
	s.counts = s.blank(now)
	if e.streams == nil {
		e.streams = map[streamKey]*stream{}
	}
	s.next = e.streams[key]
	e.streams[key] = s
	e.linkWhole(key.source)
	e.count++
	d.streams.Add(1)
	return s
}

// linkWhole tells the streams of a protocol which of them is domain 0's.
func (e *exporter) linkWhole(src source) {
	if src != sourceNetFlow9 && src != sourceIPFIX {
		return
	}
	whole := e.streams[streamKey{source: src}]
	for key, first := range e.streams {
		if key.source != src {
			continue
		}
		for s := first; s != nil; s = s.next {
			if s.whole = whole; whole != nil && key.domain == 0 {
				s.whole = nil
			}
			s.setRate()
		}
	}
}

// setRate puts the sampling rate of rows that name no sampler into row.
func (s *stream) setRate() {
	if !s.override {
		s.row.Sampling = s.rate()
	}
}

// blank is an Exporter row of the stream before anything happened.
func (s *stream) blank(now tables.Time) tables.Exporter {
	return tables.Exporter{
		TS: now, TSEnd: now, Exporter: s.row.Exporter, Observer: s.row.Observer, Site: s.row.Site,
		SourceType: s.row.SourceType, Domain: s.row.Domain, SequenceUnit: sequenceUnits[s.source],
	}
}

// undecodable counts a datagram, or the rest of one, of n bytes.
func (w *work) undecodable(n int, why string) {
	if !w.bad {
		w.bad = true
		w.s.counts.Undecodable++
	}
	w.s.counts.UndecodedBytes += int64(n)
	w.s.counts.LastError = why
}

// exporterTime is for how long an exporter must be silent to make room for
// others, trustedTime for how long one that has brought records.
const (
	exporterTime = tables.Time(60e6)
	trustedTime  = tables.Time(3600e6)
)

// age forgets what is too old of an exporter, and appends the rows that are due
// to rows. full says that other exporters are refused for want of room.
func (d *Decoder) age(e *exporter, now tables.Time, all, full bool, rows []tables.Exporter) []tables.Exporter {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.gone {
		return rows
	}
	if e.heard == 0 { // of the last run
		e.heard = now
	}
	d.expireWaiting(e, now)
	silent := now - e.heard
	drop := e.count == 0 || full && (silent > trustedTime || silent > exporterTime && !e.trusted)
	for key, first := range e.streams {
		until := now
		if all {
			until = 1 << 62
		}
		for s := first; s != nil; s = s.next {
			if s.heard == 0 {
				s.heard, s.created, s.counts.TS = now, now, now
			}
			s.sequence.settle(until, &s.counts)
			d.expireTemplates(e, s, now)
		}
		first = d.dropSiblings(e, key, now)
		if row, due := first.report(now, all || drop); due {
			rows = append(rows, row)
		}
		if now-first.heard > tables.Time(d.cfg.TemplateTTL.Microseconds()) && first.next == nil && len(first.templates) == 0 {
			d.dropStream(e, first)
			delete(e.streams, key)
			e.linkWhole(key.source)
		}
	}
	if drop || e.count == 0 {
		d.mu.Lock()
		delete(d.exporters, e.addr)
		d.mu.Unlock()
		for _, first := range e.streams {
			for s := first; s != nil; s = s.next {
				d.dropStream(e, s)
			}
		}
		e.gone = true
	}
	return rows
}

// dropSiblings forgets the streams of a key that were silent while a sibling
// was not, and returns the first that is left. One that began when the other
// was last heard is the same exporter, restarted.
func (d *Decoder) dropSiblings(e *exporter, key streamKey, now tables.Time) *stream {
	first := e.streams[key]
	if first.next == nil {
		return first
	}
	newest := first
	for s := first; s != nil; s = s.next {
		if s.heard > newest.heard {
			newest = s
		}
	}
	var kept *stream
	for s := first; s != nil; {
		next := s.next
		if s != newest && now-s.heard > siblingTime {
			addCounts(&newest.counts, &s.counts)
			if newest.created > s.heard {
				newest.counts.Resets++
				newest.inherit(s)
			}
			d.dropStream(e, s)
		} else {
			s.next, kept = kept, s
		}
		s = next
	}
	e.streams[key] = kept
	e.linkWhole(key.source)
	return kept
}

// template finds a template of the stream. A stream that began on another port
// when a sibling had gone silent is taken for the same exporter, and its
// templates for what they were, until the sibling is heard again or the stream
// announces its own: an exporter that uses a port for each datagram is decoded
// too, and two that share an address and a domain are not mixed up.
func (e *exporter) template(s *stream, id uint16) *template {
	if t := s.templates[id]; t != nil {
		return t
	}
	first := e.streams[s.streamKey]
	if first.next == nil {
		return nil
	}
	var found *template
	last := tables.Time(-1)
	for o := first; o != nil; o = o.next {
		if t := o.templates[id]; t != nil && o.heard < s.created && o.heard > last {
			found, last = t, o.heard
		}
	}
	return found
}

// inherit takes over what a sibling whose place the stream took was known by.
// The sibling is dropped next, and with it what is not taken.
func (s *stream) inherit(o *stream) {
	if s.templates == nil {
		s.templates = map[uint16]*template{}
	}
	for id, t := range o.templates {
		if s.templates[id] == nil {
			s.templates[id] = t
			delete(o.templates, id)
		}
	}
	if s.options.bytes == 0 && !s.options.general.Set && s.options.boot == 0 {
		s.options, o.options = o.options, options{}
		s.setRate()
	}
}

// dropStream gives back what a stream holds.
func (d *Decoder) dropStream(e *exporter, s *stream) {
	for id := range s.templates {
		d.dropTemplate(e, s, id)
	}
	d.dropWaiting(e, s)
	d.dropOptions(e, s)
	if s.samples != nil {
		d.samples.Add(-s.samples.bytes)
	}
	d.streams.Add(-1)
	e.count--
	if e.last == s {
		e.last = nil
	}
}

// report returns the row of a stream and its siblings, and whether it is due.
func (s *stream) report(now tables.Time, all bool) (row tables.Exporter, due bool) {
	row = s.blank(now)
	row.TS = s.counts.TS
	last, anything := tables.Time(0), false
	for t := s; t != nil; t = t.next {
		last = max(last, t.reported)
		c := t.counts
		c.TSEnd = c.TS
		anything = anything || c != t.blank(c.TS)
	}
	if !anything { // silence is no part of the next row
		for t := s; t != nil; t = t.next {
			t.counts.TS, t.counts.TSEnd = now, now
		}
	}
	if !anything || !all && last != 0 && now-last < reportEvery {
		return row, false
	}
	for t := s; t != nil; t = t.next {
		addCounts(&row, &t.counts)
		row.TS = min(row.TS, t.counts.TS)
		row.KnownTemplates += int64(len(t.templates))
		row.Waiting += int64(t.waiting)
		if rate := t.rate(); rate.Set {
			row.Sampling = rate
		}
		t.counts = t.blank(now)
		t.reported = now
	}
	return row, true
}

// addCounts adds what b counted to a.
func addCounts(a, b *tables.Exporter) {
	a.Datagrams += b.Datagrams
	a.Bytes += b.Bytes
	a.Records += b.Records
	a.OptionsRecords += b.OptionsRecords
	a.Templates += b.Templates
	a.Undecodable += b.Undecodable
	a.UndecodedBytes += b.UndecodedBytes
	a.Waited += b.Waited
	a.Late += b.Late
	a.Expired += b.Expired
	a.OtherPackets += b.OtherPackets
	a.UnknownFormats += b.UnknownFormats
	a.SamplesLost += b.SamplesLost
	a.SamplesDropped += b.SamplesDropped
	a.Gaps += b.Gaps
	a.Missing += b.Missing
	a.Reordered += b.Reordered
	a.Duplicates += b.Duplicates
	a.Resets += b.Resets
	if b.ClockOffsetUs.Set {
		a.ClockOffsetUs = b.ClockOffsetUs
	}
	if b.LastError != "" {
		a.LastError = b.LastError
	}
}

// rate is the sampling rate that holds for rows which name no sampler.
func (s *stream) rate() tables.Opt[int64] {
	if s.override {
		return s.row.Sampling
	}
	if s.samples != nil {
		return s.samples.rate
	}
	r := s.options.rate()
	if !r.Set && s.whole != nil {
		r = s.whole.options.rate()
	}
	return r
}
