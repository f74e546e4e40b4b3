package pushdown

import (
	"slices"
	"strings"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// What a constant means beside a column: an address in its canonical spelling,
// a folded name, a time in UTC. What the column can never hold is an error that
// says how to write what was meant.

// meant reads a constant beside a column as a value of that column. What the
// column can never hold is an error that says how to write what was meant.
func (c *compiler) meant(a, b Expr) (Expr, Expr, error) {
	la, aLit := a.(*Literal)
	lb, bLit := b.(*Literal)
	switch {
	case bLit && !aLit:
		v, err := c.readAs(lb, a)
		return a, v, err
	case aLit && !bLit:
		v, err := c.readAs(la, b)
		return v, b, err
	case !aLit && !bLit:
		return a, b, incomparable(meaning(a), meaning(b))
	}
	return a, b, nil
}

// incomparable refuses columns that can't have a value in common.
func incomparable(x, y *tables.Column) error {
	if x == nil || y == nil {
		return nil
	}
	number := func(k tables.Kind) bool {
		return k == tables.Int || k == tables.BigInt || k == tables.Double || k == tables.Bool
	}
	if number(x.Kind) != number(y.Kind) {
		return syntaxError("%s and %s can't be equal: one is a number, the other is not", x.Name, y.Name)
	}
	return nil
}

// readAs reads a constant as a value of the expression beside it.
func (c *compiler) readAs(l *Literal, beside Expr) (Expr, error) {
	if l.Value == nil || l.T.Kind == Text && l.T.Coercibility == 0 && l.T.Collation != 0 {
		return l, nil // COLLATE says how it is meant
	}
	if m := meaning(beside); m != nil {
		switch {
		case l.T.Kind == Text:
			return c.textAs(l, m)
		case l.T.Kind.Numeric() && l.T.Kind != Bool:
			return numberAs(l, m)
		}
		return l, nil
	}
	if l.T.Kind != Text {
		return l, nil
	}
	s := l.Value.(string)
	switch k := beside.Kind(); k {
	case Address, ID, Community, MAC:
		if v, err := parseLiteral(s, k); err == nil {
			return v, nil
		}
	case Time, Date:
		v, err := parseLiteral(s, k)
		if t, timeErr := c.timeOf(s, fraction(s)); timeErr == nil && t.T.Instant {
			v, err = t, nil
		}
		if err != nil {
			return nil, mistake(1525, "Incorrect DATETIME value: '%s'", s)
		}
		return v, nil
	case Clock:
		if v, err := parseLiteral(s, k); err == nil {
			return v, nil
		}
	case Integer, Unsigned, Double, Decimal:
		if v, err := parseNumber(s); err == nil {
			// MySQL compares a number with text as DOUBLE; a whole number that
			// is one exactly compares alike as it is.
			if n, ok := intLiteral(v); ok && n > -1<<53 && n < 1<<53 || v.T.Kind == Double || k == Double {
				return v, nil
			}
		}
	}
	return l, nil
}

// textAs reads text as a value of a column.
func (c *compiler) textAs(l *Literal, m *tables.Column) (Expr, error) {
	s := l.Value.(string)
	switch m.Kind {
	case tables.Address:
		a, err := tables.ParseAddr(s)
		if err != nil {
			return nil, addressError(m, s)
		}
		return lit(Address, a), nil
	case tables.Identifier, tables.CommunityID, tables.MAC:
		v, err := parseLiteral(s, columnType(m).Kind)
		if err != nil {
			return nil, syntaxError("%s: %v", m.Name, err)
		}
		return v, nil
	case tables.HostName:
		return folded(l, tables.FoldName(s)), nil
	case tables.Timestamp:
		t, err := c.timeOf(s, 6)
		if err != nil {
			return nil, syntaxError("%s: %v", m.Name, err)
		}
		return t, nil
	case tables.Int, tables.BigInt, tables.Double, tables.Bool:
		n, err := parseNumber(s)
		if err != nil {
			return nil, numberError(m, s)
		}
		return n, nil
	case tables.Text:
		return c.spelled(l, m)
	}
	return l, nil
}

// spelled is the spelling a column with few values has of one.
func (c *compiler) spelled(l *Literal, m *tables.Column) (Expr, error) {
	s := l.Value.(string)
	if m.Name == "protocol" {
		return folded(l, protocolName(s)), nil
	}
	if m.Values != nil {
		for _, v := range m.Values {
			if strings.EqualFold(v, s) {
				return folded(l, v), nil
			}
		}
		if !c.equality {
			return l, nil // it has a place in the order all the same
		}
		if near := tables.Nearest(strings.ToLower(s), m.Values); near != "" {
			return nil, syntaxError("%s is never '%s': did you mean '%s'?", m.Name, s, near)
		}
		return nil, syntaxError("%s is never '%s': it is one of %s", m.Name, s, strings.Join(m.Values, ", "))
	}
	switch m.Fold {
	case "lower":
		return folded(l, strings.ToLower(s)), nil
	case "upper":
		return folded(l, strings.ToUpper(s)), nil
	}
	return l, nil
}

// protocolName is the spelling the column has of a protocol's name or number.
func protocolName(s string) string {
	if n, ok := tables.ProtocolNumber(s); ok {
		return tables.ProtocolName(n)
	}
	return strings.ToLower(s)
}

// meaning is the column of a relation that an expression's values come from,
// unchanged; nil when they are computed.
func meaning(e Expr) *tables.Column {
	switch e := e.(type) {
	case *Col:
		return e.Column.Meaning
	case *Aggregate:
		if e.Name == "min" || e.Name == "max" || e.Name == "any_value" {
			return meaning(e.Args[0])
		}
	case *Over:
		return meaning(e.Call)
	case *Subquery:
		if e.Op == "scalar" {
			return e.Rel.Columns()[0].Meaning
		}
	case *Case:
		arms := []Expr{e.Else}
		for _, w := range e.Whens {
			arms = append(arms, w.Then)
		}
		return commonMeaning(arms)
	case *Call:
		switch e.Op {
		case "coalesce", "greatest", "least":
			return commonMeaning(e.Args)
		case "local":
			return meaning(e.Args[0])
		case "lag", "lead":
			if len(e.Args) == 3 {
				return commonMeaning([]Expr{e.Args[0], e.Args[2]})
			}
			return meaning(e.Args[0])
		case "first_value", "last_value", "nth_value":
			return meaning(e.Args[0])
		}
	}
	return nil
}

// commonMeaning is that of values which all come from columns of one kind, or are
// constants that such a column might hold.
func commonMeaning(exprs []Expr) *tables.Column {
	var out *tables.Column
	for _, e := range exprs {
		if e == nil || isLiteral(e) {
			continue
		}
		m := meaning(e)
		if m == nil || out != nil && (out.Kind != m.Kind || m.Kind == tables.Text && m.Name != out.Name) {
			return nil
		}
		out = m
	}
	for _, e := range exprs {
		if s, ok := textLiteral(e); ok && out != nil && !mayHold(out, s) {
			return nil
		}
	}
	return out
}

// mayHold tells whether a text is spelled as a column of texts spells its values.
func mayHold(m *tables.Column, s string) bool {
	switch {
	case m.Kind == tables.HostName:
		return s == tables.FoldName(s)
	case m.Kind != tables.Text:
		return true
	case m.Values != nil:
		return slices.Contains(m.Values, s)
	case m.Name == "protocol":
		return s == protocolName(s)
	case m.Fold == "lower":
		return s == strings.ToLower(s)
	case m.Fold == "upper":
		return s == strings.ToUpper(s)
	}
	return true
}

// numberAs reads a number as a value of a column.
func numberAs(l *Literal, m *tables.Column) (Expr, error) {
	n := l.SQLValue().ToString()
	switch m.Kind {
	case tables.Address:
		return nil, syntaxError("%s is an address: write it as '10.1.2.3', not as the number %s", m.Name, n)
	case tables.Identifier, tables.CommunityID, tables.MAC, tables.HostName:
		return nil, syntaxError("%s is text, not the number %s", m.Name, n)
	case tables.Timestamp:
		if len(n) == 8 || len(n) == 14 {
			if t, err := functions.ParseTime(n); err == nil {
				return timeLiteralOf(t, 6), nil
			}
		}
		return nil, syntaxError("%s is a time, not the number %s: use FROM_UNIXTIME(%s) or '2026-06-12 10:15:00'", m.Name, n, n)
	case tables.Text:
		if m.Loose {
			return l, nil
		}
		if v, ok := l.Value.(int64); ok && m.Name == "protocol" && v >= 0 && v < 256 {
			return nil, syntaxError("protocol is a name: use protocol = '%s'", tables.ProtocolName(uint8(v)))
		}
		if v, ok := l.Value.(int64); ok && strings.HasSuffix(m.Name, "tcp_flags") && v >= 0 && v < 512 {
			return nil, syntaxError("%s is text: use %s = '%s'", m.Name, m.Name, tables.TCPFlagsText(uint16(v)))
		}
		return nil, syntaxError("%s is text: write '%s'", m.Name, n)
	}
	return l, nil
}

// addressError says what a text is that stands where an address belongs.
func addressError(m *tables.Column, s string) error {
	switch {
	case isNetwork(s):
		return syntaxError("%s is an address and '%s' a network: use ip_in(%s, '%s')", m.Name, s, m.Name, s)
	case strings.HasSuffix(m.Name, "ip") && strings.ContainsFunc(s, isNameLetter):
		return syntaxError("%s is an address and '%s' is none: use %shost = '%s'", m.Name, s, strings.TrimSuffix(m.Name, "ip"), s)
	}
	return syntaxError("%s is an address and '%s' is none", m.Name, s)
}

func isNameLetter(r rune) bool { return r >= 'g' && r <= 'z' || r >= 'G' && r <= 'Z' }

// numberError says which column holds the text that stands beside a number.
func numberError(m *tables.Column, s string) error {
	switch name := strings.TrimSuffix(m.Name, "_number"); {
	case name != m.Name:
		return syntaxError("%s is a number: use %s = '%s'", m.Name, name, s)
	case m.Name == "port" || strings.HasSuffix(m.Name, "_port"):
		return syntaxError("%s is a number: use service = '%s'", m.Name, s)
	}
	return syntaxError("%s is a number and '%s' is none", m.Name, s)
}
