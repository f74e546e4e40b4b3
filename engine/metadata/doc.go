// Package metadata is what a server tells of itself: the relations of
// information_schema, performance_schema, mysql and sys, and the statements
// about them.
//
// The relations have MySQL 8's columns (definitions.txt) and rows where there is
// something to tell (catalogue.go, server.go, accounts.go); the others are empty,
// as they are on a server without triggers, routines or replication. The compiler
// reads them like any other table, so they join, filter and sort with everything.
//
// SHOW, DESCRIBE and their kin are not answered but translated: Translate
// (statement.go, show.go) makes a SELECT over these relations of each, with the
// names of columns that MySQL's manual gives (15.7). CREATE TABLE is written by
// create.go.
//
// What there is to tell of a session comes through Server, so that this package
// knows neither the wire nor the archive.
package metadata
