package functions

import (
	"bytes"
	"errors"
	"fmt"
	"math"

	"github.com/dolthub/go-mysql-server/sql/types"
)

// dumpLimit bounds what one value of hexdump or printable shows: a datagram
// reassembled from jumbo frames still fits. The rest is counted in the text.
const dumpLimit = 64 << 10

var hexdump = &Function{
	Name:    "hexdump",
	Args:    []Arg{{Name: "bytes", Type: types.LongBlob, Doc: "bytes, such as payload or frame"}},
	Returns: types.LongText,
	Doc:     "Bytes as `hexdump -C` shows them: offset, sixteen bytes in hex, the same as text. Only the first 64 KiB.",
	Examples: []Example{
		{SQL: "SELECT hexdump('GET / HTTP/1.1')", Result: "00000000  47 45 54 20 2f 20 48 54  54 50 2f 31 2e 31        |GET / HTTP/1.1|"},
	},
	Eval: func(args []any) (any, error) { return dumpHex(args[0].([]byte)), nil },
	Text: bytesUDF("wiresql_hexdump"),
}

func dumpHex(b []byte) string {
	const digits = "0123456789abcdef"
	rest := max(0, len(b)-dumpLimit)
	b = b[:len(b)-rest]
	out := make([]byte, 0, (len(b)+15)/16*79)
	for at := 0; at < len(b); at += 16 {
		if at > 0 {
			out = append(out, '\n')
		}
		out = fmt.Appendf(out, "%08x ", at)
		line := b[at:min(at+16, len(b))]
		for i := range 16 {
			if i%8 == 0 {
				out = append(out, ' ')
			}
			if i < len(line) {
				out = append(out, digits[line[i]>>4], digits[line[i]&15], ' ')
			} else {
				out = append(out, "   "...)
			}
		}
		out = append(out, " |"...)
		for _, c := range line {
			if c < ' ' || c > '~' {
				c = '.'
			}
			out = append(out, c)
		}
		out = append(out, '|')
	}
	return string(appendRest(out, rest))
}

func appendRest(out []byte, rest int) []byte {
	if rest > 0 {
		out = fmt.Appendf(out, "\n(%d more bytes)", rest)
	}
	return out
}

var printable = &Function{
	Name:    "printable",
	Args:    []Arg{{Name: "bytes", Type: types.LongBlob, Doc: "bytes, such as payload or frame"}},
	Returns: types.LongText,
	Doc: "Bytes as text that is safe to show: printable ASCII, tabs and line ends stay (CR LF becomes LF), any other " +
		"byte is a dot. Only the first 64 KiB.",
	Examples: []Example{
		{SQL: "SELECT printable(x'474554202f00ff0d0a')", Result: "GET /..\n"},
	},
	Eval: func(args []any) (any, error) { return showPrintable(args[0].([]byte)), nil },
	Text: bytesUDF("wiresql_printable"),
}

func showPrintable(b []byte) string {
	rest := max(0, len(b)-dumpLimit)
	b = b[:len(b)-rest]
	out := make([]byte, 0, len(b))
	for i, c := range b {
		switch {
		case c == '\r' && i+1 < len(b) && b[i+1] == '\n':
			continue
		case c == '\n' || c == '\t' || c >= ' ' && c <= '~':
		default:
			c = '.'
		}
		out = append(out, c)
	}
	return string(appendRest(out, rest))
}

var contains = &Function{
	Name: "contains",
	Args: []Arg{
		{Name: "haystack", Doc: "bytes or text"},
		{Name: "needle", Doc: "bytes or text; x'1f8b' writes bytes"},
	},
	Returns: types.Boolean,
	Doc: "Whether the needle occurs in the haystack, byte by byte and so with case. Nothing in the needle is special, " +
		"unlike in LIKE. Names of hosts and servers are stored in lower case: write the needle so.",
	Examples: []Example{
		{SQL: "SELECT contains('GET /admin.php HTTP/1.1', 'admin')", Result: "1"},
		{SQL: "SELECT contains('GET /Admin', 'admin')", Result: "0"},
		{SQL: "SELECT contains(x'00041f8b0800', x'1f8b')", Result: "1", Note: "the magic number of gzip"},
	},
	Eval: func(args []any) (any, error) {
		haystack, err := byteValue(args[0])
		if err != nil {
			return nil, err
		}
		needle, err := byteValue(args[1])
		if err != nil {
			return nil, err
		}
		return bytes.Contains(haystack, needle), nil
	},
	Text: func(args []Operand) (Operand, error) {
		haystack, needle := args[0], args[1]
		switch {
		case haystack.Kind == Text && needle.Kind == Text:
			return Operand{Kind: Bool, SQL: fmt.Sprintf("contains(%s, %s)", haystack.SQL, needle.SQL)}, nil
		case haystack.Type.inCharset() || needle.Type.inCharset():
			return Operand{}, errors.New("an argument is text of another character set")
		case (haystack.Kind == Bytes || haystack.Kind == Text) && (needle.Kind == Bytes || needle.Kind == Text):
			return Operand{Kind: Bool, SQL: fmt.Sprintf("wiresql_contains(%s, %s)", blob(haystack), blob(needle))}, nil
		}
		return Operand{}, errors.New("an argument is neither text nor bytes")
	},
}

var containsAny = &Function{
	Name: "contains_any",
	Args: []Arg{
		{Name: "haystack", Doc: "bytes or text"},
		{Name: "needle", Doc: "bytes or text; x'1f8b' writes bytes", Many: true},
	},
	Returns: types.Boolean,
	Doc:     "Whether one of the needles occurs in the haystack, as `contains` finds it.",
	Examples: []Example{
		{SQL: "SELECT contains_any('GET /shell.php HTTP/1.1', 'cmd.exe', '/shell', 'eval(')", Result: "1"},
		{SQL: "SELECT contains_any(x'4d5a9000', x'7f454c46', x'4d5a')", Result: "1", Note: "ELF or a program of Windows"},
		{SQL: "SELECT contains_any('GET /', 'cmd.exe', 'eval(')", Result: "0"},
	},
	Eval: func(args []any) (any, error) {
		for _, needle := range args[1:] {
			if found, err := contains.Eval([]any{args[0], needle}); err != nil || found.(bool) {
				return found, err
			}
		}
		return false, nil
	},
	Text: contains.Text,
}

var entropy = &Function{
	Name:    "entropy",
	Args:    []Arg{{Name: "bytes", Type: types.LongBlob, Doc: "bytes or text"}},
	Returns: types.Float64,
	Doc: "Shannon's entropy of the bytes, in bits a byte: 0 when all are the same, 8 when all 256 come equally often. " +
		"Words of a language have 3 to 4, base64 up to 6, what is encrypted or compressed nearly 8, where there are " +
		"some hundred bytes of it. 0 for none.",
	Examples: []Example{
		{SQL: "SELECT entropy('aaaaaaaa')", Result: "0"},
		{SQL: "SELECT entropy('abababab')", Result: "1"},
		{SQL: "SELECT ROUND(entropy('kq3v9z0x7b1m4c8t'), 2)", Result: "4.00", Note: "sixteen different letters"},
	},
	Eval: func(args []any) (any, error) { return entropyOf(args[0].([]byte)), nil },
	Text: func(args []Operand) (Operand, error) {
		o, err := bytesUDF("wiresql_entropy")(args)
		o.Kind = Double
		return o, err
	},
}

// entropyOf is -Σ p·log2 p over the 256 values (C. E. Shannon, A Mathematical
// Theory of Communication, 1948, section 6).
func entropyOf(b []byte) float64 {
	var counts [256]int
	for _, c := range b {
		counts[c]++
	}
	h := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(b))
			h -= p * math.Log2(p)
		}
	}
	return max(0, h)
}

// blob is an operand as bytes. encode keeps UTF-8 as it is, where a cast from
// VARCHAR would read backslashes as escapes.
func blob(o Operand) string {
	if o.Kind == Text {
		return "encode(" + o.SQL + ")"
	}
	return o.SQL
}

func byteValue(v any) ([]byte, error) {
	switch v := v.(type) {
	case []byte:
		return v, nil
	case string:
		return []byte(v), nil
	}
	return nil, fmt.Errorf("%v is neither text nor bytes", v)
}

// bytesUDF translates a function of bytes to the UDF of that name.
func bytesUDF(name string) func([]Operand) (Operand, error) {
	return func(args []Operand) (Operand, error) {
		if args[0].Kind != Bytes && args[0].Kind != Text || args[0].Type.inCharset() {
			return Operand{}, errors.New("the argument is neither bytes nor text of utf8mb4")
		}
		return Operand{Kind: Text, SQL: fmt.Sprintf("%s(%s)", name, blob(args[0]))}, nil
	}
}

// maxLikeSteps bounds the matching of one text.
const maxLikeSteps = 1 << 26

// Like matches characters, or bytes as LIKE does with VARBINARY: % is any of
// them, _ one. escape is empty or one. It goes back to the last % only, so it
// takes length times pattern at most; past a tenth of a second it is error 1105.
func Like[T byte | rune](s, pattern, escape []T) (bool, error) {
	i, j, star, mark := 0, 0, -1, 0
	for steps := 0; i < len(s); steps++ {
		if steps == maxLikeSteps {
			return false, Errorf(1105, "LIKE with a pattern of %d characters takes too long over a text of %d", len(pattern), len(s))
		}
		switch {
		case len(escape) == 1 && j+1 < len(pattern) && pattern[j] == escape[0]:
			if pattern[j+1] == s[i] {
				i, j = i+1, j+2
				continue
			}
		case j < len(pattern) && pattern[j] == '%':
			star, mark = j, i
			j++
			continue
		case j < len(pattern) && (pattern[j] == '_' || pattern[j] == s[i]):
			i, j = i+1, j+1
			continue
		}
		if star < 0 {
			return false, nil
		}
		mark++
		i, j = mark, star+1
	}
	for j < len(pattern) && pattern[j] == '%' {
		j++
	}
	return j == len(pattern), nil
}
