package compact

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive"
	"github.com/wiresql/wiresql/tables/archive/rows"
)

// cursor is a file being merged: its rows in memory and the next of them. Those
// that follow are read in a goroutine meanwhile.
type cursor[T any] struct {
	file  archive.File
	in    *rows.Reader[T]
	rows  []T
	at    int
	spare []T
	ahead chan filled // nil at the end

	edit *rows.Edit[T] // what is left of it
	next int32         // row of the file
	set  int           // rows that were set
}

// filled is what became of reading into a cursor's spare rows.
type filled struct {
	n   int
	err error
}

// read has the spare rows filled.
func (c *cursor[T]) read() {
	ahead, into := make(chan filled, 1), c.spare[:cap(c.spare)]
	c.ahead = ahead
	go func() {
		n, err := c.in.Read(into)
		ahead <- filled{n, err}
	}()
}

// fill moves on to the next rows; it returns false at the end of the file.
func (c *cursor[T]) fill() (bool, error) {
	for c.ahead != nil {
		got := <-c.ahead
		c.ahead = nil
		c.rows, c.spare, c.at = c.spare[:got.n], c.rows[:0], 0
		if got.n > 0 || got.err == nil {
			c.read()
		}
		if got.n > 0 && c.edit != nil {
			c.amend()
		}
		if len(c.rows) > 0 {
			return true, nil
		}
		if got.n == 0 && got.err != nil && !errors.Is(got.err, io.EOF) {
			return false, fmt.Errorf("read %s: %w", c.file.Path, got.err)
		}
	}
	return false, nil
}

func (c *cursor[T]) close() error {
	if c.ahead != nil {
		<-c.ahead
	}
	return c.in.Close()
}

// amend does to the rows that were read what the edit says.
func (c *cursor[T]) amend() {
	kept := c.rows[:0]
	for i := range c.rows {
		row := c.next
		if c.next++; len(c.edit.Drop) > 0 && c.edit.Drop[0] == row {
			c.edit.Drop = c.edit.Drop[1:]
			continue
		}
		kept = append(kept, c.rows[i])
		if c.set < len(c.edit.Rows) && c.edit.Rows[c.set] == row {
			c.edit.Set(c.set, &kept[len(kept)-1])
			c.set++
		}
	}
	c.rows = kept
}

// cursors is a heap of files by the time of their next row.
type cursors[T any] struct {
	list []*cursor[T]
	ts   func(*T) tables.Time
}

func (h *cursors[T]) Len() int { return len(h.list) }
func (h *cursors[T]) Less(i, j int) bool {
	a, b := h.list[i], h.list[j]
	x, y := h.ts(&a.rows[a.at]), h.ts(&b.rows[b.at])
	return x < y || x == y && a.file.First < b.file.First
}
func (h *cursors[T]) Swap(i, j int) { h.list[i], h.list[j] = h.list[j], h.list[i] }
func (h *cursors[T]) Push(x any)    { h.list = append(h.list, x.(*cursor[T])) }
func (h *cursors[T]) Pop() any {
	last := h.list[len(h.list)-1]
	h.list = h.list[:len(h.list)-1]
	return last
}

// mergeRows reads files whose rows are in time order and hands all rows to
// emit in time order. A run of rows is valid during the call only. With columns,
// only those are read. A file is opened when the merge has come to its first
// row and closed behind its last: files that follow each other in time, as an
// import's do, are never open together, however many there are.
func mergeRows[T any](ctx context.Context, files []archive.File, ts func(*T) tables.Time, emit func([]T) error, columns ...string) (total int64, err error) {
	return mergeEdited(ctx, files, ts, nil, emit, columns...)
}

// mergeEdited is mergeRows with an edit of each file, where there is one.
func mergeEdited[T any](ctx context.Context, files []archive.File, ts func(*T) tables.Time, edit func(archive.File) (*rows.Edit[T], error), emit func([]T) error, columns ...string) (total int64, err error) {
	waiting := slices.Clone(files)
	slices.SortStableFunc(waiting, func(a, b archive.File) int { return cmp.Compare(a.MinTS, b.MinTS) })
	h := &cursors[T]{ts: ts}
	defer func() {
		for _, c := range h.list {
			err = errors.Join(err, c.close())
		}
	}()
	for {
		if err := ctx.Err(); err != nil {
			return total, err
		}
		for len(waiting) > 0 && (h.Len() == 0 || waiting[0].MinTS <= h.first()) {
			c, err := openCursor(waiting[0], edit, columns)
			if err != nil {
				return total, err
			}
			waiting = waiting[1:]
			if c != nil {
				heap.Push(h, c)
			}
		}
		if h.Len() == 0 {
			return total, nil
		}
		c := h.list[0]
		// Take rows of the first file for as long as it stays the first.
		end, limit := len(c.rows), tables.OpenEnd
		if h.Len() > 1 {
			limit = h.runnerUp()
		}
		if len(waiting) > 0 {
			limit = min(limit, waiting[0].MinTS)
		}
		if limit < tables.OpenEnd {
			for end = c.at + 1; end < len(c.rows) && ts(&c.rows[end]) < limit; {
				end++
			}
		}
		if err := emit(c.rows[c.at:end]); err != nil {
			return total, err
		}
		total += int64(end - c.at)
		if c.at = end; c.at == len(c.rows) {
			more, err := c.fill()
			if err != nil {
				return total, err
			}
			if !more {
				heap.Pop(h)
				if err := c.close(); err != nil {
					return total, err
				}
				continue
			}
		}
		heap.Fix(h, 0)
	}
}

// openCursor opens a file at its first row; nil when it has none.
func openCursor[T any](f archive.File, edit func(archive.File) (*rows.Edit[T], error), columns []string) (*cursor[T], error) {
	c := &cursor[T]{file: f, rows: make([]T, 0, batchRows), spare: make([]T, 0, batchRows)}
	if edit != nil {
		var err error
		if c.edit, err = edit(f); err != nil {
			return nil, err
		}
	}
	in, err := rows.Open[T](f.File, columns...)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Path, err)
	}
	c.in = in
	c.read()
	more, err := c.fill()
	if err != nil || !more {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// first is the time of the next row.
func (h *cursors[T]) first() tables.Time { return h.ts(&h.list[0].rows[h.list[0].at]) }

// runnerUp is the smallest time among all open files but the first.
func (h *cursors[T]) runnerUp() tables.Time {
	next := h.list[1]
	if len(h.list) > 2 && h.Less(2, 1) {
		next = h.list[2]
	}
	return h.ts(&next.rows[next.at])
}
