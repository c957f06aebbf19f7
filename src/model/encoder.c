#include "model/encoder.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/blas.h"
#include "kernel/kernel.h"
#include "model/head.h"
#include "model/module.h"
#include "model/weights.h"

/* Tokens that go through the feed-forward layers together: their inner vectors stay
 * in the second-level cache. */
#define FEED_FORWARD_ROWS 128

/* T tokens of a batch at most, H hidden, E embedding, F intermediate size, A heads,
 * D = H / A. */
struct encoder {
    const struct ernie_model *model;
    const struct kernel *kernel;
    float *hidden;          /* [T][H] */
    float *query_key_value; /* [T][3H] */
    float *context;         /* [T][H], or the embeddings [T][E] before they are projected */
    float *inner;           /* [FEED_FORWARD_ROWS][F] */
    void *attention;        /* scratch of one head of the longest sequence */
    float *pooled;          /* modules_scratch, which is more than H, for heads too */
    struct linear_scratch linear;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Room for the input of any layer as int8: E or H numbers a token, or F in the
 * feed-forward. */
static int init_rows(struct encoder *encoder, size_t max_tokens)
{
    const struct model_config *config = &encoder->model->config;
    const size_t n_outer =
        linear_scratch_bytes(max_tokens, larger(config->embedding_size, config->hidden_size));
    const size_t n_inner = linear_scratch_bytes(FEED_FORWARD_ROWS, config->intermediate_size);

    return linear_scratch_init(&encoder->linear, larger(max_tokens, FEED_FORWARD_ROWS),
                               larger(n_outer, n_inner));
}

int encoder_new(const struct ernie_model *model, size_t max_tokens, struct encoder **out,
                ernie_error *err)
{
    const struct model_config *config = &model->config;
    struct encoder *encoder = memory_new(1, sizeof *encoder);
    int status = ERNIE_OK;

    if (encoder != NULL) {
        blas_use_one_thread();
        encoder->model = model;
        encoder->kernel = model->weights->kernel;
        encoder->hidden = memory_new_aligned(max_tokens, config->hidden_size * sizeof(float));
        encoder->query_key_value =
            memory_new_aligned(max_tokens, 3 * config->hidden_size * sizeof(float));
        encoder->context = memory_new_aligned(
            max_tokens, larger(config->embedding_size, config->hidden_size) * sizeof(float));
        encoder->inner =
            memory_new_aligned(FEED_FORWARD_ROWS, config->intermediate_size * sizeof(float));
        encoder->attention = memory_new_aligned(
            attention_scratch(config->max_positions,
                              config->hidden_size / config->n_heads),
            1);
        encoder->pooled = memory_new_aligned(modules_scratch(model->modules), sizeof(float));
    }
    if (encoder == NULL || !init_rows(encoder, max_tokens) || encoder->hidden == NULL ||
        encoder->query_key_value == NULL || encoder->context == NULL || encoder->inner == NULL ||
        encoder->attention == NULL || encoder->pooled == NULL)
        status = error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    if (status != ERNIE_OK) {
        encoder_free(encoder);
        return status;
    }
    *out = encoder;
    return ERNIE_OK;
}

void encoder_free(struct encoder *encoder)
{
    if (encoder == NULL)
        return;
    memory_free_aligned(encoder->hidden);
    memory_free_aligned(encoder->query_key_value);
    memory_free_aligned(encoder->context);
    memory_free_aligned(encoder->inner);
    memory_free_aligned(encoder->attention);
    memory_free_aligned(encoder->pooled);
    linear_scratch_reset(&encoder->linear);
    memory_free(encoder);
}

/* One thread's part of a forward pass. All work on the vectors of shared, each with
 * scratch memory of its own, and wait for each other after each step. */
struct part {
    struct encoder *shared, *own;
    size_t i, n;
    struct barrier *barrier; /* NULL when n is 1 */
};

/* The part's share of n things taken in multiples of unit: [*first, *end). */
static void share(const struct part *part, size_t n, size_t unit, size_t *first, size_t *end)
{
    const size_t n_units = (n + unit - 1) / unit;

    *first = n_units * part->i / part->n * unit;
    *end = n_units * (part->i + 1) / part->n * unit;
    if (*end > n)
        *end = n;
}

/* x [n][size] = layer_norm(x + residual), row by row. */
static void normalize(const struct part *part, const struct layer_norm *norm, size_t n,
                      size_t size, float *x, const float *residual)
{
    const struct encoder *encoder = part->shared;
    const float eps = (float)encoder->model->config.layer_norm_eps;
    size_t first, end;

    share(part, n, 1, &first, &end);
    for (size_t i = first; i < end; i++)
        encoder->kernel->layer_norm(size, x + i * size,
                                    residual != NULL ? residual + i * size : NULL, norm->gamma,
                                    norm->beta, eps);
    barrier_wait(part->barrier);
}

/* Outputs [from, to) of a layer; from is a multiple of I8_OUTPUTS. */
static void apply_outputs(const struct part *part, const struct linear *linear, size_t from,
                          size_t to, size_t n, const float *x, enum epilogue epilogue, float *y)
{
    size_t first, end;

    share(part, to - from, I8_OUTPUTS, &first, &end);
    linear_apply(linear, part->own->kernel, from + first, from + end, n, x, epilogue,
                 &part->own->linear, y);
    barrier_wait(part->barrier);
}

static void apply_linear(const struct part *part, const struct linear *linear, size_t n,
                         const float *x, enum epilogue epilogue, float *y)
{
    apply_outputs(part, linear, 0, linear->n_out, n, x, epilogue, y);
}

/* The sum of a token's word, position, segment and task-type vectors. */
static void embed_token(const struct weights *weights, const struct token_batch *batch, size_t t,
                        size_t position, float *x)
{
    const size_t size = weights->embedding_size;

    memset(x, 0, size * sizeof *x);
    embedding_add(&weights->word, size, (size_t)batch->input_ids[t], x);
    embedding_add(&weights->position, size, position, x);
    embedding_add(&weights->token_type, size,
                  batch->token_type_ids != NULL ? (size_t)batch->token_type_ids[t] : 0, x);
    embedding_add(&weights->task_type, size,
                  batch->task_type_ids != NULL ? (size_t)batch->task_type_ids[t] : 0, x);
}

static void embed_sequence(const struct ernie_model *model, const struct token_batch *batch,
                           size_t start, size_t end, float *out)
{
    const struct model_config *config = &model->config;
    size_t position = config->first_position;

    for (size_t t = start; t < end; t++) {
        const int has_no_place =
            config->pad_has_no_place && (size_t)batch->input_ids[t] == config->pad_token_id;

        embed_token(model->weights, batch, t, has_no_place ? config->pad_token_id : position,
                    out + t * config->embedding_size);
        position += !has_no_place;
    }
}

static void embed_tokens(const struct part *part, const struct token_batch *batch)
{
    struct encoder *encoder = part->shared;
    const struct weights *weights = encoder->model->weights;
    const int is_projected = weights->embedding_size != weights->hidden_size;
    const size_t n = batch->start[batch->n_sequences];
    float *embeddings = is_projected ? encoder->context : encoder->hidden;

    if (part->i == 0)
        for (size_t i = 0; i < batch->n_sequences; i++)
            embed_sequence(encoder->model, batch, batch->start[i], batch->start[i + 1],
                           embeddings);
    barrier_wait(part->barrier);
    normalize(part, &weights->embedding_norm, n, weights->embedding_size, embeddings, NULL);
    if (is_projected)
        apply_linear(part, &weights->projection, n, embeddings, EPILOGUE_BIAS, encoder->hidden);
}

/* The first token of sequence i that is read, or the only one. */
static size_t first_read(const struct token_batch *batch, size_t i)
{
    const size_t last = batch->start[i + 1] - 1, first = batch->start[i] + batch->n_skipped;

    return batch->read == READ_LAST || first > last ? last : first;
}

/* Queries, keys and values of all tokens; of queries those that are read are enough, and they
 * take the first rows, as the tokens' vectors then do. */
static void project(const struct part *part, const struct layer *layer,
                    const struct token_batch *batch, enum read_tokens read)
{
    const struct encoder *encoder = part->shared;
    const size_t n = batch->start[batch->n_sequences];
    const size_t hidden_size = encoder->model->config.hidden_size;
    const struct linear *linear = &layer->query_key_value;
    float *hidden = encoder->hidden, *rows = encoder->query_key_value;

    if (read == READ_ALL) {
        apply_linear(part, linear, n, hidden, EPILOGUE_BIAS, rows);
        return;
    }
    /* From a whole panel on: with the last queries, which are then written over. */
    apply_outputs(part, linear, hidden_size / I8_OUTPUTS * I8_OUTPUTS, 3 * hidden_size, n, hidden,
                  EPILOGUE_BIAS, rows);
    for (size_t i = 0; part->i == 0 && i < batch->n_sequences; i++)
        memmove(hidden + i * hidden_size, hidden + first_read(batch, i) * hidden_size,
                hidden_size * sizeof *hidden);
    barrier_wait(part->barrier);
    apply_outputs(part, linear, 0, hidden_size, batch->n_sequences, hidden, EPILOGUE_BIAS, rows);
}

/* Attention, head by head of each sequence. */
static void attend_all(const struct part *part, const struct layer *layer,
                       const struct token_batch *batch, enum read_tokens read)
{
    const struct encoder *encoder = part->shared;
    const struct model_config *config = &encoder->model->config;
    void (*attend)(size_t, size_t, size_t, const float *, const float *, const float *, size_t,
                   float *, size_t, void *) =
        layer->query_key_value.f32.packed != NULL ? encoder->kernel->attend
                                                  : encoder->kernel->attend_i8;
    const size_t hidden_size = config->hidden_size, head_size = hidden_size / config->n_heads;
    const size_t ld = 3 * hidden_size;
    const float *turns = encoder->model->weights->turns;
    size_t first, end;

    share(part, config->n_heads, 1, &first, &end);
    for (size_t i = 0; i < batch->n_sequences; i++) {
        const size_t start = batch->start[i], n = batch->start[i + 1] - start;
        const size_t row = read == READ_ALL ? start : i, n_queries = read == READ_ALL ? n : 1;
        const size_t position = read == READ_ALL ? 0 : first_read(batch, i) - start;

        for (size_t head = first; head < end; head++) {
            float *query = encoder->query_key_value + row * ld + head * head_size;
            float *key = encoder->query_key_value + start * ld + head * head_size + hidden_size;
            float *value = key + hidden_size;

            /* Rotated here, just before they are read, while they come to the cache. */
            if (config->positions == POSITION_ROTARY) {
                encoder->kernel->rotate(n_queries, head_size, turns + position * head_size, query,
                                        ld);
                encoder->kernel->rotate(n, head_size, turns, key, ld);
                if (config->rotary_value)
                    encoder->kernel->rotate(n, head_size, turns, value, ld);
            }
            attend(n_queries, n, head_size, query, key, value, ld,
                   encoder->context + row * hidden_size + head * head_size, hidden_size,
                   part->own->attention);
        }
    }
    barrier_wait(part->barrier);
}

/* Self-attention and feed-forward, each with its residual and normalised after it, of the
 * tokens whose output is read. */
static void apply_layer(const struct part *part, const struct layer *layer,
                        const struct token_batch *batch, enum read_tokens read)
{
    const struct encoder *encoder = part->shared;
    const size_t n = read == READ_ALL ? batch->start[batch->n_sequences] : batch->n_sequences;
    const size_t hidden_size = encoder->model->config.hidden_size;
    float *hidden = encoder->hidden, *attended = encoder->query_key_value;

    project(part, layer, batch, read);
    attend_all(part, layer, batch, read);
    /* Queries, keys and values are not needed any more: their memory takes the output. */
    apply_linear(part, &layer->attention_output, n, encoder->context, EPILOGUE_BIAS, attended);
    normalize(part, &layer->attention_norm, n, hidden_size, attended, hidden);

    for (size_t i = 0; i < n; i += FEED_FORWARD_ROWS) {
        const size_t rows = n - i < FEED_FORWARD_ROWS ? n - i : FEED_FORWARD_ROWS;
        float *x = attended + i * hidden_size, *y = hidden + i * hidden_size;

        apply_linear(part, &layer->intermediate, rows, x, EPILOGUE_GELU, encoder->inner);
        apply_linear(part, &layer->output, rows, encoder->inner, EPILOGUE_BIAS, y);
        normalize(part, &layer->output_norm, rows, hidden_size, y, x);
    }
}

static void forward(const struct part *part, const struct token_batch *batch)
{
    const struct weights *weights = part->shared->model->weights;

    embed_tokens(part, batch);
    for (size_t i = 0; i < weights->n_layers; i++)
        apply_layer(part, &weights->layer[i], batch,
                    i + 1 < weights->n_layers ? READ_ALL : batch->read);
}

const float *encoder_forward(struct encoder *encoder, const struct token_batch *batch)
{
    const struct part whole = { .shared = encoder, .own = encoder, .n = 1 };

    forward(&whole, batch);
    return encoder->hidden;
}

const float *encoder_token_vectors(const struct encoder *encoder)
{
    return encoder->hidden;
}

void encoder_forward_together(struct encoder *shared, struct encoder *own, size_t i, size_t n,
                              struct barrier *barrier, const struct token_batch *batch)
{
    const struct part part = { shared, own, i, n, barrier };

    forward(&part, batch);
}

/* Where the token vectors of sequence i are that are read. */
struct rows {
    size_t first, n;
};

static struct rows rows_read(const struct token_batch *batch, size_t i)
{
    const size_t first = first_read(batch, i);

    return batch->read == READ_ALL ? (struct rows){ first, batch->start[i + 1] - first }
                                   : (struct rows){ i, 1 };
}

void encoder_pool(struct encoder *encoder, const struct token_batch *batch, float *out)
{
    const struct model_config *config = &encoder->model->config;

    for (size_t i = 0; i < batch->n_sequences; i++) {
        const struct rows rows = rows_read(batch, i);

        modules_apply(encoder->model->modules, encoder->kernel, rows.n,
                      encoder->hidden + rows.first * config->hidden_size, encoder->pooled,
                      out + i * config->dim);
    }
}

void encoder_classify(struct encoder *encoder, const struct token_batch *batch, float *out)
{
    const struct head *head = encoder->model->head;
    const size_t hidden_size = encoder->model->config.hidden_size;

    for (size_t i = 0; i < batch->n_sequences; i++)
        head_apply(head, encoder->kernel,
                   encoder->hidden + rows_read(batch, i).first * hidden_size, encoder->pooled,
                   out + i * head_config(head)->n_labels);
}
