package output

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// writeLines prints a line for each value of a row, as \G does in the mysql
// shell.
func writeLines(w io.Writer, rows Rows) error {
	names := rows.Columns()
	width := 0
	titles := make([]string, len(names))
	for i, name := range names {
		titles[i] = strings.Join(cellLines(name), " ")
		width = max(width, utf8.RuneCountInString(titles[i]))
	}
	indent := "\n" + strings.Repeat(" ", width+2)
	for n := 1; ; n++ {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			_, err = io.WriteString(w, counted(n-1))
			return err
		}
		if err != nil {
			return err
		}
		stars := strings.Repeat("*", 27)
		var b strings.Builder
		fmt.Fprintf(&b, "%s %d. row %s\n", stars, n, stars)
		for i, v := range row {
			pad := strings.Repeat(" ", width-utf8.RuneCountInString(titles[i]))
			fmt.Fprintf(&b, "%s%s: %s\n", pad, titles[i], strings.Join(cell(v), indent))
		}
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
}

// markdownEscapes keep a value in its cell, and its characters what they are.
var markdownEscapes = strings.NewReplacer(`\`, `\\`, "|", `\|`, "<", "&lt;", "&", "&amp;", "`", "\\`", "*", `\*`, "_", `\_`, "[", `\[`)

// writeMarkdown prints a table of GitHub's Markdown.
func writeMarkdown(w io.Writer, rows Rows) error {
	names := rows.Columns()
	line := func(cells [][]string) error {
		var b strings.Builder
		for _, c := range cells {
			for i := range c {
				c[i] = markdownEscapes.Replace(c[i])
			}
			b.WriteString("| " + strings.Join(c, "<br>") + " ")
		}
		_, err := io.WriteString(w, b.String()+"|\n")
		return err
	}
	cells := make([][]string, len(names))
	for i, name := range names {
		cells[i] = cellLines(name)
	}
	if err := line(cells); err != nil {
		return err
	}
	if _, err := io.WriteString(w, strings.Repeat("|---", len(names))+"|\n"); err != nil {
		return err
	}
	for {
		row, err := rows.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for i, v := range row {
			cells[i] = cell(v)
		}
		if err := line(cells); err != nil {
			return err
		}
	}
}
