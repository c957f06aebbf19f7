/* A database file: opened, made and brought up to date, with its transactions and checks. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/system.h"
#include "schema_sql.h"
#include "sql/collection.h"
#include "sql/findings.h"
#include "sql/fts_tokenizer.h"
#include "sql/statement.h"
#include "sql/store_parts.h"
#include "sql/word_index.h"
#include "upgrade_1_2_sql.h"

#define SCHEMA_VERSION 2
#define BUSY_TIMEOUT_MS 5000

int store_fail(const struct store *store, int code, ernie_error *err)
{
    return sqlite_fail(store->connection, store->path, code, err);
}

/* Statements stay prepared while the connection is ours, or in a transaction or a snapshot
 * of a host's. */
static void keep_statements(struct store *store)
{
    statements_keep(&store->roots);
    statements_keep(&store->documents);
    collection_keep(store->collection);
    word_index_keep(store->words);
}

static void let_statements_go(struct store *store)
{
    statements_let_go(&store->roots);
    statements_let_go(&store->documents);
    collection_let_go(store->collection);
    word_index_let_go(store->words);
}

static int run_sql(struct store *store, const char *sql, ernie_error *err)
{
    int code = sqlite3_exec(store->connection, sql, NULL, NULL, NULL);

    return code == SQLITE_OK ? ERNIE_OK : store_fail(store, code, err);
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
        code = store_fail(store, code, err);
    sqlite3_finalize(statement);
    return code;
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
        status = store_roots_init(store, err);
    if (status == ERNIE_OK)
        status = store_documents_init(store, err);
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
        return store_fail(store, SQLITE_READONLY, err);
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
    statements_reset(&store->roots);
    statements_reset(&store->documents);
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

    if (status == ERNIE_OK)
        keep_statements(store);
    return status;
}

void store_snapshot_end(struct store *store)
{
    let_statements_go(store);
    collection_snapshot_end(store->collection);
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

/* ---- upkeep ------------------------------------------------------------ */

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
