package main

import (
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// resultRows is an answer to print. Values are nil, integers, float64, string,
// []byte, time.Time in UTC, or something that prints itself, such as a
// number with all its digits. Next returns io.EOF after the last row; the row is valid until the
// next call.
type resultRows interface {
	Columns() []string
	Next() ([]any, error)
}

// formats are the values of --format.
var formats = map[string]func(io.Writer, resultRows) error{
	"table": writeTable,
	"json":  writeJSON,
	"csv":   writeCSV,
}

// writeRows prints an answer: a table for people, one JSON array with an
// object per line, or CSV with a header line. Bytes are hex in all of them.
func writeRows(w io.Writer, format string, rows resultRows) error {
	write, ok := formats[format]
	if !ok {
		return fmt.Errorf("format %q is none of table, json, csv", format)
	}
	return write(w, rows)
}

const timeLayout = "2006-01-02 15:04:05.000000"

// text is a value as it stands in a table or in CSV; null tells NULL from "".
func text(v any) (s string, null bool) {
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

// tableSample is how many rows decide the widths of a table; longer results
// stream through them.
const tableSample = 1000

// writeTable draws a table as the mysql shell does. A value may have several
// lines, as those of hexdump do.
func writeTable(w io.Writer, rows resultRows) error {
	names := rows.Columns()
	widths := make([]int, len(names))
	numeric := make([]bool, len(names))
	header := make([][]string, len(names))
	for i, name := range names {
		header[i] = cellLines(name)
		widths[i] = utf8.RuneCountInString(header[i][0])
		numeric[i] = true
	}
	var sample [][][]string
	var end error
	for len(sample) < tableSample && end == nil {
		var row []any
		if row, end = rows.Next(); end != nil {
			break
		}
		cells := make([][]string, len(names))
		for i, v := range row {
			s, null := text(v)
			if null {
				s = "NULL"
			} else if _, isText := v.(string); isText {
				numeric[i] = false
			} else if _, isTime := v.(time.Time); isTime {
				numeric[i] = false
			}
			cells[i] = cellLines(s)
			for _, line := range cells[i] {
				widths[i] = max(widths[i], utf8.RuneCountInString(line))
			}
		}
		sample = append(sample, cells)
	}
	t := table{w: w, widths: widths, numeric: numeric}
	if end != nil && !errors.Is(end, io.EOF) && len(sample) == 0 {
		return end
	}
	t.rule()
	t.row(header)
	t.rule()
	n := 0
	for ; n < len(sample); n++ {
		t.row(sample[n])
	}
	for end == nil && t.err == nil {
		var row []any
		if row, end = rows.Next(); end != nil {
			break
		}
		cells := make([][]string, len(names))
		for i, v := range row {
			s, null := text(v)
			if null {
				s = "NULL"
			}
			cells[i] = cellLines(s)
		}
		t.row(cells)
		n++
	}
	t.rule()
	if t.err == nil {
		noun := "rows"
		if n == 1 {
			noun = "row"
		}
		_, t.err = fmt.Fprintf(w, "%d %s\n", n, noun)
	}
	if !errors.Is(end, io.EOF) && end != nil {
		return end
	}
	return t.err
}

// cellLines splits a value at line ends and makes every other control
// character visible: what packets carry must not command a terminal.
func cellLines(s string) []string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			switch {
			case r == '\t':
				return ' '
			case r < ' ', r >= 0x7f && r < 0xa0, r == utf8.RuneError:
				return '.'
			}
			return r
		}, line)
	}
	return lines
}

type table struct {
	w       io.Writer
	widths  []int
	numeric []bool
	err     error
}

func (t *table) print(s string) {
	if t.err == nil {
		_, t.err = io.WriteString(t.w, s)
	}
}

func (t *table) rule() {
	var b strings.Builder
	for _, n := range t.widths {
		b.WriteString("+" + strings.Repeat("-", n+2))
	}
	t.print(b.String() + "+\n")
}

func (t *table) row(cells [][]string) {
	height := 1
	for _, c := range cells {
		height = max(height, len(c))
	}
	var b strings.Builder
	for line := range height {
		for i, c := range cells {
			s := ""
			if line < len(c) {
				s = c[line]
			}
			pad := strings.Repeat(" ", max(0, t.widths[i]-utf8.RuneCountInString(s)))
			if t.numeric[i] {
				b.WriteString("| " + pad + s + " ")
			} else {
				b.WriteString("| " + s + pad + " ")
			}
		}
		b.WriteString("|\n")
	}
	t.print(b.String())
}

// writeJSON prints an array of objects, one a line, in the order of the
// columns. A name that occurs again gets a number: a key must be unique.
func writeJSON(w io.Writer, rows resultRows) error {
	names := rows.Columns()
	keys := make([]string, len(names))
	seen := map[string]int{}
	for i, name := range names {
		if seen[name]++; seen[name] > 1 {
			name = fmt.Sprintf("%s_%d", name, seen[name])
		}
		key, err := json.Marshal(name)
		if err != nil {
			return err
		}
		keys[i] = string(key) + ":"
	}
	if _, err := io.WriteString(w, "["); err != nil {
		return err
	}
	var line []byte
	for n := 0; ; n++ {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.WriteString(w, "\n]\n")
			return err
		}
		if err != nil {
			return err
		}
		line = line[:0]
		if n > 0 {
			line = append(line, ',')
		}
		line = append(line, "\n{"...)
		for i, v := range row {
			if i > 0 {
				line = append(line, ',')
			}
			line = append(line, keys[i]...)
			value, err := jsonValue(v)
			if err != nil {
				return err
			}
			line = append(line, value...)
		}
		if _, err := w.Write(append(line, '}')); err != nil {
			return err
		}
	}
}

// jsonValue keeps numbers numbers, decimals with all their digits.
func jsonValue(v any) ([]byte, error) {
	switch v := v.(type) {
	case nil:
		return []byte("null"), nil
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64:
		return fmt.Append(nil, v), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return []byte("null"), nil
		}
	case fmt.Stringer:
		if _, isTime := v.(time.Time); !isTime && json.Valid([]byte(v.String())) {
			return []byte(v.String()), nil
		}
	}
	s, _ := text(v)
	if _, isFloat := v.(float64); isFloat {
		return []byte(s), nil
	}
	return json.Marshal(s)
}

// writeCSV prints a header and the rows as RFC 4180 has them. NULL is an empty
// field.
func writeCSV(w io.Writer, rows resultRows) error {
	out := csv.NewWriter(w)
	if err := out.Write(rows.Columns()); err != nil {
		return err
	}
	var fields []string
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			out.Flush()
			return out.Error()
		}
		if err != nil {
			out.Flush()
			return err
		}
		fields = fields[:0]
		for _, v := range row {
			s, _ := text(v)
			fields = append(fields, s)
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
}
