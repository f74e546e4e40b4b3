package observe

import (
	"encoding/binary"
	"slices"

	"github.com/wiresql/wiresql/tables"
)

// direction is one half of a TCP conversation.
type direction struct {
	conn       tables.ID
	fromClient bool
}

// stream holds the head of a direction while it is incomplete: segments in
// order of their sequence number, at most maxHead bytes of them.
type stream struct {
	segments []segment
	bytes    int
}

type segment struct {
	seq  uint32
	data []byte
}

// observeStream recognises what the first bytes of a TCP direction are. Nearly
// always one packet tells; only a ClientHello or request head that spans
// several is buffered.
func (o *Observer) observeStream(p *Packet) Finding {
	o.streams.expire(p.TS, nil)
	if len(p.Payload) == 0 {
		return Finding{}
	}
	key := direction{p.ConnID, p.FromClient}
	cut := len(p.Payload) < p.Header.PayloadLength
	st := o.streams.get(key)
	if st == nil {
		if speaksNTLM(p.Payload) {
			return Finding{Done: o.observeNTLM(p)}
		}
		f, more := recognise(p.Payload, p.FromClient)
		if more && cut {
			f.Done = true
		} else if more {
			s := stream{}
			s.add(p.Header.TCPSeq, p.Payload)
			if o.streams.put(key, s, p.TS, nil) {
				o.stats.Evicted++
			}
		}
		return f
	}
	st.add(p.Header.TCPSeq, p.Payload)
	f, more := recognise(st.head(), p.FromClient)
	if more && !cut && st.bytes < maxHead {
		return f
	}
	o.streams.remove(key)
	f.Done = true
	return f
}

// add keeps a copy of a segment's bytes, as far as there is room.
func (s *stream) add(seq uint32, data []byte) {
	data = data[:min(len(data), maxHead-s.bytes)]
	if len(data) == 0 {
		return
	}
	// Sequence numbers wrap: order is by signed difference (RFC 9293 3.4).
	i, _ := slices.BinarySearchFunc(s.segments, seq, func(have segment, seq uint32) int {
		return int(int32(have.seq - seq))
	})
	s.segments = slices.Insert(s.segments, i, segment{seq, slices.Clone(data)})
	s.bytes += len(data)
}

// head joins the segments up to the first gap. Of bytes sent twice the first
// in sequence order count.
func (s *stream) head() []byte {
	var head []byte
	next := s.segments[0].seq
	for _, g := range s.segments {
		skip := int32(next - g.seq)
		switch {
		case skip < 0:
			return head
		case int(skip) < len(g.data):
			head = append(head, g.data[skip:]...)
			next = g.seq + uint32(len(g.data))
		}
	}
	return head
}

// recognise looks at the start of a direction. more is set when the bytes are
// the beginning of something that tells more with its rest.
func recognise(b []byte, fromClient bool) (f Finding, more bool) {
	switch {
	case isTLS(b):
		f.Encrypted = true
		if !fromClient || len(b) > 5 && b[5] != clientHello {
			f.Done = true
			return f, false
		}
		f.ServerName, more = serverName(b)
		f.FromTLS = f.ServerName != ""
		f.Done = !more
		return f, more
	case len(b) >= 4 && string(b[:4]) == "SSH-":
		return Finding{Encrypted: true, Done: true}, false
	case !fromClient:
		// What a server says first in clear text decides nothing: the
		// client's STARTTLS is seen on the client's side.
		return Finding{Done: true}, false
	case isRequest(b):
		f.ServerName, more = httpHost(b)
		f.Done = !more
		return f, more
	}
	return Finding{}, false
}

const clientHello = 1

// isTLS recognises a handshake record of SSL 3.0 to TLS 1.3.
func isTLS(b []byte) bool {
	return len(b) >= 5 && b[0] == 22 && b[1] == 3 && b[2] <= 4 && (len(b) < 6 || b[5] <= 24)
}

// serverName reads the host name of the server_name extension (RFC 6066
// section 3) from the records of a ClientHello. more is set when the bytes end
// before it could stand.
func serverName(b []byte) (name string, more bool) {
	hello, whole := handshake(b)
	r := reader{hello, true}
	r.take(4 + 2 + 32)        // type and length, version, random
	r.take(int(r.number(1)))  // session
	r.take(int(r.number(2)))  // cipher suites
	r.take(int(r.number(1)))  // compression
	total := int(r.number(2)) // extensions
	if r.ok && total < len(r.b) {
		r.b = r.b[:total] // another message follows in the record
		whole = true
	}
	for r.ok && len(r.b) > 0 {
		kind, body := r.number(2), reader{r.take(int(r.number(2))), true}
		if !r.ok || kind != 0 {
			continue
		}
		for list := (reader{body.take(int(body.number(2))), body.ok}); list.ok && len(list.b) > 0; {
			kind, name := list.number(1), list.take(int(list.number(2)))
			if list.ok && kind == 0 {
				return plainName(name), false
			}
		}
		return "", false
	}
	return "", !whole
}

// handshake joins the payload of the handshake records at the start of b and
// tells whether the first message is whole, or spoilt: nothing to wait for.
func handshake(b []byte) (message []byte, whole bool) {
	joined := false
	for len(b) >= 5 && b[0] == 22 {
		n := int(binary.BigEndian.Uint16(b[3:]))
		part := b[5:min(len(b), 5+n)]
		if message == nil {
			message = part
		} else {
			if !joined {
				message, joined = slices.Clone(message), true
			}
			message = append(message, part...)
		}
		if len(message) >= 4 {
			size := 4 + (int(message[1])<<16 | int(binary.BigEndian.Uint16(message[2:])))
			if message[0] != clientHello || len(message) >= size {
				return message, true
			}
		}
		if n == 0 || 5+n > len(b) {
			return message, n == 0
		}
		b = b[5+n:]
	}
	return message, len(b) > 0 && b[0] != 22
}

// reader takes a message apart; once it runs out, ok is false and everything
// it returns is empty.
type reader struct {
	b  []byte
	ok bool
}

func (r *reader) take(n int) []byte {
	if !r.ok || n > len(r.b) {
		r.ok = false
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *reader) number(size int) (v uint32) {
	for _, c := range r.take(size) {
		v = v<<8 | uint32(c)
	}
	return v
}

// plainName folds a host name that was sent as bytes; what is not printable
// ASCII is no host name.
func plainName(b []byte) string {
	if len(b) > tables.MaxHost {
		return ""
	}
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return ""
		}
	}
	return tables.FoldName(string(b))
}

// isQUIC recognises the long header of QUIC version 1 (RFC 9000), version 2
// (RFC 9369) and the drafts before them.
func isQUIC(b []byte) bool {
	if len(b) < 7 || b[0]&0xc0 != 0xc0 {
		return false
	}
	version := binary.BigEndian.Uint32(b[1:])
	return version == 1 || version == 0x6b3343cf || version>>8 == 0xff0000
}
