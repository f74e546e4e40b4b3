package observe

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

func loginText(list []tables.Login) string {
	var b strings.Builder
	for _, r := range list {
		fmt.Fprintf(&b, "%s %s|%s|%s|%s|%s %s %s", r.Protocol, r.Username, r.Domain, r.Workstation, r.ServerName, r.Service, r.Outcome, r.Error)
		if r.Cleartext.V {
			b.WriteString(" clear")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// dialogue is what two ends say in turn, a line each: C: or S: before it.
func dialogue(text string) (parts []said) {
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		who, what, _ := strings.Cut(strings.Trim(line, "\t"), ":")
		parts = append(parts, said{fromClient: who == "C", text: strings.TrimPrefix(what, " ") + "\r\n"})
	}
	return parts
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// tlv is a value of BER with a length of one byte, as most write it, or of five, as
// Windows does.
func tlv(tag byte, long bool, parts ...string) string {
	s := strings.Join(parts, "")
	if long {
		return string([]byte{tag, 0x84, 0, 0, byte(len(s) >> 8), byte(len(s))}) + s
	}
	if len(s) > 127 {
		return string([]byte{tag, 0x82, byte(len(s) >> 8), byte(len(s))}) + s
	}
	return string([]byte{tag, byte(len(s))}) + s
}

// spnego wraps a token as RFC 4178 has it: the first, or an answer.
func spnego(first bool, token string) string {
	if first {
		return tlv(0x60, false, "\x06\x06\x2b\x06\x01\x05\x05\x02", tlv(0xa0, false, tlv(0x30, false,
			tlv(0xa0, false, tlv(0x30, false, "\x06\x0a\x2b\x06\x01\x04\x01\x82\x37\x02\x02\x0a")), tlv(0xa2, false, tlv(4, false, token)))))
	}
	return tlv(0xa1, false, tlv(0x30, false, tlv(0xa0, false, "\x0a\x01\x01"), tlv(0xa2, false, tlv(4, false, token))))
}

// ntlmLogin is an AUTHENTICATE_MESSAGE with an answer of NTLMv2 ([MS-NLMP] section 2.2.2.8).
func ntlmLogin(domain, user, workstation, target string) string {
	b := append([]byte("NTLMSSP\x00\x03\x00\x00\x00"), make([]byte, 52)...)
	binary.LittleEndian.PutUint32(b[60:], ntlmUnicode)
	put := func(at int, value []byte) {
		binary.LittleEndian.PutUint16(b[at:], uint16(len(value)))
		binary.LittleEndian.PutUint16(b[at+2:], uint16(len(value)))
		binary.LittleEndian.PutUint32(b[at+4:], uint32(len(b)))
		b = append(b, value...)
	}
	name := utf16Bytes(target)
	put(28, utf16Bytes(domain))
	put(36, utf16Bytes(user))
	put(44, utf16Bytes(workstation))
	put(20, slices.Concat(make([]byte, ntlmAttributes), []byte{ntlmTargetName, 0, byte(len(name)), 0}, name, make([]byte, 4)))
	return string(b)
}

const ntlmHello = "NTLMSSP\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

func ldapMessages(parts ...said) (out []said) {
	for i, p := range parts {
		out = append(out, said{fromClient: p.fromClient, text: tlv(0x30, i%2 == 0, string([]byte{2, 1, byte(i + 1)}), p.text)})
	}
	return out
}

func ldapSASLBind(token string) said { return ldapBindBy("GSS-SPNEGO", token) }

// ldapBindBy binds by a mechanism, without a token where that is empty.
func ldapBindBy(mechanism, token string) said {
	credentials := tlv(4, false, mechanism)
	if token != "" {
		credentials += tlv(4, false, token)
	}
	return said{fromClient: true, text: tlv(ldapBind, false, "\x02\x01\x03", "\x04\x00", tlv(ldapSASL, false, credentials))}
}

func ldapResult(code byte, more string) said {
	return said{text: tlv(ldapBound, false, string([]byte{0x0a, 1, code}), "\x04\x00", "\x04\x00", more)}
}

// rdpSettings are a client's, behind X.224 and what MCS needs ([MS-RDPBCGR] section 4.1.3).
func rdpSettings(name string) string {
	core := make([]byte, 216)
	binary.LittleEndian.PutUint16(core, rdpClientCore)
	binary.LittleEndian.PutUint16(core[2:], uint16(len(core)))
	copy(core[24:56], utf16Bytes(name))
	b := slices.Concat([]byte("\x02\xf0\x80\x7f\x65\x82\x01\x94\x04\x01\x01\x00\x05\x00\x14\x7c\x00\x01\x81\x2a\x00\x08\x00\x10\x00\x01\xc0\x00Duca\x81\x1c"), core)
	return tpkt(string(b))
}

func tpkt(s string) string {
	return string([]byte{3, 0, byte((len(s) + 4) >> 8), byte(len(s) + 4)}) + s
}

// TestLogins: dialogues of the protocols' definitions, however they are cut into segments,
// and with a restart in between.
func TestLogins(t *testing.T) {
	line := func(who bool, text string) said { return said{fromClient: who, text: text} }
	for name, c := range map[string]struct {
		port  int
		parts []said
		want  string
		names string
	}{
		"ftp": {port: 2121, parts: dialogue(`
			S: 220-Welcome
			S: 220 FTP here
			C: USER gavin
			S: 331 password please
			C: PASS geheim
			S: 530 Login incorrect.
			C: USER gavin
			S: 331 password please
			C: PASS correct horse
			S: 230 Login successful.`), want: "ftp gavin|||| failure 530 clear\nftp gavin|||| success  clear\n"},
		"ftp that ends": {port: 21, parts: dialogue(`
			S: 220 hello
			C: USER gavin
			S: 331 password please`), want: "ftp gavin|||| unknown \n"},
		"ftp with TLS": {port: 21, parts: append(dialogue(`
			S: 220 hello
			C: AUTH TLS
			S: 234 go on`), line(true, string(hello("a.test", 10, 10)))), want: ""},
		"pop3 (RFC 1939)": {port: 110, parts: dialogue(`
			S: +OK POP3 server ready <1896.697170952@dbc.mtview.ca.us>
			C: APOP mrose c4c9334bac560ecc979e58001b3e22fb
			S: -ERR no
			C: USER mrose
			S: +OK mrose is a real hoopy frood
			C: PASS secret
			S: +OK mrose's maildrop has 2 messages (320 octets)`), want: "pop3 mrose|||| failure ERR\npop3 mrose|||| success  clear\n"},
		"pop3 (RFC 5034)": {port: 110, parts: dialogue(`
			S: +OK pop.example.com POP3 server ready
			C: AUTH PLAIN dGVzdAB0ZXN0AHRlc3Q=
			S: +OK Maildrop locked and ready`), want: "pop3 test|||| success  clear\n"},
		"imap (RFC 9051)": {port: 143, parts: dialogue(`
			S: * OK IMAP4rev2 Service Ready
			C: a000 CAPABILITY
			S: * CAPABILITY IMAP4rev2
			S: a000 OK done
			C: a001 LOGIN SMITH SESAME
			S: a001 NO login failure
			C: a002 AUTHENTICATE PLAIN
			S: + 
			C: dGVzdAB0ZXN0AHRlc3Q=
			S: a002 OK PLAIN authentication successful`), want: "imap smith|||| failure NO clear\nimap test|||| success  clear\n"},
		"smtp (RFC 4954)": {port: 587, parts: dialogue(`
			S: 220-smtp.example.com ESMTP Server
			S: 220 ready
			C: EHLO client.example.com
			S: 250-smtp.example.com Hello client.example.com
			S: 250 AUTH GSSAPI DIGEST-MD5
			C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=
			S: 235 2.7.0 Authentication successful`), want: "smtp test|||| success  clear\n"},
		"smtp LOGIN": {port: 25, parts: dialogue(`
			S: 220 smtp.example.com ESMTP
			C: EHLO a
			S: 250 AUTH LOGIN
			C: AUTH LOGIN
			S: 334 ` + b64("Username:") + `
			C: ` + b64("gavin") + `
			S: 334 ` + b64("Password:") + `
			C: ` + b64("geheim") + `
			S: 535 5.7.8 Authentication credentials invalid`), want: "smtp gavin|||| failure 535 clear\n"},
		"smtp NTLM": {port: 25, parts: dialogue(`
			S: 220 mail ESMTP
			C: AUTH NTLM ` + b64(ntlmHello) + `
			S: 334 ` + b64(string(ntlmAsk("MX", "mx.example.test"))) + `
			C: ` + b64(ntlmLogin("DOM", "gavin", "PC", "smtp/mx")) + `
			S: 235 fine`), want: "ntlm gavin|dom|pc|mx.example.test|smtp/mx success \n", names: "192.0.2.1 mx.example.test, 10.0.0.5 pc"},
		"mail, and then a login": {port: 25, parts: dialogue(`
			S: 220 mail ESMTP
			C: HELO a
			S: 250 hello
			C: MAIL FROM:<a@b.test>
			S: 250 fine
			C: AUTH PLAIN dGVzdAB0ZXN0ADEyMzQ=`), want: "smtp test|||| unknown  clear\n"},
		"telnet": {port: 23, parts: []said{
			line(false, "\xff\xfd\x18\xff\xfb\x01\xff\xfa\x18\x01\xff\xf0"), line(true, "\xff\xfb\x18\xff\xfa\x18\x00login:\xff\xf0"),
			line(false, "Debian\r\nsrv login: "), line(true, "gavim\x7fn\r\x00"), line(false, "gavin\r\nPassword: "), line(true, "secret\r\x00"),
			line(false, "\r\nLogin incorrect\r\nsrv login: "), line(true, "gavin\r\n"), line(false, "gavin\r\nPassword: "), line(true, "right\r\n"),
			line(false, "\r\nLast login: Mon Nov  2\r\n$ "), line(true, "ls\r\n")},
			want: "telnet gavin|||| failure  clear\ntelnet gavin|||| success  clear\n"},
		"ldap": {port: 1389, parts: ldapMessages(
			line(true, tlv(ldapBind, false, "\x02\x01\x03", tlv(4, false, "cn=Gavin,dc=example"), tlv(ldapSimple, false, "geheim"))), ldapResult(49, ""),
			line(true, tlv(ldapBind, true, "\x02\x01\x03", tlv(4, false, "cn=Gavin,dc=example"), tlv(ldapSimple, false, "richtig"))), ldapResult(0, "")),
			want: "ldap_simple cn=gavin,dc=example|||| failure invalidCredentials clear\nldap_simple cn=gavin,dc=example|||| success  clear\n"},
		"ldap as nobody": {port: 389, parts: ldapMessages(line(true, tlv(ldapBind, false, "\x02\x01\x03\x04\x00\x80\x00")), ldapResult(0, "")), want: ""},
		"ldap refused": {port: 389, parts: ldapMessages(
			line(true, tlv(ldapBind, false, "\x02\x01\x03\x04\x00\x80\x00")), ldapResult(48, ""),
			ldapBindBy("EXTERNAL", ""), ldapResult(7, ""),
			ldapBindBy("GSS-SPNEGO", spnego(true, ntlmHello)), ldapResult(7, ""),
			ldapBindBy("PLAIN", "\x00Gavin\x00geheim"), ldapResult(49, ""),
			ldapBindBy("DIGEST-MD5", ""), ldapResult(ldapInProgress, tlv(0x87, false, `realm="x",nonce="n"`)),
			ldapBindBy("DIGEST-MD5", `charset=utf-8,username="mia",realm="x",response=0`), ldapResult(49, ""),
			ldapBindBy("SCRAM-SHA-256", "n,,n=a=2Cb,r=rO"), ldapResult(ldapInProgress, tlv(0x87, false, "r=rO1,s=W2,i=4096")),
			ldapBindBy("SCRAM-SHA-256", "c=biws,r=rO1,p=dH"), ldapResult(0, tlv(0x87, false, "v=6r"))),
			want: "ldap_simple |||| failure inappropriateAuthentication\nldap_sasl |||| failure authMethodNotSupported\nldap_sasl |||| failure authMethodNotSupported\n" +
				"ldap_sasl gavin|||| failure invalidCredentials clear\nldap_sasl mia|||| failure invalidCredentials\nldap_sasl a,b|||| success \n"},
		"ldap after a search": {port: 389, parts: ldapMessages(line(true, tlv(ldapSearch, false, strings.Repeat("x", 40))), line(false, tlv(0x64, true, strings.Repeat("y", 3000))),
			ldapSASLBind(spnego(true, ntlmHello)), ldapResult(ldapInProgress, tlv(0x87, false, spnego(false, string(ntlmAsk("DC", "dc.example.test"))))),
			ldapSASLBind(spnego(false, ntlmLogin("EXAMPLE", "Gavin.Reid", "LAPTOP", "ldap/dc.example.test"))), ldapResult(0, "")),
			want: "ntlm gavin.reid|example|laptop|dc.example.test|ldap/dc.example.test success \n", names: "192.0.2.1 dc.example.test, 10.0.0.5 laptop"},
		"http": {port: 80, parts: []said{
			line(true, "GET / HTTP/1.1\r\nAuthorization: Basic "+b64("gavin:falsch")+"\r\n\r\n"), line(false, "HTTP/1.1 401 no\r\nContent-Length: 0\r\n\r\n"),
			line(true, "GET / HTTP/1.1\r\nAuthorization: Basic "+b64("gavin:richtig")+"\r\n\r\n"), line(false, "HTTP/1.1 200 yes\r\nContent-Length: 0\r\n\r\n"),
			line(true, "GET /a HTTP/1.1\r\nAuthorization: Basic "+b64("gavin:richtig")+"\r\n\r\n"), line(false, "HTTP/1.1 200 yes\r\nContent-Length: 0\r\n\r\n")},
			want: "http_basic gavin|||| failure 401 clear\nhttp_basic gavin|||| success  clear\n"},
		"http by ntlm": {port: 80, parts: []said{
			line(true, "GET / HTTP/1.1\r\nAuthorization: NTLM "+b64(ntlmHello)+"\r\n\r\n"),
			line(false, "HTTP/1.1 401 no\r\nWWW-Authenticate: NTLM "+b64(string(ntlmAsk("WEB", "web.example.test")))+"\r\nContent-Length: 0\r\n\r\n"),
			line(true, "GET / HTTP/1.1\r\nAuthorization: NTLM "+b64(ntlmLogin("EXAMPLE", "gavin", "PC", "HTTP/web"))+"\r\n\r\n"),
			line(false, "HTTP/1.1 403 not you\r\nContent-Length: 0\r\n\r\n")},
			want: "ntlm gavin|example|pc|web.example.test|http/web success \n", names: "192.0.2.1 web.example.test, 10.0.0.5 pc"},
		"rdp": {port: 3389, parts: []said{
			line(true, tpkt("\x26\xe0\x00\x00\x00\x00\x00Cookie: mstshash=GAVIN.REI\r\n\x01\x00\x08\x00\x00\x00\x00\x00")),
			line(false, tpkt("\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x00\x00\x00\x00")), line(true, rdpSettings("LAPTOP-7"))},
			want: "rdp gavin.rei||laptop-7|| unknown \n", names: "10.0.0.5 laptop-7"},
		"rdp with TLS": {port: 13389, parts: []said{
			line(true, tpkt("\x26\xe0\x00\x00\x00\x00\x00Cookie: mstshash=gavin\r\n\x01\x00\x08\x00\x03\x00\x00\x00")),
			line(false, tpkt("\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x02\x00\x00\x00")), line(true, string(hello("srv.test", 10, 10)))},
			want: "rdp gavin|||| unknown \n"},
		"ssh": {port: 2222, parts: []said{line(false, "come in\r\nSSH-2.0-OpenSSH_9.2p1\r\n"), line(true, "SSH-2.0-PuTTY\r\n")}, want: "ssh |||| unknown \n"},
	} {
		for _, size := range []int{1, 7, 100, 10000} {
			r := listen(t, c.port, c.parts, size)
			if got := loginText(r.logins); got != c.want {
				t.Errorf("%s in segments of %d:\n got %q\nwant %q", name, size, got, c.want)
			}
			for _, secret := range []string{"geheim", "SESAME", "secret", "right", "correct horse", "richtig", "falsch"} {
				if strings.Contains(fmt.Sprintf("%+v", r), secret) {
					t.Errorf("%s in segments of %d: %s is kept", name, size, secret)
				}
			}
			var names []string
			for _, n := range r.names {
				names = append(names, n.Addr.String()+" "+n.Name)
			}
			if got := strings.Join(names, ", "); got != c.names {
				t.Errorf("%s in segments of %d: names %q, want %q", name, size, got, c.names)
			}
			for end := range c.parts {
				if got := loginText(listenAgain(t, c.port, c.parts, size, end).logins); got != c.want {
					t.Errorf("%s in segments of %d, begun again before part %d:\n got %q\nwant %q", name, size, end, got, c.want)
				}
			}
			if strings.Contains(name, "TLS") && (len(r.tls) != 1) {
				t.Errorf("%s in segments of %d: %d handshakes", name, size, len(r.tls))
			}
		}
	}
}

// A ticket that a service took (RFC 4121 section 4.1) says what the server is called.
func TestKerberosTicket(t *testing.T) {
	realm, name := tlv(0x1b, false, "EXAMPLE.TEST"), tlv(0x30, false, tlv(0xa0, false, "\x02\x01\x02"),
		tlv(0xa1, false, tlv(0x30, false, tlv(0x1b, false, "cifs"), tlv(0x1b, false, "SRV.example.test"))))
	sealed := tlv(0x30, false, tlv(0xa0, false, "\x02\x01\x12"), tlv(0xa2, false, tlv(4, false, "sealed")))
	ticket := tlv(0x61, false, tlv(0x30, false, tlv(0xa0, false, "\x02\x01\x05"), tlv(0xa1, false, realm), tlv(0xa2, false, name), tlv(0xa3, false, sealed)))
	request := tlv(0x6e, false, tlv(0x30, false, tlv(0xa0, false, "\x02\x01\x05"), tlv(0xa1, false, "\x02\x01\x0e"), tlv(0xa2, false, "\x03\x05\x00\x20\x00\x00\x00"),
		tlv(0xa3, false, ticket), tlv(0xa4, false, sealed)))
	token := spnego(true, tlv(0x60, false, "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x01\x00", request))
	for _, c := range []struct {
		status uint32
		want   string
		names  int
	}{{0, "kerberos_ap |example.test|||cifs/srv.example.test success \n", 1}, {0xc000006d, "kerberos_ap |example.test|||cifs/srv.example.test failure STATUS_LOGON_FAILURE\n", 0}} {
		r := &rows{}
		o, l := New(r), logon{}
		of := Peers{Client: addr("10.0.0.5"), Server: addr("192.0.2.1"), ServerPort: 445}
		l.token(o, &of, 0, []byte(token), &Origin{TS: testTS})
		l.status(o, statusMoreProcessing)
		l.status(o, c.status)
		if got := loginText(r.logins); got != c.want || len(r.names) != c.names || r.logins[0].TicketEtype != "aes256-cts-hmac-sha1-96" {
			t.Errorf("%q, %+v", got, r.names)
		}
		if c.names > 0 && (r.names[0].Name != "srv.example.test" || r.names[0].Addr != of.Server || r.names[0].Source != tables.SourceKerberos || r.names[0].TS >= tables.TimeOf(testTS-second)) {
			t.Errorf("%+v", r.names[0])
		}
	}
}

// dhcp6Message is one of RFC 8415 section 8, of a client whose DUID has its MAC.
func dhcp6Message(kind byte, name, ip string, valid uint32) []byte {
	option := func(code byte, v string) string { return string([]byte{0, code, byte(len(v) >> 8), byte(len(v))}) + v }
	s := string([]byte{kind, 1, 2, 3}) + option(dhcp6Client, "\x00\x01\x00\x01\x1c\x39\xcf\x88\x08\x00\x27\xfe\x8f\x95")
	if name != "" {
		s += option(dhcp6ClientFQDN, "\x00"+name)
	}
	if ip != "" {
		raw := addr(ip).Netip().As16()
		s += option(dhcp6Addresses, "\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"+option(dhcp6Address, string(raw[:])+"\x00\x00\x00\x01"+string(binary.BigEndian.AppendUint32(nil, valid))))
	}
	return []byte(s)
}

func TestDHCP6(t *testing.T) {
	r := &rows{}
	o := New(r)
	request := dhcp6Message(dhcp6Request, "\x05Gavin\x04test\x00", "2001:db8::23", 0)
	relayed := slices.Concat([]byte{dhcp6Forward, 0}, make([]byte, 32), []byte{0, dhcp6Relayed, 0, byte(len(request))}, request)
	o.Observe(udp(1, "fe80::1:547", "2001:db8::1:547", relayed))
	o.Observe(udp(2, "fe80::9:547", "fe80::1:546", dhcp6Message(dhcp6Reply, "", "2001:db8::23", 3600)))
	o.Observe(udp(3, "fe80::1:546", "ff02::1:2:547", dhcp6Message(dhcp6Release, "", "2001:db8::23", 3600)))
	var got []string
	for _, n := range r.names {
		got = append(got, fmt.Sprint(n.Name, " ", n.Addr, " ", tables.MACText(uint64(n.MAC.V)), " ", n.Source, " ", int64(n.TS)/1e6, " ", int64(n.ValidUntil)/1e6))
	}
	want := []string{"gavin.test 2001:db8::23 08:00:27:fe:8f:95 dhcp 2 3602", " 2001:db8::23 08:00:27:fe:8f:95 dhcp 3 3"}
	if !slices.Equal(got, want) || o.Stats().Malformed > 0 {
		t.Errorf("%q, %+v", got, o.Stats())
	}
}

func FuzzDHCP6(f *testing.F) {
	f.Add(dhcp6Message(dhcp6Reply, "\x05gavin\x04test\x00", "2001:db8::23", 3600), uint8(40))
	fuzz(f, tables.ProtocolUDP, 546, 547)
}

func FuzzKerberos(f *testing.F) {
	name := tlv(0x30, false, tlv(0xa0, false, "\x02\x01\x01"), tlv(0xa1, false, tlv(0x30, false, tlv(0x1b, false, "gavin"))))
	body := tlv(0x30, false, tlv(0xa1, false, name), tlv(0xa2, false, tlv(0x1b, false, "R")), tlv(0xa7, false, "\x02\x01\x05"), tlv(0xa8, false, tlv(0x30, false, "\x02\x01\x12\x02\x01\x17")))
	f.Add([]byte(tlv(kerberosASReq, false, tlv(0x30, false, tlv(0xa1, false, "\x02\x01\x05"), tlv(0xa4, false, body)))), uint8(30))
	f.Add([]byte(tlv(kerberosError, true, tlv(0x30, false, tlv(0xa6, false, "\x02\x01\x19"), tlv(0xaa, false, name)))), uint8(30))
	fuzz(f, tables.ProtocolUDP, 5000, portKerberos)
}

// FuzzLogins reads what two ends say, in lines each, at a port of theirs: all at once and
// byte by byte give the same.
func FuzzLogins(f *testing.F) {
	f.Add(uint16(21), "220 FTP\n", "USER a\nPASS b\n", "331\n230\n")
	f.Add(uint16(143), "* OK\n", "a LOGIN b c\n", "a OK\n")
	f.Add(uint16(23), "\xff\xfb\x01login: ", "a\r", "Password: ")
	f.Add(uint16(3389), "", rdpSettings("PC"), "")
	f.Add(uint16(3389), tpkt("\x0e\xd0\x00\x00\x12\x34\x00\x02\x00\x08\x00\x02\x00\x00\x00"), tpkt("\x26\xe0\x00\x00\x00\x00\x00Cookie: mstshash=gavin\r\n"), "")
	f.Add(uint16(389), "", tlv(0x30, false, "\x02\x01\x01", ldapSASLBind(spnego(true, ntlmHello)).text), ldapResult(14, "").text)
	f.Add(uint16(22), "SSH-2.0-a\r\n", "SSH-2.0-b\r\n\x00\x00\x00\x20\x04\x14", "")
	f.Add(uint16(88), "", "\x00\x00\x00\x05\x6a\x03\x30\x01\x00", "\x00\x00\x00\x05\x7e\x03\x30\x01\x00")
	f.Add(uint16(80), "", "GET / HTTP/1.1\r\nAuthorization: Negotiate "+b64(ntlmHello)+"\r\n\r\n", "HTTP/1.1 401 a\r\nWWW-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n\r\n")
	f.Fuzz(func(t *testing.T, port uint16, first, asks, answers string) {
		if len(first)+len(asks)+len(answers) > 4096 {
			return
		}
		parts := []said{{text: first}, {fromClient: true, text: asks}, {text: answers}}
		whole := loginText(listen(t, int(port), parts, 1<<20).logins)
		if again := loginText(listen(t, int(port), parts, 1).logins); again != whole {
			t.Errorf("at once %q, byte by byte %q", whole, again)
		}
	})
}
