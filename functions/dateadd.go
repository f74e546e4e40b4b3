package functions

import (
	"strings"

	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// interval is a span as INTERVAL writes it: months apart, for they have no
// fixed length.
type interval struct {
	months, days, micros int64
}

// most bounds what an interval counts, so that sums can't overflow.
const most = int64(1e13)

// evalDateAdd is at ± INTERVAL (manual 12.7, DATE_ADD, and 9.5).
func evalDateAdd(c *call) (evaluator, error) {
	n := c.node.(*sqlparser.IntervalDateExpr)
	unit := n.NormalizedUnit()
	date, span := 0, 1
	read := c.interval(span, unit)
	at, clock := c.moment(date), c.clock(date)
	sign := int64(1)
	if n.IsSubtraction() {
		sign = -1
	}
	kind := c.args[date].Type.Kind
	overflow := func() (sqltypes.Value, error) {
		c.s.warn(1441, "Datetime function: datetime field overflow")
		return sqltypes.NULL, nil
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		iv, ok := read(row[span])
		if !ok {
			return sqltypes.NULL, nil
		}
		if c.result.Kind == Clock {
			us, ok := clock(row[date])
			if !ok {
				return sqltypes.NULL, nil
			}
			if us += sign * (iv.days*dayMicros + iv.micros); clipClock(us) != us {
				return overflow()
			}
			return c.clockValue(us), nil
		}
		m, ok := at(row[date])
		if !ok {
			return sqltypes.NULL, nil
		}
		if !m.valid(false) {
			c.s.warn(1292, "Incorrect datetime value: '"+clip(row[date])+"'")
			return sqltypes.NULL, nil
		}
		if m, ok = m.add(iv, sign, unit); !ok {
			return overflow()
		}
		switch c.result.Kind {
		case Date:
			return sqltypes.MakeTrusted(sqltypes.Date, m.date()), nil
		case Time:
			return c.momentValue(m), nil
		}
		timed := unit.HasTimeParts() || kind == Time
		if !timed && kind.Textual() {
			timed = hasTime(row[date].ToString())
		} else if !timed {
			timed = len(row[date].ToString()) > 8
		}
		if !timed {
			return textValue(m.date()), nil
		}
		return textValue(m.text(Type{Kind: Time, Scale: shownScale(m.micros)})), nil
	}), nil
}

// hasTime tells whether the text of a date and time has a time.
func hasTime(s string) bool {
	s = strings.TrimSpace(s)
	if n := digitRun(s); n == len(s) || n < len(s) && s[n] == '.' {
		return n > 8 && n != 6
	}
	return strings.ContainsAny(s, " T") || strings.Count(s, ":") > 0
}

// add moves a moment. A day that the month lacks becomes its last.
func (m moment) add(iv interval, sign int64, unit sqlparser.IntervalType) (moment, bool) {
	if unit.HasMonthParts() || unit == sqlparser.IntervalYear {
		months := int64(m.year)*12 + int64(m.month-1) + sign*iv.months
		if months < 0 || months >= 120000 {
			return m, false
		}
		m.year, m.month = int(months/12), int(months%12)+1
		m.day = min(m.day, daysIn(m.year, m.month))
		return m, true
	}
	return fromTotal(m.total() + sign*(iv.days*dayMicros+iv.micros))
}

// interval reads an argument as so many units; ok is false where it is none.
func (c *call) interval(i int, unit sqlparser.IntervalType) func(v sqltypes.Value) (interval, bool) {
	if unit.PartCount() > 1 {
		return func(v sqltypes.Value) (interval, bool) { return parseInterval(v.ToString(), unit) }
	}
	if unit == sqlparser.IntervalSecond {
		t := c.args[i].Type
		if t.Kind == Decimal || t.Kind == Double || t.Kind.Textual() {
			read := c.decimal(i)
			return func(v sqltypes.Value) (interval, bool) {
				d := read(v)
				if d.Abs().Cmp(mostDecimal) > 0 {
					return interval{}, false
				}
				us, _ := d.Mul(million).Truncate(0).Int64()
				return interval{micros: us}, true
			}
		}
	}
	read := c.integer(i)
	return func(v sqltypes.Value) (interval, bool) {
		n := read(v)
		return unitInterval(n, unit), true
	}
}

// unitInterval is so many of one unit.
func unitInterval(n int64, unit sqlparser.IntervalType) interval {
	limit := func(n, by int64) int64 { // past any date: 4 million days, but sums don't overflow
		bound := 4000000 * dayMicros / by
		return max(min(n, bound), -bound) * by
	}
	switch unit {
	case sqlparser.IntervalMicrosecond:
		return interval{micros: limit(n, 1)}
	case sqlparser.IntervalSecond:
		return interval{micros: limit(n, secondMicros)}
	case sqlparser.IntervalMinute:
		return interval{micros: limit(n, 60*secondMicros)}
	case sqlparser.IntervalHour:
		return interval{micros: limit(n, 3600*secondMicros)}
	case sqlparser.IntervalDay:
		return interval{days: max(min(n, 4e6), -4e6)}
	case sqlparser.IntervalWeek:
		return interval{days: max(min(n, 1e6), -1e6) * 7}
	case sqlparser.IntervalMonth:
		return interval{months: max(min(n, 2e5), -2e5)}
	case sqlparser.IntervalQuarter:
		return interval{months: max(min(n, 1e5), -1e5) * 3}
	}
	return interval{months: max(min(n, 2e4), -2e4) * 12}
}

// parseInterval reads '1:30' HOUR_MINUTE and its kin: runs of digits with
// anything between, fewer than wanted are those of the smallest units, and
// behind a sign of minus all are negative.
func parseInterval(s string, unit sqlparser.IntervalType) (interval, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign := int64(1)
	if strings.HasPrefix(s, "-") {
		sign, s = -1, s[1:]
	}
	toDigit := func() {
		for s != "" && !isDigit(s[0]) {
			s = s[1:]
		}
	}
	toDigit()
	want := unit.PartCount()
	var found []int64
	last := 0
	for s != "" && len(found) < want {
		n := int64(0)
		last = 0
		for s != "" && isDigit(s[0]) {
			n, s = min(n*10+int64(s[0]-'0'), most), s[1:]
			last++
		}
		found = append(found, n)
		toDigit()
	}
	if s != "" {
		return interval{}, false
	}
	if unit&sqlparser.IntervalMicrosecond != 0 && last < 6 && len(found) > 0 {
		found[len(found)-1] *= power10[6-last] // what follows the point is a fraction
	}
	var iv interval
	units := [...]sqlparser.IntervalType{sqlparser.IntervalMicrosecond, sqlparser.IntervalSecond, sqlparser.IntervalMinute,
		sqlparser.IntervalHour, sqlparser.IntervalDay, sqlparser.IntervalMonth, sqlparser.IntervalYear}
	for _, u := range units {
		if unit&u == 0 || len(found) == 0 {
			continue
		}
		part := unitInterval(sign*found[len(found)-1], u)
		found = found[:len(found)-1]
		iv.months += part.months
		iv.days += part.days
		iv.micros += part.micros
	}
	return iv, true
}
