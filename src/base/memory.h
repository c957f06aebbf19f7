/* All memory of the library comes through one entry, memory_table.resize, so
 * that a test can make any allocation fail. Outside libraries (SQLite, FAISS,
 * OpenBLAS, libxml2) keep their own. */
#ifndef ERNIE_BASE_MEMORY_H
#define ERNIE_BASE_MEMORY_H

#include <stddef.h>

struct memory_table {
    /* resize(NULL, n) allocates, resize(p, 0) frees and returns NULL. */
    void *(*resize)(void *block, size_t size_bytes);
};
/* Only tests replace what it holds, and before any thread is started. */
extern struct memory_table memory_table;

/* n objects of size bytes, all zero; NULL when memory ran out or n * size does
 * not fit. n or size may be 0: the block then has one byte. Free with memory_free. */
void *memory_new(size_t n, size_t size);

/* The block grown or shrunk to n objects of size bytes; what is new in it is not
 * set. NULL leaves the old block as it was. */
void *memory_resize(void *block, size_t n, size_t size);

void memory_free(void *block); /* NULL is fine */

/* As memory_new, starting at a multiple of 64 bytes (a cache line, the widest
 * vector). Not zeroed. Free with memory_free_aligned, never with memory_free. */
void *memory_new_aligned(size_t n, size_t size);
void memory_free_aligned(void *block);

/* A copy of size bytes of text with a 0 byte after it. */
char *memory_copy_text(const char *text, size_t size);

#endif
