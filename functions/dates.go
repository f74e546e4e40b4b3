package functions

import (
	"slices"
	"strings"
	"time"

	"vitess.io/vitess/go/vt/sqlparser"
)

// dates are the functions of date and time (manual 12.7).
var dates = []builtin{
	{name: "convert_tz", args: "at, from, to", typed: convertTZType, eval: evalConvertTZ, doc: "A time of one zone in another."},
	{name: "current_date", args: "", typed: of(Type{Kind: Date}), doc: "Today."},
	{name: "current_time", args: "[digits]", typed: nowType(Clock), doc: "The time of day."},
	{name: "date", args: "at", typed: maybeDate, eval: evalDay, doc: "The date of a time."},
	{name: "date_format", args: "at, format", typed: plainText(0), eval: evalDateFormat, doc: "The time as the format says."},
	{name: "day", args: "at", typed: maybeInt, eval: evalPart, doc: "The day of the month."},
	{name: "dayofweek", args: "at", typed: maybeInt, eval: evalPart, doc: "The day of the week, 1 for Sunday."},
	{name: "dayofyear", args: "at", typed: maybeInt, eval: evalPart, doc: "The day of the year."},
	{name: "from_days", args: "n", typed: maybeDate, doc: "The date of a day's number."},
	{name: "from_unixtime", args: "seconds[, format]", typed: fromUnixType, eval: evalFromUnixtime, doc: "The time of a number of seconds since 1970."},
	{name: "hour", args: "at", typed: maybeInt, eval: evalClockPart, doc: "The hour."},
	{name: "last_day", args: "at", typed: maybeDate, eval: evalDay, doc: "The last day of the month."},
	{name: "makedate", args: "year, day", typed: maybeDate, doc: "The n-th day of a year."},
	{name: "maketime", args: "hour, minute, second", typed: makeTimeType, doc: "The span of time."},
	{name: "microsecond", args: "at", typed: maybeInt, eval: evalClockPart, doc: "The microseconds."},
	{name: "minute", args: "at", typed: maybeInt, eval: evalClockPart, doc: "The minute."},
	{name: "month", args: "at", typed: maybeInt, eval: evalPart, doc: "The month."},
	{name: "monthname", args: "at", typed: plainText(9), eval: evalMonthName, doc: "The name of the month."},
	{name: "now", args: "[digits]", typed: nowType(Time), doc: "The time the statement began."},
	{name: "period_add", args: "period, months", typed: maybeInteger, doc: "A period YYYYMM and months."},
	{name: "period_diff", args: "a, b", typed: maybeInteger, doc: "The months between periods."},
	{name: "quarter", args: "at", typed: maybeInt, eval: evalPart, doc: "The quarter."},
	{name: "sec_to_time", args: "seconds", typed: secToTimeType, doc: "Seconds as a span of time."},
	{name: "second", args: "at", typed: maybeInt, eval: evalClockPart, doc: "The second."},
	{name: "sysdate", args: "[digits]", typed: nowType(Time), doc: "The time at this moment."},
	{name: "time", args: "at", typed: clockType, eval: evalTimeOfDay, doc: "The time of day."},
	{name: "time_to_sec", args: "span", typed: maybeInteger, eval: evalTimeToSec, doc: "A span of time in seconds."},
	{name: "to_days", args: "at", typed: maybeInteger, eval: evalPart, doc: "The number of the day."},
	{name: "to_seconds", args: "at", typed: maybeInteger, eval: evalPart, doc: "Seconds since the year 0."},
	{name: "unix_timestamp", args: "[at]", typed: unixType, eval: evalUnixTimestamp, doc: "Seconds since 1970."},
	{name: "utc_date", args: "", typed: of(Type{Kind: Date}), doc: "Today, in UTC."},
	{name: "utc_time", args: "[digits]", typed: nowType(Clock), doc: "The time of day, in UTC."},
	{name: "utc_timestamp", args: "[digits]", typed: nowType(Time), doc: "The time the statement began, in UTC."},
	{name: "week", args: "at[, mode]", typed: maybeInt, eval: evalWeek, doc: "The week of the year."},
	{name: "weekday", args: "at", typed: maybeInt, eval: evalPart, doc: "The day of the week, 0 for Monday."},
	{name: "weekofyear", args: "at", typed: maybeInt, eval: evalPart, doc: "The week as ISO counts."},
	{name: "year", args: "at", typed: maybeInt, eval: evalPart, doc: "The year."},
	{name: "yearweek", args: "at[, mode]", typed: maybeInt, eval: evalWeek, doc: "Year and week."},
	{name: "date_add", args: "at, interval", typed: dateAddType, eval: evalDateAdd, doc: "A time and an interval: at ± INTERVAL n unit, DATE_ADD, DATE_SUB, ADDDATE, SUBDATE, TIMESTAMPADD."},
}

func convertTZType(c *call) (Type, error) {
	if c.args[0].Type.Kind.Numeric() {
		return Type{Kind: Time, Scale: 6, Nullable: true}, nil
	}
	return Type{Kind: Time, Scale: c.fraction(0), Nullable: true}, nil
}

// fractionOf is how many digits a literal time has behind its seconds.
func fractionOf(text string) int {
	_, fraction, _ := strings.Cut(text, ".")
	return min(len(fraction), 6)
}

// nowType is the rule of NOW(n) and its kin.
func nowType(kind Kind) rule {
	return func(c *call) (Type, error) {
		n := 0
		if node, ok := c.node.(*sqlparser.CurTimeFuncExpr); ok {
			n = node.Fsp
		}
		if n > 6 {
			return Type{}, Errorf(1426, "Too-big precision %d specified for '%s'. Maximum is 6.", n, c.name)
		}
		return Type{Kind: kind, Scale: n}, nil
	}
}

// instant is the statement's time: NOW and its kin cut it to the digits asked
// for.
func (c *call) instant() time.Time {
	if n, ok := c.node.(*sqlparser.CurTimeFuncExpr); ok {
		digit := time.Second
		for range n.Fsp {
			digit /= 10
		}
		return c.s.Now.Truncate(digit)
	}
	return c.s.Now
}

func fromUnixType(c *call) (Type, error) {
	if len(c.args) == 2 {
		return c.connect(Type{Kind: Text, Nullable: true}), nil
	}
	t := Type{Kind: Time, Nullable: true, Scale: 6}
	if n := c.args[0].Type; shows(n) && !n.Kind.Temporal() {
		t.Scale = min(scaleOf(n), 6)
	}
	return t, nil
}

func makeTimeType(c *call) (Type, error) {
	t := Type{Kind: Clock, Nullable: true, Scale: 6}
	if n := c.args[2].Type; shows(n) && !n.Kind.Temporal() {
		t.Scale = min(scaleOf(n), 6)
	}
	return t, nil
}

func secToTimeType(c *call) (Type, error) {
	t := Type{Kind: Clock, Nullable: true, Scale: 6}
	if n := c.args[0].Type; shows(n) {
		t.Scale = min(scaleOf(n), 6)
	} else if f, ok := c.node.(*sqlparser.FuncExpr); ok && rounds(f.Exprs[0]) {
		t.Scale = 0
	}
	return t, nil
}

// rounds tells whether an expression's value is whole, whatever its type.
func rounds(e sqlparser.Expr) bool {
	f, ok := e.(*sqlparser.FuncExpr)
	return ok && len(f.Exprs) == 1 && slices.Contains([]string{"round", "floor", "ceil", "ceiling"}, f.Name.Lowered())
}

func clockType(c *call) (Type, error) {
	return Type{Kind: Clock, Scale: c.fraction(0), Nullable: true}, nil
}

// unixType is BIGINT for whole seconds, otherwise a decimal.
func unixType(c *call) (Type, error) {
	scale := 6
	switch {
	case len(c.args) == 0:
		return Type{Kind: Integer, Bits: 64}, nil
	case c.args[0].Type.Kind.Temporal():
		scale = c.args[0].Type.Scale
	case c.args[0].Type.Kind.Numeric() && c.args[0].Type.Kind != Double:
		scale = min(scaleOf(c.args[0].Type), 6)
	default:
		if text, ok := c.literalText(0); ok {
			scale = fractionOf(text)
		}
	}
	if scale == 0 {
		return Type{Kind: Integer, Bits: 64, Nullable: c.nullable()}, nil
	}
	return decimalOf(11, scale, c.nullable()), nil
}

// dateAddType is the rule of at ± INTERVAL: a date stays one for days and
// more, text stays text (manual 12.7, DATE_ADD).
func dateAddType(c *call) (Type, error) {
	unit := c.node.(*sqlparser.IntervalDateExpr).NormalizedUnit()
	fraction := 0
	switch {
	case unit&sqlparser.IntervalMicrosecond != 0:
		fraction = 6
	case unit == sqlparser.IntervalSecond:
		if n := c.args[1].Type; n.Kind.Numeric() && n.Kind != Double {
			fraction = min(scaleOf(n), 6)
		} else if n.Kind != Null {
			fraction = 6
			if text, ok := c.literalText(1); ok {
				fraction = fractionOf(text)
			}
		}
	}
	t := c.args[0].Type
	switch {
	case t.Kind == Date && !unit.HasTimeParts():
		return Type{Kind: Date, Nullable: true}, nil
	case t.Kind == Date:
		return Type{Kind: Time, Scale: fraction, Nullable: true}, nil
	case t.Kind == Clock && unit.HasTimeParts() && !unit.HasMonthParts():
		return Type{Kind: Clock, Scale: max(t.Scale, fraction), Nullable: true}, nil
	case t.Kind == Time || t.Kind == Clock:
		return Type{Kind: Time, Scale: max(t.Scale, fraction), Nullable: true}, nil
	}
	return c.connect(Type{Kind: Text, Length: 29, Nullable: true}), nil
}
