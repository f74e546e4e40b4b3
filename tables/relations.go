package tables

// Kind is what values of a column are, which decides its MySQL type, how it
// is stored and how text typed beside it is read.
type Kind uint8

// The kinds of columns.
const (
	Timestamp   Kind = iota // DATETIME(6), UTC; stored TIMESTAMP µs without zone
	Double                  // DOUBLE
	Int                     // INT
	BigInt                  // BIGINT, signed on purpose: unsigned breaks clients
	Bool                    // TINYINT(1)
	Text                    // VARCHAR, utf8mb4_0900_bin: = is exact
	HostName                // VARCHAR, stored folded; literals are folded too
	Address                 // VARCHAR(45) shown, two UBIGINT stored, numeric order
	Identifier              // VARCHAR(13) shown, UBIGINT stored
	CommunityID             // VARCHAR(30) shown, made from the five-tuple; cid stored
	MAC                     // VARCHAR(17) shown, BIGINT stored
	Bytes                   // LONGBLOB
)

// Column is one column of a relation: the only place where its name, type and
// meaning are written down.
type Column struct {
	Name string
	Kind Kind
	// Size is the VARCHAR length; 0 means the kind's own.
	Size int
	// NotNull columns have a value in every row.
	NotNull bool
	// Unit of numbers, as a word: bytes, packets, seconds.
	Unit string
	// Doc is the column's comment as clients see it.
	Doc string
	// Values are all the values the column can have, as they are stored; nil
	// where nobody can list them.
	Values []string
	// Known are the usual values of a column that has others too.
	Known []string
	// NoCase columns compare without regard to case: names of hosts, and
	// columns with few values. What is stored has one case: that of Values, or
	// that of Fold, "lower" or "upper"; "" where it is in neither.
	NoCase bool
	Fold   string
	// Source names where the value comes from: an IPFIX element, a Zeek
	// field, an RFC.
	Source string
	// Titled tells that a field of a result is named as the column is here, in
	// whatever case it was typed, as MySQL names those of its own views.
	Titled bool
	// Loose columns hold texts that may be numbers, such as the values of
	// variables: a number beside one is compared with it as a number.
	Loose bool
}

// Relation is a table as SQL users see it.
type Relation struct {
	// Schema is the MySQL database it lives in: wiresql, ops or hunt.
	Schema string
	Name   string
	// Doc is the table's comment.
	Doc     string
	Columns []Column
	// Given relations come from a file beside the archive.
	Given bool
}

// Main is the schema of the relations people query, Ops that of the relations
// about wiresql itself, Hunt that of saved hunts.
const (
	Main = "wiresql"
	Ops  = "ops"
	Hunt = "hunt"
)

// Column finds a column by name, or returns nil.
func (r *Relation) Column(name string) *Column {
	for i := range r.Columns {
		if r.Columns[i].Name == name {
			return &r.Columns[i]
		}
	}
	return nil
}

// Lookup finds a relation, or returns nil. Names are lower case.
func Lookup(schema, name string) *Relation {
	for _, r := range Relations {
		if r.Schema == schema && r.Name == name {
			return r
		}
	}
	return nil
}

// Procedures are what CALL runs, and how many arguments they take; -1 for any
// number of them.
var Procedures = map[string]int{"pin": 4, "unpin": 1, "hunt": -1, "schedule": -1, "unschedule": 1, "finding_status": 2, "case_note": -1}

// Relations lists every relation in the order the documentation shows them.
var Relations = []*Relation{
	Connections, Flows, FlowsWide, Packets, PacketsWide, PacketBytes,
	Timeline, HostFlows, Notices, Traffic1m, Traffic1h, Rates, Hosts, DNSRelation, DNSAnswers, TLSRelation, HTTPRelation, Logins, FilesRelation, RPCRelation, MailRelation,
	ARPRelation, ICMPRelation, DHCPRelation, Oddities, OpsImports, OpsSegments, OpsCoverage,
	OpsExporters, OpsSockets, OpsCaptureLoss, OpsDamage, OpsEvictions, OpsRoots, OpsPins, OpsQueryLog,
	Hunts, HuntSchedules, HuntRuns, HuntResults, HuntDeliveries, HuntCases,
}

func columns(parts ...[]Column) []Column {
	var out []Column
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

var (
	colTS        = Column{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the first packet", Source: "IPFIX flowStartMicroseconds (154)"}
	colTSEnd     = Column{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "last instant of the last packet's resolution; 9999-12-31 while open", Source: "IPFIX flowEndMicroseconds (155)"}
	colDuration  = Column{Name: "duration", Kind: Double, NotNull: true, Unit: "seconds", Doc: "from first to last packet, as reported"}
	colSensor    = Column{Name: "sensor", Kind: Text, Size: 64, Doc: "where the packets were seen"}
	colProtocol  = Column{Name: "protocol", Kind: Text, Size: 32, Known: knownProtocols, NoCase: true, Fold: "lower", Doc: "protocol over IP by name: tcp, udp, icmp, icmp6, …; the number where it has no name", Source: "IPFIX protocolIdentifier (4)"}
	colService   = Column{Name: "service", Kind: Text, Size: 64, Known: knownServices, NoCase: true, Fold: "lower", Doc: "service that was seen, whatever the port (tls, https, quic, http, ssh); else of the server's port by its usual name (https, domain, …)"}
	colConnState = Column{Name: "conn_state", Kind: Text, Size: 8, Values: connStates, NoCase: true, Doc: "state as Zeek names it: S0 S1 SF REJ S2 S3 RSTO RSTR RSTOS0 RSTRH SH SHR OTH", Source: "Zeek conn_state"}
	colDirection = Column{Name: "direction", Kind: Text, Size: 16, NotNull: true, Values: directions, NoCase: true, Doc: "outbound, inbound, internal or external, by which ends are inside (RFC 1918, RFC 4193, link-local, loopback); multicast when the server is a multicast or broadcast address"}
	colSampling  = Column{Name: "sampling_rate", Kind: BigInt, Unit: "packets", Doc: "one packet in so many was seen, as reported; counters are not scaled by it", Source: "IPFIX samplingPacketInterval (305)"}
	colAction    = Column{Name: "action", Kind: Text, Size: 8, Values: actions, NoCase: true, Doc: "allow or deny where a firewall reported it", Source: "IPFIX firewallEvent (233)"}
	colOriented  = Column{Name: "oriented_by", Kind: Text, Size: 16, Values: orientations, NoCase: true, Doc: "what told client from server: syn, synack, service_port, first_packet, exporter"}
	colPktStatus = Column{Name: "packet_status", Kind: Text, Size: 16, NotNull: true, Values: packetStatuses, NoCase: true, Doc: "whether the packets can be read: available, truncated, lossy, partial, evicted, not_captured; an exporter's row says it of the packets its conversation's metered rows have"}
	colEvictedAt = Column{Name: "evicted_at", Kind: Timestamp, Doc: "when packets of the row were evicted, the last of them if not all went at once; NULL where none were"}
	colFolded    = Column{Name: "flows_folded", Kind: BigInt, Unit: "conversations", Doc: "how many conversations the row stands for, where the SYNs or datagrams of a flood that nobody answered are folded: its client is the unspecified address then; NULL for all other rows"}
	colCommunity = Column{Name: "community_id", Kind: CommunityID, Doc: "Community ID v1, seed 0: joins with Zeek, Suricata, Arkime", Source: "Community ID v1"}
	colConnID    = Column{Name: "conn_id", Kind: Identifier, Doc: "the conversation, over all its rows and observers; joins to packets"}
	colSeenConn  = Column{Name: "conn_id", Kind: Identifier, Doc: "the conversation as the sensor metered it: where another sensor leads, no connection has it; flows, joined by flow_id, has the connection's"}
	colPacketID  = Column{Name: "packet_id", Kind: Identifier, Doc: "the packet it begins in; NULL if that was not kept, or an import was interrupted behind it"}
	colClient    = Column{Name: "client_ip", Kind: Address, NotNull: true, Doc: "who asked"}
	colClientAt  = Column{Name: "client_port", Kind: Int, NotNull: true, Doc: "port of the client"}
	colAsker     = Column{Name: "client_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the client's address had at ts"}
	colServer    = Column{Name: "server_ip", Kind: Address, NotNull: true, Doc: "who was asked"}
	colAsked     = Column{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the server's address had at ts"}
	colServerAt  = Column{Name: "server_port", Kind: Int, NotNull: true, Doc: "port of the server"}
	colFlowID    = Column{Name: "flow_id", Kind: Identifier, Doc: "this flow row; packets carry that of the metered row"}
)

// Connections is one row per conversation.
var Connections = &Relation{Schema: Main, Name: "connections",
	Doc: "one row per conversation, counted once: client and server, both directions, names, state; start hunts here",
	Columns: []Column{
		colTS, colTSEnd, colDuration,
		{Name: "client_ip", Kind: Address, NotNull: true, Doc: "address of the end that asked", Source: "Zeek id.orig_h"},
		{Name: "client_port", Kind: Int, NotNull: true, Doc: "port of the client; 0 for protocols without ports", Source: "Zeek id.orig_p"},
		{Name: "client_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the client's address had at ts (see hosts)"},
		{Name: "server_ip", Kind: Address, NotNull: true, Doc: "address of the end that answered", Source: "Zeek id.resp_h"},
		{Name: "server_port", Kind: Int, NotNull: true, Doc: "port of the server; 0 for protocols without ports", Source: "Zeek id.resp_p"},
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the server's address had at ts (see hosts)"},
		{Name: "server_name", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the client asked for: TLS SNI, else HTTP Host, else the name it had resolved"},
		colProtocol, colService, colConnState, colDirection,
		{Name: "client_bytes", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes sent by the client", Source: "Zeek orig_ip_bytes"},
		{Name: "server_bytes", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes sent by the server", Source: "Zeek resp_ip_bytes"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "both directions; the known one when only one is known"},
		{Name: "client_packets", Kind: BigInt, Unit: "packets", Doc: "packets sent by the client", Source: "Zeek orig_pkts"},
		{Name: "server_packets", Kind: BigInt, Unit: "packets", Doc: "packets sent by the server", Source: "Zeek resp_pkts"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "both directions; the known one when only one is known"},
		{Name: "sampling_rate", Kind: BigInt, Unit: "packets", Doc: "one packet in so many was seen by the observer whose counters stand here: they are multiplied by it already"}, colAction,
		{Name: "visibility", Kind: Text, Size: 16, Values: visibilities, NoCase: true, Doc: "cut (a packet was truncated), one_sided, encrypted (TLS, QUIC, SSH) or clear; NULL without packets"},
		{Name: "seen_by", Kind: Text, Size: 1024, Doc: "names of all observers, sorted, comma-joined"},
		colOriented, colPktStatus, colSensor, colCommunity, colConnID, colEvictedAt, colFolded,
	}}

var flowsColumns = []Column{
	colTS, colTSEnd, colDuration,
	{Name: "observer", Kind: Text, Size: 64, Doc: "who reported it: a sensor or an exporter"},
	{Name: "source_type", Kind: Text, Size: 16, NotNull: true, Values: sourceTypes, NoCase: true, Doc: "packets, netflow5, netflow9, ipfix, sflow5, aws, gcp, azure, zeek, suricata"},
	{Name: "src_ip", Kind: Address, NotNull: true, Doc: "source address; the client's in metered rows", Source: "IPFIX sourceIPv4Address (8), sourceIPv6Address (27)"},
	{Name: "src_port", Kind: Int, NotNull: true, Doc: "source port; 0 for protocols without ports", Source: "IPFIX sourceTransportPort (7)"},
	{Name: "src_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the source address had at ts (see hosts)"},
	{Name: "dst_ip", Kind: Address, NotNull: true, Doc: "destination address", Source: "IPFIX destinationIPv4Address (12), destinationIPv6Address (28)"},
	{Name: "dst_port", Kind: Int, NotNull: true, Doc: "destination port; 0 for protocols without ports", Source: "IPFIX destinationTransportPort (11)"},
	{Name: "dst_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the destination address had at ts (see hosts)"},
	colProtocol, colService,
	{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "layer-3 bytes from src to dst in this row", Source: "IPFIX octetDeltaCount (1)"},
	{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets from src to dst in this row", Source: "IPFIX packetDeltaCount (2)"},
	{Name: "reverse_bytes", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes from dst to src; NULL when the observer reports one direction", Source: "IPFIX reverseOctetDeltaCount (RFC 5103)"},
	{Name: "reverse_packets", Kind: BigInt, Unit: "packets", Doc: "packets from dst to src; NULL when the observer reports one direction", Source: "IPFIX reversePacketDeltaCount (RFC 5103)"},
	{Name: "total_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes + reverse_bytes, an unknown direction counted as 0"},
	{Name: "total_packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets + reverse_packets, an unknown direction counted as 0"},
	colSampling,
	{Name: "tcp_flags", Kind: Text, Size: 9, Doc: "union of the TCP flags from src: letters of SFRPAUECN; NULL without TCP", Source: "IPFIX tcpControlBits (6)"},
	{Name: "reverse_tcp_flags", Kind: Text, Size: 9, Doc: "union of the TCP flags from dst"},
	{Name: "end_reason", Kind: Text, Size: 24, Values: endReasons, NoCase: true, Doc: "why the row ended: idle, active, end, forced, lack_of_resources, restart, end_of_capture; NULL while a captured flow goes on", Source: "IPFIX flowEndReason (136)"},
	colDirection, colAction, colPktStatus, colCommunity, colConnID, colFlowID,
}

// Flows is one observer's record of a conversation or a piece of it.
var Flows = &Relation{Schema: Main, Name: "flows",
	Doc:     "what each observer reported, row by row: use connections to count a conversation once",
	Columns: columns(flowsColumns, []Column{colEvictedAt, colFolded})}

// FlowsWide is everything an observer reported.
var FlowsWide = &Relation{Schema: Main, Name: "flows_wide",
	Doc: "flows with every reported column",
	Columns: columns(flowsColumns, []Column{
		colSensor,
		{Name: "site", Kind: Text, Size: 64, Doc: "part of the conversation key: two customers' 10/8 are two sites; NULL for the default one"},
		{Name: "protocol_number", Kind: Int, NotNull: true, Doc: "protocol over IP by number", Source: "IPFIX protocolIdentifier (4)"},
		{Name: "tcp_flags_number", Kind: Int, Doc: "union of the TCP flags from src, as bits", Source: "IPFIX tcpControlBits (6)"},
		{Name: "reverse_tcp_flags_number", Kind: Int, Doc: "union of the TCP flags from dst, as bits"},
		{Name: "wire_bytes", Kind: BigInt, Unit: "bytes", Doc: "bytes of the frames from src to dst; of sFlow the sampled frame with its checksum"},
		{Name: "reverse_wire_bytes", Kind: BigInt, Unit: "bytes", Doc: "bytes of the frames from dst to src"},
		{Name: "icmp_type", Kind: Int, Doc: "ICMP type of the first packet", Source: "IPFIX icmpTypeIPv4 (176), icmpTypeIPv6 (178)"},
		{Name: "icmp_code", Kind: Int, Doc: "ICMP code of the first packet", Source: "IPFIX icmpCodeIPv4 (177), icmpCodeIPv6 (179)"},
		colConnState, colOriented,
		{Name: "rtt_us", Kind: BigInt, Unit: "microseconds", Doc: "round trip of the TCP handshake as seen here"},
		{Name: "vlan", Kind: Int, Doc: "innermost VLAN id", Source: "IPFIX vlanId (58)"},
		{Name: "outer_vlan", Kind: Int, Doc: "outermost VLAN id of two or more (QinQ)", Source: "IPFIX dot1qVlanId (243)"},
		{Name: "tunnel_type", Kind: Text, Size: 16, NoCase: true, Fold: "lower", Doc: "gre, vxlan, geneve, erspan, ipip (any IP in IP, 6in4 too), teredo, gtp, l2tp, pptp or etherip when the addresses are those inside a tunnel"},
		{Name: "tunnel_id", Kind: BigInt, Doc: "VXLAN or Geneve network identifier, GRE key, ERSPAN session; NULL for other tunnels, whose ids are of one direction or none"},
		{Name: "outer_src_ip", Kind: Address, Doc: "outermost source address of a tunnel"},
		{Name: "outer_dst_ip", Kind: Address, Doc: "outermost destination address of a tunnel"},
		{Name: "src_mac", Kind: MAC, Doc: "source MAC of the first packet", Source: "IPFIX sourceMacAddress (56)"},
		{Name: "dst_mac", Kind: MAC, Doc: "destination MAC of the first packet", Source: "IPFIX destinationMacAddress (80)"},
		{Name: "tos", Kind: Int, Doc: "type of service or traffic class of the first packet", Source: "IPFIX ipClassOfService (5)"},
		{Name: "ttl", Kind: Int, Doc: "time to live or hop limit of the first packet", Source: "IPFIX ipTTL (192)"},
		{Name: "fragments", Kind: BigInt, Unit: "packets", Doc: "IP fragments among the packets"},
		{Name: "piece", Kind: Int, Doc: "number of this row within its conversation, from 1"},
		{Name: "last_piece", Kind: Bool, Doc: "1 on the last row of its conversation"},
		{Name: "conn_ts", Kind: Timestamp, Doc: "time of the conversation's first packet"},
		{Name: "time_received", Kind: Timestamp, Doc: "when the record arrived from its exporter"},
		{Name: "time_quality", Kind: Text, Size: 16, Values: timeQualities, NoCase: true, Doc: "whether an exporter's times were used as reported (ok), and why not: clamped, no_start, received; NULL for metered rows"},
		{Name: "counter_quality", Kind: Text, Size: 16, Values: counterQualities, NoCase: true, Doc: "whether an exporter's counters are as reported (ok), or one of them was 9223372036854775807 or more and was cut to that (clamped); NULL for metered rows"},
	}, exportedColumns, []Column{colEvictedAt, colFolded})}

// exportedColumns are what only exporters report.
var exportedColumns = []Column{
	{Name: "observation_domain_id", Kind: BigInt, Doc: "part of the exporter that reported: v9's source id, v5's engine type · 256 + engine id, sFlow's sub-agent", Source: "IPFIX observationDomainId (149)"},
	{Name: "in_if", Kind: BigInt, Doc: "SNMP index of the interface the packets came in by", Source: "IPFIX ingressInterface (10)"},
	{Name: "out_if", Kind: BigInt, Doc: "SNMP index of the interface they left by", Source: "IPFIX egressInterface (14)"},
	{Name: "in_if_name", Kind: Text, Size: 255, Doc: "name of the interface they came in by, where reported", Source: "IPFIX interfaceName (82)"},
	{Name: "out_if_name", Kind: Text, Size: 255, Doc: "name of the interface they left by, where reported", Source: "IPFIX interfaceName (82)"},
	{Name: "next_hop", Kind: Address, Doc: "address of the next router", Source: "IPFIX ipNextHopIPv4Address (15), ipNextHopIPv6Address (62)"},
	{Name: "src_as", Kind: BigInt, Doc: "autonomous system of the source", Source: "IPFIX bgpSourceAsNumber (16)"},
	{Name: "dst_as", Kind: BigInt, Doc: "autonomous system of the destination", Source: "IPFIX bgpDestinationAsNumber (17)"},
	{Name: "src_mask", Kind: Int, Unit: "bits", Doc: "prefix length of the route to the source", Source: "IPFIX sourceIPv4PrefixLength (9), sourceIPv6PrefixLength (29)"},
	{Name: "dst_mask", Kind: Int, Unit: "bits", Doc: "prefix length of the route to the destination", Source: "IPFIX destinationIPv4PrefixLength (13), destinationIPv6PrefixLength (30)"},
	{Name: "src_nat_ip", Kind: Address, Doc: "source address after translation", Source: "IPFIX postNATSourceIPv4Address (225), postNATSourceIPv6Address (281)"},
	{Name: "dst_nat_ip", Kind: Address, Doc: "destination address after translation", Source: "IPFIX postNATDestinationIPv4Address (226), postNATDestinationIPv6Address (282)"},
	{Name: "src_nat_port", Kind: Int, Doc: "source port after translation", Source: "IPFIX postNAPTSourceTransportPort (227)"},
	{Name: "dst_nat_port", Kind: Int, Doc: "destination port after translation", Source: "IPFIX postNAPTDestinationTransportPort (228)"},
	{Name: "vrf_in", Kind: BigInt, Doc: "VRF the packets came in by", Source: "IPFIX ingressVRFID (234)"},
	{Name: "vrf_out", Kind: BigInt, Doc: "VRF they left by", Source: "IPFIX egressVRFID (235)"},
	{Name: "mpls_label", Kind: Int, Doc: "label at the top of the MPLS stack", Source: "IPFIX mplsTopLabelStackSection (70)"},
	{Name: "app_name", Kind: Text, Size: 255, Doc: "application as the exporter recognised it", Source: "IPFIX applicationName (96)"},
	{Name: "flow_direction", Kind: Text, Size: 8, Values: flowDirections, NoCase: true, Doc: "ingress or egress: where at the exporter the packets were counted", Source: "IPFIX flowDirection (61)"},
	{Name: "reject_reason", Kind: Text, Size: 64, Doc: "why a firewall or router did not forward, or the event it reported", Source: "IPFIX forwardingStatus (89), firewallEvent (233)"},
	{Name: "extra", Kind: Text, Size: 16383, Doc: "what the exporter reported that has no column: a JSON object keyed by the IPFIX name of the element, or by enterprise/element number"},
}

var packetsColumns = []Column{
	{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of capture"},
	colSensor,
	{Name: "src_ip", Kind: Address, Doc: "source address; NULL for packets that are not IP"},
	{Name: "src_port", Kind: Int, Doc: "source port; 0 for protocols without ports"},
	{Name: "dst_ip", Kind: Address, Doc: "destination address; NULL for packets that are not IP"},
	{Name: "dst_port", Kind: Int, Doc: "destination port; 0 for protocols without ports"},
	colProtocol,
	{Name: "tcp_flags", Kind: Text, Size: 9, Doc: "TCP flags, letters of SFRPAUECN: S, SA, A, PA, FA, R; NULL without TCP"},
	{Name: "length", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes of the frame on the wire"},
	{Name: "payload_length", Kind: BigInt, Unit: "bytes", Doc: "bytes of layer-4 payload on the wire"},
	{Name: "ttl", Kind: Int, Doc: "time to live or hop limit"},
	{Name: "vlan", Kind: Int, Doc: "innermost VLAN id"},
	{Name: "info", Kind: Text, Size: 1024, Doc: "one line about the packet, as tcpdump would"},
	{Name: "packet_id", Kind: Identifier, NotNull: true, Doc: "the packet: its segment and offset"},
	colFlowID,
	{Name: "conn_id", Kind: Identifier, Doc: "the conversation; of packets that another sensor's stand for, an id that no connection has"},
	colCommunity,
	{Name: "segment", Kind: BigInt, NotNull: true, Doc: "number of the packet file (see ops.segments)"},
	{Name: "offset", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "position of the packet's record in its file"},
}

// Packets is a captured packet without its bytes.
var Packets = &Relation{Schema: Main, Name: "packets",
	Doc:     "captured packets without their bytes; join from connections by conn_id so that only the matching ones are read",
	Columns: packetsColumns}

// PacketsWide is every header field.
var PacketsWide = &Relation{Schema: Main, Name: "packets_wide",
	Doc: "packets with every decoded header field",
	Columns: columns(packetsColumns, []Column{
		{Name: "ts_ns", Kind: BigInt, NotNull: true, Unit: "nanoseconds", Doc: "time of capture since 1970, with the source's resolution"},
		{Name: "interface", Kind: Text, Size: 255, Doc: "interface it was captured on, where the capture says"},
		{Name: "link_type", Kind: Int, NotNull: true, Doc: "link-layer header type", Source: "tcpdump.org linktypes"},
		{Name: "caplen", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes captured; below length when cut"},
		{Name: "src_mac", Kind: MAC, Doc: "source MAC"},
		{Name: "dst_mac", Kind: MAC, Doc: "destination MAC"},
		{Name: "ether_type", Kind: Int, Doc: "EtherType after VLAN tags"},
		{Name: "outer_vlan", Kind: Int, Doc: "outermost VLAN id of two or more"},
		{Name: "protocol_number", Kind: Int, Doc: "protocol over IP by number"},
		{Name: "tcp_flags_number", Kind: Int, Doc: "TCP flags as bits"},
		{Name: "tcp_seq", Kind: BigInt, Doc: "TCP sequence number"},
		{Name: "tcp_ack", Kind: BigInt, Doc: "TCP acknowledgement number"},
		{Name: "tcp_window", Kind: Int, Doc: "TCP window, unscaled"},
		{Name: "ip_id", Kind: BigInt, Doc: "IP identification"},
		{Name: "fragment", Kind: Bool, Doc: "1 for an IP fragment"},
		{Name: "tos", Kind: Int, Doc: "type of service or traffic class"},
		{Name: "tunnel_type", Kind: Text, Size: 16, NoCase: true, Fold: "lower", Doc: "gre, vxlan, geneve, erspan, ipip (any IP in IP, 6in4 too), teredo, gtp, l2tp, pptp or etherip when the addresses are those inside a tunnel"},
		{Name: "tunnel_id", Kind: BigInt, Doc: "VXLAN or Geneve network identifier, GRE key, ERSPAN session, GTP endpoint, PPTP call, L2TP session (of version 2: tunnel * 65536 + session)"},
		{Name: "outer_src_ip", Kind: Address, Doc: "outermost source address of a tunnel"},
		{Name: "outer_dst_ip", Kind: Address, Doc: "outermost destination address of a tunnel"},
		{Name: "error", Kind: Text, Size: 64, Doc: "why the packet could not be decoded to the end"},
		{Name: "truncated", Kind: Bool, NotNull: true, Doc: "1 when not all of the frame was recorded, for a snaplen or a cutoff: caplen is below length"},
	})}

// PacketBytes is packets with their bytes; the right to bytes is SELECT on it.
var PacketBytes = &Relation{Schema: Main, Name: "packet_bytes",
	Doc: "packets with their bytes; the right to read bytes is SELECT on this table",
	Columns: columns(packetsColumns, []Column{
		{Name: "payload", Kind: Bytes, Doc: "captured layer-4 payload"},
		{Name: "frame", Kind: Bytes, NotNull: true, Doc: "all captured bytes of the frame"},
	})}

// HostFlows is connections seen from one end: each conversation twice.
var HostFlows = &Relation{Schema: Main, Name: "host_flows",
	Doc: "a connection seen from one end, each twice: who talked to X, without OR",
	Columns: []Column{
		colTS, colTSEnd, colDuration,
		{Name: "ip", Kind: Address, NotNull: true, Doc: "this end's address"},
		{Name: "host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name this end's address had at ts"},
		{Name: "port", Kind: Int, NotNull: true, Doc: "this end's port"},
		{Name: "role", Kind: Text, Size: 8, NotNull: true, Values: roles, NoCase: true, Doc: "client or server"},
		{Name: "peer_ip", Kind: Address, NotNull: true, Doc: "the other end's address"},
		{Name: "peer_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the other end's address had at ts"},
		{Name: "peer_port", Kind: Int, NotNull: true, Doc: "the other end's port"},
		{Name: "peer_name", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "for a client: the server name it asked for"},
		colProtocol, colService,
		{Name: "bytes_out", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes sent by this end"},
		{Name: "bytes_in", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes sent by the other end"},
		{Name: "packets_out", Kind: BigInt, Unit: "packets", Doc: "packets sent by this end"},
		{Name: "packets_in", Kind: BigInt, Unit: "packets", Doc: "packets sent by the other end"},
		colConnState, colDirection, colPktStatus, colSensor, colConnID, colEvictedAt, colFolded,
	}}

// Timeline is all that is known of what machines did.
var Timeline = &Relation{Schema: Main, Name: "timeline",
	Doc: "what a machine did, and what was done with it, in one list: connections, look-ups, TLS handshakes, HTTP requests, log-ins, files, mail, ICMP and ARP, what did not fit, and the names it had; ask for a host or an ip",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "when it began"},
		{Name: "host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the machine's address had at ts"},
		{Name: "ip", Kind: Address, NotNull: true, Doc: "the machine's address"},
		{Name: "kind", Kind: Text, Size: 16, NotNull: true, Values: timelineKinds, NoCase: true, Doc: "connection, dns, tls, http, login, file (those of HTTP are http), rpc, mail, dhcp, icmp, oddity: a row of the relation of that name, from both of its ends; arp: likewise, of who sent it; lease: a row of hosts"},
		{Name: "role", Kind: Text, Size: 8, Values: roles, NoCase: true, Doc: "client: the machine asked, or sent it (icmp, arp); server: it was asked, or sent it; NULL of leases"},
		{Name: "peer_ip", Kind: Address, Doc: "the other end's address"},
		{Name: "peer_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the other end's address had at ts"},
		{Name: "peer_port", Kind: Int, Doc: "the other end's port"},
		{Name: "summary", Kind: Text, Size: 16383, Doc: "what it was, to be read: → where the machine asked, ← where it was asked"},
		{Name: "notice", Kind: Text, Size: 128, NoCase: true, Fold: "lower", Doc: "what is odd about it: kinds of notices, comma-joined; NULL if nothing is"},
		{Name: "bytes_out", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes the machine sent; NULL but of connections, so that sums count nothing twice"},
		{Name: "bytes_in", Kind: BigInt, Unit: "bytes", Doc: "layer-3 bytes it was sent, likewise"},
		{Name: "packet_status", Kind: Text, Size: 16, Values: packetStatuses, NoCase: true, Doc: "whether a connection's packets can be read, as in connections"},
		colConnID,
		{Name: "flow_id", Kind: Identifier, Doc: "the flow row it was seen in; NULL of connections, which have several"},
		{Name: "evicted_at", Kind: Timestamp, Doc: "when packets of a connection were evicted, as in connections"},
	}}

// Traffic1m and Traffic1h are what connections moved over time.
var (
	Traffic1m = traffic("traffic_1m", "minute")
	Traffic1h = traffic("traffic_1h", "hour")
)

// Rates is what sensors saw, second by second.
var Rates = &Relation{Schema: Main, Name: "rates",
	Doc: "what each sensor saw in each second, by protocol and direction: packets as they came, before anything was made of them",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "start of the second"},
		{Name: "observer", Kind: Text, Size: 64, Doc: "the sensor"},
		{Name: "site", Kind: Text, Size: 64, Doc: "part of the conversation key; NULL for the default one"},
		{Name: "protocol", Kind: Text, Size: 32, Known: knownProtocols, NoCase: true, Fold: "lower", Doc: "protocol over IP by name; NULL for packets without IP, and for drops"},
		{Name: "direction", Kind: Text, Size: 16, Values: directions, NoCase: true, Doc: "direction of the conversations, as in connections; NULL without IP"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets of both ends"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "layer-3 bytes; of packets without IP their frames"},
		{Name: "syns", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "TCP packets with SYN and without ACK"},
		{Name: "new_flows", Kind: BigInt, NotNull: true, Unit: "conversations", Doc: "conversations that began"},
		{Name: "drops", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets the sensor's interface dropped, in the second it was noticed"},
	}}

func traffic(name, bin string) *Relation {
	return &Relation{Schema: Main, Name: name,
		Doc: "what was moved in each " + bin + ", every connection counted once and divided over its time: for graphs over time, where connections puts all of a long one into the " + bin + " it began in",
		Columns: []Column{
			{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "start of the " + bin},
			{Name: "observer", Kind: Text, Size: 64, Doc: "the sensor or exporter whose counters count: sensor of connections"},
			{Name: "site", Kind: Text, Size: 64, Doc: "part of the conversation key; NULL for the default one"},
			colProtocol, colService, colDirection,
			{Name: "client_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "layer-3 bytes sent by clients; what was not reported counts nothing"},
			{Name: "server_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "layer-3 bytes sent by servers"},
			{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "both directions; over all bins the sum of connections.bytes"},
			{Name: "client_packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets sent by clients"},
			{Name: "server_packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets sent by servers"},
			{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "both directions"},
			{Name: "connections", Kind: BigInt, NotNull: true, Unit: "connections", Doc: "that began in the " + bin},
		}}
}

// Hosts is the leases: which name an address had when.
var Hosts = &Relation{Schema: Main, Name: "hosts",
	Doc: "which name an address had, and when: from DHCP leases, else what machines call themselves, DNS answers, or by the MAC of a machine that has a name",
	Columns: []Column{
		{Name: "name", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", NotNull: true, Doc: "host name, lower case"},
		{Name: "ip", Kind: Address, NotNull: true, Doc: "its address"},
		{Name: "mac", Kind: MAC, Doc: "its MAC, where DHCP said, or where the name is known by it"},
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "from when the name holds"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "until when, exclusive; 9999-12-31 while open"},
		{Name: "source", Kind: Text, Size: 16, NotNull: true, Values: nameSources, NoCase: true, Doc: "dhcp, ntlm, kerberos, rdp, netbios, llmnr or dns: who said the name; arp or ndp: the address is of a machine, by its MAC, of which another address has the name"},
	}}

// DNSRelation is DNS transactions.
var DNSRelation = &Relation{Schema: Main, Name: "dns",
	Doc: "DNS queries with their answers",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the query (of the answer when the query was not seen)"},
		colClient, colAsker, colServer,
		{Name: "query", Kind: HostName, Size: 512, NoCase: true, Fold: "lower", Doc: "name asked for, lower case; NULL for the root. Dots and backslashes within labels have a backslash before them; a name that is not UTF-8 has a character a byte (ISO 8859-1)", Source: "Zeek query"},
		{Name: "qtype", Kind: Text, Size: 16, Known: knownDNSTypes, NoCase: true, Fold: "upper", Doc: "type asked for: A, AAAA, PTR, …", Source: "Zeek qtype_name"},
		{Name: "rcode", Kind: Text, Size: 16, Known: knownDNSRCodes, NoCase: true, Fold: "upper", Doc: "NOERROR, NXDOMAIN, …; NULL without an answer", Source: "Zeek rcode_name"},
		{Name: "answers", Kind: Text, Size: 4096, Doc: "answers in presentation form, comma-joined", Source: "Zeek answers"},
		{Name: "ttl", Kind: BigInt, Unit: "seconds", Doc: "smallest time to live among the answers"},
		{Name: "rtt_us", Kind: BigInt, Unit: "microseconds", Doc: "from query to answer", Source: "Zeek rtt"},
		colProtocol, colSensor, colFlowID, colSeenConn,
		{Name: "query_raw", Kind: Text, Size: 512, Doc: "name asked for, in the case it was asked in"},
		{Name: "query_length", Kind: Int, Unit: "bytes", Doc: "length of the name on the wire, labels and the dots between them: 253 at most"},
		{Name: "opcode", Kind: Text, Size: 16, NoCase: true, Fold: "upper", Doc: "QUERY, NOTIFY, UPDATE (query is the zone), …"},
		{Name: "retransmitted", Kind: Bool, Doc: "1 if the same was asked, or answered, up to ten seconds before"},
		{Name: "query_packet_id", Kind: Identifier, Doc: "the packet of the query; NULL if it was not seen or not kept, or an import was interrupted behind it"},
		{Name: "answer_packet_id", Kind: Identifier, Doc: "the packet of the answer; likewise"},
		colAsked,
	}}

// DNSAnswers is the records of DNS answers.
var DNSAnswers = &Relation{Schema: Main, Name: "dns_answers",
	Doc: "the records of DNS answers, one a row: which names led to an address",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the answer"},
		colClient, colAsker, colServer,
		{Name: "query", Kind: HostName, Size: 512, NoCase: true, Fold: "lower", Doc: "name that was asked for, see dns"},
		{Name: "name", Kind: HostName, Size: 512, NoCase: true, Fold: "lower", Doc: "name the record is of: the query, or what it is an alias of"},
		{Name: "type", Kind: Text, Size: 16, Known: knownDNSTypes, NoCase: true, Fold: "upper", Doc: "its type: A, AAAA, CNAME, …"},
		{Name: "data", Kind: Text, Size: 4096, Doc: "what it says, in presentation form"},
		{Name: "address", Kind: Address, Doc: "the address, of A and AAAA"},
		{Name: "ttl", Kind: BigInt, NotNull: true, Unit: "seconds", Doc: "its time to live"},
		colSensor,
		{Name: "packet_id", Kind: Identifier, Doc: "the packet of the answer; NULL if it was not kept"},
		colFlowID, colSeenConn,
	}}

// TLSRelation is TLS handshakes.
var TLSRelation = &Relation{Schema: Main, Name: "tls",
	Doc: "TLS handshakes on any port, as far as they are in clear: who asked whom for what, in which way, and the server's certificate",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the client's hello (of the server's when that was not seen)"},
		colClient, colClientAt, colAsker, colServer, colServerAt,
		{Name: "version", Kind: Text, Size: 16, Doc: "version the server chose: TLSv1.3, TLSv1.2, TLSv1.1, TLSv1, SSLv3; NULL without an answer", Source: "Zeek version"},
		{Name: "server_name", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the client asked for (SNI)", Source: "Zeek server_name"},
		{Name: "alpn", Kind: Text, Size: 255, Doc: "protocol the server chose, where that is in clear (to TLS 1.2); else those the client offered, comma-joined: h2,http/1.1"},
		{Name: "cipher", Kind: Text, Size: 64, NoCase: true, Fold: "upper", Doc: "cipher suite the server chose, by IANA's name", Source: "Zeek cipher"},
		{Name: "ja3", Kind: Text, Size: 32, NoCase: true, Fold: "lower", Doc: "JA3: fingerprint of the client's hello"},
		{Name: "ja3s", Kind: Text, Size: 32, NoCase: true, Fold: "lower", Doc: "JA3S: fingerprint of the server's hello"},
		{Name: "ja4", Kind: Text, Size: 36, NoCase: true, Fold: "lower", Doc: "JA4: fingerprint of the client's hello that the order of its parts does not change"},
		{Name: "subject", Kind: Text, Size: 1024, Doc: "subject of the server's certificate (RFC 2253). Certificates are in clear to TLS 1.2, and not sent when a session is resumed", Source: "Zeek subject"},
		{Name: "issuer", Kind: Text, Size: 1024, Doc: "who issued it, as it says: no signature is checked", Source: "Zeek issuer"},
		{Name: "san", Kind: Text, Size: 4096, Doc: "its other names and addresses, comma-joined", Source: "Zeek san.dns"},
		{Name: "not_before", Kind: Timestamp, Doc: "from when it is valid"},
		{Name: "not_after", Kind: Timestamp, Doc: "until when it is valid"},
		{Name: "cert_sha256", Kind: Text, Size: 64, NoCase: true, Fold: "lower", Doc: "SHA-256 of it (DER)"},
		{Name: "self_signed", Kind: Bool, Doc: "1 if its issuer is its subject"},
		{Name: "resumed", Kind: Bool, Doc: "1 if a session was resumed: the client is known to the server", Source: "Zeek resumed"},
		colProtocol, colSensor, colPacketID, colFlowID, colSeenConn, colAsked,
	}}

// HTTPRelation is HTTP requests.
var HTTPRelation = &Relation{Schema: Main, Name: "http",
	Doc: "requests of HTTP/1, and of HTTP/2 in clear, with their answers, on any port: who asked whom for what, and how much came",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the request (of the answer when the request was not seen)"},
		colClient, colClientAt, colAsker, colServer, colServerAt,
		{Name: "method", Kind: Text, Size: 32, NoCase: true, Fold: "upper", Doc: "GET, POST, …; NULL when the request was not seen", Source: "Zeek method"},
		{Name: "host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "host that was asked for, without the port", Source: "Zeek host"},
		{Name: "uri", Kind: Text, Size: 4096, Doc: "what was asked for: path and query, of a proxy all of the address. What is not UTF-8 is read as ISO 8859-1", Source: "Zeek uri"},
		{Name: "status", Kind: Int, Doc: "status of the answer: 200, 404, …; NULL without one", Source: "Zeek status_code"},
		{Name: "user_agent", Kind: Text, Size: 1024, Doc: "what the client says it is", Source: "Zeek user_agent"},
		{Name: "referer", Kind: Text, Size: 4096, Doc: "the page that led there", Source: "Zeek referrer"},
		{Name: "content_type", Kind: Text, Size: 255, NoCase: true, Fold: "lower", Doc: "type of the answer's body as it says, in lower case, else of the request's"},
		{Name: "request_length", Kind: BigInt, Unit: "bytes", Doc: "length of the request's body as it was sent", Source: "Zeek request_body_len"},
		{Name: "response_length", Kind: BigInt, Unit: "bytes", Doc: "length of the answer's body as it was sent, what was lost of it included", Source: "Zeek response_body_len"},
		{Name: "file_name", Kind: Text, Size: 512, Doc: "name that Content-Disposition gives the body"},
		{Name: "username", Kind: Text, Size: 255, Doc: "user of Basic credentials; the password is not kept", Source: "Zeek username"},
		{Name: "version", Kind: Text, Size: 8, Doc: "2, 1.1, 1.0: of the request, else of the answer"},
		colSensor, colPacketID, colFlowID, colSeenConn, colAsked,
	}}

// OpsImports is what was imported.
var OpsImports = &Relation{Schema: Ops, Name: "imports",
	Doc: "imported files, and where one was damaged",
	Columns: []Column{
		{Name: "file", Kind: Text, Size: 4096, NotNull: true, Doc: "path as it was given"},
		{Name: "content_id", Kind: Text, Size: 32, NotNull: true, Doc: "hash of the decompressed bytes: a known content is not imported twice"},
		{Name: "sensor", Kind: Text, Size: 64, Doc: "sensor the packets were filed under"},
		{Name: "site", Kind: Text, Size: 64, Doc: "site; NULL for the default one"},
		{Name: "state", Kind: Text, Size: 16, NotNull: true, Values: importStates, NoCase: true, Doc: "complete or damaged"},
		{Name: "ts", Kind: Timestamp, Doc: "first packet"},
		{Name: "ts_end", Kind: Timestamp, Doc: "last packet"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets imported"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "their length on the wire"},
		{Name: "flow_rows", Kind: BigInt, NotNull: true, Unit: "rows", Doc: "flow rows written with the file's batch"},
		{Name: "damage_offset", Kind: BigInt, Unit: "bytes", Doc: "where the damage starts in the decompressed file"},
		{Name: "damage", Kind: Text, Size: 1024, Doc: "what is wrong there"},
		{Name: "undecoded", Kind: BigInt, Unit: "packets", Doc: "packets in which IP may be that was not found: of a link type, EtherType or protocol that is not decoded, or encrypted below IP; NULL in files of before it was counted"},
		{Name: "not_decoded", Kind: Text, Size: 1024, Doc: "which those are; NULL when all packets were decoded"},
		{Name: "untimed", Kind: BigInt, Unit: "packets", Doc: "packets without a time in the file (pcapng's simple packet blocks), which have that of the packet before them, at its start of the first that has one; NULL in files of before it was counted"},
		{Name: "imported_at", Kind: Timestamp, NotNull: true, Doc: "when"},
	}}

// OpsSegments is the packet files.
var OpsSegments = &Relation{Schema: Ops, Name: "segments",
	Doc: "packet files and whether they are still there",
	Columns: []Column{
		{Name: "segment", Kind: BigInt, NotNull: true, Doc: "its number, never used again"},
		{Name: "kind", Kind: Text, Size: 16, NotNull: true, Values: segmentKinds, NoCase: true, Doc: "pcap or pcapng"},
		{Name: "sensor", Kind: Text, Size: 64, Doc: "where it was captured"},
		{Name: "path", Kind: Text, Size: 4096, NotNull: true, Doc: "file: relative to the archive, absolute for captures indexed in place"},
		{Name: "ts", Kind: Timestamp, Doc: "first packet"},
		{Name: "ts_end", Kind: Timestamp, Doc: "last packet"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets in it"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "size of the file"},
		{Name: "state", Kind: Text, Size: 32, NotNull: true, Values: segmentStates, NoCase: true, Doc: "available, missing, evicted, or: source file changed"},
		{Name: "seen_late", Kind: BigInt, NotNull: true, Doc: "records that came after their conversation was written"},
		{Name: "evicted_at", Kind: Timestamp, Doc: "when it was evicted; ops.evictions says why"},
	}}

// OpsCoverage is when which sensor recorded.
var OpsCoverage = &Relation{Schema: Ops, Name: "coverage",
	Doc: "when each sensor's interface was recorded and what was lost meanwhile",
	Columns: []Column{
		{Name: "sensor", Kind: Text, Size: 64, Doc: "sensor"},
		{Name: "interface", Kind: Text, Size: 255, Doc: "interface, where known"},
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "from"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "to; the latest of an interface that is recorded is its watermark: what came before is durable and seen by queries"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets recorded"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "their length on the wire"},
		{Name: "drops", Kind: BigInt, Unit: "packets", Doc: "packets the source says it lost; NULL when it does not say"},
		{Name: "undecoded", Kind: BigInt, Unit: "packets", Doc: "packets in which IP may be that was not found: of a link type, EtherType or protocol that is not decoded, or encrypted below IP; NULL in files of before it was counted"},
		{Name: "not_decoded", Kind: Text, Size: 1024, Doc: "which those are; NULL when all packets were decoded"},
		{Name: "silence_us", Kind: BigInt, Unit: "µs", Doc: "of a capture file, the longest time between two packets: what lies between two files and is longer was not recorded; NULL of what is captured live"},
		{Name: "not_kept", Kind: BigInt, Unit: "packets", Doc: "packets that are counted in flows and could not be written, because the disk was full or failed"},
		{Name: "lost_rows", Kind: BigInt, Unit: "rows", Doc: "rows of flows, other and dns that could not be written, because they were too many to wait for the disk"},
	}}

// OpsExporters is who sends flow records, and what was lost of them.
var OpsExporters = &Relation{Schema: Ops, Name: "exporters",
	Doc: "exporters of flow records: what each stream of theirs (source type and observation domain) brought, and what was lost of it",
	Columns: []Column{
		{Name: "observer", Kind: Text, Size: 64, NotNull: true, Doc: "its configured name, else its address; as in flows"},
		{Name: "exporter", Kind: Address, NotNull: true, Doc: "its address; of sFlow the agent's"},
		{Name: "site", Kind: Text, Size: 64, Doc: "its site; NULL for the default one"},
		{Name: "source_type", Kind: Text, Size: 16, NotNull: true, Values: sourceTypes, NoCase: true, Doc: "netflow5, netflow9, ipfix, sflow5"},
		{Name: "observation_domain_id", Kind: BigInt, Doc: "v9's source id, v5's engine type · 256 + engine id, sFlow's sub-agent", Source: "IPFIX observationDomainId (149)"},
		{Name: "first_seen", Kind: Timestamp, NotNull: true, Doc: "start of its first account"},
		{Name: "last_seen", Kind: Timestamp, NotNull: true, Doc: "end of its last account"},
		{Name: "datagrams", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "that came, IPFIX messages over TCP included"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "their payload"},
		{Name: "records", Kind: BigInt, NotNull: true, Unit: "records", Doc: "flow records stored"},
		{Name: "options_records", Kind: BigInt, NotNull: true, Unit: "records", Doc: "options data records; of sFlow counter samples"},
		{Name: "templates", Kind: BigInt, NotNull: true, Doc: "templates learnt or changed, over all time"},
		{Name: "known_templates", Kind: BigInt, NotNull: true, Doc: "templates known at the end"},
		{Name: "sampling_rate", Kind: BigInt, Unit: "packets", Doc: "one packet in so many, as last reported or configured"},
		{Name: "clock_offset_us", Kind: BigInt, Unit: "microseconds", Doc: "its clock at export minus ours at arrival, as last measured"},
		{Name: "sequence_unit", Kind: Text, Size: 16, Values: sequenceUnits, NoCase: true, Doc: "what its sequence numbers count: flows (v5), packets (v9), records (IPFIX), datagrams (sFlow)"},
		{Name: "gaps", Kind: BigInt, NotNull: true, Doc: "interruptions of the sequence"},
		{Name: "missing", Kind: BigInt, NotNull: true, Doc: "units of the sequence that never came"},
		{Name: "reordered", Kind: BigInt, NotNull: true, Doc: "units that came after later ones"},
		{Name: "duplicates", Kind: BigInt, NotNull: true, Doc: "units that came twice"},
		{Name: "resets", Kind: BigInt, NotNull: true, Doc: "times the exporter began to count anew"},
		{Name: "undecodable", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "datagrams that are damaged, whole or in part"},
		{Name: "undecoded_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes that could not be decoded"},
		{Name: "waiting", Kind: BigInt, NotNull: true, Unit: "sets", Doc: "data sets waiting for their template at the end"},
		{Name: "waited", Kind: BigInt, NotNull: true, Unit: "sets", Doc: "data sets that were put aside for their template"},
		{Name: "late", Kind: BigInt, NotNull: true, Unit: "sets", Doc: "of those, decoded when it came"},
		{Name: "expired", Kind: BigInt, NotNull: true, Unit: "sets", Doc: "of those, dropped: it never came, or there were too many"},
		{Name: "samples_lost", Kind: BigInt, NotNull: true, Unit: "samples", Doc: "of sFlow: samples numbered by their source that never came, alone or with their datagram"},
		{Name: "samples_dropped", Kind: BigInt, NotNull: true, Unit: "samples", Doc: "of sFlow: samples the agent says it had no room for"},
		{Name: "other_packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "of sFlow: sampled packets that are no flows, because they are not IP or of a header nobody here decodes"},
		{Name: "unknown_formats", Kind: BigInt, NotNull: true, Unit: "records", Doc: "of sFlow: samples and records passed over because nobody here knows them"},
		{Name: "kernel_drops", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "dropped by the kernel at any of our sockets while this exporter was seen: nothing says whose they were (see ops.sockets)"},
		{Name: "last_error", Kind: Text, Size: 255, Doc: "what was wrong with the last undecodable datagram"},
	}}

// OpsSockets is the exact account of each listening socket.
var OpsSockets = &Relation{Schema: Ops, Name: "sockets",
	Doc: "what became of the datagrams sent to each socket, by the minute: sent = decoded + undecodable + waited + refused + queue_drops + kernel_drops",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "start of the minute"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "end of the last account in it"},
		{Name: "socket", Kind: Text, Size: 255, NotNull: true, Doc: "transport and address it listens on"},
		{Name: "sent", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "that reached this machine: received + kernel_drops"},
		{Name: "received", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "handed over by the kernel; messages of TCP"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "their payload"},
		{Name: "decoded", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "decoded whole"},
		{Name: "undecodable", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "damaged, whole or in part"},
		{Name: "waited", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "put aside because a template had not come yet, nothing else wrong"},
		{Name: "refused", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "from a sender that is not on the list, or one exporter too many"},
		{Name: "queue_drops", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "received, and dropped because we were too slow"},
		{Name: "kernel_drops", Kind: BigInt, NotNull: true, Unit: "datagrams", Doc: "dropped by the kernel because its buffer was full"},
		{Name: "buffer_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "receive buffer the kernel granted"},
	}}

// OpsCaptureLoss is what was not recorded, and why.
var OpsCaptureLoss = &Relation{Schema: Ops, Name: "capture_loss",
	Doc: "what was lost on the way: one row per interval, source and reason",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "from"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "to"},
		{Name: "observer", Kind: Text, Size: 64, Doc: "the exporter or the sensor; NULL where only the socket is known"},
		{Name: "source_type", Kind: Text, Size: 16, Values: sourceTypes, NoCase: true, Doc: "packets for a sensor, the protocol for an exporter; NULL for a socket"},
		{Name: "exporter", Kind: Address, Doc: "the exporter's address"},
		{Name: "observation_domain_id", Kind: BigInt, Doc: "its observation domain"},
		{Name: "socket", Kind: Text, Size: 255, Doc: "the socket, where the loss is known by socket only"},
		{Name: "reason", Kind: Text, Size: 32, NotNull: true, Values: lossReasons, NoCase: true, Doc: "sequence (numbers missing in the exporter's sequence: lost before us), kernel (socket buffer full), queue (we were too slow), undecodable (at a socket, whole or in part), malformed (the same by exporter, where it is known), expired_waiting (its template never came), samples_lost and samples_dropped (of sFlow; dropped by the agent itself), refused (sender not on the list), capture (a sensor's interface dropped packets), disk (packets or rows of a sensor could not be written: the disk was full, or failed)"},
		{Name: "unit", Kind: Text, Size: 16, NotNull: true, Values: lossUnits, NoCase: true, Doc: "what is counted: datagrams, sets, flows, records, samples, packets, rows"},
		{Name: "lost", Kind: BigInt, NotNull: true, Doc: "how many"},
	}}

// OpsDamage is what was recorded and is gone, or not as it was written.
var OpsDamage = &Relation{Schema: Ops, Name: "damage",
	Doc: "what was recorded and is gone or can't be read: answers that lack it say so",
	Columns: []Column{
		{Name: "family", Kind: Text, Size: 64, Doc: "kind of the rows: the folder they lie in, or packets; NULL for a file that belongs to nothing"},
		{Name: "file", Kind: Text, Size: 4096, Doc: "the file; only its name when it is gone, NULL when that is not known either"},
		{Name: "ts", Kind: Timestamp, Doc: "first of its rows; NULL when it is not known of when they are"},
		{Name: "ts_end", Kind: Timestamp, Doc: "last of its rows"},
		{Name: "lost", Kind: BigInt, Unit: "rows", Doc: "how many of its rows; NULL when it is not known"},
		{Name: "reason", Kind: Text, Size: 1024, NotNull: true, Doc: "what is wrong, and where in the file"},
	}}

// OpsEvictions is what was taken away.
var OpsEvictions = &Relation{Schema: Ops, Name: "evictions",
	Doc: "files that were taken away to make room or because of their age: answers that lack them say so",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "first row or packet in it"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "last row or packet in it"},
		{Name: "family", Kind: Text, Size: 64, NotNull: true, Doc: "kind of its rows: the folder they lay in, or packets"},
		{Name: "sensor", Kind: Text, Size: 64, Doc: "sensor of packets"},
		{Name: "file", Kind: Text, Size: 4096, NotNull: true, Doc: "name of a row file; path of a packet file, relative to the archive"},
		{Name: "segment", Kind: BigInt, Doc: "number of a packet file"},
		{Name: "row_count", Kind: BigInt, NotNull: true, Unit: "rows", Doc: "rows in it"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets in it"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "size of the file"},
		{Name: "reason", Kind: Text, Size: 16, NotNull: true, Values: evictionReasons, NoCase: true, Doc: "age, bytes (of its budget), disk (it was full), or rows: packets that nothing led to, because their flow rows were evicted"},
		{Name: "evicted_at", Kind: Timestamp, NotNull: true, Doc: "when"},
	}}

// OpsRoots is where packets lie.
var OpsRoots = &Relation{Schema: Ops, Name: "roots",
	Doc: "folders that packets lie in, each on a disk of its own, and whether it is there",
	Columns: []Column{
		{Name: "root", Kind: BigInt, NotNull: true, Doc: "its number: paths of ops.segments begin with roots/ and it; 0 is the archive's own folder"},
		{Name: "path", Kind: Text, Size: 4096, NotNull: true, Doc: "the folder"},
		{Name: "state", Kind: Text, Size: 32, NotNull: true, Values: rootStates, NoCase: true, Doc: "available, failing: it is read, and new packets go to others, missing: its disk is not mounted, or another one is, or leaving: it is being retired, and what it has is moved to others"},
		{Name: "segments", Kind: BigInt, NotNull: true, Doc: "packet files in it; of one that is missing, those it had"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "their size"},
		{Name: "oldest", Kind: Timestamp, Doc: "the first of their packets"},
		{Name: "disk_size", Kind: BigInt, Unit: "bytes", Doc: "size of its disk; NULL when it is missing"},
		{Name: "disk_free", Kind: BigInt, Unit: "bytes", Doc: "what of it is free"},
		{Name: "error", Kind: Text, Size: 1024, Doc: "why it was not written to, of one that is failing"},
		{Name: "failing_since", Kind: Timestamp, Doc: "from when on it was not"},
	}}

// OpsPins is what must not be evicted.
var OpsPins = &Relation{Schema: Ops, Name: "pins",
	Doc: "packet files and row files that stay, because CALL pin named conversations in them",
	Columns: []Column{
		{Name: "case_name", Kind: Text, Size: 255, NotNull: true, Doc: "the case they are pinned for"},
		{Name: "family", Kind: Text, Size: 64, NotNull: true, Doc: "kind of the rows, or packets"},
		{Name: "segment", Kind: BigInt, Doc: "number of a packet file"},
		{Name: "files", Kind: Text, Size: 255, Doc: "writer, lane and numbers of row files"},
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "from when on conversations were asked for"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "and until when"},
		{Name: "predicate", Kind: Text, Size: 4096, NotNull: true, Doc: "the condition they met"},
		{Name: "account", Kind: Text, Size: 64, NotNull: true, Doc: "who pinned them"},
		{Name: "pinned_at", Kind: Timestamp, NotNull: true, Doc: "when"},
	}}

// OpsQueryLog is the last statements of the server.
var OpsQueryLog = &Relation{Schema: Ops, Name: "query_log",
	Doc: "the last 10,000 statements since the server was started: one's own, or everyone's for an account whose select names ops.query_log itself",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "when it began"},
		{Name: "duration", Kind: Double, NotNull: true, Unit: "seconds", Doc: "until its last row was sent"},
		{Name: "account", Kind: Text, Size: 64, NotNull: true, Doc: "who asked"},
		{Name: "client", Kind: Text, Size: 255, NotNull: true, Doc: "address it came from"},
		{Name: "connection", Kind: BigInt, NotNull: true, Doc: "number of the connection, as KILL takes it"},
		{Name: "statement", Kind: Text, Size: 1024, NotNull: true, Doc: "its text, up to 1,000 bytes and up to where a password may stand; values bound to it are not kept"},
		{Name: "outcome", Kind: Text, Size: 16, NotNull: true, Values: outcomes, NoCase: true, Doc: "answered, failed, or cancelled: by KILL, a time limit, or a client that is gone"},
		{Name: "error", Kind: Int, Doc: "number of its error; NULL for none"},
		{Name: "warnings", Kind: Int, NotNull: true, Doc: "warnings it gave"},
		{Name: "rows_sent", Kind: BigInt, NotNull: true, Unit: "rows", Doc: "rows sent"},
		{Name: "flow_rows", Kind: BigInt, NotNull: true, Unit: "rows", Doc: "flow rows that led to packets"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets read"},
		{Name: "packet_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes read of packet segments, as EXPLAIN says ahead: with what lies between packets that are near each other"},
		{Name: "files", Kind: BigInt, NotNull: true, Unit: "files", Doc: "row files read, each time one was"},
		{Name: "file_rows", Kind: BigInt, NotNull: true, Unit: "rows", Doc: "rows in them; of rows looked up by a key, those found"},
		{Name: "file_bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes of them that the statement read"},
	}}
