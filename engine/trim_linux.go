package engine

/*
#include <malloc.h>
#include <stddef.h>

// DuckDB's allocator; 4096 are all of its arenas.
extern int duckdb_je_mallctl(const char *name, void *old, size_t *oldLength, void *new, size_t newLength);

static void trim(void) {
	duckdb_je_mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
	malloc_trim(0);
}
*/
import "C"

import "runtime/debug"

// trimMemory gives memory that nothing uses back to the system.
func trimMemory() {
	C.trim()
	debug.FreeOSMemory()
}
