/* Texts to embeddings, or to what a head says of them, on several threads: each takes texts until its batch is full,
 * runs one forward pass over all of them, and comes back for more. */
#include "encode.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/float_state.h"
#include "base/memory.h"
#include "base/pool.h"
#include "model/encoder.h"
#include "model/head.h"
#include "model/model.h"
#include "model/pooling.h"
#include "model/tokenize.h"

/* Tokens of a batch: enough that the weights, read once for all of them, cost little,
 * and few enough that what flows between layers stays in the cache. */
#define BATCH_TOKENS 512

/* Tokens of a batch at least, when there are more texts: batches become smaller towards the
 * end, so that no thread is left with a large one when the others have finished. */
#define MIN_BATCH_TOKENS 64

/* Threads that share the layers of one text: more would wait for each other longer than
 * they work. */
#define MAX_TOGETHER 8

/* What one thread needs. */
struct lane {
    struct encoder *encoder;
    struct tokenizer_scratch *scratch;
    int32_t *ids, *types, *tasks; /* [max_batch_tokens] */
    size_t *start;    /* [max_batch_texts + 1] */
    size_t *text;     /* [max_batch_texts]: which text each sequence is */
    float *results;   /* [max_batch_texts][dim or n_labels, what is more] */
};

/* Texts that are put in order, the last ones of a call. */
#define MAX_ORDERED 512

struct sized_text {
    size_t size, text;
};

struct ernie_encoder {
    const ernie_model *model;
    size_t max_batch_tokens, max_batch_texts;
    struct pool *pool;
    size_t n_lanes;
    struct lane *lane; /* [n_lanes] */
    struct sized_text ordered[MAX_ORDERED];
};

static int lane_init(struct lane *lane, const ernie_encoder *encoder, ernie_error *err)
{
    const size_t dim = ernie_model_dim(encoder->model);
    const size_t n_labels = ernie_model_n_labels(encoder->model);
    int status = encoder_new(encoder->model, encoder->max_batch_tokens, &lane->encoder, err);

    if (status == ERNIE_OK)
        status = tokenizer_scratch_new(&lane->scratch, err);
    if (status != ERNIE_OK)
        return status;
    lane->ids = memory_new(encoder->max_batch_tokens, sizeof *lane->ids);
    lane->types = memory_new(encoder->max_batch_tokens, sizeof *lane->types);
    lane->tasks = memory_new(encoder->max_batch_tokens, sizeof *lane->tasks);
    lane->start = memory_new(encoder->max_batch_texts + 1, sizeof *lane->start);
    lane->text = memory_new(encoder->max_batch_texts, sizeof *lane->text);
    lane->results = memory_new_aligned(encoder->max_batch_texts,
                                       (dim > n_labels ? dim : n_labels) * sizeof(float));
    if (lane->ids == NULL || lane->types == NULL || lane->tasks == NULL || lane->start == NULL ||
        lane->text == NULL || lane->results == NULL)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    return ERNIE_OK;
}

static void lane_reset(struct lane *lane)
{
    encoder_free(lane->encoder);
    tokenizer_scratch_free(lane->scratch);
    memory_free(lane->ids);
    memory_free(lane->types);
    memory_free(lane->tasks);
    memory_free(lane->start);
    memory_free(lane->text);
    memory_free_aligned(lane->results);
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

size_t ernie_encoder_n_threads(const ernie_encoder *encoder)
{
    return encoder->n_lanes;
}

/* ---- one call ---------------------------------------------------------- */

/* What becomes of the sequences. */
struct goal {
    void (*finish)(struct encoder *encoder, const struct token_batch *batch, float *out);
    enum read_tokens read; /* by finish */
    size_t n_results;      /* that it gives for a sequence */
};

struct work {
    const ernie_encoder *encoder;
    size_t n;
    const char *const *texts;
    const size_t *sizes; /* NULL: the texts end with 0 bytes */
    const char *const *pairs; /* NULL: none */
    int32_t task_type;
    struct goal goal;
    float *out;  /* [n][n_kept] */
    size_t n_kept; /* of the results: the first of an embedding's numbers */
    size_t n_skipped; /* of a sequence's tokens, by pooling */
    size_t n_ordered; /* of the last texts, which come as the encoder's ordered says */
    size_t share; /* texts a thread takes at once: few texts are shared evenly */
    atomic_size_t next;
    atomic_int overflowed; /* a number of an embedding is not finite */
    atomic_int no_memory; /* to read a text with */
    struct barrier barrier; /* of one text on several threads */
};

/* Puts text i at the end of the lane's batch; 0 when memory ran out. */
static size_t add_text(struct work *work, struct lane *lane, size_t n_tokens, size_t i)
{
    struct text_pair texts = { .text = work->texts[i] };
    size_t n;

    texts.text_size = work->sizes != NULL ? work->sizes[i] : strlen(texts.text);
    if (work->pairs != NULL) {
        texts.pair = work->pairs[i];
        texts.pair_size = strlen(texts.pair);
    }
    n = tokenize_sequence(work->encoder->model, lane->scratch, &texts, lane->ids + n_tokens,
                          work->pairs != NULL ? lane->types + n_tokens : NULL);
    if (n == TOKENIZER_NO_MEMORY) {
        atomic_store(&work->no_memory, 1);
        return 0;
    }
    for (size_t j = n_tokens; work->task_type != 0 && j < n_tokens + n; j++)
        lane->tasks[j] = work->task_type;
    return n_tokens + n;
}

/* The text that comes i-th. */
static size_t text_at(const struct work *work, size_t i)
{
    const size_t n_before = work->n - work->n_ordered;

    return i < n_before ? i : work->encoder->ordered[i - n_before].text;
}

/* Whether a batch of n texts may take one more, of which left are still to be taken. */
static int has_room(const struct work *work, size_t n, size_t n_tokens, size_t left)
{
    const ernie_encoder *encoder = work->encoder;

    return n < encoder->max_batch_texts && n < work->share && n_tokens < BATCH_TOKENS &&
           (n_tokens < MIN_BATCH_TOKENS || n < left / (2 * encoder->n_lanes));
}

/* Fills the lane's batch with texts nobody has taken; how many. */
static size_t fill(struct work *work, struct lane *lane)
{
    size_t n = 0, next = atomic_load(&work->next);

    lane->start[0] = 0;
    while (next < work->n && has_room(work, n, lane->start[n], work->n - next)) {
        const size_t i = atomic_fetch_add(&work->next, 1);

        if (i >= work->n)
            break;
        next = i + 1;
        lane->text[n] = text_at(work, i);
        lane->start[n + 1] = add_text(work, lane, lane->start[n], lane->text[n]);
        if (lane->start[n + 1] == 0)
            break;
        n++;
    }
    return n;
}

static struct token_batch batch_of(const struct work *work, const struct lane *lane, size_t n)
{
    return (struct token_batch){ .n_sequences = n,
                                 .start = lane->start,
                                 .input_ids = lane->ids,
                                 .token_type_ids = work->pairs != NULL ? lane->types : NULL,
                                 .task_type_ids = work->task_type != 0 ? lane->tasks : NULL,
                                 .n_skipped = work->n_skipped,
                                 .read = work->goal.read };
}

static int is_finite(size_t n, const float *x)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return 0;
    return 1;
}

/* What the lane's n sequences became to their places, cut to the numbers wanted. */
static void hand_over(struct work *work, const struct lane *lane, size_t n)
{
    for (size_t j = 0; j < n; j++) {
        float *out = work->out + lane->text[j] * work->n_kept;

        memcpy(out, lane->results + j * work->goal.n_results, work->n_kept * sizeof *out);
        if (work->n_kept < work->goal.n_results)
            pooling_normalize(work->n_kept, out);
        if (!is_finite(work->n_kept, out))
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

        encoder_forward(lane->encoder, &batch);
        work->goal.finish(lane->encoder, &batch, lane->results);
        hand_over(work, lane, n);
    }
}

/* One text, whose layers some of the lanes share: it is in the first lane's batch. */
static void forward_lane(void *data, size_t i)
{
    struct work *work = data;
    struct lane *first = &work->encoder->lane[0];
    const struct token_batch batch = batch_of(work, first, 1);

    if (i < work->barrier.n_threads)
        encoder_forward_together(first->encoder, work->encoder->lane[i].encoder, i,
                                 work->barrier.n_threads, &work->barrier, &batch);
}

/* The first text's token vectors, [T][H], in the first lane's encoder; 0 when memory to
 * read it ran out. */
static int forward_one(ernie_encoder *encoder, struct work *work, size_t n_threads)
{
    if (fill(work, &encoder->lane[0]) == 0)
        return 0;
    barrier_init(&work->barrier, n_threads < MAX_TOGETHER ? n_threads : MAX_TOGETHER);
    if (n_threads == 1)
        forward_lane(work, 0);
    else
        pool_run(encoder->pool, forward_lane, work);
    return 1;
}

static void encode_one(ernie_encoder *encoder, struct work *work, size_t n_threads)
{
    struct lane *lane = &encoder->lane[0];
    struct token_batch batch;

    if (!forward_one(encoder, work, n_threads))
        return;
    batch = batch_of(work, lane, 1);
    work->goal.finish(lane->encoder, &batch, lane->results);
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

/* Tokens of a prompt, [CLS] and [SEP] left out; TOKENIZER_NO_MEMORY as tokenizer_ids. */
static size_t count_prompt(const ernie_encoder *encoder, const char *prompt)
{
    const ernie_model *model = encoder->model;

    return tokenizer_ids(model->tokenizer, encoder->lane[0].scratch, prompt, strlen(prompt), NULL,
                         NULL,
                         ernie_model_max_tokens(model) -
                             tokenizer_frame(model->tokenizer, 0)->n_tokens);
}

/* Puts the longest of the last texts first: what is left for the end is then small, and
 * threads finish together. Graham 1969, "Bounds on Multiprocessing Timing Anomalies". */
static void order_texts(ernie_encoder *encoder, struct work *work)
{
    struct sized_text *ordered = encoder->ordered;

    work->n_ordered = work->n < MAX_ORDERED ? work->n : MAX_ORDERED;
    for (size_t i = 0; i < work->n_ordered; i++) {
        const size_t text = work->n - work->n_ordered + i;
        const size_t size = work->sizes != NULL ? work->sizes[text] : strlen(work->texts[text]);
        size_t j = i;

        for (; j > 0 && ordered[j - 1].size < size; j--)
            ordered[j] = ordered[j - 1];
        ordered[j] = (struct sized_text){ size, text };
    }
}

static int run(ernie_encoder *encoder, struct work *work, ernie_error *err)
{
    const size_t n_threads = pool_n_threads(encoder->pool);
    struct float_state state;

    if (n_threads > 1 && work->n > n_threads)
        order_texts(encoder, work);
    float_state_begin(&state);
    work->share = (work->n + n_threads - 1) / n_threads;
    if (work->n == 1)
        encode_one(encoder, work, n_threads);
    else if (work->n > 1)
        pool_run(encoder->pool, encode_lane, work);
    float_state_end(&state);
    if (atomic_load(&work->no_memory))
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    /* Weights are finite, but may be so large that their products are not. */
    return atomic_load(&work->overflowed)
               ? error_set(err, ERNIE_EFORMAT,
                           "encoder: the model's numbers are too large: the embedding is not finite")
               : ERNIE_OK;
}

/* How many tokens from the first on pooling leaves out: [CLS] and the prompt's. */
static int skip_prompt(const ernie_encoder *encoder, const char *prompt, size_t *n_skipped,
                       ernie_error *err)
{
    const struct frame *frame = tokenizer_frame(encoder->model->tokenizer, 0);
    const size_t n_prompt = count_prompt(encoder, prompt);

    if (n_prompt == TOKENIZER_NO_MEMORY)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    *n_skipped = n_prompt;
    for (size_t i = 0; frame->part[i].kind == FRAME_TOKEN; i++)
        ++*n_skipped;
    return ERNIE_OK;
}

/* What can be said of the texts and the options before anything is read. */
static int check(const struct work *work, const struct ernie_encode_options *options,
                 ernie_error *err)
{
    const size_t n_tasks = work->encoder->model->config.task_type_vocab_size;
    const size_t max_tokens = ernie_model_max_tokens(work->encoder->model);
    const int32_t task = options->task_type;

    if (options->pairs != NULL &&
        tokenizer_frame(work->encoder->model->tokenizer, 1)->n_tokens > max_tokens)
        return error_set(err, ERNIE_EINVAL, "encoder: %zu tokens have no room for a pair",
                         max_tokens);
    if (options->dim > work->goal.n_results)
        return error_set(err, ERNIE_EINVAL, "encoder: dim %zu: not in 1..%zu, the model's own",
                         options->dim, work->goal.n_results);
    if (task < 0 || (task > 0 && (size_t)task >= n_tasks))
        return error_set(err, ERNIE_EINVAL, "encoder: task type %d: the model has %zu", (int)task,
                         n_tasks);
    for (size_t i = 0; i < work->n; i++)
        if (work->texts[i] == NULL || (options->pairs != NULL && options->pairs[i] == NULL))
            return error_set(err, ERNIE_EINVAL, "encoder: text %zu of %zu is NULL", i + 1, work->n);
    return ERNIE_OK;
}

/* Texts to what the goal makes of them. */
static int encode(ernie_encoder *encoder, size_t n, const char *const *texts, const size_t *sizes,
                  const struct ernie_encode_options *options, const struct goal *goal, float *out,
                  ernie_error *err)
{
    static const struct ernie_encode_options none;
    const char *prompt;
    struct work work = { .encoder = encoder, .n = n, .texts = texts, .sizes = sizes,
                         .goal = *goal, .out = out };
    struct prompted prompted;
    int status;

    options = options != NULL ? options : &none;
    prompt = options->prompt != NULL ? options->prompt : "";
    status = check(&work, options, err);
    if (status != ERNIE_OK)
        return status;
    work.n_kept = options->dim != 0 ? options->dim : goal->n_results;
    work.pairs = options->pairs;
    work.task_type = options->task_type;
    if (prompt[0] == '\0' || n == 0)
        return run(encoder, &work, err);
    status = prompted_init(&prompted, prompt, n, texts, sizes, err);
    if (status == ERNIE_OK) {
        work.texts = prompted.texts;
        work.sizes = prompted.sizes;
        if (!encoder->model->config.include_prompt && goal->finish == encoder_pool)
            status = skip_prompt(encoder, prompt, &work.n_skipped, err);
    }
    if (status == ERNIE_OK)
        status = run(encoder, &work, err);
    prompted_reset(&prompted);
    return status;
}

/* ---- embeddings -------------------------------------------------------- */

int encode_texts(ernie_encoder *encoder, size_t n, const char *const *texts, const size_t *sizes,
                 const struct ernie_encode_options *options, float *out, ernie_error *err)
{
    const struct model_config *config = &encoder->model->config;
    const struct goal goal = { encoder_pool, pooling_reads(config->n_poolings, config->pooling),
                               config->dim };

    return encode(encoder, n, texts, sizes, options, &goal, out, err);
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

int ernie_encode_tokens(ernie_encoder *encoder, const char *text,
                        const struct ernie_encode_options *options, struct ernie_tokens *tokens,
                        float **vectors, ernie_error *err)
{
    static const struct ernie_encode_options none;
    const ernie_model *model = encoder->model;
    const size_t hidden_size = ernie_model_hidden_size(model);
    struct work work = { .encoder = encoder, .n = 1, .texts = &text, .share = 1 };
    struct float_state state;
    struct ernie_tokens read;
    float *out;
    int status, is_read;

    options = options != NULL ? options : &none;
    status = options->dim != 0 || (options->prompt != NULL && options->prompt[0] != '\0')
                 ? error_set(err, ERNIE_EINVAL, "encoder: token vectors with a prompt or a dim")
                 : check(&work, options, err);
    if (status == ERNIE_OK)
        status = ernie_tokenize(model, text, options->pairs != NULL ? options->pairs[0] : NULL,
                                ernie_model_max_tokens(model), &read, err);
    if (status != ERNIE_OK)
        return status;
    out = memory_new(read.n, hidden_size * sizeof *out);
    if (out == NULL) {
        ernie_tokens_reset(&read);
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    }
    work.pairs = options->pairs;
    work.task_type = options->task_type;
    float_state_begin(&state);
    is_read = forward_one(encoder, &work, pool_n_threads(encoder->pool));
    float_state_end(&state);
    if (!is_read) {
        memory_free(out);
        ernie_tokens_reset(&read);
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    }
    memcpy(out, encoder_token_vectors(encoder->lane[0].encoder),
           read.n * hidden_size * sizeof *out);
    *tokens = read;
    *vectors = out;
    return ERNIE_OK;
}

/* ---- classification ---------------------------------------------------- */

/* Logits of the model's head, which reads [CLS]. */
static int encode_logits(ernie_encoder *encoder, size_t n, const char *const *texts,
                         const struct ernie_encode_options *options, float *out, ernie_error *err)
{
    const struct goal goal = { encoder_classify, READ_FIRST,
                               ernie_model_n_labels(encoder->model) };

    return encode(encoder, n, texts, NULL, options, &goal, out, err);
}

int ernie_classify(ernie_encoder *encoder, size_t n, const char *const *texts,
                   const struct ernie_encode_options *options, float *logits,
                   float *probabilities, ernie_error *err)
{
    const ernie_model *model = encoder->model;
    const size_t n_labels = ernie_model_n_labels(model);
    float *out = logits != NULL ? logits : probabilities;
    int status;

    if (n_labels == 0)
        return error_set(err, ERNIE_EINVAL,
                         "%s: has no head that classifies (config.json's architectures names "
                         "no ...ForSequenceClassification)",
                         model->directory);
    if (options != NULL && options->dim != 0)
        return error_set(err, ERNIE_EINVAL, "encoder: labels with a dim");
    if (out == NULL)
        return ERNIE_OK;
    status = encode_logits(encoder, n, texts, options, out, err);
    if (status != ERNIE_OK || probabilities == NULL)
        return status;
    if (probabilities != out)
        memcpy(probabilities, out, n * n_labels * sizeof *out);
    for (size_t i = 0; i < n; i++)
        head_probabilities(model->head, probabilities + i * n_labels);
    return ERNIE_OK;
}

int ernie_rerank(ernie_encoder *encoder, const char *query, size_t n, const char *const *texts,
                 float *scores, ernie_error *err)
{
    const ernie_model *model = encoder->model;
    struct ernie_encode_options options = { .pairs = texts };
    const char **queries;
    int status;

    if (query == NULL)
        return error_set(err, ERNIE_EINVAL, "query: empty");
    if (ernie_model_n_labels(model) != 1)
        return error_set(err, ERNIE_EINVAL,
                         "%s: is no cross-encoder (it has %zu labels, and one is needed)",
                         model->directory, ernie_model_n_labels(model));
    queries = memory_new(n, sizeof *queries);
    if (queries == NULL)
        return error_set(err, ERNIE_ENOMEM, "encoder: out of memory");
    for (size_t i = 0; i < n; i++)
        queries[i] = query;
    status = encode_logits(encoder, n, queries, &options, scores, err);
    for (size_t i = 0; status == ERNIE_OK && i < n; i++)
        scores[i] = head_score(model->head, scores[i]);
    memory_free(queries);
    return status;
}

/* ---- cosines ----------------------------------------------------------- */

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
