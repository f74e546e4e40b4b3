package sqlserver

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"

	"github.com/wiresql/wiresql/engine"
)

// Values bound to prepared statements. The wire library hands dates and times
// over as text without leading zeros: .048 s is ".48000".

// parameter is a bound value as the engine takes it: nil, int64, uint64,
// float64, string, []byte, time.Time or one of the engine's own types. sent is
// the type the client named.
func parameter(bound *querypb.BindVariable, sent querypb.Type) (any, error) {
	v, err := sqltypes.BindVariableToValue(bound)
	if err != nil {
		return nil, err
	}
	text := v.ToString()
	switch {
	case v.IsNull():
		return nil, nil
	case sent == sqltypes.Date || sent == sqltypes.Datetime || sent == sqltypes.Timestamp:
		return timeParameter(text, sent)
	case sent == sqltypes.Time:
		return clockParameter(text)
	case sent == sqltypes.Decimal:
		return engine.DecimalValue(text), nil
	case sent == sqltypes.Blob || sent == sqltypes.Bit:
		return []byte(text), nil
	case v.IsSigned():
		return strconv.ParseInt(text, 10, 64)
	case v.IsUnsigned():
		return strconv.ParseUint(text, 10, 64)
	case v.IsFloat():
		return strconv.ParseFloat(text, 64)
	}
	return text, nil
}

// timeParameter reads year-month-day [hour:minute:second[.µs]], each a plain
// number. The zero date, which has no parts, is NULL: here no time equals it.
func timeParameter(text string, sent querypb.Type) (any, error) {
	if text = strings.TrimSpace(text); text == "" {
		return nil, nil
	}
	date, clock, _ := strings.Cut(text, " ")
	d, err := parts(date, "-", 3)
	if err != nil {
		return nil, err
	}
	us, err := microseconds(clock)
	if err != nil {
		return nil, err
	}
	if d[0] == 0 && d[1] == 0 && d[2] == 0 {
		return nil, nil
	}
	day := time.Date(d[0], time.Month(d[1]), d[2], 0, 0, 0, 0, time.UTC)
	if day.Day() != d[2] || int(day.Month()) != d[1] {
		return nil, newError(1292, "22007", fmt.Sprintf("Incorrect DATETIME value: '%s'", text))
	}
	if sent == sqltypes.Date {
		return engine.DateValue(day), nil
	}
	return day.Add(time.Duration(us) * time.Microsecond), nil
}

// clockParameter reads [-]hours:minutes:seconds[.µs].
func clockParameter(text string) (any, error) {
	positive, negative := strings.CutPrefix(text, "-")
	us, err := microseconds(positive)
	if err != nil {
		return nil, err
	}
	if us = min(us, maxClock); negative {
		us = -us
	}
	return engine.ClockValue(us), nil
}

// maxClock is the largest TIME, 838:59:59, in µs.
const maxClock = (838*3600 + 59*60 + 59) * 1e6

// microseconds reads hours:minutes:seconds[.µs]; no text is midnight.
func microseconds(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	whole, fraction, found := strings.Cut(text, ".")
	p, err := parts(whole, ":", 3)
	if err != nil {
		return 0, err
	}
	us := (int64(p[0])*3600 + int64(p[1])*60 + int64(p[2])) * 1e6
	if found {
		n, err := strconv.Atoi(fraction)
		if err != nil {
			return 0, malformed(text)
		}
		us += int64(n)
	}
	return us, nil
}

func parts(text, separator string, n int) ([]int, error) {
	words := strings.Split(text, separator)
	if len(words) != n {
		return nil, malformed(text)
	}
	out := make([]int, n)
	for i, w := range words {
		var err error
		if out[i], err = strconv.Atoi(w); err != nil {
			return nil, malformed(text)
		}
	}
	return out, nil
}

func malformed(text string) error {
	return newError(1210, "HY000", fmt.Sprintf("Incorrect arguments to mysqld_stmt_execute: %q", text))
}
