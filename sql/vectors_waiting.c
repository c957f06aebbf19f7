/* Texts that wait to be embedded, many at a time. */
#include <string.h>

#include "base/memory.h"
#include "cut.h"
#include "encode.h"
#include "model/model.h"
#include "sql/vectors_table.h"

/* Chunks that are embedded in one call: enough for many full batches. */
#define CHUNKS_AT_ONCE 512

static int out_of_memory(ernie_error *err)
{
    return error_set(err, ERNIE_ENOMEM, "table: out of memory");
}

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

struct waiting *vectors_find_waiting(struct vectors_table *table, int64_t id)
{
    for (size_t i = 0; i < table->n_waiting; i++)
        if (table->waiting[i].id == id)
            return &table->waiting[i];
    return NULL;
}

void vectors_stop_waiting(struct vectors_table *table, struct waiting *waiting)
{
    table->n_waiting_chunks -= waiting->chunks.n;
    waiting_reset(waiting);
    *waiting = table->waiting[--table->n_waiting];
}

int vectors_flush_row(struct vectors_table *table, int64_t id, ernie_error *err)
{
    return vectors_find_waiting(table, id) != NULL ? vectors_flush(table, err) : ERNIE_OK;
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
        status = vectors_note_model(table, model, err);
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

int vectors_wait(struct vectors_table *table, int64_t id, struct buffer *text, ernie_error *err)
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
