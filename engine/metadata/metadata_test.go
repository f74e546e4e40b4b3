package metadata

import (
	"strings"
	"testing"

	"github.com/wiresql/wiresql/tables"
)

// server is one with a limited account.
type server struct{}

func (server) User() (name, host string)              { return "eve", "10.0.0.1" }
func (server) Database() string                       { return tables.Main }
func (server) Grants() []Grant                        { return []Grant{{tables.Main, "hosts"}, {tables.Ops, "*"}} }
func (server) Variables(bool) map[string]string       { return map[string]string{"version": "8.0.33"} }
func (server) Status(bool) (map[string]string, error) { return map[string]string{"Uptime": "1"}, nil }
func (server) ResetStatus()                           {}
func (server) Processes() []Process                   { return []Process{{ID: 7, User: "eve"}} }
func (server) Warnings() []Warning                    { return []Warning{{"Warning", 1365, "Division by 0"}} }
func (server) Given() []*tables.Relation              { return nil }
func (server) Size(*tables.Relation) (rows, bytes int64, ok bool) {
	return 10, 1000, true
}

// Every source belongs to a relation and names its columns.
func TestSourcesNameColumns(t *testing.T) {
	// Rows that serve two relations have columns of both.
	shared := func(column string) bool {
		for _, d := range defined {
			if d.Column(column) != nil {
				return true
			}
		}
		return false
	}
	for name, source := range sources {
		schema, table, _ := strings.Cut(name, ".")
		rel := Lookup(schema, table)
		if rel == nil {
			t.Errorf("no relation %s", name)
			continue
		}
		rows, err := source(server{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, r := range rows {
			for column := range r {
				if !shared(column) {
					t.Errorf("%s has no column %s", name, column)
				}
			}
		}
	}
}

// An account sees what it may read, and schemas that have something of that.
func TestRowsAreOnesOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range tableRows(server{}) {
		seen[r["TABLE_SCHEMA"].(string)+"."+r["TABLE_NAME"].(string)] = true
	}
	for name, want := range map[string]bool{"wiresql.hosts": true, "wiresql.connections": false, "ops.imports": true, "information_schema.TABLES": true, "show.warnings": false} {
		if seen[name] != want {
			t.Errorf("%s is listed: %v", name, seen[name])
		}
	}
	for statement, number := range map[string]string{
		"SHOW COLUMNS FROM connections": "SELECT command denied", "SHOW CREATE TABLE wiresql.packets": "SELECT command denied",
		"SHOW INDEX FROM nothing.at_all": "SELECT command denied", "DESC ops.nothing": "doesn't exist", "LOCK TABLES hosts READ, packets READ": "SELECT command denied",
		"SHOW TABLES FROM nowhere": "Unknown database",
	} {
		if _, err := Translate(statement, server{}); err == nil || !strings.Contains(err.Error(), number) {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

func FuzzTranslate(f *testing.F) {
	for _, seed := range []string{"SHOW TABLES", "SHOW /*!50002 GLOBAL */ STATUS LIKE 'a\\_%'", "DESC `a``b`.c 'd%'", "SHOW COLUMNS FROM hosts WHERE (Field = 'a')",
		"LOCK TABLES hosts AS h READ LOCAL, hosts READ", "CHECK TABLE hosts, ops.imports EXTENDED", "SHOW WARNINGS LIMIT 1, 2", "SHOW GRANTS FOR 'eve'@'%'",
		"/* a */ -- b\n DO 1", "SHOW CREATE TABLE `hosts`;", "SHOW SLAVE STATUS FOR CHANNEL 'x'", "SHOW 'a", "XA RECOVER"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		st, err := Translate(text, server{})
		if err == nil && (st.Kind == Query || st.Kind == Evaluate) != (st.Text != "") {
			t.Errorf("%q: kind %d with %q", text, st.Kind, st.Text)
		}
	})
}
