package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/tables/archive"
)

// exitConfiguration is the exit code of a command that can't start as it is
// configured: an unknown flag, a taken port. Trying again won't help.
const exitConfiguration = 2

// startError is why a command can't start as it is configured.
type startError struct{ error }

func (e startError) Unwrap() error { return e.error }

func upCommand() *command {
	return &command{
		summary:  "record, compact and serve, each a process of its own that is started again when it dies",
		sections: []string{"capture", "collector", "compact", "retention", "engine", "server"},
		run:      runUp,
	}
}

func runUp(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return startError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	if err := p.confine(true); err != nil {
		return startError{err}
	}
	// Serving needs an archive to read, which recording would make in its own
	// time.
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log})
	if err != nil {
		return startError{err}
	}
	if err := a.Close(); err != nil {
		return err
	}
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	s := supervisor{
		stdout: p.stdout, stderr: p.stderr,
		least: time.Second, most: time.Minute, settled: time.Minute, patience: 30 * time.Second,
	}
	for _, part := range []process{{name: "record"}, {name: "compact"}, {name: "serve"}} {
		part.command = append([]string{binary, part.name}, p.flagsFor(part.name)...)
		s.processes = append(s.processes, part)
	}
	if code := s.run(ctx); code != 0 {
		return exitError(code)
	}
	return nil
}

// flagsFor are the flags this command was given, as far as another takes
// them: what is in the environment it inherits, what is in the file it reads.
func (p *program) flagsFor(name string) []string {
	takes := newFlagSet(name, commands()[name])
	var args []string
	p.flags.Visit(func(f *pflag.Flag) {
		if takes.Lookup(f.Name) == nil {
			return
		}
		value := f.Value.String()
		if list, ok := f.Value.(pflag.SliceValue); ok {
			value = commaSeparated(list.GetSlice())
		}
		args = append(args, "--"+f.Name+"="+value)
	})
	return args
}

// commaSeparated writes a list as flags take it.
func commaSeparated(list []string) string {
	var b strings.Builder
	w := csv.NewWriter(&b)
	// A Builder takes everything.
	_ = w.Write(list)
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// process is one the supervisor keeps running.
type process struct {
	name    string
	command []string
}

// supervisor runs processes until its context ends, and starts again those
// that die. Their output is its own: what serve says of the first password is
// on the terminal once.
type supervisor struct {
	processes      []process
	stdout, stderr io.Writer
	// A process that died is started again after least, doubled by each death
	// up to most; one that lived for settled begins anew.
	least, most, settled time.Duration
	patience             time.Duration // from SIGTERM to SIGKILL

	mu sync.Mutex // guards stderr
}

// run returns the exit code: exitConfiguration when a process could not start
// in the first place, 1 when one did not end well on being told to, else 0.
func (s *supervisor) run(ctx context.Context) int {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	codes := make([]int, len(s.processes))
	var all sync.WaitGroup
	for i := range s.processes {
		all.Go(func() {
			if codes[i] = s.keep(ctx, &s.processes[i]); codes[i] == exitConfiguration {
				stop()
			}
		})
	}
	all.Wait()
	worst := 0
	for _, code := range codes {
		worst = max(worst, code)
	}
	return worst
}

// toldToEnd is how a process ends that was told to before it could listen.
var toldToEnd = "signal: " + syscall.SIGTERM.String()

// keep runs one process until ctx ends.
func (s *supervisor) keep(ctx context.Context, p *process) int {
	// The kernel ends children with the thread that made them, not with the
	// process: the thread has to stay as long as they live.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	wait := s.least
	for first := true; ; first = false {
		began := time.Now()
		code, how := s.once(ctx, p, !first)
		lived := time.Since(began)
		switch {
		case ctx.Err() != nil && code != 0 && how != toldToEnd:
			s.say("%s did not end well: %s", p.name, how)
			return 1
		case ctx.Err() != nil:
			return 0
		case first && code == exitConfiguration:
			s.say("%s cannot start as configured; giving up", p.name)
			return exitConfiguration
		}
		if lived >= s.settled {
			wait = s.least
		}
		s.say("%s died after %v (%s); starting it again in %v", p.name, lived.Round(time.Millisecond), how, wait)
		select {
		case <-ctx.Done():
			return 0
		case <-time.After(wait):
		}
		wait = min(2*wait, s.most)
	}
}

// once runs a process to its end and tells how it ended. When ctx ends it is
// told to, and killed when that takes too long.
func (s *supervisor) once(ctx context.Context, p *process, again bool) (code int, how string) {
	cmd := exec.CommandContext(ctx, p.command[0], p.command[1:]...)
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
	cmd.SysProcAttr = childAttributes()
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = s.patience
	if err := cmd.Start(); err != nil {
		return 1, err.Error()
	}
	if again {
		s.say("%s started again, process %d", p.name, cmd.Process.Pid)
	}
	err := cmd.Wait()
	if cmd.ProcessState == nil {
		return 1, err.Error()
	}
	return cmd.ProcessState.ExitCode(), cmd.ProcessState.String()
}

func (s *supervisor) say(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	fmt.Fprintf(s.stderr, "wiresql up: "+format+"\n", args...)
}
