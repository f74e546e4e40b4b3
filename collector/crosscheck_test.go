package collector

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
	"github.com/netsampler/goflow2/v2/decoders/netflowlegacy"
	"github.com/netsampler/goflow2/v2/decoders/sflow"

	"github.com/wiresql/wiresql/tables"
)

// The same datagrams through goflow2's decoders, which give the fields of each
// record as octets. What a column must hold is worked out of them here once
// more, in the plainest way, and compared with our rows. Where the two differ
// it is stated: differences below.

// expected is a record as goflow2 sees it.
type expected struct {
	kind   string
	fields map[string][]string // column → the values it may have
}

func (e *expected) is(column string, v any) {
	if e.fields == nil {
		e.fields = map[string][]string{}
	}
	e.fields[column] = append(e.fields[column], fmt.Sprint(v))
}

// columnsOf is our row by the same names.
func columnsOf(r *tables.Export) map[string]string {
	m := map[string]string{
		"src": r.Src.String(), "dst": r.Dst.String(), "src_port": fmt.Sprint(r.SrcPort), "dst_port": fmt.Sprint(r.DstPort),
		"protocol": fmt.Sprint(r.Protocol), "bytes": fmt.Sprint(r.Bytes), "packets": fmt.Sprint(r.Packets),
		"end_reason": r.EndReason, "direction": r.Direction, "action": r.Action,
		"ts": fmt.Sprint(r.TS), "ts_end": fmt.Sprint(r.TSEnd),
	}
	for name, v := range map[string]tables.Opt[int64]{
		"reverse_bytes": r.ReverseBytes, "reverse_packets": r.ReversePackets, "sampling_rate": r.Sampling,
		"in_if": r.InIf, "out_if": r.OutIf, "src_mac": r.SrcMAC, "dst_mac": r.DstMAC, "src_as": r.SrcAS, "dst_as": r.DstAS,
		"vrf_in": r.VRFIn, "vrf_out": r.VRFOut,
	} {
		if v.Set {
			m[name] = fmt.Sprint(v.V)
		}
	}
	for name, v := range map[string]tables.Opt[int32]{
		"tcp_flags": r.TCPFlags, "tos": r.TOS, "ttl": r.TTL, "vlan": r.VLAN, "src_mask": r.SrcMask, "dst_mask": r.DstMask,
		"src_nat_port": r.SrcNATPort, "dst_nat_port": r.DstNATPort, "mpls_label": r.MPLSLabel, "icmp_type": r.ICMPType, "icmp_code": r.ICMPCode,
	} {
		if v.Set {
			m[name] = fmt.Sprint(v.V)
		}
	}
	for name, v := range map[string]tables.Opt[tables.Addr]{"next_hop": r.NextHop, "src_nat": r.SrcNAT, "dst_nat": r.DstNAT} {
		if v.Set {
			m[name] = v.V.String()
		}
	}
	return m
}

// goflow2 holds its templates.
type goflow2 struct {
	systems map[netip.Addr]netflow.NetFlowTemplateSystem
	rates   []string // of sampling, in options
	fields  int      // compared
}

// records decodes a datagram; nil is a datagram goflow2 can't be given.
func (g *goflow2) records(r received) (list []expected, err error) {
	switch versionOf(r.data) {
	case sourceNetFlow5:
		var p netflowlegacy.PacketNetFlowV5
		if err := netflowlegacy.DecodeMessageVersion(bytes.NewBuffer(r.data), &p); err != nil {
			return nil, err
		}
		for i := range p.Records {
			list = append(list, ofV5(&p, &p.Records[i]))
		}
		return list, nil
	case sourceSFlow5:
		var p sflow.Packet
		if !survivesSFlow(r.data) {
			return nil, errNotRun
		}
		if err := sflow.DecodeMessageVersion(bytes.NewBuffer(r.data), &p); err != nil {
			return nil, err
		}
		for _, s := range p.Samples {
			if e, ok := ofSample(s); ok {
				e.is("ts", r.at)
				list = append(list, e)
			}
		}
		return list, nil
	}
	if !survives(r.data) {
		return nil, errNotRun
	}
	sys := g.systems[r.from.Addr()]
	if sys == nil {
		sys = netflow.CreateTemplateSystem()
		g.systems[r.from.Addr()] = sys
	}
	var nine netflow.NFv9Packet
	var ten netflow.IPFIXPacket
	if err := netflow.DecodeMessageVersion(bytes.NewBuffer(r.data), sys, &nine, &ten); err != nil {
		return nil, err
	}
	for _, set := range append(nine.FlowSets, ten.FlowSets...) {
		switch set := set.(type) {
		case netflow.DataFlowSet:
			for _, rec := range set.Records {
				list = append(list, ofRecord(&nine, rec.Values))
			}
		case netflow.OptionsDataFlowSet:
			for _, rec := range set.Records {
				num := map[uint16]uint64{}
				for _, f := range rec.OptionsValues {
					num[f.Type] = be64(f.Value.([]byte))
				}
				for _, id := range []uint16{34, 50} {
					if num[id] != 0 {
						g.rates = append(g.rates, fmt.Sprint(num[id]))
					}
				}
				if num[305] != 0 { // so many packets taken, so many passed over
					g.rates = append(g.rates, fmt.Sprint((num[305]+num[306])/num[305]))
				}
			}
		}
	}
	return list, nil
}

// survives keeps datagrams from goflow2 that it would loop on: those with a
// template whose records can be empty.
func survives(data []byte) bool {
	at := 16
	if data[1] == 9 {
		at = 20
	}
	for len(data)-at >= 4 {
		id, length := binary.BigEndian.Uint16(data[at:]), int(binary.BigEndian.Uint16(data[at+2:]))
		if length < 4 || length > len(data)-at {
			return true
		}
		if set := data[at+4 : at+length]; id == 0 || id == 2 {
			for len(set) >= 4 {
				count, sum := int(binary.BigEndian.Uint16(set[2:])), 0
				set = set[4:]
				for ; count > 0 && len(set) >= 4; count-- {
					sum += int(binary.BigEndian.Uint16(set[2:]))
					if id == 2 && set[0]&0x80 != 0 {
						set = set[min(4, len(set)):]
					}
					set = set[min(4, len(set)):]
				}
				if sum == 0 {
					return false
				}
			}
		}
		at += length
	}
	return true
}

// survivesSFlow keeps datagrams from goflow2 for which it would make room for
// more records than there are octets.
func survivesSFlow(data []byte) bool {
	x, h := xdr{b: data}, sflowHeader{}
	for h.read(&x); h.samples > 0 && !x.short; h.samples-- {
		format, b := x.u32(), x.opaque()
		if format == sflowExpandedFlow && len(b) >= 44 && binary.BigEndian.Uint32(b[40:]) > uint32(len(b)) {
			return false
		}
	}
	return true
}

var errNotRun = errors.New(notRun)

func ip32(v uint32) string {
	return netip.AddrFrom4([4]byte{byte(v >> 24), byte(v >> 16), byte(v >> 8), byte(v)}).String()
}

func ofV5(p *netflowlegacy.PacketNetFlowV5, r *netflowlegacy.RecordsNetFlowV5) expected {
	e := expected{kind: "v5"}
	e.is("src", ip32(uint32(r.SrcAddr)))
	e.is("dst", ip32(uint32(r.DstAddr)))
	e.is("next_hop", ip32(uint32(r.NextHop)))
	e.is("in_if", r.Input)
	e.is("out_if", r.Output)
	e.is("packets", r.DPkts)
	e.is("bytes", r.DOctets)
	e.is("protocol", r.Proto)
	e.is("tcp_flags", r.TCPFlags)
	e.is("tos", r.Tos)
	e.is("src_as", r.SrcAS)
	e.is("dst_as", r.DstAS)
	e.is("src_mask", r.SrcMask)
	e.is("dst_mask", r.DstMask)
	e.ports(uint64(r.Proto), uint64(r.SrcPort), uint64(r.DstPort), nil)
	if p.SamplingInterval&0x3fff != 0 {
		e.is("sampling_rate", p.SamplingInterval&0x3fff)
	}
	// Milliseconds, from the uptime at export back; softflowd's was negative.
	export := int64(p.UnixSecs)*1000 + int64(p.UnixNSecs)/1e6
	e.is("ts", (export-int64(int32(p.SysUptime-r.First)))*1000)
	e.is("ts_end", (export-int64(int32(p.SysUptime-r.Last)))*1000+999)
	return e
}

// ports are none for ICMP, where NetFlow has type and code in the destination's.
func (e *expected) ports(protocol, src, dst uint64, typeCode *uint64) {
	if protocol != 1 && protocol != 58 {
		e.is("src_port", src)
		e.is("dst_port", dst)
		return
	}
	e.is("src_port", 0)
	e.is("dst_port", 0)
	if typeCode != nil {
		dst = *typeCode
	}
	e.is("icmp_type", dst>>8)
	e.is("icmp_code", dst&0xff)
}

// ofRecord reads a record of v9 or IPFIX.
func ofRecord(p *netflow.NFv9Packet, values []netflow.DataField) expected {
	e := expected{kind: "ipfix"}
	if p.Version == 9 {
		e.kind = "v9"
	}
	num := map[uint16]uint64{}
	has := func(id uint16) bool { _, ok := num[id]; return ok }
	for _, f := range values {
		b := f.Value.([]byte)
		if f.PenProvided {
			if f.Pen == 29305 {
				switch f.Type {
				case 1:
					e.is("reverse_bytes", be64(b))
				case 2:
					e.is("reverse_packets", be64(b))
				}
			}
			continue
		}
		if len(b) <= 8 {
			num[f.Type] = be64(b)
		}
		address := func(column string) {
			if a, ok := netip.AddrFromSlice(b); ok {
				e.is(column, a)
			}
		}
		switch f.Type {
		case 8, 27:
			address("src")
		case 12, 28:
			address("dst")
		case 15, 62:
			address("next_hop")
		case 225, 281, 40001: // the latter are Cisco's firewalls' own
			address("src_nat")
		case 226, 282, 40002:
			address("dst_nat")
		}
	}
	for id, column := range map[uint16]string{
		1: "bytes", 2: "packets", 4: "protocol", 5: "tos", 10: "in_if", 14: "out_if", 16: "src_as", 17: "dst_as",
		9: "src_mask", 13: "dst_mask", 29: "src_mask", 30: "dst_mask", 227: "src_nat_port", 228: "dst_nat_port",
		232: "reverse_bytes", 299: "reverse_packets", 34: "sampling_rate", 234: "vrf_in", 235: "vrf_out", 56: "src_mac", 80: "dst_mac", 192: "ttl",
	} {
		if has(id) && (id != 34 || num[id] != 0) {
			e.is(column, num[id])
		}
	}
	for _, f := range values {
		if a, ok := netip.AddrFromSlice(f.Value.([]byte)); ok && (f.Type == 18 || f.Type == 63) && !f.PenProvided && !has(15) && !has(62) {
			e.is("next_hop", a) // BGP's
		}
	}
	// Others may fill these in when the usual ones are not there.
	for _, c := range []struct {
		column string
		ids    []uint16
	}{
		{"bytes", []uint16{1, 231, 85, 23}}, {"packets", []uint16{2, 298, 86, 24}}, {"vlan", []uint16{245, 58, 243, 59, 254}},
		{"src_nat_port", []uint16{227, 40003}}, {"dst_nat_port", []uint16{228, 40004}}, {"dst_mac", []uint16{80, 57}}, {"src_mac", []uint16{56, 81}}, {"ttl", []uint16{192, 52, 53}}, {"in_if", []uint16{10, 252}}, {"out_if", []uint16{14, 253}},
	} {
		if i := slices.IndexFunc(c.ids, has); i >= 0 && len(e.fields[c.column]) == 0 {
			e.is(c.column, num[c.ids[i]])
		}
	}
	if has(6) {
		e.is("tcp_flags", num[6]&0x1ff)
	}
	if has(70) {
		e.is("mpls_label", num[70]>>4)
	}
	if has(136) && num[136] < 6 {
		e.is("end_reason", []string{"", "idle", "active", "end", "forced", "lack_of_resources"}[num[136]])
	}
	if has(61) && num[61] < 2 {
		e.is("direction", []string{"ingress", "egress"}[num[61]])
	}
	if has(89) {
		e.is("action", []string{"", "allow", "deny", "allow"}[num[89]>>6&3])
	}
	for _, id := range []uint16{233, 40005} { // firewall events
		switch num[id] {
		case 1, 2, 5:
			e.is("action", "allow")
		case 3:
			e.is("action", "deny")
		}
	}
	if has(4) && (has(7) || has(11) || has(32) || has(139)) {
		typeCode := num[11]
		for _, id := range []uint16{32, 139} {
			if num[id] != 0 || has(id) && num[11] == 0 {
				typeCode = num[id]
			}
		}
		for _, id := range []uint16{176, 178} {
			if has(id) {
				typeCode = num[id]<<8 | num[id+1]
			}
		}
		e.ports(num[4], num[7], num[11], &typeCode)
	}
	micros := func(v uint64, ms bool) int64 {
		if ms {
			return int64(v) * 1000
		}
		return int64(v) * 1e6
	}
	switch {
	case has(152) && has(153) && !has(154) && !has(156):
		e.is("ts", micros(num[152], true))
		e.is("ts_end", micros(num[153], true)+999)
	case has(150) && has(151) && !has(152) && !has(22):
		e.is("ts", micros(num[150], false))
		e.is("ts_end", micros(num[151], false)+999_999)
	case p.Version == 9 && has(21) && has(22) && !has(152) && !has(150):
		export := int64(p.UnixSeconds) * 1000
		e.is("ts", (export-int64(int32(p.SystemUptime-uint32(num[22]))))*1000)
		e.is("ts_end", (export-int64(int32(p.SystemUptime-uint32(num[21]))))*1000+999)
	}
	return e
}

func be64(b []byte) (v uint64) {
	for _, c := range b {
		v = v<<8 | uint64(c)
	}
	return min(v, math.MaxInt64)
}

// ofSample reads a flow sample; ok is false for others, and for packets that
// are not IP.
func ofSample(sample any) (e expected, ok bool) {
	e.kind = "sflow"
	var records []sflow.FlowRecord
	switch s := sample.(type) {
	case sflow.FlowSample:
		records = s.Records
		e.direction(s.Header, s.Input, s.Output)
		e.is("sampling_rate", s.SamplingRate)
		e.port("in_if", s.Input>>30, s.Input&0x3fffffff)
		e.port("out_if", s.Output>>30, s.Output&0x3fffffff)
	case sflow.ExpandedFlowSample:
		records = s.Records
		e.direction(s.Header, s.InputIfValue, s.OutputIfValue)
		e.is("sampling_rate", s.SamplingRate)
		e.port("in_if", s.InputIfFormat, s.InputIfValue)
		e.port("out_if", s.OutputIfFormat, s.OutputIfValue)
	case sflow.DropSample:
		records = s.Records
		e.is("action", "deny")
		e.port("in_if", 0, s.Input)
		e.port("out_if", 0, s.Output)
	default:
		return e, false
	}
	e.is("packets", 1)
	for _, r := range records {
		switch d := r.Data.(type) {
		case sflow.SampledHeader:
			ok = e.frame(d.Protocol, d.HeaderData) || ok
		case sflow.SampledIPv4:
			ok = true
			e.sampledIP(&d.SampledIPBase, d.Tos)
		case sflow.SampledIPv6:
			ok = true
			e.sampledIP(&d.SampledIPBase, d.Priority)
		case sflow.ExtendedSwitch:
			if d.SrcVlan > 0 && d.SrcVlan < 4095 && len(e.fields["vlan"]) == 0 {
				e.is("vlan", d.SrcVlan)
			}
		case sflow.ExtendedRouter:
			if a, ok := netip.AddrFromSlice(d.NextHop); ok {
				e.is("next_hop", a)
			}
			e.is("src_mask", d.SrcMaskLen)
			e.is("dst_mask", d.DstMaskLen)
		case sflow.ExtendedGateway:
			e.is("src_as", d.SrcAS)
			if n := len(d.ASPath); n > 0 {
				e.is("dst_as", d.ASPath[n-1])
			} else {
				e.is("dst_as", d.AS)
			}
		}
	}
	return e, ok
}

// direction is that of the interface that sampled.
func (e *expected) direction(h sflow.SampleHeader, in, out uint32) {
	switch {
	case h.SourceIdType != 0 || in == out:
	case h.SourceIdValue == in:
		e.is("direction", "ingress")
	case h.SourceIdValue == out:
		e.is("direction", "egress")
	}
}

func (e *expected) port(column string, format, value uint32) {
	if format == 0 && value != 0 && value != 0x3fffffff {
		e.is(column, value)
	}
	if format == 1 {
		e.is("action", "deny")
	}
}

func (e *expected) sampledIP(s *sflow.SampledIPBase, tos uint32) {
	src, _ := netip.AddrFromSlice(s.SrcIP)
	dst, _ := netip.AddrFromSlice(s.DstIP)
	e.is("src", src)
	e.is("dst", dst)
	e.is("protocol", s.Protocol)
	e.is("bytes", s.Length)
	e.is("tos", tos&0xff)
	if s.Protocol == 6 || s.Protocol == 17 {
		e.is("src_port", s.SrcPort)
		e.is("dst_port", s.DstPort)
	}
}

// frame reads the few headers the corpus has: Ethernet, tags, IP without
// extension headers, and ports.
func (e *expected) frame(protocol uint32, b []byte) bool {
	if protocol == 1 && len(b) >= 14 {
		e.is("dst_mac", be64(b[:6]))
		e.is("src_mac", be64(b[6:12]))
		etherType := be64(b[12:14])
		b = b[14:]
		for etherType == 0x8100 || etherType == 0x88a8 {
			delete(e.fields, "vlan")
			e.is("vlan", be64(b[:2])&0xfff)
			etherType, b = be64(b[2:4]), b[4:]
		}
		if etherType != 0x800 && etherType != 0x86dd {
			return false
		}
	}
	if len(b) < 28 || b[0]>>4 == 6 && len(b) < 48 {
		return false
	}
	var next uint64
	if b[0]>>4 == 4 {
		e.is("src", netip.AddrFrom4([4]byte(b[12:])))
		e.is("dst", netip.AddrFrom4([4]byte(b[16:])))
		e.is("tos", b[1])
		e.is("ttl", b[8])
		e.is("bytes", be64(b[2:4]))
		next = uint64(b[9])
		b = b[int(b[0]&15)*4:]
	} else {
		e.is("src", netip.AddrFrom16([16]byte(b[8:])))
		e.is("dst", netip.AddrFrom16([16]byte(b[24:])))
		e.is("tos", b[0]<<4|b[1]>>4)
		e.is("ttl", b[7])
		e.is("bytes", be64(b[4:6])+40)
		next = uint64(b[6])
		b = b[40:]
	}
	e.is("protocol", next)
	e.ports(next, be64(b[:2]), be64(b[2:4]), &[]uint64{be64(b[:2])}[0])
	if next == 6 {
		e.is("tcp_flags", be64(b[12:14])&0x1ff)
	}
	return true
}

// compare decodes a list of datagrams with both.
func (g *goflow2) compare(t *testing.T, before, list []received) {
	t.Helper()
	s := &sflowRows{}
	d, err := NewDecoder(Config{MaxAge: math.MaxInt64}, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range append(slices.Clone(before), list...) {
		s.rows = nil
		outcome := d.Datagram(r.from, r.at, r.data)
		want, err := g.records(r)
		if err != nil {
			t.Errorf("datagram %d: %v, ours: %v", i, err, outcome)
			continue
		}
		if len(want) != len(s.rows) {
			t.Errorf("datagram %d: goflow2 has %d records, ours %d rows", i, len(want), len(s.rows))
			continue
		}
		for n := range want {
			g.row(t, fmt.Sprintf("datagram %d, record %d", i, n), &want[n], &s.rows[n])
		}
	}
}

func (g *goflow2) row(t *testing.T, where string, want *expected, r *tables.Export) {
	t.Helper()
	got := columnsOf(r)
	for column, v := range got {
		if column == "sampling_rate" && slices.Contains(g.rates, v) {
			continue // goflow2 leaves options to who calls it
		}
		if _, ok := want.fields[column]; !ok && v != "" && v != "0" && !strings.HasPrefix(column, "ts") {
			t.Errorf("%s %s: %s is %s, goflow2 has no such field", where, want.kind, column, v)
		}
	}
	for column, values := range want.fields {
		if strings.HasPrefix(column, "ts") && (r.TimeQuality == tables.TimesClamped || want.kind == "sflow" && column == "ts_end") {
			continue // not believed, see times_test.go
		}
		g.fields++
		if !slices.Contains(values, got[column]) {
			t.Errorf("%s %s: %s is %s, goflow2 has %v", where, want.kind, column, got[column], values)
		}
	}
}

// TestAgainstGoflow2 compares on all files of the corpus, and on what real
// exporters sent of our own captures.
func TestAgainstGoflow2(t *testing.T) {
	g := &goflow2{systems: map[netip.Addr]netflow.NetFlowTemplateSystem{}}
	fresh := func() { clear(g.systems); g.rates = nil }
	recorded, err := filepath.Glob("../testdata/exports/*.pcap")
	if err != nil || len(recorded) < 10 {
		t.Fatal(recorded, err)
	}
	for _, path := range recorded {
		t.Run(filepath.Base(path), func(t *testing.T) {
			fresh()
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			list, err := readPcap(b)
			if err != nil || len(list) == 0 {
				t.Fatal(len(list), err)
			}
			g.compare(t, nil, list)
		})
	}
	for _, c := range corpus {
		if strings.Contains(c.want, ": 0 rows") || slices.ContainsFunc(differences, func(d difference) bool { return d.file == c.file }) {
			continue
		}
		t.Run(c.file, func(t *testing.T) {
			fresh()
			g.compare(t, datagramsOf(t, c.before...), datagramsOf(t, c.file))
		})
	}
	if g.fields < 5000 {
		t.Errorf("only %d fields compared", g.fields)
	}
	t.Log(g.fields, "fields compared")
}

// A difference is an input on which goflow2 v2.2.6 and this decoder differ.
// Where goflow2 does not come back, or takes all memory, it is not run.
type difference struct {
	name    string
	file    string   // of the corpus, or else
	data    [][]byte // datagrams
	goflow2 string   // records it has of each datagram, or its error
	ours    string   // outcome of each, and rows
	right   string   // who is, and why
}

const notRun = "goflow2 would not come back"

var differences = []difference{{
	name: "a data set stands before its template, in one datagram",
	file: "akvorado/data+templates.pcap", goflow2: "Error template not found", ours: "waiting 21",
	right: "ours: a collector that hears the template a moment later can decode what it kept; goflow2 gives up the datagram, which RFC 7011 section 8 leaves open",
}, {
	name:    "NetFlow v5 counts 65535 records in 24 octets",
	data:    [][]byte{append(words(5<<16|65535), make([]byte, 20)...)},
	goflow2: "65535", ours: "undecodable 0",
	right: "ours: records that are not there are no flows",
}, {
	name:    "NetFlow v5 counts 30 records and has 2 and a half",
	data:    [][]byte{append(words(5<<16|30), make([]byte, 20+120)...)},
	goflow2: "30", ours: "undecodable 2",
	right: "ours: the same",
}, {
	name: "an IPFIX template is withdrawn, then there is data of it",
	data: [][]byte{
		ipfixMessage(0, 1, set(2, be(be(nil, 2, 300), 2, 0))),
		ipfixMessage(0, 1, set(300, make([]byte, 4))),
	},
	goflow2: notRun + "; Error template not found", ours: "decoded 0; waiting 0",
	right: "ours: RFC 7011 section 8.1: a count of 0 withdraws; goflow2 keeps a template without fields and finds records in its data for ever",
}, {
	name:    "an IPFIX template whose only field has no octets",
	data:    [][]byte{ipfixMessage(0, 1, set(2, templateOf(300, ie{0, 8, 0})), set(300, make([]byte, 4)))},
	goflow2: notRun, ours: "undecodable 0",
	right: "ours: records of no octets can't be counted",
}, {
	name:    "a NetFlow v9 template whose fields have no octets",
	data:    [][]byte{v9Datagram(0, 1, set(0, templateOf(300, ie{0, 8, 0}, ie{0, 12, 0})), set(300, make([]byte, 4)))},
	goflow2: notRun, ours: "undecodable 0",
	right: "ours: the same",
}, {
	name:    "two records of nothing but a field of variable length",
	data:    [][]byte{ipfixMessage(0, 1, set(2, templateOf(300, ie{0, 96, 65535})), set(300, []byte{3, 'd', 'n', 's', 3, 'w', 'e', 'b'}))},
	goflow2: "EOF", ours: "decoded 2",
	right: "ours: goflow2 takes the least length of such a record for 0 and goes on at the end of the set",
}, {
	name:    "two records with a field of variable length, and three octets of padding",
	data:    [][]byte{ipfixMessage(0, 1, set(2, templateOf(300, ie{0, 4, 1}, ie{0, 96, 65535})), set(300, []byte{6, 3, 'd', 'n', 's', 17, 3, 'w', 'e', 'b', 0, 0, 0}))},
	goflow2: "EOF", ours: "decoded 2",
	right: "ours: RFC 7011 section 3.3.1 allows padding shorter than any record; a record has at least two octets here, its padding three, but a third record would have protocol 0 and no name",
}, {
	name:    "a field of variable length says 200 octets, 4 are left",
	data:    [][]byte{ipfixMessage(0, 1, set(2, templateOf(300, ie{0, 4, 1}, ie{0, 96, 65535})), set(300, []byte{6, 200, 'd', 'n', 's', 0}))},
	goflow2: "1", ours: "undecodable 0",
	right: "ours: goflow2's record has the four octets for a name and nobody is told",
}, {
	name:    "an sFlow sample longer than its datagram",
	data:    [][]byte{datagramOf(1, flowOf(1, plain), join(words(1, 0xffff), make([]byte, 8)))},
	goflow2: "1", ours: "undecodable 1",
	right: "ours: both have the sample before it; goflow2 does not say that something is missing",
}, {
	name:    "octets behind an sFlow datagram's last sample",
	data:    [][]byte{append(datagramOf(1, flowOf(1, plain)), make([]byte, 12)...)},
	goflow2: "1", ours: "undecodable 1",
	right: "ours: the same",
}, {
	name:    "an sFlow record cut in an otherwise good sample",
	data:    [][]byte{datagramOf(1, flowOf(1, plain, record(recordRouter, addressOf("192.0.2.1"), words(24))))},
	goflow2: "EOF", ours: "undecodable 1",
	right: "ours: the header before it is whole",
}, {
	name:    "an expanded flow sample says it has 4 thousand million records",
	data:    [][]byte{datagramOf(1, record(sflowExpandedFlow, words(1, 0, 7, 1, 0, 0, 0, 7, 0, 8, 0xffffffff), plain))},
	goflow2: notRun, ours: "undecodable 1",
	right: "ours: goflow2 makes room for them all first (as CVE-2022-2529), which it does not for the other kinds of samples",
}}

func TestDifferencesToGoflow2(t *testing.T) {
	for _, c := range differences {
		t.Run(c.name, func(t *testing.T) {
			var list []received
			if c.file != "" {
				list = datagramsOf(t, c.file)
			}
			for _, data := range c.data {
				list = append(list, received{netip.MustParseAddrPort("192.0.2.1:2055"), testTime, data})
			}
			if c.right == "" {
				t.Error("who is right?")
			}
			g := &goflow2{systems: map[netip.Addr]netflow.NetFlowTemplateSystem{}}
			s := &sflowRows{}
			d, err := NewDecoder(Config{}, s, nil)
			if err != nil {
				t.Fatal(err)
			}
			var theirs, ours []string
			for _, r := range list {
				records, err := g.records(r)
				if err != nil {
					// The innermost, without what it is wrapped in.
					text := err.Error()
					for _, short := range []string{"Error template not found", "EOF"} {
						if strings.Contains(text, short) {
							text = short
						}
					}
					theirs = append(theirs, text)
				} else {
					theirs = append(theirs, fmt.Sprint(len(records)))
				}
				n := len(s.rows)
				o := d.Datagram(r.from, r.at, r.data)
				ours = append(ours, fmt.Sprintf("%v %d", o, len(s.rows)-n))
			}
			if got := strings.Join(theirs, "; "); got != c.goflow2 {
				t.Errorf("goflow2: got %s, want %s", got, c.goflow2)
			}
			if got := strings.Join(ours, "; "); got != c.ours {
				t.Errorf("ours: got %s, want %s", got, c.ours)
			}
		})
	}
}

// XDR pads what is not a multiple of four octets long. goflow2 forgets it
// after a MAC address and after a text, and reads all that follows askew.
func TestSFlowPaddingAgainstGoflow2(t *testing.T) {
	data := datagramOf(1, record(sflowDiscard, words(1, 0, 7, 0, 7, 9, 258, 3),
		record(recordEthernet, words(60), pad(ethernet[:6]), pad(ethernet[6:]), words(0x800)),
		record(recordIPv4, words(60, 17), []byte{10, 0, 0, 3}, []byte{10, 0, 0, 4}, words(1, 2, 0, 0)),
		record(recordACL, words(4), opaque([]byte("in")), words(1))))
	var p sflow.Packet
	if err := sflow.DecodeMessageVersion(bytes.NewBuffer(data), &p); err != nil {
		t.Fatal(err)
	}
	records := p.Samples[0].(sflow.DropSample).Records
	if mac := records[0].Data.(sflow.SampledEthernet); bytes.Equal(mac.DstMac, ethernet[6:]) || mac.EthType == 0x800 {
		t.Error("goflow2 reads MAC addresses right now")
	}
	if acl := records[2].Data.(sflow.ExtendedACL); acl.Direction == 1 {
		t.Error("goflow2 reads texts right now")
	}
	s, _ := decodeSFlow(t, data)
	const want = "10.0.0.3:1>10.0.0.4:2/17 60B 1p in=7 out=9 tos=0 mac=020000000001>020000000002 action=deny reason=acl" +
		` extra={"sflow/acl_number":4,"sflow/acl_name":"in","sflow/acl_direction":1}`
	if got := showSFlow(&s.rows[0]); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
