package functions

import (
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// Dates and times as MySQL reads and writes them (manual 9.1.3 and 11.2): the
// proleptic Gregorian calendar from year 0 to 9999, with months and days that
// may be 0, and spans up to 838:59:59.

// moment is a DATETIME.
type moment struct {
	year, month, day int
	// micros is the time of day.
	micros int64
}

const (
	secondMicros = int64(1e6)
	dayMicros    = 86400 * secondMicros
	// maxClock is the greatest TIME.
	maxClock = (838*3600+59*60+59)*secondMicros + 999999
)

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// dayNumber is TO_DAYS: days since year 0.
func dayNumber(year, month, day int) int {
	if year == 0 && month == 0 {
		return 0
	}
	n := 365*year + 31*(month-1) + day
	y := year
	if month <= 2 {
		y--
	} else {
		n -= (month*4 + 23) / 10
	}
	if y < 0 {
		return n
	}
	return n + y/4 - (y/100+1)*3/4
}

// fromDayNumber is the date of TO_DAYS' number.
func fromDayNumber(n int) (year, month, day int, ok bool) {
	if n <= 365 || n > 3652424 {
		return 0, 0, 0, false
	}
	year = n * 100 / 36525
	rest := n - dayNumber(year, 1, 1) + 1
	for rest <= 0 {
		year--
		rest = n - dayNumber(year, 1, 1) + 1
	}
	for length := 365; ; year++ {
		if length = 365; leap(year) {
			length = 366
		}
		if rest <= length {
			break
		}
		rest -= length
	}
	for month = 1; rest > daysIn(year, month); month++ {
		rest -= daysIn(year, month)
	}
	return year, month, rest, true
}

// micros counts from day 0.
func (m moment) total() int64 {
	return int64(dayNumber(m.year, m.month, m.day))*dayMicros + m.micros
}

func fromTotal(us int64) (moment, bool) {
	days := us / dayMicros
	if us < 0 {
		return moment{}, false
	}
	y, mo, d, ok := fromDayNumber(int(days))
	return moment{y, mo, d, us % dayMicros}, ok
}

// round gives the moment so many digits behind its seconds.
func (m moment) round(scale int) (moment, bool) {
	unit := power10[6-scale]
	rest := m.micros % unit
	if rest == 0 {
		return m, true
	}
	m.micros -= rest
	if rest*2 >= unit {
		if m.micros += unit; m.micros >= dayMicros {
			if m.month == 0 || m.day == 0 {
				return m, false
			}
			return fromTotal(m.total())
		}
	}
	return m, true
}

var power10 = [...]int64{1, 10, 100, 1000, 10000, 100000, 1000000}

// valid tells whether the date exists; month or day may be 0 where zero is.
func (m moment) valid(zero bool) bool {
	if m.month == 0 || m.day == 0 {
		return zero && m.month <= 12 && m.day <= 31
	}
	return m.month <= 12 && m.day <= daysIn(m.year, m.month)
}

func (m moment) date() []byte {
	out := make([]byte, 0, 26)
	out = padded(out, int64(m.year), 4)
	out = padded(append(out, '-'), int64(m.month), 2)
	return padded(append(out, '-'), int64(m.day), 2)
}

// padded appends a number of at least so many digits.
func padded(out []byte, n int64, width int) []byte {
	var digits [20]byte
	i := len(digits)
	for n > 0 || width > 0 {
		i--
		digits[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(out, digits[i:]...)
}

// text is the moment as its type shows it.
func (m moment) text(t Type) []byte {
	if t.Kind == Date {
		return m.date()
	}
	return appendClock(append(m.date(), ' '), m.micros, t.Scale)
}

// clockText writes a span with so many digits behind the seconds, cut.
func clockText(us int64, scale int) []byte { return appendClock(nil, us, scale) }

func appendClock(out []byte, us int64, scale int) []byte {
	if us < 0 {
		out, us = append(out, '-'), -us
	}
	s := us / secondMicros
	out = padded(out, s/3600, 2)
	out = padded(append(out, ':'), s/60%60, 2)
	out = padded(append(out, ':'), s%60, 2)
	if scale > 0 {
		out = padded(append(out, '.'), us%secondMicros/power10[6-scale], scale)
	}
	return out
}

// leadingNumber reads digits, at most so many.
func leadingNumber(s string, most int) (n int, rest string, digits int) {
	for digits < len(s) && digits < most && s[digits] >= '0' && s[digits] <= '9' {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, s[digits:], digits
}

func isPunctuation(b byte) bool {
	return b > ' ' && b < 0x7f && (b < '0' || b > '9') && (b|0x20 < 'a' || b|0x20 > 'z')
}

func isSpace(b byte) bool { return b == ' ' || b >= '\t' && b <= '\r' }

// fraction reads what stands behind the seconds, in microseconds, the seventh
// digit rounded.
func readFraction(s string) (us int64, rest string) {
	n := 0
	for ; n < len(s) && s[n] >= '0' && s[n] <= '9'; n++ {
		switch {
		case n < 6:
			us = us*10 + int64(s[n]-'0')
		case n == 6 && s[n] >= '5':
			us++
		}
	}
	for i := n; i < 6; i++ {
		us *= 10
	}
	return us, s[n:]
}

// canonical reads YYYY-MM-DD[ hh:mm:ss[.ffffff]], as values come.
func canonical(s string) (m moment, ok bool) {
	if len(s) != 10 && len(s) != 19 && len(s) != 26 || s[4] != '-' || s[7] != '-' {
		return m, false
	}
	ok = true
	number := func(from, to int) int64 {
		n := int64(0)
		for _, d := range []byte(s[from:to]) {
			ok = ok && d >= '0' && d <= '9'
			n = n*10 + int64(d-'0')
		}
		return n
	}
	m = moment{int(number(0, 4)), int(number(5, 7)), int(number(8, 10)), 0}
	if len(s) > 10 {
		h, mi, sec, us := number(11, 13), number(14, 16), number(17, 19), int64(0)
		if len(s) == 26 {
			us = number(20, 26)
			ok = ok && s[19] == '.'
		}
		ok = ok && s[10] == ' ' && s[13] == ':' && s[16] == ':' && h < 24 && mi < 60 && sec < 60
		m.micros = (h*3600+mi*60+sec)*secondMicros + us
	}
	return m, ok && m.valid(true)
}

// parseMoment reads the text of a date, or of a date and a time, with MySQL's
// liberties; rest tells that something else followed.
func parseMoment(s string) (m moment, rest, ok bool) {
	if m, ok := canonical(s); ok {
		return m, false, true
	}
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	if s == "" {
		return m, false, false
	}
	run := 0
	for run < len(s) && s[run] >= '0' && s[run] <= '9' {
		run++
	}
	if run == 0 {
		return m, false, false
	}
	var part [6]int
	var fraction int64
	year := 2
	if run == len(s) || s[run] == '.' || s[run] == 'T' && run >= 6 {
		// Without delimiters: YYYYMMDD[hhmmss] or YYMMDD[hhmmss].
		if run == 4 || run == 8 || run >= 14 {
			year = 4
		}
		widths := [6]int{year, 2, 2, 2, 2, 2}
		for i, w := range widths {
			if i == 3 && strings.HasPrefix(s, "T") {
				s = s[1:]
			}
			var n int
			if part[i], s, n = leadingNumber(s, w); n == 0 {
				if i < 3 {
					return m, false, false
				}
				break
			}
			if i == 2 {
				s = strings.TrimLeft(s, " \t\n\v\f\r")
			}
			if i < 5 { // 2026.06.12
				s = strings.TrimLeftFunc(s, func(r rune) bool { return r < 0x7f && isPunctuation(byte(r)) })
			}
		}
		if len(s) > 1 && s[0] == '.' && (run >= 12 || run == 4) {
			fraction, s = readFraction(s[1:])
		}
	} else {
		year = run
		widths := [6]int{4, 2, 2, 2, 2, 2}
		for i, w := range widths {
			var n int
			if part[i], s, n = leadingNumber(s, w); n == 0 {
				if i < 3 {
					return m, false, false
				}
				break
			}
			if i == 5 {
				if strings.HasPrefix(s, ".") {
					fraction, s = readFraction(s[1:])
				}
				break
			}
			if i == 2 {
				next := strings.TrimLeft(s, " \t\n\v\f\r")
				if strings.HasPrefix(s, "T") {
					next = s[1:]
				} else if next == s && s != "" && isPunctuation(s[0]) {
					next = strings.TrimLeftFunc(s, func(r rune) bool { return r < 0x7f && isPunctuation(byte(r)) })
				}
				if next == "" || next[0] < '0' || next[0] > '9' {
					break
				}
				s = next
				continue
			}
			next := strings.TrimLeftFunc(s, func(r rune) bool { return r < 0x7f && isPunctuation(byte(r)) })
			if next == s || next == "" || next[0] < '0' || next[0] > '9' {
				if i < 2 {
					return m, false, false
				}
				break
			}
			s = next
		}
	}
	if year == 2 {
		if part[0] < 70 {
			part[0] += 2000
		} else {
			part[0] += 1900
		}
	}
	m = moment{part[0], part[1], part[2], (int64(part[3])*3600+int64(part[4])*60+int64(part[5]))*secondMicros + fraction}
	if part[3] > 23 || part[4] > 59 || part[5] > 59 || !m.valid(true) {
		return m, false, false
	}
	if m.micros >= dayMicros {
		if m, ok = fromTotal(m.total()); !ok {
			return m, false, false
		}
	}
	return m, strings.TrimLeft(s, " \t\n\v\f\r") != "", true
}

// parseClock reads the text of a span: [days ]hours:minutes:seconds, less of
// it, digits alone, or the time of a date and time. Past its bounds it is
// clipped.
func parseClock(s string) (us int64, rest, ok bool) {
	us, rest, ok = unclippedClock(s)
	return clipClock(us), rest, ok
}

func unclippedClock(s string) (us int64, rest, ok bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	if len(s) >= 12 && s[0] != '-' {
		if m, r, ok := parseMoment(s); ok && (strings.ContainsAny(s, "-/") || digitRun(s) >= 12) {
			return m.micros, r, true
		}
	}
	negative := strings.HasPrefix(s, "-")
	if negative {
		s = s[1:]
	}
	run := digitRun(s)
	if run == 0 && !strings.HasPrefix(s, ":") {
		return 0, false, false
	}
	read := func() int64 {
		n := int64(0)
		for s != "" && s[0] >= '0' && s[0] <= '9' {
			n = min(n*10+int64(s[0]-'0'), 1e10)
			s = s[1:]
		}
		return n
	}
	var days, hours, minutes, seconds int64
	n := read()
	after := strings.TrimLeft(s, " \t\n\v\f\r")
	switch {
	case after != s && after != "" && after[0] >= '0' && after[0] <= '9':
		days, s = n, after
		hours = read()
		if strings.HasPrefix(s, ":") && digitRun(s[1:]) > 0 {
			s = s[1:]
			minutes = read()
			if strings.HasPrefix(s, ":") && digitRun(s[1:]) > 0 {
				s = s[1:]
				seconds = read()
			}
		}
	case strings.HasPrefix(s, ":") && digitRun(s[1:]) > 0:
		hours = n
		s = s[1:]
		minutes = read()
		if strings.HasPrefix(s, ":") && digitRun(s[1:]) > 0 {
			s = s[1:]
			seconds = read()
		}
	default:
		hours, minutes, seconds = n/10000, n/100%100, n%100
	}
	if len(s) > 0 && s[0] == '.' {
		us, s = readFraction(s[1:])
	}
	if minutes > 59 || seconds > 59 {
		return 0, false, false
	}
	us += ((min(days, 1e6)*24+min(hours, 1e6))*3600 + minutes*60 + seconds) * secondMicros
	if negative {
		us = -us
	}
	return us, strings.TrimLeft(s, " \t\n\v\f\r") != "", true
}

func digitRun(s string) int {
	n := 0
	for n < len(s) && s[n] >= '0' && s[n] <= '9' {
		n++
	}
	return n
}

// clipClock keeps a span within TIME's bounds.
func clipClock(us int64) int64 {
	const most = maxClock - 999999
	return min(max(us, -most), most)
}

// momentOf reads an argument as a date and time; ok is false for what is
// none, of which warning 1292 is noted.
func (c *call) moment(i int) func(v sqltypes.Value) (m moment, ok bool) {
	t := c.args[i].Type
	incorrect := func(v sqltypes.Value) (moment, bool) {
		c.s.warn(1292, "Incorrect datetime value: '"+clip(v)+"'")
		return moment{}, false
	}
	switch {
	case t.Kind == Clock:
		now := c.now()
		return func(v sqltypes.Value) (moment, bool) {
			us, _, ok := parseClock(v.ToString())
			if !ok {
				return moment{}, false
			}
			return fromTotal(int64(dayNumber(now.year, now.month, now.day))*dayMicros + us)
		}
	case t.Kind.Numeric():
		read := c.decimal(i)
		return func(v sqltypes.Value) (moment, bool) {
			d := read(v)
			whole := d.Truncate(0)
			n, ok := whole.Int64()
			if !ok || n < 0 {
				return incorrect(v)
			}
			m, ok := numberMoment(n)
			if !ok {
				return incorrect(v)
			}
			fraction, _ := d.Sub(whole).Float64()
			m.micros += int64(fraction*1e6 + 0.5)
			return m, true
		}
	}
	return func(v sqltypes.Value) (moment, bool) {
		m, rest, ok := parseMoment(v.ToString())
		if !ok {
			return incorrect(v)
		}
		if rest {
			c.s.warn(1292, "Truncated incorrect datetime value: '"+clip(v)+"'")
		}
		return m, true
	}
}

// now is the statement's time in the session's zone.
func (c *call) now() moment {
	return c.s.zone().moment(c.s.Now.UnixMicro())
}

// numberMoment reads YYYYMMDD, YYMMDD, YYYYMMDDhhmmss and YYMMDDhhmmss.
func numberMoment(n int64) (moment, bool) {
	clock := int64(0)
	if n > 99999999 {
		n, clock = n/1000000, n%1000000
	}
	year := int(n / 10000)
	if n < 1000000 || year < 100 {
		switch {
		case n < 101:
			return moment{}, false
		case year < 70:
			year += 2000
		case year < 100:
			year += 1900
		}
	}
	m := moment{year, int(n / 100 % 100), int(n % 100), 0}
	h, mi, s := clock/10000, clock/100%100, clock%100
	m.micros = (h*3600 + mi*60 + s) * secondMicros
	return m, h < 24 && mi < 60 && s < 60 && m.valid(true) && year <= 9999
}

// clock reads an argument as a span of time in microseconds.
func (c *call) clock(i int) func(v sqltypes.Value) (us int64, ok bool) {
	t := c.args[i].Type
	switch {
	case t.Kind == Time || t.Kind == Date:
		return func(v sqltypes.Value) (int64, bool) {
			m, _, ok := parseMoment(v.ToString())
			return m.micros, ok
		}
	case t.Kind.Numeric():
		read := c.decimal(i)
		return func(v sqltypes.Value) (int64, bool) {
			d := read(v)
			whole := d.Truncate(0)
			n, ok := whole.Int64()
			if !ok {
				n = 99999999 * int64(d.Sign())
			}
			sign := int64(1)
			if n < 0 || d.Sign() < 0 {
				sign, n = -1, -n
			}
			if n > 9999999999 {
				m, ok := numberMoment(n)
				return m.micros, ok
			}
			if n/100%100 > 59 || n%100 > 59 {
				c.s.warn(1292, "Truncated incorrect time value: '"+clip(v)+"'")
				return 0, false
			}
			fraction, _ := d.Sub(whole).Abs().Float64()
			us := (n/10000*3600+n/100%100*60+n%100)*secondMicros + int64(fraction*1e6+0.5)
			return sign * clipClock(us), true
		}
	}
	return func(v sqltypes.Value) (int64, bool) {
		us, rest, ok := parseClock(v.ToString())
		if !ok || rest {
			c.s.warn(1292, "Truncated incorrect time value: '"+clip(v)+"'")
		}
		return us, ok
	}
}
