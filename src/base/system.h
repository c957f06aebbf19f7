/* Every system call on files goes through this table, so that a test can make
 * each of them fail, be interrupted or come up short. Errors are in errno, as
 * with the calls themselves. SQLite opens its own files. */
#ifndef ERNIE_BASE_SYSTEM_H
#define ERNIE_BASE_SYSTEM_H

#include <dirent.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct system_table {
    int (*openat)(int directory, const char *path, int flags, mode_t mode);
    int (*close)(int fd);
    ssize_t (*read)(int fd, void *out, size_t size_bytes);
    ssize_t (*pread)(int fd, void *out, size_t size_bytes, off_t offset);
    ssize_t (*write)(int fd, const void *data, size_t size_bytes);
    int (*fstat)(int fd, struct stat *out);
    int (*fstatat)(int directory, const char *path, struct stat *out, int flags);
    int (*fsync)(int fd);
    int (*rename)(const char *from, const char *to);
    int (*unlink)(const char *path);
    int (*rmdir)(const char *path);
    int (*mkdir)(const char *path, mode_t mode);
    DIR *(*fdopendir)(int fd);
    struct dirent *(*readdir)(DIR *directory);
    int (*closedir)(DIR *directory);
    char *(*realpath)(const char *path, char *out);
    int (*inotify_init1)(int flags);
    int (*inotify_add_watch)(int fd, const char *path, uint32_t mask);
    int (*inotify_rm_watch)(int fd, int wd);
    int (*poll)(struct pollfd *fds, nfds_t n, int timeout_ms);
    ssize_t (*getrandom)(void *out, size_t size_bytes, unsigned flags);
};
/* Only tests replace what it holds, and before any thread is started. */
extern struct system_table system_table;

#endif
