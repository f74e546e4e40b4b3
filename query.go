package main

import (
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
			f.String("format", "table", formatHelp)
			f.StringP("file", "f", "", "read the statements from a file, - is standard input; they end with ;")
		},
		run: runQuery,
	}
}

// formatHelp is what --format says of itself.
var formatHelp = "how to print answers: " + strings.Join(output.Formats, ", ")

func runQuery(ctx context.Context, p *program, args []string) error {
	format, _ := p.flags.GetString("format")
	if err := output.Known(format); err != nil {
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
	s := e.NewSession() // of all: what one sets holds for the next
	for i, statement := range statements {
		if err := p.answer(ctx, s, format, statement); err != nil {
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
func (p *program) answer(ctx context.Context, e *engine.Session, format, statement string) error {
	rows, err := e.Query(ctx, statement)
	if err != nil {
		return err
	}
	defer rows.Close()
	if len(rows.Schema) == 0 { // SET, USE, …
		_, err = rows.All()
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
