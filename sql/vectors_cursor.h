/* One SELECT over a virtual table, while it runs: the rows in order, or, with a question, those
 * that answer it, the best first. */
#ifndef ERNIE_SQL_VECTORS_CURSOR_H
#define ERNIE_SQL_VECTORS_CURSOR_H

#include "fusion.h"
#include "sql/vectors_plan.h"
#include "sql/vectors_table.h"

struct vectors_cursor {
    sqlite3_vtab_cursor base; /* first: SQLite sees only this */
    int is_eof;
    int64_t rowid; /* of the current row */
    sqlite3_stmt *ids;    /* without a question: the rows, in order */
    sqlite3_stmt *values; /* the columns of one row; once one is asked for */
    int has_values;       /* of the current row */

    /* With a question. */
    struct fusion *fusion;
    struct fusion_words words; /* which it asks */
    struct candidate candidate; /* the current row */
    sqlite3_value *question;
    enum ernie_search_mode mode;
    int64_t k; /* rows at most; 0: all there are */
    int64_t n_given;

    /* What the WHERE says of columns: as xBestIndex wrote it, and the values. */
    char *filters;
    sqlite3_value **filter_values; /* [n_filters] */
    size_t n_filters;
    int is_narrow; /* what the filters let through was looked up, or need not be */
};

static inline struct vectors_table *cursor_table(const struct vectors_cursor *cursor)
{
    return (struct vectors_table *)cursor->base.pVtab;
}

/* Prepares SQL that ends with the filters' conditions and then order, and binds their values. */
int vectors_cursor_prepare(const struct vectors_cursor *cursor, struct buffer *sql,
                           const char *order, sqlite3_stmt **out, ernie_error *err);
/* Keeps the filters that xFilter was given. */
int vectors_cursor_keep_filters(struct vectors_cursor *cursor, const char *filters, size_t n,
                                sqlite3_value **values, ernie_error *err);

/* ---- with a question (vectors_question.c) ------------------------------ */

/* n and values as xFilter has them; goes to the first row. */
int vectors_question_begin(struct vectors_cursor *cursor, int plan, const char *filters, int n,
                           sqlite3_value **values, ernie_error *err);
int vectors_question_next(struct vectors_cursor *cursor, ernie_error *err);

/* ---- what a row shows (vectors_columns.c) ------------------------------ */

int vectors_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column);

#endif
