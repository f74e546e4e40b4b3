package capture

import (
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// conversation is a live conversation and its current piece. Index 0 of the
// pairs is the client's direction. It holds no pointers (see table); the few
// facts that need some are in Meter.names and Meter.outer.
//
// What every packet touches stands first, in three cache lines of the five.
type conversation struct {
	key
	client     uint8 // 0: the key's low end is the client; 1: the high end
	tcp        tcpState
	observed   [2]uint8 // packets handed to the observer; observedDone: no more
	orientedBy uint8
	encrypted  bool
	named      bool // Meter.names has an entry
	namedByTLS bool
	followed   bool // by the observer
	service    seenService
	tunnelled  bool // Meter.outer has an entry
	hasICMP    bool
	icmpType   uint8 // of the client's direction
	icmpCode   uint8
	cidIsKnown bool
	cutoff     uint8 // that it has, see Meter.allowed
	way        uint8 // its direction, see ways

	seen  int64 // last packet, ns; the largest time
	begin int64 // first packet of the conversation, ns; the smallest time
	// The current piece; without packets the next one starts one.
	first     int64 // smallest time, ns
	last      int64
	sum       [2]total
	wire      [2]int64
	positions positions
	flags     [2]uint16
	cut       uint32
	fragments uint32

	isn        [2]uint32 // sequence numbers of the SYNs, by dir; see handshake
	hash       uint32
	prev, next uint32 // see table
	slot       uint16
	number     int32 // of the piece: 1, 2, …
	id         tables.ID
	facts            // of the piece's first packet
	rttUs      int64 // measured in this piece; negative: not
	synNS      int64 // the last SYN before the SYN+ACK; 0 without
	synAckNS   int64 // 0 without, negative once the handshake is measured
	cid        uint64
	conn       tables.ID
	payload    int64    // its bytes so far, on the wire; counted if there are cutoffs
	base       [2]total // of the pieces before this one
}

// packets is how many the current piece has.
func (c *conversation) packets() int64 { return c.sum[0].packets + c.sum[1].packets }

// touch reads of each cache line that a packet needs.
func (c *conversation) touch() uint64 {
	return c.low.Lo + uint64(c.first) + uint64(c.positions.first) + uint64(c.positions.tail)
}

type total struct{ packets, bytes int64 }

func (t total) plus(u total) total { return total{t.packets + u.packets, t.bytes + u.bytes} }

// facts are what a row takes from its first packet.
type facts struct {
	clientMAC, serverMAC uint64
	vlan, outerVLAN      int16
	ttl, tos             uint8
	hasMAC               bool
}

const observedDone = 255

// seenService is a service that was seen, whatever the port.
type seenService uint8

var seenServices = [...]string{"", "tls", "https", "http", "ssh", "domain", "kerberos", "ldap", "ms-wbt-server", "telnet", "ftp", "smb", "dcerpc", "ftp-data", "tftp", "quic", "smtp", "nfs"}

// notOverTLS are services that TLS in their place is not.
var notOverTLS = []string{"", "http", "http-alt", "ssh", "telnet", "domain", "squid-http", "http-dev"}

// serviceName is flows.service: what was seen, the name of the port if nothing was.
// TLS can have any service inside, and the port tells which.
func (c *conversation) serviceName(port uint16) string {
	name := tables.ServiceName(port, c.protocol)
	switch seen := seenServices[c.service]; {
	case seen == "":
		return name
	case seen == "ldap" && name != "": // the global catalog has a name of its own
		return name
	case seen != "tls" || slices.Contains(notOverTLS, name):
		return seen
	case strings.HasPrefix(name, "https"):
		return "https"
	}
	return name
}

func seenAs(name string) seenService {
	return seenService(max(slices.Index(seenServices[:], name), 0))
}

// Why a row ended.
type endReason uint8

const (
	endNone endReason = iota
	endIdle
	endActive
	endEnd
	endForced
	endResources
	endCapture
)

// String is the value of flows.end_reason: IPFIX flowEndReason (information
// element 136) in words, and end_of_capture.
func (r endReason) String() string {
	return [...]string{"", tables.EndIdle, tables.EndActive, tables.EndSeen, tables.EndForced, tables.EndResources, tables.EndOfCapture}[r]
}

// ends returns the client's and the server's endpoint; ports are 0 for
// protocols without.
func (c *conversation) ends() (client, server tables.Addr, clientPort, serverPort uint16) {
	client, server, clientPort, serverPort = c.low, c.high, c.lowPort, c.highPort
	if c.client == 1 {
		client, server, clientPort, serverPort = server, client, serverPort, clientPort
	}
	if c.protocol == tables.ProtocolICMP || c.protocol == tables.ProtocolICMPv6 {
		clientPort, serverPort = 0, 0 // the key has type and code there
	}
	return client, server, clientPort, serverPort
}

// timeout is how long the conversation waits for its next packet, ns.
func (c *conversation) timeout(cfg *Config) int64 {
	switch {
	case c.protocol != tables.ProtocolTCP:
		return cfg.IdleOther.Nanoseconds()
	case c.tcp.closed():
		return cfg.Linger.Nanoseconds()
	}
	return cfg.IdleTCP.Nanoseconds()
}

// state is flows.conn_state.
func (c *conversation) state() string {
	if c.protocol == tables.ProtocolTCP {
		return c.tcp.name()
	}
	if c.base[1].packets+c.sum[1].packets > 0 && c.base[0].packets+c.sum[0].packets > 0 {
		return "SF"
	}
	return "S0"
}

// over tells whether a packet at ns can't belong to c any more, and as what c
// then ends. h is nil when the packet has no TCP header.
func (c *conversation) over(cfg *Config, h *tables.Header, dir int, ns int64) endReason {
	if ns > c.seen {
		if reason := c.overAt(cfg, ns); reason != endNone {
			return reason
		}
	} else if c.begin-ns > c.timeout(cfg) {
		return endForced
	}
	if h == nil || h.TCPFlags&(tables.TCPSyn|tables.TCPAck|tables.TCPRst) != tables.TCPSyn {
		return endNone
	}
	// A SYN with another number than the conversation's opens the port pair anew,
	// also when nobody was seen to end it (tshark does the same); one with its
	// number is a repetition, or comes late to where the rest was seen. Of a side
	// that has sent nothing, and was not answered, the number is not known.
	numbered := c.tcp.sent[dir]&^sentRst != 0 || c.answered(dir)
	if numbered && h.TCPSeq != c.isn[dir] || !numbered && c.tcp.closing() {
		return endEnd
	}
	return endNone
}

// overAt tells whether and as what the conversation is over at a time, if
// nothing more comes.
func (c *conversation) overAt(cfg *Config, ns int64) endReason {
	switch silence, timeout := ns-c.seen, c.timeout(cfg); {
	case silence < -timeout:
		return endForced
	case silence <= timeout:
		return endNone
	case c.tcp.closed():
		return endEnd
	}
	return endIdle
}

// handshake notes a TCP segment of the given direction.
func (c *conversation) handshake(h *tables.Header, dir int, ns int64) {
	syn, ack := h.TCPFlags&tables.TCPSyn != 0, h.TCPFlags&tables.TCPAck != 0
	switch {
	case h.TCPFlags&tables.TCPRst != 0:
	case dir == 0 && syn && !ack:
		if c.synAckNS == 0 {
			c.synNS = ns
		}
	case dir == 1 && syn && ack && c.synNS != 0 && c.synAckNS == 0:
		c.synAckNS = ns
	case dir == 0 && !syn && ack && c.synAckNS > 0:
		if ns >= c.synNS {
			c.rttUs = (ns - c.synNS) / 1000
		}
		c.synAckNS = -1 // measured
	}
	// The number of a SYN that was not seen is the one before the lowest that was,
	// or before what the other side's SYN acknowledges.
	switch sent := c.tcp.sent[dir]; {
	case h.TCPFlags&tables.TCPRst != 0:
	case syn:
		if c.isn[dir] = h.TCPSeq; ack && c.tcp.sent[dir^1]&(sentSyn|sentSynAck) == 0 {
			c.isn[dir^1] = h.TCPAck - 1
		}
	case sent&(sentSyn|sentSynAck) == 0:
		if before := h.TCPSeq - 1; sent&^sentRst == 0 && !c.answered(dir) || int32(before-c.isn[dir]) < 0 {
			c.isn[dir] = before
		}
	}
	c.tcp.add(dir, h.TCPFlags)
}

// answered tells that the other side acknowledged the SYN of this one.
func (c *conversation) answered(dir int) bool { return c.tcp.sent[dir^1]&sentSynAck != 0 }
