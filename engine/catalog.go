package engine

import (
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/wiresql/wiresql/engine/metadata"
)

// provider tells go-mysql-server which schemas there are, for USE. What is in
// them is read by DuckDB alone.
type provider struct{}

var _ sql.DatabaseProvider = provider{}

// Database implements sql.DatabaseProvider.
func (p provider) Database(_ *sql.Context, name string) (sql.Database, error) {
	if p.HasDatabase(nil, name) {
		return database(strings.ToLower(name)), nil
	}
	return nil, sql.ErrDatabaseNotFound.New(name)
}

// HasDatabase implements sql.DatabaseProvider.
func (provider) HasDatabase(_ *sql.Context, name string) bool { return metadata.HasSchema(name) }

// AllDatabases implements sql.DatabaseProvider.
func (provider) AllDatabases(*sql.Context) []sql.Database {
	var out []sql.Database
	for _, name := range metadata.Schemas {
		out = append(out, database(name))
	}
	return out
}

// database is a schema's name.
type database string

// Name implements sql.Database.
func (d database) Name() string { return string(d) }

// GetTableInsensitive implements sql.Database.
func (database) GetTableInsensitive(*sql.Context, string) (sql.Table, bool, error) {
	return nil, false, nil
}

// GetTableNames implements sql.Database.
func (database) GetTableNames(*sql.Context) ([]string, error) { return nil, nil }
