package rows

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

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
	file, err := openChecked(f)
	if err != nil {
		return File{}, err
	}
	defer file.Close()
	st, err := file.Stat()
	if err != nil {
		return File{}, err
	}
	b, err := footerOf(file, f.Path, st.Size())
	if err != nil {
		return File{}, err
	}
	foot, err := readFooter(b)
	if err != nil {
		return File{}, fmt.Errorf("%s: %w", f.Path, err)
	}
	f.Bytes, f.Rows, f.Columns, f.Origin, f.Footer = st.Size(), foot.NumRows, foot.columns(), originOf(foot.lookup), sums.Of(b)
	_, summed := foot.lookup(sumsKey)
	f.Older = !summed
	if !family.Sparse && hasAll(f.Columns, family) {
		f.Columns = nil
	}
	return f, nil
}

// footer is what of a file's metadata tells what is in it, without where it lies:
// of thousands of files the rest is most of the reading.
type footer struct {
	Schema           thrift.Slice[format.SchemaElement] `thrift:"2,required"`
	NumRows          int64                              `thrift:"3,required"`
	KeyValueMetadata thrift.Slice[format.KeyValue]      `thrift:"5,optional"`
}

// readFooter decodes a footer, of which b has all.
func readFooter(b []byte) (f footer, err error) {
	defer func() { // bytes that were damaged can make the decoder panic
		if p := recover(); p != nil {
			err = fmt.Errorf("the footer is damaged: %v", p)
		}
	}()
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), b[:len(b)-4-len(magic)], &f); err != nil {
		return f, fmt.Errorf("the footer is damaged: %w", err)
	}
	if f.NumRows < 0 || len(f.Schema) == 0 {
		return f, errors.New("the footer is damaged")
	}
	return f, nil
}

func (f *footer) lookup(key string) (string, bool) {
	for _, kv := range f.KeyValueMetadata {
		if kv.Key == key {
			return kv.Value, true
		}
	}
	return "", false
}

// columns are the fields at the top of the schema.
func (f *footer) columns() []string {
	var names []string
	inside := int32(0) // elements that are fields of others
	for _, e := range f.Schema[1:] {
		if inside > 0 {
			inside--
		} else {
			names = append(names, e.Name)
		}
		inside += max(e.NumChildren.V, 0)
	}
	return sharedNames(names)
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
