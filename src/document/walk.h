/* Finds the regular files below a folder, in the order of their names. Follows
 * no symbolic link below the root, never opens what is not a regular file, and
 * goes on after a folder it may not read. Every folder is opened part by part from
 * the root and closed once its names are read, so that no depth runs out of
 * descriptors and nothing moved meanwhile leads out; memory holds the names of the
 * folders on the way to the current one. */
#ifndef ERNIE_DOCUMENT_WALK_H
#define ERNIE_DOCUMENT_WALK_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* Called for each folder before its names are read, so that one who watches it from then
 * on misses nothing. Anything but ERNIE_OK stops the walk. */
typedef int (*walk_folder_fn)(void *data, const char *root, const char *path, ernie_error *err);

struct walk_options {
    size_t n_excludes;
    const char *const *excludes; /* patterns as gitignore(5) writes them, "!" included */
    int hidden;                  /* take names that start with a dot */
    walk_folder_fn folder;       /* or NULL */
    void *folder_data;
    walk_folder_fn mount; /* called for each folder that is on another device than its own; or NULL */
    void *mount_data;
};

struct walk_file {
    const char *path; /* below the root, with "/" between; any bytes but 0 */
    uint64_t size_bytes;
    int64_t mtime_ns; /* since 1970 */
    int64_t ctime_ns;
};

/* Called for each file (failure NULL), and for each folder or file that could
 * not be looked at (failure says why, file->path names it). Anything but
 * ERNIE_OK stops the walk and is what it returns. */
typedef int (*walk_fn)(void *data, const struct walk_file *file, const char *failure,
                       ernie_error *err);

/* root: a folder, absolute and resolved. below: where to begin, relative to root:
 * "" for all of it, or a folder or a file in it, which may be hidden; the excludes
 * hold for it and its folders as when all is walked. Nothing is found where below is
 * gone from a root that is there. */
int walk(const char *root, const char *below, const struct walk_options *options, walk_fn fn,
         void *data, ernie_error *err);

/* What is at a place, without walking it; all names of a folder count, hidden ones too. */
enum walk_presence {
    WALK_ABSENT,
    WALK_EMPTY,     /* a folder with no name in it: a drive's, perhaps, that is not there */
    WALK_PRESENT,
    WALK_UNREADABLE /* the system does not say */
};
enum walk_presence walk_look(const char *root, const char *below);
/* Whether the folder at below, which is not "", is on another device than the one it lies in. */
int walk_is_mount(const char *root, const char *below);

/* Opens a file that walk found for reading, refusing a link or anything but a
 * regular file put in its place since: O_NOFOLLOW, O_NONBLOCK. The descriptor, or
 * -1 with err set. */
int walk_open(const char *root, const char *path, ernie_error *err);

#endif
