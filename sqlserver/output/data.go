package output

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

// writeJSON prints an array of objects, one a line, in the order of the
// columns. A name that occurs again gets a number: a key must be unique.
func writeJSON(w io.Writer, rows Rows) error {
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
	s, _ := Text(v)
	if _, isFloat := v.(float64); isFloat {
		return []byte(s), nil
	}
	return json.Marshal(s)
}

// writeCSV prints a header and the rows as RFC 4180 has them. NULL is an empty
// field.
func writeCSV(w io.Writer, rows Rows) error {
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
			s, _ := Text(v)
			fields = append(fields, s)
		}
		if err := out.Write(fields); err != nil {
			return err
		}
	}
}
