package engine

/*
#include <stdlib.h>

void wiresqlBind(void *info);
void wiresqlInit(void *info);
void wiresqlFill(void *info, void *chunk);
void wiresqlScalar(void *info, void *chunk, void *out);
void wiresqlCalled(void *info, void *chunk, void *out);
void wiresqlRelease(void *handle);
*/
import "C"

import (
	"context"
	"fmt"
	"runtime/cgo"
	"strconv"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/functions"
)

// DuckDB calls these functions from its own threads. A panic that leaves one
// of them would end the process, so each recovers and reports an error to the
// query instead.

// feed is a table DuckDB reads from Go: SELECT … FROM wiresql_packets('handle').
// One statement may read it more than once (a CTE used twice is inlined), so
// start begins a new run each time.
type feed interface {
	columns() []feedColumn
	// start begins a run. wanted lists the columns that are read, by their
	// position in columns, in the order the vectors have.
	start(wanted []int) (feedRun, error)
}

// feedColumn is a column of a feed.
type feedColumn struct {
	name string
	typ  duckdb.Type
}

// feedRun produces the rows of one reading of a feed. fill is called from one
// thread at a time and returns 0 at the end; close is called once, possibly
// before the end, and must stop whatever the run started.
type feedRun interface {
	fill(vectors []vectorWriter, capacity int) (rows int, err error)
	close()
}

// feedFunction is the name of the table function behind all feeds.
const feedFunction = "wiresql_packets"

// publish makes a feed readable under the returned handle until it is
// withdrawn.
func (d *duck) publish(f feed) (handle string) {
	handle = strconv.FormatUint(d.handles.Add(1), 10)
	d.feeds.Store(handle, f)
	return handle
}

func (d *duck) withdraw(handle string) { d.feeds.Delete(handle) }

// box keeps a Go value where C can point at it: a C allocation that holds a
// cgo.Handle, freed by wiresqlRelease.
func box(v any) unsafe.Pointer {
	p := C.malloc(C.size_t(unsafe.Sizeof(cgo.Handle(0))))
	*(*cgo.Handle)(p) = cgo.NewHandle(v)
	return p
}

func unbox[T any](p unsafe.Pointer) T { return (*(*cgo.Handle)(p)).Value().(T) }

//export wiresqlRelease
func wiresqlRelease(p unsafe.Pointer) {
	if p == nil {
		return
	}
	h := *(*cgo.Handle)(p)
	if run, ok := h.Value().(feedRun); ok {
		run.close()
	}
	h.Delete()
	C.free(p)
}

var release = unsafe.Pointer(C.wiresqlRelease)

func recovered(report func(string)) {
	if r := recover(); r != nil {
		report(fmt.Sprintf("internal error: %v", r))
	}
}

//export wiresqlBind
func wiresqlBind(p unsafe.Pointer) {
	info := duckdb.BindInfo{Ptr: p}
	fail := func(msg string) { duckdb.BindSetError(info, msg) }
	defer recovered(fail)
	d := unbox[*duck](duckdb.BindGetExtraInfo(info))
	v := duckdb.BindGetParameter(info, 0)
	handle := duckdb.GetVarchar(v)
	duckdb.DestroyValue(&v)
	f, ok := d.feeds.Load(handle)
	if !ok {
		fail("no such feed: " + handle)
		return
	}
	for _, c := range f.(feed).columns() {
		lt := duckdb.CreateLogicalType(c.typ)
		duckdb.BindAddResultColumn(info, c.name, lt)
		duckdb.DestroyLogicalType(&lt)
	}
	duckdb.BindSetBindData(info, box(f), release)
}

//export wiresqlInit
func wiresqlInit(p unsafe.Pointer) {
	info := duckdb.InitInfo{Ptr: p}
	fail := func(msg string) { duckdb.InitSetError(info, msg) }
	defer recovered(fail)
	f := unbox[feed](duckdb.InitGetBindData(info))
	columns := len(f.columns())
	wanted := make([]int, duckdb.InitGetColumnCount(info))
	for i := range wanted {
		wanted[i] = int(duckdb.InitGetColumnIndex(info, duckdb.IdxT(i)))
		if wanted[i] >= columns { // the row id, when only rows are counted
			wanted[i] = -1
		}
	}
	run, err := f.start(wanted)
	if err != nil {
		fail(err.Error())
		return
	}
	duckdb.InitSetMaxThreads(info, 1)
	duckdb.InitSetInitData(info, box(run), release)
}

//export wiresqlFill
func wiresqlFill(p, chunkPtr unsafe.Pointer) {
	info := duckdb.FunctionInfo{Ptr: p}
	chunk := duckdb.DataChunk{Ptr: chunkPtr}
	fail := func(msg string) { duckdb.FunctionSetError(info, msg) }
	defer recovered(fail)
	run := unbox[feedRun](duckdb.FunctionGetInitData(info))
	vectors := make([]vectorWriter, duckdb.DataChunkGetColumnCount(chunk))
	for i := range vectors {
		vectors[i] = writeVector(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)))
	}
	n, err := run.fill(vectors, vectorSize)
	if err != nil {
		fail(err.Error())
		return
	}
	duckdb.DataChunkSetSize(chunk, duckdb.IdxT(n))
}

// vectorSize is DuckDB's STANDARD_VECTOR_SIZE.
const vectorSize = 2048

// scalar is a Go function DuckDB calls for a chunk at a time.
type scalar struct {
	name string
	args []duckdb.Type
	ret  duckdb.Type
	// call computes out[row] for a row without NULL arguments; a NULL
	// argument gives NULL without asking.
	call func(args []vector, row int, out *vectorWriter) error
}

//export wiresqlScalar
func wiresqlScalar(p, in, out unsafe.Pointer) {
	info := duckdb.FunctionInfo{Ptr: p}
	fail := func(msg string) { duckdb.ScalarFunctionSetError(info, msg) }
	defer recovered(fail)
	s := unbox[*scalar](duckdb.ScalarFunctionGetExtraInfo(info))
	chunk := duckdb.DataChunk{Ptr: in}
	args := make([]vector, len(s.args))
	for i := range args {
		args[i] = readVector(duckdb.DataChunkGetVector(chunk, duckdb.IdxT(i)), resultColumn{typ: s.args[i], store: s.args[i]})
	}
	w := writeVector(duckdb.Vector{Ptr: out})
rows:
	for row := range int(duckdb.DataChunkGetSize(chunk)) {
		for i := range args {
			if args[i].null(row) {
				w.setNull(row)
				continue rows
			}
		}
		if err := s.call(args, row, &w); err != nil {
			fail(err.Error())
			return
		}
	}
}

// registerFunctions teaches the database the feeds and the functions in Go.
func (d *duck) registerFunctions() error {
	conn, err := d.connect()
	if err != nil {
		return err
	}
	defer d.release(conn)

	f := duckdb.CreateTableFunction()
	defer duckdb.DestroyTableFunction(&f)
	duckdb.TableFunctionSetName(f, feedFunction)
	text := duckdb.CreateLogicalType(duckdb.TypeVarchar)
	defer duckdb.DestroyLogicalType(&text)
	duckdb.TableFunctionAddParameter(f, text)
	duckdb.TableFunctionSetExtraInfo(f, box(d), release)
	duckdb.TableFunctionSetBind(f, unsafe.Pointer(C.wiresqlBind))
	duckdb.TableFunctionSetInit(f, unsafe.Pointer(C.wiresqlInit))
	duckdb.TableFunctionSetFunction(f, unsafe.Pointer(C.wiresqlFill))
	duckdb.TableFunctionSupportsProjectionPushdown(f, true)
	if duckdb.RegisterTableFunction(conn, f) == duckdb.StateError {
		return fmt.Errorf("register %s with duckdb", feedFunction)
	}
	for _, s := range append(scalars(), d.absenceFunctions()...) {
		if err := registerScalar(conn, s); err != nil {
			return err
		}
	}
	for name, typ := range callbackTypes {
		if err := d.registerCallback(conn, name, typ); err != nil {
			return err
		}
	}
	return nil
}

// registerCallback registers a function of any arguments behind a handle.
func (d *duck) registerCallback(conn duckdb.Connection, name string, typ duckdb.Type) error {
	f := duckdb.CreateScalarFunction()
	defer duckdb.DestroyScalarFunction(&f)
	duckdb.ScalarFunctionSetName(f, name)
	text, any, ret := duckdb.CreateLogicalType(duckdb.TypeVarchar), duckdb.CreateLogicalType(duckdb.TypeAny), duckdb.CreateLogicalType(typ)
	defer duckdb.DestroyLogicalType(&text)
	defer duckdb.DestroyLogicalType(&any)
	defer duckdb.DestroyLogicalType(&ret)
	duckdb.ScalarFunctionAddParameter(f, text)
	duckdb.ScalarFunctionSetVarargs(f, any)
	duckdb.ScalarFunctionSetReturnType(f, ret)
	duckdb.ScalarFunctionSetSpecialHandling(f)
	duckdb.ScalarFunctionSetExtraInfo(f, box(&caller{d, typ}), release)
	duckdb.ScalarFunctionSetFunction(f, unsafe.Pointer(C.wiresqlCalled))
	if duckdb.RegisterScalarFunction(conn, f) == duckdb.StateError {
		return fmt.Errorf("register function %s with duckdb", name)
	}
	return nil
}

func registerScalar(conn duckdb.Connection, s *scalar) error {
	f := duckdb.CreateScalarFunction()
	defer duckdb.DestroyScalarFunction(&f)
	duckdb.ScalarFunctionSetName(f, s.name)
	for _, t := range s.args {
		lt := duckdb.CreateLogicalType(t)
		if t == duckdb.TypeList { // of INTEGER
			duckdb.DestroyLogicalType(&lt)
			element := duckdb.CreateLogicalType(duckdb.TypeInteger)
			lt = duckdb.CreateListType(element)
			duckdb.DestroyLogicalType(&element)
		}
		duckdb.ScalarFunctionAddParameter(f, lt)
		duckdb.DestroyLogicalType(&lt)
	}
	ret := duckdb.CreateLogicalType(s.ret)
	duckdb.ScalarFunctionSetReturnType(f, ret)
	duckdb.DestroyLogicalType(&ret)
	duckdb.ScalarFunctionSetSpecialHandling(f)
	duckdb.ScalarFunctionSetExtraInfo(f, box(s), release)
	duckdb.ScalarFunctionSetFunction(f, unsafe.Pointer(C.wiresqlScalar))
	if duckdb.RegisterScalarFunction(conn, f) == duckdb.StateError {
		return fmt.Errorf("register function %s with duckdb", s.name)
	}
	return nil
}

// load creates a table from a feed.
func (d *duck) load(ctx context.Context, table string, f feed) error {
	handle := d.publish(f)
	defer d.withdraw(handle)
	return d.exec(ctx, "CREATE OR REPLACE TABLE "+table+" AS SELECT * FROM "+feedFunction+"("+functions.Quote(handle)+")")
}
