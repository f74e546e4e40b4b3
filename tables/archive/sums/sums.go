// Package sums tells whether the bytes of a file are those that were written:
// by a checksum of each block of it, taken as it was written and compared the
// first time the block is read. Who reads a little checks a little.
package sums

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
	"sync/atomic"
)

// Block is how many bytes have a sum: 4 for 32 KiB are 0.012 % of a file. A
// reader of single pages reads whole blocks, and half as large ones would take
// as long to read.
const Block = 32 << 10

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Of is the sum of bytes: CRC-32C, which processors compute themselves.
func Of(b []byte) uint32 { return crc32.Checksum(b, castagnoli) }

// Writer takes the sums of what is written to a file from its start.
type Writer struct {
	Block int // 0: Block
	size  int64
	sum   uint32 // of the block at work
	full  []uint32
}

// Add takes in the file's next bytes.
func (w *Writer) Add(b []byte) {
	block := int64(blockOf(w.Block))
	for len(b) > 0 {
		n := min(len(b), int(block-w.size%block))
		w.sum = crc32.Update(w.sum, castagnoli, b[:n])
		if w.size += int64(n); w.size%block == 0 {
			w.full, w.sum = append(w.full, w.sum), 0
		}
		b = b[n:]
	}
}

func blockOf(n int) int {
	if n == 0 {
		return Block
	}
	return n
}

// Size is how many bytes it took in.
func (w *Writer) Size() int64 { return w.size }

// Table appends the sums of all blocks, the last of which may be shorter:
// little-endian, four bytes each.
func (w *Writer) Table(dst []byte) []byte {
	for _, s := range w.full {
		dst = binary.LittleEndian.AppendUint32(dst, s)
	}
	if w.size%int64(blockOf(w.Block)) > 0 {
		dst = binary.LittleEndian.AppendUint32(dst, w.sum)
	}
	return dst
}

// Error says where a file is not as it was written.
type Error struct {
	File   string
	Offset int64 // of the block
	Reason string
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s: at byte %d: %s", e.File, e.Offset, e.Reason)
}

// Table is the sums of a file as one version of it is read. Its methods may be
// called from several goroutines.
type Table struct {
	file  string
	block int64
	size  int64 // of the bytes that have sums
	sums  []byte
	// good has a bit for each block that was found to be right.
	good []uint64
	// Unsettled: the file was changed just now, so that another change would
	// not show; nothing is taken to stay right.
	unsettled bool
}

// NewTable is the table of a file's first size bytes. A file without sums has a
// table that finds nothing wrong.
func NewTable(file string, size int64, table []byte, unsettled bool) (*Table, error) {
	return NewTableOf(file, Block, size, table, unsettled)
}

// NewTableOf is NewTable of blocks of another size, Block at the most.
func NewTableOf(file string, block int, size int64, table []byte, unsettled bool) (*Table, error) {
	blocks := (size + int64(block) - 1) / int64(block)
	if size < 0 || int64(len(table)) != 4*blocks {
		return nil, &Error{file, size, "its checksums are not as many as its blocks"}
	}
	return &Table{file: file, block: int64(block), size: size, sums: table, good: make([]uint64, (blocks+63)/64), unsettled: unsettled}, nil
}

// Size is how many of the file's first bytes have sums.
func (t *Table) Size() int64 { return t.size }

// Bytes is about how much memory it takes.
func (t *Table) Bytes() int { return len(t.sums) + 8*len(t.good) + 100 }

// Good is the bits of the blocks that were found to be right, which are set
// atomically. It is empty where nothing is taken to stay right.
func (t *Table) Good() []uint64 {
	if t.unsettled {
		return nil
	}
	return t.good
}

func (t *Table) isGood(block int64) bool {
	return atomic.LoadUint64(&t.good[block/64])>>(block%64)&1 != 0
}

var blocks = sync.Pool{New: func() any { return new([Block]byte) }}

// Check compares bytes that were read of the file at an offset. Blocks of which
// they are a part are read whole from r.
func (t *Table) Check(r io.ReaderAt, b []byte, offset int64) error {
	return t.CheckPart(r, b, offset, offset, offset+int64(len(b)))
}

// CheckPart compares the blocks with the bytes from one offset up to another,
// of those that were read.
func (t *Table) CheckPart(r io.ReaderAt, b []byte, offset, first, last int64) error {
	end := min(offset+int64(len(b)), t.size)
	first, last = max(first, offset, 0), min(last, end)
	if first >= last {
		return nil
	}
	for block := first / t.block; block*t.block < last; block++ {
		if t.isGood(block) {
			continue
		}
		from, to := block*t.block, min((block+1)*t.block, t.size)
		var whole []byte
		if from >= offset && to <= offset+int64(len(b)) {
			whole = b[from-offset : to-offset]
		} else {
			buf := blocks.Get().(*[Block]byte)
			defer blocks.Put(buf)
			whole = buf[:to-from]
			n, err := r.ReadAt(whole, from)
			if n < len(whole) {
				if err == nil || errors.Is(err, io.EOF) {
					return &Error{t.file, from + int64(n), "the file ends here"}
				}
				return err
			}
			// What was read before must be what is checked now.
			lo, hi := max(from, offset), min(to, end)
			if string(whole[lo-from:hi-from]) != string(b[lo-offset:hi-offset]) {
				return &Error{t.file, from, "it changes while it is read"}
			}
		}
		if Of(whole) != binary.LittleEndian.Uint32(t.sums[4*block:]) {
			return &Error{t.file, from, "its checksum is not the one that was written"}
		}
		if !t.unsettled {
			atomic.OrUint64(&t.good[block/64], 1<<(block%64))
		}
	}
	return nil
}

// scanned is how much Scan reads at a time: whole blocks.
const scanned = 32 * Block

// Scan reads all that has sums and compares it, also what was found to be right
// before. An *Error says where the first wrong block is, and how many follow.
func (t *Table) Scan(ctx context.Context, r io.ReaderAt) error {
	buf := make([]byte, min(scanned, t.size))
	var first *Error
	more := 0
	for at := int64(0); at < t.size; at += int64(len(buf)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		part := buf[:min(int64(len(buf)), t.size-at)]
		n, err := r.ReadAt(part, at)
		for from := int64(0); from < int64(n); from += t.block {
			to := min(from+t.block, int64(len(part)))
			if to > int64(n) || Of(part[from:to]) == binary.LittleEndian.Uint32(t.sums[4*((at+from)/t.block):]) {
				continue
			}
			if first == nil {
				first = &Error{t.file, at + from, "its checksum is not the one that was written"}
			} else {
				more++
			}
		}
		if n == len(part) {
			continue
		}
		if first == nil && (err == nil || errors.Is(err, io.EOF)) {
			return &Error{t.file, at + int64(n), "the file ends here"}
		} else if first == nil {
			return err
		}
		break
	}
	if first == nil {
		return nil
	}
	if more > 0 {
		first.Reason += fmt.Sprintf(", nor are those of %d of the blocks after it", more)
	}
	return first
}
