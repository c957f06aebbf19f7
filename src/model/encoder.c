#include "model/encoder.h"

#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "kernel/kernel.h"
#include "model/module.h"
#include "model/weights.h"

/* Tokens that go through the feed-forward layers together: their inner vectors stay
 * in the second-level cache. */
#define FEED_FORWARD_ROWS 128

/* T tokens of a batch at most, H hidden, F intermediate size, A heads, D = H / A. */
struct encoder {
    const struct ernie_model *model;
    const struct kernel *kernel;
    float *hidden;          /* [T][H] */
    float *query_key_value; /* [T][3H] */
    float *context;         /* [T][H] */
    float *inner;           /* [FEED_FORWARD_ROWS][F] */
    void *attention;        /* scratch of one head of the longest sequence */
    float *pooled;          /* modules_scratch */
    struct linear_scratch linear;
};

/* Room for the input of any layer as int8: H numbers a token, or F in the feed-forward. */
static int init_rows(struct encoder *encoder, size_t max_tokens)
{
    const struct model_config *config = &encoder->model->config;
    const size_t n_outer = linear_scratch_bytes(max_tokens, config->hidden_size);
    const size_t n_inner = linear_scratch_bytes(FEED_FORWARD_ROWS, config->intermediate_size);

    return linear_scratch_init(&encoder->linear,
                               max_tokens > FEED_FORWARD_ROWS ? max_tokens : FEED_FORWARD_ROWS,
                               n_outer > n_inner ? n_outer : n_inner);
}

int encoder_new(const struct ernie_model *model, size_t max_tokens, struct encoder **out,
                ernie_error *err)
{
    const struct model_config *config = &model->config;
    struct encoder *encoder = memory_new(1, sizeof *encoder);
    int status = ERNIE_OK;

    if (encoder != NULL) {
        encoder->model = model;
        encoder->kernel = model->weights->kernel;
        encoder->hidden = memory_new_aligned(max_tokens, config->hidden_size * sizeof(float));
        encoder->query_key_value =
            memory_new_aligned(max_tokens, 3 * config->hidden_size * sizeof(float));
        encoder->context = memory_new_aligned(max_tokens, config->hidden_size * sizeof(float));
        encoder->inner =
            memory_new_aligned(FEED_FORWARD_ROWS, config->intermediate_size * sizeof(float));
        encoder->attention = memory_new_aligned(
            attention_scratch(config->max_position_embeddings,
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

/* x = layer_norm(x + residual), row by row. */
static void normalize(const struct encoder *encoder, const struct layer_norm *norm, size_t n,
                      float *x, const float *residual)
{
    const size_t hidden_size = encoder->model->config.hidden_size;
    const float eps = (float)encoder->model->config.layer_norm_eps;

    for (size_t i = 0; i < n; i++)
        encoder->kernel->layer_norm(hidden_size, x + i * hidden_size,
                                    residual != NULL ? residual + i * hidden_size : NULL,
                                    norm->gamma, norm->beta, eps);
}

/* The sum of a token's word, position, segment and task-type vectors. */
static void embed_tokens(struct encoder *encoder, const struct token_batch *batch)
{
    const struct weights *weights = encoder->model->weights;
    const size_t hidden_size = weights->hidden_size;

    for (size_t i = 0; i < batch->n_sequences; i++) {
        for (size_t t = batch->start[i]; t < batch->start[i + 1]; t++) {
            float *x = encoder->hidden + t * hidden_size;

            memset(x, 0, hidden_size * sizeof *x);
            embedding_add(&weights->word, hidden_size, (size_t)batch->input_ids[t], x);
            embedding_add(&weights->position, hidden_size, t - batch->start[i], x);
            embedding_add(&weights->token_type, hidden_size,
                          batch->token_type_ids != NULL ? (size_t)batch->token_type_ids[t] : 0, x);
            if (weights->task_type.n_rows > 0)
                embedding_add(&weights->task_type, hidden_size,
                              batch->task_type_ids != NULL ? (size_t)batch->task_type_ids[t] : 0,
                              x);
        }
    }
    normalize(encoder, &weights->embedding_norm, batch->start[batch->n_sequences],
              encoder->hidden, NULL);
}

static void attend_all(struct encoder *encoder, const struct layer *layer,
                       const struct token_batch *batch)
{
    const struct model_config *config = &encoder->model->config;
    void (*attend)(size_t, size_t, const float *, const float *, const float *, size_t, float *,
                   size_t, void *) =
        layer->query_key_value.f32.packed != NULL ? encoder->kernel->attend
                                              : encoder->kernel->attend_bf16;
    const size_t hidden_size = config->hidden_size, head_size = hidden_size / config->n_heads;

    for (size_t i = 0; i < batch->n_sequences; i++) {
        const size_t start = batch->start[i], n = batch->start[i + 1] - start;
        const float *rows = encoder->query_key_value + start * 3 * hidden_size;

        for (size_t head = 0; head < config->n_heads; head++) {
            const float *query = rows + head * head_size;

            attend(n, head_size, query, query + hidden_size, query + 2 * hidden_size,
                   3 * hidden_size, encoder->context + start * hidden_size + head * head_size,
                   hidden_size, encoder->attention);
        }
    }
}

static void apply_linear(struct encoder *encoder, const struct linear *linear, size_t n,
                         const float *x, enum epilogue epilogue, float *y)
{
    linear_apply(linear, encoder->kernel, n, x, epilogue, &encoder->linear, y);
}

/* Self-attention and feed-forward, each with its residual and normalised after it. */
static void apply_layer(struct encoder *encoder, const struct layer *layer,
                        const struct token_batch *batch)
{
    const size_t n = batch->start[batch->n_sequences];
    const size_t hidden_size = encoder->model->config.hidden_size;
    float *hidden = encoder->hidden, *attended = encoder->query_key_value;

    apply_linear(encoder, &layer->query_key_value, n, hidden, EPILOGUE_BIAS,
                 encoder->query_key_value);
    attend_all(encoder, layer, batch);
    /* Queries, keys and values are not needed any more: their memory takes the output. */
    apply_linear(encoder, &layer->attention_output, n, encoder->context, EPILOGUE_BIAS,
                 attended);
    normalize(encoder, &layer->attention_norm, n, attended, hidden);

    for (size_t i = 0; i < n; i += FEED_FORWARD_ROWS) {
        const size_t rows = n - i < FEED_FORWARD_ROWS ? n - i : FEED_FORWARD_ROWS;
        float *x = attended + i * hidden_size, *y = hidden + i * hidden_size;

        apply_linear(encoder, &layer->intermediate, rows, x, EPILOGUE_GELU, encoder->inner);
        apply_linear(encoder, &layer->output, rows, encoder->inner, EPILOGUE_BIAS, y);
        normalize(encoder, &layer->output_norm, rows, y, x);
    }
}

const float *encoder_forward(struct encoder *encoder, const struct token_batch *batch)
{
    const struct weights *weights = encoder->model->weights;

    embed_tokens(encoder, batch);
    for (size_t i = 0; i < weights->n_layers; i++)
        apply_layer(encoder, &weights->layer[i], batch);
    return encoder->hidden;
}

void encoder_embed(struct encoder *encoder, const struct token_batch *batch, float *out)
{
    const struct model_config *config = &encoder->model->config;
    const float *tokens = encoder_forward(encoder, batch);

    for (size_t i = 0; i < batch->n_sequences; i++) {
        const size_t n = batch->start[i + 1] - batch->start[i];
        const size_t skipped = batch->n_skipped < n ? batch->n_skipped : n - 1;

        modules_apply(encoder->model->modules, encoder->kernel, n - skipped,
                      tokens + (batch->start[i] + skipped) * config->hidden_size, encoder->pooled,
                      out + i * config->dim);
    }
}
