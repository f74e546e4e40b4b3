package tables

// DHCP is a row of the family dhcp: a message of DHCP (RFC 2131) or DHCPv6 (RFC 8415),
// with what repeats it within seconds.
type DHCP struct {
	TS     Time   `col:"ts"`
	Sensor string `col:"sensor"`
	Site   string `col:"site"`

	Version       int32      `col:"version"`
	Message       string     `col:"message"`
	XID           int64      `col:"transaction_id"`
	MAC           Opt[int64] `col:"mac"`
	DUID          string     `col:"client_id"`
	Client        Opt[Addr]  `col:"client"`
	Server        Opt[Addr]  `col:"server"`
	Relay         Opt[Addr]  `col:"relay"`
	Name          string     `col:"name"` // folded
	RequestedIP   Opt[Addr]  `col:"requested_ip"`
	AssignedIP    Opt[Addr]  `col:"assigned_ip"`
	LeaseSeconds  Opt[int64] `col:"lease_seconds"`
	VendorClass   string     `col:"vendor_class"`
	ParameterList string     `col:"parameter_list"`
	Packets       int64      `col:"packets"`
	PacketID      Opt[ID]    `col:"packet_id"`
	FlowID        ID         `col:"flow_id"`
	ConnID        ID         `col:"conn_id"`
}

// DHCPMessages and DHCP6Messages are their names, by number.
var (
	DHCPMessages = []string{1: "discover", 2: "offer", 3: "request", 4: "decline", 5: "ack", 6: "nak", 7: "release", 8: "inform",
		9: "forcerenew", 10: "leasequery", 11: "leaseunassigned", 12: "leaseunknown", 13: "leaseactive"}
	DHCP6Messages = []string{1: "solicit", 2: "advertise", 3: "request", 4: "confirm", 5: "renew", 6: "rebind", 7: "reply", 8: "release",
		9: "decline", 10: "reconfigure", 11: "information-request", 14: "leasequery", 15: "leasequery-reply"}
)

// DHCPRelation is messages of DHCP.
var DHCPRelation = &Relation{Schema: Main, Name: "dhcp",
	Doc: "messages of DHCP and DHCPv6: which machine asked for an address as whom, and what it got",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "time of the message"},
		{Name: "version", Kind: Int, NotNull: true, Doc: "4 or 6: for which addresses"},
		{Name: "message", Kind: Text, Size: 24, NoCase: true, Fold: "lower", Doc: "discover, offer, request, decline, ack, nak, release, inform; of version 6 solicit, advertise, request, confirm, renew, rebind, reply, release, decline, reconfigure, information-request; the number where it has no name", Source: "tshark dhcp.option.dhcp, dhcpv6.msgtype"},
		{Name: "mac", Kind: MAC, Doc: "MAC of the client, as it says; of version 6 where its identifier has one", Source: "tshark dhcp.hw.mac_addr"},
		{Name: "client_id", Kind: Text, Size: 512, NoCase: true, Fold: "lower", Doc: "identifier the client gives, in hexadecimal: its DUID in version 6, option 61 in version 4", Source: "tshark dhcpv6.duid.bytes"},
		{Name: "client_ip", Kind: Address, Doc: "address of the client: the one it has, else the one it is given; NULL if it has none yet"},
		{Name: "client_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name that address had at ts"},
		{Name: "server_ip", Kind: Address, Doc: "the server: as the message names it, else who sent it"},
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name that address had at ts"},
		{Name: "relay_ip", Kind: Address, Doc: "address of the relay nearest to the client; NULL without"},
		{Name: "name", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name the message gives the client, lower case: its fully qualified name, else its host name", Source: "tshark dhcp.option.hostname, dhcp.fqdn.name"},
		{Name: "requested_ip", Kind: Address, Doc: "address the client asks for", Source: "tshark dhcp.option.requested_ip_address"},
		{Name: "assigned_ip", Kind: Address, Doc: "address the server offers or gives; of several the first", Source: "tshark dhcp.ip.your, dhcpv6.iaaddr.ip"},
		{Name: "lease_seconds", Kind: BigInt, Unit: "seconds", Doc: "how long for; 4294967295 is for ever", Source: "tshark dhcp.option.ip_address_lease_time"},
		{Name: "vendor_class", Kind: Text, Size: 255, Doc: "what the client's program calls itself; of version 6 after the number of the vendor", Source: "tshark dhcp.option.vendor_class_id"},
		{Name: "parameter_list", Kind: Text, Size: 1024, Doc: "numbers of the options the client asks for, in its order: a fingerprint of its system", Source: "tshark dhcp.option.request_list_item"},
		{Name: "transaction_id", Kind: BigInt, NotNull: true, Doc: "number that a question and its answers have in common"},
		{Name: "packets", Kind: BigInt, NotNull: true, Unit: "packets", Doc: "messages the row stands for: one, and repetitions within 5 seconds; beyond 256 different ones of a kind in that time one row counts them all, and has nothing else"},
		colSensor, colPacketID, colFlowID, colSeenConn,
	}}
