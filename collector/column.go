package collector

// opcode is what a field of a record does to its row.
type opcode uint8

const (
	opNone opcode = iota
	opBytes
	opPackets
	opReverseBytes
	opReversePackets
	opSrc4
	opSrc6
	opDst4
	opDst6
	opSrcPort
	opDstPort
	opProtocol
	opTCPFlags
	opUnionTCPFlags
	opReverseTCPFlags
	opReverseUnionTCPFlags
	opTOS
	opDSCP
	opTTL
	opICMP
	opICMPType
	opICMPCode
	opInIf
	opOutIf
	opVLAN
	opOuterVLAN
	opSrcMAC
	opDstMAC
	opNextHop4
	opNextHop6
	opSrcAS
	opDstAS
	opSrcMask
	opDstMask
	opSrcNAT4
	opSrcNAT6
	opDstNAT4
	opDstNAT6
	opSrcNATPort
	opDstNATPort
	opVRFIn
	opVRFOut
	opMPLS
	opAppID
	opAppName
	opAppLabel
	opEndReason
	opForwarding
	opFirewall
	opFirewallReason
	opDirection
	opRTT
	opStartSeconds
	opStartMillis
	opStartNTP
	opStartDelta
	opStartUptime
	opEndSeconds
	opEndMillis
	opEndNTP
	opEndDelta
	opEndUptime
	opObservedSeconds
	opObservedMillis
	opObservedNTP
	opDurationMillis
	opDurationMicros
	opBoot
	opSampler
	opInterval
	opPacketInterval
	opPacketSpace
	opSamplingSize
	opSamplingPopulation
	opFrameSize
	opFrame
	opPacketHeader
	opIgnore // said by other columns, or nothing
)

// slot is a place in a row; of several elements of a template that could fill
// it, the best does.
type slot uint8

const (
	slotNone slot = iota // no other element fills it
	slotBytes
	slotPackets
	slotReverseBytes
	slotReversePackets
	slotSrc4
	slotSrc6
	slotDst4
	slotDst6
	slotTCPFlags
	slotReverseTCPFlags
	slotTOS
	slotTTL
	slotInIf
	slotOutIf
	slotVLAN
	slotSrcMAC
	slotDstMAC
	slotNextHop4
	slotNextHop6
	slotSrcNAT4
	slotDstNAT4
	slotSrcNATPort
	slotDstNATPort
	slotApp
	slotFirewall
	slotStart
	slotEnd
	slotObserved
	slotDuration
	slotSampler
	slots
)

// lengths are those an element may have to fill its column.
type lengths uint8

const (
	integer  lengths = iota // 1 to 8 octets: RFC 7011 section 6.2
	four                    // an IPv4 address, a time in seconds
	eight                   // a time
	sixteen                 // an IPv6 address
	six                     // a MAC address
	three                   // an MPLS label stack entry, its TTL left off
	anything                // also of variable length
)

func (l lengths) fit(n uint16) bool {
	switch l {
	case integer:
		return n >= 1 && n <= 8
	case anything:
		return n >= 1
	}
	return n == [...]uint16{four: 4, eight: 8, sixteen: 16, six: 6, three: 3}[l]
}

// column says which column an element fills.
type column struct {
	op      opcode
	slot    slot
	rank    uint8 // among those of the slot; the lowest is taken
	lengths lengths
}

// columns is the elements that have a column. Within a slot they stand in
// order of preference.
var columns = makeColumns([]struct {
	op      opcode
	slot    slot
	lengths lengths
	ids     []uint16
}{
	// Counters of layer 3 in deltas before totals, initiator's (firewalls)
	// before those after a middlebox (v9's OUT_BYTES: all an egress record
	// has), and last those of layer 2, which are too large by the headers.
	{opBytes, slotBytes, integer, []uint16{1, 231, 85, 23, 171, 352, 353}},
	{opPackets, slotPackets, integer, []uint16{2, 298, 86, 24, 172}},
	{opReverseBytes, slotReverseBytes, integer, []uint16{232}},
	{opReversePackets, slotReversePackets, integer, []uint16{299}},
	// Prefixes stand for the addresses in aggregated records.
	{opSrc4, slotSrc4, four, []uint16{8, 44}},
	{opSrc6, slotSrc6, sixteen, []uint16{27, 170}},
	{opDst4, slotDst4, four, []uint16{12, 45}},
	{opDst6, slotDst6, sixteen, []uint16{28, 169}},
	{opSrcPort, slotNone, integer, []uint16{7}},
	{opDstPort, slotNone, integer, []uint16{11}},
	{opProtocol, slotNone, integer, []uint16{4}},
	{opTCPFlags, slotTCPFlags, integer, []uint16{6}},
	{opTOS, slotTOS, integer, []uint16{5}},
	{opDSCP, slotTOS, integer, []uint16{195}},
	{opTTL, slotTTL, integer, []uint16{192, 52, 53}},
	{opICMP, slotNone, integer, []uint16{32, 139}},
	{opICMPType, slotNone, integer, []uint16{176, 178}},
	{opICMPCode, slotNone, integer, []uint16{177, 179}},
	{opInIf, slotInIf, integer, []uint16{10, 252}},
	{opOutIf, slotOutIf, integer, []uint16{14, 253}},
	{opVLAN, slotVLAN, integer, []uint16{245, 58, 243, 59, 254}},
	{opSrcMAC, slotSrcMAC, six, []uint16{56, 81}},
	{opDstMAC, slotDstMAC, six, []uint16{80, 57}},
	{opNextHop4, slotNextHop4, four, []uint16{15, 18}},
	{opNextHop6, slotNextHop6, sixteen, []uint16{62, 63}},
	{opSrcAS, slotNone, integer, []uint16{16}},
	{opDstAS, slotNone, integer, []uint16{17}},
	{opSrcMask, slotNone, integer, []uint16{9, 29}},
	{opDstMask, slotNone, integer, []uint16{13, 30}},
	{opSrcNAT4, slotSrcNAT4, four, []uint16{225, 40001}},
	{opDstNAT4, slotDstNAT4, four, []uint16{226, 40002}},
	{opSrcNAT6, slotNone, sixteen, []uint16{281}},
	{opDstNAT6, slotNone, sixteen, []uint16{282}},
	{opSrcNATPort, slotSrcNATPort, integer, []uint16{227, 40003}},
	{opDstNATPort, slotDstNATPort, integer, []uint16{228, 40004}},
	{opVRFIn, slotNone, integer, []uint16{234}},
	{opVRFOut, slotNone, integer, []uint16{235}},
	{opMPLS, slotNone, three, []uint16{70}},
	{opAppName, slotApp, anything, []uint16{96, 56701}},
	{opAppID, slotApp, anything, []uint16{95}},
	{opEndReason, slotNone, integer, []uint16{136}},
	{opForwarding, slotNone, integer, []uint16{89}},
	{opFirewall, slotFirewall, integer, []uint16{233, 40005}},
	{opFirewallReason, slotNone, integer, []uint16{33002}},
	{opDirection, slotNone, integer, []uint16{61}},

	// The finest times an exporter gives.
	{opStartNTP, slotStart, eight, []uint16{156, 154}},
	{opStartMillis, slotStart, eight, []uint16{152}},
	{opStartDelta, slotStart, integer, []uint16{158}},
	{opStartUptime, slotStart, integer, []uint16{22}},
	{opStartSeconds, slotStart, four, []uint16{150}},
	{opEndNTP, slotEnd, eight, []uint16{157, 155}},
	{opEndMillis, slotEnd, eight, []uint16{153}},
	{opEndDelta, slotEnd, integer, []uint16{159}},
	{opEndUptime, slotEnd, integer, []uint16{21}},
	{opEndSeconds, slotEnd, four, []uint16{151}},
	{opObservedNTP, slotObserved, eight, []uint16{325, 324}},
	{opObservedMillis, slotObserved, eight, []uint16{323}},
	{opObservedSeconds, slotObserved, four, []uint16{322}},
	{opDurationMicros, slotDuration, integer, []uint16{162}},
	{opDurationMillis, slotDuration, integer, []uint16{161}},
	{opBoot, slotNone, eight, []uint16{160}},

	{opSampler, slotSampler, integer, []uint16{302, 48}},
	{opInterval, slotNone, integer, []uint16{34, 50}},
	{opPacketInterval, slotNone, integer, []uint16{305}},
	{opPacketSpace, slotNone, integer, []uint16{306}},
	{opSamplingSize, slotNone, integer, []uint16{309}},
	{opSamplingPopulation, slotNone, integer, []uint16{310}},
	{opFrameSize, slotNone, integer, []uint16{312}},
	{opFrame, slotNone, anything, []uint16{315}},
	{opPacketHeader, slotNone, anything, []uint16{313}},

	// ipVersion; observationDomainId; paddingOctets.
	{opIgnore, slotNone, integer, []uint16{60, 149}},
	{opIgnore, slotNone, anything, []uint16{210}},
})

func makeColumns(list []struct {
	op      opcode
	slot    slot
	lengths lengths
	ids     []uint16
}) map[elementID]column {
	all := map[elementID]column{}
	var rank [slots]uint8
	add := func(id elementID, op opcode, s slot, l lengths) {
		all[id] = column{op, s, rank[s], l}
		rank[s]++
	}
	for _, c := range list {
		for _, id := range c.ids {
			add(elementID{0, id}, c.op, c.slot, c.lengths)
		}
	}
	reverse := func(id uint16) elementID { return elementID{penReverse, id} }
	for _, id := range []uint16{1, 85} {
		add(reverse(id), opReverseBytes, slotReverseBytes, integer)
	}
	for _, id := range []uint16{2, 86} {
		add(reverse(id), opReversePackets, slotReversePackets, integer)
	}
	add(reverse(6), opReverseTCPFlags, slotReverseTCPFlags, integer)
	cert := func(id uint16) elementID { return elementID{penCERT, id} }
	add(cert(15), opUnionTCPFlags, slotTCPFlags, integer)
	add(cert(15|certReverse), opReverseUnionTCPFlags, slotReverseTCPFlags, integer)
	add(cert(21), opRTT, slotNone, integer)
	add(cert(33), opAppLabel, slotApp, integer)
	return all
}

// beside is the elements whose field goes to extra as well when it does not
// fill its column alone: YAF's unionTCPFlags leaves out the first packet's.
const initialTCPFlags = 14

// redundant tells whether an element says in another unit what the slot's
// best says already, so that leaving it out loses nothing.
func (s slot) redundant() bool {
	return s == slotStart || s == slotEnd || s == slotObserved || s == slotDuration
}

// extraConditions is the elements that are left out of extra at times.
var extraConditions = map[elementID]extraWhen{
	{0, 59}:  extraNonzero, // postVlanId and postDot1qVlanId: untagged
	{0, 254}: extraNonzero,
	{0, 130}: extraExporter,
	{0, 131}: extraExporter,
	{0, 95}:  extraApp,
	{0, 302}: extraSampler,
	{0, 48}:  extraSampler,
}
