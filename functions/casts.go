package functions

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// castType is the type CAST and CONVERT name.
func castType(c *call) (Type, error) {
	var to *sqlparser.ConvertType
	switch n := c.node.(type) {
	case *sqlparser.CastExpr:
		to = n.Type
	case *sqlparser.ConvertExpr:
		to = n.Type
	}
	return c.castTo(to)
}

// castTo is the type of the first argument as a type that is written.
func (c *call) castTo(to *sqlparser.ConvertType) (Type, error) {
	length, scale := 0, 0
	if to.Length != nil {
		length = *to.Length
	}
	if to.Scale != nil {
		scale = *to.Scale
	}
	nullable := c.nullable()
	switch name := strings.ToLower(to.Type); name {
	case "signed", "signed integer":
		return Type{Kind: Integer, Bits: 64, Nullable: nullable}, nil
	case "unsigned", "unsigned integer":
		return Type{Kind: Unsigned, Bits: 64, Nullable: nullable}, nil
	case "decimal":
		if to.Length == nil {
			length = 10
		}
		if length > maxPrecision {
			return Type{}, Errorf(1426, "Too-big precision %d specified for '%s'. Maximum is 65.", length, sqlparser.String(c.node))
		}
		if scale > maxScale {
			return Type{}, Errorf(1425, "Too big scale %d specified for column '%s'. Maximum is 30.", scale, sqlparser.String(c.node))
		}
		if scale > length {
			return Type{}, Errorf(1427, "For float(M,D), double(M,D) or decimal(M,D), M must be >= D (column '').")
		}
		return Type{Kind: Decimal, Precision: max(length, 1), Scale: scale, Nullable: nullable}, nil
	case "double", "real":
		if name == "real" && strings.Contains(c.s.SQLMode, "REAL_AS_FLOAT") {
			break // which is not supported
		}
		return Type{Kind: Double, Nullable: nullable}, nil
	case "char", "nchar":
		if length == 0 && to.Length == nil {
			length = c.args[0].chars()
		}
		if strings.EqualFold(to.Charset.Name, "binary") {
			return Type{Kind: Bytes, Length: length, Nullable: nullable}, nil
		}
		t := Type{Kind: Text, Length: length, Collation: c.s.collation(), Coercibility: collations.CoerceImplicit, Nullable: nullable}
		if set := strings.ToLower(to.Charset.Name); set != "" && set != "utf8mb4" {
			if t.Collation = environment().CollationEnv().DefaultCollationForCharset(set); t.Collation == collations.Unknown {
				return Type{}, Errorf(1115, "Unknown character set: '%s'", set)
			}
		}
		if to.Charset.Binary {
			t.Collation = Bin
		}
		return t, nil
	case "binary":
		if length == 0 && to.Length == nil {
			length = c.args[0].chars()
		}
		return Type{Kind: Bytes, Length: length, Nullable: nullable}, nil
	case "date":
		return Type{Kind: Date, Nullable: true}, nil
	case "datetime", "time":
		if length > 6 {
			return Type{}, Errorf(1426, "Too-big precision %d specified for '%s'. Maximum is 6.", length, sqlparser.String(c.node))
		}
		if name == "time" {
			return Type{Kind: Clock, Scale: length, Nullable: true}, nil
		}
		return Type{Kind: Time, Scale: length, Nullable: true}, nil
	case "json":
		return Type{Kind: JSON, Nullable: nullable}, nil
	case "year":
		return Type{Kind: Integer, Bits: 16, Nullable: true}, nil
	}
	return Type{}, Errorf(1235, "This version of wiresql doesn't yet support 'CAST AS %s'", to.Type)
}

// evalCast is CAST. Numbers and times are read here, for what evalengine gives
// up on has a value and a warning in MySQL; the rest is evalengine's.
func evalCast(c *call) (evaluator, error) {
	kind := c.args[0].Type.Kind
	from := kind.Textual() && kind != JSON || kind == Bytes && !c.args[0].Hex
	switch to := c.result.Kind; {
	case from && (to == Integer || to == Unsigned) && c.result.Bits == 64:
		return c.strict(c.castInteger), nil
	case kind == Double && to == Integer:
		read := c.float(0)
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
			f := math.RoundToEven(read(row[0]))
			n := clampInt(f)
			if f >= math.MaxInt64 || f < math.MinInt64 {
				c.s.warn(1292, "Truncated incorrect INTEGER value: '"+clip(row[0])+"'")
			}
			return intValue(n), nil
		}), nil
	case kind == Decimal && to == Unsigned:
		return c.strict(c.castUnsigned), nil
	case (to == Time || to == Date) && kind != JSON:
		at := c.moment(0)
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
			m, ok := at(row[0])
			if ok && !m.valid(!strings.Contains(c.s.surroundings().mode, "NO_ZERO")) {
				c.s.warn(1292, "Incorrect datetime value: '"+clip(row[0])+"'")
				ok = false
			}
			if ok && to == Time {
				m, ok = m.round(c.result.Scale)
			}
			switch {
			case !ok:
				return sqltypes.NULL, nil
			case to == Date:
				return sqltypes.MakeTrusted(sqltypes.Date, m.date()), nil
			}
			return c.momentValue(m), nil
		}), nil
	case to == Clock && kind != JSON:
		clock := c.clock(0)
		unit := power10[6-c.result.Scale]
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
			us, ok := clock(row[0])
			if !ok {
				return sqltypes.NULL, nil
			}
			if rest := us % unit; rest*2 >= unit {
				us += unit
			} else if rest*2 <= -unit {
				us -= unit
			}
			return c.clockValue(us), nil
		}), nil
	}
	eval, err := c.representable()
	if c.result.Kind == Decimal && c.result.Scale == 0 && kind.Numeric() {
		// evalengine cuts what is less than one.
		x := c.decimal(0)
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
			if d := x(row[0]).Round(0); d.Abs().Cmp(decimal.NewFromInt(1)) <= 0 {
				return sqltypes.MakeTrusted(sqltypes.Decimal, d.FormatMySQL(0)), nil
			}
			return eval(row)
		}), err
	}
	return eval, err
}

// castUnsigned rounds a decimal; one below zero keeps the bits of its BIGINT.
func (c *call) castUnsigned(row []sqltypes.Value) (sqltypes.Value, error) {
	d := c.decimal(0)(row[0]).Round(0)
	if n, ok := d.Uint64(); ok {
		return uintValue(n), nil
	}
	if n, ok := d.Int64(); ok {
		return uintValue(uint64(n)), nil
	}
	c.s.warn(1292, "Truncated incorrect DECIMAL value: '"+clip(row[0])+"'")
	if d.Sign() < 0 {
		return uintValue(1 << 63), nil
	}
	return uintValue(math.MaxUint64), nil
}

// castInteger reads the digits a text starts with. What is past BIGINT keeps
// its 64 bits, as in MySQL.
func (c *call) castInteger(row []sqltypes.Value) (sqltypes.Value, error) {
	number, whole := numericPrefix(row[0].ToString(), false)
	if !whole {
		c.s.warn(1292, "Truncated incorrect INTEGER value: '"+clip(row[0])+"'")
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		big, ok := new(big.Int).SetString(strings.TrimPrefix(number, "+"), 10)
		switch {
		case !ok:
			n = 0
		case big.Sign() < 0:
			n = math.MinInt64
		case big.IsUint64():
			n = int64(big.Uint64())
		default:
			n = -1
		}
	}
	if c.result.Kind == Unsigned {
		return uintValue(uint64(n)), nil
	}
	return intValue(n), nil
}
