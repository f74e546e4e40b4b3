// Package collector turns what exporters send, NetFlow v5 and v9, IPFIX and
// sFlow v5, into rows of tables.Export, and keeps account of what came and what
// did not: of each exporter in rows of tables.Exporter, of each socket in rows
// of tables.Socket.
//
// Exporters are not trusted. Each length is checked against the bytes that are
// there, each loop ends with them, and whatever is remembered has a limit, for
// one exporter and for all together; the limits leave room for exporters that
// have brought records before. What can't be decoded is counted with its
// reason, and what came before it in the datagram is kept.
//
// # A datagram
//
// A socket's worker calls Decoder.Datagram (decoder.go). The sender's address
// finds the exporter, unless it is not on the list (config.go) or there are too
// many; version and observation domain find the stream in it (exporter.go),
// which counts the sequence numbers (sequence.go). The rest is the protocol's:
//
//	netflow5.go                   records of fixed form
//	netflow9.go, ipfix.go         sets: templates, options, data
//	sflow*.go                     samples of packets and counters
//
// A template is compiled when it is learnt (template.go): each field either
// fills a column (column.go says which, the best element first), or goes to the
// JSON of extra under its name in the registry (element.go, registry.go,
// extra.go). A record then is a list of operations on one row, and allocates
// nothing (record.go, with meaning.go for codes, times.go for times, sampled.go
// for the headers of sampled packets, communities.go for Community IDs).
// Options records tell sampling rates, names of interfaces and when the device
// started (options.go). Sets that come before their template wait for it
// (waiting.go); templates and options outlive the process (state.go).
//
// Rows are numbered and handed to the sink after the exporter is unlocked.
// Each second Tick forgets what is too old and reports the exporters.
//
// # Around it
//
// collector.go listens: socket.go (UDP, one socket for each worker), tcp.go
// (IPFIX), account.go (where each datagram went), metrics.go, kept.go (what a
// run leaves for the next). datagram.go tells export datagrams from others;
// replay.go decodes those of files.
package collector
