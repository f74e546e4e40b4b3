package rows

import (
	"io"
	"unsafe"
)

const (
	// GroupRows is how many rows a row group has. Smaller groups prune finer
	// and cost more footer; in tests between 20,000 and 500,000 it hardly
	// mattered.
	GroupRows = 125_000
	// groupBlobs is how many bytes of blobs end a row group before.
	groupBlobs = 64 << 20
	// batchRows is how many rows go through one column at a time: their
	// values stay in the second-level cache.
	batchRows = 512
	// pageRows is how many rows a page has. A lookup reads and unpacks whole
	// pages for single rows, so they are small; below that their headers begin
	// to weigh.
	pageRows = 8192
	// blobRows is how many rows a page of blobs has: they are large.
	blobRows = 128
)

// Target takes the bytes of a file that is written, in their order, and is told
// at its end what the file holds, or why it could not be written: then it is to
// be thrown away. The error of Finish is that of the whole file.
type Target interface {
	io.Writer
	Finish(holds File, err error) error
}

// Options say how a file is written.
type Options struct {
	// Cheap files have no dictionaries but of texts and no compression, which
	// writes a row in a tenth of the time: for those that are soon merged.
	Cheap bool
	// Alike tells a merge of one file that it was written as Cheap as the new one is
	// to be: what does not change is copied as it is.
	Alike bool
	// Origin is kept in the footer. Without a Last, the rows arrive until the
	// file is finished.
	Origin Origin
}

// Writer writes rows as a Parquet file. A row group is encoded and written
// while the next one fills.
type Writer[T any] struct {
	out     *blockFile
	block   *block // fills
	other   *block // is written, or waits to be filled
	writing chan error
	rows    int64
	holds   File
	err     error
}

// NewWriter starts a file of T's family.
func NewWriter[T any](to Target, o Options) (*Writer[T], error) {
	c, err := codecOf[T]()
	if err != nil {
		return nil, err
	}
	return &Writer[T]{out: newBlockFile(c, to, o), block: c.newBlock()}, nil
}

// Write appends rows, which must come in the order of their time. It keeps
// nothing of them.
func (f *Writer[T]) Write(rows []T) error {
	for len(rows) > 0 && f.err == nil {
		n := min(len(rows), batchRows, GroupRows-f.block.rows)
		f.block.add(unsafe.Pointer(&rows[0]), n)
		f.rows += int64(n)
		rows = rows[n:]
		f.turnFull()
	}
	return f.err
}

// turnFull turns once the rows that wait are a row group.
func (f *Writer[T]) turnFull() {
	if f.block.rows == GroupRows || f.block.blobs >= groupBlobs {
		f.err = f.turn()
	}
}

// turn has the rows that wait written as a row group while others come.
func (f *Writer[T]) turn() error {
	if err := f.wait(); err != nil {
		return err
	}
	full, writing := f.block, make(chan error, 1)
	if f.block = f.other; f.block == nil {
		f.block = f.out.codec.newBlock()
	}
	f.other, f.writing = full, writing
	go func() {
		err := f.out.group(full, nil)
		full.reset()
		writing <- err
	}()
	return nil
}

// wait waits for the row group that is being written.
func (f *Writer[T]) wait() error {
	if f.writing == nil {
		return nil
	}
	err := <-f.writing
	f.writing = nil
	return err
}

// Close finishes the file and says what it holds; its Path is the target's
// matter.
func (f *Writer[T]) Close() (File, error) {
	if f.out == nil {
		return f.holds, f.err
	}
	err := f.wait()
	if f.err != nil {
		err = f.err
	}
	if err == nil && f.block.rows > 0 {
		err = f.out.group(f.block, nil)
	}
	c := f.out.codec
	f.holds, f.err = f.out.finish(err)
	c.freeBlock(f.block)
	c.freeBlock(f.other)
	f.out, f.block, f.other = nil, nil, nil
	return f.holds, f.err
}
