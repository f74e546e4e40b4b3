package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

func manCommand() *command {
	return &command{
		summary: "print the manual page: wiresql man | man -l -",
		run: func(_ context.Context, p *program, _ []string) error {
			_, err := fmt.Fprint(p.stdout, manPage())
			return err
		},
	}
}

// roff writes a text so that nothing in it is a request.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`, "…", "...").Replace(text)
	if strings.HasPrefix(text, ".") || strings.HasPrefix(text, "'") {
		text = `\&` + text
	}
	return text
}

// manPage is the manual page, written from the commands.
func manPage() string {
	var b strings.Builder
	b.WriteString(".TH WIRESQL 1 \"\" wiresql \"User Commands\"\n.SH NAME\nwiresql \\- one SQL query from network flows to the packets behind them\n" +
		".SH SYNOPSIS\n.B wiresql\n.I COMMAND\n[flags] [arguments]\n.SH DESCRIPTION\n" +
		"An archive holds flow records and packets.  Statements of MySQL's SQL are asked of it by " + roff("`wiresql shell`, `wiresql query`") + " or, with \n.BR \"wiresql serve\" ,\nby any MySQL client.\n" +
		".SH COMMANDS\n")
	all := commands()
	settings := newFlagSet("", &command{})
	describe := func(f *pflag.Flag) {
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		value, doc := pflag.UnquoteUsage(f)
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			doc += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(strings.TrimSpace(name+" "+value)), roff(doc))
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		fmt.Fprintf(&b, ".SS %s\n%s\n.PP\n.B %s\n", roff(strings.TrimSpace(name+" "+c.args)), roff(c.summary), roff("wiresql "+name))
		newFlagSet(name, c).VisitAll(func(f *pflag.Flag) {
			if settings.Lookup(f.Name) == nil && !f.Hidden {
				describe(f)
			}
		})
	}
	b.WriteString(".SH FLAGS OF ALL COMMANDS\n")
	settings.VisitAll(describe)
	b.WriteString(".SH ENVIRONMENT\nEach setting has a variable: server.listen is\n.BR WIRESQL_SERVER_LISTEN ;\n" +
		".B wiresql config\nlists them.  Flags win over the environment, it over the file of\n.BR " + roff("--config") + " .\n" +
		".B MYSQL_PWD\nis the password at a server,\n.B PAGER\nshows what is longer than the screen.\n" +
		".SH EXIT STATUS\n0 if all went well, 1 for an error, 2 for a command line or a configuration that is wrong, 4 if a statement could not be ended.\n" +
		".SH SEE ALSO\n.BR mariadb (1),\n.BR tcpdump (1),\n.BR tshark (1)\n")
	return b.String()
}
