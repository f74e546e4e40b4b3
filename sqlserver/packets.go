package sqlserver

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"slices"
)

// maxPacket is what one packet holds; a message of that size or more is
// continued in the next.
const maxPacket = 1<<24 - 1

const (
	// flushBytes is how much is written before it is sent.
	flushBytes = 32 << 10
	// keepBytes is what a buffer may keep after a very large value.
	keepBytes = 4 << 20
	// skipBytes is how much of a message that is too large is read past.
	skipBytes = 256 << 20
	// headBytes of such a message are kept: they tell what it was.
	headBytes = 16
)

// How a conversation can break.
var (
	errTooLarge   = newError(1153, "Got a packet bigger than 'max_allowed_packet' bytes")
	errOutOfOrder = newError(1156, "Got packets out of order")
)

// packets reads and writes the messages of a connection. They are numbered
// within a command, whose first has number 0.
type packets struct {
	conn     net.Conn
	in       io.Reader
	body     []byte // of the message read last
	out      []byte // what is not sent yet
	start    int    // of the message that is being written
	sequence byte
	// skips tells that messages which are too large are read to their end.
	skips bool
}

// buffered reads ahead, which must not happen before TLS begins.
func (p *packets) buffered() { p.in = bufio.NewReaderSize(p.conn, 16<<10) }

// read takes the next message, of at most limit bytes. It is valid until the
// next call. Of a larger one it gives the first bytes and errTooLarge; the next
// can be read if there is more than nothing.
func (p *packets) read(limit int) (message, error) {
	if cap(p.body) > keepBytes {
		p.body = nil
	}
	p.body = p.body[:0]
	for skipped := 0; ; {
		var head [4]byte
		if _, err := io.ReadFull(p.in, head[:]); err != nil {
			return message{}, err
		}
		size := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
		if head[3] != p.sequence {
			return message{}, errOutOfOrder
		}
		p.sequence++
		at, take := len(p.body), size
		if skipped > 0 || at+size > limit {
			skipped += size
			take = min(size, max(0, headBytes-at))
			if !p.skips || skipped > skipBytes {
				return message{}, errTooLarge
			}
		}
		p.body = slices.Grow(p.body, take)[:at+take]
		if _, err := io.ReadFull(p.in, p.body[at:]); err != nil {
			return message{}, err
		}
		if _, err := io.CopyN(io.Discard, p.in, int64(size-take)); err != nil {
			return message{}, err
		}
		switch {
		case size == maxPacket:
		case skipped > 0:
			return message{rest: p.body}, errTooLarge
		default:
			return message{rest: p.body}, nil
		}
	}
}

// begin starts a message, which is then appended to out.
func (p *packets) begin() {
	p.start = len(p.out)
	p.out = append(p.out, 0, 0, 0, 0)
}

// end finishes a message, and sends what is much.
func (p *packets) end() error {
	if len(p.out)-p.start-4 < maxPacket {
		p.head(p.start, len(p.out)-p.start-4)
	} else {
		body := slices.Clone(p.out[p.start+4:])
		p.out = p.out[:p.start]
		for n := maxPacket; n == maxPacket; body = body[n:] {
			n = min(maxPacket, len(body))
			p.out = append(p.out, 0, 0, 0, 0)
			p.head(len(p.out)-4, n)
			p.out = append(p.out, body[:n]...)
		}
	}
	if len(p.out) < flushBytes {
		return nil
	}
	return p.flush()
}

func (p *packets) head(at, size int) {
	p.out[at], p.out[at+1], p.out[at+2], p.out[at+3] = byte(size), byte(size>>8), byte(size>>16), p.sequence
	p.sequence++
}

// flush sends what was written.
func (p *packets) flush() error {
	if len(p.out) == 0 {
		return nil
	}
	_, err := p.conn.Write(p.out)
	if p.out = p.out[:0]; cap(p.out) > keepBytes {
		p.out = nil
	}
	return err
}

// message is what is left of a message; short tells that more was read than
// there is.
type message struct {
	rest  []byte
	short bool
}

// bytes takes n bytes.
func (m *message) bytes(n int) []byte {
	if n < 0 || n > len(m.rest) {
		m.rest, m.short = nil, true
		return nil
	}
	b := m.rest[:n]
	m.rest = m.rest[n:]
	return b
}

// number takes an integer of n bytes, 0 when the message is short.
func (m *message) number(n int) uint64 {
	var b [8]byte
	copy(b[:], m.bytes(n))
	return binary.LittleEndian.Uint64(b[:])
}

// terminated takes text that ends with a zero byte.
func (m *message) terminated() string {
	n := slices.Index(m.rest, 0)
	if n < 0 {
		m.rest, m.short = nil, true
		return ""
	}
	text := string(m.rest[:n])
	m.rest = m.rest[n+1:]
	return text
}

// text takes bytes that begin with their length.
func (m *message) text() []byte {
	n := m.number(1)
	switch n {
	case 0xfc:
		n = m.number(2)
	case 0xfd:
		n = m.number(3)
	case 0xfe:
		n = m.number(8)
	case 0xfb, 0xff:
		m.short = true
	}
	return m.bytes(int(min(n, 1<<40)))
}

// appendLength writes an integer in as few bytes as it needs.
func appendLength(b []byte, n uint64) []byte {
	switch {
	case n < 0xfb:
		return append(b, byte(n))
	case n < 1<<16:
		return append(b, 0xfc, byte(n), byte(n>>8))
	case n < 1<<24:
		return append(b, 0xfd, byte(n), byte(n>>8), byte(n>>16))
	}
	return binary.LittleEndian.AppendUint64(append(b, 0xfe), n)
}

// appendText writes text with its length before it.
func appendText[T string | []byte](b []byte, text T) []byte {
	return append(appendLength(b, uint64(len(text))), text...)
}
