/* Folders that are indexed, as rows. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "sql/statement.h"
#include "sql/store_parts.h"

enum statement { ROOTS, ROOT_ADD, ROOT_DELETE, N_STATEMENTS };

static const char *const sql_of[N_STATEMENTS] = {
    [ROOTS] = "SELECT id, path FROM main.ernie_roots WHERE id <> 0",
    [ROOT_ADD] = "INSERT INTO main.ernie_roots (path) VALUES (?1)",
    [ROOT_DELETE] = "DELETE FROM main.ernie_roots WHERE id = ?1",
};

int store_roots_init(struct store *store, ernie_error *err)
{
    return statements_init(&store->roots, store->connection, store->path, N_STATEMENTS, sql_of,
                           err);
}

/* What is stored for an absolute path: what is below the database's folder, "." for
 * that folder itself, or the path. Points into path or is static. */
static const char *stored_root(const struct store *store, const char *path)
{
    const char *below = store->folder != NULL ? path_below(store->folder, path) : NULL;

    if (below == NULL)
        return path;
    return below[0] == '\0' ? "." : below;
}

/* The other way round, from bytes [size]; NULL when memory ran out. */
static char *resolved_root(const struct store *store, const char *stored, size_t size)
{
    struct buffer path = { 0 };

    if (store->folder != NULL && (size == 0 || stored[0] != '/')) {
        buffer_append_text(&path, store->folder);
        if (size == 1 && stored[0] == '.')
            return buffer_take(&path);
        if (strcmp(store->folder, "/") != 0)
            buffer_append_char(&path, '/');
    }
    buffer_append(&path, stored, size);
    return buffer_take(&path);
}

/* An outer root's path is a prefix of an inner one's, and so comes before it. */
static int compare_roots(const void *a, const void *b)
{
    const struct store_root *x = a, *y = b;

    return strcmp(x->path, y->path);
}

int store_roots(struct store *store, struct store_root **out, size_t *n, ernie_error *err)
{
    struct query query = query_start(&store->roots, ROOTS);
    struct store_root *roots = NULL;
    size_t n_roots = 0, size;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&query)) {
        const char *stored = column_bytes(&query, 1, &size);
        char *path = resolved_root(store, stored, size);
        struct store_root *grown = memory_resize(roots, n_roots + 1, sizeof *grown);

        roots = grown != NULL ? grown : roots;
        if (path == NULL || grown == NULL) {
            memory_free(path);
            status = store_fail(store, SQLITE_NOMEM, err);
        } else {
            roots[n_roots++] = (struct store_root){ column_integer(&query, 0), path };
        }
    }
    status = query_end(&query, status, err);
    if (status != ERNIE_OK) {
        store_roots_free(roots, n_roots);
        return status;
    }
    if (n_roots > 1)
        qsort(roots, n_roots, sizeof *roots, compare_roots);
    *out = roots;
    *n = n_roots;
    return ERNIE_OK;
}

void store_roots_free(struct store_root *roots, size_t n)
{
    for (size_t i = 0; i < n; i++)
        memory_free(roots[i].path);
    memory_free(roots);
}

/* The documents of the root inner_id become documents of outer_id, which has inner
 * below it. */
static int absorb_root(struct store *store, int64_t outer_id, int64_t inner_id, const char *below,
                       ernie_error *err)
{
    struct query query;
    int status = store_documents_move(store, inner_id, outer_id, below, err);

    if (status != ERNIE_OK)
        return status;
    query = query_start(&store->roots, ROOT_DELETE);
    bind_integer(&query, 1, inner_id);
    return query_run(&query, err);
}

/* The row of a root that is not there yet. */
static int add_root(struct store *store, const char *path, int64_t *id, ernie_error *err)
{
    struct query query = query_start(&store->roots, ROOT_ADD);
    int status;

    bind_path(&query, 1, stored_root(store, path));
    status = query_run(&query, err);
    if (status == ERNIE_OK)
        *id = sqlite3_last_insert_rowid(store->connection);
    return status;
}

int store_root_add(struct store *store, const char *path, int64_t *id, ernie_error *err)
{
    struct store_root *roots;
    size_t n;
    int64_t root_id = 0;
    int status = store_roots(store, &roots, &n, err);

    if (status != ERNIE_OK)
        return status;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(roots[i].path, path) == 0)
            root_id = roots[i].id;
    }
    if (root_id == 0)
        status = add_root(store, path, &root_id, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const char *below = path_below(path, roots[i].path);

        /* A root of the same path has "" below: a database that was moved to where
         * an absolute root of it points has the folder twice. */
        if (below != NULL && roots[i].id != root_id)
            status = absorb_root(store, root_id, roots[i].id, below, err);
    }
    store_roots_free(roots, n);
    if (status == ERNIE_OK)
        *id = root_id;
    return status;
}
