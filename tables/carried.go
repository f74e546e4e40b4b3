package tables

// Carried is a row of the family carried, which only compaction reads: what one
// observer reported so far, in one direction and at one place, of a
// conversation that is not over. It is several rows of exports in one.
type Carried struct {
	TS       Time   `col:"ts"`
	TSEnd    Time   `col:"ts_end"`
	Observer string `col:"observer"`
	Site     string `col:"site"`
	// Stream tells the places apart at which one observer counts the same
	// packets: a hash of domain, interfaces, ingress or egress, sampling rate.
	Stream uint64 `col:"stream"`

	Src        Addr       `col:"src"`
	Dst        Addr       `col:"dst"`
	SrcPort    int32      `col:"src_port"`
	DstPort    int32      `col:"dst_port"`
	Protocol   int32      `col:"protocol_number"`
	ICMPType   Opt[int32] `col:"icmp_type"`
	ICMPCode   Opt[int32] `col:"icmp_code"`
	TunnelType string     `col:"tunnel_type"`
	TunnelID   Opt[int64] `col:"tunnel_id"`

	Bytes           int64      `col:"bytes"`
	Packets         int64      `col:"packets"`
	ReverseBytes    Opt[int64] `col:"reverse_bytes"`
	ReversePackets  Opt[int64] `col:"reverse_packets"`
	Sampling        Opt[int64] `col:"sampling_rate"`
	TCPFlags        Opt[int32] `col:"tcp_flags_number"`
	ReverseTCPFlags Opt[int32] `col:"reverse_tcp_flags_number"`
	Action          string     `col:"action"`

	// SynTS is the first row's with a SYN of the sender, ReverseSynTS that of
	// the receiver. Hint is what a single row showed of who is the client: 1
	// the sender by SYN, 2 the receiver by SYN, 3 and 4 the same by SYN+ACK;
	// HintTS is that row's time.
	SynTS        Opt[Time]  `col:"syn_ts"`
	ReverseSynTS Opt[Time]  `col:"reverse_syn_ts"`
	Hint         Opt[int32] `col:"hint"`
	HintTS       Opt[Time]  `col:"hint_ts"`

	Rows    int64  `col:"rows"`       // of exports
	Longest int64  `col:"longest_us"` // of them, microseconds
	CID     uint64 `col:"cid"`
	ConnID  ID     `col:"conn_id"`
}
