package functions

import (
	"math"
	"math/big"
	"strconv"
	"strings"

	"vitess.io/vitess/go/mysql/decimal"
	"vitess.io/vitess/go/mysql/format"
	"vitess.io/vitess/go/sqltypes"
)

// How an argument of one type is read as another (manual 12.3): what
// evaluations of our own share.

func textValue(b []byte) sqltypes.Value { return sqltypes.MakeTrusted(sqltypes.VarChar, b) }

func intValue(n int64) sqltypes.Value {
	return sqltypes.MakeTrusted(sqltypes.Int64, strconv.AppendInt(nil, n, 10))
}

func uintValue(n uint64) sqltypes.Value {
	return sqltypes.MakeTrusted(sqltypes.Uint64, strconv.AppendUint(nil, n, 10))
}

func floatValue(f float64) sqltypes.Value {
	return sqltypes.MakeTrusted(sqltypes.Float64, format.FormatFloat(f))
}

var (
	one  = sqltypes.MakeTrusted(sqltypes.Int64, []byte("1"))
	zero = sqltypes.MakeTrusted(sqltypes.Int64, []byte("0"))
)

func boolValue(b bool) sqltypes.Value {
	if b {
		return one
	}
	return zero
}

var (
	million     = decimal.NewFromInt(1e6)
	mostDecimal = decimal.NewFromInt(most / 10)
)

// strict makes an evaluation NULL where an argument is.
func (c *call) strict(eval evaluator) evaluator {
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		for i := range c.args {
			if row[i].IsNull() {
				return sqltypes.NULL, nil
			}
		}
		return eval(row)
	}
}

// numericPrefix cuts text behind the number it starts with; whole tells that
// nothing but spaces followed.
func numericPrefix(s string, fraction bool) (number string, whole bool) {
	s = strings.TrimLeft(s, " \t\n\r\v\f")
	i := 0
	digits := func() bool {
		start := i
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i > start
	}
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	ok := digits()
	if fraction {
		if i < len(s) && s[i] == '.' {
			i++
			ok = digits() || ok
		}
		if end := i; ok && i < len(s) && s[i]|0x20 == 'e' {
			i++
			if i < len(s) && (s[i] == '-' || s[i] == '+') {
				i++
			}
			if !digits() {
				i = end
			}
		}
	}
	if !ok {
		return "", false
	}
	return s[:i], strings.TrimRight(s[i:], " \t\n\r\v\f") == ""
}

// float reads an argument as DOUBLE.
func (c *call) float(i int) func(v sqltypes.Value) float64 {
	t := c.args[i].Type
	switch {
	case t.Kind.Numeric():
		return func(v sqltypes.Value) float64 {
			f, _ := strconv.ParseFloat(v.ToString(), 64)
			return f
		}
	case t.Kind.Temporal():
		return func(v sqltypes.Value) float64 {
			f, _ := temporalNumber(t, v).Float64()
			return f
		}
	case c.args[i].Hex:
		n := hexNumber(c.args[i].Value)
		return func(sqltypes.Value) float64 { return float64(n) }
	}
	return func(v sqltypes.Value) float64 {
		number, whole := numericPrefix(v.ToString(), true)
		if !whole {
			c.s.warn(1292, "Truncated incorrect DOUBLE value: '"+clip(v)+"'")
		}
		f, _ := strconv.ParseFloat(number, 64)
		return f
	}
}

// countsOfTexts are the operators that take a text for the number it begins
// with; a comparison does beside a number.
var countsOfTexts = map[string]bool{"+": true, "-": true, "*": true, "/": true, "%": true,
	"=": false, "<>": false, "<": false, "<=": false, ">": false, ">=": false, "<=>": false}

// tellingOfTexts gives warning 1292 for a text that is no number where one is
// computed with.
func (c *call) tellingOfTexts(eval evaluator) evaluator {
	always, known := countsOfTexts[c.name]
	var texts []int
	for i, a := range c.args {
		switch {
		case a.Type.Kind == Text:
			texts = append(texts, i)
		case a.Type.Kind.Numeric():
			always = true
		}
	}
	if !known || !always || len(texts) == 0 || c.s.Warn == nil {
		return eval
	}
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		for _, i := range texts {
			if row[i].IsNull() {
				continue
			}
			if _, whole := numericPrefix(strings.TrimRight(row[i].ToString(), " "), true); !whole {
				c.s.warn(1292, "Truncated incorrect DOUBLE value: '"+clip(row[i])+"'")
			}
		}
		return eval(row)
	}
}

// numberNames are the functions and operators beside countsOfTexts that
// evalengine gives a text as the DOUBLE it begins with.
var numberNames = map[string]bool{"and": true, "or": true, "xor": true, "not": true, "div": true, "unary -": true, "between": false, "in": false,
	"abs": true, "acos": true, "asin": true, "atan": true, "atan2": true, "ceil": true, "cos": true, "cot": true, "degrees": true,
	"exp": true, "floor": true, "ln": true, "log": true, "log10": true, "log2": true, "mod": true, "radians": true, "round": true,
	"sign": true, "sin": true, "sqrt": true, "tan": true, "truncate": true}

// counted lists the arguments that are texts and are taken for numbers.
func (c *call) counted() (out []int) {
	always, known := countsOfTexts[c.name]
	if !known {
		always, known = numberNames[c.name]
	}
	switch {
	case c.name == "if":
		if c.args[0].Type.Kind == Text {
			out = append(out, 0)
		}
		return out
	case c.name == "cast":
		always = c.result.Kind == Double
	case !known:
		return nil
	}
	for i, a := range c.args {
		if a.Type.Kind == Text {
			out = append(out, i)
		}
		always = always || a.Type.Kind.Numeric()
	}
	if !always {
		return nil
	}
	return out
}

// number cuts a text behind the number it begins with: evalengine takes one
// that ends in the sign of an exponent, such as '3e', for 0.
func number(v sqltypes.Value) sqltypes.Value {
	if v.IsNull() {
		return v
	}
	if text, whole := numericPrefix(v.ToString(), true); !whole && text != "" {
		return textValue([]byte(text))
	}
	return v
}

// decimal reads an argument that is a number or a time.
func (c *call) decimal(i int) func(v sqltypes.Value) decimal.Decimal {
	t := c.args[i].Type
	if t.Kind.Temporal() {
		return func(v sqltypes.Value) decimal.Decimal { return temporalNumber(t, v) }
	}
	if c.args[i].Hex {
		n := decimal.NewFromUint(hexNumber(c.args[i].Value))
		return func(sqltypes.Value) decimal.Decimal { return n }
	}
	return func(v sqltypes.Value) decimal.Decimal {
		text := v.ToString()
		if !t.Kind.Numeric() {
			number, whole := numericPrefix(text, true)
			if !whole {
				c.s.warn(1292, "Truncated incorrect DECIMAL value: '"+clip(v)+"'")
			}
			text = number
		}
		d, err := decimal.NewFromMySQL([]byte(text))
		if err != nil {
			d, _ = decimal.NewFromString(text)
		}
		return d
	}
}

// integer reads an argument as BIGINT: decimals and doubles are rounded, text
// is cut behind its digits.
func (c *call) integer(i int) func(v sqltypes.Value) int64 {
	t := c.args[i].Type
	switch {
	case t.Kind == Integer || t.Kind == Bool:
		return func(v sqltypes.Value) int64 {
			n, _ := strconv.ParseInt(v.ToString(), 10, 64)
			return n
		}
	case t.Kind == Unsigned:
		return func(v sqltypes.Value) int64 {
			n, _ := strconv.ParseUint(v.ToString(), 10, 64)
			return int64(min(n, math.MaxInt64))
		}
	case t.Kind == Double:
		return func(v sqltypes.Value) int64 {
			f, _ := strconv.ParseFloat(v.ToString(), 64)
			return clampInt(math.RoundToEven(f))
		}
	case t.Kind == Decimal || t.Kind.Temporal() || c.args[i].Hex:
		read := c.decimal(i)
		return func(v sqltypes.Value) int64 {
			d := read(v).Round(0)
			if n, ok := d.Int64(); ok {
				return n
			}
			if d.Sign() < 0 {
				return math.MinInt64
			}
			return math.MaxInt64
		}
	}
	return func(v sqltypes.Value) int64 {
		number, whole := numericPrefix(v.ToString(), false)
		if !whole {
			c.s.warn(1292, "Truncated incorrect INTEGER value: '"+clip(v)+"'")
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			n = clampText(number)
		}
		return n
	}
}

func clampInt(f float64) int64 {
	switch {
	case f >= math.MaxInt64:
		return math.MaxInt64
	case f <= math.MinInt64:
		return math.MinInt64
	}
	return int64(f)
}

func clampText(number string) int64 {
	n, ok := new(big.Int).SetString(strings.TrimPrefix(number, "+"), 10)
	switch {
	case !ok:
		return 0
	case n.Sign() < 0:
		return math.MinInt64
	}
	return math.MaxInt64
}

// hexNumber is what x'…' is beside numbers: its last eight bytes.
func hexNumber(v sqltypes.Value) uint64 {
	n := uint64(0)
	for _, b := range v.Raw() {
		n = n<<8 | uint64(b)
	}
	return n
}

// clip shortens a value for a message, which shows no bytes that are not text.
func clip(v sqltypes.Value) string {
	if v.IsBinary() {
		return "…"
	}
	s := []rune(v.ToString())
	if len(s) > 64 {
		s = append(s[:64], '…')
	}
	return string(s)
}

// temporalNumber is a time as a number: YYYYMMDDhhmmss.ffffff.
func temporalNumber(t Type, v sqltypes.Value) decimal.Decimal {
	digits := strings.NewReplacer("-", "", ":", "", " ", "").Replace(v.ToString())
	if t.Kind == Clock && strings.HasPrefix(v.ToString(), "-") {
		digits = "-" + digits
	}
	d, _ := decimal.NewFromString(digits)
	return d
}
