package engine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

func testDuck(t *testing.T, roots ...string) *duck {
	t.Helper()
	d, err := openDuck(Config{MemoryLimit: 256 << 20, SpillDirectory: t.TempDir()}, roots)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	return d
}

// number runs a query that returns one integer.
func number(t *testing.T, d *duck, text string) int64 {
	t.Helper()
	c, err := d.query(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer c.close()
	v, err := c.next()
	if err != nil || v == nil {
		t.Fatalf("%s: no row, %v", text, err)
	}
	return v.vectors[0].int64(0)
}

// Chunks carry every type the compiler puts out, as text and as Go values.
func TestResultValues(t *testing.T) {
	d := testDuck(t)
	text := `SELECT 1::INTEGER AS c1, -2::BIGINT AS c2, 0.1::DOUBLE AS c3, 'häß and more than twelve' AS c4,
		TIMESTAMP '2026-06-12 10:15:00.12' AS c5, 0::UBIGINT AS c6h, 281470849712642::UBIGINT AS c6l,
		17::UBIGINT AS c7, 1108152157446::BIGINT AS c8, 12345678901234567890.1200::DECIMAL(38,4) AS c9,
		-0.0001::DECIMAL(10,4) AS c10, ''::BLOB AS c11, 1::TINYINT AS c12, DATE '1969-12-31' AS c13,
		3::UBIGINT AS c14, '1:x' AS c14t, 18446744073709551615::UBIGINT AS c15
		UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL`
	columns := []pushdown.Column{
		{ID: 1, Type: pushdown.Type{Kind: pushdown.Integer, Bits: 32}}, {ID: 2, Type: pushdown.Type{Kind: pushdown.Integer}},
		{ID: 3, Type: pushdown.Type{Kind: pushdown.Double}}, {ID: 4, Type: pushdown.Type{Kind: pushdown.Text}},
		{ID: 5, Type: pushdown.Type{Kind: pushdown.Time, Scale: 6}}, {ID: 6, Type: pushdown.Type{Kind: pushdown.Address}},
		{ID: 7, Type: pushdown.Type{Kind: pushdown.ID}}, {ID: 8, Type: pushdown.Type{Kind: pushdown.MAC}},
		{ID: 9, Type: pushdown.Type{Kind: pushdown.Decimal, Precision: 38, Scale: 4}}, {ID: 10, Type: pushdown.Type{Kind: pushdown.Decimal, Precision: 10, Scale: 4}},
		{ID: 11, Type: pushdown.Type{Kind: pushdown.Bytes}}, {ID: 12, Type: pushdown.Type{Kind: pushdown.Bool, Bits: 8}},
		{ID: 13, Type: pushdown.Type{Kind: pushdown.Date}}, {ID: 14, Type: pushdown.Type{Kind: pushdown.Community}},
		{ID: 15, Type: pushdown.Type{Kind: pushdown.Unsigned}},
	}
	want := "1|-2|0.1|häß and more than twelve|2026-06-12 10:15:00.120000|10.3.2.2|000000000000H|01:02:03:04:05:06|" +
		"12345678901234567890.1200|-0.0001||1|1969-12-31|1:x|18446744073709551615"
	ctx := sql.NewEmptyContext()
	open := func() *result {
		cur, err := d.query(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		r, err := newResult(cur, columns, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	r := open()
	ch, err := r.NextChunk(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var cells []string
	for i := range columns {
		b, ok := ch.AppendText(nil, i, 0)
		if !ok {
			t.Errorf("column %d is NULL", i+1)
		}
		cells = append(cells, string(b))
	}
	if got := strings.Join(cells, "|"); got != want {
		t.Errorf("text\n got %s\nwant %s", got, want)
	}
	r.close()

	r = open()
	defer r.close()
	row, err := r.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	cells = nil
	for i, v := range row {
		// Boxed values say the same in their declared type.
		s, err := functions.SQLType(columns[i].Type).SQL(ctx, nil, v)
		if err != nil {
			t.Fatalf("column %d: %T: %v", i+1, v, err)
		}
		cells = append(cells, s.ToString())
	}
	if got := strings.Join(cells, "|"); got != strings.Replace(want, "00.120000", "00.12", 1) {
		t.Errorf("boxed\n got %s\nwant %s", got, want)
	}
	if row, err = r.Next(ctx); err != nil {
		t.Fatal(err)
	}
	for i, v := range row {
		if v != nil {
			t.Errorf("column %d of the second row is %v, want NULL", i+1, v)
		}
	}
}

// A feed is read as often as the statement names it, in chunks, and computes
// only what is read.
func TestFeed(t *testing.T) {
	d := testDuck(t)
	const rows = 5000
	reads := 0
	f := &listFeed{
		cols: []feedColumn{{"n", duckdb.TypeBigInt}, {"s", duckdb.TypeVarchar}, {"expensive", duckdb.TypeBlob}},
		rows: rows,
		write: func(row int, to func(int) *vectorWriter, at int) {
			put(to(0), at, int64(row))
			if row%2 == 0 {
				to(1).setText(at, fmt.Sprintf("row number %d", row))
			} else {
				to(1).setNull(at)
			}
			if to(2).wanted() {
				reads++
			}
		},
	}
	h := d.publish(f)
	defer d.withdraw(h)
	src := feedFunction + "('" + h + "')"
	if n := number(t, d, "SELECT count(*) FROM "+src); n != rows {
		t.Errorf("count(*) = %d", n)
	}
	if n := number(t, d, "SELECT sum(length(s))::BIGINT FROM "+src+" WHERE n < 4"); n != 24 {
		t.Errorf("lengths sum to %d", n)
	}
	if n := number(t, d, "SELECT count(*) FROM "+src+" a JOIN "+src+" b USING (n)"); n != rows {
		t.Errorf("joined with itself: %d", n)
	}
	if reads != 0 {
		t.Errorf("a column nobody reads was computed %d times", reads)
	}
	if err := d.exec(t.Context(), "SELECT * FROM "+feedFunction+"('none')"); err == nil {
		t.Error("an unknown handle was accepted")
	}
}

// panicFeed breaks while it is read.
type panicFeed struct{}

func (panicFeed) columns() []feedColumn                 { return []feedColumn{{"n", duckdb.TypeBigInt}} }
func (panicFeed) start([]int) (feedRun, error)          { return panicFeed{}, nil }
func (panicFeed) fill([]vectorWriter, int) (int, error) { panic("broken") }
func (panicFeed) close()                                {}

// A panic behind DuckDB is an error of that statement, not the end of the
// process.
func TestFeedPanics(t *testing.T) {
	d := testDuck(t)
	h := d.publish(panicFeed{})
	err := d.exec(t.Context(), "SELECT * FROM "+feedFunction+"('"+h+"')")
	if err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("got %v", err)
	}
	if n := number(t, d, "SELECT 7"); n != 7 {
		t.Error("the connection is broken afterwards")
	}
}

// Nothing but the archive's files can be read, and nothing can widen that.
func TestDuckIsLocked(t *testing.T) {
	root, other := t.TempDir(), t.TempDir()
	for _, dir := range []string{root, other} {
		if err := os.WriteFile(filepath.Join(dir, "x.csv"), []byte("a\n1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := testDuck(t, root)
	for _, text := range []string{
		"SELECT * FROM read_csv('" + other + "/x.csv')",
		"SELECT * FROM read_csv('" + root + "-other/x.csv')",
		"SELECT * FROM read_csv('" + root + "/../" + filepath.Base(other) + "/x.csv')",
		"SELECT * FROM '/etc/passwd'",
		"COPY (SELECT 1) TO '" + other + "/y.csv'",
		"ATTACH '" + other + "/z.db'",
		"SET enable_external_access = true",
		"SET allowed_directories = ['/']",
		"INSTALL httpfs",
		"LOAD httpfs",
	} {
		if err := d.exec(t.Context(), text); err == nil {
			t.Errorf("%s: was allowed", text)
		}
	}
}

// Cancelling reaches a running statement in well under a second, and the
// connection serves the next one.
func TestCancel(t *testing.T) {
	d := testDuck(t)
	ctx, cancel := context.WithTimeoutCause(t.Context(), 100*time.Millisecond, errors.New("enough"))
	defer cancel()
	start := time.Now()
	err := d.exec(ctx, "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range + b.range = 7")
	if err == nil || err.Error() != "enough" {
		t.Errorf("got %v", err)
	}
	if took := time.Since(start); took > 900*time.Millisecond {
		t.Errorf("took %v", took)
	}
	if n := number(t, d, "SELECT 7"); n != 7 {
		t.Error("the connection is broken afterwards")
	}
}

// A large result streams: closing early ends it.
func TestStreams(t *testing.T) {
	d := testDuck(t)
	c, err := d.query(t.Context(), "SELECT range AS n FROM range(100000000000)")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if v, err := c.next(); err != nil || v.n == 0 {
			t.Fatal(err)
		}
	}
	c.close()
}

// Every column of the packets relations is computed, in the kind declared.
func TestPacketFieldsAreComplete(t *testing.T) {
	for _, rel := range []*tables.Relation{tables.Packets, tables.PacketsWide, tables.PacketBytes} {
		for _, c := range rel.Columns {
			if packetFields[c.Name] == nil {
				t.Errorf("%s.%s has no source", rel.Name, c.Name)
			}
		}
	}
	var p packet
	for name, get := range packetFields {
		var c cell
		get(&p, &c) // the zero packet must not panic
		_ = name
	}
}

// Of files that are soon merged nothing is kept; of others their footers are.
func TestFootersOfPassingFiles(t *testing.T) {
	root := t.TempDir()
	d := testDuck(t, root)
	one := filepath.Join(root, "one.parquet")
	if err := d.exec(t.Context(), "COPY (SELECT range a, range + 1 b, range + 2 c FROM range(5000)) TO '"+one+"' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(one)
	if err != nil {
		t.Fatal(err)
	}
	kept := func() int64 {
		t.Helper()
		cur, err := d.query(t.Context(), "SELECT memory_usage_bytes FROM duckdb_memory() WHERE tag = 'OBJECT_CACHE'")
		if err != nil {
			t.Fatal(err)
		}
		defer cur.close()
		view, err := cur.next()
		if err != nil {
			t.Fatal(err)
		}
		return view.vectors[0].int64(0)
	}
	read := func(writer, level string) int64 {
		t.Helper()
		before := kept()
		for i := range 20 {
			path := filepath.Join(root, fmt.Sprintf("flows-v1-%s-main-%s-%010d-%010[3]d.parquet", writer, level, i))
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := d.exec(t.Context(), "SELECT SUM(b) FROM read_parquet('"+path+"')"); err != nil {
				t.Fatal(err)
			}
		}
		return kept() - before
	}
	for _, c := range []struct {
		writer, level string
		keeps         bool
	}{{"eth0", "h", true}, {"eth0", "m", false}, {"eth0", "d", true}, {"eth0", "s", false}, {"import", "e", true}, {"eth0", "e", false}, {"eth0", "t", false}} {
		if n := read(c.writer, c.level); (n > 0) != c.keeps {
			t.Errorf("%s, level %s: %d bytes are kept", c.writer, c.level, n)
		}
	}
}
