#include "base/memory.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ALIGNMENT 64
/* Blocks from this size on may lie in pages of 2 MiB. */
#define HUGE_BYTES (4 << 20)

static void *resize(void *block, size_t size_bytes)
{
    if (size_bytes == 0) {
        free(block);
        return NULL;
    }
    return realloc(block, size_bytes);
}

struct memory_table memory_table = { resize };

void *memory_resize(void *block, size_t n, size_t size)
{
    size_t size_bytes;

    if (__builtin_mul_overflow(n, size, &size_bytes) || size_bytes > PTRDIFF_MAX)
        return NULL;
    return memory_table.resize(block, size_bytes == 0 ? 1 : size_bytes);
}

void *memory_new(size_t n, size_t size)
{
    void *block = memory_resize(NULL, n, size);

    if (block != NULL)
        memset(block, 0, n * size);
    return block;
}

void memory_free(void *block)
{
    if (block != NULL)
        memory_table.resize(block, 0);
}

/* Large arrays are read here and there: in small pages, finding where each one lies would
 * take as long as reading it. Only asked for; the block is as good without. */
static void ask_for_huge_pages(char *block, size_t size_bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t start = ((uintptr_t)block + page - 1) / page * page;
    const uintptr_t end = ((uintptr_t)block + size_bytes) / page * page;

    madvise((void *)start, end - start, MADV_HUGEPAGE);
}

void *memory_new_aligned(size_t n, size_t size)
{
    size_t size_bytes;
    char *block, *aligned;

    if (__builtin_mul_overflow(n, size, &size_bytes) ||
        __builtin_add_overflow(size_bytes, ALIGNMENT + sizeof(void *), &size_bytes))
        return NULL;
    block = memory_resize(NULL, size_bytes, 1);
    if (block == NULL)
        return NULL;
    if (size_bytes >= HUGE_BYTES)
        ask_for_huge_pages(block, size_bytes);
    aligned = block + sizeof(void *);
    aligned += (ALIGNMENT - (uintptr_t)aligned % ALIGNMENT) % ALIGNMENT;
    /* The word before the block remembers what to free. */
    memcpy(aligned - sizeof(void *), &block, sizeof(void *));
    return aligned;
}

void memory_free_aligned(void *block)
{
    void *start;

    if (block == NULL)
        return;
    memcpy(&start, (char *)block - sizeof(void *), sizeof(void *));
    memory_free(start);
}

char *memory_copy_text(const char *text, size_t size)
{
    char *copy;

    if (size == SIZE_MAX)
        return NULL;
    copy = memory_resize(NULL, size + 1, 1);
    if (copy != NULL) {
        if (size > 0)
            memcpy(copy, text, size);
        copy[size] = '\0';
    }
    return copy;
}
