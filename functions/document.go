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
definitions (` + "`go test ./functions -rewrite`" + `), and a test runs every example.
An argument that is NULL makes the result NULL, unless it says otherwise.
Every function is pushed down: it runs in DuckDB with the rest of the query.

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
	return b.String()
}
