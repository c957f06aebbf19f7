/* The order of files, and the time that is left, in runs that are made up: what is told has to be
 * within a fifth of what comes, from the first tenth of the time on. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "faults.h"
#include "pace.h"
#include "suite.h"

#define TOKENS_A_S 15000.0
/* Tokens of a batch, and of what is embedded between two looks at the clock. */
#define BATCH 12800
#define SLICE 3200

struct made_file {
    char name[16];
    uint64_t size_bytes;
    uint64_t n_tokens; /* in it */
    double reading_s;
};

static struct made_file *files; /* [n_files] */
static size_t n_files;
static ernie_error err;
static uint64_t state;

static void glance(const void *data, size_t i, const char **name, uint64_t *size_bytes)
{
    const struct made_file *made = data;

    *name = made[i].name;
    *size_bytes = made[i].size_bytes;
}

/* From 0 to 1 (splitmix64: Steele, Lea & Flood 2014). */
static double uniform(void)
{
    uint64_t x = state += 0x9e3779b97f4a7c15u;

    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return (double)((x ^ x >> 31) >> 11) / 9007199254740992.0;
}

/* What is in files: tokens and seconds of reading a byte, the first times 1/spread to spread. */
struct kind {
    const char *end;
    double tokens_a_byte, spread, seconds_a_byte;
};

static const struct kind text = { ".txt", 0.23, 1.3, 2e-9 }, chinese = { ".md", 0.38, 1.1, 2e-9 },
                         page = { ".html", 0.08, 3, 5e-9 }, pdf = { ".pdf", 0.05, 2, 2e-7 },
                         binary = { ".bin", 0, 1, 1e-9 };

static void add_file(const struct kind *kind, double size_bytes)
{
    struct made_file *made = &files[n_files];

    snprintf(made->name, sizeof made->name, "%zu%s", n_files, kind->end);
    made->size_bytes = (uint64_t)size_bytes;
    made->n_tokens = (uint64_t)(size_bytes * kind->tokens_a_byte *
                                pow(kind->spread, 2 * uniform() - 1));
    made->reading_s = size_bytes * kind->seconds_a_byte + 0.00005;
    n_files++;
}

/* Sizes about as they are in /usr/share/doc of a Debian system: least, tenths, greatest. */
static void add_files(const struct kind *kind, size_t n)
{
    static const double tenths[] = { 20,   260,  620,  950,   1300,  1800,
                                     2700, 4300, 8200, 20000, 900000 };

    for (size_t i = 0; i < n; i++) {
        const double at = uniform() * 10;
        const size_t tenth = (size_t)at;

        /* Between two of them sizes grow as they do in all: by a factor. */
        add_file(kind, tenths[tenth] * pow(tenths[tenth + 1] / tenths[tenth],
                                           tenth == 9 ? pow(at - 9, 4) : at - (double)tenth));
    }
}

static void set_up(void)
{
    files = calloc(200000, sizeof *files);
    ck_assert_ptr_nonnull(files);
    n_files = 0;
    state = 20261125;
}

static void tear_down(void)
{
    free(files);
}

/* How far what is told is from what comes, as a part of that, a hundredth of the whole aside: the
 * furthest, from the first tenth of the time on. */
struct run {
    struct pace pace;
    double now_s, all_s, worst;
};

static void look(struct run *run)
{
    const double left = run->all_s - (run->now_s - 1);
    double told, off;

    if (left > run->all_s * 0.9)
        return;
    told = pace_left(&run->pace, run->now_s);
    ck_assert(!isnan(told));
    off = fabs(told - left) - run->all_s * 0.01;
    run->worst = fmax(run->worst, off > 0 ? off / left : 0);
}

static void embed(struct run *run, double n_tokens)
{
    pace_wait_begin(&run->pace, run->now_s);
    while (n_tokens > 0) {
        const double n = n_tokens < SLICE ? n_tokens : SLICE;

        run->now_s += n / TOKENS_A_S;
        pace_embedded(&run->pace, n);
        n_tokens -= n;
        look(run);
    }
    pace_wait_end(&run->pace, run->now_s);
}

static double worst_of_run(void)
{
    struct run run = { .now_s = 1 };
    uint64_t n_waiting = 0;
    size_t i, n_taken = 0;

    for (i = 0; i < n_files; i++)
        run.all_s += files[i].reading_s + (double)files[i].n_tokens / TOKENS_A_S;
    ck_assert_int_eq(pace_plan(&run.pace, n_files, glance, files, run.now_s, &err), ERNIE_OK);
    for (; pace_next(&run.pace, run.now_s, &i); n_taken++) {
        run.now_s += files[i].reading_s;
        pace_found(&run.pace, files[i].n_tokens);
        n_waiting += files[i].n_tokens;
        if (n_waiting < BATCH)
            continue;
        embed(&run, (double)n_waiting);
        n_waiting = 0;
    }
    embed(&run, (double)n_waiting);
    ck_assert_uint_eq(n_taken, n_files);
    ck_assert_double_eq_tol(run.now_s - 1, run.all_s, 1e-6 * run.all_s);
    pace_reset(&run.pace);
    return run.worst;
}

/* ---- the order --------------------------------------------------------- */

START_TEST(test_each_file_is_taken_once)
{
    for (size_t n = 0; n <= 700; n += 1 + n / 50) {
        struct pace pace = { 0 };
        char taken[700] = { 0 };
        size_t n_taken = 0, i;

        n_files = 0;
        for (size_t j = 0; j < n; j++)
            add_file(&text, j % 7 == 3 ? 2e6 * uniform() : 1000);
        ck_assert_int_eq(pace_plan(&pace, n, glance, files, 1, &err), ERNIE_OK);
        for (; pace_next(&pace, 1, &i); n_taken++) {
            ck_assert_uint_lt(i, n);
            ck_assert(!taken[i]);
            taken[i] = 1;
        }
        ck_assert_uint_eq(n_taken, n);
        pace_reset(&pace);
    }
}
END_TEST

START_TEST(test_few_small_files_are_taken_as_they_come)
{
    for (size_t n = 0; n <= 32; n++) {
        struct pace pace = { 0 };
        size_t i;

        n_files = 0;
        add_files(&text, n);
        ck_assert_int_eq(pace_plan(&pace, n, glance, files, 1, &err), ERNIE_OK);
        for (size_t j = 0; j < n; j++) {
            ck_assert(pace_next(&pace, 1, &i));
            ck_assert_uint_eq(i, j);
        }
        pace_reset(&pace);
    }
}
END_TEST

/* Any tenth of the files holds a tenth of each hundred neighbours, or nearly. */
START_TEST(test_what_is_done_is_spread_over_all)
{
    enum { N = 10000 };
    struct pace pace = { 0 };
    int in_block[N / 100] = { 0 };
    size_t at;

    for (size_t i = 0; i < N; i++)
        add_file(&text, 1000);
    ck_assert_int_eq(pace_plan(&pace, N, glance, files, 1, &err), ERNIE_OK);
    for (size_t i = 0; i < N / 10; i++) {
        ck_assert(pace_next(&pace, 1, &at));
        in_block[at / 100]++;
    }
    for (size_t i = 0; i < N / 100; i++)
        ck_assert(in_block[i] >= 8 && in_block[i] <= 13);
    pace_reset(&pace);
}
END_TEST

START_TEST(test_large_files_are_read_after_a_sample)
{
    struct pace pace = { 0 };
    size_t order[108];

    add_files(&text, 3200);
    for (int i = 0; i < 4; i++)
        add_file(&pdf, 3e6);
    add_file(&pdf, 3e7);
    add_file(&text, 5e7);
    add_file(&pdf, 10000);
    ck_assert_int_eq(pace_plan(&pace, n_files, glance, files, 1, &err), ERNIE_OK);
    for (size_t i = 0; i < 108; i++)
        ck_assert(pace_next(&pace, 1, &order[i]));
    for (size_t i = 0; i < 4; i++) /* small ones of each kind */
        ck_assert_uint_lt(order[i], 3200);
    ck_assert_uint_eq(order[4], 3206);
    for (size_t i = 5; i < 104; i++)
        ck_assert_uint_lt(order[i], 3200);
    for (size_t i = 104; i < 107; i++) /* larger ones of each kind */
        ck_assert(order[i] >= 3200 && order[i] < 3204);
    ck_assert_uint_eq(order[107], 3205);
    pace_reset(&pace);
}
END_TEST

/* ---- the time left ----------------------------------------------------- */

/* As their names sort them: English pages, HTML, a Chinese book. */
static void folders_of_each_kind(void)
{
    add_files(&text, 50000);
    add_files(&page, 20000);
    add_files(&chinese, 30000);
}

static void many_small_then_a_pdf(void)
{
    add_files(&text, 5000);
    add_files(&chinese, 1000);
    add_file(&pdf, 1e8);
}

static void large_ones_first(void)
{
    for (int i = 0; i < 5; i++)
        add_file(&pdf, 2e7 + 6e7 * uniform());
    add_file(&text, 3e7);
    add_files(&page, 20000);
}

static void one_text_of_60_megabytes(void)
{
    add_file(&text, 6e7);
}

static void small_ones_and_a_text_of_60_megabytes(void)
{
    add_files(&chinese, 3000);
    add_file(&text, 6e7);
    add_files(&page, 3000);
}

static void a_home_folder(void)
{
    add_files(&binary, 20000);
    for (int i = 0; i < 40; i++)
        add_file(&binary, 5e7 * uniform());
    for (int i = 0; i < 300; i++)
        add_file(&pdf, 3e6 * uniform());
    add_files(&text, 20000);
    add_files(&page, 5000);
    add_file(&page, 2e7);
}

/* The same bytes as before, at another time: they are read, and no more. */
static void half_of_it_is_known(void)
{
    add_files(&text, 50000);
    add_files(&chinese, 10000);
    for (size_t i = 0; i < n_files; i++)
        if (i < 50000)
            files[i].n_tokens = 0;
}

static void nothing_to_embed(void)
{
    add_files(&binary, 100000);
    for (int i = 0; i < 200; i++)
        add_file(&binary, 5e8 * uniform());
}

static void few_files(void)
{
    for (int i = 0; i < 20; i++)
        add_file(&text, 2e6 * uniform());
    add_file(&chinese, 1e7);
}

static const struct {
    const char *name;
    void (*make)(void);
} runs[] = {
    { "folders of each kind", folders_of_each_kind },
    { "many small ones, then a PDF", many_small_then_a_pdf },
    { "large ones first", large_ones_first },
    { "one text of 60 MB", one_text_of_60_megabytes },
    { "small ones and a text of 60 MB", small_ones_and_a_text_of_60_megabytes },
    { "a home folder", a_home_folder },
    { "half of it is known", half_of_it_is_known },
    { "nothing to embed", nothing_to_embed },
    { "few files", few_files },
};

/* Where most of the time is that of a few files, one of which may be unlike all others of its
 * kind, one run in ten may be told of worse. */
START_TEST(test_what_is_left_is_known_after_a_tenth)
{
    int n_worse = 0;

    for (uint64_t seed = 1; seed <= 10; seed++) {
        double worst;

        state = seed;
        n_files = 0;
        runs[_i].make();
        worst = worst_of_run();
        ck_assert_msg(worst < 0.25, "%s, %d: %.3f", runs[_i].name, (int)seed, worst);
        n_worse += worst > 0.2;
    }
    ck_assert_int_le(n_worse, 1);
}
END_TEST

START_TEST(test_nothing_is_told_too_early)
{
    struct pace pace = { 0 };
    size_t i;

    ck_assert(isnan(pace_left(&pace, 1)));
    add_file(&text, 1000);
    add_file(&text, 1000);
    ck_assert_int_eq(pace_plan(&pace, n_files, glance, files, 1, &err), ERNIE_OK);
    ck_assert(isnan(pace_left(&pace, 100)));
    ck_assert(pace_next(&pace, 1, &i));
    pace_found(&pace, 100);
    ck_assert(isnan(pace_left(&pace, 100))); /* nothing is embedded */
    pace_embedded(&pace, 50);
    ck_assert(isnan(pace_left(&pace, 1.5)));
    ck_assert(!isnan(pace_left(&pace, 3)));
    pace_reset(&pace);
    ck_assert(isnan(pace_left_alike(5, 0, 10)));
    ck_assert(isnan(pace_left_alike(0.5, 5, 10)));
    ck_assert_double_eq(pace_left_alike(5, 5, 10), 5);
    ck_assert_double_eq(pace_left_alike(5, 12, 10), 0);
}
END_TEST

START_TEST(test_planning_without_memory)
{
    struct pace pace = { 0 };

    add_file(&text, 1e7);
    fail_allocations_from(0);
    ck_assert_int_eq(pace_plan(&pace, n_files, glance, files, 1, &err), ERNIE_ENOMEM);
    stop_failing();
    pace_reset(&pace);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pace");
    TCase *order = tcase_create("order"), *left = tcase_create("left");

    tcase_add_checked_fixture(order, set_up, tear_down);
    tcase_add_test(order, test_each_file_is_taken_once);
    tcase_add_test(order, test_few_small_files_are_taken_as_they_come);
    tcase_add_test(order, test_what_is_done_is_spread_over_all);
    tcase_add_test(order, test_large_files_are_read_after_a_sample);
    tcase_add_test(order, test_planning_without_memory);
    suite_add_tcase(s, order);
    tcase_add_checked_fixture(left, set_up, tear_down);
    tcase_add_loop_test(left, test_what_is_left_is_known_after_a_tenth, 0,
                        sizeof runs / sizeof *runs);
    tcase_add_test(left, test_nothing_is_told_too_early);
    suite_add_tcase(s, left);
    return run_suite(s);
}
