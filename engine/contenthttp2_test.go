package engine

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"github.com/wiresql/wiresql/tables"
)

// frame is one of HTTP/2.
func frame(kind, flags byte, stream uint32, b []byte) []byte {
	head := binary.BigEndian.AppendUint32([]byte{byte(len(b) >> 16), byte(len(b) >> 8), byte(len(b)), kind, flags}, stream)
	return append(head, b...)
}

// TestOddHTTP2: bodies are told apart by their streams, whatever is between their frames, and what lacks of one is told of.
func TestOddHTTP2(t *testing.T) {
	var sides [2]struct {
		buf bytes.Buffer
		enc *hpack.Encoder
	}
	fresh := func() {
		for i := range sides {
			sides[i].buf.Reset()
			sides[i].enc = hpack.NewEncoder(&sides[i].buf)
		}
	}
	fields := func(side int, list ...string) []byte {
		sides[side].buf.Reset()
		for i := 0; i < len(list); i += 2 {
			if err := sides[side].enc.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]}); err != nil {
				t.Fatal(err)
			}
		}
		return slices.Clone(sides[side].buf.Bytes())
	}
	request := func(stream uint32, method, path string) []byte {
		return frame(http2Headers, http2EndHeaders|http2EndStream, stream, fields(0, ":method", method, ":path", path, ":authority", "h.example"))
	}
	carved := func(packets []heard, id tables.ID, nth int) string {
		t.Helper()
		c, err := carve(t.Context(), packets, fileID{protocol: tables.FileHTTP, begin: id, nth: nth}, 1<<20)
		if err != nil {
			return err.Error()
		}
		return strings.Join(append([]string{string(c.data)}, c.lacks...), "; ")
	}
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, "plain text")
	z.Close()

	fresh()
	s := newSpoken()
	settings := frame(4, 0, 0, nil)
	a := s.say(0, string(http2Preface)+string(settings)+string(request(1, "GET", "/a"))+string(request(3, "GET", "/b")))
	b := s.say(0, string(frame(http2Headers, http2EndHeaders, 5, fields(0, ":method", "PUT", ":path", "/c")))+string(frame(http2Data, 0, 5, []byte("stored, "))))
	s.say(0, string(frame(http2Data, http2Padded|http2EndStream, 5, []byte("\x03in two\x00\x00\x00")))+string(request(7, "GET", "/d")))
	head := fields(1, ":status", "200", "content-encoding", "gzip", "x", "y")
	s.say(1, string(settings)+string(frame(http2Headers, http2EndHeaders, 1, fields(1, ":status", "103")))+
		string(frame(http2Headers, 0, 3, head[:2]))+string(frame(http2Continuation, http2EndHeaders, 3, head[2:])))
	s.say(1, string(frame(http2Headers, http2EndHeaders, 1, fields(1, ":status", "206", "content-range", "bytes 2-7/20")))+string(frame(http2Data, 0, 3, zipped.Bytes()[:9]))+string(frame(http2Data, 0, 1, []byte("fir"))))
	s.say(1, string(frame(http2Data, http2EndStream, 3, zipped.Bytes()[9:])))
	s.say(1, string(frame(http2Data, 0, 1, []byte("st"))))
	s.say(1, string(frame(http2Data, 0, 1, []byte("!"))))
	last := s.say(1, string(frame(http2Headers, http2EndHeaders|http2EndStream, 1, fields(1, "x-sum", "1"))))
	s.say(1, string(frame(http2Headers, http2EndHeaders, 7, fields(1, ":status", "200", "content-length", "9")))+string(frame(http2Data, 0, 7, []byte("part")))+string(frame(http2Reset, 0, 7, []byte{0, 0, 0, 8})))
	check("the first", carved(s.packets, a, 0), "first!; it is bytes 2 to 7 of the file's 20 bytes")
	check("the second of a packet", carved(s.packets, a, 1), "plain text")
	check("a third", carved(s.packets, a, 2), errNotFound.Error())
	check("one that is stored", carved(s.packets, b, 0), "stored, in two")
	check("one that is broken off", carved(s.packets, b+1, 0), "part; it was broken off after 4 bytes; 4 of its 9 bytes are there")
	for i, p := range s.packets {
		if p.id != last-2 {
			continue
		}
		// Bytes that lack within a frame are told of, and where a frame's head lacks reading ends.
		lost := slices.Delete(slices.Clone(s.packets), i, i+1)
		check("a frame that lacks", carved(lost, a, 0), "fir; it is bytes 2 to 7 of the file's 20 bytes; its end was not captured")
		cut := slices.Clone(s.packets)
		cut[i].payload = cut[i].payload[:10]
		check("a frame that is cut", carved(cut, a, 0), "firs\x00!; it is bytes 2 to 7 of the file's 20 bytes; of a frame, 1 byte missing from byte 1 on")
	}

	// After an upgrade the request is stream 1, and others follow; what is pushed begins in the server's packet.
	fresh()
	s = newSpoken()
	a = s.say(0, "GET /a HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n")
	s.say(1, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
	b = s.say(0, string(http2Preface)+string(settings)+string(request(3, "GET", "/b")))
	push := s.say(1, string(settings)+string(frame(http2Promise, http2EndHeaders, 1, append([]byte{0, 0, 0, 2}, fields(1, ":method", "GET", ":path", "/pushed")...)))+
		string(frame(http2Headers, http2EndHeaders, 1, fields(1, ":status", "200")))+string(frame(http2Headers, http2EndHeaders, 2, fields(1, ":status", "200")))+
		string(frame(http2Data, http2EndStream, 2, []byte("pushed")))+string(frame(http2Data, http2EndStream, 1, []byte("upgraded")))+
		string(frame(http2Headers, http2EndHeaders, 3, fields(1, ":status", "200")))+string(frame(http2Data, http2EndStream, 3, []byte("other"))))
	check("after an upgrade", carved(s.packets, a, 0)+"|"+carved(s.packets, b, 0)+"|"+carved(s.packets, push, 0), "upgraded|other|pushed")

	// Whatever is said, it ends, and nothing is longer than it may be.
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		torn := slices.Clone(s.packets)
		for i := range torn {
			torn[i].payload = slices.Clone(torn[i].payload)
			for range random.IntN(4) {
				if n := len(torn[i].payload); n > 0 {
					torn[i].payload[random.IntN(n)] = byte(random.Uint32())
				}
			}
		}
		for _, id := range []tables.ID{a, b, push} {
			carved(torn, id, random.IntN(2))
		}
	}
}

func FuzzHTTP2Content(f *testing.F) {
	f.Add(frame(http2Headers, http2EndHeaders|http2EndStream, 1, []byte{0x82, 0x84}), append(frame(http2Headers, http2EndHeaders, 1, []byte{0x88}), frame(http2Data, 1, 1, []byte("x"))...))
	f.Fuzz(func(t *testing.T, client, server []byte) {
		s := newSpoken()
		id := s.say(0, string(http2Preface)+string(client))
		s.say(1, string(server))
		const limit = 1 << 12
		c, err := carve(t.Context(), s.packets, fileID{protocol: tables.FileHTTP, begin: id}, limit)
		if err == nil && len(c.data) > limit {
			t.Errorf("%d bytes", len(c.data))
		}
	})
}
