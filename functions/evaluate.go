package functions

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/mysql/config"
	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
	"vitess.io/vitess/go/vt/vtenv"
	"vitess.io/vitess/go/vt/vtgate/evalengine"
)

// evaluator computes one row's result. See Prepared.Eval.
type evaluator func(row []sqltypes.Value) (sqltypes.Value, error)

// environment is vitess's: collations and the version whose behaviour counts.
var environment = sync.OnceValue(func() *vtenv.Environment {
	env, err := vtenv.New(vtenv.Options{MySQLServerVersion: "8.0.40"})
	if err != nil {
		panic(err) // the version does not parse
	}
	return env
})

// surroundings is what evalengine asks about the session.
type surroundings struct {
	zone *time.Location
	mode string
}

func (s surroundings) TimeZone() *time.Location        { return s.zone }
func (s surroundings) GetKeyspace() string             { return "" }
func (s surroundings) SQLMode() string                 { return s.mode }
func (s surroundings) Environment() *vtenv.Environment { return environment() }
func (s surroundings) SetLastInsertID(uint64)          {}

func (s *Session) surroundings() surroundings {
	out := surroundings{s.zone().location, s.SQLMode}
	if out.mode == "" {
		out.mode = config.DefaultSQLMode
	}
	return out
}

// bySQL evaluates a call with vitess's evalengine. It is compiled when the
// first row comes: most calls are DuckDB's.
func (c *call) bySQL() (evaluator, error) {
	id, _, err := c.mixed(c.args)
	if err != nil {
		return nil, err
	}
	compile := sync.OnceValues(func() (evaluator, error) { return c.compile(id) })
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		eval, err := compile()
		if err != nil {
			return sqltypes.NULL, err
		}
		return eval(row)
	}, nil
}

// compile makes the evaluation of a call whose texts are of one collation.
func (c *call) compile(id collations.ID) (evaluator, error) {
	if id == collations.CollationBinaryID {
		id = c.s.collation()
		for _, a := range c.args {
			if a.Type.Kind.Textual() && a.Type.Kind != JSON {
				id, _ = a.Type.collation()
				break
			}
		}
	}
	id = unicodeCollation(id)
	counted, texts := c.counted(), c.readAsShown()
	node := replaceArguments(c.node, func(i int) sqlparser.Expr {
		if i >= len(c.args) {
			return &sqlparser.NullVal{}
		}
		a := c.args[i]
		if a.Literal && slices.Contains(counted, i) {
			a.Value = number(a.Value)
		}
		if a.Literal && slices.Contains(texts, i) {
			if v, err := show(a.Value, a.Type); err == nil && !v.IsNull() {
				a.Value, a.Type = textValue(v.Raw()), Type{Kind: Text}
			}
		}
		if lit := literalNode(a, id); lit != nil {
			return lit
		}
		return sqlparser.NewColName(fmt.Sprintf("a%d", i))
	})
	position := func(e sqlparser.Expr) int {
		i := -1
		if col, ok := e.(*sqlparser.ColName); ok {
			_, _ = fmt.Sscanf(col.Name.String(), "a%d", &i)
		}
		return i
	}
	cfg := &evalengine.Config{
		Collation:         id,
		Environment:       environment(),
		SQLMode:           evalengine.ParseSQLMode(c.s.surroundings().mode),
		NoConstantFolding: true,
		ResolveColumn:     func(col *sqlparser.ColName) (int, error) { return position(col), nil },
		ResolveType: func(e sqlparser.Expr) (evalengine.Type, bool) {
			if i := position(e); i >= 0 {
				t := c.args[i].Type
				if slices.Contains(texts, i) {
					t = Type{Kind: Text}
				}
				t.Nullable = true // code that trusts a type would read what is not there
				return t.evalengine(id), true
			}
			return evalengine.Type{}, false
		},
	}
	expr, err := translate(node, cfg)
	if err != nil {
		return nil, err
	}
	around := c.s.surroundings()
	pool := &sync.Pool{New: func() any {
		env := evalengine.NewExpressionEnv(context.Background(), nil, around)
		env.SetTime(c.instant())
		return env
	}}
	return func(row []sqltypes.Value) (value sqltypes.Value, err error) {
		env := pool.Get().(*evalengine.ExpressionEnv)
		defer func() {
			if p := recover(); p != nil { // and env is not used again
				value, err = sqltypes.NULL, Errorf(1105, "%s failed: %v", c.name, p)
				return
			}
			pool.Put(env)
		}()
		if len(counted)+len(texts) > 0 {
			row = slices.Clone(row)
			for _, i := range texts {
				if !row[i].IsNull() {
					row[i] = textValue(row[i].Raw())
				}
			}
			for _, i := range counted {
				row[i] = number(row[i])
			}
		}
		env.Row = row
		r, err := env.Evaluate(expr)
		if err != nil {
			return sqltypes.NULL, mysqlError(err)
		}
		v := r.Value(collations.CollationUtf8mb4ID)
		// The bytes may be those of the row, which its owner fills again.
		return sqltypes.MakeTrusted(v.Type(), bytes.Clone(v.Raw())), nil
	}, nil
}

// unicodeCollation is the collation that compares UTF-8 as id compares texts
// of its own character set: values are UTF-8 whatever their declared set.
func unicodeCollation(id collations.ID) collations.ID {
	l := colldata.Lookup(id)
	if l == nil {
		return Default
	}
	switch set := l.Charset().Name(); {
	case set == "utf8mb4" || set == "utf8mb3" || set == "binary":
		return id
	case strings.HasSuffix(l.Name(), "_bin"):
		return Bin
	}
	return generalCI
}

// generalCI is utf8mb4_general_ci.
const generalCI collations.ID = 45

// translate compiles for evalengine. What it panics on is refused.
func translate(node sqlparser.Expr, cfg *evalengine.Config) (expr evalengine.Expr, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = Errorf(1235, "%s can't be evaluated: %v", sqlparser.String(node), p)
		}
	}()
	if expr, err = evalengine.Translate(node, cfg); err != nil {
		cfg.NoCompilation = true
		if expr, err = evalengine.Translate(node, cfg); err != nil {
			return nil, mysqlError(err)
		}
	}
	return expr, nil
}

// literalNode is an argument as a literal, where the parser has one for it
// whose collation is id; otherwise nil.
func literalNode(a Argument, id collations.ID) sqlparser.Expr {
	if a.Type.Kind == Null || a.Literal && a.Value.IsNull() {
		return &sqlparser.NullVal{}
	}
	if !a.Literal {
		return nil
	}
	text := a.Value.ToString()
	lit := func(t sqlparser.ValType) sqlparser.Expr { return &sqlparser.Literal{Type: t, Val: text} }
	negative := strings.HasPrefix(text, "-")
	switch a.Type.Kind {
	case Integer, Unsigned:
		if !negative && a.Type.Kind == Integer {
			return lit(sqlparser.IntVal)
		}
	case Text:
		return lit(sqlparser.StrVal)
	case Bytes:
		if a.Hex {
			return &sqlparser.Literal{Type: sqlparser.HexVal, Val: hex.EncodeToString(a.Value.Raw())}
		}
	}
	return nil
}

// evalengine is the type in vitess's terms; text is compared in id.
func (t Type) evalengine(id collations.ID) evalengine.Type {
	numbers := collations.ID(collations.CollationBinaryID)
	switch t.Kind {
	case Null:
		return evalengine.NewTypeEx(sqltypes.Null, numbers, true, 0, 0, nil)
	case Bool, Integer:
		return evalengine.NewTypeEx(sqltypes.Int64, numbers, t.Nullable, 0, 0, nil)
	case Unsigned:
		return evalengine.NewTypeEx(sqltypes.Uint64, numbers, t.Nullable, 0, 0, nil)
	case Decimal:
		return evalengine.NewTypeEx(sqltypes.Decimal, numbers, t.Nullable, int32(t.Precision), int32(t.Scale), nil)
	case Double:
		return evalengine.NewTypeEx(sqltypes.Float64, numbers, t.Nullable, 0, 0, nil)
	case Bytes:
		return evalengine.NewTypeEx(sqltypes.VarBinary, numbers, t.Nullable, int32(t.Length), 0, nil)
	case Time:
		return evalengine.NewTypeEx(sqltypes.Datetime, numbers, t.Nullable, int32(t.Scale), 0, nil)
	case Date:
		return evalengine.NewTypeEx(sqltypes.Date, numbers, t.Nullable, 0, 0, nil)
	case Clock:
		return evalengine.NewTypeEx(sqltypes.Time, numbers, t.Nullable, int32(t.Scale), 0, nil)
	case JSON:
		return evalengine.NewTypeEx(sqltypes.TypeJSON, collations.CollationUtf8mb4BinID, t.Nullable, 0, 0, nil)
	}
	return evalengine.NewTypeEx(sqltypes.VarChar, id, t.Nullable, int32(t.Length), 0, nil)
}

// readAsShown lists the arguments that are a DOUBLE with the digits it is shown
// with, and read as texts, which evalengine would write its own way.
func (c *call) readAsShown() []int {
	var out []int
	for _, i := range c.shows {
		if c.args[i].Type.Kind == Double && c.readsText(i) {
			out = append(out, i)
		}
	}
	return out
}

// readsText tells whether an argument is read as a text, whatever it is.
func (c *call) readsText(i int) bool {
	switch c.name {
	case "strcmp":
		return true
	case "elt":
		return i > 0
	case "cast", "convert":
		return i == 0
	}
	return i == 0 && (strings.HasPrefix(c.builtin.args, "text") || strings.HasPrefix(c.builtin.args, "bytes"))
}

// show gives a number the digits that its type shows. A zero has no sign.
func show(v sqltypes.Value, t Type) (sqltypes.Value, error) {
	if t.Kind != Double || v.IsNull() {
		return conform(v, t)
	}
	f, err := strconv.ParseFloat(v.ToString(), 64)
	return sqltypes.MakeTrusted(sqltypes.Float64, AppendDouble(nil, f, t.Scale)), err
}

// AppendDouble writes a double with so many digits behind the point: zeros
// behind those that tell it from others.
func AppendDouble(dst []byte, f float64, digits int) []byte {
	n := len(dst)
	dst = strconv.AppendFloat(dst, f, 'f', -1, 64)
	fraction := 0
	if point := bytes.IndexByte(dst[n:], '.'); point < 0 {
		dst = append(dst, '.')
	} else if fraction = len(dst) - n - point - 1; fraction > digits {
		dst = strconv.AppendFloat(dst[:n], f, 'f', digits, 64)
	}
	for ; fraction < digits; fraction++ {
		dst = append(dst, '0')
	}
	if dst[n] == '-' && len(bytes.Trim(dst[n:], "-0.")) == 0 {
		dst = append(dst[:n], dst[n+1:]...)
	}
	return dst
}

// conform brings a value to the form of a type: a decimal to its digits, a
// time to its fraction.
func conform(v sqltypes.Value, t Type) (sqltypes.Value, error) {
	if v.IsNull() {
		return v, nil
	}
	switch t.Kind {
	case Decimal:
		d, err := decimalValue(v)
		if err != nil {
			return v, err
		}
		return sqltypes.MakeTrusted(sqltypes.Decimal, d.Round(int32(t.Scale)).FormatMySQL(int32(t.Scale))), nil
	case Double:
		if v.Type() != sqltypes.Float64 {
			return sqltypes.MakeTrusted(sqltypes.Float64, v.Raw()), nil
		}
	case Time, Clock:
		typ := sqltypes.Datetime
		if t.Kind == Clock {
			typ = sqltypes.Time
		}
		raw := v.Raw()
		if t.Kind == Time && len(raw) == 10 {
			raw = append(bytes.Clone(raw), " 00:00:00"...)
		}
		return sqltypes.MakeTrusted(typ, fitFraction(raw, t.Scale)), nil
	case Text:
		if v.Type() != sqltypes.VarChar {
			return sqltypes.MakeTrusted(sqltypes.VarChar, v.Raw()), nil
		}
	case Bytes:
		if v.Type() != sqltypes.VarBinary {
			return sqltypes.MakeTrusted(sqltypes.VarBinary, v.Raw()), nil
		}
	case Bool, Integer:
		if v.Type() != sqltypes.Int64 {
			return sqltypes.MakeTrusted(sqltypes.Int64, v.Raw()), nil
		}
	case Unsigned:
		if v.Type() != sqltypes.Uint64 {
			return sqltypes.MakeTrusted(sqltypes.Uint64, v.Raw()), nil
		}
	}
	return v, nil
}

// fitFraction gives the text of a time the wanted number of digits behind the
// seconds.
func fitFraction(text []byte, scale int) []byte {
	point := bytes.IndexByte(text, '.')
	have := 0
	if point >= 0 {
		have = len(text) - point - 1
	}
	switch {
	case have == scale:
		return text
	case have > scale && scale == 0:
		return text[:point]
	case have > scale:
		return text[:point+1+scale]
	}
	out := bytes.Clone(text)
	if point < 0 {
		out = append(out, '.')
	}
	return append(out, "000000"[:scale-have]...)
}

// decimalValue reads a decimal or a whole number.
func decimalValue(v sqltypes.Value) (decimal.Decimal, error) {
	d, err := decimal.NewFromMySQL(v.Raw())
	if err != nil {
		return d, Errorf(1292, "Truncated incorrect DECIMAL value: '%s'", v.ToString())
	}
	return d, nil
}
