package collector

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// value is a field and its octets in one record.
type value struct {
	ie
	data []byte
}

func num(id uint16, size int, v uint64) value {
	return value{ie{0, id, uint16(size)}, be(nil, size, v)}
}

func pen(pen uint32, id uint16, size int, v uint64) value {
	return value{ie{pen, id, uint16(size)}, be(nil, size, v)}
}

func raw(id uint16, data string) value { return value{ie{0, id, uint16(len(data))}, []byte(data)} }

func ntp(id uint16, t tables.Time) value {
	return num(id, 8, uint64(t/1e6+ntpEpoch)<<32|uint64(t%1e6)<<32/1e6+1)
}

// recordOf is a template and a record of it.
func recordOf(values ...value) (template, data []byte) {
	var fields []ie
	for _, v := range values {
		fields = append(fields, v.ie)
		data = append(data, v.data...)
	}
	return templateOf(256, fields...), data
}

const millis = uint64(testTime / 1000)

// TestColumns is which element fills which column, and how.
func TestColumns(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields []value
		want   string // of show
	}{
		{"nothing known", []value{num(4, 1, 17)}, "protocol_number=17"},
		{"IPv6", []value{raw(27, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01"), raw(28, "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02"), num(29, 1, 64), num(30, 1, 48)},
			"src=2001:db8::1 dst=2001:db8::2 src_mask=64 dst_mask=48"},
		{"both families, IPv4 used", []value{num(8, 4, 0x0a000001), num(12, 4, 0x0a000002), raw(27, strings.Repeat("\x00", 16)), raw(28, strings.Repeat("\x00", 16)), num(9, 1, 24), num(29, 1, 0)},
			"src=10.0.0.1 dst=10.0.0.2 src_mask=24"},
		{"both families, IPv6 used", []value{raw(27, strings.Repeat("\x20", 16)), raw(28, strings.Repeat("\x20", 16)), num(8, 4, 0), num(12, 4, 0)},
			"src=2020:2020:2020:2020:2020:2020:2020:2020 dst=2020:2020:2020:2020:2020:2020:2020:2020"},
		{"aggregated by prefix", []value{num(44, 4, 0x0a000000), num(9, 1, 8)}, "src=10.0.0.0 src_mask=8"},
		{"reduced-size encoding", []value{num(1, 3, 70000), num(2, 1, 7), num(7, 1, 80), num(10, 1, 3), num(16, 2, 65001)},
			"src_port=80 bytes=70000 packets=7 in_if=3 src_as=65001"},
		{"counters wider than usual", []value{num(1, 8, math.MaxUint64), num(2, 8, 5)}, "bytes=9223372036854775807 packets=5"},
		{"totals", []value{num(85, 8, 10), num(86, 8, 2)}, "bytes=10 packets=2"},
		{"deltas before totals", []value{num(85, 8, 10), num(1, 8, 3)}, `bytes=3 extra={"octetTotalCount":10}`},
		{"what went out is the reverse of what came in only where it says so", []value{num(1, 4, 3), num(23, 4, 4)}, `bytes=3 extra={"postOctetDeltaCount":4}`},
		{"what went out alone", []value{num(23, 4, 4), num(24, 4, 1)}, "bytes=4 packets=1"},
		{"layer 2 alone", []value{num(352, 8, 64)}, "bytes=64"},
		{"layer 2 beside layer 3", []value{num(352, 8, 64), num(1, 8, 46)}, `bytes=46 extra={"layer2OctetDeltaCount":64}`},
		{"initiator and responder", []value{num(231, 4, 10), num(232, 4, 20), num(298, 4, 1), num(299, 4, 2)},
			"bytes=10 packets=1 reverse_bytes=20 reverse_packets=2"},
		{"biflow", []value{num(1, 4, 10), num(2, 4, 1), num(6, 1, 2), pen(penReverse, 1, 4, 0), pen(penReverse, 2, 4, 0), pen(penReverse, 6, 1, 0x12), pen(penReverse, 5, 1, 4)},
			`bytes=10 packets=1 reverse_bytes=0 reverse_packets=0 tcp_flags_number=2 reverse_tcp_flags_number=18 extra={"reverseIpClassOfService":4}`},
		{"YAF", []value{num(4, 1, 6), pen(penCERT, 14, 1, 2), pen(penCERT, 15, 1, 0x1b), pen(penCERT, 14|certReverse, 1, 0x12), pen(penCERT, 15|certReverse, 1, 0x11), pen(penCERT, 21, 4, 33), pen(penCERT, 33, 2, 80)},
			`protocol_number=6 tcp_flags_number=27 reverse_tcp_flags_number=19 rtt_us=33000 app_name=http extra={"initialTCPFlags":2,"reverseInitialTCPFlags":18}`},
		{"YAF, initial flags alone beside IE 6", []value{num(6, 2, 0x1b), pen(penCERT, 14, 1, 2)}, `tcp_flags_number=27 extra={"initialTCPFlags":2}`},
		{"flags with the data offset", []value{num(6, 2, 0x5018)}, "tcp_flags_number=24"},
		{"tos, ttl", []value{num(5, 1, 0xb8), num(52, 1, 60), num(53, 1, 64)}, `tos=184 ttl=60 extra={"maximumTTL":64}`},
		{"dscp", []value{num(195, 1, 46), num(192, 1, 64)}, "tos=184 ttl=64"},
		{"ICMP in the destination port", []value{num(4, 1, 1), num(7, 2, 0), num(11, 2, 0x0800)}, "protocol_number=1 icmp_type=8 icmp_code=0"},
		{"ICMP type and code in one", []value{num(4, 1, 1), num(32, 2, 0x0301), num(11, 2, 0)}, "protocol_number=1 icmp_type=3 icmp_code=1"},
		{"ICMP in the port, zero in the element", []value{num(4, 1, 1), num(32, 2, 0), num(11, 2, 0x0301)}, "protocol_number=1 icmp_type=3 icmp_code=1"},
		{"ICMP apart", []value{num(4, 1, 58), num(178, 1, 128), num(179, 1, 0), num(11, 2, 0x8000)}, "protocol_number=58 icmp_type=128 icmp_code=0"},
		{"ICMP type alone", []value{num(4, 1, 1), num(176, 1, 8)}, "protocol_number=1 icmp_type=8"},
		{"ICMPv6", []value{num(4, 1, 58), num(139, 2, 0x8700)}, "protocol_number=58 icmp_type=135 icmp_code=0"},
		{"TCP with an ICMP element", []value{num(4, 1, 6), num(11, 2, 443), num(32, 2, 0)}, "dst_port=443 protocol_number=6"},
		{"end reasons", []value{num(136, 1, 5)}, "end_reason=lack_of_resources"},
		{"unknown end reason", []value{num(136, 1, 9)}, ""},
		{"direction", []value{num(61, 1, 0)}, "flow_direction=ingress"},
		{"egress", []value{num(61, 1, 1)}, "flow_direction=egress"},
		{"forwarded", []value{num(89, 1, 0x40)}, "action=allow"},
		{"dropped", []value{num(89, 1, 0x81)}, "action=deny reject_reason=acl deny"},
		{"dropped, in four octets", []value{num(89, 4, 0x84)}, "action=deny reject_reason=adjacency"},
		{"dropped, reason of a kind of its own", []value{num(89, 1, 0xbf)}, "action=deny"},
		{"forwarding unknown", []value{num(89, 1, 0)}, ""},
		{"firewall: created", []value{num(233, 1, 1)}, "action=allow"},
		{"firewall: denied", []value{num(233, 1, 3)}, "action=deny reject_reason=flow denied"},
		{"interfaces", []value{num(10, 4, 7), num(14, 4, 0)}, "in_if=7 out_if=0"},
		{"physical interfaces beside", []value{num(10, 4, 7), num(252, 4, 8)}, `in_if=7 extra={"ingressPhysicalInterface":8}`},
		{"VLAN", []value{num(58, 2, 100), num(59, 2, 0)}, "vlan=100"},
		{"VLAN, after the device another", []value{num(58, 2, 100), num(59, 2, 200)}, `vlan=100 extra={"postVlanId":200}`},
		{"VLAN after the device alone", []value{num(59, 2, 200)}, "vlan=200"},
		{"VLAN as in 802.1Q", []value{num(243, 2, 100)}, "vlan=100"},
		{"QinQ", []value{num(243, 2, 100), num(245, 2, 30)}, "vlan=30 outer_vlan=100"},
		{"MAC", []value{num(56, 6, 0x020000000001), num(80, 6, 0x020000000002)}, "src_mac=2199023255553 dst_mac=2199023255554"},
		{"MAC after the device", []value{num(81, 6, 1), num(57, 6, 2)}, "src_mac=1 dst_mac=2"},
		{"routing", []value{num(15, 4, 0x0a000001), num(16, 4, 65001), num(17, 4, 4200000000), num(18, 4, 0x0a000002)},
			`next_hop=10.0.0.1 src_as=65001 dst_as=4200000000 extra={"bgpNextHopIPv4Address":"10.0.0.2"}`},
		{"NAT", []value{num(225, 4, 0xc0000201), num(226, 4, 0xc0000202), num(227, 2, 1), num(228, 2, 2)},
			"src_nat=192.0.2.1 dst_nat=192.0.2.2 src_nat_port=1 dst_nat_port=2"},
		{"NAT64", []value{raw(281, strings.Repeat("\x00", 15)+"\x01"), num(226, 4, 0x0a000001), raw(282, strings.Repeat("\x00", 16))}, "src_nat=::1 dst_nat=10.0.0.1"},
		{"VRF, MPLS", []value{num(234, 4, 3), num(235, 4, 4), num(70, 3, 0x0186a1), num(71, 3, 0x0186b1)}, `vrf_in=3 vrf_out=4 mpls_label=6250 extra={"mplsLabelStackSection2":"0186b1"}`},
		{"application by name", []value{raw(96, "dns\x00\x00")}, "app_name=dns"},
		{"application by a name that is not UTF-8", []value{raw(96, "dn\xff")}, "app_name=dn\ufffd"},
		{"application by number", []value{num(95, 4, 0x03000050)}, `extra={"applicationId":"3..80"}`},
		{"application of an enterprise", []value{raw(95, "\x14\x00\x00\x00\x09\x00\x01\x02")}, `extra={"applicationId":"20..9..258"}`},
		{"application of an engine alone", []value{num(95, 1, 6)}, `extra={"applicationId":"06"}`},
		{"octets that are text", []value{raw(1001, "ms-teams\x00\x00\x00\x00"), raw(1002, "größe 12\t\x00"), raw(1003, "\x00\x01 binary"), raw(1004, "abcd"), raw(1005, strings.Repeat("\x00", 9))},
			`extra={"0/1001":"ms-teams","0/1002":"6772c3b6c39f652031320900","0/1003":"00012062696e617279","0/1004":"61626364","0/1005":"000000000000000000"}`},
		{"the exporter's own address", []value{num(130, 4, 0xc0000201)}, ""},
		{"another exporter's address", []value{num(130, 4, 0xc0000202)}, `extra={"exporterIPv4Address":"192.0.2.2"}`},
		{"said elsewhere", []value{num(60, 1, 4), num(149, 4, 1), raw(210, "\x00\x00")}, ""},
		{"sampling in the record", []value{num(34, 4, 100)}, "sampling_rate=100"},
		{"one in ten, by packets", []value{num(305, 4, 1), num(306, 4, 9)}, "sampling_rate=10"},
		{"one in ten, by size", []value{num(309, 4, 2), num(310, 4, 20)}, "sampling_rate=10"},
		{"a sampler nobody described", []value{num(302, 8, 4)}, `extra={"selectorId":4}`},
		{"a count that is no integer", []value{raw(1, "123456789")}, `extra={"octetDeltaCount":"313233343536373839"}`},
		{"an address of odd length", []value{raw(8, "12345")}, `extra={"sourceIPv4Address":"3132333435"}`},
		{"twice the same element", []value{num(7, 2, 1), num(7, 2, 2), num(7, 2, 3)}, `src_port=1 extra={"sourceTransportPort":2,"sourceTransportPort#2":3}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			template, data := recordOf(append(c.fields, num(152, 8, millis), num(153, 8, millis))...)
			if o := send(d, ipfixMessage(0, 1, set(2, template), set(256, data))); o != "decoded" || len(s.rows) != 1 {
				t.Fatalf("%s, %d rows", o, len(s.rows))
			}
			if got := show(&s.rows[0]); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			if x := s.rows[0].Extra; x != "" && !json.Valid([]byte(x)) {
				t.Errorf("extra is no JSON: %s", x)
			}
		})
	}
}

// TestFirewall is what Cisco's firewalls send in v9 under numbers of their own.
func TestFirewall(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	template, data := recordOf(num(40001, 4, 0xc0000201), num(40003, 2, 1), num(33002, 2, 1001), num(40005, 1, 3), raw(40000, "ann\x00"), num(323, 8, millis))
	send(d, v9Datagram(0, 1, set(0, template), set(256, data)))
	want := `action=deny reject_reason=ingress acl src_nat=192.0.2.1 src_nat_port=1 extra={"NF_F_USERNAME":"ann"}`
	if got := showAll(s.rows); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestPaloAlto is the application and the user as PAN-OS sends them in v9: texts
// of 32 and 64 octets, padded with zeros.
func TestPaloAlto(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	pad := func(text string, n int) string { return text + strings.Repeat("\x00", n-len(text)) }
	template, data := recordOf(num(4, 1, 6), raw(56701, pad("ms-teams", 32)), raw(56702, pad(`corp\alice`, 64)))
	send(d, v9Datagram(0, 1, set(0, template), set(256, data)))
	want := `protocol_number=6 app_name=ms-teams time_quality=received extra={"User-ID":"corp\\alice"}`
	if got := showAll(s.rows); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestExtra is how elements without a column are written.
func TestExtra(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields []value
		want   string
	}{
		{"unsigned", []value{num(148, 8, math.MaxUint64)}, `{"flowId":18446744073709551615}`},
		{"signed", []value{num(434, 2, 0xfffe)}, `{"mibObjectValueInteger":-2}`},
		{"float", []value{num(320, 8, math.Float64bits(0.25))}, `{"absoluteError":0.25}`},
		{"float of four octets", []value{num(320, 4, uint64(math.Float32bits(0.1)))}, `{"absoluteError":0.1}`},
		{"float that is no number", []value{num(320, 8, math.Float64bits(math.NaN()))}, `{"absoluteError":null}`},
		{"boolean", []value{num(276, 1, 1)}, `{"dataRecordsReliability":true}`},
		{"boolean, false", []value{num(276, 1, 2)}, `{"dataRecordsReliability":false}`},
		{"text", []value{raw(147, "caf\xc3\xa9 \"1\"\x00\x00")}, `{"wlanSSID":"café \"1\""}`},
		{"text that is not UTF-8", []value{raw(371, "a\xff\n")}, `{"userName":"a` + "\ufffd" + `\u000a"}`},
		{"MAC", []value{num(365, 6, 0x0200000000ff)}, `{"staMacAddress":"02:00:00:00:00:ff"}`},
		{"address", []value{num(18, 4, 0x0a000001), num(15, 4, 1)}, `{"bgpNextHopIPv4Address":"10.0.0.1"}`},
		{"seconds", []value{num(260, 4, 1_000_000_000)}, `{"maxExportSeconds":"2001-09-09T01:46:40Z"}`},
		{"NTP", []value{ntp(268, 1_000_000_000_000_001)}, `{"maxFlowEndMicroseconds":"2001-09-09T01:46:40.000001Z"}`},
		{"seconds of odd length", []value{num(260, 8, 1)}, `{"maxExportSeconds":"0000000000000001"}`},
		{"milliseconds", []value{num(258, 8, 1_000_000_000_123)}, `{"collectionTimeMilliseconds":"2001-09-09T01:46:40.123Z"}`},
		{"milliseconds without end", []value{num(258, 8, math.MaxUint64)}, `{"collectionTimeMilliseconds":"144683-05-23T16:29:30.496Z"}`},
		{"octets", []value{raw(71, "\xde\xad\x00")}, `{"mplsLabelStackSection2":"dead00"}`},
		{"nobody's element", []value{pen(12345, 7, 2, 258)}, `{"12345/7":"0102"}`},
		{"an element not assigned", []value{num(32000, 2, 258)}, `{"0/32000":"0102"}`},
		{"the reverse of an element not assigned", []value{pen(penReverse, 32000, 2, 258)}, `{"29305/32000":"0102"}`},
		{"CERT", []value{pen(penCERT, 106, 4, 9), pen(penCERT, 999, 1, 1)}, `{"yafFlowKeyHash":9,"6871/999":"01"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			template, data := recordOf(append([]value{num(4, 1, 6)}, c.fields...)...)
			if o := send(d, ipfixMessage(0, 1, set(2, template), set(256, data))); o != "decoded" || len(s.rows) != 1 {
				t.Fatalf("%s, %d rows", o, len(s.rows))
			}
			if got := s.rows[0].Extra; got != c.want || !json.Valid([]byte(got)) {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

// TestReportedTimes is the elements that hold times.
func TestReportedTimes(t *testing.T) {
	const s = tables.Time(1e6)
	for _, c := range []struct {
		name       string
		fields     []value
		start, end tables.Time // after testTime; end as stored
		res        int32
		quality    string
	}{
		{"seconds", []value{num(150, 4, uint64(testTime/s)-9), num(151, 4, uint64(testTime/s)-2)}, -9 * s, -2*s + 999_999, 1e6, "ok"},
		{"milliseconds", []value{num(152, 8, millis-9000), num(153, 8, millis-1)}, -9 * s, -1000 + 999, 1000, "ok"},
		{"microseconds", []value{ntp(154, testTime-9*s), ntp(155, testTime-7)}, -9 * s, -7, 1, "ok"},
		{"nanoseconds", []value{ntp(156, testTime-9*s), ntp(157, testTime-7)}, -9 * s, -7, 1, "ok"},
		{"microseconds before export", []value{num(158, 4, 9_000_000), num(159, 4, 7)}, -9 * s, -7, 1, "ok"},
		{"the finest, when there are several", []value{num(150, 4, 5), num(151, 4, 5), num(152, 8, millis-9000), num(153, 8, millis-1)}, -9 * s, -1000 + 999, 1000, "ok"},
		{"of two kinds, the coarser resolution", []value{num(150, 4, uint64(testTime/s)-9), num(153, 8, millis-2000)}, -9 * s, -2*s + 999_999, 1e6, "ok"},
		{"uptime and when that began", []value{num(22, 4, 1000), num(21, 4, 8000), num(160, 8, millis-10_000)}, -9 * s, -2*s + 999, 1000, "ok"},
		{"uptime that wrapped", []value{num(22, 4, 0xffffffff-999), num(21, 4, 8000), num(160, 8, millis-10_000-1<<32)}, -11 * s, -2*s + 999, 1000, "ok"},
		{"uptime alone", []value{num(22, 4, 1000), num(21, 4, 8000)}, -7 * s, 0, 1, "received"},
		{"start and duration", []value{num(152, 8, millis-9000), num(161, 4, 7000)}, -9 * s, -2*s + 999, 1000, "ok"},
		{"end and duration", []value{num(153, 8, millis-2000), num(162, 4, 7_000_000)}, -9 * s, -2*s + 999, 1000, "ok"},
		{"end alone", []value{num(153, 8, millis-2000)}, -2 * s, -2*s + 999, 1000, "no_start"},
		{"start alone", []value{num(152, 8, millis-2000)}, -2 * s, -2*s + 999, 1000, "ok"},
		{"start and an event", []value{num(152, 8, millis-9000), num(323, 8, millis-2000)}, -9 * s, -2*s + 999, 1000, "ok"},
		{"an event", []value{num(323, 8, millis-2000)}, -2 * s, -2*s + 999, 1000, "ok"},
		{"duration alone", []value{num(161, 4, 7000)}, -7 * s, 0, 1, "received"},
		{"none", nil, 0, 0, 1, "received"},
		{"end before start", []value{num(152, 8, millis-1000), num(153, 8, millis-2000)}, 0, 0, 1, "clamped"},
		{"the future", []value{num(152, 8, millis+3600_000), num(153, 8, millis+3601_000)}, -s, 0, 1, "clamped"},
		{"1970", []value{num(150, 4, 5), num(151, 4, 7)}, -2 * s, 0, 1, "clamped"},
		{"before 1970, in NTP's years", []value{num(154, 8, 5<<32), num(155, 8, 7<<32)}, 0, 0, 1, "clamped"},
		{"no year at all", []value{num(152, 8, math.MaxUint64), num(153, 8, math.MaxUint64)}, 0, 0, 1, "clamped"},
		{"a duration no flow has", []value{num(153, 8, millis), num(162, 8, math.MaxUint64)}, 0, 0, 1, "clamped"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, k := newTestDecoder(t, Config{}, nil)
			template, data := recordOf(append([]value{num(4, 1, 6)}, c.fields...)...)
			send(d, ipfixMessage(0, 1, set(2, template), set(256, data)))
			if len(k.rows) != 1 {
				t.Fatalf("%d rows", len(k.rows))
			}
			r := &k.rows[0]
			if r.TS-testTime != c.start || r.TSEnd-testTime != c.end || r.Resolution != c.res || r.TimeQuality != c.quality {
				t.Errorf("%d %d %d %s, want %d %d %d %s", r.TS-testTime, r.TSEnd-testTime, r.Resolution, r.TimeQuality, c.start, c.end, c.res, c.quality)
			}
		})
	}
}

func TestSampledPackets(t *testing.T) {
	d, s := newTestDecoder(t, Config{}, nil)
	frame := testFrame()
	header := ie{0, 315, uint16(len(frame))}
	send(d, ipfixMessage(0, 1,
		set(2, templateOf(256, ie{0, 312, 2}, header), templateOf(257, ie{0, 313, variable}, ie{0, 323, 8}), templateOf(258, header, ie{0, 1, 4}, ie{0, 2, 4}, ie{0, 58, 2})),
		set(256, be(nil, 2, 1000), frame),
		set(257, []byte{40}, frame[14:], be(nil, 8, millis)),
		set(258, frame, be(be(be(nil, 4, 5000), 4, 5), 2, 12)),
		set(256, be(nil, 2, 1000), make([]byte, 54))))
	want := `src=10.0.0.1 dst=192.168.1.1 src_port=1025 dst_port=80 protocol_number=6 bytes=986 packets=1 tcp_flags_number=2 tos=0 ttl=64 src_mac=2199023255553 dst_mac=2199023255554 time_quality=received
src=10.0.0.1 dst=192.168.1.1 src_port=1025 dst_port=80 protocol_number=6 bytes=40 packets=1 tcp_flags_number=2 tos=0 ttl=64
src=10.0.0.1 dst=192.168.1.1 src_port=1025 dst_port=80 protocol_number=6 bytes=5000 packets=5 tcp_flags_number=2 tos=0 ttl=64 vlan=12 src_mac=2199023255553 dst_mac=2199023255554 time_quality=received
packets=1 src_mac=0 dst_mac=0 time_quality=received`
	if got := showAll(s.rows); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestOptions is what flow records take from options records.
func TestOptions(t *testing.T) {
	m, v9 := ipfixMessage, v9Datagram
	flow := func(extra ...value) []byte {
		template, data := recordOf(append([]value{num(152, 8, millis), num(153, 8, millis)}, extra...)...)
		return append(set(2, template), set(256, data)...)
	}
	flow9 := func(extra ...value) []byte {
		template, data := recordOf(append([]value{num(22, 4, 3600_000), num(21, 4, 3600_000)}, extra...)...)
		return append(set(0, template), set(256, data)...)
	}
	system := []ie{{0, 1, 4}} // v9's scope
	for _, c := range []struct {
		name      string
		datagrams [][]byte
		want      string
	}{
		{"rate for all", [][]byte{
			v9(0, 1, set(1, v9Options(300, system, ie{0, 34, 4}, ie{0, 35, 1})), set(300, be(be(be(nil, 4, 0), 4, 100), 1, 1))),
			v9(1, 1, flow9()),
		}, "sampling_rate=100"},
		{"rate of a sampler", [][]byte{
			v9(0, 1, set(1, v9Options(300, system, ie{0, 48, 1}, ie{0, 49, 1}, ie{0, 50, 4})), set(300, []byte("\x00\x00\x00\x00\x01\x02\x00\x00\x00\x0a\x00\x00\x00\x00\x02\x02\x00\x00\x00\x64"))),
			v9(1, 1, flow9(num(48, 1, 2))), v9(2, 1, flow9(num(48, 1, 1))), v9(3, 1, flow9(num(48, 1, 7))), v9(4, 1, flow9()),
		}, "sampling_rate=100\nsampling_rate=10\nextra={\"samplerId\":7}\n"},
		{"rate of the only sampler", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 302, 8}, ie{0, 305, 4}, ie{0, 306, 4})), set(300, be(be(be(nil, 8, 1), 4, 1), 4, 99))),
			m(1, 1, flow()),
		}, "sampling_rate=100"},
		{"rate by sizes", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 302, 8}, ie{0, 309, 4}, ie{0, 310, 4})), set(300, be(be(be(nil, 8, 1), 4, 1), 4, 64))),
			m(1, 1, flow(num(302, 8, 1))),
		}, "sampling_rate=64"},
		{"rate by probability", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 302, 8}, ie{0, 311, 8})), set(300, be(be(nil, 8, 1), 8, math.Float64bits(0.001)))),
			m(1, 1, flow(num(302, 8, 1))),
		}, "sampling_rate=1000"},
		{"rate of an interface", [][]byte{
			v9(0, 1, set(1, v9Options(300, []ie{{0, scopeInterface, 4}}, ie{0, 34, 4})), set(300, be(be(nil, 4, 7), 4, 10), be(be(nil, 4, 8), 4, 20))),
			v9(1, 1, flow9(num(10, 4, 7))), v9(2, 1, flow9(num(10, 4, 1), num(14, 4, 8))), v9(3, 1, flow9(num(10, 4, 1))),
		}, "sampling_rate=10 in_if=7\nsampling_rate=20 in_if=1 out_if=8\nin_if=1"},
		{"no rate", [][]byte{
			v9(0, 1, set(1, v9Options(300, system, ie{0, 34, 4})), set(300, be(be(nil, 4, 0), 4, 0))),
			v9(1, 1, flow9()),
		}, ""},
		{"rates are a domain's own", [][]byte{
			v9(0, 1, set(1, v9Options(300, system, ie{0, 34, 4})), set(300, be(be(nil, 4, 0), 4, 100))),
			v9(0, 2, flow9()),
		}, ""},
		{"what domain 0 says holds for all", [][]byte{
			v9(0, 2, set(1, v9Options(301, system, ie{0, 34, 4})), set(301, be(be(nil, 4, 0), 4, 7))),
			v9(0, 0, set(1, v9Options(300, system, ie{0, 34, 4}), v9Options(301, []ie{{0, scopeInterface, 2}}, ie{0, 82, 4})), set(300, be(be(nil, 4, 0), 4, 100)), set(301, []byte("\x00\x07eth0"))),
			v9(0, 1, flow9(num(10, 4, 7))), v9(1, 2, flow9()), v9(1, 0, flow9()),
		}, "sampling_rate=100 in_if=7 in_if_name=eth0\nsampling_rate=7\nsampling_rate=100"},
		{"names of interfaces", [][]byte{
			v9(0, 1, set(1, v9Options(300, []ie{{0, scopeInterface, 2}}, ie{0, 82, 4}, ie{0, 83, 6})), set(300, []byte("\x00\x07eth0uplink\x00\x08\x00\x00\x00\x00inside"))),
			v9(1, 1, flow9(num(10, 4, 7), num(14, 4, 8))),
		}, "in_if=7 out_if=8 in_if_name=eth0 out_if_name=inside"},
		{"names of interfaces, IPFIX", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 10, 4}, ie{0, 82, variable})), set(300, be(nil, 4, 7), []byte("\x04eth0"))),
			m(1, 1, flow(num(10, 4, 7), num(14, 4, 8))),
		}, "in_if=7 out_if=8 in_if_name=eth0"},
		{"names of applications", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 95, 4}, ie{0, 96, 8}, ie{0, 94, 2})), set(300, []byte("\x03\x00\x00\x50http\x00\x00\x00\x00xx"))),
			m(1, 1, flow(num(95, 4, 0x03000050))), m(2, 1, flow(num(95, 4, 0x03000051))),
		}, "app_name=http\nextra={\"applicationId\":\"3..81\"}"},
		{"names of VRFs", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 234, 4}, ie{0, 236, 4})), set(300, be(nil, 4, 3), []byte("blue"))),
			m(1, 1, flow(num(234, 4, 3), num(235, 4, 4))),
		}, `vrf_in=3 vrf_out=4 extra={"ingressVRFname":"blue"}`},
		{"when the device started", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 144, 4}, ie{0, 160, 8})), set(300, be(be(nil, 4, 1), 8, millis-10_000))),
			m(1, 1, set(2, templateOf(256, ie{0, 22, 4}, ie{0, 21, 4})), set(256, be(be(nil, 4, 1000), 4, 8000))),
		}, ""},
		{"variable length, padded, cut off", [][]byte{
			m(0, 1, set(3, ipfixOptions(300, 1, ie{0, 10, 4}, ie{0, 82, variable})), set(300, be(nil, 4, 7), []byte("\x04eth0"), make([]byte, 3)), set(300, be(nil, 4, 8), []byte("\x09eth"))),
			m(1, 1, flow(num(10, 4, 7))),
		}, "in_if=7 in_if_name=eth0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, s := newTestDecoder(t, Config{}, nil)
			send(d, c.datagrams...)
			if got := showAll(s.rows); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestSamplingOverride(t *testing.T) {
	d, s := newTestDecoder(t, Config{Exporters: []string{"192.0.2.0/24,sampling=512"}}, nil)
	v5 := v5Datagram(0, 1)
	binary.BigEndian.PutUint16(v5[22:], 100)
	template, data := recordOf(num(34, 4, 100), num(48, 1, 1))
	send(d, v5, v9Datagram(0, 1, set(1, v9Options(300, []ie{{0, 1, 4}}, ie{0, 34, 4})), set(300, be(be(nil, 4, 0), 4, 100)), set(0, template), set(256, data)))
	for i := range s.rows {
		if s.rows[i].Sampling != tables.Some(int64(512)) {
			t.Errorf("row %d: %v", i, s.rows[i].Sampling)
		}
	}
	d.Close(testTime + 1)
	for _, e := range s.exporters {
		if e.Sampling != tables.Some(int64(512)) {
			t.Errorf("%s: %v", e.SourceType, e.Sampling)
		}
	}
	if len(s.rows) != 2 || len(s.exporters) != 2 {
		t.Errorf("%d rows, %d exporters", len(s.rows), len(s.exporters))
	}
}

func TestEveryElementHasAName(t *testing.T) {
	for _, c := range []struct {
		id   elementID
		name string
	}{
		{elementID{0, 1}, "octetDeltaCount"}, {elementID{0, 8}, "sourceIPv4Address"}, {elementID{0, 89}, "forwardingStatus"},
		{elementID{0, 233}, "firewallEvent"}, {elementID{0, 352}, "layer2OctetDeltaCount"}, {elementID{0, 433}, "ignoredLayer2FrameTotalCount"},
		{elementID{0, 491}, "bgpDestinationLargeCommunityList"}, {elementID{0, 529}, "udpUnsafeExIDList"},
		{elementID{penReverse, 1}, "reverseOctetDeltaCount"}, {elementID{penCERT, 14 | certReverse}, "reverseInitialTCPFlags"},
		{elementID{0, 33002}, "NF_F_FW_EXT_EVENT"}, {elementID{9, 1}, "9/1"}, {elementID{0, 0}, "0/0"}, {elementID{0, 65535}, "0/65535"},
	} {
		if got := c.id.lookup().name; got != c.name {
			t.Errorf("%v is %s, want %s", c.id, got, c.name)
		}
	}
	known := 0
	for _, e := range registry {
		if e.name != "" {
			known++
		}
	}
	if known < 490 {
		t.Errorf("%d elements of the registry have a name", known)
	}
}
