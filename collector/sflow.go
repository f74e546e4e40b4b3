package collector

import (
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// sFlow version 5 (https://sflow.org/sflow_version_5.txt, section numbers
// below are its own). A datagram is XDR: a header, and a list of samples that
// are lists of records, each with its format and length in front, so that what
// is not known is passed over. A flow sample is one packet, and becomes one row.
//
// This file reads datagrams and samples, sflow_record.go the records of a flow
// sample, sflow_account.go keeps the sequences.

// xdr reads big-endian words (RFC 4506) and knows when there were none left:
// then everything read is zero and short is set.
type xdr struct {
	b     []byte
	short bool
}

func (x *xdr) u32() uint32 {
	if len(x.b) < 4 {
		x.b, x.short = nil, true
		return 0
	}
	v := binary.BigEndian.Uint32(x.b)
	x.b = x.b[4:]
	return v
}

// fixed reads n bytes and the padding after them. Padding that is missing at
// the end is not held against the agent.
func (x *xdr) fixed(n uint32) []byte {
	if uint64(n) > uint64(len(x.b)) {
		x.b, x.short = nil, true
		return nil
	}
	v := x.b[:n]
	x.b = x.b[min(int(n+3)&^3, len(x.b)):]
	return v
}

// opaque reads bytes behind their count.
func (x *xdr) opaque() []byte { return x.fixed(x.u32()) }

// words reads 32-bit words behind their count.
func (x *xdr) words() []byte {
	n := x.u32()
	if n > uint32(len(x.b)/4) {
		x.b, x.short = nil, true
		return nil
	}
	return x.fixed(n * 4)
}

// address reads an address behind its type; ok is false for an unknown one,
// which has no bytes.
func (x *xdr) address() (a tables.Addr, ok bool) {
	switch x.u32() {
	case 0:
		return a, false
	case 1:
		if b := x.fixed(4); b != nil {
			return tables.AddrFrom4(b), true
		}
	case 2:
		if b := x.fixed(16); b != nil {
			return tables.AddrFrom16(b), true
		}
	}
	x.b, x.short = nil, true // nobody knows how long it is
	return a, false
}

// sflowHeader is the start of a datagram.
type sflowHeader struct {
	agent    tables.Addr // the device, whatever address it sends from
	subAgent uint32
	sequence uint32 // of this agent and sub-agent's datagrams
	uptime   uint32 // of the sub-agent, milliseconds
	samples  uint32
}

// read reads the header; it tells whether there is a whole one.
func (h *sflowHeader) read(x *xdr) bool {
	version := x.u32()
	h.agent, _ = x.address()
	h.subAgent, h.sequence, h.uptime, h.samples = x.u32(), x.u32(), x.u32(), x.u32()
	return version == 5 && !x.short
}

// Formats of samples (section 5, and sflow_drops.txt for discards).
const (
	sflowFlow            = 1
	sflowCounter         = 2
	sflowExpandedFlow    = 3
	sflowExpandedCounter = 4
	sflowDiscard         = 5
)

// sflowSource is what a sample says of its data source's own count: samples
// are numbered for each source and kind, and so are the drops of the agent.
type sflowSource struct {
	kind     uint8 // sflowFlow, sflowCounter, sflowDiscard
	class    uint32
	index    uint32
	sequence uint32
	drops    uint32
}

// sflowTally counts what a datagram held.
type sflowTally struct {
	counters       int64 // counter samples
	other          int64 // sampled packets that are not IP, or whose header is of no known kind
	unknownFormats int64 // samples and records of formats nobody here knows
	damaged        int64 // samples and records that end too early
	undecoded      int64 // bytes after the last sample that could be read
}

// sflowScratch is what decoding a datagram needs. It is used again for the
// next.
type sflowScratch struct {
	sflowTally
	sources []sflowSource
	names   []sflowPortName
	header  tables.Header
	extra   extraText
	path    []byte                  // of the sample's extended_gateway, its segments joined
	bgpHop  tables.Opt[tables.Addr] // of the same
}

// sflowPortName is what a counter sample says an interface is called.
type sflowPortName struct {
	index uint32
	name  string
}

// sflow decodes a datagram. Its stream is that of its agent and sub-agent,
// behind the address it came from: who may send is decided by that address,
// for the agent's is only a claim, and one sender may pass on what many agents
// measured.
func (w *work) sflow() {
	x, h := xdr{b: w.data}, sflowHeader{}
	if !h.read(&x) {
		w.unknown("sFlow header cut or without an agent address")
		return
	}
	s := w.open(streamKey{sourceSFlow5, h.agent, h.subAgent}, h.sequence)
	if s == nil {
		return
	}
	s.sequence.take(h.sequence, 1, w.received, &s.counts)
	if s.samples == nil {
		s.samples = &sflowSamples{}
	}
	f := &w.sflowScratch
	f.sflowTally, f.sources, f.names = sflowTally{}, f.sources[:0], f.names[:0]
	w.samples(&x, h.samples)
	w.accountSamples(f.sources)
	w.learnPorts(f.names)
	s.counts.OptionsRecords += f.counters
	s.counts.OtherPackets += f.other
	s.counts.UnknownFormats += f.unknownFormats
	if f.damaged > 0 {
		w.undecodable(int(f.undecoded), "sFlow sample or record cut")
	}
}

// samples reads the samples behind a datagram's header. What is whole is
// kept, whatever follows it.
func (w *work) samples(x *xdr, count uint32) {
	for ; count > 0; count-- {
		rest := len(x.b)
		format, body := x.u32(), xdr{b: x.opaque()}
		if x.short {
			w.damaged++
			w.undecoded += int64(rest)
			return
		}
		switch format {
		case sflowFlow, sflowExpandedFlow:
			w.flowSample(&body, format == sflowExpandedFlow)
		case sflowCounter, sflowExpandedCounter:
			w.counterSample(&body, format == sflowExpandedCounter)
		case sflowDiscard:
			w.discardSample(&body)
		default:
			w.unknownFormats++
			continue
		}
		if body.short {
			w.damaged++
		}
	}
	if len(x.b) > 0 {
		w.damaged++
		w.undecoded += int64(len(x.b))
	}
}

// source reads the number and the data source of a sample.
func (x *xdr) source(kind uint8, expanded bool) sflowSource {
	from := sflowSource{kind: kind, sequence: x.u32()}
	if expanded {
		from.class, from.index = x.u32(), x.u32()
	} else {
		v := x.u32()
		from.class, from.index = v>>24, v&0xffffff
	}
	return from
}

// Interfaces of a sample have a format (section 5, struct interface) in their
// two highest bits, or in a word of its own when expanded.
const (
	sflowSingle    = 0 // the value is an ifIndex; 0 is not known
	sflowDiscarded = 1 // the value is the reason
	sflowMultiple  = 2 // the value is how many, 0 for more than one
	sflowInternal  = 0x3fffffff
)

func (x *xdr) port(expanded bool) (format, value uint32) {
	if expanded {
		return x.u32(), x.u32()
	}
	v := x.u32()
	return v >> 30, v & 0x3fffffff
}

func (w *work) flowSample(x *xdr, expanded bool) {
	from := x.source(sflowFlow, expanded)
	rate := x.u32()
	x.u32() // the pool: packets that could have been sampled
	from.drops = x.u32()
	inFormat, in := x.port(expanded)
	outFormat, out := x.port(expanded)
	count := x.u32()
	if x.short {
		return
	}
	w.sources = append(w.sources, from)

	row := w.sampled()
	if rate != 0 {
		w.s.samples.rate = tables.Some(int64(rate))
		if !w.s.override {
			row.Sampling = w.s.samples.rate
		}
	}
	if inFormat == sflowSingle {
		row.InIf, row.InIfName = w.ifIndex(in, extraInput)
	}
	switch outFormat {
	case sflowSingle:
		row.OutIf, row.OutIfName = w.ifIndex(out, extraOutput)
	case sflowDiscarded:
		row.Action, row.RejectReason = tables.Deny, discardReason(out)
	case sflowMultiple:
		w.extra.number(extraOutputs, uint64(out))
	}
	if from.class == 0 && in != out {
		switch from.index {
		case in:
			row.Direction = "ingress"
		case out:
			if outFormat == sflowSingle {
				row.Direction = "egress"
			}
		}
	}
	w.flowRecords(x, count, row)
}

// discardSample reads a packet the device dropped (sflow_drops.txt): each
// packet is reported, not a sample of them, unless the agent's limit is
// reached, which counts as drops.
func (w *work) discardSample(x *xdr) {
	from := x.source(sflowDiscard, true)
	from.drops = x.u32()
	in, out, reason, count := x.u32(), x.u32(), x.u32(), x.u32()
	if x.short {
		return
	}
	w.sources = append(w.sources, from)
	row := w.sampled()
	row.InIf, row.InIfName = w.ifIndex(in, extraInput)
	row.OutIf, row.OutIfName = w.ifIndex(out, extraOutput)
	row.Action, row.RejectReason = tables.Deny, discardReason(reason)
	w.flowRecords(x, count, row)
}

var localPort = []byte("local")

// ifIndex is an interface's number, as far as it is one, and its name if the
// agent has told.
func (w *work) ifIndex(v uint32, name extraName) (index tables.Opt[int64], known string) {
	switch v {
	case 0:
		return index, ""
	case sflowInternal: // the device itself sent or received it
		w.extra.text(name, localPort)
		return index, ""
	}
	return tables.Some(int64(v)), w.s.samples.names[v]
}

// sampled returns the row of a flow sample. It has no time but that of its
// arrival; one packet is all it counts.
func (w *work) sampled() *tables.Export {
	row := w.row()
	row.TS, row.TSEnd, row.Resolution, row.TimeQuality = w.received, w.received, 1, tables.TimesReceived
	row.Packets = 1
	w.extra.begin()
	return row
}

// sflowPortNameRecord is the format of the counter record port_name.
const sflowPortNameRecord = 1005

// counterSample counts the interface counters, which are no flows, and learns
// the names of ports from them.
func (w *work) counterSample(x *xdr, expanded bool) {
	from := x.source(sflowCounter, expanded)
	count := x.u32()
	if x.short {
		return
	}
	w.sources = append(w.sources, from)
	w.counters++
	for ; count > 0 && !x.short; count-- {
		format, body := x.u32(), xdr{b: x.opaque()}
		if format != sflowPortNameRecord || x.short || from.class != 0 {
			continue // counters are not for this table
		}
		if name := body.opaque(); len(name) > 0 && len(name) <= 255 {
			w.names = append(w.names, sflowPortName{from.index, w.extra.intern(name)})
		}
	}
}
