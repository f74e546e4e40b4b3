package engine

/*
#cgo CFLAGS: -fexceptions
#cgo LDFLAGS: -Wl,--wrap=open -Wl,--wrap=pread -Wl,--wrap=close -Wl,--wrap=_ZN6duckdb10FileHandle4ReadENS_12QueryContextEPvmm

#include <stdint.h>

int wiresqlGuard(int fd, void *good, int64_t size);
int64_t wiresqlBytes(void);
void *wiresqlReader(void *connection);
int64_t wiresqlReaderBytes(void *reader);
void wiresqlReaderEnds(void *reader);
*/
import "C"

import (
	"runtime"
	"sync"
	"syscall"
	"time"
	"unsafe"

	duckdb "github.com/duckdb/duckdb-go-bindings"
	"golang.org/x/sys/unix"

	"github.com/wiresql/wiresql/tables/archive/rows"
	"github.com/wiresql/wiresql/tables/archive/sums"
)

// DuckDB believes the bytes of a row file, whatever became of them on disk. So
// what it reads goes through reads.c: what has no bit in the file's table of
// checksums (package sums) is compared here first, once, and what differs never
// gets to DuckDB, which fails as if the disk had. Only blocks that are read are
// checked, and the rest of them read for it.

// openRows is a row file that DuckDB has open.
type openRows struct {
	path   string
	table  *sums.Table
	pinned runtime.Pinner
}

// openFiles are those that have checksums, by descriptor.
var openFiles sync.Map // int → *openRows

// fileBytes are the bytes of row files that the process has read: DuckDB's, and ours.
func fileBytes() int64 { return int64(C.wiresqlBytes()) + rows.BytesRead() }

// reads counts what DuckDB reads of row files for one connection's statement.
type reads struct{ reader unsafe.Pointer }

func readsOf(c duckdb.Connection) reads { return reads{C.wiresqlReader(c.Ptr)} }

func (r reads) bytes() int64 { return int64(C.wiresqlReaderBytes(r.reader)) }

func (r reads) end() { C.wiresqlReaderEnds(r.reader) }

// descriptor reads a file that somebody else opened.
type descriptor int

func (d descriptor) ReadAt(b []byte, offset int64) (int, error) {
	n, err := unix.Pread(int(d), b, offset)
	return max(n, 0), err
}

//export wiresqlOpened
func wiresqlOpened(fd C.int, name *C.char) (errno C.int) {
	defer func() {
		if recover() != nil {
			errno = C.int(syscall.EIO)
		}
	}()
	path := C.GoString(name)
	var st unix.Stat_t
	if err := unix.Fstat(int(fd), &st); err != nil {
		return C.int(syscall.EIO)
	}
	version := rows.Version{Dev: st.Dev, Ino: st.Ino, Size: st.Size, Time: time.Unix(st.Mtim.Unix())}
	table, err := rows.Table(descriptor(fd), path, version)
	if err != nil {
		_ = rows.Found(path, err)
		return C.int(syscall.EIO)
	}
	if table.Size() == 0 {
		return 0
	}
	f := &openRows{path: path, table: table}
	var good unsafe.Pointer
	if bits := table.Good(); len(bits) > 0 {
		good = unsafe.Pointer(&bits[0])
		f.pinned.Pin(&bits[0])
	}
	openFiles.Store(int(fd), f)
	return C.wiresqlGuard(fd, good, C.int64_t(table.Size()))
}

//export wiresqlClosed
func wiresqlClosed(fd C.int) {
	if f, ok := openFiles.LoadAndDelete(int(fd)); ok {
		f.(*openRows).pinned.Unpin()
	}
}

//export wiresqlRead
func wiresqlRead(fd C.int, b unsafe.Pointer, n C.int64_t, offset C.int64_t, failed C.int) (errno C.int) {
	defer func() {
		if recover() != nil {
			errno = C.int(syscall.EIO)
		}
	}()
	v, ok := openFiles.Load(int(fd))
	if !ok {
		return failed
	}
	f := v.(*openRows)
	var err error
	switch {
	case failed != 0:
		err = &sums.Error{File: f.path, Offset: int64(offset), Reason: syscall.Errno(failed).Error()}
	case n == 0:
		err = &sums.Error{File: f.path, Offset: int64(offset), Reason: "the file ends here"}
	default:
		err = f.table.Check(descriptor(fd), unsafe.Slice((*byte)(b), int(n)), int64(offset))
	}
	if err != nil {
		_ = rows.Found(f.path, err)
		return C.int(syscall.EIO)
	}
	return 0
}
