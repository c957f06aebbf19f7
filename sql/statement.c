#include "sql/statement.h"

#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"

/* ---- SQLite's errors as ours ------------------------------------------- */

int sqlite_fail(sqlite3 *connection, const char *path, int code, ernie_error *err)
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

int statements_fail(const struct statements *statements, int code, ernie_error *err)
{
    return sqlite_fail(statements->connection, statements->path, code, err);
}

/* ---- statements -------------------------------------------------------- */

int statements_init(struct statements *statements, sqlite3 *connection, const char *path, size_t n,
                    const char *const *sql, ernie_error *err)
{
    *statements = (struct statements){ .connection = connection, .path = path, .n = n,
                                       .sql = sql };
    statements->prepared = memory_new(n, sizeof *statements->prepared);
    return statements->prepared != NULL ? ERNIE_OK
                                        : sqlite_fail(NULL, path, SQLITE_NOMEM, err);
}

void statements_finalize(struct statements *statements)
{
    for (size_t i = 0; statements->prepared != NULL && i < statements->n; i++) {
        sqlite3_finalize(statements->prepared[i]);
        statements->prepared[i] = NULL;
    }
}

void statements_reset(struct statements *statements)
{
    statements_finalize(statements);
    memory_free(statements->prepared);
    memset(statements, 0, sizeof *statements);
}

void statements_keep(struct statements *statements)
{
    statements->n_reasons++;
}

void statements_let_go(struct statements *statements)
{
    if (--statements->n_reasons == 0)
        statements_finalize(statements);
}

/* ---- queries ----------------------------------------------------------- */

struct query query_start(struct statements *statements, size_t which)
{
    sqlite3_stmt **prepared = &statements->prepared[which];
    struct query query = { .statements = statements, .which = which };

    if (*prepared == NULL)
        query.code = sqlite3_prepare_v3(statements->connection, statements->sql[which], -1,
                                        statements->n_reasons > 0 ? SQLITE_PREPARE_PERSISTENT : 0,
                                        prepared, NULL);
    else if (sqlite3_stmt_busy(*prepared))
        query.code = SQLITE_MISUSE; /* a callback called what called it */
    if (query.code == SQLITE_OK)
        query.statement = *prepared;
    return query;
}

void bind_integer(struct query *query, int i, int64_t value)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_int64(query->statement, i, value);
}

void bind_sized_text(struct query *query, int i, const char *text, size_t size)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_text64(query->statement, i, text, size, SQLITE_STATIC,
                                          SQLITE_UTF8);
}

void bind_text(struct query *query, int i, const char *text)
{
    if (text != NULL) /* NULL is what is not bound */
        bind_sized_text(query, i, text, strlen(text));
}

void bind_bytes(struct query *query, int i, const void *bytes, size_t size)
{
    if (query->code == SQLITE_OK)
        query->code = sqlite3_bind_blob64(query->statement, i, bytes, size, SQLITE_STATIC);
}

void bind_path(struct query *query, int i, const char *path)
{
    size_t size = strlen(path);

    if (utf8_valid(path, size))
        bind_sized_text(query, i, path, size);
    else
        bind_bytes(query, i, path, size);
}

int query_row(struct query *query)
{
    if (query->code == SQLITE_OK || query->code == SQLITE_ROW)
        query->code = sqlite3_step(query->statement);
    return query->code == SQLITE_ROW;
}

int64_t column_integer(const struct query *query, int i)
{
    return sqlite3_column_int64(query->statement, i);
}

const void *column_bytes(struct query *query, int i, size_t *size)
{
    const void *bytes = sqlite3_column_blob(query->statement, i);

    *size = (size_t)sqlite3_column_bytes(query->statement, i);
    if (bytes == NULL && *size > 0) {
        *size = 0;
        query->code = SQLITE_NOMEM;
    }
    return bytes;
}

int query_end(struct query *query, int status, ernie_error *err)
{
    struct statements *statements = query->statements;

    if (status == ERNIE_OK && query->code != SQLITE_OK && query->code != SQLITE_ROW &&
        query->code != SQLITE_DONE)
        status = statements_fail(statements, query->code, err);
    if (query->statement != NULL) {
        sqlite3_reset(query->statement);
        /* Forgets values too: they point into the caller's memory. */
        sqlite3_clear_bindings(query->statement);
    }
    if (statements->n_reasons == 0) {
        sqlite3_finalize(statements->prepared[query->which]);
        statements->prepared[query->which] = NULL;
    }
    return status;
}

int query_run(struct query *query, ernie_error *err)
{
    while (query_row(query))
        continue;
    return query_end(query, ERNIE_OK, err);
}

int query_ids(struct query *query, int64_t **out, size_t *n, ernie_error *err)
{
    int64_t *ids = NULL;
    size_t count = 0, capacity = 0;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && query_row(query)) {
        if (count == capacity) {
            size_t more = capacity == 0 ? 64 : capacity * 2;
            int64_t *grown = memory_resize(ids, more, sizeof *grown);

            if (grown == NULL) {
                status = sqlite_fail(NULL, query->statements->path, SQLITE_NOMEM, err);
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
