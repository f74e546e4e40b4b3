package shell

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
)

// defaultPager shows lines that are longer than the screen as they are.
const defaultPager = "less -S"

// errPagerLeft is that of writing to a pager that was left.
var errPagerLeft = errors.New("the pager was left")

// pager writes what fits on a screen to it, and what is longer to a program.
type pager struct {
	out    io.Writer
	height int // lines of the screen; 0: there is no pager
	// before is called once, before the first is written.
	before func()

	held    bytes.Buffer
	command *exec.Cmd
	pipe    io.WriteCloser
}

// Write implements io.Writer.
func (p *pager) Write(text []byte) (int, error) {
	switch {
	case p.pipe != nil:
		n, err := p.pipe.Write(text)
		if err != nil {
			err = errPagerLeft
		}
		return n, err
	case p.height <= 0:
		p.begin()
		return p.out.Write(text)
	}
	p.held.Write(text)
	if bytes.Count(p.held.Bytes(), []byte("\n")) < p.height-1 {
		return len(text), nil
	}
	p.begin()
	if err := p.start(); err != nil { // none is installed
		p.height = 0
	}
	held := p.held.Bytes()
	p.held = bytes.Buffer{}
	if p.pipe == nil {
		_, err := p.out.Write(held)
		return len(text), err
	}
	if _, err := p.pipe.Write(held); err != nil {
		return 0, errPagerLeft
	}
	return len(text), nil
}

func (p *pager) begin() {
	if p.before != nil {
		p.before()
		p.before = nil
	}
}

func (p *pager) start() error {
	words := strings.Fields(os.Getenv("PAGER"))
	if len(words) == 0 {
		words = strings.Fields(defaultPager)
	}
	if _, err := exec.LookPath(words[0]); err != nil {
		return err
	}
	p.command = exec.Command(words[0], words[1:]...)
	p.command.Stdout, p.command.Stderr = p.out, os.Stderr
	pipe, err := p.command.StdinPipe()
	if err != nil {
		return err
	}
	if err := p.command.Start(); err != nil {
		return err
	}
	p.pipe = pipe
	return nil
}

// close writes what is held, or waits until the pager is left.
func (p *pager) close() error {
	p.begin()
	if p.pipe == nil {
		_, err := p.out.Write(p.held.Bytes())
		return err
	}
	// Both fail where the pager was left early, or ended with a code of its own.
	_ = p.pipe.Close()
	_ = p.command.Wait()
	return nil
}
