package datagrams

import (
	"encoding/binary"
	"fmt"
)

// Protocol is what an exporter speaks.
type Protocol int

// The protocols, by the word their datagrams begin with.
const (
	NetFlow5 Protocol = 5
	NetFlow9 Protocol = 9
	IPFIX    Protocol = 10
	SFlow5   Protocol = 50
)

// ParseProtocol reads v5, v9, ipfix or sflow.
func ParseProtocol(name string) (Protocol, error) {
	switch name {
	case "v5":
		return NetFlow5, nil
	case "v9":
		return NetFlow9, nil
	case "ipfix":
		return IPFIX, nil
	case "sflow":
		return SFlow5, nil
	}
	return 0, fmt.Errorf("protocol %q is none of v5, v9, ipfix, sflow", name)
}

// Batch is how many flows a datagram of the protocol carries within 1,472
// bytes of payload: v5 has 30 by its own limit, sFlow 7 samples with 128 bytes of a packet.
func (p Protocol) Batch() int {
	switch p {
	case NetFlow5:
		return 30
	case SFlow5:
		return 7
	}
	return 20
}

// Counts are what datagrams carry; sums are over flows, as reported.
type Counts struct {
	Datagrams     int64  `json:"datagrams"`
	DatagramBytes int64  `json:"datagram_bytes"` // UDP payload
	Templates     int64  `json:"templates"`
	Options       int64  `json:"options"` // options data records
	Flows         int64  `json:"flows"`
	Packets       uint64 `json:"packets"`
	Bytes         uint64 `json:"bytes"`
	First         int64  `json:"first"` // earliest start, microseconds since 1970
	Last          int64  `json:"last"`  // latest end
}

func (c *Counts) add(f *Flow) {
	c.Flows++
	c.Packets += f.Packets
	c.Bytes += f.Bytes
	if c.First == 0 || f.Start < c.First {
		c.First = f.Start
	}
	c.Last = max(c.Last, f.End)
}

// Add adds up what several exporters made.
func (c *Counts) Add(o Counts) {
	c.Datagrams += o.Datagrams
	c.DatagramBytes += o.DatagramBytes
	c.Templates += o.Templates
	c.Options += o.Options
	c.Flows += o.Flows
	c.Packets += o.Packets
	c.Bytes += o.Bytes
	if c.First == 0 || o.First != 0 && o.First < c.First {
		c.First = o.First
	}
	c.Last = max(c.Last, o.Last)
}

// Exporter encodes flows as one stream of datagrams: one observation domain
// with its sequence.
type Exporter struct {
	Protocol Protocol
	Domain   uint32
	Boot     int64 // when the exporter started, microseconds since 1970
	Sampling int   // one packet of so many was looked at; 0 says nothing about it

	Made     Counts
	sequence uint32 // v5: flows, v9 and sFlow: datagrams, IPFIX: data records
	samples  uint32 // sFlow: of its one data source
}

// Datagram appends one datagram with flows, exported at now, to b. Flows of a
// v5 datagram must be IPv4. v9 and IPFIX need Templates sent before.
func (e *Exporter) Datagram(b []byte, flows []Flow, now int64) []byte {
	from := len(b)
	switch e.Protocol {
	case NetFlow5:
		b = e.netflow5(b, flows, now)
	case NetFlow9, IPFIX:
		b = e.templated(b, flows, now)
	case SFlow5:
		b = e.sflow5(b, flows, now)
	}
	e.Made.Datagrams++
	e.Made.DatagramBytes += int64(len(b) - from)
	for i := range flows {
		e.Made.add(&flows[i])
	}
	return b
}

// uptime is v5's, v9's and sFlow's milliseconds since boot, which wrap.
func (e *Exporter) uptime(at int64) uint32 { return uint32((at - e.Boot) / 1000) }

// netflow5 is Cisco's NetFlow v5: a header of 24 bytes and records of 48.
func (e *Exporter) netflow5(b []byte, flows []Flow, now int64) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, 5)
	b = be.AppendUint16(b, uint16(len(flows)))
	b = be.AppendUint32(b, e.uptime(now))
	b = be.AppendUint32(b, uint32(now/1e6))
	b = be.AppendUint32(b, uint32(now%1e6*1000))
	b = be.AppendUint32(b, e.sequence)
	b = append(b, byte(e.Domain>>8), byte(e.Domain))
	sampling := uint16(0)
	if e.Sampling > 0 {
		sampling = 1<<14 | uint16(e.Sampling) // mode 1: packet interval
	}
	b = be.AppendUint16(b, sampling)
	e.sequence += uint32(len(flows))
	for i := range flows {
		f := &flows[i]
		src, dst, hop := f.Src.As4(), f.Dst.As4(), f.NextHop.As4()
		b = append(b, src[:]...)
		b = append(b, dst[:]...)
		b = append(b, hop[:]...)
		b = be.AppendUint16(b, uint16(f.In))
		b = be.AppendUint16(b, uint16(f.Out))
		b = be.AppendUint32(b, uint32(f.Packets))
		b = be.AppendUint32(b, uint32(f.Bytes))
		b = be.AppendUint32(b, e.uptime(f.Start))
		b = be.AppendUint32(b, e.uptime(f.End))
		b = be.AppendUint16(b, f.SrcPort)
		b = be.AppendUint16(b, f.DstPort)
		b = append(b, 0, f.TCPFlags, f.Protocol, f.TOS)
		b = be.AppendUint16(b, uint16(f.SrcAS))
		b = be.AppendUint16(b, uint16(f.DstAS))
		b = append(b, f.SrcMask, f.DstMask, 0, 0)
	}
	return b
}
