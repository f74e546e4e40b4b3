package functions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/shopspring/decimal"
)

// timeType is DATETIME(6) whose Convert reads text as ParseTime does.
var timeType sql.Type = literalTime{types.DatetimeMaxPrecision}

type literalTime struct{ sql.DatetimeType }

func (t literalTime) Convert(ctx context.Context, v any) (any, sql.ConvertInRange, error) {
	if s, ok := v.(string); ok {
		at, err := ParseTime(s)
		return at, sql.InRange, err
	}
	return t.DatetimeType.Convert(ctx, v)
}

// timeLayouts are the spellings of a time, once its date and time are joined by
// T and nothing else is spaced: MySQL's own first, then what logs and other
// tools print. Fractions of seconds need no layout of their own.
var timeLayouts = []string{
	"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02",
	"2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04Z0700",
	"2006-1-2T15:4:5", "2006-1-2T15:4", "2006-1-2", "20060102150405", "20060102",
}

// ParseTime reads the text of a time as people and programs write it: a date,
// or a date and a time separated by a space or T, with or without seconds and
// fraction, UTC unless it ends in Z or an offset such as +02:00. Microseconds
// are kept, the rest is rounded away. What is no time is an error, where MySQL
// would compare with the zero date.
func ParseTime(s string) (time.Time, error) {
	t, _, err := ParseInstant(s)
	return t, err
}

// ParseInstant is ParseTime that tells whether there was an offset: only then
// it is known when it was in a session whose zone is not UTC.
func ParseInstant(s string) (t time.Time, offset bool, err error) {
	text := strings.TrimSpace(s)
	date, clock, spaced := strings.Cut(text, " ")
	if spaced {
		text = date + "T" + strings.ReplaceAll(clock, " ", "")
	}
	text = strings.ToUpper(text) // t and z
	for _, layout := range timeLayouts {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC().Round(time.Microsecond), strings.Contains(layout, "Z07"), nil
		}
	}
	return time.Time{}, false, fmt.Errorf("%q is not a time: write it as '2026-06-12 10:15:00'", s)
}

var overlaps = &Function{
	Name: "overlaps",
	Args: []Arg{
		{Name: "ts", Type: timeType, Doc: "start of the interval"},
		{Name: "ts_end", Type: timeType, Doc: "its last instant"},
		{Name: "from", Type: timeType, Doc: "start of the window"},
		{Name: "to", Type: timeType, Doc: "end of the window, not part of it"},
	},
	Returns: types.Boolean,
	Doc: "Whether something that lasted from `ts` to `ts_end` was active in the half-open window [`from`, `to`): " +
		"`ts < to AND ts_end >= from`. Use it for connections and flows: `ts BETWEEN …` misses those that began before " +
		"the window and were still running in it. It reads only the files that can hold such rows.",
	Examples: []Example{
		{SQL: "SELECT overlaps('2026-06-12 10:10', '2026-06-12 10:20', '2026-06-12 10:15', '2026-06-12 10:30')", Result: "1", Note: "began before the window"},
		{SQL: "SELECT overlaps('2026-06-12 10:30', '2026-06-12 10:40', '2026-06-12 10:15', '2026-06-12 10:30')", Result: "0", Note: "the end of the window is not part of it"},
		{SQL: "SELECT overlaps('2026-06-12 10:00', '2026-06-12 10:05', '2026-06-12T12:00+02:00', '2026-06-12T12:30+02:00')", Result: "1", Note: "offsets from UTC are understood"},
	},
	nulls: true,
	Eval: func(args []any) (any, error) {
		// AND of two comparisons, of which NULL makes one unknown.
		before := func(a, b any, strict bool) any {
			if a == nil || b == nil {
				return nil
			}
			if strict {
				return a.(time.Time).Before(b.(time.Time))
			}
			return !b.(time.Time).Before(a.(time.Time))
		}
		starts, lasts := before(args[0], args[3], true), before(args[2], args[1], false)
		switch {
		case starts == false || lasts == false:
			return false, nil
		case starts == nil || lasts == nil:
			return nil, nil
		}
		return true, nil
	},
	Text: func(args []Operand) (Operand, error) {
		for _, a := range args {
			if a.Kind != Time && a.Kind != Null {
				return Operand{}, errors.New("an argument is not a time")
			}
		}
		return Operand{Kind: Bool, SQL: fmt.Sprintf("(%s < %s AND %s >= %s)", args[0].SQL, args[3].SQL, args[1].SQL, args[2].SQL)}, nil
	},
}

// week is the one width that is not counted from 1970-01-01, a Thursday.
const week = 7 * 24 * time.Hour

var timeBucket = &Function{
	Name: "time_bucket",
	Args: []Arg{
		{Name: "width", Doc: "seconds as a number, or text such as '5 minutes', '1h', '1 day', '100ms'"},
		{Name: "ts", Type: timeType, Doc: "the time to round down"},
	},
	Returns: types.DatetimeMaxPrecision,
	Doc: "The start of the bucket of a width that `ts` falls into. Buckets are counted from 1970-01-01 00:00 UTC; " +
		"those of whole weeks start on Mondays. Units are ms, seconds, minutes, hours, days and weeks, in full or by " +
		"their first letter (`m` is minutes); for months use DATE_FORMAT(ts, '%Y-%m').",
	Examples: []Example{
		{SQL: "SELECT time_bucket('5 minutes', '2026-06-12 10:17:42')", Result: "2026-06-12 10:15:00.000000"},
		{SQL: "SELECT time_bucket(30, '2026-06-12 10:17:42')", Result: "2026-06-12 10:17:30.000000", Note: "a number is seconds"},
		{SQL: "SELECT time_bucket('1 week', '2026-06-12 10:17:42')", Result: "2026-06-08 00:00:00.000000", Note: "a Monday"},
	},
	check: func(arg int, v any) error {
		if arg != 0 {
			return nil
		}
		_, err := parseWidth(v)
		return err
	},
	Eval: func(args []any) (any, error) {
		width, err := parseWidth(args[0])
		if err != nil {
			return nil, err
		}
		t := args[1].(time.Time)
		us, w, origin := t.UnixMicro(), width.Microseconds(), bucketOrigin(width).UnixMicro()
		n := (us - origin) % w
		if n < 0 {
			n += w
		}
		return time.UnixMicro(us - n).UTC(), nil
	},
	Text: func(args []Operand) (Operand, error) {
		if !args[0].IsLiteral {
			return Operand{}, errors.New("the width is not a constant")
		}
		if args[1].Kind != Time {
			return Operand{}, errors.New("the argument is not a time")
		}
		width, err := parseWidth(args[0].Literal)
		if err != nil {
			return Operand{}, err
		}
		return Operand{Kind: Time, SQL: fmt.Sprintf("time_bucket(to_microseconds(%d), %s, TIMESTAMP '%s')",
			width.Microseconds(), args[1].SQL, bucketOrigin(width).Format(time.DateOnly))}, nil
	},
}

// BucketWidth reads the width of a bucket as time_bucket takes it.
func BucketWidth(v any) (time.Duration, bool) {
	width, err := parseWidth(v)
	return width, err == nil
}

func bucketOrigin(width time.Duration) time.Time {
	if width%week == 0 {
		return time.Date(1970, 1, 5, 0, 0, 0, 0, time.UTC)
	}
	return time.Unix(0, 0).UTC()
}

var units = map[string]time.Duration{
	"us": time.Microsecond, "microsecond": time.Microsecond,
	"ms": time.Millisecond, "millisecond": time.Millisecond,
	"": time.Second, "s": time.Second, "sec": time.Second, "second": time.Second,
	"m": time.Minute, "min": time.Minute, "minute": time.Minute,
	"h": time.Hour, "hour": time.Hour,
	"d": 24 * time.Hour, "day": 24 * time.Hour,
	"w": week, "week": week,
}

// parseWidth reads the width of a bucket: a number of seconds, or text of a
// number and a unit.
func parseWidth(v any) (time.Duration, error) {
	var n float64
	unit := time.Second
	switch v := v.(type) {
	case int8:
		n = float64(v)
	case int16:
		n = float64(v)
	case int32:
		n = float64(v)
	case int64:
		n = float64(v)
	case int:
		n = float64(v)
	case uint8:
		n = float64(v)
	case uint16:
		n = float64(v)
	case uint32:
		n = float64(v)
	case uint64:
		n = float64(v)
	case float64:
		n = v
	case decimal.Decimal:
		n = v.InexactFloat64()
	case string:
		text := strings.ToLower(strings.TrimSpace(v))
		digits := strings.IndexFunc(text+" ", func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
		name := strings.TrimSpace(text[digits:])
		u, ok := units[name]
		if !ok && len(name) > 3 {
			u, ok = units[strings.TrimSuffix(name, "s")]
		}
		var err error
		if n, err = strconv.ParseFloat(text[:digits], 64); err != nil || !ok {
			return 0, fmt.Errorf("%q is not a width: write seconds, or text such as '5 minutes'", v)
		}
		unit = u
	default:
		return 0, fmt.Errorf("%v is not a width: write seconds, or text such as '5 minutes'", v)
	}
	us := math.Round(n * float64(unit/time.Microsecond))
	if !(us >= 1 && us <= float64(100*365*24*time.Hour/time.Microsecond)) {
		return 0, fmt.Errorf("a width of %v is not between a microsecond and 100 years", v)
	}
	return time.Duration(us) * time.Microsecond, nil
}
