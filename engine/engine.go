package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/engine/standing"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// Config is the engine's settings.
type Config struct {
	MemoryLimit     int64    `key:"memory-limit" doc:"bytes of memory the process may hold; 0 means 60 % of the machine's, or of the control group's"`
	Threads         int      `key:"threads" doc:"threads per query; 0 means one per core"`
	SpillDirectory  string   `key:"spill-directory" doc:"where large intermediate results go; empty means the system's temporary directory"`
	PacketScanLimit int64    `key:"packet-scan-limit" doc:"bytes of packets a statement may read; sessions may SET wiresql_packet_scan_limit"`
	Table           []string `key:"table" doc:"files of CSV to read as tables: name=file.csv; the first line names the columns"`
	Hunts           string   `key:"hunts" doc:"directory of saved hunts (NAME.sql) beside those that are shipped; it is read again when a file changes"`
	MaxStatements   int      `key:"max-statements" doc:"statements of one account at a time; the next wait"`
	MaxRows         int64    `key:"max-rows" doc:"rows of one result (error 1226); 0 for no limit"`
	MaxBytes        int64    `key:"max-bytes" doc:"bytes of row files that one statement reads (error 1226); 0 for no limit"`

	Targets    string        `key:"targets" doc:"file of the targets that scheduled hunts tell of new findings (JSON, mode 600)"`
	HuntTime   time.Duration `key:"hunt-time" doc:"how long one run of a scheduled hunt may take"`
	HuntRows   int           `key:"hunt-rows" doc:"rows that one run of a scheduled hunt keeps, up to 10000"`
	ResultsAge time.Duration `key:"results-age" doc:"age at which findings and runs of scheduled hunts are forgotten"`
}

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{PacketScanLimit: 20 << 30, MaxStatements: 64, HuntTime: 10 * time.Minute, HuntRows: 1000, ResultsAge: 365 * 24 * time.Hour}
}

// Engine answers SQL over one archive.
type Engine struct {
	cfg     Config
	archive *archive.Archive
	log     *slog.Logger
	duck    *duck
	sql     *sqle.Engine
	tables  map[string]*givenTable // by name
	hunts   *hunt.Library
	notes   *archive.Notebook
	book    *standing.Book
	keeper  atomic.Pointer[standing.Keeper] // of who runs standing hunts

	admission *admission
	ceiling   ceiling
	unguard   context.CancelFunc

	sessions atomic.Uint32 // numbers given to sessions in-process
	started  time.Time

	snapMu sync.Mutex
	names  nameStore
	snap   *snapshot

	losses lossCache

	works      watched
	statements queryLog

	recentTurn   chan struct{} // holds one token: who has put it there may touch the others
	recent       *recent
	recentSerial int
}

// The session variables of ours.
const (
	varPushdown  = "wiresql_pushdown"
	varScanLimit = "wiresql_packet_scan_limit"
	varGaps      = "wiresql_gaps"
)

// New opens an engine over an archive, which must stay open until Close.
func New(cfg Config, a *archive.Archive, log *slog.Logger) (*Engine, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if cfg.MemoryLimit <= 0 {
		cfg.MemoryLimit = ceilingOf("/")
	} else if cfg.MemoryLimit < LeastMemory {
		return nil, fmt.Errorf("memory limit of %s: at least %s are needed", byteText(cfg.MemoryLimit), byteText(LeastMemory))
	}
	if cfg.PacketScanLimit <= 0 {
		cfg.PacketScanLimit = DefaultConfig().PacketScanLimit
	}
	if cfg.HuntTime <= 0 {
		cfg.HuntTime = DefaultConfig().HuntTime
	}
	if cfg.HuntRows <= 0 {
		cfg.HuntRows = DefaultConfig().HuntRows
	}
	cfg.HuntRows = min(cfg.HuntRows, standing.MostRows)
	if cfg.ResultsAge <= 0 {
		cfg.ResultsAge = DefaultConfig().ResultsAge
	}
	root, err := filepath.Abs(a.Dir())
	if err != nil {
		return nil, fmt.Errorf("archive directory: %w", err)
	}
	e := &Engine{started: time.Now(), cfg: cfg, archive: a, log: log, hunts: hunt.NewLibrary(cfg.Hunts), recentTurn: make(chan struct{}, 1),
		admission: newAdmission(Limits{cfg.MaxStatements, cfg.MaxRows, cfg.MaxBytes}),
		ceiling:   ceiling{running: map[*charge]struct{}{}, begun: make(chan struct{}, 1)}, unguard: func() {}}
	e.notes = a.Notebook()
	e.book = standing.NewBook(e.notes, cfg.ResultsAge)
	if e.tables, err = givenTables(cfg.Table); err != nil {
		return nil, err
	}
	if e.duck, err = openDuck(cfg, []string{root}); err != nil {
		return nil, err
	}
	if err := e.setVariables(); err != nil {
		e.duck.close()
		return nil, err
	}
	an := analyzer.NewBuilder(provider{}).Build()
	e.sql = sqle.New(an, &sqle.Config{IsReadOnly: true})
	e.sql.Parser = guard{e.sql.Parser}
	an.Parser = e.sql.Parser
	return e, nil
}

// Close ends running statements' connections and removes what was spilled.
func (e *Engine) Close() error {
	err := e.sql.Close()
	e.duck.close()
	e.unguard()
	return err
}

// SQL is the go-mysql-server engine, for what is about the server: catalogue,
// functions and guarded parser.
func (e *Engine) SQL() *sqle.Engine { return e.sql }

// Session makes a connection's session.
func (e *Engine) Session(base *sql.BaseSession) sql.Session { return &session{BaseSession: base} }

// setVariables registers our session variables and fixes those whose defaults
// are unsafe or give wrong answers. go-mysql-server keeps them per process.
func (e *Engine) setVariables() error {
	sql.SystemVariables.AddSystemVariables(lackingVariables())
	guardSettings()
	sql.SystemVariables.AddSystemVariables([]sql.SystemVariable{
		&sql.MysqlSystemVariable{Name: "time_zone", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: zoneType{types.NewSystemStringType("time_zone")}, Default: "+00:00"},
		&sql.MysqlSystemVariable{Name: "sql_mode", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: modeType{types.NewSystemStringType("sql_mode")}, Default: ""},
		&sql.MysqlSystemVariable{Name: "timestamp", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Session), Dynamic: true,
			Type: types.NewSystemDoubleType("timestamp", 0, 32536771199.999999), Default: 0.0},
		&sql.MysqlSystemVariable{Name: "sql_select_limit", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: types.NewSystemUintType("sql_select_limit", 0, math.MaxUint64), Default: uint64(math.MaxUint64)},
		&sql.MysqlSystemVariable{Name: "max_execution_time", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: types.NewSystemIntType("max_execution_time", 0, math.MaxUint32, false), Default: int64(0)},
		&sql.MysqlSystemVariable{Name: "net_read_timeout", Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: types.NewSystemIntType("net_read_timeout", 1, 31536000, false), Default: int64(30)},
		&sql.MysqlSystemVariable{Name: varPushdown, Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: types.NewSystemBoolType(varPushdown), Default: int8(1)},
		&sql.MysqlSystemVariable{Name: varScanLimit, Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: types.NewSystemIntType(varScanLimit, 0, math.MaxInt64, false), Default: e.cfg.PacketScanLimit},
		&sql.MysqlSystemVariable{Name: varGaps, Scope: sql.GetMysqlScope(sql.SystemVariableScope_Both), Dynamic: true,
			Type: types.NewSystemEnumType(varGaps, "warn", "error"), Default: "warn"},
	})
	return sql.SystemVariables.AssignValues(map[string]any{
		// The server's zone is UTC, whatever the machine's is.
		"time_zone":        "+00:00",
		"system_time_zone": "UTC",
		"lc_time_names":    "en_US",
		// MySQL's own; go-mysql-server's compares by bytes.
		"collation_connection": "utf8mb4_0900_ai_ci",
		// MySQL 8's default; go-mysql-server's has half of it.
		"sql_mode": "ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
		// LOAD_FILE and INTO OUTFILE reach nothing even if something lets
		// them through: an empty value would mean any file.
		"secure_file_priv": filepath.Join(e.duck.spill, "nothing"),
		"local_infile":     int8(0),
		"query_cache_size": int64(0),
	})
}

// Session is a conversation in-process: it keeps what SET changed. It is used
// by one goroutine.
type Session struct {
	engine  *Engine
	session sql.Session
}

// NewSession begins a session as a user who may read everything.
func (e *Engine) NewSession() *Session {
	base := sql.NewBaseSessionWithClientServer("in-process", sql.Client{User: "root", Address: "localhost"}, e.sessions.Add(1))
	s := e.Session(base)
	s.SetCurrentDatabase(tables.Main)
	return &Session{e, s}
}

// OnlyReads takes the right to pin from the session and, unless bytes, that to see
// bytes of packets.
func (s *Session) OnlyReads(bytes bool) {
	inner := s.session.(*session)
	inner.onlyReads, inner.noBytes = true, !bytes
}

// Rows is a running statement.
type Rows struct {
	Schema sql.Schema
	ctx    *sql.Context
	iter   sql.RowIter
	cancel context.CancelFunc
	chunk  Chunk // when the text of a columnar result is taken
	row    int
}

// Query runs one statement. The rows must be closed.
func (s *Session) Query(ctx context.Context, text string) (*Rows, error) {
	ctx, end := context.WithCancelCause(ctx)
	cancel := func() { s.engine.ended(s.session.ID()); end(nil) }
	c := sql.NewContext(ctx, sql.WithSession(s.session), sql.WithQuery(text), sql.WithPid(uint64(s.session.ID())))
	text, _, _ = Restate(c, text, false)
	if limit := TimeLimit(c, text, s.engine.TimeHint(c, text)); limit > 0 {
		timer := time.AfterFunc(limit, func() { end(ErrTimeLimit) })
		before := cancel
		cancel = func() { timer.Stop(); before() }
	}
	schema, iter, handled, err := s.engine.Answer(c, text, nil)
	if !handled && err == nil {
		schema, iter, err = s.engine.others(c, text)
	}
	if err != nil {
		err = why(ctx, err)
		cancel()
		return nil, err
	}
	if iter == nil {
		iter = sql.RowsToRowIter()
	}
	return &Rows{Schema: schema, ctx: c, iter: iter, cancel: cancel}, nil
}

// why is the error of a statement: of one that was ended what ended it.
func why(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && err != nil && !errors.Is(err, io.EOF) {
		return cause
	}
	return err
}

// Query runs one statement in a session of its own.
func (e *Engine) Query(ctx context.Context, text string) (*Rows, error) {
	return e.NewSession().Query(ctx, text)
}

// Next returns the next row, or io.EOF.
func (r *Rows) Next() (sql.Row, error) {
	row, err := r.iter.Next(r.ctx)
	return row, why(r.ctx, err)
}

// TypeName is a column's type as MySQL writes it: bigint unsigned, decimal(41,4).
func (r *Rows) TypeName(i int) string { return r.Schema[i].Type.String() }

// IsNumber tells whether a column holds numbers.
func (r *Rows) IsNumber(i int) bool { return types.IsNumber(r.Schema[i].Type) }

// IsBytes tells whether a column holds bytes, not text.
func (r *Rows) IsBytes(i int) bool {
	return types.IsBinaryType(r.Schema[i].Type) && !types.IsJSON(r.Schema[i].Type)
}

// Text returns the next row as MySQL text, nil for NULL, or io.EOF.
func (r *Rows) Text() ([][]byte, error) {
	if c, ok := r.iter.(Columnar); ok {
		return r.columnarText(c)
	}
	row, err := r.Next()
	if err != nil {
		return nil, err
	}
	out := make([][]byte, len(row))
	for i, v := range row {
		if v == nil {
			continue
		}
		t, err := r.Schema[i].Type.SQL(r.ctx, nil, v)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", r.Schema[i].Name, err)
		}
		out[i] = append([]byte{}, t.ToBytes()...)
	}
	return out, nil
}

// columnarText is Text of a result that comes in columns.
func (r *Rows) columnarText(c Columnar) ([][]byte, error) {
	for r.chunk == nil || r.row >= r.chunk.Len() {
		chunk, err := c.NextChunk(r.ctx)
		if err != nil {
			return nil, why(r.ctx, err)
		}
		r.chunk, r.row = chunk, 0
	}
	out := make([][]byte, len(r.Schema))
	for i := range out {
		if text, notNull := r.chunk.AppendText([]byte{}, i, r.row); notNull {
			out[i] = text
		}
	}
	r.row++
	return out, nil
}

// All returns the remaining rows and closes.
func (r *Rows) All() ([]sql.Row, error) {
	defer r.Close()
	var out []sql.Row
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, row)
	}
}

// Warnings are the statement's warnings so far.
func (r *Rows) Warnings() []string {
	var out []string
	for _, w := range r.ctx.Session.Warnings() {
		out = append(out, w.Message)
	}
	return out
}

// Close ends the statement.
func (r *Rows) Close() (err error) {
	defer r.cancel()
	if r.iter == nil {
		return nil
	}
	iter := r.iter
	r.iter = nil
	// go-mysql-server's GROUP BY can't be closed before its first row, and
	// not after an error in it either.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("end the statement: %v", p)
		}
	}()
	return iter.Close(r.ctx)
}

// variable reads a session variable.
func variable(ctx *sql.Context, name string) any {
	v, err := ctx.GetSessionVariable(ctx, name)
	if err != nil {
		return nil
	}
	return v
}

func pushdownOff(ctx *sql.Context) bool {
	v, ok := variable(ctx, varPushdown).(int8)
	return ok && v == 0
}

func gapsAreErrors(ctx *sql.Context) bool {
	s, _ := variable(ctx, varGaps).(string)
	return strings.EqualFold(s, "error")
}

func (e *Engine) scanLimit(ctx *sql.Context) int64 {
	if n, ok := variable(ctx, varScanLimit).(int64); ok {
		return n
	}
	return e.cfg.PacketScanLimit
}
