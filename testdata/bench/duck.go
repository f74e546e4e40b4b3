package main

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// peer is DuckDB in this process, without anything of ours around it.
type peer struct {
	db   duckdb.Database
	conn duckdb.Connection
}

// newPeer opens it with the settings our engine has.
func newPeer() (*peer, error) {
	p := &peer{}
	if duckdb.Open(":memory:", &p.db) == duckdb.StateError {
		return nil, errors.New("open duckdb")
	}
	if duckdb.Connect(p.db, &p.conn) == duckdb.StateError {
		p.close()
		return nil, errors.New("connect to duckdb")
	}
	for _, set := range []string{"SET parquet_metadata_cache = true", "SET TimeZone = 'UTC'"} {
		if _, _, err := p.ask(set); err != nil {
			p.close()
			return nil, err
		}
	}
	return p, nil
}

func (p *peer) close() {
	duckdb.Disconnect(&p.conn)
	duckdb.Close(&p.db)
}

// ask runs a query to its last row and returns how many there were.
func (p *peer) ask(query string) (int, time.Duration, error) {
	start := time.Now()
	var r duckdb.Result
	defer duckdb.DestroyResult(&r)
	if duckdb.Query(p.conn, query, &r) == duckdb.StateError {
		return 0, 0, fmt.Errorf("%s: %s", query, duckdb.ResultError(&r))
	}
	rows := 0
	for {
		chunk := duckdb.FetchChunk(r)
		if chunk.Ptr == nil {
			return rows, time.Since(start), nil
		}
		rows += int(duckdb.DataChunkGetSize(chunk))
		duckdb.DestroyDataChunk(&chunk)
	}
}

// list is a FROM clause's entry for some row files.
func list(files []string) string {
	return "read_parquet(['" + strings.Join(files, "','") + "'], hive_partitioning = false)"
}

// ownCPU is what this process has used, in the kernel too.
func ownCPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
