package sqlserver

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
)

// Values bound to prepared statements. The wire library hands dates and times
// over as text without leading zeros: .048 s is ".48000".

// parameter is a bound value as the engine takes it: nil, int64, uint64,
// float64, string, []byte or time.Time. sent is the type the client named.
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
		return timeParameter(text)
	case sent == sqltypes.Time:
		return clockParameter(text), nil
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
// number. Four bytes of parts are a date, eleven have microseconds.
func timeParameter(text string) (any, error) {
	var y, mo, d, h, mi, s, us int
	date, clock, _ := strings.Cut(strings.TrimSpace(text), " ")
	if date == "" {
		return nil, nil // the zero date
	}
	if _, err := fmt.Sscanf(date, "%d-%d-%d", &y, &mo, &d); err != nil {
		return text, nil
	}
	if clock != "" {
		whole, micros, ok := strings.Cut(clock, ".")
		if _, err := fmt.Sscanf(whole, "%d:%d:%d", &h, &mi, &s); err != nil {
			return text, nil
		}
		if ok {
			var err error
			if us, err = strconv.Atoi(micros); err != nil {
				return text, nil
			}
		}
	}
	if y == 0 && mo == 0 && d == 0 {
		return nil, nil
	}
	return time.Date(y, time.Month(mo), d, h, mi, s, us*1000, time.UTC), nil
}

// clockParameter writes [-]hours:minutes:seconds[.µs] with its zeros.
func clockParameter(text string) string {
	sign := ""
	if rest, ok := strings.CutPrefix(text, "-"); ok {
		sign, text = "-", rest
	}
	whole, micros, ok := strings.Cut(text, ".")
	var h, mi, s int
	if _, err := fmt.Sscanf(whole, "%d:%d:%d", &h, &mi, &s); err != nil {
		return sign + text
	}
	out := fmt.Sprintf("%s%02d:%02d:%02d", sign, h, mi, s)
	if us, err := strconv.Atoi(micros); ok && err == nil {
		out += fmt.Sprintf(".%06d", us)
	}
	return out
}
