package observe

import (
	"bytes"
	"encoding/binary"

	"github.com/wiresql/wiresql/tables"
)

// RDP's greeting ([MS-RDPBCGR] sections 2.2.1.1 to 2.2.1.3): who the client says it is,
// before TLS begins, if it does.

const (
	portRDP = 3389
	// Kinds of X.224 messages (ISO 8073 section 13).
	x224Request = 0xe0
	x224Confirm = 0xd0
	x224Data    = 0xf0
	// Kinds of negotiation.
	rdpAsks    = 1
	rdpAnswers = 2
	rdpRefuses = 3
	// rdpClientCore is the block of a client's settings that has its name.
	rdpClientCore = 0xc001
)

// rdpRefusals are RDP_NEG_FAILURE's codes ([MS-RDPBCGR] section 2.2.1.2.2).
var rdpRefusals = []string{"", "SSL_REQUIRED_BY_SERVER", "SSL_NOT_ALLOWED_BY_SERVER", "SSL_CERT_NOT_ON_SERVER", "INCONSISTENT_FLAGS",
	"HYBRID_REQUIRED_BY_SERVER", "SSL_WITH_USER_AUTH_REQUIRED_BY_SERVER"}

// beginsRDP recognises a connection request or its confirmation behind TPKT (RFC 1006),
// which other protocols have too: it must be at RDP's port, or speak of what is RDP's.
func (p *Peers) beginsRDP(b []byte) kind {
	switch {
	case len(b) > 1 && b[1] != 0:
		return unknown
	case len(b) < 11:
		return undecided
	case b[5] != x224Request && b[5] != x224Confirm:
		return unknown
	case p.ServerPort == portRDP:
		return rdpGreeting
	}
	const cookie = "Cookie: mst"
	switch rest, n := b[11:], int(binary.BigEndian.Uint16(b[2:]))-11; {
	case n < 8, !begins(rest, cookie) && (n != 8 || len(rest) > 0 && rest[0] > rdpRefuses):
		return unknown
	case len(rest) < min(n, len(cookie)):
		return undecided
	case n == 8 && (rest[2] != 8 || rest[3] != 0):
		return unknown
	}
	return rdpGreeting
}

type rdpReader struct {
	Of   Peers
	Row  tables.Login
	Done bool
	Open bool // TLS follows
}

func (r *rdpReader) over() bool  { return r.Done }
func (r *rdpReader) opens() bool { return r.Open }
func (r *rdpReader) holds() int  { return 512 }

func (r *rdpReader) end(o *Observer) {
	if r.Done = true; r.Row.Protocol != "" {
		o.writeLogin(&r.Row)
	}
}

func (r *rdpReader) lack(o *Observer, side int, rest []byte, n int) {
	if !r.Done {
		r.end(o)
	}
}

func (r *rdpReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	if r.Row.Protocol == "" {
		r.Row = newLogin(&r.Of, from, tables.LoginRDP)
	}
	for rest := b; !r.Done; rest = b[used:] {
		if len(rest) < 7 {
			return used
		}
		n := int(binary.BigEndian.Uint16(rest[2:]))
		if rest[0] != 3 || n < 7 {
			r.end(o)
			break
		}
		if n > len(rest) {
			return used
		}
		used += n
		r.message(o, side, rest[4:n], from)
	}
	return len(b)
}

// message reads what is behind TPKT.
func (r *rdpReader) message(o *Observer, side int, b []byte, from *Origin) {
	switch {
	case b[1] == x224Request && side == 0 && len(b) >= 7:
		if after, ok := bytes.CutPrefix(b[7:], []byte("Cookie: mstshash=")); ok {
			name, _, _ := cutLine(after)
			r.Row.Username = plainText(name, maxUser)
		}
	case b[1] == x224Confirm && side == 1 && len(b) >= 15:
		switch code := binary.LittleEndian.Uint32(b[11:]); b[7] {
		case rdpAnswers:
			if code != 0 { // not RDP's own encryption
				r.Open = true
				r.end(o)
			}
		case rdpRefuses:
			if code < uint32(len(rdpRefusals)) {
				r.Row.Error = rdpRefusals[code]
			}
			r.end(o)
		}
	case b[1] == x224Data && side == 0:
		r.Row.Workstation = rdpClientName(b)
		o.learnName(&r.Of, 0, r.Row.Workstation, tables.SourceRDP, from)
		r.end(o)
	}
}

// rdpClientName finds the client's name in its settings, which stand in user data of T.124
// under a key (section 2.2.1.3).
func rdpClientName(b []byte) string {
	_, data, ok := bytes.Cut(b, []byte("Duca"))
	if !ok || len(data) < 2 {
		return ""
	}
	if data[0]&0x80 != 0 { // a length of two bytes (X.691 section 11.9)
		data = data[1:]
	}
	for data = data[1:]; len(data) >= 4; {
		kind, n := binary.LittleEndian.Uint16(data), int(binary.LittleEndian.Uint16(data[2:]))
		if n < 4 || n > len(data) {
			return ""
		}
		if kind == rdpClientCore && n >= 56 {
			name := utf16Text(data[24:56])
			for i, c := range name {
				if c == 0 {
					return machineName(name[:i])
				}
			}
			return machineName(name)
		}
		data = data[n:]
	}
	return ""
}
