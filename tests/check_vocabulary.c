/* Models with more words: what is written, and what is left when it cannot be. Against
 * transformers: compare_add_tokens_model.py. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.h"
#include "ernie.h"
#include "faults.h"
#include "folder.h"
#include "model/model.h"
#include "model/safetensors.h"
#include "suite.h"

#define MAX_WIDTH 64

static ernie_error err;

/* Of each kind of words and of numbers: vocab.txt alone, int8 rows, tokenizer.json alone. */
static const char *const sources[] = { "bert-f32", "bert-f16", "bert-bf16", "ernie-i8", "xlmr-unigram" };
#define N_SOURCES ((int)(sizeof sources / sizeof sources[0]))

static const char *source(int i)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s", srcdir != NULL ? srcdir : ".",
             sources[i]);
    return path;
}

/* A word's vector in a model's file; returns how many numbers it has. */
static size_t read_row(const ernie_model *model, int32_t id, float *out)
{
    const struct tensor *tensor = NULL, *scales = NULL;
    char path[512], name[128];
    struct safetensors *file;
    uint8_t bytes[MAX_WIDTH * 4];
    float scale = 1;
    size_t width, size;

    snprintf(path, sizeof path, "%s/model.safetensors", ernie_model_directory(model));
    ck_assert_int_eq(safetensors_open(path, &file, &err), ERNIE_OK);
    for (size_t i = 0; i < safetensors_count(file); i++)
        if (strstr(safetensors_at(file, i)->name, "word_embeddings.weight") != NULL) {
            if (strstr(safetensors_at(file, i)->name, "_scale") == NULL)
                tensor = safetensors_at(file, i);
        }
    ck_assert_ptr_nonnull(tensor);
    ck_assert_uint_eq(tensor->shape[0], model->config.vocab_size);
    width = tensor->shape[1];
    ck_assert_uint_le(width, MAX_WIDTH);
    size = width * tensor_type_size(tensor->type);
    ck_assert_int_eq(safetensors_read(file, tensor, (size_t)id * size, size, bytes, &err), ERNIE_OK);
    if (tensor->type == TENSOR_I8) {
        snprintf(name, sizeof name, "%s_scale", tensor->name);
        scales = safetensors_find(file, name);
        ck_assert_ptr_nonnull(scales);
        ck_assert_int_eq(safetensors_read(file, scales, (size_t)id * 4, 4, &scale, &err), ERNIE_OK);
        for (size_t i = 0; i < width; i++)
            out[i] = scale * (float)(int8_t)bytes[i];
    } else {
        tensor_widen(tensor->type, width, bytes, out);
    }
    safetensors_close(file);
    return width;
}

static void read_tokens(const ernie_model *model, const char *text, struct ernie_tokens *out)
{
    ck_assert_int_eq(ernie_tokenize(model, text, NULL, 0, out, &err), ERNIE_OK);
}

/* The new one's vector is the mean of those of the tokens [1, n - 1) that the old model
 * reads it as, to a step of its numbers. */
static void check_mean(const ernie_model *old, const ernie_model *grown, const char *token)
{
    float mean[MAX_WIDTH] = { 0 }, row[MAX_WIDTH], greatest = 0;
    struct ernie_tokens pieces;
    size_t width;
    int32_t id;

    read_tokens(grown, token, &pieces);
    ck_assert_uint_eq(pieces.n, 3);
    id = pieces.input_ids[1];
    ck_assert_str_eq(ernie_token(grown, id), token);
    ck_assert_int_ge(id, (int32_t)tokenizer_size(old->tokenizer));
    ernie_tokens_reset(&pieces);

    read_tokens(old, token, &pieces);
    ck_assert_uint_gt(pieces.n, 2);
    for (size_t i = 1; i + 1 < pieces.n; i++) {
        width = read_row(old, pieces.input_ids[i], row);
        for (size_t j = 0; j < width; j++)
            mean[j] += row[j] / (float)(pieces.n - 2);
    }
    ernie_tokens_reset(&pieces);
    width = read_row(grown, id, row);
    for (size_t j = 0; j < width; j++)
        greatest = fmaxf(greatest, fabsf(mean[j]));
    for (size_t j = 0; j < width; j++)
        ck_assert_msg(fabsf(row[j] - mean[j]) <= greatest / 250, "%s: %g, not %g", token,
                      (double)row[j], (double)mean[j]);
}

static const char *const tokens[] = { "abc", "深度检索", "abc", "<doc>" };

START_TEST(test_a_new_word_is_found_and_means_what_its_pieces_did)
{
    unsigned char is_added[4] = { 9, 9, 9, 9 };
    ernie_model *old, *grown;
    struct ernie_tokens before, after;

    folder_clear();
    ck_assert_msg(ernie_model_add_tokens(source(_i), in("out"), 4, tokens, is_added, &err) ==
                      ERNIE_OK,
                  "%s", err.message);
    ck_assert_uint_eq(folder_count(), 1);
    ck_assert_mem_eq(is_added, "\1\1\0\1", 4); /* a second time is none */
    ck_assert_int_eq(ernie_model_open(source(_i), &old, &err), ERNIE_OK);
    ck_assert_msg(ernie_model_open(in("out"), &grown, &err) == ERNIE_OK, "%s", err.message);
    check_mean(old, grown, "abc");
    check_mean(old, grown, "深度检索");
    check_mean(old, grown, "<doc>");
    ck_assert_str_ne(ernie_model_fingerprint(old), ernie_model_fingerprint(grown));
    /* Other texts read as before. */
    read_tokens(old, "学习 b c.", &before);
    read_tokens(grown, "学习 b c.", &after);
    ck_assert_uint_eq(before.n, after.n);
    ck_assert_mem_eq(before.input_ids, after.input_ids, before.n * sizeof *before.input_ids);
    ernie_tokens_reset(&before);
    ernie_tokens_reset(&after);
    ernie_model_close(old);
    ernie_model_close(grown);

    /* What it has now it has; and it can grow again. */
    ck_assert_int_eq(ernie_model_add_tokens(in("out"), in("again"), 4, tokens, NULL, &err),
                     ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "has all of them"));
    ck_assert_int_eq(ernie_model_add_tokens(in("out"), in("again"), 1, &(const char *){ "xyz" }, NULL,
                                            &err),
                     ERNIE_OK);
    ck_assert_int_eq(ernie_model_open(in("again"), &grown, &err), ERNIE_OK);
    read_tokens(grown, "xyzabc", &after);
    ck_assert_uint_eq(after.n, 4);
    ernie_tokens_reset(&after);
    ernie_model_close(grown);
}
END_TEST

START_TEST(test_refused)
{
    static char long_one[2000];
    const char *bad[] = { "", "\xff", long_one, NULL };

    folder_clear();
    memset(long_one, 'x', sizeof long_one - 1);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_int_eq(ernie_model_add_tokens(source(0), in("out"), 1, &bad[i], NULL, &err),
                         ERNIE_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.message, "token 1 is not 1..1024 bytes of UTF-8"));
    }
    ck_assert_int_eq(ernie_model_add_tokens(source(0), in("out"), 0, NULL, NULL, &err), ERNIE_EINVAL);
    ck_assert_int_eq(mkdir(in("there"), 0777), 0);
    ck_assert_int_eq(ernie_model_add_tokens(source(0), in("there"), 1, tokens, NULL, &err),
                     ERNIE_EINVAL);
    ck_assert_int_eq(ernie_model_add_tokens(in("missing"), in("out"), 1, tokens, NULL, &err),
                     ERNIE_ENOTFOUND);
    ck_assert_uint_eq(folder_count(), 1);
}
END_TEST

START_TEST(test_running_out_of_memory_leaves_nothing)
{
    int status = ERNIE_ENOMEM;

    folder_clear();
    for (int k = 0; status != ERNIE_OK; k++) {
        fail_allocations_from(k);
        status = ernie_model_add_tokens(source(_i), in("out"), 4, tokens, NULL, &err);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d: %s", k, err.message);
        ck_assert_uint_eq(folder_count(), status == ERNIE_OK);
    }
}
END_TEST

START_TEST(test_a_full_disk_leaves_nothing)
{
    int status = ERNIE_EIO;

    for (int k = 0; status != ERNIE_OK; k++) {
        folder_clear();
        fill_disk_after(k);
        status = ernie_model_add_tokens(source(_i), in("out"), 4, tokens, NULL, &err);
        stop_filling();
        ck_assert(status == ERNIE_OK || status == ERNIE_EIO);
        ck_assert_uint_eq(folder_count(), status == ERNIE_OK);
    }
}
END_TEST

static void make_folder(void)
{
    folder_make("check_vocabulary");
}

int main(void)
{
    Suite *s = suite_create("vocabulary");
    TCase *t = tcase_create("vocabulary");

    tcase_add_unchecked_fixture(t, make_folder, folder_remove);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_a_new_word_is_found_and_means_what_its_pieces_did, 0, N_SOURCES);
    tcase_add_test(t, test_refused);
    tcase_add_loop_test(t, test_running_out_of_memory_leaves_nothing, 0, N_SOURCES);
    tcase_add_loop_test(t, test_a_full_disk_leaves_nothing, 3, N_SOURCES);
    suite_add_tcase(s, t);
    return run_suite(s);
}
