#include "scan.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/utf8.h"
#include "cut.h"
#include "document/extract.h"

/* Removing a document costs a commit's fsync; many of them share one. */
#define REMOVED_AT_ONCE 256
/* File systems keep times as coarse as 2 s (FAT). A file read that soon after it
 * was written may have been written again without its time showing it. */
#define COARSE_NS 2000000000

#define LOOKS_A_REPORT 1024

struct scanner {
    struct store *store;
    const struct scan_request *request;
    struct scan *scan;
    const struct scan_place *place;
    struct ernie_index_report *report;
    scan_fn progress;
    void *data;
    size_t n_looked;
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

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "index: out of memory");
}

/* The roots there are, read once and again after one was added. */
static int read_roots(struct scan *scan, struct store *store, ernie_error *err)
{
    if (scan->root != NULL)
        return ERNIE_OK;
    return store_roots(store, &scan->root, &scan->n_roots, err);
}

static void forget_roots(struct scan *scan)
{
    store_roots_free(scan->root, scan->n_roots);
    scan->root = NULL;
    scan->n_roots = 0;
}

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

static int add_place(struct scan *scan, int64_t root_id, const char *root, const char *below,
                     ernie_error *err)
{
    struct scan_place *place = &scan->place[scan->n_places];

    place->root_id = root_id;
    place->root = memory_copy_text(root, strlen(root));
    place->below = memory_copy_text(below, strlen(below));
    if (place->root == NULL || place->below == NULL) {
        memory_free(place->root);
        memory_free(place->below);
        return out_of_memory(err);
    }
    scan->n_places++;
    return ERNIE_OK;
}

/* A place in a root there is. *is_known is 0 when no root holds it. */
static int add_known_place(struct scan *scan, struct store *store, const char *path,
                           int *is_known, ernie_error *err)
{
    const struct store_root *root;
    const char *below;
    int status = read_roots(scan, store, err);

    if (status != ERNIE_OK)
        return status;
    root = scan_find_root(scan->root, scan->n_roots, path, &below);
    *is_known = root != NULL;
    return root != NULL ? add_place(scan, root->id, root->path, below, err) : ERNIE_OK;
}

/* A place in a new root: the folder itself, or the folder of a file. */
static int add_new_place(struct scan *scan, struct store *store, const char *path, int is_folder,
                         ernie_error *err)
{
    char *root = is_folder ? memory_copy_text(path, strlen(path)) : path_directory(path);
    int64_t root_id;
    int status;

    if (root == NULL)
        return out_of_memory(err);
    status = store_root_add(store, root, &root_id, err);
    forget_roots(scan);
    if (status == ERNIE_OK)
        status = add_place(scan, root_id, root, is_folder ? "" : strrchr(path, '/') + 1, err);
    memory_free(root);
    return status;
}

/* What is missing: the folder nearest to it that is there, and the names that follow. NULL
 * when it cannot be told. */
static char *resolve_missing(const char *given)
{
    size_t size = strlen(given), end;
    struct buffer path = { 0 };
    char *folder, *resolved = NULL;

    while (size > 1 && given[size - 1] == '/')
        size--;
    end = size;
    while (resolved == NULL && end > 0) {
        while (end > 0 && given[end - 1] == '/')
            end--;
        while (end > 0 && given[end - 1] != '/')
            end--;
        folder = end > 0 ? memory_copy_text(given, end) : memory_copy_text(".", 1);
        if (folder == NULL || path_resolve(folder, &resolved, NULL) != ERNIE_OK)
            resolved = NULL;
        memory_free(folder);
    }
    if (resolved == NULL)
        return NULL;
    buffer_append_text(&path, resolved);
    if (strcmp(resolved, "/") != 0)
        buffer_append_char(&path, '/');
    buffer_append(&path, given + end, size - end);
    memory_free(resolved);
    return buffer_take(&path);
}

int scan_resolve(const char *given, char **out, ernie_error *err)
{
    ernie_error why;
    char *path;
    int status = path_resolve(given, &path, &why);

    if (status == ERNIE_ENOTFOUND) {
        path = resolve_missing(given);
        status = path != NULL ? ERNIE_OK : ERNIE_ENOTFOUND;
    }
    if (status != ERNIE_OK)
        return error_set(err, status, "%s", why.message);
    *out = path;
    return ERNIE_OK;
}

/* A path that is not there: what is indexed of it is a place still, and a path that nothing
 * is indexed of is misspelt. */
static int add_missing_path(struct scan *scan, struct store *store, const char *path,
                            const char *given, ernie_error *err)
{
    const struct scan_place *place;
    int64_t *ids = NULL;
    int is_known, status = add_known_place(scan, store, path, &is_known, err);
    size_t n = 0;

    if (status == ERNIE_OK && is_known) {
        place = &scan->place[scan->n_places - 1];
        status = store_document_ids(store, place->root_id, place->below, &ids, &n, err);
        memory_free(ids);
    }
    if (status == ERNIE_OK && n == 0)
        status = error_set_system(err, ENOENT, given);
    return status;
}

/* A file or a folder as the caller named it. */
static int add_path(struct scan *scan, struct store *store, const char *given, ernie_error *err)
{
    struct stat st;
    char *path;
    int is_known, status = scan_resolve(given, &path, err);

    if (status != ERNIE_OK)
        return status;
    if (is_covered(scan, path)) {
        status = ERNIE_OK;
    } else if (system_table.fstatat(AT_FDCWD, path, &st, 0) != 0) {
        status = errno == ENOENT || errno == ENOTDIR
                     ? add_missing_path(scan, store, path, given, err)
                     : error_set_system(err, errno, given);
    } else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) {
        status = error_set(err, ERNIE_EINVAL, "%s: neither a folder nor a regular file", given);
    } else {
        status = add_known_place(scan, store, path, &is_known, err);
        if (status == ERNIE_OK && !is_known)
            status = add_new_place(scan, store, path, S_ISDIR(st.st_mode), err);
    }
    memory_free(path);
    return status;
}

/* A path that cannot be used fails the whole call, before anything is scanned:
 * most likely it is misspelt. */
static int add_paths(struct scan *scan, struct store *store, const struct scan_request *request,
                     ernie_error *err)
{
    int is_known, status = store_begin(store, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; status == ERNIE_OK && i < request->n_paths; i++) {
        if (request->are_changes)
            status = add_known_place(scan, store, request->paths[i], &is_known, err);
        else
            status = add_path(scan, store, request->paths[i], err);
    }
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    return status;
}

/* ---- files ------------------------------------------------------------- */

static int add_id(struct id_set *set, int64_t document_id, ernie_error *err)
{
    return id_set_add(set, document_id) < 0 ? out_of_memory(err) : ERNIE_OK;
}

/* Documents below a folder that cannot be read now are not gone. */
static int keep_below(struct scanner *scanner, const char *path, ernie_error *err)
{
    int64_t *ids = NULL;
    size_t n;
    int status = store_document_ids(scanner->store, scanner->place->root_id, path, &ids, &n, err);

    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        status = add_id(&scanner->scan->kept, ids[i], err);
    memory_free(ids);
    return status;
}

static int is_unchanged(const struct store_document *document, const struct walk_file *file)
{
    return document->size_bytes == file->size_bytes && document->mtime_ns == file->mtime_ns &&
           document->ctime_ns == file->ctime_ns &&
           document->checked_ns - COARSE_NS > file->mtime_ns &&
           document->extractor_version >= DOCUMENT_VERSION;
}

/* An array with room for one more, or NULL: the old one is good still. */
static void *grow(void *array, size_t n, size_t *capacity, size_t size)
{
    size_t more = *capacity < 64 ? 64 : *capacity + *capacity / 2;
    void *grown;

    if (n < *capacity)
        return array;
    grown = memory_resize(array, more, size);
    if (grown != NULL)
        *capacity = more;
    return grown;
}

static uint64_t add_name(struct scan *scan, const char *name, size_t size)
{
    uint64_t offset = scan->names.size;

    buffer_append(&scan->names, name, size);
    buffer_append_char(&scan->names, '\0');
    return offset;
}

/* The folder [size] of a file, with its slash, is mostly that of the file before. */
static int add_folder(struct scanner *scanner, const char *path, size_t size, ernie_error *err)
{
    struct scan *scan = scanner->scan;
    struct scan_folder *grown;

    if (scan->n_folders > 0) {
        const struct scan_folder *last = &scan->folder[scan->n_folders - 1];
        const char *name = scan->names.data + last->name;

        if (last->place == scanner->place && strncmp(name, path, size) == 0 && name[size] == '\0')
            return ERNIE_OK;
    }
    if (scan->n_folders == UINT32_MAX)
        return error_set(err, ERNIE_EINVAL, "index: more than four thousand million folders");
    grown = grow(scan->folder, scan->n_folders, &scan->folder_capacity, sizeof *grown);
    if (grown == NULL)
        return out_of_memory(err);
    scan->folder = grown;
    scan->folder[scan->n_folders++] =
        (struct scan_folder){ .place = scanner->place, .name = add_name(scan, path, size) };
    return ERNIE_OK;
}

static int add_file(struct scanner *scanner, const struct walk_file *file, ernie_error *err)
{
    struct scan *scan = scanner->scan;
    const char *slash = strrchr(file->path, '/'), *name = slash != NULL ? slash + 1 : file->path;
    struct scan_entry *grown = grow(scan->entry, scan->n_files, &scan->capacity, sizeof *grown);
    int status;

    if (grown == NULL)
        return out_of_memory(err);
    scan->entry = grown;
    status = add_folder(scanner, file->path, (size_t)(name - file->path), err);
    if (status != ERNIE_OK)
        return status;
    scan->entry[scan->n_files] =
        (struct scan_entry){ .size_bytes = file->size_bytes,
                             .name = add_name(scan, name, strlen(name)),
                             .folder = (uint32_t)(scan->n_folders - 1) };
    if (scan->names.failed)
        return out_of_memory(err);
    scan->n_files++;
    scan->n_bytes += file->size_bytes;
    return scanner->progress(scanner->data, NULL, NULL, err);
}

void scan_glance(const void *data, size_t i, const char **name, uint64_t *size_bytes)
{
    const struct scan *scan = data;

    *name = scan->names.data + scan->entry[i].name;
    *size_bytes = scan->entry[i].size_bytes;
}

int scan_file(const struct scan *scan, size_t i, struct scan_file *out, ernie_error *err)
{
    const struct scan_entry *entry = &scan->entry[i];
    const struct scan_folder *folder = &scan->folder[entry->folder];
    struct buffer path = { 0 };

    buffer_append_text(&path, scan->names.data + folder->name);
    buffer_append_text(&path, scan->names.data + entry->name);
    *out = (struct scan_file){ .place = folder->place,
                               .path = buffer_take(&path),
                               .size_bytes = entry->size_bytes };
    return out->path != NULL ? ERNIE_OK : out_of_memory(err);
}

static int look_at_file(void *data, const struct walk_file *file, const char *failure,
                        ernie_error *err)
{
    struct scanner *scanner = data;
    const int is_image = document_name_is_image(file->path);
    struct store_document document;
    int found, status;

    if (failure != NULL) {
        scanner->report->n_failed++;
        status = keep_below(scanner, file->path, err);
        return status == ERNIE_OK ? scanner->progress(scanner->data, file->path, failure, err)
                                  : status;
    }
    /* A folder of a million files that have not changed is to be left at once too. */
    if (++scanner->n_looked % LOOKS_A_REPORT == 0) {
        status = scanner->progress(scanner->data, NULL, NULL, err);
        if (status != ERNIE_OK)
            return status;
    }
    if (!document_name_is_promising(file->path) && !is_image) {
        scanner->report->n_skipped++;
        return ERNIE_OK;
    }
    status = store_document_find(scanner->store, scanner->place->root_id, file->path, &document,
                                 &found, err);
    if (status == ERNIE_OK && found)
        status = add_id(&scanner->scan->seen, document.id, err);
    if (status != ERNIE_OK)
        return status;
    if (is_image && !scanner->request->images) { /* what was found in it when that was asked for stays */
        scanner->report->n_skipped++;
        return found ? add_id(&scanner->scan->kept, document.id, err) : ERNIE_OK;
    }
    if (found && is_unchanged(&document, file)) {
        scanner->report->n_unchanged++;
        /* What is in it lies below it. */
        return document_format_is_container(document_format_of_name(document.format))
                   ? keep_below(scanner, file->path, err)
                   : add_id(&scanner->scan->kept, document.id, err);
    }
    return add_file(scanner, file, err);
}

/* Says that what is indexed at a place of a root stays, if anything is. */
static int tell_of_kept(struct scanner *scanner, const char *below, const char *why,
                        ernie_error *err)
{
    const struct scan_place *place = scanner->place;
    struct buffer path = { 0 }, words = { 0 };
    int64_t *ids = NULL;
    size_t n = 0;
    int status = store_document_ids(scanner->store, place->root_id, below, &ids, &n, err);

    memory_free(ids);
    if (status != ERNIE_OK || n == 0)
        return status;
    scanner->report->n_kept += n;
    if (scanner->request->is_quiet)
        return ERNIE_OK;
    buffer_append_text(&path, place->root);
    if (below[0] != '\0') {
        buffer_append_char(&path, '/');
        buffer_append_text(&path, below);
    }
    if (path.data != NULL)
        utf8_append_printable(&words, path.data, path.size);
    buffer_printf(&words, ": %s, so its %zu document%s kept; `ernie index --prune` removes %s", why,
                  n, n == 1 ? " is" : "s are", n == 1 ? "it" : "them");
    if (path.failed || words.failed || words.data == NULL)
        status = out_of_memory(err);
    else
        status = scanner->progress(scanner->data, path.data, words.data, err);
    buffer_reset(&path);
    buffer_reset(&words);
    return status;
}

/* Whether what is gone at the place is gone for good. A drive that is not there leaves no
 * folder or an empty one. */
static int scan_place(struct scanner *scanner, struct scan_place *place,
                      const struct walk_options *options, ernie_error *err)
{
    const struct scan_request *request = scanner->request;
    enum walk_presence presence = walk_look(place->root, place->below);
    int status = ERNIE_OK;

    scanner->place = place;
    if ((presence == WALK_ABSENT || presence == WALK_EMPTY) && !request->prune) {
        if (!request->are_changes) {
            place->keeps = 1;
            status = tell_of_kept(scanner, place->below,
                                  presence == WALK_EMPTY ? "is empty" : "is not there", err);
        } else {
            place->keeps = walk_look(place->root, "") != WALK_PRESENT;
        }
    }
    if (status != ERNIE_OK || presence == WALK_ABSENT)
        return status;
    return walk(place->root, place->below, options, look_at_file, scanner, err);
}

static int note_mount(void *data, const char *root, const char *path, ernie_error *err)
{
    struct scanner *scanner = data;

    (void)root;
    return mounts_add(&scanner->scan->mounts, scanner->place->root_id, path, err);
}

/* Documents of the place on a disk that was mounted below its root, and is not now, stay. */
static int keep_unmounted(struct scanner *scanner, const struct scan_place *place,
                          ernie_error *err)
{
    struct mount mount;
    size_t at = 0;
    int status = ERNIE_OK;

    scanner->place = place;
    while (status == ERNIE_OK && mounts_next(&scanner->scan->mounts, &at, &mount)) {
        char *path;

        if (mount.root_id != place->root_id)
            continue;
        path = memory_copy_text(mount.path, mount.size);
        if (path == NULL)
            return out_of_memory(err);
        if ((place->below[0] == '\0' || path_below(place->below, path) != NULL ||
             path_below(path, place->below) != NULL) &&
            !walk_is_mount(place->root, path)) {
            status = keep_below(scanner, path, err);
            if (status == ERNIE_OK && !scanner->request->are_changes)
                status = tell_of_kept(scanner, path, "is not mounted", err);
        }
        memory_free(path);
    }
    return status;
}

static int scan_places(struct scanner *scanner, ernie_error *err)
{
    struct scan *scan = scanner->scan;
    struct walk_options options = scanner->request->walk;
    int status = ERNIE_OK;

    options.mount = note_mount;
    options.mount_data = scanner;
    for (size_t i = 0; status == ERNIE_OK && i < scan->n_places; i++)
        status = scan_place(scanner, &scan->place[i], &options, err);
    for (size_t i = 0; status == ERNIE_OK && !scanner->request->prune && i < scan->n_places; i++)
        if (!scan->place[i].keeps)
            status = keep_unmounted(scanner, &scan->place[i], err);
    return status;
}

int scan(struct store *store, const struct scan_request *request, scan_fn progress, void *data,
         struct ernie_index_report *report, struct scan *out, ernie_error *err)
{
    struct scanner scanner = { .store = store, .request = request, .scan = out, .report = report,
                               .progress = progress, .data = data };
    uint64_t seq;
    int status;

    out->place = memory_new(request->n_paths, sizeof *out->place);
    if (out->place == NULL)
        return out_of_memory(err);
    status = add_paths(out, store, request, err);
    if (status == ERNIE_OK)
        status = mounts_read(&out->mounts, store, err);
    if (status != ERNIE_OK)
        return status;
    /* One read transaction for the thousands of look-ups. */
    status = store_snapshot_begin(store, &seq, err);
    if (status != ERNIE_OK)
        return status;
    status = scan_places(&scanner, err);
    store_snapshot_end(store);
    return status == ERNIE_OK ? mounts_write(&out->mounts, store, err) : status;
}

void scan_reset(struct scan *scan)
{
    for (size_t i = 0; i < scan->n_places; i++) {
        memory_free(scan->place[i].root);
        memory_free(scan->place[i].below);
    }
    memory_free(scan->place);
    memory_free(scan->entry);
    memory_free(scan->folder);
    buffer_reset(&scan->names);
    mounts_reset(&scan->mounts);
    id_set_reset(&scan->seen);
    id_set_reset(&scan->kept);
    forget_roots(scan);
    memset(scan, 0, sizeof *scan);
}

/* ---- what has another name now ----------------------------------------- */

/* The kind of a name decides how its file is read: "md" and "txt" of the same bytes have
 * other texts. */
static const char *name_ending(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    const char *dot = strrchr(name, '.');

    return dot != NULL ? dot : "";
}

struct candidate {
    struct scan *scan;
    const struct scan_file *file;
    int64_t found; /* or 0 */
    int64_t root_id;
    struct buffer path;
};

/* Whether a document's own file is gone: not by a look at a root that is not there itself,
 * or at one that is empty. */
static int is_gone(const struct scan *scan, const struct store_document *document)
{
    for (size_t i = 0; i < scan->n_roots; i++) {
        const char *root = scan->root[i].path;

        if (scan->root[i].id == document->root_id)
            return walk_look(root, document->path) == WALK_ABSENT &&
                   walk_look(root, "") == WALK_PRESENT;
    }
    return 0;
}

static int consider(void *data, const struct store_document *document, int *stop,
                    ernie_error *err)
{
    struct candidate *candidate = data;
    struct scan *scan = candidate->scan;

    if (document->extractor_version >= DOCUMENT_VERSION &&
        !id_set_has(&scan->seen, document->id) && !id_set_has(&scan->kept, document->id) &&
        strcmp(name_ending(document->path), name_ending(candidate->file->path)) == 0 &&
        is_gone(scan, document)) {
        candidate->found = document->id;
        candidate->root_id = document->root_id;
        buffer_append_text(&candidate->path, document->path);
        *stop = 1;
    }
    return candidate->path.failed ? out_of_memory(err) : ERNIE_OK;
}

int scan_find_moved(struct scan *scan, struct store *store, const struct scan_file *file,
                    const uint8_t hash[16], int64_t *id, ernie_error *err)
{
    struct candidate candidate = { .scan = scan, .file = file };
    int64_t *ids = NULL;
    size_t n = 0;
    int status = read_roots(scan, store, err);

    if (status == ERNIE_OK)
        status = store_document_twins(store, hash, consider, &candidate, err);
    if (status == ERNIE_OK && candidate.found != 0) /* with what is in it */
        status = store_document_ids(store, candidate.root_id, candidate.path.data, &ids, &n, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        status = add_id(&scan->kept, ids[i], err);
    if (status == ERNIE_OK)
        *id = candidate.found;
    memory_free(ids);
    buffer_reset(&candidate.path);
    return status;
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
        if (!scan->place[i].keeps)
            status = remove_gone_of(&scan->place[i], &scan->kept, store, report, err);
    return status;
}
