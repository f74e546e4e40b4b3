package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wiresql/wiresql/engine"
	"github.com/wiresql/wiresql/tables"
)

// kindName says what clients see of a column.
func kindName(c tables.Column) string {
	t := c.Kind.Type()
	name := t.MySQL
	if size := cmp.Or(c.Size, t.Size); size > 0 {
		name += fmt.Sprintf("(%d)", size)
	}
	if t.Mark != "" {
		name += ", " + t.Mark
	}
	return name
}

// tablesPage is docs/tables.md.
func tablesPage() string {
	var b strings.Builder
	b.WriteString(`# Tables

What SQL sees, written from the definitions in package tables (` + "`make docs`" + ` writes it again). Times are points
of time, shown in the session's ` + "`time_zone`" + `: UTC until it is set ([sql.md](sql.md#times)).
Columns marked *name* compare without regard to case; *address* columns compare as numbers and take one address in
quotes (networks go to ` + "`ip_in`" + `); *id* columns are 13 characters. NULL means not reported; zero means zero.

`)
	for _, r := range tables.Relations {
		name := r.Name
		if r.Schema != tables.Main {
			name = r.Schema + "." + r.Name
		}
		fmt.Fprintf(&b, "- [%s](#%s): %s\n", name, strings.ReplaceAll(name, ".", ""), r.Doc)
	}
	for _, r := range tables.Relations {
		name := r.Name
		if r.Schema != tables.Main {
			name = r.Schema + "." + r.Name
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s.\n\n| column | type | meaning |\n|---|---|---|\n", name, r.Doc)
		for _, c := range r.Columns {
			kind := kindName(c)
			doc := strings.ReplaceAll(c.Doc, "|", "\\|")
			if c.Unit != "" {
				doc += " (" + c.Unit + ")"
			}
			if c.Source != "" {
				doc += ". " + c.Source
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c.Name, kind, doc)
		}
		for _, ex := range r.Examples() {
			fmt.Fprintf(&b, "\n%s\n\n```sql\n%s;\n```\n", ex.Question, ex.SQL)
		}
	}
	return b.String()
}

func TestDocsOfTablesAreCurrent(t *testing.T) { currentPage(t, "docs/tables.md", tablesPage()) }

func TestDocsOfSettingsAreCurrent(t *testing.T) {
	demoEngine(t) // which registers those of our own
	currentPage(t, "docs/settings.md", engine.SettingsPage())
}

// currentPage compares a page with what the code says of it.
func currentPage(t *testing.T, path, want string) {
	t.Helper()
	if *rewrite {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if fileText(t, path) != want {
		t.Errorf("%s does not say what the code says: make docs", path)
	}
}

// fileText is a file's content.
func fileText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestDocsExamples runs every SQL example of the README and the docs.
func TestDocsExamples(t *testing.T) {
	e := demoEngine(t)
	paths, err := filepath.Glob("docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, path := range append(paths, "README.md") {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s := e.NewSession()
		for n, block := range strings.Split(string(text), "```sql\n")[1:] {
			sql, _, closed := strings.Cut(block, "```")
			if !closed {
				t.Errorf("%s: block %d is not closed", path, n+1)
				continue
			}
			for _, statement := range strings.Split(sql, ";\n") {
				statement = strings.TrimSuffix(strings.TrimSpace(statement), ";")
				if statement == "" {
					continue
				}
				rows, err := s.Query(context.Background(), statement)
				if err == nil {
					_, err = rows.All()
				}
				if err != nil {
					t.Errorf("%s: %s: %v", path, statement, err)
				}
				ran++
			}
		}
	}
	if ran < 40 {
		t.Errorf("%d examples ran", ran)
	}
}

// TestFoundingQuestion: the example in the README has an answer.
func TestFoundingQuestion(t *testing.T) {
	e := demoEngine(t)
	for _, statement := range []string{foundingQuestion, foundingPackets} {
		rows, err := e.Query(context.Background(), statement)
		if err != nil {
			t.Fatal(err)
		}
		all, err := rows.All()
		if err != nil || len(all) < 6 {
			t.Errorf("%d rows, %v: %s", len(all), err, statement)
		}
	}
}

// TestCommandsOfDocs: every wiresql command named in a shell block exists.
func TestCommandsOfDocs(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := commands()
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) > 1 && (words[0] == "./wiresql" || words[0] == "wiresql") && known[words[1]] == nil {
			t.Errorf("README names wiresql %s, which is no command", words[1])
		}
	}
}

// TestExamplesOfEachRelation: at least three, as the documentation promises.
func TestExamplesOfEachRelation(t *testing.T) {
	for _, r := range tables.Relations {
		if n := len(r.Examples()); n < 3 {
			t.Errorf("%s.%s has %d examples", r.Schema, r.Name, n)
		}
		if r.Doc == "" {
			t.Errorf("%s.%s has no comment", r.Schema, r.Name)
		}
		for _, c := range r.Columns {
			if c.Doc == "" {
				t.Errorf("%s.%s.%s has no comment", r.Schema, r.Name, c.Name)
			}
		}
	}
}
