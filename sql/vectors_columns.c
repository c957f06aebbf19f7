/* What a row of a virtual table shows: its columns as they were put in, and what the search
 * says of it. */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "snippet.h"
#include "sql/vectors_cursor.h"
#include "words/marker.h"

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

static int prepare_values(struct vectors_cursor *cursor, ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    const struct vectors_definition *definition = &table->definition;
    struct buffer sql = { 0 };
    int code;

    buffer_append_text(&sql, "SELECT ");
    for (size_t i = 0; i < definition->n; i++) {
        buffer_append_text(&sql, i > 0 ? ", " : "");
        if (definition->column[i].role == VECTORS_VECTOR)
            buffer_append_text(&sql, "NULL");
        else if (definition->content != NULL)
            append_identifier(&sql, definition->column[i].name);
        else
            buffer_printf(&sql, "c%zu", i);
    }
    buffer_printf(&sql, " FROM %s WHERE rowid = ?1", table->rows.content);
    code = sql.failed ? SQLITE_NOMEM
                      : sqlite3_prepare_v2(table->connection, sql.data, -1, &cursor->values, NULL);
    buffer_reset(&sql);
    return code == SQLITE_OK ? ERNIE_OK : statements_fail(&table->rows.statements, code, err);
}

/* A column of the row as it was put in. With content= the row may be gone from there: its
 * columns are NULL then. */
static int column_value(struct vectors_cursor *cursor, sqlite3_context *context, int column,
                        ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    int code, status = cursor->values == NULL ? prepare_values(cursor, err) : ERNIE_OK;

    if (status != ERNIE_OK)
        return status;
    if (!cursor->has_values) {
        sqlite3_reset(cursor->values);
        code = sqlite3_bind_int64(cursor->values, 1, cursor->rowid);
        if (code == SQLITE_OK)
            code = sqlite3_step(cursor->values);
        if (code != SQLITE_ROW && code != SQLITE_DONE)
            return statements_fail(&table->rows.statements, code, err);
        cursor->has_values = code == SQLITE_ROW ? 1 : -1;
    }
    if (cursor->has_values > 0)
        sqlite3_result_value(context, sqlite3_column_value(cursor->values, column));
    return ERNIE_OK;
}

static int column_vector(struct vectors_cursor *cursor, sqlite3_context *context, ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    const size_t size_bytes = table->definition.dim * sizeof(float);
    struct buffer ids = { 0 };
    float *vector;
    int64_t id;
    int found, status;

    status = vectors_chunk_ids(&table->rows, cursor->rowid, &ids, err);
    if (status != ERNIE_OK || ids.size < sizeof id) { /* a row without a vector */
        buffer_reset(&ids);
        return status;
    }
    memcpy(&id, ids.data, sizeof id);
    buffer_reset(&ids);
    vector = sqlite3_malloc64(size_bytes);
    if (vector == NULL)
        return out_of_memory(err);
    status = collection_vector_get(table->collection, id, table->definition.dim, vector, &found,
                                   err);
    if (status == ERNIE_OK && found) {
        sqlite3_result_blob64(context, vector, size_bytes, sqlite3_free);
        sqlite3_result_subtype(context, SUBTYPE_FLOAT32);
        return ERNIE_OK;
    }
    sqlite3_free(vector);
    return status == ERNIE_OK ? error_set(err, ERNIE_ECORRUPT, "%s: row %lld: damaged vector",
                                          table->name, (long long)cursor->rowid)
                              : status;
}

/* A chunk of the row's text. */
struct part {
    size_t start, end;
};

/* Where a chunk is; *found is 0 when it is gone, or not in the text: that of another table may
 * have changed without a word. */
static int chunk_part(struct vectors_table *table, int64_t chunk_id, const struct buffer *text,
                      struct part *out, int *found, ernie_error *err)
{
    int status = vectors_chunk_place(&table->rows, chunk_id, &out->start, &out->end, found, err);

    *found = status == ERNIE_OK && *found && out->start <= out->end && out->end <= text->size;
    return status;
}

/* The chunk that has the most of the question's words; the nearest one where none has more. */
static int part_by_words(struct vectors_cursor *cursor, const char *question,
                         const struct buffer *text, struct part *best, ernie_error *err)
{
    const size_t size = strlen(question);
    struct vectors_table *table = cursor_table(cursor);
    struct marker *marker = NULL;
    struct buffer ids = { 0 };
    size_t n = 0, most = 0;
    int status = marker_new(question, size <= SNIPPET_QUERY_BYTES ? size : 0, &marker, err);

    if (status == ERNIE_OK)
        status = marker_count(marker, text->data + best->start, best->end - best->start, &most,
                              err);
    if (status == ERNIE_OK)
        status = vectors_chunk_ids(&table->rows, cursor->rowid, &ids, err);
    for (size_t i = 0; status == ERNIE_OK && i < ids.size; i += sizeof(int64_t)) {
        struct part part;
        int64_t id;
        int found;

        memcpy(&id, ids.data + i, sizeof id);
        status = chunk_part(table, id, text, &part, &found, err);
        if (status == ERNIE_OK && found)
            status = marker_count(marker, text->data + part.start, part.end - part.start, &n, err);
        if (status == ERNIE_OK && found && n > most) {
            most = n;
            *best = part;
        }
    }
    marker_free(marker);
    buffer_reset(&ids);
    return status;
}

static int column_snippet(struct vectors_cursor *cursor, sqlite3_context *context,
                          ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    struct buffer text = { 0 }, snippet = { 0 };
    const char *question = (const char *)sqlite3_value_text(cursor->question);
    struct part part;
    int found, status;

    if (table->definition.vector >= 0)
        return ERNIE_OK;
    if (question == NULL)
        return out_of_memory(err);
    status = vectors_row_text(&table->rows, cursor->rowid, &text, &found, err);
    if (status == ERNIE_OK)
        status = chunk_part(table, cursor->candidate.chunk_id, &text, &part, &found, err);
    if (status == ERNIE_OK && found && cursor->mode == ERNIE_KEYWORD)
        status = part_by_words(cursor, question, &text, &part, err);
    if (status == ERNIE_OK && found)
        status = snippet_by_words(&snippet, text.data + part.start, part.end - part.start, question,
                                  err);
    if (status == ERNIE_OK && snippet.failed)
        status = out_of_memory(err);
    else if (status == ERNIE_OK && snippet.data != NULL)
        sqlite3_result_text64(context, snippet.data, snippet.size, SQLITE_TRANSIENT, SQLITE_UTF8);
    buffer_reset(&text);
    buffer_reset(&snippet);
    return status;
}

static int column_hidden(struct vectors_cursor *cursor, sqlite3_context *context, int column,
                         ernie_error *err)
{
    /* Rounding can put a cosine a hair outside of what a cosine may be. */
    const double score = fmax(-1, fmin(1, cursor->candidate.score));

    if (cursor->fusion == NULL)
        return ERNIE_OK;
    switch (column) {
    case HIDDEN_QUERY:
        sqlite3_result_value(context, cursor->question);
        break;
    case HIDDEN_K:
        if (cursor->k != 0)
            sqlite3_result_int64(context, cursor->k);
        break;
    case HIDDEN_MODE:
        sqlite3_result_text(context, search_mode_names[cursor->mode], -1, SQLITE_STATIC);
        break;
    case HIDDEN_SCORE:
        sqlite3_result_double(context, score);
        break;
    case HIDDEN_RANK:
        sqlite3_result_double(context, cursor->mode == ERNIE_VECTOR    ? -score
                                       : cursor->mode == ERNIE_KEYWORD ? -cursor->candidate.bm25
                                                                       : -cursor->candidate.fused);
        break;
    case HIDDEN_DISTANCE:
        sqlite3_result_double(context, 1 - score);
        break;
    default:
        return column_snippet(cursor, context, err);
    }
    return ERNIE_OK;
}

int vectors_column(sqlite3_vtab_cursor *base, sqlite3_context *context, int column)
{
    struct vectors_cursor *cursor = (struct vectors_cursor *)base;
    const struct vectors_table *table = cursor_table(cursor);
    const int n = (int)table->definition.n;
    ernie_error err;
    int status;

    if (sqlite3_vtab_nochange(context))
        return SQLITE_OK;
    if (column >= n)
        status = column_hidden(cursor, context, column - n, &err);
    else if (column == table->definition.vector)
        status = column_vector(cursor, context, &err);
    else
        status = column_value(cursor, context, column, &err);
    return status == ERNIE_OK ? SQLITE_OK : vectors_fail(cursor_table(cursor), &err);
}
