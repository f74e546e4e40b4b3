package functions

import (
	"cmp"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"vitess.io/vitess/go/mysql/collations"
	"vitess.io/vitess/go/mysql/collations/colldata"
	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/sqltypes"
	"vitess.io/vitess/go/vt/sqlparser"
)

// operators are MySQL's (manual 12.4), in the order of the manual.
var operators = []builtin{
	{name: "and", args: "a, b", typed: truth, doc: "Whether both are true."},
	{name: "or", args: "a, b", typed: truth, doc: "Whether one is true."},
	{name: "xor", args: "a, b", typed: truth, doc: "Whether one is true and the other is not."},
	{name: "not", args: "a", typed: truth, doc: "Whether it is false."},
	{name: "is", args: "a", typed: of(Type{Kind: Bool}).never(), doc: "IS [NOT] NULL, TRUE, FALSE or UNKNOWN."},
	{name: "=", args: "a, b", typed: truth, eval: evalCompare, exact: true, doc: "Whether both are equal."},
	{name: "<=>", args: "a, b", typed: of(Type{Kind: Bool}).never(), eval: evalCompare, exact: true, doc: "Whether both are equal or both NULL."},
	{name: "<>", args: "a, b", typed: truth, eval: evalCompare, exact: true, doc: "Whether they differ."},
	{name: "<", args: "a, b", typed: truth, eval: evalCompare, exact: true, doc: "Whether a is less than b."},
	{name: "<=", args: "a, b", typed: truth, eval: evalCompare, exact: true, doc: "Whether a is not greater than b."},
	{name: ">", args: "a, b", typed: truth, eval: evalCompare, exact: true, doc: "Whether a is greater than b."},
	{name: ">=", args: "a, b", typed: truth, eval: evalCompare, exact: true, doc: "Whether a is not less than b."},
	{name: "between", args: "a, low, high", typed: truth, eval: evalCompare, exact: true, doc: "Whether a is in the closed interval."},
	{name: "in", args: "a, b, …", typed: truth, eval: evalCompare, exact: true, doc: "Whether a is one of the list."},
	{name: "like", args: "text, pattern[, escape]", typed: truth, eval: evalLike, doc: "Whether text matches a pattern of % and _."},
	{name: "+", args: "a, b", typed: additive, eval: evalArithmetic, exact: true, doc: "The sum."},
	{name: "-", args: "a, b", typed: additive, eval: evalArithmetic, exact: true, doc: "The difference."},
	{name: "*", args: "a, b", typed: multiplied, eval: evalArithmetic, exact: true, doc: "The product."},
	{name: "/", args: "a, b", typed: divided, eval: evalDivide, exact: true, doc: "The quotient, with div_precision_increment more digits; NULL by 0."},
	{name: "div", args: "a, b", typed: wholeDivided, eval: evalZero, exact: true, doc: "The whole part of the quotient; NULL by 0."},
	{name: "%", args: "a, b", typed: remainder, eval: evalZero, exact: true, doc: "The remainder; NULL by 0."},
	{name: "unary -", args: "a", typed: negated, eval: evalNegative, exact: true, doc: "The negative."},
	{name: "unary +", args: "a", typed: same, eval: evalSame, exact: true, doc: "The same."},
	{name: "&", args: "a, b", typed: bits, doc: "Bits set in both."},
	{name: "|", args: "a, b", typed: bits, doc: "Bits set in one."},
	{name: "^", args: "a, b", typed: bits, doc: "Bits that differ."},
	{name: "<<", args: "a, n", typed: shifted, doc: "Bits shifted left."},
	{name: ">>", args: "a, n", typed: shifted, doc: "Bits shifted right."},
	{name: "~", args: "a", typed: shifted, doc: "Bits inverted."},
	{name: "collate", args: "text", typed: collated, eval: evalCollate, doc: "The text, compared by the collation."},
	{name: "introducer", args: "text", typed: introduced, eval: evalIntroduced, doc: "A literal in a character set: _utf8mb4'…', _binary'…', N'…'."},
	{name: "cast", args: "a", typed: castType, eval: evalCast, doc: "CAST(a AS type) and CONVERT(a, type): a value as another type."},
	{name: "convert using", args: "a", typed: usingType, eval: evalUsing, doc: "CONVERT(a USING charset): text in another character set."},
}

// conditionals choose one of their arguments (manual 12.5).
var conditionals = []builtin{
	{name: "case", args: "", typed: caseType, exact: true, doc: "CASE [a] WHEN b THEN c … [ELSE d] END."},
	{name: "if", args: "condition, yes, no", typed: func(c *call) (Type, error) { return c.unify(c.args[1:]) }, exact: true, doc: "yes where the condition is true, otherwise no."},
	{name: "ifnull", args: "a, b", typed: coalesceType, exact: true, doc: "The first that is not NULL."},
	{name: "coalesce", args: "a, …", typed: coalesceType, exact: true, doc: "The first that is not NULL."},
	{name: "nullif", args: "a, b", typed: nullIfType, exact: true, doc: "NULL where both are equal, otherwise a."},
	{name: "greatest", args: "a, b, …", typed: extremeType, eval: evalExtreme, exact: true, doc: "The greatest; NULL where one is NULL."},
	{name: "least", args: "a, b, …", typed: extremeType, eval: evalExtreme, exact: true, doc: "The least; NULL where one is NULL."},
	{name: "isnull", args: "a", typed: of(Type{Kind: Bool}).never(), doc: "Whether it is NULL."},
	{name: "interval", args: "n, a, …", typed: intResult.never(), doc: "How many of the ascending a are not greater than n; -1 for NULL."},
}

// never makes the rule of a result that is never NULL.
func (r rule) never() rule {
	return func(c *call) (Type, error) {
		t, err := r(c)
		t.Nullable = false
		return t, err
	}
}

// pair gives both operands as numbers.
func (c *call) pair() (a, b Type) { return numeric(c.args[0].Type), numeric(c.args[1].Type) }

// whole is an integer result: unsigned where one operand is.
func whole(a, b Type, nullable bool) Type {
	if a.Kind == Unsigned || b.Kind == Unsigned {
		return Type{Kind: Unsigned, Bits: 64, Nullable: nullable}
	}
	return Type{Kind: Integer, Bits: 64, Nullable: nullable}
}

// additive is the rule of + and -: an overflow of BIGINT is an error, so one
// digit more is only for decimals.
func additive(c *call) (Type, error) {
	a, b := c.pair()
	switch {
	case a.Kind == Double || b.Kind == Double:
		return doubleOf(a, b, 0, c.nullable()), nil
	case a.Kind == Decimal || b.Kind == Decimal:
		return decimalOf(max(c.args[0].digits(), c.args[1].digits())+1, max(scaleOf(a), scaleOf(b)), c.nullable()), nil
	}
	t := whole(a, b, c.nullable())
	if c.name == "-" && t.Kind == Unsigned && strings.Contains(c.s.SQLMode, "NO_UNSIGNED_SUBTRACTION") {
		t.Kind = Integer
	}
	return t, nil
}

func multiplied(c *call) (Type, error) {
	a, b := c.pair()
	switch {
	case a.Kind == Double || b.Kind == Double:
		return doubleOf(a, b, 0, c.nullable()), nil
	case a.Kind == Decimal || b.Kind == Decimal:
		scale := scaleOf(a) + scaleOf(b)
		precision := c.args[0].digits() + c.args[1].digits() + scale
		scale = min(scale, maxScale)
		return decimalOf(min(precision, maxPrecision)-scale, scale, c.nullable()), nil
	}
	return whole(a, b, c.nullable()), nil
}

func divided(c *call) (Type, error) {
	a, b := c.pair()
	n := c.s.divPrecision()
	if a.Kind == Double || b.Kind == Double {
		return doubleOf(a, b, n, true), nil
	}
	scale := min(scaleOf(a)+n, maxScale)
	precision := min(c.args[0].digits()+scaleOf(a)+scaleOf(b)+n, maxPrecision)
	return decimalOf(precision-scale, scale, true), nil
}

func wholeDivided(c *call) (Type, error) {
	a, b := c.pair()
	return whole(a, b, true), nil
}

func remainder(c *call) (Type, error) {
	a, b := c.pair()
	switch {
	case a.Kind == Double || b.Kind == Double:
		return doubleOf(a, b, 0, true), nil
	case a.Kind == Decimal || b.Kind == Decimal:
		return decimalOf(max(c.args[0].digits(), c.args[1].digits()), max(scaleOf(a), scaleOf(b)), true), nil
	}
	t := whole(a, b, true)
	if t.Kind == Unsigned && a.Kind != Unsigned {
		t.Kind = Integer // the sign is that of a
	}
	return t, nil
}

func negated(c *call) (Type, error) {
	t := numeric(c.args[0].Type)
	t.Bits = 0
	if t.Kind == Unsigned {
		t.Kind = Integer
		if a := c.args[0]; a.Literal && !a.Value.IsNull() {
			if n, err := a.Value.ToUint64(); err == nil && n > 1<<63 {
				return decimalOf(20, 0, false), nil
			}
		}
	}
	if t.Kind == Integer {
		t.Bits = 64
	}
	return t, nil
}

// evalNegative refuses what no BIGINT can hold.
func evalNegative(c *call) (evaluator, error) {
	eval, err := c.bySQL()
	if err != nil || c.result.Kind != Integer {
		return eval, err
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		v, err := eval(row)
		if err == nil && !v.IsNull() {
			if _, e := strconv.ParseInt(v.ToString(), 10, 64); e != nil {
				return sqltypes.NULL, outOfRange("BIGINT", "-("+clip(row[0])+")")
			}
		}
		return v, err
	}, nil
}

func same(c *call) (Type, error) { return c.args[0].Type, nil }

func evalSame(*call) (evaluator, error) {
	return func(row []sqltypes.Value) (sqltypes.Value, error) { return row[0], nil }, nil
}

// bits is the rule of bit operators: BIGINT UNSIGNED, or bytes where both are
// (manual 12.12).
func bits(c *call) (Type, error) {
	a, b := c.args[0], c.args[len(c.args)-1]
	if a.Type.Kind == Bytes && b.Type.Kind == Bytes && !(a.Hex && b.Hex) {
		return Type{Kind: Bytes, Length: a.Type.Length, Nullable: c.nullable()}, nil
	}
	return Type{Kind: Unsigned, Bits: 64, Nullable: c.nullable()}, nil
}

func shifted(c *call) (Type, error) {
	if a := c.args[0]; a.Type.Kind == Bytes && !a.Hex {
		return Type{Kind: Bytes, Length: a.Type.Length, Nullable: c.nullable()}, nil
	}
	return Type{Kind: Unsigned, Bits: 64, Nullable: c.nullable()}, nil
}

// evalDivide is /. The quotient carries a multiple of nine digits, as MySQL's
// decimals do, so that 1/3*3 is 1.0000.
func evalDivide(c *call) (evaluator, error) {
	increment := int32(c.s.divPrecision())
	if c.result.Kind == Double {
		a, b := c.float(0), c.float(1)
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
			d := b(row[1])
			if d == 0 {
				c.divisionByZero()
				return sqltypes.NULL, nil
			}
			q := a(row[0]) / d
			if math.IsInf(q, 0) || math.IsNaN(q) {
				return sqltypes.NULL, outOfRange("DOUBLE", "("+row[0].ToString()+" / "+row[1].ToString()+")")
			}
			return floatValue(q), nil
		}), nil
	}
	a, b := c.decimal(0), c.decimal(1)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		d := b(row[1])
		if d.IsZero() {
			c.divisionByZero()
			return sqltypes.NULL, nil
		}
		q := a(row[0]).Div(d, increment)
		return decimalText(q), nil
	}), nil
}

func decimalText(d decimal.Decimal) sqltypes.Value {
	return sqltypes.MakeTrusted(sqltypes.Decimal, d.FormatMySQL(max(0, -d.Exponent())))
}

// evalArithmetic refuses a DOUBLE that is none any more.
func evalArithmetic(c *call) (evaluator, error) {
	if c.name == "-" && c.result.Kind == Integer && (c.args[0].Type.Kind == Unsigned || c.args[1].Type.Kind == Unsigned) {
		return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) { // NO_UNSIGNED_SUBTRACTION
			a, okA := new(big.Int).SetString(row[0].ToString(), 10)
			b, okB := new(big.Int).SetString(row[1].ToString(), 10)
			if !okA || !okB || !a.Sub(a, b).IsInt64() {
				return sqltypes.NULL, outOfRange("BIGINT", "("+clip(row[0])+" - "+clip(row[1])+")")
			}
			return intValue(a.Int64()), nil
		}), nil
	}
	eval, err := c.bySQL()
	if err != nil || c.result.Kind != Double {
		return eval, err
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		v, err := eval(row)
		if text := v.ToString(); err == nil && (strings.HasSuffix(text, "Inf") || text == "NaN") {
			return sqltypes.NULL, outOfRange("DOUBLE", "("+clip(row[0])+" "+c.name+" "+clip(row[1])+")")
		}
		return v, err
	}, nil
}

// evalZero notes a division by zero of evalengine's DIV and %. The one quotient that
// no BIGINT holds wraps there.
func evalZero(c *call) (evaluator, error) {
	eval, err := c.bySQL()
	if err != nil {
		return nil, err
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		v, err := eval(row)
		switch {
		case err != nil:
		case v.IsNull():
			c.divisionByZero()
		case c.name == "div" && c.result.Kind == Integer && v.ToString() == "-9223372036854775808" && strings.HasPrefix(row[1].ToString(), "-"):
			return sqltypes.NULL, outOfRange("BIGINT", "("+clip(row[0])+" DIV "+clip(row[1])+")")
		}
		return v, err
	}), nil
}

func (c *call) divisionByZero() {
	if strings.Contains(c.s.SQLMode, "ERROR_FOR_DIVISION_BY_ZERO") || strings.Contains(c.s.SQLMode, "TRADITIONAL") {
		c.s.warn(1365, "Division by 0")
	}
}

// coalesceType is NULL only where all may be.
func coalesceType(c *call) (Type, error) {
	t, err := c.unify(c.args)
	t.Nullable = true
	for _, a := range c.args {
		if !a.Type.Nullable && a.Type.Kind != Null {
			t.Nullable = false
		}
	}
	return t, err
}

func caseType(c *call) (Type, error) {
	n := c.node.(*sqlparser.CaseExpr)
	var results []Argument
	i := 0
	if n.Expr != nil {
		i = 1
	}
	for range n.Whens {
		results = append(results, c.args[i+1])
		i += 2
	}
	if n.Else != nil {
		results = append(results, c.args[i])
	}
	t, err := c.unify(results)
	t.Nullable = t.Nullable || n.Else == nil
	return t, err
}

func nullIfType(c *call) (Type, error) {
	t := c.args[0].Type
	t.Nullable = true
	return t, nil
}

func extremeType(c *call) (Type, error) {
	t, err := c.unify(c.args)
	t.Nullable = c.nullable()
	return t, err
}

// evalExtreme gives the first of texts that are equal (Item_func_min_max in MySQL).
func evalExtreme(c *call) (evaluator, error) {
	form := c.extremeForm()
	if form.Kind == Null && slices.ContainsFunc(c.args, func(a Argument) bool { return a.Type.Kind != Text }) {
		return c.bySQL()
	}
	id, _, err := c.mixed(c.args)
	if err != nil {
		return nil, err
	}
	sign := 1
	if c.name == "least" {
		sign = -1
	}
	texts := c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		best := row[0]
		for _, v := range row[1:len(c.args)] {
			if sign*collate(v.Raw(), best.Raw(), id) > 0 {
				best = v
			}
		}
		return sqltypes.MakeTrusted(sqltypes.VarChar, best.Raw()), nil
	})
	if form.Kind == Null {
		return texts, nil
	}
	at := make([]func(sqltypes.Value) (moment, bool), len(c.args))
	for i := range at {
		at[i] = c.moment(i)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		var best moment
		for i, read := range at {
			m, ok := read(row[i])
			if !ok || !m.valid(false) {
				m = moment{}
			}
			if form.Kind == Date {
				m.micros = 0
			}
			if i == 0 || sign*cmp.Compare(m.total(), best.total()) > 0 {
				best = m
			}
		}
		if best == (moment{}) {
			return texts(row)
		}
		return textValue(best.text(form)), nil
	}), nil
}

// extremeForm is what a date beside texts or numbers makes GREATEST and LEAST
// compare all of them as, and show; what is no date is less than all dates.
func (c *call) extremeForm() (form Type) {
	if c.result.Kind != Text {
		return form
	}
	fraction := 0
	for i, a := range c.args {
		if k := a.Type.Kind; k == Time || k.Temporal() && form.Kind == Null {
			form = Type{Kind: k}
		}
		fraction = max(fraction, c.fraction(i))
	}
	if form.Kind == Clock { // spans are compared as texts
		return Type{}
	}
	form.Scale = fraction
	return form
}

func collated(c *call) (Type, error) {
	name := strings.ToLower(c.node.(*sqlparser.CollateExpr).Collation)
	id := environment().CollationEnv().LookupByName(name)
	if id == collations.Unknown {
		return Type{}, Errorf(1273, "Unknown collation: '%s'", name)
	}
	a := c.args[0]
	if a.Type.Kind == Bytes && id != collations.CollationBinaryID {
		return Type{}, Errorf(1253, "COLLATION '%s' is not valid for CHARACTER SET 'binary'", name)
	}
	return Type{Kind: Text, Length: a.chars(), Collation: id, Coercibility: collations.CoerceExplicit, Nullable: c.nullable()}, nil
}

func evalCollate(*call) (evaluator, error) {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() {
			return row[0], nil
		}
		return sqltypes.MakeTrusted(sqltypes.VarChar, row[0].Raw()), nil
	}, nil
}

// evalLike matches by the collation of both texts, byte by byte where one is
// bytes.
func evalLike(c *call) (evaluator, error) {
	id, _, err := c.mixed(c.args[:2])
	if err != nil {
		return nil, err
	}
	n := c.node.(*sqlparser.ComparisonExpr)
	negate := n.Operator == sqlparser.NotLikeOp
	escape := rune('\\')
	if strings.Contains(c.s.SQLMode, "NO_BACKSLASH_ESCAPES") {
		escape = -1
	}
	if n.Escape != nil {
		text, ok := c.literalText(2)
		if !ok || len([]rune(text)) > 1 {
			return nil, Errorf(1210, "Incorrect arguments to ESCAPE")
		}
		if escape = -1; text != "" {
			escape = []rune(text)[0]
		}
	}
	compile := func(pattern []byte) colldata.WildcardPattern {
		return colldata.Lookup(unicodeCollation(id)).Wildcard(pattern, 0, 0, escape)
	}
	var fixed colldata.WildcardPattern
	if c.args[1].Literal && !c.args[1].Value.IsNull() {
		fixed = compile(c.args[1].Value.Raw())
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() || row[1].IsNull() {
			return sqltypes.NULL, nil
		}
		p := fixed
		if p == nil {
			p = compile(row[1].Raw())
		}
		return boolValue(p.Match(row[0].Raw()) != negate), nil
	}, nil
}
