package engine

import (
	"context"
	"maps"
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
		return nil, sql.OutOfRange, wrongValue("time_zone", "NULL", "")
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
	"lc_time_names": func(v any) error {
		if name, _ := v.(string); !strings.HasPrefix(strings.ToLower(name), "en_") {
			return wrongValue("lc_time_names", name, "names of days and months are English here")
		}
		return nil
	},
	"collation_connection": func(v any) error {
		name, _ := v.(string)
		if _, ok := functions.CollationNamed(strings.ToLower(name)); !ok {
			return mysql.NewSQLError(1273, "HY000", "Unknown collation: '%s'", name)
		}
		return nil
	},
}

// guardSettings makes SET refuse what would be ignored. The variables are the
// process's.
var guardSettings = sync.OnceFunc(func() {
	checks := maps.Clone(unobeyed)
	for name := range onlyValues {
		checks[name] = checkOnly(name)
	}
	for name, check := range checks {
		known, _, _ := sql.SystemVariables.GetGlobal(name)
		v, ok := known.(*sql.MysqlSystemVariable)
		if !ok {
			continue
		}
		guarded, before := *v, v.NotifyChanged
		guarded.NotifyChanged = func(ctx *sql.Context, scope sql.SystemVariableScope, value sql.SystemVarValue) error {
			if err := check(value.Val); err != nil {
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
