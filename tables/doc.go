// Package tables says what a row is: the columns of every relation, the rows
// the archive stores, the values in them, and how the header of a packet is
// read. It does no input or output and knows nothing of the other packages.
//
// relations.go is what SQL users see, rows.go what rests on disk. addr.go,
// ids.go and communityid.go define values; names.go and services.go their
// words. decode.go, with decode_link.go and decode_tunnel.go, turns bytes into
// a Header without allocating; info.go writes one as a line. leases.go turns
// observations of names into who had which address when.
package tables
