package tables

// The row structs of the archive. A field tagged `col:"name"` is stored in the
// Parquet column of that name; an Addr takes two, name_hi and name_lo. The
// SQL relations of relations.go are computed from these columns.
//
// NULL means not reported, zero means zero. An Opt that is not Set, an empty
// string and a nil slice are stored as NULL. A Time is UTC microseconds since
// 1970 and stored as TIMESTAMP without zone.

// Time is a point in time, UTC microseconds since 1970-01-01.
type Time int64

// TimeOf is the time of nanoseconds since 1970, rounded down.
func TimeOf(ns int64) Time {
	us := ns / 1000
	if ns%1000 < 0 {
		us--
	}
	return Time(us)
}

// Opt is a value that may be missing.
type Opt[T any] struct {
	V   T
	Set bool
}

// Some returns a value that is there.
func Some[T any](v T) Opt[T] { return Opt[T]{v, true} }

// Flow is a row of the family flows: one observer's record of (a piece of) a
// conversation. Metered rows have Src = client in all pieces of a conversation
// and Reverse counters; they carry the positions of their packets.
type Flow struct {
	TS         Time   `col:"ts"`          // first packet
	TSEnd      Time   `col:"ts_end"`      // last instant of the last packet's resolution
	SourceType string `col:"source_type"` // packets, netflow5, …
	Sensor     string `col:"sensor"`      // where the packets were seen; also the observer of metered rows
	Site       string `col:"site"`        // part of the conversation key; '' is stored as NULL

	Src       Addr       `col:"src"`
	Dst       Addr       `col:"dst"`
	SrcPort   int32      `col:"src_port"`
	DstPort   int32      `col:"dst_port"`
	Protocol  int32      `col:"protocol_number"`
	ICMPType  Opt[int32] `col:"icmp_type"`
	ICMPCode  Opt[int32] `col:"icmp_code"`
	VLAN      Opt[int32] `col:"vlan"`
	OuterVLAN Opt[int32] `col:"outer_vlan"`

	TunnelType string     `col:"tunnel_type"` // see TunnelType; NULL without
	TunnelID   Opt[int64] `col:"tunnel_id"`
	OuterSrc   Opt[Addr]  `col:"outer_src"`
	OuterDst   Opt[Addr]  `col:"outer_dst"`
	SrcMAC     Opt[int64] `col:"src_mac"`
	DstMAC     Opt[int64] `col:"dst_mac"`

	// Src → Dst and the reverse, of this row alone. Bytes are layer 3 as
	// NetFlow counts, WireBytes the frames' lengths.
	Bytes            int64      `col:"bytes"`
	Packets          int64      `col:"packets"`
	ReverseBytes     Opt[int64] `col:"reverse_bytes"`
	ReversePackets   Opt[int64] `col:"reverse_packets"`
	WireBytes        Opt[int64] `col:"wire_bytes"`
	ReverseWireBytes Opt[int64] `col:"reverse_wire_bytes"`

	TCPFlags        Opt[int32] `col:"tcp_flags_number"`
	ReverseTCPFlags Opt[int32] `col:"reverse_tcp_flags_number"`
	TOS             Opt[int32] `col:"tos"` // of the first packet
	TTL             Opt[int32] `col:"ttl"` // of the first packet
	Fragments       Opt[int64] `col:"fragments"`
	RTTUs           Opt[int64] `col:"rtt_us"` // SYN to SYN+ACK plus SYN+ACK to ACK, as seen here

	Service    string     `col:"service"`
	ConnState  string     `col:"conn_state"`  // of the conversation so far (Zeek's states)
	OrientedBy string     `col:"oriented_by"` // syn, synack, service_port, first_packet, exporter
	EndReason  string     `col:"end_reason"`  // idle, active, end, forced, lack_of_resources, restart, end_of_capture
	Sampling   Opt[int64] `col:"sampling_rate"`
	Action     string     `col:"action"`

	// The conversation this row is a piece of.
	Piece     Opt[int32] `col:"piece"` // 1, 2, …
	LastPiece Opt[bool]  `col:"last_piece"`
	ConnTS    Opt[Time]  `col:"conn_ts"` // the conversation's first packet
	// The conversation's counters up to and including this piece; not Set
	// when Piece is 1 (equal to the row's own then).
	ConnBytes          Opt[int64] `col:"conn_bytes"`
	ConnPackets        Opt[int64] `col:"conn_packets"`
	ConnReverseBytes   Opt[int64] `col:"conn_reverse_bytes"`
	ConnReversePackets Opt[int64] `col:"conn_reverse_packets"`

	// ServerName is the name the client asked this server for, learnt from
	// this conversation's packets: TLS SNI, else HTTP Host, folded.
	ServerName string `col:"server_name"`
	// Encrypted: TLS, QUIC or SSH was seen.
	Encrypted Opt[bool] `col:"encrypted"`

	TimeReceived Opt[Time] `col:"time_received"`
	TimeQuality  string    `col:"time_quality"`

	CID    uint64 `col:"cid"` // first 64 bits of the Community ID's SHA-1
	FlowID ID     `col:"flow_id"`
	ConnID ID     `col:"conn_id"`

	// Segments are the segments that hold this row's packets, ascending;
	// CutPackets how many of them have a caplen below their length.
	Segments   []int32    `col:"segments"`
	CutPackets Opt[int64] `col:"cut_packets"`
	// Postings are the packets' positions; see rows.AppendPostings.
	Postings []byte `col:"postings"`

	// Where several sensors saw the conversation, compaction makes one of what
	// the meter of each had as its own. JoinedID is the conversation's id in rows
	// whose packets another sensor's stand for: ConnID stays what their meter
	// called it. In rows whose packets count beside another sensor's, the other
	// direction of an asymmetric route, ConnID is the conversation's and MeteredID
	// what their meter called it.
	JoinedID  Opt[ID] `col:"joined_id"`
	MeteredID Opt[ID] `col:"metered_id"`

	// FlowsFolded is how many conversations the row stands for, if it is the fold
	// of a flood: Src is the unspecified address then, and SrcPort 0.
	FlowsFolded Opt[int64] `col:"flows_folded"`
}

// Conversation is the one the row belongs to, over all observers.
func (f *Flow) Conversation() ID {
	if f.JoinedID.Set {
		return f.JoinedID.V
	}
	return f.ConnID
}

// Metered is what the row's meter called its conversation.
func (f *Flow) Metered() ID {
	if f.MeteredID.Set {
		return f.MeteredID.V
	}
	return f.ConnID
}

// Other is a row of the family other: packets that belong to no flow (not IP,
// or not decodable), one row per (ether type, MAC pair, error) and minute of
// packet time.
type Other struct {
	TS         Time       `col:"ts"`
	TSEnd      Time       `col:"ts_end"`
	Sensor     string     `col:"sensor"`
	Site       string     `col:"site"`
	EtherType  Opt[int32] `col:"ether_type"`
	SrcMAC     Opt[int64] `col:"src_mac"`
	DstMAC     Opt[int64] `col:"dst_mac"`
	Packets    int64      `col:"packets"`
	WireBytes  int64      `col:"wire_bytes"`
	Error      string     `col:"error"`
	Segments   []int32    `col:"segments"`
	CutPackets Opt[int64] `col:"cut_packets"`
	Postings   []byte     `col:"postings"`
}

// Connection is a row of the family connections: a conversation counted once,
// written by compaction when the conversation is over.
type Connection struct {
	TS         Time   `col:"ts"`
	TSEnd      Time   `col:"ts_end"`
	Site       string `col:"site"`
	Sensor     string `col:"sensor"` // of the observer whose counters stand here
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`
	Protocol   int32  `col:"protocol_number"`

	ICMPType   Opt[int32] `col:"icmp_type"` // of the first packet; community_id needs them
	ICMPCode   Opt[int32] `col:"icmp_code"`
	ServerName string     `col:"server_name"`
	Service    string     `col:"service"`
	ConnState  string     `col:"conn_state"`

	ClientBytes     Opt[int64] `col:"client_bytes"`
	ServerBytes     Opt[int64] `col:"server_bytes"`
	ClientPackets   Opt[int64] `col:"client_packets"`
	ServerPackets   Opt[int64] `col:"server_packets"`
	ClientWireBytes Opt[int64] `col:"client_wire_bytes"`
	ServerWireBytes Opt[int64] `col:"server_wire_bytes"`

	Sampling   Opt[int64] `col:"sampling_rate"`
	Action     string     `col:"action"`
	Visibility string     `col:"visibility"` // cut, one_sided, encrypted, clear
	SeenBy     string     `col:"seen_by"`    // observers' names, sorted, comma-joined
	OrientedBy string     `col:"oriented_by"`
	Pieces     int32      `col:"pieces"`

	CID    uint64 `col:"cid"`
	ConnID ID     `col:"conn_id"`

	Segments   []int32    `col:"segments"` // of the metered pieces, ascending; NULL when never metered
	CutPackets Opt[int64] `col:"cut_packets"`
	// Profile says when the bytes were moved, if it had several pieces; see
	// Profile.Append. NULL: evenly.
	Profile []byte `col:"profile"`

	FlowsFolded Opt[int64] `col:"flows_folded"` // as of Flow
}

// DNS is a row of the family dns: one query with its answer, or one of the two
// when the other was not seen.
type DNS struct {
	TS       Time       `col:"ts"` // of the query, else of the answer
	Sensor   string     `col:"sensor"`
	Site     string     `col:"site"`
	Client   Addr       `col:"client"`
	Server   Addr       `col:"server"`
	Query    string     `col:"query"`   // folded, no trailing dot; NULL for the root
	QType    string     `col:"qtype"`   // A, AAAA, …, TYPE65280
	RCode    string     `col:"rcode"`   // NOERROR, NXDOMAIN, …; NULL without an answer
	Answers  string     `col:"answers"` // comma-joined presentation form; NULL without any
	TTL      Opt[int64] `col:"ttl"`     // seconds, the smallest of the answers
	RTTUs    Opt[int64] `col:"rtt_us"`
	Protocol int32      `col:"protocol_number"`
	FlowID   ID         `col:"flow_id"`
	ConnID   ID         `col:"conn_id"`
	// QueryRaw is the name as it was asked for, where that is not Query;
	// QueryLength its length on the wire, labels and the dots between them,
	// where that is not Query's number of characters.
	QueryRaw    string     `col:"query_raw"`
	QueryLength Opt[int32] `col:"query_length"`

	Opcode         string    `col:"opcode"`          // QUERY, NOTIFY, UPDATE, …
	Retransmitted  Opt[bool] `col:"retransmitted"`   // the same was asked, or answered, a moment before
	QueryPacketID  Opt[ID]   `col:"query_packet_id"` // of the query, unless it was not seen or not kept
	AnswerPacketID Opt[ID]   `col:"answer_packet_id"`
}

// DNSAnswer is a row of the family dns_answers: a record of the answer section of a
// message.
type DNSAnswer struct {
	TS       Time      `col:"ts"` // of the answer
	Sensor   string    `col:"sensor"`
	Site     string    `col:"site"`
	Client   Addr      `col:"client"`
	Server   Addr      `col:"server"`
	Query    string    `col:"query"` // as DNS.Query; NULL also where the message has no question
	Name     string    `col:"name"`  // the record's own, folded: an alias' target has another than the query
	Type     string    `col:"type"`
	Data     string    `col:"data"`    // in presentation form
	Address  Opt[Addr] `col:"address"` // of A and AAAA
	TTL      int64     `col:"ttl"`
	PacketID Opt[ID]   `col:"packet_id"`
	FlowID   ID        `col:"flow_id"`
	ConnID   ID        `col:"conn_id"`
}

// TLS is a row of the family tls: one handshake, as far as it is in clear. What was
// not seen, or is encrypted, is NULL.
type TLS struct {
	TS         Time   `col:"ts"` // of the first hello that was seen
	Sensor     string `col:"sensor"`
	Site       string `col:"site"`
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`
	Protocol   int32  `col:"protocol_number"` // UDP is QUIC

	Version    string `col:"version"`     // that the server chose: TLSv1.3, …, SSLv3
	ServerName string `col:"server_name"` // folded
	ALPN       string `col:"alpn"`        // what the server chose, else what the client offered, comma-joined
	Cipher     string `col:"cipher"`      // that the server chose; IANA's name, else 0x and four digits
	JA3        string `col:"ja3"`
	JA3S       string `col:"ja3s"`
	JA4        string `col:"ja4"`

	// Of the server's own certificate:
	Subject    string    `col:"subject"` // RFC 2253
	Issuer     string    `col:"issuer"`
	SAN        string    `col:"san"` // comma-joined
	NotBefore  Opt[Time] `col:"not_before"`
	NotAfter   Opt[Time] `col:"not_after"`
	CertSHA256 string    `col:"cert_sha256"` // of its DER, hex
	SelfSigned Opt[bool] `col:"self_signed"` // issuer and subject are the same
	Resumed    Opt[bool] `col:"resumed"`

	PacketID Opt[ID] `col:"packet_id"` // where the hello began
	FlowID   ID      `col:"flow_id"`
	ConnID   ID      `col:"conn_id"`
}

// HTTP is a row of the family http: a request with its answer, or one of the two
// when the other was not seen.
type HTTP struct {
	TS         Time   `col:"ts"` // of the request, else of the answer
	Sensor     string `col:"sensor"`
	Site       string `col:"site"`
	Client     Addr   `col:"client"`
	ClientPort int32  `col:"client_port"`
	Server     Addr   `col:"server"`
	ServerPort int32  `col:"server_port"`

	Method    string     `col:"method"`
	Host      string     `col:"host"` // folded, without the port
	URI       string     `col:"uri"`  // the request's target as it stands
	Status    Opt[int32] `col:"status"`
	UserAgent string     `col:"user_agent"`
	Referer   string     `col:"referer"`
	// ContentType is the answer's, else the request's.
	ContentType string `col:"content_type"`
	// Bytes of the bodies as they were sent, without chunks' lengths.
	RequestLength  Opt[int64] `col:"request_length"`
	ResponseLength Opt[int64] `col:"response_length"`
	FileName       string     `col:"file_name"` // of Content-Disposition
	Username       string     `col:"username"`  // of Basic credentials
	Version        string     `col:"version"`   // 2, 1.1, 1.0

	PacketID Opt[ID]    `col:"packet_id"` // where it begins
	Nth      Opt[int32] `col:"nth"`       // how many of the same end do before it there; NULL for none
	FlowID   ID         `col:"flow_id"`
	ConnID   ID         `col:"conn_id"`
}

// Name is a row of the family names: at TS, Source said that Name is Addr.
// Leases (the relation hosts) are computed from these.
//
// A DHCP row without a Name says that from TS on nobody known held the
// address: with ValidUntil equal to TS the lease was released; with a later
// one the address was given to a machine (MAC) that did not say its name, or
// renewed by the one that had.
type Name struct {
	TS         Time       `col:"ts"`
	Name       string     `col:"name"` // folded, no trailing dot; NULL: see above
	Addr       Addr       `col:"ip"`
	MAC        Opt[int64] `col:"mac"`
	Source     string     `col:"source"`      // dhcp, ntlm, kerberos, rdp, netbios, llmnr, dns
	ValidUntil Time       `col:"valid_until"` // end of the lease or of the TTL
	Sensor     string     `col:"sensor"`
	Site       string     `col:"site"`
}

// Import is a row of the family imports: one imported file.
type Import struct {
	File         string     `col:"file"`
	ContentID    string     `col:"content_id"` // XXH3-128 of the decompressed bytes, hex
	Sensor       string     `col:"sensor"`
	Site         string     `col:"site"`
	State        string     `col:"state"` // complete, damaged
	TS           Opt[Time]  `col:"ts"`    // first packet
	TSEnd        Opt[Time]  `col:"ts_end"`
	Packets      int64      `col:"packets"`
	Bytes        int64      `col:"bytes"` // sum of wire lengths
	Rows         int64      `col:"rows"`  // flow rows written for the batch the file was in
	DamageOffset Opt[int64] `col:"damage_offset"`
	Damage       string     `col:"damage"`
	ImportedAt   Time       `col:"imported_at"` // the same for all files of a batch
	// Stream is the same for all files of one command: the content id of the
	// first. Unfinished: more of them were to follow this batch. If none did,
	// the command was interrupted, and one that goes on meters the stream's
	// files again to know its conversations.
	Stream     string    `col:"stream"`
	Unfinished Opt[bool] `col:"unfinished"`
	// HeadID is the XXH3-128 of the first 2 MiB of the bytes, hex, if the ids of the
	// file's rows are made of that; else they are made of ContentID.
	HeadID     string     `col:"head_id"`
	Undecoded  Opt[int64] `col:"undecoded"`   // packets in which IP may be that was not found
	NotDecoded string     `col:"not_decoded"` // which, in words
	Untimed    Opt[int64] `col:"untimed"`     // packets with the time of their neighbours
}

// Segment is a row of the family segments: one packet file, ours or in place.
type Segment struct {
	Segment int32     `col:"segment"` // never reused
	Kind    string    `col:"kind"`    // pcap, pcapng
	Sensor  string    `col:"sensor"`
	Site    string    `col:"site"`
	Path    string    `col:"path"` // relative to the archive root; absolute for in-place captures
	InPlace bool      `col:"in_place"`
	TS      Opt[Time] `col:"ts"`
	TSEnd   Opt[Time] `col:"ts_end"`
	Packets int64     `col:"packets"`
	Bytes   int64     `col:"bytes"` // of the file
	MTime   Time      `col:"mtime"` // in-place: what the file must still be
	Check   string    `col:"check"` // in-place: XXH3-128 of the first and last 64 KiB, hex
	// Layout is what a reader that starts in the middle needs: byte orders,
	// link types and time resolutions per section; see pcap.Layout.
	Layout []byte `col:"layout"`
	// Sums are checksums of the file's blocks, taken as they were written; see
	// archive.packetBlock. NULL in older files.
	Sums []byte `col:"sums"`
}

// Coverage is a row of the family coverage: an interval in which a sensor's
// interface was recorded, and what was lost meanwhile.
type Coverage struct {
	Sensor    string     `col:"sensor"`
	Interface string     `col:"interface"`
	TS        Time       `col:"ts"`
	TSEnd     Time       `col:"ts_end"`
	Packets   int64      `col:"packets"`
	Bytes     int64      `col:"bytes"`
	Drops     Opt[int64] `col:"drops"` // NULL when the source does not say
	// Silence is the longest time that passed between two packets of a capture
	// file, µs; NULL of what is captured live, whose time is covered packets or not.
	Silence Opt[int64] `col:"silence_us"`
	// As of Import.
	Undecoded  Opt[int64] `col:"undecoded"`
	NotDecoded string     `col:"not_decoded"`
	// Of the time that is not over: Log is the id of the sensor's log of packets,
	// Commit the number of the commit up to which its rows are stored; see
	// archive.Log.
	Log    string     `col:"log"`
	Commit Opt[int64] `col:"commit"`
	// NotKept are packets that were metered and could not be written, LostRows
	// rows that could not. In older files NotKept are among Drops.
	NotKept  Opt[int64] `col:"not_kept"`
	LostRows Opt[int64] `col:"lost_rows"`
}

// Eviction is a row of the family evictions: a file that was taken away, to make
// room or because of its age.
type Eviction struct {
	TS        Time       `col:"ts"` // of what was in it, first and last
	TSEnd     Time       `col:"ts_end"`
	Family    string     `col:"family"` // packets of a segment's file
	Sensor    string     `col:"sensor"` // of a segment
	File      string     `col:"file"`   // name of a row file; path of a segment, relative to the archive
	Segment   Opt[int32] `col:"segment"`
	Rows      int64      `col:"rows"`
	Packets   int64      `col:"packets"`
	Bytes     int64      `col:"bytes"` // of the file
	Reason    string     `col:"reason"`
	EvictedAt Time       `col:"evicted_at"`
}

// FlowSink takes the rows that the meter finishes. A call hands over the row,
// which the caller may reuse afterwards, slices excepted.
type FlowSink interface {
	Flow(*Flow) error
}
