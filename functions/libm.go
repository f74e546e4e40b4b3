package functions

// #cgo LDFLAGS: -lm
// #include <math.h>
import "C"

import (
	"math"
	"strings"

	"vitess.io/vitess/go/sqltypes"
)

// libm are the functions over doubles that the C library computes for DuckDB
// and for MySQL: package math gives another last digit for some values, and a
// literal would be another value than a column of it.
var libm = map[string]func(x []float64) float64{
	"acos": func(x []float64) float64 { return float64(C.acos(C.double(x[0]))) },
	"asin": func(x []float64) float64 { return float64(C.asin(C.double(x[0]))) },
	"atan": func(x []float64) float64 {
		if len(x) == 2 {
			return float64(C.atan2(C.double(x[0]), C.double(x[1])))
		}
		return float64(C.atan(C.double(x[0])))
	},
	"atan2": func(x []float64) float64 { return float64(C.atan2(C.double(x[0]), C.double(x[1]))) },
	"cos":   func(x []float64) float64 { return float64(C.cos(C.double(x[0]))) },
	"cot":   func(x []float64) float64 { return 1 / float64(C.tan(C.double(x[0]))) },
	"exp":   func(x []float64) float64 { return float64(C.exp(C.double(x[0]))) },
	"ln":    logOf,
	"log": func(x []float64) float64 {
		if len(x) == 2 {
			return logOf(x[1:]) / logOf(x)
		}
		return logOf(x)
	},
	"log10": func(x []float64) float64 { return float64(C.log10(C.double(x[0]))) },
	"log2":  func(x []float64) float64 { return logOf(x) / math.Ln2 },
	"pow":   func(x []float64) float64 { return float64(C.pow(C.double(x[0]), C.double(x[1]))) },
	"sin":   func(x []float64) float64 { return float64(C.sin(C.double(x[0]))) },
	"tan":   func(x []float64) float64 { return float64(C.tan(C.double(x[0]))) },
	// This one is a product.
	"degrees": func(x []float64) float64 { return x[0] * (180 / math.Pi) },
}

func logOf(x []float64) float64 { return float64(C.log(C.double(x[0]))) }

// doubles makes an evaluation of one over all arguments as DOUBLE.
func (c *call) doubles(eval func(x []float64, row []sqltypes.Value) (sqltypes.Value, error)) evaluator {
	read := make([]func(sqltypes.Value) float64, len(c.args))
	for i := range read {
		read[i] = c.float(i)
	}
	return c.strict(func(row []sqltypes.Value) (sqltypes.Value, error) {
		var in [2]float64
		for i := range read {
			in[i] = read[i](row[i])
		}
		return eval(in[:len(read)], row)
	})
}

// angle is NULL where there is none: of a cosine or sine over 1.
func angle(c *call) (evaluator, error) {
	f := libm[c.name]
	return c.doubles(func(x []float64, _ []sqltypes.Value) (sqltypes.Value, error) {
		r := f(x)
		if math.IsNaN(r) {
			return sqltypes.NULL, nil
		}
		return floatValue(r), nil
	}), nil
}

// finite makes an infinite result error 1690.
func finite(c *call) (evaluator, error) {
	f := libm[c.name]
	return c.doubles(func(x []float64, row []sqltypes.Value) (sqltypes.Value, error) {
		r := f(x)
		if math.IsInf(r, 0) || math.IsNaN(r) {
			texts := make([]string, len(c.args))
			for i := range texts {
				texts[i] = clip(row[i])
			}
			return sqltypes.NULL, outOfRange("DOUBLE", c.name+"("+strings.Join(texts, ",")+")")
		}
		return floatValue(r), nil
	}), nil
}

// logarithm notes what has none: warning 3020.
func logarithm(c *call) (evaluator, error) {
	f := libm[c.name]
	return c.doubles(func(x []float64, _ []sqltypes.Value) (sqltypes.Value, error) {
		if !(x[len(x)-1] > 0) || len(x) == 2 && (!(x[0] > 0) || x[0] == 1) {
			c.s.warn(3020, "Invalid argument for logarithm")
			return sqltypes.NULL, nil
		}
		return floatValue(f(x)), nil
	}), nil
}
