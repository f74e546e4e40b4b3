package engine

import (
	"context"
	"strings"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

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
	done    bool // all chunks were taken
	cancel  context.CancelFunc
	stop    chan struct{} // closed to end the watcher
	watched chan struct{} // closed by the watcher when it is gone
	// left is closed at the end of a call that was left to itself; nil when
	// none was.
	left <-chan struct{}
	text string
	read reads
	// held is the statement that is charged for it.
	held *charge
}

const (
	// patience is how long a call into DuckDB may go on after its statement
	// was ended before it is left to itself.
	patience = 300 * time.Millisecond
	// lost is how long it may then take before the process must end.
	lost = 2 * time.Minute
)

// within waits for a channel to be closed.
func within(closed <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-closed:
		return true
	case <-timer.C:
		return false
	}
}

// call runs a call into DuckDB, which looks for interrupts between the chunks of
// an operator, but not while it optimises a statement or in a function over the
// texts of one chunk. It returns false for one that was left to itself; then
// nothing of the cursor but close may be used.
func (c *cursor) call(f func()) bool {
	c.left = apart(c.ctx, func() { behind(workOf(c.ctx).much, f) })
	return c.left == nil
}

// apart runs f beside its caller. When the context ends and f does not come to
// its end in a moment it is left to itself, so that the client is answered:
// then apart returns what is closed when it has ended, else nil.
func apart(ctx context.Context, f func()) (left <-chan struct{}) {
	ended := make(chan struct{})
	var panicked any
	go func() {
		defer close(ended)
		defer func() { panicked = recover() }()
		f()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
		if !within(ended, patience) {
			return ended
		}
	}
	if panicked != nil {
		panic(panicked)
	}
	return nil
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
	d.keepFooters(conn, text)
	ctx, cancel := context.WithCancel(ctx)
	c := &cursor{d: d, ctx: ctx, cancel: cancel, conn: conn, text: text, stop: make(chan struct{}), watched: make(chan struct{}), read: readsOf(conn), held: held(ctx)}
	workOf(ctx).watch(c)
	go c.watch()
	if c.call(func() { err = c.start(text) }); c.left != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
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
	if !c.call(func() { c.chunk = duckdb.FetchChunk(c.res) }) {
		return nil, context.Cause(c.ctx)
	}
	if c.chunk.Ptr == nil {
		if msg := duckdb.ResultError(&c.res); msg != "" {
			return nil, c.failure(msg)
		}
		c.done = true
		return nil, nil
	}
	n := int(duckdb.DataChunkGetSize(c.chunk))
	if n == 0 {
		c.done = true
		return nil, nil
	}
	for i := range c.vectors {
		c.vectors[i] = readVector(duckdb.DataChunkGetVector(c.chunk, duckdb.IdxT(i)), c.columns[i])
	}
	return &chunkView{n: n, vectors: c.vectors}, nil
}

// close ends the statement, running or not, and returns its connection: at the
// latest when its last call has come back.
func (c *cursor) close() {
	if c.d == nil {
		return
	}
	d, done, left := c.d, c.done, c.left
	c.d = nil
	workOf(c.ctx).unwatch(c)
	workOf(c.ctx).fileBytes.Add(c.read.bytes())
	if done {
		c.end(d)
		c.cancel()
		return
	}
	c.cancel() // so that the watcher interrupts what goes on
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if left != nil {
			<-left
		}
		c.end(d)
	}()
	if within(ended, patience) || d.stuck == nil {
		return
	}
	go func() {
		if !within(ended, lost) {
			d.stuck(c.text)
		}
	}()
}

// end gives back what the cursor holds.
func (c *cursor) end(d *duck) {
	duckdb.DestroyDataChunk(&c.chunk)
	if c.started {
		duckdb.DestroyResult(&c.res)
	}
	close(c.stop)
	<-c.watched
	duckdb.DestroyPrepare(&c.stmt)
	c.read.end()
	d.release(c.conn)
	c.held.release()
}
