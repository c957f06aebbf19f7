/* Cursors of a virtual table: how a SELECT goes through it. */
#include "sql/vectors_cursor.h"

#include <string.h>

#include "base/memory.h"

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

/* ---- cursors ----------------------------------------------------------- */

int vectors_open(sqlite3_vtab *base, sqlite3_vtab_cursor **out)
{
    struct vectors_cursor *cursor = memory_new(1, sizeof *cursor);

    (void)base;
    if (cursor == NULL)
        return SQLITE_NOMEM;
    *out = &cursor->base;
    return SQLITE_OK;
}

static void clear(struct vectors_cursor *cursor)
{
    const sqlite3_vtab_cursor base = cursor->base;

    fusion_end(cursor->fusion);
    sqlite3_finalize(cursor->ids);
    sqlite3_finalize(cursor->values);
    sqlite3_value_free(cursor->question);
    memory_free(cursor->filters);
    for (size_t i = 0; cursor->filter_values != NULL && i < cursor->n_filters; i++)
        sqlite3_value_free(cursor->filter_values[i]);
    memory_free(cursor->filter_values);
    memset(cursor, 0, sizeof *cursor);
    cursor->base = base;
}

int vectors_close(sqlite3_vtab_cursor *base)
{
    clear((struct vectors_cursor *)base);
    memory_free(base);
    return SQLITE_OK;
}

/* ---- filters ----------------------------------------------------------- */

int vectors_cursor_keep_filters(struct vectors_cursor *cursor, const char *filters, size_t n,
                                sqlite3_value **values, ernie_error *err)
{
    if (n == 0)
        return ERNIE_OK;
    cursor->filters = memory_copy_text(filters, strlen(filters));
    cursor->filter_values = memory_new(n, sizeof *cursor->filter_values);
    if (cursor->filters == NULL || cursor->filter_values == NULL)
        return out_of_memory(err);
    for (; cursor->n_filters < n; cursor->n_filters++) {
        sqlite3_value *copy = sqlite3_value_dup(values[cursor->n_filters]);

        if (copy == NULL)
            return out_of_memory(err);
        cursor->filter_values[cursor->n_filters] = copy;
    }
    return ERNIE_OK;
}

int vectors_cursor_prepare(const struct vectors_cursor *cursor, struct buffer *sql,
                           const char *order, sqlite3_stmt **out, ernie_error *err)
{
    const struct vectors_table *table = cursor_table(cursor);
    int code;

    vectors_plan_conditions(&table->definition, cursor->filters, cursor->n_filters,
                            cursor->filter_values, sql);
    buffer_append_text(sql, order);
    if (sql->failed)
        return out_of_memory(err);
    code = sqlite3_prepare_v2(table->connection, sql->data, -1, out, NULL);
    for (size_t i = 0; code == SQLITE_OK && i < cursor->n_filters; i++) {
        code = sqlite3_bind_value(*out, (int)i + 1, cursor->filter_values[i]);
        if (code == SQLITE_RANGE) /* the last ones may have been left out */
            code = SQLITE_OK;
    }
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&table->rows.statements, code, err);
}

/* ---- rows without a question ------------------------------------------- */

static int next_row(struct vectors_cursor *cursor, ernie_error *err)
{
    int code = sqlite3_step(cursor->ids);

    cursor->is_eof = code != SQLITE_ROW;
    if (code == SQLITE_ROW)
        cursor->rowid = sqlite3_column_int64(cursor->ids, 0);
    return code == SQLITE_ROW || code == SQLITE_DONE
               ? ERNIE_OK
               : statements_fail(&cursor_table(cursor)->rows.statements, code, err);
}

/* With content= a row that is gone from there is still found by its rowid, so that a trigger
 * can delete it after that. */
static int append_row_source(struct vectors_table *table, int plan, struct buffer *sql,
                             ernie_error *err)
{
    char *rest;
    int has_words, status;

    if (table->definition.content == NULL || !(plan & PLAN_ROWID)) {
        buffer_printf(sql, "%s AS t", table->rows.content);
        return ERNIE_OK;
    }
    status = vectors_words_are_there(&table->words, &has_words, err);
    if (status != ERNIE_OK)
        return status;
    rest = collection_sql(table->collection,
                          has_words ? "UNION SELECT document_id FROM $_chunks"
                                      " UNION SELECT id FROM $_words_docsize"
                                    : "UNION SELECT document_id FROM $_chunks");
    if (rest == NULL)
        return out_of_memory(err);
    buffer_printf(sql, "(SELECT rowid AS rowid FROM %s %s) AS t", table->rows.content, rest);
    memory_free(rest);
    return ERNIE_OK;
}

static int begin_rows(struct vectors_cursor *cursor, int plan, ernie_error *err)
{
    struct buffer sql = { 0 };
    int status;

    buffer_append_text(&sql, "SELECT t.rowid FROM ");
    status = append_row_source(cursor_table(cursor), plan, &sql, err);
    buffer_append_text(&sql, " WHERE 1");
    if (status == ERNIE_OK)
        status = vectors_cursor_prepare(cursor, &sql,
                                  plan & PLAN_DESCENDING ? " ORDER BY t.rowid DESC"
                                                         : " ORDER BY t.rowid",
                                  &cursor->ids, err);
    buffer_reset(&sql);
    return status == ERNIE_OK ? next_row(cursor, err) : status;
}

/* ---- the module's part ------------------------------------------------- */

int vectors_filter(sqlite3_vtab_cursor *base, int plan, const char *filters, int n,
                   sqlite3_value **values)
{
    struct vectors_cursor *cursor = (struct vectors_cursor *)base;
    struct vectors_table *table = cursor_table(cursor);
    ernie_error err;
    int status;

    clear(cursor);
    if (plan & PLAN_QUERY) {
        status = vectors_flush(table, &err);
        if (status == ERNIE_OK)
            status = vectors_question_begin(cursor, plan, filters, n, values, &err);
    } else {
        status = vectors_cursor_keep_filters(cursor, filters, (size_t)n, values, &err);
        /* With content= a row may be known by its chunks only: those of the row that is
         * asked for must be there. One of the values is its rowid. */
        for (int i = 0; plan & PLAN_ROWID && table->definition.content != NULL && i < n; i++)
            if (status == ERNIE_OK)
                status = vectors_flush_row(table, sqlite3_value_int64(values[i]), &err);
        if (status == ERNIE_OK)
            status = begin_rows(cursor, plan, &err);
    }
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(table, &err);
}

int vectors_next(sqlite3_vtab_cursor *base)
{
    struct vectors_cursor *cursor = (struct vectors_cursor *)base;
    ernie_error err;
    int status;

    cursor->has_values = 0;
    status = cursor->fusion != NULL ? vectors_question_next(cursor, &err) : next_row(cursor, &err);
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(cursor_table(cursor), &err);
}

int vectors_eof(sqlite3_vtab_cursor *base)
{
    return ((struct vectors_cursor *)base)->is_eof;
}

int vectors_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out)
{
    *out = ((struct vectors_cursor *)base)->rowid;
    return SQLITE_OK;
}

