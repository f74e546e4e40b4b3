package pushdown

import (
	"encoding/hex"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Constants: as they are parsed, as they are computed, and as they are handed
// to the function table.

// constant brings a literal of the parser into the intermediate form.
func (c *compiler) constant(l *sqlparser.Literal) (*Literal, error) {
	switch l.Type {
	case sqlparser.IntVal:
		if n, err := strconv.ParseInt(l.Val, 10, 64); err == nil {
			return &Literal{T: Type{Kind: Integer, Bits: 64, Length: len(l.Val)}, Value: n}, nil
		}
		if n, err := strconv.ParseUint(l.Val, 10, 64); err == nil {
			return &Literal{T: Type{Kind: Unsigned, Bits: 64}, Value: n}, nil
		}
		return decimalLiteral(l.Val)
	case sqlparser.DecimalVal:
		return decimalLiteral(l.Val)
	case sqlparser.FloatVal:
		f, err := strconv.ParseFloat(l.Val, 64)
		if err != nil {
			return nil, mistake(1367, "Illegal double '%s' value found during parsing", l.Val)
		}
		return lit(Double, f), nil
	case sqlparser.StrVal:
		if !utf8.ValidString(l.Val) {
			return bytesLiteral([]byte(l.Val)), nil
		}
		return c.textLiteral(l.Val), nil
	case sqlparser.HexVal, sqlparser.HexNum:
		digits := strings.TrimPrefix(strings.TrimPrefix(l.Val, "0x"), "0X")
		if len(digits)%2 == 1 {
			if l.Type == sqlparser.HexVal {
				return nil, syntaxError("x'%s' has an odd number of digits", digits)
			}
			digits = "0" + digits
		}
		b, err := hex.DecodeString(digits)
		if err != nil {
			return nil, syntaxError("x'%s' is not hexadecimal", digits)
		}
		return &Literal{Type{Kind: Bytes, Length: max(1, len(b))}, b, true}, nil
	case sqlparser.BitNum:
		digits := strings.TrimPrefix(l.Val, "0b")
		n, ok := new(big.Int).SetString(digits, 2)
		if !ok {
			return nil, syntaxError("b'%s' is not binary", digits)
		}
		b := make([]byte, (len(digits)+7)/8)
		return &Literal{Type{Kind: Bytes, Length: max(1, len(b))}, n.FillBytes(b), true}, nil
	case sqlparser.DateVal, sqlparser.TimeVal, sqlparser.TimestampVal:
		return c.typedLiteral(l)
	}
	return nil, refuse(l, "a literal of this kind is not supported")
}

func (c *compiler) textLiteral(s string) *Literal {
	t := Type{Kind: Text, Length: max(1, utf8.RuneCountInString(s)), Collation: c.connectionCollation(), Coercibility: 4}
	return &Literal{T: t, Value: s}
}

func bytesLiteral(b []byte) *Literal {
	return &Literal{T: Type{Kind: Bytes, Length: max(1, len(b))}, Value: b}
}

// typedLiteral reads DATE '…', TIME '…' and TIMESTAMP '…'.
func (c *compiler) typedLiteral(l *sqlparser.Literal) (*Literal, error) {
	a, offset, err := functions.TimeLiteral(l)
	if err != nil {
		return nil, err
	}
	x, err := valueLiteral(a.Value, a.Type)
	if err == nil && offset && !c.utc() {
		x.T.Instant = true
		x = c.shown(x).(*Literal)
	}
	return x, err
}

func timeLiteralOf(t time.Time, digits int) *Literal {
	return &Literal{T: Type{Kind: Time, Scale: digits}, Value: t}
}

// fraction counts the digits behind the last point of a time, six at most.
func fraction(s string) int {
	_, frac, ok := strings.Cut(s, ".")
	if !ok {
		return 0
	}
	n := 0
	for n < len(frac) && frac[n] >= '0' && frac[n] <= '9' {
		n++
	}
	return min(n, 6)
}

// maxClock is the largest TIME, 838:59:59, in µs.
const maxClock = (838*3600 + 59*60 + 59) * int64(1e6)

// ParseClock reads a TIME as MySQL writes it: [-]h:mm:ss[.frac], h:mm, or with
// days in front. The result is in µs.
func ParseClock(s string) (us int64, digits int, ok bool) {
	s = strings.TrimSpace(s)
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	days := int64(0)
	if d, rest, found := strings.Cut(s, " "); found {
		n, err := strconv.ParseUint(d, 10, 8)
		if err != nil || n > 34 {
			return 0, 0, false
		}
		days, s = int64(n), rest
	}
	whole, frac, hasFrac := strings.Cut(s, ".")
	parts := strings.Split(whole, ":")
	if len(parts) < 2 || len(parts) > 3 || hasFrac && len(parts) != 3 {
		return 0, 0, false
	}
	var n [3]int64
	for i, p := range parts {
		v, err := strconv.ParseUint(p, 10, 16)
		if err != nil || i > 0 && (v > 59 || len(p) > 2) {
			return 0, 0, false
		}
		n[i] = int64(v)
	}
	us = ((days*24+n[0])*3600 + n[1]*60 + n[2]) * 1e6
	if hasFrac {
		digits = min(len(frac), 6)
		v, err := strconv.ParseUint((frac + "000000")[:6], 10, 32)
		if err != nil {
			return 0, 0, false
		}
		us += int64(v)
	}
	us = min(us, maxClock)
	if negative {
		us = -us
	}
	return us, digits, true
}

// clockText writes a TIME.
func clockText(us int64, digits int) string {
	sign := ""
	if us < 0 {
		sign, us = "-", -us
	}
	s := fmt.Sprintf("%s%02d:%02d:%02d", sign, us/3600e6, us/60e6%60, us/1e6%60)
	if digits > 0 {
		s += fmt.Sprintf(".%06d", us%1e6)[:digits+1]
	}
	return s
}

// goLiteral brings a value of the session into the intermediate form.
func (c *compiler) goLiteral(v any) (*Literal, error) {
	switch v := v.(type) {
	case nil:
		return null(), nil
	case bool:
		return lit(Bool, v), nil
	case int8:
		return lit(Integer, int64(v)), nil
	case int16:
		return lit(Integer, int64(v)), nil
	case int32:
		return lit(Integer, int64(v)), nil
	case int:
		return lit(Integer, int64(v)), nil
	case int64:
		return lit(Integer, v), nil
	case uint8:
		return lit(Integer, int64(v)), nil
	case uint16:
		return lit(Integer, int64(v)), nil
	case uint32:
		return lit(Integer, int64(v)), nil
	case uint64:
		return lit(Unsigned, v), nil
	case float64:
		return lit(Double, v), nil
	case string:
		if !utf8.ValidString(v) {
			return bytesLiteral([]byte(v)), nil
		}
		return c.textLiteral(v), nil
	case []byte:
		return bytesLiteral(v), nil
	case time.Time:
		return timeLiteralOf(v.UTC(), digitsOf(int64(v.Nanosecond()/1000))), nil
	case DateValue:
		return lit(Date, time.Time(v)), nil
	case ClockValue:
		return &Literal{T: Type{Kind: Clock, Scale: digitsOf(int64(v))}, Value: int64(v)}, nil
	case DecimalValue:
		l, err := parseNumber(string(v))
		if err == nil && l.T.Kind == Integer {
			return decimalLiteral(strings.TrimSpace(string(v)))
		}
		return l, err
	case fmt.Stringer: // decimals
		return decimalLiteral(v.String())
	}
	return nil, fmt.Errorf("a constant of type %T", v)
}

// digitsOf is how many digits a bound time shows behind its seconds.
func digitsOf(us int64) int {
	if us%1e6 == 0 {
		return 0
	}
	return 6
}

// valueLiteral reads what an evaluation gave.
func valueLiteral(v sqltypes.Value, t Type) (*Literal, error) {
	if v.IsNull() {
		t.Nullable = true
		return &Literal{T: Type{Kind: Null, Nullable: true}}, nil
	}
	s := v.ToString()
	bad := func(err error) (*Literal, error) {
		return nil, fmt.Errorf("a constant evaluates to %q, which is no %s: %w", s, t, err)
	}
	switch t.Kind {
	case Bool:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return bad(err)
		}
		return &Literal{T: t, Value: n != 0}, nil
	case Integer:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return bad(err)
		}
		return &Literal{T: t, Value: n}, nil
	case Unsigned:
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			return bad(err)
		}
		return &Literal{T: t, Value: n}, nil
	case Decimal:
		return &Literal{T: t, Value: s}, nil
	case Double:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return bad(err)
		}
		return &Literal{T: t, Value: f}, nil
	case Bytes:
		return &Literal{T: t, Value: []byte(s)}, nil
	case Date, Time:
		layout := "2006-01-02"
		if t.Kind == Time {
			layout = "2006-01-02 15:04:05.999999"
		}
		at, err := time.Parse(layout, s)
		if err != nil {
			// 0000-00-00 is a value of MySQL's; here nothing can equal it.
			return &Literal{T: Type{Kind: Null, Nullable: true}}, nil
		}
		return &Literal{T: t, Value: at}, nil
	case Clock:
		us, _, ok := ParseClock(s)
		if !ok {
			return bad(fmt.Errorf("no time of day"))
		}
		return &Literal{T: t, Value: us}, nil
	case Null:
		return null(), nil
	}
	if !utf8.ValidString(s) {
		return bytesLiteral([]byte(s)), nil
	}
	return &Literal{T: t, Value: s}, nil
}

// SQLValue hands a constant to the function table.
func (l *Literal) SQLValue() sqltypes.Value {
	switch v := l.Value.(type) {
	case nil:
		return sqltypes.NULL
	case bool:
		if v {
			return sqltypes.NewInt64(1)
		}
		return sqltypes.NewInt64(0)
	case int64:
		switch l.T.Kind {
		case Clock:
			return sqltypes.MakeTrusted(sqltypes.Time, []byte(clockText(v, l.T.Scale)))
		case MAC:
			return sqltypes.NewVarChar(tables.MACText(uint64(v)))
		}
		return sqltypes.NewInt64(v)
	case uint64:
		return sqltypes.NewUint64(v)
	case float64:
		return sqltypes.NewFloat64(v)
	case []byte:
		return sqltypes.NewVarBinary(string(v))
	case time.Time:
		if l.T.Kind == Date {
			return sqltypes.MakeTrusted(sqltypes.Date, []byte(v.Format("2006-01-02")))
		}
		return sqltypes.MakeTrusted(sqltypes.Datetime, []byte(v.Format("2006-01-02 15:04:05.000000")[:timeLength(l.T.Scale)]))
	case tables.Addr:
		return sqltypes.NewVarChar(v.String())
	case tables.ID:
		return sqltypes.NewVarChar(v.String())
	case string:
		if l.T.Kind == Decimal {
			return sqltypes.NewDecimal(v)
		}
		if l.T.Kind == JSON {
			return sqltypes.MakeTrusted(sqltypes.TypeJSON, []byte(v))
		}
		return sqltypes.NewVarChar(v)
	}
	return sqltypes.NULL
}

// timeLength is how long a DATETIME's text with so many digits is.
func timeLength(digits int) int {
	if digits == 0 {
		return 19
	}
	return 20 + digits
}

// argument describes an operand to the function table.
func argument(e Expr) functions.Argument {
	a := functions.Argument{Type: TypeOf(e)}
	if l, ok := e.(*Literal); ok {
		a.Literal, a.Value, a.Hex = true, l.SQLValue(), l.Hex
	}
	return a
}

// unsigned keeps what does not fit BIGINT.
func unsigned(v uint64) *Literal {
	if v>>63 == 0 {
		return lit(Integer, int64(v))
	}
	return lit(Unsigned, v)
}

func decimalLiteral(s string) (*Literal, error) {
	s = strings.TrimPrefix(s, "+")
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	whole = strings.TrimLeft(whole, "0")
	if len(frac) > 30 || len(whole)+len(frac) > 65 {
		return nil, syntaxError("%s has more digits than a DECIMAL", s)
	}
	s = strings.TrimSuffix(s, ".")
	return &Literal{T: Type{Kind: Decimal, Precision: max(1, len(whole)+len(frac)), Scale: len(frac)}, Value: s}, nil
}

// parseLiteral reads text as a value of another kind, as a comparison with a
// column of that kind does.
func parseLiteral(s string, k Kind) (*Literal, error) {
	switch k {
	case Address:
		a, err := tables.ParseAddr(s)
		return lit(Address, a), err
	case ID:
		id, err := tables.ParseID(s)
		return lit(ID, id), err
	case Community:
		_, err := tables.ParseCommunityID(s)
		return lit(Community, s), err
	case MAC:
		m, err := tables.ParseMAC(s)
		return lit(MAC, int64(m)), err
	case Time, Date:
		t, err := functions.ParseTime(s)
		return timeLiteralOf(t, max(fraction(s), 0)), err
	case Clock:
		us, digits, ok := ParseClock(s)
		if !ok {
			return nil, fmt.Errorf("%q is not a time of day: write it as '10:15:00'", s)
		}
		return &Literal{T: Type{Kind: Clock, Scale: digits}, Value: us}, nil
	case Bool, Integer, Unsigned, Decimal, Double:
		return parseNumber(s)
	case Bytes:
		return bytesLiteral([]byte(s)), nil
	}
	return lit(Text, s), nil
}

// parseNumber reads text that is a number as a whole. MySQL takes a numeric
// prefix and else 0, which is how 'tcp' would equal protocol 0.
func parseNumber(s string) (*Literal, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return lit(Integer, n), nil
	}
	// Go reads more as numbers than SQL does: 0x50, 1_000, Inf.
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Trim(s, "0123456789.eE+-") != "" {
		return nil, fmt.Errorf("%q is not a number", s)
	}
	if strings.ContainsAny(s, "eE") {
		return lit(Double, f), nil
	}
	l, err := decimalLiteral(s)
	if err != nil {
		return nil, fmt.Errorf("%q has too many digits", s)
	}
	return l, nil
}
