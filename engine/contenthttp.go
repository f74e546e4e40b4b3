package engine

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httputil"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// textReader reads a strand and knows how far it is.
type textReader struct {
	*bufio.Reader
	all  *bytes.Reader
	size int
}

func (s *strand) reader() *textReader {
	r := bytes.NewReader(s.data)
	return &textReader{bufio.NewReaderSize(r, maxLine), r, len(s.data)}
}

func (r *textReader) at() int { return r.size - r.all.Len() - r.Buffered() }

// head is what is known of a request or an answer by its head, which is from a place to another.
// It is read as browsers do, who mind little: what servers say is not to hide what they send.
type head struct {
	method string
	status int
	fields map[string][]string // by their names in lower case
	at, to int
}

// Bounds of a head: its bytes, those of the first line, its fields.
const (
	maxHead   = 1 << 20
	maxLine   = 64 << 10
	maxFields = 1000
)

// head reads one; ok is false where none begins.
func (r *textReader) head() (h head, ok bool) {
	h = head{fields: map[string][]string{}, at: r.at()}
	for n := 0; ; {
		line, err := r.ReadSlice('\n')
		if n += len(line); errors.Is(err, bufio.ErrBufferFull) && h.begun() { // a long value
			for errors.Is(err, bufio.ErrBufferFull) && n < maxHead {
				var more []byte
				more, err = r.ReadSlice('\n')
				n += len(more)
			}
			line = nil
		}
		if err != nil || n > maxHead {
			return h, false
		}
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case !h.begun():
			if text == "" { // some stand between messages
				h.at = r.at()
				continue
			}
			if h.first(text); !h.begun() {
				return h, false
			}
		case text == "" && line != nil:
			h.to = r.at()
			return h, true
		default:
			if len(h.fields) > maxFields {
				return h, false
			}
			if name, value, ok := strings.Cut(text, ":"); ok {
				name = strings.ToLower(strings.TrimSpace(name))
				h.fields[name] = append(h.fields[name], strings.TrimSpace(value))
			}
		}
	}
}

func (h *head) begun() bool { return h.method != "" || h.status != 0 }

// first reads the line one begins with.
func (h *head) first(text string) {
	words := strings.Fields(text)
	if len(words) < 2 {
		return
	}
	if strings.HasPrefix(words[0], "HTTP/1.") {
		if n, err := strconv.Atoi(words[1]); err == nil && n >= 100 && n <= 999 {
			h.status = n
		}
	} else if len(words) > 2 && strings.HasPrefix(words[len(words)-1], "HTTP/1.") {
		h.method = strings.ToUpper(words[0])
	}
}

func (h *head) field(name string) string { return strings.Join(h.fields[name], ", ") }

// message is a head with how its body is sent (RFC 9112 6.3).
type message struct {
	head
	chunked bool
	length  int64 // -1: up to the end of the conversation
	doubt   string
}

// message tells how the body of a head is sent that answers a method.
func (h head) message(method string) (m message) {
	m = message{head: h, length: -1}
	if h.status == 0 {
		m.length = 0
	}
	lengths := h.fields["content-length"]
	switch coding := strings.ToLower(h.field("transfer-encoding")); {
	case h.status != 0 && (method == http.MethodHead || h.status < 200 || h.status == http.StatusNoContent || h.status == http.StatusNotModified):
		m.length = 0
	case coding != "" && coding != "identity":
		if m.chunked = strings.HasSuffix(coding, "chunked"); coding != "chunked" {
			m.doubt = "it is as it was sent, encoded as " + quoted(coding)
		} else if len(lengths) > 0 {
			m.doubt = "its length is said in two ways"
		}
	case len(lengths) > 0:
		n, err := strconv.ParseInt(strings.TrimSpace(lengths[0]), 10, 63)
		if m.length = n; err != nil || n < 0 {
			m.length, m.doubt = -1, "its length is said as "+quoted(lengths[0])
		} else if len(slices.Compact(slices.Clone(lengths))) > 1 {
			m.doubt = "its length is said in two ways"
		}
	}
	return m
}

// body reads it, and what is behind it of the message; of a long one not more than a limit is
// given, and one byte.
func (m *message) body(r *textReader, limit int) (raw []byte, err error) {
	var from io.Reader = r.Reader
	switch {
	case m.chunked:
		from = httputil.NewChunkedReader(r.Reader)
	case m.length >= 0:
		from = io.LimitReader(r.Reader, m.length)
	}
	if raw, err = io.ReadAll(io.LimitReader(from, int64(limit)+1)); err == nil && len(raw) > limit {
		_, err = io.Copy(io.Discard, from)
	}
	if err == nil && !m.chunked && m.length >= 0 && r.at() < m.to+int(min(m.length, int64(r.size))) {
		err = io.ErrUnexpectedEOF
	}
	for m.chunked && err == nil { // fields behind it
		var line []byte
		if line, err = r.ReadSlice('\n'); len(bytes.TrimRight(line, "\r\n")) == 0 {
			break
		}
	}
	return raw, err
}

// carveHTTP finds the request that begins in a packet, after as many others as the file's id says, and takes its body if it stores one,
// else that of its answer. Answers belong to requests by their order, so from where a head is
// not there as it was sent, nothing is found: how many follow is not known.
func carveHTTP(ctx context.Context, sides *[2]strand, f fileID, limit int) (c content, err error) {
	if bytes.HasPrefix(sides[0].data, http2Preface) {
		return carveHTTP2(ctx, sides, f, [2]int{behindPreface(&sides[0]), 0}, 0, limit)
	}
	before := [2]int{} // messages that begin in the packet, too
	asks, answers := sides[0].reader(), sides[1].reader()
	asked, answered := sides[0].of(f.begin), sides[1].of(f.begin)
	for ctx.Err() == nil {
		ask, ok := asks.head()
		if !ok && ask.at < asks.size {
			return c, errNotFound
		}
		ours := ok && inPacket(asked, ask.at)
		if ours {
			before[0]++
			ours = before[0] == f.nth+1
		}
		if ok {
			if !ours && !sides[0].whole(ask.at, ask.to) {
				return c, errNotFound
			}
			m := ask.message("")
			if ours && ask.method == http.MethodPut {
				return c, m.content(&c, &sides[0], asks, limit)
			}
			if _, err := m.body(asks, 0); !ours && (err != nil || m.doubt != "") {
				return c, errNotFound
			}
		}
		for {
			answer, there := answers.head()
			if !there {
				return c, errNotFound
			}
			// One that was sent before the request was heard answers another, that was not seen.
			own := ok && sides[1].heardOf(answer.at, &sides[0], ask.at)
			method := ""
			if own {
				method = ask.method
			}
			m := answer.message(method)
			mine := own && ours
			final := answer.status >= 200 || answer.status == http.StatusSwitchingProtocols
			if !own && final && inPacket(answered, answer.at) {
				before[1]++
				mine = before[1] == f.nth+1
			}
			if !mine && (m.doubt != "" || !sides[1].whole(answer.at, answer.to)) {
				return c, errNotFound
			}
			if mine && final {
				if behind := behindPreface(&sides[0]); answer.status == http.StatusSwitchingProtocols && behind >= 0 {
					return carveHTTP2(ctx, sides, f, [2]int{behind, answer.to}, 1, limit)
				}
				if ours && !sides[0].whole(ask.at, asks.at()) {
					c.lack("what was asked was not captured whole")
				}
				return c, m.content(&c, &sides[1], answers, limit)
			}
			if final && answer.status == http.StatusSwitchingProtocols {
				if behind := behindPreface(&sides[0]); behind >= 0 {
					return carveHTTP2(ctx, sides, f, [2]int{behind, answer.to}, 0, limit)
				}
			}
			if _, err := m.body(answers, 0); err != nil {
				return c, errNotFound
			}
			if final && (own || !ok) {
				break
			}
		}
	}
	return c, ctx.Err()
}

// contentRange is the value of a header (RFC 9110 14.4).
var contentRange = regexp.MustCompile(`(?i)^\s*bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)\s*$`)

// piece tells which part of a file one is that was not sent as a whole.
func (c *content) piece(h *head) {
	m := contentRange.FindStringSubmatch(h.field("content-range"))
	if m == nil {
		c.lack("it is a part of the file, as %s says", quoted(h.field("content-type")))
		return
	}
	last, _ := strconv.ParseInt(m[2], 10, 64)
	size, err := strconv.ParseInt(m[3], 10, 64)
	switch {
	case err != nil:
		c.lack("it is bytes %s to %s of the file", m[1], m[2])
	case m[1] != "0" || last != size-1:
		c.lack("it is bytes %s to %s of the file's %s", m[1], m[2], quantity(size, "byte"))
	}
}

// quoted is a text of a header.
func quoted(text string) string { return strconv.Quote(text[:min(len(text), 255)]) }

// content reads the body and undoes its compression.
func (m *message) content(c *content, s *strand, text *textReader, limit int) error {
	raw, err := m.body(text, limit)
	if len(raw) > limit {
		return errTooLong
	}
	c.data = raw
	if !s.whole(m.at, m.to) {
		c.lack("its head was not captured whole: where it ends, and how it is encoded, may not be as it was said")
	}
	if m.doubt != "" {
		c.lack("%s", m.doubt)
	}
	if m.status == http.StatusPartialContent || len(m.fields["content-range"]) > 0 {
		c.piece(&m.head)
	}
	switch {
	case err != nil && m.length >= 0:
		c.lack("%d of its %s are there", len(raw), quantity(m.length, "byte"))
	case err != nil:
		c.lack("it breaks off after %s", quantity(int64(len(raw)), "byte"))
	case m.length < 0 && !m.chunked && !s.ended:
		c.lack("the end of the conversation was not captured")
	}
	var gaps content
	s.lacking(&gaps, m.to, text.at())
	for _, g := range gaps.lacks {
		if m.chunked { // with what is between the chunks
			g = "of its chunks, " + g
		}
		c.lack("%s", g)
	}
	return c.plain(m.field("content-encoding"), limit)
}

// plain undoes the compression of a body.
func (c *content) plain(coding string, limit int) (err error) {
	raw := c.data
	var plain io.Reader
	switch strings.ToLower(coding) {
	case "gzip", "x-gzip":
		plain, err = gzip.NewReader(bytes.NewReader(raw))
	case "deflate":
		if plain, err = zlib.NewReader(bytes.NewReader(raw)); err != nil { // some send it bare
			plain, err = flate.NewReader(bytes.NewReader(raw)), nil
		}
	case "", "identity":
		return nil
	default:
		c.lack("it is as it was sent, encoded as %s", quoted(coding))
		return nil
	}
	if err == nil {
		var out []byte
		out, err = io.ReadAll(io.LimitReader(plain, int64(limit)+1))
		if len(out) > limit {
			return errTooLong
		}
		c.data = out
	}
	if err != nil {
		c.lack("its encoding is broken after %s", quantity(int64(len(c.data)), "byte"))
	}
	return nil
}
