package main

import (
	"bytes"
	"fmt"
	"log"
	"net/netip"
	"runtime"
	"syscall"
	"time"

	"github.com/netsampler/goflow2/v2/decoders/netflow"

	"github.com/wiresql/wiresql/collector"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/testdata/exporter/datagrams"
)

const (
	decodeDatagrams = 1000 // of 20 records, decoded again and again
	decodeTime      = time.Second
)

// counter is a sink that counts.
type counter struct{ rows, bytes int64 }

func (s *counter) Exports(rows []tables.Export) error {
	s.rows += int64(len(rows))
	for i := range rows {
		s.bytes += rows[i].Bytes
	}
	return nil
}
func (*counter) Exporter(*tables.Exporter) error { return nil }
func (*counter) Socket(*tables.Socket) error     { return nil }

// decode measures both decoders on IPFIX of 19 fields and 20 records a
// datagram. goflow2 gives fields of bytes, ours finished rows.
func (c *collect) decode() error {
	now := time.Now().UnixMicro()
	e := datagrams.Exporter{Protocol: datagrams.IPFIX, Domain: 1, Boot: now}
	template := e.Templates(nil, now)
	var messages [][]byte
	source := datagrams.NewSource(1, 0)
	flows := make([]datagrams.Flow, datagrams.IPFIX.Batch())
	for range decodeDatagrams {
		for i := range flows {
			source.Next(&flows[i], now)
		}
		messages = append(messages, e.Datagram(nil, flows, now))
	}

	sink := &counter{}
	decoder, err := collector.NewDecoder(collector.DefaultConfig(), sink, nil)
	if err != nil {
		return err
	}
	from := netip.MustParseAddrPort("127.0.0.1:50000")
	ours := func(d []byte) error {
		if o := decoder.Datagram(from, tables.Time(now), d); o != collector.Decoded {
			return fmt.Errorf("outcome %v", o)
		}
		return nil
	}
	templates := netflow.CreateTemplateSystem()
	peerRows := int64(0)
	peer := func(d []byte) error {
		var v9 netflow.NFv9Packet
		var ipfix netflow.IPFIXPacket
		if err := netflow.DecodeMessageVersion(bytes.NewBuffer(d), templates, &v9, &ipfix); err != nil {
			return err
		}
		for _, s := range ipfix.FlowSets {
			if data, ok := s.(netflow.DataFlowSet); ok {
				peerRows += int64(len(data.Records))
			}
		}
		return nil
	}
	for _, decode := range []func([]byte) error{ours, peer} {
		if err := decode(template); err != nil {
			return err
		}
	}
	var our, their []time.Duration
	var ourAllocs, theirAllocs float64
	for range c.runs {
		// The messages come around again, which is no gap of decodeDatagrams
		// but a reset; their data is the same.
		d, allocs, err := perFlow(messages, ours)
		if err != nil {
			return err
		}
		our, ourAllocs = append(our, d), allocs
		if d, allocs, err = perFlow(messages, peer); err != nil {
			return err
		}
		their, theirAllocs = append(their, d), allocs
	}
	if sink.rows == 0 || sink.rows%int64(decodeDatagrams*len(flows)) != 0 || sink.bytes != int64(e.Made.Bytes)*(sink.rows/e.Made.Flows) {
		return fmt.Errorf("%d rows of %d bytes came of flows of %d", sink.rows, sink.bytes, e.Made.Bytes)
	}
	if peerRows%e.Made.Flows != 0 {
		return fmt.Errorf("goflow2 gave %d records", peerRows)
	}
	o, p := median(our), median(their)
	rate := func(d time.Duration) float64 { return 1e-3 / d.Seconds() } // M flows/s
	log.Printf("decode: a thousand flows take %v, goflow2 %v", o, p)
	c.add("IPFIX, 19 fields, 20 records a datagram, decode only", fmt.Sprintf("%.2f M flows/s of CPU, %.3f allocs", rate(o), ourAllocs),
		fmt.Sprintf("goflow2 %.2f M, %.1f allocs", rate(p), theirAllocs), ratio(p, o), "≥ 5x, ≥ 3 M/s")
	return nil
}

// perFlow decodes for a while and returns the CPU time of a thousand flows and
// the allocations of one.
func perFlow(messages [][]byte, decode func([]byte) error) (time.Duration, float64, error) {
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := selfCPU(), time.Now()
	flows := 0
	for time.Since(start) < decodeTime {
		for _, m := range messages {
			if err := decode(m); err != nil {
				return 0, 0, err
			}
		}
		flows += len(messages) * datagrams.IPFIX.Batch()
	}
	cpu = selfCPU() - cpu
	runtime.ReadMemStats(&after)
	return cpu * 1000 / time.Duration(flows), float64(after.Mallocs-before.Mallocs) / float64(flows), nil
}

func selfCPU() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
