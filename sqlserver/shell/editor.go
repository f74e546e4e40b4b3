package shell

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/peterh/liner"
)

// editor gives the lines that are typed.
type editor interface {
	// line is the next one, without its end; errAborted after Ctrl-C, io.EOF
	// at the end.
	line(prompt string) (string, error)
	// remember keeps an entry for those who go back.
	remember(entry string)
	close() error
}

var errAborted = errors.New("the line was given up")

// maxLine bounds a line that is not typed, in bytes.
const maxLine = 16 << 20

// plain reads lines that nobody types: of a file, or a pipe.
type plain struct{ in *bufio.Scanner }

func newPlain(in io.Reader) *plain {
	s := bufio.NewScanner(in)
	s.Buffer(nil, maxLine)
	return &plain{s}
}

func (p *plain) line(string) (string, error) {
	if p.in.Scan() {
		return p.in.Text(), nil
	}
	if err := p.in.Err(); errors.Is(err, bufio.ErrTooLong) {
		return "", fmt.Errorf("a line is longer than %d bytes", maxLine)
	} else if err != nil {
		return "", err
	}
	return "", io.EOF
}

func (p *plain) remember(string) {}
func (p *plain) close() error    { return nil }

// terminal is a line editor.
type terminal struct {
	state   *liner.State
	history *history
}

// newTerminal edits lines at the process's terminal. complete gets a line and
// the place of the cursor in it, in bytes.
func newTerminal(h *history, complete func(line string, at int) (head string, list []string, tail string)) *terminal {
	t := &terminal{liner.NewLiner(), h}
	t.state.SetCtrlCAborts(true)
	t.state.SetMultiLineMode(true)
	t.state.SetBeep(false)
	t.state.SetTabCompletionStyle(liner.TabPrints)
	t.state.SetWordCompleter(func(line string, pos int) (string, []string, string) {
		return complete(line, len(string([]rune(line)[:pos])))
	})
	for _, entry := range h.entries() {
		t.state.AppendHistory(entry)
	}
	return t
}

func (t *terminal) line(prompt string) (string, error) {
	line, err := t.state.Prompt(prompt)
	if errors.Is(err, liner.ErrPromptAborted) {
		return "", errAborted
	}
	return line, err
}

func (t *terminal) remember(entry string) {
	if entry = strings.TrimSpace(entry); entry != "" {
		t.state.AppendHistory(entry)
		t.history.add(entry)
	}
}

func (t *terminal) close() error { return t.state.Close() }
