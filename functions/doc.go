// Package functions holds every scalar function and operator that a statement
// may use: MySQL's and those wiresql adds. Each stands in one table with its
// arguments, the rule of its result's type, how Go evaluates it and how DuckDB
// computes it where that is equal to the bit.
//
// What evaluates in Go is vitess's evalengine where that gives what MySQL
// gives, and our own where not. The compiler asks Arguments, Prepare and
// InDuckDB for every node of a statement; literals fold with the same
// evaluation. The table is compared with a real MariaDB, value for value, and
// with MySQL's manual where the two differ (testdata/literals.txt here and
// testdata/functions.txt in engine). docs/functions.md is generated from it.
//
// A value is of one Kind, which says how it is held while a statement runs;
// its Type is what MySQL says of it.
package functions
