package observe

import (
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// LDAP (RFC 4511): binds, simple and by SASL. Everything else is passed over.

const (
	portLDAP          = 389
	portGlobalCatalog = 3268
	// Operations, application class.
	ldapBind         = 0x60
	ldapBound        = 0x61
	ldapSearch       = 0x63
	ldapExtended     = 0x77
	ldapExtendedDone = 0x78
	ldapStartTLS     = "1.3.6.1.4.1.1466.20037"
	// How a client binds.
	ldapSimple       = 0x80
	ldapSASL         = 0xa3
	ldapSicily       = 0x8a // Windows: NTLM without SASL ([MS-ADTS] section 5.1.1.1.3)
	ldapSicilyAnswer = 0x8b

	ldapSuccess    = 0
	ldapInProgress = 14
	// maxLDAPMessages may come before a bind.
	maxLDAPMessages = 64
	// maxLDAPHead is how much of a message tells what it is.
	maxLDAPHead = 16
)

// ldapResults are the names of result codes (RFC 4511 section 4.1.9).
var ldapResults = map[int64]string{1: "operationsError", 2: "protocolError", 3: "timeLimitExceeded", 7: "authMethodNotSupported",
	8: "strongerAuthRequired", 10: "referral", 13: "confidentialityRequired", 32: "noSuchObject", 34: "invalidDNSyntax",
	48: "inappropriateAuthentication", 49: "invalidCredentials", 50: "insufficientAccessRights", 51: "busy", 52: "unavailable", 53: "unwillingToPerform", 80: "other"}

// ldapOperation is the tag of a message's operation, 0 if there is none, and the length
// of the message; undecided if too little of it is there.
func ldapOperation(b []byte) (op byte, n int64, ok bool) {
	if len(b) < 2 {
		return 0, 0, false
	}
	if b[0] != berSequence || b[1] == 0x80 {
		return 0, 1, true
	}
	head, size := 2, int64(b[1])
	if b[1]&0x80 != 0 {
		k := int(b[1] & 0x7f)
		if k > 4 {
			return 0, 1, true
		}
		if len(b) < 2+k {
			return 0, 0, false
		}
		size = 0
		for _, c := range b[2 : 2+k] {
			size = size<<8 | int64(c)
		}
		head += k
	}
	if len(b) < min(head+7, maxLDAPHead) {
		return 0, 0, false
	}
	id := int(b[head+1])
	if b[head] != berInteger || id > 4 || size < 5 || head+2+id >= len(b) {
		return 0, 1, true
	}
	return b[head+2+id], int64(head) + size, true
}

// beginsLDAP recognises a bind; at LDAP's ports what else may come first.
func (p *Peers) beginsLDAP(b []byte) kind {
	op, _, ok := ldapOperation(b)
	switch {
	case !ok:
		return undecided
	case op == ldapBind || op == ldapBound, (op == ldapSearch || op == ldapExtended) && (p.ServerPort == portLDAP || p.ServerPort == portGlobalCatalog):
		return ldapMessage
	}
	return unknown
}

type ldapReader struct {
	Of   Peers
	Row  tables.Login // of a bind, unless GSS has one
	SASL sasl
	GSS  logon
	Left [2]int64 // bytes of a message that is passed over
	Read int      // messages
	TLS  bool     // the client asked for it
	Done bool
	Open bool
}

func (r *ldapReader) over() bool  { return r.Done }
func (r *ldapReader) opens() bool { return r.Open }
func (r *ldapReader) holds() int  { return 1024 }

func (r *ldapReader) end(o *Observer) {
	r.Done = true
	r.settle(o, tables.LoginUnknown, "")
}

func (r *ldapReader) settle(o *Observer, outcome, err string) {
	shown := r.GSS.Shown
	r.GSS.settle(o, outcome, err)
	// A bind that says nothing of who it is is one if it is refused.
	if r.Row.Protocol != "" && !shown && (r.named() || outcome == tables.LoginFailed) {
		r.Row.Outcome, r.Row.Error = outcome, err
		o.writeLogin(&r.Row)
	}
	r.Row, r.SASL = tables.Login{}, sasl{}
}

// named tells that the bind is one of somebody.
func (r *ldapReader) named() bool { return r.Row.Username != "" || r.Row.Cleartext.Set }

// lack: what is lost is a part of what is passed over, or the end.
func (r *ldapReader) lack(o *Observer, side int, rest []byte, n int) {
	if r.Left[side] -= int64(n); r.Left[side] < 0 && !r.Done {
		r.end(o)
	}
}

func (r *ldapReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	for rest := b; len(rest) > 0 && !r.Done; rest = b[used:] {
		if r.Left[side] > 0 {
			n := min(r.Left[side], int64(len(rest)))
			r.Left[side] -= n
			used += int(n)
			continue
		}
		op, n, ok := ldapOperation(rest)
		switch {
		case !ok:
			return used
		case op == 0, r.Read >= maxLDAPMessages:
			r.end(o)
		case op != ldapBind && op != ldapBound && op != ldapExtended && op != ldapExtendedDone || n > maxRest:
			r.Read++
			r.Left[side] = n
		case n > int64(len(rest)):
			return used
		default:
			r.Read++
			used += int(n)
			r.message(o, side, op, rest[:n], from)
		}
	}
	return len(b)
}

func (r *ldapReader) message(o *Observer, side int, op byte, b ber, from *Origin) {
	m := b.at(berSequence).at(op)
	switch {
	case op == ldapBind && side == 0:
		m.next() // version
		_, name, _ := m.next()
		how, what, _ := m.next()
		switch how {
		case ldapSimple:
			r.settle(o, tables.LoginUnknown, "")
			r.Row = newLogin(&r.Of, from, tables.LoginLDAP)
			if len(name) > 0 || len(what) > 0 { // else nobody logs in
				r.Row.Username, r.Row.Cleartext = plainText(name, maxUser), tables.Some(len(what) > 0)
			}
		case ldapSASL:
			_, text, _ := what.next()
			mechanism := strings.ToUpper(plainText(text, maxWord))
			if r.Row.Protocol != tables.LoginLDAPSASL || r.SASL.Mechanism != mechanism { // else it goes on
				r.settle(o, tables.LoginUnknown, "")
				r.Row, r.SASL = newLogin(&r.Of, from, tables.LoginLDAPSASL), sasl{Mechanism: mechanism}
				r.Row.Username = plainText(name, maxUser)
			}
			if _, token, ok := what.next(); ok {
				if user, clear := r.SASL.response(token); user != "" {
					r.Row.Username, r.Row.Cleartext = user, tables.Some(clear)
				}
				if r.SASL.ofGSS() {
					r.GSS.token(o, &r.Of, 0, token, from)
				}
			}
		case ldapSicily, ldapSicilyAnswer:
			r.GSS.token(o, &r.Of, 0, what, from)
		}
	case op == ldapBound && side == 1:
		_, code, _ := m.next()
		_, matched, _ := m.next()
		if r.SASL.Mechanism == "" || r.SASL.ofGSS() {
			r.GSS.token(o, &r.Of, 1, matched, from)
			r.GSS.token(o, &r.Of, 1, m.at(0x87), from)
		}
		switch n := code.number(); n {
		case ldapInProgress:
		case ldapSuccess:
			if r.GSS.Row.Protocol != "" && !r.GSS.Shown { // the answer to a challenge is still to come
				return
			}
			r.Done = r.GSS.Shown || r.named()
			r.settle(o, tables.LoginSucceeded, "")
		default:
			name := ldapResults[n]
			if name == "" {
				name = strconv.FormatInt(n, 10)
			}
			r.settle(o, tables.LoginFailed, name)
		}
	case op == ldapExtended && side == 0:
		r.TLS = string(m.at(0x80)) == ldapStartTLS
	case op == ldapExtendedDone && side == 1 && r.TLS:
		if _, code, _ := m.next(); code.number() == ldapSuccess {
			r.Open = true
			r.end(o)
		}
		r.TLS = false
	}
}
