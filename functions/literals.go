package functions

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// Literal types a literal of the grammar: a number, text, bytes, a time, NULL,
// TRUE and FALSE (manual 9.1).
func Literal(node sqlparser.Expr, s *Session) (Argument, error) {
	fixed := func(t Type, v sqltypes.Value) (Argument, error) {
		return Argument{Type: t, Literal: true, Value: v}, nil
	}
	var n *sqlparser.Literal
	switch node := node.(type) {
	case *sqlparser.NullVal:
		return fixed(Type{Kind: Null, Nullable: true}, sqltypes.NULL)
	case sqlparser.BoolVal:
		return fixed(Type{Kind: Bool}, boolValue(bool(node)))
	case *sqlparser.Literal:
		n = node
	default:
		return Argument{}, sqlErrorf(1235, "42000", "'%s' is no literal", sqlparser.String(node))
	}
	switch n.Type {
	case sqlparser.IntVal:
		u, err := strconv.ParseUint(n.Val, 10, 64)
		switch {
		case err != nil:
			return fixed(decimalOf(len(strings.TrimLeft(n.Val, "0")), 0, false), sqltypes.MakeTrusted(sqltypes.Decimal, []byte(n.Val)))
		case u > math.MaxInt64:
			return fixed(Type{Kind: Unsigned, Bits: 64}, uintValue(u))
		}
		return fixed(Type{Kind: Integer, Bits: 64}, intValue(int64(u)))
	case sqlparser.DecimalVal:
		whole, fraction, _ := strings.Cut(n.Val, ".")
		t := decimalOf(max(1, len(strings.TrimLeft(whole, "-0"))), len(fraction), false)
		if strings.TrimLeft(whole, "-0") == "" {
			t.Precision = max(1, t.Scale)
		}
		v, err := conform(sqltypes.MakeTrusted(sqltypes.Decimal, []byte(n.Val)), t)
		return Argument{Type: t, Literal: true, Value: v}, err
	case sqlparser.FloatVal:
		f, err := strconv.ParseFloat(n.Val, 64)
		if err != nil || math.IsInf(f, 0) {
			return Argument{}, sqlErrorf(1367, "22007", "Illegal double '%s' value found during parsing", n.Val)
		}
		return fixed(Type{Kind: Double}, floatValue(f))
	case sqlparser.StrVal:
		if !utf8.ValidString(n.Val) {
			return Argument{}, sqlErrorf(1300, "HY000", "Invalid utf8mb4 character string")
		}
		return fixed(Type{Kind: Text, Length: utf8.RuneCountInString(n.Val), Collation: s.collation(),
			Coercibility: collations.CoerceCoercible}, textValue([]byte(n.Val)))
	case sqlparser.HexVal, sqlparser.HexNum, sqlparser.BitNum:
		b, err := literalBytes(n)
		if err != nil {
			return Argument{}, err
		}
		return Argument{Type: Type{Kind: Bytes, Length: len(b)}, Literal: true, Value: sqltypes.MakeTrusted(sqltypes.VarBinary, b), Hex: true}, nil
	case sqlparser.DateVal, sqlparser.TimeVal, sqlparser.TimestampVal:
		return literalTimeOf(n)
	}
	return Argument{}, sqlErrorf(1235, "42000", "'%s' is no literal", sqlparser.String(node))
}

// literalBytes are those of x'…', 0x… and b'…'.
func literalBytes(n *sqlparser.Literal) ([]byte, error) {
	text := strings.TrimPrefix(n.Val, "0x")
	if n.Type == sqlparser.BitNum {
		text = strings.TrimPrefix(n.Val, "0b")
		out := make([]byte, (len(text)+7)/8)
		for i := range len(text) {
			if text[len(text)-1-i] == '1' {
				out[len(out)-1-i/8] |= 1 << (i % 8)
			}
		}
		return out, nil
	}
	if len(text)%2 == 1 {
		text = "0" + text
	}
	b, err := hex.DecodeString(text)
	if err != nil {
		return nil, sqlErrorf(1064, "42000", "'%s' is not hexadecimal", n.Val)
	}
	return b, nil
}

// literalTimeOf reads DATE '…', TIME '…' and TIMESTAMP '…'.
func literalTimeOf(n *sqlparser.Literal) (Argument, error) {
	t := Type{Kind: Date}
	from, typ := sqltypes.Date, "DATE"
	switch n.Type {
	case sqlparser.TimeVal:
		t, from, typ = Type{Kind: Clock, Scale: fractionOf(n.Val)}, sqltypes.Time, "TIME"
	case sqlparser.TimestampVal:
		t, from, typ = Type{Kind: Time, Scale: fractionOf(n.Val)}, sqltypes.Datetime, "DATETIME"
	}
	var text []byte
	switch t.Kind {
	case Clock:
		if us, _, ok := parseClock(n.Val); ok {
			text = clockText(us, t.Scale)
		}
	default:
		if m, rest, ok := parseMoment(n.Val); ok && !rest {
			text = m.text(t)
		}
	}
	if text == nil {
		return Argument{}, sqlErrorf(1525, "HY000", "Incorrect %s value: '%s'", typ, n.Val)
	}
	return Argument{Type: t, Literal: true, Value: sqltypes.MakeTrusted(from, text)}, nil
}
