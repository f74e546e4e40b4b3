// Package pushdown translates a MySQL plan into DuckDB SQL and a plan for the
// packets behind it, or says why it can't.
//
// It is a compiler with printable stages, and it is pure: it opens no file and
// no database, so the same plan gives the same text.
//
//	bound plan of go-mysql-server
//	  │  Rewrite    literals are read as what the column beside them holds:
//	  │             addresses, ids, times, folded names; nonsense is error 1064
//	  │  Check      what ONLY_FULL_GROUP_BY forbids
//	  ▼
//	  │  Compile
//	  ├─ build      nodes and expressions to the intermediate form (ir.go),
//	  │             from a list of what is known to mean the same in both
//	  │             engines; anything else is a Refusal with its reason
//	  ├─ normalise  conditions down to the scans, EXISTS and IN to joins,
//	  │             host names to addresses and times
//	  ├─ packets    which flow rows have the packets a statement asks for
//	  ├─ prune      columns nothing needs
//	  └─ render     text, with {{scan N}} where a relation's rows come in
//
// The hook is before go-mysql-server's analyzer (AddPreAnalyzeRule): names are
// resolved there and every column has an id of its own, but nothing is planned
// yet. The text names columns by these ids, c7 is column 7 in every block, so
// that scoping, aliases and correlated subqueries need no code.
//
// Semantics are those of MySQL 8, not of go-mysql-server, which has DIV, SUM
// of integers and overflow wrong. Values that are numbers inside and text
// outside (addresses, ids, community ids, MAC addresses) stay numbers through
// filters, joins, groups and sorts, and are formatted when a row leaves.
package pushdown
