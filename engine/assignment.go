package engine

import (
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"vitess.io/vitess/go/vt/sqlparser"
)

// SET @since = (SELECT MIN(ts) FROM …): variables that take a value of the
// archive, which go-mysql-server has no rows of.

// asks tells whether a SET is of user variables alone, and asks for rows.
func asks(s *sqlparser.Set) bool {
	subquery := false
	for _, x := range s.Exprs {
		if x.Var.Scope != sqlparser.VariableScope {
			return false
		}
		_ = sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
			_, is := n.(*sqlparser.Subquery)
			subquery = subquery || is
			return !subquery, nil
		}, x.Expr)
	}
	return subquery
}

// assign runs such a SET, one variable after the other: a later one may use an
// earlier one.
func (e *Engine) assign(ctx *sql.Context, s *sqlparser.Set, params Parameters) error {
	for _, x := range s.Exprs {
		schema, rows, handled, err := e.Answer(ctx, "SELECT "+sqlparser.String(x.Expr), params)
		if err != nil {
			return err
		}
		if !handled {
			return userError("a variable can't take this value")
		}
		row, err := rows.Next(ctx)
		if err != nil && !errors.Is(err, io.EOF) {
			rows.Close(ctx)
			return err
		}
		if err := rows.Close(ctx); err != nil {
			return err
		}
		if err := e.assignValue(ctx, x.Var.Name.Lowered(), schema[0].Type, row[0]); err != nil {
			return err
		}
	}
	return nil
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
