package observe

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// HTTP/2 in clear (RFC 9113), by prior knowledge or after an upgrade (RFC 7540 section 3.2): a request
// and its answer are a stream, of which there are several at a time. Of bodies only the length is noted.

const (
	// http2Preface is what a client begins with.
	http2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// maxHTTP2Streams are open at a time; of more, the oldest is written.
	maxHTTP2Streams = 256
	// maxBlock is how long the fields of a head may be, and of what follows it.
	maxBlock = 64 << 10
	// maxFrame is the longest frame that is taken for one after a gap.
	maxFrame = 1 << 16

	http2FrameHead = 9
)

// Frames and their flags.
const (
	http2Data         = 0
	http2Headers      = 1
	http2Priority     = 2
	http2Reset        = 3
	http2Settings     = 4
	http2Promise      = 5
	http2Ping         = 6
	http2GoAway       = 7
	http2Window       = 8
	http2Continuation = 9

	http2EndStream  = 1
	http2EndHeaders = 4
	http2Padded     = 8
	http2HasWeight  = 0x20
)

// http2Reader reads a conversation.
type http2Reader struct {
	Of    Peers
	Side  [2]http2Side
	Began [2]begun
	Open  []*http2Exchange // in the order they began
	Last  uint32           // the highest number that a client gave
	Told  string           // the last Basic login: each request brings it again
	Done  bool
}

// http2Side is where a direction is.
type http2Side struct {
	Begun bool // the client's preface was seen
	Lost  bool // until frames begin with a packet
	Table headerTable
	// From is where the frame begins that is read, if InFrame.
	From    Origin
	InFrame bool
	// Of a frame with data: bytes of it and those behind it that are to come. Skip is also a
	// frame that is too long.
	Data   bool
	Stream uint32
	Ends   bool // the stream
	Left   int
	Skip   int
	// Of a head that is not whole:
	Head *http2Head
}

// http2Head is the fields of a head, in one frame or several.
type http2Head struct {
	Stream  uint32
	Promise bool // of a request that the server expects
	Ends    bool // the stream
	TooLong bool
	Block   []byte
	From    Origin
}

// http2Exchange is a stream.
type http2Exchange struct {
	Row             tables.HTTP
	Number          uint32
	Asked, Answered bool // wholly
	Headed          [2]bool
	Login           tables.Login
	authority       string // of the request, while it is read
}

func (r *http2Reader) over() bool  { return r.Done }
func (r *http2Reader) opens() bool { return false }

func (r *http2Reader) holds() int {
	n := 1024
	for i := range r.Side {
		n += r.Side[i].Table.Size
		if h := r.Side[i].Head; h != nil {
			n += len(h.Block)
		}
	}
	for _, x := range r.Open {
		n += 768 + textOf(&x.Row)
	}
	return n
}

func (r *http2Reader) end(o *Observer) {
	r.Done = true
	for _, x := range r.Open {
		r.write(o, x)
	}
	r.Open = nil
}

// write writes a stream that is over.
func (r *http2Reader) write(o *Observer, x *http2Exchange) {
	r.judge(o, x, tables.LoginUnknown, "")
	o.write(&x.Row)
}

// judge writes the login of a request, with what became of it.
func (r *http2Reader) judge(o *Observer, x *http2Exchange, outcome, err string) {
	if x.Login.Protocol == "" {
		return
	}
	if told := x.Login.Username + " " + outcome; told != r.Told {
		r.Told, x.Login.Outcome, x.Login.Error = told, outcome, err
		o.writeLogin(&x.Login)
	}
	x.Login = tables.Login{}
}

// find is an open stream.
func (r *http2Reader) find(number uint32) *http2Exchange {
	for _, x := range r.Open {
		if x.Number == number {
			return x
		}
	}
	return nil
}

// add begins a stream.
func (r *http2Reader) add(o *Observer, side int, number uint32, from *Origin) *http2Exchange {
	if len(r.Open) >= maxHTTP2Streams {
		o.stats.Evicted++
		r.write(o, r.Open[0])
		r.Open = slices.Delete(r.Open, 0, 1)
	}
	x := &http2Exchange{Number: number, Row: newHTTP(&r.Of, from)}
	x.Row.Version, x.Row.Nth = "2", r.Began[side].again(from)
	r.Open = append(r.Open, x)
	o.finding.Service = httpMessage.service()
	return x
}

// settle writes a stream if it is over.
func (r *http2Reader) settle(o *Observer, x *http2Exchange) {
	if !x.Asked || !x.Answered {
		return
	}
	r.write(o, x)
	i := slices.Index(r.Open, x)
	r.Open = slices.Delete(r.Open, i, i+1)
}

func (r *http2Reader) read(o *Observer, side int, b []byte, from *Origin) (used int) {
	s, all := &r.Side[side], len(b)
	switch {
	case s.Lost:
		if !beginsFrames(b) {
			return all
		}
		s.Lost = false
	case side == 0 && !s.Begun:
		if !begins(b, http2Preface) {
			r.lose(o, side)
			return all
		}
		if len(b) < len(http2Preface) {
			return 0
		}
		b = b[len(http2Preface):]
	}
	s.Begun = true
	for len(b) > 0 && !s.Lost {
		if s.Left+s.Skip > 0 {
			b = b[r.pass(o, side, len(b)):]
			continue
		}
		if !s.InFrame {
			s.InFrame, s.From = true, *from
		}
		if len(b) < http2FrameHead {
			break
		}
		n := int(b[0])<<16 | int(binary.BigEndian.Uint16(b[1:]))
		kind, flags, stream := b[3], b[4], binary.BigEndian.Uint32(b[5:])&^(1<<31)
		switch {
		case kind == http2Data:
			head, pad := http2FrameHead, 0
			if flags&http2Padded != 0 {
				if len(b) == head {
					return all - len(b)
				}
				pad = 1 + int(b[head])
				head++
			}
			if pad > n {
				r.lose(o, side)
				return all
			}
			b = b[head:]
			s.Data, s.Stream, s.Ends, s.Left, s.Skip = true, stream, flags&http2EndStream != 0, n-pad, max(pad-1, 0)
			if s.Left+s.Skip == 0 {
				r.passed(o, side)
			}
		case http2FrameHead+n > maxRest: // of what is that long nothing is looked at
			if kind == http2Headers || kind == http2Promise || kind == http2Continuation {
				o.stats.Malformed++
				s.Head = nil
				s.Table.forget()
			}
			b = b[http2FrameHead:]
			s.Data, s.Skip = false, n
		case len(b) < http2FrameHead+n:
			return all - len(b)
		default:
			r.frame(o, side, kind, flags, stream, b[http2FrameHead:http2FrameHead+n])
			b, s.InFrame = b[http2FrameHead+n:], false
		}
	}
	if s.Lost {
		return all
	}
	return all - len(b)
}

// pass takes up to n bytes of a frame with data, or of one that is too long.
func (r *http2Reader) pass(o *Observer, side, n int) (taken int) {
	s := &r.Side[side]
	data := min(s.Left, n)
	skipped := min(s.Skip, n-data)
	if data > 0 {
		if x := r.find(s.Stream); x != nil && x.Headed[side] {
			if side == 0 {
				x.Row.RequestLength.V += int64(data)
			} else {
				x.Row.ResponseLength.V += int64(data)
			}
		}
	}
	s.Left -= data
	if s.Skip -= skipped; s.Left+s.Skip == 0 {
		r.passed(o, side)
	}
	return data + skipped
}

// passed is the end of such a frame.
func (r *http2Reader) passed(o *Observer, side int) {
	s := &r.Side[side]
	s.InFrame = false
	if s.Data && s.Ends {
		r.ended(o, side, s.Stream)
	}
}

// ended notes that a side sends no more on a stream.
func (r *http2Reader) ended(o *Observer, side int, stream uint32) {
	if x := r.find(stream); x != nil {
		if side == 0 {
			x.Asked = true
		} else {
			x.Answered = true
		}
		r.settle(o, x)
	}
}

// frame reads one that is whole, of any kind but data.
func (r *http2Reader) frame(o *Observer, side int, kind, flags byte, stream uint32, b []byte) {
	s := &r.Side[side]
	if kind == http2Headers || kind == http2Promise {
		head := &http2Head{Stream: stream, Ends: kind == http2Headers && flags&http2EndStream != 0, From: s.From}
		f := bytesReader{b, true}
		if flags&http2Padded != 0 {
			pad := int(f.number(1))
			f.b = f.b[:max(len(f.b)-pad, 0)]
		}
		if kind == http2Promise {
			head.Stream, head.Promise = f.number(4)&^(1<<31), true
		} else if flags&http2HasWeight != 0 {
			f.take(5)
		}
		if !f.ok {
			r.lose(o, side)
			return
		}
		s.Head = head
		b = f.b
	}
	switch kind {
	case http2Continuation, http2Headers, http2Promise:
		head := s.Head
		if head == nil {
			return // of one that is too long
		}
		if head.TooLong = head.TooLong || len(head.Block)+len(b) > maxBlock; head.TooLong {
			head.Block = nil
		} else if head.Block == nil && flags&http2EndHeaders != 0 {
			head.Block = b
		} else {
			head.Block = append(head.Block, b...)
		}
		if flags&http2EndHeaders != 0 {
			s.Head = nil
			r.head(o, side, head)
		}
	case http2Reset:
		r.ended(o, 0, stream)
		r.ended(o, 1, stream)
	}
}

// head reads the fields of a request, an answer, or of what follows their bodies.
func (r *http2Reader) head(o *Observer, side int, head *http2Head) {
	s := &r.Side[side]
	x := r.find(head.Stream)
	if x == nil && !head.TooLong {
		switch odd := head.Stream&1 == 1; {
		case side == 0 && odd && head.Stream > r.Last:
			r.Last = head.Stream
			x = r.add(o, side, head.Stream, &head.From)
		case side == 1 && head.Promise && !odd, side == 1 && !head.Promise && odd && head.Stream > r.Last: // its request was not seen
			x = r.add(o, side, head.Stream, &head.From)
			x.Asked = true
		}
	}
	asks := side == 0 || head.Promise
	first := x != nil && (asks && !x.Headed[0] || !asks && !x.Headed[1])
	status := 0
	var seen [len(http2Fields)]bool
	whole := !head.TooLong && s.Table.block(head.Block, func(f *headerField) {
		i := slices.Index(http2Fields[:], f.Name)
		if !first || i < 0 || seen[i] {
			return
		}
		seen[i] = true
		value := []byte(f.Value[:min(len(f.Value), maxURI+utf8.UTFMax)])
		if f.Name == ":status" {
			status, _ = strconv.Atoi(string(value))
		}
		x.field(&r.Of, asks, f.Name, value, &head.From)
	})
	if !whole {
		o.stats.Malformed++
		s.Table.forget()
	}
	switch {
	case !first:
	case asks:
		x.Headed[0], x.Row.RequestLength = true, tables.Some(int64(0))
		if x.Row.Method == "CONNECT" {
			x.Row.URI = x.authority
		}
		if x.authority != "" {
			x.Row.Host = withoutPort([]byte(x.authority))
		}
		o.finding.ServerName = x.Row.Host
	case status < 100 || status >= 200: // the answer itself, perhaps with a status that is not known
		x.Headed[1], x.Row.ResponseLength = true, tables.Some(int64(0))
		if status >= 200 && status <= 999 {
			x.Row.Status = tables.Some(int32(status))
			outcome, err := loginOutcome(int32(status))
			r.judge(o, x, outcome, err)
		}
	}
	if head.Ends {
		r.ended(o, side, head.Stream)
	}
}

// http2Fields are those that are noted, of a head the first of each and no more of it than a column takes: a byte
// may stand for all that the table holds.
var http2Fields = [...]string{":status", ":method", ":path", ":authority", "authorization", "proxy-authorization",
	"content-type", "content-disposition", "host", "user-agent", "referer"}

// field notes one of a request or an answer.
func (x *http2Exchange) field(of *Peers, asks bool, name string, value []byte, from *Origin) {
	row := &x.Row
	if !asks {
		headerOf(row, 1, name, value)
		return
	}
	switch name {
	case ":method":
		row.Method = strings.ToUpper(plainText(value, maxWord))
	case ":path":
		row.URI = plainText(value, maxURI)
	case ":authority":
		x.authority = plainText(value, maxURI)
	case "authorization", "proxy-authorization":
		if user := basicUser(value); user != nil {
			x.Login = newLogin(of, from, tables.LoginHTTP)
			x.Login.Username, x.Login.Cleartext = plainText(user, maxWord), tables.Some(true)
			if name == "authorization" {
				row.Username = x.Login.Username
			}
		}
	default:
		headerOf(row, 0, name, value)
	}
}

// lack: bytes of a body are counted all the same.
func (r *http2Reader) lack(o *Observer, side int, rest []byte, n int) {
	s := &r.Side[side]
	if r.Done || s.Lost {
		return
	}
	if len(rest) == 0 && n <= s.Left+s.Skip {
		r.pass(o, side, n)
		return
	}
	r.lose(o, side)
}

// lose gives up a direction until frames are found again.
func (r *http2Reader) lose(o *Observer, side int) {
	s := &r.Side[side]
	s.Table.forget()
	*s = http2Side{Begun: true, Lost: true, Table: s.Table}
}

// beginsFrames tells whether bytes are frames, one behind the other.
func beginsFrames(b []byte) bool {
	some := false
	for ; len(b) >= http2FrameHead; some = true {
		n := int(b[0])<<16 | int(binary.BigEndian.Uint16(b[1:]))
		stream := binary.BigEndian.Uint32(b[5:])
		connection, ok := stream == 0, true // of which of the two a frame is
		switch b[3] {
		case http2Data, http2Headers, http2Promise, http2Continuation:
			ok = !connection
		case http2Priority:
			ok = !connection && n == 5
		case http2Reset:
			ok = !connection && n == 4
		case http2Settings:
			ok = connection && n%6 == 0
		case http2Ping:
			ok = connection && n == 8
		case http2GoAway:
			ok = connection && n >= 8
		case http2Window:
			ok = n == 4
		default:
			return false
		}
		if !ok || n > maxFrame || stream>>31 != 0 {
			return false
		}
		b = b[min(http2FrameHead+n, len(b)):]
	}
	return some
}
