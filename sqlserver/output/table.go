package output

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// tableSample is how many rows decide the widths of a table; longer results
// stream through them.
const tableSample = 1000

// Sample is an answer whose first rows were looked at, which say how wide a
// table of it is. As Rows it gives all of them.
type Sample struct {
	Rows
	first   [][]any
	end     error // why there are no more than first
	at      int
	widths  []int
	numeric []bool
}

// SampleOf reads the first rows of an answer.
func SampleOf(rows Rows) *Sample {
	names := rows.Columns()
	s := &Sample{Rows: rows, widths: make([]int, len(names)), numeric: make([]bool, len(names))}
	for i, name := range names {
		s.widths[i] = utf8.RuneCountInString(cellLines(name)[0])
		s.numeric[i] = true
	}
	for len(s.first) < tableSample {
		row, err := rows.Next()
		if err != nil {
			s.end = err
			break
		}
		s.first = append(s.first, slices.Clone(row))
		for i, v := range row {
			switch v.(type) {
			case string, time.Time:
				s.numeric[i] = false
			}
			for _, line := range cell(v) {
				s.widths[i] = max(s.widths[i], utf8.RuneCountInString(line))
			}
		}
	}
	return s
}

// Width is that of a line of the table, in characters.
func (s *Sample) Width() int {
	width := 1
	for _, n := range s.widths {
		width += n + 3
	}
	return width
}

// Next implements Rows.
func (s *Sample) Next() ([]any, error) {
	if s.at < len(s.first) {
		s.at++
		return s.first[s.at-1], nil
	}
	if s.end != nil {
		return nil, s.end
	}
	return s.Rows.Next()
}

// writeTable draws a table as the mysql shell does. A value may have several
// lines, as those of hexdump do.
func writeTable(w io.Writer, rows Rows) error {
	s, ok := rows.(*Sample)
	if !ok {
		s = SampleOf(rows)
	}
	if s.end != nil && !errors.Is(s.end, io.EOF) && len(s.first) == 0 {
		return s.end
	}
	t := table{w: w, widths: s.widths, numeric: s.numeric}
	names := s.Columns()
	cells := make([][]string, len(names))
	for i, name := range names {
		cells[i] = cellLines(name)
	}
	t.rule()
	t.row(cells)
	t.rule()
	n := 0
	var end error
	for t.err == nil {
		var row []any
		if row, end = s.Next(); end != nil {
			break
		}
		for i, v := range row {
			cells[i] = cell(v)
		}
		t.row(cells)
		n++
	}
	t.rule()
	t.print(counted(n))
	if !errors.Is(end, io.EOF) && end != nil {
		return end
	}
	return t.err
}

// counted is the line below an answer for people.
func counted(n int) string {
	if n == 1 {
		return "1 row\n"
	}
	return fmt.Sprintf("%d rows\n", n)
}

// cell is a value's lines.
func cell(v any) []string {
	s, null := Text(v)
	if null {
		s = "NULL"
	}
	return cellLines(s)
}

// cellLines splits a value at line ends and makes every other control
// character visible, those that turn the writing round too: what packets carry
// must not command a terminal.
func cellLines(s string) []string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Map(func(r rune) rune {
			switch {
			case r == '\t':
				return ' '
			case r < ' ', r >= 0x7f && r < 0xa0, r == utf8.RuneError, unicode.Is(unicode.Cf, r):
				return '.'
			}
			return r
		}, line)
	}
	return lines
}

// Visible is a text in one line, without what commands a terminal: for messages,
// which may have parts of packets or of statements in them.
func Visible(s string) string { return strings.Join(cellLines(s), " ") }

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
