package rows

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/wiresql/wiresql/tables/archive/disk"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// A file carries checksums of its blocks (package sums), since readers of
// Parquet do not look at those of pages. They stand where no reader looks,
// before the footer:
//
//	pages, page index │ sums │ mark, bytes before the sums, sum of the footer, sum of all this │ footer
//	                    u32…   8     u64                    u32                u32
//
// and the footer says that they are there. What this package reads of a file is
// checked, and so is what DuckDB reads: the engine asks for the same table.
const (
	sumsMark    = "wqlsums1"
	sumsTrailer = len(sumsMark) + 8 + 4 + 4
	sumsKey     = "wiresql.checksums"
	sumsValue   = "CRC-32C of blocks of 32 KiB, before the footer"
	// tableBudget bounds the tables kept in memory: those of 500 GB. When it is
	// used up, all go, and those still asked for come back.
	tableBudget = 64 << 20
	// resting is how old a file's time must be for an equal time to mean that
	// nothing changed.
	resting = 50 * time.Millisecond
	// maxFooter bounds what is read of a file's end.
	maxFooter = 256 << 20
)

// appendSums appends what stands before a footer, of which all is given.
func appendSums(dst []byte, w *sums.Writer, footer []byte) []byte {
	from := len(dst)
	dst = w.Table(dst)
	dst = append(dst, sumsMark...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(w.Size()))
	dst = binary.LittleEndian.AppendUint32(dst, sums.Of(footer))
	return binary.LittleEndian.AppendUint32(dst, sums.Of(dst[from:]))
}

// Version tells apart what was written to a file at different times.
type Version struct {
	Dev, Ino uint64
	Size     int64
	Time     time.Time // when the file was changed
}

// versionOf is the version a description is of; without an inode where that is
// not known.
func versionOf(st fs.FileInfo) Version {
	v := Version{Size: st.Size(), Time: st.ModTime().Round(0).UTC()} // to be compared
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		v.Dev, v.Ino = uint64(sys.Dev), sys.Ino
	}
	return v
}

// kept is the table of a version, or what is wrong with it.
type kept struct {
	table *sums.Table
	err   error
}

var versions struct {
	sync.Mutex
	bytes int
	of    map[Version]kept
}

// Table returns the checksums of a version of a file that is open; one of a file
// that has none finds nothing wrong. A *sums.Error says that the file is damaged.
func Table(file io.ReaderAt, path string, v Version) (*sums.Table, error) {
	v.Time = v.Time.UTC() // to be compared
	versions.Lock()
	k, ok := versions.of[v]
	versions.Unlock()
	if ok {
		return k.table, k.err
	}
	unsettled := v.Ino == 0 || time.Since(v.Time) < resting
	k.table, k.err = readTable(file, path, v.Size, unsettled)
	if unsettled || k.err != nil {
		return k.table, k.err
	}
	size := 200
	if k.table != nil {
		size += k.table.Bytes()
	}
	versions.Lock()
	defer versions.Unlock()
	if versions.of == nil || versions.bytes+size > tableBudget {
		versions.of, versions.bytes = map[Version]kept{}, 0
	}
	if had, ok := versions.of[v]; ok {
		return had.table, had.err
	}
	versions.of[v] = k
	versions.bytes += size
	return k.table, k.err
}

// footerOf reads a file's footer, its length and the mark behind it.
func footerOf(file io.ReaderAt, path string, size int64) ([]byte, error) {
	const end = 4 + len(magic)
	var tail [end]byte
	if size < int64(2*len(magic)+4) {
		return nil, &sums.Error{File: path, Offset: size, Reason: "the file ends here"}
	}
	if _, err := file.ReadAt(tail[:], size-int64(end)); err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:])) + int64(end)
	if string(tail[4:]) != magic || n > min(size-int64(len(magic)), maxFooter) {
		return nil, &sums.Error{File: path, Offset: size - int64(end), Reason: "the file does not end as a Parquet file does"}
	}
	b := make([]byte, n)
	_, err := file.ReadAt(b, size-n)
	return b, err
}

func readTable(file io.ReaderAt, path string, size int64, unsettled bool) (*sums.Table, error) {
	footer, err := footerOf(file, path, size)
	if err != nil {
		return nil, err
	}
	at := size - int64(len(footer)) // of the footer
	wrong := func(reason string) error { return &sums.Error{File: path, Offset: at, Reason: reason} }
	var t [sumsTrailer]byte
	if at >= int64(sumsTrailer) {
		if _, err := file.ReadAt(t[:], at-int64(sumsTrailer)); err != nil {
			return nil, err
		}
	}
	n := len(sumsMark)
	if string(t[:n]) != sumsMark {
		if bytes.Contains(footer, []byte(sumsKey)) {
			return nil, wrong("its checksums are gone")
		}
		return sums.NewTable(path, 0, nil, unsettled)
	}
	covered := int64(binary.LittleEndian.Uint64(t[n:]))
	length := at - int64(sumsTrailer) - covered // of the table
	if covered < 0 || length < 0 || length > maxFooter || length != (covered+sums.Block-1)/sums.Block*4 {
		return nil, wrong("its checksums are damaged")
	}
	b := make([]byte, length+int64(sumsTrailer))
	if _, err := file.ReadAt(b, covered); err != nil {
		return nil, err
	}
	if sums.Of(b[:len(b)-4]) != binary.LittleEndian.Uint32(b[len(b)-4:]) {
		return nil, wrong("its checksums are damaged")
	}
	if sums.Of(footer) != binary.LittleEndian.Uint32(t[n+8:]) {
		return nil, wrong("the checksum of its footer is not the one that was written")
	}
	return sums.NewTable(path, covered, b[:length:length], unsettled)
}

// checked is a file that is open, and of which what is read is checked.
type checked struct {
	disk.File
	path    string
	version Version
	table   *sums.Table
	read    atomic.Int64 // bytes, by this reader
}

// bytesRead are those that readers of this package took of files.
var bytesRead atomic.Int64

// BytesRead tells how many bytes of row files were read here, by the process.
func BytesRead() int64 { return bytesRead.Load() }

// ReadAt implements io.ReaderAt.
func (f *checked) ReadAt(b []byte, offset int64) (int, error) {
	n, err := f.File.ReadAt(b, offset)
	bytesRead.Add(int64(n))
	f.read.Add(int64(n))
	if err != nil && !errors.Is(err, io.EOF) {
		return n, Found(f.path, err)
	}
	if wrong := f.table.Check(f.File, b[:n], offset); wrong != nil {
		return 0, Found(f.path, wrong)
	}
	return n, err
}

// openLasting opens a file; one that got its lasting name since it was listed is
// opened by that.
func openLasting(f File) (disk.File, error) {
	file, err := f.open()
	if base, _, ok := strings.Cut(f.Path, ext+"."); ok && errors.Is(err, fs.ErrNotExist) {
		lasting := f
		lasting.Path = base + ext
		file, err = lasting.open()
	}
	return file, err
}

// openChecked is openLasting of a file that is checked as it is read.
func openChecked(f File) (*checked, error) {
	file, err := openLasting(f)
	if err != nil {
		return nil, err
	}
	st, err := file.Stat()
	if err == nil {
		var table *sums.Table
		version := versionOf(st)
		if table, err = Table(file, f.Path, version); err == nil {
			return &checked{File: file, path: f.Path, version: version, table: table}, nil
		}
	}
	file.Close()
	return nil, Found(f.Path, err)
}

// found is the damage that was met, by path: who reads a file by way of a
// library, or of DuckDB, gets an error that may say no more than its name.
var found struct {
	sync.Mutex
	of map[string]met
}

// met is damage of a version of a file.
type met struct {
	damage  *sums.Error
	version Version
}

// maxFound bounds the damage that is remembered.
const maxFound = 10_000

// Found takes note of what was wrong with a file that was read, for DamageIn,
// and returns it.
func Found(path string, err error) error {
	m := met{damage: &sums.Error{File: path, Reason: err.Error()}}
	var e *sums.Error
	if errors.As(err, &e) {
		m.damage = &sums.Error{File: path, Offset: e.Offset, Reason: e.Reason}
	}
	var ok bool
	if m.version, ok = versionAt(path); !ok {
		return err // it is not there any more
	}
	found.Lock()
	defer found.Unlock()
	if found.of == nil || len(found.of) >= maxFound {
		found.of = map[string]met{}
	}
	found.of[path] = m
	return err
}

// DamageIn tells which files an error is about, of those that were found to be
// damaged and are still the same.
func DamageIn(err error) (out []*sums.Error) {
	found.Lock()
	defer found.Unlock()
	if err == nil || len(found.of) == 0 {
		return nil
	}
	text := err.Error()
	for path, m := range found.of {
		if !strings.Contains(text, path) {
			continue
		}
		if now, ok := versionAt(path); ok && now.Ino == m.version.Ino && now.Size == m.version.Size && now.Time.Equal(m.version.Time) {
			out = append(out, m.damage)
		} else {
			delete(found.of, path)
		}
	}
	return out
}

// versionAt is the version of a file, by its lasting name if it has got one
// since the path was listed.
func versionAt(path string) (Version, bool) {
	st, err := disk.Real{}.Stat(path)
	if base, _, ok := strings.Cut(path, ext+"."); ok && err != nil {
		st, err = disk.Real{}.Stat(base + ext)
	}
	if err != nil {
		return Version{}, false
	}
	return versionOf(st), true
}
