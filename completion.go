package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/sqlserver/output"
)

// completionScripts make a shell ask the program what a command line goes on
// with; files, where it does not know.
var completionScripts = map[string]string{
	"bash": `_wiresql() {
    local IFS=$'\n'
    COMPREPLY=($(wiresql completion words -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _wiresql wiresql
`,
	"zsh": `#compdef wiresql
_wiresql() {
    local -a found
    found=("${(@f)$(wiresql completion words -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _wiresql wiresql
`,
	"fish": `complete -c wiresql -a '(wiresql completion words -- (commandline -opc)[2..] (commandline -ct))'
`,
}

func completionCommand() *command {
	return &command{
		summary: "print what makes a shell complete wiresql's command lines",
		args:    strings.Join(slices.Sorted(maps.Keys(completionScripts)), "|"),
		run: func(_ context.Context, p *program, args []string) error {
			if len(args) > 0 && args[0] == "words" { // what the scripts ask
				for _, word := range nextWords(args[1:]) {
					fmt.Fprintln(p.stdout, word)
				}
				return nil
			}
			if len(args) == 1 && completionScripts[args[0]] == "" {
				return fmt.Errorf("there is none for %s, but for bash, zsh and fish", args[0])
			}
			if len(args) != 1 {
				return errors.New("say which shell: bash, zsh or fish")
			}
			fmt.Fprint(p.stdout, completionScripts[args[0]])
			return nil
		},
	}
}

// nextWords are what may stand in the place of the last word of a command line.
func nextWords(line []string) (out []string) {
	if len(line) == 0 {
		line = []string{""}
	}
	all := commands()
	typed, before := line[len(line)-1], line[:len(line)-1]
	var list []string
	switch {
	case len(before) == 0:
		list = append(slices.Collect(maps.Keys(all)), "help")
	case before[0] == "help":
		list = slices.Collect(maps.Keys(all))
	case all[before[0]] == nil:
	default:
		list = wordsOf(before[0], all[before[0]], before[1:], typed)
	}
	for _, word := range list {
		if strings.HasPrefix(word, typed) {
			out = append(out, word)
		}
	}
	slices.Sort(out)
	return out
}

// wordsOf are the words that can follow those of a command.
func wordsOf(name string, c *command, before []string, typed string) (out []string) {
	flags := newFlagSet(name, c)
	if strings.HasPrefix(typed, "-") {
		flags.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				out = append(out, "--"+f.Name)
			}
		})
		return out
	}
	var args []string
	for i := 0; i < len(before); i++ {
		long, isFlag := strings.CutPrefix(before[i], "--")
		if !isFlag {
			args = append(args, before[i])
			continue
		}
		flag := flags.Lookup(long) // nil with =VALUE behind it
		if flag == nil || flag.Value.Type() == "bool" {
			continue
		}
		if i++; i == len(before) {
			formats := slices.Clone(output.Formats)
			if name == "query" {
				formats = append(formats, parquetFormat)
			}
			return map[string][]string{"format": formats, "log": {"debug", "info", "warn", "error"}}[long]
		}
	}
	switch {
	case name == "completion" && len(args) == 0:
		return slices.Collect(maps.Keys(completionScripts))
	case name == "hunt" && len(args) == 0:
		return []string{"list", "show", "run"}
	case name == "hunt" && len(args) == 1 && args[0] != "list":
		known, _ := hunt.NewLibrary("").List()
		for _, h := range known {
			out = append(out, h.ID())
		}
	}
	return out
}
