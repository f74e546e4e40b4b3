package engine

import "C"

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	"vitess.io/vitess/go/sqltypes"

	"github.com/wiresql/wiresql/engine/pushdown"
	"github.com/wiresql/wiresql/functions"
)

// Functions of the function table that DuckDB calls back: mysql_text('handle',
// arguments…) and its kin, one for each DuckDB type of a result. The handle
// names what a running statement has published.

// called is a function of a running statement.
type called struct {
	run  *run
	made *functions.Prepared
	// row holds the constant arguments; from are the places of the others, in
	// the order DuckDB passes them, and types what they are.
	row   []sqltypes.Value
	from  []int
	types []functions.Type
}

// callbackTypes are the results, by the functions' names.
var callbackTypes = map[string]duckdb.Type{
	"mysql_bool": duckdb.TypeBoolean, "mysql_bigint": duckdb.TypeBigInt, "mysql_ubigint": duckdb.TypeUBigInt, "mysql_double": duckdb.TypeDouble,
	"mysql_text": duckdb.TypeVarchar, "mysql_blob": duckdb.TypeBlob, "mysql_timestamp": duckdb.TypeTimestamp, "mysql_date": duckdb.TypeDate,
}

// caller is what a callback function of DuckDB's knows.
type caller struct {
	duck *duck
	typ  duckdb.Type
}

//export wiresqlCalled
func wiresqlCalled(p, in, out unsafe.Pointer) {
	info := duckdb.FunctionInfo{Ptr: p}
	fail := func(msg string) { duckdb.ScalarFunctionSetError(info, msg) }
	defer recovered(fail)
	who := unbox[*caller](duckdb.ScalarFunctionGetExtraInfo(info))
	chunk := duckdb.DataChunk{Ptr: in}
	rows := int(duckdb.DataChunkGetSize(chunk))
	if rows == 0 {
		return
	}
	handles := readVector(duckdb.DataChunkGetVector(chunk, 0), resultColumn{typ: duckdb.TypeVarchar, store: duckdb.TypeVarchar})
	f, ok := who.duck.called.Load(string(handles.bytes(0)))
	if !ok {
		fail("no such function: " + string(handles.bytes(0)))
		return
	}
	w := writeVector(duckdb.Vector{Ptr: out})
	if err := f.(*called).evaluate(chunk, rows, who.typ, &w); err != nil {
		fail(callbackError(err))
	}
}

// callbackError writes an error so that the number and state of MySQL survive
// the way through DuckDB, which keeps only text.
func callbackError(err error) string {
	if e, ok := err.(*functions.SQLError); ok {
		return fmt.Sprintf("\x01%d %s %s", e.Number, e.State, e.Message)
	}
	// What a function of ours says of its arguments is guidance, and goes out
	// as such.
	var misuse *functions.Error
	if errors.As(err, &misuse) {
		return fmt.Sprintf("\x01%d %s %s", 1064, "42000", err)
	}
	return err.Error()
}

// calledError undoes callbackError; nil when the text is none.
func calledError(text string) error {
	_, rest, ok := strings.Cut(text, "\x01")
	if !ok {
		return nil
	}
	number, rest, _ := strings.Cut(rest, " ")
	state, message, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	return &functions.SQLError{Number: n, State: state, Message: message}
}

// evaluate computes a chunk of results.
func (c *called) evaluate(chunk duckdb.DataChunk, rows int, typ duckdb.Type, w *vectorWriter) error {
	args := make([]vector, len(c.from))
	for i := range args {
		v := duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i+1))
		lt := duckdb.VectorGetColumnType(v)
		col := resultColumn{typ: duckdb.GetTypeId(lt)}
		if col.store = col.typ; col.typ == duckdb.TypeDecimal {
			col.scale, col.store = int(duckdb.DecimalScale(lt)), duckdb.DecimalInternalType(lt)
		}
		duckdb.DestroyLogicalType(&lt)
		args[i] = readVector(v, col)
	}
	row := make([]sqltypes.Value, len(c.row))
	copy(row, c.row)
	var buf []byte
	for r := range rows {
		if r&255 == 0 {
			if err := c.run.ctx.Err(); err != nil {
				return context.Cause(c.run.ctx)
			}
		}
		buf = buf[:0]
		for i := range args {
			start := len(buf)
			var t sqltypes.Type
			buf, t = appendArgument(buf, &args[i], r, c.types[i])
			if t == sqltypes.Null {
				row[c.from[i]] = sqltypes.NULL
				continue
			}
			// A later argument may move the buffer; the old one stays alive.
			row[c.from[i]] = sqltypes.MakeTrusted(t, buf[start:len(buf):len(buf)])
		}
		v, err := c.made.Eval(row)
		if err == nil {
			err = writeResult(w, r, typ, v, c.made.Type)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// appendArgument writes a value in the form the function table reads.
func appendArgument(dst []byte, v *vector, row int, t functions.Type) ([]byte, sqltypes.Type) {
	if v.null(row) {
		return dst, sqltypes.Null
	}
	switch v.typ {
	case duckdb.TypeVarchar:
		typ := sqltypes.VarChar
		if t.Kind == functions.JSON {
			typ = sqltypes.TypeJSON
		}
		return append(dst, v.bytes(row)...), typ
	case duckdb.TypeBlob:
		return append(dst, v.bytes(row)...), sqltypes.VarBinary
	case duckdb.TypeTimestamp:
		return appendTime(dst, v.int64(row), t.Scale), sqltypes.Datetime
	case duckdb.TypeDate:
		return appendDate(dst, v.int64(row)), sqltypes.Date
	case duckdb.TypeDouble, duckdb.TypeFloat:
		return strconv.AppendFloat(dst, v.float64(row), 'g', -1, 64), sqltypes.Float64
	case duckdb.TypeUBigInt:
		return strconv.AppendUint(dst, v.uint64(row), 10), sqltypes.Uint64
	case duckdb.TypeDecimal:
		return v.appendNumber(dst, row), sqltypes.Decimal
	case duckdb.TypeHugeInt:
		return v.appendNumber(dst, row), sqltypes.Decimal
	case duckdb.TypeSQLNull:
		return dst, sqltypes.Null
	}
	if t.Kind == functions.Clock {
		return appendClock(dst, v.int64(row), t.Scale), sqltypes.Time
	}
	return strconv.AppendInt(dst, v.int64(row), 10), sqltypes.Int64
}

// clock reads a TIME as µs.
func clock(text string) (int64, bool) {
	us, _, ok := pushdown.ParseClock(text)
	return us, ok
}

// writeResult stores what an evaluation gave.
func writeResult(w *vectorWriter, row int, typ duckdb.Type, v sqltypes.Value, t functions.Type) error {
	if v.IsNull() {
		w.setNull(row)
		return nil
	}
	raw := v.Raw()
	text := unsafe.String(unsafe.SliceData(raw), len(raw))
	// Not the value: it may be of packets, which errors never show.
	bad := func(err error) error {
		return fmt.Errorf("a function gave %d bytes that are no %s: %w", len(raw), t, errors.Unwrap(err))
	}
	switch typ {
	case duckdb.TypeBoolean:
		put(w, row, text != "0")
	case duckdb.TypeBigInt:
		if t.Kind == functions.Clock {
			us, ok := clock(text)
			if !ok {
				return bad(strconv.ErrSyntax)
			}
			put(w, row, us)
			return nil
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return bad(err)
		}
		put(w, row, n)
	case duckdb.TypeUBigInt:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return bad(err)
		}
		put(w, row, n)
	case duckdb.TypeDouble:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return bad(err)
		}
		put(w, row, f)
	case duckdb.TypeBlob:
		w.setBytes(row, raw)
	case duckdb.TypeTimestamp, duckdb.TypeDate:
		at, err := time.Parse("2006-01-02 15:04:05.999999", text)
		if err != nil {
			at, err = time.Parse("2006-01-02", text)
		}
		switch {
		case err != nil:
			w.setNull(row) // 0000-00-00: no such day
		case typ == duckdb.TypeDate:
			put(w, row, int32(floorDiv(at.Unix(), 86400)))
		default:
			put(w, row, at.UnixMicro())
		}
	default:
		if t.Kind == functions.Decimal {
			rounded, err := functions.Conform(v, t)
			if err != nil {
				return err
			}
			raw = rounded.Raw()
		} else if !utf8.Valid(raw) {
			return &functions.SQLError{Number: 1366, State: "HY000", Message: "a function gave bytes that are no UTF-8 text: CAST its argument to text, or its result AS BINARY"}
		}
		w.setBytes(row, raw)
	}
	return nil
}
