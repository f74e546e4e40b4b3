package functions

import (
	"errors"
	"fmt"
	"net/netip"
	"net/textproto"
	"strings"

	"github.com/dolthub/go-mysql-server/sql/types"
	"golang.org/x/net/publicsuffix"
)

var registeredDomain = &Function{
	Name:    "registered_domain",
	Args:    []Arg{{Name: "name", Type: types.LongText, Doc: "a DNS name, such as dns.query or server_name"}},
	Returns: varchar(253),
	Doc: "The domain somebody registered that a name belongs to: one label below a public suffix, of the Public Suffix " +
		"List (publicsuffix.org) as golang.org/x/net had it when wiresql was built. In lower case and without the point at " +
		"the end. NULL for an address, a public suffix itself, a name of one label, and what is no name.",
	Examples: []Example{
		{SQL: "SELECT registered_domain('a.b.Example.co.uk.')", Result: "example.co.uk"},
		{SQL: "SELECT registered_domain('cdn.example.com')", Result: "example.com"},
		{SQL: "SELECT registered_domain('mine.github.io')", Result: "mine.github.io", Note: "github.io is a suffix below which others register"},
		{SQL: "SELECT registered_domain('co.uk')", Result: "NULL"},
		{SQL: "SELECT registered_domain('10.1.2.3')", Result: "NULL"},
	},
	Eval: func(args []any) (any, error) {
		if d := domainOf(args[0].(string)); d != "" {
			return d, nil
		}
		return nil, nil
	},
	Text: func(args []Operand) (Operand, error) {
		if args[0].Kind != Text || args[0].Type.inCharset() {
			return Operand{}, errors.New("the name is not text of utf8mb4")
		}
		return Operand{Kind: Text, SQL: fmt.Sprintf("wiresql_registered_domain(%s)", args[0].SQL)}, nil
	},
}

// longestName is that of a name's text (RFC 1035, section 2.3.4: 255 octets on
// the wire).
const longestName = 253

// domainOf returns "" for what has no registered domain.
func domainOf(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > longestName {
		return ""
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return ""
	}
	d, err := publicsuffix.EffectiveTLDPlusOne(name)
	if err != nil {
		return ""
	}
	return d
}

var httpHeader = &Function{
	Name: "http_header",
	Args: []Arg{
		{Name: "bytes", Type: types.LongBlob, Doc: "the beginning of an HTTP/1 message, such as payload"},
		{Name: "field", Type: types.LongText, Doc: "the field's name, in any case"},
	},
	Returns: types.LongText,
	Doc: "A field of the header of an HTTP/1 request or response (RFC 9112): several of the same name joined by ', '. NULL " +
		"where the bytes begin no message or its header has no such field. Looks at one packet: a field that ends in the " +
		"next one is not found.",
	Examples: []Example{
		{SQL: `SELECT http_header('GET / HTTP/1.1\r\nHost: example.com\r\nUser-Agent: curl/8\r\n\r\n', 'user-agent')`, Result: "curl/8"},
		{SQL: `SELECT http_header('HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\nServer: body', 'Server')`, Result: "nginx"},
		{SQL: `SELECT http_header('GET / HTTP/1.1\r\nHost: example.com\r\n\r\n', 'Cookie')`, Result: "NULL"},
	},
	Eval: func(args []any) (any, error) {
		if v, ok := headerField(string(args[0].([]byte)), args[1].(string)); ok {
			return v, nil
		}
		return nil, nil
	},
	Text: func(args []Operand) (Operand, error) {
		if args[0].Kind != Bytes && args[0].Kind != Text || args[1].Kind != Text || args[0].Type.inCharset() || args[1].Type.inCharset() {
			return Operand{}, errors.New("an argument is neither bytes nor text of utf8mb4")
		}
		return Operand{Kind: Text, SQL: fmt.Sprintf("wiresql_http_header(%s, %s)", blob(args[0]), args[1].SQL)}, nil
	},
}

// headerField finds a field of the header section a message of HTTP/1 begins
// with.
func headerField(message, field string) (string, bool) {
	start, rest, ok := strings.Cut(message, "\n")
	if start = strings.TrimSuffix(start, "\r"); !ok || !strings.HasPrefix(start, "HTTP/1.") && !isRequestLine(start) {
		return "", false
	}
	field = textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(field))
	var values []string
	for {
		line, after, whole := strings.Cut(rest, "\n")
		if line = strings.TrimSuffix(line, "\r"); !whole || line == "" {
			break
		}
		if name, value, ok := strings.Cut(line, ":"); ok && textproto.CanonicalMIMEHeaderKey(name) == field {
			values = append(values, strings.Trim(value, " \t"))
		}
		rest = after
	}
	return strings.ToValidUTF8(strings.Join(values, ", "), "\uFFFD"), len(values) > 0
}

// isRequestLine tells a request by its version, the last of three words.
func isRequestLine(s string) bool {
	words := strings.Split(s, " ")
	return len(words) == 3 && strings.HasPrefix(words[2], "HTTP/1.")
}
