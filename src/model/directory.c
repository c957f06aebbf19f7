#include "model/directory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/system.h"

/* What a file of a model directory besides the weights may have: vocabularies do. */
#define MAX_COPIED_BYTES (256 << 20)

struct directory_writer {
    char *out, *part;
    int fd; /* of model.safetensors, or -1 */
};

const char *directory_writer_path(const struct directory_writer *writer)
{
    return writer->part;
}

/* ---- copying ----------------------------------------------------------- */

static int has_ending(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);

    return n >= m && strcmp(name + n - m, ending) == 0;
}

/* Weights, in whatever format, and what only belongs to those left out. */
static int is_weights(const char *name)
{
    static const char *const endings[] = { ".safetensors", ".bin",  ".onnx",     ".h5", ".msgpack",
                                           ".pt",          ".pth",  ".pkl",      ".ckpt", ".gguf",
                                           ".pdparams",    ".index.json" };

    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (has_ending(name, endings[i]))
            return 1;
    return 0;
}

/* Keeps the name of weights in the folder that comes first. */
static char *first_weights(const char *path)
{
    int fd = system_table.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *folder = fd >= 0 ? system_table.fdopendir(fd) : NULL;
    struct dirent *entry;
    char *first = NULL;

    while (folder != NULL && (entry = system_table.readdir(folder)) != NULL) {
        if (!is_weights(entry->d_name) || (first != NULL && strcmp(first, entry->d_name) <= 0))
            continue;
        memory_free(first);
        first = memory_copy_text(entry->d_name, strlen(entry->d_name));
    }
    if (folder != NULL)
        system_table.closedir(folder);
    else if (fd >= 0)
        system_table.close(fd);
    return first;
}

char *directory_other_weights(const char *directory)
{
    static const char *const folders[] = { "", "onnx" };
    char *found = NULL;

    for (size_t i = 0; found == NULL && i < 2; i++) {
        char *folder = path_join(directory, folders[i]);
        char *name = folder != NULL ? first_weights(folder) : NULL;

        if (name != NULL && strcmp(name, "model.safetensors") != 0)
            found = path_join(folder, name);
        memory_free(name);
        memory_free(folder);
    }
    return found;
}

static int copy_file(const char *from, const char *to, ernie_error *err)
{
    struct file file = { 0 };
    int status = file_read(from, MAX_COPIED_BYTES, &file, err), fd;

    if (status != ERNIE_OK)
        return status;
    fd = system_table.openat(AT_FDCWD, to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        status = error_set_system(err, errno, to);
    else
        status = file_write_fd(fd, to, file.data, file.size, err);
    if (fd >= 0 && system_table.close(fd) != 0 && status == ERNIE_OK)
        status = error_set_system(err, errno, to);
    file_reset(&file);
    return status;
}

static int copy_folder(const char *from, const char *to, int depth, ernie_error *err);

/* One entry of a directory, be it a file or a folder; anything else is passed over. */
static int copy_entry(const char *from, const char *to, const char *name, int depth,
                      ernie_error *err)
{
    char *source = path_join(from, name), *target = path_join(to, name);
    struct stat st;
    int status = ERNIE_OK;

    if (source == NULL || target == NULL)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", from);
    else if (system_table.fstatat(AT_FDCWD, source, &st, 0) != 0)
        status = error_set_system(err, errno, source);
    else if (S_ISDIR(st.st_mode) && depth == 0)
        status = copy_folder(source, target, 1, err);
    else if (S_ISREG(st.st_mode) && (depth > 0 || !is_weights(name)))
        status = copy_file(source, target, err);
    memory_free(source);
    memory_free(target);
    return status;
}

static int copy_folder(const char *from, const char *to, int depth, ernie_error *err)
{
    int fd = system_table.openat(AT_FDCWD, from, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *folder = fd >= 0 ? system_table.fdopendir(fd) : NULL;
    struct dirent *entry;
    int status = ERNIE_OK;

    if (folder == NULL) {
        status = error_set_system(err, errno, from);
        if (fd >= 0)
            system_table.close(fd);
        return status;
    }
    if (system_table.mkdir(to, 0777) != 0)
        status = error_set_system(err, errno, to);
    while (status == ERNIE_OK) {
        errno = 0;
        entry = system_table.readdir(folder);
        if (entry == NULL) {
            if (errno != 0)
                status = error_set_system(err, errno, from);
            break;
        }
        if (entry->d_name[0] != '.')
            status = copy_entry(from, to, entry->d_name, depth, err);
    }
    system_table.closedir(folder);
    return status;
}

/* ---- removing ---------------------------------------------------------- */

/* Two levels deep, as it was made, and without allocating: memory may be what ran out.
 * What cannot be removed stays: there is an error already that matters more. */
static void remove_folder(const char *path, int depth)
{
    int fd = system_table.openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *folder = fd >= 0 ? system_table.fdopendir(fd) : NULL;
    struct dirent *entry;

    while (folder != NULL && (entry = system_table.readdir(folder)) != NULL) {
        char below[PATH_MAX];
        const int size = snprintf(below, sizeof below, "%s/%s", path, entry->d_name);

        if (size < (int)sizeof below && strcmp(entry->d_name, ".") != 0 &&
            strcmp(entry->d_name, "..") != 0 && system_table.unlink(below) != 0 && depth == 0)
            remove_folder(below, 1);
    }
    if (folder != NULL)
        system_table.closedir(folder);
    else if (fd >= 0)
        system_table.close(fd);
    system_table.rmdir(path);
}

/* ---- the writer -------------------------------------------------------- */

static void writer_free(struct directory_writer *writer)
{
    if (writer->fd >= 0)
        system_table.close(writer->fd);
    memory_free(writer->out);
    memory_free(writer->part);
    memory_free(writer);
}

void directory_writer_cancel(struct directory_writer *writer)
{
    if (writer == NULL)
        return;
    remove_folder(writer->part, 0);
    writer_free(writer);
}

int directory_writer_new(const char *directory, const char *out, struct directory_writer **writer,
                         ernie_error *err)
{
    struct directory_writer *new = memory_new(1, sizeof *new);
    struct buffer part = { 0 };
    struct stat st;
    int status;

    if (new == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", out);
    new->fd = -1;
    buffer_printf(&part, "%.*s.part", (int)(strlen(out) - (size_t)has_ending(out, "/")), out);
    new->part = buffer_take(&part);
    new->out = memory_copy_text(out, strlen(out));
    if (new->part == NULL || new->out == NULL) {
        writer_free(new);
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", out);
    }
    if (system_table.fstatat(AT_FDCWD, out, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        writer_free(new);
        return error_set(err, ERNIE_EINVAL, "%s: exists already", out);
    }
    status = copy_folder(directory, new->part, 0, err);
    if (status != ERNIE_OK) {
        /* Somebody else's, when it was there before. */
        if (status == ERNIE_EIO && errno == EEXIST)
            writer_free(new);
        else
            directory_writer_cancel(new);
        return status;
    }
    *writer = new;
    return ERNIE_OK;
}

/* The header: {"__metadata__":{...},"name":{"dtype":"F32","shape":[2,3],
 * "data_offsets":[0,24]},...}, padded with spaces so that the data starts at a multiple
 * of 8. */
static void append_header(struct buffer *out, size_t n, const struct tensor *tensors)
{
    static const char *const types[] = { "F32", "F16", "BF16", "I8" };
    uint64_t offset = 0;

    /* Releases of transformers before 5 ask for the format, PyTorch's. */
    buffer_append_text(out, "{\"__metadata__\":{\"format\":\"pt\"}");
    for (size_t i = 0; i < n; i++) {
        const struct tensor *tensor = &tensors[i];

        buffer_append_char(out, ',');
        json_append_text(out, tensor->name);
        buffer_printf(out, ":{\"dtype\":\"%s\",\"shape\":[", types[tensor->type]);
        for (size_t j = 0; j < tensor->n_dimensions; j++)
            buffer_printf(out, "%s%zu", j > 0 ? "," : "", tensor->shape[j]);
        buffer_printf(out, "],\"data_offsets\":[%llu,%llu]}", (unsigned long long)offset,
                      (unsigned long long)(offset + tensor->size_bytes));
        offset += tensor->size_bytes;
    }
    buffer_append_char(out, '}');
    while (out->size % 8 != 0 && !out->failed)
        buffer_append_char(out, ' ');
}

int directory_writer_begin(struct directory_writer *writer, size_t n, const struct tensor *tensors,
                           ernie_error *err)
{
    struct buffer header = { 0 };
    char *path = path_join(writer->part, "model.safetensors");
    uint8_t length[8];
    int status = ERNIE_OK;

    append_header(&header, n, tensors);
    if (header.failed || path == NULL)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", writer->part);
    if (status == ERNIE_OK) {
        for (int i = 0; i < 8; i++)
            length[i] = (uint8_t)((uint64_t)header.size >> 8 * i);
        writer->fd = system_table.openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
                                         0666);
        if (writer->fd < 0)
            status = error_set_system(err, errno, path);
    }
    if (status == ERNIE_OK)
        status = directory_writer_data(writer, length, sizeof length, err);
    if (status == ERNIE_OK)
        status = directory_writer_data(writer, header.data, header.size, err);
    buffer_reset(&header);
    memory_free(path);
    return status;
}

int directory_writer_data(struct directory_writer *writer, const void *data, size_t size,
                          ernie_error *err)
{
    return file_write_fd(writer->fd, writer->part, data, size, err);
}

int directory_writer_end(struct directory_writer *writer, ernie_error *err)
{
    int failed = system_table.fsync(writer->fd) != 0, fd = writer->fd;

    writer->fd = -1;
    if (system_table.close(fd) != 0 || failed)
        return error_set_system(err, errno, writer->part);
    return ERNIE_OK;
}

int directory_writer_finish(struct directory_writer *writer, ernie_error *err)
{
    if (system_table.rename(writer->part, writer->out) != 0) {
        int status = error_set_system(err, errno, writer->out);

        directory_writer_cancel(writer);
        return status;
    }
    writer_free(writer);
    return ERNIE_OK;
}
