package capture

import (
	"cmp"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
)

const (
	// importLevel is the level of an import's files: rows in packet-time
	// order, as in the files of an epoch.
	importLevel = "e"
	// maxFileRows ends a row file.
	maxFileRows = 1_000_000
	// writeRows are handed to the archive at a time.
	writeRows = 4096
)

// rowBuffer brings rows that come in the order they end into the order of
// their time, in bounded memory: whenever it is full the older half of what it
// holds is written. As rows are at most a few minutes old when they end, the
// files of an import then follow each other in time, and merging them is
// hardly more than appending. A row older than what the open file ends with
// starts a new file.
type rowBuffer[T any] struct {
	time  func(*T) tables.Time
	size  func(*T) int // bytes the row refers to
	limit int          // rows
	room  int          // bytes

	rows  []T
	free  []int32
	order []rowAt
	bytes int

	tx     *archive.Tx
	file   *archive.RowFile[T]
	inFile int
	last   tables.Time // of the file
	out    []T
	total  int64
}

type rowAt struct {
	ts  tables.Time
	row int32
}

func (b *rowBuffer[T]) add(r *T) error {
	if len(b.order) >= b.limit || b.bytes >= b.room {
		if err := b.write(len(b.order)/2 + 1); err != nil {
			return err
		}
	}
	var i int32
	if n := len(b.free); n > 0 {
		i = b.free[n-1]
		b.free = b.free[:n-1]
		b.rows[i] = *r
	} else {
		i = int32(len(b.rows))
		b.rows = append(b.rows, *r)
	}
	b.order = append(b.order, rowAt{b.time(r), i})
	b.bytes += b.size(r)
	return nil
}

// write writes the n oldest rows.
func (b *rowBuffer[T]) write(n int) error {
	slices.SortStableFunc(b.order, func(x, y rowAt) int { return cmp.Compare(x.ts, y.ts) })
	n = min(n, len(b.order))
	for start := 0; start < n; {
		if b.file != nil && (b.inFile >= maxFileRows || b.order[start].ts < b.last) {
			if err := b.closeFile(); err != nil {
				return err
			}
		}
		if b.file == nil {
			f, err := archive.NewRowFile[T](b.tx, importLevel)
			if err != nil {
				return err
			}
			b.file = f
		}
		stop := min(n, start+writeRows, start+maxFileRows-b.inFile)
		b.out = b.out[:0]
		for _, at := range b.order[start:stop] {
			b.out = append(b.out, b.rows[at.row])
		}
		if err := b.file.Write(b.out); err != nil {
			return err
		}
		var none T
		for _, at := range b.order[start:stop] {
			b.bytes -= b.size(&b.rows[at.row])
			b.rows[at.row] = none // lets go of what the row refers to
			b.free = append(b.free, at.row)
		}
		b.last = b.order[stop-1].ts
		b.inFile += stop - start
		b.total += int64(stop - start)
		start = stop
	}
	b.order = slices.Delete(b.order, 0, n)
	return nil
}

// flush writes everything and closes the file. The buffer may be used again,
// with another transaction.
func (b *rowBuffer[T]) flush() error {
	if err := b.write(len(b.order)); err != nil {
		return err
	}
	return b.closeFile()
}

func (b *rowBuffer[T]) closeFile() error {
	if b.file == nil {
		return nil
	}
	_, err := b.file.Close()
	b.file, b.inFile = nil, 0
	return err
}

// rowBuffers are the rows of an import on their way into a transaction: the
// sink of the meter and of the observer. While replaying it drops them.
type rowBuffers struct {
	flows     rowBuffer[tables.Flow]
	others    rowBuffer[tables.Other]
	dns       rowBuffer[tables.DNS]
	names     rowBuffer[tables.Name]
	replaying bool
}

func newRowBuffers() *rowBuffers {
	return &rowBuffers{
		flows: rowBuffer[tables.Flow]{
			limit: 200_000, room: 64 << 20,
			time: func(r *tables.Flow) tables.Time { return r.TS },
			size: func(r *tables.Flow) int { return len(r.Postings) },
		},
		others: rowBuffer[tables.Other]{
			limit: 20_000, room: 32 << 20,
			time: func(r *tables.Other) tables.Time { return r.TS },
			size: func(r *tables.Other) int { return len(r.Postings) },
		},
		dns: rowBuffer[tables.DNS]{
			limit: 50_000, room: 32 << 20,
			time: func(r *tables.DNS) tables.Time { return r.TS },
			size: func(r *tables.DNS) int { return len(r.Query) + len(r.Answers) },
		},
		names: rowBuffer[tables.Name]{
			limit: 50_000, room: 32 << 20,
			time: func(r *tables.Name) tables.Time { return r.TS },
			size: func(r *tables.Name) int { return len(r.Name) },
		},
	}
}

func (b *rowBuffers) begin(tx *archive.Tx) {
	b.flows.tx, b.others.tx, b.dns.tx, b.names.tx = tx, tx, tx, tx
	b.flows.total = 0
}

// flush writes all rows of the batch; it returns how many of them were flows.
func (b *rowBuffers) flush() (flows int64, err error) {
	for _, f := range []func() error{b.flows.flush, b.others.flush, b.dns.flush, b.names.flush} {
		if err := f(); err != nil {
			return 0, err
		}
	}
	return b.flows.total, nil
}

func (b *rowBuffers) Flow(r *tables.Flow) error {
	if b.replaying {
		return nil
	}
	return b.flows.add(r)
}

func (b *rowBuffers) Other(r *tables.Other) error {
	if b.replaying {
		return nil
	}
	return b.others.add(r)
}

func (b *rowBuffers) DNS(r *tables.DNS) error {
	if b.replaying {
		return nil
	}
	return b.dns.add(r)
}

func (b *rowBuffers) Name(r *tables.Name) error {
	if b.replaying {
		return nil
	}
	return b.names.add(r)
}
