package engine

import (
	"fmt"
	"sort"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/functions"
	"github.com/wiresql/wiresql/tables"
)

// provider is the catalogue of databases: wiresql and ops, both read-only and
// fixed by package tables.
type provider struct{ databases map[string]*database }

var _ sql.DatabaseProvider = (*provider)(nil)

func newProvider(e *Engine) *provider {
	p := &provider{databases: map[string]*database{}}
	for _, rel := range tables.Relations {
		db := p.databases[rel.Schema]
		if db == nil {
			db = &database{name: rel.Schema, tables: map[string]*table{}}
			p.databases[rel.Schema] = db
		}
		db.tables[rel.Name] = newTable(e, rel)
	}
	return p
}

// Database implements sql.DatabaseProvider.
func (p *provider) Database(_ *sql.Context, name string) (sql.Database, error) {
	if db := p.databases[strings.ToLower(name)]; db != nil {
		return db, nil
	}
	return nil, sql.ErrDatabaseNotFound.New(name)
}

// HasDatabase implements sql.DatabaseProvider.
func (p *provider) HasDatabase(_ *sql.Context, name string) bool {
	return p.databases[strings.ToLower(name)] != nil
}

// AllDatabases implements sql.DatabaseProvider.
func (p *provider) AllDatabases(*sql.Context) []sql.Database {
	var out []sql.Database
	for _, db := range p.databases {
		out = append(out, db)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name() < out[j].Name() })
	return out
}

// database is a schema of relations.
type database struct {
	name   string
	tables map[string]*table
}

var (
	_ sql.Database         = (*database)(nil)
	_ sql.ReadOnlyDatabase = (*database)(nil)
)

// Name implements sql.Database.
func (d *database) Name() string { return d.name }

// IsReadOnly implements sql.ReadOnlyDatabase.
func (d *database) IsReadOnly() bool { return true }

// GetTableInsensitive implements sql.Database.
func (d *database) GetTableInsensitive(_ *sql.Context, name string) (sql.Table, bool, error) {
	t := d.tables[strings.ToLower(name)]
	if t == nil {
		return nil, false, nil
	}
	return t, true, nil
}

// GetTableNames implements sql.Database.
func (d *database) GetTableNames(*sql.Context) ([]string, error) {
	var names []string
	for n := range d.tables {
		names = append(names, n)
	}
	sort.Strings(names)
	return names, nil
}

// table is a relation as go-mysql-server sees it: its columns, for SHOW,
// DESCRIBE and information_schema. Its rows are read by DuckDB alone.
type table struct {
	engine *Engine
	rel    *tables.Relation
	schema sql.Schema
}

var (
	_ sql.Table          = (*table)(nil)
	_ sql.CommentedTable = (*table)(nil)
)

func newTable(e *Engine, rel *tables.Relation) *table {
	t := &table{engine: e, rel: rel}
	for _, c := range rel.Columns {
		t.schema = append(t.schema, &sql.Column{Name: c.Name, Type: functions.TypeOf(c), Nullable: !c.NotNull,
			Source: rel.Name, DatabaseSource: rel.Schema, Comment: comment(c)})
	}
	return t
}

// comment is a column's documentation as clients show it.
func comment(c tables.Column) string {
	s := c.Doc
	if c.Unit != "" {
		s += " [" + c.Unit + "]"
	}
	if c.Source != "" {
		s += " (" + c.Source + ")"
	}
	return s
}

// Name implements sql.Table.
func (t *table) Name() string { return t.rel.Name }

// String implements sql.Table.
func (t *table) String() string { return t.rel.Name }

// Schema implements sql.Table.
func (t *table) Schema() sql.Schema { return t.schema }

// Collation implements sql.Table.
func (t *table) Collation() sql.CollationID { return sql.Collation_utf8mb4_0900_bin }

// Comment implements sql.CommentedTable.
func (t *table) Comment() string { return t.rel.Doc }

// Partitions implements sql.Table: the whole relation is one.
func (t *table) Partitions(*sql.Context) (sql.PartitionIter, error) {
	return sql.PartitionsToPartitionIter(whole{}), nil
}

type whole struct{}

func (whole) Key() []byte { return []byte("all") }

// PartitionRows implements sql.Table.
func (t *table) PartitionRows(ctx *sql.Context, _ sql.Partition) (sql.RowIter, error) {
	return nil, fmt.Errorf("%s.%s is read by DuckDB alone", t.rel.Schema, t.rel.Name)
}

// There are no views; but once accounts are checked, go-mysql-server asks for
// them by name before it looks for a table, and takes "not supported" for an
// error.
var _ sql.ViewDatabase = (*database)(nil)

// CreateView implements sql.ViewDatabase.
func (d *database) CreateView(*sql.Context, string, string, string) error {
	return fmt.Errorf("database %s is read-only", d.name)
}

// DropView implements sql.ViewDatabase.
func (d *database) DropView(_ *sql.Context, name string) error {
	return sql.ErrViewDoesNotExist.New(d.name, name)
}

// GetViewDefinition implements sql.ViewDatabase.
func (d *database) GetViewDefinition(*sql.Context, string) (sql.ViewDefinition, bool, error) {
	return sql.ViewDefinition{}, false, nil
}

// AllViews implements sql.ViewDatabase.
func (d *database) AllViews(*sql.Context) ([]sql.ViewDefinition, error) { return nil, nil }
