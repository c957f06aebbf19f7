/* The rows behind a virtual table: what was put in (P_content, or the table that content=
 * names), and the chunks and vectors made of it, for a table P. Beside sql/collection.h,
 * which has what every collection has. */
#ifndef ERNIE_SQL_VECTORS_ROWS_H
#define ERNIE_SQL_VECTORS_ROWS_H

#include "base/buffer.h"
#include "sql/collection.h"
#include "sql/sqlite.h"
#include "sql/statement.h"
#include "sql/vectors_definition.h"

#define N_ROW_STATEMENTS 13

struct vectors_rows {
    sqlite3 *connection;
    struct collection *collection;
    const struct vectors_definition *definition;
    char *schema;                  /* of the table's database */
    char *content;                 /* the table with the rows, schema and all, quoted */
    char *sql[N_ROW_STATEMENTS];
    struct statements statements;
};

/* Statements stay prepared from here to vectors_rows_reset: SQLite lets go of virtual
 * tables before it asks whether a connection can be closed. What is given stays the
 * caller's. */
int vectors_rows_init(struct vectors_rows *rows, sqlite3 *connection, const char *schema,
                      struct collection *collection, const struct vectors_definition *definition,
                      ernie_error *err);
void vectors_rows_reset(struct vectors_rows *rows);

/* Makes, removes, renames the tables. */
int vectors_rows_create(struct vectors_rows *rows, ernie_error *err);
int vectors_rows_drop(struct vectors_rows *rows, ernie_error *err);
int vectors_rows_rename(struct vectors_rows *rows, const char *name, ernie_error *err);

/* ---- rows -------------------------------------------------------------- */

/* Whether there is a row; with content=, whether there are chunks of it. */
int vectors_row_exists(struct vectors_rows *rows, int64_t id, int *exists, ernie_error *err);
/* Puts in a row with these values, one for each column; id NULL lets SQLite choose. *out is
 * its id. With content= there is nothing to put in. */
int vectors_row_add(struct vectors_rows *rows, const int64_t *id, sqlite3_value **values,
                    int64_t *out, ernie_error *err);
/* Gives a row another id and values; those that SQLite says did not change stay. */
int vectors_row_change(struct vectors_rows *rows, int64_t id, int64_t new_id,
                       sqlite3_value **values, ernie_error *err);
int vectors_row_delete(struct vectors_rows *rows, int64_t id, ernie_error *err);

/* Appends what is embedded of a row: its texts, a blank line between them, as UTF-8. *found
 * is 0 when there is no row. */
int vectors_row_text(struct vectors_rows *rows, int64_t id, struct buffer *out, int *found,
                     ernie_error *err);
/* The same of values that are given, one for each column. */
void vectors_values_text(const struct vectors_definition *definition, sqlite3_value **values,
                         struct buffer *out);
/* Calls fn for the id of each row, ascending. */
typedef int (*vectors_row_fn)(void *data, int64_t id, ernie_error *err);
int vectors_rows_each(struct vectors_rows *rows, vectors_row_fn fn, void *data, ernie_error *err);

/* ---- chunks ------------------------------------------------------------ */

/* Adds a chunk with its vector [dim], and logs it. */
int vectors_chunk_add(struct vectors_rows *rows, int64_t document_id, size_t ordinal, size_t start,
                      size_t end, const float *vector, size_t dim, ernie_error *err);
/* Removes the chunks of a row, and logs it. */
int vectors_chunks_delete(struct vectors_rows *rows, int64_t document_id, ernie_error *err);
/* Calls fn for the id of each chunk of a row. */
int vectors_chunks_each(struct vectors_rows *rows, int64_t document_id, vectors_row_fn fn,
                        void *data, ernie_error *err);
/* Appends their ids, each an int64_t. */
int vectors_chunk_ids(struct vectors_rows *rows, int64_t document_id, struct buffer *out,
                      ernie_error *err);
/* Where a chunk is in its row's text; *found is 0 when it is gone. */
int vectors_chunk_place(struct vectors_rows *rows, int64_t chunk_id, size_t *start, size_t *end,
                        int *found, ernie_error *err);
int vectors_chunks_delete_all(struct vectors_rows *rows, ernie_error *err);

/* What a check finds beside collection_check: chunks of rows that are gone, rows without the
 * chunks they should have. */
struct findings;
int vectors_rows_check(struct vectors_rows *rows, struct findings *findings, ernie_error *err);

#endif
