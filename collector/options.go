package collector

import (
	"encoding/binary"
	"math"

	"github.com/wiresql/wiresql/tables"
)

// options is what an exporter said about itself in options records, for one
// stream. What no flow record needs is not kept.
type options struct {
	header       tables.Opt[int64] // sampling rate in NetFlow v5's header
	general      tables.Opt[int64] // sampling rate that names no sampler
	samplers     map[uint64]int64  // rates, by sampler or selector id
	ifRates      map[int64]int64   // rates, by interface
	rates        map[int64]int     // how many of both have it
	interfaces   map[int64]string
	applications map[string]string // by the octets of the applicationId
	vrfs         map[int64]string
	boot         tables.Time // 0: not known
	bytes        int         // kept, about
}

const (
	// maxOptionBytes bounds what is kept of one exporter, half of
	// maxAllOptionBytes what is kept of those that brought no records yet.
	maxOptionBytes    = 4 << 20
	maxAllOptionBytes = 64 << 20
	// optionOverhead is what an entry costs besides its text.
	optionOverhead = 96
	// maxRate is the largest sampling rate that is one.
	maxRate = math.MaxUint32
)

// rate is the sampling rate of rows that name no sampler: what was said for
// all, else what all samplers have in common.
func (o *options) rate() tables.Opt[int64] {
	switch {
	case o.header.Set:
		return o.header
	case o.general.Set:
		return o.general
	}
	if len(o.rates) == 1 {
		for r := range o.rates {
			return tables.Some(r)
		}
	}
	return tables.Opt[int64]{}
}

// counted notes that one more sampler or interface has a rate, and, unless it
// is 0, one fewer another.
func (o *options) counted(rate, before int64) {
	if o.rates == nil {
		o.rates = map[int64]int{}
	}
	o.rates[rate]++
	if before > 0 {
		if o.rates[before]--; o.rates[before] == 0 {
			delete(o.rates, before)
		}
	}
}

// samplingSaid is the parts of a sampling rate.
type samplingSaid struct {
	interval       uint64 // IE 34, 50
	packetInterval uint64 // IE 305: so many packets are taken,
	packetSpace    uint64 // IE 306: then so many passed over
	size           uint64 // IE 309 of
	population     uint64 // IE 310
	probability    float64
}

// rate puts them together: how many packets stand for one. 0 when they say
// nothing sensible.
func (p *samplingSaid) rate() int64 {
	v := 0.0
	switch {
	case p.interval > 0:
		v = float64(p.interval)
	case p.packetInterval > 0 && p.packetSpace > 0:
		v = (float64(p.packetInterval) + float64(p.packetSpace)) / float64(p.packetInterval)
	case p.packetInterval > 0: // without a space exporters mean one in so many
		v = float64(p.packetInterval)
	case p.size > 0 && p.population >= p.size:
		v = float64(p.population) / float64(p.size)
	case p.probability > 0 && p.probability <= 1:
		v = 1 / p.probability
	}
	if v < 1 || v > maxRate {
		return 0
	}
	return int64(math.Round(v))
}

// NetFlow v9 says by a number of its own what a record is about (RFC 3954
// section 6.1).
const scopeInterface = 2

// optionsSet reads the options records of a set.
func (w *work) optionsSet(t *template, h *header, b []byte) (records int) {
	spans := t.spans
	if t.size == 0 {
		spans = w.spans(len(t.fields))
	}
	for {
		size := t.size
		if size == 0 && !(padding(b) && zeros(b)) && len(b) >= t.minimum {
			size = t.place(b, spans)
		}
		if size == 0 || size > len(b) {
			if !padding(b) {
				w.undecodable(len(b), "options record cut off")
			}
			break
		}
		w.optionsRecord(t, b[:size:size], spans)
		w.s.counts.OptionsRecords++
		b = b[size:]
		records++
	}
	before := w.s.row.Sampling
	if w.s.setRate(); w.s.domain == 0 && w.s.row.Sampling != before {
		w.e.linkWhole(w.s.source)
	}
	return records
}

// optionsRecord takes from an options record what flow records need.
func (w *work) optionsRecord(t *template, rec []byte, spans []span) {
	var said samplingSaid
	var sampler, iface, vrf tables.Opt[uint64]
	var name, description, application, applicationName, vrfName []byte
	for _, i := range t.walk {
		f := t.fields[i]
		b := rec[spans[i].at : int(spans[i].at)+int(spans[i].length)]
		if len(b) == 0 {
			continue
		}
		if t.scope9 && int(i) < t.scopes {
			if f.id == scopeInterface && len(b) <= 8 {
				iface = tables.Some(number(b))
			}
			continue
		}
		if f.pen != 0 {
			continue
		}
		switch f.id {
		case 82:
			name = textOf(b)
		case 83:
			description = textOf(b)
		case 95:
			application = b[:min(len(b), maxText)]
		case 96:
			applicationName = textOf(b)
		case 236:
			vrfName = textOf(b)
		case 311:
			switch len(b) {
			case 4:
				said.probability = float64(math.Float32frombits(binary.BigEndian.Uint32(b)))
			case 8:
				said.probability = math.Float64frombits(binary.BigEndian.Uint64(b))
			}
		}
		if len(b) > 8 {
			continue
		}
		v := number(b)
		switch f.id {
		case 34, 50:
			said.interval = v
		case 305:
			said.packetInterval = v
		case 306:
			said.packetSpace = v
		case 309:
			said.size = v
		case 310:
			said.population = v
		case 48, 302:
			sampler = tables.Some(v)
		case 10, 14:
			iface = tables.Some(v)
		case 234, 235:
			vrf = tables.Some(v)
		case 160:
			if len(b) == 8 {
				w.s.options.boot = instant(kindMilliseconds, b)
			}
		}
	}
	if rate := said.rate(); rate > 0 {
		w.learnRate(sampler, iface, rate)
	}
	o := &w.s.options
	if len(name) == 0 {
		name = description
	}
	if iface.Set && len(name) > 0 {
		learnName(w, &o.interfaces, int64(iface.V), name)
	}
	if vrf.Set && len(vrfName) > 0 {
		learnName(w, &o.vrfs, int64(vrf.V), vrfName)
	}
	if len(application) > 0 && len(applicationName) > 0 {
		learnName(w, &o.applications, string(application), applicationName)
	}
}

// learnRate notes a sampling rate.
func (w *work) learnRate(sampler, iface tables.Opt[uint64], rate int64) {
	o := &w.s.options
	switch {
	case sampler.Set:
		if o.samplers == nil {
			o.samplers = map[uint64]int64{}
		}
		if old, known := o.samplers[sampler.V]; known && old == rate || !known && !w.room(optionOverhead) {
			return
		}
		o.counted(rate, o.samplers[sampler.V])
		o.samplers[sampler.V] = rate
	case iface.Set:
		if o.ifRates == nil {
			o.ifRates = map[int64]int64{}
		}
		if old, known := o.ifRates[int64(iface.V)]; known && old == rate || !known && !w.room(optionOverhead) {
			return
		}
		o.counted(rate, o.ifRates[int64(iface.V)])
		o.ifRates[int64(iface.V)] = rate
	default:
		if o.general == tables.Some(rate) {
			return
		}
		o.general = tables.Some(rate)
	}
	w.d.changed.Store(true)
}

// learnName notes a name.
func learnName[K comparable](w *work, m *map[K]string, key K, name []byte) {
	old, known := (*m)[key]
	if known && old == string(name) || !w.room(2*optionOverhead+len(name)) {
		return
	}
	if *m == nil {
		*m = map[K]string{}
	}
	(*m)[key] = string(name)
	w.d.changed.Store(true)
}

// room takes n bytes for the stream's options, if they may have them. A name
// that changes is paid for again: what counts is that there is an end.
func (w *work) room(n int) bool {
	if w.e.options+n > maxOptionBytes || !reserve(&w.d.options, maxAllOptionBytes, int64(n), w.e.trusted) {
		w.s.counts.LastError = "no room for more names of interfaces and the like"
		return false
	}
	w.e.options += n
	w.s.options.bytes += n
	return true
}

// The names that hold for the stream: its own, else those for all domains.
func (s *stream) interfaceNames() map[int64]string {
	if s.options.interfaces == nil && s.whole != nil {
		return s.whole.options.interfaces
	}
	return s.options.interfaces
}

func (s *stream) applicationNames() map[string]string {
	if s.options.applications == nil && s.whole != nil {
		return s.whole.options.applications
	}
	return s.options.applications
}

func (s *stream) vrfNames() map[int64]string {
	if s.options.vrfs == nil && s.whole != nil {
		return s.whole.options.vrfs
	}
	return s.options.vrfs
}

// bootTime is when the device started; 0 when it did not say.
func (s *stream) bootTime() tables.Time {
	if s.options.boot == 0 && s.whole != nil {
		return s.whole.options.boot
	}
	return s.options.boot
}

// dropOptions gives back what a stream's options hold.
func (d *Decoder) dropOptions(e *exporter, s *stream) {
	e.options -= s.options.bytes
	d.options.Add(-int64(s.options.bytes))
	s.options = options{}
}

// recordSampling sets the sampling rate of a row whose record names its
// sampler or says the rate itself.
func (w *work) recordSampling(r *tables.Export) {
	f := &w.flow
	if f.has&hasSaid != 0 {
		if rate := f.said.rate(); rate > 0 {
			r.Sampling = tables.Some(rate)
			return
		}
	}
	if f.has&hasSampler != 0 {
		rate, known := w.s.options.samplers[f.sampler]
		if whole := w.s.whole; !known && whole != nil {
			rate, known = whole.options.samplers[f.sampler]
		}
		if r.Sampling = w.s.options.general; known {
			r.Sampling = tables.Some(rate)
		}
	}
}

// interfaceSampling sets the sampling rate of a row by the interface that
// sampled it: the one it came in by, else the one it left by.
func (w *work) interfaceSampling(r *tables.Export) {
	rates := w.s.options.ifRates
	if rate, known := rates[r.InIf.V]; known && r.InIf.Set {
		r.Sampling = tables.Some(rate)
	} else if rate, known := rates[r.OutIf.V]; known && r.OutIf.Set {
		r.Sampling = tables.Some(rate)
	}
}
