// DuckDB reads row files by open, pread and close, for which the linker puts
// these in place (see reads.go): a block that was not found to be right yet is
// shown to Go before DuckDB sees it. Its FileHandle::Read is wrapped too, since
// that is told for which connection.

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
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
	const void *client; // that reads it: each statement opens files of its own
} files[most];

// bytes were read of row files.
static int64_t bytes;

int64_t wiresqlBytes(void) { return __atomic_load_n(&bytes, __ATOMIC_RELAXED); }

// reader is a connection whose statement runs: few at a time.
typedef struct reader {
	const void *client; // its duckdb::ClientContext
	int64_t bytes;      // that were read for it
	struct reader *next;
} reader;

static reader *readers;
static pthread_rwlock_t readersLock = PTHREAD_RWLOCK_INITIALIZER;

// reading is the client that this thread reads for at the moment.
static __thread const void *reading;

// wiresqlReader counts what is read for a connection from now on. NULL counts
// nothing.
void *wiresqlReader(void *connection) {
	reader *r = calloc(1, sizeof *r);
	if (r == NULL)
		return NULL;
	// A duckdb::Connection begins with its shared_ptr to the context.
	r->client = *(const void **)connection;
	pthread_rwlock_wrlock(&readersLock);
	r->next = readers;
	readers = r;
	pthread_rwlock_unlock(&readersLock);
	return r;
}

int64_t wiresqlReaderBytes(void *r) { return r == NULL ? 0 : __atomic_load_n(&((reader *)r)->bytes, __ATOMIC_RELAXED); }

void wiresqlReaderEnds(void *r) {
	pthread_rwlock_wrlock(&readersLock);
	for (reader **at = &readers; *at != NULL; at = &(*at)->next)
		if (*at == r) {
			*at = (*at)->next;
			break;
		}
	pthread_rwlock_unlock(&readersLock);
	free(r);
}

// count adds bytes of a row file to what the process and the client have read.
// Bodies of pages are read without a client's name, behind headers that have it.
static void count(int fd, int64_t n) {
	__atomic_add_fetch(&bytes, n, __ATOMIC_RELAXED);
	const void *client = reading;
	if (client != NULL)
		__atomic_store_n(&files[fd].client, client, __ATOMIC_RELAXED);
	else if ((client = __atomic_load_n(&files[fd].client, __ATOMIC_RELAXED)) == NULL)
		return;
	pthread_rwlock_rdlock(&readersLock);
	for (reader *r = readers; r != NULL; r = r->next)
		if (r->client == client)
			__atomic_add_fetch(&r->bytes, n, __ATOMIC_RELAXED);
	pthread_rwlock_unlock(&readersLock);
}

static void readingEnds(const void **before) { reading = *before; }

// FileHandle::Read(QueryContext, void *, idx_t, idx_t); a QueryContext is a pointer
// to the ClientContext, or NULL. It throws when it fails.
#define READ _ZN6duckdb10FileHandle4ReadENS_12QueryContextEPvmm
#define WRAPPED(prefix, name) WRAPPED_(prefix, name)
#define WRAPPED_(prefix, name) prefix##name
void WRAPPED(__real_, READ)(void *handle, const void *client, void *buf, uint64_t n, uint64_t offset);
void WRAPPED(__wrap_, READ)(void *handle, const void *client, void *buf, uint64_t n, uint64_t offset) {
	__attribute__((cleanup(readingEnds))) const void *before = reading;
	reading = client;
	WRAPPED(__real_, READ)(handle, client, buf, n, offset);
}

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
	if (fd < most) {
		__atomic_store_n(&files[fd].client, NULL, __ATOMIC_RELAXED);
		__atomic_store_n(&files[fd].rows, 1, __ATOMIC_RELEASE);
	}
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
		count(fd, got);
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
