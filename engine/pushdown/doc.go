// Package pushdown compiles MySQL queries: text in, a statement for DuckDB and
// a plan for the packets behind it out.
//
// It has printable stages, and it is pure: it opens no file and no database, so
// the same text, session and Env give the same plan. What the session is asked
// for stands in one interface (Session, session.go).
//
//	text
//	  │  Parse      vitess's parser, and what it does not keep: the text of
//	  │             each field, INTERSECT and EXCEPT (titles.go)
//	  ▼
//	syntax tree
//	  │  Compile
//	  ├─ bind       names to columns, expressions to types: the intermediate
//	  │             form (ir.go). Errors are MySQL's, with its numbers
//	  ├─ normalise  conditions down to the scans, EXISTS and IN to joins
//	  │             (normalise.go); tests of host names and times to stored
//	  │             columns (stored.go)
//	  ├─ rollup     packets counted from flow rows, where those are exact; minutes
//	  │             of traffic from hours (hours.go)
//	  ├─ packets    which flow rows have the packets a statement asks for
//	  │             (demand.go, mapping.go, packets.go, direct.go)
//	  ├─ prune      columns nothing needs; bounds of each scan (bounds.go)
//	  ▼
//	Plan
//	  │  Text       one renderer, behind a Dialect, fills in a Binding
//	  ▼
//	DuckDB SQL
//
// Binding, file by file:
//
//	statement  query blocks, set operations, ORDER BY, LIMIT
//	from       relations, derived tables, common table expressions, joins
//	recursive  WITH RECURSIVE
//	scope      which column a name means in each clause, and the nearest name
//	expr       expressions; call: functions, typed by package functions
//	compare    comparisons, IN, LIKE; collation: under which collation
//	meaning    what a constant is beside a column: an address, an id, a time, a
//	           folded name; what the column can never hold is an error
//	literal    constants; coerce: values brought to a type; types: columns'
//	aggregate  aggregates, GROUP BY and what it allows; over: window functions
//
// The intermediate form has MySQL's types (functions.Type). Every column has an
// id of its own, and the text names it by that: c7 is column 7 in every block,
// so that scoping, aliases and correlated subqueries need no code.
//
// The form knows no database. All that is DuckDB's stands behind the Dialect
// (dialect.go): render.go writes relations, text.go, arithmetic.go and
// window.go expressions, scan.go and views.go the SELECT behind a relation; naming.go
// keeps nested calls short. A
// function that the dialect does not compute exactly is a Func, which is
// called back. What is known only at run time (files, packets, keys, handles of
// functions) comes from the Binding; EXPLAIN prints the same text with
// {{scan N}} and {{packets N}} in these places.
//
// finish.go puts the Plan together. sampled.go adds the question whether sampled
// rows were added up, accounts.go the relations computed from the collector's
// accounts, address.go the LIKE of addresses; walk.go visits and rewrites the
// form, tree.go prints it.
//
// Semantics are those of MySQL 8. Values that are numbers inside and text
// outside (addresses, ids, community ids, MAC addresses) stay numbers through
// filters, joins, groups and sorts, and are formatted when a row leaves.
//
// Env.Plain leaves out normalise, rollup and packets: the statement as it was
// bound, over every packet.
package pushdown
