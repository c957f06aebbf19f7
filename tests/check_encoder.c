/* The forward pass against transformers: tests/data/encoder/make_reference.py and
 * make_family_reference.py. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "ernie.h"
#include "faults.h"
#include "model/encoder.h"
#include "model/model.h"
#include "suite.h"

#define MAX_TOKENS 128
#define MAX_SEQUENCES 16

static ernie_error err;

static const char *data_path(const char *name)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s", srcdir != NULL ? srcdir : ".", name);
    return path;
}

static const float *read_floats(const char *path, struct file *file)
{
    ck_assert_msg(file_read(path, 1 << 24, file, &err) == ERNIE_OK, "%s", err.message);
    return (const float *)file->data;
}

/* A reference case: a batch, and what transformers makes of it. */
struct reference {
    ernie_model *model;
    struct token_batch batch;
    size_t start[MAX_SEQUENCES + 1];
    int32_t ids[MAX_TOKENS], types[MAX_TOKENS], tasks[MAX_TOKENS];
    struct file expected;
    const float *tokens, *pooled; /* [T][H], [n_sequences][H] */
};

static size_t read_numbers(const char *text, int32_t *out)
{
    size_t n = 0;
    char *end;

    for (long number = strtol(text, &end, 10); end != text; number = strtol(text, &end, 10)) {
        out[n++] = (int32_t)number;
        text = end;
    }
    return n;
}

static void reference_open(struct reference *reference, const char *name)
{
    char path[600], line[1024];
    size_t n = 0, hidden_size;
    FILE *ids;

    memset(reference, 0, sizeof *reference);
    snprintf(path, sizeof path, "%s", data_path(name));
    ck_assert_msg(ernie_model_open(path, &reference->model, &err) == ERNIE_OK, "%s", err.message);
    snprintf(path, sizeof path, "%s/ids.txt", data_path(name));
    ids = fopen(path, "r");
    ck_assert_ptr_nonnull(ids);
    while (fgets(line, sizeof line, ids) != NULL) {
        char *types = strchr(line, '|') + 1, *tasks = strchr(types, '|') + 1;
        size_t start = reference->start[n], count;

        types[-1] = tasks[-1] = '\0';
        count = read_numbers(line, reference->ids + start);
        ck_assert_uint_eq(read_numbers(types, reference->types + start), count);
        ck_assert_uint_eq(read_numbers(tasks, reference->tasks + start), count);
        reference->start[++n] = start + count;
    }
    fclose(ids);
    reference->batch = (struct token_batch){ n, reference->start, reference->ids,
                                             reference->types, reference->tasks, 0,
                                             READ_ALL };
    snprintf(path, sizeof path, "%s/expected.f32", data_path(name));
    reference->tokens = read_floats(path, &reference->expected);
    hidden_size = ernie_model_dim(reference->model);
    reference->pooled = reference->tokens + reference->start[n] * hidden_size;
    ck_assert_uint_eq(reference->expected.size,
                      (reference->start[n] + n) * hidden_size * sizeof(float));
}

static void reference_close(struct reference *reference)
{
    file_reset(&reference->expected);
    ernie_model_close(reference->model);
}

static void check_close(const float *got, const float *expected, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - expected[i]) <= tolerance, "%zu: %g, not %g", i,
                      (double)got[i], (double)expected[i]);
}

/* int8 arithmetic is compared by direction: each embedding's cosine to the one that
 * transformers makes of the same weights in float32. */
static void check_directions(const float *got, const float *expected, size_t n, size_t dim,
                             double least)
{
    for (size_t i = 0; i < n; i++) {
        double cosine = ernie_cosine(dim, got + i * dim, expected + i * dim);

        ck_assert_msg(cosine >= least, "%zu: cosine %f", i, cosine);
    }
}

#define INT8_COSINE 0.9985

static const char *const names[] = { "bert-f32", "ernie-task-f32", "ernie-head26",
                                     "bert-f16", "bert-bf16",      "ernie-i8",
                                     "bert-rotary", "roformer-cls", "xlmr-rerank",
                                     "ernie-multi", "ernie_m-cls" };

START_TEST(test_token_vectors_equal_those_of_transformers)
{
    struct reference reference;
    struct encoder *encoder;
    size_t hidden_size;

    reference_open(&reference, names[_i]);
    hidden_size = ernie_model_dim(reference.model);
    ck_assert_int_eq(encoder_new(reference.model, MAX_TOKENS, &encoder, &err), ERNIE_OK);
    if (strcmp(names[_i], "ernie-i8") == 0)
        check_directions(encoder_forward(encoder, &reference.batch), reference.tokens,
                         reference.start[reference.batch.n_sequences], hidden_size, INT8_COSINE);
    else
        check_close(encoder_forward(encoder, &reference.batch), reference.tokens,
                    reference.start[reference.batch.n_sequences] * hidden_size, 5e-5);
    encoder_free(encoder);
    reference_close(&reference);
}
END_TEST

START_TEST(test_embeddings_equal_those_of_transformers)
{
    struct reference reference;
    struct encoder *encoder;
    float out[MAX_SEQUENCES * 64];
    size_t hidden_size;

    reference_open(&reference, names[_i]);
    hidden_size = ernie_model_dim(reference.model);
    ck_assert_int_eq(encoder_new(reference.model, MAX_TOKENS, &encoder, &err), ERNIE_OK);
    encoder_forward(encoder, &reference.batch);
    encoder_pool(encoder, &reference.batch, out);
    if (strcmp(names[_i], "ernie-i8") == 0)
        check_directions(out, reference.pooled, reference.batch.n_sequences, hidden_size,
                         INT8_COSINE);
    else
        check_close(out, reference.pooled, reference.batch.n_sequences * hidden_size, 1e-5);
    encoder_free(encoder);
    reference_close(&reference);
}
END_TEST

static const char *const classifiers[] = { "roformer-cls", "xlmr-rerank", "ernie-multi",
                                           "bert-cls",     "bert-rerank", "ernie_m-cls" };

START_TEST(test_logits_equal_those_of_transformers)
{
    struct reference reference;
    struct encoder *encoder;
    struct file file;
    char path[600];
    float out[MAX_SEQUENCES * 4];
    size_t n;

    reference_open(&reference, classifiers[_i]);
    n = reference.batch.n_sequences * ernie_model_n_labels(reference.model);
    snprintf(path, sizeof path, "%s/logits.f32", data_path(classifiers[_i]));
    ck_assert_int_eq(encoder_new(reference.model, MAX_TOKENS, &encoder, &err), ERNIE_OK);
    encoder_forward(encoder, &reference.batch);
    encoder_classify(encoder, &reference.batch, out);
    check_close(out, read_floats(path, &file), n, 1e-4);
    ck_assert_uint_ge(file.size, n * sizeof *out);
    file_reset(&file);
    encoder_free(encoder);
    reference_close(&reference);
}
END_TEST

/* Sequences side by side in a batch do not see each other. */
START_TEST(test_a_sequence_alone_is_the_same_as_in_a_batch)
{
    struct reference reference;
    struct encoder *encoder;
    float together[MAX_SEQUENCES * 64], alone[64];
    size_t hidden_size;

    reference_open(&reference, "bert-f32");
    hidden_size = ernie_model_dim(reference.model);
    ck_assert_int_eq(encoder_new(reference.model, MAX_TOKENS, &encoder, &err), ERNIE_OK);
    encoder_forward(encoder, &reference.batch);
    encoder_pool(encoder, &reference.batch, together);
    for (size_t i = 0; i < reference.batch.n_sequences; i++) {
        const size_t start[] = { 0, reference.start[i + 1] - reference.start[i] };
        const struct token_batch batch = { 1, start, reference.ids + reference.start[i],
                                           reference.types + reference.start[i], NULL, 0, READ_ALL };

        encoder_forward(encoder, &batch);
        encoder_pool(encoder, &batch, alone);
        check_close(alone, together + i * hidden_size, hidden_size, 1e-5);
    }
    encoder_free(encoder);
    reference_close(&reference);
}
END_TEST

/* What is not read is not computed, and the rest is the same to the last bit. */
START_TEST(test_one_token_a_sequence_is_the_same_as_among_all)
{
    struct reference reference;
    struct encoder *encoder;
    size_t hidden_size;

    reference_open(&reference, names[_i]);
    hidden_size = reference.model->config.hidden_size;
    ck_assert_int_eq(encoder_new(reference.model, MAX_TOKENS, &encoder, &err), ERNIE_OK);
    for (int read = READ_FIRST; read <= READ_LAST; read++) {
        for (size_t n_skipped = 0; n_skipped < 12; n_skipped += 3) {
            struct token_batch batch = reference.batch;
            float all[MAX_TOKENS * 64];
            const float *one;

            batch.n_skipped = n_skipped;
            memcpy(all, encoder_forward(encoder, &batch),
                   batch.start[batch.n_sequences] * hidden_size * sizeof *all);
            batch.read = (enum read_tokens)read;
            one = encoder_forward(encoder, &batch);
            for (size_t i = 0; i < batch.n_sequences; i++) {
                const size_t first = batch.start[i] + n_skipped, last = batch.start[i + 1] - 1;
                const size_t t = read == READ_FIRST && first < last ? first : last;

                ck_assert_mem_eq(one + i * hidden_size, all + t * hidden_size,
                                 hidden_size * sizeof *one);
            }
        }
    }
    encoder_free(encoder);
    reference_close(&reference);
}
END_TEST

/* ---- the default model, from text to embedding ---- */

static char *texts[64];
static size_t n_texts;
static ernie_model *model;

static void open_default(void)
{
    char *line = NULL;
    size_t capacity = 0;
    ssize_t size;
    FILE *file = fopen(data_path("default.txt"), "r");

    ck_assert_ptr_nonnull(file);
    for (n_texts = 0; (size = getline(&line, &capacity, file)) > 0; n_texts++) {
        line[size - 1] = '\0';
        texts[n_texts] = strdup(line);
    }
    free(line);
    fclose(file);
    ck_assert_msg(ernie_model_open(NULL, &model, &err) == ERNIE_OK, "%s", err.message);
}

static void close_default(void)
{
    for (size_t i = 0; i < n_texts; i++)
        free(texts[i]);
    ernie_model_close(model);
}

/* With int8 weights an embedding is the same to the last bit whatever else is in the
 * batch and on however many threads. */
START_TEST(test_default_model_equals_transformers_on_any_number_of_threads)
{
    const size_t dim = ernie_model_dim(model);
    float *out = calloc(n_texts * dim, sizeof *out), *first = calloc(n_texts * dim, sizeof *out);
    struct file file;
    const float *expected = read_floats(data_path("default.f32"), &file);

    ck_assert_uint_eq(file.size, n_texts * dim * sizeof(float));
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        ernie_encoder *encoder;

        memset(out, 0, n_texts * dim * sizeof *out);
        ck_assert_int_eq(ernie_encoder_new(model, n_threads, &encoder, &err), ERNIE_OK);
        ck_assert_int_eq(ernie_encode(encoder, n_texts, (const char *const *)texts, out, &err),
                         ERNIE_OK);
        check_directions(out, expected, n_texts, dim, INT8_COSINE);
        if (n_threads == 1)
            memcpy(first, out, n_texts * dim * sizeof *out);
        ck_assert(memcmp(first, out, n_texts * dim * sizeof *out) == 0);
        for (size_t i = 0; i < n_texts; i++) { /* alone, its layers shared by the threads */
            ck_assert_int_eq(ernie_encode(encoder, 1, (const char *const *)texts + i, out, &err),
                             ERNIE_OK);
            ck_assert(memcmp(first + i * dim, out, dim * sizeof *out) == 0);
        }
        ernie_encoder_free(encoder);
    }
    file_reset(&file);
    free(first);
    free(out);
}
END_TEST

START_TEST(test_similarities_are_those_of_the_model_card)
{
    /* Of models/ernie-micro-zh-en/README.md, to two digits. */
    static const double cosines[] = { 0.59, 0.13, 0.55 };
    const size_t dim = ernie_model_dim(model);
    float *out = calloc(4 * dim, sizeof *out);
    ernie_encoder *encoder;

    ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode(encoder, 4, (const char *const *)texts, out, &err), ERNIE_OK);
    for (size_t i = 0; i < 3; i++)
        ck_assert_double_eq_tol(ernie_cosine(dim, out, out + (i + 1) * dim), cosines[i], 0.006);
    ernie_encoder_free(encoder);
    free(out);
}
END_TEST

/* The default model's embedding is the mean of its token vectors. */
START_TEST(test_token_vectors_come_with_their_places_in_the_text)
{
    const size_t dim = ernie_model_dim(model);
    struct file file;
    const float *expected = read_floats(data_path("default.f32"), &file);

    ck_assert_uint_eq(ernie_model_hidden_size(model), dim);
    for (size_t i = 0; i < n_texts; i++) {
        ernie_encoder *encoder;
        struct ernie_tokens tokens;
        float *vectors, *mean = calloc(dim, sizeof *mean);

        ck_assert_int_eq(ernie_encoder_new(model, 1 + i % 3, &encoder, &err), ERNIE_OK);
        ck_assert_int_eq(ernie_encode_tokens(encoder, texts[i], NULL, &tokens, &vectors, &err),
                         ERNIE_OK);
        for (size_t t = 0; t < tokens.n; t++) {
            for (size_t j = 0; j < dim; j++)
                mean[j] += vectors[t * dim + j] / (float)tokens.n;
            ck_assert_uint_le(tokens.start[t], tokens.end[t]);
            ck_assert_uint_le(tokens.end[t], strlen(texts[i]));
        }
        check_directions(mean, expected + i * dim, 1, dim, INT8_COSINE);
        free(mean);
        memory_free(vectors);
        ernie_tokens_reset(&tokens);
        ernie_encoder_free(encoder);
    }
    file_reset(&file);
}
END_TEST

START_TEST(test_token_vectors_of_a_pair)
{
    const char *const text = "猫吃鱼", *const pair[] = { "狗吃肉骨头" };
    struct ernie_encode_options options = { .pairs = pair };
    ernie_encoder *encoder;
    struct ernie_tokens tokens;
    float *vectors;
    int status, k = 0;

    ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, &err), ERNIE_OK);
    do {
        fail_allocations_from(k++);
        status = ernie_encode_tokens(encoder, text, &options, &tokens, &vectors, &err);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 3);
    ck_assert_uint_eq(tokens.n, 11);
    ck_assert_int_eq(tokens.token_type_ids[4], 0);
    ck_assert_int_eq(tokens.token_type_ids[5], 1);
    ck_assert_uint_eq(tokens.start[5], 0); /* of the pair */
    ck_assert_uint_eq(tokens.end[9], strlen(pair[0]));
    memory_free(vectors);
    ernie_tokens_reset(&tokens);
    options.dim = 8;
    ck_assert_int_eq(ernie_encode_tokens(encoder, text, &options, &tokens, &vectors, &err),
                     ERNIE_EINVAL);
    ck_assert_int_eq(ernie_encode_tokens(encoder, NULL, NULL, &tokens, &vectors, &err),
                     ERNIE_EINVAL);
    ernie_encoder_free(encoder);
}
END_TEST

START_TEST(test_encoding_allocates_nothing)
{
    const size_t dim = ernie_model_dim(model);
    float *out = calloc(n_texts * dim, sizeof *out);
    ernie_encoder *encoder;

    ck_assert_int_eq(ernie_encoder_new(model, 2, &encoder, &err), ERNIE_OK);
    fail_allocations_from(0);
    ck_assert_int_eq(ernie_encode(encoder, n_texts, (const char *const *)texts, out, &err),
                     ERNIE_OK);
    ck_assert_int_eq(stop_failing(), 0);
    ernie_encoder_free(encoder);
    free(out);
}
END_TEST

START_TEST(test_odd_texts)
{
    const size_t dim = ernie_model_dim(model);
    char *long_text = malloc(1000001);
    const char *odd[] = { "", "   ", "\xff\xfe\xfd", long_text, NULL };
    float *out = calloc(5 * dim, sizeof *out);
    ernie_encoder *encoder;

    memset(long_text, 'x', 1000000);
    long_text[1000000] = '\0';
    ck_assert_int_eq(ernie_encoder_new(model, 2, &encoder, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode(encoder, 4, odd, out, &err), ERNIE_OK);
    for (size_t i = 0; i < 4; i++)
        ck_assert_double_eq_tol(ernie_cosine(dim, out + i * dim, out + i * dim), 1, 1e-6);
    check_close(out, out + dim, dim, 0); /* spaces are no words */
    ck_assert_int_eq(ernie_encode(encoder, 5, odd, out, &err), ERNIE_EINVAL);
    ck_assert_int_eq(ernie_encode(encoder, 0, NULL, NULL, &err), ERNIE_OK);
    ernie_encoder_free(encoder);
    free(long_text);
    free(out);
}
END_TEST

/* More texts than a batch holds, shared by threads: each lands in its own place. */
START_TEST(test_many_texts_land_in_order)
{
    enum { N = 3000 };
    const size_t dim = ernie_model_dim(model);
    const char **many = calloc(N, sizeof *many);
    float *out = calloc(N * dim, sizeof *out);
    ernie_encoder *encoder;

    for (size_t i = 0; i < N; i++)
        many[i] = texts[i % 8];
    ck_assert_int_eq(ernie_encoder_new(model, 4, &encoder, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode(encoder, N, many, out, &err), ERNIE_OK);
    for (size_t i = 8; i < N; i++)
        check_close(out + i * dim, out + i % 8 * dim, dim, 1e-5);
    ernie_encoder_free(encoder);
    free(many);
    free(out);
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    ernie_encoder *encoder = NULL;
    int status, k = 0;

    do {
        fail_allocations_from(k++);
        status = ernie_encoder_new(model, 2, &encoder, &err);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
    } while (status != ERNIE_OK);
    ck_assert_int_gt(k, 10);
    ernie_encoder_free(encoder);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("encoder");
    TCase *parity = tcase_create("parity"), *whole = tcase_create("default");
    const int n_names = (int)(sizeof names / sizeof names[0]);

    tcase_add_loop_test(parity, test_token_vectors_equal_those_of_transformers, 0, n_names);
    tcase_add_loop_test(parity, test_embeddings_equal_those_of_transformers, 0, n_names);
    tcase_add_loop_test(parity, test_one_token_a_sequence_is_the_same_as_among_all, 0, n_names);
    tcase_add_loop_test(parity, test_logits_equal_those_of_transformers, 0,
                        (int)(sizeof classifiers / sizeof classifiers[0]));
    tcase_add_test(parity, test_a_sequence_alone_is_the_same_as_in_a_batch);
    suite_add_tcase(s, parity);
    tcase_add_checked_fixture(whole, open_default, close_default);
    tcase_set_timeout(whole, 120);
    tcase_add_test(whole, test_default_model_equals_transformers_on_any_number_of_threads);
    tcase_add_test(whole, test_similarities_are_those_of_the_model_card);
    tcase_add_test(whole, test_token_vectors_come_with_their_places_in_the_text);
    tcase_add_test(whole, test_token_vectors_of_a_pair);
    tcase_add_test(whole, test_encoding_allocates_nothing);
    tcase_add_test(whole, test_odd_texts);
    tcase_add_test(whole, test_many_texts_land_in_order);
    tcase_add_test(whole, test_running_out_of_memory_at_each_allocation);
    suite_add_tcase(s, whole);
    return s;
}

int main(void)
{
    return run_suite(suite());
}
