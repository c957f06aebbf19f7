#include "sql/collection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/half.h"
#include "base/hash.h"
#include "base/memory.h"
#include "sql/findings.h"
#include "sql/statement.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "vectors are stored little-endian, and copied as they are in memory"
#endif

#define BUSY_TIMEOUT_MS 5000
#define MAX_DIM 65536

enum statement {
    META_GET,
    META_SET,
    LOG_LAST,
    HOLD,
    LOG_MARK,
    LOG_ADD,
    LOG_TRIM,
    VECTORS,
    VECTORS_ALL,
    VECTORS_SINCE,
    VECTORS_SAMPLE,
    ID_RANGE,
    ID_FROM,
    VECTOR_GET,
    VECTOR_PUT,
    OWNER,
    COUNT,
    N_STATEMENTS
};

/* For collection_sql. Names come with their schema: a temporary table of a host's must not
 * stand in for one of ours. */
static const char *const templates[N_STATEMENTS] = {
    [META_GET] = "SELECT value FROM $_meta WHERE key = ?1",
    [META_SET] = "INSERT INTO $_meta (key, value) VALUES (?1, ?2)"
                 " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
    [LOG_LAST] = "SELECT coalesce(max(seq), 0) FROM $_log",
    [HOLD] = "SELECT 1 FROM $_meta",
    [LOG_MARK] = "SELECT mark FROM $_log WHERE seq = ?1",
    [LOG_ADD] = "INSERT INTO $_log (op, chunk_id) VALUES (?1, ?2)",
    [LOG_TRIM] = "DELETE FROM $_log WHERE seq < ?1",
    [VECTORS] = "SELECT chunk_id, vector, checksum FROM $_embeddings",
    /* All of them are found by their rows, so that a log that was cut short in front
     * hides none. */
    [VECTORS_ALL] = "SELECT c.id, e.vector, e.checksum FROM $_chunks c"
                    " LEFT JOIN $_embeddings e ON e.chunk_id = c.id ORDER BY c.id",
    [VECTORS_SINCE] = "SELECT c.id, e.vector, e.checksum FROM $_chunks c"
                      " LEFT JOIN $_embeddings e ON e.chunk_id = c.id WHERE c.id IN"
                      " (SELECT chunk_id FROM $_log WHERE seq > ?1 AND op <> 'delete')"
                      " ORDER BY c.id",
    /* The inner query reads an index, not the vectors that are passed over. Ids are
     * scattered first: those that are there may have a step of their own. */
    [VECTORS_SAMPLE] = "SELECT chunk_id, vector, checksum FROM $_embeddings WHERE chunk_id IN"
                       " (SELECT chunk_id FROM $_embeddings"
                       " WHERE chunk_id % 1000003 * 7919 % 1000003 % ?1 = 0)",
    [ID_RANGE] = "SELECT min(chunk_id), max(chunk_id) FROM $_embeddings",
    [ID_FROM] = "SELECT chunk_id FROM $_embeddings WHERE chunk_id >= ?1 ORDER BY chunk_id LIMIT 1",
    [VECTOR_GET] = "SELECT vector, checksum FROM $_embeddings WHERE chunk_id = ?1",
    [VECTOR_PUT] = "INSERT INTO $_embeddings (chunk_id, vector, checksum)"
                   " VALUES (?1, ?2, ?3) ON CONFLICT (chunk_id) DO UPDATE"
                   " SET vector = excluded.vector, checksum = excluded.checksum",
    [OWNER] = "SELECT document_id FROM $_chunks WHERE id = ?1",
    [COUNT] = "SELECT count(*) FROM $_embeddings",
};

struct collection {
    sqlite3 *connection;
    int is_ours; /* the connection: opened here, closed here */
    char *schema, *prefix, *path;
    char *sql[N_STATEMENTS];
    int writes_half;
    int n_snapshots;
    struct statements statements;
};


static int out_of_memory(const struct collection *collection, ernie_error *err)
{
    return sqlite_fail(NULL, collection->path, SQLITE_NOMEM, err);
}

/* ---- opening ----------------------------------------------------------- */

static void append_doubled(struct buffer *out, const char *text, char quote)
{
    for (; *text != '\0'; text++) {
        buffer_append_char(out, *text);
        if (*text == quote)
            buffer_append_char(out, quote);
    }
}

char *collection_sql(const struct collection *collection, const char *template)
{
    struct buffer out = { 0 };

    while (*template != '\0') {
        const char c = *template++;

        if (c == '^') {
            append_doubled(&out, collection->prefix, '\'');
        } else if (c == '$' || c == '@') {
            buffer_append_char(&out, '"');
            append_doubled(&out, collection->schema, '"');
            buffer_append_text(&out, "\".");
        } else {
            buffer_append_char(&out, c);
        }
        if (c != '$')
            continue;
        buffer_append_char(&out, '"');
        append_doubled(&out, collection->prefix, '"');
        for (; *template == '_' || (*template >= 'a' && *template <= 'z'); template++)
            buffer_append_char(&out, *template);
        buffer_append_char(&out, '"');
    }
    return buffer_take(&out);
}

static int make_statements(struct collection *collection, ernie_error *err)
{
    for (size_t i = 0; i < N_STATEMENTS; i++) {
        memory_free(collection->sql[i]);
        collection->sql[i] = collection_sql(collection, templates[i]);
        if (collection->sql[i] == NULL)
            return out_of_memory(collection, err);
    }
    return ERNIE_OK;
}

int collection_new(struct sqlite3 *connection, const char *schema, const char *prefix,
                   const char *path, struct collection **out, ernie_error *err)
{
    struct collection *collection = memory_new(1, sizeof *collection);
    int status;

    if (collection == NULL)
        return error_set(err, ERNIE_ENOMEM, "database: out of memory");
    collection->connection = connection;
    collection->schema = memory_copy_text(schema, strlen(schema));
    collection->prefix = memory_copy_text(prefix, strlen(prefix));
    collection->path = memory_copy_text(path, strlen(path));
    if (collection->schema == NULL || collection->prefix == NULL || collection->path == NULL)
        status = out_of_memory(collection, err);
    else
        status = make_statements(collection, err);
    if (status == ERNIE_OK)
        status = statements_init(&collection->statements, connection, collection->path,
                                 N_STATEMENTS, (const char *const *)collection->sql, err);
    if (status != ERNIE_OK) {
        collection_free(collection);
        return status;
    }
    *out = collection;
    return ERNIE_OK;
}

void collection_free(struct collection *collection)
{
    if (collection == NULL)
        return;
    statements_reset(&collection->statements);
    if (collection->is_ours)
        sqlite3_close(collection->connection);
    for (size_t i = 0; i < N_STATEMENTS; i++)
        memory_free(collection->sql[i]);
    memory_free(collection->schema);
    memory_free(collection->prefix);
    memory_free(collection->path);
    memory_free(collection);
}

int collection_reopen(const struct collection *collection, struct collection **out,
                      ernie_error *err)
{
    sqlite3 *connection = NULL;
    int code, status;

    if (collection->path[0] == '\0')
        return error_set(err, ERNIE_ENOTFOUND, "database: in memory only");
    code = sqlite3_open_v2(collection->path, &connection,
                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                           NULL);
    if (code == SQLITE_OK) {
        sqlite3_extended_result_codes(connection, 1);
        sqlite3_busy_timeout(connection, BUSY_TIMEOUT_MS);
        code = sqlite3_exec(connection, "PRAGMA query_only = ON; PRAGMA cell_size_check = ON",
                            NULL, NULL, NULL);
    }
    status = code == SQLITE_OK ? collection_new(connection, "main", collection->prefix,
                                                collection->path, out, err)
                               : sqlite_fail(connection, collection->path, code, err);
    if (status == ERNIE_OK) {
        (*out)->is_ours = 1;
        statements_keep(&(*out)->statements);
    } else {
        sqlite3_close(connection);
    }
    return status;
}

const char *collection_path(const struct collection *collection)
{
    return collection->path;
}

void collection_write_half(struct collection *collection)
{
    collection->writes_half = 1;
}

int collection_has_wal(struct collection *collection)
{
    char *sql = collection_sql(collection, "PRAGMA @journal_mode");
    sqlite3_stmt *statement = NULL;
    int has_wal = 0;

    if (sql != NULL && sqlite3_prepare_v2(collection->connection, sql, -1, &statement, NULL) ==
                           SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);

        has_wal = mode != NULL && strcmp(mode, "wal") == 0;
    }
    sqlite3_finalize(statement);
    memory_free(sql);
    return has_wal;
}

int collection_rename(struct collection *collection, const char *prefix, ernie_error *err)
{
    char *copy = memory_copy_text(prefix, strlen(prefix));

    if (copy == NULL)
        return out_of_memory(collection, err);
    memory_free(collection->prefix);
    collection->prefix = copy;
    statements_finalize(&collection->statements);
    return make_statements(collection, err);
}

void collection_keep(struct collection *collection)
{
    statements_keep(&collection->statements);
}

void collection_let_go(struct collection *collection)
{
    statements_let_go(&collection->statements);
}

/* ---- meta -------------------------------------------------------------- */

int collection_meta_get(struct collection *collection, const char *key, char *value, size_t size,
                        ernie_error *err)
{
    struct query query = query_start(&collection->statements, META_GET);

    value[0] = '\0';
    bind_text(&query, 1, key);
    if (query_row(&query)) {
        /* As UTF-8, whatever the database keeps text in. */
        const unsigned char *text = sqlite3_column_text(query.statement, 0);
        size_t n = (size_t)sqlite3_column_bytes(query.statement, 0);

        if (text == NULL)
            query.code = SQLITE_NOMEM;
        else
            memcpy(value, text, n = n < size ? n : size - 1);
        value[text != NULL ? n : 0] = '\0';
    }
    return query_end(&query, ERNIE_OK, err);
}

int collection_meta_set(struct collection *collection, const char *key, const char *value,
                        ernie_error *err)
{
    struct query query = query_start(&collection->statements, META_SET);

    bind_text(&query, 1, key);
    bind_text(&query, 2, value);
    return query_run(&query, err);
}

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

int collection_uuid(struct collection *collection, uint8_t out[16], ernie_error *err)
{
    char hex[40];
    int status = collection_meta_get(collection, "uuid", hex, sizeof hex, err);

    if (status == ERNIE_OK && parse_uuid(hex, out) != 0)
        status = error_set(err, ERNIE_ECORRUPT, "%s: damaged: no uuid",
                           collection->path[0] != '\0' ? collection->path : "database");
    return status;
}

/* ---- the state --------------------------------------------------------- */

/* A query that is stepped and not reset holds a read transaction open, in
 * autocommit as well as inside of a transaction of the host's, where BEGIN would
 * fail. */
int collection_snapshot_begin(struct collection *collection, uint64_t *seq, ernie_error *err)
{
    struct query query;
    int status;

    if (collection->n_snapshots == 0) {
        query = query_start(&collection->statements, HOLD);
        if (!query_row(&query))
            return query.code == SQLITE_DONE
                       ? query_end(&query,
                                   error_set(err, ERNIE_ECORRUPT, "%s: damaged: no uuid",
                                             collection->path),
                                   err)
                       : query_end(&query, ERNIE_OK, err);
    }
    /* Not the one that is held: our own changes may have come since it began. */
    collection->n_snapshots++;
    statements_keep(&collection->statements);
    query = query_start(&collection->statements, LOG_LAST);
    *seq = query_row(&query) ? (uint64_t)column_integer(&query, 0) : 0;
    status = query_end(&query, ERNIE_OK, err);
    if (status != ERNIE_OK)
        collection_snapshot_end(collection);
    return status;
}

void collection_snapshot_end(struct collection *collection)
{
    if (--collection->n_snapshots == 0)
        sqlite3_reset(collection->statements.prepared[HOLD]);
    statements_let_go(&collection->statements);
}

int collection_is_changing(const struct collection *collection)
{
    return sqlite3_txn_state(collection->connection, collection->schema) == SQLITE_TXN_WRITE;
}

int collection_log_mark(struct collection *collection, uint64_t seq, uint64_t *mark,
                        ernie_error *err)
{
    struct query query;
    int found = 0, status;

    if (seq == 0) {
        *mark = 0;
        return ERNIE_OK;
    }
    query = query_start(&collection->statements, LOG_MARK);
    bind_integer(&query, 1, (int64_t)seq);
    if (query_row(&query)) {
        *mark = (uint64_t)column_integer(&query, 0);
        found = 1;
    }
    status = query_end(&query, ERNIE_OK, err);
    if (status == ERNIE_OK && !found)
        status = error_set(err, ERNIE_ENOTFOUND, "%s: the log has no entry %llu",
                           collection->path, (unsigned long long)seq);
    return status;
}

int collection_log(struct collection *collection, const char *op, int64_t chunk_id,
                   ernie_error *err)
{
    struct query query = query_start(&collection->statements, LOG_ADD);

    bind_text(&query, 1, op);
    bind_integer(&query, 2, chunk_id);
    return query_run(&query, err);
}

int collection_log_trim(struct collection *collection, uint64_t seq, ernie_error *err)
{
    struct query query = query_start(&collection->statements, LOG_TRIM);

    bind_integer(&query, 1, (int64_t)seq);
    return query_run(&query, err);
}

/* ---- vectors ----------------------------------------------------------- */

int64_t collection_checksum(const void *vector, size_t size_bytes)
{
    struct hash hash = hash_of(vector, size_bytes);
    uint64_t first = 0;

    for (int i = 0; i < 8; i++)
        first = first << 8 | hash.bytes[i];
    return (int64_t)first;
}

static void widen(size_t dim, const char *bytes, float *out)
{
    for (size_t i = 0; i < dim; i++) {
        uint16_t half;

        memcpy(&half, bytes + i * sizeof half, sizeof half);
        out[i] = float_of_half(half);
    }
}

/* What is wrong with the vector in column (its checksum in the next), or NULL; then
 * it is copied into out [dim]. */
static const char *read_vector(struct query *query, int column, size_t dim, float *out)
{
    size_t size_bytes;
    const void *bytes = column_bytes(query, column, &size_bytes);

    if (size_bytes != dim * sizeof *out && size_bytes != dim * sizeof(uint16_t))
        return "has another number of numbers than the model gives";
    if (collection_checksum(bytes, size_bytes) != column_integer(query, column + 1))
        return "is not what was written";
    if (size_bytes == dim * sizeof *out)
        memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    else
        widen(dim, bytes, out);
    for (size_t i = 0; i < dim; i++)
        if (!isfinite(out[i]))
            return "holds what is not a number";
    return NULL;
}

/* Calls fn for each row of a query that is bound. */
static int each_vector(struct collection *collection, struct query *query, size_t dim,
                       collection_vector_fn fn, void *data, ernie_error *err)
{
    float *vector = memory_new(dim, sizeof *vector);
    int status = vector != NULL ? ERNIE_OK : out_of_memory(collection, err);

    while (status == ERNIE_OK && query_row(query)) {
        const char *wrong = read_vector(query, 1, dim, vector);

        if (query->code == SQLITE_ROW)
            status = fn(data, column_integer(query, 0), wrong == NULL ? vector : NULL, err);
    }
    status = query_end(query, status, err);
    memory_free(vector);
    return status;
}

int collection_vectors_since(struct collection *collection, uint64_t seq, size_t dim,
                             collection_vector_fn fn, void *data, ernie_error *err)
{
    struct query query =
        query_start(&collection->statements, seq == 0 ? VECTORS_ALL : VECTORS_SINCE);

    if (seq != 0)
        bind_integer(&query, 1, (int64_t)seq);
    return each_vector(collection, &query, dim, fn, data, err);
}

int collection_vectors_sample(struct collection *collection, size_t stride, size_t dim,
                              collection_vector_fn fn, void *data, ernie_error *err)
{
    struct query query = query_start(&collection->statements, VECTORS_SAMPLE);

    bind_integer(&query, 1, (int64_t)stride);
    return each_vector(collection, &query, dim, fn, data, err);
}

int collection_spread(struct collection *collection, size_t most, int64_t *ids, size_t *n,
                      ernie_error *err)
{
    struct query query = query_start(&collection->statements, ID_RANGE);
    const int found = query_row(&query);
    const int64_t first = found ? column_integer(&query, 0) : 0;
    const int64_t last = found ? column_integer(&query, 1) : 0;
    int status = query_end(&query, ERNIE_OK, err);

    *n = 0;
    for (size_t i = 0; status == ERNIE_OK && i < most; i++) {
        query = query_start(&collection->statements, ID_FROM);
        /* In floating point: no product of ids to overflow. */
        bind_integer(&query, 1, first + (int64_t)((double)(last - first) * (double)i /
                                                  (double)most));
        if (query_row(&query))
            ids[(*n)++] = column_integer(&query, 0);
        status = query_end(&query, ERNIE_OK, err);
    }
    return status;
}

int collection_vector_get(struct collection *collection, int64_t id, size_t dim, float *out,
                          int *found, ernie_error *err)
{
    struct query query = query_start(&collection->statements, VECTOR_GET);

    bind_integer(&query, 1, id);
    *found = query_row(&query) && read_vector(&query, 0, dim, out) == NULL;
    return query_end(&query, ERNIE_OK, err);
}

int collection_owner(struct collection *collection, int64_t id, int64_t *document_id, int *found,
                     ernie_error *err)
{
    struct query query = query_start(&collection->statements, OWNER);

    bind_integer(&query, 1, id);
    *found = query_row(&query);
    *document_id = *found ? column_integer(&query, 0) : 0;
    return query_end(&query, ERNIE_OK, err);
}

static int put_bytes(struct collection *collection, int64_t id, const void *bytes,
                     size_t size_bytes, ernie_error *err)
{
    struct query query = query_start(&collection->statements, VECTOR_PUT);

    bind_integer(&query, 1, id);
    bind_bytes(&query, 2, bytes, size_bytes);
    bind_integer(&query, 3, collection_checksum(bytes, size_bytes));
    return query_run(&query, err);
}

int collection_vector_put(struct collection *collection, int64_t id, const float *vector,
                          size_t dim, ernie_error *err)
{
    uint16_t *halves;
    int status;

    if (dim == 0 || dim > MAX_DIM)
        return error_set(err, ERNIE_EINVAL, "%s: a vector of %zu numbers", collection->path, dim);
    if (!collection->writes_half)
        return put_bytes(collection, id, vector, dim * sizeof *vector, err);
    halves = memory_new(dim, sizeof *halves);
    if (halves == NULL)
        return out_of_memory(collection, err);
    for (size_t i = 0; i < dim; i++)
        halves[i] = half_of_float(vector[i]);
    status = put_bytes(collection, id, halves, dim * sizeof *halves, err);
    memory_free(halves);
    return status;
}

int collection_count(struct collection *collection, size_t *n_vectors, ernie_error *err)
{
    struct query query = query_start(&collection->statements, COUNT);

    *n_vectors = query_row(&query) ? (size_t)column_integer(&query, 0) : 0;
    return query_end(&query, ERNIE_OK, err);
}

/* ---- checking ---------------------------------------------------------- */

static int check_vectors(struct collection *collection, size_t dim, int any_length,
                         struct findings *findings, ernie_error *err)
{
    struct query query = query_start(&collection->statements, VECTORS);
    float *vector = memory_new(dim, sizeof *vector);
    int status = vector != NULL ? ERNIE_OK : out_of_memory(collection, err);

    while (status == ERNIE_OK && query_row(&query)) {
        const char *wrong = read_vector(&query, 1, dim, vector);
        long long id = column_integer(&query, 0);
        double square = 0;

        for (size_t i = 0; wrong == NULL && i < dim; i++)
            square += (double)vector[i] * vector[i];
        if (wrong != NULL)
            findings_add(findings, "chunk %lld: its vector %s", id, wrong);
        else if (!any_length && fabs(sqrt(square) - 1) > 1e-3)
            findings_add(findings, "chunk %lld: its vector has length %g, not 1", id,
                         sqrt(square));
    }
    if (status == ERNIE_OK)
        status = findings_end(findings, query.code, err);
    query.code = SQLITE_OK; /* said already */
    query_end(&query, ERNIE_OK, NULL);
    memory_free(vector);
    return status;
}

int collection_check(struct collection *collection, size_t dim, int any_length,
                     struct findings *findings, ernie_error *err)
{
    static const char *const queries[] = {
        "SELECT 'chunk ' || id || ': no vector' FROM $_chunks"
        " WHERE id NOT IN (SELECT chunk_id FROM $_embeddings) LIMIT 100",
        /* The last entry for a chunk says whether it is there. A log without its first
         * entry was cut short, and says nothing of the chunks before. */
        "SELECT 'chunk ' || c.id || ': not in the log' FROM $_chunks c LEFT JOIN"
        " (SELECT chunk_id, max(seq), op FROM $_log GROUP BY chunk_id) l"
        " ON l.chunk_id = c.id WHERE l.op = 'delete' OR (l.op IS NULL AND"
        " EXISTS (SELECT 1 FROM $_log WHERE seq = 1)) LIMIT 100",
        "SELECT 'chunk ' || l.chunk_id || ': in the log, but gone' FROM"
        " (SELECT chunk_id, max(seq), op FROM $_log GROUP BY chunk_id) l"
        " WHERE l.op <> 'delete' AND l.chunk_id NOT IN (SELECT id FROM $_chunks)"
        " LIMIT 100",
        /* Else a new chunk could get the id of one that an index still names. */
        "SELECT 'chunk ' || max(chunk_id) || ': its id could be given out again'"
        " FROM $_log HAVING max(chunk_id) > coalesce("
        "(SELECT seq FROM @sqlite_sequence WHERE name = '^_chunks'), 0)",
    };
    int status = ERNIE_OK;

    for (size_t i = 0; status == ERNIE_OK && i < sizeof queries / sizeof queries[0]; i++) {
        char *sql = collection_sql(collection, queries[i]);

        status = sql != NULL ? findings_query(findings, sql, err) : out_of_memory(collection, err);
        memory_free(sql);
    }
    if (status == ERNIE_OK && dim > 0 && dim <= MAX_DIM)
        status = check_vectors(collection, dim, any_length, findings, err);
    return status;
}
