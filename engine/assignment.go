package engine

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// SET @since = (SELECT MIN(ts) FROM …): variables that take a value of the
// archive, which go-mysql-server has no rows of.

// assign runs a SET. As in MySQL all values are known before the first
// variable has one, and none has if one can't. What is no variable of the user,
// go-mysql-server sets.
func (e *Engine) assign(ctx *sql.Context, s *sqlparser.Set, params Parameters) error {
	type value struct {
		name string
		typ  sql.Type
		v    any
	}
	var values []value
	var settings sqlparser.SetExprs
	var cut []*sql.Warning
	for _, x := range s.Exprs {
		name := x.Var.Name.Lowered()
		if variable := pushdown.UserVariable(x.Var); variable != "" {
			t, v, err := e.valueOf(ctx, x.Expr, params)
			if err != nil {
				return err
			}
			values = append(values, value{variable, t, v})
			continue
		}
		if name == "identity" {
			name, x.Var = "last_insert_id", &sqlparser.Variable{Scope: x.Var.Scope, Name: sqlparser.NewIdentifierCI("last_insert_id")}
		}
		if _, ok := x.Expr.(*sqlparser.Default); ok {
			settings = append(settings, x)
			continue
		}
		g, ok := constant(x.Expr)
		if !ok {
			t, v, err := e.valueOf(ctx, x.Expr, params)
			if err == nil {
				g, err = computed(ctx, t, v)
			}
			if err != nil {
				return err
			}
		}
		g, warning, err := settled(ctx, name, g)
		if err != nil {
			return err
		}
		if warning != nil {
			cut = append(cut, warning)
		}
		settings = append(settings, &sqlparser.SetExpr{Var: x.Var, Expr: g.literal()})
	}
	if settings != nil {
		inner := ctx.WithContext(ctx.Context)
		inner.ProcessList = sql.EmptyProcessList{} // in which no statement ends
		_, rows, err := e.others(inner, sqlparser.String(&sqlparser.Set{Exprs: settings}))
		if err == nil {
			_, err = sql.RowIterToRows(inner, rows)
		}
		if err != nil {
			return err
		}
	}
	for _, w := range cut { // the other engine has cleared them
		ctx.Session.Warn(w)
	}
	for _, x := range values {
		if err := e.assignValue(ctx, x.name, x.typ, x.v); err != nil {
			return err
		}
	}
	return nil
}

// valueOf is what an expression comes to.
func (e *Engine) valueOf(ctx *sql.Context, x sqlparser.Expr, params Parameters) (sql.Type, any, error) {
	return e.valueOfQuery(ctx, "SELECT "+sqlparser.String(x), params)
}

// valueOfQuery is the first column of the first row.
func (e *Engine) valueOfQuery(ctx *sql.Context, text string, params Parameters) (sql.Type, any, error) {
	schema, rows, handled, err := e.Answer(ctx, text, params)
	if err != nil {
		return nil, nil, err
	}
	if !handled {
		return nil, nil, userError("a variable can't take this value")
	}
	row, err := rows.Next(ctx)
	if err != nil && !errors.Is(err, io.EOF) {
		rows.Close(ctx)
		return nil, nil, err
	}
	if err := rows.Close(ctx); err != nil {
		return nil, nil, err
	}
	return schema[0].Type, row[0], nil
}

// into gives the columns of the only row to variables (MySQL manual 15.2.13.1).
func (e *Engine) into(ctx *sql.Context, names []string, schema sql.Schema, rows sql.RowIter) (err error) {
	defer func() {
		if e := rows.Close(ctx); err == nil {
			err = e
		}
	}()
	row, err := rows.Next(ctx)
	if errors.Is(err, io.EOF) {
		ctx.Session.Warn(&sql.Warning{Level: "Warning", Code: 1329, Message: "No data - zero rows fetched, selected, or processed"})
		return nil
	}
	for i := 0; err == nil && i < len(names); i++ {
		err = e.assignValue(ctx, names[i], schema[i].Type, row[i])
	}
	if err != nil {
		return err
	}
	if _, err = rows.Next(ctx); err == nil {
		return functions.Errorf(1172, "Result consisted of more than one row")
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return err
}

// assignValue gives a variable one of the types it can have (MySQL manual 11.4):
// whole numbers, decimals, doubles, text.
func (e *Engine) assignValue(ctx *sql.Context, name string, t sql.Type, v any) error {
	if v == nil {
		return ctx.SetUserVariable(ctx, name, nil, types.Null)
	}
	cell, err := t.SQL(ctx, nil, v)
	if err != nil {
		return err
	}
	text := cell.ToString()
	switch {
	case types.IsInteger(t):
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			return ctx.SetUserVariable(ctx, name, n, types.Int64)
		}
	case types.IsFloat(t):
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return ctx.SetUserVariable(ctx, name, f, types.Float64)
		}
	case types.IsDecimal(t):
		return ctx.SetUserVariable(ctx, name, DecimalValue(text), t)
	}
	if _, fraction, ok := strings.Cut(text, "."); ok && (types.IsTimespan(t) || types.IsTime(t)) {
		text += strings.Repeat("0", max(0, 6-len(fraction)))
	}
	return ctx.SetUserVariable(ctx, name, text, types.LongText)
}
