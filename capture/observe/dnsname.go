package observe

import (
	"encoding/binary"
	"encoding/hex"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/wiresql/wiresql/tables"
)

// Names as they stand in messages, and as text.
//
// As text the labels stand between dots, without one at the end. A dot or a
// backslash within a label has a backslash before it (RFC 4343 section 2.1); no
// other byte is escaped, so that the text of a tunnel's name is as long as what
// it carries. A name all of whose labels are UTF-8 is that text, as multicast DNS
// (RFC 6762 section 16) and Windows' domains write it; in any other each byte is
// one character, that of ISO 8859-1. Which of the two it is shows from the number
// of characters: they are as many as the bytes, or fewer.

// parseReverse reads d.c.b.a.in-addr.arpa and the nibbles of ip6.arpa.
func parseReverse(name string) (tables.Addr, bool) {
	if s, ok := strings.CutSuffix(name, ".in-addr.arpa"); ok {
		parts := strings.Split(s, ".")
		if len(parts) != 4 {
			return tables.Addr{}, false
		}
		var b [4]byte
		for i, part := range parts {
			v, err := strconv.ParseUint(part, 10, 8)
			if err != nil {
				return tables.Addr{}, false
			}
			b[3-i] = byte(v)
		}
		return tables.AddrFrom4(b[:]), true
	}
	s, ok := strings.CutSuffix(name, ".ip6.arpa")
	if !ok || len(s) != 63 {
		return tables.Addr{}, false
	}
	digits := make([]byte, 0, 32)
	for i := 62; i >= 0; i -= 2 {
		if i > 0 && s[i-1] != '.' {
			return tables.Addr{}, false
		}
		digits = append(digits, s[i])
	}
	var b [16]byte
	if _, err := hex.Decode(b[:], digits); err != nil {
		return tables.Addr{}, false
	}
	return tables.AddrFrom16(b[:]), true
}

// readName reads a possibly compressed name, folded, and returns the offset
// behind it.
func (t *texts) readName(b []byte, at int) (name string, next int, ok bool) {
	name, _, next, ok = t.readRawName(b, at)
	return tables.FoldCase(name), next, ok
}

// readRawName reads a name as it is written. Its length is that of the labels,
// in bytes, and of a dot between each two. A pointer must lead backwards, to
// before all that was read so far, so every name ends.
func (t *texts) readRawName(b []byte, at int) (name string, length, next int, ok bool) {
	var buffer [maxName]byte
	wire := buffer[:0] // lengths and labels, without pointers and the root
	limit := at
	for at < len(b) {
		n := int(b[at])
		switch {
		case n == 0:
			if next == 0 {
				next = at + 1
			}
			return t.nameText(wire), max(len(wire)-1, 0), next, true
		case n < 64:
			if at+1+n > len(b) || len(wire)+n+2 > maxName {
				return "", 0, 0, false
			}
			wire = append(wire, b[at:at+1+n]...)
			at += 1 + n
		case n >= 0xc0 && at+1 < len(b):
			if next == 0 {
				next = at + 2
			}
			at = int(binary.BigEndian.Uint16(b[at:]) & 0x3fff)
			if at >= limit {
				return "", 0, 0, false
			}
			limit = at
		default:
			return "", 0, 0, false
		}
	}
	return "", 0, 0, false
}

// nameText is the text of labels, each after its length.
func (t *texts) nameText(wire []byte) string {
	text := true
	for rest := wire; len(rest) > 0 && text; rest = rest[1+rest[0]:] {
		text = utf8.Valid(rest[1 : 1+rest[0]])
	}
	var buffer [2 * maxName]byte
	out := buffer[:0]
	for rest := wire; len(rest) > 0; rest = rest[1+rest[0]:] {
		if len(out) > 0 {
			out = append(out, '.')
		}
		for _, c := range rest[1 : 1+rest[0]] {
			switch {
			case c == '.' || c == '\\':
				out = append(out, '\\', c)
			case c < utf8.RuneSelf || text:
				out = append(out, c)
			default:
				out = utf8.AppendRune(out, rune(c))
			}
		}
	}
	return t.of(out)
}

// skipName returns the offset behind the name at offset at.
func skipName(b []byte, at int) (next int, ok bool) {
	for at < len(b) {
		n := int(b[at])
		switch {
		case n == 0:
			return at + 1, true
		case n < 64:
			at += 1 + n
		case n >= 0xc0:
			return at + 2, true
		default:
			return 0, false
		}
	}
	return 0, false
}

// appendEscaped appends bytes of a TXT record in presentation form: the quote
// and the backslash escaped by one, control characters and what is not UTF-8 by
// three decimal digits (RFC 1035 section 5.1).
func appendEscaped(dst, b []byte, special byte) []byte {
	text := utf8.Valid(b)
	for _, c := range b {
		switch {
		case c == special || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ' || c == 0x7f || c >= 0x80 && !text:
			dst = append(dst, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}
