package web

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-sql-driver/mysql"
)

const (
	// maxRows of an answer are shown.
	maxRows = 1000
	// maxText is how much of a value is shown in a table, in bytes, and wholeText
	// where it is all there is to see.
	maxText   = 4096
	wholeText = 1 << 20
	// maxBytes is the same for bytes that are no text.
	maxBytes = 64
)

// selectLimit ends answers behind the row that says there are more.
var selectLimit = fmt.Sprintf("SET sql_select_limit = %d", maxRows+1)

// answer is a statement and what became of it.
type answer struct {
	SQL      string
	Columns  []column
	Rows     [][]cell
	More     bool // there are more rows than are shown
	Warnings []string
	Took     time.Duration
	Err      string
	most     int // bytes of a text
}

type column struct {
	Name   string
	Number bool // to be lined up at its right
	Time   bool
	Bytes  bool
}

// cell is a value as it is shown.
type cell struct {
	Text string
	Null bool
	Rest int    // bytes that are not shown
	Href string // where it leads to
}

// Seconds is how long the answer took.
func (a *answer) Seconds() string { return fmt.Sprintf("%.2f s", a.Took.Seconds()) }

// texts are a row's values by the names of its columns; NULL is nil.
func (a *answer) texts(row []cell) map[string]*string {
	out := map[string]*string{}
	for i, c := range a.Columns {
		if !row[i].Null && row[i].Rest == 0 {
			out[c.Name] = &row[i].Text
		}
	}
	return out
}

// column's place, -1 if there is none of that name.
func (a *answer) column(name string) int {
	for i, c := range a.Columns {
		if strings.EqualFold(c.Name, name) {
			return i
		}
	}
	return -1
}

// ask runs a statement and keeps the first rows. What goes wrong stands in the
// answer.
func (s *session) ask(ctx context.Context, text string) *answer { return s.askUpTo(ctx, maxText, text) }

// askUpTo does so with as much of each text.
func (s *session) askUpTo(ctx context.Context, most int, text string) *answer {
	a := &answer{SQL: text, most: most}
	began := time.Now()
	if err := s.fill(ctx, a); err != nil {
		a.Err = told(err)
	}
	a.Took = time.Since(began)
	return a
}

func (s *session) fill(ctx context.Context, a *answer) error {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if !asks.MatchString(a.SQL) { // what SET and USE change is of the connection, which no other statement gets
		defer conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	reading, stop := context.WithCancel(ctx)
	defer stop()
	rows, err := conn.QueryContext(reading, a.SQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	if a.Columns, err = columnsOf(rows); err != nil {
		return err
	}
	raw := make([]sql.RawBytes, len(a.Columns))
	to := make([]any, len(raw))
	for i := range raw {
		to[i] = &raw[i]
	}
	for rows.Next() {
		if len(a.Rows) == maxRows {
			a.More = true
			if rows.Next() { // its own LIMIT lets it go on: nobody reads the rest
				a.Warnings = append(a.Warnings, "the statement was ended after the rows that are shown: what it would have warned of is not known")
				return nil
			}
			break
		}
		if err := rows.Scan(to...); err != nil {
			return err
		}
		row := make([]cell, len(raw))
		for i, value := range raw {
			row[i] = shown(a.Columns[i], value, a.most)
		}
		a.Rows = append(a.Rows, row)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if err := rows.Close(); err != nil {
		return err
	}
	a.Warnings, err = warnings(ctx, conn)
	return err
}

func columnsOf(rows *sql.Rows) ([]column, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return nil, err
	}
	out := make([]column, len(types))
	for i, t := range types {
		kind := t.DatabaseTypeName()
		out[i] = column{Name: t.Name()}
		switch strings.TrimPrefix(kind, "UNSIGNED ") {
		case "TINYINT", "SMALLINT", "MEDIUMINT", "INT", "BIGINT", "DECIMAL", "FLOAT", "DOUBLE", "YEAR":
			out[i].Number = true
		case "DATETIME", "TIMESTAMP", "DATE":
			out[i].Time = true
		case "BINARY", "VARBINARY", "TINYBLOB", "BLOB", "MEDIUMBLOB", "LONGBLOB", "BIT", "GEOMETRY":
			out[i].Bytes = true
		}
	}
	return out, nil
}

// warnings are those of the statement before.
func warnings(ctx context.Context, conn *sql.Conn) ([]string, error) {
	rows, err := conn.QueryContext(ctx, "SHOW WARNINGS")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var level, text string
		var code int
		if err := rows.Scan(&level, &code, &text); err != nil {
			return nil, err
		}
		out = append(out, text)
	}
	return out, rows.Err()
}

// shown is a value as a table has it.
func shown(c column, value sql.RawBytes, most int) cell {
	switch {
	case value == nil:
		return cell{Null: true}
	case c.Bytes:
		kept := value[:min(len(value), maxBytes)]
		return cell{Text: hex.EncodeToString(kept), Rest: len(value) - len(kept)}
	}
	kept := value
	if len(kept) > most {
		kept = kept[:most]
		for len(kept) > 0 && !utf8.RuneStart(value[len(kept)]) {
			kept = kept[:len(kept)-1]
		}
	}
	return cell{Text: string(kept), Rest: len(value) - len(kept)}
}

// seen is a text with what nobody would see, or what turns the writing round,
// spelled out: what packets and links hold must not look like something else.
func seen(text string) string {
	hides := func(r rune) bool {
		return unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && r != '\n' && r != '\t' && r != '\r'
	}
	if strings.IndexFunc(text, hides) < 0 {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if hides(r) {
			fmt.Fprintf(&b, "[U+%04X]", r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// told is an error as somebody is told of it.
func told(err error) string {
	var known *mysql.MySQLError
	switch {
	case errors.As(err, &known):
		return fmt.Sprintf("%s (error %d)", known.Message, known.Number)
	case errors.Is(err, context.Canceled):
		return "the statement was ended"
	}
	return "the server does not answer: " + err.Error()
}

// denied tells whether an error is one of rights.
func denied(err error) bool {
	var known *mysql.MySQLError
	return errors.As(err, &known) && (known.Number == 1142 || known.Number == 1143 || known.Number == 1044 || known.Number == 1227 || known.Number == 1370)
}
