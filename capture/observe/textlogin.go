package observe

import (
	"bytes"
	"encoding/base64"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// Logins of protocols that speak in lines: FTP (RFC 959, RFC 4217), POP3 (RFC 1939,
// RFC 5034), IMAP (RFC 9051) and SMTP (RFC 5321, RFC 4954). They are read until somebody
// has logged in, TLS begins, or work does; FTP and SMTP on to their end (see ftpSession and
// mailSession).

const (
	// maxTextLine is how long a line may be, maxTextLines how many are read.
	maxTextLine  = 8192
	maxTextLines = 200
)

// beginsText recognises how servers greet. FTP and SMTP have the same numbers, and are told
// apart by the port or by what the greeting says.
func (p *Peers) beginsText(b []byte) kind {
	for _, greeting := range []string{"220 ", "220-", "+OK", "* OK"} {
		if begins(b, greeting) {
			if len(b) < len(greeting) || !bytes.Contains(b, []byte{'\n'}) && len(b) < maxTextLine {
				return undecided
			}
			if p.textProtocol(b) != "" {
				return textLogin
			}
			return unknown
		}
	}
	return unknown
}

// textProtocol is the protocol of a greeting, or "".
func (p *Peers) textProtocol(b []byte) string {
	line, _, _ := cutLine(b)
	upper := bytes.ToUpper(line)
	switch {
	case line == nil:
		return ""
	case line[0] == '+':
		return tables.LoginPOP3
	case line[0] == '*':
		return tables.LoginIMAP
	case p.ServerPort == 21:
		return tables.LoginFTP
	case p.ServerPort == 25, p.ServerPort == 587:
		return tables.LoginSMTP
	}
	// A server of mail gives its name first, which may have either.
	_, upper, _ = bytes.Cut(upper, []byte{' '})
	switch {
	case bytes.Contains(upper, []byte("ESMTP")), bytes.Contains(upper, []byte(" SMTP")), bytes.Contains(upper, []byte("LMTP")):
		return tables.LoginSMTP
	case bytes.Contains(upper, []byte("FTP")):
		return tables.LoginFTP
	case bytes.Contains(upper, []byte("SMTP")):
		return tables.LoginSMTP
	}
	return ""
}

// textReader reads the lines of a conversation that begins with a greeting.
type textReader struct {
	Of       Peers
	Protocol string
	Banner   string
	Row      tables.Login // of the login that is under way, if it has a protocol
	SASL     sasl
	GSS      logon  // of a mechanism of GSS-API
	Tag      string // IMAP: of the command that logs in
	TLS      string // likewise of the one that asks for TLS; elsewhere any word
	User     string // that FTP and POP3 were told
	FTP      *ftpSession
	Mail     *mailSession
	Lines    int
	Done     bool
	Open     bool
}

func (r *textReader) over() bool  { return r.Done }
func (r *textReader) opens() bool { return r.Open }

func (r *textReader) holds() int {
	switch {
	case r.FTP != nil:
		return 2048 + r.FTP.holds()
	case r.Mail != nil:
		return 2048 + r.Mail.holds()
	}
	return 2048
}

func (r *textReader) end(o *Observer) {
	r.Done = true
	r.settle(o, tables.LoginUnknown, "")
	if r.FTP != nil {
		r.FTP.end(o, &r.Of)
	}
	if r.Mail != nil {
		r.Mail.end(o)
	}
}

// lack: which answer is of which command is not known any more; FTP goes on with the next
// line, and mail as its session knows.
func (r *textReader) lack(o *Observer, side int, rest []byte, n int) {
	if r.Done {
		return
	}
	if r.Mail != nil {
		r.settle(o, tables.LoginUnknown, "")
		r.Mail.lack(o, &r.Of, side, len(rest)+n)
		return
	}
	r.end(o)
	if r.FTP != nil {
		r.Done, r.FTP.Lost[side], r.FTP.Dir = false, true, ""
	}
}

func (r *textReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	if r.Protocol == "" {
		if side == 0 {
			return len(b)
		}
		switch r.Protocol = r.Of.textProtocol(b); r.Protocol {
		case tables.LoginFTP:
			o.finding.Service, r.FTP = r.Protocol, &ftpSession{}
		case tables.LoginSMTP:
			o.finding.Service, r.Mail = r.Protocol, &mailSession{}
		}
	}
	if r.FTP != nil && r.FTP.Lost[side] {
		_, rest, ok := cutLine(b)
		if !ok {
			return len(b)
		}
		r.FTP.Lost[side] = false
		return len(b) - len(rest) + r.read(o, side, rest, from)
	}
	for rest := b; !r.Done; rest = b[used:] {
		if side == 0 && r.Mail != nil && r.Mail.In != inCommands {
			if len(rest) == 0 {
				return used
			}
			used += r.Mail.content(o, &r.Of, rest, from)
			continue
		}
		line, after, ok := cutLine(rest)
		if !ok && len(rest) <= maxTextLine {
			return used
		}
		if r.Lines++; !ok || r.Lines > maxTextLines && r.FTP == nil && r.Mail == nil {
			r.end(o)
			break
		}
		used = len(b) - len(after)
		switch {
		case side == 1:
			r.answer(o, line, from)
		case r.SASL.Mechanism != "":
			r.respond(o, line, from)
		default:
			r.command(o, line, from)
		}
	}
	return len(b)
}

// try begins a row.
func (r *textReader) try(o *Observer, user string, from *Origin) {
	r.settle(o, tables.LoginUnknown, "")
	r.Row = newLogin(&r.Of, from, r.Protocol)
	r.Row.Username, r.Row.ServerSoftware = cutText(user, maxUser), r.Banner
}

// clear notes that a password passed.
func (r *textReader) clear() { r.Row.Cleartext = tables.Some(true) }

func (r *textReader) settle(o *Observer, outcome, err string) {
	if r.GSS.Shown {
		r.Row = tables.Login{}
	}
	r.GSS.settle(o, outcome, err)
	if r.Row.Protocol != "" {
		r.Row.Outcome, r.Row.Error = outcome, err
		o.writeLogin(&r.Row)
	}
	r.Row, r.SASL, r.Tag = tables.Login{}, sasl{}, ""
}

// command reads a line of the client.
func (r *textReader) command(o *Observer, line []byte, from *Origin) {
	if r.Mail != nil {
		r.Mail.command(o, &r.Of, line, from)
	}
	words := bytes.Fields(line)
	if len(words) == 0 {
		return
	}
	if r.FTP != nil {
		r.FTP.command(o, &r.Of, line, from)
	}
	tag := "-"
	if r.Protocol == tables.LoginIMAP {
		if tag, words = string(words[0]), words[1:]; len(words) == 0 || len(tag) > maxWord {
			return
		}
	}
	argument := func(i int) string {
		if i < len(words) {
			return strings.Trim(plainText(words[i], maxUser), `"`)
		}
		return ""
	}
	switch verb := strings.ToUpper(argument(0)); verb {
	case "USER":
		if r.User = strings.TrimSpace(plainText(line[len(words[0]):], maxUser)); r.Protocol == tables.LoginFTP {
			r.try(o, r.User, from)
		}
	case "PASS":
		if r.Row.Protocol == "" {
			r.try(o, r.User, from)
		}
		r.clear()
	case "APOP":
		r.try(o, argument(1), from)
	case "LOGIN":
		if r.Protocol == tables.LoginIMAP {
			r.try(o, argument(1), from)
			r.Tag = tag
			r.clear()
		}
	case "STARTTLS", "STLS":
		r.TLS = tag
	case "AUTH", "AUTHENTICATE":
		mechanism := strings.ToUpper(argument(1))
		if r.Protocol == tables.LoginFTP {
			if mechanism == "TLS" || mechanism == "SSL" || mechanism == "TLS-C" {
				r.TLS = tag
			}
			return
		}
		if mechanism == "" {
			return
		}
		r.try(o, "", from)
		r.Tag, r.SASL = tag, sasl{Mechanism: mechanism}
		if len(words) > 2 {
			r.respond(o, words[2], from)
		}
	case "MAIL", "SELECT", "EXAMINE", "RETR", "LIST":
		if r.Row.Protocol == "" && r.FTP == nil && r.Mail == nil { // work, without a login
			r.end(o)
		}
	}
}

// respond reads what a mechanism has the client say.
func (r *textReader) respond(o *Observer, line []byte, from *Origin) {
	token, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(line)))
	if err != nil {
		return
	}
	if user, clear := r.SASL.response(token); user != "" {
		r.Row.Username = cutText(user, maxUser)
		if clear {
			r.clear()
		}
	} else if clear {
		r.clear()
	}
	if r.SASL.ofGSS() {
		r.GSS.token(o, &r.Of, 0, token, from)
	}
}

// answer reads a line of the server.
func (r *textReader) answer(o *Observer, line []byte, from *Origin) {
	if r.Banner == "" {
		word, text, _ := bytes.Cut(line, []byte{' '})
		if r.Protocol == tables.LoginIMAP {
			text = bytes.TrimPrefix(text, []byte("OK "))
		} else if len(word) > 4 { // 220-, and no blank
			text = line[min(4, len(line)):]
		}
		r.Banner = plainText(text, maxWord)
		return
	}
	word, text, _ := bytes.Cut(line, []byte{' '})
	good, bad, code := false, false, string(word)
	asked := r.TLS != ""
	switch r.Protocol {
	case tables.LoginIMAP:
		if code == "+" {
			r.challenge(o, text, from)
			return
		}
		if code != r.Tag && code != r.TLS {
			return
		}
		asked = code == r.TLS
		status, _, _ := bytes.Cut(text, []byte{' '})
		code = strings.ToUpper(plainText(status, maxWord))
		good, bad = code == "OK", code == "NO" || code == "BAD"
	case tables.LoginPOP3:
		if code == "+" {
			r.challenge(o, text, from)
			return
		}
		good, bad = code == "+OK", code == "-ERR"
		if r.Row.Protocol == "" && !asked {
			return
		}
	default:
		if len(code) != 3 {
			return // one of several lines
		}
		if code == "334" {
			r.challenge(o, text, from)
			return
		}
		good, bad = code == "230" || code == "232" || code == "235" || asked && (code == "220" || code == "234"), code[0] >= '4'
		if r.FTP != nil {
			r.FTP.answer(o, &r.Of, code, text, from)
		}
		if r.Mail != nil {
			r.Mail.answer(o, &r.Of, code, text, from)
		}
	}
	switch {
	case asked && (good || bad):
		if r.TLS = ""; good {
			r.Open = true
			if r.Mail != nil {
				r.Mail.encrypt(o, &r.Of, from)
			}
			r.end(o)
		}
	case r.Row.Protocol == "":
	case good && r.Mail != nil:
		if r.Mail.User = r.Row.Username; r.GSS.Shown {
			r.Mail.User = r.GSS.Row.Username
		}
		r.Mail.User = tables.FoldCase(r.Mail.User)
		r.settle(o, tables.LoginSucceeded, "")
	case good:
		r.settle(o, tables.LoginSucceeded, "")
		if r.FTP != nil {
			r.FTP.User = r.User
			return
		}
		r.end(o)
	case bad:
		if code == "-ERR" || code == "NO" || code == "BAD" {
			code = strings.TrimPrefix(code, "-")
		}
		r.settle(o, tables.LoginFailed, code)
	}
}

// challenge reads what a mechanism has the server say.
func (r *textReader) challenge(o *Observer, text []byte, from *Origin) {
	if token, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text))); err == nil && r.SASL.ofGSS() {
		r.GSS.token(o, &r.Of, 1, token, from)
	}
}

// sasl is a mechanism (RFC 4422) that is under way.
type sasl struct {
	Mechanism string
	Responses int
}

// ofGSS tells that its tokens are those of GSS-API, or NTLM's: others may look like one.
func (s *sasl) ofGSS() bool {
	return s.Mechanism == "NTLM" || strings.HasPrefix(s.Mechanism, "GS") // GSSAPI, GSS-SPNEGO, GS2-KRB5
}

// scramName are the characters that a name cannot hold.
var scramName = strings.NewReplacer("=2C", ",", "=3D", "=")

// response reads one of the client's: who logs in, and whether the password was in it.
func (s *sasl) response(token []byte) (user string, clear bool) {
	s.Responses++
	switch s.Mechanism {
	case "PLAIN": // RFC 4616: for whom, who, password
		if parts := bytes.Split(token, []byte{0}); len(parts) == 3 {
			return plainText(parts[1], maxUser), true
		}
	case "LOGIN":
		if s.Responses == 1 {
			return plainText(token, maxUser), false
		}
		return "", s.Responses == 2
	case "CRAM-MD5": // RFC 2195: who, and a hash
		user, _, _ := bytes.Cut(token, []byte{' '})
		return plainText(user, maxUser), false
	case "DIGEST-MD5": // RFC 2831: username="…",realm="…"
		if _, rest, ok := bytes.Cut(token, []byte(`username="`)); ok {
			user, _, _ := bytes.Cut(rest, []byte{'"'})
			return plainText(user, maxUser), false
		}
	case "SCRAM-SHA-1", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512", "SCRAM-SHA-512-PLUS": // RFC 5802: n,,n=…,r=…
		if parts := bytes.SplitN(token, []byte{','}, 4); s.Responses == 1 && len(parts) == 4 {
			if name, ok := bytes.CutPrefix(parts[2], []byte("n=")); ok {
				return scramName.Replace(plainText(name, maxUser)), false
			}
		}
	}
	return "", false
}
