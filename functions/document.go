package functions

import (
	"fmt"
	"strings"
)

// Document renders the page docs/functions.md from the definitions.
func Document() string {
	var b strings.Builder
	b.WriteString(`# Functions

What wiresql adds to MySQL's own functions. This page is generated from the
definitions (` + "`make docs`" + `), and a test runs every example.
[MySQL's own](#mysqls-functions-and-operators) are listed at the end, then
[aggregates and window functions](#aggregates-and-window-functions).
An argument that is NULL makes the result NULL, unless it says otherwise.
Every function runs in DuckDB with the rest of the query.

| function | result |
|---|---|
`)
	for _, f := range All {
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s |\n", f.Signature(), f.Name, f.Returns.String())
	}
	for _, f := range All {
		fmt.Fprintf(&b, "\n## %s\n\n`%s`\n\n%s\n\n| argument | |\n|---|---|\n", f.Name, f.Signature(), f.Doc)
		for _, a := range f.Args {
			doc := a.Doc
			if a.Optional {
				doc += " (optional)"
			}
			if a.Many {
				doc += " (one or more)"
			}
			fmt.Fprintf(&b, "| `%s` | %s |\n", a.Name, doc)
		}
		b.WriteString("\n```sql\n")
		for _, e := range f.Examples {
			result := strings.ReplaceAll(e.Result, "\n", `\n`)
			fmt.Fprintf(&b, "%s;\n-- %s", e.SQL, result)
			if e.Note != "" {
				fmt.Fprintf(&b, "  (%s)", e.Note)
			}
			b.WriteString("\n")
		}
		b.WriteString("```\n")
	}
	documentBuiltins(&b)
	return b.String()
}

// documentBuiltins lists MySQL's functions and operators.
func documentBuiltins(b *strings.Builder) {
	b.WriteString(`
## MySQL's functions and operators

All of these are there, with MySQL 8's types and results; a test compares each
with a real MariaDB, and with MySQL's manual where the two differ. Those with a
• have a translation to DuckDB for the usual types of arguments; the others, and
all types of arguments that DuckDB computes otherwise, run in Go, called from
DuckDB. Regular expressions are RE2: no looking around, no back references. What is
missing stands in [sql.md](sql.md#what-is-refused-and-why).

| | | |
|---|---|---|
`)
	escape := strings.NewReplacer("|", "\\|", "*", "\\*")
	for _, e := range Entries() {
		if Lookup(e.Name) != nil {
			continue
		}
		call := e.Name
		if e.Name[0] >= 'a' && e.Name[0] <= 'z' && !strings.Contains(e.Name, " ") {
			call = strings.ToUpper(e.Name)
			if _, infix := infixes[e.Name]; !infix {
				call += "(" + e.Args + ")"
			}
		}
		doc := e.Doc
		if len(e.Aliases) > 0 {
			doc += " Also " + strings.ToUpper(strings.Join(e.Aliases, ", ")) + "."
		}
		native := ""
		if e.Native {
			native = "•"
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", escape.Replace(call), native, escape.Replace(doc))
	}
}

// Names are those of functions that are written as a call: MySQL's in upper
// case, our own as they are.
func Names() []string {
	var out []string
	for _, e := range Entries() {
		for _, name := range append(e.Aliases, e.Name) {
			if name[0] < 'a' || name[0] > 'z' || strings.Contains(name, " ") || infixes[name] {
				continue
			}
			if Lookup(name) == nil {
				name = strings.ToUpper(name)
			}
			out = append(out, name)
		}
	}
	return out
}

// infixes are written between or around their arguments.
var infixes = map[string]bool{
	"and": true, "or": true, "xor": true, "not": true, "is": true, "between": true, "in": true, "like": true, "regexp": true, "div": true,
	"collate": true, "introducer": true, "cast": true, "case": true, "date_add": true, "get_format": true, "trim": true, "extract": true, "timestampdiff": true,
}
