package engine

import (
	"context"
	"fmt"
	"io"
	"math/big"
	"strconv"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/vt/proto/query"
	duckdb "github.com/duckdb/duckdb-go-bindings"
	"github.com/shopspring/decimal"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// Columnar is a result that can be taken in chunks of columns: the wire writes
// their text without a Go value per cell. Every query that is compiled returns
// one. Rows and chunks must not be mixed.
type Columnar interface {
	sql.RowIter
	// NextChunk returns the next rows, or io.EOF. The chunk is valid until
	// the next call.
	NextChunk(ctx *sql.Context) (Chunk, error)
}

// Chunk is up to 2,048 rows in columns.
type Chunk interface {
	Len() int
	// AppendText appends a cell as MySQL text; notNull is false, and dst
	// unchanged, for NULL.
	AppendText(dst []byte, col, row int) (out []byte, notNull bool)
}

// result reads a cursor as typed rows or chunks. Addresses, ids and MACs are
// numbers up to here and become text now, for the rows that are left.
type result struct {
	cur     *cursor
	columns []resultField
	chunk   typedChunk
	row     int // next row of chunk, when rows are taken
	// first is the first chunk, nil for none, once begun.
	first *chunkView
	begun bool
	// finish runs once, when the result is closed.
	finish func()
	// run is what it is the result of.
	run *run
}

// resultField says how a declared column is read from DuckDB's.
type resultField struct {
	kind   pushdown.Kind
	typ    sql.Type
	a, b   int // positions of the vectors; b is the low half of an address
	digits int // of fractional seconds, and of doubles that have some
	date   bool
	base   query.Type
	zone   *functions.Zone // that shows points of time; nil for UTC
}

type typedChunk struct {
	*chunkView
	columns []resultField
}

var _ Columnar = (*result)(nil)

// newResult matches the declared columns with the cursor's by name. It takes
// over the cursor, also when it fails. zone shows points of time.
func newResult(cur *cursor, columns []pushdown.Column, zone *functions.Zone, finish func()) (*result, error) {
	r := &result{cur: cur, finish: finish}
	at := make(map[string]int, len(cur.columns))
	for i, c := range cur.columns {
		at[c.name] = i
	}
	for _, c := range columns {
		name := "c" + strconv.FormatUint(uint64(c.ID), 10)
		f := fieldOf(c.Type, zone)
		main, low := name, ""
		switch c.Kind {
		case pushdown.Address:
			main, low = name+"h", name+"l"
		case pushdown.Community:
			main = name + "t"
		}
		var ok bool
		if f.a, ok = at[main]; ok && low != "" {
			f.b, ok = at[low]
		}
		if !ok {
			r.close()
			return nil, fmt.Errorf("compiled query has no column %s for %s", main, c.Name)
		}
		r.columns = append(r.columns, f)
	}
	return r, nil
}

func fieldOf(t pushdown.Type, zone *functions.Zone) resultField {
	f := resultField{kind: t.Kind, typ: functions.SQLType(t), b: -1, digits: t.Scale, date: t.Kind == pushdown.Date}
	f.base = f.typ.Type()
	if t.Instant {
		f.zone = zone
	}
	return f
}

// local is what clocks show at a time.
func local(zone *functions.Zone, utc int64) int64 {
	if zone == nil {
		return utc
	}
	return zone.Local(utc)
}

func (r *result) close() error {
	if r.cur == nil {
		return nil
	}
	r.cur.close()
	r.cur = nil
	if r.finish != nil {
		r.finish()
	}
	return nil
}

// Close implements sql.RowIter.
func (r *result) Close(*sql.Context) error { return r.close() }

// NextChunk implements Columnar.
func (r *result) NextChunk(*sql.Context) (Chunk, error) {
	view, err := r.fetch()
	if err != nil {
		return nil, err
	}
	r.chunk = typedChunk{view, r.columns}
	return &r.chunk, nil
}

func (r *result) source() *run { return r.run }

// begin fetches the first chunk.
func (r *result) begin() (err error) {
	r.first, err = r.cur.next()
	r.begun = true
	return err
}

func (r *result) next() (*chunkView, error) {
	if r.begun {
		r.begun = false
		return r.first, nil
	}
	return r.cur.next()
}

func (r *result) fetch() (*chunkView, error) {
	if r.cur == nil {
		return nil, io.EOF
	}
	view, err := r.next()
	if err != nil {
		if r.run != nil && r.run.engine.archive.LeaveOut(err) {
			err = userError("%v: what was sent is not all; asked again, the answer leaves the file out", err)
		}
		return nil, err
	}
	if view == nil {
		if r.run != nil {
			if err := r.run.ended(); err != nil {
				return nil, err
			}
		}
		return nil, io.EOF
	}
	return view, nil
}

// Next implements sql.RowIter.
func (r *result) Next(ctx *sql.Context) (sql.Row, error) {
	for r.chunk.chunkView == nil || r.row >= r.chunk.n {
		view, err := r.fetch()
		if err != nil {
			return nil, err
		}
		r.chunk, r.row = typedChunk{view, r.columns}, 0
	}
	row := make(sql.Row, len(r.columns))
	for i := range r.columns {
		v, err := r.chunk.value(ctx, i, r.row)
		if err != nil {
			return nil, err
		}
		row[i] = v
	}
	r.row++
	return row, nil
}

// Len implements Chunk.
func (c *typedChunk) Len() int { return c.n }

// AppendText implements Chunk.
func (c *typedChunk) AppendText(dst []byte, col, row int) ([]byte, bool) {
	f := &c.columns[col]
	v := &c.vectors[f.a]
	if v.null(row) {
		return dst, false
	}
	switch f.kind {
	case pushdown.Address:
		return tables.Addr{Hi: v.uint64(row), Lo: c.vectors[f.b].uint64(row)}.AppendTo(dst), true
	case pushdown.ID:
		return tables.ID(v.uint64(row)).AppendTo(dst), true
	case pushdown.MAC:
		return tables.AppendMAC(dst, uint64(v.int64(row))), true
	case pushdown.Clock:
		return appendClock(dst, v.int64(row), f.digits), true
	}
	switch v.typ {
	case duckdb.TypeVarchar, duckdb.TypeBlob:
		return append(dst, v.bytes(row)...), true
	case duckdb.TypeTimestamp:
		if f.date {
			return appendDate(dst, floorDiv(v.int64(row), 86400e6)), true
		}
		return appendTime(dst, local(f.zone, v.int64(row)), f.digits), true
	case duckdb.TypeDate:
		if !f.date {
			return appendTime(dst, v.int64(row)*86400e6, f.digits), true
		}
		return appendDate(dst, v.int64(row)), true
	}
	if f.kind == pushdown.Double && f.digits > 0 {
		return functions.AppendDouble(dst, v.float64(row), f.digits), true
	}
	return v.appendNumber(dst, row), true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// value boxes a cell as go-mysql-server's operators expect it for the declared
// type.
func (c *typedChunk) value(ctx context.Context, col, row int) (any, error) {
	f := &c.columns[col]
	v := &c.vectors[f.a]
	if v.null(row) {
		return nil, nil
	}
	switch f.kind {
	case pushdown.Address, pushdown.ID, pushdown.MAC, pushdown.JSON:
		b, _ := c.AppendText(nil, col, row)
		return string(b), nil
	case pushdown.Clock:
		return types.Timespan(v.int64(row)), nil
	}
	var out any
	switch v.typ {
	case duckdb.TypeVarchar:
		if types.IsTextOnly(f.typ) || f.kind == pushdown.Community {
			return string(v.bytes(row)), nil
		}
		out = string(v.bytes(row))
	case duckdb.TypeBlob:
		return append([]byte{}, v.bytes(row)...), nil
	case duckdb.TypeTimestamp:
		out = time.UnixMicro(local(f.zone, v.int64(row))).UTC()
		if !f.date {
			return out, nil
		}
	case duckdb.TypeDate:
		return time.Unix(v.int64(row)*86400, 0).UTC(), nil
	case duckdb.TypeDouble, duckdb.TypeFloat:
		if f.base == query.Type_FLOAT64 {
			return v.float64(row), nil
		}
		out = v.float64(row)
	case duckdb.TypeUBigInt:
		if f.base == query.Type_UINT64 {
			return v.uint64(row), nil
		}
		out = v.uint64(row)
	case duckdb.TypeHugeInt, duckdb.TypeDecimal:
		small, large := v.unscaled(row)
		if large == nil {
			large = big.NewInt(small)
		}
		d := decimal.NewFromBigInt(large, int32(-v.scale))
		if f.base == query.Type_DECIMAL {
			return d, nil
		}
		out = d
	default:
		n := v.int64(row)
		switch f.base {
		case query.Type_INT8:
			return int8(n), nil
		case query.Type_INT16:
			return int16(n), nil
		case query.Type_INT32:
			return int32(n), nil
		case query.Type_INT64:
			return n, nil
		case query.Type_UINT64:
			return uint64(n), nil
		}
		out = n
	}
	out, _, err := f.typ.Convert(ctx, out)
	return out, err
}
