package engine

import (
	"context"
	"strings"
	"sync"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/wiresql/wiresql/functions"
)

// zoneType is the type of time_zone: a zone, in the spelling it has.
type zoneType struct{ sql.SystemVariableType }

// Convert implements sql.Type.
func (t zoneType) Convert(ctx context.Context, v any) (any, sql.ConvertInRange, error) {
	if v == nil {
		return nil, sql.OutOfRange, mysql.NewSQLError(1231, "42000", "Variable 'time_zone' can't be set to the value of 'NULL'")
	}
	name, ok := v.(string)
	zone := functions.FindZone(name)
	if !ok || zone == nil {
		return nil, sql.OutOfRange, mysql.NewSQLError(1298, "HY000", "Unknown or incorrect time zone: '%v'", v)
	}
	return zone.Name, sql.InRange, nil
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
