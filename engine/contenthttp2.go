package engine

import (
	"bytes"
	"context"
	"encoding/binary"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http2/hpack"
)

// Bodies of HTTP/2 in clear (RFC 9113): what the frames with data of a stream carry.

const (
	http2Data         = 0
	http2Headers      = 1
	http2Reset        = 3
	http2Promise      = 5
	http2Continuation = 9

	http2EndStream  = 1
	http2EndHeaders = 4
	http2Padded     = 8
	http2HasWeight  = 0x20

	http2FrameHead = 9
	http2MaxTable  = 64 << 10
)

// http2Preface is what a client says before HTTP/2.
var http2Preface = []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

// http2Side reads a direction.
type http2Side struct {
	*strand
	fields *hpack.Decoder
	emit   func(hpack.HeaderField)
	head   http2Head // that goes on in the next frame
	open   bool      // head is not whole
}

// http2Head is the head of a request or an answer: where it is, and whose.
type http2Head struct {
	stream       uint32
	at, to       int
	promise, end bool
	block        []byte
}

func newHTTP2Side(s *strand) *http2Side {
	r := &http2Side{strand: s}
	r.fields = hpack.NewDecoder(4096, func(f hpack.HeaderField) {
		if r.emit != nil {
			r.emit(f)
		}
	})
	r.fields.SetAllowedMaxDynamicTableSize(http2MaxTable)
	return r
}

// frames gives a direction's frames from a place on: heads, the data of streams, and resets. It ends where the head of a
// frame was not captured, or of a head's fields: how the following are written is not known.
func (r *http2Side) frames(ctx context.Context, at int, headed func(*http2Head, map[string][]string) bool, data func(stream uint32, at int, b []byte, end bool) bool, reset func(uint32)) error {
	for at+http2FrameHead <= len(r.data) && r.whole(at, at+http2FrameHead) && ctx.Err() == nil {
		b := r.data[at:]
		n := int(b[0])<<16 | int(binary.BigEndian.Uint16(b[1:]))
		kind, flags, stream := b[3], b[4], binary.BigEndian.Uint32(b[5:])&^(1<<31)
		from, to := at+http2FrameHead, min(at+http2FrameHead+n, len(r.data))
		cut := at+http2FrameHead+n > len(r.data)
		b = r.data[from:to]
		begin := at
		at = to
		padded := flags&http2Padded != 0 && (kind == http2Data || kind == http2Headers || kind == http2Promise)
		if padded {
			if len(b) == 0 {
				return ctx.Err()
			}
			pad := int(b[0])
			if b, from = b[1:], from+1; !cut {
				b = b[:max(len(b)-pad, 0)]
			}
		}
		switch kind {
		case http2Data:
			if !data(stream, from, b, flags&http2EndStream != 0 && !cut) {
				return nil
			}
		case http2Reset:
			reset(stream)
		case http2Headers, http2Promise:
			r.head = http2Head{stream: stream, at: begin, promise: kind == http2Promise, end: flags&http2EndStream != 0}
			skip := 0
			if kind == http2Promise {
				skip = 4
			} else if flags&http2HasWeight != 0 {
				skip = 5
			}
			if len(b) < skip {
				return ctx.Err()
			}
			if kind == http2Promise {
				r.head.stream, r.head.end = binary.BigEndian.Uint32(b)&^(1<<31), false
			}
			r.open, b = true, b[skip:]
			fallthrough
		case http2Continuation:
			if !r.open || cut || !r.whole(begin, to) || len(r.head.block)+len(b) > maxHead {
				return ctx.Err()
			}
			if r.head.block = append(r.head.block, b...); flags&http2EndHeaders == 0 {
				continue
			}
			r.open, r.head.to = false, to
			fields := map[string][]string{}
			r.emit = func(f hpack.HeaderField) {
				if len(fields) < maxFields {
					fields[f.Name] = append(fields[f.Name], f.Value)
				}
			}
			_, err := r.fields.Write(r.head.block)
			if err == nil {
				err = r.fields.Close()
			}
			if err != nil || !headed(&r.head, fields) {
				return ctx.Err()
			}
		}
	}
	return ctx.Err()
}

// carveHTTP2 finds the request that begins in a packet, after as many others as the file's id says, and takes its body
// if it stores one, else that of its answer. Each direction is read from a place on: behind the preface, and behind
// the answer that switched to HTTP/2, whose request is stream 1.
func carveHTTP2(ctx context.Context, sides *[2]strand, f fileID, from [2]int, stream uint32, limit int) (c content, err error) {
	var ends [2]*http2Side
	for i := range ends {
		ends[i] = newHTTP2Side(&sides[i])
	}
	packets := [2][]stretch{sides[0].of(f.begin), sides[1].of(f.begin)}
	never := func(uint32, int, []byte, bool) bool { return true }
	stores := false
	asked := map[uint32]bool{1: from[1] > 0}
	begun := [2]int{}
	for side := range ends { // who begins streams, and which begins in the packet
		if stream != 0 {
			break
		}
		err = ends[side].frames(ctx, from[side], func(h *http2Head, fields map[string][]string) bool {
			asks := side == 0 || h.promise
			if asked[h.stream] || len(asked) > 1<<20 {
				return true
			}
			asked[h.stream] = true
			if !inPacket(packets[side], h.at) {
				return true
			}
			if begun[side]++; begun[side] != f.nth+1 {
				return true
			}
			stream, stores = h.stream, asks && strings.EqualFold(strings.Join(fields[":method"], ""), http.MethodPut)
			return false
		}, never, func(uint32) {})
		if err != nil {
			return c, err
		}
	}
	if stream == 0 {
		return c, errNotFound
	}
	side := 1
	if stores {
		side = 0
	}
	var m message
	var raw []byte
	var gaps content
	ended, broken, long := false, false, false
	s := newHTTP2Side(&sides[side])
	err = s.frames(ctx, from[side], func(h *http2Head, fields map[string][]string) bool {
		switch {
		case h.stream != stream || h.promise:
			return true
		case m.fields != nil: // what follows the body
			ended = h.end
			return !ended
		}
		status, _ := strconv.Atoi(strings.Join(fields[":status"], ""))
		if side == 1 && status < 200 {
			return true
		}
		m = message{head: head{status: status, fields: fields, at: h.at, to: h.to}}
		ended = h.end
		return !ended
	}, func(of uint32, at int, b []byte, end bool) bool {
		if of != stream || m.fields == nil {
			return true
		}
		s.lacking(&gaps, at, at+len(b))
		if long = len(raw)+len(b) > limit; long {
			return false
		}
		raw, ended = append(raw, b...), end
		return !end
	}, func(of uint32) { broken = broken || of == stream && !ended })
	switch {
	case err != nil:
		return c, err
	case m.fields == nil:
		return c, errNotFound
	case long:
		return c, errTooLong
	}
	if m.status == http.StatusPartialContent || len(m.fields["content-range"]) > 0 {
		c.piece(&m.head)
	}
	c.data = raw
	switch {
	case broken:
		c.lack("it was broken off after %s", quantity(int64(len(raw)), "byte"))
	case !ended:
		c.lack("its end was not captured")
	}
	if n, err := strconv.ParseInt(m.field("content-length"), 10, 64); err == nil && n > int64(len(raw)) {
		c.lack("%d of its %s are there", len(raw), quantity(n, "byte"))
	}
	for _, g := range gaps.lacks {
		c.lack("of a frame, %s", g)
	}
	return c, c.plain(m.field("content-encoding"), limit)
}

// behindPreface is where frames begin that a client sends, -1 if there are none.
func behindPreface(s *strand) int {
	at := bytes.Index(s.data, http2Preface)
	if at < 0 {
		return -1
	}
	return at + len(http2Preface)
}
