// Package settle puts rows together to conversations: what sensors metered and
// what exporters reported, rows in, conversations out. It opens no file and
// looks at no clock.
//
// A [Key] is what conversations are told apart within: site, protocol, both
// ends, tunnel. A piece is what one observer reported of a conversation at one
// place: a row, or several that follow each other. A [Conversation] has the
// pieces of one key that no silence divides, and what a sensor metered of it; it
// becomes a row of connections. docs/observers.md says by which rules.
//
// A [Book] is filled with new rows, then told of conversations that earlier runs
// stored and new rows may be part of, and then of those conversations' own rows:
// a conversation is always put together from all its rows, so that neither the
// order in which they come nor the size of the runs changes what becomes of
// them. Only the id of one that nobody metered stays what it was called first.
package settle
