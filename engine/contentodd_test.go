package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/tables"
)

// spoken is a conversation over TCP as it is captured: what is said by turns, a packet each, the
// client's first.
type spoken struct {
	packets []heard
	next    [2]uint32
}

func newSpoken() *spoken {
	s := &spoken{next: [2]uint32{0xfffffff0, 77}} // the numbers wrap
	s.add(0, tables.TCPSyn, nil)
	s.next[0]++
	s.add(1, tables.TCPSyn|tables.TCPAck, nil)
	s.next[1]++
	return s
}

func (s *spoken) add(side int, flags uint16, b []byte) *heard {
	ends := [2]end{{tables.AddrFrom4([]byte{10, 0, 0, 1}), 40000}, {tables.AddrFrom4([]byte{10, 0, 0, 2}), 80}}
	n := len(s.packets) + 1
	p := heard{ts: int64(n), id: tables.ID(n), from: ends[side], to: ends[1-side], proto: tables.ProtocolTCP, flags: flags, seq: s.next[side], ack: s.next[1-side], payload: b}
	if flags&tables.TCPSyn != 0 {
		p.seq++ // as hear has it
	}
	s.next[side] += uint32(len(b))
	s.packets = append(s.packets, p)
	return &s.packets[n-1]
}

// say adds a packet and gives its id.
func (s *spoken) say(side int, text string) tables.ID {
	return s.add(side, tables.TCPAck|tables.TCPPsh, []byte(text)).id
}

func (s *spoken) end() {
	s.add(1, tables.TCPFin|tables.TCPAck, nil)
}

func get(name string) string { return "GET /" + name + " HTTP/1.1\r\nHost: h\r\n\r\n" }

func replied(body string, fields ...string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s", len(body), strings.Join(fields, ""), body)
}

// TestOddHTTP: what HTTP moves is told of as not whole where it is a part, in doubt, or not known
// to be what was asked for; and what a server says besides does not hide it.
func TestOddHTTP(t *testing.T) {
	carvedOf := func(s *spoken, id tables.ID, nth int) string {
		t.Helper()
		c, err := carve(t.Context(), s.packets, fileID{protocol: tables.FileHTTP, begin: id, nth: nth}, 1<<20)
		if err != nil {
			return err.Error()
		}
		return strings.Join(append([]string{string(c.data)}, c.lacks...), "; ")
	}
	carved := func(s *spoken, id tables.ID) string { return carvedOf(s, id, 0) }
	check := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}

	s := newSpoken()
	a := s.say(0, get("a"))
	s.say(1, replied("first"))
	b := s.say(0, get("b"))
	s.say(1, replied("second"))
	check("one after another", carved(s, a)+"|"+carved(s, b), "first|second")
	middle := &spoken{packets: s.packets[3:]}
	check("a capture that begins before an answer", carved(middle, 4)+"|"+carved(middle, b), "first|second")
	lost := &spoken{packets: slices.Concat(s.packets[:2], s.packets[3:])}
	check("a request that was lost", carved(lost, b), errNotFound.Error())
	lost = &spoken{packets: slices.Concat(s.packets[:3], s.packets[4:])}
	check("an answer that was lost", carved(lost, a), errNotFound.Error())

	s = newSpoken()
	a = s.say(0, get("a")+get("b"))
	s.say(1, replied("first")+replied("second"))
	check("two in a packet", carved(s, a)+"|"+carvedOf(s, a, 1)+"|"+carvedOf(s, a, 2), "first|second|"+errNotFound.Error())
	answers := &spoken{packets: s.packets[3:]}
	check("two answers in a packet", carved(answers, 4)+"|"+carvedOf(answers, 4, 1)+"|"+carvedOf(answers, 4, 2), "first|second|"+errNotFound.Error())
	s = newSpoken()
	a, b = s.say(0, get("a")), s.say(0, get("b"))
	s.say(1, replied("first")+replied("second"))
	check("two at once", carved(s, a)+"|"+carved(s, b), "first|second")

	for head, want := range map[string]string{
		"Content-Range: bytes 5-9/20\r\n":                    "whole; it is bytes 5 to 9 of the file's 20 bytes",
		"Content-Range: bytes 0-4/5\r\n":                     "whole",
		"Content-Range: bytes 0-4/*\r\n":                     "whole; it is bytes 0 to 4 of the file",
		"Content-Type: multipart/byteranges; boundary=x\r\n": `whole; it is a part of the file, as "multipart/byteranges; boundary=x" says`,
	} {
		s = newSpoken()
		a = s.say(0, get("a"))
		s.say(1, strings.Replace(replied("whole", head), "200 OK", "206 Partial Content", 1))
		check(head, carved(s, a), want)
	}
	for head, want := range map[string]string{
		"Content-Disposition: attachment; filename=\"\x01\x1b[31m\x00\"\r\n": "whole",
		"no colon\r\nX Y : z\r\n : \r\nX: 1\r\n 2\r\n":                       "whole",
		"X: " + strings.Repeat("long", 40_000) + "\r\n":                      "whole",
		"Content-Length: 5\r\n":                                              "whole",
		"Content-Length: 4\r\n":                                              "whole; its length is said in two ways",
		"Content-Encoding: br\r\n":                                           `whole; it is as it was sent, encoded as "br"`,
		"Content-Encoding: gzip\r\n":                                         "whole; its encoding is broken after 5 bytes",
	} {
		s = newSpoken()
		a = s.say(0, get("a"))
		s.say(1, replied("whole", head))
		check(fmt.Sprintf("%.40q", head), carved(s, a), want)
	}
	for sent, want := range map[string]string{
		"3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n": "abcde",
		"3\r\nabc\r\n2\r\nd":                           "abcd; it breaks off after 4 bytes",
		"3\r\nabc\r\nzz\r\nd":                          "abc; it breaks off after 3 bytes",
	} {
		s = newSpoken()
		a = s.say(0, get("a"))
		s.say(1, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"+sent)
		check(sent, carved(s, a), want)
	}
	s = newSpoken()
	a = s.say(0, get("a"))
	s.say(1, "HTTP/1.0 200 OK\r\n\r\nup to the end")
	check("before the end", carved(s, a), "up to the end; the end of the conversation was not captured")
	s.end()
	check("with the end", carved(s, a), "up to the end")

	// A head that is not all there says nothing of what follows.
	s = newSpoken()
	a = s.say(0, get("a"))
	for _, part := range []string{"HTTP/1.1 200 OK\r\nX: ", "y\r\nContent-Length: 5\r\nZ", ": z\r\n\r\nwhole", replied("other")} {
		s.say(1, part)
	}
	s.end()
	s.packets = slices.Delete(s.packets, 4, 5)
	if got := carved(s, a); !strings.Contains(got, "; its head was not captured whole") {
		t.Errorf("a head that lacks its middle: %q", got)
	}

	// Bytes that came twice and differ are told of, those of a keepalive are not.
	s = newSpoken()
	a = s.say(0, get("a"))
	s.say(1, replied("the true bytes"))
	again := s.packets[3]
	again.id, again.payload = 90, []byte(strings.Replace(string(again.payload), "true", "fake", 1))
	alive := heard{ts: 9, id: 91, from: again.from, to: again.to, proto: again.proto, flags: tables.TCPAck, seq: again.seq + uint32(len(again.payload)) - 1, payload: []byte{0}}
	whole := &spoken{packets: append(slices.Clone(s.packets), s.packets[3], alive)}
	check("sent again", carved(whole, a), "the true bytes")
	doubt := &spoken{packets: append(slices.Clone(s.packets), again)}
	check("bytes that differ", carved(doubt, a), "the true bytes; 3 bytes from byte 4 on came twice, and not the same: those that came first are there")
}

// TestOddTFTP: blocks are as long as was agreed on, or as they are, and what does not fit together is
// not put together.
func TestOddTFTP(t *testing.T) {
	client, server := end{tables.AddrFrom4([]byte{10, 0, 0, 1}), 40000}, end{tables.AddrFrom4([]byte{10, 0, 0, 2}), 5000}
	file := make([]byte, 10_000)
	rand.New(rand.NewSource(1)).Read(file)
	moved := func(options bool, length int) (list []heard) {
		add := func(from, to end, b []byte) {
			n := len(list) + 1
			list = append(list, heard{ts: int64(n), id: tables.ID(n), from: from, to: to, proto: tables.ProtocolUDP, payload: b})
		}
		if options {
			add(server, client, fmt.Appendf([]byte{0, 6}, "BlkSize\x00%d\x00", length))
		}
		for n := 1; ; n++ {
			from := min((n-1)*length, len(file))
			b := file[from:min(from+length, len(file))]
			add(server, client, append([]byte{0, 3, byte(n >> 8), byte(n)}, b...))
			add(client, server, []byte{0, 4, byte(n >> 8), byte(n)})
			if len(b) < length {
				return list
			}
		}
	}
	carved := func(list []heard) (string, []byte) {
		c, err := carve(t.Context(), list, fileID{protocol: tables.FileTFTP, begin: 100000}, 1<<20)
		if err != nil {
			return err.Error(), nil
		}
		return strings.Join(c.lacks, "; "), c.data
	}
	for _, length := range []int{8, 100, 512, 1000, 1468, 8192} {
		for _, options := range []bool{true, false} {
			list := moved(options, length)
			if lacks, data := carved(list); lacks != "" || !bytes.Equal(data, file) {
				t.Errorf("blocks of %d (%t): %q, %d bytes", length, options, lacks, len(data))
			}
			if lacks, _ := carved(list[:len(list)-2]); lacks != "the last block was not captured" {
				t.Errorf("without the last block of %d (%t): %q", length, options, lacks)
			}
		}
	}
	list := moved(true, 1000)
	list[0].payload = []byte("\x00\x06blksize\x00512\x00")
	if lacks, _ := carved(list); lacks != errBlocks.Error() {
		t.Errorf("other blocks than agreed on: %q", lacks)
	}
	list = moved(false, 512)
	other := list[4]
	other.payload = slices.Concat(other.payload[:100], []byte("other"), other.payload[105:])
	if lacks, data := carved(slices.Insert(list, 6, other)); lacks != "block 3 came twice, and not the same: the one that came first is there" || !bytes.Equal(data, file) {
		t.Errorf("a block that differs: %q", lacks)
	}

	// One after another between the same ports.
	ask := heard{ts: 1, id: 100000, from: client, to: server, proto: tables.ProtocolUDP, payload: []byte("\x00\x01a\x00octet\x00")}
	next := ask
	next.id, next.payload = 100001, []byte("\x00\x01b\x00octet\x00")
	two := slices.Concat([]heard{ask}, moved(false, 512), []heard{next}, moved(false, 1000))
	if lacks, data := carved(two); lacks != "" || !bytes.Equal(data, file) {
		t.Errorf("the first of two: %q", lacks)
	}
	c, err := carve(t.Context(), two, fileID{protocol: tables.FileTFTP, begin: 100001}, 1<<20)
	if err != nil || len(c.lacks) > 0 || !bytes.Equal(c.data, file) {
		t.Errorf("the second of two: %v, %q", err, c.lacks)
	}
}

// TestTornConversations: a conversation made to be slow to put together is given up, and one that is
// put together can be stopped.
func TestTornConversations(t *testing.T) {
	s := newSpoken()
	a := s.say(0, get("a"))
	start := s.next[1]
	for n := range 3 * maxStretches {
		s.next[1] = start + uint32(3*maxStretches-n)*2
		s.say(1, "x")
	}
	begun := time.Now()
	if _, err := carve(t.Context(), s.packets, fileID{protocol: tables.FileHTTP, begin: a}, 1<<20); !errors.Is(err, errTorn) || time.Since(begun) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(begun))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, protocol := range contentProtocols {
		if _, err := carve(ctx, s.packets, fileID{protocol: protocol, begin: a}, 1<<20); !errors.Is(err, context.Canceled) {
			t.Errorf("%s goes on: %v", protocol, err)
		}
	}
}
