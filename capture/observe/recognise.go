package observe

import "strings"

// kind is what bytes at the start of a direction, or of a packet, are.
type kind uint8

const (
	unknown   kind = iota
	tlsAfter       // a TLS handshake after its hello
	undecided      // too few to tell
	tlsHello
	httpMessage
	dnsOverTCP
	kerberosOverTCP
	sshBanner
	rdpGreeting
	ldapMessage
	textLogin
	telnetSession
	smbMessage
	rpcFragment
	http2Begins
	oncCalls
)

// service is the word for it in the column service.
func (k kind) service() string {
	return [...]string{tlsAfter: "tls", tlsHello: "tls", httpMessage: "http", dnsOverTCP: "domain", kerberosOverTCP: "kerberos",
		sshBanner: "ssh", rdpGreeting: "ms-wbt-server", ldapMessage: "ldap", textLogin: "", telnetSession: "telnet", smbMessage: "smb", rpcFragment: "dcerpc", http2Begins: "http", oncCalls: serviceNFS}[k]
}

// recognise tells by the first bytes. DNS and Kerberos over TCP look like much: they
// must be at their ports.
func (p *Peers) recognise(b []byte) kind {
	switch p.ServerPort {
	case portDNS:
		return beginsDNS(b)
	case portKerberos:
		return beginsKerberos(b)
	}
	if len(b) > 0 {
		switch b[0] {
		case 3:
			return p.beginsRDP(b)
		case berSequence:
			return p.beginsLDAP(b)
		case '2', '+', '*':
			return p.beginsText(b)
		case telnetIAC:
			return beginsTelnet(b)
		}
	}
	return recognise(b)
}

func recognise(b []byte) kind {
	switch {
	case len(b) == 0:
		return undecided
	case b[0] == handshakeRecord:
		switch { // a record of SSL 3.0 to TLS 1.3
		case len(b) > 1 && b[1] != 3 || len(b) > 2 && b[2] > 4:
			return unknown
		case len(b) < 6:
			return undecided
		case b[5] == clientHello || b[5] == serverHello:
			return tlsHello
		case b[5] <= 24:
			return tlsAfter
		}
		return unknown
	case b[0] == 5:
		return beginsRPC(b)
	case b[0] == 0x80:
		return beginsONC(b)
	case b[0] == nbssMessage || b[0] == nbssRequest:
		return beginsSMB(b)
	case begins(b, "SSH-"):
		if len(b) < 4 {
			return undecided
		}
		return sshBanner
	case begins(b, "HTTP/1."):
		if len(b) < len("HTTP/1.") {
			return undecided
		}
		return httpMessage
	case begins(b, http2Preface):
		if len(b) < len("PRI *") {
			return undecided
		}
		return http2Begins
	}
	return isRequest(b)
}

// begins tells whether b begins with text, or text with b.
func begins(b []byte, text string) bool {
	n := min(len(b), len(text))
	return string(b[:n]) == text[:n]
}

// methods are those of RFC 9110, RFC 5789, WebDAV and UPnP, of RPC over HTTP and BITS.
var methods = strings.Fields(`GET POST HEAD PUT DELETE OPTIONS PATCH TRACE CONNECT PROPFIND PROPPATCH MKCOL COPY MOVE
	LOCK UNLOCK REPORT SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE M-SEARCH RPC_IN_DATA RPC_OUT_DATA BITS_POST CCM_POST
	BIND UNBIND REBIND ACL CHECKOUT CHECKIN UNCHECKOUT MERGE MKACTIVITY BASELINE-CONTROL VERSION-CONTROL LABEL UPDATE
	POLL BMOVE BCOPY BDELETE BPROPFIND BPROPPATCH PURGE MKWORKSPACE ORDERPATCH`)

// isRequest recognises an HTTP/1 request by its method.
func isRequest(b []byte) kind {
	if b[0] < 'A' || b[0] > 'V' {
		return unknown
	}
	for _, m := range methods {
		if begins(b, m) {
			switch {
			case len(b) <= len(m):
				return undecided
			case b[len(m)] == ' ':
				return httpMessage
			}
		}
	}
	return unknown
}

// begin has the bytes of a direction that come first read, if they are known.
func (o *Observer) begin(s *stream, b []byte) reader {
	kind := s.of.recognise(b)
	switch kind {
	case dnsOverTCP:
		s.reader = &dnsReader{Of: s.of}
	case kerberosOverTCP:
		s.reader = &kerberosReader{Of: s.of}
	case sshBanner:
		s.reader = &sshReader{Of: s.of}
	case rdpGreeting:
		s.reader = &rdpReader{Of: s.of}
	case ldapMessage:
		s.reader = &ldapReader{Of: s.of}
	case textLogin:
		s.reader = &textReader{Of: s.of}
	case telnetSession:
		s.reader = &telnetReader{Of: s.of}
	case smbMessage:
		s.reader = newSMBReader(&s.of)
	case rpcFragment:
		s.reader = &rpcReader{Of: s.of}
	case oncCalls:
		s.reader = &nfsReader{Of: s.of}
	case tlsHello:
		s.reader = newTLSReader(&s.of)
	case httpMessage: // its service is told by a request
		s.reader = &httpReader{Of: s.of}
		return s.reader
	case http2Begins:
		s.reader = &http2Reader{Of: s.of}
		return s.reader
	}
	if s.reader != nil {
		o.finding.Service, o.finding.Encrypted = kind.service(), kind == tlsHello || kind == sshBanner
	}
	return s.reader
}

// bytesReader takes a message apart; once it runs out, ok is false and everything
// it returns is empty.
type bytesReader struct {
	b  []byte
	ok bool
}

func (r *bytesReader) take(n int) []byte {
	if !r.ok || n > len(r.b) {
		r.ok = false
		return nil
	}
	v := r.b[:n]
	r.b = r.b[n:]
	return v
}

func (r *bytesReader) number(size int) (v uint32) {
	for _, c := range r.take(size) {
		v = v<<8 | uint32(c)
	}
	return v
}

// vector takes what a length of so many bytes stands before.
func (r *bytesReader) vector(size int) bytesReader {
	b := r.take(int(r.number(size)))
	return bytesReader{b, r.ok}
}
