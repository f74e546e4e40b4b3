package functions

import (
	"slices"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/charset"
	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Text of other character sets than utf8mb4 (manual 10.3): while a statement
// runs it is UTF-8 of characters that its set has, and its type names the set.
// Its bytes are made where a function looks at bytes.

// introducedSet is the character set an introducer names.
func (c *call) introducedSet() string {
	if n, ok := c.node.(*sqlparser.IntroducerExpr); ok {
		return strings.ToLower(strings.TrimPrefix(n.CharacterSet, "_"))
	}
	return "utf8mb4" // N'…'
}

func introduced(c *call) (Type, error) {
	set := c.introducedSet()
	if set == "binary" {
		return Type{Kind: Bytes, Length: c.args[0].chars()}, nil
	}
	id := environment().CollationEnv().DefaultCollationForCharset(set)
	if id == collations.Unknown {
		return Type{}, Errorf(1115, "Unknown character set: '%s'", set)
	}
	if set == "utf8mb4" {
		id = c.s.collation()
	}
	return Type{Kind: Text, Length: c.args[0].chars(), Collation: id, Coercibility: collations.CoerceCoercible}, nil
}

// evalIntroduced reads the literal's bytes in the character set; text is
// UTF-8 from there on.
func evalIntroduced(c *call) (evaluator, error) {
	set := c.introducedSet()
	switch set {
	case "binary":
		return evalSame(c)
	case "utf8mb4", "utf8mb3", "utf8":
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
			if err := ValidText(row[0].ToString(), set); err != nil {
				return sqltypes.NULL, err
			}
			return textValue(row[0].Raw()), nil
		}), nil
	}
	from := colldata.Lookup(environment().CollationEnv().DefaultCollationForCharset(set)).Charset()
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		text, err := charset.Convert(nil, charset.Charset_utf8mb4{}, row[0].Raw(), from)
		if err != nil {
			return sqltypes.NULL, invalidText(row[0].ToString(), set)
		}
		return textValue(text), nil
	}), nil
}

// ValidText is error 1300 for what is no UTF-8; set is what the character set
// was called.
func ValidText(s, set string) error {
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return invalidText(s[i:], set)
		}
	}
	return nil
}

func invalidText(from, set string) error {
	return Errorf(1300, "Invalid %s character string: '%X'", set, from[:min(3, len(from))])
}

func usingType(c *call) (Type, error) {
	set := strings.ToLower(c.node.(*sqlparser.ConvertUsingExpr).Type)
	if set == "binary" {
		return Type{Kind: Bytes, Nullable: true}, nil
	}
	id := environment().CollationEnv().DefaultCollationForCharset(set)
	if id == collations.Unknown {
		return Type{}, Errorf(1115, "Unknown character set: '%s'", set)
	}
	if set == "utf8mb4" {
		id = c.s.collation()
	}
	return Type{Kind: Text, Length: c.args[0].chars(), Collation: id, Coercibility: collations.CoerceImplicit, Nullable: true}, nil
}

// evalUsing is CONVERT(… USING …).
func evalUsing(c *call) (evaluator, error) {
	switch k := c.args[0].Type.Kind; {
	case c.result.Kind != Text || k == Bytes:
	case k.Textual() || k.Temporal():
		restrict := c.restrict()
		return func(row []sqltypes.Value) (sqltypes.Value, error) { return restrict(row[0]), nil }, nil
	default: // a number's text is in every set
		using := *c.node.(*sqlparser.ConvertUsingExpr)
		using.Type = "utf8mb4"
		c.node = &using
	}
	return c.bySQL()
}

// restrict puts a question mark for each character that the result's character
// set does not have.
func (c *call) restrict() func(sqltypes.Value) sqltypes.Value {
	id, _ := c.result.collation()
	set := colldata.Lookup(id)
	return func(v sqltypes.Value) sqltypes.Value {
		if v.IsNull() || set == nil || set.Charset().Name() == "utf8mb4" {
			return v
		}
		var buf [8]byte
		return textValue([]byte(strings.Map(func(r rune) rune {
			if set.Charset().EncodeRune(buf[:], r) < 0 {
				return '?'
			}
			return r
		}, v.ToString())))
	}
}

// representable is evalengine's conversion of text, to a character set if the
// result has one.
func (c *call) representable() (evaluator, error) {
	if c.result.Kind != Text || !c.args[0].Type.Kind.Textual() {
		return c.bySQL()
	}
	restrict := c.restrict()
	if c.args[0].Literal {
		c.args = slices.Clone(c.args)
		c.args[0].Value = restrict(c.args[0].Value)
	}
	eval, err := c.bySQL()
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		return eval([]sqltypes.Value{restrict(row[0])})
	}, err
}

// inCharset tells whether values are text of another character set.
func (t Type) inCharset() bool {
	id, _ := t.collation()
	return t.Kind == Text && unicodeCollation(id) != id
}

// readsBytes tells whether a call reads text as its bytes: of its nature, or
// because bytes stand beside it.
func (b *builtin) readsBytes(node sqlparser.Expr, beside bool) bool {
	to := ""
	switch n := node.(type) {
	case *sqlparser.ConvertUsingExpr:
		to = n.Type
	case *sqlparser.CastExpr:
		to = n.Type.Type + n.Type.Charset.Name
	case *sqlparser.ConvertExpr:
		to = n.Type.Type + n.Type.Charset.Name
	}
	return b.stored || beside || strings.HasSuffix(strings.ToLower(to), "binary")
}

// encodes tells whether an operand has to be brought to the bytes of its
// character set.
func (b *builtin) encodes(node sqlparser.Expr, args []Operand) bool {
	beside := slices.ContainsFunc(args, func(o Operand) bool { return o.Kind == Bytes })
	return slices.ContainsFunc(args, func(o Operand) bool { return o.Kind == Text && o.Type.inCharset() }) && b.readsBytes(node, beside)
}

// encodings has how arguments come back to the bytes of their character set,
// where the function wants them; they are bytes to it.
func (c *call) encodings() map[int]func(sqltypes.Value) sqltypes.Value {
	if !c.readsBytes(c.node, slices.ContainsFunc(c.args, func(a Argument) bool { return a.Type.Kind == Bytes })) {
		return nil
	}
	var out map[int]func(sqltypes.Value) sqltypes.Value
	for i, a := range c.args {
		if !a.Type.inCharset() {
			continue
		}
		id, _ := a.Type.collation()
		to := colldata.Lookup(id).Charset()
		encode := func(v sqltypes.Value) sqltypes.Value {
			b, err := charset.Convert(nil, to, v.Raw(), charset.Charset_utf8mb4{})
			if err != nil {
				b = v.Raw()
			}
			return sqltypes.MakeTrusted(sqltypes.VarBinary, b)
		}
		if out == nil {
			out = map[int]func(sqltypes.Value) sqltypes.Value{}
			c.args = slices.Clone(c.args)
		}
		out[i] = encode
		c.args[i].Type = Type{Kind: Bytes, Nullable: a.Type.Nullable}
		if a.Literal && !a.Value.IsNull() {
			c.args[i].Value = encode(a.Value)
		}
	}
	return out
}

// evalCollation is COLLATION. evalengine knows texts by the collation of UTF-8
// that compares them, not by that of their character set.
func evalCollation(c *call) (evaluator, error) {
	if t := c.args[0].Type; t.Kind == Text && t.inCharset() {
		return func([]sqltypes.Value) (sqltypes.Value, error) {
			return textValue([]byte(CollationName(t.Collation))), nil
		}, nil
	}
	return c.bySQL()
}
