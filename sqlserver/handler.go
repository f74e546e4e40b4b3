package sqlserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/engine"
)

// handler answers the commands of all connections. The wire library calls it
// from one goroutine per connection, one command at a time.
type handler struct {
	engine   *sqle.Engine
	backend  Backend
	sessions *server.SessionManager
	accounts *accounts
	limit    time.Duration
	// maxRequest is how many bytes a request may have.
	maxRequest int
	log        *slog.Logger
	started    time.Time
	asked      atomic.Int64    // statements
	running    sync.WaitGroup  // statements, so that Close returns after the last
	ending     context.Context // ends with the server
}

func (h *handler) connectionClosed(c *mysql.Conn) {
	h.engine.CloseSession(c.ConnectionID)
	h.sessions.RemoveConn(c)
}

// initDB selects a schema; "" for none.
func (h *handler) initDB(c *mysql.Conn, schema string) error {
	if err := h.sessions.SetDB(context.Background(), c, schema); err != nil {
		return sqlError(err)
	}
	return nil
}

// knows tells whether a schema can be selected.
func (h *handler) knows(c *mysql.Conn, schema string) error {
	if schema == "" {
		return nil
	}
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	if err == nil {
		_, err = h.engine.Analyzer.Catalog.Database(ctx, schema)
	}
	if err != nil {
		return sqlError(err)
	}
	return nil
}

// newSession makes a new session of a connection.
func (h *handler) newSession(c *mysql.Conn, schema string) error {
	h.engine.CloseSession(c.ConnectionID)
	if err := h.sessions.NewSession(context.Background(), c); err != nil {
		return sqlError(err)
	}
	return h.initDB(c, schema)
}

// greet makes the session of somebody who has logged in, in the character set
// that the client named: as after SET NAMES, but that all of Unicode are one.
func (h *handler) greet(c *mysql.Conn, schema string) error {
	if err := h.newSession(c, schema); err != nil {
		return err
	}
	if c.CharacterSet == 0 || c.CharacterSet == 255 {
		return nil
	}
	set := sql.CollationID(c.CharacterSet).CharacterSet()
	switch set {
	case sql.CharacterSet_utf8mb4, sql.CharacterSet_utf8mb3, sql.CharacterSet_binary, sql.CharacterSet_Unspecified,
		sql.CharacterSet_ucs2, sql.CharacterSet_utf16, sql.CharacterSet_utf16le, sql.CharacterSet_utf32:
		return nil // those below can't be a client's, and are not in MySQL either
	}
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	if err != nil {
		return sqlError(err)
	}
	for _, name := range []string{"character_set_client", "character_set_connection", "character_set_results"} {
		if err := ctx.SetSessionVariable(ctx, name, set.Name()); err != nil {
			return sqlError(err)
		}
	}
	return nil
}

// reset makes a new session and keeps the selected schema.
func (h *handler) reset(c *mysql.Conn) error {
	schema := ""
	if s, err := h.sessions.NewContextWithQuery(context.Background(), c, ""); err == nil {
		schema = s.GetCurrentDatabase()
	}
	return h.newSession(c, schema)
}

// patience is how long a session waits for a client's next command, and for each
// piece of one.
func (h *handler) patience(c *mysql.Conn) (command, piece time.Duration) {
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	seconds := func(name string) time.Duration {
		n := int64(1)
		if err == nil {
			v, _ := ctx.GetSessionVariable(ctx, name)
			n, _ = v.(int64)
		}
		return time.Duration(min(max(n, 1), math.MaxInt32)) * time.Second
	}
	return seconds("wait_timeout"), seconds("net_read_timeout")
}

// warningCount is what the end of a result tells of warnings.
func (h *handler) warningCount(c *mysql.Conn) uint16 {
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	if err != nil {
		return 0
	}
	return ctx.Session.WarningCount()
}

// statistics is the line that COM_STATISTICS answers.
func (h *handler) statistics(c *mysql.Conn) string {
	up, asked := int64(time.Since(h.started)/time.Second), h.asked.Load()
	threads := 0
	if ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, ""); err == nil {
		threads = len(ctx.ProcessList.Processes())
	}
	return fmt.Sprintf("Uptime: %d  Threads: %d  Questions: %d  Slow queries: 0  Opens: 0  Flush tables: 0  Open tables: 0  Queries per second avg: %.3f",
		up, threads, asked, float64(asked)/float64(max(up, 1)))
}

// prepare describes a statement's columns; it gives the text in UTF-8.
func (h *handler) prepare(ctx context.Context, c *mysql.Conn, text string) (_ string, fields []*querypb.Field, err error) {
	if decode := h.decoder(c); decode != nil {
		text = decode(text)
	}
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic while preparing", "panic", v, "stack", string(debug.Stack()))
			err = sqlError(panicError(v))
		}
	}()
	sqlCtx, stop, err := h.begin(ctx, c, text)
	if err != nil {
		return "", nil, sqlError(err)
	}
	defer stop()
	started := time.Now()
	defer func() {
		if err != nil { // what can be prepared is told of when it runs
			h.backend.Log(sqlCtx, logged(text, started, 0, err))
			sqlCtx.Session.ClearWarnings()
			keep(sqlCtx, err)
		}
	}()
	text, _, _ = engine.Restate(sqlCtx, text, false)
	if n := engine.CountParameters(text); n > maxParameters {
		return "", nil, newError(1390, "Prepared statement contains too many placeholders")
	}
	if kills.MatchString(text) {
		return text, nil, nil
	}
	schema, handled, err := h.backend.Prepare(sqlCtx, text)
	if err != nil {
		return "", nil, sqlError(ended(sqlCtx, err))
	}
	if handled {
		return text, schemaFields(sqlCtx, schema), nil
	}
	// What is prepared is run as it was prepared: it is judged here.
	if _, _, err := h.parse(sqlCtx, &statement{text: text}); err != nil {
		return "", nil, sqlError(err)
	}
	plan, err := h.engine.PrepareQuery(sqlCtx, text)
	if err != nil {
		return "", nil, sqlError(ended(sqlCtx, err))
	}
	if types.IsOkResultSchema(plan.Schema()) {
		return text, nil, nil
	}
	return text, schemaFields(sqlCtx, plan.Schema()), nil
}

// statement is one request to run.
type statement struct {
	text     string
	multi    bool // more may follow in the same text
	prepared bool
	params   engine.Parameters
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
		timer := time.AfterFunc(limit, func() { cancel(engine.ErrTimeLimit) })
		defer func() { end := stop; stop = func() { timer.Stop(); end() } }()
	}
	h.running.Add(1)
	raw := rawConn(c)
	ends := context.AfterFunc(h.ending, func() { cancel(context.Cause(h.ending)) })
	// A client that does not read must not hold what was ended. The process
	// list's context is what KILL QUERY cancels.
	number := raw.statement()
	hurries := context.AfterFunc(sqlCtx, func() { raw.hurry(number) })
	go watch(ctx, raw, cancel)
	return sqlCtx, func() {
		ends()
		hurries()
		raw.statement()
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

// timeLimit is what the statement's hint or else the session gives it, but not
// more than the server does; 0 for none.
func (h *handler) timeLimit(ctx *sql.Context, query string) time.Duration {
	limit := engine.TimeLimit(ctx, query, h.backend.TimeHint(ctx, query))
	if limit <= 0 || h.limit > 0 && h.limit < limit {
		return h.limit
	}
	return limit
}

// run executes one statement and sends its result.
func (h *handler) run(ctx context.Context, c *mysql.Conn, st *statement, to destination) (rest string, err error) {
	started := time.Now()
	sqlCtx, stop, err := h.begin(ctx, c, st.text)
	if err != nil {
		return "", sqlError(err)
	}
	h.asked.Add(1)
	sql.IncrementStatusVariable(sqlCtx, "Questions", 1)
	sql.IncrementStatusVariable(sqlCtx, "Queries", 1)
	if decode := decoderOf(sqlCtx); decode != nil && !st.prepared {
		st.text = decode(st.text)
	}
	out := &spooler{ctx: sqlCtx, to: to}
	defer func() {
		if v := recover(); v != nil {
			h.log.Error("panic while answering", "panic", v, "stack", string(debug.Stack()))
			err = panicError(v)
		}
		if err != nil {
			known := sqlError(err)
			h.log.Debug("statement failed", "connection", c.ConnectionID, "number", known.Number, "error", known.Message)
			err = known
		}
		h.log.Debug("statement", "connection", c.ConnectionID, "rows", out.total, "duration", time.Since(started))
		h.backend.Log(sqlCtx, logged(st.text, started, out.total, err))
		keep(sqlCtx, err)
		c.StatusFlags = status(sqlCtx)
		stop()
	}()

	restated := false
	if !st.prepared {
		st.text, rest, restated = engine.Restate(sqlCtx, st.text, st.multi)
	}
	if st.multi && !restated {
		st.text, rest = firstStatement(st.text)
	}
	if st.text, err = inTheirGrammar(st.text); err != nil {
		return "", err
	}
	if kill := kills.FindStringSubmatch(st.text); kill != nil {
		sqlCtx.Session.ClearWarnings()
		return rest, h.kill(sqlCtx, !strings.EqualFold(kill[1], "query"), kill[2], st.params)
	}
	schema, iter, handled, err := h.backend.Answer(sqlCtx, st.text, st.params)
	if err != nil {
		return "", ended(sqlCtx, err)
	}
	if handled {
		if iter == nil {
			return rest, nil
		}
		return rest, out.result(schema, iter)
	}
	parsed, _, err := h.parse(sqlCtx, st)
	if err != nil {
		return "", err
	}
	if parsed == nil && !st.prepared {
		return rest, nil // a comment
	}
	values, err := expressions(st.params)
	if err != nil {
		return "", err
	}
	schema, iter, _, err = h.engine.QueryWithBindings(sqlCtx, st.text, parsed, values, &sql.QueryFlags{})
	if err != nil {
		return "", ended(sqlCtx, err)
	}
	return rest, out.result(schema, iter)
}

// keep makes the error of a statement one that SHOW ERRORS tells of.
func keep(ctx *sql.Context, err error) {
	if known := sqlError(err); known != nil {
		ctx.Session.Warn(&sql.Warning{Level: "Error", Code: known.Number, Message: known.Message})
	}
}

// logged is a statement that is over, for the log of them.
func logged(text string, started time.Time, rows int, err error) engine.Logged {
	l := engine.Logged{Start: started, Duration: time.Since(started), Text: engine.AsTyped(text), Rows: rows}
	if err != nil {
		l.Error = sqlError(err).Number
		l.Cancelled = l.Error == 1317 || l.Error == 3024
	}
	return l
}

// status is what the ends of results tell of a session.
func status(ctx *sql.Context) uint16 {
	flags := uint16(0)
	if on, err := plan.IsSessionAutocommit(ctx); err != nil || on {
		flags |= uint16(mysql.ServerStatusAutocommit)
	}
	if ctx.GetIgnoreAutoCommit() {
		flags |= inTransaction
	}
	if sql.LoadSqlMode(ctx).ModeEnabled("NO_BACKSLASH_ESCAPES") {
		flags |= noBackslashEscapes
	}
	return flags
}

// Flags that vitess has no names for. By the last clients know how to quote.
const (
	inTransaction      = 1 << 0
	noBackslashEscapes = 1 << 9
)

// decoder makes UTF-8 of a text that comes in the character set of a client;
// nil if it is.
func (h *handler) decoder(c *mysql.Conn) func(string) string {
	ctx, err := h.sessions.NewContextWithQuery(context.Background(), c, "")
	if err != nil {
		return nil
	}
	return decoderOf(ctx)
}

func decoderOf(ctx *sql.Context) func(string) string {
	v, err := ctx.GetSessionVariable(ctx, "character_set_client")
	name, ok := v.(string)
	if err != nil || !ok || strings.HasPrefix(name, "utf8") || name == "binary" {
		return nil
	}
	set, err := sql.ParseCharacterSet(name)
	if err != nil || set.Encoder() == nil {
		return nil
	}
	return func(text string) string {
		if utf8, ok := set.Encoder().Decode([]byte(text)); ok {
			return string(utf8)
		}
		return text
	}
}

// firstStatement cuts a text after its first statement.
func firstStatement(text string) (first, rest string) {
	first, rest, err := sqlparser.SplitStatement(text)
	if err != nil || strings.TrimSpace(rest) == "" {
		return text, ""
	}
	return first, rest
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
		if known := sqlError(err); known.Number != 1105 {
			return nil, "", known
		}
		return nil, "", newError(1064, err.Error())
	}
	if err := engine.Allow(h.engine.Parser, parsed, st.text); err != nil {
		return nil, "", err
	}
	return parsed, rest, nil
}

// kills reads KILL: what is ended, and the expression of its number.
var kills = regexp.MustCompile(`(?is)^(?:\s|/\*.*?\*/|--[^\n]*\n|#[^\n]*\n)*KILL\s+(?:(CONNECTION|QUERY)\s+)?(.+?)[\s;]*$`)

// kill ends a statement or a connection of the same user. One's own statement
// ends too: it is this one.
func (h *handler) kill(ctx *sql.Context, connection bool, expression string, params engine.Parameters) error {
	text := expression
	if _, err := strconv.ParseUint(text, 10, 64); err != nil {
		if text, err = h.value(ctx, expression, params); err != nil {
			return err
		}
	}
	id, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return newError(1094, "Unknown thread id: "+text)
	}
	for _, p := range ctx.ProcessList.Processes() {
		switch {
		case p.Connection != uint32(id):
		case p.Connection != ctx.Session.ID():
			ctx.ProcessList.Kill(p.Connection)
			if connection {
				return ctx.KillConnection(p.Connection)
			}
			return nil
		case connection:
			return errKilled
		default:
			return newError(1317, "Query execution was interrupted")
		}
	}
	return newError(1094, "Unknown thread id: "+text)
}

// value is what an expression comes to, as text.
func (h *handler) value(ctx *sql.Context, expression string, params engine.Parameters) (string, error) {
	schema, rows, handled, err := h.backend.Answer(ctx, "SELECT "+expression, params)
	if err != nil {
		return "", err
	}
	if !handled {
		return "", newError(1064, "KILL takes a connection's number, not "+expression)
	}
	defer rows.Close(ctx)
	row, err := rows.Next(ctx)
	if err != nil || len(row) != 1 || row[0] == nil {
		return "NULL", nil
	}
	v, err := schema[0].Type.SQL(ctx, nil, row[0])
	return v.ToString(), err
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
