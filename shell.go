package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/sqlserver/shell"
)

func shellCommand() *command {
	return &command{
		summary:  "ask one statement after another, of an archive or of a server",
		sections: []string{"engine"},
		flags: func(f *pflag.FlagSet) {
			addSourceFlags(f)
			f.String("format", "", formatHelp+"; a table, or lines where it is too wide, unless given")
			f.String("history", defaultHistory, "file of what was typed; empty: it is not kept")
		},
		run: runShell,
	}
}

// addSourceFlags adds what says who answers: an archive unless it is a server.
func addSourceFlags(f *pflag.FlagSet) {
	f.String("server", "", "ask the server HOST:PORT instead of an archive")
	f.StringP("account", "u", "wiresql", "account at the server; its password is asked for unless MYSQL_PWD or --password-file has it")
	f.String("password-file", "", "file with the password, such as serve/password in the server's archive")
	f.String("tls-ca", "", "certificate the server's is checked with, such as serve/tls/cert.pem in its archive; needed where it is another machine")
	f.Bool("tls-skip-verify", false, "take any certificate: who is in between reads the password")
}

// defaultHistory is where the history is unless it is said, or XDG_STATE_HOME
// says where such files are.
const defaultHistory = "~/.local/state/wiresql/history"

// history is the file that the flags say; none where nobody has a home.
func (p *program) history() string {
	path, _ := p.flags.GetString("history")
	if state := os.Getenv("XDG_STATE_HOME"); state != "" && !p.flags.Changed("history") {
		return filepath.Join(state, "wiresql", "history")
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		return filepath.Join(home, rest)
	}
	return path
}

func runShell(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	format, _ := p.flags.GetString("format")
	if format != "" {
		if err := output.Known(format); err != nil {
			return err
		}
	}
	out, _ := p.stdout.(*os.File)
	complain, _ := p.stderr.(*os.File)
	if out == nil || complain == nil {
		return errors.New("a shell needs files to write to")
	}
	source, name, err := p.source(ctx, nil)
	if err != nil {
		return err
	}
	defer source.Close()
	err = shell.Run(ctx, shell.Config{Source: source, Name: "wiresql over " + name, In: os.Stdin, Out: out, Err: complain,
		Format: format, Functions: engine.FunctionNames(), History: p.history()})
	if errors.Is(err, shell.ErrReported) {
		return exitError(1)
	}
	return err
}

// source is who answers, by the flags, and what that is called. A session of the
// process gets the rights that limit leaves it.
func (p *program) source(ctx context.Context, limit func(*engine.Session)) (s shell.Source, name string, err error) {
	address, _ := p.flags.GetString("server")
	if address == "" {
		e, closeAll, err := p.openEngine(p.log)
		if err != nil {
			return nil, "", err
		}
		e.Guard(func(reason string) {
			fmt.Fprintf(p.stderr, "wiresql: %s\n", reason)
			os.Exit(exitGuarded)
		})
		session := e.NewSession()
		if limit != nil {
			limit(session)
		}
		return &archiveSource{session, closeAll}, p.config.Data, nil
	}
	c := shell.ServerConfig{Address: address, Password: os.Getenv("MYSQL_PWD")}
	c.User, _ = p.flags.GetString("account")
	c.CA, _ = p.flags.GetString("tls-ca")
	c.Unchecked, _ = p.flags.GetBool("tls-skip-verify")
	if file, _ := p.flags.GetString("password-file"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, "", err
		}
		c.Password = string(bytes.TrimRight(text, "\r\n"))
	}
	if c.Password == "" {
		if c.Password, err = askPassword(c.User); err != nil {
			return nil, "", err
		}
	}
	s, err = shell.Connect(ctx, c)
	return s, c.User + "@" + c.Address, err
}

// askPassword asks at the terminal, whatever is standard input.
func askPassword(user string) (string, error) {
	tty, err := os.OpenFile(map[bool]string{true: "CONIN$", false: "/dev/tty"}[runtime.GOOS == "windows"], os.O_RDWR, 0)
	if err != nil {
		return "", errors.New("no password: set MYSQL_PWD, or name a file with --password-file")
	}
	defer tty.Close()
	fmt.Fprintf(tty, "Password of %s: ", user)
	defer fmt.Fprintln(tty)
	password, err := term.ReadPassword(int(tty.Fd()))
	return string(password), err
}

// archiveSource answers from an archive, in the process.
type archiveSource struct {
	session *engine.Session
	close   func()
}

// Query implements shell.Source.
func (a *archiveSource) Query(ctx context.Context, statement string) (shell.Answer, error) {
	rows, err := a.session.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	return answerRows{rows}, nil
}

// State implements shell.Source.
func (a *archiveSource) State(context.Context) string { return a.session.State() }

// Export implements shell.Source.
func (a *archiveSource) Export(ctx context.Context, statement, path string) (shell.Exported, error) {
	done, err := export(ctx, a.session, statement, path)
	if err != nil {
		return shell.Exported{}, err
	}
	return shell.Exported{Said: done.String(), Missing: done.Missing}, nil
}

// Close implements shell.Source.
func (a *archiveSource) Close() error {
	a.close()
	return nil
}
