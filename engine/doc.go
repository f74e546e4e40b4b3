// Package engine answers SQL over an archive.
//
// A query is parsed with vitess's grammar, compiled by package pushdown and run
// whole by the in-memory DuckDB (duck.go), which reads the archive's Parquet
// files where they lie. statement.go decides whose a statement is: queries are
// ours, and so are the statements about the server (SHOW, DESCRIBE and their kin),
// which package metadata translates to queries of information_schema and its
// neighbours. serverview.go gives it what there is to tell. go-mysql-server keeps
// what changes the session (SET, USE, BEGIN), and statements without tables that
// wait or lock (SLEEP, GET_LOCK). It knows our schemas by name (catalog.go).
//
// An answer is made in steps:
//
//	statement.go     parse, compile: Answer, Prepare, PREPARE and EXECUTE
//	assignment.go    SET of a variable to a value of the archive
//	querysession.go  what the compiler asks of the session: variables,
//	                 parameters, rights, warnings
//	snapshot.go      the archive as one statement sees it
//	run.go           one execution: files left out by time and blooms, packets
//	                 found, the limit on what is read
//	strategy*.go     how packets are found, a file for each way
//	rowlookup.go     few rows that an address or an id tells, page by page
//	binding.go       the text gets its files, packets, keys and functions
//	duck.go          DuckDB runs it
//	result.go        chunks of columns stream back; addresses, ids and times
//	                 become text only here
//
// Packets are not rows of any file. A statement that reads them runs in two
// phases: flow rows say where the packets are, then a feed (packets.go,
// callback.go) fetches those in disk order, decodes the columns that are read
// and gives them to DuckDB, which finishes joins, groups and sorts. When the
// packets are the answer as they are, direct.go writes them without DuckDB.
// The strategies are asked in turn, the cheapest first, until one leads to the
// packets: ids the statement names (strategy_named.go), a key that has no value
// (strategy_values.go), rows looked up by a key (strategy_rows.go), a query
// about a list of keys (strategy_keys.go), a query of flow rows
// (strategy_query.go), every packet (strategy_all.go). EXPLAIN says which it
// was, behind "found by". keys.go holds what they found.
//
// Functions that DuckDB does not compute as MySQL does are called back from its
// threads: mysql_text('NAME #n', …) and its kin (called.go) evaluate what
// package functions prepared for the statement, and remember results that
// repeat. Those that wiresql adds without a form in DuckDB's SQL are in udf.go.
//
// explain.go shows what a statement reads without reading packets, from facts
// that explanation.go gathers of the steps reading.go keeps; explain_rows.go is
// for tools. work.go keeps what a statement that runs has done, for the list of
// processes; querylog.go keeps those that are over, as ops.query_log; gaps.go, losses.go,
// damage.go and absent.go say what an answer lacks.
// recent.go computes the connections that compaction has not written yet,
// names.go holds the leases of host names, rowfeed.go hands rows of Go's to DuckDB. guard.go bounds text
// before it is parsed, session.go refuses settings that would not be obeyed,
// status.go has the collector's counters for SHOW STATUS.
//
// With wiresql_pushdown off plans are plain: conditions stay where they stand
// and every packet is read (strategy_all.go). DuckDB runs these too. They are
// the second opinion that tests compare with.
package engine
