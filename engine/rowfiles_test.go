package engine

import (
	"context"
	"errors"
	"io"
	"math"
	"os"
	"testing"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

func testEngine(t *testing.T) (*Engine, *archive.Archive) {
	t.Helper()
	a, err := archive.Open(t.TempDir(), archive.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	e, err := New(Config{MemoryLimit: 256 << 20, SpillDirectory: t.TempDir()}, a, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e, a
}

// batch commits one file of rows, in place of others.
func batch[T any](t *testing.T, a *archive.Archive, level string, rows []T, replaced ...archive.File) {
	t.Helper()
	tx, err := a.Begin("import")
	if err == nil {
		tx.Supersede(replaced)
		_, err = archive.WriteRows(tx, level, rows)
	}
	if err == nil {
		err = tx.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func some[T any](v T) tables.Opt[T] { return tables.Opt[T]{V: v, Set: true} }

// What is stored comes back through DuckDB: zero is not NULL, NULL is not zero,
// large numbers keep their bits, and nothing is not an empty value.
func TestRoundTrip(t *testing.T) {
	e, a := testEngine(t)
	const when = 1_780_000_000_000_000
	batch(t, a, "e", []tables.Flow{
		{TS: when, TSEnd: when, SourceType: "packets", FlowID: 0, ConnID: 1 << 63, CID: 1 << 63,
			Src: tables.Addr{Hi: 1 << 63, Lo: math.MaxUint64}, VLAN: some[int32](0), ReverseBytes: some[int64](0), RTTUs: some[int64](math.MaxInt64),
			LastPiece: some(false), Segments: []int32{}, Postings: []byte{}},
		{TS: when + 1, TSEnd: when + 1, SourceType: "packets", Sensor: "dmz", FlowID: math.MaxUint64, Bytes: math.MinInt64,
			Segments: []int32{0}, Postings: []byte{0, 1}},
	})
	snap, err := e.snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := "SELECT flow_id, conn_id, cid, src_hi, src_lo, vlan, reverse_bytes, rtt_us, last_piece, bytes, " +
		"len(segments), octet_length(postings), sensor, src_port FROM read_parquet(" + functions.Quote(snap.catalog.Files(archive.Flows)[0].Path) + ") ORDER BY ts"
	cur, err := e.duck.query(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer cur.close()
	view, err := cur.next()
	if err != nil || view == nil || view.n != 2 {
		t.Fatal(view, err)
	}
	null := any(nil)
	for i, want := range [][2]any{
		{uint64(0), uint64(math.MaxUint64)}, {uint64(1 << 63), uint64(0)}, {uint64(1 << 63), uint64(0)},
		{uint64(1 << 63), uint64(0)}, {uint64(math.MaxUint64), uint64(0)},
		{int64(0), null}, {int64(0), null}, {int64(math.MaxInt64), null}, {int64(0), null}, {int64(0), int64(math.MinInt64)},
		{int64(0), int64(1)}, {int64(0), int64(2)}, {null, "dmz"}, {int64(0), int64(0)},
	} {
		v := &view.vectors[i]
		for row, w := range want {
			var got any
			if !v.null(row) {
				switch w.(type) {
				case uint64:
					got = v.uint64(row)
				case string:
					got = string(v.bytes(row))
				default:
					got = v.int64(row)
				}
			}
			if got != w {
				t.Errorf("%s of row %d: got %v, want %v", cur.columns[i].name, row, got, w)
			}
		}
	}

	// The same through SQL and the lookup of rows.
	answer, err := e.Query(t.Context(), "SELECT conn_id, reverse_bytes, vlan, sensor IS NULL, sensor = '' FROM flows_wide ORDER BY ts")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Close()
	for _, want := range [][]string{{tables.ID(1 << 63).String(), "0", "0", "1", "NULL"}, {tables.ID(0).String(), "NULL", "NULL", "0", "0"}} {
		got, err := answer.Text()
		if err != nil {
			t.Fatal(err)
		}
		for i := range want {
			if text := string(got[i]); (got[i] == nil) != (want[i] == "NULL") || got[i] != nil && text != want[i] {
				t.Errorf("column %d: got %q, want %s", i, text, want[i])
			}
		}
	}
	n := 0
	_, err = rows.Lookup(t.Context(), archive.RowFiles(snap.catalog.Files(archive.Flows)), []rows.Values{{Column: "conn_id", Any: []uint64{1 << 63}}}, []string{"postings", "vlan", "sensor"},
		func(f *tables.Flow) error {
			if n++; f.Postings == nil || len(f.Postings) != 0 || !f.VLAN.Set || f.Sensor != "" {
				t.Errorf("looked up: %+v", f)
			}
			return nil
		})
	if n != 1 || err != nil {
		t.Errorf("%d rows looked up, %v", n, err)
	}
}

// A statement that was planned before its file was replaced and unlinked runs
// again over what is there now.
func TestFileGone(t *testing.T) {
	const when = 1_780_000_000_000_000
	conn := tables.Connection{TS: when, TSEnd: when + 1, Client: tables.Addr{Lo: 0xffff_0a00_0001}, Server: tables.Addr{Lo: 0xffff_0a00_0002},
		ClientPort: 4000, ServerPort: 80, Protocol: 6, ConnID: 77}
	for _, c := range []struct {
		name, statement string
		want            int
	}{
		{"DuckDB", "SELECT server_port FROM connections", 2},
		{"sources", "SELECT p.ts FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = '10.0.0.1' AND c.client_port = 4000", 0},
		{"in part", "SELECT SOUNDEX(protocol) FROM connections WHERE server_port = 80", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			e, a := testEngine(t)
			batch(t, a, "e", []tables.Connection{conn, conn})
			s := e.NewSession()
			text := c.statement
			ctx := sql.NewContext(context.Background(), sql.WithSession(s.session), sql.WithQuery(text))
			parsed, err := pushdown.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			st, err := e.compile(ctx, parsed, nil)
			if err != nil {
				t.Fatal(err)
			}
			old, err := a.Catalog()
			if err != nil {
				t.Fatal(err)
			}
			files := old.Files(archive.Connections)
			batch(t, a, "t", []tables.Connection{conn, conn}, files...)
			for _, f := range files { // the archive may have done so: nobody else reads it
				if err := os.Remove(f.Path); err != nil && !errors.Is(err, os.ErrNotExist) {
					t.Fatal(err)
				}
			}
			rows, _, err := e.execute(ctx, st)
			if err != nil {
				t.Fatal(err)
			}
			n := 0
			for {
				_, err := rows.Next(ctx)
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				n++
			}
			if err := rows.Close(ctx); err != nil || n != c.want {
				t.Errorf("%d rows, want %d; %v", n, c.want, err)
			}
		})
	}
}
