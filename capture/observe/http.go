package observe

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"strconv"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// HTTP/1 (RFC 9112): requests, also several before the first answer, and the answers
// they get in that order. Of bodies only the length is noted.

const (
	// maxWaiting is how many requests of a conversation wait for their answers.
	maxWaiting = 64
	// The columns' sizes: of URIs, user agents, and other values.
	maxURI   = 4096
	maxAgent = 1024
	maxFile  = 512
	maxWord  = 255
	// maxHeadLines is how many lines a head may have.
	maxHeadLines = 1000
)

// httpReader reads a conversation.
type httpReader struct {
	Of   Peers
	Side [2]httpSide
	Last [2]begun
	// Waiting are requests that are not written, in the order they were sent. The
	// first is being answered; the last, perhaps, still asked.
	Waiting []*exchange
	Count   int // requests so far
	Done    bool
	Tunnel  bool // what follows is something else
	text    int  // bytes of rows

	// Logins that wait for the answer to a request, by its number.
	GSS      logon
	Basic    tables.Login
	GSSFor   int
	BasicFor int
	Told     string // the last Basic login: each request brings it again

	Next *http2Reader // that goes on after an upgrade
}

// begun is where an end last began something, and how many times.
type begun struct {
	In    Origin
	Times int32
}

// again counts what begins, and tells how many do before it in the packet.
func (b *begun) again(from *Origin) tables.Opt[int32] {
	if b.Times++; b.In != *from {
		*b = begun{*from, 0}
	}
	return tables.Opt[int32]{V: b.Times, Set: b.Times > 0}
}

// exchange is a request and its answer.
type exchange struct {
	Row             tables.HTTP
	Number          int
	Asked, Answered bool // wholly
}

// httpSide is where a direction is.
type httpSide struct {
	Where httpPlace
	Left  int64 // bytes of the body, or of its chunk
	From  Origin
	Begun bool // From is where the message begins
	Lines int
	// Of the head being read:
	Length   int64 // -1: not said
	Chunked  bool
	Status   int32
	HTTP2    bool      // that follows, if the status is 101
	Number   int       // of the exchange
	exchange *exchange // that it is of
}

type httpPlace uint8

const (
	atLine httpPlace = iota // the first of a head
	atHeader
	atBody
	atChunk // the line before one
	atChunkData
	atChunkEnd
	atTrailer
	atRest // a body that ends with the conversation
	lost   // until a message begins with a packet
)

func (r *httpReader) over() bool  { return r.Done || r.Next != nil && r.Next.Done }
func (r *httpReader) opens() bool { return r.Tunnel }

// resumed puts together what a State does not have.
func (r *httpReader) resumed() {
	for _, x := range r.Waiting {
		r.text += textOf(&x.Row)
		for i := range r.Side {
			if r.Side[i].Number == x.Number {
				r.Side[i].exchange = x
			}
		}
	}
}

// add begins an exchange.
func (r *httpReader) add(o *Observer, side int, from *Origin) *exchange {
	r.Count++
	x := &exchange{Number: r.Count, Row: newHTTP(&r.Of, from)}
	x.Row.Nth = r.Last[side].again(from)
	r.Waiting = append(r.Waiting, x)
	o.finding.Service = httpMessage.service()
	return x
}

// newHTTP is the row of a message that begins in a packet.
func newHTTP(of *Peers, from *Origin) tables.HTTP {
	return tables.HTTP{TS: tables.TimeOf(from.TS), Sensor: of.Sensor, Site: of.Site, Client: of.Client, ClientPort: int32(of.ClientPort),
		Server: of.Server, ServerPort: int32(of.ServerPort), ConnID: of.Conn, FlowID: from.FlowID,
		PacketID: tables.Opt[tables.ID]{V: from.PacketID, Set: from.Kept}}
}

func (r *httpReader) holds() int {
	n := 1024 + r.text + 512*len(r.Waiting)
	if r.Next != nil {
		n += r.Next.holds()
	}
	return n
}

// end writes what was not answered, or not to its end.
func (r *httpReader) end(o *Observer) {
	r.Done = true
	if r.Next != nil {
		r.Next.end(o)
	}
	r.judge(o, r.BasicFor, tables.LoginUnknown, "")
	r.judge(o, r.GSSFor, tables.LoginUnknown, "")
	for len(r.Waiting) > 0 {
		r.shift(o)
	}
}

// shift writes the first request.
func (r *httpReader) shift(o *Observer) {
	x := r.Waiting[0]
	r.Waiting = r.Waiting[1:]
	r.text -= textOf(&x.Row)
	o.write(&x.Row)
}

// settle writes what is over.
func (r *httpReader) settle(o *Observer) {
	for len(r.Waiting) > 0 && r.Waiting[0].Asked && r.Waiting[0].Answered {
		r.shift(o)
	}
}

func textOf(row *tables.HTTP) int {
	return len(row.URI) + len(row.UserAgent) + len(row.Referer) + len(row.ContentType) + len(row.FileName) + len(row.Host) + len(row.Username) + len(row.Method)
}

func (r *httpReader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	s := &r.Side[side]
	all := len(b)
	for len(b) > 0 && !r.Done {
		if r.Next != nil {
			return all - len(b) + r.Next.read(o, side, b, from)
		}
		switch s.Where {
		case lost:
			if recognise(b) != httpMessage {
				return all
			}
			s.Where = atLine
		case atBody, atChunkData:
			n := int(min(s.Left, int64(len(b))))
			b = b[n:]
			r.body(o, side, int64(n))
		case atRest:
			r.body(o, side, int64(len(b)))
			return all
		default:
			if !s.Begun {
				s.From, s.Begun = *from, true
			}
			line, rest, ok := cutLine(b)
			if !ok {
				return all - len(b)
			}
			b = rest
			r.line(o, side, line)
		}
	}
	return all
}

// body counts bytes of a body.
func (r *httpReader) body(o *Observer, side int, n int64) {
	s := &r.Side[side]
	if row := &s.exchange.Row; side == 0 {
		row.RequestLength.V += n
	} else {
		row.ResponseLength.V += n
	}
	if s.Where == atRest {
		return
	}
	if s.Left -= n; s.Left > 0 {
		return
	}
	if s.Where == atChunkData {
		s.Where = atChunkEnd
		return
	}
	r.whole(o, side)
}

// whole ends a message.
func (r *httpReader) whole(o *Observer, side int) {
	s := &r.Side[side]
	if side == 0 {
		s.exchange.Asked = true
	} else {
		s.exchange.Answered = true
	}
	*s = httpSide{}
	r.settle(o)
}

func (r *httpReader) line(o *Observer, side int, line []byte) {
	s := &r.Side[side]
	if s.Lines++; s.Lines > maxHeadLines && s.Where <= atHeader {
		o.stats.Malformed++
		r.lose(o, side)
		return
	}
	switch s.Where {
	case atLine:
		if len(line) == 0 { // some stand between messages
			*s = httpSide{}
			return
		}
		s.Length = -1
		if side == 0 {
			r.request(o, line)
		} else {
			r.status(o, line)
		}
	case atHeader:
		if len(line) > 0 {
			r.header(o, side, line)
			return
		}
		r.headed(o, side)
	case atChunk:
		digits, _, _ := bytes.Cut(line, []byte{';'})
		n, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 62)
		switch {
		case err != nil:
			r.lose(o, side)
		case n == 0:
			s.Where = atTrailer
		default:
			s.Where, s.Left = atChunkData, int64(n)
		}
	case atChunkEnd:
		s.Where = atChunk
	case atTrailer:
		if len(line) == 0 {
			r.whole(o, side)
		}
	}
}

// request reads the line a request begins with.
func (r *httpReader) request(o *Observer, line []byte) {
	s := &r.Side[0]
	method, rest, _ := bytes.Cut(line, []byte{' '})
	i := bytes.LastIndexByte(rest, ' ')
	if i < 0 || !bytes.HasPrefix(rest[i+1:], []byte("HTTP/")) || len(method) > 32 || recognise(line) == tlsHello {
		if len(r.Waiting) == 0 && !r.Side[1].Begun { // it was none
			r.Done = true
			return
		}
		s.Where, s.Begun = lost, false
		return
	}
	if len(r.Waiting) >= maxWaiting {
		o.stats.Evicted++
		x := r.Waiting[0]
		r.shift(o)
		if r.Side[1].exchange == x {
			r.Side[1] = httpSide{Where: lost}
		}
	}
	x := r.add(o, 0, &s.From)
	target := bytes.TrimSpace(rest[:i])
	x.Row.Method, x.Row.URI = plainText(bytes.ToUpper(method), maxWord), plainText(target, maxURI)
	x.Row.Version = plainText(rest[i+1+len("HTTP/"):], 8)
	if string(method) == "CONNECT" {
		x.Row.Host = withoutPort(target)
	} else {
		x.Row.Host = authority(target)
	}
	s.exchange, s.Number, s.Where = x, x.Number, atHeader
	r.text += textOf(&x.Row)
}

// answered is the request that is answered next.
func (r *httpReader) answered() *exchange {
	for _, x := range r.Waiting {
		if !x.Answered {
			return x
		}
	}
	return nil
}

// status reads the line an answer begins with.
func (r *httpReader) status(o *Observer, line []byte) {
	s := &r.Side[1]
	fields := bytes.Fields(line)
	code := 0
	if len(fields) >= 2 && bytes.HasPrefix(fields[0], []byte("HTTP/1.")) {
		code, _ = strconv.Atoi(string(fields[1]))
	}
	if code < 100 || code > 999 {
		if len(r.Waiting) == 0 {
			r.Done = true
			return
		}
		r.lose(o, 1)
		return
	}
	x := r.answered()
	if x == nil { // its request was not seen
		x = r.add(o, 1, &s.From)
		x.Asked, x.Row.Version = true, plainText(fields[0][len("HTTP/"):], 8)
		r.text += textOf(&x.Row)
	}
	s.exchange, s.Number, s.Where, s.Status = x, x.Number, atHeader, int32(code)
}

// header reads a line of a head.
func (r *httpReader) header(o *Observer, side int, line []byte) {
	name, value, ok := bytes.Cut(line, []byte{':'})
	if !ok || len(name) > len("content-disposition") {
		return
	}
	value = bytes.TrimSpace(value)
	s := &r.Side[side]
	row := &s.exchange.Row
	r.text -= textOf(row)
	defer func() { r.text += textOf(row) }()
	switch strings.ToLower(string(name)) {
	case "content-length":
		if n, err := strconv.ParseInt(string(value), 10, 63); err == nil && n >= 0 {
			s.Length = n
		}
	case "transfer-encoding":
		s.Chunked = bytes.HasSuffix(bytes.ToLower(value), []byte("chunked"))
	case "upgrade":
		s.HTTP2 = strings.EqualFold(string(value), "h2c")
	case "authorization", "proxy-authorization":
		if side == 0 {
			r.authorize(o, name, value)
		}
	case "www-authenticate", "proxy-authenticate":
		if token := negotiated(value); side == 1 && token != nil {
			r.GSS.token(o, &r.Of, 1, token, &s.From)
		}
	default:
		headerOf(row, side, strings.ToLower(string(name)), value)
	}
}

// headerOf notes a field of a request (side 0) or an answer in their row.
func headerOf(row *tables.HTTP, side int, name string, value []byte) {
	switch name {
	case "content-type":
		if side == 1 || row.ContentType == "" {
			row.ContentType = tables.FoldCase(plainText(value, maxWord))
		}
	case "content-disposition":
		if _, params, err := mime.ParseMediaType(string(value[:min(len(value), 4*maxFile)])); err == nil && params["filename"] != "" {
			row.FileName = plainText([]byte(params["filename"]), maxFile)
		}
	case "host":
		if host := withoutPort(value); side == 0 && host != "" {
			row.Host = host
		}
	case "user-agent":
		if side == 0 {
			row.UserAgent = plainText(value, maxAgent)
		}
	case "referer":
		if side == 0 {
			row.Referer = plainText(value, maxURI)
		}
	}
}

// loginOutcome is what an answer says of credentials.
func loginOutcome(status int32) (outcome, err string) {
	switch {
	case status == 401 || status == 407:
		return tables.LoginFailed, strconv.Itoa(int(status))
	case status < 500:
		return tables.LoginSucceeded, ""
	}
	return tables.LoginUnknown, strconv.Itoa(int(status))
}

// authorize reads credentials of a request.
func (r *httpReader) authorize(o *Observer, name, value []byte) {
	s := &r.Side[0]
	if user := basicUser(value); user != nil {
		r.judge(o, r.BasicFor, tables.LoginUnknown, "")
		r.Basic, r.BasicFor = newLogin(&r.Of, &s.From, tables.LoginHTTP), s.Number
		r.Basic.Username, r.Basic.Cleartext = plainText(user, maxWord), tables.Some(true)
		if len(name) == len("authorization") {
			s.exchange.Row.Username = r.Basic.Username
		}
	} else if token := negotiated(value); token != nil {
		r.GSS.token(o, &r.Of, 0, token, &s.From)
		r.GSSFor = s.Number
	}
}

// judge writes the logins of a request, with what became of them.
func (r *httpReader) judge(o *Observer, request int, outcome, err string) {
	if r.GSS.Shown && r.GSSFor == request {
		r.GSS.settle(o, outcome, err)
	}
	if r.Basic.Protocol == "" || r.BasicFor != request {
		return
	}
	if told := r.Basic.Username + " " + outcome; told != r.Told {
		r.Told, r.Basic.Outcome, r.Basic.Error = told, outcome, err
		o.writeLogin(&r.Basic)
	}
	r.Basic = tables.Login{}
}

// negotiated is the token of NTLM or Negotiate (RFC 4559), nil if there is none.
func negotiated(value []byte) []byte {
	scheme, text, _ := bytes.Cut(value, []byte{' '})
	if len(scheme) > len("negotiate") || !strings.EqualFold(string(scheme), "ntlm") && !strings.EqualFold(string(scheme), "negotiate") {
		return nil
	}
	token, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text)))
	if err != nil {
		return nil
	}
	return token
}

// basicUser is the user of Basic credentials (RFC 7617), without the password.
func basicUser(value []byte) []byte {
	if len(value) < 6 || !strings.EqualFold(string(value[:6]), "basic ") {
		return nil
	}
	text, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(value[6:])))
	user, _, ok := bytes.Cut(text, []byte{':'})
	if err != nil || !ok {
		return nil
	}
	return append([]byte{}, user...)
}

// headed is the end of a head: what follows (RFC 9112 section 6.3)?
func (r *httpReader) headed(o *Observer, side int) {
	s := &r.Side[side]
	row := &s.exchange.Row
	empty := false
	if side == 0 {
		o.finding.ServerName = row.Host
		row.RequestLength = tables.Some(int64(0))
	} else {
		if s.Status < 200 && s.Status != 101 {
			*s = httpSide{} // the answer itself follows
			return
		}
		row.Status, row.ResponseLength = tables.Some(s.Status), tables.Some(int64(0))
		outcome, err := loginOutcome(s.Status)
		r.judge(o, s.Number, outcome, err)
		empty = row.Method == "HEAD" || s.Status == 204 || s.Status == 304
		if s.Status == 101 && s.HTTP2 {
			r.upgrade(o)
			return
		}
		if s.Status == 101 || row.Method == "CONNECT" && s.Status < 300 { // no HTTP from here
			r.Tunnel = true
			r.end(o)
			return
		}
	}
	switch {
	case empty:
		r.whole(o, side)
	case s.Chunked:
		s.Where = atChunk
	case s.Length > 0:
		s.Where, s.Left = atBody, s.Length
	case s.Length == 0 || side == 0:
		r.whole(o, side)
	default:
		s.Where = atRest
	}
}

// upgrade has HTTP/2 go on, in which the answer to the request is that of the first stream (RFC 7540 section 3.2).
func (r *httpReader) upgrade(o *Observer) {
	asked := r.Side[1].exchange
	asked.Row.Status, asked.Row.ResponseLength = tables.Opt[int32]{}, tables.Opt[int64]{}
	r.Next = &http2Reader{Of: r.Of, Last: 1, Open: []*http2Exchange{{Row: asked.Row, Number: 1, Asked: true, Headed: [2]bool{true}}}}
	for len(r.Waiting) > 0 {
		if r.Waiting[0] != asked {
			r.shift(o)
			continue
		}
		r.text -= textOf(&asked.Row)
		r.Waiting = r.Waiting[1:]
	}
	r.Side = [2]httpSide{}
}

// lack: bytes of a body are counted all the same.
func (r *httpReader) lack(o *Observer, side int, rest []byte, n int) {
	if r.Next != nil {
		r.Next.lack(o, side, rest, n)
		return
	}
	if s := &r.Side[side]; !r.Done && s.Where != lost {
		if (s.Where == atBody || s.Where == atChunkData) && int64(n) <= s.Left || s.Where == atRest {
			r.body(o, side, int64(n))
			return
		}
		if len(rest) > 0 && s.Where == atLine { // a line that is cut
			if words := bytes.Fields(rest); side == 1 {
				r.status(o, rest)
			} else if len(words) > 1 && recognise(rest) == httpMessage {
				r.request(o, fmt.Appendf(nil, "%s %s HTTP/", words[0], words[1]))
			}
		}
		r.lose(o, side)
	}
}

// lose gives up the message being read.
func (r *httpReader) lose(o *Observer, side int) {
	s := &r.Side[side]
	switch x := s.exchange; {
	case x != nil && side == 0:
		x.Asked = true
		o.finding.ServerName = x.Row.Host
	case x != nil:
		x.Answered = true
		if s.Status >= 200 && !x.Row.Status.Set {
			x.Row.Status = tables.Some(s.Status)
		}
	case side == 1: // of a request's answer
		if x := r.answered(); x != nil {
			x.Answered = true
		}
	}
	*s = httpSide{Where: lost}
	r.settle(o)
}

// cutLine takes one line off, which may end without a carriage return.
func cutLine(b []byte) (line, rest []byte, ok bool) {
	line, rest, ok = bytes.Cut(b, []byte{'\n'})
	return bytes.TrimSuffix(line, []byte{'\r'}), rest, ok
}

// authority returns the host of an absolute request target (as proxies get
// it), or "".
func authority(target []byte) string {
	_, after, ok := bytes.Cut(target, []byte("://"))
	if !ok || len(target)-len(after) > len("https://") {
		return ""
	}
	if i := bytes.IndexAny(after, "/?#"); i >= 0 {
		after = after[:i]
	}
	return withoutPort(after)
}

// withoutPort drops the port and the brackets of an IPv6 address.
func withoutPort(b []byte) string {
	if len(b) > 0 && b[0] == '[' {
		if i := bytes.IndexByte(b, ']'); i > 0 {
			return plainName(b[1:i])
		}
		return ""
	}
	if i := bytes.IndexByte(b, ':'); i >= 0 {
		b = b[:i]
	}
	return plainName(b)
}
