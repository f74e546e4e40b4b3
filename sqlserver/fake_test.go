package sqlserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/functions"
)

// fakeEngine has the tables these tests need to be exact about time: results
// that are endless, that fail half way, that are large. A statement that names
// one of them is replaced by its source, as a pushed-down statement is.
type fakeEngine struct {
	engine   *sqle.Engine
	provider sql.DatabaseProvider
	running  atomic.Int32
}

func (f *fakeEngine) TimeHint(_ *sql.Context, text string) time.Duration {
	if strings.Contains(text, "MAX_EXECUTION_TIME(100)") {
		return 100 * time.Millisecond
	}
	return 0
}

func (f *fakeEngine) Limit(string, engine.Limits) {}

func (f *fakeEngine) SQL() *sqle.Engine { return f.engine }

func (f *fakeEngine) Session(base *sql.BaseSession) sql.Session {
	return memory.NewSession(base, f.provider)
}

// Answer leaves everything to go-mysql-server.
func (f *fakeEngine) Answer(*sql.Context, string, engine.Parameters) (sql.Schema, sql.RowIter, bool, error) {
	return nil, nil, false, nil
}

// Prepare leaves everything to go-mysql-server.
func (f *fakeEngine) Prepare(*sql.Context, string) (sql.Schema, bool, error) { return nil, false, nil }

// Log keeps nothing.
func (f *fakeEngine) Log(*sql.Context, engine.Logged) {}

// sources are the special tables by name.
var sources = map[string]func(f *fakeEngine) *source{
	// stuck gives no row until it is cancelled.
	"stuck": func(f *fakeEngine) *source { return &source{engine: f, rows: 1, wait: time.Hour} },
	// drip gives a chunk every ten milliseconds for ever.
	"drip": func(f *fakeEngine) *source { return &source{engine: f, rows: 1 << 40, wait: 10 * time.Millisecond} },
	// broken fails after some rows.
	"broken": func(f *fakeEngine) *source { return &source{engine: f, rows: 10_000, failAt: 5_000} },
	"large":  func(f *fakeEngine) *source { return &source{engine: f, rows: 2_000_000} },
	// wide has values of a megabyte.
	"wide":    func(f *fakeEngine) *source { return &source{engine: f, rows: 40, width: 1 << 20} },
	"accents": func(f *fakeEngine) *source { return &source{engine: f, rows: 1, text: "café "} },
	"bug":     func(f *fakeEngine) *source { return &source{engine: f, rows: 1, bug: true} },
}

func newFakeEngine() *fakeEngine {
	f := &fakeEngine{}
	main := memory.NewDatabase("wiresql")
	ops := memory.NewDatabase("ops")
	provider := memory.NewDBProvider(main, ops)
	a := analyzer.NewBuilder(provider).AddPreAnalyzeRule(1000, func(_ *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
		var found *source
		transform.Inspect(n, func(n sql.Node) bool {
			if t, ok := n.(*plan.ResolvedTable); ok && sources[t.Name()] != nil {
				found = sources[t.Name()](f)
			}
			return true
		})
		if found == nil {
			return n, transform.SameTree, nil
		}
		return found, transform.NewTree, nil
	}).Build()
	f.engine, f.provider = sqle.New(a, nil), provider
	ctx := sql.NewContext(context.Background(), sql.WithSession(memory.NewSession(sql.NewBaseSession(), provider)))
	for name := range sources {
		main.AddTable(name, memory.NewTable(main.Database(), name, sql.NewPrimaryKeySchema(sourceSchema(name)), nil))
	}
	kinds := sql.Schema{}
	for i, t := range []sql.Type{types.Int64, types.Int32, types.Float64, types.DatetimeMaxPrecision, types.Boolean,
		functions.AddrType, functions.IDType, types.LongText, types.LongBlob, types.MustCreateDecimalType(30, 4)} {
		kinds = append(kinds, &sql.Column{Name: fmt.Sprintf("c%d", i), Type: t, Source: "kinds", Nullable: true, DatabaseSource: "wiresql"})
	}
	table := memory.NewTable(main.Database(), "kinds", sql.NewPrimaryKeySchema(kinds), nil)
	main.AddTable("kinds", table)
	null := make(sql.Row, len(kinds))
	at := time.Date(2026, 6, 12, 10, 15, 0, 120_000_000, time.UTC)
	for _, row := range []sql.Row{
		{int64(1)<<62 + 1, int32(-7), 0.1, at, int8(1), "10.1.2.3", "0000000000ABC", "häß'\\\n", []byte{0, 255, 0x27, '\n'}, "12345678901234567890.1200"},
		{int64(-1) << 63, int32(1<<31 - 1), 1e300, at.Truncate(time.Second), int8(0), "2001:db8::1", "FZZZZZZZZZZZZ", "", []byte{}, "-0.0001"},
		null,
	} {
		for i, c := range kinds {
			v, _, err := c.Type.Convert(ctx, row[i])
			if err != nil {
				panic(err)
			}
			row[i] = v
		}
		if err := table.Insert(ctx, row); err != nil {
			panic(err)
		}
	}
	return f
}

func sourceSchema(table string) sql.Schema {
	return sql.Schema{
		{Name: "n", Type: types.Int64, Source: table, DatabaseSource: "wiresql"},
		{Name: "text", Type: types.LongText, Source: table, DatabaseSource: "wiresql", Nullable: true},
	}
}

// source is a leaf whose iterator gives chunks.
type source struct {
	engine *fakeEngine
	rows   int
	failAt int
	width  int
	wait   time.Duration
	text   string
	bug    bool
}

var _ sql.ExecSourceRel = (*source)(nil)

func (s *source) Resolved() bool                             { return true }
func (s *source) String() string                             { return "source" }
func (s *source) Schema() sql.Schema                         { return sourceSchema("source") }
func (s *source) Children() []sql.Node                       { return nil }
func (s *source) WithChildren(...sql.Node) (sql.Node, error) { return s, nil }
func (s *source) IsReadOnly() bool                           { return true }
func (s *source) RowIter(*sql.Context, sql.Row) (sql.RowIter, error) {
	s.engine.running.Add(1)
	return &sourceIter{source: s}, nil
}

type sourceIter struct {
	*source
	at, n int
}

var _ engine.Columnar = (*sourceIter)(nil)

func (it *sourceIter) Next(*sql.Context) (sql.Row, error) {
	return nil, errors.New("rows were taken one by one")
}

func (it *sourceIter) Close(*sql.Context) error {
	it.engine.running.Add(-1)
	return nil
}

func (it *sourceIter) NextChunk(ctx *sql.Context) (engine.Chunk, error) {
	if it.bug {
		panic("a bug")
	}
	if it.wait > 0 {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(it.wait):
		}
	}
	it.at += it.n
	it.n = min(2048, it.rows-it.at)
	if it.failAt > 0 && it.at >= it.failAt {
		return nil, errors.New("packets were evicted meanwhile")
	}
	if it.n == 0 {
		return nil, io.EOF
	}
	return it, nil
}

func (it *sourceIter) Len() int { return it.n }

func (it *sourceIter) AppendText(dst []byte, col, row int) ([]byte, bool) {
	n := it.at + row
	if col == 0 {
		return strconv.AppendInt(dst, int64(n), 10), true
	}
	if n%3 == 2 {
		return dst, false
	}
	if it.text != "" {
		return append(dst, it.text...), true
	}
	dst = append(dst, "row "...)
	for range it.width {
		dst = append(dst, 'x')
	}
	return strconv.AppendInt(dst, int64(n), 10), true
}
