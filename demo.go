package main

import (
	"context"
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/capture"
	"github.com/wiresql/wiresql/tables/archive"
)

// shippedCaptures are part of the program; testdata/captures/README.md says how they
// were recorded, testdata/story/record.sh what happens in the branch office.
//
//go:embed testdata/captures/*.pcap testdata/captures/*.pcapng testdata/captures/*.pcap.gz testdata/story/*.pcap.gz
var shippedCaptures embed.FS

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
		summary:  "import captures that are part of the program, ask the founding question, serve them",
		sections: []string{"engine", "server"},
		flags: func(f *pflag.FlagSet) {
			f.Bool("once", false, "exit after the answers instead of serving")
		},
		run: runDemo,
	}
}

func runDemo(ctx context.Context, p *program, _ []string) error {
	once, _ := p.flags.GetBool("once")
	dir, err := os.MkdirTemp("", "wiresql-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	captures := filepath.Join(dir, "captures")
	if err := os.CopyFS(captures, shippedCaptures); err != nil {
		return err
	}
	if !p.flags.Changed("data") {
		p.config.Data = filepath.Join(dir, "archive")
	}
	if !p.flags.Changed("listen") {
		p.config.Server.Listen = freeAddress(p.config.Server.Listen)
	}
	if !p.flags.Changed("http") {
		p.config.Server.HTTP = freeAddress("127.0.0.1:8080")
	}
	fmt.Fprintf(p.stdout, "importing a morning and an afternoon of an office, and two hours of a branch of it, into %s\n", p.config.Data)
	a, err := archive.Open(p.config.Data, archive.Options{Logger: p.log})
	if err != nil {
		return err
	}
	report, err := p.importFiles(ctx, a, capture.ImportConfig{Paths: []string{captures}, Logger: p.log})
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
		{"Did anybody call home at a steady beat? (A saved hunt; SELECT name, question FROM hunt.hunts lists them. docs/tutorial.md goes on from here.)", "CALL hunt('beaconing')"},
	} {
		fmt.Fprintf(p.stdout, "%s\n\n%s;\n\n", step.say, step.ask)
		if err := p.answer(ctx, e.NewSession(), "table", step.ask, new(int)); err != nil {
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
