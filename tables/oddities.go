package tables

// Oddity is a row of the family oddities: packets of a minute that were odd in the same
// way and of the same end of a conversation. What is beyond the bounds of observe is
// counted in rows that say less: of the sender alone, then of none.
type Oddity struct {
	TS     Time   `col:"ts"`     // of the first
	TSEnd  Time   `col:"ts_end"` // of the last
	Sensor string `col:"sensor"`
	Site   string `col:"site"`

	Kind       string     `col:"kind"`
	Client     Opt[Addr]  `col:"client"`
	ClientPort Opt[int32] `col:"client_port"`
	Server     Opt[Addr]  `col:"server"`
	ServerPort Opt[int32] `col:"server_port"`
	SentBy     string     `col:"sent_by"` // RoleClient or RoleServer
	Packets    int64      `col:"packets"`
	Bytes      int64      `col:"bytes"`

	PacketID Opt[ID] `col:"packet_id"` // the first
	FlowID   Opt[ID] `col:"flow_id"`
	ConnID   Opt[ID] `col:"conn_id"`
}

// Kinds of oddities.
const (
	OddGap       = "tcp_gap"
	OddConflict  = "tcp_conflict"
	OddNumber    = "tcp_out_of_window"
	OddChecksum  = "tcp_bad_checksum"
	OddFragments = "tcp_fragments"
)

var oddKinds = []string{OddGap, OddConflict, OddNumber, OddChecksum, OddFragments}

// Oddities is what does not fit in conversations.
var Oddities = &Relation{Schema: Main, Name: "oddities",
	Doc: "what did not fit in TCP conversations while they were read: bytes that are missing, or came twice and differ, numbers out of any window, wrong checksums, fragments; those of a minute in one row",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the first packet; of a gap, of the one behind it"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "time of the last, within a minute"},
		{Name: "kind", Kind: Text, Size: 24, NotNull: true, Values: oddKinds, NoCase: true, Doc: "tcp_gap: bytes were not captured, and others behind them were; tcp_conflict: bytes came again, within 2 KiB of the last that were read, and are not the same: the first count; tcp_out_of_window: the number is 16 MiB or more from the next one that is due: it is not read, unless what follows it comes as well; tcp_bad_checksum: by an end of whose first checksums most were right (one that leaves them to its card fills none in), of a segment that is not longer than Ethernet's (cards join those): it is not read; tcp_fragments: TCP in fragments of IP. But for fragments, only of conversations that are read (see docs/names.md), and as far as they are"},
		{Name: "client_ip", Kind: Address, Doc: "the client; NULL of what the server sent in a row of its packets beyond 64 different ones in a minute"},
		{Name: "client_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "client_port", Kind: Int, Doc: "port of the client"},
		{Name: "server_ip", Kind: Address, Doc: "the server; NULL of what the client sent in a row of its packets beyond 64 different ones in a minute"},
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "server_port", Kind: Int, Doc: "port of the server"},
		{Name: "sent_by", Kind: Text, Size: 8, Values: roles, NoCase: true, Doc: "client or server: which end's bytes they are"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "packets the row stands for; of gaps how many there were"},
		{Name: "bytes", Kind: BigInt, NotNull: true, Unit: "bytes", Doc: "bytes that are missing, that differ, or that the packets carry"},
		colSensor, colPacketID,
		{Name: "flow_id", Kind: Identifier, Doc: "flow row of the first packet"},
		{Name: "conn_id", Kind: Identifier, Doc: "its conversation; NULL in a row of several"},
	}}
