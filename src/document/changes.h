/* Which paths below some folders changed, as Linux's inotify(7) tells. Folders are watched one
 * by one: a walk that reports each folder before it reads it (walk.h) misses nothing, for what
 * is made before is read, and what is made after is told of here. Whoever takes the changed
 * paths walks them, and so watches the new folders among them.
 *
 * What cannot be watched is remembered, to be looked at now and then instead: inotify has a
 * limit on the number of folders. Paths are absolute, with no link in them. */
#ifndef ERNIE_DOCUMENT_CHANGES_H
#define ERNIE_DOCUMENT_CHANGES_H

#include <stddef.h>

#include "base/error.h"

struct changes;

struct path_list {
    char **path; /* [n] */
    size_t n, capacity;
};
/* Adds a copy; -1 when memory ran out. */
int path_list_add(struct path_list *list, const char *path);
/* Sorts, and drops what is in the list twice or lies below another path of it. */
void path_list_reduce(struct path_list *list);
void path_list_reset(struct path_list *list);

/* hidden: names that start with a dot count. Where there is no inotify this succeeds too, and
 * nothing can be watched. */
int changes_new(int hidden, struct changes **out, ernie_error *err);
void changes_free(struct changes *changes);

/* Watches a folder, or remembers that it cannot be; one that is gone is neither. */
int changes_watch(struct changes *changes, const char *folder, ernie_error *err);
/* No longer watches a folder and those below it. */
void changes_forget(struct changes *changes, const char *folder);

/* Waits until something happens, and takes in what happened. ERNIE_ECANCELED: a signal came. */
int changes_wait(struct changes *changes, int timeout_ms, ernie_error *err);

/* Changed paths so far, some of them twice. */
size_t changes_n(const struct changes *changes);
/* Whether more changed than is known, since the kernel or we could not remember it all: then
 * everything that is watched may have. */
int changes_overflowed(const struct changes *changes);
/* Whether something was mounted or unmounted, anywhere. */
int changes_mounted(const struct changes *changes);
/* Hands the changed paths over, reduced, and begins anew; path_list_reset. */
void changes_take(struct changes *changes, struct path_list *out);

size_t changes_n_watched(const struct changes *changes);
size_t changes_n_unwatched(const struct changes *changes);
/* The errno that the first folder could not be watched for, or 0. */
int changes_why_unwatched(const struct changes *changes);
/* Hands over the folders that cannot be watched, reduced; they are to be walked again. */
void changes_take_unwatched(struct changes *changes, struct path_list *out);

#endif
