package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// kind of an expression's values.
type kind uint8

const (
	ofNothing kind = iota
	ofNumber
	ofExact // DECIMAL
	ofDouble
	ofText
	ofMoment // DATETIME
	ofDay
	ofClock // TIME
	ofTruth
)

// plainest are the expressions that shrinking ends with.
var plainest = map[kind]*node{
	ofNumber: literalNode(ofNumber, "1"), ofExact: literalNode(ofExact, "0.5"), ofDouble: literalNode(ofDouble, "1e0"),
	ofText: literalNode(ofText, "'a'"), ofMoment: literalNode(ofMoment, "TIMESTAMP '2026-06-12 10:15:00'"),
	ofDay: literalNode(ofDay, "DATE '2026-06-12'"), ofClock: literalNode(ofClock, "TIME '10:15:00'"), ofTruth: literalNode(ofTruth, "1 = 1"),
}

func literalNode(k kind, format string) *node { return &node{kind: k, format: format} }

// grammar makes statements from a source of numbers. scope is what columns
// are visible, as kinds with names.
type grammar struct {
	*rand.Rand
	scope map[kind][]string
	alias int
}

func pick[T any](g *grammar, from []T) T { return from[g.IntN(len(from))] }

func (g *grammar) chance(percent int) bool { return g.IntN(100) < percent }

// make puts parts into a format.
func (g *grammar) make(k kind, format string, parts ...*node) *node {
	return &node{kind: k, format: format, parts: parts}
}

var literals = map[kind][]string{
	ofNumber: {"0", "1", "-1", "2", "3", "7", "10", "22", "53", "80", "100", "255", "443", "1000", "1024", "65535", "2147483647", "-5", "4294967296"},
	ofExact:  {"0.5", "1.5", "-0.125", "2.25", "0.1", "100.00", "-1.50", "0.001", "3.14159"},
	ofDouble: {"1e0", "0.5e0", "-2.5e0", "1.5e3", "0.1e0", "1e-3", "0e0"},
	ofText:   {"''", "'a'", "'A'", "'tcp'", "'TCP'", "'http'", "'Example'", "'.'", "'10'", "'1.5'", "'é'", "'status.example.test'", "'b c'", "'x_y'", "'5%'", "'-'", "'SF'", "'zz'"},
	ofMoment: {"TIMESTAMP '2026-06-12 10:15:00'", "TIMESTAMP '2026-06-12 10:20:30.500000'", "TIMESTAMP '2024-02-29 23:59:59'", "TIMESTAMP '2025-12-31 00:00:00'"},
	ofDay:    {"DATE '2026-06-12'", "DATE '2024-02-29'", "DATE '2025-12-31'", "DATE '2026-01-01'"},
	ofClock:  {"TIME '10:15:00'", "TIME '00:00:00'", "TIME '23:59:59.5'", "TIME '10:20:00.250000'"},
	ofTruth:  {"TRUE", "FALSE", "1 = 1", "NULL IS NULL"},
}

var units = []string{"MICROSECOND", "SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}

// leaf is a column of a kind, or a literal.
func (g *grammar) leaf(k kind) *node {
	if columns := g.scope[k]; len(columns) > 0 && g.chance(75) {
		return literalNode(k, pick(g, columns))
	}
	if g.chance(4) && k != ofTruth {
		return literalNode(k, "NULL")
	}
	return literalNode(k, pick(g, literals[k]))
}

// of makes an expression of a kind, deeper by depth at most.
func (g *grammar) of(k kind, depth int) *node {
	if depth <= 0 || g.chance(15) {
		return g.leaf(k)
	}
	d := depth - 1
	if g.chance(15) && k != ofTruth {
		return g.choice(k, d)
	}
	switch k {
	case ofNumber:
		return g.number(d)
	case ofExact:
		return g.exact(d)
	case ofDouble:
		return g.double(d)
	case ofText:
		return g.text(d)
	case ofMoment:
		return g.moment(d)
	case ofDay:
		return g.day(d)
	case ofClock:
		return g.clock(d)
	}
	return g.truth(d)
}

// any makes an expression of some kind.
func (g *grammar) any(depth int) *node {
	return g.of(pick(g, []kind{ofNumber, ofNumber, ofExact, ofDouble, ofText, ofText, ofMoment, ofDay, ofClock, ofTruth}), depth)
}

// numeric is an exact or inexact number.
func (g *grammar) numeric(depth int) *node {
	return g.of(pick(g, []kind{ofNumber, ofNumber, ofExact, ofDouble}), depth)
}

// choice are CASE and its kin, over kinds that mix.
func (g *grammar) choice(k kind, d int) *node {
	other := k
	switch k {
	case ofExact:
		other = pick(g, []kind{ofNumber, ofExact})
	case ofDouble:
		other = pick(g, []kind{ofNumber, ofExact, ofDouble})
	case ofText:
		other = pick(g, []kind{ofText, ofText, ofNumber, ofExact})
	case ofMoment:
		other = pick(g, []kind{ofMoment, ofDay})
	}
	a, b := g.of(k, d), g.of(other, d)
	if g.chance(50) {
		a, b = b, a
	}
	switch g.IntN(9) {
	case 0:
		return g.make(k, "IF(%s, %s, %s)", g.truth(d), a, b)
	case 1:
		return g.make(k, "CASE WHEN %s THEN %s WHEN %s THEN %s ELSE %s END", g.truth(d), a, g.truth(d), b, g.of(k, d))
	case 2:
		return g.make(k, "CASE WHEN %s THEN %s ELSE %s END", g.truth(d), a, b)
	case 3:
		return g.make(k, "CASE %s WHEN %s THEN %s ELSE %s END", g.of(ofNumber, d), g.of(ofNumber, 0), a, b)
	case 4:
		return g.make(k, "COALESCE(%s, %s)", a, b)
	case 5:
		return g.make(k, "IFNULL(%s, %s)", a, b)
	case 6:
		if k == ofExact {
			return g.make(k, "NULLIF(%s, %s)", g.of(ofExact, d), g.of(ofExact, d))
		}
		return g.make(k, "NULLIF(%s, %s)", g.of(k, d), g.of(k, d))
	}
	if k == ofText {
		a, b = g.of(ofText, d), g.of(ofText, d)
	}
	return g.make(k, pick(g, []string{"GREATEST", "LEAST"})+"(%s, %s)", a, b)
}

func (g *grammar) number(d int) *node {
	n := func() *node { return g.of(ofNumber, d) }
	s := func() *node { return g.of(ofText, d) }
	at := func() *node { return g.of(pick(g, []kind{ofMoment, ofMoment, ofDay}), d) }
	switch g.IntN(30) {
	case 0, 1:
		return g.make(ofNumber, "(%s "+pick(g, []string{"+", "-"})+" %s)", n(), n())
	case 2:
		return g.make(ofNumber, "(%s * %s)", g.of(ofNumber, 0), literalNode(ofNumber, pick(g, []string{"2", "3", "-1", "10"})))
	case 3:
		return g.make(ofNumber, "(%s DIV %s)", g.numeric(d), n())
	case 4:
		return g.make(ofNumber, "(%s "+pick(g, []string{"%", "MOD"})+" %s)", n(), n())
	case 5:
		return g.make(ofNumber, pick(g, []string{"-(%s)", "ABS(%s)", "SIGN(%s)"}), n())
	case 6:
		return g.make(ofNumber, "(%s "+pick(g, []string{"&", "|", "^"})+" %s)", n(), n())
	case 7:
		return g.make(ofNumber, pick(g, []string{"LENGTH(%s)", "CHAR_LENGTH(%s)", "ASCII(%s)", "ORD(%s)", "CAST(CRC32(%s) AS SIGNED)", "BIT_LENGTH(%s)"}), s())
	case 8:
		return g.make(ofNumber, pick(g, []string{"LOCATE(%s, %s)", "INSTR(%s, %s)", "STRCMP(%s, %s)", "FIND_IN_SET(%s, %s)", "POSITION(%s IN %s)"}), s(), s())
	case 9:
		locate := g.make(ofNumber, "LOCATE(%s, %s, %s)", s(), s(), g.small())
		// MySQL finds nothing at the very end, too (Item_func_locate::val_int).
		locate.maria, locate.order = "IF(CHAR_LENGTH(%s) = 0 AND CHAR_LENGTH(%s) = %s - 1, %s, LOCATE(%s, %s, %s))", []int{0, 1, 2, 2, 0, 1, 2}
		return locate
	case 10:
		return g.make(ofNumber, "FIELD(%s, %s, %s)", s(), s(), s())
	case 11, 12:
		return g.make(ofNumber, pick(g, []string{"YEAR", "MONTH", "DAYOFMONTH", "DAYOFWEEK", "WEEKDAY", "DAYOFYEAR", "QUARTER", "TO_DAYS", "WEEK", "WEEKOFYEAR", "YEARWEEK"})+"(%s)", at())
	case 13:
		return g.make(ofNumber, pick(g, []string{"HOUR", "MINUTE", "SECOND", "MICROSECOND"})+"(%s)", g.of(pick(g, []kind{ofMoment, ofClock}), d))
	case 14:
		return g.make(ofNumber, pick(g, []string{"WEEK(%s, ", "YEARWEEK(%s, "})+fmt.Sprint(g.IntN(8))+")", at())
	case 15:
		return g.make(ofNumber, "DATEDIFF(%s, %s)", at(), at())
	case 16, 17:
		return g.make(ofNumber, "TIMESTAMPDIFF("+pick(g, units)+", %s, %s)", at(), at())
	case 18:
		return g.make(ofNumber, "EXTRACT("+pick(g, append([]string{"YEAR_MONTH", "DAY_HOUR", "DAY_SECOND", "HOUR_MINUTE", "HOUR_SECOND", "MINUTE_SECOND", "SECOND_MICROSECOND"}, units...))+" FROM %s)", g.of(ofMoment, d))
	case 19:
		return g.make(ofNumber, "CAST(%s AS SIGNED)", g.of(pick(g, []kind{ofExact, ofDouble, ofNumber, ofTruth}), d))
	case 20:
		return g.make(ofNumber, pick(g, []string{"ROUND(%s)", "FLOOR(%s)", "CEIL(%s)"}), g.of(pick(g, []kind{ofExact, ofNumber}), d))
	case 21:
		return g.make(ofNumber, "INTERVAL(%s, 0, 10, 100, 1000)", n())
	case 22:
		return g.make(ofNumber, "BIT_COUNT(%s)", n())
	case 23:
		return g.make(ofNumber, "(UNIX_TIMESTAMP(%s) DIV "+pick(g, []string{"60", "300", "3600"})+")", g.near())
	case 24:
		return g.make(ofNumber, "(%s "+pick(g, []string{"<<", ">>"})+" %s)", g.make(ofNumber, "(%s & 65535)", n()), g.small())
	case 25:
		return g.make(ofNumber, "ROUND(%s, "+pick(g, []string{"-1", "-2", "0", "1"})+")", n())
	case 26:
		return g.make(ofNumber, "TO_SECONDS(%s)", at())
	case 27:
		return &node{kind: ofNumber, format: "TIME_TO_SEC(%s)", maria: "TRUNCATE(TIME_TO_SEC(%s), 0)", parts: []*node{g.of(ofClock, d)}}
	case 28:
		return g.make(ofNumber, "CAST(INET_ATON(%s) AS SIGNED)", literalNode(ofText, pick(g, []string{"'10.20.0.23'", "'255.255.255.255'", "'x'", "'1.2.3.4'"}))) // unsigned in MySQL
	}
	return g.make(ofNumber, "(%s)", g.truth(d))
}

// small is a whole number that is no length to fear.
func (g *grammar) small() *node {
	return literalNode(ofNumber, pick(g, []string{"0", "1", "2", "3", "5", "8", "-1", "-3"}))
}

func (g *grammar) exact(d int) *node {
	e := func() *node { return g.of(ofExact, d) }
	switch g.IntN(12) {
	case 0:
		return g.make(ofExact, "(%s / %s)", g.of(ofNumber, d), g.of(ofNumber, d))
	case 1:
		return g.make(ofExact, "(%s "+pick(g, []string{"+", "-"})+" %s)", e(), g.of(pick(g, []kind{ofNumber, ofExact}), d))
	case 2:
		return g.make(ofExact, "(%s * %s)", g.of(ofExact, min(d, 1)), g.of(ofNumber, min(d, 1)))
	case 3:
		return g.make(ofExact, pick(g, []string{"ROUND", "TRUNCATE"})+"(%s, "+pick(g, []string{"0", "1", "2", "3", "-1"})+")", e())
	case 4:
		return g.make(ofExact, "(ABS(%s) % %s)", e(), g.leaf(ofExact)) // a remainder of nothing has no sign
	case 5:
		return g.make(ofExact, pick(g, []string{"-(%s)", "ABS(%s)"}), e())
	case 6:
		return g.make(ofExact, "CAST(%s AS DECIMAL("+pick(g, []string{"20, 4", "12, 2", "30, 6", "18, 0"})+"))", g.numeric(d))
	case 7:
		return g.make(ofExact, "UNIX_TIMESTAMP(%s)", g.near())
	case 8:
		return g.make(ofExact, "(%s / %s)", g.of(ofNumber, min(d, 1)), g.leaf(ofExact))
	case 9:
		return g.make(ofExact, "(%s + 0.0)", g.of(ofNumber, d))
	case 10:
		return g.make(ofExact, "NULLIF(%s, 0)", e())
	}
	return g.make(ofExact, "MOD(ABS(%s), %s)", g.of(ofNumber, d), g.leaf(ofExact))
}

func (g *grammar) double(d int) *node {
	e := func() *node { return g.of(ofDouble, d) }
	switch g.IntN(9) {
	case 0, 1:
		return g.make(ofDouble, "(%s "+pick(g, []string{"+", "-", "*", "/"})+" %s)", e(), g.numeric(d))
	case 2:
		return g.make(ofDouble, "SQRT(ABS(%s))", g.numeric(d))
	case 3:
		return g.make(ofDouble, pick(g, []string{"LOG10", "LN", "LOG2"})+"(ABS(%s) + 1)", g.numeric(d))
	case 4:
		return g.make(ofDouble, "POW(%s, 2)", g.leaf(ofNumber))
	case 5:
		return g.make(ofDouble, "(%s * 1e0)", g.of(pick(g, []kind{ofNumber, ofExact}), d))
	case 6:
		return g.make(ofDouble, pick(g, []string{"-(%s)", "ABS(%s)"}), e())
	case 7:
		return g.make(ofDouble, "EXP((%s % 100) / 10)", g.leaf(ofNumber))
	}
	return g.make(ofDouble, pick(g, []string{"SIN(%s)", "COS(%s)", "ATAN(%s)", "RADIANS(%s)", "DEGREES(%s)"}), g.leaf(ofNumber))
}

func (g *grammar) text(d int) *node {
	s := func() *node { return g.of(ofText, d) }
	switch g.IntN(27) {
	case 0, 1:
		return g.make(ofText, "CONCAT(%s, %s)", s(), g.of(pick(g, []kind{ofText, ofNumber, ofExact, ofDay}), d))
	case 2:
		return g.make(ofText, "CONCAT_WS('-', %s, %s, %s)", s(), s(), g.of(ofNumber, d))
	case 3:
		return g.make(ofText, pick(g, []string{"UPPER", "LOWER", "REVERSE", "LTRIM", "RTRIM", "TRIM"})+"(%s)", s())
	case 4:
		return g.make(ofText, pick(g, []string{"LEFT", "RIGHT"})+"(%s, %s)", s(), g.small())
	case 5:
		return g.make(ofText, "SUBSTRING(%s, %s)", s(), g.small())
	case 6:
		return g.make(ofText, "SUBSTRING(%s, %s, %s)", s(), g.small(), g.small())
	case 7:
		return g.make(ofText, "REPLACE(%s, %s, %s)", s(), literalNode(ofText, pick(g, literals[ofText])), literalNode(ofText, pick(g, literals[ofText])))
	case 8:
		return g.make(ofText, pick(g, []string{"LPAD", "RPAD"})+"(%s, %s, "+pick(g, []string{"'x'", "'é'", "'ab'"})+")", s(), g.small())
	case 9:
		return g.make(ofText, "REPEAT(%s, %s)", g.leaf(ofText), g.small())
	case 10:
		return g.make(ofText, "SUBSTRING_INDEX(%s, "+pick(g, []string{"'.'", "'-'", "'e'", "'te'"})+", %s)", s(), g.small())
	case 11:
		return g.make(ofText, "INSERT(%s, %s, %s, %s)", s(), g.small(), g.small(), g.leaf(ofText))
	case 12:
		return g.make(ofText, "ELT(%s, %s, %s)", g.small(), s(), s())
	case 13:
		return g.make(ofText, "HEX(%s)", g.of(pick(g, []kind{ofNumber, ofText}), d))
	case 14, 15:
		return g.make(ofText, "CAST(%s AS CHAR)", g.of(pick(g, []kind{ofNumber, ofExact, ofMoment, ofDay, ofClock, ofDouble}), d))
	case 16, 17:
		return g.make(ofText, "DATE_FORMAT(%s, "+pick(g, []string{"'%Y-%m-%d'", "'%H:%i'", "'%W %e %b'", "'%x-W%v'", "'%j %y'", "'%Y%m%dT%H%i%S.%f'", "'%X%V %a'", "'%D %c %l%p'"})+")", g.of(pick(g, []kind{ofMoment, ofDay}), d))
	case 18:
		return g.make(ofText, pick(g, []string{"DAYNAME", "MONTHNAME"})+"(%s)", g.of(pick(g, []kind{ofMoment, ofDay}), d))
	case 19:
		return g.make(ofText, pick(g, []string{"MD5", "SHA1", "QUOTE", "SOUNDEX", "TO_BASE64"})+"(%s)", s())
	case 20:
		return g.make(ofText, "FORMAT(%s, "+pick(g, []string{"0", "2"})+")", g.of(pick(g, []kind{ofNumber, ofExact}), d))
	case 21:
		return g.make(ofText, pick(g, []string{"BIN(%s)", "OCT(%s)", "CONV(%s, 10, 16)", "CONV(%s, 10, 36)"}), g.of(ofNumber, d))
	case 22:
		return g.make(ofText, "INET_NTOA(%s)", g.make(ofNumber, "ABS(%s)", g.leaf(ofNumber)))
	case 23:
		return g.make(ofText, "TRIM("+pick(g, []string{"LEADING", "TRAILING", "BOTH"})+" "+pick(g, []string{"'t'", "'.'", "'s'", "'ab'"})+" FROM %s)", s())
	case 24:
		return g.make(ofText, "CAST(%s AS CHAR("+pick(g, []string{"1", "3", "10"})+"))", g.of(pick(g, []kind{ofText, ofMoment, ofNumber}), d))
	case 25:
		return g.make(ofText, "REGEXP_REPLACE(%s, "+pick(g, []string{"'[.].*$'", "'[0-9]+'", "'E'", "'^s'"})+", "+pick(g, []string{"''", "'X'"})+")", s())
	}
	return g.make(ofText, "(%s COLLATE "+pick(g, []string{"utf8mb4_bin", "utf8mb4_general_ci"})+")", g.leaf(ofText))
}

func (g *grammar) interval(d int) string {
	if g.chance(20) {
		return pick(g, []string{"'1:30' MINUTE_SECOND", "'1:30' HOUR_MINUTE", "'1 2' DAY_HOUR", "'1-2' YEAR_MONTH", "'1 2:3:4' DAY_SECOND", "'1.5' SECOND_MICROSECOND"})
	}
	return pick(g, []string{"1", "2", "30", "-1", "90", "(1 + 1)", "250"}) + " " + pick(g, units)
}

func (g *grammar) moment(d int) *node {
	m := func() *node { return g.of(ofMoment, d) }
	switch g.IntN(9) {
	case 0, 1:
		return g.make(ofMoment, "(%s "+pick(g, []string{"+", "-"})+" INTERVAL "+g.interval(d)+")", m())
	case 2:
		return g.make(ofMoment, pick(g, []string{"DATE_ADD", "DATE_SUB"})+"(%s, INTERVAL %s "+pick(g, []string{"SECOND", "MINUTE", "HOUR", "DAY", "MONTH"})+")", m(), g.small())
	case 3:
		return g.make(ofMoment, "FROM_UNIXTIME(UNIX_TIMESTAMP(%s) DIV "+pick(g, []string{"60 * 60", "300 * 300", "3600 * 3600"})+")", g.near())
	case 4:
		return g.make(ofMoment, "TIMESTAMP(%s)", g.of(pick(g, []kind{ofDay, ofMoment}), d))
	case 5:
		return g.make(ofMoment, "STR_TO_DATE(DATE_FORMAT(%s, '%Y-%m-%d %H:%i'), '%Y-%m-%d %H:%i')", m())
	case 6:
		return g.make(ofMoment, "CAST(%s AS DATETIME"+pick(g, []string{"", "(3)", "(6)"})+")", g.of(pick(g, []kind{ofMoment, ofDay}), d))
	case 7:
		return g.make(ofMoment, "TIMESTAMPADD("+pick(g, units)+", %s, %s)", g.small(), m())
	}
	return g.make(ofMoment, "FROM_UNIXTIME(UNIX_TIMESTAMP(%s))", g.near())
}

// near is a moment of this century's first third, which MariaDB knows the
// seconds of.
func (g *grammar) near() *node {
	for _, c := range g.scope[ofMoment] {
		if (c == "ts" || c == "a.ts" || c == "b.ts") && g.chance(70) {
			return literalNode(ofMoment, c)
		}
	}
	return literalNode(ofMoment, pick(g, literals[ofMoment]))
}

func (g *grammar) day(d int) *node {
	switch g.IntN(7) {
	case 0, 1:
		return g.make(ofDay, "DATE(%s)", g.of(ofMoment, d))
	case 2:
		return g.make(ofDay, "LAST_DAY(%s)", g.of(pick(g, []kind{ofMoment, ofDay}), d))
	case 3:
		return g.make(ofDay, "(%s "+pick(g, []string{"+", "-"})+" INTERVAL "+pick(g, []string{"1", "-1", "7", "31"})+" "+pick(g, []string{"DAY", "WEEK", "MONTH", "YEAR"})+")", g.of(ofDay, d))
	case 4:
		return g.make(ofDay, "CAST(%s AS DATE)", g.of(ofMoment, d))
	case 5:
		return g.make(ofDay, "FROM_DAYS(TO_DAYS(%s) + 1)", g.of(ofDay, d))
	}
	return g.make(ofDay, "MAKEDATE(2026, %s)", g.make(ofNumber, "(1 + ABS(%s) % 365)", g.leaf(ofNumber)))
}

func (g *grammar) clock(d int) *node {
	switch g.IntN(6) {
	case 0, 1:
		return g.make(ofClock, "TIME(%s)", g.of(ofMoment, d))
	case 2:
		return g.make(ofClock, "SEC_TO_TIME(%s)", g.make(ofNumber, "(%s % 80000)", g.of(ofNumber, d)))
	case 3:
		return g.make(ofClock, "MAKETIME(%s, %s, %s)", g.make(ofNumber, "(ABS(%s) % 24)", g.leaf(ofNumber)), g.make(ofNumber, "(ABS(%s) % 61)", g.leaf(ofNumber)), g.make(ofNumber, "(ABS(%s) % 60)", g.leaf(ofNumber)))
	case 4:
		return g.make(ofClock, "CAST(%s AS TIME"+pick(g, []string{"", "(6)"})+")", g.of(ofMoment, d))
	}
	return g.make(ofClock, "TIMEDIFF(%s, %s)", g.leaf(ofMoment), g.leaf(ofMoment))
}

var comparisons = []string{"=", "<>", "<", "<=", ">", ">=", "<=>"}

func (g *grammar) truth(d int) *node {
	op := " " + pick(g, comparisons) + " "
	switch g.IntN(24) {
	case 0, 1, 2:
		return g.make(ofTruth, "%s"+op+"%s", g.numeric(d), g.numeric(d))
	case 3, 4:
		return g.make(ofTruth, "%s"+op+"%s", g.of(ofText, d), g.of(ofText, d))
	case 5, 6:
		k := pick(g, []kind{ofMoment, ofDay})
		return g.make(ofTruth, "%s"+op+"%s", g.of(k, d), g.of(pick(g, []kind{ofMoment, ofDay}), d))
	case 7:
		return g.make(ofTruth, "%s"+op+pick(g, []string{"'2026-06-12 10:20:00'", "'2026-06-12'", "'2026-06-12 10:20:30.5'"}), g.of(ofMoment, d))
	case 8:
		return g.make(ofTruth, "%s"+op+pick(g, []string{"'10:20:00'", "'06:00'", "'14:05:00.5'"}), g.of(ofClock, d))
	case 9:
		both := g.make(ofTruth, "%s"+op+"%s", g.of(ofClock, d), g.of(ofClock, d))
		if op == " <=> " { // in WHERE MariaDB finds others equal than in SELECT
			both.maria = "COALESCE(%s = %s, %s IS NULL AND %s IS NULL)"
		}
		return both
	case 10:
		return g.make(ofTruth, "%s"+op+pick(g, []string{"'80'", "'1.5'", "'-3'"}), g.numeric(d))
	case 11:
		return g.make(ofTruth, "%s "+pick(g, []string{"LIKE", "NOT LIKE"})+" "+pick(g, []string{"'%e%'", "'T_p'", "'%.TEST'", "'a\\_%'", "'%\\%%'", "'_'", "''", "'%'", "'1%'", "'|%%' ESCAPE '|'"}), g.of(ofText, d))
	case 12:
		return g.make(ofTruth, "%s LIKE CONCAT('%', %s, '%')", g.of(ofText, d), g.of(ofText, d))
	case 13:
		return g.make(ofTruth, "%s "+pick(g, []string{"REGEXP", "NOT REGEXP"})+" "+pick(g, []string{"'^[a-z]+[.]'", "'E'", "'[0-9]'", "'(tcp|udp)'", "'t$'", "'.'", "'^$'"}), g.of(ofText, d))
	case 14:
		return g.make(ofTruth, "%s "+pick(g, []string{"IN", "NOT IN"})+" (%s, %s, %s)", g.of(ofNumber, d), g.leaf(ofNumber), g.leaf(ofNumber), g.leaf(pick(g, []kind{ofNumber, ofExact})))
	case 15:
		return g.make(ofTruth, "%s "+pick(g, []string{"IN", "NOT IN"})+" (%s, %s)", g.of(ofText, d), g.leaf(ofText), g.leaf(ofText))
	case 16:
		k := pick(g, []kind{ofNumber, ofExact, ofDouble, ofText, ofMoment, ofDay, ofClock})
		return g.make(ofTruth, "%s "+pick(g, []string{"BETWEEN", "NOT BETWEEN"})+" %s AND %s", g.of(k, d), g.leaf(k), g.leaf(k))
	case 17:
		return g.make(ofTruth, "%s IS "+pick(g, []string{"NULL", "NOT NULL"}), g.any(d))
	case 18:
		return g.make(ofTruth, "((%s) IS "+pick(g, []string{"TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"})+")", g.truth(max(d-1, 0)))
	case 19, 20:
		return g.make(ofTruth, "(%s "+pick(g, []string{"AND", "OR", "XOR"})+" %s)", g.of(ofTruth, d), g.of(ofTruth, d))
	case 21:
		return g.make(ofTruth, "NOT (%s)", g.of(ofTruth, d))
	case 22:
		// MariaDB is asked what the manual (14.4.2) says rows are compared
		// by: of rows themselves it doesn't know that they may be NULL.
		op := pick(g, []string{"=", "<>", "<", ">="})
		rows := g.make(ofTruth, "(%s, %s) "+op+" (%s, %s)", g.leaf(ofNumber), g.leaf(ofText), g.leaf(ofNumber), g.leaf(ofText))
		rows.order = []int{0, 2, 1, 3}
		switch op {
		case "=":
			rows.maria = "(%s = %s AND %s = %s)"
		case "<>":
			rows.maria = "(%s <> %s OR %s <> %s)"
		default:
			rows.maria = "(%s " + op[:1] + " %s OR %s = %s AND %s " + op + " %s)"
			rows.order = []int{0, 2, 0, 2, 1, 3}
		}
		return rows
	}
	if columns := g.scope[ofNothing]; len(columns) > 0 { // addresses
		return literalNode(ofTruth, pick(g, columns)+pick(g, []string{" = '10.20.0.23'", " <> '198.51.100.40'", " LIKE '10.%'", " IN ('10.20.0.31', '10.20.0.57')", " NOT LIKE '%:%'"}))
	}
	return g.make(ofTruth, "%s"+op+"%s", g.of(ofNumber, d), g.of(ofExact, d))
}

// relations and their columns by kind, addresses under none. Columns that hold
// ids or words of a closed set take part as text that is made of them: a
// literal they can't hold is an error beside the column itself. @ is where
// their alias goes.
var relations = map[string]map[kind][]string{
	"connections": {ofMoment: {"@ts", "@ts_end"}, ofDouble: {"@duration"}, ofNumber: {"@client_port", "@server_port", "@bytes", "@packets", "@client_bytes", "@server_bytes"},
		ofText:    {"@client_host", "@server_name", "@sensor", "@seen_by", "CONCAT(@protocol, '')", "CONCAT(@service, '')", "CONCAT(@conn_state, '')", "CONCAT(@conn_id, '')", "CONCAT(@client_ip, '')"},
		ofNothing: {"@client_ip", "@server_ip"}},
	"flows": {ofMoment: {"@ts", "@ts_end"}, ofDouble: {"@duration"}, ofNumber: {"@src_port", "@dst_port", "@bytes", "@packets", "@reverse_bytes", "@total_bytes", "@total_packets", "@sampling_rate"},
		ofText:    {"@observer", "@src_host", "@dst_host", "CONCAT(@source_type, '')", "CONCAT(@protocol, '')", "CONCAT(@tcp_flags, '')", "CONCAT(@end_reason, '')", "CONCAT(@flow_id, '')"},
		ofNothing: {"@src_ip", "@dst_ip"}},
	"dns": {ofMoment: {"@ts"}, ofNumber: {"@ttl", "@rtt_us"},
		ofText:    {"@client_host", "@query", "@answers", "CONCAT(@qtype, '')", "CONCAT(@rcode, '')", "CONCAT(@server_ip, '')"},
		ofNothing: {"@client_ip", "@server_ip"}},
	"hosts": {ofMoment: {"@ts", "@ts_end"}, ofText: {"@name", "CONCAT(@mac, '')", "CONCAT(@source, '')"}, ofNothing: {"@ip"}},
	"host_flows": {ofMoment: {"@ts", "@ts_end"}, ofDouble: {"@duration"}, ofNumber: {"@port", "@peer_port", "@bytes_out", "@bytes_in", "@packets_out"},
		ofText:    {"@host", "@peer_host", "@peer_name", "CONCAT(@role, '')", "CONCAT(@protocol, '')", "CONCAT(@service, '')"},
		ofNothing: {"@ip", "@peer_ip"}},
}

// see brings a relation's columns into scope, under an alias.
func (g *grammar) see(relation, alias string) {
	if g.scope == nil {
		g.scope = map[kind][]string{}
	}
	if alias != "" {
		alias += "."
	}
	for k, columns := range relations[relation] {
		for _, c := range columns {
			g.scope[k] = append(g.scope[k], strings.ReplaceAll(c, "@", alias))
		}
	}
}

// within runs with another scope.
func (g *grammar) within(scope map[kind][]string, run func()) {
	outer := g.scope
	g.scope = scope
	run()
	g.scope = outer
}

func (g *grammar) name() string {
	g.alias++
	return fmt.Sprintf("x%d", g.alias)
}

func list(separate string, parts ...*node) *node {
	return &node{separate: separate, parts: parts}
}

// named are select items, each of which can be left out.
func (g *grammar) named(items ...*node) *node {
	var out []*node
	for _, item := range items {
		out = append(out, &node{format: "%s AS " + g.name(), parts: []*node{item}, optional: true})
	}
	return list(", ", out...)
}

func optional(format string, parts ...*node) *node {
	return &node{format: format, parts: parts, optional: true}
}

// positions are 1, 2, … n, which orders rows totally.
func positions(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprint(i+1))
	}
	return strings.Join(out, ", ")
}
