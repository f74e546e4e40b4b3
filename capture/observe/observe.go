// Package observe reads names and application facts out of the few packets
// the meter hands it.
//
// It sees ARP, ICMP, UDP to and from ports 53, 69, 5353, 5355, 67, 68, 88, 137, 546, 547 and 2049, what TFTP
// moves (see Awaits), QUIC until its hellos were seen, the first payload packets per direction of every TCP
// conversation, and all of
// the conversations it follows (see stream); nothing else. From those it makes:
//
//	DHCPv4 acknowledgements     → names (source dhcp): who held which address, until when
//	DHCPv6 replies              → names (source dhcp): likewise
//	DHCPv4 and DHCPv6 releases  → names without a name: the lease is over
//	DNS and multicast DNS       → names (source dns): which name resolved to which address
//	NetBIOS registrations       → names (source netbios): which machine has which address
//	LLMNR answers               → names (source llmnr)
//	SMB                         → files rows: what was done to which file
//	FTP, TFTP, NFS 3            → files rows: likewise
//	SMTP, LMTP                  → mail rows, a message that was handed on
//	DCE/RPC in SMB and over TCP → rpc rows, a call with its answer
//	NTLM in SMB, DCE/RPC, LDAP  → names (source ntlm): how client and server call themselves
//	Kerberos                    → logins rows, a question with its answer; names (source kerberos)
//	NTLM, LDAP, HTTP, FTP, Telnet, POP3, IMAP, SMTP, SSH, RDP → logins rows
//	ARP, neighbour discovery    → arp rows; names without a name: which MAC has which address
//	ICMP                        → icmp rows
//	DHCPv4 and DHCPv6           → dhcp rows
//	TCP that does not fit       → oddities rows
//	RDP without TLS             → names (source rdp): how the client calls itself
//	DNS over UDP and TCP 53     → dns rows, a query paired with its answer; dns_answers rows, one a record
//	TLS handshakes, also QUIC's → tls rows: who speaks TLS how, and the server's certificate
//	HTTP/1, HTTP/2 in clear     → http rows, a request with its answer
//	TLS ClientHello, HTTP Host  → the server name of a conversation
//	TLS, QUIC, SSH, HTTP, LDAP, RDP, Telnet, FTP, SMB, DCE/RPC → its service, by what was seen
//	TLS, SSH, QUIC              → the conversation is encrypted
//
// Every input is hostile. All parsers work on a slice, check every length and
// visit each byte a bounded number of times; a panic, should one be left,
// costs one packet and is counted. All state is bounded in number and in age:
// see the constants. What does not fit is given up oldest first and counted.
//
// # What is left out on purpose
//
// Multicast DNS gives names but no dns rows: its questions go to everybody and
// its answers come from anybody, so there is no client and no server. A
// DHCPINFORM is answered without a lease and gives nothing.
package observe

import (
	"github.com/wiresql/wiresql/tables"
)

// Sink takes what was observed. Rows come when they are complete, not in the
// order of their time: a DNS row has the time of its query and comes with the
// answer, or when the wait for one is over. The row may be reused after the
// call returns.
type Sink interface {
	// Row takes a *tables.DNS, DNSAnswer, Name, TLS, HTTP, Login, File, RPC, Mail, ARP, ICMP, DHCP or Oddity.
	Row(row any) error
}

// Packet is a packet as the meter hands it over. Nothing of it is kept after
// Observe returns.
type Packet struct {
	TS         int64 // nanoseconds since 1970
	Header     *tables.Header
	Payload    []byte // captured layer-4 payload; shorter than Header.PayloadLength when cut. ICMP and ARP as a whole
	Segment    []byte // of TCP: its header and all of the payload; nil when cut
	FromClient bool
	// FlowID and ConnID are those of the flow row the packet belongs to.
	FlowID, ConnID tables.ID
	Client, Server tables.Addr
	Sensor, Site   string
	// ID is where the packet is kept, if it is.
	ID   tables.ID
	Kept bool
	// First is set of the first packet that is handed over of a direction, Begin is
	// the number of the direction's first byte, if it is known.
	First  bool
	Begin  uint32
	Begins bool
	// Quoted is the packet that an ICMP error quotes, QuotedConn its conversation;
	// nil and 0 if there is none, or it is not known.
	Quoted     *tables.Header
	QuotedConn tables.ID
}

// Finding is what a packet told about its conversation. The zero Finding
// means: nothing yet, go on.
type Finding struct {
	// ServerName is the name the client asked the server for, folded; empty
	// when this packet did not tell.
	ServerName string
	// FromTLS tells an SNI from an HTTP Host: it is the better answer.
	FromTLS bool
	// Encrypted is set when TLS, SSH or QUIC was recognised.
	Encrypted bool
	// Done means that no more packets of this direction are needed.
	Done bool
	// Follow means that all packets of the conversation are needed until one gives
	// Over, and its end (see End).
	Follow, Over bool
	// Service is what was recognised: tls, http, ssh; else empty.
	Service string
}

// MaxPackets is how many payload packets of one direction of a conversation
// are worth handing over when no Finding is Done: enough for a ClientHello of
// 16 KiB, or for the clear text before a STARTTLS.
const MaxPackets = 16

// Bounds of the state an Observer keeps, those of streams aside. Together about 60 MiB.
const (
	// maxQueries is how many DNS queries wait for their answer, queryLife for
	// how long (packet time, nanoseconds).
	maxQueries = 65536
	queryLife  = 10e9
	// maxAnswered is how many of the last answered ones are remembered as long.
	maxAnswered = 16384
	// maxLeases is how many DHCP requests wait for their acknowledgement.
	maxLeases = 4096
	leaseLife = 120e9
)

// Stats counts what an Observer did and what it gave up.
type Stats struct {
	Packets    int64 // handed over
	DNSRows    int64
	Names      int64
	Unanswered int64 // queries whose answer never came
	Malformed  int64 // DNS or DHCP messages that could not be read to the end
	Evicted    int64 // queries, requests, streams or claims given up because the state was full
	Folded     int64 // messages of ARP, ICMP and DHCP, and oddities, that have no row of their own, for there were too many
	Streams    int64 // conversations that were followed
	Gaps       int64 // times that bytes of them were missing
	Panics     int64 // packets that broke a parser
}

// Observer reads packets. It is not safe for concurrent use.
type Observer struct {
	sink    Sink
	queries *window[question, tables.DNS]
	// answered are queries of which another, or another answer, is a repetition.
	answered *window[question, struct{}]
	leases   *window[lessee, string]
	streams  *window[tables.ID, stream]
	asked    *window[tables.ID, ticketQuestion] // over UDP
	awaited  *window[endpoint, tables.ID]       // by which conversation
	tftp     *window[endpoint, transfer]        // by the client's end
	arp      *repeats[tables.ARP]
	icmp     *repeats[tables.ICMP]
	dhcp     *repeats[tables.DHCP]
	odds     *repeats[tables.Oddity]
	quic     *window[tables.ID, quicHandshake]
	handles  *window[nfsHandle, nfsName]
	calls    *window[oncCall, nfsCall]
	uses     *window[nfsUse, tables.File]
	claims   *window[claimed, claim]
	// claimsTold is how many claims of a minute became rows of names.
	claimMinute, claimsTold int64

	clock    int64 // of the packet that is read, or of Tick
	held     int   // bytes of streams
	tails    int   // likewise, of those that were read
	spare    [][]byte
	quicHeld int // of QUIC's handshakes
	stats    Stats
	err      error
	message  message // decoded anew for each packet
	dns      tables.DNS
	answer   tables.DNSAnswer
	name     tables.Name
	finding  Finding // of the packet being read

	certificates map[[32]byte]certificate
}

// New returns an Observer that writes to sink.
func New(sink Sink) *Observer {
	o := &Observer{
		sink:     sink,
		queries:  newWindow[question, tables.DNS](maxQueries, queryLife, hashQuestion),
		answered: newWindow[question, struct{}](maxAnswered, queryLife, hashQuestion),
		leases:   newWindow[lessee, string](maxLeases, leaseLife, nil),
		streams:  newWindow[tables.ID, stream](maxStreams, streamLife, hashID),
		asked:    newWindow[tables.ID, ticketQuestion](maxAsked, askedLife, hashID),
		claims:   newWindow[claimed, claim](maxClaims, claimLife, nil),
		awaited:  newWindow[endpoint, tables.ID](maxAwaited, awaitedLife, nil),
		tftp:     newWindow[endpoint, transfer](maxTransfers, transferLife, nil),
		quic:     newWindow[tables.ID, quicHandshake](maxHandshakes, handshakeLife, hashID),
		handles:  newWindow[nfsHandle, nfsName](maxHandles, handleLife, nil),
		calls:    newWindow[oncCall, nfsCall](maxONCCalls, oncCallLife, nil),
		uses:     newWindow[nfsUse, tables.File](maxUses, useLife, nil),

		certificates: make(map[[32]byte]certificate),
	}
	o.arp = newRepeats(arpOfOne, arpLife, nil, o.writeARP)
	o.icmp = newRepeats(arpOfOne, arpLife, hashICMP, o.writeICMP)
	o.dhcp = newRepeats(dhcpOfOne, dhcpLife, nil, o.writeDHCP)
	o.odds = newRepeats(oddOfOne, oddLife, nil, o.writeOdd)
	return o
}

// Stats returns the counters so far.
func (o *Observer) Stats() Stats { return o.stats }

// Observe reads one packet. It never fails: an error of the sink is kept and
// returned by Flush, and nothing more is sent to the sink after it.
func (o *Observer) Observe(p *Packet) (f Finding) {
	defer o.survive(&f)
	o.stats.Packets++
	o.clock = p.TS
	h := p.Header
	switch {
	case h.Protocol == tables.ProtocolTCP:
		return o.observeStream(p)
	case h.EtherType == EtherARP:
		o.observeARP(p)
	case IsICMP(h.Protocol):
		o.observeICMP(p)
	case h.Protocol != tables.ProtocolUDP:
		return Finding{Done: true}
	case h.SrcPort == portDNS || h.DstPort == portDNS:
		o.observeDNS(p)
	case h.SrcPort == portNetBIOS || h.DstPort == portNetBIOS:
		o.observeNetBIOS(p)
	case h.SrcPort == portLLMNR || h.DstPort == portLLMNR:
		o.observeLLMNR(p)
	case h.SrcPort == portMulticastDNS || h.DstPort == portMulticastDNS:
		o.observeMulticastDNS(p)
	case h.SrcPort == portKerberos || h.DstPort == portKerberos:
		o.observeKerberos(p)
	case o.observeTFTP(p, &f):
		return f
	case h.SrcPort == portNFS || h.DstPort == portNFS:
		return o.observeNFS(p)
	case isDHCP6(h.SrcPort) || isDHCP6(h.DstPort):
		o.observeDHCP6(p)
	case isDHCP(h.SrcPort) || isDHCP(h.DstPort):
		o.observeDHCP(p)
	case p.FromClient && isONCCall(p.Payload), o.calls.get(oncCall{p.ConnID, xid(p.Payload)}) != nil: // of the mount protocol, at any port
		return o.observeNFS(p)
	default:
		return o.observeQUIC(p)
	}
	return Finding{}
}

// survive has a packet that broke a parser cost nothing else.
func (o *Observer) survive(f *Finding) {
	if recover() != nil {
		if o.stats.Panics++; f != nil {
			*f = Finding{Done: true}
		}
	}
}

// Ports of UDP that are read.
const (
	portDNS          = 53
	portMulticastDNS = 5353
	portDHCPServer   = 67
	portDHCPClient   = 68
	portQUIC         = 443
)

func isDHCP(port uint16) bool { return port == portDHCPServer || port == portDHCPClient }

func isDHCP6(port uint16) bool { return port == portDHCP6Client || port == portDHCP6Server }

// Reads tells whether Observe looks into UDP from or to a port.
func Reads(port uint16) bool {
	return port == portDNS || port == portMulticastDNS || isDHCP(port) || isDHCP6(port) || port == portQUIC || port == portNetBIOS || port == portLLMNR || port == portKerberos || port == portTFTP || port == portNFS
}

// Tick gives up what waits for longer than it may, as a packet of that time would.
func (o *Observer) Tick(ns int64) {
	o.clock = ns
	o.queries.expire(ns, o.unanswered)
	o.answered.expire(ns, nil)
	o.leases.expire(ns, nil)
	o.streams.expire(ns, o.giveUp)
	o.asked.expire(ns, o.unheard)
	o.arp.expire(ns, o.arp.gone)
	o.icmp.expire(ns, o.icmp.gone)
	o.dhcp.expire(ns, o.dhcp.gone)
	o.odds.expire(ns, o.odds.gone)
	o.claims.expire(ns, nil)
	o.awaited.expire(ns, nil)
	o.tftp.expire(ns, o.transferred)
	o.quic.expire(ns, o.handshaken)
	o.handles.expire(ns, nil)
	o.calls.expire(ns, nil)
	o.uses.expire(ns, o.used)
}

// Flush writes the queries still waiting for an answer, forgets all state and
// returns the first error of the sink.
func (o *Observer) Flush() error {
	o.streams.drain(o.giveUp)
	o.asked.drain(o.unheard)
	o.awaited.drain(nil)
	o.tftp.drain(o.transferred)
	o.quic.drain(o.handshaken)
	o.handles.drain(nil)
	o.calls.drain(nil)
	o.uses.drain(o.used)
	o.queries.drain(o.unanswered)
	o.answered.drain(nil)
	o.leases.drain(nil)
	o.arp.drain(o.arp.gone)
	o.icmp.drain(o.icmp.gone)
	o.dhcp.drain(o.dhcp.gone)
	o.odds.drain(o.odds.gone)
	o.claims.drain(nil)
	return o.err
}

func (o *Observer) writeName(n *tables.Name) {
	o.stats.Names++
	o.write(n)
}

func (o *Observer) writeDNS(d *tables.DNS) {
	o.stats.DNSRows++
	o.write(d)
}

func (o *Observer) write(row any) {
	if o.err == nil {
		o.err = o.sink.Row(row)
	}
}

// until is ts plus a number of seconds, at most OpenEnd.
func until(ts tables.Time, seconds int64) tables.Time {
	const second = 1_000_000
	if seconds >= int64(tables.OpenEnd-ts)/second {
		return tables.OpenEnd
	}
	return ts + tables.Time(seconds*second)
}
