// Package rows writes rows as Parquet files, reads and merges them, and finds
// single ones in files of millions.
//
// A row is a struct of package tables; how its fields become columns is worked
// out once a type (codec.go). Rows on their way to a file lie on their side, a
// vector for each column (block.go), from which a Writer makes pages, chunks and
// the footer (blockfile.go, blockchunk.go, blockpage.go). A Sorter brings rows
// into order on the way, Merge puts files together column by column
// (blockmerge.go), a Reader reads rows back (reader.go, blockread.go). A Lookup
// reads the few rows that hold a value: bloom filters choose row groups
// (bloom.go), the column itself the rows (places.go), the page index the pages of
// the others (lookup.go), in which each value is found where it lies (page.go).
//
// Columns are the values' own encodings of Parquet and nothing private: every
// reader of Parquet reads the files. One column has a form of its own, which
// says where a flow's packets are (postings.go).
//
// The package knows of a file no more than its path: the caller gives a Target
// to write to, and says what becomes of it. Begin with writer.go and file.go.
package rows
