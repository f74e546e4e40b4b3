package collector

import "github.com/wiresql/wiresql/tables"

// header is what the header of a datagram says about its records.
type header struct {
	received tables.Time
	export   tables.Time
	uptime   uint32 // of the device at export, milliseconds; NetFlow v9 only
}

// What a record has that is worked into its row once all fields are read.
const (
	hasStart = 1 << iota
	hasEnd
	hasStartUptime
	hasEndUptime
	hasObserved
	hasDuration
	hasBoot
	hasICMP
	hasICMPType
	hasICMPCode
	hasSampler
	hasSaid
	hasSection
	hasBytes
	hasPackets
	hasAddress
	hasTuple
)

// flowScratch is what is known of the record at hand besides its row.
type flowScratch struct {
	has           uint32
	start, end    tables.Time
	startUptime   uint32
	endUptime     uint32
	observed      tables.Time
	duration      tables.Time
	boot          tables.Time
	icmp          uint16
	icmpType      uint8
	icmpCode      uint8
	sampler       uint64
	said          samplingSaid
	section       []byte
	sectionLink   tables.LinkType
	sectionLength int // on the wire; 0 when nothing said

	spans  []span // of a record of variable length
	header tables.Header
	extra  extraText
}

// dataSet decodes the records of a set.
func (w *work) dataSet(t *template, h *header, b []byte) (records int) {
	t.used = true
	if t.options {
		return w.optionsSet(t, h, b)
	}
	for {
		size, spans := t.size, t.spans
		if size == 0 {
			if padding(b) && zeros(b) { // shorter than a word, and no flow
				return records
			}
			if spans = w.spans(len(t.fields)); len(b) >= t.minimum {
				size = t.place(b, spans)
			}
		}
		if size == 0 || size > len(b) {
			if !padding(b) {
				w.undecodable(len(b), "record cut off")
			}
			return records
		}
		w.record(t, h, b[:size:size], spans)
		b = b[size:]
		records++
	}
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// spans returns room for the fields of a record.
func (w *work) spans(n int) []span {
	if len(w.flow.spans) < n {
		w.flow.spans = make([]span, n)
	}
	return w.flow.spans[:n]
}

// counter reads a count.
func counter(b []byte) int64 { return tables.Count(number(b)) }

func some32(b []byte) tables.Opt[int32] { return tables.Some(int32(number(b))) }
func some64(b []byte) tables.Opt[int64] { return tables.Some(counter(b)) }

func someMAC(b []byte) tables.Opt[int64] {
	return tables.Some(int64(number(b[:2])<<32 | number(b[2:6])))
}

// record turns one data record into a row.
func (w *work) record(t *template, h *header, rec []byte, spans []span) {
	r := w.row()
	f := &w.flow
	f.has, f.sectionLength = 0, 0
	if t.sampling {
		f.said = samplingSaid{}
	}
	r.TimeReceived.V = h.received
	for i := range t.ops {
		o := &t.ops[i]
		s := spans[o.field]
		b := rec[s.at : int(s.at)+int(s.length)]
		switch o.code {
		case opBytes:
			r.Bytes = counter(b)
			f.has |= hasBytes
		case opPackets:
			r.Packets = counter(b)
			f.has |= hasPackets
		case opReverseBytes:
			r.ReverseBytes = some64(b)
		case opReversePackets:
			r.ReversePackets = some64(b)
		case opSrc4:
			// Of templates with both families, one is zero.
			if a := tables.AddrFrom4(b); r.Src == (tables.Addr{}) || a.V4() != 0 {
				r.Src = a
			}
			f.has |= hasAddress
		case opSrc6:
			if a := tables.AddrFrom16(b); a != (tables.Addr{}) {
				r.Src = a
			}
			f.has |= hasAddress
		case opDst4:
			if a := tables.AddrFrom4(b); r.Dst == (tables.Addr{}) || a.V4() != 0 {
				r.Dst = a
			}
			f.has |= hasAddress
		case opDst6:
			if a := tables.AddrFrom16(b); a != (tables.Addr{}) {
				r.Dst = a
			}
			f.has |= hasAddress
		case opSrcPort:
			r.SrcPort = int32(uint16(number(b)))
		case opDstPort:
			r.DstPort = int32(uint16(number(b)))
		case opProtocol:
			r.Protocol = int32(uint8(number(b)))
			f.has |= hasTuple
		case opTCPFlags:
			// The data offset shares the element's octets: RFC 7125.
			r.TCPFlags = tables.Some(int32(number(b) & 0x1ff))
		case opUnionTCPFlags:
			r.TCPFlags = tables.Some(r.TCPFlags.V | int32(number(b)&0x1ff))
		case opReverseTCPFlags:
			r.ReverseTCPFlags = tables.Some(int32(number(b) & 0x1ff))
		case opReverseUnionTCPFlags:
			r.ReverseTCPFlags = tables.Some(r.ReverseTCPFlags.V | int32(number(b)&0x1ff))
		case opTOS:
			r.TOS = tables.Some(int32(uint8(number(b))))
		case opDSCP:
			r.TOS = tables.Some(int32(uint8(number(b)) << 2))
		case opTTL:
			r.TTL = tables.Some(int32(uint8(number(b))))
		case opICMP:
			f.icmp = uint16(number(b))
			f.has |= hasICMP
		case opICMPType:
			f.icmpType = uint8(number(b))
			f.has |= hasICMPType
		case opICMPCode:
			f.icmpCode = uint8(number(b))
			f.has |= hasICMPCode
		case opInIf:
			r.InIf = some64(b)
		case opOutIf:
			r.OutIf = some64(b)
		case opVLAN:
			r.VLAN = tables.Some(int32(number(b) & 0xfff))
		case opOuterVLAN:
			r.OuterVLAN = tables.Some(int32(number(b) & 0xfff))
		case opSrcMAC:
			r.SrcMAC = someMAC(b)
		case opDstMAC:
			r.DstMAC = someMAC(b)
		case opNextHop4:
			if a := tables.AddrFrom4(b); !r.NextHop.Set || a.V4() != 0 {
				r.NextHop = tables.Some(a)
			}
		case opNextHop6:
			if a := tables.AddrFrom16(b); !r.NextHop.Set || a != (tables.Addr{}) {
				r.NextHop = tables.Some(a)
			}
		case opSrcAS:
			r.SrcAS = some64(b)
		case opDstAS:
			r.DstAS = some64(b)
		case opSrcMask:
			r.SrcMask = longest(r.SrcMask, b)
		case opDstMask:
			r.DstMask = longest(r.DstMask, b)
		case opSrcNAT4:
			r.SrcNAT = either(r.SrcNAT, tables.AddrFrom4(b))
		case opSrcNAT6:
			r.SrcNAT = either(r.SrcNAT, tables.AddrFrom16(b))
		case opDstNAT4:
			r.DstNAT = either(r.DstNAT, tables.AddrFrom4(b))
		case opDstNAT6:
			r.DstNAT = either(r.DstNAT, tables.AddrFrom16(b))
		case opSrcNATPort:
			r.SrcNATPort = some32(b)
		case opDstNATPort:
			r.DstNATPort = some32(b)
		case opVRFIn:
			r.VRFIn = some64(b)
		case opVRFOut:
			r.VRFOut = some64(b)
		case opMPLS:
			r.MPLSLabel = tables.Some(int32(number(b) >> 4)) // RFC 3032: label, class, bottom
		case opAppID:
			r.AppName = w.s.applicationNames()[string(b)]
		case opAppName:
			r.AppName = f.extra.intern(textOf(b))
		case opAppLabel:
			r.AppName = appLabel(uint16(number(b)))
		case opEndReason:
			r.EndReason = endReason(number(b))
		case opForwarding:
			r.Action, r.RejectReason = forwarding(uint8(number(b)))
		case opFirewall:
			firewall(r, number(b))
		case opFirewallReason:
			firewallReason(r, number(b))
		case opDirection:
			r.Direction = direction(number(b))
		case opRTT:
			r.RTTUs = tables.Some(int64(uint32(number(b))) * 1000)
		case opStartSeconds, opStartMillis, opStartNTP:
			f.start = instant(instantKinds[o.code-opStartSeconds], b)
			f.has |= hasStart
		case opEndSeconds, opEndMillis, opEndNTP:
			f.end = instant(instantKinds[o.code-opEndSeconds], b)
			f.has |= hasEnd
		case opObservedSeconds, opObservedMillis, opObservedNTP:
			f.observed = instant(instantKinds[o.code-opObservedSeconds], b)
			f.has |= hasObserved
		case opStartDelta:
			f.start = h.export - tables.Time(uint32(number(b)))
			f.has |= hasStart
		case opEndDelta:
			f.end = h.export - tables.Time(uint32(number(b)))
			f.has |= hasEnd
		case opStartUptime:
			f.startUptime = uint32(number(b))
			f.has |= hasStartUptime
		case opEndUptime:
			f.endUptime = uint32(number(b))
			f.has |= hasEndUptime
		case opDurationMillis:
			f.duration = tables.Time(min(number(b), 1<<42)) * 1000
			f.has |= hasDuration
		case opDurationMicros:
			f.duration = tables.Time(min(number(b), 1<<52))
			f.has |= hasDuration
		case opBoot:
			f.boot = instant(kindMilliseconds, b)
			f.has |= hasBoot
		case opSampler:
			f.sampler = number(b)
			f.has |= hasSampler
		case opInterval:
			f.said.interval = number(b)
			f.has |= hasSaid
		case opPacketInterval:
			f.said.packetInterval = number(b)
			f.has |= hasSaid
		case opPacketSpace:
			f.said.packetSpace = number(b)
		case opSamplingSize:
			f.said.size = number(b)
			f.has |= hasSaid
		case opSamplingPopulation:
			f.said.population = number(b)
		case opFrameSize:
			f.sectionLength = int(uint32(number(b)))
		case opFrame:
			f.section, f.sectionLink = b, tables.LinkEthernet
			f.has |= hasSection
		case opPacketHeader:
			f.section, f.sectionLink = b, tables.LinkRaw
			f.has |= hasSection
		}
	}
	if f.has&hasSection != 0 {
		w.sampledPacket(r)
	}
	w.recordTimes(r, t, h)
	if isICMP(r.Protocol) {
		w.icmp(r)
	}
	if !w.s.override {
		if f.has&(hasSampler|hasSaid) != 0 {
			w.recordSampling(r)
		} else if w.s.options.ifRates != nil {
			w.interfaceSampling(r)
		}
	}
	if names := w.s.interfaceNames(); names != nil {
		r.InIfName, r.OutIfName = names[r.InIf.V], names[r.OutIf.V]
	}
	if len(t.extra) > 0 || w.s.vrfNames() != nil {
		w.recordExtra(r, t, rec, spans)
	}
	w.seal(r)
}

var instantKinds = [...]kind{kindSeconds, kindMilliseconds, kindNanoseconds}

// either is an address after translation: of templates with both families,
// one is zero.
func either(have tables.Opt[tables.Addr], a tables.Addr) tables.Opt[tables.Addr] {
	if have.Set && (a == (tables.Addr{}) || a.Is4() && a.V4() == 0) {
		return have
	}
	return tables.Some(a)
}

// longest is a prefix length; of templates with both families, one is zero.
func longest(have tables.Opt[int32], b []byte) tables.Opt[int32] {
	return tables.Some(max(have.V, int32(uint8(number(b)))))
}

// recordTimes sets the times of a row from what its record has.
func (w *work) recordTimes(r *tables.Export, t *template, h *header) {
	f := &w.flow
	if f.has&(hasStart|hasEnd) != hasStart|hasEnd && f.has&(hasStartUptime|hasEndUptime) != 0 {
		w.uptimes(t, h)
	}
	switch f.has & (hasStart | hasEnd) {
	case hasStart | hasEnd:
		w.times(r, f.start, f.end, t.res, h.received)
	case hasStart:
		f.end = f.start
		if f.has&hasDuration != 0 {
			f.end = f.start + f.duration
		} else if f.has&hasObserved != 0 && f.observed > f.start {
			f.end = f.observed // the event the record tells of
		}
		w.times(r, f.start, f.end, t.res, h.received)
	case hasEnd:
		f.start = f.end - f.duration
		if f.has&hasDuration == 0 {
			f.start = f.end
		}
		w.times(r, f.start, f.end, t.res, h.received)
		if f.has&hasDuration == 0 && r.TimeQuality == tables.TimesOK {
			r.TimeQuality = tables.TimesNoStart
		}
	default:
		if f.has&hasObserved != 0 {
			w.times(r, f.observed, f.observed, t.res, h.received)
			return
		}
		d := tables.Time(0)
		if f.has&hasDuration != 0 && f.duration <= maxDuration {
			d = f.duration
		}
		r.TS, r.TSEnd, r.Resolution = h.received-d, h.received, 1
		r.TimeQuality = tables.TimesReceived
	}
}

// uptimes turns times in milliseconds of the device's uptime into points in
// time. NetFlow v9 has the uptime at export in each header; IPFIX has when the
// device started, in the record or in an options record. Without either only
// the duration is known.
func (w *work) uptimes(t *template, h *header) {
	f := &w.flow
	uptime := h.uptime
	if t.source == sourceIPFIX {
		boot := f.boot
		if f.has&hasBoot == 0 {
			if boot = w.s.bootTime(); boot == 0 {
				if d := int32(f.endUptime - f.startUptime); d >= 0 && f.has&hasStartUptime != 0 && f.has&hasEndUptime != 0 {
					f.duration = tables.Time(d) * 1000
					f.has |= hasDuration
				}
				return
			}
		}
		uptime = uint32((h.export - boot) / 1000)
	}
	export := int64(h.export) / 1000
	if f.has&hasStartUptime != 0 {
		f.start = sinceBoot(export, uptime, f.startUptime)
		f.has |= hasStart
	}
	if f.has&hasEndUptime != 0 {
		f.end = sinceBoot(export, uptime, f.endUptime)
		f.has |= hasEnd
	}
}

// recordExtra collects the fields that have no column.
func (w *work) recordExtra(r *tables.Export, t *template, rec []byte, spans []span) {
	x := &w.flow.extra
	x.begin()
	for i := range t.extra {
		e := &t.extra[i]
		s := spans[e.index]
		b := rec[s.at : int(s.at)+int(s.length)]
		switch e.when {
		case extraNonzero:
			if zeros(b) {
				continue
			}
		case extraExporter:
			if len(b) == 4 && tables.AddrFrom4(b) == r.Exporter || len(b) == 16 && tables.AddrFrom16(b) == r.Exporter {
				continue
			}
		case extraSampler:
			if r.Sampling.Set {
				continue
			}
		case extraApp:
			if r.AppName != "" {
				continue
			}
		}
		x.member(e.key)
		x.value(e.kind, b)
	}
	if vrfs := w.s.vrfNames(); vrfs != nil {
		if name := vrfs[r.VRFIn.V]; name != "" && r.VRFIn.Set {
			x.member(`"ingressVRFname":`)
			x.b = appendJSON(x.b, []byte(name))
		}
		if name := vrfs[r.VRFOut.V]; name != "" && r.VRFOut.Set {
			x.member(`"egressVRFname":`)
			x.b = appendJSON(x.b, []byte(name))
		}
	}
	r.Extra = x.end()
}
