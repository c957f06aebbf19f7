#include "base/system.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/inotify.h>
#include <sys/random.h>
#include <unistd.h>

/* openat is variadic, so the table cannot hold it as it is. */
static int system_openat(int directory, const char *path, int flags, mode_t mode)
{
    return openat(directory, path, flags, mode);
}

struct system_table system_table = {
    .openat = system_openat,
    .close = close,
    .read = read,
    .pread = pread,
    .write = write,
    .fstat = fstat,
    .fstatat = fstatat,
    .fsync = fsync,
    .rename = rename,
    .unlink = unlink,
    .rmdir = rmdir,
    .mkdir = mkdir,
    .fdopendir = fdopendir,
    .readdir = readdir,
    .closedir = closedir,
    .realpath = realpath,
    .inotify_init1 = inotify_init1,
    .inotify_add_watch = inotify_add_watch,
    .inotify_rm_watch = inotify_rm_watch,
    .poll = poll,
    .getrandom = getrandom,
};
