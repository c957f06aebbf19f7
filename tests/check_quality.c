/* ernie_quality: measures as counted by hand, and lines that are no query or judgement. */
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ernie.h"
#include "faults.h"
#include "suite.h"

static ernie_error err;
static ernie_model *model;
static ernie_database *database;
static const struct ernie_search_options by_word = { .mode = ERNIE_KEYWORD };
static char first[64], second[64]; /* what the word "apple" finds */

static void check(int status)
{
    ck_assert_msg(status == ERNIE_OK, "%s", err.message);
}

static void set_up(void)
{
    struct ernie_hits *hits;

    check(ernie_model_open(NULL, &model, &err));
    check(ernie_open(":memory:", ERNIE_CREATE, model, &database, &err));
    check(ernie_add_text(database, "corpus/a.txt", NULL, "An apple a day.", &err));
    check(ernie_add_text(database, "corpus/b.txt", NULL, "An apple, a pear and a plum.", &err));
    check(ernie_add_text(database, "corpus/c.txt", NULL, "绿茶怕烫。", &err));
    check(ernie_search(database, "apple", &by_word, &hits, &err));
    ck_assert_uint_eq(hits->n, 2);
    snprintf(first, sizeof first, "%s", strrchr(hits->hit[0].path, '/') + 1);
    snprintf(second, sizeof second, "%s", hits->hit[1].path);
    ernie_hits_free(hits);
}

static void tear_down(void)
{
    ernie_close(database);
    ernie_model_close(model);
}

static int measure(size_t n_queries, const char *const *queries, size_t n_judgements,
                   const char *const *judgements, struct ernie_quality *out)
{
    return ernie_quality(database, n_queries, queries, n_judgements, judgements, &by_word, out,
                         &err);
}

/* Queries a, b and c; b is answered by what comes second, and by what is not found. */
static void fill_judgements(char lines[4][128])
{
    snprintf(lines[0], 128, "query-id\tcorpus-id\tscore");
    snprintf(lines[1], 128, "1\t%s\t1", first); /* the end of its path */
    snprintf(lines[2], 128, "b\t%s\t2", second);
    snprintf(lines[3], 128, "b 0 nowhere 1"); /* the other format */
}

static const char *const queries[] = { "{\"_id\": 1, \"text\": \"apple\"}", "", "b\tapple",
                                       "{\"text\": \"pear\", \"_id\": \"c\"}" };

START_TEST(test_measures_are_those_counted_by_hand)
{
    char lines[4][128];
    const char *const judgements[] = { lines[0], lines[1], "", lines[2], lines[3] };
    struct ernie_quality quality;

    fill_judgements(lines);
    check(measure(4, queries, 5, judgements, &quality));
    ck_assert_uint_eq(quality.n_queries, 2); /* nothing answers c */
    /* b gains 2 / log2(3) of 2 + 1 / log2(3). */
    ck_assert_double_eq_tol(quality.ndcg_10, (1 + 2 / log2(3) / (2 + 1 / log2(3))) / 2, 1e-12);
    ck_assert_double_eq(quality.mrr_10, (1 + 0.5) / 2);
    ck_assert_double_eq(quality.recall_1, 0.5);
    ck_assert_double_eq(quality.recall_10, (1 + 0.5) / 2);
    ck_assert_double_eq(quality.recall_100, (1 + 0.5) / 2);
}
END_TEST

START_TEST(test_the_later_of_two_judgements_counts)
{
    const char *const judgements[] = { "b\tcorpus/a.txt\t1", "b\tcorpus/b.txt\t1",
                                       "b\tcorpus/a.txt\t0" };
    struct ernie_quality quality;

    check(measure(4, queries, 3, judgements, &quality));
    ck_assert_double_eq(quality.recall_100, 1);
    ck_assert_int_eq(measure(4, queries, 1, &judgements[2], &quality), ERNIE_ENOTFOUND);
}
END_TEST

START_TEST(test_lines_that_are_neither_are_refused)
{
    static const char *const no_queries[] = { "apple", "{\"_id\": \"b\"", "{\"_id\": \"b\"}",
                                              "{\"text\": \"apple\"}",
                                              "{\"_id\": [], \"text\": \"apple\"}" };
    static const char *const no_judgements[] = { "b", "b\tx", "b\tx\ty", "b 0 x 1 2", "b 0 x y",
                                                 "b\tx\t1y", "\xff\t\xff\t\xff" };
    const char *const judgements[] = { "b\tcorpus/a.txt\t1" };
    struct ernie_quality quality;

    for (size_t i = 0; i < sizeof no_queries / sizeof *no_queries; i++)
        ck_assert_int_eq(measure(1, &no_queries[i], 1, judgements, &quality), ERNIE_EFORMAT);
    for (size_t i = 0; i < sizeof no_judgements / sizeof *no_judgements; i++)
        ck_assert_int_eq(measure(4, queries, 1, &no_judgements[i], &quality), ERNIE_EFORMAT);
    ck_assert_int_eq(measure(4, queries, 0, NULL, &quality), ERNIE_ENOTFOUND);
}
END_TEST

START_TEST(test_running_out_of_memory_at_each_allocation)
{
    char lines[4][128];
    const char *const judgements[] = { lines[0], lines[1], lines[2], lines[3] };
    struct ernie_quality quality;
    int status = ERNIE_ENOMEM;

    fill_judgements(lines);
    for (int k = 0; status != ERNIE_OK; k++) {
        fail_allocations_from(k);
        status = measure(4, queries, 4, judgements, &quality);
        stop_failing();
        ck_assert_msg(status == ERNIE_OK || status == ERNIE_ENOMEM, "%d: %s", k, err.message);
    }
    ck_assert_uint_eq(quality.n_queries, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("quality");
    TCase *tcase = tcase_create("quality");

    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, test_measures_are_those_counted_by_hand);
    tcase_add_test(tcase, test_the_later_of_two_judgements_counts);
    tcase_add_test(tcase, test_lines_that_are_neither_are_refused);
    tcase_add_test(tcase, test_running_out_of_memory_at_each_allocation);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
