/* How a virtual table is changed: INSERT, UPDATE, DELETE, commands, and the texts that wait
 * to be embedded together. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "base/memory.h"
#include "cut.h"
#include "encode.h"
#include "model/model.h"
#include "sql/findings.h"
#include "sql/vectors_table.h"

/* Chunks that are embedded in one call: enough for many full batches. */
#define CHUNKS_AT_ONCE 512

#define MAX_DIM 65536

#define META_FINGERPRINT "model_fingerprint"
#define META_NAME "model_name"
#define META_DIM "dim"
#define META_CHUNKER "chunker_version"

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

/* ---- vectors that are given -------------------------------------------- */

static int read_json(const char *what, sqlite3_value *value, size_t dim, float *out,
                     ernie_error *err)
{
    const char *text = (const char *)sqlite3_value_text(value);
    float *vector = NULL;
    size_t n;
    ernie_error why;
    int status;

    if (text == NULL)
        return out_of_memory(err);
    if (strlen(text) != (size_t)sqlite3_value_bytes(value))
        return error_set(err, ERNIE_EINVAL, "%s: a zero character in JSON", what);
    status = ernie_vector_from_json(text, &n, &vector, &why);
    if (status == ERNIE_ENOMEM)
        return out_of_memory(err);
    if (status != ERNIE_OK)
        return error_set(err, ERNIE_EINVAL, "%s: %s", what, why.message);
    if (n == dim)
        memcpy(out, vector, dim * sizeof *out);
    else
        status = error_set(err, ERNIE_EINVAL, "%s: a JSON array of %zu numbers, not %zu", what, n,
                           dim);
    ernie_free(vector);
    return status;
}

int vectors_value(const char *what, sqlite3_value *value, size_t dim, float *out, ernie_error *err)
{
    double square = 0;

    if (sqlite3_value_type(value) == SQLITE_BLOB) {
        const void *bytes = sqlite3_value_blob(value);
        const size_t size_bytes = (size_t)sqlite3_value_bytes(value);

        if (size_bytes != dim * sizeof *out)
            return error_set(err, ERNIE_EINVAL,
                             "%s: a BLOB of %zu bytes is not a vector of %zu floats", what,
                             size_bytes, dim);
        if (bytes == NULL)
            return out_of_memory(err);
        memcpy(out, bytes, size_bytes); /* a BLOB need not be aligned */
    } else if (sqlite3_value_type(value) == SQLITE_TEXT) {
        int status = read_json(what, value, dim, out, err);

        if (status != ERNIE_OK)
            return status;
    } else {
        return error_set(err, ERNIE_EINVAL, "%s: a vector is a BLOB of floats or a JSON array",
                         what);
    }
    for (size_t i = 0; i < dim; i++) {
        if (!isfinite(out[i]))
            return error_set(err, ERNIE_EINVAL, "%s: the vector holds what is not a number", what);
        square += (double)out[i] * out[i];
    }
    if (square == 0)
        return error_set(err, ERNIE_EINVAL, "%s: the vector is all zero and has no direction",
                         what);
    return ERNIE_OK;
}

/* ---- the model --------------------------------------------------------- */

/* The last part of the model's directory: what model= and messages call it. */
static const char *model_name(const ernie_model *model)
{
    const char *directory = ernie_model_directory(model);
    const char *slash = strrchr(directory, '/');

    return slash == NULL || slash[1] == '\0' ? directory : slash + 1;
}

/* The model that the table names, or the default one, and its encoder. */
static int find_model(struct vectors_table *table, const ernie_model **model,
                      ernie_encoder **encoder, ernie_error *err)
{
    const char *name = table->definition.model;
    ernie_error why;
    int status, found;

    found = name != NULL ? models_find(&table->extension->models, name, encoder, model, &why)
                         : ERNIE_ENOTFOUND;
    if (found == ERNIE_OK)
        return ERNIE_OK;
    status = extension_model(table->extension, model, err);
    /* The default model can be named too; else it is what was asked for that is missing. */
    if (name != NULL && (status != ERNIE_OK || strcmp(name, model_name(*model)) != 0))
        return error_set(err, found, "%s", why.message);
    return status == ERNIE_OK ? extension_encoder(table->extension, encoder, err) : status;
}

int vectors_model(struct vectors_table *table, const ernie_model **out, ernie_error *err)
{
    ernie_encoder *encoder;

    *out = NULL;
    return table->definition.vector >= 0 ? ERNIE_OK : find_model(table, out, &encoder, err);
}

int vectors_encode(struct vectors_table *table, size_t n, const char *const *texts,
                   const size_t *sizes, const struct ernie_encode_options *how, float *out,
                   ernie_error *err)
{
    const ernie_model *model;
    ernie_encoder *encoder;
    int status = find_model(table, &model, &encoder, err);

    return status == ERNIE_OK ? encode_texts(encoder, n, texts, sizes, how, out, err) : status;
}

static int check_schema(struct vectors_table *table, ernie_error *err)
{
    char number[24];
    int status;

    if (table->knows_schema)
        return ERNIE_OK;
    status = collection_meta_get(table->collection, "schema_version", number, sizeof number, err);
    if (status == ERNIE_OK && strtol(number, NULL, 10) > atoi(VECTORS_WITH_WORDS))
        status = error_set(err, ERNIE_EFORMAT, "%s: made by a newer ernie (tables of version %s)",
                           table->name, number);
    table->knows_schema = status == ERNIE_OK;
    return status;
}

int vectors_check_model(struct vectors_table *table, ernie_error *err)
{
    char fingerprint[33], name[128];
    const ernie_model *model = NULL;
    int status = check_schema(table, err);

    if (status == ERNIE_OK)
        status = vectors_model(table, &model, err);
    if (status != ERNIE_OK || model == NULL)
        return status;
    status = collection_meta_get(table->collection, META_FINGERPRINT, fingerprint,
                                 sizeof fingerprint, err);
    if (status != ERNIE_OK || fingerprint[0] == '\0' ||
        strcmp(fingerprint, ernie_model_fingerprint(model)) == 0)
        return status;
    status = collection_meta_get(table->collection, META_NAME, name, sizeof name, err);
    if (status != ERNIE_OK)
        return status;
    return error_set(err, ERNIE_EMISMATCH,
                     "%s: made with the model %s (%.8s), not %s (%.8s): give that one with "
                     "ERNIE_MODEL, or embed again with INSERT INTO %s(%s) VALUES('rebuild')",
                     table->name, name, fingerprint, model_name(model),
                     ernie_model_fingerprint(model), table->name, table->name);
}

int vectors_dim(struct vectors_table *table, size_t *out, ernie_error *err)
{
    const ernie_model *model;
    int status = vectors_model(table, &model, err);

    if (status == ERNIE_OK)
        *out = model != NULL ? ernie_model_dim(model) : table->definition.dim;
    return status;
}

static int note_model(struct vectors_table *table, const ernie_model *model, ernie_error *err)
{
    char number[24];
    int status = collection_meta_set(table->collection, META_FINGERPRINT,
                                     ernie_model_fingerprint(model), err);

    if (status == ERNIE_OK)
        status = collection_meta_set(table->collection, META_NAME, model_name(model), err);
    snprintf(number, sizeof number, "%zu", ernie_model_dim(model));
    if (status == ERNIE_OK)
        status = collection_meta_set(table->collection, META_DIM, number, err);
    snprintf(number, sizeof number, "%d", CHUNKER_VERSION);
    if (status == ERNIE_OK)
        status = collection_meta_set(table->collection, META_CHUNKER, number, err);
    return status;
}

/* ---- texts that wait --------------------------------------------------- */

static void waiting_reset(struct waiting *waiting)
{
    memory_free(waiting->text);
    chunk_list_reset(&waiting->chunks);
}

void vectors_drop_waiting(struct vectors_table *table)
{
    for (size_t i = 0; i < table->n_waiting; i++)
        waiting_reset(&table->waiting[i]);
    table->n_waiting = 0;
    table->n_waiting_chunks = 0;
}

static struct waiting *find_waiting(struct vectors_table *table, int64_t id)
{
    for (size_t i = 0; i < table->n_waiting; i++)
        if (table->waiting[i].id == id)
            return &table->waiting[i];
    return NULL;
}

static void stop_waiting(struct vectors_table *table, struct waiting *waiting)
{
    table->n_waiting_chunks -= waiting->chunks.n;
    waiting_reset(waiting);
    *waiting = table->waiting[--table->n_waiting];
}

int vectors_flush_row(struct vectors_table *table, int64_t id, ernie_error *err)
{
    return find_waiting(table, id) != NULL ? vectors_flush(table, err) : ERNIE_OK;
}

/* The chunks of all that waits, one after the other. */
struct batch {
    const char **texts; /* [n] */
    size_t *sizes;      /* [n] */
    struct {
        size_t waiting, chunk;
    } *of;              /* [n] */
    float *embeddings;  /* [CHUNKS_AT_ONCE][dim] */
};

static int batch_init(struct batch *batch, const struct vectors_table *table, size_t dim,
                      ernie_error *err)
{
    size_t n = 0;

    batch->texts = memory_new(table->n_waiting_chunks, sizeof *batch->texts);
    batch->sizes = memory_new(table->n_waiting_chunks, sizeof *batch->sizes);
    batch->of = memory_new(table->n_waiting_chunks, sizeof *batch->of);
    batch->embeddings = memory_new_aligned(CHUNKS_AT_ONCE, dim * sizeof(float));
    if (batch->texts == NULL || batch->sizes == NULL || batch->of == NULL ||
        batch->embeddings == NULL)
        return out_of_memory(err);
    for (size_t i = 0; i < table->n_waiting; i++)
        for (size_t j = 0; j < table->waiting[i].chunks.n; j++, n++) {
            const struct chunk *chunk = &table->waiting[i].chunks.chunk[j];

            batch->texts[n] = table->waiting[i].text + chunk->start;
            batch->sizes[n] = chunk->end - chunk->start;
            batch->of[n].waiting = i;
            batch->of[n].chunk = j;
        }
    return ERNIE_OK;
}

static void batch_reset(struct batch *batch)
{
    memory_free(batch->texts);
    memory_free(batch->sizes);
    memory_free(batch->of);
    memory_free_aligned(batch->embeddings);
}

/* Chunks first .. first + n - 1 of the batch. */
static int embed_and_write(struct vectors_table *table, const struct batch *batch, size_t first,
                           size_t n, const ernie_model *model, ernie_error *err)
{
    const struct ernie_encode_options how = { .prompt = model_passage_prompt(model) };
    const size_t dim = ernie_model_dim(model);
    int status = vectors_encode(table, n, batch->texts + first, batch->sizes + first, &how,
                                batch->embeddings, err);

    for (size_t i = 0; status == ERNIE_OK && i < n; i++) {
        const struct waiting *waiting = &table->waiting[batch->of[first + i].waiting];
        const size_t ordinal = batch->of[first + i].chunk;

        status = vectors_chunk_add(&table->rows, waiting->id, ordinal,
                                   waiting->chunks.chunk[ordinal].start,
                                   waiting->chunks.chunk[ordinal].end,
                                   batch->embeddings + i * dim, dim, err);
    }
    table->n_written += n;
    return status;
}

int vectors_flush(struct vectors_table *table, ernie_error *err)
{
    const size_t n = table->n_waiting_chunks;
    struct batch batch = { 0 };
    const ernie_model *model;
    sqlite3_int64 last;
    int status;

    if (n == 0) {
        vectors_drop_waiting(table); /* what has no words has no chunks */
        return ERNIE_OK;
    }
    last = sqlite3_last_insert_rowid(table->connection);
    status = vectors_check_model(table, err);
    if (status == ERNIE_OK)
        status = vectors_model(table, &model, err);
    if (status == ERNIE_OK)
        status = note_model(table, model, err);
    if (status == ERNIE_OK)
        status = batch_init(&batch, table, ernie_model_dim(model), err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i += CHUNKS_AT_ONCE)
        status = embed_and_write(table, &batch, i, n - i < CHUNKS_AT_ONCE ? n - i : CHUNKS_AT_ONCE,
                                 model, err);
    batch_reset(&batch);
    /* After a failure they wait on, so that what is half done cannot be committed. */
    if (status == ERNIE_OK)
        vectors_drop_waiting(table);
    sqlite3_set_last_insert_rowid(table->connection, last);
    return status;
}

/* Cuts a row's text and lets it wait; the text is taken over, and left empty. */
static int wait_for_others(struct vectors_table *table, int64_t id, struct buffer *text,
                           ernie_error *err)
{
    struct waiting waiting = { .id = id };
    const size_t size = text->size;
    const ernie_model *model;
    int status = vectors_model(table, &model, err);

    if (status == ERNIE_OK && table->scratch == NULL)
        status = tokenizer_scratch_new(&table->scratch, err);
    if (status != ERNIE_OK)
        return status;
    if (table->n_waiting == table->waiting_capacity) {
        const size_t capacity = table->waiting_capacity == 0 ? 64 : table->waiting_capacity * 2;
        struct waiting *more = memory_resize(table->waiting, capacity, sizeof *more);

        if (more == NULL)
            return out_of_memory(err);
        table->waiting = more;
        table->waiting_capacity = capacity;
    }
    waiting.text = buffer_take(text);
    if (waiting.text == NULL)
        return out_of_memory(err);
    status = cut_text(model, table->scratch, waiting.text, size, &waiting.chunks, err);
    if (status != ERNIE_OK) {
        waiting_reset(&waiting);
        return status;
    }
    table->waiting[table->n_waiting++] = waiting;
    table->n_waiting_chunks += waiting.chunks.n;
    return table->n_waiting_chunks >= CHUNKS_AT_ONCE ? vectors_flush(table, err) : ERNIE_OK;
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
    struct waiting *waiting = find_waiting(table, id);

    int status = vectors_words_take_out(&table->words, id, err);

    if (status != ERNIE_OK)
        return status;
    if (waiting != NULL)
        stop_waiting(table, waiting);
    return vectors_row_delete(&table->rows, id, err);
}

/* Makes room for a row of this id. *is_taken is 1 when the conflict is the statement's to
 * settle; nothing is changed then. */
static int make_room(struct vectors_table *table, int64_t id, int *is_taken, ernie_error *err)
{
    int status = vectors_row_exists(&table->rows, id, is_taken, err);

    *is_taken |= find_waiting(table, id) != NULL; /* with content= it has no row of ours yet */
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
                                               : wait_for_others(table, *out, &text, err);
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
    struct waiting *waiting = find_waiting(table, id);
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
            stop_waiting(table, waiting);
        status = vectors_chunks_delete(&table->rows, new_id, err);
        if (status == ERNIE_OK)
            status = wait_for_others(table, new_id, &after, err);
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
    waiting = find_waiting(table, id);
    if (status == ERNIE_OK && waiting != NULL)
        waiting->id = new_id;
    if (status != ERNIE_OK || table->definition.vector < 0 || change->keeps_vector)
        return status;
    status = vectors_chunks_delete(&table->rows, new_id, err);
    return status == ERNIE_OK ? write_vector(table, new_id, change->vector, err) : status;
}

/* ---- checking ---------------------------------------------------------- */

struct check {
    struct vectors_table *table;
    struct findings *findings;
    const ernie_model *model;
};

static int count_one(void *data, int64_t id, ernie_error *err)
{
    (void)id;
    (void)err;
    ++*(size_t *)data;
    return ERNIE_OK;
}

/* Whether a row has the chunks that its text gives. */
static int check_row(void *data, int64_t id, ernie_error *err)
{
    struct check *check = data;
    struct vectors_table *table = check->table;
    struct chunk_list chunks = { 0 };
    struct buffer text = { 0 };
    size_t n = 0;
    int found, status = vectors_row_text(&table->rows, id, &text, &found, err);

    if (status == ERNIE_OK)
        status = vectors_chunks_each(&table->rows, id, count_one, &n, err);
    if (status == ERNIE_OK)
        status = cut_text(check->model, table->scratch, text.data != NULL ? text.data : "",
                          text.size, &chunks, err);
    if (status == ERNIE_OK && found && n != chunks.n)
        findings_add(check->findings, "row %lld: has %zu chunks, not %zu", (long long)id, n,
                     chunks.n);
    chunk_list_reset(&chunks);
    buffer_reset(&text);
    return status;
}

/* The numbers that a vector of the table must have; 0 when nothing is embedded yet. */
static int noted_dim(struct vectors_table *table, size_t *out, ernie_error *err)
{
    char number[24];
    unsigned long value;
    int status = collection_meta_get(table->collection, META_DIM, number, sizeof number, err);

    if (status != ERNIE_OK)
        return status;
    value = strtoul(number, NULL, 10);
    *out = table->definition.vector >= 0 ? table->definition.dim
           : value <= MAX_DIM            ? (size_t)value
                                         : 0;
    return ERNIE_OK;
}

/* All but the words. */
static int check_vectors(struct vectors_table *table, struct findings *findings, ernie_error *err)
{
    struct check check = { .table = table, .findings = findings };
    uint8_t uuid[16];
    ernie_error why;
    size_t dim;
    int status = noted_dim(table, &dim, err);

    if (status == ERNIE_OK && collection_uuid(table->collection, uuid, &why) != ERNIE_OK)
        findings_add(findings, "%s", why.message);
    if (status == ERNIE_OK)
        status = collection_check(table->collection, dim, table->definition.vector >= 0, findings,
                                  err);
    if (status == ERNIE_OK)
        status = vectors_rows_check(&table->rows, findings, err);
    /* What needs the model is left out without it: that it is not there is no damage. */
    if (status != ERNIE_OK || vectors_check_model(table, NULL) != ERNIE_OK ||
        vectors_model(table, &check.model, NULL) != ERNIE_OK || check.model == NULL)
        return status;
    if (table->scratch == NULL)
        status = tokenizer_scratch_new(&table->scratch, err);
    return status == ERNIE_OK ? vectors_rows_each(&table->rows, check_row, &check, err) : status;
}

int vectors_check(struct vectors_table *table, struct findings *findings, ernie_error *err)
{
    int status = check_vectors(table, findings, err);

    return status == ERNIE_OK ? vectors_words_check(&table->words, findings, err) : status;
}

/* ---- commands ---------------------------------------------------------- */

static void keep_first(void *data, const char *finding)
{
    ernie_error *first = data;

    if (first->message[0] == '\0')
        snprintf(first->message, sizeof first->message, "%s", finding);
}

typedef int check_fn(struct vectors_table *table, struct findings *findings, ernie_error *err);

/* What a check finds: how many, and the first. */
static int look_for_damage(struct vectors_table *table, check_fn *check, size_t *n,
                           ernie_error *first, ernie_error *err)
{
    struct findings findings = { .connection = table->connection,
                                 .path = collection_path(table->collection),
                                 .report = keep_first,
                                 .data = first };
    int status;

    first->message[0] = '\0';
    status = check(table, &findings, err);
    *n = findings.n;
    return status;
}

static int command_check(struct vectors_table *table, ernie_error *err)
{
    ernie_error first;
    size_t n;
    int status = look_for_damage(table, vectors_check, &n, &first, err);

    if (status == ERNIE_OK && n > 0)
        status = error_set(err, ERNIE_ECORRUPT, "%s: damaged: %s%s", table->name, first.message,
                           n > 1 ? " (and more)" : "");
    return status;
}

static int embed_row_again(void *data, int64_t id, ernie_error *err)
{
    struct vectors_table *table = data;
    struct buffer text = { 0 };
    int found, status = vectors_row_text(&table->rows, id, &text, &found, err);

    if (status == ERNIE_OK && found)
        status = wait_for_others(table, id, &text, err);
    buffer_reset(&text);
    return status;
}

/* Embeds all rows again where their vectors are of another model or damaged, or of another
 * table's rows, which may have changed; makes the words again; and builds the index anew. */
static int command_rebuild(struct vectors_table *table, ernie_error *err)
{
    const int is_other_model = vectors_check_model(table, NULL) == ERNIE_EMISMATCH;
    const ernie_model *model;
    ernie_error first;
    size_t n;
    int status = vectors_model(table, &model, err);

    if (status == ERNIE_OK)
        status = look_for_damage(table, check_vectors, &n, &first, err);
    if (status == ERNIE_OK && model != NULL &&
        (n > 0 || is_other_model || table->definition.content != NULL)) {
        status = vectors_chunks_delete_all(&table->rows, err);
        if (status == ERNIE_OK)
            status = note_model(table, model, err);
        if (status == ERNIE_OK)
            status = vectors_rows_each(&table->rows, embed_row_again, table, err);
        if (status == ERNIE_OK)
            status = vectors_flush(table, err);
    } else if (status == ERNIE_OK && n > 0) {
        status = error_set(err, ERNIE_ECORRUPT, "%s: damaged: %s", table->name, first.message);
    }
    if (status == ERNIE_OK)
        status = vectors_words_rebuild(&table->words, err);
    table->wants_save = status == ERNIE_OK;
    return status;
}

/* Forgets the log that a new index will not need, merges FTS5's lists, and gives free pages back where the
 * database can (PRAGMA auto_vacuum). */
static int command_optimize(struct vectors_table *table, ernie_error *err)
{
    uint64_t seq;
    char *sql;
    int code, status = collection_snapshot_begin(table->collection, &seq, err);

    if (status != ERNIE_OK)
        return status;
    collection_snapshot_end(table->collection);
    status = collection_log_trim(table->collection, seq, err);
    if (status == ERNIE_OK)
        status = vectors_words_optimize(&table->words, err);
    sql = sqlite3_mprintf("PRAGMA \"%w\".incremental_vacuum", table->schema);
    if (status == ERNIE_OK && sql == NULL)
        status = out_of_memory(err);
    if (status == ERNIE_OK) {
        code = sqlite3_exec(table->connection, sql, NULL, NULL, NULL);
        if (code != SQLITE_OK)
            status = statements_fail(&table->rows.statements, code, err);
    }
    sqlite3_free(sql);
    table->wants_save = status == ERNIE_OK;
    return status;
}

static int run_command(struct vectors_table *table, const char *command, ernie_error *err)
{
    static const struct {
        const char *name;
        int (*run)(struct vectors_table *table, ernie_error *err);
    } commands[] = {
        { "integrity-check", command_check },
        { "rebuild", command_rebuild },
        { "optimize", command_optimize },
    };
    int status = vectors_flush(table, err);

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (command != NULL && strcmp(command, commands[i].name) == 0)
            return status == ERNIE_OK ? commands[i].run(table, err) : status;
    return error_set(err, ERNIE_EINVAL,
                     "%s: no such command as '%.40s': there are integrity-check, rebuild, optimize",
                     table->name, command != NULL ? command : "");
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
        status = run_command(table, (const char *)sqlite3_value_text(command), &err);
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
