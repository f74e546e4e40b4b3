package engine

// Times as text and back: the wire writes millions of them, and package time
// takes three times as long.

const microsOfDay = 86400e6

// civil is the date of a day since 1970 in the proleptic Gregorian calendar,
// from March on so that the leap day ends its year.
func civil(days int64) (year, month, day int) {
	days += 719468 // from 0000-03-01
	era := floorDiv(days, 146097)
	d := days - era*146097
	y := (d - d/1460 + d/36524 - d/146096) / 365
	d -= 365*y + y/4 - y/100
	m := (5*d + 2) / 153
	day = int(d - (153*m+2)/5 + 1)
	month = int(m) + 3
	year = int(y + era*400)
	if month > 12 {
		month, year = month-12, year+1
	}
	return year, month, day
}

// daysOf is the inverse of civil.
func daysOf(year, month, day int) int64 {
	if month <= 2 {
		year, month = year-1, month+12
	}
	era := floorDiv(int64(year), 400)
	y := int64(year) - era*400
	return era*146097 + y*365 + y/4 - y/100 + int64(153*(month-3)+2)/5 + int64(day) - 1 - 719468
}

const pairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869" +
	"707172737475767778798081828384858687888990919293949596979899"

// appendPair appends a number below 100 as two digits.
func appendPair(dst []byte, n int) []byte { return append(dst, pairs[2*n], pairs[2*n+1]) }

// appendDate appends the date of a day since 1970.
func appendDate(dst []byte, days int64) []byte {
	y, mo, d := civil(days)
	if uint(y) < 10000 {
		dst = appendPair(appendPair(dst, y/100), y%100)
	} else {
		dst = appendDigits(dst, y, 4)
	}
	dst = appendPair(append(dst, '-'), mo)
	return appendPair(append(dst, '-'), d)
}

// appendTime appends µs since 1970 as DATETIME text with so many digits of
// fraction.
func appendTime(dst []byte, micros int64, digits int) []byte {
	days := floorDiv(micros, microsOfDay)
	us := micros - days*microsOfDay
	s := int(us / 1e6)
	dst = appendPair(append(appendDate(dst, days), ' '), s/3600)
	dst = appendPair(append(dst, ':'), s/60%60)
	dst = appendPair(append(dst, ':'), s%60)
	return appendFraction(dst, int(us%1e6), digits)
}

// appendFraction appends so many digits of a fraction in µs.
func appendFraction(dst []byte, us, digits int) []byte {
	if digits == 0 {
		return dst
	}
	dst = appendPair(appendPair(appendPair(append(dst, '.'), us/10000), us/100%100), us%100)
	return dst[:len(dst)-(6-digits)]
}

// appendClock appends a TIME of so many µs.
func appendClock(dst []byte, us int64, digits int) []byte {
	if us < 0 {
		dst, us = append(dst, '-'), -us
	}
	s := us / 1e6
	dst = appendDigits(dst, int(s/3600), 2)
	dst = appendPair(append(dst, ':'), int(s/60%60))
	dst = appendPair(append(dst, ':'), int(s%60))
	return appendFraction(dst, int(us%1e6), digits)
}

// appendDigits appends a non-negative number padded with zeros.
func appendDigits(dst []byte, n, width int) []byte {
	var buf [20]byte
	i := len(buf)
	for width > 0 || n > 0 {
		i--
		buf[i] = byte('0' + n%10)
		n /= 10
		width--
	}
	return append(dst, buf[i:]...)
}

// parseTime reads the text of a DATETIME or a DATE as µs since 1970; ok is
// false for what is no day, such as 0000-00-00.
func parseTime(text string) (micros int64, ok bool) {
	two := func(at int) int {
		a, b := text[at]-'0', text[at+1]-'0'
		if a > 9 || b > 9 {
			return -1
		}
		return int(a)*10 + int(b)
	}
	if len(text) < 10 || text[4] != '-' || text[7] != '-' {
		return 0, false
	}
	century, years, month, day := two(0), two(2), two(5), two(8)
	year := century*100 + years
	if century < 0 || years < 0 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) {
		return 0, false
	}
	micros = daysOf(year, month, day) * microsOfDay
	if len(text) == 10 {
		return micros, true
	}
	if len(text) < 19 || text[13] != ':' || text[16] != ':' {
		return 0, false
	}
	h, m, s := two(11), two(14), two(17)
	if uint(h) > 23 || uint(m) > 59 || uint(s) > 59 {
		return 0, false
	}
	micros += int64(h*3600+m*60+s) * 1e6
	if len(text) == 19 {
		return micros, true
	}
	if text[19] != '.' || len(text) > 26 {
		return 0, false
	}
	fraction := int64(0)
	for i := 20; i < 26; i++ {
		fraction *= 10
		if i < len(text) {
			if text[i] < '0' || text[i] > '9' {
				return 0, false
			}
			fraction += int64(text[i] - '0')
		}
	}
	return micros + fraction, true
}

// daysIn is how many days a month has.
func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}
