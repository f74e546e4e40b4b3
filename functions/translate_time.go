package functions

import (
	"fmt"
	"strings"

	"vitess.io/vitess/go/vt/sqlparser"
)

// dateTranslations are those of the functions of date and time. Points of time
// are TIMESTAMPs, spans BIGINTs of microseconds.
var dateTranslations = map[string]translator{
	"date":          func(d *translation) (string, bool) { return d.date(0) },
	"time":          duckTime,
	"timestamp":     func(d *translation) (string, bool) { s, ok := d.time(0); return s, ok && len(d.args) == 1 },
	"year":          ofTime("year(%1)"),
	"quarter":       ofTime("quarter(%1)"),
	"month":         ofTime("month(%1)"),
	"day":           ofTime("day(%1)"),
	"hour":          duckClock("hour(%1)", "abs(%1) // 3600000000"),
	"minute":        duckClock("minute(%1)", "abs(%1) // 60000000 % 60"),
	"second":        duckClock("second(%1)", "abs(%1) // 1000000 % 60"),
	"microsecond":   duckClock("microsecond(%1) % 1000000", "abs(%1) % 1000000"),
	"dayofweek":     ofTime("(dayofweek(%1) + 1)"),
	"weekday":       ofTime("(isodow(%1) - 1)"),
	"dayofyear":     ofTime("dayofyear(%1)"),
	"weekofyear":    ofTime("week(%1)"),
	"dayname":       ofTime("dayname(%1)"),
	"monthname":     ofTime("monthname(%1)"),
	"last_day":      func(d *translation) (string, bool) { s, ok := d.date(0); return "last_day(" + s + ")", ok },
	"to_days":       duckDays("(%1 - DATE '1970-01-01' + 719528)"),
	"to_seconds":    ofTime("((epoch_us(%1) + 62167219200000000) // 1000000)"),
	"datediff":      duckDays("(%1 - %2)"),
	"timestampdiff": duckTimestampDiff,
	"week": func(d *translation) (string, bool) {
		return d.weekOf(d.s.WeekMode, func(date string, mode int) (string, bool) { return weekText(date, mode), true })
	},
	"yearweek": func(d *translation) (string, bool) {
		return d.weekOf(0, func(date string, mode int) (string, bool) { return yearWeekText(date, mode|2), true })
	},
	"unix_timestamp": duckUnixTimestamp,
	"from_unixtime":  duckFromUnixtime,
	"date_format":    duckDateFormat,
	"time_to_sec":    duckTimeToSec,
	"sec_to_time":    duckSecToTime,
	"extract":        duckExtract,
}

// duckDays is a pattern over arguments read as dates.
func duckDays(pattern string) translator {
	return func(d *translation) (string, bool) {
		args, ok := d.each(d.date)
		if !ok {
			return "", false
		}
		return fill(pattern, args), true
	}
}

// timeOfDay is the microseconds of a timestamp since midnight.
func timeOfDay(x string) string {
	return "((epoch_us(" + x + ") % 86400000000 + 86400000000) % 86400000000)"
}

func duckTime(d *translation) (string, bool) {
	if d.args[0].Kind == Clock {
		return d.args[0].SQL, true
	}
	x, ok := d.time(0)
	if d.args[0].Kind == Date {
		return "(" + d.args[0].SQL + " - " + d.args[0].SQL + ")", true // midnight, or NULL
	}
	return timeOfDay(x), ok && d.args[0].Kind == Time && d.result.Scale == d.args[0].Type.Scale
}

// duckClock is a part of a point of time, or of a span.
func duckClock(point, span string) translator {
	return func(d *translation) (string, bool) {
		if d.args[0].Kind == Clock {
			return "(" + fill(span, []string{d.args[0].SQL}) + ")", true
		}
		x, ok := d.time(0)
		return "(" + fill(point, []string{x}) + ")", ok
	}
}

// duckTimestampDiff counts whole units; a month is whole when its day and time
// of day have come again.
func duckTimestampDiff(d *translation) (string, bool) {
	a, okA := d.time(0)
	b, okB := d.time(1)
	if !okA || !okB {
		return "", false
	}
	per := int64(0)
	switch d.node.(*sqlparser.TimestampDiffExpr).Unit {
	case sqlparser.IntervalMicrosecond:
		per = 1
	case sqlparser.IntervalSecond:
		per = secondMicros
	case sqlparser.IntervalMinute:
		per = 60 * secondMicros
	case sqlparser.IntervalHour:
		per = 3600 * secondMicros
	case sqlparser.IntervalDay:
		per = dayMicros
	case sqlparser.IntervalWeek:
		per = 7 * dayMicros
	case sqlparser.IntervalMonth:
		return monthsText(a, b), true
	case sqlparser.IntervalQuarter:
		return "(" + monthsText(a, b) + " // 3)", true
	case sqlparser.IntervalYear:
		return "(" + monthsText(a, b) + " // 12)", true
	default:
		return "", false
	}
	return fmt.Sprintf("((epoch_us(%s) - epoch_us(%s)) // %d)", b, a, per), true
}

func monthsText(a, b string) string {
	within := func(x string) string { return "(day(" + x + ") * 86400000000 + " + timeOfDay(x) + ")" }
	return fmt.Sprintf("((year(%[2]s) - year(%[1]s)) * 12 + month(%[2]s) - month(%[1]s) + "+
		"CASE WHEN %[2]s >= %[1]s AND %[4]s < %[3]s THEN -1 WHEN %[2]s < %[1]s AND %[3]s < %[4]s THEN 1 ELSE 0 END)", a, b, within(a), within(b))
}

// weekOf translates a call of a time and a literal mode.
func (d *translation) weekOf(otherwise int, text func(date string, mode int) (string, bool)) (string, bool) {
	mode := int64(otherwise)
	if len(d.args) > 1 {
		var ok bool
		if mode, ok = d.literalInt(1); !ok {
			return "", false
		}
	}
	date, ok := d.date(0)
	if !ok {
		return "", false
	}
	return text(date, int(mode&7))
}

// Modes of WEEK (manual 12.7): bit 0 begins weeks on Mondays, bit 1 counts the
// days before week 1 to the last year, and of bit 2 and bit 0 one tells whether
// week 1 is the first with four days, otherwise the first whole one.

// dayInWeek counts from the first day of the week, 0.
func dayInWeek(date string, mode int) string {
	if mode&1 != 0 {
		return "(isodow(" + date + ") - 1)"
	}
	return "dayofweek(" + date + ")"
}

func fourDays(mode int) bool { return mode&1 != mode>>2&1 }

func weekText(date string, mode int) string {
	switch {
	case mode == 3:
		return "week(" + date + ")"
	case mode&2 != 0:
		return "((dayofyear(" + weekAnchor(date, mode) + ") - 1) // 7 + 1)"
	case fourDays(mode):
		// The first day of the year, as a day of its week.
		first := fmt.Sprintf("((%s - dayofyear(%s) + 1 + 371) %% 7)", dayInWeek(date, mode), date)
		return fmt.Sprintf("((dayofyear(%[1]s) - 1 + %[2]s) // 7 + CASE WHEN %[2]s <= 3 THEN 1 ELSE 0 END)", date, first)
	}
	return fmt.Sprintf("((dayofyear(%s) + 6 - %s) // 7)", date, dayInWeek(date, mode))
}

// weekAnchor is the day of a week that says which year the week is of: the
// fourth, or the first.
func weekAnchor(date string, mode int) string {
	offset := ""
	if fourDays(mode) {
		offset = " + 3"
	}
	return fmt.Sprintf("(%s - CAST(%s AS INTEGER)%s)", date, dayInWeek(date, mode), offset)
}

func yearWeekText(date string, mode int) string {
	anchor := weekAnchor(date, mode)
	return fmt.Sprintf("(year(%[1]s) * 100 + (dayofyear(%[1]s) - 1) // 7 + 1)", anchor)
}

// lastUnix is the first time UNIX_TIMESTAMP does not know (manual 12.7: valid
// to 3001-01-19 03:14:07 at most; the server ends at 32536771199.999999).
const lastUnix = 32536771200

// duckUnixTimestamp gives 0 for times outside what UNIX_TIMESTAMP knows.
func duckUnixTimestamp(d *translation) (string, bool) {
	offset, ok := d.s.zone().Fixed()
	if !ok || len(d.args) != 1 {
		return "", false
	}
	x, ok := d.time(0)
	us := "epoch_us(" + x + ")"
	if offset != 0 {
		us = fmt.Sprintf("(epoch_us(%s) - %d)", x, offset)
	}
	us = fmt.Sprintf("CASE WHEN %[1]s >= 0 AND %[1]s < %[2]d THEN %[1]s WHEN %[1]s IS NOT NULL THEN 0 END", us, int64(lastUnix)*secondMicros)
	if d.result.Kind == Integer {
		return "((" + us + ") // 1000000)", ok
	}
	if d.result.Scale != 6 {
		return "", false
	}
	return fmt.Sprintf("CAST(CAST((%s) AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(%d,6))", us, d.result.Precision), ok
}

func duckFromUnixtime(d *translation) (string, bool) {
	var us string
	switch a := d.args[0]; {
	case a.Kind == Integer:
		n, _ := d.integer(0)
		us = fmt.Sprintf("CASE WHEN %[1]s BETWEEN 0 AND %[2]d THEN %[1]s * 1000000 END", n, lastUnix-1)
	case a.Kind == Decimal && a.Type.Scale <= 6 && a.Type.Precision <= 30:
		us = fmt.Sprintf("CASE WHEN %[1]s >= 0 AND %[1]s < %[2]d THEN CAST(%[1]s * 1000000 AS BIGINT) END", a.SQL, lastUnix)
	default:
		return "", false
	}
	at := d.s.zone().LocalText("make_timestamp(" + us + ")")
	if len(d.args) == 1 {
		return at, true
	}
	format, ok := d.literalText(1)
	if !ok {
		return "", false
	}
	return formatText(at, format), true
}

func duckDateFormat(d *translation) (string, bool) {
	if d.args[0].Kind == Clock {
		return "", false
	}
	x, okX := d.time(0)
	format, okF := d.literalText(1)
	if !okX || !okF {
		return "", false
	}
	if format == "" {
		return "CAST(NULL AS VARCHAR)", true
	}
	return formatText(x, format), true
}

// strftimeLetters are the letters of DATE_FORMAT that strftime has too.
var strftimeLetters = map[byte]string{
	'Y': "%Y", 'y': "%y", 'm': "%m", 'd': "%d", 'H': "%H", 'i': "%M", 's': "%S", 'S': "%S", 'f': "%f",
	'M': "%B", 'b': "%b", 'W': "%A", 'a': "%a", 'j': "%j", 'p': "%p", 'h': "%I", 'I': "%I", 'w': "%w",
	'T': "%H:%M:%S", 'r': "%I:%M:%S %p", 'e': "%-d", 'c': "%-m", 'k': "%-H", 'l': "%-I", '%': "%%", 'v': "%V", 'x': "%G",
}

// formatText is DATE_FORMAT: runs of strftime, joined by what that lacks.
func formatText(x, format string) string {
	date := "CAST(" + x + " AS DATE)"
	own := map[byte]string{
		'D': fmt.Sprintf("(CAST(day(%[1]s) AS VARCHAR) || CASE WHEN day(%[1]s) BETWEEN 11 AND 13 THEN 'th' WHEN day(%[1]s) %% 10 = 1 THEN 'st' "+
			"WHEN day(%[1]s) %% 10 = 2 THEN 'nd' WHEN day(%[1]s) %% 10 = 3 THEN 'rd' ELSE 'th' END)", x),
		'U': "printf('%02d', " + weekText(date, 0) + ")",
		'u': "printf('%02d', " + weekText(date, 1) + ")",
		'V': "printf('%02d', " + weekText(date, 2) + ")",
		'X': "printf('%04d', year(" + weekAnchor(date, 2) + "))",
	}
	var parts []string
	var run strings.Builder
	flush := func() {
		if run.Len() > 0 {
			parts = append(parts, "strftime("+x+", "+Quote(run.String())+")")
			run.Reset()
		}
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			if run.WriteByte(format[i]); format[i] == '%' {
				run.WriteByte('%')
			}
			continue
		}
		i++
		if text, ok := own[format[i]]; ok {
			flush()
			parts = append(parts, text)
		} else if letter, ok := strftimeLetters[format[i]]; ok {
			run.WriteString(letter)
		} else {
			run.WriteByte(format[i])
		}
	}
	flush()
	switch len(parts) {
	case 0:
		return "left(strftime(" + x + ", '%Y'), 0)"
	case 1:
		return parts[0]
	}
	return "(" + strings.Join(parts, " || ") + ")"
}

// FormatKey is DATE_FORMAT of a timestamp in DuckDB's SQL in two steps: a number
// that is equal where the texts are, and the text of it. To tell rows apart by
// the number is a fourth of the work. It is false for formats of which a part
// says more or less than the part before it, or has no width of its own.
func FormatKey(x, format string) (key, text string, ok bool) {
	units := map[string]int64{"": 86_400_000_000, "H": 3_600_000_000, "Hi": 60_000_000, "His": 1_000_000}
	var date, clock string
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			continue
		}
		i++
		switch letter := format[i]; letter {
		case 'Y', 'm', 'd':
			date += string(letter)
		case 'H', 'i':
			clock += string(letter)
		case 's', 'S':
			clock += "s"
		case 'T':
			clock += "His"
		case '%':
		default:
			return "", "", false
		}
	}
	unit, known := units[clock]
	if !known || date+clock == "" {
		return "", "", false
	}
	// Counted from the year 0, since division cuts towards 0.
	const before = 62_167_219_200_000_000
	switch date {
	case "":
		key = fmt.Sprintf("((epoch_us(%s) + %d) %% 86400000000 // %d)", x, int64(before), unit)
		return key, formatText(fmt.Sprintf("make_timestamp(%s * %d)", key, unit), format), true
	case "Ymd", "dmY", "mdY":
		key = fmt.Sprintf("((epoch_us(%s) + %d) // %d)", x, int64(before), unit)
		return key, formatText(fmt.Sprintf("make_timestamp(%s * %d - %d)", key, unit, int64(before)), format), true
	}
	return "", "", false
}

func duckTimeToSec(d *translation) (string, bool) {
	switch a := d.args[0]; a.Kind {
	case Clock:
		return "(" + a.SQL + " // 1000000)", true
	case Time:
		return "(" + timeOfDay(a.SQL) + " // 1000000)", true
	}
	return "", false
}

func duckSecToTime(d *translation) (string, bool) {
	n, ok := d.integer(0)
	return fmt.Sprintf("(CASE WHEN %[1]s > 3020399 THEN 3020399 WHEN %[1]s < -3020399 THEN -3020399 ELSE %[1]s END * 1000000)", n), ok
}

// duckExtract puts the parts of a point of time together.
func duckExtract(d *translation) (string, bool) {
	unit := d.node.(*sqlparser.ExtractFuncExpr).IntervalType
	if d.args[0].Kind == Clock {
		return "", false
	}
	x, ok := d.time(0)
	if !ok {
		return "", false
	}
	clock := "(hour(%1) * 10000 + minute(%1) * 100 + second(%1))"
	micro := " * 1000000 + microsecond(%1) % 1000000)"
	pattern := map[sqlparser.IntervalType]string{
		sqlparser.IntervalYear:              "year(%1)",
		sqlparser.IntervalYearMonth:         "(year(%1) * 100 + month(%1))",
		sqlparser.IntervalQuarter:           "quarter(%1)",
		sqlparser.IntervalMonth:             "month(%1)",
		sqlparser.IntervalWeek:              weekText("%1", d.s.WeekMode&7),
		sqlparser.IntervalDay:               "day(%1)",
		sqlparser.IntervalDayHour:           "(day(%1) * 100 + hour(%1))",
		sqlparser.IntervalDayMinute:         "(day(%1) * 10000 + hour(%1) * 100 + minute(%1))",
		sqlparser.IntervalDaySecond:         "(day(%1) * 1000000 + " + clock + ")",
		sqlparser.IntervalHour:              "hour(%1)",
		sqlparser.IntervalHourMinute:        "(hour(%1) * 100 + minute(%1))",
		sqlparser.IntervalHourSecond:        clock,
		sqlparser.IntervalMinute:            "minute(%1)",
		sqlparser.IntervalMinuteSecond:      "(minute(%1) * 100 + second(%1))",
		sqlparser.IntervalSecond:            "second(%1)",
		sqlparser.IntervalMicrosecond:       "(microsecond(%1) % 1000000)",
		sqlparser.IntervalDayMicrosecond:    "((day(%1) * 1000000 + " + clock + ")" + micro,
		sqlparser.IntervalHourMicrosecond:   "(" + clock + micro,
		sqlparser.IntervalMinuteMicrosecond: "((minute(%1) * 100 + second(%1))" + micro,
		sqlparser.IntervalSecondMicrosecond: "(second(%1)" + micro,
	}[unit]
	return fill(pattern, []string{x}), pattern != ""
}
