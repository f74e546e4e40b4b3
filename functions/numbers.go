package functions

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"

	"vitess.io/vitess/go/sqltypes"
)

// numbers are the mathematical functions (manual 12.6).
var numbers = []builtin{
	{name: "abs", args: "x", typed: absolute, exact: true, doc: "The absolute value."},
	{name: "acos", args: "x", typed: maybeDouble, eval: angle, whole: true, doc: "The arc cosine."},
	{name: "asin", args: "x", typed: maybeDouble, eval: angle, whole: true, doc: "The arc sine."},
	{name: "atan", args: "y[, x]", typed: maybeDouble, eval: angle, whole: true, doc: "The arc tangent, of y/x with two arguments."},
	{name: "atan2", args: "y, x", typed: maybeDouble, eval: angle, whole: true, doc: "The arc tangent of y/x, in its quadrant."},
	{name: "bin", args: "n", typed: plainText(64), doc: "The number in base 2."},
	{name: "bit_count", args: "n", typed: maybeInteger, doc: "The number of bits set."},
	{name: "ceil", args: "x", typed: wholeNumber, whole: true, doc: "The least whole number not less than x."},
	{name: "conv", args: "n, from, to", typed: plainText(64), eval: evalConv, doc: "A number of one base in another, 2 to 36."},
	{name: "cos", args: "x", typed: maybeDouble, eval: angle, whole: true, doc: "The cosine."},
	{name: "cot", args: "x", typed: maybeDouble, eval: finite, whole: true, doc: "The cotangent."},
	{name: "crc32", args: "bytes", typed: maybeUnsigned, stored: true, doc: "The CRC-32."},
	{name: "degrees", args: "x", typed: maybeDouble, eval: finite, whole: true, doc: "Radians in degrees."},
	{name: "exp", args: "x", typed: maybeDouble, eval: finite, whole: true, doc: "e to the power of x."},
	{name: "floor", args: "x", typed: wholeNumber, whole: true, doc: "The greatest whole number not greater than x."},
	{name: "format", args: "x, digits[, locale]", typed: plainText(0), eval: evalFormat, whole: true, doc: "The number with thousands separated, rounded to so many digits."},
	{name: "format_bytes", args: "n", typed: plainText(17), eval: evalFormatBytes, whole: true, doc: "A number of bytes for people: 1.50 KiB."},
	{name: "format_pico_time", args: "n", typed: plainText(17), eval: evalFormatPicoTime, whole: true, doc: "A time in picoseconds for people: 3.50 ns."},
	{name: "ln", args: "x", typed: maybeDouble, eval: logarithm, whole: true, doc: "The natural logarithm."},
	{name: "log", args: "x[, y]", typed: maybeDouble, eval: logarithm, whole: true, doc: "The natural logarithm, or that of y to base x."},
	{name: "log10", args: "x", typed: maybeDouble, eval: logarithm, whole: true, doc: "The logarithm to base 10."},
	{name: "log2", args: "x", typed: maybeDouble, eval: logarithm, whole: true, doc: "The logarithm to base 2."},
	{name: "mod", args: "a, b", typed: remainder, eval: evalZero, exact: true, doc: "The remainder; NULL by 0."},
	{name: "oct", args: "n", typed: plainText(64), doc: "The number in base 8."},
	{name: "pi", args: "", typed: of(Type{Kind: Double, Scale: 6}), doc: "π with all digits of a DOUBLE, of which 3.141593 are shown."},
	{name: "pow", args: "x, y", typed: maybeDouble, eval: finite, whole: true, doc: "x to the power of y."},
	{name: "radians", args: "x", typed: maybeDouble, whole: true, doc: "Degrees in radians."},
	{name: "rand", args: "[seed]", typed: of(Type{Kind: Double}).never(), eval: evalRand, doc: "A number from 0 to less than 1; with a constant seed MySQL's sequence, a number for each row."},
	{name: "round", args: "x[, digits]", typed: roundType, eval: evalRound, whole: true, doc: "x rounded, half away from zero; a DOUBLE half to even."},
	{name: "sign", args: "x", typed: maybeInteger, whole: true, doc: "-1, 0 or 1."},
	{name: "sin", args: "x", typed: maybeDouble, eval: angle, whole: true, doc: "The sine."},
	{name: "sqrt", args: "x", typed: maybeDouble, whole: true, doc: "The square root; NULL below 0."},
	{name: "tan", args: "x", typed: maybeDouble, eval: angle, whole: true, doc: "The tangent."},
	{name: "truncate", args: "x, digits", typed: roundType, whole: true, doc: "x cut behind so many digits."},
}

func absolute(c *call) (Type, error) {
	t := numeric(c.args[0].Type)
	if t.Kind == Integer {
		t.Bits = 64
	}
	t.Nullable = c.nullable()
	return t, nil
}

// wholeNumber is the rule of CEIL and FLOOR: a decimal that fits is BIGINT.
func wholeNumber(c *call) (Type, error) {
	t := numeric(c.args[0].Type)
	switch t.Kind {
	case Decimal:
		if t.digits() <= 17 {
			return Type{Kind: Integer, Bits: 64, Nullable: c.nullable()}, nil
		}
		return decimalOf(t.digits()+1, 0, c.nullable()), nil
	case Integer, Unsigned:
		t.Bits = 64
	case Double:
		t.Scale = 0
	}
	t.Nullable = c.nullable()
	return t, nil
}

// roundType is the rule of ROUND and TRUNCATE: so many digits as a literal
// says, up to 30. A DOUBLE is shown with so many.
func roundType(c *call) (Type, error) {
	t := numeric(c.args[0].Type)
	t.Nullable = c.nullable()
	n, literal := int64(0), len(c.args) == 1
	if !literal {
		n, literal = c.literalInt(1)
	}
	switch {
	case t.Kind == Decimal && literal:
		scale := int(min(max(n, 0), maxScale))
		digits := t.digits()
		if scale < t.Scale && c.name == "round" {
			digits++
		}
		return decimalOf(digits, scale, t.Nullable), nil
	case t.Kind == Double:
		if t.Scale = 0; literal && n > 0 && n <= maxScale {
			t.Scale = int(n)
		}
	case t.Kind == Integer || t.Kind == Unsigned:
		t.Bits = 64
		if !literal {
			t = Type{Kind: Double, Nullable: t.Nullable}
		}
	}
	return t, nil
}

// evalRound is evalengine's but for whole numbers: one past BIGINT is an error.
func evalRound(c *call) (evaluator, error) {
	if c.result.Kind != Integer && c.result.Kind != Unsigned {
		eval, err := c.bySQL()
		return eval, err
	}
	x := c.decimal(0)
	digits := func(sqltypes.Value) int64 { return 0 }
	if len(c.args) == 2 {
		digits = c.integer(1)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n := min(max(digits(row[len(c.args)-1]), -30), 0)
		d := x(row[0]).Round(int32(n))
		signed, isSigned := d.Int64()
		unsigned, isUnsigned := d.Uint64()
		switch {
		case c.result.Kind == Integer && isSigned:
			return intValue(signed), nil
		case c.result.Kind == Unsigned && isUnsigned:
			return uintValue(unsigned), nil
		}
		return sqltypes.NULL, outOfRange(strings.ToUpper(c.result.String()), "round("+clip(row[0])+","+strconv.FormatInt(n, 10)+")")
	}), nil
}

// evalConv is NULL of the empty text.
func evalConv(c *call) (evaluator, error) {
	eval, err := c.bySQL()
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		if len(row[0].Raw()) == 0 {
			return sqltypes.NULL, nil
		}
		return eval(row)
	}), err
}

// measure is a unit for people, of so many of the smallest.
type measure struct {
	of   float64
	name string
}

func evalFormatBytes(c *call) (evaluator, error) {
	return c.measured("%4.0f", measure{1, "bytes"}, measure{1 << 10, "KiB"}, measure{1 << 20, "MiB"}, measure{1 << 30, "GiB"}, measure{1 << 40, "TiB"},
		measure{1 << 50, "PiB"}, measure{1 << 60, "EiB"})
}

func evalFormatPicoTime(c *call) (evaluator, error) {
	return c.measured("%3.0f", measure{1, "ps"}, measure{1e3, "ns"}, measure{1e6, "us"}, measure{1e9, "ms"}, measure{1e12, "s"}, measure{60e12, "min"},
		measure{3600e12, "h"}, measure{86400e12, "d"})
}

// measured writes a number in the largest unit it has one of, as performance_schema's
// functions do (manual 12.22): as it is in the smallest, with two digits in others.
func (c *call) measured(least string, units ...measure) (evaluator, error) {
	number := c.float(0)
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		n := number(row[0])
		i := 0
		for i+1 < len(units) && math.Abs(n) >= units[i+1].of {
			i++
		}
		format, value := least, math.Trunc(n)
		if i > 0 {
			format, value = "%4.2f", n/units[i].of
			if math.Abs(value) >= 100_000 {
				format = "%4.2e"
			}
		}
		return textValue(fmt.Appendf(nil, format+" %s", value, units[i].name)), nil
	}), nil
}

// evalFormat is FORMAT. Of the locales those are known that differ from en_US
// only by their separators.
func evalFormat(c *call) (evaluator, error) {
	digits := c.integer(1)
	exactNumber := c.args[0].Type.Kind.Numeric() && c.args[0].Type.Kind != Double
	number, approximate := c.decimal(0), c.float(0)
	return func(row []sqltypes.Value) (sqltypes.Value, error) {
		if row[0].IsNull() || row[1].IsNull() {
			return sqltypes.NULL, nil
		}
		thousands, point := ",", "."
		if len(row) > 2 && !row[2].IsNull() {
			thousands, point = separators(row[2].ToString())
		}
		n := int(min(max(digits(row[1]), 0), 38))
		var text string
		if exactNumber {
			text = string(number(row[0]).Round(int32(n)).FormatMySQL(int32(n)))
		} else {
			f := approximate(row[0])
			if p := math.Pow10(n); n < 22 && !math.IsInf(f*p, 0) {
				f = math.RoundToEven(f*p) / p
			}
			text = strconv.FormatFloat(f, 'f', -1, 64) // as many digits as tell it from others
			whole, fraction, _ := strings.Cut(text, ".")
			if n > 0 {
				whole += "." + (fraction + strings.Repeat("0", n))[:n]
			}
			text = whole
		}
		sign := ""
		if rest, ok := strings.CutPrefix(text, "-"); ok {
			text = rest
			if strings.Trim(text, "0.") != "" {
				sign = "-"
			}
		}
		whole, fraction, _ := strings.Cut(text, ".")
		var b strings.Builder
		b.WriteString(sign)
		for i, d := range whole {
			if i > 0 && (len(whole)-i)%3 == 0 {
				b.WriteString(thousands)
			}
			b.WriteRune(d)
		}
		if n > 0 {
			b.WriteString(point + fraction)
		}
		return textValue([]byte(b.String())), nil
	}, nil
}

// separators are those of a locale (manual 10.16, lc_time_names).
func separators(locale string) (thousands, point string) {
	switch strings.ToLower(locale) {
	case "de_de", "da_dk", "es_ar", "id_id", "is_is", "it_ch", "nl_be", "tr_tr", "vi_vn", "el_gr", "fo_fo":
		return ".", ","
	case "de_at", "de_ch", "fr_ch":
		if strings.EqualFold(locale, "de_ch") {
			return "'", "."
		}
		return "", ","
	case "fr_fr", "fr_be", "fr_ca", "it_it", "nl_nl", "pt_pt", "pl_pl", "sl_si", "es_es":
		return "", ","
	case "ru_ru", "cs_cz", "fi_fi", "nb_no", "sv_se", "hu_hu", "uk_ua", "sk_sk":
		return " ", ","
	}
	return ",", "."
}

// evalRand is RAND. A constant seed begins a sequence, which gives each row its
// next number in the order rows are computed; a seed that changes gives the
// first number of its own. The generator is MySQL's, so the numbers are too.
func evalRand(c *call) (evaluator, error) {
	if len(c.args) == 0 {
		return func([]sqltypes.Value) (sqltypes.Value, error) { return sqltypes.NewFloat64(rand.Float64()), nil }, nil
	}
	seed := c.integer(0)
	begin := func(v sqltypes.Value) generator {
		if v.IsNull() {
			return newGenerator(0)
		}
		return newGenerator(uint32(seed(v)))
	}
	if !c.args[0].Literal {
		return func(row []sqltypes.Value) (sqltypes.Value, error) {
			g := begin(row[0])
			return sqltypes.NewFloat64(g.next()), nil
		}, nil
	}
	var mu sync.Mutex
	g := begin(c.args[0].Value)
	return func([]sqltypes.Value) (sqltypes.Value, error) {
		mu.Lock()
		defer mu.Unlock()
		return sqltypes.NewFloat64(g.next()), nil
	}, nil
}

// generator makes the numbers of RAND(seed) (mysys/my_rnd.cc).
type generator struct{ seed1, seed2 uint32 }

const generatorMax = 0x3FFFFFFF

func newGenerator(seed uint32) generator {
	return generator{(seed*0x10001 + 55555555) % generatorMax, (seed * 0x10000001) % generatorMax}
}

func (g *generator) next() float64 {
	g.seed1 = (g.seed1*3 + g.seed2) % generatorMax
	g.seed2 = (g.seed1 + g.seed2 + 33) % generatorMax
	return float64(g.seed1) / generatorMax
}
