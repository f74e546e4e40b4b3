// Package archive keeps rows and packets on disk and finds them again.
package archive

import (
	"context"
	"errors"
	"log/slog"

	"github.com/wiresql/wiresql/tables"
)

var errSkeleton = errors.New("archive: under construction")

// Options for Open.
type Options struct {
	Logger *slog.Logger
	// ReadOnly archives write nothing at all; Begin fails.
	ReadOnly bool
	// NoSync skips every fsync: for benchmarks and tests.
	NoSync bool
	// SegmentBytes is the size at which packet segments rotate; 0 means 1 GiB.
	SegmentBytes int64
}

// Archive is an open archive directory; its methods may be called from several goroutines.
type Archive struct{ dir string }

func Open(dir string, o Options) (*Archive, error)  { return nil, errSkeleton }
func (a *Archive) Close() error                     { return nil }
func (a *Archive) Dir() string                      { return a.dir }
func (a *Archive) Catalog() (*Catalog, error)       { return nil, errSkeleton }
func (a *Archive) Begin(writer string) (*Tx, error) { return nil, errSkeleton }

// Family names a kind of rows.
type Family string

const (
	Flows       Family = "flows"
	Connections Family = "connections"
	Other       Family = "other"
	DNS         Family = "dns"
	Names       Family = "names"
	Imports     Family = "imports"
	Segments    Family = "segments"
	Coverage    Family = "coverage"
)

// File is one live Parquet file of a family.
type File struct {
	Family       Family
	Path         string // absolute
	Schema       int
	Writer, Lane string
	Level        string
	First, Last  uint64 // sequence numbers it stands for
	MinTS, MaxTS tables.Time
	Rows, Bytes  int64
}

// Catalog is an immutable snapshot of what the archive holds.
type Catalog struct{}

func (c *Catalog) Version() uint64                            { return 0 }
func (c *Catalog) Files(f Family) []File                      { return nil }
func (c *Catalog) Segments() []SegmentInfo                    { return nil }
func (c *Catalog) Segment(n uint32) (*SegmentInfo, bool)      { return nil, false }
func (c *Catalog) Missing() []uint32                          { return nil }
func (c *Catalog) Bounds() (first, last tables.Time, ok bool) { return }
func (c *Catalog) Quarantined() []Quarantine                  { return nil }

// Quarantine names a file that is skipped because it can't be read, and why.
type Quarantine struct {
	Path   string
	Reason string
}

// States of a segment.
const (
	StateAvailable = "available"
	StateMissing   = "missing"
	StateChanged   = "source file changed"
)

// SegmentInfo is a packet segment and whether its packets can be read.
type SegmentInfo struct {
	tables.Segment
	AbsPath string
	State   string
}

// MayContain asks the file's bloom filters; true when it can't tell.
func MayContain(f File, column string, value uint64) bool { return true }

// Tx is one batch: all of it becomes visible with Commit, or nothing.
type Tx struct{}

func (tx *Tx) ID() string             { return "" }
func (tx *Tx) Supersede(files []File) {}
func (tx *Tx) Commit() error          { return errSkeleton }
func (tx *Tx) Abort() error           { return nil }

// Packets returns the transaction's open segment writer for this key.
func (tx *Tx) Packets(sensor, site string, link tables.LinkType, nano bool) (*SegmentWriter, error) {
	return nil, errSkeleton
}

// Adopt gives a capture file a segment number and leaves it where it lies.
func (tx *Tx) Adopt(path, sensor, site string) (*Adoption, error) { return nil, errSkeleton }

// SegmentWriter appends packets to segments.
type SegmentWriter struct{}

func (w *SegmentWriter) Append(rec *Record) (segment uint32, offset int64, err error) {
	return 0, 0, errSkeleton
}

// Adoption is an in-place capture being indexed.
type Adoption struct{ Segment uint32 }

// Finish records the capture once r has been read to its end or damage.
func (ad *Adoption) Finish(r *Reader) error { return errSkeleton }

// RowFile is a Parquet file being written, row groups of about 125,000 rows.
type RowFile[T any] struct{}

func NewRowFile[T any](tx *Tx, level string) (*RowFile[T], error)        { return nil, errSkeleton }
func (f *RowFile[T]) Write(rows []T) error                               { return errSkeleton }
func (f *RowFile[T]) Close() (File, error)                               { return File{}, errSkeleton }
func WriteRows[T any](tx *Tx, level string, rows []T) (fl File, e error) { return File{}, errSkeleton }

// RowReader reads rows back.
type RowReader[T any] struct{}

func ReadRows[T any](path string) (*RowReader[T], error) { return nil, errSkeleton }
func (r *RowReader[T]) Rows() int64                      { return 0 }
func (r *RowReader[T]) Read(dst []T) (int, error)        { return 0, errSkeleton }
func (r *RowReader[T]) Close() error                     { return nil }

// AppendPostings appends the encoded positions; refs are packet ids, ascending.
func AppendPostings(dst []byte, refs []tables.ID) []byte { return dst }

// DecodePostings calls fn for each position until it returns false.
func DecodePostings(b []byte, fn func(tables.ID) bool) error { return errSkeleton }

// Ref is a packet wanted by owner.
type Ref struct {
	ID    tables.ID
	Owner int32
}

// FetchStats says what a fetch read.
type FetchStats struct {
	Segments, Ranges int
	Bytes, Packets   int64
	Missing          map[uint32]int64 // packets not read, by segment
}

// Fetch reads the packets of refs, which are sorted by ID.
func (a *Archive) Fetch(ctx context.Context, c *Catalog, refs []Ref, fn func(r Ref, rec *Record) error) (FetchStats, error) {
	return FetchStats{}, errSkeleton
}

// Walk reads a whole segment in file order.
func (a *Archive) Walk(ctx context.Context, c *Catalog, segment uint32, fn func(rec *Record) error) error {
	return errSkeleton
}

// EstimateFetch says how many segments and ranges a Fetch would touch.
func EstimateFetch(refs []Ref) (segments, ranges int) { return 0, 0 }
