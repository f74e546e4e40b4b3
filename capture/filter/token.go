package filter

import (
	"fmt"
	"strings"
)

// token is a word, a number, an address or an operator.
type token struct {
	text string
	at   int
	word bool
}

const (
	wordBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	// operators, the longer first
	operators = "&& || << >> <= >= != == ( ) [ ] ! = < > + - * / % & | ^ :"
)

// split cuts an expression into tokens. Within brackets a colon parts offset
// and size; elsewhere it belongs to an address.
func split(text string) ([]token, error) {
	var out []token
	brackets := 0
next:
	for i := 0; i < len(text); {
		c := text[i]
		switch {
		case strings.IndexByte(" \t\r\n\\", c) >= 0: // a backslash: a name that is a keyword too
			i++
			continue
		case strings.IndexByte(wordBytes, c) >= 0, c == ':' && brackets == 0:
			within := wordBytes
			switch digit := c >= '0' && c <= '9'; {
			case brackets == 0:
				within += ".-:"
			case !digit:
				within += "-" // tcp-syn
			}
			end := i
			for end < len(text) && strings.IndexByte(within, text[end]) >= 0 {
				end++
			}
			if word := text[i:end]; brackets == 0 && strings.IndexByte(text[end:], '/') == 0 && (strings.ContainsAny(word, ".:") || afterNet(out)) {
				for end++; end < len(text) && text[end] >= '0' && text[end] <= '9'; end++ { // the bits of a net
				}
			}
			out = append(out, token{text[i:end], i, true})
			i = end
			continue
		}
		for _, o := range strings.Fields(operators) {
			if strings.HasPrefix(text[i:], o) {
				switch o {
				case "[":
					brackets++
				case "]":
					brackets--
				}
				out = append(out, token{o, i, false})
				i += len(o)
				continue next
			}
		}
		return nil, &Error{text, i, fmt.Sprintf("%q is not expected", c)}
	}
	return out, nil
}

func afterNet(tokens []token) bool {
	return len(tokens) > 0 && tokens[len(tokens)-1].text == "net"
}
