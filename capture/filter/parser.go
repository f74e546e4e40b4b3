package filter

import (
	"fmt"
	"strings"
)

// parser reads an expression. What vlan does to all that follows it, and the
// qualifiers that a bare value has from the one before it, are its state, as
// they are libpcap's.
type parser struct {
	text   string
	tokens []token
	flows  bool // are divided, see Flows
	at     int
	tags   place
	last   *qualifiers
}

// qualifiers say what a value is one of; those not given are empty.
type qualifiers struct {
	proto, dir, kind string
}

func (p *parser) end() bool { return p.at >= len(p.tokens) }

// peek is the next token; one without text at the end.
func (p *parser) peek() token { return p.ahead(0) }

func (p *parser) ahead(n int) token {
	if p.at+n >= len(p.tokens) {
		return token{at: len(p.text)}
	}
	return p.tokens[p.at+n]
}

func (p *parser) next() token {
	t := p.peek()
	p.at++
	return t
}

// take goes on if the next token is one of these.
func (p *parser) take(texts ...string) (string, bool) {
	for _, t := range texts {
		if p.peek().text == t {
			p.at++
			return t, true
		}
	}
	return "", false
}

// fail tells what is wrong with the next token.
func (p *parser) fail(format string, args ...any) error {
	if p.end() {
		return &Error{p.text, len(p.text), "it ends too early"}
	}
	return &Error{p.text, p.peek().at, fmt.Sprintf(format, args...)}
}

// maxNesting of parentheses and negations.
const maxNesting = 100

// expression reads terms joined by and and or, which bind alike, from the left.
func (p *parser) expression(depth int) (test, error) {
	left, err := p.term(depth)
	if err != nil {
		return nil, err
	}
	for {
		o, ok := p.take("and", "&&", "or", "||")
		if !ok {
			return left, nil
		}
		right, err := p.term(depth)
		if err != nil {
			return nil, err
		}
		if o == "and" || o == "&&" {
			left = every(left, right)
		} else {
			left = either(left, right)
		}
	}
}

func (p *parser) term(depth int) (test, error) {
	if depth > maxNesting {
		return nil, p.fail("it nests too deep")
	}
	if _, ok := p.take("not", "!"); ok {
		t, err := p.term(depth + 1)
		if err != nil {
			return nil, err
		}
		return not(t), nil
	}
	if p.compares() {
		if p.flows {
			return nil, p.ofPackets(p.peek())
		}
		return p.comparison()
	}
	if _, ok := p.take("("); ok {
		t, err := p.expression(depth + 1)
		if err != nil {
			return nil, err
		}
		if _, ok := p.take(")"); !ok {
			return nil, p.fail("%q is not expected: a parenthesis is to be closed", p.peek().text)
		}
		return t, nil
	}
	return p.primitive()
}

// compares tells whether a comparison of numbers follows: its first operand is
// followed by an operator.
func (p *parser) compares() bool {
	operator := func(n int) bool {
		t := p.ahead(n).text
		_, is := arithmetic[t]
		_, relates := relations[t]
		return is || relates
	}
	first := p.peek()
	if first.text != "(" {
		return p.ahead(1).text == "[" || first.text == "-" || first.word && operator(1)
	}
	for n, depth := 0, 0; p.ahead(n).text != ""; n++ {
		switch p.ahead(n).text {
		case "(":
			depth++
		case ")":
			if depth--; depth == 0 {
				return operator(n + 1)
			}
		}
	}
	return false
}

// unknown are words of the language that are not known here.
var unknown = " gateway protochain mpls pppoed pppoes geneve wlan fddi tr ppp slip link inbound outbound ifname on iso clnp esis isis stp netbeui ipx "

// primitive reads qualifiers and a value, or a word that is a test.
func (p *parser) primitive() (test, error) {
	var q qualifiers
	first := p.peek()
	if t := first.text; etherTypes[t] != 0 || t == "ether" || protocols[t].number != 0 {
		p.at++
		q.proto = t
		if p.flows && t == "ether" {
			return nil, p.ofPackets(first)
		}
		if what, ok := p.take("broadcast", "multicast"); ok {
			return p.group(t, what, first)
		}
	}
	if d, ok := p.take("src", "dst"); ok {
		q.dir = d
		if o := p.peek().text; (o == "or" || o == "and") && p.ahead(1).text != d && (p.ahead(1).text == "dst" || p.ahead(1).text == "src") {
			q.dir = o
			p.at += 2
		}
	}
	if k, ok := p.take("host", "net", "port", "portrange", "proto"); ok {
		q.kind = k
	}
	value := p.peek()
	if q == (qualifiers{}) {
		switch t := value.text; t {
		case "vlan", "broadcast", "multicast", "less", "greater":
			if p.flows {
				return nil, p.ofPackets(value)
			}
		}
		switch t := value.text; t {
		case "vlan":
			p.at++
			return p.vlan()
		case "broadcast", "multicast":
			p.at++
			return p.group("ether", t, value)
		case "less", "greater":
			p.at++
			return p.length(t)
		}
		if value.word && strings.Contains(unknown, " "+value.text+" ") {
			return nil, p.fail("%q is not known here", value.text)
		}
		if p.last != nil && value.word {
			q = *p.last
		}
	}
	if q.proto != "" && q.dir == "" && q.kind == "" && !value.word || joins(value.text) && q == (qualifiers{proto: q.proto}) && q.proto != "" {
		return p.protocol(first)
	}
	if !value.word {
		return nil, p.fail("%q is not expected", value.text)
	}
	p.at++
	if q.kind == "" { // a bare address
		q.kind = "host"
		if strings.Contains(value.text, "/") {
			q.kind = "net"
		}
	}
	kept := q
	p.last = &kept
	t, err := p.value(q, value.text)
	if err != nil {
		return nil, &Error{p.text, value.at, err.Error()}
	}
	return t, nil
}

func joins(t string) bool { return t == "and" || t == "or" }
