package shell

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/tables"
)

// autoFormat is a table, or a line for each value where it is wider than the
// terminal.
const autoFormat = "auto"

// command is a word that begins with a backslash.
type command struct {
	name, args, doc string
	run             func(s *shell, ctx context.Context, args []string) error
}

// commands are all, in the order that \? shows. It is filled below: \? reads it.
var commands []command

func init() {
	commands = []command{
		{"d", "[NAME]", "relations; columns of one, with examples", (*shell).describe},
		{"h", "[NAME]", "hunts; one of them in full", (*shell).hunts},
		{"hunt", "NAME [PARAMETER VALUE]…", "run a hunt: \\hunt beaconing since '1 DAY'", (*shell).hunt},
		{"pcap", "FILE", "write the packets of the last statement's rows to FILE (pcapng)", (*shell).pcap},
		{"format", "[" + strings.Join(append([]string{autoFormat}, output.Formats...), "|") + "]", "how answers are printed", (*shell).setFormat},
		{"timing", "[on|off]", "whether it is said how long a statement took", (*shell).setTiming},
		{"?", "", "this list", (*shell).help},
		{"q", "", "leave (or Ctrl-D)", func(*shell, context.Context, []string) error { return io.EOF }},
	}
}

// plainWords are commands without their backslash, as other shells have them.
var plainWords = map[string]string{"exit": `\q`, "quit": `\q`, "help": `\?`, "?": `\?`}

// isCommand tells whether a line begins with a command: SQL has backslashes too.
func isCommand(line string) bool {
	words := strings.Fields(line)
	return len(words) > 0 && slices.ContainsFunc(commands, func(c command) bool { return words[0] == `\`+c.name })
}

func (s *shell) command(ctx context.Context, line string) error {
	args, err := arguments(line)
	if err != nil {
		return err
	}
	for _, c := range commands {
		if args[0] == `\`+c.name {
			return c.run(s, ctx, args[1:])
		}
	}
	return fmt.Errorf(`%s is no command: \? lists them`, args[0])
}

// arguments cuts a line at blanks outside of quotes.
func arguments(line string) (out []string, err error) {
	var b strings.Builder
	var quote rune
	any := false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			b.WriteRune(r)
		case r == '\'' || r == '"':
			quote, any = r, true
		case r == ' ' || r == '\t':
			if any {
				out = append(out, b.String())
				b.Reset()
				any = false
			}
		default:
			b.WriteRune(r)
			any = true
		}
	}
	if quote != 0 {
		return nil, fmt.Errorf("%c is not closed", quote)
	}
	if any {
		out = append(out, b.String())
	}
	for len(out) > 1 && out[len(out)-1] == ";" {
		out = out[:len(out)-1]
	}
	last := len(out) - 1
	out[last] = strings.TrimSuffix(out[last], ";")
	return out, nil
}

func (s *shell) help(context.Context, []string) error {
	var b strings.Builder
	b.WriteString("A statement ends with ; or, for a line for each value, with \\G. Ctrl-C ends the one that runs.\n\n")
	for _, c := range commands {
		fmt.Fprintf(&b, "  %-34s %s\n", strings.TrimSpace(`\`+c.name+" "+strings.Replace(c.args, strings.Join(output.Formats, "|"), "table|…", 1)), c.doc)
	}
	b.WriteString("\nTAB completes keywords, relations, columns, functions, hunts and values. Formats: " + autoFormat + ", " + strings.Join(output.Formats, ", ") + ".\n")
	return s.page(b.String())
}

func (s *shell) setFormat(_ context.Context, args []string) error {
	if len(args) == 1 {
		if args[0] != autoFormat {
			if err := output.Known(args[0]); err != nil {
				return fmt.Errorf("%w, %s", err, autoFormat)
			}
		}
		s.format = args[0]
	} else if len(args) > 1 {
		return errors.New("give one format")
	}
	fmt.Fprintf(s.Out, "Format: %s\n", s.format)
	return nil
}

func (s *shell) setTiming(_ context.Context, args []string) error {
	switch {
	case len(args) == 0:
		s.timing = !s.timing
	case len(args) == 1 && (args[0] == "on" || args[0] == "off"):
		s.timing = args[0] == "on"
	default:
		return errors.New("say on or off")
	}
	fmt.Fprintf(s.Out, "Timing: %s\n", map[bool]string{true: "on", false: "off"}[s.timing])
	return nil
}

func (s *shell) hunts(ctx context.Context, args []string) error {
	from := " FROM " + tables.Hunt + ".hunts "
	if len(args) == 0 {
		return s.answer(ctx, "SELECT name, severity, question"+from+"WHERE error IS NULL ORDER BY name", false)
	}
	return s.answer(ctx, "SELECT *"+from+"WHERE name = "+Quote(args[0]), true)
}

func (s *shell) hunt(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(`say which: \h lists hunts`)
	}
	call := "CALL " + tables.Hunt + ".hunt(" + Quote(args[0])
	var given []string
	for _, a := range args[1:] {
		// Also as PARAMETER=VALUE, as wiresql hunt --param has it.
		if name, value, ok := strings.Cut(a, "="); ok && len(given)%2 == 0 {
			given = append(given, name, value)
		} else {
			given = append(given, a)
		}
	}
	if len(given)%2 != 0 {
		return errors.New("parameters and values take turns: since '1 DAY'")
	}
	for _, a := range given {
		call += ", " + Quote(a)
	}
	if err := s.statement(ctx, call+")", false); err != nil {
		return err
	}
	return s.explainHunt(ctx, args[0])
}

// explainHunt says how to read what a hunt found, or did not.
func (s *shell) explainHunt(ctx context.Context, name string) error {
	column, what := "how_to_read", "result"
	if s.rows == 0 {
		column, what = "empty_means", "empty"
	}
	rows, err := Texts(ctx, s.Source, "SELECT "+column+" FROM "+tables.Hunt+".hunts WHERE name = "+Quote(name))
	if err == nil && len(rows) == 1 {
		fmt.Fprintf(s.Err, "%s: %s\n", what, output.Visible(rows[0][0]))
	}
	return nil
}

func (s *shell) pcap(ctx context.Context, args []string) error {
	switch {
	case len(args) != 1:
		return errors.New("give the file to write")
	case s.last == "":
		return errors.New("there was no statement yet: ask for rows that have a conn_id, a flow_id or a packet_id")
	}
	return s.running(ctx, func(ctx context.Context, p *pager) error {
		done, err := s.Source.Export(ctx, s.last, args[0])
		if err != nil {
			return err
		}
		fmt.Fprintln(p, done.Said)
		for _, m := range done.Missing {
			fmt.Fprintf(p, "warning: %s\n", output.Visible(m))
		}
		return nil
	})
}

// Quote is a text as a constant of SQL in any sql_mode.
func Quote(text string) string {
	if strings.ContainsAny(text, "\\\x00") {
		return fmt.Sprintf("_utf8mb4 X'%x'", text)
	}
	return "'" + strings.ReplaceAll(text, "'", "''") + "'"
}

// describe tells what relations there are, or of one its columns.
func (s *shell) describe(ctx context.Context, args []string) error {
	if len(args) == 0 {
		rows, err := Texts(ctx, s.Source, "SELECT table_schema, table_name, table_comment FROM information_schema.tables WHERE table_schema IN ('"+
			tables.Main+"', '"+tables.Ops+"', '"+tables.Hunt+"')")
		if err != nil {
			return err
		}
		order := []string{tables.Main, tables.Ops, tables.Hunt}
		slices.SortStableFunc(rows, func(a, b []string) int { return slices.Index(order, a[0]) - slices.Index(order, b[0]) })
		for i, r := range rows {
			rows[i] = []string{(&relation{schema: r[0], name: r[1]}).called(), r[2]}
		}
		return s.page(s.columns(rows))
	}
	schema, name, qualified := strings.Cut(strings.ToLower(args[0]), ".")
	if !qualified {
		schema, name = tables.Main, schema
	}
	where := " WHERE table_schema = " + Quote(schema) + " AND table_name = " + Quote(name)
	about, err := Texts(ctx, s.Source, "SELECT table_comment FROM information_schema.tables"+where)
	if err != nil {
		return err
	}
	if len(about) == 0 {
		return fmt.Errorf(`there is no relation %s: \d lists them`, args[0])
	}
	rows, err := Texts(ctx, s.Source, "SELECT column_name, column_type, column_comment FROM information_schema.columns"+where+" ORDER BY ordinal_position")
	if err != nil {
		return err
	}
	text := output.Visible(about[0][0]) + "\n\n" + s.columns(rows)
	if r := tables.Lookup(schema, name); r != nil {
		for _, e := range r.Examples() {
			text += "\n-- " + e.Question + "\n" + e.SQL + ";\n"
		}
	}
	return s.page(text)
}

// columns writes rows below each other, the last column of them wrapped.
func (s *shell) columns(rows [][]string) string {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			r[i] = output.Visible(cell)
		}
		for i, cell := range r[:len(r)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len(cell)+2)
		}
	}
	indent := 0
	for _, w := range widths {
		indent += w
	}
	wide := max(s.width()-indent, 30)
	var b strings.Builder
	for _, r := range rows {
		for i, cell := range r[:len(r)-1] {
			fmt.Fprintf(&b, "%-*s", widths[i], cell)
		}
		at := 0
		for word := range strings.FieldsSeq(r[len(r)-1]) {
			n := len([]rune(word))
			switch {
			case at > 0 && at+1+n > wide:
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = 0
			case at > 0:
				b.WriteByte(' ')
				at++
			}
			b.WriteString(word)
			at += n
		}
		b.WriteByte('\n')
	}
	return b.String()
}
