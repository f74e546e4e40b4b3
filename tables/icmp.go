package tables

// ICMP is a row of the family icmp: messages of ICMP (RFC 792) or ICMPv6 (RFC 4443) of a
// minute that say the same. Neighbour discovery is in arp.
type ICMP struct {
	TS     Time   `col:"ts"`     // of the first
	TSEnd  Time   `col:"ts_end"` // of the last
	Sensor string `col:"sensor"`
	Site   string `col:"site"`

	Src      Opt[Addr]  `col:"src"`
	Dst      Opt[Addr]  `col:"dst"`
	Protocol int32      `col:"protocol_number"`
	Type     Opt[int32] `col:"icmp_type"`
	Code     Opt[int32] `col:"icmp_code"`
	Ident    Opt[int32] `col:"ident"`    // of echoes
	Sequence Opt[int32] `col:"sequence"` // of the first
	MTU      Opt[int64] `col:"mtu"`

	// Of the packet that an error quotes.
	InnerProtocol Opt[int32] `col:"inner_protocol_number"`
	InnerSrc      Opt[Addr]  `col:"inner_src"`
	InnerSrcPort  Opt[int32] `col:"inner_src_port"`
	InnerDst      Opt[Addr]  `col:"inner_dst"`
	InnerDstPort  Opt[int32] `col:"inner_dst_port"`
	InnerConnID   Opt[ID]    `col:"inner_conn_id"`

	Packets   int64   `col:"packets"`
	Bytes     int64   `col:"bytes"`      // behind the header of 8
	MaxLength int64   `col:"max_length"` // of these, the most in one
	PacketID  Opt[ID] `col:"packet_id"`
	FlowID    ID      `col:"flow_id"`
	ConnID    ID      `col:"conn_id"`
}

// ICMPRelation is messages of ICMP.
var ICMPRelation = &Relation{Schema: Main, Name: "icmp",
	Doc: "messages of ICMP and ICMPv6, those of a minute that say the same in one row: who was told what, and of errors about which conversation",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the first message"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "time of the last, within a minute"},
		{Name: "src_ip", Kind: Address, Doc: "who sent them; NULL in a row of all that was too much"},
		{Name: "src_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "dst_ip", Kind: Address, Doc: "to whom; NULL also in a row of a sender's messages beyond 64 different ones in a minute"},
		{Name: "dst_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "protocol", Kind: Text, Size: 32, NotNull: true, Known: knownProtocols, NoCase: true, Fold: "lower", Doc: "icmp or icmp6"},
		{Name: "icmp_type", Kind: Int, Doc: "type of the message: 8 and 0 are echoes of icmp, 128 and 129 of icmp6; 3 and 1 destination unreachable", Source: "tshark icmp.type, icmpv6.type"},
		{Name: "icmp_code", Kind: Int, Doc: "code within the type", Source: "tshark icmp.code, icmpv6.code"},
		{Name: "ident", Kind: Int, Doc: "identifier of echoes: one of each ping", Source: "tshark icmp.ident, icmpv6.echo.identifier"},
		{Name: "sequence", Kind: Int, Doc: "sequence number of the first", Source: "tshark icmp.seq, icmpv6.echo.sequence_number"},
		{Name: "mtu", Kind: BigInt, Unit: "bytes", Doc: "largest packet that goes through, of packets that were too big", Source: "tshark icmp.mtu, icmpv6.mtu"},
		{Name: "inner_protocol", Kind: Text, Size: 32, Known: knownProtocols, NoCase: true, Fold: "lower", Doc: "of an error: protocol of the packet it quotes"},
		{Name: "inner_src_ip", Kind: Address, Doc: "who had sent that packet"},
		{Name: "inner_src_port", Kind: Int, Doc: "from which port"},
		{Name: "inner_dst_ip", Kind: Address, Doc: "to whom"},
		{Name: "inner_dst_port", Kind: Int, Doc: "to which port"},
		{Name: "inner_conn_id", Kind: Identifier, Doc: "the conversation of that packet, joins to connections; NULL if the sensor did not see it then, or another of its workers did"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "messages the row stands for"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "what they carry behind the 8 bytes of their header, all together", Source: "tshark data.len"},
		{Name: "max_length", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "the most that one of them carries: tunnels carry more than ping's 56"},
		colSensor, colPacketID, colFlowID, colSeenConn,
	}}
