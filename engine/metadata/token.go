package metadata

import "strings"

// token is a word, a quoted text or a sign of a statement.
type token struct {
	kind       tokenKind
	text       string // the word itself, without quotes
	start, end int
}

type tokenKind uint8

const (
	endToken    tokenKind = iota
	wordToken             // a keyword or name
	nameToken             // in backticks
	textToken             // in quotes
	numberToken           // of digits
	signToken             // one character
)

// maxTokens bounds what is read of a statement: none of those here is longer,
// apart from a WHERE, of which only the beginning is looked at.
const maxTokens = 4096

// tokens reads a statement. What a version comment holds is part of it.
func tokens(text string) (out []token) {
	for i := 0; i < len(text) && len(out) < maxTokens; {
		c, start := text[i], i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f' || c == '\v':
			i++
		case strings.HasPrefix(text[i:], "/*!"):
			i += 3
			for i < len(text) && isDigit(text[i]) {
				i++
			}
		case strings.HasPrefix(text[i:], "*/"):
			i += 2
		case strings.HasPrefix(text[i:], "/*"):
			end := strings.Index(text[i+2:], "*/")
			if end < 0 {
				return out
			}
			i += end + 4
		case c == '#' || strings.HasPrefix(text[i:], "--") && (i+2 == len(text) || text[i+2] <= ' '):
			end := strings.IndexByte(text[i:], '\n')
			if end < 0 {
				return out
			}
			i += end
		case c == '`' || c == '\'' || c == '"':
			value, end := quotedText(text, i)
			kind := textToken
			if c == '`' {
				kind = nameToken
			}
			out = append(out, token{kind, value, start, end})
			i = end
		case isWord(c):
			digits := true
			for i < len(text) && isWord(text[i]) {
				digits = digits && isDigit(text[i])
				i++
			}
			kind := wordToken
			if digits {
				kind = numberToken
			}
			out = append(out, token{kind, text[start:i], start, i})
		default:
			i++
			out = append(out, token{signToken, text[start:i], start, i})
		}
	}
	return out
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// quotedText reads a text in quotes from its first quote on.
func quotedText(text string, at int) (value string, end int) {
	quote := text[at]
	var b strings.Builder
	for i := at + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == quote && i+1 < len(text) && text[i+1] == quote:
			b.WriteByte(c)
			i++
		case c == quote:
			return b.String(), i + 1
		case c == '\\' && quote != '`' && i+1 < len(text):
			if i++; text[i] == '%' || text[i] == '_' {
				b.WriteByte('\\')
			}
			b.WriteByte(text[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(text)
}

// reader takes the tokens of a statement one after the other.
type reader struct {
	text   string
	tokens []token
	at     int
}

func (r *reader) peek(n int) token {
	if r.at+n < len(r.tokens) {
		return r.tokens[r.at+n]
	}
	return token{start: len(r.text), end: len(r.text)}
}

func (r *reader) next() token {
	t := r.peek(0)
	r.at++
	return t
}

// is tells whether the words that follow are these.
func (r *reader) is(words ...string) bool {
	for i, w := range words {
		if t := r.peek(i); t.kind != wordToken && t.kind != signToken || !strings.EqualFold(t.text, w) {
			return false
		}
	}
	return true
}

// take takes these words if they follow: each argument is a sequence, and one of
// them is enough.
func (r *reader) take(sequences ...string) bool {
	for _, s := range sequences {
		if words := strings.Fields(s); r.is(words...) {
			r.at += len(words)
			return true
		}
	}
	return false
}

func (r *reader) ended() bool { return r.peek(0).kind == endToken }

// identifier takes a name.
func (r *reader) identifier() (string, bool) {
	if t := r.peek(0); t.kind == wordToken || t.kind == nameToken {
		r.at++
		return t.text, true
	}
	return "", false
}

// table takes a name that may have a schema before it.
func (r *reader) table() (schema, name string, ok bool) {
	if name, ok = r.identifier(); ok && r.is(".") {
		r.at++
		schema = name
		name, ok = r.identifier()
	}
	return schema, name, ok
}
