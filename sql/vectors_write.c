/* How a virtual table is changed: INSERT, UPDATE, DELETE. */
#include <math.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "sql/vectors_table.h"

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- rows -------------------------------------------------------------- */

/* What an INSERT or UPDATE brings. */
struct change {
    sqlite3_value **values; /* one for each column */
    float *vector;          /* [dim] of a table of vectors, or NULL: the row has none */
    int keeps_vector;       /* the vector column does not change */
};

/* What is left of a vector as float16. */
static int round_to_half(const char *what, size_t dim, float *vector, ernie_error *err)
{
    int is_zero = 1;

    for (size_t i = 0; i < dim; i++) {
        vector[i] = float_of_half(half_of_float(vector[i]));
        if (!isfinite(vector[i]))
            return error_set(err, ERNIE_EINVAL, "%s: a number does not fit a float16", what);
        is_zero &= vector[i] == 0;
    }
    return is_zero ? error_set(err, ERNIE_EINVAL, "%s: the vector is all zero as float16", what)
                   : ERNIE_OK;
}

static int change_init(struct change *change, struct vectors_table *table, sqlite3_value **values,
                       ernie_error *err)
{
    const struct vectors_definition *definition = &table->definition;
    sqlite3_value *value = definition->vector >= 0 ? values[definition->vector] : NULL;
    int status;

    *change = (struct change){ .values = values };
    status = vectors_check_model(table, err); /* before anything is changed */
    if (status != ERNIE_OK || definition->vector < 0)
        return status;
    change->keeps_vector = sqlite3_value_nochange(value);
    if (change->keeps_vector || sqlite3_value_type(value) == SQLITE_NULL)
        return ERNIE_OK;
    change->vector = memory_new(definition->dim, sizeof *change->vector);
    if (change->vector == NULL)
        return out_of_memory(err);
    status = vectors_value(definition->column[definition->vector].name, value, definition->dim,
                           change->vector, err);
    if (status == ERNIE_OK && definition->is_half)
        status = round_to_half(definition->column[definition->vector].name, definition->dim,
                               change->vector, err);
    if (status != ERNIE_OK) {
        memory_free(change->vector);
        change->vector = NULL;
    }
    return status;
}

static int delete_row(struct vectors_table *table, int64_t id, ernie_error *err)
{
    struct waiting *waiting = vectors_find_waiting(table, id);

    int status = vectors_words_take_out(&table->words, id, err);

    if (status != ERNIE_OK)
        return status;
    if (waiting != NULL)
        vectors_stop_waiting(table, waiting);
    return vectors_row_delete(&table->rows, id, err);
}

/* Makes room for a row of this id. *is_taken is 1 when the conflict is the statement's to
 * settle; nothing is changed then. */
static int make_room(struct vectors_table *table, int64_t id, int *is_taken, ernie_error *err)
{
    int status = vectors_row_exists(&table->rows, id, is_taken, err);

    *is_taken |= vectors_find_waiting(table, id) != NULL; /* with content= it has no row of ours yet */
    if (status != ERNIE_OK || !*is_taken)
        return status;
    if (sqlite3_vtab_on_conflict(table->connection) != SQLITE_REPLACE)
        return ERNIE_OK;
    *is_taken = 0;
    return delete_row(table, id, err);
}

static int write_vector(struct vectors_table *table, int64_t id, const float *vector,
                        ernie_error *err)
{
    if (vector == NULL)
        return ERNIE_OK;
    table->n_written++;
    return vectors_chunk_add(&table->rows, id, 0, 0, 0, vector, table->definition.dim, err);
}

static int insert_row(struct vectors_table *table, const int64_t *id, const struct change *change,
                      int64_t *out, ernie_error *err)
{
    struct buffer text = { 0 };
    int status;

    if (table->definition.vector < 0)
        vectors_values_text(&table->definition, change->values, &text);
    status = text.failed ? out_of_memory(err)
                         : vectors_row_add(&table->rows, id, change->values, out, err);
    if (status == ERNIE_OK)
        status = vectors_words_add(&table->words, *out, err);
    if (status == ERNIE_OK)
        status = table->definition.vector >= 0 ? write_vector(table, *out, change->vector, err)
                                               : vectors_wait(table, *out, &text, err);
    buffer_reset(&text);
    return status;
}

static int texts_change(const struct vectors_definition *definition, sqlite3_value **values)
{
    for (size_t i = 0; i < definition->n; i++)
        if (definition->column[i].role == VECTORS_TEXT && !sqlite3_value_nochange(values[i]))
            return 1;
    return 0;
}

/* Gives a row another id and values. Its words are those of an id and of each column. */
static int change_row(struct vectors_table *table, int64_t id, int64_t new_id, int words_change,
                      const struct change *change, ernie_error *err)
{
    int status = ERNIE_OK;

    words_change |= id != new_id;
    if (words_change)
        status = vectors_words_take_out(&table->words, id, err);
    if (status == ERNIE_OK)
        status = vectors_row_change(&table->rows, id, new_id, change->values, err);
    return status == ERNIE_OK && words_change ? vectors_words_add(&table->words, new_id, err)
                                              : status;
}

/* Gives a row other texts, and embeds it again where they are not what they were. */
static int change_texts(struct vectors_table *table, int64_t id, int64_t new_id,
                        const struct change *change, ernie_error *err)
{
    struct buffer before = { 0 }, after = { 0 };
    struct waiting *waiting = vectors_find_waiting(table, id);
    int found, is_same = 0, status = ERNIE_OK;

    if (table->definition.content == NULL)
        status = vectors_row_text(&table->rows, id, &before, &found, err);
    if (status == ERNIE_OK)
        status = change_row(table, id, new_id, 1, change, err);
    if (status == ERNIE_OK)
        status = vectors_row_text(&table->rows, new_id, &after, &found, err);
    if (status == ERNIE_OK)
        is_same = table->definition.content == NULL && before.size == after.size &&
                  (after.size == 0 || memcmp(before.data, after.data, after.size) == 0);
    if (status == ERNIE_OK && !is_same) {
        if (waiting != NULL)
            vectors_stop_waiting(table, waiting);
        status = vectors_chunks_delete(&table->rows, new_id, err);
        if (status == ERNIE_OK)
            status = vectors_wait(table, new_id, &after, err);
    } else if (status == ERNIE_OK && waiting != NULL) {
        waiting->id = new_id;
    }
    buffer_reset(&before);
    buffer_reset(&after);
    return status;
}

static int update_row(struct vectors_table *table, int64_t id, int64_t new_id,
                      const struct change *change, ernie_error *err)
{
    struct waiting *waiting;
    int status;

    if (table->definition.vector < 0 && texts_change(&table->definition, change->values))
        return change_texts(table, id, new_id, change, err);
    status = change_row(table, id, new_id, 0, change, err);
    waiting = vectors_find_waiting(table, id);
    if (status == ERNIE_OK && waiting != NULL)
        waiting->id = new_id;
    if (status != ERNIE_OK || table->definition.vector < 0 || change->keeps_vector)
        return status;
    status = vectors_chunks_delete(&table->rows, new_id, err);
    return status == ERNIE_OK ? write_vector(table, new_id, change->vector, err) : status;
}

/* ---- xUpdate ----------------------------------------------------------- */

/* Hidden columns cannot be written but for commands. An UPDATE may bring their old values. */
static int check_hidden(struct vectors_table *table, sqlite3_value **hidden, ernie_error *err)
{
    for (int i = HIDDEN_QUERY + 1; i < N_HIDDEN; i++)
        if (sqlite3_value_type(hidden[i]) != SQLITE_NULL)
            return error_set(err, ERNIE_EINVAL,
                             "%s: k, mode, score, rank, distance and snippet cannot be written",
                             table->name);
    return ERNIE_OK;
}

/* n and values as xUpdate has them, for INSERT and UPDATE. */
static int put_row(struct vectors_table *table, sqlite3_value **values, int64_t *rowid,
                   int *is_taken, ernie_error *err)
{
    const int is_insert = sqlite3_value_type(values[0]) == SQLITE_NULL;
    const int has_id = sqlite3_value_type(values[1]) != SQLITE_NULL;
    const int64_t old_id = sqlite3_value_int64(values[0]), id = sqlite3_value_int64(values[1]);
    struct change change;
    int status;

    status = is_insert ? check_hidden(table, values + 2 + table->definition.n, err) : ERNIE_OK;
    if (status == ERNIE_OK)
        status = change_init(&change, table, values + 2, err);
    if (status != ERNIE_OK)
        return status;
    if (has_id && (is_insert || id != old_id))
        status = make_room(table, id, is_taken, err);
    if (status == ERNIE_OK && !*is_taken)
        status = is_insert ? insert_row(table, has_id ? &id : NULL, &change, rowid, err)
                           : update_row(table, old_id, id, &change, err);
    memory_free(change.vector);
    return status;
}

int vectors_update(sqlite3_vtab *base, int n, sqlite3_value **values, sqlite3_int64 *rowid)
{
    struct vectors_table *table = (struct vectors_table *)base;
    sqlite3_value *command = n > 1 ? values[2 + table->definition.n] : NULL;
    ernie_error err;
    int64_t id = 0;
    int is_taken = 0, status;

    if (n > 1 && sqlite3_value_type(values[1]) != SQLITE_NULL &&
        sqlite3_value_numeric_type(values[1]) != SQLITE_INTEGER)
        return SQLITE_MISMATCH;
    if (n == 1) {
        status = delete_row(table, sqlite3_value_int64(values[0]), &err);
    } else if (sqlite3_value_type(values[0]) == SQLITE_NULL &&
               sqlite3_value_type(command) != SQLITE_NULL) {
        status = vectors_command(table, (const char *)sqlite3_value_text(command), &err);
    } else {
        status = put_row(table, values, &id, &is_taken, &err);
        *rowid = id;
    }
    if (status != ERNIE_OK)
        return vectors_fail(table, &err);
    if (is_taken) {
        sqlite3_free(base->zErrMsg);
        base->zErrMsg = sqlite3_mprintf("UNIQUE constraint failed: %s.rowid", table->name);
        return SQLITE_CONSTRAINT;
    }
    return SQLITE_OK;
}
