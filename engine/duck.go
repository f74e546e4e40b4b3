package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables/archive"
)

// duck is the one in-memory DuckDB of an engine: it reads the archive's
// Parquet files, holds the leases of hosts, and calls back into Go for packets
// and for functions that have no form in its SQL.
//
// The bindings are used directly because database/sql materialises every
// result, and because only raw vectors are fast enough for packets.
type duck struct {
	db    duckdb.Database
	spill string   // temporary directory, removed by close
	lock  *os.File // of it

	mu     sync.Mutex
	idle   []duckdb.Connection
	closed bool
	open   sync.WaitGroup // connections handed out

	// stuck, when not nil, is told of a call into DuckDB that does not end
	// long after its statement was ended.
	stuck func(statement string)

	footers atomic.Bool // are kept, of files that are read from now on
	called  sync.Map    // functions of running statements, by handle
	absent  atomic.Pointer[absence]
	feeds   sync.Map // handle text → feed
	handles atomic.Uint64
}

// maxIdleConnections bounds what is kept after a burst; a connection costs
// about 100 KB.
const maxIdleConnections = 16

// openDuck opens the database and locks it down: readable are the Parquet
// files under roots and nothing else, and no statement can widen that.
func openDuck(cfg Config, roots []string) (d *duck, err error) {
	lessUrgently(func() { d, err = openAsIs(cfg, roots) }) // its threads are as urgent as the one that makes them
	return d, err
}

func openAsIs(cfg Config, roots []string) (*duck, error) {
	spill, lock, err := newSpill(cfg.SpillDirectory)
	if err != nil {
		return nil, err
	}
	d := &duck{spill: spill, lock: lock}
	d.absent.Store(&absence{})
	if duckdb.Open(":memory:", &d.db) == duckdb.StateError {
		os.RemoveAll(spill)
		lock.Close()
		return nil, errors.New("open in-memory duckdb")
	}
	if err := d.registerFunctions(); err != nil {
		d.close()
		return nil, err
	}
	var allowed []string
	for _, r := range roots {
		allowed = append(allowed, functions.Quote(strings.TrimSuffix(r, "/")+"/"))
	}
	settings := []string{
		// The rest is Go's, and what DuckDB does not count.
		"SET memory_limit = '" + fmt.Sprintf("%dMiB", max(cfg.MemoryLimit/8*5>>20, 64)) + "'",
		"SET temp_directory = " + functions.Quote(spill),
		"SET autoinstall_known_extensions = false",
		"SET autoload_known_extensions = false",
		"SET allow_community_extensions = false",
		"SET TimeZone = 'UTC'",
		// The system keeps what is read of files; a second copy of each would fill
		// the memory that DuckDB may take, with files that are merged since.
		"SET enable_external_file_cache = false",
		// The order matters: directories can be allowed only before external
		// access is taken away, and nothing can be set after the lock.
		"SET allowed_directories = [" + strings.Join(allowed, ", ") + "]",
		"SET enable_external_access = false",
		"SET allowed_configs = ['" + strings.Join(append(progressSettings, footerSetting), "', '") + "']",
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

// close waits for running cursors to be closed, and a moment for the calls that
// were left to themselves. With one of those the database stays as it is: the
// process is about to end.
func (d *duck) close() {
	d.mu.Lock()
	d.closed = true
	idle := d.idle
	d.idle = nil
	d.mu.Unlock()
	for i := range idle {
		duckdb.Disconnect(&idle[i])
	}
	defer d.lock.Close()
	defer os.RemoveAll(d.spill)
	ended := make(chan struct{})
	go func() {
		d.open.Wait()
		close(ended)
	}()
	if within(ended, patience) {
		duckdb.Close(&d.db)
	}
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
	} else {
		tellProgress(c)
	}
	d.open.Add(1)
	return c, nil
}

const footerSetting = "parquet_metadata_cache"

// keepFooters has DuckDB keep the footers of files that a statement reads, unless
// some of them are soon merged: it would keep those of files that are gone, 100 KB
// each, up to its share of the memory. The setting is everyone's, and nothing is
// wrong when two statements want it otherwise.
func (d *duck) keepFooters(c duckdb.Connection, text string) {
	if !strings.Contains(text, ".parquet") {
		return
	}
	if keep := !archive.NamesMerged(text); d.footers.Swap(keep) != keep {
		var res duckdb.Result
		duckdb.Query(c, fmt.Sprintf("SET %s = %t", footerSetting, keep), &res)
		duckdb.DestroyResult(&res)
	}
}

// progressSettings make a connection tell how far its statement is. They are
// the connection's own, and need not be locked.
var progressSettings = []string{"enable_progress_bar", "enable_progress_bar_print", "progress_bar_time"}

// tellProgress applies them. Progress is no reason to fail.
func tellProgress(c duckdb.Connection) {
	for i, value := range []string{"true", "false", "0"} {
		var res duckdb.Result
		duckdb.Query(c, "SET "+progressSettings[i]+" = "+value, &res)
		duckdb.DestroyResult(&res)
	}
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
