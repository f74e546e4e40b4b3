// Package functions holds the SQL types of wiresql's columns and the SQL
// functions wiresql adds to MySQL's.
//
// A function is defined once (see Function): its name, arguments, prose and
// runnable examples, its evaluation in Go for what go-mysql-server executes,
// and its translation to DuckDB text for what is pushed down. docs/functions.md
// is rendered from the same definitions, and a test runs every example.
//
// The package knows nothing of storage or of how a query is planned.
package functions
