#include "mounts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "sql/collection.h"

#define META_MOUNTS "mounts"
#define MAX_BYTES 8192

int mounts_read(struct mounts *mounts, struct store *store, ernie_error *err)
{
    char lines[MAX_BYTES + 1];
    int status =
        collection_meta_get(store_collection(store), META_MOUNTS, lines, sizeof lines, err);

    if (status != ERNIE_OK)
        return status;
    buffer_append_text(&mounts->lines, lines);
    if (mounts->lines.failed)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    return ERNIE_OK;
}

int mounts_write(struct mounts *mounts, struct store *store, ernie_error *err)
{
    int status;

    if (!mounts->is_changed)
        return ERNIE_OK;
    status = store_begin(store, err);
    if (status != ERNIE_OK)
        return status;
    status = collection_meta_set(store_collection(store), META_MOUNTS, mounts->lines.data, err);
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    return status;
}

void mounts_reset(struct mounts *mounts)
{
    buffer_reset(&mounts->lines);
    mounts->is_changed = 0;
}

int mounts_next(const struct mounts *mounts, size_t *at, struct mount *out)
{
    const char *line, *end;
    char *path;

    while (*at < mounts->lines.size) {
        line = mounts->lines.data + *at;
        end = strchr(line, '\n');
        if (end == NULL)
            return 0;
        *at += (size_t)(end - line) + 1;
        out->root_id = strtoll(line, &path, 10);
        if (*path != ' ' || path > end) /* not as we write them */
            continue;
        out->path = path + 1;
        out->size = (size_t)(end - out->path);
        return 1;
    }
    return 0;
}

int mounts_add(struct mounts *mounts, int64_t root_id, const char *path, ernie_error *err)
{
    const size_t size = strlen(path);
    struct mount mount;
    size_t at = 0;

    while (mounts_next(mounts, &at, &mount))
        if (mount.root_id == root_id && mount.size == size && memcmp(mount.path, path, size) == 0)
            return ERNIE_OK;
    if (strchr(path, '\n') != NULL || !utf8_valid(path, size) ||
        mounts->lines.size + size + 24 > MAX_BYTES)
        return ERNIE_OK;
    buffer_printf(&mounts->lines, "%" PRId64 " %s\n", root_id, path);
    mounts->is_changed = 1;
    if (mounts->lines.failed)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    return ERNIE_OK;
}
