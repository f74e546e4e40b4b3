// Command wiresql answers SQL over network flows and the packets behind them.
//
// The program is a handful of commands, one file each: import.go reads
// captures into an archive, serve.go answers MySQL clients, query.go answers
// one statement without a server, files.go lists files for others, verify.go
// reads them all, demo.go does all of it on captures that are part of the
// program. docs/tour.md walks a packet and a query through them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/sqlserver/output"
)

const usage = `wiresql: one SQL query from network flows to the packets behind them

Usage: wiresql COMMAND [flags] [arguments]

Look at traffic
  import FILE|DIR…   read pcap and pcapng captures (.gz, .zst) into an archive
  serve              answer MySQL clients
  shell              ask one statement after another, of an archive or of a
                     server
  query "SELECT …"   answer one statement, without a server
  mcp                let an assistant ask, over the Model Context Protocol
  hunt run --all     run the saved hunts; hunt list names them, hunt run NAME
                     runs one
  export "SELECT …"  write the packets a statement names to a capture file
  files FAMILY…      list the row files that count now, for other programs
  verify             read an archive's files: are they as they were written?
                     --repair makes rows again, from packets and other rows
  demo               import captures that are part of the program, ask the
                     founding question, then serve them

Record
  up                 record, compact and serve; starts again what dies
  record             receive NetFlow, IPFIX and sFlow; with --capture eth1
                     packets of an interface
  status             rates, lag, losses, and how long the disk lasts
  compact            merge the files of a recorder, settle conversations
  root retire DIR    have the packets of a disk moved to others, until it can be
                     taken out

About wiresql
  connect-info       how programs connect to the server
  config             print the effective configuration
  man                the manual page
  completion SHELL   what makes bash, zsh or fish complete command lines
  version            print the version
  help [COMMAND]     this text, or a command's flags

Every command takes --data DIR, the archive (default ./data), and --config
FILE. A setting can also be given in the environment: server.listen is
WIRESQL_SERVER_LISTEN. Flags win over the environment, it over the file.
`

// command is one word of the command line.
type command struct {
	summary string // first line of its help
	args    string // what it takes besides flags
	// flags adds the command's own flags; configuration flags are added by
	// section.
	flags    func(*pflag.FlagSet)
	sections []string // sections of Config whose settings it takes as flags
	run      func(ctx context.Context, p *program, args []string) error
}

// commands are all commands by name.
func commands() map[string]*command {
	return map[string]*command{
		"import":  importCommand(),
		"serve":   serveCommand(),
		"up":      upCommand(),
		"record":  recordCommand(),
		"status":  statusCommand(),
		"compact": compactCommand(),
		"root":    rootCommand(),
		"query":   queryCommand(),
		"shell":   shellCommand(),
		"mcp":     mcpCommand(),
		"export":  exportCommand(),
		"hunt":    huntCommand(),
		"files":   filesCommand(),
		"verify":  verifyCommand(),
		"demo":    demoCommand(),
		"config":  configCommand(),
		"version": versionCommand(),

		"completion":   completionCommand(),
		"man":          manCommand(),
		"connect-info": connectCommand(),
	}
}

// program is what a command has at hand.
type program struct {
	stdout, stderr io.Writer
	config         Config
	flags          *pflag.FlagSet
	log            *slog.Logger
}

// exitError ends the program with a code of its own and no further message.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	ending := []os.Signal{syscall.SIGTERM}
	if len(os.Args) < 2 || os.Args[1] != "shell" { // where Ctrl-C ends a statement
		ending = append(ending, os.Interrupt)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ending...)
	defer stop()
	// The second signal ends what the first could not, such as a write to a pipe
	// that nobody reads.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}

// run is the whole program; tests call it in-process.
func run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) int {
	name := "help"
	if len(args) > 0 {
		name, args = args[0], args[1:]
	}
	all := commands()
	if name == "help" || name == "-h" || name == "--help" {
		if len(args) == 1 && all[args[0]] != nil {
			fmt.Fprint(stdout, commandHelp(args[0], all[args[0]]))
			return 0
		}
		fmt.Fprint(stdout, usage)
		return 0
	}
	if name == "--version" {
		name = "version"
	}
	cmd := all[name]
	if cmd == nil {
		fmt.Fprintf(stderr, "wiresql: unknown command %q; wiresql help lists them\n", name)
		return 2
	}
	flags := newFlagSet(name, cmd)
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, pflag.ErrHelp) {
			fmt.Fprint(stdout, commandHelp(name, cmd))
			return 0
		}
		fmt.Fprintf(stderr, "wiresql %s: %v; wiresql help %s shows the flags\n", name, err, name)
		return 2
	}
	config, err := loadConfig(flags, environ)
	if err != nil {
		fmt.Fprintf(stderr, "wiresql %s: %v\n", name, err)
		return 2
	}
	p := &program{stdout: stdout, stderr: stderr, config: config, flags: flags,
		log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: config.logLevel()}))}
	err = cmd.run(ctx, p, flags.Args())
	var exit exitError
	var start startError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintf(stderr, "wiresql %s: %s\n", name, output.Visible(err.Error()))
	if errors.As(err, &start) {
		return exitConfiguration
	}
	return 1
}

// confine gives up the rights of root that the command has no use for.
func (p *program) confine(captures bool) error {
	return confine(p.config.Capture.User, captures && len(p.config.Capture.Interfaces) > 0, append([]string{p.config.Data}, p.config.Retention.Roots...)...)
}

func newFlagSet(name string, cmd *command) *pflag.FlagSet {
	flags := pflag.NewFlagSet(name, pflag.ContinueOnError)
	flags.Usage = func() {}
	flags.SortFlags = false
	if cmd.flags != nil {
		cmd.flags(flags)
	}
	addConfigFlags(flags, cmd.sections)
	return flags
}

func commandHelp(name string, cmd *command) string {
	return fmt.Sprintf("wiresql %s: %s\n\nUsage: wiresql %s [flags] %s\n\n%s",
		name, cmd.summary, name, cmd.args, newFlagSet(name, cmd).FlagUsages())
}
