package tables

// ARP is a row of the family arp: messages of ARP (RFC 826) or IPv6 neighbour discovery
// (RFC 4861) of a minute that say the same. What is beyond the bounds of observe is
// counted in rows that say less: of the sender alone, then of none.
type ARP struct {
	TS     Time   `col:"ts"`     // of the first
	TSEnd  Time   `col:"ts_end"` // of the last
	Sensor string `col:"sensor"`
	Site   string `col:"site"`

	Protocol    string     `col:"protocol"`
	Kind        string     `col:"kind"`
	MAC         Opt[int64] `col:"mac"`
	IP          Opt[Addr]  `col:"ip"`
	AskedIP     Opt[Addr]  `col:"asked_ip"`
	PreviousMAC Opt[int64] `col:"previous_mac"`
	Packets     int64      `col:"packets"`

	PacketID Opt[ID] `col:"packet_id"`
	FlowID   Opt[ID] `col:"flow_id"` // of neighbour discovery, which is IP
	ConnID   Opt[ID] `col:"conn_id"`
}

// Values of protocol and kind in arp.
const (
	OverARP = "arp"
	OverNDP = "ndp"

	ARPRequest      = "request"
	ARPReply        = "reply"
	ARPAnnouncement = "announcement" // nobody asked
	ARPProbe        = "probe"        // by one that has no address yet (RFC 5227, RFC 4862)
	RouterSearch    = "router_solicitation"
	RouterHere      = "router_advertisement"
)

var (
	arpProtocols = []string{OverARP, OverNDP}
	arpKinds     = []string{ARPRequest, ARPReply, ARPAnnouncement, ARPProbe, RouterSearch, RouterHere}
)

// ARPRelation is who asked for and who claimed which address.
var ARPRelation = &Relation{Schema: Main, Name: "arp",
	Doc: "who has which address, over ARP and IPv6 neighbour discovery: questions, answers and claims, those of a minute that say the same in one row",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the first message"},
		{Name: "ts_end", Kind: Timestamp, NotNull: true, Doc: "time of the last, within a minute"},
		{Name: "protocol", Kind: Text, Size: 8, NotNull: true, Values: arpProtocols, NoCase: true, Doc: "arp for IPv4, ndp for IPv6"},
		{Name: "kind", Kind: Text, Size: 24, Values: arpKinds, NoCase: true, Doc: "request (who has asked_ip?), reply, announcement (unasked; gratuitous ARP), probe (a request of one that has no address yet), router_solicitation, router_advertisement; NULL in a row of all that was too much"},
		{Name: "mac", Kind: MAC, Doc: "the sender's MAC, as the message says it", Source: "tshark arp.src.hw_mac, icmpv6.opt.linkaddr"},
		{Name: "ip", Kind: Address, Doc: "the address the sender says it has; NULL of a probe", Source: "tshark arp.src.proto_ipv4, icmpv6.nd.na.target_address"},
		{Name: "host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "asked_ip", Kind: Address, Doc: "the address that is asked for, or who is answered; NULL also in a row of a sender's messages beyond 64 different ones in a minute", Source: "tshark arp.dst.proto_ipv4, icmpv6.nd.ns.target_address"},
		{Name: "previous_mac", Kind: MAC, Doc: "another MAC that claimed ip last, within the hour before: the address changed hands, or two claim it"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "messages the row stands for"},
		colSensor, colPacketID,
		{Name: "flow_id", Kind: Identifier, Doc: "flow row of the first message, of ndp; ARP is not IP and has none"},
		{Name: "conn_id", Kind: Identifier, Doc: "its conversation, likewise"},
	}}
