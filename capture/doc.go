// Package capture turns packets into rows: it imports capture files into an
// archive and meters their packets into flows.
//
// # The meter
//
// A Meter keeps a table of live conversations. A packet finds its conversation
// by site, protocol, both endpoints and tunnel, in either direction; it adds
// to the counters of the conversation's current piece and its position to the
// piece's postings. A piece becomes a flow row when
//
//   - a packet comes 60 s or more after the piece's first one ("active"): that
//     packet starts the next piece;
//   - no packet came for 300 s (TCP) or 60 s (all else) ("idle");
//   - both sides sent FIN, or one sent RST, and 5 s passed without a packet, or
//     a SYN came with another number than the conversation's ("end"); one with
//     its number is a repetition, or was written late;
//   - the table or the postings were full ("lack_of_resources");
//   - a batch of an import ended, the row grew to a million packets, or time
//     went back beyond what the conversation could span ("forced");
//   - the import ended ("end_of_capture").
//
// Conversations of one SYN that nobody answered, from outside to one port of an
// address, are folded into one row beyond the first thousand that began in a minute;
// see fold.go.
//
// All times are packet times: nothing here looks at a clock, but that Live ends
// what is over while no packets come. Every IP packet
// is in exactly one flow row, every other packet in exactly one row of the
// family other.
//
// Later fragments have no ports: they go with the first of their datagram, also
// when they come up to a second of packet time before it. Those whose first
// does not come are a conversation without ports.
//
// # Time that jumps
//
// Packets out of order go to their conversation as long as it could have been
// alive then. One packet far from the meter's clock (over a minute back, or an
// hour ahead) is metered but does not move the clock: it may be a damaged time
// stamp. If the next packet is not back, time has really jumped. After a jump
// ahead, what is idle by the new time ends at once. After a jump back, what is
// now far in the future ends within 512 s, or when its tuple is seen again:
// looking at all of it at once would let a capture whose time goes to and fro
// cost a look at the whole table each time.
//
// # Identifiers
//
// A flow row's id is the XXH3-64 of these 78 bytes, big endian; 0 becomes 1:
//
//	 0 source    16  head id of the file (XXH3-128 of its first 2 MiB, decompressed);
//	                 of packets that are captured live, the id of the log
//	16 low       16  the lower endpoint's address, IPv4 as ::ffff:a.b.c.d
//	32 high      16  the higher endpoint's address
//	48 low       2   port; see below for ICMP
//	50 high      2   port
//	52 protocol  1   IANA number
//	53 tunnel    1   0 none, else a tables.TunnelType
//	54 tunnel id 4   its id; 0 when that is of one direction
//	58 vlan      2   innermost tag, 0xffff without
//	60 outer     2   outermost of several tags, 0xffff without
//	62 first     8   time of the row's first packet, nanoseconds since 1970
//	70 ordinal   8   number of that packet in its file or log, from 0
//
// Endpoints are ordered by (address, port). In place of ports ICMP has type
// and counterpart (echo and reply are one conversation), or type|0x8000 of the
// sender and code|0x4000 when the type has no counterpart. Only the file's
// content goes in: an import of the same file by copy or in place, compressed
// or not, under any name, gives the same ids, and two packets of one file never
// start rows with the same id. Of two files that begin with the same 2 MiB, as one
// that grew between two imports, the second has its content id (XXH3-128 of all
// bytes) for a source; so had all files in earlier versions. The conversation's id
// is the id of its first piece.
package capture
