package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/tables/archive"
)

func queryCommand() *command {
	return &command{
		summary:  "answer statements, without a server",
		args:     "\"SELECT …\" | --file FILE",
		sections: []string{"engine"},
		flags: func(f *pflag.FlagSet) {
			f.String("format", "table", formatHelp+"; or parquet, with --output")
			f.StringP("output", "o", "", "write the answer to this file, which must not exist")
			f.StringP("file", "f", "", "read the statements from a file, - is standard input; they end with ;")
		},
		run: runQuery,
	}
}

// formatHelp is what --format says of itself.
var formatHelp = "how to print answers: " + strings.Join(output.Formats, ", ")

func runQuery(ctx context.Context, p *program, args []string) (failed error) {
	format, _ := p.flags.GetString("format")
	to, _ := p.flags.GetString("output")
	if format == parquetFormat {
		if to == "" {
			return errors.New("parquet is for a file: name it with --output")
		}
	} else if err := output.Known(format); err != nil {
		return err
	}
	file, _ := p.flags.GetString("file")
	var statements []string
	switch {
	case len(args) == 1 && file == "":
		statements = engine.Split(args[0])
	case len(args) == 0 && file != "":
		text, err := statementFile(file)
		if err != nil {
			return err
		}
		statements = engine.Split(text)
	default:
		return errors.New("give one statement, in quotes, or a file of them with --file")
	}
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	e.Guard(func(reason string) {
		fmt.Fprintf(p.stderr, "wiresql query: %s\n", reason)
		os.Exit(exitGuarded)
	})
	if to != "" {
		close, err := p.outputTo(to)
		if err != nil {
			return err
		}
		defer func() { failed = close(failed) }()
	}
	s := e.NewSession() // of all: what one sets holds for the next
	answers := 0
	for i, statement := range statements {
		err := p.answer(ctx, s, format, statement, &answers)
		if err != nil {
			if len(statements) > 1 {
				return fmt.Errorf("statement %d: %w", i+1, err)
			}
			return err
		}
	}
	return nil
}

// maxStatements bounds the text of a file of statements, in bytes.
const maxStatements = 16 << 20

func statementFile(name string) (string, error) {
	in := os.Stdin
	if name != "-" {
		var err error
		if in, err = os.Open(name); err != nil {
			return "", err
		}
		defer in.Close()
	}
	text, err := io.ReadAll(io.LimitReader(in, maxStatements+1))
	if err == nil && len(text) > maxStatements {
		err = fmt.Errorf("%s: more than %d bytes of statements", name, maxStatements)
	}
	return string(text), err
}

// openEngine opens the archive for reading and an engine over it.
func (p *program) openEngine(log *slog.Logger) (*engine.Engine, func(), error) {
	dir, err := p.dataDirectory()
	if err != nil {
		return nil, nil, err
	}
	a, err := archive.Open(dir, archive.Options{Logger: log, ReadOnly: true})
	if err != nil {
		return nil, nil, err
	}
	e, err := engine.New(p.config.Engine, a, log)
	if err != nil {
		a.Close()
		return nil, nil, err
	}
	return e, func() {
		e.Close()
		a.Close()
	}, nil
}

// answer prints what a statement gives; its warnings go to stderr.
func (p *program) answer(ctx context.Context, e *engine.Session, format, statement string, answers *int) error {
	rows, err := e.Query(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	if len(rows.Schema) == 0 { // SET, USE, …
		_, err = rows.All()
	} else if *answers++; format == parquetFormat {
		if *answers > 1 {
			return errors.New("a Parquet file takes one answer")
		}
		err = output.WriteParquet(p.stdout, parquetColumns(rows), answerRows{rows})
	} else {
		err = output.Write(p.stdout, format, answerRows{rows})
	}
	if err != nil {
		return err
	}
	for _, w := range rows.Warnings() {
		fmt.Fprintf(p.stderr, "warning: %s\n", output.Visible(w))
	}
	return nil
}

// parquetFormat is the format that no terminal takes.
const parquetFormat = "parquet"

// outputTo has answers go to a file, until close: it is there under its name once they are
// whole.
func (p *program) outputTo(path string) (close func(error) error, err error) {
	if _, err := os.Lstat(path); err == nil {
		return nil, fmt.Errorf("%s is there already", path)
	}
	f, err := os.OpenFile(path+".partial", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return nil, err
	}
	before, buffer := p.stdout, bufio.NewWriterSize(f, 1<<20)
	p.stdout = buffer
	return func(failed error) error {
		p.stdout = before
		err := cmp.Or(failed, buffer.Flush())
		if err = errors.Join(err, f.Close()); err != nil {
			os.Remove(f.Name())
			return err
		}
		return os.Rename(f.Name(), path)
	}, nil
}

// parquetColumns are an answer's columns as a Parquet file has them.
func parquetColumns(rows *engine.Rows) (out []output.Column) {
	for i, c := range rows.Schema {
		out = append(out, output.ColumnOf(c.Name, rows.TypeName(i)))
	}
	return out
}

// answerRows is an engine's answer as the printers take it.
type answerRows struct{ *engine.Rows }

func (r answerRows) Columns() []string {
	names := make([]string, len(r.Schema))
	for i, c := range r.Schema {
		names[i] = c.Name
	}
	return names
}

func (r answerRows) Next() ([]any, error) {
	cells, err := r.Text()
	if err != nil {
		return nil, err
	}
	row := make([]any, len(cells))
	for i, cell := range cells {
		switch {
		case cell == nil:
		case r.IsNumber(i):
			row[i] = output.Number(cell)
		case r.IsBytes(i):
			row[i] = cell
		default:
			row[i] = string(cell)
		}
	}
	return row, nil
}
