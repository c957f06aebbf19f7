/* Whole files in and out, and the arithmetic of paths. All system calls go
 * through system.h, restart after EINTR and go on after a short count. */
#ifndef ERNIE_BASE_FILE_H
#define ERNIE_BASE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* The bytes of a whole file, read rather than mapped: a file that is truncated
 * while it is used must not end the process. */
struct file {
    uint8_t *data; /* [size], 64-byte aligned, with 16 zero bytes after it */
    size_t size;
};

/* Reads a regular file of at most max_bytes. Returns ERNIE_ENOTFOUND when there
 * is none, ERNIE_EINVAL when it is larger or not a regular file. Never blocks on
 * a FIFO. Release with file_reset. */
int file_read(const char *path, uint64_t max_bytes, struct file *out, ernie_error *err);
/* The same from a descriptor, which stays open. path is for messages only. */
int file_read_fd(int fd, const char *path, uint64_t max_bytes, struct file *out, ernie_error *err);
void file_reset(struct file *file);

/* Puts a file in place whole or not at all: a temporary beside it, fsync,
 * rename, fsync of the directory. On failure the old file is untouched and the
 * temporary is gone. Mode 0600. */
int file_write_atomic(const char *path, size_t n_parts, const void *const *parts,
                      const size_t *sizes, ernie_error *err);

/* Writes a file over, in a directory that nobody else reads yet. Mode as the umask says. */
int file_replace(const char *path, const void *data, size_t size, ernie_error *err);

/* Writes all of it to a descriptor, which stays open. path is for messages only. */
int file_write_fd(int fd, const char *path, const void *data, size_t size, ernie_error *err);

/* "a/b" from "a" and "b"; memory_free. NULL when memory ran out. */
char *path_join(const char *directory, const char *name);
/* Everything before the last slash: "." for "a", "/" for "/a"; memory_free. */
char *path_directory(const char *path);
/* The absolute path with no link in it; memory_free. */
int path_resolve(const char *path, char **out, ernie_error *err);
/* The part of path below directory ("" for directory itself), or NULL when it
 * is not inside. Both absolute and resolved. Points into path. */
const char *path_below(const char *directory, const char *path);

/* The directory of the program or shared object that this code was loaded from,
 * resolved; NULL when it cannot be told. memory_free. */
char *path_of_module(void);

/* Fills out with random bytes from the system. */
int random_bytes(void *out, size_t size, ernie_error *err);

#endif
