package engine

import (
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// What each end said stands in the order of its numbers, each byte once, and
// what lacks is told.
func TestFollowed(t *testing.T) {
	addr := func(text string) tables.Addr {
		a, err := tables.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a, b := end{addr("10.0.0.1"), 40000}, end{addr("2001:db8::1"), 80}
	type said struct {
		side  int
		flags uint16
		seq   uint32
		text  string
		lost  int
		at    int64 // seconds
	}
	const wrap = 0xffffffff
	for name, c := range map[string]struct {
		proto   uint8
		packets []said
		limit   int
		want    string
	}{
		"turns":            {6, []said{{0, tables.TCPSyn, 10, "", 0, 0}, {1, tables.TCPSyn | tables.TCPAck, 90, "", 0, 0}, {0, 16, 10, "GET /\r\n", 0, 0}, {1, 16, 90, "200 ", 0, 0}, {1, 16, 94, "OK", 0, 0}, {0, 16, 17, "bye\x00\xff", 0, 0}}, 999, "→ GET /\n← 200 OK\n→ bye..\n"},
		"out of order":     {6, []said{{0, 16, 10, "ab", 0, 0}, {0, 16, 14, "ef", 0, 0}, {0, 16, 12, "cd", 0, 0}}, 999, "→ abcdef\n"},
		"sent again":       {6, []said{{0, 16, 10, "abcd", 0, 0}, {0, 16, 12, "cdef", 0, 0}, {0, 16, 10, "abcd", 0, 0}}, 999, "→ abcdef\n"},
		"numbers wrap":     {6, []said{{0, 16, wrap - 1, "abcd", 0, 0}, {0, 16, 2, "ef", 0, 0}}, 999, "→ abcdef\n"},
		"never came":       {6, []said{{0, 16, 10, "ab", 0, 0}, {0, 16, 13, "d", 0, 0}}, 999, "→ ab\n✂ 1 byte never came\nd\n"},
		"given up in time": {6, []said{{0, 16, 10, "ab", 0, 0}, {0, 16, 15, "fg", 0, 1}, {0, 16, 17, "h", 0, 9}, {1, 16, 5, "ok", 0, 10}, {0, 16, 12, "cde", 0, 11}}, 999, "→ ab\n✂ 3 bytes never came\nfgh\n← ok\n"},
		"cut":              {6, []said{{0, 16, 10, "ab", 3, 0}, {0, 16, 15, "fg", 0, 0}}, 999, "→ ab\n✂ 3 bytes not captured\nfg\n"},
		"ports used again": {6, []said{{0, tables.TCPSyn, 10, "", 0, 0}, {0, 16, 10, "a", 0, 0}, {0, tables.TCPSyn, 5000, "", 0, 1}, {0, 16, 5000, "b", 0, 1}}, 999, "→ ab\n"},
		"who was asked":    {6, []said{{1, 16, 10, "220 hello\n", 0, 0}, {0, 16, 1, "HELO x\n", 0, 0}}, 999, "← 220 hello\n→ HELO x\n"},
		"marks":            {6, []said{{0, 16, 10, "a\n← b ✂ c", 0, 0}}, 999, "→ a\n. b . c\n"},
		"datagrams":        {17, []said{{0, 0, 0, "a\r\n", 0, 0}, {0, 0, 0, "ü", 0, 0}, {1, 0, 0, "c", 9, 0}}, 999, "→ a\n→ ü\n← c\n✂ 9 bytes not captured\n"},
		"too long":         {6, []said{{0, 16, 10, strings.Repeat("ü", 50), 0, 0}}, 60, "→ üüüüü"},
	} {
		var all []heard
		for i, s := range c.packets {
			p := heard{ts: s.at*1e9 + int64(i), from: a, to: b, proto: c.proto, flags: s.flags, seq: s.seq, payload: []byte(s.text), lost: s.lost}
			if s.side == 1 {
				p.from, p.to = b, a
			}
			all = append(all, p)
		}
		text, cut := followed(all, c.limit)
		want := "10.0.0.1:40000 → [2001:db8::1]:80 " + tables.ProtocolName(c.proto) + "\n" + c.want
		if cut && len(text) <= c.limit && len(text) > c.limit-2 {
			text = text[:len(want)]
		}
		if string(text) != want || cut != (name == "too long") {
			t.Errorf("%s: got %q (cut %v), want %q", name, text, cut, want)
		}
	}
}
