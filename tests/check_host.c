/* A host that is not as we would like it: it rounds otherwise, writes numbers with a comma,
 * was forked, or may start no thread. The embeddings are the same. */
#include <check.h>
#include <fenv.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "base/buffer.h"
#include "base/json.h"
#include "base/pool.h"
#include "ernie.h"
#include "suite.h"

#define N_TEXTS 6
#define MAX_DIM 512

static const char *const texts[N_TEXTS] = {
    "\xe4\xba\xba\xe5\xb7\xa5\xe6\x99\xba\xe8\x83\xbd", "a", "", "the cat sat on the mat",
    "\xe6\xb7\xb1\xe5\xba\xa6\xe5\xad\xa6\xe4\xb9\xa0 deep learning", "b c d e f g",
};

static const char *const models[] = { "bert-f32", "bert-f16", "ernie-i8" };
#define N_MODELS (sizeof models / sizeof *models)

/* What a model says of the texts, all at once and one alone. */
struct answer {
    char fingerprint[64];
    size_t dim;
    float all[N_TEXTS * MAX_DIM], one[MAX_DIM];
};

static void encode(ernie_encoder *encoder, struct answer *out)
{
    ernie_error err;

    ck_assert_msg(ernie_encode(encoder, N_TEXTS, texts, out->all, &err) == ERNIE_OK, "%s",
                  err.message);
    ck_assert_msg(ernie_encode(encoder, 1, texts, out->one, &err) == ERNIE_OK, "%s", err.message);
}

static ernie_model *open_model(const char *name)
{
    const char *srcdir = getenv("srcdir");
    ernie_model *model;
    ernie_error err;
    char path[512];

    snprintf(path, sizeof path, "%s/tests/data/encoder/%s", srcdir != NULL ? srcdir : ".", name);
    ck_assert_msg(ernie_model_open(path, &model, &err) == ERNIE_OK, "%s", err.message);
    ck_assert_uint_le(ernie_model_dim(model), MAX_DIM);
    return model;
}

static void answer(const char *name, size_t n_threads, struct answer *out)
{
    ernie_model *model = open_model(name);
    ernie_encoder *encoder;
    ernie_error err;

    memset(out, 0, sizeof *out);
    ck_assert_int_eq(ernie_encoder_new(model, n_threads, &encoder, &err), ERNIE_OK);
    snprintf(out->fingerprint, sizeof out->fingerprint, "%s", ernie_model_fingerprint(model));
    out->dim = ernie_model_dim(model);
    encode(encoder, out);
    ernie_encoder_free(encoder);
    ernie_model_close(model);
}

static void check_same(const struct answer *a, const struct answer *b)
{
    ck_assert_str_eq(a->fingerprint, b->fingerprint);
    ck_assert_uint_eq(a->dim, b->dim);
    ck_assert_mem_eq(a->all, b->all, sizeof a->all);
    ck_assert_mem_eq(a->one, b->one, sizeof a->one);
}

/* ---- the state of floating point ---- */

static void note_rounding(void *data, size_t lane)
{
    ((int *)data)[lane] = fegetround();
}

START_TEST(test_rounding_of_the_host_changes_nothing)
{
    const int ways[] = { FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO };
    static struct answer as_usual, here;

    for (size_t i = 0; i < N_MODELS; i++) {
        for (size_t n_threads = 1; n_threads <= 3; n_threads += 2) {
            answer(models[i], n_threads, &as_usual);
            for (size_t j = 0; j < 3; j++) {
                ck_assert_int_eq(fesetround(ways[j]), 0);
                answer(models[i], n_threads, &here);
                ck_assert_int_eq(fegetround(), ways[j]); /* the host's, still */
                fesetround(FE_TONEAREST);
                check_same(&as_usual, &here);
            }
        }
    }
}
END_TEST

START_TEST(test_threads_do_not_round_as_their_maker)
{
    int rounding[4] = { -1, -1, -1, -1 };
    struct pool *pool;

    fesetround(FE_UPWARD);
    ck_assert_int_eq(pool_new(4, &pool, NULL), ERNIE_OK);
    pool_run(pool, note_rounding, rounding);
    for (size_t i = 1; i < pool_n_threads(pool); i++)
        ck_assert_int_eq(rounding[i], FE_TONEAREST);
    pool_free(pool);
    fesetround(FE_TONEAREST);
}
END_TEST

/* What -ffast-math sets when it is given to a host's linker. */
START_TEST(test_a_host_without_small_numbers_changes_nothing)
{
#if defined(__SSE__)
    static struct answer as_usual, here;

    for (size_t i = 0; i < N_MODELS; i++) {
        const unsigned state = _mm_getcsr(), flushing = state | 0x8040;

        answer(models[i], 2, &as_usual);
        _mm_setcsr(flushing);
        answer(models[i], 2, &here);
        ck_assert_uint_eq(_mm_getcsr() & 0x8040, 0x8040);
        _mm_setcsr(state);
        check_same(&as_usual, &here);
    }
#endif
}
END_TEST

/* ---- the locale ---- */

/* The C library's own form of a locale's LC_NUMERIC, so that no locale need be installed:
 * magic, count, offsets, then the point, the thousands' separator, their grouping, point
 * and separator as wide characters, and the codeset. */
static void write_locale(const char *folder, const char *point)
{
    const size_t n_point = strlen(point) + 1;
    const uint32_t wide = (12 + 6 * 4 - 4 + n_point + 2 + 3) / 4 * 4;
    const uint32_t head[] = { 0x20031115 ^ LC_NUMERIC, 6, 32, 32 + (uint32_t)n_point,
                              33 + (uint32_t)n_point, wide, wide + 4, wide + 8 };
    const uint32_t wides[] = { ',', 0 };
    struct buffer bytes = { 0 };
    char path[256];
    FILE *file;

    buffer_append(&bytes, head, sizeof head);
    buffer_append(&bytes, point, n_point);
    buffer_append(&bytes, "\0\0", 2);
    while (bytes.size < wide)
        buffer_append_char(&bytes, '\0');
    buffer_append(&bytes, wides, sizeof wides);
    buffer_append(&bytes, "UTF-8", 6);
    snprintf(path, sizeof path, "%s/xx_XX", folder);
    mkdir(path, 0777);
    snprintf(path, sizeof path, "%s/xx_XX/LC_NUMERIC", folder);
    file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes.data, 1, bytes.size, file), bytes.size);
    ck_assert_int_eq(fclose(file), 0);
    buffer_reset(&bytes);
}

START_TEST(test_the_locale_of_the_host_changes_nothing)
{
    static const char *const points[] = { ",", "\xd9\xab" };
    static struct answer as_usual, here;

    for (size_t i = 0; i < 2; i++) {
        char folder[] = "/tmp/check_host.XXXXXX", command[128], written[16];
        struct buffer quarters = { 0 };

        ck_assert_ptr_nonnull(mkdtemp(folder));
        write_locale(folder, points[i]);
        setenv("LOCPATH", folder, 1);
        for (size_t j = 0; j < N_MODELS; j++) {
            answer(models[j], 2, &as_usual);
            if (setlocale(LC_NUMERIC, "xx_XX") == NULL)
                break; /* another C library */
            snprintf(written, sizeof written, "%.1f", 0.5);
            ck_assert_mem_eq(written + 1, points[i], strlen(points[i]));
            answer(models[j], 2, &here);
            json_append_float(&quarters, 0.25f);
            setlocale(LC_NUMERIC, "C");
            check_same(&as_usual, &here);
        }
        if (quarters.size > 0)
            ck_assert_str_eq(quarters.data, "0.250.250.25");
        buffer_reset(&quarters);
        snprintf(command, sizeof command, "rm -r %s", folder);
        ck_assert_int_eq(system(command), 0);
    }
}
END_TEST

/* ---- processes and threads ---- */

static void check_child_succeeds(pid_t child)
{
    int status;

    ck_assert_int_ge(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

/* Threads do not come along: the child does their work, and waits for nobody. */
START_TEST(test_a_forked_host_encodes_on)
{
    static struct answer before, after;

    for (size_t i = 0; i < N_MODELS; i++) {
        ernie_model *model = open_model(models[i]);
        ernie_encoder *encoder;
        pid_t child;

        ck_assert_int_eq(ernie_encoder_new(model, 4, &encoder, NULL), ERNIE_OK);
        encode(encoder, &before);
        fflush(NULL);
        child = fork();
        if (child == 0) {
            alarm(60);
            if (ernie_encode(encoder, N_TEXTS, texts, after.all, NULL) != ERNIE_OK ||
                ernie_encode(encoder, 1, texts, after.one, NULL) != ERNIE_OK)
                _exit(1);
            ernie_encoder_free(encoder);
            ernie_model_close(model);
            _exit(memcmp(before.all, after.all, sizeof before.all) == 0 &&
                          memcmp(before.one, after.one, sizeof before.one) == 0
                      ? 0
                      : 2);
        }
        check_child_succeeds(child);
        encode(encoder, &after);
        ck_assert_mem_eq(before.all, after.all, sizeof before.all);
        ernie_encoder_free(encoder);
        ernie_model_close(model);
    }
}
END_TEST

START_TEST(test_threads_that_cannot_be_started_are_done_without)
{
    const struct rlimit none = { 0, 0 };
    static struct answer many, few;
    pid_t child;

    answer(models[0], 4, &many);
    fflush(NULL);
    child = fork();
    if (child == 0) {
        ernie_model *model = open_model(models[0]);
        ernie_encoder *encoder;

        /* The limit is not for the superuser. */
        if ((getuid() == 0 && setuid(65534) != 0) || setrlimit(RLIMIT_NPROC, &none) != 0)
            _exit(0);
        if (ernie_encoder_new(model, 4, &encoder, NULL) != ERNIE_OK)
            _exit(1);
        encode(encoder, &few);
        _exit(memcmp(many.all, few.all, sizeof many.all) == 0 &&
                      memcmp(many.one, few.one, sizeof many.one) == 0
                  ? 0
                  : 2);
    }
    check_child_succeeds(child);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("host");
    TCase *all = tcase_create("host");

    tcase_add_test(all, test_rounding_of_the_host_changes_nothing);
    tcase_add_test(all, test_threads_do_not_round_as_their_maker);
    tcase_add_test(all, test_a_host_without_small_numbers_changes_nothing);
    tcase_add_test(all, test_the_locale_of_the_host_changes_nothing);
    tcase_add_test(all, test_a_forked_host_encodes_on);
    tcase_add_test(all, test_threads_that_cannot_be_started_are_done_without);
    suite_add_tcase(suite, all);
    return run_suite(suite);
}
