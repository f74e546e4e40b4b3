package datagrams

import (
	"encoding/binary"
	"net/netip"
)

// agent is the address sFlow datagrams carry; the UDP sender is another.
var agent = netip.AddrFrom4([4]byte{192, 0, 2, 250})

// headerBytes is how much of a packet a sample has.
const headerBytes = 128

// sflow5 is sFlow version 5 (sflow.org): one flow sample with a raw packet
// header for each flow, of a packet of the flow's mean size. What a collector
// can know of the flow is one packet, so Counts.Packets and Bytes are not what
// it will sum up: see SampledBytes.
func (e *Exporter) sflow5(b []byte, flows []Flow, now int64) []byte {
	be := binary.BigEndian
	from := agent.As4()
	b = be.AppendUint32(b, 5)
	b = be.AppendUint32(b, 1) // IPv4
	b = append(b, from[:]...)
	b = be.AppendUint32(b, e.Domain)
	e.sequence++
	b = be.AppendUint32(b, e.sequence)
	b = be.AppendUint32(b, e.uptime(now))
	b = be.AppendUint32(b, uint32(len(flows)))
	rate := uint32(max(e.Sampling, 1))
	for i := range flows {
		f := &flows[i]
		e.samples++
		b = be.AppendUint32(b, 1) // flow sample
		b = be.AppendUint32(b, 32+8+16+headerBytes)
		b = be.AppendUint32(b, e.samples)
		b = be.AppendUint32(b, f.In) // the data source: an interface
		b = be.AppendUint32(b, rate)
		b = be.AppendUint32(b, e.samples*rate) // pool
		b = be.AppendUint32(b, 0)              // drops
		b = be.AppendUint32(b, f.In)
		b = be.AppendUint32(b, f.Out)
		b = be.AppendUint32(b, 1) // records
		b = be.AppendUint32(b, 1) // raw packet header
		b = be.AppendUint32(b, 16+headerBytes)
		b = be.AppendUint32(b, 1) // Ethernet
		b = be.AppendUint32(b, uint32(SampledBytes(f)+14+4))
		b = be.AppendUint32(b, 4) // the frame check sequence was taken off
		b = be.AppendUint32(b, headerBytes)
		b = f.frame(b)
	}
	return b
}

// SampledBytes is the layer 3 length of the packet that stands for a flow in
// sFlow.
func SampledBytes(f *Flow) uint64 { return min(max(f.Bytes/f.Packets, 64), 1500) }

// frame appends the first 128 bytes of an Ethernet frame of the flow.
func (f *Flow) frame(b []byte) []byte {
	be := binary.BigEndian
	from := len(b)
	b = append(b, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2)
	length := SampledBytes(f)
	if f.Src.Is6() {
		b = be.AppendUint16(b, 0x86dd)
		b = be.AppendUint32(b, 6<<28|uint32(f.TOS)<<20)
		b = be.AppendUint16(b, uint16(length-40))
		b = append(b, f.Protocol, 64)
	} else {
		b = be.AppendUint16(b, 0x0800)
		b = append(b, 0x45, f.TOS)
		b = be.AppendUint16(b, uint16(length))
		b = append(b, 0, 0, 0, 0, 64, f.Protocol, 0, 0)
	}
	b = append(b, f.Src.AsSlice()...)
	b = append(b, f.Dst.AsSlice()...)
	switch f.Protocol {
	case 1, 58:
		b = be.AppendUint16(b, f.DstPort)
	case 6, 17:
		b = be.AppendUint16(b, f.SrcPort)
		b = be.AppendUint16(b, f.DstPort)
	}
	if f.Protocol == 6 {
		b = append(b, 0, 0, 0, 0, 0, 0, 0, 0, 5<<4, f.TCPFlags)
	}
	for len(b)-from < headerBytes {
		b = append(b, 0)
	}
	return b[:from+headerBytes]
}
