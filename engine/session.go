package engine

import (
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// maxSleep is how many seconds SLEEP waits at most: it holds a connection and
// answers nothing.
const maxSleep = 5.0

// newSleep is SLEEP(seconds).
func newSleep(args ...sql.Expression) (sql.Expression, error) {
	if len(args) != 1 {
		return nil, sql.ErrInvalidArgumentNumber.New("SLEEP", "1", len(args))
	}
	capped, err := function.NewLeast(expression.NewConvert(args[0], expression.ConvertToDouble), expression.NewLiteral(maxSleep, types.Float64))
	if err != nil {
		return nil, err
	}
	return function.NewSleep(capped), nil
}

// timeZone is the variable time_zone. Every time in the archive is UTC, and
// another zone of a session would shift NOW() and UNIX_TIMESTAMP against the
// columns: rows would be missing without a word.
func timeZone() sql.SystemVariable {
	return &sql.MysqlSystemVariable{Name: "time_zone", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
		Type: types.NewSystemStringType("time_zone"), Default: "+00:00",
		NotifyChanged: func(_ *sql.Context, _ sql.SystemVariableScope, v sql.SystemVarValue) error {
			if zone, _ := v.Val.(string); !isUTC(zone) {
				return userError("time_zone '%s': times are UTC here and sessions can't have another zone; "+
					"use '+00:00' and convert with CONVERT_TZ(ts, '+00:00', …) or in the client", zone)
			}
			return nil
		}}
}

func isUTC(zone string) bool {
	switch strings.ToUpper(zone) {
	case "UTC", "ETC/UTC", "GMT", "Z", "+00:00", "-00:00", "+0:00":
		return true
	case "SYSTEM":
		_, winter := time.Date(2026, time.January, 1, 0, 0, 0, 0, time.Local).Zone()
		_, summer := time.Date(2026, time.July, 1, 0, 0, 0, 0, time.Local).Zone()
		return winter == 0 && summer == 0
	}
	return false
}
