package engine

import (
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/functions"
)

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

// unobeyed are settings that change what a statement means, of which this
// server has one value: another is refused where it is set, never ignored.
var unobeyed = map[string]func(v any) error{
	"sql_mode": func(v any) error {
		mode, _ := v.(string)
		for _, word := range strings.Split(strings.ToUpper(mode), ",") {
			if why := unobeyedModes[strings.TrimSpace(word)]; why != "" {
				return userError("sql_mode %s: %s", strings.TrimSpace(word), why)
			}
		}
		return nil
	},
	"div_precision_increment": onlyNumber("div_precision_increment", 4, "a quotient has four digits more than what is divided; use ROUND(a / b, n)"),
	"default_week_format":     onlyNumber("default_week_format", 0, "name the mode, as in WEEK(ts, 3)"),
	"lc_time_names": func(v any) error {
		if name, _ := v.(string); !strings.EqualFold(name, "en_US") {
			return userError("lc_time_names %s: names of days and months are English", name)
		}
		return nil
	},
	"timestamp": func(v any) error {
		if n, _ := v.(float64); n != 0 && n != 1 {
			return userError("timestamp: NOW() is the time it is; write the time itself")
		}
		return nil
	},
	"collation_connection": func(v any) error {
		name, _ := v.(string)
		if _, ok := functions.CollationNamed(strings.ToLower(name)); !ok {
			return userError("collation %s: text can't be compared by it here", name)
		}
		return nil
	},
}

// unobeyedModes are words of sql_mode.
var unobeyedModes = map[string]string{
	"NO_BACKSLASH_ESCAPES":     "a backslash escapes in texts here; double it",
	"PIPES_AS_CONCAT":          "|| is OR here; use CONCAT(a, b)",
	"ANSI_QUOTES":              "double quotes are those of texts here; quote names with `",
	"ANSI":                     "double quotes are those of texts here, and || is OR",
	"HIGH_NOT_PRECEDENCE":      "NOT binds as in MySQL 8 by default; use parentheses",
	"NO_UNSIGNED_SUBTRACTION":  "a difference of unsigned numbers is unsigned; use CAST(a AS SIGNED)",
	"REAL_AS_FLOAT":            "REAL is DOUBLE here",
	"TIME_TRUNCATE_FRACTIONAL": "times are rounded; use TRUNCATE",
	"ALLOW_INVALID_DATES":      "a day that does not exist is NULL",
	"PAD_CHAR_TO_FULL_LENGTH":  "no column is padded",
}

func onlyNumber(name string, only int64, why string) func(any) error {
	return func(v any) error {
		if n, ok := v.(int64); ok && n == only {
			return nil
		}
		return userError("%s: %s", name, why)
	}
}

// guardSettings makes SET refuse what would be ignored. The variables are the
// process's.
var guardSettings = sync.OnceFunc(func() {
	for name, check := range unobeyed {
		known, _, _ := sql.SystemVariables.GetGlobal(name)
		v, ok := known.(*sql.MysqlSystemVariable)
		if !ok {
			continue
		}
		guarded, before := *v, v.NotifyChanged
		guarded.NotifyChanged = func(ctx *sql.Context, scope sql.SystemVariableScope, value sql.SystemVarValue) error {
			set := value.Val
			// Words come as bits. What is set may not be read here: it is locked.
			if words, ok := v.Type.(sql.SetType); ok {
				if bits, ok := set.(uint64); ok {
					text, err := words.BitsToString(bits)
					if err != nil {
						return err
					}
					set = text
				}
			}
			if err := check(set); err != nil {
				return err
			}
			if before != nil {
				return before(ctx, scope, value)
			}
			return nil
		}
		sql.SystemVariables.AddSystemVariables([]sql.SystemVariable{&guarded})
	}
})
