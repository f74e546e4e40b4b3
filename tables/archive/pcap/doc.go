// Package pcap reads capture files, and tells where in them each packet lies.
//
// A Reader walks a file from its start, whatever its format (pcap.go,
// pcapng.go), byte order and compression, and stops where it stops making
// sense. What decoding a record in the middle of the file takes is its Layout,
// a few bytes: whoever kept it and the offset of a packet reads that packet
// alone (Layout.Record). AppendHeader and AppendRecord write the classic format.
//
// It knows of bytes and files only: what packets say is decoded by tables, where
// they are kept is decided by the archive. Begin with reader.go.
package pcap
