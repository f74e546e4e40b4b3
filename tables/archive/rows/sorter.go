package rows

import (
	"errors"
	"slices"
	"unsafe"
)

// SorterOptions bound a Sorter and the files it writes.
type SorterOptions struct {
	Rows  int // that wait, at most
	Blobs int // bytes of their []byte values, at most
	// FileRows ends a file.
	FileRows int64
}

// Sorter brings rows that come in the order they end into the order of their
// time, in bounded memory: whenever it is full the older half of what it holds is
// written. As rows are at most a few minutes old when they end, the files then
// follow each other in time, and merging them is hardly more than appending. A
// row older than what the open file ends with starts a new file.
//
// Rows wait on their side, as they are written: a quarter of their memory, and
// none of it moves while they are sorted. They are sorted and written in a
// goroutine of their own, while others come. T's family has times.
type Sorter[T any] struct {
	o       SorterOptions
	create  func() (*Writer[T], error)
	codec   *codec
	some    []T    // the rows that came last
	fresh   *block // those before
	taken   *block // is taken over by the goroutine, or is empty
	working chan error

	// The goroutine's, while it works:
	block *block // all that wait before fresh
	file  *Writer[T]
	last  int64 // time that the file ends with
	total int64
}

const (
	// someRows are turned on their side together, while they are in the cache.
	someRows = 32
	// freshShare of the rows that may wait are taken over at a time.
	freshShare = 8
)

// NewSorter makes a Sorter; Begin says where its files go.
func NewSorter[T any](o SorterOptions) (*Sorter[T], error) {
	c, err := codecOf[T]()
	if err != nil {
		return nil, err
	}
	fresh := o.Rows/freshShare + someRows
	return &Sorter[T]{o: o, codec: c, some: make([]T, 0, someRows),
		fresh: newBlock(c, fresh), taken: newBlock(c, fresh), block: newBlock(c, o.Rows+fresh)}, nil
}

// Begin says how the files of the rows to come are made.
func (s *Sorter[T]) Begin(create func() (*Writer[T], error)) { s.create, s.total = create, 0 }

// Add takes a row. It keeps nothing of it.
func (s *Sorter[T]) Add(row *T) error {
	if s.some = append(s.some, *row); len(s.some) < cap(s.some) {
		return nil
	}
	s.turn()
	if s.fresh.rows >= s.o.Rows/freshShare || s.fresh.blobs >= s.o.Blobs/freshShare {
		return s.hand(false)
	}
	return nil
}

// turn adds the rows that came last to the fresh ones.
func (s *Sorter[T]) turn() {
	if len(s.some) > 0 {
		s.fresh.add(unsafe.Pointer(&s.some[0]), len(s.some))
	}
	clear(s.some)
	s.some = s.some[:0]
}

// hand has the fresh rows taken over, and with all everything written.
func (s *Sorter[T]) hand(all bool) error {
	if err := s.wait(); err != nil {
		return err
	}
	fresh, working := s.fresh, make(chan error, 1)
	s.taken.inherit(fresh)
	s.fresh, s.taken, s.working = s.taken, fresh, working
	go func() { working <- s.take(fresh, all) }()
	return nil
}

// wait waits for the goroutine.
func (s *Sorter[T]) wait() error {
	if s.working == nil {
		return nil
	}
	err := <-s.working
	s.working = nil
	return err
}

// take takes rows over and writes the older half when they are too many.
func (s *Sorter[T]) take(fresh *block, all bool) error {
	if all && s.block.rows == 0 {
		s.block, s.taken = fresh, s.block
	} else {
		s.block.gather(fresh, nil)
		fresh.reset()
	}
	switch {
	case all:
		if s.block.rows > 0 {
			return s.write(s.block.rows)
		}
	case s.block.rows >= s.o.Rows || s.block.blobs >= s.o.Blobs:
		n := s.block.rows/2 + 1
		if n > GroupRows {
			n -= n % GroupRows
		}
		return s.write(n)
	}
	return nil
}

// ascending are the numbers of n rows.
func ascending(n int) []int32 {
	rows := make([]int32, n)
	for i := range rows {
		rows[i] = int32(i)
	}
	return rows
}

// write writes the n oldest rows.
func (s *Sorter[T]) write(n int) error {
	b := s.block
	order, times := ascending(b.rows), b.times()
	b.order(order, times)
	n = min(n, len(order))
	for rows := order[:n]; len(rows) > 0; {
		if s.file != nil && (s.file.rows >= s.o.FileRows || times[rows[0]] < s.last) {
			if err := s.closeFile(); err != nil {
				return err
			}
		}
		if s.file == nil {
			f, err := s.create()
			if err != nil {
				return err
			}
			s.file = f
		}
		k := int(min(int64(len(rows)), s.o.FileRows-s.file.rows))
		if err := s.file.gather(b, rows[:k]); err != nil {
			return err
		}
		s.last = times[rows[k-1]]
		s.total += int64(k)
		rows = rows[k:]
	}
	if n == len(order) {
		b.reset()
		return nil
	}
	left := order[n:]
	slices.Sort(left)
	b.keep(left)
	return nil
}

// Flush writes all rows and closes the file; it returns how many rows there were
// since Begin. Begin may follow.
func (s *Sorter[T]) Flush() (int64, error) {
	s.turn()
	err := s.hand(true)
	if err == nil {
		err = s.wait()
	}
	return s.total, errors.Join(err, s.closeFile())
}

// Stop gives up what was not flushed, before the transaction is aborted.
func (s *Sorter[T]) Stop() {
	_ = s.wait() // the files go anyway
	_ = s.closeFile()
}

func (s *Sorter[T]) closeFile() error {
	if s.file == nil {
		return nil
	}
	_, err := s.file.Close()
	s.file = nil
	return err
}

// gather appends rows of a block, which must come in the order of their time.
// Whole row groups are written from where they stand.
func (f *Writer[T]) gather(from *block, rows []int32) error {
	for len(rows) > 0 && f.err == nil {
		n := min(len(rows), GroupRows-f.block.rows)
		if n == GroupRows && from.blobs < groupBlobs {
			if f.err = f.wait(); f.err == nil {
				f.err = f.out.group(from, rows[:n])
			}
			f.rows += int64(n)
			rows = rows[n:]
			continue
		}
		if from.blobs > 0 {
			n = min(n, gatherRows) // to notice how large they are
		}
		f.block.gather(from, rows[:n])
		f.rows += int64(n)
		rows = rows[n:]
		f.turnFull()
	}
	return f.err
}

// gatherRows of blobs are looked at at a time.
const gatherRows = 16_384
