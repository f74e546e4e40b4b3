package tables

import "unicode/utf8"

// CutMark ends a text that was cut to the length of its column.
const CutMark = "…"

// CutText is a text of at most n characters, n at least 1: what is longer ends
// with CutMark.
func CutText(s string, n int) string {
	if len(s) <= n || utf8.RuneCountInString(s) <= n {
		return s
	}
	end := 0
	for range n - 1 {
		_, size := utf8.DecodeRuneInString(s[end:])
		end += size
	}
	return s[:end] + CutMark
}

// MaxHost is the longest name of a host, in bytes (RFC 1035 section 2.3.4), and
// the length of the columns that hold one. Names that are asked for can be longer
// as text: see dns.query.
const MaxHost = 255

// MaxName is the length of the columns that hold names people give: sensor,
// site, observer.
const MaxName = 64
