/* Statements that are prepared when first needed, and SQLite's errors as ours. What goes
 * wrong in a query is kept and said at its end, so that no step needs a check of its own. */
#ifndef ERNIE_SQL_STATEMENT_H
#define ERNIE_SQL_STATEMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sql/sqlite.h"

/* The statements of one module over one connection. */
struct statements {
    sqlite3 *connection;
    const char *path;        /* of the database, for messages; "" or NULL in memory */
    size_t n;
    const char *const *sql;  /* [n] */
    sqlite3_stmt **prepared; /* [n], NULL where it is not */
    /* How many reasons there are to keep them: a host cannot close its connection while
     * there are statements of ours, and does not tell us before it does, so each is
     * finalised after its run when there is none. */
    int n_reasons;
};

/* sql [n] and path stay the caller's. */
int statements_init(struct statements *statements, sqlite3 *connection, const char *path, size_t n,
                    const char *const *sql, ernie_error *err);
void statements_finalize(struct statements *statements);
void statements_reset(struct statements *statements);

/* One reason more, or less; with the last one the statements go. */
void statements_keep(struct statements *statements);
void statements_let_go(struct statements *statements);

/* SQLite's code as ours, with its words. connection and path may be NULL. */
int sqlite_fail(sqlite3 *connection, const char *path, int code, ernie_error *err);
int statements_fail(const struct statements *statements, int code, ernie_error *err);

/* One run of a statement. */
struct query {
    struct statements *statements;
    size_t which;
    sqlite3_stmt *statement;
    int code;
};

struct query query_start(struct statements *statements, size_t which);

/* Text and bytes stay the caller's and must live until query_end. */
void bind_integer(struct query *query, int i, int64_t value);
void bind_sized_text(struct query *query, int i, const char *text, size_t size);
void bind_text(struct query *query, int i, const char *text); /* NULL binds NULL */
void bind_bytes(struct query *query, int i, const void *bytes, size_t size);
/* The name of a file, which may be any bytes: text where it is UTF-8, else a BLOB. */
void bind_path(struct query *query, int i, const char *path);

/* Steps to the next row; 0 when there is none, or something failed. */
int query_row(struct query *query);
int64_t column_integer(const struct query *query, int i);
/* The bytes of a text or BLOB as they are stored; NULL and 0 for what is empty. */
const void *column_bytes(struct query *query, int i, size_t *size);

/* Ends a query after its last row or before; status is the caller's own so far, and
 * is returned when it is not ERNIE_OK. */
int query_end(struct query *query, int status, ernie_error *err);
/* Runs a bound statement to its end. */
int query_run(struct query *query, ernie_error *err);
/* The same, with the numbers [n] of its first column; *out is released with memory_free. */
int query_ids(struct query *query, int64_t **out, size_t *n, ernie_error *err);

#endif
