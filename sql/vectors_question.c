/* The rows of a virtual table that answer a question: by meaning, by words, or both
 * (fusion.h), and among those that a WHERE lets through. */
#include <string.h>

#include "base/memory.h"
#include "model/model.h"
#include "sql/vectors_cursor.h"
#include "words/match.h"

/* With a WHERE on columns of the table, rows are given out best first, and SQLite passes over
 * those it does not want. When it has passed over this many, the rows it can want are looked
 * up, which reads every row: about as much work as was done in vain. So no query takes longer
 * than twice the better of both ways. */
#define NARROW_AFTER 500

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "search: out of memory");
}

/* ---- the question as a vector ------------------------------------------ */

/* Embeds what is plain text of a question, and keeps it. */
static int embed_question(struct vectors_table *table, const char *question, ernie_error *err)
{
    struct ernie_encode_options how = { 0 };
    struct buffer plain = { 0 };
    const ernie_model *model;
    float *vector;
    char *copy, *text;
    int status = vectors_model(table, &model, err);

    if (status != ERNIE_OK)
        return status;
    match_plain_append(&plain, question, strlen(question));
    text = buffer_take(&plain);
    vector = memory_new(ernie_model_dim(model), sizeof *vector);
    copy = memory_copy_text(question, strlen(question));
    how.prompt = model_query_prompt(model);
    status = text != NULL && vector != NULL && copy != NULL
                 ? vectors_encode(table, 1, (const char *const *)&text, NULL, &how, vector, err)
                 : out_of_memory(err);
    memory_free(text);
    if (status != ERNIE_OK) {
        memory_free(vector);
        memory_free(copy);
        return status;
    }
    memory_free(table->question);
    memory_free(table->question_vector);
    table->question = copy;
    table->question_vector = vector;
    return ERNIE_OK;
}

/* The vector of the question; *own is to be released. */
static int question_vector(struct vectors_table *table, sqlite3_value *question,
                           const float **out, float **own, ernie_error *err)
{
    const char *text;
    int status = vectors_check_model(table, err);

    *own = NULL;
    if (status != ERNIE_OK)
        return status;
    if (table->definition.vector >= 0) {
        *own = memory_new(table->definition.dim, sizeof **own);
        if (*own == NULL)
            return out_of_memory(err);
        *out = *own;
        return vectors_value(table->name, question, table->definition.dim, *own, err);
    }
    text = (const char *)sqlite3_value_text(question);
    if (text == NULL)
        return out_of_memory(err);
    if (text[strspn(text, " \t\r\n\f\v")] == '\0')
        return error_set(err, ERNIE_EINVAL, "query: empty");
    if (table->question == NULL || strcmp(table->question, text) != 0)
        status = embed_question(table, text, err);
    *out = table->question_vector;
    return status;
}

/* ---- which rows -------------------------------------------------------- */

/* Rows that alone are looked for. */
struct selection {
    struct buffer rows, chunks; /* int64_t each */
};

static int select_these(struct vectors_cursor *cursor, struct selection *selection,
                        ernie_error *err)
{
    const size_t n = selection->rows.size / sizeof(int64_t);
    const size_t n_chunks = selection->chunks.size / sizeof(int64_t);
    char *rows = buffer_take(&selection->rows), *chunks = buffer_take(&selection->chunks);
    int status = out_of_memory(err);

    /* memory_resize aligns for any type. */
    if (rows != NULL && chunks != NULL)
        status = fusion_among(cursor->fusion, n, (const int64_t *)(const void *)rows, n_chunks,
                              (const int64_t *)(const void *)chunks, err);
    memory_free(rows);
    memory_free(chunks);
    return status;
}

static void selection_reset(struct selection *selection)
{
    buffer_reset(&selection->rows);
    buffer_reset(&selection->chunks);
}

/* The rows that rowid = or rowid IN lets through. */
static int select_rowids(struct vectors_cursor *cursor, int is_in, sqlite3_value *value,
                         ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    struct selection selection = { 0 };
    sqlite3_value *element = value;
    int code = is_in ? sqlite3_vtab_in_first(value, &element) : SQLITE_OK;
    int status = ERNIE_OK;

    while (status == ERNIE_OK && code == SQLITE_OK && element != NULL) {
        /* A number written as text is a number beside a rowid; 2.5 and NULL are none. */
        const int type = sqlite3_value_numeric_type(element);
        const int64_t id = sqlite3_value_int64(element);

        if (type == SQLITE_INTEGER ||
            (type == SQLITE_FLOAT && sqlite3_value_double(element) == (double)id)) {
            buffer_append(&selection.rows, &id, sizeof id);
            status = vectors_chunk_ids(&table->rows, id, &selection.chunks, err);
        }
        if (!is_in)
            break;
        code = sqlite3_vtab_in_next(value, &element);
    }
    if (status == ERNIE_OK && code != SQLITE_OK && code != SQLITE_DONE)
        status = statements_fail(&table->rows.statements, code, err);
    if (status == ERNIE_OK)
        status = select_these(cursor, &selection, err);
    selection_reset(&selection);
    return status;
}

/* Looks up which rows the filters let through, and goes on with those. */
static int narrow(struct vectors_cursor *cursor, ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    char *chunks = collection_sql(table->collection, "$_chunks");
    struct selection selection = { 0 };
    struct buffer sql = { 0 };
    sqlite3_stmt *statement = NULL;
    int code = SQLITE_DONE, status;

    cursor->is_narrow = 1;
    buffer_printf(&sql,
                  "SELECT k.document_id, k.id FROM %s AS t JOIN %s AS k ON k.document_id = t.rowid"
                  " WHERE 1",
                  table->rows.content, chunks != NULL ? chunks : "");
    status = chunks != NULL ? vectors_cursor_prepare(cursor, &sql, "", &statement, err)
                            : out_of_memory(err);
    while (status == ERNIE_OK && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        const int64_t row = sqlite3_column_int64(statement, 0);
        const int64_t chunk = sqlite3_column_int64(statement, 1);

        buffer_append(&selection.rows, &row, sizeof row);
        buffer_append(&selection.chunks, &chunk, sizeof chunk);
    }
    if (status == ERNIE_OK && code != SQLITE_DONE)
        status = statements_fail(&table->rows.statements, code, err);
    sqlite3_finalize(statement);
    if (status == ERNIE_OK)
        status = select_these(cursor, &selection, err);
    memory_free(chunks);
    buffer_reset(&sql);
    selection_reset(&selection);
    return status;
}

int vectors_question_next(struct vectors_cursor *cursor, ernie_error *err)
{
    int found = 0, status = ERNIE_OK;

    if (cursor->k != 0 && cursor->n_given == cursor->k) {
        cursor->is_eof = 1;
        return ERNIE_OK;
    }
    if (!cursor->is_narrow && cursor->n_filters > 0 && cursor->n_given >= NARROW_AFTER)
        status = narrow(cursor, err);
    if (status == ERNIE_OK)
        status = fusion_next(cursor->fusion, &cursor->candidate, &found, err);
    cursor->is_eof = status != ERNIE_OK || !found;
    cursor->rowid = cursor->candidate.document_id;
    cursor->n_given++;
    return status;
}

/* ---- k and mode -------------------------------------------------------- */

static int read_k(struct vectors_cursor *cursor, sqlite3_value *value, ernie_error *err)
{
    if (sqlite3_value_type(value) == SQLITE_NULL)
        return ERNIE_OK;
    cursor->k = sqlite3_value_int64(value);
    return cursor->k >= 1 ? ERNIE_OK
                          : error_set(err, ERNIE_EINVAL, "%s: k must be 1 or more",
                                      cursor_table(cursor)->name);
}

/* value may be NULL. By itself a table answers by all that it has. */
static int read_mode(struct vectors_cursor *cursor, sqlite3_value *value, ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    const char *mode = value != NULL ? (const char *)sqlite3_value_text(value) : NULL;
    int has_words, status;

    if (mode == NULL) {
        status = vectors_words_are_there(&table->words, &has_words, err);
        cursor->mode = status == ERNIE_OK && has_words ? ERNIE_HYBRID : ERNIE_VECTOR;
        return status;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(mode, search_mode_names[i]) != 0)
            continue;
        cursor->mode = (enum ernie_search_mode)i;
        return cursor->mode == ERNIE_VECTOR
                   ? ERNIE_OK
                   : vectors_words_require(&table->words, mode, err);
    }
    return error_set(err, ERNIE_EINVAL, "%s: mode %.40s: there are hybrid, vector and keyword",
                     table->name, mode);
}

/* ---- the beginning ----------------------------------------------------- */

static int search_words(void *data, const char *query, size_t size, struct word_hits *out,
                        ernie_error *err)
{
    return vectors_words_search(&((struct vectors_table *)data)->words, query, size, out, err);
}

static int word_ids(void *data, const char *expression, size_t size, int64_t **ids, size_t *n,
                    ernie_error *err)
{
    return vectors_words_ids(&((struct vectors_table *)data)->words, expression, size, ids, n,
                             err);
}

static int chunks_of(void *data, int64_t id, struct buffer *ids, ernie_error *err)
{
    return vectors_chunk_ids(&((struct vectors_table *)data)->rows, id, ids, err);
}

static int begin_search(struct vectors_cursor *cursor, ernie_error *err)
{
    struct vectors_table *table = cursor_table(cursor);
    const ernie_model *model = NULL;
    const float *vector = NULL;
    const char *text = NULL;
    float *own;
    int status = question_vector(table, cursor->question, &vector, &own, err);

    if (status == ERNIE_OK)
        status = vectors_open_nearest(table, err);
    if (status == ERNIE_OK && cursor->mode != ERNIE_VECTOR) {
        text = (const char *)sqlite3_value_text(cursor->question);
        if (text == NULL)
            status = out_of_memory(err);
    }
    if (status == ERNIE_OK && cursor->mode == ERNIE_HYBRID)
        status = vectors_model(table, &model, err);
    cursor->words = (struct fusion_words){ table, search_words, word_ids, chunks_of };
    if (status == ERNIE_OK)
        status = fusion_begin(&table->nearest, &cursor->words, model, cursor->mode, text, vector,
                              &cursor->fusion, err);
    memory_free(own);
    return status;
}

int vectors_question_begin(struct vectors_cursor *cursor, int plan, const char *filters, int n,
                           sqlite3_value **values, ernie_error *err)
{
    int i = 1, status = ERNIE_OK;

    if (sqlite3_value_type(values[0]) == SQLITE_NULL) {
        cursor->is_eof = 1;
        return ERNIE_OK;
    }
    cursor->question = sqlite3_value_dup(values[0]);
    if (cursor->question == NULL)
        return out_of_memory(err);
    if (plan & PLAN_K)
        status = read_k(cursor, values[i++], err);
    if (status == ERNIE_OK)
        status = read_mode(cursor, plan & PLAN_MODE ? values[i++] : NULL, err);
    if (status == ERNIE_OK)
        status = begin_search(cursor, err);
    if (status == ERNIE_OK && plan & PLAN_BY_SCORE)
        fusion_by_score(cursor->fusion);
    if (status == ERNIE_OK && plan & PLAN_ROWID)
        status = select_rowids(cursor, plan & PLAN_ROWID_IN, values[i++], err);
    if (status == ERNIE_OK)
        status = vectors_cursor_keep_filters(cursor, filters, (size_t)(n - i), values + i, err);
    return status == ERNIE_OK ? vectors_question_next(cursor, err) : status;
}
