// Package hunt reads saved hunts: statements with a header that says what they
// look for, how their answer is read and what an empty one means.
//
// A hunt is a file NAME.sql. It begins with lines of comment, each a key and a
// value; what does not fit goes on in lines indented by two more spaces:
//
//	-- title: Beacons
//	-- question: Which machine calls the same server at nearly the same interval?
//	-- severity: high
//	-- techniques: T1071, T1571
//	-- references: https://attack.mitre.org/techniques/T1071/
//	-- reads: connections
//	-- key: client_ip, server_ip, server_port
//	-- parameter: calls int 10: least number of calls
//	-- result: each row is a pair, the steadiest first
//	-- empty: nobody called that often; a week of coverage is needed
//	-- false positives: updaters, monitoring; name them in ignore
//	-- packets: SELECT p.* FROM connections c JOIN packets p USING (conn_id) WHERE c.client_ip = :client_ip
//
// Then comes one statement. In it :from and :to are the ends of the time hunted
// through, and :NAME is the value of a parameter; in packets, the statement that
// goes on to the packets, :COLUMN is a value of the row it follows.
//
// The package knows no archive: it gives text, which the engine runs.
package hunt

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"vitess.io/vitess/go/vt/sqlparser"

	"github.com/wiresql/wiresql/tables"
)

// Hunt is a saved statement.
type Hunt struct {
	// Name is that of its file, without .sql: lower case, digits and _.
	Name string
	// Title is a few words, Question what it answers.
	Title, Question string
	// Severity is how much a finding matters: one of tables.Severities.
	Severity string
	// Techniques are those of MITRE ATT&CK: T1071, T1558.003.
	Techniques []string
	References []string
	// Reads are the relations it asks, whose coverage an empty answer needs.
	Reads []string
	// Key names the columns that tell its findings apart when it is found again;
	// none for all columns that are texts or ports.
	Key        []string
	Parameters []Parameter
	// Result says how its rows are read, Empty what it means that there are
	// none, FalsePositives what else looks like it.
	Result, Empty, FalsePositives string
	// Packets is a statement that goes on from one row: :COLUMN is its value.
	Packets string
	// SQL is the statement, with its parameters.
	SQL string
	// File is where it was read, empty for one that is shipped.
	File string
}

// maxFile bounds the file of a hunt, in bytes.
const maxFile = 64 << 10

// size is how many bytes a text of a hunt may have: as many as its column of
// hunt.hunts holds.
func size(column string) int { return tables.Hunts.Column(column).Size }

// columnOf is where hunt.hunts has a key of the header.
var columnOf = map[string]string{"result": "how_to_read", "empty": "empty_means", "false positives": "false_positives", "packets": "packets_query",
	"references": "reference_urls", "key": "finding_key", "reads": "relations", "parameter": "parameters"}

var hunted = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// Error is a mistake in a file: Line counts from 1.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s, line %d: %s", e.File, e.Line, e.Text) }

// Parse reads a hunt out of the text of a file.
func Parse(file, name, text string) (*Hunt, error) {
	h := &Hunt{Name: name}
	line := 0
	mistake := func(format string, args ...any) error {
		return &Error{file, max(line, 1), fmt.Sprintf(format, args...)}
	}
	if !hunted.MatchString(name) {
		return nil, mistake("the name of a hunt is a lower case letter, then letters, digits and _: not %q", name)
	}
	if len(text) > maxFile {
		return nil, mistake("a hunt has %d bytes at most", maxFile)
	}
	lines := strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	for i, text := range lines {
		if !utf8.ValidString(text) {
			line = i + 1
			return nil, mistake("the text is not UTF-8")
		}
	}
	seen := map[string]bool{}
	for line < len(lines) && strings.HasPrefix(lines[line], "--") {
		key, value, ok := strings.Cut(strings.TrimSpace(lines[line][2:]), ":")
		line++
		if key = strings.TrimSpace(key); !ok || key == "" {
			return nil, mistake("a line of the header is a key, a colon and a value")
		}
		value = strings.TrimSpace(value)
		at := line
		for at < len(lines) && strings.HasPrefix(lines[at], "--   ") {
			value += " " + strings.TrimSpace(lines[at][2:])
			at++
		}
		if seen[key] && key != "parameter" {
			return nil, mistake("%s is said twice", key)
		}
		seen[key] = true
		if err := h.set(key, value); err != nil {
			return nil, mistake("%v", err)
		}
		if most := size(cmp.Or(columnOf[key], key)); value == "" || len(value) > most {
			return nil, mistake("%s has 1 to %d bytes", key, most)
		}
		line = at
	}
	for _, key := range []string{"title", "question", "severity", "reads", "result", "empty"} {
		if !seen[key] {
			return nil, mistake("the header lacks %s", key)
		}
	}
	first := line
	h.SQL = strings.TrimSuffix(strings.TrimSpace(strings.Join(lines[line:], "\n")), ";")
	for line < len(lines) && strings.TrimSpace(lines[line]) == "" {
		line++
	}
	line++
	if h.SQL == "" {
		line = first
		return nil, mistake("there is no statement behind the header")
	}
	if most := size("query"); len(h.SQL) > most {
		return nil, mistake("a statement has %d bytes at most", most)
	}
	if all := h.ParameterText(); len(all) > size("parameters") {
		return nil, mistake("the parameters have %d bytes at most", size("parameters"))
	}
	if err := h.check(); err != nil {
		return nil, mistake("%v", err)
	}
	return h, nil
}

// set takes one line of the header.
func (h *Hunt) set(key, value string) error {
	words := func() []string {
		return strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' })
	}
	switch key {
	case "title":
		h.Title = value
	case "question":
		h.Question = value
	case "severity":
		if h.Severity = value; !slices.Contains(tables.Severities, value) {
			return fmt.Errorf("severity %q is none of %s", value, strings.Join(tables.Severities, ", "))
		}
	case "techniques":
		h.Techniques = words()
		for _, t := range h.Techniques {
			if !technique.MatchString(t) {
				return fmt.Errorf("%q is no technique of ATT&CK: T1071 or T1558.003", t)
			}
		}
	case "references":
		h.References = words()
	case "reads":
		h.Reads = words()
		for _, name := range h.Reads {
			schema, table, qualified := strings.Cut(name, ".")
			if !qualified {
				schema, table = tables.Main, name
			}
			if tables.Lookup(schema, table) == nil {
				return fmt.Errorf("%q is no relation that is recorded: connections, dns, ops.coverage, …", name)
			}
		}
	case "key":
		h.Key = words()
	case "parameter":
		p, err := ParseParameter(value)
		if err != nil {
			return err
		}
		if h.parameter(p.Name) != nil {
			return fmt.Errorf("parameter %s is said twice", p.Name)
		}
		h.Parameters = append(h.Parameters, *p)
	case "result":
		h.Result = value
	case "empty":
		h.Empty = value
	case "false positives":
		h.FalsePositives = value
	case "packets":
		h.Packets = value
	default:
		return fmt.Errorf("there is no key %q: title, question, severity, techniques, references, reads, key, parameter, result, empty, false positives, packets", key)
	}
	return nil
}

var technique = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

// check looks at the statement: that it is one which asks, and that it uses
// the parameters there are.
func (h *Hunt) check() error {
	used := map[string]bool{}
	for _, p := range places(h.SQL) {
		name := h.SQL[p.from+1 : p.to]
		if name != From && name != To && h.parameter(name) == nil {
			return fmt.Errorf("the statement has :%s, which is no parameter", name)
		}
		used[name] = true
	}
	if !used[From] || !used[To] {
		return fmt.Errorf("the statement must keep to the time from :from to :to")
	}
	for _, p := range h.Parameters {
		if !used[p.Name] {
			return fmt.Errorf("parameter %s is not used", p.Name)
		}
	}
	values := map[string]string{}
	for _, p := range h.Parameters {
		if p.Default == Required {
			values[p.Name] = "1"
		}
	}
	text, err := h.Statement(Range{From: "NOW()", To: "NOW()"}, values)
	if err != nil {
		return err
	}
	parser, err := sqlparser.New(sqlparser.Options{MySQLServerVersion: "8.0.30"})
	if err != nil {
		return err
	}
	st, err := parser.Parse(text)
	if err != nil {
		return fmt.Errorf("the statement can't be read: %v", err)
	}
	if _, ok := st.(sqlparser.TableStatement); !ok {
		return fmt.Errorf("a hunt is a statement that asks: SELECT or WITH")
	}
	return nil
}

func (h *Hunt) parameter(name string) *Parameter {
	for i := range h.Parameters {
		if h.Parameters[i].Name == name {
			return &h.Parameters[i]
		}
	}
	return nil
}
