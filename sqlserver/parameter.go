package sqlserver

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine"
)

// The types of parameters, as the protocol numbers them.
const (
	typeDecimal    = 0
	typeTiny       = 1
	typeShort      = 2
	typeLong       = 3
	typeFloat      = 4
	typeDouble     = 5
	typeNull       = 6
	typeTimestamp  = 7
	typeLongLong   = 8
	typeInt24      = 9
	typeDate       = 10
	typeTime       = 11
	typeDateTime   = 12
	typeYear       = 13
	typeVarChar    = 15
	typeBit        = 16
	typeJSON       = 245
	typeNewDecimal = 246
	typeEnum       = 247
	typeSet        = 248
	typeTinyBlob   = 249
	typeBlob       = 252
	typeVarString  = 253
	typeString     = 254
	typeGeometry   = 255
)

// parameterType is a type with its flag for unsigned.
type parameterType struct {
	code     byte
	unsigned bool
}

// parameter takes a value as the engine takes it: nil, int64, uint64, float64,
// string, []byte, time.Time or one of the engine's own types. decode makes
// UTF-8 of text; nil if it is.
func (t parameterType) parameter(m *message, decode func(string) string) (any, error) {
	switch t.code {
	case typeNull:
		return nil, nil
	case typeTiny:
		return t.integer(int64(int8(m.number(1))), 1), nil
	case typeShort, typeYear:
		return t.integer(int64(int16(m.number(2))), 2), nil
	case typeLong, typeInt24:
		return t.integer(int64(int32(m.number(4))), 4), nil
	case typeLongLong:
		return t.integer(int64(m.number(8)), 8), nil
	case typeFloat:
		return float64(math.Float32frombits(uint32(m.number(4)))), nil
	case typeDouble:
		return math.Float64frombits(m.number(8)), nil
	case typeDate, typeDateTime, typeTimestamp:
		return t.date(m)
	case typeTime:
		return clockParameter(m)
	}
	return t.text(m.text(), decode)
}

// integer is a number that came in size bytes.
func (t parameterType) integer(v int64, size int) any {
	if !t.unsigned {
		return v
	}
	return uint64(v) & (math.MaxUint64 >> (64 - 8*size))
}

// text is a value that comes as bytes, or as long data.
func (t parameterType) text(b []byte, decode func(string) string) (any, error) {
	switch t.code {
	case typeDecimal, typeNewDecimal:
		return engine.DecimalValue(b), nil
	case typeVarChar, typeVarString, typeString, typeEnum, typeSet, typeJSON:
		if decode != nil {
			return decode(string(b)), nil
		}
		return string(b), nil
	case typeTinyBlob, typeTinyBlob + 1, typeTinyBlob + 2, typeBlob, typeBit, typeGeometry:
		return append([]byte{}, b...), nil
	}
	return nil, errMalformed
}

// date takes a DATE, DATETIME or TIMESTAMP of 0, 4, 7 or 11 bytes. The zero
// date is NULL: here no time equals it.
func (t parameterType) date(m *message) (any, error) {
	size := int(m.number(1))
	if size != 0 && size != 4 && size != 7 && size != 11 {
		return nil, errMalformed
	}
	var whole [11]byte
	copy(whole[:], m.bytes(size))
	p := message{rest: whole[:]}
	year, month, day := int(p.number(2)), int(p.number(1)), int(p.number(1))
	hour, minute, second, us := int(p.number(1)), int(p.number(1)), int(p.number(1)), int(p.number(4))
	if year == 0 && month == 0 && day == 0 {
		return nil, nil
	}
	at := time.Date(year, time.Month(month), day, hour, minute, second, us*1000, time.UTC)
	if at.Day() != day || int(at.Month()) != month || year > 9999 || hour > 23 || minute > 59 || second > 59 || us > 999999 {
		return nil, newError(1292, fmt.Sprintf("Incorrect DATETIME value: '%04d-%02d-%02d %02d:%02d:%02d.%06d'", year, month, day, hour, minute, second, us))
	}
	if t.code == typeDate {
		return engine.DateValue(time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)), nil
	}
	return at, nil
}

// maxClock is the largest TIME, 838:59:59, in µs.
const maxClock = (838*3600 + 59*60 + 59) * 1e6

// clockParameter takes a TIME of 0, 8 or 12 bytes.
func clockParameter(m *message) (any, error) {
	size := int(m.number(1))
	if size != 0 && size != 8 && size != 12 {
		return nil, errMalformed
	}
	var whole [12]byte
	copy(whole[:], m.bytes(size))
	p := message{rest: whole[:]}
	negative, days := p.number(1) == 1, int64(p.number(4))
	hour, minute, second, us := int64(p.number(1)), int64(p.number(1)), int64(p.number(1)), int64(p.number(4))
	if minute > 59 || second > 59 || us > 999999 {
		return nil, newError(1292, fmt.Sprintf("Incorrect TIME value: '%02d:%02d:%02d.%06d'", 24*days+hour, minute, second, us))
	}
	total := min(((24*days+hour)*3600+minute*60+second)*1e6+us, maxClock)
	if negative {
		total = -total
	}
	return engine.ClockValue(total), nil
}

// expressions are parameters as go-mysql-server takes them.
func expressions(params engine.Parameters) (map[string]sqlparser.Expr, error) {
	if len(params) == 0 {
		return nil, nil
	}
	out := make(map[string]sqlparser.Expr, len(params))
	for i, p := range params {
		var v sqltypes.Value
		switch p := p.(type) {
		case nil:
			v = sqltypes.NULL
		case int64:
			v = sqltypes.NewInt64(p)
		case uint64:
			v = sqltypes.NewUint64(p)
		case float64:
			v = sqltypes.NewFloat64(p)
		case string:
			v = sqltypes.NewVarChar(p)
		case []byte:
			v = sqltypes.NewVarBinary(string(p))
		case time.Time:
			v = sqltypes.NewVarChar(p.Format("2006-01-02 15:04:05.000000"))
		case engine.DateValue:
			v = sqltypes.NewVarChar(time.Time(p).Format(time.DateOnly))
		case engine.DecimalValue:
			v = sqltypes.NewVarChar(string(p))
		case engine.ClockValue:
			us, sign := int64(p), ""
			if us < 0 {
				us, sign = -us, "-"
			}
			v = sqltypes.NewVarChar(fmt.Sprintf("%s%02d:%02d:%02d.%06d", sign, us/3600e6, us/60e6%60, us/1e6%60, us%1e6))
		default:
			return nil, fmt.Errorf("a parameter is a %T", p)
		}
		e, err := sqlparser.ExprFromValue(v)
		if err != nil {
			return nil, err
		}
		out["v"+strconv.Itoa(i+1)] = e
	}
	return out, nil
}
