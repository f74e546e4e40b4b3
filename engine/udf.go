package engine

import (
	"fmt"
	"math"

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
		s.call = func(args []vector, row int, out *vectorWriter) error {
			values := make([]any, len(args))
			for i := range args {
				values[i] = args[i].value(row)
			}
			v, err := spec.Fn(values)
			if err != nil {
				return fmt.Errorf("%s: %w", spec.Name, err)
			}
			return out.set(row, v)
		}
		out[i] = s
	}
	return out
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
