package functions

import (
	"slices"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"

	"vitess.io/vitess/go/sqltypes"
)

// ownFunctions puts the functions MySQL does not have into the table.
func ownFunctions() []builtin {
	out := make([]builtin, len(All))
	for i, f := range All {
		_, args, _ := strings.Cut(strings.TrimSuffix(f.Signature(), ")"), "(")
		result := ownType(f.Returns)
		result.Nullable = true
		out[i] = builtin{
			name: f.Name, args: args, doc: f.Doc,
			typed:  of(result),
			eval:   f.evaluator,
			stored: slices.ContainsFunc(f.Args, func(a Arg) bool { return a.Type == types.LongBlob }),
		}
	}
	return out
}

// ownType is a result's type in the table's terms.
func ownType(t sql.Type) Type {
	switch {
	case t == types.Boolean:
		return Type{Kind: Bool}
	case t == types.Float64:
		return Type{Kind: Double}
	case t == types.Int64:
		return Type{Kind: Integer, Bits: 64}
	case types.IsDatetimeType(t):
		return Type{Kind: Time, Scale: 6}
	}
	out := Type{Kind: Text, Collation: Bin, Coercibility: 2}
	if s, ok := t.(sql.StringType); ok && s.MaxCharacterLength() < 1<<16 {
		out.Length = int(s.MaxCharacterLength())
	}
	return out
}

// evaluator evaluates the function over values of a statement. A literal is
// judged when the call is prepared.
func (f *Function) evaluator(c *call) (evaluator, error) {
	fixed := make([]any, len(c.args))
	for i, a := range c.args {
		if !a.Literal || a.Value.IsNull() {
			continue
		}
		v, err := f.convert(i, goValue(a.Type, a.Value))
		if err == nil && f.check != nil {
			err = f.check(i, v)
		}
		if err != nil {
			return nil, f.wrap(err)
		}
		fixed[i] = v
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		values := make([]any, len(c.args))
		for i, a := range c.args {
			switch {
			case fixed[i] != nil:
				values[i] = fixed[i]
			case row[i].IsNull():
				if !f.nulls {
					return sqltypes.NULL, nil
				}
			default:
				var err error
				if values[i], err = f.convert(i, goValue(a.Type, row[i])); err != nil {
					return sqltypes.NULL, f.wrap(err)
				}
			}
		}
		v, err := f.Eval(values)
		if err != nil {
			return sqltypes.NULL, f.wrap(err)
		}
		return sqlValue(v), nil
	}, nil
}

// goValue is a value as Function.Eval knows it.
func goValue(t Type, v sqltypes.Value) any {
	switch t.Kind {
	case Bool, Integer:
		if n, err := v.ToInt64(); err == nil {
			return n
		}
	case Unsigned:
		if n, err := v.ToUint64(); err == nil {
			return n
		}
	case Bytes:
		return v.Raw()
	}
	return v.ToString()
}

func sqlValue(v any) sqltypes.Value {
	switch v := v.(type) {
	case bool:
		return boolValue(v)
	case int64:
		return intValue(v)
	case float64:
		return sqltypes.NewFloat64(v)
	case []byte:
		return sqltypes.MakeTrusted(sqltypes.VarBinary, v)
	case string:
		return textValue([]byte(v))
	case time.Time:
		return sqltypes.MakeTrusted(sqltypes.Datetime, []byte(v.UTC().Format("2006-01-02 15:04:05.000000")))
	}
	return sqltypes.NULL
}
