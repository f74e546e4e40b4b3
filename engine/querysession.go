package engine

import (
	"context"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"vitess.io/vitess/go/sqltypes"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/engine/metadata"
	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// querySession answers what the compiler asks about the session of a
// statement.
type querySession struct {
	ctx       *sql.Context
	engine    *Engine
	params    Parameters
	preparing bool
	functions *functions.Session
}

var _ pushdown.Session = (*querySession)(nil)

// maxWarnings is how many warnings one statement keeps at most, whatever
// max_error_count says: they hold memory.
const maxWarnings = 1024

// wholeNumber reads a variable that is a whole number.
func wholeNumber(v any) (int64, bool) {
	switch n := v.(type) {
	case int64:
		return n, true
	case uint64:
		return int64(min(n, math.MaxInt64)), true
	case int8:
		return int64(n), true
	case int32:
		return int64(n), true
	case uint32:
		return int64(n), true
	}
	return 0, false
}

func newQuerySession(ctx *sql.Context, e *Engine, params Parameters, preparing bool) *querySession {
	s := &querySession{ctx: ctx, engine: e, params: params, preparing: preparing}
	limit := maxWarnings
	if n, ok := wholeNumber(variable(ctx, "max_error_count")); ok {
		limit = int(min(n, maxWarnings))
	}
	var mu sync.Mutex
	warned := map[string]bool{}
	s.functions = &functions.Session{
		Now:   ctx.QueryTime().UTC(),
		Ended: func() error { return context.Cause(ctx) },
		Warn: func(code int, message string) {
			mu.Lock()
			defer mu.Unlock()
			if ctx.Err() != nil {
				return // it may be another statement's session by now
			}
			if key := strconv.Itoa(code) + message; len(warned) < limit && !warned[key] {
				warned[key] = true
				ctx.Session.Warn(&sql.Warning{Level: "Warning", Code: code, Message: message})
			}
		},
	}
	if name, ok := variable(ctx, "time_zone").(string); ok {
		if zone := functions.FindZone(name); zone != nil && !zone.UTC() {
			s.functions.Zone = zone
		}
	}
	if mode, ok := variable(ctx, "sql_mode").(string); ok {
		s.functions.SQLMode = mode + "," // empty means the default there
	}
	if n, ok := wholeNumber(variable(ctx, "div_precision_increment")); ok {
		if s.functions.DivPrecision = int(n); n == 0 {
			s.functions.DivPrecision = -1
		}
	}
	if n, ok := wholeNumber(variable(ctx, "default_week_format")); ok {
		s.functions.WeekMode = int(n)
	}
	if n, ok := variable(ctx, "timestamp").(float64); ok && n > 0 {
		s.functions.Now = time.UnixMicro(int64(math.Round(n * 1e6))).UTC()
	}
	if n, ok := variable(ctx, "max_allowed_packet").(int64); ok {
		s.functions.MaxText = int(n)
	}
	if name, ok := variable(ctx, "collation_connection").(string); ok {
		if id, ok := functions.CollationNamed(strings.ToLower(name)); ok {
			s.functions.Collation = id
		}
	}
	return s
}

// Database implements pushdown.Session.
func (s *querySession) Database() string { return s.ctx.GetCurrentDatabase() }

// Functions implements pushdown.Session.
func (s *querySession) Functions() *functions.Session { return s.functions }

// Variable implements pushdown.Session.
func (s *querySession) Variable(scope, name string) (any, error) {
	name = strings.ToLower(name)
	switch name {
	case "warning_count":
		return int64(s.ctx.Session.WarningCount()), nil
	case "error_count":
		n := int64(0)
		for _, w := range s.ctx.Session.Warnings() {
			if w.Level == "Error" {
				n++
			}
		}
		return n, nil
	case "identity":
		name = "last_insert_id"
	}
	var v any
	var err error
	if scope == "global" {
		_, v, _ = sql.SystemVariables.GetGlobal(name)
		if v == nil {
			v, err = s.ctx.GetSessionVariable(s.ctx, name)
		}
	} else {
		v, err = s.ctx.GetSessionVariable(s.ctx, name)
	}
	if err != nil {
		return nil, functions.Errorf(1193, "Unknown system variable '%s'", name)
	}
	if name == "character_set_results" && v == "" {
		return nil, nil // as they are
	}
	if name == "timestamp" && v == 0.0 {
		now := s.functions.Now
		v = float64(now.UnixMicro()) / 1e6
	}
	return v, nil
}

// SetUserVariable implements pushdown.Session.
func (s *querySession) SetUserVariable(name string, v sqltypes.Value) error {
	switch {
	case s.ctx.Err() != nil:
		return context.Cause(s.ctx)
	case s.preparing:
		return nil
	case v.IsNull():
		return s.ctx.SetUserVariable(s.ctx, name, nil, types.Null)
	case v.IsSigned():
		n, err := v.ToInt64()
		if err != nil {
			return err
		}
		return s.ctx.SetUserVariable(s.ctx, name, n, types.Int64)
	case v.IsFloat():
		f, err := v.ToFloat64()
		if err != nil {
			return err
		}
		return s.ctx.SetUserVariable(s.ctx, name, f, types.Float64)
	}
	return s.ctx.SetUserVariable(s.ctx, name, v.ToString(), types.LongText)
}

// UserVariable implements pushdown.Session.
func (s *querySession) UserVariable(name string) (any, error) {
	_, v, err := s.ctx.GetUserVariable(s.ctx, name)
	return v, err
}

// Parameter implements pushdown.Session.
func (s *querySession) Parameter(name string) (any, bool) {
	n, err := strconv.Atoi(strings.TrimPrefix(name, "v"))
	if s.preparing || err != nil || n < 1 || n > len(s.params) {
		return nil, false
	}
	return s.params[n-1], true
}

// Info implements pushdown.Session.
func (s *querySession) Info(name string) (any, bool) {
	client := s.ctx.Session.Client()
	switch name {
	case "database", "schema":
		if db := s.ctx.GetCurrentDatabase(); db != "" {
			return db, true
		}
		return nil, true
	case "user", "session_user", "system_user":
		return client.User + "@" + client.Address, true
	case "current_user":
		return client.User + "@%", true
	case "version":
		v, _ := variable(s.ctx, "version").(string)
		return v, true
	case "connection_id", "ps_current_thread_id":
		return uint64(s.ctx.Session.ID()), true
	case "icu_version": // of MySQL 8.0.33
		return "69.1", true
	case "found_rows":
		return s.ctx.GetLastQueryInfoInt(sql.FoundRows), true
	case "row_count":
		return s.ctx.GetLastQueryInfoInt(sql.RowCount), true
	case "last_insert_id":
		n, _ := wholeNumber(variable(s.ctx, "last_insert_id"))
		return uint64(n), true
	case "current_role":
		return "NONE", true
	}
	return nil, false
}

// May implements pushdown.Session.
func (s *querySession) May(schema, table string) error {
	if metadata.May(serverView{s.ctx, s.engine}, schema, table) {
		return nil
	}
	client := s.ctx.Session.Client()
	return functions.Errorf(1142, "SELECT command denied to user '%s'@'%s' for table '%s'", client.User, client.Address, table)
}

// Schemas implements pushdown.Session.
func (s *querySession) Schemas() []string { return metadata.Schemas }

// Foreign implements pushdown.Session.
func (s *querySession) Foreign(schema, table string) (*tables.Relation, error) {
	if given, err := s.engine.given(schema, table); err != nil || given != nil {
		return given.relationOf(), err
	}
	return metadata.Lookup(schema, table), nil
}
