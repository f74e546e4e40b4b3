package observe

import (
	"encoding/gob"

	"github.com/wiresql/wiresql/tables"
)

func init() {
	for _, r := range []reader{&tlsReader{}, &httpReader{}, &http2Reader{}, &dnsReader{}, &kerberosReader{},
		&sshReader{}, &rdpReader{}, &ldapReader{}, &textReader{}, &ftpData{}, &telnetReader{}, &smbReader{}, &rpcReader{}, &nfsReader{}} {
		gob.Register(r)
	}
}

// State is what an Observer remembers of packets that it saw, the oldest first:
// with it another one goes on.
type State struct {
	Clock   int64 // ns: the last packet's
	Queries []Query
	// Answered are queries that were: of their rows is only whose they are.
	Answered []Query
	Leases   []Lease
	Streams  []Stream
	// Asked are questions to a KDC over UDP.
	Asked []waiting[tables.ID, ticketQuestion]
	ARP   []Repeat[tables.ARP]
	ICMP  []Repeat[tables.ICMP]
	DHCP  []Repeat[tables.DHCP]
	Odd   []Repeat[tables.Oddity]
	// Claims are who claimed which address last; ClaimMinute and ClaimsTold how many of a
	// minute became rows.
	Claims                  []Claim
	ClaimMinute, ClaimsTold int64
	// Awaited are conversations of FTP that were told of, TFTP its transfers.
	Awaited []waiting[endpoint, tables.ID]
	TFTP    []waiting[endpoint, transfer]
	QUIC    []waiting[tables.ID, quicHandshake]
	// Of NFS: names of handles, calls without an answer, files in use.
	Handles []waiting[nfsHandle, nfsName]
	Calls   []waiting[oncCall, nfsCall]
	Uses    []waiting[nfsUse, tables.File]
}

// waiting is what is known of a conversation, or an end of one.
type waiting[K comparable, V any] struct {
	TS    int64
	Conn  K
	Value V
}

func remember[K comparable, V any](w *window[K, V]) (list []waiting[K, V]) {
	for e := w.oldest; e != nil; e = e.next {
		list = append(list, waiting[K, V]{e.ts, e.key, e.value})
	}
	return list
}

func recall[K comparable, V any](w *window[K, V], list []waiting[K, V], gone func(*V)) {
	for _, e := range list {
		if w.get(e.Conn) == nil {
			w.put(e.Conn, e.Value, e.TS, gone)
		}
	}
}

// Query is a query that waits for its answer.
type Query struct {
	TS                     int64
	ClientPort, ServerPort uint16
	ID, QType              uint16
	Name                   string
	Row                    tables.DNS
}

func (q *Query) key() question {
	r := &q.Row
	return question{r.Site, r.Client, r.Server, q.ClientPort, q.ServerPort, q.ID, q.QType, q.Name}
}

// Lease is a DHCP request that waits for its acknowledgement.
type Lease struct {
	TS         int64
	Site, Name string
	XID        uint32
	MAC        uint64
}

// Stream is a TCP conversation that is being read.
type Stream struct {
	TS     int64
	Of     Peers
	Half   [2]Half
	Reader reader
}

// Half is one direction of a Stream.
type Half struct {
	Next  uint32
	Began bool
	Rest  []byte
	Ahead []segment
	Since int64

	Tail    []byte
	Strayed bool
	Stray   uint32
	Sums    int32
}

// State returns what the Observer remembers now.
func (o *Observer) State() (s State) {
	s.Clock = o.clock
	for e := o.queries.oldest; e != nil; e = e.next {
		k := &e.key
		s.Queries = append(s.Queries, Query{e.ts, k.clientPort, k.serverPort, k.id, k.qtype, k.name, e.value})
	}
	for e := o.answered.oldest; e != nil; e = e.next {
		k := &e.key
		s.Answered = append(s.Answered, Query{e.ts, k.clientPort, k.serverPort, k.id, k.qtype, k.name, tables.DNS{Site: k.site, Client: k.client, Server: k.server}})
	}
	for e := o.leases.oldest; e != nil; e = e.next {
		s.Leases = append(s.Leases, Lease{e.ts, e.key.site, e.value, e.key.xid, e.key.mac})
	}
	for e := o.streams.oldest; e != nil; e = e.next {
		v := &e.value
		one := Stream{TS: e.ts, Of: v.of, Reader: v.reader}
		for i, h := range v.half {
			one.Half[i] = Half{h.next, h.began, h.rest, h.ahead, h.since, h.tail, h.strayed, h.stray, h.sums}
		}
		s.Streams = append(s.Streams, one)
	}
	s.ARP, s.ICMP, s.DHCP, s.Odd = o.arp.remember(), o.icmp.remember(), o.dhcp.remember(), o.odds.remember()
	for e := o.claims.oldest; e != nil; e = e.next {
		s.Claims = append(s.Claims, Claim{e.ts, e.key.site, e.key.addr, e.value})
	}
	s.ClaimMinute, s.ClaimsTold = o.claimMinute, o.claimsTold
	s.Asked, s.Awaited, s.TFTP, s.QUIC = remember(o.asked), remember(o.awaited), remember(o.tftp), remember(o.quic)
	s.Handles, s.Calls, s.Uses = remember(o.handles), remember(o.calls), remember(o.uses)
	return s
}

// Resume has a new Observer remember a State.
func (o *Observer) Resume(s *State) {
	o.clock = max(o.clock, s.Clock)
	for _, q := range s.Queries {
		if key := q.key(); o.queries.get(key) == nil {
			o.queries.put(key, q.Row, q.TS, o.unanswered)
		}
	}
	for _, q := range s.Answered {
		if key := q.key(); o.answered.get(key) == nil {
			o.answered.put(key, struct{}{}, q.TS, nil)
		}
	}
	for _, l := range s.Leases {
		if key := (lessee{l.Site, l.XID, l.MAC}); o.leases.get(key) == nil {
			o.leases.put(key, l.Name, l.TS, nil)
		}
	}
	recall(o.asked, s.Asked, o.unheard)
	o.arp.recall(s.ARP)
	o.icmp.recall(s.ICMP)
	o.dhcp.recall(s.DHCP)
	o.odds.recall(s.Odd)
	for _, c := range s.Claims {
		if key := (claimed{c.Site, c.Addr}); o.claims.get(key) == nil {
			o.claims.put(key, c.Of, c.TS, nil)
		}
	}
	o.claimMinute, o.claimsTold = s.ClaimMinute, s.ClaimsTold
	recall(o.awaited, s.Awaited, nil)
	recall(o.tftp, s.TFTP, o.transferred)
	recall(o.quic, s.QUIC, o.handshaken)
	recall(o.handles, s.Handles, nil)
	recall(o.calls, s.Calls, nil)
	recall(o.uses, s.Uses, o.used)
	for _, l := range s.Streams {
		if o.streams.get(l.Of.Conn) != nil {
			continue
		}
		if r, ok := l.Reader.(*httpReader); ok {
			r.resumed()
		}
		value, _ := o.streams.add(l.Of.Conn, stream{of: l.Of, reader: l.Reader}, l.TS, o.giveUp)
		for i, h := range l.Half {
			value.half[i] = half{next: h.Next, began: h.Began, rest: h.Rest, ahead: h.Ahead, since: h.Since, strayed: h.Strayed, stray: h.Stray, sums: h.Sums}
			o.keep(&value.half[i], h.Tail)
			for _, g := range h.Ahead {
				value.half[i].waiting += len(g.Data)
			}
		}
		o.account(value)
	}
}
