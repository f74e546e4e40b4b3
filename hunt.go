package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/engine/hunt"
	"github.com/wiresql/wiresql/sqlserver/output"
	"github.com/wiresql/wiresql/tables"
)

func huntCommand() *command {
	return &command{
		summary:  "run saved hunts: one, or all of them over an archive",
		args:     "list | show NAME | run NAME | run --all | schedules | results",
		sections: []string{"engine"},
		flags: func(f *pflag.FlagSet) {
			f.Bool("all", false, "run every hunt that needs no value, and say what each found")
			f.StringArray("param", nil, "a value of a parameter: NAME=VALUE; given again for each")
			f.String("since", "", "how long before its end the time begins that is hunted through: 1 DAY, 12 HOUR, all (default 7 DAY, with --all all)")
			f.String("from", "", "when it begins")
			f.String("to", "", "when it ends; the end of what was recorded unless given")
			f.String("format", "table", formatHelp)
		},
		run: runHunt,
	}
}

func runHunt(ctx context.Context, p *program, args []string) error {
	all, _ := p.flags.GetBool("all")
	format, _ := p.flags.GetString("format")
	library := hunt.NewLibrary(p.config.Engine.Hunts)
	if err := output.Known(format); err != nil {
		return err
	}
	switch {
	case len(args) == 1 && args[0] == "list":
		return p.listHunts(library, format)
	case len(args) == 2 && args[0] == "show":
		h, err := library.Find(args[1])
		if err != nil {
			return err
		}
		showHunt(p.stdout, h)
		return nil
	case len(args) == 2 && args[0] == "run" && !all:
		return p.runOneHunt(ctx, library, args[1], format)
	case len(args) == 1 && args[0] == "run" && all:
		return p.runAllHunts(ctx, library, format)
	}
	if len(args) == 1 && standingTables[args[0]] != "" {
		return p.listStanding(ctx, standingTables[args[0]], format)
	}
	return errors.New("say what: list, show NAME, run NAME, run --all, schedules or results")
}

// standingTables are what is asked of standing hunts.
var standingTables = map[string]string{
	"schedules": "SELECT schedule, hunt, every, last_run, next_run, findings, failures, error FROM hunt.schedules ORDER BY schedule",
	"results":   "SELECT found_at, severity, schedule, finding, times, last_seen, status, finding_key FROM hunt.results ORDER BY found_at DESC, finding",
}

func (p *program) listStanding(ctx context.Context, text, format string) error {
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	rows, err := e.NewSession().Query(ctx, text)
	if err != nil {
		return err
	}
	defer rows.Close()
	return output.Write(p.stdout, format, answerRows{rows})
}

// listed is rows that are there already.
type listed struct {
	columns []string
	rows    [][]any
}

func (t *listed) Columns() []string { return t.columns }

func (t *listed) Next() ([]any, error) {
	if len(t.rows) == 0 {
		return nil, io.EOF
	}
	row := t.rows[0]
	t.rows = t.rows[1:]
	return row, nil
}

func (p *program) listHunts(library *hunt.Library, format string) error {
	list, err := library.List()
	if err != nil {
		return err
	}
	out := &listed{columns: []string{"name", "severity", "techniques", "question"}}
	bad := 0
	for _, x := range list {
		if x.Err != nil {
			bad++
			fmt.Fprintf(p.stderr, "wiresql hunt: %v\n", x.Err)
			continue
		}
		out.rows = append(out.rows, []any{x.Hunt.Name, x.Severity, strings.Join(x.Techniques, " "), x.Question})
	}
	if err := output.Write(p.stdout, format, out); err != nil {
		return err
	}
	if bad > 0 {
		return exitError(1)
	}
	return nil
}

func showHunt(w io.Writer, h *hunt.Hunt) {
	fmt.Fprintf(w, "%s: %s\n\n%s\n\n", h.Name, h.Title, h.Question)
	line := func(what, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-16s %s\n", what, text)
		}
	}
	line("Severity", h.Severity)
	line("ATT&CK", strings.Join(h.Techniques, " "))
	line("Reads", strings.Join(h.Reads, ", "))
	line("Result", h.Result)
	line("Empty", h.Empty)
	line("False positives", h.FalsePositives)
	line("Read more", strings.Join(h.References, " "))
	line("File", h.File)
	if len(h.Parameters) > 0 {
		fmt.Fprintln(w, "\nParameters")
		for _, x := range h.Parameters {
			fmt.Fprintf(w, "  %s\n", x.String())
		}
	}
	fmt.Fprintf(w, "\nStatement\n%s\n", h.SQL)
	if h.Packets != "" {
		fmt.Fprintf(w, "\nOn to the packets of a row\n%s\n", h.Packets)
	}
}

// huntCall is the statement that runs a hunt with the values of the flags.
func (p *program) huntCall(name string) (string, error) {
	values := map[string]string{}
	params, _ := p.flags.GetStringArray("param")
	for _, one := range params {
		key, value, ok := strings.Cut(one, "=")
		if !ok || key == "" {
			return "", fmt.Errorf("param %q: write it as NAME=VALUE", one)
		}
		values[key] = value
	}
	times, _ := p.huntTime()
	maps.Copy(values, times)
	return callOf(name, values), nil
}

// callOf is the statement that runs a hunt with some values.
func callOf(name string, values map[string]string) string {
	call := "CALL " + tables.Hunt + ".hunt(" + hunt.Quote(name)
	for _, key := range slices.Sorted(maps.Keys(values)) {
		call += ", " + hunt.Quote(key) + ", " + hunt.Quote(values[key])
	}
	return call + ")"
}

// huntTime is what the flags say of the time hunted through, and whether they
// say when it begins.
func (p *program) huntTime() (values map[string]string, begins bool) {
	values = map[string]string{}
	for _, name := range []string{hunt.Since, hunt.From, hunt.To} {
		if v, _ := p.flags.GetString(name); v != "" {
			values[name] = v
			begins = begins || name != hunt.To && !strings.EqualFold(v, "all")
		}
	}
	return values, begins
}

// firstOf remembers the first row that it gives.
type firstOf struct {
	output.Rows
	first []any
	count int
}

func (r *firstOf) Next() ([]any, error) {
	row, err := r.Rows.Next()
	if err == nil {
		if r.count++; r.count == 1 {
			r.first = slices.Clone(row)
		}
	}
	return row, err
}

func (p *program) runOneHunt(ctx context.Context, library *hunt.Library, name, format string) error {
	h, err := library.Find(name)
	if err != nil {
		return err
	}
	call, err := p.huntCall(h.Name)
	if err != nil {
		return err
	}
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	rows, err := e.NewSession().Query(ctx, call)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := &firstOf{Rows: answerRows{rows}}
	if err := output.Write(p.stdout, format, found); err != nil {
		return err
	}
	for _, w := range rows.Warnings() {
		fmt.Fprintf(p.stderr, "warning: %s\n", output.Visible(w))
	}
	if found.count == 0 {
		fmt.Fprintf(p.stderr, "empty: %s\n", h.Empty)
		return nil
	}
	fmt.Fprintf(p.stderr, "result: %s\n", h.Result)
	if h.FalsePositives != "" {
		fmt.Fprintf(p.stderr, "false positives: %s\n", h.FalsePositives)
	}
	if next := h.Follow(rowTexts(found)); next != "" {
		fmt.Fprintf(p.stderr, "on to the packets of the first row: %s\n", next)
	}
	return nil
}

// rowTexts is the first row by the names of its columns; NULL is nil.
func rowTexts(r *firstOf) map[string]*string {
	out := map[string]*string{}
	for i, name := range r.Columns() {
		if s, null := output.Text(r.first[i]); !null {
			out[name] = &s
		}
	}
	return out
}

// runAllHunts prints what each hunt found, what matters most first, and what
// the answers say is missing.
func (p *program) runAllHunts(ctx context.Context, library *hunt.Library, format string) error {
	list, err := library.List()
	if err != nil {
		return err
	}
	if given, _ := p.flags.GetStringArray("param"); len(given) > 0 {
		return errors.New("parameters are of one hunt each: with --all there are none")
	}
	e, closeAll, err := p.openEngine(p.log)
	if err != nil {
		return err
	}
	defer closeAll()
	s := e.NewSession()
	out := &listed{columns: []string{"severity", "hunt", "found", "first", "title"}}
	times, compared := p.huntTime()
	if since := times[hunt.Since]; since != "" && !strings.EqualFold(since, "all") {
		if _, err := hunt.Duration(since); err != nil {
			return fmt.Errorf("since: %w, or all", err)
		}
	}
	if times[hunt.Since] != "" && times[hunt.From] != "" {
		return errors.New("a hunt begins at from, or as long before its end as since says: not both")
	}
	if !compared {
		times[hunt.Since] = "all"
	}
	from, to, err := s.HuntTime(ctx, times)
	if err != nil {
		return err
	}
	over := map[string]string{hunt.From: from, hunt.To: to}
	var nothing, asks, compare, failed []string
	warned := map[string]bool{}
	for _, x := range list {
		switch {
		case x.Err != nil:
			failed = append(failed, x.Err.Error())
			continue
		case x.Asks():
			asks = append(asks, x.Hunt.Name)
			continue
		case !compared && x.Compares():
			compare = append(compare, x.Hunt.Name)
			continue
		}
		found, warnings, err := count(ctx, s, callOf(x.Hunt.Name, over))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			failed = append(failed, x.Hunt.Name+": "+err.Error())
			continue
		}
		for _, w := range warnings {
			warned[w] = true
		}
		if found.count == 0 {
			nothing = append(nothing, x.Hunt.Name)
			continue
		}
		out.rows = append(out.rows, []any{x.Severity, x.Hunt.Name, output.Number(fmt.Sprint(found.count)), firstText(found), x.Title})
	}
	slices.SortStableFunc(out.rows, func(a, b []any) int {
		return slices.Index(tables.Severities, b[0].(string)) - slices.Index(tables.Severities, a[0].(string))
	})
	if err := output.Write(p.stdout, format, out); err != nil {
		return err
	}
	say := func(what string, list []string) {
		if len(list) > 0 {
			fmt.Fprintf(p.stderr, "%s: %s\n", what, strings.Join(list, ", "))
		}
	}
	for _, w := range slices.Sorted(maps.Keys(warned)) {
		say("warning", []string{w})
	}
	say("nothing found", nothing)
	say("not run, they need a value", asks)
	say("not run, they compare with the time before, which --since or --from leaves", compare)
	for _, f := range failed {
		say("failed", []string{f})
	}
	if len(failed) > 0 {
		return exitError(1)
	}
	return nil
}

// count runs a hunt to its end.
func count(ctx context.Context, s *engine.Session, call string) (*firstOf, []string, error) {
	rows, err := s.Query(ctx, call)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	found := &firstOf{Rows: answerRows{rows}}
	for {
		if _, err := found.Next(); errors.Is(err, io.EOF) {
			return found, rows.Warnings(), nil
		} else if err != nil {
			return nil, nil, err
		}
	}
}

// firstWidth is how many characters firstText shows of a value: user agents and
// URIs have hundreds.
const firstWidth = 60

// firstText is the first columns of the first row, in short.
func firstText(r *firstOf) string {
	var parts []string
	for i, name := range r.Columns() {
		if s, null := output.Text(r.first[i]); !null && len(parts) < 4 {
			if short := []rune(s); len(short) > firstWidth {
				s = string(short[:firstWidth]) + "…"
			}
			parts = append(parts, name+"="+s)
		}
	}
	return strings.Join(parts, " ")
}
