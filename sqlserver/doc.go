// Package sqlserver speaks the MySQL protocol for an engine: TLS, accounts and
// grants, sessions, results, cancellation, and what clients expect beside SQL.
// It knows nothing of storage.
//
// The protocol is its own, for what go-mysql-server brings can have one cursor,
// loses errors in the middle of results, and knows half of the commands. Only
// sessions and accounts are go-mysql-server's.
//
//   - listener.go: the raw connection. It refuses connections over the limit
//     with an error the client can show, and notices a client that is gone while
//     its query runs.
//   - packets.go: messages, numbered, of bounded size.
//   - login.go, accounts.go: who may log in and read what. Only
//     caching_sha2_password, only over TLS, never without a password.
//   - client.go: commands. prepared.go, parameter.go: those of prepared
//     statements; cursor.go: their rows, kept until they are fetched.
//   - handler.go, spool.go, rows.go: a statement from its text to its rows.
//     Results of queries are copied from DuckDB's columns straight into messages,
//     in a buffer of bounded size.
//   - errors.go: the error numbers clients act upon.
//   - quirks.go: statements clients send that no SQL engine should care about.
package sqlserver
