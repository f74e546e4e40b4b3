// DuckDB reads row files by open, pread and close, for which the linker puts
// these in place (see reads.go): a block that was not found to be right yet is
// shown to Go before DuckDB sees it.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "_cgo_export.h"

int __real_open(const char *path, int flags, ...);
ssize_t __real_pread(int fd, void *buf, size_t n, off_t offset);
int __real_close(int fd);

// Blocks have 1 << block_bits bytes: sums.Block.
enum { most = 1 << 20, block_bits = 15 };

// files are the open row files that have checksums, by descriptor: how many of
// their bytes have them, and a bit for each block that is known to be right.
static struct {
	int64_t size;
	const uint64_t *good;
	int rows; // it is a row file
} files[most];

// bytes were read of row files.
static int64_t bytes;

int64_t wiresqlBytes(void) { return __atomic_load_n(&bytes, __ATOMIC_RELAXED); }

int wiresqlGuard(int fd, void *good, int64_t size) {
	if (fd < 0 || fd >= most)
		return EMFILE;
	files[fd].good = good;
	__atomic_store_n(&files[fd].size, size, __ATOMIC_RELEASE);
	return 0;
}

int __wrap_open(const char *path, int flags, ...) {
	mode_t mode = 0;
	if ((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE) {
		va_list more;
		va_start(more, flags);
		mode = va_arg(more, mode_t);
		va_end(more);
	}
	int fd = __real_open(path, flags, mode);
	if (fd < 0 || (flags & O_ACCMODE) != O_RDONLY || strstr(path, ".parquet") == NULL)
		return fd;
	int err = wiresqlOpened(fd, (char *)path);
	if (err != 0) {
		__real_close(fd);
		errno = err;
		return -1;
	}
	if (fd < most)
		__atomic_store_n(&files[fd].rows, 1, __ATOMIC_RELEASE);
	return fd;
}

int __wrap_close(int fd) {
	if (fd >= 0 && fd < most)
		__atomic_store_n(&files[fd].rows, 0, __ATOMIC_RELEASE);
	if (fd >= 0 && fd < most && files[fd].size > 0) {
		files[fd].size = 0;
		wiresqlClosed(fd);
	}
	return __real_close(fd);
}

// right tells whether all blocks of a range are known to be right.
static int right(const uint64_t *good, int64_t from, int64_t to) {
	if (good == NULL)
		return 0;
	for (int64_t block = from >> block_bits; block << block_bits < to; block++)
		if ((__atomic_load_n(&good[block / 64], __ATOMIC_ACQUIRE) >> (block % 64) & 1) == 0)
			return 0;
	return 1;
}

ssize_t __wrap_pread(int fd, void *buf, size_t n, off_t offset) {
	ssize_t got = __real_pread(fd, buf, n, offset);
	if (fd < 0 || fd >= most || (got < 0 && errno == EINTR))
		return got;
	if (got > 0 && __atomic_load_n(&files[fd].rows, __ATOMIC_ACQUIRE))
		__atomic_add_fetch(&bytes, got, __ATOMIC_RELAXED);
	int64_t size = __atomic_load_n(&files[fd].size, __ATOMIC_ACQUIRE);
	if (size == 0)
		return got;
	int64_t to = offset + got < size ? offset + got : size;
	if (got > 0 && right(files[fd].good, offset, to))
		return got;
	int err = wiresqlRead(fd, buf, got, offset, got < 0 ? errno : 0);
	if (err != 0) {
		errno = err;
		return -1;
	}
	return got;
}
