package datagrams

import "encoding/binary"

// field is a field specifier of a template: RFC 7011 section 3.2, RFC 3954
// section 5.2.
type field struct{ element, length uint16 }

// The templates: 19 fields, for IPv4 59 bytes a record in v9 and 67 in IPFIX.
const (
	template4       = 256
	template6       = 257
	templateOptions = 258
)

// fields lists what a record of a template has, in the order record writes it.
func (e *Exporter) fields(template uint16) []field {
	address, src, dst, hop, srcMask, dstMask := uint16(4), uint16(8), uint16(12), uint16(15), uint16(9), uint16(13)
	if template == template6 {
		address, src, dst, hop, srcMask, dstMask = 16, 27, 28, 62, 29, 30
	}
	start, end, clock := uint16(152), uint16(153), uint16(8) // flowStartMilliseconds
	if e.Protocol == NetFlow9 {
		start, end, clock = 22, 21, 4 // FIRST_SWITCHED
	}
	return []field{
		{src, address}, {dst, address}, {7, 2}, {11, 2}, {4, 1}, {6, 1}, {5, 1},
		{1, 8}, {2, 4}, {start, clock}, {end, clock},
		{10, 4}, {14, 4}, {16, 4}, {17, 4}, {srcMask, 1}, {dstMask, 1}, {hop, address}, {58, 2},
	}
}

// header is v9's of 20 bytes (RFC 3954 section 5.1) or IPFIX's of 16 (RFC 7011
// section 3.1); finish writes the count or the length.
func (e *Exporter) header(b []byte, now int64) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, uint16(e.Protocol))
	b = be.AppendUint16(b, 0)
	if e.Protocol == NetFlow9 {
		b = be.AppendUint32(b, e.uptime(now))
	}
	b = be.AppendUint32(b, uint32(now/1e6))
	b = be.AppendUint32(b, e.sequence)
	return be.AppendUint32(b, e.Domain)
}

// finish completes a message of so many records, data of which count in IPFIX
// sequences.
func (e *Exporter) finish(message []byte, records, data int) {
	if e.Protocol == NetFlow9 {
		binary.BigEndian.PutUint16(message[2:], uint16(records))
		e.sequence++
		return
	}
	binary.BigEndian.PutUint16(message[2:], uint16(len(message)))
	e.sequence += uint32(data)
}

// set appends a set (v9: flowset) and pads it to four bytes.
func set(b []byte, id uint16, fill func([]byte) []byte) []byte {
	at := len(b)
	b = binary.BigEndian.AppendUint16(b, id)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = fill(b)
	for (len(b)-at)%4 != 0 {
		b = append(b, 0)
	}
	binary.BigEndian.PutUint16(b[at+2:], uint16(len(b)-at))
	return b
}

// Templates appends a datagram with the templates of IPv4 and IPv6 records
// and, when the exporter samples, the options that say so.
func (e *Exporter) Templates(b []byte, now int64) []byte {
	be := binary.BigEndian
	from := len(b)
	b = e.header(b, now)
	templates, options := uint16(0), uint16(1) // v9's set ids
	if e.Protocol == IPFIX {
		templates, options = 2, 3
	}
	b = set(b, templates, func(b []byte) []byte {
		for _, id := range []uint16{template4, template6} {
			fields := e.fields(id)
			b = be.AppendUint16(b, id)
			b = be.AppendUint16(b, uint16(len(fields)))
			for _, f := range fields {
				b = be.AppendUint16(b, f.element)
				b = be.AppendUint16(b, f.length)
			}
		}
		return b
	})
	records, data := 2, 0
	e.Made.Templates += 2
	if e.Sampling > 0 {
		b = e.samplingOptions(b, options)
		records, data = 4, 1
		e.Made.Templates++
		e.Made.Options++
	}
	e.finish(b[from:], records, data)
	e.Made.Datagrams++
	e.Made.DatagramBytes += int64(len(b) - from)
	return b
}

// samplingOptions are an options template and its one record: RFC 3954
// section 6.1 and RFC 7011 section 3.4.2.2.
func (e *Exporter) samplingOptions(b []byte, id uint16) []byte {
	be := binary.BigEndian
	b = set(b, id, func(b []byte) []byte {
		b = be.AppendUint16(b, templateOptions)
		if e.Protocol == NetFlow9 {
			b = be.AppendUint16(b, 4) // bytes of scope fields
			b = be.AppendUint16(b, 8) // bytes of option fields
			b = append(b, 0, 1, 0, 4) // scope: system
		} else {
			b = be.AppendUint16(b, 3)
			b = be.AppendUint16(b, 1)
			b = append(b, 0, 149, 0, 4) // scope: observationDomainId
		}
		b = append(b, 0, 34, 0, 4)    // samplingInterval
		return append(b, 0, 35, 0, 1) // samplingAlgorithm
	})
	return set(b, templateOptions, func(b []byte) []byte {
		b = be.AppendUint32(b, e.Domain)
		b = be.AppendUint32(b, uint32(e.Sampling))
		return append(b, 1) // deterministic
	})
}

// templated writes data sets, one for each run of flows of one IP version.
func (e *Exporter) templated(b []byte, flows []Flow, now int64) []byte {
	from := len(b)
	b = e.header(b, now)
	for rest := flows; len(rest) > 0; {
		n, six := 1, rest[0].Src.Is6()
		for n < len(rest) && rest[n].Src.Is6() == six {
			n++
		}
		id := uint16(template4)
		if six {
			id = template6
		}
		b = set(b, id, func(b []byte) []byte {
			for i := range rest[:n] {
				b = e.record(b, &rest[i])
			}
			return b
		})
		rest = rest[n:]
	}
	e.finish(b[from:], len(flows), len(flows))
	return b
}

func (e *Exporter) record(b []byte, f *Flow) []byte {
	be := binary.BigEndian
	b = append(b, f.Src.AsSlice()...)
	b = append(b, f.Dst.AsSlice()...)
	b = be.AppendUint16(b, f.SrcPort)
	b = be.AppendUint16(b, f.DstPort)
	b = append(b, f.Protocol, f.TCPFlags, f.TOS)
	b = be.AppendUint64(b, f.Bytes)
	b = be.AppendUint32(b, uint32(f.Packets))
	if e.Protocol == NetFlow9 {
		b = be.AppendUint32(b, e.uptime(f.Start))
		b = be.AppendUint32(b, e.uptime(f.End))
	} else {
		b = be.AppendUint64(b, uint64(f.Start/1000))
		b = be.AppendUint64(b, uint64(f.End/1000))
	}
	b = be.AppendUint32(b, f.In)
	b = be.AppendUint32(b, f.Out)
	b = be.AppendUint32(b, f.SrcAS)
	b = be.AppendUint32(b, f.DstAS)
	b = append(b, f.SrcMask, f.DstMask)
	b = append(b, f.NextHop.AsSlice()...)
	return be.AppendUint16(b, f.VLAN)
}
