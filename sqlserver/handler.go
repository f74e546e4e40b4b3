package sqlserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine"
)

// handler answers the commands of all connections. The wire library calls it
// from one goroutine per connection, one command at a time.
//
// It replaces go-mysql-server's own handler, which keeps every result in
// memory until its end, looks at a client's socket every five seconds and not
// at all under TLS, and gives most errors the number 1105.
type handler struct {
	engine   *sqle.Engine
	backend  Backend
	sessions *server.SessionManager
	limit    time.Duration
	log      *slog.Logger
	running  sync.WaitGroup // statements, so that Close returns after the last
}

var _ mysql.Handler = (*handler)(nil)

// NewConnection implements mysql.Handler.
func (h *handler) NewConnection(c *mysql.Conn) { h.sessions.AddConn(c) }

// ConnectionClosed implements mysql.Handler. The wire closes the socket
// itself only after this.
func (h *handler) ConnectionClosed(c *mysql.Conn) {
	h.engine.CloseSession(c.ConnectionID)
	h.sessions.RemoveConn(c)
}

// ConnectionAborted implements mysql.Handler.
func (h *handler) ConnectionAborted(c *mysql.Conn, reason string) error {
	h.log.Warn("login failed", "client", c.RemoteAddr().String(), "reason", reason)
	return nil
}

// ComInitDB implements mysql.Handler.
func (h *handler) ComInitDB(c *mysql.Conn, schema string) error {
	if err := h.sessions.SetDB(context.Background(), c, schema); err != nil {
		return sqlError(err)
	}
	return nil
}

// ComResetConnection makes a new session and keeps the selected schema.
func (h *handler) ComResetConnection(c *mysql.Conn) error {
	ctx := context.Background()
	schema := ""
	if s, err := h.sessions.NewContextWithQuery(ctx, c, ""); err == nil {
		schema = s.GetCurrentDatabase()
	}
	h.engine.CloseSession(c.ConnectionID)
	if err := h.sessions.NewSession(ctx, c); err != nil {
		return sqlError(err)
	}
	if err := h.sessions.SetDB(ctx, c, schema); err != nil {
		return sqlError(err)
	}
	return nil
}

// ParserOptionsForConnection implements mysql.Handler.
func (h *handler) ParserOptionsForConnection(c *mysql.Conn) (sqlparser.ParserOptions, error) {
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	if err != nil {
		return sqlparser.ParserOptions{}, err
	}
	return sql.LoadSqlMode(ctx).ParserOptions(), nil
}

// WarningCount implements mysql.Handler.
func (h *handler) WarningCount(c *mysql.Conn) uint16 {
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	if err != nil {
		return 0
	}
	return ctx.Session.WarningCount()
}

// ComQuery implements mysql.Handler.
func (h *handler) ComQuery(ctx context.Context, c *mysql.Conn, query string, send mysql.ResultSpoolFn) error {
	_, err := h.run(ctx, c, &statement{text: query}, send)
	return err
}

// ComMultiQuery answers the first of several statements and returns the rest.
func (h *handler) ComMultiQuery(ctx context.Context, c *mysql.Conn, query string, send mysql.ResultSpoolFn) (string, error) {
	return h.run(ctx, c, &statement{text: query, multi: true}, send)
}

// ComPrepare implements mysql.Handler.
func (h *handler) ComPrepare(ctx context.Context, c *mysql.Conn, query string, prepare *mysql.PrepareData) (fields []*querypb.Field, err error) {
	if own := commandsOf(c); own != nil {
		query = own.preparing
		own.preparing = ""
	}
	prepare.PrepareStmt = query
	defer func() {
		if err != nil {
			delete(c.PrepareData, prepare.StatementID)
		}
	}()
	if n := engine.CountParameters(query); n > maxParameters {
		return nil, newError(1390, "HY000", "Prepared statement contains too many placeholders")
	}
	if len(c.PrepareData) > maxStatements {
		return nil, newError(1461, "42000", fmt.Sprintf("Can't create more than max_prepared_stmt_count statements (current value: %d)", maxStatements))
	}
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic while preparing", "panic", v, "stack", string(debug.Stack()))
			err = sqlError(panicError(v))
		}
	}()
	sqlCtx, stop, err := h.begin(ctx, c, query)
	if err != nil {
		return nil, sqlError(err)
	}
	defer stop()
	schema, handled, err := h.backend.Prepare(sqlCtx, query)
	if err != nil {
		return nil, sqlError(ended(sqlCtx, err))
	}
	if handled {
		return schemaFields(sqlCtx, schema), nil
	}
	// What is prepared is run as it was prepared: it is judged here.
	if _, _, err := h.parse(sqlCtx, &statement{text: query}); err != nil {
		return nil, sqlError(err)
	}
	plan, err := h.engine.PrepareQuery(sqlCtx, query)
	if err != nil {
		return nil, sqlError(ended(sqlCtx, err))
	}
	if types.IsOkResultSchema(plan.Schema()) {
		return nil, nil
	}
	return schemaFields(sqlCtx, plan.Schema()), nil
}

// maxStatements bounds the prepared statements of a connection.
const maxStatements = 16382

// ComStmtExecute implements mysql.Handler.
func (h *handler) ComStmtExecute(ctx context.Context, c *mysql.Conn, prepare *mysql.PrepareData, send func(*sqltypes.Result) error) error {
	own := commandsOf(c)
	cursor := own != nil && own.cursor
	_, err := h.run(ctx, c, &statement{text: prepare.PrepareStmt, prepared: true, cursor: cursor, values: prepare.BindVars, types: prepare.ParamsType},
		func(r *sqltypes.Result, _ bool) error { return send(r) })
	if err != nil && cursor {
		own.failure = sqlError(err)
	}
	return err
}

// statement is one request to run.
type statement struct {
	text     string
	multi    bool // more may follow in the same text
	prepared bool
	cursor   bool // the rows are fetched later, by other commands
	values   map[string]*querypb.BindVariable
	types    []int32 // of the values, as the client sent them
}

// begin makes the context of a statement: of the connection's session, listed
// as a process, and cancelled when the client is gone. stop must be called.
func (h *handler) begin(ctx context.Context, c *mysql.Conn, query string) (_ *sql.Context, stop func(), err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	sqlCtx, err := h.sessions.NewContextWithQuery(ctx, c, query)
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	sqlCtx.ProcessList = ownProcesses{sqlCtx.ProcessList, sqlCtx.Session.Client().User}
	begun, err := sqlCtx.ProcessList.BeginQuery(sqlCtx, query)
	if err == nil {
		sqlCtx = begun
		if err = sql.SessionCommandBegin(sqlCtx.Session); err != nil {
			sqlCtx.ProcessList.EndQuery(sqlCtx)
		}
	}
	if err != nil {
		cancel(nil)
		return nil, nil, err
	}
	if limit := h.timeLimit(sqlCtx, query); limit > 0 {
		timer := time.AfterFunc(limit, func() { cancel(errTimeLimit) })
		defer func() { end := stop; stop = func() { timer.Stop(); end() } }()
	}
	h.running.Add(1)
	go watch(ctx, rawConn(c), cancel)
	return sqlCtx, func() {
		sql.SessionCommandEnd(sqlCtx.Session)
		sqlCtx.ProcessList.EndQuery(sqlCtx)
		cancel(nil)
		h.running.Done()
	}, nil
}

// watch cancels a statement whose client has closed the connection. Clients
// such as Grafana and every Go program cancel by closing, never by KILL.
func watch(ctx context.Context, c *conn, cancel context.CancelCauseFunc) {
	if c == nil {
		return
	}
	tick := time.NewTicker(pollTime)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if c.gone() {
				cancel(errClientGone)
				return
			}
		}
	}
}

var timeHint = regexp.MustCompile(`(?i)^\s*SELECT\s*/\*\+[^*]*\bMAX_EXECUTION_TIME\s*\(\s*(\d{1,10})\s*\)`)

// timeLimit is the shortest of the server's limit, the session's and the
// statement's hint; 0 for none.
func (h *handler) timeLimit(ctx *sql.Context, query string) time.Duration {
	limit := h.limit
	shorten := func(ms int64) {
		if d := time.Duration(ms) * time.Millisecond; ms > 0 && (limit == 0 || d < limit) {
			limit = d
		}
	}
	if v, err := ctx.GetSessionVariable(ctx, "max_execution_time"); err == nil {
		if ms, ok := v.(int64); ok {
			shorten(ms)
		}
	}
	if m := timeHint.FindStringSubmatch(query); m != nil {
		ms, _ := strconv.ParseInt(m[1], 10, 64)
		shorten(ms)
	}
	return limit
}

// run executes one statement and sends its result.
func (h *handler) run(ctx context.Context, c *mysql.Conn, st *statement, send mysql.ResultSpoolFn) (rest string, err error) {
	started := time.Now()
	sqlCtx, stop, err := h.begin(ctx, c, st.text)
	if err != nil {
		return "", sqlError(err)
	}
	st.text = decoded(sqlCtx, st.text)
	out := &spooler{ctx: sqlCtx, reuse: !st.cursor}
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic while answering", "panic", v, "stack", string(debug.Stack()))
			err = panicError(v)
		}
		if err != nil {
			known := sqlError(err)
			h.log.Debug("statement failed", "connection", c.ConnectionID, "number", known.Num, "error", known.Message)
			if out.sent && !st.cursor {
				sendError(c, known)
			}
			err = known
		}
		h.log.Debug("statement", "connection", c.ConnectionID, "rows", out.total, "duration", time.Since(started))
		stop()
	}()

	if st.multi {
		st.text, rest = firstStatement(st.text)
	}
	st.text = withCollation(st.text)
	params, err := st.parameters()
	if err != nil {
		return "", err
	}
	schema, iter, handled, err := h.backend.Answer(sqlCtx, st.text, params)
	if err != nil {
		return "", ended(sqlCtx, err)
	}
	if handled {
		if iter == nil {
			return rest, send(&sqltypes.Result{}, rest != "")
		}
		return rest, out.result(schema, iter, func(r *sqltypes.Result) error {
			c.StatusFlags |= uint16(mysql.ServerStatusAutocommit)
			return send(r, rest != "")
		})
	}
	parsed, _, err := h.parse(sqlCtx, st)
	if err != nil {
		return "", err
	}
	sqlCtx.Session.ClearWarnings()
	if parsed == nil && !st.prepared {
		return rest, send(&sqltypes.Result{}, rest != "") // a comment
	}
	if kill, ok := parsed.(*sqlparser.Kill); ok {
		if err := h.kill(sqlCtx, kill); err != nil {
			return "", err
		}
		return rest, send(&sqltypes.Result{}, rest != "")
	}
	values, err := valueExprs(st.values)
	if err != nil {
		return "", err
	}
	schema, iter, _, err = h.engine.QueryWithBindings(sqlCtx, st.text, parsed, values, &sql.QueryFlags{})
	if err != nil {
		return "", ended(sqlCtx, err)
	}
	err = out.result(schema, iter, func(r *sqltypes.Result) error {
		c.StatusFlags |= uint16(mysql.ServerStatusAutocommit)
		return send(r, rest != "")
	})
	return rest, err
}

// decoded is a text in UTF-8 that came in the character set of the client.
func decoded(ctx *sql.Context, text string) string {
	v, err := ctx.GetSessionVariable(ctx, "character_set_client")
	name, ok := v.(string)
	if err != nil || !ok || strings.HasPrefix(name, "utf8") || name == "binary" {
		return text
	}
	set, err := sql.ParseCharacterSet(name)
	if err != nil || set.Encoder() == nil {
		return text
	}
	if utf8, ok := set.Encoder().Decode([]byte(text)); ok {
		return string(utf8)
	}
	return text
}

// firstStatement cuts a text after its first statement.
func firstStatement(text string) (first, rest string) {
	first, rest, err := sqlparser.SplitStatement(text)
	if err != nil || strings.TrimSpace(rest) == "" {
		return text, ""
	}
	return first, rest
}

// parameters are the values bound to a prepared statement, in order.
func (st *statement) parameters() (engine.Parameters, error) {
	if !st.prepared {
		return nil, nil
	}
	out := make(engine.Parameters, len(st.values))
	for i := range out {
		bound := st.values["v"+strconv.Itoa(i+1)]
		if bound == nil {
			continue
		}
		var typ int32
		if i < len(st.types) {
			typ = st.types[i]
		}
		v, err := parameter(bound, querypb.Type(typ))
		if err != nil {
			return nil, err
		}
		out[i] = v
	}
	return out, nil
}

// parse parses and judges text that is not prepared. A statement without words
// (a comment) stays nil.
func (h *handler) parse(ctx *sql.Context, st *statement) (parsed sqlparser.Statement, rest string, err error) {
	if st.prepared {
		return nil, "", nil
	}
	parsed, _, rest, err = h.engine.Parser.Parse(ctx, st.text, false)
	if errors.Is(err, sqlparser.ErrEmpty) {
		return nil, rest, nil
	}
	if err != nil {
		if known := sqlError(err); known.Num != mysql.ERUnknownError {
			return nil, "", known
		}
		return nil, "", newError(mysql.ERParseError, "42000", err.Error())
	}
	if err := h.allow(ctx, parsed, st.text); err != nil {
		return nil, "", err
	}
	return parsed, rest, nil
}

// valueExprs turns the values bound to a prepared statement into expressions.
func valueExprs(values map[string]*querypb.BindVariable) (map[string]sqlparser.Expr, error) {
	exprs := make(map[string]sqlparser.Expr, len(values))
	for name, bound := range values {
		v, err := sqltypes.BindVariableToValue(bound)
		if err != nil {
			return nil, err
		}
		if exprs[name], err = sqlparser.ExprFromValue(v); err != nil {
			return nil, err
		}
	}
	return exprs, nil
}

// kill ends a statement or a connection of the same user.
func (h *handler) kill(ctx *sql.Context, k *sqlparser.Kill) error {
	v, err := sqltypes.Value{}, error(nil)
	text := sqlparser.String(k.ConnID)
	if v, err = sqltypes.NewIntegral(text); err != nil {
		return newError(mysql.ERParseError, "42000", "KILL takes a connection's number, not "+text)
	}
	id, err := strconv.ParseUint(v.ToString(), 10, 32)
	if err != nil {
		return newError(mysql.ERParseError, "42000", "KILL takes a connection's number, not "+text)
	}
	for _, p := range ctx.ProcessList.Processes() {
		if p.Connection != uint32(id) {
			continue
		}
		ctx.ProcessList.Kill(p.Connection)
		if k.Connection {
			return ctx.KillConnection(p.Connection)
		}
		return nil
	}
	return newError(1094, "HY000", "Unknown thread id: "+text)
}

// ownProcesses shows a user the own connections only: statements contain what
// an investigation looks for.
type ownProcesses struct {
	sql.ProcessList
	user string
}

func (p ownProcesses) Processes() []sql.Process {
	var own []sql.Process
	for _, proc := range p.ProcessList.Processes() {
		if proc.User == p.user {
			own = append(own, proc)
		}
	}
	return own
}

func (p ownProcesses) Kill(id uint32) {
	for _, proc := range p.Processes() {
		if proc.Connection == id {
			p.ProcessList.Kill(id)
		}
	}
}
