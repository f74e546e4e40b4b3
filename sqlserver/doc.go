// Package sqlserver speaks the MySQL protocol for an engine: TLS, accounts and
// grants, sessions, results, cancellation, and what clients expect beside SQL.
// It knows nothing of storage.
//
// The wire itself (packets, handshake, prepared statements) is that of vitess
// as go-mysql-server uses it. What the package puts around it:
//
//   - listener.go: the raw connection. It bounds what a client may send before
//     it is answered, refuses connections over the limit with an error the
//     client can show, and notices a client that is gone while its query runs.
//   - accounts.go: who may log in and read what. Only caching_sha2_password,
//     only over TLS, never without a password.
//   - allow.go: the statements that are answered at all.
//   - handler.go, spool.go: a statement from its packet to its rows. Results
//     of queries are copied from DuckDB's columns straight into rows of text,
//     in a buffer of bounded size.
//   - errors.go: the error numbers clients act upon.
//   - quirks.go: statements clients send that no SQL engine should care about.
package sqlserver
