package engine

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/engine/pushdown"
)

// EXPLAIN as tools read it: MySQL's twelve columns, and its document with a
// query block.

// traditionalSchema is the columns of MySQL 8's table, in its types.
var traditionalSchema = func() sql.Schema {
	text := func(n int64) sql.Type {
		return types.MustCreateString(sqltypes.VarChar, n, sql.Collation_utf8mb4_0900_ai_ci)
	}
	return sql.Schema{
		{Name: "id", Type: types.Int64, Nullable: true},
		{Name: "select_type", Type: text(19)},
		{Name: "table", Type: text(64), Nullable: true},
		{Name: "partitions", Type: types.LongText, Nullable: true},
		{Name: "type", Type: text(10), Nullable: true},
		{Name: "possible_keys", Type: text(4096), Nullable: true},
		{Name: "key", Type: text(64), Nullable: true},
		{Name: "key_len", Type: text(4096), Nullable: true},
		{Name: "ref", Type: text(2048), Nullable: true},
		{Name: "rows", Type: types.Int64, Nullable: true},
		{Name: "filtered", Type: types.Float64, Nullable: true},
		{Name: "Extra", Type: text(255), Nullable: true},
	}
}()

// access is how a table is read, in MySQL's words: ALL of it, a range of its
// files, or what refers to it (ref): rows an address or an id tells the pages
// of, packets that flow rows refer to.
type access struct {
	pushdown.Block
	table, kind, key string
	rows             int64
	extra            []string
}

// accesses lists the tables by query block.
func (x *explanation) accesses() []access {
	var out []access
	for _, b := range x.blocks {
		a := access{Block: b, kind: "ALL"}
		if i, ok := x.scans[b.Scan]; ok {
			t := x.Tables[i]
			a.rows = t.Rows
			a.table = t.Table[strings.LastIndex(t.Table, ".")+1:]
			switch {
			case t.Looked:
				a.kind, a.key = "ref", "pages"
			case t.Files < t.AllFiles:
				a.kind, a.key = "range", "files"
			}
			if !t.InMemory {
				a.extra = append(a.extra, fmt.Sprintf("%s of %s", grouped(int64(t.Files)), quantity(int64(t.AllFiles), "file")))
			}
		}
		for _, p := range x.Packets {
			if p.scan == b.Scan {
				a.table, a.kind, a.key, a.rows = p.Table, "ref", "flows", p.Packets
				a.extra = append(a.extra, fmt.Sprintf("%s in %s", byteText(p.Bytes), quantity(int64(p.Segments), "segment")))
			}
		}
		if a.table == "" {
			continue // answered by the packets alone
		}
		for _, s := range []struct {
			is   bool
			text string
		}{{b.Filtered, "Using where"}, {b.Grouped, "Using temporary"}, {b.Sorted, "Using filesort"}} {
			if s.is {
				a.extra = append(a.extra, s.text)
			}
		}
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b access) int { return cmp.Compare(a.ID, b.ID) })
	return out
}

// traditional is the explanation as rows.
func (x *explanation) traditional() (out []sql.Row) {
	orNull := func(s string) any {
		if s == "" {
			return nil
		}
		return s
	}
	for _, a := range x.accesses() {
		out = append(out, sql.Row{int64(a.ID), a.Select, a.table, nil, a.kind, orNull(a.key), orNull(a.key), nil, nil, a.rows, nil, orNull(strings.Join(a.extra, "; "))})
	}
	if out == nil {
		why := "No tables used"
		if x.SQL == nil {
			why = x.Summary[0]
		}
		out = []sql.Row{{int64(1), "SIMPLE", nil, nil, nil, nil, nil, nil, nil, nil, nil, why}}
	}
	return out
}

// document is the explanation as JSON: a query block as MySQL's, which tools
// draw, and the facts.
func (x *explanation) document() any {
	type table struct {
		Name    string `json:"table_name"`
		Access  string `json:"access_type"`
		Key     string `json:"key,omitempty"`
		Rows    int64  `json:"rows_examined_per_scan"`
		Message string `json:"message,omitempty"`
	}
	type entry struct {
		Table table `json:"table"`
	}
	block := struct {
		ID      int     `json:"select_id"`
		Message string  `json:"message,omitempty"`
		Loop    []entry `json:"nested_loop,omitempty"`
	}{ID: 1}
	for _, a := range x.accesses() {
		block.Loop = append(block.Loop, entry{table{a.table, a.kind, a.key, a.rows, strings.Join(a.extra, "; ")}})
	}
	if block.Loop == nil {
		block.Message = "No tables used"
	}
	return map[string]any{"query_block": block, "wiresql": x}
}
