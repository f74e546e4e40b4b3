package functions

import (
	"fmt"
	"strconv"
	"time"

	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/sqltypes"
)

// evalPart is a part of a date: the functions that read parts of 0 too, and
// those that want a date that exists.
func evalPart(c *call) (evaluator, error) {
	at := c.moment(0)
	part := map[string]func(m moment) int64{
		"year":       func(m moment) int64 { return int64(m.year) },
		"month":      func(m moment) int64 { return int64(m.month) },
		"day":        func(m moment) int64 { return int64(m.day) },
		"quarter":    func(m moment) int64 { return int64(m.month+2) / 3 },
		"dayofweek":  func(m moment) int64 { return int64(m.weekday()+1)%7 + 1 },
		"dayofyear":  func(m moment) int64 { return int64(m.yearday()) },
		"weekday":    func(m moment) int64 { return int64(m.weekday()) },
		"weekofyear": func(m moment) int64 { w, _ := m.weekOf(3); return int64(w) },
		"to_days":    func(m moment) int64 { return m.total() / dayMicros },
		"to_seconds": func(m moment) int64 { return m.total() / secondMicros },
	}[c.name]
	fuzzy := c.name == "year" || c.name == "month" || c.name == "day" || c.name == "quarter"
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || !fuzzy && !m.valid(false) {
			return sqltypes.NULL, nil
		}
		return intValue(part(m)), nil
	}), nil
}

// evalClockPart is a part of a span or a time of day, without its sign.
func evalClockPart(c *call) (evaluator, error) {
	clock := c.clock(0)
	per := map[string][2]int64{
		"hour": {3600 * secondMicros, 1 << 40}, "minute": {60 * secondMicros, 60},
		"second": {secondMicros, 60}, "microsecond": {1, secondMicros},
	}[c.name]
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		us, ok := clock(row[0])
		if !ok {
			return sqltypes.NULL, nil
		}
		return intValue(max(us, -us) / per[0] % per[1]), nil
	}), nil
}

// yearday counts from 1.
func (m moment) yearday() int { return dayNumber(m.year, m.month, m.day) - dayNumber(m.year, 1, 1) + 1 }

// weekOf is the week of a mode, and the year it is of (manual 12.7, WEEK): bit
// 0 begins weeks on Mondays, bit 1 counts days before week 1 to the last year,
// bit 2 swaps whether week 1 is the first with four days or the first whole.
func (m moment) weekOf(mode int) (week, year int) {
	first := m.weekday()
	if mode&1 == 0 {
		first = (first + 1) % 7
	}
	day := dayNumber(m.year, m.month, m.day)
	if mode&2 != 0 {
		// The day of the week that says which year it is of.
		anchor := day - first
		if fourDays(mode) {
			anchor += 3
		}
		y := m.year
		switch start := dayNumber(y, 1, 1); {
		case anchor < start:
			y--
		case anchor >= dayNumber(y+1, 1, 1):
			y++
		}
		return (anchor-dayNumber(y, 1, 1))/7 + 1, y
	}
	yearday := m.yearday() - 1
	if !fourDays(mode) {
		return (yearday + 7 - first) / 7, m.year
	}
	newYear := ((first-yearday)%7 + 7) % 7 // the first of January in its week
	week = (yearday + newYear) / 7
	if newYear <= 3 {
		week++
	}
	return week, m.year
}

// evalWeek is WEEK and YEARWEEK.
func evalWeek(c *call) (evaluator, error) {
	at := c.moment(0)
	mode := func(sqltypes.Value) int64 {
		if c.name == "week" {
			return int64(c.s.WeekMode)
		}
		return 0
	}
	if len(c.args) == 2 {
		mode = c.integer(1)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || !m.valid(false) {
			return sqltypes.NULL, nil
		}
		n := int(mode(row[len(c.args)-1]) & 7)
		if c.name == "week" {
			week, _ := m.weekOf(n)
			return intValue(int64(week)), nil
		}
		week, year := m.weekOf(n | 2)
		return intValue(int64(year*100 + week)), nil
	}), nil
}

func evalMonthName(c *call) (evaluator, error) {
	at := c.moment(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || m.month == 0 {
			return sqltypes.NULL, nil
		}
		return textValue([]byte(monthNames[m.month-1])), nil
	}), nil
}

// evalDay is DATE and LAST_DAY.
func evalDay(c *call) (evaluator, error) {
	at := c.moment(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || !m.valid(false) {
			return sqltypes.NULL, nil
		}
		if c.name == "last_day" {
			m.day = daysIn(m.year, m.month)
		}
		return sqltypes.MakeTrusted(sqltypes.Date, m.date()), nil
	}), nil
}

// evalTimeOfDay is TIME.
func evalTimeOfDay(c *call) (evaluator, error) {
	clock := c.clock(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		us, ok := clock(row[0])
		if !ok {
			return sqltypes.NULL, nil
		}
		return c.clockValue(us), nil
	}), nil
}

func evalTimeToSec(c *call) (evaluator, error) {
	clock := c.clock(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		us, ok := clock(row[0])
		if !ok {
			return sqltypes.NULL, nil
		}
		return intValue(us / secondMicros), nil
	}), nil
}

// utc is when the zone's clocks show the moment, in microseconds.
func (z *Zone) utc(m moment) int64 {
	return z.Instant(time.Date(m.year, time.Month(m.month), m.day, 0, 0, 0, 0, time.UTC).UnixMicro() + m.micros)
}

// moment is what the zone's clocks show.
func (z *Zone) moment(utc int64) moment {
	t := time.UnixMicro(z.Local(utc)).UTC()
	return moment{t.Year(), int(t.Month()), t.Day(),
		int64(t.Hour()*3600+t.Minute()*60+t.Second())*secondMicros + int64(t.Nanosecond())/1000}
}

// evalUnixTimestamp is 0 for what is no time it knows.
func evalUnixTimestamp(c *call) (evaluator, error) {
	zone := c.s.zone()
	if len(c.args) == 0 {
		return func([]sqltypes.Value) (sqltypes.Value, error) { return intValue(c.s.Now.Unix()), nil }, nil
	}
	at := c.moment(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		us := int64(0)
		if m, ok := at(row[0]); ok && m.valid(false) {
			if us = zone.utc(m); us < 0 || us >= lastUnix*secondMicros {
				us = 0
			}
		}
		if c.result.Kind == Integer {
			return intValue(us / secondMicros), nil
		}
		return decimalText(decimal.New(us, -6)), nil
	}), nil
}

func evalFromUnixtime(c *call) (evaluator, error) {
	zone := c.s.zone()
	seconds := c.decimal(0)
	scale := c.result.Scale
	if c.result.Kind != Time {
		scale = 6
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		d := seconds(row[0])
		if f := c.args[0].Type.Kind; f == Double {
			d = decimal.NewFromFloatMySQL(c.float(0)(row[0]))
		}
		us, ok := d.Round(int32(scale)).Mul(million).Int64()
		if !ok || us < 0 || us >= lastUnix*secondMicros {
			return sqltypes.NULL, nil
		}
		m := zone.moment(us)
		if len(c.args) == 2 {
			text, ok := m.format(row[1].ToString())
			if !ok {
				return sqltypes.NULL, nil
			}
			return textValue(text), nil
		}
		return c.momentValue(m), nil
	}), nil
}

func evalDateFormat(c *call) (evaluator, error) {
	at := c.moment(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		m, ok := at(row[0])
		if !ok || row[1].Len() == 0 { // as MySQL: no format, no text
			return sqltypes.NULL, nil
		}
		text, ok := m.format(row[1].ToString())
		if !ok {
			return sqltypes.NULL, nil
		}
		return textValue(text), nil
	}), nil
}

// format is DATE_FORMAT; ok is false where a name of a day or month is wanted
// that the date has not.
func (m moment) format(format string) (out []byte, ok bool) {
	second := m.micros / secondMicros
	hour, minute := second/3600, second/60%60
	second %= 60
	twelve := (hour+11)%12 + 1
	half := "AM"
	if hour >= 12 {
		half = "PM"
	}
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			out = append(out, format[i])
			continue
		}
		i++
		switch letter := format[i]; letter {
		case 'M', 'b':
			if m.month == 0 {
				return nil, false
			}
			name := monthNames[m.month-1]
			if letter == 'b' {
				name = name[:3]
			}
			out = append(out, name...)
		case 'W', 'a', 'w':
			if !m.valid(false) {
				return nil, false
			}
			switch n := m.weekday(); letter {
			case 'W':
				out = append(out, dayNames[n]...)
			case 'a':
				out = append(out, dayNames[n][:3]...)
			default:
				out = strconv.AppendInt(out, int64((n+1)%7), 10)
			}
		case 'D':
			suffix := "th"
			if m.day < 11 || m.day > 13 {
				suffix = [...]string{"th", "st", "nd", "rd", "th", "th", "th", "th", "th", "th"}[m.day%10]
			}
			out = append(strconv.AppendInt(out, int64(m.day), 10), suffix...)
		case 'Y':
			out = padded(out, int64(m.year), 4)
		case 'y':
			out = padded(out, int64(m.year%100), 2)
		case 'm':
			out = padded(out, int64(m.month), 2)
		case 'c':
			out = strconv.AppendInt(out, int64(m.month), 10)
		case 'd':
			out = padded(out, int64(m.day), 2)
		case 'e':
			out = strconv.AppendInt(out, int64(m.day), 10)
		case 'f':
			out = padded(out, m.micros%secondMicros, 6)
		case 'H':
			out = padded(out, hour, 2)
		case 'k':
			out = strconv.AppendInt(out, hour, 10)
		case 'h', 'I':
			out = padded(out, twelve, 2)
		case 'l':
			out = strconv.AppendInt(out, twelve, 10)
		case 'i':
			out = padded(out, minute, 2)
		case 's', 'S':
			out = padded(out, second, 2)
		case 'p':
			out = append(out, half...)
		case 'r':
			out = fmt.Appendf(out, "%02d:%02d:%02d %s", twelve, minute, second, half)
		case 'T':
			out = appendClock(out, m.micros, 0)
		case 'j':
			out = padded(out, int64(m.yearday()), 3)
		case 'U', 'u', 'V', 'v':
			week, _ := m.weekOf(map[byte]int{'U': 0, 'u': 1, 'V': 2, 'v': 3}[letter])
			out = padded(out, int64(week), 2)
		case 'X', 'x':
			_, year := m.weekOf(map[byte]int{'X': 2, 'x': 3}[letter])
			out = padded(out, int64(year), 4)
		default:
			out = append(out, letter)
		}
	}
	return out, true
}
