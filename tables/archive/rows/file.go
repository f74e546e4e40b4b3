package rows

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go"

	"github.com/wiresql/wiresql/tables"
	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// File is a file of rows: where it lies and what it holds.
type File struct {
	Disk disk.Disk // where it lies; nil is the machine's file system
	Path string    // absolute
	// MinTS is the smallest ts, MaxTS the largest ts_end (ts where rows have
	// no end). Both 0 when no row has a time.
	MinTS, MaxTS tables.Time
	Rows, Bytes  int64
	// Footer is the CRC-32C of the file's last bytes: the footer, its length and
	// the mark behind it.
	Footer uint32
	// Columns are the columns the file has; nil means all its family has. In
	// sparse families files lack those nobody filled, elsewhere those added
	// since they were written. Files with the same columns share the list.
	Columns []string
	Origin  Origin
	// Older files have no checksums of all their bytes.
	Older bool
}

// open opens the file.
func (f File) open() (disk.File, error) {
	if f.Disk == nil {
		return disk.Real{}.Open(f.Path)
	}
	return f.Disk.Open(f.Path)
}

// Stat reads the footer of a file of a family: how many bytes and rows the file
// has, its columns and its origin. It does not look for the times.
func Stat(f File, family *tables.Family) (File, error) {
	file, pf, err := openParquet(f)
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	f.Bytes, f.Rows, f.Columns, f.Origin = pf.Size(), pf.NumRows(), columnNames(pf), originOf(pf)
	footer, err := footerOf(file, f.Path, f.Bytes)
	if err != nil {
		return File{}, err
	}
	f.Footer, f.Older = sums.Of(footer), !bytes.Contains(footer, []byte(sumsKey))
	if !family.Sparse && hasAll(f.Columns, family) {
		f.Columns = nil
	}
	return f, nil
}

// hasAll tells whether the columns are all that a family has today; a file of
// an earlier version may lack some.
func hasAll(columns []string, family *tables.Family) bool {
	c, err := codecFor(family.Row)
	if err != nil {
		return false
	}
	for i := range c.columns {
		if !slices.Contains(columns, c.columns[i].name) {
			return false
		}
	}
	return true
}

// columnLists holds each list of columns once: thousands of files have a few.
var columnLists sync.Map // names joined → []string

func columnNames(pf *parquet.File) []string {
	var names []string
	for _, f := range pf.Schema().Fields() {
		names = append(names, f.Name())
	}
	return sharedNames(names)
}

func sharedNames(names []string) []string {
	got, _ := columnLists.LoadOrStore(strings.Join(names, ","), names)
	return got.([]string)
}

// ReadAll reads a whole file; for small ones.
func ReadAll[T any](f File) ([]T, error) {
	r, err := Open[T](f)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var out []T
	buf := make([]T, max(1, min(batchRows, r.Rows())))
	for {
		n, err := r.Read(buf)
		out = append(out, buf[:n]...)
		if n == 0 || err != nil {
			if err == io.EOF {
				err = nil
			}
			return out, err
		}
	}
}
