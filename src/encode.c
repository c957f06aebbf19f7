/* Texts to embeddings on several threads: each takes texts until its batch is full,
 * runs one forward pass over all of them, and comes back for more. */
#include "encode.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/float_state.h"
#include "base/memory.h"
#include "base/pool.h"
#include "model/encoder.h"
#include "model/model.h"
#include "model/pooling.h"

/* Tokens of a batch: enough that the weights, read once for all of them, cost little,
 * and few enough that what flows between layers stays in the cache. */
#define BATCH_TOKENS 1024

/* Threads that share the layers of one text: more would wait for each other longer than
 * they work. */
#define MAX_TOGETHER 8

/* What one thread needs. */
struct lane {
    struct encoder *encoder;
    struct tokenizer_scratch *scratch;
    int32_t *ids;     /* [max_batch_tokens] */
    size_t *start;    /* [max_batch_texts + 1] */
    size_t *text;     /* [max_batch_texts]: which text each sequence is */
    float *embeddings; /* [max_batch_texts][dim] */
};

struct ernie_encoder {
    const ernie_model *model;
    size_t max_batch_tokens, max_batch_texts;
    struct pool *pool;
    size_t n_lanes;
    struct lane *lane; /* [n_lanes] */
};

static int lane_init(struct lane *lane, const ernie_encoder *encoder, ernie_error *err)
{
    const size_t dim = ernie_model_dim(encoder->model);
    int status = encoder_new(encoder->model, encoder->max_batch_tokens, &lane->encoder, err);

    if (status == ERNIE_OK)
        status = tokenizer_scratch_new(&lane->scratch, err);
    if (status != ERNIE_OK)
        return status;
    lane->ids = memory_new(encoder->max_batch_tokens, sizeof *lane->ids);
    lane->start = memory_new(encoder->max_batch_texts + 1, sizeof *lane->start);
    lane->text = memory_new(encoder->max_batch_texts, sizeof *lane->text);
    lane->embeddings = memory_new_aligned(encoder->max_batch_texts, dim * sizeof(float));
    if (lane->ids == NULL || lane->start == NULL || lane->text == NULL ||
        lane->embeddings == NULL)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    return ERNIE_OK;
}

static void lane_reset(struct lane *lane)
{
    encoder_free(lane->encoder);
    tokenizer_scratch_free(lane->scratch);
    memory_free(lane->ids);
    memory_free(lane->start);
    memory_free(lane->text);
    memory_free_aligned(lane->embeddings);
}

int ernie_encoder_new(const ernie_model *model, size_t n_threads, ernie_encoder **out,
                      ernie_error *err)
{
    const size_t max_tokens = ernie_model_max_tokens(model);
    struct ernie_encoder *encoder = memory_new(1, sizeof *encoder);
    int status;

    if (encoder == NULL)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    encoder->model = model;
    encoder->max_batch_tokens = BATCH_TOKENS + max_tokens; /* the last text overruns */
    encoder->max_batch_texts = BATCH_TOKENS / 2;           /* [CLS] and [SEP] at least */
    status = pool_new(n_threads, &encoder->pool, err);
    if (status == ERNIE_OK) {
        encoder->n_lanes = pool_n_threads(encoder->pool);
        encoder->lane = memory_new(encoder->n_lanes, sizeof *encoder->lane);
        if (encoder->lane == NULL)
            status = error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    }
    for (size_t i = 0; status == ERNIE_OK && i < encoder->n_lanes; i++)
        status = lane_init(&encoder->lane[i], encoder, err);
    if (status != ERNIE_OK) {
        ernie_encoder_free(encoder);
        return status;
    }
    *out = encoder;
    return ERNIE_OK;
}

void ernie_encoder_free(ernie_encoder *encoder)
{
    if (encoder == NULL)
        return;
    pool_free(encoder->pool);
    for (size_t i = 0; encoder->lane != NULL && i < encoder->n_lanes; i++)
        lane_reset(&encoder->lane[i]);
    memory_free(encoder->lane);
    memory_free(encoder);
}

size_t encoder_n_threads(const ernie_encoder *encoder)
{
    return encoder->n_lanes;
}

/* ---- one call ---------------------------------------------------------- */

struct work {
    const ernie_encoder *encoder;
    size_t n;
    const char *const *texts;
    const size_t *sizes; /* NULL: the texts end with 0 bytes */
    float *out;  /* [n][dim] */
    size_t dim;  /* numbers kept of each embedding */
    size_t n_skipped; /* of a sequence's tokens, by pooling */
    size_t share; /* texts a thread takes at once: few texts are shared evenly */
    atomic_size_t next;
    atomic_int overflowed; /* a number of an embedding is not finite */
    struct barrier barrier; /* of one text on several threads */
};

/* Puts text i at the end of the lane's batch. */
static size_t add_text(const struct work *work, struct lane *lane, size_t n_tokens, size_t i)
{
    const ernie_model *model = work->encoder->model;
    size_t size = work->sizes != NULL ? work->sizes[i] : strlen(work->texts[i]);
    int32_t *ids = lane->ids + n_tokens;
    size_t n = 0;

    ids[n++] = tokenizer_cls(model->tokenizer);
    n += tokenizer_ids(model->tokenizer, lane->scratch, work->texts[i], size, ids + n,
                       ernie_model_max_tokens(model) - 2);
    ids[n++] = tokenizer_sep(model->tokenizer);
    return n_tokens + n;
}

/* Fills the lane's batch with texts nobody has taken; how many. */
static size_t fill(struct work *work, struct lane *lane)
{
    const ernie_encoder *encoder = work->encoder;
    size_t n = 0;

    lane->start[0] = 0;
    while (n < encoder->max_batch_texts && n < work->share && lane->start[n] < BATCH_TOKENS) {
        size_t i = atomic_fetch_add(&work->next, 1);

        if (i >= work->n)
            break;
        lane->text[n] = i;
        lane->start[n + 1] = add_text(work, lane, lane->start[n], i);
        n++;
    }
    return n;
}

static struct token_batch batch_of(const struct work *work, const struct lane *lane, size_t n)
{
    return (struct token_batch){ .n_sequences = n,
                                 .start = lane->start,
                                 .input_ids = lane->ids,
                                 .n_skipped = work->n_skipped };
}

static int is_finite(size_t n, const float *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

/* The lane's n embeddings to their places, cut to the numbers wanted. */
static void hand_over(struct work *work, const struct lane *lane, size_t n)
{
    const size_t dim = ernie_model_dim(work->encoder->model);

    for (size_t j = 0; j < n; j++) {
        float *out = work->out + lane->text[j] * work->dim;

        memcpy(out, lane->embeddings + j * dim, work->dim * sizeof *out);
        if (work->dim < dim)
            pooling_normalize(work->dim, out);
        if (!is_finite(work->dim, out))
            atomic_store(&work->overflowed, 1);
    }
}

static void encode_lane(void *data, size_t i)
{
    struct work *work = data;
    struct lane *lane = &work->encoder->lane[i];
    size_t n;

    while ((n = fill(work, lane)) > 0) {
        const struct token_batch batch = batch_of(work, lane, n);

        encoder_embed(lane->encoder, &batch, lane->embeddings);
        hand_over(work, lane, n);
    }
}

/* One text, whose layers some of the lanes share: it is in the first lane's batch. */
static void encode_together(void *data, size_t i)
{
    struct work *work = data;
    struct lane *first = &work->encoder->lane[0];
    const struct token_batch batch = batch_of(work, first, 1);

    if (i < work->barrier.n_threads)
        encoder_embed_together(first->encoder, work->encoder->lane[i].encoder, i,
                               work->barrier.n_threads, &work->barrier, &batch,
                               first->embeddings);
}

static void encode_one(ernie_encoder *encoder, struct work *work, size_t n_threads)
{
    struct lane *lane = &encoder->lane[0];

    if (n_threads == 1) {
        encode_lane(work, 0);
        return;
    }
    fill(work, lane);
    barrier_init(&work->barrier, n_threads < MAX_TOGETHER ? n_threads : MAX_TOGETHER);
    pool_run(encoder->pool, encode_together, work);
    hand_over(work, lane, 1);
}

/* Texts with a prompt before each: tokens may reach across the seam, so they become
 * one text before they are read. */
struct prompted {
    char *memory;
    const char **texts; /* [n] */
    size_t *sizes;      /* [n] */
};

static void prompted_reset(struct prompted *prompted)
{
    memory_free(prompted->memory);
    memory_free(prompted->texts);
    memory_free(prompted->sizes);
}

static int prompted_init(struct prompted *prompted, const char *prompt, size_t n,
                         const char *const *texts, const size_t *sizes, ernie_error *err)
{
    const size_t prompt_size = strlen(prompt);
    size_t total = 1;
    char *end;

    prompted->memory = NULL;
    prompted->texts = memory_new(n, sizeof *prompted->texts);
    prompted->sizes = memory_new(n, sizeof *prompted->sizes);
    if (prompted->texts == NULL || prompted->sizes == NULL)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    for (size_t i = 0; i < n; i++) {
        prompted->sizes[i] = sizes != NULL ? sizes[i] : strlen(texts[i]);
        if (prompted->sizes[i] > SIZE_MAX - total - prompt_size)
            return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
        prompted->sizes[i] += prompt_size;
        total += prompted->sizes[i];
    }
    prompted->memory = end = memory_new(total, 1);
    if (end == NULL)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    for (size_t i = 0; i < n; i++) {
        memcpy(end, prompt, prompt_size);
        memcpy(end + prompt_size, texts[i], prompted->sizes[i] - prompt_size);
        prompted->texts[i] = end;
        end += prompted->sizes[i];
    }
    return ERNIE_OK;
}

size_t encoder_prompt_tokens(const ernie_encoder *encoder, const char *prompt)
{
    const ernie_model *model = encoder->model;

    return tokenizer_ids(model->tokenizer, encoder->lane[0].scratch, prompt, strlen(prompt), NULL,
                         ernie_model_max_tokens(model) - 2);
}

static int run(ernie_encoder *encoder, struct work *work, ernie_error *err)
{
    const size_t n_threads = pool_n_threads(encoder->pool);
    struct float_state state;

    float_state_begin(&state);
    work->share = (work->n + n_threads - 1) / n_threads;
    if (work->n == 1)
        encode_one(encoder, work, n_threads);
    else if (work->n > 1)
        pool_run(encoder->pool, encode_lane, work);
    float_state_end(&state);
    /* Weights are finite, but may be so large that their products are not. */
    return atomic_load(&work->overflowed)
               ? error_set(err, ERNIE_EFORMAT,
                           "encoder: the model's numbers are too large: the embedding is not finite")
               : ERNIE_OK;
}

int encode_texts(ernie_encoder *encoder, size_t n, const char *const *texts, const size_t *sizes,
                 const struct ernie_encode_options *options, float *out, ernie_error *err)
{
    const size_t dim = ernie_model_dim(encoder->model);
    const char *prompt = options != NULL && options->prompt != NULL ? options->prompt : "";
    struct work work = { .encoder = encoder, .n = n, .texts = texts, .sizes = sizes, .out = out,
                         .dim = options != NULL && options->dim != 0 ? options->dim : dim };
    struct prompted prompted;
    int status;

    if (work.dim > dim)
        return error_set(err, ERNIE_EINVAL, "encoder: dim %zu: not in 1..%zu, the model's own",
                         work.dim, dim);
    for (size_t i = 0; i < n; i++)
        if (texts[i] == NULL)
            return error_set(err, ERNIE_EINVAL, "encoder: text %zu of %zu is NULL", i + 1, n);
    if (prompt[0] == '\0' || n == 0)
        return run(encoder, &work, err);
    status = prompted_init(&prompted, prompt, n, texts, sizes, err);
    if (status == ERNIE_OK) {
        work.texts = prompted.texts;
        work.sizes = prompted.sizes;
        if (!encoder->model->config.include_prompt)
            work.n_skipped = 1 + encoder_prompt_tokens(encoder, prompt); /* [CLS] too */
        status = run(encoder, &work, err);
    }
    prompted_reset(&prompted);
    return status;
}

int ernie_encode_with(ernie_encoder *encoder, size_t n, const char *const *texts,
                      const struct ernie_encode_options *options, float *out, ernie_error *err)
{
    return encode_texts(encoder, n, texts, NULL, options, out, err);
}

int ernie_encode(ernie_encoder *encoder, size_t n, const char *const *texts, float *out,
                 ernie_error *err)
{
    return encode_texts(encoder, n, texts, NULL, NULL, out, err);
}

double ernie_cosine(size_t dim, const float *a, const float *b)
{
    double product = 0, a_square = 0, b_square = 0;

    for (size_t i = 0; i < dim; i++) {
        product += (double)a[i] * b[i];
        a_square += (double)a[i] * a[i];
        b_square += (double)b[i] * b[i];
    }
    return a_square > 0 && b_square > 0 ? product / sqrt(a_square * b_square) : 0;
}
