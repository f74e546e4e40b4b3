package engine

import (
	"reflect"
	"strconv"
	"strings"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/tables"
)

// Row structs of package tables as rows of DuckDB, with the columns and NULLs
// they have in row files.

// rowsFeed is a feed of rows. Columns of lists come as text, their elements
// separated by commas; they are named in lists.
func rowsFeed[T any](rows []T) (f *listFeed, lists []string) {
	typ := reflect.TypeFor[T]()
	f = &listFeed{rows: len(rows)}
	var cells []func(p unsafe.Pointer, to func(int) *vectorWriter, at int)
	for i := range typ.NumField() {
		field := typ.Field(i)
		name := field.Tag.Get("col")
		if stored, _ := tables.StoredOf(field.Type); stored == tables.StoredList {
			lists = append(lists, name)
		}
		cells = append(cells, f.cell(field, name))
	}
	f.write = func(row int, to func(int) *vectorWriter, at int) {
		p := unsafe.Pointer(&rows[row])
		for _, write := range cells {
			write(p, to, at)
		}
	}
	return f, lists
}

// cell adds a field's columns and says how to write them.
func (f *listFeed) cell(field reflect.StructField, name string) func(unsafe.Pointer, func(int) *vectorWriter, int) {
	n, offset := len(f.cols), field.Offset
	stored, optional := tables.StoredOf(field.Type)
	for _, c := range stored.Columns(name) {
		t := duckTypes[c.Type.Duck()]
		if stored == tables.StoredList {
			t = duckdb.TypeVarchar
		}
		f.cols = append(f.cols, feedColumn{c.Name, t})
	}
	switch {
	case stored == tables.StoredInt64 && optional:
		return sometimes[int64](n, offset)
	case stored == tables.StoredInt32 && optional:
		return sometimes[int32](n, offset)
	case stored == tables.StoredTime && optional:
		return sometimes[tables.Time](n, offset)
	case stored == tables.StoredUint64 && optional:
		return sometimes[uint64](n, offset)
	case stored == tables.StoredBool && optional:
		return sometimes[bool](n, offset)
	case stored == tables.StoredAddr && optional:
		return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
			a := (*tables.Opt[tables.Addr])(unsafe.Add(p, offset))
			putOpt(to(n), at, tables.Opt[uint64]{V: a.V.Hi, Set: a.Set})
			putOpt(to(n+1), at, tables.Opt[uint64]{V: a.V.Lo, Set: a.Set})
		}
	case stored == tables.StoredTime, stored == tables.StoredInt64:
		return plain[int64](n, offset)
	case stored == tables.StoredUint64:
		return plain[uint64](n, offset)
	case stored == tables.StoredInt32:
		return plain[int32](n, offset)
	case stored == tables.StoredBool:
		return plain[bool](n, offset)
	case stored == tables.StoredBytes:
		return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
			if b := *(*[]byte)(unsafe.Add(p, offset)); b == nil {
				to(n).setNull(at)
			} else {
				to(n).setBytes(at, b)
			}
		}
	case stored == tables.StoredAddr:
		return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
			a := (*tables.Addr)(unsafe.Add(p, offset))
			put(to(n), at, a.Hi)
			put(to(n+1), at, a.Lo)
		}
	case stored == tables.StoredText:
		return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
			to(n).setTextOrNull(at, *(*string)(unsafe.Add(p, offset)))
		}
	case stored == tables.StoredList:
		return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
			to(n).setTextOrNull(at, listText(*(*[]int32)(unsafe.Add(p, offset))))
		}
	}
	panic("no column type for " + field.Type.String())
}

func plain[T any](n int, offset uintptr) func(unsafe.Pointer, func(int) *vectorWriter, int) {
	return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
		put(to(n), at, *(*T)(unsafe.Add(p, offset)))
	}
}

func sometimes[T any](n int, offset uintptr) func(unsafe.Pointer, func(int) *vectorWriter, int) {
	return func(p unsafe.Pointer, to func(int) *vectorWriter, at int) {
		putOpt(to(n), at, *(*tables.Opt[T])(unsafe.Add(p, offset)))
	}
}

func listText(list []int32) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = strconv.Itoa(int(n))
	}
	return strings.Join(text, ",")
}
