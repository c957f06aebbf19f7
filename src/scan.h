/* Which files of the given folders need work: new and changed ones. Reads
 * folders and file times, no file. */
#ifndef ERNIE_SCAN_H
#define ERNIE_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/id_set.h"
#include "document/walk.h"
#include "ernie.h"
#include "mounts.h"
#include "sql/store.h"

/* What is asked for. */
struct scan_request {
    size_t n_paths;
    const char *const *paths; /* files and folders */
    /* The paths are places known to have changed, absolute and with no link in them. They lie
     * in roots there are, or are nobody's concern; and what is gone there is gone. */
    int are_changes;
    /* What is missing or empty where it was asked for is gone: else it may be a drive that is
     * not there at present, whose documents stay. */
    int prune;
    int images;   /* are wanted too, for the words in them */
    int is_quiet; /* does not tell what is kept for that: it was told before */
    struct walk_options walk; /* its mount is the scan's own */
};

/* A place that was asked for: a root, and what of it ("" for all). */
struct scan_place {
    int64_t root_id;
    char *root;  /* absolute */
    char *below; /* relative to root */
    int keeps;   /* documents that are not seen stay */
};

/* Files are many: their names lie one after another, and each folder's name once. */
struct scan_entry {
    uint64_t size_bytes;
    uint64_t name; /* where it begins in names */
    uint32_t folder;
};
struct scan_folder {
    const struct scan_place *place;
    uint64_t name; /* of the folder, "" or with a slash at its end */
};

struct scan {
    struct scan_place *place; /* [n_places] */
    size_t n_places;
    struct scan_entry *entry; /* [n_files], those that need work */
    size_t n_files, capacity;
    struct scan_folder *folder; /* [n_folders] */
    size_t n_folders, folder_capacity;
    struct buffer names;
    uint64_t n_bytes;   /* of all files of entry */
    struct id_set seen; /* documents whose files are there */
    struct id_set kept; /* documents that are not to be removed */
    struct mounts mounts;
    struct store_root *root; /* [n_roots], read when they are first needed */
    size_t n_roots;
};

/* A file that needs work. */
struct scan_file {
    const struct scan_place *place;
    char *path; /* below the root; memory_free */
    uint64_t size_bytes;
};

/* Called now and then with the number of files that need work so far, and for each
 * folder that could not be read. Anything but ERNIE_OK stops the scan. */
typedef int (*scan_fn)(void *data, const char *path, const char *failure, ernie_error *err);

/* Fills scan (all zero before) from what is asked for and the store's rows; new roots
 * are added to the store. report counts what is unchanged, skipped, failed or kept.
 * scan_reset releases it, also after a failure. */
int scan(struct store *store, const struct scan_request *request, scan_fn progress, void *data,
         struct ernie_index_report *report, struct scan *out, ernie_error *err);
void scan_reset(struct scan *scan);

/* The absolute path, with no link in it, of a file or folder; of one that is missing, that of
 * the nearest folder that is there and the names that follow. memory_free. */
int scan_resolve(const char *given, char **out, ernie_error *err);

/* The name of file i of n_files, without its folders, and its size. data is a struct scan. */
void scan_glance(const void *data, size_t i, const char **name, uint64_t *size_bytes);
/* All of it. */
int scan_file(const struct scan *scan, size_t i, struct scan_file *out, ernie_error *err);

/* Looks for a document that a new file is the same as, under another name: of the same
 * bytes and the same kind of name, with its own file gone. *id is 0 when there is none;
 * else the document is kept, and no other file's. */
int scan_find_moved(struct scan *scan, struct store *store, const struct scan_file *file,
                    const uint8_t hash[16], int64_t *id, ernie_error *err);

/* Removes the documents of the places that are not kept: their files are gone. */
int scan_remove_gone(const struct scan *scan, struct store *store,
                     struct ernie_index_report *report, ernie_error *err);

/* The root that holds path (absolute), and path below it. NULL when none does. */
const struct store_root *scan_find_root(const struct store_root *roots, size_t n,
                                        const char *path, const char **below);

#endif
