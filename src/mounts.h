/* Folders that other disks are mounted on, below the roots, as they were seen when they were
 * walked. They are kept in the collection's meta, so that a disk that is not there the next
 * time is told from files that were deleted. */
#ifndef ERNIE_MOUNTS_H
#define ERNIE_MOUNTS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "sql/store.h"

/* All zero is the empty list. */
struct mounts {
    struct buffer lines; /* "root_id path\n" each */
    int is_changed;
};

struct mount {
    int64_t root_id;
    const char *path; /* [size], below the root */
    size_t size;
};

int mounts_read(struct mounts *mounts, struct store *store, ernie_error *err);
/* Writes them where they changed, in a transaction. */
int mounts_write(struct mounts *mounts, struct store *store, ernie_error *err);
void mounts_reset(struct mounts *mounts);

/* Adds one that is not there yet. A path with a line break in it, or that is not UTF-8, and one
 * that finds no room in 8 KB are left out. */
int mounts_add(struct mounts *mounts, int64_t root_id, const char *path, ernie_error *err);

/* The next one from *at on, which begins with 0; 0 when there is none. Good until the list
 * changes. */
int mounts_next(const struct mounts *mounts, size_t *at, struct mount *out);

#endif
