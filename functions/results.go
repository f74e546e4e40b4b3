package functions

import (
	"math"
	"strings"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
)

// MySQL's rules for the type of a result (sql/item.cc, item_func.cc; manual
// 12.4.4 for text, 12.25.4 for decimals).

// The limits of DECIMAL.
const (
	maxPrecision = 65
	maxScale     = 30
)

// A rule gives the type of a call's result.
type rule func(c *call) (Type, error)

// of is the rule of a result of one type, NULL where an argument is.
func of(t Type) rule {
	return func(c *call) (Type, error) {
		t.Nullable = t.Nullable || c.nullable()
		return c.connect(t), nil
	}
}

// connect gives text that comes of no text the collation of the connection.
func (c *call) connect(t Type) Type {
	if t.Kind == Text && t.Collation == 0 {
		t.Collation, t.Coercibility = c.s.collation(), collations.CoerceCoercible
	}
	return t
}

// nullable tells whether an argument may be NULL.
func (c *call) nullable() bool {
	for _, a := range c.args {
		if a.Type.Nullable || a.Type.Kind == Null {
			return true
		}
	}
	return false
}

var (
	maybeInteger  = of(Type{Kind: Integer, Bits: 64, Nullable: true})
	maybeUnsigned = of(Type{Kind: Unsigned, Bits: 64, Nullable: true})
	intResult     = of(Type{Kind: Integer, Bits: 32})
	maybeInt      = of(Type{Kind: Integer, Bits: 32, Nullable: true})
	maybeDouble   = of(Type{Kind: Double, Nullable: true})
	truth         = of(Type{Kind: Bool})
	maybeDate     = of(Type{Kind: Date, Nullable: true})
	jsonResult    = of(Type{Kind: JSON, Nullable: true})
)

// plainText is the rule of text in the connection's collation that does not
// follow an argument's; a length of 0 is unknown.
func plainText(length int) rule { return of(Type{Kind: Text, Length: length, Nullable: true}) }

// plainBytes is plainText for bytes.
func plainBytes(length int) rule { return of(Type{Kind: Bytes, Length: length, Nullable: true}) }

// Digits is how many digits a number of the type has at most before the point.
func (t Type) digits() int {
	switch t.Kind {
	case Bool:
		return 1
	case Integer, Unsigned:
		switch t.Bits {
		case 8:
			return 3
		case 16:
			return 5
		case 24:
			return 8
		case 32:
			return 10
		}
		if t.Kind == Unsigned {
			return 20
		}
		return 19
	case Decimal:
		return t.Precision - t.Scale
	case Date:
		return 8
	case Time:
		return 14
	case Clock:
		return 7
	}
	return 20
}

// digits is that of the type, but of a literal its own.
func (a Argument) digits() int {
	if (a.Type.Kind == Integer || a.Type.Kind == Unsigned) && a.Literal && !a.Value.IsNull() {
		return max(1, len(strings.TrimPrefix(a.Value.ToString(), "-")))
	}
	return a.Type.digits()
}

// chars is how many characters the value's text has at most; 0 is unknown.
func (t Type) chars() int {
	fraction := 0
	if t.Scale > 0 {
		fraction = t.Scale + 1
	}
	switch t.Kind {
	case Null, Text, Bytes:
		return t.Length
	case Bool:
		return 1
	case Integer:
		return t.digits() + 1
	case Unsigned:
		return t.digits()
	case Decimal:
		n := t.Precision + 1
		if t.Scale > 0 {
			n++
		}
		if t.Scale == t.Precision {
			n++
		}
		return n
	case Double:
		if t.Scale > 0 {
			return 17 + t.Scale
		}
		return 23
	case Date:
		return 10
	case Time:
		return 19 + fraction
	case Clock:
		return 10 + fraction
	case Address:
		return 45
	case ID:
		return 13
	case Community:
		return 30
	case MAC:
		return 17
	}
	return 0
}

// chars is that of the type, but of a literal its own.
func (a Argument) chars() int {
	if a.Literal && !a.Value.IsNull() && a.Type.Kind != Decimal {
		return max(1, len([]rune(a.Value.ToString())))
	}
	return a.Type.chars()
}

// numeric is what a value is in arithmetic: text is a double, a date an
// integer, one with parts of seconds a decimal (manual 12.3).
func numeric(t Type) Type {
	switch {
	case t.Kind == Bool:
		return Type{Kind: Integer, Bits: 8, Nullable: t.Nullable}
	case t.Kind.Numeric() || t.Kind == Null:
		return t
	case t.Kind.Temporal() && t.Scale > 0:
		return decimalOf(t.digits(), t.Scale, t.Nullable)
	case t.Kind.Temporal():
		return Type{Kind: Integer, Bits: 64, Nullable: t.Nullable}
	}
	return Type{Kind: Double, Nullable: t.Nullable}
}

// decimalOf makes a DECIMAL within the limits.
func decimalOf(digits, scale int, nullable bool) Type {
	scale = min(max(scale, 0), maxScale)
	digits = max(digits, 0)
	return Type{Kind: Decimal, Precision: max(1, min(digits+scale, maxPrecision)), Scale: scale, Nullable: nullable}
}

// scaleOf is the number of digits behind the point.
func scaleOf(t Type) int {
	if t.Kind == Decimal || t.Kind.Temporal() {
		return t.Scale
	}
	return 0
}

// doubleOf is a DOUBLE made of two numbers. If both are shown with so many
// digits behind the point, it has the more of them, and some more (MySQL's
// Item::decimals).
func doubleOf(a, b Type, more int, nullable bool) Type {
	t := Type{Kind: Double, Nullable: nullable}
	if floats(a) || floats(b) {
		return t
	}
	if t.Scale = max(a.Scale, b.Scale) + more; t.Scale > maxScale {
		t.Scale = 0
	}
	return t
}

// floats tells whether a number is shown with as many digits as it needs.
func floats(t Type) bool { return t.Kind == Null || t.Kind == Double && t.Scale == 0 }

// collation is that of literals of the session.
func (s *Session) collation() collations.ID {
	if s == nil || s.Collation == 0 {
		return Default
	}
	return s.Collation
}

func (t Type) collation() (collations.ID, collations.Coercibility) {
	switch t.Kind {
	case Text:
		if t.Collation == 0 {
			return Bin, collations.CoerceImplicit
		}
		return t.Collation, t.Coercibility
	case Address, ID, Community, MAC:
		return Bin, collations.CoerceImplicit
	case JSON:
		return collations.CollationUtf8mb4BinID, collations.CoerceImplicit
	case Bytes:
		return collations.CollationBinaryID, collations.CoerceImplicit
	}
	return 0, collations.CoerceIgnorable
}

// mixed is the collation in which arguments are compared or joined to one
// text (manual 10.8.4): the lowest coercibility wins; of two that are equal
// bytes win, then _bin; any other two can't be mixed, error 1267.
func (c *call) mixed(args []Argument) (collations.ID, collations.Coercibility, error) {
	id, level := collations.ID(0), collations.CoerceIgnorable
	for _, a := range args {
		other, l := a.Type.collation()
		switch {
		case other == 0:
		case id == 0 || l < level:
			id, level = other, l
		case l > level || other == id || id == collations.CollationBinaryID:
		case other == collations.CollationBinaryID:
			id = other
		case level == collations.CoerceExplicit || !isBin(id) && !isBin(other):
			return 0, 0, Errorf(1267, "Illegal mix of collations (%s) and (%s) for operation '%s'", collationText(id, level), collationText(other, l), c.name)
		case isBin(other):
			id = other
		}
	}
	if id == 0 {
		id, level = c.s.collation(), collations.CoerceCoercible
	}
	return id, level, nil
}

// isBin tells whether a collation compares code points.
func isBin(id collations.ID) bool {
	l := colldata.Lookup(id)
	return id == Bin || l != nil && strings.HasSuffix(l.Name(), "_bin")
}

func collationText(id collations.ID, level collations.Coercibility) string {
	name := "unknown"
	if l := colldata.Lookup(id); l != nil {
		name = l.Name()
	}
	words := [...]string{"EXPLICIT", "NONE", "IMPLICIT", "SYSCONST", "COERCIBLE", "NUMERIC", "IGNORABLE"}
	return name + "," + words[level]
}

// textOf is the rule of text made of arguments: of at most so many characters
// as length says, in their common collation; bytes where one is bytes.
func textOf(length func(c *call) int) rule {
	return func(c *call) (Type, error) {
		return c.text(length(c), c.args)
	}
}

func (c *call) text(length int, of []Argument) (Type, error) {
	id, level, err := c.mixed(of)
	if err != nil {
		return Type{}, err
	}
	t := Type{Kind: Text, Length: length, Collation: id, Coercibility: level, Nullable: c.nullable()}
	if id == collations.CollationBinaryID {
		t = Type{Kind: Bytes, Length: length, Nullable: c.nullable()}
	}
	if t.Length > math.MaxInt32/4 || t.Length < 0 {
		t.Length = 0
	}
	return t, nil
}

// first is the length of the first argument.
func first(c *call) int { return c.args[0].chars() }

// unknown is a length that can't be told.
func unknown(*call) int { return 0 }

// total is the length of all arguments.
func total(c *call) int {
	n := 0
	for _, a := range c.args {
		l := a.chars()
		if l == 0 && a.Type.Kind != Null {
			return 0
		}
		n += l
	}
	return n
}

// atMost is the length of the first argument or the literal n-th, whichever is
// less.
func atMost(n int) func(c *call) int {
	return func(c *call) int {
		l := c.args[0].chars()
		if k, ok := c.literalInt(n); ok && k > 0 && (l == 0 || k < int64(l)) {
			return int(k)
		}
		return l
	}
}

// unify is the type that values of all the types have together, as in CASE,
// COALESCE or UNION.
func (c *call) unify(args []Argument) (Type, error) {
	var t Type
	seen := false
	digits := 0
	for _, a := range args {
		o := a.Type
		if o.Kind == Null {
			t.Nullable = true
			continue
		}
		if !seen {
			nullable := t.Nullable
			t, seen, digits = o, true, a.digits()
			t.Nullable = t.Nullable || nullable
			continue
		}
		nullable := t.Nullable || o.Nullable
		digits = max(digits, a.digits())
		switch {
		case t.Kind == o.Kind && (t.Kind == Date || t.Kind >= JSON):
		case t.Kind == o.Kind && (t.Kind == Time || t.Kind == Clock):
			t.Scale = max(t.Scale, o.Scale)
		case t.Kind.Temporal() && o.Kind.Temporal():
			t = Type{Kind: Time, Scale: max(t.Scale, o.Scale)}
		case t.Kind.Numeric() && o.Kind.Numeric():
			t = unifyNumbers(t, o, digits)
		default:
			// At least one is text, or a date stands beside a number.
			return c.unifyText(args)
		}
		t.Nullable = nullable
	}
	if t.Kind == Text {
		return c.unifyText(args)
	}
	return t, nil
}

func unifyNumbers(t, o Type, digits int) Type {
	t, o = numericKeep(t, o)
	switch {
	case t.Kind == Double || o.Kind == Double:
		return doubleOf(t, o, 0, false)
	case t.Kind == Decimal || o.Kind == Decimal:
		return decimalOf(digits, max(scaleOf(t), scaleOf(o)), false)
	case t.Kind == o.Kind:
		t.Bits = widest(t.Bits, o.Bits)
		return t
	}
	// One signed, one not: BIGINT holds both up to 32 bits.
	signed, unsigned := t, o
	if t.Kind == Unsigned {
		signed, unsigned = o, t
	}
	if unsigned.Bits == 0 || unsigned.Bits == 64 {
		return decimalOf(20, 0, false)
	}
	return Type{Kind: Integer, Bits: widest(signed.Bits, unsigned.Bits*2)}
}

// numericKeep makes integers of truth values unless both are.
func numericKeep(t, o Type) (Type, Type) {
	if t.Kind == Bool && o.Kind == Bool {
		return t, o
	}
	return numeric(t), numeric(o)
}

func widest(a, b int) int {
	if a == 0 || b == 0 || a > 64 || b > 64 {
		return 64
	}
	return max(a, b)
}

// unifyText is the type of values of which one is text.
func (c *call) unifyText(args []Argument) (Type, error) {
	length, open := 0, false
	same := args[0].Type.Kind
	for _, a := range args {
		n := a.chars()
		if n == 0 && a.Type.Kind != Null {
			open = true
		}
		length = max(length, n)
		if a.Type.Kind != same {
			same = Null
		}
	}
	if open {
		length = 0
	}
	t, err := c.text(length, args)
	t.Nullable = false
	for _, a := range args {
		t.Nullable = t.Nullable || a.Type.Nullable || a.Type.Kind == Null
	}
	return t, err
}
