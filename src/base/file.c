#include "base/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/system.h"

#define PADDING 16

/* Reads until size bytes or the end. The count, or -1 with errno. */
static ssize_t read_fully(int fd, uint8_t *out, size_t size)
{
    size_t n_read = 0;

    while (n_read < size) {
        ssize_t n = system_table.read(fd, out + n_read, size - n_read);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        n_read += (size_t)n;
    }
    return (ssize_t)n_read;
}

static int write_fully(int fd, const uint8_t *data, size_t size)
{
    while (size > 0) {
        ssize_t n = system_table.write(fd, data, size);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            if (n == 0)
                errno = ENOSPC;
            return -1;
        }
        data += n;
        size -= (size_t)n;
    }
    return 0;
}

int file_read_fd(int fd, const char *path, uint64_t max_bytes, struct file *out, ernie_error *err)
{
    struct stat st;
    uint8_t *data;
    ssize_t size;

    if (system_table.fstat(fd, &st) != 0)
        return error_set_system(err, errno, path);
    if (!S_ISREG(st.st_mode))
        return error_set(err, ERNIE_EINVAL, "%s: not a regular file", path);
    if ((uint64_t)st.st_size > max_bytes)
        return error_set(err, ERNIE_EINVAL, "%s: %jd bytes is more than the limit of %" PRIu64,
                         path, (intmax_t)st.st_size, max_bytes);
    data = memory_new_aligned((size_t)st.st_size + PADDING, 1);
    if (data == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    size = read_fully(fd, data, (size_t)st.st_size);
    if (size < 0) {
        int why = errno;

        memory_free_aligned(data);
        return error_set_system(err, why, path);
    }
    memset(data + size, 0, PADDING);
    out->data = data;
    out->size = (size_t)size;
    return ERNIE_OK;
}

int file_read(const char *path, uint64_t max_bytes, struct file *out, ernie_error *err)
{
    int status, fd;

    /* O_NONBLOCK: opening a FIFO would wait for a writer. */
    fd = system_table.openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return error_set_system(err, errno, path);
    status = file_read_fd(fd, path, max_bytes, out, err);
    system_table.close(fd);
    return status;
}

void file_reset(struct file *file)
{
    memory_free_aligned(file->data);
    memset(file, 0, sizeof *file);
}

static int sync_directory(const char *path)
{
    char *directory = path_directory(path);
    int fd, why = 0;

    if (directory == NULL) {
        errno = ENOMEM;
        return -1;
    }
    fd = system_table.openat(AT_FDCWD, directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    memory_free(directory);
    if (fd < 0)
        return -1;
    /* EINVAL: a file system that cannot sync directories needs no sync. */
    if (system_table.fsync(fd) != 0 && errno != EINVAL)
        why = errno;
    system_table.close(fd);
    errno = why;
    return why == 0 ? 0 : -1;
}

int file_write_fd(int fd, const char *path, const void *data, size_t size, ernie_error *err)
{
    return write_fully(fd, data, size) == 0 ? ERNIE_OK : error_set_system(err, errno, path);
}

int file_write_atomic(const char *path, size_t n_parts, const void *const *parts,
                      const size_t *sizes, ernie_error *err)
{
    struct buffer temporary = { 0 };
    uint8_t salt[8];
    int fd = -1, why = 0, status;

    status = random_bytes(salt, sizeof salt, err);
    if (status != ERNIE_OK)
        return status;
    buffer_printf(&temporary, "%s.tmp-", path);
    for (size_t i = 0; i < sizeof salt; i++)
        buffer_printf(&temporary, "%02x", salt[i]);
    if (temporary.failed) {
        buffer_reset(&temporary);
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    }
    fd = system_table.openat(AT_FDCWD, temporary.data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                             0600);
    if (fd < 0) {
        why = errno;
        buffer_reset(&temporary);
        return error_set_system(err, why, path);
    }
    for (size_t i = 0; why == 0 && i < n_parts; i++)
        if (write_fully(fd, parts[i], sizes[i]) != 0)
            why = errno;
    if (why == 0 && system_table.fsync(fd) != 0)
        why = errno;
    if (system_table.close(fd) != 0 && why == 0)
        why = errno;
    if (why == 0 && system_table.rename(temporary.data, path) != 0)
        why = errno;
    if (why != 0)
        system_table.unlink(temporary.data);
    else if (sync_directory(path) != 0)
        why = errno;
    buffer_reset(&temporary);
    return why == 0 ? ERNIE_OK : error_set_system(err, why, path);
}

char *path_join(const char *directory, const char *name)
{
    struct buffer path = { 0 };
    size_t size = strlen(directory);

    buffer_append(&path, directory, size);
    if (size > 0 && directory[size - 1] != '/' && name[0] != '\0')
        buffer_append_char(&path, '/');
    buffer_append_text(&path, name);
    return buffer_take(&path);
}

char *path_directory(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return memory_copy_text(".", 1);
    return memory_copy_text(path, slash == path ? 1 : (size_t)(slash - path));
}

int path_resolve(const char *path, char **out, ernie_error *err)
{
    char resolved[PATH_MAX];

    if (system_table.realpath(path, resolved) == NULL)
        return error_set_system(err, errno, path);
    *out = memory_copy_text(resolved, strlen(resolved));
    if (*out == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    return ERNIE_OK;
}

const char *path_below(const char *directory, const char *path)
{
    size_t size = strlen(directory);

    if (strcmp(directory, "/") == 0)
        return path[0] == '/' ? path + 1 : NULL;
    if (strncmp(directory, path, size) != 0)
        return NULL;
    if (path[size] == '\0')
        return path + size;
    return path[size] == '/' ? path + size + 1 : NULL;
}

char *path_of_module(void)
{
    Dl_info info;
    char *resolved, *directory;

    if (dladdr((const void *)(uintptr_t)path_of_module, &info) == 0 || info.dli_fname == NULL)
        return NULL;
    if (path_resolve(info.dli_fname, &resolved, NULL) != ERNIE_OK)
        return NULL;
    directory = path_directory(resolved);
    memory_free(resolved);
    return directory;
}

int random_bytes(void *out, size_t size, ernie_error *err)
{
    uint8_t *bytes = out;

    while (size > 0) {
        ssize_t n = system_table.getrandom(bytes, size, 0);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return error_set_system(err, n < 0 ? errno : EIO, "random bytes");
        bytes += n;
        size -= (size_t)n;
    }
    return ERNIE_OK;
}

int file_replace(const char *path, const void *data, size_t size, ernie_error *err)
{
    int fd = system_table.openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int status;

    if (fd < 0)
        return error_set_system(err, errno, path);
    status = file_write_fd(fd, path, data, size, err);
    if (status == ERNIE_OK && system_table.fsync(fd) != 0)
        status = error_set_system(err, errno, path);
    if (system_table.close(fd) != 0 && status == ERNIE_OK)
        status = error_set_system(err, errno, path);
    return status;
}
