package engine

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/compact"
)

// Rows of a struct arrive in DuckDB as a file of them would.
func TestRowsFeed(t *testing.T) {
	a, _ := recordedArchive(t, time.Now().Add(-time.Hour), 1, 0, 1)
	e := openEngine(t, a)
	full := tables.Connection{TS: 1, TSEnd: 2, Site: "berlin", Client: tables.Addr{Hi: 3, Lo: 4}, ClientPort: 5, Protocol: 6,
		ICMPType: tables.Some[int32](0), ClientBytes: tables.Some[int64](0), ServerBytes: tables.Some[int64](1 << 40),
		SeenBy: "a name of more than twelve bytes", ConnID: 1<<64 - 1, Segments: []int32{3, 1 << 30}, CutPackets: tables.Some[int64](2)}
	table, err := loadRows(t.Context(), e, "test", []tables.Connection{full, {}})
	if err != nil {
		t.Fatal(err)
	}
	commit(t, a, "compact", func(tx *archive.Tx) error {
		_, err := archive.WriteRows(tx, "t", []tables.Connection{full, {}})
		return err
	})
	catalog, err := a.Catalog()
	if err != nil {
		t.Fatal(err)
	}
	file := "read_parquet(" + functions.Quote(catalog.Files(archive.Connections)[0].Path) + ")"
	var columns []string
	typ := reflect.TypeFor[tables.Connection]()
	for i := range typ.NumField() {
		name := typ.Field(i).Tag.Get("col")
		if typ.Field(i).Type == reflect.TypeFor[tables.Addr]() {
			columns = append(columns, name+"_hi", name+"_lo")
		} else {
			columns = append(columns, name)
		}
	}
	list := strings.Join(columns, ", ")
	if n := number(t, e.duck, "SELECT count(*) FROM (SELECT "+list+" FROM "+table+" INTERSECT SELECT "+list+" FROM "+file+")"); n != 2 {
		t.Errorf("%d of 2 rows are the same in table and file", n)
	}
}

// Conversations of rows that just came are there at once, each once, and
// remain the same when compaction has written them.
func TestRecentConnections(t *testing.T) {
	a, next := recordedArchive(t, time.Now().Add(-time.Hour), 10, 3, 10)
	e := openEngine(t, a)
	const list = "SELECT conn_id, client_ip, bytes FROM connections ORDER BY client_ip"
	if got := ask(t, e, "SELECT COUNT(*), COUNT(DISTINCT conn_id), SUM(bytes) FROM connections"); got != "[[30 30 3000]]" {
		t.Errorf("connections: %s", got)
	}
	next()
	e.recent.cost = 0 // it lags by nothing
	before := ask(t, e, list)
	if n := strings.Count(before, "10.0.0."); n != 40 {
		t.Errorf("%d connections after another batch", n)
	}
	if got := ask(t, e, "SELECT COUNT(*), COUNT(DISTINCT f.conn_id) FROM flows f JOIN connections c USING (conn_id)"); got != "[[40 40]]" {
		t.Errorf("flows with their connections: %s", got)
	}
	if got := ask(t, e, "SELECT COUNT(*) FROM connections WHERE ts < '2001-01-01'"); got != "[[0]]" {
		t.Errorf("connections long ago: %s", got)
	}
	used := number(t, e.duck, "SELECT count(*) FROM duckdb_tables() WHERE table_name LIKE 'wiresql_recent%'")
	if used != 4 { // connections and rows of the newest, and their traffic of minutes and hours
		t.Errorf("%d tables of recent rows", used)
	}
	if _, err := compact.Round(t.Context(), a, compact.Config{}); err != nil {
		t.Fatal(err)
	}
	catalog, err := a.Catalog()
	if err != nil || len(catalog.Files(archive.Connections)) == 0 {
		t.Fatalf("compaction wrote no connections, %v", err)
	}
	e.recent.cost = 0
	if after := ask(t, e, list); after != before {
		t.Errorf("after compaction\n%s\nbefore\n%s", after, before)
	}
}

// While it is costly to compute, what was computed serves for a while; and
// what was too much is said.
func TestRecentLag(t *testing.T) {
	a, next := recordedArchive(t, time.Now().Add(-time.Hour), 10, 1, 10)
	e := openEngine(t, a)
	const count = "SELECT COUNT(*) FROM connections"
	ask(t, e, count)
	e.recent.cost = time.Hour
	if lag := e.recent.lag(); lag != maxLag {
		t.Errorf("it may lag by %v", lag)
	}
	next()
	if got := ask(t, e, count); got != "[[10]]" {
		t.Errorf("%s connections, the batch before had 10", got)
	}
	e.recent.made = e.recent.made.Add(-maxLag)
	if got := ask(t, e, count); got != "[[20]]" {
		t.Errorf("%s connections of 20", got)
	}
	e.recent.skipped, e.recent.skipFrom, e.recent.skipTo = 7, 1, tables.Time(time.Now().UnixMicro())
	rows, err := e.Query(t.Context(), count)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rows.All(); err != nil {
		t.Fatal(err)
	}
	if w := strings.Join(rows.Warnings(), "\n"); !strings.Contains(w, "connections of 7 rows") {
		t.Errorf("warnings: %q", w)
	}
	scan := []*pushdown.ScanPlan{{Relation: tables.Connections, Bounds: pushdown.Bounds{From: pushdown.MinTime, To: 1}}}
	if text := e.recent.snap.unseen(scan); text != nil {
		t.Errorf("a scan of another time: %q", text)
	}
}

// A file that a recent snapshot lists is unlinked: what reads it looks again.
func TestRecentFileGone(t *testing.T) {
	for _, pushdown := range []string{"on", "off"} {
		a, next := recordedArchive(t, time.Now().Add(-time.Hour), 10, 2, 10)
		e := openEngine(t, a)
		s := e.NewSession()
		for _, statement := range []string{"SET wiresql_pushdown = '" + pushdown + "'", "SELECT MAX(conn_id) FROM flows"} {
			rows, err := s.Query(t.Context(), statement)
			if err == nil {
				_, err = rows.All()
			}
			if err != nil {
				t.Fatal(statement, err)
			}
		}
		e.recent.cost = time.Hour // so that it is used again
		old := e.recent.snap.catalog.Files(archive.Exports)
		next()
		if _, err := compact.Round(t.Context(), a, compact.Config{}); err != nil {
			t.Fatal(err)
		}
		for _, f := range old {
			if err := os.Remove(f.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Fatal(err)
			}
		}
		next() // there is something that is not settled
		rows, err := s.Query(t.Context(), "SELECT COUNT(*), COUNT(conn_id) FROM flows")
		if err != nil {
			t.Fatal(pushdown, err)
		}
		all, err := rows.All()
		if got := fmt.Sprint(all); err != nil || got != "[[40 40]]" {
			t.Errorf("pushdown %s: %s, %v", pushdown, got, err)
		}
	}
}
