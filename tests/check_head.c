/* Sequence classifiers and cross-encoders against transformers:
 * tests/data/encoder/make_family_reference.py. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "ernie.h"
#include "faults.h"
#include "suite.h"

#define N_SEQUENCES 5 /* lines of ids.txt, whose logits come first where there is one */
#define MAX_TEXTS 32
#define MAX_LABELS 4

static ernie_error err;
static ernie_model *model;
static ernie_encoder *encoder;
static char line[MAX_TEXTS][1024];
static const char *text[MAX_TEXTS], *pair[MAX_TEXTS];
static size_t n_texts, n_singles, n_labels; /* the first n_singles have no pair */
static struct file expected_file;
static const float *expected; /* [n_texts][n_labels] */

static const char *data_path(const char *name, const char *file)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s%s%s", srcdir != NULL ? srcdir : ".", name,
             file != NULL ? "/" : "", file != NULL ? file : "");
    return path;
}

static void open_model(const char *name, size_t n_threads)
{
    size_t n_before;
    FILE *file;

    ck_assert_msg(ernie_model_open(data_path(name, NULL), &model, &err) == ERNIE_OK, "%s",
                  err.message);
    ck_assert_int_eq(ernie_encoder_new(model, n_threads, &encoder, &err), ERNIE_OK);
    n_labels = ernie_model_n_labels(model);
    ck_assert_uint_le(n_labels, MAX_LABELS);
    n_texts = n_singles = 0;
    file = fopen(data_path(name, "texts.txt"), "r");
    while (file != NULL && fgets(line[n_texts], sizeof line[n_texts], file) != NULL) {
        char *tab = strchr(line[n_texts], '\t');

        line[n_texts][strcspn(line[n_texts], "\n")] = '\0';
        if (tab != NULL)
            *tab = '\0';
        text[n_texts] = line[n_texts];
        pair[n_texts] = tab != NULL ? tab + 1 : NULL;
        n_singles += tab == NULL;
        n_texts++;
    }
    if (file == NULL)
        return;
    fclose(file);
    ck_assert_int_eq(file_read(data_path(name, "logits.f32"), 1 << 20, &expected_file, &err),
                     ERNIE_OK);
    n_before = expected_file.size / sizeof(float) / n_labels - n_texts;
    ck_assert_uint_eq(n_before, strcmp(name, "xlmr-unigram") == 0 ? 0 : N_SEQUENCES);
    expected = (const float *)expected_file.data + n_before * n_labels;
}

static void close_model(void)
{
    file_reset(&expected_file);
    ernie_encoder_free(encoder);
    ernie_model_close(model);
    encoder = NULL;
    model = NULL;
}

static void check_close(const float *got, const float *wanted, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        ck_assert_msg(fabs((double)got[i] - wanted[i]) <= tolerance, "%zu: %g, not %g", i,
                      (double)got[i], (double)wanted[i]);
}

static const char *const names[] = { "roformer-cls", "xlmr-rerank", "ernie-multi",
                                     "bert-cls",     "bert-rerank" };
#define N_NAMES ((int)(sizeof names / sizeof names[0]))

START_TEST(test_logits_of_texts_and_pairs_equal_those_of_transformers)
{
    for (size_t n_threads = 1; n_threads <= 3; n_threads++) {
        float logits[MAX_TEXTS * MAX_LABELS];

        open_model(names[_i], n_threads);
        const struct ernie_encode_options options = { .pairs = pair + n_singles };

        ck_assert_int_eq(ernie_classify(encoder, n_singles, text, NULL, logits, NULL, &err),
                         ERNIE_OK);
        ck_assert_int_eq(ernie_classify(encoder, n_texts - n_singles, text + n_singles, &options,
                                        logits + n_singles * n_labels, NULL, &err),
                         ERNIE_OK);
        check_close(logits, expected, n_texts * n_labels, 1e-4);
        for (size_t i = 0; i < n_singles; i++) { /* alone, its layers shared by the threads */
            ck_assert_int_eq(ernie_classify(encoder, 1, text + i, NULL, logits, NULL, &err),
                             ERNIE_OK);
            check_close(logits, expected + i * n_labels, n_labels, 1e-4);
        }
        close_model();
    }
}
END_TEST

/* As transformers' text classification pipeline has them. */
START_TEST(test_probabilities)
{
    float logits[MAX_TEXTS * MAX_LABELS], probabilities[MAX_TEXTS * MAX_LABELS];

    open_model(names[_i], 2);
    ck_assert_int_eq(ernie_classify(encoder, n_singles, text, NULL, logits, probabilities, &err),
                     ERNIE_OK);
    check_close(logits, expected, n_singles * n_labels, 1e-4);
    for (size_t i = 0; i < n_singles; i++) {
        double sum = 0;

        for (size_t j = 0; j < n_labels; j++)
            sum += exp(expected[i * n_labels + j]);
        for (size_t j = 0; j < n_labels; j++) {
            const double logit = expected[i * n_labels + j];
            const int alone = n_labels == 1 || strcmp(names[_i], "ernie-multi") == 0;

            ck_assert_double_eq_tol(probabilities[i * n_labels + j],
                                    alone ? 1 / (1 + exp(-logit)) : exp(logit) / sum, 2e-5);
        }
    }
    /* Either may be left out. */
    memset(probabilities, 0, sizeof probabilities);
    ck_assert_int_eq(ernie_classify(encoder, 1, text, NULL, NULL, probabilities, &err), ERNIE_OK);
    ck_assert(probabilities[0] > 0 && probabilities[0] < 1);
    ck_assert_int_eq(ernie_classify(encoder, 1, text, NULL, NULL, NULL, &err), ERNIE_OK);
    close_model();
}
END_TEST

START_TEST(test_labels)
{
    open_model("roformer-cls", 1);
    ck_assert_uint_eq(n_labels, 3);
    ck_assert_str_eq(ernie_model_label(model, 0), "体育");
    ck_assert_str_eq(ernie_model_label(model, 2), "tech \"news\"");
    ck_assert_ptr_null(ernie_model_label(model, 3));
    close_model();
    open_model("bert-cls", 1); /* whose config.json names none */
    ck_assert_uint_eq(n_labels, 2);
    ck_assert_str_eq(ernie_model_label(model, 1), "LABEL_1");
    close_model();
    open_model("bert-f32", 1);
    ck_assert_uint_eq(n_labels, 0);
    ck_assert_ptr_null(ernie_model_label(model, 0));
    close_model();
}
END_TEST

/* xlmr-rerank says nothing of its score, bert-rerank that it is the logit. */
START_TEST(test_rerank_gives_the_scores_of_a_cross_encoder)
{
    const int is_logit = _i;
    float scores[MAX_TEXTS], logits[MAX_TEXTS];

    open_model(is_logit ? "bert-rerank" : "xlmr-rerank", 2);
    const struct ernie_encode_options options = { .pairs = pair + n_singles };
    const size_t n = n_texts - n_singles;

    ck_assert_int_eq(ernie_classify(encoder, n, text + n_singles, &options, logits, NULL, &err),
                     ERNIE_OK);
    for (size_t i = 0; i < n; i++) {
        const double logit = expected[n_singles + i];

        ck_assert_int_eq(ernie_rerank(encoder, text[n_singles + i], 1, pair + n_singles + i,
                                      scores, &err),
                         ERNIE_OK);
        ck_assert_double_eq_tol(scores[0], is_logit ? logit : 1 / (1 + exp(-logit)), 1e-4);
    }
    ck_assert_int_eq(ernie_rerank(encoder, text[0], n, pair + n_singles, scores, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_rerank(encoder, text[0], 0, NULL, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_rerank(encoder, NULL, 1, pair + n_singles, scores, &err), ERNIE_EINVAL);
    close_model();
}
END_TEST

START_TEST(test_what_cannot_be_asked)
{
    struct ernie_encode_options options = { .dim = 3 };
    float out[64];

    open_model("bert-f32", 1);
    text[0] = pair[0] = "一";
    ck_assert_int_eq(ernie_classify(encoder, 1, text, NULL, out, NULL, &err), ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "no head that classifies"));
    ck_assert_int_eq(ernie_rerank(encoder, "一", 1, pair, out, &err), ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "no cross-encoder"));
    options.dim = 0;
    options.task_type = 1;
    ck_assert_int_eq(ernie_encode_with(encoder, 1, text, &options, out, &err), ERNIE_EINVAL);
    close_model();
    open_model("bert-cls", 1);
    ck_assert_int_eq(ernie_rerank(encoder, "一", 1, pair, out, &err), ERNIE_EINVAL);
    options = (struct ernie_encode_options){ .dim = 3 };
    ck_assert_int_eq(ernie_classify(encoder, 1, text, &options, out, NULL, &err), ERNIE_EINVAL);
    pair[0] = NULL;
    options = (struct ernie_encode_options){ .pairs = pair };
    ck_assert_int_eq(ernie_classify(encoder, 1, text, &options, out, NULL, &err), ERNIE_EINVAL);
    close_model();
}
END_TEST

/* A task type changes what is read, and 0 is what is read when nothing is said. */
START_TEST(test_task_types)
{
    struct ernie_encode_options options = { .task_type = 2 };
    float plain[MAX_TEXTS * MAX_LABELS], with[MAX_TEXTS * MAX_LABELS];

    open_model("ernie-multi", 1);
    ck_assert_int_eq(ernie_classify(encoder, 2, text, NULL, plain, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_classify(encoder, 2, text, &options, with, NULL, &err), ERNIE_OK);
    ck_assert(fabsf(plain[0] - with[0]) > 1e-3f);
    options.task_type = 3;
    ck_assert_int_eq(ernie_classify(encoder, 2, text, &options, with, NULL, &err), ERNIE_EINVAL);
    options.task_type = -1;
    ck_assert_int_eq(ernie_classify(encoder, 2, text, &options, with, NULL, &err), ERNIE_EINVAL);
    close_model();
}
END_TEST

/* ---- an XLM-R with tokenizer.json alone: make_unigram_reference.py ---- */

static void check_ids(const char *text_, const char *pair_, char *wanted)
{
    struct ernie_tokens tokens;
    char *save, *word = strtok_r(wanted, " \n", &save);

    ck_assert_int_eq(ernie_tokenize(model, text_, pair_, ernie_model_max_tokens(model), &tokens,
                                    &err),
                     ERNIE_OK);
    for (size_t i = 0; i < tokens.n; i++, word = strtok_r(NULL, " \n", &save)) {
        ck_assert_msg(word != NULL && atoi(word) == tokens.input_ids[i], "%s: id %zu", text_, i);
        ck_assert_int_eq(tokens.token_type_ids[i], 0);
    }
    ck_assert_ptr_null(word);
    ernie_tokens_reset(&tokens);
}

START_TEST(test_a_tokenizer_json_alone_is_read_as_transformers_does)
{
    char row[1024];
    FILE *file;

    open_model("xlmr-unigram", 1);
    file = fopen(data_path("xlmr-unigram", "tokens.txt"), "r");
    ck_assert_ptr_nonnull(file);
    for (size_t i = 0; i < n_texts; i++) {
        ck_assert_ptr_nonnull(fgets(row, sizeof row, file));
        check_ids(text[i], pair[i], row);
    }
    fclose(file);
    close_model();
}
END_TEST

START_TEST(test_a_tokenizer_json_alone_gives_the_same_embeddings_and_logits)
{
    float embeddings[MAX_TEXTS * 24], logits[MAX_TEXTS];
    struct file wanted;

    open_model("xlmr-unigram", (size_t)_i);
    const struct ernie_encode_options options = { .pairs = pair + n_singles };

    ck_assert_int_eq(file_read(data_path("xlmr-unigram", "embeddings.f32"), 1 << 20, &wanted, &err),
                     ERNIE_OK);
    ck_assert_uint_eq(wanted.size, n_texts * 24 * sizeof(float));
    ck_assert_int_eq(ernie_encode(encoder, n_singles, text, embeddings, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_encode_with(encoder, n_texts - n_singles, text + n_singles, &options,
                                       embeddings + n_singles * 24, &err),
                     ERNIE_OK);
    for (size_t i = 0; i < n_texts; i++)
        ck_assert_double_ge(ernie_cosine(24, embeddings + i * 24, (float *)wanted.data + i * 24),
                            0.99999);
    ck_assert_int_eq(ernie_classify(encoder, n_singles, text, NULL, logits, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_classify(encoder, n_texts - n_singles, text + n_singles, &options,
                                    logits + n_singles, NULL, &err),
                     ERNIE_OK);
    check_close(logits, expected, n_texts, 1e-4);
    file_reset(&wanted);
    close_model();
}
END_TEST

/* Token vectors too have the tokens that the frame puts around two texts. */
START_TEST(test_token_vectors_stand_in_the_frame_of_tokenizer_json)
{
    struct ernie_tokens tokens;
    size_t n_ends = 0;
    float *vectors;

    open_model("xlmr-unigram", 2);
    const struct ernie_encode_options options = { .pairs = pair + n_singles };

    ck_assert_int_eq(ernie_encode_tokens(encoder, text[n_singles], &options, &tokens, &vectors,
                                         &err),
                     ERNIE_OK);
    ck_assert_str_eq(ernie_token(model, tokens.input_ids[0]), "<s>");
    ck_assert_str_eq(ernie_token(model, tokens.input_ids[tokens.n - 1]), "</s>");
    for (size_t i = 0; i < tokens.n; i++)
        n_ends += strcmp(ernie_token(model, tokens.input_ids[i]), "</s>") == 0;
    ck_assert_uint_eq(n_ends, 3);
    memory_free(vectors);
    ernie_tokens_reset(&tokens);
    close_model();
}
END_TEST

/* Reading, too: Unigram takes memory for each text. */
START_TEST(test_running_out_of_memory_while_reading)
{
    float out[24];
    int status = ERNIE_ENOMEM;

    open_model("xlmr-unigram", (size_t)_i);
    for (int k = 0; status != ERNIE_OK; k++) {
        ernie_encoder *fresh;

        ck_assert_int_eq(ernie_encoder_new(model, (size_t)_i, &fresh, &err), ERNIE_OK);
        fail_allocations_from(k);
        status = ernie_encode(fresh, 1, text, out, &err);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        ck_assert(k > 0 || status == ERNIE_ENOMEM);
        ernie_encoder_free(fresh);
    }
    close_model();
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    ernie_model *opened = NULL;
    int status, k = 0;

    do {
        fail_allocations_from(k++);
        status = ernie_model_open(data_path(_i < N_NAMES ? names[_i] : "xlmr-unigram", NULL),
                                  &opened, &err);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
    } while (status != ERNIE_OK);
    ernie_model_close(opened);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("head");
    TCase *t = tcase_create("head");

    tcase_add_loop_test(t, test_logits_of_texts_and_pairs_equal_those_of_transformers, 0, N_NAMES);
    tcase_add_loop_test(t, test_probabilities, 0, N_NAMES);
    tcase_add_test(t, test_labels);
    tcase_add_loop_test(t, test_rerank_gives_the_scores_of_a_cross_encoder, 0, 2);
    tcase_add_test(t, test_what_cannot_be_asked);
    tcase_add_test(t, test_task_types);
    tcase_add_test(t, test_a_tokenizer_json_alone_is_read_as_transformers_does);
    tcase_add_loop_test(t, test_a_tokenizer_json_alone_gives_the_same_embeddings_and_logits, 1, 4);
    tcase_add_test(t, test_token_vectors_stand_in_the_frame_of_tokenizer_json);
    tcase_add_loop_test(t, test_running_out_of_memory_while_reading, 1, 3);
    tcase_add_loop_test(t, test_running_out_of_memory_at_each_allocation, 0, N_NAMES + 1);
    suite_add_tcase(s, t);
    return run_suite(s);
}
