package engine

import (
	"fmt"
	"hash/maphash"
	"math"
	"sync/atomic"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/wiresql/wiresql/functions"
)

// duckTypes maps the type names of functions.UDFSpec.
var duckTypes = map[string]duckdb.Type{
	"BOOLEAN":   duckdb.TypeBoolean,
	"INTEGER":   duckdb.TypeInteger,
	"BIGINT":    duckdb.TypeBigInt,
	"UBIGINT":   duckdb.TypeUBigInt,
	"DOUBLE":    duckdb.TypeDouble,
	"VARCHAR":   duckdb.TypeVarchar,
	"BLOB":      duckdb.TypeBlob,
	"TIMESTAMP": duckdb.TypeTimestamp,
}

// scalars adapts the functions that have no form in DuckDB's SQL.
func scalars() []*scalar {
	out := make([]*scalar, len(functions.UDFs))
	for i, spec := range functions.UDFs {
		s := &scalar{name: spec.Name, ret: duckTypes[spec.Return]}
		for _, a := range spec.Args {
			s.args = append(s.args, duckTypes[a])
		}
		result := func(args []vector, row int) (any, error) {
			values := make([]any, len(args))
			for i := range args {
				values[i] = args[i].value(row)
			}
			return spec.Fn(values)
		}
		if ofNames[spec.Name] {
			results, computed := &repeated{}, result
			result = func(args []vector, row int) (any, error) {
				return results.of(args[0].bytes(row), func() (any, error) { return computed(args, row) })
			}
		}
		s.call = func(args []vector, row int, out *vectorWriter) error {
			v, err := result(args, row)
			if err != nil {
				return fmt.Errorf("%s: %w", spec.Name, err)
			}
			return out.set(row, v)
		}
		out[i] = s
	}
	return out
}

// ofNames are functions of one text that is a name mostly: a million rows have some
// thousand of them.
var ofNames = map[string]bool{"wiresql_registered_domain": true, "wiresql_entropy": true}

// repeated has results of a function by its text, one at each place, of all statements:
// they depend on nothing else. That is 2 MB of names as they are, 5 MB at most.
type repeated [1 << 13]atomic.Pointer[known]

type known struct {
	text  string
	value any
}

// longestRepeated is up to how many bytes of text a result is kept.
const longestRepeated = 255

var repeatedSeed = maphash.MakeSeed()

// of is what is computed of a text, or was.
func (r *repeated) of(text []byte, compute func() (any, error)) (any, error) {
	place := &r[maphash.Bytes(repeatedSeed, text)%uint64(len(r))]
	if k := place.Load(); k != nil && k.text == string(text) {
		return k.value, nil
	}
	v, err := compute()
	if err == nil && len(text) <= longestRepeated {
		place.Store(&known{string(text), v})
	}
	return v, err
}

// value boxes an entry that is not NULL. Text and blobs are copied.
func (v *vector) value(row int) any {
	switch v.typ {
	case duckdb.TypeBoolean:
		return at[bool](v, row)
	case duckdb.TypeInteger:
		return at[int32](v, row)
	case duckdb.TypeBigInt, duckdb.TypeTimestamp:
		return at[int64](v, row)
	case duckdb.TypeUBigInt:
		return at[uint64](v, row)
	case duckdb.TypeDouble:
		return at[float64](v, row)
	case duckdb.TypeVarchar:
		return string(v.bytes(row))
	case duckdb.TypeBlob:
		return append([]byte{}, v.bytes(row)...)
	}
	return nil
}

// set stores a value a Go function returned; nil is NULL.
func (w *vectorWriter) set(row int, v any) error {
	switch v := v.(type) {
	case nil:
		w.setNull(row)
	case bool:
		put(w, row, v)
	case int32:
		put(w, row, v)
	case int64:
		put(w, row, v)
	case uint64:
		put(w, row, v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			w.setNull(row)
			return nil
		}
		put(w, row, v)
	case string:
		w.setText(row, v)
	case []byte:
		w.setBytes(row, v)
	default:
		return fmt.Errorf("a function returned %T", v)
	}
	return nil
}
