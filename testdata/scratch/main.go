package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"syscall"
	"time"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

func cpu() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func main() {
	var db duckdb.Database
	var conn duckdb.Connection
	duckdb.Open(":memory:", &db)
	duckdb.Connect(db, &conn)
	run := func(q string) string {
		var r duckdb.Result
		defer duckdb.DestroyResult(&r)
		if duckdb.Query(conn, q, &r) == duckdb.StateError {
			return "ERR " + duckdb.ResultError(&r)
		}
		ch := duckdb.FetchChunk(r)
		_ = ch
		return ""
	}
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		q := in.Text()
		if q == "" {
			continue
		}
		var t []time.Duration
		for i := 0; i < 5; i++ {
			b := cpu()
			if e := run(q); e != "" {
				fmt.Println(e)
				break
			}
			t = append(t, cpu()-b)
		}
		if t != nil {
			sort.Slice(t, func(i, j int) bool { return t[i] < t[j] })
			fmt.Printf("%8.1f ms  %s\n", float64(t[len(t)/2].Microseconds())/1000, q)
		}
	}
}
