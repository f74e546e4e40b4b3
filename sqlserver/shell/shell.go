package shell

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/wiresql/wiresql/sqlserver/output"
)

// Config is what a shell needs.
type Config struct {
	Source Source
	// Name says over what it is, at its start.
	Name string
	// In, Out and Err are the process's own. Where In or Out is no terminal, lines
	// are read as they come, without a prompt, and the first error ends the shell.
	In       *os.File
	Out, Err *os.File
	// Format is how answers are printed; empty: a table, or lines where that
	// is too wide.
	Format string
	// Functions are the names that TAB completes.
	Functions []string
	// History is the file of what was typed; empty: it is not kept.
	History string
}

// ErrReported is that of a statement whose error was printed.
var ErrReported = errors.New("a statement failed")

type shell struct {
	Config
	editor      editor
	interactive bool
	timing      bool
	format      string
	interrupts  interrupts
	completer   *completer

	text string // what was typed of a statement
	last string // the last statement with rows
	rows int    // how many it had
}

// Run reads statements until the end of the input.
func Run(ctx context.Context, c Config) error {
	s := &shell{Config: c, format: cmp.Or(c.Format, autoFormat), timing: true}
	s.interactive = term.IsTerminal(int(c.In.Fd())) && term.IsTerminal(int(c.Out.Fd()))
	if !s.interactive {
		s.editor, s.timing = newPlain(c.In), false
		return s.loop(ctx)
	}
	h := &history{path: c.History}
	t := newTerminal(h, func(line string, at int) (string, []string, string) { return s.complete(ctx, line, at) })
	s.editor = t
	defer t.close()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)
	defer signal.Stop(signals)
	go func() {
		for range signals {
			s.interrupts.happened()
		}
	}()
	fmt.Fprintf(c.Out, "%s\n\\? lists commands, \\d relations, \\h hunts; statements end with ;\n", c.Name)
	err := s.loop(ctx)
	fmt.Fprintln(c.Out)
	if h.err != nil {
		fmt.Fprintf(c.Err, "warning: the history was not kept: %v\n", h.err)
	}
	return err
}

// prompt tells what is missing of a statement.
func (s *shell) prompt() string {
	const first = "wiresql> "
	if s.text == "" {
		return first
	}
	mark := "->"
	if open := cut(s.text).open; open != 0 {
		mark = string(open) + ">"
	}
	return fmt.Sprintf("%*s ", len(first)-1, mark)
}

func (s *shell) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		line, err := s.line(ctx)
		switch {
		case errors.Is(err, errAborted):
			s.text = ""
			continue
		case errors.Is(err, io.EOF) && s.interactive:
			return nil
		case errors.Is(err, io.EOF): // the last statement of a file may have no end
			if s.text == "" || blank(s.text) {
				return nil
			}
			return s.report(s.statement(ctx, s.text, false))
		case err != nil:
			return err
		}
		if err := s.typed(ctx, line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			if s.report(err); !s.interactive {
				return ErrReported
			}
		}
	}
	return nil
}

// line reads a line, and no longer than ctx lasts: what reads is left to itself
// then, since nobody may ever type one.
func (s *shell) line(ctx context.Context) (line string, err error) {
	read := make(chan struct{})
	var typed string
	var failed error
	go func() {
		defer close(read)
		typed, failed = s.editor.line(s.prompt())
	}()
	select {
	case <-read:
		return typed, failed
	case <-ctx.Done():
		s.text = "" // what has no end yet is not asked
		return "", io.EOF
	}
}

// report prints an error.
func (s *shell) report(err error) error {
	if err == nil || errors.Is(err, ErrReported) {
		return err
	}
	fmt.Fprintf(s.Err, "error: %s\n", output.Visible(err.Error()))
	return ErrReported
}

// maxStatement bounds what is kept of a statement that has no end, in bytes:
// servers take no more.
const maxStatement = 1 << 20

// typed takes one more line; io.EOF ends the shell.
func (s *shell) typed(ctx context.Context, line string) error {
	if s.text == "" {
		trimmed := strings.TrimSpace(line)
		word := strings.ToLower(strings.TrimSpace(strings.TrimSuffix(trimmed, ";")))
		if c := plainWords[word]; c != "" {
			trimmed = c
		}
		if strings.HasPrefix(trimmed, `\`) {
			s.editor.remember(trimmed)
			return s.command(ctx, trimmed)
		}
		if trimmed == "" {
			return nil
		}
	} else if isCommand(line) && cut(s.text).open == 0 { // between the lines of a statement, which stays
		return s.command(ctx, strings.TrimSpace(line))
	}
	s.text += line + "\n"
	first := true
	for {
		st := cut(s.text)
		if !st.whole {
			if blank(s.text) && st.open == 0 {
				s.text = ""
			}
			if len(s.text) > maxStatement {
				s.text = ""
				return fmt.Errorf("a statement of more than %d bytes that has no end yet is given up", maxStatement)
			}
			return nil
		}
		if first { // with what else is in the line
			s.editor.remember(oneLine(strings.TrimSuffix(s.text, "\n")))
			first = false
		}
		if s.text = st.rest; blank(st.text) {
			continue
		}
		if err := s.statement(ctx, strings.TrimSpace(st.text), st.vertical); err != nil {
			s.text = "" // of what follows it in the line
			return err
		}
	}
}

// statement answers one that was asked for, which others may refer to.
func (s *shell) statement(ctx context.Context, text string, vertical bool) error {
	return s.answer(ctx, text, vertical, &s.last)
}

// asksForWarnings tells statements whose answer is what is printed below others.
var asksForWarnings = regexp.MustCompile(`(?i)^\s*SHOW\s+(COUNT\s*\(\s*\*\s*\)\s+)?(WARNINGS|ERRORS)\b`)

// answer prints a statement's answer; it is kept in keep if it had rows.
func (s *shell) answer(ctx context.Context, text string, vertical bool, keep ...*string) error {
	return s.running(ctx, func(ctx context.Context, p *pager) error {
		s.rows = 0
		answer, err := s.Source.Query(ctx, text)
		if err != nil {
			return err
		}
		defer answer.Close()
		if len(answer.Columns()) > 0 {
			for _, k := range keep {
				*k = text
			}
			counted := &counter{Rows: answer}
			err := s.write(p, counted, vertical)
			s.rows = counted.rows
			if err != nil {
				return err
			}
		} else if _, err := answer.Next(); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if asksForWarnings.MatchString(text) {
			return nil
		}
		var warnings io.Writer = p
		if !s.interactive {
			warnings = s.Err
		}
		for _, w := range answer.Warnings() {
			fmt.Fprintf(warnings, "warning: %s\n", output.Visible(w))
		}
		return nil
	})
}

// counter counts the rows that go through it.
type counter struct {
	output.Rows
	rows int
}

func (c *counter) Next() ([]any, error) {
	row, err := c.Rows.Next()
	if err == nil {
		c.rows++
	}
	return row, err
}

// write prints rows in the format that is set.
func (s *shell) write(w io.Writer, rows output.Rows, vertical bool) error {
	buffered := bufio.NewWriter(w)
	format := s.format
	switch {
	case vertical:
		format = "line"
	case format == autoFormat:
		format = "table"
		sample := output.SampleOf(rows)
		if s.interactive && sample.Width() > s.width() {
			format = "line"
		}
		rows = sample
	}
	return errors.Join(output.Write(buffered, format, rows), buffered.Flush())
}

// running does something that Ctrl-C ends, with a word of what is done while
// nothing is printed yet.
func (s *shell) running(ctx context.Context, do func(context.Context, *pager) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	began := time.Now()
	p := &pager{out: s.Out}
	if s.interactive {
		s.interrupts.set(cancel)
		defer s.interrupts.set(nil)
		shown := showProgress(s.Out, s.width(), s.Source.State)
		defer shown.stop()
		p.before = shown.stop
		_, p.height, _ = term.GetSize(int(s.Out.Fd()))
	}
	err := do(ctx, p)
	took := time.Since(began)
	stopped := ctx.Err() != nil && err != nil && !errors.Is(err, errPagerLeft)
	if s.timing && (err == nil || errors.Is(err, errPagerLeft)) {
		fmt.Fprintf(p, "%.3f s\n", took.Seconds())
	}
	err = errors.Join(err, p.close())
	switch {
	case stopped:
		return fmt.Errorf("stopped after %.3f s", took.Seconds())
	case errors.Is(err, errPagerLeft):
		return nil
	}
	return err
}

// page shows a text that is there.
func (s *shell) page(text string) error {
	p := &pager{out: s.Out}
	if s.interactive {
		_, p.height, _ = term.GetSize(int(s.Out.Fd()))
	}
	if _, err := io.WriteString(p, text); err != nil && !errors.Is(err, errPagerLeft) {
		return err
	}
	return p.close()
}

// width is the terminal's, in characters.
func (s *shell) width() int {
	if w, _, err := term.GetSize(int(s.Out.Fd())); err == nil && w > 0 {
		return w
	}
	return 100
}

// complete is what TAB gives at a place of a line.
func (s *shell) complete(ctx context.Context, line string, at int) (head string, list []string, tail string) {
	before, after := s.text+line[:at], line[at:]
	if s.completer == nil {
		c, err := load(ctx, s.Source)
		if err != nil {
			return line[:at], nil, after
		}
		s.completer = &completer{c, s.Functions}
	}
	o := s.completer.offers(before, after)
	if from := o.from - len(s.text); from >= 0 {
		return line[:from], o.list, after
	}
	return line[:at], nil, after // it began in an earlier line
}
