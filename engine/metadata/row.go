package metadata

import (
	"slices"
	"strings"

	"github.com/wiresql/wiresql/tables"
)

// record is a row by the names of its columns; those it lacks are NULL. Values
// are string, int, int64, float64, time.Time or []byte.
type record map[string]any

// Server is what the relations tell of, as one session may see it.
type Server interface {
	// User is who asks, and from where.
	User() (name, host string)
	// Database is the schema chosen by USE; empty for none.
	Database() string
	// Grants are what the user may read.
	Grants() []Grant
	// Variables are the system variables as text, by their names in lower case.
	Variables(global bool) map[string]string
	// Status are the status variables as text.
	Status(global bool) (map[string]string, error)
	// ResetStatus begins the session's own counters anew.
	ResetStatus()
	// Processes are the connections the user may see.
	Processes() []Process
	// Warnings are those of the statement before.
	Warnings() []Warning
	// Size is the number of rows and bytes of a relation; ok is false where
	// it is not known without reading it.
	Size(rel *tables.Relation) (rows, bytes int64, ok bool)
	// Given are the relations that come from files beside the archive.
	Given() []*tables.Relation
}

// Grant is the right to read a schema, or one table of it.
type Grant struct{ Schema, Table string } // Table is * for all

// Process is a connection and what it does.
type Process struct {
	ID                                   int64
	User, Host, Database, Command, State string
	Seconds                              int64
	Statement                            string // empty when it does nothing
}

// Warning is one of a statement's.
type Warning struct {
	Level   string
	Code    int
	Message string
}

// sources are the relations that have rows.
var sources = map[string]func(s Server) ([]record, error){}

// Rows are a relation's rows, in the order of its columns.
func Rows(rel *tables.Relation, s Server) ([][]any, error) {
	source := sources[key(rel.Schema, rel.Name)]
	if source == nil {
		return nil, nil
	}
	records, err := source(s)
	if err != nil {
		return nil, err
	}
	out := make([][]any, len(records))
	for i, r := range records {
		row := make([]any, len(rel.Columns))
		for k, c := range rel.Columns {
			row[k] = r[c.Name]
		}
		out[i] = row
	}
	return out, nil
}

// known makes a source of rows that can't fail.
func known(rows func(s Server) []record) func(Server) ([]record, error) {
	return func(s Server) ([]record, error) { return rows(s), nil }
}

// May tells whether a session may read a relation. All may read what is about
// the server: rows are those of what they may see.
func May(s Server, schema, table string) bool {
	if Describes(schema) {
		return true
	}
	for _, g := range s.Grants() {
		if (g.Schema == schema || g.Schema == "*") && (g.Table == "*" || g.Table == table) {
			return true
		}
	}
	return false
}

// mayEnter tells whether a session may see a schema.
func mayEnter(s Server, schema string) bool {
	if Describes(schema) {
		return true
	}
	for _, g := range s.Grants() {
		if g.Schema == schema || g.Schema == "*" {
			return true
		}
	}
	return false
}

// visible are the relations a session may see, sorted by schema; those of the
// archive in the order of the documentation.
func visible(s Server) (out []*tables.Relation) {
	for _, schema := range Schemas {
		for _, d := range defined {
			if d.Schema == schema {
				out = append(out, d.Relation)
			}
		}
		for _, rel := range slices.Concat(tables.Relations, s.Given()) {
			if rel.Schema == schema && May(s, schema, rel.Name) {
				out = append(out, rel)
			}
		}
	}
	return out
}

// find is the relation of a name that a session may see, or nil.
func find(s Server, schema, name string) *tables.Relation {
	if rel := Lookup(schema, name); rel != nil && schema != shown {
		return rel
	}
	for _, rel := range s.Given() {
		if rel.Schema == schema && strings.EqualFold(rel.Name, name) {
			return rel
		}
	}
	return tables.Lookup(schema, name)
}
