package observe

import (
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Telnet (RFC 854): prompts are told by how they end, and what is typed after them is read as
// a terminal has it.

const (
	telnetIAC = 255
	telnetSE  = 240
	telnetSB  = 250 // from here to SE is about an option; from here on, IAC aside, a byte follows

	// maxTyped and maxShown are how much of a line, and of what the server says, is kept;
	// maxTelnet how much is read.
	maxTyped  = 256
	maxShown  = 512
	maxTelnet = 64 << 10
)

type telnetReader struct {
	Of      Peers
	Row     tables.Login
	Typed   []byte
	Shown   []byte // the last the server said, lower case
	Command [2]telnetCommand
	Wants   byte // u or p: what the server asked for
	Sent    bool // a password
	Read    int
	Done    bool
}

// telnetCommand is where in a command a direction is.
type telnetCommand byte

const (
	noCommand telnetCommand = iota
	inCommand
	inOption
	inNegotiation
	inNegotiationCommand
)

func (r *telnetReader) over() bool  { return r.Done }
func (r *telnetReader) opens() bool { return false }
func (r *telnetReader) holds() int  { return 1024 + cap(r.Typed) + cap(r.Shown) }

func (r *telnetReader) end(o *Observer) {
	r.Done = true
	r.settle(o, tables.LoginUnknown)
}

func (r *telnetReader) settle(o *Observer, outcome string) {
	if r.Row.Protocol != "" {
		r.Row.Outcome = outcome
		o.writeLogin(&r.Row)
	}
	r.Row, r.Sent, r.Wants = tables.Login{}, false, 0
}

func (r *telnetReader) lack(o *Observer, side int, rest []byte, n int) { r.Command[side] = noCommand }

// beginsTelnet recognises the negotiation of options.
func beginsTelnet(b []byte) kind {
	switch {
	case len(b) < 3 && (len(b) < 2 || b[1] > telnetSB && b[1] < telnetIAC):
		return undecided
	case len(b) >= 3 && b[1] > telnetSB && b[1] < telnetIAC && b[2] < 64:
		return telnetSession
	}
	return unknown
}

func (r *telnetReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	if r.Read += len(b); r.Read > maxTelnet {
		r.end(o)
		return len(b)
	}
	for _, c := range b {
		if !r.text(side, c) || r.Done {
			continue
		}
		switch {
		case side == 1:
			if r.Shown = append(r.Shown, tables.FoldCase(string(c))[0]); len(r.Shown) > maxShown {
				r.Shown = r.Shown[:copy(r.Shown, r.Shown[maxShown/2:])]
			}
		case c == '\r' || c == '\n':
			r.line(o, from)
		case c == 8 || c == 127:
			r.Typed = r.Typed[:max(len(r.Typed)-1, 0)]
		case c != 0 && len(r.Typed) < maxTyped:
			r.Typed = append(r.Typed, c)
		}
	}
	if side == 1 && !r.Done {
		r.shown(o)
	}
	return len(b)
}

// text tells whether a byte is one, and none of a command.
func (r *telnetReader) text(side int, c byte) bool {
	switch s := &r.Command[side]; *s {
	case inCommand:
		switch *s = noCommand; {
		case c == telnetSB:
			*s = inNegotiation
		case c > telnetSB && c < telnetIAC:
			*s = inOption
		case c == telnetIAC:
			return true
		}
	case inOption:
		*s = noCommand
	case inNegotiation:
		if c == telnetIAC {
			*s = inNegotiationCommand
		}
	case inNegotiationCommand:
		if *s = inNegotiation; c == telnetSE {
			*s = noCommand
		}
	default:
		if c != telnetIAC {
			return true
		}
		*s = inCommand
	}
	return false
}

// line is the end of one that was typed. Passwords are dropped here.
func (r *telnetReader) line(o *Observer, from *Origin) {
	switch {
	case r.Wants == 'u' && len(r.Typed) > 0:
		r.settle(o, tables.LoginUnknown)
		r.Row = newLogin(&r.Of, from, tables.LoginTelnet)
		r.Row.Username = plainText(r.Typed, maxUser)
		r.Wants, r.Shown = 0, nil
	case r.Wants == 'p':
		if r.Row.Protocol == "" {
			r.Row = newLogin(&r.Of, from, tables.LoginTelnet)
		}
		r.Row.Cleartext, r.Sent = tables.Some(true), true
		r.Wants, r.Shown = 0, nil
	}
	r.Typed = r.Typed[:0]
}

// shown reads what the server said last.
func (r *telnetReader) shown(o *Observer) {
	text := string(r.Shown)
	end := strings.TrimRight(text, " \x00")
	ends := func(words ...string) bool {
		for _, w := range words {
			if strings.HasSuffix(end, w) {
				return true
			}
		}
		return false
	}
	if r.Sent {
		refused := false
		for _, word := range []string{"incorrect", "fail", "denied", "invalid", "bad password", "% bad"} {
			refused = refused || strings.Contains(text, word)
		}
		last := strings.Contains(text, "last login")
		switch {
		case refused, ends("login:", "username:") && !last:
			r.settle(o, tables.LoginFailed)
		case last, ends("$", "#", ">", "%"):
			r.settle(o, tables.LoginSucceeded)
			r.Done = true
			return
		}
	}
	switch {
	case ends("last login:"):
	case ends("login:", "username:", "user name:", "user:"):
		r.Wants = 'u'
	case ends("password:"):
		r.Wants = 'p'
	}
}
