package tables

// The rows the collector writes: flow records as exporters reported them, and
// the accounts of what came, from whom, and what was lost on the way. Tags and
// NULL are as in rows.go.

// Export is a row of the family exports: one flow record of one exporter. In
// SQL it stands in flows beside the metered rows. Its counters are as
// reported: never multiplied by the sampling rate.
//
// Columns nobody reported are NULL, and a file none of whose rows has a value
// of a column lacks the column.
type Export struct {
	TS         Time   `col:"ts"`          // first packet
	TSEnd      Time   `col:"ts_end"`      // last instant of the last packet's resolution: …999 for milliseconds
	Resolution int32  `col:"resolution"`  // of the reported times, microseconds: 1, 1000, 1000000
	SourceType string `col:"source_type"` // netflow5, netflow9, ipfix, sflow5
	Exporter   Addr   `col:"exporter"`    // who sent it; sFlow: the agent
	Observer   string `col:"observer"`    // the exporter's configured name, else its address as text
	Site       string `col:"site"`        // of the exporter's configuration; part of the conversation key

	// Domain is the observation domain: v9's source id, v5's engine type · 256 + engine id, sFlow's sub-agent.
	Domain Opt[int64] `col:"observation_domain_id"`

	Src      Addr       `col:"src"`
	Dst      Addr       `col:"dst"`
	SrcPort  int32      `col:"src_port"`
	DstPort  int32      `col:"dst_port"`
	Protocol int32      `col:"protocol_number"`
	ICMPType Opt[int32] `col:"icmp_type"`
	ICMPCode Opt[int32] `col:"icmp_code"`

	// Bytes are layer 3. Src → Dst, and the reverse of biflows (RFC 5103).
	Bytes          int64      `col:"bytes"`
	Packets        int64      `col:"packets"`
	ReverseBytes   Opt[int64] `col:"reverse_bytes"`
	ReversePackets Opt[int64] `col:"reverse_packets"`
	// Sampling is how many packets stand for one reported, as the exporter
	// said (or its configuration overrides); not Set when nothing said.
	Sampling Opt[int64] `col:"sampling_rate"`

	TCPFlags        Opt[int32] `col:"tcp_flags_number"`
	ReverseTCPFlags Opt[int32] `col:"reverse_tcp_flags_number"`
	TOS             Opt[int32] `col:"tos"`
	TTL             Opt[int32] `col:"ttl"`
	Fragments       Opt[int64] `col:"fragments"`
	RTTUs           Opt[int64] `col:"rtt_us"`

	EndReason    string     `col:"end_reason"`     // idle, active, end, forced, lack_of_resources; IE 136
	Action       string     `col:"action"`         // allow, deny; IE 89, 233
	RejectReason string     `col:"reject_reason"`  // IE 89's reason, firewall event's name
	Direction    string     `col:"flow_direction"` // ingress, egress, at the exporter; IE 61
	InIf         Opt[int64] `col:"in_if"`
	OutIf        Opt[int64] `col:"out_if"`
	InIfName     string     `col:"in_if_name"`
	OutIfName    string     `col:"out_if_name"`
	VLAN         Opt[int32] `col:"vlan"`       // IE 58, 243
	OuterVLAN    Opt[int32] `col:"outer_vlan"` // the service tag of QinQ
	SrcMAC       Opt[int64] `col:"src_mac"`
	DstMAC       Opt[int64] `col:"dst_mac"`

	NextHop    Opt[Addr]  `col:"next_hop"`
	SrcAS      Opt[int64] `col:"src_as"`
	DstAS      Opt[int64] `col:"dst_as"`
	SrcMask    Opt[int32] `col:"src_mask"`
	DstMask    Opt[int32] `col:"dst_mask"`
	SrcNAT     Opt[Addr]  `col:"src_nat"` // after translation
	DstNAT     Opt[Addr]  `col:"dst_nat"`
	SrcNATPort Opt[int32] `col:"src_nat_port"`
	DstNATPort Opt[int32] `col:"dst_nat_port"`
	VRFIn      Opt[int64] `col:"vrf_in"`
	VRFOut     Opt[int64] `col:"vrf_out"`
	MPLSLabel  Opt[int32] `col:"mpls_label"` // top of the stack
	AppName    string     `col:"app_name"`

	TunnelType string     `col:"tunnel_type"` // of a sampled packet header
	TunnelID   Opt[int64] `col:"tunnel_id"`
	OuterSrc   Opt[Addr]  `col:"outer_src"`
	OuterDst   Opt[Addr]  `col:"outer_dst"`

	TimeReceived Opt[Time] `col:"time_received"` // when its datagram arrived
	TimeQuality  string    `col:"time_quality"`  // ok, clamped, no_start, received
	// Extra is what has no column: a JSON object keyed by the IPFIX name of
	// the element, or "pen/id" for one that has none.
	Extra string `col:"extra"`

	CID uint64 `col:"cid"` // first 64 bits of the Community ID's SHA-1
	// FlowID is a number, not a hash: 24 bits that name the collector's run or
	// the imported file, 40 bits that count its records. So it is stored in
	// next to nothing and is the same after the same import.
	FlowID ID `col:"flow_id"`
	// ConnID is the conversation's, settled by compaction; not Set before.
	ConnID Opt[ID] `col:"conn_id"`
	// Segments are the segments with packets of the conversation's metered
	// rows, ascending, and CutPackets how many of those packets are cut; both
	// settled with ConnID and NULL when nobody metered the conversation. They
	// tell an exporter's row whether its packets can be read.
	Segments   []int32    `col:"segments"`
	CutPackets Opt[int64] `col:"cut_packets"`

	// WireBytes is the length of a sampled packet's frame, its checksum included.
	WireBytes Opt[int64] `col:"wire_bytes"`
}

// Exporter is a row of the family exporters: what one stream of an exporter
// (source type and observation domain) brought and lost in an interval. The
// counts are the interval's own; ops.exporters adds them up.
type Exporter struct {
	TS         Time       `col:"ts"`
	TSEnd      Time       `col:"ts_end"`
	Exporter   Addr       `col:"exporter"`
	Observer   string     `col:"observer"`
	Site       string     `col:"site"`
	SourceType string     `col:"source_type"`
	Domain     Opt[int64] `col:"observation_domain_id"`

	Datagrams      int64 `col:"datagrams"`       // that came
	Bytes          int64 `col:"bytes"`           // their UDP payload, or TCP messages
	Records        int64 `col:"records"`         // flow records stored
	OptionsRecords int64 `col:"options_records"` // options data records, sFlow counter samples
	Templates      int64 `col:"templates"`       // templates learnt or changed
	Undecodable    int64 `col:"undecodable"`     // datagrams, whole or in part
	UndecodedBytes int64 `col:"undecoded_bytes"`
	Waited         int64 `col:"waited"`  // data sets put aside for their template
	Late           int64 `col:"late"`    // of those, decoded when it came
	Expired        int64 `col:"expired"` // of those, dropped: too old or too many
	// Of sFlow only. OtherPackets are sampled packets that are no flows: not
	// IP, or with a header of a kind that is not decoded. UnknownFormats are
	// samples and records passed over because nobody here knows them.
	// SamplesLost are numbered by their source and never came (with datagrams
	// that never came, or not), SamplesDropped those the agent says it had no
	// room for.
	OtherPackets   int64 `col:"other_packets"`
	UnknownFormats int64 `col:"unknown_formats"`
	SamplesLost    int64 `col:"samples_lost"`
	SamplesDropped int64 `col:"samples_dropped"`
	// By the protocol's own sequence numbers; the unit is in SequenceUnit.
	Gaps         int64  `col:"gaps"`      // interruptions
	Missing      int64  `col:"missing"`   // units that never came
	Reordered    int64  `col:"reordered"` // units that came late
	Duplicates   int64  `col:"duplicates"`
	Resets       int64  `col:"resets"`        // the exporter began to count anew
	SequenceUnit string `col:"sequence_unit"` // flows (v5), packets (v9), records (IPFIX), datagrams (sFlow)

	// The state at the interval's end.
	KnownTemplates int64      `col:"known_templates"`
	Waiting        int64      `col:"waiting"` // data sets
	Sampling       Opt[int64] `col:"sampling_rate"`
	ClockOffsetUs  Opt[int64] `col:"clock_offset_us"` // export time minus arrival, the interval's median or last
	LastError      string     `col:"last_error"`
}

// Socket is a row of the family sockets: the account of one listening socket
// in an interval. Sent to it and known = Decoded + Undecodable + Waiting's
// change + Refused + QueueDrops + KernelDrops, in datagrams.
type Socket struct {
	TS     Time   `col:"ts"`
	TSEnd  Time   `col:"ts_end"`
	Socket string `col:"socket"` // udp 127.0.0.1:2055

	Received    int64 `col:"received"` // handed over by the kernel
	Bytes       int64 `col:"bytes"`
	Decoded     int64 `col:"decoded"`      // whole
	Undecodable int64 `col:"undecodable"`  // whole or in part
	Waited      int64 `col:"waited"`       // put aside (a set without its template), nothing else wrong
	Refused     int64 `col:"refused"`      // the sender is not on the list, or one too many
	QueueDrops  int64 `col:"queue_drops"`  // received, dropped for want of room in ours
	KernelDrops int64 `col:"kernel_drops"` // dropped by the kernel: SO_MEMINFO
	BufferBytes int64 `col:"buffer_bytes"` // receive buffer the kernel granted
}

// ExportSink takes what the collector decodes. The rows are the caller's and
// may be used again after the call; texts in them are not changed. Calls come
// from several goroutines.
type ExportSink interface {
	Exports([]Export) error
	Exporter(*Exporter) error
	Socket(*Socket) error
}
