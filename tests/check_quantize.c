/* Models made smaller: what is written, and what is left when it cannot be. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/system.h"
#include "ernie.h"
#include "faults.h"
#include "folder.h"
#include "model/linear.h"
#include "suite.h"

static ernie_error err;

static const char *reference(const char *name)
{
    static char path[512];
    const char *srcdir = getenv("srcdir");

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s", srcdir != NULL ? srcdir : ".", name);
    return path;
}

static const char *source(void)
{
    return reference("bert-f32");
}

static const char *const texts[] = { "深度学习", "a soft tyre", "天气很好", "rare books" };

START_TEST(test_a_quarter_of_the_size_and_the_same_direction)
{
    struct ernie_quantize_report report;
    struct ernie_model_info info;
    ernie_model *model;

    folder_clear();
    ck_assert_msg(ernie_model_quantize(source(), in("out"), _i ? 4 : 0, texts, &report, &err) ==
                      ERNIE_OK,
                  "%s", err.message);
    ck_assert(report.bytes_after < report.bytes_before * 2 / 3); /* it has next to no weights */
    ck_assert(report.n_matrices > 6);
    ck_assert_uint_eq(report.n_texts, _i ? 2 : 4);
    ck_assert(report.cosine_mean > 0.99 && report.cosine_least > 0.98);
    ck_assert(report.cosine_least <= report.cosine_mean && report.cosine_mean <= 1.0000001);
    ck_assert_uint_eq(folder_count(), 1);
    ck_assert_int_eq(ernie_model_open(in("out"), &model, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_model_info(model, &info, &err), ERNIE_OK);
    ck_assert(info.n_int8_parameters * 10 > info.n_parameters * 5);
    ernie_model_close(model);
}
END_TEST

/* All matrices of the layers become int8, whatever the family calls them, and the head
 * stays as it was. */
START_TEST(test_other_families_and_heads)
{
    static const char *const names[] = { "bert-rotary", "roformer-cls", "xlmr-rerank",
                                         "ernie-multi", "ernie_m-cls" };
    static const char *const words[] = { "一丁丂七丄", "丈三上下" };
    struct ernie_quantize_report report;
    float logits[2][2 * 4];
    size_t n_labels[2];

    folder_clear();
    ck_assert_msg(ernie_model_quantize(reference(names[_i]), in("out"), 0, NULL, &report, &err) ==
                      ERNIE_OK,
                  "%s", err.message);
    ck_assert_uint_eq(report.n_matrices, 1 + 2 * 6);
    ck_assert(report.cosine_least > 0.99);
    for (int i = 0; i < 2; i++) {
        ernie_model *model;
        ernie_encoder *encoder;

        ck_assert_int_eq(ernie_model_open(i == 0 ? reference(names[_i]) : in("out"), &model, &err),
                         ERNIE_OK);
        n_labels[i] = ernie_model_n_labels(model);
        ck_assert_int_eq(ernie_encoder_new(model, 1, &encoder, &err), ERNIE_OK);
        if (n_labels[i] > 0)
            ck_assert_int_eq(ernie_classify(encoder, 2, words, NULL, logits[i], NULL, &err),
                             ERNIE_OK);
        ernie_encoder_free(encoder);
        ernie_model_close(model);
    }
    ck_assert_uint_eq(n_labels[0], n_labels[1]);
    for (size_t i = 0; i < 2 * n_labels[0]; i++)
        ck_assert_double_eq_tol(logits[0][i], logits[1][i], 0.15);
}
END_TEST

/* Inputs (1, 2, 3) and (4, 5, 6): sums of squares 17, 29, 45, counted once. */
START_TEST(test_a_layer_adds_up_the_squares_of_its_inputs)
{
    const float w[2][3] = { { 1, 0, 0 }, { 0, 1, 1 } }, x[2][3] = { { 1, 2, 3 }, { 4, 5, 6 } };
    const struct kernel *kernel = kernel_pick();
    struct linear linear = { .n_in = 3, .n_out = 2 };
    struct linear_scratch scratch;
    float y[4];

    linear.bias = linear.f32.bias = memory_new_aligned(2, sizeof(float));
    linear.bias[0] = linear.bias[1] = 0;
    linear.f32.n_in = I8_INPUTS;
    linear.f32.n_out = 2;
    linear.f32.packed = memory_new_aligned(I8_INPUTS * I8_OUTPUTS, sizeof(float));
    kernel->pack_f32(2, 3, w[0], linear.f32.packed);
    linear.squares = memory_new(3, sizeof(double));
    ck_assert(linear_scratch_init(&scratch, 2, linear_scratch_bytes(2, 3)));
    linear_apply(&linear, kernel, 0, 2, 2, x[0], EPILOGUE_BIAS, &scratch, y);
    ck_assert(y[0] == 1 && y[1] == 5 && y[2] == 4 && y[3] == 11);
    ck_assert(linear.squares[0] == 17 && linear.squares[1] == 29 && linear.squares[2] == 45);
    linear_scratch_reset(&scratch);
    linear_reset(&linear);
}
END_TEST

START_TEST(test_refused)
{
    struct stat st;

    folder_clear();
    ck_assert_int_eq(mkdir(in("there"), 0777), 0);
    ck_assert_int_eq(ernie_model_quantize(source(), in("there"), 0, NULL, NULL, &err),
                     ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "there: exists already"));
    ck_assert_int_eq(ernie_model_quantize(in("missing"), in("out"), 0, NULL, NULL, &err),
                     ERNIE_ENOTFOUND);
    ck_assert_int_eq(ernie_model_quantize(source(), in("a/b"), 0, NULL, NULL, &err),
                     ERNIE_ENOTFOUND);
    ck_assert_int_eq(ernie_model_quantize(source(), in("out"), 0, NULL, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(ernie_model_quantize(in("out"), in("again"), 0, NULL, NULL, &err),
                     ERNIE_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.message, "int8 already"));
    /* An unfinished one is somebody's: it is not overwritten, nor removed. */
    ck_assert_int_eq(mkdir(in("new.part"), 0777), 0);
    ck_assert_int_ne(ernie_model_quantize(source(), in("new"), 0, NULL, NULL, &err), ERNIE_OK);
    ck_assert_int_eq(stat(in("new.part"), &st), 0);
}
END_TEST

START_TEST(test_running_out_of_memory_leaves_nothing)
{
    int status = ERNIE_ENOMEM;

    folder_clear();
    for (int k = 0; status != ERNIE_OK; k++) {
        fail_allocations_from(k);
        status = ernie_model_quantize(source(), in("out"), 4, texts, NULL, &err);
        stop_failing();
        ck_assert(status == ERNIE_OK || status == ERNIE_ENOMEM);
        ck_assert_uint_eq(folder_count(), status == ERNIE_OK);
    }
}
END_TEST

START_TEST(test_a_full_disk_leaves_nothing)
{
    int status = ERNIE_EIO;

    for (int k = 0; status != ERNIE_OK; k += 1 + k / 8) {
        folder_clear();
        fill_disk_after(k);
        status = ernie_model_quantize(source(), in("out"), 0, NULL, NULL, &err);
        stop_filling();
        ck_assert(status == ERNIE_OK || status == ERNIE_EIO);
        ck_assert_uint_eq(folder_count(), status == ERNIE_OK);
    }
}
END_TEST

static void make_folder(void)
{
    folder_make("check_quantize");
}

int main(void)
{
    Suite *s = suite_create("quantize");
    TCase *t = tcase_create("quantize");

    tcase_add_unchecked_fixture(t, make_folder, folder_remove);
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, test_a_quarter_of_the_size_and_the_same_direction, 0, 2);
    tcase_add_loop_test(t, test_other_families_and_heads, 0, 5);
    tcase_add_test(t, test_a_layer_adds_up_the_squares_of_its_inputs);
    tcase_add_test(t, test_refused);
    tcase_add_test(t, test_running_out_of_memory_leaves_nothing);
    tcase_add_test(t, test_a_full_disk_leaves_nothing);
    suite_add_tcase(s, t);
    return run_suite(s);
}
