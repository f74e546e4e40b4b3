package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/tables/archive"
)

// demoCaptures are shipped with the source; testdata/captures/README.md says
// how they were recorded.
const demoCaptures = "testdata/captures"

const (
	foundingQuestion = `SELECT ts, server_name, server_ip, bytes, packet_status FROM connections
WHERE client_host = 'gavin.reid-machine' AND server_port = 80
  AND overlaps(ts, ts_end, '2026-06-12 10:15', '2026-06-12 10:30')
ORDER BY ts`
	foundingPackets = `SELECT p.ts, p.src_ip, p.dst_ip, p.info FROM connections c JOIN packets p USING (conn_id)
WHERE c.client_host = 'gavin.reid-machine' AND c.server_port = 80
  AND overlaps(c.ts, c.ts_end, '2026-06-12 10:15', '2026-06-12 10:30')
ORDER BY p.ts LIMIT 12`
)

func demoCommand() *command {
	return &command{
		summary:  "import the captures shipped with the source, ask the founding question, serve them",
		sections: []string{"engine", "server"},
		flags: func(f *pflag.FlagSet) {
			f.Bool("once", false, "exit after the answers instead of serving")
		},
		run: runDemo,
	}
}

func runDemo(ctx context.Context, p *program, _ []string) error {
	if _, err := os.Stat(demoCaptures); err != nil {
		return fmt.Errorf("the demo reads %s: run it in the source's top folder", demoCaptures)
	}
	once, _ := p.flags.GetBool("once")
	if !p.flags.Changed("data") {
		dir, err := os.MkdirTemp("", "wiresql-demo-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		p.config.Data = filepath.Join(dir, "archive")
	}
	if !p.flags.Changed("listen") {
		p.config.Server.Listen = freeAddress(p.config.Server.Listen)
	}
	fmt.Fprintf(p.stdout, "importing %s into %s\n", demoCaptures, p.config.Data)
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log})
	if err != nil {
		return err
	}
	report, err := p.importFiles(ctx, a, capture.ImportConfig{Paths: []string{demoCaptures}, Logger: p.log})
	if cerr := a.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "%d packets, %d connections, %s to %s\n\n", report.Packets, report.Conversations, clock(report.First), clock(report.Last))
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	for _, step := range []struct{ say, ask string }{
		{"On June 12th between 10:15 and 10:30, over port 80, what did gavin.reid-machine do?", foundingQuestion},
		{"Its packets, one line more:", foundingPackets},
		{"What that reads:", "EXPLAIN " + foundingPackets},
	} {
		fmt.Fprintf(p.stdout, "%s\n\n%s;\n\n", step.say, step.ask)
		if err := p.answer(ctx, e.NewSession(), "table", step.ask); err != nil {
			return err
		}
		fmt.Fprintln(p.stdout)
	}
	if once {
		return nil
	}
	fmt.Fprintln(p.stdout, "Ctrl-C ends the demo.")
	return p.serve(ctx, e)
}

// freeAddress is the address, or one with a free port when it is taken: a
// demo should not fail because a database runs here.
func freeAddress(address string) string {
	l, err := net.Listen("tcp", address)
	if err != nil {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return address
		}
		return net.JoinHostPort(host, "0")
	}
	l.Close()
	return address
}
