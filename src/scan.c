#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "document/extract.h"

/* Removing a document costs a commit's fsync; many of them share one. */
#define REMOVED_AT_ONCE 256
/* File systems keep times as coarse as 2 s (FAT). A file read that soon after it
 * was written may have been written again without its time showing it. */
#define COARSE_NS 2000000000

struct scanner {
    struct store *store;
    struct scan *scan;
    const struct scan_place *place;
    struct ernie_index_report *report;
    scan_fn progress;
    void *data;
};

const struct store_root *scan_find_root(const struct store_root *roots, size_t n,
                                        const char *path, const char **below)
{
    for (size_t i = 0; i < n; i++) {
        *below = path_below(roots[i].path, path);
        if (*below != NULL)
            return &roots[i];
    }
    return NULL;
}

/* ---- places ------------------------------------------------------------ */

/* Whether one of the places so far holds path: it is then scanned already. */
static int is_covered(const struct scan *scan, const char *path)
{
    for (size_t i = 0; i < scan->n_places; i++) {
        const char *below = path_below(scan->place[i].root, path);

        if (below != NULL && (scan->place[i].below[0] == '\0' ||
                              path_below(scan->place[i].below, below) != NULL))
            return 1;
    }
    return 0;
}

/* Sets place from an absolute path: in a root there is already, or in a new one
 * (the folder itself, or the folder of a file). */
static int set_place(struct scan_place *place, struct store *store, const char *path,
                     int is_folder, ernie_error *err)
{
    struct store_root *roots;
    const struct store_root *root;
    const char *below;
    size_t n_roots;
    int status = store_roots(store, &roots, &n_roots, err);

    if (status != ERNIE_OK)
        return status;
    root = scan_find_root(roots, n_roots, path, &below);
    if (root != NULL) {
        place->root_id = root->id;
        place->root = memory_copy_text(root->path, strlen(root->path));
        place->below = memory_copy_text(below, strlen(below));
    } else {
        const char *name = strrchr(path, '/') + 1;

        place->root = is_folder ? memory_copy_text(path, strlen(path)) : path_directory(path);
        place->below = memory_copy_text(name, is_folder ? 0 : strlen(name));
    }
    if (place->root == NULL || place->below == NULL)
        status = error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    else if (root == NULL)
        status = store_root_add(store, place->root, &place->root_id, err);
    store_roots_free(roots, n_roots);
    return status;
}

static int add_place(struct scan *scan, struct store *store, const char *given, ernie_error *err)
{
    struct stat st;
    char *path;
    int status = path_resolve(given, &path, err);

    if (status != ERNIE_OK)
        return status;
    if (system_table.fstatat(AT_FDCWD, path, &st, 0) != 0)
        status = error_set_system(err, errno, given);
    else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        status = error_set(err, ERNIE_EINVAL, "%s: neither a folder nor a regular file", given);
    else if (!is_covered(scan, path))
        status = set_place(&scan->place[scan->n_places++], store, path, S_ISDIR(st.st_mode), err);
    memory_free(path);
    return status;
}

/* A path that cannot be used fails the whole call, before anything is scanned:
 * most likely it is misspelt. */
static int add_places(struct scan *scan, struct store *store, size_t n_paths,
                      const char *const *paths, ernie_error *err)
{
    int status;

    scan->place = memory_new(n_paths, sizeof *scan->place);
    if (scan->place == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    status = store_begin(store, err);
    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; status == ERNIE_OK && i < n_paths; i++)
        status = add_place(scan, store, paths[i], err);
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    return status;
}

/* ---- files ------------------------------------------------------------- */

static int keep(struct scan *scan, int64_t document_id, ernie_error *err)
{
    if (id_set_add(&scan->kept, document_id) < 0)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    return ERNIE_OK;
}

/* Documents below a folder that cannot be read now are not gone. */
static int keep_below(struct scanner *scanner, const char *path, ernie_error *err)
{
    int64_t *ids = NULL;
    size_t n;
    int status = store_document_ids(scanner->store, scanner->place->root_id, path, &ids, &n, err);

    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        status = keep(scanner->scan, ids[i], err);
    memory_free(ids);
    return status;
}

static int is_unchanged(const struct store_document *document, const struct walk_file *file)
{
    return document->extractor_version >= EXTRACT_VERSION &&
           document->size_bytes == file->size_bytes && document->mtime_ns == file->mtime_ns &&
           document->ctime_ns == file->ctime_ns &&
           document->checked_ns - COARSE_NS > file->mtime_ns;
}

static int add_file(struct scanner *scanner, const struct walk_file *file, ernie_error *err)
{
    struct scan *scan = scanner->scan;
    struct scan_file *added;

    if (scan->n_files == scan->capacity) {
        size_t capacity = scan->capacity < 64 ? 64 : scan->capacity * 2;
        struct scan_file *grown = memory_resize(scan->file, capacity, sizeof *grown);

        if (grown == NULL)
            return error_set(err, ERNIE_ENOMEM, "index: out of memory");
        scan->file = grown;
        scan->capacity = capacity;
    }
    added = &scan->file[scan->n_files];
    *added = (struct scan_file){ .place = scanner->place,
                                 .path = memory_copy_text(file->path, strlen(file->path)),
                                 .size_bytes = file->size_bytes,
                                 .mtime_ns = file->mtime_ns,
                                 .ctime_ns = file->ctime_ns };
    if (added->path == NULL)
        return error_set(err, ERNIE_ENOMEM, "index: out of memory");
    scan->n_files++;
    scan->n_bytes += file->size_bytes;
    return scanner->progress(scanner->data, NULL, NULL, err);
}

static int look_at_file(void *data, const struct walk_file *file, const char *failure,
                        ernie_error *err)
{
    struct scanner *scanner = data;
    struct store_document document;
    int found, status;

    if (failure != NULL) {
        scanner->report->n_failed++;
        status = keep_below(scanner, file->path, err);
        return status == ERNIE_OK ? scanner->progress(scanner->data, file->path, failure, err)
                                  : status;
    }
    if (!document_name_is_promising(file->path)) {
        scanner->report->n_skipped++;
        return ERNIE_OK;
    }
    status = store_document_find(scanner->store, scanner->place->root_id, file->path, &document,
                                 &found, err);
    if (status != ERNIE_OK)
        return status;
    if (found && is_unchanged(&document, file)) {
        scanner->report->n_unchanged++;
        /* What is in it lies below it. */
        return document_format_is_container(document_format_of_name(document.format))
                   ? keep_below(scanner, file->path, err)
                   : keep(scanner->scan, document.id, err);
    }
    return add_file(scanner, file, err);
}

int scan(struct store *store, size_t n_paths, const char *const *paths,
         const struct walk_options *options, scan_fn progress, void *data,
         struct ernie_index_report *report, struct scan *out, ernie_error *err)
{
    struct scanner scanner = { .store = store, .scan = out, .report = report,
                               .progress = progress, .data = data };
    uint64_t seq;
    int status = add_places(out, store, n_paths, paths, err);

    if (status != ERNIE_OK)
        return status;
    /* One read transaction for the thousands of look-ups. */
    status = store_snapshot_begin(store, &seq, err);
    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; status == ERNIE_OK && i < out->n_places; i++) {
        scanner.place = &out->place[i];
        status = walk(out->place[i].root, out->place[i].below, options, look_at_file, &scanner,
                      err);
    }
    store_snapshot_end(store);
    return status;
}

void scan_reset(struct scan *scan)
{
    for (size_t i = 0; i < scan->n_places; i++) {
        memory_free(scan->place[i].root);
        memory_free(scan->place[i].below);
    }
    for (size_t i = 0; i < scan->n_files; i++)
        memory_free(scan->file[i].path);
    memory_free(scan->place);
    memory_free(scan->file);
    id_set_reset(&scan->kept);
    memset(scan, 0, sizeof *scan);
}

/* ---- what is gone ------------------------------------------------------ */

static int remove_gone_of(const struct scan_place *place, const struct id_set *kept,
                          struct store *store, struct ernie_index_report *report,
                          ernie_error *err)
{
    int64_t *ids;
    size_t n, n_open = 0;
    int status = store_document_ids(store, place->root_id, place->below, &ids, &n, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        if (id_set_has(kept, ids[i]))
            continue;
        if (n_open == 0)
            status = store_begin(store, err);
        if (status == ERNIE_OK)
            status = store_document_delete(store, ids[i], err);
        if (status == ERNIE_OK && ++n_open == REMOVED_AT_ONCE) {
            status = store_commit(store, err);
            report->n_removed += status == ERNIE_OK ? n_open : 0;
            n_open = 0;
        }
    }
    if (status == ERNIE_OK && n_open > 0) {
        status = store_commit(store, err);
        report->n_removed += status == ERNIE_OK ? n_open : 0;
    }
    if (status != ERNIE_OK)
        store_rollback(store);
    memory_free(ids);
    return status;
}

int scan_remove_gone(const struct scan *scan, struct store *store,
                     struct ernie_index_report *report, ernie_error *err)
{
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < scan->n_places; i++)
        status = remove_gone_of(&scan->place[i], &scan->kept, store, report, err);
    return status;
}
