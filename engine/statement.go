package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	gmsparser "github.com/dolthub/vitess/go/vt/sqlparser"
	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine/metadata"
	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// Who answers a statement. Queries are ours: they are compiled and run by
// DuckDB, also those without a table, and those about the server (package
// metadata). What changes the session (SET, USE, BEGIN), waits or locks is
// go-mysql-server's.

// Parameters are the values bound to a prepared statement, in order; nil for a
// statement that is not prepared.
type Parameters []any

// Values among them that Go has no type for.
type (
	DateValue    = pushdown.DateValue
	ClockValue   = pushdown.ClockValue
	DecimalValue = pushdown.DecimalValue
)

// CountParameters counts the ? of a statement.
func CountParameters(text string) int { return pushdown.CountParameters(text) }

// Restate writes a text in the grammar that everything else here reads: with the
// comments opened that MySQL runs and, if the session's sql_mode has another
// grammar, its first statement in the default one; rest is what follows that.
// changed is false when it has the default one. Where no more
// may follow, what does is a mistake for the parser to find.
func Restate(ctx *sql.Context, text string, more bool) (first, rest string, changed bool) {
	mode, _ := variable(ctx, "sql_mode").(string)
	m := pushdown.ModeOf(mode)
	if m == (pushdown.Mode{}) || len(text) > maxStatement {
		return OpenComments(text), "", false
	}
	if first, rest = m.Restate(text); strings.TrimSpace(rest) == "" {
		rest = ""
	} else if !more {
		first, rest = first+";"+rest, ""
	}
	return OpenComments(first), rest, true
}

// AsTyped is a restated text as its author wrote it.
func AsTyped(text string) string { return pushdown.AsTyped(text) }

// statement is a query of ours that is compiled.
type statement struct {
	engine *Engine
	parsed *pushdown.Statement
	plan   *pushdown.Plan
	snap   *snapshot
	params Parameters
	named  bool // names of hosts decided what it reads
}

// Split cuts a text into its statements, at semicolons outside of quotes and
// comments. What can't be cut is one.
func Split(text string) []string { return pushdown.Split(text) }

// Answer runs a statement of ours; handled is false for one of
// go-mysql-server's. A statement that is prepared comes with its parameters.
func (e *Engine) Answer(ctx *sql.Context, text string, params Parameters) (schema sql.Schema, rows sql.RowIter, handled bool, err error) {
	ctx, done := e.ceiling.begin(e.begin(ctx))
	end := func() {
		done()
		workOf(ctx).lease.Release()
	}
	schema, rows, handled, err = e.answer(ctx, text, params)
	if r, ok := rows.(interface{ source() *run }); ok {
		r.source().after = end
	} else {
		end()
	}
	return schema, rows, handled, err
}

func (e *Engine) answer(ctx *sql.Context, text string, params Parameters) (schema sql.Schema, rows sql.RowIter, handled bool, err error) {
	about, err := e.translate(ctx, text)
	if !about.Warnings && !asksForWarnings(text) {
		ctx.Session.ClearWarnings()
	}
	if err != nil {
		return nil, nil, true, err
	}
	if x, err := pushdown.ReadExplain(text); x != nil || err != nil {
		if err != nil {
			return nil, nil, true, err
		}
		return e.explain(ctx, x, params)
	}
	if about.Kind == metadata.Query {
		text = about.Text
	}
	if about.Kind == metadata.Evaluate || about.Kind == metadata.Done {
		if about.Kind == metadata.Evaluate {
			err = e.evaluate(ctx, about.Text, params)
		}
		return nil, nil, true, err
	}
	st, err := e.parse(text)
	if st == nil || err != nil {
		return nil, nil, err != nil, err
	}
	switch ast := st.AST.(type) {
	case *sqlparser.PrepareStmt:
		return nil, nil, true, e.prepareNamed(ctx, ast)
	case *sqlparser.ExecuteStmt:
		text, params, err := e.prepared(ctx, ast)
		if err != nil {
			return nil, nil, true, err
		}
		if schema, rows, handled, err = e.answer(ctx, text, params); handled {
			return schema, rows, true, err
		}
		schema, rows, _, err = e.sql.Query(ctx, text)
		return schema, rows, true, err
	case *sqlparser.DeallocateStmt:
		return nil, nil, true, e.deallocate(ctx, ast)
	case *sqlparser.Savepoint, *sqlparser.SRollback, *sqlparser.Release:
		return nil, nil, true, e.savepoint(ctx, ast)
	case *sqlparser.Begin, *sqlparser.Commit, *sqlparser.Rollback:
		if s, ok := ctx.Session.(*session); ok {
			s.savepoints = nil // they end with their transaction
		}
		return nil, nil, false, nil
	case *sqlparser.Set:
		return nil, nil, true, e.assign(ctx, ast, params)
	case *sqlparser.CallProc:
		if strings.EqualFold(ast.Name.Name.String(), "hunt") {
			text, err := e.huntText(ctx, ast, params)
			if err != nil {
				return nil, nil, true, err
			}
			return e.answer(ctx, text, nil)
		}
		return nil, nil, true, e.call(ctx, ast, params)
	}
	s, err := e.compile(ctx, st, params)
	if err != nil {
		return nil, nil, true, err
	}
	if s.plan.Parameters {
		if params == nil {
			return nil, nil, true, userError("You have an error in your SQL syntax: a ? stands for a value of a prepared statement, and this one is not prepared")
		}
		return nil, nil, true, functions.Errorf(1210, "Incorrect arguments to EXECUTE")
	}
	if n := len(st.Into); n > 0 && n != len(s.plan.Columns) {
		return nil, nil, true, functions.Errorf(1222, "The used SELECT statements have a different number of columns")
	}
	out, _, err := e.execute(ctx, s)
	if err != nil {
		return nil, nil, true, err
	}
	if schema = schemaOf(s.plan.Columns); st.Into != nil {
		return nil, nil, true, e.into(ctx, st.Into, schema, out)
	}
	return schema, out, true, nil
}

// asksForWarnings tells whether a statement is about those of the one before,
// which it must leave.
func asksForWarnings(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, "@@warning_count") || strings.Contains(lower, "@@error_count")
}

// Prepare gives the columns of a statement of ours, as far as they are known
// without its parameters.
func (e *Engine) Prepare(ctx *sql.Context, text string) (schema sql.Schema, handled bool, err error) {
	if x, err := pushdown.ReadExplain(text); x != nil || err != nil {
		if err != nil {
			return nil, true, err
		}
		return explainColumns(x), true, nil
	}
	about, err := e.translate(ctx, text)
	switch {
	case err != nil || about.Kind == metadata.Done || about.Kind == metadata.Evaluate:
		return nil, true, err
	case about.Kind == metadata.Query:
		text = about.Text
	}
	st, err := e.parse(text)
	if st == nil || err != nil {
		return nil, err != nil, err
	}
	defer e.archive.Lease().Release()
	switch st.AST.(type) {
	case *sqlparser.PrepareStmt, *sqlparser.ExecuteStmt, *sqlparser.DeallocateStmt:
		return nil, true, functions.Errorf(1295, "This command is not supported in the prepared statement protocol yet")
	case *sqlparser.Savepoint, *sqlparser.SRollback, *sqlparser.Release, *sqlparser.Set, *sqlparser.CallProc:
		return nil, true, nil
	case *sqlparser.Begin, *sqlparser.Commit, *sqlparser.Rollback:
		return nil, false, nil
	}
	s, err := e.compileFor(ctx, st, nil, true)
	if err != nil || st.Into != nil {
		return nil, true, err
	}
	return schemaOf(s.plan.Columns), true, nil
}

// translate reads a statement that is about the server.
func (e *Engine) translate(ctx *sql.Context, text string) (metadata.Statement, error) {
	if err := checkText(text); err != nil {
		return metadata.Statement{}, err
	}
	return metadata.Translate(text, serverView{ctx, e})
}

// evaluate runs a query whose rows nobody wants.
func (e *Engine) evaluate(ctx *sql.Context, text string, params Parameters) error {
	_, rows, handled, err := e.Answer(ctx, text, params)
	if err == nil && !handled {
		_, rows, _, err = e.sql.Query(ctx, text)
	}
	if err != nil {
		return err
	}
	_, err = sql.RowIterToRows(ctx, rows)
	return err
}

// parse reads a statement; nil without an error when it is go-mysql-server's.
func (e *Engine) parse(text string) (*pushdown.Statement, error) {
	st, err := pushdown.Parse(text)
	if err != nil {
		// What only the other grammar knows is no query of rows.
		theirs, gmsErr := e.sql.Parser.ParseSimple(text)
		if gmsErr == nil && !isQuery(theirs) {
			return nil, nil
		}
		if errors.Is(gmsErr, gmsparser.ErrEmpty) {
			return nil, nil
		}
		return nil, err
	}
	switch ast := st.AST.(type) {
	case sqlparser.TableStatement:
		if theirs(ast) {
			return nil, nil
		}
		return st, nil
	case *sqlparser.PrepareStmt, *sqlparser.ExecuteStmt, *sqlparser.DeallocateStmt,
		*sqlparser.Savepoint, *sqlparser.SRollback, *sqlparser.Release, *sqlparser.Begin, *sqlparser.Commit, *sqlparser.Rollback, *sqlparser.CallProc,
		*sqlparser.Set:
		return st, nil
	}
	return nil, nil
}

func isQuery(st gmsparser.Statement) bool {
	switch st := st.(type) {
	case *gmsparser.Select, *gmsparser.SetOp, *gmsparser.ParenSelect:
		return true
	case *gmsparser.Explain:
		return isQuery(st.Statement)
	}
	return false
}

// theirs tells whether a query waits or locks, and reads no table.
func theirs(st sqlparser.SQLNode) bool {
	reads, special := false, false
	_ = sqlparser.Walk(func(n sqlparser.SQLNode) (bool, error) {
		switch n := n.(type) {
		case *sqlparser.AliasedTableExpr:
			t, ok := n.Expr.(sqlparser.TableName)
			reads = reads || ok && !(t.Qualifier.IsEmpty() && strings.EqualFold(t.Name.String(), "dual"))
		case *sqlparser.LockingFunc:
			special = true
		case *sqlparser.FuncExpr:
			special = special || serverFunctions[n.Name.Lowered()]
		}
		return true, nil
	}, st)
	return special && !reads
}

// serverFunctions do something to the connection or the server.
var serverFunctions = map[string]bool{"sleep": true, "get_lock": true, "release_lock": true, "is_free_lock": true, "is_used_lock": true,
	"release_all_locks": true}

// compile translates a statement over the archive as it is now.
func (e *Engine) compile(ctx *sql.Context, st *pushdown.Statement, params Parameters) (*statement, error) {
	return e.compileFor(ctx, st, params, false)
}

func (e *Engine) compileFor(ctx *sql.Context, st *pushdown.Statement, params Parameters, preparing bool) (*statement, error) {
	for {
		snap, err := e.snapshot(ctx)
		if err != nil {
			return nil, err
		}
		s, err := e.compileOver(ctx, st, params, preparing, snap)
		if err == nil || !e.archive.LeaveOut(err) {
			return s, err
		}
	}
}

func (e *Engine) compileOver(ctx *sql.Context, st *pushdown.Statement, params Parameters, preparing bool, snap *snapshot) (*statement, error) {
	named := false
	var failed error
	env := snap.env(ctx, &named, &failed)
	env.Session = newQuerySession(ctx, e, params, preparing)
	env.Plain = pushdownOff(ctx)
	var plan *pushdown.Plan
	var err error
	if left := apart(ctx, func() { behind(workOf(ctx).much, func() { plan, err = pushdown.Compile(ctx, st, env) }) }); left != nil {
		return nil, context.Cause(ctx)
	}
	if err = cmp.Or(failed, err); err != nil {
		return nil, err
	}
	return &statement{engine: e, parsed: st, plan: plan, snap: snap, params: params, named: named}, nil
}

// schemaOf describes results to the wire.
func schemaOf(columns []pushdown.Column) sql.Schema {
	out := make(sql.Schema, len(columns))
	for i, c := range columns {
		out[i] = &sql.Column{Name: c.Name, Type: functions.SQLType(c.Type), Nullable: c.Nullable, Source: c.Table, DatabaseSource: c.Schema}
	}
	return out
}

// maxPrepared bounds the statements a session may prepare by name.
const maxPrepared = 1000

// prepareNamed keeps a statement under a name: PREPARE name FROM 'text'.
func (e *Engine) prepareNamed(ctx *sql.Context, p *sqlparser.PrepareStmt) error {
	s, ok := ctx.Session.(*session)
	if !ok {
		return userError("this session can't prepare statements by name")
	}
	text := ""
	switch x := p.Statement.(type) {
	case *sqlparser.Literal:
		text = x.Val
	case *sqlparser.Variable:
		_, v, err := ctx.GetUserVariable(ctx, x.Name.Lowered())
		if err != nil {
			return err
		}
		if text = fmt.Sprint(v); v == nil {
			text = "NULL"
		}
	default:
		return userError("PREPARE takes a text")
	}
	if strings.TrimSpace(text) == "" {
		return functions.Errorf(1065, "Query was empty")
	}
	text, _, _ = Restate(ctx, text, false)
	if len(s.prepared) >= maxPrepared {
		return userError("more than %d prepared statements: DEALLOCATE PREPARE some", maxPrepared)
	}
	if _, handled, err := e.Prepare(ctx, text); err != nil {
		return err
	} else if !handled {
		if err := e.mayRun(ctx, text); err != nil {
			return err
		}
	}
	if err := s.hold(len(text) - len(s.prepared[p.Name.Lowered()])); err != nil {
		return err
	}
	if s.prepared == nil {
		s.prepared = map[string]string{}
	}
	s.prepared[p.Name.Lowered()] = text
	return nil
}

// mayRun lets a named statement of go-mysql-server's through if it only shows
// something.
func (e *Engine) mayRun(ctx *sql.Context, text string) error {
	st, err := e.sql.Parser.ParseSimple(text)
	if err != nil {
		return err
	}
	switch st.(type) {
	case *gmsparser.Show, *gmsparser.Select, *gmsparser.SetOp, *gmsparser.ParenSelect:
		return nil
	}
	return userError("only questions can be prepared by name")
}

// prepared finds a statement kept under a name, and its parameters.
func (e *Engine) prepared(ctx *sql.Context, x *sqlparser.ExecuteStmt) (string, Parameters, error) {
	s, ok := ctx.Session.(*session)
	if !ok || s.prepared[x.Name.Lowered()] == "" {
		return "", nil, functions.Errorf(1243, "Unknown prepared statement handler (%s) given to EXECUTE", x.Name.String())
	}
	params := Parameters{}
	for _, v := range x.Arguments {
		_, value, err := ctx.GetUserVariable(ctx, v.Name.Lowered())
		if err != nil {
			return "", nil, err
		}
		params = append(params, value)
	}
	return s.prepared[x.Name.Lowered()], params, nil
}

// TimeHint is what the hint of a statement, or of the one it executes, lets it
// take; 0 for none.
func (e *Engine) TimeHint(ctx *sql.Context, text string) time.Duration {
	if s, ok := ctx.Session.(*session); ok {
		if name := pushdown.Executed(text); name != "" {
			text = s.prepared[name]
		}
	}
	return pushdown.TimeHint(text)
}

// limited are the statements that the session's max_execution_time is about:
// those that read rows. SHOW WARNINGS must be able to tell of the one before, and
// SET to lift the limit.
var limited = regexp.MustCompile(`(?is)^(\s|\(|/\*.*?\*/|--[^\n]*\n|#[^\n]*\n)*(SELECT|WITH|TABLE|VALUES|EXECUTE|EXPLAIN|DESC|DESCRIBE|DO|CALL|(SET|SHOW)\b.*\(\s*(SELECT|WITH|TABLE|VALUES))\b`)

// TimeLimit is what a statement's hint, or else its session, lets it take; 0 for as
// long as the server does.
func TimeLimit(ctx *sql.Context, text string, hint time.Duration) time.Duration {
	if hint > 0 || !limited.MatchString(text) {
		return hint
	}
	ms, _ := variable(ctx, "max_execution_time").(int64)
	return time.Duration(ms) * time.Millisecond
}

// ErrTimeLimit is what ends a statement that took longer than it may.
var ErrTimeLimit = functions.Errorf(3024, "Query execution was interrupted, maximum statement execution time exceeded")

func (e *Engine) deallocate(ctx *sql.Context, d *sqlparser.DeallocateStmt) error {
	s, ok := ctx.Session.(*session)
	if !ok || s.prepared[d.Name.Lowered()] == "" {
		return functions.Errorf(1243, "Unknown prepared statement handler (%s) given to DEALLOCATE PREPARE", d.Name.String())
	}
	s.held -= len(s.prepared[d.Name.Lowered()])
	delete(s.prepared, d.Name.Lowered())
	return nil
}
