package observe

import "github.com/wiresql/wiresql/tables"

// State is what an Observer remembers of packets that it saw, the oldest first:
// with it another one goes on.
type State struct {
	Queries []Query
	Leases  []Lease
	Streams []Stream
}

// Query is a query that waits for its answer.
type Query struct {
	TS                     int64
	ClientPort, ServerPort uint16
	ID, QType              uint16
	Name                   string
	Row                    tables.DNS
}

// Lease is a DHCP request that waits for its acknowledgement.
type Lease struct {
	TS         int64
	Site, Name string
	XID        uint32
	MAC        uint64
}

// Stream is the incomplete head of one direction of a TCP conversation.
type Stream struct {
	TS         int64
	Conn       tables.ID
	FromClient bool
	Segments   []Segment
}

// Segment is a part of a Stream.
type Segment struct {
	Seq  uint32
	Data []byte
}

// State returns what the Observer remembers now.
func (o *Observer) State() (s State) {
	for e := o.queries.oldest; e != nil; e = e.next {
		k := &e.key
		s.Queries = append(s.Queries, Query{e.ts, k.clientPort, k.serverPort, k.id, k.qtype, k.name, e.value})
	}
	for e := o.leases.oldest; e != nil; e = e.next {
		s.Leases = append(s.Leases, Lease{e.ts, e.key.site, e.value, e.key.xid, e.key.mac})
	}
	for e := o.streams.oldest; e != nil; e = e.next {
		one := Stream{TS: e.ts, Conn: e.key.conn, FromClient: e.key.fromClient}
		for _, g := range e.value.segments {
			one.Segments = append(one.Segments, Segment{g.seq, g.data})
		}
		s.Streams = append(s.Streams, one)
	}
	return s
}

// Resume has a new Observer remember a State.
func (o *Observer) Resume(s *State) {
	for _, q := range s.Queries {
		r := &q.Row
		key := question{r.Site, r.Client, r.Server, q.ClientPort, q.ServerPort, q.ID, q.QType, q.Name}
		if o.queries.get(key) == nil {
			o.queries.put(key, q.Row, q.TS, o.unanswered)
		}
	}
	for _, l := range s.Leases {
		if key := (lessee{l.Site, l.XID, l.MAC}); o.leases.get(key) == nil {
			o.leases.put(key, l.Name, l.TS, nil)
		}
	}
	for _, l := range s.Streams {
		var value stream
		for _, g := range l.Segments {
			value.segments = append(value.segments, segment{g.Seq, g.Data})
			value.bytes += len(g.Data)
		}
		if key := (direction{l.Conn, l.FromClient}); o.streams.get(key) == nil && value.bytes <= maxHead {
			o.streams.put(key, value, l.TS, nil)
		}
	}
}
