package functions

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// lineEnds are what . does not match and $ may stand before (ICU).
const lineEnds = `\n\r\x{85}\x{2028}\x{2029}`

// lastLine is $ with the line end it may stand before.
const lastLine = `(?:\r\n|[` + lineEnds + `])?\z`

// icuClasses are ICU's classes of characters, to stand within brackets.
var icuClasses = map[byte]string{
	'd': `\p{Nd}`, 'w': `\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\x{200c}\x{200d}`, 's': `\t-\r \x{85}\p{Z}`, 'h': `\t\p{Zs}`, 'v': `\n-\r\x{85}\x{2028}\x{2029}`,
}

var posixClasses = map[string]string{
	"alpha": `\p{L}\p{Nl}`, "digit": `\p{Nd}`, "alnum": `\p{L}\p{Nl}\p{Nd}`, "upper": `\p{Lu}`, "lower": `\p{Ll}`,
	"space": `\t-\r \x{85}\p{Z}`, "blank": `\t\p{Zs}`, "punct": `\p{P}`, "cntrl": `\p{Cc}`, "xdigit": `0-9A-Fa-f`,
	"word": icuClasses['w'],
}

// re2 writes an ICU pattern in RE2's terms. Flags are MySQL's: the last of c
// and i wins. Where it only counts whether a pattern matches, like, a $ may
// take the last line end that it stands before.
func re2(pattern, flags string, blind, binary, like bool) (string, error) {
	dotAll, lines := false, false
	for _, f := range flags {
		switch f {
		case 'c':
			blind = false
		case 'i':
			blind = true
		case 'm':
			lines = true
		case 'n':
			dotAll = true
		case 'u':
		default:
			return "", Errorf(3900, "Invalid match mode flag in regular expression.")
		}
	}
	var b strings.Builder
	b.WriteString("(?")
	if blind {
		b.WriteByte('i')
	}
	if dotAll {
		b.WriteByte('s')
	}
	if lines {
		b.WriteByte('m')
	}
	b.WriteByte(')')
	if !blind && !dotAll && !lines {
		b.Reset()
	}
	if binary {
		pattern = latin1([]byte(pattern))
	}
	t := &icu{rest: pattern, out: &b, binary: binary}
	for t.rest != "" {
		switch r := t.take(); r {
		case "\\":
			if err := t.escape(false); err != nil {
				return "", err
			}
		case "[":
			if err := t.class(); err != nil {
				return "", err
			}
		case ".":
			if dotAll || binary {
				b.WriteString("(?s:.)")
			} else {
				b.WriteString("[^" + lineEnds + "]")
			}
		case "$":
			switch {
			case lines:
				b.WriteByte('$')
			case like && (t.rest == "" || t.rest[0] == ')' || t.rest[0] == '|'):
				b.WriteString(lastLine)
			default:
				b.WriteString(`\z`)
			}
		default:
			b.WriteString(r)
		}
	}
	return b.String(), nil
}

// icu is a pattern while it is translated.
type icu struct {
	rest   string
	out    *strings.Builder
	binary bool
}

// take is the next character.
func (t *icu) take() string {
	_, n := utf8.DecodeRuneInString(t.rest)
	r := t.rest[:n]
	t.rest = t.rest[n:]
	return r
}

// escape writes what follows a backslash.
func (t *icu) escape(inClass bool) error {
	if t.rest == "" {
		return Errorf(3689, "Unrecognized escape sequence in regular expression.")
	}
	r := t.take()
	lower := r[0] | 0x20
	if class, ok := icuClasses[lower]; ok && len(r) == 1 {
		if t.binary { // of bytes the ASCII ones
			class = map[byte]string{'d': "0-9", 'w': "0-9A-Za-z_", 's': `\t-\r `, 'h': `\t `, 'v': `\n-\r`}[lower]
		}
		switch negated := r[0] != lower; {
		case inClass && negated:
			if lower != 'd' || t.binary {
				return Errorf(3690, "Regular expressions are RE2: \\%s can't stand in brackets", r)
			}
			t.out.WriteString(`\P{Nd}`)
		case inClass:
			t.out.WriteString(class)
		case negated:
			t.out.WriteString("[^" + class + "]")
		default:
			t.out.WriteString("[" + class + "]")
		}
		return nil
	}
	switch r {
	case "R":
		t.out.WriteString(`(?:\r\n|[\n-\r\x{85}\x{2028}\x{2029}])`)
	case "Z":
		t.out.WriteString(lastLine)
	case "e":
		t.out.WriteString(`\x1b`)
	case "u", "U":
		n := 4
		if r == "U" {
			n = 8
		}
		if len(t.rest) < n {
			return Errorf(3689, "Unrecognized escape sequence in regular expression.")
		}
		t.out.WriteString(`\x{` + t.rest[:n] + `}`)
		t.rest = t.rest[n:]
	case "Q":
		literal, rest, _ := strings.Cut(t.rest, `\E`)
		t.out.WriteString(regexp.QuoteMeta(literal))
		t.rest = rest
	default:
		if r[0] < utf8.RuneSelf && !isLetter(r[0]) && !isDigit(r[0]) {
			t.out.WriteString(`\` + r)
			return nil
		}
		t.out.WriteString(`\` + r)
	}
	return nil
}

// class writes a set in brackets. Sets in sets, and what cuts them, are ICU's
// alone.
func (t *icu) class() error {
	t.out.WriteByte('[')
	first := true
	for t.rest != "" {
		switch r := t.take(); {
		case r == "]" && !first:
			t.out.WriteByte(']')
			return nil
		case r == "^" && first:
			t.out.WriteByte('^')
			continue // what follows is first still
		case r == "[" && strings.HasPrefix(t.rest, ":"):
			name, rest, ok := strings.Cut(t.rest[1:], ":]")
			name, negated := strings.CutPrefix(name, "^")
			class := posixClasses[name]
			if !ok || class == "" || negated {
				return Errorf(3697, "Regular expressions are RE2: the class [:%s:] is not known", name)
			}
			t.out.WriteString(class)
			t.rest = rest
		case r == "[", r == "&" && strings.HasPrefix(t.rest, "&"), r == "-" && strings.HasPrefix(t.rest, "-"):
			return Errorf(3690, "Regular expressions are RE2: sets can't stand in sets")
		case r == "\\":
			if err := t.escape(true); err != nil {
				return err
			}
		case r == "]":
			t.out.WriteString(`\]`)
		default:
			t.out.WriteString(r)
		}
		first = false
	}
	return Errorf(3696, "The regular expression contains an unclosed bracket expression.")
}
