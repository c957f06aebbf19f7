#include "sql/store.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/utf8.h"
#include "schema_sql.h"
#include "upgrade_1_2_sql.h"
#include "sql/collection.h"
#include "sql/findings.h"
#include "sql/fts_tokenizer.h"
#include "sql/sqlite.h"
#include "sql/statement.h"
#include "sql/word_index.h"

#define SCHEMA_VERSION 2
#define BUSY_TIMEOUT_MS 5000
#define MAX_DIM 65536

/* Every statement that runs more than once. */
enum statement {
    ROOTS,
    ROOT_ADD,
    ROOT_DELETE,
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
    [ROOTS] = "SELECT id, path FROM main.ernie_roots WHERE id <> 0",
    [ROOT_ADD] = "INSERT INTO main.ernie_roots (path) VALUES (?1)",
    [ROOT_DELETE] = "DELETE FROM main.ernie_roots WHERE id = ?1",
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
                " FROM main.ernie_chunks c JOIN main.ernie_documents d ON d.id = c.document_id WHERE c.id = ?1",
    [DOCUMENTS] = "SELECT d.id, d.format, " DOCUMENT_DATE " FROM main.ernie_documents d"
                  " WHERE d.failure IS NULL",
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
    int depth;    /* of store_begin calls not ended yet */
    int in_hosts; /* the first of them found a transaction of the host's */
    struct buffer held; /* the strings that the last call gave out */
    struct collection *collection;
    struct word_index *words;
    struct statements statements;
};

static int fail(const struct store *store, int code, ernie_error *err)
{
    return statements_fail(&store->statements, code, err);
}

static int out_of_memory(const struct store *store, ernie_error *err)
{
    return fail(store, SQLITE_NOMEM, err);
}

/* Statements stay prepared while the connection is ours, or in a transaction or a snapshot
 * of a host's. */
static void keep_statements(struct store *store)
{
    statements_keep(&store->statements);
    collection_keep(store->collection);
    word_index_keep(store->words);
}

static void let_statements_go(struct store *store)
{
    statements_let_go(&store->statements);
    collection_let_go(store->collection);
    word_index_let_go(store->words);
}

static int run_with_id(struct store *store, enum statement which, int64_t id, ernie_error *err)
{
    struct query query = query_start(&store->statements, which);

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

static void bind_path(struct query *query, int i, const char *path)
{
    size_t size = strlen(path);

    if (utf8_valid(path, size))
        bind_sized_text(query, i, path, size);
    else
        bind_bytes(query, i, path, size);
}

/* ---- strings given out ------------------------------------------------- */

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

/* ---- opening ----------------------------------------------------------- */

/* FULL: a document that was reported as indexed survives a power cut. secure_delete:
 * a deleted document leaves no text behind in the file. */
static const char settings[] =
    "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
    " PRAGMA temp_store = MEMORY; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON;"
    " SELECT count(*) FROM main.sqlite_master"; /* the first look at the file */

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

static int schema_version(struct store *store, long *out, ernie_error *err)
{
    char value[24];
    int status = collection_meta_get(store->collection, "schema_version", value, sizeof value,
                                     err);

    *out = status == ERNIE_OK ? strtol(value, NULL, 10) : 0;
    return status;
}

/* The schema as it is now, made or brought there from an older one, and the words of all
 * chunks, in one transaction. What there is is looked at within it: another process may have
 * been first while this one waited. */
static int make_current(struct store *store, ernie_error *err)
{
    long version = SCHEMA_VERSION;
    int status = store_begin(store, err), has;

    if (status != ERNIE_OK)
        return status;
    status = has_collection(store, &has, err);
    if (status == ERNIE_OK && !has)
        status = run_sql(store, schema_sql, err);
    else if (status == ERNIE_OK)
        status = schema_version(store, &version, err);
    if (status == ERNIE_OK && version == 1)
        status = run_sql(store, upgrade_1_2_sql, err);
    if (status == ERNIE_OK)
        status = word_index_make(store->words, err);
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
    uint8_t uuid[16];
    long version;
    int status, has;

    status = has_collection(store, &has, err);
    if (status != ERNIE_OK)
        return status;
    if (!has)
        return error_set(err, ERNIE_ENOTFOUND,
                         "%s: holds no ernie collection; `ernie index` makes one", name);
    status = schema_version(store, &version, err);
    if (status != ERNIE_OK)
        return status;
    if (version > SCHEMA_VERSION)
        return error_set(err, ERNIE_EFORMAT,
                         "%s: made by a newer ernie (schema %ld; this one knows %d)", name,
                         version, SCHEMA_VERSION);
    if (version < 1)
        return error_set(err, ERNIE_ECORRUPT, "%s: damaged: no schema version", name);
    if (version < SCHEMA_VERSION)
        return error_set(err, ERNIE_EFORMAT,
                         "%s: made by an older ernie (schema %ld): `ernie rebuild` brings it up "
                         "to date", name, version);
    return collection_uuid(store->collection, uuid, err);
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
    status = store->path == NULL || (store->path[0] != '\0' && store->folder == NULL)
                 ? error_set(err, ERNIE_ENOMEM, "database: out of memory")
                 : collection_new(connection, "main", "ernie", store->path, &store->collection,
                                  err);
    if (status == ERNIE_OK)
        status = statements_init(&store->statements, connection, store->path, N_STATEMENTS, sql_of,
                                 err);
    if (status == ERNIE_OK)
        status = word_index_new(connection, store->path, &store->words, err);
    if (status == ERNIE_OK && register_tokenizer(connection) != SQLITE_OK)
        status = error_set(err, ERNIE_ENOMEM, "database: out of memory");
    if (status != ERNIE_OK) {
        store_close(store);
        return status;
    }
    if (is_ours)
        keep_statements(store);
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
    return code == SQLITE_OK ? ERNIE_OK : sqlite_fail(*out, path, code, err);
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
        return sqlite_fail(*out, path, code, err);
    sqlite3_close(*out);
    *out = NULL;
    return connect_immutable(path, out, err);
}

/* Gives a database its write-ahead log. SQLite does not wait for another process that is
 * at the same, since each could wait for the other. */
static int set_wal(struct store *store, ernie_error *err)
{
    struct timespec start, now;
    int status;

    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        status = run_sql(store, "PRAGMA main.journal_mode = WAL", err);
        if (status == ERNIE_EBUSY)
            sqlite3_sleep(10);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (status == ERNIE_EBUSY && (now.tv_sec - start.tv_sec) * 1000 < BUSY_TIMEOUT_MS);
    return status;
}

/* What differs by mode, once the file is open. */
static int prepare_mode(struct store *store, enum store_mode mode, ernie_error *err)
{
    long version = SCHEMA_VERSION;
    int status, has, has_words = 1;

    if (mode == STORE_READ)
        return run_sql(store, "PRAGMA query_only = ON", err);
    if (sqlite3_db_readonly(store->connection, "main") == 1)
        return fail(store, SQLITE_READONLY, err);
    status = set_wal(store, err);
    if (status == ERNIE_OK)
        status = has_collection(store, &has, err);
    if (status == ERNIE_OK && !has && mode == STORE_CREATE)
        status = check_encoding(store, err);
    if (status == ERNIE_OK && !has && mode == STORE_CREATE)
        status = make_current(store, err);
    if (status == ERNIE_OK && has)
        status = schema_version(store, &version, err);
    if (status == ERNIE_OK && has)
        status = word_index_is_there(store->words, &has_words, err);
    if (status == ERNIE_OK && (version == 1 || (version == SCHEMA_VERSION && !has_words)))
        status = make_current(store, err);
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
    collection_free(store->collection);
    word_index_free(store->words);
    statements_reset(&store->statements);
    if (store->is_ours)
        sqlite3_close(store->connection);
    buffer_reset(&store->held);
    memory_free(store->path);
    memory_free(store->folder);
    memory_free(store);
}

struct collection *store_collection(struct store *store)
{
    return store->collection;
}

const char *store_path(const struct store *store)
{
    return store->path;
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
    let_statements_go(store);
}

int store_begin(struct store *store, ernie_error *err)
{
    int status;

    if (store->depth == 0)
        store->in_hosts = !sqlite3_get_autocommit(store->connection);
    store->depth++;
    keep_statements(store);
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
    status = word_index_sync(store->words, err);
    if (status == ERNIE_OK)
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

int store_snapshot_begin(struct store *store, uint64_t *seq, ernie_error *err)
{
    int status = collection_snapshot_begin(store->collection, seq, err);

    if (status == ERNIE_OK) {
        statements_keep(&store->statements);
        word_index_keep(store->words);
    }
    return status;
}

void store_snapshot_end(struct store *store)
{
    statements_let_go(&store->statements);
    word_index_let_go(store->words);
    collection_snapshot_end(store->collection);
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
    struct query query = query_start(&store->statements, ROOTS);
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
    query = query_start(&store->statements, DOCUMENT_MOVE);
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
    struct query query = query_start(&store->statements, DOCUMENT_PATHS);
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
    struct query query = query_start(&store->statements, ROOT_ADD);
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
    struct query query = query_start(&store->statements, DOCUMENT_FIND);
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
        status = out_of_memory(store, err);
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
    struct query query = query_start(&store->statements, DOCUMENT_PUT);
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
    struct query query = query_start(&store->statements, DOCUMENT_TOUCH);

    bind_integer(&query, 1, document->root_id);
    bind_path(&query, 2, document->path);
    bind_integer(&query, 3, (int64_t)document->size_bytes);
    bind_integer(&query, 4, document->mtime_ns);
    bind_integer(&query, 5, document->ctime_ns);
    bind_integer(&query, 6, document->checked_ns);
    return query_run(&query, err);
}

/* The members of a container are named after it. What the query gives is moved while it
 * runs: ids and containers, which it goes by, stay. */
static int rename_members(struct store *store, const struct store_document *container,
                          ernie_error *err)
{
    struct query query = query_start(&store->statements, MEMBERS);
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
            status = out_of_memory(store, err);
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
    query = query_start(&store->statements, DOCUMENT_RENAME);
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
    struct query query = query_start(&store->statements, DOCUMENT_TWINS);
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
            status = out_of_memory(store, err);
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
        query = query_start(&store->statements, DOCUMENT_IDS);
        bind_integer(&query, 1, root_id);
        return query_ids(&query, ids, n, err);
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
    query = query_start(&store->statements, DOCUMENT_IDS_BELOW);
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

/* ---- chunks and embeddings --------------------------------------------- */

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vectors are stored little-endian, and copied as they are in memory"
#endif

int store_chunk_add(struct store *store, const struct store_chunk *chunk, int64_t *id,
                    ernie_error *err)
{
    struct query query = query_start(&store->statements, CHUNK_ADD);
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
    struct query query = query_start(&store->statements, TEXTS);
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&query)) {
        const char *heading = (const char *)sqlite3_column_text(query.statement, 1);
        size_t size;
        const char *text = column_bytes(&query, 2, &size);

        if (heading == NULL)
            status = out_of_memory(store, err);
        else if (query.code == SQLITE_ROW)
            status = fn(data, column_integer(&query, 0), heading, text != NULL ? text : "", size,
                        err);
    }
    return query_end(&query, status, err);
}

int store_hit_get(struct store *store, int64_t chunk_id, struct store_hit *out, int *found,
                  ernie_error *err)
{
    struct query query = query_start(&store->statements, HIT_GET);
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
        status = out_of_memory(store, err);
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

/* ---- words ------------------------------------------------------------- */

int store_words_search(struct store *store, const char *query, size_t size,
                       struct word_hits *out, ernie_error *err)
{
    return word_index_search(store->words, query, size, out, err);
}

int store_words_ids(struct store *store, const char *expression, size_t size, int64_t **ids,
                    size_t *n, ernie_error *err)
{
    return word_index_ids(store->words, expression, size, ids, n, err);
}

int store_words_rebuild(struct store *store, ernie_error *err)
{
    return word_index_rebuild(store->words, err);
}

int store_documents_each(struct store *store, store_listed_fn fn, void *data, ernie_error *err)
{
    struct query query = query_start(&store->statements, DOCUMENTS);
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(&query)) {
        const char *format = (const char *)sqlite3_column_text(query.statement, 1);
        const char *date = (const char *)sqlite3_column_text(query.statement, 2);

        if (format == NULL || (date == NULL && sqlite3_column_type(query.statement, 2) != SQLITE_NULL))
            status = out_of_memory(store, err);
        else
            status = fn(data, column_integer(&query, 0), format, date, err);
    }
    return query_end(&query, status, err);
}

/* ---- upkeep ------------------------------------------------------------ */

int store_counts(struct store *store, struct store_counts *out, ernie_error *err)
{
    struct query query = query_start(&store->statements, COUNTS);
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
    struct query query = query_start(&store->statements, TEXT_BYTES);
    uint64_t n_bytes = 0;
    int status;

    if (query_row(&query))
        n_bytes = (uint64_t)column_integer(&query, 0);
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK)
        *out = n_bytes;
    return status;
}

int store_check(struct store *store, size_t dim, void (*report)(void *data, const char *finding),
                void *data, size_t *n_findings, ernie_error *err)
{
    static const char *const queries[] = {
        "PRAGMA main.integrity_check(100)",
        "SELECT 'a row of ' || \"table\" || ' refers to none of ' || parent"
        " FROM pragma_foreign_key_check WHERE \"table\" GLOB 'ernie_*' LIMIT 100",
        "SELECT 'document ' || d.id || ': failed, but has chunks' FROM main.ernie_documents d"
        " JOIN main.ernie_chunks c ON c.document_id = d.id WHERE d.failure IS NOT NULL"
        " GROUP BY d.id LIMIT 100",
        "SELECT 'chunk ' || id || ': ends before it starts' FROM main.ernie_chunks"
        " WHERE end_byte < start_byte OR start_byte < 0 OR line < 1 LIMIT 100",
        "SELECT 'document ' || document_id || ': a chunk is missing' FROM main.ernie_chunks"
        " GROUP BY document_id HAVING min(ordinal) <> 0 OR max(ordinal) <> count(*) - 1 LIMIT 100",
    };
    struct findings findings = { .connection = store->connection, .path = store->path,
                                 .report = report, .data = data };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < sizeof queries / sizeof queries[0]; i++)
        status = findings_query(&findings, queries[i], err);
    if (status == ERNIE_OK)
        status = collection_check(store->collection, dim, 0, &findings, err);
    if (status == ERNIE_OK)
        status = word_index_check(store->words, &findings, err);
    *n_findings = findings.n;
    return status;
}
