// Package output writes answers as text: tables for people, JSON, CSV and
// Markdown for programs and pages, a line for each value of wide rows.
package output

import (
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rows is an answer to print. Values are nil, integers, float64, string,
// []byte, time.Time in UTC, or something that prints itself, such as a
// Number. Next returns io.EOF after the last row; the row is valid until the
// next call.
type Rows interface {
	Columns() []string
	Next() ([]any, error)
}

// Number is a number as MySQL writes it: 7098.0000 has four digits behind the
// point, whatever they are.
type Number string

func (n Number) String() string { return string(n) }

// Formats are the names of what Write writes: a table for people; a line for
// each value; a table of Markdown; one JSON array with an object per line; CSV
// with a header line. Bytes are hex in all of them.
var Formats = []string{"table", "line", "markdown", "json", "csv"}

var writers = map[string]func(io.Writer, Rows) error{
	"table":    writeTable,
	"line":     writeLines,
	"markdown": writeMarkdown,
	"json":     writeJSON,
	"csv":      writeCSV,
}

// Known is an error if there is no such format.
func Known(format string) error {
	if writers[format] == nil {
		return fmt.Errorf("format %q is none of %s", format, strings.Join(Formats, ", "))
	}
	return nil
}

// Write prints an answer in one of the formats.
func Write(w io.Writer, format string, rows Rows) error {
	if err := Known(format); err != nil {
		return err
	}
	return writers[format](w, rows)
}

const timeLayout = "2006-01-02 15:04:05.000000"

// Text is a value as it stands in a table or in CSV; null tells NULL from "".
func Text(v any) (s string, null bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, false
	case []byte:
		return hex.EncodeToString(v), false
	case time.Time:
		return v.UTC().Format(timeLayout), false
	case float64:
		return floatText(v), false
	case float32:
		return floatText(float64(v)), false
	case bool:
		if v {
			return "1", false
		}
		return "0", false
	}
	return fmt.Sprint(v), false
}

// floatText has no exponent where people expect none.
func floatText(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e15) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
