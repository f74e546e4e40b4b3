package functions

import (
	"fmt"
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// spans are the functions of date and time that evalengine lacks.
var spans = []builtin{
	{name: "addtime", args: "at, span", typed: addTimeType, eval: evalAddTime, doc: "A time and a span."},
	{name: "subtime", args: "at, span", typed: addTimeType, eval: evalAddTime, doc: "A time less a span."},
	{name: "datediff", args: "a, b", typed: maybeInteger, eval: evalDateDiff, doc: "The days from b to a."},
	{name: "dayname", args: "at", typed: plainText(9), eval: evalDayName, doc: "The name of the day of the week."},
	{name: "extract", args: "at", typed: maybeInteger, eval: evalExtract, doc: "EXTRACT(unit FROM at): a part of a time."},
	{name: "get_format", args: "standard", typed: plainText(17), eval: evalGetFormat, doc: "GET_FORMAT(DATE|TIME|DATETIME, standard): the format of a country for DATE_FORMAT."},
	{name: "time_format", args: "span, format", typed: plainText(0), eval: evalTimeFormat, doc: "A span of time as the format says."},
	{name: "timediff", args: "a, b", typed: timeDiffType, eval: evalTimeDiff, doc: "The span from b to a."},
	{name: "timestamp", args: "at[, span]", typed: timestampType, eval: evalTimestamp, doc: "A DATETIME, with a span added."},
	{name: "timestampdiff", args: "from, to", typed: maybeInteger, eval: evalTimestampDiff, doc: "TIMESTAMPDIFF(unit, from, to): how many whole units are between."},
}

// fraction is how many digits an argument has behind the seconds, where it is
// read as a time.
func (c *call) fraction(i int) int {
	t := c.args[i].Type
	if shows(t) {
		return min(scaleOf(t), 6)
	}
	if text, ok := c.literalText(i); ok {
		return fractionOf(text)
	}
	return 6
}

// shows tells whether a type says how many digits its values have behind the
// point; NULL has none.
func shows(t Type) bool {
	return t.Kind == Null || t.Kind.Temporal() || t.Kind.Numeric() && t.Kind != Double
}

func addTimeType(c *call) (Type, error) {
	scale := max(c.fraction(0), c.fraction(1))
	switch c.args[0].Type.Kind {
	case Time, Date:
		return Type{Kind: Time, Scale: scale, Nullable: true}, nil
	case Clock:
		return Type{Kind: Clock, Scale: scale, Nullable: true}, nil
	}
	return c.connect(Type{Kind: Text, Length: 26, Nullable: true}), nil
}

func timeDiffType(c *call) (Type, error) {
	return Type{Kind: Clock, Scale: max(c.fraction(0), c.fraction(1)), Nullable: true}, nil
}

func timestampType(c *call) (Type, error) {
	scale := c.fraction(0)
	if len(c.args) == 2 {
		scale = max(scale, c.fraction(1))
	}
	return Type{Kind: Time, Scale: scale, Nullable: true}, nil
}

// clockValue is a span as the result's type shows it.
func (c *call) clockValue(us int64) sqltypes.Value {
	if clipped := clipClock(us); clipped != us {
		c.s.warn(1292, "Truncated incorrect time value: '"+string(clockText(us, 6))+"'")
		us = clipped
	}
	return sqltypes.MakeTrusted(sqltypes.Time, clockText(us, c.result.Scale))
}

func (c *call) momentValue(m moment) sqltypes.Value {
	return sqltypes.MakeTrusted(sqltypes.Datetime, m.text(Type{Kind: Time, Scale: c.result.Scale}))
}

// evalAddTime adds a span to a time or a span. Of text it is told by its form,
// and the fraction is shown where there is one.
func evalAddTime(c *call) (evaluator, error) {
	span, clock, at := c.clock(1), c.clock(0), c.moment(0)
	kind := c.args[0].Type.Kind
	sign := int64(1)
	if c.name == "subtime" {
		sign = -1
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if t := c.args[1].Type.Kind; t == Time || t == Date {
			return sqltypes.NULL, nil // a point of time is no span
		}
		add, ok := span(row[1])
		if !ok {
			return sqltypes.NULL, nil
		}
		isMoment := kind == Time || kind == Date
		if kind != Clock && !isMoment {
			isMoment = isDated(row[0].ToString())
		}
		if isMoment {
			m, ok := at(row[0])
			if !ok {
				return sqltypes.NULL, nil
			}
			if m, ok = fromTotal(m.total() + sign*add); !ok {
				c.s.warn(1441, "Datetime function: "+c.name+" field overflow")
				return sqltypes.NULL, nil
			}
			if c.result.Kind == Text {
				return textValue(m.text(Type{Kind: Time, Scale: shownScale(m.micros)})), nil
			}
			return c.momentValue(m), nil
		}
		us, ok := clock(row[0])
		if !ok {
			return sqltypes.NULL, nil
		}
		us += sign * add
		if c.result.Kind == Text {
			return textValue(clockText(clipClock(us), shownScale(us))), nil
		}
		return c.clockValue(us), nil
	}), nil
}

// isDated tells whether text read as a span shows a date and a time: only long
// text does.
func isDated(s string) bool {
	s = strings.TrimSpace(s)
	if len(s) < 12 {
		return false
	}
	_, _, ok := parseMoment(s)
	return ok && (strings.ContainsAny(s[1:], "-/") || digitRun(s) >= 12)
}

// shownScale is how a fraction stands in text: in full or not at all.
func shownScale(us int64) int {
	if us%secondMicros != 0 {
		return 6
	}
	return 0
}

func evalDateDiff(c *call) (evaluator, error) {
	a, b := c.moment(0), c.moment(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		x, okX := a(row[0])
		y, okY := b(row[1])
		if !okX || !okY || !x.valid(false) || !y.valid(false) {
			return sqltypes.NULL, nil
		}
		return intValue(int64(dayNumber(x.year, x.month, x.day) - dayNumber(y.year, y.month, y.day))), nil
	}), nil
}

var (
	dayNames   = [...]string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"}
	monthNames = [...]string{"January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"}
)

// weekday counts from Monday, 0.
func (m moment) weekday() int { return (dayNumber(m.year, m.month, m.day) + 5) % 7 }

func evalDayName(c *call) (evaluator, error) {
	at := c.moment(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || !m.valid(false) {
			return sqltypes.NULL, nil
		}
		return textValue([]byte(dayNames[m.weekday()])), nil
	}), nil
}

// evalExtract is EXTRACT. Units of the day read spans too.
func evalExtract(c *call) (evaluator, error) {
	unit := c.node.(*sqlparser.ExtractFuncExpr).IntervalType
	at, clock := c.moment(0), c.clock(0)
	kind := c.args[0].Type.Kind
	dated := unit.HasMonthParts() || unit == sqlparser.IntervalYear || unit == sqlparser.IntervalYearMonth ||
		unit == sqlparser.IntervalDay || unit == sqlparser.IntervalWeek || unit == sqlparser.IntervalQuarter
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		var m moment
		sign := int64(1)
		read := dated || kind == Time || kind == Date
		if !read && kind != Clock {
			read = isDated(row[0].ToString())
		}
		if read {
			var ok bool
			if m, ok = at(row[0]); !ok {
				return sqltypes.NULL, nil
			}
		} else {
			us, ok := clock(row[0])
			if !ok {
				return sqltypes.NULL, nil
			}
			if us < 0 {
				sign, us = -1, -us
			}
			m.micros = us
		}
		if unit == sqlparser.IntervalWeek {
			week, _ := m.weekOf(c.s.WeekMode & 7)
			return intValue(int64(week)), nil
		}
		return intValue(sign * m.part(unit)), nil
	}), nil
}

// part is a part of a moment, as EXTRACT gives it.
func (m moment) part(unit sqlparser.IntervalType) int64 {
	us := m.micros
	hour, minute, second, micro := us/(3600*secondMicros), us/(60*secondMicros)%60, us/secondMicros%60, us%secondMicros
	day := int64(m.day)
	switch unit {
	case sqlparser.IntervalYear:
		return int64(m.year)
	case sqlparser.IntervalYearMonth:
		return int64(m.year*100 + m.month)
	case sqlparser.IntervalQuarter:
		return int64(m.month+2) / 3
	case sqlparser.IntervalMonth:
		return int64(m.month)
	case sqlparser.IntervalDay:
		return day
	case sqlparser.IntervalDayHour:
		return day*100 + hour
	case sqlparser.IntervalDayMinute:
		return day*10000 + hour*100 + minute
	case sqlparser.IntervalDaySecond:
		return day*1000000 + hour*10000 + minute*100 + second
	case sqlparser.IntervalHour:
		return hour
	case sqlparser.IntervalHourMinute:
		return hour*100 + minute
	case sqlparser.IntervalHourSecond:
		return hour*10000 + minute*100 + second
	case sqlparser.IntervalMinute:
		return minute
	case sqlparser.IntervalMinuteSecond:
		return minute*100 + second
	case sqlparser.IntervalSecond:
		return second
	case sqlparser.IntervalMicrosecond:
		return micro
	case sqlparser.IntervalDayMicrosecond:
		return (day*1000000+hour*10000+minute*100+second)*1000000 + micro
	case sqlparser.IntervalHourMicrosecond:
		return (hour*10000+minute*100+second)*1000000 + micro
	case sqlparser.IntervalMinuteMicrosecond:
		return (minute*100+second)*1000000 + micro
	}
	return second*1000000 + micro // SECOND_MICROSECOND
}

func evalGetFormat(c *call) (evaluator, error) {
	formats := map[string]string{
		"date usa": "%m.%d.%Y", "date jis": "%Y-%m-%d", "date iso": "%Y-%m-%d", "date eur": "%d.%m.%Y", "date internal": "%Y%m%d",
		"datetime usa": "%Y-%m-%d %H.%i.%s", "datetime jis": "%Y-%m-%d %H:%i:%s", "datetime iso": "%Y-%m-%d %H:%i:%s",
		"datetime eur": "%Y-%m-%d %H.%i.%s", "datetime internal": "%Y%m%d%H%i%s",
		"time usa": "%h:%i:%s %p", "time jis": "%H:%i:%s", "time iso": "%H:%i:%s", "time eur": "%H.%i.%s", "time internal": "%H%i%s",
	}
	kind := strings.ToLower(sqlparser.String(c.node.(*sqlparser.FuncExpr).Exprs[0]))
	kind = strings.Replace(strings.Trim(kind, "`"), "timestamp", "datetime", 1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		f, ok := formats[kind+" "+strings.ToLower(row[0].ToString())]
		if !ok {
			return sqltypes.NULL, nil
		}
		return textValue([]byte(f)), nil
	}), nil
}

// evalTimeFormat knows the letters of time; those of dates give 0 or NULL.
func evalTimeFormat(c *call) (evaluator, error) {
	clock := c.clock(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		us, ok := clock(row[0])
		if !ok {
			return sqltypes.NULL, nil
		}
		text, ok := formatClock(us, row[1].ToString())
		if !ok {
			return sqltypes.NULL, nil
		}
		return textValue(text), nil
	}), nil
}

func formatClock(us int64, format string) ([]byte, bool) {
	var out []byte
	if us < 0 {
		out, us = append(out, '-'), -us
	}
	hour, minute, second, micro := us/(3600*secondMicros), us/(60*secondMicros)%60, us/secondMicros%60, us%secondMicros
	twelve := (hour%24+11)%12 + 1
	half := "AM"
	if hour%24 >= 12 {
		half = "PM"
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out = append(out, format[i])
			continue
		}
		i++
		switch format[i] {
		case 'H':
			out = fmt.Appendf(out, "%02d", hour)
		case 'k':
			out = fmt.Appendf(out, "%d", hour)
		case 'h', 'I':
			out = fmt.Appendf(out, "%02d", twelve)
		case 'l':
			out = fmt.Appendf(out, "%d", twelve)
		case 'i':
			out = fmt.Appendf(out, "%02d", minute)
		case 's', 'S':
			out = fmt.Appendf(out, "%02d", second)
		case 'f':
			out = fmt.Appendf(out, "%06d", micro)
		case 'p':
			out = append(out, half...)
		case 'r':
			out = fmt.Appendf(out, "%02d:%02d:%02d %s", twelve, minute, second, half)
		case 'T':
			out = fmt.Appendf(out, "%02d:%02d:%02d", hour, minute, second)
		case 'c', 'e':
			out = append(out, '0')
		case 'd', 'm', 'y':
			out = append(out, "00"...)
		case 'Y':
			out = append(out, "0000"...)
		case 'a', 'b', 'D', 'j', 'M', 'U', 'u', 'V', 'v', 'W', 'w', 'X', 'x':
			return nil, false
		default:
			out = append(out, format[i])
		}
	}
	return out, true
}

// evalTimeDiff wants both of one kind: two spans or two points of time.
func evalTimeDiff(c *call) (evaluator, error) {
	point := func(i int) func(v sqltypes.Value) (int64, bool, bool) {
		at, clock, kind := c.moment(i), c.clock(i), c.args[i].Type.Kind
		return func(v sqltypes.Value) (int64, bool, bool) {
			dated := kind == Time || kind == Date || kind != Clock && isDated(v.ToString())
			if dated {
				m, ok := at(v)
				return m.total(), true, ok
			}
			us, ok := clock(v)
			return us, false, ok
		}
	}
	a, b := point(0), point(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		x, datedX, okX := a(row[0])
		y, datedY, okY := b(row[1])
		if !okX || !okY || datedX != datedY {
			return sqltypes.NULL, nil
		}
		return c.clockValue(x - y), nil
	}), nil
}

func evalTimestamp(c *call) (evaluator, error) {
	at := c.moment(0)
	span := func(sqltypes.Value) (int64, bool) { return 0, true }
	if len(c.args) == 2 {
		span = c.clock(1)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || !m.valid(false) {
			return sqltypes.NULL, nil
		}
		add, ok := span(row[len(c.args)-1])
		if !ok {
			return sqltypes.NULL, nil
		}
		if m, ok = fromTotal(m.total() + add); !ok {
			return sqltypes.NULL, nil
		}
		return c.momentValue(m), nil
	}), nil
}

// evalTimestampDiff counts whole units. A month is whole when its day and time
// of day have come again.
func evalTimestampDiff(c *call) (evaluator, error) {
	unit := c.node.(*sqlparser.TimestampDiffExpr).Unit
	from, to := c.moment(0), c.moment(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		a, okA := from(row[0])
		b, okB := to(row[1])
		if !okA || !okB || !a.valid(false) || !b.valid(false) {
			return sqltypes.NULL, nil
		}
		return intValue(a.until(b, unit)), nil
	}), nil
}

func (m moment) until(o moment, unit sqlparser.IntervalType) int64 {
	us := o.total() - m.total()
	switch unit {
	case sqlparser.IntervalMicrosecond:
		return us
	case sqlparser.IntervalSecond:
		return us / secondMicros
	case sqlparser.IntervalMinute:
		return us / (60 * secondMicros)
	case sqlparser.IntervalHour:
		return us / (3600 * secondMicros)
	case sqlparser.IntervalDay:
		return us / dayMicros
	case sqlparser.IntervalWeek:
		return us / (7 * dayMicros)
	}
	early, late, sign := m, o, int64(1)
	if us < 0 {
		early, late, sign = o, m, -1
	}
	months := int64((late.year-early.year)*12 + late.month - early.month)
	if late.day < early.day || late.day == early.day && late.micros < early.micros {
		months--
	}
	switch unit {
	case sqlparser.IntervalQuarter:
		months /= 3
	case sqlparser.IntervalYear:
		months /= 12
	}
	return sign * months
}
