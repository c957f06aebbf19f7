/* Which files of the given folders need work: new and changed ones. Reads
 * folders and file times, no file. */
#ifndef ERNIE_SCAN_H
#define ERNIE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/id_set.h"
#include "document/walk.h"
#include "ernie.h"
#include "sql/store.h"

/* A place that was asked for: a root, and what of it ("" for all). */
struct scan_place {
    int64_t root_id;
    char *root;  /* absolute */
    char *below; /* relative to root */
};

struct scan_file {
    const struct scan_place *place;
    char *path; /* below the root */
    uint64_t size_bytes;
    int64_t mtime_ns, ctime_ns;
};

struct scan {
    struct scan_place *place; /* [n_places] */
    size_t n_places;
    struct scan_file *file; /* [n_files], those that need work */
    size_t n_files, capacity;
    uint64_t n_bytes;  /* of all of them */
    struct id_set kept; /* documents that are not to be removed */
};

/* Called now and then with the number of files that need work so far, and for each
 * folder that could not be read. Anything but ERNIE_OK stops the scan. */
typedef int (*scan_fn)(void *data, const char *path, const char *failure, ernie_error *err);

/* Fills scan (all zero before) from paths and the store's rows; new roots are
 * added to the store. report counts what is unchanged, skipped or failed.
 * scan_reset releases it, also after a failure. */
int scan(struct store *store, size_t n_paths, const char *const *paths,
         const struct walk_options *options, scan_fn progress, void *data,
         struct ernie_index_report *report, struct scan *out, ernie_error *err);
void scan_reset(struct scan *scan);

/* Removes the documents of the places that are not kept: their files are gone. */
int scan_remove_gone(const struct scan *scan, struct store *store,
                     struct ernie_index_report *report, ernie_error *err);

/* The root that holds path (absolute), and path below it. NULL when none does. */
const struct store_root *scan_find_root(const struct store_root *roots, size_t n,
                                        const char *path, const char **below);

#endif
