// Package archive keeps rows and packets on disk and finds them again.
//
// Everything in an archive is a file that was written once, renamed into place
// and never changed: rows are Parquet, packets are pcap. What belongs to the
// archive, and what replaces what, stands in the names, so that there is nothing
// to corrupt and a lost file takes only its own content along. That it is lost,
// its writer's ledger tells (ledger.go, damage.go).
//
//	ARCHIVE/
//	├── FORMAT                          "wiresql archive 2"
//	├── locks/
//	│   ├── writer-collector            flock: the one process that writes under this name
//	│   └── tidy                        flock: the process that tidies up names
//	├── readers                         flock, shared: processes that read
//	├── segments.next                   the next segment number, decimal
//	├── batches/
//	│   ├── 5f0c…e1.open                a batch being written; lists its segments
//	│   └── 77ab…09                     a committed batch whose names are not final yet
//	├── logs/0000000043.journal         how far a segment that grows is durable
//	├── state/collector.watermark       all that came before is durable
//	├── state/clock                     when the machine's clock was set
//	├── state/collector.files           the row files it committed: tells which are gone
//	├── roots/1.root                    a folder on another disk that packets lie in
//	├── packets/<sensor>/YYYY/MM/DD/
//	│   └── 0000000042.pcap             a segment: packets as they came
//	└── flows/YYYY/MM/DD/               and so each family; the day of arrival, UTC
//	    └── flows-v1-import-main-h-0000000001-0000000012-0006…00-0006…ff.parquet
//	        │     │  │      │    │ │          │          │       └ largest ts_end, µs, hex
//	        │     │  │      │    │ │          │          └ smallest ts
//	        │     │  │      │    │ └──────────┴ the sequence numbers it stands for
//	        │     │  │      │    └ level: s m e t h d, how often it was merged
//	        │     │  └──────┴ writer and lane: a sequence of their own
//	        │     └ version of the columns
//	        └ family: flows connections other dns names imports segments coverage
//	                  exports exporters sockets carried assigned replaced
//
// # From a flow to its packets
//
// The flow row is the index entry of its packets. Its last column, postings,
// holds their positions; a position is a segment number and an offset in that
// segment's file, packed into a packet id (tables.PacketID):
//
//	postings ─ rows.DecodePostings ─► packet ids ─ sort, Fetch ─► records
//
//	bytes:  02        03     18      4c         e8 07
//	        segment 2 count  +24     +76        +1000      → 2:24, 2:100, 2:1100
//
// A number is given to a segment once, whatever happens to the batch that asked
// for it, and is never used again: ids stay true when files come and go.
//
// # Batches
//
// All that is written is written in a batch (Tx). Its row files bear the
// batch's id behind their names, ".parquet.i77ab…09", and its segments are
// listed in batches/<id>.open before they are made. When all files and their
// folders are synced, renaming that file to batches/<id> commits the batch: one
// operation, before which nothing of it counts and after which all of it does.
// Then each row file gets its lasting name by a hard link; the name with the id
// and the batch's file are removed once no process reads the archive, or ten
// minutes later.
//
//	write .part ► sync ► rename ► sync folders ► rename batches/<id>.open ► link ► remove
//	└──────── swept by whoever tidies next ────────────┘ └──── finished by whoever does
//
// Processes that record, import and merge write at the same time, each under a
// name that one process has: the numbers of a sequence are its writer's to give.
// A batch whose file batches/<id>.open nobody has locked is dead.
//
// Sequence numbers are dense per family, writer and lane. A file supersedes
// those of the same three whose range it covers, if its level is higher or its
// range larger; that is all a merge has to say. A merge takes over the writer
// and lane of its inputs, and may write several files of one range.
//
// What is decided about rows that are stored does not change their file: see
// NewDecisions.
//
// When rows arrived, and which part of the program wrote their file, stands in
// its footer (rows.Origin), and goes on through all merges.
//
// A reader lists the batches, then all folders, then the batches again, until
// nothing changed in between: it sees each batch whole or not at all, and of a
// merge either its inputs or its result.
//
// # Recording
//
// A Recorder takes the rows of a collector and writes a batch of micro files
// every two seconds. Files of exports have the columns that are not NULL in all
// of their rows.
//
// # Logs
//
// Packets that are captured live belong to no batch: a Log appends them to
// segments that grow and are read while they do, up to what its journal says is
// durable (journal.go). A commit makes packets durable, and then, in a batch, their
// rows: those that ended, and those that did not as they are, in files of level s
// of which only the last counts.
//
//	packets ► sync ► journal entry ► sync ► batch of rows ► checkpoint
//	cut off ┘        metered again ───────┘               └ metered again from the one before
//
// # Captures in place
//
// Adopt indexes a pcap or pcapng file where it lies: it gets a segment number
// and a row in the family segments, with all it takes to read a record in its
// middle (pcap.Layout) and to know the file again: size, time of change, and a hash
// of its first and last 64 KiB. When any of them differs, its packets are gone
// with the reason "source file changed"; wrong bytes are never returned.
//
// # Rooms
//
// What is in a capture file is the matter of package pcap, what is in a row file
// of package rows; here files get their names, places and numbers. Begin with
// archive.go, tx.go and listing.go; docs/archive-format.md describes the bytes.
package archive
