package engine

import "C"

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"strconv"
	"strings"
	"sync"
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
	name  string
	// most is how many bytes the results of a chunk may have together: DuckDB
	// does not count them as memory.
	most int
	// volatile: the same arguments may give another result.
	volatile bool
	workers  sync.Pool
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

// callbackError writes an error so that MySQL's number survives the
// way through DuckDB, which keeps only text.
func callbackError(err error) string {
	if e, ok := err.(*functions.SQLError); ok {
		return fmt.Sprintf("\x01%d %s", e.Number, e.Message)
	}
	// What a function of ours says of its arguments is guidance, and goes out
	// as such.
	var misuse *functions.Error
	if errors.As(err, &misuse) {
		return fmt.Sprintf("\x01%d %s", 1064, err)
	}
	return err.Error()
}

// calledError undoes callbackError; nil when the text is none.
func calledError(text string) error {
	_, rest, ok := strings.Cut(text, "\x01")
	if !ok {
		return nil
	}
	number, message, _ := strings.Cut(rest, " ")
	n, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	return &functions.SQLError{Number: n, Message: message}
}

// worker is what evaluates on one thread at a time: buffers, and results it
// remembers.
type worker struct {
	args []vector
	row  []sqltypes.Value
	buf  []byte // arguments in the form the function table reads
	key  []byte
	memo memo
}

// memo remembers results by the bytes of their arguments, one at each place:
// columns with few values, and rows in order, ask for the same again. What is
// asked with ever other arguments gives it up.
type memo struct {
	of           []remembered // nil until something is
	asked, found int
	off          bool
}

type remembered struct {
	key, raw []byte
	value    sqltypes.Value // of raw
	set      bool
}

const (
	// memoSize is how many results a worker remembers, a power of two, and
	// memoBytes how large arguments and result may be together.
	memoSize, memoBytes = 1024, 256
	// memoTrial is after how many rows it is seen whether one in eight was
	// remembered.
	memoTrial = 8192
)

var memoSeed = maphash.MakeSeed()

// at is the place of a key, nil when nothing is remembered of this call.
func (m *memo) at(key []byte) (r *remembered, hit bool) {
	if m.off || len(key) > memoBytes {
		return nil, false
	}
	if m.of == nil {
		m.of = make([]remembered, memoSize)
	}
	if m.asked++; m.asked == memoTrial {
		if m.found < memoTrial/8 {
			m.of, m.off = nil, true
			return nil, false
		}
		m.asked, m.found = 0, 0
	}
	r = &m.of[maphash.Bytes(memoSeed, key)&(memoSize-1)]
	hit = r.set && bytes.Equal(r.key, key)
	if hit {
		m.found++
	}
	return r, hit
}

// put remembers a result.
func (r *remembered) put(key []byte, v sqltypes.Value) {
	if r.set = len(key)+v.Len() <= memoBytes; r.set {
		// The value may be of an argument's bytes, which are written over.
		r.key, r.raw = append(r.key[:0], key...), append(r.raw[:0], v.Raw()...)
		r.value = sqltypes.MakeTrusted(v.Type(), r.raw)
	}
}

// worker takes one that is free.
func (c *called) worker() *worker {
	if w, ok := c.workers.Get().(*worker); ok {
		return w
	}
	w := &worker{args: make([]vector, len(c.from)), row: make([]sqltypes.Value, len(c.row))}
	copy(w.row, c.row)
	w.memo.off = c.volatile || len(c.from) == 0
	return w
}

// evaluate computes a chunk of results.
func (c *called) evaluate(chunk duckdb.DataChunk, rows int, typ duckdb.Type, out *vectorWriter) error {
	w := c.worker()
	defer c.workers.Put(w)
	for i := range w.args {
		v := duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i+1))
		lt := duckdb.VectorGetColumnType(v)
		col := resultColumn{typ: duckdb.GetTypeId(lt)}
		if col.store = col.typ; col.typ == duckdb.TypeDecimal {
			col.scale, col.store = int(duckdb.DecimalScale(lt)), duckdb.DecimalInternalType(lt)
		}
		duckdb.DestroyLogicalType(&lt)
		w.args[i] = readVector(v, col)
	}
	made := 0
	for r := range rows {
		// Each row: one may take a tenth of a second.
		if err := c.run.ctx.Err(); err != nil {
			return context.Cause(c.run.ctx)
		}
		var place *remembered
		if !w.memo.off {
			w.key = w.key[:0]
			for i := range w.args {
				w.key = w.args[i].appendRaw(w.key, r)
			}
			var hit bool
			if place, hit = w.memo.at(w.key); hit {
				if err := writeResult(out, r, typ, place.value, c.made.Type); err != nil {
					return err
				}
				continue
			}
		}
		w.buf = w.buf[:0]
		for i := range w.args {
			start := len(w.buf)
			var t sqltypes.Type
			w.buf, t = appendArgument(w.buf, &w.args[i], r, c.types[i])
			if t == sqltypes.Null {
				w.row[c.from[i]] = sqltypes.NULL
				continue
			}
			// A later argument may move the buffer; the old one stays alive.
			w.row[c.from[i]] = sqltypes.MakeTrusted(t, w.buf[start:len(w.buf):len(w.buf)])
		}
		v, err := c.made.Eval(w.row)
		if made += v.Len(); made > c.most {
			err = functions.Errorf(1041, "Out of memory: %s gives more than %s for %d rows; "+
				"rows are computed %d at a time: make its texts shorter or ask for fewer rows", c.name, byteText(int64(c.most)), r+1, vectorSize)
		}
		if err == nil {
			err = writeResult(out, r, typ, v, c.made.Type)
		}
		if err != nil {
			return err
		}
		if place != nil {
			place.put(w.key, v)
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
		return v.appendNumber(dst, row), sqltypes.Float64
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
		us, ok := parseTime(text)
		switch {
		case !ok:
			w.setNull(row) // 0000-00-00: no such day
		case typ == duckdb.TypeDate:
			put(w, row, int32(floorDiv(us, microsOfDay)))
		default:
			put(w, row, us)
		}
	default:
		if t.Kind == functions.Decimal {
			rounded, err := functions.Conform(v, t)
			if err != nil {
				return err
			}
			raw = rounded.Raw()
		} else if !utf8.Valid(raw) {
			return functions.Errorf(1366, "a function gave bytes that are no UTF-8 text: CAST its argument to text, or its result AS BINARY")
		}
		w.setBytes(row, raw)
	}
	return nil
}

// mostText is how many bytes of text a function may give for a chunk.
func (e *Engine) mostText() int { return int(max(e.cfg.MemoryLimit/8, 64<<20)) }
