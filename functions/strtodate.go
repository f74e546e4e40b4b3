package functions

import (
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// strToDate reads dates and times of any form (manual 12.7, STR_TO_DATE and
// the letters of DATE_FORMAT).
var strToDate = []builtin{
	{name: "str_to_date", args: "text, format", typed: strToDateType, eval: evalStrToDate, doc: "The time a text shows in a format."},
}

// strToDateType follows a literal format: a date, a span, or both.
func strToDateType(c *call) (Type, error) {
	format, ok := c.literalText(1)
	if !ok {
		return Type{Kind: Time, Scale: 6, Nullable: true}, nil
	}
	return formatType(format), nil
}

func formatType(format string) Type {
	date, clock, fraction := false, false, 0
	for i := 0; i+1 < len(format); i++ {
		if format[i] != '%' {
			continue
		}
		i++
		switch c := format[i]; {
		case c == 'f':
			fraction, clock = 6, true
		case strings.IndexByte("SsHhIiklprT", c) >= 0:
			clock = true
		case strings.IndexByte("MVUXYWabcjmvuxywdDe", c) >= 0:
			date = true
		}
	}
	switch {
	case clock && !date:
		return Type{Kind: Clock, Scale: fraction, Nullable: true}
	case date && !clock:
		return Type{Kind: Date, Nullable: true}
	}
	return Type{Kind: Time, Scale: fraction, Nullable: true}
}

func evalStrToDate(c *call) (evaluator, error) {
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		p := parts{text: row[0].ToString(), week: -1, weekYear: -1}
		ok := p.read(row[1].ToString()) && p.finish()
		if ok && c.result.Kind != Clock {
			ok = p.at.valid(strings.Contains(c.s.surroundings().mode, "ALLOW_INVALID_DATES"))
		}
		if !ok {
			kind := "datetime"
			if c.result.Kind == Clock {
				kind = "time"
			}
			c.s.warn(1411, "Incorrect "+kind+" value: '"+clip(row[0])+"' for function str_to_date")
			return sqltypes.NULL, nil
		}
		if strings.TrimLeft(p.text, " \t\n\v\f\r") != "" {
			c.s.warn(1292, "Truncated incorrect datetime value: '"+clip(row[0])+"'")
		}
		switch c.result.Kind {
		case Clock:
			return sqltypes.MakeTrusted(sqltypes.Time, clockText(p.at.micros+int64(p.at.day)*dayMicros, c.result.Scale)), nil
		case Date:
			return sqltypes.MakeTrusted(sqltypes.Date, p.at.date()), nil
		}
		return c.momentValue(p.at), nil
	}), nil
}

// parts is what a format has found so far.
type parts struct {
	// text is what is left to read.
	text string
	at   moment
	// hour … micro make at's time of day in the end.
	hour, minute, second, micro int
	twelve                      bool
	afternoon                   int
	yearday, weekday            int
	// week and weekYear are -1 until they are seen.
	week, weekYear      int
	sundays, sundayYear bool
	strictWeek          bool
}

// number reads up to so many digits.
func (p *parts) number(most int, into *int) bool {
	s := strings.TrimPrefix(p.text, "+")
	n, rest, digits := leadingNumber(s, most)
	if digits == 0 {
		return false
	}
	*into, p.text = n, rest
	return true
}

// word reads one of the names, at least as far as it is short.
func (p *parts) word(names []string, short bool, into *int) bool {
	for i, name := range names {
		if short {
			name = name[:3]
		}
		if len(p.text) >= len(name) && strings.EqualFold(p.text[:len(name)], name) {
			*into, p.text = i+1, p.text[len(name):]
			return true
		}
	}
	return false
}

func (p *parts) skip(is func(b byte) bool) {
	for p.text != "" && is(p.text[0]) {
		p.text = p.text[1:]
	}
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
func isDigit(b byte) bool  { return b >= '0' && b <= '9' }

// read takes the text apart. What the text lacks of the format is left out.
func (p *parts) read(format string) bool {
	for i := 0; i < len(format); i++ {
		p.text = strings.TrimLeft(p.text, " \t\n\v\f\r")
		if p.text == "" {
			return true
		}
		if format[i] != '%' || i+1 == len(format) {
			if !isSpace(format[i]) {
				if p.text[0] != format[i] {
					return false
				}
				p.text = p.text[1:]
			}
			continue
		}
		i++
		if !p.letter(format[i]) {
			return false
		}
	}
	return true
}

func (p *parts) letter(letter byte) bool {
	switch letter {
	case 'Y':
		before := len(p.text)
		if !p.number(4, &p.at.year) {
			return false
		}
		if before-len(p.text) <= 2 {
			p.at.year = century(p.at.year)
		}
		return true
	case 'y':
		ok := p.number(2, &p.at.year)
		p.at.year = century(p.at.year)
		return ok
	case 'm', 'c':
		return p.number(2, &p.at.month)
	case 'M':
		return p.word(monthNames[:], false, &p.at.month)
	case 'b':
		return p.word(monthNames[:], true, &p.at.month)
	case 'd', 'e':
		return p.number(2, &p.at.day)
	case 'D':
		ok := p.number(2, &p.at.day)
		p.text = p.text[min(2, len(p.text)):]
		return ok
	case 'h', 'I', 'l':
		p.twelve = true
		return p.number(2, &p.hour)
	case 'k', 'H':
		return p.number(2, &p.hour)
	case 'i':
		return p.number(2, &p.minute)
	case 's', 'S':
		return p.number(2, &p.second)
	case 'f':
		before := len(p.text)
		if !p.number(6, &p.micro) {
			return false
		}
		p.micro *= int(power10[6-(before-len(p.text))])
		return true
	case 'p':
		if len(p.text) < 2 || !p.twelve {
			return false
		}
		switch strings.ToUpper(p.text[:2]) {
		case "AM":
			p.afternoon = 0
		case "PM":
			p.afternoon = 12
		default:
			return false
		}
		p.text = p.text[2:]
		return true
	case 'W':
		return p.word(dayNames[:], false, &p.weekday)
	case 'a':
		return p.word(dayNames[:], true, &p.weekday)
	case 'w':
		if !p.number(1, &p.weekday) || p.weekday > 6 {
			return false
		}
		if p.weekday == 0 {
			p.weekday = 7
		}
		return true
	case 'j':
		return p.number(3, &p.yearday)
	case 'V', 'U', 'v', 'u':
		p.sundays = letter == 'U' || letter == 'V'
		p.strictWeek = letter|0x20 == 'v'
		return p.number(2, &p.week) && p.week <= 53 && (p.week > 0 || !p.strictWeek)
	case 'X', 'x':
		p.sundayYear = letter == 'X'
		return p.number(4, &p.weekYear)
	case 'r':
		return p.read("%I:%i:%S %p")
	case 'T':
		return p.read("%H:%i:%S")
	case '.':
		p.skip(isPunctuation)
		return true
	case '@':
		p.skip(isLetter)
		return true
	case '#':
		p.skip(isDigit)
		return true
	}
	return false
}

// century gives a year of two digits its own.
func century(year int) int {
	if year < 70 {
		return year + 2000
	}
	if year < 100 {
		return year + 1900
	}
	return year
}

// finish makes a moment of the parts.
func (p *parts) finish() bool {
	if p.twelve {
		if p.hour < 1 || p.hour > 12 {
			return false
		}
		p.hour = p.hour%12 + p.afternoon
	}
	days := 0
	if p.yearday > 0 {
		days = dayNumber(p.at.year, 1, 1) + p.yearday - 1
	}
	if p.week >= 0 && p.weekday > 0 {
		if p.strictWeek && (p.weekYear < 0 || p.sundayYear != p.sundays) || !p.strictWeek && p.weekYear >= 0 {
			return false
		}
		year := p.at.year
		if p.strictWeek {
			year = p.weekYear
		}
		days = dayNumber(year, 1, 1)
		first := (days + 5) % 7 // from Monday
		if p.sundays {
			if first = (first + 1) % 7; first != 0 {
				days += 7 - first
			}
			days += (p.week-1)*7 + p.weekday%7
		} else {
			if first > 3 {
				days += 7
			}
			days += (p.week-1)*7 + p.weekday - 1 - first
		}
	}
	if p.yearday > 0 || p.week >= 0 && p.weekday > 0 {
		var ok bool
		if p.at.year, p.at.month, p.at.day, ok = fromDayNumber(days); !ok {
			return false
		}
	}
	if p.at.month > 12 || p.at.day > 31 || p.hour > 23 || p.minute > 59 || p.second > 59 {
		return false
	}
	p.at.micros = (int64(p.hour)*3600+int64(p.minute)*60+int64(p.second))*secondMicros + int64(p.micro)
	return true
}
