package pushdown

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// maxScale bounds the digits behind the point of a decimal: DuckDB has 38
// digits in all, and 18 of them before the point hold every sum of bytes.
const maxScale = 20

// columnKind is the representation of a relation's column.
func columnKind(k tables.Kind) Kind {
	switch k {
	case tables.Timestamp:
		return Time
	case tables.Double:
		return Double
	case tables.Int, tables.BigInt:
		return Integer
	case tables.Bool:
		return Bool
	case tables.Address:
		return Address
	case tables.Identifier:
		return ID
	case tables.CommunityID:
		return Community
	case tables.MAC:
		return MAC
	case tables.Bytes:
		return Bytes
	}
	return Text
}

// declared is the MySQL type of a result: what the planner says when it agrees
// with how the value is computed, and MySQL 8's own type when the planner's
// arithmetic differs (it takes SUM of integers for a DOUBLE).
func declared(e Expr, planner sql.Type) sql.Type {
	switch e.Kind() {
	case Null:
		return types.Null
	case Bool:
		if planner != nil && types.IsInteger(planner) {
			return planner
		}
		return types.Boolean
	case Integer:
		// Of a column it is the column's; a computed one is BIGINT, also
		// where the planner expects a small number.
		if passes(e) && planner != nil && types.IsInteger(planner) {
			return planner
		}
		return types.Int64
	case Decimal:
		return types.MustCreateDecimalType(38, uint8(scaleOf(e)))
	case Double:
		return types.Float64
	case Bytes:
		return types.LongBlob
	case Time:
		return types.DatetimeMaxPrecision
	case Date:
		return types.Date
	case Address:
		return functions.AddrType
	case ID:
		return functions.IDType
	case Community:
		return functions.CommunityIDType
	case MAC:
		return functions.MACType
	}
	if t, ok := planner.(sql.StringType); ok && types.IsTextOnly(planner) && t.Collation() == sql.Collation_Default {
		if _, ok := functions.KindOf(planner); !ok {
			return planner
		}
	}
	return types.LongText
}

// passes tells whether an expression gives values of a column unchanged.
func passes(e Expr) bool {
	switch e := e.(type) {
	case *Col:
		return true
	case *Aggregate:
		return (e.Name == "min" || e.Name == "max" || e.Name == "any_value") && passes(e.Args[0])
	}
	return false
}

// scaleOf is the number of digits behind the point of a decimal expression, by
// MySQL's rules; 0 for other kinds.
func scaleOf(e Expr) int {
	if e.Kind() != Decimal {
		return 0
	}
	widest := func(args []Expr) int {
		s := 0
		for _, a := range args {
			s = max(s, scaleOf(a))
		}
		return s
	}
	switch e := e.(type) {
	case *Literal:
		if _, frac, ok := strings.Cut(e.Value.(string), "."); ok {
			return len(frac)
		}
		return 0
	case *Col:
		return typeScale(e.Type)
	case *Cast:
		return typeScale(e.Type)
	case *Aggregate:
		if e.Name == "avg" {
			return scaleOf(e.Args[0]) + divScale
		}
		return widest(e.Args)
	case *Subquery:
		return typeScale(e.Rel.Columns()[0].Type)
	case *Case:
		s := scaleOf(orNull(e.Else))
		for _, w := range e.Whens {
			s = max(s, scaleOf(w.Then))
		}
		return s
	case *Call:
		switch e.Op {
		case "*":
			return scaleOf(e.Args[0]) + scaleOf(e.Args[1])
		case "/":
			return scaleOf(e.Args[0]) + divScale
		case "unix_timestamp":
			return 6
		case "round":
			if len(e.Args) == 2 {
				if n, ok := intLiteral(e.Args[1]); ok {
					return int(max(0, min(n, int64(scaleOf(e.Args[0])))))
				}
			}
			return 0
		}
		return widest(e.Args)
	}
	return 0
}

// divScale is MySQL's div_precision_increment.
const divScale = 4

func typeScale(t sql.Type) int {
	if d, ok := t.(sql.DecimalType); ok {
		return int(d.Scale())
	}
	return 0
}

func orNull(e Expr) Expr {
	if e == nil {
		return &Literal{K: Null}
	}
	return e
}

func intLiteral(e Expr) (int64, bool) {
	l, ok := e.(*Literal)
	if !ok || l.K != Integer {
		return 0, false
	}
	return l.Value.(int64), true
}

func textLiteral(e Expr) (string, bool) {
	l, ok := e.(*Literal)
	if !ok || l.K != Text {
		return "", false
	}
	return l.Value.(string), true
}

// literal brings a constant of go-mysql-server into ours.
func literal(v any, t sql.Type) (*Literal, error) {
	switch v := v.(type) {
	case nil:
		return &Literal{K: Null}, nil
	case bool:
		return &Literal{Bool, v}, nil
	case int:
		return &Literal{Integer, int64(v)}, nil
	case int8:
		if t == types.Boolean {
			return &Literal{Bool, v != 0}, nil
		}
		return &Literal{Integer, int64(v)}, nil
	case int16:
		return &Literal{Integer, int64(v)}, nil
	case int32:
		return &Literal{Integer, int64(v)}, nil
	case int64:
		return &Literal{Integer, v}, nil
	case uint:
		return unsigned(uint64(v)), nil
	case uint8:
		return &Literal{Integer, int64(v)}, nil
	case uint16:
		return &Literal{Integer, int64(v)}, nil
	case uint32:
		return &Literal{Integer, int64(v)}, nil
	case uint64:
		return unsigned(v), nil
	case float32:
		return &Literal{Double, float64(v)}, nil
	case float64:
		return &Literal{Double, v}, nil
	case decimal.Decimal:
		return decimalLiteral(v.StringFixed(max(0, -v.Exponent())))
	case time.Time:
		if t != nil && types.IsDateType(t) {
			return &Literal{Date, v.UTC()}, nil
		}
		return &Literal{Time, v.UTC()}, nil
	case []byte:
		return &Literal{Bytes, v}, nil
	case string:
		if k, ok := functions.KindOf(t); ok {
			return parseLiteral(v, columnKind(k))
		}
		if t != nil && types.IsBinaryType(t) {
			return &Literal{Bytes, []byte(v)}, nil
		}
		if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
			return nil, fmt.Errorf("a text constant with bytes that are no text")
		}
		return &Literal{Text, v}, nil
	}
	return nil, fmt.Errorf("a constant of type %T", v)
}

// unsigned keeps what does not fit BIGINT exact as a decimal.
func unsigned(v uint64) *Literal {
	if v>>63 == 0 {
		return &Literal{Integer, int64(v)}
	}
	return &Literal{Decimal, strconv.FormatUint(v, 10)}
}

func decimalLiteral(s string) (*Literal, error) {
	whole, frac, _ := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if len(frac) > maxScale || len(whole)+len(frac) > 38 {
		return nil, fmt.Errorf("%s has more digits than a decimal column here", s)
	}
	return &Literal{Decimal, s}, nil
}

// parseLiteral reads text as a value of another kind, as a comparison with a
// column of that kind does.
func parseLiteral(s string, k Kind) (*Literal, error) {
	switch k {
	case Address:
		a, err := tables.ParseAddr(s)
		return &Literal{Address, a}, err
	case ID:
		id, err := tables.ParseID(s)
		return &Literal{ID, id}, err
	case Community:
		_, err := tables.ParseCommunityID(s)
		return &Literal{Community, s}, err
	case MAC:
		m, err := tables.ParseMAC(s)
		return &Literal{MAC, int64(m)}, err
	case Time, Date:
		t, err := ParseTime(s)
		return &Literal{Time, t}, err
	case Bool, Integer, Decimal, Double:
		return parseNumber(s)
	case Bytes:
		return &Literal{Bytes, []byte(s)}, nil
	}
	return &Literal{Text, s}, nil
}

// parseNumber reads text that is a number as a whole. MySQL takes a numeric
// prefix and else 0, which is how 'tcp' would equal protocol 0.
func parseNumber(s string) (*Literal, error) {
	s = strings.TrimSpace(s)
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return &Literal{Integer, n}, nil
	}
	// Go reads more as numbers than SQL does: 0x50, 1_000, Inf.
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.Trim(s, "0123456789.eE+-") != "" {
		return nil, fmt.Errorf("%q is not a number", s)
	}
	if strings.ContainsAny(s, "eE") {
		return &Literal{Double, f}, nil
	}
	return decimalLiteral(strings.TrimPrefix(s, "+"))
}

// timeLayouts are the spellings of a time. MySQL's own come first; the others
// are what logs and other tools print.
var timeLayouts = []string{
	"2006-01-02 15:04:05.999999999",
	"2006-01-02 15:04",
	"2006-01-02",
	"2006-01-02T15:04:05.999999999",
	"2006-01-02T15:04",
	"2006-01-02 15:04:05.999999999Z07:00",
	"2006-01-02T15:04:05.999999999Z07:00",
	"2006-01-02 15:04Z07:00",
	"2006-01-02T15:04Z07:00",
	"2006-01-02 15:04:05.999999999 Z07:00",
	"20060102150405",
	"20060102",
}

// ParseTime reads a time as people write it: with a space or T, with seconds or
// without, with Z or an offset or, without one, in UTC. The result is in UTC
// with microseconds. What is no time is an error, where MySQL would compare
// with the zero date.
func ParseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC().Round(time.Microsecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write it as '2026-06-12 10:15:00'", s)
}
