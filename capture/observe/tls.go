package observe

import (
	"encoding/binary"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// TLS (RFC 8446, RFC 5246) as far as it is in clear: the hellos and, before
// TLS 1.3, the server's certificate.

// Records, and messages of handshakes.
const (
	changeCipherRecord = 20
	alertRecord        = 21
	handshakeRecord    = 22
	applicationRecord  = 23

	clientHello     = 1
	serverHello     = 2
	certificates    = 11
	serverHelloDone = 14

	// maxRecord is a record's length at most, with what encryption may add.
	maxRecord = 1<<14 + 2048
	// maxHandshake is how long a message may be to be read.
	maxHandshake = 64 << 10
)

// tlsReader reads a handshake.
type tlsReader struct {
	Row     tables.TLS
	Hello   [2]bool
	Part    [2][]byte // of a message that is not whole
	Blind   bool      // what the client sends can't be read any more
	Retry   bool      // the client says hello again
	Written bool
}

func newTLSReader(of *Peers) *tlsReader {
	return &tlsReader{Row: tables.TLS{Sensor: of.Sensor, Site: of.Site, Client: of.Client, ClientPort: int32(of.ClientPort),
		Server: of.Server, ServerPort: int32(of.ServerPort), Protocol: tables.ProtocolTCP, ConnID: of.Conn}}
}

func (r *tlsReader) over() bool  { return r.Written }
func (r *tlsReader) opens() bool { return false }

func (r *tlsReader) holds() int { return len(r.Part[0]) + len(r.Part[1]) + len(r.Row.SAN) + 512 }

func (r *tlsReader) end(o *Observer) {
	if !r.Written {
		r.Written = true
		if r.Hello[0] || r.Hello[1] {
			o.write(&r.Row)
		}
	}
}

func (r *tlsReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	for !r.Written {
		if r.Blind && side == 0 {
			return len(b)
		}
		if r.Row.TS == 0 && r.Row.FlowID == 0 {
			r.Row.TS, r.Row.FlowID = tables.TimeOf(from.TS), from.FlowID
			r.Row.PacketID = tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}
		}
		rest := b[used:]
		if len(rest) < 5 {
			return used
		}
		n := int(binary.BigEndian.Uint16(rest[3:]))
		if rest[1] != 3 || n > maxRecord {
			r.broken(o, side)
			break
		}
		if len(rest) < 5+n {
			return used
		}
		used += 5 + n
		r.record(o, side, rest[0], rest[5:5+n])
	}
	return len(b)
}

// broken gives up a direction.
func (r *tlsReader) broken(o *Observer, side int) {
	if side == 1 {
		r.end(o)
		return
	}
	r.Blind, r.Part[0] = true, nil
}

func (r *tlsReader) record(o *Observer, side int, kind byte, b []byte) {
	switch kind {
	case handshakeRecord:
		r.handshake(o, side, b)
	case changeCipherRecord:
		// Of a server that sends no certificate it is the end, unless TLS 1.3
		// sends it so that it looks like TLS 1.2.
		if side == 1 && !r.Retry {
			r.Row.Resumed = tables.Some(r.Hello[1] && r.Row.CertSHA256 == "" && !anonymous(r.Row.Cipher))
			r.end(o)
		}
	case alertRecord:
		if len(b) == 2 && b[0] == 2 { // fatal
			r.end(o)
		}
	case applicationRecord:
		if side == 1 {
			r.end(o)
		}
	default:
		r.broken(o, side)
	}
}

// handshake reads bytes of messages.
func (r *tlsReader) handshake(o *Observer, side int, b []byte) {
	if side == 0 && r.Blind {
		return
	}
	if len(r.Part[side]) > 0 {
		b = append(r.Part[side], b...)
	}
	for len(b) >= 4 && !r.Written {
		n := 4 + (int(b[1])<<16 | int(binary.BigEndian.Uint16(b[2:])))
		if n > maxHandshake {
			o.stats.Malformed++
			r.broken(o, side)
			return
		}
		if n > len(b) {
			break
		}
		r.message(o, side, b[0], b[4:n])
		b = b[n:]
	}
	r.Part[side] = append([]byte(nil), b...)
}

func (r *tlsReader) message(o *Observer, side int, kind byte, b []byte) {
	switch {
	case kind == clientHello && side == 0 && !r.Hello[0]:
		h := readHello(b, true)
		if r.client(o, &h); h.whole {
			over := byte('t')
			if r.Row.Protocol == tables.ProtocolUDP {
				over = 'q'
			}
			r.Row.JA3, r.Row.JA4 = h.ja3(), h.ja4(over)
		}
	case kind == serverHello && side == 1 && !r.Hello[1]:
		h := readHello(b, false)
		if r.Retry = h.retry; r.Retry || len(h.ciphers) == 0 {
			return
		}
		r.server(&h)
		if h.chosen() >= 0x304 {
			r.Row.Resumed = tables.Some(h.preShared)
			r.end(o) // the rest is encrypted
		}
	case kind == certificates && side == 1:
		list := bytesReader{b, true}
		all := list.vector(3)
		if first := all.vector(3); first.ok && len(first.b) > 0 {
			o.certificate(first.b, &r.Row)
		}
	case kind == serverHelloDone && side == 1:
		r.Row.Resumed = tables.Some(false)
		r.end(o)
	}
}

// client notes what a ClientHello says.
func (r *tlsReader) client(o *Observer, h *helloMessage) {
	r.Hello[0] = true
	r.Row.ServerName = h.name
	if r.Row.ALPN == "" {
		r.Row.ALPN = joined(h.alpn)
	}
	o.finding.ServerName, o.finding.FromTLS = h.name, h.name != ""
	if slices.ContainsFunc(h.alpn, func(s string) bool { return s == "h2" || strings.HasPrefix(s, "http/") }) {
		o.finding.Service = "https"
	}
}

// server notes what a ServerHello says.
func (r *tlsReader) server(h *helloMessage) {
	r.Hello[1] = true
	r.Row.Version, r.Row.Cipher = versionName(h.chosen()), cipherName(h.ciphers[0])
	if len(h.alpn) > 0 {
		r.Row.ALPN = joined(h.alpn)
	}
	r.Row.JA3S = h.ja3s()
}

// lack: of a hello that is not whole, what is there is read.
func (r *tlsReader) lack(o *Observer, side int, rest []byte, n int) {
	if r.Written {
		return
	}
	if side == 0 && !r.Hello[0] {
		if part := partOf(r.Part[0], rest); len(part) > 4 && part[0] == clientHello {
			h := readHello(part[4:], true)
			r.client(o, &h)
		}
	}
	r.broken(o, side)
}

// partOf joins what is there of a message.
func partOf(part, rest []byte) []byte {
	if len(rest) > 5 && rest[0] == handshakeRecord {
		part = append(append([]byte(nil), part...), rest[5:]...)
	}
	return part
}
