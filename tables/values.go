package tables

import "slices"

// The values of columns that have few. Writers use these constants, and a
// column's Values are made of them, so that a literal no row can hold is known
// for a mistake.

// Values of source_type. Only the first five are written so far.
const (
	SourcePackets  = "packets" // metered from packets
	SourceNetFlow5 = "netflow5"
	SourceNetFlow9 = "netflow9"
	SourceIPFIX    = "ipfix"
	SourceSFlow5   = "sflow5"
	SourceAWS      = "aws"
	SourceGCP      = "gcp"
	SourceAzure    = "azure"
	SourceZeek     = "zeek"
	SourceSuricata = "suricata"
)

// Values of conn_state, as Zeek writes them
// (https://docs.zeek.org/en/master/scripts/base/protocols/conn/main.zeek.html).
const (
	ConnS0     = "S0"
	ConnS1     = "S1"
	ConnSF     = "SF"
	ConnREJ    = "REJ"
	ConnS2     = "S2"
	ConnS3     = "S3"
	ConnRSTO   = "RSTO"
	ConnRSTR   = "RSTR"
	ConnRSTOS0 = "RSTOS0"
	ConnRSTRH  = "RSTRH"
	ConnSH     = "SH"
	ConnSHR    = "SHR"
	ConnOTH    = "OTH"
)

// Values of end_reason: IPFIX flowEndReason (136) in words, and two of ours.
const (
	EndIdle      = "idle"
	EndActive    = "active"
	EndSeen      = "end"
	EndForced    = "forced"
	EndResources = "lack_of_resources"
	EndRestart   = "restart"
	EndOfCapture = "end_of_capture"
)

// Values of oriented_by.
const (
	BySyn         = "syn"
	BySynAck      = "synack"
	ByServicePort = "service_port"
	ByFirstPacket = "first_packet"
	ByExporter    = "exporter"
)

// Values of direction.
const (
	Outbound = "outbound"
	Inbound  = "inbound"
	Internal = "internal"
	External = "external"
	// ToMany: the server is a multicast or broadcast address.
	ToMany = "multicast"
)

// Values of action.
const (
	Allow = "allow"
	Deny  = "deny"
)

// Values of visibility.
const (
	Cut       = "cut"
	OneSided  = "one_sided"
	Encrypted = "encrypted"
	Clear     = "clear"
)

// Values of packet_status.
const (
	Available   = "available"
	Truncated   = "truncated"
	Lossy       = "lossy"
	Partial     = "partial"
	Evicted     = "evicted"
	Missing     = "missing" // nobody evicted them
	NotCaptured = "not_captured"
)

// Values of flow_direction: IPFIX flowDirection (61).
const (
	Ingress = "ingress"
	Egress  = "egress"
)

// Values of time_quality.
const (
	TimesOK       = "ok"       // as reported
	TimesClamped  = "clamped"  // end before start, in the future or before 2000: those of arrival
	TimesNoStart  = "no_start" // the end stands for both
	TimesReceived = "received" // none reported: those of arrival
)

// Values of counter_quality.
const (
	CountersOK      = "ok"      // as reported
	CountersClamped = "clamped" // one is MaxCount: it was as much or more
)

// Values of state in ops.imports.
const (
	ImportComplete = "complete"
	ImportDamaged  = "damaged"
)

// Values of state in ops.segments.
const (
	SegmentAvailable = "available"
	SegmentMissing   = "missing"
	// SegmentChanged: a capture indexed in place is no longer what was
	// imported.
	SegmentChanged = "source file changed"
	// SegmentEvicted: it was taken away to make room, or because of its age.
	SegmentEvicted = "evicted"
)

// Values of state in ops.roots.
var rootStates = []string{SegmentAvailable, SegmentMissing, RootFailing, RootLeaving}

// RootFailing is a root whose disk is read and was last not written to.
const RootFailing = "failing"

// RootLeaving is a root that is being retired.
const RootLeaving = "leaving"

// Values of reason in ops.evictions.
const (
	EvictedAge   = "age"   // older than the budget allows
	EvictedBytes = "bytes" // more than the budget allows
	EvictedDisk  = "disk"  // the disk was full
	EvictedRows  = "rows"  // packets whose flow rows were evicted: nothing led to them
)

// Values of outcome in ops.query_log.
const (
	OutcomeAnswered  = "answered"
	OutcomeFailed    = "failed"
	OutcomeCancelled = "cancelled"
)

// Values of role in host_flows.
const (
	RoleClient = "client"
	RoleServer = "server"
)

var (
	sourceTypes = []string{SourcePackets, SourceNetFlow5, SourceNetFlow9, SourceIPFIX, SourceSFlow5,
		SourceAWS, SourceGCP, SourceAzure, SourceZeek, SourceSuricata}
	connStates = []string{ConnS0, ConnS1, ConnSF, ConnREJ, ConnS2, ConnS3, ConnRSTO, ConnRSTR, ConnRSTOS0, ConnRSTRH,
		ConnSH, ConnSHR, ConnOTH}
	endReasons       = []string{EndIdle, EndActive, EndSeen, EndForced, EndResources, EndRestart, EndOfCapture}
	orientations     = []string{BySyn, BySynAck, ByServicePort, ByFirstPacket, ByExporter}
	directions       = []string{Outbound, Inbound, Internal, External, ToMany}
	actions          = []string{Allow, Deny}
	visibilities     = []string{Cut, OneSided, Encrypted, Clear}
	packetStatuses   = []string{Available, Truncated, Lossy, Partial, Evicted, Missing, NotCaptured}
	flowDirections   = []string{Ingress, Egress}
	timeQualities    = []string{TimesOK, TimesClamped, TimesNoStart, TimesReceived}
	counterQualities = []string{CountersOK, CountersClamped}
	nameSources      = slices.Concat([]string{SourceDHCP}, spoken, claims[1:])
	outcomes         = []string{OutcomeAnswered, OutcomeFailed, OutcomeCancelled}
	importStates     = []string{ImportComplete, ImportDamaged}
	segmentStates    = []string{SegmentAvailable, SegmentMissing, SegmentChanged, SegmentEvicted}
	evictionReasons  = []string{EvictedAge, EvictedBytes, EvictedDisk, EvictedRows}
	timelineKinds    = []string{"connection", "dns", "tls", "http", "login", "file", "rpc", "mail", "dhcp", "icmp", "arp", "oddity", "lease"}
	roles            = []string{RoleClient, RoleServer}
	sequenceUnits    = []string{"flows", "packets", "records", "datagrams"}
	lossReasons      = []string{"sequence", "kernel", "queue", "undecodable", "malformed", "expired_waiting", "samples_lost", "samples_dropped", "refused", "capture", "disk"}
	lossUnits        = []string{"datagrams", "sets", "flows", "records", "samples", "packets", "rows"}
	segmentKinds     = []string{"pcap", "pcapng"}

	// Of open lists: a protocol, port, type or code without a name has its
	// number.
	knownProtocols = func() (names []string) {
		for _, name := range protocolNames {
			if name != "" {
				names = append(names, name)
			}
		}
		return names
	}()
	knownServices = func() (names []string) {
		names = append(names, "tls") // seen on ports of none
		for _, name := range services {
			names = append(names, name)
		}
		slices.Sort(names)
		return slices.Compact(names)
	}()
	knownDNSTypes  = mnemonics(dnsTypes)
	knownDNSRCodes = mnemonics(dnsRCodes)
)

// What became of a run of a scheduled hunt.
const (
	RunFound     = "found"
	RunNothing   = "nothing"
	RunTruncated = "truncated"
	RunFailed    = "failed"
)

// FindingStatuses are what somebody can say of a finding; the first is what it has
// until then.
var FindingStatuses = []string{"open", "confirmed", "benign", "closed"}

// How far telling a target of a finding is.
const (
	DeliveryWaiting = "waiting"
	DeliveryDone    = "delivered"
	DeliveryGivenUp = "given_up"
)

var (
	runOutcomes    = []string{RunFound, RunNothing, RunTruncated, RunFailed}
	deliveryStates = []string{DeliveryWaiting, DeliveryDone, DeliveryGivenUp}
)

// Severities are how much a finding of a hunt matters, from the least to the most.
var Severities = []string{"info", "low", "medium", "high", "critical"}
