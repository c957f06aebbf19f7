#include "sql/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/utf8.h"
#include "schema_sql.h"
#include "sql/sqlite.h"

#define SCHEMA_VERSION 1
#define BUSY_TIMEOUT_MS 5000
#define MAX_DIM 65536

/* Every statement that runs more than once. */
enum statement {
    META_GET,
    META_SET,
    LOG_LAST,
    LOG_MARK,
    ROOTS,
    ROOT_ADD,
    ROOT_DELETE,
    DOCUMENT_FIND,
    DOCUMENT_PUT,
    DOCUMENT_TOUCH,
    DOCUMENT_MOVE,
    DOCUMENT_DELETE,
    DOCUMENT_PATHS,
    DOCUMENT_IDS,
    DOCUMENT_IDS_BELOW,
    CHUNKS_DELETE,
    CHUNK_ADD,
    EMBEDDING_PUT,
    EMBEDDING_GET,
    EMBEDDINGS_ALL,
    EMBEDDINGS_SINCE,
    TEXTS,
    HIT_GET,
    COUNTS,
    TEXT_BYTES,
    N_STATEMENTS
};

/* Tables are named with "main.": a temporary table of a host's must not stand in
 * for one of ours. */
static const char *const sql_of[N_STATEMENTS] = {
    [META_GET] = "SELECT value FROM main.ernie_meta WHERE key = ?1",
    [META_SET] = "INSERT INTO main.ernie_meta (key, value) VALUES (?1, ?2)"
                 " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    [LOG_LAST] = "SELECT coalesce(max(seq), 0) FROM main.ernie_log",
    [LOG_MARK] = "SELECT mark FROM main.ernie_log WHERE seq = ?1",
    [ROOTS] = "SELECT id, path FROM main.ernie_roots WHERE id <> 0",
    [ROOT_ADD] = "INSERT INTO main.ernie_roots (path) VALUES (?1)",
    [ROOT_DELETE] = "DELETE FROM main.ernie_roots WHERE id = ?1",
    [DOCUMENT_FIND] = "SELECT id, root_id, size_bytes, mtime_ns, ctime_ns, checked_ns, hash, path,"
                      " title, format, encoding, failure FROM main.ernie_documents"
                      " WHERE root_id = ?1 AND path = ?2",
    [DOCUMENT_PUT] = "INSERT INTO main.ernie_documents (root_id, path, title, format, encoding,"
                     " size_bytes, mtime_ns, ctime_ns, checked_ns, hash, failure)"
                     " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
                     " ON CONFLICT (root_id, path) DO UPDATE SET title = excluded.title,"
                     " format = excluded.format, encoding = excluded.encoding,"
                     " size_bytes = excluded.size_bytes, mtime_ns = excluded.mtime_ns,"
                     " ctime_ns = excluded.ctime_ns, checked_ns = excluded.checked_ns,"
                     " hash = excluded.hash, failure = excluded.failure RETURNING id",
    [DOCUMENT_TOUCH] = "UPDATE main.ernie_documents SET size_bytes = ?3, mtime_ns = ?4,"
                       " ctime_ns = ?5, checked_ns = ?6 WHERE root_id = ?1 AND path = ?2",
    [DOCUMENT_MOVE] = "UPDATE main.ernie_documents SET root_id = ?2, path = ?3 WHERE id = ?1",
    [DOCUMENT_DELETE] = "DELETE FROM main.ernie_documents WHERE id = ?1",
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
                  " line, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [EMBEDDING_PUT] = "INSERT INTO main.ernie_embeddings (chunk_id, vector, checksum)"
                      " VALUES (?1, ?2, ?3) ON CONFLICT (chunk_id) DO UPDATE"
                      " SET vector = excluded.vector, checksum = excluded.checksum",
    [EMBEDDING_GET] = "SELECT c.document_id, e.vector, e.checksum FROM main.ernie_chunks c"
                      " JOIN main.ernie_embeddings e ON e.chunk_id = c.id WHERE c.id = ?1",
    [EMBEDDINGS_ALL] = "SELECT c.id, e.vector, e.checksum FROM main.ernie_chunks c"
                       " LEFT JOIN main.ernie_embeddings e ON e.chunk_id = c.id ORDER BY c.id",
    [EMBEDDINGS_SINCE] = "SELECT c.id, e.vector, e.checksum FROM main.ernie_chunks c"
                         " LEFT JOIN main.ernie_embeddings e ON e.chunk_id = c.id WHERE c.id IN"
                         " (SELECT chunk_id FROM main.ernie_log WHERE seq > ?1 AND op <> 'delete')"
                         " ORDER BY c.id",
    [TEXTS] = "SELECT id, text FROM main.ernie_chunks ORDER BY id",
    [HIT_GET] = "SELECT d.id, d.root_id, c.line, d.path, d.title, c.text FROM main.ernie_chunks c"
                " JOIN main.ernie_documents d ON d.id = c.document_id WHERE c.id = ?1",
    [COUNTS] = "SELECT (SELECT count(*) FROM main.ernie_documents),"
               " (SELECT count(*) FROM main.ernie_documents WHERE failure IS NOT NULL),"
               " (SELECT count(*) FROM main.ernie_chunks),"
               " (SELECT count(*) FROM main.ernie_embeddings),"
               " (SELECT count(*) FROM main.ernie_roots WHERE id <> 0)",
    [TEXT_BYTES] = "SELECT coalesce(sum(length(CAST(text AS BLOB))), 0) FROM main.ernie_chunks",
};

struct store {
    sqlite3 *connection;
    int is_ours;  /* the connection: opened here, closed here */
    char *path;   /* absolute, or "" */
    char *folder; /* of the database, or NULL in memory */
    uint8_t uuid[16];
    int depth;    /* of store_begin calls not ended yet */
    int in_hosts; /* the first of them found a transaction of the host's */
    int in_snapshot;
    struct buffer held; /* the strings that the last call gave out */
    sqlite3_stmt *statements[N_STATEMENTS];
};

/* ---- SQLite's errors as ours ------------------------------------------- */

/* connection may be NULL. */
static int error_of(sqlite3 *connection, const char *path, int code, ernie_error *err)
{
    const char *name = path != NULL && path[0] != '\0' ? path : "database";
    const char *words = sqlite3_errstr(code);
    char system_words[128];
    int why = 0;

    if (connection != NULL && sqlite3_extended_errcode(connection) == code) {
        words = sqlite3_errmsg(connection);
        why = sqlite3_system_errno(connection);
    }
    if (code == SQLITE_IOERR_NOMEM)
        code = SQLITE_NOMEM;
    switch (code & 0xff) {
    case SQLITE_NOMEM:
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", name);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return error_set(err, ERNIE_EBUSY, "%s: another process is writing to it", name);
    case SQLITE_FULL:
        return error_set(err, ERNIE_EIO, "%s: the disk is full", name);
    case SQLITE_READONLY:
        return error_set(err, ERNIE_EIO, "%s: cannot be written: it or its folder is read-only",
                         name);
    case SQLITE_NOTADB:
        return error_set(err, ERNIE_EFORMAT, "%s: not an SQLite database", name);
    case SQLITE_CORRUPT:
    case SQLITE_CONSTRAINT: /* the rows there are do not let ours in */
    case SQLITE_ERROR:      /* a table or column of ours is missing */
        return error_set(err, ERNIE_ECORRUPT, "%s: damaged: %s", name, words);
    case SQLITE_INTERRUPT:
        return error_set(err, ERNIE_ECANCELED, "%s: interrupted", name);
    case SQLITE_TOOBIG:
        return error_set(err, ERNIE_EINVAL, "%s: a text larger than SQLite takes", name);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (why != 0)
            return error_set(err, ERNIE_EIO, "%s: %s: %s", name, words,
                             strerror_r(why, system_words, sizeof system_words));
        /* fall through */
    default:
        return error_set(err, ERNIE_EIO, "%s: %s", name, words);
    }
}

static int fail(const struct store *store, int code, ernie_error *err)
{
    return error_of(store->connection, store->path, code, err);
}

static int out_of_memory(const struct store *store, ernie_error *err)
{
    return fail(store, SQLITE_NOMEM, err);
}

/* ---- statements -------------------------------------------------------- */

/* One run of a statement. The first thing that goes wrong is kept, what follows
 * does nothing, and query_end says it, so that no step needs a check of its own. */
struct query {
    struct store *store;
    enum statement which;
    sqlite3_stmt *statement;
    int code;
};

static struct query query_start(struct store *store, enum statement which)
{
    struct query query = { .store = store, .which = which };

    if (store->statements[which] == NULL)
        query.code = sqlite3_prepare_v3(store->connection, sql_of[which], -1,
                                        store->is_ours ? SQLITE_PREPARE_PERSISTENT : 0,
                                        &store->statements[which], NULL);
    else if (sqlite3_stmt_busy(store->statements[which]))
        query.code = SQLITE_MISUSE; /* a callback called what called it */
    if (query.code == SQLITE_OK)
        query.statement = store->statements[which];
    return query;
}

static void bind_integer(struct query *query, int i, int64_t value)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_int64(query->statement, i, value);
}

/* Text and bytes stay the caller's and must live until query_end. */
static void bind_sized_text(struct query *query, int i, const char *text, size_t size)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_text64(query->statement, i, text, size, SQLITE_STATIC,
                                          SQLITE_UTF8);
}

static void bind_text(struct query *query, int i, const char *text)
{
    if (text != NULL) /* NULL is what is not bound */
        bind_sized_text(query, i, text, strlen(text));
}

static void bind_bytes(struct query *query, int i, const void *bytes, size_t size)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_blob64(query->statement, i, bytes, size, SQLITE_STATIC);
}

static void bind_path(struct query *query, int i, const char *path)
{
    size_t size = strlen(path);

    if (utf8_valid(path, size))
        bind_sized_text(query, i, path, size);
    else
        bind_bytes(query, i, path, size);
}

/* Steps to the next row; 0 when there is none, or something failed. */
static int query_row(struct query *query)
{
    if (query->code == SQLITE_OK || query->code == SQLITE_ROW)
        query->code = sqlite3_step(query->statement);
    return query->code == SQLITE_ROW;
}

static int64_t column_integer(const struct query *query, int i)
{
    return sqlite3_column_int64(query->statement, i);
}

/* The bytes of a text or BLOB as they are stored; NULL and 0 for what is empty. */
static const void *column_bytes(struct query *query, int i, size_t *size)
{
    const void *bytes = sqlite3_column_blob(query->statement, i);

    *size = (size_t)sqlite3_column_bytes(query->statement, i);
    if (bytes == NULL && *size > 0) {
        *size = 0;
        query->code = SQLITE_NOMEM;
    }
    return bytes;
}

/* Whether statements may stay prepared. A host cannot close its connection while
 * there are statements of ours, and does not tell us before it does. */
static int keeps_statements(const struct store *store)
{
    return store->is_ours || store->in_snapshot || store->depth > 0;
}

static void finalize_statements(struct store *store)
{
    for (int i = 0; i < N_STATEMENTS; i++) {
        sqlite3_finalize(store->statements[i]);
        store->statements[i] = NULL;
    }
}

/* Ends a query after its last row or before; status is the caller's own so far, and
 * is returned when it is not ERNIE_OK. */
static int query_end(struct query *query, int status, ernie_error *err)
{
    struct store *store = query->store;

    if (status == ERNIE_OK && query->code != SQLITE_OK && query->code != SQLITE_ROW &&
        query->code != SQLITE_DONE)
        status = fail(store, query->code, err);
    if (query->statement != NULL) {
        sqlite3_reset(query->statement);
        /* Forgets values too: they point into the caller's memory. */
        sqlite3_clear_bindings(query->statement);
    }
    if (!keeps_statements(store)) {
        sqlite3_finalize(store->statements[query->which]);
        store->statements[query->which] = NULL;
    }
    return status;
}

/* Runs a bound statement to its end. */
static int query_run(struct query *query, ernie_error *err)
{
    while (query_row(query))
        continue;
    return query_end(query, ERNIE_OK, err);
}

static int run_with_id(struct store *store, enum statement which, int64_t id, ernie_error *err)
{
    struct query query = query_start(store, which);

    bind_integer(&query, 1, id);
    return query_run(&query, err);
}

static int run_sql(struct store *store, const char *sql, ernie_error *err)
{
    int code = sqlite3_exec(store->connection, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? ERNIE_OK : fail(store, code, err);
}

/* The first column of the first row of SQL that runs once, as a number: 0 when there
 * is no row. */
static int sql_to_integer(struct store *store, const char *sql, int64_t *out, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->connection, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    *out = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    if (code == SQLITE_ROW || code == SQLITE_DONE)
        code = SQLITE_OK;
    if (code != SQLITE_OK)
        code = fail(store, code, err);
    sqlite3_finalize(statement);
    return code;
}

/* ---- strings given out ------------------------------------------------- */

/* Strings are copied from their row, and the row let go: one that stayed would hold
 * a read transaction open, which keeps SQLite's log from being taken in, and makes
 * the next write of this connection fail when another process wrote in between. */
static size_t hold(struct query *query, int i)
{
    struct buffer *held = &query->store->held;
    size_t offset = held->size, size;
    const void *bytes = column_bytes(query, i, &size);

    buffer_append(held, bytes, size);
    buffer_append_char(held, '\0');
    return offset;
}

/* ---- opening ----------------------------------------------------------- */

/* FULL: a document that was reported as indexed survives a power cut. secure_delete:
 * a deleted document leaves no text behind in the file. */
static const char settings[] =
    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    " PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    " SELECT count(*) FROM main.sqlite_master"; /* the first look at the file */

static int parse_uuid(const char *hex, uint8_t out[16])
{
    for (int i = 0; i < 16; i++) {
        char digits[3] = { hex[2 * i], hex[2 * i] == '\0' ? '\0' : hex[2 * i + 1], '\0' };

        if (strspn(digits, "0123456789abcdef") != 2)
            return -1;
        out[i] = (uint8_t)strtoul(digits, NULL, 16);
    }
    return hex[32] == '\0' ? 0 : -1;
}

static int has_collection(struct store *store, int *has, ernie_error *err)
{
    int64_t n;
    int status = sql_to_integer(store,
                                "SELECT count(*) FROM main.sqlite_master WHERE type = 'table'"
                                " AND name = 'ernie_meta'",
                                &n, err);

    *has = n > 0;
    return status;
}

/* The whole schema, in one transaction. */
static int create_collection(struct store *store, ernie_error *err)
{
    int status = store_begin(store, err), has;

    if (status != ERNIE_OK)
        return status;
    /* Another process may have made it while this one waited. */
    status = has_collection(store, &has, err);
    if (status == ERNIE_OK && !has)
        status = run_sql(store, schema_sql, err);
    if (status == ERNIE_OK)
        status = store_commit(store, err);
    if (status != ERNIE_OK)
        store_rollback(store);
    return status;
}

/* Ranges of paths are ranges of bytes, which text in UTF-16 is not. */
static int check_encoding(struct store *store, ernie_error *err)
{
    int64_t is_utf8;
    int status = sql_to_integer(
        store, "SELECT encoding = 'UTF-8' FROM pragma_encoding", &is_utf8, err);

    if (status == ERNIE_OK && !is_utf8)
        status = error_set(err, ERNIE_EFORMAT, "%s: its text is UTF-16; only UTF-8 is supported",
                           store->path);
    return status;
}

/* What every collection must have. */
static int check_collection(struct store *store, ernie_error *err)
{
    const char *name = store->path[0] != '\0' ? store->path : "database";
    char value[64];
    long version;
    int status, has;

    status = has_collection(store, &has, err);
    if (status != ERNIE_OK)
        return status;
    if (!has)
        return error_set(err, ERNIE_ENOTFOUND,
                         "%s: holds no ernie collection; `ernie index` makes one", name);
    status = store_meta_get(store, "schema_version", value, sizeof value, err);
    if (status != ERNIE_OK)
        return status;
    version = strtol(value, NULL, 10);
    if (version > SCHEMA_VERSION)
        return error_set(err, ERNIE_EFORMAT,
                         "%s: made by a newer ernie (schema %ld; this one knows %d)", name,
                         version, SCHEMA_VERSION);
    if (version < SCHEMA_VERSION)
        return error_set(err, ERNIE_ECORRUPT, "%s: damaged: no schema version", name);
    status = store_meta_get(store, "uuid", value, sizeof value, err);
    if (status == ERNIE_OK && parse_uuid(value, store->uuid) != 0)
        status = error_set(err, ERNIE_ECORRUPT, "%s: damaged: no uuid", name);
    return status;
}

/* Takes over a connection that is_ours, which is closed when this fails. */
static int store_new(struct sqlite3 *connection, int is_ours, struct store **out, ernie_error *err)
{
    struct store *store = memory_new(1, sizeof *store);
    const char *name = sqlite3_db_filename(connection, "main");
    int status = ERNIE_OK;

    if (store == NULL) {
        if (is_ours)
            sqlite3_close(connection);
        return error_set(err, ERNIE_ENOMEM, "database: out of memory");
    }
    store->connection = connection;
    store->is_ours = is_ours;
    if (name != NULL && name[0] != '\0')
        status = path_resolve(name, &store->path, err);
    /* A host may keep a database where there are no files, whatever its name. */
    if (store->path == NULL && status != ERNIE_ENOMEM)
        store->path = memory_copy_text("", 0);
    if (store->path != NULL && store->path[0] != '\0')
        store->folder = path_directory(store->path);
    if (store->path == NULL || (store->path[0] != '\0' && store->folder == NULL)) {
        store_close(store);
        return error_set(err, ERNIE_ENOMEM, "database: out of memory");
    }
    *out = store;
    return ERNIE_OK;
}

/* Makes an empty file for SQLite to fill, so that its mode is ours to say: the texts
 * in it were perhaps not for everybody. */
static int create_file(const char *path, ernie_error *err)
{
    int fd = system_table.openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        system_table.close(fd);
    else if (errno != EEXIST) /* another process was as quick */
        return error_set_system(err, errno, path);
    return ERNIE_OK;
}

/* The absolute path of the database, made first where mode says so. */
static int find_file(const char *path, enum store_mode mode, char **out, ernie_error *err)
{
    struct stat st;
    int status = ERNIE_OK;

    if (system_table.fstatat(AT_FDCWD, path, &st, 0) != 0) {
        if (errno != ENOENT || mode != STORE_CREATE)
            return error_set_system(err, errno, path);
        status = create_file(path, err);
    } else if (!S_ISREG(st.st_mode)) {
        /* Opening a FIFO would wait for somebody to write. */
        status = error_set(err, ERNIE_EFORMAT, "%s: %s", path,
                           S_ISDIR(st.st_mode) ? "is a folder" : "not a regular file");
    }
    return status == ERNIE_OK ? path_resolve(path, out, err) : status;
}

/* "file:" with what would end or change the path escaped. path is absolute, and
 * comes after an empty host so that "//x" names no host. */
static char *file_uri(const char *path, const char *parameters)
{
    struct buffer uri = { 0 };

    buffer_append_text(&uri, "file://");
    for (const char *c = path; *c != '\0'; c++) {
        if (strchr("?#%", *c) != NULL)
            buffer_printf(&uri, "%%%02x", (unsigned char)*c);
        else
            buffer_append_char(&uri, *c);
    }
    buffer_append_text(&uri, parameters);
    return buffer_take(&uri);
}

/* Opens and reads the first page. SQLite's code; the connection is set unless memory
 * ran out, and holds the words of the failure. */
static int connect_to(const char *uri, int flags, sqlite3 **out)
{
    int code = sqlite3_open_v2(uri, out, flags | SQLITE_OPEN_URI | SQLITE_OPEN_PRIVATECACHE, NULL);

    if (code != SQLITE_OK)
        return code;
    sqlite3_extended_result_codes(*out, 1);
    sqlite3_busy_timeout(*out, BUSY_TIMEOUT_MS);
    sqlite3_db_config(*out, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    return sqlite3_exec(*out, settings, NULL, NULL, NULL);
}

/* Whether a file beside the database (its log, its journal) has content. */
static int has_beside(const char *path, const char *suffix)
{
    struct buffer name = { 0 };
    struct stat st;
    int has;

    buffer_append_text(&name, path);
    buffer_append_text(&name, suffix);
    has = name.failed || (system_table.fstatat(AT_FDCWD, name.data, &st, 0) == 0 && st.st_size > 0);
    buffer_reset(&name);
    return has;
}

/* A database in a folder that cannot be written has nowhere for the shared memory of
 * its log. It can be read as one that nobody changes, unless a log or journal is left
 * that holds what the file itself does not. */
static int connect_immutable(const char *path, sqlite3 **out, ernie_error *err)
{
    char *uri;
    int code;

    if (has_beside(path, "-wal") || has_beside(path, "-journal"))
        return error_set(err, ERNIE_EIO,
                         "%s: its folder is read-only, and the last changes are still in the -wal "
                         "or -journal file beside it: copy them together to where they can be written",
                         path);
    uri = file_uri(path, "?immutable=1");
    if (uri == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    code = connect_to(uri, SQLITE_OPEN_READONLY, out);
    memory_free(uri);
    return code == SQLITE_OK ? ERNIE_OK : error_of(*out, path, code, err);
}

/* *out is set on failure too, and is the caller's to close. */
static int connect_file(const char *path, enum store_mode mode, sqlite3 **out, ernie_error *err)
{
    char *uri = path != NULL ? file_uri(path, "") : memory_copy_text(":memory:", 8);
    int code;

    if (uri == NULL)
        return error_set(err, ERNIE_ENOMEM, "%s: out of memory", path);
    /* For writing even to read: who closes last then takes the log away. The file is
     * never made here, and where it is read-only SQLite opens it so. */
    code = connect_to(uri, SQLITE_OPEN_READWRITE, out);
    memory_free(uri);
    if (code == SQLITE_OK)
        return ERNIE_OK;
    if (mode != STORE_READ || ((code & 0xff) != SQLITE_CANTOPEN && (code & 0xff) != SQLITE_READONLY))
        return error_of(*out, path, code, err);
    sqlite3_close(*out);
    *out = NULL;
    return connect_immutable(path, out, err);
}

/* What differs by mode, once the file is open. */
static int prepare_mode(struct store *store, enum store_mode mode, ernie_error *err)
{
    int status, has;

    if (mode == STORE_READ)
        return run_sql(store, "PRAGMA query_only = ON", err);
    if (sqlite3_db_readonly(store->connection, "main") == 1)
        return fail(store, SQLITE_READONLY, err);
    status = run_sql(store, "PRAGMA main.journal_mode = WAL", err);
    if (status == ERNIE_OK)
        status = has_collection(store, &has, err);
    if (status == ERNIE_OK && !has && mode == STORE_CREATE)
        status = check_encoding(store, err);
    if (status == ERNIE_OK && !has && mode == STORE_CREATE)
        status = create_collection(store, err);
    return status;
}

int store_open(const char *path, enum store_mode mode, struct store **out, ernie_error *err)
{
    sqlite3 *connection = NULL;
    struct store *store = NULL;
    char *resolved = NULL;
    int status = ERNIE_OK;

    if (strcmp(path, ":memory:") != 0)
        status = find_file(path, mode, &resolved, err);
    if (status == ERNIE_OK)
        status = connect_file(resolved, mode, &connection, err);
    memory_free(resolved);
    if (status != ERNIE_OK) {
        sqlite3_close(connection);
        return status;
    }
    status = store_new(connection, 1, &store, err);
    if (status == ERNIE_OK)
        status = prepare_mode(store, mode, err);
    if (status == ERNIE_OK)
        status = check_collection(store, err);
    if (status == ERNIE_OK)
        status = check_encoding(store, err);
    if (status != ERNIE_OK) {
        store_close(store);
        return status;
    }
    *out = store;
    return ERNIE_OK;
}

int store_attach(struct sqlite3 *connection, struct store **out, ernie_error *err)
{
    struct store *store = NULL;
    int status = store_new(connection, 0, &store, err);

    if (status == ERNIE_OK)
        status = check_collection(store, err);
    if (status == ERNIE_OK)
        status = check_encoding(store, err);
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
    buffer_reset(&store->held);
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

void store_set_timeout(struct store *store, int timeout_ms)
{
    sqlite3_busy_timeout(store->connection, timeout_ms);
}

void store_interrupt(struct store *store)
{
    sqlite3_interrupt(store->connection);
}

/* ---- transactions ------------------------------------------------------ */

/* Whether the innermost store_begin made a savepoint. They may share a name: the
 * newest of it is meant. */
static int in_savepoint(const struct store *store)
{
    return store->in_hosts || store->depth > 1;
}

static void leave_transaction(struct store *store)
{
    store->depth--;
    if (!keeps_statements(store))
        finalize_statements(store);
}

int store_begin(struct store *store, ernie_error *err)
{
    int status;

    if (store->depth == 0)
        store->in_hosts = !sqlite3_get_autocommit(store->connection);
    store->depth++;
    status = run_sql(store, in_savepoint(store) ? "SAVEPOINT ernie" : "BEGIN IMMEDIATE", err);
    if (status != ERNIE_OK)
        leave_transaction(store);
    return status;
}

int store_commit(struct store *store, ernie_error *err)
{
    int status;

    if (store->depth == 0)
        return error_set(err, ERNIE_EINVAL, "%s: no transaction to commit", store->path);
    status = run_sql(store, in_savepoint(store) ? "RELEASE ernie" : "COMMIT", err);
    if (status == ERNIE_OK)
        leave_transaction(store);
    return status;
}

void store_rollback(struct store *store)
{
    if (store->depth == 0)
        return;
    /* SQLite may have rolled back by itself, on a full disk for one. */
    if (!sqlite3_get_autocommit(store->connection))
        sqlite3_exec(store->connection,
                     in_savepoint(store) ? "ROLLBACK TO ernie; RELEASE ernie" : "ROLLBACK", NULL,
                     NULL, NULL);
    leave_transaction(store);
}

/* A query that is stepped and not reset holds a read transaction open, in
 * autocommit as well as inside of a transaction of the host's, where BEGIN would
 * fail. */
int store_snapshot_begin(struct store *store, uint64_t *seq, ernie_error *err)
{
    struct query query = query_start(store, LOG_LAST);

    if (!query_row(&query))
        return query_end(&query, ERNIE_OK, err);
    *seq = (uint64_t)column_integer(&query, 0);
    store->in_snapshot = 1;
    return ERNIE_OK;
}

void store_snapshot_end(struct store *store)
{
    if (!store->in_snapshot)
        return;
    store->in_snapshot = 0;
    sqlite3_reset(store->statements[LOG_LAST]);
    if (!keeps_statements(store))
        finalize_statements(store);
}

int store_log_mark(struct store *store, uint64_t seq, uint64_t *mark, ernie_error *err)
{
    struct query query;
    int status = ERNIE_OK;

    if (seq == 0) {
        *mark = 0;
        return ERNIE_OK;
    }
    query = query_start(store, LOG_MARK);
    bind_integer(&query, 1, (int64_t)seq);
    if (query_row(&query))
        *mark = (uint64_t)column_integer(&query, 0);
    else if (query.code == SQLITE_DONE)
        status = error_set(err, ERNIE_ENOTFOUND, "%s: no log entry %llu", store->path,
                           (unsigned long long)seq);
    return query_end(&query, status, err);
}

/* ---- meta -------------------------------------------------------------- */

int store_meta_get(struct store *store, const char *key, char *value, size_t size,
                   ernie_error *err)
{
    struct query query = query_start(store, META_GET);

    value[0] = '\0';
    bind_text(&query, 1, key);
    if (query_row(&query)) {
        size_t n;
        const void *bytes = column_bytes(&query, 0, &n);

        n = n < size ? n : size - 1;
        if (n > 0)
            memcpy(value, bytes, n);
        value[n] = '\0';
    }
    return query_end(&query, ERNIE_OK, err);
}

int store_meta_set(struct store *store, const char *key, const char *value, ernie_error *err)
{
    struct query query = query_start(store, META_SET);

    bind_text(&query, 1, key);
    bind_text(&query, 2, value);
    return query_run(&query, err);
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
    struct query query = query_start(store, ROOTS);
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
            status = out_of_memory(store, err);
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
    query = query_start(store, DOCUMENT_MOVE);
    bind_integer(&query, 1, id);
    bind_integer(&query, 2, root_id);
    bind_path(&query, 3, path);
    return query_run(&query, err);
}

/* The documents of the root inner_id become documents of outer_id, which has inner
 * below it. */
static int absorb_root(struct store *store, int64_t outer_id, int64_t inner_id, const char *below,
                       ernie_error *err)
{
    struct query query = query_start(store, DOCUMENT_PATHS);
    int status = ERNIE_OK;

    /* Rows leave the query's range as they are moved, and come to no other place in
     * it: moving changes root_id, which the query fixes. */
    bind_integer(&query, 1, inner_id);
    while (status == ERNIE_OK && query_row(&query)) {
        struct buffer path = { 0 };
        size_t size;
        const void *bytes = column_bytes(&query, 1, &size);

        buffer_append_text(&path, below);
        if (path.size > 0)
            buffer_append_char(&path, '/');
        buffer_append(&path, bytes, size);
        if (path.failed || path.data == NULL)
            status = out_of_memory(store, err);
        else
            status = move_document(store, column_integer(&query, 0), outer_id, path.data, err);
        buffer_reset(&path);
    }
    status = query_end(&query, status, err);
    return status == ERNIE_OK ? run_with_id(store, ROOT_DELETE, inner_id, err) : status;
}

/* The row of a root that is not there yet. */
static int add_root(struct store *store, const char *path, int64_t *id, ernie_error *err)
{
    struct query query = query_start(store, ROOT_ADD);
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

/* ---- documents --------------------------------------------------------- */

int store_document_find(struct store *store, int64_t root_id, const char *path,
                        struct store_document *out, int *found, ernie_error *err)
{
    struct query query = query_start(store, DOCUMENT_FIND);
    struct store_document document = { 0 };
    size_t offsets[5] = { 0 }, size;
    int has_failure = 0, status;

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
        for (int i = 0; i < 5; i++)
            offsets[i] = hold(&query, 7 + i);
        has_failure = sqlite3_column_type(query.statement, 11) != SQLITE_NULL;
    }
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && store->held.failed)
        status = out_of_memory(store, err);
    if (status != ERNIE_OK || !*found)
        return status;
    document.path = store->held.data + offsets[0];
    document.title = store->held.data + offsets[1];
    document.format = store->held.data + offsets[2];
    document.encoding = store->held.data + offsets[3];
    document.failure = has_failure ? store->held.data + offsets[4] : NULL;
    *out = document;
    return ERNIE_OK;
}

int store_document_put(struct store *store, const struct store_document *document, int64_t *id,
                       ernie_error *err)
{
    struct query query = query_start(store, DOCUMENT_PUT);
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
    struct query query = query_start(store, DOCUMENT_TOUCH);

    bind_integer(&query, 1, document->root_id);
    bind_path(&query, 2, document->path);
    bind_integer(&query, 3, (int64_t)document->size_bytes);
    bind_integer(&query, 4, document->mtime_ns);
    bind_integer(&query, 5, document->ctime_ns);
    bind_integer(&query, 6, document->checked_ns);
    return query_run(&query, err);
}

int store_document_delete(struct store *store, int64_t id, ernie_error *err)
{
    return run_with_id(store, DOCUMENT_DELETE, id, err);
}

/* The first column of what a query gives; *out is released with memory_free. */
static int collect_ids(struct query *query, int64_t **out, size_t *n, ernie_error *err)
{
    int64_t *ids = NULL;
    size_t count = 0, capacity = 0;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(query)) {
        if (count == capacity) {
            size_t more = capacity == 0 ? 64 : capacity * 2;
            int64_t *grown = memory_resize(ids, more, sizeof *grown);

            if (grown == NULL) {
                status = out_of_memory(query->store, err);
                break;
            }
            ids = grown;
            capacity = more;
        }
        ids[count++] = column_integer(query, 0);
    }
    status = query_end(query, status, err);
    if (status != ERNIE_OK) {
        memory_free(ids);
        return status;
    }
    *out = ids;
    *n = count;
    return ERNIE_OK;
}

int store_document_ids(struct store *store, int64_t root_id, const char *below, int64_t **ids,
                       size_t *n, ernie_error *err)
{
    struct query query;
    const size_t size = strlen(below) + 1; /* with a slash, or the byte after it */
    char *from, *to;
    int status;

    if (below[0] == '\0') {
        query = query_start(store, DOCUMENT_IDS);
        bind_integer(&query, 1, root_id);
        return collect_ids(&query, ids, n, err);
    }
    from = memory_copy_text(below, size);
    to = memory_copy_text(below, size);
    if (from == NULL || to == NULL) {
        memory_free(from);
        memory_free(to);
        return out_of_memory(store, err);
    }
    from[size - 1] = '/';
    to[size - 1] = '/' + 1;
    query = query_start(store, DOCUMENT_IDS_BELOW);
    bind_integer(&query, 1, root_id);
    bind_path(&query, 2, below);
    if (utf8_valid(below, size - 1)) { /* no text begins with what is not UTF-8 */
        bind_sized_text(&query, 3, from, size);
        bind_sized_text(&query, 4, to, size);
    }
    bind_bytes(&query, 5, from, size);
    bind_bytes(&query, 6, to, size);
    status = collect_ids(&query, ids, n, err);
    memory_free(from);
    memory_free(to);
    return status;
}

/* ---- chunks and embeddings --------------------------------------------- */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
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

static int put_embedding(struct store *store, int64_t chunk_id, const float *embedding, size_t dim,
                         ernie_error *err)
{
    const size_t size_bytes = dim * sizeof *embedding;
    struct query query;

    if (dim == 0 || dim > MAX_DIM)
        return error_set(err, ERNIE_EINVAL, "%s: a vector of %zu numbers", store->path, dim);
    query = query_start(store, EMBEDDING_PUT);
    bind_integer(&query, 1, chunk_id);
    bind_bytes(&query, 2, embedding, size_bytes);
    bind_integer(&query, 3, checksum_of(embedding, size_bytes));
    return query_run(&query, err);
}

int store_chunk_add(struct store *store, const struct store_chunk *chunk, int64_t *id,
                    ernie_error *err)
{
    struct query query = query_start(store, CHUNK_ADD);
    int64_t added;
    int status;

    bind_integer(&query, 1, chunk->document_id);
    bind_integer(&query, 2, (int64_t)chunk->ordinal);
    bind_integer(&query, 3, (int64_t)chunk->start);
    bind_integer(&query, 4, (int64_t)chunk->end);
    bind_integer(&query, 5, (int64_t)chunk->line);
    bind_sized_text(&query, 6, chunk->text, chunk->size);
    status = query_run(&query, err);
    if (status != ERNIE_OK)
        return status;
    added = sqlite3_last_insert_rowid(store->connection);
    status = put_embedding(store, added, chunk->embedding, chunk->dim, err);
    if (status == ERNIE_OK)
        *id = added;
    return status;
}

/* What is wrong with the vector in column (its checksum in the next), or NULL; then
 * it is copied into out [dim]. */
static const char *read_vector(struct query *query, int column, size_t dim, float *out)
{
    size_t size_bytes;
    const void *bytes = column_bytes(query, column, &size_bytes);

    if (size_bytes != dim * sizeof *out)
        return "has another number of numbers than the model gives";
    if (checksum_of(bytes, size_bytes) != column_integer(query, column + 1))
        return "is not what was written";
    memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    for (size_t i = 0; i < dim; i++)
        if (!isfinite(out[i]))
            return "holds what is not a number";
    return NULL;
}

int store_embeddings_since(struct store *store, uint64_t seq, size_t dim, store_embedding_fn fn,
                           void *data, ernie_error *err)
{
    float *vector = memory_new(dim, sizeof *vector);
    struct query query;
    int status = ERNIE_OK;

    if (vector == NULL)
        return out_of_memory(store, err);
    /* All of them are found by their rows, so that a log that was cut short in front
     * hides none. */
    query = query_start(store, seq == 0 ? EMBEDDINGS_ALL : EMBEDDINGS_SINCE);
    if (seq != 0)
        bind_integer(&query, 1, (int64_t)seq);
    while (status == ERNIE_OK && query_row(&query)) {
        const char *wrong = read_vector(&query, 1, dim, vector);

        if (query.code == SQLITE_ROW)
            status = fn(data, column_integer(&query, 0), wrong == NULL ? vector : NULL, err);
    }
    status = query_end(&query, status, err);
    memory_free(vector);
    return status;
}

int store_texts(struct store *store, store_text_fn fn, void *data, ernie_error *err)
{
    struct query query = query_start(store, TEXTS);
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&query)) {
        size_t size;
        const char *text = column_bytes(&query, 1, &size);

        if (query.code == SQLITE_ROW)
            status = fn(data, column_integer(&query, 0), text != NULL ? text : "", size, err);
    }
    return query_end(&query, status, err);
}

int store_embedding_replace(struct store *store, int64_t chunk_id, const float *embedding,
                            size_t dim, ernie_error *err)
{
    return put_embedding(store, chunk_id, embedding, dim, err);
}

int store_hit_get(struct store *store, int64_t chunk_id, struct store_hit *out, int *found,
                  ernie_error *err)
{
    struct query query = query_start(store, HIT_GET);
    struct store_hit hit = { 0 };
    size_t path = 0, title = 0, text = 0;
    int status;

    bind_integer(&query, 1, chunk_id);
    buffer_clear(&store->held);
    *found = query_row(&query);
    if (*found) {
        hit.document_id = column_integer(&query, 0);
        hit.root_id = column_integer(&query, 1);
        hit.line = (size_t)column_integer(&query, 2);
        path = hold(&query, 3);
        title = hold(&query, 4);
        text = hold(&query, 5);
        hit.size = store->held.size - text - 1;
    }
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && store->held.failed)
        status = out_of_memory(store, err);
    if (status != ERNIE_OK || !*found)
        return status;
    hit.path = store->held.data + path;
    hit.title = store->held.data + title;
    hit.text = store->held.data + text;
    *out = hit;
    return ERNIE_OK;
}

int store_embedding_get(struct store *store, int64_t chunk_id, size_t dim, int64_t *document_id,
                        float *out, int *found, ernie_error *err)
{
    struct query query = query_start(store, EMBEDDING_GET);

    bind_integer(&query, 1, chunk_id);
    *found = query_row(&query);
    if (*found) {
        *document_id = column_integer(&query, 0);
        *found = read_vector(&query, 1, dim, out) == NULL;
    }
    return query_end(&query, ERNIE_OK, err);
}

/* ---- upkeep ------------------------------------------------------------ */

int store_counts(struct store *store, struct store_counts *out, ernie_error *err)
{
    struct query query = query_start(store, COUNTS);
    struct store_counts counts = { 0 };
    int64_t n_pages, page_bytes;
    int status;

    if (query_row(&query))
        counts = (struct store_counts){
            .n_documents = (size_t)column_integer(&query, 0),
            .n_failed = (size_t)column_integer(&query, 1),
            .n_chunks = (size_t)column_integer(&query, 2),
            .n_embeddings = (size_t)column_integer(&query, 3),
            .n_roots = (size_t)column_integer(&query, 4),
        };
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK)
        status = sql_to_integer(store, "PRAGMA main.page_count", &n_pages, err);
    if (status == ERNIE_OK)
        status = sql_to_integer(store, "PRAGMA main.page_size", &page_bytes, err);
    if (status != ERNIE_OK)
        return status;
    counts.database_bytes = (uint64_t)n_pages * (uint64_t)page_bytes;
    *out = counts;
    return ERNIE_OK;
}

int store_text_bytes(struct store *store, uint64_t *out, ernie_error *err)
{
    struct query query = query_start(store, TEXT_BYTES);
    uint64_t n_bytes = 0;
    int status;

    if (query_row(&query))
        n_bytes = (uint64_t)column_integer(&query, 0);
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK)
        *out = n_bytes;
    return status;
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

/* Damage met while looking for damage is a finding; the other checks go on. */
static int check_end(struct checker *checker, int code, ernie_error *err)
{
    if (code == SQLITE_DONE)
        return ERNIE_OK;
    if ((code & 0xff) != SQLITE_CORRUPT && (code & 0xff) != SQLITE_ERROR)
        return fail(checker->store, code, err);
    add_finding(checker, "%s", sqlite3_errmsg(checker->store->connection));
    return ERNIE_OK;
}

/* Each row of a query is a finding, its first column the words. "ok" is none. */
static int check_query(struct checker *checker, const char *sql, ernie_error *err)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(checker->store->connection, sql, -1, &statement, NULL);
    int status;

    if (code == SQLITE_OK) {
        while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
            const char *words = (const char *)sqlite3_column_text(statement, 0);

            if (words == NULL || strcmp(words, "ok") != 0)
                add_finding(checker, "%s", words != NULL ? words : "out of memory");
        }
    }
    status = check_end(checker, code, err);
    sqlite3_finalize(statement);
    return status;
}

static int check_vectors(struct checker *checker, size_t dim, ernie_error *err)
{
    static const char sql[] = "SELECT chunk_id, vector, checksum FROM main.ernie_embeddings";
    struct query query = { .store = checker->store };
    float *vector = memory_new(dim, sizeof *vector);
    int status;

    if (vector == NULL)
        return out_of_memory(checker->store, err);
    query.code = sqlite3_prepare_v2(checker->store->connection, sql, -1, &query.statement, NULL);
    while (query_row(&query)) {
        const char *wrong = read_vector(&query, 1, dim, vector);
        long long id = column_integer(&query, 0);
        double square = 0;

        for (size_t i = 0; wrong == NULL && i < dim; i++)
            square += (double)vector[i] * vector[i];
        if (wrong != NULL)
            add_finding(checker, "chunk %lld: its vector %s", id, wrong);
        else if (fabs(sqrt(square) - 1) > 1e-3)
            add_finding(checker, "chunk %lld: its vector has length %g, not 1", id, sqrt(square));
    }
    status = check_end(checker, query.code, err);
    sqlite3_finalize(query.statement);
    memory_free(vector);
    return status;
}

int store_check(struct store *store, size_t dim, void (*report)(void *data, const char *finding),
                void *data, size_t *n_findings, ernie_error *err)
{
    static const char *const queries[] = {
        "PRAGMA main.integrity_check(100)",
        "SELECT 'a row of ' || \"table\" || ' refers to none of ' || parent"
        " FROM pragma_foreign_key_check WHERE \"table\" GLOB 'ernie_*' LIMIT 100",
        "SELECT 'chunk ' || id || ': no vector' FROM main.ernie_chunks"
        " WHERE id NOT IN (SELECT chunk_id FROM main.ernie_embeddings) LIMIT 100",
        "SELECT 'document ' || d.id || ': failed, but has chunks' FROM main.ernie_documents d"
        " JOIN main.ernie_chunks c ON c.document_id = d.id WHERE d.failure IS NOT NULL"
        " GROUP BY d.id LIMIT 100",
        "SELECT 'chunk ' || id || ': ends before it starts' FROM main.ernie_chunks"
        " WHERE end_byte < start_byte OR start_byte < 0 OR line < 1 LIMIT 100",
        "SELECT 'document ' || document_id || ': a chunk is missing' FROM main.ernie_chunks"
        " GROUP BY document_id HAVING min(ordinal) <> 0 OR max(ordinal) <> count(*) - 1 LIMIT 100",
        /* The last entry for a chunk says whether it is there. A log without its first
         * entry was cut short, and says nothing of the chunks before. */
        "SELECT 'chunk ' || c.id || ': not in the log' FROM main.ernie_chunks c LEFT JOIN"
        " (SELECT chunk_id, max(seq), op FROM main.ernie_log GROUP BY chunk_id) l"
        " ON l.chunk_id = c.id WHERE l.op = 'delete' OR (l.op IS NULL AND"
        " EXISTS (SELECT 1 FROM main.ernie_log WHERE seq = 1)) LIMIT 100",
        "SELECT 'chunk ' || l.chunk_id || ': in the log, but gone' FROM"
        " (SELECT chunk_id, max(seq), op FROM main.ernie_log GROUP BY chunk_id) l"
        " WHERE l.op <> 'delete' AND l.chunk_id NOT IN (SELECT id FROM main.ernie_chunks)"
        " LIMIT 100",
        /* Else a new chunk could get the id of one that an index still names. */
        "SELECT 'chunk ' || max(chunk_id) || ': its id could be given out again'"
        " FROM main.ernie_log HAVING max(chunk_id) > coalesce("
        "(SELECT seq FROM main.sqlite_sequence WHERE name = 'ernie_chunks'), 0)",
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
