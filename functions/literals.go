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
		return Argument{}, Errorf(1235, "'%s' is no literal", sqlparser.String(node))
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
			return Argument{}, Errorf(1367, "Illegal double '%s' value found during parsing", n.Val)
		}
		return fixed(Type{Kind: Double}, floatValue(f))
	case sqlparser.StrVal:
		if !utf8.ValidString(n.Val) {
			return Argument{}, Errorf(1300, "Invalid utf8mb4 character string")
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
		a, _, err := TimeLiteral(n)
		return a, err
	}
	return Argument{}, Errorf(1235, "'%s' is no literal", sqlparser.String(node))
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
		return nil, Errorf(1064, "'%s' is not hexadecimal", n.Val)
	}
	return b, nil
}

// TimeLiteral reads DATE '…', TIME '…' and TIMESTAMP '…', in each form that
// MySQL takes (manual 11.1.3, 11.2): as a whole, or it is error 1525. offset
// tells that a TIMESTAMP had one; its value is in UTC then.
func TimeLiteral(n *sqlparser.Literal) (a Argument, offset bool, err error) {
	text := strings.Trim(n.Val, " \t\n\v\f\r")
	var value []byte
	name := "DATE"
	switch n.Type {
	case sqlparser.TimeVal:
		name = "TIME"
		t := Type{Kind: Clock, Scale: fractionOf(text)}
		full := len(text) >= 12 && strings.ContainsAny(text[1:], "-/")
		if us, rest, ok := unclippedClock(text); ok && !rest && !full && clipClock(us) == us {
			value = clockText(us, t.Scale)
		}
		a = Argument{Type: t, Literal: true, Value: sqltypes.MakeTrusted(sqltypes.Time, value)}
	case sqlparser.TimestampVal:
		name = "DATETIME"
		local, shift, ok := cutOffset(text)
		t := Type{Kind: Time, Scale: fractionOf(local)}
		if m, rest, read := parseMoment(local); ok && read && !rest && hasClock(local) && m.valid(false) {
			if offset = local != text; offset {
				m, ok = fromTotal(m.total() - shift)
			}
			if ok {
				value = m.text(t)
			}
		}
		a = Argument{Type: t, Literal: true, Value: sqltypes.MakeTrusted(sqltypes.Datetime, value)}
	default:
		t := Type{Kind: Date}
		if m, rest, ok := parseMoment(text); ok && !rest && !hasClock(text) && m.valid(false) {
			value = m.text(t)
		}
		a = Argument{Type: t, Literal: true, Value: sqltypes.MakeTrusted(sqltypes.Date, value)}
	}
	if value == nil {
		return Argument{}, false, Errorf(1525, "Incorrect %s value: '%s'", name, n.Val)
	}
	return a, offset, nil
}

// hasClock tells whether the text of a date goes on with a time of day.
func hasClock(text string) bool {
	groups := strings.FieldsFunc(text, func(r rune) bool { return r < '0' || r > '9' })
	digits := 0
	for _, g := range groups {
		digits += len(g)
	}
	return len(groups) > 3 || len(groups) < 3 && digits > 8
}

// cutOffset takes an offset from UTC of -13:59 to +14:00 off a time, in µs; ok
// is false for any other.
func cutOffset(text string) (local string, shift int64, ok bool) {
	n := len(text) - 6
	if n < 1 || text[n] != '+' && text[n] != '-' || text[n+3] != ':' || text[n-1] < '0' || text[n-1] > '9' || !strings.Contains(text[:n], ":") {
		return text, 0, true
	}
	hours, errH := strconv.ParseUint(text[n+1:n+3], 10, 8)
	minutes, errM := strconv.ParseUint(text[n+4:], 10, 8)
	shift = int64(hours*60+minutes) * 60 * secondMicros
	if text[n] == '-' {
		shift = -shift
	}
	ok = errH == nil && errM == nil && minutes < 60 && text[n:] != "-00:00" && shift > -14*3600*secondMicros && shift <= 14*3600*secondMicros
	return text[:n], shift, ok
}
