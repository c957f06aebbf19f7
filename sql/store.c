#include "sql/store.h"

#include <endian.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/utf8.h"
#include "schema_sql.h"
#include "sql/sqlite.h"

#define SCHEMA_VERSION 1
#define BUSY_TIMEOUT_MS 5000
#define MAX_DIM 65536

/* Every statement, prepared when it is first used. */
enum statement {
    META_GET,
    META_SET,
    LOG_LAST,
    LOG_MARK,
    LOG_ADD,
    ROOTS,
    ROOT_ADD,
    ROOT_DELETE,
    ROOT_RENAME_DOCUMENT,
    DOCUMENT_FIND,
    DOCUMENT_PUT,
    DOCUMENT_TOUCH,
    DOCUMENT_DELETE,
    DOCUMENT_IDS,
    DOCUMENT_PATHS,
    CHUNK_ADD,
    CHUNKS_LOG_DELETE,
    CHUNKS_DELETE,
    EMBEDDINGS_DELETE,
    EMBEDDING_ADD,
    EMBEDDING_REPLACE,
    EMBEDDING_GET,
    EMBEDDINGS_SINCE,
    EMBEDDINGS_ALL,
    TEXTS,
    HIT_GET,
    COUNTS,
    N_STATEMENTS
};

static const char *const sql_of[N_STATEMENTS] = {
    [META_GET] = "SELECT value FROM ernie_meta WHERE key = ?1",
    [META_SET] = "INSERT INTO ernie_meta (key, value) VALUES (?1, ?2)"
                 " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    [LOG_LAST] = "SELECT coalesce(max(seq), 0) FROM ernie_log",
    [LOG_MARK] = "SELECT mark FROM ernie_log WHERE seq = ?1",
    [LOG_ADD] = "INSERT INTO ernie_log (op, chunk_id) VALUES (?1, ?2)",
    [ROOTS] = "SELECT id, path FROM ernie_roots",
    [ROOT_ADD] = "INSERT INTO ernie_roots (path) VALUES (?1)",
    [ROOT_DELETE] = "DELETE FROM ernie_roots WHERE id = ?1",
    [ROOT_RENAME_DOCUMENT] = "UPDATE ernie_documents SET root_id = ?2, path = ?3 WHERE id = ?1",
    [DOCUMENT_FIND] = "SELECT id, root_id, path, title, format, encoding, size_bytes, mtime_ns,"
                      " ctime_ns, checked_ns, hash, failure FROM ernie_documents"
                      " WHERE root_id = ?1 AND path = ?2",
    [DOCUMENT_PUT] = "INSERT INTO ernie_documents (root_id, path, title, format, encoding,"
                     " size_bytes, mtime_ns, ctime_ns, checked_ns, hash, failure)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [DOCUMENT_TOUCH] = "UPDATE ernie_documents SET size_bytes = ?3, mtime_ns = ?4, ctime_ns = ?5,"
                       " checked_ns = ?6 WHERE root_id = ?1 AND path = ?2",
    [DOCUMENT_DELETE] = "DELETE FROM ernie_documents WHERE id = ?1",
    /* Bytes compare alike whether a path is kept as TEXT or as a BLOB. */
    [DOCUMENT_IDS] = "SELECT id FROM ernie_documents WHERE root_id = ?1 AND (?2 = x'' OR"
                     " CAST(path AS BLOB) = ?2 OR substr(CAST(path AS BLOB), 1, length(?2) + 1) ="
                     " CAST(?2 || x'2f' AS BLOB)) ORDER BY id",
    [DOCUMENT_PATHS] = "SELECT id, path FROM ernie_documents WHERE root_id = ?1",
    [CHUNK_ADD] = "INSERT INTO ernie_chunks (document_id, ordinal, start_byte, end_byte, line,"
                  " text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [CHUNKS_LOG_DELETE] = "INSERT INTO ernie_log (op, chunk_id) SELECT 'delete', id"
                          " FROM ernie_chunks WHERE document_id = ?1",
    [CHUNKS_DELETE] = "DELETE FROM ernie_chunks WHERE document_id = ?1",
    [EMBEDDINGS_DELETE] = "DELETE FROM ernie_embeddings WHERE chunk_id IN"
                          " (SELECT id FROM ernie_chunks WHERE document_id = ?1)",
    [EMBEDDING_ADD] = "INSERT INTO ernie_embeddings (chunk_id, vector, checksum)"
                      " VALUES (?1, ?2, ?3)",
    [EMBEDDING_REPLACE] = "INSERT INTO ernie_embeddings (chunk_id, vector, checksum)"
                          " VALUES (?1, ?2, ?3) ON CONFLICT (chunk_id) DO UPDATE"
                          " SET vector = excluded.vector, checksum = excluded.checksum",
    [EMBEDDING_GET] = "SELECT c.document_id, e.vector, e.checksum FROM ernie_chunks c"
                      " JOIN ernie_embeddings e ON e.chunk_id = c.id WHERE c.id = ?1",
    [EMBEDDINGS_SINCE] = "SELECT c.id, e.vector, e.checksum FROM"
                         " (SELECT DISTINCT chunk_id FROM ernie_log WHERE seq > ?1"
                         " AND op <> 'delete') l JOIN ernie_chunks c ON c.id = l.chunk_id"
                         " LEFT JOIN ernie_embeddings e ON e.chunk_id = c.id ORDER BY c.id",
    [EMBEDDINGS_ALL] = "SELECT c.id, e.vector, e.checksum FROM ernie_chunks c"
                       " LEFT JOIN ernie_embeddings e ON e.chunk_id = c.id ORDER BY c.id",
    [TEXTS] = "SELECT id, text FROM ernie_chunks ORDER BY id",
    [HIT_GET] = "SELECT d.id, d.root_id, d.path, d.title, c.text, c.line FROM ernie_chunks c"
                " JOIN ernie_documents d ON d.id = c.document_id WHERE c.id = ?1",
    [COUNTS] = "SELECT (SELECT count(*) FROM ernie_documents),"
               " (SELECT count(*) FROM ernie_documents WHERE failure IS NOT NULL),"
               " (SELECT count(*) FROM ernie_chunks), (SELECT count(*) FROM ernie_embeddings),"
               " (SELECT count(*) FROM ernie_roots),"
               " (SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM ernie_chunks),"
               " (SELECT page_count * page_size FROM pragma_page_count, pragma_page_size)",
};

struct store {
    sqlite3 *connection;
    int is_ours;   /* the connection: opened here, closed here */
    char *path;    /* absolute, or "" */
    char *folder;  /* of the database, or NULL in memory */
    uint8_t uuid[16];
    int in_savepoint; /* begun within a transaction of the caller's */
    int in_transaction;
    int in_snapshot;
    sqlite3_stmt *statements[N_STATEMENTS];
};

/* ---- SQLite's errors as ours ------------------------------------------- */

static int error_of(sqlite3 *connection, const char *path, int code, ernie_error *err)
{
    const char *words = connection != NULL ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
    const char *name = path != NULL && path[0] != '\0' ? path : "database";

    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(err, ERNIE_EBUSY, "%s: another process is writing to it", name);
    case SQLITE_FULL:
        return error_set(err, ERNIE_EIO, "%s: the disk is full", name);
    case SQLITE_READONLY:
        return error_set(err, ERNIE_EIO, "%s: cannot be written: it or its folder is read-only",
                         name);
    case SQLITE_NOTADB:
        return error_set(err, ERNIE_EFORMAT, "%s: not an SQLite database", name);
    case SQLITE_CORRUPT:
        return error_set(err, ERNIE_ECORRUPT, "%s: damaged: %s", name, words);
    case SQLITE_INTERRUPT:
        return error_set(err, ERNIE_ECANCELED, "%s: interrupted", name);
    default:
        return error_set(err, ERNIE_EIO, "%s: %s", name, words);
    }
}

static int fail(struct store *store, int code, ernie_error *err)
{
    return error_of(store->connection, store->path, code, err);
}

static int out_of_memory(const struct store *store, ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "%s: out of memory", store->path);
}

/* ---- statements -------------------------------------------------------- */

/* A statement ready to be bound. It belongs to the store; the caller resets it. */
static int prepare(struct store *store, enum statement which, sqlite3_stmt **out, ernie_error *err)
{
    int code;

    if (store->statements[which] == NULL) {
        code = sqlite3_prepare_v3(store->connection, sql_of[which], -1, SQLITE_PREPARE_PERSISTENT,
                                  &store->statements[which], NULL);
        if (code != SQLITE_OK)
            return fail(store, code, err);
    }
    *out = store->statements[which];
    return ERNIE_OK;
}

/* Forgets values too: they point into the caller's memory. */
static void done_with(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

/* Runs a bound statement that gives no rows. */
static int run(struct store *store, sqlite3_stmt *statement, ernie_error *err)
{
    int code = sqlite3_step(statement), status = ERNIE_OK;

    if (code != SQLITE_DONE)
        status = fail(store, code, err);
    done_with(statement);
    return status;
}

/* Steps a bound query once: *found tells whether there is a row, which stays until
 * the statement is reset. */
static int first_row(struct store *store, sqlite3_stmt *statement, int *found, ernie_error *err)
{
    int code = sqlite3_step(statement);

    *found = code == SQLITE_ROW;
    if (code == SQLITE_ROW)
        return ERNIE_OK;
    if (code == SQLITE_DONE) {
        done_with(statement);
        return ERNIE_OK;
    }
    code = fail(store, code, err);
    done_with(statement);
    return code;
}

static int run_with_id(struct store *store, enum statement which, int64_t id, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, which, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, id);
    return run(store, statement, err);
}

static int run_sql(struct store *store, const char *sql, ernie_error *err)
{
    int code = sqlite3_exec(store->connection, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? ERNIE_OK : fail(store, code, err);
}

/* A path is TEXT where it can be, so that people can compare it in SQL. */
static void bind_path(sqlite3_stmt *statement, int i, const char *path)
{
    size_t size = strlen(path);

    if (utf8_valid(path, size))
        sqlite3_bind_text(statement, i, path, (int)size, SQLITE_STATIC);
    else
        sqlite3_bind_blob(statement, i, path, (int)size, SQLITE_STATIC);
}

static const char *column_text(sqlite3_stmt *statement, int i)
{
    const char *text = (const char *)sqlite3_column_text(statement, i);

    return text != NULL ? text : "";
}

/* ---- opening ----------------------------------------------------------- */

static const char *const settings =
    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    " PRAGMA temp_store = MEMORY;";
/* FULL: a document that was reported as indexed survives a power cut. */
static const char *const write_settings =
    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;";

static int parse_uuid(const char *hex, uint8_t out[16])
{
    for (int i = 0; i < 16; i++) {
        char digits[3] = { hex[2 * i], hex[2 * i] == '\0' ? '\0' : hex[2 * i + 1], '\0' };
        char *end;

        out[i] = (uint8_t)strtoul(digits, &end, 16);
        if (end != digits + 2)
            return -1;
    }
    return hex[32] == '\0' ? 0 : -1;
}

static int has_collection(struct store *store, int *has, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->connection,
                                  "SELECT 1 FROM sqlite_schema WHERE name = 'ernie_meta'", -1,
                                  &statement, NULL);

    if (code == SQLITE_OK) {
        code = sqlite3_step(statement);
        *has = code == SQLITE_ROW;
        sqlite3_finalize(statement);
    }
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        return ERNIE_OK;
    return fail(store, code, err);
}

/* The tables, and a new uuid, in one transaction. */
static int create_collection(struct store *store, ernie_error *err)
{
    char hex[33], version[12];
    struct hash uuid;
    int status = random_bytes(uuid.bytes, sizeof uuid.bytes, err), has;

    if (status != ERNIE_OK)
        return status;
    hash_to_hex(&uuid, hex);
    snprintf(version, sizeof version, "%d", SCHEMA_VERSION);
    status = store_begin(store, err);
    if (status != ERNIE_OK)
        return status;
    /* Another process may have made it while this one waited. */
    status = has_collection(store, &has, err);
    if (status == ERNIE_OK && !has) {
        status = run_sql(store, schema_sql, err);
        if (status == ERNIE_OK)
            status = store_meta_set(store, "schema_version", version, err);
        if (status == ERNIE_OK)
            status = store_meta_set(store, "uuid", hex, err);
    }
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    return status;
}

/* What every collection must have. */
static int check_collection(struct store *store, ernie_error *err)
{
    char value[64];
    int status, has;

    status = has_collection(store, &has, err);
    if (status != ERNIE_OK)
        return status;
    if (!has)
        return error_set(err, ERNIE_ENOTFOUND, "%s: holds no ernie collection",
                         store->path[0] != '\0' ? store->path : "database");
    status = store_meta_get(store, "schema_version", value, sizeof value, err);
    if (status != ERNIE_OK)
        return status;
    if (strtol(value, NULL, 10) != SCHEMA_VERSION)
        return error_set(err, ERNIE_EFORMAT,
                         "%s: schema version %s is not the %d that this program knows",
                         store->path, value, SCHEMA_VERSION);
    status = store_meta_get(store, "uuid", value, sizeof value, err);
    if (status == ERNIE_OK && parse_uuid(value, store->uuid) != 0)
        status = error_set(err, ERNIE_ECORRUPT, "%s: its uuid is damaged", store->path);
    return status;
}

static int store_new(struct sqlite3 *connection, int is_ours, struct store **out, ernie_error *err)
{
    struct store *store = memory_new(1, sizeof *store);
    const char *name = sqlite3_db_filename(connection, "main");
    char *resolved = NULL;
    int status = ERNIE_OK;

    if (store == NULL) {
        if (is_ours)
            sqlite3_close(connection);
        return error_set(err, ERNIE_ENOMEM, "database: out of memory");
    }
    store->connection = connection;
    store->is_ours = is_ours;
    if (name != NULL && name[0] != '\0' && path_resolve(name, &resolved, NULL) == ERNIE_OK) {
        store->path = resolved;
        store->folder = path_directory(resolved);
        if (store->folder == NULL)
            status = out_of_memory(store, err);
    } else {
        store->path = memory_copy_text("", 0);
        if (store->path == NULL)
            status = error_set(err, ERNIE_ENOMEM, "database: out of memory");
    }
    if (status != ERNIE_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return ERNIE_OK;
}

/* "file:" with what would end or change the path escaped. */
static char *file_uri(const char *path, const char *parameters)
{
    struct buffer uri = { 0 };

    buffer_append_text(&uri, "file:");
    for (const char *c = path; *c != '\0'; c++) {
        if (strchr("?#%", *c) != NULL)
            buffer_printf(&uri, "%%%02x", (unsigned char)*c);
        else
            buffer_append_char(&uri, *c);
    }
    buffer_append_text(&uri, parameters);
    return buffer_take(&uri);
}

static int open_connection(const char *path, const char *parameters, int flags, sqlite3 **out,
                           ernie_error *err)
{
    sqlite3 *connection = NULL;
    char *uri;
    int code, status;

    if (strcmp(path, ":memory:") == 0)
        uri = memory_copy_text(path, strlen(path));
    else
        uri = file_uri(path, parameters);
    if (uri == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    code = sqlite3_open_v2(uri, &connection, flags | SQLITE_OPEN_URI, NULL);
    memory_free(uri);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(connection, 1);
        sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS);
        code = sqlite3_exec(connection, settings, NULL, NULL, NULL);
    }
    /* The first read of the file, which also sees whether it can be locked. */
    if (code == SQLITE_OK)
        code = sqlite3_exec(connection, "SELECT 1 FROM sqlite_schema", NULL, NULL, NULL);
    if (code == SQLITE_OK) {
        *out = connection;
        return ERNIE_OK;
    }
    status = error_of(connection, path, code, err);
    sqlite3_close(connection);
    return status;
}

/* A database whose folder cannot be written has nowhere for the shared memory of
 * its log. It is still readable as one that nobody changes, unless a log is left
 * that holds what the file itself does not have yet. */
static int open_immutable(const char *path, sqlite3 **out, ernie_error *err)
{
    struct buffer wal = { 0 };
    struct stat st;
    int has_wal;

    buffer_append_text(&wal, path);
    buffer_append_text(&wal, "-wal");
    if (wal.failed) {
        buffer_reset(&wal);
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    }
    has_wal = stat(wal.data, &st) == 0 && st.st_size > 0;
    buffer_reset(&wal);
    if (has_wal)
        return error_set(err, ERNIE_EIO,
                         "%s: its folder is read-only, and its log (-wal) is not empty", path);
    return open_connection(path, "?immutable=1", SQLITE_OPEN_READONLY, out, err);
}

int store_open(const char *path, enum store_mode mode, struct store **out, ernie_error *err)
{
    int in_memory = strcmp(path, ":memory:") == 0;
    sqlite3 *connection;
    struct store *store;
    struct stat st;
    int status, has;

    if (!in_memory && stat(path, &st) != 0) {
        if (mode != STORE_CREATE)
            return error_set(err, ERNIE_ENOTFOUND, "%s: no such database", path);
    } else if (!in_memory && !S_ISREG(st.st_mode)) {
        return error_set(err, ERNIE_EINVAL, "%s: not a regular file", path);
    }
    if (mode == STORE_READ) {
        status = open_connection(path, "", SQLITE_OPEN_READWRITE, &connection, err);
        if (status != ERNIE_OK && status == ERNIE_EIO)
            status = open_immutable(path, &connection, err);
    } else {
        status = open_connection(
            path, "", SQLITE_OPEN_READWRITE | (mode == STORE_CREATE ? SQLITE_OPEN_CREATE : 0),
            &connection, err);
    }
    if (status != ERNIE_OK)
        return status;
    status = store_new(connection, 1, &store, err);
    if (status != ERNIE_OK)
        return status;
    if (mode != STORE_READ && !in_memory)
        status = run_sql(store, write_settings, err);
    if (status == ERNIE_OK && mode == STORE_READ)
        status = run_sql(store, "PRAGMA query_only = ON", err);
    if (status == ERNIE_OK && mode == STORE_CREATE) {
        status = has_collection(store, &has, err);
        if (status == ERNIE_OK && !has)
            status = create_collection(store, err);
    }
    if (status == ERNIE_OK)
        status = check_collection(store, err);
    if (status != ERNIE_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return ERNIE_OK;
}

/* Statements are prepared again when they are needed. */
static void finalize_statements(struct store *store)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}

int store_attach(struct sqlite3 *connection, struct store **out, ernie_error *err)
{
    struct store *store;
    int status = store_new(connection, 0, &store, err);

    if (status != ERNIE_OK)
        return status;
    status = check_collection(store, err);
    finalize_statements(store);
    if (status != ERNIE_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return ERNIE_OK;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    finalize_statements(store);
    if (store->is_ours)
        sqlite3_close(store->connection);
    memory_free(store->path);
    memory_free(store->folder);
    memory_free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

const uint8_t *store_uuid(const struct store *store)
{
    return store->uuid;
}

void store_interrupt(struct store *store)
{
    sqlite3_interrupt(store->connection);
}

/* ---- transactions ------------------------------------------------------ */

int store_begin(struct store *store, ernie_error *err)
{
    int status;

    store->in_savepoint = !sqlite3_get_autocommit(store->connection);
    status = run_sql(store, store->in_savepoint ? "SAVEPOINT ernie" : "BEGIN IMMEDIATE", err);
    store->in_transaction = status == ERNIE_OK;
    return status;
}

int store_commit(struct store *store, ernie_error *err)
{
    int status = run_sql(store, store->in_savepoint ? "RELEASE ernie" : "COMMIT", err);

    if (status == ERNIE_OK)
        store->in_transaction = 0;
    return status;
}

void store_rollback(struct store *store)
{
    if (!store->in_transaction)
        return;
    store->in_transaction = 0;
    /* SQLite may have rolled back by itself, on a full disk for one. */
    if (sqlite3_get_autocommit(store->connection))
        return;
    sqlite3_exec(store->connection,
                 store->in_savepoint ? "ROLLBACK TO ernie; RELEASE ernie" : "ROLLBACK", NULL,
                 NULL, NULL);
}

/* A query that is stepped and not reset holds a read transaction open, in
 * autocommit as well as inside of a transaction of the host's, where BEGIN would
 * fail. */
int store_snapshot_begin(struct store *store, uint64_t *seq, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, LOG_LAST, &statement, err), found;

    if (status == ERNIE_OK)
        status = first_row(store, statement, &found, err);
    if (status != ERNIE_OK)
        return status;
    *seq = (uint64_t)sqlite3_column_int64(statement, 0);
    store->in_snapshot = 1;
    return ERNIE_OK;
}

void store_snapshot_end(struct store *store)
{
    if (!store->in_snapshot)
        return;
    store->in_snapshot = 0;
    sqlite3_reset(store->statements[LOG_LAST]);
    /* A host cannot close its connection while statements of ours are left, and it
     * does not tell us before it does. */
    if (!store->is_ours)
        finalize_statements(store);
}

int store_log_mark(struct store *store, uint64_t seq, uint64_t *mark, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status, found;

    if (seq == 0) {
        *mark = 0;
        return ERNIE_OK;
    }
    status = prepare(store, LOG_MARK, &statement, err);
    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, (int64_t)seq);
    status = first_row(store, statement, &found, err);
    if (status != ERNIE_OK)
        return status;
    if (!found)
        return error_set(err, ERNIE_ENOTFOUND, "%s: no log entry %llu", store->path,
                         (unsigned long long)seq);
    *mark = (uint64_t)sqlite3_column_int64(statement, 0);
    done_with(statement);
    return ERNIE_OK;
}

/* ---- meta -------------------------------------------------------------- */

int store_meta_get(struct store *store, const char *key, char *value, size_t size,
                   ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, META_GET, &statement, err), found;

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    status = first_row(store, statement, &found, err);
    if (status != ERNIE_OK)
        return status;
    snprintf(value, size, "%s", found ? column_text(statement, 0) : "");
    done_with(statement);
    return ERNIE_OK;
}

int store_meta_set(struct store *store, const char *key, const char *value, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, META_SET, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, value, -1, SQLITE_STATIC);
    return run(store, statement, err);
}

/* ---- roots ------------------------------------------------------------- */

/* What is stored for an absolute path: what is below the database's folder, "." for
 * that folder itself, or the path. Points into path or is static. */
static const char *stored_root(const struct store *store, const char *path)
{
    const char *below = store->folder != NULL ? path_below(store->folder, path) : NULL;

    if (below == NULL)
        return path;
    return below[0] == '\0' ? "." : below;
}

static char *resolved_root(const struct store *store, const char *stored)
{
    if (stored[0] == '/' || store->folder == NULL)
        return memory_copy_text(stored, strlen(stored));
    if (strcmp(stored, ".") == 0)
        return memory_copy_text(store->folder, strlen(store->folder));
    return path_join(store->folder, stored);
}

static int compare_roots(const void *a, const void *b)
{
    const struct store_root *x = a, *y = b;
    size_t x_size = strlen(x->path), y_size = strlen(y->path);

    return (x_size > y_size) - (x_size < y_size);
}

int store_roots(struct store *store, struct store_root **out, size_t *n, ernie_error *err)
{
    struct store_root *roots = NULL;
    sqlite3_stmt *statement = NULL;
    size_t n_roots = 0;
    int status = prepare(store, ROOTS, &statement, err), code = SQLITE_DONE;

    while (status == ERNIE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct store_root *grown = memory_resize(roots, n_roots + 1, sizeof *grown);

        if (grown != NULL) {
            roots = grown;
            roots[n_roots].id = sqlite3_column_int64(statement, 0);
            roots[n_roots].path = resolved_root(store, column_text(statement, 1));
        }
        if (grown == NULL || roots[n_roots].path == NULL)
            status = out_of_memory(store, err);
        else
            n_roots++;
    }
    if (status == ERNIE_OK && code != SQLITE_DONE)
        status = fail(store, code, err);
    if (store->statements[ROOTS] != NULL)
        done_with(store->statements[ROOTS]);
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

/* Gives a document to another root, under a longer path. */
static int rename_document(struct store *store, int64_t id, int64_t root_id, const char *path,
                           ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, ROOT_RENAME_DOCUMENT, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, id);
    sqlite3_bind_int64(statement, 2, root_id);
    bind_path(statement, 3, path);
    return run(store, statement, err);
}

/* The documents of inner become documents of the root outer_id, whose path inner
 * has below it. */
static int absorb_root(struct store *store, int64_t outer_id, int64_t inner_id, const char *below,
                       ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, DOCUMENT_PATHS, &statement, err), code;

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, inner_id);
    /* Rows leave the query's range as they are renamed, and come to no other place
     * in it: the update changes root_id, which the query fixes. */
    while (status == ERNIE_OK && (code = sqlite3_step(statement)) != SQLITE_DONE) {
        char *path;

        if (code != SQLITE_ROW) {
            status = fail(store, code, err);
            break;
        }
        path = path_join(below, column_text(statement, 1));
        status = path == NULL ? out_of_memory(store, err)
                              : rename_document(store, sqlite3_column_int64(statement, 0),
                                                outer_id, path, err);
        memory_free(path);
    }
    done_with(statement);
    return status == ERNIE_OK ? run_with_id(store, ROOT_DELETE, inner_id, err) : status;
}

int store_root_add(struct store *store, const char *path, int64_t *id, ernie_error *err)
{
    struct store_root *roots;
    sqlite3_stmt *statement = NULL;
    size_t n;
    int64_t added;
    int status = store_roots(store, &roots, &n, err);

    if (status != ERNIE_OK)
        return status;
    status = prepare(store, ROOT_ADD, &statement, err);
    if (status == ERNIE_OK) {
        bind_path(statement, 1, stored_root(store, path));
        status = run(store, statement, err);
    }
    added = sqlite3_last_insert_rowid(store->connection);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const char *below = path_below(path, roots[i].path);

        if (below != NULL)
            status = absorb_root(store, added, roots[i].id, below, err);
    }
    store_roots_free(roots, n);
    if (status == ERNIE_OK)
        *id = added;
    return status;
}

/* ---- documents --------------------------------------------------------- */

int store_document_find(struct store *store, int64_t root_id, const char *path,
                        struct store_document *out, int *found, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, DOCUMENT_FIND, &statement, err);

    if (status != ERNIE_OK)
        return status;
    /* What the last call gave out was valid until this one. */
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, root_id);
    bind_path(statement, 2, path);
    status = first_row(store, statement, found, err);
    if (status != ERNIE_OK || !*found)
        return status;
    *out = (struct store_document){
        .id = sqlite3_column_int64(statement, 0),
        .root_id = sqlite3_column_int64(statement, 1),
        .path = column_text(statement, 2),
        .title = column_text(statement, 3),
        .format = column_text(statement, 4),
        .encoding = column_text(statement, 5),
        .size_bytes = (uint64_t)sqlite3_column_int64(statement, 6),
        .mtime_ns = sqlite3_column_int64(statement, 7),
        .ctime_ns = sqlite3_column_int64(statement, 8),
        .checked_ns = sqlite3_column_int64(statement, 9),
        .failure = (const char *)sqlite3_column_text(statement, 11),
    };
    if (sqlite3_column_bytes(statement, 10) == sizeof out->hash)
        memcpy(out->hash, sqlite3_column_blob(statement, 10), sizeof out->hash);
    return ERNIE_OK;
}

int store_document_put(struct store *store, const struct store_document *document, int64_t *id,
                       ernie_error *err)
{
    struct store_document old;
    sqlite3_stmt *statement = NULL;
    int found, status;

    status = store_document_find(store, document->root_id, document->path, &old, &found, err);
    if (status == ERNIE_OK && found)
        status = store_document_delete(store, old.id, err);
    if (status == ERNIE_OK)
        status = prepare(store, DOCUMENT_PUT, &statement, err);
    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, document->root_id);
    bind_path(statement, 2, document->path);
    sqlite3_bind_text(statement, 3, document->title, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, document->format, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, document->encoding, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 6, (sqlite3_int64)document->size_bytes);
    sqlite3_bind_int64(statement, 7, document->mtime_ns);
    sqlite3_bind_int64(statement, 8, document->ctime_ns);
    sqlite3_bind_int64(statement, 9, document->checked_ns);
    sqlite3_bind_blob(statement, 10, document->hash, sizeof document->hash, SQLITE_STATIC);
    if (document->failure != NULL)
        sqlite3_bind_text(statement, 11, document->failure, -1, SQLITE_STATIC);
    status = run(store, statement, err);
    if (status == ERNIE_OK)
        *id = sqlite3_last_insert_rowid(store->connection);
    return status;
}

int store_document_touch(struct store *store, const struct store_document *document,
                         ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, DOCUMENT_TOUCH, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, document->root_id);
    bind_path(statement, 2, document->path);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)document->size_bytes);
    sqlite3_bind_int64(statement, 4, document->mtime_ns);
    sqlite3_bind_int64(statement, 5, document->ctime_ns);
    sqlite3_bind_int64(statement, 6, document->checked_ns);
    return run(store, statement, err);
}

int store_document_delete(struct store *store, int64_t id, ernie_error *err)
{
    /* What refers goes before what is referred to. */
    static const enum statement steps[] = { CHUNKS_LOG_DELETE, EMBEDDINGS_DELETE, CHUNKS_DELETE,
                                            DOCUMENT_DELETE };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < sizeof steps / sizeof steps[0]; i++)
        status = run_with_id(store, steps[i], id, err);
    return status;
}

int store_document_ids(struct store *store, int64_t root_id, const char *below, int64_t **ids,
                       size_t *n, ernie_error *err)
{
    int64_t *list = NULL;
    size_t count = 0, capacity = 0;
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, DOCUMENT_IDS, &statement, err), code = SQLITE_DONE;

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, root_id);
    sqlite3_bind_blob(statement, 2, below, (int)strlen(below), SQLITE_STATIC);
    while (status == ERNIE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (count == capacity) {
            int64_t *grown = memory_resize(list, capacity == 0 ? 64 : capacity * 2, sizeof *grown);

            if (grown == NULL) {
                status = out_of_memory(store, err);
                break;
            }
            list = grown;
            capacity = capacity == 0 ? 64 : capacity * 2;
        }
        list[count++] = sqlite3_column_int64(statement, 0);
    }
    if (status == ERNIE_OK && code != SQLITE_DONE)
        status = fail(store, code, err);
    done_with(statement);
    if (status != ERNIE_OK) {
        memory_free(list);
        return status;
    }
    *ids = list;
    *n = count;
    return ERNIE_OK;
}

/* ---- chunks and embeddings --------------------------------------------- */

#if __BYTE_ORDER != __LITTLE_ENDIAN
#error "vectors are stored little-endian, and copied as they are in memory"
#endif

static int64_t checksum_of(const void *vector, size_t size_bytes)
{
    struct hash hash = hash_of(vector, size_bytes);
    uint64_t first = 0;

    for (int i = 0; i < 8; i++)
        first = first << 8 | hash.bytes[i];
    return (int64_t)first;
}

static int add_log(struct store *store, const char *op, int64_t chunk_id, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, LOG_ADD, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_text(statement, 1, op, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, chunk_id);
    return run(store, statement, err);
}

static int put_embedding(struct store *store, enum statement which, int64_t chunk_id,
                         const float *embedding, size_t dim, ernie_error *err)
{
    const size_t size_bytes = dim * sizeof *embedding;
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, which, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, chunk_id);
    sqlite3_bind_blob(statement, 2, embedding, (int)size_bytes, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, checksum_of(embedding, size_bytes));
    return run(store, statement, err);
}

int store_chunk_add(struct store *store, const struct store_chunk *chunk, int64_t *id,
                    ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status;

    if (chunk->dim == 0 || chunk->dim > MAX_DIM || chunk->size > INT32_MAX)
        return error_set(err, ERNIE_EINVAL, "%s: a chunk of %zu bytes, %zu numbers a vector",
                         store->path, chunk->size, chunk->dim);
    status = prepare(store, CHUNK_ADD, &statement, err);
    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, chunk->document_id);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)chunk->ordinal);
    sqlite3_bind_int64(statement, 3, (sqlite3_int64)chunk->start);
    sqlite3_bind_int64(statement, 4, (sqlite3_int64)chunk->end);
    sqlite3_bind_int64(statement, 5, (sqlite3_int64)chunk->line);
    sqlite3_bind_text(statement, 6, chunk->text, (int)chunk->size, SQLITE_STATIC);
    status = run(store, statement, err);
    if (status != ERNIE_OK)
        return status;
    *id = sqlite3_last_insert_rowid(store->connection);
    status = put_embedding(store, EMBEDDING_ADD, *id, chunk->embedding, chunk->dim, err);
    return status == ERNIE_OK ? add_log(store, "add", *id, err) : status;
}

/* The vector in a row's columns, copied into out [dim]; 0 when it is missing or is
 * not what was written. */
static int read_vector(sqlite3_stmt *statement, int column, size_t dim, float *out)
{
    const void *bytes = sqlite3_column_blob(statement, column);
    size_t size_bytes = (size_t)sqlite3_column_bytes(statement, column);

    if (bytes == NULL || size_bytes != dim * sizeof *out)
        return 0;
    if (checksum_of(bytes, size_bytes) != sqlite3_column_int64(statement, column + 1))
        return 0;
    memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    for (size_t i = 0; i < dim; i++)
        if (!isfinite(out[i]))
            return 0;
    return 1;
}

int store_embeddings_since(struct store *store, uint64_t seq, size_t dim, store_embedding_fn fn,
                           void *data, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    float *vector;
    int status, code = SQLITE_DONE;

    status = prepare(store, seq == 0 ? EMBEDDINGS_ALL : EMBEDDINGS_SINCE, &statement, err);
    if (status != ERNIE_OK)
        return status;
    vector = memory_new(dim, sizeof *vector);
    if (vector == NULL)
        return out_of_memory(store, err);
    if (seq != 0)
        sqlite3_bind_int64(statement, 1, (sqlite3_int64)seq);
    while (status == ERNIE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW)
        status = fn(data, sqlite3_column_int64(statement, 0),
                    read_vector(statement, 1, dim, vector) ? vector : NULL, err);
    if (status == ERNIE_OK && code != SQLITE_DONE)
        status = fail(store, code, err);
    done_with(statement);
    memory_free(vector);
    return status;
}

int store_texts(struct store *store, store_text_fn fn, void *data, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, TEXTS, &statement, err), code = SQLITE_DONE;

    while (status == ERNIE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const char *text = column_text(statement, 1);

        status = fn(data, sqlite3_column_int64(statement, 0), text,
                    (size_t)sqlite3_column_bytes(statement, 1), err);
    }
    if (status == ERNIE_OK && code != SQLITE_DONE)
        status = fail(store, code, err);
    if (store->statements[TEXTS] != NULL)
        done_with(store->statements[TEXTS]);
    return status;
}

int store_embedding_replace(struct store *store, int64_t chunk_id, const float *embedding,
                            size_t dim, ernie_error *err)
{
    int status = put_embedding(store, EMBEDDING_REPLACE, chunk_id, embedding, dim, err);

    return status == ERNIE_OK ? add_log(store, "replace", chunk_id, err) : status;
}

int store_hit_get(struct store *store, int64_t chunk_id, struct store_hit *out, int *found,
                  ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, HIT_GET, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_reset(statement);
    sqlite3_bind_int64(statement, 1, chunk_id);
    status = first_row(store, statement, found, err);
    if (status != ERNIE_OK || !*found)
        return status;
    *out = (struct store_hit){
        .document_id = sqlite3_column_int64(statement, 0),
        .root_id = sqlite3_column_int64(statement, 1),
        .path = column_text(statement, 2),
        .title = column_text(statement, 3),
        .text = column_text(statement, 4),
        .size = (size_t)sqlite3_column_bytes(statement, 4),
        .line = (size_t)sqlite3_column_int64(statement, 5),
    };
    return ERNIE_OK;
}

int store_embedding_get(struct store *store, int64_t chunk_id, size_t dim, int64_t *document_id,
                        float *out, int *found, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, EMBEDDING_GET, &statement, err);

    if (status != ERNIE_OK)
        return status;
    sqlite3_bind_int64(statement, 1, chunk_id);
    status = first_row(store, statement, found, err);
    if (status != ERNIE_OK || !*found)
        return status;
    *document_id = sqlite3_column_int64(statement, 0);
    *found = read_vector(statement, 1, dim, out);
    done_with(statement);
    return ERNIE_OK;
}

/* ---- upkeep ------------------------------------------------------------ */

int store_counts(struct store *store, struct store_counts *out, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int status = prepare(store, COUNTS, &statement, err), found;

    if (status == ERNIE_OK)
        status = first_row(store, statement, &found, err);
    if (status != ERNIE_OK)
        return status;
    *out = (struct store_counts){
        .n_documents = (size_t)sqlite3_column_int64(statement, 0),
        .n_failed = (size_t)sqlite3_column_int64(statement, 1),
        .n_chunks = (size_t)sqlite3_column_int64(statement, 2),
        .n_embeddings = (size_t)sqlite3_column_int64(statement, 3),
        .n_roots = (size_t)sqlite3_column_int64(statement, 4),
        .n_text_bytes = (uint64_t)sqlite3_column_int64(statement, 5),
        .database_bytes = (uint64_t)sqlite3_column_int64(statement, 6),
    };
    done_with(statement);
    return ERNIE_OK;
}

struct checker {
    struct store *store;
    void (*report)(void *data, const char *finding);
    void *data;
    size_t n_findings;
};

static void __attribute__((format(printf, 2, 3))) add_finding(struct checker *checker,
                                                              const char *format, ...)
{
    ernie_error line;
    char text[sizeof line.message];
    va_list values;

    va_start(values, format);
    vsnprintf(text, sizeof text, format, values);
    va_end(values);
    /* What error_set does for a message is right for a finding too: one line. */
    error_set(&line, ERNIE_ECORRUPT, "%s", text);
    checker->n_findings++;
    if (checker->report != NULL)
        checker->report(checker->data, line.message);
}

/* Each row of a query is a finding, its first column the words. "ok" is none. */
static int check_query(struct checker *checker, const char *sql, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(checker->store->connection, sql, -1, &statement, NULL);

    if (code != SQLITE_OK)
        return fail(checker->store, code, err);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (strcmp(column_text(statement, 0), "ok") != 0)
            add_finding(checker, "%s", column_text(statement, 0));
    sqlite3_finalize(statement);
    if (code == SQLITE_DONE)
        return ERNIE_OK;
    if ((code & 0xff) != SQLITE_CORRUPT)
        return fail(checker->store, code, err);
    add_finding(checker, "%s", sqlite3_errmsg(checker->store->connection));
    return ERNIE_OK;
}

static void check_vector(struct checker *checker, int64_t chunk_id, const float *embedding,
                         size_t dim)
{
    double square = 0;

    if (embedding == NULL) {
        add_finding(checker, "chunk %lld: its vector is not what was written",
                    (long long)chunk_id);
        return;
    }
    for (size_t i = 0; i < dim; i++)
        square += (double)embedding[i] * embedding[i];
    if (fabs(sqrt(square) - 1) > 1e-3)
        add_finding(checker, "chunk %lld: its vector has length %g, not 1", (long long)chunk_id,
                    sqrt(square));
}

static int check_vectors(struct checker *checker, size_t dim, ernie_error *err)
{
    static const char sql[] = "SELECT chunk_id, vector, checksum FROM ernie_embeddings";
    struct store *store = checker->store;
    sqlite3_stmt *statement = NULL;
    float *vector = memory_new(dim, sizeof *vector);
    int code;

    if (vector == NULL)
        return out_of_memory(store, err);
    code = sqlite3_prepare_v2(store->connection, sql, -1, &statement, NULL);
    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW)
            check_vector(checker, sqlite3_column_int64(statement, 0),
                         read_vector(statement, 1, dim, vector) ? vector : NULL, dim);
        sqlite3_finalize(statement);
    }
    memory_free(vector);
    return code == SQLITE_DONE ? ERNIE_OK : fail(store, code, err);
}

int store_check(struct store *store, size_t dim, void (*report)(void *data, const char *finding),
                void *data, size_t *n_findings, ernie_error *err)
{
    static const char *const queries[] = {
        "PRAGMA integrity_check(100)",
        "SELECT 'a row of ' || \"table\" || ' refers to none of ' || parent"
        " FROM pragma_foreign_key_check LIMIT 100",
        "SELECT 'chunk ' || id || ': no vector' FROM ernie_chunks"
        " WHERE id NOT IN (SELECT chunk_id FROM ernie_embeddings) LIMIT 100",
        "SELECT 'document ' || id || ': in no folder' FROM ernie_documents"
        " WHERE root_id <> 0 AND root_id NOT IN (SELECT id FROM ernie_roots) LIMIT 100",
        "SELECT 'document ' || d.id || ': failed, but has chunks' FROM ernie_documents d"
        " JOIN ernie_chunks c ON c.document_id = d.id WHERE d.failure IS NOT NULL"
        " GROUP BY d.id LIMIT 100",
        "SELECT 'chunk ' || id || ': ends before it starts' FROM ernie_chunks"
        " WHERE end_byte < start_byte OR start_byte < 0 OR line < 1 LIMIT 100",
        "SELECT 'document ' || document_id || ': a chunk is missing' FROM ernie_chunks"
        " GROUP BY document_id HAVING max(ordinal) <> count(*) - 1 LIMIT 100",
        /* The last entry for a chunk says whether it is there. */
        "SELECT 'chunk ' || c.id || ': not in the log' FROM ernie_chunks c LEFT JOIN"
        " (SELECT chunk_id, max(seq), op FROM ernie_log GROUP BY chunk_id) l ON l.chunk_id = c.id"
        " WHERE l.op IS NULL OR l.op = 'delete' LIMIT 100",
        "SELECT 'chunk ' || l.chunk_id || ': in the log, but gone' FROM"
        " (SELECT chunk_id, max(seq), op FROM ernie_log GROUP BY chunk_id) l"
        " WHERE l.op <> 'delete' AND l.chunk_id NOT IN (SELECT id FROM ernie_chunks) LIMIT 100",
    };
    struct checker checker = { .store = store, .report = report, .data = data };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < sizeof queries / sizeof queries[0]; i++)
        status = check_query(&checker, queries[i], err);
    if (status == ERNIE_OK && dim > 0 && dim <= MAX_DIM)
        status = check_vectors(&checker, dim, err);
    *n_findings = checker.n_findings;
    return status;
}
