package standing

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Target is who is told of findings: a server that takes them by POST, or a program
// that reads them. Targets stand in a file of the server's, for what they can do no
// statement may ask.
type Target struct {
	Name string `json:"name"`
	// URL is POSTed to, with these headers; redirects are not followed.
	URL     string            `json:"url"`
	Headers map[string]string `json:"headers"`
	// Command is a program and its arguments; no shell reads them.
	Command []string `json:"command"`
	// Seconds are how long one may take; 10 unless given.
	Seconds int `json:"timeout_seconds"`
}

const (
	maxTargets     = 1 << 20 // bytes of their file
	defaultSeconds = 10
	mostSeconds    = 300
)

var targetName = regexp.MustCompile(`^[a-z0-9][a-z0-9_.-]{0,63}$`)

// Targets reads a file of targets: a JSON list. As it has secrets, nobody but its
// owner may read it.
func Targets(file string) (map[string]*Target, error) {
	if file == "" {
		return nil, nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("file of targets: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("file of targets: %w", err)
	}
	if mode := st.Mode().Perm(); mode&0o077 != 0 {
		return nil, fmt.Errorf("file of targets %s can be read by others (mode %o): chmod 600 it", file, mode)
	}
	in := json.NewDecoder(io.LimitReader(f, maxTargets))
	in.DisallowUnknownFields()
	var list []*Target
	if err := in.Decode(&list); err != nil {
		return nil, fmt.Errorf("file of targets %s: %w", file, err)
	}
	out := map[string]*Target{}
	for _, t := range list {
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("file of targets %s: %w", file, err)
		}
		if out[t.Name] != nil {
			return nil, fmt.Errorf("file of targets %s: %s is there twice", file, t.Name)
		}
		out[t.Name] = t
	}
	return out, nil
}

func (t *Target) check() error {
	switch {
	case t == nil || !targetName.MatchString(t.Name):
		return errors.New("a target has a name of lower case letters, digits and _ . -")
	case (t.URL == "") == (len(t.Command) == 0):
		return fmt.Errorf("target %s has a url or a command", t.Name)
	case t.Seconds < 0 || t.Seconds > mostSeconds:
		return fmt.Errorf("target %s: timeout_seconds is up to %d", t.Name, mostSeconds)
	}
	if t.URL != "" {
		if u, err := url.Parse(t.URL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("target %s: url is none of http or https", t.Name)
		}
	}
	return nil
}

// Tell gives a target a message. Its error names neither the address nor anything
// that the target said: who may read findings need not know.
func (t *Target) Tell(ctx context.Context, id string, message []byte) error {
	limit := time.Duration(cmp.Or(t.Seconds, defaultSeconds)) * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("no answer within %v", limit))
	defer cancel()
	err := error(nil)
	if t.URL != "" {
		err = t.post(ctx, id, message)
	} else {
		err = t.command(ctx, message)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	return err
}

var client = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true},
}

func (t *Target) post(ctx context.Context, id string, message []byte) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, t.URL, bytes.NewReader(message))
	if err != nil {
		return errors.New("the url can't be asked")
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Idempotency-Key", id)
	for name, value := range t.Headers {
		r.Header.Set(name, value)
	}
	answer, err := client.Do(r)
	if err != nil {
		var number syscall.Errno
		if errors.As(err, &number) {
			return errors.New(number.Error())
		}
		return errors.New("the server can't be reached, or its certificate is not trusted")
	}
	defer answer.Body.Close()
	// What it says does not matter, and how much of it neither.
	_, _ = io.CopyN(io.Discard, answer.Body, 4<<10)
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return fmt.Errorf("the server answered with status %d", answer.StatusCode)
	}
	return nil
}

func (t *Target) command(ctx context.Context, message []byte) error {
	cmd := exec.CommandContext(ctx, t.Command[0], t.Command[1:]...)
	cmd.Stdin = bytes.NewReader(message)
	for _, name := range []string{"PATH", "HOME", "LANG", "TMPDIR"} {
		if v, ok := os.LookupEnv(name); ok {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	// It ends with all that it started.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	if cmd.Process != nil { // what it left behind, too
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		return fmt.Errorf("the command ended with %s", strings.TrimSpace(ended.String()))
	}
	if err != nil {
		return errors.New("the command can't be started")
	}
	return nil
}
