package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// duck is the one in-memory DuckDB of an engine: it reads the archive's
// Parquet files, holds the leases of hosts, and calls back into Go for packets
// and for functions that have no form in its SQL.
//
// The bindings are used directly because database/sql materialises every
// result, and because only raw vectors are fast enough for packets.
type duck struct {
	db    duckdb.Database
	spill string // temporary directory, removed by close

	mu     sync.Mutex
	idle   []duckdb.Connection
	closed bool
	open   sync.WaitGroup // connections handed out

	called  sync.Map // functions of running statements, by handle
	absent  atomic.Pointer[absence]
	feeds   sync.Map // handle text → feed
	handles atomic.Uint64
}

// maxIdleConnections bounds what is kept after a burst; a connection costs
// about 100 KB.
const maxIdleConnections = 16

// openDuck opens the database and locks it down: readable are the Parquet
// files under roots and nothing else, and no statement can widen that.
func openDuck(cfg Config, roots []string) (*duck, error) {
	spill, err := os.MkdirTemp(cfg.SpillDirectory, "wiresql-spill-")
	if err != nil {
		return nil, fmt.Errorf("create spill directory: %w", err)
	}
	d := &duck{spill: spill}
	d.absent.Store(&absence{})
	if duckdb.Open(":memory:", &d.db) == duckdb.StateError {
		os.RemoveAll(spill)
		return nil, errors.New("open in-memory duckdb")
	}
	if err := d.registerFunctions(); err != nil {
		d.close()
		return nil, err
	}
	var allowed []string
	for _, r := range roots {
		allowed = append(allowed, quoteText(strings.TrimSuffix(r, "/")+"/"))
	}
	settings := []string{
		"SET memory_limit = '" + fmt.Sprintf("%dMiB", max(cfg.MemoryLimit>>20, 64)) + "'",
		"SET temp_directory = " + quoteText(spill),
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET TimeZone = 'UTC'",
		"SET parquet_metadata_cache = true",
		// The order matters: directories can be allowed only before external
		// access is taken away, and nothing can be set after the lock.
		"SET allowed_directories = [" + strings.Join(allowed, ", ") + "]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
	if cfg.Threads > 0 {
		settings = append([]string{fmt.Sprintf("SET threads = %d", cfg.Threads)}, settings...)
	}
	settings = append(pushdown.Setup(), settings...)
	for _, s := range settings {
		if err := d.exec(context.Background(), s); err != nil {
			d.close()
			return nil, fmt.Errorf("%s: %w", s, err)
		}
	}
	return d, nil
}

// close waits for running cursors to be closed.
func (d *duck) close() {
	d.mu.Lock()
	d.closed = true
	idle := d.idle
	d.idle = nil
	d.mu.Unlock()
	for i := range idle {
		duckdb.Disconnect(&idle[i])
	}
	d.open.Wait()
	duckdb.Close(&d.db)
	os.RemoveAll(d.spill)
}

var errClosed = errors.New("engine is closed")

func (d *duck) connect() (duckdb.Connection, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return duckdb.Connection{}, errClosed
	}
	var c duckdb.Connection
	if n := len(d.idle); n > 0 {
		c, d.idle = d.idle[n-1], d.idle[:n-1]
	} else if duckdb.Connect(d.db, &c) == duckdb.StateError {
		return c, errors.New("connect to duckdb")
	}
	d.open.Add(1)
	return c, nil
}

func (d *duck) release(c duckdb.Connection) {
	defer d.open.Done()
	d.mu.Lock()
	if !d.closed && len(d.idle) < maxIdleConnections {
		d.idle = append(d.idle, c)
		c.Ptr = nil
	}
	d.mu.Unlock()
	duckdb.Disconnect(&c)
}

// exec runs a statement and drops its result.
func (d *duck) exec(ctx context.Context, text string) error {
	c, err := d.query(ctx, text)
	if err != nil {
		return err
	}
	defer c.close()
	for {
		ch, err := c.next()
		if ch == nil || err != nil {
			return err
		}
	}
}

// cursor is a running statement whose result arrives chunk by chunk, so that a
// large one never rests in memory. It is used by one goroutine.
type cursor struct {
	d    *duck
	ctx  context.Context
	conn duckdb.Connection
	stmt duckdb.PreparedStatement
	res  duckdb.Result
	// columns of the result, in order.
	columns []resultColumn
	chunk   duckdb.DataChunk
	vectors []vector
	started bool
	stop    chan struct{} // closed to end the watcher
	watched chan struct{} // closed by the watcher when it is gone
}

// resultColumn describes a column as DuckDB returns it.
type resultColumn struct {
	name  string
	typ   duckdb.Type
	scale int         // of DECIMAL
	store duckdb.Type // integer type behind a DECIMAL
}

// query prepares and starts a statement. The cursor must be closed. Cancelling
// ctx interrupts the statement wherever it is.
func (d *duck) query(ctx context.Context, text string) (*cursor, error) {
	if err := ctx.Err(); err != nil {
		return nil, context.Cause(ctx)
	}
	conn, err := d.connect()
	if err != nil {
		return nil, err
	}
	c := &cursor{d: d, ctx: ctx, conn: conn, stop: make(chan struct{}), watched: make(chan struct{})}
	go c.watch()
	if err := c.start(text); err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// watch interrupts the connection when the context ends. It repeats, because
// DuckDB forgets an interrupt that comes just before a statement starts.
func (c *cursor) watch() {
	defer close(c.watched)
	select {
	case <-c.stop:
		return
	case <-c.ctx.Done():
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		duckdb.Interrupt(c.conn)
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
	}
}

func (c *cursor) start(text string) error {
	if duckdb.Prepare(c.conn, text, &c.stmt) == duckdb.StateError {
		return c.failure(duckdb.PrepareError(c.stmt))
	}
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(c.stmt, &pending) == duckdb.StateError {
		return c.failure(duckdb.PendingError(pending))
	}
	c.started = true
	if duckdb.ExecutePending(pending, &c.res) == duckdb.StateError {
		return c.failure(duckdb.ResultError(&c.res))
	}
	n := int(duckdb.ColumnCount(&c.res))
	c.columns = make([]resultColumn, n)
	c.vectors = make([]vector, n)
	for i := range c.columns {
		col := resultColumn{
			name: duckdb.ColumnName(&c.res, duckdb.IdxT(i)),
			typ:  duckdb.ColumnType(&c.res, duckdb.IdxT(i)),
		}
		col.store = col.typ
		if col.typ == duckdb.TypeDecimal {
			lt := duckdb.ColumnLogicalType(&c.res, duckdb.IdxT(i))
			col.scale = int(duckdb.DecimalScale(lt))
			col.store = duckdb.DecimalInternalType(lt)
			duckdb.DestroyLogicalType(&lt)
		}
		c.columns[i] = col
	}
	return nil
}

// failure turns DuckDB's message into an error; a cancelled context explains
// it better than "Interrupted".
func (c *cursor) failure(message string) error {
	if c.ctx.Err() != nil {
		return context.Cause(c.ctx)
	}
	return userMessage(strings.TrimSpace(message))
}

// duckError is an error DuckDB reported while it compiled or ran a statement.
type duckError struct{ Message string }

func (e *duckError) Error() string {
	// The first line says what; the rest draws the generated SQL, which the
	// user did not write.
	line, _, _ := strings.Cut(e.Message, "\n")
	return line
}

// next returns the next chunk's vectors, or nil at the end. They are valid
// until the next call.
func (c *cursor) next() (*chunkView, error) {
	duckdb.DestroyDataChunk(&c.chunk)
	if err := c.ctx.Err(); err != nil {
		return nil, context.Cause(c.ctx)
	}
	c.chunk = duckdb.FetchChunk(c.res)
	if c.chunk.Ptr == nil {
		if msg := duckdb.ResultError(&c.res); msg != "" {
			return nil, c.failure(msg)
		}
		return nil, nil
	}
	n := int(duckdb.DataChunkGetSize(c.chunk))
	if n == 0 {
		return nil, nil
	}
	for i := range c.vectors {
		c.vectors[i] = readVector(duckdb.DataChunkGetVector(c.chunk, duckdb.IdxT(i)), c.columns[i])
	}
	return &chunkView{n: n, vectors: c.vectors}, nil
}

// close ends the statement, running or not, and returns its connection.
func (c *cursor) close() {
	if c.d == nil {
		return
	}
	close(c.stop)
	<-c.watched
	duckdb.DestroyDataChunk(&c.chunk)
	if c.started {
		duckdb.DestroyResult(&c.res)
	}
	duckdb.DestroyPrepare(&c.stmt)
	c.d.release(c.conn)
	c.d = nil
}

// quoteText writes a DuckDB string literal.
func quoteText(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
