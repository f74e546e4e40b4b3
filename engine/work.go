package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/tables/archive"
)

// work is what a statement has done so far, for those who watch: its state in
// the list of processes, and its row of ops.query_log at the end.
type work struct {
	flowRows, packets, packetBytes atomic.Int64
	wanted                         atomic.Int64 // packets that will be read
	files, fileRows, fileBytes     atomic.Int64

	lease   *archive.Lease // on what it reads
	much    bool           // its account asks much
	mu      sync.Mutex
	stage   string
	reading []string // tables that are read
	cursor  *cursor  // that reads them
}

// The stages of a statement before rows are read.
const (
	stagePlanning = "planning"
	stageWaiting  = "waiting for a turn"
	stageFinding  = "finding packets"
	stageSending  = "sending rows"
)

// watched are the connections whose statements are told of. A connection has
// one at a time.
type watched struct{ by sync.Map } // *work by connection id

type workKey struct{}

// begin notes that a statement begins.
func (e *Engine) begin(ctx *sql.Context) *sql.Context {
	w := &work{stage: stagePlanning, lease: e.archive.Lease(), much: e.admission.much(ctx.Session.Client().User)}
	e.works.by.Store(ctx.Session.ID(), w)
	return ctx.WithContext(context.WithValue(ctx.Context, workKey{}, w))
}

// workOf is the work of the statement that a context is of; never nil.
func workOf(ctx context.Context) *work {
	if w, ok := ctx.Value(workKey{}).(*work); ok {
		return w
	}
	return &work{}
}

// ended takes what a connection's statement did.
func (e *Engine) ended(connection uint32) *work {
	if w, ok := e.works.by.LoadAndDelete(connection); ok {
		return w.(*work)
	}
	return &work{}
}

// state says what a connection's statement does at the moment.
func (e *Engine) state(connection uint32) string {
	w, ok := e.works.by.Load(connection)
	if !ok {
		return "executing"
	}
	return w.(*work).state()
}

// State says what the session's statement does at the moment; any goroutine may
// ask.
func (s *Session) State() string { return s.engine.state(s.session.ID()) }

// at notes the stage a statement has come to.
func (w *work) at(stage string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stage = stage
}

// reads counts what a step reads of row files.
func (w *work) reads(r *reading) {
	for _, f := range r.families {
		for _, file := range f.read {
			w.files.Add(1)
			if r.lookup == nil {
				w.fileRows.Add(file.Rows)
			}
		}
	}
	if r.lookup != nil {
		w.fileRows.Add(r.lookup.Rows)
		w.fileBytes.Add(r.lookup.Read)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if name := r.relation.Name; !slices.Contains(w.reading, name) {
		w.reading = append(w.reading, name)
	}
}

// readAll counts what the statement itself reads, once it does.
func (r *run) readAll() {
	for _, one := range r.reads {
		if one.why == "" {
			workOf(r.ctx).reads(one)
		}
	}
}

// fetched counts packets that were read.
func (w *work) fetched(s archive.FetchStats) {
	w.packetBytes.Add(s.Bytes)
}

// watch tells that a cursor reads; unwatch that it is over.
func (w *work) watch(c *cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cursor = c
}

func (w *work) unwatch(c *cursor) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cursor == c {
		w.cursor = nil
	}
}

// state is a line for people.
func (w *work) state() string {
	if wanted, have := w.wanted.Load(), w.packets.Load(); wanted > 0 && have < wanted && w.started() {
		return fmt.Sprintf("fetching packets %s of %s", grouped(have), grouped(wanted))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cursor == nil || len(w.reading) == 0 {
		return w.stage
	}
	of := strings.Join(w.reading, ", ")
	progress := duckdb.QueryProgress(w.cursor.conn)
	switch share, _, _ := duckdb.QueryProgressTypeMembers(&progress); {
	case share >= 99.5: // what goes on is no reading any more
		return "computing from " + of
	case share > 0:
		return fmt.Sprintf("reading %s %d %%", of, int(math.Round(share)))
	}
	return "reading " + of
}

// started tells whether packets are being read.
func (w *work) started() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stage == stageSending
}
