package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/engine/metadata"
	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

// serverView is the server as one session sees it, for the relations about it.
type serverView struct {
	ctx    *sql.Context
	engine *Engine
}

var _ metadata.Server = serverView{}

// User implements metadata.Server.
func (v serverView) User() (name, host string) {
	client := v.ctx.Session.Client()
	return client.User, client.Address
}

// Database implements metadata.Server.
func (v serverView) Database() string { return v.ctx.GetCurrentDatabase() }

// Grants implements metadata.Server.
func (v serverView) Grants() (out []metadata.Grant) {
	if s, ok := v.ctx.Session.(*session); ok && s.noBytes {
		for _, rel := range slices.Concat(tables.Relations, v.Given()) {
			if rel != tables.PacketBytes {
				out = append(out, metadata.Grant{Schema: rel.Schema, Table: rel.Name})
			}
		}
		return out
	}
	db := v.engine.sql.Analyzer.Catalog.MySQLDb
	if !db.Enabled() {
		return []metadata.Grant{{Schema: "*", Table: "*"}}
	}
	rights := db.UserActivePrivilegeSet(v.ctx)
	if rights.Has(sql.PrivilegeType_Select) {
		return []metadata.Grant{{Schema: "*", Table: "*"}}
	}
	for _, d := range rights.GetDatabases() {
		if d.Has(sql.PrivilegeType_Select) {
			out = append(out, metadata.Grant{Schema: d.Name(), Table: "*"})
			continue
		}
		for _, t := range d.GetTables() {
			if t.Has(sql.PrivilegeType_Select) {
				out = append(out, metadata.Grant{Schema: d.Name(), Table: t.Name()})
			}
		}
	}
	return out
}

// Variables implements metadata.Server.
func (v serverView) Variables(global bool) map[string]string {
	values := sql.SystemVariables.GetAllGlobalVariables()
	if !global {
		for name, value := range v.ctx.GetAllSessionVariables() {
			values[name] = value
		}
	}
	out := make(map[string]string, len(values))
	for name, value := range values {
		name = strings.ToLower(name)
		out[name] = variableText(name, value)
	}
	return out
}

// variableText is a variable as SHOW VARIABLES shows it.
func variableText(name string, value any) string {
	known, _, ok := sql.SystemVariables.GetGlobal(name)
	if ok {
		switch t := known.GetType().(type) {
		case sql.SetType:
			if bits, ok := value.(uint64); ok {
				if text, err := t.BitsToString(bits); err == nil {
					return text
				}
			}
		case types.SystemBoolType:
			{
				switch fmt.Sprint(value) {
				case "1", "true":
					return "ON"
				case "0", "false":
					return "OFF"
				}
			}
		}
	}
	switch x := value.(type) {
	case nil:
		return ""
	case bool:
		if x {
			return "ON"
		}
		return "OFF"
	case float64:
		return strconv.FormatFloat(x, 'f', 6, 64)
	}
	return fmt.Sprint(value)
}

// Status implements metadata.Server.
func (v serverView) Status(global bool) (map[string]string, error) {
	values := sql.StatusVariables.NewGlobalMap()
	if !global {
		for name, value := range v.ctx.Session.GetAllStatusVariables(v.ctx) {
			values[name] = value
		}
	}
	out := make(map[string]string, len(values))
	for name, value := range values {
		out[name] = fmt.Sprint(value.Value())
	}
	connected, running := v.engine.threads()
	out["Uptime"] = strconv.FormatInt(int64(time.Since(v.engine.started)/time.Second), 10)
	out["Threads_connected"], out["Threads_running"] = strconv.Itoa(connected), strconv.Itoa(running)
	return out, v.engine.counters(v.ctx, out)
}

// ResetStatus implements metadata.Server.
func (v serverView) ResetStatus() {
	for _, value := range v.ctx.Session.GetAllStatusVariables(v.ctx) {
		if _, ok := value.Value().(uint64); ok {
			_ = value.Set(uint64(0)) // they are all of that type
		}
	}
}

// threads counts the connections of everyone, and those with a statement that runs.
func (e *Engine) threads() (connected, running int) {
	for _, p := range e.sql.ProcessList.Processes() {
		connected++
		if p.Command == sql.ProcessCommandQuery {
			running++
		}
	}
	return connected, running
}

// Processes implements metadata.Server.
func (v serverView) Processes() (out []metadata.Process) {
	for _, p := range v.ctx.ProcessList.Processes() {
		state := ""
		if p.Command == sql.ProcessCommandQuery {
			state = v.engine.state(p.Connection)
		}
		out = append(out, metadata.Process{ID: int64(p.Connection), User: p.User, Host: p.Host, Database: p.Database,
			Command: string(p.Command), State: state, Seconds: int64(p.Seconds()), Statement: p.Query})
	}
	return out
}

// Warnings implements metadata.Server: in the order they came in.
func (v serverView) Warnings() (out []metadata.Warning) {
	for _, w := range slices.Backward(v.ctx.Session.Warnings()) {
		out = append(out, metadata.Warning{Level: w.Level, Code: w.Code, Message: w.Message})
	}
	return out
}

// Size implements metadata.Server: for relations whose rows are those of files.
func (v serverView) Size(rel *tables.Relation) (rows, bytes int64, ok bool) {
	if rel.Schema != tables.Main || pushdown.IsPackets(rel) {
		return 0, 0, false
	}
	families := pushdown.Families(rel)
	if len(families) == 0 {
		return 0, 0, false
	}
	snap, err := v.engine.snapshot(v.ctx)
	if err != nil {
		return 0, 0, false
	}
	for _, family := range families {
		for _, f := range snap.catalog.Files(archive.Family(family)) {
			rows, bytes = rows+f.Rows, bytes+f.Bytes
		}
	}
	return rows, bytes, true
}

// Given implements metadata.Server.
func (v serverView) Given() (out []*tables.Relation) {
	for _, name := range slices.Sorted(maps.Keys(v.engine.tables)) {
		if g, err := v.engine.tables[name].current(); err == nil {
			out = append(out, g.relation)
		}
	}
	return out
}

// metadataText feeds the rows of a relation about the server.
func (r *run) metadataText(rel *tables.Relation) (string, error) {
	rows, err := metadata.Rows(rel, serverView{r.ctx, r.engine})
	if err != nil {
		return "", err
	}
	return r.published(metadataFeed(rel, rows)), nil
}

func metadataFeed(rel *tables.Relation, rows [][]any) feed {
	cols := columnsOf(rel)
	return &listFeed{cols: cols, rows: len(rows), write: func(row int, to func(int) *vectorWriter, at int) {
		for i, v := range rows[row] {
			w := to(i)
			switch v := v.(type) {
			case string:
				w.setText(at, strings.ToValidUTF8(v, "\uFFFD"))
			case []byte:
				w.setBytes(at, v)
			case int:
				putNumber(w, at, cols[i].typ, int64(v))
			case int64:
				putNumber(w, at, cols[i].typ, v)
			case float64:
				put(w, at, v)
			case time.Time:
				put(w, at, v.UnixMicro())
			default:
				w.setNull(at)
			}
		}
	}}
}

func putNumber(w *vectorWriter, at int, typ duckdb.Type, n int64) {
	if typ == duckdb.TypeInteger {
		put(w, at, int32(n))
		return
	}
	put(w, at, n)
}
