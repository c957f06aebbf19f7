/* Documents and their chunks as rows, and what is counted of them. */
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "sql/collection.h"
#include "sql/statement.h"
#include "sql/store_parts.h"
#include "sql/word_index.h"

/* Every statement that runs more than once. */
enum statement {
    DOCUMENT_FIND,
    DOCUMENT_PUT,
    DOCUMENT_TOUCH,
    DOCUMENT_MOVE,
    DOCUMENT_RENAME,
    DOCUMENT_TWINS,
    MEMBERS,
    DOCUMENT_DELETE,
    MEMBERS_DELETE,
    DOCUMENT_PATHS,
    DOCUMENT_IDS,
    DOCUMENT_IDS_BELOW,
    CHUNKS_DELETE,
    CHUNK_ADD,
    TEXTS,
    HIT_GET,
    DOCUMENTS,
    COUNTS,
    TEXT_BYTES,
    N_STATEMENTS
};

/* The day that a document states, else that its file changed on, here; NULL for a text that
 * was given without either. */
#define DOCUMENT_DATE \
    "coalesce(d.date, CASE WHEN d.mtime_ns <> 0 THEN" \
    " date(d.mtime_ns / 1000000000, 'unixepoch', 'localtime') END)"

/* Tables are named with "main.": a temporary table of a host's must not stand in
 * for one of ours. */
static const char *const sql_of[N_STATEMENTS] = {
    [DOCUMENT_FIND] = "SELECT id, root_id, size_bytes, mtime_ns, ctime_ns, checked_ns, hash, path,"
                      " title, format, encoding, author, language, failure, date,"
                      " container_id, extractor_version FROM main.ernie_documents"
                      " WHERE root_id = ?1 AND path = ?2",
    [DOCUMENT_PUT] = "INSERT INTO main.ernie_documents (root_id, path, title, format, encoding,"
                     " size_bytes, mtime_ns, ctime_ns, checked_ns, hash, failure, author,"
                     " language, date, container_id, extractor_version) VALUES"
                     " (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
                     " ON CONFLICT (root_id, path) DO UPDATE SET title = excluded.title,"
                     " format = excluded.format, encoding = excluded.encoding,"
                     " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,"
                     " ctime_ns = excluded.ctime_ns, checked_ns = excluded.checked_ns,"
                     " hash = excluded.hash, failure = excluded.failure,"
                     " author = excluded.author, language = excluded.language,"
                     " date = excluded.date, container_id = excluded.container_id,"
                     " extractor_version = excluded.extractor_version RETURNING id",
    [DOCUMENT_TOUCH] = "UPDATE main.ernie_documents SET size_bytes = ?3, mtime_ns = ?4,"
                       " ctime_ns = ?5, checked_ns = ?6 WHERE root_id = ?1 AND path = ?2",
    [DOCUMENT_MOVE] = "UPDATE main.ernie_documents SET root_id = ?2, path = ?3 WHERE id = ?1",
    [DOCUMENT_RENAME] = "UPDATE main.ernie_documents SET root_id = ?2, path = ?3, size_bytes = ?4,"
                        " mtime_ns = ?5, ctime_ns = ?6, checked_ns = ?7 WHERE id = ?1 RETURNING id",
    [DOCUMENT_TWINS] = "SELECT id, root_id, path, extractor_version FROM main.ernie_documents"
                       " WHERE hash = ?1 AND failure IS NULL AND root_id <> 0"
                       " AND container_id IS NULL LIMIT 1000",
    [DOCUMENT_DELETE] = "DELETE FROM main.ernie_documents WHERE id = ?1",
    /* With the length of the container's path, which those of all members begin with. */
    [MEMBERS] = "WITH RECURSIVE inside (id) AS ("
                "SELECT id FROM main.ernie_documents WHERE container_id = ?1 UNION"
                " SELECT d.id FROM inside JOIN main.ernie_documents d ON d.container_id = inside.id)"
                " SELECT d.id, d.path, (SELECT length(CAST(path AS BLOB)) FROM main.ernie_documents"
                " WHERE id = ?1) FROM inside JOIN main.ernie_documents d ON d.id = inside.id",
    [MEMBERS_DELETE] = "DELETE FROM main.ernie_documents WHERE container_id = ?1",
    [DOCUMENT_PATHS] = "SELECT id, path FROM main.ernie_documents WHERE root_id = ?1",
    [DOCUMENT_IDS] = "SELECT id FROM main.ernie_documents WHERE root_id = ?1 ORDER BY id",
    /* Below "a" is what lies between "a/" and "a0", 0 being the byte after the slash:
     * the index finds it, and no wildcard in a name means anything. Text and BLOBs are
     * two ranges because every text comes before every BLOB. */
    [DOCUMENT_IDS_BELOW] = "SELECT id FROM main.ernie_documents WHERE root_id = ?1 AND path = ?2"
                           " UNION ALL SELECT id FROM main.ernie_documents"
                           " WHERE root_id = ?1 AND path > ?3 AND path < ?4"
                           " UNION ALL SELECT id FROM main.ernie_documents"
                           " WHERE root_id = ?1 AND path > ?5 AND path < ?6 ORDER BY 1",
    [CHUNKS_DELETE] = "DELETE FROM main.ernie_chunks WHERE document_id = ?1",
    [CHUNK_ADD] = "INSERT INTO main.ernie_chunks (document_id, ordinal, start_byte, end_byte,"
                  " line, text, page, heading) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [TEXTS] = "SELECT id, heading, text FROM main.ernie_chunks ORDER BY id",
    [HIT_GET] = "SELECT d.id, d.root_id, c.line, c.page, d.path, d.title, c.heading, d.format,"
                " d.author, d.language, " DOCUMENT_DATE ", c.text"
                " FROM main.ernie_chunks c JOIN main.ernie_documents d ON d.id = c.document_id"
                " WHERE c.id = ?1",
    [DOCUMENTS] = "SELECT d.id, d.format, " DOCUMENT_DATE " FROM main.ernie_documents d"
                  " WHERE d.failure IS NULL",
    [COUNTS] = "SELECT (SELECT count(*) FROM main.ernie_documents),"
               " (SELECT count(*) FROM main.ernie_documents WHERE failure IS NOT NULL),"
               " (SELECT count(*) FROM main.ernie_chunks),"
               " (SELECT count(*) FROM main.ernie_embeddings),"
               " (SELECT count(*) FROM main.ernie_roots WHERE id <> 0),"
               " (SELECT page_count * page_size FROM pragma_page_count('main')"
               " JOIN pragma_page_size('main'))",
    [TEXT_BYTES] = "SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM main.ernie_chunks",
};

int store_documents_init(struct store *store, ernie_error *err)
{
    return statements_init(&store->documents, store->connection, store->path, N_STATEMENTS,
                           sql_of, err);
}

static int run_with_id(struct store *store, enum statement which, int64_t id, ernie_error *err)
{
    struct query query = query_start(&store->documents, which);

    bind_integer(&query, 1, id);
    return query_run(&query, err);
}

/* Strings are copied from their row, and the row let go: one that stayed would hold
 * a read transaction open, which keeps SQLite's log from being taken in, and makes
 * the next write of this connection fail when another process wrote in between. */
static size_t hold(struct buffer *held, struct query *query, int i)
{
    size_t offset = held->size, size;
    const void *bytes = column_bytes(query, i, &size);

    buffer_append(held, bytes, size);
    buffer_append_char(held, '\0');
    return offset;
}

/* ---- documents --------------------------------------------------------- */

int store_document_find(struct store *store, int64_t root_id, const char *path,
                        struct store_document *out, int *found, ernie_error *err)
{
    struct query query = query_start(&store->documents, DOCUMENT_FIND);
    struct store_document document = { 0 };
    size_t offsets[8] = { 0 }, size;
    int has_failure = 0, has_date = 0, status;

    bind_integer(&query, 1, root_id);
    bind_path(&query, 2, path);
    buffer_clear(&store->held);
    *found = query_row(&query);
    if (*found) {
        const void *hash = column_bytes(&query, 6, &size);

        document.id = column_integer(&query, 0);
        document.root_id = column_integer(&query, 1);
        document.size_bytes = (uint64_t)column_integer(&query, 2);
        document.mtime_ns = column_integer(&query, 3);
        document.ctime_ns = column_integer(&query, 4);
        document.checked_ns = column_integer(&query, 5);
        if (size == sizeof document.hash) /* else all zero, which no file's is */
            memcpy(document.hash, hash, size);
        for (int i = 0; i < 8; i++)
            offsets[i] = hold(&store->held, &query, 7 + i);
        has_failure = sqlite3_column_type(query.statement, 13) != SQLITE_NULL;
        has_date = sqlite3_column_type(query.statement, 14) != SQLITE_NULL;
        document.container_id = column_integer(&query, 15); /* NULL reads as 0 */
        document.extractor_version = column_integer(&query, 16);
    }
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && store->held.failed)
        status = store_fail(store, SQLITE_NOMEM, err);
    if (status != ERNIE_OK || !*found)
        return status;
    document.path = store->held.data + offsets[0];
    document.title = store->held.data + offsets[1];
    document.format = store->held.data + offsets[2];
    document.encoding = store->held.data + offsets[3];
    document.author = store->held.data + offsets[4];
    document.language = store->held.data + offsets[5];
    document.failure = has_failure ? store->held.data + offsets[6] : NULL;
    document.date = has_date ? store->held.data + offsets[7] : NULL;
    *out = document;
    return ERNIE_OK;
}

int store_document_put(struct store *store, const struct store_document *document, int64_t *id,
                       ernie_error *err)
{
    struct query query = query_start(&store->documents, DOCUMENT_PUT);
    int64_t put = 0;
    int status;

    bind_integer(&query, 1, document->root_id);
    bind_path(&query, 2, document->path);
    bind_text(&query, 3, document->title);
    bind_text(&query, 4, document->format);
    bind_text(&query, 5, document->encoding);
    bind_integer(&query, 6, (int64_t)document->size_bytes);
    bind_integer(&query, 7, document->mtime_ns);
    bind_integer(&query, 8, document->ctime_ns);
    bind_integer(&query, 9, document->checked_ns);
    bind_bytes(&query, 10, document->hash, sizeof document->hash);
    bind_text(&query, 11, document->failure);
    bind_text(&query, 12, document->author != NULL ? document->author : "");
    bind_text(&query, 13, document->language != NULL ? document->language : "");
    bind_text(&query, 14, document->date);
    if (document->container_id != 0)
        bind_integer(&query, 15, document->container_id);
    bind_integer(&query, 16, document->extractor_version);
    while (query_row(&query))
        put = column_integer(&query, 0);
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK)
        status = run_with_id(store, CHUNKS_DELETE, put, err);
    if (status == ERNIE_OK)
        *id = put;
    return status;
}

int store_document_touch(struct store *store, const struct store_document *document,
                         ernie_error *err)
{
    struct query query = query_start(&store->documents, DOCUMENT_TOUCH);

    bind_integer(&query, 1, document->root_id);
    bind_path(&query, 2, document->path);
    bind_integer(&query, 3, (int64_t)document->size_bytes);
    bind_integer(&query, 4, document->mtime_ns);
    bind_integer(&query, 5, document->ctime_ns);
    bind_integer(&query, 6, document->checked_ns);
    return query_run(&query, err);
}

/* Gives a document to another root under another path; when that has one there, the
 * document goes. */
static int move_document(struct store *store, int64_t id, int64_t root_id, const char *path,
                         ernie_error *err)
{
    struct store_document there;
    struct query query;
    int found;
    int status = store_document_find(store, root_id, path, &there, &found, err);

    if (status != ERNIE_OK)
        return status;
    if (found)
        return store_document_delete(store, id, err);
    query = query_start(&store->documents, DOCUMENT_MOVE);
    bind_integer(&query, 1, id);
    bind_integer(&query, 2, root_id);
    bind_path(&query, 3, path);
    return query_run(&query, err);
}

int store_documents_move(struct store *store, int64_t from_root_id, int64_t to_root_id,
                         const char *below, ernie_error *err)
{
    struct query query = query_start(&store->documents, DOCUMENT_PATHS);
    int status = ERNIE_OK;

    /* Rows leave the query's range as they are moved, and come to no other place in
     * it: moving changes root_id, which the query fixes. */
    bind_integer(&query, 1, from_root_id);
    while (status == ERNIE_OK && query_row(&query)) {
        struct buffer path = { 0 };
        size_t size;
        const void *bytes = column_bytes(&query, 1, &size);

        buffer_append_text(&path, below);
        if (path.size > 0)
            buffer_append_char(&path, '/');
        buffer_append(&path, bytes, size);
        if (path.failed || path.data == NULL)
            status = store_fail(store, SQLITE_NOMEM, err);
        else
            status = move_document(store, column_integer(&query, 0), to_root_id, path.data, err);
        buffer_reset(&path);
    }
    return query_end(&query, status, err);
}

/* The members of a container are named after it. What the query gives is moved while it
 * runs: ids and containers, which it goes by, stay. */
static int rename_members(struct store *store, const struct store_document *container,
                          ernie_error *err)
{
    struct query query = query_start(&store->documents, MEMBERS);
    int status = ERNIE_OK;

    bind_integer(&query, 1, container->id);
    while (status == ERNIE_OK && query_row(&query)) {
        const size_t before = (size_t)column_integer(&query, 2);
        struct buffer path = { 0 };
        size_t size;
        const char *bytes = column_bytes(&query, 1, &size);

        buffer_append_text(&path, container->path);
        if (size > before)
            buffer_append(&path, bytes + before, size - before);
        if (path.failed || path.data == NULL)
            status = store_fail(store, SQLITE_NOMEM, err);
        else
            status = move_document(store, column_integer(&query, 0), container->root_id,
                                   path.data, err);
        buffer_reset(&path);
    }
    return query_end(&query, status, err);
}

int store_document_rename(struct store *store, const struct store_document *document,
                          ernie_error *err)
{
    struct store_document there;
    struct query query;
    int found, is_done = 0;
    int status = store_document_find(store, document->root_id, document->path, &there, &found, err);

    if (status == ERNIE_OK && found && there.id != document->id)
        status = store_document_delete(store, there.id, err);
    if (status == ERNIE_OK)
        status = rename_members(store, document, err);
    if (status != ERNIE_OK)
        return status;
    query = query_start(&store->documents, DOCUMENT_RENAME);
    bind_integer(&query, 1, document->id);
    bind_integer(&query, 2, document->root_id);
    bind_path(&query, 3, document->path);
    bind_integer(&query, 4, (int64_t)document->size_bytes);
    bind_integer(&query, 5, document->mtime_ns);
    bind_integer(&query, 6, document->ctime_ns);
    bind_integer(&query, 7, document->checked_ns);
    while (query_row(&query))
        is_done = 1;
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && !is_done)
        status = error_set(err, ERNIE_EBUSY, "%s: another process removed a document meanwhile",
                           store->path);
    return status;
}

int store_document_twins(struct store *store, const uint8_t hash[16], store_document_fn fn,
                         void *data, ernie_error *err)
{
    struct query query = query_start(&store->documents, DOCUMENT_TWINS);
    int status = ERNIE_OK, stop = 0;

    bind_bytes(&query, 1, hash, 16);
    while (status == ERNIE_OK && !stop && query_row(&query)) {
        struct store_document document = { .id = column_integer(&query, 0),
                                           .root_id = column_integer(&query, 1),
                                           .extractor_version = column_integer(&query, 3) };
        struct buffer path = { 0 };
        size_t size;
        const void *bytes = column_bytes(&query, 2, &size);

        buffer_append(&path, bytes, size);
        document.path = path.data;
        memcpy(document.hash, hash, sizeof document.hash);
        if (path.failed || path.data == NULL)
            status = store_fail(store, SQLITE_NOMEM, err);
        else
            status = fn(data, &document, &stop, err);
        buffer_reset(&path);
    }
    return query_end(&query, status, err);
}

int store_document_delete(struct store *store, int64_t id, ernie_error *err)
{
    return run_with_id(store, DOCUMENT_DELETE, id, err);
}

int store_members_delete(struct store *store, int64_t container_id, ernie_error *err)
{
    return run_with_id(store, MEMBERS_DELETE, container_id, err);
}

int store_document_ids(struct store *store, int64_t root_id, const char *below, int64_t **ids,
                       size_t *n, ernie_error *err)
{
    struct query query;
    const size_t size = strlen(below) + 1; /* with a slash, or the byte after it */
    char *from, *to;
    int status;

    if (below[0] == '\0') {
        query = query_start(&store->documents, DOCUMENT_IDS);
        bind_integer(&query, 1, root_id);
        return query_ids(&query, ids, n, err);
    }
    from = memory_copy_text(below, size);
    to = memory_copy_text(below, size);
    if (from == NULL || to == NULL) {
        memory_free(from);
        memory_free(to);
        return store_fail(store, SQLITE_NOMEM, err);
    }
    from[size - 1] = '/';
    to[size - 1] = '/' + 1;
    query = query_start(&store->documents, DOCUMENT_IDS_BELOW);
    bind_integer(&query, 1, root_id);
    bind_path(&query, 2, below);
    if (utf8_valid(below, size - 1)) { /* no text begins with what is not UTF-8 */
        bind_sized_text(&query, 3, from, size);
        bind_sized_text(&query, 4, to, size);
    }
    bind_bytes(&query, 5, from, size);
    bind_bytes(&query, 6, to, size);
    status = query_ids(&query, ids, n, err);
    memory_free(from);
    memory_free(to);
    return status;
}

int store_documents_each(struct store *store, store_listed_fn fn, void *data, ernie_error *err)
{
    struct query query = query_start(&store->documents, DOCUMENTS);
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&query)) {
        const char *format = (const char *)sqlite3_column_text(query.statement, 1);
        const char *date = (const char *)sqlite3_column_text(query.statement, 2);

        if (format == NULL ||
            (date == NULL && sqlite3_column_type(query.statement, 2) != SQLITE_NULL))
            status = store_fail(store, SQLITE_NOMEM, err);
        else
            status = fn(data, column_integer(&query, 0), format, date, err);
    }
    return query_end(&query, status, err);
}

/* ---- chunks ------------------------------------------------------------ */

int store_chunk_add(struct store *store, const struct store_chunk *chunk, int64_t *id,
                    ernie_error *err)
{
    struct query query = query_start(&store->documents, CHUNK_ADD);
    int64_t added;
    int status;

    bind_integer(&query, 1, chunk->document_id);
    bind_integer(&query, 2, (int64_t)chunk->ordinal);
    bind_integer(&query, 3, (int64_t)chunk->start);
    bind_integer(&query, 4, (int64_t)chunk->end);
    bind_integer(&query, 5, (int64_t)chunk->line);
    bind_sized_text(&query, 6, chunk->text, chunk->size);
    if (chunk->page != 0)
        bind_integer(&query, 7, (int64_t)chunk->page);
    bind_text(&query, 8, chunk->heading != NULL ? chunk->heading : "");
    status = query_run(&query, err);
    if (status != ERNIE_OK)
        return status;
    added = sqlite3_last_insert_rowid(store->connection);
    status = word_index_add(store->words, added, err);
    if (status == ERNIE_OK)
        status = collection_vector_put(store->collection, added, chunk->embedding, chunk->dim, err);
    if (status == ERNIE_OK)
        *id = added;
    return status;
}

int store_texts(struct store *store, store_text_fn fn, void *data, ernie_error *err)
{
    struct query query = query_start(&store->documents, TEXTS);
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&query)) {
        const char *heading = (const char *)sqlite3_column_text(query.statement, 1);
        size_t size;
        const char *text = column_bytes(&query, 2, &size);

        if (heading == NULL)
            status = store_fail(store, SQLITE_NOMEM, err);
        else if (query.code == SQLITE_ROW)
            status = fn(data, column_integer(&query, 0), heading, text != NULL ? text : "", size,
                        err);
    }
    return query_end(&query, status, err);
}

int store_hit_get(struct store *store, int64_t chunk_id, struct store_hit *out, int *found,
                  ernie_error *err)
{
    struct query query = query_start(&store->documents, HIT_GET);
    struct store_hit hit = { 0 };
    size_t path = 0, title = 0, heading = 0, format = 0, author = 0, language = 0, date = 0,
           text = 0;
    int status;

    bind_integer(&query, 1, chunk_id);
    buffer_clear(&store->held);
    *found = query_row(&query);
    if (*found) {
        hit.document_id = column_integer(&query, 0);
        hit.root_id = column_integer(&query, 1);
        hit.line = (size_t)column_integer(&query, 2);
        hit.page = (size_t)column_integer(&query, 3);
        path = hold(&store->held, &query, 4);
        title = hold(&store->held, &query, 5);
        heading = hold(&store->held, &query, 6);
        format = hold(&store->held, &query, 7);
        author = hold(&store->held, &query, 8);
        language = hold(&store->held, &query, 9);
        date = hold(&store->held, &query, 10); /* "" for NULL */
        text = hold(&store->held, &query, 11);
        hit.size = store->held.size - text - 1;
    }
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && store->held.failed)
        status = store_fail(store, SQLITE_NOMEM, err);
    if (status != ERNIE_OK || !*found)
        return status;
    hit.path = store->held.data + path;
    hit.title = store->held.data + title;
    hit.heading = store->held.data + heading;
    hit.format = store->held.data + format;
    hit.author = store->held.data + author;
    hit.language = store->held.data + language;
    hit.date = store->held.data + date;
    hit.text = store->held.data + text;
    *out = hit;
    return ERNIE_OK;
}

/* ---- what there is ----------------------------------------------------- */

int store_counts(struct store *store, struct store_counts *out, ernie_error *err)
{
    struct query query = query_start(&store->documents, COUNTS);
    struct store_counts counts = { 0 };
    int status;

    if (query_row(&query))
        counts = (struct store_counts){
            .n_documents = (size_t)column_integer(&query, 0),
            .n_failed = (size_t)column_integer(&query, 1),
            .n_chunks = (size_t)column_integer(&query, 2),
            .n_embeddings = (size_t)column_integer(&query, 3),
            .n_roots = (size_t)column_integer(&query, 4),
            .database_bytes = (uint64_t)column_integer(&query, 5),
        };
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK)
        *out = counts;
    return status;
}

int store_text_bytes(struct store *store, uint64_t *out, ernie_error *err)
{
    struct query query = query_start(&store->documents, TEXT_BYTES);
    uint64_t n_bytes = 0;
    int status;

    if (query_row(&query))
        n_bytes = (uint64_t)column_integer(&query, 0);
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK)
        *out = n_bytes;
    return status;
}
