// Package engine answers SQL over an archive.
//
// go-mysql-server parses a statement, resolves its names and would execute it
// row by row. Before it plans anything the engine's rule (analyzer.go) hands
// the tree to package pushdown and replaces what that translates by one leaf:
// a statement for the in-memory DuckDB (duck.go), which reads the archive's
// Parquet files where they lie. Results stream back in chunks of columns
// (result.go); addresses and ids become text only there.
//
// Packets are not rows of any file. A statement that reads them runs in two
// phases (packets.go): flow rows say where the packets are, then a feed
// (callback.go) fetches those in disk order, decodes the columns that are read
// and gives them to DuckDB, which finishes joins, groups and sorts.
//
// run.go prepares an execution: files left out by time and blooms, packets
// found, the limit on what is read. explain.go shows the same without reading
// packets; gaps.go says what an answer lacks.
//
// When a statement is refused, the part below the refusal still goes to DuckDB
// (partial.go). What is not pushed down, or all of it with wiresql_pushdown off, is executed
// by go-mysql-server over whole relations (relation.go).
package engine
