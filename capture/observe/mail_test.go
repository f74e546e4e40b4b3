package observe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

func mailRows(list []tables.Mail) string {
	var b strings.Builder
	for _, r := range list {
		date := "-"
		if r.Date.Set {
			date = fmt.Sprint(int64(r.Date.V) / 1e6)
		}
		fmt.Fprintf(&b, "%s %s %s %s>%s(%d)-%s %q %q %q %q %q %s %q %q %q %q %d %s %q %t\n", r.Protocol, r.Helo, r.Username, r.MailFrom, r.RcptTo, r.Recipients.V, r.RcptRefused,
			r.From, r.To, r.Cc, r.ReplyTo, r.Subject, date, r.MessageID, r.UserAgent, r.ContentType, r.Attachments, r.Bytes.V, r.Outcome, r.Reply, r.StartTLS)
	}
	return b.String()
}

// TestMail: conversations as the documents have them, however they are cut into segments,
// and with a restart in between.
func TestMail(t *testing.T) {
	for name, c := range map[string]struct {
		parts []said
		want  string
	}{
		// RFC 5321 section D.1, one of whose recipients is not there.
		"a typical one": {dialogue(`
			S: 220 foo.com Simple Mail Transfer Service Ready
			C: EHLO bar.com
			S: 250-foo.com greets bar.com
			S: 250-8BITMIME
			S: 250 HELP
			C: MAIL FROM:<Smith@bar.com>
			S: 250 OK
			C: RCPT TO:<Jones@foo.com>
			S: 250 OK
			C: RCPT TO:<Green@foo.com>
			S: 550 No such user here
			C: RCPT TO:<@hosta.int,@jkl.org:Brown@foo.com>
			S: 250 OK
			C: DATA
			S: 354 Start mail input; end with <CRLF>.<CRLF>
			C: From: Smith <smith@bar.com>
			C: Subject: dots
			C: 
			C: ..
			C: ...etc.
			C: .
			S: 250 OK
			C: QUIT
			S: 221 foo.com Service closing transmission channel`),
			`smtp bar.com  smith@bar.com>jones@foo.com,green@foo.com,brown@foo.com(3)-green@foo.com "Smith <smith@bar.com>" "" "" "" "dots" - "" "" "" "" 57 accepted "250 OK" false` + "\n"},
		// RFC 2920 section 4: all commands at once.
		"sent at a time": {dialogue(`
			S: 220 innosoft.com SMTP service ready
			C: EHLO dbc.mtview.ca.us
			S: 250-innosoft.com
			S: 250 PIPELINING
			C: MAIL FROM:<mrose@dbc.mtview.ca.us>
			C: RCPT TO:<nsb@thumper.bellcore.com>
			C: RCPT TO:<galvin@tis.com>
			C: DATA
			S: 250 sender ok
			S: 550 remote mail not allowed
			S: 550 remote mail not allowed
			S: 554 no valid recipients given
			C: QUIT
			S: 221 goodbye`),
			`smtp dbc.mtview.ca.us  mrose@dbc.mtview.ca.us>nsb@thumper.bellcore.com,galvin@tis.com(2)-nsb@thumper.bellcore.com,galvin@tis.com "" "" "" "" "" - "" "" "" "" 0 refused "550 remote mail not allowed" false` + "\n"},
		// RFC 3030 section 4.2.
		"chunks": {append(dialogue(`
			S: 220 cnri.reston.va.us SMTP service ready
			C: EHLO ymir.claremont.edu
			S: 250-cnri.reston.va.us says hello
			S: 250 CHUNKING
			C: MAIL FROM:<Sam@Random.com>
			S: 250 Sam@Random.com... Sender ok
			C: RCPT TO:<Susan@Random.com>
			S: 250 Susan@random.com... Recipient ok`), append([]said{{fromClient: true, text: "BDAT 17\r\nSubject: chunked\n"}, {text: "250 2.0.0 17 octets received\r\n"}, {fromClient: true, text: "BDAT 4\r\n\n.\r\nBDAT 0 LAST\r\n"},
			{text: "250 2.0.0 4 octets received\r\n250 2.0.0 Message ok, 21 octets\r\n"}}, dialogue(`
			C: MAIL FROM:<>
			S: 250 ok
			C: RSET
			S: 250 ok`)...)...),
			`smtp ymir.claremont.edu  sam@random.com>susan@random.com(1)- "" "" "" "" "chunked" - "" "" "" "" 21 accepted "250 2.0.0 Message ok, 21 octets" false` + "\n" +
				`smtp ymir.claremont.edu  <>>(0)- "" "" "" "" "" - "" "" "" "" 0 unknown "" false` + "\n"},
		// RFC 2033 section 4.2: an answer for each recipient, the second that it was not taken.
		"local": {dialogue(`
			S: 220 foo.edu LMTP server ready
			C: LHLO foo.edu
			S: 250-foo.edu
			S: 250 SIZE
			C: MAIL FROM:<chris@bar.com>
			C: RCPT TO:<pat@foo.edu>
			C: RCPT TO:<jones@foo.edu>
			C: RCPT TO:<green@foo.edu>
			C: DATA
			S: 250 OK
			S: 250 OK
			S: 550 No such user here
			S: 250 OK
			S: 354 Start mail input; end with <CRLF>.<CRLF>
			C: Blah blah blah...
			C: .
			S: 452 <green@foo.edu> is temporarily over quota
			S: 250 OK
			C: QUIT
			S: 221 foo.edu closing connection`),
			`lmtp foo.edu  chris@bar.com>pat@foo.edu,jones@foo.edu,green@foo.edu(3)-jones@foo.edu "" "" "" "" "" - "" "" "" "" 19 accepted "250 OK" false` + "\n"},
		"logged in, two messages, refused": {dialogue(`
			S: 220 ftp.example.test ESMTP
			C: EHLO [10.0.0.5]
			S: 250 AUTH PLAIN
			C: AUTH PLAIN ` + b64("\x00Gavin\x00geheim") + `
			S: 235 welcome
			C: MAIL FROM:<"odd>one"@a.test> SIZE=10
			S: 250 ok
			C: RCPT TO: b@a.test NOTIFY=NEVER
			S: 250 ok
			C: DATA
			S: 354 go
			C: Subject: one
			C: .
			C: MAIL FROM:<c@a.test>
			S: 250-queued
			S: 250 as 17
			S: 552 5.2.2 full`),
			`smtp [10.0.0.5] gavin "odd>one"@a.test>b@a.test(1)- "" "" "" "" "one" - "" "" "" "" 14 accepted "250 as 17" false` + "\n" +
				`smtp [10.0.0.5] gavin c@a.test>(0)- "" "" "" "" "" - "" "" "" "" 0 refused "552 5.2.2 full" false` + "\n"},
		"TLS": {append(dialogue(`
			S: 220 mx SMTP
			C: EHLO PC
			S: 250 STARTTLS
			C: STARTTLS
			S: 220 go`), said{fromClient: true, text: string(hello("a.test", 10, 10))}),
			`smtp pc  >(0)- "" "" "" "" "" - "" "" "" "" 0 unknown "" true` + "\n"},
		"nothing to say": {dialogue(`
			S: 220 mx SMTP
			C: EHLO PC
			S: 250 STARTTLS
			C: QUIT
			S: 221 bye`), ""},
		// A message the server ends by itself, and the next.
		"too large": {dialogue(`
			S: 220 mx SMTP
			C: MAIL FROM:<a@a>
			S: 250 ok
			C: RCPT TO:<b@a>
			S: 250 ok
			C: DATA
			S: 354 go
			C: Subject: big
			C: 
			C: xxxx
			S: 552 too big
			C: yyyy
			C: QUIT`),
			`smtp   a@a>b@a(1)- "" "" "" "" "big" - "" "" "" "" 22 refused "552 too big" false` + "\n"},
		// RFC 2047 section 8, RFC 2231 sections 3 to 4.1, RFC 2046 section 5.1, and what
		// programs write instead.
		"a head": {dialogue(`
			S: 220 mx SMTP
			C: EHLO pc
			S: 250 ok
			C: MAIL FROM:<a@a>
			S: 250 ok
			C: DATA
			S: 354 go
			C: Received: from elsewhere
			C: From: =?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>
			C: To: =?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?= <keld@dkuug.dk>,
			C:  nobody@a
			C: CC: =?ISO-8859-1?Q?Andr=E9?= Pirard <PIRARD@vm1.ulg.ac.be>
			C: Subject: =?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=
			C:  =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=
			C: Date: Fri, 21 Nov 1997 09:55:06 -0600 (CST)
			C: message-id:  <1234@local.machine.example>
			C: X-Mailer: first
			C: User-Agent: second
			C: X-Mailer: third
			C: Reply-To: =?utf-8?q?Mary?= <mary@a>
			C: MIME-Version: 1.0
			C: Content-Type: Multipart/Mixed; boundary="gc0p4Jq0M2Yt08jU534c0p"
			C: 
			C: preamble: none
			C: --gc0p4Jq0M2Yt08jU534c0p
			C: Content-Type: multipart/alternative; boundary=inner
			C: 
			C: --inner
			C: Subject: not this
			C: 
			C: Content-Type: text/plain; name=not-this
			C: --inner
			C: Content-Type: text/html; name=page.html
			C: 
			C: --gc0p4Jq0M2Yt08jU534c0p
			C: Content-Type: application/x-stuff;
			C:     title*0*=us-ascii'en'This%20is%20even%20more%20;
			C:     title*1*=%2A%2A%2Afun%2A%2A%2A%20;
			C:     title*2="isn't it!"; name*0*=us-ascii'en'This%20is%20even%20more%20;
			C:     name*1*=%2A%2A%2Afun%2A%2A%2A%20; name*2="isn't it!"
			C: 
			C: --gc0p4Jq0M2Yt08jU534c0p  
			C: Content-Disposition: attachment; filename*=iso-8859-2''%B1.pdf; filename=fallback
			C: Content-Type: application/pdf; name=other
			C: 
			C: --gc0p4Jq0M2Yt08jU534c0p
			C: Content-Type: message/rfc822
			C: 
			C: Subject: forwarded
			C: Content-Type: multipart/mixed; boundary=third
			C: 
			C: --third
			C: Content-Disposition: attachment; filename="=?Shift_JIS?B?k/qWew==?= \"q\".zip"
			C: --third--
			C: --gc0p4Jq0M2Yt08jU534c0p
			C: Content-Disposition: attachment; filename=my invoice.doc; size=3
			C: 
			C: --gc0p4Jq0M2Yt08jU534c0p--
			C: Content-Disposition: attachment; filename=after
			C: .
			S: 250 ok`),
			`smtp pc  a@a>(0)- "Keith Moore <moore@cs.utk.edu>" "Keld Jørn Simonsen <keld@dkuug.dk>, nobody@a" "André Pirard <PIRARD@vm1.ulg.ac.be>" "Mary <mary@a>"` +
				` "If you can read this you understand the example." 880127706 "1234@local.machine.example" "second" "multipart/mixed"` +
				` "page.html,This is even more ***fun*** isn't it!,ą.pdf,日本 \"q\".zip,my invoice.doc" 1656 accepted "250 ok" false` + "\n"},
	} {
		for _, size := range []int{1, 7, 10000} {
			r := listen(t, 25, c.parts, size)
			if got := mailRows(r.mail); got != c.want {
				t.Errorf("%s in segments of %d:\n got %s\nwant %s", name, size, got, c.want)
			}
			if strings.Contains(fmt.Sprintf("%+v", r), "geheim") {
				t.Errorf("%s in segments of %d: a password is kept", name, size)
			}
			for end := range c.parts {
				if size == 1 {
					break
				}
				if got := mailRows(listenAgain(t, 25, c.parts, size, end).mail); got != c.want {
					t.Errorf("%s in segments of %d, begun again before part %d:\n got %s\nwant %s", name, size, end, got, c.want)
				}
			}
		}
	}
}

// TestMailGreetings: servers are told apart by what they say, whatever their names.
func TestMailGreetings(t *testing.T) {
	for greeting, want := range map[string]string{
		"220 ftp.example.test ESMTP Postfix\r\n": tables.LoginSMTP, "220 smtp.example.test FTP server\r\n": tables.LoginFTP, "220 a LMTP here\r\n": tables.LoginSMTP,
		"220-mail.example.test SMTP\r\n": tables.LoginSMTP, "220 (vsFTPd 3.0.3)\r\n": tables.LoginFTP, "220 hello\r\n": "",
	} {
		if got := (&Peers{ServerPort: 2525}).textProtocol([]byte(greeting)); got != want {
			t.Errorf("%q is %q, not %q", greeting, got, want)
		}
	}
}

// TestMailGaps: what is lost of a message leaves the rest of the row, and what follows is
// read again from where a message begins.
func TestMailGaps(t *testing.T) {
	begin := dialogue(`
		S: 220 mx SMTP
		C: EHLO pc
		S: 250 ok
		C: MAIL FROM:<a@a>
		S: 250 ok
		C: RCPT TO:<b@a>
		S: 250 ok
		C: DATA
		S: 354 go`)
	next := dialogue(`
		C: MAIL FROM:<c@a>
		S: 250 ok
		C: RCPT TO:<d@a>
		S: 250 ok
		C: DATA
		S: 354 go
		C: Subject: two
		C: .
		S: 250 second`)
	const second = `smtp pc  c@a>d@a(1)- "" "" "" "" "two" - "" "" "" "" 14 accepted "250 second" false` + "\n"
	lost := func(text string, client bool, n int) said { return said{fromClient: client, text: text, lost: n} }
	for name, c := range map[string]struct {
		parts []said
		want  string
	}{
		"in a message": {[]said{lost("Subject: one\r\nTo: x", true, 1000), lost("\r\nSubject: no\r\n\r\nrest\r\n.\r\n", true, 0), lost("250 first\r\n", false, 0)},
			`smtp pc  a@a>b@a(1)- "" "" "" "" "one" - "" "" "" "" 1042 accepted "250 first" false` + "\n" + second},
		"its end": {[]said{lost("Subject: one\r\n\r\n", true, 1000), lost("250 first\r\n", false, 0)},
			`smtp pc  a@a>b@a(1)- "" "" "" "" "one" - "" "" "" "" 16 accepted "250 first" false` + "\n" + second},
		"an answer": {[]said{lost("Subject: one\r\n.\r\n", true, 0), lost("250", false, 20)},
			`smtp pc  a@a>b@a(1)- "" "" "" "" "one" - "" "" "" "" 14 unknown "" false` + "\n" + second},
	} {
		parts := append(append(begin[:len(begin):len(begin)], c.parts...), next...)
		if got := mailRows(listen(t, 25, parts, 10000).mail); got != c.want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}

// TestMailBounds: what a message makes the observer keep has an end.
func TestMailBounds(t *testing.T) {
	many := "220 mx SMTP\r\n"
	asks := "EHLO " + strings.Repeat("h", 3000) + "\r\nMAIL FROM:<" + strings.Repeat("a", 3000) + ">\r\n" + strings.Repeat("RCPT TO:<"+strings.Repeat("b", 300)+">\r\n", 5000) + "DATA\r\n" +
		"Subject: " + strings.Repeat("s", 100_000) + "\r\n" + strings.Repeat(" more\r\n", 100_000) + strings.Repeat("X-Y: z\r\n", 100_000) + "\r\n"
	parts := strings.Repeat("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", 1000) + strings.Repeat("Content-Type: a/b; name="+strings.Repeat("n", 500)+"\r\n\r\n--b\r\n", 1000)
	for name, text := range map[string]string{
		"head":       asks,
		"parts":      "EHLO a\r\nMAIL FROM:<a>\r\nDATA\r\n" + parts,
		"parameters": "EHLO a\r\nMAIL FROM:<a>\r\nDATA\r\nContent-Type: a/b" + strings.Repeat(";\r\n name*1=a", 100_000) + "\r\n\r\n",
		"messages":   strings.Repeat("MAIL FROM:<a>\r\n", 100_000),
		"a line":     "MAIL FROM:<a>\r\nDATA\r\n" + strings.Repeat("x", 1<<20) + "\r\n.\r\n",
	} {
		r := &rows{}
		o := New(r)
		seq := map[bool]uint32{true: 1, false: 1}
		at, most := 0.0, 0
		for _, part := range []said{{text: many}, {fromClient: true, text: text}} {
			for text := part.text; text != ""; text = text[min(1400, len(text)):] {
				at += 0.0001
				p := packet(at, tables.ProtocolTCP, "10.0.0.5:40000", "192.0.2.1:25", seq[part.fromClient], []byte(text[:min(1400, len(text))]))
				p.Client, p.Server, p.FromClient = addr("10.0.0.5"), addr("192.0.2.1"), part.fromClient
				p.ConnID, p.Begin, p.Begins, p.First = 1, 1, true, seq[part.fromClient] == 1
				if h := p.Header; !part.fromClient {
					h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
				}
				seq[part.fromClient] += uint32(min(1400, len(text)))
				o.Observe(p)
				most = max(most, o.held)
			}
		}
		if err := o.Flush(); err != nil || o.Stats().Panics > 0 || o.held != 0 || most > 1<<20 || len(r.mail) == 0 {
			t.Errorf("%s: %v, %+v, %d held and %d at most, %d rows", name, err, o.Stats(), o.held, most, len(r.mail))
		}
		for i := range r.mail {
			m := &r.mail[i]
			if len(m.Helo) > 255 || len(m.MailFrom) > 320 || len(m.RcptTo) > 3072 || len(m.Subject) > 1024 || len(m.Attachments) > 2048 {
				t.Errorf("%s: %+v", name, m)
			}
		}
	}
}

// FuzzMail reads what two ends say: all at once and byte by byte give the same.
func FuzzMail(f *testing.F) {
	f.Add("EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n", "250 a\r\n250 b\r\n550 c\r\n354 d\r\n", "Subject: =?utf-8?q?a?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b; name*0*=utf-8''%41; name*1=b\r\n\r\n--b--\r\n.\r\n", "250 e\r\n")
	f.Add("LHLO a\nMAIL FROM:<>\nRCPT TO:<\"a>\"@b>\nBDAT 3\nabcBDAT 2 LAST\nde", "250\n250\n250\n250\n452 x\n", "RSET\nSTARTTLS\n", "220 go\n")
	f.Add("AUTH LOGIN\nYQ==\nYg==\nDATA\n", "334 a\n334 b\n235 c\n354 d\n", "Date: Mon, 1 Jan 2024 00:00:00 +0000\nContent-Disposition: a; filename=\"a\\\"b\"\n\n.\n.\r\n", "")
	f.Fuzz(func(t *testing.T, asks, answers, more, then string) {
		if len(asks)+len(answers)+len(more)+len(then) > 4096 {
			return
		}
		parts := []said{{text: "220 a SMTP\r\n"}, {fromClient: true, text: asks}, {text: answers}, {fromClient: true, text: more}, {text: then}}
		whole := mailRows(listen(t, 25, parts, 1<<20).mail)
		if again := mailRows(listen(t, 25, parts, 1).mail); again != whole {
			t.Errorf("at once %q, byte by byte %q", whole, again)
		}
	})
}
