package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/sqlserver"
	"github.com/wiresql/wiresql/web"
)

// exitGuarded is the exit code of a process that could not end a statement.
const exitGuarded = 4

func serveCommand() *command {
	return &command{
		summary:  "answer MySQL clients",
		sections: []string{"engine", "server"},
		run:      runServe,
	}
}

func runServe(ctx context.Context, p *program, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q", args[0])
	}
	if err := p.confine(false); err != nil {
		return startError{err}
	}
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	return p.serve(ctx, e)
}

// serve answers clients until ctx ends.
func (p *program) serve(ctx context.Context, e *engine.Engine) error {
	e.Guard(func(reason string) {
		fmt.Fprintf(p.stderr, "wiresql serve: %s; the process ends\n", reason)
		os.Exit(exitGuarded)
	})
	cfg := p.config.Server
	cfg.Dir = filepath.Join(p.config.Data, "serve")
	s := sqlserver.New(cfg, e, p.log)
	if err := s.Start(); err != nil {
		return startError{err}
	}
	defer s.Close()
	ctx, end := context.WithCancel(ctx)
	over, err := e.Stand(ctx)
	if err != nil {
		end()
		return startError{err}
	}
	defer over()
	defer end()
	stop, err := p.serveMetrics(cfg.MetricsListen, engineMetrics{e})
	if err != nil {
		return err
	}
	defer stop()
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		return err
	}
	password, file := s.Password()
	if password != "" {
		fmt.Fprintf(p.stdout, "account wiresql, password %s (kept in %s)\n", password, file)
	} else {
		fmt.Fprintf(p.stdout, "account wiresql, password in %s\n", file)
	}
	if cfg.HTTP != "" {
		page := web.New(web.Config{Listen: cfg.HTTP, TLS: s.TLS(), Dial: s.Dial}, p.log)
		if err := page.Start(); err != nil {
			return startError{err}
		}
		defer page.Close()
		fmt.Fprintf(p.stdout, "page: %s\n", page.URL())
	}
	fmt.Fprintf(p.stdout, "serving %s: mariadb --ssl -h %s -P %s -u wiresql -p -D wiresql\n", p.config.Data, host, port)
	<-ctx.Done()
	return nil
}
