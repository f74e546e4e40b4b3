package tables

// Kinds of notices, and how bad they are.
var (
	noticeKinds = []string{"certificate_expired", "certificate_not_yet_valid", "certificate_self_signed", "weak_tls",
		"cleartext_password", "weak_kerberos", "address_conflict", "icmp_redirect",
		OddGap, OddConflict, OddNumber, OddChecksum, OddFragments, "unexpected_service"}
	severities = []string{"low", "medium", "high"}
)

// Notices is what is odd in other relations, of which it is made.
var Notices = &Relation{Schema: Main, Name: "notices",
	Doc: "what is odd at first sight: certificates, weak TLS, passwords in clear, addresses that two machines claim, redirects, TCP that does not fit, tickets with old ciphers, services on others' ports",
	Columns: []Column{
		{Name: "ts", Kind: Timestamp, NotNull: true, Doc: "when it was seen"},
		{Name: "kind", Kind: Text, Size: 32, NotNull: true, Values: noticeKinds, NoCase: true, Doc: "certificate_expired, certificate_not_yet_valid, certificate_self_signed (when it was used), weak_tls (a version before 1.2, or a cipher without secrecy or known to be broken): rows of tls; cleartext_password, weak_kerberos (a ticket made with RC4 or DES, which is cracked fast): of logins; address_conflict (another MAC claimed the address within the hour before): of arp; icmp_redirect (a machine is told to send by way of another): of icmp; tcp_gap, tcp_conflict (what differs is injected, or evades who watches), tcp_out_of_window, tcp_bad_checksum, tcp_fragments (TCP avoids fragments of IP, and who evades inspection does not): of oddities; unexpected_service (what was seen is not what the port is for): of connections"},
		{Name: "severity", Kind: Text, Size: 8, NotNull: true, Values: severities, NoCase: true, Doc: "low, medium or high"},
		{Name: "client_ip", Kind: Address, Doc: "who asked; of an address_conflict the address"},
		{Name: "client_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "server_ip", Kind: Address, Doc: "who was asked"},
		{Name: "server_host", Kind: HostName, Size: 255, NoCase: true, Fold: "lower", Doc: "name of that address at ts"},
		{Name: "server_port", Kind: Int, Doc: "port of the server"},
		{Name: "detail", Kind: Text, Size: 16383, Doc: "what it was, to be read; never a password"},
		colSensor, colConnID,
		{Name: "flow_id", Kind: Identifier, Doc: "the flow row it was seen in; NULL of unexpected_service, whose connection may have several, and of ARP"},
	}}
